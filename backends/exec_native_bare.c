/* exec_native_bare.c - where no namespaces can be had: a job's files are a directory of the host,
 * and Landlock lets the job reach that and what a sandbox shows of the host, nothing else.
 *
 * The directory is TMPDIR/job-tako-PIDNS-TIMENS-PID-START-RANDOM after tako__identity, enough to
 * tell whether its maker still lives; it is locked (flock(2)) as long as the host or one of the
 * job's two guards has it open. What a job made in it is removed by descriptors only, no link is
 * followed, and depth costs neither stack nor descriptors.
 * SPDX-License-Identifier: MIT */
#include "exec_native.h"
#include "exec_native_sys.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define BARE_NAME "job-tako-"
#define BARE_FS_FILE 0xc007u /* the Landlock rights that a file can have */
#define BARE_FS_READ_FILE 0x4u
#define BARE_FS_READ 0xcu /* files and directories */
#define BARE_DIR (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
#define BARE_LOCK_MS 500 /* for a dead host's guards to be gone */

/* ---- the directory of jobs' directories ------------------------------------------------------ */

static DIR *bare_list(int dir, const char *name)
{
    int fd = openat(dir, name, BARE_DIR);
    DIR *list = fd < 0 ? NULL : fdopendir(fd);

    if (!list && fd >= 0)
        close(fd);
    return list;
}

/* Waits for the guards of a host that died just now; false = somebody lives. File systems without
 * locks say nothing. */
static bool bare_is_free(int fd)
{
    static const struct timespec pause = {0, 5000000};
    int waited;

    for (waited = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; waited += 5) {
        if (errno != EWOULDBLOCK)
            return true;
        if (waited >= BARE_LOCK_MS)
            return false;
        nanosleep(&pause, NULL);
    }
    return true;
}

static void bare_sweep_one(struct native *n, const char *name, const char *boot)
{
    unsigned long long pid_ns, time_ns, pid, start;
    char identity[160];
    struct stat st;
    int fd;

    if (sscanf(name, BARE_NAME "%llu-%llu-%llu-%llu-", &pid_ns, &time_ns, &pid, &start) != 4)
        return;
    snprintf(identity, sizeof(identity), "%s:%llu-%llu:%llu:%llu", boot, pid_ns, time_ns, pid,
             start);
    if (tako__identity_alive(identity) != 0)
        return;
    fd = openat(n->bare_fd, name, BARE_DIR);
    if (fd < 0)
        return;
    if (fstat(fd, &st) == 0 && st.st_uid == geteuid() && bare_is_free(fd)) {
        tako__empty_dir(fd);
        unlinkat(n->bare_fd, name, AT_REMOVEDIR);
    }
    close(fd);
}

static void bare_sweep(struct native *n)
{
    char identity[160], boot[64];
    struct dirent *entry;
    DIR *list = bare_list(n->bare_fd, ".");

    tako__identity(identity);
    snprintf(boot, sizeof(boot), "%.*s", (int)strcspn(identity, ":"), identity);
    while (list && (entry = readdir(list)) != NULL)
        bare_sweep_one(n, entry->d_name, boot);
    if (list)
        closedir(list);
}

int native_bare_open(struct native *n, tako_error *err)
{
    const char *dir = getenv("TMPDIR");

    if (!dir || dir[0] != '/')
        dir = "/tmp";
    if (strlen(dir) > 3000)
        return tako__fail(err, TAKO_EINVAL, "TMPDIR is longer than 3000 bytes");
    n->bare_dir = tako__strdup(&n->host, dir);
    if (!n->bare_dir)
        return tako__nomem(err);
    n->bare_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (n->bare_fd < 0)
        return tako__fail_errno(err, TAKO_ESYS, errno, "opening %.200s for the files of jobs", dir);
    bare_sweep(n);
    return TAKO_OK;
}

void native_bare_close(struct native *n)
{
    tako__close_fd(&n->bare_fd);
    tako__free(&n->host, n->bare_dir);
    n->bare_dir = NULL;
    n->bare = n->bare_ids = false;
}

/* ---- one job's directory --------------------------------------------------------------------- */

