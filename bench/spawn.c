/* spawn.c - the programs that the engine is compared with: bare, inside bubblewrap, and this
 * program once more with a heap of its own.
 *
 * SPDX-License-Identifier: MIT */
#include "bench.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* posix_spawn wants pointers to non-const characters that it does not change. */
union spawn_argv {
    const char *const *from;
    char *const *to;
};

/* `env` NULL = this process's own; `in`, `out` -1 = /dev/null. */
static int spawn_start(pid_t *pid, const char *const *argv, const char *const *env, int in, int out)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attr;
    union spawn_argv args, vars;
    sigset_t none;
    int rc;

    args.from = argv;
    vars.to = environ;
    if (env)
        vars.from = env;
    (void)sigemptyset(&none);
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawnattr_init(&attr);
    (void)posix_spawnattr_setsigmask(&attr, &none);
    (void)posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
    if (in >= 0)
        rc = posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
    else
        rc = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (rc == 0 && out >= 0)
        rc = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    else if (rc == 0)
        rc = posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    if (rc == 0)
        rc = posix_spawnp(pid, argv[0], &actions, &attr, args.to, vars.to);
    (void)posix_spawnattr_destroy(&attr);
    (void)posix_spawn_file_actions_destroy(&actions);
    return rc;
}

static int spawn_wait(pid_t pid)
{
    int status = -1;

    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return status == 0 ? 0 : -1;
}

int bench_spawn(const char *const *argv)
{
    pid_t pid;

    if (spawn_start(&pid, argv, NULL, -1, -1) != 0)
        return -1;
    return spawn_wait(pid);
}

int bench_spawn_read(const char *const *argv, const char *const *env, char *out, size_t size)
{
    char rest[256];
    size_t len = 0;
    ssize_t got = 1;
    int up[2], rc;
    pid_t pid;

    if (pipe2(up, O_CLOEXEC) != 0)
        return -1;
    rc = spawn_start(&pid, argv, env, -1, up[1]);
    (void)close(up[1]);
    while (rc == 0 && got != 0) {
        bool room = len + 1 < size;

        got = room ? read(up[0], out + len, size - 1 - len) : read(up[0], rest, sizeof rest);
        if (got > 0 && room)
            len += (size_t)got;
        else if (got < 0 && errno != EINTR)
            break;
    }
    out[len] = '\0';
    (void)close(up[0]);
    return rc == 0 ? spawn_wait(pid) : -1;
}

void bench_bwrap_argv(const char **argv, const char *const *program, size_t n)
{
    static const char *const bwrap[BENCH_BWRAP_ARGS] = {
        "bwrap",        "--unshare-all", "--ro-bind",
        "/usr",         "/usr",          "--symlink",
        "usr/lib",      "/lib",          "--symlink",
        "usr/lib64",    "/lib64",        "--symlink",
        "usr/bin",      "/bin",          "--proc",
        "/proc",        "--dev",         "/dev",
        "--tmpfs",      "/tmp",          "--die-with-parent",
        "--new-session"};
    size_t i;

    memcpy(argv, bwrap, sizeof bwrap);
    for (i = 0; i < n; i++)
        argv[BENCH_BWRAP_ARGS + i] = program[i];
    argv[BENCH_BWRAP_ARGS + n] = NULL;
}

const char *bench_bwrap_missing(void)
{
    static const char *const version[] = {"bwrap", "--version", NULL};
    static const char *const program[] = {"/usr/bin/true"};
    const char *argv[BENCH_BWRAP_ARGS + 2];

    if (bench_spawn(version) != 0)
        return "bwrap is not installed (Debian: bubblewrap)";
    bench_bwrap_argv(argv, program, 1);
    return bench_spawn(argv) == 0 ? NULL : "bwrap is installed but cannot make a sandbox here";
}

/* ---- peers ----------------------------------------------------------------------------------- */

int bench_peer_start(struct bench_peer *p, const char *self, const char *const *args)
{
    const char *argv[8] = {self};
    int down[2], up[2], rc;
    size_t i;

    p->pid = -1;
    if (pipe2(down, O_CLOEXEC) != 0)
        return -1;
    if (pipe2(up, O_CLOEXEC) != 0) {
        (void)close(down[0]);
        (void)close(down[1]);
        return -1;
    }
    for (i = 0; args[i] && i < 6; i++)
        argv[i + 1] = args[i];
    argv[i + 1] = NULL;
    rc = spawn_start(&p->pid, argv, NULL, down[0], up[1]);
    (void)close(down[0]);
    (void)close(up[1]);
    p->to = down[1];
    p->from = up[0];
    if (rc != 0) {
        p->pid = -1;
        bench_peer_stop(p);
        return -1;
    }
    return 0;
}

double bench_peer_ask(struct bench_peer *p, char what)
{
    double answer;

    if (write(p->to, &what, 1) != 1 || read(p->from, &answer, sizeof answer) != sizeof answer)
        return -1;
    return answer;
}

void bench_peer_stop(struct bench_peer *p)
{
    (void)close(p->to); /* the child reads end of file and leaves */
    (void)close(p->from);
    if (p->pid > 0)
        (void)spawn_wait(p->pid);
    p->pid = -1;
}
