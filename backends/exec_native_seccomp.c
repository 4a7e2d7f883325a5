/* exec_native_seccomp.c - the system calls a job may make: an allow list by number. What is not
 * named fails with ENOSYS, as on a kernel that does not have it, so that libraries fall back; what
 * is known and refused fails with EPERM; calls of a foreign ABI (i386 and x32 on x86-64, 32-bit ARM
 * on aarch64) end the job. The tables are data and the only place of policy; below them is the
 * compiler that makes one BPF program of them, once per engine; jobs install that. libseccomp only
 * knows the numbers of names, and this is the only file that knows libseccomp.
 * SPDX-License-Identifier: MIT */
#include "exec_native.h"

#if !__has_include(<seccomp.h>)
#error "seccomp.h not found: install libseccomp-dev or compile with -DTAKO_OMIT_NATIVE"
#endif
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stddef.h>
#include <string.h>

/* Answers of the program. */
#define SECCOMP_YES SECCOMP_RET_ALLOW
#define SECCOMP_NO(error) (SECCOMP_RET_ERRNO | (uint32_t)(error))
#define SECCOMP_DONE SECCOMP_NO(0) /* the call succeeds without being made */

/* One look at one argument. Below 64 bits the kernel's own parameters are ints, of which it takes
 * the low half whatever stands in the high one; so does the filter. */
enum seccomp_look {
    SECCOMP_IS,   /* the low half, under `mask` unless that is 0, is one of the values */
    SECCOMP_ISNT, /* it is none of them */
    SECCOMP_HAS,  /* the low half has one of the bits of `mask` */
    SECCOMP_SET   /* all 64 bits: not 0, not a null pointer */
};
struct seccomp_case {
    unsigned arg;
    enum seccomp_look look;
    uint32_t mask;
    const uint32_t *values;
    size_t n_values;
    uint32_t answer;
};
/* A row of the policy: for each of these calls, the answer of the first case that holds; without
 * cases, and when none holds, `answer`. */
struct seccomp_row {
    const char *names; /* with single spaces between them */
    uint32_t answer;
    const struct seccomp_case *cases;
    size_t n_cases;
};
#define SECCOMP_LIST(array) (array), TAKO__LEN(array)
#define SECCOMP_PLAIN NULL, 0 /* no cases */

/* Tables laid out by hand. */
/* clang-format off */

/* ---- arguments ------------------------------------------------------------------------------- */

static const uint32_t seccomp_zero[] = {0};

/* Requests that ordinary programs make. A job has no terminal: the first group is how programs find
 * that out (ENOTTY). All else (terminal input, disciplines and ownership, signals by descriptor,
 * network interfaces, flags of files, devices) gets EPERM, not ENOTTY: to the programs tried
 * (CPython, NumPy, node, git, a JVM, coreutils) it makes no difference, and to the reader of an
 * error it says who refused. */
static const uint32_t seccomp_ioctls[] = {
    0x5401,                                 /* TCGETS */
    0x5402, 0x5403, 0x5404,                 /* TCSETS, TCSETSW, TCSETSF */
    0x802c542a,                             /* TCGETS2: isatty(3) of newer C libraries */
    0x402c542b, 0x402c542c, 0x402c542d,     /* TCSETS2, TCSETSW2, TCSETSF2 */
    0x540f,                                 /* TIOCGPGRP */
    0x5413,                                 /* TIOCGWINSZ */
    0x5429,                                 /* TIOCGSID */
    0x541b,                                 /* FIONREAD */
    0x5421,                                 /* FIONBIO */
    0x5450, 0x5451,                         /* FIONCLEX, FIOCLEX */
    0x40049409, 0x4020940d,                 /* FICLONE, FICLONERANGE */
    0x80086601,                             /* FS_IOC_GETFLAGS */
};
static const struct seccomp_case seccomp_ioctl[] = {
    {1, SECCOMP_IS, 0, SECCOMP_LIST(seccomp_ioctls), SECCOMP_YES},
};

/* Options about the caller alone that cannot loosen anything. PR_SET_PDEATHSIG and PR_SET_DUMPABLE
 * stay out: init has set what they change. So do capabilities, PR_SET_MM, PR_SET_PTRACER,
 * speculation control, core scheduling (stalls a neighbour's hardware thread) and memory merging
 * (lets one see what others have in memory). */
static const uint32_t seccomp_prctls[] = {
    3,          /* PR_GET_DUMPABLE */
    15, 16,     /* PR_SET_NAME, PR_GET_NAME */
    21,         /* PR_GET_SECCOMP */
    23,         /* PR_CAPBSET_READ */
    29, 30,     /* PR_SET_TIMERSLACK, PR_GET_TIMERSLACK */
    38, 39,     /* PR_SET_NO_NEW_PRIVS (set already), PR_GET_NO_NEW_PRIVS */
    0x53564d41, /* PR_SET_VMA: the C library names its memory */
};
static const struct seccomp_case seccomp_prctl[] = {
    {0, SECCOMP_IS, 0, SECCOMP_LIST(seccomp_prctls), SECCOMP_YES},
};

