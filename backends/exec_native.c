/* exec_native.c - the native sandbox as an executor: runs one attempt, captures what it writes,
 * keeps its deadline, kills it, judges its end from kernel facts, collects its artifacts. The rooms
 * it is built from are listed in exec_native.h. Linux 5.12 or newer; no root needed.
 * SPDX-License-Identifier: MIT */
#include "exec_native.h"
#include "exec_native_sys.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define RUN_READ_SIZE 65536
#define RUN_SETUP_LIMIT_US 20000000 /* from the clone to the program's start */
#define RUN_KILL_LIMIT_US 1000000   /* for init to kill and count, before it is killed itself */
#define RUN_REST_US 250             /* between two reads of a flood; of a thin one longer */
#define RUN_X32_BIT 0x40000000      /* __X32_SYSCALL_BIT */
#define RUN_CPU_STEP_US 1000        /* between two looks at the CPU time, at least */

/* The state of one attempt while its sandbox lives. */
struct run {
    struct native *n;
    const struct tako__task *task;
    const struct tako__sink *sink;
    struct native_box box;
    struct native_status started, ended, failed; /* kind 0 = not seen */
    tako_verdict cause; /* why we killed it; recorded before acting. NONE = we did not */
    char reason[160];   /* of a violation */
    bool over;          /* it has ended or was told to: init has until the deadline to be gone */
    int64_t begin_us, deadline_us; /* CLOCK_MONOTONIC */
    int64_t cpu_next_us;           /* when the limit of CPU time can be reached at the earliest */
    int64_t rest_us;               /* output is left in the pipes until then */
    int64_t seen[2];               /* bytes of stdout and stderr */
    char *buffer;
};

/* ---- open, close, report --------------------------------------------------------------------- */

void native_forget(struct native *n)
{
    int i;

    native_pool_stop(n);
    for (i = 0; n->prepared && i < NATIVE_SLOTS; i++)
        tako__close_fd(&n->slot_userns[i]);
    tako__close_fd(&n->init_fd);
    native_cgroups_close(&n->cgroups, &n->host);
    native_view_free(&n->view, &n->host);
    native_bare_close(n);
    for (i = 0; i < 2; i++) {
        tako__free(&n->host, n->filter[i].bpf);
        n->filter[i].bpf = NULL;
    }
    for (i = 0; i < NATIVE_ISOLATIONS; i++) {
        tako__free(&n->host, n->isolation[i]);
        n->isolation[i] = NULL;
    }
    n->prepared = n->usable = false;
}

static void native_close(void *self)
{
    struct native *n = self;

    if (!n)
        return;
    native_forget(n);
    tako__free(&n->host, n->rootfs);
    tako__free(&n->host, n->interpreter);
    tako__free(&n->host, n->cgroup);
    pthread_mutex_destroy(&n->lock);
    pthread_mutex_destroy(&n->first);
    tako__free(&n->host, n);
}

static int native_copy(struct native *n, char **to, const char *from, const char *what,
                       bool absolute, tako_error *err)
{
    if (!from)
        return TAKO_OK;
    if (absolute && from[0] != '/')
        return tako__fail(err, TAKO_EINVAL, "options.%s must be an absolute path, not \"%.100s\"",
                          what, from);
    if (strlen(from) >= 4000)
        return tako__fail(err, TAKO_EINVAL, "options.%s is longer than 4000 bytes", what);
    *to = tako__strdup(&n->host, from);
    return *to ? TAKO_OK : tako__nomem(err);
}

