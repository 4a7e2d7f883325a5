/* rows_heap.c - row 6: whether the start of a sandboxed job costs more in a host with a large heap.
 * Two hosts live side by side, each in a process of its own, and run a job in turns.
 *
 * The heap is touched page by page, without huge pages, as a heap of small objects is. A plain
 * fork in the same hosts is timed too: the price that is not paid.
 *
 * SPDX-License-Identifier: MIT */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define HEAP_LARGE_MB 2048
#define HEAP_SPARE_MB 1024 /* what must stay free for the machine */

/* Milliseconds of fork, _exit and wait. */
static double heap_fork(void)
{
    double began = bench_now();
    pid_t pid = fork();

    if (pid == 0)
        _exit(0);
    if (pid < 0 || waitpid(pid, NULL, 0) != pid)
        return -1;
    return (bench_now() - began) * 1e3;
}

int bench_heap_main(const char *megabytes)
{
    size_t size = (size_t)strtoul(megabytes, NULL, 10) << 20, i;
    tako_job job = TAKO_JOB_INIT;
    tako_error err = {0, 0, ""};
    volatile char *heap = NULL;
    tako *t = NULL;
    double answer;
    char what;

    if (size) {
        void *room = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (room == MAP_FAILED)
            return 1;
        (void)madvise(room, size, MADV_NOHUGEPAGE);
        heap = room;
        for (i = 0; i < size; i += 4096)
            heap[i] = (char)(i >> 12);
    }
    t = bench_engine(NULL, 1, "/usr/bin/true", NULL, NULL, &err);
    if (!t)
        (void)fprintf(stderr, "bench: host with %s MiB: %s\n", megabytes, err.message);
    job.code = "pass";
    while (t && read(STDIN_FILENO, &what, 1) == 1) {
        double began = bench_now();
        const char *why = NULL;

        if (what == 'f') {
            answer = heap_fork();
        } else {
            why = bench_run(t, &job, NULL, &err);
            answer = why ? -1 : (bench_now() - began) * 1e3;
        }
        if (why)
            (void)fprintf(stderr, "bench: host with %s MiB: %s\n", megabytes, why);
        if (write(STDOUT_FILENO, &answer, sizeof answer) != sizeof answer)
            break;
    }
    tako_close(t);
    return t ? 0 : 1;
}

static long heap_available_mb(void)
{
    FILE *f = fopen("/proc/meminfo", "re");
    char line[128];
    long kb = 0;

    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "MemAvailable: %ld", &kb) == 1)
            break;
    if (f)
        (void)fclose(f);
    return kb / 1024;
}

static void heap_report(struct bench *b, const struct bench_samples *job,
                        const struct bench_samples *plain)
{
    static const char *const names[] = {"2 GiB", "small"};
    const struct bench_samples *jobs[] = {&job[0], &job[1]};
    const struct bench_samples *forks[] = {&plain[0], &plain[1]};
    struct bench_ratio r = bench_compare(jobs, 2, bench_figure_ratio);
    int i;

    for (i = 1; i >= 0; i--)
        bench_line(b, 6, &job[i], "ms", "cold true in a %s host", names[i]);
    for (i = 1; i >= 0; i--)
        bench_line(b, 6, &plain[i], "ms", "a plain fork in a %s host", names[i]);
    bench_line_ratio(b, 6, bench_compare(forks, 2, bench_figure_ratio),
                     "plain fork, 2 GiB / small");
    bench_line_ratio(b, 6, r, "start-up, 2 GiB host / small host");
    bench_line_goal(b, 6, r, BENCH_AT_MOST, 1.2, "start-up in a 2 GiB host / small host");
}

enum bench_outcome bench_row_heap(struct bench *b)
{
    const char *const large[] = {"--host", "2048", NULL}, *const small[] = {"--host", "0", NULL};
    struct bench_samples job[2] = {{NULL, 0, 0}, {NULL, 0, 0}};
    struct bench_samples plain[2] = {{NULL, 0, 0}, {NULL, 0, 0}};
    struct bench_peer hosts[2];
    tako_error err = {0, 0, ""};
    const char *why = bench_sandbox_missing(&err);
    int i, k, rounds = bench_rounds(b, 40, 500), warm = b->quick ? 3 : 10;
    double took = 0;

    if (why)
        return bench_skip(b, 6, why);
    if (heap_available_mb() < HEAP_LARGE_MB + HEAP_SPARE_MB)
        return bench_skip(b, 6, "less than 3 GiB of memory is free");
    if (bench_peer_start(&hosts[0], b->self, large) != 0)
        return bench_fail(b, 6, "starting a host", b->self);
    if (bench_peer_start(&hosts[1], b->self, small) != 0) {
        bench_peer_stop(&hosts[0]);
        return bench_fail(b, 6, "starting a host", b->self);
    }
    for (i = 0; i < rounds + warm && took >= 0 && !bench_interrupted(); i++) {
        for (k = 0; k < 2 && took >= 0; k++) {
            int which = (i + k) % 2;

            took = bench_peer_ask(&hosts[which], 'j');
            if (i >= warm && took >= 0)
                bench_add(&job[which], took);
            if (i % 10 == 0 && took >= 0) {
                took = bench_peer_ask(&hosts[which], 'f');
                bench_add(&plain[which], took);
            }
        }
    }
    bench_peer_stop(&hosts[0]);
    bench_peer_stop(&hosts[1]);
    if (took >= 0)
        heap_report(b, job, plain);
    else
        (void)bench_fail(b, 6, "running in turns", "a host is gone or its job failed (see above)");
    for (k = 0; k < 2; k++) {
        bench_samples_free(&job[k]);
        bench_samples_free(&plain[k]);
    }
    return took >= 0 ? BENCH_DONE : BENCH_FAILED;
}
