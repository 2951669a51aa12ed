/* Terminals: modes, sizes, and changes of the size.
 *
 * A terminal is an edo_io, such as a stream from edo/stdio.h, or from edo_io_from_fd() for a
 * pseudo-terminal. Reads from the master of a pseudo-terminal answer 0 when no process has the
 * terminal open any more.
 *
 *     edo_terminal_mode mode;                                     // in the frame
 *     rc = edo_terminal_enter(&self->mode, io, EDO_TERMINAL_RAW, 0);
 *     ...
 *     edo_terminal_leave(&self->mode);
 *
 * Each call of edo_terminal_enter() begins a use of the terminal. Uses of one terminal nest, but
 * may be left in any order. The leave of the newest use restores the modes from before that use.
 * The leave of an older use takes effect when all newer uses have been left. When the process
 * exits, the terminal's original modes are restored, even without a leave. With
 * EDO_TERMINAL_ON_SIGNALS, the original modes are also restored before a signal ends the process.
 *
 * A call with NULL in place of a stream or an output fails with -EINVAL. A call with a stream that
 * is not a terminal fails with -ENOTTY.
 */
#pragma once

#include <edo/io.h>

EDO_BEGIN_DECLS

EDO_API bool edo_is_terminal(const edo_io *io); // Thread: any

/* ---- modes ---- */

typedef enum edo_terminal_setting {
    EDO_TERMINAL_RAW,     // each byte at once, unchanged both ways: no echo, no lines, no ^C
    EDO_TERMINAL_KEYS,    // each key at once, no echo; ^C and the output as usual
    EDO_TERMINAL_NO_ECHO, // for passwords: lines, of which only the ends are echoed
} edo_terminal_setting;

enum {
    /* SIGINT, SIGTERM, SIGQUIT, SIGHUP, SIGABRT and SIGSEGV restore the terminal before they end
     * the process, or before the program's own handler runs. Exceptions are signals that edo_run()
     * or another part of the library handles, and signals that the process ignores. They do not end
     * the process, and restore nothing. */
    EDO_TERMINAL_ON_SIGNALS = 1,
};

/* One use of a terminal; 104 bytes. A zeroed struct is a use that has been left. */
typedef struct edo_terminal_mode {
    struct edo_terminal_mode *below;
    void *terminal;
    uint32_t flags, generation;
    void *reserved[2];
    uint64_t before[8];
} edo_terminal_mode;

/* Changes the modes of a terminal immediately. Input that was typed ahead is kept. The call also
 * works in a background process, and does not stop it. A process can use at most 8 terminals in
 * this way at a time.
 * mode: must keep its address until edo_terminal_leave(). flags: 0 or EDO_TERMINAL_ON_SIGNALS.
 * Returns: 0; -ENOTTY; -EBUSY for a mode that is already entered; -ENOSPC for too many terminals;
 * -EIO for a terminal that was hung up; -EMFILE; -ENOMEM. Thread: any. */
EDO_API EDO_MUST_USE int edo_terminal_enter(edo_terminal_mode *mode, const edo_io *io,
                                            edo_terminal_setting setting, int flags);

/* Ends a use, and restores the modes from before the use. If the terminal has newer uses, the modes
 * are restored only when the newer uses have ended. The stream may already be closed. Ignores NULL,
 * a mode that was already left, and a mode that was entered before fork().
 * Thread: any. */
EDO_API void edo_terminal_leave(edo_terminal_mode *mode);

/* Restores the original modes of all terminals, for a program's own signal handlers. Does not end
 * any use: edo_terminal_leave() is still needed. Async-signal-safe. Thread: any. */
EDO_API void edo_terminals_restore(void);

/* ---- sizes ---- */

typedef struct edo_terminal_size {
    uint16_t rows, columns; // of characters; 0: unknown
    uint16_t width, height; // in pixels; 0: unknown
} edo_terminal_size;

/* Reads, or sets, the size of a terminal. Returns: 0; a negative errno. Thread: any. */
EDO_API int edo_terminal_get_size(const edo_io *io, edo_terminal_size *ret_size);
EDO_API int edo_terminal_set_size(edo_io *io, edo_terminal_size size);

/* A sequence of the sizes of a terminal. */
typedef struct edo_terminal_sizes edo_terminal_sizes;

/* Begins to watch the size. The system reports changes (SIGWINCH) only to processes in the
 * foreground of their controlling terminal. The stream may be closed before the sequence.
 * Returns: 0; -ENOTTY; -EMFILE; -ENOMEM. Thread: any. */
EDO_API EDO_MUST_USE int edo_terminal_sizes_open(const edo_io *io, edo_terminal_sizes **ret_sizes);

/* Takes the next size. The first call takes the present size. A later call waits until the size
 * differs from the last size taken. Sizes in between are skipped.
 * Result: 1 with *ret_size; -EBUSY while another operation waits; -EIO if the terminal was hung up.
 * Cancel: waits (for the kernel); no size is lost. */
EDO_API EDO_MUST_USE edo_op edo_terminal_next_size(edo_terminal_sizes *sizes,
                                                   edo_terminal_size *ret_size);

/* Ends the sequence; an operation in flight answers -ECANCELED. NULL is ignored. Thread: any. */
EDO_API void edo_terminal_sizes_close(edo_terminal_sizes *sizes);

EDO_END_DECLS
