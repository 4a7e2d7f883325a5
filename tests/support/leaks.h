/* leaks.h - what a process that runs sandboxes has of the machine: descriptors, child processes,
 * mounts, namespaces, cgroups. Counted once when all is warm, and again after each job:
 *
 *     struct leaks_base base;
 *     leaks_settle(&base);
 *     ... run jobs ...
 *     if (!leaks_back(&base, text, sizeof(text))) ck_abort_msg("%s", text);
 *
 * An engine keeps a few namespaces and groups ready and fills them up on a thread of its own, so
 * both wait until the numbers stand still. Knows the names of the engine's cgroups, tako-*-PID-*.
 * SPDX-License-Identifier: MIT */
#ifndef TESTS_LEAKS_H
#define TESTS_LEAKS_H

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LEAKS_UNUSED __attribute__((unused))
#define LEAKS_PIDS 8192
#define LEAKS_GROUPS 16

struct leaks {
    int descriptors, processes, mounts, namespaces, groups;
};

struct leaks_base {
    struct leaks at;
    char group[LEAKS_GROUPS][1024]; /* the engine's own directories, one per hierarchy */
    int n_groups;
};

LEAKS_UNUSED static void leaks_pause_ms(long ms)
{
    struct timespec pause = {ms / 1000, ms % 1000 * 1000000};

    nanosleep(&pause, NULL);
}

/* ---- descriptors, mounts ---- */

LEAKS_UNUSED static int leaks_entries(const char *path)
{
    DIR *list = opendir(path);
    int count = -3; /* ".", "..", and the directory's own descriptor */

    while (list && readdir(list))
        count++;
    if (list)
        closedir(list);
    return count;
}

LEAKS_UNUSED static int leaks_lines(const char *path)
{
    FILE *f = fopen(path, "re");
    int c, count = 0;

    while (f && (c = getc(f)) != EOF)
        count += c == '\n';
    if (f)
        fclose(f);
    return count;
}

/* ---- processes ---- */

/* Every process in sight with its parent; returns their number. */
LEAKS_UNUSED static int leaks_processes(int pid[LEAKS_PIDS], int parent[LEAKS_PIDS])
{
    char path[64], text[512], *at;
    struct dirent *entry;
    DIR *proc = opendir("/proc");
    size_t len;
    int n = 0;
    FILE *f;

    while (proc && (entry = readdir(proc)) != NULL && n < LEAKS_PIDS) {
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
            continue;
        snprintf(path, sizeof(path), "/proc/%.20s/stat", entry->d_name);
        f = fopen(path, "re");
        if (!f)
            continue;
        len = fread(text, 1, sizeof(text) - 1, f);
        fclose(f);
        text[len] = '\0';
        at = strrchr(text, ')');
        if (at && sscanf(at, ") %*c %d", &parent[n]) == 1)
            pid[n++] = (int)strtol(entry->d_name, NULL, 10);
    }
    if (proc)
        closedir(proc);
    return n;
}

/* How many children this process has; `first` (or NULL) gets one of them. */
LEAKS_UNUSED static int leaks_children(int *first)
{
    static int pid[LEAKS_PIDS], parent[LEAKS_PIDS];
    int n = leaks_processes(pid, parent), count = 0, i;

    for (i = 0; i < n; i++)
        if (parent[i] == (int)getpid()) {
            count++;
            if (first)
                *first = pid[i];
        }
    return count;
}

/* All descendants of this process, as far as the chain of parents shows; returns their number. */
LEAKS_UNUSED static int leaks_descendants(int *out, int max)
{
    static int pid[LEAKS_PIDS], parent[LEAKS_PIDS];
    int n = leaks_processes(pid, parent), found = 0, i, j;
    bool more;

    for (more = true; more;) {
        more = false;
        for (i = 0; i < n; i++) {
            bool ours = parent[i] == (int)getpid();

            for (j = 0; j < found && !ours; j++)
                ours = out[j] == parent[i];
            if (ours && found < max && pid[i]) {
                out[found++] = pid[i];
                pid[i] = 0;
                more = true;
            }
        }
    }
    return found;
}

/* ---- namespaces: of the descendants, and those that a descriptor of this process holds ---- */

LEAKS_UNUSED static int leaks_add_inode(ino_t *seen, int count, int max, ino_t inode)
{
    int i;

    for (i = 0; i < count; i++)
        if (seen[i] == inode)
            return count;
    if (count < max)
        seen[count++] = inode;
    return count;
}

