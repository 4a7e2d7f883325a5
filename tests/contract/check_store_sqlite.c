/* check_store_sqlite.c - what only the SQLite store promises: several processes on one file,
 * kill -9, every kind of unusable file, the watch on other writers, plans without scans.
 * SPDX-License-Identifier: MIT */
#include "../../backends/store_sqlite.h"
#include "store_sqlite_cases.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>

static int child_add(struct box *b, const char *id, bool commit)
{
    tako_row row = a_row(id, "t", 0, 1000, 1000);
    int result = 1;

    if (b->ops->begin(b->self, NULL) != TAKO_OK)
        return 1;
    if (b->ops->insert(b->self, &row, 1, &result, NULL) != TAKO_OK || result != TAKO_OK)
        return 2;
    return commit && b->ops->commit(b->self, NULL) != TAKO_OK ? 3 : 0;
}

static void sql_run(const char *path, const char *sql)
{
    sqlite3 *db = NULL;

    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_msg(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, "%s: %s", sql,
                  sqlite3_errmsg(db));
    sqlite3_close(db);
}

static void path_in(const struct box *b, const char *name, char path[320])
{
    snprintf(path, 320, "%s/%s", b->dir, name);
}

START_TEST(a_file_keeps_everything_over_a_reopen)
{
    struct seen seen = {NULL, 0, 0};
    char path[320];
    struct stat st;
    struct box b;

    box_open_file(&b);
    add_job(&b, "a", "t", 1);
    add_job(&b, "b", "t", 0);
    claim_jobs(&b, "n", one_type("t"), 1, 2000, &seen);
    b.ops->close(b.self);
    path_in(&b, "jobs.db-wal", path);
    ck_assert_int_eq(stat(path, &st), -1); /* the last close leaves one file only */
    MUST(b.ops->open(&b.self, b.uri, cases_host(), err));
    ck_assert_int_eq(get_job(&b, "a").status, TAKO_RUNNING);
    expect_count(&b, 1, 1);
    claim_jobs(&b, "n", one_type("t"), 5, 2000, &seen);
    ck_assert_uint_eq(seen.n, 1);
    ck_assert_str_eq(seen.rows[0].id, "b");
    seen_clear(&seen);
    box_close(&b);
}
END_TEST

START_TEST(every_open_of_memory_is_private)
{
    struct box a, b;

    ck_assert_int_eq(child_open(&a, "sqlite::memory:"), TAKO_OK);
    ck_assert_int_eq(child_open(&b, "sqlite::memory:"), TAKO_OK);
    add_job(&a, "x", "t", 0);
    expect_count(&a, 1, 0);
    expect_count(&b, 0, 0);
    ck_assert_int_ge(a.ops->watch_fd(a.self), 0); /* so that nobody has to look again and again */
    ck_assert_int_eq(a.ops->watched(a.self), 0);
    a.ops->close(a.self);
    b.ops->close(b.self);
}
END_TEST

START_TEST(writes_need_a_transaction_and_a_failed_one_is_not_committed)
{
    tako_row good = a_row("good", "t", 0, 1, 1), bad = a_row("", "t", 0, 1, 1);
    struct box b;
    int result;

    box_open_file(&b);
    REFUSED(b.ops->insert(b.self, &good, 1, &result, err), TAKO_ESTATE, "no transaction");
    REFUSED(b.ops->commit(b.self, err), TAKO_ESTATE, "no transaction");
    b.ops->rollback(b.self); /* nothing to do */
    MUST(b.ops->begin(b.self, err));
    REFUSED(b.ops->begin(b.self, err), TAKO_ESTATE, "open already");
    MUST(b.ops->insert(b.self, &good, 1, &result, err));
    REFUSED(b.ops->insert(b.self, &bad, 1, &result, err), TAKO_EINVAL, "1-64 bytes");
    REFUSED(b.ops->insert(b.self, &good, 1, &result, err), TAKO_ESTATE, "rolled back");
    REFUSED(b.ops->commit(b.self, err), TAKO_ESTATE, "rolled back");
    ck_assert_str_eq(get_job(&b, "good").id, "");
    add_row(&b, &good);
    expect_count(&b, 1, 0);
    box_close(&b);
}
END_TEST