static int native_open(void **self, const tako_host *host, const tako_options *opts,
                       tako_error *err)
{
    static const tako_limits standard = TAKO_LIMITS_INIT;
    struct native *n = tako__alloc(host, sizeof(*n));
    struct stat st;
    int rc;

    if (!n)
        return tako__nomem(err);
    n->host = *host;
    n->init_fd = n->bare_fd = -1;
    n->security = opts->security;
    n->limits = opts->limits ? *opts->limits : standard;
    pthread_mutex_init(&n->first, NULL);
    pthread_mutex_init(&n->lock, NULL);
    if ((rc = native_copy(n, &n->rootfs, opts->rootfs, "rootfs", true, err)) != TAKO_OK ||
        (rc = native_copy(n, &n->interpreter, opts->interpreter, "interpreter", true, err)) !=
            TAKO_OK ||
        (rc = native_copy(n, &n->cgroup, opts->cgroup, "cgroup", true, err)) != TAKO_OK)
        goto out;
    if (n->rootfs && stat(n->rootfs, &st) < 0)
        rc = tako__fail_errno(err, TAKO_EINVAL, errno, "options.rootfs %s", n->rootfs);
    else if (n->rootfs && !S_ISDIR(st.st_mode))
        rc = tako__fail(err, TAKO_EINVAL, "options.rootfs %s is not a directory", n->rootfs);
out:
    if (rc != TAKO_OK) {
        native_close(n);
        return rc;
    }
    *self = n;
    return TAKO_OK;
}

/* Finds the interpreter as the job would, without leaving a given root. */
static int native_check_interpreter(const struct native *n, tako_error *err)
{
    struct {
        uint64_t flags, mode, resolve;
    } how = {O_PATH | O_CLOEXEC, 0, 0x10 /* RESOLVE_IN_ROOT */};
    const char *path = n->interpreter ? n->interpreter : NATIVE_INTERPRETER;
    const char *root = n->rootfs ? n->rootfs : "/";
    int dir = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC), error = 0;
    long fd;

    fd = dir < 0 ? -1 : syscall(SYS_openat2, dir, path, &how, sizeof(how));
    if (fd < 0)
        error = errno;
    else
        close((int)fd);
    if (dir >= 0)
        close(dir);
    if (error == EMFILE || error == ENFILE || error == ENOMEM)
        return tako__fail_errno(err, TAKO_ESYS, error, "looking for the interpreter %s", path);
    if (error)
        return tako__fail(err, TAKO_EEXEC,
                          "the interpreter %s is not in %s (%s): install it there or set "
                          "options.interpreter",
                          path, root, strerror(error));
    return TAKO_OK;
}

/* Whether there is a sandbox, whatever runs in it. */
static int native_check_sandbox(struct native *n, tako_error *err)
{
    sigset_t all, before;
    bool fresh;
    int rc;

    pthread_mutex_lock(&n->first); /* who asks meanwhile waits for the answer */
    pthread_mutex_lock(&n->lock);
    fresh = !n->prepared;
    if (fresh) { /* the dry run waits in calls that a profiler's signals would interrupt */
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
    }
    rc = native_probe(n, err);
    if (fresh)
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc == TAKO_OK && !n->usable)
        rc = tako__fail(err, TAKO_EEXEC, "%s", n->refusal);
    pthread_mutex_unlock(&n->lock);
    pthread_mutex_unlock(&n->first);
    return rc;
}

static int native_check(void *self, tako_error *err)
{
    int rc = native_check_sandbox(self, err);

    return rc == TAKO_OK ? native_check_interpreter(self, err) : rc;
}

static int native_report(void *self, tako_layer_fn *each, void *ctx, tako_error *err)
{
    struct native *n = self;
    tako_layer layer;
    int i, rc = native_check(n, err);

    if (rc != TAKO_OK && rc != TAKO_EEXEC)
        return rc;
    for (i = 0; i < NATIVE_LAYERS; i++) {
        layer.name = native_layer_name(i);
        layer.state = n->layer[i].state;
        layer.required = n->layer[i].required;
        layer.detail = n->layer[i].detail;
        if (each && each(ctx, &layer) != 0)
            return TAKO_OK;
    }
    return rc;
}

/* ---- the watch: until nothing of the job lives and everything it wrote was read -------------- */

static void run_over(struct run *r)
{
    if (!r->over)
        r->deadline_us = tako__mono_us() + RUN_KILL_LIMIT_US;
    r->over = true;
}

