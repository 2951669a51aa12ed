// expect-lint: address_children\.c:\d+:\d+:.* address of local 'text' is kept across an await
// expect-lint: address_children\.c:\d+:\d+:.* address of local 'left' is kept across an await
// expect-lint: address_children\.c:\d+:\d+:.* address of local 'key' is kept across an await
// expect-lint: address_children\.c:\d+:\d+:.* address of local 'name' is handed to a task
/* Arguments of calls, spawns and combinators. */
#include <edo/edo.h>

struct greet {
    edo_frame();
    edo_args(const char *text;);
};

edo_async(greet)
{
    edo_body {
        edo_return(self->text[0]);
    }
}

struct parent {
    edo_frame(struct greet greet;);
    edo_args();
    struct greet right;
};

edo_async_extern(parent)
{
    edo_body {
        int rc;
        char text[] = "hello", key[] = "key", name[] = "name";
        struct greet left;
        edo_call(rc, greet, .text = text);
        edo_init(&left, greet, .text = "left");
        edo_init(&self->right, greet, .text = key);
        edo_select(rc, &left.base, &self->right.base);
        rc = edo_go(greet, .text = name);
        edo_return(rc);
    }
}
