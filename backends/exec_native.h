/* exec_native.h - what the rooms of the native sandbox share. The order of a job's life:
 *
 *   exec_native_cgroup.c   a cgroup with the job's limits
 *   exec_native_view.c     what all jobs see of the host
 *   exec_native_task.c     what a job asks for: checked, then put into plain data
 *   exec_native_box.c      everything one job will need, prepared as plain data
 *   exec_native_pool.c     namespaces and groups made ahead and removed afterwards
 *   exec_native_child.c    clone: new namespaces, the new root is built, init is executed
 *   exec_native_init.c     pid 1: forks the job, drops everything, waits, reports
 *   exec_native_probe.c    what this host can do, found out by doing it
 *   exec_native_bare.c     where there are no namespaces: the job's files, its rules, their removal
 *   exec_native_tree.c     what processes use where no cgroup counts it
 *   exec_native.c          captures, watches the clock, kills, collects, judges
 *   exec_native_collect.c  artifacts, through a descriptor opened before the job
 *
 * Plan, then act: nothing is allocated, formatted or looked up between clone and exec.
 * SPDX-License-Identifier: MIT */
#ifndef TAKO_EXEC_NATIVE_H
#define TAKO_EXEC_NATIVE_H

#include "../src/exec.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* ---- steps: every set-up call that can fail, for exact reports ------------------------------ */

enum native_step {
    NATIVE_STEP_NONE = 0,
    /* in the child, before init */
    NATIVE_STEP_NETNS,
    NATIVE_STEP_IDMAP,
    NATIVE_STEP_NESTED,
    NATIVE_STEP_PRIVATE,
    NATIVE_STEP_BIND,
    NATIVE_STEP_OVERLAY,
    NATIVE_STEP_DEVICE,
    NATIVE_STEP_ROOT,
    NATIVE_STEP_FILE,
    NATIVE_STEP_TMPFS,
    NATIVE_STEP_PROC,
    NATIVE_STEP_OUTPUT_FD,
    NATIVE_STEP_PIVOT,
    NATIVE_STEP_LANDLOCK_RULE,
    NATIVE_STEP_READONLY,
    NATIVE_STEP_HOSTNAME,
    NATIVE_STEP_SIGNALS,
    NATIVE_STEP_FDS,
    NATIVE_STEP_AMBIENT,
    NATIVE_STEP_INIT_EXEC,
    /* in init, before the program */
    NATIVE_STEP_INIT_MAP,
    NATIVE_STEP_INIT_FORK,
    NATIVE_STEP_SCOPE,
    NATIVE_STEP_SETSID,
    NATIVE_STEP_CGROUP_JOIN,
    NATIVE_STEP_CGROUP_NS,
    NATIVE_STEP_KEYRING,
    NATIVE_STEP_RLIMIT,
    NATIVE_STEP_BOUNDING,
    NATIVE_STEP_USERNS,
    NATIVE_STEP_IDS,
    NATIVE_STEP_CAPS,
    NATIVE_STEP_NNP,
    NATIVE_STEP_LANDLOCK,
    NATIVE_STEP_GO,
    NATIVE_STEP_STDIO,
    NATIVE_STEP_SECCOMP,
    NATIVE_STEP_EXEC,
    /* in the host */
    NATIVE_STEP_CLONE,
    NATIVE_STEP_COUNT
};

/* ---- init: its plan and its messages --------------------------------------------------------- */

/* Where init maps its plan: a fixed place in its own, otherwise empty address space, so that the
 * host can write the pointers beforehand. */
#define NATIVE_PLAN_ADDR 0x200000000UL
#define NATIVE_PLAN_MAX (1UL << 20)

#define NATIVE_CGROUP_DIRS 6
#define NATIVE_RLIMITS 12

struct native_rlimit {
    uint64_t resource, cur, max;
};

/* Read by init at NATIVE_PLAN_ADDR; pointers are init's addresses. Descriptors are numbers in the
 * host's table at clone time, -1 = none. */
