/* A scope whose members' failures are their own, and one member that is cancelled. */
#include <stdio.h>

#include <edo/edo.h>

struct guest {
    edo_frame();
    edo_args(const char *name; int64_t stays;);
};

edo_async(guest)
{
    edo_body {
        int rc;
        edo_await(rc, edo_sleep(self->stays));
        printf("%s: %s\n", self->name, edo_strerror(rc));
        edo_return(rc < 0 ? rc : -EPROTO); // no guest is content
    }
}

/* region: host */
struct host {
    edo_frame();
    edo_args();
    edo_scope guests;
    uint64_t bob; // a number, never used again: it may outlive Bob
};

edo_async(host)
{
    edo_body {
        int rc;
        edo_scope_open(&self->guests, EDO_SCOPE_IGNORE);
        rc = edo_scope_spawn(&self->guests, guest, .name = "alice", .stays = edo_ms(20));
        if (rc == 0)
            rc = edo_scope_spawn_member(&self->bob, &self->guests, guest, .name = "bob",
                                        .stays = edo_s(3600));
        if (rc < 0) edo_scope_cancel(&self->guests);
        if (rc == 0) edo_scope_cancel_member(&self->guests, self->bob);
        edo_await(rc, edo_scope_join(&self->guests)); // alice goes on
        printf("all gone: %s\n", edo_strerror(rc));
        if (edo_scope_cancel_member(&self->guests, self->bob) == -ESRCH) printf("so is bob\n");
        edo_return(rc);
    }
}
/* end: host */

int main(void)
{
    return edo_run(host);
}
