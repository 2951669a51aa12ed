/* Streams of what the system gives: ticks, signals, files, datagrams, connections. */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "support/files.h"
#include "support/udp.h"

/* ---- time ---- */

async_test(missed_ticks_are_left_out, edo_interval interval; edo_op_source_of(int64_t) in;
           int64_t tick, began;)
{
    edo_body {
        int rc;
        self->began = edo_now();
        edo_interval_init_at(&self->interval, self->began, edo_ms(10), EDO_MISSED_SKIP);
        edo_interval_stream(&self->in, &self->interval);
        edo_await(rc, edo_next(&self->in, &self->tick));
        assert_int_equal(self->tick, self->began);
        edo_await_void(edo_sleep(edo_ms(35)));
        edo_await(rc, edo_next(&self->in, &self->tick)); // late
        assert_int_equal(self->tick - self->began, edo_ms(10));
        edo_await(rc, edo_next(&self->in, &self->tick));
        assert_int_equal(self->tick - self->began, edo_ms(40));
        assert_int_equal(rc, 1);
        edo_await_for(rc, edo_ms(3), edo_next(&self->in, &self->tick));
        assert_int_equal(rc, -ETIMEDOUT);
        edo_await(rc, edo_next(&self->in, &self->tick)); // the cancelled pull took no tick
        assert_int_equal(self->tick - self->began, edo_ms(50));
        edo_return(0);
    }
}

async_test(items_of_a_delay_queue_come_in_the_order_of_their_moments, edo_delay_queue queue;
           edo_delay delays[3]; edo_op_source_of(edo_delay *) in; edo_delay *due;)
{
    edo_body {
        int64_t rc;
        memset(self->delays, 0, sizeof self->delays);
        self->queue = (edo_delay_queue)EDO_DELAY_QUEUE_INIT;
        for (int i = 0; i < 3; i++)
            assert_int_equal(edo_delay_queue_insert(&self->queue, &self->delays[i],
                                                    edo_now() + edo_ms(30 - 10 * i)),
                             0);
        edo_delay_queue_stream(&self->in, &self->queue);
        edo_await_for(rc, edo_ms(5), edo_next(&self->in, &self->due));
        assert_int_equal(rc, -ETIMEDOUT);
        edo_await(rc, edo_next(&self->in, &self->due));
        assert_int_equal(rc, 1);
        assert_ptr_equal(self->due, &self->delays[2]);
        edo_delay_queue_close(&self->queue);
        edo_await(rc, edo_count(&self->in, &self->due)); // those in the queue still become due
        assert_int_equal(rc, 2);
        assert_ptr_equal(self->due, &self->delays[0]);
        edo_delay_queue_deinit(&self->queue);
        edo_return(0);
    }
}

/* ---- signals ---- */

async_test(events_of_a_signal_are_a_stream, edo_signal *signal;
           edo_op_source_of(edo_signal_event) in; edo_step_of(edo_signal_event) some;
           edo_signal_event event; int count;)
{
    edo_body {
        int rc;
        self->count = 0;
        assert_int_equal(edo_signal_open(SIGUSR1, &self->signal), 0);
        edo_signal_stream(&self->in, self->signal);
        edo_take_init(&self->some, &self->in, 2);
        edo_await_for(rc, edo_ms(1), edo_next(&self->some, &self->event));
        assert_int_equal(rc, -ETIMEDOUT);
        kill(getpid(), SIGUSR1);
        edo_for_each(rc, &self->some, &self->event) {
            assert_int_equal(self->event.number, SIGUSR1);
            assert_int_equal(self->event.pid, getpid());
            if (++self->count == 1) kill(getpid(), SIGUSR1);
        }
        assert_int_equal(rc, 0);
        assert_int_equal(self->count, 2);
        edo_signal_close(self->signal);
        edo_return(0);
    }
}

/* ---- files ---- */

fs_test(entries_of_a_directory_are_a_stream, edo_dir *dir; edo_op_source_of(edo_entry) in;
        edo_entry entry; int sum;)
{
    edo_body {
        int rc;
        for (int i = 1; i <= 9; i++)
            fs_write((char[]){ (char)('0' + i), '\0' }, "", 0);
        edo_await(rc, edo_dir_open(fs_path(""), &self->dir));
        assert_int_equal(rc, 0);
        edo_dir_stream(&self->in, self->dir);
        self->sum = 0;
        edo_for_each(rc, &self->in, &self->entry)
            self->sum += self->entry.name[0] - '0';
        assert_int_equal(rc, 0);
        assert_int_equal(self->sum, 45);
        edo_dir_close(self->dir);
        edo_return(0);
    }
}

static int64_t is_plain(void *context, const void *item)
{
    (void)context;
    return ((const edo_walk_entry *)item)->kind == EDO_IS_FILE;
}

