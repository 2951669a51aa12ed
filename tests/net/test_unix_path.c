/* Paths of Unix listeners: rights, removal, dead sockets, lengths. */
#include "support/streams.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { MAX_PATH = 108 };

static char directory[TEMP_PATH_SIZE], path[TEMP_PATH_SIZE + 8];

static int enter_directory(void **state)
{
    (void)state;
    make_temp_dir(directory);
    snprintf(path, sizeof path, "%s/s", directory);
    return 0;
}

static int leave_directory(void **state)
{
    (void)state;
    remove_tree(directory);
    return 0;
}

#define path_test(...)                                                                             \
    fixture(enter_directory, leave_directory)                                                      \
    async_test(__VA_ARGS__)

static bool exists(const char *name)
{
    struct stat file;
    return lstat(name, &file) == 0;
}

/* Binds a plain socket at the path. Returns: the descriptor. */
static int bind_plainly(int type)
{
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
    strcpy(name.sun_path, path);
    assert_return_code(bind(fd, (struct sockaddr *)&name, sizeof name), errno);
    return fd;
}

static void leave_dead_socket(void)
{
    close(bind_plainly(SOCK_STREAM));
}

/* ---- lengths ---- */

path_test(lengths, edo_listener *listener; edo_io * conn; char name[MAX_PATH + 2];
          char text[EDO_ADDRESS_TEXT_SIZE]; size_t size;)
{
    edo_body {
        int rc;
        for (self->size = MAX_PATH - 1; self->size <= MAX_PATH + 1; self->size++) {
            memset(self->name, 'x', self->size);
            memcpy(self->name, path, strlen(path));
            self->name[self->size] = '\0';
            edo_await(rc, edo_unix_listen(self->name, &self->listener));
            assert_int_equal(rc, self->size > MAX_PATH ? -ENAMETOOLONG : 0);
            if (rc < 0) continue;
            assert_int_equal(edo_listener_address(self->listener, self->text, sizeof self->text),
                             self->size + 5);
            assert_string_equal(self->text + 5, self->name);
            edo_await(rc, edo_unix_connect(self->name, &self->conn));
            assert_int_equal(rc, 0);
            edo_close(self->conn);
            edo_listener_close(self->listener);
            assert_true(exists(self->name));
            unlink(self->name);
        }
        edo_await(rc, edo_unix_connect(self->name, &self->conn));
        assert_int_equal(rc, -ENAMETOOLONG);
        self->name[MAX_PATH] = '\0';
        assert_false(exists(self->name)); // was not made, and not cut
        edo_return(0);
    }
}

/* ---- rights ---- */

path_test(rights, edo_listener *listener; mode_t umask;)
{
    edo_body {
        int rc;
        struct stat file;
        self->umask = umask(0077);
        edo_await(rc, edo_unix_listen_with(path, (edo_unix_listen_options){ .mode = 0662 },
                                           &self->listener));
        assert_int_equal(rc, 0);
        assert_return_code(stat(path, &file), errno);
        assert_int_equal(file.st_mode & 07777, 0662);
        edo_listener_close(self->listener);
        unlink(path);
        edo_await(rc, edo_unix_listen_with(path,
                                           (edo_unix_listen_options){
                                               .owner_plus_1 = getuid() + 1,
                                               .group_plus_1 = getgid() + 1,
                                           },
                                           &self->listener));
        assert_int_equal(rc, 0);
        assert_return_code(stat(path, &file), errno);
        assert_int_equal(file.st_mode & 07777, 0700); // by the umask
        assert_int_equal(file.st_uid, getuid());
        assert_int_equal(file.st_gid, getgid());
        edo_listener_close(self->listener);
        umask(self->umask);
        edo_return(0);
    }
}

/* Failed rights leave no path. */
path_test(refused_rights, edo_listener *listener;)
{
    edo_body {
        int rc;
        self->listener = NULL;
        if (getuid() == 0) edo_return(0); // may do all
        edo_await(rc, edo_unix_listen_with(path, (edo_unix_listen_options){ .owner_plus_1 = 1 },
                                           &self->listener));
        assert_int_equal(rc, -EPERM);
        assert_null(self->listener);
        assert_false(exists(path));
        edo_return(0);
    }
}

/* ---- removal ---- */

