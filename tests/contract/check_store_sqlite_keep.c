/* check_store_sqlite_keep.c - what the SQLite store keeps: over a reopen, between processes, without
 * reading more than asked, and from files of schema version 1.
 * SPDX-License-Identifier: MIT */
#include "store_sqlite_cases.h"

#include <sqlite3.h>

#define KEPT_HASH "00ff00000000000000000000000000000000000000000000000000000000abcd"

static int kept_text(void *ctx, const void *data, size_t len)
{
    char *text = ctx;

    snprintf(text + strlen(text), 256 - strlen(text), "%.*s;", (int)len, (const char *)data);
    return 0;
}

static int kept_dead(void *ctx, const tako_dead *dead)
{
    *(int64_t *)ctx = dead->id;
    return 0;
}

static int kept_version(void *ctx, const tako_version_info *v)
{
    return kept_text(ctx, v->definition, v->definition_len);
}

START_TEST(what_is_kept_beside_jobs_survives_a_reopen)
{
    const char *refs[] = {KEPT_HASH};
    tako_version_info v = {sizeof v, "t", "tag", KEPT_HASH, 5, "config", KEPT_HASH, "{\"v\":1}", 7};
    tako_blob blob = {KEPT_HASH, "bytes", 5};
    tako_removal removal = {sizeof removal, "a", refs, 1};
    tako_row row = a_row("a", "t", 0, 1000, 1000);
    tako_dead_filter all = TAKO_DEAD_FILTER_INIT;
    struct seen seen = {NULL, 0, 0};
    int64_t first = 0, second = 0;
    char text[256] = "";
    tako_finish f;
    tako_dead dead;
    struct box b;
    int result;

    box_open_file(&b);
    memset(&dead, 0, sizeof dead);
    dead.error_type = "other";
    dead.error_message = dead.summary = "{}";
    row.key = "a-key-of-it";
    row.parent = "parent";
    row.refs = refs;
    row.n_refs = 1;
    MUST(b.ops->begin(b.self, err));
    MUST(b.ops->put_blobs(b.self, &blob, 1, err));
    MUST(b.ops->insert(b.self, &row, 1, &result, err));
    MUST(b.ops->put_version(b.self, &v, err));
    MUST(b.ops->commit(b.self, err));
    claim_jobs(&b, "n", one_type("t"), 1, 2000, &seen);
    f = an_end("a", 1, "n", TAKO_QUEUED);
    f.result = "note";
    f.result_len = 4;
    f.failures = 1;
    ck_assert_int_eq(finish_job(&b, &f), TAKO_OK);
    claim_jobs(&b, "n", one_type("t"), 1, 2000, &seen);
    f = an_end("a", 2, "n", TAKO_FAILED);
    f.failures = 2;
    f.dead = &dead;
    ck_assert_int_eq(finish_job(&b, &f), TAKO_OK);
    MUST(b.ops->list_dead(b.self, &all, 0, kept_dead, &first, err));
    reopen(&b);
    ck_assert_int_eq(get_job(&b, "a").failures, 2);
    ck_assert_str_eq(get_job(&b, "a").key, "a-key-of-it");
    ck_assert_str_eq(get_job(&b, "a").parent, "parent");
    MUST(b.ops->history(b.self, "a", kept_text, text, err));
    MUST(b.ops->versions(b.self, "t", kept_version, text, err));
    MUST(b.ops->get_blob(b.self, KEPT_HASH, 1, 3, kept_text, text, err));
    ck_assert_str_eq(text, "note;{\"v\":1};yte;");
    MUST(b.ops->get_dead(b.self, first, kept_dead, &second, err));
    ck_assert_int_eq(first, second);
    MUST(b.ops->begin(b.self, err));
    MUST(b.ops->drop_dead(b.self, &first, 1, &result, err));
    MUST(b.ops->purge(b.self, &removal, 1, &result, err));
    MUST(b.ops->commit(b.self, err));
    ck_assert_int_eq(result, TAKO_OK);
    reopen(&b);
    ck_assert_int_eq(b.ops->get_blob(b.self, KEPT_HASH, 0, 9, kept_text, text, NULL),
                     TAKO_ENOTFOUND);
    row.refs = NULL; /* the key is free, and the number of a dead letter is not given again */
    row.n_refs = 0;
    add_row(&b, &row);
    claim_jobs(&b, "n", one_type("t"), 1, 2000, &seen);
    f.attempt = 1;
    ck_assert_int_eq(finish_job(&b, &f), TAKO_OK);
    MUST(b.ops->list_dead(b.self, &all, 0, kept_dead, &second, err));
    ck_assert_int_gt(second, first);
    seen_clear(&seen);
    box_close(&b);
}
END_TEST

