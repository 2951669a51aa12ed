/* A password, read from a terminal without echo. */
#define _XOPEN_SOURCE 600 // posix_openpt()
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <edo/edo.h>

/* region: ask */
/* Result: length of the password. */
struct ask {
    edo_frame();
    edo_args(edo_io *terminal; char *password; size_t size;);
    edo_terminal_mode mode;
};

edo_async(ask)
{
    edo_body {
        int64_t n;
        edo_check(edo_terminal_enter(&self->mode, self->terminal, EDO_TERMINAL_NO_ECHO,
                                     EDO_TERMINAL_ON_SIGNALS));
        edo_await(n, edo_write_all(self->terminal, "Password: ", 10));
        if (n >= 0) edo_await(n, edo_read(self->terminal, self->password, self->size)); // a line
        edo_terminal_leave(&self->mode); // the echo is back, also when the read was cancelled
        edo_return(n);
    }
}
/* end: ask */

/* The user, at the other end of the terminal. */
struct user {
    edo_frame();
    edo_args(edo_io *keyboard; char *screen; size_t size;);
    size_t shown;
};

edo_async(user)
{
    edo_body {
        int64_t n;
        edo_await(n, edo_read_exact(self->keyboard, self->screen, 10)); // the question
        edo_check(n);
        edo_await(n, edo_write_all(self->keyboard, "secret\n", 7));
        edo_check(n);
        edo_await(n, edo_read_exact(self->keyboard, self->screen + 10, 2)); // the end of the line
        edo_return(n);
    }
}

struct play {
    edo_frame();
    edo_args(edo_io *terminal; edo_io *keyboard;);
    struct ask ask;
    struct user user;
    char password[32], screen[13];
};

edo_async(play)
{
    edo_body {
        edo_init(&self->ask, ask, .terminal = self->terminal, .password = self->password,
                 .size = sizeof self->password);
        edo_init(&self->user, user, .keyboard = self->keyboard, .screen = self->screen,
                 .size = sizeof self->screen);
        edo_all(&self->ask.base, &self->user.base);
        self->screen[10] = '\0';
        printf("the user sees: %s\n", self->screen);
        printf("the program reads: %.6s\n", self->password);
        edo_close(self->terminal);
        edo_close(self->keyboard);
        edo_return(self->ask.base.result);
    }
}

int main(void)
{
    edo_io *terminal, *keyboard;
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    if (master < 0 || grantpt(master) < 0 || unlockpt(master) < 0) return EXIT_FAILURE;
    int slave = open(ptsname(master), O_RDWR | O_NOCTTY);
    if (edo_io_from_fd(master, &keyboard) < 0 || edo_io_from_fd(slave, &terminal) < 0)
        return EXIT_FAILURE;
    return edo_run(play, .terminal = terminal, .keyboard = keyboard);
}
