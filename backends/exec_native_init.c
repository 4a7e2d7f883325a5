/* exec_native_init.c - init of a sandbox, its pid 1, and how it becomes a program without a file.
 *
 * native_init_main is one self-contained function in a linker section of its own. Once per engine
 * it is copied behind a minimal ELF header into a sealed memfd; the child that built the sandbox
 * executes that. Init forks the job, which drops everything and executes the program; init itself
 * drops the same, reaps, reports how the program ended and exits, which kills what is left of the
 * pid namespace. It also ends when the host does: it holds the read end of a pipe whose write end
 * dies with the host.
 *
 * Where there is no pid namespace ("bare") nothing dies by itself. There is a second guard then,
 * the parent of init; whichever of the two is killed, the other kills the whole tree. Both use
 * kill(2) with -1, which would reach every process of the user, but for Landlock: no signal leaves
 * their domains, which they prove before they go on.
 *
 * The function must not refer to anything outside itself: no libc, no string literals, no tables.
 * tests/lint proves that its section has no relocations.
 * SPDX-License-Identifier: MIT */
#include "exec_native.h"
#include "exec_native_sys.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define NATIVE_SIGCHLD 17
#define NATIVE_SIGKILL 9
#define NATIVE_WNOHANG 1
#define NATIVE_CLONE_NEWCGROUP 0x02000000
#define NATIVE_CLONE_NEWTIME 0x80
#define NATIVE_RLIMIT_NOFILE 7
#define NATIVE_CLONE_NEWUSER 0x10000000
#define NATIVE_CAP_VERSION_3 0x20080522
#define NATIVE_SECCOMP_FILTER 1
#define NATIVE_SECCOMP_NEW_LISTENER 8
#define NATIVE_POLLIN 1
/* Where the job's set-up keeps what it needs to the end, close-on-exec. The box takes care that no
 * descriptor of the plan has these numbers. */
#define NATIVE_JOB_STATUS_FD 3
#define NATIVE_JOB_SOCK_FD 4

/* The kernel's layouts, so that this file does not depend on libc's idea of them. */
struct native_kernel_time {
    int64_t sec, nsec;
};
struct native_kernel_rusage {
    int64_t user_sec, user_usec, sys_sec, sys_usec, max_rss_kb, rest[13];
};
struct native_kernel_poll {
    int32_t fd;
    int16_t events, revents;
};

NATIVE_INLINE int64_t native_init_now(void)
{
    struct native_kernel_time now;

    now.sec = 0;
    now.nsec = 0;
    NATIVE_SYS2(SYS_clock_gettime, 1, NATIVE_PTR(&now)); /* CLOCK_MONOTONIC */
    return now.sec * 1000000000 + now.nsec;
}

/* In functions that return 0 or the kernel's error with *step at the call that failed. */
#define NATIVE_TRY(number, call)  \
    do {                          \
        long native_ret = (call); \
        if (native_ret < 0) {     \
            *step = (number);     \
            return native_ret;    \
        }                         \
    } while (0)

