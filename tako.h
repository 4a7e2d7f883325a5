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
 * allocator hook covers Tako's own memory; SQLite, cJSON, libseccomp and libyaml use libc's.
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

/* 1 when the named feature was compiled in, else 0: "sqlite", "native", "yaml". NULL gives 0. */
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
 * order of commits. It may read (tako_get, tako_list, tako_history, tako_content, tako_read_file,
 * tako_record_json, tako_get_stats, and what lists dead letters, job types and versions); all else
 * is refused with TAKO_ESTATE. Keep it short: the engine waits for it. */
typedef void tako_event_fn(void *ctx, const tako_event *event);

/* Bytes that a running job wrote, as they arrive and before any cap. `stream` is 1 (stdout)
 * or 2 (stderr). Called from the worker's thread; must not call Tako. */
typedef void tako_output_fn(void *ctx, const char *id, int stream, const void *data, size_t len);

/* What one engine grants. Start from TAKO_LIMITS_INIT; every member has bounds, given in brackets. */
typedef struct tako_limits {
    size_t size;
    int64_t code_bytes;           /* of a job's code [1024-10485760] INIT: 102400 */
    int64_t input_bytes;          /* of its input JSON [1024-104857600] INIT: 1048576 */
    int64_t stdout_bytes;         /* kept of stdout [1024-104857600] INIT: 65536 */
    int64_t stderr_bytes;         /* and of stderr, the same */
    int64_t artifact_bytes;       /* of one artifact [1024-1073741824] INIT: 10485760 */
    int64_t artifacts_bytes;      /* of all of one job [1024-10737418240] INIT: 52428800 */
    int64_t default_timeout_ms;   /* of jobs and types that name none [1-max] INIT: 30000 */
    int64_t max_timeout_ms;       /* the most that may be asked [1-86400000] INIT: 86400000 */
    int64_t default_startup_ms;   /* the same two for making a job's environment */
    int64_t max_startup_ms;       /* [1000-1800000] INIT: 120000 and 600000 */
    int pids;                     /* processes and threads of one job [10-8192] INIT: 100 */
    int nproc_soft, nproc_hard;   /* RLIMIT_NPROC behind it [10-8192] INIT: 100 */
    int nofile_soft, nofile_hard; /* RLIMIT_NOFILE [64-65536] INIT: 256 */
    int64_t file_bytes;           /* RLIMIT_FSIZE [1048576-1073741824] INIT: 104857600 */
    int64_t tmp_bytes;            /* of /tmp, /output and /dev/shm, each [10485760-2147483648]
                                   INIT: 104857600 */
    int setup_attempts;           /* how often a sandbox is tried to be made when that fails for a
                                   passing reason, tries after which a job began to run not counted
                                   [1-10] INIT: 5 */
    int64_t setup_delay_ms;       /* before the second try, doubled before each further one
                                   [100-60000] INIT: 200 */
} tako_limits;

#define TAKO_LIMITS_INIT                                                                         \
    {                                                                                            \
        sizeof(tako_limits), 102400, 1048576, 65536, 65536, 10485760, 52428800, 30000, 86400000, \
            120000, 600000, 100, 100, 100, 256, 256, 104857600, 104857600, 5, 200                \
    }

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
    const tako_limits *limits;  /* NULL = TAKO_LIMITS_INIT; copied */
    int64_t record_ttl_ms;      /* ended jobs are removed, with content nobody else refers to, when
                                  they were submitted longer ago than this; 0 = never, else at
                                  least 60000. INIT: 30 days */
    int64_t dead_ttl_ms;        /* the same for dead letters. INIT: 30 days */
    const char *data_dir;       /* absolute path of a directory, made when missing, in which the
                                  environments of requirements are kept; NULL = none: jobs with
                                  requirements are refused */
    int allow_requirements;     /* 1: jobs may name requirements; 0: only job types may */
    const char *index_url;      /* package index for installing; NULL = the installer's own */
    const char *proxy_url;      /* HTTP proxy for installing; NULL = none */
    const char *wheel_dir;      /* absolute path of a directory of wheels: then they are the only
                                  source and nothing is asked of the network; NULL = none */
    int64_t environment_ttl_ms; /* environments unused for so long are removed; 0 = never, else at
                                  least 60000. INIT: 30 days */
} tako_options;

