/* rows_flood.c - row 9: one job writes to its output as fast as the pipe takes it, until its time is
 * over. What that costs the engine (memory, CPU) and a neighbour that runs in the same engine.
 *
 * The engine lives in a process of its own, which does nothing else, so that its memory and its CPU
 * time are the engine's. The neighbour times its own loop; it runs beside the flood, and as often
 * alone after it.
 *
 * SPDX-License-Identifier: MIT */
#include "bench.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define FLOOD_ROW 9
#define FLOOD_KINDS 2
#define FLOOD_LIMIT_KIB (TAKO_OUTPUT_CAP / 1024 + 1024)

static const struct flood_kind {
    char ask;
    const char *name, *code;
    bool goal;
} flood_kinds[FLOOD_KINDS] = {
    {'f', "64 KiB writes",
     "import os\n"
     "block = b'x' * 65536\n"
     "while True:\n"
     "    os.write(1, block)\n",
     true},
    {'o', "one-byte writes",
     "import os\n"
     "while True:\n"
     "    os.write(1, b'x')\n"
     "    os.write(2, b'y')\n",
     false},
};

static const char flood_neighbour[] = "import time\n"
                                      "began = time.perf_counter_ns()\n"
                                      "a = s = 1\n"
                                      "for i in range(2000000):\n"
                                      "    a = (a * 1103515245 + 12345) & 0x7fffffff\n"
                                      "    s += a % 7\n"
                                      "print(time.perf_counter_ns() - began)\n";

/* ---- the host, in a process of its own ------------------------------------------------------- */

struct flood_host {
    tako *t;
    int64_t flood_ms;
    tako_id id;          /* of the flood that runs or ran last */
    long rss_kib;        /* before it */
    bool peak_fresh;     /* VmHWM began anew with it */
    double began, cpu;   /* when it was seen running */
    double share, speed; /* of the last: of one core; MB/s */
};

