/* exec_native_cgroup.c - control groups: found as the host has them (v1, v2, or both mixed), one
 * group per engine, one below it per job. Everything is files; what cannot be had is explained,
 * and the executor decides what that means.
 * SPDX-License-Identifier: MIT */
#include "exec_native.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CGROUP_PATH 4096
#define CGROUP_TEXT 65536
#define CGROUP_UNLIMITED 0x7000000000000000 /* version 1 has a large number for "no limit" */
#define CGROUP_START_BYTES 16777216         /* an interpreter does not start with less */
#define CGROUP_START_PIDS 4

static const char *const cgroup_controller[NATIVE_CONTROLLERS] = {"memory", "pids", "cpu",
                                                                  "cpuacct"};

static int cgroup_write_at(const char *dir, const char *file, const char *text)
{
    char path[CGROUP_PATH];
    int fd, error = 0;
    size_t len = strlen(text);

    if (snprintf(path, sizeof(path), "%s/%s", dir, file) >= (int)sizeof(path))
        return ENAMETOOLONG;
    fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    if (write(fd, text, len) != (ssize_t)len)
        error = errno;
    close(fd);
    return error;
}

static int cgroup_write_int(const char *dir, const char *file, int64_t value)
{
    char text[32];

    snprintf(text, sizeof(text), "%lld", (long long)value);
    return cgroup_write_at(dir, file, text);
}

/* The number behind `key` in a flat-keyed file, or the whole file's number when key is NULL. */
static int64_t cgroup_read_int(const char *dir, const char *file, const char *key)
{
    char path[CGROUP_PATH], text[4096];
    const char *at = text;
    size_t key_len;

    if (snprintf(path, sizeof(path), "%s/%s", dir, file) >= (int)sizeof(path) ||
        tako__read_small(path, text, sizeof(text)) < 0)
        return -1;
    if (!key)
        return strtoll(text, NULL, 10);
    for (key_len = strlen(key); at && *at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL)
        if (strncmp(at, key, key_len) == 0 && at[key_len] == ' ')
            return strtoll(at + key_len, NULL, 10);
    return -1;
}

/* True when the comma- or blank-separated list has the word. */
static bool cgroup_has_word(const char *list, const char *word)
{
    size_t len = strlen(word);
    const char *at;

    for (at = list; (at = strstr(at, word)) != NULL; at += len)
        if ((at == list || strchr(", \n", at[-1])) && (!at[len] || strchr(", \n", at[len])))
            return true;
    return false;
}

/* Where a hierarchy is mounted and which part of it the mount shows. `controller` NULL = v2.
 * Reads a copy of /proc/self/mountinfo: proc(5). */
static bool cgroup_find_mount(const char *mountinfo, const char *controller, char *mount,
                              char *root)
{
    char line[2 * CGROUP_PATH], type[32], options[512];
    const char *at, *end, *dash;
    size_t len;

    for (at = mountinfo; *at; at = *end ? end + 1 : end) {
        end = strchr(at, '\n');
        if (!end)
            end = at + strlen(at);
        len = (size_t)(end - at);
        if (len >= sizeof(line))
            continue;
        memcpy(line, at, len);
        line[len] = '\0';
        dash = strstr(line, " - ");
        if (!dash || sscanf(dash, " - %31s %*s %511s", type, options) != 2 ||
            sscanf(line, "%*s %*s %*s %4095s %4095s", root, mount) != 2)
            continue;
        if (controller ? strcmp(type, "cgroup") == 0 && cgroup_has_word(options, controller)
                       : strcmp(type, "cgroup2") == 0) {
            native_mount_unescape(mount);
            native_mount_unescape(root);
            return true;
        }
    }
    return false;
}

/* The path of this process in a hierarchy, from a copy of /proc/self/cgroup: cgroups(7). */
static bool cgroup_find_self(const char *self, const char *controller, char *path)
{
    char line[CGROUP_PATH + 256];
    char *list, *where;
    const char *at, *end;
    size_t len;

    for (at = self; *at; at = *end ? end + 1 : end) {
        end = strchr(at, '\n');
        if (!end)
            end = at + strlen(at);
        len = (size_t)(end - at);
        if (len >= sizeof(line))
            continue;
        memcpy(line, at, len);
        line[len] = '\0';
        list = strchr(line, ':');
        where = list ? strchr(list + 1, ':') : NULL;
        if (!where || strlen(where + 1) >= CGROUP_PATH)
            continue;
        *where++ = '\0';
        list++;
        if (controller ? cgroup_has_word(list, controller) : *list == '\0') {
            memcpy(path, where, strlen(where) + 1);
            return true;
        }
    }
    return false;
}

