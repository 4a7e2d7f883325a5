/* stress.h - what the stress programs share: arguments, random numbers that a seed repeats,
 * progress, the ordinary user, and counts of what a leak would leave behind. Public interface
 * only; Linux only.
 *
 * Arguments are NAME=value: N, SEED, MODE (user: as root, become an ordinary user first), and what
 * a program adds. Empty values count as not given.
 * SPDX-License-Identifier: MIT */
#ifndef TESTS_STRESS_H
#define TESTS_STRESS_H

#include "../../tako.h"

#include <dirent.h>
#include <grp.h>
#include <sched.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define STRESS_UNUSED __attribute__((unused))
#define STRESS_PATH 4096

struct stress {
    const char *name;
    long n;
    uint64_t seed;
    bool user;
    bool own_tmp; /* /tmp is a file system of this program alone */
    char dir[64]; /* private, on a real file system; removed by stress_end */
    long told;    /* progress */
    int64_t told_us;
};

/* ---- time and chance ------------------------------------------------------------------------- */

STRESS_UNUSED static int64_t stress_now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

STRESS_UNUSED static void stress_sleep_us(int64_t us)
{
    struct timespec pause = {us / 1000000, us % 1000000 * 1000};

    if (us > 0)
        nanosleep(&pause, NULL);
}

/* splitmix64: every state is a good one, also a small seed. */
STRESS_UNUSED static uint64_t stress_next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* low..high, both included. */
STRESS_UNUSED static long stress_pick(uint64_t *state, long low, long high)
{
    return low + (long)(stress_next(state) % (uint64_t)(high - low + 1));
}

/* The generator of one case: the same for the same seed and index, whoever runs it and when. */
STRESS_UNUSED static uint64_t stress_case(uint64_t seed, long index)
{
    uint64_t state = seed ^ ((uint64_t)index * 0xd1342543de82ef95u);

    stress_next(&state);
    return state;
}

/* ---- arguments, user, end -------------------------------------------------------------------- */

STRESS_UNUSED __attribute__((noreturn, format(printf, 2, 3))) static void
stress_die(const struct stress *s, const char *format, ...)
{
    va_list args;

    fprintf(stderr, "%s: ", s->name);
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    if (s->dir[0])
        fprintf(stderr, "%s: left for a look: %s\n", s->name, s->dir);
    exit(2);
}

/* The value of argument `key`, or NULL when it is not there or empty. */
STRESS_UNUSED static const char *stress_argument(int argc, char **argv, const char *key)
{
    size_t len = strlen(key);
    int i;

    for (i = 1; i < argc; i++)
        if (strncmp(argv[i], key, len) == 0 && argv[i][len] == '=' && argv[i][len + 1])
            return argv[i] + len + 1;
    return NULL;
}

/* What others leave in /tmp meanwhile is none of our business: root gets a /tmp of its own, in a
 * mount namespace of its own. Elsewhere the shared one is looked at. */
STRESS_UNUSED static bool stress_own_tmp(void)
{
    return geteuid() == 0 && unshare(CLONE_NEWNS) == 0 &&
           mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("stress", "/tmp", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777,size=16m") == 0;
}

/* Reads the arguments, becomes the user, makes the private directory. */
STRESS_UNUSED static void stress_begin(struct stress *s, const char *name, int argc, char **argv,
                                       long n)
{
    const char *text, *parent = getenv("TMPDIR");

    memset(s, 0, sizeof(*s));
    s->name = name;
    text = stress_argument(argc, argv, "N");
    s->n = text ? strtol(text, NULL, 10) : n;
    if (s->n < 1 || s->n > 10000000)
        stress_die(s, "N must be 1 to 10000000, not \"%s\"", text);
    text = stress_argument(argc, argv, "SEED");
    if (text)
        s->seed = strtoull(text, NULL, 0);
    else if (getrandom(&s->seed, sizeof(s->seed), 0) == (ssize_t)sizeof(s->seed))
        s->seed &= 0xffffffffu; /* short enough to be typed again */
    text = stress_argument(argc, argv, "MODE");
    if (text && strcmp(text, "user") != 0)
        stress_die(s, "MODE is \"%s\": only \"user\" is known", text);
    s->own_tmp = stress_own_tmp();
    s->user = text || getuid() != 0;
    if (text && getuid() == 0) {
        if (setgroups(0, NULL) || setresgid(65534, 65534, 65534) ||
            setresuid(65534, 65534, 65534) || chdir("/"))
            stress_die(s, "cannot become an ordinary user");
        prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); /* as a process of that user is from its start */
    }
    if (!parent || strlen(parent) > 40 || strncmp(parent, "/tmp", 4) == 0)
        parent = "/var/tmp";
    snprintf(s->dir, sizeof(s->dir), "%s/tako-stress-XXXXXX", parent);
    if (!mkdtemp(s->dir)) {
        s->dir[0] = '\0';
        stress_die(s, "no private directory in %s", parent);
    }
    fprintf(stderr, "%s: N=%ld SEED=%llu%s\n", name, s->n, (unsigned long long)s->seed,
            s->user ? " as an ordinary user" : " as root");
}

/* Removes a store and, with the last one, the directory; the number of files that had no business
 * there. */
STRESS_UNUSED static int stress_end(struct stress *s, const char *const *stores)
{
    static const char *const endings[] = {"", "-wal", "-shm"};
    char path[STRESS_PATH];
    int i, strange = 0;
    DIR *list;

    for (; *stores; stores++)
        for (i = 0; i < 3; i++) {
            snprintf(path, sizeof(path), "%s/%s%s", s->dir, *stores, endings[i]);
            unlink(path);
        }
    list = opendir(s->dir);
    while (list && readdir(list))
        strange++;
    if (list)
        closedir(list);
    if (rmdir(s->dir) == 0)
        s->dir[0] = '\0';
    return strange - 2; /* . and .. */
}

