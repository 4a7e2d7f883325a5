/* json.c - a strict scanner for JSON that users hand in, a reader and a writer for our own.
 *
 * The scanner (RFC 8259) builds nothing: user JSON is passed on as the bytes it came in. Only
 * the keys of open objects are remembered, to find duplicates: they are sorted, so that hostile
 * objects cost no more than n log n. Depth is counted, so recursion is bounded.
 * The reader is cJSON, and this is the only file that knows it. It sees only documents that the
 * scanner has passed, so its leniency never shows. No cJSON hooks: they are global to the host.
 *
 * SPDX-License-Identifier: MIT */
#include "json.h"

#include <cjson/cJSON.h>
#include <string.h>

#define JSON_DEPTH_MAX 512       /* bounds the recursion whatever the caller asks for */
#define JSON_INTEGER_DIGITS 4300 /* what CPython's json reads; longer ones raise in the job */

static const char json_no_memory[] = "there is not enough memory to check it";

struct json_key {
    size_t at;      /* first byte after the opening quote */
    size_t raw;     /* bytes up to the closing quote */
    size_t decoded; /* bytes once the escapes are resolved */
    uint32_t hash;  /* of those bytes; only to tell most keys apart quickly */
};

struct json_scan {
    const tako_host *host;
    const char *text;
    size_t len, at;
    int depth;             /* levels that may still be opened */
    struct json_key *keys; /* of all open objects, innermost last */
    size_t n_keys, cap_keys;
};

/* ---- strings ---------------------------------------------------------------------------- */

static int json_hex4(const char *s)
{
    int value = 0, i;

    for (i = 0; i < 4; i++) {
        value <<= 4;
        if (s[i] >= '0' && s[i] <= '9')
            value |= s[i] - '0';
        else if (s[i] >= 'a' && s[i] <= 'f')
            value |= s[i] - 'a' + 10;
        else if (s[i] >= 'A' && s[i] <= 'F')
            value |= s[i] - 'A' + 10;
        else
            return -1;
    }
    return value;
}

size_t tako__json_escape(const char *s, size_t len, uint32_t *code, const char **fault)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    const char *found;
    int first, second;

    *code = 0;
    *fault = "a string has an unknown escape";
    if (len == 0)
        return 0;
    found = memchr(from, s[0], sizeof from - 1);
    if (found) {
        *code = (unsigned char)to[found - from];
        return 1;
    }
    if (s[0] != 'u')
        return 0;
    *fault = "a string has a broken \\u escape";
    first = len >= 5 ? json_hex4(s + 1) : -1;
    if (first < 0)
        return 0;
    if (first == 0) {
        *fault = "a string has a NUL character (\\u0000)";
        return 0;
    }
    if (first >= 0xD800 && first <= 0xDFFF) {
        *fault = "a string has half of a surrogate pair";
        if (first >= 0xDC00 || len < 11 || s[5] != '\\' || s[6] != 'u')
            return 0;
        second = json_hex4(s + 7);
        if (second < 0xDC00 || second > 0xDFFF)
            return 0;
        *code = 0x10000u + ((uint32_t)(first - 0xD800) << 10) + (uint32_t)(second - 0xDC00);
        return 11;
    }
    *code = (uint32_t)first;
    return 5;
}