static void run_read_status(struct run *r)
{
    struct native_status status;

    while (read(r->box.status[0], &status, sizeof(status)) == (ssize_t)sizeof(status)) {
        if (status.kind == NATIVE_STATUS_STARTED && !r->started.kind) {
            r->started = status;
            if (!r->over)
                r->deadline_us = status.at_ns / 1000 + r->task->timeout_ms * 1000;
        } else if (status.kind == NATIVE_STATUS_FAILED && !r->failed.kind) {
            r->failed = status;
            run_over(r);
        } else if (!r->ended.kind) {
            r->ended = status;
            run_over(r);
        }
    }
}

/* A cause is recorded once, and only when the program has not ended by itself before. */
static void run_stop(struct run *r, tako_verdict cause)
{
    struct pollfd dead = {r->box.pidfd, POLLIN, 0};

    run_read_status(r);
    if (r->over || (cause == TAKO_VERDICT_SETUP && r->started.kind))
        return; /* at the last moment */
    run_over(r);
    if (poll(&dead, 1, 0) > 0)
        return; /* somebody else killed it */
    r->cause = cause;
    native_box_end(&r->box);
}

/* One read; true while more may come. */
static bool run_read_stream(struct run *r, int stream, int *fd)
{
    ssize_t got = read(*fd, r->buffer, RUN_READ_SIZE);
    int64_t limit = r->task->output_kill_bytes;
    int64_t kept = stream == 1 ? r->n->limits.stdout_bytes : r->n->limits.stderr_bytes;

    if (got > 0) {
        r->sink->write(r->sink->ctx, stream, r->buffer, (size_t)got);
        r->seen[stream - 1] += got;
        if (limit && r->seen[stream - 1] > limit)
            run_stop(r, TAKO_VERDICT_OUTPUT);
        /* What no record keeps is only counted: a flood is let come in gulps, so that it does not
         * cost its neighbours a CPU. */
        if (r->seen[stream - 1] > kept)
            r->rest_us = tako__mono_us() +
                         (got < RUN_READ_SIZE / 4 ? 4 * RUN_REST_US : RUN_REST_US);
        return true;
    }
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return errno == EINTR;
    tako__close_fd(fd);
    return false;
}

static const char *run_abi_name(const struct seccomp_data *data)
{
    if (data->arch == AUDIT_ARCH_I386)
        return "i386";
    if (data->arch == AUDIT_ARCH_ARM)
        return "arm";
    return data->nr & RUN_X32_BIT ? "x32" : "unknown";
}

/* A call of a foreign ABI waits in the kernel until its process is killed. */
static void run_violation(struct run *r)
{
    union {
        struct seccomp_notif notice;
        char room[1024]; /* the kernel's own may be longer than the header's */
    } u;

    memset(&u, 0, sizeof(u));
    if (ioctl(r->box.notify_fd, SECCOMP_IOCTL_NOTIF_RECV, &u) < 0)
        return; /* its process died meanwhile */
    if (!r->over)
        snprintf(r->reason, sizeof(r->reason), "System call %d of a foreign ABI (%s)",
                 u.notice.data.nr & ~RUN_X32_BIT, run_abi_name(&u.notice.data));
    run_stop(r, TAKO_VERDICT_VIOLATION);
}

static int64_t run_cpu_us(const struct run *r)
{
    int64_t used = native_group_cpu_us(&r->box.group);

    return used >= 0 ? used : native_tree_cpu_us(&r->n->host, r->box.pid);
}

/* Kills at a limit that is reached by `now`, and says when to look again, with nothing happening
 * before. The limit of CPU time cannot be reached before all CPUs together have used what is left
 * of it. */
static int64_t run_check_time(struct run *r, int64_t now)
{
    int64_t next, left;

    if (now >= r->deadline_us && r->over) {
        native_box_kill(&r->box);
        return now + RUN_KILL_LIMIT_US;
    }
    if (now >= r->deadline_us)
        run_stop(r, r->started.kind ? TAKO_VERDICT_WALL : TAKO_VERDICT_SETUP);
    if (!r->over && r->started.kind && r->task->cpu_timeout_ms && now >= r->cpu_next_us) {
        left = r->task->cpu_timeout_ms * 1000 - run_cpu_us(r);
        if (left <= 0)
            run_stop(r, TAKO_VERDICT_CPU);
        left /= r->n->cpus;
        r->cpu_next_us = now + (left > RUN_CPU_STEP_US ? left : RUN_CPU_STEP_US);
    }
    next = r->deadline_us;
    if (!r->over && r->cpu_next_us && r->cpu_next_us < next)
        next = r->cpu_next_us;
    return r->rest_us > now && r->rest_us < next ? r->rest_us : next;
}

