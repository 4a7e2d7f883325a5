/* exec_native_child.c - the clone, and what the child does before it executes init: id maps, the
 * new root, pivot_root, Landlock's rules.
 *
 * The child shares the host's memory (CLONE_VM|CLONE_VFORK: the calling thread sleeps meanwhile),
 * so its cost does not grow with the host. For the same reason it makes raw system calls only: no
 * libc, no allocation, no errno, and no change of user, group or capabilities that the kernel
 * would answer by changing the shared memory's dumpable flag.
 * SPDX-License-Identifier: MIT */
#include "exec_native.h"
#include "exec_native_sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <linux/mount.h>
#include <linux/sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef OPEN_TREE_CLONE
#define OPEN_TREE_CLONE 1
#endif
#ifndef MOVE_MOUNT_F_EMPTY_PATH
#define MOVE_MOUNT_F_EMPTY_PATH 4
#endif
#define CHILD_AT_RECURSIVE 0x8000
#define CHILD_AT_EMPTY_PATH 0x1000

NATIVE_INLINE long child_len(const char *s)
{
    const volatile char *at = s; /* else gcc turns the loop into a call of libc's strlen */
    long n = 0;

    while (at[n])
        n++;
    return n;
}

#define CHILD_TRY(step, call)                  \
    do {                                       \
        long child_ret = (call);               \
        if (child_ret < 0) {                   \
            c->failed_step = (step);           \
            c->failed_errno = (int)-child_ret; \
            return -1;                         \
        }                                      \
    } while (0)

NATIVE_BARE static long child_write_file(const char *path, int flags, unsigned mode,
                                         const void *data, long len)
{
    const char *at = data;
    long fd, done;

    fd = NATIVE_SYS4(SYS_openat, AT_FDCWD, NATIVE_PTR(path), flags | O_WRONLY | O_CLOEXEC, mode);
    if (fd < 0)
        return fd;
    while (len > 0) {
        done = NATIVE_SYS3(SYS_write, fd, NATIVE_PTR(at), len);
        if (done <= 0) {
            NATIVE_SYS1(SYS_close, fd);
            return done < 0 ? done : -EIO;
        }
        at += done;
        len -= done;
    }
    return NATIVE_SYS1(SYS_close, fd);
}

NATIVE_BARE static int child_map_ids(struct native_child *c)
{
    CHILD_TRY(NATIVE_STEP_IDMAP, child_write_file("/proc/self/setgroups", 0, 0, "deny", 4));
    CHILD_TRY(NATIVE_STEP_IDMAP,
              child_write_file("/proc/self/uid_map", 0, 0, c->uid_map, child_len(c->uid_map)));
    CHILD_TRY(NATIVE_STEP_IDMAP,
              child_write_file("/proc/self/gid_map", 0, 0, c->gid_map, child_len(c->gid_map)));
    if (c->lock_userns)
        CHILD_TRY(NATIVE_STEP_NESTED,
                  child_write_file("/proc/sys/user/max_user_namespaces", 0, 0, "0", 1));
    return 0;
}

/* When memory runs out the job goes first, whatever protection its host has: one that inherited
 * -1000 could not be killed even at its own limit. */
NATIVE_BARE static int child_offer(struct native_child *c)
{
    CHILD_TRY(NATIVE_STEP_RLIMIT, child_write_file("/proc/self/oom_score_adj", 0, 0, "1000", 4));
    return 0;
}