static void bare_name(struct native_box *box)
{
    char identity[160];
    uint64_t random = 0;
    char *rest;
    size_t i;

    tako__identity(identity);
    tako__random(&random, sizeof(random), NULL);
    rest = strchr(identity, ':'); /* past the boot id: see tako__identity_alive */
    snprintf(box->work, sizeof(box->work), BARE_NAME "%.60s-%016llx", rest ? rest + 1 : "x",
             (unsigned long long)random);
    for (i = 0; box->work[i]; i++)
        if (box->work[i] == ':' || box->work[i] == '/')
            box->work[i] = '-';
}

/* With this very mode, whatever the host's umask; owner 0 stays the host. */
static int bare_mkdir(int dir, const char *name, unsigned mode, uint32_t owner)
{
    if (mkdirat(dir, name, 0700) < 0 ||
        syscall(SYS_fchmodat2, dir, name, mode, AT_SYMLINK_NOFOLLOW) < 0)
        return -1;
    return owner ? fchownat(dir, name, owner, owner, AT_SYMLINK_NOFOLLOW) : 0;
}

static int bare_write(int dir, const struct native_item *item)
{
    const char *at = item->data;
    size_t left = item->len;
    ssize_t done = 0;
    int fd, error = 0;

    fd = openat(dir, item->dst, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return -1;
    while (left > 0 && (done = write(fd, at, left)) != 0) {
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            break;
        at += done;
        left -= (size_t)done;
    }
    if (left > 0)
        error = done < 0 ? errno : EIO;
    else if (fchmod(fd, item->mode) < 0)
        error = errno;
    close(fd);
    errno = error;
    return error ? -1 : 0;
}

int native_bare_make(struct native_box *box, tako_error *err)
{
    struct native *n = box->n;
    uint32_t owner = n->bare_ids ? n->uid_base + (uint32_t)box->slot : 0;
    size_t i;
    int top;

    bare_name(box);
    if (mkdirat(n->bare_fd, box->work, 0700) < 0) {
        int error = errno;

        box->work[0] = '\0';
        return tako__fail_errno(err, TAKO_ESYS, error, "making a directory for the job in %.200s",
                                n->bare_dir);
    }
    box->work_fd = top = openat(n->bare_fd, box->work, BARE_DIR);
    if (top < 0 || flock(top, LOCK_SH) < 0 ||
        (owner && (fchown(top, (uid_t)-1, owner) < 0 || fchmod(top, 0710) < 0)) ||
        bare_mkdir(top, "code", 0755, 0) < 0 || bare_mkdir(top, "input", 0755, 0) < 0 ||
        bare_mkdir(top, "app", 0755, 0) < 0 || bare_mkdir(top, "output", 0700, owner) < 0 ||
        bare_mkdir(top, "tmp", 0700, owner) < 0 || bare_mkdir(top, "tmp/.cache", 0700, owner) < 0 ||
        bare_mkdir(top, "tmp/.cache/matplotlib", 0700, owner) < 0)
        return tako__fail_errno(err, TAKO_ESYS, errno, "making the job's directory %.200s/%s",
                                n->bare_dir, box->work);
    for (i = 0; i < box->n_files; i++)
        if (bare_write(top, &box->items[i]) < 0)
            return tako__fail_errno(err, TAKO_ESYS, errno, "writing %.100s/%s/%.100s", n->bare_dir,
                                    box->work, box->items[i].dst);
    box->output_fd = openat(top, "output", BARE_DIR);
    box->app_fd = openat(top, "app", BARE_DIR);
    if (box->output_fd < 0 || box->app_fd < 0)
        return tako__fail_errno(err, TAKO_ESYS, errno, "opening the job's directory %.200s/%s",
                                n->bare_dir, box->work);
    return TAKO_OK;
}

void native_bare_remove(struct native_box *box)
{
    tako__close_fd(&box->app_fd);
    if (box->work_fd >= 0)
        tako__empty_dir(box->work_fd);
    tako__close_fd(&box->work_fd);
    if (box->work[0] && unlinkat(box->n->bare_fd, box->work, AT_REMOVEDIR) < 0)
        tako__log(&box->n->host, TAKO_LOG_WARN, "native", "%s/%s stays behind: %s",
                  box->n->bare_dir, box->work, strerror(errno));
    box->work[0] = '\0';
}

/* ---- what it may reach ----------------------------------------------------------------------- */

/* struct landlock_path_beneath_attr, which is packed. */
struct bare_beneath {
    uint64_t access;
    int32_t fd;
} __attribute__((packed));

/* What is not there needs no rule. */
static int bare_allow_as(const struct native_box *box, int dir, const char *path, int flags,
                         uint64_t access, tako_error *err)
{
    struct bare_beneath rule;
    struct stat st;
    long rc;
    int fd = openat(dir, path, O_PATH | O_CLOEXEC | flags);

    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == EACCES))
        return TAKO_OK;
    rc = fd < 0 ? -1 : fstat(fd, &st);
    if (rc == 0) {
        rule.access = S_ISDIR(st.st_mode) ? access : access & BARE_FS_FILE;
        rule.fd = fd;
        rc = syscall(SYS_landlock_add_rule, box->landlock_fd, 1 /* PATH_BENEATH */, &rule, 0);
    }
    tako__close_fd(&fd);
    return rc < 0 ? tako__fail_errno(err, TAKO_ESYS, errno, "a Landlock rule for %.200s", path)
                  : TAKO_OK;
}

