/* leak.c - N mixed jobs, one in ten hostile, through two engines of this process: shell scripts
 * (four in five: they start fast) and Python. After a tenth of them a base is taken; at the end
 * descriptors, threads, children, mounts, groups and files must be back at it, and the resident
 * memory may have grown by less than 1 MiB.
 *
 * The engines keep their records in files, for in memory they would grow by nature. SQLite's page
 * caches have a fixed size, but fill only with use: before the base they are filled with the
 * records of jobs that run nothing. And glibc, once a large artifact was freed, keeps as much at
 * the top of each thread's arena, out of reach of malloc_trim(), unless its threshold is fixed.
 * SPDX-License-Identifier: MIT */
#include "stress.h"

#if defined(__GLIBC__)
#include <malloc.h>
#endif
#include <pthread.h>

#define LEAK_FEEDERS 2         /* per engine: as many as it has workers */
#define LEAK_RSS_KIB 1024      /* may be gained */
#define LEAK_PATIENCE_MS 15000 /* for what is cleared away after a job's end */
#define LEAK_FILL_JOBS 10000
#define LEAK_FILL_BYTES 8000

struct leak_program {
    const char *code;
    int timeout_ms;
    int memory_mib;
};

/* Tables laid out by hand. */
/* clang-format off */

static const struct leak_program leak_shell[] = {
    {"exit 0", 20000, 64},
    {"echo some words; echo more >&2; exit 3", 20000, 64},
    {"echo '{\"a\": 1}' >/output/result.json", 20000, 64},
    {"cat /input/data.json >/output/copy", 20000, 64},
    {"(exit 5) & wait; sleep 0.002", 20000, 64},
    {"kill -9 $$", 20000, 64},
    {"sleep 9 & exit 0", 20000, 64},
    {"true | true | true; : >/tmp/x", 20000, 64},
};

static const struct leak_program leak_python[] = {
    {"print(1 + 1)", 20000, 128},
    {"import json\n"
     "json.dump(json.load(open('/input/data.json')), open('/output/result.json', 'w'))",
     20000, 128},
    {"import os, threading\n"
     "t = [threading.Thread(target=os.getpid) for i in range(8)]\n"
     "[x.start() for x in t]; [x.join() for x in t]", 20000, 128},
    {"import subprocess; subprocess.run(['true'])", 20000, 128},
    {"1 / 0", 20000, 128},
    {"for i in range(8): open(f'/output/{i}', 'w').write('x' * 1000 * i)", 20000, 128},
};

static const struct leak_program leak_hostile[] = {
    /* fork bomb */
    {"import os, time\n"
     "while True:\n"
     "    try: os.fork()\n"
     "    except OSError: time.sleep(0.01)", 150, 1024},
    /* out of memory, in main and in children */
    {"x = bytearray()\nwhile True: x += bytes(4 << 20)", 20000, 64},
    {"import os, time\n"
     "for i in range(6):\n"
     "    if os.fork() == 0:\n"
     "        x = bytearray(16 << 20)\n"
     "        time.sleep(20)\n"
     "time.sleep(20)", 400, 64},
    /* floods */
    {"import os\n"
     "for i in range(60): os.write(1, b'x' * 65536); os.write(2, b'y' * 65536)", 20000, 64},
    {"import os\nwhile True: os.write(1, b'\\xff\\x00' * 30000)", 150, 64},
    /* files: many, deep, large, odd */
    {"for i in range(3000): open(f'/tmp/{i}', 'w')\n"
     "for i in range(400): open(f'/output/{i}', 'w')", 20000, 128},
    {"import os\n"
     "for i in range(200): os.mkdir('d'); os.chdir('d')", 20000, 64},
    {"import os\n"
     "os.chdir('/output'); os.symlink('/etc/passwd', 'a'); os.mkfifo('b'); os.mkdir('c', 0)\n"
     "os.link('b', 'e'); open(b'\\xff\\n', 'w'); open('big', 'w').truncate(1 << 40)", 20000, 64},
    {"open('/output/large', 'wb').write(bytes(9 << 20))", 20000, 128},
    /* daemons */
    {"import os, signal, time\n"
     "for i in range(10):\n"
     "    if os.fork() == 0:\n"
     "        os.setsid(); signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
     "        if os.fork() == 0: time.sleep(20)\n"
     "        os._exit(0)\n"
     "os._exit(0)", 20000, 128},
    /* crashes, stops, loops, closed descriptors */
    {"import ctypes; ctypes.string_at(0)", 20000, 64},
    {"import os; os.abort()", 20000, 64},
    {"import os, signal; os.kill(os.getpid(), signal.SIGSTOP)", 100, 64},
    {"import signal\n"
     "for s in range(1, 32):\n"
     "    try: signal.signal(s, signal.SIG_IGN)\n"
     "    except (OSError, ValueError): pass\n"
     "while True: pass", 120, 64},
    {"import os, time; os.closerange(0, 256); time.sleep(20)", 100, 64},
    {"import threading, time\n"
     "while True:\n"
     "    try: threading.Thread(target=time.sleep, args=(20,)).start()\n"
     "    except RuntimeError: break", 300, 256},
    /* descriptors in flight, in a circle */
    {"import array, socket\n"
     "s = [socket.socketpair() for i in range(100)]\n"
     "for a, b in s:\n"
     "    fds = array.array('i', [a.fileno(), b.fileno()])\n"
     "    a.sendmsg([b'x'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)])", 20000, 64},
};

