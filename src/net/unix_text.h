/* Names of Unix sockets as text. Thread: any. */
#pragma once

#include <edo/address.h>

/* Parses the text after "unix:". Returns: 0; -EINVAL; -ENAMETOOLONG. */
int edo__unix_text_parse(const char *text, edo_address *ret_address);

/* Writes "unix:" and the name, with the final NUL. Returns: the length; -ENOSPC. */
int edo__unix_text_format(const edo_address *address, char *buffer, size_t size);
