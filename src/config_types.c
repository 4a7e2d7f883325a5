/* config_types.c - job types of a configuration: from `job_types` to what tako_define_type takes.
 *
 * Everything is checked here that can be known without an engine, with its place in the file.
 * SPDX-License-Identifier: MIT */
#include "config.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define TYPES_GPUS_MAX 16

/* One type being read. */
struct types_reader {
    struct tako_config *c;
    tako_job_type *type;
    size_t index;
};

enum types_scalar {
    TYPES_NAME,
    TYPES_PYTHON,
    TYPES_IMAGE,
    TYPES_MEMORY,
    TYPES_CPU,
    TYPES_TIMEOUT,
    TYPES_STARTUP,
    TYPES_CPU_TIMEOUT,
    TYPES_NETWORK,
    TYPES_SESSION,
    TYPES_ATTEMPTS,
    TYPES_RETRY_DELAY,
    TYPES_FILE_NAME,
    TYPES_SCALARS
};

static const char *types_rule_name(const char *s)
{
    return tako__type_name_ok(s) ? NULL
                                 : "is no name of a job type: 1-64 of [A-Za-z0-9_-] with at least "
                                   "one letter or digit";
}

static const char *types_rule_memory(const char *s)
{
    int64_t bytes;

    return tako__rule_memory(s, &bytes);
}

static const char *types_rule_file(const char *s)
{
    return tako__file_name_fault(s, strlen(s)) ? "is no name of a file: 1-255 bytes without '/', "
                                                 "'\\', controls and a dot in front, not data.json"
                                               : NULL;
}

/* A `fallback` of NULL allows null. */
static const struct tako__config_key types_scalars[TYPES_SCALARS] = {
    [TYPES_NAME] = {.name = "name",
                    .kind = TAKO__CONFIG_TEXT,
                    .fallback = "",
                    .rule = types_rule_name},
    [TYPES_PYTHON] = {.name = "python_version",
                      .kind = TAKO__CONFIG_TEXT,
                      .rule = tako__rule_python_version},
    [TYPES_IMAGE] = {.name = "base_image", .kind = TAKO__CONFIG_TEXT, .rule = tako__rule_image},
    [TYPES_MEMORY] = {.name = "memory_limit",
                      .kind = TAKO__CONFIG_TEXT,
                      .fallback = "512m",
                      .rule = types_rule_memory},
    [TYPES_CPU] = {.name = "cpu_limit",
                   .kind = TAKO__CONFIG_MILLI,
                   .fallback = "1.0",
                   .min = 100,
                   .max = 16000},
    [TYPES_TIMEOUT] =
        {.name = "timeout", .kind = TAKO__CONFIG_INT, .fallback = "30", .min = 1, .max = 3600},
    [TYPES_STARTUP] = {.name = "startup_timeout",
                       .kind = TAKO__CONFIG_INT,
                       .fallback = "120",
                       .min = 10,
                       .max = 600},
    [TYPES_CPU_TIMEOUT] = {.name = "cpu_timeout",
                           .kind = TAKO__CONFIG_MILLI,
                           .min = 1,
                           .max = TAKO_TIMEOUT_MAX_MS},
    [TYPES_NETWORK] = {.name = "network_enabled", .kind = TAKO__CONFIG_BOOL, .fallback = "false"},
    [TYPES_SESSION] = {.name = "session_enabled", .kind = TAKO__CONFIG_BOOL, .fallback = "false"},
    [TYPES_ATTEMPTS] =
        {.name = "max_attempts", .kind = TAKO__CONFIG_INT, .fallback = "1", .min = 1, .max = 100},
    [TYPES_RETRY_DELAY] = {.name = "retry_delay",
                           .kind = TAKO__CONFIG_MILLI,
                           .fallback = "1.0",
                           .min = 100,
                           .max = 60000},
    [TYPES_FILE_NAME] = {.name = "file_name", .kind = TAKO__CONFIG_TEXT, .rule = types_rule_file},
};

/* ---- places --------------------------------------------------------------------------------- */

/* The path of a node into `path`: "job_types[0]", and what is below it. */
static struct tako__config_place types_place(const struct types_reader *r,
                                             char path[TAKO__CONFIG_PATH],
                                             const struct tako__yaml *node, const char *key)
{
    struct tako__config_place at = {NULL, node->line, node->column, path};

    (void)snprintf(path, TAKO__CONFIG_PATH, "job_types[%zu]%s%s", r->index, key ? "." : "",
                   key ? key : "");
    return at;
}

