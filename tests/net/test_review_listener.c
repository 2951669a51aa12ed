// edo-test: once
/* A listener that is closed while its accept pauses for want of descriptors. */
#include "support/support.h"

#include <edo/edo.h>

#include "support/streams.h"

struct close_at_once {
    edo_frame();
    edo_args();
    edo_listener *listener;
    edo_io *conn;
    edo_task *accepter;
    int64_t began;
};

edo_async(close_at_once)
{
    edo_body {
        int64_t n;
        edo_await(n, edo_tcp_listen("127.0.0.1:0", &self->listener));
        assert_int_equal(n, 0);
        n = edo_spawn(&self->accepter, run_op, .op = edo_accept(self->listener, &self->conn));
        assert_int_equal(n, 0);
        settle();
        self->began = edo_now();
        edo_listener_close(self->listener);
        edo_await(n, edo_join(self->accepter));
        assert_int_equal(n, -ECANCELED);
        assert_true(edo_now() - self->began < edo_ms(1)); // it did not wait for the pause to end
        edo_return(0);
    }
}

test(close_in_pause)
{
    edo_runtime *runtime;
    edo_config config = { .driver = "chaos:fault=1:EMFILE,late=0", .test_clock = true };
    log_capture();
    assert_int_equal(edo_runtime_create(&config, &runtime), 0);
    assert_int_equal(edo_block_on(runtime, close_at_once), 0);
    assert_int_equal(log_lines("edo_accept"), 1); // so it paused
    assert_int_equal(edo_runtime_destroy(runtime), 0);
    log_release();
}
