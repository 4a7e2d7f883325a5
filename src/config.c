/* config.c - loads a configuration: finds the file, reads it, lets variables win, checks the rules
 * between keys, fills the options for tako_open; and opens an engine with all that.
 *
 * Loading reads the environment and files, and writes neither. Every problem is told before it
 * gives up.
 * SPDX-License-Identifier: MIT */
#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CONFIG_PREFIX "TAKO_VM_"
#define CONFIG_ENV_NAME 96 /* room for the whole name of a variable */

extern char **environ;

/* ---- memory --------------------------------------------------------------------------------- */

struct config_block {
    struct config_block *next;
    max_align_t data[];
};

void *tako__config_alloc(struct tako_config *c, size_t count, size_t size)
{
    struct config_block *block = NULL;
    size_t bytes;

    if (!__builtin_mul_overflow(count, size, &bytes) &&
        !__builtin_add_overflow(bytes, sizeof *block, &bytes))
        block = tako__alloc(&c->host, bytes);
    if (!block) {
        c->nomem = true;
        return NULL;
    }
    block->next = c->blocks;
    c->blocks = block;
    return block->data;
}

char *tako__config_text(struct tako_config *c, const char *text)
{
    size_t len = strlen(text) + 1;
    char *copy = tako__config_alloc(c, len, 1);

    if (copy)
        memcpy(copy, text, len);
    return copy;
}

/* ---- problems ------------------------------------------------------------------------------- */

void tako__config_problem(struct tako_config *c, tako_level level,
                          const struct tako__config_place *at, const char *fmt, ...)
{
    struct tako__buf text;
    char what[512];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    tako__buf_init(&text, &c->host);
    if (at->env)
        tako__buf_printf(&text, "%s: ", at->env);
    else if (c->file && at->line > 0)
        tako__buf_printf(&text, "%s:%d:%d: ", c->file, at->line, at->column);
    else if (c->file)
        tako__buf_printf(&text, "%s: ", c->file);
    if (at->key && !at->env)
        tako__buf_printf(&text, "%s: ", at->key);
    tako__buf_puts(&text, what);
    if (text.failed) {
        c->nomem = true;
    } else {
        if (level == TAKO_LOG_ERROR && c->errors++ == 0)
            (void)tako__fail(&c->first, TAKO_EINVAL, "%s", text.data);
        if (c->problem)
            c->problem(c->ctx, level, text.data);
    }
    tako__buf_free(&text);
}

/* ---- paths ---------------------------------------------------------------------------------- */

/* A variable that has a value, or NULL. */
static const char *config_env(const char *name)
{
    const char *value = getenv(name);

    return value && *value ? value : NULL;
}

static char *config_join(struct tako_config *c, const char *dir, const char *name)
{
    size_t dir_len = strlen(dir), len;
    char *path;

    while (dir_len > 0 && dir[dir_len - 1] == '/')
        dir_len--;
    while (name[0] == '.' && name[1] == '/')
        name += 2;
    len = dir_len + strlen(name) + 2;
    path = tako__config_alloc(c, len, 1);
    if (path)
        (void)snprintf(path, len, "%.*s/%s", (int)dir_len, dir, name);
    return path;
}

char *tako__config_path(struct tako_config *c, const char *base, const char *text)
{
    const char *home = config_env("HOME");

    if (text[0] == '~' && text[1] == '/' && home)
        return config_join(c, home, text + 2);
    if (*text == '/' || !base)
        return tako__config_text(c, text);
    return config_join(c, base, text);
}

/* The absolute directory of a file. */
static const char *config_dir(struct tako_config *c, const char *file)
{
    char *path = tako__config_path(c, c->cwd, file);
    char *slash = path ? strrchr(path, '/') : NULL;

    if (slash)
        slash[slash == path] = '\0';
    return path;
}

static int config_start(struct tako_config *c, tako_error *err)
{
    char cwd[PATH_MAX];

    if (!getcwd(cwd, sizeof cwd))
        return tako__fail_errno(err, TAKO_ESYS, errno, "the working directory cannot be named");
    c->cwd = c->base = tako__config_text(c, cwd);
    tako__config_defaults(c);
    return c->nomem ? tako__nomem(err) : TAKO_OK;
}

