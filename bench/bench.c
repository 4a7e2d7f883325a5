/* bench.c - measures the engine against its peers in one run and prints a table: options, the
 * private directory, the rows in order, goals. Never a test: it exits with 1 only when a row could
 * not be measured, and what a goal says is for people to read.
 *
 * SPDX-License-Identifier: MIT */
#include "bench.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define BENCH_ROWS 10
#define BENCH_TMPFS_MAGIC 0x01021994

static const struct bench_row {
    const char *title;
    enum bench_outcome (*run)(struct bench *b);
} bench_rows[BENCH_ROWS] = {
    {"a cold sandboxed /usr/bin/true: bare, bwrap, tako in turns", bench_row_true},
    {"a cold sandboxed Python job: bare, bwrap, tako in turns", bench_row_python},
    {"cold Python jobs per second", bench_row_rate},
    {"durable submits per second, SQLite file", bench_row_submit},
    {"C callbacks drained per second, 10,000 queued", bench_row_drain},
    {"start-up in a host with a heap of 2 GiB", bench_row_heap},
    {"a C callback from submit to record", bench_row_callback},
    {"steady-state tax: Python that times itself, bare and inside in turns", bench_row_tax},
    {"a job that floods its output, beside a neighbour", bench_row_flood},
    {"how exactly the limits of wall and CPU time are kept", bench_row_deadline},
};

/* ---- time ------------------------------------------------------------------------------------ */

