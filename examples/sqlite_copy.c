/* Copies an SQLite database while other programs write it: sqlite_copy FROM TO
 *
 * The copy holds the lock of a reader, so no writer changes the file meanwhile. The bytes of the
 * locks and their order are those of https://sqlite.org/lockingv3.html and of SQLite's os_unix.c.
 * A file with a write-ahead log is refused, because a part of its data lies in the log. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include <edo/edo.h>

enum {
    WRITE_VERSION = 18,   // offset in the header: 1 is a rollback journal, 2 a write-ahead log
    PENDING = 0x40000000, // locked by a writer that waits for its readers to end
    RESERVED,             // locked by a writer that has a journal
    SHARED_FIRST,         // locked by readers, together with the bytes after it
    SHARED_SIZE = 510,
};

struct read_locked {
    edo_frame();
    edo_args(edo_file *database; const char *from, *to;);
    edo_info journal;
    unsigned char version;
    char journal_path[4096];
};

edo_async(read_locked)
{
    edo_body {
        int64_t rc;
        if ((size_t)snprintf(self->journal_path, sizeof self->journal_path, "%s-journal",
                             self->from) >= sizeof self->journal_path)
            edo_return(-ENAMETOOLONG);
        edo_await(rc, edo_file_lock(self->database, EDO_LOCK_SHARED, PENDING, 1));
        if (rc < 0) edo_return(rc);
        edo_await(rc, edo_file_lock(self->database, EDO_LOCK_SHARED, SHARED_FIRST, SHARED_SIZE));
        if (rc < 0) edo_return(rc);
        edo_await(rc, edo_file_unlock(self->database, PENDING, 1));
        if (rc < 0) edo_return(rc);

        edo_await(rc, edo_file_read_at(self->database, &self->version, 1, WRITE_VERSION));
        if (rc == 1 && self->version == 2) rc = -EOPNOTSUPP;
        if (rc < 0) edo_return(rc);

        // A journal without a live writer belongs to a transaction that is half done.
        edo_await(rc, edo_path_info(self->journal_path, &self->journal));
        if (rc == 0 && self->journal.size > 0) {
            edo_await(rc, edo_file_try_lock(self->database, EDO_LOCK_SHARED, RESERVED, 1));
            if (rc != -EAGAIN) edo_return(rc < 0 ? rc : -EUCLEAN);
        } else if (rc < 0 && rc != -ENOENT) {
            edo_return(rc);
        }
        edo_await(rc, edo_path_copy(self->from, self->to, EDO_COPY_REPLACE));
        edo_return(rc);
    }
}

struct sqlite_copy {
    edo_frame(struct read_locked read_locked;);
    edo_args(const char *from, *to;);
    edo_file *database;
};

edo_async(sqlite_copy)
{
    edo_body {
        int64_t rc;
        edo_await(rc, edo_file_open(self->from, EDO_OPEN_READ, &self->database));
        if (rc < 0) edo_return(rc);
        edo_call(rc, read_locked, .database = self->database, .from = self->from, .to = self->to);
        edo_file_close(self->database); // its locks end with it
        edo_return(rc);
    }
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: sqlite_copy FROM TO\n");
        return EXIT_FAILURE;
    }
    return edo_run(sqlite_copy, .from = argv[1], .to = argv[2]);
}
