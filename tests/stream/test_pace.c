/* Copies whose source is never empty, and whose target always has room: a poll of them ends. The
 * calls of the system are replaced, so that no peer is needed. */
#include "support/streams.h"

#include <fcntl.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <edo/copy.h>

enum {
    ROOM = 256,
    PIECE = 1000,       // bytes of a replaced call; much less than a unit of the budget
    MOST_CALLS = 1000,  // more than the budget of a poll
    ALL_CALLS = 100000, // then the source is empty, so that a test that fails ends, too
};

static bool is_endless;
static int calls;

static bool goes_on(void)
{
    if (!is_endless) return false;
    calls++;
    return calls <= ALL_CALLS;
}

/* Moves a piece from the source to the pipe of the copy, or from the pipe to the target. The source
 * is an empty socket, so a read from it fails. */
ssize_t splice(int from, loff_t *from_at, int to, loff_t *to_at, size_t size, unsigned flags)
{
    static char piece[PIECE];
    if (!goes_on()) return syscall(SYS_splice, from, from_at, to, to_at, size, flags);
    ssize_t n = read(from, piece, size < PIECE ? size : PIECE);
    return n > 0 ? n : write(to, piece, PIECE);
}

ssize_t sendfile(int to, int file, off_t *at, size_t size)
{
    if (!goes_on()) return syscall(SYS_sendfile, to, file, at, size);
    *at += PIECE;
    return PIECE;
}

struct copy_endlessly {
    edo_frame();
    edo_args(bool sends;);
    edo_io *source, *from, *to, *target;
    edo_copier copier;
    edo_file_range range;
    edo_task *task;
    char memory[ROOM];
};

edo_async(copy_endlessly)
{
    edo_body {
        int64_t n;
        open_streams(UNIX_STREAM, &self->from, &self->source);
        open_streams(UNIX_STREAM, &self->target, &self->to);
        edo_copier_init(&self->copier, self->from, self->to, self->memory, ROOM);
        self->range = (edo_file_range){ .file = open("/dev/null", O_RDONLY | O_CLOEXEC),
                                        .size = UINT64_MAX };
        edo_await(n, edo_write_all(self->source, self->memory, ROOM)); // a read fills the memory
        assert_int_equal(n, ROOM);
        is_endless = true;
        calls = 0;
        edo_op op = self->sends ? edo_send_file(self->to, &self->range) : edo_copy(&self->copier);
        n = edo_spawn(&self->task, run_op, .op = op);
        assert_int_equal(n, 0);
        while (calls == 0)
            edo_await_void(edo_yield());
        assert_in_range(calls, 1, MOST_CALLS); // this task was polled meanwhile
        assert_false(edo_task_is_done(self->task));
        is_endless = false;
        edo_task_cancel(self->task);
        edo_await(n, edo_join(self->task));
        assert_int_equal(n, -ECANCELED);
        close(self->range.file);
        edo_copier_deinit(&self->copier);
        edo_close(self->source);
        edo_close(self->from);
        edo_close(self->to);
        edo_close(self->target);
        edo_return(0);
    }
}

current_thread_only("it counts the calls of one poll")
async_test(a_splice_ends_its_poll, edo_callees(struct copy_endlessly callee;))
{
    edo_body {
        int rc;
        if (driver_is("chaos")) skip(); // no read fills the memory
        edo_call(rc, copy_endlessly, .sends = false);
        edo_return(rc);
    }
}

current_thread_only("it counts the calls of one poll")
async_test(a_send_of_a_file_ends_its_poll, edo_callees(struct copy_endlessly callee;))
{
    edo_body {
        int rc;
        edo_call(rc, copy_endlessly, .sends = true);
        edo_return(rc);
    }
}