path_test(removed_at_close, edo_listener *listener, *other; edo_io * conn; char name[32];)
{
    static const edo_unix_listen_options removed = { .unlink_at_close = true };
    edo_body {
        int rc;
        edo_await(rc, edo_unix_listen_with(path, removed, &self->listener));
        assert_int_equal(rc, 0);
        edo_listener_close(self->listener);
        assert_false(exists(path));

        edo_await(rc, edo_unix_listen_with(path, removed, &self->listener));
        edo_unix_keep_path(self->listener);
        edo_listener_close(self->listener);
        assert_true(exists(path));
        unlink(path);

        edo_await(rc, edo_unix_listen_with(path, removed, &self->listener));
        unlink(path); // a successor takes the path
        edo_await(rc, edo_unix_listen_with(path, removed, &self->other));
        assert_int_equal(rc, 0);
        edo_listener_close(self->listener);
        assert_true(exists(path));
        edo_await(rc, edo_unix_connect(path, &self->conn));
        assert_int_equal(rc, 0);
        edo_close(self->conn);
        edo_listener_close(self->other);
        assert_false(exists(path));

        snprintf(self->name, sizeof self->name, "@edo-removed-%d", getpid());
        edo_await(rc, edo_unix_listen_with(self->name, removed, &self->listener));
        assert_int_equal(rc, 0); // has no path
        edo_listener_close(self->listener);
        edo_return(0);
    }
}

/* A second bind fails, and removes nothing. */
path_test(a_failed_bind_removes_nothing, edo_listener *listener, *other; edo_io * conn;)
{
    edo_body {
        int rc;
        edo_await(rc, edo_unix_listen(path, &self->listener));
        assert_int_equal(rc, 0);
        edo_await(rc, edo_unix_listen_with(path,
                                           (edo_unix_listen_options){
                                               .unlink_at_close = true,
                                               .mode = 0600,
                                           },
                                           &self->other));
        assert_int_equal(rc, -EADDRINUSE);
        edo_await(rc, edo_unix_connect(path, &self->conn));
        assert_int_equal(rc, 0);
        edo_close(self->conn);
        edo_listener_close(self->listener);
        edo_return(0);
    }
}

path_test(a_relative_path, edo_listener *listener; char before[1024];)
{
    edo_body {
        int rc;
        assert_non_null(getcwd(self->before, sizeof self->before));
        assert_return_code(chdir(directory), errno);
        edo_await(rc, edo_unix_listen_with("s",
                                           (edo_unix_listen_options){
                                               .unlink_at_close = true,
                                               .replace_stale = true,
                                           },
                                           &self->listener));
        assert_int_equal(rc, 0);
        assert_true(exists(path));
        assert_return_code(chdir(self->before), errno);
        edo_listener_close(self->listener);
        assert_false(exists(path));
        edo_return(0);
    }
}

static void close_in_child(void *arg)
{
    edo_listener_close(arg);
}

current_thread_only("it forks")
path_test(a_child_removes_nothing, edo_listener *listener;)
{
    edo_body {
        int rc;
        edo_await(rc,
                  edo_unix_listen_with(path, (edo_unix_listen_options){ .unlink_at_close = true },
                                       &self->listener));
        assert_int_equal(rc, 0);
        expect_success_in_child(close_in_child, self->listener);
        assert_true(exists(path));
        edo_listener_close(self->listener);
        assert_false(exists(path));
        edo_return(0);
    }
}

/* ---- dead sockets ---- */

static const edo_unix_listen_options replacing = { .replace_stale = true };

path_test(a_dead_socket, edo_listener *listener; edo_io * conn;)
{
    edo_body {
        int rc;
        leave_dead_socket();
        edo_await(rc, edo_unix_listen(path, &self->listener));
        assert_int_equal(rc, -EADDRINUSE); // without the option
        edo_await(rc, edo_unix_listen_with(path, replacing, &self->listener));
        assert_int_equal(rc, 0);
        edo_await(rc, edo_unix_connect(path, &self->conn));
        assert_int_equal(rc, 0);
        edo_close(self->conn);
        edo_listener_close(self->listener);
        unlink(path);
        edo_await(rc, edo_unix_listen_with(path, replacing, &self->listener)); // no file
        assert_int_equal(rc, 0);
        edo_listener_close(self->listener);
        edo_return(0);
    }
}

