/* Watches that change while a visit scans a new directory. */
#include "faults/shim.h"
#include "support/watching.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- a scan that waits ---- */

static struct {
    int gate[2]; // pipe: its end opens the gate
    int waiting; // scans at the gate; atomic
} scan;

static int wait_at_gate(const char *call, int fd)
{
    char byte;
    (void)fd;
    if (strcmp(call, "openat") != 0) return 0;
    __atomic_add_fetch(&scan.waiting, 1, __ATOMIC_ACQ_REL);
    (void)!read(scan.gate[0], &byte, 1);
    return 0;
}

static int set_up(void **state)
{
    int rc = fs_set_up(state);
    scan.waiting = 0;
    assert_return_code(pipe2(scan.gate, O_CLOEXEC), errno);
    return rc;
}

static int tear_down(void **state)
{
    faults_on_file_calls(NULL);
    close(scan.gate[0]);
    return fs_tear_down(state);
}

struct taker {
    edo_frame();
    edo_args(edo_watcher *watcher; edo_file_event * event;);
};

edo_async(taker)
{
    edo_body {
        int64_t rc;
        edo_await(rc, edo_watcher_next(self->watcher, self->event));
        edo_return(rc);
    }
}

/* Two plain watches and the watch of a tree, which is removed while a visit scans the new directories
 * t/d and t/d/e of that tree. The plain watches lose no event, and the scan adds nothing to the
 * removed watch. */
fixture(set_up, tear_down)
async_test(a_watch_is_removed_during_a_visit, edo_watcher *watcher; edo_file_event event;
           edo_task *task; int i; unsigned seen;)
{
    edo_body {
        int64_t rc;
        assert_int_equal(mkdir(fs_path("t"), 0755), 0);
        assert_int_equal(edo_watcher_create(&self->watcher), 0);
        for (self->i = 1; self->i <= 3; self->i++) {
            uint32_t flags = self->i == 3 ? EDO_WATCH_TREE : 0;
            edo_await(rc, edo_watcher_add(self->watcher, fs_path("t"), flags));
            assert_int_equal(rc, self->i);
        }
        assert_int_equal(mkdir(fs_path("t/d"), 0755), 0);
        assert_int_equal(mkdir(fs_path("t/d/e"), 0755), 0);
        faults_on_file_calls(wait_at_gate);
        assert_int_equal(
            edo_spawn(&self->task, taker, .watcher = self->watcher, .event = &self->event), 0);
        while (!__atomic_load_n(&scan.waiting, __ATOMIC_ACQUIRE))
            edo_await(rc, edo_yield());
        edo_await(rc, edo_watcher_remove(self->watcher, 3));
        assert_int_equal(rc, 0);
        close(scan.gate[1]);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, 1);
        touch("t/d/e/unseen");
        touch("t/end");
        for (self->seen = 0; strcmp(below(self->event.path), "t/end") != 0;) {
            bool is_dir = strcmp(below(self->event.path), "t/d") == 0;
            assert_string_not_equal(below(self->event.path), "t/d/e/unseen");
            if (is_dir) self->seen |= 1u << self->event.watch;
            next_event(self->watcher, &self->event);
        }
        assert_int_equal(self->seen & 6, 6);
        edo_watcher_close(self->watcher);
        edo_return(0);
    }
}
