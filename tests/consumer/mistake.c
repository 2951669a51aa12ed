/* Mistakes that users' builds must reject, with edo installed: see MISTAKE in CMakeLists.txt. */
#include <edo/edo.h>

struct wrong {
    edo_frame();
    edo_args(int n;);
};

edo_async(wrong)
{
    edo_body {
        int rc, kept[2] = { 0 };
        kept[1] = self->n;
#if MISTAKE_unused
        edo_go(wrong, .n = 1);
#endif
        edo_await(rc, edo_yield());
#if MISTAKE_kept
        rc += kept[1]; // an array, at -O0: no compiler warns
#endif
        (void)kept;
        edo_return(rc);
    }
}

edo_main(wrong, .n = 1)
