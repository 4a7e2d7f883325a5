/* tako.h - run untrusted code as durable jobs, inside your own program.
 *
 * Tako keeps a queue of jobs in a store (an SQLite file by default), runs each job in a
 * sandbox of its own (or in a C function of yours), and keeps a record of what happened.
 * This header is the whole interface and its manual. A complete program:
 *
 *     #include "tako.h"
 *     #include <stdio.h>
 *
 *     int main(void)
 *     {
 *         tako *t = NULL;
 *         tako_record *rec = NULL;
 *         tako_error err;
 *         tako_options opts = TAKO_OPTIONS_INIT;
 *         tako_job job = TAKO_JOB_INIT;
 *
 *         opts.store = "sqlite:jobs.db";
 *         job.code = "print(1 + 1)";
 *         if (tako_open(&t, &opts, &err) || tako_start(t, &err) ||
 *             tako_run(t, &job, &rec, &err))
 *             fprintf(stderr, "%s\n", err.message);
 *         else
 *             printf("%s: %s", tako_status_name(tako_record_status(rec)),
 *                    tako_record_stdout(rec, NULL));
 *         tako_record_free(rec);
 *         tako_close(t);
 *         return rec == NULL;
 *     }
 *
 * Words: a *job* is what is asked; a *job type* names how it runs; a *record* is what is
 * known of one execution; an *attempt* is one try to run it; a *worker* is a thread that
 * runs attempts; a *node* is one process with an open engine; the *verdict* says why an
 * attempt ended; an *artifact* is a file that the job left in /output.
 *
 * Rules that hold for every function here:
 *
 *   - Results are int: TAKO_OK (0) or a negative tako_result. A positive value appears only
 *     where a count is documented.
 *   - `err` comes last, belongs to the caller, and may be NULL. It is written only on
 *     failure. Use one per thread or per call; nothing else remembers an error.
 *   - Strings are NUL-terminated UTF-8 and are borrowed for the length of the call. Bytes
 *     that may contain NUL come with a length.
 *   - A pointer got from a const object lives as long as that object. A pointer got through
 *     `T **out` is yours: free it with the matching _free or _close, which accept NULL.
 *   - Structs begin with `size`; start from the _INIT macro. A struct from a newer header
 *     whose extra members are not zero is refused with TAKO_EINVAL.
 *   - Functions may be called from any thread unless the comment says otherwise. Handlers
 *     and callbacks run with no lock held.
 *
 * What Tako never does to its host: call exit or abort; print; install signal handlers or
 * change dispositions; wait for children it did not start; change the working directory,
 * umask, environment, locale or limits; leave a descriptor without O_CLOEXEC; hold a lock
 * while it calls you. While a sandboxed job runs it is a child process of the host, so a
 * host that waits for *any* child (waitpid(-1)) may collect it: Tako copes, its own status
 * travels over a pipe. After fork() the child may only exec or _exit; calls on an inherited
 * engine fail with TAKO_ESTATE. A thread inside a call must not be cancelled (pthread_cancel). The
 * allocator hook covers Tako's own memory; SQLite, cJSON and libseccomp use libc's.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TAKO_H
#define TAKO_H

#include <stddef.h>
#include <stdint.h>

#ifndef TAKO_API
#if defined(__GNUC__)
#define TAKO_API __attribute__((visibility("default")))
#else
#define TAKO_API
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ---- version and build ---------------------------------------------------------------- */

#define TAKO_VERSION_MAJOR 0
#define TAKO_VERSION_MINOR 1
#define TAKO_VERSION_PATCH 0
#define TAKO_VERSION "0.1.0"
#define TAKO_VERSION_NUMBER \
    (TAKO_VERSION_MAJOR * 1000000 + TAKO_VERSION_MINOR * 1000 + TAKO_VERSION_PATCH)

/* Of the library that is linked, not of the header that was seen. */
TAKO_API int tako_version_number(void);
TAKO_API const char *tako_version(void);

/* The commit the amalgamated file was made from; "" in a modular build. Never NULL. */
TAKO_API const char *tako_source_id(void);

/* 1 when the named feature was compiled in, else 0: "sqlite", "native". NULL gives 0. */
TAKO_API int tako_has(const char *feature);

/* ---- results -------------------------------------------------------------------------- */

typedef enum tako_result {
    TAKO_OK = 0,
    TAKO_EINVAL = -1,        /* the caller broke a rule of this header */
    TAKO_ENOMEM = -2,        /* the allocator returned NULL */
    TAKO_ENOTFOUND = -3,     /* no such job, artifact, job type or blob */
    TAKO_ECONFLICT = -4,     /* the id or name exists already */
    TAKO_ESTATE = -5,        /* not possible in the present state of the job or engine */
    TAKO_EFULL = -6,         /* a configured limit was reached; try again later */
    TAKO_ETIMEDOUT = -7,     /* the time given to the call is over; nothing was changed */
    TAKO_ESTORE = -8,        /* the store failed; the message has the store's own words */
    TAKO_EEXEC = -9,         /* the executor cannot run jobs here; the message says why */
    TAKO_EUNSUPPORTED = -10, /* left out at compile time, or the kernel lacks it */
    TAKO_ESYS = -11,         /* a system call failed; see os_errno */
    TAKO_EINTERNAL = -12     /* a bug in Tako; please report it */
} tako_result;

