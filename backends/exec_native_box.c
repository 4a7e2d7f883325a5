/* exec_native_box.c - one sandbox: prepared as plain data and descriptors, spawned, killed, reaped,
 * released. What happens between clone and exec is in exec_native_child.c, what happens in pid 1 in
 * exec_native_init.c; this file writes the plans that both work from.
 * SPDX-License-Identifier: MIT */
#include "exec_native.h"
#include "exec_native_sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define BOX_STACK 65536
#define BOX_P_PIDFD 3 /* idtype_t of waitid(2), Linux 5.4 */
#define BOX_UNLOGGED \
    1 /* LANDLOCK_RESTRICT_SELF_LOG_SAME_EXEC_OFF: kill(2) with -1 is refused often */

/* Landlock's file system rights (landlock(7)); the kernel's ABI decides how many it knows. */
#define BOX_FS_EXECUTE 0x1u
#define BOX_FS_WRITE 0x2u
#define BOX_FS_READ 0xcu        /* files and directories */
#define BOX_FS_CHANGE 0x17b0u   /* remove and make everything but device nodes */
#define BOX_FS_REFER 0x2000u    /* ABI 2 */
#define BOX_FS_TRUNCATE 0x4000u /* ABI 3 */
#define BOX_FS_IOCTL 0x8000u    /* ABI 5 */
#define BOX_FS_FILE 0xc007u     /* those that a file can have */

struct box_ruleset {
    uint64_t fs, net, scoped;
};

/* ---- descriptors ----------------------------------------------------------------------------- */

/* Moves a descriptor out of the way of 0-2, which a host may have closed, and of those that the
 * job's set-up uses (exec_native_init.c). */
static int box_lift(int *fd)
{
    int high;

    if (*fd > 4)
        return 0;
    high = fcntl(*fd, F_DUPFD_CLOEXEC, 5);
    if (high < 0)
        return -1;
    close(*fd);
    *fd = high;
    return 0;
}

static int box_pipe(int fd[2])
{
    if (pipe2(fd, O_CLOEXEC) < 0)
        return -1;
    return box_lift(&fd[0]) < 0 || box_lift(&fd[1]) < 0 ? -1 : 0;
}

static int box_open_fds(struct native_box *box, tako_error *err)
{
    if (box_pipe(box->out) < 0 || box_pipe(box->errs) < 0 || box_pipe(box->status) < 0 ||
        box_pipe(box->life) < 0 ||
        socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, box->sock) < 0 ||
        box_lift(&box->sock[0]) < 0 || box_lift(&box->sock[1]) < 0 ||
        fcntl(box->out[0], F_SETFL, O_NONBLOCK) < 0 ||
        fcntl(box->errs[0], F_SETFL, O_NONBLOCK) < 0 ||
        fcntl(box->status[0], F_SETFL, O_NONBLOCK) < 0 ||
        fcntl(box->life[1], F_SETFL, O_NONBLOCK) < 0)
        return tako__fail_errno(err, TAKO_ESYS, errno, "making the pipes of a sandbox");
    return TAKO_OK;
}

/* ---- what the job may touch ------------------------------------------------------------------ */

