/* Collection of edo's log. */
#include "support/support.h"

#include <pthread.h>
#include <string.h>

#include <edo/base.h>

enum { MAX_LINES = 256, LINE_SIZE = 512 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char lines[MAX_LINES][LINE_SIZE];
static size_t count; // including lines that were dropped for lack of room

static void collect(void *context, edo_log_level level, const char *line)
{
    (void)context;
    (void)level;
    pthread_mutex_lock(&lock);
    if (count < MAX_LINES) strncpy(lines[count], line, LINE_SIZE - 1);
    count++;
    pthread_mutex_unlock(&lock);
}

void log_capture(void)
{
    memset(lines, 0, sizeof lines);
    count = 0;
    edo_set_log(collect, NULL);
}

void log_release(void)
{
    edo_set_log(NULL, NULL);
}

size_t log_lines(const char *text)
{
    size_t found = 0;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < count && i < MAX_LINES; i++)
        if (!text || strstr(lines[i], text)) found++;
    if (!text) found = count;
    pthread_mutex_unlock(&lock);
    return found;
}
