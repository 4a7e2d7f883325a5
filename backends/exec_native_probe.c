/* exec_native_probe.c - what this host can do, found out by doing it: one sandbox is made in which
 * init's child takes every step and exits instead of executing a program. Optional layers that the
 * kernel refuses are switched off with the reason; anything else that fails makes the executor
 * unusable, with what failed and what to do.
 * SPDX-License-Identifier: MIT */
#include "exec_native.h"
#include "exec_native_sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

/* Host ids for jobs lie in here, above every range in use by convention (systemd, UIDS-GIDS). */
#define PROBE_UID_FIRST 0x70000000u
#define PROBE_UID_LAST 0x77fffffeu

enum probe_layer {
    PROBE_USER_NS,
    PROBE_MOUNT_NS,
    PROBE_PID_NS,
    PROBE_NET_NS,
    PROBE_IPC_NS,
    PROBE_UTS_NS,
    PROBE_CGROUP_NS,
    PROBE_ROOT,
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

static const char *const probe_name[NATIVE_LAYERS] = {
    "user_namespace", "mount_namespace", "pid_namespace",    "network_namespace",
    "ipc_namespace",  "uts_namespace",   "cgroup_namespace", "root_filesystem",
    "proc",           "capabilities",    "no_new_privs",     "seccomp",
    "landlock",       "session_keyring", "memory_limit",     "pids_limit",
    "cpu_limit",      "resource_limits"};

static const char *const probe_step[NATIVE_STEP_COUNT] = {
    [NATIVE_STEP_NONE] = "starting init",
    [NATIVE_STEP_NETNS] = "joining a fresh network namespace",
    [NATIVE_STEP_IDMAP] = "mapping user and group ids",
    [NATIVE_STEP_PRIVATE] = "making the mounts private",
    [NATIVE_STEP_BIND] = "binding a part of the root file system",
    [NATIVE_STEP_ROOT] = "mounting the new root",
    [NATIVE_STEP_FILE] = "creating a file in the new root",
    [NATIVE_STEP_TMPFS] = "mounting /tmp, /output and /dev/shm",
    [NATIVE_STEP_PROC] = "mounting /proc",
    [NATIVE_STEP_OUTPUT_FD] = "keeping /output open",
    [NATIVE_STEP_PIVOT] = "changing the root",
    [NATIVE_STEP_LANDLOCK_RULE] = "adding a Landlock rule",
    [NATIVE_STEP_READONLY] = "making the root read-only",
    [NATIVE_STEP_HOSTNAME] = "setting the host name",
    [NATIVE_STEP_FDS] = "closing the host's descriptors",
    [NATIVE_STEP_AMBIENT] = "keeping two capabilities for init",
    [NATIVE_STEP_INIT_EXEC] = "executing init",
    [NATIVE_STEP_INIT_MAP] = "reading init's plan",
    [NATIVE_STEP_INIT_FORK] = "starting the job's process",
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
    [NATIVE_STEP_STDIO] = "connecting the standard streams",
    [NATIVE_STEP_SECCOMP] = "installing the seccomp filter",
    [NATIVE_STEP_EXEC] = "executing the interpreter",
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

/* A root host has the capabilities to set ids and mounts without a user namespace. */
static bool probe_privileged(void)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {{0, 0, 0}, {0, 0, 0}};
    uint32_t needed = (1u << CAP_SYS_ADMIN) | (1u << CAP_SETUID) | (1u << CAP_SETGID) |
                      (1u << CAP_SETPCAP) | (1u << CAP_KILL) | (1u << CAP_DAC_OVERRIDE) |
                      (1u << CAP_FOWNER);

    return geteuid() == 0 && syscall(SYS_capget, &header, data) == 0 &&
           (data[0].effective & needed) == needed && probe_maps_ids();
}

/* One dry run; 0 when every step succeeded. */
static int probe_once(struct native *n, int *step, int *error, tako_error *err)
{
    struct native_status status[2];
    struct native_box box;
    struct pollfd watch;
    ssize_t got;
    int rc;

    *step = NATIVE_STEP_NONE;
    *error = 0;
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

/* Switches off what `step` was for, when that is optional; false when it is not. */
static bool probe_give_up(struct native *n, int step, int error)
{
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
    if (step == NATIVE_STEP_PROC && *n->proc_options && error == EINVAL) {
        n->proc_options = "";
        probe_note(n, PROBE_PROC, TAKO_LAYER_WEAKER, false,
                   "this kernel lacks subset=pid (Linux 5.8): the whole of /proc is visible, "
                   "read-only where it matters");
        return true;
    }
    return false;
}

static const char *probe_remedy(const struct native *n, int step, int error)
{
    if (step == NATIVE_STEP_IDMAP && prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) != 1)
        return "this process changed its user and is not dumpable, so it may not map ids: call "
               "prctl(PR_SET_DUMPABLE, 1) after dropping privileges";
    if ((step == NATIVE_STEP_CLONE || step == NATIVE_STEP_IDMAP) && !n->privileged)
        return "allow user namespaces for this user: sysctl user.max_user_namespaces, "
               "kernel.unprivileged_userns_clone=1 (Debian), "
               "kernel.apparmor_restrict_unprivileged_userns=0 (Ubuntu); or run as root";
    if (error == ENOSYS)
        return "Linux 5.12 or newer is needed";
    if (step == NATIVE_STEP_INIT_EXEC)
        return "see sysctl vm.memfd_noexec, and whether a policy forbids executing memfds";
    if (step == NATIVE_STEP_PROC || step == NATIVE_STEP_PRIVATE || step == NATIVE_STEP_CLONE)
        return "a container that is to run jobs must be allowed to mount and to create namespaces";
    return "see `tako doctor`";
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
    probe_note(n, PROBE_PROC, TAKO_LAYER_ON, false, "own processes only (subset=pid, hidepid)");
    probe_note(n, PROBE_CAPABILITIES, TAKO_LAYER_ON, true, "none, and an empty bounding set");
    probe_note(n, PROBE_NNP, TAKO_LAYER_ON, true, "set");
    probe_note(n, PROBE_SECCOMP, TAKO_LAYER_ON, true, "%zu instructions, allow list", n->n_insns);
    if (n->landlock_abi > 0)
        probe_note(n, PROBE_LANDLOCK, n->landlock_abi >= 6 ? TAKO_LAYER_ON : TAKO_LAYER_WEAKER,
                   true, "ABI %d%s", n->landlock_abi,
                   n->landlock_abi >= 6 ? "" : ": no scoping of signals and abstract sockets");
    else
        probe_note(n, PROBE_LANDLOCK, TAKO_LAYER_OFF, false,
                   "this kernel has it not, or not enabled (Linux 5.13, boot option lsm=)");
    probe_note(n, PROBE_CGROUP_NS, TAKO_LAYER_ON, false, "new for each job");
    probe_note(n, PROBE_KEYRING, TAKO_LAYER_ON, false, "new for each job");
    probe_note(n, PROBE_RLIMITS, TAKO_LAYER_ON, true,
               "core 0, open files %d, file size %d MiB, locked memory 0", NATIVE_NOFILE,
               NATIVE_FSIZE_BYTES / 1048576);
    probe_note_limits(n);
}

static int probe_prepare(struct native *n, tako_error *err)
{
    struct native_seccomp_rules rules = {false, false};
    int i, rc;

    n->privileged = probe_privileged();
    n->use_keyring = n->use_cgroup_ns = true;
    n->use_userns = n->privileged;
    n->proc_options = "subset=pid,hidepid=2";
    for (i = 0; i < NATIVE_SLOTS; i++)
        n->slot_userns[i] = -1;
    n->landlock_abi = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, 1); /* VERSION */
    rc = tako__random(&n->uid_base, sizeof(n->uid_base), err);
    n->uid_base = PROBE_UID_FIRST + n->uid_base % (PROBE_UID_LAST - PROBE_UID_FIRST - NATIVE_SLOTS);
    if (rc != TAKO_OK || (rc = native_init_image(&n->init_fd, err)) != TAKO_OK ||
        (rc = native_seccomp_make(&n->host, &rules, &n->bpf, &n->n_insns, err)) != TAKO_OK ||
        (rc = native_view_make(&n->view, &n->host, n->rootfs, err)) != TAKO_OK ||
        (rc = native_cgroups_open(&n->cgroups, &n->host, n->cgroup, err)) != TAKO_OK)
        return rc;
    return TAKO_OK;
}

