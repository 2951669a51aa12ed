/* Dumps at an abort. Such a dump writes all runtimes to stderr, even if the thread holds locks. */
#pragma once

/* Makes edo__misuse() dump all tasks, if EDO_DUMP_ON_ABORT is set in the environment. */
void edo__dump_prepare(void);
