/* check_catalogue.c - the hostile catalogue: every program of programs/ ends as its line in
 * catalogue/ says, in every mode that this machine can give: as root, as an ordinary user with a
 * cgroup that was delegated to it, and as one without.
 *
 * Each mode has one engine, in a process of its own, that lives from the first program to the last.
 * After every few programs, which run beside each other, that engine still runs jobs, and has no
 * more descriptors, processes, mounts, namespaces and cgroups than before; at the end of each table
 * the interpreter and /etc are as they were.
 *
 * TAKO_TEST_SOURCE is the source tree, by default the working directory. TAKO_TEST_ONE_MODE=1 runs
 * one mode only, TAKO_TEST_PATIENCE=N gives every program N times its wall time, for slow machines.
 * For work on a program: TAKO_TEST_ONLY="RX01 RX02" runs some, TAKO_TEST_SHOW=1 shows their times.
 * SPDX-License-Identifier: MIT */
#include "../support/delegate.h"
#include "../support/leaks.h"
#include "../support/sandbox.h"
#include "catalogue.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/random.h>

Suite *suite_catalogue(void);

enum mode { AS_ROOT, DELEGATED, AS_USER, MODES };
static const char *const mode_name[MODES] = {"as root", "as a user with a delegated cgroup",
                                             "as a user without a cgroup"};

#define CANARY_LEN 32
#define WORKERS 4

static struct catalogue catalogue;

/* The process with the engine of one mode, and the pipes to it: a family's number goes there, and
 * what was wrong with its programs comes back. */
static struct host {
    pid_t pid; /* 0 = this mode is not to be had here */
    int ask[2], answer[2];
    int serial;
} host[MODES];

struct question {
    int serial, family;
};
struct reply {
    int serial;
    size_t len;
    char text[sizeof(((struct catalogue_text *)0)->text)];
};

/* ---- in the host: what must stay as it is ---------------------------------------------------- */

static const char *const kept_files[] = {"/usr/bin/python3", "/usr/bin/env", "/etc/passwd",
                                         "/etc/group",       "/etc/hosts",   "/etc/ld.so.cache",
                                         "/etc/os-release",  "/bin/sh"};
enum { KEPT_FILES = sizeof(kept_files) / sizeof(*kept_files) };

/* A sum over content, size, mode and owner; 0 = there is no such file. */
static uint64_t file_sum(const char *path)
{
    uint64_t sum = 14695981039346656037u;
    unsigned char bytes[65536];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    ssize_t n, i;

    if (fd < 0 || fstat(fd, &st) < 0)
        return 0;
    while ((n = read(fd, bytes, sizeof(bytes))) > 0)
        for (i = 0; i < n; i++)
            sum = (sum ^ bytes[i]) * 1099511628211u;
    close(fd);
    sum = (sum ^ (uint64_t)st.st_mode) * 1099511628211u;
    sum = (sum ^ (uint64_t)st.st_uid) * 1099511628211u;
    return (sum ^ (uint64_t)st.st_ino) * 1099511628211u;
}

/* ---- in the host: the jobs ------------------------------------------------------------------- */

struct world {
    enum mode mode;
    tako *t;
    bool weak; /* memory is limited by rlimits only */
    struct leaks_base base;
    uint64_t sum[KEPT_FILES];
    char canary[CANARY_LEN + 1], *copy;
    int file;
    struct catalogue_text text; /* what was wrong */
};

/* What jobs must never see is in this process's environment, memory and an open file. */
static void plant_canary(struct world *w)
{
    unsigned char bytes[CANARY_LEN / 2];
    int i;

    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        memset(bytes, 0x5a, sizeof(bytes));
    for (i = 0; i < CANARY_LEN / 2; i++)
        snprintf(w->canary + 2 * i, 3, "%02x", bytes[i]);
    setenv("TAKO_TEST_CANARY", w->canary, 1);
    w->copy = strdup(w->canary);
    w->file = memfd_create("canary", MFD_CLOEXEC);
    if (w->file >= 0 && write(w->file, w->canary, CANARY_LEN) != CANARY_LEN)
        catalogue_say(&w->text, "\n    the canary could not be written");
}

