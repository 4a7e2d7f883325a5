/* classify.h - from an executor's facts to a status, an error type and a message (contract 2.3 to
 * 2.5), and the cap on kept output (contract 7.2). SPDX-License-Identifier: MIT */
#ifndef TAKO_CLASSIFY_H
#define TAKO_CLASSIFY_H

#include "exec.h"

struct tako__class {
    tako_status status;
    const char *type;              /* static text, NULL when succeeded */
    const char *phase;             /* static text: "startup" or "execution"; NULL when succeeded */
    char message[TAKO_ERROR_SIZE]; /* sanitised; "" when succeeded */
};
/* Kernel facts first, then the class name in the last traceback line of `stderr_text`, then the
 * table. `limit_ms` is the limit that a timeout's message names. */
TAKO_PRIVATE void tako__classify(struct tako__class *out, const struct tako__outcome *facts,
                                 int64_t limit_ms, const char *stderr_text, size_t stderr_len);

/* `s` as it may be shown to a client (contract 7.1): private paths, addresses and container ids
 * masked, control characters made spaces, invalid UTF-8 made U+FFFD; cut at a character boundary
 * to fit `cap` bytes with its NUL. */
TAKO_PRIVATE void tako__sanitize(const char *s, size_t len, char *out, size_t cap);

#define TAKO__TAIL 4096

/* One stream, kept up to `cap` bytes in constant memory while everything is counted. Only `kept`
 * owns memory; kept.failed says that it ran out. */
struct tako__capture {
    struct tako__buf kept;
    size_t cap;
    int64_t seen;
    size_t tail_len;
    char tail[2 * TAKO__TAIL]; /* the last bytes seen, once more came than the cap allows */
};
TAKO_PRIVATE void tako__capture_init(struct tako__capture *c, const tako_host *host, size_t cap);
TAKO_PRIVATE void tako__capture_add(struct tako__capture *c, const void *data, size_t len);
/* Once, at the end: when more was seen than the cap allows, cuts at a character boundary and
 * adds the notice. True = truncated. Afterwards kept.data/len are what is stored: bytes as the
 * job wrote them, which may be invalid UTF-8. */
TAKO_PRIVATE bool tako__capture_end(struct tako__capture *c);
/* What tako__classify should see of stderr, before or after the end: all of it; or when the cap
 * cut it, whole lines from its last TAKO__TAIL bytes, for a traceback stands at the end; or what
 * was kept, when a traceback ends only there, for its message may be what took the room. */
TAKO_PRIVATE const char *tako__capture_tail(const struct tako__capture *c, size_t *len);

#endif
