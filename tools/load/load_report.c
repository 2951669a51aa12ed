#include "load_report.h"

#include <inttypes.h>
#include <stdio.h>

#define NS_PER_US 1000.0
#define US_PER_MS 1000.0

static const struct {
    const char *name;
    const char *key;
    double fraction;
} quantiles[] = {
    { "latency p50", "p50", 0.5 },
    { "latency p99", "p99", 0.99 },
    { "latency p99.9", "p99_9", 0.999 },
};

enum { QUANTILES = sizeof quantiles / sizeof quantiles[0] };

static const char *const failure_keys[LOAD_FAILURES] = {
    [LOAD_CONNECT_FAILED] = "connect",
    [LOAD_LOST] = "lost",
    [LOAD_MISMATCH] = "mismatch",
    [LOAD_STALLED] = "stalled",
};

static double rate(const struct load_client *client, const struct load_result *result)
{
    return result->seconds > 0 ? (double)client->latency.count / result->seconds : 0;
}

static double quantile_us(const struct load_client *client, unsigned i)
{
    return (double)load_histogram_quantile(&client->latency, quantiles[i].fraction) / NS_PER_US;
}

static double max_us(const struct load_client *client)
{
    return (double)client->latency.max / NS_PER_US;
}

static double bytes_per_connection(const struct load_result *result)
{
    double grown = (double)result->window_end.rss_bytes -
                   (double)result->before_connecting.rss_bytes;
    return result->connections > 0 ? grown / result->connections : 0;
}

static double cpu_us_per_request(const struct load_client *client, const struct load_result *result)
{
    uint64_t spent = result->window_end.cpu_ns - result->window_start.cpu_ns;
    uint64_t requests = client->latency.count;
    return requests > 0 ? (double)spent / NS_PER_US / (double)requests : 0;
}

/* Text */

static void print_latency(const char *name, double us)
{
    if (us < US_PER_MS)
        printf("%-28s %12.1f us\n", name, us);
    else
        printf("%-28s %12.2f ms\n", name, us / US_PER_MS);
}

static void print_latencies(const struct load_client *client)
{
    if (client->latency.count == 0) return;
    for (unsigned i = 0; i < QUANTILES; i++)
        print_latency(quantiles[i].name, quantile_us(client, i));
    print_latency("latency max", max_us(client));
}

static void print_failures(const struct load_client *client)
{
    printf("%-28s %12" PRIu64, "errors", load_client_failures(client));
    for (unsigned i = 0; i < LOAD_FAILURES; i++) {
        if (client->failures[i] > 0) printf("  %s: %" PRIu64, failure_keys[i], client->failures[i]);
    }
    putchar('\n');
}

void load_report_text(const struct load_client *client, const struct load_result *result)
{
    const struct load_options *options = client->options;
    printf("%-28s %12u\n", "connections", result->connections);
    if (!options->idle) {
        printf("%-28s %12.0f  (%zu bytes, %u in flight each, %.1f s)\n", "requests/s",
               rate(client, result), options->message_bytes, options->pipeline, result->seconds);
        print_latencies(client);
    }
    if (result->server_measured)
        printf("%-28s %12.0f bytes (resident)\n", "server memory per connection",
               bytes_per_connection(result));
    if (result->server_measured && !options->idle)
        printf("%-28s %12.2f us\n", "server CPU per request", cpu_us_per_request(client, result));
    if (options->resets > 0)
        printf("%-28s %12u  (%u others went on and ended correctly)\n", "connections reset",
               result->resets, client->finished);
    if (options->verify) printf("%-28s %12" PRIu64 "\n", "bytes verified", client->verified);
    print_failures(client);
}

/* JSON */

static void print_json_latency(const struct load_client *client)
{
    printf(",\"latency_us\":{");
    for (unsigned i = 0; i < QUANTILES; i++)
        printf("\"%s\":%.1f,", quantiles[i].key, quantile_us(client, i));
    printf("\"max\":%.1f}", max_us(client));
}

static void print_json_server(const struct load_client *client, const struct load_result *result)
{
    printf(",\"server\":{\"rss_before_bytes\":%" PRIu64 ",\"rss_after_bytes\":%" PRIu64
           ",\"bytes_per_connection\":%.1f",
           result->before_connecting.rss_bytes, result->window_end.rss_bytes,
           bytes_per_connection(result));
    if (!client->options->idle)
        printf(",\"cpu_us_per_request\":%.4f", cpu_us_per_request(client, result));
    putchar('}');
}

static void print_json_failures(const struct load_client *client)
{
    printf(",\"errors\":%" PRIu64, load_client_failures(client));
    printf(",\"errors_by_kind\":{");
    for (unsigned i = 0; i < LOAD_FAILURES; i++)
        printf("%s\"%s\":%" PRIu64, i > 0 ? "," : "", failure_keys[i], client->failures[i]);
    putchar('}');
}

void load_report_json(const struct load_client *client, const struct load_result *result)
{
    const struct load_options *options = client->options;
    printf("{\"connections\":%u,\"connections_asked\":%u", result->connections,
           options->connections);
    printf(",\"message_bytes\":%zu,\"pipeline\":%u,\"seconds\":%.3f", options->message_bytes,
           options->pipeline, result->seconds);
    printf(",\"requests\":%" PRIu64 ",\"requests_per_second\":%.1f", client->latency.count,
           rate(client, result));
    print_json_latency(client);
    printf(",\"verified_bytes\":%" PRIu64, client->verified);
    printf(",\"resets\":%u,\"finished\":%u", result->resets, client->finished);
    if (result->server_measured) print_json_server(client, result);
    print_json_failures(client);
    puts("}");
}
