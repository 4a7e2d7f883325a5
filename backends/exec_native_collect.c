/* exec_native_collect.c - what a job left in /output becomes artifacts.
 *
 * The job's processes are dead, and the directory is a descriptor that was opened before the job
 * began: nothing here resolves a path that the job could have changed. No link is followed, nothing
 * but regular files is read, everything refused is named with its reason.
 * SPDX-License-Identifier: MIT */
#include "exec_native.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COLLECT_ENTRIES_MAX 1024 /* directory entries looked at; the rest is one rejection */

static const char *collect_kind_fault(mode_t mode)
{
    if (S_ISREG(mode))
        return NULL;
    if (S_ISLNK(mode))
        return "is a symbolic link";
    if (S_ISDIR(mode))
        return "is a directory";
    if (S_ISFIFO(mode))
        return "is a FIFO";
    if (S_ISSOCK(mode))
        return "is a socket";
    return "is not a regular file";
}

static int collect_open(int dir_fd, const char *name)
{
    int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY;
    int fd = openat(dir_fd, name, flags);

    /* A job may have left its file without read permission; it is ours to read all the same. */
    if (fd < 0 && errno == EACCES && fchmodat(dir_fd, name, 0600, 0) == 0)
        fd = openat(dir_fd, name, flags);
    return fd;
}

static int collect_file(const tako_host *host, int dir_fd, const char *name,
                        const struct tako__sink *sink)
{
    size_t name_len = strlen(name), size, done = 0;
    const char *fault;
    char *bytes = NULL;
    struct stat st;
    ssize_t got;
    int fd = -1, rc = TAKO_OK;

    if (fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        sink->reject(sink->ctx, name, name_len, 0, "cannot be examined");
        return TAKO_OK;
    }
    fault = collect_kind_fault(st.st_mode);
    if (fault) {
        sink->reject(sink->ctx, name, name_len, 0, fault);
        return TAKO_OK;
    }
    if (st.st_nlink > 1) {
        sink->reject(sink->ctx, name, name_len, st.st_size, "has more than one name (hard link)");
        return TAKO_OK;
    }
    if (sink->admit(sink->ctx, name, name_len, st.st_size) != NULL)
        return TAKO_OK;
    fd = collect_open(dir_fd, name);
    if (fd < 0) {
        sink->reject(sink->ctx, name, name_len, st.st_size, "cannot be opened");
        return TAKO_OK;
    }
    size = (size_t)st.st_size; /* bounded by admit; nobody is left to change it */
    bytes = tako__alloc(host, size + 1);
    if (!bytes) {
        rc = TAKO_ENOMEM;
        goto out;
    }
    while (done < size) {
        got = read(fd, bytes + done, size - done);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        done += (size_t)got;
    }
    if (done == size)
        rc = sink->artifact(sink->ctx, name, bytes, size);
    else
        sink->reject(sink->ctx, name, name_len, st.st_size, "cannot be read");
out:
    tako__free(host, bytes);
    close(fd);
    return rc;
}

void native_collect(const tako_host *host, int output_fd, const struct tako__sink *sink)
{
    struct dirent *entry;
    int fd, seen = 0;
    DIR *list;

    fchmod(output_fd, 0700); /* the job may have locked itself out; it owns the directory */
    fd = openat(output_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    list = fd < 0 ? NULL : fdopendir(fd);
    if (!list) {
        if (fd >= 0)
            close(fd);
        sink->reject(sink->ctx, "", 0, 0, "the output directory cannot be listed");
        return;
    }
    while ((entry = readdir(list)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (++seen > COLLECT_ENTRIES_MAX) {
            sink->reject(sink->ctx, "", 0, 0, "more entries than are looked at");
            break;
        }
        if (collect_file(host, output_fd, entry->d_name, sink) != TAKO_OK) {
            sink->reject(sink->ctx, entry->d_name, strlen(entry->d_name), 0, "out of memory");
            break;
        }
    }
    closedir(list);
}

#undef COLLECT_ENTRIES_MAX
