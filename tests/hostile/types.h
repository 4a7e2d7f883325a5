/* types.h - for tests of what job types ask of the sandbox: attempts are run through the executor's
 * own interface, as the engine does, in every mode that this machine gives.
 * SPDX-License-Identifier: MIT */
#ifndef TESTS_TYPES_H
#define TESTS_TYPES_H

#include "../../src/exec.h"
#include "../support/delegate.h"
#include "../support/hosts.h"

#include <ftw.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>

#define TYPES_UNUSED __attribute__((unused))

/* ---- modes ----------------------------------------------------------------------------------- */

enum types_mode { AS_ROOT, AS_USER, DELEGATED, BARE_USER, BARE_ROOT, TYPES_MODES };

static enum types_mode types_mode;
static char types_dir[64]; /* of the process that runs a body: its user owns it */

TYPES_UNUSED static int types_bare(void)
{
    return types_mode == BARE_USER || types_mode == BARE_ROOT;
}

TYPES_UNUSED static int types_remove_one(const char *path, const struct stat *st, int kind,
                                         struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

TYPES_UNUSED static void types_child(void (*body)(void))
{
    if (types_mode != AS_ROOT && types_mode != BARE_ROOT && getuid() == 0) {
        if ((types_mode == DELEGATED && !delegate_enter()) || setgroups(0, NULL) ||
            setresgid(DELEGATE_UID, DELEGATE_UID, DELEGATE_UID) ||
            setresuid(DELEGATE_UID, DELEGATE_UID, DELEGATE_UID))
            _exit(99);
        prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
    }
    snprintf(types_dir, sizeof(types_dir), "/tmp/tako-types-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(types_dir));
    ck_assert_int_eq(chmod(types_dir, 0755), 0);
    if (types_bare())
        host_refuse_namespaces();
    body();
    ck_assert_int_eq(nftw(types_dir, types_remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
    _exit(0);
}

/* Runs `body` in a process of the mode's kind and passes its failures on. */
TYPES_UNUSED static void types_in(int mode, void (*body)(void))
{
    char why[512];
    int status = 0;
    pid_t pid;

    types_mode = (enum types_mode)mode;
    if (getuid() != 0 && mode != AS_USER && mode != BARE_USER) {
        skip_or_fail("root", "job types as root, and delegating a cgroup");
        return;
    }
    if (types_bare() && syscall(444 /* landlock_create_ruleset */, NULL, 0, 1) < 6) {
        skip_or_fail("landlock", "Landlock ABI 6 (Linux 6.12) is needed without namespaces");
        return;
    }
    if (mode == DELEGATED && !delegate(why, sizeof(why))) {
        delegate_remove();
        skip_or_fail("delegated", why);
        return;
    }
    fflush(NULL);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0)
        types_child(body);
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    if (mode == DELEGATED)
        delegate_remove();
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0,
                  "the process of mode %d failed: wait status %d", mode, status);
}

/* ---- one attempt ----------------------------------------------------------------------------- */

struct types_run {
    char text[2][16384]; /* stdout and stderr */
    size_t len[2];
    struct tako__outcome outcome;
    int ready; /* a pipe that is written to at the first output, or -1 */
};

TYPES_UNUSED static void types_write(void *ctx, int stream, const void *data, size_t len)
{
    struct types_run *r = ctx;
    size_t *at = &r->len[stream - 1], room = sizeof(r->text[0]) - 1 - *at;

    memcpy(r->text[stream - 1] + *at, data, len < room ? len : room);
    *at += len < room ? len : room;
    r->text[stream - 1][*at] = '\0';
    if (r->ready >= 0) {
        ck_assert_int_eq(write(r->ready, "r", 1), 1);
        r->ready = -1;
    }
}
TYPES_UNUSED static const char *types_admit(void *ctx, const char *name, size_t len, int64_t bytes)
{
    (void)ctx;
    (void)name;
    (void)len;
    (void)bytes;
    return "none is wanted";
}
TYPES_UNUSED static int types_artifact(void *ctx, const char *name, const void *data, size_t len)
{
    (void)ctx;
    (void)name;
    (void)data;
    (void)len;
    return TAKO_OK;
}
TYPES_UNUSED static void types_reject(void *ctx, const char *name, size_t len, int64_t bytes,
                                      const char *reason)
{
    (void)ctx;
    (void)name;
    (void)len;
    (void)bytes;
    (void)reason;
}

TYPES_UNUSED static void *types_open_with(const tako_limits *limits, const char *interpreter,
                                          const char *rootfs)
{
    tako_options opts = TAKO_OPTIONS_INIT;
    tako_error err;
    tako_host host;
    void *self = NULL;
    int rc;

    opts.security = types_bare() ? TAKO_PERMISSIVE : TAKO_STRICT;
    opts.limits = limits;
    opts.interpreter = interpreter;
    opts.rootfs = rootfs;
    opts.cgroup = types_mode == DELEGATED ? delegate_path : NULL;
    tako__host_init(&host, &opts);
    ck_assert_msg(tako__exec_native()->open(&self, &host, &opts, &err) == TAKO_OK, "%s",
                  err.message);
    rc = interpreter ? TAKO_OK : tako__exec_native()->check(self, &err);
    if (rc != TAKO_OK) {
        skip_or_fail("native", err.message);
        tako__exec_native()->close(self);
        return NULL;
    }
    return self;
}

TYPES_UNUSED static void *types_open(void)
{
    return types_open_with(NULL, NULL, NULL);
}

TYPES_UNUSED static void types_close(void *self)
{
    tako__exec_native()->close(self);
}

TYPES_UNUSED static struct tako__task types_task(const char *code)
{
    struct tako__task task;

    memset(&task, 0, sizeof(task));
    task.id = "an-id";
    task.type = "a-type";
    task.attempt = 1;
    task.code = code;
    task.code_len = strlen(code);
    task.input = "{}";
    task.input_len = 2;
    task.timeout_ms = 30000;
    task.memory_bytes = 512 << 20;
    task.cancel_fd = -1;
    return task;
}

TYPES_UNUSED static void types_run(void *self, const struct tako__task *task, struct types_run *r)
{
    struct tako__sink sink = {r, types_write, types_admit, types_artifact, types_reject, NULL};

    r->len[0] = r->len[1] = 0;
    r->text[0][0] = r->text[1][0] = '\0';
    ck_assert_int_eq(tako__exec_native()->run(self, task, &sink, &r->outcome), TAKO_OK);
}

/* The program prints this and nothing else. */
TYPES_UNUSED static void types_prints(void *self, const struct tako__task *task,
                                      const char *expected)
{
    static struct types_run r;

    r.ready = -1;
    types_run(self, task, &r);
    ck_assert_msg(r.outcome.verdict == TAKO_VERDICT_EXIT && strcmp(r.text[0], expected) == 0,
                  "mode %d: %.200s\n%s, %d: %s\n%s\n%s", (int)types_mode, task->code,
                  tako_verdict_name(r.outcome.verdict), r.outcome.exit_code, r.outcome.message,
                  r.text[0], r.text[1]);
}

/* Nothing runs, now or later, and the message has these words. */
TYPES_UNUSED static void types_refused(void *self, const struct tako__task *task, const char *words)
{
    static struct types_run r;

    r.ready = -1;
    types_run(self, task, &r);
    ck_assert_msg(
        r.outcome.verdict == TAKO_VERDICT_SETUP && !r.outcome.retryable &&
            r.outcome.wall_us == -1 && r.len[0] + r.len[1] == 0 && strstr(r.outcome.message, words),
        "mode %d, \"%s\": %s, retryable %d, %s: %s", (int)types_mode, words,
        tako_verdict_name(r.outcome.verdict), r.outcome.retryable, r.outcome.message, r.text[0]);
}

/* A path below the test's directory; 64 at once. */
TYPES_UNUSED static const char *types_path(const char *name)
{
    static char path[64][192];
    static unsigned next;
    char *at = path[next++ % 64];

    snprintf(at, sizeof(path[0]), "%s/%s", types_dir, name);
    return at;
}

TYPES_UNUSED static void types_file(const char *name, const char *text, unsigned mode)
{
    int fd = open(types_path(name), O_CREAT | O_WRONLY | O_TRUNC | O_CLOEXEC, 0600);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    ck_assert_int_eq(fchmod(fd, mode), 0);
    close(fd);
}

TYPES_UNUSED static void types_mkdir(const char *name)
{
    ck_assert_int_eq(mkdir(types_path(name), 0755), 0);
    ck_assert_int_eq(chmod(types_path(name), 0755), 0);
}

/* A file of the job, formatted. */
TYPES_UNUSED static const char *types_code(const char *fmt, ...)
    __attribute__((format(printf, 1, 2)));
TYPES_UNUSED static const char *types_code(const char *fmt, ...)
{
    static char text[16384];
    va_list args;

    va_start(args, fmt);
    ck_assert_int_lt(vsnprintf(text, sizeof(text), fmt, args), (int)sizeof(text));
    va_end(args);
    return text;
}

/* What the intruders look at. */
TYPES_UNUSED static void types_make_shared(void)
{
    types_mkdir("shared");
    types_mkdir("shared/sub");
    types_file("shared/file", "of the host", 0644);
    types_file("shared/sub/deep", "deep", 0644);
    types_file("secret", "of nobody's business", 0644);
    ck_assert_int_eq(symlink("/etc/shadow", types_path("shared/shadow")), 0);
    ck_assert_int_eq(symlink("../secret", types_path("shared/up")), 0);
    ck_assert_int_eq(symlink("/proc/1/root/etc/shadow", types_path("shared/root")), 0);
}

#endif