#define TAKO_ERROR_SIZE 512

typedef struct tako_error {
    int code;                      /* a tako_result */
    int os_errno;                  /* errno behind a TAKO_ESYS, else 0 */
    char message[TAKO_ERROR_SIZE]; /* what failed, during what, and what to do; never empty */
} tako_error;

/* A short fixed text for a tako_result. Never NULL, also for unknown codes. */
TAKO_API const char *tako_strerror(int code);

/* ---- what the host lends -------------------------------------------------------------- */

/* realloc(3) semantics, but size 0 frees `ptr` and returns NULL. Must be thread-safe. */
typedef struct tako_allocator {
    void *(*realloc)(void *ctx, void *ptr, size_t size); /* NULL = libc */
    void *ctx;
} tako_allocator;

/* The clock behind every instant in a record and every due time: microseconds since the
 * Unix epoch. Tests lend one that they move by hand. Deadlines of sandboxed jobs always
 * use the kernel's monotonic clock. Must be thread-safe. */
typedef struct tako_clock {
    int64_t (*now_us)(void *ctx); /* NULL = CLOCK_REALTIME */
    void *ctx;
} tako_clock;

typedef enum tako_level {
    TAKO_LOG_ERROR = 1,
    TAKO_LOG_WARN = 2,
    TAKO_LOG_INFO = 3,
    TAKO_LOG_DEBUG = 4
} tako_level;

/* Called from any thread; must not call Tako. Without one Tako is silent. */
typedef void tako_log_fn(void *ctx, tako_level level, const char *module, const char *message);

/* ---- jobs and records: the values ------------------------------------------------------ */

typedef struct tako_id {
    char text[37]; /* UUID version 7 (RFC 9562) in lower case, with its NUL */
} tako_id;

/* queued -> running -> one of the five terminal states; queued -> cancelled; running -> queued
 * when a node died or handed the job back. There are no other moves. */
typedef enum tako_status {
    TAKO_QUEUED = 1,
    TAKO_RUNNING = 2,
    TAKO_SUCCEEDED = 3,
    TAKO_FAILED = 4,
    TAKO_TIMEOUT = 5,
    TAKO_OOM = 6,
    TAKO_CANCELLED = 7
} tako_status;

/* "queued", "running", ...; "unknown" for anything else. Never NULL. */
TAKO_API const char *tako_status_name(tako_status status);
/* 1 for the five terminal states, else 0. */
TAKO_API int tako_status_terminal(tako_status status);

/* Why an attempt ended, from kernel facts. The status is derived from it. */
typedef enum tako_verdict {
    TAKO_VERDICT_NONE = 0,      /* no attempt has ended yet */
    TAKO_VERDICT_EXIT = 1,      /* the program ended by itself; see the exit code */
    TAKO_VERDICT_SIGNAL = 2,    /* a signal that Tako did not send ended it */
    TAKO_VERDICT_WALL = 3,      /* killed at the wall-clock limit */
    TAKO_VERDICT_OOM = 4,       /* the kernel (or the memory rlimit) stopped it at its limit */
    TAKO_VERDICT_CANCELLED = 5, /* killed because the host asked for it */
    TAKO_VERDICT_SETUP = 6,     /* the sandbox could not be made; the code never started */
    TAKO_VERDICT_LOST = 7,      /* the node died while it ran */
    TAKO_VERDICT_CPU = 8,       /* killed at the limit of CPU time */
    TAKO_VERDICT_HOST_OOM = 9,  /* the kernel killed it because the host, or a group around the
                                   engine, ran out of memory: not the job's own limit */
    TAKO_VERDICT_OUTPUT = 10,   /* killed because it wrote more than output_kill_bytes */
    TAKO_VERDICT_VIOLATION = 11 /* killed at a system call that no innocent program makes */
} tako_verdict;

/* "none", "exit", "signal", "wall_timeout", "oom", "cancelled", "setup_error", "lost",
 * "cpu_timeout", "host_oom", "output_limit", "violation". */
TAKO_API const char *tako_verdict_name(tako_verdict verdict);

/* ---- engine --------------------------------------------------------------------------- */

typedef struct tako tako;
typedef struct tako_record tako_record;
typedef struct tako_store_ops tako_store_ops;

/* How strict the native sandbox is about itself. */
typedef enum tako_security {
    TAKO_STRICT = 0,    /* refuse to run when a layer that this platform has cannot be applied */
    TAKO_PERMISSIVE = 1 /* run without it and say so in the log and on every record */
} tako_security;

