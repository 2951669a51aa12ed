/* Runs models, and reports the results. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "model/engine.h"

bool engine_execute(void (*run)(void *));

enum { TRACE_STEPS = 200, MESSAGE_SIZE = 512, MAX_OUTCOMES = 64, CHOICES_SIZE = 32 * 1024 };

static model_info *models;
static char message[MESSAGE_SIZE];
static const char *only;
static bool wants_stats, wants_stop;
static uint64_t max_executions = UINT64_MAX;

void model_register(model_info *info)
{
    model_info **link = &models;
    while (*link)
        link = &(*link)->next;
    *link = info;
}

void report_failure(const char *format, va_list args)
{
    vsnprintf(message, sizeof message, format, args);
}

/* ---- the trace ---- */

static const char *const kind_names[] = {
    [STEP_START] = "start",
    [STEP_LOAD] = "load",
    [STEP_STORE] = "store",
    [STEP_MODIFY] = "modify",
    [STEP_CAS] = "cas",
    [STEP_FENCE] = "fence",
    [STEP_LOCK] = "lock",
    [STEP_TRY_LOCK] = "try lock",
    [STEP_UNLOCK] = "unlock",
    [STEP_WAIT] = "wait",
    [STEP_POST] = "post",
    [STEP_JOIN] = "join",
    [STEP_FUTEX_WAIT] = "futex wait",
    [STEP_FUTEX_WAKE] = "futex wake",
};

static const char *order_name(model_order order)
{
    switch (order) {
    case MODEL_RELAXED: return "relaxed";
    case MODEL_ACQUIRE: return "acquire";
    case MODEL_RELEASE: return "release";
    case MODEL_ACQ_REL: return "acq_rel";
    case MODEL_SEQ_CST: return "seq_cst";
    }
    return "";
}

static void print_values(int index)
{
    unsigned long long value = model_run.steps[index].value, other = model_run.steps[index].other;
    switch (model_run.steps[index].what.kind) {
    case STEP_LOAD: printf(" = %llx", value); break;
    case STEP_STORE: printf(" <- %llx", value); break;
    case STEP_MODIFY: printf(" %llx -> %llx", other, value); break;
    case STEP_CAS:
        if (model_run.steps[index].failed)
            printf(" failed, found %llx", other);
        else
            printf(" %llx -> %llx", other, value);
        break;
    default: break;
    }
}

static void print_source(int index)
{
    int from = model_run.steps[index].from;
    if (from == NO_STORE) return;
    const store *s = &model_run.stores[from];
    if (s->thread < 0)
        printf("  (initial value)");
    else
        printf("  (from step %d)", s->step);
}

static void print_step(int index)
{
    const step *s = &model_run.steps[index].what;
    const char *file = s->place.file ? strrchr(s->place.file, '/') : NULL;
    printf("  %4d  %*sthread %d: %s", index, model_run.steps[index].thread * 2, "",
           model_run.steps[index].thread, kind_names[s->kind]);
    if (s->kind <= STEP_FENCE) printf(" %s", order_name(s->order));
    if (s->location != NO_STORE) printf(" [%d]", s->location);
    print_values(index);
    print_source(index);
    if (s->place.file) printf("  %s:%d", file ? file + 1 : s->place.file, s->place.line);
    printf("\n");
}

static void print_failure(const model_info *info)
{
    static char choices[CHOICES_SIZE];
    printf("%s: %s\n", info->name, message);
    int first = model_run.step_count > TRACE_STEPS ? model_run.step_count - TRACE_STEPS : 0;
    if (first) printf("  ... %d steps\n", first);
    for (int i = first; i < model_run.step_count; i++)
        print_step(i);
    explore_print_choices(choices, sizeof choices);
    printf("  again with: --only %s --replay %s\n", info->name, choices);
}

/* ---- outcomes of litmus tests ---- */

static char outcomes[MAX_OUTCOMES][sizeof model_run.outcome];
static int outcome_count;

void model_outcome(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(model_run.outcome, sizeof model_run.outcome, format, args);
    va_end(args);
}

static void collect_outcome(void)
{
    if (!*model_run.outcome) return;
    for (int i = 0; i < outcome_count; i++)
        if (!strcmp(outcomes[i], model_run.outcome)) return;
    if (outcome_count < MAX_OUTCOMES) strcpy(outcomes[outcome_count++], model_run.outcome);
}

static int compare(const void *a, const void *b)
{
    return strcmp(a, b);
}

static bool outcomes_match(const model_info *info)
{
    char all[MAX_OUTCOMES * sizeof model_run.outcome] = "";
    qsort(outcomes, (size_t)outcome_count, sizeof *outcomes, compare);
    for (int i = 0; i < outcome_count; i++) {
        strcat(all, outcomes[i]);
        strcat(all, "\n");
    }
    if (!strcmp(all, info->outcomes)) return true;
    printf("%s: the outcomes are\n%sbut should be\n%s", info->name, all, info->outcomes);
    return false;
}

