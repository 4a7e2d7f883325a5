/* type.c - job types: every rule of tako_job_type is checked here, and a definition becomes a
 * version, whose digest jobs are pinned to.
 *
 * A definition is kept as one JSON document; what runs jobs is read back from that document, so
 * that a version loaded from the store is the same as one that was just defined. The digest covers
 * what contract 5.3 lists, and ours (command, file name, secret files) only when they are set.
 * Limits are not in it: those of a job are fixed when it is submitted.
 * Writes nothing itself but through tako__version_store, in the pump's transaction.
 *
 * SPDX-License-Identifier: MIT */
#include "type.h"

#include "canon.h"
#include "json.h"
#include "rules.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TYPE_LIST_MAX 256  /* entries of each list of a type, requirements excepted */
#define TYPE_PATH_MAX 4096 /* bytes of a path */
#define TYPE_DIGITS_MIN 12 /* of a digest that names a version */
#define TYPE_MEMORY 536870912
#define TYPE_RETRY_DELAY_MS 1000

/* ---- the rules ------------------------------------------------------------------------------- */

static int type_fault(tako_error *err, const char *member, size_t at, const char *value,
                      const char *fault)
{
    return tako__fail(err, TAKO_EINVAL, "%s[%zu]: '%.80s': %s", member, at,
                      value ? value : "(NULL)", fault);
}

static int type_check_count(const char *member, const void *list, size_t count, size_t most,
                            tako_error *err)
{
    if (count && !list)
        return tako__fail(err, TAKO_EINVAL, "%s: NULL, but their number is %zu", member, count);
    if (count > most)
        return tako__fail(err, TAKO_EINVAL, "%s: %zu, more than the %zu allowed", member, count,
                          most);
    return TAKO_OK;
}

static const char *type_path_fault(const char *path)
{
    size_t len;

    if (!path || path[0] != '/')
        return "no absolute path";
    len = strnlen(path, TYPE_PATH_MAX);
    if (len >= TYPE_PATH_MAX)
        return "longer than 4095 bytes";
    return tako__utf8_check(path, len) == len ? NULL : "not valid UTF-8";
}

/* Its last part is the name under which jobs see it. */
static const char *type_base_fault(const char *const *paths, size_t at)
{
    const char *base = strrchr(paths[at], '/') + 1;
    size_t i;

    if (!*base || strcmp(base, ".") == 0 || strcmp(base, "..") == 0)
        return "does not end with a name";
    for (i = 0; i < at; i++)
        if (strcmp(strrchr(paths[i], '/') + 1, base) == 0)
            return "ends with the same name as another";
    return NULL;
}

static int type_check_lists(const tako_job_type *d, tako_error *err)
{
    const char *fault;
    size_t i, k;
    int rc;

    rc = type_check_count("requirements", d->requirements, d->n_requirements, TAKO_REQUIREMENTS_MAX,
                          err);
    for (i = 0; rc == TAKO_OK && i < d->n_requirements; i++) {
        fault = d->requirements[i] ? tako__rule_requirement(d->requirements[i]) : "NULL";
        if (fault)
            return type_fault(err, "requirements", i, d->requirements[i], fault);
    }
    if (rc == TAKO_OK)
        rc = type_check_count("shared_code", d->shared_code, d->n_shared_code, TYPE_LIST_MAX, err);
    for (i = 0; rc == TAKO_OK && i < d->n_shared_code; i++) {
        fault = type_path_fault(d->shared_code[i]);
        if (!fault)
            fault = type_base_fault(d->shared_code, i);
        if (fault)
            return type_fault(err, "shared_code", i, d->shared_code[i], fault);
    }
    if (rc == TAKO_OK)
        rc = type_check_count("environment", d->environment, d->n_environment, TYPE_LIST_MAX, err);
    for (i = 0; rc == TAKO_OK && i < d->n_environment; i++) {
        fault = d->environment[i].name ? tako__rule_env_name(d->environment[i].name) : "NULL";
        if (!fault)
            fault = d->environment[i].value ? tako__rule_env_value(d->environment[i].value)
                                            : "its value is NULL";
        for (k = 0; !fault && k < i; k++)
            if (strcmp(d->environment[k].name, d->environment[i].name) == 0)
                fault = "named twice";
        if (fault)
            return type_fault(err, "environment", i, d->environment[i].name, fault);
    }
    if (rc == TAKO_OK)
        rc = type_check_count("secret_files", d->secret_files, d->n_secret_files, TAKO_FILES_MAX,
                              err);
    for (i = 0; rc == TAKO_OK && i < d->n_secret_files; i++) {
        const char *name = d->secret_files[i].name;

        fault = name ? tako__file_name_fault(name, strlen(name)) : "NULL";
        if (!fault)
            fault = type_path_fault(d->secret_files[i].value);
        for (k = 0; !fault && k < i; k++)
            if (strcmp(d->secret_files[k].name, name) == 0)
                fault = "named twice";
        if (fault)
            return type_fault(err, "secret_files", i, name, fault);
    }
    return rc;
}