/* On a terminal a line that changes, elsewhere a line for every tenth. */
STRESS_UNUSED static void stress_progress(struct stress *s, long done, const char *more)
{
    int64_t now = stress_now_us();

    if (isatty(2)) {
        if (now - s->told_us < 100000 && done < s->n)
            return;
        fprintf(stderr, "\r%s: %ld of %ld%s%s\033[K%s", s->name, done, s->n, *more ? ", " : "",
                more, done >= s->n ? "\n" : "");
        s->told_us = now;
    } else if (done * 10 / s->n > s->told) {
        s->told = done * 10 / s->n;
        fprintf(stderr, "%s: %ld of %ld%s%s\n", s->name, done, s->n, *more ? ", " : "", more);
    }
}

/* ---- what a leak would leave behind ---------------------------------------------------------- */

STRESS_UNUSED static int stress_entries(const char *path)
{
    DIR *list = opendir(path);
    int count = 0;

    while (list && readdir(list))
        count++;
    if (list)
        closedir(list);
    return count > 2 ? count - 2 : 0;
}

/* In /tmp: all of it where it is ours, else what bears our name. */
STRESS_UNUSED static int stress_tmp(const struct stress *s)
{
    DIR *list = opendir("/tmp");
    struct dirent *entry;
    int count = 0;

    while (list && (entry = readdir(list)) != NULL)
        count += s->own_tmp ? strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0
                            : strncmp(entry->d_name, "tako", 4) == 0;
    if (list)
        closedir(list);
    return count;
}

STRESS_UNUSED static int stress_mounts(void)
{
    FILE *f = fopen("/proc/self/mountinfo", "re");
    int c, count = 0;

    while (f && (c = getc(f)) != EOF)
        count += c == '\n';
    if (f)
        fclose(f);
    return count;
}

/* Field 4 (parent) and 22 (start, in ticks) of /proc/PID/stat; false when it is gone. */
STRESS_UNUSED static bool stress_stat(long pid, long *parent, unsigned long long *start)
{
    char path[64], text[1024];
    const char *at;
    size_t got;
    FILE *f;

    snprintf(path, sizeof(path), "/proc/%ld/stat", pid);
    f = fopen(path, "re");
    if (!f)
        return false;
    got = fread(text, 1, sizeof(text) - 1, f);
    fclose(f);
    text[got] = '\0';
    at = strrchr(text, ')'); /* the name may have anything in it */
    return at && sscanf(at,
                        ") %*c %ld %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
                        "%*s %*s %*s %llu",
                        parent, start) == 2;
}

typedef void stress_pid_fn(void *ctx, long pid);

/* Children of this process, dead ones too until they are waited for. */
STRESS_UNUSED static int stress_children(long of, stress_pid_fn *each, void *ctx)
{
    DIR *list = opendir("/proc");
    struct dirent *entry;
    unsigned long long start;
    long pid, parent;
    int count = 0;

    while (list && (entry = readdir(list)) != NULL) {
        pid = strtol(entry->d_name, NULL, 10);
        if (pid <= 0 || !stress_stat(pid, &parent, &start) || parent != of)
            continue;
        count++;
        if (each)
            each(ctx, pid);
    }
    if (list)
        closedir(list);
    return count;
}

/* Is the process that made a group one of ours? */
typedef bool stress_maker_fn(void *ctx, unsigned long long pid, unsigned long long start);

struct stress_walk {
    stress_maker_fn *ours;
    void *ctx;
    int count;
};

static void stress_walk_groups(struct stress_walk *w, const char *dir, bool inside, int depth)
{
    unsigned long long pid_ns, time_ns, pid, start;
    char path[STRESS_PATH];
    DIR *list = depth < 12 ? opendir(dir) : NULL;
    struct dirent *entry;
    bool ours;

    while (list && (entry = readdir(list)) != NULL) {
        if (entry->d_type != DT_DIR || entry->d_name[0] == '.' ||
            snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name) >= (int)sizeof(path))
            continue;
        ours = inside || (sscanf(entry->d_name, "tako-%llu-%llu-%llu-%llu-", &pid_ns, &time_ns,
                                 &pid, &start) == 4 &&
                          w->ours(w->ctx, pid, start));
        w->count += ours;
        stress_walk_groups(w, path, ours, depth + 1);
    }
    if (list)
        closedir(list);
}

/* Groups of the engines that `ours` knows, in all hierarchies, with the groups in them. */
STRESS_UNUSED static int stress_groups(stress_maker_fn *ours, void *ctx)
{
    struct stress_walk walk = {ours, ctx, 0};
    char *line = NULL, mount[STRESS_PATH], type[32], before[STRESS_PATH] = "";
    const char *dash;
    size_t room = 0;
    FILE *f = fopen("/proc/self/mountinfo", "re");

    while (f && getline(&line, &room, f) > 0) {
        dash = strstr(line, " - ");
        if (!dash || sscanf(dash, " - %31s", type) != 1 ||
            sscanf(line, "%*s %*s %*s %*s %4095s", mount) != 1 || strncmp(type, "cgroup", 6) != 0 ||
            strcmp(mount, before) == 0)
            continue;
        stress_walk_groups(&walk, mount, false, 0);
        memcpy(before, mount, strlen(mount) + 1);
    }
    free(line);
    if (f)
        fclose(f);
    return walk.count;
}

#endif