/* ---- one model ---- */

typedef struct findings {
    uint64_t executions, steps;
    bool failed;
    double seconds;
} findings;

static findings total;
static void (*run_now)(void);

static void run_model(void *argument)
{
    (void)argument;
    run_now();
}

/* CPU time, so that figures do not depend on the load of the machine. */
static double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static findings explore(const model_info *info, const char *replay)
{
    findings f = { 0 };
    double start = seconds_now();
    uint64_t most = info->samples && info->samples < max_executions ? info->samples
                                                                    : max_executions;
    outcome_count = 0;
    model_options_now.samples = info->samples > 0;
    run_now = info->run;
    explore_begin(replay);
    do {
        f.failed = !engine_execute(run_model);
        f.executions++;
        f.steps += (uint64_t)model_run.step_count;
        if (!f.failed) collect_outcome();
    } while (!f.failed && !replay && f.executions < most && explore_advance());
    f.seconds = seconds_now() - start;
    total.executions += f.executions;
    total.steps += f.steps;
    total.seconds += f.seconds;
    return f;
}

static bool is_as_expected(const model_info *info, const findings *f)
{
    if (f->failed && info->expect && strstr(message, info->expect)) return true;
    if (f->failed) {
        print_failure(info);
        return false;
    }
    if (info->expect) {
        printf("%s: passed, but \"%s\" was to be found\n", info->name, info->expect);
        return false;
    }
    return !info->outcomes || outcomes_match(info);
}

static bool run_one(const model_info *info, const char *replay)
{
    findings f = explore(info, replay);
    if (replay) {
        if (f.failed) print_failure(info);
        return !f.failed;
    }
    bool good = is_as_expected(info, &f);
    if (wants_stats || !good)
        printf("%-36s %s  %9llu executions %11llu steps %8.2f s\n", info->name,
               good ? "ok  " : "FAIL", (unsigned long long)f.executions,
               (unsigned long long)f.steps, f.seconds);
    return good;
}

/* ---- the program ---- */

static void list_models(void)
{
    for (const model_info *info = models; info; info = info->next)
        printf("%-36s %s\n", info->name, info->proves);
}

/* Prints the table for docs/internals/model.md. */
static void print_litmus_table(void)
{
    printf("| test | what | allowed outcomes, and no others |\n|---|---|---|\n");
    for (const model_info *info = models; info; info = info->next) {
        if (!info->outcomes) continue;
        printf("| `%s` | %s | ", info->name, info->proves);
        for (const char *c = info->outcomes; *c; c++)
            if (*c != '\n')
                putchar(*c);
            else if (c[1])
                printf("; ");
        printf(" |\n");
    }
}

static const char *value_of(int argc, char **argv, int *at)
{
    if (*at + 1 == argc) {
        fprintf(stderr, "%s needs a value\n", argv[*at]);
        exit(2);
    }
    return argv[++*at];
}

static const char *parse(int argc, char **argv)
{
    const char *replay = NULL;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--list")) {
            list_models();
            exit(0);
        } else if (!strcmp(argv[i], "--litmus-table")) {
            print_litmus_table();
            exit(0);
        } else if (!strcmp(argv[i], "--only")) {
            only = value_of(argc, argv, &i);
        } else if (!strcmp(argv[i], "--replay")) {
            replay = value_of(argc, argv, &i);
        } else if (!strcmp(argv[i], "--plain")) {
            model_options_now.plain = true;
        } else if (!strcmp(argv[i], "--stats")) {
            wants_stats = true;
        } else if (!strcmp(argv[i], "--stop")) {
            wants_stop = true;
        } else if (!strcmp(argv[i], "--preemptions")) {
            model_options_now.preemptions = atoi(value_of(argc, argv, &i));
        } else if (!strcmp(argv[i], "--max-executions")) {
            max_executions = strtoull(value_of(argc, argv, &i), NULL, 10);
        } else {
            fprintf(stderr, "unknown option %s\n", argv[i]);
            exit(2);
        }
    }
    return replay;
}

/* Options: --list, --litmus-table, --only NAME, --replay CHOICES, --plain (no reduction),
 * --preemptions N, --max-executions N, --stats, --stop (at the first failure). */
int main(int argc, char **argv)
{
    unsigned passed = 0, failed = 0;
    const char *replay = parse(argc, argv);
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (const model_info *info = models; info; info = info->next) {
        if (only && strcmp(only, info->name) != 0) continue;
        if (wants_stop && failed) break;
        if (run_one(info, replay))
            passed++;
        else
            failed++;
    }
    printf("%u passed, %u failed", passed, failed);
    if (wants_stats)
        printf(": %llu executions, %llu steps, %.2f s, %.0f steps per second",
               (unsigned long long)total.executions, (unsigned long long)total.steps, total.seconds,
               (double)total.steps / total.seconds);
    printf("\n");
    return failed || !passed;
}