static double flood_own_cpu(void)
{
    struct rusage use;

    if (getrusage(RUSAGE_SELF, &use) != 0)
        return 0;
    return (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
           (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
}

/* "VmRSS" or "VmHWM" of this process. */
static long flood_memory_kib(const char *name)
{
    FILE *f = fopen("/proc/self/status", "re");
    size_t len = strlen(name);
    char line[128];
    long kib = -1;

    while (f && kib < 0 && fgets(line, sizeof line, f))
        if (strncmp(line, name, len) == 0 && line[len] == ':')
            kib = strtol(line + len + 1, NULL, 10);
    if (f)
        (void)fclose(f);
    return kib;
}

static bool flood_peak_reset(void)
{
    int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
    bool done = fd >= 0 && write(fd, "5", 1) == 1;

    if (fd >= 0)
        (void)close(fd);
    return done;
}

/* 1 queued or running, 0 ended, -1 unknown. */
static int flood_alive(const struct flood_host *h, tako_status *status, tako_error *err)
{
    tako_record *rec = NULL;

    if (tako_get(h->t, h->id.text, &rec, err) != TAKO_OK)
        return -1;
    *status = tako_record_status(rec);
    tako_record_free(rec);
    return !tako_status_terminal(*status);
}

static double flood_start(struct flood_host *h, const char *code, tako_error *err)
{
    tako_status status = TAKO_QUEUED;
    tako_job job = TAKO_JOB_INIT;
    int alive = 1;

    job.code = code;
    job.timeout_ms = h->flood_ms;
    h->peak_fresh = flood_peak_reset();
    h->rss_kib = flood_memory_kib("VmRSS");
    if (tako_submit(h->t, &job, &h->id, err) != TAKO_OK)
        return -1;
    while (alive == 1 && status != TAKO_RUNNING) {
        bench_pause(0.002);
        alive = flood_alive(h, &status, err);
    }
    bench_pause(0.1); /* until Python is up and the pipe is full */
    h->cpu = flood_own_cpu();
    h->began = bench_now();
    return alive == 1 ? 0 : -1;
}

/* KiB by which the memory of this process grew at most. */
static double flood_end(struct flood_host *h, tako_error *err)
{
    tako_record *rec = NULL;
    double grown = -1;

    if (tako_wait(h->t, h->id.text, h->flood_ms + 10000, &rec, err) != TAKO_OK)
        return -1;
    h->share = (flood_own_cpu() - h->cpu) / (bench_now() - h->began);
    h->speed = (double)(tako_record_stdout_bytes(rec) + tako_record_stderr_bytes(rec)) /
               (double)tako_record_wall_us(rec);
    if (tako_record_verdict(rec) != TAKO_VERDICT_WALL || tako_record_stdout_bytes(rec) == 0)
        (void)snprintf(
            err->message, sizeof err->message, "the flood ended with verdict %s after %lld bytes",
            tako_verdict_name(tako_record_verdict(rec)), (long long)tako_record_stdout_bytes(rec));
    else if (!h->peak_fresh)
        (void)snprintf(err->message, sizeof err->message,
                       "/proc/self/clear_refs does not reset the peak of memory here");
    else
        grown = (double)(flood_memory_kib("VmHWM") - h->rss_kib);
    tako_record_free(rec);
    return grown < 0 && !err->message[0] ? 0 : grown;
}

/* The neighbour's own milliseconds; beside the flood 0 when that was over before. */
static double flood_run_neighbour(struct flood_host *h, bool beside, tako_error *err)
{
    tako_status status = TAKO_RUNNING;
    tako_job job = TAKO_JOB_INIT;
    tako_record *rec = NULL;
    double ms = -1;

    job.code = flood_neighbour;
    if (tako_run(h->t, &job, &rec, err) != TAKO_OK)
        return -1;
    if (!bench_not_succeeded(rec, err))
        ms = strtod(tako_record_stdout(rec, NULL), NULL) / 1e6;
    tako_record_free(rec);
    if (ms >= 0 && beside && flood_alive(h, &status, err) != 1)
        return 0;
    return ms;
}

/* Of one core, for a while without a neighbour. */
static double flood_share(void)
{
    double cpu = flood_own_cpu(), began = bench_now();

    bench_pause(0.3);
    return (flood_own_cpu() - cpu) / (bench_now() - began);
}

int bench_flood_main(const char *milliseconds)
{
    struct flood_host h;
    tako_error err;
    double answer;
    char what;

    memset(&h, 0, sizeof h);
    memset(&err, 0, sizeof err);
    h.flood_ms = strtol(milliseconds, NULL, 10);
    h.t = bench_engine(NULL, 2, NULL, NULL, NULL, &err);
    if (!h.t)
        bench_say("host of the flood: %s", err.message);
    while (h.t && read(STDIN_FILENO, &what, 1) == 1) {
        err.message[0] = '\0';
        switch (what) {
        case 'n':
        case 'b':
            answer = flood_run_neighbour(&h, what == 'b', &err);
            break;
        case 's':
            answer = flood_share();
            break;
        case 'e':
            answer = flood_end(&h, &err);
            break;
        case 'a':
            answer = h.share;
            break;
        case 'm':
            answer = h.speed;
            break;
        default:
            answer = flood_start(&h, flood_kinds[what != flood_kinds[0].ask].code, &err);
        }
        if (answer < 0)
            bench_say("host of the flood: %s", err.message);
        if (write(STDOUT_FILENO, &answer, sizeof answer) != sizeof answer)
            break;
    }
    tako_close(h.t); /* ends what still runs */
    return h.t ? 0 : 1;
}

/* ---- the row --------------------------------------------------------------------------------- */

struct flood_series {
    struct bench_samples alone, beside; /* milliseconds */
    struct bench_samples grown;         /* KiB */
    struct bench_samples share, share_beside, speed;
};

static bool flood_ask(struct bench_peer *host, char what, struct bench_samples *to)
{
    double answer = bench_peer_ask(host, what);

    if (answer >= 0 && to)
        bench_add(to, answer);
    return answer >= 0;
}

static bool flood_round(struct bench_peer *host, char kind, struct flood_series *s)
{
    double ms = 1;

    if (!flood_ask(host, kind, NULL) || !flood_ask(host, 's', &s->share))
        return false;
    while (ms > 0 && !bench_interrupted()) {
        ms = bench_peer_ask(host, 'b');
        if (ms > 0)
            bench_add(&s->beside, ms);
    }
    if (ms < 0 || !flood_ask(host, 'e', &s->grown) || !flood_ask(host, 'a', &s->share_beside) ||
        !flood_ask(host, 'm', &s->speed))
        return false;
    while (s->alone.n < s->beside.n && !bench_interrupted())
        if (!flood_ask(host, 'n', &s->alone))
            return false;
    return true;
}

static void flood_report(struct bench *b, const struct flood_kind *kind, struct flood_series *s)
{
    const struct bench_samples *slower[] = {&s->beside, &s->alone};
    struct bench_ratio r = bench_compare(slower, 2, bench_figure_ratio);
    char goal[80];

    if (s->speed.n == 0) /* interrupted before */
        return;
    bench_line(b, FLOOD_ROW, &s->alone, "ms", "neighbour alone, its own time");
    bench_line(b, FLOOD_ROW, &s->beside, "ms", "neighbour beside %s", kind->name);
    if (s->beside.n == 0)
        bench_line_note(b, FLOOD_ROW, "no neighbour ended while %s lasted: no ratio", kind->name);
    bench_line_ratio(b, FLOOD_ROW, r, "neighbour, beside %s / alone", kind->name);
    bench_line_note(b, FLOOD_ROW,
                    "%s: %.1f MB/s; the engine's process used %.2f of a core without, "
                    "%.2f with a neighbour",
                    kind->name, bench_median(&s->speed), bench_median(&s->share),
                    bench_median(&s->share_beside));
    bench_line_note(b, FLOOD_ROW, "its memory grew by p50 %.0f KiB, most %.0f KiB, n %zu",
                    bench_median(&s->grown), bench_quantile(&s->grown, 1), s->grown.n);
    if (!kind->goal)
        return;
    (void)snprintf(goal, sizeof goal, "growth of the engine's memory, most, %s", kind->name);
    bench_line_limit(b, FLOOD_ROW, bench_quantile(&s->grown, 1), FLOOD_LIMIT_KIB, "KiB", goal);
    if (s->beside.n == 0)
        return;
    (void)snprintf(goal, sizeof goal, "neighbour beside %s / alone", kind->name);
    bench_line_goal(b, FLOOD_ROW, r, BENCH_AT_MOST, 1.3, goal);
}

enum bench_outcome bench_row_flood(struct bench *b)
{
    const char *const args[] = {"--flood", "2000", NULL};
    struct flood_series series[FLOOD_KINDS];
    int i, k, rounds = bench_rounds(b, 1, 6);
    tako_error err = {0, 0, ""};
    const char *why = bench_sandbox_missing(&err);
    struct bench_peer host;
    bool good;

    if (why)
        return bench_skip(b, FLOOD_ROW, why);
    memset(series, 0, sizeof series);
    if (bench_peer_start(&host, b->self, args) != 0)
        return bench_fail(b, FLOOD_ROW, "starting a host", b->self);
    good = flood_ask(&host, 'n', NULL) && flood_ask(&host, 'n', NULL); /* warms up */
    for (i = 0; i < rounds && good && !bench_interrupted(); i++)
        for (k = 0; k < FLOOD_KINDS && good && !bench_interrupted(); k++) {
            int which = (i + k) % FLOOD_KINDS;

            good = flood_round(&host, flood_kinds[which].ask, &series[which]);
        }
    bench_peer_stop(&host);
    good = good || bench_interrupted(); /* the host ends with it */
    for (k = 0; k < FLOOD_KINDS; k++) {
        if (good)
            flood_report(b, &flood_kinds[k], &series[k]);
        bench_samples_free(&series[k].alone);
        bench_samples_free(&series[k].beside);
        bench_samples_free(&series[k].grown);
        bench_samples_free(&series[k].share);
        bench_samples_free(&series[k].share_beside);
        bench_samples_free(&series[k].speed);
    }
    if (!good)
        return bench_fail(b, FLOOD_ROW, "running beside a flood",
                          "the host is gone or its job failed (see above)");
    return BENCH_DONE;
}
