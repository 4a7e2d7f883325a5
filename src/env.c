/* env.c - makes environments: requirements are installed by a step of its own, in a sandbox of its
 * own, which is the only one with network; jobs then see the result read-only.
 *
 *   DATA_DIR/environments/KEY        packages, complete: it got its name by rename
 *   DATA_DIR/environments/KEY.part   while it is made, by whoever holds the lock exclusively
 *   DATA_DIR/environments/KEY.lock   shared by those who use it, exclusive to make or remove it
 *
 * KEY is the hash of all that decides what is installed. Locks are those of flock(2): they go with
 * the process that held them, and they work between processes and between threads alike.
 * The installer runs code that its packages bring. So nothing in its tree is opened by path, links
 * are never followed, and what is neither file, directory nor link is removed.
 *
 * SPDX-License-Identifier: MIT */
#include "env.h"

#include "rules.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define ENV_DIR "environments"
#define ENV_MEMORY INT64_C(2147483648)    /* of the installer */
#define ENV_LOOK_MS 20                    /* how often to look for a lock that somebody has */
#define ENV_BYTES_MAX INT64_C(8589934592) /* of one environment */
#define ENV_ENTRIES_MAX 500000
#define ENV_DEPTH_MAX 64
#define ENV_TAIL 4096 /* of the installer's output, for the message */

/* What one preparation works with. */
struct env_work {
    tako *t;
    const struct tako__version *version;
    const char **all; /* every requirement: of the type, then of the job */
    size_t n_all;
    const char *interpreter, *uv; /* uv NULL: pip */
    char key[65];
    int dir_fd;       /* DATA_DIR/environments */
    int64_t until_us; /* monotonic */
    int64_t timeout_ms;
    const struct tako__sink *sink;
    int cancel_fd;
    struct tako__outcome *out;
    char tail[ENV_TAIL];
    size_t tail_len;
    int64_t bytes;
    long entries;
};

/* ---- ends ------------------------------------------------------------------------------------ */

static void env_refuse(struct env_work *w, const char *doing, const char *name, int error)
{
    w->out->verdict = TAKO_VERDICT_SETUP;
    (void)snprintf(w->out->message, sizeof w->out->message,
                   "The environment of its requirements cannot be kept: %s %.200s: %s", doing, name,
                   strerror(error));
}

static void env_late(struct env_work *w)
{
    int64_t timeout_ms = w->timeout_ms;

    w->out->verdict = TAKO_VERDICT_SETUP;
    w->out->startup_timeout = true;
    (void)snprintf(w->out->message, sizeof w->out->message,
                   "Startup phase exceeded time limit (%" PRId64 "%s)",
                   timeout_ms % 1000 ? timeout_ms : timeout_ms / 1000,
                   timeout_ms % 1000 ? "ms" : "s");
}

static bool env_stopped(struct env_work *w, int wait_ms)
{
    struct pollfd fd;

    fd.fd = w->cancel_fd;
    fd.events = POLLIN;
    fd.revents = 0;
    if (poll(&fd, w->cancel_fd >= 0 ? 1 : 0, wait_ms) <= 0)
        return false;
    w->out->verdict = TAKO_VERDICT_CANCELLED;
    return true;
}

/* ---- the installer --------------------------------------------------------------------------- */

static void env_write(void *ctx, int stream, const void *data, size_t len)
{
    struct env_work *w = ctx;
    const char *from = data;
    size_t keep, n = len < sizeof w->tail ? len : sizeof w->tail;

    (void)stream;
    w->sink->write(w->sink->ctx, 2, data, len);
    keep = w->tail_len + n <= sizeof w->tail ? w->tail_len : sizeof w->tail - n;
    memmove(w->tail, w->tail + w->tail_len - keep, keep);
    memcpy(w->tail + keep, from + len - n, n);
    w->tail_len = keep + n;
}

static const char *env_admit(void *ctx, const char *name, size_t name_len, int64_t bytes)
{
    (void)ctx;
    (void)name;
    (void)name_len;
    (void)bytes;
    return "an installer has no artifacts";
}

