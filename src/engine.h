/* engine.h - the engine from inside: what the rooms job, pump, turn, worker, keeper, engine and
 * api share. Nobody outside layer 4 includes it.
 *
 * Threads. Workers run attempts. One thread at a time holds the *pump role* and with it the only
 * right to write to the store: the engine's own thread once tako_start made one, else whichever
 * caller needs something written, for the length of a cycle.
 *
 * Locks. There is one: tako.lock (rank 1, nothing is taken under it). It is never held while a
 * store, an executor, the allocator's host, a callback or the log is called. A function that
 * needs it held ends in _locked. Members of struct tako are in three groups, by who may touch
 * them: constant after tako_open; guarded by the lock; owned by the pump role.
 *
 * SPDX-License-Identifier: MIT */
#ifndef TAKO_ENGINE_H
#define TAKO_ENGINE_H

#include "classify.h"
#include "record.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#define TAKO__PREFETCH_MAX 256          /* claimed handler jobs beyond the free workers */
#define TAKO__PREFETCH_STALE_US 1000000 /* handed back when no worker came to them for so long */
#define TAKO__SAFETY_US 1000000         /* how often to look without a watch descriptor */

/* ---- job types: immutable once linked, freed at close ------------------------------------- */

struct tako__version; /* type.h */

struct tako__type {
    struct tako__type *next;
    size_t count; /* of this and those behind it */
    bool sandboxed;
    struct tako__version *version; /* its newest definition, guarded by the lock; NULL: a handler */
    char name[65];
};

/* ---- jobs that this process holds ---------------------------------------------------------- */

enum tako__stop_why { TAKO__GO_ON = 0, TAKO__STOP_CANCEL, TAKO__STOP_ENGINE };

struct tako__worker {
    struct tako *engine;
    pthread_t thread;
    bool thread_made;
    int cancel_fd;         /* a timerfd: fires at a handler's deadline, or when told to stop */
    struct tako__run *run; /* guarded by the lock */
};

/* One claimed attempt, from claim to the commit of its end. In exactly one list: ready (waits
 * for a worker), with a worker, ended (waits for the pump), or in a pump's batch. */
struct tako__run {
    struct tako__run *next;                /* in ready, ended or a batch */
    struct tako__run *prev_all, *next_all; /* in tako.runs; guarded by the lock */
    const struct tako__type *type;
    struct tako__worker *worker; /* guarded by the lock */
    enum tako__stop_why why;     /* guarded by the lock */
    char id[65];
    int attempt, deaths, failures;
    int64_t claimed_mono; /* CLOCK_MONOTONIC, microseconds */
    tako_row row;         /* its strings point here and behind the struct */
    /* How it ended: written by the worker, read by the pump. */
    tako_status status; /* TAKO_QUEUED = back to the queue */
    int64_t run_at_us, started_us, ended_us;
    struct tako__buf result; /* for TAKO_QUEUED a note, or nothing */
    tako_blob *blobs;        /* data and keys are owned */
    size_t n_blobs;
    const char **refs; /* hashes of what the result refers to; they lie in blobs */
    size_t n_refs;
    struct tako__letter letter;
};

/* ---- what callers want written: lies on the caller's stack until done ---------------------- */

enum tako__op_kind { TAKO__OP_SUBMIT, TAKO__OP_CANCEL, TAKO__OP_VERSION, TAKO__OP_DROP_DEAD };

struct tako__op {
    struct tako__op *next;
    enum tako__op_kind kind;
    const tako_row *rows; /* submit */
    const tako_blob *blobs;
    size_t n_rows, n_blobs;
    const size_t *n_blobs_of;              /* each row's part of blobs */
    int *results;                          /* room for n_rows */
    struct tako__version *const *versions; /* of the rows; NULL for handlers */
    const char *const *fingerprints;       /* of the rows with a key */
    tako_id *found;    /* out, room for n_rows: the job that has the key already */
    bool keyed;        /* some row has a key */
    int64_t drop_dead; /* the dead letter that goes with it, or 0 */
    const tako_version_info *version;
    tako_cancel_item cancel;
    const char *type; /* of the job to cancel, for the event */
    int attempt;
    int rc; /* written by the pump before done */
    tako_error err;
    _Atomic uint32_t *word; /* the futex that announces the batch's end */
    atomic_int done;
};

struct tako__waiter {
    struct tako__waiter *next, *prev;
    const char *id;
    _Atomic uint32_t word; /* a futex: changes when the job may have ended */
};

enum tako__phase { TAKO__OPENED = 0, TAKO__STARTED, TAKO__STOPPING, TAKO__STOPPED };

