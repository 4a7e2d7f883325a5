/* stats.c - medians, quantiles, and the bootstrap interval of a figure made of several medians.
 *
 * The interval comes from drawing rounds, not single samples: what disturbed one round disturbed
 * all series in it. The generator is seeded with a constant, so the same samples give the same
 * interval.
 *
 * SPDX-License-Identifier: MIT */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STATS_DRAWS 1000
#define STATS_SERIES_MAX 3

static void *stats_room(void *old, size_t count)
{
    void *room = realloc(old, count * sizeof(double));

    if (!room) {
        (void)fprintf(stderr, "bench: no memory\n");
        exit(1);
    }
    return room;
}

void bench_add(struct bench_samples *s, double value)
{
    if (s->n == s->room) {
        s->room = s->room ? s->room * 2 : 256;
        s->v = stats_room(s->v, s->room);
    }
    s->v[s->n++] = value;
}

void bench_samples_free(struct bench_samples *s)
{
    free(s->v);
    memset(s, 0, sizeof *s);
}

static int stats_order(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* Sorts its argument. */
static double stats_quantile(double *v, size_t n, double q)
{
    double place, part;
    size_t low;

    if (n == 0)
        return 0;
    qsort(v, n, sizeof *v, stats_order);
    place = q * (double)(n - 1);
    low = (size_t)place;
    part = place - (double)low;
    return low + 1 < n ? v[low] * (1 - part) + v[low + 1] * part : v[n - 1];
}

double bench_quantile(const struct bench_samples *s, double q)
{
    double *copy, value;

    if (s->n == 0)
        return 0;
    copy = stats_room(NULL, s->n);
    memcpy(copy, s->v, s->n * sizeof *copy);
    value = stats_quantile(copy, s->n, q);
    free(copy);
    return value;
}

double bench_figure_ratio(const double *medians)
{
    return medians[1] > 0 ? medians[0] / medians[1] : 0;
}

double bench_figure_overhead(const double *medians)
{
    double peer = medians[1] - medians[2];

    return peer > 0 ? (medians[0] - medians[2]) / peer : 0;
}

/* xorshift64: good enough to draw rounds. */
static uint64_t stats_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

struct bench_ratio bench_compare(const struct bench_samples *const *series, size_t count,
                                 bench_figure_fn *figure)
{
    double medians[STATS_SERIES_MAX], *draws, *drawn[STATS_SERIES_MAX];
    uint64_t state = 0x9e3779b97f4a7c15u;
    struct bench_ratio r = {0, 0, 0};
    size_t n = series[0]->n, i, k, d;

    for (k = 0; k < count; k++) {
        medians[k] = bench_median(series[k]);
        if (series[k]->n < n)
            n = series[k]->n;
    }
    if (n == 0)
        return r;
    r.value = figure(medians);
    draws = stats_room(NULL, STATS_DRAWS);
    for (k = 0; k < count; k++)
        drawn[k] = stats_room(NULL, n);
    for (d = 0; d < STATS_DRAWS; d++) {
        for (i = 0; i < n; i++) {
            size_t pick = (size_t)(stats_random(&state) % n);

            for (k = 0; k < count; k++)
                drawn[k][i] = series[k]->v[pick];
        }
        for (k = 0; k < count; k++)
            medians[k] = stats_quantile(drawn[k], n, 0.5);
        draws[d] = figure(medians);
    }
    r.low = stats_quantile(draws, STATS_DRAWS, 0.025);
    r.high = stats_quantile(draws, STATS_DRAWS, 0.975);
    for (k = 0; k < count; k++)
        free(drawn[k]);
    free(draws);
    return r;
}