static bool submit(struct world *w, const struct catalogue_line *line, const char *role,
                   tako_id *id)
{
    tako_job job = TAKO_JOB_INIT;
    char input[200], reversed[CANARY_LEN + 1];
    tako_error err;
    int i;

    for (i = 0; i < CANARY_LEN; i++)
        reversed[i] = w->canary[CANARY_LEN - 1 - i];
    reversed[CANARY_LEN] = '\0';
    snprintf(input, sizeof(input), "{\"role\": \"%s\", \"canary\": \"%s\"}", role, reversed);
    job.code = line->code;
    job.input = input;
    job.timeout_ms = line->timeout_ms;
    job.memory_bytes = (int64_t)line->memory_mib << 20;
    job.cpu_timeout_ms = line->cpu_ms;
    job.output_kill_bytes = line->output_kill;
    if (tako_submit(w->t, &job, id, &err) == TAKO_OK)
        return true;
    catalogue_say(&w->text, "\n    %s was not accepted: %s", line->id, err.message);
    return false;
}

static void await(struct world *w, const struct catalogue_line *line, const char *role,
                  const tako_id *id)
{
    tako_record *rec = NULL;
    tako_error err;

    if (tako_wait(w->t, id->text, line->timeout_ms + 30000, &rec, &err) != TAKO_OK) {
        catalogue_say(&w->text, "\n    %s did not end: %s", line->id, err.message);
        tako_cancel(w->t, id->text, &err);
    } else {
        catalogue_judge(line, rec, w->weak, role, &w->text);
    }
    tako_record_free(rec);
}

/* An innocent job ends as ever. */
static void run_canary(struct world *w, const char *after)
{
    static const char code[] = "import os, sys\n"
                               "open('/tmp/x', 'w').write(sys.stdin.read() + 'as')\n"
                               "print(open('/tmp/x').read(), 'ever', os.listdir('/output'))\n";
    tako_job job = TAKO_JOB_INIT;
    tako_record *rec = NULL;
    tako_error err;

    job.code = code;
    job.timeout_ms = 20000;
    if (tako_run(w->t, &job, &rec, &err) != TAKO_OK)
        catalogue_say(&w->text, "\n    after %s the engine runs no jobs: %s", after, err.message);
    else if (tako_record_status(rec) != TAKO_SUCCEEDED ||
             strcmp(tako_record_stdout(rec, NULL), "as ever []\n") != 0)
        catalogue_say(&w->text, "\n    after %s an innocent job ends as %s: %s %s%s", after,
                      tako_verdict_name(tako_record_verdict(rec)),
                      tako_record_error_message(rec) ? tako_record_error_message(rec) : "",
                      tako_record_stdout(rec, NULL), tako_record_stderr(rec, NULL));
    tako_record_free(rec);
}

static bool is_wanted(const struct catalogue_line *line, enum mode mode)
{
    const char *only = getenv("TAKO_TEST_ONLY"), *at;
    size_t len = strlen(line->id);

#ifndef __x86_64__
    if (line->x86)
        return false;
#endif
    if (line->root && mode != AS_ROOT)
        return false;
    if (!only || !*only)
        return true;
    for (at = only; (at = strstr(at, line->id)) != NULL; at += len)
        if ((at == only || at[-1] == ' ') && (!at[len] || at[len] == ' '))
            return true;
    return false;
}

/* Lines that run beside each other: at most as many jobs as there are workers. */
struct batch {
    const struct catalogue_line *line[WORKERS];
    int n_lines, n_jobs;
};

