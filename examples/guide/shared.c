/* Shared state of several tasks: a balance that stays right across an await. */
#include <stdio.h>

#include <edo/edo.h>

/* region: shared */
struct account {
    edo_mutex mutex; // all zero: free
    int balance;     // guarded by the mutex
};

struct deposit {
    edo_frame();
    edo_args(struct account *account; int amount;);
    int before;
};

edo_async(deposit)
{
    edo_body {
        int rc;
        edo_lock(rc, &self->account->mutex);
        if (rc < 0) edo_return(rc); // cancelled: not locked
        self->before = self->account->balance;
        edo_await_void(edo_sleep(edo_ms(1))); // other tasks run, and find it locked
        self->account->balance = self->before + self->amount;
        edo_mutex_unlock(&self->account->mutex);
        edo_return(0);
    }
}
/* end: shared */

struct bank {
    edo_frame();
    edo_args();
    struct account account;
    edo_scope scope;
    int i;
};

edo_async(bank)
{
    edo_body {
        int rc = 0;
        self->account = (struct account){ EDO_MUTEX_INIT, 0 };
        edo_scope_open(&self->scope, 0);
        for (self->i = 1; self->i <= 4 && rc == 0; self->i++)
            rc = edo_scope_spawn(&self->scope, deposit, &self->account, .amount = self->i);
        if (rc < 0) edo_scope_cancel(&self->scope);
        edo_await(rc, edo_scope_join(&self->scope));
        printf("balance: %d\n", self->account.balance);
        edo_return(rc);
    }
}

int main(void)
{
    return edo_run(bank);
}