/* Leases and directory notices tell what others do with a shared file. Lifetime hints, that is
 * F_SET_RW_HINT and its kin, are not listed: they are kept with the file, on older kernels even
 * when set through a descriptor that may not write, and would be a letter box between jobs. */
static const uint32_t seccomp_fcntls_refused[] = {1024, 1026}; /* F_SETLEASE, F_NOTIFY */
static const uint32_t seccomp_fcntls[] = {
    0, 1030, 1027,          /* F_DUPFD, F_DUPFD_CLOEXEC, F_DUPFD_QUERY */
    1, 2, 3, 4,             /* F_GETFD, F_SETFD, F_GETFL, F_SETFL */
    5, 6, 7, 36, 37, 38,    /* F_GETLK, F_SETLK, F_SETLKW; the same of F_OFD_ */
    8, 9, 10, 11, 15, 16,   /* F_SETOWN, F_GETOWN, F_SETSIG, F_GETSIG, F_SETOWN_EX, F_GETOWN_EX */
    1031, 1032,             /* F_SETPIPE_SZ, F_GETPIPE_SZ */
    1033, 1034,             /* F_ADD_SEALS, F_GET_SEALS */
};
static const struct seccomp_case seccomp_fcntl[] = {
    {1, SECCOMP_IS, 0, SECCOMP_LIST(seccomp_fcntls), SECCOMP_YES},
    {1, SECCOMP_IS, 0, SECCOMP_LIST(seccomp_fcntls_refused), SECCOMP_NO(EPERM)},
};

/* PER_LINUX, and the question what it is. Others take protections of memory away. */
static const uint32_t seccomp_personalities[] = {0, 0xffffffff};
static const struct seccomp_case seccomp_personality[] = {
    {0, SECCOMP_IS, 0, SECCOMP_LIST(seccomp_personalities), SECCOMP_YES},
};

/* Every CLONE_NEW* flag that clone(2) takes. */
static const struct seccomp_case seccomp_clone[] = {
    {0, SECCOMP_HAS, 0x7e020000, NULL, 0, SECCOMP_NO(EPERM)},
};

static const uint32_t seccomp_families[] = {1}; /* AF_UNIX */
static const struct seccomp_case seccomp_socket[] = {
    {0, SECCOMP_IS, 0, SECCOMP_LIST(seccomp_families), SECCOMP_YES},
};

/* SO_ATTACH_FILTER, SO_ATTACH_BPF, SO_ATTACH_REUSEPORT_CBPF, SO_ATTACH_REUSEPORT_EBPF: the kernel's
 * program loader. The level need not be looked at: AF_UNIX has options of SOL_SOCKET only. */
static const uint32_t seccomp_sockopts[] = {26, 50, 51, 52};
static const struct seccomp_case seccomp_setsockopt[] = {
    {2, SECCOMP_IS, 0, SECCOMP_LIST(seccomp_sockopts), SECCOMP_NO(EPERM)},
};

/* Pid 1 has the job's user and its own priority and CPUs to keep. */
static const uint32_t seccomp_pid_one[] = {1}; /* also as its process group, and PRIO_PGRP */
static const uint32_t seccomp_by_user[] = {2}; /* PRIO_USER */
static const struct seccomp_case seccomp_setpriority[] = {
    {0, SECCOMP_IS, 0, SECCOMP_LIST(seccomp_by_user), SECCOMP_NO(EPERM)},
    {1, SECCOMP_IS, 0, SECCOMP_LIST(seccomp_pid_one), SECCOMP_NO(EPERM)},
};
static const struct seccomp_case seccomp_setaffinity[] = {
    {0, SECCOMP_IS, 0, SECCOMP_LIST(seccomp_pid_one), SECCOMP_NO(EPERM)},
};

/* MSG_OOB on local sockets has had holes, and nobody uses it: as on a kernel without it. */
static const struct seccomp_case seccomp_flags_second[] = {
    {2, SECCOMP_HAS, 1, NULL, 0, SECCOMP_NO(EOPNOTSUPP)},
};
static const struct seccomp_case seccomp_flags_third[] = {
    {3, SECCOMP_HAS, 1, NULL, 0, SECCOMP_NO(EOPNOTSUPP)},
};

/* Flags that take pages from the host's pool of huge ones, which no memory limit counts. */
static const struct seccomp_case seccomp_mmap[] = {
    {3, SECCOMP_HAS, 0x40000, NULL, 0, SECCOMP_NO(EPERM)}, /* MAP_HUGETLB */
};
static const struct seccomp_case seccomp_memfd[] = {
    {1, SECCOMP_HAS, 4, NULL, 0, SECCOMP_NO(EPERM)}, /* MFD_HUGETLB */
};
static const struct seccomp_case seccomp_shmget[] = {
    {2, SECCOMP_HAS, 04000, NULL, 0, SECCOMP_NO(EPERM)}, /* SHM_HUGETLB */
};

