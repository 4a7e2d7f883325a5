/* check_crash.c - kill -9 of a host: nothing of its jobs lives on, and nothing it acknowledged is
 * lost or done twice. The host is a child process of the test; what it acknowledged and what its
 * jobs did is told over pipes and files outside of the store.
 * SPDX-License-Identifier: MIT */
#include "../support/sandbox.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>

Suite *suite_crash(void);

#define CRASH_RUNNING 20
#define CRASH_QUEUED 200
#define CRASH_SECONDS 12 /* for a slow machine to submit all and to start the first ones */
#define CRASH_JOBS (CRASH_RUNNING + CRASH_QUEUED)

struct crash_dir {
    char path[64], store[128];
};

static void crash_dir_make(struct crash_dir *d)
{
    snprintf(d->path, sizeof(d->path), "/tmp/tako-crash-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(d->path));
    snprintf(d->store, sizeof(d->store), "sqlite:%s/jobs.db", d->path);
}

static void crash_dir_remove(struct crash_dir *d)
{
    static const char *const files[] = {"jobs.db", "jobs.db-wal", "jobs.db-shm"};
    char path[128];
    size_t i;

    for (i = 0; i < 3; i++) {
        snprintf(path, sizeof(path), "%s/%s", d->path, files[i]);
        unlink(path);
    }
    ck_assert_int_eq(rmdir(d->path), 0);
}

static void crash_sleep_ms(long ms)
{
    struct timespec pause = {ms / 1000, ms % 1000 * 1000000};

    nanosleep(&pause, NULL);
}

/* Processes whose command line has `word`: the interpreters of jobs carry none, so jobs are found
 * by the program they execute under a parent that is gone. */
static int crash_count(const char *word)
{
    char path[300], text[512];
    struct dirent *entry;
    int fd, count = 0;
    ssize_t got, i;
    DIR *list = opendir("/proc");

    ck_assert_ptr_nonnull(list);
    while ((entry = readdir(list)) != NULL) {
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
            continue;
        snprintf(path, sizeof(path), "/proc/%s/cmdline", entry->d_name);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        got = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);
        if (fd >= 0)
            close(fd);
        for (i = 0; i < got; i++)
            if (text[i] == '\0')
                text[i] = ' ';
        text[got > 0 ? got : 0] = '\0';
        count += strstr(text, word) != NULL;
    }
    closedir(list);
    return count;
}

/* The host: 20 workers, 220 jobs of which 20 are soon running; writes each id once acknowledged. */
static void crash_host(const struct crash_dir *d, const char *mark, time_t until, int out)
{
    tako_options opts = TAKO_OPTIONS_INIT;
    tako_job job = TAKO_JOB_INIT;
    char code[160];
    tako_error err;
    tako_id id;
    tako *t = NULL;
    int i;

    opts.store = d->store;
    opts.workers = CRASH_RUNNING;
    if (tako_open(&t, &opts, &err) || tako_start(t, &err))
        _exit(3);
    /* Runs until killed the first time, ends at once the second: an attempt leaves no trace inside
     * the sandbox, so the program tells by time. A subprocess shows that trees die, too. */
    snprintf(code, sizeof(code),
             "import subprocess, time\n"
             "if time.time() < %lld: subprocess.run(['sleep', '%s'])\n"
             "print('done')\n",
             (long long)until, mark);
    job.code = code;
    job.timeout_ms = 60000;
    for (i = 0; i < CRASH_JOBS; i++) {
        if (tako_submit(t, &job, &id, &err))
            _exit(4);
        if (write(out, id.text, 36) != 36)
            _exit(5);
    }
    close(out);
    for (;;)
        pause();
}

static void check_kill_host(void)
{
    char mark[32], ids[CRASH_JOBS][37];
    tako_options opts = TAKO_OPTIONS_INIT;
    struct crash_dir d;
    tako_record *rec = NULL;
    tako_error err;
    tako *t = NULL;
    size_t done = 0;
    ssize_t got;
    time_t until;
    pid_t pid;
    int fd[2], i, tries, again = 0;

    t = sandbox_open(0);
    if (!t)
        return;
    tako_close(t);
    crash_dir_make(&d);
    snprintf(mark, sizeof(mark), "9%05ld.25", (long)getpid());
    ck_assert_int_eq(pipe2(fd, O_CLOEXEC), 0);
    until = time(NULL) + CRASH_SECONDS;
    pid = fork();
    if (pid == 0)
        crash_host(&d, mark, until, fd[1]);
    close(fd[1]);
    memset(ids, 0, sizeof(ids));
    for (i = 0; i < CRASH_JOBS; i++, done = 0)
        while (done < 36) {
            got = read(fd[0], ids[i] + done, 36 - done);
            ck_assert_msg(got > 0, "the host gave up after %d jobs", i);
            done += (size_t)got;
        }
    close(fd[0]);
    for (tries = 0; crash_count(mark) < CRASH_RUNNING && tries < 500; tries++)
        crash_sleep_ms(10);
    ck_assert_int_eq(crash_count(mark), CRASH_RUNNING);
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    ck_assert_int_eq(waitpid(pid, &i, 0), pid);
    crash_sleep_ms(1000);
    ck_assert_msg(crash_count(mark) == 0, "%d processes of jobs survived their host for a second",
                  crash_count(mark));

    opts.store = d.store;
    opts.workers = 8;
    ck_assert_msg(tako_open(&t, &opts, &err) == TAKO_OK, "%s", err.message);
    while (time(NULL) <= until) /* the jobs' own clock says that this is the second time */
        crash_sleep_ms(100);
    ck_assert_msg(tako_start(t, &err) == TAKO_OK, "%s", err.message);
    for (i = 0; i < CRASH_JOBS; i++) {
        ck_assert_msg(tako_wait(t, ids[i], 120000, &rec, &err) == TAKO_OK, "job %d: %s", i,
                      err.message);
        ck_assert_int_eq(tako_record_status(rec), TAKO_SUCCEEDED);
        ck_assert_str_eq(tako_record_stdout(rec, NULL), "done\n");
        ck_assert_int_eq(tako_record_attempt(rec), 1 + tako_record_deaths(rec));
        again += tako_record_deaths(rec);
        tako_record_free(rec);
    }
    ck_assert_int_eq(again, CRASH_RUNNING);
    tako_close(t);
    crash_dir_remove(&d);
}

START_TEST(nothing_survives_and_nothing_is_lost_when_the_host_is_killed)
{
    check_kill_host();
}
END_TEST

START_TEST(the_same_for_a_host_of_an_ordinary_user)
{
    sandbox_as_user(check_kill_host);
}
END_TEST

Suite *suite_crash(void)
{
    Suite *s = suite_create("crash");
    TCase *c = tcase_create("crash");

    tcase_set_timeout(c, 240);
    tcase_add_test(c, nothing_survives_and_nothing_is_lost_when_the_host_is_killed);
    tcase_add_test(c, the_same_for_a_host_of_an_ordinary_user);
    suite_add_tcase(s, c);
    return s;
}
