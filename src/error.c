/* error.c - errors by value: formatted into the caller's tako_error, the code is returned.
 *
 * Never allocates, accepts err == NULL, never leaves a message empty, and shortens one that is
 * too long at a character boundary with "...". Arguments may point into the old message. Also
 * here: the fixed texts of results, and the version of the library.
 *
 * SPDX-License-Identifier: MIT */
#include "base.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#ifndef TAKO_SOURCE_ID
#define TAKO_SOURCE_ID ""
#endif

int tako_version_number(void)
{
    return TAKO_VERSION_NUMBER;
}

const char *tako_version(void)
{
    return TAKO_VERSION;
}

const char *tako_source_id(void)
{
    return TAKO_SOURCE_ID;
}

const char *tako_strerror(int code)
{
    switch ((tako_result)code) {
    case TAKO_OK:
        return "no error";
    case TAKO_EINVAL:
        return "invalid argument";
    case TAKO_ENOMEM:
        return "out of memory";
    case TAKO_ENOTFOUND:
        return "not found";
    case TAKO_ECONFLICT:
        return "exists already";
    case TAKO_ESTATE:
        return "not possible in the present state";
    case TAKO_EFULL:
        return "a limit was reached";
    case TAKO_ETIMEDOUT:
        return "time is over";
    case TAKO_ESTORE:
        return "the store failed";
    case TAKO_EEXEC:
        return "jobs cannot be run here";
    case TAKO_EUNSUPPORTED:
        return "not supported here";
    case TAKO_ESYS:
        return "a system call failed";
    case TAKO_EINTERNAL:
        return "internal error";
    }
    return "unknown result";
}

/* Puts `text` (of which `want` bytes were meant, and cap-1 were kept) into err. */
static void error_set(tako_error *err, int code, int os_errno, const char *text, int want)
{
    size_t len, room = sizeof err->message - 1;

    err->code = code;
    err->os_errno = code == TAKO_ESYS ? os_errno : 0;
    if (want <= 0)
        text = tako_strerror(code);
    len = strlen(text);
    if (len <= room && (want <= 0 || (size_t)want <= room)) {
        memcpy(err->message, text, len + 1);
        return;
    }
    len = tako__utf8_cut(text, len, room - 3);
    memcpy(err->message, text, len);
    memcpy(err->message + len, "...", 4);
}

int tako__fail(tako_error *err, int code, const char *fmt, ...)
{
    char text[TAKO_ERROR_SIZE + 8];
    va_list args;
    int want;

    if (!err)
        return code;
    va_start(args, fmt);
    want = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    error_set(err, code, 0, text, want);
    return code;
}

int tako__fail_errno(tako_error *err, int code, int os_errno, const char *fmt, ...)
{
    char text[TAKO_ERROR_SIZE + 8], scratch[128];
    const char *why;
    va_list args;
    int want, more;

    if (code == TAKO_OK)
        code = TAKO_ESYS;
    if (!err)
        return code;
    why = strerror_r(os_errno, scratch, sizeof scratch);
    va_start(args, fmt);
    want = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (want < 0)
        want = 0;
    if ((size_t)want < sizeof text) {
        more = snprintf(text + want, sizeof text - (size_t)want, "%s%s", want ? ": " : "", why);
        want += more > 0 ? more : 0;
    }
    error_set(err, code, os_errno, text, want);
    return code;
}

int tako__context(tako_error *err, int code, const char *fmt, ...)
{
    char text[TAKO_ERROR_SIZE + 8];
    va_list args;
    int want, more;

    if (!err)
        return code;
    va_start(args, fmt);
    want = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (want < 0)
        want = 0;
    if ((size_t)want < sizeof text) {
        more = snprintf(text + want, sizeof text - (size_t)want, ": %s", err->message);
        want += more > 0 ? more : 0;
    }
    error_set(err, err->code ? err->code : code, err->os_errno, text, want);
    return err->code;
}

int tako__nomem(tako_error *err)
{
    return tako__fail(err, TAKO_ENOMEM, "out of memory");
}
