/* cli_files.c - files on the user's side: what a job is given, what it left, and where the
 * records of `tako run` are kept.
 *
 * Artifact names come from a job and are hostile: they are used as one path component below
 * an open directory, and no symbolic link is followed or replaced.
 * SPDX-License-Identifier: MIT */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool cli_read_file(const char *path, const char *what, size_t max, char **data, size_t *len)
{
    const char *shown = path ? path : "standard input";
    char *text = NULL;
    size_t used = 0, room = 0;
    struct stat st;
    bool ok = false;
    int fd = STDIN_FILENO;

    *data = NULL;
    *len = 0;
    if (path)
        fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0) {
        cli_say("%s: cannot read the %s: %s", shown, what, strerror(errno));
        goto out;
    }
    if (S_ISDIR(st.st_mode)) {
        cli_say("%s: cannot read the %s: it is a directory", shown, what);
        goto out;
    }
    for (;;) {
        ssize_t n;

        if (used + 1 >= room) {
            char *more;

            room = room ? room * 2 : 8192;
            more = realloc(text, room);
            if (!more) {
                cli_say("%s: out of memory while reading the %s", shown, what);
                goto out;
            }
            text = more;
        }
        n = read(fd, text + used, room - used - 1);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            cli_say("%s: cannot read the %s: %s", shown, what, strerror(errno));
            goto out;
        }
        if (n == 0)
            break;
        used += (size_t)n;
        if (used > max) {
            cli_say("%s: the %s has more than the allowed %zu bytes", shown, what, max);
            goto out;
        }
    }
    text[used] = '\0';
    *data = text;
    *len = used;
    text = NULL;
    ok = true;
out:
    if (path && fd >= 0)
        close(fd);
    free(text);
    return ok;
}

/* Makes the directories of `path` that are missing; with `last` also the last component. */
static bool files_make_dirs(const char *path, mode_t mode, bool last)
{
    char *copy = strdup(path);
    bool ok = copy != NULL;

    for (char *p = copy; ok && *p; p++) {
        if (*p != '/' || p == copy || p[-1] == '/')
            continue;
        *p = '\0';
        ok = mkdir(copy, mode) == 0 || errno == EEXIST;
        if (!ok) { /* it may be there all the same, on a read-only file system say */
            int why = errno;

            ok = access(copy, F_OK) == 0;
            errno = why;
        }
        *p = '/';
    }
    if (ok && last)
        ok = mkdir(copy, mode) == 0 || errno == EEXIST;
    free(copy);
    return ok;
}

bool cli_store_uri(const struct cli_args *args, const tako_config *c, bool create, char **uri,
                   bool *absent)
{
    const char *named = args->store;
    const char *data = getenv("XDG_DATA_HOME");
    const char *home = getenv("HOME");
    const char *file;
    struct stat st;
    int n;

    *uri = NULL;
    *absent = false;
    if (!named) {
        named = getenv("TAKO_STORE");
        if (named && !*named)
            named = NULL;
    }
    if (!named && c)
        named = tako_config_options(c)->store;
    if (named) {
        n = asprintf(uri, "%s", named);
    } else if (data && *data == '/') { /* a relative one is invalid and ignored, by its own rule */
        n = asprintf(uri, "sqlite:%s/tako/jobs.db", data);
    } else if (home && *home == '/') {
        n = asprintf(uri, "sqlite:%s/.local/share/tako/jobs.db", home);
    } else {
        cli_say("no place for the job records: give --store, or set TAKO_STORE or HOME");
        return false;
    }
    if (n < 0) {
        *uri = NULL;
        cli_say("out of memory");
        return false;
    }
    file = *uri + strlen("sqlite:");
    if (strncmp(*uri, "sqlite:", strlen("sqlite:")) == 0 && strcmp(file, ":memory:") != 0)
        *absent = stat(file, &st) != 0 && errno == ENOENT;
    if (!named && create && !files_make_dirs(file, 0700, false)) {
        cli_say("%s: cannot make the directory for the job records: %s", file, strerror(errno));
        free(*uri);
        *uri = NULL;
        return false;
    }
    return true;
}

int cli_output_dir(const char *path)
{
    char *copy = strdup(path);
    size_t len;
    int fd = -1;

    if (!copy) {
        cli_say("out of memory");
        return -1;
    }
    /* With a slash at its end even O_NOFOLLOW follows a link. */
    for (len = strlen(copy); len > 1 && copy[len - 1] == '/'; len--)
        copy[len - 1] = '\0';
    if (!files_make_dirs(copy, 0777, true)) {
        cli_say("%s: cannot make the output directory: %s", path, strerror(errno));
        goto out;
    }
    fd = open(copy, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        struct stat st;
        int why = errno;

        if (lstat(copy, &st) == 0 && S_ISLNK(st.st_mode))
            cli_say("%s: the output directory is a symbolic link; name the directory itself", path);
        else
            cli_say("%s: cannot open the output directory: %s", path, strerror(why));
    } else if (faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) != 0) {
        cli_say("%s: cannot write into the output directory: %s", path, strerror(errno));
        close(fd);
        fd = -1;
    }
out:
    free(copy);
    return fd;
}

int cli_write_all(void *ctx, const void *data, size_t len)
{
    const int *fd = ctx;
    const char *p = data;

    while (len > 0) {
        ssize_t n = write(*fd, p, len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return 1;
        p += n;
        len -= (size_t)n;
    }
    return 0;
}

bool cli_write_artifact(tako *t, int dir, const tako_artifact *artifact)
{
    const char *name = artifact->name;
    char temp[64] = "";
    tako_error err;
    struct stat st;
    bool ok = false;
    int fd = -1, rc, closed;

    if (!*name || strchr(name, '/') || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
        cli_say("artifact %s: not a file name; it was not written", name);
        return false;
    }
    if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISREG(st.st_mode)) {
        cli_say("artifact %s: not written: what has that name there is no regular file", name);
        return false;
    }
    for (unsigned i = 0; fd < 0 && i < 1000; i++) {
        snprintf(temp, sizeof temp, ".tako-%ld-%u.part", (long)getpid(), i);
        fd = openat(dir, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
        if (fd < 0 && errno != EEXIST)
            break;
    }
    if (fd < 0) {
        cli_say("artifact %s: cannot be written: %s", name, strerror(errno));
        return false;
    }
    rc = tako_content(t, artifact->sha256, cli_write_all, &fd, &err);
    if (rc > 0)
        cli_say("artifact %s: cannot be written: %s", name, strerror(errno));
    else if (rc < 0)
        cli_say("artifact %s: cannot be read back: %s", name, err.message);
    closed = close(fd); /* where a full or remote disk may say so at last */
    if (rc == 0) {
        ok = closed == 0 && renameat(dir, temp, dir, name) == 0;
        if (!ok)
            cli_say("artifact %s: cannot be written: %s", name, strerror(errno));
    }
    if (!ok)
        unlinkat(dir, temp, 0);
    return ok;
}
