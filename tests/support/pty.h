/* Pseudo-terminals for tests. */
#pragma once

#include "support/support.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

/* Opens a pseudo-terminal; its slave is not the controlling terminal. Skips the test on a machine
 * without them. */
static inline void open_pty(int *ret_master, int *ret_slave)
{
    char name[64];
    int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (master < 0) skip();
    assert_int_equal(grantpt(master), 0);
    assert_int_equal(unlockpt(master), 0);
    assert_int_equal(ptsname_r(master, name, sizeof name), 0);
    *ret_slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(*ret_slave >= 0);
    *ret_master = master;
}

/* Another descriptor of the slave, with an open file of its own. */
static inline int open_slave_again(int master)
{
    char name[64];
    assert_int_equal(ptsname_r(master, name, sizeof name), 0);
    int slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(slave >= 0);
    return slave;
}

static inline struct termios modes_of(int fd)
{
    struct termios modes;
    memset(&modes, 0, sizeof modes); // the padding too, for comparisons
    assert_int_equal(tcgetattr(fd, &modes), 0);
    return modes;
}
