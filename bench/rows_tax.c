/* rows_tax.c - what the sandbox costs a program that is already running: row 8. Three Python
 * programs time their own loops and print it, so that no start-up counts, bare and inside in turns.
 *
 * Bare has the same interpreter, flags and environment, and a tmpfs for its files as the job has.
 * All is done by relative names in that directory, so that no path is longer than the other.
 * The programs have one thread, so that the job's share of one CPU should not bind; whether it held
 * them back is printed.
 *
 * SPDX-License-Identifier: MIT */
#include "bench.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TAX_ROW 8
#define TAX_PROGRAMS 3
#define TAX_PARTS 3
#define TAX_SHM "/dev/shm"

/* Each part takes about 50 ms. */
#define TAX_END                                         \
    "took = []\n"                                       \
    "for part in PARTS:\n"                              \
    "    began = time.perf_counter_ns()\n"              \
    "    part()\n"                                      \
    "    took.append(time.perf_counter_ns() - began)\n" \
    "print(*took)\n"

static const char tax_cpu[] = "import time\n"
                              "def integers():\n"
                              "    a = s = 1\n"
                              "    for i in range(480000):\n"
                              "        a = (a * 1103515245 + 12345) & 0x7fffffff\n"
                              "        s += a % 7\n"
                              "def dicts():\n"
                              "    d = {}\n"
                              "    for i in range(280000):\n"
                              "        k = str(i % 5000)\n"
                              "        d[k] = d.get(k, 0) + 1\n"
                              "    sorted(d.items())\n"
                              "def calls():\n"
                              "    def fib(n):\n"
                              "        return n if n < 2 else fib(n - 1) + fib(n - 2)\n"
                              "    fib(28)\n"
                              "PARTS = integers, dicts, calls\n" TAX_END;

static const char tax_syscalls[] = "import os, time\n"
                                   "def getppid():\n"
                                   "    for i in range(30000):\n"
                                   "        os.getppid()\n"
                                   "def stat():\n"
                                   "    for i in range(16000):\n"
                                   "        os.stat('/usr/bin/python3')\n"
                                   "def pipe():\n"
                                   "    r, w = os.pipe()\n"
                                   "    for i in range(15000):\n"
                                   "        os.write(w, b'x' * 64)\n"
                                   "        os.read(r, 64)\n"
                                   "PARTS = getppid, stat, pipe\n" TAX_END;

static const char tax_files[] = "import os, time\n"
                                "os.chdir(os.environ.get('TMPDIR', '/tmp'))\n"
                                "lib = os.path.dirname(os.__file__)\n"
                                "names = sorted(os.path.join(d, f) for d, s, fs in os.walk(lib)\n"
                                "               for f in fs if f.endswith('.py'))[:300]\n"
                                "def create():\n"
                                "    for i in range(2000):\n"
                                "        with open('f%d' % i, 'wb') as f:\n"
                                "            f.write(b'x' * 2000)\n"
                                "def use():\n"
                                "    for i in range(2000):\n"
                                "        with open('f%d' % i, 'rb') as f:\n"
                                "            f.read()\n"
                                "        os.rename('f%d' % i, 'g%d' % i)\n"
                                "    for name in os.listdir('.'):\n"
                                "        if name.startswith('g'):\n"
                                "            os.unlink(name)\n"
                                "def library():\n"
                                "    for name in names * 6:\n"
                                "        with open(name, 'rb') as f:\n"
                                "            f.read()\n"
                                "PARTS = create, use, library\n" TAX_END;

static const struct tax_program {
    const char *name, *code, *parts[TAX_PARTS];
    double goal; /* of the throughput */
} tax_programs[TAX_PROGRAMS] = {
    {"CPU", tax_cpu, {"integers", "dicts", "calls"}, 0.95},
    {"syscalls", tax_syscalls, {"getppid", "stat", "pipe"}, 0.95},
    {"files", tax_files, {"create", "read+rename+list+delete", "library"}, 0.8},
};