/* The file to be read, or NULL when there is none. */
static int config_find(struct tako_config *c, const char *path, const char **file, tako_error *err)
{
    static const char *const usual[] = {"./tako_vm.yaml", "./config/tako_vm.yaml",
                                        "~/.tako_vm/config.yaml", "/etc/tako_vm/config.yaml"};
    const char *named = config_env(CONFIG_PREFIX "CONFIG");
    struct stat st;
    size_t i;

    *file = NULL;
    if (path) {
        if (stat(path, &st) != 0 && (errno == ENOENT || errno == ENOTDIR))
            return tako__fail(err, TAKO_ENOTFOUND, "Config file not found: %.400s", path);
        *file = tako__config_text(c, path);
        return *file ? TAKO_OK : tako__nomem(err);
    }
    for (i = 0; i < TAKO__LEN(usual) + 1; i++) {
        const char *one = i == 0 ? named : usual[i - 1];

        if (!one || (*one == '~' && !config_env("HOME")))
            continue;
        one = *one == '~' ? tako__config_path(c, NULL, one) : tako__config_text(c, one);
        if (!one)
            return tako__nomem(err);
        if (stat(one, &st) == 0 || (errno != ENOENT && errno != ENOTDIR)) {
            *file = one; /* also when it cannot be read: that must not be passed over */
            return TAKO_OK;
        }
    }
    return TAKO_OK;
}

/* ---- the file ------------------------------------------------------------------------------- */

#ifndef TAKO_OMIT_YAML
/* All of the file, one byte more than is allowed at most. */
static int config_read(struct tako_config *c, struct tako__buf *text, tako_error *err)
{
    char part[8192];
    struct stat st;
    ssize_t n = 0;
    int fd = open(c->file, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), rc = TAKO_OK;

    if (fd < 0 || fstat(fd, &st) != 0)
        rc = tako__fail_errno(err, TAKO_ESYS, errno, "%.300s: the configuration cannot be read",
                              c->file);
    else if (!S_ISREG(st.st_mode))
        rc = tako__fail(err, TAKO_ESYS,
                        "%.300s: the configuration cannot be read: it is %s, not a file", c->file,
                        S_ISDIR(st.st_mode) ? "a directory" : "a device or a pipe");
    while (rc == TAKO_OK && text->len <= TAKO__YAML_BYTES_MAX) {
        n = read(fd, part, sizeof part);
        if (n > 0)
            tako__buf_add(text, part, (size_t)n);
        if (n == 0)
            break;
        if (n < 0 && errno != EINTR)
            rc = tako__fail_errno(err, TAKO_ESYS, errno, "%.300s: the configuration cannot be read",
                                  c->file);
    }
    if (rc == TAKO_OK && text->failed)
        rc = tako__nomem(err);
    tako__close_fd(&fd);
    return rc;
}

static void config_yaml_fault(void *ctx, int line, int column, const char *text)
{
    struct tako__config_place at = {NULL, line, column, NULL};

    tako__config_problem(ctx, TAKO_LOG_ERROR, &at, "%s", text);
}

/* The names that may stand in a group (NULL = at the top), NULL-terminated. */
static const char **config_names(struct tako_config *c, const char *group)
{
    size_t count, i, n = 0;
    const struct tako__config_key *keys = tako__config_keys(&count);
    const char **names = tako__config_alloc(c, count + 3, sizeof *names);

    for (i = 0; names && i < count; i++)
        if (group ? keys[i].group && strcmp(keys[i].group, group) == 0 : !keys[i].group)
            names[n++] = keys[i].name;
    if (names && !group) {
        names[n++] = "container_limits";
        names[n] = "job_types";
    }
    return names;
}

static void config_entries(struct tako_config *c, const struct tako__yaml *map, const char *group,
                           const struct tako__yaml **types)
{
    const char **names = config_names(c, group);
    size_t count, i;
    const struct tako__config_key *keys = tako__config_keys(&count);
    const struct tako__yaml *e;

    for (e = map->first; e && names && !c->nomem; e = e->next) {
        char path[TAKO__CONFIG_PATH], shown[TAKO__CONFIG_SHOWN];
        struct tako__config_place at = {NULL, e->key_line, e->key_column, path};

        (void)snprintf(path, sizeof path, "%s%s%s", group ? group : "", group ? "." : "",
                       tako__config_shown(shown, "", e->key));
        for (i = 0; i < count; i++)
            if (strcmp(keys[i].name, e->key) == 0 && !group == !keys[i].group)
                break;
        if (i < count) {
            at.line = e->line;
            at.column = e->column;
            if (e->kind != TAKO__YAML_BAD)
                (void)tako__config_take(c, &keys[i], e, &at, &c->values[i]);
        } else if (!group && strcmp(e->key, "job_types") == 0) {
            *types = e;
        } else if (!group && strcmp(e->key, "container_limits") == 0) {
            at.line = e->line;
            at.column = e->column;
            if (e->kind == TAKO__YAML_MAP)
                config_entries(c, e, e->key, types);
            else if (e->kind != TAKO__YAML_BAD)
                tako__config_problem(c, TAKO_LOG_ERROR, &at, "must be a mapping of its own keys");
        } else {
            tako__config_unknown(c, &at, e->key, names);
        }
    }
}

