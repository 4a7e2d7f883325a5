/* inject.h - makes one system call fail in a sandbox that is being set up. The host of the engine
 * is a child process of the test, traced with ptrace(2), and so is all that it starts for a job:
 *
 *     host --vfork--> child --exec--> init --fork--> job --exec--> the program
 *
 * A round begins and ends when the host calls inject_ready(). During a round the n-th system call
 * of one phase fails: it is not made, or it is made and its result is thrown away where not making
 * it would be no failure but a leak (close). A process that has executed the program is let go: it
 * runs at full speed.
 *
 * Host, init and job run at the same time. A call that is to fail in the host or in init is held
 * back until the job has ended, or waits for them: the worst order is tried, not a likely one.
 *
 * x86-64 only: inject_start says no elsewhere.
 * SPDX-License-Identifier: MIT */
#ifndef TESTS_INJECT_H
#define TESTS_INJECT_H

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define INJECT_UNUSED __attribute__((unused))

enum inject_phase {
    INJECT_NONE,  /* nothing fails */
    INJECT_HOST,  /* the host's thread, from inject_ready() to the clone */
    INJECT_CHILD, /* from the clone to the execution of init */
    INJECT_INIT,  /* pid 1, until it waits for the job's end */
    INJECT_JOB,   /* from init's fork to the execution of the program */
    INJECT_WATCH, /* the host's thread, from the clone until it waits for the program */
    INJECT_PHASES
};

enum inject_role {
    INJECT_IS_NEW, /* stopped at its first instruction before its parent said who it is */
    INJECT_IS_HOST,
    INJECT_IS_CHILD,
    INJECT_IS_INIT,
    INJECT_IS_JOB,
    INJECT_IS_OTHER
};

struct inject_task {
    pid_t pid;
    enum inject_role role;
    bool waits;  /* stopped, to be resumed once its role is known */
    bool polled; /* its last system call waited for something to happen */
};

#define INJECT_TASKS 64

/* Called with a process that is stopped: before the program's first instruction, and when init is
 * about to end. */
typedef void inject_seen_fn(void *ctx, pid_t pid);

struct inject {
    pid_t host;
    struct inject_task task[INJECT_TASKS + 1];
    int n_tasks;
    inject_seen_fn *at_program, *at_init_exit;
    void *ctx;
    /* of the present round */
    enum inject_phase phase;
    int target, error;
    int calls;         /* of that phase so far */
    bool fired, over;  /* the target has failed; the phase has ended */
    pid_t init;        /* the host's fork, which executes init; 0 before */
    pid_t job;         /* init's fork; 0 before */
    int programs;      /* how often the program was executed */
    pid_t pending;     /* its result is to be replaced */
    pid_t held;        /* stopped at the target until the job has gone as far as it can */
    int idle_looks;    /* how often the job was found waiting, while `held` */
    int64_t held_ms;   /* for how long */
    long nr;           /* the call that failed, */
    uint64_t args[6];  /* and with what */
    char trouble[200]; /* why inject_round returned -1 */
};