struct tako {
    /* ---- constant after tako_open ---- */
    tako_host host;
    pid_t pid;
    int workers;
    int64_t max_queued, lease_us;
    int max_deaths;
    bool lent_clock; /* may be moved by hand: do not sleep long on its due times */
    tako_event_fn *on_event;
    void *event_ctx;
    tako_output_fn *on_output;
    void *output_ctx;
    const tako_store_ops *ops;
    void *store;
    int watch_fd;
    int wake_fd; /* eventfd that ends the pump's sleep */
    tako_id node;
    char identity[160];
    tako_options opts; /* for the executors; store and stores are NULL */
    tako_limits limits;
    char *rootfs, *interpreter, *cgroup, *data_dir, *index_url, *proxy_url, *wheel_dir;
    const struct tako__exec_ops *native; /* NULL when left out */
    void *native_self; /* made by tako_start or tako_isolation, under the pump role */
    void *handlers;    /* of tako__exec_handler() */

    pthread_mutex_t lock;
    pthread_cond_t work; /* workers: something is ready, or they shall leave */
    pthread_cond_t turn; /* the pump role is free, a run ended, or the phase changed */

    /* ---- guarded by the lock ---- */
    enum tako__phase phase;
    struct tako__type *types;
    struct tako__version *versions; /* all that were met; freed at close */
    int sandbox_rc; /* TAKO_EEXEC after tako_start when jobs cannot be sandboxed here */
    char sandbox_why[TAKO_ERROR_SIZE];
    struct tako__op *intake, **intake_end;
    size_t intake_count;
    uint32_t batch;         /* number of the batch that is being filled */
    size_t gather_target;   /* the pump waits until so many ops are there; 0 = it does not */
    struct tako__run *runs; /* all that this process holds */
    size_t n_runs;
    struct tako__run *ready, **ready_end;
    size_t n_ready;
    struct tako__run *ended, **ended_end;
    size_t n_ended;
    int n_running;             /* with a worker */
    int n_idle;                /* workers that wait for something ready */
    struct tako__worker *crew; /* the workers; one for tako_step when workers is 0 */
    int crew_size;
    bool crew_leave, pump_leave, stepping, registering;
    bool sweep_due; /* a worker is to remove environments that nobody uses */
    bool stop_now;  /* what is still running is to be stopped */
    pthread_t pump_thread, step_thread, event_thread;
    bool has_pump_thread, has_event_thread;
    bool pump_held, pump_asleep;
    int pump_wanted; /* callers that need the role itself, not only a cycle */
    struct tako__waiter *waiters;
    int64_t queued, reserved; /* jobs waiting in the store, about; submits under way */
    int64_t counted_mono;     /* when `queued` was last taken from the store */
    bool claim_due;           /* something may be claimable now */
    int64_t next_due_us;      /* when the next delayed job is due, host clock */
    int64_t handler_us;       /* recent time of a handler run; 0 = none was seen yet */
    tako_stats stats;

    _Atomic uint32_t ack[2];   /* futexes of even and odd batches */
    _Atomic uint32_t gathered; /* futex that ends a gathering early */

    /* ---- owned by the pump role ---- */
    struct {
        const char **types; /* what to claim: "default" when it can run here, handlers, NULL */
        const struct tako__type *types_head;
        bool types_sandbox;
        size_t n_types;
        size_t last_acked;      /* callers that the last commit answered */
        int64_t commit_us;      /* recent time from begin to commit */
        int64_t lease_until_us; /* our node's row in the store; 0 = none */
        int64_t foreign_due_us; /* when another node's lease ends; INT64_MAX = there is none */
        int64_t safety_mono;    /* the last look without a watch descriptor */
        int64_t recovered_mono;
        int64_t retry_mono; /* do not write ends before */
        int trouble;        /* not 0: ends wait for retry_mono and are written one by one */
        int failures;       /* transactions that failed in a row: how long to wait */
        int careful;        /* so many commits long, claim one job at a time */
        bool prefetch_dry;  /* nothing more to prefetch until claim_due is set again */
        int64_t purge_mono; /* when retention is looked at next */
        bool look_cancels;  /* another node may have cancelled what runs here */
    } pump;
};

/* ---- engine.c ------------------------------------------------------------------------------ */

/* What a call may be made from, for tako__enter. */
#define TAKO__IN_HANDLER 1u
#define TAKO__IN_EVENT 2u
#define TAKO__AFTER_STOP 4u
#define TAKO__BEFORE_START 8u
#define TAKO__ANYWHERE (TAKO__IN_HANDLER | TAKO__IN_EVENT | TAKO__AFTER_STOP | TAKO__BEFORE_START)
/* Every function of tako.h begins here: TAKO_OK, or EINVAL (t is NULL) or ESTATE with a message
 * that names the call and what to do. */
