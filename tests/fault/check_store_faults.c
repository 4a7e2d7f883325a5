/* check_store_faults.c - the SQLite store's counts of content under load, kill -9 and want of memory:
 * what a row refers to is there, what none refers to is not, and every number is exact. Rows tell
 * in their documents what they refer to, so that SQL can count again.
 * SPDX-License-Identifier: MIT */
#include "../contract/store_cases.h"
#include "../support/fault_alloc.h"

#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <sys/wait.h>

enum { POOL = 24, REFS = 4 };

static void faults_make(struct box *b)
{
    box_open_file(b);
    b->ops->close(b->self);
    b->self = NULL;
}

static int faults_open(struct box *b, const struct box *of)
{
    *b = *of;
    return b->ops->open(&b->self, b->uri, cases_host(), NULL);
}

/* ---- what is true at any time ------------------------------------------------------------- */

/* Each is the number of violations. */
static const char *const faults_rules[] = {
    "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'",
    /* counts against a count anew of what the documents say */
    "WITH said (hash, n) AS (SELECT hash, count(*) FROM ("
    " SELECT value AS hash FROM spec AS s, json_each(s.body, '$.refs')"
    " UNION ALL SELECT value FROM result AS r, json_each(r.body, '$.refs')) GROUP BY hash),"
    " kept (hash, n) AS (SELECT lower(hex(c.sha256)), u.n FROM content AS c"
    " JOIN content_use AS u ON u.seq = c.seq)"
    " SELECT count(*) FROM (SELECT hash, n FROM (SELECT * FROM said EXCEPT SELECT * FROM kept)"
    " UNION ALL SELECT hash, n FROM (SELECT * FROM kept EXCEPT SELECT * FROM said))",
    "SELECT count(*) FROM content WHERE seq NOT IN (SELECT seq FROM content_use)",
    "SELECT count(*) FROM content_use WHERE n < 1 OR seq NOT IN (SELECT seq FROM content)",
    "SELECT count(*) FROM job WHERE seq NOT IN (SELECT seq FROM spec)",
    "SELECT count(*) FROM spec WHERE seq NOT IN (SELECT seq FROM job)",
    "SELECT count(*) FROM result WHERE seq NOT IN (SELECT seq FROM job WHERE status >= 3)",
    "SELECT count(*) FROM note WHERE job NOT IN (SELECT seq FROM job)",
    "SELECT count(*) FROM dead WHERE job NOT IN (SELECT seq FROM job WHERE status > 8)",
    "SELECT count(*) FROM job WHERE status > 8 AND seq NOT IN (SELECT job FROM dead)",
    "SELECT count(*) FROM dead_tally AS t WHERE n <>"
    " (SELECT count(*) FROM dead AS d WHERE d.error_type = t.error_type)",
    "SELECT count(*) FROM dead WHERE error_type NOT IN (SELECT error_type FROM dead_tally)",
    "SELECT count(*) FROM tally WHERE queued <> (SELECT count(*) FROM job WHERE status = 1)"
    " OR running <> (SELECT count(*) FROM job WHERE status = 2)",
    "SELECT abs((SELECT count(*) FROM ready) + (SELECT count(*) FROM delayed)"
    " - (SELECT queued FROM tally))",
};

static int64_t faults_number(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *st = NULL;
    int64_t n = -1;

    ck_assert_msg(sqlite3_prepare_v2(db, sql, -1, &st, NULL) == SQLITE_OK, "%s",
                  sqlite3_errmsg(db));
    if (sqlite3_step(st) == SQLITE_ROW)
        n = sqlite3_column_int64(st, 0);
    sqlite3_finalize(st);
    return n;
}

