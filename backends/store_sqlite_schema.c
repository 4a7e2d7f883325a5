/* store_sqlite_schema.c - the tables of the SQLite store, how they change between versions, and
 * every statement that is run on them. Only text: store_sqlite.c runs it.
 *
 * Why these tables: a job's state is a narrow row that changes three times in its life, its
 * texts are written once and never touched again. What can be claimed lies in `ready`, in the
 * order in which it is claimed, so that a claim reads the front of one b-tree no matter how much
 * history there is; `delayed` keeps what is not due yet and is moved over when it is.
 *
 * SPDX-License-Identifier: MIT */
#include "store_sqlite.h"

/* To change the schema: append a step, never edit one that was released. Step i is a script that
 * leads from version i to i + 1; it runs inside one transaction that also sets user_version, so
 * a crash leaves one or the other. Keep it fast or bounded: every process that opens the file
 * waits meanwhile. Adapt the statements below to the newest version only. Then add a test that
 * opens a file of the version before. */
static const char *const sqlite_schema_steps[] = {
    /* 0 -> 1 */
    "CREATE TABLE type ("
    " id INTEGER PRIMARY KEY,"
    " name TEXT NOT NULL UNIQUE"
    ") STRICT;"
    "CREATE TABLE job ("
    " seq INTEGER PRIMARY KEY," /* order of insertion */
    " id TEXT NOT NULL UNIQUE,"
    " type_id INTEGER NOT NULL,"
    " status INTEGER NOT NULL," /* tako_status */
    " priority INTEGER NOT NULL,"
    " attempt INTEGER NOT NULL,"
    " deaths INTEGER NOT NULL,"
    " cancel INTEGER NOT NULL,"
    " node TEXT NOT NULL,"
    " created_us INTEGER NOT NULL,"
    " run_at_us INTEGER NOT NULL,"
    " started_us INTEGER NOT NULL,"
    " ended_us INTEGER NOT NULL"
    ") STRICT;"
    /* The one index behind every listing: a list merges its (type, status) ranges. */
    "CREATE INDEX job_list ON job (type_id, status, created_us, id);"
    "CREATE INDEX job_held ON job (node, cancel) WHERE status = 2;"
    "CREATE TABLE spec (seq INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT;"
    "CREATE TABLE result (seq INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT;"
    "CREATE TABLE ready ("
    " type_id INTEGER NOT NULL,"
    " rank INTEGER NOT NULL," /* -priority: the first row is the next to run */
    " seq INTEGER NOT NULL,"
    " PRIMARY KEY (type_id, rank, seq)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE delayed ("
    " type_id INTEGER NOT NULL,"
    " run_at_us INTEGER NOT NULL,"
    " seq INTEGER NOT NULL,"
    " rank INTEGER NOT NULL,"
    " PRIMARY KEY (type_id, run_at_us, seq)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE node ("
    " id TEXT PRIMARY KEY NOT NULL,"
    " identity TEXT NOT NULL,"
    " expires_us INTEGER NOT NULL"
    ") STRICT, WITHOUT ROWID;"
    /* How many rows are queued and running; kept exact by every commit. */
    "CREATE TABLE tally ("
    " one INTEGER PRIMARY KEY CHECK (one = 1),"
    " queued INTEGER NOT NULL,"
    " running INTEGER NOT NULL"
    ") STRICT;"
    "INSERT INTO tally VALUES (1, 0, 0);"
    /* With a rowid, because content can be megabytes: the index over the hashes stays small. */
    "CREATE TABLE blob ("
    " seq INTEGER PRIMARY KEY,"
    " sha256 BLOB NOT NULL UNIQUE," /* 32 bytes */
    " data BLOB NOT NULL"
    ") STRICT;",
};

#define SQLITE_SCHEMA_ROW                                                               \
    "SELECT j.id, t.name, j.status, j.priority, j.attempt, j.deaths, j.cancel, j.node," \
    " j.created_us, j.run_at_us, j.started_us, j.ended_us, s.body, r.body"              \
    " FROM job AS j CROSS JOIN type AS t ON t.id = j.type_id"                           \
    " CROSS JOIN spec AS s ON s.seq = j.seq LEFT JOIN result AS r ON r.seq = j.seq "

