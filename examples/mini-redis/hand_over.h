/* Names of the listeners that a new version of the server inherits, see edo/inherit.h. */
#pragma once

#define HAND_OVER_TCP  "tcp"
#define HAND_OVER_UNIX "unix"
