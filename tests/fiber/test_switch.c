/* edo-test: once
 * Contexts, as this processor switches them. */
#include "fiber/switches.h"

#if defined __x86_64__ || defined __aarch64__ // where the switch is ours

#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MANY = 100000, REFUSED = 77 };

static void return_at_once(void)
{
    for (;;)
        go_back();
}

/* In this mode of the process each system call except read, write, exit is the end. */
static void switch_without_calls(void *arg)
{
    (void)arg;
    begin(return_at_once);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) < 0) _exit(REFUSED);
    for (int i = 0; i < MANY; i++)
        edo__sys_context_switch(&pair.test, pair.other, TO_OTHER);
    syscall(SYS_exit, 0);
}

test(a_switch_makes_no_system_call)
{
    char text[256];
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
    skip(); // a sanitizer makes some of its own
#endif
    int status = run_in_child(switch_without_calls, NULL, text, sizeof text);
    if (WIFEXITED(status) && WEXITSTATUS(status) == REFUSED) skip(); // an emulator has no such mode
    assert_int_equal(status, 0);
}

#endif

#ifdef __x86_64__ // has a flag for steps of one instruction

#include <execinfo.h>
#include <signal.h>
#include <ucontext.h>

enum { FRAMES = 64, TRAP_FLAG = 0x100 };

static struct {
    void *bottoms[2];  // outermost frames: of the test, and of the other context
    int inside, right; // instructions of the switch; those with a right backtrace
} steps;

static void *bottom(void)
{
    void *frames[FRAMES];
    int count = backtrace(frames, FRAMES);
    return count > 0 && count < FRAMES ? frames[count - 1] : NULL;
}

/* After each instruction, as a profiler's signal at that place. */
static void on_step(int number, siginfo_t *info, void *context)
{
    const greg_t *registers = ((const ucontext_t *)context)->uc_mcontext.gregs;
    uintptr_t at = (uintptr_t)registers[REG_RIP], from = (uintptr_t)edo__sys_context_switch;
    (void)number;
    (void)info;
    if (at < from || at >= (uintptr_t)edo__sys_context_make) return;
    void *found = bottom();
    steps.inside++;
    steps.right += found && (found == steps.bottoms[0] || found == steps.bottoms[1]);
}

static void step_through(void)
{
    steps.bottoms[1] = bottom();
    go_back();
    go_back(); // in steps
}

static __attribute__((noinline)) void set_steps(bool on)
{
    unsigned long flags = __builtin_ia32_readeflags_u64();
    __builtin_ia32_writeeflags_u64(on ? flags | TRAP_FLAG : flags & ~(unsigned long)TRAP_FLAG);
}

test(a_backtrace_is_right_at_each_instruction_of_a_switch)
{
#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
    skip(); // a sanitizer delays signals
#endif
    struct sigaction action = { .sa_sigaction = on_step, .sa_flags = SA_SIGINFO }, before;
    begin(step_through);
    steps.bottoms[0] = bottom();
    go_on();
    sigaction(SIGTRAP, &action, &before);
    set_steps(true);
    edo__sys_context_switch(&pair.test, pair.other, TO_OTHER);
    set_steps(false);
    sigaction(SIGTRAP, &before, NULL);
    go_on();
    end();
    assert_non_null(steps.bottoms[0]);
    assert_non_null(steps.bottoms[1]);
    assert_ptr_not_equal(steps.bottoms[0], steps.bottoms[1]);
    assert_in_range(steps.inside, 40, 200); // there and back
    assert_int_equal(steps.right, steps.inside);
}

#endif