/* Reads the file into values; *root and *types are for later. */
static int config_file(struct tako_config *c, struct tako__yaml **root,
                       const struct tako__yaml **types, tako_error *err)
{
    struct tako__config_place at = {NULL, 1, 1, NULL};
    struct tako__buf text;
    int rc;

    tako__buf_init(&text, &c->host);
    rc = config_read(c, &text, err);
    if (rc == TAKO_OK)
        rc = tako__yaml_parse(&c->host, text.data ? text.data : "", text.len, config_yaml_fault, c,
                              root, err);
    tako__buf_free(&text);
    if (rc == TAKO_EINVAL)
        return TAKO_OK; /* told as a problem */
    if (rc == TAKO_OK && *root && (*root)->kind != TAKO__YAML_MAP) {
        at.line = (*root)->line;
        at.column = (*root)->column;
        if ((*root)->kind != TAKO__YAML_BAD)
            tako__config_problem(c, TAKO_LOG_ERROR, &at,
                                 "a configuration is a mapping of keys to values");
    } else if (rc == TAKO_OK && *root) {
        config_entries(c, *root, NULL, types);
    }
    return rc;
}

static void config_file_end(struct tako_config *c, struct tako__yaml *root)
{
    tako__yaml_free(&c->host, root);
}
#else
static int config_file(struct tako_config *c, struct tako__yaml **root,
                       const struct tako__yaml **types, tako_error *err)
{
    (void)root;
    (void)types;
    return tako__fail(err, TAKO_EUNSUPPORTED,
                      "%.300s: reading a configuration needs libyaml, which was left out of this "
                      "build",
                      c->file);
}

static void config_file_end(struct tako_config *c, struct tako__yaml *root)
{
    (void)c;
    (void)root;
}
#endif

/* ---- variables ------------------------------------------------------------------------------ */

static void config_variables(struct tako_config *c)
{
    size_t count, i;
    const struct tako__config_key *keys = tako__config_keys(&count);
    char name[CONFIG_ENV_NAME];
    struct tako__config_place at = {name, 0, 0, NULL};

    for (i = 0; i < count && !c->nomem; i++) {
        const char *value;

        if (!keys[i].env)
            continue;
        (void)snprintf(name, sizeof name, CONFIG_PREFIX "%s", keys[i].env);
        value = config_env(name);
        at.key = keys[i].name;
        if (value)
            (void)tako__config_take_env(c, &keys[i], value, &at, &c->values[i]);
    }
}

/* A variable that looks like one of ours and is none would change nothing, unnoticed. */
static void config_strangers(struct tako_config *c)
{
    size_t count, i, len, prefix = sizeof CONFIG_PREFIX - 1;
    const struct tako__config_key *keys = tako__config_keys(&count);
    char name[CONFIG_ENV_NAME], shown[TAKO__CONFIG_SHOWN];
    struct tako__config_place at = {name, 0, 0, NULL};
    char **e;

    for (e = environ; e && *e; e++) {
        if (strncmp(*e, CONFIG_PREFIX, prefix) != 0)
            continue;
        len = strcspn(*e, "=");
        if (len - prefix == 6 && strncmp(*e + prefix, "CONFIG", 6) == 0)
            continue;
        for (i = 0; i < count; i++)
            if (keys[i].env && strlen(keys[i].env) == len - prefix &&
                strncmp(*e + prefix, keys[i].env, len - prefix) == 0)
                break;
        if (i < count)
            continue;
        (void)snprintf(name, sizeof name, "%.*s", (int)(len < 80 ? len : 80), *e);
        (void)snprintf(name, sizeof name, "%s", tako__config_shown(shown, "", name));
        tako__config_problem(c, TAKO_LOG_WARN, &at,
                             "is no variable that sets anything; use the key in a file");
    }
}

/* ---- rules between keys --------------------------------------------------------------------- */

