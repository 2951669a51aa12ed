/* Dumps at SIGQUIT. */
#pragma once

/* edo__quit_enter() makes SIGQUIT dump all runtimes that have dump_on_quit. Each successful
 * edo__quit_enter() needs one edo__quit_leave(). After the last edo__quit_leave(), SIGQUIT no
 * longer dumps. Returns: 0 or a negative errno, such as -EAGAIN. */
int edo__quit_enter(void);
void edo__quit_leave(void);