/* Links are followed: the rule is for what is there. */
static int bare_allow(const struct native_box *box, int dir, const char *path, uint64_t access,
                      tako_error *err)
{
    return bare_allow_as(box, dir, path, 0, access, err);
}

/* What the task asked for; its mounts are where they are on the host (native_task_check). */
static int bare_allow_task(const struct native_box *box, const struct native_rights *rights,
                           tako_error *err)
{
    static const char *const network[] = {"/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf"};
    const struct tako__task *task = box->task;
    size_t i;
    int rc = TAKO_OK;

    for (i = 0; task && task->network && i < TAKO__LEN(network) && rc == TAKO_OK; i++)
        rc = bare_allow(box, AT_FDCWD, network[i], BARE_FS_READ_FILE, err);
    for (i = 0; task && i < task->n_mounts && rc == TAKO_OK; i++)
        rc = bare_allow_as(box, AT_FDCWD, task->mounts[i].host, O_NOFOLLOW,
                           rights->read | (task->mounts[i].writable ? rights->write : 0), err);
    return rc;
}

/* Debian's Python has links from /usr/lib/python3.N to its settings there: without them it
 * complains in every job. */
static int bare_allow_python(const struct native_box *box, tako_error *err)
{
    struct dirent *entry;
    DIR *list = bare_list(AT_FDCWD, "/etc");
    int rc = TAKO_OK;

    while (list && rc == TAKO_OK && (entry = readdir(list)) != NULL)
        if (strncmp(entry->d_name, "python3", 7) == 0)
            rc = bare_allow(box, dirfd(list), entry->d_name, BARE_FS_READ, err);
    if (list)
        closedir(list);
    return rc;
}

int native_bare_rules(struct native_box *box, const struct native_rights *rights, tako_error *err)
{
    const struct native_view *view = &box->n->view;
    const struct native_item *item;
    size_t i;
    int rc = TAKO_OK;

    for (i = 0; i < view->count && rc == TAKO_OK; i++) {
        item = &view->items[i];
        if (item->kind == NATIVE_ITEM_NODE || item->kind == NATIVE_ITEM_DEVICE)
            rc = bare_allow(box, AT_FDCWD, item->src, rights->device, err);
        else if (item->kind == NATIVE_ITEM_FILE && item->src) /* a copy of the host's */
            rc = bare_allow(box, AT_FDCWD, item->dst - 1, BARE_FS_READ_FILE, err);
        else if (item->kind == NATIVE_ITEM_OVERLAY || item->kind == NATIVE_ITEM_BIND ||
                 (item->kind == NATIVE_ITEM_SYMLINK && strncmp(item->dst, "dev/", 4) != 0))
            rc = bare_allow(box, AT_FDCWD, item->dst - 1, rights->read, err);
    }
    if (rc != TAKO_OK || (rc = bare_allow_task(box, rights, err)) != TAKO_OK ||
        (rc = bare_allow_python(box, err)) != TAKO_OK ||
        (rc = bare_allow(box, box->work_fd, "code", rights->read, err)) != 0 ||
        (rc = bare_allow(box, box->work_fd, "input", rights->read, err)) != 0 ||
        (rc = bare_allow(box, box->work_fd, "app", rights->read, err)) != 0 ||
        (rc = bare_allow(box, box->work_fd, "output", rights->write, err)) != 0)
        return rc;
    return bare_allow(box, box->work_fd, "tmp", rights->write, err);
}

#undef BARE_NAME
#undef BARE_FS_FILE
#undef BARE_FS_READ_FILE
#undef BARE_FS_READ
#undef BARE_DIR
#undef BARE_LOCK_MS
