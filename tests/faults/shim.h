/* What fails on purpose: the n-th time that edo asks the system for something.
 *
 * The tests of this folder, and those of the whole suite that script/faults runs, are linked with a
 * copy of the library whose calls go to shim.c (symbols.txt). Only edo's own calls: those of the
 * test and of other libraries are left alone.
 *
 * A plan comes from faults_plan(), or from the environment: EDO_FAULT=alloc:17 fails the
 * seventeenth allocation, EDO_FAULT=fd:3+ the third descriptor and all after it.
 * EDO_FAULT_REPORT=FILE has the counts written there when the process exits. Children count with
 * their parent.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

typedef enum fault_kind {
    FAULT_ALLOC,  // -ENOMEM: memory of the C library, or of hooks
    FAULT_FD,     // -EMFILE: descriptors, also those of connections that a ring takes
    FAULT_THREAD, // -EAGAIN: threads
    FAULT_MAP,    // -ENOMEM: mappings
    FAULT_WATCH,  // -ENOMEM: the kernel's memory, for registrations with epoll and rings
    FAULT_KINDS
} fault_kind;

/* How much of something edo has got and has not given back. Descriptors are not counted here: they
 * change hands. Registrations end with what is registered. */
typedef struct faults_held {
    int64_t blocks, threads, maps;
} faults_held;

extern const char *const fault_names[FAULT_KINDS];
extern const int fault_errors[FAULT_KINDS]; // positive

/* Counts from zero again, in this process and in all of its kin by fork. From now on the n-th request of the kind fails (1: the next one), and all
 * after it if that is wanted; n = 0: none fails. */
void faults_plan(fault_kind kind, uint64_t n, bool and_all_after);

/* Whether a request was made to fail since then, here or in a child. */
bool faults_hit(void);

/* Whether the plan is one of a failure that does not end. */
bool faults_persist(void);

/* Requests since then, also those of children. */
uint64_t faults_count(fault_kind kind);

faults_held faults_held_now(void);