static int type_check_command(const tako_job_type *d, tako_error *err)
{
    const char *fault = NULL;
    size_t i, len;

    if (d->command && !d->command[0])
        return tako__fail(err, TAKO_EINVAL, "command: empty; NULL = the interpreter");
    for (i = 0; d->command && d->command[i]; i++) {
        len = strnlen(d->command[i], TYPE_PATH_MAX);
        if (i == 0)
            fault = type_path_fault(d->command[0]);
        else if (i >= TYPE_LIST_MAX)
            fault = "more than the 256 arguments allowed";
        else if (len >= TYPE_PATH_MAX)
            fault = "longer than 4095 bytes";
        else if (tako__utf8_check(d->command[i], len) != len)
            fault = "not valid UTF-8";
        if (fault)
            return type_fault(err, "command", i, d->command[i], fault);
    }
    if (d->file_name) {
        fault = tako__file_name_fault(d->file_name, strlen(d->file_name));
        if (fault)
            return tako__fail(err, TAKO_EINVAL, "file_name: '%.80s': %s", d->file_name, fault);
    }
    if (d->python_version && d->command)
        return tako__fail(err, TAKO_EINVAL,
                          "python_version: '%.20s' has no effect beside a command; name the "
                          "interpreter in the command",
                          d->python_version);
    fault = d->python_version ? tako__rule_python_version(d->python_version) : NULL;
    if (fault)
        return tako__fail(err, TAKO_EINVAL, "python_version: '%.20s': %s", d->python_version,
                          fault);
    return TAKO_OK;
}

static int type_check_range(const char *member, int64_t value, int64_t least, int64_t most,
                            tako_error *err)
{
    if (value == 0 || (value >= least && value <= most))
        return TAKO_OK;
    return tako__fail(err, TAKO_EINVAL,
                      "%s: %" PRId64 ", not in %" PRId64 "-%" PRId64 " (0 = the default)", member,
                      value, least, most);
}

static int type_check_numbers(const tako_job_type *d, const tako_limits *limits, tako_error *err)
{
    const char *fault = d->retry_on ? tako__rule_error_types(d->retry_on) : NULL;
    int rc;

    rc = type_check_range("memory_bytes", d->memory_bytes, TAKO_MEMORY_MIN, TAKO_MEMORY_MAX, err);
    if (rc == TAKO_OK)
        rc = type_check_range("cpu_percent", d->cpu_percent, 10, 1600, err);
    if (rc == TAKO_OK)
        rc = type_check_range("timeout_ms", d->timeout_ms, 1, limits->max_timeout_ms, err);
    if (rc == TAKO_OK)
        rc = type_check_range("startup_timeout_ms", d->startup_timeout_ms, 1000,
                              limits->max_startup_ms, err);
    if (rc == TAKO_OK)
        rc = type_check_range("cpu_timeout_ms", d->cpu_timeout_ms, 1, TAKO_TIMEOUT_MAX_MS, err);
    if (rc == TAKO_OK)
        rc = type_check_range("max_attempts", d->max_attempts, 1, 100, err);
    if (rc == TAKO_OK)
        rc = type_check_range("retry_delay_ms", d->retry_delay_ms, 100, 60000, err);
    if (rc == TAKO_OK && (d->network < 0 || d->network > 1))
        rc = tako__fail(err, TAKO_EINVAL, "network: %d, neither 0 nor 1", d->network);
    if (rc == TAKO_OK && fault)
        rc = tako__fail(err, TAKO_EINVAL, "retry_on: '%.80s': %s", d->retry_on, fault);
    return rc;
}

/* ---- the document ---------------------------------------------------------------------------- */

static void type_put_list(struct tako__buf *out, const char *key, const char *const *list,
                          size_t count)
{
    size_t i;

    tako__json_put_key(out, key);
    tako__buf_puts(out, "[");
    for (i = 0; i < count; i++) {
        tako__buf_puts(out, i ? "," : "");
        tako__buf_json(out, list[i], strlen(list[i]));
    }
    tako__buf_puts(out, "]");
}