static int kept_length(void *ctx, const void *data, size_t len)
{
    (void)data;
    *(size_t *)ctx += len;
    return 0;
}

START_TEST(a_part_of_content_is_read_without_the_rest)
{
    enum { BIG = 48 * 1024 * 1024, PART = 65536 };
    const char *refs[] = {KEPT_HASH};
    tako_row row = a_row("a", "t", 0, 1000, 1000);
    tako_blob blob = {KEPT_HASH, NULL, BIG};
    char *data = calloc(1, BIG);
    sqlite3_int64 before;
    size_t got = 0;
    struct box b;
    int result, i;

    blob.data = data;
    row.refs = refs;
    row.n_refs = 1;
    box_open_file(&b);
    MUST(b.ops->begin(b.self, err));
    MUST(b.ops->put_blobs(b.self, &blob, 1, err));
    MUST(b.ops->insert(b.self, &row, 1, &result, err));
    MUST(b.ops->commit(b.self, err));
    free(data);
    reopen(&b); /* with empty caches */
    before = sqlite3_memory_used();
    (void)sqlite3_memory_highwater(1);
    for (i = 0; i < 8; i++)
        MUST(
            b.ops->get_blob(b.self, KEPT_HASH, (int64_t)i * 6000000, PART, kept_length, &got, err));
    ck_assert_uint_eq(got, 8 * PART);
    ck_assert_int_lt(sqlite3_memory_highwater(0) - before, 16 * 1024 * 1024); /* its page cache */
    box_close(&b);
}
END_TEST

START_TEST(one_key_inserted_by_several_processes_at_once_is_one_row)
{
    enum { PROCESSES = 4, KEYS = 60 };
    int gate[2], out[2], i, k, winners[KEYS];
    pid_t pids[PROCESSES];
    struct seen seen = {NULL, 0, 0};
    char id[32], key[32];
    struct box b;

    box_open_file(&b);
    b.ops->close(b.self);
    ck_assert_int_eq(pipe(gate), 0);
    ck_assert_int_eq(pipe(out), 0);
    for (i = 0; i < PROCESSES; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            struct box mine;
            int result = 1;
            char byte;

            close(gate[1]);
            if (child_open(&mine, b.uri) != TAKO_OK || read(gate[0], &byte, 1) != 0)
                _exit(9);
            for (k = 0; k < KEYS; k++) {
                tako_row row;

                snprintf(id, sizeof id, "p%d-%d", i, k);
                snprintf(key, sizeof key, "the-key-%d", k);
                row = a_row(id, "t", 0, 1000, 1000);
                row.key = key;
                if (mine.ops->begin(mine.self, NULL) != TAKO_OK ||
                    mine.ops->insert(mine.self, &row, 1, &result, NULL) != TAKO_OK ||
                    mine.ops->commit(mine.self, NULL) != TAKO_OK)
                    _exit(8);
                if (result == TAKO_OK && write(out[1], &k, sizeof k) != sizeof k)
                    _exit(7);
                if (result != TAKO_OK && result != TAKO_ECONFLICT)
                    _exit(6);
            }
            mine.ops->close(mine.self);
            _exit(0);
        }
    }
    close(gate[0]);
    close(gate[1]); /* go */
    close(out[1]);
    memset(winners, 0, sizeof winners);
    while (read(out[0], &k, sizeof k) == sizeof k)
        winners[k]++;
    close(out[0]);
    for (i = 0; i < PROCESSES; i++)
        expect_exit(pids[i], 0);
    MUST(b.ops->open(&b.self, b.uri, cases_host(), err));
    expect_count(&b, KEYS, 0);
    for (k = 0; k < KEYS; k++) {
        ck_assert_int_eq(winners[k], 1);
        snprintf(key, sizeof key, "the-key-%d", k);
        seen_clear(&seen);
        MUST(b.ops->find_key(b.self, key, seen_add, &seen, err));
        ck_assert_uint_eq(seen.n, 1);
    }
    seen_clear(&seen);
    box_close(&b);
}
END_TEST