struct native_init_plan {
    int32_t status_fd; /* init and the job's set-up write struct native_status here */
    int32_t life_fd;   /* read end of a pipe whose write end only the host has: the first byte means
                          "go", the next "kill everything", end of file that the host is gone */
    int32_t stdout_fd, stderr_fd;
    int32_t userns_fd; /* joined last by a root host's job; -1 when already inside one */
    int32_t landlock_fd;
    int32_t sock_fd; /* where the filter's listener is sent, or -1: the filter has none */
    int32_t n_cgroup;
    int32_t cgroup_fd[NATIVE_CGROUP_DIRS]; /* cgroup.procs files, opened for writing */
    int32_t join_keyring;
    int32_t new_cgroup_ns;
    int32_t new_time_ns;
    int32_t bare;     /* no namespaces: the tree is held together by Landlock and two guards */
    int32_t host_pid; /* bare: must be out of reach of every signal from inside */
    int32_t landlock_flags; /* bare: of the guards' domains */
    int32_t set_ids;        /* setgroups, setresgid, setresuid to the two ids below */
    uint32_t uid, gid;
    int32_t n_rlimit;
    struct native_rlimit rlimit[NATIVE_RLIMITS];
    uint64_t null_text;        /* "/dev/null", in the new root: its stdin */
    uint64_t zero_text;        /* "0": what joins a cgroup */
    uint64_t bpf;              /* struct sock_fprog */
    uint64_t path, argv, envp; /* of the program; path 0 = exit 0 (a probe) */
};

enum native_status_kind {
    NATIVE_STATUS_FAILED = 1,  /* a set-up step failed; the program never ran */
    NATIVE_STATUS_STARTED = 2, /* the program is about to be executed */
    NATIVE_STATUS_ENDED = 3,   /* the program ended by itself; wait_status as by wait(2) */
    NATIVE_STATUS_KILLED = 4   /* the host asked first */
};

struct native_status { /* smaller than PIPE_BUF: arrives whole */
    int32_t kind;
    int32_t step;
    int32_t error;
    int32_t wait_status;
    int64_t at_ns;      /* CLOCK_MONOTONIC: when the program started, or ended */
    int64_t cpu_us;     /* of the whole tree */
    int64_t max_rss_kb; /* of its largest process */
    int64_t survivors;  /* processes that init had to kill after the program's own end */
};

/* The init program as an ELF file in a sealed memfd that may be executed but not read. */
TAKO_PRIVATE int native_init_image(int *fd, tako_error *err);

/* ---- cgroups --------------------------------------------------------------------------------- */

enum native_controller {
    NATIVE_MEMORY,
    NATIVE_PIDS,
    NATIVE_CPU,
    NATIVE_CPUACCT,
    NATIVE_CONTROLLERS
};

struct native_cgroups {
    char *dir[NATIVE_CONTROLLERS]; /* this engine's group per controller; NULL = none; v2 and
                                      co-mounted v1 controllers share one text */
    bool v2[NATIVE_CONTROLLERS];
    char why[NATIVE_CONTROLLERS][160]; /* why there is none, or how it is done */
};
/* Finds and makes the engine's groups; what cannot be had is explained in `why`. Also removes
 * groups that dead processes of this pid namespace left. Fails only for lack of memory. */
TAKO_PRIVATE int native_cgroups_open(struct native_cgroups *g, const tako_host *host,
                                     const char *wanted, tako_error *err);
/* Gives all groups up because jobs cannot be moved into them; false when there were none. */
TAKO_PRIVATE bool native_cgroups_refuse(struct native_cgroups *g, const tako_host *host, int error);
TAKO_PRIVATE void native_cgroups_close(struct native_cgroups *g, const tako_host *host);

struct native_group { /* of one job */
    char name[32];
    int procs_fd[NATIVE_CGROUP_DIRS];
    int n_procs;
    int oom_fd; /* version 1: readable when the group is at its memory limit, and then its processes
                   wait to be killed; -1 = the kernel kills */
    const struct native_cgroups *set;
};
struct native_usage { /* -1 = not measured */
    int64_t peak_bytes, cpu_us, throttled_us, pids_peak, pids_hits;
    int64_t oom_kills;  /* by whosever limit */
    int64_t limit_hits; /* times that the group's own memory limit could not be met */
};
TAKO_PRIVATE int native_group_make(struct native_group *group, const struct native_cgroups *set,
                                   uint64_t serial, tako_error *err);