/* clang-format on */

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct leak_engine {
    struct leaking *l;
    tako *t;
    bool python;
    long next, end; /* job numbers of a phase; under the lock */
};

struct leak_base {
    long fds, threads, children, mounts, groups, tmp, rss_kib;
};

struct leaking {
    struct stress stress;
    struct leak_engine shell, python;
    pthread_mutex_t lock; /* what follows, and next */
    long done, hostile, not_run;
};

/* ---- the jobs -------------------------------------------------------------------------------- */

static const struct leak_program *leak_choose(const struct leak_engine *e, uint64_t *random,
                                              bool *hostile)
{
    *hostile = e->python && stress_pick(random, 0, 1);
    if (*hostile)
        return &leak_hostile[stress_pick(random, 0, (long)COUNT(leak_hostile) - 1)];
    if (e->python)
        return &leak_python[stress_pick(random, 0, (long)COUNT(leak_python) - 1)];
    return &leak_shell[stress_pick(random, 0, (long)COUNT(leak_shell) - 1)];
}

static void leak_job(struct leak_engine *e, long index)
{
    uint64_t random = stress_case(e->l->stress.seed + e->python, index);
    const struct leak_program *program;
    tako_job job = TAKO_JOB_INIT;
    tako_record *rec = NULL;
    char input[64], more[64];
    tako_error err;
    bool hostile;

    program = leak_choose(e, &random, &hostile);
    snprintf(input, sizeof(input), "{\"job\": %ld}", index);
    job.code = program->code;
    job.input = input;
    job.timeout_ms = program->timeout_ms;
    job.memory_bytes = (int64_t)program->memory_mib << 20;
    if (tako_run(e->t, &job, &rec, &err) != TAKO_OK)
        stress_die(&e->l->stress, "a job: %s", err.message);
    pthread_mutex_lock(&e->l->lock);
    e->l->done++;
    e->l->hostile += hostile;
    if (tako_record_verdict(rec) == TAKO_VERDICT_SETUP ||
        tako_record_verdict(rec) == TAKO_VERDICT_NONE) {
        if (e->l->not_run++ == 0)
            fprintf(stderr, "%s: a job did not run: %s\n", e->l->stress.name,
                    tako_record_error_message(rec));
    }
    snprintf(more, sizeof(more), "%ld hostile", e->l->hostile);
    stress_progress(&e->l->stress, e->l->done, more);
    pthread_mutex_unlock(&e->l->lock);
    tako_record_free(rec);
}

static void *leak_feed(void *ctx)
{
    struct leak_engine *e = ctx;
    long index;

    for (;;) {
        pthread_mutex_lock(&e->l->lock);
        index = e->next < e->end ? e->next++ : -1;
        pthread_mutex_unlock(&e->l->lock);
        if (index < 0)
            return NULL;
        leak_job(e, index);
    }
}

