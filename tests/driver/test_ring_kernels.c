/* edo-test: once. The raw io_uring layer on kernels that lack features.
 *
 * A seccomp filter passes this thread's io_uring system calls to a second thread, the stand-in for
 * the kernel. As the test demands, the stand-in answers a call or lets it through. */
#include "support/support.h"
#include "driver/sqes.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "driver/uring/ring.h"

#define SKIPPED      77
#define ENTRIES      8U
#define NO_LIMIT     (-1)
#define ARRAY_LEN(a) (sizeof(a) / sizeof(a)[0])

#define REGISTER_RING_FDS 20U // IORING_REGISTER_RING_FDS, which older headers lack

/* The simulated kernel. All zero: the real one. */
struct kernel {
    unsigned unknown_flags;    // flags that io_uring_setup refuses with EINVAL
    int setup_error;           // error of io_uring_setup
    unsigned missing_features; // features removed from the report of io_uring_setup
    int probe_error;           // error of IORING_REGISTER_PROBE
    int missing_op;            // operation missing from IORING_REGISTER_PROBE
    int register_fd_error;     // error of IORING_REGISTER_RING_FDS
    int submit_error;          // error of an io_uring_enter that submits ...
    int submit_errors;         // ... and number of such errors
    unsigned submit_max;       // most SQEs per call; 0: all
    unsigned waited_for;       // completions that the last io_uring_enter waited for
};

static struct kernel played;
static pthread_mutex_t played_lock = PTHREAD_MUTEX_INITIALIZER;
static int listener = -1;

static void play(struct kernel kernel)
{
    pthread_mutex_lock(&played_lock);
    played = kernel;
    pthread_mutex_unlock(&played_lock);
}

static unsigned last_waited_for(void)
{
    unsigned count;

    pthread_mutex_lock(&played_lock);
    count = played.waited_for;
    pthread_mutex_unlock(&played_lock);
    return count;
}

/* Copies into memory of the caller, as a kernel does. */
static void copy_in(void *to, uint64_t from, size_t size)
{
    struct iovec local = { to, size };
    struct iovec remote = { (void *)(uintptr_t)from, size };

    (void)syscall(__NR_process_vm_readv, getpid(), &local, 1UL, &remote, 1UL, 0UL);
}

static void copy_out(uint64_t to, void *from, size_t size)
{
    struct iovec local = { from, size };
    struct iovec remote = { (void *)(uintptr_t)to, size };

    (void)syscall(__NR_process_vm_writev, getpid(), &local, 1UL, &remote, 1UL, 0UL);
}

/* Result of a simulated system call, or THROUGH for the real call. */
#define THROUGH INT64_MAX

static int64_t play_setup(const struct kernel *k, const struct seccomp_data *call)
{
    struct io_uring_params params;
    long fd;

    if (k->setup_error != 0) return k->setup_error;
    copy_in(&params, call->args[1], sizeof params);
    if ((params.flags & k->unknown_flags) != 0) return -EINVAL;
    if (k->missing_features == 0) return THROUGH;
    fd = syscall(__NR_io_uring_setup, (unsigned)call->args[0], &params);
    params.features &= ~k->missing_features;
    copy_out(call->args[1], &params, sizeof params);
    return fd;
}

static int64_t play_probe(const struct kernel *k, const struct seccomp_data *call)
{
    struct io_uring_probe probe = { .ops_len = (uint8_t)call->args[3] };

    if (k->probe_error != 0) return k->probe_error;
    if (k->missing_op == 0) return THROUGH;
    copy_out(call->args[2], &probe, sizeof probe);
    for (unsigned i = 0; i < probe.ops_len; i++) {
        struct io_uring_probe_op op = { .op = (uint8_t)i, .flags = IO_URING_OP_SUPPORTED };
        uint64_t to = call->args[2] + sizeof probe + i * sizeof op;
        if ((int)i == k->missing_op) op.flags = 0;
        copy_out(to, &op, sizeof op);
    }
    return 0;
}

static int64_t play_register(const struct kernel *k, const struct seccomp_data *call)
{
    unsigned opcode = (unsigned)call->args[1];

    if (opcode == IORING_REGISTER_PROBE) return play_probe(k, call);
    if (opcode == REGISTER_RING_FDS && k->register_fd_error != 0) return k->register_fd_error;
    return THROUGH;
}