static const struct {
    long nr;
    const char *name;
} inject_names[] = {
#define INJECT_NAME(name) \
    {                     \
        SYS_##name, #name \
    }
    INJECT_NAME(read),
    INJECT_NAME(write),
    INJECT_NAME(close),
    INJECT_NAME(mmap),
    INJECT_NAME(munmap),
    INJECT_NAME(mprotect),
    INJECT_NAME(brk),
    INJECT_NAME(ioctl),
    INJECT_NAME(fcntl),
    INJECT_NAME(pipe2),
    INJECT_NAME(dup3),
    INJECT_NAME(socketpair),
    INJECT_NAME(sendmsg),
    INJECT_NAME(recvmsg),
    INJECT_NAME(clone),
    INJECT_NAME(execve),
    INJECT_NAME(execveat),
    INJECT_NAME(wait4),
    INJECT_NAME(kill),
    INJECT_NAME(openat),
    INJECT_NAME(mkdirat),
    INJECT_NAME(symlinkat),
    INJECT_NAME(chdir),
    INJECT_NAME(umask),
    INJECT_NAME(mount),
    INJECT_NAME(umount2),
    INJECT_NAME(pivot_root),
    INJECT_NAME(setsid),
    INJECT_NAME(setgroups),
    INJECT_NAME(setresuid),
    INJECT_NAME(setresgid),
    INJECT_NAME(capget),
    INJECT_NAME(capset),
    INJECT_NAME(prctl),
    INJECT_NAME(prlimit64),
    INJECT_NAME(keyctl),
    INJECT_NAME(unshare),
    INJECT_NAME(setns),
    INJECT_NAME(seccomp),
    INJECT_NAME(sethostname),
    INJECT_NAME(rt_sigaction),
    INJECT_NAME(rt_sigprocmask),
    INJECT_NAME(setdomainname),
    INJECT_NAME(signalfd4),
    INJECT_NAME(memfd_create),
    INJECT_NAME(getpriority),
    INJECT_NAME(setpriority),
    INJECT_NAME(clock_gettime),
    INJECT_NAME(futex),
    INJECT_NAME(ppoll),
    INJECT_NAME(mknodat),
    INJECT_NAME(fchmodat),
    INJECT_NAME(fchownat),
    INJECT_NAME(sched_getscheduler),
    INJECT_NAME(getpid),
    INJECT_NAME(getppid),
    INJECT_NAME(gettid),
    INJECT_NAME(geteuid),
    INJECT_NAME(getegid),
    INJECT_NAME(timerfd_settime),
    INJECT_NAME(getrandom),
    INJECT_NAME(madvise),
    INJECT_NAME(newfstatat),
    INJECT_NAME(lseek),
    INJECT_NAME(ftruncate),
    INJECT_NAME(pread64),
    INJECT_NAME(pwrite64),
    INJECT_NAME(nanosleep),
    INJECT_NAME(clock_nanosleep),
#ifdef SYS_mkdir
    INJECT_NAME(mkdir),
    INJECT_NAME(rmdir),
    INJECT_NAME(poll),
#endif
#undef INJECT_NAME
    /* the same numbers everywhere, and not in all headers */
    {424, "pidfd_send_signal"},
    {428, "open_tree"},
    {429, "move_mount"},
    {436, "close_range"},
    {437, "openat2"},
    {442, "mount_setattr"},
    {444, "landlock_create_ruleset"},
    {445, "landlock_add_rule"},
    {446, "landlock_restrict_self"},
};

/* "mount", or "system call 999". Of the last call until the next. */
INJECT_UNUSED static const char *inject_call_name(long nr, char text[32])
{
    size_t i;

    for (i = 0; i < sizeof(inject_names) / sizeof(*inject_names); i++)
        if (inject_names[i].nr == nr)
            return inject_names[i].name;
    snprintf(text, 32, "system call %ld", nr);
    return text;
}

/* ---- in the host ----------------------------------------------------------------------------- */

/* Ends a round, and begins the next one when it returns. */
INJECT_UNUSED static void inject_ready(void)
{
    sigset_t all;

    sigemptyset(&all); /* a call that failed may have left it full */
    sigprocmask(SIG_SETMASK, &all, NULL);
    syscall(SYS_tgkill, getpid(), (pid_t)syscall(SYS_gettid), SIGUSR1);
}

/* ---- in the tracer --------------------------------------------------------------------------- */

/* The task with that pid, from now on known. */
static struct inject_task *inject_find(struct inject *in, pid_t pid)
{
    struct inject_task *t;
    int i;

    for (i = 0; i < in->n_tasks; i++)
        if (in->task[i].pid == pid)
            return &in->task[i];
    t = &in->task[in->n_tasks];
    memset(t, 0, sizeof(*t));
    t->pid = pid;
    if (in->n_tasks < INJECT_TASKS) /* else it is resumed, but not remembered */
        in->n_tasks++;
    return t;
}

