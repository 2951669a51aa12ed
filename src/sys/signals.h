/* The dispatcher for the signals of the process. A subscriber is a struct in its owner's memory.
 * The first subscriber of a signal installs the dispatcher's handler. When the last subscriber
 * unsubscribes, the earlier handler is restored, unless the program has set another handler since
 * then. In the child of a fork all earlier handlers are restored, and there are no subscribers. In
 * a child that was made without fork handlers, a signal leads to the earlier handler or the default
 * action. */
#pragma once

#include "base/atomic.h"

#include <edo/signal.h>

/* Names of signals that the library itself uses. Wherever a signal is expected, the system's own
 * number (below EDO__SIGNAL_NAMES) may be used instead. */
enum { EDO__SIGNAL_NAMES = 256 };

typedef enum edo__signal {
    EDO__SIGNAL_INTERRUPT = EDO__SIGNAL_NAMES, // SIGINT
    EDO__SIGNAL_TERMINATE,                     // SIGTERM
    EDO__SIGNAL_QUIT,                          // SIGQUIT
    EDO__SIGNAL_URGENT, // SIGURG: requests to other threads, see edo__sys_interrupt()
    EDO__SIGNAL_FAULT,  // SIGSEGV: without an earlier handler, the system's default action follows
    EDO__SIGNAL_CHILD,  // SIGCHLD
    EDO__SIGNAL_WINDOW, // SIGWINCH: the size of the terminal has changed
    EDO__SIGNAL_HANGUP, // SIGHUP
    EDO__SIGNAL_ABORT,  // SIGABRT
    EDO__SIGNALS
} edo__signal;

typedef enum edo__signal_answer {
    EDO__SIGNAL_PASSED,  // the next group of subscribers is asked, or finally the earlier handler
    EDO__SIGNAL_LEFT,    // as PASSED; if there is no earlier handler, the default action follows
    EDO__SIGNAL_NOTED,   // the next group is not asked, but the earlier handler runs
    EDO__SIGNAL_TAKEN,   // the earlier handler does not run
    EDO__SIGNAL_DEFAULT, // the system's default action follows, usually the end of the process
} edo__signal_answer;

/* Flags of a subscriber. Subscribers are asked in three groups: FIRST, those with neither flag,
 * LAST. Every subscriber of a group is asked. A later group is asked only if all subscribers in the
 * earlier groups answered PASSED or LEFT. */
enum {
    EDO__SIGNAL_ALONE = 1,          // -EBUSY when the signal has another subscriber with this flag
    EDO__SIGNAL_UNLESS_IGNORED = 2, // not called, no handler, while the process ignores the signal
    EDO__SIGNAL_FIRST = 4,
    EDO__SIGNAL_LAST = 8,
};

typedef struct edo__signal_subscriber {
    /* The owner sets these members before it subscribes. notify runs in a signal handler, on any
     * thread; the event is valid during the call. */
    int signal; // an edo__signal, or a number of the system
    uint32_t flags;
    edo__signal_answer (*notify)(void *context, const edo_signal_event *event);
    void *context;

    edo_atomic(struct edo__signal_subscriber *) next; // changed under the dispatcher's lock
    bool is_deaf; // the process ignores the signal; constant while subscribed
} edo__signal_subscriber;

typedef enum edo__signal_kind {
    EDO__SIGNAL_COALESCED, // at most one is pending
    EDO__SIGNAL_QUEUED,    // each signal sent is delivered, with its value
} edo__signal_kind;

/* The number of a signal that has a name. */
int edo__signal_number(edo__signal signal);

/* The kind of a signal for a program's own use. Returns: an edo__signal_kind; -EINVAL: there is no
 * such signal, it cannot be caught, it reports a fault of the running instruction, or the C library
 * uses it. */
int edo__signal_kind_of(int number);

/* Unblocks a signal for the calling thread. */
void edo__signal_unblock(int number);

/* Returns: 0; -EBUSY; -ENOMEM without memory for the fork handler. Thread: any. */
int edo__signal_subscribe(edo__signal_subscriber *subscriber);

/* Unsubscribes. After the return no handler uses the subscriber. Ignores a struct that is not
 * subscribed, as in the child of a fork. Thread: any, but not in notify. */
void edo__signal_unsubscribe(edo__signal_subscriber *subscriber);

/* The memory address whose access has caused the EDO__SIGNAL_FAULT that this thread handles. Called
 * only inside notify. */
const void *edo__signal_fault_address(void);

/* Whether the dispatcher's handler is installed. */
bool edo__signal_is_caught(int signal);

/* Sends the signal to one thread of this process. Returns: 0; -ESRCH. */
int edo__signal_send(int signal, uint32_t thread);

/* Restores all earlier handlers. Called in the child of a fork, before the child has a second
 * thread. */
void edo__signals_leave_parent(void);
