/* delegate.h - as root, makes a cgroup in which an ordinary user may make groups of his own, below
 * the groups that this process is in: in each version 1 hierarchy that sandboxes use, or in version
 * 2. What was made is removed by delegate_remove().
 * SPDX-License-Identifier: MIT */
#ifndef TESTS_DELEGATE_H
#define TESTS_DELEGATE_H

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define DELEGATE_UID 65534
#define DELEGATE_UNUSED __attribute__((unused))

/* ---- a cgroup for another user --------------------------------------------------------------- */

/* Directories that were made for the delegated mode, outermost first. */
static char delegate_made[64][1024];
static int delegate_count;
static char delegate_path[512];  /* below each mount: options.cgroup */
static char delegate_join[1100]; /* v2: the host must be in the delegated part itself */

/* Makes `path` below `mount` step by step; the last directory is the user's. */
DELEGATE_UNUSED static bool delegate_make(const char *mount, const char *path, bool v2)
{
    static const char *const files[] = {"cgroup.procs", "tasks", "cgroup.subtree_control",
                                        "cgroup.threads"};
    char dir[1024], file[1100];
    const char *end = path;
    size_t i;

    while (*end) {
        end += 1 + strcspn(end + 1, "/");
        snprintf(dir, sizeof(dir), "%s%.*s", mount, (int)(end - path), path);
        if (mkdir(dir, 0755) == 0) {
            if (delegate_count < 64)
                snprintf(delegate_made[delegate_count++], sizeof(*delegate_made), "%s", dir);
        } else if (errno != EEXIST) {
            return false;
        }
    }
    if (chown(dir, DELEGATE_UID, DELEGATE_UID) < 0)
        return false;
    for (i = 0; i < sizeof(files) / sizeof(*files); i++) {
        snprintf(file, sizeof(file), "%s/%s", dir, files[i]);
        if (chown(file, DELEGATE_UID, DELEGATE_UID) < 0 && errno != ENOENT)
            return false;
    }
    if (v2)
        snprintf(delegate_join, sizeof(delegate_join), "%s/host", dir);
    return true;
}

DELEGATE_UNUSED static bool delegate_word(const char *list, const char *word)
{
    const char *at = strstr(list, word);
    size_t len = strlen(word);

    return at && (at == list || strchr(", :", at[-1])) && (!at[len] || strchr(", :\n", at[len]));
}

/* Where this process is below the mount of a controller ("" = the unified hierarchy). */
DELEGATE_UNUSED static bool delegate_own(const char *controller, const char *root, char *out,
                                         size_t size)
{
    FILE *f = fopen("/proc/self/cgroup", "re");
    char line[1024], *list, *path;
    bool found = false;

    while (f && !found && fgets(line, sizeof(line), f)) {
        line[strcspn(line, "\n")] = '\0';
        list = strchr(line, ':');
        path = list ? strchr(list + 1, ':') : NULL;
        if (!path)
            continue;
        *path++ = '\0';
        list++;
        if (*controller ? !delegate_word(list, controller) : *list != '\0')
            continue;
        if (strcmp(root, "/") != 0 && strncmp(path, root, strlen(root)) == 0)
            path += strlen(root);
        snprintf(out, size, "%s",
                 strcmp(path, "/") == 0 || strncmp(path, "/..", 3) == 0 ? "" : path);
        found = true;
    }
    if (f)
        fclose(f);
    return found;
}

/* The mount of a version 1 controller, or of version 2 when it is "". */
DELEGATE_UNUSED static bool delegate_mount(const char *controller, char *mount, char *root,
                                           size_t size)
{
    FILE *f = fopen("/proc/self/mountinfo", "re");
    char line[4096], type[32], options[512], at[1024], top[1024];
    const char *dash;
    bool found = false;

    while (f && !found && fgets(line, sizeof(line), f)) {
        dash = strstr(line, " - ");
        if (!dash || sscanf(dash, " - %31s %*s %511s", type, options) != 2 ||
            sscanf(line, "%*s %*s %*s %1023s %1023s", top, at) != 2)
            continue;
        found = *controller ? strcmp(type, "cgroup") == 0 && delegate_word(options, controller)
                            : strcmp(type, "cgroup2") == 0;
        if (found) {
            snprintf(mount, size, "%s", at);
            snprintf(root, size, "%s", top);
        }
    }
    if (f)
        fclose(f);
    return found;
}