static bool types_is_text(const struct tako__yaml *node)
{
    return node->kind == TAKO__YAML_TEXT || node->kind == TAKO__YAML_INT ||
           node->kind == TAKO__YAML_FLOAT || node->kind == TAKO__YAML_BOOL;
}

/* ---- scalars -------------------------------------------------------------------------------- */

static void types_scalar_put(const struct types_reader *r, enum types_scalar which,
                             const struct tako__config_value *v,
                             const struct tako__config_place *at)
{
    tako_job_type *t = r->type;
    struct tako_config *c = r->c;
    const int64_t timeout = c->limits.max_timeout_ms / 1000;
    const int64_t startup = c->limits.max_startup_ms / 1000;

    switch (which) {
    case TYPES_NAME:
        t->name = v->text;
        break;
    case TYPES_PYTHON:
        t->python_version = v->text;
        break;
    case TYPES_IMAGE:
        if (v->text)
            tako__config_problem(c, TAKO_LOG_ERROR, at,
                                 "job types have no image of their own: all jobs see the "
                                 "directory `rootfs`; leave the key out");
        break;
    case TYPES_MEMORY:
        (void)tako__rule_memory(v->text, &t->memory_bytes);
        break;
    case TYPES_CPU:
        if (v->number % 10 != 0)
            tako__config_problem(c, TAKO_LOG_ERROR, at, "goes in steps of 0.01");
        t->cpu_percent = (int)(v->number / 10);
        break;
    case TYPES_TIMEOUT:
        t->timeout_ms = v->number * 1000;
        if (v->number > timeout)
            tako__config_problem(c, TAKO_LOG_ERROR, at,
                                 "%" PRId64 " must not be more than max_timeout, which is %" PRId64,
                                 v->number, timeout);
        break;
    case TYPES_STARTUP:
        t->startup_timeout_ms = v->number * 1000;
        if (v->number > startup)
            tako__config_problem(c, TAKO_LOG_ERROR, at,
                                 "%" PRId64 " must not be more than max_startup_timeout, which is "
                                 "%" PRId64,
                                 v->number, startup);
        break;
    case TYPES_CPU_TIMEOUT:
        t->cpu_timeout_ms = v->number;
        break;
    case TYPES_NETWORK:
        t->network = (int)v->number;
        if (t->network)
            tako__config_problem(
                c, TAKO_LOG_WARN, at,
                "jobs of this type reach whatever the host reaches in its network");
        break;
    case TYPES_SESSION:
        if (v->number)
            tako__config_problem(c, TAKO_LOG_ERROR, at,
                                 "must be false: there are no sessions, every job starts anew");
        break;
    case TYPES_ATTEMPTS:
        t->max_attempts = (int)v->number;
        break;
    case TYPES_RETRY_DELAY:
        t->retry_delay_ms = v->number;
        break;
    case TYPES_FILE_NAME:
        t->file_name = v->text;
        break;
    case TYPES_SCALARS:
        break;
    }
}

static void types_take_scalar(const struct types_reader *r, enum types_scalar which,
                              const struct tako__yaml *node)
{
    const struct tako__config_key *key = &types_scalars[which];
    char path[TAKO__CONFIG_PATH];
    struct tako__config_place at = types_place(r, path, node, key->name);
    struct tako__config_value value;

    memset(&value, 0, sizeof value);
    if (node->kind == TAKO__YAML_NULL && !key->fallback)
        return;
    if (tako__config_take(r->c, key, node, &at, &value) && !r->c->nomem)
        types_scalar_put(r, which, &value, &at);
}

/* ---- lists ---------------------------------------------------------------------------------- */

