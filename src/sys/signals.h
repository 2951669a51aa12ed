/* The dispatcher for the signals of the process. A subscriber is a struct in its owner's memory.
 * The first subscriber of a signal installs the dispatcher's handler. When the last subscriber
 * unsubscribes, the earlier handler is restored, unless the program has set another handler
 * meanwhile. In the child of a fork, all earlier handlers are restored, and there are no
 * subscribers. In a child that was made without fork handlers, the dispatcher's handler runs the
 * earlier handler or the default action. */
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
    EDO__SIGNAL_URGENT, // SIGURG: requests to other threads; see edo__sys_interrupt()
    EDO__SIGNAL_FAULT,  // SIGSEGV: if there is no earlier handler, the default action follows
    EDO__SIGNAL_CHILD,  // SIGCHLD
    EDO__SIGNAL_WINDOW, // SIGWINCH: the size of the terminal has changed
    EDO__SIGNAL_HANGUP, // SIGHUP
    EDO__SIGNAL_ABORT,  // SIGABRT
    EDO__SIGNALS
} edo__signal;

typedef enum edo__signal_answer {
    EDO__SIGNAL_PASSED,  // the next group is notified; after the last, the earlier handler runs
    EDO__SIGNAL_LEFT,    // as PASSED; if there is no earlier handler, the default action follows
    EDO__SIGNAL_NOTED,   // the next group is not notified, but the earlier handler runs
    EDO__SIGNAL_TAKEN,   // neither the next group nor the earlier handler is called
    EDO__SIGNAL_DEFAULT, // the system's default action follows, usually the end of the process
} edo__signal_answer;

/* Flags of a subscriber. There are three groups of subscribers, in this order: those with FIRST,
 * those with neither FIRST nor LAST, those with LAST. All subscribers of a group are notified. The
 * next group is notified only if all subscribers so far have answered PASSED or LEFT. */
enum {
    EDO__SIGNAL_ALONE = 1,          // -EBUSY if the signal has another subscriber with this flag
    EDO__SIGNAL_UNLESS_IGNORED = 2, // not notified if the process ignored the signal before
    EDO__SIGNAL_FIRST = 4,
    EDO__SIGNAL_LAST = 8,
};

typedef struct edo__signal_subscriber {
    /* The owner sets these members before the subscription. notify runs in a signal handler, on any
     * thread. The event is valid until notify returns. */
    int signal; // an edo__signal, or a number of the system
    uint32_t flags;
    edo__signal_answer (*notify)(void *context, const edo_signal_event *event);
    void *context;

    edo_atomic(struct edo__signal_subscriber *) next; // changed under the dispatcher's lock
    bool is_deaf; // UNLESS_IGNORED, and the signal was ignored at the subscription
} edo__signal_subscriber;

typedef enum edo__signal_kind {
    EDO__SIGNAL_COALESCED, // at most one signal of this number is pending
    EDO__SIGNAL_QUEUED,    // each sent signal is delivered, with its value
} edo__signal_kind;

/* Returns: the system's number of a named signal. */
int edo__signal_number(edo__signal signal);

/* Returns: the edo__signal_kind of a signal that a program wants to use itself. Returns -EINVAL in
 * these cases: the signal does not exist, it cannot be caught, it reports a fault of the running
 * instruction, or the C library uses it. */
int edo__signal_kind_of(int number);

/* Unblocks a signal for the calling thread. */
void edo__signal_unblock(int number);

/* Subscribes. Returns: 0; -EBUSY (see EDO__SIGNAL_ALONE); -ENOMEM: no memory for the fork handler.
 * Thread: any. */
int edo__signal_subscribe(edo__signal_subscriber *subscriber);

/* Unsubscribes. After the return, no handler uses the subscriber. A struct that is not subscribed,
 * as in the child of a fork, is ignored. Thread: any, but not in notify. */
void edo__signal_unsubscribe(edo__signal_subscriber *subscriber);

/* Returns: the memory address that caused the fault. Called only inside notify, while this thread
 * handles an EDO__SIGNAL_FAULT. */
const void *edo__signal_fault_address(void);

/* Whether the dispatcher's handler is installed. */
bool edo__signal_is_caught(int signal);

/* Sends a signal to one thread of this process. Returns: 0; -ESRCH. */
int edo__signal_send(int signal, uint32_t thread);

/* Restores all earlier handlers. Called in the child of a fork, before the child has a second
 * thread. */
void edo__signals_leave_parent(void);