/* ---- files of version 1 ------------------------------------------------------------------- */

/* The whole schema as version 1 had it. */
static const char migrate_schema[] =
    "PRAGMA journal_mode = WAL;"
    "CREATE TABLE type ( id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;"
    "CREATE TABLE job ( seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE,"
    " type_id INTEGER NOT NULL, status INTEGER NOT NULL, priority INTEGER NOT NULL,"
    " attempt INTEGER NOT NULL, deaths INTEGER NOT NULL, cancel INTEGER NOT NULL,"
    " node TEXT NOT NULL, created_us INTEGER NOT NULL, run_at_us INTEGER NOT NULL,"
    " started_us INTEGER NOT NULL, ended_us INTEGER NOT NULL) STRICT;"
    "CREATE INDEX job_list ON job (type_id, status, created_us, id);"
    "CREATE INDEX job_held ON job (node, cancel) WHERE status = 2;"
    "CREATE TABLE spec (seq INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT;"
    "CREATE TABLE result (seq INTEGER PRIMARY KEY, body TEXT NOT NULL) STRICT;"
    "CREATE TABLE ready ( type_id INTEGER NOT NULL, rank INTEGER NOT NULL,"
    " seq INTEGER NOT NULL, PRIMARY KEY (type_id, rank, seq)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE delayed ( type_id INTEGER NOT NULL, run_at_us INTEGER NOT NULL,"
    " seq INTEGER NOT NULL, rank INTEGER NOT NULL,"
    " PRIMARY KEY (type_id, run_at_us, seq)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE node ( id TEXT PRIMARY KEY NOT NULL, identity TEXT NOT NULL,"
    " expires_us INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE tally ( one INTEGER PRIMARY KEY CHECK (one = 1), queued INTEGER NOT NULL,"
    " running INTEGER NOT NULL) STRICT;"
    "INSERT INTO tally VALUES (1, 0, 0);"
    "CREATE TABLE blob ( seq INTEGER PRIMARY KEY, sha256 BLOB NOT NULL UNIQUE,"
    " data BLOB NOT NULL) STRICT;"
    "PRAGMA application_id = 1415670639; PRAGMA user_version = 1;";

/* Content is named by one digit, 64 times: here and in what is expected. */
#define MIGRATE_HASH(d) d d d d d d d d d d d d d d d d
#define MIGRATE_A MIGRATE_HASH("aaaa")
#define MIGRATE_B MIGRATE_HASH("bbbb")
#define MIGRATE_C MIGRATE_HASH("cccc")
#define MIGRATE_D MIGRATE_HASH("dddd")
#define MIGRATE_E MIGRATE_HASH("eeee")
#define MIGRATE_F MIGRATE_HASH("ffff")
#define MIGRATE_1 MIGRATE_HASH("1111")
#define MIGRATE_2 MIGRATE_HASH("2222")
#define MIGRATE_BLOB(hash) "INSERT INTO blob (sha256, data) VALUES (X'" hash "', X'00" hash "');"
#define MIGRATE_FILE(hash) "{\"name\":\"f" hash "\",\"bytes\":33,\"sha256\":\"" hash "\"}"
#define MIGRATE_LIMITS ",\"timeout_ms\":30000,\"memory_bytes\":67108864}"

