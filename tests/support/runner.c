/* runner.c - runs the suites that the build found (tests/support/suites.sh), or those named on the
 * command line, by suite or by group: `runner json str`, `runner unit`. `-l` lists them.
 *
 * Each test is a process of its own; CK_FORK=no is for debuggers, CK_RUN_CASE picks a case. A
 * line per suite shows the progress; the last one has Check's own form, over all suites. Before
 * it stand the skips, see require.h.
 *
 * SPDX-License-Identifier: MIT */
#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define RUNNER_DECLARE(group, name) Suite *suite_##name(void);
#define RUNNER_ENTRY(group, name) {#group, #name, suite_##name},
SUITES(RUNNER_DECLARE)

static const struct {
    const char *group, *name;
    Suite *(*make)(void);
} suites[] = {SUITES(RUNNER_ENTRY)};

enum { SUITES_COUNT = sizeof suites / sizeof suites[0] };

static bool wanted(size_t i, int argc, char **argv)
{
    int a;

    for (a = 1; a < argc; a++)
        if (strcmp(argv[a], suites[i].group) == 0 || strcmp(argv[a], suites[i].name) == 0)
            return true;
    return argc < 2;
}

static bool known(const char *word)
{
    size_t i;

    for (i = 0; i < SUITES_COUNT; i++)
        if (strcmp(word, suites[i].group) == 0 || strcmp(word, suites[i].name) == 0)
            return true;
    return false;
}

/* Tests append to this from their own processes. */
static int open_skips(void)
{
    int fd = memfd_create("skips", MFD_CLOEXEC);
    char text[16];

    if (fd < 0)
        return -1;
    snprintf(text, sizeof text, "%d", fd);
    setenv("TAKO_TEST_SKIPS", text, 1);
    return fd;
}

static void print_skips(int fd)
{
    char text[4096];
    ssize_t n;
    off_t at = 0;
    int lines = 0;

    while (fd >= 0 && (n = pread(fd, text, sizeof text, at)) > 0) {
        for (ssize_t i = 0; i < n; i++) {
            if (at == 0 && i == 0)
                printf("Skipped:\n  ");
            putchar(text[i]);
            if (text[i] == '\n') {
                lines++;
                if (i + 1 < n)
                    printf("  ");
            }
        }
        at += n;
    }
    if (lines > 0)
        printf("Skips: %d\n", lines);
}

struct tally {
    int checks, failures, errors;
};

static void print_failure(TestResult *result)
{
    printf("    %s:%d:%s:%s: %s\n", tr_lfile(result), tr_lno(result),
           tr_rtype(result) == CK_FAILURE ? "F" : "E", tr_tcname(result), tr_msg(result));
}

static void run_suite(size_t i, struct tally *sum)
{
    SRunner *runner = srunner_create(suites[i].make());
    struct timespec from, to;
    TestResult **failures;
    int failed, n;

    clock_gettime(CLOCK_MONOTONIC, &from);
    srunner_run_all(runner, CK_SILENT);
    clock_gettime(CLOCK_MONOTONIC, &to);
    failed = srunner_ntests_failed(runner);
    n = srunner_ntests_run(runner);
    printf("%-4s %-10s %-20s %4d tests %7.1f s\n", failed > 0 ? "FAIL" : "ok", suites[i].group,
           suites[i].name, n,
           (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9);
    failures = srunner_failures(runner);
    sum->checks += n;
    for (n = 0; n < failed; n++) {
        print_failure(failures[n]);
        if (tr_rtype(failures[n]) == CK_FAILURE)
            sum->failures++;
        else
            sum->errors++;
    }
    fflush(stdout);
    free(failures);
    srunner_free(runner);
}

int main(int argc, char **argv)
{
    struct tally sum = {0, 0, 0};
    int skips = open_skips(), bad, a;
    size_t i;

    for (a = 1; a < argc; a++) {
        if (strcmp(argv[a], "-l") == 0) {
            for (i = 0; i < SUITES_COUNT; i++)
                printf("%s/%s\n", suites[i].group, suites[i].name);
            return 0;
        }
        if (!known(argv[a])) {
            fprintf(stderr, "%s: no suite or group \"%s\"; -l lists them\n", argv[0], argv[a]);
            return 2;
        }
    }
    for (i = 0; i < SUITES_COUNT; i++)
        if (wanted(i, argc, argv))
            run_suite(i, &sum);
    print_skips(skips);
    bad = sum.failures + sum.errors;
    printf("%d%%: Checks: %d, Failures: %d, Errors: %d\n",
           sum.checks > 0 ? 100 * (sum.checks - bad) / sum.checks : 100, sum.checks, sum.failures,
           sum.errors);
    return bad == 0 && sum.checks > 0 ? 0 : 1;
}