static void env_reject(void *ctx, const char *name, size_t name_len, int64_t bytes,
                       const char *reason)
{
    (void)ctx;
    (void)name;
    (void)name_len;
    (void)bytes;
    (void)reason;
}

/* The executable inside the jobs' root, or NULL. */
static const char *env_find_uv(const tako *t)
{
    static const char *const places[] = {"/usr/bin/uv", "/usr/local/bin/uv"};
    char path[4096];
    size_t i;

    for (i = 0; i < TAKO__LEN(places); i++) {
        (void)snprintf(path, sizeof path, "%s%s", t->rootfs ? t->rootfs : "", places[i]);
        if (access(path, X_OK) == 0)
            return places[i];
    }
    return NULL;
}

static size_t env_command(const struct env_work *w, const char **argv)
{
    const tako_options *o = &w->t->opts;
    size_t n = 0;

    if (w->uv) {
        argv[n++] = w->uv;
        argv[n++] = "pip";
        argv[n++] = "install";
        argv[n++] = "--python";
        argv[n++] = w->interpreter;
        argv[n++] = "--no-cache";
        argv[n++] = "--link-mode=copy";
    } else {
        argv[n++] = w->interpreter;
        argv[n++] = "-m";
        argv[n++] = "pip";
        argv[n++] = "install";
        argv[n++] = "--no-cache-dir";
        argv[n++] = "--no-input";
        argv[n++] = "--disable-pip-version-check";
        argv[n++] = "--progress-bar=off";
    }
    argv[n++] = "--target";
    argv[n++] = "/install/packages";
    if (o->wheel_dir) {
        argv[n++] = "--no-index";
        argv[n++] = "--find-links";
        argv[n++] = "/wheels";
    } else if (o->index_url) {
        argv[n++] = "--index-url";
        argv[n++] = o->index_url;
    }
    argv[n++] = "-r";
    argv[n++] = "/code/requirements.txt";
    argv[n] = NULL;
    return n;
}

/* In words that the classification of dependency errors knows (contract 2.5, rows 15-18). */
static void env_explain(struct env_work *w)
{
    static const struct {
        const char *word, *message;
    } known[] = {
        {"no matching distribution", "Failed to install required package (not found)"},
        {"no solution found", "Package dependency conflict"},
        {"externally-managed-environment", "Package installation failed (environment issue)"},
        {"connection refused", "Failed to download package (network issue)"},
        {"connection error", "Failed to download package (network issue)"},
        {"name resolution", "Failed to download package (network issue)"},
        {"failed to fetch", "Failed to download package (network issue)"},
        {"conflict", "Package dependency conflict"},
    };
    char lower[ENV_TAIL + 1];
    size_t i, from, to;

    w->out->dependency = true;
    for (i = 0; i < w->tail_len; i++)
        lower[i] = (char)(w->tail[i] >= 'A' && w->tail[i] <= 'Z' ? w->tail[i] + 32 : w->tail[i]);
    lower[w->tail_len] = '\0';
    for (i = 0; i < TAKO__LEN(known); i++) {
        if (strstr(lower, known[i].word)) {
            (void)snprintf(w->out->message, sizeof w->out->message, "%s", known[i].message);
            return;
        }
    }
    to = w->tail_len;
    while (to && (w->tail[to - 1] == '\n' || w->tail[to - 1] == '\r' || w->tail[to - 1] == ' '))
        to--;
    from = to;
    while (from && w->tail[from - 1] != '\n' && to - from < 300)
        from--;
    (void)snprintf(w->out->message, sizeof w->out->message,
                   "Failed to install required packages: %.*s", (int)(to - from), w->tail + from);
}

