/* Sockets that a process inherits: socket activation, and the hand-over of listeners to a new
 * process.
 *
 * Socket activation. A service manager (systemd, or systemd-socket-activate for tests) opens the
 * sockets and starts the program with the environment variables LISTEN_FDS, LISTEN_PID and
 * LISTEN_FDNAMES.
 *
 *     edo_inherited sockets[4];
 *     int count = edo_listeners_from_env(sockets, 4);   // 0: started by hand
 *
 * Hand-over. A program starts its successor. The successor takes over the listeners, and no
 * connection is refused meanwhile:
 *
 *     1. edo_listeners_to_env() writes the value of the environment variable EDO_LISTENERS for the
 *        new process, and makes the descriptors survive an exec.
 *     2. The program starts the process with this variable, then calls
 *        edo_listener_set_inheritable(listener, false) for each listener.
 *     3. The new process calls edo_listeners_from_env().
 *     4. When the new process accepts connections, the program closes its listeners and serves its
 *        remaining connections to their end.
 *
 * From step 1 until edo_listener_set_inheritable() in step 2, every process that the program starts
 * inherits the descriptors.
 */
#pragma once

#include <edo/net.h>

EDO_BEGIN_DECLS

enum { EDO_INHERITED_NAME = 256 }; // bytes for a name, with the final NUL

typedef struct edo_inherited {
    edo_listener *listener; // NULL: another kind of socket, or a file
    edo_fd fd;              // belongs to the caller if listener is NULL, else to the listener
    char name[EDO_INHERITED_NAME];
} edo_inherited;

/* Takes over the sockets that this process has inherited in one of the two ways above. Sets
 * close-on-exec on all of them, and removes the variables from the environment. A socket to which
 * the service manager gave no name gets the name "unknown".
 * Returns: the number of sockets; 0 if there are none, or if LISTEN_PID names another process;
 * -ENOSPC: more than `capacity` sockets; -EINVAL: the variables are malformed; -EBADF: a descriptor
 * is not open; -ENOMEM. After -ENOMEM all sockets are closed, and the variables are removed. After
 * any other error nothing has changed.
 * Thread: while no other thread uses the environment; usually at the beginning of main(). */
EDO_API EDO_MUST_USE int edo_listeners_from_env(edo_inherited *ret_sockets, size_t capacity);

/* Makes listeners inheritable, and writes the value of EDO_LISTENERS for a new process. Uses the
 * members `listener` and `name` of each element. If `listener` is NULL, uses `fd` instead.
 * Returns: the length; -EINVAL for a name with a ':' or a '='; -ENOSPC for a buffer that is too
 * small; -EBADF. On failure some descriptors may be inheritable. Thread: the holder. */
EDO_API EDO_MUST_USE int edo_listeners_to_env(const edo_inherited *sockets, size_t count,
                                              char *buffer, size_t size);

/* Sets whether programs that this process executes inherit the listener. Off by default.
 * Returns: 0; -EINVAL for NULL. Thread: the holder. */
EDO_API int edo_listener_set_inheritable(edo_listener *listener, bool on);

EDO_END_DECLS