/* `path` without the prefix, or NULL when it is not below it. */
static const char *cgroup_below(const char *path, const char *prefix)
{
    size_t len = strcmp(prefix, "/") == 0 ? 0 : strlen(prefix);

    return strncmp(path, prefix, len) == 0 && (!path[len] || path[len] == '/') ? path + len : NULL;
}

/* Where groups are to be made: the wanted path below the mount, which may also be given with it,
 * or else this process's own group, as far as the mount shows it. */
static bool cgroup_locate(char *out, const char *mount, const char *root, const char *own,
                          const char *wanted)
{
    const char *path = cgroup_below(wanted ? wanted : own, wanted ? mount : root);

    if (!path)
        path = wanted ? wanted : "";
    if (!wanted && strncmp(path, "/..", 3) == 0)
        path = ""; /* outside the cgroup namespace: the mount's root is all there is */
    return snprintf(out, CGROUP_PATH, "%s%s", mount, strcmp(path, "/") == 0 ? "" : path) <
           CGROUP_PATH;
}

/* Groups are named tako-PIDNS-TIMENS-PID-START-SERIAL after tako__identity: enough to tell whether
 * the maker still lives. */
static void cgroup_name(char out[128])
{
    char identity[160];
    char *rest;
    uint32_t serial = 0;
    size_t i;

    tako__identity(identity);
    tako__random(&serial, sizeof(serial), NULL);
    rest = strchr(identity, ':'); /* past the boot id: groups do not outlive a boot */
    snprintf(out, 128, "tako-%s-%08x", rest ? rest + 1 : "x", serial);
    for (i = 0; out[i]; i++)
        if (out[i] == ':')
            out[i] = '-';
}

/* The last process may still be leaving although it was reaped, or was killed just now. */
static void cgroup_rmdir(const char *dir, int patience_ms)
{
    static const struct timespec pause = {0, 1000000};

    while (rmdir(dir) < 0 && errno == EBUSY && patience_ms-- > 0)
        nanosleep(&pause, NULL);
}

static void cgroup_remove_tree(const char *dir)
{
    char path[CGROUP_PATH];
    struct dirent *entry;
    DIR *list = opendir(dir);

    while (list && (entry = readdir(list)) != NULL)
        if (entry->d_type == DT_DIR && entry->d_name[0] != '.' &&
            snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name) < (int)sizeof(path))
            cgroup_rmdir(path, 50);
    if (list)
        closedir(list);
    cgroup_rmdir(dir, 50);
}

/* Removes groups whose maker is gone, and whose processes the kernel has killed or is about to. One
 * that stays populated stays: rmdir refuses it. */
static void cgroup_sweep(const char *parent)
{
    char identity[160], boot[64], path[CGROUP_PATH];
    unsigned long long pid_ns, time_ns, pid, start;
    struct dirent *entry;
    DIR *list = opendir(parent);

    tako__identity(identity);
    snprintf(boot, sizeof(boot), "%.*s", (int)strcspn(identity, ":"), identity);
    while (list && (entry = readdir(list)) != NULL) {
        if (sscanf(entry->d_name, "tako-%llu-%llu-%llu-%llu-", &pid_ns, &time_ns, &pid, &start) !=
            4)
            continue;
        snprintf(identity, sizeof(identity), "%s:%llu-%llu:%llu:%llu", boot, pid_ns, time_ns, pid,
                 start);
        if (tako__identity_alive(identity) == 0 &&
            snprintf(path, sizeof(path), "%s/%s", parent, entry->d_name) < (int)sizeof(path))
            cgroup_remove_tree(path);
    }
    if (list)
        closedir(list);
}

static int cgroup_mkdir(const char *parent, const char *name, char *out)
{
    if (snprintf(out, CGROUP_PATH, "%s/%s", parent, name) >= CGROUP_PATH)
        return ENAMETOOLONG;
    cgroup_sweep(parent);
    return mkdir(out, 0755) < 0 && errno != EEXIST ? errno : 0;
}

