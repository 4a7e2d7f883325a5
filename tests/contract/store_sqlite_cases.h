/* store_sqlite_cases.h - what the suites of the SQLite store share: a second opening of the same
 * file, here and in child processes. SPDX-License-Identifier: MIT */
#ifndef TESTS_STORE_SQLITE_CASES_H
#define TESTS_STORE_SQLITE_CASES_H

#include "store_cases.h"

#include <sys/wait.h>

static inline void expect_exit(pid_t pid, int code)
{
    int status = -1;

    ck_assert_int_gt(pid, 0);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == code, "child ended with 0x%x",
                  status);
}

/* In a child process no Check function may be used: it tells by its exit code. */
static inline int child_open(struct box *b, const char *uri)
{
    memset(b, 0, sizeof *b);
    b->ops = tako_store_sqlite();
    return b->ops->open(&b->self, uri, cases_host(), NULL);
}

static inline void reopen(struct box *b)
{
    b->ops->close(b->self);
    MUST(b->ops->open(&b->self, b->uri, cases_host(), err));
}

#endif