static int box_landlock(struct native_box *box, tako_error *err)
{
    static const char *const writable[] = {"/tmp", "/output", "/dev/shm"};
    struct native_rights rights;
    int abi = box->n->landlock_abi;
    uint64_t known = 0x1fffu | (abi >= 2 ? BOX_FS_REFER : 0) | (abi >= 3 ? BOX_FS_TRUNCATE : 0) |
                     (abi >= 5 ? BOX_FS_IOCTL : 0);
    bool network = box->task && box->task->network;
    struct box_ruleset ruleset = {known, network ? 0 : 0x3 /* bind, connect */,
                                  0x3 /* abstract unix, signal */};
    struct native_path_rule *rule = box->child.rules;
    const struct native_item *item;
    size_t i, size = abi < 4 ? 8 : abi < 6 ? 16 : 24;
    long fd;

    box->child.landlock_fd = -1;
    if (abi <= 0)
        return TAKO_OK;
    fd = syscall(SYS_landlock_create_ruleset, &ruleset, size, 0);
    if (fd < 0)
        return tako__fail_errno(err, TAKO_ESYS, errno, "creating a Landlock ruleset");
    box->landlock_fd = (int)fd;
    if (box_lift(&box->landlock_fd) < 0)
        return tako__fail_errno(err, TAKO_ESYS, errno, "moving a descriptor");
    box->child.landlock_fd = box->landlock_fd;
    rights.read = BOX_FS_EXECUTE | BOX_FS_READ;
    rights.device = (BOX_FS_READ | BOX_FS_WRITE | BOX_FS_TRUNCATE | BOX_FS_IOCTL) & known;
    rights.write = (BOX_FS_READ | BOX_FS_WRITE | BOX_FS_CHANGE | BOX_FS_REFER | BOX_FS_TRUNCATE) &
                   known;
    if (box->n->bare)
        return native_bare_rules(box, &rights, err);
    rule->path = "/";
    rule++->access = rights.read;
    rule->path = "/dev";
    rule++->access = rights.device;
    for (i = 0; i < TAKO__LEN(writable); i++) {
        rule->path = writable[i];
        rule++->access = rights.write;
    }
    for (i = 0; i < box->n_mounts; i++) {
        item = &box->items[box->n_files + i];
        if (item->kind != NATIVE_ITEM_BIND || !item->writable)
            continue;
        rule->path = item->dst - 1; /* with the slash before it */
        rule++->access = S_ISDIR(item->mode) ? rights.write : rights.write & BOX_FS_FILE;
    }
    box->child.n_rules = (size_t)(rule - box->child.rules);
    return TAKO_OK;
}

uint64_t native_limit_within(int resource, uint64_t wanted)
{
    struct rlimit now;

    if (getrlimit((__rlimit_resource_t)resource, &now) == 0 && now.rlim_max != RLIM_INFINITY &&
        wanted > now.rlim_max)
        return now.rlim_max; /* raising it would need a privilege */
    return wanted;
}

static void box_add_rlimits(struct native_init_plan *plan, int resource, int64_t soft, int64_t hard)
{
    struct native_rlimit *limit = &plan->rlimit[plan->n_rlimit++];

    limit->resource = (uint64_t)resource;
    limit->max = native_limit_within(resource, (uint64_t)hard);
    limit->cur = (uint64_t)soft < limit->max ? (uint64_t)soft : limit->max;
}

static void box_add_rlimit(struct native_init_plan *plan, int resource, int64_t value)
{
    box_add_rlimits(plan, resource, value, value);
}

/* Counted per user and user namespace since Linux 5.14. In a namespace of its own, or with a user
 * of its own, only the job counts, and init and a guard with it; else all that the user runs: there
 * a limit could be used up by others, and is set only where no group limits the job. */
static int box_limit_processes(struct native_box *box, struct native_init_plan *plan,
                               tako_error *err)
{
    const struct native *n = box->n;
    bool group = n->cgroups.dir[NATIVE_PIDS] != NULL, shared = n->bare && !n->bare_ids;
    int64_t soft = n->limits.nproc_soft, hard = n->limits.nproc_hard, others = 0;

    if ((shared && group) || (n->privileged && !n->use_userns))
        return TAKO_OK;
    if (shared && (others = native_tree_threads(getuid())) < 0)
        return tako__fail(err, TAKO_ESYS, "/proc does not show the processes of this user");
    if (!group) { /* it stands in for the group's */
        soft = soft < n->limits.pids ? soft : n->limits.pids;
        hard = hard < n->limits.pids ? hard : n->limits.pids;
    }
    others += n->bare ? 2 : 1;
    if (group && soft >= n->limits.pids)
        others += 15; /* the group's, which is counted, shall be met first */
    box_add_rlimits(plan, RLIMIT_NPROC, others + soft, others + hard);
    return TAKO_OK;
}

