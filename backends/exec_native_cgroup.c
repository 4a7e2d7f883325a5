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
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CGROUP_PATH 4096
#define CGROUP_TEXT 65536

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

/* Undoes the octal escapes of /proc/self/mountinfo in place. */
static void cgroup_unescape(char *s)
{
    char *out = s;

    for (; *s; s++)
        if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] && s[3]) {
            *out++ = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
            s += 3;
        } else {
            *out++ = *s;
        }
    *out = '\0';
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
            cgroup_unescape(mount);
            cgroup_unescape(root);
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

/* mount + what `path` adds to the part of the hierarchy that the mount shows. */
static bool cgroup_join_path(char *out, const char *mount, const char *root, const char *path)
{
    size_t root_len = strcmp(root, "/") == 0 ? 0 : strlen(root);

    if (root_len && strncmp(path, root, root_len) == 0)
        path += root_len;
    else if (root_len)
        path = "";
    if (strncmp(path, "/..", 3) == 0)
        path = ""; /* outside the cgroup namespace: the mount's root is all there is */
    if (strcmp(path, "/") == 0)
        path = "";
    return snprintf(out, CGROUP_PATH, "%s%s%s", mount, *path && *path != '/' ? "/" : "", path) <
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

static void cgroup_remove_tree(const char *dir)
{
    char path[CGROUP_PATH];
    struct dirent *entry;
    DIR *list = opendir(dir);

    while (list && (entry = readdir(list)) != NULL)
        if (entry->d_type == DT_DIR && entry->d_name[0] != '.' &&
            snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name) < (int)sizeof(path))
            rmdir(path);
    if (list)
        closedir(list);
    rmdir(dir);
}

