/* exec_native_probe.c - what this host can do, found out by doing it: one sandbox is made in which
 * init's child takes every step and exits instead of executing a program. Optional layers that the
 * kernel refuses are switched off with the reason. Where namespaces are refused strict mode says
 * which, why, as far as it can be found out, and what to do; permissive mode goes on without any.
 * Whatever else fails makes the executor unusable.
 * SPDX-License-Identifier: MIT */
#include "exec_native.h"
#include "exec_native_sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

/* Host ids for jobs lie in here, above every range in use by convention (systemd, UIDS-GIDS). */
#define PROBE_UID_FIRST 0x70000000u
#define PROBE_UID_LAST 0x77fffffeu
#define PROBE_BARE_ABI 6 /* of Landlock, which then scopes signals and abstract sockets */

enum probe_layer {
    PROBE_USER_NS,
    PROBE_MOUNT_NS,
    PROBE_PID_NS,
    PROBE_NET_NS,
    PROBE_IPC_NS,
    PROBE_UTS_NS,
    PROBE_CGROUP_NS,
    PROBE_NESTED,
    PROBE_ROOT,
    PROBE_FILES,
    PROBE_PROC,
    PROBE_CAPABILITIES,
    PROBE_NNP,
    PROBE_SECCOMP,
    PROBE_LANDLOCK,
    PROBE_KEYRING,
    PROBE_MEMORY,
    PROBE_PIDS,
    PROBE_CPU,
    PROBE_RLIMITS
};

static const char *const probe_name[NATIVE_LAYERS] = {"user_namespace",
                                                      "mount_namespace",
                                                      "pid_namespace",
                                                      "network_namespace",
                                                      "ipc_namespace",
                                                      "uts_namespace",
                                                      "cgroup_namespace",
                                                      "no_nested_namespaces",
                                                      "root_filesystem",
                                                      "private_files",
                                                      "proc",
                                                      "capabilities",
                                                      "no_new_privs",
                                                      "seccomp",
                                                      "landlock",
                                                      "session_keyring",
                                                      "memory_limit",
                                                      "pids_limit",
                                                      "cpu_limit",
                                                      "resource_limits"};

static const char *const probe_step[NATIVE_STEP_COUNT] = {
    [NATIVE_STEP_NONE] = "starting init",
    [NATIVE_STEP_NETNS] = "joining a fresh network namespace",
    [NATIVE_STEP_IDMAP] = "mapping user and group ids",
    [NATIVE_STEP_NESTED] = NATIVE_LOCKING_USERNS,
    [NATIVE_STEP_PRIVATE] = "making the mounts private",
    [NATIVE_STEP_BIND] = "binding a part of the root file system",
    [NATIVE_STEP_OVERLAY] = "mounting an overlay of a part of the root file system",
    [NATIVE_STEP_DEVICE] = "making a device node",
    [NATIVE_STEP_ROOT] = "mounting the new root",
    [NATIVE_STEP_FILE] = "creating a file in the new root",
    [NATIVE_STEP_TMPFS] = "mounting /tmp, /output, /dev/shm or /run/secrets",
    [NATIVE_STEP_PROC] = "mounting /proc",
    [NATIVE_STEP_OUTPUT_FD] = "keeping /output open",
    [NATIVE_STEP_PIVOT] = "changing the root",
    [NATIVE_STEP_LANDLOCK_RULE] = "adding a Landlock rule",
    [NATIVE_STEP_READONLY] = "making the root read-only",
    [NATIVE_STEP_HOSTNAME] = "setting the host name",
    [NATIVE_STEP_SIGNALS] = "setting signal actions and the file mode mask",
    [NATIVE_STEP_FDS] = "closing the host's descriptors",
    [NATIVE_STEP_AMBIENT] = "keeping two capabilities for init",
    [NATIVE_STEP_INIT_EXEC] = "executing init",
    [NATIVE_STEP_INIT_MAP] = "reading init's plan",
    [NATIVE_STEP_INIT_FORK] = "starting the job's process",
    [NATIVE_STEP_SCOPE] = "keeping signals inside the sandbox",
    [NATIVE_STEP_SETSID] = "starting a session",
    [NATIVE_STEP_CGROUP_JOIN] = "joining the job's cgroup",
    [NATIVE_STEP_CGROUP_NS] = "creating a cgroup namespace",
    [NATIVE_STEP_KEYRING] = "joining a session keyring",
    [NATIVE_STEP_RLIMIT] = "setting resource limits",
    [NATIVE_STEP_BOUNDING] = "emptying the capability bounding set",
    [NATIVE_STEP_USERNS] = "joining the job's user namespace",
    [NATIVE_STEP_IDS] = "changing to the job's user",
    [NATIVE_STEP_CAPS] = "dropping capabilities",
    [NATIVE_STEP_NNP] = "setting no_new_privs",
    [NATIVE_STEP_LANDLOCK] = "entering the Landlock domain",
    [NATIVE_STEP_GO] = "waiting for the host",
    [NATIVE_STEP_STDIO] = "connecting the standard streams",
    [NATIVE_STEP_SECCOMP] = "installing the seccomp filter",
    [NATIVE_STEP_EXEC] = "executing the program",
    [NATIVE_STEP_CLONE] = "creating the namespaces",
};