/* A state change of one job, reported after it was committed. */
typedef struct tako_event {
    size_t size;
    const char *id;
    const char *type;
    tako_status status;
    int attempt;
    int64_t at_us;
} tako_event;

/* Called from an engine thread (from a calling thread when workers is 0 or the engine is not
 * started; from tako_open, before it returns, for jobs of dead nodes), with no lock held, in the
 * order of commits. It may read: tako_get, tako_list, tako_content, tako_record_json and
 * tako_get_stats; all else is refused with TAKO_ESTATE. Keep it short: the engine waits for it. */
typedef void tako_event_fn(void *ctx, const tako_event *event);

/* Bytes that a running job wrote, as they arrive and before any cap. `stream` is 1 (stdout)
 * or 2 (stderr). Called from the worker's thread; must not call Tako. */
typedef void tako_output_fn(void *ctx, const char *id, int stream, const void *data, size_t len);

typedef struct tako_options {
    size_t size;
    const char *store;       /* "sqlite:PATH" or "sqlite::memory:"; NULL = "sqlite::memory:". The
                           part before the first colon picks the store, see `stores` */
    int workers;             /* threads that run jobs, 0-1024. 0 = none: the host drives the
                           engine with tako_step(). INIT gives 4 */
    int64_t max_queued;      /* submits are refused with TAKO_EFULL while this many jobs wait;
                           0 = no limit. Counted per node, cheaply: other nodes of the same
                           store are seen with a delay of up to a second */
    tako_security security;  /* INIT gives TAKO_STRICT */
    const char *rootfs;      /* directory whose content the jobs see as /, read-only;
                                  NULL = the host's /usr and the few files of /etc it needs */
    const char *interpreter; /* absolute path inside that root; NULL = /usr/bin/python3 */
    const char *cgroup;      /* a cgroup (v2) or a path below each v1 hierarchy where Tako
                                  may create groups; NULL = beside or below the host's own */
    int64_t lease_ms;        /* a node that has not been heard of for this long is dead and
                                  its running jobs are recovered; 1000-3600000. INIT: 15000 */
    int max_deaths;          /* a job that was running at this many node deaths is failed as
                                  `interrupted`; 1-100. INIT: 3 */
    const tako_store_ops *const *stores; /* the host's own stores, NULL-terminated, searched
                                  by scheme before the built-in ones; NULL = none */
    tako_allocator alloc;
    tako_clock clock;
    tako_log_fn *log;
    void *log_ctx;
    tako_event_fn *on_event;
    void *event_ctx;
    tako_output_fn *on_output;
    void *output_ctx;
} tako_options;

#define TAKO_OPTIONS_INIT                                                                \
    {                                                                                    \
        sizeof(tako_options), NULL, 4, 0, TAKO_STRICT, NULL, NULL, NULL, 15000, 3, NULL, \
            {NULL, NULL}, {NULL, NULL}, NULL, NULL, NULL, NULL, NULL, NULL               \
    }

/* Opens the store (creating or migrating it) and takes back jobs of dead nodes of this
 * machine; runs nothing yet. An engine that was only opened can submit, read, wait and
 * cancel: enough for a program that leaves the running to other nodes.
 * `opts` NULL means TAKO_OPTIONS_INIT. On failure *out is NULL.
 * Errors: EINVAL (an option is out of range), ESTORE (unwritable, corrupt, foreign, newer
 * schema or locked database), EUNSUPPORTED (no store for that scheme), ENOMEM, ESYS. */
TAKO_API int tako_open(tako **out, const tako_options *opts, tako_error *err);

/* Workers begin to claim jobs. Register handlers before, or jobs that wait for them stay
 * queued until you do. Checks that the sandbox can be made here, if it is compiled in: when
 * it cannot, only job types with a handler are run, and submits of sandboxed jobs are
 * refused with TAKO_EEXEC and the reason (see tako_isolation).
 * Errors: ESTATE (started already, or stopped), ESYS, ENOMEM. */
TAKO_API int tako_start(tako *t, tako_error *err);

/* Drives an engine with workers = 0: commits what waits, claims the next due job, runs it to
 * its end in the calling thread and commits its record. Returns 1 when it ran a job, 0 when
 * none was due. Not from two threads at once. Errors: ESTATE (not started, or workers > 0,
 * or called from a handler), ESTORE. */
TAKO_API int tako_step(tako *t, tako_error *err);

/* Stops claiming, waits up to grace_ms (0 = not at all, -1 = without limit) for running jobs
 * to end, then kills the rest and gives them back to the queue. Handlers cannot be killed:
 * they see tako_call_cancelled() and are waited for; one that then returns 0 has succeeded, any
 * other value gives its job back to the queue. The engine stays open for reading.
 * Errors: ESTATE (from a handler or an event), ESTORE. Stopping twice is not an error. */
TAKO_API int tako_stop(tako *t, int64_t grace_ms, tako_error *err);

