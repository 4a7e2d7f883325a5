/* canon.c - canonical JSON, and the hashes over it.
 *
 * One pass: each value is printed as it is read. The members of an object are printed in the order
 * they come in, while their decoded keys and the places of their prints are remembered; at its end
 * they are sorted, and moved when they stood in another order. So memory is a few times the
 * document, and time n log n plus one copy for each level of nesting that was out of order.
 *
 * Numbers need no locale: digits are read and written one by one, and what libc is asked to
 * convert has no decimal point.
 *
 * SPDX-License-Identifier: MIT */
#include "canon.h"

#include "json.h"

#include <float.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CANON_DEPTH_MAX 512 /* as much as the scanner of json.c lets through */
/* No double, and no middle between two, has more than 768 digits: whatever comes behind only says
 * that there is more. */
#define CANON_DIGITS_MAX 800

struct canon_member {
    uint64_t front;             /* the first eight bytes of the key, to compare most keys quickly */
    size_t key_at, key_len;     /* in canon.keys */
    size_t print_at, print_len; /* "key":value in out */
};

struct canon {
    const tako_host *host;
    const char *text;
    size_t len, at;
    enum tako__canon_style style;
    int depth; /* levels that may still be opened */
    struct tako__buf *out;
    struct tako__buf keys;        /* the decoded keys of all open objects, innermost last */
    struct tako__buf aside;       /* the members of an object while they are moved */
    struct canon_member *members; /* of all open objects, innermost last */
    size_t n_members, cap_members;
    const char *fault;
    bool no_memory;
};

static bool canon_fault(struct canon *c, const char *fault)
{
    c->fault = fault;
    return false;
}

static bool canon_no_memory(struct canon *c)
{
    c->no_memory = true;
    return false;
}

static void canon_space(struct canon *c)
{
    while (c->at < c->len && (c->text[c->at] == ' ' || c->text[c->at] == '\n' ||
                              c->text[c->at] == '\r' || c->text[c->at] == '\t'))
        c->at++;
}

/* Takes `mark` after white space, if it is there. */
static bool canon_take(struct canon *c, char mark)
{
    canon_space(c);
    if (c->at >= c->len || c->text[c->at] != mark)
        return false;
    c->at++;
    return true;
}

/* ---- strings ---------------------------------------------------------------------------- */

static void canon_unit(struct tako__buf *out, unsigned unit)
{
    static const char digit[] = "0123456789abcdef";
    char text[6] = {'\\',
                    'u',
                    digit[unit >> 12 & 15],
                    digit[unit >> 8 & 15],
                    digit[unit >> 4 & 15],
                    digit[unit & 15]};

    tako__buf_add(out, text, sizeof text);
}

/* Prints one character that came escaped, or that this style escapes. */
static void canon_character(struct canon *c, uint32_t code)
{
    static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt";
    const char *found = code < 0x80 ? memchr(from, (int)code, sizeof from - 1) : NULL;
    char text[4] = {'\\'};

    if (found) {
        text[1] = to[found - from];
        tako__buf_add(c->out, text, 2);
    } else if (code < 0x20 || (code >= 0x7F && code < 0x10000 && c->style == TAKO__CANON_PYTHON)) {
        canon_unit(c->out, code);
    } else if (code >= 0x10000 && c->style == TAKO__CANON_PYTHON) {
        canon_unit(c->out, 0xD800 + (code - 0x10000) / 0x400);
        canon_unit(c->out, 0xDC00 + code % 0x400);
    } else {
        tako__buf_add(c->out, text, tako__json_utf8(code, text));
    }
}