double bench_now(void)
{
    struct timespec ts;

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

double bench_cpu_seconds(void)
{
    static const int whom[] = {RUSAGE_SELF, RUSAGE_CHILDREN};
    struct rusage use;
    double sum = 0;
    int i;

    for (i = 0; i < 2; i++)
        if (getrusage(whom[i], &use) == 0)
            sum += (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
                   (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
    return sum;
}

void bench_pause(double seconds)
{
    struct timespec ts;

    ts.tv_sec = (time_t)seconds;
    ts.tv_nsec = (long)((seconds - (double)ts.tv_sec) * 1e9);
    (void)nanosleep(&ts, NULL);
}

int bench_rounds(const struct bench *b, int quick, int full)
{
    if (b->rounds)
        return b->rounds;
    return b->quick ? quick : full;
}

bool bench_interrupted(void)
{
    sigset_t waiting;

    return sigpending(&waiting) == 0 &&
           (sigismember(&waiting, SIGINT) == 1 || sigismember(&waiting, SIGTERM) == 1);
}

/* ---- the table ------------------------------------------------------------------------------- */

struct bench_text {
    char *lines;
    size_t len;
    FILE *out;
};

static void table_head(struct bench *b, int row, const char *what, va_list args)
    __attribute__((format(printf, 3, 0)));
static void table_head(struct bench *b, int row, const char *what, va_list args)
{
    char text[60];

    (void)vsnprintf(text, sizeof text, what, args);
    (void)fprintf(b->table->out, "%3d  %-52s", row, text);
}

void bench_line(struct bench *b, int row, const struct bench_samples *s, const char *unit,
                const char *what, ...)
{
    bool rate = strcmp(unit, "/s") == 0;
    double p50 = bench_median(s);
    int digits = p50 < 100 ? 3 : 0;
    va_list args;

    if (s->n == 0) /* interrupted before */
        return;
    va_start(args, what);
    table_head(b, row, what, args);
    va_end(args);
    /* Of a rate the low end is the bad one. */
    (void)fprintf(b->table->out, " best %8.*f  p50 %8.*f  p%s %8.*f %-2s  n %zu\n", digits,
                  bench_quantile(s, rate ? 1 : 0), digits, p50, rate ? "01" : "99", digits,
                  bench_quantile(s, rate ? 0.01 : 0.99), unit, s->n);
}

void bench_line_ratio(struct bench *b, int row, struct bench_ratio r, const char *what, ...)
{
    va_list args;

    if (r.value == 0) /* interrupted before */
        return;
    va_start(args, what);
    table_head(b, row, what, args);
    va_end(args);
    (void)fprintf(b->table->out, " ratio %7.3f  [%.3f, %.3f]\n", r.value, r.low, r.high);
}

void bench_line_note(struct bench *b, int row, const char *what, ...)
{
    va_list args;

    (void)fprintf(b->table->out, "%3d    ", row);
    va_start(args, what);
    (void)vfprintf(b->table->out, what, args);
    va_end(args);
    (void)fputc('\n', b->table->out);
}

void bench_line_goal(struct bench *b, int row, struct bench_ratio r, enum bench_goal way,
                     double limit, const char *name)
{
    bool most = way == BENCH_AT_MOST;
    bool met = most ? r.high <= limit && r.value > 0 : r.low >= limit;
    bool middle = most ? r.value <= limit : r.value >= limit;

    if (!met)
        b->goals_missed++;
    (void)fprintf(b->table->out, "%3d  goal %s %s %g: %s%s\n", row, name,
                  most ? "at most" : "at least", limit, met ? "met" : "not met",
                  !met && middle ? " (the ratio meets it, its whole interval does not)" : "");
}

void bench_line_limit(struct bench *b, int row, double figure, double limit, const char *unit,
                      const char *name)
{
    bool met = figure <= limit;

    if (!met)
        b->goals_missed++;
    (void)fprintf(b->table->out, "%3d  goal %s at most %g %s: %s (%.2f)\n", row, name, limit, unit,
                  met ? "met" : "not met", figure);
}

enum bench_outcome bench_skip(struct bench *b, int row, const char *why)
{
    bench_say("row %d SKIPPED: %s", row, why);
    bench_line_note(b, row, "SKIPPED: %s", why);
    return BENCH_SKIPPED;
}

enum bench_outcome bench_fail(struct bench *b, int row, const char *during, const char *why)
{
    bench_say("row %d FAILED, %s: %s", row, during, why);
    bench_line_note(b, row, "FAILED, %s: %s", during, why);
    return BENCH_FAILED;
}

void bench_say(const char *format, ...)
{
    va_list args;

    (void)fputs("bench: ", stderr);
    va_start(args, format);
    (void)vfprintf(stderr, format, args);
    va_end(args);
    (void)fputc('\n', stderr);
}

/* ---- the private directory ------------------------------------------------------------------- */

bool bench_is_tmpfs(const char *dir)
{
    struct statfs fs;

    return statfs(dir, &fs) == 0 && fs.f_type == BENCH_TMPFS_MAGIC;
}

static int room_make(struct bench *b)
{
    const char *base = getenv("TAKO_BENCH_DIR");

    if (!base || !*base) {
        base = "build";
        if (mkdir(base, 0777) != 0 && errno != EEXIST)
            base = ".";
    }
    if (strlen(base) > BENCH_PATH_MAX / 2) {
        bench_say("TAKO_BENCH_DIR is too long");
        return -1;
    }
    (void)snprintf(b->dir, sizeof b->dir, "%.300s/bench-XXXXXX", base);
    if (!mkdtemp(b->dir)) {
        bench_say("cannot make a directory in %s: %s; set TAKO_BENCH_DIR", base, strerror(errno));
        return -1;
    }
    if (bench_is_tmpfs(b->dir))
        bench_say("WARNING: %s is a tmpfs, where fsync costs nothing: rows 4, 5 and 7 say little; "
                  "set TAKO_BENCH_DIR",
                  base);
    return 0;
}

void bench_remove_dir(const char *name)
{
    char path[BENCH_PATH_MAX + NAME_MAX + 2];
    DIR *dir = opendir(name);
    struct dirent *entry;

    while (dir && (entry = readdir(dir)) != NULL) {
        (void)snprintf(path, sizeof path, "%s/%s", name, entry->d_name);
        (void)unlink(path); /* there are only files in it; . and .. refuse */
    }
    if (dir)
        (void)closedir(dir);
    if (rmdir(name) != 0)
        bench_say("%s could not be removed: %s", name, strerror(errno));
}

/* ---- the program ----------------------------------------------------------------------------- */

static void usage(FILE *to)
{
    int i;

    (void)fprintf(to,
                  "usage: bench [--quick] [--rounds N] [--rows N,N...]\n"
                  "Measures Tako against its peers and prints a table.\n\n"
                  "  --quick     few samples, under a minute: shows that all rows work\n"
                  "  --rounds N  each row is repeated so often, 1-100000\n"
                  "  --rows 1,4  only these rows\n\n"
                  "Files are made in a private directory in $TAKO_BENCH_DIR, else in ./build.\n\n");
    for (i = 0; i < BENCH_ROWS; i++)
        (void)fprintf(to, "  row %d  %s\n", i + 1, bench_rows[i].title);
}

static int parse_rows(const char *text, bool *rows)
{
    char *end;
    long row;

    memset(rows, 0, BENCH_ROWS * sizeof *rows);
    for (;;) {
        row = strtol(text, &end, 10);
        if (end == text || row < 1 || row > BENCH_ROWS || (*end && *end != ','))
            return -1;
        rows[row - 1] = true;
        if (!*end)
            return 0;
        text = end + 1;
    }
}

static void print_machine(FILE *to)
{
    double load[3] = {0, 0, 0};
    struct utsname u;

    if (uname(&u) == 0)
        (void)fprintf(to, "tako %s, %s %s, %ld processors, ", tako_version(), u.sysname, u.release,
                      sysconf(_SC_NPROCESSORS_ONLN));
    if (getloadavg(load, 3) == 3)
        (void)fprintf(to, "load %.2f%s\n", load[0],
                      load[0] > 0.5 ? " (NOT QUIET: expect wide intervals)" : "");
}

static int run_rows(struct bench *b, const bool *rows)
{
    struct bench_text table = {NULL, 0, NULL};
    int i, failed = 0;
    double began;

    table.out = open_memstream(&table.lines, &table.len);
    if (!table.out) {
        bench_say("no memory");
        return 1;
    }
    b->table = &table;
    print_machine(table.out);
    for (i = 0; i < BENCH_ROWS && !bench_interrupted(); i++) {
        if (!rows[i])
            continue;
        bench_say("row %d: %s", i + 1, bench_rows[i].title);
        began = bench_now();
        failed |= bench_rows[i].run(b) == BENCH_FAILED;
        bench_say("row %d took %.1f s", i + 1, bench_now() - began);
    }
    if (bench_interrupted())
        (void)fputs("INTERRUPTED: rows are missing or have few samples\n", table.out);
    (void)fprintf(table.out,
                  "Ratios are of medians; in brackets the bootstrap 95 %% interval. "
                  "Goals not met: %d\n",
                  b->goals_missed);
    (void)fclose(table.out);
    (void)fputs(table.lines, stdout);
    free(table.lines);
    return failed;
}

int main(int argc, char **argv)
{
    bool rows[BENCH_ROWS];
    struct bench b;
    sigset_t block;
    int i, failed;

    memset(&b, 0, sizeof b);
    memset(rows, 1, sizeof rows);
    b.self = "/proc/self/exe";
    if (argc == 3 && strcmp(argv[1], "--host") == 0)
        return bench_heap_main(argv[2]);
    if (argc == 3 && strcmp(argv[1], "--flood") == 0)
        return bench_flood_main(argv[2]);
    for (i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--quick") == 0) {
            b.quick = true;
        } else if (strcmp(argv[i], "--rounds") == 0 && i + 1 < argc &&
                   (b.rounds = atoi(argv[i + 1])) >= 1 && b.rounds <= 100000) {
            i++;
        } else if (strcmp(argv[i], "--rows") == 0 && i + 1 < argc &&
                   parse_rows(argv[i + 1], rows) == 0) {
            i++;
        } else {
            usage(strcmp(argv[i], "--help") == 0 ? stdout : stderr);
            return strcmp(argv[i], "--help") == 0 ? 0 : 2;
        }
    }
    /* They wait until a row looks, so that nothing is left behind. Programs get them back. */
    (void)sigemptyset(&block);
    (void)sigaddset(&block, SIGINT);
    (void)sigaddset(&block, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &block, NULL);
    if (room_make(&b) != 0)
        return 1;
    failed = run_rows(&b, rows);
    bench_remove_dir(b.dir);
    return failed;
}