static void type_put_pairs(struct tako__buf *out, const char *key, const tako_pair *pairs,
                           size_t count)
{
    size_t i;

    tako__json_put_key(out, key);
    tako__buf_puts(out, "[");
    for (i = 0; i < count; i++) {
        tako__buf_puts(out, i ? ",{" : "{");
        tako__json_put_str(out, "name", pairs[i].name);
        tako__json_put_str(out, "value", pairs[i].value);
        tako__buf_puts(out, "}");
    }
    tako__buf_puts(out, "]");
}

static void type_print(struct tako__buf *out, const tako_job_type *d, const tako_limits *limits)
{
    size_t n = 0;

    while (d->command && d->command[n])
        n++;
    tako__buf_puts(out, "{");
    tako__json_put_str(out, "name", d->name);
    type_put_list(out, "requirements", d->requirements, d->n_requirements);
    tako__json_put_str(out, "python_version", d->python_version);
    type_put_list(out, "shared_code", d->shared_code, d->n_shared_code);
    type_put_pairs(out, "environment", d->environment, d->n_environment);
    tako__json_put_int(out, "memory_bytes", d->memory_bytes ? d->memory_bytes : TYPE_MEMORY);
    tako__json_put_int(out, "cpu_percent", d->cpu_percent ? d->cpu_percent : 100);
    tako__json_put_int(out, "timeout_ms",
                       d->timeout_ms ? d->timeout_ms : limits->default_timeout_ms);
    tako__json_put_int(out, "startup_timeout_ms",
                       d->startup_timeout_ms ? d->startup_timeout_ms : limits->default_startup_ms);
    tako__json_put_int(out, "cpu_timeout_ms", d->cpu_timeout_ms);
    tako__json_put_bool(out, "network", d->network != 0);
    tako__json_put_int(out, "max_attempts", d->max_attempts ? d->max_attempts : 1);
    tako__json_put_str(out, "retry_on", d->retry_on);
    tako__json_put_int(out, "retry_delay_ms",
                       d->retry_delay_ms ? d->retry_delay_ms : TYPE_RETRY_DELAY_MS);
    if (d->command)
        type_put_list(out, "command", d->command, n);
    tako__json_put_str(out, "file_name", d->file_name);
    type_put_pairs(out, "secret_files", d->secret_files, d->n_secret_files);
    tako__buf_puts(out, "}");
}

static int type_compare(const void *a, const void *b)
{
    const char *const *left = a, *const *right = b;

    return strcmp(*left, *right);
}

/* A copy of the list in order; NULL = no memory. */
static const char **type_sorted(const tako_host *host, const char *const *list, size_t count)
{
    const char **copy = tako__array(host, count + 1, sizeof *copy);
    size_t i;

    for (i = 0; copy && i < count; i++)
        copy[i] = list[i];
    if (copy)
        qsort(copy, count, sizeof *copy, type_compare);
    return copy;
}

static void type_put_members(struct tako__buf *out, const char *key, const tako_pair *pairs,
                             size_t count)
{
    size_t i;

    tako__json_put_key(out, key);
    tako__buf_puts(out, "{");
    for (i = 0; i < count; i++) {
        tako__buf_puts(out, i ? "," : "");
        tako__buf_json(out, pairs[i].name, strlen(pairs[i].name));
        tako__buf_puts(out, ":");
        tako__buf_json(out, pairs[i].value, strlen(pairs[i].value));
    }
    tako__buf_puts(out, "}");
}

/* The digest and the hash of the requirements. */
static int type_hash(struct tako__version *v, tako_error *err)
{
    const char **requirements, **shared;
    struct tako__buf text, lines;
    size_t i, n = 0;
    int rc = TAKO_OK;

    while (v->command && v->command[n])
        n++;
    tako__buf_init(&text, &v->host);
    tako__buf_init(&lines, &v->host);
    requirements = type_sorted(&v->host, v->requirements, v->n_requirements);
    shared = type_sorted(&v->host, v->shared_code, v->n_shared_code);
    if (!requirements || !shared) {
        rc = tako__nomem(err);
        goto out;
    }
    tako__buf_puts(&text, "{\"base_image\":null");
    type_put_members(&text, "environment", v->environment, v->n_environment);
    tako__buf_puts(&text, ",\"gpu_count\":null,\"gpu_device_ids\":[],\"gpu_enabled\":false,"
                          "\"gpu_vendor\":null");
    tako__json_put_str(&text, "name", v->name);
    tako__json_put_str(&text, "python_version", v->python_version ? v->python_version : "3.11");
    type_put_list(&text, "requirements", requirements, v->n_requirements);
    tako__json_put_bool(&text, "session_enabled", false);
    type_put_list(&text, "shared_code", shared, v->n_shared_code);
    if (v->command)
        type_put_list(&text, "command", v->command, n);
    if (v->file_name)
        tako__json_put_str(&text, "file_name", v->file_name);
    if (v->n_secret_files)
        type_put_members(&text, "secret_files", v->secret_files, v->n_secret_files);
    tako__buf_puts(&text, "}");
    for (i = 0; i < v->n_requirements; i++)
        tako__buf_printf(&lines, "%s%s", i ? "\n" : "", requirements[i]);
    if (text.failed || lines.failed)
        rc = tako__nomem(err);
    else
        rc = tako__canon_sha256(&v->host, text.data, text.len, TAKO__CANON_PYTHON, v->digest, err);
    if (rc == TAKO_OK)
        tako__sha256_hex(lines.len ? lines.data : "", lines.len, v->requirements_hash);
out:
    tako__free(&v->host, requirements);
    tako__free(&v->host, shared);
    tako__buf_free(&text);
    tako__buf_free(&lines);
    return rc;
}