TAKO_PRIVATE int tako__enter(tako *t, const char *call, unsigned allowed, tako_error *err);
/* Copies a caller's sized struct over `out` (which holds the defaults). `min` is what the first
 * version had. */
TAKO_PRIVATE int tako__struct_in(void *out, size_t ours, size_t min, const void *given,
                                 const char *name, tako_error *err);
/* Makes the native executor, once. Needs the pump role. */
TAKO_PRIVATE int tako__native_open(tako *t, tako_error *err);
TAKO_PRIVATE struct tako__type *tako__type_find(tako *t, const char *name);
TAKO_PRIVATE struct tako__type *tako__type_find_locked(tako *t, const char *name);
/* `version` NULL: a handler's type. NULL = no memory. */
TAKO_PRIVATE struct tako__type *tako__type_make(tako *t, const char *name,
                                                struct tako__version *version);
TAKO_PRIVATE void tako__type_link_locked(tako *t, struct tako__type *type);
/* What runs jobs of a type, and its state. */
TAKO_PRIVATE const struct tako__exec_ops *
tako__type_exec(const tako *t, const struct tako__type *type, void **self);

/* Futexes (turn.c): tako__word_wait returns when *word is not `seen`, after timeout_us (-1 =
 * never), or for no reason. */
TAKO_PRIVATE void tako__word_wait(_Atomic uint32_t *word, uint32_t seen, int64_t timeout_us);
TAKO_PRIVATE void tako__word_wake(_Atomic uint32_t *word, int count);

/* ---- job.c ---------------------------------------------------------------------------------- */

/* Jobs that passed every rule, ready to be stored. Borrows the caller's code, input and files. */
struct tako__prepared {
    const tako_host *host;
    tako_row *rows;
    int *results;
    tako_blob *blobs;
    size_t n_rows, n_blobs;
    size_t job_size;            /* of each of the caller's structs */
    struct tako__paper *papers; /* ids, hashes and spec texts behind the rows */
    struct tako__version **versions;
    const char **fingerprints;
    tako_id *found;
    size_t *n_blobs_of; /* each row's part of blobs */
    bool sandboxed;     /* at least one needs the sandbox */
    bool keyed;         /* at least one has an idempotency key */
};
/* What a job is a copy of. */
struct tako__parent {
    tako_record *rec;         /* NULL = a job of its own */
    const char *relationship; /* "rerun" or "fork" */
    int64_t dead;             /* the dead letter that this is the retry of, or 0 */
};
TAKO_PRIVATE int tako__prepare(tako *t, struct tako__prepared *out, const tako_job *jobs,
                               size_t count, bool many, const struct tako__parent *parent,
                               tako_error *err);
TAKO_PRIVATE void tako__prepared_free(struct tako__prepared *p);

/* ---- api.c ---------------------------------------------------------------------------------- */

/* Checks, prepares and writes jobs; all or none. */
TAKO_PRIVATE int tako__submit(tako *t, const tako_job *jobs, size_t count, bool many,
                              const struct tako__parent *parent, tako_id *ids, tako_error *err);
/* A snapshot without content. Errors: ENOTFOUND, ESTORE, ENOMEM. */
TAKO_PRIVATE int tako__row(tako *t, const char *id, tako_record **out, tako_error *err);
/* EINVAL when `id` is none by its looks. */
TAKO_PRIVATE int tako__check_id(const char *call, const char *id, tako_error *err);

/* ---- pump.c and turn.c ----------------------------------------------------------------------- */

/* Who has the idempotency key of `row`: found->text stays "" when nobody has. TAKO_ECONFLICT when
 * it is a job with another fingerprint. Any thread. */
TAKO_PRIVATE int tako__key_holder(tako *t, const tako_row *row, const char *fingerprint,
                                  tako_id *found, tako_error *err);
/* Has `op` written and waits for it: op->rc, also returned, with op->err. */
TAKO_PRIVATE int tako__pump_do(tako *t, struct tako__op *op);
TAKO_PRIVATE void tako__pump_take(tako *t);
TAKO_PRIVATE void tako__pump_release(tako *t);
/* One transaction with all that waits, and a claim of at most `claim` jobs (-1 = as many as there
 * are free workers, 0 = none). Needs the role. The store's error, or TAKO_OK. */
TAKO_PRIVATE int tako__pump_cycle(tako *t, int claim, tako_error *err);
TAKO_PRIVATE void *tako__pump_main(void *engine); /* the engine's thread */
/* For a caller that waits while there is no engine thread: takes the role if it is free, sleeps
 * in it for at most timeout_us (-1 = long), and looks for what other nodes did. False: not free. */
