/* exec_native_task.c - what a job asks for: checked at the door, then put into the plain data that
 * the child and init work from: its files, mounts, secrets and the host's network files as items of
 * the new root, its program, arguments and environment as strings behind init's plan.
 * Whoever writes a task is trusted to name paths of the host; nothing inside is.
 * SPDX-License-Identifier: MIT */
#include "exec_native.h"
#include "exec_native_sys.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TASK_STRING_MAX 131071 /* of one argument or variable: MAX_ARG_STRLEN without its NUL */
#define TASK_INSIDE_MAX 1023
#define TASK_CPU_MAX 100000   /* per cent */
#define TASK_COPY_MAX 1048576 /* of a file of the host that is copied */
#define TASK_SECRETS "run/secrets"
#define TASK_PREFIX NATIVE_MOUNT_AT "/"

/* How names are found out, and who is trusted for them, is the host's matter where its network is
 * seen. The certificates are in the view of every job. */
static const char *const task_network_files[] = {"etc/resolv.conf", "etc/hosts",
                                                 "etc/nsswitch.conf"};

uint32_t native_task_owner(const struct native_box *box)
{
    const struct native *n = box->n;

    if (!n->privileged && !n->bare_ids)
        return 0;
    return box->slot >= 0 ? n->uid_base + (uint32_t)box->slot : 1000;
}

/* ---- at the door ----------------------------------------------------------------------------- */

static int task_check_program(const struct tako__task *task, tako_error *err)
{
    const char *fault = NULL;
    size_t i;

    if (task->file_name)
        fault = tako__artifact_name_fault(task->file_name, strlen(task->file_name));
    if (fault)
        return tako__fail(err, TAKO_EINVAL, "file_name \"%.100s\": %s", task->file_name, fault);
    if (!task->command)
        return TAKO_OK;
    if (!task->command[0] || task->command[0][0] != '/')
        return tako__fail(err, TAKO_EINVAL,
                          "command: its first word must be an absolute path in the sandbox, not "
                          "\"%.200s\"",
                          task->command[0] ? task->command[0] : "");
    for (i = 0; task->command[i]; i++)
        if (strlen(task->command[i]) > TASK_STRING_MAX)
            return tako__fail(err, TAKO_EINVAL, "command[%zu] is longer than %d bytes", i,
                              TASK_STRING_MAX);
    return TAKO_OK;
}

static int task_check_environment(const struct tako__task *task, tako_error *err)
{
    const tako_pair *pair;
    size_t i;

    for (i = 0; i < task->n_environment; i++) {
        pair = &task->environment[i];
        if (!pair->name || !*pair->name || strchr(pair->name, '=') || !pair->value)
            return tako__fail(err, TAKO_EINVAL,
                              "environment[%zu]: \"%.100s\" cannot be a variable's name, or it has "
                              "no value",
                              i, pair->name ? pair->name : "");
        if (strlen(pair->name) + strlen(pair->value) + 1 > TASK_STRING_MAX)
            return tako__fail(err, TAKO_EINVAL, "environment: %.100s is longer than %d bytes",
                              pair->name, TASK_STRING_MAX);
    }
    return TAKO_OK;
}

/* Why the job may not see anything at this path; NULL = it may. */
static const char *task_inside_fault(const char *inside)
{
    static const char *const kept[] = {"proc", "dev", "sys", "code", "input", "output"};
    const char *at;
    size_t i, len;

    if (!inside || inside[0] != '/')
        return "is not an absolute path";
    if (strlen(inside) > TASK_INSIDE_MAX)
        return "is too long";
    for (at = inside; *at; at += len) {
        at++;
        len = strcspn(at, "/");
        if (len == 0)
            return "has an empty part";
        if ((len == 1 && at[0] == '.') || (len == 2 && at[0] == '.' && at[1] == '.'))
            return "has a part \".\" or \"..\"";
    }
    len = strcspn(inside + 1, "/");
    for (i = 0; i < TAKO__LEN(kept); i++)
        if (strlen(kept[i]) == len && strncmp(inside + 1, kept[i], len) == 0)
            return "is in a directory that the sandbox keeps for itself";
    len = sizeof("/" TASK_SECRETS) - 1;
    if (strcmp(inside, "/tmp") == 0 || strcmp(inside, "/run") == 0 ||
        (strncmp(inside, "/" TASK_SECRETS, len) == 0 && (!inside[len] || inside[len] == '/')))
        return "is a directory that the sandbox keeps for itself";
    return NULL;
}