static void inject_forget(struct inject *in, pid_t pid)
{
    int i;

    for (i = 0; i < in->n_tasks; i++)
        if (in->task[i].pid == pid) {
            in->task[i] = in->task[--in->n_tasks];
            break;
        }
    if (in->held == pid)
        in->held = 0;
    if (in->pending == pid)
        in->pending = 0;
}

static bool inject_in_phase(const struct inject *in, enum inject_role role)
{
    static const enum inject_role of_phase[INJECT_PHASES] = {INJECT_IS_NEW,   INJECT_IS_HOST,
                                                             INJECT_IS_CHILD, INJECT_IS_INIT,
                                                             INJECT_IS_JOB,   INJECT_IS_HOST};

    if (in->phase == INJECT_WATCH && in->init == 0)
        return false;
    return in->phase != INJECT_NONE && of_phase[in->phase] == role && !in->fired && !in->over;
}

static void inject_resume(struct inject *in, const struct inject_task *t, int signal)
{
    bool calls = inject_in_phase(in, t->role) || in->pending == t->pid;

    ptrace(calls ? PTRACE_SYSCALL : PTRACE_CONT, t->pid, NULL, (void *)(intptr_t)signal);
}

#if defined(__x86_64__)
static void inject_skip_call(pid_t pid)
{
    struct user_regs_struct regs;

    if (ptrace(PTRACE_GETREGS, pid, NULL, &regs) == 0) {
        regs.orig_rax = (unsigned long long)-1;
        ptrace(PTRACE_SETREGS, pid, NULL, &regs);
    }
}

static void inject_set_result(pid_t pid, long result)
{
    struct user_regs_struct regs;

    if (ptrace(PTRACE_GETREGS, pid, NULL, &regs) == 0) {
        regs.rax = (unsigned long long)result;
        ptrace(PTRACE_SETREGS, pid, NULL, &regs);
    }
}
#else
static void inject_skip_call(pid_t pid)
{
    (void)pid;
}
static void inject_set_result(pid_t pid, long result)
{
    (void)pid;
    (void)result;
}
#endif

static bool inject_is_wait(uint64_t nr)
{
    return nr == SYS_ppoll || nr == SYS_epoll_pwait
#ifdef SYS_poll
           || nr == SYS_poll || nr == SYS_epoll_wait
#endif
        ;
}

/* At a system call's entry: counts it, and makes it fail when it is the one. True when the task is
 * to stay stopped. */
static bool inject_enter(struct inject *in, struct inject_task *t, const uint64_t *args,
                         uint64_t nr)
{
    if (!inject_in_phase(in, t->role) || nr == SYS_exit || nr == SYS_exit_group)
        return false;
    if (t->role == INJECT_IS_HOST && nr == SYS_futex)
        return false; /* libc's own locks: no step of the set-up, and libc ends the process */
    if ((t->role == INJECT_IS_INIT && in->job != 0 && inject_is_wait(nr)) ||
        (in->phase == INJECT_WATCH && in->programs > 0 && (t->polled || inject_is_wait(nr)))) {
        in->over = true; /* what it does now is about the program, not the set-up */
        return false;
    }
    t->polled = inject_is_wait(nr);
    if (++in->calls != in->target)
        return false;
    in->fired = true;
    in->nr = (long)nr;
    memcpy(in->args, args, sizeof(in->args));
    in->pending = t->pid;
    if (nr != SYS_close)
        inject_skip_call(t->pid);
    if (in->phase != INJECT_WATCH && (in->phase != INJECT_INIT || in->job == 0))
        return false;
    in->held = t->pid;
    in->idle_looks = 0;
    in->held_ms = 0;
    return true;
}

