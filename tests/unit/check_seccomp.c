/* check_seccomp.c - the system call filter as data: the compiled program is run by an interpreter
 * over all numbers, corners of the arguments and ABIs, and compared with the policy as this file
 * states it, by number and in its own words; then a kernel is asked the same.
 * SPDX-License-Identifier: MIT */
#include "../../backends/exec_native.h"
#include "../../src/base.h"
#include "../support/fault_alloc.h"
#include "../support/require.h"

#include <check.h>
#include <errno.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

Suite *suite_seccomp(void);

#define ALLOWED SECCOMP_RET_ALLOW
#define FAILS(error) (SECCOMP_RET_ERRNO | (uint32_t)(error))
#define LENGTH(array) (sizeof(array) / sizeof *(array))

#if defined(__x86_64__)
#define NATIVE_ARCH AUDIT_ARCH_X86_64
#else
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
#endif

static const struct native_seccomp_rules all_rules[] = {
    {false, false, false}, {true, false, false}, {false, true, false}, {true, true, false},
    {false, false, true},  {true, false, true},  {false, true, true},  {true, true, true}};

/* ---- the program and its interpreter --------------------------------------------------------- */

struct program {
    struct sock_filter *insn;
    size_t count;
    size_t steps; /* of the last run */
    bool asked;   /* it looked at an argument */
};

static struct program program_make(const struct native_seccomp_rules *rules)
{
    struct program p = {NULL, 0, 0, false};
    tako_host host;
    tako_error err;
    void *filter = NULL;

    tako__host_init(&host, NULL);
    ck_assert_msg(native_seccomp_make(&host, rules, &filter, &p.count, &err) == TAKO_OK, "%s",
                  err.message);
    p.insn = filter;
    return p;
}

static void program_free(struct program *p)
{
    tako_host host;

    tako__host_init(&host, NULL);
    tako__free(&host, p->insn);
}

/* What the kernel would do, for as much of classic BPF as a filter of ours may use. (ck_assert is
 * too slow for a million steps.) */
static uint32_t program_run(struct program *p, const struct seccomp_data *data)
{
    const struct sock_filter *i;
    uint32_t a = 0;
    size_t pc = 0;
    bool taken;

    p->asked = false;
    for (p->steps = 1;; p->steps++) {
        if (pc >= p->count)
            ck_abort_msg("ran past the end, to %zu", pc);
        i = &p->insn[pc++];
        switch (i->code) {
        case BPF_LD | BPF_W | BPF_ABS:
            if (i->k % sizeof a != 0 || i->k > sizeof *data - sizeof a)
                ck_abort_msg("instruction %zu loads from %u", pc - 1, i->k);
            p->asked |= i->k > offsetof(struct seccomp_data, arch);
            memcpy(&a, (const char *)data + i->k, sizeof a);
            break;
        case BPF_ALU | BPF_AND | BPF_K:
            a &= i->k;
            break;
        case BPF_JMP | BPF_JA:
            pc += i->k; /* size_t: cannot wrap back */
            break;
        case BPF_JMP | BPF_JEQ | BPF_K:
        case BPF_JMP | BPF_JGE | BPF_K:
        case BPF_JMP | BPF_JGT | BPF_K:
        case BPF_JMP | BPF_JSET | BPF_K:
            taken = BPF_OP(i->code) == BPF_JEQ   ? a == i->k
                    : BPF_OP(i->code) == BPF_JGE ? a >= i->k
                    : BPF_OP(i->code) == BPF_JGT ? a > i->k
                                                 : (a & i->k) != 0;
            pc += taken ? i->jt : i->jf;
            break;
        case BPF_RET | BPF_K:
            return i->k;
        default:
            ck_abort_msg("instruction %zu has the code %#x", pc - 1, (unsigned)i->code);
        }
    }
}

/* ---- the policy, once more ------------------------------------------------------------------- */

enum wanted { WANT_NOSYS, WANT_ALLOWED, WANT_EPERM, WANT_DONE, WANT_BY_ARGUMENTS };