struct tax_side {
    struct bench_samples all, parts[TAX_PARTS]; /* milliseconds */
};

struct tax {
    struct bench *b;
    tako *engine;
    char scripts[TAX_PROGRAMS][BENCH_PATH_MAX];
    char shm[sizeof TAX_SHM "/tako-bench-XXXXXX"], shm_variable[64]; /* of the bare files */
    int programs;
    struct tax_side bare[TAX_PROGRAMS], inside[TAX_PROGRAMS];
    struct bench_samples throttled[TAX_PROGRAMS]; /* milliseconds, whole run */
};

/* What a program printed, in nanoseconds, into samples. */
static bool tax_take(struct tax_side *side, const char *text)
{
    double ms[TAX_PARTS], all = 0;
    char *end;
    int i;

    for (i = 0; i < TAX_PARTS; i++) {
        ms[i] = strtod(text, &end) / 1e6;
        if (end == text || ms[i] <= 0)
            return false;
        all += ms[i];
        text = end;
    }
    for (i = 0; i < TAX_PARTS; i++)
        bench_add(&side->parts[i], ms[i]);
    bench_add(&side->all, all);
    return true;
}

static const char *tax_run_bare(struct tax *x, int program)
{
    const char *const argv[] = {"/usr/bin/python3", "-u", x->scripts[program], NULL};
    const char *const env[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                               "HOME=/nonexistent", "LANG=C.UTF-8", x->shm_variable, NULL};
    char out[256];

    if (bench_spawn_read(argv, env, out, sizeof out) != 0)
        return "the bare program failed";
    return tax_take(&x->bare[program], out) ? NULL : "the bare program did not print its times";
}

static const char *tax_run_inside(struct tax *x, int program, tako_error *err)
{
    tako_job job = TAKO_JOB_INIT;
    tako_record *rec = NULL;
    const char *why;

    job.code = tax_programs[program].code;
    if (tako_run(x->engine, &job, &rec, err) != TAKO_OK)
        return err->message;
    why = bench_not_succeeded(rec, err);
    if (!why && !tax_take(&x->inside[program], tako_record_stdout(rec, NULL)))
        why = "the job did not print its times";
    if (!why && tako_record_throttled_us(rec) >= 0)
        bench_add(&x->throttled[program], (double)tako_record_throttled_us(rec) / 1e3);
    tako_record_free(rec);
    return why;
}

static const char *tax_prepare(struct tax *x)
{
    FILE *f;
    int i;

    for (i = 0; i < TAX_PROGRAMS; i++) {
        (void)snprintf(x->scripts[i], sizeof x->scripts[i], "%.400s/tax%d.py", x->b->dir, i);
        f = fopen(x->scripts[i], "we");
        if (!f)
            return strerror(errno);
        (void)fputs(tax_programs[i].code, f);
        if (fclose(f) != 0)
            return strerror(errno);
    }
    x->programs = TAX_PROGRAMS;
    (void)snprintf(x->shm, sizeof x->shm, "%s/tako-bench-XXXXXX", TAX_SHM);
    if (!bench_is_tmpfs(TAX_SHM) || !mkdtemp(x->shm)) {
        x->shm[0] = '\0';
        x->programs--; /* the last is the one with files */
        bench_say("row %d: no tmpfs that can be written at %s: files are left out", TAX_ROW,
                  TAX_SHM);
    }
    (void)snprintf(x->shm_variable, sizeof x->shm_variable, "TMPDIR=%s", x->shm);
    return NULL;
}