const char *native_layer_name(int index)
{
    return probe_name[index];
}

const char *native_step_text(int step)
{
    return step >= 0 && step < NATIVE_STEP_COUNT && probe_step[step] ? probe_step[step]
                                                                     : "setting up";
}

static void probe_note(struct native *n, enum probe_layer layer, tako_layer_state state,
                       bool required, const char *fmt, ...) TAKO__PRINTF(5, 6);
static void probe_note(struct native *n, enum probe_layer layer, tako_layer_state state,
                       bool required, const char *fmt, ...)
{
    va_list args;

    n->layer[layer].state = state;
    n->layer[layer].required = required;
    va_start(args, fmt);
    vsnprintf(n->layer[layer].detail, sizeof(n->layer[layer].detail), fmt, args);
    va_end(args);
}

/* Inside a user namespace (a rootless container) root's map may lack the ids that jobs get. */
static bool probe_maps_ids(void)
{
    char map[4096];
    const char *at = map;
    unsigned long long inside, outside, count;

    if (tako__read_small("/proc/self/uid_map", map, sizeof(map)) < 0)
        return false;
    while (sscanf(at, "%llu %llu %llu", &inside, &outside, &count) == 3) {
        if (inside <= PROBE_UID_FIRST && inside + count > PROBE_UID_LAST)
            return true;
        at = strchr(at, '\n');
        if (!at)
            break;
        at++;
    }
    return false;
}

/* What it takes to run processes of other users, and to remove what they made. */
#define PROBE_CAPS_IDS                                                                  \
    ((1u << CAP_SETUID) | (1u << CAP_SETGID) | (1u << CAP_SETPCAP) | (1u << CAP_KILL) | \
     (1u << CAP_DAC_OVERRIDE) | (1u << CAP_FOWNER))

static bool probe_is_root_with(uint32_t needed)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {{0, 0, 0}, {0, 0, 0}};

    return geteuid() == 0 && syscall(SYS_capget, &header, data) == 0 &&
           (data[0].effective & needed) == needed && probe_maps_ids();
}

/* A root host has the capabilities to set ids and mounts without a user namespace. */
static bool probe_privileged(void)
{
    return probe_is_root_with(PROBE_CAPS_IDS | (1u << CAP_SYS_ADMIN));
}

/* One dry run; 0 when every step succeeded. */
static int probe_once(struct native *n, int *step, int *error, int *index, tako_error *err)
{
    struct native_status status[2];
    struct native_box box;
    struct pollfd watch;
    ssize_t got;
    int rc;

    *step = NATIVE_STEP_NONE;
    *error = 0;
    *index = -1;
    pthread_mutex_unlock(&n->lock); /* the box takes a slot under it */
    rc = native_box_prepare(&box, n, NULL, err);
    if (rc == TAKO_OK) {
        if (native_box_spawn(&box, step, error) == 0) {
            watch.fd = box.pidfd;
            watch.events = POLLIN;
            while ((rc = poll(&watch, 1, 10000)) < 0 && errno == EINTR)
                ;
            if (rc <= 0)
                *error = ETIMEDOUT;
            rc = TAKO_OK;
            native_box_kill(&box);
            native_box_reap(&box);
            got = read(box.status[0], status, sizeof(status));
            if (got == (ssize_t)sizeof(status[0]) * 2 && status[0].kind == NATIVE_STATUS_STARTED &&
                status[1].kind == NATIVE_STATUS_ENDED && status[1].wait_status == 0) {
                *error = 0;
            } else if (got >= (ssize_t)sizeof(status[0])) {
                got = status[0].kind == NATIVE_STATUS_STARTED ? 1 : 0;
                *step = status[got].kind == NATIVE_STATUS_FAILED ? status[got].step
                                                                 : NATIVE_STEP_SECCOMP;
                *error = status[got].kind == NATIVE_STATUS_FAILED ? status[got].error : EPROTO;
            } else if (*error == 0) {
                *error = EPROTO;
            }
        }
        *index = box.child.failed_index;
        native_box_release(&box);
    }
    pthread_mutex_lock(&n->lock);
    return rc;
}

