/* os.c - clocks, randomness, small files, and telling processes apart across restarts.
 *
 * A process is known by boot id, pid and time namespace, pid and start time: pids are used again,
 * start times differ between boots and between time namespaces. Where that cannot be compared the
 * answer is "cannot tell", never a guess. Relies on /proc.
 *
 * SPDX-License-Identifier: MIT */
#include "base.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define OS_DIR (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452 /* Linux 6.6, the same everywhere */
#endif

int64_t tako__now_us(const tako_host *host)
{
    return host->clock.now_us(host->clock.ctx);
}

int64_t tako__mono_us(void)
{
    struct timespec ts = {0, 0};

    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int tako__random(void *out, size_t len, tako_error *err)
{
    unsigned char *at = out;
    ssize_t got;

    while (len) {
        got = getrandom(at, len, 0);
        if (got < 0) {
            if (errno == EINTR)
                continue;
            return tako__fail_errno(err, TAKO_ESYS, errno, "getting random bytes");
        }
        at += got;
        len -= (size_t)got;
    }
    return TAKO_OK;
}

int tako__uuid7(tako_id *out, tako_error *err)
{
    static const char hex[] = "0123456789abcdef";
    unsigned char raw[16];
    struct timespec now = {0, 0};
    size_t i, at = 0;
    uint64_t ms;
    int rc;

    rc = tako__random(raw, sizeof raw, err);
    if (rc != TAKO_OK)
        return rc;
    (void)clock_gettime(CLOCK_REALTIME,
                        &now); /* the machine's, also where the host lends a clock */
    ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    for (i = 0; i < 6; i++)
        raw[i] = (unsigned char)(ms >> (40 - 8 * i));
    raw[6] = (unsigned char)((raw[6] & 0x0F) | 0x70); /* version 7 */
    raw[8] = (unsigned char)((raw[8] & 0x3F) | 0x80); /* RFC 9562 variant */
    for (i = 0; i < sizeof raw; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            out->text[at++] = '-';
        out->text[at++] = hex[raw[i] >> 4];
        out->text[at++] = hex[raw[i] & 15];
    }
    out->text[at] = '\0';
    return TAKO_OK;
}

void tako__close_fd(int *fd)
{
    int saved = errno;

    if (*fd >= 0)
        (void)close(*fd); /* on Linux the descriptor is gone even after EINTR */
    *fd = -1;
    errno = saved;
}

int tako__read_small(const char *path, char *out, size_t cap)
{
    size_t len = 0;
    ssize_t got;
    int fd;

    if (cap == 0 || cap > INT_MAX) {
        errno = EINVAL;
        return -1;
    }
    out[0] = '\0';
    do
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        return -1;
    while (len < cap - 1) {
        got = read(fd, out + len, cap - 1 - len);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            tako__close_fd(&fd);
            out[0] = '\0';
            return -1;
        }
        if (got == 0)
            break;
        len += (size_t)got;
    }
    tako__close_fd(&fd);
    out[len] = '\0';
    return (int)len;
}

/* The number in the link /proc/self/ns/NAME ("pid:[4026531836]"), 0 when there is none. */
static unsigned long long os_namespace(const char *name)
{
    char path[64], link[64];
    const char *open_at;
    ssize_t len;

    (void)snprintf(path, sizeof path, "/proc/self/ns/%s", name);
    len = readlink(path, link, sizeof link - 1);
    if (len <= 0)
        return 0;
    link[len] = '\0';
    open_at = strchr(link, '[');
    return open_at ? strtoull(open_at + 1, NULL, 10) : 0;
}

/* State letter, thread count and start time (in clock ticks after boot) from a stat line. The
 * command name may contain anything, so fields count from the last ')'. */
static bool os_parse_stat(const char *text, char *state, long *threads, unsigned long long *start)
{
    const char *at = strrchr(text, ')');
    int field;

    if (!at || at[1] != ' ')
        return false;
    at += 2;
    *state = *at;
    *threads = 0;
    for (field = 3; field < 22; field++) {
        at = strchr(at, ' ');
        if (!at)
            return false;
        at++;
        if (field + 1 == 20)
            *threads = strtol(at, NULL, 10);
    }
    *start = strtoull(at, NULL, 10);
    return true;
}

/* What this process and its peers share: "boot-id:pidns-timens:". False when /proc cannot say. */
static bool os_machine(char out[128])
{
    char boot[64];
    unsigned long long pid_ns;
    int len;

    len = tako__read_small("/proc/sys/kernel/random/boot_id", boot, sizeof boot);
    pid_ns = os_namespace("pid");
    if (len < 36 || pid_ns == 0)
        return false;
    boot[36] = '\0';
    (void)snprintf(out, 128, "%s:%llu-%llu:", boot, pid_ns, os_namespace("time"));
    return true;
}

