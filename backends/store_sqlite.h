/* store_sqlite.h - what the files of the SQLite store share. store_sqlite.c knows SQLite:
 * connections, statements, transactions, opening. store_sqlite_jobs.c changes the state of jobs,
 * store_sqlite_read.c reads and lists them, store_sqlite_keep.c knows what is kept for them and
 * beyond them: content, dead letters, versions, and the end of it. store_sqlite_schema.c has the
 * tables and the text of every statement, store_sqlite_watch.c notices that another process wrote.
 * SPDX-License-Identifier: MIT */
#ifndef TAKO_STORE_SQLITE_H
#define TAKO_STORE_SQLITE_H

#include "../src/base.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

struct sqlite3; /* SQLite's own, so that only store_sqlite.c includes its header */
struct sqlite3_stmt;

#define TAKO__SQLITE_APPLICATION_ID 0x54616b6f /* "Tako", in the header of the file */

/* Every statement of the store. Prepared once per connection, in this order. */
enum tako__sqlite_sql {
    TAKO__SQL_BEGIN_WRITE,
    TAKO__SQL_BEGIN_READ,
    TAKO__SQL_COMMIT,
    TAKO__SQL_ROLLBACK,
    TAKO__SQL_DATA_VERSION,
    TAKO__SQL_TYPE_FIND,
    TAKO__SQL_TYPE_ADD,
    TAKO__SQL_TYPE_ALL,
    TAKO__SQL_CONTENT_PUT,
    TAKO__SQL_CONTENT_GET,
    TAKO__SQL_CONTENT_SEQ,
    TAKO__SQL_CONTENT_FIND,
    TAKO__SQL_CONTENT_DROP,
    TAKO__SQL_CONTENT_SWEEP,
    TAKO__SQL_USE_ADD,
    TAKO__SQL_USE_LESS,
    TAKO__SQL_USE_DROP,
    TAKO__SQL_USE_SWEEP,
    TAKO__SQL_JOB_ADD,
    TAKO__SQL_JOB_DROP,
    TAKO__SQL_SPEC_ADD,
    TAKO__SQL_SPEC_DROP,
    TAKO__SQL_RESULT_ADD,
    TAKO__SQL_RESULT_DROP,
    TAKO__SQL_NOTE_ADD,
    TAKO__SQL_NOTE_DROP,
    TAKO__SQL_NOTE_ALL,
    TAKO__SQL_JOB_FIND,
    TAKO__SQL_JOB_CLAIM,
    TAKO__SQL_JOB_DUE,
    TAKO__SQL_JOB_FINISH,
    TAKO__SQL_JOB_ASK_CANCEL,
    TAKO__SQL_READY_ADD,
    TAKO__SQL_READY_DROP,
    TAKO__SQL_READY_NEXT,
    TAKO__SQL_READY_FILL,
    TAKO__SQL_READY_DUE,
    TAKO__SQL_DELAYED_ADD,
    TAKO__SQL_DELAYED_DROP,
    TAKO__SQL_DELAYED_LAST,
    TAKO__SQL_DELAYED_TRIM,
    TAKO__SQL_DELAYED_DUE,
    TAKO__SQL_TALLY_ADD,
    TAKO__SQL_TALLY_GET,
    TAKO__SQL_NODE_PUT,
    TAKO__SQL_NODE_DROP,
    TAKO__SQL_NODE_ALL,
    TAKO__SQL_ROW_BY_ID,
    TAKO__SQL_ROW_BY_SEQ,
    TAKO__SQL_ROW_BY_KEY,
    TAKO__SQL_ROWS_HELD,
    TAKO__SQL_ROWS_CANCELLED,
    TAKO__SQL_LIST,
    TAKO__SQL_LIST_CHILDREN,
    TAKO__SQL_EXPIRED,
    TAKO__SQL_CURSOR,
    TAKO__SQL_DEAD_ADD,
    TAKO__SQL_DEAD_LIST,
    TAKO__SQL_DEAD_LIST_TYPE,
    TAKO__SQL_DEAD_LIST_OLD,
    TAKO__SQL_DEAD_GET,
    TAKO__SQL_DEAD_HOLD,
    TAKO__SQL_DEAD_FREE,
    TAKO__SQL_DEAD_DROP,
    TAKO__SQL_DEAD_MORE,
    TAKO__SQL_DEAD_LESS,
    TAKO__SQL_DEAD_COUNT,
    TAKO__SQL_VERSION_PUT,
    TAKO__SQL_VERSIONS_OF,
    TAKO__SQL_VERSIONS,
    TAKO__SQL_COUNT /* not a statement: how many there are */
};
TAKO_PRIVATE const char *tako__sqlite_sql(enum tako__sqlite_sql which);

