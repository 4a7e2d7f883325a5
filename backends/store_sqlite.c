/* store_sqlite.c - the store behind "sqlite:PATH" and "sqlite::memory:".
 *
 * A file is opened by two connections: one that writes, one that reads while the first commits.
 * A private database in memory has one connection for both; there a reader waits for the end of
 * a transaction. Several processes may open one file: writers take turns by SQLite's locks, and
 * an inotify watch on the write-ahead log tells that another one wrote.
 *
 * Durable: WAL with synchronous=FULL, so commit returns after fsync. This file knows SQLite but
 * no job: see store_sqlite.h for the other rooms. Relies on SQLite 3.37 or newer with threads.
 *
 * SPDX-License-Identifier: MIT */
#include "store_sqlite.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#if defined(__has_include)
#if !__has_include(<sqlite3.h>)
#error "sqlite3.h not found: install libsqlite3-dev, or compile with -DTAKO_OMIT_SQLITE"
#endif
#endif
#include <sqlite3.h>

#define SQLITE_STORE_SCHEME "sqlite:"
#define SQLITE_STORE_PATH_MAX 480        /* SQLite itself stops at 512 for the resolved path */
#define SQLITE_STORE_PATIENCE_US 5000000 /* how long a lock of another process is waited for */
#define SQLITE_STORE_NAP_MAX_US 4000     /* between two looks at such a lock */
#define SQLITE_STORE_WAL_FRAMES 4000     /* checkpoint when the log has grown by so many pages */
#define SQLITE_STORE_WAL_ALARM 65536     /* pages: some reader keeps the log from restarting */
#define SQLITE_STORE_CHECKPOINT_US 20000 /* how long a checkpoint waits for readers */

/* ---- connections ----------------------------------------------------------------------- */

static int sqlite_store_fail(const struct tako__sqlite *s, sqlite3 *db, int rc, tako_error *err,
                             const char *doing)
{
    int os_errno = db != NULL ? sqlite3_system_errno(db) : 0;

    switch (rc & 0xff) {
    case SQLITE_NOMEM:
        return tako__nomem(err);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return tako__fail(err, TAKO_ESTORE,
                          "sqlite:%s: %s: the database is locked: another process held it for %d "
                          "seconds; end its transaction or try again",
                          s->path, doing, SQLITE_STORE_PATIENCE_US / 1000000);
    case SQLITE_CORRUPT:
        return tako__fail(err, TAKO_ESTORE,
                          "sqlite:%s: %s: the database file is damaged (%s): restore a backup, or "
                          "rescue what is left with the sqlite3 command .recover",
                          s->path, doing, sqlite3_errmsg(db));
    case SQLITE_NOTADB:
        return tako__fail(err, TAKO_ESTORE,
                          "sqlite:%s: %s: the file is not an SQLite database, or its header is "
                          "damaged: choose another path or restore a backup",
                          s->path, doing);
    case SQLITE_FULL:
        return tako__fail(err, TAKO_ESTORE, "sqlite:%s: %s: no space left for the database (%s)",
                          s->path, doing, sqlite3_errmsg(db));
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
        if (os_errno != 0)
            return tako__fail_errno(err, TAKO_ESTORE, os_errno, "sqlite:%s: %s: %s (code %d)",
                                    s->path, doing, sqlite3_errmsg(db), rc);
        break;
    default:
        break;
    }
    return tako__fail(err, TAKO_ESTORE, "sqlite:%s: %s: %s (code %d)", s->path, doing,
                      db != NULL ? sqlite3_errmsg(db) : sqlite3_errstr(rc), rc);
}

/* SQLite's own busy_timeout sleeps up to 100 ms at a time; commits of others take far less. */
static int sqlite_conn_busy(void *ctx, int count)
{
    struct tako__sqlite_conn *c = ctx;
    int64_t now = tako__mono_us();
    int64_t nap = count < 4 ? (int64_t)250 << count : SQLITE_STORE_NAP_MAX_US;
    struct timespec pause = {0, 0};

    if (count == 0)
        c->until_us = now + c->patience_us;
    if (now >= c->until_us)
        return 0;
    pause.tv_nsec = (long)nap * 1000;
    (void)nanosleep(&pause, NULL);
    return 1;
}

static int sqlite_conn_grown(void *ctx, sqlite3 *db, const char *name, int frames)
{
    struct tako__sqlite *s = ctx;

    (void)db;
    (void)name;
    s->wal_frames = frames;
    return SQLITE_OK;
}

static void sqlite_conn_init(struct tako__sqlite_conn *c)
{
    pthread_mutexattr_t attr;

    c->patience_us = SQLITE_STORE_PATIENCE_US;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&c->lock, &attr);
    pthread_mutexattr_destroy(&attr);
}

static void sqlite_conn_close(struct tako__sqlite_conn *c)
{
    size_t i;

    for (i = 0; i < TAKO__SQL_COUNT; i++)
        sqlite3_finalize(c->stmts[i]);
    sqlite3_close(c->db);
    pthread_mutex_destroy(&c->lock);
}