static int task_check_mounts(const struct native *n, const struct tako__task *task, tako_error *err)
{
    const struct tako__mount *mount;
    const char *fault;
    size_t i;

    if (task->n_mounts > NATIVE_MOUNTS_MAX)
        return tako__fail(err, TAKO_EINVAL, "mounts: %zu are more than %d", task->n_mounts,
                          NATIVE_MOUNTS_MAX);
    for (i = 0; i < task->n_mounts; i++) {
        mount = &task->mounts[i];
        fault = task_inside_fault(mount->inside);
        if (fault)
            return tako__fail(err, TAKO_EINVAL, "mounts[%zu]: the path inside, \"%.200s\", %s", i,
                              mount->inside ? mount->inside : "", fault);
        if (!mount->host || mount->host[0] != '/' || strlen(mount->host) >= PATH_MAX)
            return tako__fail(err, TAKO_EINVAL,
                              "mounts[%zu]: the host's path must be absolute and shorter than %d "
                              "bytes, not \"%.200s\"",
                              i, PATH_MAX, mount->host ? mount->host : "");
        if (n->bare && strcmp(mount->host, mount->inside) != 0)
            return tako__fail(err, TAKO_EEXEC,
                              "mounts[%zu]: %.150s cannot be shown as %.150s: without namespaces "
                              "jobs see the host's own paths",
                              i, mount->host, mount->inside);
    }
    return TAKO_OK;
}

static int task_check_secrets(const struct native *n, const struct tako__task *task,
                              tako_error *err)
{
    const char *name, *fault;
    size_t i, k;

    if (task->n_secrets > 0 && n->bare)
        return tako__fail(err, TAKO_EEXEC,
                          "secrets: without namespaces a job has no file system of its own that "
                          "they could be kept in");
    if (task->n_secrets > TAKO_FILES_MAX)
        return tako__fail(err, TAKO_EINVAL, "secrets: %zu are more than %d", task->n_secrets,
                          TAKO_FILES_MAX);
    for (i = 0; i < task->n_secrets; i++) {
        name = task->secrets[i].name;
        fault = tako__artifact_name_fault(name, name ? strlen(name) : 0);
        for (k = 0; k < i && !fault; k++)
            if (strcmp(task->secrets[k].name, name) == 0)
                fault = "it is there twice";
        if (fault)
            return tako__fail(err, TAKO_EINVAL, "secrets: \"%.100s\": %s", name ? name : "", fault);
    }
    return TAKO_OK;
}

static int task_check_network(const struct native *n, const struct tako__task *task,
                              tako_error *err)
{
    /* Abstract sockets belong to the network namespace, which is the host's. */
    if (task->network && n->security == TAKO_STRICT && n->landlock_abi < 6)
        return tako__fail(err, TAKO_EEXEC,
                          "network: strict mode refuses a job with network where the abstract unix "
                          "sockets of the host would be in its reach: that takes Landlock ABI 6 "
                          "(Linux 6.12), here it is %d",
                          n->landlock_abi < 0 ? 0 : n->landlock_abi);
    return TAKO_OK;
}

int native_task_check(const struct native *n, const struct tako__task *task, tako_error *err)
{
    int rc;

    if (task->cpu_percent < 0 || task->cpu_percent > TASK_CPU_MAX)
        return tako__fail(err, TAKO_EINVAL, "cpu_percent is %d, not 0 to %d", task->cpu_percent,
                          TASK_CPU_MAX);
    if ((rc = task_check_program(task, err)) != TAKO_OK ||
        (rc = task_check_environment(task, err)) != TAKO_OK ||
        (rc = task_check_mounts(n, task, err)) != TAKO_OK ||
        (rc = task_check_secrets(n, task, err)) != TAKO_OK)
        return rc;
    return task_check_network(n, task, err);
}

/* ---- items ----------------------------------------------------------------------------------- */

struct task_maker {
    struct native_box *box;
    char *at; /* where the next text goes, in the room that task_room counted */
    const char *end;
    size_t *counter; /* of the set that is being made */
};