static void probe_note_limits(struct native *n)
{
    static const struct {
        enum probe_layer layer;
        enum native_controller controller;
        tako_layer_state without;
        const char *instead;
    } limits[] = {
        {PROBE_MEMORY, NATIVE_MEMORY, TAKO_LAYER_WEAKER, "per process only, by RLIMIT_DATA"},
        {PROBE_PIDS, NATIVE_PIDS, TAKO_LAYER_WEAKER, "by RLIMIT_NPROC"},
        {PROBE_CPU, NATIVE_CPU, TAKO_LAYER_OFF, "not limited"},
    };
    size_t i;
    bool has, required;

    for (i = 0; i < TAKO__LEN(limits); i++) {
        /* A group that was named is meant to be used; users are seldom given the CPU. */
        required = n->privileged || (n->cgroup && limits[i].controller != NATIVE_CPU);
        has = n->cgroups.dir[limits[i].controller] != NULL;
        if (has)
            probe_note(n, limits[i].layer, TAKO_LAYER_ON, required, "%s",
                       n->cgroups.why[limits[i].controller]);
        else
            probe_note(n, limits[i].layer, limits[i].without, required, "%s: %s", limits[i].instead,
                       n->cgroups.why[limits[i].controller]);
    }
}

static bool probe_leave_unlocked(struct native *n, int error)
{
    n->use_userns_lock = false;
    probe_note(n, PROBE_NESTED, TAKO_LAYER_WEAKER, false,
               "by seccomp only: setting max_user_namespaces is refused: %s", strerror(error));
    return true;
}

static int probe_make_filter(struct native *n, tako_error *err)
{
    struct native_seccomp_rules rules = {n->use_notify, n->bare, false};
    int i, rc = TAKO_OK;

    for (i = 0; i < 2 && rc == TAKO_OK; i++) {
        tako__free(&n->host, n->filter[i].bpf);
        n->filter[i].bpf = NULL;
        rules.network = i == 1;
        rc = native_seccomp_make(&n->host, &rules, &n->filter[i].bpf, &n->filter[i].n_insns, err);
    }
    return rc;
}

/* Another program's filter has the one listener that a process can have, or the kernel is old. */
static bool probe_no_listener(struct native *n, int error)
{
    n->use_notify = false;
    if (probe_make_filter(n, NULL) != TAKO_OK)
        return false;
    probe_note(n, PROBE_SECCOMP, TAKO_LAYER_ON, true,
               "%zu instructions, allow list; foreign system calls end the process with SIGSYS (no "
               "listener: %s)",
               n->filter[0].n_insns, strerror(error));
    return true;
}

/* The files of the view without superblocks of their own: `index` was refused. */
static bool probe_share_files(struct native *n, int step, int error, int index)
{
    struct native_item *item;
    size_t i;

    if (index < 0 || (size_t)index >= n->view.count)
        return false;
    item = &n->view.items[index];
    if (step == NATIVE_STEP_OVERLAY && item->kind == NATIVE_ITEM_OVERLAY) {
        item->kind = NATIVE_ITEM_BIND;
        probe_note(
            n, PROBE_FILES, TAKO_LAYER_WEAKER, false,
            "%.60s is shared with the host: an overlay of it is refused: %s (Linux 5.11 in a "
            "user namespace); locks on its files are seen by other jobs",
            item->src, strerror(error));
        return true;
    }
    if (step != NATIVE_STEP_DEVICE || item->kind != NATIVE_ITEM_NODE)
        return false;
    for (i = 0; i < n->view.count; i++)
        if (n->view.items[i].kind == NATIVE_ITEM_NODE)
            n->view.items[i].kind = NATIVE_ITEM_DEVICE;
    if (n->layer[PROBE_FILES].state == TAKO_LAYER_ON)
        probe_note(n, PROBE_FILES, TAKO_LAYER_WEAKER, false,
                   "the five device nodes are the host's own, as making one is refused: %s; locks "
                   "on them are seen by other jobs",
                   strerror(error));
    return true;
}

