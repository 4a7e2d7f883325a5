/* kill.c - N times: a host with two workers and a queue of nasty jobs is killed with SIGKILL at a
 * random instant. Bounds: no process of its jobs lives a second later; what the next start leaves
 * of dead hosts is nothing (groups, mounts, files); every job that was acknowledged ends, as one
 * record, with the number of attempts that the deaths explain.
 *
 * Processes are found without looking for them: this program is the child subreaper, so whatever
 * loses its parent becomes its child, and waitpid() says when there is none left.
 * SPDX-License-Identifier: MIT */
#include "stress.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#define KILL_WORKERS 2
#define KILL_MOST_US 250000   /* from the host's start to its end */
#define KILL_BOUND_US 1000000 /* for its jobs to be gone */
#define KILL_DRAIN_MS 300000
#define KILL_NEXT_START 10 /* after so many kills an engine starts, runs what waits, stops */

/* Shell scripts; @ is an exit code. The ending of each is known, whoever runs it at last. */
struct kill_program {
    const char *code;
    int timeout_ms;
    tako_status status; /* TAKO_SUCCEEDED = as the exit code says */
};

static const struct kill_program kill_programs[] = {
    {"exit @", 20000, TAKO_SUCCEEDED},
    {"sleep 0.05; exit @", 20000, TAKO_SUCCEEDED},
    {"sleep 9 & sleep 9 & sleep 0.03; exit @", 20000, TAKO_SUCCEEDED},
    {"trap '' HUP INT QUIT TERM\n"
     "setsid sh -c 'trap \"\" HUP INT QUIT TERM; sleep 9' &\n"
     "sleep 0.05; exit @",
     20000, TAKO_SUCCEEDED},
    {"i=0; while [ $i -lt 60 ]; do (exec setsid sleep 9) & i=$((i+1)); done; exit @", 20000,
     TAKO_SUCCEEDED},
    {"while :; do (:) & done", 120, TAKO_TIMEOUT},
    {"trap '' HUP INT QUIT TERM; while :; do :; done", 150, TAKO_TIMEOUT},
    {"exec /usr/bin/python3 -c 'import os; os.fork(); os._exit(@)'", 20000, TAKO_SUCCEEDED},
    {"for i in 1 2 3 4 5 6 7 8; do echo '{}' >/output/$i; done\n"
     "echo '{}' >/output/result.json; exit @",
     20000, TAKO_SUCCEEDED},
};
#define KILL_PROGRAMS ((long)(sizeof(kill_programs) / sizeof(kill_programs[0])))

struct kill_job {
    tako_id id;
    int program, code;
    int seen; /* records with this id */
};

struct kill_maker {
    long pid;
    unsigned long long start;
};

/* What a child finds out, in memory that is shared with it. */
struct kill_found {
    long lost, odd, records, interrupted, most_deaths;
};

struct killing {
    struct stress stress;
    char store[96];
    struct kill_job *jobs;
    long n_jobs, room;
    struct kill_maker *makers; /* all engines that ever ran here */
    long n_makers;
    int64_t *gone_us;
    long survivors, groups, mounts, files, swept;
    int base_mounts, base_tmp;
    struct kill_found *found;
};

/* ---- the host that is killed ----------------------------------------------------------------- */

static tako *kill_engine(const struct killing *k)
{
    tako_options opts = TAKO_OPTIONS_INIT;
    tako *t = NULL;
    tako_error err;

    opts.store = k->store;
    opts.workers = KILL_WORKERS;
    opts.interpreter = "/usr/bin/sh";
    if (tako_open(&t, &opts, &err) != TAKO_OK || tako_start(t, &err) != TAKO_OK) {
        fprintf(stderr, "%s: an engine: %s\n", k->stress.name, err.message);
        _exit(3);
    }
    return t;
}

static void kill_make(struct kill_job *job, char code[256], uint64_t *random)
{
    const char *from;
    size_t used = 0;

    memset(job, 0, sizeof(*job));
    job->program = (int)stress_pick(random, 0, KILL_PROGRAMS - 1);
    job->code = (int)stress_pick(random, 0, 2) ? (int)stress_pick(random, 0, 255) : 0;
    for (from = kill_programs[job->program].code; *from && used + 8 < 256; from++)
        if (*from == '@')
            used += (size_t)snprintf(code + used, 256 - used, "%d", job->code);
        else
            code[used++] = *from;
    code[used] = '\0';
}

/* Submits one to four jobs in one commit and tells the parent about them once they are
 * acknowledged. A pipe takes a whole job or nothing. */