/* The texts of a list, NULL-terminated; what breaks `rule` is told. NULL = it is no list. */
static const char **types_texts(const struct types_reader *r, const struct tako__yaml *node,
                                const char *key, const char *(*rule)(const char *), size_t *count)
{
    char path[TAKO__CONFIG_PATH], name[TAKO__CONFIG_NAME], shown[TAKO__CONFIG_SHOWN];
    struct tako__config_place at = types_place(r, path, node, key);
    const struct tako__yaml *item;
    const char **texts, *fault;
    size_t n = 0;

    *count = 0;
    if (node->kind != TAKO__YAML_LIST) {
        if (node->kind != TAKO__YAML_BAD)
            tako__config_problem(r->c, TAKO_LOG_ERROR, &at, "must be a list of texts");
        return NULL;
    }
    texts = tako__config_alloc(r->c, node->count + 1, sizeof *texts);
    for (item = node->first; item && texts; item = item->next, n++) {
        (void)snprintf(name, sizeof name, "%s[%zu]", key, n);
        at = types_place(r, path, item, name);
        texts[n] = tako__config_text(r->c, item->text);
        if (item->kind == TAKO__YAML_BAD)
            continue;
        if (!types_is_text(item)) {
            tako__config_problem(r->c, TAKO_LOG_ERROR, &at, "must be a text");
            continue;
        }
        fault = rule ? rule(item->text) : NULL;
        if (fault)
            tako__config_problem(r->c, TAKO_LOG_ERROR, &at, "'%s' %s",
                                 tako__config_shown(shown, "", item->text), fault);
    }
    if (r->c->nomem)
        return NULL;
    *count = n;
    return texts;
}

static void types_take_requirements(const struct types_reader *r, const struct tako__yaml *node)
{
    char path[TAKO__CONFIG_PATH];
    struct tako__config_place at = types_place(r, path, node, "requirements");
    size_t n;
    const char **texts = types_texts(r, node, "requirements", tako__rule_requirement, &n);

    if (n > TAKO_REQUIREMENTS_MAX)
        tako__config_problem(r->c, TAKO_LOG_ERROR, &at, "has %zu entries, and %d are allowed", n,
                             TAKO_REQUIREMENTS_MAX);
    r->type->requirements = texts;
    r->type->n_requirements = n;
}

/* A path of the host made absolute; what is not there is told. */
static const char *types_host_path(const struct types_reader *r, const char *text,
                                   const struct tako__config_place *at, bool file)
{
    const char *path = tako__config_path(r->c, r->c->base, text);
    char shown[TAKO__CONFIG_SHOWN];
    struct stat st;

    if (!path)
        return NULL;
    if (!*text)
        tako__config_problem(r->c, TAKO_LOG_ERROR, at, "must be a path, and it is empty");
    else if (stat(path, &st) != 0)
        tako__config_problem(r->c, TAKO_LOG_ERROR, at, "'%s' cannot be used: %s",
                             tako__config_shown(shown, "", path),
                             errno == ENOENT ? "there is no such file" : "it cannot be looked at");
    else if (file && !S_ISREG(st.st_mode))
        tako__config_problem(r->c, TAKO_LOG_ERROR, at, "'%s' is no regular file",
                             tako__config_shown(shown, "", path));
    return path;
}

/* The last component, which is the name inside the sandbox. */
static size_t types_base_name(const char *path, const char **name)
{
    size_t len = strlen(path), start;

    while (len > 1 && path[len - 1] == '/')
        len--;
    for (start = len; start > 0 && path[start - 1] != '/'; start--)
        ;
    *name = path + start;
    return len - start;
}

static void types_take_shared(const struct types_reader *r, const struct tako__yaml *node)
{
    char path[TAKO__CONFIG_PATH], name[64];
    size_t n, i, j, len, other_len;
    const char **texts = types_texts(r, node, "shared_code", NULL, &n), *base, *other;
    const struct tako__yaml *item = node->first;
    struct tako__config_place at;

    for (i = 0; i < n && !r->c->nomem; i++, item = item->next) {
        if (!types_is_text(item))
            continue;
        (void)snprintf(name, sizeof name, "shared_code[%zu]", i);
        at = types_place(r, path, item, name);
        texts[i] = types_host_path(r, texts[i], &at, false);
        for (j = 0; j < i && texts[i] && texts[j]; j++) {
            len = types_base_name(texts[i], &base);
            other_len = types_base_name(texts[j], &other);
            if (len == other_len && memcmp(base, other, len) == 0) {
                tako__config_problem(r->c, TAKO_LOG_ERROR, &at,
                                     "has the same name in /app/shared_code as shared_code[%zu]",
                                     j);
                break;
            }
        }
    }
    r->type->shared_code = texts;
    r->type->n_shared_code = n;
}