/* The character at s, which is valid UTF-8 and not ASCII. */
static uint32_t canon_decode(const char *s, size_t *size)
{
    const unsigned char *u = (const unsigned char *)s;

    *size = u[0] < 0xE0 ? 2 : u[0] < 0xF0 ? 3 : 4;
    if (*size == 2)
        return (uint32_t)(u[0] & 0x1F) << 6 | (u[1] & 0x3F);
    if (*size == 3)
        return (uint32_t)(u[0] & 0x0F) << 12 | (uint32_t)(u[1] & 0x3F) << 6 | (u[2] & 0x3F);
    return (uint32_t)(u[0] & 0x07) << 18 | (uint32_t)(u[1] & 0x3F) << 12 |
           (uint32_t)(u[2] & 0x3F) << 6 | (u[3] & 0x3F);
}

/* May this byte be copied as it is? */
static bool canon_plain(const struct canon *c, unsigned char byte)
{
    if (byte < 0x20 || byte == '"' || byte == '\\')
        return false;
    return byte < 0x7F || c->style == TAKO__CANON_COMPACT;
}

/* At an opening quote. `key`, unless NULL, gets the decoded text appended. */
static bool canon_string(struct canon *c, struct tako__buf *key)
{
    const char *fault;
    char utf8[4];
    uint32_t code;
    size_t start, step;

    tako__buf_add(c->out, "\"", 1);
    c->at++;
    for (;;) {
        start = c->at;
        while (c->at < c->len && canon_plain(c, (unsigned char)c->text[c->at]))
            c->at++;
        tako__buf_add(c->out, c->text + start, c->at - start);
        if (key)
            tako__buf_add(key, c->text + start, c->at - start);
        if (c->at >= c->len)
            return canon_fault(c, "a string is not closed");
        if (c->text[c->at] == '"')
            break;
        if ((unsigned char)c->text[c->at] < 0x20)
            return canon_fault(c, "a string has a control character that is not escaped");
        if (c->text[c->at] == '\\') {
            step = tako__json_escape(c->text + c->at + 1, c->len - c->at - 1, &code, &fault);
            if (step == 0)
                return canon_fault(c, fault);
            step++;
        } else if (c->text[c->at] == 0x7F) {
            code = 0x7F;
            step = 1;
        } else {
            code = canon_decode(c->text + c->at, &step);
        }
        c->at += step;
        canon_character(c, code);
        if (key)
            tako__buf_add(key, utf8, tako__json_utf8(code, utf8));
    }
    c->at++;
    tako__buf_add(c->out, "\"", 1);
    return true;
}

/* ---- numbers ---------------------------------------------------------------------------- */

/* 0.d1d2d3... * 10^point; no digits = 0. The first and the last digit are not 0. */
struct canon_decimal {
    bool negative;
    char digits[CANON_DIGITS_MAX + 2];
    size_t n;
    int64_t point;
};

static void canon_trim(struct canon_decimal *d)
{
    while (d->n && d->digits[d->n - 1] == '0')
        d->n--;
}

static double canon_read(const struct canon_decimal *d)
{
    char text[CANON_DIGITS_MAX + 32];

    if (d->n == 0)
        return 0;
    (void)snprintf(text, sizeof text, "%.*se%lld", (int)d->n, d->digits,
                   (long long)(d->point - (int64_t)d->n));
    return strtod(text, NULL);
}

/* The decimal of `digits` digits that is nearest to x > 0. */
static void canon_round(struct canon_decimal *d, double x, int digits)
{
    char text[40];
    size_t i;

    (void)snprintf(text, sizeof text, "%.*e", digits - 1, x);
    d->n = 0;
    for (i = 0; text[i] != 'e'; i++)
        if (text[i] >= '0' && text[i] <= '9') /* and not the host's decimal point */
            d->digits[d->n++] = text[i];
    d->point = strtol(text + i + 1, NULL, 10) + 1;
}

static bool canon_reads_as(const struct canon_decimal *d, double x)
{
    return canon_read(d) == x;
}

/* The next larger decimal of as many digits. */
static void canon_next(struct canon_decimal *d)
{
    size_t i = d->n;

    while (i && d->digits[i - 1] == '9')
        d->digits[--i] = '0';
    if (i) {
        d->digits[i - 1]++;
        return;
    }
    d->digits[0] = '1';
    d->point++;
}