/* Removes groups whose maker is gone. A populated one stays: rmdir refuses it. */
static void cgroup_sweep(const char *parent)
{
    char identity[160], boot[64], path[CGROUP_PATH];
    unsigned long long pid_ns, time_ns, pid, start;
    struct dirent *entry;
    DIR *list = opendir(parent);

    tako__identity(identity);
    snprintf(boot, sizeof(boot), "%.*s", (int)strcspn(identity, ":"), identity);
    while (list && (entry = readdir(list)) != NULL) {
        if (sscanf(entry->d_name, "tako-%llu-%llu-%llu-%llu-", &pid_ns, &time_ns, &pid, &start) != 4)
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
    if (!cgroup_join_path(dir, mount, root, wanted ? wanted : own))
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

/* Enables a controller for the children of dir; 0 or errno. */
static int cgroup_enable(const char *dir, const char *controller)
{
    char text[32];

    snprintf(text, sizeof(text), "+%s", controller);
    return cgroup_write_at(dir, "cgroup.subtree_control", text);
}

static bool cgroup_offers(const char *dir, const char *controller)
{
    char path[CGROUP_PATH], list[512];

    return snprintf(path, sizeof(path), "%s/cgroup.controllers", dir) < (int)sizeof(path) &&
           tako__read_small(path, list, sizeof(list)) > 0 && cgroup_has_word(list, controller);
}

/* On v2 a group with processes cannot give controllers to children (cgroups(7), "no internal
 * processes"), so walk up from the host's own group to the first where it works. `dir` is
 * shortened in place; `made` is the engine's group there. */
static bool cgroup_walk_v2(char *dir, size_t mount_len, const char *name, char *made, char *why,
                           size_t why_size)
{
    static const enum native_controller wanted[] = {NATIVE_MEMORY, NATIVE_PIDS, NATIVE_CPU};
    int error = 0, enabled;
    char *slash;
    size_t i;

    for (;;) {
        enabled = 0;
        for (i = 0; i < TAKO__LEN(wanted); i++)
            if (cgroup_offers(dir, cgroup_controller[wanted[i]])) {
                error = cgroup_enable(dir, cgroup_controller[wanted[i]]);
                enabled += error == 0;
            }
        if (enabled > 0) {
            error = cgroup_mkdir(dir, name, made);
            if (!error) {
                for (i = 0; i < TAKO__LEN(wanted); i++)
                    cgroup_enable(made, cgroup_controller[wanted[i]]);
                return true;
            }
        }
        slash = strrchr(dir, '/');
        if (strlen(dir) <= mount_len || !slash)
            break;
        *slash = '\0';
    }
    snprintf(why, why_size, "no cgroup v2 group here may have limited children (%s): %s",
             error ? strerror(error) : "no controllers are offered",
             "delegate one (systemd: Delegate=yes) and name it in tako_options.cgroup");
    return false;
}

static int cgroup_take_v2(struct native_cgroups *g, const tako_host *host, const char *mountinfo,
                          const char *self, const char *wanted, const char *name)
{
    char mount[CGROUP_PATH], root[CGROUP_PATH], own[CGROUP_PATH], dir[CGROUP_PATH];
    char made[CGROUP_PATH], why[160] = "";
    int i;

    if (!cgroup_find_mount(mountinfo, NULL, mount, root) || !cgroup_find_self(self, NULL, own))
        return 0;
    if (!cgroup_join_path(dir, mount, root, wanted ? wanted : own))
        return 0;
    if (!cgroup_offers(mount, "memory") && !cgroup_offers(mount, "pids") &&
        !cgroup_offers(mount, "cpu"))
        return 0; /* mounted, but every controller lives on v1 */
    if (!cgroup_walk_v2(dir, strlen(mount), name, made, why, sizeof(why))) {
        for (i = 0; i < NATIVE_CONTROLLERS; i++)
            if (!g->dir[i])
                snprintf(g->why[i], sizeof(g->why[i]), "%s", why);
        return 0;
    }
    for (i = 0; i < NATIVE_CONTROLLERS; i++) {
        if (g->dir[i] || !cgroup_offers(made, i == NATIVE_CPUACCT ? "cpu" : cgroup_controller[i]))
            continue;
        snprintf(g->why[i], sizeof(g->why[i]), "cgroup v2");
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
        snprintf(g->why[i], sizeof(g->why[i]), "no cgroup hierarchy with this controller is mounted");
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

static bool cgroup_job_dir(char *out, const struct native_group *group, int which)
{
    return group->set->dir[which] && snprintf(out, CGROUP_PATH, "%s/%s", group->set->dir[which],
                                              group->name) < CGROUP_PATH;
}

static int cgroup_limit(const struct native_group *group, int64_t memory_bytes, int pids,
                        int cpu_percent)
{
    char dir[CGROUP_PATH], text[48];
    int error = 0;

    if (cgroup_job_dir(dir, group, NATIVE_MEMORY)) {
        if (group->set->v2[NATIVE_MEMORY]) {
            error = cgroup_write_int(dir, "memory.max", memory_bytes);
            if (cgroup_write_at(dir, "memory.swap.max", "0") == EACCES)
                error = EACCES; /* the file is absent without swap accounting: no swap to limit */
            cgroup_write_at(dir, "memory.oom.group", "1");
        } else {
            error = cgroup_write_int(dir, "memory.limit_in_bytes", memory_bytes);
            if (!error && cgroup_write_int(dir, "memory.memsw.limit_in_bytes", memory_bytes) ==
                              EACCES)
                error = EACCES;
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

int native_group_make(struct native_group *group, const struct native_cgroups *set,
                      uint64_t serial, int64_t memory_bytes, int pids, int cpu_percent,
                      tako_error *err)
{
    char dir[CGROUP_PATH], procs[CGROUP_PATH + 16];
    int i, fd, error;

    memset(group, 0, sizeof(*group));
    group->set = set;
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
            return tako__fail_errno(err, TAKO_EEXEC, error, "creating the job's cgroup %s", dir);
        }
        group->procs_fd[group->n_procs++] = fd;
    }
    error = cgroup_limit(group, memory_bytes, pids, cpu_percent);
    if (error) {
        native_group_remove(group);
        return tako__fail_errno(err, TAKO_EEXEC, error, "setting the limits of the job's cgroup");
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

    out->peak_bytes = out->cpu_us = out->oom_kills = -1;
    if (cgroup_job_dir(dir, group, NATIVE_MEMORY)) {
        if (group->set->v2[NATIVE_MEMORY]) {
            out->peak_bytes = cgroup_read_int(dir, "memory.peak", NULL);
            out->oom_kills = cgroup_read_int(dir, "memory.events", "oom_kill");
        } else {
            out->peak_bytes = cgroup_read_int(dir, "memory.max_usage_in_bytes", NULL);
            out->oom_kills = cgroup_read_int(dir, "memory.oom_control", "oom_kill");
        }
    }
    if (cgroup_job_dir(dir, group, NATIVE_CPUACCT)) {
        if (group->set->v2[NATIVE_CPUACCT]) {
            out->cpu_us = cgroup_read_int(dir, "cpu.stat", "usage_usec");
        } else {
            value = cgroup_read_int(dir, "cpuacct.usage", NULL);
            out->cpu_us = value < 0 ? -1 : value / 1000;
        }
    }
}

void native_group_remove(struct native_group *group)
{
    static const struct timespec pause = {0, 1000000};
    char dir[CGROUP_PATH];
    int i, tries;

    while (group->n_procs > 0)
        close(group->procs_fd[--group->n_procs]);
    for (i = 0; i < NATIVE_CONTROLLERS; i++) {
        if (!group->set->dir[i] || cgroup_is_repeat(group->set, i) ||
            !cgroup_job_dir(dir, group, i))
            continue;
        /* The last task may still be leaving although it was reaped. */
        for (tries = 0; rmdir(dir) < 0 && errno == EBUSY && tries < 200; tries++)
            nanosleep(&pause, NULL);
    }
}

#undef CGROUP_PATH
#undef CGROUP_TEXT
