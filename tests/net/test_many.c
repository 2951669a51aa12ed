/* Many connections at once. EDO_MANY_CONNECTIONS and EDO_MANY_SECONDS make it larger:
 * tests/stress/stress_many.c runs it with 10,000. */
#include "support/support.h"

#include <stdlib.h>

#include <edo/time.h>

#include "support/many.h"

enum { CONNECTIONS = 2000, SECONDS = 2 };

static unsigned number(const char *name, unsigned otherwise)
{
    const char *text = getenv(name);
    return text ? (unsigned)strtoul(text, NULL, 0) : otherwise;
}

test(few)
{
    run_many((many_options){ .connections = 3, .duration = edo_ms(50) });
}

test(many)
{
    run_many((many_options){ .connections = number("EDO_MANY_CONNECTIONS", CONNECTIONS),
                             .duration = edo_s(number("EDO_MANY_SECONDS", SECONDS)) });
}