/* Switches off what `step` was for, when that is optional; false when it is not. */
static bool probe_give_up(struct native *n, int step, int error, int index)
{
    if (step == NATIVE_STEP_OVERLAY || step == NATIVE_STEP_DEVICE)
        return probe_share_files(n, step, error, index);
    if (step == NATIVE_STEP_NESTED && n->use_userns_lock)
        return probe_leave_unlocked(n, error);
    if (step == NATIVE_STEP_SECCOMP && n->use_notify)
        return probe_no_listener(n, error);
    if (step == NATIVE_STEP_KEYRING && n->use_keyring) {
        n->use_keyring = false;
        probe_note(n, PROBE_KEYRING, TAKO_LAYER_OFF, false,
                   "the kernel or the container's policy refuses keyctl: %s; the filter keeps jobs "
                   "from all key calls",
                   strerror(error));
        return true;
    }
    if (step == NATIVE_STEP_CGROUP_NS && n->use_cgroup_ns) {
        n->use_cgroup_ns = false;
        probe_note(n, PROBE_CGROUP_NS, TAKO_LAYER_OFF, false,
                   "refused: %s; the job can read its cgroup's path", strerror(error));
        return true;
    }
    if (step == NATIVE_STEP_CGROUP_JOIN && native_cgroups_refuse(&n->cgroups, &n->host, error)) {
        probe_note_limits(n);
        return true;
    }
    if (step == NATIVE_STEP_PROC && n->proc_options && (error == EPERM || error == EACCES)) {
        n->proc_options = NULL;
        probe_note(n, PROBE_PROC, TAKO_LAYER_OFF, false,
                   "there is no /proc inside: mounting one is refused: %s (a container that hides "
                   "parts of its own); programs that need it fail",
                   strerror(error));
        return true;
    }
    if (step == NATIVE_STEP_PROC && n->proc_options && *n->proc_options && error == EINVAL) {
        n->proc_options = "";
        probe_note(n, PROBE_PROC, TAKO_LAYER_WEAKER, false,
                   "this kernel lacks subset=pid (Linux 5.8): the whole of /proc is visible, "
                   "read-only where it matters");
        return true;
    }
    return false;
}

/* What of a root host's user namespaces is refused, which are made before the dry run's clone. */
static bool probe_give_up_slot(struct native *n, const tako_error *why)
{
    if (n->use_userns_lock &&
        strncmp(why->message, NATIVE_LOCKING_USERNS, strlen(NATIVE_LOCKING_USERNS)) == 0)
        return probe_leave_unlocked(n, why->os_errno);
    if (!n->use_userns || !strstr(why->message, "user namespace"))
        return false;
    n->use_userns = false;
    probe_note(n, PROBE_USER_NS, TAKO_LAYER_OFF, true, "%.120s; jobs would be uid 1000 of the host",
               why->message);
    return true;
}

static const char *probe_remedy(int step, int error)
{
    if (error == ENOSYS)
        return "Linux 5.12 or newer is needed";
    if (step == NATIVE_STEP_INIT_EXEC)
        return "see sysctl vm.memfd_noexec, and whether a policy forbids executing memfds";
    if (step == NATIVE_STEP_PROC)
        return "a container that is to run jobs must be allowed to mount";
    return "see `tako doctor`";
}

/* ---- no namespaces --------------------------------------------------------------------------- */

struct probe_lack { /* of namespaces: what is missing, why, what to do */
    enum probe_layer layer;
    char cause[160];
    const char *remedy;
};

/* True when the failure is of namespaces, or of mounts, as which policies refuse those that they
 * let be made. */
static bool probe_is_lack(int step, int error)
{
    switch (step) {
    case NATIVE_STEP_CLONE:
        return error == EPERM || error == EACCES || error == ENOSPC || error == EUSERS ||
               error == EINVAL || error == ENOSYS;
    case NATIVE_STEP_IDMAP:
    case NATIVE_STEP_NETNS:
    case NATIVE_STEP_PRIVATE:
    case NATIVE_STEP_BIND:
    case NATIVE_STEP_ROOT:
    case NATIVE_STEP_TMPFS:
    case NATIVE_STEP_PIVOT:
    case NATIVE_STEP_READONLY:
    case NATIVE_STEP_HOSTNAME:
    case NATIVE_STEP_AMBIENT:
        return error == EPERM || error == EACCES || error == ENOSYS;
    default:
        return false;
    }
}

static long probe_sysctl(const char *name)
{
    char path[96], text[32];

    snprintf(path, sizeof(path), "/proc/sys/%s", name);
    return tako__read_small(path, text, sizeof(text)) > 0 ? strtol(text, NULL, 10) : -1;
}

