#include "sys/linux/drivers.h"

#include <edo/features.h>

const edo_driver_ops *const edo__linux_drivers[] = {
    &edo__epoll_driver,
#if EDO_HAS_IO_URING
    &edo__uring_driver,
#endif
    NULL,
};
