/* verdicts.c - N adversarial endings (endings.c), each checked against the only verdicts that are
 * right for it; the bound is none misclassified. For comparison the rule "exit code 137 means out
 * of memory, 124 a timeout, 143 a cancelled job" judges the same endings from what a shell would
 * show; endings that Tako itself brought about are not held against it.
 *
 * Also: CASE=i runs one case of a seed and shows it. EXCEPT="kind" leaves out rows of that name.
 * SPDX-License-Identifier: MIT */
#include "endings.h"
#include "stress.h"

#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#define VERDICTS_WORKERS 2
#define VERDICTS_SHOWN 10

struct verdicts {
    struct stress stress;
    struct ending_host host;
    const char *except;
    tako *t;
    pthread_mutex_t lock; /* what follows */
    long next, done, wrong, rule_wrong;
};

/* ---- what is right --------------------------------------------------------------------------- */

static const char *verdicts_signal_type(int number)
{
    switch (number) {
    case SIGSEGV:
        return "segfault";
    case SIGABRT:
        return "abort";
    case SIGFPE:
        return "arithmetic_error";
    case SIGBUS:
        return "bus_error";
    case SIGPIPE:
        return "pipe_error";
    default:
        return "killed";
    }
}

/* Status and error type that go with a verdict; type NULL = none. */
static tako_status verdicts_status(const struct ending *e, const struct ending_verdict *is,
                                   const char **type)
{
    *type = NULL;
    switch (is->verdict) {
    case TAKO_VERDICT_EXIT:
        if (is->exit_code == 0)
            return TAKO_SUCCEEDED;
        *type = e->error_type ? e->error_type : "";
        return TAKO_FAILED;
    case TAKO_VERDICT_SIGNAL:
        *type = verdicts_signal_type(is->signal);
        return TAKO_FAILED;
    case TAKO_VERDICT_WALL:
    case TAKO_VERDICT_CPU:
        *type = "execution_timeout";
        return TAKO_TIMEOUT;
    case TAKO_VERDICT_OOM:
        *type = "oom";
        return TAKO_OOM;
    case TAKO_VERDICT_CANCELLED:
        *type = "cancelled";
        return TAKO_CANCELLED;
    case TAKO_VERDICT_OUTPUT:
        *type = "killed";
        return TAKO_FAILED;
    case TAKO_VERDICT_VIOLATION:
        *type = "permission";
        return TAKO_FAILED;
    case TAKO_VERDICT_NONE:
    case TAKO_VERDICT_SETUP:
    case TAKO_VERDICT_LOST:
    case TAKO_VERDICT_HOST_OOM:
        break;
    }
    return TAKO_FAILED;
}

static int64_t verdicts_most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* NULL = the record is right; else what is wrong with it. */
static const char *verdicts_check(const struct ending *e, const tako_record *rec, int cancel_rc)
{
    const char *type, *is_type = tako_record_error_type(rec);
    const struct ending_verdict *right = NULL;
    tako_status status;
    int i;

    for (i = 0; i < e->n_right && !right; i++)
        if (e->right[i].verdict == tako_record_verdict(rec))
            right = &e->right[i];
    if (!right)
        return "verdict";
    if (tako_record_exit_code(rec) != right->exit_code)
        return "exit code";
    if ((right->verdict == TAKO_VERDICT_EXIT || right->verdict == TAKO_VERDICT_SIGNAL) &&
        tako_record_signal(rec) != right->signal)
        return "signal";
    status = verdicts_status(e, right, &type);
    if (right->verdict == TAKO_VERDICT_EXIT && e->rlimit_oom) {
        type = "oom";
        status = tako_record_status(rec) == TAKO_OOM ? TAKO_OOM : status;
    }
    if (tako_record_status(rec) != status)
        return "status";
    if (type ? !is_type || (*type && strcmp(type, is_type) != 0) : is_type != NULL)
        return "error type";
    if (tako_record_attempt(rec) != 1)
        return "attempt";
    if (right->verdict == TAKO_VERDICT_WALL && tako_record_wall_us(rec) < e->job.timeout_ms * 1000)
        return "timeout before the limit";
    if (right->verdict == TAKO_VERDICT_CPU &&
        tako_record_cpu_us(rec) < e->job.cpu_timeout_ms * 1000)
        return "CPU timeout before the limit";
    if (right->verdict == TAKO_VERDICT_OUTPUT &&
        verdicts_most(tako_record_stdout_bytes(rec), tako_record_stderr_bytes(rec)) <=
            e->job.output_kill_bytes)
        return "output killed within its limit";
    if (right->verdict == TAKO_VERDICT_CANCELLED && cancel_rc != TAKO_OK)
        return "cancelled by nobody";
    if (e->cancel_after_us < 0 && tako_record_wall_us(rec) < 0)
        return "wall time is missing";
    return NULL;
}