/* Stops with grace 0 if needed, closes the store, frees everything. NULL is allowed. No other
 * call on `t` may be under way or follow. From a handler, or in a forked child, it does
 * nothing: there is no safe way to succeed. */
TAKO_API void tako_close(tako *t);

/* ---- work ----------------------------------------------------------------------------- */

#define TAKO_CODE_MAX 102400         /* bytes of code */
#define TAKO_INPUT_MAX 1048576       /* bytes of input JSON */
#define TAKO_INPUT_DEPTH_MAX 128     /* nesting of input JSON */
#define TAKO_FILES_MAX 64            /* input files of one job */
#define TAKO_FILE_BYTES_MAX 52428800 /* all input files of one job together */
#define TAKO_TIMEOUT_MAX_MS 86400000 /* one day */
#define TAKO_MEMORY_MIN 67108864     /* 64 MiB */
#define TAKO_MEMORY_MAX 34359738368  /* 32 GiB */
#define TAKO_OUTPUT_CAP 65536        /* bytes kept of stdout, and of stderr */
#define TAKO_ARTIFACT_MAX 10485760   /* bytes of one artifact */
#define TAKO_ARTIFACTS_MAX 52428800  /* bytes of all artifacts of one job */
#define TAKO_ARTIFACT_COUNT_MAX 256  /* artifacts of one job */
#define TAKO_SUBMIT_MANY_MAX 10000   /* jobs in one tako_submit_many */

/* A file placed at /input/NAME. The name has 1-255 bytes of UTF-8, no '/' or '\', no control
 * characters, does not begin with '.', and is not data.json or _requirements.txt. */
typedef struct tako_file {
    const char *name;
    const void *data; /* may be NULL when size is 0 */
    size_t size;
} tako_file;

typedef struct tako_job {
    size_t size;
    const char *type;       /* 1-64 of [A-Za-z0-9_-]; NULL = "default": Python in the native
                               sandbox. Other names are handlers */
    const char *code;       /* UTF-8 without NUL, 1-TAKO_CODE_MAX bytes, not blank. Needed
                               for sandboxed types, must be NULL for handlers */
    size_t code_len;        /* 0 = strlen(code) */
    const char *input;      /* a JSON object; NULL = "{}". The job finds it in
                               /input/data.json byte for byte as given */
    size_t input_len;       /* 0 = strlen(input) */
    const tako_file *files; /* input files, or NULL */
    size_t n_files;
    int64_t timeout_ms;   /* wall time of the run, 1-TAKO_TIMEOUT_MAX_MS; 0 = 30000. A handler
                               is asked to stop then (tako_call_cancelled), it cannot be killed */
    int64_t memory_bytes; /* TAKO_MEMORY_MIN-TAKO_MEMORY_MAX; 0 = 512 MiB. Without effect on
                               handlers */
    int priority;         /* -100..100, higher runs first; equal ones in order of submission */
    int64_t run_at_ms;    /* not before this instant, Unix milliseconds; 0 = now */
    const char *correlation_id; /* 1-64 visible ASCII characters, or NULL */
    const char *client_ip;      /* up to 45 characters, stored as given, or NULL */
    int64_t cpu_timeout_ms;     /* CPU time, user and system, of all its processes together,
                                   1-TAKO_TIMEOUT_MAX_MS; 0 = no limit but timeout_ms. Without
                                   effect on handlers */
    int64_t output_kill_bytes;  /* the job is killed once it wrote more than so many bytes to stdout
                                   or to stderr, 1-INT64_MAX; 0 = never: output beyond
                                   TAKO_OUTPUT_CAP is counted and dropped. Without effect on
                                   handlers */
} tako_job;

#define TAKO_JOB_INIT                                                                   \
    {                                                                                   \
        sizeof(tako_job), NULL, NULL, 0, NULL, 0, NULL, 0, 0, 0, 0, 0, NULL, NULL, 0, 0 \
    }

/* Puts a job into the queue and returns once it is committed: with a file store it then
 * survives kill -9 and power loss. *id is written on success only.
 * Errors: EINVAL (says which member and why), ENOTFOUND (unknown job type), EFULL, EEXEC (no
 * sandbox here: strict mode names the missing layer), ESTATE (stopped), ESTORE. */
TAKO_API int tako_submit(tako *t, const tako_job *job, tako_id *id, tako_error *err);

/* The same for `count` jobs in one commit: all are accepted or none. `ids` has room for
 * `count`. The message of an EINVAL begins with "jobs[i]: ". */
TAKO_API int tako_submit_many(tako *t, const tako_job *jobs, size_t count, tako_id *ids,
                              tako_error *err);

/* Waits until the job is terminal, then gives its record. timeout_ms -1 = without limit, 0 =
 * look once. Never changes the job. Works for jobs that run on other nodes of the same store.
 * With workers = 0 it steps the engine itself and returns TAKO_ETIMEDOUT as soon as nothing is
 * due. Errors: ENOTFOUND, ETIMEDOUT, ESTATE (from a handler or event, or the engine stopped). */