START_TEST(more_delayed_jobs_than_one_claim_moves_are_all_claimed)
{
    enum { MANY = 9000 };
    struct seen seen = {NULL, 0, 0};
    tako_row row;
    struct box b;
    char id[16];
    int i, result;

    ck_assert_int_eq(child_open(&b, "sqlite::memory:"), TAKO_OK);
    MUST(b.ops->begin(b.self, err));
    for (i = 0; i < MANY; i++) {
        snprintf(id, sizeof id, "%d", i);
        row = a_row(id, "t", i % 7, 1000, 2000 + i / 3);
        MUST(b.ops->insert(b.self, &row, 1, &result, err));
    }
    MUST(b.ops->commit(b.self, err));
    for (i = 0; i < MANY; i += 1000) {
        claim_jobs(&b, "n", one_type("t"), 1000, 90000, &seen);
        ck_assert_uint_eq(seen.n, 1000);
    }
    expect_count(&b, 0, MANY);
    seen_clear(&seen);
    b.ops->close(b.self);
}
END_TEST

/* ---- several processes -------------------------------------------------------------------- */

START_TEST(processes_that_create_one_file_together_all_succeed)
{
    enum { PROCESSES = 12 };
    struct box b;
    pid_t pids[PROCESSES];
    char id[16];
    int i, gate[2];

    memset(&b, 0, sizeof b);
    b.ops = tako_store_sqlite();
    cases_make_dir(b.dir);
    snprintf(b.uri, sizeof b.uri, "sqlite:%s/jobs.db", b.dir);
    ck_assert_int_eq(pipe(gate), 0);
    for (i = 0; i < PROCESSES; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            struct box mine;
            char byte;

            close(gate[1]);
            if (read(gate[0], &byte, 1) != 0 || child_open(&mine, b.uri) != TAKO_OK)
                _exit(9);
            snprintf(id, sizeof id, "p%d", i);
            if (child_add(&mine, id, true) != 0)
                _exit(8);
            mine.ops->close(mine.self);
            _exit(0);
        }
    }
    close(gate[0]);
    close(gate[1]); /* go */
    for (i = 0; i < PROCESSES; i++)
        expect_exit(pids[i], 0);
    MUST(b.ops->open(&b.self, b.uri, cases_host(), err));
    expect_count(&b, PROCESSES, 0);
    box_close(&b);
}
END_TEST

static int write_id(void *ctx, const tako_row *row)
{
    char line[16] = "";

    snprintf(line, sizeof line, "%-15s", row->id);
    return write(*(int *)ctx, line, sizeof line) == (ssize_t)sizeof line ? 0 : 1;
}

START_TEST(processes_claim_disjoint_jobs)
{
    enum { PROCESSES = 3, MANY = 300 };
    int out[2], i, total = 0;
    pid_t pids[PROCESSES];
    char line[16], seen[MANY];
    struct box b;

    box_open_file(&b);
    for (i = 0; i < MANY; i++) {
        snprintf(line, sizeof line, "%d", i);
        add_job(&b, line, "t", 0);
    }
    b.ops->close(b.self);
    ck_assert_int_eq(pipe(out), 0);
    for (i = 0; i < PROCESSES; i++) {
        pids[i] = fork();
        if (pids[i] == 0) {
            tako_claim what = {sizeof what, "n", one_type("t"), 7, 2000};
            int64_t queued = 1, running;
            struct box mine;

            if (child_open(&mine, b.uri) != TAKO_OK)
                _exit(9);
            while (queued > 0)
                if (mine.ops->begin(mine.self, NULL) != TAKO_OK ||
                    mine.ops->claim(mine.self, &what, write_id, &out[1], NULL) != TAKO_OK ||
                    mine.ops->commit(mine.self, NULL) != TAKO_OK ||
                    mine.ops->count(mine.self, &queued, &running, NULL) != TAKO_OK)
                    _exit(8);
            mine.ops->close(mine.self);
            _exit(0);
        }
    }
    close(out[1]);
    memset(seen, 0, sizeof seen);
    while (read(out[0], line, sizeof line) == (ssize_t)sizeof line) {
        i = atoi(line);
        ck_assert(i >= 0 && i < MANY && !seen[i]);
        seen[i] = 1;
        total++;
    }
    close(out[0]);
    for (i = 0; i < PROCESSES; i++)
        expect_exit(pids[i], 0);
    ck_assert_int_eq(total, MANY);
    MUST(b.ops->open(&b.self, b.uri, cases_host(), err));
    expect_count(&b, 0, MANY);
    box_close(&b);
}
END_TEST

