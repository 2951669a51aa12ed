/* edo-test: once
 * Contexts, as this processor switches them. */
#include "fiber/switches.h"
