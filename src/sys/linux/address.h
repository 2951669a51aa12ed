/* Conversion between addresses of edo and addresses of Linux. */
#pragma once

#include <sys/socket.h>

#include "sys/sockets.h"

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
enum { EDO__ADDRESS_SIZE_SHIFT = 0 }; // the size is in the last two bytes of a word
#else
enum { EDO__ADDRESS_SIZE_SHIFT = 48 };
#endif

/* Returns: the size of the struct sockaddr, in bytes. */
socklen_t edo__address_to_sockaddr(const edo__address *address, struct sockaddr_storage *ret);

/* Returns: 0; -EAFNOSUPPORT. */
int edo__address_from_sockaddr(const struct sockaddr_storage *storage, edo__address *ret_address);

int edo__family_to_af(edo__family family);

/* ---- edo_address: a struct sockaddr, then zeros, then the size in the last two bytes ---- */

enum { EDO__SOCKADDR_SIZE = 110 }; // size of the longest address, that of a Unix socket

/* Returns: the struct sockaddr inside an edo_address, for a system call that reads or writes it. */
static inline struct sockaddr *edo__address_place(const edo_address *address)
{
    return (struct sockaddr *)(uintptr_t)address;
}

/* Returns: size of the struct sockaddr, in bytes; 0 if there is no address. */
static inline socklen_t edo__address_size(const edo_address *address)
{
    return (socklen_t)(address->opaque[13] >> EDO__ADDRESS_SIZE_SHIFT & UINT16_MAX);
}

/* Stores the size that a system call has returned, at most EDO__SOCKADDR_SIZE. The returned size is
 * greater only for the longest path of a Unix socket: Linux then also counts a NUL, for which there
 * is no room. */
static inline void edo__address_set_size(edo_address *address, socklen_t size)
{
    uint64_t kept = size < EDO__SOCKADDR_SIZE ? size : EDO__SOCKADDR_SIZE;
    uint64_t mask = (uint64_t)UINT16_MAX << EDO__ADDRESS_SIZE_SHIFT;
    address->opaque[13] = (address->opaque[13] & ~mask) | kept << EDO__ADDRESS_SIZE_SHIFT;
}