static const char *const migrate_rows[] = {
    "INSERT INTO type VALUES (1, 'default'), (2, 'handler');"
    "INSERT INTO job VALUES (1, 'waits', 1, 1, 5, 0, 0, 0, '', 1000, 1000, 0, 0);"
    "INSERT INTO ready VALUES (1, -5, 1);"
    "INSERT INTO spec VALUES (1, '{\"code\":\"" MIGRATE_A "\",\"input\":\"" MIGRATE_B
    "\",\"files\":[" MIGRATE_FILE(
        MIGRATE_C) "]" MIGRATE_LIMITS "');"
                   "INSERT INTO job VALUES (2, 'runs', 1, 2, 0, 1, 1, 1, 'n', 1001, 1001, 2000, 0);"
                   "INSERT INTO spec VALUES (2, '{\"code\":\"" MIGRATE_A "\",\"input\":\"" MIGRATE_D
                   "\",\"input_text\":\"{}\"" MIGRATE_LIMITS "');"
                   "INSERT INTO job VALUES (3, 'done', 1, 3, 0, 1, 0, 0, 'n', 1002, 1002, 2000, "
                   "3000);"
                   "INSERT INTO spec VALUES (3, '{\"code\":\"" MIGRATE_A "\",\"input\":\"" MIGRATE_D
                   "\",\"input_text\":\"{}\",\"files\":[" MIGRATE_FILE(MIGRATE_C) "," MIGRATE_FILE(
                       MIGRATE_C) "]" MIGRATE_LIMITS "');"
                                  "INSERT INTO result VALUES (3, "
                                  "'{\"verdict\":\"exit\",\"exit_code\":0,\"stdout\":\"" MIGRATE_E
                                  "\",\"output\":\"" MIGRATE_F
                                  "\",\"artifacts\":[" MIGRATE_FILE(MIGRATE_F) "," MIGRATE_FILE(
                                      MIGRATE_A) "],\"rejected\":[{\"name\":\"x\",\"bytes\":1,"
                                                 "\"reason\":\"y\"}]}');",
    "INSERT INTO job VALUES (4, 'failed', 1, 4, 0, 1, 0, 0, 'n', 1003, 1003, 2000, 3000);"
    "INSERT INTO spec VALUES (4, '{\"code\":\"" MIGRATE_1 "\"" MIGRATE_LIMITS "');"
    "INSERT INTO result VALUES (4, '{\"verdict\":\"exit\",\"stderr\":\"" MIGRATE_E "\"}');"
    "INSERT INTO job VALUES (5, 'cancelled', 2, 7, 0, 0, 0, 0, '', 1004, 1004, 0, 3000);"
    "INSERT INTO spec VALUES (5, '{\"input\":\"" MIGRATE_D "\",\"input_text\":\"{}\"" MIGRATE_LIMITS
    "');"
    "INSERT INTO result VALUES (5, '{\"verdict\":\"none\"}');"
    "INSERT INTO job VALUES (6, 'damaged', 1, 5, 0, 1, 0, 0, 'n', 1005, 1005, 2000, 3000);"
    "INSERT INTO spec VALUES (6, '{\"code\":\"" MIGRATE_B "');"
    "INSERT INTO result VALUES (6, '');"
    "INSERT INTO job VALUES (7, 'later', 2, 1, 0, 0, 0, 0, '', 1006, 9000, 0, 0);"
    "INSERT INTO delayed VALUES (2, 9000, 7, 0);"
    "INSERT INTO spec VALUES (7, '{\"input\":\"" MIGRATE_B "\"" MIGRATE_LIMITS "');"
    "INSERT INTO job VALUES (8, 'oom', 2, 6, 0, 1, 0, 0, 'n', 1007, 1007, 2000, 3000);"
    "INSERT INTO spec VALUES (8, '{\"input\":\"" MIGRATE_B "\"" MIGRATE_LIMITS "');"
    "UPDATE tally SET queued = 2, running = 1;"
    "INSERT INTO node VALUES ('n', 'boot:1', 77);" MIGRATE_BLOB(MIGRATE_A) MIGRATE_BLOB(MIGRATE_B)
        MIGRATE_BLOB(MIGRATE_C) MIGRATE_BLOB(MIGRATE_D) MIGRATE_BLOB(MIGRATE_E)
            MIGRATE_BLOB(MIGRATE_F) MIGRATE_BLOB(MIGRATE_1) MIGRATE_BLOB(MIGRATE_2)};