/* A stop at a system call's entry or exit; true when the task is to stay stopped. */
static bool inject_at_call(struct inject *in, struct inject_task *t)
{
    struct __ptrace_syscall_info info;

    memset(&info, 0, sizeof(info));
    if (ptrace(PTRACE_GET_SYSCALL_INFO, t->pid, (void *)sizeof(info), &info) <= 0)
        return false;
    if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
        return inject_enter(in, t, (const uint64_t *)info.entry.args, info.entry.nr);
    if (info.op == PTRACE_SYSCALL_INFO_EXIT && in->pending == t->pid) {
        inject_set_result(t->pid, -in->error);
        in->pending = 0;
    }
    return false;
}

/* Who was born by whom decides who it is. */
static void inject_at_birth(struct inject *in, const struct inject_task *parent, int event)
{
    struct inject_task *child;
    unsigned long pid = 0;

    ptrace(PTRACE_GETEVENTMSG, parent->pid, NULL, &pid);
    child = inject_find(in, (pid_t)pid);
    child->role = INJECT_IS_OTHER;
    if (parent->role == INJECT_IS_HOST && event == PTRACE_EVENT_VFORK) {
        child->role = INJECT_IS_CHILD;
        in->over |= in->phase == INJECT_HOST;
        in->init = child->pid;
        in->job = 0;
    } else if (parent->role == INJECT_IS_INIT && in->job == 0) {
        child->role = INJECT_IS_JOB;
        in->job = child->pid;
    }
    if (child->waits)
        inject_resume(in, child, 0);
    child->waits = false;
}

/* True when the task is not ours any more. */
static bool inject_at_exec(struct inject *in, struct inject_task *t)
{
    if (t->role == INJECT_IS_CHILD) {
        t->role = INJECT_IS_INIT;
        return false;
    }
    if (t->role != INJECT_IS_JOB)
        return false;
    in->programs++;
    if (in->at_program)
        in->at_program(in->ctx, t->pid);
    ptrace(PTRACE_DETACH, t->pid, NULL, NULL);
    inject_forget(in, t->pid);
    return true;
}

static char inject_state(pid_t pid)
{
    char path[64], text[300];
    const char *at = NULL;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
    f = fopen(path, "re");
    if (f && fgets(text, sizeof(text), f))
        at = strrchr(text, ')');
    if (f)
        fclose(f);
    return at && at[1] ? at[2] : 'X';
}

/* While a call is held back: lets it go once the job has ended, or waits (as init may before it
 * makes the job) although the program was not executed. */
static void inject_look(struct inject *in)
{
    static const struct timespec pause = {0, 1000000};
    char state = inject_state(in->job ? in->job : in->init);
    bool idle = in->programs == 0 && (state == 'S' || state == 'D');

    in->idle_looks = idle ? in->idle_looks + 1 : 0;
    if (state == 'Z' || state == 'X' || in->idle_looks >= 10 || ++in->held_ms > 10000) {
        inject_resume(in, inject_find(in, in->held), 0);
        in->held = 0;
        return;
    }
    nanosleep(&pause, NULL);
}

static void inject_stopped(struct inject *in, struct inject_task *t, int status)
{
    int signal = WSTOPSIG(status), event = status >> 16;

    if (event == PTRACE_EVENT_STOP && t->role == INJECT_IS_NEW) {
        t->waits = true;
        return;
    }
    if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK || event == PTRACE_EVENT_CLONE)
        inject_at_birth(in, t, event);
    else if (event == PTRACE_EVENT_EXEC && inject_at_exec(in, t))
        return;
    else if (event == PTRACE_EVENT_EXIT && t->role == INJECT_IS_INIT && in->at_init_exit)
        in->at_init_exit(in->ctx, t->pid);
    else if (event == 0 && signal == (SIGTRAP | 0x80) && inject_at_call(in, t))
        return;
    inject_resume(in, t, event == 0 && !(signal & 0x80) ? signal : 0);
}

/* Runs the host to its next inject_ready(). 0, or -1 with `trouble` when it has ended. Processes
 * of a job that live on then are still in `task`. An alarm ends the wait. */