/* clang-format off */
static enum wanted policy_of_number(int nr)
{
    switch (nr) {
#if defined(__x86_64__)
    case SYS_open: case SYS_stat: case SYS_lstat: case SYS_poll: case SYS_access: case SYS_pipe:
    case SYS_select: case SYS_dup2: case SYS_pause: case SYS_alarm: case SYS_fork: case SYS_vfork:
    case SYS_getdents: case SYS_rename: case SYS_mkdir: case SYS_rmdir: case SYS_creat:
    case SYS_link: case SYS_unlink: case SYS_symlink: case SYS_readlink: case SYS_chmod:
    case SYS_chown: case SYS_lchown: case SYS_getpgrp: case SYS_utime: case SYS_mknod:
    case SYS_arch_prctl: case SYS_time: case SYS_epoll_create: case SYS_epoll_wait:
    case SYS_utimes: case SYS_futimesat: case SYS_signalfd: case SYS_eventfd:
#endif
    case SYS_read: case SYS_write: case SYS_close: case SYS_fstat: case SYS_lseek:
    case SYS_mprotect: case SYS_munmap: case SYS_brk: case SYS_rt_sigaction:
    case SYS_rt_sigprocmask: case SYS_rt_sigreturn: case SYS_pread64: case SYS_pwrite64:
    case SYS_readv: case SYS_writev: case SYS_sched_yield: case SYS_mremap: case SYS_msync:
    case SYS_shmat: case SYS_shmctl: case SYS_dup: case SYS_nanosleep: case SYS_getitimer:
    case SYS_setitimer: case SYS_getpid: case SYS_sendfile: case SYS_connect: case SYS_accept:
    case SYS_shutdown:
    case SYS_bind: case SYS_listen: case SYS_getsockname: case SYS_getpeername:
    case SYS_getsockopt: case SYS_execve: case SYS_exit: case SYS_wait4: case SYS_kill:
    case SYS_uname: case SYS_semget: case SYS_semop: case SYS_semctl: case SYS_shmdt:
    case SYS_msgget: case SYS_msgsnd: case SYS_msgrcv: case SYS_msgctl: case SYS_flock:
    case SYS_truncate: case SYS_ftruncate: case SYS_getcwd: case SYS_chdir: case SYS_fchdir:
    case SYS_fchmod: case SYS_fchown: case SYS_umask: case SYS_gettimeofday: case SYS_getrlimit:
    case SYS_getrusage: case SYS_sysinfo: case SYS_times: case SYS_getuid: case SYS_getgid:
    case SYS_setuid: case SYS_setgid: case SYS_geteuid: case SYS_getegid: case SYS_setpgid:
    case SYS_getppid: case SYS_setsid: case SYS_setreuid: case SYS_setregid: case SYS_getgroups:
    case SYS_setgroups: case SYS_setresuid: case SYS_getresuid: case SYS_setresgid:
    case SYS_getresgid: case SYS_getpgid: case SYS_setfsuid: case SYS_setfsgid: case SYS_getsid:
    case SYS_capget: case SYS_rt_sigpending: case SYS_rt_sigtimedwait: case SYS_rt_sigqueueinfo:
    case SYS_rt_sigsuspend: case SYS_sigaltstack: case SYS_statfs: case SYS_fstatfs:
    case SYS_getpriority: case SYS_sched_getparam:
    case SYS_sched_getscheduler: case SYS_sched_get_priority_max:
    case SYS_sched_get_priority_min: case SYS_sched_rr_get_interval: case SYS_mlock:
    case SYS_munlock: case SYS_mlockall: case SYS_munlockall: case SYS_gettid:
    case SYS_readahead: case SYS_setxattr: case SYS_lsetxattr: case SYS_fsetxattr:
    case SYS_getxattr: case SYS_lgetxattr: case SYS_fgetxattr: case SYS_listxattr:
    case SYS_llistxattr: case SYS_flistxattr: case SYS_removexattr: case SYS_lremovexattr:
    case SYS_fremovexattr: case SYS_tkill: case SYS_futex:
    case SYS_sched_getaffinity: case SYS_getdents64: case SYS_set_tid_address:
    case SYS_restart_syscall: case SYS_semtimedop: case SYS_timer_create: case SYS_timer_settime:
    case SYS_timer_gettime: case SYS_timer_getoverrun: case SYS_timer_delete:
    case SYS_clock_gettime: case SYS_clock_getres: case SYS_clock_nanosleep: case SYS_exit_group:
    case SYS_epoll_ctl: case SYS_tgkill: case SYS_get_mempolicy: case SYS_mq_open:
    case SYS_mq_unlink: case SYS_mq_timedsend: case SYS_mq_timedreceive: case SYS_mq_notify:
    case SYS_mq_getsetattr: case SYS_waitid: case SYS_ioprio_get: case SYS_openat:
    case SYS_mkdirat: case SYS_mknodat: case SYS_fchownat: case SYS_newfstatat:
    case SYS_unlinkat: case SYS_renameat: case SYS_linkat: case SYS_symlinkat:
    case SYS_readlinkat: case SYS_fchmodat: case SYS_faccessat: case SYS_pselect6:
    case SYS_ppoll: case SYS_set_robust_list: case SYS_splice: case SYS_tee: case SYS_utimensat:
    case SYS_epoll_pwait: case SYS_timerfd_create: case SYS_fallocate: case SYS_timerfd_settime:
    case SYS_timerfd_gettime: case SYS_accept4: case SYS_signalfd4: case SYS_eventfd2:
    case SYS_epoll_create1: case SYS_dup3: case SYS_pipe2: case SYS_preadv: case SYS_pwritev:
    case SYS_rt_tgsigqueueinfo: case SYS_getcpu:
    case SYS_sched_getattr: case SYS_renameat2: case SYS_getrandom: case SYS_execveat:
    case SYS_membarrier: case SYS_mlock2: case SYS_copy_file_range: case SYS_pwritev2:
    case SYS_pkey_mprotect: case SYS_pkey_alloc: case SYS_pkey_free: case SYS_statx:
    case SYS_rseq: case SYS_pidfd_send_signal: case SYS_pidfd_open: case SYS_close_range:
    case SYS_openat2: case SYS_faccessat2: case SYS_epoll_pwait2:
    case SYS_landlock_create_ruleset: case SYS_landlock_add_rule:
    case SYS_landlock_restrict_self: case SYS_futex_waitv:
        return WANT_ALLOWED;

#if defined(__x86_64__)
    case SYS_modify_ldt: case SYS_iopl: case SYS_ioperm:
#endif
    case SYS_ptrace: case SYS_syslog: case SYS_capset: case SYS_sched_setparam:
    case SYS_sched_setscheduler: case SYS_sched_setattr: case SYS_vhangup: case SYS_pivot_root:
    case SYS_adjtimex: case SYS_chroot: case SYS_acct: case SYS_settimeofday: case SYS_mount:
    case SYS_umount2: case SYS_swapon: case SYS_swapoff: case SYS_reboot: case SYS_sethostname:
    case SYS_setdomainname: case SYS_init_module: case SYS_finit_module: case SYS_delete_module:
    case SYS_quotactl: case SYS_quotactl_fd: case SYS_nfsservctl: case SYS_lookup_dcookie:
    case SYS_clock_settime: case SYS_clock_adjtime: case SYS_mbind: case SYS_set_mempolicy:
    case SYS_migrate_pages: case SYS_move_pages: case SYS_kexec_load: case SYS_kexec_file_load:
    case SYS_add_key: case SYS_request_key: case SYS_keyctl: case SYS_ioprio_set:
    case SYS_unshare: case SYS_setns: case SYS_perf_event_open: case SYS_fanotify_init:
    case SYS_fanotify_mark: case SYS_name_to_handle_at: case SYS_open_by_handle_at:
    case SYS_process_vm_readv: case SYS_process_vm_writev: case SYS_process_madvise:
    case SYS_process_mrelease: case SYS_pidfd_getfd: case SYS_kcmp: case SYS_seccomp:
    case SYS_bpf: case SYS_userfaultfd: case SYS_memfd_secret: case SYS_mincore:
    case SYS_vmsplice:
        return WANT_EPERM;

    case SYS_sync: case SYS_syncfs: case SYS_fsync: case SYS_fdatasync: case SYS_sync_file_range:
        return WANT_DONE;

    case SYS_mmap: case SYS_memfd_create: case SYS_shmget: case SYS_madvise: case SYS_fadvise64:
    case SYS_preadv2: case SYS_ioctl: case SYS_fcntl: case SYS_prctl: case SYS_personality:
    case SYS_clone: case SYS_socket: case SYS_socketpair: case SYS_setsockopt: case SYS_setrlimit:
    case SYS_sendto: case SYS_recvfrom: case SYS_sendmsg: case SYS_recvmsg: case SYS_setpriority: case SYS_sched_setaffinity: case SYS_recvmmsg: case SYS_sendmmsg: case SYS_prlimit64:
        return WANT_BY_ARGUMENTS;

    /* Said aloud, though it is what happens to all others: what must look as if it were not there. */
    case SYS_clone3: case SYS_io_uring_setup: case SYS_io_uring_enter: case SYS_io_uring_register:
    case SYS_inotify_init1: case SYS_inotify_add_watch: case SYS_fsopen: case SYS_fsconfig:
    case SYS_fsmount: case SYS_fspick: case SYS_open_tree: case SYS_move_mount:
    case SYS_mount_setattr:
    default:
        return WANT_NOSYS;
    }
}