static void kill_submit(const struct killing *k, tako *t, uint64_t *random, int out)
{
    static const tako_job fresh = TAKO_JOB_INIT;
    struct kill_job jobs[4];
    char code[4][256];
    tako_job asked[4];
    tako_id ids[4];
    tako_error err;
    size_t i, n = (size_t)stress_pick(random, 1, 4);

    for (i = 0; i < n; i++) {
        kill_make(&jobs[i], code[i], random);
        asked[i] = fresh;
        asked[i].code = code[i];
        asked[i].timeout_ms = kill_programs[jobs[i].program].timeout_ms;
        asked[i].memory_bytes = 128 << 20;
    }
    if (n == 1 ? tako_submit(t, asked, ids, &err) : tako_submit_many(t, asked, n, ids, &err)) {
        fprintf(stderr, "%s: submit: %s\n", k->stress.name, err.message);
        _exit(4);
    }
    for (i = 0; i < n; i++) {
        jobs[i].id = ids[i];
        if (write(out, &jobs[i], sizeof(jobs[i])) != (ssize_t)sizeof(jobs[i]))
            _exit(5);
    }
}

static void kill_host(const struct killing *k, uint64_t random, int out)
{
    tako *t;
    int i;

    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0); /* when this program is interrupted */
    t = kill_engine(k);
    for (i = 0; i < 4; i++) {
        kill_submit(k, t, &random, out);
        stress_sleep_us(stress_pick(&random, 0, 40000));
    }
    for (;;)
        pause();
}

/* ---- the next start -------------------------------------------------------------------------- */

/* Opens, runs all that waits, stops: what a host does that was started again. */
static void kill_next_start(const struct killing *k)
{
    int64_t until = stress_now_us() + (int64_t)KILL_DRAIN_MS * 1000;
    tako_stats stats = TAKO_STATS_INIT;
    tako_error err;
    tako *t;

    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    t = kill_engine(k);
    do {
        stress_sleep_us(5000);
        if (tako_get_stats(t, &stats, &err) != TAKO_OK || stress_now_us() > until) {
            fprintf(stderr, "%s: the next start: %lld jobs still queued, %lld running\n",
                    k->stress.name, (long long)stats.queued, (long long)stats.running);
            _exit(6);
        }
    } while (stats.queued > 0 || stats.running > 0);
    if (tako_stop(t, -1, &err) != TAKO_OK) {
        fprintf(stderr, "%s: stop: %s\n", k->stress.name, err.message);
        _exit(7);
    }
    tako_close(t);
    _exit(0);
}

static int kill_compare(const void *a, const void *b)
{
    const struct kill_job *x = a, *y = b;

    return strcmp(x->id.text, y->id.text);
}

static bool kill_consistent(const struct kill_job *job, const tako_record *rec)
{
    const struct kill_program *program = &kill_programs[job->program];
    tako_status status = tako_record_status(rec), right = program->status;
    int deaths = tako_record_deaths(rec), attempt = tako_record_attempt(rec);

    if (tako_record_verdict(rec) == TAKO_VERDICT_LOST)
        return status == TAKO_FAILED && deaths == 3 && attempt == deaths;
    if (right == TAKO_SUCCEEDED && tako_record_exit_code(rec) != job->code)
        return false;
    if (right == TAKO_SUCCEEDED && job->code != 0)
        right = TAKO_FAILED;
    return status == right && deaths < 3 && attempt == deaths + 1;
}

struct kill_audit {
    struct killing *k;
    char last[37];
    int page;
};

static int kill_saw(void *ctx, const tako_record *rec)
{
    struct kill_audit *a = ctx;
    struct kill_found *found = a->k->found;
    struct kill_job key, *job;

    a->page++;
    found->records++;
    snprintf(a->last, sizeof(a->last), "%s", tako_record_id(rec));
    memset(&key, 0, sizeof(key));
    snprintf(key.id.text, sizeof(key.id.text), "%s", tako_record_id(rec));
    found->interrupted += tako_record_verdict(rec) == TAKO_VERDICT_LOST;
    if (tako_record_deaths(rec) > found->most_deaths)
        found->most_deaths = tako_record_deaths(rec);
    job = bsearch(&key, a->k->jobs, (size_t)a->k->n_jobs, sizeof(key), kill_compare);
    if (!job) { /* committed, but the host died before it could say so */
        found->odd += !tako_status_terminal(tako_record_status(rec));
        return 0;
    }
    job->seen++;
    if (job->seen == 1 && kill_consistent(job, rec))
        return 0;
    if (++found->odd <= 10)
        fprintf(stderr,
                "%s: job %s (program %d, code %d): %s, verdict %s, exit code %d, attempt %d, "
                "deaths %d, seen %d times: %s\n",
                a->k->stress.name, job->id.text, job->program, job->code,
                tako_status_name(tako_record_status(rec)),
                tako_verdict_name(tako_record_verdict(rec)), tako_record_exit_code(rec),
                tako_record_attempt(rec), tako_record_deaths(rec), job->seen,
                tako_record_error_message(rec) ? tako_record_error_message(rec) : "");
    return 0;
}