static int cgroup_take_v1(struct native_cgroups *g, const tako_host *host,
                          enum native_controller which, const char *mountinfo, const char *self,
                          const char *wanted, const char *name)
{
    char mount[CGROUP_PATH], root[CGROUP_PATH], own[CGROUP_PATH], dir[CGROUP_PATH];
    char made[CGROUP_PATH];
    int error;

    if (!cgroup_find_mount(mountinfo, cgroup_controller[which], mount, root) ||
        !cgroup_find_self(self, cgroup_controller[which], own))
        return 0;
    if (!cgroup_locate(dir, mount, root, own, wanted))
        return 0;
    error = cgroup_mkdir(dir, name, made);
    if (error) {
        snprintf(g->why[which], sizeof(g->why[which]),
                 "cannot create a group in %.80s: %s; delegate it to this user or run as root", dir,
                 strerror(error));
        return 0;
    }
    snprintf(g->why[which], sizeof(g->why[which]), "cgroup v1");
    g->dir[which] = tako__strdup(host, made);
    return g->dir[which] ? 0 : -1;
}

/* ---- version 2: cgroups(7), "Cgroups version 2" ---------------------------------------------- */

/* Best first; what the group of a job must have is decided by the probe. */
static const enum native_controller cgroup_order[] = {NATIVE_MEMORY, NATIVE_PIDS, NATIVE_CPU};

/* True when the list in dir's `file` has the controller. */
static bool cgroup_lists(const char *dir, const char *file, const char *controller)
{
    char path[CGROUP_PATH], list[512];

    return snprintf(path, sizeof(path), "%s/%s", dir, file) < (int)sizeof(path) &&
           tako__read_small(path, list, sizeof(list)) > 0 && cgroup_has_word(list, controller);
}

static bool cgroup_offers(const char *dir, const char *controller)
{
    return cgroup_lists(dir, "cgroup.controllers", controller);
}

/* 0 when this user may write dir's `file`, else errno. */
static int cgroup_access(const char *dir, const char *file)
{
    char path[CGROUP_PATH];

    if (snprintf(path, sizeof(path), "%s/%s", dir, file) >= (int)sizeof(path))
        return ENAMETOOLONG;
    return faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) < 0 ? errno : 0;
}

/* True when a group cannot have limited children because processes are in it; only the root of the
 * whole hierarchy, which has no type, can have both. "+pids" and "+cpu" would succeed even so, but
 * make a threaded domain, into whose children no process can move. */
static bool cgroup_is_occupied(const char *dir)
{
    char path[CGROUP_PATH], text[64];

    if (snprintf(path, sizeof(path), "%s/cgroup.type", dir) >= (int)sizeof(path))
        return true;
    if (tako__read_small(path, text, sizeof(text)) < 0)
        return false;
    snprintf(path, sizeof(path), "%s/cgroup.procs", dir);
    return tako__read_small(path, text, sizeof(text)) != 0;
}

/* How well the children of dir can be limited: 0 = not at all or not by this user, with the reason
 * in `why`; memory counts more than pids, pids more than CPU. Changes nothing. Moving a process
 * needs write access to cgroup.procs of the nearest group above both ends: that is dir, when dir is
 * above the host. */
static int cgroup_rate(const char *dir, bool above_host, char *why, size_t why_size)
{
    int error = cgroup_access(dir, "."), rate = 0;
    size_t i;
    bool may_enable = cgroup_access(dir, "cgroup.subtree_control") == 0;

    if (!error && above_host)
        error = cgroup_access(dir, "cgroup.procs");
    if (error) {
        if (!*why)
            snprintf(why, why_size, "%.70s: %s; %s", dir, strerror(error),
                     geteuid() == 0 ? "mount it writable"
                                    : "try `systemd-run --user --scope HOST`, or root");
        return 0;
    }
    if (cgroup_is_occupied(dir)) {
        snprintf(why, why_size,
                 "%.50s has processes, so its children cannot have limits; move all "
                 "of them to a group below it",
                 dir);
        return 0;
    }
    for (i = 0; i < TAKO__LEN(cgroup_order); i++)
        if (cgroup_lists(dir, "cgroup.subtree_control", cgroup_controller[cgroup_order[i]]) ||
            (may_enable && cgroup_offers(dir, cgroup_controller[cgroup_order[i]])))
            rate |= 4 >> i;
    if (!rate && !*why)
        snprintf(why, why_size, "%.90s offers no controllers", dir);
    return rate;
}

