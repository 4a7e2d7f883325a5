/* config_values.c - how a value of the configuration is read: leniently where its meaning is clear
 * (a number in quotes, yes for true), else with a complaint that says what is allowed.
 *
 * Numbers are read without the locale. SPDX-License-Identifier: MIT */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

const char *tako__config_shown(char out[TAKO__CONFIG_SHOWN], const char *name, const char *text)
{
    size_t len, i;

    if (tako__secret_looking(name, text) || tako__url_has_secret(text))
        return "***";
    len = tako__utf8_cut(text, strlen(text), TAKO__CONFIG_SHOWN - 4);
    memcpy(out, text, len);
    (void)snprintf(out + len, 4, "%s", text[len] ? "..." : "");
    for (i = 0; i < len; i++)
        if ((unsigned char)out[i] < ' ' || out[i] == 0x7f)
            out[i] = '?';
    return out;
}

void tako__config_unknown(struct tako_config *c, const struct tako__config_place *at,
                          const char *name, const char *const *names)
{
    const char *near = tako__nearest(name, names);

    if (near)
        tako__config_problem(c, TAKO_LOG_ERROR, at, "unknown key; did you mean %s?", near);
    else
        tako__config_problem(c, TAKO_LOG_ERROR, at, "unknown key");
}

static bool values_same(const char *a, const char *b)
{
    for (; *a && *b; a++, b++) {
        char x = *a >= 'A' && *a <= 'Z' ? (char)(*a + 32) : *a;
        char y = *b >= 'A' && *b <= 'Z' ? (char)(*b + 32) : *b;

        if (x != y)
            return false;
    }
    return *a == *b;
}

static bool values_one_of(const char *text, const char *const *list)
{
    for (; *list; list++)
        if (values_same(text, *list))
            return true;
    return false;
}

/* A decimal number in thousandths. *exact is cleared when there is more behind; the ends of int64_t
 * stand for what is beyond. */
static bool values_decimal(const char *s, int64_t *milli, bool *exact)
{
    bool minus = *s == '-', any = false, point = false, beyond = false;
    int64_t value = 0;
    int places = 0, power = 0;

    *exact = true;
    s += *s == '-' || *s == '+';
    for (; (*s >= '0' && *s <= '9') || *s == '.' || (*s == '_' && any); s++) {
        if (*s == '_')
            continue;
        if (*s == '.') {
            if (point)
                return false;
            point = true;
            continue;
        }
        any = true;
        if (places >= 6) { /* nothing that is allowed has that many */
            *exact = *exact && *s == '0';
            continue;
        }
        places += point;
        if (__builtin_mul_overflow(value, (int64_t)10, &value) ||
            __builtin_add_overflow(value, (int64_t)(*s - '0'), &value))
            beyond = true;
    }
    if (any && (*s == 'e' || *s == 'E')) {
        bool down = s[1] == '-';

        s += 1 + (s[1] == '-' || s[1] == '+');
        if (!*s)
            return false;
        for (; *s >= '0' && *s <= '9'; s++)
            power = power < 100 ? power * 10 + *s - '0' : power;
        power = down ? -power : power;
    }
    if (!any || *s)
        return false;
    for (power += 3 - places; power > 0 && value != 0 && !beyond; power--)
        beyond = __builtin_mul_overflow(value, (int64_t)10, &value);
    for (; power < 0 && value != 0 && !beyond; power++) {
        *exact = *exact && value % 10 == 0;
        value /= 10;
    }
    *milli = beyond ? INT64_MAX : value;
    if (minus)
        *milli = *milli == INT64_MAX ? INT64_MIN : -*milli;
    return true;
}

static void values_bounds(char out[TAKO__CONFIG_SHOWN], const struct tako__config_key *key)
{
    char low[TAKO__CONFIG_MILLI_TEXT], high[TAKO__CONFIG_MILLI_TEXT];

    if (key->kind == TAKO__CONFIG_MILLI)
        (void)snprintf(out, TAKO__CONFIG_SHOWN, "a number from %s to %s",
                       tako__config_milli(low, key->min), tako__config_milli(high, key->max));
    else if (key->kind == TAKO__CONFIG_SIZE)
        (void)snprintf(out, TAKO__CONFIG_SHOWN,
                       "a size from %" PRId64 "m to %" PRId64 "m, in bytes "
                       "or with k, m or g behind it",
                       key->min >> 20, key->max >> 20);
    else
        (void)snprintf(out, TAKO__CONFIG_SHOWN, "a whole number from %" PRId64 " to %" PRId64,
                       key->min, key->max);
}