static size_t task_parts(const char *inside)
{
    size_t parts = 0;

    for (; *inside; inside++)
        parts += *inside == '/';
    return parts;
}

/* How many items and how much text the task takes, at most. */
static void task_room(const struct native *n, const struct tako__task *task, size_t *items,
                      size_t *text)
{
    static const size_t prefix = sizeof(TASK_PREFIX "input/"),
                        secret = sizeof(TASK_PREFIX TASK_SECRETS "/");
    size_t i, parts;

    *items = 2 + task->n_files;
    *text = 2 * (prefix + 255);
    for (i = 0; i < task->n_files; i++)
        *text += prefix + strlen(task->files[i].name);
    if (task->network) {
        *items += TAKO__LEN(task_network_files);
        *text += TAKO__LEN(task_network_files) * (prefix + 32 + (n->rootfs ? PATH_MAX : 0));
    }
    for (i = 0; i < task->n_mounts; i++) {
        parts = task_parts(task->mounts[i].inside);
        *items += parts + 1;
        *text += (parts + 1) * (sizeof(TASK_PREFIX) + strlen(task->mounts[i].inside)) +
                 strlen(task->mounts[i].host) + 1;
    }
    if (task->n_secrets > 0) {
        *items += task->n_secrets + 3;
        *text += 3 * secret + 96;
        for (i = 0; i < task->n_secrets; i++)
            *text += secret + strlen(task->secrets[i].name);
    }
}

static char *task_text(struct task_maker *m, const char *text)
{
    size_t len = strlen(text) + 1;
    char *at = m->at;

    memcpy(at, text, len);
    m->at += len;
    return at;
}

/* An item at the first `len` bytes of `path`, which begins without a slash, and below that `name`
 * unless it is NULL. */
static struct native_item *task_add(struct task_maker *m, enum native_item_kind kind,
                                    const char *path, size_t len, const char *name)
{
    struct native_box *box = m->box;
    struct native_item *item = &box->items[box->n_files + box->n_mounts];

    ++*m->counter;
    item->kind = kind;
    item->at = m->at;
    item->dst = m->at + sizeof(TASK_PREFIX) - 1;
    m->at += snprintf(m->at, (size_t)(m->end - m->at), TASK_PREFIX "%.*s%s%s", (int)len, path,
                      name ? "/" : "", name ? name : "") +
             1;
    return item;
}

static struct native_item *task_add_file(struct task_maker *m, const char *dir, const char *name,
                                         unsigned mode, const void *data, size_t size)
{
    struct native_item *item = task_add(m, NATIVE_ITEM_FILE, dir, strlen(dir), name);

    item->mode = mode;
    item->data = data;
    item->len = size;
    return item;
}

static void task_add_input(struct task_maker *m, const struct tako__task *task)
{
    size_t i;

    task_add_file(m, "code", task->file_name ? task->file_name : "main.py", 0444, task->code,
                  task->code_len);
    task_add_file(m, "input", "data.json", 0444, task->input, task->input_len);
    m->box->file_bytes = (int64_t)(task->code_len + task->input_len);
    for (i = 0; i < task->n_files; i++) {
        task_add_file(m, "input", task->files[i].name, 0444, task->files[i].data,
                      task->files[i].size);
        m->box->file_bytes += (int64_t)task->files[i].size;
    }
}

/* Appends a file of the host; false when there is none. One that is too large is left out. */
static bool task_read_file(const struct native *n, const char *path, struct tako__buf *b)
{
    size_t before = b->len;
    char chunk[4096];
    ssize_t got;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0)
        return false;
    while ((got = read(fd, chunk, sizeof(chunk))) > 0 && b->len - before <= TASK_COPY_MAX)
        tako__buf_add(b, chunk, (size_t)got);
    close(fd);
    if (got == 0)
        return true;
    tako__log(&n->host, TAKO_LOG_WARN, "native", "%s is not shown to jobs: %s", path,
              got < 0 ? strerror(errno) : "it is larger than 1 MiB");
    b->len = before;
    return false;
}