static struct tako__config_place config_place(const struct tako_config *c, const char *name,
                                              char env[CONFIG_ENV_NAME])
{
    const struct tako__config_value *value = tako__config_get(c, name);
    struct tako__config_place at = {NULL, value->line, value->column, name};
    size_t count, i;
    const struct tako__config_key *keys = tako__config_keys(&count);

    for (i = 0; value->env && i < count; i++) {
        if (strcmp(keys[i].name, name) == 0) {
            (void)snprintf(env, CONFIG_ENV_NAME, CONFIG_PREFIX "%s", keys[i].env);
            at.env = env;
        }
    }
    return at;
}

static void config_order(struct tako_config *c, const char *low, const char *high)
{
    const struct tako__config_value *a = tako__config_get(c, low), *b = tako__config_get(c, high);
    char env[CONFIG_ENV_NAME];
    struct tako__config_place at;

    if (a->number <= b->number)
        return;
    /* Where somebody wrote something, not at a default. */
    at = config_place(c, a->set ? low : high, env);
    if (a->set)
        tako__config_problem(c, TAKO_LOG_ERROR, &at,
                             "%" PRId64 " must not be more than %s, which is %" PRId64, a->number,
                             high, b->number);
    else
        tako__config_problem(c, TAKO_LOG_ERROR, &at,
                             "%" PRId64 " must not be less than %s, which is %" PRId64, b->number,
                             low, a->number);
}

