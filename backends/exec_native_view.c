/* exec_native_view.c - what a job sees as its root: the read-only parts of the host, or of a root
 * file system directory, that all jobs of an engine share. Made once, as a list of plain items that
 * the child works off (exec_native_child.c). What a job may write is mounted there, not here.
 * SPDX-License-Identifier: MIT */
#include "exec_native.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char view_passwd[] = "root:x:0:0:root:/:/usr/sbin/nologin\n"
                                  "sandbox:x:1000:1000:sandbox:/home/sandbox:/bin/sh\n"
                                  "nobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n";
static const char view_group[] = "root:x:0:\nsandbox:x:1000:\nnogroup:x:65534:\n";
static const char view_hosts[] = "127.0.0.1 localhost\n::1 localhost\n";
static const char view_nsswitch[] = "passwd: files\ngroup: files\nhosts: files\n";

#define VIEW_FILE_MAX 1048576 /* of a single file that is copied into every sandbox */
#define VIEW_MOUNTS_MAX 64    /* mounts inside the shown directories */

void native_mount_unescape(char *s)
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

static struct native_item *view_add(struct native_view *v, const tako_host *host,
                                    enum native_item_kind kind, const char *src, const char *dst)
{
    static const char prefix[] = NATIVE_MOUNT_AT "/";
    struct native_item *items, *item;
    size_t cap, len = strlen(dst);

    if (v->count == v->cap) {
        cap = v->cap ? 2 * v->cap : 32;
        items = tako__resize(host, v->items, cap * sizeof(*items));
        if (!items)
            return NULL;
        v->items = items;
        v->cap = cap;
    }
    item = &v->items[v->count];
    memset(item, 0, sizeof(*item));
    item->kind = kind;
    item->mode = kind == NATIVE_ITEM_FILE ? 0444 : 0755;
    item->src = tako__strdup(host, src);
    item->at = tako__alloc(host, sizeof(prefix) + len);
    v->count++;
    if ((src && !item->src) || !item->at)
        return NULL;
    memcpy(item->at, prefix, sizeof(prefix) - 1);
    memcpy(item->at + sizeof(prefix) - 1, dst, len + 1);
    item->dst = item->at + sizeof(prefix) - 1;
    return item;
}

static int view_add_text(struct native_view *v, const tako_host *host, const char *dst,
                         const char *text)
{
    struct native_item *item = view_add(v, host, NATIVE_ITEM_FILE, NULL, dst);

    if (!item)
        return -1;
    item->data = text;
    item->len = strlen(text);
    v->bytes += (int64_t)item->len;
    return 0;
}

/* A copy of a file of the host; one that is too large, or cannot be read, is left out. */
static int view_add_copy(struct native_view *v, const tako_host *host, const char *path,
                         const char *dst, size_t size)
{
    struct native_item *item;
    char *bytes;
    ssize_t got = -1;
    int fd;

    if (size > VIEW_FILE_MAX) {
        tako__log(host, TAKO_LOG_WARN, "native", "%s is not shown to jobs: larger than %d bytes",
                  path, VIEW_FILE_MAX);
        return 0;
    }
    bytes = tako__alloc(host, size + 1);
    if (!bytes)
        return -1;
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd >= 0) {
        got = read(fd, bytes, size);
        close(fd);
    }
    item = got < 0 ? NULL : view_add(v, host, NATIVE_ITEM_FILE, NULL, dst);
    if (!item) {
        tako__free(host, bytes);
        return got < 0 ? 0 : -1;
    }
    item->src = bytes;
    item->data = bytes;
    item->len = (size_t)got;
    v->bytes += got;
    return 0;
}

/* An overlay shows one file system: what is mounted inside the directory gets an item of its own,
 * in the order of mounting. */