LEAKS_UNUSED static int leaks_namespaces(const int *pids, int n_pids)
{
    static const char *const kinds[] = {"user", "mnt", "pid",    "net",
                                        "ipc",  "uts", "cgroup", "time"};
    ino_t seen[1024];
    char path[600], link[64];
    struct dirent *entry;
    struct stat st;
    int count = 0, i;
    size_t k;
    ssize_t len;
    DIR *list;

    for (i = 0; i < n_pids; i++)
        for (k = 0; k < sizeof(kinds) / sizeof(*kinds); k++) {
            snprintf(path, sizeof(path), "/proc/%d/ns/%s", pids[i], kinds[k]);
            if (stat(path, &st) == 0)
                count = leaks_add_inode(seen, count, 1024, st.st_ino);
        }
    list = opendir("/proc/self/fd");
    while (list && (entry = readdir(list)) != NULL) {
        snprintf(path, sizeof(path), "/proc/self/fd/%s", entry->d_name);
        len = readlink(path, link, sizeof(link) - 1);
        if (len <= 0 || link[len - 1] != ']' || stat(path, &st) < 0)
            continue;
        link[len] = '\0';
        for (k = 0; k < sizeof(kinds) / sizeof(*kinds); k++)
            if (strncmp(link, kinds[k], strlen(kinds[k])) == 0 && link[strlen(kinds[k])] == ':')
                count = leaks_add_inode(seen, count, 1024, st.st_ino);
    }
    if (list)
        closedir(list);
    return count;
}

/* ---- cgroups ---- */

LEAKS_UNUSED static bool leaks_is_ours(const char *name)
{
    unsigned long long part[4];

    return sscanf(name, "tako-%llu-%llu-%llu-%llu-", &part[0], &part[1], &part[2], &part[3]) == 4 &&
           part[2] == (unsigned long long)getpid();
}

LEAKS_UNUSED static void leaks_find_groups(struct leaks_base *base, const char *dir, int depth)
{
    struct dirent *entry;
    char path[1024];
    DIR *list = depth > 12 ? NULL : opendir(dir);

    while (list && (entry = readdir(list)) != NULL) {
        if (entry->d_type != DT_DIR || entry->d_name[0] == '.' ||
            snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name) >= (int)sizeof(path))
            continue;
        if (!leaks_is_ours(entry->d_name))
            leaks_find_groups(base, path, depth + 1);
        else if (base->n_groups < LEAKS_GROUPS)
            memcpy(base->group[base->n_groups++], path, strlen(path) + 1);
    }
    if (list)
        closedir(list);
}

/* Directories below dir; *busy counts those with a process in it. */
LEAKS_UNUSED static int leaks_count_groups(const char *dir, int *busy)
{
    struct dirent *entry;
    char path[1300];
    int count = 0;
    DIR *list = opendir(dir);

    while (list && (entry = readdir(list)) != NULL) {
        if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
        count += 1 + leaks_count_groups(path, busy);
        snprintf(path, sizeof(path), "%s/%s/cgroup.procs", dir, entry->d_name);
        *busy += leaks_lines(path) > 0;
    }
    if (list)
        closedir(list);
    return count;
}

/* ---- together ---- */

LEAKS_UNUSED static void leaks_count(const struct leaks_base *base, struct leaks *now)
{
    int pids[512], i, busy = 0;

    now->processes = leaks_descendants(pids, 512);
    now->namespaces = leaks_namespaces(pids, now->processes);
    now->descriptors = leaks_entries("/proc/self/fd");
    now->mounts = leaks_lines("/proc/self/mountinfo");
    now->groups = 0;
    for (i = 0; i < base->n_groups; i++)
        now->groups += leaks_count_groups(base->group[i], &busy);
    now->processes += busy;
}

/* Finds the engine's groups and waits until nothing changes any more, at most three seconds. */
LEAKS_UNUSED static void leaks_settle(struct leaks_base *base)
{
    static const char *const mounts[] = {"cgroup", "cgroup2"};
    struct leaks now;
    char line[4096], mount[1024], type[64];
    int same = 0, tries;
    const char *dash;
    FILE *f = fopen("/proc/self/mountinfo", "re");

    memset(base, 0, sizeof(*base));
    while (f && fgets(line, sizeof(line), f)) {
        dash = strstr(line, " - ");
        if (dash && sscanf(dash, " - %63s", type) == 1 &&
            (strcmp(type, mounts[0]) == 0 || strcmp(type, mounts[1]) == 0) &&
            sscanf(line, "%*s %*s %*s %*s %1023s", mount) == 1)
            leaks_find_groups(base, mount, 0);
    }
    if (f)
        fclose(f);
    for (tries = 0; tries < 150 && same < 4; tries++) {
        leaks_count(base, &now);
        same = memcmp(&now, &base->at, sizeof(now)) == 0 ? same + 1 : 0;
        base->at = now;
        leaks_pause_ms(20);
    }
}

/* True when nothing is above the base, now or within three seconds; else `text` says what is. */
LEAKS_UNUSED static bool leaks_back(const struct leaks_base *base, char *text, size_t size)
{
    const struct leaks *was = &base->at;
    struct leaks now;
    int tries;

    for (tries = 0; tries < 150; tries++) {
        leaks_count(base, &now);
        if (now.descriptors <= was->descriptors && now.processes <= was->processes &&
            now.mounts <= was->mounts && now.namespaces <= was->namespaces &&
            now.groups <= was->groups)
            return true;
        leaks_pause_ms(20);
    }
    snprintf(text, size,
             "left behind (now/before): descriptors %d/%d, processes %d/%d, mounts %d/%d, "
             "namespaces %d/%d, cgroups %d/%d",
             now.descriptors, was->descriptors, now.processes, was->processes, now.mounts,
             was->mounts, now.namespaces, was->namespaces, now.groups, was->groups);
    return false;
}

#endif