static bool config_loopback(const char *host)
{
    static const char name[] = "localhost";
    struct in_addr v4;
    size_t i;

    if (inet_pton(AF_INET, host, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    for (i = 0; host[i] && (host[i] | 0x20) == name[i]; i++)
        ;
    return strcmp(host, "::1") == 0 || strcmp(host, "[::1]") == 0 || (!host[i] && !name[i]);
}

static void config_rules(struct tako_config *c)
{
    const bool permissive = strcmp(tako__config_get(c, "security_mode")->text, "permissive") == 0;
    const bool production = tako__config_get(c, "production_mode")->number != 0;
    const bool auth = tako__config_get(c, "api_auth_enabled")->number != 0;
    const struct tako__config_value *host = tako__config_get(c, "server_host");
    char env[CONFIG_ENV_NAME];
    struct tako__config_place at = config_place(c, "security_mode", env);

    config_order(c, "default_timeout", "max_timeout");
    config_order(c, "default_startup_timeout", "max_startup_timeout");
    config_order(c, "nofile_soft", "nofile_hard");
    config_order(c, "nproc_soft", "nproc_hard");
    if (permissive && production)
        tako__config_problem(c, TAKO_LOG_ERROR, &at,
                             "must be strict, for production_mode is true: jobs must not run "
                             "without a layer of the sandbox");
    else if (permissive)
        tako__config_problem(c, TAKO_LOG_WARN, &at,
                             "permissive: jobs run even when a layer of the sandbox is missing");
    at = config_place(c, "api_auth_enabled", env);
    if (auth && tako__config_get(c, "api_keys")->n_items == 0)
        tako__config_problem(c, TAKO_LOG_ERROR, &at, "is true, so api_keys must have a key");
    if (!auth && host->set && !config_loopback(host->text)) {
        at = config_place(c, "server_host", env);
        if (production || !tako__config_get(c, "allow_unauthenticated_network_access")->number)
            tako__config_problem(c, TAKO_LOG_ERROR, &at,
                                 "anybody in the network could run jobs: set api_auth_enabled, or "
                                 "name a loopback address%s",
                                 production ? "" : ", or set allow_unauthenticated_network_access");
        else
            tako__config_problem(c, TAKO_LOG_WARN, &at, "anybody in the network can run jobs");
    }
}

/* ---- the options ---------------------------------------------------------------------------- */

static void config_put(struct tako_config *c, const struct tako__config_key *key,
                       const struct tako__config_value *value)
{
    char *base = key->into == TAKO__CONFIG_LIMITS ? (char *)&c->limits : (char *)&c->options;
    int64_t wide;
    int narrow;

    if (key->into == TAKO__CONFIG_NOWHERE)
        return;
    switch (key->member) {
    case TAKO__CONFIG_AS_INT:
        narrow = (int)value->number; /* its bounds are those of small numbers */
        memcpy(base + key->at, &narrow, sizeof narrow);
        break;
    case TAKO__CONFIG_AS_INT64:
        wide = value->number * key->scale;
        memcpy(base + key->at, &wide, sizeof wide);
        break;
    case TAKO__CONFIG_AS_TEXT:
        memcpy(base + key->at, &value->text, sizeof value->text);
        break;
    }
}

/* The user's own directory of data, when none is given. */
static const char *config_data_dir(struct tako_config *c)
{
    static const struct tako__config_place at = {NULL, 0, 0, "data_dir"};
    const char *data = config_env("XDG_DATA_HOME"), *home = config_env("HOME");

    if (data && *data == '/') /* a relative one is to be ignored, by its own rule */
        return config_join(c, data, "tako_vm");
    if (home && *home == '/')
        return config_join(c, home, ".tako_vm");
    tako__config_problem(c, TAKO_LOG_ERROR, &at,
                         "there is no place for it: name a directory, or set HOME");
    return NULL;
}

static void config_apply(struct tako_config *c, const tako_allocator *alloc)
{
    static const struct {
        const char *name;
        tako_level level;
    } levels[] = {{"DEBUG", TAKO_LOG_DEBUG}, {"INFO", TAKO_LOG_INFO}, {"WARNING", TAKO_LOG_WARN}};
    const char *level = tako__config_get(c, "log_level")->text;
    tako_options options = TAKO_OPTIONS_INIT;
    tako_limits limits = TAKO_LIMITS_INIT;
    size_t count, i;
    const struct tako__config_key *keys = tako__config_keys(&count);

    c->options = options;
    c->limits = limits;
    for (i = 0; i < count; i++) {
        struct tako__config_value *value = &c->values[i];

        /* The store's default stands behind data_dir in the table. */
        if (strcmp(keys[i].name, "data_dir") == 0 && !value->text)
            value->text = config_data_dir(c);
        if (strcmp(keys[i].name, "store") == 0 && !value->text && c->options.data_dir) {
            char *file = config_join(c, c->options.data_dir, "tako.db");
            char *uri = file ? tako__config_alloc(c, strlen(file) + sizeof "sqlite:", 1) : NULL;

            if (uri)
                (void)snprintf(uri, strlen(file) + sizeof "sqlite:", "sqlite:%s", file);
            value->text = uri;
        }
        config_put(c, &keys[i], value);
    }
    c->options.limits = &c->limits;
    c->options.security = strcmp(tako__config_get(c, "security_mode")->text, "permissive") == 0
                              ? TAKO_PERMISSIVE
                              : TAKO_STRICT;
    if (alloc)
        c->options.alloc = *alloc;
    c->level = TAKO_LOG_ERROR;
    for (i = 0; i < TAKO__LEN(levels); i++)
        if (strcmp(level, levels[i].name) == 0)
            c->level = levels[i].level;
}

/* ---- load ----------------------------------------------------------------------------------- */

static int config_load(struct tako_config *c, const char *path, const tako_allocator *alloc,
                       tako_error *err)
{
    struct tako__yaml *root = NULL;
    const struct tako__yaml *types = NULL;
    int rc;

    rc = config_start(c, err);
    if (rc == TAKO_OK)
        rc = config_find(c, path, &c->file, err);
    if (rc != TAKO_OK)
        return rc;
    if (c->file) {
        c->base = config_dir(c, c->file);
        rc = config_file(c, &root, &types, err);
    }
    if (rc == TAKO_OK) {
        config_variables(c);
        config_strangers(c);
        config_rules(c);
        config_apply(c, alloc);
        if (types)
            tako__config_types(c, types);
        if (c->errors == 0 && !c->nomem)
            tako__config_print(c);
    }
    config_file_end(c, root);
    if (rc == TAKO_OK && c->nomem)
        return tako__nomem(err);
    if (rc == TAKO_OK && c->errors == 1)
        rc = tako__fail(err, TAKO_EINVAL, "%s", c->first.message);
    else if (rc == TAKO_OK && c->errors > 1)
        rc = tako__fail(err, TAKO_EINVAL, "%.450s (and %d more)", c->first.message, c->errors - 1);
    return rc;
}

int tako_config_load(tako_config **out, const char *path, const tako_allocator *alloc,
                     tako_problem_fn *problem, void *ctx, tako_error *err)
{
    tako_options options = TAKO_OPTIONS_INIT;
    struct tako_config *c;
    tako_host host;
    int rc;

    if (!out)
        return tako__fail(err, TAKO_EINVAL, "tako_config_load: out is NULL");
    *out = NULL;
    if (alloc)
        options.alloc = *alloc;
    tako__host_init(&host, &options);
    c = tako__alloc(&host, sizeof *c);
    if (!c)
        return tako__nomem(err);
    c->host = host;
    c->problem = problem;
    c->ctx = ctx;
    rc = config_load(c, path, alloc, err);
    if (rc == TAKO_OK)
        *out = c;
    else
        tako_config_free(c);
    return rc;
}

void tako_config_free(tako_config *c)
{
    struct config_block *block, *next;
    tako_host host;

    if (!c)
        return;
    host = c->host;
    for (block = c->blocks; block; block = next) {
        next = block->next;
        tako__free(&host, block);
    }
    tako__free(&host, c);
}

int tako_config_find(char *out, size_t size, tako_error *err)
{
    tako_options options = TAKO_OPTIONS_INIT;
    const char *file = NULL;
    struct tako_config *c;
    tako_host host;
    int rc;

    if (!out || size == 0)
        return tako__fail(err, TAKO_EINVAL, "tako_config_find: there is no room at out");
    *out = '\0';
    tako__host_init(&host, &options);
    c = tako__alloc(&host, sizeof *c);
    if (!c)
        return tako__nomem(err);
    c->host = host;
    rc = config_find(c, NULL, &file, err);
    if (rc == TAKO_OK && !file)
        rc = tako__fail(err, TAKO_ENOTFOUND, "there is no configuration file");
    else if (rc == TAKO_OK && strlen(file) >= size)
        rc = tako__fail(err, TAKO_EINVAL, "tako_config_find: the name needs %zu bytes",
                        strlen(file) + 1);
    else if (rc == TAKO_OK)
        memcpy(out, file, strlen(file) + 1);
    tako_config_free(c);
    return rc;
}

/* ---- opening -------------------------------------------------------------------------------- */

/* Makes a directory and what it lies in, for the user alone. */
static int config_make_dir(const char *path, tako_error *err)
{
    char part[PATH_MAX];
    size_t len = strlen(path), i;
    struct stat st;

    if (len >= sizeof part)
        return tako__fail(err, TAKO_ESYS, "data_dir: '%.200s...' is too long", path);
    memcpy(part, path, len + 1);
    for (i = 1; i <= len; i++) {
        if (part[i] != '/' && part[i] != '\0')
            continue;
        part[i] = '\0';
        if (mkdir(part, 0700) != 0 && errno != EEXIST) {
            int why = errno;

            /* It may be there all the same, on a read-only file system say. */
            if (stat(part, &st) != 0)
                return tako__fail_errno(err, TAKO_ESYS, why, "data_dir: %.300s cannot be made",
                                        part);
        }
        if (i < len)
            part[i] = '/';
    }
    if (stat(path, &st) != 0 || !S_ISDIR(st.st_mode))
        return tako__fail(err, TAKO_ESYS, "data_dir: %.300s is no directory", path);
    return TAKO_OK;
}

int tako_config_open(tako **out, const tako_config *c, const tako_options *opts, tako_error *err)
{
    int rc = TAKO_OK;
    size_t i;

    if (!out || !c)
        return tako__fail(err, TAKO_EINVAL, "tako_config_open: %s is NULL", out ? "c" : "out");
    *out = NULL;
    if (!opts)
        opts = &c->options;
    if (opts->data_dir)
        rc = config_make_dir(opts->data_dir, err);
    if (rc == TAKO_OK)
        rc = tako_open(out, opts, err);
    for (i = 0; rc == TAKO_OK && i < c->n_types; i++) {
        rc = tako_define_type(*out, &c->types[i], err);
        if (rc != TAKO_OK)
            rc = tako__context(err, rc, "job type '%.64s'", c->types[i].name);
    }
    if (rc != TAKO_OK) {
        tako_close(*out);
        *out = NULL;
    }
    return rc;
}

/* ---- what came of it ------------------------------------------------------------------------ */

const tako_options *tako_config_options(const tako_config *c)
{
    return c ? &c->options : NULL;
}

size_t tako_config_type_count(const tako_config *c)
{
    return c ? c->n_types : 0;
}

const tako_job_type *tako_config_type(const tako_config *c, size_t index)
{
    return c && index < c->n_types ? &c->types[index] : NULL;
}

const char *tako_config_file(const tako_config *c)
{
    return c ? c->file : NULL;
}

tako_level tako_config_log_level(const tako_config *c)
{
    return c ? c->level : TAKO_LOG_INFO;
}

const char *tako_config_json(const tako_config *c)
{
    return c ? c->json : NULL;
}
