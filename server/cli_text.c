/* cli_text.c - printing for people and as JSON. Names, messages and output of jobs are
 * untrusted: on a terminal none of their bytes may do more than show.
 * SPDX-License-Identifier: MIT */
#include "cli.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The length of the valid UTF-8 character at p (RFC 3629), or 0; *code is its code point. */
static size_t text_char(const unsigned char *p, size_t left, uint32_t *code)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n;

    if (p[0] < 0x80) {
        *code = p[0];
        return 1;
    }
    if (p[0] >= 0xc2 && p[0] <= 0xdf)
        n = 2;
    else if ((p[0] & 0xf0) == 0xe0)
        n = 3;
    else if (p[0] >= 0xf0 && p[0] <= 0xf4)
        n = 4;
    else
        return 0;
    if (n > left)
        return 0;
    *code = p[0] & (0xffu >> (n + 1));
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        *code = *code << 6 | (p[i] & 0x3fu);
    }
    if (*code < least[n] || *code > 0x10ffff || (*code >= 0xd800 && *code <= 0xdfff))
        return 0;
    return n;
}

/* Characters that act on a terminal instead of showing: controls, and those that end a line
 * or turn the direction of what follows. */
static bool text_acts(uint32_t code)
{
    return code < 0x20 || (code >= 0x7f && code <= 0x9f) || code == 0x200e || code == 0x200f ||
           code == 0x061c || (code >= 0x2028 && code <= 0x202e) ||
           (code >= 0x2066 && code <= 0x2069);
}

int cli_print_safe(FILE *to, const char *text, size_t len, bool lines)
{
    const unsigned char *p = (const unsigned char *)text;
    int columns = 0;

    for (size_t i = 0; i < len;) {
        uint32_t code = 0;
        size_t n = text_char(p + i, len - i, &code);

        if (n == 0) {
            columns += fprintf(to, "\\x%02x", p[i]);
            n = 1;
        } else if (!text_acts(code) || (lines && (code == '\n' || code == '\t'))) {
            (void)fwrite(p + i, 1, n, to);
            columns++;
        } else if (code == '\n' || code == '\r' || code == '\t') {
            columns += fprintf(to, "\\%c", code == '\n' ? 'n' : code == '\r' ? 'r' : 't');
        } else if (code <= 0xff) {
            columns += fprintf(to, "\\x%02" PRIx32, code);
        } else {
            columns += fprintf(to, "\\u%04" PRIx32, code);
        }
        i += n;
    }
    return columns;
}

void cli_print_column(const char *text, int width)
{
    const int used = cli_print_safe(stdout, text, strlen(text), false);

    printf("%*s  ", used < width ? width - used : 0, "");
}

void cli_print_json_string(FILE *to, const char *text)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t left;

    if (!text) {
        fputs("null", to);
        return;
    }
    left = strlen(text);
    fputc('"', to);
    while (left > 0) {
        uint32_t code = 0;
        size_t n = text_char(p, left, &code);

        if (n == 0) {
            fputs("\\ufffd", to);
            n = 1;
        } else if (code == '"' || code == '\\') {
            fprintf(to, "\\%c", (char)code);
        } else if (code < 0x20) {
            fprintf(to, "\\u%04" PRIx32, code);
        } else {
            (void)fwrite(p, 1, n, to);
        }
        p += n;
        left -= n;
    }
    fputc('"', to);
}

void cli_print_json_instant(int64_t us)
{
    time_t seconds = (time_t)(us / 1000000);
    char text[CLI_INSTANT_SIZE];
    struct tm tm;

    if (us <= 0 || !gmtime_r(&seconds, &tm) ||
        strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm) == 0) {
        fputs("null", stdout);
        return;
    }
    printf("\"%s", text);
    if (us % 1000000)
        printf(".%06" PRId64, us % 1000000);
    fputs("+00:00\"", stdout);
}

/* Behind the JSON value at p, which is valid. */
static const char *text_json_end(const char *p)
{
    int depth = 0;

    for (; *p; p++) {
        if (depth == 0 && (*p == ',' || *p == '}' || *p == ']'))
            break;
        if (*p == '{' || *p == '[') {
            depth++;
        } else if (*p == '}' || *p == ']') {
            depth--;
        } else if (*p == '"') {
            for (p++; *p && *p != '"'; p++)
                p += *p == '\\' && p[1];
            if (!*p)
                break;
        }
    }
    return p;
}

