/* Dumps at an abort: of all runtimes to stderr, whatever locks the thread may hold. */
#pragma once

/* Has edo__misuse() dump, if the environment asks for it (EDO_DUMP_ON_ABORT). */
void edo__dump_prepare(void);