static int view_add_mounts(struct native_view *v, const tako_host *host, const char *path,
                           const char *dst)
{
    char real[PATH_MAX], below[PATH_MAX], at[PATH_MAX + 64];
    struct native_item *item;
    struct stat st;
    size_t len, room = 0, count = 0;
    char *line = NULL;
    int rc = 0;
    FILE *list;

    if (!realpath(path, real))
        return 0;
    len = strlen(real);
    list = fopen("/proc/self/mountinfo", "re");
    while (list && !rc && count < VIEW_MOUNTS_MAX && getline(&line, &room, list) > 0) {
        if (sscanf(line, "%*s %*s %*s %*s %4095s", below) != 1)
            continue;
        native_mount_unescape(below);
        if (strncmp(below, real, len) != 0 || below[len] != '/' || lstat(below, &st) < 0 ||
            !S_ISDIR(st.st_mode))
            continue;
        snprintf(at, sizeof(at), "%s%s", dst, below + len);
        item = view_add(v, host, NATIVE_ITEM_OVERLAY, below, at);
        if (item)
            item->below_other = true;
        else
            rc = -1;
        count++;
    }
    free(line);
    if (list)
        fclose(list);
    return rc;
}

/* Adds dir/name as /dst: a symbolic link as it is, a directory read-only, a file as a copy. What is
 * not there is left out: these are the parts that a root may lack. */
static int view_add_path(struct native_view *v, const tako_host *host, const char *dir,
                         const char *name, const char *dst)
{
    char path[4096], target[4096];
    struct stat st;
    ssize_t len;

    if (snprintf(path, sizeof(path), "%s/%s", dir, name) >= (int)sizeof(path) ||
        lstat(path, &st) < 0)
        return 0;
    if (S_ISLNK(st.st_mode)) {
        len = readlink(path, target, sizeof(target) - 1);
        if (len <= 0)
            return 0;
        target[len] = '\0';
        return view_add(v, host, NATIVE_ITEM_SYMLINK, target, dst) ? 0 : -1;
    }
    if (S_ISREG(st.st_mode))
        return view_add_copy(v, host, path, dst, (size_t)st.st_size);
    if (!S_ISDIR(st.st_mode))
        return 0;
    return view_add(v, host, NATIVE_ITEM_OVERLAY, path, dst) ? view_add_mounts(v, host, path, dst)
                                                             : -1;
}

static int view_add_dir(struct native_view *v, const tako_host *host, const char *dst)
{
    return view_add(v, host, NATIVE_ITEM_DIR, NULL, dst) ? 0 : -1;
}

/* The host's own programs and libraries, and the few files of /etc that they read. */
static int view_add_host(struct native_view *v, const tako_host *host)
{
    static const char *const tops[] = {"usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32"};
    static const char *const etc_files[] = {"alternatives", "ld.so.cache", "localtime"};
    static const char *const certificates[] = {"ssl/certs", "ssl/openssl.cnf", "pki/tls/certs"};
    char dst[64];
    size_t i;
    int rc = 0;

    for (i = 0; i < TAKO__LEN(tops) && !rc; i++)
        rc = view_add_path(v, host, "", tops[i], tops[i]);
    if (!rc)
        rc = view_add_dir(v, host, "etc");
    for (i = 0; i < TAKO__LEN(etc_files) && !rc; i++) {
        snprintf(dst, sizeof(dst), "etc/%s", etc_files[i]);
        rc = view_add_path(v, host, "/etc", etc_files[i], dst);
    }
    if (rc || view_add_dir(v, host, "etc/ssl") || view_add_dir(v, host, "etc/pki") ||
        view_add_dir(v, host, "etc/pki/tls"))
        return -1;
    for (i = 0; i < TAKO__LEN(certificates) && !rc; i++) {
        snprintf(dst, sizeof(dst), "etc/%s", certificates[i]);
        rc = view_add_path(v, host, "/etc", certificates[i], dst);
    }
    if (rc || view_add_text(v, host, "etc/passwd", view_passwd) ||
        view_add_text(v, host, "etc/group", view_group) ||
        view_add_text(v, host, "etc/hosts", view_hosts) ||
        view_add_text(v, host, "etc/nsswitch.conf", view_nsswitch))
        return -1;
    return 0;
}