static int box_rlimits(struct native_box *box, struct native_init_plan *plan, tako_error *err)
{
    const struct native_cgroups *g = &box->n->cgroups;

    /* Not 0: core(5) has the host's own dump program run all the same then. A limit of 1 is its
     * sign for "never"; the filter keeps the job from changing it. */
    box_add_rlimit(plan, RLIMIT_CORE, 1);
    box_add_rlimits(plan, RLIMIT_NOFILE, box->n->limits.nofile_soft, box->n->limits.nofile_hard);
    box_add_rlimit(plan, RLIMIT_FSIZE, box->n->limits.file_bytes);
    box_add_rlimit(plan, RLIMIT_STACK, NATIVE_STACK_BYTES);
    box_add_rlimit(plan, RLIMIT_MEMLOCK, 0);
    box_add_rlimit(plan, RLIMIT_SIGPENDING, 256);
    box_add_rlimit(plan, RLIMIT_MSGQUEUE, 65536);
    box_add_rlimit(plan, RLIMIT_RTPRIO, 0);
    box_add_rlimit(plan, RLIMIT_NICE, 0);
    if (!g->dir[NATIVE_MEMORY] && box->task)
        box_add_rlimit(plan, RLIMIT_DATA, box->task->memory_bytes);
    return box_limit_processes(box, plan, err);
}

/* ---- init's plan ----------------------------------------------------------------------------- */

static int box_fill_plan(struct native_box *box, struct native_init_plan *plan, struct tako__buf *b,
                         tako_error *err)
{
    const struct native_filter *filter = &box->n->filter[box->task && box->task->network];
    struct sock_fprog program;
    uint64_t insns;
    int i, rc;

    plan->status_fd = box->status[1];
    plan->life_fd = box->life[0];
    plan->stdout_fd = box->out[1];
    plan->stderr_fd = box->errs[1];
    plan->userns_fd = box->slot >= 0 ? box->n->slot_userns[box->slot] : -1;
    plan->landlock_fd = box->landlock_fd;
    plan->bare = box->n->bare;
    plan->host_pid = getpid();
    plan->landlock_flags = box->n->landlock_abi >= 7 ? BOX_UNLOGGED : 0;
    plan->sock_fd = box->n->use_notify ? box->sock[1] : -1;
    plan->n_cgroup = box->has_group ? box->group.n_procs : 0;
    for (i = 0; i < plan->n_cgroup; i++)
        plan->cgroup_fd[i] = box->group.procs_fd[i];
    plan->join_keyring = box->n->use_keyring;
    plan->new_cgroup_ns = box->n->use_cgroup_ns;
    plan->new_time_ns = box->n->use_time_ns;
    plan->set_ids = box->n->privileged || box->n->bare_ids;
    plan->uid = plan->gid = box->n->bare_ids ? box->n->uid_base + (uint32_t)box->slot : 1000;
    rc = box_rlimits(box, plan, err);
    if (rc != TAKO_OK)
        return rc;

    native_plan_put(b, plan, sizeof(*plan)); /* room; written again below */
    plan->zero_text = native_plan_put(b, "0", 2);
    plan->null_text = native_plan_put(b, "/dev/null", sizeof("/dev/null"));
    insns = native_plan_put(b, filter->bpf, filter->n_insns * sizeof(struct sock_filter));
    memset(&program, 0, sizeof(program));
    program.len = (unsigned short)filter->n_insns;
    program.filter = (struct sock_filter *)(uintptr_t)insns;
    plan->bpf = native_plan_put(b, &program, sizeof(program));
    if (box->task)
        rc = native_task_program(box, plan, b, err);
    if (b->failed)
        return tako__nomem(err);
    memcpy(b->data, plan, sizeof(*plan));
    return rc;
}

static int box_write_plan(struct native_box *box, tako_error *err)
{
    struct native_init_plan plan;
    struct tako__buf b;
    int rc;

    memset(&plan, 0, sizeof(plan));
    tako__buf_init(&b, &box->n->host);
    rc = box_fill_plan(box, &plan, &b, err);
    if (rc != TAKO_OK)
        goto out;
    box->plan_fd = memfd_create("tako-plan", MFD_CLOEXEC);
    if (box->plan_fd < 0 || box_lift(&box->plan_fd) < 0 ||
        write(box->plan_fd, b.data, b.len) != (ssize_t)b.len)
        rc = tako__fail_errno(err, TAKO_ESYS, errno, "writing the plan of a sandbox");
out:
    tako__buf_free(&b);
    return rc;
}

/* ---- the child's plan ------------------------------------------------------------------------ */

static void box_keep(struct native_child *child, int fd)
{
    if (fd >= 0)
        child->keep_fd[child->n_keep++] = fd;
}