static void faults_recount(const struct box *b)
{
    sqlite3 *db = NULL;
    size_t i;

    ck_assert_int_eq(sqlite3_open(b->uri + 7, &db), SQLITE_OK);
    (void)sqlite3_busy_timeout(db, 10000);
    for (i = 0; i < sizeof faults_rules / sizeof faults_rules[0]; i++)
        ck_assert_msg(faults_number(db, faults_rules[i]) == 0, "%lld violations of: %s",
                      (long long)faults_number(db, faults_rules[i]), faults_rules[i]);
    ck_assert_int_eq(sqlite3_close(db), SQLITE_OK);
}

/* ---- rows that say what they refer to ------------------------------------------------------ */

struct faults_refs {
    char hash[REFS][65];
    const char *list[REFS];
    tako_blob blobs[REFS];
    size_t n;
    char text[REFS * 70 + 20]; /* the document */
};

static unsigned faults_random(unsigned *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static void faults_pick(struct faults_refs *r, unsigned *seed)
{
    size_t i;

    r->n = faults_random(seed) % (REFS + 1);
    snprintf(r->text, sizeof r->text, "{\"refs\":[");
    for (i = 0; i < r->n; i++) {
        snprintf(r->hash[i], sizeof r->hash[i], "%064x", faults_random(seed) % POOL + 1);
        r->list[i] = r->hash[i];
        r->blobs[i] = (tako_blob){r->hash[i], r->hash[i], 64}; /* its bytes are its name */
        snprintf(r->text + strlen(r->text), sizeof r->text - strlen(r->text), "%s\"%s\"",
                 i > 0 ? "," : "", r->hash[i]);
    }
    snprintf(r->text + strlen(r->text), sizeof r->text - strlen(r->text), "]}");
}

/* Adds what a document refers to. */
static void faults_read(const char *text, size_t len, char hashes[][65], size_t *n)
{
    const char *at = text;

    while (at != NULL && (at = strchr(at, '"')) != NULL && at + 66 <= text + len) {
        if (at[65] == '"') {
            memcpy(hashes[*n], at + 1, 64);
            hashes[(*n)++][64] = '\0';
            at += 65;
        }
        at++;
    }
}

static int faults_same(void *ctx, const void *data, size_t len)
{
    return len == 64 && memcmp(data, ctx, 64) == 0 ? 0 : 9;
}

struct faults_job {
    char id[65], hashes[2 * REFS][65];
    size_t n;
};
struct faults_jobs {
    struct faults_job all[64];
    size_t n;
};

static int faults_keep(void *ctx, const tako_row *row)
{
    struct faults_jobs *jobs = ctx;
    struct faults_job *job = &jobs->all[jobs->n++];

    job->n = 0;
    snprintf(job->id, sizeof job->id, "%s", row->id);
    faults_read(row->spec, row->spec_len, job->hashes, &job->n);
    if (row->result != NULL)
        faults_read(row->result, row->result_len, job->hashes, &job->n);
    return jobs->n == 64 ? 7 : 0;
}

/* ---- the three kinds of work, each one transaction; the first failure's code ---------------- */

static int faults_insert(struct box *b, const char *id, unsigned *seed)
{
    tako_row row = a_row(id, "t", 0, 1000, 1000);
    struct faults_refs r;
    int result = 1, rc;

    faults_pick(&r, seed);
    row.spec = r.text;
    row.spec_len = strlen(r.text);
    row.key = faults_random(seed) % 2 ? id : NULL;
    row.parent = faults_random(seed) % 2 ? "parent" : NULL;
    row.refs = r.list;
    row.n_refs = r.n;
    rc = b->ops->begin(b->self, NULL);
    if (rc != TAKO_OK)
        return rc;
    rc = b->ops->put_blobs(b->self, r.blobs, r.n, NULL);
    if (rc == TAKO_OK)
        rc = b->ops->insert(b->self, &row, 1, &result, NULL);
    if (rc == TAKO_OK)
        return b->ops->commit(b->self, NULL);
    b->ops->rollback(b->self);
    return rc;
}

struct faults_claimed {
    char id[65];
    int attempt;
};

static int faults_claim(void *ctx, const tako_row *row)
{
    struct faults_claimed *c = ctx;

    snprintf(c->id, sizeof c->id, "%s", row->id);
    c->attempt = row->attempt;
    return 0;
}

/* Claims one and ends it, all in one transaction: back to the queue, well, or with a dead letter. */
static int faults_end(struct box *b, unsigned *seed)
{
    const char *const types[] = {"t", NULL};
    tako_claim what = {sizeof what, "n", types, 1, 5000};
    struct faults_claimed got = {"", 0};
    tako_dead dead = {sizeof dead, 0, NULL, NULL, "other", "m", 0, 1, NULL, NULL, "{}"};
    struct faults_refs r;
    unsigned way = faults_random(seed) % 8;
    tako_finish f;
    int result, rc;

    faults_pick(&r, seed);
    rc = b->ops->begin(b->self, NULL);
    if (rc != TAKO_OK)
        return rc;
    rc = b->ops->claim(b->self, &what, faults_claim, &got, NULL);
    if (rc == TAKO_OK && got.attempt > 0) {
        f = an_end(got.id, got.attempt, "n", way == 0 ? TAKO_QUEUED : TAKO_FAILED);
        f.result = way == 0 ? "{\"note\":1}" : r.text;
        f.result_len = strlen(f.result);
        f.dead = way == 1 ? &dead : NULL;
        if (way > 0) {
            f.refs = r.list;
            f.n_refs = r.n;
            rc = b->ops->put_blobs(b->self, r.blobs, r.n, NULL);
        }
        if (rc == TAKO_OK)
            rc = b->ops->finish(b->self, &f, 1, &result, NULL);
    }
    if (rc == TAKO_OK)
        return b->ops->commit(b->self, NULL);
    b->ops->rollback(b->self);
    return rc;
}

static int faults_drop(void *ctx, const tako_dead *dead)
{
    *(int64_t *)ctx = dead->id;
    return 0;
}

/* A small batch of the oldest goes, and one dead letter. */
static int faults_purge(struct box *b, size_t limit)
{
    tako_dead_filter oldest = {sizeof oldest, NULL, 0, 1};
    struct faults_jobs jobs;
    const char *refs[8][2 * REFS];
    tako_removal items[8];
    int64_t letter = 0;
    int results[8], rc;
    size_t i, k;

    jobs.n = 0;
    memset(items, 0, sizeof items);
    rc = b->ops->expired(b->self, INT64_MAX, limit, faults_keep, &jobs, NULL);
    if (rc == TAKO_OK)
        rc = b->ops->list_dead(b->self, &oldest, INT64_MAX, faults_drop, &letter, NULL);
    if (rc != TAKO_OK)
        return rc;
    for (i = 0; i < jobs.n; i++) {
        for (k = 0; k < jobs.all[i].n; k++)
            refs[i][k] = jobs.all[i].hashes[k];
        items[i] = (tako_removal){sizeof items[i], jobs.all[i].id, refs[i], jobs.all[i].n};
    }
    rc = b->ops->begin(b->self, NULL);
    if (rc != TAKO_OK)
        return rc;
    rc = b->ops->purge(b->self, items, jobs.n, results, NULL);
    if (rc == TAKO_OK)
        rc = b->ops->drop_dead(b->self, &letter, 1, results, NULL);
    if (rc == TAKO_OK)
        return b->ops->commit(b->self, NULL);
    b->ops->rollback(b->self);
    return rc;
}

/* ---- under load ----------------------------------------------------------------------------- */

struct faults_load {
    const struct box *of;
    atomic_int failed, writing, number;
};

/* SQLite's lock is not fair: on a busy machine somebody may wait for it too long. Nothing was
 * changed then. */
static int faults_again(int rc, int *tries)
{
    return rc == TAKO_ESTORE && ++*tries < 20;
}

static void *faults_write(void *ctx)
{
    struct faults_load *load = ctx;
    int me = atomic_fetch_add(&load->number, 1), i, rc, tries = 0;
    unsigned seed = (unsigned)me * 977u + 5u;
    struct box b;
    char id[32];

    if (faults_open(&b, load->of) != TAKO_OK) {
        load->failed++;
        load->writing--;
        return NULL;
    }
    for (i = 0; i < 250; i++) {
        snprintf(id, sizeof id, "w%d-%d", me, i);
        do
            rc = faults_insert(&b, id, &seed);
        while (faults_again(rc, &tries));
        load->failed += rc != TAKO_OK;
        do
            rc = faults_end(&b, &seed);
        while (faults_again(rc, &tries));
        load->failed += rc != TAKO_OK;
    }
    b.ops->close(b.self);
    load->writing--;
    return NULL;
}

static void *faults_remove(void *ctx)
{
    struct faults_load *load = ctx;
    int rc, tries = 0;
    struct box b;

    if (faults_open(&b, load->of) != TAKO_OK) {
        load->failed++;
        return NULL;
    }
    while (load->writing > 0) {
        rc = faults_purge(&b, 3);
        load->failed += rc != TAKO_OK && !faults_again(rc, &tries);
    }
    b.ops->close(b.self);
    return NULL;
}

/* What a row refers to is there, unless the row itself is gone by then. */
static int faults_readable(struct box *b, int *bad)
{
    tako_filter f = TAKO_FILTER_INIT;
    struct faults_jobs jobs, again;
    size_t i, k;
    int rc;

    jobs.n = 0;
    f.limit = 60;
    if (b->ops->list(b->self, &f, faults_keep, &jobs, NULL) != TAKO_OK)
        return 1;
    for (i = 0; i < jobs.n; i++)
        for (k = 0; k < jobs.all[i].n; k++) {
            const char *id = jobs.all[i].id;

            rc = b->ops->get_blob(b->self, jobs.all[i].hashes[k], 0, 64, faults_same,
                                  jobs.all[i].hashes[k], NULL);
            if (rc == TAKO_OK)
                continue;
            again.n = 0;
            if (b->ops->get(b->self, &id, 1, faults_keep, &again, NULL) != TAKO_OK || again.n > 0)
                ++*bad;
        }
    return 0;
}

START_TEST(purge_under_load_never_removes_what_is_referenced)
{
    enum { WRITERS = 3, REMOVERS = 2 };
    pthread_t threads[WRITERS + REMOVERS];
    struct faults_load load;
    struct box b, mine;
    int i, bad = 0, looks = 0;

    faults_make(&b);
    load.of = &b;
    atomic_init(&load.failed, 0);
    atomic_init(&load.writing, WRITERS);
    atomic_init(&load.number, 0);
    ck_assert_int_eq(faults_open(&mine, &b), TAKO_OK);
    for (i = 0; i < WRITERS + REMOVERS; i++)
        ck_assert_int_eq(
            pthread_create(&threads[i], NULL, i < WRITERS ? faults_write : faults_remove, &load),
            0);
    for (; load.writing > 0; looks++)
        ck_assert_int_eq(faults_readable(&mine, &bad), 0);
    for (i = 0; i < WRITERS + REMOVERS; i++)
        pthread_join(threads[i], NULL);
    ck_assert_int_gt(looks, 0);
    ck_assert_int_eq(load.failed, 0);
    ck_assert_int_eq(faults_readable(&mine, &bad), 0);
    ck_assert_int_eq(bad, 0);
    faults_recount(&b);
    for (i = 0; i < 400; i++) { /* all of it goes in the end */
        ck_assert_int_eq(faults_purge(&mine, 8), TAKO_OK);
        ck_assert_int_eq(faults_end(&mine, &(unsigned){(unsigned)i}), TAKO_OK);
    }
    faults_recount(&b);
    mine.ops->close(mine.self);
    cases_remove_dir(b.dir);
}
END_TEST

START_TEST(kill_9_in_between_leaves_every_count_exact)
{
    struct box b;
    int round;

    faults_make(&b);
    for (round = 0; round < 10; round++) {
        struct timespec nap = {0, 15000000L + 11000000L * round};
        pid_t pid = fork();

        if (pid == 0) {
            unsigned seed = (unsigned)round + 99u;
            struct box mine;
            char id[32];
            int n;

            if (faults_open(&mine, &b) != TAKO_OK)
                _exit(9);
            for (n = 0;; n++) {
                snprintf(id, sizeof id, "r%d-%d", round, n);
                if (faults_insert(&mine, id, &seed) != TAKO_OK ||
                    faults_end(&mine, &seed) != TAKO_OK ||
                    (n % 3 == 2 && faults_purge(&mine, 2) != TAKO_OK))
                    _exit(8);
            }
        }
        ck_assert_int_gt(pid, 0);
        nanosleep(&nap, NULL);
        ck_assert_int_eq(kill(pid, SIGKILL), 0);
        ck_assert_int_eq(waitpid(pid, &(int){0}, 0), pid);
        {
            struct box mine;
            int bad = 0;

            ck_assert_int_eq(faults_open(&mine, &b), TAKO_OK);
            ck_assert_int_eq(faults_readable(&mine, &bad), 0);
            ck_assert_int_eq(bad, 0);
            mine.ops->close(mine.self);
        }
        faults_recount(&b);
    }
    cases_remove_dir(b.dir);
}
END_TEST

/* ---- want of memory -------------------------------------------------------------------------- */

static int faults_any_row(void *ctx, const tako_row *row)
{
    (void)row;
    ++*(int *)ctx;
    return 0;
}

static int faults_any_text(void *ctx, const void *data, size_t len)
{
    (void)data;
    (void)len;
    ++*(int *)ctx;
    return 0;
}

static int faults_any_dead(void *ctx, const tako_dead *dead)
{
    (void)dead;
    ++*(int *)ctx;
    return 0;
}

static int faults_any_count(void *ctx, const char *error_type, int64_t count)
{
    (void)error_type;
    (void)count;
    ++*(int *)ctx;
    return 0;
}

static int faults_any_version(void *ctx, const tako_version_info *v)
{
    (void)v;
    ++*(int *)ctx;
    return 0;
}

/* Every new method once. The first failure's code. */
static int faults_reads(struct box *b, const char *hash)
{
    tako_dead_filter letters = TAKO_DEAD_FILTER_INIT;
    tako_filter f = TAKO_FILTER_INIT;
    int n = 0, rc;

    f.parent = "parent";
    rc = b->ops->list(b->self, &f, faults_any_row, &n, NULL);
    if (rc == TAKO_OK)
        rc = b->ops->expired(b->self, INT64_MAX, 5, faults_any_row, &n, NULL);
    if (rc == TAKO_OK)
        rc = b->ops->find_key(b->self, "first", faults_any_row, &n, NULL);
    if (rc == TAKO_OK)
        rc = b->ops->history(b->self, "first", faults_any_text, &n, NULL);
    if (rc == TAKO_OK)
        rc = b->ops->get_blob(b->self, hash, 3, 50, faults_any_text, &n, NULL);
    if (rc == TAKO_OK)
        rc = b->ops->list_dead(b->self, &letters, 0, faults_any_dead, &n, NULL);
    letters.error_type = "other";
    if (rc == TAKO_OK)
        rc = b->ops->list_dead(b->self, &letters, 0, faults_any_dead, &n, NULL);
    if (rc == TAKO_OK)
        rc = b->ops->get_dead(b->self, 1, faults_any_dead, &n, NULL);
    if (rc == TAKO_OK)
        rc = b->ops->count_dead(b->self, faults_any_count, &n, NULL);
    if (rc == TAKO_OK)
        rc = b->ops->versions(b->self, NULL, faults_any_version, &n, NULL);
    if (rc == TAKO_OK)
        rc = b->ops->versions(b->self, "t", faults_any_version, &n, NULL);
    return rc == TAKO_OK && n != 11 ? -100 - n : rc;
}

#define FAULTS_HASH "00000000000000000000000000000000000000000000000000000000000000ff"

/* A row with everything: key, parent, content, a note, a dead letter; and a version. */
static void faults_prepare(struct box *b)
{
    tako_dead dead = {sizeof dead, 0, NULL, NULL, "other", "m", 0, 1, "::1", "c", "{}"};
    tako_version_info v = {sizeof v, "t", "", FAULTS_HASH, 1, "config", FAULTS_HASH, "{}", 2};
    tako_blob blob = {FAULTS_HASH, FAULTS_HASH, 64};
    tako_row rows[2] = {a_row("first", "t", 0, 1000, 1000), a_row("second", "u", 0, 1000, 1000)};
    const char *refs[] = {FAULTS_HASH};
    struct seen seen = {NULL, 0, 0};
    int results[2];
    tako_finish f;

    rows[0].spec = "{\"refs\":[\"" FAULTS_HASH "\"]}";
    rows[0].spec_len = strlen(rows[0].spec);
    rows[0].key = "first";
    rows[0].parent = "parent";
    rows[0].refs = refs;
    rows[0].n_refs = 1;
    MUST(b->ops->begin(b->self, err));
    MUST(b->ops->put_blobs(b->self, &blob, 1, err));
    MUST(b->ops->insert(b->self, rows, 2, results, err));
    MUST(b->ops->put_version(b->self, &v, err));
    MUST(b->ops->commit(b->self, err));
    claim_jobs(b, "n", one_type("t"), 1, 2000, &seen);
    f = an_end("first", 1, "n", TAKO_QUEUED);
    f.result = "{}";
    f.result_len = 2;
    ck_assert_int_eq(finish_job(b, &f), TAKO_OK);
    claim_jobs(b, "n", one_type("t"), 1, 2000, &seen);
    f = an_end("first", 2, "n", TAKO_FAILED);
    f.dead = &dead;
    ck_assert_int_eq(finish_job(b, &f), TAKO_OK);
    claim_jobs(b, "n", one_type("u"), 1, 2000, &seen);
    f = an_end("second", 1, "n", TAKO_FAILED);
    ck_assert_int_eq(finish_job(b, &f), TAKO_OK);
    seen_clear(&seen);
}

START_TEST(every_failing_allocation_of_the_host_is_told_and_leaks_nothing)
{
    struct fault_alloc memory;
    long n, start, seen = 0;
    tako_host host = *cases_host();
    struct box b;
    int rc;

    for (n = 0;; n++) {
        fault_alloc_init(&memory);
        host.alloc = fault_alloc_use(&memory);
        memset(&b, 0, sizeof b);
        b.ops = tako_store_sqlite();
        MUST(b.ops->open(&b.self, "sqlite::memory:", &host, err));
        faults_prepare(&b);
        start = memory.calls;
        memory.fail_at = start + n;
        rc = faults_reads(&b, FAULTS_HASH);
        memory.fail_at = -1;
        ck_assert_msg(rc == TAKO_OK || rc == TAKO_ENOMEM, "allocation %ld failed: %d", n, rc);
        ck_assert_int_eq(faults_reads(&b, FAULTS_HASH), TAKO_OK); /* nothing is left half done */
        b.ops->close(b.self);
        ck_assert_int_eq(memory.live_blocks, 0);
        if (rc == TAKO_OK)
            break;
        seen++;
    }
    ck_assert_int_ge(seen, 3); /* two merges and a part of content */
}
END_TEST

/* SQLite's own memory: its allocator is replaced before it is first used in this process. */
struct faults_sqlite {
    sqlite3_mem_methods real;
    long left; /* until one fails; < 0 = none does */
    int hit;
};
static struct faults_sqlite faults_memory;

static int faults_short(void)
{
    if (faults_memory.left < 0)
        return 0;
    if (faults_memory.left-- > 0)
        return 0;
    faults_memory.hit = 1;
    return 1; /* and goes on: left is -1 */
}

static void *faults_malloc(int size)
{
    return faults_short() ? NULL : faults_memory.real.xMalloc(size);
}

static void *faults_realloc(void *ptr, int size)
{
    return faults_short() ? NULL : faults_memory.real.xRealloc(ptr, size);
}

/* One transaction that uses every write method. */
static int faults_writes(struct box *b, const char *id, unsigned *seed)
{
    tako_version_info v = {sizeof v, "t", "", FAULTS_HASH, 2, "config", FAULTS_HASH, "{}", 2};
    int rc = faults_insert(b, id, seed);

    if (rc == TAKO_OK)
        rc = faults_end(b, seed);
    if (rc == TAKO_OK)
        rc = faults_purge(b, 1);
    if (rc != TAKO_OK)
        return rc;
    rc = b->ops->begin(b->self, NULL);
    if (rc != TAKO_OK)
        return rc;
    rc = b->ops->put_version(b->self, &v, NULL);
    if (rc == TAKO_OK)
        return b->ops->commit(b->self, NULL);
    b->ops->rollback(b->self);
    return rc;
}

START_TEST(every_failing_allocation_of_sqlite_is_told_and_spoils_no_count)
{
    sqlite3_mem_methods methods;
    unsigned seed = 3;
    long n, failed = 0;
    struct box b;
    char id[32];
    int rc, done;

    ck_assert_int_eq(sqlite3_shutdown(), SQLITE_OK);
    faults_memory.left = -1;
    ck_assert_int_eq(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &faults_memory.real), SQLITE_OK);
    methods = faults_memory.real;
    methods.xMalloc = faults_malloc;
    methods.xRealloc = faults_realloc;
    ck_assert_int_eq(sqlite3_config(SQLITE_CONFIG_MALLOC, &methods), SQLITE_OK);
    ck_assert_int_eq(sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0), SQLITE_OK);
    box_open_file(&b);
    for (n = 0, done = 0; done < 3; n++) {
        snprintf(id, sizeof id, "j%ld", n);
        faults_memory.hit = 0;
        faults_memory.left = n;
        rc = faults_writes(&b, id, &seed);
        faults_memory.left = -1;
        ck_assert_msg(rc == TAKO_OK || rc == TAKO_ENOMEM, "allocation %ld failed: %d", n, rc);
        failed += rc == TAKO_ENOMEM;
        done = faults_memory.hit ? 0 : done + 1;
        if (n % 64 == 0)
            faults_recount(&b);
        ck_assert_int_eq(faults_writes(&b, id, &seed), TAKO_OK); /* and it goes on */
    }
    faults_recount(&b);
    ck_assert_int_gt(failed, 10);
    b.ops->close(b.self);
    MUST(b.ops->open(&b.self, "sqlite::memory:", cases_host(), err));
    faults_prepare(&b);
    for (n = 0, done = 0; done < 3; n++) {
        faults_memory.hit = 0;
        faults_memory.left = n;
        rc = faults_reads(&b, FAULTS_HASH);
        faults_memory.left = -1;
        ck_assert_msg(rc == TAKO_OK || rc == TAKO_ENOMEM, "allocation %ld failed: %d", n, rc);
        done = faults_memory.hit ? 0 : done + 1;
        ck_assert_int_eq(faults_reads(&b, FAULTS_HASH), TAKO_OK);
    }
    box_close(&b);
}
END_TEST

Suite *suite_store_faults(void);
Suite *suite_store_faults(void)
{
    Suite *s = suite_create("store_faults");
    TCase *c = tcase_create("faults");

    tcase_set_timeout(c, 120);
    tcase_add_test(c, purge_under_load_never_removes_what_is_referenced);
    tcase_add_test(c, kill_9_in_between_leaves_every_count_exact);
    tcase_add_test(c, every_failing_allocation_of_the_host_is_told_and_leaks_nothing);
    tcase_add_test(c, every_failing_allocation_of_sqlite_is_told_and_spoils_no_count);
    suite_add_tcase(s, c);
    return s;
}
