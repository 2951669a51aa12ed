/* Exceptions of C++ inside of fibers: each has its own that are being handled, whatever others
 * throw meanwhile. One that leaves its fiber terminates the process. */
#include <edo/edo.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <stdexcept>
#include <string>

#include <sys/wait.h>
#include <unistd.h>

enum { FIBERS = 8, ROUNDS = 50, DEPTH = 20 };

static void require(bool holds, const char *what)
{
    if (holds) return;
    std::fprintf(stderr, "FAILED: %s\n", what);
    std::exit(1);
}

struct counted {
    explicit counted(int &to) : count(to) { count++; }
    ~counted() { count--; }
    int &count;
};

/* Throws from deep calls, with waits on the way. */
static void dive(int depth, int number, int &alive)
{
    counted one(alive);
    if (edo_wait(edo_yield()) < 0) std::abort();
    if (depth == 0) throw std::runtime_error(std::to_string(number));
    dive(depth - 1, number, alive);
}

/* Waits while it handles an exception, then rethrows: the exception must be the fiber's own. */
static void handle(int number)
{
    int alive = 0;
    try {
        dive(DEPTH, number, alive);
    } catch (const std::exception &) {
        require(alive == 0, "destructors have run");
        require(edo_wait(edo_yield()) == 0, "a wait in a handler");
        throw;
    }
}

struct thrower {
    int number;
};

edo_fiber(thrower)
{
    for (int i = 0; i < ROUNDS; i++) {
        bool caught = false;
        try {
            handle(self->number);
        } catch (const std::runtime_error &error) {
            caught = std::to_string(self->number) == error.what();
        }
        if (!caught || std::uncaught_exceptions()) return -EPROTO;
    }
    return self->number;
}

static int64_t throws_in_many(void *)
{
    edo_task *tasks[FIBERS];
    for (int i = 0; i < FIBERS; i++)
        require(edo_fiber_spawn_args(&tasks[i], nullptr, thrower, .number = i) == 0, "spawn");
    for (int i = 0; i < FIBERS; i++)
        require(edo_wait(edo_join(tasks[i])) == i, "each has caught its own");
    return 0;
}

static void run_with(int workers)
{
    edo_config config = {};
    edo_runtime *runtime;
    config.workers = workers;
    require(edo_runtime_create(&config, &runtime) == 0, "runtime");
    require(edo_fiber_block_on(runtime, throws_in_many, nullptr) == 0, "run");
    require(edo_runtime_destroy(runtime) == 0, "end");
}

/* ---- across the end of a fiber ---- */

static int64_t throws_out(void *)
{
    throw std::runtime_error("out");
}

static void leave_by_terminate()
{
    std::_Exit(42);
}

static void expect_termination()
{
    pid_t child = fork();
    if (child == 0) {
        std::set_terminate(leave_by_terminate);
        std::_Exit(edo_fiber_run(throws_out, nullptr));
    }
    int status = 0;
    require(waitpid(child, &status, 0) == child, "waitpid");
    require(WIFEXITED(status) && WEXITSTATUS(status) == 42, "one that leaves its fiber terminates");
}

int main()
{
    run_with(0);
    run_with(2);
    expect_termination();
    return 0;
}