static int type_read_list(struct tako__version *v, const char *key, const char ***out,
                          size_t *count, tako_error *err)
{
    const struct tako__json *list = tako__json_get(v->doc, key);
    size_t i, n = tako__json_count(list);

    if (!list && !count) /* no command */
        return TAKO_OK;
    *out = tako__array(&v->host, n + 1, sizeof **out);
    if (!*out)
        return tako__nomem(err);
    for (i = 0; i < n; i++) {
        (*out)[i] = tako__json_text(tako__json_at(list, i));
        if (!(*out)[i])
            return tako__fail(err, TAKO_ESTORE, "%s[%zu] is no text", key, i);
    }
    if (count)
        *count = n;
    return TAKO_OK;
}

static int type_read_pairs(struct tako__version *v, const char *key, tako_pair **out, size_t *count,
                           tako_error *err)
{
    const struct tako__json *list = tako__json_get(v->doc, key), *item;
    size_t i, n = tako__json_count(list);

    *out = tako__array(&v->host, n + 1, sizeof **out);
    if (!*out)
        return tako__nomem(err);
    for (i = 0; i < n; i++) {
        item = tako__json_at(list, i);
        (*out)[i].name = tako__json_str(item, "name", NULL);
        (*out)[i].value = tako__json_str(item, "value", NULL);
        if (!(*out)[i].name || !(*out)[i].value)
            return tako__fail(err, TAKO_ESTORE, "%s[%zu] has no name or value", key, i);
    }
    *count = n;
    return TAKO_OK;
}

/* From v->definition to all else. */
static int type_read(struct tako__version *v, tako_error *err)
{
    tako_error why;
    int rc;

    memset(&why, 0, sizeof why);
    v->doc = tako__json_parse(&v->host, v->definition, v->definition_len, &why);
    if (!v->doc)
        return why.code == TAKO_ENOMEM ? tako__nomem(err)
                                       : tako__fail(err, TAKO_ESTORE, "%s", why.message);
    v->name = tako__json_str(v->doc, "name", NULL);
    v->python_version = tako__json_str(v->doc, "python_version", NULL);
    v->file_name = tako__json_str(v->doc, "file_name", NULL);
    v->retry_on = tako__json_str(v->doc, "retry_on", NULL);
    v->memory_bytes = tako__json_int(v->doc, "memory_bytes", 0);
    v->timeout_ms = tako__json_int(v->doc, "timeout_ms", 0);
    v->startup_timeout_ms = tako__json_int(v->doc, "startup_timeout_ms", 0);
    v->cpu_timeout_ms = tako__json_int(v->doc, "cpu_timeout_ms", 0);
    v->retry_delay_ms = tako__json_int(v->doc, "retry_delay_ms", 0);
    v->cpu_percent = (int)tako__json_int(v->doc, "cpu_percent", 0);
    v->max_attempts = (int)tako__json_int(v->doc, "max_attempts", 0);
    v->network = tako__json_bool(v->doc, "network", false);
    if (!v->name || v->memory_bytes <= 0 || v->timeout_ms <= 0 || v->startup_timeout_ms <= 0 ||
        v->retry_delay_ms <= 0 || v->cpu_percent <= 0 || v->max_attempts <= 0)
        return tako__fail(err, TAKO_ESTORE, "its name or its limits");
    rc = type_read_list(v, "requirements", &v->requirements, &v->n_requirements, err);
    if (rc == TAKO_OK)
        rc = type_read_list(v, "shared_code", &v->shared_code, &v->n_shared_code, err);
    if (rc == TAKO_OK)
        rc = type_read_list(v, "command", &v->command, NULL, err);
    if (rc == TAKO_OK)
        rc = type_read_pairs(v, "environment", &v->environment, &v->n_environment, err);
    if (rc == TAKO_OK)
        rc = type_read_pairs(v, "secret_files", &v->secret_files, &v->n_secret_files, err);
    return rc == TAKO_OK ? type_hash(v, err) : rc;
}