/* MADV_MERGEABLE: equal pages of different jobs would become one, and the time of a write tell. As
 * on a kernel without it. */
static const uint32_t seccomp_mergeable[] = {12};
static const struct seccomp_case seccomp_madvise[] = {
    {2, SECCOMP_IS, 0, SECCOMP_LIST(seccomp_mergeable), SECCOMP_NO(EINVAL)},
};

/* What others have read of a shared file is in memory: POSIX_FADV_DONTNEED puts it out, RWF_NOWAIT
 * tells whether it is there without bringing it in. The one is advice, and not taken; the other
 * fails as on a file system without it. */
static const uint32_t seccomp_evict[] = {4};
static const struct seccomp_case seccomp_fadvise[] = {
    {3, SECCOMP_IS, 0, SECCOMP_LIST(seccomp_evict), SECCOMP_DONE},
};
static const struct seccomp_case seccomp_preadv2[] = {
    {5, SECCOMP_HAS, 8, NULL, 0, SECCOMP_NO(EOPNOTSUPP)},
};

/* RLIMIT_CORE is how core dumps are kept off: it stays. Nor are limits of other processes changed
 * or read: init's above all, which has the job's user. */
static const uint32_t seccomp_core[] = {4};
static const struct seccomp_case seccomp_setrlimit[] = {
    {0, SECCOMP_IS, 0, SECCOMP_LIST(seccomp_core), SECCOMP_NO(EPERM)},
};
static const struct seccomp_case seccomp_prlimit[] = {
    {0, SECCOMP_ISNT, 0, SECCOMP_LIST(seccomp_zero), SECCOMP_NO(EPERM)},
    {1, SECCOMP_ISNT, 0, SECCOMP_LIST(seccomp_core), SECCOMP_YES},
    {2, SECCOMP_SET, 0, NULL, 0, SECCOMP_NO(EPERM)},
};

/* ---- the policy ------------------------------------------------------------------------------ */

/* Not here, and so ENOSYS, though it may look like an oversight:
 *   clone3                   its flags are behind a pointer; libraries fall back to clone
 *   io_uring_*               calls past this filter; libraries fall back
 *   inotify_*                watching shared files shows what others open
 *   fsopen, open_tree, ...   the whole newer family of mount calls
 *   cachestat                tells of the page cache
 *   fchmodat2, mseal, *xattrat and all that libseccomp 2.5.4 has no number for: whoever calls them
 *   has a fallback, and the policy is the same whatever libseccomp it was built with. */
