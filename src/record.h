/* record.h - what is known of one execution: the snapshot behind tako_record, the two JSON
 * documents of a row (spec: what was asked, written once; result: what came out), the state
 * table, and the JSON that every surface prints. SPDX-License-Identifier: MIT */
#ifndef TAKO_RECORD_H
#define TAKO_RECORD_H

#include "base.h"

#define TAKO__INPUT_INLINE 1024

/* What was asked, beyond the row's own columns. Borrowed strings. */
struct tako__spec {
    const char *code_hash;  /* 64 hex, or NULL for handlers */
    const char *input_hash; /* 64 hex: of its bytes, the key of its blob */
    /* The input itself when it has at most TAKO__INPUT_INLINE bytes (valid JSON has no NUL); NULL =
     * it is a blob. Small inputs differ from job to job, and a blob of its own for each would cost
     * a commit a page of the hash index. */
    const char *input;
    size_t input_len;
    const tako_artifact *files;
    size_t n_files;
    int64_t timeout_ms;
    int64_t memory_bytes;
    const char *correlation_id;
    const char *client_ip;
    int64_t cpu_timeout_ms, output_kill_bytes; /* 0 = none */
    const char *input_canon;                   /* 64 hex: of the input's canonical JSON */
    int64_t code_bytes, input_bytes;           /* their sizes */
    const char *digest;                        /* of the job type's version; NULL for handlers */
    const char *fingerprint;                   /* 64 hex, when there is an idempotency key */
    int max_attempts;                          /* 1-100 */
    const char *retry_on; /* error types separated by commas; NULL = the usual ones */
    int64_t retry_delay_ms, startup_timeout_ms;
    int cpu_percent;
    bool network;
    const char *const *requirements; /* of the job itself, beyond those of its type */
    size_t n_requirements;
    const char *relationship; /* "rerun", "fork" or NULL */
    int retries;              /* dead letters of its line that were retried before it */
};

/* What came out. Borrowed strings; hashes NULL when there is no such content. */
struct tako__result {
    tako_verdict verdict;
    int exit_code;
    int signal;
    const char *stdout_hash;
    const char *stderr_hash;
    const char *output_hash;
    const char *output_note;
    int64_t stdout_bytes, stderr_bytes; /* written by the job */
    bool stdout_truncated, stderr_truncated;
    const char *error_type, *error_message, *error_phase;
    int64_t started_us; /* the program's own start; 0 = never */
    int64_t setup_us, wall_us, cpu_us, peak_bytes, oom_kills;
    int64_t pids_peak, pids_hits, throttled_us, survivors; /* -1 = not measured */
    int64_t install_us; /* waited for the environment; -1 = it needs none */
    const char *runtime;
    const char *isolation; /* JSON object text or NULL */
    const tako_artifact *artifacts;
    size_t n_artifacts;
    const tako_artifact *rejected;
    size_t n_rejected;
};
#define TAKO__RESULT_INIT                                                                          \
    {                                                                                              \
        TAKO_VERDICT_NONE, -1, 0, NULL, NULL, NULL, NULL, 0, 0, false, false, NULL, NULL, NULL, 0, \
            -1, -1, -1, -1, 0, -1, -1, -1, -1, -1, NULL, NULL, NULL, 0, NULL, 0                    \
    }

TAKO_PRIVATE void tako__spec_print(struct tako__buf *out, const struct tako__spec *spec);
TAKO_PRIVATE void tako__result_print(struct tako__buf *out, const struct tako__result *result);

/* Adds `"key":[...]` with each file's name, size and hash or reason; nothing when there is none. */
TAKO_PRIVATE void tako__files_print(struct tako__buf *out, const char *key,
                                    const tako_artifact *files, size_t count);

/* Makes a snapshot of a row. Content (stdout, stderr, output) is absent until attached. */
TAKO_PRIVATE int tako__record_make(tako_record **out, const tako_host *host, const tako_row *row,
                                   tako_error *err);
/* The hashes of the content the record refers to, NULL when none. */
TAKO_PRIVATE const char *tako__record_stdout_hash(const tako_record *rec);
TAKO_PRIVATE const char *tako__record_stderr_hash(const tako_record *rec);
TAKO_PRIVATE const char *tako__record_output_hash(const tako_record *rec);
/* Copies content into the snapshot; `which` is 1 stdout, 2 stderr, 3 output. */
TAKO_PRIVATE int tako__record_attach(tako_record *rec, int which, const void *data, size_t len,
                                     tako_error *err);
/* What was asked; lives as long as the record. */
TAKO_PRIVATE const struct tako__spec *tako__record_spec(const tako_record *rec);
/* From the executor's start of the attempt to the program's own start; -1 = none. */
TAKO_PRIVATE int64_t tako__record_setup_us(const tako_record *rec);
/* Appends the record as contract 1.9 has it (section "on the wire"), slim or full. */
TAKO_PRIVATE void tako__record_print(struct tako__buf *out, const tako_record *rec, bool full);

/* Appends what a dead letter says of its job, as a JSON object: enough to know it by, and nothing
 * of its content. */
TAKO_PRIVATE void tako__record_summary(struct tako__buf *out, const tako_record *rec);

/* The hashes of all content that the row of this record refers to, each as often as it is
 * mentioned: what a removal needs. The array is the caller's (tako__free), the hashes live as long
 * as `rec`. */
TAKO_PRIVATE int tako__record_refs(const tako_record *rec, const char ***refs, size_t *count,
                                   tako_error *err);

/* A note on an attempt that went back to the queue: part of the row's history. */
struct tako__note {
    int attempt;
    const char *node;
    int64_t started_us, at_us; /* of the attempt; when it went back */
    const char *cause;
};
TAKO_PRIVATE void tako__note_print(struct tako__buf *out, const struct tako__note *note);

/* A dead letter with what it borrows. Zeroed = none. */
struct tako__letter {
    tako_dead dead; /* error_type is NULL when there is none */
    tako_record *rec;
    struct tako__buf summary;
    char message[TAKO_ERROR_SIZE];
};
/* Fills it for a job's row. `error_type` is static text. Without memory it says less of the job,
 * but it is there all the same. */
TAKO_PRIVATE void tako__letter_write(struct tako__letter *l, const tako_host *host,
                                     const tako_row *row, const char *error_type,
                                     const char *message, int64_t at_us);
TAKO_PRIVATE void tako__letter_drop(struct tako__letter *l);

/* The state table: is this move allowed at all? */
TAKO_PRIVATE bool tako__status_move_ok(tako_status from, tako_status to);

#endif