/* The schema version this Tako writes, and the script that leads from `version` to the next.
 * NULL when there is none. */
TAKO_PRIVATE int tako__sqlite_version(void);
TAKO_PRIVATE const char *tako__sqlite_step(int version);

/* Tells when a write-ahead log was written to, without opening it: closing any descriptor of
 * an SQLite file would drop the locks this whole process holds on it. */
struct tako__sqlite_watch {
    const tako_host *host;
    char *wal;    /* its path; owned */
    int epoll_fd; /* what a caller polls: readable when one of the next two is. -1 = none */
    int inotify_fd;
    int timer_fd;     /* "look again at that time" */
    int wd;           /* -1 = the log could not be found when it was last looked for */
    int64_t delay_us; /* of the next tako__sqlite_watch_retry */
};
TAKO_PRIVATE void tako__sqlite_watch_init(struct tako__sqlite_watch *w, const tako_host *host);
/* `wal` NULL: a database in memory, which nobody else can write; the descriptor never becomes
 * readable. Where the kernel refuses, it logs a warning and leaves epoll_fd at -1. */
TAKO_PRIVATE int tako__sqlite_watch_open(struct tako__sqlite_watch *w, const char *wal,
                                         tako_error *err);
TAKO_PRIVATE void tako__sqlite_watch_close(struct tako__sqlite_watch *w);
/* Takes what is announced, so that the descriptor is quiet again; finds a replaced log. */
TAKO_PRIVATE void tako__sqlite_watch_drain(struct tako__sqlite_watch *w);
/* Makes the descriptor readable at once; or after 1 ms, doubling up to 64 ms while called again
 * and again (until _calm is called). */
TAKO_PRIVATE void tako__sqlite_watch_now(struct tako__sqlite_watch *w);
TAKO_PRIVATE void tako__sqlite_watch_retry(struct tako__sqlite_watch *w);
TAKO_PRIVATE void tako__sqlite_watch_calm(struct tako__sqlite_watch *w);

/* ---- the open store --------------------------------------------------------------------- */

#define TAKO__SQLITE_TYPES_CACHED 64

struct tako__sqlite_conn {
    struct sqlite3 *db;
    struct sqlite3_stmt *stmts[TAKO__SQL_COUNT];
    pthread_mutex_t lock; /* recursive. Held for a whole transaction, or for one read */
    int64_t patience_us;  /* of the busy handler */
    int64_t until_us;     /* monotonic: when the present wait ends */
};

struct tako__sqlite_type {
    int64_t id;
    char name[65];
};

#define TAKO__SQLITE_USES_CACHED 64

/* Content that the open transaction met: many jobs of one commit refer to the same. */
struct tako__sqlite_uses {
    int64_t seq;  /* 0 = nothing */
    int64_t more; /* uses that are not written yet */
    unsigned char hash[32];
};

struct tako__sqlite {
    tako_host host;
    char *path; /* as given, for messages; ":memory:" in memory */
    bool memory;
    struct tako__sqlite_conn writer;
    struct tako__sqlite_conn second;  /* unused in memory */
    struct tako__sqlite_conn *reader; /* &second, or &writer in memory */
    atomic_ulong owner;               /* the thread whose transaction is open, or 0 */