/* Runs jobs until this many in all have run: one in five is Python. */
static void leak_phase(struct leaking *l, long until)
{
    struct leak_engine *engines[] = {&l->shell, &l->python};
    pthread_t threads[2 * LEAK_FEEDERS];
    int i;

    l->python.end = until / 5;
    l->shell.end = until - l->python.end;
    for (i = 0; i < 2 * LEAK_FEEDERS; i++)
        if (pthread_create(&threads[i], NULL, leak_feed, engines[i % 2]) != 0)
            stress_die(&l->stress, "no thread");
    for (i = 0; i < 2 * LEAK_FEEDERS; i++)
        pthread_join(threads[i], NULL);
}

/* ---- what is counted ------------------------------------------------------------------------- */

static bool leak_ours(void *ctx, unsigned long long pid, unsigned long long start)
{
    (void)ctx;
    (void)start;
    return pid == (unsigned long long)getpid();
}

static long leak_rss_kib(void)
{
    char line[256];
    long kib = -1;
    FILE *f;

#if defined(__GLIBC__)
    malloc_trim(0);
#endif
    f = fopen("/proc/self/status", "re");
    while (f && fgets(line, sizeof(line), f))
        if (sscanf(line, "VmRSS: %ld", &kib) == 1)
            break;
    if (f)
        fclose(f);
    return kib;
}

static void leak_measure(const struct leaking *l, struct leak_base *b)
{
    b->fds = stress_entries("/proc/self/fd");
    b->threads = stress_entries("/proc/self/task");
    b->children = stress_children(getpid(), NULL, NULL);
    b->mounts = stress_mounts();
    b->groups = stress_groups(leak_ours, NULL);
    b->tmp = stress_tmp(&l->stress);
    b->rss_kib = leak_rss_kib();
}

static bool leak_same(const struct leak_base *a, const struct leak_base *b)
{
    return a->fds == b->fds && a->threads == b->threads && a->children == b->children &&
           a->mounts == b->mounts && a->groups == b->groups && a->tmp == b->tmp;
}

/* Until nothing changes any more: what a pool keeps ready is made after the last job. */
static void leak_settle(const struct leaking *l, struct leak_base *b)
{
    struct leak_base before;
    int quiet = 0;

    leak_measure(l, b);
    while (quiet < 4) {
        before = *b;
        stress_sleep_us(200000);
        leak_measure(l, b);
        quiet = leak_same(&before, b) ? quiet + 1 : 0;
    }
}

/* The same at the end, with patience: groups whose last process leaves slowly are removed late. */
static void leak_return(const struct leaking *l, const struct leak_base *base, struct leak_base *b)
{
    int64_t until = stress_now_us() + (int64_t)LEAK_PATIENCE_MS * 1000;

    do {
        leak_settle(l, b);
    } while (!leak_same(base, b) && stress_now_us() < until);
}

/* ---- the engines ----------------------------------------------------------------------------- */

static int leak_nothing(void *ctx, tako_call *call)
{
    (void)ctx;
    (void)call;
    return 0;
}

static int leak_lent(void *ctx, const tako_record *rec)
{
    char *last = ctx;

    snprintf(last, 37, "%s", tako_record_id(rec));
    return 0;
}

static void leak_open(struct leaking *l, struct leak_engine *e, const char *file)
{
    tako_options opts = TAKO_OPTIONS_INIT;
    char store[128];
    tako_error err;

    snprintf(store, sizeof(store), "sqlite:%s/%s", l->stress.dir, file);
    e->l = l;
    e->python = e == &l->python;
    opts.store = store;
    opts.workers = LEAK_FEEDERS;
    opts.interpreter = e->python ? NULL : "/usr/bin/sh";
    if (tako_open(&e->t, &opts, &err) != TAKO_OK ||
        tako_register_handler(e->t, "fill", leak_nothing, NULL, NULL, &err) != TAKO_OK ||
        tako_start(e->t, &err) != TAKO_OK)
        stress_die(&l->stress, "an engine: %s", err.message);
}

