/* An async function defined in another file than its callers. */
#pragma once

#include <edo/edo.h>

struct far_sum {
    edo_frame();
    edo_args(int first, second;);
};

edo_declare_async(far_sum);
