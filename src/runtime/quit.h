/* Dumps at SIGQUIT. */
#pragma once

/* From now on SIGQUIT dumps all runtimes with dump_on_quit. Returns: 0 or -EAGAIN. */
int edo__quit_enter(void);
void edo__quit_leave(void);