/* Makes `d` the shortest decimal that reads back as x > 0. Fifteen digits are enough for every
 * decimal of at most fifteen, unless x is so small that it has fewer bits than others. Below a
 * power of two doubles lie closer than above it: there the nearest decimal may be too far off
 * below, while the next one above is near enough. */
static void canon_shortest(struct canon_decimal *d, double x)
{
    int digits;

    for (digits = x < DBL_MIN ? 1 : DBL_DIG; digits < 17; digits++) {
        canon_round(d, x, digits);
        if (canon_reads_as(d, x))
            return;
        canon_next(d);
        if (canon_reads_as(d, x))
            return;
    }
    canon_round(d, x, 17);
}

/* Writes as Python's float.__repr__ does. */
static void canon_print_float(struct tako__buf *out, const struct canon_decimal *d)
{
    static const char zeros[] = "0000000000000000";
    size_t point = d->point > 0 ? (size_t)d->point : 0, whole = d->n < point ? d->n : point;

    if (d->negative)
        tako__buf_puts(out, "-");
    if (d->n == 0) {
        tako__buf_puts(out, "0.0");
    } else if (d->point > 16 || d->point < -3) {
        tako__buf_add(out, d->digits, 1);
        if (d->n > 1)
            tako__buf_puts(out, ".");
        tako__buf_add(out, d->digits + 1, d->n - 1);
        tako__buf_printf(out, "e%c%02d", d->point > 0 ? '+' : '-', abs((int)d->point - 1));
    } else {
        if (whole == 0)
            tako__buf_puts(out, "0");
        tako__buf_add(out, d->digits, whole);
        tako__buf_add(out, zeros, point - whole);
        tako__buf_puts(out, ".");
        if (d->point < 0)
            tako__buf_add(out, zeros, (size_t)-d->point);
        tako__buf_add(out, d->digits + whole, d->n - whole);
        if (d->n == whole)
            tako__buf_puts(out, "0");
    }
}

/* Takes the digits here, `whole` or behind the point, into `d`. How many there were. */
static size_t canon_digits(struct canon *c, struct canon_decimal *d, bool whole)
{
    size_t start = c->at;
    char digit;

    for (; c->at < c->len && c->text[c->at] >= '0' && c->text[c->at] <= '9'; c->at++) {
        digit = c->text[c->at];
        if (d->n || digit != '0') {
            if (d->n < CANON_DIGITS_MAX)
                d->digits[d->n++] = digit;
            else if (digit != '0')
                d->digits[CANON_DIGITS_MAX] = '1';
            d->point += whole;
        } else {
            d->point -= !whole;
        }
    }
    return c->at - start;
}

static bool canon_exponent(struct canon *c, struct canon_decimal *d)
{
    int64_t exponent = 0;
    bool negative = false;
    size_t start;

    c->at++;
    if (c->at < c->len && (c->text[c->at] == '+' || c->text[c->at] == '-'))
        negative = c->text[c->at++] == '-';
    start = c->at;
    for (; c->at < c->len && c->text[c->at] >= '0' && c->text[c->at] <= '9'; c->at++)
        if (exponent < 1000000000000)
            exponent = exponent * 10 + (c->text[c->at] - '0');
    if (c->at == start)
        return canon_fault(c, "a number has no digits in its exponent");
    d->point += negative ? -exponent : exponent;
    return true;
}

