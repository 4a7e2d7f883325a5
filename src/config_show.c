/* config_show.c - a configuration as JSON and as text, without its secrets.
 * SPDX-License-Identifier: MIT */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char *tako__config_milli(char out[TAKO__CONFIG_MILLI_TEXT], int64_t milli)
{
    size_t len;

    (void)snprintf(out, TAKO__CONFIG_MILLI_TEXT, "%" PRId64 ".%03d", milli / 1000,
                   (int)(milli % 1000));
    for (len = strlen(out); out[len - 1] == '0' && out[len - 2] != '.'; len--)
        out[len - 1] = '\0';
    return out;
}

char *tako__config_mask_url(struct tako_config *c, const char *url)
{
    char *out = tako__config_alloc(c, strlen(url) + 8, 1);
    const char *user, *host, *colon;

    if (!out)
        return NULL;
    (void)snprintf(out, strlen(url) + 8, "%s", url);
    if (!tako__url_has_secret(url))
        return out;
    user = strstr(url, "://") + 3;
    for (host = user + strcspn(user, "/?#"); host[-1] != '@'; host--)
        ;
    colon = memchr(user, ':', (size_t)(host - user));
    user = colon ? colon + 1 : user;
    (void)snprintf(out, strlen(url) + 8, "%.*s***@%s", (int)(user - url), url, host);
    return out;
}

/* ---- pieces --------------------------------------------------------------------------------- */

static void show_indent(struct tako__buf *out, int depth)
{
    tako__buf_puts(out, "\n");
    for (; depth > 0; depth--)
        tako__buf_puts(out, "  ");
}

/* The key of a member on a line of its own. */
static void show_key(struct tako__buf *out, int depth, bool *first, const char *key)
{
    tako__buf_puts(out, *first ? "" : ",");
    *first = false;
    show_indent(out, depth);
    tako__buf_json(out, key, strlen(key));
    tako__buf_puts(out, ": ");
}

static void show_text(struct tako__buf *out, const char *text)
{
    if (text)
        tako__buf_json(out, text, strlen(text));
    else
        tako__buf_puts(out, "null");
}

static void show_milli(struct tako__buf *out, int64_t milli)
{
    char text[TAKO__CONFIG_MILLI_TEXT];

    tako__buf_puts(out, tako__config_milli(text, milli));
}

/* What looks like a secret is not shown. */
static const char *show_masked(const char *name, const char *text)
{
    return text && tako__secret_looking(name, text) ? "***" : text;
}

static void show_list(struct tako__buf *out, int depth, const char *const *items, size_t n)
{
    size_t i;

    tako__buf_puts(out, "[");
    for (i = 0; i < n; i++) {
        tako__buf_puts(out, i ? "," : "");
        show_indent(out, depth + 1);
        show_text(out, show_masked("", items[i]));
    }
    if (n > 0)
        show_indent(out, depth);
    tako__buf_puts(out, "]");
}

static void show_pairs(struct tako__buf *out, int depth, const tako_pair *pairs, size_t n,
                       bool masked)
{
    bool first = true;
    size_t i;

    tako__buf_puts(out, "{");
    for (i = 0; i < n; i++) {
        show_key(out, depth + 1, &first, pairs[i].name);
        show_text(out, masked ? show_masked(pairs[i].name, pairs[i].value) : pairs[i].value);
    }
    if (n > 0)
        show_indent(out, depth);
    tako__buf_puts(out, "}");
}

/* Seconds that may be none at all. */
static void show_seconds(struct tako__buf *out, int64_t ms, int64_t otherwise)
{
    ms = ms ? ms : otherwise;
    if (ms == 0)
        tako__buf_puts(out, "null");
    else if (ms % 1000 == 0)
        tako__buf_printf(out, "%" PRId64, ms / 1000);
    else
        show_milli(out, ms);
}

/* ---- job types ------------------------------------------------------------------------------ */

static void show_type(struct tako__buf *out, const struct tako_config *c, const tako_job_type *t)
{
    const int64_t memory = t->memory_bytes ? t->memory_bytes : 536870912;
    const bool gib = memory % 1073741824 == 0;
    const int depth = 3;
    bool first = true;
    size_t words = 0;
    const char *retry, *end;

    tako__buf_puts(out, "{");
    show_key(out, depth, &first, "name");
    show_text(out, t->name);
    show_key(out, depth, &first, "requirements");
    show_list(out, depth, t->requirements, t->n_requirements);
    show_key(out, depth, &first, "python_version");
    show_text(out, t->python_version);
    show_key(out, depth, &first, "shared_code");
    show_list(out, depth, t->shared_code, t->n_shared_code);
    show_key(out, depth, &first, "environment");
    show_pairs(out, depth, t->environment, t->n_environment, true);
    show_key(out, depth, &first, "memory_limit");
    tako__buf_printf(out, "\"%" PRId64 "%c\"", memory / (gib ? 1073741824 : 1048576),
                     gib ? 'g' : 'm');
    show_key(out, depth, &first, "cpu_limit");
    show_milli(out, t->cpu_percent ? t->cpu_percent * INT64_C(10) : 1000);
    show_key(out, depth, &first, "timeout");
    show_seconds(out, t->timeout_ms, c->limits.default_timeout_ms);
    show_key(out, depth, &first, "startup_timeout");
    show_seconds(out, t->startup_timeout_ms, c->limits.default_startup_ms);
    show_key(out, depth, &first, "cpu_timeout");
    show_seconds(out, t->cpu_timeout_ms, 0);
    show_key(out, depth, &first, "network_enabled");
    tako__buf_puts(out, t->network ? "true" : "false");
    show_key(out, depth, &first, "max_attempts");
    tako__buf_printf(out, "%d", t->max_attempts ? t->max_attempts : 1);
    show_key(out, depth, &first, "retry_on");
    tako__buf_puts(out, t->retry_on ? "[" : "null");
    for (retry = t->retry_on; retry; retry = *end ? end + 1 : NULL) {
        end = retry + strcspn(retry, ",");
        tako__buf_puts(out, retry == t->retry_on ? "" : ",");
        show_indent(out, depth + 1);
        tako__buf_json(out, retry, (size_t)(end - retry));
    }
    if (t->retry_on) {
        show_indent(out, depth);
        tako__buf_puts(out, "]");
    }
    show_key(out, depth, &first, "retry_delay");
    show_milli(out, t->retry_delay_ms ? t->retry_delay_ms : 1000);
    show_key(out, depth, &first, "command");
    while (t->command && t->command[words])
        words++;
    if (t->command)
        show_list(out, depth, t->command, words);
    else
        tako__buf_puts(out, "null");
    show_key(out, depth, &first, "file_name");
    show_text(out, t->file_name ? t->file_name : "main.py");
    show_key(out, depth, &first, "secret_files");
    show_pairs(out, depth, t->secret_files, t->n_secret_files, false);
    show_indent(out, depth - 1);
    tako__buf_puts(out, "}");
}

