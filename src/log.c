/* log.c - one line to the host's log function, or silence. Tako itself never prints. A line that
 * is too long is shortened. errno survives.
 *
 * SPDX-License-Identifier: MIT */
#include "base.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void tako__log(const tako_host *host, tako_level level, const char *module, const char *fmt, ...)
{
    char text[1024];
    int saved = errno, want;
    size_t cut;
    va_list args;

    if (!host || !host->log)
        return;
    va_start(args, fmt);
    want = vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    if (want < 0)
        text[0] = '\0';
    if (want >= (int)sizeof text) {
        cut = tako__utf8_cut(text, sizeof text - 1, sizeof text - 4);
        memcpy(text + cut, "...", 4);
    }
    host->log(host->log_ctx, level, module, text);
    errno = saved;
}
