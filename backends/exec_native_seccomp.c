/* exec_native_seccomp.c - the system calls a job may make: an allow list by number. What is not
 * named fails with ENOSYS, as on a kernel that does not have it, so that libraries fall back; what
 * is known and refused fails with EPERM; a foreign architecture is killed. libseccomp translates
 * the tables once per engine; jobs install the raw program. The only file that knows libseccomp.
 * SPDX-License-Identifier: MIT */
#include "exec_native.h"

#if !__has_include(<seccomp.h>)
#error "seccomp.h not found: install libseccomp-dev or compile with -DTAKO_OMIT_NATIVE"
#endif
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <seccomp.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

/* Tables laid out by hand. */
/* clang-format off */

/* Allowed with any arguments: nothing here reaches beyond the job's own namespaces. */
static const char *const seccomp_allowed[] = {
    /* files */
    "access", "chdir", "chmod", "chown", "close", "close_range", "copy_file_range", "creat", "dup",
    "dup2", "dup3", "faccessat", "faccessat2", "fadvise64", "fallocate", "fchdir", "fchmod",
    "fchmodat", "fchown", "fchownat", "fdatasync", "fgetxattr", "flistxattr", "flock",
    "fremovexattr", "fsetxattr", "fstat", "fstatfs", "fsync", "ftruncate", "futimesat", "getcwd",
    "getdents", "getdents64", "getxattr", "lchown", "lgetxattr", "link", "linkat", "listxattr",
    "llistxattr", "lremovexattr", "lseek", "lsetxattr", "lstat", "mkdir", "mkdirat", "mknod",
    "mknodat",
    "newfstatat", "open", "openat", "openat2", "pread64", "preadv", "preadv2", "pwrite64",
    "pwritev", "pwritev2", "read", "readahead", "readlink", "readlinkat", "readv", "removexattr",
    "rename", "renameat", "renameat2", "rmdir", "sendfile", "setxattr", "stat", "statfs", "statx",
    "symlink", "symlinkat", "sync_file_range", "truncate", "umask", "unlink",
    "unlinkat", "utime", "utimensat", "utimes", "write", "writev",
    /* pipes, polling, timers */
    "alarm", "clock_getres", "clock_gettime", "clock_nanosleep", "epoll_create", "epoll_create1",
    "epoll_ctl", "epoll_pwait", "epoll_pwait2", "epoll_wait", "eventfd", "eventfd2", "getitimer",
    "gettimeofday", "nanosleep", "pause", "pipe", "pipe2", "poll", "ppoll", "pselect6", "select",
    "setitimer", "signalfd", "signalfd4", "splice", "tee", "time", "timer_create", "timer_delete",
    "timer_getoverrun", "timer_gettime", "timer_settime", "timerfd_create", "timerfd_gettime",
    "timerfd_settime", "times", "vmsplice",
    /* memory */
    "brk", "get_mempolicy", "madvise", "membarrier", "mincore", "mlock", "mlock2", "mlockall",
    "mprotect", "mremap", "msync", "munlock", "munlockall", "munmap",
    "pkey_alloc", "pkey_free", "pkey_mprotect",
    /* processes, threads, signals */
    "arch_prctl", "capget", "execve", "execveat", "exit", "exit_group", "fork", "futex",
    "futex_waitv", "get_robust_list", "get_thread_area", "getcpu", "getegid", "geteuid", "getgid",
    "getgroups", "getpgid", "getpgrp", "getpid", "getppid", "getpriority", "getrandom",
    "getresgid", "getresuid", "getrlimit", "getrusage", "getsid", "gettid", "getuid",
    "ioprio_get", "kill", "landlock_add_rule", "landlock_create_ruleset",
    "landlock_restrict_self", "pidfd_open", "pidfd_send_signal", "restart_syscall",
    "rseq", "rt_sigaction", "rt_sigpending", "rt_sigprocmask", "rt_sigqueueinfo", "rt_sigreturn",
    "rt_sigsuspend", "rt_sigtimedwait", "rt_tgsigqueueinfo", "sched_get_priority_max",
    "sched_get_priority_min", "sched_getaffinity", "sched_getattr", "sched_getparam",
    "sched_getscheduler", "sched_rr_get_interval", "sched_setaffinity", "sched_yield",
    "set_robust_list", "set_tid_address", "setfsgid", "setfsuid", "setgid", "setgroups",
    "setpgid", "setpriority", "setregid", "setresgid", "setresuid", "setreuid", "setrlimit",
    "setsid", "setuid", "sigaltstack", "sysinfo", "tgkill", "tkill", "uname", "vfork", "wait4",
    "waitid",
    /* sockets: which families exist is decided at socket() and socketpair() */
    "accept", "accept4", "bind", "connect", "getpeername", "getsockname", "getsockopt", "listen",
    "recvfrom", "recvmmsg", "recvmsg", "sendmmsg", "sendmsg", "sendto", "setsockopt", "shutdown",
    /* System V and POSIX IPC: in a namespace of the job's own */
    "mq_getsetattr", "mq_notify", "mq_open", "mq_timedreceive", "mq_timedsend", "mq_unlink",
    "msgctl", "msgget", "msgrcv", "msgsnd", "semctl", "semget", "semop", "semtimedop", "shmat",
    "shmctl", "shmdt",
};