TAKO_PRIVATE bool tako__pump_watch(tako *t, int64_t timeout_us);
TAKO_PRIVATE void tako__pump_ping_locked(tako *t); /* ends the pump's sleep */
TAKO_PRIVATE void tako__pump_end_run_locked(tako *t, struct tako__run *run); /* to `ended` */
TAKO_PRIVATE void tako__pump_unhold_locked(tako *t, struct tako__run *run);  /* out of `runs` */
TAKO_PRIVATE void tako__waiters_wake_locked(tako *t, const char *id);        /* NULL = all */
/* Events of a cycle: collected while it goes on, delivered when it is over. */
TAKO_PRIVATE void tako__event_send(tako *t, const char *id, const char *type, tako_status status,
                                   int attempt, int64_t at_us);

/* ---- worker.c ------------------------------------------------------------------------------- */

TAKO_PRIVATE void *tako__worker_main(void *worker);
/* Runs one attempt to its end in this thread and hands it to the pump's list. */
TAKO_PRIVATE void tako__worker_run(struct tako__worker *w, struct tako__run *run);
TAKO_PRIVATE int tako__run_make(struct tako__run **out, tako *t, const tako_row *row,
                                const struct tako__type *type);
TAKO_PRIVATE void tako__run_free(tako *t, struct tako__run *run);
TAKO_PRIVATE void tako__run_stop_locked(struct tako__run *run, enum tako__stop_why why);
TAKO_PRIVATE struct tako__run *tako__ready_pop_locked(tako *t);
TAKO_PRIVATE void tako__run_drop_blobs(tako *t, struct tako__run *run);

/* ---- ending.c ------------------------------------------------------------------------------- */

/* Back to the queue, with a note of the cause. Allocates nothing when that is short. */
TAKO_PRIVATE void tako__run_requeue(tako *t, struct tako__run *run, int64_t now_us,
                                    int64_t run_at_us, const char *cause);
/* The same a little later, for a cause of ours that may pass, but not for ever: false = no more. */
TAKO_PRIVATE bool tako__run_again(tako *t, struct tako__run *run, const char *cause);
/* The same when the job failed by itself and its max_attempts and retry_on say so. */
TAKO_PRIVATE bool tako__run_retry(tako *t, struct tako__run *run, const struct tako__spec *spec,
                                  tako_verdict verdict, const struct tako__class *judged);
/* Gives the end a dead letter when it is one that Tako or the retries gave up. */
TAKO_PRIVATE void tako__run_bury(tako *t, struct tako__run *run, const struct tako__spec *spec,
                                 tako_verdict verdict, const struct tako__class *judged);
/* An ending that needs no memory; internal_error and service_unavailable have a dead letter. */
TAKO_PRIVATE void tako__run_end_plain(tako *t, struct tako__run *run, tako_status status,
                                      tako_verdict verdict, const char *type, const char *message);
/* The end of an attempt that was cancelled and did not run. */
TAKO_PRIVATE void tako__run_end_cancelled(tako *t, struct tako__run *run);
/* The result document of a job that ended without running. */
TAKO_PRIVATE void tako__result_unrun(struct tako__buf *out, tako_verdict verdict,
                                     const char *error_type, const char *message);

/* ---- keeper.c ------------------------------------------------------------------------------- */

/* Takes back the jobs of dead nodes, in a transaction of its own. Needs the pump role. */
TAKO_PRIVATE int tako__keeper_recover(tako *t, tako_error *err);
/* Stops what runs here and was cancelled on another node. Needs the pump role. */
TAKO_PRIVATE void tako__keeper_cancels(tako *t);
/* Wakes waiters whose jobs ended on other nodes. */
TAKO_PRIVATE void tako__keeper_waiters(tako *t);
/* All that a sign of life from other processes asks for. Needs the pump role. */
TAKO_PRIVATE void tako__keeper_look(tako *t);
/* Hands jobs back that were prefetched and that no worker came to. */
TAKO_PRIVATE void tako__keeper_unprefetch_locked(tako *t, int64_t now_us, int64_t now_mono,
                                                 bool all);
/* A bounded step of retention: how many went, or an error. Needs the pump role. */
TAKO_PRIVATE int tako__keeper_purge(tako *t, int limit, tako_error *err);
/* The same when it is time for it. */
TAKO_PRIVATE void tako__keeper_retain(tako *t);
/* How long the pump may sleep, in microseconds: -1 = until it is woken. */
TAKO_PRIVATE int64_t tako__keeper_sleep_locked(tako *t, int64_t now_us, int64_t now_mono);

#endif