static void run_batch(struct world *w, struct batch *batch)
{
    const struct catalogue_line *line;
    bool has_a[WORKERS], has_b[WORKERS];
    tako_id a[WORKERS], b[WORKERS];
    struct timespec from, to;
    char names[120] = "", text[400];
    size_t len = 0;
    int i;

    if (batch->n_lines == 0)
        return;
    clock_gettime(CLOCK_MONOTONIC, &from);
    for (i = 0; i < batch->n_lines; i++) {
        line = batch->line[i];
        len += (size_t)snprintf(names + len, sizeof(names) - len, "%s%s", i ? ", " : "", line->id);
        has_a[i] = submit(w, line, "a", &a[i]);
        has_b[i] = line->pair && submit(w, line, "b", &b[i]);
    }
    for (i = 0; i < batch->n_lines; i++) {
        line = batch->line[i];
        if (has_a[i])
            await(w, line, line->pair || line->sequel ? "a" : "", &a[i]);
        if (line->sequel)
            has_b[i] = submit(w, line, "b", &b[i]);
    }
    for (i = 0; i < batch->n_lines; i++)
        if (has_b[i])
            await(w, batch->line[i], "b", &b[i]);
    run_canary(w, names);
    if (!leaks_back(&w->base, text, sizeof(text)))
        catalogue_say(&w->text, "\n    %s: %s", names, text);
    clock_gettime(CLOCK_MONOTONIC, &to);
    if (getenv("TAKO_TEST_SHOW"))
        fprintf(stderr, "%s: %s: %lld ms\n", mode_name[w->mode], names,
                (long long)(to.tv_sec - from.tv_sec) * 1000 +
                    (to.tv_nsec - from.tv_nsec) / 1000000);
    batch->n_lines = batch->n_jobs = 0;
}

static void run_family(struct world *w, int family)
{
    struct batch batch = {{NULL}, 0, 0};
    const struct catalogue_line *line;
    int i, jobs;

    w->text.len = 0;
    w->text.text[0] = '\0';
    for (i = catalogue.first[family]; i < catalogue.first[family + 1]; i++) {
        line = &catalogue.line[i];
        if (!is_wanted(line, w->mode))
            continue;
        jobs = line->pair ? 2 : 1;
        if (batch.n_jobs + jobs > WORKERS)
            run_batch(w, &batch);
        batch.line[batch.n_lines++] = line;
        batch.n_jobs += jobs;
    }
    run_batch(w, &batch);
    for (i = 0; i < KEPT_FILES; i++)
        if (file_sum(kept_files[i]) != w->sum[i])
            catalogue_say(&w->text, "\n    %s is not as it was", kept_files[i]);
    if (!w->copy || strcmp(w->copy, w->canary) != 0)
        catalogue_say(&w->text, "\n    the host's memory is not as it was");
}

/* ---- the host's life ------------------------------------------------------------------------- */

static void become_user(const struct world *w)
{
    if (w->mode == DELEGATED && !delegate_enter())
        _exit(98);
    if (getuid() != 0 || w->mode == AS_ROOT)
        return;
    if (setgroups(0, NULL) || setresgid(DELEGATE_UID, DELEGATE_UID, DELEGATE_UID) ||
        setresuid(DELEGATE_UID, DELEGATE_UID, DELEGATE_UID) || chdir("/"))
        _exit(99);
    prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); /* as a process of that user is from its start */
}

static int note_limit(void *ctx, const tako_layer *layer)
{
    struct world *w = ctx;

    if (strcmp(layer->name, "memory_limit") == 0 && layer->state != TAKO_LAYER_ON) {
        w->weak = true;
        if (w->mode == DELEGATED)
            catalogue_say(&w->text, "skip: %s", layer->detail);
    }
    return 0;
}

/* Opens the engine and warms it up. What is said then begins with "skip: " or is a failure; ""
 * means that the mode is there. */
