/* The programs of the first chapters as fibers. */
#include <stdio.h>
#include <string.h>

#include <edo/edo.h>

/* region: hello */
static int64_t hello(void *arg)
{
    printf("hello ...\n");
    int64_t rc = edo_wait(edo_sleep(edo_ms(50)));
    if (rc < 0) return rc;
    printf("... %s\n", (const char *)arg);
    return 0;
}
/* end: hello */

/* region: spawn */
struct square {
    int number;
};

edo_fiber(square)
{
    int64_t rc = edo_wait(edo_sleep(edo_ms(10)));
    return rc < 0 ? rc : self->number * self->number;
}

static int64_t squares(void)
{
    edo_task *three, *four;
    int rc = edo_fiber_spawn_args(&three, NULL, square, .number = 3);
    if (rc < 0) return rc;
    rc = edo_fiber_spawn_args(&four, NULL, square, .number = 4);
    if (rc < 0) edo_detach(three);
    if (rc < 0) return rc;

    int64_t nine = edo_wait(edo_join(three)), sixteen = edo_wait(edo_join(four));
    printf("%d and %d\n", (int)nine, (int)sixteen);
    return 0;
}
/* end: spawn */

/* region: cancel */
static int64_t worker(void *arg)
{
    (void)arg;
    int64_t result = edo_wait(edo_sleep(edo_s(3600)));
    printf("worker: %s\n", edo_strerror(result));

    edo_fiber_shield(); // from here on, waits work although we were cancelled
    int64_t rc = edo_wait(edo_sleep(edo_ms(10)));
    printf("worker: cleaned up, %s\n", edo_strerror(rc));
    return result;
}
/* end: cancel */

static int64_t cancels(void)
{
    edo_task *task;
    int rc = edo_fiber_spawn(&task, NULL, worker, NULL);
    if (rc < 0) return rc;
    int64_t slept = edo_wait(edo_sleep(edo_ms(10)));
    edo_task_cancel(task);
    printf("it ended: %s\n", edo_strerror(edo_wait(edo_join(task))));
    return slept;
}

/* region: limit */
static int64_t slow(void)
{
    int64_t rc = edo_wait(edo_sleep(edo_s(3600)));
    printf("slow: %s\n", edo_strerror(rc));
    return rc;
}

static int64_t hasty(void)
{
    int64_t rc = edo_wait_for(edo_ms(10), edo_sleep(edo_s(3600)));
    printf("the operation: %s\n", edo_strerror(rc));
    edo_wait_within(edo_ms(10))
    {
        rc = slow(); // any function, however deep it waits
    }
    printf("the function: %s\n", edo_strerror(rc));
    return 0;
}
/* end: limit */

/* region: select */
static int64_t race(void)
{
    edo_op near = edo_sleep(edo_ms(10)), far = edo_sleep(edo_s(3600));
    int64_t which = edo_wait_select(&near.base, &far.base);
    if (which < 0) return which; // we were cancelled, and so were both
    printf("the winner is number %d; far: %s\n", (int)which, edo_strerror(far.base.result));
    return 0;
}
/* end: select */

/* region: conversation */
static int64_t read_all(edo_io *conn, char *text, size_t size)
{
    size_t length = 0;
    int64_t n;
    do {
        n = edo_wait(edo_read(conn, text + length, size - length));
        if (n < 0) return n;
        length += (size_t)n;
    } while (n > 0 && length < size);
    return (int64_t)length;
}

static int64_t answer(edo_io *conn)
{
    char question[64];
    int64_t n = read_all(conn, question, sizeof question);
    if (n >= 0) n = edo_wait(edo_write_all(conn, question, (size_t)n));
    edo_close(conn);
    return n;
}

static int64_t serve_one(void *arg)
{
    edo_io *conn;
    int64_t rc = edo_wait(edo_accept((edo_listener *)arg, &conn));
    return rc < 0 ? rc : answer(conn);
}

static int64_t ask(const char *address, const char *question)
{
    edo_io *conn;
    char reply[64];
    int64_t n = edo_wait_for(edo_s(5), edo_tcp_connect(address, &conn));
    if (n < 0) return n;
    n = edo_wait(edo_write_all(conn, question, strlen(question)));
    if (n >= 0) n = edo_wait(edo_shutdown_write(conn)); // no more questions
    if (n >= 0) n = read_all(conn, reply, sizeof reply);
    if (n >= 0) printf("%.*s\n", (int)n, reply);
    edo_close(conn);
    return n;
}

static int64_t conversation(void)
{
    edo_listener *listener;
    char address[EDO_ADDRESS_SIZE];
    int64_t rc = edo_wait(edo_tcp_listen("127.0.0.1:0", &listener)); // any free port
    if (rc < 0) return rc;
    edo_fiber_scope(scope, 0);
    rc = edo_listener_address(listener, address, sizeof address);
    if (rc >= 0) rc = edo_fiber_scope_spawn(&scope, NULL, serve_one, listener);
    if (rc >= 0) rc = ask(address, "why?");
    if (rc < 0) edo_scope_cancel(&scope);
    int64_t served = edo_wait(edo_scope_join(&scope));
    edo_listener_close(listener);
    return rc < 0 ? rc : served;
}
/* end: conversation */

/* region: call */
struct twice {
    edo_frame();
    edo_args(int number;);
};

edo_async(twice)
{
    edo_body {
        edo_try(edo_sleep(edo_ms(1)));
        edo_return(2 * self->number);
    }
}

static int64_t calls_async(void)
{
    int64_t result = edo_wait_call(twice, .number = 21);
    printf("twice: %d\n", (int)result);
    return result < 0 ? result : 0;
}
/* end: call */

static int64_t all(void *arg)
{
    int64_t rc = hello(arg);
    if (rc >= 0) rc = squares();
    if (rc >= 0) rc = cancels();
    if (rc >= 0) rc = hasty();
    if (rc >= 0) rc = race();
    if (rc >= 0) rc = conversation();
    if (rc >= 0) rc = calls_async();
    return rc;
}

int main(void)
{
    return edo_fiber_run(all, "world");
}