    /* All below: the writer's lock held. */
    bool failed;                         /* the open transaction can only be rolled back */
    int64_t queued_delta, running_delta; /* of the open transaction */
    int64_t fresh_seq;                   /* of the first content it stored; 0 = none */
    struct tako__sqlite_uses uses[TAKO__SQLITE_USES_CACHED]; /* also of that transaction */
    struct tako__sqlite_type types[TAKO__SQLITE_TYPES_CACHED];
    size_t n_types;
    dev_t dev; /* of the file; its log lies on the same */
    ino_t ino, wal_ino;
    const char *file, *wal; /* absolute paths, owned by the writer's connection */
    int wal_frames, wal_next, wal_alarm;
    struct tako__sqlite_watch watch;
    int64_t data_version; /* of the writer: moves when another connection commits */
    bool noticed;         /* it moved, and watched() has not told yet */
};

/* ---- statements (store_sqlite.c) --------------------------------------------------------- */

/* A callback may call the store again while a row of the cached statement is lent to it: then a
 * second copy serves. NULL = no memory. Give every one back. */
TAKO_PRIVATE struct sqlite3_stmt *tako__sqlite_take(struct tako__sqlite_conn *c,
                                                    enum tako__sqlite_sql which);
TAKO_PRIVATE void tako__sqlite_give(struct tako__sqlite_conn *c, enum tako__sqlite_sql which,
                                    struct sqlite3_stmt *st);
/* Parameters count from 1. Bytes are not copied: they must last until the statement was run. */
TAKO_PRIVATE void tako__sqlite_bind_int(struct sqlite3_stmt *st, int at, int64_t value);
TAKO_PRIVATE void tako__sqlite_bind_null(struct sqlite3_stmt *st, int at);
/* A short text, or NULL. */
TAKO_PRIVATE void tako__sqlite_bind_name(struct sqlite3_stmt *st, int at, const char *text);
TAKO_PRIVATE int tako__sqlite_bind_text(struct tako__sqlite *s, struct sqlite3_stmt *st, int at,
                                        const char *text, size_t len, tako_error *err);
TAKO_PRIVATE int tako__sqlite_bind_blob(struct tako__sqlite *s, struct sqlite3_stmt *st, int at,
                                        const void *data, size_t len, tako_error *err);
/* 1 = there is a row, 0 = no more, negative = a tako_result. `doing` is for the message. */
TAKO_PRIVATE int tako__sqlite_next(struct tako__sqlite *s, struct tako__sqlite_conn *c,
                                   struct sqlite3_stmt *st, tako_error *err, const char *doing);
/* Columns count from 0. Texts and blobs are lent until the next step; NULL = NULL or no memory. */
TAKO_PRIVATE int64_t tako__sqlite_int(struct sqlite3_stmt *st, int at);
TAKO_PRIVATE const char *tako__sqlite_text(struct sqlite3_stmt *st, int at, size_t *len);
TAKO_PRIVATE const void *tako__sqlite_blob(struct sqlite3_stmt *st, int at, size_t *len);
TAKO_PRIVATE bool tako__sqlite_is_null(struct sqlite3_stmt *st, int at);
/* Reads a part of content, which must lie inside of it, without the rest. */
TAKO_PRIVATE int tako__sqlite_read_part(struct tako__sqlite *s, struct tako__sqlite_conn *c,
                                        int64_t seq, int64_t offset, void *to, size_t len,
                                        tako_error *err);
/* Runs a statement that gives no rows, on the writer; _ints binds its first three parameters. */
TAKO_PRIVATE int tako__sqlite_run(struct tako__sqlite *s, enum tako__sqlite_sql which,
                                  tako_error *err, const char *doing);
TAKO_PRIVATE int tako__sqlite_run_ints(struct tako__sqlite *s, enum tako__sqlite_sql which,
                                       int64_t a, int64_t b, int64_t c, tako_error *err,
                                       const char *doing);
/* Of the last statement that the writer ran. */
TAKO_PRIVATE int64_t tako__sqlite_changes(struct tako__sqlite *s);
TAKO_PRIVATE int64_t tako__sqlite_last_seq(struct tako__sqlite *s);