/* A root directory that is no mount point: namespaces(7), "EPERM ... chroot". */
static bool probe_in_chroot(void)
{
    char line[8192], at[4096];
    bool found = false;
    FILE *list = fopen("/proc/self/mountinfo", "re");

    if (!list)
        return false;
    while (!found && fgets(line, sizeof(line), list))
        found = sscanf(line, "%*s %*s %*s %*s %4095s", at) == 1 && strcmp(at, "/") == 0;
    fclose(list);
    return !found;
}

/* The kernel's sysctls, then what this process is in; nothing is guessed. */
static void probe_find_lack(const struct native *n, int step, int error, struct probe_lack *lack)
{
    static const struct {
        enum probe_layer layer;
        const char *name; /* of /proc/sys/user */
    } limits[] = {
        {PROBE_USER_NS, "user/max_user_namespaces"}, {PROBE_PID_NS, "user/max_pid_namespaces"},
        {PROBE_MOUNT_NS, "user/max_mnt_namespaces"}, {PROBE_NET_NS, "user/max_net_namespaces"},
        {PROBE_IPC_NS, "user/max_ipc_namespaces"},   {PROBE_UTS_NS, "user/max_uts_namespaces"}};
    bool user = !n->privileged;
    size_t i;

    lack->layer = user && (step == NATIVE_STEP_CLONE || step == NATIVE_STEP_IDMAP) ? PROBE_USER_NS
                  : step == NATIVE_STEP_NETNS                                      ? PROBE_NET_NS
                                                                                   : PROBE_MOUNT_NS;
    for (i = user ? 0 : 1; step == NATIVE_STEP_CLONE && i < TAKO__LEN(limits); i++)
        if (probe_sysctl(limits[i].name) == 0) {
            lack->layer = limits[i].layer;
            snprintf(lack->cause, sizeof(lack->cause), "sysctl user.%s is 0", limits[i].name + 5);
            lack->remedy = "set it to 10000 with sysctl -w";
            return;
        }
    lack->remedy = "allow it there, for example with Docker's --security-opt seccomp=unconfined";
    if (error == ENOSPC || error == EUSERS) {
        snprintf(lack->cause, sizeof(lack->cause),
                 "a limit of namespaces is reached: theirs (sysctl user.max_*_namespaces, here or "
                 "in an outer user namespace) or 32 of depth");
        lack->remedy = "raise it";
    } else if (error == ENOSYS || error == EINVAL) {
        snprintf(lack->cause, sizeof(lack->cause),
                 "this kernel is older than Linux 5.12 or was built without namespaces");
        lack->remedy = "use another kernel";
    } else if (user && probe_sysctl("kernel/unprivileged_userns_clone") == 0) {
        snprintf(lack->cause, sizeof(lack->cause), "sysctl kernel.unprivileged_userns_clone is 0");
        lack->remedy = "set it to 1 with sysctl -w, or run as root";
    } else if (user && probe_sysctl("kernel/apparmor_restrict_unprivileged_userns") == 1) {
        snprintf(lack->cause, sizeof(lack->cause),
                 "sysctl kernel.apparmor_restrict_unprivileged_userns is 1");
        lack->remedy = "set it to 0 with sysctl -w, give this program an AppArmor profile that "
                       "allows userns, or run as root";
    } else if (step == NATIVE_STEP_IDMAP && prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 1) {
        snprintf(lack->cause, sizeof(lack->cause),
                 "this process changed its user and is not dumpable, so it may not map ids");
        lack->remedy = "call prctl(PR_SET_DUMPABLE, 1) after dropping privileges";
    } else if (user && step == NATIVE_STEP_CLONE && probe_in_chroot()) {
        snprintf(lack->cause, sizeof(lack->cause), "this process is in a chroot(2)");
        lack->remedy = "run it outside, or use pivot_root(2) instead";
    } else if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == 2) {
        snprintf(lack->cause, sizeof(lack->cause),
                 "a seccomp filter or policy of the surrounding container refuses it");
    } else {
        snprintf(lack->cause, sizeof(lack->cause),
                 "no sysctl and no seccomp filter is in the way: a policy of a security module "
                 "refuses it");
        lack->remedy = "allow it there";
    }
}