/* A closed box with a file of version 1. */
static void migrate_make(struct box *b)
{
    sqlite3 *db = NULL;

    memset(b, 0, sizeof *b);
    b->ops = tako_store_sqlite();
    cases_make_dir(b->dir);
    snprintf(b->uri, sizeof b->uri, "sqlite:%s/jobs.db", b->dir);
    ck_assert_int_eq(sqlite3_open(b->uri + 7, &db), SQLITE_OK);
    ck_assert_msg(sqlite3_exec(db, migrate_schema, NULL, NULL, NULL) == SQLITE_OK &&
                      sqlite3_exec(db, migrate_rows[0], NULL, NULL, NULL) == SQLITE_OK &&
                      sqlite3_exec(db, migrate_rows[1], NULL, NULL, NULL) == SQLITE_OK,
                  "%s", sqlite3_errmsg(db));
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}

/* "a4 b3 ...": first digit of each hash, and how often it is used. */
static void migrate_expect_uses(const struct box *b, const char *expected)
{
    char text[256] = "";
    sqlite3_stmt *st = NULL;
    sqlite3 *db = NULL;

    ck_assert_int_eq(sqlite3_open(b->uri + 7, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_prepare_v2(db,
                                        "SELECT group_concat(substr(lower(hex(c.sha256)), 1, 1)"
                                        " || ifnull(u.n, '-'), ' ') FROM content AS c"
                                        " LEFT JOIN content_use AS u ON u.seq = c.seq"
                                        " UNION ALL SELECT integrity_check"
                                        " FROM pragma_integrity_check",
                                        -1, &st, NULL),
                     SQLITE_OK);
    while (sqlite3_step(st) == SQLITE_ROW)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s;",
                 (const char *)sqlite3_column_text(st, 0));
    sqlite3_finalize(st);
    sqlite3_close(db);
    ck_assert_str_eq(text, expected);
}

static int migrate_purge(struct box *b, const char *id, const char *const *refs, size_t n)
{
    tako_removal item = {sizeof item, id, refs, n};
    int result = 1;

    MUST(b->ops->begin(b->self, err));
    MUST(b->ops->purge(b->self, &item, 1, &result, err));
    MUST(b->ops->commit(b->self, err));
    return result;
}

START_TEST(a_file_of_version_1_is_taken_over_with_all_its_jobs)
{
    static const char *const ids[] = {"waits",     "runs",    "done",  "failed",
                                      "cancelled", "damaged", "later", "oom"};
    static const tako_status statuses[] = {TAKO_QUEUED, TAKO_RUNNING,   TAKO_SUCCEEDED,
                                           TAKO_FAILED, TAKO_CANCELLED, TAKO_TIMEOUT,
                                           TAKO_QUEUED, TAKO_OOM};
    static const char *const done[] = {MIGRATE_A, MIGRATE_C, MIGRATE_C, MIGRATE_E,
                                       MIGRATE_F, MIGRATE_F, MIGRATE_A};
    static const char *const failed[] = {MIGRATE_1, MIGRATE_E};
    tako_filter f = TAKO_FILTER_INIT;
    struct seen seen = {NULL, 0, 0};
    struct bytes got = {NULL, 0};
    struct seen_row row;
    struct box b;
    size_t i;

    migrate_make(&b);
    MUST(b.ops->open(&b.self, b.uri, cases_host(), err));
    migrate_expect_uses(&b, "11 a4 b3 c3 e2 f2;ok;");
    expect_count(&b, 2, 1);
    for (i = 0; i < 8; i++) {
        row = get_job(&b, ids[i]);
        ck_assert_str_eq(row.id, ids[i]);
        ck_assert_int_eq(row.status, statuses[i]);
        ck_assert_int_eq(row.failures, 0);
        ck_assert_str_eq(row.key, "-");
        ck_assert_str_eq(row.parent, "-");
        ck_assert_int_eq(row.created_us, 1000 + (int64_t)i);
    }
    MUST(b.ops->list(b.self, &f, seen_add, &seen, err));
    expect_ids(&seen, "oom later damaged cancelled failed done runs waits");
    seen_clear(&seen);
    MUST(b.ops->get_blob(b.self, MIGRATE_C, 1, 2, take_bytes, &got, err));
    ck_assert_uint_eq(got.len, 2);
    ck_assert_mem_eq(got.data, "\xcc\xcc", 2);
    free(got.data);
    MUST(b.ops->cancel_requests(b.self, "n", seen_add, &seen, err));
    expect_ids(&seen, "runs");
    seen_clear(&seen);
    MUST(b.ops->expired(b.self, 1006, 10, seen_add, &seen, err));
    expect_ids(&seen, "done failed cancelled damaged");
    seen_clear(&seen);
    ck_assert_int_eq(migrate_purge(&b, "done", done, 7), TAKO_OK);
    migrate_expect_uses(&b, "11 a2 b3 c1 e1;ok;");
    ck_assert_int_eq(migrate_purge(&b, "failed", failed, 2), TAKO_OK);
    migrate_expect_uses(&b, "a2 b3 c1;ok;");
    claim_jobs(&b, "n", one_type("default"), 5, 5000, &seen);
    expect_ids(&seen, "waits");
    claim_jobs(&b, "n", one_type("handler"), 5, 9000, &seen);
    expect_ids(&seen, "later");
    seen_clear(&seen);
    reopen(&b); /* a second time there is nothing to do */
    migrate_expect_uses(&b, "a2 b3 c1;ok;");
    expect_count(&b, 0, 3);
    box_close(&b);
}
END_TEST