/* Known, and not for jobs: an honest EPERM instead of "no such call". */
static const char *const seccomp_refused[] = {
    "acct", "add_key", "adjtimex", "bpf", "chroot", "clock_adjtime", "clock_settime",
    "delete_module", "fanotify_init", "finit_module", "init_module", "io_uring_enter",
    "io_uring_register", "io_uring_setup", "ioperm", "iopl", "ioprio_set", "kcmp",
    "kexec_file_load", "kexec_load", "keyctl", "lookup_dcookie", "mbind", "memfd_secret",
    "migrate_pages", "modify_ldt", "mount", "move_pages", "name_to_handle_at", "nfsservctl",
    "open_by_handle_at", "perf_event_open", "pidfd_getfd", "pivot_root", "process_madvise",
    "process_mrelease", "process_vm_readv", "process_vm_writev", "ptrace", "quotactl",
    "quotactl_fd", "reboot", "request_key", "sched_setattr", "sched_setparam",
    "sched_setscheduler", "seccomp", "set_mempolicy", "setdomainname", "sethostname", "setns",
    "settimeofday", "swapoff", "swapon", "syslog", "umount2", "unshare", "userfaultfd", "vhangup",
};

/* Succeed without being made: what a job can write has no disk below it, and the host's file
 * systems are not its to flush. */
static const char *const seccomp_done[] = {"sync", "syncfs"};

/* ioctl requests that ordinary programs need; terminal control and device requests stay out. */
static const unsigned seccomp_ioctls[] = {
    0x5401, /* TCGETS */
    0x5402, 0x5403, 0x5404, /* TCSETS, TCSETSW, TCSETSF */
    0x540f, /* TIOCGPGRP */
    0x5413, /* TIOCGWINSZ */
    0x541b, /* FIONREAD */
    0x5421, /* FIONBIO */
    0x5429, /* TIOCGSID */
    0x5450, 0x5451, /* FIONCLEX, FIOCLEX */
    0x40049409, 0x4020940d, /* FICLONE, FICLONERANGE */
    0x80086601, /* FS_IOC_GETFLAGS */
};

static const unsigned seccomp_prctls[] = {
    3,  /* PR_GET_DUMPABLE */
    15, 16, /* PR_SET_NAME, PR_GET_NAME */
    21, /* PR_GET_SECCOMP */
    23, /* PR_CAPBSET_READ */
    29, 30, /* PR_SET_TIMERSLACK, PR_GET_TIMERSLACK */
    38, 39, /* PR_SET_NO_NEW_PRIVS (set already), PR_GET_NO_NEW_PRIVS */
    0x53564d41, /* PR_SET_VMA */
};
/* clang-format on */

/* Commands of fcntl(2). Leases and directory notices work on the host's own files: they are refused
 * with EPERM, as inotify(7) is not there at all. */
