/* The frame of the function f in the tests of missing and wrong returns. */
#include <edo/edo.h>

struct f {
    edo_frame();
    edo_args(int n;);
};