static void types_take_retry_on(const struct types_reader *r, const struct tako__yaml *node)
{
    char path[TAKO__CONFIG_PATH], name[64], shown[TAKO__CONFIG_SHOWN];
    size_t n, i, room = 1;
    const char **texts;
    struct tako__config_place at = types_place(r, path, node, "retry_on");
    const struct tako__yaml *item = node->first;
    char *joined;

    if (node->kind == TAKO__YAML_NULL)
        return;
    texts = types_texts(r, node, "retry_on", NULL, &n);
    if (texts && n == 0)
        tako__config_problem(r->c, TAKO_LOG_ERROR, &at,
                             "is empty: name error types, or leave the key out");
    for (i = 0; i < n && !r->c->nomem; i++, item = item->next) {
        const char *near = tako__nearest(item->text, tako__rule_error_type_names());

        room += strlen(texts[i]) + 1;
        (void)snprintf(name, sizeof name, "retry_on[%zu]", i);
        at = types_place(r, path, item, name);
        if (types_is_text(item) && tako__rule_error_type(item->text))
            tako__config_problem(r->c, TAKO_LOG_ERROR, &at, "'%s' is no error type%s%s%s",
                                 tako__config_shown(shown, "", item->text),
                                 near ? "; did you mean " : ", see the list of error types",
                                 near ? near : "", near ? "?" : "");
    }
    joined = tako__config_alloc(r->c, room, 1);
    for (i = 0; i < n && joined; i++) {
        if (i > 0)
            memcpy(joined + strlen(joined), ",", 2);
        memcpy(joined + strlen(joined), texts[i], strlen(texts[i]) + 1);
    }
    r->type->retry_on = n > 0 ? joined : NULL;
}

static void types_take_command(const struct types_reader *r, const struct tako__yaml *node)
{
    char path[TAKO__CONFIG_PATH];
    struct tako__config_place at = types_place(r, path, node, "command");
    size_t n;

    if (node->kind == TAKO__YAML_NULL)
        return;
    r->type->command = types_texts(r, node, "command", NULL, &n);
    if (r->type->command && (n == 0 || node->first->text[0] != '/'))
        tako__config_problem(r->c, TAKO_LOG_ERROR, &at,
                             "must begin with the absolute path of a program in the jobs' root, "
                             "like [/bin/sh, /code/main.sh]");
}

/* ---- mappings ------------------------------------------------------------------------------- */

/* Pairs of a mapping; each is looked at by `check`, which may replace its value. */
static const tako_pair *types_pairs(const struct types_reader *r, const struct tako__yaml *node,
                                    const char *key, size_t *count,
                                    void (*check)(const struct types_reader *r, tako_pair *pair,
                                                  const struct tako__config_place *at))
{
    char path[TAKO__CONFIG_PATH], name[TAKO__CONFIG_NAME], shown[TAKO__CONFIG_SHOWN];
    struct tako__config_place at = types_place(r, path, node, key);
    const struct tako__yaml *e;
    tako_pair *pairs;
    size_t n = 0;

    *count = 0;
    if (node->kind != TAKO__YAML_MAP) {
        if (node->kind != TAKO__YAML_BAD)
            tako__config_problem(r->c, TAKO_LOG_ERROR, &at, "must be a mapping of names to texts");
        return NULL;
    }
    pairs = tako__config_alloc(r->c, node->count + 1, sizeof *pairs);
    for (e = node->first; e && pairs && !r->c->nomem; e = e->next) {
        (void)snprintf(name, sizeof name, "%s.%s", key, tako__config_shown(shown, "", e->key));
        at = types_place(r, path, e, name);
        if (e->kind == TAKO__YAML_BAD)
            continue;
        if (!types_is_text(e)) {
            tako__config_problem(r->c, TAKO_LOG_ERROR, &at, "must be a text");
            continue;
        }
        pairs[n].name = tako__config_text(r->c, e->key);
        pairs[n].value = tako__config_text(r->c, e->text);
        if (pairs[n].name && pairs[n].value)
            check(r, &pairs[n], &at);
        n++;
    }
    *count = n;
    return pairs;
}

