/* The dispatcher for the signals of the process. A subscriber is a struct in its owner's memory.
 * The first subscriber of a signal installs the dispatcher's handler. When the last subscriber
 * unsubscribes, the earlier handler is restored, unless the program has set another handler since
 * then. In the child of a fork all earlier handlers are restored, and there are no subscribers. */
#pragma once

#include "base/atomic.h"

#include <edo/base.h>

typedef enum edo__signal {
    EDO__SIGNAL_INTERRUPT, // SIGINT
    EDO__SIGNAL_TERMINATE, // SIGTERM
    EDO__SIGNAL_QUIT,      // SIGQUIT
    EDO__SIGNAL_URGENT,    // SIGURG: requests to other threads, see edo__sys_interrupt()
    EDO__SIGNAL_FAULT,  // SIGSEGV: without an earlier handler, the system's default action follows
    EDO__SIGNAL_WINDOW, // SIGWINCH: the size of the terminal has changed
    EDO__SIGNAL_HANGUP, // SIGHUP
    EDO__SIGNAL_ABORT,  // SIGABRT
    EDO__SIGNALS
} edo__signal;

typedef enum edo__signal_answer {
    EDO__SIGNAL_PASSED, // the earlier handler runs if every subscriber answers PASSED
    EDO__SIGNAL_LEFT,  // the earlier handler runs; without one, the system's default action follows
    EDO__SIGNAL_TAKEN, // the earlier handler does not run
    EDO__SIGNAL_DEFAULT, // the system's default action follows, usually the end of the process
} edo__signal_answer;

enum {
    EDO__SIGNAL_ALONE = 1,          // -EBUSY when the signal has a subscriber
    EDO__SIGNAL_UNLESS_IGNORED = 2, // no call, and no handler, while the process ignores the signal
};

typedef struct edo__signal_subscriber {
    /* The owner sets these members before it subscribes. notify runs in a signal handler, on any
     * thread. */
    edo__signal signal;
    uint32_t flags;
    edo__signal_answer (*notify)(void *context);
    void *context;

    edo_atomic(struct edo__signal_subscriber *) next; // changed under the dispatcher's lock
    bool is_deaf; // the process ignores the signal; constant while subscribed
} edo__signal_subscriber;

/* Returns: 0; -EBUSY; -ENOMEM without memory for the fork handler. Any thread. */
int edo__signal_subscribe(edo__signal_subscriber *subscriber);

/* Unsubscribes: after the return no handler uses the subscriber. Ignores a struct that is not
 * subscribed, as in the child of a fork. Any thread; not in notify. */
void edo__signal_unsubscribe(edo__signal_subscriber *subscriber);

/* The memory address whose access has caused the EDO__SIGNAL_FAULT that this thread handles. Only
 * inside notify. */
const void *edo__signal_fault_address(void);

/* Whether the dispatcher's handler is installed. */
bool edo__signal_is_caught(edo__signal signal);

/* Sends the signal to one thread of this process. Returns: 0; -ESRCH. */
int edo__signal_send(edo__signal signal, uint32_t thread);

/* Restores all earlier handlers. In the child of a fork, before it has a second thread. */
void edo__signals_leave_parent(void);