static void run_watch(struct run *r)
{
    enum { DEAD, STATUS, OUT, ERRS, CANCEL, MEMORY, SOCK, NOTIFY, COUNT };
    struct pollfd watch[COUNT];
    struct timespec left;
    int64_t us, now;
    int i, ready;

    for (;;) {
        now = tako__mono_us();
        us = run_check_time(r, now) - now;
        watch[DEAD].fd = r->box.pidfd;
        watch[STATUS].fd = r->box.status[0];
        watch[OUT].fd = r->rest_us > now ? -1 : r->box.out[0];
        watch[ERRS].fd = r->rest_us > now ? -1 : r->box.errs[0];
        watch[CANCEL].fd = r->over ? -1 : r->task->cancel_fd;
        watch[MEMORY].fd = r->over || !r->box.has_group ? -1 : r->box.group.oom_fd;
        watch[SOCK].fd = r->box.sock[0];
        watch[NOTIFY].fd = r->over ? -1 : r->box.notify_fd;
        for (i = 0; i < COUNT; i++) {
            watch[i].events = POLLIN;
            watch[i].revents = 0;
        }
        left.tv_sec = us / 1000000;
        left.tv_nsec = us % 1000000 * 1000;
        ready = ppoll(watch, COUNT, &left, NULL);
        if (ready < 0)
            continue;
        if (watch[STATUS].revents & POLLIN)
            run_read_status(r);
        else if (watch[STATUS].revents)
            tako__close_fd(&r->box.status[0]);
        if (watch[OUT].revents)
            run_read_stream(r, 1, &r->box.out[0]);
        if (watch[ERRS].revents)
            run_read_stream(r, 2, &r->box.errs[0]);
        if (watch[CANCEL].revents)
            run_stop(r, TAKO_VERDICT_CANCELLED);
        if (watch[MEMORY].revents && native_group_at_limit(&r->box.group))
            run_stop(r, TAKO_VERDICT_OOM);
        if (watch[SOCK].revents)
            native_box_receive_notify(&r->box);
        if (watch[NOTIFY].revents & POLLIN)
            run_violation(r);
        else if (watch[NOTIFY].revents)
            tako__close_fd(&r->box.notify_fd); /* nobody is left who could be heard of */
        if (watch[DEAD].revents)
            break;
    }
    while (r->box.out[0] >= 0 && run_read_stream(r, 1, &r->box.out[0]))
        ;
    while (r->box.errs[0] >= 0 && run_read_stream(r, 2, &r->box.errs[0]))
        ;
    if (r->box.status[0] >= 0)
        run_read_status(r);
    native_box_reap(&r->box);
}

/* ---- the judgement --------------------------------------------------------------------------- */

/* What a step was about, when it was about one part of the root. */
static void run_detail(const struct run *r, int step, char *out, size_t size)
{
    size_t index = (size_t)r->box.child.failed_index, own = r->n->view.count;
    const struct native_item *item;

    *out = '\0';
    if (r->box.child.failed_index < 0 || step > NATIVE_STEP_TMPFS)
        return;
    if (index < own) {
        item = &r->n->view.items[index];
        if (step == NATIVE_STEP_BIND && item->src)
            snprintf(out, size, " %.150s", item->src);
    } else if (index - own < r->box.n_files + r->box.n_mounts) {
        item = &r->box.items[index - own];
        if (item->kind == NATIVE_ITEM_OVERLAY || item->kind == NATIVE_ITEM_BIND)
            snprintf(out, size, " (mounts: %.150s at /%.150s)", item->src, item->dst);
        else if (item->kind == NATIVE_ITEM_PLACE)
            snprintf(out, size, " (mounts: a place at /%.150s)", item->dst);
    }
}