static void types_check_variable(const struct types_reader *r, tako_pair *pair,
                                 const struct tako__config_place *at)
{
    const char *fault = tako__rule_env_name(pair->name);

    if (fault)
        tako__config_problem(r->c, TAKO_LOG_ERROR, at, "the name %s", fault);
    fault = tako__rule_env_value(pair->value);
    if (fault)
        tako__config_problem(r->c, TAKO_LOG_ERROR, at, "the value %s", fault);
    if (tako__secret_looking(pair->name, pair->value))
        tako__config_problem(r->c, TAKO_LOG_WARN, at,
                             "looks like a secret, which jobs can read, and so can who reads the "
                             "definition of the type; put it into a file and name that in "
                             "secret_files");
}

static void types_check_secret(const struct types_reader *r, tako_pair *pair,
                               const struct tako__config_place *at)
{
    if (!tako__id_ok(pair->name))
        tako__config_problem(r->c, TAKO_LOG_ERROR, at,
                             "the name is to be 1-64 of [A-Za-z0-9._-], without a dot in front");
    pair->value = types_host_path(r, pair->value, at, true);
}

/* ---- gpu ------------------------------------------------------------------------------------ */

static const char *types_rule_gpu_vendor(const char *s)
{
    return strcmp(s, "nvidia") == 0 || strcmp(s, "amd") == 0 ? NULL : "must be nvidia or amd";
}

static const char *types_rule_gpu_device(const char *s)
{
    return *s && !strchr(s, ',') ? NULL : "is no device: a text without commas";
}

/* The mapping is checked as if it could be used, so that it is right once it can. */
static void types_take_gpu(const struct types_reader *r, const struct tako__yaml *node)
{
    static const struct tako__config_key keys[] = {
        {.name = "enabled", .kind = TAKO__CONFIG_BOOL, .fallback = "false"},
        {.name = "vendor", .kind = TAKO__CONFIG_TEXT, .rule = types_rule_gpu_vendor},
        {.name = "count", .kind = TAKO__CONFIG_INT, .min = 1, .max = TYPES_GPUS_MAX}};
    static const char *const names[] = {"enabled", "vendor", "count", "device_ids", NULL};
    char path[TAKO__CONFIG_PATH], name[TAKO__CONFIG_NAME], shown[TAKO__CONFIG_SHOWN];
    struct tako__config_place at = types_place(r, path, node, "gpu");
    struct tako__config_value values[TAKO__LEN(keys)];
    const struct tako__yaml *e;
    size_t i, devices = 0;

    memset(values, 0, sizeof values);
    if (node->kind == TAKO__YAML_NULL || node->kind == TAKO__YAML_BAD)
        return;
    if (node->kind != TAKO__YAML_MAP) {
        tako__config_problem(r->c, TAKO_LOG_ERROR, &at, "must be a mapping, like {enabled: false}");
        return;
    }
    for (e = node->first; e; e = e->next) {
        (void)snprintf(name, sizeof name, "gpu.%s", tako__config_shown(shown, "", e->key));
        at = types_place(r, path, e, name);
        for (i = 0; i < TAKO__LEN(keys) && strcmp(keys[i].name, e->key) != 0; i++)
            ;
        if (e->kind == TAKO__YAML_BAD)
            continue;
        if (i < TAKO__LEN(keys)) {
            if (e->kind != TAKO__YAML_NULL || keys[i].fallback)
                (void)tako__config_take(r->c, &keys[i], e, &at, &values[i]);
        } else if (strcmp(e->key, "device_ids") == 0) {
            (void)types_texts(r, e, "gpu.device_ids", types_rule_gpu_device, &devices);
            if (devices > TYPES_GPUS_MAX)
                tako__config_problem(r->c, TAKO_LOG_ERROR, &at,
                                     "has %zu entries, and %d are allowed", devices,
                                     TYPES_GPUS_MAX);
        } else {
            at.line = e->key_line;
            at.column = e->key_column;
            tako__config_unknown(r->c, &at, e->key, names);
        }
    }
    at = types_place(r, path, node, "gpu");
    if (values[0].number)
        tako__config_problem(r->c, TAKO_LOG_ERROR, &at,
                             "enabled must be false: no executor of this build gives jobs a GPU");
    else if (values[1].set || values[2].set || devices > 0)
        tako__config_problem(r->c, TAKO_LOG_ERROR, &at,
                             "vendor, count and device_ids need enabled: true");
    if (values[0].number && !values[1].set)
        tako__config_problem(r->c, TAKO_LOG_ERROR, &at, "enabled needs a vendor");
    if (values[2].set && (devices > 0 || (values[1].text && *values[1].text == 'a')))
        tako__config_problem(r->c, TAKO_LOG_ERROR, &at,
                             "count goes with nvidia only, and not with device_ids");
}