path_test(whatever_is_not_dead_stays, edo_listener *listener, *other; edo_io * conns[2];
          int plain, link;)
{
    edo_body {
        int rc;
        edo_await(rc, edo_unix_listen_with(path, (edo_unix_listen_options){ .backlog = 1 },
                                           &self->listener));
        assert_int_equal(rc, 0);
        edo_await(rc, edo_unix_listen_with(path, replacing, &self->other));
        assert_int_equal(rc, -EADDRINUSE);
        edo_await_for(rc, edo_ms(1), edo_accept(self->listener, &self->conns[0]));
        assert_int_equal(rc, -ETIMEDOUT); // the attempt was no connection
        for (self->link = 0; self->link < 2; self->link++) {
            edo_await_for(rc, edo_s(1), edo_unix_connect(path, &self->conns[self->link]));
            if (rc < 0) self->conns[self->link] = NULL;
        }
        edo_await(rc, edo_unix_listen_with(path, replacing, &self->other));
        assert_int_equal(rc, -EADDRINUSE); // its queue is full
        edo_close(self->conns[0]);
        edo_close(self->conns[1]);
        edo_listener_close(self->listener);
        unlink(path);

        self->plain = bind_plainly(SOCK_DGRAM);
        edo_await(rc, edo_unix_listen_with(path, replacing, &self->other));
        assert_int_equal(rc, -EADDRINUSE);
        close(self->plain);
        unlink(path);

        close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
        edo_await(rc, edo_unix_listen_with(path, replacing, &self->other));
        assert_int_equal(rc, -EADDRINUSE); // a file
        assert_true(exists(path));
        unlink(path);

        assert_return_code(symlink("elsewhere", path), errno);
        edo_await(rc, edo_unix_listen_with(path, replacing, &self->other));
        assert_int_equal(rc, -EADDRINUSE);
        assert_true(exists(path));
        edo_return(0);
    }
}

/* The directory is locked by another process meanwhile. */
path_test(a_locked_directory, edo_listener *listener; edo_task * task; int lock;)
{
    edo_body {
        int rc;
        self->lock = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_return_code(flock(self->lock, LOCK_EX), errno);
        edo_await_for(rc, edo_s(1), edo_unix_listen_with(path, replacing, &self->listener));
        assert_int_equal(rc, -ETIMEDOUT);
        rc = edo_spawn(&self->task, run_op,
                       .op = edo_unix_listen_with(path, replacing, &self->listener));
        assert_int_equal(rc, 0);
        edo_await(rc, edo_sleep(edo_ms(100)));
        assert_false(edo_task_is_done(self->task));
        close(self->lock);
        edo_await(rc, edo_join(self->task));
        assert_int_equal(rc, 0);
        edo_listener_close(self->listener);
        edo_return(0);
    }
}

/* ---- many at once ---- */

enum { STARTERS = 20 };

static struct {
    int start[2], report[2], stop[2];
} starters;

struct starter {
    edo_frame();
    edo_args();
    edo_listener *listener;
};

edo_async(starter)
{
    edo_body {
        int rc;
        char byte;
        edo_await(rc, edo_unix_listen_with(path, replacing, &self->listener));
        byte = rc == 0 ? '!' : rc == -EADDRINUSE ? '.' : '?';
        assert_int_equal(write(starters.report[1], &byte, 1), 1);
        if (rc < 0) edo_return(0);
        assert_int_equal(read(starters.stop[0], &byte, 1), 0);
        edo_listener_close(self->listener);
        edo_return(0);
    }
}

static void be_starter(void *arg)
{
    char byte;
    edo_runtime *runtime;
    (void)arg;
    close(starters.start[1]);
    close(starters.stop[1]);
    assert_int_equal(edo_runtime_create(NULL, &runtime), 0);
    assert_int_equal(read(starters.start[0], &byte, 1), 0);
    assert_int_equal(edo_block_on(runtime, starter), 0);
    assert_int_equal(edo_runtime_destroy(runtime), 0);
}

/* Exactly one of them listens, and can be reached. */
current_thread_only("it forks")
fixture(enter_directory, leave_directory)
test(many_at_once)
{
    int children[STARTERS], listening = 0;
    char reports[STARTERS];
    leave_dead_socket();
    assert_return_code(pipe2(starters.start, O_CLOEXEC), errno);
    assert_return_code(pipe2(starters.report, O_CLOEXEC), errno);
    assert_return_code(pipe2(starters.stop, O_CLOEXEC), errno);
    for (int i = 0; i < STARTERS; i++)
        children[i] = start_child(be_starter, NULL);
    close(starters.start[1]);
    fd_read_all(starters.report[0], reports, sizeof reports);
    for (int i = 0; i < STARTERS; i++) {
        assert_int_not_equal(reports[i], '?');
        listening += reports[i] == '!';
    }
    assert_int_equal(listening, 1);
    struct sockaddr_un name = { .sun_family = AF_UNIX };
    strcpy(name.sun_path, path);
    int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_return_code(connect(client, (struct sockaddr *)&name, sizeof name), errno);
    close(client);
    close(starters.stop[1]);
    for (int i = 0; i < STARTERS; i++)
        assert_int_equal(await_child(children[i]), 0);
    close(starters.start[0]);
    close(starters.report[0]);
    close(starters.report[1]);
    close(starters.stop[0]);
}