/* What a shell would show of the ending, judged by the exit code alone. */
static bool verdicts_rule_errs(const tako_record *rec, const struct ending_verdict *right,
                               tako_status status)
{
    tako_status says;
    int shown;

    if (right->verdict == TAKO_VERDICT_EXIT)
        shown = right->exit_code;
    else if (right->verdict == TAKO_VERDICT_SIGNAL)
        shown = 128 + right->signal;
    else if (right->verdict == TAKO_VERDICT_OOM)
        shown = 128 + SIGKILL;
    else if (right->verdict == TAKO_VERDICT_VIOLATION)
        shown = 128 + SIGSYS;
    else
        return false; /* who killed it knows why */
    says = shown == 0     ? TAKO_SUCCEEDED
           : shown == 137 ? TAKO_OOM
           : shown == 124 ? TAKO_TIMEOUT
           : shown == 143 ? TAKO_CANCELLED
                          : TAKO_FAILED;
    if (right->verdict == TAKO_VERDICT_EXIT && tako_record_status(rec) == TAKO_OOM)
        status = TAKO_OOM;
    return says != status;
}

/* ---- one case -------------------------------------------------------------------------------- */

static void verdicts_show(const struct verdicts *v, long index, const struct ending *e,
                          const tako_record *rec, const char *wrong)
{
    const char *message = tako_record_error_message(rec), *type = tako_record_error_type(rec);
    size_t len;
    const char *text = tako_record_stderr(rec, &len);
    int i;

    fprintf(stderr, "\n%s: case %ld (SEED=%llu CASE=%ld), \"%s\": %s\n", v->stress.name, index,
            (unsigned long long)v->stress.seed, index, e->kind, wrong ? "WRONG:" : "right");
    if (wrong)
        fprintf(stderr, "  what is wrong: %s\n", wrong);
    fprintf(stderr,
            "  record: %s, verdict %s, exit code %d, signal %d, error type %s (%s), wall %lld us, "
            "cpu %lld us, peak %lld, oom kills %lld\n",
            tako_status_name(tako_record_status(rec)), tako_verdict_name(tako_record_verdict(rec)),
            tako_record_exit_code(rec), tako_record_signal(rec), type ? type : "none",
            message ? message : "", (long long)tako_record_wall_us(rec),
            (long long)tako_record_cpu_us(rec), (long long)tako_record_peak_bytes(rec),
            (long long)tako_record_oom_kills(rec));
    for (i = 0; i < e->n_right; i++)
        fprintf(stderr, "  %s: verdict %s, exit code %d, signal %d\n", i ? "or right" : "right",
                tako_verdict_name(e->right[i].verdict), e->right[i].exit_code, e->right[i].signal);
    fprintf(stderr,
            "  limits: wall %lld ms, CPU %lld ms, memory %lld, output %lld, cancel %lld us\n",
            (long long)e->job.timeout_ms, (long long)e->job.cpu_timeout_ms,
            (long long)e->job.memory_bytes, (long long)e->job.output_kill_bytes,
            (long long)e->cancel_after_us);
    fprintf(stderr, "  stderr: %.*s\n  code:\n%s\n", len > 400 ? 400 : (int)len, text, e->code);
}

static void verdicts_judge(struct verdicts *v, long index, const struct ending *e,
                           const tako_record *rec, int cancel_rc)
{
    const char *wrong = verdicts_check(e, rec, cancel_rc), *type;
    const struct ending_verdict *right = &e->right[0];
    char more[64] = "";
    int i;

    for (i = 0; i < e->n_right; i++)
        if (e->right[i].verdict == tako_record_verdict(rec))
            right = &e->right[i];
    pthread_mutex_lock(&v->lock);
    v->done++;
    v->wrong += wrong != NULL;
    v->rule_wrong += verdicts_rule_errs(rec, right, verdicts_status(e, right, &type));
    if (v->wrong)
        snprintf(more, sizeof(more), "%ld misclassified", v->wrong);
    if (wrong && v->wrong <= VERDICTS_SHOWN)
        verdicts_show(v, index, e, rec, wrong);
    else if (wrong)
        fprintf(stderr, "%s: CASE=%ld, \"%s\": WRONG: %s\n", v->stress.name, index, e->kind, wrong);
    stress_progress(&v->stress, v->done, more);
    pthread_mutex_unlock(&v->lock);
}