/* ---- a type, and all of them ---------------------------------------------------------------- */

static void types_take_environment(const struct types_reader *r, const struct tako__yaml *node)
{
    r->type->environment = types_pairs(r, node, "environment", &r->type->n_environment,
                                       types_check_variable);
}

static void types_take_secrets(const struct types_reader *r, const struct tako__yaml *node)
{
    r->type->secret_files = types_pairs(r, node, "secret_files", &r->type->n_secret_files,
                                        types_check_secret);
}

static void types_take_entry(const struct types_reader *r, const struct tako__yaml *e)
{
    static const struct {
        const char *name;
        void (*take)(const struct types_reader *r, const struct tako__yaml *node);
    } others[] = {
        {"requirements", types_take_requirements},
        {"shared_code", types_take_shared},
        {"environment", types_take_environment},
        {"retry_on", types_take_retry_on},
        {"command", types_take_command},
        {"secret_files", types_take_secrets},
        {"gpu", types_take_gpu},
    };
    const char *names[TYPES_SCALARS + TAKO__LEN(others) + 1];
    char path[TAKO__CONFIG_PATH], shown[TAKO__CONFIG_SHOWN];
    struct tako__config_place at;
    size_t i;

    if (e->kind == TAKO__YAML_BAD)
        return;
    for (i = 0; i < TYPES_SCALARS; i++) {
        names[i] = types_scalars[i].name;
        if (strcmp(e->key, names[i]) == 0) {
            types_take_scalar(r, (enum types_scalar)i, e);
            return;
        }
    }
    for (i = 0; i < TAKO__LEN(others); i++) {
        names[TYPES_SCALARS + i] = others[i].name;
        if (strcmp(e->key, others[i].name) == 0) {
            others[i].take(r, e);
            return;
        }
    }
    names[TYPES_SCALARS + TAKO__LEN(others)] = NULL;
    at = types_place(r, path, e, tako__config_shown(shown, "", e->key));
    at.line = e->key_line;
    at.column = e->key_column;
    tako__config_unknown(r->c, &at, e->key, names);
}

static void types_check_name(const struct types_reader *r, const struct tako__yaml *node)
{
    char path[TAKO__CONFIG_PATH];
    struct tako__config_place at = types_place(r, path, node, NULL);
    const struct tako__yaml *e = node->first;
    size_t i;

    while (e && strcmp(e->key, "name") != 0)
        e = e->next;
    if (!e) {
        tako__config_problem(r->c, TAKO_LOG_ERROR, &at, "has no name");
        return;
    }
    at = types_place(r, path, e, "name");
    for (i = 0; r->type->name && i < r->index; i++)
        if (r->c->types[i].name && strcmp(r->c->types[i].name, r->type->name) == 0)
            tako__config_problem(r->c, TAKO_LOG_ERROR, &at,
                                 "'%s' is the name of job_types[%zu] already", r->type->name, i);
}

void tako__config_types(struct tako_config *c, const struct tako__yaml *list)
{
    struct tako__config_place at = {NULL, list->line, list->column, "job_types"};
    struct types_reader r = {c, NULL, 0};
    const struct tako__yaml *node, *e;
    tako_job_type init = TAKO_JOB_TYPE_INIT;
    char path[TAKO__CONFIG_PATH];

    if (list->kind == TAKO__YAML_NULL || list->kind == TAKO__YAML_BAD)
        return;
    if (list->kind != TAKO__YAML_LIST) {
        tako__config_problem(c, TAKO_LOG_ERROR, &at, "must be a list of job types");
        return;
    }
    c->types = tako__config_alloc(c, list->count + 1, sizeof *c->types);
    for (node = list->first; node && !c->nomem; node = node->next, r.index++) {
        r.type = &c->types[r.index];
        *r.type = init;
        if (node->kind == TAKO__YAML_MAP) {
            for (e = node->first; e && !c->nomem; e = e->next)
                types_take_entry(&r, e);
            types_check_name(&r, node);
        } else if (node->kind != TAKO__YAML_BAD) {
            at = types_place(&r, path, node, NULL);
            tako__config_problem(c, TAKO_LOG_ERROR, &at,
                                 "must be a mapping with the keys of a job type");
        }
    }
    c->n_types = r.index;
}