/* Removes what runs that were killed have left beside `path`. */
DELEGATE_UNUSED static void delegate_sweep(const char *mount, const char *path)
{
    char parent[1500], dir[1800];
    struct dirent *entry;
    DIR *list;
    int pid;

    snprintf(parent, sizeof(parent), "%s%.*s", mount, (int)(strrchr(path, '/') - path), path);
    list = opendir(parent);
    while (list && (entry = readdir(list)) != NULL)
        if (sscanf(entry->d_name, "tako-test-%d", &pid) == 1 && kill(pid, 0) < 0) {
            snprintf(dir, sizeof(dir), "%s/%s/host", parent, entry->d_name);
            rmdir(dir);
            dir[strlen(dir) - 5] = '\0';
            rmdir(dir); /* refused while anything is in it */
        }
    if (list)
        closedir(list);
}

/* False with the reason when this machine cannot give a user a part of its groups. */
DELEGATE_UNUSED static bool delegate(char *why, size_t size)
{
    static const char *const controllers[] = {"memory", "pids", "cpu", "cpuacct"};
    char mount[1024], root[1024], own[256], file[1400];
    size_t i;
    int fd, done = 0;

    snprintf(why, size, "no memory controller");
    if (delegate_mount("memory", mount, root, sizeof(mount))) {
        if (!delegate_own("memory", root, own, sizeof(own)))
            return false;
        snprintf(delegate_path, sizeof(delegate_path), "%s/tako-test-%d", own, (int)getpid());
        for (i = 0; i < 4; i++)
            if (delegate_mount(controllers[i], mount, root, sizeof(mount))) {
                snprintf(why, size, "making %.100s in %.100s", delegate_path, mount);
                delegate_sweep(mount, delegate_path);
                if (!delegate_make(mount, delegate_path, false))
                    return false;
                done++;
            }
        return done > 0;
    }
    if (!delegate_mount("", mount, root, sizeof(mount)) ||
        !delegate_own("", root, own, sizeof(own)))
        return false;
    snprintf(delegate_path, sizeof(delegate_path), "%s/tako-test-%d", own, (int)getpid());
    snprintf(why, size, "making %.100s in %.100s", delegate_path, mount);
    for (i = 0; i < 3; i++) {
        snprintf(file, sizeof(file), "%s%s/cgroup.subtree_control", mount, own);
        fd = open(file, O_WRONLY | O_CLOEXEC);
        if (fd >= 0 && dprintf(fd, "+%s", controllers[i]) < 0)
            snprintf(why, size, "enabling %s in %.200s: %s", controllers[i], file, strerror(errno));
        if (fd >= 0)
            close(fd);
    }
    delegate_sweep(mount, delegate_path);
    if (!delegate_make(mount, delegate_path, true))
        return false;
    snprintf(file, sizeof(file), "%.500s/host", delegate_path);
    return delegate_make(mount, file, false);
}

DELEGATE_UNUSED static void delegate_remove(void)
{
    static const struct timespec pause = {0, 10000000};
    int tries;

    while (delegate_count > 0) {
        delegate_count--;
        for (tries = 0; tries < 100 && rmdir(delegate_made[delegate_count]) < 0 && errno == EBUSY;
             tries++)
            nanosleep(&pause, NULL);
    }
}

/* Before the change of user: moves this process into the delegated part, where it must be in
 * version 2. */
DELEGATE_UNUSED static bool delegate_enter(void)
{
    char path[1200];
    bool ok;
    int fd;

    if (!*delegate_join)
        return true;
    snprintf(path, sizeof(path), "%s/cgroup.procs", delegate_join);
    fd = open(path, O_WRONLY | O_CLOEXEC);
    ok = fd >= 0 && write(fd, "0", 1) == 1;
    if (fd >= 0)
        close(fd);
    return ok;
}

#endif