/* Locks a detached copy of a mount down before it is seen anywhere. */
NATIVE_BARE static int child_lock_tree(struct native_child *c, const struct native_item *item,
                                       long fd)
{
    volatile struct mount_attr attr;

    attr.attr_clr = 0;
    attr.propagation = MS_PRIVATE;
    attr.userns_fd = 0;
    /* A read-only mount lets devices be written, but not their times and owners changed. */
    attr.attr_set = MOUNT_ATTR_NOSUID | (item->writable ? 0 : MOUNT_ATTR_RDONLY) |
                    (item->kind == NATIVE_ITEM_DEVICE ? MOUNT_ATTR_NOEXEC : MOUNT_ATTR_NODEV);
    CHILD_TRY(NATIVE_STEP_BIND,
              NATIVE_SYS5(SYS_mount_setattr, fd, NATIVE_PTR(""),
                          CHILD_AT_EMPTY_PATH |
                              (item->kind == NATIVE_ITEM_DEVICE ? 0 : CHILD_AT_RECURSIVE),
                          NATIVE_PTR(&attr), sizeof(attr)));
    return 0;
}

/* Descriptors of what is taken from the host, before its root is covered: directories for overlays,
 * and copies of mounts. */
NATIVE_BARE static int child_open_trees(struct native_child *c)
{
    const struct native_item *item;
    size_t set, i, k = 0;
    long fd;

    for (set = 0; set < NATIVE_SETS; set++)
        for (i = 0; i < c->n_items[set]; i++, k++) {
            item = &c->items[set][i];
            c->failed_index = (int)k;
            c->tree_fd[k] = -1;
            if (item->kind == NATIVE_ITEM_OVERLAY)
                fd = NATIVE_SYS4(SYS_openat, AT_FDCWD, NATIVE_PTR(item->src),
                                 O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
            else if (item->kind == NATIVE_ITEM_BIND)
                fd = NATIVE_SYS3(SYS_open_tree, AT_FDCWD, NATIVE_PTR(item->src),
                                 OPEN_TREE_CLONE | O_CLOEXEC | CHILD_AT_RECURSIVE |
                                     AT_SYMLINK_NOFOLLOW);
            else if (item->kind == NATIVE_ITEM_DEVICE)
                fd = NATIVE_SYS3(SYS_open_tree, AT_FDCWD, NATIVE_PTR(item->src),
                                 OPEN_TREE_CLONE | O_CLOEXEC);
            else
                continue;
            CHILD_TRY(NATIVE_STEP_BIND, fd);
            c->tree_fd[k] = (int)fd;
            if (item->kind != NATIVE_ITEM_OVERLAY && child_lock_tree(c, item, fd) < 0)
                return -1;
        }
    return 0;
}

NATIVE_BARE static int child_move_tree(struct native_child *c, const struct native_item *item,
                                       long fd)
{
    CHILD_TRY(NATIVE_STEP_BIND, NATIVE_SYS5(SYS_move_mount, fd, NATIVE_PTR(""), AT_FDCWD,
                                            NATIVE_PTR(item->dst), MOVE_MOUNT_F_EMPTY_PATH));
    NATIVE_SYS1(SYS_close, fd);
    return 0;
}

/* With `bind` a directory whose file system cannot be below an overlay is bound instead. */
NATIVE_BARE static int child_make_overlay(struct native_child *c, const struct native_item *item,
                                          long fd, bool bind)
{
    long done, copy;

    /* The lower directory is named "." so that the job cannot read its path in mountinfo. An
     * overlay needs two; the second is the place of /proc, which is still empty. */
    CHILD_TRY(NATIVE_STEP_OVERLAY, NATIVE_SYS1(SYS_fchdir, fd));
    done = NATIVE_SYS5(SYS_mount, NATIVE_PTR("overlay"), NATIVE_PTR(item->at),
                       NATIVE_PTR("overlay"), MS_RDONLY | MS_NOSUID | MS_NODEV,
                       NATIVE_PTR("lowerdir=.:" NATIVE_MOUNT_AT "/proc"));
    if (!bind)
        CHILD_TRY(NATIVE_STEP_OVERLAY, done);
    CHILD_TRY(NATIVE_STEP_OVERLAY, NATIVE_SYS1(SYS_chdir, NATIVE_PTR(NATIVE_MOUNT_AT)));
    if (done < 0) {
        copy = NATIVE_SYS3(SYS_open_tree, fd, NATIVE_PTR(""),
                           OPEN_TREE_CLONE | O_CLOEXEC | CHILD_AT_RECURSIVE | CHILD_AT_EMPTY_PATH);
        CHILD_TRY(NATIVE_STEP_BIND, copy);
        if (child_lock_tree(c, item, copy) < 0 || child_move_tree(c, item, copy) < 0)
            return -1;
        c->shared = true;
    }
    NATIVE_SYS1(SYS_close, fd);
    return 0;
}

/* A mount point that may be there. Its parents were made or found before, and are no links. */
NATIVE_BARE static int child_make_place(struct native_child *c, const struct native_item *item)
{
    bool file = (item->mode & S_IFMT) == S_IFREG;
    long done, fd;

    if (file) /* a mount does not follow it either */
        done = NATIVE_SYS4(SYS_mknodat, AT_FDCWD, NATIVE_PTR(item->dst), item->mode, 0);
    else
        done = NATIVE_SYS3(SYS_mkdirat, AT_FDCWD, NATIVE_PTR(item->dst), item->mode);
    if (done != -EEXIST)
        CHILD_TRY(NATIVE_STEP_FILE, done);
    if (file)
        return 0;
    fd = NATIVE_SYS4(SYS_openat, AT_FDCWD, NATIVE_PTR(item->dst),
                     O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
    CHILD_TRY(NATIVE_STEP_FILE, fd);
    NATIVE_SYS1(SYS_close, fd);
    return 0;
}

NATIVE_BARE static int child_mount_tmpfs(struct native_child *c, const char *at,
                                         const char *options)
{
    CHILD_TRY(NATIVE_STEP_TMPFS,
              NATIVE_SYS5(SYS_mount, NATIVE_PTR("tmpfs"), NATIVE_PTR(at), NATIVE_PTR("tmpfs"),
                          MS_NOSUID | MS_NODEV | MS_NOEXEC, NATIVE_PTR(options)));
    /* Not by mount options: those can be read inside, and are the host's numbers. */
    if (c->owner)
        CHILD_TRY(NATIVE_STEP_TMPFS,
                  NATIVE_SYS5(SYS_fchownat, AT_FDCWD, NATIVE_PTR(at), c->owner, c->owner, 0));
    return 0;
}

NATIVE_BARE static int child_lock_mount(struct native_child *c, const char *at)
{
    volatile struct mount_attr attr;

    attr.attr_set = MOUNT_ATTR_RDONLY;
    attr.attr_clr = 0;
    attr.propagation = 0;
    attr.userns_fd = 0;
    CHILD_TRY(NATIVE_STEP_READONLY, NATIVE_SYS5(SYS_mount_setattr, AT_FDCWD, NATIVE_PTR(at), 0,
                                                NATIVE_PTR(&attr), sizeof(attr)));
    return 0;
}

/* Working directory = the new root; every path below is relative to it. */
NATIVE_BARE static int child_make_item(struct native_child *c, const struct native_item *item,
                                       int tree_fd, bool bind)
{
    switch (item->kind) {
    case NATIVE_ITEM_DIR:
        CHILD_TRY(NATIVE_STEP_FILE,
                  NATIVE_SYS3(SYS_mkdirat, AT_FDCWD, NATIVE_PTR(item->dst), item->mode));
        return 0;
    case NATIVE_ITEM_SYMLINK:
        CHILD_TRY(NATIVE_STEP_FILE, NATIVE_SYS3(SYS_symlinkat, NATIVE_PTR(item->src), AT_FDCWD,
                                                NATIVE_PTR(item->dst)));
        return 0;
    case NATIVE_ITEM_FILE:
        CHILD_TRY(NATIVE_STEP_FILE,
                  child_write_file(item->dst,
                                   O_CREAT | O_NOFOLLOW | (item->below_other ? O_TRUNC : O_EXCL),
                                   item->mode, item->data, (long)item->len));
        if (item->owned && c->owner)
            CHILD_TRY(NATIVE_STEP_FILE, NATIVE_SYS5(SYS_fchownat, AT_FDCWD, NATIVE_PTR(item->dst),
                                                    c->owner, c->owner, AT_SYMLINK_NOFOLLOW));
        return 0;
    case NATIVE_ITEM_NODE:
        CHILD_TRY(NATIVE_STEP_DEVICE, NATIVE_SYS4(SYS_mknodat, AT_FDCWD, NATIVE_PTR(item->dst),
                                                  S_IFCHR | 0666, item->device));
        return 0;
    case NATIVE_ITEM_OVERLAY:
        if (!item->below_other)
            CHILD_TRY(NATIVE_STEP_FILE,
                      NATIVE_SYS3(SYS_mkdirat, AT_FDCWD, NATIVE_PTR(item->dst), 0755));
        return child_make_overlay(c, item, tree_fd, bind);
    case NATIVE_ITEM_BIND:
    case NATIVE_ITEM_DEVICE:
        if (item->kind == NATIVE_ITEM_DEVICE)
            CHILD_TRY(NATIVE_STEP_FILE,
                      child_write_file(item->dst, O_CREAT | O_EXCL | O_NOFOLLOW, 0444, "", 0));
        else if (!item->below_other)
            CHILD_TRY(NATIVE_STEP_FILE,
                      NATIVE_SYS3(SYS_mkdirat, AT_FDCWD, NATIVE_PTR(item->dst), 0755));
        return child_move_tree(c, item, tree_fd);
    case NATIVE_ITEM_PLACE:
        return child_make_place(c, item);
    case NATIVE_ITEM_TMPFS:
        return child_mount_tmpfs(c, item->dst, item->src);
    case NATIVE_ITEM_LOCK:
        return child_lock_mount(c, item->dst);
    }
    return 0;
}

/* `k` is the number of the first item through all sets. */
NATIVE_BARE static int child_make_set(struct native_child *c, int set, size_t k)
{
    size_t i;

    for (i = 0; i < c->n_items[set]; i++, k++) {
        c->failed_index = (int)k;
        if (child_make_item(c, &c->items[set][i], c->tree_fd[k], set == 2) < 0)
            return -1;
    }
    return 0;
}

/* The host keeps /output open, so that it never has to find it by path afterwards. */
NATIVE_BARE static int child_send_output(struct native_child *c)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec iov;
    struct msghdr msg;
    char byte = 0;
    long fd;

    fd = NATIVE_SYS4(SYS_openat, AT_FDCWD, NATIVE_PTR("output"),
                     O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0);
    CHILD_TRY(NATIVE_STEP_OUTPUT_FD, fd);
    iov.iov_base = &byte;
    iov.iov_len = 1;
    msg.msg_name = NULL;
    msg.msg_namelen = 0;
    msg.msg_iov = &iov;
    msg.msg_iovlen = 1;
    msg.msg_control = control.bytes;
    msg.msg_controllen = CMSG_LEN(sizeof(int));
    msg.msg_flags = 0;
    control.header.cmsg_len = CMSG_LEN(sizeof(int));
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    *(int *)(void *)CMSG_DATA(&control.header) = (int)fd;
    CHILD_TRY(NATIVE_STEP_OUTPUT_FD, NATIVE_SYS3(SYS_sendmsg, c->output_sock, NATIVE_PTR(&msg), 0));
    return 0;
}

NATIVE_BARE static int child_build_root(struct native_child *c)
{
    /* Modes below are meant as written. */
    CHILD_TRY(NATIVE_STEP_FILE, NATIVE_SYS1(SYS_umask, 0));
    CHILD_TRY(NATIVE_STEP_PRIVATE, NATIVE_SYS5(SYS_mount, NATIVE_PTR("none"), NATIVE_PTR("/"), 0,
                                               MS_REC | MS_PRIVATE, 0));
    if (child_open_trees(c) < 0)
        return -1;
    CHILD_TRY(NATIVE_STEP_ROOT,
              NATIVE_SYS5(SYS_mount, NATIVE_PTR("tmpfs"), NATIVE_PTR(NATIVE_MOUNT_AT),
                          NATIVE_PTR("tmpfs"), MS_NOSUID, NATIVE_PTR(c->root_options)));
    CHILD_TRY(NATIVE_STEP_ROOT, NATIVE_SYS1(SYS_chdir, NATIVE_PTR(NATIVE_MOUNT_AT)));
    if (child_make_set(c, 0, 0) < 0 || child_make_set(c, 1, c->n_items[0]) < 0 ||
        child_mount_tmpfs(c, "tmp", c->tmp_options) < 0 ||
        child_mount_tmpfs(c, "output", c->output_options) < 0 ||
        child_mount_tmpfs(c, "dev/shm", c->shm_options) < 0 || child_send_output(c) < 0)
        return -1;
    CHILD_TRY(NATIVE_STEP_TMPFS,
              NATIVE_SYS3(SYS_mkdirat, AT_FDCWD, NATIVE_PTR("tmp/.cache"), 0777));
    CHILD_TRY(NATIVE_STEP_TMPFS,
              NATIVE_SYS3(SYS_mkdirat, AT_FDCWD, NATIVE_PTR("tmp/.cache/matplotlib"), 0777));
    if (child_make_set(c, 2, c->n_items[0] + c->n_items[1]) < 0)
        return -1;
    if (c->mount_proc)
        CHILD_TRY(NATIVE_STEP_PROC,
                  NATIVE_SYS5(SYS_mount, NATIVE_PTR("proc"), NATIVE_PTR("proc"), NATIVE_PTR("proc"),
                              MS_NOSUID | MS_NODEV | MS_NOEXEC, NATIVE_PTR(c->proc_options)));
    CHILD_TRY(NATIVE_STEP_PIVOT, NATIVE_SYS2(SYS_pivot_root, NATIVE_PTR("."), NATIVE_PTR(".")));
    CHILD_TRY(NATIVE_STEP_PIVOT, NATIVE_SYS2(SYS_umount2, NATIVE_PTR("."), MNT_DETACH));
    CHILD_TRY(NATIVE_STEP_PIVOT, NATIVE_SYS1(SYS_chdir, NATIVE_PTR("/")));
    return 0;
}

NATIVE_BARE static int child_add_rules(struct native_child *c)
{
    struct landlock_path_beneath_attr rule;
    size_t i;
    long fd;

    if (c->landlock_fd < 0)
        return 0;
    for (i = 0; i < c->n_rules; i++) {
        fd = NATIVE_SYS4(SYS_openat, AT_FDCWD, NATIVE_PTR(c->rules[i].path), O_PATH | O_CLOEXEC, 0);
        CHILD_TRY(NATIVE_STEP_LANDLOCK_RULE, fd);
        rule.allowed_access = c->rules[i].access;
        rule.parent_fd = (int)fd;
        CHILD_TRY(NATIVE_STEP_LANDLOCK_RULE,
                  NATIVE_SYS4(SYS_landlock_add_rule, c->landlock_fd, LANDLOCK_RULE_PATH_BENEATH,
                              NATIVE_PTR(&rule), 0));
        NATIVE_SYS1(SYS_close, fd);
    }
    return 0;
}

/* File modes as usual, and signal dispositions as exec(2) leaves none ignored. */
NATIVE_BARE static int child_forget_host(struct native_child *c)
{
    volatile unsigned long action[8];
    size_t i;

    CHILD_TRY(NATIVE_STEP_SIGNALS, NATIVE_SYS1(SYS_umask, 022));
    for (i = 0; i < TAKO__LEN(action); i++)
        action[i] = 0; /* SIG_DFL */
    for (i = 1; i <= 64; i++)
        if (i != SIGKILL && i != SIGSTOP)
            CHILD_TRY(NATIVE_STEP_SIGNALS,
                      NATIVE_SYS4(SYS_rt_sigaction, i, NATIVE_PTR(&action), 0, 8));
    return 0;
}

/* Root read-only, names, working directory. */
NATIVE_BARE static int child_finish_root(struct native_child *c)
{
    if (child_lock_mount(c, "/") < 0)
        return -1;
    CHILD_TRY(NATIVE_STEP_HOSTNAME, NATIVE_SYS2(SYS_sethostname, NATIVE_PTR("tako"), 4));
    CHILD_TRY(NATIVE_STEP_HOSTNAME, NATIVE_SYS2(SYS_setdomainname, NATIVE_PTR("tako"), 4));
    CHILD_TRY(NATIVE_STEP_PIVOT, NATIVE_SYS1(SYS_chdir, NATIVE_PTR("/app")));
    return child_forget_host(c);
}

/* In a user namespace the capabilities would end at exec, because uid 1000 is not root there; the
 * two that init needs are carried over and dropped by it. */
NATIVE_BARE static int child_keep_caps(struct native_child *c)
{
    volatile struct __user_cap_header_struct header;
    volatile struct __user_cap_data_struct data[2];
    long cap;

    if (c->keep_caps == 0)
        return 0;
    header.version = _LINUX_CAPABILITY_VERSION_3;
    header.pid = 0;
    CHILD_TRY(NATIVE_STEP_AMBIENT, NATIVE_SYS2(SYS_capget, NATIVE_PTR(&header), NATIVE_PTR(&data)));
    data[0].inheritable = (uint32_t)c->keep_caps;
    data[1].inheritable = (uint32_t)(c->keep_caps >> 32);
    CHILD_TRY(NATIVE_STEP_AMBIENT, NATIVE_SYS2(SYS_capset, NATIVE_PTR(&header), NATIVE_PTR(&data)));
    for (cap = 0; cap < 64; cap++)
        if (c->keep_caps & (1UL << cap))
            CHILD_TRY(NATIVE_STEP_AMBIENT,
                      NATIVE_SYS5(SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0));
    return 0;
}

/* All in new namespaces. */
NATIVE_BARE static int child_leave_host(struct native_child *c)
{
    if (c->net_fd >= 0)
        CHILD_TRY(NATIVE_STEP_NETNS, NATIVE_SYS2(SYS_setns, c->net_fd, CLONE_NEWNET));
    if ((c->map_ids && child_map_ids(c) < 0) || child_offer(c) < 0 || child_build_root(c) < 0 ||
        child_add_rules(c) < 0 || child_finish_root(c) < 0)
        return -1;
    return child_keep_caps(c);
}

/* Without: exec_native_bare.c has prepared the rest. */
NATIVE_BARE static int child_leave_bare(struct native_child *c)
{
    if (child_offer(c) < 0)
        return -1;
    CHILD_TRY(NATIVE_STEP_PIVOT, NATIVE_SYS1(SYS_fchdir, c->app_fd));
    return child_forget_host(c);
}

NATIVE_BARE static int child_main(void *arg)
{
    struct native_child *c = arg;
    volatile long argv[2], envp[1];
    size_t i;

    NATIVE_SYS5(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    /* Out of the host's process group: a Ctrl-C there is not meant for the job. */
    CHILD_TRY(NATIVE_STEP_SETSID, NATIVE_SYS0(SYS_setsid));
    if ((c->bare ? child_leave_bare(c) : child_leave_host(c)) < 0)
        return 1;
    c->failed_step = NATIVE_STEP_FDS;
    c->failed_errno = (int)-NATIVE_SYS3(SYS_close_range, 3, ~0U, 4); /* CLOSE_RANGE_CLOEXEC */
    for (i = 0; i < c->n_keep && c->failed_errno == 0; i++)
        c->failed_errno = (int)-NATIVE_SYS3(SYS_fcntl, c->keep_fd[i], F_SETFD, 0);
    if (c->failed_errno != 0)
        return 1;
    argv[0] = NATIVE_PTR(c->plan_fd_text);
    argv[1] = 0;
    envp[0] = 0;
    c->failed_step = NATIVE_STEP_NONE; /* success is not coming back */
    c->failed_errno = (int)-NATIVE_SYS5(SYS_execveat, c->init_fd, NATIVE_PTR(""), NATIVE_PTR(&argv),
                                        NATIVE_PTR(&envp), CHILD_AT_EMPTY_PATH);
    c->failed_step = NATIVE_STEP_INIT_EXEC;
    return 1;
}

/* clone(2) onto `stack`, where the child calls fn(arg) and exits with what it returns. */
NATIVE_BARE static long child_clone(unsigned long flags, void *stack, size_t size, int *pidfd,
                                    int (*fn)(void *), void *arg)
{
    uintptr_t *top = (uintptr_t *)(void *)((char *)stack + size - 64);
    long ret;

#if defined(__x86_64__)
    register long r10 __asm__("r10") = 0;
    register long r8 __asm__("r8") = 0;

    top[0] = (uintptr_t)arg;
    top[1] = (uintptr_t)fn;
    __asm__ volatile("syscall\n\t"
                     "test %%rax, %%rax\n\t"
                     "jnz 1f\n\t"
                     "xor %%ebp, %%ebp\n\t"
                     "pop %%rdi\n\t"
                     "pop %%rax\n\t"
                     "call *%%rax\n\t"
                     "mov %%eax, %%edi\n\t"
                     "mov $60, %%eax\n\t" /* exit */
                     "syscall\n\t"
                     "hlt\n\t"
                     "1:"
                     : "=a"(ret)
                     : "0"((long)SYS_clone), "D"(flags), "S"(top), "d"(pidfd), "r"(r10), "r"(r8)
                     : "rcx", "r11", "memory");
#else
    register long x8 __asm__("x8") = SYS_clone;
    register long x0 __asm__("x0") = (long)flags;
    register long x1 __asm__("x1") = NATIVE_PTR(top);
    register long x2 __asm__("x2") = NATIVE_PTR(pidfd);
    register long x3 __asm__("x3") = 0;
    register long x4 __asm__("x4") = 0;

    top[0] = (uintptr_t)arg;
    top[1] = (uintptr_t)fn;
    __asm__ volatile("svc 0\n\t"
                     "cbnz x0, 1f\n\t"
                     "mov x29, xzr\n\t"
                     "ldp x0, x1, [sp]\n\t"
                     "blr x1\n\t"
                     "mov x8, #93\n\t" /* exit */
                     "svc 0\n\t"
                     "1:"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4)
                     : "x30", "memory");
    ret = x0;
#endif
    return ret;
}

long native_child_spawn(struct native_child *child, unsigned long flags, void *stack,
                        size_t stack_size, int *pidfd)
{
    uint64_t all = ~(uint64_t)0, before = 0;
    long pid;

    child->failed_step = NATIVE_STEP_NONE;
    child->failed_errno = 0;
    child->failed_index = -1;
    /* No handler of the host may run in the child; the kernel's own call, since libc's leaves
     * its internal signals unblocked. */
    NATIVE_SYS4(SYS_rt_sigprocmask, 2, NATIVE_PTR(&all), NATIVE_PTR(&before), 8);
    pid = child_clone(flags | CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, stack, stack_size,
                      pidfd, child_main, child);
    NATIVE_SYS4(SYS_rt_sigprocmask, 2, NATIVE_PTR(&before), 0, 8);
    return pid;
}

/* ---- user namespaces for the jobs of a root host --------------------------------------------- */

struct child_holder {
    int fd;       /* until it is closed the namespace is held */
    int ready_fd; /* written when its inside is arranged: 0 or an errno */
    bool lock;
    long parent;
};

NATIVE_BARE static int child_hold(void *arg)
{
    const struct child_holder *holder = arg;
    long error = 0;
    char byte;

    NATIVE_SYS5(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    if (NATIVE_SYS0(SYS_getppid) != holder->parent)
        return 0; /* it died before that could be noticed */
    if (holder->lock)
        error = child_write_file("/proc/sys/user/max_user_namespaces", 0, 0, "0", 1);
    byte = (char)-error;
    NATIVE_SYS3(SYS_write, holder->ready_fd, NATIVE_PTR(&byte), 1);
    NATIVE_SYS3(SYS_read, holder->fd, NATIVE_PTR(&byte), 1); /* until it is done with us */
    return 0;
}

static int child_write_map(long pid, const char *name, uint32_t host_id)
{
    char path[64], text[48];
    int fd, len, rc = 0;

    snprintf(path, sizeof(path), "/proc/%ld/%s", pid, name);
    len = snprintf(text, sizeof(text), "1000 %u 1\n", host_id);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    if (write(fd, text, (size_t)len) != len)
        rc = errno;
    close(fd);
    return rc;
}

int native_userns_make(uint32_t host_id, bool lock, int *out, tako_error *err)
{
    static const size_t stack_size = 16384;
    uint64_t all = ~(uint64_t)0, before = 0;
    char stack[16384] __attribute__((aligned(16)));
    char path[64], byte = 0;
    int hold[2], ready[2], pidfd = -1, fd, error = 0, locked = 0;
    struct child_holder holder;
    siginfo_t info;
    ssize_t got;
    long pid;

    if (pipe2(hold, O_CLOEXEC) < 0)
        return tako__fail_errno(err, TAKO_ESYS, errno, "making a pipe for a user namespace");
    if (pipe2(ready, O_CLOEXEC) < 0) {
        error = errno;
        close(hold[0]);
        close(hold[1]);
        return tako__fail_errno(err, TAKO_ESYS, error, "making a pipe for a user namespace");
    }
    holder.fd = hold[0];
    holder.ready_fd = ready[1];
    holder.lock = lock;
    holder.parent = getpid();
    fd = -1;
    NATIVE_SYS4(SYS_rt_sigprocmask, 2, NATIVE_PTR(&all), NATIVE_PTR(&before), 8);
    pid = child_clone(CLONE_NEWUSER | CLONE_VM | CLONE_PIDFD, stack, stack_size, &pidfd, child_hold,
                      &holder);
    NATIVE_SYS4(SYS_rt_sigprocmask, 2, NATIVE_PTR(&before), 0, 8);
    close(ready[1]);
    if (pid < 0) {
        error = (int)-pid;
    } else {
        /* It has its own table of descriptors: end of file means that it died. */
        while ((got = read(ready[0], &byte, 1)) < 0 && errno == EINTR)
            ;
        locked = got == 1 ? (unsigned char)byte : EIO;
        error = child_write_map(pid, "uid_map", host_id);
        if (error == 0)
            error = child_write_map(pid, "gid_map", host_id);
        snprintf(path, sizeof(path), "/proc/%ld/ns/user", pid);
        fd = error ? -1 : open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0 && error == 0)
            error = errno;
        NATIVE_SYS4(SYS_pidfd_send_signal, pidfd, SIGKILL, 0, 0);
        while (waitid((idtype_t)3, (id_t)pidfd, &info, WEXITED | __WALL) < 0 && errno == EINTR)
            ;
        close(pidfd);
    }
    close(ready[0]);
    close(hold[0]);
    close(hold[1]);
    if (error == 0 && locked == 0) {
        *out = fd;
        return TAKO_OK;
    }
    if (fd >= 0)
        close(fd);
    if (error == 0)
        return tako__fail_errno(err, TAKO_ESYS, locked, NATIVE_LOCKING_USERNS);
    return tako__fail_errno(err, TAKO_ESYS, error, "%s a user namespace",
                            pid < 0 ? "creating" : "mapping ids into");
}

#undef CHILD_TRY
