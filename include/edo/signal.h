/* Signals of the process as streams of events.
 *
 *     rc = edo_signal_open(SIGHUP, &self->hangup);
 *     for (;;) {
 *         edo_await(rc, edo_signal_next(self->hangup, &self->event));
 *         if (rc < 0) break;
 *         reload();
 *     }
 *     edo_signal_close(self->hangup);
 *
 * A stream has one signal. Any number of streams, in any runtimes of the process, may have the same
 * signal; each stream gets each event. A stream collects events from its opening on, also while no
 * operation waits.
 *
 * Numbers are those of <signal.h>. Ordinary signals are coalesced, as in the system: if a signal
 * arrives several times before the program takes an event, one event remains. No signal is missed:
 * after each signal the program takes at least one event. Real-time signals (SIGRTMIN to SIGRTMAX)
 * are queued with their values. When several threads of the process handle real-time signals at
 * once, two events may be reported in the wrong order.
 *
 * Other handlers. While a signal has a stream, the default action does not happen. A handler that
 * the program installed before the first stream was opened runs too. When the last stream is
 * closed, the earlier handler (or the default action) is restored, unless the program has installed
 * another handler meanwhile. If the program installs a handler while a stream is open, this handler
 * replaces the library's handler. The streams then get events only if the new handler calls the
 * handler that it has replaced. edo_run() does not handle SIGINT or SIGTERM while the program has a
 * stream of that signal.
 *
 * Masks. Only edo_signal_open() changes a signal mask: it unblocks the signal in the calling
 * thread, because a process may be started with blocked signals. The handler runs on the alternate
 * stack if the thread has one (SA_ONSTACK), restarts system calls (SA_RESTART), and preserves
 * errno.
 *
 * fork(). In the child the earlier handlers are restored, and no stream gets events. Calls on the
 * streams of the parent answer -ESTALE there; the child may close these streams. */
#pragma once

#include <edo/future.h>

EDO_BEGIN_DECLS

typedef struct edo_signal edo_signal;

typedef struct edo_signal_event {
    int number;
    int code;      // si_code of the system: how the signal was sent
    int32_t pid;   // sender; for SIGCHLD, the child; 0: unknown, or the system
    uint32_t uid;  // user of that process
    int value;     // value of sigqueue(), as a number; 0 without one
    void *pointer; // value of sigqueue(), as a pointer
    uint32_t lost; // number of events that the full queue has refused since the last event was
                   // taken; the refused events came later than all events in the queue
} edo_signal_event;

enum { EDO_SIGNAL_QUEUE = 256 }; // number of events that a stream of a real-time signal holds

/* Opens a stream of one signal.
 * Returns: 0; -ENOMEM; -EMFILE; -ENFILE; -EINVAL for a number that is no signal, and for a signal
 * that cannot be caught (SIGKILL, SIGSTOP), that reports a fault of the running instruction
 * (SIGSEGV, SIGBUS, SIGFPE, SIGILL), or that the C library uses. Thread: any. */
EDO_API EDO_MUST_USE int edo_signal_open(int number, edo_signal **ret_signal);

/* Closes a stream. Waiting operations answer -ECANCELED; events not taken are dropped. NULL is
 * ignored. Thread: any, but not in a signal handler. */
EDO_API void edo_signal_close(edo_signal *signal);

/* Takes the next event. Several operations may wait; each event goes to one of them.
 * ret_event: may be NULL.
 * Result: 1; -EINVAL for no stream; -ESTALE in the child of a fork; -EXDEV while operations of
 * another runtime wait on the stream; -ENOMEM.
 * Cancel: prompt; no event is taken. */
EDO_API EDO_MUST_USE edo_op edo_signal_next(edo_signal *signal, edo_signal_event *ret_event);

/* Takes the next event, if there is one.
 * Returns: 1; -EAGAIN: no event; -EINVAL, -ESTALE: as edo_signal_next(). Thread: any. */
EDO_API int edo_try_signal_next(edo_signal *signal, edo_signal_event *ret_event);

/* Waits for one SIGINT (Ctrl-C) that arrives after the operation's first poll. Between two such
 * operations a Ctrl-C has the effect that it had before: by default, it ends the process. So a loop
 * should use a stream instead.
 * Result: 1; errors as edo_signal_open(). Cancel: prompt; no event is taken. */
EDO_API EDO_MUST_USE edo_op edo_ctrl_c(void);

EDO_END_DECLS