/* ---- versions -------------------------------------------------------------------------------- */

void tako__version_free(struct tako__version *v)
{
    tako_host host;

    if (!v)
        return;
    host = v->host;
    tako__free(&host, v->requirements);
    tako__free(&host, v->shared_code);
    tako__free(&host, v->command);
    tako__free(&host, v->environment);
    tako__free(&host, v->secret_files);
    tako__json_free(&host, v->doc);
    tako__free(&host, v->definition);
    tako__free(&host, v);
}

/* Takes `definition`, also on failure. */
static int type_version(struct tako__version **out, const tako_host *host, char *definition,
                        size_t len, tako_error *err)
{
    struct tako__version *v;
    int rc;

    *out = NULL;
    v = definition ? tako__alloc(host, sizeof *v) : NULL;
    if (!v) {
        tako__free(host, definition);
        return tako__nomem(err);
    }
    v->host = *host;
    v->definition = definition;
    v->definition_len = len;
    rc = type_read(v, err);
    if (rc == TAKO_OK)
        *out = v;
    else
        tako__version_free(v);
    return rc;
}

int tako__version_make(struct tako__version **out, const tako_host *host, const tako_job_type *type,
                       const tako_limits *limits, tako_error *err)
{
    struct tako__buf text;
    size_t len;
    int rc;

    *out = NULL;
    if (!type->name || !tako__type_name_ok(type->name))
        return tako__fail(err, TAKO_EINVAL,
                          "name: '%.80s' is no name of a job type: 1-64 of [A-Za-z0-9_-] with at "
                          "least one letter or digit",
                          type->name ? type->name : "(NULL)");
    rc = type_check_lists(type, err);
    if (rc == TAKO_OK)
        rc = type_check_command(type, err);
    if (rc == TAKO_OK)
        rc = type_check_numbers(type, limits, err);
    if (rc != TAKO_OK)
        return rc;
    tako__buf_init(&text, host);
    type_print(&text, type, limits);
    len = text.len;
    return type_version(out, host, tako__buf_take(&text), len, err);
}

void tako__version_info(const struct tako__version *v, tako_version_info *out)
{
    memset(out, 0, sizeof *out);
    out->size = sizeof *out;
    out->type = v->name;
    out->tag = "";
    out->digest = v->digest;
    out->built_by = "config";
    out->requirements_hash = v->requirements_hash;
    out->definition = v->definition;
    out->definition_len = v->definition_len;
}

/* A version of this digest in memory, or NULL. */
static struct tako__version *type_known_locked(tako *t, const char *type, const char *digest)
{
    struct tako__version *v;

    for (v = t->versions; v; v = v->next)
        if (strcmp(v->digest, digest) == 0 && strcmp(v->name, type) == 0)
            return v;
    return NULL;
}

/* Keeps `v` until close; gives the one that is kept already when there is one. Its definition has
 * to be the same, not only its digest, which does not cover limits. */
static struct tako__version *type_keep(tako *t, struct tako__version *v)
{
    struct tako__version *known;

    pthread_mutex_lock(&t->lock);
    for (known = t->versions; known; known = known->next)
        if (known->definition_len == v->definition_len &&
            memcmp(known->definition, v->definition, v->definition_len) == 0)
            break;
    if (!known) {
        v->next = t->versions;
        t->versions = v;
    }
    pthread_mutex_unlock(&t->lock);
    if (!known)
        return v;
    tako__version_free(v);
    return known;
}

/* ---- looking for one in the store ------------------------------------------------------------ */

struct type_search {
    const tako_host *host;
    const char *tag, *prefix; /* one of them */
    char digest[65];          /* of the first that fits, "" = none */
    char *definition;
    size_t len;
    bool several;
};

static int type_saw_version(void *ctx, const tako_version_info *info)
{
    struct type_search *s = ctx;
    bool fits = s->tag ? strcmp(info->tag, s->tag) == 0
                       : strncmp(info->digest, s->prefix, strlen(s->prefix)) == 0;

    if (!fits || strlen(info->digest) >= sizeof s->digest)
        return 0;
    if (s->digest[0]) {
        s->several = true;
        return s->tag != NULL; /* the newest of a tag is meant */
    }
    memcpy(s->digest, info->digest, strlen(info->digest) + 1);
    s->definition = tako__strndup(s->host, info->definition, info->definition_len);
    s->len = info->definition_len;
    return s->definition ? 0 : TAKO_ENOMEM;
}