/* Enables for the children of dir what it offers. */
static void cgroup_enable_all(const char *dir)
{
    char text[32];
    size_t i;

    for (i = 0; i < TAKO__LEN(cgroup_order); i++) {
        snprintf(text, sizeof(text), "+%s", cgroup_controller[cgroup_order[i]]);
        if (cgroup_offers(dir, text + 1) && !cgroup_lists(dir, "cgroup.subtree_control", text + 1))
            cgroup_write_at(dir, "cgroup.subtree_control", text);
    }
}

/* Shortens dir, the host's own group, to the best place above it (in a group without processes of
 * its own; the nearest of equals). */
static int cgroup_climb(char *dir, size_t mount_len, char *why, size_t why_size)
{
    char at[CGROUP_PATH];
    int rate, best = 0;

    memcpy(at, dir, strlen(dir) + 1);
    for (;;) {
        rate = cgroup_rate(at, true, why, why_size);
        if (rate > best) {
            best = rate;
            dir[strlen(at)] = '\0';
        }
        if (strlen(at) <= mount_len)
            return best;
        *strrchr(at, '/') = '\0';
    }
}

static int cgroup_take_v2(struct native_cgroups *g, const tako_host *host, const char *mountinfo,
                          const char *self, const char *wanted, const char *name)
{
    char mount[CGROUP_PATH], root[CGROUP_PATH], own[CGROUP_PATH], dir[CGROUP_PATH];
    char made[CGROUP_PATH], why[160] = "";
    int i, error, rate;
    bool has;

    if (!cgroup_find_mount(mountinfo, NULL, mount, root) || !cgroup_find_self(self, NULL, own) ||
        !cgroup_locate(dir, mount, root, own, wanted))
        return 0;
    if (!cgroup_offers(mount, "memory") && !cgroup_offers(mount, "pids") &&
        !cgroup_offers(mount, "cpu"))
        return 0; /* mounted, but every controller lives on v1 */
    rate = wanted ? cgroup_rate(dir, false, why, sizeof(why))
                  : cgroup_climb(dir, strlen(mount), why, sizeof(why));
    if (rate) {
        cgroup_enable_all(dir);
        error = cgroup_mkdir(dir, name, made);
        if (error) {
            snprintf(why, sizeof(why), "cannot create a group in %.80s: %s", dir, strerror(error));
            rate = 0;
        } else {
            cgroup_enable_all(made);
            snprintf(why, sizeof(why), "not enabled for the groups in %.90s", dir);
        }
    }
    for (i = 0; i < NATIVE_CONTROLLERS; i++) {
        if (g->dir[i])
            continue;
        /* CPU time is counted in every group of v2. */
        has = rate && (i == NATIVE_CPUACCT ||
                       cgroup_lists(made, "cgroup.subtree_control", cgroup_controller[i]));
        if (has || cgroup_offers(mount, cgroup_controller[i]))
            snprintf(g->why[i], sizeof(g->why[i]), "%s", has ? "cgroup v2" : why);
        if (!has)
            continue;
        g->v2[i] = true;
        g->dir[i] = tako__strdup(host, made);
        if (!g->dir[i])
            return -1;
    }
    return 0;
}

int native_cgroups_open(struct native_cgroups *g, const tako_host *host, const char *wanted,
                        tako_error *err)
{
    char *mountinfo = tako__alloc(host, CGROUP_TEXT);
    char self[8192], name[128];
    int i, rc = TAKO_OK;

    memset(g, 0, sizeof(*g));
    if (!mountinfo)
        return tako__nomem(err);
    for (i = 0; i < NATIVE_CONTROLLERS; i++)
        snprintf(g->why[i], sizeof(g->why[i]),
                 "no cgroup hierarchy with this controller is mounted");
    if (tako__read_small("/proc/self/mountinfo", mountinfo, CGROUP_TEXT) > 0 &&
        tako__read_small("/proc/self/cgroup", self, sizeof(self)) > 0) {
        cgroup_name(name);
        for (i = 0; i < NATIVE_CONTROLLERS && rc == TAKO_OK; i++)
            if (cgroup_take_v1(g, host, (enum native_controller)i, mountinfo, self, wanted, name))
                rc = tako__nomem(err);
        if (rc == TAKO_OK && cgroup_take_v2(g, host, mountinfo, self, wanted, name))
            rc = tako__nomem(err);
    }
    tako__free(host, mountinfo);
    if (rc != TAKO_OK)
        native_cgroups_close(g, host);
    return rc;
}