START_TEST(kill_9_loses_no_acknowledged_row_and_keeps_no_open_one)
{
    int round, out[2];
    struct box b;

    box_open_file(&b);
    b.ops->close(b.self);
    for (round = 0; round < 8; round++) {
        struct timespec nap = {0, 3000000L * (round + 1)};
        int n, last = -1;
        char id[32];
        pid_t pid;

        ck_assert_int_eq(pipe(out), 0);
        pid = fork();
        if (pid == 0) {
            struct box mine;

            if (child_open(&mine, b.uri) != TAKO_OK)
                _exit(9);
            for (n = 0;; n++) {
                snprintf(id, sizeof id, "open-%d-%d", round, n);
                if (child_add(&mine, id, false) != 0)
                    _exit(8);
                mine.ops->rollback(mine.self);
                snprintf(id, sizeof id, "r%d-%d", round, n);
                if (child_add(&mine, id, true) != 0 || write(out[1], &n, sizeof n) != sizeof n)
                    _exit(7);
                if (round == 0 && n == 3) { /* and once surely inside a transaction */
                    child_add(&mine, "open-for-ever", false);
                    n = -2;
                    (void)!write(out[1], &n, sizeof n);
                    pause();
                }
            }
        }
        close(out[1]);
        if (round > 0)
            nanosleep(&nap, NULL);
        while (round == 0 && last != -2)
            ck_assert_int_eq(read(out[0], &last, sizeof last), sizeof last);
        kill(pid, SIGKILL);
        ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
        if (round == 0)
            last = 3;
        while (read(out[0], &n, sizeof n) == sizeof n)
            last = n;
        close(out[0]);
        MUST(b.ops->open(&b.self, b.uri, cases_host(), err));
        for (n = 0; n <= last; n++) {
            snprintf(id, sizeof id, "r%d-%d", round, n);
            ck_assert_str_eq(get_job(&b, id).id, id);
            snprintf(id, sizeof id, "open-%d-%d", round, n);
            ck_assert_str_eq(get_job(&b, id).id, "");
        }
        ck_assert_str_eq(get_job(&b, "open-for-ever").id, "");
        b.ops->close(b.self);
    }
    MUST(b.ops->open(&b.self, b.uri, cases_host(), err));
    box_close(&b);
}
END_TEST

static int readable(struct box *b, int ms)
{
    struct pollfd p = {b->ops->watch_fd(b->self), POLLIN, 0};

    return poll(&p, 1, ms);
}

/* Without a pause: the first look comes long before the commit is visible. */
static bool told(struct box *b)
{
    while (readable(b, 3000) == 1)
        if (b->ops->watched(b->self))
            return true;
    return false;
}