/* Values that the arguments of the calls above are compared with, each set once. */
static const uint32_t ioctl_values[] = {
    0x5401, 0x5402, 0x5403, 0x5404, 0x802c542a, 0x402c542b, 0x402c542c, 0x402c542d, 0x540f, 0x5413,
    0x5429, 0x541b, 0x5421, 0x5450, 0x5451, 0x40049409, 0x4020940d, 0x80086601};
static const uint32_t prctl_values[] = {3, 15, 16, 21, 23, 29, 30, 38, 39, 0x53564d41};
static const uint32_t fcntl_values[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 15, 16, 36, 37, 38,
    1027, 1030, 1031, 1032, 1033, 1034};
/* TIOCSTI, TIOCLINUX, TIOCSCTTY, TIOCSETD, FIOASYNC, FIOSETOWN, SIOCGIFCONF, FS_IOC_SETFLAGS;
 * PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_CAPBSET_DROP, PR_SET_SECUREBITS, PR_SET_MM,
 * PR_SET_CHILD_SUBREAPER, PR_CAP_AMBIENT, PR_SET_PTRACER; F_SETLEASE, F_GETLEASE, F_NOTIFY,
 * F_GET_RW_HINT, F_SET_RW_HINT. */
static const uint32_t refused_values[] = {
    0x5412, 0x541c, 0x540e, 0x5423, 0x5452, 0x8901, 0x8912, 0x40086602, 1, 4, 22, 24, 28, 35, 36, 47,
    0x59616d61, 1024, 1025, 1026, 1035, 1036};
/* clang-format on */

static bool listed(const uint32_t *values, size_t count, uint64_t argument)
{
    size_t i;

    for (i = 0; i < count; i++)
        if (values[i] == (uint32_t)argument)
            return true;
    return false;
}

static uint32_t allowed_unless(bool refused, int error)
{
    return refused ? FAILS(error) : ALLOWED;
}

