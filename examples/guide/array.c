/* As many at once as an array has. */
#include <stdio.h>

#include <edo/edo.h>

struct guess {
    edo_frame();
    edo_args(int number;);
};

edo_async(guess)
{
    edo_body {
        edo_try(edo_sleep(edo_ms(10 * self->number)));
        edo_return(self->number);
    }
}

/* region: guesses */
enum { MOST = 16 };

struct guesses {
    edo_frame();
    edo_args(size_t count;); // at most MOST
    struct guess guesses[MOST];
};

edo_async(guesses)
{
    edo_body {
        int which;
        for (size_t i = 0; i < self->count; i++)
            edo_init(&self->guesses[i], guess, .number = (int)(self->count - i));
        edo_all_of(self->guesses, self->count);
        for (size_t i = 0; i < self->count; i++)
            printf("%d ", (int)self->guesses[i].base.result);

        for (size_t i = 0; i < self->count; i++)
            edo_init(&self->guesses[i], guess, .number = i == 3 ? 0 : 100);
        edo_select_of(which, self->guesses, self->count);
        printf("and number %d is first\n", which);
        edo_return(which);
    }
}
/* end: guesses */

int main(void)
{
    return edo_run(guesses, .count = 5);
}
