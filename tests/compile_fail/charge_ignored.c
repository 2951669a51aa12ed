// expect-gcc: ignoring return value of 'edo_cx_charge'
// expect-clang: ignoring return value of function declared with 'warn_unused_result'
/* A leaf must check the result of edo_cx_charge(). */
#include <edo/edo.h>

edo_poll leaf_poll(edo_future *future, edo_cx *cx);
edo_poll leaf_poll(edo_future *future, edo_cx *cx)
{
    edo_cx_charge(cx);
    future->result = 0;
    return EDO_READY;
}