/* More records and content than the store's caches hold, written and read. */
static void leak_fill(struct leaking *l, struct leak_engine *e)
{
    tako_job *jobs = calloc(LEAK_FILL_JOBS, sizeof(*jobs));
    tako_id *ids = calloc(LEAK_FILL_JOBS, sizeof(*ids));
    char *inputs = calloc(LEAK_FILL_JOBS, LEAK_FILL_BYTES + 1), last[37] = "";
    static const tako_job fresh = TAKO_JOB_INIT;
    tako_filter filter = TAKO_FILTER_INIT;
    tako_record *rec = NULL;
    tako_error err;
    int i;

    if (!jobs || !ids || !inputs)
        stress_die(&l->stress, "no memory");
    for (i = 0; i < LEAK_FILL_JOBS; i++) {
        jobs[i] = fresh;
        jobs[i].type = "fill";
        jobs[i].input = inputs + (size_t)i * (LEAK_FILL_BYTES + 1);
        snprintf(inputs + (size_t)i * (LEAK_FILL_BYTES + 1), LEAK_FILL_BYTES + 1,
                 "{\"n\": \"%0*d\"}", LEAK_FILL_BYTES - 16, i);
    }
    if (tako_submit_many(e->t, jobs, LEAK_FILL_JOBS, ids, &err) != TAKO_OK)
        stress_die(&l->stress, "filling the store: %s", err.message);
    for (i = 0; i < LEAK_FILL_JOBS; i++) {
        if (tako_wait(e->t, ids[i].text, -1, &rec, &err) != TAKO_OK)
            stress_die(&l->stress, "filling the store: %s", err.message);
        tako_record_free(rec);
    }
    for (i = 0; i < LEAK_FILL_JOBS / 1000; i++) {
        filter.limit = 1000;
        filter.after = i ? last : NULL;
        if (tako_list(e->t, &filter, leak_lent, last, &err) != TAKO_OK)
            stress_die(&l->stress, "reading the store: %s", err.message);
    }
    free(inputs);
    free(ids);
    free(jobs);
}

int main(int argc, char **argv)
{
    static const char *const stores[] = {"shell.db", "python.db", NULL};
    struct leak_base base, end;
    static struct leaking l;
    long rss;
    int strange;

#if defined(__GLIBC__)
    mallopt(M_MMAP_THRESHOLD, 128 * 1024); /* its first value; to be set ends its growth */
#endif
    stress_begin(&l.stress, "stress-leak", argc, argv, 20000);
    pthread_mutex_init(&l.lock, NULL);
    leak_open(&l, &l.shell, stores[0]);
    leak_open(&l, &l.python, stores[1]);
    leak_fill(&l, &l.shell);
    leak_fill(&l, &l.python);
    leak_phase(&l, l.stress.n / 10 > 200 ? l.stress.n / 10
                   : l.stress.n < 400    ? l.stress.n / 2
                                         : 200);
    leak_settle(&l, &base);
    fprintf(
        stderr,
        "stress-leak: base: %ld fds, %ld threads, %ld children, %ld mounts, %ld cgroups, %ld in "
        "/tmp, %ld KiB resident\n",
        base.fds, base.threads, base.children, base.mounts, base.groups, base.tmp, base.rss_kib);
    leak_phase(&l, l.stress.n);
    leak_return(&l, &base, &end);
    rss = end.rss_kib - base.rss_kib;
    tako_close(l.shell.t);
    tako_close(l.python.t);
    strange = stress_end(&l.stress, stores);
    if (strange)
        fprintf(stderr, "stress-leak: %d files beside the stores\n", strange);
    if (stress_groups(leak_ours, NULL) != 0)
        fprintf(stderr, "stress-leak: %d cgroups are left after the engines were closed\n",
                stress_groups(leak_ours, NULL));
    if (l.not_run)
        fprintf(stderr, "stress-leak: %ld jobs did not run\n", l.not_run);
    printf("stress-leak: N=%ld seed=%llu (%.1f %% hostile) fds %+ld, threads %+ld, children %+ld, "
           "mounts %+ld, cgroups %+ld, tmp %+ld, rss %+ld KiB\n",
           l.stress.n, (unsigned long long)l.stress.seed,
           100.0 * (double)l.hostile / (double)l.stress.n, end.fds - base.fds,
           end.threads - base.threads, end.children - base.children, end.mounts - base.mounts,
           end.groups - base.groups, end.tmp - base.tmp, rss);
    return !leak_same(&base, &end) || rss >= LEAK_RSS_KIB || strange || l.not_run ||
           stress_groups(leak_ours, NULL) != 0;
}