static int type_search(tako *t, const char *type, struct type_search *s, struct tako__version **out,
                       tako_error *err)
{
    struct tako__version *v = NULL;
    tako_error why;
    int rc;

    memset(&why, 0, sizeof why);
    s->host = &t->host;
    rc = t->ops->versions(t->store, type, type_saw_version, s, &why);
    if (rc == TAKO_ENOMEM || rc < 0) {
        tako__free(&t->host, s->definition);
        if (rc == TAKO_ENOMEM)
            return tako__nomem(err);
        return tako__fail(err, rc, "looking for versions of job type '%s': %s", type, why.message);
    }
    if (!s->digest[0])
        return TAKO_ENOTFOUND;
    if (s->several && !s->tag) {
        tako__free(&t->host, s->definition);
        return tako__fail(err, TAKO_EINVAL,
                          "type: '%s@sha256:%s' fits several versions; give more digits", type,
                          s->prefix);
    }
    rc = type_version(&v, &t->host, s->definition, s->len, &why);
    if (rc != TAKO_OK)
        return rc == TAKO_ENOMEM ? tako__nomem(err)
                                 : tako__fail(err, TAKO_ESTORE,
                                              "version %.12s of job type '%s' in the store is "
                                              "damaged: %s",
                                              s->digest, type, why.message);
    if (strcmp(v->digest, s->digest) != 0) {
        tako__version_free(v);
        return tako__fail(err, TAKO_ESTORE,
                          "version %.12s of job type '%s' in the store is damaged: its digest does "
                          "not fit",
                          s->digest, type);
    }
    v->stored = true;
    *out = type_keep(t, v);
    return TAKO_OK;
}

int tako__version_load(tako *t, const char *type, const char *digest, struct tako__version **out,
                       tako_error *err)
{
    struct type_search s;
    int rc;

    pthread_mutex_lock(&t->lock);
    *out = type_known_locked(t, type, digest);
    pthread_mutex_unlock(&t->lock);
    if (*out)
        return TAKO_OK;
    memset(&s, 0, sizeof s);
    s.prefix = digest;
    rc = type_search(t, type, &s, out, err);
    if (rc == TAKO_ENOTFOUND)
        rc = tako__fail(err, TAKO_ESTORE,
                        "the store is damaged: version %.12s of job type '%s' is missing", digest,
                        type);
    return rc;
}

static bool type_hex(const char *s)
{
    return s[strspn(s, "0123456789abcdef")] == '\0';
}

int tako__version_resolve(tako *t, const struct tako__type *type, const char *ref,
                          struct tako__version **out, tako_error *err)
{
    struct type_search s;
    const char *fault;
    int rc;

    *out = NULL;
    if (!ref || strcmp(ref, "latest") == 0) {
        pthread_mutex_lock(&t->lock);
        *out = type->version;
        pthread_mutex_unlock(&t->lock);
        return TAKO_OK;
    }
    memset(&s, 0, sizeof s);
    if (strncmp(ref, "sha256:", 7) == 0) {
        s.prefix = ref + 7;
        if (strlen(s.prefix) < TYPE_DIGITS_MIN || strlen(s.prefix) > 64 || !type_hex(s.prefix))
            return tako__fail(err, TAKO_EINVAL,
                              "type: '%s@%.80s' names no version: %d-64 hex digits in lower case "
                              "are needed after sha256:",
                              type->name, ref, TYPE_DIGITS_MIN);
        pthread_mutex_lock(&t->lock);
        if (strncmp(type->version->digest, s.prefix, strlen(s.prefix)) == 0)
            *out = type->version; /* it may not be in the store yet */
        pthread_mutex_unlock(&t->lock);
        if (*out)
            return TAKO_OK;
    } else {
        s.tag = ref;
        fault = tako__rule_tag(ref);
        if (fault)
            return tako__fail(err, TAKO_EINVAL, "type: '%s@%.80s': %s", type->name, ref, fault);
    }
    rc = type_search(t, type->name, &s, out, err);
    if (rc == TAKO_ENOTFOUND)
        rc = tako__fail(err, rc, "type: job type '%s' has no version '%.80s'", type->name, ref);
    return rc;
}

/* What the store has under a version's digest. */
struct type_stored {
    const struct tako__version *v;
    bool same;
    char tag[65];
};