static const struct seccomp_row seccomp_policy[] = {
    /* Files. What a path leads to is decided by the mounts and Landlock; setting an owner, and
     * mknod for anything but pipes and sockets, fails for lack of capabilities. Locks are bound to
     * the file system, of which each job sees its own. splice and tee stay, as sendfile does the
     * same to pages of files. */
    {"access chdir chmod chown close close_range copy_file_range creat dup dup2 dup3 faccessat "
     "faccessat2 fallocate fchdir fchmod fchmodat fchown fchownat fgetxattr flistxattr flock "
     "fremovexattr fsetxattr fstat fstatfs ftruncate futimesat getcwd getdents getdents64 getxattr "
     "lchown lgetxattr link linkat listxattr llistxattr lremovexattr lseek lsetxattr lstat mkdir "
     "mkdirat mknod mknodat newfstatat open openat openat2 pread64 preadv pwrite64 pwritev "
     "pwritev2 read readahead readlink readlinkat readv removexattr rename renameat renameat2 "
     "rmdir sendfile setxattr splice stat statfs statx symlink symlinkat tee truncate umask unlink "
     "unlinkat utime utimensat utimes write writev",
     SECCOMP_YES, SECCOMP_PLAIN},
    {"preadv2", SECCOMP_YES, SECCOMP_LIST(seccomp_preadv2)},
    {"fadvise64", SECCOMP_YES, SECCOMP_LIST(seccomp_fadvise)},
    {"fcntl", SECCOMP_NO(EINVAL), SECCOMP_LIST(seccomp_fcntl)},
    {"ioctl", SECCOMP_NO(EPERM), SECCOMP_LIST(seccomp_ioctl)},
    /* What a job can write has no disk below it, and the host's disks are not its to flush, which
     * fsync does also to a file that is open for reading only. */
    {"fdatasync fsync sync sync_file_range syncfs", SECCOMP_DONE, SECCOMP_PLAIN},

    /* Pipes, polling, timers. Clocks that wake a sleeping host want a capability. */
    {"alarm clock_getres clock_gettime clock_nanosleep epoll_create epoll_create1 epoll_ctl "
     "epoll_pwait epoll_pwait2 epoll_wait eventfd eventfd2 getitimer gettimeofday nanosleep pause "
     "pipe pipe2 poll ppoll pselect6 select setitimer signalfd signalfd4 time timer_create "
     "timer_delete timer_getoverrun timer_gettime timer_settime timerfd_create timerfd_gettime "
     "timerfd_settime times",
     SECCOMP_YES, SECCOMP_PLAIN},

    /* Memory: the control group counts it, RLIMIT_MEMLOCK the locked part. get_mempolicy tells of
     * the caller's own; without it libnuma does not start. */
    {"brk get_mempolicy membarrier mlock mlock2 mlockall mprotect mremap msync munlock munlockall "
     "munmap pkey_alloc pkey_free pkey_mprotect",
     SECCOMP_YES, SECCOMP_PLAIN},
    {"madvise", SECCOMP_YES, SECCOMP_LIST(seccomp_madvise)},
    {"memfd_create", SECCOMP_YES, SECCOMP_LIST(seccomp_memfd)},
    {"mmap", SECCOMP_YES, SECCOMP_LIST(seccomp_mmap)},

    /* Processes, threads, signals: as far as the pid namespace reaches. The job's only user and
     * group are its own, so changing them changes nothing. sched_setaffinity is how numerical
     * libraries place their threads; the share of a CPU is kept by the control group. Of the host,
     * getcpu tells no more than an instruction does; sysinfo tells its load and free memory, but
     * sysconf(3) does not check it and would pass chance on as the size of memory. */
    {"arch_prctl capget execve execveat exit exit_group fork futex futex_waitv getcpu getegid "
     "geteuid getgid getgroups getpgid getpgrp getpid getppid getpriority getrandom getresgid "
     "getresuid getrlimit getrusage getsid gettid getuid ioprio_get kill landlock_add_rule "
     "landlock_create_ruleset landlock_restrict_self pidfd_open pidfd_send_signal restart_syscall "
     "rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend "
     "rt_sigtimedwait rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min "
     "sched_getaffinity sched_getattr sched_getparam sched_getscheduler sched_rr_get_interval "
     "sched_yield set_robust_list set_tid_address setfsgid setfsuid setgid "
     "setgroups setpgid setregid setresgid setresuid setreuid setsid setuid "
     "sigaltstack sysinfo tgkill tkill uname vfork wait4 waitid",
     SECCOMP_YES, SECCOMP_PLAIN},
    {"clone", SECCOMP_YES, SECCOMP_LIST(seccomp_clone)},
    {"sched_setaffinity", SECCOMP_YES, SECCOMP_LIST(seccomp_setaffinity)},
    {"setpriority", SECCOMP_YES, SECCOMP_LIST(seccomp_setpriority)},
    {"personality", SECCOMP_NO(EPERM), SECCOMP_LIST(seccomp_personality)},
    {"prctl", SECCOMP_NO(EPERM), SECCOMP_LIST(seccomp_prctl)},
    {"prlimit64", SECCOMP_YES, SECCOMP_LIST(seccomp_prlimit)},
    {"setrlimit", SECCOMP_YES, SECCOMP_LIST(seccomp_setrlimit)},

    /* Sockets: which families exist is decided where sockets are made. */
    {"socket socketpair", SECCOMP_NO(EAFNOSUPPORT), SECCOMP_LIST(seccomp_socket)},
    {"accept accept4 bind connect getpeername getsockname getsockopt listen shutdown", SECCOMP_YES,
     SECCOMP_PLAIN},
    {"recvmsg sendmsg", SECCOMP_YES, SECCOMP_LIST(seccomp_flags_second)},
    {"recvfrom recvmmsg sendmmsg sendto", SECCOMP_YES, SECCOMP_LIST(seccomp_flags_third)},
    {"setsockopt", SECCOMP_YES, SECCOMP_LIST(seccomp_setsockopt)},

    /* System V and POSIX IPC: in a namespace of the job's own. */
    {"mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedsend mq_unlink msgctl msgget msgrcv "
     "msgsnd semctl semget semop semtimedop shmat shmctl shmdt",
     SECCOMP_YES, SECCOMP_PLAIN},
    {"shmget", SECCOMP_YES, SECCOMP_LIST(seccomp_shmget)},

    /* Known, and not for jobs: an honest EPERM instead of "no such call". */
    /* The host's: clocks, names, modules, devices, accounts, logs, its kernel. */
    {"acct adjtimex clock_adjtime clock_settime delete_module finit_module init_module ioperm iopl "
     "kexec_file_load kexec_load nfsservctl quotactl quotactl_fd reboot setdomainname sethostname "
     "settimeofday swapoff swapon syslog vhangup",
     SECCOMP_NO(EPERM), SECCOMP_PLAIN},
    /* The cage: mounts, namespaces, roots, filters, files by number, capabilities. */
    {"capset chroot fanotify_init fanotify_mark mount name_to_handle_at open_by_handle_at "
     "pivot_root seccomp setns umount2 unshare",
     SECCOMP_NO(EPERM), SECCOMP_PLAIN},
    /* Other processes' insides, as debuggers use them. */
    {"kcmp pidfd_getfd process_madvise process_mrelease process_vm_readv process_vm_writev ptrace",
     SECCOMP_NO(EPERM), SECCOMP_PLAIN},
    /* Neighbours' time: scheduling classes, disk priority, the placement of memory. */
    {"ioprio_set mbind migrate_pages move_pages sched_setattr sched_setparam sched_setscheduler "
     "set_mempolicy",
     SECCOMP_NO(EPERM), SECCOMP_PLAIN},
    /* Large parts of the kernel that ordinary programs do without; keys, which no namespace
     * separates; memory that the host cannot take back (memfd_secret, vmsplice); pages of shared
     * files that others have read (mincore). */
    {"add_key bpf keyctl lookup_dcookie memfd_secret mincore modify_ldt perf_event_open "
     "request_key userfaultfd vmsplice",
     SECCOMP_NO(EPERM), SECCOMP_PLAIN},
};

