/* A recursive async function: its frames lie on the heap. */
#include <stdio.h>

#include <edo/edo.h>

typedef struct node {
    int value;
    const struct node *left, *right;
} node;

/* region: sum */
struct sum {
    edo_frame();
    edo_args(const node *tree;);
    int64_t left;
};

edo_async(sum)
{
    edo_body {
        int64_t right;
        if (!self->tree) edo_return(0);
        edo_call_boxed(self->left, sum, .tree = self->tree->left);
        if (self->left < 0) edo_return(self->left);
        edo_call_boxed(right, sum, .tree = self->tree->right);
        if (right < 0) edo_return(right);
        edo_return(self->left + self->tree->value + right);
    }
}
/* end: sum */

struct program {
    edo_frame(struct sum sum;);
    edo_args(const node *tree;);
};

edo_async(program)
{
    edo_body {
        int64_t total;
        edo_call(total, sum, .tree = self->tree);
        if (total < 0) edo_return(total);
        printf("the sum is %d\n", (int)total);
        edo_return(0);
    }
}

int main(void)
{
    static const node one = { 1, NULL, NULL }, three = { 3, NULL, NULL };
    static const node two = { 2, &one, &three };
    return edo_run(program, .tree = &two);
}