/* Reads every record and holds it against what was acknowledged. */
static void kill_audit(struct killing *k)
{
    struct kill_audit audit = {k, "", 0};
    tako_filter filter = TAKO_FILTER_INIT;
    tako_options opts = TAKO_OPTIONS_INIT;
    tako *t = NULL;
    tako_error err;
    long i;

    opts.store = k->store;
    qsort(k->jobs, (size_t)k->n_jobs, sizeof(k->jobs[0]), kill_compare);
    if (tako_open(&t, &opts, &err) != TAKO_OK) {
        fprintf(stderr, "%s: the last open: %s\n", k->stress.name, err.message);
        _exit(3);
    }
    filter.limit = 1000;
    do {
        audit.page = 0;
        filter.after = audit.last[0] ? audit.last : NULL;
        if (tako_list(t, &filter, kill_saw, &audit, &err) != TAKO_OK) {
            fprintf(stderr, "%s: list: %s\n", k->stress.name, err.message);
            _exit(4);
        }
    } while (audit.page == 1000);
    for (i = 0; i < k->n_jobs; i++)
        k->found->lost += k->jobs[i].seen == 0;
    tako_close(t);
    _exit(0);
}

/* ---- this program ---------------------------------------------------------------------------- */

static bool kill_ours(void *ctx, unsigned long long pid, unsigned long long start)
{
    const struct killing *k = ctx;
    long i;

    for (i = 0; i < k->n_makers; i++)
        if ((unsigned long long)k->makers[i].pid == pid && k->makers[i].start == start)
            return true;
    return false;
}

static void kill_note_maker(struct killing *k, long pid)
{
    struct kill_maker *maker = &k->makers[k->n_makers];
    long parent;

    maker->pid = pid;
    k->n_makers += stress_stat(pid, &parent, &maker->start);
}

/* Runs `body` in a child; dies unless it ends well. Its groups count as ours. */
static void kill_child(struct killing *k, const char *what, void (*body)(struct killing *k))
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        body(k);
        _exit(0);
    }
    if (pid < 0)
        stress_die(&k->stress, "fork: %s", strerror(errno));
    kill_note_maker(k, pid);
    if (waitpid(pid, &status, 0) != pid || status != 0)
        stress_die(&k->stress, "%s failed: wait status 0x%x", what, status);
    while (waitpid(-1, NULL, 0) > 0)
        ;
}

static void kill_next_start_body(struct killing *k)
{
    kill_next_start(k);
}

static void kill_look(struct killing *k)
{
    int groups = stress_groups(kill_ours, k);
    int mounts = stress_mounts() - k->base_mounts, tmp = stress_tmp(&k->stress) - k->base_tmp;

    if (groups > k->groups)
        k->groups = groups;
    if (mounts > k->mounts)
        k->mounts = mounts;
    if (tmp > k->files)
        k->files = tmp;
}

static void kill_show_survivor(void *ctx, long pid)
{
    const struct killing *k = ctx;
    char path[64], text[256];
    size_t got, i;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%ld/cmdline", pid);
    f = fopen(path, "re");
    got = f ? fread(text, 1, sizeof(text) - 1, f) : 0;
    if (f)
        fclose(f);
    for (i = 0; i < got; i++)
        if (text[i] < ' ')
            text[i] = ' ';
    text[got] = '\0';
    fprintf(stderr, "%s: process %ld has survived its host for a second: %s\n", k->stress.name, pid,
            got ? text : "(no command line)");
}

static void kill_survivor(void *ctx, long pid)
{
    (void)ctx;
    kill((pid_t)pid, SIGKILL);
}

/* Waits until nothing of the host is left; the time since `since`. */
static int64_t kill_wait(struct killing *k, int64_t since, pid_t host)
{
    bool told = false, forced = false;
    int status;
    pid_t pid;

    for (;;) {
        pid = waitpid(-1, &status, WNOHANG);
        if (pid < 0 && errno == ECHILD)
            return stress_now_us() - since;
        if (pid == host && !(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL))
            stress_die(&k->stress, "the host ended by itself: wait status 0x%x", status);
        if (pid != 0)
            continue;
        if (!told && stress_now_us() - since > KILL_BOUND_US) {
            told = true;
            k->survivors += stress_children(getpid(), kill_show_survivor, k);
        }
        if (!forced && stress_now_us() - since > 10 * KILL_BOUND_US) {
            forced = true;
            stress_children(getpid(), kill_survivor, NULL);
        }
        stress_sleep_us(200);
    }
}