static void tax_report(const struct tax *x, int program)
{
    const struct tax_program *p = &tax_programs[program];
    const struct tax_side *bare = &x->bare[program], *inside = &x->inside[program];
    const struct bench_samples *sides[] = {&bare->all, &inside->all};
    struct bench_ratio r = bench_compare(sides, 2, bench_figure_ratio), part[TAX_PARTS];
    char goal[80];
    int i;

    if (inside->all.n == 0) /* interrupted before */
        return;
    bench_line(x->b, TAX_ROW, &bare->all, "ms", "%s, bare, its own time", p->name);
    bench_line(x->b, TAX_ROW, &inside->all, "ms", "%s, tako, its own time", p->name);
    bench_line_ratio(x->b, TAX_ROW, r, "%s, throughput, tako / bare", p->name);
    for (i = 0; i < TAX_PARTS; i++) {
        sides[0] = &bare->parts[i];
        sides[1] = &inside->parts[i];
        part[i] = bench_compare(sides, 2, bench_figure_ratio);
    }
    bench_line_note(x->b, TAX_ROW,
                    "of it %s %.3f [%.3f, %.3f], %s %.3f [%.3f, %.3f], "
                    "%s %.3f [%.3f, %.3f]",
                    p->parts[0], part[0].value, part[0].low, part[0].high, p->parts[1],
                    part[1].value, part[1].low, part[1].high, p->parts[2], part[2].value,
                    part[2].low, part[2].high);
    if (x->throttled[program].n)
        bench_line_note(x->b, TAX_ROW, "held back at the CPU share: p50 %.2f ms, most %.2f ms",
                        bench_median(&x->throttled[program]),
                        bench_quantile(&x->throttled[program], 1));
    (void)snprintf(goal, sizeof goal, "throughput inside / bare, %s", p->name);
    bench_line_goal(x->b, TAX_ROW, r, BENCH_AT_LEAST, p->goal, goal);
}

static void tax_free(struct tax *x)
{
    int i, k;

    for (i = 0; i < TAX_PROGRAMS; i++) {
        for (k = 0; k < TAX_PARTS; k++) {
            bench_samples_free(&x->bare[i].parts[k]);
            bench_samples_free(&x->inside[i].parts[k]);
        }
        bench_samples_free(&x->bare[i].all);
        bench_samples_free(&x->inside[i].all);
        bench_samples_free(&x->throttled[i]);
        (void)unlink(x->scripts[i]);
    }
    if (x->shm[0])
        bench_remove_dir(x->shm);
}

/* The first rounds warm up. */
static void tax_forget(struct tax *x)
{
    int i, k;

    for (i = 0; i < TAX_PROGRAMS; i++) {
        for (k = 0; k < TAX_PARTS; k++)
            x->bare[i].parts[k].n = x->inside[i].parts[k].n = 0;
        x->bare[i].all.n = x->inside[i].all.n = x->throttled[i].n = 0;
    }
}

enum bench_outcome bench_row_tax(struct bench *b)
{
    int i, k, rounds = bench_rounds(b, 3, 25), warm = b->quick ? 1 : 2;
    tako_error err = {0, 0, ""};
    const char *why = bench_sandbox_missing(&err);
    struct tax x;

    if (why)
        return bench_skip(b, TAX_ROW, why);
    memset(&x, 0, sizeof x);
    x.b = b;
    x.engine = bench_engine(NULL, 1, NULL, NULL, NULL, &err);
    if (!x.engine)
        return bench_fail(b, TAX_ROW, "opening the engine", err.message);
    why = tax_prepare(&x);
    for (i = 0; !why && i < rounds + warm && !bench_interrupted(); i++) {
        if (i == warm)
            tax_forget(&x);
        /* Each side comes first equally often. */
        for (k = 0; !why && k < 2 * x.programs && !bench_interrupted(); k++)
            why = (i + k) % 2 == 0 ? tax_run_bare(&x, k / 2) : tax_run_inside(&x, k / 2, &err);
    }
    tako_close(x.engine);
    if (why && !bench_interrupted()) {
        (void)bench_fail(b, TAX_ROW, "running in turns", why);
    } else {
        for (k = 0; k < x.programs; k++)
            tax_report(&x, k);
        if (x.programs < TAX_PROGRAMS)
            bench_line_note(b, TAX_ROW, "files SKIPPED: no tmpfs that can be written at %s",
                            TAX_SHM);
        why = NULL;
    }
    tax_free(&x);
    return why ? BENCH_FAILED : BENCH_DONE;
}