static void box_fill_child(struct native_box *box)
{
    struct native_child *c = &box->child;
    struct native *n = box->n;
    size_t count;
    int i;

    c->map_ids = !n->privileged;
    c->lock_userns = n->use_userns_lock;
    c->bare = n->bare;
    c->app_fd = box->app_fd;
    c->mount_proc = n->proc_options != NULL;
    snprintf(c->uid_map, sizeof(c->uid_map), "1000 %u 1\n", (unsigned)geteuid());
    snprintf(c->gid_map, sizeof(c->gid_map), "1000 %u 1\n", (unsigned)getegid());
    c->items[0] = n->view.items;
    c->n_items[0] = n->view.count;
    c->items[1] = box->items;
    c->n_items[1] = box->n_files;
    c->items[2] = box->items ? box->items + box->n_files : NULL;
    c->n_items[2] = box->n_mounts;
    c->tree_fd = box->tree_fd;
    c->owner = n->privileged ? native_task_owner(box) : 0;
    /* Room for the job's files in whole pages, and for the tables of their names. */
    count = n->view.count + box->n_files + box->n_mounts + 64;
    snprintf(c->root_options, sizeof(c->root_options), "mode=0755,size=%lld,nr_inodes=%zu",
             (long long)(box->file_bytes + n->view.bytes + 4096 * (int64_t)count + 65536), count);
    snprintf(c->tmp_options, sizeof(c->tmp_options), "mode=1777,size=%lld,nr_inodes=16384",
             (long long)n->limits.tmp_bytes);
    snprintf(c->output_options, sizeof(c->output_options), "mode=0777,size=%lld,nr_inodes=4096",
             (long long)n->limits.tmp_bytes);
    snprintf(c->shm_options, sizeof(c->shm_options), "mode=1777,size=%lld,nr_inodes=4096",
             (long long)n->limits.tmp_bytes);
    snprintf(c->proc_options, sizeof(c->proc_options), "%s",
             n->proc_options ? n->proc_options : "");
    c->output_sock = box->sock[1];
    c->keep_caps = n->privileged || n->bare ? 0 : (1UL << CAP_SYS_ADMIN) | (1UL << CAP_SETPCAP);
    c->init_fd = n->init_fd;
    c->net_fd = box->net_fd;
    snprintf(c->plan_fd_text, sizeof(c->plan_fd_text), "%d", box->plan_fd);
    box_keep(c, box->plan_fd);
    box_keep(c, box->status[1]);
    box_keep(c, box->life[0]);
    box_keep(c, box->out[1]);
    box_keep(c, box->errs[1]);
    box_keep(c, box->landlock_fd);
    box_keep(c, box->work_fd);
    if (n->use_notify)
        box_keep(c, box->sock[1]);
    if (box->slot >= 0)
        box_keep(c, n->slot_userns[box->slot]);
    for (i = 0; box->has_group && i < box->group.n_procs; i++)
        box_keep(c, box->group.procs_fd[i]);
}

/* ---- slots: one host id per running job of a root host --------------------------------------- */

static int box_take_slot(struct native_box *box, tako_error *err)
{
    struct native *n = box->n;
    int i, rc = TAKO_OK;

    if (!n->use_userns && !n->bare_ids)
        return TAKO_OK;
    pthread_mutex_lock(&n->lock);
    for (i = 0; i < NATIVE_SLOTS && n->slot_used[i]; i++)
        ;
    if (i < NATIVE_SLOTS) {
        n->slot_used[i] = true;
        box->slot = i;
    }
    pthread_mutex_unlock(&n->lock);
    if (i == NATIVE_SLOTS)
        return tako__fail(err, TAKO_EFULL, "more than %d sandboxes at once", NATIVE_SLOTS);
    /* The slot is ours alone now, and so is its namespace. */
    if (n->use_userns && n->slot_userns[i] < 0) {
        rc = native_userns_make(n->uid_base + (uint32_t)i, n->use_userns_lock, &n->slot_userns[i],
                                err);
        if (rc == TAKO_OK && box_lift(&n->slot_userns[i]) < 0)
            rc = tako__fail_errno(err, TAKO_ESYS, errno, "moving a descriptor");
    }
    return rc;
}

static void box_give_slot(struct native_box *box)
{
    if (box->slot < 0)
        return;
    pthread_mutex_lock(&box->n->lock);
    box->n->slot_used[box->slot] = false;
    pthread_mutex_unlock(&box->n->lock);
    box->slot = -1;
}

