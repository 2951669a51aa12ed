/* All headers of channels and locks. */
#pragma once

#include <edo/broadcast.h>
#include <edo/cancel_token.h>
#include <edo/channels.h>
#include <edo/condvar.h>
#include <edo/events.h>
#include <edo/locks.h>
#include <edo/notify.h>
#include <edo/oneshot.h>
#include <edo/thread_locks.h>
#include <edo/watch.h>
