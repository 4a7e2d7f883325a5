/* str.c - growing byte strings, UTF-8, the checks of names, and instants as text.
 *
 * Independent of the locale: no ctype, no strtod, no %f with a decimal point of the host's
 * choosing. Nothing here fails except for want of memory, and that is remembered in the buffer.
 *
 * SPDX-License-Identifier: MIT */
#include "base.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

/* ---- UTF-8 ------------------------------------------------------------------------------ */

/* Length of the character at s (len > 0), with *valid. When it is not valid, the length of the
 * longest prefix of a character that is there, at least 1: what one U+FFFD stands for (Unicode
 * 3.9, "maximal subpart"). */
static size_t str_utf8_step(const char *s, size_t len, bool *valid)
{
    const unsigned char *u = (const unsigned char *)s;
    unsigned char low = 0x80, high = 0xBF;
    size_t need, i;

    *valid = true;
    if (u[0] < 0x80)
        return 1;
    if (u[0] >= 0xC2 && u[0] <= 0xDF) {
        need = 2;
    } else if (u[0] >= 0xE0 && u[0] <= 0xEF) {
        need = 3;
        if (u[0] == 0xE0)
            low = 0xA0; /* no overlong forms */
        if (u[0] == 0xED)
            high = 0x9F; /* no surrogates */
    } else if (u[0] >= 0xF0 && u[0] <= 0xF4) {
        need = 4;
        if (u[0] == 0xF0)
            low = 0x90;
        if (u[0] == 0xF4)
            high = 0x8F; /* nothing above U+10FFFF */
    } else {
        *valid = false;
        return 1;
    }
    for (i = 1; i < need; i++) {
        if (i >= len || u[i] < low || u[i] > high) {
            *valid = false;
            return i;
        }
        low = 0x80;
        high = 0xBF;
    }
    return need;
}

size_t tako__utf8_check(const char *s, size_t len)
{
    size_t at = 0, step;
    bool valid;

    while (at < len) {
        if ((unsigned char)s[at] < 0x80) {
            at++;
            continue;
        }
        step = str_utf8_step(s + at, len - at, &valid);
        if (!valid)
            return at;
        at += step;
    }
    return len;
}

size_t tako__utf8_cut(const char *s, size_t len, size_t limit)
{
    size_t back;
    bool valid;

    if (limit >= len)
        return len;
    for (back = 1; back <= 3 && back <= limit; back++) {
        if (((unsigned char)s[limit - back] & 0xC0) == 0x80)
            continue;
        if (str_utf8_step(s + limit - back, len - (limit - back), &valid) > back)
            return limit - back;
        break;
    }
    return limit;
}

/* ---- the buffer ------------------------------------------------------------------------- */

void tako__buf_init(struct tako__buf *b, const tako_host *host)
{
    memset(b, 0, sizeof *b);
    b->host = host;
}

void tako__buf_free(struct tako__buf *b)
{
    if (!b || !b->host)
        return;
    tako__free(b->host, b->data);
    tako__buf_init(b, b->host);
}

/* Makes room for `more` bytes and the NUL behind them. */
static bool str_reserve(struct tako__buf *b, size_t more)
{
    size_t need, cap;
    char *data;

    if (b->failed)
        return false;
    if (__builtin_add_overflow(b->len, more, &need) || need > SIZE_MAX / 2) {
        b->failed = true;
        return false;
    }
    need++;
    if (need <= b->cap)
        return true;
    cap = b->cap < 64 ? 64 : b->cap;
    while (cap < need)
        cap += cap / 2;
    data = tako__resize(b->host, b->data, cap);
    if (!data) {
        b->failed = true;
        return false;
    }
    b->data = data;
    b->cap = cap;
    return true;
}

void tako__buf_add(struct tako__buf *b, const void *data, size_t len)
{
    if (!str_reserve(b, len))
        return;
    if (len)
        memcpy(b->data + b->len, data, len);
    b->len += len;
    b->data[b->len] = '\0';
}

void tako__buf_puts(struct tako__buf *b, const char *s)
{
    tako__buf_add(b, s, strlen(s));
}

void tako__buf_printf(struct tako__buf *b, const char *fmt, ...)
{
    va_list args;
    int want;

    if (!str_reserve(b, 0))
        return;
    va_start(args, fmt);
    want = vsnprintf(b->data + b->len, b->cap - b->len, fmt, args);
    va_end(args);
    if (want < 0) {
        b->data[b->len] = '\0';
        b->failed = true;
        return;
    }
    if ((size_t)want >= b->cap - b->len) {
        b->data[b->len] = '\0';
        if (!str_reserve(b, (size_t)want))
            return;
        va_start(args, fmt);
        (void)vsnprintf(b->data + b->len, b->cap - b->len, fmt, args);
        va_end(args);
    }
    b->len += (size_t)want;
}

/* The escape of an ASCII character inside a JSON string, or NULL when it stands for itself. */
static const char *str_json_escape(unsigned char c, char scratch[8])
{
    static const char hex[] = "0123456789abcdef";

    switch (c) {
    case '"':
        return "\\\"";
    case '\\':
        return "\\\\";
    case '\b':
        return "\\b";
    case '\f':
        return "\\f";
    case '\n':
        return "\\n";
    case '\r':
        return "\\r";
    case '\t':
        return "\\t";
    default:
        break;
    }
    if (c >= 0x20)
        return NULL;
    memcpy(scratch, "\\u00", 4);
    scratch[4] = hex[c >> 4];
    scratch[5] = hex[c & 15];
    scratch[6] = '\0';
    return scratch;
}