static int type_saw_stored(void *ctx, const tako_version_info *info)
{
    struct type_stored *s = ctx;

    if (strcmp(info->digest, s->v->digest) != 0)
        return 0;
    s->same = info->definition_len == s->v->definition_len &&
              memcmp(info->definition, s->v->definition, info->definition_len) == 0;
    (void)snprintf(s->tag, sizeof s->tag, "%s", info->tag);
    return 1;
}

int tako__version_store(tako *t, struct tako__version *v, bool *put, tako_error *err)
{
    struct type_stored there;
    tako_version_info info;
    int rc;

    if (v->stored)
        return TAKO_OK;
    memset(&there, 0, sizeof there);
    there.v = v;
    rc = t->ops->versions(t->store, v->name, type_saw_stored, &there, err);
    if (rc < 0)
        return rc;
    if (there.same) {
        v->stored = !*put; /* what this transaction put may be undone with it */
        return TAKO_OK;
    }
    tako__version_info(v, &info);
    info.tag = there.tag; /* other limits under the same digest */
    info.built_us = tako__now_us(&t->host);
    rc = t->ops->put_version(t->store, &info, err);
    *put = *put || rc == TAKO_OK;
    return rc;
}

/* ---- defining -------------------------------------------------------------------------------- */

static int type_define(tako *t, struct tako__version *v, tako_error *err)
{
    struct tako__type *made, *type;
    bool handler;

    made = tako__type_make(t, v->name, v);
    if (!made) {
        tako__version_free(v);
        return tako__nomem(err);
    }
    v = type_keep(t, v);
    made->version = v;
    pthread_mutex_lock(&t->lock);
    type = tako__type_find_locked(t, v->name);
    handler = type && !type->sandboxed;
    if (!type)
        tako__type_link_locked(t, made);
    else if (!handler)
        type->version = v;
    pthread_mutex_unlock(&t->lock);
    if (type)
        tako__free(&t->host, made);
    if (handler)
        return tako__fail(err, TAKO_ECONFLICT,
                          "tako_define_type: '%s' is the name of a handler already", v->name);
    return TAKO_OK;
}

int tako_define_type(tako *t, const tako_job_type *given, tako_error *err)
{
    static const tako_job_type none = TAKO_JOB_TYPE_INIT;
    tako_job_type type = none;
    struct tako__version *v = NULL;
    size_t i;
    int rc = tako__enter(t, "tako_define_type", TAKO__BEFORE_START | TAKO__IN_HANDLER, err);

    if (rc != TAKO_OK)
        return rc;
    if (!given)
        return tako__fail(err, TAKO_EINVAL, "tako_define_type: type is NULL");
    rc = tako__struct_in(&type, sizeof type, sizeof type, given, "type", err);
    if (rc == TAKO_OK)
        rc = tako__version_make(&v, &t->host, &type, &t->limits, err);
    for (i = 0; rc == TAKO_OK && i < type.n_environment; i++)
        if (tako__secret_looking(type.environment[i].name, type.environment[i].value))
            tako__log(&t->host, TAKO_LOG_WARN, "type",
                      "job type '%s': the variable %s looks like a secret, and every job of this "
                      "type can read it; secret_files keep secrets out of records and environments",
                      v->name, type.environment[i].name);
    if (rc == TAKO_OK)
        rc = type_define(t, v, err);
    return rc;
}

int tako__types_ship(tako *t, tako_error *err)
{
    static const char *const data[] = {"pandas", "numpy"}, *const learn[] = {"numpy",
                                                                             "scikit-learn"};
    static const tako_job_type none = TAKO_JOB_TYPE_INIT;
    tako_job_type types[3] = {none, none, none};
    struct tako__version *v;
    size_t i;
    int rc = TAKO_OK;

    types[0].name = "default";
    types[1].name = "data-processing";
    types[1].requirements = data;
    types[1].n_requirements = TAKO__LEN(data);
    types[1].memory_bytes = 1073741824;
    types[1].cpu_percent = 200;
    types[1].timeout_ms = 60000;
    types[2].name = "ml-inference";
    types[2].requirements = learn;
    types[2].n_requirements = TAKO__LEN(learn);
    types[2].memory_bytes = 2147483648;
    types[2].cpu_percent = 200;
    types[2].timeout_ms = 120000;
    for (i = 0; rc == TAKO_OK && i < TAKO__LEN(types); i++) {
        if (types[i].timeout_ms > t->limits.max_timeout_ms)
            types[i].timeout_ms = t->limits.max_timeout_ms;
        rc = tako__version_make(&v, &t->host, &types[i], &t->limits, err);
        if (rc == TAKO_OK)
            rc = type_define(t, v, err);
    }
    return rc;
}

