// expect-lint: clean
/* Addresses used only between two awaits: outputs, strings, look-ups, handles of tasks. */
#include <edo/edo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct child {
    edo_frame();
    edo_args(int n; char *name;);
};

edo_async(child)
{
    edo_body {
        edo_return(self->n);
    }
}

struct entry {
    int size;
};
struct entry *entry_find(const char *key, const int *hint);

struct tidy {
    edo_frame(struct child child;);
    edo_args(edo_io *conn;);
    char buf[64], *copy, *cursor;
    struct entry *entry;
    struct child a, b;
};

edo_async_extern(tidy)
{
    edo_body {
        char key[16], *end;
        int rc, hint = 1, which;
        int64_t count;
        struct stat st;
        edo_task *task;
        snprintf(key, sizeof key, "%d", hint);
        end = strchr(key, '1');
        self->copy = strdup(end ? end : key);
        self->entry = entry_find(key, &hint);
        self->cursor = key; // overwritten before the await
        self->cursor = self->buf;
        rc = stat(self->copy, &st);
        edo_await(count, edo_write_all(self->conn, self->copy, strlen(self->copy)));
        if (count < 0) edo_return(count);
        rc = stat(self->copy, &st);
        hint = rc < 0 ? rc : (int)st.st_size;
        rc = edo_spawn(&task, child, .n = hint, .name = self->copy);
        if (rc < 0) edo_return(rc);
        edo_await(rc, edo_join(task));
        char *at = key;
        at = self->buf;
        edo_await(rc, edo_read(self->conn, at, sizeof self->buf));
        edo_init(&self->a, child, .n = 1);
        edo_init(&self->b, child, .n = 2);
        edo_select(which, &self->a.base, &self->b.base);
        self->buf[0] = (char)which;
        edo_all(&self->a.base, &self->b.base);
        edo_call_for(rc, edo_s(1), child, .n = 3);
        edo_call_boxed(rc, child, .n = 4);
        edo_await_on(rc, &self->a.base);
        free(self->copy);
        edo_return(rc);
    }
}