void tako__buf_json(struct tako__buf *b, const char *s, size_t len)
{
    size_t at = 0, from = 0, step;
    char scratch[8];
    const char *escape;
    bool valid;

    tako__buf_puts(b, "\"");
    while (at < len) {
        step = str_utf8_step(s + at, len - at, &valid);
        escape = NULL;
        if (!valid)
            escape = "\xEF\xBF\xBD"; /* U+FFFD */
        else if (step == 1)
            escape = str_json_escape((unsigned char)s[at], scratch);
        if (escape) {
            tako__buf_add(b, s + from, at - from);
            tako__buf_puts(b, escape);
            from = at + step;
        }
        at += step;
    }
    if (len > from)
        tako__buf_add(b, s + from, len - from);
    tako__buf_puts(b, "\"");
}

char *tako__buf_take(struct tako__buf *b)
{
    char *data = NULL;

    if (str_reserve(b, 0)) {
        data = b->data;
        data[b->len] = '\0';
        b->data = NULL;
    }
    tako__buf_free(b);
    return data;
}

/* ---- checks ----------------------------------------------------------------------------- */

/* White space other than ASCII's, as Unicode and Python have it. */
static bool str_wide_blank(uint32_t c)
{
    return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 ||
           c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

bool tako__is_blank(const char *s, size_t len)
{
    size_t at = 0, step;
    unsigned char c;
    uint32_t code;
    bool valid;

    while (at < len) {
        c = (unsigned char)s[at];
        step = str_utf8_step(s + at, len - at, &valid);
        if (step == 1) {
            if (!valid || !(c == ' ' || (c >= '\t' && c <= '\r') || (c >= 0x1C && c <= 0x1F)))
                return false;
        } else {
            if (!valid || step == 4)
                return false;
            code = step == 2 ? (uint32_t)(c & 0x1F) : (uint32_t)(c & 0x0F);
            code = code << 6 | ((unsigned char)s[at + 1] & 0x3Fu);
            if (step == 3)
                code = code << 6 | ((unsigned char)s[at + 2] & 0x3Fu);
            if (!str_wide_blank(code))
                return false;
        }
        at += step;
    }
    return true;
}

static bool str_alnum(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

bool tako__type_name_ok(const char *s)
{
    bool some = false;
    size_t n;

    if (!s)
        return false;
    for (n = 0; s[n]; n++) {
        if (n >= 64 || !(str_alnum(s[n]) || s[n] == '_' || s[n] == '-'))
            return false;
        some = some || str_alnum(s[n]);
    }
    return some;
}

bool tako__id_ok(const char *s)
{
    size_t n;

    if (!s || s[0] == '.')
        return false;
    for (n = 0; s[n]; n++)
        if (n >= 64 || !(str_alnum(s[n]) || s[n] == '.' || s[n] == '_' || s[n] == '-'))
            return false;
    return n > 0;
}

bool tako__hex64_ok(const char *s)
{
    size_t n;

    if (!s)
        return false;
    for (n = 0; s[n]; n++)
        if (n >= 64 || !((s[n] >= '0' && s[n] <= '9') || (s[n] >= 'a' && s[n] <= 'f')))
            return false;
    return n == 64;
}

static bool str_is(const char *s, size_t len, const char *word)
{
    return len == strlen(word) && memcmp(s, word, len) == 0;
}

const char *tako__artifact_name_fault(const char *name, size_t len)
{
    size_t i;
    unsigned char c;

    if (!name || len == 0)
        return "the name is empty";
    if (len > 255)
        return "the name has more than 255 bytes";
    if (name[0] == '.')
        return "the name begins with '.'";
    for (i = 0; i < len; i++) {
        c = (unsigned char)name[i];
        if (c == '/' || c == '\\')
            return "the name contains '/' or '\\'";
        if (c < 0x20 || c == 0x7F ||
            (c == 0xC2 && i + 1 < len && (unsigned char)name[i + 1] < 0xA0))
            return "the name contains a control character";
    }
    if (tako__utf8_check(name, len) != len)
        return "the name is not valid UTF-8";
    return NULL;
}

const char *tako__file_name_fault(const char *name, size_t len)
{
    const char *fault = tako__artifact_name_fault(name, len);

    if (!fault && (str_is(name, len, "data.json") || str_is(name, len, "_requirements.txt")))
        return "the name is reserved for Tako's own files in /input";
    return fault;
}

/* ---- instants --------------------------------------------------------------------------- */

void tako__time_text(int64_t us, char out[40])
{
    int64_t seconds = us / 1000000, fraction = us % 1000000;
    time_t when;
    struct tm tm;
    size_t n;

    if (fraction < 0) {
        fraction += 1000000;
        seconds--;
    }
    when = (time_t)seconds;
    memset(&tm, 0, sizeof tm);
    (void)gmtime_r(&when, &tm);
    n = (size_t)snprintf(out, 40, "%04lld-%02u-%02uT%02u:%02u:%02u", (long long)tm.tm_year + 1900,
                         (unsigned)(tm.tm_mon + 1) % 100u, (unsigned)tm.tm_mday % 100u,
                         (unsigned)tm.tm_hour % 100u, (unsigned)tm.tm_min % 100u,
                         (unsigned)tm.tm_sec % 100u);
    if (fraction)
        n += (size_t)snprintf(out + n, 40 - n, ".%06u", (unsigned)fraction % 1000000u);
    (void)snprintf(out + n, 40 - n, "+00:00");
}