/* ---- transactions (store_sqlite.c) ------------------------------------------------------- */

/* Write methods begin with _tx_check and end with _tx_done: what they leave half done must not
 * be committed. */
TAKO_PRIVATE int tako__sqlite_tx_check(struct tako__sqlite *s, tako_error *err);
TAKO_PRIVATE int tako__sqlite_tx_done(struct tako__sqlite *s, int rc);

/* One read: on the writer's connection inside its own transaction, else on the reader's.
 * With `snapshot` all its statements see the same moment. */
struct tako__sqlite_read {
    struct tako__sqlite_conn *conn; /* NULL when it could not begin */
    bool locked, snapshot;
};
TAKO_PRIVATE int tako__sqlite_read_enter(struct tako__sqlite *s, struct tako__sqlite_read *r,
                                         bool snapshot, tako_error *err);
TAKO_PRIVATE void tako__sqlite_read_leave(struct tako__sqlite_read *r);

/* ---- changing jobs (store_sqlite_jobs.c) --------------------------------------------------- */

#define TAKO__SQLITE_NODE_MAX 256
#define TAKO__SQLITE_LIST_MAX 1000 /* as tako_filter.limit */
#define TAKO__SQLITE_DEAD 8        /* added to the status of a job with a dead letter */

/* 1 to `max` bytes. */
TAKO_PRIVATE bool tako__sqlite_text_ok(const char *text, size_t max);

/* What a change needs to know of a job. */
struct tako__sqlite_found {
    int64_t seq; /* 0 = no such job */
    int64_t type_id;
    int64_t run_at_us;
    tako_status status;
    int priority;
    int attempt;
    bool node_same;
    bool dead; /* a dead letter belongs to it */
};
TAKO_PRIVATE int tako__sqlite_find(struct tako__sqlite *s, const char *id, const char *node,
                                   struct tako__sqlite_found *out, tako_error *err);

/* The methods of tako_store_ops, here and below. */
TAKO_PRIVATE int tako__sqlite_insert(void *self, const tako_row *rows, size_t count, int *results,
                                     tako_error *err);
TAKO_PRIVATE int tako__sqlite_claim(void *self, const tako_claim *what, tako_row_fn *got, void *ctx,
                                    tako_error *err);
TAKO_PRIVATE int tako__sqlite_finish(void *self, const tako_finish *items, size_t count,
                                     int *results, tako_error *err);
TAKO_PRIVATE int tako__sqlite_cancel(void *self, tako_cancel_item *items, size_t count,
                                     int *results, tako_error *err);
TAKO_PRIVATE int tako__sqlite_put_node(void *self, const tako_node *node, tako_error *err);
TAKO_PRIVATE int tako__sqlite_remove_node(void *self, const char *node, tako_error *err);

/* ---- reading jobs (store_sqlite_read.c) ---------------------------------------------------- */

/* The first `limit` of several ordered streams: each is merged into what there is. */
struct tako__sqlite_pick {
    int64_t order; /* smallest first; then by id, greatest first; then by seq */
    int64_t seq;
    int64_t type_id;
    char id[65];
};
struct tako__sqlite_picks {
    struct tako__sqlite_pick *best, *fresh, *merged; /* `limit` each, one allocation */
    size_t n_best, n_fresh, limit;
};
TAKO_PRIVATE int tako__sqlite_pick_init(struct tako__sqlite *s, struct tako__sqlite_picks *p,
                                        size_t limit, tako_error *err);
TAKO_PRIVATE void tako__sqlite_pick_free(struct tako__sqlite *s, struct tako__sqlite_picks *p);
/* false: this one and all that follow in its stream are too late. */
TAKO_PRIVATE bool tako__sqlite_pick_add(struct tako__sqlite_picks *p, int64_t order, int64_t seq,
                                        int64_t type_id, const char *id);
TAKO_PRIVATE void tako__sqlite_pick_merge(struct tako__sqlite_picks *p);

TAKO_PRIVATE int tako__sqlite_lend_seq(struct tako__sqlite *s, struct tako__sqlite_conn *c,
                                       int64_t seq, tako_row_fn *got, void *ctx, tako_error *err);