/* True when an earlier controller has the same directory. */
static bool cgroup_is_repeat(const struct native_cgroups *g, int which)
{
    int i;

    for (i = 0; i < which; i++)
        if (g->dir[i] && g->dir[which] && strcmp(g->dir[i], g->dir[which]) == 0)
            return true;
    return false;
}

void native_cgroups_close(struct native_cgroups *g, const tako_host *host)
{
    int i;

    for (i = NATIVE_CONTROLLERS - 1; i >= 0; i--) {
        if (g->dir[i] && !cgroup_is_repeat(g, i))
            cgroup_remove_tree(g->dir[i]);
        tako__free(host, g->dir[i]);
        g->dir[i] = NULL;
    }
}

bool native_cgroups_refuse(struct native_cgroups *g, const tako_host *host, int error)
{
    bool had = false;
    int i;

    for (i = 0; i < NATIVE_CONTROLLERS; i++)
        if (g->dir[i]) {
            had = true;
            snprintf(g->why[i], sizeof(g->why[i]), "moving a job below %.70s: %s%s", g->dir[i],
                     strerror(error),
                     error == EACCES ? "; the host itself must run in the delegated part" : "");
        }
    native_cgroups_close(g, host);
    return had;
}

static bool cgroup_job_dir(char *out, const struct native_group *group, int which)
{
    return group->set->dir[which] &&
           snprintf(out, CGROUP_PATH, "%s/%s", group->set->dir[which], group->name) < CGROUP_PATH;
}

/* Files of swap are absent where there is no accounting of it, and so no swap to limit; oom.group
 * came with Linux 4.19. */
static int cgroup_if_there(int error)
{
    return error == ENOENT ? 0 : error;
}

static int cgroup_limit(const struct native_group *group, int64_t memory_bytes, int pids,
                        int cpu_percent)
{
    char dir[CGROUP_PATH], text[48];
    int error = 0;

    if (cgroup_job_dir(dir, group, NATIVE_MEMORY)) {
        if (group->set->v2[NATIVE_MEMORY]) {
            error = cgroup_write_int(dir, "memory.max", memory_bytes);
            if (!error)
                error = cgroup_if_there(cgroup_write_at(dir, "memory.swap.max", "0"));
            if (!error)
                error = cgroup_if_there(cgroup_write_at(dir, "memory.oom.group", "1"));
        } else {
            error = cgroup_write_int(dir, "memory.limit_in_bytes", memory_bytes);
            if (!error)
                error = cgroup_if_there(
                    cgroup_write_int(dir, "memory.memsw.limit_in_bytes", memory_bytes));
        }
    }
    if (!error && cgroup_job_dir(dir, group, NATIVE_PIDS))
        error = cgroup_write_int(dir, "pids.max", pids);
    if (!error && cgroup_job_dir(dir, group, NATIVE_CPU)) {
        if (group->set->v2[NATIVE_CPU]) {
            snprintf(text, sizeof(text), "%d 100000", cpu_percent * 1000);
            error = cgroup_write_at(dir, "cpu.max", text);
        } else {
            error = cgroup_write_int(dir, "cpu.cfs_quota_us", cpu_percent * 1000);
        }
    }
    return error;
}

/* Version 1 kills one process at the limit and says neither which nor why. So the kernel is told to
 * let the processes wait instead and to announce it (memory.rst, section 10): the whole job is then
 * killed by us, with the cause known before. Where that is refused the kernel goes on killing. */
static void cgroup_pause_at_limit(struct native_group *group)
{
    char dir[CGROUP_PATH], path[CGROUP_PATH + 32], text[48];
    int control, event;

    if (!cgroup_job_dir(dir, group, NATIVE_MEMORY))
        return;
    snprintf(path, sizeof(path), "%s/memory.oom_control", dir);
    control = open(path, O_RDONLY | O_CLOEXEC);
    event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    snprintf(text, sizeof(text), "%d %d", event, control);
    if (control >= 0 && event >= 0 && cgroup_write_at(dir, "cgroup.event_control", text) == 0 &&
        cgroup_write_at(dir, "memory.oom_control", "1") == 0) {
        group->oom_fd = event;
        event = -1;
    }
    if (event >= 0)
        close(event);
    if (control >= 0)
        close(control);
}

