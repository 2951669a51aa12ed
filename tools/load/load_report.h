/* The result of a run, for people and for programs. */
#ifndef LOAD_REPORT_H
#define LOAD_REPORT_H

#include "load_client.h"
#include "load_server.h"

struct load_result {
    unsigned connections; // held during the run
    double seconds;       // the measured window, as it came out
    unsigned resets;

    bool server_measured;
    struct load_server_sample before_connecting;
    struct load_server_sample window_start;
    struct load_server_sample window_end;
};

/* One line a figure, on standard output. */
void load_report_text(const struct load_client *client, const struct load_result *result);

/* One JSON object on one line, on standard output. */
void load_report_json(const struct load_client *client, const struct load_result *result);

#endif