/* Every layer as it is without namespaces. */
static void probe_note_bare(struct native *n, const char *why)
{
    static const enum probe_layer namespaces[] = {PROBE_MOUNT_NS, PROBE_PID_NS, PROBE_NET_NS,
                                                  PROBE_IPC_NS, PROBE_UTS_NS};
    static const char *const instead[] = {
        "Landlock alone decides which files of the host can be reached",
        "process numbers are the host's; Landlock keeps signals and tracing inside",
        "seccomp refuses sockets but connected pairs", "seccomp refuses System V and POSIX IPC",
        "the host's name can be read"};
    size_t i;

    probe_note(n, PROBE_USER_NS, TAKO_LAYER_OFF, true, "%s; jobs are %s", why,
               n->bare_ids ? "users of the host with an id of their own each"
                           : "processes of this user of the host");
    for (i = 0; i < TAKO__LEN(namespaces); i++)
        probe_note(n, namespaces[i], TAKO_LAYER_OFF, true, "%s", instead[i]);
    probe_note(n, PROBE_CGROUP_NS, TAKO_LAYER_OFF, false, "the host's, but there is no /proc");
    probe_note(n, PROBE_NESTED, TAKO_LAYER_WEAKER, false, "by seccomp only");
    probe_note(n, PROBE_ROOT, TAKO_LAYER_OFF, true,
               "the host's: programs, libraries, a few files of /etc can be read; code, input, "
               "output are in $TAKO_CODE_DIR, _INPUT_DIR, _OUTPUT_DIR, on a disk of which the "
               "share is not limited; stat(2) works on all files");
    probe_note(n, PROBE_FILES, TAKO_LAYER_WEAKER, false,
               "read-only files and device nodes are the host's own: locks on them are seen by "
               "other jobs");
    probe_note(n, PROBE_PROC, TAKO_LAYER_OFF, false,
               "Landlock keeps the host's out of reach, and there is no other");
    if (!n->bare_ids)
        probe_note(n, PROBE_CAPABILITIES, TAKO_LAYER_WEAKER, false,
                   "none, but the bounding set stays as it is; no_new_privs keeps what is in it "
                   "out of reach");
    probe_note(n, PROBE_SECCOMP, TAKO_LAYER_ON, true,
               "%zu instructions, allow list without sockets and IPC; changes of mode, owner and "
               "time of files are not made",
               n->filter[0].n_insns);
    if (!n->cgroups.dir[NATIVE_PIDS])
        probe_note(n, PROBE_PIDS,
                   !n->bare_ids && getuid() == 0 ? TAKO_LAYER_OFF : TAKO_LAYER_WEAKER, false,
                   "%s: %s",
                   n->bare_ids     ? "by RLIMIT_NPROC"
                   : getuid() == 0 ? "RLIMIT_NPROC does not bind root"
                                   : "by RLIMIT_NPROC, which counts all processes of this user",
                   n->cgroups.why[NATIVE_PIDS]);
}

/* Namespaces were refused: strict mode ends here, permissive mode tries without. */
static bool probe_go_bare(struct native *n, int step, int error, tako_error *err)
{
    struct probe_lack lack;
    char why[272];

    if (n->bare || !probe_is_lack(step, error))
        return false;
    probe_find_lack(n, step, error, &lack);
    snprintf(why, sizeof(why), "%.60s: %.40s: %.159s", native_step_text(step), strerror(error),
             lack.cause);
    probe_note(n, lack.layer, TAKO_LAYER_OFF, true, "%s; %s", why, lack.remedy);
    if (n->security == TAKO_STRICT) {
        snprintf(n->refusal, sizeof(n->refusal),
                 "strict mode refuses to run jobs without the layer %s: %s; %s",
                 probe_name[lack.layer], why, lack.remedy);
        return false;
    }
    if (n->rootfs || n->landlock_abi < PROBE_BARE_ABI) {
        snprintf(n->refusal, sizeof(n->refusal),
                 "no sandbox can be made here without the layer %s: %s; %s. Permissive mode "
                 "without namespaces needs %s",
                 probe_name[lack.layer], why, lack.remedy,
                 n->rootfs ? "options.rootfs to be unset: it cannot change the root"
                           : "Landlock ABI 6 (Linux 6.12)");
        return false;
    }
    n->bare = true;
    n->bare_ids = probe_is_root_with(PROBE_CAPS_IDS | (1u << CAP_CHOWN));
    n->privileged = n->use_userns = n->use_userns_lock = n->use_cgroup_ns = n->use_time_ns = false;
    n->proc_options = NULL;
    n->use_notify = true;
    if (native_bare_open(n, err) != TAKO_OK || probe_make_filter(n, err) != TAKO_OK) {
        snprintf(n->refusal, sizeof(n->refusal), "no sandbox can be made here: %.400s",
                 err->message);
        return false;
    }
    probe_note_limits(n);
    probe_note_bare(n, why);
    tako__log(&n->host, TAKO_LOG_WARN, "native", "jobs run without namespaces: %s; %s", why,
              lack.remedy);
    return true;
}

