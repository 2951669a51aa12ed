#include "driver/drivers.h"

#include <string.h>

#include <edo/features.h>

static const edo_driver_ops *const built_in[] = {
    &edo__epoll_driver,
#if EDO_HAS_IO_URING
    &edo__uring_driver,
#endif
    NULL,
};

static const edo_driver_ops *registered;

void edo__driver_register(const edo_driver_ops *ops)
{
    registered = ops;
}

const edo_driver_ops *edo__driver_named(const char *name)
{
    for (const edo_driver_ops *const *ops = built_in; *ops; ops++)
        if (!strcmp((*ops)->name, name)) return *ops;
    return registered && !strcmp(registered->name, name) ? registered : NULL;
}