bool native_group_at_limit(const struct native_group *group)
{
    char dir[CGROUP_PATH];
    uint64_t count;
    ssize_t got;

    got = read(group->oom_fd, &count, sizeof(count)); /* else it stays readable */
    (void)got;
    return cgroup_job_dir(dir, group, NATIVE_MEMORY) &&
           cgroup_read_int(dir, "memory.oom_control", "under_oom") == 1;
}

int64_t native_group_cpu_us(const struct native_group *group)
{
    char dir[CGROUP_PATH];
    int64_t value;

    if (!cgroup_job_dir(dir, group, NATIVE_CPUACCT))
        return -1;
    if (group->set->v2[NATIVE_CPUACCT])
        return cgroup_read_int(dir, "cpu.stat", "usage_usec");
    value = cgroup_read_int(dir, "cpuacct.usage", NULL);
    return value < 0 ? -1 : value / 1000;
}

int native_group_make(struct native_group *group, const struct native_cgroups *set, uint64_t serial,
                      tako_error *err)
{
    char dir[CGROUP_PATH], procs[CGROUP_PATH + 16];
    int i, fd, error;

    memset(group, 0, sizeof(*group));
    group->set = set;
    group->oom_fd = -1;
    snprintf(group->name, sizeof(group->name), "job-%llu", (unsigned long long)serial);
    for (i = 0; i < NATIVE_CONTROLLERS; i++) {
        if (!set->dir[i] || cgroup_is_repeat(set, i) || !cgroup_job_dir(dir, group, i))
            continue;
        error = mkdir(dir, 0755) < 0 ? errno : 0;
        snprintf(procs, sizeof(procs), "%s/cgroup.procs", dir);
        fd = error ? -1 : open(procs, O_WRONLY | O_CLOEXEC);
        if (fd < 0) {
            error = error ? error : errno;
            native_group_remove(group);
            return tako__fail_errno(err, TAKO_ESYS, error, "creating the job's cgroup %s", dir);
        }
        group->procs_fd[group->n_procs++] = fd;
    }
    if (set->dir[NATIVE_MEMORY] && !set->v2[NATIVE_MEMORY])
        cgroup_pause_at_limit(group);
    return TAKO_OK;
}

int native_group_limit(const struct native_group *group, int64_t memory_bytes, int pids,
                       int cpu_percent, tako_error *err)
{
    int error = cgroup_limit(group, memory_bytes, pids, cpu_percent);

    return error ? tako__fail_errno(err, TAKO_ESYS, error, "setting the limits of the job's cgroup")
                 : TAKO_OK;
}

/* ---- the groups around: their limits hold for all of the host's jobs together ---------------- */

/* A limit; -1 = there is no such file, INT64_MAX = none. */
static int64_t cgroup_read_limit(const char *dir, const char *file)
{
    char path[CGROUP_PATH], text[64];

    if (snprintf(path, sizeof(path), "%s/%s", dir, file) >= (int)sizeof(path) ||
        tako__read_small(path, text, sizeof(text)) <= 0)
        return -1;
    if (strncmp(text, "max", 3) == 0)
        return INT64_MAX;
    return strtoll(text, NULL, 10) >= CGROUP_UNLIMITED ? INT64_MAX : strtoll(text, NULL, 10);
}

/* What is used of dir's memory and cannot be taken back: without the pages of files. */
static int64_t cgroup_memory_used(const char *dir, bool v2)
{
    const char *prefix = v2 ? "" : "total_";
    char file[32], shmem[32];

    snprintf(file, sizeof(file), "%s%s", prefix, v2 ? "file" : "cache");
    snprintf(shmem, sizeof(shmem), "%sshmem", prefix);
    return cgroup_read_int(dir, v2 ? "memory.current" : "memory.usage_in_bytes", NULL) -
           cgroup_read_int(dir, "memory.stat", file) + cgroup_read_int(dir, "memory.stat", shmem);
}

static int cgroup_room(const char *dir, bool v2, bool memory, int64_t limit, bool now,
                       tako_error *err)
{
    const char *file = !memory ? "pids.max" : v2 ? "memory.max" : "memory.limit_in_bytes";
    int64_t needed = memory ? CGROUP_START_BYTES : CGROUP_START_PIDS, used;

    if (limit < (memory ? TAKO_MEMORY_MIN : needed))
        return tako__fail(err, TAKO_EEXEC, "%.300s/%s is %lld: too little for any job; raise it",
                          dir, file, (long long)limit);
    used = !now ? 0 : memory ? cgroup_memory_used(dir, v2) : cgroup_read_limit(dir, "pids.current");
    if (used + needed > limit)
        return tako__fail(err, TAKO_EFULL,
                          "%.250s/%s is %lld, of which %lld are in use: too little is left for a "
                          "job; raise it, or run fewer at once",
                          dir, file, (long long)limit, (long long)used);
    return TAKO_OK;
}

