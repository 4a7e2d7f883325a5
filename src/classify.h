/* classify.h - from an executor's facts to a status, an error type and a message (contract 2.3 to
 * 2.5), and the cap on kept output (contract 7.2). SPDX-License-Identifier: MIT */
#ifndef TAKO_CLASSIFY_H
#define TAKO_CLASSIFY_H

#include "exec.h"

struct tako__class {
    tako_status status;
    const char *type;  /* static text, NULL when succeeded */
    const char *phase; /* static text: "startup" or "execution"; NULL when succeeded */
    char message[TAKO_ERROR_SIZE]; /* sanitised; "" when succeeded */
};
/* Kernel facts first, then the class name in the last traceback line of `stderr_text`, then the
 * table. */
TAKO_PRIVATE void tako__classify(struct tako__class *out, const struct tako__outcome *facts,
                                 int64_t timeout_ms, const char *stderr_text, size_t stderr_len);

/* One stream, kept up to `cap` bytes in constant memory while everything is counted. */
struct tako__capture {
    struct tako__buf kept;
    size_t cap;
    int64_t seen;
};
TAKO_PRIVATE void tako__capture_init(struct tako__capture *c, const tako_host *host, size_t cap);
TAKO_PRIVATE void tako__capture_add(struct tako__capture *c, const void *data, size_t len);
/* Once, at the end: when more was seen than the cap allows, cuts at a character boundary and
 * adds the notice. True = truncated. Afterwards kept.data/len are what is stored: bytes as the
 * job wrote them, which may be invalid UTF-8. */
TAKO_PRIVATE bool tako__capture_end(struct tako__capture *c);

#endif