static uint32_t policy_of_arguments(const struct seccomp_data *d)
{
    const __u64 *a = d->args;
    uint32_t low[6];
    int i;

    for (i = 0; i < 6; i++)
        low[i] = (uint32_t)a[i];
    switch (d->nr) {
    case SYS_recvmsg:
    case SYS_sendmsg:
        return allowed_unless(low[2] & MSG_OOB, EOPNOTSUPP);
    case SYS_recvfrom:
    case SYS_recvmmsg:
    case SYS_sendmmsg:
    case SYS_sendto:
        return allowed_unless(low[3] & MSG_OOB, EOPNOTSUPP);
    case SYS_setpriority:
        return allowed_unless(low[0] == PRIO_USER || low[1] == 1, EPERM);
    case SYS_sched_setaffinity:
        return allowed_unless(low[0] == 1, EPERM);
    case SYS_mmap:
        return allowed_unless(low[3] & MAP_HUGETLB, EPERM);
    case SYS_memfd_create:
        return allowed_unless(low[1] & MFD_HUGETLB, EPERM);
    case SYS_shmget:
        return allowed_unless(low[2] & 04000, EPERM);
    case SYS_madvise:
        return allowed_unless(low[2] == MADV_MERGEABLE, EINVAL);
    case SYS_fadvise64:
        return low[3] == 4 ? FAILS(0) : ALLOWED; /* POSIX_FADV_DONTNEED */
    case SYS_preadv2:
        return allowed_unless(low[5] & 8, EOPNOTSUPP); /* RWF_NOWAIT */
    case SYS_ioctl:
        return allowed_unless(!listed(ioctl_values, LENGTH(ioctl_values), a[1]), EPERM);
    case SYS_prctl:
        return allowed_unless(!listed(prctl_values, LENGTH(prctl_values), a[0]), EPERM);
    case SYS_fcntl:
        if (low[1] == 1024 || low[1] == 1026) /* F_SETLEASE, F_NOTIFY */
            return FAILS(EPERM);
        return allowed_unless(!listed(fcntl_values, LENGTH(fcntl_values), a[1]), EINVAL);
    case SYS_personality:
        return allowed_unless(low[0] != 0 && low[0] != 0xffffffff, EPERM);
    case SYS_clone: /* NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET */
        return allowed_unless(low[0] & (0x20000 | 0x2000000 | 0x4000000 | 0x8000000 | 0x10000000 |
                                        0x20000000 | 0x40000000),
                              EPERM);
    case SYS_socket:
    case SYS_socketpair:
        return allowed_unless(low[0] != AF_UNIX, EAFNOSUPPORT);
    case SYS_setsockopt:
        return allowed_unless(low[2] == 26 || (low[2] >= 50 && low[2] <= 52), EPERM);
    case SYS_setrlimit:
        return allowed_unless(low[0] == RLIMIT_CORE, EPERM);
    case SYS_prlimit64:
        return allowed_unless(low[0] != 0 || (low[1] == RLIMIT_CORE && a[2] != 0), EPERM);
    default:
        ck_abort_msg("no case for number %d", d->nr);
    }
}

/* The answer to a host without namespaces where it is another one; 0 = it is not. */
static uint32_t policy_without_namespaces(const struct seccomp_data *d)
{
    const __u64 *a = d->args;
    uint32_t type = (uint32_t)a[1] & 0xf;

    switch (d->nr) {
    case SYS_socket:
        return FAILS(EAFNOSUPPORT);
    case SYS_socketpair:
        if ((uint32_t)a[0] != AF_UNIX)
            return FAILS(EAFNOSUPPORT);
        return allowed_unless(type != SOCK_STREAM && type != SOCK_SEQPACKET, EPERM);
    case SYS_connect:
    case SYS_bind:
    case SYS_listen:
    case SYS_accept:
    case SYS_accept4:
        return FAILS(EPERM);
    case SYS_setpriority:
        return allowed_unless((uint32_t)a[0] != PRIO_PROCESS || (uint32_t)a[1] != 0, EPERM);
    case SYS_sched_setaffinity:
        return allowed_unless((uint32_t)a[0] != 0, EPERM);
    case SYS_msgget:
    case SYS_msgsnd:
    case SYS_msgrcv:
    case SYS_msgctl:
    case SYS_semget:
    case SYS_semop:
    case SYS_semtimedop:
    case SYS_semctl:
    case SYS_shmget:
    case SYS_shmat:
    case SYS_shmdt:
    case SYS_shmctl:
    case SYS_mq_open:
    case SYS_mq_unlink:
    case SYS_mq_timedsend:
    case SYS_mq_timedreceive:
    case SYS_mq_notify:
    case SYS_mq_getsetattr:
        return FAILS(ENOSYS);
#if defined(__x86_64__)
    case SYS_chown:
    case SYS_lchown:
#endif
    case SYS_fchown:
    case SYS_fchownat:
    case SYS_setxattr:
    case SYS_lsetxattr:
    case SYS_fsetxattr:
    case SYS_removexattr:
    case SYS_lremovexattr:
    case SYS_fremovexattr:
        return FAILS(EPERM);
#if defined(__x86_64__)
    case SYS_chmod:
    case SYS_utime:
    case SYS_utimes:
    case SYS_futimesat:
#endif
    case SYS_fchmod:
    case SYS_fchmodat:
    case SYS_utimensat:
        return FAILS(0);
    default:
        return 0;
    }
}

/* The answer to a job with network where it is another one; 0 = it is not. */
static uint32_t policy_with_network(const struct seccomp_data *d, bool no_sockets)
{
    const __u64 *a = d->args;
    uint32_t family = (uint32_t)a[0], type = (uint32_t)a[1] & 0xf, protocol = (uint32_t)a[2];
    uint32_t level = (uint32_t)a[1], option = (uint32_t)a[2];

    switch (d->nr) {
    case SYS_socket:
        if (family == AF_UNIX && !no_sockets)
            return ALLOWED;
        if (family != AF_INET && family != AF_INET6)
            return FAILS(EAFNOSUPPORT);
        if (type != SOCK_STREAM && type != SOCK_DGRAM)
            return FAILS(EPERM);
        return allowed_unless(protocol != 0 && protocol != IPPROTO_TCP && protocol != IPPROTO_UDP,
                              EPROTONOSUPPORT);
    case SYS_setsockopt:
        if (level == IPPROTO_IP || level == IPPROTO_IPV6)
            return ALLOWED;
        if (level != SOL_SOCKET && level != IPPROTO_TCP && level != IPPROTO_UDP)
            return FAILS(ENOPROTOOPT);
        return allowed_unless(
            option == 26 || (option >= 50 && option <= 52) || option == 31 || option == 100, EPERM);
    case SYS_connect:
    case SYS_bind:
    case SYS_listen:
    case SYS_accept:
    case SYS_accept4:
        return ALLOWED;
    default:
        return 0;
    }
}