int native_cgroups_room(const struct native_cgroups *g, bool now, tako_error *err)
{
    static const enum native_controller which[] = {NATIVE_MEMORY, NATIVE_PIDS};
    char dir[CGROUP_PATH];
    const char *file;
    int64_t limit;
    size_t i;
    int rc;

    for (i = 0; i < TAKO__LEN(which); i++) {
        if (!g->dir[which[i]])
            continue;
        file = which[i] == NATIVE_PIDS ? "pids.max"
               : g->v2[which[i]]       ? "memory.max"
                                       : "memory.limit_in_bytes";
        snprintf(dir, sizeof(dir), "%s", g->dir[which[i]]);
        while (strrchr(dir, '/') != NULL) {
            *strrchr(dir, '/') = '\0';
            limit = cgroup_read_limit(dir, file);
            if (limit < 0)
                break; /* above the mount, or the root of the hierarchy */
            rc = limit == INT64_MAX ? TAKO_OK
                                    : cgroup_room(dir, g->v2[which[i]], which[i] == NATIVE_MEMORY,
                                                  limit, now, err);
            if (rc != TAKO_OK)
                return rc;
        }
    }
    return TAKO_OK;
}

void native_group_unthrottle(const struct native_group *group)
{
    char dir[CGROUP_PATH];

    if (!cgroup_job_dir(dir, group, NATIVE_CPU))
        return;
    if (group->set->v2[NATIVE_CPU])
        cgroup_write_at(dir, "cpu.max", "max");
    else
        cgroup_write_at(dir, "cpu.cfs_quota_us", "-1");
}

void native_group_read(const struct native_group *group, struct native_usage *out)
{
    char dir[CGROUP_PATH];
    int64_t value;

    memset(out, 0xff, sizeof(*out));
    if (cgroup_job_dir(dir, group, NATIVE_MEMORY)) {
        if (group->set->v2[NATIVE_MEMORY]) {
            out->peak_bytes = cgroup_read_int(dir, "memory.peak", NULL);
            out->oom_kills = cgroup_read_int(dir, "memory.events", "oom_kill");
            out->limit_hits = cgroup_read_int(dir, "memory.events", "oom");
        } else {
            out->peak_bytes = cgroup_read_int(dir, "memory.max_usage_in_bytes", NULL);
            out->oom_kills = cgroup_read_int(dir, "memory.oom_control", "oom_kill");
            /* Also counts what reclaim could satisfy; told apart only where the kernel kills. */
            out->limit_hits = cgroup_read_int(dir, "memory.failcnt", NULL);
        }
    }
    if (cgroup_job_dir(dir, group, NATIVE_PIDS)) {
        out->pids_peak = cgroup_read_int(dir, "pids.peak", NULL);
        out->pids_hits = cgroup_read_int(dir, "pids.events", "max");
    }
    if (cgroup_job_dir(dir, group, NATIVE_CPU)) {
        if (group->set->v2[NATIVE_CPU]) {
            out->throttled_us = cgroup_read_int(dir, "cpu.stat", "throttled_usec");
        } else {
            value = cgroup_read_int(dir, "cpu.stat", "throttled_time");
            out->throttled_us = value < 0 ? -1 : value / 1000;
        }
    }
    out->cpu_us = native_group_cpu_us(group);
}

void native_group_remove(struct native_group *group)
{
    char dir[CGROUP_PATH];
    int i;

    while (group->n_procs > 0)
        close(group->procs_fd[--group->n_procs]);
    tako__close_fd(&group->oom_fd);
    for (i = 0; i < NATIVE_CONTROLLERS; i++) {
        if (!cgroup_is_repeat(group->set, i) && cgroup_job_dir(dir, group, i))
            cgroup_rmdir(dir, 200);
    }
}

#undef CGROUP_PATH
#undef CGROUP_TEXT
#undef CGROUP_UNLIMITED
#undef CGROUP_START_BYTES
#undef CGROUP_START_PIDS