static void kill_read_acknowledged(struct killing *k, int fd)
{
    struct kill_job job;

    while (read(fd, &job, sizeof(job)) == (ssize_t)sizeof(job)) {
        if (k->n_jobs == k->room) {
            k->room = k->room ? 2 * k->room : 1024;
            k->jobs = realloc(k->jobs, (size_t)k->room * sizeof(k->jobs[0]));
            if (!k->jobs)
                stress_die(&k->stress, "no memory");
        }
        k->jobs[k->n_jobs++] = job;
    }
}

static void kill_once(struct killing *k, long index)
{
    uint64_t random = stress_case(k->stress.seed, index);
    int64_t live_us = stress_pick(&random, 0, KILL_MOST_US), since;
    int fd[2];
    pid_t pid;

    if (pipe2(fd, O_CLOEXEC) < 0)
        stress_die(&k->stress, "pipe: %s", strerror(errno));
    pid = fork();
    if (pid < 0)
        stress_die(&k->stress, "fork: %s", strerror(errno));
    if (pid == 0) {
        close(fd[0]);
        kill_host(k, random, fd[1]);
    }
    close(fd[1]);
    kill_note_maker(k, pid);
    stress_sleep_us(live_us);
    since = stress_now_us();
    kill(pid, SIGKILL);
    k->gone_us[index] = kill_wait(k, since, pid);
    kill_read_acknowledged(k, fd[0]);
    close(fd[0]);
}

static int kill_compare_us(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return x < y ? -1 : x > y;
}

static double kill_quantile_ms(const struct killing *k, double q)
{
    long at = (long)(q * (double)k->stress.n);

    return (double)k->gone_us[at < k->stress.n ? at : k->stress.n - 1] / 1000.0;
}

int main(int argc, char **argv)
{
    static const char *const stores[] = {"jobs.db", NULL};
    static struct killing k;
    char more[96];
    long i;

    stress_begin(&k.stress, "stress-kill", argc, argv, 1000);
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    snprintf(k.store, sizeof(k.store), "sqlite:%s/jobs.db", k.stress.dir);
    k.makers = calloc((size_t)k.stress.n * 2 + 4, sizeof(k.makers[0]));
    k.gone_us = calloc((size_t)k.stress.n, sizeof(k.gone_us[0]));
    k.found = mmap(NULL, sizeof(*k.found), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
                   0);
    if (!k.makers || !k.gone_us || k.found == MAP_FAILED)
        stress_die(&k.stress, "no memory");
    kill_child(&k, "a first start", kill_next_start_body);
    k.base_mounts = stress_mounts();
    k.base_tmp = stress_tmp(&k.stress);
    for (i = 0; i < k.stress.n; i++) {
        kill_once(&k, i);
        if ((i + 1) % KILL_NEXT_START == 0 || i + 1 == k.stress.n) {
            k.swept += stress_groups(kill_ours, &k);
            kill_child(&k, "the next start", kill_next_start_body);
            kill_look(&k);
        }
        snprintf(more, sizeof(more), "%ld jobs acknowledged, %ld survivors", k.n_jobs, k.survivors);
        stress_progress(&k.stress, i + 1, more);
    }
    kill_child(&k, "the audit", kill_audit);
    k.files += stress_end(&k.stress, stores);
    qsort(k.gone_us, (size_t)k.stress.n, sizeof(k.gone_us[0]), kill_compare_us);
    if (k.found->odd)
        fprintf(stderr, "stress-kill: %ld records do not fit what is known of their jobs\n",
                k.found->odd);
    fprintf(stderr,
            "stress-kill: %ld records, at most %ld deaths, %ld interrupted; %ld groups of dead "
            "hosts waited for the next start\n",
            k.found->records, k.found->most_deaths, k.found->interrupted, k.swept);
    printf("stress-kill: N=%ld seed=%llu survivors %ld, gone after p50/p99/max %.1f/%.1f/%.1f ms, "
           "leaked %ld cgroups %ld mounts %ld files, lost %ld of %ld jobs, %ld odd\n",
           k.stress.n, (unsigned long long)k.stress.seed, k.survivors, kill_quantile_ms(&k, 0.5),
           kill_quantile_ms(&k, 0.99), kill_quantile_ms(&k, 1), k.groups, k.mounts, k.files,
           k.found->lost, k.n_jobs, k.found->odd);
    return k.survivors || k.groups || k.mounts || k.files || k.found->lost || k.found->odd;
}
