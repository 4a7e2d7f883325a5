/* cli_args.c - reads the values of options, strictly: a value is taken whole or refused with a
 * text that says what is allowed. The ranges are those of tako.h, checked here so that a wrong
 * command line is told apart from a job that Tako refuses.
 * SPDX-License-Identifier: MIT */
#include "cli.h"

#include <string.h>

static bool args_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Reads digits into *value; false when there are none or it does not fit. */
static bool args_digits(const char **text, int64_t *value)
{
    const char *p = *text;

    *value = 0;
    if (!args_digit(*p))
        return false;
    for (; args_digit(*p); p++) {
        if (__builtin_mul_overflow(*value, (int64_t)10, value) ||
            __builtin_add_overflow(*value, (int64_t)(*p - '0'), value))
            return false;
    }
    *text = p;
    return true;
}

const char *cli_parse_seconds(const char *text, int64_t least, int64_t most, int64_t *ms)
{
    static const char fault[] = "seconds in their range";
    int64_t whole = 0, milli = 0, unit = 100;
    bool rest = false;

    if (!args_digits(&text, &whole))
        return fault;
    if (*text == '.') {
        text++;
        if (!args_digit(*text))
            return fault;
        for (; args_digit(*text); text++, unit /= 10) {
            milli += unit * (*text - '0');
            rest = rest || (unit == 0 && *text != '0');
        }
    }
    if (*text || whole > TAKO_TIMEOUT_MAX_MS / 1000)
        return fault;
    /* Below a millisecond it is rounded up: a limit is never shorter than asked. */
    *ms = whole * 1000 + milli + (rest ? 1 : 0);
    return *ms >= least && *ms <= most ? NULL : fault;
}

/* 0 and up; false when it is no size. */
static bool args_size(const char *text, int64_t *bytes)
{
    int64_t unit = 1;

    if (!args_digits(&text, bytes))
        return false;
    switch (*text) {
    case 'k':
    case 'K':
        unit = 1024;
        break;
    case 'm':
    case 'M':
        unit = 1024 * 1024;
        break;
    case 'g':
    case 'G':
        unit = 1024 * 1024 * 1024;
        break;
    default:
        break;
    }
    if (unit > 1) {
        text++;
        if (*text == 'i')
            text++;
        if (*text == 'b' || *text == 'B')
            text++;
        else if (text[-1] == 'i')
            return false;
    }
    return !*text && !__builtin_mul_overflow(*bytes, unit, bytes);
}

const char *cli_parse_memory(const char *text, int64_t *bytes)
{
    return args_size(text, bytes) && *bytes >= TAKO_MEMORY_MIN && *bytes <= TAKO_MEMORY_MAX
               ? NULL
               : "a size from 64m to 32g, in bytes or with k, m or g behind it";
}

const char *cli_parse_size(const char *text, int64_t *bytes)
{
    return args_size(text, bytes) && *bytes > 0
               ? NULL
               : "a size above 0, in bytes or with k, m or g behind it";
}

const char *cli_parse_int(const char *text, int min, int max, int *value)
{
    int64_t got = 0;
    bool minus = *text == '-';

    if (minus || *text == '+')
        text++;
    if (!args_digits(&text, &got) || *text)
        return "a whole number in its range";
    if (minus)
        got = -got;
    if (got < min || got > max)
        return "a whole number in its range";
    *value = (int)got;
    return NULL;
}

const char *cli_parse_number(const char *text, int64_t *value)
{
    return args_digits(&text, value) && !*text && *value > 0 ? NULL : "a whole number above 0";
}

const char *cli_parse_range(const char *text, int64_t *offset, int64_t *len)
{
    static const char fault[] = "A-B or A-: bytes from A on, the first is 0, up to B with B";
    int64_t last = 0;

    if (!args_digits(&text, offset) || *text++ != '-')
        return fault;
    *len = -1;
    if (!*text)
        return NULL;
    if (!args_digits(&text, &last) || *text || last < *offset ||
        __builtin_add_overflow(last - *offset, (int64_t)1, len))
        return fault;
    return NULL;
}

const char *cli_parse_status(const char *text, unsigned *statuses)
{
    for (int s = TAKO_QUEUED; s <= TAKO_CANCELLED; s++) {
        if (strcmp(text, tako_status_name((tako_status)s)) == 0) {
            *statuses |= TAKO_STATUS_BIT(s);
            return NULL;
        }
    }
    return "queued, running, succeeded, failed, timeout, oom or cancelled";
}