START_TEST(the_watch_tells_writes_of_others_and_not_its_own)
{
    struct box b, other;
    pid_t pid;
    int i;

    box_open_file(&b);
    ck_assert_int_ge(b.ops->watch_fd(b.self), 0);
    ck_assert_int_eq(b.ops->watched(b.self), 0);
    for (i = 0; i < 5; i++) { /* own commits do not even wake */
        char id[8];

        snprintf(id, sizeof id, "own%d", i);
        add_job(&b, id, "t", 0);
        ck_assert_int_eq(readable(&b, 0), 0);
    }
    ck_assert_int_eq(b.ops->watched(b.self), 0);
    ck_assert_int_eq(child_open(&other, b.uri), TAKO_OK); /* a second engine in this process */
    while (readable(&b, 20) == 1)
        ck_assert_int_eq(b.ops->watched(b.self), 0); /* opening is not writing */
    ck_assert_int_eq(child_add(&other, "theirs", true), 0);
    ck_assert(told(&b));
    ck_assert_int_eq(readable(&b, 30), 0);
    ck_assert_int_eq(b.ops->watched(b.self), 0);
    ck_assert_int_eq(child_add(&other, "theirs2", true), 0);
    add_job(&b, "own-after", "t", 0); /* an own commit does not swallow it */
    ck_assert_int_eq(readable(&b, 1000), 1);
    ck_assert_int_eq(b.ops->watched(b.self), 1);
    ck_assert_int_eq(b.ops->watched(b.self), 0);
    other.ops->close(other.self);
    pid = fork();
    if (pid == 0) { /* another process, which writes, waits, then commits */
        struct timespec pause = {0, 50000000};
        struct box mine;

        if (child_open(&mine, b.uri) != TAKO_OK || child_add(&mine, "far", false) != 0)
            _exit(9);
        nanosleep(&pause, NULL);
        _exit(mine.ops->commit(mine.self, NULL) == TAKO_OK ? 0 : 8);
    }
    ck_assert(told(&b));
    ck_assert_str_eq(get_job(&b, "far").id, "far");
    expect_exit(pid, 0);
    box_close(&b);
}
END_TEST

/* As a slow disk: between the write of a commit to the log and its being visible lies an fsync. */
static ssize_t slow_pwrite(int fd, const void *data, size_t len, off_t at)
{
    struct timespec nap = {0, 5000000};
    ssize_t n = pwrite(fd, data, len, at);

    nanosleep(&nap, NULL);
    return n;
}

START_TEST(the_watch_does_not_miss_a_commit_on_a_slow_disk)
{
    struct box b;
    pid_t pid;

    box_open_file(&b);
    pid = fork();
    if (pid == 0) {
        sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
        const char *name = vfs->xGetSystemCall(vfs, "pwrite64") != NULL ? "pwrite64" : "pwrite";
        struct box mine;

        if (child_open(&mine, b.uri) != TAKO_OK ||
            vfs->xSetSystemCall(vfs, name, (sqlite3_syscall_ptr)slow_pwrite) != SQLITE_OK ||
            child_add(&mine, "slow", true) != 0)
            _exit(9);
        _exit(0);
    }
    ck_assert(told(&b));
    ck_assert_str_eq(get_job(&b, "slow").id, "slow");
    expect_exit(pid, 0);
    box_close(&b);
}
END_TEST

/* ---- files that cannot be used -------------------------------------------------------------- */

static void write_file(const char *path, const void *data, size_t len)
{
    FILE *f = fopen(path, "w");

    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(data, 1, len, f), len);
    ck_assert_int_eq(fclose(f), 0);
}

static size_t read_file(const char *path, char *data, size_t room)
{
    FILE *f = fopen(path, "r");
    size_t n;

    ck_assert_ptr_nonnull(f);
    n = fread(data, 1, room, f);
    fclose(f);
    return n;
}

static int try_open(const char *uri, tako_error *err)
{
    void *self = &self;
    int rc = tako_store_sqlite()->open(&self, uri, cases_host(), err);

    if (rc == TAKO_OK)
        tako_store_sqlite()->close(self);
    else
        ck_assert_ptr_null(self);
    return rc;
}