static bool values_wrong(struct tako_config *c, const struct tako__config_key *key,
                         const struct tako__config_place *at, const char *is, const char *must)
{
    char shown[TAKO__CONFIG_SHOWN];

    if (is && key->secret)
        is = "***";
    if (is)
        tako__config_problem(c, TAKO_LOG_ERROR, at, "'%s' must be %s",
                             tako__config_shown(shown, "", is), must);
    else
        tako__config_problem(c, TAKO_LOG_ERROR, at, "must be %s", must);
    return false;
}

/* What a node is, for a complaint: the text of a scalar, NULL for all else. */
static const char *values_is(const struct tako__yaml *node)
{
    return node->kind == TAKO__YAML_LIST || node->kind == TAKO__YAML_MAP ||
                   node->kind == TAKO__YAML_NULL
               ? NULL
               : node->text;
}

static bool values_take_bool(struct tako_config *c, const struct tako__config_key *key,
                             const struct tako__yaml *node, const struct tako__config_place *at,
                             struct tako__config_value *value)
{
    static const char *const yes[] = {"true", "yes", "on", "t", "y", "1", NULL};
    static const char *const no[] = {"false", "no", "off", "f", "n", "0", NULL};
    const char *text = values_is(node);

    if (text && values_one_of(text, yes))
        value->number = 1;
    else if (text && values_one_of(text, no))
        value->number = 0;
    else
        return values_wrong(c, key, at, text, "true or false");
    return true;
}

static bool values_take_number(struct tako_config *c, const struct tako__config_key *key,
                               const struct tako__yaml *node, const struct tako__config_place *at,
                               struct tako__config_value *value)
{
    char bounds[TAKO__CONFIG_SHOWN];
    const char *text = values_is(node);
    int64_t number = 0;
    bool exact = true, good;

    values_bounds(bounds, key);
    if (node->kind == TAKO__YAML_INT && key->kind == TAKO__CONFIG_INT) {
        number = node->number; /* may be written in other ways than the decimal one */
        good = true;
    } else if (node->kind == TAKO__YAML_INT) {
        good = true;
        if (__builtin_mul_overflow(node->number, (int64_t)1000, &number))
            number = node->number < 0 ? INT64_MIN : INT64_MAX;
    } else {
        good = text && node->kind != TAKO__YAML_BOOL && values_decimal(text, &number, &exact);
        if (good && key->kind == TAKO__CONFIG_INT) {
            exact = exact && (number % 1000 == 0 || number == INT64_MAX);
            number = number == INT64_MAX || number == INT64_MIN ? number : number / 1000;
        }
    }
    if (good && exact && number >= key->min && number <= key->max) {
        value->number = number;
        return true;
    }
    if (good && !exact && key->kind == TAKO__CONFIG_MILLI && number >= key->min &&
        number <= key->max)
        return values_wrong(c, key, at, text, "a number with at most three decimals");
    return values_wrong(c, key, at, text, bounds);
}

static bool values_take_size(struct tako_config *c, const struct tako__config_key *key,
                             const struct tako__yaml *node, const struct tako__config_place *at,
                             struct tako__config_value *value)
{
    char bounds[TAKO__CONFIG_SHOWN];
    const char *text = values_is(node);
    int64_t bytes;
    char *p;

    values_bounds(bounds, key);
    if (!text || tako__rule_size(text, &bytes) || bytes < key->min || bytes > key->max)
        return values_wrong(c, key, at, text, bounds);
    p = tako__config_text(c, text);
    value->text = p;
    value->number = bytes;
    for (; p && *p; p++)
        *p = *p >= 'A' && *p <= 'Z' ? (char)(*p + 32) : *p;
    return true;
}

static bool values_take_choice(struct tako_config *c, const struct tako__config_key *key,
                               const char *text, const struct tako__config_place *at,
                               struct tako__config_value *value)
{
    char must[TAKO__CONFIG_SHOWN];
    size_t i, len = 0;

    must[0] = '\0';
    for (i = 0; key->choices[i]; i++) {
        if (text && values_same(text, key->choices[i])) {
            value->text = key->choices[i];
            return true;
        }
        (void)snprintf(must + len, sizeof must - len, "%s%s",
                       i == 0                ? ""
                       : key->choices[i + 1] ? ", "
                                             : " or ",
                       key->choices[i]);
        len = strlen(must);
    }
    return values_wrong(c, key, at, text, must);
}

