/* yaml.c - from a YAML document to a small tree with the place of every node.
 *
 * libyaml finds the events; what they may be, and what type a plain scalar has, is decided here.
 * Independent of the locale. libyaml's own memory comes from libc.
 * SPDX-License-Identifier: MIT */
#include "yaml.h"

#include <stdio.h>
#include <string.h>

#if defined(__has_include)
#if !__has_include(<yaml.h>)
#error "yaml.h not found: install libyaml-dev, or compile with -DTAKO_OMIT_YAML"
#endif
#endif
#include <yaml.h>

#define YAML_CORE "tag:yaml.org,2002:"

/* A list or mapping that has not ended. */
struct yaml_open {
    struct tako__yaml *node;
    struct tako__yaml **tail;
    char *key; /* of a mapping, once read: the next node is its value */
    bool drop; /* that value is not to be kept: its key was at fault */
    int key_line, key_column;
};

struct yaml_reader {
    const tako_host *host;
    tako__yaml_fault_fn *fault;
    void *ctx;
    struct tako__yaml *root;
    struct yaml_open open[TAKO__YAML_DEPTH_MAX];
    int depth;
    size_t nodes;
    int documents;
    bool nomem;
    bool stop;
};

static void yaml_fault(struct yaml_reader *r, const yaml_mark_t *at, const char *text)
{
    r->fault(r->ctx, (int)at->line + 1, (int)at->column + 1, text);
}

/* A fault that leaves no way to go on. */
static void yaml_halt(struct yaml_reader *r, const yaml_mark_t *at, const char *text)
{
    yaml_fault(r, at, text);
    r->stop = true;
}

/* The place of a byte. */
static void yaml_locate(const char *text, size_t offset, yaml_mark_t *at)
{
    size_t i;

    memset(at, 0, sizeof *at);
    for (i = 0; i < offset; i++) {
        if (text[i] == '\n') {
            at->line++;
            at->column = 0;
        } else if (((unsigned char)text[i] & 0xC0) != 0x80) {
            at->column++;
        }
    }
}

/* ---- types of plain scalars ----------------------------------------------------------------- */

static bool yaml_is_one_of(const char *s, const char *const *list)
{
    for (; *list; list++)
        if (strcmp(s, *list) == 0)
            return true;
    return false;
}

static bool yaml_null(const char *s)
{
    static const char *const words[] = {"", "~", "null", "Null", "NULL", NULL};

    return yaml_is_one_of(s, words);
}

static bool yaml_bool(const char *s, int64_t *value)
{
    static const char *const yes[] = {"yes",  "Yes", "YES", "true", "True",
                                      "TRUE", "on",  "On",  "ON",   NULL};
    static const char *const no[] = {"no",    "No",  "NO",  "false", "False",
                                     "FALSE", "off", "Off", "OFF",   NULL};

    *value = yaml_is_one_of(s, yes);
    return *value || yaml_is_one_of(s, no);
}

static int yaml_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return 99;
}

/* Digits of a base and '_' up to the end or to `until`; *value stays at the end of its range. */
static const char *yaml_digits(const char *s, int base, char until, int64_t *value)
{
    int digit;

    for (; *s && *s != until; s++) {
        if (*s == '_')
            continue;
        digit = yaml_digit(*s);
        if (digit >= base)
            return NULL;
        if (__builtin_mul_overflow(*value, (int64_t)base, value) ||
            __builtin_add_overflow(*value, (int64_t)digit, value))
            *value = INT64_MAX;
    }
    return s;
}

/* ":59" and so on, each digit group worth a sixtieth of the one before: 1:30 is 90. */
static bool yaml_sixties(const char *s, int64_t *value)
{
    int64_t part;

    while (*s == ':') {
        s++;
        if (*s < '0' || *s > '9')
            return false;
        part = *s++ - '0';
        if (part <= 5 && *s >= '0' && *s <= '9')
            part = part * 10 + *s++ - '0';
        if (__builtin_mul_overflow(*value, (int64_t)60, value) ||
            __builtin_add_overflow(*value, part, value))
            *value = INT64_MAX;
    }
    return *s == '\0';
}

static bool yaml_int(const char *s, int64_t *value)
{
    bool minus = *s == '-';
    const char *end;
    int base = 10;

    *value = 0;
    s += *s == '-' || *s == '+';
    if (*s < '0' || *s > '9')
        return false;
    if (*s == '0' && s[1]) {
        base = s[1] == 'b' ? 2 : s[1] == 'x' ? 16 : 8;
        s += base == 8 ? 1 : 2;
        if (strspn(s, "_") == strlen(s))
            return false;
    }
    end = yaml_digits(s, base, base == 10 ? ':' : '\0', value);
    if (!end || !yaml_sixties(end, value))
        return false;
    if (minus)
        *value = *value == INT64_MAX ? INT64_MIN : -*value;
    return true;
}