/* *id = -1 when there is no such type. */
TAKO_PRIVATE int tako__sqlite_type_find(struct tako__sqlite *s, struct tako__sqlite_conn *c,
                                        const char *name, int64_t *id, tako_error *err);

TAKO_PRIVATE int tako__sqlite_get(void *self, const char *const *ids, size_t count,
                                  tako_row_fn *got, void *ctx, tako_error *err);
TAKO_PRIVATE int tako__sqlite_list(void *self, const tako_filter *filter, tako_row_fn *got,
                                   void *ctx, tako_error *err);
TAKO_PRIVATE int tako__sqlite_find_key(void *self, const char *key, tako_row_fn *got, void *ctx,
                                       tako_error *err);
TAKO_PRIVATE int tako__sqlite_history(void *self, const char *id, tako_bytes_fn *got, void *ctx,
                                      tako_error *err);
TAKO_PRIVATE int tako__sqlite_expired(void *self, int64_t before_us, size_t limit, tako_row_fn *got,
                                      void *ctx, tako_error *err);
TAKO_PRIVATE int tako__sqlite_tally(void *self, int64_t *queued, int64_t *running, tako_error *err);
TAKO_PRIVATE int tako__sqlite_nodes(void *self, tako_node_fn *got, void *ctx, tako_error *err);
TAKO_PRIVATE int tako__sqlite_held(void *self, const char *node, tako_row_fn *got, void *ctx,
                                   tako_error *err);
TAKO_PRIVATE int tako__sqlite_cancel_requests(void *self, const char *node, tako_row_fn *got,
                                              void *ctx, tako_error *err);
TAKO_PRIVATE int tako__sqlite_next_due(void *self, const char *const *types, int64_t *due_us,
                                       tako_error *err);

/* ---- what is kept (store_sqlite_keep.c) ---------------------------------------------------- */

/* Counts what a job refers to, all of it or, when something of it is missing, nothing. */
TAKO_PRIVATE int tako__sqlite_use(struct tako__sqlite *s, const char *const *refs, size_t count,
                                  bool *missing, tako_error *err);
/* At the end of a transaction: writes its counts, and removes what it stored and nobody came to
 * refer to. */
TAKO_PRIVATE int tako__sqlite_settle(struct tako__sqlite *s, tako_error *err);
/* `seq` is of its job, which gets the status that belongs to it elsewhere. */
TAKO_PRIVATE int tako__sqlite_bury(struct tako__sqlite *s, int64_t seq, const tako_dead *dead,
                                   tako_error *err);

TAKO_PRIVATE int tako__sqlite_put_blobs(void *self, const tako_blob *blobs, size_t count,
                                        tako_error *err);
TAKO_PRIVATE int tako__sqlite_get_blob(void *self, const char *sha256, int64_t offset,
                                       int64_t limit, tako_bytes_fn *got, void *ctx,
                                       tako_error *err);
TAKO_PRIVATE int tako__sqlite_purge(void *self, const tako_removal *items, size_t count,
                                    int *results, tako_error *err);
TAKO_PRIVATE int tako__sqlite_list_dead(void *self, const tako_dead_filter *filter,
                                        int64_t before_us, tako_dead_fn *got, void *ctx,
                                        tako_error *err);
TAKO_PRIVATE int tako__sqlite_get_dead(void *self, int64_t id, tako_dead_fn *got, void *ctx,
                                       tako_error *err);
TAKO_PRIVATE int tako__sqlite_count_dead(void *self, tako_dead_count_fn *got, void *ctx,
                                         tako_error *err);
TAKO_PRIVATE int tako__sqlite_drop_dead(void *self, const int64_t *ids, size_t count, int *results,
                                        tako_error *err);
TAKO_PRIVATE int tako__sqlite_put_version(void *self, const tako_version_info *version,
                                          tako_error *err);
TAKO_PRIVATE int tako__sqlite_versions(void *self, const char *type, tako_version_fn *got,
                                       void *ctx, tako_error *err);

#endif