START_TEST(bad_uris_are_refused_with_their_reason)
{
    char longest[700] = "sqlite:/tmp/";

    memset(longest + strlen(longest), 'x', 600);
    REFUSED(try_open("sqlite:", err), TAKO_EINVAL, "no path");
    REFUSED(try_open(longest, err), TAKO_EINVAL, "at most");
    REFUSED(try_open("sqlite::mem", err), TAKO_EINVAL, "sqlite::memory:");
    REFUSED(try_open("other:x", err), TAKO_EINVAL, "sqlite:PATH");
    REFUSED(try_open(NULL, err), TAKO_EINVAL, "sqlite:PATH");
    REFUSED(try_open("sqlite:/", err), TAKO_ESTORE, "directory");
    REFUSED(try_open("sqlite:/dev/null", err), TAKO_ESTORE, "device");
    REFUSED(try_open("sqlite:/nowhere/at/all.db", err), TAKO_ESTORE, "/nowhere/at does not exist");
}
END_TEST

START_TEST(a_path_is_only_a_path)
{
    char dir[256];
    struct stat st;

    cases_make_dir(dir);
    ck_assert_int_eq(chdir(dir), 0);
    MUST(try_open("sqlite:file:x.db?mode=memory", err));
    ck_assert_int_eq(stat("file:x.db?mode=memory", &st), 0);
    MUST(try_open("sqlite:caf\xc3\xa9 'quoted'.db", err));
    ck_assert_int_eq(chdir("/"), 0);
    cases_remove_dir(dir);
}
END_TEST

START_TEST(what_is_no_database_or_damaged_is_refused_and_left_alone)
{
    static char before[262144], after[262144];
    char path[320], text[2000];
    size_t n;
    struct box b;

    box_open_file(&b);
    path_in(&b, "jobs.db", path);
    add_job(&b, "a", "t", 0);
    b.ops->close(b.self);
    n = read_file(path, before, sizeof before);
    write_file(path, before, n / 2); /* cut short */
    REFUSED(try_open(b.uri, err), TAKO_ESTORE, "damaged");
    ck_assert_uint_eq(read_file(path, after, sizeof after), n / 2);
    ck_assert_int_eq(memcmp(before, after, n / 2), 0);
    memcpy(after, before, n);
    memset(after + 100, 0xff, 900); /* the root of the schema */
    write_file(path, after, n);
    REFUSED(try_open(b.uri, err), TAKO_ESTORE, "damaged");
    memset(text, 'x', sizeof text);
    write_file(path, text, sizeof text);
    REFUSED(try_open(b.uri, err), TAKO_ESTORE, "not an SQLite database");
    ck_assert_uint_eq(read_file(path, after, sizeof after), sizeof text);
    ck_assert_int_eq(memcmp(text, after, sizeof text), 0);
    write_file(path, before, n);
    sql_run(path, "DROP TABLE tally");
    REFUSED(try_open(b.uri, err), TAKO_ESTORE, "tally");
    write_file(path, before, n);
    MUST(b.ops->open(&b.self, b.uri, cases_host(), err));
    ck_assert_str_eq(get_job(&b, "a").id, "a");
    box_close(&b);
}
END_TEST

START_TEST(a_database_of_another_program_is_never_touched)
{
    static char before[65536], after[65536];
    static const char *const makers[] = {"CREATE TABLE theirs (x)",
                                         "PRAGMA application_id = 77; PRAGMA user_version = 1",
                                         "PRAGMA journal_mode = WAL; CREATE TABLE theirs (x)"};
    char path[320];
    size_t i, n;
    struct box b;

    box_open_file(&b);
    path_in(&b, "jobs.db", path);
    b.ops->close(b.self);
    for (i = 0; i < sizeof makers / sizeof makers[0]; i++) {
        unlink(path);
        sql_run(path, makers[i]);
        n = read_file(path, before, sizeof before);
        REFUSED(try_open(b.uri, err), TAKO_ESTORE, "another program");
        ck_assert_uint_eq(read_file(path, after, sizeof after), n);
        ck_assert_int_eq(memcmp(before, after, n), 0);
    }
    unlink(path);
    write_file(path, "", 0); /* an empty file is nobody's */
    MUST(b.ops->open(&b.self, b.uri, cases_host(), err));
    box_close(&b);
}
END_TEST

