/* Version of edo at build time; edo_version() returns the version of the library that runs. */
#pragma once

#define EDO_VERSION_MAJOR 0
#define EDO_VERSION_MINOR 1
#define EDO_VERSION_PATCH 0

/* One number that grows with every release: 0xMMmmpp. */
#define EDO_VERSION ((EDO_VERSION_MAJOR << 16) | (EDO_VERSION_MINOR << 8) | EDO_VERSION_PATCH)