static int64_t play_enter(struct kernel *k, const struct seccomp_data *call)
{
    unsigned to_submit = (unsigned)call->args[1];

    k->waited_for = (unsigned)call->args[2];
    if (to_submit == 0) return THROUGH;
    if (k->submit_errors > 0) {
        k->submit_errors--;
        return k->submit_error;
    }
    if (k->submit_max == 0 || to_submit <= k->submit_max) return THROUGH;
    return syscall(__NR_io_uring_enter, (unsigned)call->args[0], k->submit_max, 0, 0, NULL, 0);
}

static int64_t play_call(const struct seccomp_data *call)
{
    int64_t result;

    pthread_mutex_lock(&played_lock);
    if (call->nr == __NR_io_uring_setup)
        result = play_setup(&played, call);
    else if (call->nr == __NR_io_uring_register)
        result = play_register(&played, call);
    else
        result = play_enter(&played, call);
    pthread_mutex_unlock(&played_lock);
    return result;
}

/* The stand-in; runs until the process ends. The kernel repeats a call that it has interrupted for
 * work of its own; the repeated call gets the same answer, and counts once. */
static void *stand_in(void *arg)
{
    struct seccomp_data unanswered = { .nr = -1 };
    int64_t result = 0;

    (void)arg;
    for (;;) {
        struct seccomp_notif call = { 0 };
        struct seccomp_notif_resp answer = { 0 };

        if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &call) < 0) continue;
        if (memcmp(&call.data, &unanswered, sizeof unanswered) != 0) result = play_call(&call.data);
        answer.id = call.id;
        if (result == THROUGH)
            answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
        else if (result < 0)
            answer.error = (int)result;
        else
            answer.val = result;
        unanswered.nr = -1;
        if (ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer) < 0) unanswered = call.data;
    }
    return NULL;
}

/* Installs the filter on the calling thread; answers the descriptor for the stand-in, or -1. */
static int install_filter(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_io_uring_setup, 3, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_io_uring_register, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_io_uring_enter, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
    };
    struct sock_fprog program = { ARRAY_LEN(code), code };

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return -1;
    return (int)syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER,
                        &program);
}

/* The stand-in must be started before the filter, which it would otherwise inherit; so it waits for
 * the descriptor. */
static pthread_barrier_t filter_is_in;

static void *start_stand_in(void *arg)
{
    pthread_barrier_wait(&filter_is_in);
    return listener < 0 ? NULL : stand_in(arg);
}

static bool start_playing(void)
{
    pthread_t thread;

    pthread_barrier_init(&filter_is_in, NULL, 2);
    if (pthread_create(&thread, NULL, start_stand_in, NULL) != 0) return false;
    pthread_detach(thread);
    listener = install_filter();
    pthread_barrier_wait(&filter_is_in);
    return listener >= 0;
}

/* The flags that a ring gets on this kernel, without those that are always set. */
static unsigned flags_on(struct kernel kernel, unsigned wanted)
{
    struct edo__ring ring;
    const char *reason;
    unsigned flags;

    play(kernel);
    assert_int_equal(edo__ring_init(&ring, ENTRIES, wanted, &reason), 0);
    flags = ring.setup_flags;
    edo__ring_deinit(&ring);
    assert_true((flags & IORING_SETUP_CQSIZE) != 0);
    return flags & ~(IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP);
}

static void expect_failure(struct kernel kernel, int error, const char *reason)
{
    struct edo__ring ring;
    const char *got = "none";

    play(kernel);
    assert_int_equal(edo__ring_init(&ring, ENTRIES, EDO__RING_OWNED, &got), error);
    assert_string_equal(got, reason);
    edo__ring_deinit(&ring); // allowed on a ring that was never set up
}

/* The reason names the refused call, and the error as strerror() does. */
static void expect_refusal(struct kernel kernel, int error, const char *call)
{
    char reason[128];

    snprintf(reason, sizeof reason, "%s: %s", call, strerror(-error));
    expect_failure(kernel, error, reason);
}

/* Flags unknown to each kernel since 5.17, newest first, and the flags that remain. */
#define UNKNOWN_6_0  IORING_SETUP_DEFER_TASKRUN
#define UNKNOWN_5_19 (UNKNOWN_6_0 | IORING_SETUP_SINGLE_ISSUER)
#define UNKNOWN_5_18 (UNKNOWN_5_19 | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG)
#define UNKNOWN_5_17 (UNKNOWN_5_18 | IORING_SETUP_SUBMIT_ALL)