/* Runs the installer; true when it succeeded. */
static bool env_install(struct env_work *w, const char *part, int64_t timeout_ms, int *rc)
{
    const tako_options *o = &w->t->opts;
    const struct tako__exec_ops *exec = w->t->native;
    static const struct tako__outcome unknown = TAKO__OUTCOME_INIT;
    struct tako__outcome out = unknown;
    struct tako__mount mounts[2];
    struct tako__sink sink;
    struct tako__task task;
    struct tako__buf code;
    tako_pair pairs[8];
    const char *argv[24];
    size_t i, n = 0;

    memset(&task, 0, sizeof task);
    memset(&sink, 0, sizeof sink);
    memset(mounts, 0, sizeof mounts);
    tako__buf_init(&code, &w->t->host);
    for (i = 0; i < w->n_all; i++)
        tako__buf_printf(&code, "%s\n", w->all[i]);
    if (code.failed) {
        *rc = TAKO_ENOMEM;
        return false;
    }
    (void)env_command(w, argv);
    pairs[n++] = (tako_pair){"HOME", "/install/tmp"};
    pairs[n++] = (tako_pair){"TMPDIR", "/install/tmp"};
    pairs[n++] = (tako_pair){"XDG_CACHE_HOME", "/install/tmp"};
    if (o->proxy_url) {
        pairs[n++] = (tako_pair){"HTTP_PROXY", o->proxy_url};
        pairs[n++] = (tako_pair){"HTTPS_PROXY", o->proxy_url};
        pairs[n++] = (tako_pair){"ALL_PROXY", o->proxy_url};
    }
    mounts[0].host = part;
    mounts[0].inside = "/install";
    mounts[0].writable = true;
    mounts[1].host = o->wheel_dir;
    mounts[1].inside = "/wheels";
    task.id = w->key;
    task.type = w->version->name;
    task.attempt = 1;
    task.code = code.data;
    task.code_len = code.len;
    task.input = "{}";
    task.input_len = 2;
    task.timeout_ms = timeout_ms;
    task.memory_bytes = ENV_MEMORY;
    task.cancel_fd = w->cancel_fd;
    task.file_name = "requirements.txt";
    task.command = argv;
    task.environment = pairs;
    task.n_environment = n;
    task.cpu_percent = 200;
    task.network = o->wheel_dir == NULL;
    task.mounts = mounts;
    task.n_mounts = o->wheel_dir ? 2 : 1;
    sink.ctx = w;
    sink.write = env_write;
    sink.admit = env_admit;
    sink.reject = env_reject;
    *rc = exec->run(w->t->native_self, &task, &sink, &out);
    tako__buf_free(&code);
    if (*rc != TAKO_OK)
        return false;
    if (out.verdict == TAKO_VERDICT_EXIT && out.exit_code == 0)
        return true;
    if (out.verdict == TAKO_VERDICT_SETUP || out.verdict == TAKO_VERDICT_CANCELLED) {
        *w->out = out;
        return false;
    }
    w->out->verdict = TAKO_VERDICT_SETUP;
    w->out->exit_code = out.verdict == TAKO_VERDICT_EXIT ? out.exit_code : -1;
    if (out.verdict == TAKO_VERDICT_WALL)
        env_late(w);
    else if (out.verdict == TAKO_VERDICT_EXIT)
        env_explain(w);
    else {
        w->out->dependency = true;
        (void)snprintf(w->out->message, sizeof w->out->message,
                       "Failed to install required packages: the installer ended by %s",
                       tako_verdict_name(out.verdict));
    }
    return false;
}

/* ---- the tree -------------------------------------------------------------------------------- */

/* Makes a tree what it is to stay: readable by every job, owned by the host, nothing in it but
 * files, directories and links. 0, or an errno. */