static int probe_isolation_text(struct native *n, tako_error *err)
{
    static const char *const state[] = {"off", "weaker", "on"};
    struct tako__buf b;
    char text[320];
    int i;

    tako__buf_init(&b, &n->host);
    for (i = 0; i < NATIVE_LAYERS; i++) {
        tako__buf_printf(&b, "%s\"%s\":", i ? "," : "{", probe_name[i]);
        snprintf(text, sizeof(text), "%s%s%s", state[n->layer[i].state],
                 n->layer[i].state == TAKO_LAYER_ON ? "" : ": ",
                 n->layer[i].state == TAKO_LAYER_ON ? "" : n->layer[i].detail);
        tako__buf_json(&b, text, strlen(text));
    }
    tako__buf_puts(&b, "}");
    n->isolation = tako__buf_take(&b);
    return n->isolation ? TAKO_OK : tako__nomem(err);
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
    int step = NATIVE_STEP_NONE, error = 0, rc;

    if (n->prepared)
        return TAKO_OK;
    n->prepared = true;
    memset(&why, 0, sizeof(why));
    rc = probe_prepare(n, &why);
    probe_note_all(n);
    if (rc == TAKO_OK) {
        do
            rc = probe_once(n, &step, &error, &why);
        while (rc == TAKO_OK && error != 0 && probe_give_up(n, step, error));
        if (rc != TAKO_OK && n->use_userns && strstr(why.message, "user namespace")) {
            n->use_userns = false;
            probe_note(n, PROBE_USER_NS, TAKO_LAYER_OFF, true,
                       "%.120s; jobs would be uid 1000 of the host", why.message);
            do
                rc = probe_once(n, &step, &error, &why);
            while (rc == TAKO_OK && error != 0 && probe_give_up(n, step, error));
        }
    }
    if (rc == TAKO_ENOMEM || probe_shortage(rc == TAKO_OK ? error : why.os_errno)) {
        native_forget(n); /* says nothing of what this host can do: probed again next time */
        if (rc == TAKO_OK)
            return tako__fail_errno(err, TAKO_ESYS, error, "trying the sandbox out: %s",
                                    native_step_text(step));
        return tako__fail(err, rc, "trying the sandbox out: %s", why.message);
    }
    n->usable = rc == TAKO_OK && error == 0;
    if (rc != TAKO_OK)
        snprintf(n->refusal, sizeof(n->refusal), "no sandbox can be made here: %.400s",
                 why.message);
    else if (error != 0)
        snprintf(n->refusal, sizeof(n->refusal), "no sandbox can be made here: %s: %s; %s",
                 native_step_text(step), strerror(error), probe_remedy(n, step, error));
    probe_judge(n);
    if (!n->usable)
        tako__log(&n->host, TAKO_LOG_WARN, "native", "%s", n->refusal);
    if (n->usable)
        native_pool_start(n);
    return probe_isolation_text(n, err);
}
