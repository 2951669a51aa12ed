/* edo-test: pkg glib-2.0
 * edo-test: ct. A runtime inside a main loop of GLib. */
#include "runtime/loop.h"

#include <glib-unix.h>

static unsigned ticks;

static gboolean turn(gint fd, GIOCondition condition, gpointer main_loop)
{
    (void)fd;
    (void)condition;
    assert_true(edo_turn(loop.runtime, 0) >= 0);
    if (loop_is_over()) g_main_loop_quit(main_loop);
    return G_SOURCE_CONTINUE;
}

/* A source of the loop's own, which fires while the runtime works. */
static gboolean tick(gpointer data)
{
    (void)data;
    ticks++;
    return G_SOURCE_CONTINUE;
}

/* GLib keeps descriptors and memory, so only edo's memory is checked. */
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
test(in_a_main_loop)
{
    GMainLoop *main_loop = g_main_loop_new(NULL, FALSE);
    loop_start();
    guint watch = g_unix_fd_add(loop.fd, G_IO_IN, turn, main_loop);
    guint ticker = g_idle_add_full(G_PRIORITY_DEFAULT, tick, NULL, NULL);
    g_main_loop_run(main_loop);
    assert_true(ticks > 0);
    g_source_remove(ticker);
    g_source_remove(watch);
    loop_end();
    g_main_loop_unref(main_loop);
}