TAKO_API int tako_wait(tako *t, const char *id, int64_t timeout_ms, tako_record **out,
                       tako_error *err);

/* tako_submit and tako_wait without limit. TAKO_OK means that the job ended and *out tells
 * how, also when it failed. Errors: those of both; ESTATE when not started. */
TAKO_API int tako_run(tako *t, const tako_job *job, tako_record **out, tako_error *err);

/* A snapshot of what is known now. Errors: EINVAL (no id by its looks), ENOTFOUND, ESTORE. */
TAKO_API int tako_get(tako *t, const char *id, tako_record **out, tako_error *err);

/* A waiting job ends as cancelled at once; a running one is killed at once and ends as
 * cancelled unless it ended by itself first; on another node within about a second, except that
 * a node which runs it inside tako_step does not notice. Errors: ENOTFOUND, ESTATE (terminal
 * already, or the engine was stopped), ESTORE. */
TAKO_API int tako_cancel(tako *t, const char *id, tako_error *err);

typedef struct tako_filter {
    size_t size;
    unsigned statuses; /* bit set of TAKO_STATUS_BIT(status); 0 = all */
    const char *type;  /* exact name, or NULL */
    int64_t since_us;  /* created at or after, Unix microseconds; 0 = all */
    int64_t before_us; /* created before; 0 = all */
    const char *after; /* cursor: the id of the last record of the previous page, or NULL */
    int limit;         /* 1-1000; 0 = 100 */
} tako_filter;

#define TAKO_STATUS_BIT(status) (1u << (unsigned)(status))
#define TAKO_FILTER_INIT                            \
    {                                               \
        sizeof(tako_filter), 0, NULL, 0, 0, NULL, 0 \
    }

/* Called for each record, newest first; the record is lent for the call. Non-zero stops the
 * listing and becomes the result of tako_list. */
typedef int tako_each_fn(void *ctx, const tako_record *rec);

/* Records without their stdout, stderr, code and output (those getters give "" or NULL).
 * `f` NULL = the newest 100. Errors: EINVAL, ENOTFOUND (the cursor's record is gone), ESTORE. */
TAKO_API int tako_list(tako *t, const tako_filter *f, tako_each_fn *each, void *ctx,
                       tako_error *err);

/* ---- records -------------------------------------------------------------------------- */

/* An immutable snapshot. All getters accept any thread. Instants are Unix microseconds, 0 =
 * not yet. A size pointer may be NULL. */
TAKO_API void tako_record_free(tako_record *rec);
TAKO_API const char *tako_record_id(const tako_record *rec);
TAKO_API const char *tako_record_type(const tako_record *rec);
TAKO_API tako_status tako_record_status(const tako_record *rec);
TAKO_API tako_verdict tako_record_verdict(const tako_record *rec);
TAKO_API int tako_record_priority(const tako_record *rec);
TAKO_API int tako_record_attempt(const tako_record *rec);      /* 0 until first claimed */
TAKO_API int tako_record_deaths(const tako_record *rec);       /* node deaths while it ran */
TAKO_API const char *tako_record_node(const tako_record *rec); /* last node to run it, or "" */
TAKO_API int64_t tako_record_created_us(const tako_record *rec);
TAKO_API int64_t tako_record_run_at_us(const tako_record *rec);
TAKO_API int64_t tako_record_started_us(const tako_record *rec);
TAKO_API int64_t tako_record_ended_us(const tako_record *rec);
TAKO_API int64_t tako_record_duration_ms(const tako_record *rec); /* -1 until it ended */
TAKO_API int tako_record_exit_code(const tako_record *rec);       /* 0-255; -1 = none */
TAKO_API int tako_record_signal(const tako_record *rec);          /* signal that ended it, or 0 */
TAKO_API const char *tako_record_stdout(const tako_record *rec, size_t *len); /* never NULL */
TAKO_API const char *tako_record_stderr(const tako_record *rec, size_t *len); /* never NULL */
TAKO_API int tako_record_stdout_truncated(const tako_record *rec);
TAKO_API int tako_record_stderr_truncated(const tako_record *rec);
TAKO_API int64_t tako_record_stdout_bytes(const tako_record *rec); /* written, not kept */
TAKO_API int64_t tako_record_stderr_bytes(const tako_record *rec);
/* The JSON object that the job left in /output/result.json (or a handler gave), verbatim;
 * NULL when there is none. When there was one that is no valid JSON object, the note says so. */
