/* Error texts, and the version. */
#include "base/base.h"
#include "sys/sys.h"

const char *edo_strerror(int64_t error)
{
    if (error == 0) return "success";
    uint64_t code = error < 0 ? -(uint64_t)error : (uint64_t)error;
    if (code == EDO_EOF) return "end of input";
    if (code == ECANCELED) return "cancelled";
    const char *text = code <= INT32_MAX ? edo__sys_error_text((int)code) : NULL;
    return text ? text : "unknown error";
}

uint32_t edo_version(void)
{
    return EDO_VERSION;
}