static bool yaml_float(const char *s)
{
    static const char *const words[] = {".inf",  ".Inf",  ".INF",  "+.inf", "+.Inf",
                                        "+.INF", "-.inf", "-.Inf", "-.INF", ".nan",
                                        ".NaN",  ".NAN",  NULL};
    const char *p = s;
    size_t before, after;

    if (yaml_is_one_of(s, words))
        return true;
    p += *p == '-' || *p == '+';
    before = *p >= '0' && *p <= '9' ? strspn(p, "0123456789_") : 0;
    if (before == 0 && p != s)
        return false;
    p += before;
    while (before > 0 && *p == ':') {
        p += 1 + strspn(p + 1, "0123456789");
        if (*p != ':' && *p != '.')
            return false;
    }
    if (*p++ != '.')
        return false;
    after = strspn(p, "0123456789_");
    if (before == 0 && (after == 0 || *p == '_'))
        return false;
    p += after;
    if (*p == 'e' || *p == 'E') {
        p++;
        if (*p != '+' && *p != '-')
            return false;
        p++;
        return *p && strspn(p, "0123456789") == strlen(p);
    }
    return !*p;
}

static enum tako__yaml_kind yaml_plain(const char *s, int64_t *number)
{
    if (yaml_null(s))
        return TAKO__YAML_NULL;
    if (yaml_bool(s, number))
        return TAKO__YAML_BOOL;
    if (yaml_int(s, number))
        return TAKO__YAML_INT;
    *number = 0;
    return yaml_float(s) ? TAKO__YAML_FLOAT : TAKO__YAML_TEXT;
}

/* The kind of a scalar; its tag, if it has one, must agree with what it looks like. */
static enum tako__yaml_kind yaml_scalar_kind(struct yaml_reader *r, const yaml_event_t *e,
                                             const char *text, int64_t *number)
{
    static const struct {
        const char *tag;
        enum tako__yaml_kind kind;
    } core[] = {{"null", TAKO__YAML_NULL},
                {"bool", TAKO__YAML_BOOL},
                {"int", TAKO__YAML_INT},
                {"float", TAKO__YAML_FLOAT}};
    const char *tag = (const char *)e->data.scalar.tag;
    bool plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    enum tako__yaml_kind kind;
    size_t i;

    *number = 0;
    if (!tag)
        return plain ? yaml_plain(text, number) : TAKO__YAML_TEXT;
    if (strcmp(tag, "!") == 0 || strcmp(tag, YAML_CORE "str") == 0)
        return TAKO__YAML_TEXT;
    kind = yaml_plain(text, number);
    for (i = 0; i < TAKO__LEN(core); i++) {
        if (strncmp(tag, YAML_CORE, strlen(YAML_CORE)) != 0 ||
            strcmp(tag + strlen(YAML_CORE), core[i].tag) != 0)
            continue;
        if (kind == core[i].kind || (kind == TAKO__YAML_INT && core[i].kind == TAKO__YAML_FLOAT))
            return core[i].kind;
        yaml_fault(r, &e->start_mark, "the value is not what its tag says");
        return TAKO__YAML_BAD;
    }
    yaml_fault(r, &e->start_mark,
               "tags are not allowed, but for !!str, !!int, !!float, !!bool and !!null before a "
               "scalar");
    return TAKO__YAML_BAD;
}

/* ---- the tree ------------------------------------------------------------------------------- */

/* A node with its text, in its place in the tree. NULL when there is to be none. */
static struct tako__yaml *yaml_node(struct yaml_reader *r, const yaml_event_t *e, const char *text)
{
    struct yaml_open *in = r->depth ? &r->open[r->depth - 1] : NULL;
    size_t text_len = strlen(text), key_len = in && in->key ? strlen(in->key) : 0;
    struct tako__yaml *node;
    char *room;