bool cli_json_item(const char **at, const char **value, size_t *len)
{
    const char *p = *at;

    if (*p != '[' && *p != ',')
        return false;
    *value = ++p;
    *at = text_json_end(p);
    *len = (size_t)(*at - p);
    return *len > 0;
}

bool cli_json_member(const char **at, const char **name, size_t *name_len, const char **value,
                     size_t *len)
{
    const char *p = *at;

    if ((*p != '{' && *p != ',') || p[1] != '"')
        return false;
    *name = p += 2;
    while (*p && *p != '"')
        p += *p == '\\' && p[1] ? 2 : 1;
    *name_len = (size_t)(p - *name);
    if (p[0] != '"' || p[1] != ':')
        return false;
    *value = p += 2;
    *at = text_json_end(p);
    *len = (size_t)(*at - p);
    return true;
}

void cli_say(const char *fmt, ...)
{
    char fixed[1024];
    char *text = fixed;
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(fixed, sizeof fixed, fmt, ap);
    va_end(ap);
    if (n < 0)
        return;
    if ((size_t)n >= sizeof fixed) {
        char *longer = malloc((size_t)n + 1);

        if (longer) {
            va_start(ap, fmt);
            n = vsnprintf(longer, (size_t)n + 1, fmt, ap);
            va_end(ap);
            text = longer;
        }
    }
    flockfile(stderr);
    fputs("tako: ", stderr);
    cli_print_safe(stderr, text, strlen(text), false);
    fputc('\n', stderr);
    fflush(stderr);
    funlockfile(stderr);
    if (text != fixed)
        free(text);
}

void cli_log(void *ctx, tako_level level, const char *module, const char *message)
{
    static const char *const names[] = {"", "error", "warning", "info", "debug"};

    (void)ctx;
    if (level >= TAKO_LOG_ERROR && level <= TAKO_LOG_DEBUG)
        cli_say("%s: %s: %s", names[level], module, message);
}

const char *cli_instant(int64_t us, char text[CLI_INSTANT_SIZE])
{
    time_t seconds = (time_t)(us / 1000000);
    struct tm tm;

    if (us <= 0 || !gmtime_r(&seconds, &tm) ||
        strftime(text, CLI_INSTANT_SIZE, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        snprintf(text, CLI_INSTANT_SIZE, "-");
    return text;
}

const char *cli_instant_ms(int64_t us, char text[CLI_INSTANT_SIZE])
{
    const size_t seconds = strlen("2025-01-31T12:00:00");

    if (strlen(cli_instant(us, text)) == seconds + 1)
        snprintf(text + seconds, CLI_INSTANT_SIZE - seconds, ".%03dZ", (int)(us / 1000 % 1000));
    return text;
}

const char *cli_duration(int64_t ms, char text[CLI_INSTANT_SIZE])
{
    if (ms < 0)
        snprintf(text, CLI_INSTANT_SIZE, "-");
    else if (ms < 1000)
        snprintf(text, CLI_INSTANT_SIZE, "%" PRId64 " ms", ms);
    else if (ms < 60000)
        snprintf(text, CLI_INSTANT_SIZE, "%" PRId64 ".%" PRId64 " s", ms / 1000, ms / 100 % 10);
    else
        snprintf(text, CLI_INSTANT_SIZE, "%" PRId64 " min %" PRId64 " s", ms / 60000,
                 ms / 1000 % 60);
    return text;
}

const char *cli_bytes(int64_t bytes, char text[CLI_INSTANT_SIZE])
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
    int64_t tenths = bytes;
    size_t unit = 0;

    if (bytes < 0) {
        snprintf(text, CLI_INSTANT_SIZE, "-");
    } else if (bytes < 1024) {
        snprintf(text, CLI_INSTANT_SIZE, "%" PRId64 " byte%s", bytes, bytes == 1 ? "" : "s");
    } else {
        for (tenths = bytes / 1024 * 10 + bytes % 1024 * 10 / 1024;
             tenths >= 10240 && unit + 1 < sizeof units / sizeof units[0]; unit++)
            tenths /= 1024;
        snprintf(text, CLI_INSTANT_SIZE, "%" PRId64 ".%" PRId64 " %s", tenths / 10, tenths % 10,
                 units[unit]);
    }
    return text;
}
