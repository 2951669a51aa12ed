/* edo-test: pkg libuv
 * edo-test: ct. A runtime inside a loop of libuv. */
#include "runtime/loop.h"

#include <uv.h>

static unsigned ticks;
static uv_poll_t watch;
static uv_timer_t ticker;

static void close_all(void)
{
    uv_poll_stop(&watch);
    uv_close((uv_handle_t *)&watch, NULL);
    uv_close((uv_handle_t *)&ticker, NULL);
}

static void turn(uv_poll_t *handle, int status, int events)
{
    (void)handle;
    (void)events;
    assert_int_equal(status, 0);
    assert_true(edo_turn(loop.runtime, 0) >= 0);
    if (loop_is_over()) close_all();
}

/* A handle of the loop's own, which fires while the runtime works. */
static void tick(uv_timer_t *timer)
{
    (void)timer;
    ticks++;
}

/* libuv keeps descriptors, so only edo's memory is checked. */
static int install(void **state)
{
    (void)state;
    test_allocator_install();
    return 0;
}

static int remove_again(void **state)
{
    (void)state;
    test_allocator_remove();
    return 0;
}

fixture(install, remove_again)
test(in_a_loop)
{
    uv_loop_t uv;
    assert_int_equal(uv_loop_init(&uv), 0);
    loop_start();
    assert_int_equal(uv_poll_init(&uv, &watch, loop.fd), 0);
    assert_int_equal(uv_poll_start(&watch, UV_READABLE, turn), 0);
    assert_int_equal(uv_timer_init(&uv, &ticker), 0);
    assert_int_equal(uv_timer_start(&ticker, tick, 0, 1), 0);
    assert_int_equal(uv_run(&uv, UV_RUN_DEFAULT), 0);
    assert_true(ticks > 0);
    loop_end();
    assert_int_equal(uv_loop_close(&uv), 0);
}
