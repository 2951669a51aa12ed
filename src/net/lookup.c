/* Look-ups of names. For a numeric address the result is ready at once. A name is looked up by a
 * job on the runtime's pool "dns".
 *
 * The job owns all memory that its thread uses. So a cancelled operation abandons its job and is
 * ready at once. If the abandoned job is running, its thread frees it when the system has
 * answered. */
#include <string.h>

#include "net/lookup.h"
#include "runtime/pool/blocking.h"
#include "task/op.h"

/* Look-up on a thread of the pool. The operation owns the job. If the operation abandons a running
 * job, the thread owns the job from then on. */
typedef struct job {
    edo__detached head;
    edo_pool *pool;
    edo__name name;
    edo__family family;
    edo_addresses *found; // empty until the job has run
} job;

static job *job_of(edo__detached *head)
{
    return edo__container(head, job, head);
}

static int64_t run(void *arg)
{
    job *j = job_of(arg);
    int count = edo__sys_resolve(j->name.host, j->name.service, j->family, &j->found->items);
    if (count < 0) return count;
    j->found->count = (size_t)count;
    return 0;
}

static void release(edo__detached *head)
{
    job *j = job_of(head);
    edo_addresses_destroy(j->found);
    edo__free(j, sizeof *j);
}

static edo_addresses *create_empty(bool any)
{
    edo_addresses *addresses = edo__alloc_zeroed(sizeof *addresses);
    if (addresses) addresses->any = any;
    return addresses;
}

static int create_job(edo_runtime *runtime, const edo__name *name, edo__family family,
                      job **ret_job)
{
    edo_pool *pool;
    int rc = edo_runtime_pool(runtime, "dns", &pool);
    if (rc < 0) return rc;
    edo_addresses *found = create_empty(name->any);
    job *j = found ? edo__alloc(sizeof *j) : NULL;
    if (!j) {
        edo_addresses_destroy(found);
        return -ENOMEM;
    }
    *j = (job){ .pool = pool, .name = *name, .family = family, .found = found };
    edo__detached_init(&j->head, run, release);
    *ret_job = j;
    return 0;
}

/* Makes the result for a numeric address. The result is a list with only that address. */
static int find_here(const edo__address *address, edo_addresses **ret_addresses)
{
    edo_addresses *found = create_empty(address->any);
    edo__address *item = found ? edo__alloc(sizeof *item) : NULL;
    if (!item) {
        edo_addresses_destroy(found);
        return -ENOMEM;
    }
    *item = *address;
    found->items = item;
    found->count = 1;
    *ret_addresses = found;
    return 0;
}

typedef struct EDO__OVERLAY lookup_op {
    edo_future base;
    const char *text;
    edo_addresses **ret_addresses;
    int64_t family;
    uint64_t progress;
    job *job; // NULL until the look-up has begun
    void *reserved;
    edo__op_state state;
} lookup_op;

EDO__OVERLAY_FITS(lookup_op);

static lookup_op *lookup_of(const edo_op *op)
{
    return (lookup_op *)(uintptr_t)op;
}

/* Completes the look-up of a numeric address or of an invalid text. For a name, creates the job.
 * Returns: true: the look-up is done, with its result in base.result; false: a job was created. */
static bool is_answered_here(edo_op *op, edo_cx *cx)
{
    edo__address address;
    edo__name name;
    lookup_op *self = lookup_of(op);
    int rc = edo__address_parse(self->text, &address);
    if (rc == 0) {
        op->base.result = find_here(&address, self->ret_addresses);
        return true;
    }
    rc = edo__name_parse(self->text, &name);
    if (rc == 0) rc = create_job(cx->runtime, &name, (edo__family)self->family, &self->job);
    op->base.result = rc;
    return rc < 0;
}

static edo_poll finish(edo_op *op, edo_cx *cx, edo__detached *head, int64_t result)
{
    if (head) {
        job *j = job_of(head);
        if (result == 0) {
            *lookup_of(op)->ret_addresses = j->found;
            j->found = NULL;
        }
        release(head);
    }
    return edo__op_finish(op, cx, result);
}

static edo_poll lookup_poll(edo_future *future, edo_cx *cx)
{
    edo_op *op = edo__op_of(future);
    if (!edo__has_budget(cx)) return EDO_PENDING;
    if (!lookup_of(op)->job) {
        if (cx->fate != EDO_LIVE) return edo__op_finish(op, cx, -ECANCELED);
        if (is_answered_here(op, cx)) return edo__op_finish(op, cx, op->base.result);
    }
    job *j = lookup_of(op)->job;
    edo__detached *head = &j->head;
    int64_t result;
    if (edo__detached_poll(&head, j->pool, cx, &result) == EDO_PENDING) return EDO_PENDING;
    return finish(op, cx, head, result);
}

static const edo_future_ops lookup_ops = { .name = "edo_lookup", .poll = lookup_poll };

edo_op edo__lookup(const char *text, edo__family family, edo_addresses **ret_addresses)
{
    edo_op op = edo__op(&lookup_ops, NULL, NULL, 0, 0);
    lookup_of(&op)->text = text;
    lookup_of(&op)->ret_addresses = ret_addresses;
    lookup_of(&op)->family = family;
    return op;
}

edo_op edo_lookup(const char *address, edo_addresses **ret_addresses)
{
    edo__check_memory("edo_lookup", address, "address");
    edo__check_memory("edo_lookup", ret_addresses, "output");
    if (!ret_addresses) return edo__op_refuse(-EINVAL);
    return edo__lookup(address, EDO__FAMILY_ANY, ret_addresses);
}