const char *tako__sqlite_sql(enum tako__sqlite_sql which)
{
    switch (which) {
    case TAKO__SQL_BEGIN_WRITE:
        return "BEGIN IMMEDIATE";
    case TAKO__SQL_BEGIN_READ:
        return "BEGIN";
    case TAKO__SQL_COMMIT:
        return "COMMIT";
    case TAKO__SQL_ROLLBACK:
        return "ROLLBACK";
    case TAKO__SQL_DATA_VERSION:
        return "PRAGMA data_version";
    case TAKO__SQL_TYPE_FIND:
        return "SELECT id FROM type WHERE name = ?1";
    case TAKO__SQL_TYPE_ADD:
        return "INSERT INTO type (name) VALUES (?1)";
    case TAKO__SQL_TYPE_ALL:
        return "SELECT id FROM type";
    case TAKO__SQL_BLOB_PUT:
        return "INSERT OR IGNORE INTO blob (sha256, data) VALUES (?1, ?2)";
    case TAKO__SQL_BLOB_GET:
        return "SELECT data FROM blob WHERE sha256 = ?1";
    case TAKO__SQL_JOB_ADD:
        return "INSERT OR IGNORE INTO job (id, type_id, status, priority, attempt, deaths,"
               " cancel, node, created_us, run_at_us, started_us, ended_us)"
               " VALUES (?1, ?2, 1, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
    case TAKO__SQL_SPEC_ADD:
        return "INSERT INTO spec (seq, body) VALUES (?1, ?2)";
    case TAKO__SQL_RESULT_PUT:
        return "INSERT OR REPLACE INTO result (seq, body) VALUES (?1, ?2)";
    case TAKO__SQL_JOB_FIND:
        return "SELECT seq, type_id, status, priority, attempt, node, run_at_us FROM job"
               " WHERE id = ?1";
    case TAKO__SQL_JOB_CLAIM:
        return "UPDATE job SET status = 2, attempt = attempt + 1, node = ?2, started_us = ?3"
               " WHERE seq = ?1 AND status = 1 AND run_at_us <= ?3";
    case TAKO__SQL_JOB_DUE:
        return "SELECT run_at_us FROM job WHERE seq = ?1";
    case TAKO__SQL_JOB_FINISH:
        return "UPDATE job SET status = ?2, deaths = ifnull(?3, deaths), run_at_us = ?4,"
               " started_us = ifnull(?5, started_us), ended_us = ?6 WHERE seq = ?1";
    case TAKO__SQL_JOB_ASK_CANCEL:
        return "UPDATE job SET cancel = 1 WHERE seq = ?1";
    case TAKO__SQL_READY_ADD:
        return "INSERT INTO ready (type_id, rank, seq) VALUES (?1, ?2, ?3)";
    case TAKO__SQL_READY_DROP:
        return "DELETE FROM ready WHERE type_id = ?1 AND rank = ?2 AND seq = ?3";
    case TAKO__SQL_READY_NEXT:
        return "SELECT rank, seq FROM ready WHERE type_id = ?1 ORDER BY rank, seq LIMIT ?2";
    case TAKO__SQL_READY_FILL:
        return "INSERT INTO ready (type_id, rank, seq)"
               " SELECT type_id, rank, seq FROM delayed WHERE type_id = ?1 AND run_at_us <= ?2"
               " ORDER BY run_at_us, seq LIMIT ?3";
    case TAKO__SQL_READY_DUE:
        return "SELECT j.run_at_us FROM ready AS r CROSS JOIN job AS j ON j.seq = r.seq"
               " WHERE r.type_id = ?1 ORDER BY r.rank, r.seq LIMIT 1";
    case TAKO__SQL_DELAYED_ADD:
        return "INSERT INTO delayed (type_id, rank, seq, run_at_us) VALUES (?1, ?2, ?3, ?4)";
    case TAKO__SQL_DELAYED_DROP:
        return "DELETE FROM delayed WHERE type_id = ?1 AND run_at_us = ?2 AND seq = ?3";
    case TAKO__SQL_DELAYED_LAST:
        return "SELECT run_at_us, seq FROM delayed WHERE type_id = ?1 AND run_at_us <= ?2"
               " ORDER BY run_at_us, seq LIMIT 1 OFFSET ?3";
    case TAKO__SQL_DELAYED_TRIM:
        return "DELETE FROM delayed WHERE type_id = ?1 AND (run_at_us, seq) <= (?2, ?3)";
    case TAKO__SQL_DELAYED_DUE:
        return "SELECT run_at_us FROM delayed WHERE type_id = ?1 ORDER BY run_at_us LIMIT 1";
    case TAKO__SQL_TALLY_ADD:
        return "UPDATE tally SET queued = queued + ?1, running = running + ?2 WHERE one = 1";
    case TAKO__SQL_TALLY_GET:
        return "SELECT queued, running FROM tally WHERE one = 1";
    case TAKO__SQL_NODE_PUT:
        return "INSERT OR REPLACE INTO node (id, identity, expires_us) VALUES (?1, ?2, ?3)";
    case TAKO__SQL_NODE_DROP:
        return "DELETE FROM node WHERE id = ?1";
    case TAKO__SQL_NODE_ALL:
        return "SELECT id, identity, expires_us FROM node";
    case TAKO__SQL_ROW_BY_ID:
        return SQLITE_SCHEMA_ROW "WHERE j.id = ?1";
    case TAKO__SQL_ROW_BY_SEQ:
        return SQLITE_SCHEMA_ROW "WHERE j.seq = ?1";
    case TAKO__SQL_ROWS_HELD:
        return SQLITE_SCHEMA_ROW "WHERE j.status = 2 AND j.node = ?1";
    case TAKO__SQL_ROWS_CANCELLED:
        return SQLITE_SCHEMA_ROW "WHERE j.status = 2 AND j.node = ?1 AND j.cancel = 1";
    case TAKO__SQL_LIST:
        return "SELECT created_us, id, seq FROM job WHERE type_id = ?1 AND status = ?2"
               " AND created_us >= ?3 AND (created_us, id) < (?4, ?5)"
               " ORDER BY created_us DESC, id DESC LIMIT ?6";
    case TAKO__SQL_CURSOR:
        return "SELECT created_us FROM job WHERE id = ?1";
    case TAKO__SQL_COUNT:
        break;
    }
    return "";
}

int tako__sqlite_version(void)
{
    return (int)TAKO__LEN(sqlite_schema_steps);
}

const char *tako__sqlite_step(int version)
{
    if (version < 0 || version >= tako__sqlite_version())
        return NULL;
    return sqlite_schema_steps[version];
}