static void run_setup_failed(const struct run *r, int step, int error, struct tako__outcome *out)
{
    char detail[340];

    out->verdict = TAKO_VERDICT_SETUP;
    out->retryable = error == EAGAIN || error == ENOMEM || error == EBUSY || error == ENFILE ||
                     error == EMFILE;
    run_detail(r, step, detail, sizeof(detail));
    if (step == NATIVE_STEP_EXEC)
        snprintf(out->message, sizeof(out->message),
                 "The %s %.300s cannot be executed in the sandbox: %s",
                 r->task->command ? "command" : "interpreter",
                 r->task->command    ? r->task->command[0]
                 : r->n->interpreter ? r->n->interpreter
                                     : NATIVE_INTERPRETER,
                 strerror(error));
    else
        snprintf(out->message, sizeof(out->message), "The sandbox could not be set up: %s%s: %s",
                 native_step_text(step), detail, strerror(error));
}

/* The kernel killed for want of memory: whose? Where processes wait at the job's own limit
 * (native_group.oom_fd) it never kills for that one. */
static tako_verdict run_oom(const struct run *r, const struct native_usage *usage)
{
    return r->box.group.oom_fd < 0 && usage->limit_hits > 0 ? TAKO_VERDICT_OOM
                                                            : TAKO_VERDICT_HOST_OOM;
}

/* The stream that the job wrote more to than it may; 0 = none. */
static int run_excess(const struct run *r)
{
    int64_t limit = r->task->output_kill_bytes;

    return !limit ? 0 : r->seen[0] > limit ? 1 : r->seen[1] > limit ? 2 : 0;
}

static void run_judge(struct run *r, struct tako__outcome *out)
{
    struct native_usage usage;
    int excess = run_excess(r);
    bool own_end;

    native_group_read(&r->box.group, &usage);
    out->peak_bytes = usage.peak_bytes;
    out->cpu_us = usage.cpu_us;
    out->oom_kills = usage.oom_kills < 0 ? 0 : usage.oom_kills;
    out->pids_peak = usage.pids_peak;
    out->pids_hits = usage.pids_hits;
    out->throttled_us = usage.throttled_us;
    if (r->ended.kind)
        out->survivors = r->ended.survivors;
    out->memory_by_rlimit = !r->n->cgroups.dir[NATIVE_MEMORY];
    if (r->ended.kind && out->cpu_us < 0)
        out->cpu_us = r->ended.cpu_us;
    if (r->ended.kind && out->peak_bytes < 0)
        out->peak_bytes = r->ended.max_rss_kb * 1024;
    if (r->started.kind) {
        out->setup_us = r->started.at_ns / 1000 - r->begin_us;
        out->wall_us = (r->ended.kind ? r->ended.at_ns / 1000 : tako__mono_us()) -
                       r->started.at_ns / 1000;
    }
    own_end = r->ended.kind == NATIVE_STATUS_ENDED;
    if (r->failed.kind) {
        out->wall_us = out->setup_us = -1;
        run_setup_failed(r, r->failed.step, r->failed.error, out);
        if (r->started.kind && r->failed.step < NATIVE_STEP_SECCOMP)
            out->retryable = false; /* init failed, and the program may have begun */
    } else if (own_end && !r->started.kind) {
        run_setup_failed(r, NATIVE_STEP_STDIO, EPROTO, out);
    } else if (excess && (own_end || r->cause == TAKO_VERDICT_OUTPUT)) {
        out->verdict = TAKO_VERDICT_OUTPUT; /* also of a program that ended before it was killed */
        snprintf(out->message, sizeof(out->message), "Output exceeded limit (%lld bytes of %s)",
                 (long long)r->task->output_kill_bytes, excess == 1 ? "stdout" : "stderr");
    } else if (own_end && WIFEXITED(r->ended.wait_status)) {
        out->verdict = TAKO_VERDICT_EXIT;
        out->exit_code = WEXITSTATUS(r->ended.wait_status);
    } else if (own_end) {
        out->signal = WTERMSIG(r->ended.wait_status);
        out->verdict = out->signal == SIGKILL && out->oom_kills > 0 ? run_oom(r, &usage)
                                                                    : TAKO_VERDICT_SIGNAL;
    } else if (r->cause == TAKO_VERDICT_SETUP) {
        run_setup_failed(r, NATIVE_STEP_INIT_FORK, ETIMEDOUT, out);
        out->retryable = true;
    } else if (r->cause != TAKO_VERDICT_NONE) {
        out->verdict = r->cause;
        snprintf(out->message, sizeof(out->message), "%s", r->reason);
    } else if (r->started.kind) { /* init itself was killed, by somebody outside */
        out->verdict = out->oom_kills > 0 ? run_oom(r, &usage) : TAKO_VERDICT_SIGNAL;
        out->signal = SIGKILL;
    } else {
        run_setup_failed(r, NATIVE_STEP_INIT_MAP, EPROTO, out);
    }
}

