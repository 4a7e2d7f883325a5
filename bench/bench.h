/* bench.h - what the rows of the benchmark share: options, samples and their statistics, programs
 * to compare with, and the table that is printed at the end.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TAKO_BENCH_H
#define TAKO_BENCH_H

#include "../tako.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define BENCH_PATH_MAX 512

/* ---- samples and ratios (stats.c) ------------------------------------------------------------ */

struct bench_samples {
    double *v;
    size_t n, room;
};

/* Exits when there is no memory: this is a program, not a library. */
void bench_add(struct bench_samples *s, double value);
void bench_samples_free(struct bench_samples *s);
/* 0 of no samples. */
double bench_quantile(const struct bench_samples *s, double q);
#define bench_median(s) bench_quantile((s), 0.5)

struct bench_ratio {
    double value, low, high; /* of the medians; the 2.5 % and 97.5 % points of its bootstrap */
};

/* Makes one figure of the medians of several series. */
typedef double bench_figure_fn(const double *medians);

double bench_figure_ratio(const double *medians);    /* [0] / [1] */
double bench_figure_overhead(const double *medians); /* ([0] - [2]) / ([1] - [2]) */

/* Series i was sampled in turns with the others, so that sample j of each belongs to round j; the
 * bootstrap draws rounds. Series may differ by a few samples at the end. */
struct bench_ratio bench_compare(const struct bench_samples *const *series, size_t count,
                                 bench_figure_fn *figure);

/* ---- the run (bench.c) ----------------------------------------------------------------------- */

enum bench_outcome { BENCH_DONE = 0, BENCH_SKIPPED = 1, BENCH_FAILED = 2 };

enum bench_goal { BENCH_AT_MOST, BENCH_AT_LEAST };

struct bench {
    bool quick;
    int rounds;               /* 0 = each row's own */
    const char *self;         /* this program, for children with a heap of their own */
    char dir[BENCH_PATH_MAX]; /* private, on a real file system; gone at the end */
    struct bench_text *table;
    int goals_missed;
};

/* One line of the table: a quantity with its spread. `unit` follows the figures. */
void bench_line(struct bench *b, int row, const struct bench_samples *s, const char *unit,
                const char *what, ...) __attribute__((format(printf, 5, 6)));
void bench_line_ratio(struct bench *b, int row, struct bench_ratio r, const char *what, ...)
    __attribute__((format(printf, 4, 5)));
void bench_line_note(struct bench *b, int row, const char *what, ...)
    __attribute__((format(printf, 3, 4)));
/* Met only when the whole interval meets it. */
void bench_line_goal(struct bench *b, int row, struct bench_ratio r, enum bench_goal way,
                     double limit, const char *name);
/* The same of a figure that is no ratio, so that it stands alone: met when the figure meets it. */
void bench_line_limit(struct bench *b, int row, double figure, double limit, const char *unit,
                      const char *name);
/* Says so on stderr and in the table. */
enum bench_outcome bench_skip(struct bench *b, int row, const char *why);
enum bench_outcome bench_fail(struct bench *b, int row, const char *during, const char *why);
/* Progress, on stderr. */
void bench_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* SIGINT or SIGTERM waits (both are blocked): leave soon. */
bool bench_interrupted(void);

double bench_now(void);         /* seconds, monotonic */
double bench_cpu_seconds(void); /* of this process and of the children it has waited for */
void bench_pause(double seconds);
/* How often to repeat: what was asked for on the command line, else what the row thinks. */
int bench_rounds(const struct bench *b, int quick, int full);
bool bench_is_tmpfs(const char *dir);
/* Of a directory with only files in it. */
void bench_remove_dir(const char *dir);

/* ---- programs to compare with (spawn.c) ------------------------------------------------------ */

/* Starts argv[0] without a shell, output to /dev/null, and waits. 0 = it ended with status 0. */
int bench_spawn(const char *const *argv);
/* The same with an environment of its own; the first size - 1 bytes of its output go to `out`. */
int bench_spawn_read(const char *const *argv, const char *const *env, char *out, size_t size);
/* bwrap with a sandbox like ours around the program; argv has BENCH_BWRAP_ARGS + n + 1 places. */
#define BENCH_BWRAP_ARGS 22
void bench_bwrap_argv(const char **argv, const char *const *program, size_t n);
/* NULL = bwrap works here; else why not. */
const char *bench_bwrap_missing(void);

/* A child that runs this program again with other arguments, spoken to over two pipes. */
struct bench_peer {
    pid_t pid;
    int to, from;
};
int bench_peer_start(struct bench_peer *p, const char *self, const char *const *args);
/* Sends one byte and reads one figure; negative = it is gone, or it failed. */
double bench_peer_ask(struct bench_peer *p, char what);
void bench_peer_stop(struct bench_peer *p);

/* ---- engines (engine.c) ---------------------------------------------------------------------- */

/* How many times fsync or fdatasync were called in this process. */
int64_t bench_fsyncs(void);

/* Opens and starts. `store` NULL = in memory. A handler type "count" is registered with ctx
 * `handler_ctx` when `handler` is not NULL. */
tako *bench_engine(const char *store, int workers, const char *interpreter,
                   tako_handler_fn *handler, void *handler_ctx, tako_error *err);
/* NULL = sandboxed jobs run here; else why not. The text lives in *err. */
const char *bench_sandbox_missing(tako_error *err);
/* One job to its end. NULL = it succeeded; else why not. The record's own wall time goes to
 * *inside_ms if that is not NULL. */
const char *bench_run(tako *t, const tako_job *job, double *inside_ms, tako_error *err);
/* NULL = it succeeded; else how it ended instead. The text lives in *err. */
const char *bench_not_succeeded(const tako_record *rec, tako_error *err);
/* A new file name in b->dir each time: "sqlite:DIR/N.db". */
void bench_store_uri(const struct bench *b, char *uri, size_t size);
/* Removes the files of that store. */
void bench_store_drop(const char *uri);

/* ---- rows ------------------------------------------------------------------------------------ */

enum bench_outcome bench_row_true(struct bench *b);     /* 1 */
enum bench_outcome bench_row_python(struct bench *b);   /* 2 */
enum bench_outcome bench_row_rate(struct bench *b);     /* 3 */
enum bench_outcome bench_row_submit(struct bench *b);   /* 4 */
enum bench_outcome bench_row_drain(struct bench *b);    /* 5 */
enum bench_outcome bench_row_heap(struct bench *b);     /* 6 */
enum bench_outcome bench_row_callback(struct bench *b); /* 7 */
enum bench_outcome bench_row_tax(struct bench *b);      /* 8 */
enum bench_outcome bench_row_flood(struct bench *b);    /* 9 */
enum bench_outcome bench_row_deadline(struct bench *b); /* 10 */

/* What the children of rows 6 and 9 do. */
int bench_heap_main(const char *megabytes);
int bench_flood_main(const char *milliseconds);

#endif
