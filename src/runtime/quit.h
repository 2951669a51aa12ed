/* Dumps at SIGQUIT. */
#pragma once

/* Enter has SIGQUIT dump all runtimes with dump_on_quit, until as many calls of leave. Returns: 0
 * or -EAGAIN. */
int edo__quit_enter(void);
void edo__quit_leave(void);
