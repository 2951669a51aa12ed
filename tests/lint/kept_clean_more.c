// expect-lint: clean
/* Locals set again in rarer ways: by scanf, by members, a union, asm, through a pointer, by every
 * case of a switch; and paths that do not return. */
#include <edo/edo.h>
#include <stdio.h>
#include <stdlib.h>

struct pair {
    int first, second;
};
int pair_sum(struct pair pair);

struct again {
    edo_frame();
    edo_args(int kind;);
};

edo_async_extern(again)
{
    edo_body {
        int rc, count, mode, copy, *at;
        struct pair pair;
        union {
            int whole;
            char bytes[4];
        } both;
        char line[8], *end;
        for (;;) {
            if (scanf("%d", &count) != 1) break;
            rc = sscanf("x", "%7s", line);
            end = line;
            *end = 'y';
            puts(line);
            pair.first = count;
            pair.second = rc;
            rc = pair_sum(pair);
            both.bytes[0] = (char)rc;
            rc = both.whole;
            __asm__ volatile("" : "=r"(copy) : "r"(rc));
            rc = copy;
            at = &count;
            *at = rc;
            rc = count;
            switch (self->kind) {
            case 0: mode = 1; break;
            case 1: edo_await(mode, edo_yield()); break;
            default: mode = rc;
            }
            if (mode < 0) {
                edo_await(rc, edo_yield());
                abort();
            }
            copy = mode;
            self->kind = copy;
            pair = (struct pair){ 1, 2 };
            both.whole = 3;
            edo_await(rc, edo_yield());
        }
        edo_return(0);
    }
}