/* ---- keys ----------------------------------------------------------------------------------- */

/* The value as text, without what must not be seen; NULL = none. */
static const char *show_value(struct tako_config *c, const struct tako__config_key *key,
                              const struct tako__config_value *value)
{
    char text[TAKO__CONFIG_MILLI_TEXT];

    switch (key->kind) {
    case TAKO__CONFIG_BOOL:
        return value->number ? "true" : "false";
    case TAKO__CONFIG_MILLI:
        if (!key->fallback)
            return NULL;
        return tako__config_text(c, tako__config_milli(text, value->number));
    case TAKO__CONFIG_INT:
        (void)snprintf(text, sizeof text, "%" PRId64, value->number);
        return tako__config_text(c, text);
    case TAKO__CONFIG_LIST:
        return value->n_items > 0 ? "***" : NULL; /* the only one is secret */
    case TAKO__CONFIG_SIZE:
    case TAKO__CONFIG_TEXT:
        break;
    }
    return key->url && value->text ? tako__config_mask_url(c, value->text) : value->text;
}

static void show_json_value(struct tako__buf *out, const struct tako__config_key *key,
                            const struct tako__config_value *value, const char *shown, int depth)
{
    size_t i;

    if (key->kind == TAKO__CONFIG_LIST) {
        tako__buf_puts(out, "[");
        for (i = 0; i < value->n_items; i++) {
            tako__buf_puts(out, i ? "," : "");
            show_indent(out, depth + 1);
            tako__buf_puts(out, "\"***\"");
        }
        if (value->n_items > 0)
            show_indent(out, depth);
        tako__buf_puts(out, "]");
    } else if (!shown || key->kind == TAKO__CONFIG_TEXT || key->kind == TAKO__CONFIG_SIZE) {
        show_text(out, shown);
    } else {
        tako__buf_puts(out, shown); /* is JSON as it is */
    }
}

void tako__config_print(struct tako_config *c)
{
    size_t count, i;
    const struct tako__config_key *keys = tako__config_keys(&count);
    bool first = true, first_inner = true;
    struct tako__buf out;
    const char *group = NULL;

    c->shown = tako__config_alloc(c, count, sizeof *c->shown);
    if (!c->shown)
        return;
    tako__buf_init(&out, &c->host);
    tako__buf_puts(&out, "{");
    for (i = 0; i < count; i++) {
        c->shown[i] = show_value(c, &keys[i], &c->values[i]);
        if (group && !keys[i].group) {
            show_indent(&out, 1);
            tako__buf_puts(&out, "}");
        } else if (keys[i].group && !group) {
            show_key(&out, 1, &first, keys[i].group);
            tako__buf_puts(&out, "{");
            first_inner = true;
        }
        group = keys[i].group;
        show_key(&out, group ? 2 : 1, group ? &first_inner : &first, keys[i].name);
        show_json_value(&out, &keys[i], &c->values[i], c->shown[i], group ? 2 : 1);
        /* These two have a second name with the same value, for those who know it by that. */
        if (strcmp(keys[i].name, "data_dir") == 0 ||
            strcmp(keys[i].name, "seccomp_profile_path") == 0) {
            char name[64];

            (void)snprintf(name, sizeof name, "%s_str", keys[i].name);
            show_key(&out, 1, &first, name);
            show_text(&out, c->shown[i]);
        }
    }
    if (group) {
        show_indent(&out, 1);
        tako__buf_puts(&out, "}");
    }
    show_key(&out, 1, &first, "job_types");
    tako__buf_puts(&out, "[");
    for (i = 0; i < c->n_types; i++) {
        tako__buf_puts(&out, i ? "," : "");
        show_indent(&out, 2);
        show_type(&out, c, &c->types[i]);
    }
    if (c->n_types > 0)
        show_indent(&out, 1);
    tako__buf_puts(&out, "]\n}");
    if (out.failed)
        c->nomem = true;
    else
        c->json = tako__config_text(c, out.data);
    tako__buf_free(&out);
}

int tako_config_each(const tako_config *c, tako_config_fn *each, void *ctx)
{
    size_t count, i;
    const struct tako__config_key *keys = tako__config_keys(&count);
    char name[TAKO__CONFIG_PATH];
    int rc = 0;

    for (i = 0; c && each && i < count && rc == 0; i++) {
        (void)snprintf(name, sizeof name, "%s%s%s", keys[i].group ? keys[i].group : "",
                       keys[i].group ? "." : "", keys[i].name);
        rc = each(ctx, keys[i].section, name, c->shown[i]);
    }
    return rc;
}