static void verdicts_case(struct verdicts *v, long index, bool show)
{
    uint64_t random = stress_case(v->stress.seed, index);
    int cancel_rc = TAKO_ESTATE;
    tako_record *rec = NULL;
    struct ending e;
    tako_error err;
    tako_id id;

    do
        ending_make(&e, &v->host, random++);
    while (v->except && strcmp(v->except, e.kind) == 0);
    if (tako_submit(v->t, &e.job, &id, &err) != TAKO_OK)
        stress_die(&v->stress, "submit: %s", err.message);
    if (e.cancel_after_us >= 0) {
        stress_sleep_us(e.cancel_after_us);
        cancel_rc = tako_cancel(v->t, id.text, &err);
        if (cancel_rc != TAKO_OK && cancel_rc != TAKO_ESTATE)
            stress_die(&v->stress, "cancel: %s", err.message);
    }
    if (tako_wait(v->t, id.text, 120000, &rec, &err) != TAKO_OK)
        stress_die(&v->stress, "case %ld, \"%s\", did not end: %s", index, e.kind, err.message);
    verdicts_judge(v, index, &e, rec, cancel_rc);
    if (show)
        verdicts_show(v, index, &e, rec, verdicts_check(&e, rec, cancel_rc));
    tako_record_free(rec);
}

static void *verdicts_main(void *ctx)
{
    struct verdicts *v = ctx;
    long index;

    for (;;) {
        pthread_mutex_lock(&v->lock);
        index = v->next++;
        pthread_mutex_unlock(&v->lock);
        if (index >= v->stress.n)
            return NULL;
        verdicts_case(v, index, false);
    }
}

/* ---- the host -------------------------------------------------------------------------------- */

static int verdicts_layer(void *ctx, const tako_layer *layer)
{
    struct ending_host *host = ctx;

    if (strcmp(layer->name, "memory_limit") == 0) {
        host->memory_group = layer->state == TAKO_LAYER_ON;
        host->calls_refused = strstr(layer->detail, "cgroup v1") != NULL;
    }
    return 0;
}

/* Does this kernel have system calls of 32 bits? A process of its own finds out. */
static void verdicts_probe_abi(struct ending_host *host)
{
#if defined(__x86_64__)
    int status = 0;
    long got = 20; /* getpid there */
    pid_t pid = fork();

    host->x86_64 = true;
    if (pid == 0) {
        __asm__ volatile("int $0x80" : "+a"(got) : : "memory");
        _exit(got == getpid() ? 0 : 1);
    }
    host->i386 = pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
                 WEXITSTATUS(status) == 0;
#else
    (void)host;
#endif
}

/* How long Python needs to its first statement: the median of five. */
static void verdicts_probe_start(struct verdicts *v)
{
    int64_t took[5], us;
    tako_record *rec = NULL;
    tako_job job = TAKO_JOB_INIT;
    tako_error err;
    int i, j;

    job.code = "import os, time; os._exit(0)";
    for (i = 0; i < 5; i++) {
        if (tako_run(v->t, &job, &rec, &err) != TAKO_OK)
            stress_die(&v->stress, "a first job: %s", err.message);
        us = tako_record_wall_us(rec);
        if (tako_record_status(rec) != TAKO_SUCCEEDED)
            stress_die(&v->stress, "a first job: %s", tako_record_error_message(rec));
        tako_record_free(rec);
        for (j = i; j > 0 && took[j - 1] > us; j--)
            took[j] = took[j - 1];
        took[j] = us;
    }
    v->host.start_up_us = took[2];
}

int main(int argc, char **argv)
{
    static const char *const no_stores[] = {NULL};
    static struct verdicts v;
    const char *only = stress_argument(argc, argv, "CASE");
    tako_options opts = TAKO_OPTIONS_INIT;
    pthread_t threads[VERDICTS_WORKERS];
    tako_error err;
    int i;

    stress_begin(&v.stress, "stress-verdicts", argc, argv, 2000);
    v.except = stress_argument(argc, argv, "EXCEPT");
    pthread_mutex_init(&v.lock, NULL);
    verdicts_probe_abi(&v.host);
    opts.workers = VERDICTS_WORKERS;
    if (tako_open(&v.t, &opts, &err) != TAKO_OK ||
        tako_isolation(v.t, verdicts_layer, &v.host, &err) != TAKO_OK ||
        tako_start(v.t, &err) != TAKO_OK)
        stress_die(&v.stress, "%s", err.message);
    verdicts_probe_start(&v);
    if (only) {
        verdicts_case(&v, strtol(only, NULL, 10), true);
        v.stress.n = 1;
    } else {
        for (i = 0; i < VERDICTS_WORKERS; i++)
            if (pthread_create(&threads[i], NULL, verdicts_main, &v) != 0)
                stress_die(&v.stress, "no thread");
        for (i = 0; i < VERDICTS_WORKERS; i++)
            pthread_join(threads[i], NULL);
    }
    tako_close(v.t);
    stress_end(&v.stress, no_stores);
    printf("stress-verdicts: N=%ld seed=%llu misclassified %ld (the rule \"137 means oom\" would "
           "misclassify %ld)\n",
           v.stress.n, (unsigned long long)v.stress.seed, v.wrong, v.rule_wrong);
    return v.wrong > 0;
}
