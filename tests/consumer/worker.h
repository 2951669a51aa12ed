/* An async function written in C, used from C and C++. */
#pragma once

#include <edo/edo.h>

/* Adds 1 + ... + n, each number in a task of its own. */
struct sum_to {
    edo_frame();
    edo_args(int64_t n;);
    int64_t next, sum;
    edo_task *task;
};

EDO_BEGIN_DECLS
edo_declare_async(sum_to);
EDO_END_DECLS