fs_test(files_of_a_tree_are_a_stream, edo_walk *walk; edo_op_source_of(edo_walk_entry) in;
        edo_step_of(edo_walk_entry) files; edo_walk_entry entry;)
{
    edo_body {
        int64_t rc;
        edo_await(rc, edo_path_make_dirs(fs_path("a/b")));
        assert_int_equal(rc, 0);
        fs_write("a/b/file", "", 0);
        edo_await(rc, edo_walk_open(fs_path(""), 0, 0, &self->walk));
        assert_int_equal(rc, 0);
        edo_walk_stream(&self->in, self->walk);
        edo_filter_init(&self->files, &self->in, is_plain, NULL);
        edo_await(rc, edo_next(&self->files, &self->entry));
        assert_int_equal(rc, 1);
        assert_string_equal(self->entry.path, fs_path("a/b/file"));
        edo_await(rc, edo_count(&self->files, &self->entry));
        assert_int_equal(rc, 0);
        edo_walk_close(self->walk);
        edo_return(0);
    }
}

fs_test(events_of_files_are_a_stream, edo_watcher *watcher; edo_op_source_of(edo_file_event) in;
        edo_file_event event;)
{
    edo_body {
        int64_t rc;
        assert_int_equal(edo_watcher_create(&self->watcher), 0);
        edo_await(rc, edo_watcher_add(self->watcher, fs_path(""), 0));
        assert_true(rc > 0);
        edo_watcher_stream(&self->in, self->watcher);
        edo_await_for(rc, edo_ms(1), edo_next(&self->in, &self->event));
        assert_int_equal(rc, -ETIMEDOUT);
        fs_write("new", "x", 1);
        edo_for_each(rc, &self->in, &self->event) {
            assert_string_equal(self->event.path, fs_path("new"));
            if (self->event.kind == EDO_FILE_WRITTEN) break;
        }
        assert_int_equal(rc, 1);
        edo_watcher_close(self->watcher);
        edo_return(0);
    }
}

/* ---- sockets ---- */

async_test(datagrams_are_a_stream, edo_udp *sockets[2]; edo_address sender; char memory[8];
           edo_datagram_inlet inlet; edo_op_source_of(edo_datagram) in; edo_datagram datagram;)
{
    edo_body {
        int64_t rc;
        connected_sockets(self->sockets);
        edo_udp_local(self->sockets[1], &self->sender);
        self->inlet = (edo_datagram_inlet){ self->sockets[0], self->memory, sizeof self->memory };
        edo_datagram_stream(&self->in, &self->inlet);
        edo_await_for(rc, edo_ms(1), edo_next(&self->in, &self->datagram));
        assert_int_equal(rc, -ETIMEDOUT);
        edo_await(rc, edo_udp_send(self->sockets[1], "hello", 5));
        edo_await(rc, edo_udp_send(self->sockets[1], "too long for it", 15));
        edo_await(rc, edo_udp_send(self->sockets[1], "", 0));
        edo_await(rc, edo_next(&self->in, &self->datagram));
        assert_int_equal(rc, 1);
        assert_int_equal(self->datagram.data.size, 5);
        assert_memory_equal(self->datagram.data.data, "hello", 5);
        assert_true(edo_address_equals(&self->datagram.from, &self->sender));
        edo_await(rc, edo_next(&self->in, &self->datagram));
        assert_int_equal(rc, -EMSGSIZE);
        edo_await(rc, edo_next(&self->in, &self->datagram)); // an empty datagram is no end
        assert_int_equal(rc, 1);
        assert_int_equal(self->datagram.data.size, 0);
        for (int i = 0; i < 2; i++)
            edo_udp_close(self->sockets[i]);
        edo_return(0);
    }
}

async_test(connections_of_a_unix_listener_are_a_stream, edo_listener *listener; edo_io * ends[2];
           edo_op_source_of(edo_io *) in; char address[EDO_ADDRESS_TEXT_SIZE]; int count;)
{
    edo_body {
        int64_t rc;
        edo_await(rc, edo_unix_listen("unix:", &self->listener)); // an abstract name
        assert_int_equal(rc, 0);
        assert_true(edo_listener_address(self->listener, self->address, sizeof self->address) > 0);
        edo_listener_stream(&self->in, self->listener);
        for (self->count = 0; self->count < 3; self->count++) {
            edo_await(rc, edo_unix_connect(self->address, &self->ends[0]));
            assert_int_equal(rc, 0);
            edo_await(rc, edo_next(&self->in, &self->ends[1]));
            assert_int_equal(rc, 1);
            edo_close(self->ends[0]);
            edo_close(self->ends[1]);
        }
        edo_listener_close(self->listener);
        edo_return(0);
    }
}