static bool canon_number(struct canon *c)
{
    struct canon_decimal d;
    size_t start = c->at, whole;
    bool plain = true;
    double x;

    d.negative = c->text[c->at] == '-';
    d.n = 0;
    d.point = 0;
    d.digits[CANON_DIGITS_MAX] = '0';
    c->at += d.negative;
    whole = canon_digits(c, &d, true);
    if (whole == 0 || (whole > 1 && c->text[c->at - whole] == '0'))
        return canon_fault(c, whole ? "a number begins with 0" : "a value was expected");
    if (c->at < c->len && c->text[c->at] == '.') {
        plain = false;
        c->at++;
        if (canon_digits(c, &d, false) == 0)
            return canon_fault(c, "a number has no digits after the point");
    }
    if (c->at < c->len && (c->text[c->at] == 'e' || c->text[c->at] == 'E')) {
        plain = false;
        if (!canon_exponent(c, &d))
            return false;
    }
    if (plain) {
        if (d.n == 0)
            tako__buf_puts(c->out, "0"); /* also for -0, which as an integer is 0 */
        else
            tako__buf_add(c->out, c->text + start, c->at - start);
        return true;
    }
    if (d.n == CANON_DIGITS_MAX && d.digits[CANON_DIGITS_MAX] != '0')
        d.n++;
    canon_trim(&d);
    /* Doubles keep so few digits apart, so the shortest text is these. */
    if (d.n > DBL_DIG || d.point < -290 || d.point > 290) {
        x = canon_read(&d);
        if (x > DBL_MAX)
            return canon_fault(c, "a number is too large");
        d.n = 0;
        if (x > 0)
            canon_shortest(&d, x);
        canon_trim(&d);
    }
    canon_print_float(c->out, &d);
    return true;
}

/* ---- objects ---------------------------------------------------------------------------- */

static struct canon_member *canon_member(struct canon *c)
{
    struct canon_member *members;
    size_t cap;

    if (c->n_members == c->cap_members) {
        cap = c->cap_members ? c->cap_members * 2 : 16;
        members = tako__resize(c->host, c->members, cap * sizeof *members);
        if (!members)
            return NULL;
        c->members = members;
        c->cap_members = cap;
    }
    return &c->members[c->n_members++];
}

static uint64_t canon_front(const char *key, size_t len)
{
    uint64_t front = 0;
    size_t i;

    for (i = 0; i < 8; i++)
        front = front << 8 | (i < len ? (unsigned char)key[i] : 0);
    return front;
}

/* UTF-8 is made so that the order of its bytes is the order of code points. */
static int canon_compare(const struct canon *c, const struct canon_member *a,
                         const struct canon_member *b)
{
    size_t shorter = a->key_len < b->key_len ? a->key_len : b->key_len;
    int order;

    if (a->front != b->front)
        return a->front < b->front ? -1 : 1;
    order = shorter ? memcmp(c->keys.data + a->key_at, c->keys.data + b->key_at, shorter) : 0;
    if (order == 0 && a->key_len != b->key_len)
        order = a->key_len < b->key_len ? -1 : 1;
    return order;
}

/* Merges `from`, whose runs of `width` are sorted, into `to` with runs twice as long. */
static void canon_merge(const struct canon *c, const struct canon_member *from,
                        struct canon_member *to, size_t count, size_t width)
{
    size_t left, right, middle, end, k = 0;

    while (k < count) {
        left = k;
        right = middle = count - left < width ? count : left + width;
        end = count - middle < width ? count : middle + width;
        while (left < middle || right < end) {
            if (right >= end || (left < middle && canon_compare(c, &from[left], &from[right]) <= 0))
                to[k++] = from[left++];
            else
                to[k++] = from[right++];
        }
    }
}

/* Sorts stably: of equal keys the later one stays behind. (qsort takes no context, is not stable,
 * and may allocate.) */
static bool canon_sort(struct canon *c, struct canon_member *members, size_t count)
{
    struct canon_member *spare, *from = members, *to, *swap;
    size_t width;

    to = spare = tako__array(c->host, count, sizeof *spare);
    if (!spare)
        return canon_no_memory(c);
    for (width = 1; width < count; width *= 2) {
        canon_merge(c, from, to, count, width);
        swap = from;
        from = to;
        to = swap;
    }
    if (from != members)
        memcpy(members, from, count * sizeof *members);
    tako__free(c->host, spare);
    return true;
}

