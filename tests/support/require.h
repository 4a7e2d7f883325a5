/* require.h - skips are loud. A test that cannot run here says so with skip_or_fail() and returns:
 * the runner lists all skips at its end, and TAKO_TEST_REQUIRE=native,cgroup makes the named
 * ones failures. Continuous integration names everything that it is sure to have.
 *
 *     if (!there_is_a_sandbox) {
 *         skip_or_fail("native", "no user namespaces here");
 *         return;
 *     }
 *
 * SPDX-License-Identifier: MIT */
#ifndef TAKO_TEST_REQUIRE_H
#define TAKO_TEST_REQUIRE_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* 1 when TAKO_TEST_REQUIRE, a list with commas, names `what`. */
static inline int test_requires(const char *what)
{
    const char *at = getenv("TAKO_TEST_REQUIRE");
    size_t len = strlen(what);

    while (at && *at) {
        if (strncmp(at, what, len) == 0 && (at[len] == ',' || at[len] == '\0'))
            return 1;
        at = strchr(at, ',');
        if (at)
            at++;
    }
    return 0;
}

/* "address" or "thread" when the suites run under that sanitizer, else "". */
static inline const char *test_sanitizer(void)
{
    const char *name = getenv("TAKO_TEST_SANITIZER");

    return name ? name : "";
}

/* Notes the skip of the running test with the runner, which counts and prints them. */
static inline void skip_or_fail(const char *what, const char *reason)
{
    const char *fd = getenv("TAKO_TEST_SKIPS");
    char line[400];
    int len;

    if (test_requires(what))
        ck_abort_msg("TAKO_TEST_REQUIRE names %s, but: %s", what, reason);
    len = snprintf(line, sizeof line, "%s: %s", what, reason);
    if (len < 0)
        return;
    if (len > (int)sizeof line - 2)
        len = (int)sizeof line - 2;
    line[len++] = '\n';
    if (!fd || write(atoi(fd), line, (size_t)len) != len)
        fprintf(stderr, "SKIPPED %.*s", len, line);
}

#endif