/* ---- where there are no namespaces ----------------------------------------------------------- */

/* Datagrams could be sent to any socket of the host, also by sendmsg(2) whose address is behind a
 * pointer: pairs of streams and of sequenced packets only, which are connected for good. */
static const uint32_t seccomp_connected[] = {1, 5}; /* SOCK_STREAM, SOCK_SEQPACKET */
static const struct seccomp_case seccomp_pair[] = {
    {0, SECCOMP_ISNT, 0, SECCOMP_LIST(seccomp_families), SECCOMP_NO(EAFNOSUPPORT)},
    {1, SECCOMP_IS, 0xf, SECCOMP_LIST(seccomp_connected), SECCOMP_YES},
};
static const struct seccomp_case seccomp_own_priority[] = {
    {0, SECCOMP_ISNT, 0, SECCOMP_LIST(seccomp_zero), SECCOMP_NO(EPERM)}, /* PRIO_PROCESS */
    {1, SECCOMP_ISNT, 0, SECCOMP_LIST(seccomp_zero), SECCOMP_NO(EPERM)},
};
static const struct seccomp_case seccomp_own_affinity[] = {
    {0, SECCOMP_ISNT, 0, SECCOMP_LIST(seccomp_zero), SECCOMP_NO(EPERM)},
};

/* These rows stand before those of the policy: what a namespace would have kept apart from the host
 * is refused, as far as the arguments tell. Signals are not: that is Landlock's part. */
static const struct seccomp_row seccomp_alone[] = {
    {"socket", SECCOMP_NO(EAFNOSUPPORT), SECCOMP_PLAIN},
    {"socketpair", SECCOMP_NO(EPERM), SECCOMP_LIST(seccomp_pair)},
    {"accept accept4 bind connect listen", SECCOMP_NO(EPERM), SECCOMP_PLAIN},
    /* Objects that all processes of the host could open, and that stay behind: no such calls. */
    {"mq_getsetattr mq_notify mq_open mq_timedreceive mq_timedsend mq_unlink msgctl msgget msgrcv "
     "msgsnd semctl semget semop semtimedop shmat shmctl shmdt shmget",
     SECCOMP_NO(ENOSYS), SECCOMP_PLAIN},
    /* Landlock does not look at these, and the host's own files may have the job's user. Modes and
     * times of the job's own have nobody to see them: they succeed without being set. */
    {"chown fchown fchownat fremovexattr fsetxattr lchown lremovexattr lsetxattr removexattr "
     "setxattr",
     SECCOMP_NO(EPERM), SECCOMP_PLAIN},
    {"chmod fchmod fchmodat futimesat utime utimensat utimes", SECCOMP_DONE, SECCOMP_PLAIN},
    {"setpriority", SECCOMP_YES, SECCOMP_LIST(seccomp_own_priority)},
    {"sched_setaffinity", SECCOMP_YES, SECCOMP_LIST(seccomp_own_affinity)},
};

/* ---- jobs with network ----------------------------------------------------------------------- */

/* TCP and UDP. Raw sockets, of which the kernel would ask a capability, netlink, and the rarer
 * protocols (SCTP, MPTCP, UDP-Lite, ping) stay out: large parts of the kernel that programs do
 * without. */
static const uint32_t seccomp_inet[] = {2, 10};          /* AF_INET, AF_INET6 */
static const uint32_t seccomp_inet_types[] = {1, 2};     /* SOCK_STREAM, SOCK_DGRAM */
static const uint32_t seccomp_protocols[] = {0, 6, 17};  /* as by type, TCP, UDP */
#define SECCOMP_INET_CASES \
    {0, SECCOMP_ISNT, 0, SECCOMP_LIST(seccomp_inet), SECCOMP_NO(EAFNOSUPPORT)}, \
    {1, SECCOMP_ISNT, 0xf, SECCOMP_LIST(seccomp_inet_types), SECCOMP_NO(EPERM)}, \
    {2, SECCOMP_ISNT, 0, SECCOMP_LIST(seccomp_protocols), SECCOMP_NO(EPROTONOSUPPORT)},