START_TEST(a_newer_schema_is_refused_with_both_versions)
{
    char path[320], text[64];
    struct box b;

    box_open_file(&b);
    path_in(&b, "jobs.db", path);
    b.ops->close(b.self);
    sql_run(path, "PRAGMA user_version = 99");
    REFUSED(try_open(b.uri, err), TAKO_ESTORE, "version 99");
    snprintf(text, sizeof text, "up to %d: update Tako", tako__sqlite_version());
    REFUSED(try_open(b.uri, err), TAKO_ESTORE, text);
    snprintf(text, sizeof text, "PRAGMA user_version = %d", tako__sqlite_version());
    sql_run(path, text);
    MUST(b.ops->open(&b.self, b.uri, cases_host(), err));
    box_close(&b);
}
END_TEST

START_TEST(a_lock_of_another_process_is_named_and_outlived)
{
    char path[320], fresh[320], uri[340];
    sqlite3 *db = NULL, *db2 = NULL;
    tako_error e;
    struct box b;
    pid_t pid;

    box_open_file(&b);
    path_in(&b, "jobs.db", path);
    path_in(&b, "fresh.db", fresh);
    snprintf(uri, sizeof uri, "sqlite:%s", fresh);
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    ck_assert_int_eq(sqlite3_open(fresh, &db2), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    ck_assert_int_eq(sqlite3_exec(db2, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
    pid = fork(); /* both waits at the same time */
    if (pid == 0) {
        void *self;

        _exit(tako_store_sqlite()->open(&self, uri, cases_host(), &e) == TAKO_ESTORE &&
                      strstr(e.message, "locked") != NULL
                  ? 0
                  : 1);
    }
    MUST(b.ops->count(b.self, &(int64_t){0}, &(int64_t){0}, err)); /* reading goes on */
    REFUSED(b.ops->begin(b.self, err), TAKO_ESTORE, "locked: another process");
    expect_exit(pid, 0);
    ck_assert_int_eq(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    sqlite3_close(db2);
    add_job(&b, "after", "t", 0);
    box_close(&b);
}
END_TEST

static int as_nobody(const char *uri, const char *text)
{
    tako_error err;
    void *self;
    pid_t pid = fork();
    int status = -1;

    if (pid == 0) {
        if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
            _exit(3);
        if (tako_store_sqlite()->open(&self, uri, cases_host(), &err) != TAKO_ESTORE)
            _exit(2);
        _exit(strstr(err.message, text) != NULL && strstr(err.message, "Permission denied") != NULL
                  ? 0
                  : 1);
    }
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

START_TEST(unwritable_places_are_named_with_the_cause)
{
    char path[320];
    struct box b;

    box_open_file(&b);
    path_in(&b, "jobs.db", path);
    b.ops->close(b.self);
    ck_assert_int_eq(chmod(path, 0444), 0);
    ck_assert_int_eq(chmod(b.dir, 0777), 0);
    ck_assert_int_eq(as_nobody(b.uri, "database file"), 0);
    ck_assert_int_eq(chmod(path, 0666), 0);
    ck_assert_int_eq(chmod(b.dir, 0555), 0);
    ck_assert_int_eq(as_nobody(b.uri, "may not create files in the directory"), 0);
    ck_assert_int_eq(chmod(b.dir, 0755), 0);
    MUST(b.ops->open(&b.self, b.uri, cases_host(), err));
    box_close(&b);
}
END_TEST

START_TEST(a_file_that_was_replaced_or_removed_is_noticed)
{
    char path[320], wal[320], moved[320];
    struct box b;

    box_open_file(&b);
    path_in(&b, "jobs.db", path);
    path_in(&b, "jobs.db-wal", wal);
    path_in(&b, "moved", moved);
    add_job(&b, "a", "t", 0);
    ck_assert_int_eq(rename(path, moved), 0);
    REFUSED(b.ops->begin(b.self, err), TAKO_ESTORE, "removed or renamed");
    write_file(path, "", 0);
    REFUSED(b.ops->begin(b.self, err), TAKO_ESTORE, "replaced");
    ck_assert_int_eq(rename(moved, path), 0); /* put back: works again */
    add_job(&b, "b", "t", 0);
    MUST(b.ops->begin(b.self, err)); /* also between begin and commit */
    ck_assert_int_eq(rename(wal, moved), 0);
    REFUSED(b.ops->commit(b.self, err), TAKO_ESTORE, "write-ahead log");
    ck_assert_int_eq(rename(moved, wal), 0);
    add_job(&b, "c", "t", 0);
    reopen(&b);
    expect_count(&b, 3, 0);
    box_close(&b);
}
END_TEST

START_TEST(a_full_disk_fails_the_transaction_and_nothing_more)
{
    struct rlimit limit, small;
    struct box b;
    tako_blob blob = {"00ff00000000000000000000000000000000000000000000000000000000abcd", NULL,
                      64 * 1024 * 1024};
    char *data = calloc(1, blob.len);
    tako_row row = a_row("lost", "t", 0, 1, 1);
    int result, rc;

    blob.data = data;
    box_open_file(&b);
    add_job(&b, "before", "t", 0);
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &limit);
    small = limit;
    small.rlim_cur = 4 * 1024 * 1024; /* no file of this process may grow beyond */
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    MUST(b.ops->begin(b.self, err));
    MUST(b.ops->insert(b.self, &row, 1, &result, err));
    rc = b.ops->put_blobs(b.self, &blob, 1, NULL);
    if (rc == TAKO_OK)
        rc = b.ops->commit(b.self, NULL);
    else
        b.ops->rollback(b.self);
    ck_assert_int_eq(rc, TAKO_ESTORE);
    expect_count(&b, 1, 0);
    add_job(&b, "small", "t", 0); /* what still fits is taken */
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    MUST(b.ops->begin(b.self, err));
    MUST(b.ops->insert(b.self, &row, 1, &result, err));
    MUST(b.ops->put_blobs(b.self, &blob, 1, err));
    MUST(b.ops->commit(b.self, err));
    expect_count(&b, 3, 0);
    free(data);
    box_close(&b);
}
END_TEST

/* ---- plans and housekeeping ------------------------------------------------------------------ */

START_TEST(no_statement_walks_through_a_table_or_sorts)
{
    char path[320], sql[1024];
    sqlite3_stmt *st;
    sqlite3 *db = NULL;
    struct box b;
    int i;

    box_open_file(&b);
    add_job(&b, "a", "t", 0);
    path_in(&b, "jobs.db", path);
    ck_assert_int_eq(sqlite3_open(path, &db), SQLITE_OK);
    for (i = 0; i < TAKO__SQL_COUNT; i++) {
        const char *text = tako__sqlite_sql((enum tako__sqlite_sql)i);

        ck_assert_ptr_nonnull(text);
        if (i == TAKO__SQL_TYPE_ALL || i == TAKO__SQL_NODE_ALL || i == TAKO__SQL_VERSIONS)
            continue;
        snprintf(sql, sizeof sql, "EXPLAIN QUERY PLAN %s", text);
        ck_assert_msg(sqlite3_prepare_v2(db, sql, -1, &st, NULL) == SQLITE_OK, "%s", text);
        while (sqlite3_step(st) == SQLITE_ROW) {
            const char *plan = (const char *)sqlite3_column_text(st, 3);

            ck_assert_msg(strncmp(plan, "SCAN", 4) != 0 && strstr(plan, "TEMP B-TREE") == NULL,
                          "%s: %s", text, plan);
        }
        sqlite3_finalize(st);
    }
    sqlite3_close(db);
    box_close(&b);
}
END_TEST

static int64_t file_size(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 ? (int64_t)st.st_size : -1;
}

START_TEST(the_log_does_not_grow_without_bound)
{
    char path[320], hash[65], *data = calloc(1, 262144);
    struct box b;
    int i;

    box_open_file(&b);
    path_in(&b, "jobs.db-wal", path);
    for (i = 0; i < 400; i++) { /* 100 MiB */
        tako_blob blob = {hash, data, 262144};
        tako_row row = a_row(hash, "t", 0, 1000, 1000);
        const char *refs[] = {hash};
        int result;

        snprintf(hash, sizeof hash, "%064x", i);
        row.refs = refs;
        row.n_refs = 1;
        MUST(b.ops->begin(b.self, err));
        MUST(b.ops->put_blobs(b.self, &blob, 1, err));
        MUST(b.ops->insert(b.self, &row, 1, &result, err));
        MUST(b.ops->commit(b.self, err));
        ck_assert_int_eq(result, TAKO_OK);
    }
    ck_assert_int_lt(file_size(path), 24 * 1024 * 1024);
    free(data);
    box_close(&b);
}
END_TEST

START_TEST(durability_settings_are_what_they_should_be)
{
    char path[320], header[100];
    struct box b;

    box_open_file(&b);
    add_job(&b, "a", "t", 0);
    b.ops->close(b.self);
    path_in(&b, "jobs.db", path);
    ck_assert_uint_eq(read_file(path, header, sizeof header), sizeof header);
    ck_assert_int_eq(header[18], 2); /* the file says: write-ahead log */
    ck_assert_mem_eq(header + 68, "Tako", 4);
    ck_assert_int_eq(header[63], tako__sqlite_version());
    MUST(b.ops->open(&b.self, b.uri, cases_host(), err));
    box_close(&b);
}
END_TEST

Suite *suite_store_sqlite(void);
Suite *suite_store_sqlite(void)
{
    Suite *s = suite_create("store_sqlite");
    TCase *c = tcase_create("sqlite");

    tcase_set_timeout(c, 60);
    tcase_add_test(c, a_file_keeps_everything_over_a_reopen);
    tcase_add_test(c, every_open_of_memory_is_private);
    tcase_add_test(c, writes_need_a_transaction_and_a_failed_one_is_not_committed);
    tcase_add_test(c, more_delayed_jobs_than_one_claim_moves_are_all_claimed);
    tcase_add_test(c, processes_that_create_one_file_together_all_succeed);
    tcase_add_test(c, processes_claim_disjoint_jobs);
    tcase_add_test(c, kill_9_loses_no_acknowledged_row_and_keeps_no_open_one);
    tcase_add_test(c, the_watch_tells_writes_of_others_and_not_its_own);
    tcase_add_test(c, the_watch_does_not_miss_a_commit_on_a_slow_disk);
    tcase_add_test(c, bad_uris_are_refused_with_their_reason);
    tcase_add_test(c, a_path_is_only_a_path);
    tcase_add_test(c, what_is_no_database_or_damaged_is_refused_and_left_alone);
    tcase_add_test(c, a_database_of_another_program_is_never_touched);
    tcase_add_test(c, a_newer_schema_is_refused_with_both_versions);
    tcase_add_test(c, a_lock_of_another_process_is_named_and_outlived);
    tcase_add_test(c, unwritable_places_are_named_with_the_cause);
    tcase_add_test(c, a_file_that_was_replaced_or_removed_is_noticed);
    tcase_add_test(c, a_full_disk_fails_the_transaction_and_nothing_more);
    tcase_add_test(c, no_statement_walks_through_a_table_or_sorts);
    tcase_add_test(c, the_log_does_not_grow_without_bound);
    tcase_add_test(c, durability_settings_are_what_they_should_be);
    suite_add_tcase(s, c);
    return s;
}
