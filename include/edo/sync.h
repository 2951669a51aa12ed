/* Channels and locks: all of them. */
#pragma once

#include <edo/locks.h>
#include <edo/notify.h>
#include <edo/thread_locks.h>
