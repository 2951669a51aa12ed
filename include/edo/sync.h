/* Channels and locks: all of them. */
#pragma once

#include <edo/cancel_token.h>
#include <edo/condvar.h>
#include <edo/events.h>
#include <edo/locks.h>
#include <edo/notify.h>