    if (++r->nodes > TAKO__YAML_NODES_MAX) {
        yaml_halt(r, &e->start_mark, "the document has more than 65536 values");
        return NULL;
    }
    node = tako__alloc(r->host, sizeof *node + text_len + key_len + 2);
    if (!node) {
        r->nomem = true;
        return NULL;
    }
    room = (char *)(node + 1);
    memcpy(room, text, text_len + 1);
    node->text = room;
    node->line = (int)e->start_mark.line + 1;
    node->column = (int)e->start_mark.column + 1;
    if (!in) {
        r->root = node;
        return node;
    }
    if (in->key) {
        room += text_len + 1;
        memcpy(room, in->key, key_len + 1);
        node->key = room;
        node->key_line = in->key_line;
        node->key_column = in->key_column;
        tako__free(r->host, in->key);
        in->key = NULL;
    }
    *in->tail = node;
    in->tail = &node->next;
    in->node->count++;
    return node;
}

/* Takes back what yaml_node made last, with all that is in it: the value of a key at fault. */
static void yaml_drop(struct yaml_reader *r, struct yaml_open *in)
{
    struct tako__yaml **at = &in->node->first;

    while ((*at)->next)
        at = &(*at)->next;
    tako__yaml_free(r->host, *at);
    *at = NULL;
    in->tail = at;
    in->node->count--;
    in->drop = false;
}

/* A value is complete. */
static void yaml_ended(struct yaml_reader *r)
{
    struct yaml_open *in = r->depth ? &r->open[r->depth - 1] : NULL;

    if (in && in->drop)
        yaml_drop(r, in);
}

static void yaml_key(struct yaml_reader *r, struct yaml_open *in, const yaml_event_t *e,
                     const char *text)
{
    const struct tako__yaml *other = tako__yaml_get(in->node, text);
    char line[96];

    if (in->node->count >= TAKO__YAML_KEYS_MAX) {
        yaml_halt(r, &e->start_mark, "the mapping has more than 1000 keys");
        return;
    }
    if (other) {
        (void)snprintf(line, sizeof line, "the key stands here a second time, first in line %d",
                       other->key_line);
        yaml_fault(r, &e->start_mark, line);
        in->drop = true;
    }
    in->key = tako__strdup(r->host, text);
    in->key_line = (int)e->start_mark.line + 1;
    in->key_column = (int)e->start_mark.column + 1;
    r->nomem = r->nomem || !in->key;
}

static bool yaml_wants_key(const struct yaml_reader *r)
{
    const struct yaml_open *in = r->depth ? &r->open[r->depth - 1] : NULL;

    return in && in->node->kind == TAKO__YAML_MAP && !in->key;
}

static void yaml_scalar(struct yaml_reader *r, const yaml_event_t *e)
{
    const char *text = (const char *)e->data.scalar.value;
    enum tako__yaml_kind kind;
    struct tako__yaml *node;
    int64_t number;

    if (e->data.scalar.anchor)
        yaml_fault(r, &e->start_mark, "anchors (&name) are not allowed");
    kind = yaml_scalar_kind(r, e, text, &number);
    if (strlen(text) != e->data.scalar.length) {
        yaml_fault(r, &e->start_mark, "a NUL character is not allowed");
        kind = TAKO__YAML_BAD;
    }
    if (yaml_wants_key(r)) {
        yaml_key(r, &r->open[r->depth - 1], e, text);
        return;
    }
    node = yaml_node(r, e, text);
    if (node) {
        node->kind = kind;
        node->number = number;
        yaml_ended(r);
    }
}

static void yaml_alias(struct yaml_reader *r, const yaml_event_t *e)
{
    yaml_fault(r, &e->start_mark, "aliases (*name) are not allowed");
    if (yaml_wants_key(r)) {
        r->stop = true;
        return;
    }
    if (yaml_node(r, e, "")) /* kind: TAKO__YAML_BAD */
        yaml_ended(r);
}

static void yaml_begin(struct yaml_reader *r, const yaml_event_t *e)
{
    bool map = e->type == YAML_MAPPING_START_EVENT;
    const void *anchor = map ? e->data.mapping_start.anchor : e->data.sequence_start.anchor;
    const void *tag = map ? e->data.mapping_start.tag : e->data.sequence_start.tag;
    struct tako__yaml *node;

    if (yaml_wants_key(r)) {
        yaml_halt(r, &e->start_mark, "a key must be a plain word or a string");
        return;
    }
    if (anchor)
        yaml_fault(r, &e->start_mark, "anchors (&name) are not allowed");
    if (tag)
        yaml_fault(r, &e->start_mark, "tags are not allowed before lists and mappings");
    if (r->depth >= TAKO__YAML_DEPTH_MAX) {
        yaml_halt(r, &e->start_mark, "lists and mappings lie more than 16 deep");
        return;
    }
    node = yaml_node(r, e, "");
    if (!node)
        return;
    node->kind = map ? TAKO__YAML_MAP : TAKO__YAML_LIST;
    memset(&r->open[r->depth], 0, sizeof r->open[0]);
    r->open[r->depth].node = node;
    r->open[r->depth].tail = &node->first;
    r->depth++;
}