/* Puts the members of the object that begins at out->data[start] in order. */
static bool canon_arrange(struct canon *c, struct canon_member *members, size_t count, size_t start)
{
    size_t i;

    for (i = 1; i < count; i++)
        if (canon_compare(c, &members[i - 1], &members[i]) >= 0)
            break;
    if (i >= count || c->out->failed)
        return true;
    if (!canon_sort(c, members, count))
        return false;
    c->aside.len = 0;
    tako__buf_add(&c->aside, c->out->data + start, c->out->len - start);
    if (c->aside.failed)
        return canon_no_memory(c);
    c->out->len = start;
    for (i = 0; i < count; i++) {
        if (i + 1 < count && canon_compare(c, &members[i], &members[i + 1]) == 0)
            continue; /* the last of equal keys wins */
        if (c->out->len > start)
            tako__buf_add(c->out, ", ", c->style == TAKO__CANON_PYTHON ? 2 : 1);
        tako__buf_add(c->out, c->aside.data + (members[i].print_at - start), members[i].print_len);
    }
    return true;
}

static bool canon_value(struct canon *c);

/* "key": value */
static bool canon_pair(struct canon *c)
{
    struct canon_member *m;
    size_t key_at = c->keys.len, key_len, print_at = c->out->len, index = c->n_members;

    canon_space(c);
    if (c->at >= c->len || c->text[c->at] != '"')
        return canon_fault(c, "a key in quotes was expected");
    if (!canon_string(c, &c->keys))
        return false;
    m = canon_member(c);
    if (!m || c->keys.failed)
        return canon_no_memory(c);
    key_len = c->keys.len - key_at;
    m->key_at = key_at;
    m->key_len = key_len;
    m->front = key_len ? canon_front(c->keys.data + key_at, key_len) : 0;
    m->print_at = print_at;
    if (!canon_take(c, ':'))
        return canon_fault(c, "':' was expected");
    tako__buf_add(c->out, ": ", c->style == TAKO__CANON_PYTHON ? 2 : 1);
    if (!canon_value(c))
        return false;
    c->members[index].print_len = c->out->len - print_at;
    return true;
}

static bool canon_object(struct canon *c)
{
    size_t base = c->n_members, base_keys = c->keys.len, start;

    tako__buf_add(c->out, "{", 1);
    start = c->out->len;
    if (!canon_take(c, '}')) {
        do {
            if (c->n_members > base)
                tako__buf_add(c->out, ", ", c->style == TAKO__CANON_PYTHON ? 2 : 1);
            if (!canon_pair(c))
                return false;
        } while (canon_take(c, ','));
        if (!canon_take(c, '}'))
            return canon_fault(c, "',' or '}' was expected");
    }
    if (c->n_members > base && !canon_arrange(c, c->members + base, c->n_members - base, start))
        return false;
    c->n_members = base;
    c->keys.len = base_keys;
    tako__buf_add(c->out, "}", 1);
    return true;
}

static bool canon_array(struct canon *c)
{
    bool first = true;

    tako__buf_add(c->out, "[", 1);
    if (!canon_take(c, ']')) {
        do {
            if (!first)
                tako__buf_add(c->out, ", ", c->style == TAKO__CANON_PYTHON ? 2 : 1);
            first = false;
            if (!canon_value(c))
                return false;
        } while (canon_take(c, ','));
        if (!canon_take(c, ']'))
            return canon_fault(c, "',' or ']' was expected");
    }
    tako__buf_add(c->out, "]", 1);
    return true;
}

/* ---- values ----------------------------------------------------------------------------- */

static bool canon_word(struct canon *c)
{
    static const char *const words[] = {"true", "false", "null"};
    size_t i, n;

    for (i = 0; i < TAKO__LEN(words); i++) {
        n = strlen(words[i]);
        if (c->len - c->at >= n && memcmp(c->text + c->at, words[i], n) == 0) {
            c->at += n;
            tako__buf_add(c->out, words[i], n);
            return true;
        }
    }
    return canon_fault(c, "a value was expected");
}

