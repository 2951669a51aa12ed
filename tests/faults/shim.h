/* Failures on purpose: of the n-th request that edo makes to the system.
 *
 * The tests of this folder, and the whole suite when script/faults runs it, are linked with a copy
 * of the library whose calls go to shim.c (symbols.txt). Only calls of edo go there; calls of the
 * test and of other libraries do not.
 *
 * A plan comes from faults_plan(), or from the environment: EDO_FAULT=alloc:17 fails the
 * seventeenth allocation, EDO_FAULT=fd:3+ the third descriptor and all after it.
 * EDO_FAULT_REPORT=FILE writes the counts to a file when the process exits. Requests of children
 * are added to their parent's.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef enum fault_kind {
    FAULT_ALLOC,  // -ENOMEM: memory of the C library, or of hooks
    FAULT_FD,     // -EMFILE: descriptors, also of connections that a ring accepts
    FAULT_THREAD, // -EAGAIN: threads
    FAULT_MAP,    // -ENOMEM: mappings
    FAULT_WATCH,  // -ENOMEM: the kernel's memory, for registrations with epoll and rings
    FAULT_KINDS
} fault_kind;

/* Resources that edo holds. Descriptors are not counted, because they change owners; registrations
 * end with their descriptor. */
typedef struct faults_held {
    int64_t blocks, threads, maps;
} faults_held;

extern const char *const fault_names[FAULT_KINDS];
extern const int fault_errors[FAULT_KINDS]; // positive

/* Restarts the counts at zero, in this process and in all its parents and children. From now on the
 * n-th request of the kind fails (1: the next), and all after it if and_all_after; n = 0: none
 * fails. */
void faults_plan(fault_kind kind, uint64_t n, bool and_all_after);

/* Whether a request has failed by the plan, here or in a child. */
bool faults_hit(void);

/* Whether the plan fails all later requests too. */
bool faults_persist(void);

/* Requests since faults_plan(), also of children. */
uint64_t faults_count(fault_kind kind);

faults_held faults_held_now(void);

/* ---- calls on files ----
 *
 * A hook runs before each readv, preadv, preadv2, writev, pwritev, fsync, fdatasync and
 * inotify_add_watch that edo makes, on the calling thread, with the call's name and descriptor. It
 * may wait, as a slow disk does. Result: 0: the call is made; an errno, with which the call fails.
 *
 * The hook also runs before each openat, with the directory's descriptor, and after each openat2,
 * with its result, which an errno replaces. */
typedef int faults_file_fn(const char *call, int fd);

/* Sets the hook. NULL: none. */
void faults_on_file_calls(faults_file_fn *fn);

/* From now on, lists of directories lack the kinds of their entries, as on some file systems. */
void faults_hide_kinds(bool hide);
