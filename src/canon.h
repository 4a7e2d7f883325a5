/* canon.h - the one way to print a JSON document, so that equal documents have equal hashes; and
 * the fingerprint of a job, by which an idempotency key is recognised.
 * SPDX-License-Identifier: MIT */
#ifndef TAKO_CANON_H
#define TAKO_CANON_H

#include "base.h"

enum tako__canon_style {
    TAKO__CANON_COMPACT, /* contract 4.1: no blanks, UTF-8 as it is */
    TAKO__CANON_PYTHON   /* contract 5.3: json.dumps(sort_keys=True): ", ", ": ", ASCII only */
};

/* Appends the JSON value `text` to `out`: keys sorted by code point, of equal keys the last one,
 * integers digit by digit, floats as the shortest text that reads back as the same double, written
 * as Python writes it. The same in every locale. Errors: EINVAL for what is no JSON, with the
 * offset; ENOMEM. On failure what stands in `out` means nothing, and is still the caller's. */
TAKO_PRIVATE int tako__canon(const tako_host *host, const char *text, size_t len,
                             enum tako__canon_style style, struct tako__buf *out, tako_error *err);
/* The SHA-256 of that print. */
TAKO_PRIVATE int tako__canon_sha256(const tako_host *host, const char *text, size_t len,
                                    enum tako__canon_style style, char hex[65], tako_error *err);

/* What a submission asks for (contract 4.2), as asked: before defaults of its type apply. */
struct tako__asked {
    const char *code_hash;  /* 64 hex; NULL = no code, for handlers */
    const char *input_hash; /* 64 hex, of the compact print */
    const char *type;       /* with its version; NULL = "default" */
    int64_t timeout_ms;     /* 0 = not asked for, as the next */
    int64_t startup_timeout_ms;
    const char *const *requirements;
    size_t n_requirements;
    /* Further members that are set, as tako__json_put_* writes them into an empty buffer; NULL or
     * "" = none. Without any the fingerprint is that of the contract. */
    const char *extra;
};
TAKO_PRIVATE int tako__fingerprint(const tako_host *host, const struct tako__asked *asked,
                                   char hex[65], tako_error *err);

#endif