static void open_world(struct world *w)
{
    tako_options opts = TAKO_OPTIONS_INIT;
    tako_job job[WORKERS];
    tako_record *rec;
    tako_error err;
    tako_id id[WORKERS];
    int i, j;

    plant_canary(w);
    opts.workers = WORKERS;
    if (w->mode == DELEGATED)
        opts.cgroup = delegate_path;
    if (tako_open(&w->t, &opts, &err) != TAKO_OK) {
        catalogue_say(&w->text, "the engine does not open: %s", err.message);
        return;
    }
    if (tako_isolation(w->t, note_limit, w, &err) != TAKO_OK) {
        w->text.len = 0;
        catalogue_say(&w->text, "skip: %s", err.message);
        return;
    }
    if (w->mode == DELEGATED && w->weak)
        return; /* the reason has been noted */
    w->text.len = 0;
    w->text.text[0] = '\0';
    if (tako_start(w->t, &err) != TAKO_OK) {
        catalogue_say(&w->text, "the engine does not start: %s", err.message);
        return;
    }
    for (i = 0; i < WORKERS; i++) {
        job[i] = (tako_job)TAKO_JOB_INIT;
        job[i].code = "import time; time.sleep(0.1)";
    }
    for (i = 0; i < 4; i++) { /* so many at a time that every worker has run some */
        if (tako_submit_many(w->t, job, WORKERS, id, &err) != TAKO_OK) {
            catalogue_say(&w->text, "no job is accepted: %s", err.message);
            return;
        }
        for (j = 0; j < WORKERS; j++) {
            rec = NULL;
            if (tako_wait(w->t, id[j].text, 30000, &rec, &err) != TAKO_OK ||
                tako_record_status(rec) != TAKO_SUCCEEDED)
                catalogue_say(&w->text, "a first job fails: %s",
                              rec ? tako_record_error_message(rec) : err.message);
            tako_record_free(rec);
        }
    }
    leaks_settle(&w->base);
    for (i = 0; i < KEPT_FILES; i++)
        w->sum[i] = file_sum(kept_files[i]);
}

static void reply(int fd, int serial, const struct catalogue_text *text)
{
    static struct reply r;
    const char *at = (const char *)&r;
    size_t left = sizeof(r);
    ssize_t n;

    r.serial = serial;
    r.len = text->len;
    memcpy(r.text, text->text, sizeof(r.text));
    for (; left > 0; left -= (size_t)n, at += n) {
        n = write(fd, at, left);
        if (n <= 0)
            _exit(97);
    }
}

static void host_main(enum mode mode, const struct host *h, pid_t parent)
{
    static struct world w;
    struct question q;

    w.mode = mode;
    close(h->ask[1]);
    close(h->answer[0]);
    become_user(&w);
    prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (getppid() != parent)
        _exit(96);
    open_world(&w);
    reply(h->answer[1], 0, &w.text);
    while (read(h->ask[0], &q, sizeof(q)) == (ssize_t)sizeof(q)) {
        run_family(&w, q.family);
        reply(h->answer[1], q.serial, &w.text);
    }
    tako_close(w.t);
    free(w.copy);
    exit(0);
}

/* ---- in the runner --------------------------------------------------------------------------- */

static bool hear(const struct host *h, int serial, struct reply *r)
{
    char *at;
    size_t left;
    ssize_t n;

    do {
        at = (char *)r;
        for (left = sizeof(*r); left > 0; left -= (size_t)n, at += n) {
            n = read(h->answer[0], at, left);
            if (n <= 0)
                return false;
        }
    } while (r->serial < serial); /* the late answer to a test that timed out */
    r->text[sizeof(r->text) - 1] = '\0';
    return true;
}

static void host_stop(struct host *h)
{
    if (!h->pid)
        return;
    close(h->ask[1]);
    close(h->answer[0]);
    waitpid(h->pid, NULL, 0);
    h->pid = 0;
}

/* The one mode of a run under a sanitizer, or where the suites run for the sake of a compiler. */
static enum mode only_mode(void)
{
    if (!*test_sanitizer() && !getenv("TAKO_TEST_ONE_MODE"))
        return MODES;
    return getuid() == 0 ? AS_ROOT : AS_USER;
}