test(ladder_of_an_owned_ring)
{
    assert_int_equal(flags_on((struct kernel){ 0 }, EDO__RING_OWNED),
                     EDO__RING_OWNED & ~IORING_SETUP_COOP_TASKRUN);
    assert_int_equal(flags_on((struct kernel){ .unknown_flags = UNKNOWN_6_0 }, EDO__RING_OWNED),
                     EDO__RING_OWNED & ~UNKNOWN_6_0);
    assert_int_equal(flags_on((struct kernel){ .unknown_flags = UNKNOWN_5_19 }, EDO__RING_OWNED),
                     EDO__RING_OWNED & ~UNKNOWN_5_19);
    assert_int_equal(flags_on((struct kernel){ .unknown_flags = UNKNOWN_5_18 }, EDO__RING_OWNED),
                     IORING_SETUP_SUBMIT_ALL);
    assert_int_equal(flags_on((struct kernel){ .unknown_flags = UNKNOWN_5_17 }, EDO__RING_OWNED),
                     0);
}

/* A set of flags that was not requested is not used, even if the kernel supports it. */
test(ladder_of_other_rings)
{
    assert_int_equal(flags_on((struct kernel){ 0 }, EDO__RING_SHARED), EDO__RING_SHARED);
    assert_int_equal(flags_on((struct kernel){ .unknown_flags = UNKNOWN_5_18 }, EDO__RING_SHARED),
                     IORING_SETUP_SUBMIT_ALL);
    assert_int_equal(flags_on((struct kernel){ 0 }, 0), 0);
    assert_int_equal(flags_on((struct kernel){ 0 }, EDO__RING_SHARED | IORING_SETUP_R_DISABLED),
                     EDO__RING_SHARED | IORING_SETUP_R_DISABLED);
}

test(refusals)
{
    expect_refusal((struct kernel){ .setup_error = -EPERM }, -EPERM, "io_uring_setup");
    expect_refusal((struct kernel){ .setup_error = -ENOSYS }, -ENOSYS, "io_uring_setup");
    expect_refusal((struct kernel){ .setup_error = -ENOMEM }, -ENOMEM, "io_uring_setup");
    expect_refusal((struct kernel){ .unknown_flags = IORING_SETUP_CQSIZE }, -EINVAL,
                   "io_uring_setup");
    expect_refusal((struct kernel){ .probe_error = -EACCES }, -EACCES, "IORING_REGISTER_PROBE");
}