static const struct seccomp_case seccomp_any_socket[] = {
    {0, SECCOMP_IS, 0, SECCOMP_LIST(seccomp_families), SECCOMP_YES},
    SECCOMP_INET_CASES
};
static const struct seccomp_case seccomp_inet_socket[] = {
    SECCOMP_INET_CASES
};
#undef SECCOMP_INET_CASES

/* Options of IP are as harmless as their kernel's checks of capabilities are good; of the other
 * levels these are refused: program loaders (above), TCP_ULP, which loads modules, UDP_ENCAP. The
 * numbers mean nothing else at the levels that are left. */
static const uint32_t seccomp_ip_levels[] = {0, 41};        /* SOL_IP, SOL_IPV6 */
static const uint32_t seccomp_levels[] = {1, 6, 17};        /* SOL_SOCKET, SOL_TCP, SOL_UDP */
static const uint32_t seccomp_netopts[] = {26, 50, 51, 52, 31, 100};
static const struct seccomp_case seccomp_setnetopt[] = {
    {1, SECCOMP_IS, 0, SECCOMP_LIST(seccomp_ip_levels), SECCOMP_YES},
    {1, SECCOMP_ISNT, 0, SECCOMP_LIST(seccomp_levels), SECCOMP_NO(ENOPROTOOPT)},
    {2, SECCOMP_IS, 0, SECCOMP_LIST(seccomp_netopts), SECCOMP_NO(EPERM)},
};

/* These stand before all others. */
static const struct seccomp_row seccomp_network[] = {
    {"socket", SECCOMP_YES, SECCOMP_LIST(seccomp_any_socket)},
    {"setsockopt", SECCOMP_YES, SECCOMP_LIST(seccomp_setnetopt)},
};
/* Without namespaces no local sockets come with it: those of the host could be connected to. A
 * connected pair, the only kind there is, cannot be connected anew. */
static const struct seccomp_row seccomp_network_alone[] = {
    {"socket", SECCOMP_YES, SECCOMP_LIST(seccomp_inet_socket)},
    {"setsockopt", SECCOMP_YES, SECCOMP_LIST(seccomp_setnetopt)},
    {"accept accept4 bind connect listen", SECCOMP_YES, SECCOMP_PLAIN},
};
/* clang-format on */

/* ---- from names to ranges of numbers --------------------------------------------------------- */

#if defined(__x86_64__)
#define SECCOMP_ARCH AUDIT_ARCH_X86_64
#define SECCOMP_X32 0x40000000u /* set in the numbers of the x32 ABI */
#else
#define SECCOMP_ARCH AUDIT_ARCH_AARCH64
#endif
#define SECCOMP_NUMBERS 1024u /* no architecture has numbers above this */
#define SECCOMP_RANGES (SECCOMP_NUMBERS + 3)
#define SECCOMP_NAME 40

/* Rows of calls that no row names. */
static const struct seccomp_row seccomp_unknown = {"", SECCOMP_NO(ENOSYS), NULL, 0};
static const struct seccomp_row seccomp_killed = {"", SECCOMP_RET_KILL_PROCESS, NULL, 0};
static const struct seccomp_row seccomp_noticed = {"", SECCOMP_RET_USER_NOTIF, NULL, 0};

struct seccomp_range { /* numbers from `first` to the next range's */
    uint32_t first;
    const struct seccomp_row *row;
};
struct seccomp_plan {
    const struct seccomp_row *row_of[SECCOMP_NUMBERS];
    struct seccomp_range range[SECCOMP_RANGES];
    size_t n_ranges;
};

static int seccomp_plan_rows(struct seccomp_plan *plan, const struct seccomp_row *rows,
                             size_t count, tako_error *err)
{
    char name[SECCOMP_NAME];
    const char *at;
    size_t i, len;
    int nr;

    for (i = 0; i < count; i++) {
        for (at = rows[i].names; *at; at += len + (at[len] == ' ')) {
            len = strcspn(at, " ");
            nr = -1;
            if (len < sizeof(name)) {
                memcpy(name, at, len);
                name[len] = '\0';
                nr = seccomp_syscall_resolve_name(name);
            }
            if (nr < 0) /* not on this architecture, or not known to the library: stays ENOSYS */
                continue;
            if ((unsigned)nr >= SECCOMP_NUMBERS)
                return tako__fail(err, TAKO_ESYS, "seccomp filter: %s has the number %d", name, nr);
            plan->row_of[nr] = &rows[i];
        }
    }
    return TAKO_OK;
}