TAKO_API const char *tako_record_output(const tako_record *rec, size_t *len);
TAKO_API const char *tako_record_output_note(const tako_record *rec);   /* or NULL */
TAKO_API const char *tako_record_error_type(const tako_record *rec);    /* or NULL */
TAKO_API const char *tako_record_error_message(const tako_record *rec); /* or NULL */
TAKO_API const char *tako_record_error_phase(const tako_record *rec);   /* or NULL */
TAKO_API int64_t tako_record_wall_us(const tako_record *rec);           /* of the run itself; -1 */
TAKO_API int64_t tako_record_cpu_us(const tako_record *rec);            /* user + system; -1 */
TAKO_API int64_t tako_record_peak_bytes(const tako_record *rec);        /* peak memory; -1 */
TAKO_API int64_t tako_record_oom_kills(const tako_record *rec); /* its processes that were killed
                                                                   for want of memory */
TAKO_API int64_t tako_record_pids_peak(const tako_record *rec); /* most processes and threads at
                                                                   once; -1 */
TAKO_API int64_t tako_record_pids_hits(const tako_record *rec); /* forks refused at the limit; -1 */
TAKO_API int64_t tako_record_throttled_us(const tako_record *rec); /* held back at the CPU share,
                                                                      summed over CPUs; -1 */
TAKO_API int64_t tako_record_survivors(const tako_record *rec);   /* processes left at the program's
                                                                   end or killed with it; -1 */
TAKO_API const char *tako_record_runtime(const tako_record *rec); /* "native", "handler"; or NULL */
/* What was in force, as a JSON object {layer: "on" | "weaker: why" | "off: why"}; or NULL. */
TAKO_API const char *tako_record_isolation(const tako_record *rec);
TAKO_API const char *tako_record_correlation_id(const tako_record *rec); /* or NULL */
TAKO_API const char *tako_record_client_ip(const tako_record *rec);      /* or NULL */
TAKO_API const char *tako_record_code_hash(const tako_record *rec);      /* 64 hex, or NULL */
TAKO_API const char *tako_record_input_hash(const tako_record *rec);     /* 64 hex, or NULL */

/* A file the job left (kind 0, artifacts), was given (kind 1, input files), or left but which
 * was not taken (kind 2, rejected: `reason` says why, sha256 is NULL). */
typedef struct tako_artifact {
    const char *name; /* UTF-8; other bytes of a rejected name are shown as U+FFFD */
    int64_t bytes;
    const char *sha256; /* 64 hex */
    const char *reason; /* NULL unless rejected */
} tako_artifact;
#define TAKO_ARTIFACTS 0
#define TAKO_INPUT_FILES 1
#define TAKO_REJECTED 2
TAKO_API size_t tako_record_artifact_count(const tako_record *rec, int kind);
/* NULL when `index` is out of range. */
TAKO_API const tako_artifact *tako_record_artifact(const tako_record *rec, int kind, size_t index);

/* The record as one JSON object, compact, as the REST API gives it. `full` adds artifacts,
 * hashes, usage, verdict, isolation and more. *json is yours: tako_free(t, json). */
TAKO_API int tako_record_json(tako *t, const tako_record *rec, int full, char **json,
                              tako_error *err);
TAKO_API void tako_free(tako *t, void *ptr);

/* Lends the bytes of content stored under a SHA-256 (an artifact, an input file, the code, an
 * input of more than 1 KiB: smaller ones are kept with the job itself) to
 * `got` once. Errors: EINVAL, ENOTFOUND, ESTORE; or what `got` returned, if not 0. */
typedef int tako_bytes_fn(void *ctx, const void *data, size_t len);
TAKO_API int tako_content(tako *t, const char *sha256, tako_bytes_fn *got, void *ctx,
                          tako_error *err);

/* ---- host callbacks as jobs ------------------------------------------------------------- */

typedef struct tako_call tako_call; /* one attempt; valid inside the handler only */

/* Runs on a worker's thread. 0 = succeeded; anything else fails the job with error type
 * runtime_error and exit code (value & 255, but never 0). It may submit, get, list and cancel;
 * run, wait, start, step, stop, close and isolation are refused with TAKO_ESTATE. */
typedef int tako_handler_fn(void *ctx, tako_call *call);

/* Makes a C function a job type. `destroy` (or NULL) is called with ctx exactly once, at
 * tako_close or when registration fails. Errors: EINVAL (name), ECONFLICT (taken, also by a
 * built-in type), ESTATE (stopped), ENOMEM. */
TAKO_API int tako_register_handler(tako *t, const char *type, tako_handler_fn *fn, void *ctx,
                                   void (*destroy)(void *ctx), tako_error *err);

TAKO_API const char *tako_call_id(const tako_call *c);
TAKO_API int tako_call_attempt(const tako_call *c); /* 1 for the first */
TAKO_API const char *tako_call_input(const tako_call *c, size_t *len);
TAKO_API size_t tako_call_file_count(const tako_call *c);
TAKO_API const tako_file *tako_call_file(const tako_call *c, size_t index); /* NULL past the end */
/* Appends to stdout (1) or stderr (2) of the record. Errors: EINVAL. */
TAKO_API int tako_call_write(tako_call *c, int stream, const void *data, size_t len);
/* Sets the output: a JSON object, copied; the last call wins. Errors: EINVAL, ENOMEM. */
TAKO_API int tako_call_output(tako_call *c, const char *json, size_t len, tako_error *err);
/* Adds an artifact. Errors: EINVAL (name), EFULL (count or size limit), ENOMEM. */
TAKO_API int tako_call_artifact(tako_call *c, const char *name, const void *data, size_t len,
                                tako_error *err);