/* The layers as they are meant to be; the dry run corrects them. */
static void probe_note_all(struct native *n)
{
    int i;

    for (i = 0; i < NATIVE_LAYERS; i++)
        probe_note(n, (enum probe_layer)i, TAKO_LAYER_ON, true, "new for each job");
    if (!n->privileged)
        probe_note(n, PROBE_USER_NS, TAKO_LAYER_ON, true,
                   "new for each job; uid 1000 inside is this user outside");
    else if (n->use_userns)
        probe_note(n, PROBE_USER_NS, TAKO_LAYER_ON, true,
                   "one per running job, joined last; uid 1000 inside is an own uid outside");
    probe_note(n, PROBE_NET_NS, TAKO_LAYER_ON, true, "new for each job, no interface is up");
    probe_note(n, PROBE_ROOT, TAKO_LAYER_ON, true, "pivot_root onto a tmpfs of read-only binds%s",
               n->rootfs ? " of the given root" : " of the host's /usr");
    probe_note(n, PROBE_NESTED, TAKO_LAYER_ON, false,
               "refused by seccomp, and max_user_namespaces is 0 inside");
    if (n->privileged)
        probe_note(n, PROBE_FILES, TAKO_LAYER_ON, false,
                   "read-only files are seen through each job's own overlays, device nodes are its "
                   "own: locks are no channel");
    else
        probe_note(
            n, PROBE_FILES, TAKO_LAYER_WEAKER, false,
            "read-only files are seen through each job's own overlays, but the five device "
            "nodes are the host's: locks on them are seen by other jobs (root can make own)");
    probe_note(n, PROBE_PROC, TAKO_LAYER_ON, false, "own processes only (subset=pid, hidepid)");
    probe_note(n, PROBE_CAPABILITIES, TAKO_LAYER_ON, true, "none, and an empty bounding set");
    probe_note(n, PROBE_NNP, TAKO_LAYER_ON, true, "set");
    probe_note(n, PROBE_SECCOMP, TAKO_LAYER_ON, true,
               "%zu instructions, allow list; foreign system calls are reported and end the job",
               n->filter[0].n_insns);
    if (n->landlock_abi > 0)
        probe_note(n, PROBE_LANDLOCK, n->landlock_abi >= 6 ? TAKO_LAYER_ON : TAKO_LAYER_WEAKER,
                   true, "ABI %d%s", n->landlock_abi,
                   n->landlock_abi >= 6 ? "" : ": no scoping of signals and abstract sockets");
    else
        probe_note(n, PROBE_LANDLOCK, TAKO_LAYER_OFF, false,
                   "this kernel has it not, or not enabled (Linux 5.13, boot option lsm=)");
    probe_note(n, PROBE_CGROUP_NS, TAKO_LAYER_ON, false, "new for each job");
    probe_note(n, PROBE_KEYRING, TAKO_LAYER_ON, false, "new for each job");
    probe_note(
        n, PROBE_RLIMITS, TAKO_LAYER_ON, true,
        "no core dumps, open files %llu, file size %llu MiB, locked memory 0",
        (unsigned long long)native_limit_within(RLIMIT_NOFILE, (uint64_t)n->limits.nofile_hard),
        (unsigned long long)native_limit_within(RLIMIT_FSIZE, (uint64_t)n->limits.file_bytes) >>
            20);
    probe_note_limits(n);
}

static int probe_prepare(struct native *n, tako_error *err)
{
    int i, rc;

    n->privileged = probe_privileged();
    n->use_keyring = n->use_cgroup_ns = n->use_notify = n->use_userns_lock = true;
    n->use_time_ns = access("/proc/self/ns/time", F_OK) == 0; /* Linux 5.6 */
    n->cpus = (int)sysconf(_SC_NPROCESSORS_ONLN);
    if (n->cpus < 1)
        n->cpus = 1;
    n->use_userns = n->privileged;
    n->proc_options = "subset=pid,hidepid=2";
    for (i = 0; i < NATIVE_SLOTS; i++)
        n->slot_userns[i] = -1;
    n->landlock_abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, 1); /* VERSION */
    rc = tako__random(&n->uid_base, sizeof(n->uid_base), err);
    n->uid_base = PROBE_UID_FIRST + n->uid_base % (PROBE_UID_LAST - PROBE_UID_FIRST - NATIVE_SLOTS);
    if (rc != TAKO_OK || (rc = native_init_image(&n->init_fd, err)) != TAKO_OK ||
        (rc = probe_make_filter(n, err)) != TAKO_OK ||
        (rc = native_view_make(&n->view, &n->host, n->rootfs, n->privileged, err)) != TAKO_OK ||
        (rc = native_cgroups_open(&n->cgroups, &n->host, n->cgroup, err)) != TAKO_OK)
        return rc;
    return TAKO_OK;
}