#define TAKO_OPTIONS_INIT                                                                     \
    {                                                                                         \
        sizeof(tako_options), NULL, 4, 0, TAKO_STRICT, NULL, NULL, NULL, 15000, 3, NULL,      \
            {NULL, NULL}, {NULL, NULL}, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 2592000000, \
            2592000000, NULL, 0, NULL, NULL, NULL, 2592000000                                 \
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

/* Those that tako_limits can change are its INIT values. */
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
#define TAKO_REQUIREMENTS_MAX 50     /* of one job, with those of its type */

/* A file placed at /input/NAME. The name has 1-255 bytes of UTF-8, no '/' or '\', no control
 * characters, does not begin with '.', and is not data.json or _requirements.txt. */
typedef struct tako_file {
    const char *name;
    const void *data; /* may be NULL when size is 0 */
    size_t size;
} tako_file;

typedef struct tako_job {
    size_t size;
    const char *type;       /* a job type's name, 1-64 of [A-Za-z0-9_-]; NULL = "default": Python
                               in the native sandbox. "NAME@latest", "NAME@TAG" and
                               "NAME@sha256:HEX" (at least 12 digits) name one of its versions */
    const char *code;       /* UTF-8 without NUL, 1 to limits.code_bytes, not blank. Needed for
                               sandboxed types, must be NULL for handlers */
    size_t code_len;        /* 0 = strlen(code) */
    const char *input;      /* a JSON object, at most limits.input_bytes; NULL = "{}". The job finds
                               it in /input/data.json byte for byte as given */
    size_t input_len;       /* 0 = strlen(input) */
    const tako_file *files; /* input files, or NULL */
    size_t n_files;
    int64_t timeout_ms; /* wall time of the run, 1 to limits.max_timeout_ms; 0 = that of its type. A
                               handler is asked to stop then (tako_call_cancelled), it cannot be
                               killed */
    int64_t memory_bytes; /* TAKO_MEMORY_MIN-TAKO_MEMORY_MAX; 0 = that of its type. Without effect
                               on handlers */
    int priority;         /* -100..100, higher runs first; equal ones in order of submission */
    int64_t run_at_ms;    /* not before this instant, Unix milliseconds; 0 = now */
    const char *correlation_id; /* 1-64 visible ASCII characters, or NULL */
    const char *client_ip;      /* up to 45 characters, stored as given, or NULL */
    int64_t cpu_timeout_ms;     /* CPU time, user and system, of all its processes together,
                                   1-TAKO_TIMEOUT_MAX_MS; 0 = that of its type. Without effect
                                   on handlers */
    int64_t output_kill_bytes;  /* the job is killed once it wrote more than so many bytes to stdout
                                   or to stderr, 1-INT64_MAX; 0 = never: output beyond
                                   limits.stdout_bytes and stderr_bytes is counted and dropped.
                                   Without effect on handlers */
    const char *idempotency_key; /* 8-255 of [A-Za-z0-9_-], or NULL. A second submit with the same
                                   key and the same content gives the first job's id, whatever has
                                   become of that job, and runs nothing; with other content it is
                                   refused with TAKO_ECONFLICT. A key lives as long as its job's
                                   record (see record_ttl_ms) */
    int max_attempts;            /* 1-100: how often it is run when it fails by itself; 0 = as its
                                   job type says, else 1. Timeouts and out of memory only when
                                   `retry_on` names them, cancels never */
    const char *retry_on;        /* error types separated by commas that are worth another attempt;
                                   NULL = as its job type says, else whatever the program itself did
                                   (its exit, a signal) and what could not be installed */
    int64_t retry_delay_ms;      /* before the second attempt, doubled before each further one up to
                                   30 s, give or take 10 %; 100-60000; 0 = as its type says, else
                                   1000 */
    int64_t startup_timeout_ms; /* for making its environment, 1000 to limits.max_startup_ms; 0 = as
                                   its job type says */
    const char *const *requirements; /* packages beyond those of its type, at most
                                   TAKO_REQUIREMENTS_MAX with them, or NULL; see
                                   allow_requirements */
    size_t n_requirements;
} tako_job;

#define TAKO_JOB_INIT                                                                             \
    {                                                                                             \
        sizeof(tako_job), NULL, NULL, 0, NULL, 0, NULL, 0, 0, 0, 0, 0, NULL, NULL, 0, 0, NULL, 0, \
            NULL, 0, 0, NULL, 0                                                                   \
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
    unsigned statuses;  /* bit set of TAKO_STATUS_BIT(status); 0 = all */
    const char *type;   /* exact name, or NULL */
    int64_t since_us;   /* created at or after, Unix microseconds; 0 = all */
    int64_t before_us;  /* created before; 0 = all */
    const char *after;  /* cursor: the id of the last record of the previous page, or NULL */
    int limit;          /* 1-1000; 0 = 100 */
    const char *parent; /* only reruns and forks of this job, or NULL */
} tako_filter;

#define TAKO_STATUS_BIT(status) (1u << (unsigned)(status))
#define TAKO_FILTER_INIT                                  \
    {                                                     \
        sizeof(tako_filter), 0, NULL, 0, 0, NULL, 0, NULL \
    }

/* Called for each record, newest first; the record is lent for the call. Non-zero stops the
 * listing and becomes the result of tako_list. */
typedef int tako_each_fn(void *ctx, const tako_record *rec);

/* Records without their stdout, stderr, code and output (those getters give "" or NULL).
 * `f` NULL = the newest 100. Errors: EINVAL, ENOTFOUND (the cursor's record is gone), ESTORE. */
TAKO_API int tako_list(tako *t, const tako_filter *f, tako_each_fn *each, void *ctx,
                       tako_error *err);

/* Runs the same code with the same input and files again, as a new job whose parent is `id`. Its
 * type and version, limits and requirements are those of the parent unless `changes` (or NULL) sets
 * them; code, input and files of `changes` must be unset. The parent must be terminal.
 * Errors: those of tako_submit; ENOTFOUND (no such job), ESTATE (it has not ended). */
TAKO_API int tako_rerun(tako *t, const char *id, const tako_job *changes, tako_id *out,
                        tako_error *err);

/* The same with other code, which `changes` must have. The parent may be in any state. */
TAKO_API int tako_fork(tako *t, const char *id, const tako_job *changes, tako_id *out,
                       tako_error *err);

/* One move of a job. */
typedef struct tako_transition {
    size_t size;
    tako_status status; /* what it became */
    int64_t at_us;
    int attempt;       /* that began or ended then; 0 before the first */
    const char *node;  /* or "" */
    const char *cause; /* why, when it went back to the queue or did not succeed, else "" */
} tako_transition;
typedef int tako_transition_fn(void *ctx, const tako_transition *move);

/* All moves of a job in order, from its submission on. Non-zero stops and is returned.
 * Errors: EINVAL, ENOTFOUND, ESTORE. */
TAKO_API int tako_history(tako *t, const char *id, tako_transition_fn *each, void *ctx,
                          tako_error *err);

/* ---- dead letters ----------------------------------------------------------------------- */

/* A job that Tako gave up: it was running at max_deaths node deaths, could not be started for
 * reasons of Tako's own, or used up its max_attempts when those were more than one. The job's record
 * stays as long as its dead letter does. Nothing secret is in it. */
typedef struct tako_dead {
    size_t size;
    int64_t id;
    const char *job_id;
    const char *type;       /* of the job */
    const char *error_type; /* why it is dead */
    const char *error_message;
    int retry_count; /* how often a dead letter of this job's line was retried already */
    int64_t created_us;
    const char *client_ip;      /* or NULL */
    const char *correlation_id; /* or NULL */
    const char *summary;        /* JSON object: job_type, hashes and sizes, limits; no content */
} tako_dead;
typedef int tako_dead_fn(void *ctx, const tako_dead *dead);

typedef struct tako_dead_filter {
    size_t size;
    const char *error_type; /* exact, or NULL */
    int64_t before;         /* cursor: only ids below this one; 0 = all */
    int limit;              /* 1-1000; 0 = 100 */
} tako_dead_filter;
#define TAKO_DEAD_FILTER_INIT                \
    {                                        \
        sizeof(tako_dead_filter), NULL, 0, 0 \
    }

/* Newest first. `f` NULL = the newest 100. Non-zero stops and is returned. */
TAKO_API int tako_dead_list(tako *t, const tako_dead_filter *f, tako_dead_fn *each, void *ctx,
                            tako_error *err);
typedef int tako_dead_count_fn(void *ctx, const char *error_type, int64_t count);
/* Error types with their numbers of dead letters, most frequent first. */
TAKO_API int tako_dead_stats(tako *t, tako_dead_count_fn *each, void *ctx, tako_error *err);
/* Errors: ENOTFOUND. The job's record stays. */
TAKO_API int tako_dead_remove(tako *t, int64_t id, tako_error *err);
/* Reruns the job and removes its dead letter, both or neither. Errors: those of tako_rerun. */
TAKO_API int tako_dead_retry(tako *t, int64_t id, tako_id *out, tako_error *err);

/* ---- retention --------------------------------------------------------------------------- */

/* Removes at most `limit` (1-1000) ended jobs that are older than record_ttl_ms, and as many dead
 * letters older than dead_ttl_ms. The engine does this by itself, hourly and in small steps.
 * Returns how many it removed. Errors: EINVAL, ESTATE (from a handler or event), ESTORE. */
TAKO_API int tako_purge(tako *t, int limit, tako_error *err);

/* ---- job types --------------------------------------------------------------------------- */

typedef struct tako_pair {
    const char *name, *value;
} tako_pair;

/* A named way to run jobs. All strings and arrays are copied. 0 and NULL mean the default. */
typedef struct tako_job_type {
    size_t size;
    const char *name;                /* 1-64 of [A-Za-z0-9_-], at least one letter or digit */
    const char *const *requirements; /* pip requirements, "numpy>=1.20" */
    size_t n_requirements;
    const char
        *python_version; /* "3.8"-"3.19": then /usr/bin/python3.N of the root is what runs; NULL
                                   = the engine's interpreter, and "3.11" in its digest */
    const char *const *shared_code; /* absolute paths of files and directories that its jobs see,
                                   read-only, in /app/shared_code, where Python finds modules */
    size_t n_shared_code;
    const tako_pair *environment; /* variables of its jobs; a job can read them: no secrets (a
                                     warning is logged for what looks like one) */
    size_t n_environment;
    int64_t memory_bytes;       /* TAKO_MEMORY_MIN-TAKO_MEMORY_MAX; 0 = 512 MiB */
    int cpu_percent;            /* of one CPU, 10-1600; 0 = 100 */
    int64_t timeout_ms;         /* 0 = limits.default_timeout_ms */
    int64_t startup_timeout_ms; /* 0 = limits.default_startup_ms */
    int64_t cpu_timeout_ms;     /* 0 = none */
    int network;                /* 1: its jobs see the host's network; 0: none at all */
    int max_attempts;           /* 0 = 1; see tako_job, as for the next two */
    const char *retry_on;
    int64_t retry_delay_ms;
    const char *const *command;    /* argv, NULL-terminated, its first an absolute path in the root;
                                   the code is in /code/FILE_NAME. NULL = the interpreter, "-u" and
                                   that path */
    const char *file_name;         /* of the code; NULL = "main.py" */
    const tako_pair *secret_files; /* name and absolute path of a file on the host, read when a job
                                   starts, which it finds in /run/secrets/NAME; kept nowhere */
    size_t n_secret_files;
} tako_job_type;
#define TAKO_JOB_TYPE_INIT                                                                       \
    {                                                                                            \
        sizeof(tako_job_type), NULL, NULL, 0, NULL, NULL, 0, NULL, 0, 0, 0, 0, 0, 0, 0, 0, NULL, \
            0, NULL, NULL, NULL, 0                                                               \
    }

/* One version of a job type: what makes its jobs behave as they do. */
typedef struct tako_version_info {
    size_t size;
    const char *type;
    const char *tag;    /* given by tako_build, or "" */
    const char *digest; /* 64 hex */
    int64_t built_us;
    const char *built_by;          /* "config" (defined), "manual" (tako_build) */
    const char *requirements_hash; /* 64 hex, of the sorted requirements */
    const char *definition;        /* the type as a JSON object */
    size_t definition_len;
} tako_version_info;
typedef int tako_version_fn(void *ctx, const tako_version_info *version);

/* Defines a sandboxed job type, or changes one: its newest version is what later submits get, and
 * jobs that wait keep the version they were submitted with. A digest does not cover limits, network
 * and retries: a version that differs only in those takes the place of the other for later submits.
 * "default", "data-processing" (pandas, numpy) and "ml-inference" (numpy, scikit-learn) are defined
 * by tako_open.
 * Errors: EINVAL (says which member and why), ECONFLICT (a handler has that name), ESTATE
 * (stopped), ESTORE, ENOMEM. */
TAKO_API int tako_define_type(tako *t, const tako_job_type *type, tako_error *err);
/* The newest version of each defined type, in order of definition; or of `name` only. */
TAKO_API int tako_types(tako *t, const char *name, tako_version_fn *each, void *ctx,
                        tako_error *err);
/* All versions of a type in the store, newest first; NULL = of all types. */
TAKO_API int tako_versions(tako *t, const char *name, tako_version_fn *each, void *ctx,
                           tako_error *err);
/* Lines of the installer, as they come; from the calling thread. */
typedef void tako_build_fn(void *ctx, const char *line);
/* Makes the environment of a type's newest version now, so that no job waits for it, and records the
 * version with `tag` (1-64 of [A-Za-z0-9_.-], not "latest"; or NULL). `progress` may be NULL.
 * Errors: ENOTFOUND, EINVAL, EEXEC (the installer failed; the message has its last line),
 * ETIMEDOUT (startup_timeout), EUNSUPPORTED (no data_dir). */
TAKO_API int tako_build(tako *t, const char *name, const char *tag, tako_build_fn *progress,
                        void *ctx, tako_error *err);

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
/* Of the input's canonical JSON (sorted keys, no blanks), not of its bytes. 64 hex. */
TAKO_API const char *tako_record_input_hash(const tako_record *rec);
/* "NAME@sha256:" and 12 digits: the version it was pinned to; "NAME@latest" for handlers. */
TAKO_API const char *tako_record_version(const tako_record *rec);
TAKO_API const char *tako_record_idempotency_key(const tako_record *rec); /* or NULL */
TAKO_API const char *tako_record_parent(const tako_record *rec);          /* or NULL */
TAKO_API const char *
tako_record_relationship(const tako_record *rec); /* "rerun", "fork"; or NULL */
TAKO_API int
tako_record_failures(const tako_record *rec); /* attempts that failed and were retried */
TAKO_API int tako_record_max_attempts(const tako_record *rec);
TAKO_API int64_t tako_record_timeout_ms(const tako_record *rec);
TAKO_API int64_t tako_record_memory_bytes(const tako_record *rec);
TAKO_API int64_t
tako_record_install_us(const tako_record *rec); /* waited for its environment; -1 */

/* A file the job left (kind 0, artifacts), was given (kind 1, input files), or left but which
 * was not taken (kind 2, rejected: `reason` says why, sha256 is NULL). */
typedef struct tako_artifact {
    const char *name; /* UTF-8; other bytes of a rejected name are shown as U+FFFD */
    int64_t bytes;
    const char *sha256;       /* 64 hex */
    const char *reason;       /* NULL unless rejected */
    const char *content_type; /* by the name's extension, or NULL */
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

typedef int tako_bytes_fn(void *ctx, const void *data, size_t len);

/* Lends `len` bytes (-1 = to the end) from `offset` of an artifact (kind TAKO_ARTIFACTS) or an input
 * file (TAKO_INPUT_FILES; there also "_code.py" and "_input.json", the code and the input), in pieces
 * of at most 1 MiB; an empty range lends nothing. Non-zero from `got` stops and is returned.
 * Errors: EINVAL (also an offset past the end), ENOTFOUND (job or file), ESTORE. */
TAKO_API int tako_read_file(tako *t, const char *id, int kind, const char *name, int64_t offset,
                            int64_t len, tako_bytes_fn *got, void *ctx, tako_error *err);

/* Lends the bytes of content stored under a SHA-256 (an artifact, an input file, the code, an
 * input of more than 1 KiB: smaller ones are kept with the job itself) to
 * `got` once. Errors: EINVAL, ENOTFOUND, ESTORE; or what `got` returned, if not 0. */
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

/* ---- configuration ------------------------------------------------------------------------
 *
 * For programs that are set up by a file (YAML or JSON) and by TAKO_VM_* variables rather than by
 * code; docs/configuration.md has every key. A host that fills in tako_options needs none of it. */

typedef struct tako_config tako_config;

/* One thing that is wrong (TAKO_LOG_ERROR) or unwise (TAKO_LOG_WARN) in a configuration:
 * "FILE:LINE:COLUMN: KEY: what is wrong, what is allowed", or "TAKO_VM_NAME: ..." for a variable.
 * No secret is in it. Must not call Tako. */
typedef void tako_problem_fn(void *ctx, tako_level level, const char *text);

/* The file that is read when none is named: the first that there is of $TAKO_VM_CONFIG,
 * ./tako_vm.yaml, ./config/tako_vm.yaml, ~/.tako_vm/config.yaml and /etc/tako_vm/config.yaml. Its
 * name goes into `out`. Errors: ENOTFOUND (there is none), EINVAL (no room), ENOMEM, ESYS. */
TAKO_API int tako_config_find(char *out, size_t size, tako_error *err);

/* Reads `path`; NULL = the file that tako_config_find finds, or none: defaults. Then the variables;
 * they win. All problems go to `problem`, which may be NULL; `alloc` NULL = libc.
 * Writes nothing anywhere.
 * Errors: ENOTFOUND (no file `path`), EINVAL (the message has the first problem), ESYS (unreadable),
 * EUNSUPPORTED (there is a file, and YAML was left out at compile time), ENOMEM. */
TAKO_API int tako_config_load(tako_config **out, const char *path, const tako_allocator *alloc,
                              tako_problem_fn *problem, void *ctx, tako_error *err);
TAKO_API void tako_config_free(tako_config *c);
/* What a host may copy and add to: log, callbacks, stores. Has `alloc` in it. */
TAKO_API const tako_options *tako_config_options(const tako_config *c);
/* tako_open with `opts` (NULL = those above), after data_dir was made if it is missing, and
 * tako_define_type for each job type. Errors: those of both; ESYS (the directory). */
TAKO_API int tako_config_open(tako **out, const tako_config *c, const tako_options *opts,
                              tako_error *err);
/* For tako_define_type, in the order of the file. NULL past the end. */
TAKO_API size_t tako_config_type_count(const tako_config *c);
TAKO_API const tako_job_type *tako_config_type(const tako_config *c, size_t index);
TAKO_API const char *tako_config_file(const tako_config *c); /* that was read, or NULL */
TAKO_API tako_level tako_config_log_level(const tako_config *c);
/* Every key with its heading and its value as text (NULL = none), secrets as "***". Non-zero from
 * `each` stops and is returned. */
typedef int tako_config_fn(void *ctx, const char *section, const char *key, const char *value);
TAKO_API int tako_config_each(const tako_config *c, tako_config_fn *each, void *ctx);
/* All keys as one JSON object, indented by two blanks, secrets as "***". */
TAKO_API const char *tako_config_json(const tako_config *c);

/* ---- stores ------------------------------------------------------------------------------
 *
 * A store is a documented table of functions; the engine is the only caller. A host lends its
 * own in tako_options.stores; examples/custom_store.c is a complete one. The engine decides,
 * the store remembers: it never changes a row except as told here.
 *
 * Writes: begin, any number of write methods, then commit or rollback, never from two threads
 * at once. Each write method takes a batch; per-item outcomes go to `results`, so that one bad
 * item does not spoil the group; a negative return value condemns the whole transaction.
 * Reads (all that lend or count): any thread, any time, also while a transaction is open; they
 * see committed rows only, except that a method called by the writing thread inside its
 * transaction may see its own writes.
 * Content is counted: a row refers to what its insert and its finish named, each hash as often as
 * it was named, and content that no row refers to any more is gone.
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
    int failures;            /* attempts that failed and are or were tried again */
    const char *key;         /* idempotency key, unique among all rows, or NULL */
    const char *parent;      /* the row it is a rerun or fork of, or NULL; may be gone */
    const char *const *refs; /* for insert: hashes of the content it refers to. Not lent back */
    size_t n_refs;
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
    const char *result; /* JSON text; for TAKO_QUEUED a note on the attempt that is appended to the
                           row's history, or NULL */
    size_t result_len;
    int failures;            /* new value */
    const char *const *refs; /* hashes of the content that the result refers to */
    size_t n_refs;
    const tako_dead
        *dead; /* a dead letter to be kept with it, or NULL. Its id is given by the store,
                              its job_id and type are those of the row */
} tako_finish;

/* A row to be removed for good, with what it refers to, so that content nobody else refers to goes
 * with it: the hashes of its insert and its finish, each as often as there. */
typedef struct tako_removal {
    size_t size;
    const char *id;
    const char *const *refs;
    size_t n_refs;
} tako_removal;

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

    /* Content that exists already is left alone. What no row of the same transaction comes to refer
     * to is lost with its commit. */
    int (*put_blobs)(void *self, const tako_blob *blobs, size_t count, tako_error *err);
    /* New queued rows. results[i]: TAKO_OK, TAKO_ECONFLICT (the id or the key exists) or
     * TAKO_ENOTFOUND (content that it refers to is not there). */
    int (*insert)(void *self, const tako_row *rows, size_t count, int *results, tako_error *err);
    /* Makes up to `limit` due queued rows running on `node` with attempt + 1 and lends each:
     * by priority, highest first, then in order of insertion. */
    int (*claim)(void *self, const tako_claim *what, tako_row_fn *got, void *ctx, tako_error *err);
    /* results[i]: TAKO_OK, or TAKO_ESTATE (not running with that attempt and node: refused).
     * Content that is not there is an error of the whole call: TAKO_ENOTFOUND. */
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
    /* Lends at most `limit` bytes from `offset`, in one call of `got`, also when there are none.
     * 0 and INT64_MAX: all. TAKO_ENOTFOUND when absent. */
    int (*get_blob)(void *self, const char *sha256, int64_t offset, int64_t limit,
                    tako_bytes_fn *got, void *ctx, tako_error *err);
    int (*count)(void *self, int64_t *queued, int64_t *running, tako_error *err);
    int (*nodes)(void *self, tako_node_fn *got, void *ctx, tako_error *err);
    /* The running rows of one node. */
    int (*held)(void *self, const char *node, tako_row_fn *got, void *ctx, tako_error *err);
    /* The ids of this node's running rows with cancel_requested: lent as rows. */
    int (*cancel_requests)(void *self, const char *node, tako_row_fn *got, void *ctx,
                           tako_error *err);
    /* When the next queued row of these types is due; INT64_MAX when none waits. */
    int (*next_due)(void *self, const char *const *types, int64_t *due_us, tako_error *err);

    /* The row with this key; unknown keys lend nothing. Like versions and drop_dead it sees what
     * the calling thread wrote in the open transaction. */
    int (*find_key)(void *self, const char *key, tako_row_fn *got, void *ctx, tako_error *err);
    /* The notes of a row in the order they were written. */
    int (*history)(void *self, const char *id, tako_bytes_fn *got, void *ctx, tako_error *err);
    /* At most `limit` terminal rows with created_us before this, oldest first, but none that a dead
     * letter belongs to. */
    int (*expired)(void *self, int64_t before_us, size_t limit, tako_row_fn *got, void *ctx,
                   tako_error *err);
    /* Removes rows with their texts, notes and key. results[i]: TAKO_OK, TAKO_ESTATE (not terminal,
     * or a dead letter belongs to it: left alone) or TAKO_ENOTFOUND. Content goes with its last
     * reference at once: what the same transaction inserts later must put it again. */
    int (*purge)(void *self, const tako_removal *items, size_t count, int *results,
                 tako_error *err);

    /* Dead letters. By id descending when `before_us` is 0. Else those created before it, the oldest
     * first, and of the filter only its limit counts. */
    int (*list_dead)(void *self, const tako_dead_filter *filter, int64_t before_us,
                     tako_dead_fn *got, void *ctx, tako_error *err);
    /* TAKO_ENOTFOUND when absent. */
    int (*get_dead)(void *self, int64_t id, tako_dead_fn *got, void *ctx, tako_error *err);
    /* By count, highest first, then by error type. */
    int (*count_dead)(void *self, tako_dead_count_fn *got, void *ctx, tako_error *err);
    /* results[i]: TAKO_OK or TAKO_ENOTFOUND. */
    int (*drop_dead)(void *self, const int64_t *ids, size_t count, int *results, tako_error *err);

    /* Versions of job types: type and digest are the key, the rest is replaced. */
    int (*put_version)(void *self, const tako_version_info *version, tako_error *err);
    /* By built_us, newest first, then by digest, then by type; of one type, or of all (NULL). */
    int (*versions)(void *self, const char *type, tako_version_fn *got, void *ctx, tako_error *err);

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