static void seccomp_plan_range(struct seccomp_plan *plan, uint32_t first,
                               const struct seccomp_row *row)
{
    const struct seccomp_row *last = NULL;

    if (plan->n_ranges > 0)
        last = plan->range[plan->n_ranges - 1].row;
    if (last &&
        (last == row || (last->n_cases == 0 && row->n_cases == 0 && last->answer == row->answer)))
        return;
    plan->range[plan->n_ranges].first = first;
    plan->range[plan->n_ranges].row = row;
    plan->n_ranges++;
}

static int seccomp_plan_make(struct seccomp_plan *plan, const struct native_seccomp_rules *rules,
                             const struct seccomp_row *foreign, tako_error *err)
{
    uint32_t nr;
    int rc;

    for (nr = 0; nr < SECCOMP_NUMBERS; nr++)
        plan->row_of[nr] = &seccomp_unknown;
    rc = seccomp_plan_rows(plan, SECCOMP_LIST(seccomp_policy), err);
    if (rc == TAKO_OK && rules->no_sockets)
        rc = seccomp_plan_rows(plan, SECCOMP_LIST(seccomp_alone), err);
    if (rc == TAKO_OK && rules->network)
        rc = rules->no_sockets ? seccomp_plan_rows(plan, SECCOMP_LIST(seccomp_network_alone), err)
                               : seccomp_plan_rows(plan, SECCOMP_LIST(seccomp_network), err);
    if (rc != TAKO_OK)
        return rc;
    for (nr = 0; nr < SECCOMP_NUMBERS; nr++)
        seccomp_plan_range(plan, nr, plan->row_of[nr]);
    seccomp_plan_range(plan, SECCOMP_NUMBERS, &seccomp_unknown);
#ifdef SECCOMP_X32
    seccomp_plan_range(plan, SECCOMP_X32, foreign);
    seccomp_plan_range(plan, 0xffffffff, &seccomp_unknown); /* -1 is nobody's: a tracer's "skip" */
#else
    (void)foreign;
#endif
    return TAKO_OK;
}

/* ---- from ranges to a program ---------------------------------------------------------------- */

/* The program is written from its end to its beginning: jumps only lead forward, so that where they
 * lead is there already. The place of an instruction is how many there are from it to the end,
 * itself included. */
#define SECCOMP_REACH 255u /* how many instructions a condition can jump over */

struct seccomp_program {
    struct sock_filter insn[BPF_MAXINSNS]; /* the last `count` of them */
    size_t count;
    bool full;
};

static struct sock_filter *seccomp_at(struct seccomp_program *p, size_t place)
{
    return &p->insn[BPF_MAXINSNS - place];
}

static size_t seccomp_emit(struct seccomp_program *p, unsigned code, uint32_t k, size_t yes,
                           size_t no)
{
    if (p->count == BPF_MAXINSNS) {
        p->full = true;
        return p->count;
    }
    p->count++;
    seccomp_at(p, p->count)->code = (uint16_t)code;
    seccomp_at(p, p->count)->k = k;
    seccomp_at(p, p->count)->jt = (uint8_t)yes;
    seccomp_at(p, p->count)->jf = (uint8_t)no;
    return p->count;
}

/* The nearest end with this answer. */
static size_t seccomp_return(struct seccomp_program *p, uint32_t answer)
{
    size_t place;

    for (place = p->count; place > 0 && p->count - place < SECCOMP_REACH; place--)
        if (seccomp_at(p, place)->code == (BPF_RET | BPF_K) && seccomp_at(p, place)->k == answer)
            return place;
    return seccomp_emit(p, BPF_RET | BPF_K, answer, 0, 0);
}

/* An instruction that does the same as going to `place`. */
static size_t seccomp_jump(struct seccomp_program *p, size_t place)
{
    if (seccomp_at(p, place)->code == (BPF_RET | BPF_K))
        return seccomp_emit(p, BPF_RET | BPF_K, seccomp_at(p, place)->k, 0, 0);
    return seccomp_emit(p, BPF_JMP | BPF_JA, (uint32_t)(p->count - place), 0, 0);
}

static size_t seccomp_branch(struct seccomp_program *p, unsigned condition, uint32_t k, size_t yes,
                             size_t no)
{
    if (p->count + 1 - yes > SECCOMP_REACH) /* 1: the other one may need a jump too */
        yes = seccomp_jump(p, yes);
    if (p->count - no > SECCOMP_REACH)
        no = seccomp_jump(p, no);
    return seccomp_emit(p, BPF_JMP | BPF_K | condition, k, p->count - yes, p->count - no);
}