static int env_settle(struct env_work *w, int dir, int depth)
{
    struct dirent *entry;
    struct stat st;
    int fd, error = 0;
    DIR *list;

    fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    list = fd < 0 ? NULL : fdopendir(fd);
    if (!list) {
        error = errno;
        tako__close_fd(&fd);
        return error;
    }
    while (!error && (entry = readdir(list)) != NULL) {
        const char *name = entry->d_name;

        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
            continue;
        if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
            error = errno;
            break;
        }
        if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode) && !S_ISLNK(st.st_mode)) {
            error = unlinkat(dir, name, 0) < 0 ? errno : 0;
            continue;
        }
        w->bytes += st.st_size;
        if (++w->entries > ENV_ENTRIES_MAX || w->bytes > ENV_BYTES_MAX || depth > ENV_DEPTH_MAX)
            error = EFBIG;
        if (!error && geteuid() == 0 && fchownat(dir, name, 0, 0, AT_SYMLINK_NOFOLLOW) < 0)
            error = errno;
        if (error || S_ISLNK(st.st_mode))
            continue;
        fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0 || fchmod(fd, S_ISDIR(st.st_mode) || (st.st_mode & S_IXUSR) ? 0755 : 0644) < 0)
            error = errno;
        else if (S_ISDIR(st.st_mode))
            error = env_settle(w, fd, depth + 1);
        tako__close_fd(&fd);
    }
    closedir(list);
    return error;
}

static void env_remove(int dir_fd, const char *name)
{
    int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd >= 0)
        tako__empty_dir(fd);
    tako__close_fd(&fd);
    (void)unlinkat(dir_fd, name, AT_REMOVEDIR);
}