/* Before anybody joins it. */
TAKO_PRIVATE int native_group_limit(const struct native_group *group, int64_t memory_bytes,
                                    int pids, int cpu_percent, tako_error *err);
/* Whether the groups around let a job start at all: TAKO_EEXEC when their limits never do, and,
 * with `now`, TAKO_EFULL when they are used up. */
TAKO_PRIVATE int native_cgroups_room(const struct native_cgroups *g, bool now, tako_error *err);
/* Before a kill: a process needs CPU time to die, also when its group has used its share up. */
TAKO_PRIVATE void native_group_unthrottle(const struct native_group *group);
/* After the tree is dead. */
/* Whether the group is at its limit now; takes what oom_fd announced. */
TAKO_PRIVATE bool native_group_at_limit(const struct native_group *group);
/* CPU time used so far; -1 = not measured. */
TAKO_PRIVATE int64_t native_group_cpu_us(const struct native_group *group);
TAKO_PRIVATE void native_group_read(const struct native_group *group, struct native_usage *out);
TAKO_PRIVATE void native_group_remove(struct native_group *group);

/* ---- seccomp --------------------------------------------------------------------------------- */

struct native_seccomp_rules {
    bool notify;     /* foreign ABIs: SECCOMP_RET_USER_NOTIF (somebody listens) instead of
                        SECCOMP_RET_KILL_PROCESS */
    bool no_sockets; /* socket() refused entirely with EAFNOSUPPORT and connect/bind/listen/accept*
                        refused with EPERM; socketpair(AF_UNIX) stays. For hosts that have no
                        namespaces to give */
    bool network;    /* TCP and UDP over IPv4 and IPv6 besides, and connect() and so on for them */
};
/* The filter as raw BPF, made once per engine and kind of job. *filter is owned by the caller
 * (tako__free). */
TAKO_PRIVATE int native_seccomp_make(const tako_host *host,
                                     const struct native_seccomp_rules *rules, void **filter,
                                     size_t *n_insns, tako_error *err);

/* ---- the new root and the clone -------------------------------------------------------------- */

/* A file that two jobs see through the same inode is a channel between them: locks show. So each
 * job gets superblocks of its own where the kernel allows it (OVERLAY, NODE, FILE); the others are
 * what is left when it does not. */
enum native_item_kind {
    NATIVE_ITEM_OVERLAY, /* the directory src read-only, nosuid, nodev, through overlayfs */
    NATIVE_ITEM_BIND,    /* the directory src itself, the same otherwise, recursively */
    NATIVE_ITEM_NODE,    /* a device node with the numbers `device` */
    NATIVE_ITEM_DEVICE,  /* src, the host's device node itself: nosuid, noexec */
    NATIVE_ITEM_DIR,     /* an empty directory */
    NATIVE_ITEM_SYMLINK, /* dst -> src */
    NATIVE_ITEM_FILE,    /* dst with data, which is src's when src is there */
    NATIVE_ITEM_PLACE,   /* a directory, or an empty file by `mode`, unless it is there; no link */
    NATIVE_ITEM_TMPFS,   /* an empty file system of the job's own, with the options `src` */
    NATIVE_ITEM_LOCK     /* what is mounted there becomes read-only */
};

struct native_item {
    enum native_item_kind kind;
    bool below_other; /* inside another item: what it replaces, or its mount point, exists */
    bool writable;    /* BIND */
    bool owned;       /* FILE: the job's user owns it; TMPFS: its top directory */
    char *src;
    char *at;  /* in the child, while the new root is being built: NATIVE_MOUNT_AT "/" dst */
    char *dst; /* the part of `at` that is relative to the new root */
    const void *data;
    size_t len;
    unsigned mode;
    uint64_t device;
};