/* Loads a word of struct seccomp_data and goes on at `place`. */
static size_t seccomp_load_word(struct seccomp_program *p, size_t offset, size_t place)
{
    if (place != p->count)
        seccomp_jump(p, place);
    return seccomp_emit(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

/* Where to go for one case; `next` is where to go when it does not hold. */
static size_t seccomp_emit_case(struct seccomp_program *p, const struct seccomp_case *c,
                                size_t next)
{
    size_t low = offsetof(struct seccomp_data, args) + c->arg * sizeof(uint64_t);
    size_t yes = seccomp_return(p, c->answer);
    size_t at, i;

    switch (c->look) {
    case SECCOMP_HAS:
        at = seccomp_branch(p, BPF_JSET, c->mask, yes, next);
        return seccomp_load_word(p, low, at);
    case SECCOMP_SET:
        at = seccomp_branch(p, BPF_JEQ, 0, next, yes);
        at = seccomp_load_word(p, low + sizeof(uint32_t), at);
        at = seccomp_branch(p, BPF_JEQ, 0, at, yes);
        return seccomp_load_word(p, low, at);
    case SECCOMP_IS:
    case SECCOMP_ISNT:
        break;
    }
    at = c->look == SECCOMP_IS ? next : yes; /* when no value is equal */
    for (i = c->n_values; i > 0; i--)
        at = seccomp_branch(p, BPF_JEQ, c->values[i - 1], c->look == SECCOMP_IS ? yes : next, at);
    if (c->mask)
        at = seccomp_emit(p, BPF_ALU | BPF_AND | BPF_K, c->mask, 0, 0);
    return seccomp_load_word(p, low, at);
}

/* Decides between the ranges from `first` to before `end`, the number being loaded. `block` tells
 * where the cases of each range's row begin. */
static size_t seccomp_emit_ranges(struct seccomp_program *p, const struct seccomp_plan *plan,
                                  size_t first, size_t end, const size_t *block)
{
    size_t middle = first + (end - first) / 2, above, below;

    if (end - first == 1)
        return plan->range[first].row->n_cases > 0
                   ? block[first]
                   : seccomp_return(p, plan->range[first].row->answer);
    above = seccomp_emit_ranges(p, plan, middle, end, block);
    below = seccomp_emit_ranges(p, plan, first, middle, block);
    return seccomp_branch(p, BPF_JGE, plan->range[middle].first, above, below);
}

static void seccomp_compile(struct seccomp_program *p, const struct seccomp_plan *plan,
                            const struct seccomp_row *foreign)
{
    size_t block[SECCOMP_RANGES] = {0}, i, j, at;
    const struct seccomp_row *row;

    for (i = 0; i < plan->n_ranges; i++) {
        row = plan->range[i].row;
        for (j = 0; j < i && plan->range[j].row != row; j++) {}
        if (j < i) { /* another call of this row */
            block[i] = block[j];
        } else if (row->n_cases > 0) {
            at = seccomp_return(p, row->answer);
            for (j = row->n_cases; j > 0; j--)
                at = seccomp_emit_case(p, &row->cases[j - 1], at);
            block[i] = at;
        }
    }
    at = seccomp_emit_ranges(p, plan, 0, plan->n_ranges, block);
    at = seccomp_load_word(p, offsetof(struct seccomp_data, nr), at);
    at = seccomp_branch(p, BPF_JEQ, SECCOMP_ARCH, at, seccomp_return(p, foreign->answer));
    seccomp_load_word(p, offsetof(struct seccomp_data, arch), at);
}

int native_seccomp_make(const tako_host *host, const struct native_seccomp_rules *rules,
                        void **filter, size_t *n_insns, tako_error *err)
{
    const struct seccomp_row *foreign = rules->notify ? &seccomp_noticed : &seccomp_killed;
    struct seccomp_plan *plan = tako__alloc(host, sizeof(*plan));
    struct seccomp_program *program = tako__alloc(host, sizeof(*program));
    size_t size;
    void *bytes;
    int rc;

    if (!plan || !program) {
        rc = tako__nomem(err);
        goto out;
    }
    rc = seccomp_plan_make(plan, rules, foreign, err);
    if (rc != TAKO_OK)
        goto out;
    seccomp_compile(program, plan, foreign);
    if (program->full) {
        rc = tako__fail(err, TAKO_ESYS, "seccomp filter: longer than %d instructions",
                        BPF_MAXINSNS);
        goto out;
    }
    size = program->count * sizeof(struct sock_filter);
    bytes = tako__alloc(host, size);
    if (!bytes) {
        rc = tako__nomem(err);
        goto out;
    }
    memcpy(bytes, seccomp_at(program, program->count), size);
    *filter = bytes;
    *n_insns = program->count;
out:
    tako__free(host, program);
    tako__free(host, plan);
    return rc;
}

#undef SECCOMP_YES
#undef SECCOMP_NO
#undef SECCOMP_DONE
#undef SECCOMP_LIST
#undef SECCOMP_PLAIN
#undef SECCOMP_ARCH
#undef SECCOMP_X32
#undef SECCOMP_NUMBERS
#undef SECCOMP_RANGES
#undef SECCOMP_NAME
#undef SECCOMP_REACH
