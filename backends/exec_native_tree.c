/* exec_native_tree.c - what processes use where no cgroup counts it, from /proc: the threads of a
 * user, and the CPU time of a process and of all below it. A child that was collected is in its
 * parent's sum, so nothing is lost but what died in the moment between two reads.
 * SPDX-License-Identifier: MIT */
#include "exec_native.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct tree_process {
    long pid, parent;
    int64_t ticks, collected; /* its own and its dead children's; the latter alone */
    bool ours;
};

/* proc(5), /proc/[pid]/stat: the name in parentheses may hold anything. */
static bool tree_read(const char *name, struct tree_process *p)
{
    unsigned long long user, system;
    long long children_user, children_system;
    char path[300], text[1024];
    const char *at;

    snprintf(path, sizeof(path), "/proc/%s/stat", name);
    if (tako__read_small(path, text, sizeof(text)) <= 0 || (at = strrchr(text, ')')) == NULL)
        return false;
    if (sscanf(at + 1, " %*c %ld %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu %lld %lld",
               &p->parent, &user, &system, &children_user, &children_system) != 5)
        return false;
    p->pid = strtol(name, NULL, 10);
    p->collected = children_user + children_system;
    p->ticks = (int64_t)(user + system) + p->collected;
    p->ours = false;
    return true;
}

/* All processes in sight; NULL when that is none, or for lack of memory. */
static struct tree_process *tree_list(const tako_host *host, size_t *count)
{
    struct tree_process *list = NULL, *more, one;
    struct dirent *entry;
    size_t room = 0;
    DIR *proc = opendir("/proc");

    *count = 0;
    while (proc && (entry = readdir(proc)) != NULL) {
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9' || !tree_read(entry->d_name, &one))
            continue;
        if (*count == room) {
            room = room ? 2 * room : 256;
            more = tako__resize(host, list, room * sizeof(*list));
            if (!more)
                break;
            list = more;
        }
        list[(*count)++] = one;
    }
    if (proc)
        closedir(proc);
    return list;
}

int64_t native_tree_cpu_us(const tako_host *host, long pid)
{
    struct tree_process *list;
    size_t i, k, count;
    int64_t ticks = -1;
    bool more = true;

    list = tree_list(host, &count);
    for (i = 0; i < count; i++)
        if (list[i].pid == pid) {
            list[i].ours = true;
            ticks = list[i].collected; /* what pid 1 itself does is not the job's */
        }
    while (ticks >= 0 && more) {
        more = false;
        for (i = 0; i < count; i++)
            for (k = 0; k < count && !list[i].ours; k++)
                if (list[k].ours && list[k].pid == list[i].parent) {
                    list[i].ours = more = true;
                    ticks += list[i].ticks;
                }
    }
    tako__free(host, list);
    return ticks < 0 ? -1 : ticks * 1000000 / sysconf(_SC_CLK_TCK);
}

int64_t native_tree_threads(unsigned uid)
{
    struct dirent *entry;
    char path[300], text[4096];
    unsigned owner;
    long threads;
    int64_t sum = 0;
    const char *at;
    DIR *proc = opendir("/proc");

    if (!proc)
        return -1;
    while ((entry = readdir(proc)) != NULL) {
        if (entry->d_name[0] < '1' || entry->d_name[0] > '9')
            continue;
        snprintf(path, sizeof(path), "/proc/%s/status", entry->d_name);
        if (tako__read_small(path, text, sizeof(text)) > 0 &&
            (at = strstr(text, "\nUid:")) != NULL && sscanf(at, " Uid: %u", &owner) == 1 &&
            owner == uid && (at = strstr(at, "\nThreads:")) != NULL &&
            sscanf(at, " Threads: %ld", &threads) == 1)
            sum += threads;
    }
    closedir(proc);
    return sum > 0 ? sum : -1;
}