#define NATIVE_MOUNT_AT \
    "/dev" /* a directory that surely exists: covered by the new root for a
                                  while; what of it is needed is opened before */

struct native_view { /* the part of the root that all jobs share */
    struct native_item *items;
    size_t count, cap;
    int64_t bytes; /* of its files */
};
/* Undoes the octal escapes of /proc/self/mountinfo in place. */
TAKO_PRIVATE void native_mount_unescape(char *s);
/* `nodes`: whether device nodes can be made (a root host). */
TAKO_PRIVATE int native_view_make(struct native_view *v, const tako_host *host, const char *rootfs,
                                  bool nodes, tako_error *err);
TAKO_PRIVATE void native_view_free(struct native_view *v, const tako_host *host);

#define NATIVE_KEEP_FDS 16
#define NATIVE_MOUNTS_MAX 32 /* of one job */
#define NATIVE_PATH_RULES (8 + NATIVE_MOUNTS_MAX)
#define NATIVE_SETS 3 /* of items: the view, the job's files, what it asked to have mounted */
struct native_path_rule {
    const char *path; /* inside the new root */
    uint64_t access;  /* LANDLOCK_ACCESS_FS_* */
};

/* All that the child between clone and exec works from. It shares the host's memory: it writes
 * only the volatile members and tree_fd. */
struct native_child {
    volatile int failed_step, failed_errno, failed_index; /* index: through all sets */
    volatile bool shared; /* an overlay of the last set was refused: bound instead */
    bool map_ids;         /* in a fresh user namespace: write the maps below */
    bool lock_userns;     /* and allow no further one inside */
    bool bare;            /* in no new namespace: nothing is mounted, the host made all there is */
    int app_fd;           /* bare: the working directory */
    bool mount_proc;
    char uid_map[48], gid_map[48];
    const struct native_item *items[NATIVE_SETS];
    size_t n_items[NATIVE_SETS];
    volatile int *tree_fd; /* scratch: one per item */
    uint32_t owner;        /* of what the job can write; 0 = it is already */
    char root_options[96], tmp_options[96], output_options[96], shm_options[96], proc_options[64];
    int output_sock; /* a descriptor of /output is sent here */
    int landlock_fd; /* ruleset to be filled, or -1 */
    struct native_path_rule rules[NATIVE_PATH_RULES];
    size_t n_rules;
    uint64_t keep_caps;           /* raised as ambient so that init has them; 0 for a root host */
    int keep_fd[NATIVE_KEEP_FDS]; /* inherited by init; everything else is closed by exec */
    size_t n_keep;
    int init_fd;
    int net_fd; /* a network namespace to join; -1 = the clone made one */
    char plan_fd_text[12];
};

/* Clones the child with the namespaces `flags` asks for and waits until it has executed init or
 * failed. Returns the pid with *pidfd open, or -errno when the clone itself failed. When a step
 * failed the child is dead, still to be reaped, and failed_step says where. */
TAKO_PRIVATE long native_child_spawn(struct native_child *child, unsigned long flags, void *stack,
                                     size_t stack_size, int *pidfd);
#define NATIVE_LOCKING_USERNS "setting max_user_namespaces"
/* A user namespace in which uid and gid 1000 are `host_id`, for jobs of a root host; with
 * `lock`, in which no further one can be made (an error begins with NATIVE_LOCKING_USERNS then). */
TAKO_PRIVATE int native_userns_make(uint32_t host_id, bool lock, int *fd, tako_error *err);

/* ---- the engine's executor, and one sandbox -------------------------------------------------- */

#define NATIVE_SLOTS 1024
#define NATIVE_LAYERS 20

#define NATIVE_POOL 4   /* namespaces and groups kept ready */
#define NATIVE_SPENT 64 /* groups that wait to be removed */

struct native_pool { /* guarded by native.lock */
    pthread_t thread;
    pthread_cond_t work;
    bool running, leave, make_nets, make_groups;
    int net_fd[NATIVE_POOL], n_nets;
    struct native_group group[NATIVE_POOL], spent[NATIVE_SPENT];
    int n_groups, n_spent;
};