test(missing_features)
{
    static const struct {
        unsigned feature;
        const char *reason;
    } cases[] = {
        { IORING_FEAT_SINGLE_MMAP, "kernel lacks IORING_FEAT_SINGLE_MMAP" },
        { IORING_FEAT_NODROP, "kernel lacks IORING_FEAT_NODROP" },
        { IORING_FEAT_SUBMIT_STABLE, "kernel lacks IORING_FEAT_SUBMIT_STABLE" },
        { IORING_FEAT_RW_CUR_POS, "kernel lacks IORING_FEAT_RW_CUR_POS" },
        { IORING_FEAT_FAST_POLL, "kernel lacks IORING_FEAT_FAST_POLL" },
        { IORING_FEAT_EXT_ARG, "kernel lacks IORING_FEAT_EXT_ARG" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        expect_failure((struct kernel){ .missing_features = cases[i].feature }, -EOPNOTSUPP,
                       cases[i].reason);
}

test(missing_operations)
{
    static const struct {
        int op;
        const char *reason;
    } cases[] = {
        { IORING_OP_ACCEPT, "kernel lacks IORING_OP_ACCEPT" },
        { IORING_OP_ASYNC_CANCEL, "kernel lacks IORING_OP_ASYNC_CANCEL" },
        { IORING_OP_RECV, "kernel lacks IORING_OP_RECV" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        expect_failure((struct kernel){ .missing_op = cases[i].op }, -EOPNOTSUPP, cases[i].reason);
}

/* POLL_FIRST has no feature bit; it was introduced with IORING_OP_SOCKET. */
test(what_is_optional)
{
    const int op_socket = 45;
    struct edo__ring ring;
    const char *reason;

    play((struct kernel){ .missing_op = op_socket });
    assert_int_equal(edo__ring_init(&ring, ENTRIES, EDO__RING_OWNED, &reason), 0);
    assert_int_equal(ring.can & EDO__RING_CAN_POLL_FIRST, 0);
    edo__ring_deinit(&ring);
}

static void begin(struct edo__ring *ring, unsigned wanted, struct kernel kernel)
{
    const char *reason;

    play((struct kernel){ .register_fd_error = kernel.register_fd_error });
    assert_int_equal(edo__ring_init(ring, ENTRIES, wanted, &reason), 0);
    play(kernel);
}

static void add_nops(struct edo__ring *ring, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct io_uring_sqe *sqe = edo__ring_sqe(ring);
        assert_non_null(sqe);
        sqe_nop(sqe);
    }
}

test(without_registered_descriptor)
{
    struct edo__ring ring;

    begin(&ring, EDO__RING_OWNED, (struct kernel){ .register_fd_error = -EINVAL });
    assert_int_equal(ring.registered, -1);
    add_nops(&ring, 1);
    assert_int_equal(edo__ring_enter(&ring, 1, NO_LIMIT), 0);
    assert_int_equal(edo__ring_ready(&ring), 1);
    edo__ring_deinit(&ring);
}

/* A kernel without SUBMIT_ALL takes a part of the SQEs; the ring submits the rest by itself, and
 * only the last call waits. (The stand-in makes the submission, so the ring must be one that
 * another thread may enter.) */
test(partial_submission)
{
    struct edo__ring ring;

    begin(&ring, EDO__RING_SHARED,
          (struct kernel){ .register_fd_error = -EINVAL, .submit_max = 3 });
    add_nops(&ring, ENTRIES);
    assert_int_equal(edo__ring_enter(&ring, ENTRIES, NO_LIMIT), 0);
    assert_int_equal(ring.enters, 3);
    assert_int_equal(edo__ring_ready(&ring), ENTRIES);
    add_nops(&ring, ENTRIES);
    assert_int_equal(edo__ring_submit(&ring), 0);
    assert_int_equal(ring.enters, 6);
    assert_int_equal(edo__ring_ready(&ring), 2 * ENTRIES);
    edo__ring_deinit(&ring);
}

/* The kernel takes no SQE: a wait without limit ends nevertheless, after two system calls, and the
 * SQEs are still queued. */
static void expect_starved(int error)
{
    struct edo__ring ring;
    struct io_uring_cqe *first;

    begin(&ring, EDO__RING_OWNED, (struct kernel){ .submit_error = error, .submit_errors = 3 });
    add_nops(&ring, ENTRIES);
    assert_int_equal(edo__ring_enter(&ring, ENTRIES, NO_LIMIT), 0);
    assert_int_equal(ring.enters, 2);
    assert_int_equal(last_waited_for(), 1);
    assert_int_equal(edo__ring_pending(&ring), ENTRIES);
    assert_int_equal(edo__ring_submit(&ring), error != 0 ? error : -EAGAIN);
    assert_null(edo__ring_sqe(&ring)); // full, and the third refusal
    assert_int_equal(edo__ring_enter(&ring, ENTRIES, NO_LIMIT), 0);
    assert_int_equal(edo__ring_pending(&ring), 0);
    assert_int_equal(edo__ring_peek(&ring, &first), ENTRIES);
    edo__ring_deinit(&ring);
}

test(starved_submission)
{
    static const int errors[] = { -EBUSY, -EAGAIN, -ENOMEM, 0 };

    for (size_t i = 0; i < ARRAY_LEN(errors); i++)
        expect_starved(errors[i]);
}

/* With a completion to reap there is no wait at all, whatever wait_nr is. */
test(starved_with_something_to_reap)
{
    struct edo__ring ring;

    begin(&ring, EDO__RING_OWNED, (struct kernel){ 0 });
    add_nops(&ring, 1);
    assert_int_equal(edo__ring_submit(&ring), 0);
    play((struct kernel){ .submit_error = -EBUSY, .submit_errors = 1 });
    add_nops(&ring, 1);
    assert_int_equal(edo__ring_enter(&ring, 2, NO_LIMIT), 0);
    assert_int_equal(last_waited_for(), 0);
    assert_int_equal(edo__ring_ready(&ring), 1);
    assert_int_equal(edo__ring_enter(&ring, 2, NO_LIMIT), 0);
    assert_int_equal(edo__ring_ready(&ring), 2);
    edo__ring_deinit(&ring);
}

test(fatal_submission)
{
    struct edo__ring ring;

    begin(&ring, EDO__RING_OWNED, (struct kernel){ .submit_error = -EFAULT, .submit_errors = 2 });
    add_nops(&ring, 1);
    assert_int_equal(edo__ring_enter(&ring, 1, NO_LIMIT), -EFAULT);
    assert_int_equal(edo__ring_submit(&ring), -EFAULT);
    assert_int_equal(edo__ring_pending(&ring), 1);
    edo__ring_deinit(&ring);
}

int main(void)
{
    struct edo__ring probe;
    const char *reason;

    if (edo__ring_init(&probe, 1, EDO__RING_OWNED, &reason) < 0) {
        printf("skipped: %s\n", reason);
        return SKIPPED;
    }
    edo__ring_deinit(&probe);
    if (!start_playing()) {
        printf("skipped: no seccomp filter that can notify\n");
        return SKIPPED;
    }
    return run_all_tests();
}