static bool env_there(const struct env_work *w)
{
    struct stat st;

    return fstatat(w->dir_fd, w->key, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISDIR(st.st_mode);
}

/* With the lock held exclusively: installs, checks, and gives the result its name. */
static bool env_make(struct env_work *w, int64_t timeout_ms, int *rc)
{
    char part[80], path[4096];
    int fd, error = 0;
    bool done = false;

    *rc = TAKO_OK;
    (void)snprintf(part, sizeof part, "%s.part", w->key);
    (void)snprintf(path, sizeof path, "%s/" ENV_DIR "/%s", w->t->data_dir, part);
    env_remove(w->dir_fd, part); /* of a process that died over it */
    /* The executor gives it to the job's user: nobody else may reach what is open to all in it. */
    if (mkdirat(w->dir_fd, part, 0700) < 0) {
        env_refuse(w, "making", path, errno);
        return false;
    }
    fd = openat(w->dir_fd, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || mkdirat(fd, "tmp", 0777) < 0 || mkdirat(fd, "packages", 0777) < 0 ||
        fchmodat(fd, "tmp", 0777, 0) < 0 || fchmodat(fd, "packages", 0777, 0) < 0) {
        env_refuse(w, "making", path, errno);
    } else if (env_install(w, path, timeout_ms, rc)) {
        int packages = openat(fd, "packages", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        error = packages < 0 || fchmod(packages, 0755) < 0 ? errno : env_settle(w, packages, 0);
        if (!error && (syncfs(fd) < 0 || renameat(fd, "packages", w->dir_fd, w->key) < 0))
            error = errno;
        tako__close_fd(&packages);
        if (error)
            env_refuse(w, "settling", path, error);
        done = error == 0;
    }
    tako__close_fd(&fd);
    env_remove(w->dir_fd, part);
    return done;
}

/* ---- finding one ----------------------------------------------------------------------------- */

static int env_name(struct env_work *w, tako_error *err)
{
    const tako_options *o = &w->t->opts;
    char path[4096], target[256];
    struct tako__buf text;
    ssize_t len;
    size_t i;
    int rc = TAKO_OK;

    /* "python3.11": compiled packages are made for one version. */
    (void)snprintf(path, sizeof path, "%s%s", w->t->rootfs ? w->t->rootfs : "", w->interpreter);
    len = readlink(path, target, sizeof target);
    tako__buf_init(&text, &w->t->host);
    tako__buf_printf(&text, "%.*s\n", len > 0 ? (int)len : 0, target);
    tako__buf_printf(&text, "environment 1\n%s\n%s\n%s\n%s\n%s\n", w->interpreter,
                     w->uv ? w->uv : "pip", w->t->rootfs ? w->t->rootfs : "",
                     o->index_url ? o->index_url : "", o->wheel_dir ? o->wheel_dir : "");
    for (i = 0; i < w->n_all; i++)
        tako__buf_printf(&text, "%s\n", w->all[i]);
    if (text.failed)
        rc = tako__nomem(err);
    else
        tako__sha256_hex(text.data, text.len, w->key);
    tako__buf_free(&text);
    return rc;
}

static bool env_open_dir(struct env_work *w)
{
    char path[4096];
    size_t i, len;

    len = (size_t)snprintf(path, sizeof path, "%s/" ENV_DIR, w->t->data_dir);
    if (len >= sizeof path) {
        env_refuse(w, "opening", w->t->data_dir, ENAMETOOLONG);
        return false;
    }
    for (i = 1; i <= len; i++) { /* every directory on the way */
        if (path[i] != '/' && path[i] != '\0')
            continue;
        path[i] = '\0';
        if (mkdir(path, 0755) < 0 && errno != EEXIST) {
            env_refuse(w, "making", path, errno);
            return false;
        }
        if (i < len)
            path[i] = '/';
    }
    w->dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (w->dir_fd < 0)
        env_refuse(w, "opening", path, errno);
    return w->dir_fd >= 0;
}

/* Until it is there and shared, or the attempt is over. */
static int env_take(struct env_work *w, int lock_fd)
{
    int64_t left, began = tako__mono_us();
    int rc;

    for (;;) {
        bool there = env_there(w);

        if (flock(lock_fd, (there ? LOCK_SH : LOCK_EX) | LOCK_NB) == 0) {
            if (env_there(w) == there) {
                if (there)
                    return TAKO_OK;
                left = (w->until_us - tako__mono_us()) / 1000;
                if (!env_make(w, left > 0 ? left : 1, &rc))
                    return rc;
                tako__log(&w->t->host, TAKO_LOG_INFO, "env",
                          "environment %.12s with %zu requirements was made in %" PRId64 " ms",
                          w->key, w->n_all, (tako__mono_us() - began) / 1000);
            }
            (void)flock(lock_fd, LOCK_UN);
            continue;
        }
        if (errno != EWOULDBLOCK && errno != EINTR) {
            env_refuse(w, "locking", w->key, errno);
            return TAKO_OK;
        }
        if (env_stopped(w, ENV_LOOK_MS))
            return TAKO_OK;
        if (tako__mono_us() >= w->until_us) {
            env_late(w);
            return TAKO_OK;
        }
    }
}

static int env_find(struct env_work *w, struct tako__env *env)
{
    char lock[80], path[4096];
    int rc;

    (void)snprintf(lock, sizeof lock, "%s.lock", w->key);
    (void)snprintf(path, sizeof path, "%s/" ENV_DIR "/%s", w->t->data_dir, w->key);
    env->path = tako__strdup(&w->t->host, path);
    if (!env->path)
        return TAKO_ENOMEM;
    env->lock_fd = openat(w->dir_fd, lock, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (env->lock_fd < 0) {
        env_refuse(w, "opening", lock, errno);
        return TAKO_OK;
    }
    rc = env_take(w, env->lock_fd);
    if (rc == TAKO_OK && w->out->verdict == TAKO_VERDICT_NONE) /* used now: see the sweep */
        (void)utimensat(w->dir_fd, w->key, NULL, AT_SYMLINK_NOFOLLOW);
    return rc;
}

int tako__env_ready(tako *t, const struct tako__version *version, const char *const *own,
                    size_t n_own, int64_t timeout_ms, const struct tako__sink *sink, int cancel_fd,
                    struct tako__env *env, struct tako__outcome *out)
{
    int64_t began = tako__mono_us();
    struct env_work w;
    char python[32];
    size_t i;
    int rc;

    memset(&w, 0, sizeof w);
    memset(env, 0, sizeof *env);
    env->lock_fd = -1;
    w.t = t;
    w.version = version;
    w.sink = sink;
    w.cancel_fd = cancel_fd;
    w.out = out;
    w.dir_fd = -1;
    w.timeout_ms = timeout_ms;
    w.until_us = began + timeout_ms * 1000;
    if (!t->data_dir) {
        out->verdict = TAKO_VERDICT_SETUP;
        (void)snprintf(out->message, sizeof out->message,
                       "Its requirements cannot be installed: this engine has no data_dir");
        return TAKO_OK;
    }
    w.all = tako__array(&t->host, version->n_requirements + n_own, sizeof *w.all);
    if (!w.all)
        return TAKO_ENOMEM;
    for (i = 0; i < version->n_requirements; i++)
        w.all[w.n_all++] = version->requirements[i];
    for (i = 0; i < n_own; i++)
        w.all[w.n_all++] = own[i];
    w.interpreter = t->interpreter ? t->interpreter : "/usr/bin/python3";
    if (version->python_version) {
        (void)snprintf(python, sizeof python, "/usr/bin/python%s", version->python_version);
        w.interpreter = python;
    }
    w.uv = env_find_uv(t);
    rc = env_name(&w, NULL);
    if (rc == TAKO_OK && env_open_dir(&w))
        rc = env_find(&w, env);
    if (rc != TAKO_OK || out->verdict != TAKO_VERDICT_NONE)
        tako__env_leave(t, env);
    out->install_us = tako__mono_us() - began;
    tako__close_fd(&w.dir_fd);
    tako__free(&t->host, w.all);
    return rc;
}

void tako__env_leave(tako *t, struct tako__env *env)
{
    if (!env->path)
        return;
    tako__free(&t->host, env->path);
    env->path = NULL;
    if (env->lock_fd >= 0) /* a child of the host may have a copy that stays open */
        (void)flock(env->lock_fd, LOCK_UN);
    tako__close_fd(&env->lock_fd);
}

/* ---- the sweep ------------------------------------------------------------------------------- */

static bool env_unused(const tako *t, int dir_fd, const char *key, int64_t now_us)
{
    struct stat st;

    return t->opts.environment_ttl_ms && fstatat(dir_fd, key, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           S_ISDIR(st.st_mode) &&
           (int64_t)st.st_mtim.tv_sec * 1000000 <= now_us - t->opts.environment_ttl_ms * 1000;
}

/* What a process left that died over it, and the environment itself when nobody uses it. That loses
 * its name first: what is half removed must not look complete. */
static void env_sweep_one(tako *t, int dir_fd, const char *key, int64_t now_us)
{
    char lock[80], part[80];
    int fd;

    (void)snprintf(lock, sizeof lock, "%.64s.lock", key);
    (void)snprintf(part, sizeof part, "%.64s.part", key);
    fd = openat(dir_fd, lock, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0) {
        env_remove(dir_fd, part);
        if (env_unused(t, dir_fd, key, now_us) && renameat(dir_fd, key, dir_fd, part) == 0) {
            env_remove(dir_fd, part);
            tako__log(&t->host, TAKO_LOG_INFO, "env",
                      "environment %.12s was not used any more: removed", key);
        }
        (void)flock(fd, LOCK_UN);
    }
    tako__close_fd(&fd); /* the lock's file stays: whoever waits for it must find the same one */
}

void tako__env_sweep(tako *t)
{
    int64_t now_us = tako__now_us(&t->host);
    struct dirent *entry;
    char path[4096], key[65];
    bool left;
    DIR *list;

    if (!t->data_dir)
        return;
    (void)snprintf(path, sizeof path, "%s/" ENV_DIR, t->data_dir);
    list = opendir(path);
    while (list && (entry = readdir(list)) != NULL) {
        (void)snprintf(key, sizeof key, "%.64s", entry->d_name);
        left = strlen(entry->d_name) > 64 && strcmp(entry->d_name + 64, ".part") == 0;
        if (tako__hex64_ok(key) &&
            (left || (!entry->d_name[64] && env_unused(t, dirfd(list), key, now_us))))
            env_sweep_one(t, dirfd(list), key, now_us);
    }
    if (list)
        closedir(list);
}

/* ---- making one ahead ------------------------------------------------------------------------ */

/* Collects the installer's lines for a caller. */
struct env_lines {
    tako_build_fn *progress;
    void *ctx;
    char line[1024];
    size_t len;
};

static void env_line(void *ctx, int stream, const void *data, size_t len)
{
    struct env_lines *l = ctx;
    const char *bytes = data;
    char shown[1024 * 3];
    size_t i;

    (void)stream;
    for (i = 0; i < len; i++) {
        if (bytes[i] != '\n')
            l->line[l->len++] = bytes[i];
        if (bytes[i] != '\n' && l->len < sizeof l->line)
            continue;
        tako__sanitize(l->line, l->len, shown, sizeof shown);
        if (l->progress && l->len)
            l->progress(l->ctx, shown);
        l->len = 0;
    }
}

static int env_build(tako *t, const struct tako__version *v, tako_build_fn *progress, void *ctx,
                     tako_error *err)
{
    static const struct tako__outcome unknown = TAKO__OUTCOME_INIT;
    struct tako__outcome out = unknown;
    struct env_lines lines;
    struct tako__sink sink;
    struct tako__env env;
    int rc;

    memset(&lines, 0, sizeof lines);
    memset(&sink, 0, sizeof sink);
    lines.progress = progress;
    lines.ctx = ctx;
    sink.ctx = &lines;
    sink.write = env_line;
    rc = tako__env_ready(t, v, NULL, 0, v->startup_timeout_ms, &sink, -1, &env, &out);
    if (rc == TAKO_ENOMEM)
        return tako__nomem(err);
    if (lines.len)
        env_line(&lines, 2, "\n", 1);
    tako__env_leave(t, &env);
    if (rc == TAKO_OK && out.verdict == TAKO_VERDICT_NONE)
        return TAKO_OK;
    rc = out.startup_timeout ? TAKO_ETIMEDOUT : TAKO_EEXEC;
    return tako__fail(err, rc, "building job type '%s': %s", v->name,
                      out.message[0] ? out.message : "the installer could not be run");
}

int tako_build(tako *t, const char *name, const char *tag, tako_build_fn *progress, void *ctx,
               tako_error *err)
{
    struct tako__version *v = NULL;
    struct tako__type *type;
    tako_version_info info;
    struct tako__op op;
    const char *fault;
    int rc = tako__enter(t, "tako_build", TAKO__BEFORE_START, err);

    if (rc != TAKO_OK)
        return rc;
    if (!name)
        return tako__fail(err, TAKO_EINVAL, "tako_build: name is NULL");
    fault = tag ? tako__rule_tag(tag) : NULL;
    if (tag && !fault && strcmp(tag, "latest") == 0)
        fault = "it always means the newest version";
    if (fault)
        return tako__fail(err, TAKO_EINVAL, "tako_build: tag '%.80s': %s", tag, fault);
    type = tako__type_name_ok(name) ? tako__type_find(t, name) : NULL;
    if (!type || !type->sandboxed)
        return tako__fail(err, TAKO_ENOTFOUND, "tako_build: there is no job type '%.80s'%s", name,
                          type ? " that runs in a sandbox" : "");
    rc = tako__version_resolve(t, type, NULL, &v, err);
    if (rc == TAKO_OK && v->n_requirements) {
        if (!t->data_dir)
            return tako__fail(err, TAKO_EUNSUPPORTED,
                              "tako_build: job type '%s' needs requirements and this engine has no "
                              "data_dir to keep them in",
                              name);
        tako__pump_take(t); /* the executor is made once */
        rc = tako__native_open(t, err);
        tako__pump_release(t);
        if (rc == TAKO_OK)
            rc = t->native->check(t->native_self, err);
        if (rc == TAKO_OK)
            rc = env_build(t, v, progress, ctx, err);
    }
    if (rc != TAKO_OK)
        return rc;
    tako__version_info(v, &info);
    info.tag = tag ? tag : "";
    info.built_by = "manual";
    info.built_us = tako__now_us(&t->host);
    memset(&op, 0, offsetof(struct tako__op, err));
    op.kind = TAKO__OP_VERSION;
    op.version = &info;
    rc = tako__pump_do(t, &op);
    if (rc != TAKO_OK && err)
        *err = op.err;
    return rc;
}