/* As copies, each over what the view has there. */
static int task_add_network(struct task_maker *m, tako_error *err)
{
    struct native_box *box = m->box;
    size_t i, start[TAKO__LEN(task_network_files)], size[TAKO__LEN(task_network_files)];
    struct native_item *item;
    struct tako__buf b;
    char path[64];

    tako__buf_init(&b, &box->n->host);
    for (i = 0; i < TAKO__LEN(task_network_files); i++) {
        snprintf(path, sizeof(path), "/%s", task_network_files[i]);
        start[i] = b.len;
        size[i] = task_read_file(box->n, path, &b) ? b.len - start[i] : SIZE_MAX;
    }
    box->file_bytes += (int64_t)b.len;
    tako__buf_add(&b, "", 1); /* taken also when all are empty */
    box->host_files = tako__buf_take(&b);
    if (!box->host_files)
        return tako__nomem(err);
    for (i = 0; i < TAKO__LEN(task_network_files); i++) {
        if (size[i] == SIZE_MAX)
            continue;
        item = task_add(m, NATIVE_ITEM_FILE, task_network_files[i], strlen(task_network_files[i]),
                        NULL);
        item->mode = 0444;
        item->below_other = true;
        item->data = box->host_files + start[i];
        item->len = size[i];
    }
    return TAKO_OK;
}

/* The root file system is read-only: only over a file of its own can another be shown. It says
 * itself how names are looked up (nsswitch.conf), for it brings the modules. */
static int task_bind_network(struct task_maker *m, tako_error *err)
{
    struct {
        uint64_t flags, mode, resolve;
    } how = {O_PATH | O_CLOEXEC, 0, 0x4 /* RESOLVE_NO_SYMLINKS */};
    const struct native *n = m->box->n;
    struct native_item *item;
    char path[64], real[PATH_MAX];
    struct stat st;
    size_t i;
    int dir, fd;
    bool ok;

    for (i = 0; i < 2; i++) { /* resolv.conf and hosts */
        snprintf(path, sizeof(path), "/%s", task_network_files[i]);
        if (!realpath(path, real))
            continue;
        dir = open(n->rootfs, O_PATH | O_DIRECTORY | O_CLOEXEC);
        fd = dir < 0 ? -1
                     : (int)syscall(SYS_openat2, dir, task_network_files[i], &how, sizeof(how));
        ok = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
        tako__close_fd(&fd);
        tako__close_fd(&dir);
        if (!ok)
            return tako__fail(err, TAKO_EINVAL,
                              "network: the host's %s cannot be shown to the job, as %.200s has no "
                              "file of that name: make an empty one there",
                              path, n->rootfs);
        item = task_add(m, NATIVE_ITEM_BIND, task_network_files[i], strlen(task_network_files[i]),
                        NULL);
        item->below_other = true;
        item->mode = S_IFREG;
        item->src = task_text(m, real);
        m->box->weaker |= NATIVE_WITH_SHARED;
    }
    return TAKO_OK;
}

/* Looks at the host's side of a mount; what shall be written is given to the job's user. */
static int task_open_mount(const struct native_box *box, const struct tako__mount *mount,
                           unsigned *mode, tako_error *err)
{
    uint32_t owner = native_task_owner(box);
    const char *fault = NULL;
    struct stat st;
    int error = 0, fd = open(mount->host, O_PATH | O_NOFOLLOW | O_CLOEXEC);

    memset(&st, 0, sizeof(st));
    if (fd < 0 || fstat(fd, &st) < 0)
        error = errno;
    else if (S_ISLNK(st.st_mode))
        fault = "is a symbolic link";
    else if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
        fault = "is neither a directory nor a file";
    else if (mount->writable && owner && fchownat(fd, "", owner, owner, AT_EMPTY_PATH) < 0)
        error = errno;
    else if (mount->writable && !owner && faccessat(AT_FDCWD, mount->host, W_OK, AT_EACCESS) < 0)
        fault = "is to be writable, and this user may not write to it";
    tako__close_fd(&fd);
    *mode = st.st_mode & S_IFMT;
    if (error)
        return tako__fail_errno(
            err, error == EMFILE || error == ENFILE || error == ENOMEM ? TAKO_ESYS : TAKO_EINVAL,
            error, "mounts: %.200s", mount->host);
    return fault ? tako__fail(err, TAKO_EINVAL, "mounts: %.200s %s", mount->host, fault) : TAKO_OK;
}