static uint32_t policy_answer(const struct native_seccomp_rules *rules,
                              const struct seccomp_data *d)
{
    uint32_t foreign = rules->notify ? SECCOMP_RET_USER_NOTIF : SECCOMP_RET_KILL_PROCESS;
    uint32_t alone;

    if (d->arch != NATIVE_ARCH)
        return foreign;
#if defined(__x86_64__)
    if ((uint32_t)d->nr >= 0x40000000 && d->nr != -1)
        return foreign;
#endif
    alone = rules->network ? policy_with_network(d, rules->no_sockets) : 0;
    if (!alone && rules->no_sockets)
        alone = policy_without_namespaces(d);
    if (alone)
        return alone;
    switch (policy_of_number(d->nr)) {
    case WANT_ALLOWED:
        return ALLOWED;
    case WANT_EPERM:
        return FAILS(EPERM);
    case WANT_DONE:
        return FAILS(0);
    case WANT_BY_ARGUMENTS:
        return policy_of_arguments(d);
    case WANT_NOSYS:
    default:
        return FAILS(ENOSYS);
    }
}

static void compare(struct program *p, const struct native_seccomp_rules *rules,
                    const struct seccomp_data *d)
{
    uint32_t got = program_run(p, d), wanted = policy_answer(rules, d);

    if (got != wanted)
        ck_abort_msg("notify %d, no_sockets %d, network %d, arch %#x, number %d (%#llx, %#llx, "
                     "%#llx, %#llx, "
                     "%#llx, %#llx): %#x, wanted %#x",
                     rules->notify, rules->no_sockets, rules->network, d->arch, d->nr, d->args[0],
                     d->args[1], d->args[2], d->args[3], d->args[4], d->args[5], got, wanted);
}

/* ---- the program against the policy ---------------------------------------------------------- */

#define CORNERS_MAX 1024
static uint64_t corner[CORNERS_MAX];
static size_t n_corners;

static void corner_add(uint64_t value)
{
    ck_assert_uint_lt(n_corners, CORNERS_MAX);
    corner[n_corners++] = value;
}

static void corners_of(const uint32_t *values, size_t count)
{
    size_t i;

    for (i = 0; i < count; i++) {
        corner_add(values[i]);
        corner_add(values[i] + 1u);
        corner_add(values[i] - 1u);
        corner_add(values[i] | UINT64_C(0x100000000));
        corner_add(values[i] | UINT64_C(0xffffffff00000000));
    }
}

/* The first ones, which are also tried in pairs, have what comparisons usually go wrong at. */
#define CORNERS_OF_PAIRS 16
static void corners_make(void)
{
    static const uint64_t pairs[CORNERS_OF_PAIRS] = {
        0,          1,          2,
        3,          4,          5,
        26,         0xffffffff, UINT64_C(0x100000000),
        0x80000001, 0x40000,    UINT64_C(0xffffffffffffffff),
        0x80805,    0x80002,    UINT64_C(0x100000001),
        04000};
    int bit;

    n_corners = 0;
    while (n_corners < CORNERS_OF_PAIRS)
        corner_add(pairs[n_corners]);
    for (bit = 0; bit < 64; bit++) {
        corner_add(UINT64_C(1) << bit);
        corner_add(~(UINT64_C(1) << bit));
        corner_add((UINT64_C(1) << bit) | 17); /* a CLONE flag and SIGCHLD */
    }
    corners_of(ioctl_values, LENGTH(ioctl_values));
    corners_of(prctl_values, LENGTH(prctl_values));
    corners_of(fcntl_values, LENGTH(fcntl_values));
    corners_of(refused_values, LENGTH(refused_values));
    for (bit = 0; bit < 64; bit++)
        corner_add((uint64_t)bit);
}

/* One call, or, where the answer depends on arguments, very many. */
static void compare_number(struct program *p, const struct native_seccomp_rules *rules, int nr)
{
    struct seccomp_data d;
    size_t a, b, i, j;
    int rest;

    memset(&d, 0, sizeof d);
    d.nr = nr;
    d.arch = NATIVE_ARCH;
    d.instruction_pointer = UINT64_C(0x7f0012345678);
    compare(p, rules, &d);
    if (!p->asked && policy_of_number(nr) != WANT_BY_ARGUMENTS)
        return;
    for (a = 0; a < 6; a++)
        for (i = 0; i < n_corners; i++) {
            d.args[a] = corner[i];
            compare(p, rules, &d);
            d.args[a] = 0;
        }
    for (rest = 0; rest <= 0xff; rest += 0xff) /* what the other four are filled with */
        for (a = 0; a < 6; a++)
            for (b = a + 1; b < 6; b++)
                for (i = 0; i < CORNERS_OF_PAIRS; i++)
                    for (j = 0; j < CORNERS_OF_PAIRS; j++) {
                        memset(d.args, rest, sizeof d.args);
                        d.args[a] = corner[i];
                        d.args[b] = corner[j];
                        compare(p, rules, &d);
                    }
}

START_TEST(every_number_is_answered_as_the_policy_says)
{
    static const uint32_t numbers[] = {0x3fffffff, 0x40000000, 0x40000001, 0x40000000 + SYS_ptrace,
                                       0x400003ff, 0x7ffffffe, 0x7fffffff, 0x80000000,
                                       0x80000001, 0xc0000000, 0xfffffffe, 0xffffffff,
                                       0x10000,    0x20000000, 0xffff};
    const struct native_seccomp_rules *rules = &all_rules[_i];
    struct program p = program_make(rules);
    size_t i;
    int nr;

    corners_make();
    for (nr = 0; nr <= 1200; nr++)
        compare_number(&p, rules, nr);
    for (i = 0; i < LENGTH(numbers); i++)
        compare_number(&p, rules, (int)numbers[i]);
    program_free(&p);
}
END_TEST

