/* Watching a directory. */
#include <stdio.h>
#include <string.h>

#include <edo/edo.h>

/* region: report */
/* Reports changes below a directory until `stop` is made there. */
struct report {
    edo_frame();
    edo_args(edo_watcher *watcher;);
    edo_file_event event;
};

edo_async(report)
{
    edo_body {
        int64_t rc;
        for (;;) {
            edo_try(rc, edo_watcher_next(self->watcher, &self->event));
            if (self->event.kind == EDO_FILES_LOST) printf("events were lost: scan again\n");
            if (self->event.kind == EDO_FILE_CREATED) {
                const char *name = strrchr(self->event.path, '/') + 1;
                if (strcmp(name, "stop") == 0) edo_return(0);
                printf("made: %s\n", name);
            }
        }
    }
}
/* end: report */

struct watch_files {
    edo_frame(struct report report;);
    edo_args();
    edo_watcher *watcher;
    char dir[64], path[128];
};

edo_async(watch_files)
{
    edo_body {
        int64_t rc;
        snprintf(self->dir, sizeof self->dir, "/tmp/edo-watch-%p", (void *)self);
        edo_try(rc, edo_path_make_dir(self->dir));
        edo_check(edo_watcher_create(&self->watcher));
        edo_try(rc, edo_watcher_add(self->watcher, self->dir, EDO_WATCH_TREE));
        snprintf(self->path, sizeof self->path, "%s/new", self->dir);
        edo_try(rc, edo_file_write_whole(self->path, "text", 4));
        snprintf(self->path, sizeof self->path, "%s/stop", self->dir);
        edo_try(rc, edo_file_write_whole(self->path, "", 0));
        edo_call(rc, report, .watcher = self->watcher);
        edo_watcher_close(self->watcher);
        edo_try(rc, edo_path_remove_tree(self->dir));
        edo_return(0);
    }
}

int main(void)
{
    return edo_run(watch_files);
}