/* Every top-level entry of a root file system directory but those that the sandbox makes itself.
 * Links are recreated, never followed here. */
static int view_add_rootfs(struct native_view *v, const tako_host *host, const char *rootfs,
                           tako_error *err)
{
    static const char *const own[] = {".",    "..",   "proc",  "sys",    "dev",       "tmp",
                                      "run",  "code", "input", "output", "app",       "home",
                                      "root", "boot", "mnt",   "media",  "lost+found"};
    struct dirent *entry;
    DIR *list = opendir(rootfs);
    size_t i;
    int rc = 0;

    if (!list)
        return tako__fail_errno(err, TAKO_EINVAL, errno, "opening the root file system %s", rootfs);
    while (!rc && (entry = readdir(list)) != NULL) {
        for (i = 0; i < TAKO__LEN(own) && strcmp(own[i], entry->d_name) != 0; i++)
            ;
        if (i == TAKO__LEN(own))
            rc = view_add_path(v, host, rootfs, entry->d_name, entry->d_name);
    }
    closedir(list);
    return rc ? tako__nomem(err) : TAKO_OK;
}

static int view_add_devices(struct native_view *v, const tako_host *host, bool nodes)
{
    static const char *const names[] = {"null", "zero", "full", "random", "urandom"};
    struct native_item *item;
    char src[64], dst[64];
    struct stat st;
    size_t i;

    for (i = 0; i < TAKO__LEN(names); i++) {
        snprintf(src, sizeof(src), "/dev/%s", names[i]);
        snprintf(dst, sizeof(dst), "dev/%s", names[i]);
        item = view_add(v, host, NATIVE_ITEM_DEVICE, src, dst);
        if (!item)
            return -1;
        if (nodes && stat(src, &st) == 0 && S_ISCHR(st.st_mode)) {
            item->kind = NATIVE_ITEM_NODE;
            item->device = st.st_rdev;
        }
    }
    return 0;
}

int native_view_make(struct native_view *v, const tako_host *host, const char *rootfs, bool nodes,
                     tako_error *err)
{
    /* proc first: overlays need an empty directory */
    static const char *const dirs[] = {"proc", "app",   "dev",    "dev/shm", "tmp",         "run",
                                       "code", "input", "output", "home",    "home/sandbox"};
    static const char *const links[][2] = {{"/proc/self/fd", "dev/fd"},
                                           {"/proc/self/fd/0", "dev/stdin"},
                                           {"/proc/self/fd/1", "dev/stdout"},
                                           {"/proc/self/fd/2", "dev/stderr"}};
    size_t i;
    int rc = TAKO_OK;

    memset(v, 0, sizeof(*v));
    for (i = 0; i < TAKO__LEN(dirs) && rc == TAKO_OK; i++)
        if (view_add_dir(v, host, dirs[i]))
            rc = tako__nomem(err);
    if (rc == TAKO_OK && rootfs)
        rc = view_add_rootfs(v, host, rootfs, err);
    else if (rc == TAKO_OK && view_add_host(v, host))
        rc = tako__nomem(err);
    if (rc == TAKO_OK && view_add_devices(v, host, nodes))
        rc = tako__nomem(err);
    for (i = 0; i < TAKO__LEN(links) && rc == TAKO_OK; i++)
        if (!view_add(v, host, NATIVE_ITEM_SYMLINK, links[i][0], links[i][1]))
            rc = tako__nomem(err);
    if (rc != TAKO_OK)
        native_view_free(v, host);
    return rc;
}

void native_view_free(struct native_view *v, const tako_host *host)
{
    size_t i;

    for (i = 0; i < v->count; i++) {
        tako__free(host, v->items[i].src);
        tako__free(host, v->items[i].at);
    }
    tako__free(host, v->items);
    memset(v, 0, sizeof(*v));
}

#undef VIEW_FILE_MAX
#undef VIEW_MOUNTS_MAX
