// expect-lint: address_life\.c:.* local 'node' is handed to calls before and after an await
// expect-lint: address_life\.c:.* local 'sum' is handed to calls before and after
// expect-lint: address_life\.c:\d+:\d+: error: local 'at' is kept across an await
/* Objects with a life of their own: linked before an await and unlinked after it; a running sum. */
#include <edo/edo.h>

struct node {
    struct node *next;
};
void node_link(struct node *node);
void node_unlink(struct node *node);

struct sum {
    int64_t total;
};
int sum_start(struct sum *sum);
int sum_add(struct sum *sum, int value);

struct member {
    edo_frame();
    edo_args();
};

edo_async_extern(member)
{
    edo_body {
        struct node node;
        struct sum sum;
        int rc, value = 0, *at = &value;
        node_link(&node);
        rc = sum_start(&sum);
        rc += sum_add(&sum, rc);
        edo_await(rc, edo_yield());
        node_unlink(&node);
        rc = sum_add(&sum, rc);
        *at = rc;
        edo_return(value);
    }
}