/* Gives up user, group and every capability; the same for the job and for init. */
NATIVE_INLINE long native_init_drop(const struct native_init_plan *plan, int *step)
{
    volatile uint32_t header[2];
    volatile uint32_t data[6];
    long dropped = 0;
    int i;

    if (plan->userns_fd >= 0)
        NATIVE_TRY(NATIVE_STEP_USERNS,
                   NATIVE_SYS2(SYS_setns, plan->userns_fd, NATIVE_CLONE_NEWUSER));
    /* After setns, which fills the set; EINVAL above the last capability is the expected end. */
    for (i = 0; i < 64 && dropped >= 0; i++)
        dropped = NATIVE_SYS5(SYS_prctl, PR_CAPBSET_DROP, i, 0, 0, 0);
    if (plan->bare && !plan->set_ids && dropped == -EPERM)
        dropped = -EINVAL, i = 64; /* a user without capabilities: no_new_privs has to do */
    else if (dropped == -EINVAL)   /* the kernel must not know that capability */
        NATIVE_TRY(NATIVE_STEP_BOUNDING,
                   NATIVE_SYS5(SYS_prctl, PR_CAPBSET_READ, i - 1, 0, 0, 0) == -EINVAL ? 0L
                                                                                      : -EPROTO);
    NATIVE_TRY(NATIVE_STEP_BOUNDING, dropped == -EINVAL && i > 32 ? 0L : dropped);
    if (plan->set_ids) {
        NATIVE_TRY(NATIVE_STEP_IDS, NATIVE_SYS2(SYS_setgroups, 0, 0));
        NATIVE_TRY(NATIVE_STEP_IDS, NATIVE_SYS3(SYS_setresgid, plan->gid, plan->gid, plan->gid));
        NATIVE_TRY(NATIVE_STEP_IDS, NATIVE_SYS3(SYS_setresuid, plan->uid, plan->uid, plan->uid));
    }
    NATIVE_TRY(NATIVE_STEP_CAPS,
               NATIVE_SYS5(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0));
    header[0] = NATIVE_CAP_VERSION_3;
    header[1] = 0;
    for (i = 0; i < 6; i++)
        data[i] = 0;
    NATIVE_TRY(NATIVE_STEP_CAPS, NATIVE_SYS2(SYS_capset, NATIVE_PTR(&header), NATIVE_PTR(&data)));
    NATIVE_TRY(NATIVE_STEP_NNP, NATIVE_SYS5(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    return 0;
}

/* A process of ours that stays: drops everything, dies with its parent, is not to be looked
 * into. */
NATIVE_INLINE long native_init_humble(const struct native_init_plan *plan, int *step)
{
    long got = native_init_drop(plan, step);

    if (got < 0)
        return got;
    NATIVE_TRY(NATIVE_STEP_INIT_FORK,
               NATIVE_SYS5(SYS_prctl, PR_SET_PDEATHSIG, NATIVE_SIGKILL, 0, 0, 0));
    /* Again: the change of user has set it to what sysctl fs.suid_dumpable says. */
    NATIVE_TRY(NATIVE_STEP_INIT_FORK, NATIVE_SYS5(SYS_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0));
    return 0;
}

/* Bare: puts this process into a Landlock domain of its own, from which no signal leads outside,
 * and proves it on `outside`, a process that could be reached before. */
NATIVE_INLINE long native_init_scope(const struct native_init_plan *plan, long outside, int *step)
{
    long got;

    NATIVE_TRY(NATIVE_STEP_SCOPE, NATIVE_SYS2(SYS_kill, outside, 0));
    NATIVE_TRY(NATIVE_STEP_NNP, NATIVE_SYS5(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    NATIVE_TRY(NATIVE_STEP_LANDLOCK,
               NATIVE_SYS2(SYS_landlock_restrict_self, plan->landlock_fd, plan->landlock_flags));
    got = NATIVE_SYS2(SYS_kill, outside, 0);
    NATIVE_TRY(NATIVE_STEP_SCOPE, got == -EPERM ? 0L : got < 0 ? got : (long)-EPROTO);
    /* Orphans of the tree come to this process, not to the host. */
    NATIVE_TRY(NATIVE_STEP_SCOPE, NATIVE_SYS5(SYS_prctl, PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0));
    return 0;
}

/* The outer guard: waits for init, then kills what init has left. */
NATIVE_INLINE void native_init_guard(long init)
{
    long got;

    do
        got = NATIVE_SYS4(SYS_wait4, -1, 0, 0, 0);
    while (got != init && got >= 0);
    do {
        NATIVE_SYS2(SYS_kill, -1, NATIVE_SIGKILL);
        got = NATIVE_SYS4(SYS_wait4, -1, 0, 0, 0);
    } while (got >= 0);
    NATIVE_SYS1(SYS_exit_group, 0);
}

/* Bare: becomes the outer guard, in a domain of its own, and returns in its child, which is init,
 * in a domain inside that, with the guard's pid. Init is woken when the guard dies, which itself
 * dies with the host. */
NATIVE_INLINE long native_init_confine(const struct native_init_plan *plan, int *step)
{
    long got, guard;

    got = native_init_scope(plan, plan->host_pid, step);
    if (got >= 0)
        got = native_init_humble(plan, step);
    if (got < 0)
        return got;
    *step = NATIVE_STEP_INIT_FORK;
    got = native_sys(SYS_clone, NATIVE_SIGCHLD, 0, 0, 0, 0, 0);
    if (got > 0)
        native_init_guard(got);
    NATIVE_TRY(NATIVE_STEP_INIT_FORK, got);
    NATIVE_TRY(NATIVE_STEP_INIT_FORK,
               NATIVE_SYS5(SYS_prctl, PR_SET_PDEATHSIG, NATIVE_SIGCHLD, 0, 0, 0));
    guard = NATIVE_SYS0(SYS_getppid);
    got = native_init_scope(plan, guard, step);
    if (got < 0)
        return got;
    *step = NATIVE_STEP_INIT_FORK;
    return guard;
}

/* An urgent host does not pass its urgency on. Real-time policies cannot enter a CPU group either,
 * so this comes before that. */
NATIVE_INLINE long native_init_calm(void)
{
    volatile int32_t priority = 0;
    long got = NATIVE_SYS1(SYS_sched_getscheduler, 0);

    if (got < 0)
        return got;
    got &= 0xff;                            /* without SCHED_RESET_ON_FORK */
    if (got == 1 || got == 2 || got == 6) { /* SCHED_FIFO, SCHED_RR, SCHED_DEADLINE */
        got = NATIVE_SYS3(SYS_sched_setscheduler, 0, 0, NATIVE_PTR(&priority));
        if (got < 0)
            return got;
    }
    got = NATIVE_SYS2(SYS_getpriority, 0, 0); /* 20 - nice */
    return got > 20 ? NATIVE_SYS3(SYS_setpriority, 0, 0, 0) : got;
}

/* The filter, and its listener to the host, which hears of calls that no innocent program makes.
 * The listener itself closes at exec. */
NATIVE_INLINE long native_init_filter(const struct native_init_plan *plan)
{
    /* volatile: else the compiler keeps constants for these outside the section */
    volatile union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    volatile struct iovec iov;
    volatile struct msghdr msg;
    volatile char byte = 0;
    long fd;

    fd = NATIVE_SYS3(SYS_seccomp, NATIVE_SECCOMP_FILTER,
                     plan->sock_fd >= 0 ? NATIVE_SECCOMP_NEW_LISTENER : 0, plan->bpf);
    if (fd < 0 || plan->sock_fd < 0)
        return fd;
    iov.iov_base = (void *)(uintptr_t)&byte;
    iov.iov_len = 1;
    msg.msg_name = 0;
    msg.msg_namelen = 0;
    msg.msg_iov = (struct iovec *)(uintptr_t)&iov;
    msg.msg_iovlen = 1;
    msg.msg_control = (void *)(uintptr_t)&control;
    msg.msg_controllen = CMSG_LEN(sizeof(int));
    msg.msg_flags = 0;
    control.header.cmsg_len = CMSG_LEN(sizeof(int));
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    *(volatile int *)(uintptr_t)&control.bytes[CMSG_LEN(0)] = (int)fd;
    return NATIVE_SYS3(SYS_sendmsg, NATIVE_JOB_SOCK_FD, NATIVE_PTR(&msg), 0);
}

/* The job's side of the fork, from here to the program: returns only when a step failed. */
NATIVE_INLINE long native_init_become_job(const struct native_init_plan *plan,
                                          const volatile int *go, int *step)
{
    volatile struct native_status started;
    volatile char byte;
    int status_fd = plan->status_fd;
    uint64_t no_signals = 0;
    long i;

    NATIVE_TRY(NATIVE_STEP_SETSID, NATIVE_SYS0(SYS_setsid));
    NATIVE_TRY(NATIVE_STEP_RLIMIT, native_init_calm());
    for (i = 0; i < plan->n_cgroup; i++)
        NATIVE_TRY(NATIVE_STEP_CGROUP_JOIN,
                   NATIVE_SYS3(SYS_write, plan->cgroup_fd[i], plan->zero_text, 1));
    if (plan->new_cgroup_ns)
        NATIVE_TRY(NATIVE_STEP_CGROUP_NS, NATIVE_SYS1(SYS_unshare, NATIVE_CLONE_NEWCGROUP));
    if (plan->join_keyring)
        NATIVE_TRY(NATIVE_STEP_KEYRING, NATIVE_SYS2(SYS_keyctl, 1, 0)); /* JOIN_SESSION_KEYRING */
    for (i = 0; i < plan->n_rlimit; i++)
        if (plan->rlimit[i].resource != NATIVE_RLIMIT_NOFILE)
            NATIVE_TRY(NATIVE_STEP_RLIMIT, NATIVE_SYS4(SYS_prlimit64, 0, plan->rlimit[i].resource,
                                                       NATIVE_PTR(&plan->rlimit[i].cur), 0));
    *step = NATIVE_STEP_NONE;
    i = plan->bare ? 0 : native_init_drop(plan, step);
    if (i < 0)
        return i;
    if (plan->landlock_fd >= 0)
        NATIVE_TRY(NATIVE_STEP_LANDLOCK,
                   NATIVE_SYS2(SYS_landlock_restrict_self, plan->landlock_fd, 0));
    /* No program before init has dropped everything and the host has all it needs. */
    NATIVE_SYS1(SYS_close, go[1]);
    i = NATIVE_SYS3(SYS_read, go[0], NATIVE_PTR(&byte), 1);
    NATIVE_TRY(NATIVE_STEP_GO, i == 0 ? (long)-EPIPE : i);
    i = NATIVE_SYS4(SYS_openat, AT_FDCWD, plan->null_text, O_RDONLY, 0);
    if (i != 0)
        NATIVE_TRY(NATIVE_STEP_STDIO, i < 0 ? i : NATIVE_SYS3(SYS_dup3, i, 0, 0));
    NATIVE_TRY(NATIVE_STEP_STDIO, NATIVE_SYS3(SYS_dup3, plan->stdout_fd, 1, 0));
    NATIVE_TRY(NATIVE_STEP_STDIO, NATIVE_SYS3(SYS_dup3, plan->stderr_fd, 2, 0));
    NATIVE_TRY(NATIVE_STEP_STDIO,
               NATIVE_SYS3(SYS_dup3, status_fd, NATIVE_JOB_STATUS_FD, O_CLOEXEC));
    status_fd = NATIVE_JOB_STATUS_FD;
    if (plan->sock_fd >= 0)
        NATIVE_TRY(NATIVE_STEP_STDIO,
                   NATIVE_SYS3(SYS_dup3, plan->sock_fd, NATIVE_JOB_SOCK_FD, O_CLOEXEC));
    NATIVE_TRY(NATIVE_STEP_STDIO,
               NATIVE_SYS3(SYS_close_range,
                           plan->sock_fd >= 0 ? NATIVE_JOB_SOCK_FD + 1 : NATIVE_JOB_STATUS_FD + 1,
                           ~0U, 0));
    NATIVE_TRY(NATIVE_STEP_STDIO,
               NATIVE_SYS4(SYS_rt_sigprocmask, 2 /* SIG_SETMASK */, NATIVE_PTR(&no_signals), 0, 8));
    started.kind = NATIVE_STATUS_STARTED;
    started.at_ns = native_init_now();
    NATIVE_TRY(NATIVE_STEP_STDIO, started.at_ns ? 0L : -EPROTO);
    NATIVE_TRY(NATIVE_STEP_STDIO,
               NATIVE_SYS3(SYS_write, status_fd, NATIVE_PTR(&started), sizeof(started)));
    NATIVE_TRY(NATIVE_STEP_SECCOMP, native_init_filter(plan));
    /* After the listener was sent: descriptors in flight are counted per user, against this limit,
     * and other jobs of the user must not be able to use it up. */
    for (i = 0; i < plan->n_rlimit; i++)
        if (plan->rlimit[i].resource == NATIVE_RLIMIT_NOFILE)
            NATIVE_TRY(NATIVE_STEP_SECCOMP, NATIVE_SYS4(SYS_prlimit64, 0, NATIVE_RLIMIT_NOFILE,
                                                        NATIVE_PTR(&plan->rlimit[i].cur), 0));
    if (plan->path == 0)
        NATIVE_SYS1(SYS_exit_group, 0);
    NATIVE_TRY(NATIVE_STEP_EXEC, NATIVE_SYS3(SYS_execve, plan->path, plan->argv, plan->envp));
    return 0;
}

/* Reaps until the job itself is gone or the host wants it gone; -1 = the host is gone, or the guard
 * that is init's `parent`. */
NATIVE_INLINE int native_init_wait(const struct native_init_plan *plan, long job, long parent,
                                   int signal_fd, volatile struct native_status *status)
{
    volatile struct native_kernel_poll watch[2];
    volatile char scratch[256];
    int wait_status;
    long got;

    for (;;) {
        wait_status = 0;
        got = NATIVE_SYS4(SYS_wait4, -1, NATIVE_PTR(&wait_status), NATIVE_WNOHANG, 0);
        if (got == job) {
            status->kind = NATIVE_STATUS_ENDED;
            status->wait_status = wait_status;
            return 0;
        }
        if (got > 0)
            continue;
        if (plan->bare && NATIVE_SYS0(SYS_getppid) != parent)
            return -1;
        watch[0].fd = plan->life_fd;
        watch[0].events = NATIVE_POLLIN;
        watch[0].revents = 0;
        watch[1].fd = signal_fd;
        watch[1].events = NATIVE_POLLIN;
        watch[1].revents = 0;
        NATIVE_SYS5(SYS_ppoll, NATIVE_PTR(&watch), 2, 0, 0, 8);
        if (watch[0].revents != 0) {
            if (NATIVE_SYS3(SYS_read, plan->life_fd, NATIVE_PTR(&scratch), 1) != 1)
                return -1;
            status->kind = NATIVE_STATUS_KILLED;
            return 0;
        }
        NATIVE_SYS3(SYS_read, signal_fd, NATIVE_PTR(&scratch), sizeof(scratch));
    }
}

/* Kills all that is left and counts it. One sweep of kill(2) with -1 is atomic; it is repeated for
 * a job that had not changed its user yet, which this init may not signal until it has. */
NATIVE_INLINE void native_init_clear(volatile struct native_status *status)
{
    volatile struct native_kernel_time pause;
    struct native_kernel_rusage usage;
    long got;

    status->at_ns = native_init_now();
    status->survivors = 0;
    do {
        NATIVE_SYS2(SYS_kill, -1, NATIVE_SIGKILL);
        got = NATIVE_SYS4(SYS_wait4, -1, 0, NATIVE_WNOHANG, 0);
        if (got > 0)
            status->survivors++;
        pause.sec = 0;
        pause.nsec = 200000;
        if (got == 0)
            NATIVE_SYS2(SYS_nanosleep, NATIVE_PTR(&pause), 0);
    } while (got >= 0);
    usage.user_sec = usage.user_usec = usage.sys_sec = usage.sys_usec = usage.max_rss_kb = 0;
    NATIVE_SYS2(SYS_getrusage, -1, NATIVE_PTR(&usage)); /* RUSAGE_CHILDREN */
    status->cpu_us = (usage.user_sec + usage.sys_sec) * 1000000 + usage.user_usec + usage.sys_usec;
    status->max_rss_kb = usage.max_rss_kb;
}

/* Init's side: drops everything too, and keeps only the two pipes and what announces dead
 * children. Nothing here may depend on what the job, of the same user by now, can do to limits. */
NATIVE_INLINE long native_init_settle(const struct native_init_plan *plan, const volatile int *go,
                                      int *step)
{
    volatile char byte;
    long i;

    if (!plan->bare) { /* else it is done */
        i = native_init_humble(plan, step);
        if (i < 0)
            return i;
    }
    NATIVE_SYS1(SYS_close, plan->stdout_fd);
    NATIVE_SYS1(SYS_close, plan->stderr_fd);
    NATIVE_SYS1(SYS_close, plan->userns_fd);
    NATIVE_SYS1(SYS_close, plan->landlock_fd);
    NATIVE_SYS1(SYS_close, plan->sock_fd);
    for (i = 0; i < plan->n_cgroup; i++)
        NATIVE_SYS1(SYS_close, plan->cgroup_fd[i]);
    /* The host says when it has what it needs; then the job may become its program. */
    i = NATIVE_SYS3(SYS_read, plan->life_fd, NATIVE_PTR(&byte), 1);
    NATIVE_TRY(NATIVE_STEP_GO, i == 0 ? (long)-EPIPE : i);
    NATIVE_TRY(NATIVE_STEP_GO, NATIVE_SYS3(SYS_write, go[1], NATIVE_PTR(&byte), 1));
    NATIVE_SYS1(SYS_close, go[0]);
    NATIVE_SYS1(SYS_close, go[1]);
    return 0;
}

/* `stack` is what the kernel left at entry: argc, argv[0] = the plan's descriptor in decimal. */
__attribute__((section("tako_init"), used, noinline)) NATIVE_BARE static void
native_init_main(const uint64_t *stack)
{
    const struct native_init_plan *plan = (const struct native_init_plan *)NATIVE_PLAN_ADDR;
    const char *text = (const char *)(uintptr_t)stack[1];
    volatile struct native_status status;
    int status_fd, step = NATIVE_STEP_INIT_FORK;
    uint64_t child_signal = 1UL << (NATIVE_SIGCHLD - 1);
    long plan_fd = 0, job, got, signal_fd = -1, parent;
    volatile int go[2];

    while (*text >= '0' && *text <= '9')
        plan_fd = plan_fd * 10 + (*text++ - '0');
    if (native_sys(SYS_mmap, (long)NATIVE_PLAN_ADDR, (long)NATIVE_PLAN_MAX, PROT_READ,
                   MAP_PRIVATE | MAP_FIXED, plan_fd, 0) != (long)NATIVE_PLAN_ADDR)
        NATIVE_SYS1(SYS_exit_group, 126); /* the host sees a status pipe that closed empty */
    status_fd = plan->status_fd;
    NATIVE_SYS5(SYS_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
    got = parent = plan->bare ? native_init_confine(plan, &step) : 0;
    if (got >= 0)
        got = signal_fd = NATIVE_SYS4(SYS_signalfd4, -1, NATIVE_PTR(&child_signal), 8, O_NONBLOCK);
    if (got >= 0 && plan->new_time_ns) /* of its children: else files of /proc would be shared */
        got = NATIVE_SYS1(SYS_unshare, NATIVE_CLONE_NEWTIME);
    if (got >= 0)
        got = NATIVE_SYS2(SYS_pipe2, NATIVE_PTR(&go), O_CLOEXEC);
    job = got;
    if (got >= 0)
        got = job = native_sys(SYS_clone, NATIVE_SIGCHLD, 0, 0, 0, 0, 0);
    if (job == 0) {
        got = native_init_become_job(plan, go, &step);
        if (step > NATIVE_STEP_STDIO) /* the descriptor has moved */
            status_fd = NATIVE_JOB_STATUS_FD;
    } else if (job > 0) {
        got = native_init_settle(plan, go, &step);
    }
    status.step = step;
    status.error = 0;
    status.wait_status = 0;
    if (got < 0) {
        status.kind = NATIVE_STATUS_FAILED;
        status.error = (int32_t)-got;
    } else {
        got = native_init_wait(plan, job, parent, (int)signal_fd, &status);
        if (got >= 0 || plan->bare)
            native_init_clear(&status);
        if (got < 0)
            NATIVE_SYS1(SYS_exit_group, 0);
    }
    NATIVE_SYS3(SYS_write, status_fd, NATIVE_PTR(&status), sizeof(status));
    NATIVE_SYS1(SYS_exit_group, 127);
    for (;;) {}
}

extern const char __start_tako_init[] __attribute__((visibility("hidden")));
extern const char __stop_tako_init[] __attribute__((visibility("hidden")));

/* The entry point: passes the stack pointer to native_init_main as its argument. */
#if defined(__x86_64__)
#define NATIVE_INIT_MACHINE EM_X86_64
static const unsigned char native_init_entry[12] = {
    0x48, 0x89, 0xe7,         /* mov  %rsp, %rdi */
    0x48, 0x83, 0xe4, 0xf0,   /* and  $-16, %rsp */
    0xe8, 0,    0,    0,    0 /* call native_init_main: the distance is filled in */
};
static void native_init_link(unsigned char *entry, size_t distance)
{
    uint32_t rel = (uint32_t)(distance - sizeof(native_init_entry));

    memcpy(entry + 8, &rel, sizeof(rel));
}
#else
#define NATIVE_INIT_MACHINE EM_AARCH64
static const unsigned char native_init_entry[8] = {
    0xe0, 0x03, 0x00, 0x91, /* mov x0, sp */
    0x00, 0x00, 0x00, 0x94  /* bl  native_init_main: the distance is filled in */
};
static void native_init_link(unsigned char *entry, size_t distance)
{
    uint32_t insn = 0x94000000u | (uint32_t)((distance - 4) / 4);

    memcpy(entry + 4, &insn, sizeof(insn));
}
#endif

struct native_elf {
    Elf64_Ehdr header;
    Elf64_Phdr load, stack;
    unsigned char entry[16];
};

static void native_init_header(struct native_elf *elf, size_t code_len, size_t main_offset)
{
    const uint64_t address = 0x400000;

    memset(elf, 0, sizeof(*elf));
    memcpy(elf->header.e_ident, ELFMAG, SELFMAG);
    elf->header.e_ident[EI_CLASS] = ELFCLASS64;
    elf->header.e_ident[EI_DATA] = ELFDATA2LSB;
    elf->header.e_ident[EI_VERSION] = EV_CURRENT;
    elf->header.e_type = ET_EXEC;
    elf->header.e_machine = NATIVE_INIT_MACHINE;
    elf->header.e_version = EV_CURRENT;
    elf->header.e_entry = address + offsetof(struct native_elf, entry);
    elf->header.e_phoff = offsetof(struct native_elf, load);
    elf->header.e_ehsize = sizeof(elf->header);
    elf->header.e_phentsize = sizeof(elf->load);
    elf->header.e_phnum = 2;
    elf->load.p_type = PT_LOAD;
    elf->load.p_flags = PF_R | PF_X;
    elf->load.p_vaddr = elf->load.p_paddr = address;
    elf->load.p_filesz = elf->load.p_memsz = sizeof(*elf) + code_len;
    elf->load.p_align = 0x1000;
    elf->stack.p_type = PT_GNU_STACK;
    elf->stack.p_flags = PF_R | PF_W;
    memcpy(elf->entry, native_init_entry, sizeof(native_init_entry));
    native_init_link(elf->entry, sizeof(*elf) + main_offset - offsetof(struct native_elf, entry));
}

int native_init_image(int *out, tako_error *err)
{
    size_t code_len = (size_t)(__stop_tako_init - __start_tako_init);
    size_t main_offset = (size_t)((uintptr_t)native_init_main - (uintptr_t)__start_tako_init);
    struct native_elf elf;
    int fd, rc = TAKO_OK;

    fd = memfd_create("tako-init", MFD_CLOEXEC | MFD_ALLOW_SEALING | 0x10u); /* MFD_EXEC, 6.3 */
    if (fd < 0 && errno == EINVAL)
        fd = memfd_create("tako-init", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (fd < 0)
        return tako__fail_errno(err, TAKO_ESYS, errno,
                                "memfd_create for the sandbox's init (see sysctl vm.memfd_noexec)");
    native_init_header(&elf, code_len, main_offset);
    if (write(fd, &elf, sizeof(elf)) != (ssize_t)sizeof(elf) ||
        write(fd, __start_tako_init, code_len) != (ssize_t)code_len || fchmod(fd, 0111) < 0 ||
        fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0) {
        rc = tako__fail_errno(err, TAKO_ESYS, errno, "writing the sandbox's init");
        close(fd);
        return rc;
    }
    *out = fd;
    return TAKO_OK;
}

#undef NATIVE_TRY