INJECT_UNUSED static int inject_round(struct inject *in, enum inject_phase phase, int target,
                                      int error)
{
    int status = 0;
    pid_t pid;

    in->phase = phase;
    in->target = target;
    in->error = error;
    in->calls = in->programs = 0;
    in->fired = in->over = false;
    in->init = in->job = in->pending = in->held = 0;
    in->nr = -1;
    inject_find(in, in->host)->polled = false;
    inject_resume(in, inject_find(in, in->host), 0);
    for (;;) {
        pid = waitpid(-1, &status, __WALL | (in->held ? WNOHANG : 0));
        if (pid < 0) {
            snprintf(in->trouble, sizeof(in->trouble), "waiting for the host: %s", strerror(errno));
            return -1;
        }
        if (pid == 0) {
            inject_look(in);
            continue;
        }
        in->idle_looks = 0;
        if (WIFSTOPPED(status)) {
            if (pid == in->host && status >> 16 == 0 && WSTOPSIG(status) == SIGUSR1)
                return 0;
            inject_stopped(in, inject_find(in, pid), status);
            continue;
        }
        inject_forget(in, pid);
        if (pid == in->host) {
            snprintf(in->trouble, sizeof(in->trouble), "the host ended: %s %d",
                     WIFSIGNALED(status) ? "signal" : "exit",
                     WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
            return -1;
        }
    }
}

/* Starts `host` in a process of its own and runs it to its first inject_ready(). 0; 1 when tracing
 * is not possible here, with the reason in `trouble`; -1 when the host ended before. */
INJECT_UNUSED static int inject_start(struct inject *in, void (*host)(void *ctx), void *ctx)
{
    static const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
                                PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEEXIT |
                                PTRACE_O_EXITKILL;
    int go[2];
    char byte = 'g';
    bool traced;

#if !defined(__x86_64__)
    snprintf(in->trouble, sizeof(in->trouble), "calls are made to fail on x86-64 only");
    return 1;
#endif
    if (pipe(go) < 0 || (in->host = fork()) < 0) {
        snprintf(in->trouble, sizeof(in->trouble), "starting the host: %s", strerror(errno));
        return -1;
    }
    if (in->host == 0) {
        close(go[1]);
        if (read(go[0], &byte, 1) != 1)
            _exit(3);
        close(go[0]);
        host(ctx);
        _exit(0);
    }
    close(go[0]);
    traced = ptrace(PTRACE_SEIZE, in->host, NULL, (void *)(intptr_t)options) == 0;
    if (!traced)
        snprintf(in->trouble, sizeof(in->trouble), "ptrace: %s", strerror(errno));
    if (traced && write(go[1], &byte, 1) != 1)
        snprintf(in->trouble, sizeof(in->trouble), "telling the host: %s", strerror(errno));
    close(go[1]);
    if (!traced) {
        waitpid(in->host, NULL, 0);
        return 1;
    }
    inject_find(in, in->host)->role = INJECT_IS_HOST;
    return inject_round(in, INJECT_NONE, 0, 0);
}

/* Runs the host to its end; 0 when it exited with 0. */
INJECT_UNUSED static int inject_finish(struct inject *in)
{
    return inject_round(in, INJECT_NONE, 0, 0) < 0 &&
                   strcmp(in->trouble, "the host ended: exit 0") == 0
               ? 0
               : -1;
}

/* Kills what is still traced, for a test that gives up. */
INJECT_UNUSED static void inject_kill(struct inject *in)
{
    int i, status;
    pid_t pid;

    for (i = 0; i < in->n_tasks; i++)
        kill(in->task[i].pid, SIGKILL);
    while ((pid = waitpid(-1, &status, __WALL)) > 0)
        if (WIFSTOPPED(status)) /* on its way out */
            ptrace(PTRACE_CONT, pid, NULL, NULL);
}

#endif