/* ---- the life of a box ----------------------------------------------------------------------- */

static void box_init(struct native_box *box, struct native *n, const struct tako__task *task)
{
    memset(box, 0, sizeof(*box));
    box->n = n;
    box->task = task;
    box->slot = box->plan_fd = box->landlock_fd = box->net_fd = -1;
    box->pidfd = box->output_fd = box->notify_fd = box->work_fd = box->app_fd = -1;
    box->out[0] = box->out[1] = box->errs[0] = box->errs[1] = -1;
    box->status[0] = box->status[1] = box->life[0] = box->life[1] = -1;
    box->sock[0] = box->sock[1] = -1;
}

int native_box_prepare(struct native_box *box, struct native *n, const struct tako__task *task,
                       tako_error *err)
{
    int rc;

    box_init(box, n, task);
    rc = box_take_slot(box, err);
    if (rc == TAKO_OK)
        rc = native_cgroups_room(&n->cgroups, task != NULL, err);
    if (rc != TAKO_OK)
        goto out;
    if (!native_pool_take_group(n, &box->group))
        rc = native_group_make(&box->group, &n->cgroups,
                               __atomic_add_fetch(&n->serial, 1, __ATOMIC_RELAXED), err);
    if (rc != TAKO_OK)
        goto out;
    box->has_group = true;
    rc = native_group_limit(&box->group, task ? task->memory_bytes : TAKO_MEMORY_MIN,
                            n->limits.pids, task && task->cpu_percent ? task->cpu_percent : 100,
                            err);
    if (rc != TAKO_OK || (rc = native_task_items(box, err)) != TAKO_OK)
        goto out;
    if (!task || !task->network)
        box->net_fd = native_pool_take_net(n);
    box->tree_fd = tako__array(&n->host, n->view.count + box->n_files + box->n_mounts + 1,
                               sizeof(*box->tree_fd));
    box->stack = mmap(NULL, BOX_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (!box->tree_fd || box->stack == MAP_FAILED) {
        rc = tako__nomem(err);
        goto out;
    }
    if ((rc = box_open_fds(box, err)) != TAKO_OK ||
        (n->bare && (rc = native_bare_make(box, err)) != TAKO_OK) ||
        (rc = box_landlock(box, err)) != TAKO_OK || (rc = box_write_plan(box, err)) != TAKO_OK)
        goto out;
    box_fill_child(box);
out:
    if (rc != TAKO_OK)
        native_box_release(box);
    return rc;
}

/* Takes a descriptor that the child or the job sent. */
static int box_receive(struct native_box *box, int *fd)
{
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    char byte;
    struct iovec iov = {&byte, 1};
    struct msghdr msg;
    struct cmsghdr *header;

    memset(&msg, 0, sizeof(msg));
    msg.msg_iov = &iov;
    msg.msg_iovlen = 1;
    msg.msg_control = control.bytes;
    msg.msg_controllen = sizeof(control.bytes);
    if (recvmsg(box->sock[0], &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) < 0)
        return errno;
    header = CMSG_FIRSTHDR(&msg);
    if (!header || header->cmsg_type != SCM_RIGHTS)
        return EPROTO;
    memcpy(fd, CMSG_DATA(header), sizeof(int));
    return 0;
}

void native_box_receive_notify(struct native_box *box)
{
    if (box_receive(box, &box->notify_fd) != EAGAIN)
        tako__close_fd(&box->sock[0]);
}

/* What only the sandbox needs from here on; then its pipes have no writers but its own. The read
 * end of `life` stays open: telling an init that is dead already must not raise SIGPIPE. */
static void box_close_given(struct native_box *box)
{
    tako__close_fd(&box->out[1]);
    tako__close_fd(&box->errs[1]);
    tako__close_fd(&box->status[1]);
    tako__close_fd(&box->sock[1]);
    tako__close_fd(&box->plan_fd);
    tako__close_fd(&box->landlock_fd);
    tako__close_fd(&box->app_fd);
    while (box->group.n_procs > 0)
        close(box->group.procs_fd[--box->group.n_procs]);
}

int native_box_spawn(struct native_box *box, int *step, int *error)
{
    bool network = box->task && box->task->network;
    unsigned long flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS |
                          (network || box->net_fd >= 0 ? 0 : CLONE_NEWNET) |
                          (box->n->privileged ? 0 : CLONE_NEWUSER);

    if (box->n->bare)
        flags = 0;
    *step = NATIVE_STEP_CLONE;
    box->pid = native_child_spawn(&box->child, flags, box->stack, BOX_STACK, &box->pidfd);
    if (box->pid < 0) {
        *error = (int)-box->pid;
        box->pidfd = -1;
        return -1;
    }
    box_close_given(box);
    *step = box->child.failed_step;
    *error = box->child.failed_errno;
    if (*step == NATIVE_STEP_NONE && !box->n->bare &&
        (*error = box_receive(box, &box->output_fd)) != 0)
        *step = NATIVE_STEP_OUTPUT_FD;
    if (*step == NATIVE_STEP_NONE && write(box->life[1], "g", 1) != 1) {
        *error = errno;
        *step = NATIVE_STEP_GO;
    }
    if (!box->n->use_notify)
        tako__close_fd(&box->sock[0]);
    if (box->child.shared)
        box->weaker |= NATIVE_WITH_SHARED;
    if (*step == NATIVE_STEP_NONE)
        return 0;
    native_box_kill(box);
    native_box_reap(box);
    return -1;
}

void native_box_end(struct native_box *box)
{
    char byte = 'k';
    ssize_t ignored;

    ignored = write(box->life[1], &byte, 1); /* a full pipe has been told already */
    (void)ignored;
    if (box->has_group)
        native_group_unthrottle(&box->group);
}

void native_box_kill(struct native_box *box)
{
    if (box->pidfd < 0)
        return;
    if (box->n->bare) { /* killing a guard would leave one only */
        native_box_end(box);
        return;
    }
    syscall(SYS_pidfd_send_signal, box->pidfd, SIGKILL, NULL, 0);
    if (box->has_group)
        native_group_unthrottle(&box->group);
}

/* A pid namespace's init is reported dead only when every member is (pid_namespaces(7)), and so is
 * the outer guard of a bare job; if that one was killed then init, the last to have the writing end
 * of `status`, goes on and clears. The host may ignore SIGCHLD or have collected the child: then
 * waitid says ECHILD, and poll has said all that matters. */
void native_box_reap(struct native_box *box)
{
    struct pollfd dead = {box->pidfd, POLLIN, 0}, left = {box->status[0], 0, 0};
    siginfo_t info;

    if (box->pidfd < 0)
        return;
    while (poll(&dead, 1, -1) < 0 && errno == EINTR)
        ;
    while (waitid((idtype_t)BOX_P_PIDFD, (id_t)box->pidfd, &info, WEXITED | __WALL) < 0 &&
           errno == EINTR)
        ;
    while (box->n->bare && left.fd >= 0 && poll(&left, 1, -1) < 0 && errno == EINTR)
        ;
    tako__close_fd(&box->pidfd);
}

void native_box_release(struct native_box *box)
{
    int i;

    if (box->pidfd >= 0) {
        native_box_kill(box);
        native_box_reap(box);
    }
    for (i = 0; i < 2; i++) {
        tako__close_fd(&box->out[i]);
        tako__close_fd(&box->errs[i]);
        tako__close_fd(&box->status[i]);
        tako__close_fd(&box->life[i]);
        tako__close_fd(&box->sock[i]);
    }
    tako__close_fd(&box->plan_fd);
    tako__close_fd(&box->landlock_fd);
    tako__close_fd(&box->net_fd);
    tako__close_fd(&box->output_fd);
    tako__close_fd(&box->notify_fd);
    if (box->n->bare)
        native_bare_remove(box);
    if (box->has_group)
        native_pool_give_group(box->n, &box->group);
    box->has_group = false;
    box_give_slot(box);
    if (box->stack && box->stack != MAP_FAILED)
        munmap(box->stack, BOX_STACK);
    tako__free(&box->n->host, box->tree_fd);
    tako__free(&box->n->host, box->items);
    tako__free(&box->n->host, box->names);
    tako__free(&box->n->host, box->host_files);
    box->stack = NULL;
    box->tree_fd = NULL;
    box->items = NULL;
    box->names = box->host_files = NULL;
}
