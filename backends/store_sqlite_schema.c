/* store_sqlite_schema.c - the tables of the SQLite store, how they change between versions, and
 * every statement that is run on them. Only text: store_sqlite.c runs it.
 *
 * Why these tables: a job's state is a narrow row that changes three times in its life, its
 * texts are written once and never touched again. What can be claimed lies in `ready`, in the
 * order in which it is claimed, so that a claim reads the front of one b-tree no matter how much
 * history there is; `delayed` keeps what is not due yet and is moved over when it is. How often
 * content is referred to stands beside it, so that a count is changed without touching bytes.
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
    /* 1 -> 2: keys, lineage, notes, counted content, dead letters, versions of job types. A job's
     * status has 8 more while a dead letter belongs to it: retention reads ranges of job_list and
     * never meets it there. `content` got a new name so that an older Tako which has the file open
     * fails instead of storing what is not counted. */
    "ALTER TABLE job ADD COLUMN failures INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE job ADD COLUMN key TEXT;"
    "ALTER TABLE job ADD COLUMN parent TEXT;"
    "CREATE UNIQUE INDEX job_key ON job (key) WHERE key IS NOT NULL;"
    "CREATE INDEX job_child ON job (parent, type_id, status, created_us, id)"
    " WHERE parent IS NOT NULL;"
    "CREATE TABLE note ("
    " job INTEGER NOT NULL,"     /* job.seq */
    " attempt INTEGER NOT NULL," /* one goes back to the queue only once */
    " body TEXT NOT NULL,"
    " PRIMARY KEY (job, attempt)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE dead ("
    " id INTEGER PRIMARY KEY AUTOINCREMENT," /* never given twice */
    " job INTEGER NOT NULL,"                 /* job.seq, which stays as long as this */
    " error_type TEXT NOT NULL,"
    " error_message TEXT NOT NULL,"
    " retry_count INTEGER NOT NULL,"
    " created_us INTEGER NOT NULL,"
    " client_ip TEXT,"
    " correlation_id TEXT,"
    " summary TEXT NOT NULL"
    ") STRICT;"
    "CREATE INDEX dead_type ON dead (error_type);" /* and then by id */
    "CREATE INDEX dead_old ON dead (created_us);"
    "CREATE TABLE dead_tally ("
    " error_type TEXT PRIMARY KEY NOT NULL,"
    " n INTEGER NOT NULL"
    ") STRICT, WITHOUT ROWID;"
    "CREATE INDEX dead_most ON dead_tally (n DESC, error_type);"
    "CREATE TABLE version ("
    " seq INTEGER PRIMARY KEY,"
    " type TEXT NOT NULL,"
    " digest TEXT NOT NULL,"
    " tag TEXT NOT NULL,"
    " built_us INTEGER NOT NULL,"
    " built_by TEXT NOT NULL,"
    " requirements_hash TEXT NOT NULL,"
    " definition TEXT NOT NULL,"
    " UNIQUE (type, digest)"
    ") STRICT;"
    "CREATE INDEX version_of ON version (type, built_us DESC, digest);"
    "CREATE INDEX version_all ON version (built_us DESC, digest, type);"
    "ALTER TABLE blob RENAME TO content;"
    "CREATE TABLE content_use ("
    " seq INTEGER PRIMARY KEY," /* content.seq */
    " n INTEGER NOT NULL"       /* how often rows refer to it */
    ") STRICT;"
    /* Counts what the documents of version 1 mention, each mention once. A document that cannot be
     * read mentions nothing. What nobody mentions would never be removed: it goes now. */
    "INSERT INTO content_use (seq, n)"
    " SELECT c.seq, m.n FROM content AS c JOIN (SELECT hash, count(*) AS n FROM ("
    "  SELECT json_extract(body, '$.code') AS hash FROM spec WHERE json_valid(body)"
    "  UNION ALL SELECT json_extract(body, '$.input') FROM spec WHERE json_valid(body)"
    "   AND json_type(body, '$.input_text') IS NULL" /* else it is kept in the document */
    "  UNION ALL SELECT json_extract(f.value, '$.sha256') FROM spec AS s,"
    "   json_each(CASE WHEN json_valid(s.body) THEN s.body ELSE '{}' END, '$.files') AS f"
    "  UNION ALL SELECT json_extract(body, '$.stdout') FROM result WHERE json_valid(body)"
    "  UNION ALL SELECT json_extract(body, '$.stderr') FROM result WHERE json_valid(body)"
    "  UNION ALL SELECT json_extract(body, '$.output') FROM result WHERE json_valid(body)"
    "  UNION ALL SELECT json_extract(f.value, '$.sha256') FROM result AS r,"
    "   json_each(CASE WHEN json_valid(r.body) THEN r.body ELSE '{}' END, '$.artifacts') AS f"
    " ) GROUP BY hash) AS m ON m.hash = lower(hex(c.sha256));"
    "DELETE FROM content WHERE NOT EXISTS"
    " (SELECT 1 FROM content_use AS u WHERE u.seq = content.seq);",
};