/* ---- listing --------------------------------------------------------------------------------- */

int tako_types(tako *t, const char *name, tako_version_fn *each, void *ctx, tako_error *err)
{
    struct tako__version **list;
    const struct tako__type *type;
    tako_version_info info;
    size_t n = 0, i;
    int rc = tako__enter(t, "tako_types", TAKO__ANYWHERE, err);

    if (rc != TAKO_OK)
        return rc;
    if (!each)
        return tako__fail(err, TAKO_EINVAL, "tako_types: each is NULL");
    pthread_mutex_lock(&t->lock);
    n = t->types ? t->types->count : 0;
    pthread_mutex_unlock(&t->lock);
    list = tako__array(&t->host, n + 1, sizeof *list);
    if (!list)
        return tako__nomem(err);
    pthread_mutex_lock(&t->lock);
    for (type = t->types; type; type = type->next) /* the newest first: filled from behind */
        if (type->sandboxed && type->count <= n && (!name || strcmp(name, type->name) == 0))
            list[type->count - 1] = type->version;
    pthread_mutex_unlock(&t->lock);
    if (name)
        rc = TAKO_ENOTFOUND;
    for (i = 0; i < n; i++) {
        if (!list[i])
            continue;
        tako__version_info(list[i], &info);
        rc = each(ctx, &info);
        if (rc != 0)
            break;
    }
    tako__free(&t->host, list);
    if (name && rc == TAKO_ENOTFOUND && i == n)
        rc = tako__fail(err, rc, "tako_types: there is no job type '%.80s'", name);
    return rc;
}

struct type_list {
    const tako_host *host;
    tako_version_info *list;
    size_t count, room;
};

static char *type_copy_text(const tako_host *host, const char *text)
{
    return tako__strdup(host, text ? text : "");
}

static int type_copy(void *ctx, const tako_version_info *info)
{
    struct type_list *all = ctx;
    tako_version_info *to, *more;

    if (all->count == all->room) {
        all->room = all->room ? all->room * 2 : 16;
        more = tako__resize(all->host, all->list, all->room * sizeof *more);
        if (!more)
            return TAKO_ENOMEM;
        all->list = more;
    }
    to = &all->list[all->count++];
    *to = *info;
    to->size = sizeof *to;
    to->type = type_copy_text(all->host, info->type);
    to->tag = type_copy_text(all->host, info->tag);
    to->digest = type_copy_text(all->host, info->digest);
    to->built_by = type_copy_text(all->host, info->built_by);
    to->requirements_hash = type_copy_text(all->host, info->requirements_hash);
    to->definition = tako__strndup(all->host, info->definition, info->definition_len);
    return to->type && to->tag && to->digest && to->built_by && to->requirements_hash &&
                   to->definition
               ? 0
               : TAKO_ENOMEM;
}

static void type_free_text(const tako_host *host, const char *text)
{
    union {
        const char *in;
        char *out;
    } ours = {text};

    tako__free(host, ours.out);
}

/* The versions are copied first, so that `each` runs with no lock of the store held. */
int tako_versions(tako *t, const char *name, tako_version_fn *each, void *ctx, tako_error *err)
{
    struct type_list all;
    size_t i;
    int rc = tako__enter(t, "tako_versions", TAKO__ANYWHERE, err);

    if (rc != TAKO_OK)
        return rc;
    if (!each)
        return tako__fail(err, TAKO_EINVAL, "tako_versions: each is NULL");
    if (name && !tako__type_name_ok(name))
        return tako__fail(err, TAKO_EINVAL, "tako_versions: '%.80s' is no name of a job type",
                          name);
    memset(&all, 0, sizeof all);
    all.host = &t->host;
    rc = t->ops->versions(t->store, name, type_copy, &all, err);
    if (rc == TAKO_ENOMEM)
        rc = tako__nomem(err);
    for (i = 0; rc == TAKO_OK && i < all.count; i++)
        rc = each(ctx, &all.list[i]);
    for (i = 0; i < all.count; i++) {
        type_free_text(&t->host, all.list[i].type);
        type_free_text(&t->host, all.list[i].tag);
        type_free_text(&t->host, all.list[i].digest);
        type_free_text(&t->host, all.list[i].built_by);
        type_free_text(&t->host, all.list[i].requirements_hash);
        type_free_text(&t->host, all.list[i].definition);
    }
    tako__free(&t->host, all.list);
    return rc;
}