/* Their answers hang on three arguments at once. */
START_TEST(sockets_and_their_options_are_looked_at_whole)
{
    static const uint32_t value[] = {
        0,   1,   2,   3,   5,   6,  10, 16, 17, 26,  31, 41,  50, 51,         52,         58, 100,
        132, 136, 255, 262, 263, 53, 49, 30, 32, 0xf, 99, 101, 25, 0x80000001, 0x80000802, 27};
    const struct native_seccomp_rules *rules = &all_rules[_i];
    struct program p = program_make(rules);
    struct seccomp_data d;
    size_t i, j, k;

    memset(&d, 0, sizeof d);
    d.arch = NATIVE_ARCH;
    for (i = 0; i < LENGTH(value); i++)
        for (j = 0; j < LENGTH(value); j++)
            for (k = 0; k < LENGTH(value); k++) {
                d.args[0] = value[i];
                d.args[1] = value[j];
                d.args[2] = value[k];
                d.nr = SYS_socket;
                compare(&p, rules, &d);
                d.nr = SYS_socketpair;
                compare(&p, rules, &d);
                d.nr = SYS_setsockopt;
                compare(&p, rules, &d);
            }
    program_free(&p);
}
END_TEST

START_TEST(every_call_of_another_abi_is_foreign)
{
    static const uint32_t archs[] = {
        AUDIT_ARCH_X86_64,  AUDIT_ARCH_I386,  AUDIT_ARCH_AARCH64, AUDIT_ARCH_ARM,
        AUDIT_ARCH_RISCV64, AUDIT_ARCH_S390X, AUDIT_ARCH_PPC64LE, 0,
        0xffffffff};
    const struct native_seccomp_rules *rules = &all_rules[_i];
    struct program p = program_make(rules);
    struct seccomp_data d;
    size_t i;

    memset(&d, 0, sizeof d);
    for (i = 0; i < LENGTH(archs); i++) {
        if (archs[i] == NATIVE_ARCH)
            continue;
        d.arch = archs[i];
        for (d.nr = 0; d.nr <= 1024; d.nr++)
            compare(&p, rules, &d);
        for (d.nr = INT_MIN; d.nr < INT_MIN + 4; d.nr++)
            compare(&p, rules, &d);
        for (d.nr = -4; d.nr < 0; d.nr++)
            compare(&p, rules, &d);
    }
    d.arch = NATIVE_ARCH;
    d.nr = -1;
    ck_assert_uint_eq(program_run(&p, &d), FAILS(ENOSYS));
    program_free(&p);
}
END_TEST

START_TEST(random_calls_are_answered_as_the_policy_says)
{
    const struct native_seccomp_rules *rules = &all_rules[_i];
    struct program p = program_make(rules);
    struct seccomp_data d;
    unsigned seed = 7;
    int round, i;

    corners_make();
    memset(&d, 0, sizeof d);
    for (round = 0; round < 200000; round++) {
        d.arch = rand_r(&seed) % 16 ? NATIVE_ARCH : (uint32_t)rand_r(&seed) << 1;
        d.nr = rand_r(&seed) % 8 ? rand_r(&seed) % 500 : (int)((uint32_t)rand_r(&seed) << 1);
        for (i = 0; i < 6; i++)
            d.args[i] = corner[(size_t)rand_r(&seed) % n_corners];
        compare(&p, rules, &d);
    }
    program_free(&p);
}
END_TEST

/* ---- the program itself ---------------------------------------------------------------------- */

static void reach(const struct program *p, bool *reached, size_t from, size_t offset)
{
    ck_assert_msg(offset < p->count - from - 1, "instruction %zu leads past the end", from);
    reached[from + 1 + offset] = true;
}

START_TEST(every_path_ends_and_no_instruction_is_idle)
{
    struct program p = program_make(&all_rules[_i]);
    bool reached[BPF_MAXINSNS] = {true};
    size_t i;

    ck_assert_uint_lt(p.count, 700);
    for (i = 0; i < p.count; i++) {
        ck_assert_msg(reached[i], "nothing leads to instruction %zu", i);
        if (p.insn[i].code == (BPF_RET | BPF_K))
            continue;
        if (p.insn[i].code == (BPF_JMP | BPF_JA)) {
            reach(&p, reached, i, p.insn[i].k);
        } else if (BPF_CLASS(p.insn[i].code) == BPF_JMP) {
            reach(&p, reached, i, p.insn[i].jt);
            reach(&p, reached, i, p.insn[i].jf);
        } else {
            reach(&p, reached, i, 0);
        }
    }
    ck_assert_uint_eq(p.insn[p.count - 1].code, BPF_RET | BPF_K);
    program_free(&p);
}
END_TEST

START_TEST(a_call_without_conditions_is_found_in_few_steps)
{
    struct program p = program_make(&all_rules[_i]);
    struct seccomp_data d;

    memset(&d, 0, sizeof d);
    d.arch = NATIVE_ARCH;
    for (d.nr = 0; d.nr < 1024; d.nr++) {
        if (policy_of_number(d.nr) == WANT_BY_ARGUMENTS)
            continue;
        program_run(&p, &d);
        ck_assert_msg(p.steps <= 16, "number %d takes %zu", d.nr, p.steps);
    }
    program_free(&p);
}
END_TEST

