/* exec.h - the port behind which jobs run: what an executor is given, what it gives back.
 * Executors: backends/exec_native.c (sandbox), backends/exec_handler.c (C callbacks).
 * An executor runs one attempt per call, synchronously, in the calling worker's thread, and
 * knows nothing of queues, records or stores. SPDX-License-Identifier: MIT */
#ifndef TAKO_EXEC_H
#define TAKO_EXEC_H

#include "base.h"

/* A host directory or file, not a link, that the job sees at `inside`, an absolute path, of which
 * missing parts are made; read-only unless `writable`. No set-user-id, no devices; what is mounted
 * inside a directory need not be seen. A writable one is given to the job's user, which stays its
 * owner; no limit of space holds in it. */
struct tako__mount {
    const char *host, *inside;
    bool writable;
};

/* One attempt, borrowed for the length of run(). */
struct tako__task {
    const char *id;
    const char *type;
    int attempt;
    const char *code; /* NULL for handlers */
    size_t code_len;
    const char *input;
    size_t input_len;
    const tako_file *files;
    size_t n_files;
    int64_t timeout_ms;
    int64_t memory_bytes;
    int64_t cpu_timeout_ms;    /* 0 = none */
    int64_t output_kill_bytes; /* 0 = none */
    int cancel_fd;             /* becomes readable when the attempt must stop; never read it */
    const char *file_name;     /* of the code in /code; NULL = "main.py" */
    const char *const
        *command; /* argv, NULL-terminated, its first an absolute path inside; NULL = the
                                   interpreter, "-u" and the code's path */
    const tako_pair *environment; /* variables besides the executor's own, which they replace */
    size_t n_environment;
    int cpu_percent; /* of one CPU; 0 = 100 */
    bool network;    /* the job sees the host's network */
    const struct tako__mount *mounts;
    size_t n_mounts;
    const tako_file *secrets; /* files at /run/secrets/NAME that only the job can read */
    size_t n_secrets;
};

/* Where the attempt's output goes; the functions are called from run()'s thread only. */
struct tako__sink {
    void *ctx;
    /* Bytes of stream 1 or 2, in order. The receiver caps; the executor sends everything. */
    void (*write)(void *ctx, int stream, const void *data, size_t len);
    /* May a file of this name and size become an artifact? NULL = yes, else the reason (static
     * text), which the receiver has then noted as a rejection. */
    const char *(*admit)(void *ctx, const char *name, size_t name_len, int64_t bytes);
    /* An admitted file's content, copied before it returns. */
    int (*artifact)(void *ctx, const char *name, const void *data, size_t len);
    /* Something in /output that cannot be an artifact. `reason` is static text. */
    void (*reject)(void *ctx, const char *name, size_t name_len, int64_t bytes, const char *reason);
    /* The job's output, a checked JSON object, when the executor has it from elsewhere than an
     * artifact named result.json; copied before it returns. */
    int (*output)(void *ctx, const char *json, size_t len);
};

/* How the attempt ended. Facts only: statuses and error types are made in src/classify.c. */
struct tako__outcome {
    tako_verdict verdict;
    int exit_code;         /* 0-255, or -1 */
    int signal;            /* for TAKO_VERDICT_SIGNAL */
    int64_t wall_us;       /* of the run itself; -1 = none */
    int64_t setup_us;      /* from run() being called to the program's start; -1 = none */
    int64_t cpu_us;        /* -1 = not measured */
    int64_t peak_bytes;    /* -1 = not measured */
    int64_t oom_kills;     /* processes of the job that the kernel killed for memory */
    int64_t pids_peak;     /* these four: -1 = not measured */
    int64_t pids_hits;     /* forks refused at the limit */
    int64_t throttled_us;  /* held back at the CPU share */
    int64_t survivors;     /* processes that had to be killed at the end */
    bool memory_by_rlimit; /* no memory cgroup: a MemoryError means that the limit was hit */
    bool retryable;  /* TAKO_VERDICT_SETUP for a passing cause: nothing ran, may be tried again */
    bool dependency; /* TAKO_VERDICT_SETUP: its requirements could not be installed */
    bool startup_timeout; /* TAKO_VERDICT_SETUP: not in the time there was for that */
    int64_t install_us;   /* waited for its environment; -1 = it needs none */
    /* For TAKO_VERDICT_SETUP, _OUTPUT, _VIOLATION and failing handlers, else "". */
    char message[TAKO_ERROR_SIZE];
    const char *isolation; /* JSON object text in force, owned by the executor; or NULL */
};
#define TAKO__OUTCOME_INIT                                                                       \
    {                                                                                            \
        TAKO_VERDICT_NONE, -1, 0, -1, -1, -1, -1, 0, -1, -1, -1, -1, false, false, false, false, \
            -1, "", NULL                                                                         \
    }

struct tako__exec_ops {
    const char *name; /* the record's runtime */
    /* Probes and prepares what all attempts share; opts->limits is never NULL. TAKO_OK even when
     * jobs cannot be run here: check() then says why. */
    int (*open)(void **self, const tako_host *host, const tako_options *opts, tako_error *err);
    void (*close)(void *self);
    /* TAKO_OK when jobs can run here under the security mode, else TAKO_EEXEC and the reason. */
    int (*check)(void *self, tako_error *err);
    /* Runs one attempt; thread-safe. Fills *out in every case; the result is TAKO_OK unless the
     * executor itself is broken (out of memory, a bug). When it returns, no process of the job
     * is left. */
    int (*run)(void *self, const struct tako__task *task, const struct tako__sink *sink,
               struct tako__outcome *out);
    /* Each layer, in a fixed order; NULL = nothing to report. */
    int (*report)(void *self, tako_layer_fn *each, void *ctx, tako_error *err);
};

/* NULL when left out at compile time. */
#ifndef TAKO_OMIT_NATIVE
TAKO_PRIVATE const struct tako__exec_ops *tako__exec_native(void);
#endif

/* C callbacks. Setup of a task whose type was not added is a bug of the caller. */
TAKO_PRIVATE const struct tako__exec_ops *tako__exec_handler(void);
/* `destroy` is called with ctx at close, not when this fails. Errors: ENOMEM. */
TAKO_PRIVATE int tako__exec_handler_add(void *self, const char *type, tako_handler_fn *fn,
                                        void *ctx, void (*destroy)(void *ctx), tako_error *err);

#endif
