/* endings.h - adversarial programs, each with the only verdicts that are right for it.
 * SPDX-License-Identifier: MIT */
#ifndef TESTS_STRESS_ENDINGS_H
#define TESTS_STRESS_ENDINGS_H

#include "../../tako.h"

#include <stdbool.h>
#include <stdint.h>

/* What the host can do decides what is right. */
struct ending_host {
    bool memory_group;   /* memory is limited for the whole job, not per process */
    bool calls_refused;  /* by version 1: a system call at that limit fails, the program goes on */
    bool x86_64;         /* there are foreign system calls to make */
    bool i386;           /* and the kernel has those of 32 bits */
    int64_t start_up_us; /* from the program's start to its first statement */
};

struct ending_verdict {
    tako_verdict verdict;
    int exit_code; /* of TAKO_VERDICT_EXIT, else -1 */
    int signal;    /* of TAKO_VERDICT_SIGNAL, else 0 */
};

struct ending {
    const char *kind;
    char code[4096];
    tako_job job;            /* with its limits; code points into this ending */
    int64_t cancel_after_us; /* -1 = never */
    bool rlimit_oom;         /* an exit with 1 may have status oom: the rlimit's only trace */
    struct ending_verdict right[3];
    int n_right;
    const char *error_type; /* of an exit with a code that is not 0; NULL = any */
};

/* Makes the ending of one case from its random numbers. */
void ending_make(struct ending *e, const struct ending_host *host, uint64_t random);

#endif