/* "sqlite:FILE" with FILE made absolute; anything else stays as it is. */
static char *values_store(struct tako_config *c, const char *base, const char *text)
{
    static const char scheme[] = "sqlite:";
    const size_t n = sizeof scheme - 1;
    char *path, *out = NULL;

    if (strncmp(text, scheme, n) != 0 || text[n] == '/' || text[n] == ':')
        return tako__config_text(c, text);
    path = tako__config_path(c, base, text + n);
    if (path)
        out = tako__config_alloc(c, n + strlen(path) + 1, 1);
    if (out)
        (void)snprintf(out, n + strlen(path) + 1, "%s%s", scheme, path);
    return out;
}

/* A driver in the scheme means nothing here: "postgresql+psycopg:" is "postgresql:". */
static char *values_database(struct tako_config *c, const char *text)
{
    char *out = tako__config_text(c, text);
    char *rest = out ? strchr(out, ':') : NULL;

    if (rest && out[10] == '+')
        memmove(out + 10, rest, strlen(rest) + 1);
    return out;
}

static bool values_take_text(struct tako_config *c, const struct tako__config_key *key,
                             const struct tako__yaml *node, const struct tako__config_place *at,
                             struct tako__config_value *value)
{
    const char *base = at->env ? c->cwd : c->base, *text = values_is(node), *fault;
    char shown[TAKO__CONFIG_SHOWN];

    if (key->choices)
        return values_take_choice(c, key, text, at, value);
    if (!text) {
        if (node->kind == TAKO__YAML_NULL && !key->fallback)
            return true;
        return values_wrong(c, key, at, NULL, "a text");
    }
    fault = key->rule ? key->rule(text) : NULL;
    if (fault) {
        tako__config_problem(c, TAKO_LOG_ERROR, at, "'%s' %s", tako__config_shown(shown, "", text),
                             fault);
        return false;
    }
    if (key->form == TAKO__CONFIG_PATH_FORM)
        value->text = tako__config_path(c, base, text);
    else if (key->form == TAKO__CONFIG_STORE_FORM)
        value->text = values_store(c, base, text);
    else if (key->form == TAKO__CONFIG_DATABASE_FORM)
        value->text = values_database(c, text);
    else
        value->text = tako__config_text(c, text);
    return true;
}

static bool values_take_list(struct tako_config *c, const struct tako__config_key *key,
                             const struct tako__yaml *node, const struct tako__config_place *at,
                             struct tako__config_value *value)
{
    char path[TAKO__CONFIG_PATH];
    struct tako__config_place item_at = *at;
    const struct tako__yaml *item;
    bool good = true;
    size_t n = 0;

    if (node->kind != TAKO__YAML_LIST)
        return values_wrong(c, key, at, NULL, "a list");
    value->items = tako__config_alloc(c, node->count + 1, sizeof *value->items);
    for (item = node->first; item && value->items; item = item->next, n++) {
        const char *text = values_is(item);
        char *copy = tako__config_text(c, text ? text + strspn(text, " \t") : "");
        size_t len = copy ? strlen(copy) : 0;

        while (len > 0 && (copy[len - 1] == ' ' || copy[len - 1] == '\t'))
            copy[--len] = '\0';
        (void)snprintf(path, sizeof path, "%s[%zu]", key->name, n);
        item_at.key = path;
        item_at.line = item->line;
        item_at.column = item->column;
        if (item->kind == TAKO__YAML_BAD) {
            good = false;
        } else if (copy && (int64_t)len < key->min) {
            char must[TAKO__CONFIG_SHOWN];

            (void)snprintf(must, sizeof must, "a text of at least %" PRId64 " characters",
                           key->min);
            good = values_wrong(c, key, &item_at, NULL, must);
        }
        value->items[n] = copy;
    }
    value->n_items = n;
    return good;
}

/* What this build cannot do, or never does otherwise. The value stays as it was read. */
static void values_refuse(struct tako_config *c, const struct tako__config_key *key,
                          const struct tako__config_place *at,
                          const struct tako__config_value *value)
{
    static const struct {
        const char *feature, *words;
    } parts[] = {{"server", "the HTTP server"},
                 {"docker", "the Docker executor"},
                 {"postgres", "the PostgreSQL store"}};
    size_t i;

    for (i = 0; key->needs && i < TAKO__LEN(parts); i++)
        if (strcmp(parts[i].feature, key->needs) == 0 && !tako_has(key->needs))
            tako__config_problem(c, TAKO_LOG_ERROR, at,
                                 "needs %s, which this build does not have; leave the key out",
                                 parts[i].words);
    if (!key->why)
        return;
    if (!key->fallback)
        tako__config_problem(c, TAKO_LOG_ERROR, at, "has no effect: %s; leave the key out",
                             key->why);
    else if (value->number == 0)
        tako__config_problem(c, TAKO_LOG_ERROR, at, "must be true, for %s", key->why);
}