static const unsigned seccomp_fcntls[] = {
    0,    1030, 1027,    /* F_DUPFD, F_DUPFD_CLOEXEC, F_DUPFD_QUERY */
    1,    2,    3,    4, /* F_GETFD, F_SETFD, F_GETFL, F_SETFL */
    5,    6,    7,    36,
    37,   38, /* F_GETLK, F_SETLK, F_SETLKW; the same of F_OFD_ */
    8,    9,    10,   11,
    15,   16,               /* F_SETOWN, F_GETOWN, F_SETSIG, F_GETSIG, F_SETOWN_EX, F_GETOWN_EX */
    1025,                   /* F_GETLEASE */
    1031, 1032,             /* F_SETPIPE_SZ, F_GETPIPE_SZ */
    1033, 1034,             /* F_ADD_SEALS, F_GET_SEALS */
    1035, 1036, 1037, 1038, /* F_GET_RW_HINT, F_SET_RW_HINT; the same of F_..._FILE_RW_HINT */
};
static const unsigned seccomp_fcntls_refused[] = {1024, 1026}; /* F_SETLEASE, F_NOTIFY */

/* Flags that take pages from the host's pool of huge ones, which no memory limit counts. */
static const struct {
    const char *call;
    unsigned arg;
    uint64_t flag;
} seccomp_huge[] = {
    {"mmap", 3, 0x40000},   /* MAP_HUGETLB */
    {"memfd_create", 1, 4}, /* MFD_HUGETLB */
    {"shmget", 2, 04000},   /* SHM_HUGETLB */
};

#define SECCOMP_NEW_NAMESPACE 0x7e020000u /* every CLONE_NEW* flag that clone(2) takes */

/* Without namespaces: what reaches the host's objects by a name or number, and what would change
 * those of its files that have the job's user. Landlock does not look at these. */
static const char *const seccomp_alone_refused[] = {
    "accept",          "accept4",       "bind",      "chown",      "connect",      "fchown",
    "fchownat",        "fremovexattr",  "fsetxattr", "lchown",     "listen",       "lremovexattr",
    "lsetxattr",       "mq_getsetattr", "mq_notify", "mq_open",    "mq_timedsend", "mq_unlink",
    "mq_timedreceive", "msgctl",        "msgget",    "msgrcv",     "msgsnd",       "removexattr",
    "semctl",          "semget",        "semop",     "semtimedop", "setxattr",     "shmat",
    "shmctl",          "shmdt",         "shmget",    "socket",
};
/* Modes and times of its own files, with nobody to see them: succeed without being set. */
static const char *const seccomp_alone_done[] = {
    "chmod", "fchmod", "fchmodat", "futimesat", "utime", "utimensat", "utimes",
};

static bool seccomp_is_alone(const char *name)
{
    size_t i;

    for (i = 0; i < TAKO__LEN(seccomp_alone_refused); i++)
        if (strcmp(name, seccomp_alone_refused[i]) == 0)
            return true;
    for (i = 0; i < TAKO__LEN(seccomp_alone_done); i++)
        if (strcmp(name, seccomp_alone_done[i]) == 0)
            return true;
    return strcmp(name, "setpriority") == 0 || strcmp(name, "sched_setaffinity") == 0;
}