START_TEST(without_memory_there_is_no_program_and_no_leak)
{
    tako_options opts = TAKO_OPTIONS_INIT;
    struct fault_alloc f;
    tako_host host;
    tako_error err;
    void *filter = NULL;
    size_t count = 0;
    long n;
    int rc;

    for (n = 0;; n++) {
        fault_alloc_init(&f);
        f.fail_at = n;
        opts.alloc = fault_alloc_use(&f);
        tako__host_init(&host, &opts);
        rc = native_seccomp_make(&host, &all_rules[0], &filter, &count, &err);
        if (rc == TAKO_OK)
            break;
        ck_assert_int_eq(rc, TAKO_ENOMEM);
        ck_assert_ptr_null(filter);
        ck_assert_int_eq(f.live_blocks, 0);
    }
    ck_assert_int_gt(n, 0);
    ck_assert_int_eq(f.live_blocks, 1);
    tako__free(&host, filter);
}
END_TEST

/* ---- the kernel ------------------------------------------------------------------------------ */

struct probe {
    long nr;
    unsigned long arg[6];
};
struct outcome {
    long result;
    int error;
};

/* Harmless whether they are made or not. Pointers are null unless said otherwise. */
static const struct probe probes[] = {
    {SYS_getpid, {0}},
    {SYS_gettid, {0}},
    {SYS_close, {999999}},
    {SYS_clone3, {0}},
    {SYS_io_uring_setup, {0}},
    {SYS_inotify_init1, {0}},
    {1023, {0}},
    {0x3fffffff, {0}},
    {-1, {0}},
    {SYS_ptrace, {0}},
    {SYS_mount, {0}},
    {SYS_seccomp, {99}},
    {SYS_capset, {0}},
    {SYS_mincore, {0}},
    {SYS_vmsplice, {999999}},
    {SYS_sync, {0}},
    {SYS_fsync, {999999}},
    {SYS_ioctl, {999999, 0x5401}},
    {SYS_ioctl, {999999, 0x5401 | (1ul << 32)}},
    {SYS_ioctl, {999999, 0x5412}},
    {SYS_ioctl, {999999, 0x8912}},
    {SYS_prctl, {PR_GET_DUMPABLE}},
    {SYS_prctl, {PR_SET_DUMPABLE, 0}},
    {SYS_prctl, {PR_SET_PDEATHSIG, 0}},
    {SYS_prctl, {PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0}},
    {SYS_fcntl, {0, 3}},
    {SYS_fcntl, {0, 1024, 0}},
    {SYS_fcntl, {0, 1036, 0}},
    {SYS_fcntl, {0, 9999, 0}},
    {SYS_personality, {0xffffffff}},
    {SYS_personality, {0x0040000}},
    {SYS_socket, {AF_UNIX, SOCK_STREAM}},
    {SYS_socket, {AF_UNIX | (1ul << 32), SOCK_STREAM}},
    {SYS_socket, {AF_INET, SOCK_STREAM}},
    {SYS_socket, {AF_NETLINK, SOCK_RAW}},
    {SYS_socketpair, {AF_UNIX, SOCK_STREAM, 0, 0}},
    {SYS_socketpair, {AF_UNIX, SOCK_DGRAM, 0, 0}},
    {SYS_connect, {999999}},
    {SYS_setsockopt, {999999, SOL_SOCKET, 26}},
    {SYS_setsockopt, {999999, SOL_SOCKET, 2}},
    {SYS_setrlimit, {RLIMIT_CORE, 0}},
    {SYS_setrlimit, {RLIMIT_NOFILE, 0}},
    {SYS_prlimit64, {0, RLIMIT_CORE, 1, 0}},
    {SYS_prlimit64, {0, RLIMIT_CORE, 1ul << 32, 0}},
    {SYS_prlimit64, {0, RLIMIT_CORE, 0, 0}},
    {SYS_prlimit64, {1, RLIMIT_NOFILE, 0, 0}},
    {SYS_clone, {0x10000000 | SIGCHLD}},
    {SYS_madvise, {0, 0, 12}},
    {SYS_madvise, {0, 0, 4}},
    {SYS_fadvise64, {999999, 0, 0, 4}},
    {SYS_fadvise64, {999999, 0, 0, 3}},
    {SYS_preadv2, {999999, 0, 0, 0, 0, 8}},
    {SYS_preadv2, {999999, 0, 0, 0, 0, 0}},
    {SYS_mmap, {0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, ~0ul}},
    {SYS_memfd_create, {0, 4}},
    {SYS_shmget, {0, 0, 04000}},
    {SYS_msgget, {12345, 0}},
    {SYS_setpriority, {PRIO_USER, 0, 0}},
    {SYS_setpriority, {PRIO_PROCESS, 0, 0}},
    {SYS_sched_setaffinity, {0, 0, 0}},
    {SYS_sched_setaffinity, {1, 0, 0}},
};

static long install(const struct program *p, unsigned flags)
{
    struct sock_fprog program;

    program.len = (unsigned short)p->count;
    program.filter = p->insn;
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
        return -1;
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

/* In a child: makes all probes, under the filter when there is one. */
static void probe_all(const struct program *p, struct outcome *outcomes)
{
    const unsigned long *a;
    int status = 0;
    pid_t pid;
    size_t i;

    fflush(NULL);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        if (p && install(p, 0))
            _exit(98);
        for (i = 0; i < LENGTH(probes); i++) {
            a = probes[i].arg;
            if (!p && (probes[i].nr == SYS_clone || probes[i].nr == SYS_sync))
                continue; /* nothing to compare with: never allowed */
            errno = 0;
            outcomes[i].result = syscall(probes[i].nr, a[0], a[1], a[2], a[3], a[4], a[5]);
            outcomes[i].error = errno;
        }
        _exit(0);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "wait status %d", status);
}