struct native_layer_note {
    tako_layer_state state;
    bool required;
    char detail[224];
};

/* What a job asked for may weaken a layer: one isolation text for each combination. */
enum native_weaker {
    NATIVE_WITH_NETWORK = 1,
    NATIVE_WITH_SHARED = 2, /* a mount through which locks show */
    NATIVE_ISOLATIONS = 4
};

struct native_filter {
    void *bpf;
    size_t n_insns;
};

struct native {
    tako_host host;
    tako_limits limits;
    char *rootfs, *interpreter, *cgroup; /* NULL = the default */
    tako_security security;
    pthread_mutex_t first; /* held while preparing and probing; taken before `lock` */
    pthread_mutex_t lock;  /* guards the slots; nothing is called under it but the kernel */
    bool prepared, usable;
    char refusal[TAKO_ERROR_SIZE]; /* why jobs cannot be run, when prepared but not usable */
    bool privileged;               /* a root host: namespaces without a user namespace around them,
                                      and the job enters one of its own last */
    int init_fd;
    struct native_filter filter[2]; /* without and with network */
    struct native_view view;
    struct native_cgroups cgroups;
    int landlock_abi;
    bool use_keyring, use_cgroup_ns, use_userns, use_notify, use_userns_lock, use_time_ns;
    const char *proc_options; /* NULL = no /proc can be had */
    bool bare;                /* no namespaces can be had: exec_native_bare.c */
    bool bare_ids;            /* but jobs have host ids of their own */
    char *bare_dir;           /* where jobs' directories are made, and a descriptor of it */
    int bare_fd;
    int cpus;                      /* on line: how fast CPU time can pass */
    uint32_t uid_base;             /* host ids of jobs: one per slot above this */
    int slot_userns[NATIVE_SLOTS]; /* -1 = not made yet */
    bool slot_used[NATIVE_SLOTS];
    uint64_t serial;
    struct native_pool pool;
    struct native_layer_note layer[NATIVE_LAYERS];
    char *isolation[NATIVE_ISOLATIONS]; /* JSON text of the layers, by enum native_weaker */
};

#define NATIVE_STACK_BYTES 8388608
#define NATIVE_INTERPRETER "/usr/bin/python3"

struct native_box {
    struct native *n;
    const struct tako__task *task; /* NULL for a probe: init's child exits instead of executing */
    int slot;
    struct native_group group;
    bool has_group;
    int out[2], errs[2], status[2], life[2], sock[2];
    int plan_fd, landlock_fd, net_fd, pidfd, output_fd;
    int notify_fd;       /* the filter's listener, once it has come */
    int work_fd, app_fd; /* bare: the job's directory, locked by who holds this, and a part of it */
    char work[96];       /* its name */
    long pid;
    struct native_child child;
    struct native_item *items; /* the job's own files, then its mounts */
    size_t n_files, n_mounts;  /* of these */
    char *names;               /* their paths */
    char *host_files;          /* contents of files of the host that it is shown */
    int64_t file_bytes;        /* of what lies in its root */
    int weaker;                /* enum native_weaker */
    int *tree_fd;
    void *stack;
};
/* The highest limit that a job can be given: the host's own is in the way of more. */
TAKO_PRIVATE uint64_t native_limit_within(int resource, uint64_t wanted);
/* Prepare, run inside, release: three steps, so that prepared boxes can be kept ready one day. */
TAKO_PRIVATE int native_box_prepare(struct native_box *box, struct native *n,
                                    const struct tako__task *task, tako_error *err);
/* Clones. On failure *step says which set-up call failed, *error its errno; a failed child is
 * reaped. */
TAKO_PRIVATE int native_box_spawn(struct native_box *box, int *step, int *error);
/* Takes the filter's listener, which the job sends just before its program. */
TAKO_PRIVATE void native_box_receive_notify(struct native_box *box);
/* Asks init to kill everything, so that what was used is still counted. */
TAKO_PRIVATE void native_box_end(struct native_box *box);
/* Kills init, and with it everything. */
TAKO_PRIVATE void native_box_kill(struct native_box *box);
/* Waits until the whole tree is gone. */
TAKO_PRIVATE void native_box_reap(struct native_box *box);
TAKO_PRIVATE void native_box_release(struct native_box *box);