/* Read-only directories have superblocks of their own: locks in them are no channel. */
static int task_add_mount(struct task_maker *m, const struct tako__mount *mount, tako_error *err)
{
    const char *path = mount->inside + 1;
    struct native_item *item;
    unsigned mode;
    size_t len;
    int rc = task_open_mount(m->box, mount, &mode, err);

    if (rc != TAKO_OK || m->box->n->bare)
        return rc;
    for (len = strcspn(path, "/");; len += 1 + strcspn(path + len + 1, "/")) {
        item = task_add(m, NATIVE_ITEM_PLACE, path, len, NULL);
        item->mode = path[len] || mode == S_IFDIR ? 0755 : S_IFREG | 0444;
        if (!path[len])
            break;
    }
    item = task_add(m, mode == S_IFDIR && !mount->writable ? NATIVE_ITEM_OVERLAY : NATIVE_ITEM_BIND,
                    path, len, NULL);
    item->below_other = true;
    item->writable = mount->writable;
    item->mode = mode;
    item->src = task_text(m, mount->host);
    if (item->kind == NATIVE_ITEM_BIND)
        m->box->weaker |= NATIVE_WITH_SHARED;
    return TAKO_OK;
}

/* On a file system of their own, which goes with the job. */
static void task_add_secrets(struct task_maker *m, const struct tako__task *task)
{
    static const char dir[] = TASK_SECRETS;
    struct native_item *item;
    char options[96];
    size_t i, bytes = 0;

    task_add(m, NATIVE_ITEM_PLACE, dir, sizeof(dir) - 1, NULL)->mode = 0755;
    for (i = 0; i < task->n_secrets; i++)
        bytes += task->secrets[i].size;
    /* A page each may be cut into, and pages have up to 64 KiB. */
    snprintf(options, sizeof(options), "mode=0500,size=%zu,nr_inodes=%zu",
             bytes + 65536 * (task->n_secrets + 1), task->n_secrets + 2);
    item = task_add(m, NATIVE_ITEM_TMPFS, dir, sizeof(dir) - 1, NULL);
    item->src = task_text(m, options);
    for (i = 0; i < task->n_secrets; i++)
        task_add_file(m, dir, task->secrets[i].name, 0400, task->secrets[i].data,
                      task->secrets[i].size)
            ->owned = true;
    task_add(m, NATIVE_ITEM_LOCK, dir, sizeof(dir) - 1, NULL);
}

int native_task_items(struct native_box *box, tako_error *err)
{
    const struct tako__task *task = box->task;
    struct task_maker m = {box, NULL, NULL, &box->n_files};
    size_t i, items, text;
    int rc = TAKO_OK;

    if (!task)
        return TAKO_OK;
    task_room(box->n, task, &items, &text);
    box->items = tako__array(&box->n->host, items, sizeof(*box->items));
    box->names = m.at = tako__alloc(&box->n->host, text);
    if (!box->items || !box->names)
        return tako__nomem(err);
    m.end = m.at + text;
    box->weaker = task->network ? NATIVE_WITH_NETWORK : 0;
    task_add_input(&m, task);
    if (task->network && !box->n->bare && !box->n->rootfs)
        rc = task_add_network(&m, err);
    m.counter = &box->n_mounts;
    if (rc == TAKO_OK && task->network && box->n->rootfs)
        rc = task_bind_network(&m, err);
    for (i = 0; i < task->n_mounts && rc == TAKO_OK; i++)
        rc = task_add_mount(&m, &task->mounts[i], err);
    if (rc == TAKO_OK && task->n_secrets > 0)
        task_add_secrets(&m, task);
    return rc;
}

/* ---- program, arguments, environment --------------------------------------------------------- */

uint64_t native_plan_put(struct tako__buf *b, const void *data, size_t len)
{
    static const char zeros[8] = {0};
    uint64_t address;

    tako__buf_add(b, zeros, (8 - b->len % 8) % 8);
    address = NATIVE_PLAN_ADDR + b->len;
    tako__buf_add(b, data, len);
    return address;
}

/* Three texts as one string. */
static uint64_t task_put(struct tako__buf *b, const char *first, const char *second,
                         const char *third)
{
    uint64_t address = native_plan_put(b, first, strlen(first));

    tako__buf_puts(b, second);
    tako__buf_puts(b, third);
    tako__buf_add(b, "", 1);
    return address;
}