static void yaml_event(struct yaml_reader *r, const yaml_event_t *e)
{
    switch (e->type) {
    case YAML_DOCUMENT_START_EVENT:
        if (++r->documents > 1)
            yaml_halt(r, &e->start_mark, "a second document begins here, and only one is allowed");
        break;
    case YAML_ALIAS_EVENT:
        yaml_alias(r, e);
        break;
    case YAML_SCALAR_EVENT:
        yaml_scalar(r, e);
        break;
    case YAML_SEQUENCE_START_EVENT:
    case YAML_MAPPING_START_EVENT:
        yaml_begin(r, e);
        break;
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        r->depth--;
        yaml_ended(r);
        break;
    case YAML_STREAM_END_EVENT:
        r->stop = true;
        break;
    case YAML_NO_EVENT:
    case YAML_STREAM_START_EVENT:
    case YAML_DOCUMENT_END_EVENT:
        break;
    }
}

/* In libyaml's words, which say what was being read and where that began. */
static void yaml_syntax(struct yaml_reader *r, const yaml_parser_t *p, const char *text)
{
    char line[256];
    yaml_mark_t at = p->problem_mark;

    if (p->error == YAML_READER_ERROR)
        yaml_locate(text, p->problem_offset, &at);
    if (p->context)
        (void)snprintf(line, sizeof line, "%s %s that begins in line %d", p->problem, p->context,
                       (int)p->context_mark.line + 1);
    else
        (void)snprintf(line, sizeof line, "%s", p->problem ? p->problem : "this is no YAML");
    yaml_halt(r, &at, line);
}

static int yaml_read(struct yaml_reader *r, const char *text, size_t len, tako_error *err)
{
    yaml_parser_t parser;
    yaml_event_t event;
    bool ended = false;
    int i;

    if (!yaml_parser_initialize(&parser))
        return tako__nomem(err);
    yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
    while (!r->stop && !r->nomem) {
        if (!yaml_parser_parse(&parser, &event)) {
            if (parser.error == YAML_MEMORY_ERROR)
                r->nomem = true;
            else
                yaml_syntax(r, &parser, text);
            break;
        }
        yaml_event(r, &event);
        ended = event.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    for (i = 0; i < TAKO__YAML_DEPTH_MAX; i++)
        tako__free(r->host, r->open[i].key);
    if (r->nomem)
        return tako__nomem(err);
    return ended ? TAKO_OK : tako__fail(err, TAKO_EINVAL, "the document cannot be read");
}

int tako__yaml_parse(const tako_host *host, const char *text, size_t len,
                     tako__yaml_fault_fn *fault, void *ctx, struct tako__yaml **out,
                     tako_error *err)
{
    struct yaml_reader r;
    yaml_mark_t at;
    size_t valid;
    int rc;

    *out = NULL;
    memset(&r, 0, sizeof r);
    r.host = host;
    r.fault = fault;
    r.ctx = ctx;
    valid = tako__utf8_check(text, len);
    if (len > TAKO__YAML_BYTES_MAX || valid != len) {
        yaml_locate(text, len > TAKO__YAML_BYTES_MAX ? 0 : valid, &at);
        yaml_fault(&r, &at,
                   len > TAKO__YAML_BYTES_MAX ? "the document has more than 1048576 bytes"
                                              : "this is no valid UTF-8");
        return tako__fail(err, TAKO_EINVAL, "the document cannot be read");
    }
    rc = yaml_read(&r, text, len, err);
    if (rc != TAKO_OK) {
        tako__yaml_free(host, r.root);
        return rc;
    }
    if (r.root && r.root->kind == TAKO__YAML_NULL) {
        tako__yaml_free(host, r.root);
        r.root = NULL;
    }
    *out = r.root;
    return TAKO_OK;
}

void tako__yaml_free(const tako_host *host, struct tako__yaml *node)
{
    struct tako__yaml *next;

    for (; node; node = next) {
        next = node->next;
        tako__yaml_free(host, node->first); /* at most TAKO__YAML_DEPTH_MAX deep */
        tako__free(host, node);
    }
}

const struct tako__yaml *tako__yaml_get(const struct tako__yaml *map, const char *key)
{
    const struct tako__yaml *entry = map && map->kind == TAKO__YAML_MAP ? map->first : NULL;

    while (entry && strcmp(entry->key, key) != 0)
        entry = entry->next;
    return entry;
}
