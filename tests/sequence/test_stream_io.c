/* Streams of bytes whose bytes are the items of a stream. */
#include <string.h>

#include "support/streams.h"

typedef edo_sender(edo_slice) slice_sender;
typedef edo_receiver(edo_slice) slice_receiver;

static char *const words[] = { "", "all ", "the", "", " world's ", "a stage", "" };

async_test(items_are_read_as_one_stream_of_bytes, edo_array_of(edo_slice) in; edo_slice slices[7];
           edo_io *io; char text[32]; size_t at;)
{
    edo_body {
        int64_t n;
        for (size_t i = 0; i < 7; i++)
            self->slices[i] = (edo_slice){ words[i], strlen(words[i]) };
        edo_array_init(&self->in, self->slices, 7);
        edo_check(edo_io_from_stream(&self->in, &self->io));
        edo_await(n, edo_write(self->io, "x", 1));
        assert_int_equal(n, -EBADF);
        edo_await(n, edo_read(self->io, self->text, sizeof self->text));
        assert_int_equal(n, 4); // the first item that is not empty
        edo_await(n, edo_read_exact(self->io, self->text + 4, 9));
        assert_int_equal(n, 9);
        for (self->at = 13; self->at < 23; self->at += (size_t)n) {
            edo_await(n, edo_read(self->io, self->text + self->at, 3));
            assert_true(n > 0);
        }
        assert_memory_equal(self->text, "all the world's a stage", 23);
        for (self->at = 0; self->at < 2; self->at++) {
            edo_await(n, edo_read(self->io, self->text, 1));
            assert_int_equal(n, 0);
        }
        edo_close(self->io);
        edo_return(0);
    }
}

async_test(a_cancelled_read_takes_no_item, slice_sender tx; slice_receiver rx;
           edo_op_source_of(edo_slice) in; edo_io *io; char text[8]; edo_slice item;)
{
    edo_body {
        int64_t n;
        edo_check(edo_mpsc_create(&self->tx, &self->rx, 4));
        edo_receiver_stream(&self->in, &self->rx);
        edo_check(edo_io_from_stream(&self->in, &self->io));
        edo_await_for(n, edo_ms(1), edo_read(self->io, self->text, 8));
        assert_int_equal(n, -ETIMEDOUT);
        self->item = (edo_slice){ "hello", 5 };
        edo_await(n, edo_send(&self->tx, &self->item));
        edo_await(n, edo_read(self->io, self->text, 8));
        assert_int_equal(n, 5);
        assert_memory_equal(self->text, "hello", 5);
        edo_sender_close(&self->tx);
        edo_await(n, edo_read(self->io, self->text, 8));
        assert_int_equal(n, 0);
        edo_close(self->io);
        edo_receiver_close(&self->rx);
        edo_return(0);
    }
}

/* The close of the stream of bytes ends a read that waits for an item. */
async_test(a_close_ends_a_waiting_read, slice_sender tx; slice_receiver rx;
           edo_op_source_of(edo_slice) in; edo_io *io; char text[8]; edo_task *task; edo_slice item;)
{
    edo_body {
        int64_t n;
        edo_check(edo_mpsc_create(&self->tx, &self->rx, 4));
        edo_receiver_stream(&self->in, &self->rx);
        edo_check(edo_io_from_stream(&self->in, &self->io));
        n = edo_spawn(&self->task, run_op, .op = edo_read(self->io, self->text, 8));
        assert_int_equal(n, 0);
        settle();
        edo_close(self->io);
        edo_await(n, edo_join(self->task));
        assert_int_equal(n, -ECANCELED);
        self->item = (edo_slice){ "kept", 4 }; // nothing of the stream is in flight
        edo_await(n, edo_send(&self->tx, &self->item));
        edo_await(n, edo_next(&self->in, &self->item));
        assert_int_equal(n, 1);
        edo_sender_close(&self->tx);
        edo_receiver_close(&self->rx);
        edo_return(0);
    }
}