START_TEST(an_empty_file_of_version_1_is_taken_over)
{
    sqlite3 *db = NULL;
    struct box b;

    memset(&b, 0, sizeof b);
    b.ops = tako_store_sqlite();
    cases_make_dir(b.dir);
    snprintf(b.uri, sizeof b.uri, "sqlite:%s/jobs.db", b.dir);
    ck_assert_int_eq(sqlite3_open(b.uri + 7, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, migrate_schema, NULL, NULL, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
    MUST(b.ops->open(&b.self, b.uri, cases_host(), err));
    add_job(&b, "a", "t", 0);
    expect_count(&b, 1, 0);
    box_close(&b);
}
END_TEST

START_TEST(processes_that_take_over_one_file_together_all_succeed)
{
    enum { PROCESSES = 6 };
    pid_t pids[PROCESSES];
    struct box b;
    int i, gate[2];

    migrate_make(&b);
    ck_assert_int_eq(pipe(gate), 0);
    for (i = 0; i < PROCESSES; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            struct box mine;
            char byte;

            close(gate[1]);
            if (read(gate[0], &byte, 1) != 0 || child_open(&mine, b.uri) != TAKO_OK)
                _exit(9);
            mine.ops->close(mine.self);
            _exit(0);
        }
    }
    close(gate[0]);
    close(gate[1]); /* go */
    for (i = 0; i < PROCESSES; i++)
        expect_exit(pids[i], 0);
    migrate_expect_uses(&b, "11 a4 b3 c3 e2 f2;ok;");
    MUST(b.ops->open(&b.self, b.uri, cases_host(), err));
    box_close(&b);
}
END_TEST

Suite *suite_store_sqlite_keep(void);
Suite *suite_store_sqlite_keep(void)
{
    Suite *s = suite_create("store_sqlite_keep");
    TCase *c = tcase_create("sqlite");

    tcase_set_timeout(c, 60);
    tcase_add_test(c, what_is_kept_beside_jobs_survives_a_reopen);
    tcase_add_test(c, a_part_of_content_is_read_without_the_rest);
    tcase_add_test(c, one_key_inserted_by_several_processes_at_once_is_one_row);
    tcase_add_test(c, a_file_of_version_1_is_taken_over_with_all_its_jobs);
    tcase_add_test(c, an_empty_file_of_version_1_is_taken_over);
    tcase_add_test(c, processes_that_take_over_one_file_together_all_succeed);
    suite_add_tcase(s, c);
    return s;
}
