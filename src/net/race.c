/* Connects to names by a look-up and a race of attempts (happy eyeballs, RFC 8305). States and
 * transitions:
 *
 *     LOOKING UP --- there is no address to try -----> ready, with an error
 *     LOOKING UP --- the addresses are ordered ------> RACING
 *     RACING ------- the next attempt is due --------> RACING, with one more attempt
 *     RACING ------- an attempt failed --------------> RACING, the next attempt is due at once
 *     RACING ------- an attempt succeeded -----------> ENDING, the other attempts are cancelled
 *     RACING ------- all attempts have failed -------> ready, with an error of the attempts
 *     ENDING ------- all attempts have ended --------> ready, with the connection of the winner
 *
 * A cancellation of the operation reaches the look-up and every attempt. So cancellation needs no
 * state of its own. After a cancellation, the race is ready when all attempts have ended. If one of
 * them has succeeded nevertheless, its connection is the result.
 *
 * The race belongs to the operation. Every attempt wakes the operation's task. A look-up returns
 * the addresses of both families together, so the race need not wait for a second answer (RFC 8305,
 * section 3).
 */
#include <edo/time.h>

#include "net/connect.h"
#include "task/future.h"
#include "task/op.h"

typedef struct attempt {
    edo_op op;
    edo_io *conn;
} attempt;

struct edo__race {
    edo_op lookup;
    edo_addresses *found;
    edo__address local;
    bool has_local;
    const edo_tcp_options *tcp; // options, or NULL
    bool abandoned;             // whether an attempt was cancelled
    int error;                  // first error of the greatest weight, or 0
    int64_t delay;
    int64_t next_start; // start of the next attempt; ns of the runtime's clock; 0: at once
    size_t started, running;
    edo_io *winner;
    attempt *attempts;          // found->count attempts
    const edo__address **order; // addresses of the attempts
};

edo__race *edo__race_create(const char *text, const edo__address *local, const edo_tcp_options *tcp,
                            int64_t delay)
{
    edo__race *race = edo__alloc_zeroed(sizeof *race);
    if (!race) return NULL;
    if (local) race->local = *local;
    race->has_local = local;
    race->tcp = tcp;
    race->delay = delay;
    edo__family family = local && !local->any ? (edo__family)local->family : EDO__FAMILY_ANY;
    race->lookup = edo__lookup(text, family, &race->found);
    return race;
}

void edo__race_destroy(edo__race *race)
{
    size_t count = race->found ? race->found->count : 0;
    edo__free(race->attempts, count * sizeof *race->attempts);
    edo__free(race->order, count * sizeof *race->order);
    edo_addresses_destroy(race->found);
    edo__free(race, sizeof *race);
}

static int line_up(edo__race *race)
{
    if (race->lookup.base.result < 0) return (int)race->lookup.base.result;
    if (race->found->any) return -EINVAL; // ":port" names no host to connect to
    race->attempts = edo__alloc(race->found->count * sizeof *race->attempts);
    race->order = edo__alloc(race->found->count * sizeof *race->order);
    if (!race->attempts || !race->order) return -ENOMEM;
    edo__addresses_interleave(race->found, race->order);
    return 0;
}

/* Weights of errors. If no attempt succeeds, the race returns the error with the greatest weight.
 * "No route" has the least weight, because that error shows nothing about the host. A shortage of
 * memory or descriptors has the greatest weight, because the address was not tried at all. */
enum { NO_WAY = 1, THE_HOSTS, SHORTAGE };

static int weight(int error)
{
    switch (-error) {
    case 0: return 0;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT: return NO_WAY;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM: return SHORTAGE;
    default: return THE_HOSTS;
    }
}

static void take_failure(edo__race *race, int error)
{
    race->next_start = 0;
    if (error == -ECANCELED)
        race->abandoned = true;
    else if (weight(error) > weight(race->error))
        race->error = error;
}

static void poll_attempt(edo__race *race, attempt *one, edo_cx *cx)
{
    if (one->op.base.state == EDO_DONE) return;
    if (edo_poll_future(&one->op.base, cx) == EDO_PENDING) return;
    race->running--;
    if (one->op.base.result < 0)
        take_failure(race, (int)one->op.base.result);
    else if (race->winner)
        edo_close(one->conn); // another attempt has already succeeded
    else
        race->winner = one->conn;
}

static void poll_attempts(edo__race *race, edo_cx *cx)
{
    for (size_t i = 0; i < race->started; i++)
        poll_attempt(race, &race->attempts[i], cx);
}

static bool is_complete(const edo__race *race)
{
    return race->winner || race->started == race->found->count;
}

/* Starts the attempts that are due. If the operation is cancelled, each attempt fails in its first
 * poll, before it opens a socket, and the next attempt is due at once. So the loop starts all
 * remaining attempts, without any effect outside. */
static void start_due(edo__race *race, edo_cx *cx)
{
    while (!is_complete(race) && cx->now >= race->next_start) {
        attempt *one = &race->attempts[race->started];
        one->op = edo__connect_to(race->order[race->started], race->has_local ? &race->local : NULL,
                                  race->tcp, &one->conn);
        race->next_start = edo__deadline_after(race->delay);
        race->started++;
        race->running++;
        poll_attempt(race, one, cx);
    }
}

/* Cancels all attempts. An attempt that remains pending wakes the task at its end. */
static void end_attempts(edo__race *race, edo_cx *cx)
{
    for (size_t i = 0; i < race->started; i++)
        edo__raise_fate(&race->attempts[i].op.base, EDO_CANCELLED);
    poll_attempts(race, cx);
}

static int result_of(const edo__race *race)
{
    if (race->winner) return 0;
    return race->abandoned ? -ECANCELED : race->error;
}

static edo_poll run(edo__race *race, edo_cx *cx)
{
    poll_attempts(race, cx);
    start_due(race, cx);
    if (race->winner) end_attempts(race, cx);
    if (race->running == 0) return EDO_READY;
    if (!is_complete(race)) edo_cx_deadline(cx, race->next_start);
    return EDO_PENDING;
}

edo_poll edo__race_poll(edo__race *race, edo_cx *cx, int64_t *ret_result, edo_io **ret_conn)
{
    if (!race->order) {
        if (edo_poll_future(&race->lookup.base, cx) == EDO_PENDING) return EDO_PENDING;
        int rc = line_up(race);
        if (rc < 0) {
            *ret_result = rc;
            return EDO_READY;
        }
    }
    if (run(race, cx) == EDO_PENDING) return EDO_PENDING;
    *ret_result = result_of(race);
    if (race->winner) *ret_conn = race->winner;
    return EDO_READY;
}