/* ---- what a job asks for --------------------------------------------------------------------- */

/* TAKO_EINVAL or TAKO_EEXEC, naming the member, when it is malformed or cannot be had here. */
TAKO_PRIVATE int native_task_check(const struct native *n, const struct tako__task *task,
                                   tako_error *err);
/* Fills box->items: code, input, files, and where there are namespaces files of the host's network,
 * mounts and secrets. Gives writable mounts to the job's user. */
TAKO_PRIVATE int native_task_items(struct native_box *box, tako_error *err);
/* The user of the host that is the job's: what it shall own is given to him. 0 = the host's. */
TAKO_PRIVATE uint32_t native_task_owner(const struct native_box *box);
/* Program, arguments and environment, behind the plan in `b`. */
TAKO_PRIVATE int native_task_program(const struct native_box *box, struct native_init_plan *plan,
                                     struct tako__buf *b, tako_error *err);
/* Appends to the plan at the next multiple of 8 and returns the address that init will see. */
TAKO_PRIVATE uint64_t native_plan_put(struct tako__buf *b, const void *data, size_t len);

/* ---- made ahead ------------------------------------------------------------------------------ */

TAKO_PRIVATE void native_pool_start(struct native *n);
TAKO_PRIVATE void native_pool_stop(struct native *n);
/* A network namespace that nobody was in yet, now the caller's; -1 = none is ready. */
TAKO_PRIVATE int native_pool_take_net(struct native *n);
/* A group without limits and processes; false = none is ready. */
TAKO_PRIVATE bool native_pool_take_group(struct native *n, struct native_group *group);
/* The group is removed, now or soon. */
TAKO_PRIVATE void native_pool_give_group(struct native *n, struct native_group *group);

/* Finds out what this host can do by doing it once; fills the layers. Called with both locks held;
 * releases n->lock in between. */
TAKO_PRIVATE int native_probe(struct native *n, tako_error *err);
/* Back to how it was before the probe. */
TAKO_PRIVATE void native_forget(struct native *n);
TAKO_PRIVATE const char *native_layer_name(int index);
/* What was tried at a step, as words for an error message. */
TAKO_PRIVATE const char *native_step_text(int step);

/* CPU time of a process and all below it, from /proc: for jobs that no group counts. -1 = it cannot
 * be had (a /proc that hides processes), or the process is gone. */
TAKO_PRIVATE int64_t native_tree_cpu_us(const tako_host *host, long pid);
/* Threads of all processes with this real user id in sight; -1 = /proc cannot be read. */
TAKO_PRIVATE int64_t native_tree_threads(unsigned uid);

/* ---- without namespaces ---------------------------------------------------------------------- */

struct native_rights { /* LANDLOCK_ACCESS_FS_* that this kernel knows */
    uint64_t read;     /* and execute */
    uint64_t device;   /* read, write, control */
    uint64_t write;    /* everything below a directory but device nodes */
};
/* Opens the directory for jobs' directories and removes what dead hosts left there. */
TAKO_PRIVATE int native_bare_open(struct native *n, tako_error *err);
TAKO_PRIVATE void native_bare_close(struct native *n);
/* The job's directory with its files, open; `files` are those of box->items. */
TAKO_PRIVATE int native_bare_make(struct native_box *box, tako_error *err);
/* Adds to box->landlock_fd what the job may reach. */
TAKO_PRIVATE int native_bare_rules(struct native_box *box, const struct native_rights *rights,
                                   tako_error *err);
/* Removes the directory, whatever the job made of it. Its tree is dead. */
TAKO_PRIVATE void native_bare_remove(struct native_box *box);

/* ---- artifacts ------------------------------------------------------------------------------- */

/* Hands what is in the directory to the sink; closes nothing. The job's tree is dead. */
TAKO_PRIVATE void native_collect(const tako_host *host, int output_fd,
                                 const struct tako__sink *sink);

#endif