/* The executor's own variables; a '%' is the bare job's directory. */
static const char *const task_variables[] = {
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME=/home/sandbox",
    "LANG=C.UTF-8",
    "XDG_CACHE_HOME=/tmp/.cache",
    "MPLCONFIGDIR=/tmp/.cache/matplotlib",
    NULL};
static const char *const task_variables_bare[] = {
    "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME=%/tmp",
    "LANG=C.UTF-8",
    "XDG_CACHE_HOME=%/tmp/.cache",
    "MPLCONFIGDIR=%/tmp/.cache/matplotlib",
    "TMPDIR=%/tmp",
    "TAKO_CODE_DIR=%/code",
    "TAKO_INPUT_DIR=%/input",
    "TAKO_OUTPUT_DIR=%/output",
    NULL};

/* Whether one of the task's variables from the i-th on has this name. */
static bool task_has(const struct tako__task *task, size_t i, const char *name, size_t len)
{
    for (; i < task->n_environment; i++)
        if (strncmp(task->environment[i].name, name, len) == 0 && !task->environment[i].name[len])
            return true;
    return false;
}

/* Fills `at`, which has room for all; of two with one name the task's, or its last, counts. */
static size_t task_put_environment(const struct tako__task *task, const char *const *own,
                                   const char *dir, struct tako__buf *b, uint64_t *at)
{
    const tako_pair *pair;
    size_t i, len, count = 0;

    for (; *own; own++) {
        if (task_has(task, 0, *own, strcspn(*own, "=")))
            continue;
        len = strcspn(*own, "%");
        at[count] = native_plan_put(b, *own, len);
        tako__buf_puts(b, (*own)[len] ? dir : "");
        tako__buf_puts(b, (*own)[len] ? *own + len + 1 : "");
        tako__buf_add(b, "", 1);
        count++;
    }
    for (i = 0; i < task->n_environment; i++) {
        pair = &task->environment[i];
        if (!task_has(task, i + 1, pair->name, strlen(pair->name)))
            at[count++] = task_put(b, pair->name, "=", pair->value);
    }
    return count;
}

int native_task_program(const struct native_box *box, struct native_init_plan *plan,
                        struct tako__buf *b, tako_error *err)
{
    const struct tako__task *task = box->task;
    const struct native *n = box->n;
    const char *const *own = n->bare ? task_variables_bare : task_variables;
    const char *file = task->file_name ? task->file_name : "main.py";
    const char *standard[] = {n->interpreter ? n->interpreter : NATIVE_INTERPRETER, "-u", "", NULL};
    const char *const *command = task->command ? task->command : standard;
    char dir[4200] = "", code[300];
    uint64_t *at;
    size_t i, room = 16 + task->n_environment;

    snprintf(code, sizeof(code), "/code/%s", file);
    standard[2] = code;
    if (n->bare)
        snprintf(dir, sizeof(dir), "%s/%s", n->bare_dir, box->work);
    for (i = 0; command[i]; i++)
        room++;
    at = tako__array(&n->host, room, sizeof(*at));
    if (!at)
        return tako__nomem(err);
    /* A bare job's code is elsewhere; else `dir` is empty. */
    for (i = 0; command[i]; i++)
        at[i] = task_put(b, strcmp(command[i], code) == 0 ? dir : "", command[i], "");
    plan->path = at[0];
    plan->argv = native_plan_put(b, at, (i + 1) * sizeof(*at));
    i = task_put_environment(task, own, dir, b, at);
    at[i] = 0;
    plan->envp = native_plan_put(b, at, (i + 1) * sizeof(*at));
    tako__free(&n->host, at);
    if (!b->failed && b->len > NATIVE_PLAN_MAX)
        return tako__fail(err, TAKO_EINVAL,
                          "command and environment are larger than %lu bytes together",
                          NATIVE_PLAN_MAX - (1UL << 16));
    return TAKO_OK;
}

#undef TASK_STRING_MAX
#undef TASK_INSIDE_MAX
#undef TASK_CPU_MAX
#undef TASK_COPY_MAX
#undef TASK_SECRETS
#undef TASK_PREFIX