/* `path` is never empty, never ":memory:" by accident and never a URI: see sqlite_store_open. */
static int sqlite_conn_open(struct tako__sqlite *s, struct tako__sqlite_conn *c, const char *path,
                            int flags, tako_error *err)
{
    int rc = sqlite3_open_v2(path, &c->db,
                             flags | SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX |
                                 SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE,
                             NULL);

    if (rc == SQLITE_OK && sqlite3_db_readonly(c->db, "main") == 1)
        return tako__fail(err, TAKO_ESTORE, "sqlite:%s: the database file cannot be written",
                          s->path);
    if (rc == SQLITE_OK)
        rc = sqlite3_busy_handler(c->db, sqlite_conn_busy, c);
    if (rc == SQLITE_OK)
        rc = sqlite3_db_config(c->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_db_config(c->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    return rc == SQLITE_OK ? TAKO_OK : sqlite_store_fail(s, c->db, rc, err, "opening it");
}

static int sqlite_conn_exec(struct tako__sqlite *s, struct tako__sqlite_conn *c, const char *sql,
                            tako_error *err, const char *doing)
{
    int rc = sqlite3_exec(c->db, sql, NULL, NULL, NULL);

    return rc == SQLITE_OK ? TAKO_OK : sqlite_store_fail(s, c->db, rc, err, doing);
}

/* The first column of the first row as a number; 0 when there is none. */
static int sqlite_conn_number(struct tako__sqlite *s, const char *sql, int64_t *out,
                              tako_error *err)
{
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(s->writer.db, sql, -1, &st, NULL);

    *out = 0;
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(st);
        if (rc == SQLITE_ROW)
            *out = sqlite3_column_int64(st, 0);
        if (rc == SQLITE_ROW || rc == SQLITE_DONE)
            rc = SQLITE_OK;
    }
    if (rc != SQLITE_OK)
        rc = sqlite_store_fail(s, s->writer.db, rc, err, "reading its header");
    sqlite3_finalize(st);
    return rc;
}

static int sqlite_conn_prepare(struct tako__sqlite *s, struct tako__sqlite_conn *c, tako_error *err)
{
    int i;

    for (i = 0; i < TAKO__SQL_COUNT; i++) {
        int rc = sqlite3_prepare_v3(c->db, tako__sqlite_sql((enum tako__sqlite_sql)i), -1,
                                    SQLITE_PREPARE_PERSISTENT, &c->stmts[i], NULL);

        if (rc != SQLITE_OK)
            return sqlite_store_fail(s, c->db, rc, err, "reading its schema");
    }
    return TAKO_OK;
}

/* ---- statements -------------------------------------------------------------------------- */

sqlite3_stmt *tako__sqlite_take(struct tako__sqlite_conn *c, enum tako__sqlite_sql which)
{
    sqlite3_stmt *st = c->stmts[which];

    if (!sqlite3_stmt_busy(st))
        return st;
    st = NULL;
    (void)sqlite3_prepare_v2(c->db, tako__sqlite_sql(which), -1, &st, NULL);
    return st;
}

void tako__sqlite_give(struct tako__sqlite_conn *c, enum tako__sqlite_sql which, sqlite3_stmt *st)
{
    if (st == c->stmts[which])
        sqlite3_reset(st);
    else
        sqlite3_finalize(st);
}

void tako__sqlite_bind_int(sqlite3_stmt *st, int at, int64_t value)
{
    (void)sqlite3_bind_int64(st, at, value); /* cannot fail: `at` is right, nothing is copied */
}

void tako__sqlite_bind_null(sqlite3_stmt *st, int at)
{
    (void)sqlite3_bind_null(st, at);
}

/* For names, which are short: cannot fail either. */
void tako__sqlite_bind_name(sqlite3_stmt *st, int at, const char *text)
{
    size_t len = text != NULL ? strlen(text) : 0;

    (void)sqlite3_bind_text64(st, at, text, len, SQLITE_STATIC, SQLITE_UTF8); /* NULL as NULL */
}

static int sqlite_stmt_bound(struct tako__sqlite *s, int rc, tako_error *err)
{
    if (rc == SQLITE_OK)
        return TAKO_OK;
    return tako__fail(err, TAKO_ESTORE, "sqlite:%s: a document or content: %s", s->path,
                      sqlite3_errstr(rc)); /* too big: a gigabyte */
}

int tako__sqlite_bind_text(struct tako__sqlite *s, sqlite3_stmt *st, int at, const char *text,
                           size_t len, tako_error *err)
{
    return sqlite_stmt_bound(s, sqlite3_bind_text64(st, at, text, len, SQLITE_STATIC, SQLITE_UTF8),
                             err);
}

int tako__sqlite_bind_blob(struct tako__sqlite *s, sqlite3_stmt *st, int at, const void *data,
                           size_t len, tako_error *err)
{
    /* A null pointer would be the value NULL, which the tables refuse. */
    return sqlite_stmt_bound(
        s, sqlite3_bind_blob64(st, at, len > 0 ? data : "", len, SQLITE_STATIC), err);
}

int tako__sqlite_next(struct tako__sqlite *s, struct tako__sqlite_conn *c, sqlite3_stmt *st,
                      tako_error *err, const char *doing)
{
    int rc = sqlite3_step(st);

    if (rc == SQLITE_ROW)
        return 1;
    return rc == SQLITE_DONE ? 0 : sqlite_store_fail(s, c->db, rc, err, doing);
}

int64_t tako__sqlite_int(sqlite3_stmt *st, int at)
{
    return sqlite3_column_int64(st, at);
}

const char *tako__sqlite_text(sqlite3_stmt *st, int at, size_t *len)
{
    const char *text = (const char *)sqlite3_column_text(st, at);

    if (len != NULL)
        *len = (size_t)sqlite3_column_bytes(st, at);
    return text;
}

const void *tako__sqlite_blob(sqlite3_stmt *st, int at, size_t *len)
{
    const void *data = sqlite3_column_blob(st, at);

    *len = (size_t)sqlite3_column_bytes(st, at);
    /* NULL stands for an empty blob as well as for no memory */
    return data == NULL && *len == 0 && sqlite3_column_type(st, at) == SQLITE_BLOB ? "" : data;
}

bool tako__sqlite_is_null(sqlite3_stmt *st, int at)
{
    return sqlite3_column_type(st, at) == SQLITE_NULL;
}

int tako__sqlite_read_part(struct tako__sqlite *s, struct tako__sqlite_conn *c, int64_t seq,
                           int64_t offset, void *to, size_t len, tako_error *err)
{
    sqlite3_blob *part = NULL;
    int rc = sqlite3_blob_open(c->db, "main", "content", "data", seq, 0, &part);

    if (rc == SQLITE_OK)
        rc = sqlite3_blob_read(part, to, (int)len, (int)offset); /* content is less than 2 GiB */
    if (rc != SQLITE_OK)
        rc = sqlite_store_fail(s, c->db, rc, err, "reading a part of content");
    sqlite3_blob_close(part);
    return rc;
}

int64_t tako__sqlite_changes(struct tako__sqlite *s)
{
    return sqlite3_changes64(s->writer.db);
}

int64_t tako__sqlite_last_seq(struct tako__sqlite *s)
{
    return sqlite3_last_insert_rowid(s->writer.db);
}

int tako__sqlite_run(struct tako__sqlite *s, enum tako__sqlite_sql which, tako_error *err,
                     const char *doing)
{
    sqlite3_stmt *st = s->writer.stmts[which];
    int rc = sqlite3_step(st);

    if (rc == SQLITE_DONE) {
        sqlite3_reset(st);
        return TAKO_OK;
    }
    rc = sqlite_store_fail(s, s->writer.db, rc, err, doing);
    sqlite3_reset(st);
    return rc;
}

int tako__sqlite_run_ints(struct tako__sqlite *s, enum tako__sqlite_sql which, int64_t a, int64_t b,
                          int64_t c, tako_error *err, const char *doing)
{
    sqlite3_stmt *st = s->writer.stmts[which];

    tako__sqlite_bind_int(st, 1, a);
    tako__sqlite_bind_int(st, 2, b);
    tako__sqlite_bind_int(st, 3, c);
    return tako__sqlite_run(s, which, err, doing);
}

/* ---- transactions ------------------------------------------------------------------------ */

static unsigned long sqlite_tx_self(void)
{
    return (unsigned long)pthread_self();
}

static bool sqlite_tx_mine(struct tako__sqlite *s)
{
    return atomic_load_explicit(&s->owner, memory_order_relaxed) == sqlite_tx_self();
}

/* A commit into a file that was deleted or replaced would be lost without a sound. */
static int sqlite_tx_same_file(const struct tako__sqlite *s, tako_error *err)
{
    struct stat st;

    if (s->memory)
        return TAKO_OK;
    if (stat(s->file, &st) != 0)
        return tako__fail_errno(err, TAKO_ESTORE, errno,
                                "sqlite:%s: the database file was removed or renamed while it is "
                                "open; put it back or open the store again",
                                s->path);
    if (st.st_ino != s->ino || st.st_dev != s->dev)
        return tako__fail(err, TAKO_ESTORE,
                          "sqlite:%s: the database file was replaced by another one while it is "
                          "open; open the store again",
                          s->path);
    if (stat(s->wal, &st) != 0 || st.st_ino != s->wal_ino || st.st_dev != s->dev)
        return tako__fail(err, TAKO_ESTORE,
                          "sqlite:%s: its write-ahead log %s was removed or replaced while it is "
                          "open; open the store again",
                          s->path, s->wal);
    return TAKO_OK;
}

/* The writer's lock held, no transaction open: did another connection commit since the last
 * look? A commit writes the log first and becomes visible later (after its fsync), so a look
 * counts only while nobody holds the write lock; when somebody does, look again soon. */
static bool sqlite_tx_look(struct tako__sqlite *s)
{
    sqlite3_stmt *st = s->writer.stmts[TAKO__SQL_DATA_VERSION];
    int64_t version = s->data_version;

    if (s->memory)
        return false;
    tako__sqlite_watch_drain(&s->watch);
    s->writer.patience_us = 0;
    if (tako__sqlite_run(s, TAKO__SQL_BEGIN_WRITE, NULL, "") != TAKO_OK) {
        tako__sqlite_watch_retry(&s->watch);
        s->writer.patience_us = SQLITE_STORE_PATIENCE_US;
        return false;
    }
    s->writer.patience_us = SQLITE_STORE_PATIENCE_US;
    if (sqlite3_step(st) == SQLITE_ROW)
        version = sqlite3_column_int64(st, 0);
    sqlite3_reset(st);
    (void)tako__sqlite_run(s, TAKO__SQL_ROLLBACK, NULL, "");
    tako__sqlite_watch_calm(&s->watch);
    if (version == s->data_version)
        return false;
    s->data_version = version;
    return true;
}

/* Moves the log into the database. FULL holds the write lock meanwhile: SQLite before 3.51.3
 * can corrupt a database when another process restarts the log during a checkpoint. */
static void tako__sqlite_tx_checkpoint(struct tako__sqlite *s)
{
    int rc, frames = 0, moved = 0;

    if (s->wal_frames < s->wal_next)
        return;
    s->writer.patience_us = SQLITE_STORE_CHECKPOINT_US;
    rc = sqlite3_wal_checkpoint_v2(s->writer.db, "main", SQLITE_CHECKPOINT_FULL, &frames, &moved);
    s->writer.patience_us = SQLITE_STORE_PATIENCE_US;
    if (rc != SQLITE_OK && (rc & 0xff) != SQLITE_BUSY)
        tako__log(&s->host, TAKO_LOG_WARN, "sqlite", "sqlite:%s: checkpoint: %s", s->path,
                  sqlite3_errmsg(s->writer.db));
    if (rc == SQLITE_OK && frames == moved) {
        s->wal_next = SQLITE_STORE_WAL_FRAMES;
        s->wal_alarm = SQLITE_STORE_WAL_ALARM;
        s->wal_frames = 0; /* the next commit restarts the log, or tells its length again */
        return;
    }
    s->wal_next = s->wal_frames + SQLITE_STORE_WAL_FRAMES;
    if (s->wal_frames >= s->wal_alarm) {
        s->wal_alarm = s->wal_frames > INT_MAX / 2 ? INT_MAX : s->wal_frames * 2;
        tako__log(&s->host, TAKO_LOG_WARN, "sqlite",
                  "sqlite:%s: the write-ahead log has %d pages and cannot be restarted: some "
                  "process keeps a read transaction open",
                  s->path, s->wal_frames);
    }
}

static int sqlite_store_begin(void *self, tako_error *err)
{
    struct tako__sqlite *s = self;
    int rc;

    if (sqlite_tx_mine(s))
        return tako__fail(err, TAKO_ESTATE, "sqlite:%s: a transaction is open already", s->path);
    pthread_mutex_lock(&s->writer.lock);
    rc = sqlite_tx_same_file(s, err);
    if (rc == TAKO_OK)
        rc = tako__sqlite_run(s, TAKO__SQL_BEGIN_WRITE, err, "starting a transaction");
    if (rc != TAKO_OK) {
        pthread_mutex_unlock(&s->writer.lock);
        return rc;
    }
    s->failed = false;
    s->queued_delta = s->running_delta = s->fresh_seq = 0;
    memset(s->uses, 0, sizeof(s->uses));
    atomic_store_explicit(&s->owner, sqlite_tx_self(), memory_order_relaxed);
    return TAKO_OK;
}

static void sqlite_store_rollback(void *self)
{
    struct tako__sqlite *s = self;

    if (!sqlite_tx_mine(s))
        return;
    /* After some failures SQLite has rolled back by itself. */
    if (!sqlite3_get_autocommit(s->writer.db))
        (void)tako__sqlite_run(s, TAKO__SQL_ROLLBACK, NULL, "");
    s->n_types = 0; /* it may have had types that do not exist any more */
    atomic_store_explicit(&s->owner, 0, memory_order_relaxed);
    pthread_mutex_unlock(&s->writer.lock);
}

int tako__sqlite_tx_check(struct tako__sqlite *s, tako_error *err)
{
    if (!sqlite_tx_mine(s))
        return tako__fail(err, TAKO_ESTATE, "sqlite:%s: no transaction was begun by this thread",
                          s->path);
    if (s->failed || sqlite3_get_autocommit(s->writer.db))
        return tako__fail(err, TAKO_ESTATE,
                          "sqlite:%s: the transaction failed before and can only be rolled back",
                          s->path);
    return TAKO_OK;
}

int tako__sqlite_tx_done(struct tako__sqlite *s, int rc)
{
    if (rc != TAKO_OK)
        s->failed = true;
    return rc;
}

static int sqlite_store_commit(void *self, tako_error *err)
{
    struct tako__sqlite *s = self;
    sqlite3_stmt *tally = s->writer.stmts[TAKO__SQL_TALLY_ADD];
    int rc = tako__sqlite_tx_check(s, err);

    if (rc == TAKO_OK)
        rc = sqlite_tx_same_file(s, err);
    if (rc == TAKO_OK)
        rc = tako__sqlite_settle(s, err);
    if (rc == TAKO_OK && (s->queued_delta != 0 || s->running_delta != 0)) {
        tako__sqlite_bind_int(tally, 1, s->queued_delta);
        tako__sqlite_bind_int(tally, 2, s->running_delta);
        rc = tako__sqlite_run(s, TAKO__SQL_TALLY_ADD, err, "counting");
    }
    if (rc == TAKO_OK)
        rc = tako__sqlite_run(s, TAKO__SQL_COMMIT, err, "committing");
    if (rc != TAKO_OK) {
        sqlite_store_rollback(s);
        return rc;
    }
    atomic_store_explicit(&s->owner, 0, memory_order_relaxed);
    tako__sqlite_tx_checkpoint(s);
    /* Own writes made the watch readable too: quiet it here, so that they wake nobody. */
    if (!s->memory && s->watch.epoll_fd >= 0 && sqlite_tx_look(s)) {
        s->noticed = true;
        tako__sqlite_watch_now(&s->watch);
    }
    pthread_mutex_unlock(&s->writer.lock);
    return TAKO_OK;
}

int tako__sqlite_read_enter(struct tako__sqlite *s, struct tako__sqlite_read *r, bool snapshot,
                            tako_error *err)
{
    memset(r, 0, sizeof(*r));
    r->conn = &s->writer;
    if (!sqlite_tx_mine(s)) {
        r->conn = s->reader;
        r->locked = true;
        pthread_mutex_lock(&r->conn->lock);
    }
    if (snapshot && sqlite3_get_autocommit(r->conn->db)) {
        int rc = sqlite3_step(r->conn->stmts[TAKO__SQL_BEGIN_READ]);

        if (rc != SQLITE_DONE)
            rc = sqlite_store_fail(s, r->conn->db, rc, err, "reading");
        else
            r->snapshot = true;
        sqlite3_reset(r->conn->stmts[TAKO__SQL_BEGIN_READ]);
        return r->snapshot ? TAKO_OK : rc;
    }
    return TAKO_OK;
}

void tako__sqlite_read_leave(struct tako__sqlite_read *r)
{
    if (r->snapshot) { /* nothing was written: it cannot fail */
        (void)sqlite3_step(r->conn->stmts[TAKO__SQL_COMMIT]);
        sqlite3_reset(r->conn->stmts[TAKO__SQL_COMMIT]);
    }
    if (r->locked)
        pthread_mutex_unlock(&r->conn->lock);
}

/* ---- opening ------------------------------------------------------------------------------ */

/* What can be said before SQLite is asked, in better words than its own. Opens nothing: that
 * would drop the locks of a second store on the same file in this process. */
static int sqlite_open_check_path(struct tako__sqlite *s, const char *file, tako_error *err)
{
    const char *slash = strrchr(file, '/');
    char dir[SQLITE_STORE_PATH_MAX + 3];
    struct statfs fs;
    struct stat st;
    size_t len = slash != NULL ? (size_t)(slash - file) : 0;

    memcpy(dir, file, len);
    dir[len] = '\0';
    if (len == 0)
        memcpy(dir, "/", 2);
    if (stat(file, &st) == 0) {
        if (!S_ISREG(st.st_mode))
            return tako__fail(err, TAKO_ESTORE, "sqlite:%s: %s, not a database file", s->path,
                              S_ISDIR(st.st_mode) ? "this is a directory"
                                                  : "this is a device or pipe");
        if (faccessat(AT_FDCWD, file, R_OK | W_OK, AT_EACCESS) != 0)
            return tako__fail_errno(err, TAKO_ESTORE, errno,
                                    "sqlite:%s: this user may not read and write the database "
                                    "file; change its owner or mode, or choose another path",
                                    s->path);
    } else if (errno != ENOENT) {
        return tako__fail_errno(err, TAKO_ESTORE, errno, "sqlite:%s: cannot look at the path",
                                s->path);
    }
    if (stat(dir, &st) != 0 || !S_ISDIR(st.st_mode))
        return tako__fail(err, TAKO_ESTORE,
                          "sqlite:%s: its directory %s does not exist; create it "
                          "first",
                          s->path, dir);
    if (faccessat(AT_FDCWD, dir, W_OK | X_OK, AT_EACCESS) != 0)
        return tako__fail_errno(err, TAKO_ESTORE, errno,
                                "sqlite:%s: this user may not create files in the directory %s, "
                                "where the database and its log lie; change the owner or mode, or "
                                "choose another path",
                                s->path, dir);
    /* NFS, SMB, CIFS, SMB2: the log needs memory shared by all processes that use it */
    if (statfs(dir, &fs) == 0 &&
        (fs.f_type == 0x6969 || fs.f_type == 0x517b || (unsigned)fs.f_type == 0xff534d42u ||
         (unsigned)fs.f_type == 0xfe534d42u))
        tako__log(&s->host, TAKO_LOG_WARN, "sqlite",
                  "sqlite:%s: this is a network file system: open it from one machine only",
                  s->path);
    return TAKO_OK;
}

/* Decides whose file this is, without writing to it. *version 0 = empty. A transaction is open,
 * so that another process that creates the tables meanwhile is seen whole or not at all. */
static int sqlite_open_inspect(struct tako__sqlite *s, int64_t *version, tako_error *err)
{
    int64_t app = 0, tables = 0;
    int known = tako__sqlite_version();
    int rc = sqlite_conn_number(s, "SELECT count(*) FROM sqlite_schema", &tables, err);

    if (rc == TAKO_OK)
        rc = sqlite_conn_number(s, "PRAGMA application_id", &app, err);
    if (rc == TAKO_OK)
        rc = sqlite_conn_number(s, "PRAGMA user_version", version, err);
    if (rc != TAKO_OK)
        return rc;
    if (app == 0 && tables == 0 && *version == 0)
        return TAKO_OK;
    if (app != TAKO__SQLITE_APPLICATION_ID)
        return tako__fail(err, TAKO_ESTORE,
                          "sqlite:%s: this is the database of another program (application id "
                          "0x%08llx, %lld tables and indexes) and was left alone: choose another "
                          "path",
                          s->path, (unsigned long long)app & 0xffffffffu, (long long)tables);
    if (*version > known)
        return tako__fail(err, TAKO_ESTORE,
                          "sqlite:%s: the schema of this store has version %lld, and this Tako "
                          "(%s) knows versions up to %d: update Tako",
                          s->path, (long long)*version, TAKO_VERSION, known);
    if (*version < 1 || tables == 0)
        return tako__fail(err, TAKO_ESTORE,
                          "sqlite:%s: the database file is damaged: its tables are missing; "
                          "restore a backup",
                          s->path);
    return TAKO_OK;
}

/* Applies what is missing, step by step. Several processes may be at it at the same time: each
 * step looks again with the write lock held. */
static int sqlite_open_migrate(struct tako__sqlite *s, tako_error *err)
{
    struct tako__sqlite_conn *c = &s->writer;
    char stamp[96];
    int64_t version = 0;
    int rc;

    for (;;) {
        rc = sqlite_conn_exec(s, c, "BEGIN IMMEDIATE", err, "preparing its schema");
        if (rc != TAKO_OK)
            return rc;
        rc = sqlite_open_inspect(s, &version, err);
        if (rc != TAKO_OK || version == tako__sqlite_version())
            break;
        (void)sqlite3_snprintf((int)sizeof(stamp), stamp,
                               "PRAGMA application_id = %d; PRAGMA user_version = %d; COMMIT",
                               TAKO__SQLITE_APPLICATION_ID, (int)version + 1);
        rc = sqlite_conn_exec(s, c, tako__sqlite_step((int)version), err, "preparing its schema");
        if (rc == TAKO_OK)
            rc = sqlite_conn_exec(s, c, stamp, err, "preparing its schema");
        if (rc != TAKO_OK)
            break;
    }
    if (!sqlite3_get_autocommit(c->db))
        (void)sqlite3_exec(c->db, "ROLLBACK", NULL, NULL, NULL);
    return rc;
}

static int sqlite_open_wal_mode(struct tako__sqlite *s, tako_error *err)
{
    sqlite3_stmt *st = NULL;
    const char *mode = NULL;
    int rc = sqlite3_prepare_v2(s->writer.db, "PRAGMA journal_mode = WAL", -1, &st, NULL);

    if (rc == SQLITE_OK)
        rc = sqlite3_step(st);
    if (rc == SQLITE_ROW)
        mode = (const char *)sqlite3_column_text(st, 0);
    if (rc != SQLITE_ROW)
        rc = sqlite_store_fail(s, s->writer.db, rc, err, "switching to a write-ahead log");
    else if (mode == NULL || strcmp(mode, "wal") != 0)
        rc = tako__fail(err, TAKO_ESTORE,
                        "sqlite:%s: a write-ahead log is not possible here (journal mode stays "
                        "%s): choose a path on a local file system",
                        s->path, mode != NULL ? mode : "?");
    else
        rc = TAKO_OK;
    sqlite3_finalize(st);
    return rc;
}

static int sqlite_open_settle(struct tako__sqlite *s, tako_error *err)
{
    int64_t version = 0;
    int rc = sqlite_conn_exec(s, &s->writer, "BEGIN", err, "opening it");

    if (rc != TAKO_OK)
        return rc;
    rc = sqlite_open_inspect(s, &version, err);
    (void)sqlite3_exec(s->writer.db, "COMMIT", NULL, NULL, NULL);
    if (rc == TAKO_OK && version < tako__sqlite_version())
        rc = sqlite_open_migrate(s, err);
    if (rc == TAKO_OK && !s->memory)
        rc = sqlite_open_wal_mode(s, err);
    return rc;
}

/* Where two processes would wait for each other SQLite refuses at once instead of waiting. */
static int sqlite_open_settle_patiently(struct tako__sqlite *s, tako_error *err)
{
    int64_t until_us = tako__mono_us() + SQLITE_STORE_PATIENCE_US;
    struct timespec pause = {0, 2000000};
    int rc;

    for (;;) {
        rc = sqlite_open_settle(s, err);
        if (rc != TAKO_ESTORE || (sqlite3_errcode(s->writer.db) & 0xff) != SQLITE_BUSY ||
            tako__mono_us() >= until_us)
            return rc;
        (void)nanosleep(&pause, NULL);
    }
}

static int sqlite_open_second(struct tako__sqlite *s, const char *file, tako_error *err)
{
    struct stat st;
    int rc = sqlite_conn_open(s, &s->second, file, 0, err);

    if (rc == TAKO_OK)
        rc = sqlite_conn_exec(s, &s->second,
                              "PRAGMA query_only = ON; PRAGMA cache_size = -8192;"
                              "PRAGMA temp_store = MEMORY; PRAGMA wal_autocheckpoint = 0",
                              err, "opening it");
    if (rc == TAKO_OK)
        rc = sqlite_conn_prepare(s, &s->second, err);
    if (rc != TAKO_OK)
        return rc;
    s->file = sqlite3_db_filename(s->writer.db, "main");
    s->wal = sqlite3_filename_wal(s->file);
    if (stat(s->wal, &st) != 0)
        return tako__fail_errno(err, TAKO_ESTORE, errno, "sqlite:%s: its write-ahead log %s",
                                s->path, s->wal);
    s->wal_ino = st.st_ino;
    if (stat(s->file, &st) != 0)
        return tako__fail_errno(err, TAKO_ESTORE, errno, "sqlite:%s: the database file", s->path);
    s->ino = st.st_ino;
    s->dev = st.st_dev;
    s->wal_next = SQLITE_STORE_WAL_FRAMES;
    s->wal_alarm = SQLITE_STORE_WAL_ALARM;
    sqlite3_wal_hook(s->writer.db, sqlite_conn_grown, s); /* in place of SQLite's own checkpoints */
    rc = tako__sqlite_watch_open(&s->watch, s->wal, err);
    if (rc == TAKO_OK)
        (void)sqlite_tx_look(s); /* remembers where the count stands */
    return rc;
}

static int sqlite_open_file(struct tako__sqlite *s, tako_error *err)
{
    char file[SQLITE_STORE_PATH_MAX + 3], wal[SQLITE_STORE_PATH_MAX + 8];
    bool log_before;
    struct stat st;
    int rc;

    /* "./" keeps SQLite from taking a name like "file:x" for something else */
    (void)sqlite3_snprintf((int)sizeof(file), file, "%s%s", s->path[0] == '/' ? "" : "./", s->path);
    (void)sqlite3_snprintf((int)sizeof(wal), wal, "%s-wal", file);
    rc = sqlite_open_check_path(s, file, err);
    if (rc != TAKO_OK)
        return rc;
    log_before = stat(wal, &st) == 0;
    rc = sqlite_conn_open(s, &s->writer, file, SQLITE_OPEN_CREATE, err);
    if (rc == TAKO_OK)
        rc = sqlite_conn_exec(s, &s->writer,
                              "PRAGMA synchronous = FULL; PRAGMA cache_size = -32768;"
                              "PRAGMA temp_store = MEMORY; PRAGMA journal_size_limit = 67108864",
                              err, "opening it");
    if (rc == TAKO_OK)
        rc = sqlite_open_settle_patiently(s, err);
    if (rc != TAKO_OK) {
        if (log_before) /* whatever it holds is not ours to move into the file */
            (void)sqlite3_db_config(s->writer.db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        return rc;
    }
    rc = sqlite_conn_prepare(s, &s->writer, err);
    return rc == TAKO_OK ? sqlite_open_second(s, file, err) : rc;
}

static int sqlite_open_memory(struct tako__sqlite *s, tako_error *err)
{
    int rc = sqlite_conn_open(s, &s->writer, ":memory:", SQLITE_OPEN_MEMORY, err);

    if (rc == TAKO_OK)
        rc = sqlite_open_settle(s, err);
    if (rc == TAKO_OK)
        rc = tako__sqlite_watch_open(&s->watch, NULL, err);
    return rc == TAKO_OK ? sqlite_conn_prepare(s, &s->writer, err) : rc;
}

static void sqlite_store_close(void *self)
{
    struct tako__sqlite *s = self;
    tako_host host;

    if (s == NULL)
        return;
    sqlite_store_rollback(s); /* if this thread left one open */
    tako__sqlite_watch_close(&s->watch);
    sqlite_conn_close(&s->second); /* the writer last: the last one moves the log into the file */
    sqlite_conn_close(&s->writer);
    host = s->host;
    tako__free(&host, s->path);
    tako__free(&host, s);
}

static int sqlite_open_uri(const char *uri, const char **path, tako_error *err)
{
    size_t head = strlen(SQLITE_STORE_SCHEME), len;

    if (uri == NULL || strncmp(uri, SQLITE_STORE_SCHEME, head) != 0)
        return tako__fail(err, TAKO_EINVAL, "an SQLite store is named sqlite:PATH");
    *path = uri + head;
    len = strlen(*path);
    if (len == 0)
        return tako__fail(err, TAKO_EINVAL,
                          "the store \"sqlite:\" has no path: use sqlite:PATH, "
                          "or sqlite::memory: for a private one in memory");
    if (len > SQLITE_STORE_PATH_MAX)
        return tako__fail(err, TAKO_EINVAL,
                          "the path of the store has %zu bytes; at most %d are "
                          "possible",
                          len, SQLITE_STORE_PATH_MAX);
    if (**path == ':' && strcmp(*path, ":memory:") != 0)
        return tako__fail(err, TAKO_EINVAL,
                          "sqlite:%s: a path does not begin with a colon; did "
                          "you mean sqlite::memory: ?",
                          *path);
    return TAKO_OK;
}

static int sqlite_store_open(void **self, const char *uri, const tako_host *host, tako_error *err)
{
    struct tako__sqlite *s;
    const char *path = NULL;
    int rc;

    *self = NULL;
    rc = sqlite_open_uri(uri, &path, err);
    if (rc != TAKO_OK)
        return rc;
    if (!sqlite3_threadsafe())
        return tako__fail(err, TAKO_EUNSUPPORTED,
                          "this SQLite was built without threads "
                          "(SQLITE_THREADSAFE=0): link another one");
    if (sqlite3_libversion_number() < 3037000)
        return tako__fail(err, TAKO_EUNSUPPORTED, "this SQLite is version %s; 3.37.0 is needed",
                          sqlite3_libversion());
    s = tako__alloc(host, sizeof(*s));
    if (s == NULL)
        return tako__nomem(err);
    s->host = *host;
    s->memory = strcmp(path, ":memory:") == 0;
    s->reader = s->memory ? &s->writer : &s->second;
    atomic_init(&s->owner, 0);
    sqlite_conn_init(&s->writer);
    sqlite_conn_init(&s->second);
    tako__sqlite_watch_init(&s->watch, &s->host);
    s->path = tako__strdup(&s->host, path);
    if (s->path == NULL)
        rc = tako__nomem(err);
    else
        rc = s->memory ? sqlite_open_memory(s, err) : sqlite_open_file(s, err);
    if (rc != TAKO_OK) {
        sqlite_store_close(s);
        return rc;
    }
    *self = s;
    return TAKO_OK;
}

/* ---- other processes, and the table -------------------------------------------------------- */

static int sqlite_store_watch_fd(void *self)
{
    struct tako__sqlite *s = self;

    return s->watch.epoll_fd; /* does not change after open */
}

static int sqlite_store_watched(void *self)
{
    struct tako__sqlite *s = self;
    bool told;

    if (s->memory)
        return 0;
    /* A transaction of this process looks for itself when it commits. */
    if (sqlite_tx_mine(s) || pthread_mutex_trylock(&s->writer.lock) != 0)
        return 0;
    told = sqlite_tx_look(s) || s->noticed;
    s->noticed = false;
    pthread_mutex_unlock(&s->writer.lock);
    return told;
}

static const tako_store_ops sqlite_store_ops = {
    sizeof(tako_store_ops),
    "sqlite",
    sqlite_store_open,
    sqlite_store_close,
    sqlite_store_begin,
    sqlite_store_commit,
    sqlite_store_rollback,
    tako__sqlite_put_blobs,
    tako__sqlite_insert,
    tako__sqlite_claim,
    tako__sqlite_finish,
    tako__sqlite_cancel,
    tako__sqlite_put_node,
    tako__sqlite_remove_node,
    tako__sqlite_get,
    tako__sqlite_list,
    tako__sqlite_get_blob,
    tako__sqlite_tally,
    tako__sqlite_nodes,
    tako__sqlite_held,
    tako__sqlite_cancel_requests,
    tako__sqlite_next_due,
    tako__sqlite_find_key,
    tako__sqlite_history,
    tako__sqlite_expired,
    tako__sqlite_purge,
    tako__sqlite_list_dead,
    tako__sqlite_get_dead,
    tako__sqlite_count_dead,
    tako__sqlite_drop_dead,
    tako__sqlite_put_version,
    tako__sqlite_versions,
    sqlite_store_watch_fd,
    sqlite_store_watched,
};

const tako_store_ops *tako_store_sqlite(void)
{
    return &sqlite_store_ops;
}