/* The message for a failing job, copied, at most TAKO_ERROR_SIZE - 1 bytes of it; else "Handler
 * returned N". */
TAKO_API int tako_call_fail(tako_call *c, const char *message);
/* 1 once the job was cancelled, its time is over, or the engine stops: return soon. */
TAKO_API int tako_call_cancelled(const tako_call *c);
/* A descriptor that becomes readable at that moment, for poll(2); do not read or close it. */
TAKO_API int tako_call_cancel_fd(const tako_call *c);

/* ---- what is going on ------------------------------------------------------------------- */

typedef struct tako_stats {
    size_t size;
    int64_t queued;    /* in the store, due or delayed */
    int64_t running;   /* in the store, on any node */
    int64_t submitted; /* by this engine since it was opened, and so are the following */
    int64_t claimed;
    int64_t finished;
    int64_t commits; /* transactions that wrote: with a file store, one fsync each */
    int64_t wakeups; /* times the engine's thread woke: stands still when idle */
} tako_stats;
#define TAKO_STATS_INIT                         \
    {                                           \
        sizeof(tako_stats), 0, 0, 0, 0, 0, 0, 0 \
    }
TAKO_API int tako_get_stats(tako *t, tako_stats *out, tako_error *err);

/* One layer of the native sandbox on this node. */
typedef enum tako_layer_state {
    TAKO_LAYER_OFF = 0,
    TAKO_LAYER_WEAKER = 1,
    TAKO_LAYER_ON = 2
} tako_layer_state;
typedef struct tako_layer {
    const char *name; /* "user_namespace", "seccomp", "memory_limit", ... */
    tako_layer_state state;
    int required;       /* 1: strict mode refuses to run without it */
    const char *detail; /* how it is done, or why it is weaker or off, and the remedy */
} tako_layer;
typedef int tako_layer_fn(void *ctx, const tako_layer *layer);

/* Probes by making a sandbox and running in it, then reports every layer in a fixed order; a
 * non-zero return of `each` stops it and is returned. Errors: EEXEC when jobs would be refused
 * (after all layers were reported; the message names the missing one), EUNSUPPORTED when the
 * native executor was left out. */
TAKO_API int tako_isolation(tako *t, tako_layer_fn *each, void *ctx, tako_error *err);

/* ---- stores ------------------------------------------------------------------------------
 *
 * A store is a documented table of functions; the engine is the only caller. A host lends its
 * own in tako_options.stores; examples/custom_store.c is a complete one. The engine decides,
 * the store remembers: it never changes a row except as told here.
 *
 * Writes: begin, any number of write methods, then commit or rollback, never from two threads
 * at once. Each write method takes a batch; per-item outcomes go to `results`, so that one bad
 * item does not spoil the group; a negative return value condemns the whole transaction.
 * Reads (get, list, get_blob, count, cancel_requests): any thread, any time, also while a
 * transaction is open; they see committed rows only, except that a method called by the
 * writing thread inside its transaction may see its own writes.
 * What a method receives is borrowed for the call. What it lends to a callback is borrowed for
 * that callback: memory never changes owner here. */

typedef struct tako_host { /* what a store may use of its engine */
    size_t size;
    tako_allocator alloc; /* realloc is never NULL here */
    tako_clock clock;     /* now_us is never NULL here */
    tako_log_fn *log;     /* may be NULL */
    void *log_ctx;
} tako_host;

typedef struct tako_row { /* one execution, as a store keeps it */
    size_t size;
    const char *id; /* primary key, at most 64 bytes */
    const char *type;
    tako_status status;
    int priority;
    int attempt; /* raised by claim */
    int deaths;
    int cancel_requested; /* set by cancel on a running row */
    const char *node;     /* the node that runs or last ran it, or "" */
    int64_t created_us;
    int64_t run_at_us;  /* claimable from then on */
    int64_t started_us; /* set by claim; 0 before */
    int64_t ended_us;   /* 0 until terminal */
    const char *spec;   /* JSON text: all else that was asked. Written once, by insert */
    size_t spec_len;
    const char *result; /* JSON text: all else that came out, or NULL. Written by finish */
    size_t result_len;
} tako_row;
typedef int tako_row_fn(void *ctx, const tako_row *row); /* non-zero stops; it is returned */

typedef struct tako_blob {
    const char *sha256; /* 64 lower hex: the key */
    const void *data;
    size_t len;
} tako_blob;