static int native_run(void *self, const struct tako__task *task, const struct tako__sink *sink,
                      struct tako__outcome *out)
{
    static const struct tako__outcome fresh = TAKO__OUTCOME_INIT;
    struct run r;
    tako_error err;
    int step, error, rc;

    *out = fresh;
    memset(&r, 0, sizeof(r));
    memset(&err, 0, sizeof(err));
    r.n = self;
    r.task = task;
    r.sink = sink;
    r.begin_us = tako__mono_us();
    r.deadline_us = r.begin_us + RUN_SETUP_LIMIT_US;
    /* A program of its own is looked for by executing it, in the new root. */
    rc = task->command ? native_check_sandbox(r.n, &err) : native_check(r.n, &err);
    out->isolation = r.n->isolation[task->network ? NATIVE_WITH_NETWORK : 0];
    r.buffer = rc == TAKO_OK ? tako__alloc(&r.n->host, RUN_READ_SIZE) : NULL;
    if (rc == TAKO_OK && !r.buffer)
        rc = tako__nomem(&err);
    if (rc == TAKO_OK && task->cpu_timeout_ms && !r.n->cgroups.dir[NATIVE_CPUACCT] &&
        native_tree_cpu_us(&r.n->host, getpid()) < 0)
        rc = tako__fail(&err, TAKO_EEXEC,
                        "a limit of CPU time cannot be kept here: no cgroup counts it, and /proc "
                        "does not show this process");
    if (rc == TAKO_OK)
        rc = native_task_check(r.n, task, &err);
    if (rc == TAKO_OK)
        rc = native_box_prepare(&r.box, r.n, task, &err);
    if (rc != TAKO_OK) {
        out->verdict = TAKO_VERDICT_SETUP;
        out->retryable = rc == TAKO_ESYS || rc == TAKO_ENOMEM || rc == TAKO_EFULL;
        snprintf(out->message, sizeof(out->message), "%s", err.message);
        goto out;
    }
    if (native_box_spawn(&r.box, &step, &error) == 0) {
        out->isolation = r.n->isolation[r.box.weaker];
        run_watch(&r);
        run_judge(&r, out);
        if (out->verdict != TAKO_VERDICT_SETUP)
            native_collect(&r.n->host, r.box.output_fd, sink);
    } else {
        run_setup_failed(&r, step, error, out);
    }
    native_box_release(&r.box);
out:
    tako__free(&r.n->host, r.buffer);
    return rc == TAKO_ENOMEM ? TAKO_ENOMEM : TAKO_OK;
}

static const struct tako__exec_ops native_ops = {"native",     native_open, native_close,
                                                 native_check, native_run,  native_report};

const struct tako__exec_ops *tako__exec_native(void)
{
    return &native_ops;
}

#undef RUN_READ_SIZE
#undef RUN_SETUP_LIMIT_US
#undef RUN_KILL_LIMIT_US
#undef RUN_CPU_STEP_US
#undef RUN_REST_US
#undef RUN_X32_BIT
