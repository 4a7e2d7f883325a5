/* exec_native_view.c - what a job sees as its root: the read-only parts of the host, or of a root
 * file system directory, that all jobs of an engine share. Made once, as a list of plain items that
 * the child works off (exec_native_child.c). What a job may write is mounted there, not here.
 * SPDX-License-Identifier: MIT */
#include "exec_native.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char view_passwd[] = "root:x:0:0:root:/:/usr/sbin/nologin\n"
                                  "sandbox:x:1000:1000:sandbox:/home/sandbox:/bin/sh\n"
                                  "nobody:x:65534:65534:nobody:/:/usr/sbin/nologin\n";
static const char view_group[] = "root:x:0:\nsandbox:x:1000:\nnogroup:x:65534:\n";
static const char view_hosts[] = "127.0.0.1 localhost\n::1 localhost\n";
static const char view_nsswitch[] = "passwd: files\ngroup: files\nhosts: files\n";

static int view_add(struct native_view *v, const tako_host *host, enum native_item_kind kind,
                    const char *src, const char *dst, bool is_dir)
{
    struct native_item *items;
    size_t cap;

    if (v->count == v->cap) {
        cap = v->cap ? 2 * v->cap : 32;
        items = tako__resize(host, v->items, cap * sizeof(*items));
        if (!items)
            return -1;
        v->items = items;
        v->cap = cap;
    }
    memset(&v->items[v->count], 0, sizeof(v->items[0]));
    v->items[v->count].kind = kind;
    v->items[v->count].is_dir = is_dir;
    v->items[v->count].mode = kind == NATIVE_ITEM_FILE ? 0444 : 0755;
    v->items[v->count].src = tako__strdup(host, src);
    v->items[v->count].dst = tako__strdup(host, dst);
    v->count++;
    return (src && !v->items[v->count - 1].src) || !v->items[v->count - 1].dst ? -1 : 0;
}

static int view_add_file(struct native_view *v, const tako_host *host, const char *dst,
                         const char *text)
{
    if (view_add(v, host, NATIVE_ITEM_FILE, NULL, dst, false))
        return -1;
    v->items[v->count - 1].data = text;
    v->items[v->count - 1].len = strlen(text);
    return 0;
}

/* Adds dir/name as /dst: a symbolic link as it is, a directory or file as a bind. What is not
 * there is left out: these are the parts that a root may lack. */
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
        return view_add(v, host, NATIVE_ITEM_SYMLINK, target, dst, false);
    }
    if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
        return 0;
    return view_add(v, host, NATIVE_ITEM_BIND, path, dst, S_ISDIR(st.st_mode));
}

/* The host's own programs and libraries, and the few files of /etc that they read. */
static int view_add_host(struct native_view *v, const tako_host *host)
{
    static const char *const tops[] = {"usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32"};
    static const char *const etc_files[] = {"alternatives", "ld.so.cache", "ld.so.conf",
                                            "ld.so.conf.d", "localtime",   "mime.types"};
    static const char *const certificates[] = {"ssl/certs", "ssl/openssl.cnf", "pki/tls/certs"};
    char dst[64];
    size_t i;
    int rc = 0;

    for (i = 0; i < TAKO__LEN(tops) && !rc; i++)
        rc = view_add_path(v, host, "", tops[i], tops[i]);
    if (!rc)
        rc = view_add(v, host, NATIVE_ITEM_DIR, NULL, "etc", true);
    for (i = 0; i < TAKO__LEN(etc_files) && !rc; i++) {
        snprintf(dst, sizeof(dst), "etc/%s", etc_files[i]);
        rc = view_add_path(v, host, "/etc", etc_files[i], dst);
    }
    if (rc || view_add(v, host, NATIVE_ITEM_DIR, NULL, "etc/ssl", true) ||
        view_add(v, host, NATIVE_ITEM_DIR, NULL, "etc/pki", true) ||
        view_add(v, host, NATIVE_ITEM_DIR, NULL, "etc/pki/tls", true))
        return -1;
    for (i = 0; i < TAKO__LEN(certificates) && !rc; i++) {
        snprintf(dst, sizeof(dst), "etc/%s", certificates[i]);
        rc = view_add_path(v, host, "/etc", certificates[i], dst);
    }
    if (rc || view_add_file(v, host, "etc/passwd", view_passwd) ||
        view_add_file(v, host, "etc/group", view_group) ||
        view_add_file(v, host, "etc/hosts", view_hosts) ||
        view_add_file(v, host, "etc/nsswitch.conf", view_nsswitch))
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

int native_view_make(struct native_view *v, const tako_host *host, const char *rootfs,
                     tako_error *err)
{
    static const char *const dirs[] = {"proc",  "dev",    "dev/shm", "tmp",  "run",         "code",
                                       "input", "output", "app",     "home", "home/sandbox"};
    static const char *const nodes[] = {"null", "zero", "full", "random", "urandom"};
    static const char *const links[][2] = {{"/proc/self/fd", "dev/fd"},
                                           {"/proc/self/fd/0", "dev/stdin"},
                                           {"/proc/self/fd/1", "dev/stdout"},
                                           {"/proc/self/fd/2", "dev/stderr"}};
    char src[64], dst[64];
    size_t i;
    int rc = TAKO_OK;

    memset(v, 0, sizeof(*v));
    if (rootfs)
        rc = view_add_rootfs(v, host, rootfs, err);
    else if (view_add_host(v, host))
        rc = tako__nomem(err);
    for (i = 0; i < TAKO__LEN(dirs) && rc == TAKO_OK; i++)
        if (view_add(v, host, NATIVE_ITEM_DIR, NULL, dirs[i], true))
            rc = tako__nomem(err);
    for (i = 0; i < TAKO__LEN(nodes) && rc == TAKO_OK; i++) {
        snprintf(src, sizeof(src), "/dev/%s", nodes[i]);
        snprintf(dst, sizeof(dst), "dev/%s", nodes[i]);
        if (view_add(v, host, NATIVE_ITEM_DEVICE, src, dst, false))
            rc = tako__nomem(err);
    }
    for (i = 0; i < TAKO__LEN(links) && rc == TAKO_OK; i++)
        if (view_add(v, host, NATIVE_ITEM_SYMLINK, links[i][0], links[i][1], false))
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
        tako__free(host, v->items[i].dst);
    }
    tako__free(host, v->items);
    memset(v, 0, sizeof(*v));
}