bool tako__config_take(struct tako_config *c, const struct tako__config_key *key,
                       const struct tako__yaml *node, const struct tako__config_place *at,
                       struct tako__config_value *value)
{
    struct tako__config_value fresh;
    bool good = false;

    memset(&fresh, 0, sizeof fresh);
    switch (key->kind) {
    case TAKO__CONFIG_BOOL:
        good = values_take_bool(c, key, node, at, &fresh);
        break;
    case TAKO__CONFIG_INT:
    case TAKO__CONFIG_MILLI:
        good = values_take_number(c, key, node, at, &fresh);
        break;
    case TAKO__CONFIG_SIZE:
        good = values_take_size(c, key, node, at, &fresh);
        break;
    case TAKO__CONFIG_TEXT:
        good = values_take_text(c, key, node, at, &fresh);
        break;
    case TAKO__CONFIG_LIST:
        good = values_take_list(c, key, node, at, &fresh);
        break;
    }
    if (!good)
        return false;
    fresh.set = true;
    fresh.env = at->env != NULL;
    fresh.line = at->line;
    fresh.column = at->column;
    *value = fresh;
    values_refuse(c, key, at, value);
    return true;
}

bool tako__config_take_env(struct tako_config *c, const struct tako__config_key *key,
                           const char *text, const struct tako__config_place *at,
                           struct tako__config_value *value)
{
    static const char *const yes[] = {"true", "1", "yes", NULL};
    struct tako__yaml node, *items, *last = NULL;
    char bounds[TAKO__CONFIG_SHOWN], shown[TAKO__CONFIG_SHOWN];
    size_t len, n = 1;
    const char *p;
    int64_t milli;
    bool exact;

    memset(&node, 0, sizeof node);
    node.kind = TAKO__YAML_TEXT;
    node.text = text;
    if (tako__utf8_check(text, strlen(text)) != strlen(text)) {
        tako__config_problem(c, TAKO_LOG_ERROR, at, "is no valid UTF-8");
        return false;
    }
    if (key->kind == TAKO__CONFIG_BOOL) {
        node.text = values_one_of(text, yes) ? "true" : "false";
    } else if (key->kind == TAKO__CONFIG_INT &&
               (!values_decimal(text, &milli, &exact) || strchr(text, '.'))) {
        values_bounds(bounds, key);
        tako__config_problem(c, TAKO_LOG_ERROR, at, "must be an integer (got '%s'), %s",
                             tako__config_shown(shown, "", text), bounds);
        return false;
    } else if (key->kind == TAKO__CONFIG_LIST) {
        for (p = text; *p; p++)
            n += *p == ',';
        items = tako__config_alloc(c, n, sizeof *items);
        node.kind = TAKO__YAML_LIST;
        for (p = text; items; p += len + 1) {
            char *copy;

            len = strcspn(p, ",");
            copy = tako__config_alloc(c, len + 1, 1);
            if (!copy)
                break;
            memcpy(copy, p, len);
            items[node.count].kind = TAKO__YAML_TEXT;
            items[node.count].text = copy;
            if (last)
                last->next = &items[node.count];
            last = &items[node.count++];
            if (!p[len])
                break;
        }
        node.first = items;
    }
    return tako__config_take(c, key, &node, at, value);
}

void tako__config_defaults(struct tako_config *c)
{
    size_t count, i;
    const struct tako__config_key *keys = tako__config_keys(&count);

    c->values = tako__config_alloc(c, count, sizeof *c->values);
    for (i = 0; c->values && i < count; i++) {
        const struct tako__config_key *key = &keys[i];
        struct tako__config_value *value = &c->values[i];
        const char *text = key->fallback;
        bool exact;

        value->text = text;
        if (!text)
            continue;
        if (key->kind == TAKO__CONFIG_BOOL)
            value->number = strcmp(text, "true") == 0;
        else if (key->kind == TAKO__CONFIG_SIZE)
            (void)tako__rule_size(text, &value->number);
        else if (key->kind == TAKO__CONFIG_INT || key->kind == TAKO__CONFIG_MILLI)
            (void)values_decimal(text, &value->number, &exact);
        if (key->kind == TAKO__CONFIG_INT)
            value->number /= 1000;
    }
}
