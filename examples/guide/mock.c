// pkg-config: cmocka
/* Tests with a stream that follows a script, and with a slow link. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <edo/edo.h>
#include <edo/mock.h>
#include <edo/test.h>

/* region: subject */
/* The function under test: asks a server, and asks once more when the server is silent. */
struct ask {
    edo_frame();
    edo_args(edo_io *io; char *answer; size_t size;);
    int i;
};

edo_async(ask)
{
    edo_body {
        int64_t n;
        for (self->i = 0; self->i < 2; self->i++) {
            edo_try(edo_write_all(self->io, "PING\n", 5));
            edo_await_for(n, edo_s(30), edo_read(self->io, self->answer, self->size));
            if (n != -ETIMEDOUT) break;
        }
        edo_return(n);
    }
}
/* end: subject */

/* region: script */
edo_async_test(asks_again, edo_callees(struct ask ask;) edo_mock *mock; edo_io *io; char answer[8];)
{
    edo_body {
        int64_t n;
        assert_int_equal(edo_mock_create("server", &self->mock, &self->io), 0);
        assert_int_equal(edo_mock_write(self->mock, "PING\n", 5), 0);
        assert_int_equal(edo_mock_wait(self->mock, edo_s(31)), 0); // takes no time
        assert_int_equal(edo_mock_write(self->mock, "PING\n", 5), 0);
        assert_int_equal(edo_mock_read(self->mock, "PONG\n", 5), 0);
        edo_mock_destroy(self->mock); // the script is complete
        edo_call(n, ask, .io = self->io, .answer = self->answer, .size = 8);
        assert_int_equal(n, 5);
        assert_memory_equal(self->answer, "PONG\n", 5);
        edo_close(self->io); // ends the program if steps are left
        edo_return(0);
    }
}
/* end: script */

/* region: link */
edo_async_test(a_slow_server,
    edo_callees(struct ask ask;)
    edo_io *client, *server;
    int64_t began;
    char answer[8];)
{
    edo_body {
        int64_t n;
        edo_test_link_config config = { .delay = edo_ms(300), .rate = 1000, .loss = 10000 };
        assert_int_equal(edo_test_link(&config, &self->client, &self->server), 0);
        edo_await(n, edo_write_all(self->server, "PONG\n", 5));
        self->began = edo_now();
        edo_call(n, ask, .io = self->client, .answer = self->answer, .size = 8);
        assert_int_equal(n, 5);
        assert_true(edo_now() - self->began >= edo_ms(300));
        edo_close(self->client);
        edo_close(self->server);
        edo_return(0);
    }
}
/* end: link */

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asks_again_test),
        cmocka_unit_test(a_slow_server_test),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