#define SQLITE_SCHEMA_ROW                                                                \
    "SELECT j.id, t.name, j.status, j.priority, j.attempt, j.deaths, j.cancel, j.node,"  \
    " j.created_us, j.run_at_us, j.started_us, j.ended_us, j.failures, j.key, j.parent," \
    " s.body, r.body"                                                                    \
    " FROM job AS j CROSS JOIN type AS t ON t.id = j.type_id"                            \
    " CROSS JOIN spec AS s ON s.seq = j.seq LEFT JOIN result AS r ON r.seq = j.seq "

#define SQLITE_SCHEMA_DEAD                                                                   \
    "SELECT d.id, j.id, t.name, d.error_type, d.error_message, d.retry_count, d.created_us," \
    " d.client_ip, d.correlation_id, d.summary"                                              \
    " FROM dead AS d CROSS JOIN job AS j ON j.seq = d.job"                                   \
    " CROSS JOIN type AS t ON t.id = j.type_id "

#define SQLITE_SCHEMA_VERSION \
    "SELECT type, tag, digest, built_us, built_by, requirements_hash, definition FROM version "

static const char *const sqlite_schema_sql[TAKO__SQL_COUNT] = {
    [TAKO__SQL_BEGIN_WRITE] = "BEGIN IMMEDIATE",
    [TAKO__SQL_BEGIN_READ] = "BEGIN",
    [TAKO__SQL_COMMIT] = "COMMIT",
    [TAKO__SQL_ROLLBACK] = "ROLLBACK",
    [TAKO__SQL_DATA_VERSION] = "PRAGMA data_version",
    [TAKO__SQL_TYPE_FIND] = "SELECT id FROM type WHERE name = ?1",
    [TAKO__SQL_TYPE_ADD] = "INSERT INTO type (name) VALUES (?1)",
    [TAKO__SQL_TYPE_ALL] = "SELECT id FROM type",
    [TAKO__SQL_CONTENT_PUT] = "INSERT OR IGNORE INTO content (sha256, data) VALUES (?1, ?2)",
    [TAKO__SQL_CONTENT_GET] = "SELECT data FROM content WHERE sha256 = ?1",
    [TAKO__SQL_CONTENT_SEQ] = "SELECT seq FROM content WHERE sha256 = ?1",
    /* length() does not read the bytes */
    [TAKO__SQL_CONTENT_FIND] = "SELECT c.seq, length(c.data), ifnull(u.n, 0) FROM content AS c"
                               " LEFT JOIN content_use AS u ON u.seq = c.seq WHERE c.sha256 = ?1",
    [TAKO__SQL_CONTENT_DROP] = "DELETE FROM content WHERE seq = ?1",
    [TAKO__SQL_CONTENT_SWEEP] =
        "DELETE FROM content WHERE seq >= ?1 AND NOT EXISTS"
        " (SELECT 1 FROM content_use AS u WHERE u.seq = content.seq AND u.n > 0)",
    [TAKO__SQL_USE_ADD] = "INSERT INTO content_use (seq, n) VALUES (?1, ?2)"
                          " ON CONFLICT (seq) DO UPDATE SET n = n + ?2",
    [TAKO__SQL_USE_LESS] = "UPDATE content_use SET n = n - 1 WHERE seq = ?1",
    [TAKO__SQL_USE_DROP] = "DELETE FROM content_use WHERE seq = ?1",
    [TAKO__SQL_USE_SWEEP] = "DELETE FROM content_use WHERE seq >= ?1 AND n = 0",
    [TAKO__SQL_JOB_ADD] =
        "INSERT OR IGNORE INTO job (id, type_id, status, priority, attempt, deaths,"
        " cancel, node, created_us, run_at_us, started_us, ended_us, failures, key, parent)"
        " VALUES (?1, ?2, 1, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
    [TAKO__SQL_JOB_DROP] = "DELETE FROM job WHERE seq = ?1",
    [TAKO__SQL_SPEC_ADD] = "INSERT INTO spec (seq, body) VALUES (?1, ?2)",
    [TAKO__SQL_SPEC_DROP] = "DELETE FROM spec WHERE seq = ?1",
    [TAKO__SQL_RESULT_ADD] = "INSERT INTO result (seq, body) VALUES (?1, ?2)",
    [TAKO__SQL_RESULT_DROP] = "DELETE FROM result WHERE seq = ?1",
    [TAKO__SQL_NOTE_ADD] = "INSERT INTO note (job, body, attempt) VALUES (?1, ?2, ?3)",
    [TAKO__SQL_NOTE_DROP] = "DELETE FROM note WHERE job = ?1",
    [TAKO__SQL_NOTE_ALL] = "SELECT body FROM note WHERE job = (SELECT seq FROM job WHERE id = ?1)"
                           " ORDER BY attempt",
    [TAKO__SQL_JOB_FIND] =
        "SELECT seq, type_id, status, priority, attempt, node, run_at_us FROM job"
        " WHERE id = ?1",
    [TAKO__SQL_JOB_CLAIM] =
        "UPDATE job SET status = 2, attempt = attempt + 1, node = ?2, started_us = ?3"
        " WHERE seq = ?1 AND status = 1 AND run_at_us <= ?3",
    [TAKO__SQL_JOB_DUE] = "SELECT run_at_us FROM job WHERE seq = ?1",
    [TAKO__SQL_JOB_FINISH] =
        "UPDATE job SET status = ?2, deaths = ifnull(?3, deaths), run_at_us = ?4,"
        " started_us = ifnull(?5, started_us), ended_us = ?6,"
        " failures = ifnull(?7, failures) WHERE seq = ?1",
    [TAKO__SQL_JOB_ASK_CANCEL] = "UPDATE job SET cancel = 1 WHERE seq = ?1",
    [TAKO__SQL_READY_ADD] = "INSERT INTO ready (type_id, rank, seq) VALUES (?1, ?2, ?3)",
    [TAKO__SQL_READY_DROP] = "DELETE FROM ready WHERE type_id = ?1 AND rank = ?2 AND seq = ?3",
    [TAKO__SQL_READY_NEXT] =
        "SELECT rank, seq FROM ready WHERE type_id = ?1 ORDER BY rank, seq LIMIT ?2",
    [TAKO__SQL_READY_FILL] =
        "INSERT INTO ready (type_id, rank, seq)"
        " SELECT type_id, rank, seq FROM delayed WHERE type_id = ?1 AND run_at_us <= ?2"
        " ORDER BY run_at_us, seq LIMIT ?3",
    [TAKO__SQL_READY_DUE] =
        "SELECT j.run_at_us FROM ready AS r CROSS JOIN job AS j ON j.seq = r.seq"
        " WHERE r.type_id = ?1 ORDER BY r.rank, r.seq LIMIT 1",
    [TAKO__SQL_DELAYED_ADD] =
        "INSERT INTO delayed (type_id, rank, seq, run_at_us) VALUES (?1, ?2, ?3, ?4)",
    [TAKO__SQL_DELAYED_DROP] =
        "DELETE FROM delayed WHERE type_id = ?1 AND run_at_us = ?2 AND seq = ?3",
    [TAKO__SQL_DELAYED_LAST] =
        "SELECT run_at_us, seq FROM delayed WHERE type_id = ?1 AND run_at_us <= ?2"
        " ORDER BY run_at_us, seq LIMIT 1 OFFSET ?3",
    [TAKO__SQL_DELAYED_TRIM] =
        "DELETE FROM delayed WHERE type_id = ?1 AND (run_at_us, seq) <= (?2, ?3)",
    [TAKO__SQL_DELAYED_DUE] =
        "SELECT run_at_us FROM delayed WHERE type_id = ?1 ORDER BY run_at_us LIMIT 1",
    [TAKO__SQL_TALLY_ADD] =
        "UPDATE tally SET queued = queued + ?1, running = running + ?2 WHERE one = 1",
    [TAKO__SQL_TALLY_GET] = "SELECT queued, running FROM tally WHERE one = 1",
    [TAKO__SQL_NODE_PUT] =
        "INSERT OR REPLACE INTO node (id, identity, expires_us) VALUES (?1, ?2, ?3)",
    [TAKO__SQL_NODE_DROP] = "DELETE FROM node WHERE id = ?1",
    [TAKO__SQL_NODE_ALL] = "SELECT id, identity, expires_us FROM node",
    [TAKO__SQL_ROW_BY_ID] = SQLITE_SCHEMA_ROW "WHERE j.id = ?1",
    [TAKO__SQL_ROW_BY_SEQ] = SQLITE_SCHEMA_ROW "WHERE j.seq = ?1",
    [TAKO__SQL_ROW_BY_KEY] = SQLITE_SCHEMA_ROW "WHERE j.key = ?1",
    [TAKO__SQL_ROWS_HELD] = SQLITE_SCHEMA_ROW "WHERE j.status = 2 AND j.node = ?1",
    [TAKO__SQL_ROWS_CANCELLED] = SQLITE_SCHEMA_ROW
    "WHERE j.status = 2 AND j.node = ?1 AND j.cancel = 1",
    [TAKO__SQL_LIST] = "SELECT created_us, id, seq FROM job WHERE type_id = ?1 AND status = ?2"
                       " AND created_us >= ?3 AND (created_us, id) < (?4, ?5)"
                       " ORDER BY created_us DESC, id DESC LIMIT ?6",
    [TAKO__SQL_LIST_CHILDREN] =
        "SELECT created_us, id, seq FROM job WHERE type_id = ?1 AND status = ?2"
        " AND created_us >= ?3 AND (created_us, id) < (?4, ?5) AND parent = ?7"
        " ORDER BY created_us DESC, id DESC LIMIT ?6",
    [TAKO__SQL_EXPIRED] = "SELECT created_us, seq FROM job WHERE type_id = ?1 AND status = ?2"
                          " AND created_us < ?3 ORDER BY created_us LIMIT ?4",
    [TAKO__SQL_CURSOR] = "SELECT created_us FROM job WHERE id = ?1",
    [TAKO__SQL_DEAD_ADD] =
        "INSERT INTO dead (job, error_type, error_message, retry_count, created_us,"
        " client_ip, correlation_id, summary) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    [TAKO__SQL_DEAD_LIST] = SQLITE_SCHEMA_DEAD "WHERE d.id < ?1 ORDER BY d.id DESC LIMIT ?2",
    [TAKO__SQL_DEAD_LIST_TYPE] = SQLITE_SCHEMA_DEAD
    "WHERE d.error_type = ?3 AND d.id < ?1 ORDER BY d.id DESC LIMIT ?2",
    [TAKO__SQL_DEAD_LIST_OLD] = SQLITE_SCHEMA_DEAD
    "WHERE d.created_us < ?1 ORDER BY d.created_us, d.id LIMIT ?2",
    [TAKO__SQL_DEAD_GET] = SQLITE_SCHEMA_DEAD "WHERE d.id = ?1",
    [TAKO__SQL_DEAD_HOLD] = "UPDATE job SET status = status + 8 WHERE seq = ?1",
    /* its job: retention may meet it again */
    [TAKO__SQL_DEAD_FREE] = "UPDATE job SET status = status - 8 WHERE seq ="
                            " (SELECT job FROM dead WHERE id = ?1)",
    [TAKO__SQL_DEAD_DROP] = "DELETE FROM dead WHERE id = ?1",
    [TAKO__SQL_DEAD_MORE] = "INSERT INTO dead_tally (error_type, n) VALUES (?1, 1)"
                            " ON CONFLICT (error_type) DO UPDATE SET n = n + 1",
    [TAKO__SQL_DEAD_LESS] = "UPDATE dead_tally SET n = n - 1 WHERE error_type ="
                            " (SELECT error_type FROM dead WHERE id = ?1)",
    [TAKO__SQL_DEAD_COUNT] =
        "SELECT error_type, n FROM dead_tally WHERE n > 0 ORDER BY n DESC, error_type",
    [TAKO__SQL_VERSION_PUT] =
        "INSERT INTO version (type, digest, tag, built_us, built_by, requirements_hash,"
        " definition) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"
        " ON CONFLICT (type, digest) DO UPDATE SET tag = excluded.tag,"
        " built_us = excluded.built_us, built_by = excluded.built_by,"
        " requirements_hash = excluded.requirements_hash, definition = excluded.definition",
    [TAKO__SQL_VERSIONS_OF] = SQLITE_SCHEMA_VERSION
    "WHERE type = ?1 ORDER BY built_us DESC, digest",
    [TAKO__SQL_VERSIONS] = SQLITE_SCHEMA_VERSION "ORDER BY built_us DESC, digest, type",
};

const char *tako__sqlite_sql(enum tako__sqlite_sql which)
{
    return sqlite_schema_sql[which];
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