void tako__identity(char out[160])
{
    char machine[128], stat[1024], state;
    unsigned long long start;
    long threads;

    /* A /proc of another pid namespace shows another number than getpid(), or nothing. */
    if (!os_machine(machine) || tako__read_small("/proc/self/stat", stat, sizeof stat) <= 0 ||
        strtol(stat, NULL, 10) != (long)getpid() ||
        !os_parse_stat(stat, &state, &threads, &start)) {
        (void)snprintf(out, 160, "unknown:0:%ld:0", (long)getpid());
        return;
    }
    (void)snprintf(out, 160, "%s%ld:%llu", machine, (long)getpid(), start);
}

int tako__identity_alive(const char *identity)
{
    char machine[128], path[64], stat[1024], state, *end;
    unsigned long long start, then;
    long pid, threads;
    size_t len;

    if (!identity || !os_machine(machine))
        return -1;
    len = strlen(machine);
    if (strncmp(identity, machine, len) != 0)
        return -1;
    if (identity[len] < '1' || identity[len] > '9')
        return -1;
    errno = 0;
    pid = strtol(identity + len, &end, 10);
    if (errno || pid > INT_MAX || *end != ':' || end[1] < '0' || end[1] > '9')
        return -1;
    then = strtoull(end + 1, &end, 10);
    if (errno || *end)
        return -1;

    (void)snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    if (tako__read_small(path, stat, sizeof stat) <= 0) {
        /* hidepid= hides living processes of other users */
        if (kill((pid_t)pid, 0) != 0 && errno == ESRCH)
            return 0;
        return -1;
    }
    if (!os_parse_stat(stat, &state, &threads, &start))
        return -1;
    if (start != then)
        return 0; /* the number was used again */
    if (state == 'X' || state == 'x')
        return 0;
    /* Also the main thread of a process whose other threads go on is shown as a zombie. */
    if (state == 'Z' && threads <= 1)
        return 0;
    return 1;
}

/* ---- removal of a tree -------------------------------------------------------------------- */

static bool os_dir_is_dots(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static DIR *os_dir_list(int dir, const char *name)
{
    int fd = openat(dir, name, OS_DIR);
    DIR *list = fd < 0 ? NULL : fdopendir(fd);

    if (!list && fd >= 0)
        close(fd);
    return list;
}

static bool os_dir_unlink(int dir, const char *name)
{
    return unlinkat(dir, name, 0) == 0 || unlinkat(dir, name, AT_REMOVEDIR) == 0;
}

/* So that a directory can be listed and moved; never through a link (fchmodat(3) would follow). A
 * kernel without the call is asked through /proc, where the descriptor stands for the directory. */
static void os_dir_unlock(int dir, const char *name)
{
    char path[40];
    int fd;

    if (syscall(SYS_fchmodat2, dir, name, 0700, AT_SYMLINK_NOFOLLOW) == 0)
        return;
    fd = openat(dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return;
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    (void)chmod(path, 0700);
    close(fd);
}

/* Removes what is in the directory `name` of `top`, or moves it up into `top` under a new name,
 * then the directory itself; true when anything of that could be done. */
static bool os_dir_flatten(int top, const char *name, unsigned long long *fresh)
{
    DIR *list = os_dir_list(top, name);
    struct dirent *entry;
    bool done = false;
    char to[32];

    while (list && (entry = readdir(list)) != NULL) {
        if (os_dir_is_dots(entry->d_name))
            continue;
        if (os_dir_unlink(dirfd(list), entry->d_name)) {
            done = true;
            continue;
        }
        os_dir_unlock(dirfd(list), entry->d_name);
        snprintf(to, sizeof(to), "+%llu", ++*fresh);
        if (renameat2(dirfd(list), entry->d_name, top, to, RENAME_NOREPLACE) == 0)
            done = true;
    }
    if (list)
        closedir(list);
    return unlinkat(top, name, AT_REMOVEDIR) == 0 || done;
}

/* Nothing but the host can make names in `top` itself. A pass may miss entries that come while it
 * lists; so passes are repeated until there is nothing left, or nothing that can be removed. */
void tako__empty_dir(int top)
{
    unsigned long long fresh = 0;
    struct dirent *entry;
    bool left, done;
    DIR *list;

    do {
        left = done = false;
        list = os_dir_list(top, ".");
        while (list && (entry = readdir(list)) != NULL) {
            if (os_dir_is_dots(entry->d_name))
                continue;
            left = true;
            if (os_dir_unlink(top, entry->d_name)) {
                done = true;
                continue;
            }
            os_dir_unlock(top, entry->d_name);
            if (os_dir_flatten(top, entry->d_name, &fresh))
                done = true;
        }
        if (list)
            closedir(list);
    } while (left && done);
}