static void mode_setup(enum mode mode)
{
    static struct reply r;
    struct host *h = &host[mode];
    char why[300] = "";
    pid_t parent = getpid();

    if (mode != only_mode() && only_mode() != MODES) {
        skip_or_fail("modes", "the catalogue runs in one mode here");
        return;
    }
    if (getuid() != 0 && mode != AS_USER) {
        skip_or_fail("root", mode == AS_ROOT ? "the catalogue as root" : "delegating a cgroup");
        return;
    }
    if (mode == DELEGATED && !delegate(why, sizeof(why))) {
        delegate_remove();
        skip_or_fail("delegated", why);
        return;
    }
    ck_assert_int_eq(pipe2(h->ask, O_CLOEXEC), 0);
    ck_assert_int_eq(pipe2(h->answer, O_CLOEXEC), 0);
    fflush(NULL);
    h->pid = fork();
    ck_assert_int_ge(h->pid, 0);
    if (h->pid == 0)
        host_main(mode, h, parent);
    close(h->ask[0]);
    close(h->answer[1]);
    if (!hear(h, 0, &r))
        snprintf(r.text, sizeof(r.text), "the process with the engine has died");
    if (*r.text) {
        host_stop(h);
        delegate_remove();
        if (strncmp(r.text, "skip: ", 6) != 0)
            ck_abort_msg("%s: %s", mode_name[mode], r.text);
        skip_or_fail("native", r.text + 6);
    }
}

static void as_root_setup(void)
{
    mode_setup(AS_ROOT);
}
static void delegated_setup(void)
{
    mode_setup(DELEGATED);
}
static void as_user_setup(void)
{
    mode_setup(AS_USER);
}
static void as_root_teardown(void)
{
    host_stop(&host[AS_ROOT]);
}
static void delegated_teardown(void)
{
    host_stop(&host[DELEGATED]);
    delegate_remove();
}
static void as_user_teardown(void)
{
    host_stop(&host[AS_USER]);
}

/* One family of the catalogue; the host outlives the process of this test. */
static void family_holds(enum mode mode, int family)
{
    static struct reply r;
    struct host *h = &host[mode];
    struct question q = {family + 1, family};
    if (!h->pid)
        return; /* skipped, and said */
    if (write(h->ask[1], &q, sizeof(q)) == (ssize_t)sizeof(q) && hear(h, q.serial, &r)) {
        ck_assert_msg(r.len == 0, "%s %s:%s", catalogue.family[family], mode_name[mode], r.text);
        return;
    }
    ck_abort_msg("%s %s: the process with the engine has died", catalogue.family[family],
                 mode_name[mode]);
}

START_TEST(a_family_of_the_catalogue_holds_as_root)
{
    family_holds(AS_ROOT, _i);
}
END_TEST
START_TEST(a_family_of_the_catalogue_holds_in_a_delegated_cgroup)
{
    family_holds(DELEGATED, _i);
}
END_TEST
START_TEST(a_family_of_the_catalogue_holds_without_a_cgroup)
{
    family_holds(AS_USER, _i);
}
END_TEST

START_TEST(the_catalogue_can_be_read)
{
    ck_assert_msg(!*catalogue.error, "%s", catalogue.error);
    ck_assert_int_gt(catalogue.first[catalogue.n_families], 0);
}
END_TEST

static void add_mode(Suite *s, enum mode mode, const TTest *test, SFun setup, SFun teardown)
{
    TCase *c = tcase_create(mode_name[mode]);

    tcase_set_timeout(c, 600);
    tcase_add_unchecked_fixture(c, setup, teardown);
    tcase_add_loop_test(c, test, 0, catalogue.n_families);
    suite_add_tcase(s, c);
}

Suite *suite_catalogue(void)
{
    const char *source = getenv("TAKO_TEST_SOURCE");
    Suite *s = suite_create("catalogue");
    TCase *c = tcase_create("tables");

    catalogue_read(&catalogue, source && *source ? source : ".");
    tcase_add_test(c, the_catalogue_can_be_read);
    suite_add_tcase(s, c);
    if (*catalogue.error)
        return s;
    add_mode(s, AS_ROOT, a_family_of_the_catalogue_holds_as_root, as_root_setup, as_root_teardown);
    add_mode(s, DELEGATED, a_family_of_the_catalogue_holds_in_a_delegated_cgroup, delegated_setup,
             delegated_teardown);
    add_mode(s, AS_USER, a_family_of_the_catalogue_holds_without_a_cgroup, as_user_setup,
             as_user_teardown);
    return s;
}