typedef struct tako_claim {
    size_t size;
    const char *node;
    const char *const *types; /* NULL-terminated: only jobs of these types */
    size_t limit;
    int64_t now_us; /* becomes started_us; rows with run_at_us after it are not due */
} tako_claim;

/* The end of an attempt. Accepted only while the row is running with this attempt and node. */
typedef struct tako_finish {
    size_t size;
    const char *id;
    int attempt;
    const char *node;
    tako_status status; /* terminal, or TAKO_QUEUED: back to the queue */
    int deaths;         /* new value */
    int64_t run_at_us;  /* for TAKO_QUEUED */
    int64_t started_us; /* new value; 0 for TAKO_QUEUED */
    int64_t ended_us;
    const char *result; /* JSON text, or NULL for TAKO_QUEUED */
    size_t result_len;
} tako_finish;

typedef struct tako_cancel_item {
    size_t size;
    const char *id;
    int64_t now_us;     /* ended_us of a row that was still queued */
    const char *result; /* its result */
    size_t result_len;
    tako_status was; /* out: TAKO_QUEUED (it is cancelled now), TAKO_RUNNING (the flag is
                            set), or the terminal state it has */
} tako_cancel_item;

/* A node with running jobs. Written in the same transaction as a claim and renewed while jobs
 * run; an idle node writes nothing. */
typedef struct tako_node {
    size_t size;
    const char *id;
    const char *identity; /* tells the engine on the same machine which process it is */
    int64_t expires_us;
} tako_node;
typedef int tako_node_fn(void *ctx, const tako_node *node);

struct tako_store_ops {
    size_t size;
    const char *scheme; /* "sqlite" in "sqlite:jobs.db" */

    /* `uri` is the whole text with the scheme. On failure *self stays NULL. */
    int (*open)(void **self, const char *uri, const tako_host *host, tako_error *err);
    void (*close)(void *self);

    int (*begin)(void *self, tako_error *err);
    int (*commit)(void *self, tako_error *err); /* returns once durable; failing = rolled back */
    void (*rollback)(void *self);

    /* Content that exists already is left alone. */
    int (*put_blobs)(void *self, const tako_blob *blobs, size_t count, tako_error *err);
    /* New queued rows. results[i]: TAKO_OK or TAKO_ECONFLICT (the id exists). */
    int (*insert)(void *self, const tako_row *rows, size_t count, int *results, tako_error *err);
    /* Makes up to `limit` due queued rows running on `node` with attempt + 1 and lends each:
     * by priority, highest first, then in order of insertion. */
    int (*claim)(void *self, const tako_claim *what, tako_row_fn *got, void *ctx, tako_error *err);
    /* results[i]: TAKO_OK, or TAKO_ESTATE (not running with that attempt and node: refused). */
    int (*finish)(void *self, const tako_finish *items, size_t count, int *results,
                  tako_error *err);
    /* results[i]: TAKO_OK, TAKO_ESTATE (terminal) or TAKO_ENOTFOUND. */
    int (*cancel)(void *self, tako_cancel_item *items, size_t count, int *results, tako_error *err);
    /* Inserts or replaces the node's row. */
    int (*put_node)(void *self, const tako_node *node, tako_error *err);
    int (*remove_node)(void *self, const char *node, tako_error *err);

    int (*get)(void *self, const char *const *ids, size_t count, tako_row_fn *got, void *ctx,
               tako_error *err); /* unknown ids are left out; order is free */
    /* Newest first: by created_us, then by id, both descending; the cursor excludes its row. */
    int (*list)(void *self, const tako_filter *filter, tako_row_fn *got, void *ctx,
                tako_error *err);
    int (*get_blob)(void *self, const char *sha256, tako_bytes_fn *got, void *ctx,
                    tako_error *err); /* TAKO_ENOTFOUND when absent */
    int (*count)(void *self, int64_t *queued, int64_t *running, tako_error *err);
    int (*nodes)(void *self, tako_node_fn *got, void *ctx, tako_error *err);
    /* The running rows of one node. */
    int (*held)(void *self, const char *node, tako_row_fn *got, void *ctx, tako_error *err);
    /* The ids of this node's running rows with cancel_requested: lent as rows. */
    int (*cancel_requests)(void *self, const char *node, tako_row_fn *got, void *ctx,
                           tako_error *err);
    /* When the next queued row of these types is due; INT64_MAX when none waits. */
    int (*next_due)(void *self, const char *const *types, int64_t *due_us, tako_error *err);

    /* A descriptor that becomes readable when another process may have written, or -1: then
     * the engine looks once a second. Owned by the store. NULL = -1. */
    int (*watch_fd)(void *self);
    /* Takes what the descriptor announces; 1 when another process did write, 0 when not. */
    int (*watched)(void *self);
};

/* Always declared; NULL when it was left out at compile time. */
TAKO_API const tako_store_ops *tako_store_sqlite(void);

#ifdef __cplusplus
}
#endif

#endif /* TAKO_H */