static int seccomp_add_names(scmp_filter_ctx ctx, const char *const *names, size_t count,
                             uint32_t action, bool alone)
{
    size_t i;
    int nr, rc;

    for (i = 0; i < count; i++) {
        nr = alone && seccomp_is_alone(names[i]) ? -1 : seccomp_syscall_resolve_name(names[i]);
        if (nr < 0) /* not on this architecture, or newer than the library: stays ENOSYS */
            continue;
        rc = seccomp_rule_add_array(ctx, action, nr, 0, NULL);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* One rule per value: `arg` of call `name`, compared in its low 32 bits as the kernel does. */
static int seccomp_add_values(scmp_filter_ctx ctx, const char *name, unsigned arg, uint32_t action,
                              const unsigned *values, size_t count)
{
    struct scmp_arg_cmp cmp;
    size_t i;
    int rc;

    for (i = 0; i < count; i++) {
        memset(&cmp, 0, sizeof(cmp));
        cmp.arg = arg;
        cmp.op = SCMP_CMP_MASKED_EQ;
        cmp.datum_a = 0xffffffffu;
        cmp.datum_b = values[i];
        rc = seccomp_rule_add_array(ctx, action, seccomp_syscall_resolve_name(name), 1, &cmp);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int seccomp_add_arg(scmp_filter_ctx ctx, const char *name, unsigned arg, uint32_t action,
                           enum scmp_compare op, uint64_t a, uint64_t b)
{
    struct scmp_arg_cmp cmp;

    memset(&cmp, 0, sizeof(cmp));
    cmp.arg = arg;
    cmp.op = op;
    cmp.datum_a = a;
    cmp.datum_b = b;
    return seccomp_rule_add_array(ctx, action, seccomp_syscall_resolve_name(name), 1, &cmp);
}

/* Own priority and placement only; pairs of sockets that cannot send elsewhere. */
static int seccomp_add_alone(scmp_filter_ctx ctx)
{
    static const struct {
        const char *call;
        uint64_t mask[2], value[2]; /* of the first two arguments */
    } only[] = {
        {"sched_setaffinity", {0xffffffffu, 0}, {0, 0}},
        {"setpriority", {0xffffffffu, 0xffffffffu}, {0, 0}},
        {"socketpair", {0xffffffffu, 0xf}, {AF_UNIX, SOCK_STREAM}},
        {"socketpair", {0xffffffffu, 0xf}, {AF_UNIX, SOCK_SEQPACKET}},
    };
    struct scmp_arg_cmp cmp[2];
    unsigned k;
    size_t i;
    int rc;

    rc = seccomp_add_names(ctx, seccomp_alone_refused, TAKO__LEN(seccomp_alone_refused),
                           SCMP_ACT_ERRNO(EPERM), false);
    if (rc == 0)
        rc = seccomp_add_names(ctx, seccomp_alone_done, TAKO__LEN(seccomp_alone_done),
                               SCMP_ACT_ERRNO(0), false);
    memset(cmp, 0, sizeof(cmp));
    for (i = 0; rc == 0 && i < TAKO__LEN(only); i++) {
        for (k = 0; k < 2; k++) {
            cmp[k].arg = k;
            cmp[k].op = SCMP_CMP_MASKED_EQ;
            cmp[k].datum_a = only[i].mask[k];
            cmp[k].datum_b = only[i].value[k];
        }
        rc = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, seccomp_syscall_resolve_name(only[i].call),
                                    only[i].mask[1] ? 2 : 1, cmp);
    }
    return rc;
}

static int seccomp_add_conditional(scmp_filter_ctx ctx, bool alone)
{
    static const char *const socket_calls[] = {"socket", "socketpair"};
    static const unsigned personalities[] = {0, 0xffffffffu};
    uint64_t bit;
    size_t i;
    int rc;

    rc = seccomp_add_arg(ctx, "clone", 0, SCMP_ACT_ALLOW, SCMP_CMP_MASKED_EQ, SECCOMP_NEW_NAMESPACE,
                         0);
    for (bit = 1; rc == 0 && bit <= 0x80000000u; bit <<= 1)
        if (bit & SECCOMP_NEW_NAMESPACE)
            rc = seccomp_add_arg(ctx, "clone", 0, SCMP_ACT_ERRNO(EPERM), SCMP_CMP_MASKED_EQ, bit,
                                 bit);
    for (i = 0; rc == 0 && !alone && i < TAKO__LEN(socket_calls); i++) {
        rc = seccomp_add_arg(ctx, socket_calls[i], 0, SCMP_ACT_ALLOW, SCMP_CMP_EQ, AF_UNIX, 0);
        if (rc == 0)
            rc = seccomp_add_arg(ctx, socket_calls[i], 0, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_CMP_NE,
                                 AF_UNIX, 0);
    }
    for (i = 0; rc == 0 && i < TAKO__LEN(seccomp_huge); i++) {
        if (alone && seccomp_is_alone(seccomp_huge[i].call))
            continue;
        rc = seccomp_add_arg(ctx, seccomp_huge[i].call, seccomp_huge[i].arg, SCMP_ACT_ALLOW,
                             SCMP_CMP_MASKED_EQ, seccomp_huge[i].flag, 0);
        if (rc == 0)
            rc = seccomp_add_arg(ctx, seccomp_huge[i].call, seccomp_huge[i].arg,
                                 SCMP_ACT_ERRNO(EPERM), SCMP_CMP_MASKED_EQ, seccomp_huge[i].flag,
                                 seccomp_huge[i].flag);
    }
    /* Limits of others: init's above all, which has the job's user. */
    if (rc == 0)
        rc = seccomp_add_arg(ctx, "prlimit64", 0, SCMP_ACT_ALLOW, SCMP_CMP_EQ, 0, 0);
    if (rc == 0)
        rc = seccomp_add_arg(ctx, "prlimit64", 0, SCMP_ACT_ERRNO(EPERM), SCMP_CMP_NE, 0, 0);
    if (rc == 0)
        rc = seccomp_add_values(ctx, "ioctl", 1, SCMP_ACT_ALLOW, seccomp_ioctls,
                                TAKO__LEN(seccomp_ioctls));
    if (rc == 0)
        rc = seccomp_add_values(ctx, "prctl", 0, SCMP_ACT_ALLOW, seccomp_prctls,
                                TAKO__LEN(seccomp_prctls));
    if (rc == 0)
        rc = seccomp_add_values(ctx, "personality", 0, SCMP_ACT_ALLOW, personalities,
                                TAKO__LEN(personalities));
    if (rc == 0)
        rc = seccomp_add_values(ctx, "fcntl", 1, SCMP_ACT_ALLOW, seccomp_fcntls,
                                TAKO__LEN(seccomp_fcntls));
    if (rc == 0)
        rc = seccomp_add_values(ctx, "fcntl", 1, SCMP_ACT_ERRNO(EPERM), seccomp_fcntls_refused,
                                TAKO__LEN(seccomp_fcntls_refused));
    return rc;
}

/* libseccomp 2.5 exports to a descriptor only. */
static int seccomp_export(scmp_filter_ctx ctx, const tako_host *host, void **filter,
                          size_t *n_insns, tako_error *err)
{
    void *bytes = NULL;
    off_t size;
    int fd, rc = TAKO_OK;

    fd = memfd_create("tako-seccomp", MFD_CLOEXEC);
    if (fd < 0)
        return tako__fail_errno(err, TAKO_ESYS, errno, "memfd_create for the seccomp filter");
    rc = seccomp_export_bpf(ctx, fd);
    if (rc < 0) {
        rc = tako__fail_errno(err, TAKO_ESYS, -rc, "exporting the seccomp filter");
        goto out;
    }
    size = lseek(fd, 0, SEEK_END);
    bytes = size > 0 ? tako__alloc(host, (size_t)size) : NULL;
    if (!bytes) {
        rc = tako__nomem(err);
        goto out;
    }
    if (pread(fd, bytes, (size_t)size, 0) != (ssize_t)size) {
        rc = tako__fail_errno(err, TAKO_ESYS, errno, "reading the seccomp filter");
        goto out;
    }
    *filter = bytes;
    *n_insns = (size_t)size / sizeof(struct sock_filter);
    bytes = NULL;
    rc = TAKO_OK;
out:
    tako__free(host, bytes);
    close(fd);
    return rc;
}

int native_seccomp_make(const tako_host *host, const struct native_seccomp_rules *rules,
                        void **filter, size_t *n_insns, tako_error *err)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
    int rc;

    if (!ctx)
        return tako__nomem(err);
    rc = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
    if (rc == 0)
        rc = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* binary tree */
    if (rc == 0)
        rc = seccomp_add_names(ctx, seccomp_allowed, TAKO__LEN(seccomp_allowed), SCMP_ACT_ALLOW,
                               rules->no_sockets);
    if (rc == 0)
        rc = seccomp_add_names(ctx, seccomp_refused, TAKO__LEN(seccomp_refused),
                               SCMP_ACT_ERRNO(EPERM), false);
    if (rc == 0)
        rc = seccomp_add_names(ctx, seccomp_done, TAKO__LEN(seccomp_done), SCMP_ACT_ERRNO(0),
                               false);
    if (rc == 0)
        rc = seccomp_add_conditional(ctx, rules->no_sockets);
    if (rc == 0 && rules->no_sockets)
        rc = seccomp_add_alone(ctx);
    rc = rc < 0 ? tako__fail_errno(err, TAKO_ESYS, -rc, "building the seccomp filter")
                : seccomp_export(ctx, host, filter, n_insns, err);
    seccomp_release(ctx);
    for (size_t i = 0; rc == 0 && rules->notify && i < *n_insns; i++) {
        struct sock_filter *f = (struct sock_filter *)*filter + i;
        if (f->code == (BPF_RET | BPF_K) && f->k == SCMP_ACT_KILL_PROCESS)
            f->k = 0x7fc00000u;
    }
    return rc;
}

#undef SECCOMP_NEW_NAMESPACE