START_TEST(the_kernel_answers_as_the_interpreter)
{
    struct program p = program_make(&all_rules[_i]);
    size_t i, j, size = 2 * sizeof(struct outcome) * LENGTH(probes);
    struct outcome *free_ones, *bound;
    struct seccomp_data d;
    uint32_t answer;

    free_ones = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert(free_ones != MAP_FAILED);
    bound = free_ones + LENGTH(probes);
    probe_all(NULL, free_ones);
    probe_all(&p, bound);
    for (i = 0; i < LENGTH(probes); i++) {
        memset(&d, 0, sizeof d);
        d.arch = NATIVE_ARCH;
        d.nr = (int)probes[i].nr;
        for (j = 0; j < 6; j++)
            d.args[j] = probes[i].arg[j];
        answer = program_run(&p, &d);
        if (answer == ALLOWED)
            ck_assert_msg(bound[i].error == free_ones[i].error, "probe %zu: error %d, without %d",
                          i, bound[i].error, free_ones[i].error);
        else
            ck_assert_msg((answer & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO &&
                              bound[i].error == (int)(answer & SECCOMP_RET_DATA) &&
                              bound[i].result == (bound[i].error ? -1 : 0),
                          "probe %zu: %ld, error %d, answer %#x", i, bound[i].result,
                          bound[i].error, answer);
    }
    munmap(free_ones, size);
    program_free(&p);
}
END_TEST

static void call_x32(void)
{
    syscall(0x40000000 + SYS_getpid);
}

static void call_i386(void)
{
#if defined(__x86_64__)
    long result;

    __asm__ volatile("int $0x80" : "=a"(result) : "a"(20L) : "memory", "r8", "r9", "r10", "r11");
#endif
}

/* The wait status of a child that makes one call, under the filter when there is one. */
static int status_of(const struct program *p, void (*call)(void))
{
    const struct rlimit none = {0, 0};
    int status = 0;
    pid_t pid;

    fflush(NULL);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        signal(SIGSEGV, SIG_DFL);
        if (setrlimit(RLIMIT_CORE, &none) || (p && install(p, 0)))
            _exit(98);
        call();
        _exit(0);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    return status;
}

#if defined(__x86_64__)
#define FOREIGN_CALLS 2
#else
#define FOREIGN_CALLS 0 /* needs a 32-bit program */
#endif
static void (*const foreign_calls[])(void) = {call_x32, call_i386};

START_TEST(a_foreign_call_kills)
{
    struct program p = program_make(&all_rules[0]);
    int status;

    if (WIFSIGNALED(status_of(NULL, foreign_calls[_i]))) {
        skip_or_fail("i386", "the kernel has no calls of that ABI");
        program_free(&p);
        return;
    }
    status = status_of(&p, foreign_calls[_i]);
    ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS, "wait status %d", status);
    program_free(&p);
}
END_TEST

/* The child that listens: 0 = a call of its own child arrived. */
static int listen_for(const struct program *p, void (*call)(void))
{
    struct pollfd watch;
    long fd = install(p, SECCOMP_FILTER_FLAG_NEW_LISTENER);
    int ready, status;
    pid_t pid;

    if (fd < 0)
        return errno == EBUSY ? 97 : 98;
    pid = fork();
    if (pid == 0) {
        close((int)fd); /* or its own waiting call would keep the listener alive */
        call();
        _exit(0);
    }
    watch.fd = (int)fd;
    watch.events = POLLIN;
    ready = poll(&watch, 1, 20000);
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    return ready == 1 && watch.revents == POLLIN ? 0 : 1;
}

START_TEST(a_foreign_call_reaches_the_listener)
{
    struct program p = program_make(&all_rules[1]);
    int status = 0;
    pid_t pid;

    if (WIFSIGNALED(status_of(NULL, foreign_calls[_i]))) {
        skip_or_fail("i386", "the kernel has no calls of that ABI");
        program_free(&p);
        return;
    }
    fflush(NULL);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0)
        _exit(listen_for(&p, foreign_calls[_i]));
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 97)
        skip_or_fail("seccomp_listener", "somebody listens to this process already");
    else
        ck_assert_msg(status == 0, "wait status %d", status);
    program_free(&p);
}
END_TEST

Suite *suite_seccomp(void)
{
    Suite *s = suite_create("seccomp");
    TCase *data = tcase_create("data"), *kernel = tcase_create("kernel");
    int variants = (int)LENGTH(all_rules);

    tcase_set_timeout(data, 120);
    tcase_add_loop_test(data, every_number_is_answered_as_the_policy_says, 0, variants);
    tcase_add_loop_test(data, sockets_and_their_options_are_looked_at_whole, 0, variants);
    tcase_add_loop_test(data, every_call_of_another_abi_is_foreign, 0, variants);
    tcase_add_loop_test(data, random_calls_are_answered_as_the_policy_says, 0, variants);
    tcase_add_loop_test(data, every_path_ends_and_no_instruction_is_idle, 0, variants);
    tcase_add_loop_test(data, a_call_without_conditions_is_found_in_few_steps, 0, variants);
    tcase_add_test(data, without_memory_there_is_no_program_and_no_leak);
    tcase_set_timeout(kernel, 60);
    tcase_add_loop_test(kernel, the_kernel_answers_as_the_interpreter, 0, variants);
    tcase_add_loop_test(kernel, a_foreign_call_kills, 0, FOREIGN_CALLS);
    tcase_add_loop_test(kernel, a_foreign_call_reaches_the_listener, 0, FOREIGN_CALLS);
    suite_add_tcase(s, data);
    suite_add_tcase(s, kernel);
    return s;
}