size_t tako__json_utf8(uint32_t code, char out[4])
{
    if (code < 0x80) {
        out[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        out[0] = (char)(0xC0 | code >> 6);
        out[1] = (char)(0x80 | (code & 0x3F));
        return 2;
    }
    if (code < 0x10000) {
        out[0] = (char)(0xE0 | code >> 12);
        out[1] = (char)(0x80 | (code >> 6 & 0x3F));
        out[2] = (char)(0x80 | (code & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | code >> 18);
    out[1] = (char)(0x80 | (code >> 12 & 0x3F));
    out[2] = (char)(0x80 | (code >> 6 & 0x3F));
    out[3] = (char)(0x80 | (code & 0x3F));
    return 4;
}

/* At an opening quote. Leaves s->at behind the closing one. */
static const char *json_string(struct json_scan *s, struct json_key *key)
{
    const char *fault;
    char scratch[4];
    uint32_t code, hash = 2166136261u; /* FNV-1a */
    size_t step, n, i, start = s->at;
    unsigned char c;

    s->at++;
    key->at = s->at;
    key->decoded = 0;
    while (s->at < s->len) {
        c = (unsigned char)s->text[s->at];
        if (c == '"') {
            key->raw = s->at - key->at;
            key->hash = hash;
            s->at++;
            return NULL;
        }
        if (c == 0)
            return "it has a NUL byte";
        if (c < 0x20)
            return "a string has a control character that is not escaped";
        if (c != '\\') {
            hash = (hash ^ c) * 16777619u;
            key->decoded++;
            s->at++;
            continue;
        }
        step = tako__json_escape(s->text + s->at + 1, s->len - s->at - 1, &code, &fault);
        if (step == 0)
            return fault;
        n = tako__json_utf8(code, scratch);
        for (i = 0; i < n; i++)
            hash = (hash ^ (unsigned char)scratch[i]) * 16777619u;
        key->decoded += n;
        s->at += 1 + step;
    }
    s->at = start;
    return "a string is not closed";
}

/* ---- duplicate keys --------------------------------------------------------------------- */

/* The next byte of a key with its escapes resolved. */
struct json_reader {
    const char *at, *end;
    char pending[4];
    size_t n_pending, next;
};

static unsigned char json_next_byte(struct json_reader *r)
{
    const char *fault;
    uint32_t code;

    if (r->next < r->n_pending)
        return (unsigned char)r->pending[r->next++];
    if (*r->at != '\\')
        return (unsigned char)*r->at++;
    r->at++;
    r->at += tako__json_escape(r->at, (size_t)(r->end - r->at), &code, &fault);
    r->n_pending = tako__json_utf8(code, r->pending);
    r->next = 1;
    return (unsigned char)r->pending[0];
}

/* Any total order will do: by hash, by length, then by content. 0 = the same key. */
static int json_key_compare(const char *text, const struct json_key *a, const struct json_key *b)
{
    struct json_reader ra = {text + a->at, text + a->at + a->raw, {0}, 0, 0};
    struct json_reader rb = {text + b->at, text + b->at + b->raw, {0}, 0, 0};
    unsigned char ca, cb;
    size_t i;

    if (a->hash != b->hash)
        return a->hash < b->hash ? -1 : 1;
    if (a->decoded != b->decoded)
        return a->decoded < b->decoded ? -1 : 1;
    if (a->raw == a->decoded && b->raw == b->decoded)
        return memcmp(ra.at, rb.at, a->raw);
    for (i = 0; i < a->decoded; i++) {
        ca = json_next_byte(&ra);
        cb = json_next_byte(&rb);
        if (ca != cb)
            return ca < cb ? -1 : 1;
    }
    return 0;
}

static bool json_key_less(const char *text, const struct json_key *a, const struct json_key *b)
{
    int order = json_key_compare(text, a, b);

    return order < 0 || (order == 0 && a->at < b->at);
}

static void json_sift(const char *text, struct json_key *keys, size_t root, size_t count)
{
    struct json_key moved = keys[root];
    size_t child;

    while ((child = 2 * root + 1) < count) {
        if (child + 1 < count && json_key_less(text, &keys[child], &keys[child + 1]))
            child++;
        if (!json_key_less(text, &moved, &keys[child]))
            break;
        keys[root] = keys[child];
        root = child;
    }
    keys[root] = moved;
}

/* Heap sort, because qsort takes no context and may allocate. Gives the offset of the first key
 * that was there before, or SIZE_MAX. */
static size_t json_duplicate(const char *text, struct json_key *keys, size_t count)
{
    struct json_key last;
    size_t i, found = SIZE_MAX;

    for (i = count / 2; i-- > 0;)
        json_sift(text, keys, i, count);
    for (i = count; i-- > 1;) {
        last = keys[i];
        keys[i] = keys[0];
        keys[0] = last;
        json_sift(text, keys, 0, i);
    }
    for (i = 1; i < count; i++)
        if (keys[i].at - 1 < found && json_key_compare(text, &keys[i - 1], &keys[i]) == 0)
            found = keys[i].at - 1;
    return found;
}

static bool json_remember(struct json_scan *s, const struct json_key *key)
{
    struct json_key *keys;
    size_t cap;

    if (s->n_keys == s->cap_keys) {
        cap = s->cap_keys ? s->cap_keys * 2 : 32;
        keys = tako__resize(s->host, s->keys, cap * sizeof *keys);
        if (!keys)
            return false;
        s->keys = keys;
        s->cap_keys = cap;
    }
    s->keys[s->n_keys++] = *key;
    return true;
}

/* ---- numbers ---------------------------------------------------------------------------- */

static size_t json_digits(const struct json_scan *s, size_t at)
{
    size_t n = 0;

    while (at + n < s->len && s->text[at + n] >= '0' && s->text[at + n] <= '9')
        n++;
    return n;
}

/* Is 0.d1d2d3... * 10^point beyond the largest double? The digits are those of `text` from the
 * first that is not 0; the decimal point is skipped. */
static bool json_overflows(const char *text, size_t len, int64_t point)
{
    static const char limit[] = "17976931348623158079"; /* first digits of 2^1024 - 2^970 */
    size_t i, k = 0;

    if (point != 309)
        return point > 309;
    for (i = 0; i < len && limit[k]; i++) {
        if (text[i] == '.')
            continue;
        if (text[i] != limit[k])
            return text[i] > limit[k];
        k++;
    }
    return !limit[k];
}

static const char *json_number(struct json_scan *s)
{
    size_t start = s->at, whole, fraction = 0, first, zeros, digits, i;
    int64_t exponent = 0, point;
    bool negative = false, plain = true;

    if (s->text[s->at] == '-')
        s->at++;
    first = s->at;
    whole = json_digits(s, s->at);
    if (whole == 0 || (whole > 1 && s->text[s->at] == '0')) {
        s->at = start;
        return whole ? "a number begins with 0" : "a number has no digits";
    }
    s->at += whole;
    if (s->at < s->len && s->text[s->at] == '.') {
        plain = false;
        fraction = json_digits(s, s->at + 1);
        if (fraction == 0)
            return "a number has no digits after the point";
        s->at += 1 + fraction;
    }
    digits = s->at;
    if (s->at < s->len && (s->text[s->at] == 'e' || s->text[s->at] == 'E')) {
        plain = false;
        s->at++;
        if (s->at < s->len && (s->text[s->at] == '+' || s->text[s->at] == '-'))
            negative = s->text[s->at++] == '-';
        zeros = json_digits(s, s->at);
        if (zeros == 0)
            return "a number has no digits in its exponent";
        for (i = 0; i < zeros; i++)
            if (exponent < 1000000000000)
                exponent = exponent * 10 + (s->text[s->at + i] - '0');
        s->at += zeros;
    }
    if (plain) {
        if (whole > JSON_INTEGER_DIGITS) {
            s->at = start;
            return "an integer has more than 4300 digits";
        }
        return NULL;
    }
    point = (int64_t)whole + (negative ? -exponent : exponent);
    for (i = first; i < digits && (s->text[i] == '0' || s->text[i] == '.'); i++)
        if (s->text[i] == '0')
            point--;
    if (i < digits && json_overflows(s->text + i, digits - i, point)) {
        s->at = start;
        return "a number is too large";
    }
    return NULL;
}

/* ---- values ----------------------------------------------------------------------------- */

static void json_space(struct json_scan *s)
{
    while (s->at < s->len && (s->text[s->at] == ' ' || s->text[s->at] == '\n' ||
                              s->text[s->at] == '\r' || s->text[s->at] == '\t'))
        s->at++;
}

/* Takes `c` after white space, if it is there. */
static bool json_take(struct json_scan *s, char c)
{
    json_space(s);
    if (s->at >= s->len || s->text[s->at] != c)
        return false;
    s->at++;
    return true;
}

/* What to say when something else was expected here. */
static const char *json_unexpected(const struct json_scan *s, const char *fault)
{
    if (s->at >= s->len)
        return "it ends too early";
    return s->text[s->at] ? fault : "it has a NUL byte";
}

static const char *json_word(struct json_scan *s)
{
    static const char *const words[] = {"true", "false", "null"};
    static const char *const never[] = {"NaN", "Infinity", "-Infinity"};
    size_t i, n, rest = s->len - s->at;

    for (i = 0; i < TAKO__LEN(words); i++) {
        n = strlen(words[i]);
        if (rest >= n && memcmp(s->text + s->at, words[i], n) == 0) {
            s->at += n;
            return NULL;
        }
        n = strlen(never[i]);
        if (rest >= n && memcmp(s->text + s->at, never[i], n) == 0)
            return "NaN and Infinity are not JSON";
    }
    return json_unexpected(s, "a value was expected");
}

static const char *json_object(struct json_scan *s);

static const char *json_array(struct json_scan *s);

static const char *json_value(struct json_scan *s)
{
    struct json_key ignored;
    char c;

    json_space(s);
    c = s->at < s->len ? s->text[s->at] : '\0';
    if (c == '{')
        return json_object(s);
    if (c == '[')
        return json_array(s);
    if (c == '"')
        return json_string(s, &ignored);
    if ((c >= '0' && c <= '9') || (c == '-' && !(s->at + 1 < s->len && s->text[s->at + 1] == 'I')))
        return json_number(s);
    return json_word(s);
}

static const char *json_array(struct json_scan *s)
{
    const char *fault;

    if (s->depth == 0)
        return "it is nested too deeply";
    s->depth--;
    s->at++;
    if (!json_take(s, ']')) {
        do {
            fault = json_value(s);
            if (fault)
                return fault;
        } while (json_take(s, ','));
        if (!json_take(s, ']'))
            return json_unexpected(s, "',' or ']' was expected");
    }
    s->depth++;
    return NULL;
}

static const char *json_object(struct json_scan *s)
{
    const char *fault;
    struct json_key key;
    size_t base = s->n_keys, twice;

    if (s->depth == 0)
        return "it is nested too deeply";
    s->depth--;
    s->at++;
    if (!json_take(s, '}')) {
        do {
            json_space(s);
            if (s->at >= s->len || s->text[s->at] != '"')
                return json_unexpected(s, "a key in quotes was expected");
            fault = json_string(s, &key);
            if (fault)
                return fault;
            if (!json_remember(s, &key))
                return json_no_memory;
            if (!json_take(s, ':'))
                return json_unexpected(s, "':' was expected");
            fault = json_value(s);
            if (fault)
                return fault;
        } while (json_take(s, ','));
        if (!json_take(s, '}'))
            return json_unexpected(s, "',' or '}' was expected");
    }
    twice = s->n_keys > base ? json_duplicate(s->text, s->keys + base, s->n_keys - base) : SIZE_MAX;
    if (twice != SIZE_MAX) {
        s->at = twice;
        return "an object has the same key twice";
    }
    s->n_keys = base;
    s->depth++;
    return NULL;
}

const char *tako__json_object_fault(const tako_host *host, const char *text, size_t len, int depth,
                                    size_t *offset)
{
    struct json_scan s = {host, text, len, 0, 0, NULL, 0, 0};
    const char *fault = NULL;

    s.depth = depth < 0 ? 0 : depth < JSON_DEPTH_MAX ? depth : JSON_DEPTH_MAX;
    s.at = tako__utf8_check(text, len);
    if (s.at < len) {
        fault = "it is not valid UTF-8";
    } else {
        s.at = 0;
        json_space(&s);
        if (s.at >= len)
            fault = "it is empty";
        else if (text[s.at] == '{')
            fault = json_object(&s);
        else if (len - s.at >= 3 && memcmp(text + s.at, "\xEF\xBB\xBF", 3) == 0)
            fault = "it begins with a byte order mark";
        else
            fault = json_unexpected(&s, "it is not a JSON object");
    }
    if (!fault) {
        json_space(&s);
        if (s.at < len)
            fault = json_unexpected(&s, "something follows the object");
    }
    tako__free(host, s.keys);
    if (offset)
        *offset = s.at;
    return fault;
}

bool tako__json_fault_is_memory(const char *fault)
{
    return fault == json_no_memory;
}

/* ---- our own documents ------------------------------------------------------------------ */

/* struct tako__json is never defined: it is cJSON under another name. */
static const cJSON *json_node(const struct tako__json *value)
{
    return (const cJSON *)(const void *)value;
}

static const struct tako__json *json_value_of(const cJSON *node)
{
    return (const struct tako__json *)(const void *)node;
}

struct tako__json *tako__json_parse(const tako_host *host, const char *text, size_t len,
                                    tako_error *err)
{
    const char *fault, *end = NULL;
    size_t offset;
    cJSON *doc;

    fault = tako__json_object_fault(host, text, len, 64, &offset);
    if (fault == json_no_memory) {
        (void)tako__nomem(err);
        return NULL;
    }
    if (fault) {
        (void)tako__fail(err, TAKO_EINVAL, "not a JSON object: %s, at byte %zu", fault, offset);
        return NULL;
    }
    /* The length is without a NUL, for there may be none; what follows was checked above. */
    doc = cJSON_ParseWithLengthOpts(text, len, &end, 0);
    if (!doc)
        (void)tako__nomem(err);
    return (struct tako__json *)(void *)doc;
}

void tako__json_free(const tako_host *host, struct tako__json *doc)
{
    (void)host;
    cJSON_Delete((cJSON *)(void *)doc);
}

const struct tako__json *tako__json_get(const struct tako__json *obj, const char *key)
{
    if (!obj || !cJSON_IsObject(json_node(obj)))
        return NULL;
    return json_value_of(cJSON_GetObjectItemCaseSensitive(json_node(obj), key));
}

const char *tako__json_str(const struct tako__json *obj, const char *key, const char *fallback)
{
    const cJSON *item = json_node(tako__json_get(obj, key));

    return item && cJSON_IsString(item) ? item->valuestring : fallback;
}

const char *tako__json_text(const struct tako__json *value)
{
    const cJSON *item = json_node(value);

    return item && cJSON_IsString(item) ? item->valuestring : NULL;
}

int64_t tako__json_int(const struct tako__json *obj, const char *key, int64_t fallback)
{
    const cJSON *item = json_node(tako__json_get(obj, key));
    const double limit = 9007199254740992.0; /* 2^53 */
    int64_t value;

    if (!cJSON_IsNumber(item) || !(item->valuedouble >= -limit && item->valuedouble <= limit))
        return fallback;
    value = (int64_t)item->valuedouble;
    if ((double)value < item->valuedouble || (double)value > item->valuedouble)
        return fallback; /* it had a fraction */
    return value;
}

bool tako__json_bool(const struct tako__json *obj, const char *key, bool fallback)
{
    const cJSON *item = json_node(tako__json_get(obj, key));

    return cJSON_IsBool(item) ? cJSON_IsTrue(item) : fallback;
}

size_t tako__json_count(const struct tako__json *array)
{
    if (!array || !cJSON_IsArray(json_node(array)))
        return 0;
    return (size_t)cJSON_GetArraySize(json_node(array));
}

const struct tako__json *tako__json_at(const struct tako__json *array, size_t index)
{
    if (index >= tako__json_count(array))
        return NULL;
    return json_value_of(cJSON_GetArrayItem(json_node(array), (int)index));
}

void tako__json_put_key(struct tako__buf *out, const char *key)
{
    if (out->failed)
        return;
    if (out->len && out->data[out->len - 1] != '{')
        tako__buf_puts(out, ",");
    tako__buf_puts(out, "\"");
    tako__buf_puts(out, key);
    tako__buf_puts(out, "\":");
}

void tako__json_put_str(struct tako__buf *out, const char *key, const char *value)
{
    tako__json_put_key(out, key);
    if (value)
        tako__buf_json(out, value, strlen(value));
    else
        tako__buf_puts(out, "null");
}

void tako__json_put_int(struct tako__buf *out, const char *key, int64_t value)
{
    tako__json_put_key(out, key);
    tako__buf_printf(out, "%lld", (long long)value);
}

void tako__json_put_bool(struct tako__buf *out, const char *key, bool value)
{
    tako__json_put_key(out, key);
    tako__buf_puts(out, value ? "true" : "false");
}