static bool canon_value(struct canon *c)
{
    bool ok;

    canon_space(c);
    if (c->at >= c->len)
        return canon_fault(c, "it ends too early");
    switch (c->text[c->at]) {
    case '{':
    case '[':
        if (c->depth == 0)
            return canon_fault(c, "it is nested too deeply");
        c->depth--;
        ok = c->text[c->at++] == '{' ? canon_object(c) : canon_array(c);
        c->depth++;
        return ok;
    case '"':
        return canon_string(c, NULL);
    case 't':
    case 'f':
    case 'n':
        return canon_word(c);
    default:
        return canon_number(c);
    }
}

int tako__canon(const tako_host *host, const char *text, size_t len, enum tako__canon_style style,
                struct tako__buf *out, tako_error *err)
{
    struct canon c = {.host = host, .text = text, .len = len, .style = style, .out = out};

    c.depth = CANON_DEPTH_MAX;
    tako__buf_init(&c.keys, host);
    tako__buf_init(&c.aside, host);
    c.at = tako__utf8_check(text, len);
    if (c.at < len) {
        c.fault = "it is not valid UTF-8";
    } else {
        c.at = 0;
        if (canon_value(&c)) {
            canon_space(&c);
            if (c.at < len)
                c.fault = "something follows the value";
        }
    }
    tako__free(host, c.members);
    tako__buf_free(&c.keys);
    tako__buf_free(&c.aside);
    if (c.no_memory || out->failed)
        return tako__nomem(err);
    if (c.fault)
        return tako__fail(err, TAKO_EINVAL, "not JSON: %s, at byte %zu", c.fault, c.at);
    return TAKO_OK;
}

int tako__canon_sha256(const tako_host *host, const char *text, size_t len,
                       enum tako__canon_style style, char hex[65], tako_error *err)
{
    struct tako__buf out;
    int rc;

    tako__buf_init(&out, host);
    rc = tako__canon(host, text, len, style, &out, err);
    if (rc == TAKO_OK)
        tako__sha256_hex(out.data, out.len, hex);
    tako__buf_free(&out);
    return rc;
}

/* ---- the fingerprint -------------------------------------------------------------------- */

/* In seconds: the canonical print makes 30.000 of it 30.0, so whole ones are written as such. */
static void canon_put_seconds(struct tako__buf *out, const char *key, int64_t ms)
{
    tako__json_put_key(out, key);
    if (ms == 0)
        tako__buf_puts(out, "null");
    else if (ms % 1000 == 0)
        tako__buf_printf(out, "%lld", (long long)(ms / 1000));
    else
        tako__buf_printf(out, "%lld.%03d", (long long)(ms / 1000), (int)(ms % 1000));
}

int tako__fingerprint(const tako_host *host, const struct tako__asked *asked, char hex[65],
                      tako_error *err)
{
    struct tako__buf text;
    size_t i;
    int rc;

    tako__buf_init(&text, host);
    tako__buf_puts(&text, "{");
    tako__json_put_str(&text, "code_hash", asked->code_hash);
    tako__json_put_str(&text, "input_hash", asked->input_hash);
    tako__json_put_str(&text, "job_type", asked->type ? asked->type : "default");
    canon_put_seconds(&text, "timeout", asked->timeout_ms);
    canon_put_seconds(&text, "startup_timeout", asked->startup_timeout_ms);
    tako__json_put_key(&text, "requirements");
    tako__buf_puts(&text, "[");
    for (i = 0; i < asked->n_requirements; i++) {
        if (i)
            tako__buf_puts(&text, ",");
        tako__buf_json(&text, asked->requirements[i], strlen(asked->requirements[i]));
    }
    tako__buf_puts(&text, "]");
    if (asked->extra && asked->extra[0]) {
        tako__buf_puts(&text, ",");
        tako__buf_puts(&text, asked->extra);
    }
    tako__buf_puts(&text, "}");
    rc = text.failed ? tako__nomem(err)
                     : tako__canon_sha256(host, text.data, text.len, TAKO__CANON_COMPACT, hex, err);
    tako__buf_free(&text);
    return rc;
}