/* A layer of a job that asked for what `weaker` says. */
static void probe_layer_text(const struct native *n, int layer, int weaker, char *out, size_t size)
{
    static const char *const state[] = {"off", "weaker", "on"};
    const struct native_layer_note *note = &n->layer[layer];

    if (layer == PROBE_NET_NS && (weaker & NATIVE_WITH_NETWORK))
        snprintf(out, size, "off: the job type has network: it is the host's");
    else if (layer == PROBE_FILES && (weaker & NATIVE_WITH_SHARED) && note->state == TAKO_LAYER_ON)
        snprintf(out, size,
                 "weaker: the job has mounts that are shared with the host: locks on "
                 "their files are seen by others");
    else
        snprintf(out, size, "%s%s%s", state[note->state], note->state == TAKO_LAYER_ON ? "" : ": ",
                 note->state == TAKO_LAYER_ON ? "" : note->detail);
}

static int probe_isolation_text(struct native *n, tako_error *err)
{
    struct tako__buf b;
    char text[320];
    int i, weaker;

    for (weaker = 0; weaker < NATIVE_ISOLATIONS; weaker++) {
        tako__buf_init(&b, &n->host);
        for (i = 0; i < NATIVE_LAYERS; i++) {
            probe_layer_text(n, i, weaker, text, sizeof(text));
            tako__buf_printf(&b, "%s\"%s\":", i ? "," : "{", probe_name[i]);
            tako__buf_json(&b, text, strlen(text));
        }
        tako__buf_puts(&b, "}");
        n->isolation[weaker] = tako__buf_take(&b);
        if (!n->isolation[weaker])
            return tako__nomem(err);
    }
    return TAKO_OK;
}

/* In strict mode a required layer that is not on is a refusal; a Landlock that lacks newer rights
 * is all that this kernel has. */
static void probe_judge(struct native *n)
{
    int i;

    for (i = 0; i < NATIVE_LAYERS && n->usable; i++)
        if (n->layer[i].required && n->layer[i].state != TAKO_LAYER_ON && i != PROBE_LANDLOCK &&
            n->security == TAKO_STRICT) {
            n->usable = false;
            snprintf(n->refusal, sizeof(n->refusal),
                     "strict mode refuses to run jobs without the layer %s (%s)", probe_name[i],
                     n->layer[i].detail);
        }
}

static bool probe_shortage(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOMEM;
}

int native_probe(struct native *n, tako_error *err)
{
    tako_error why;
    int step = NATIVE_STEP_NONE, error = 0, index = -1, rc;

    if (n->prepared)
        return TAKO_OK;
    n->prepared = true;
    memset(&why, 0, sizeof(why));
    rc = probe_prepare(n, &why);
    probe_note_all(n);
    n->refusal[0] = '\0';
    if (rc == TAKO_OK) {
        do
            rc = probe_once(n, &step, &error, &index, &why);
        while (rc == TAKO_OK ? error != 0 && (probe_give_up(n, step, error, index) ||
                                              probe_go_bare(n, step, error, &why))
                             : probe_give_up_slot(n, &why));
    }
    if (rc == TAKO_ENOMEM || probe_shortage(rc == TAKO_OK ? error : why.os_errno)) {
        native_forget(n); /* says nothing of what this host can do: probed again next time */
        if (rc == TAKO_OK)
            return tako__fail_errno(err, TAKO_ESYS, error, "trying the sandbox out: %s",
                                    native_step_text(step));
        return tako__fail(err, rc, "trying the sandbox out: %s", why.message);
    }
    n->usable = rc == TAKO_OK && error == 0;
    if (n->refusal[0]) /* said already */
        ;
    else if (rc != TAKO_OK)
        snprintf(n->refusal, sizeof(n->refusal), "no sandbox can be made here: %.400s",
                 why.message);
    else if (error != 0)
        snprintf(n->refusal, sizeof(n->refusal), "no sandbox can be made here: %s: %s; %s",
                 native_step_text(step), strerror(error), probe_remedy(step, error));
    probe_judge(n);
    if (!n->usable)
        tako__log(&n->host, TAKO_LOG_WARN, "native", "%s", n->refusal);
    if (n->usable)
        native_pool_start(n);
    return probe_isolation_text(n, err);
}
