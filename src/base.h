/* base.h - the ground every module stands on: visibility, memory, strings, errors, log, hashes,
 * and the few system helpers. Implemented in mem.c str.c error.c log.c os.c sha256.c.
 * Relies on tako.h and libc only. SPDX-License-Identifier: MIT */
#ifndef TAKO_BASE_H
#define TAKO_BASE_H

#include "../tako.h"

#include <stdarg.h>
#include <stdbool.h>

/* Shared internals: one linkage word on the declaration, none on the definition. In the unity
 * build they become static (C11 6.2.2p4); omission may leave some of them unused. */
#ifndef TAKO_PRIVATE
#ifdef TAKO_AMALGAMATION
#define TAKO_PRIVATE static __attribute__((unused))
#else
#define TAKO_PRIVATE __attribute__((visibility("hidden")))
#endif
#endif

#define TAKO__LEN(array) (sizeof(array) / sizeof((array)[0]))
#define TAKO__PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))

/* ---- memory (mem.c): every allocation goes through the host's allocator ---------------- */

TAKO_PRIVATE void tako__host_init(tako_host *host, const tako_options *opts);
TAKO_PRIVATE void *tako__alloc(const tako_host *host, size_t size); /* zeroed; NULL = no memory */
TAKO_PRIVATE void *tako__array(const tako_host *host, size_t count, size_t size); /* checked */
TAKO_PRIVATE void *tako__resize(const tako_host *host, void *ptr,
                                size_t size); /* old stays on NULL */
TAKO_PRIVATE void tako__free(const tako_host *host, void *ptr);
TAKO_PRIVATE char *tako__strdup(const tako_host *host, const char *s); /* NULL in, NULL out */
TAKO_PRIVATE char *tako__strndup(const tako_host *host, const char *s, size_t len);

/* ---- strings (str.c) ------------------------------------------------------------------- */

/* A growing byte string, always NUL-terminated once anything was added. After a failed
 * allocation `failed` stays set and further adds do nothing: check it once, at the end. */
struct tako__buf {
    const tako_host *host;
    char *data;
    size_t len, cap;
    bool failed;
};
TAKO_PRIVATE void tako__buf_init(struct tako__buf *b, const tako_host *host);
TAKO_PRIVATE void tako__buf_free(struct tako__buf *b);
TAKO_PRIVATE void tako__buf_add(struct tako__buf *b, const void *data, size_t len);
TAKO_PRIVATE void tako__buf_puts(struct tako__buf *b, const char *s);
TAKO_PRIVATE void tako__buf_printf(struct tako__buf *b, const char *fmt, ...) TAKO__PRINTF(2, 3);
/* Appends `s` as a JSON string with quotes: non-ASCII raw, controls escaped, bytes that are not
 * UTF-8 become U+FFFD, NUL becomes an escape. */
TAKO_PRIVATE void tako__buf_json(struct tako__buf *b, const char *s, size_t len);
TAKO_PRIVATE char *tako__buf_take(struct tako__buf *b); /* ownership moves; NULL when failed */

/* Offset of the first byte that is not valid UTF-8 (RFC 3629: no surrogates, no overlongs),
 * or `len` when all is. */
TAKO_PRIVATE size_t tako__utf8_check(const char *s, size_t len);
/* Largest n <= limit at which s can be cut without splitting a character. */
TAKO_PRIVATE size_t tako__utf8_cut(const char *s, size_t len, size_t limit);
TAKO_PRIVATE bool tako__is_blank(const char *s, size_t len);
TAKO_PRIVATE bool tako__type_name_ok(const char *s); /* 1-64 of [A-Za-z0-9_-], one alphanumeric */
TAKO_PRIVATE bool tako__id_ok(const char *s);        /* 1-64 of [A-Za-z0-9._-], no leading dot */
TAKO_PRIVATE bool tako__hex64_ok(const char *s);
/* NULL when `name` may be a file in /input or an artifact, else why not: a static text. */
TAKO_PRIVATE const char *tako__file_name_fault(const char *name, size_t len);
/* The same for an artifact only, which may also be called data.json. */
TAKO_PRIVATE const char *tako__artifact_name_fault(const char *name, size_t len);
TAKO_PRIVATE void tako__time_text(int64_t us, char out[40]); /* contract form: ISO 8601 +00:00 */

/* ---- errors (error.c): format, store and return the code in one call -------------------- */

TAKO_PRIVATE int tako__fail(tako_error *err, int code, const char *fmt, ...) TAKO__PRINTF(3, 4);
/* As above with ": " and the text of `os_errno` behind it. Code is TAKO_ESYS unless given. */
TAKO_PRIVATE int tako__fail_errno(tako_error *err, int code, int os_errno, const char *fmt, ...)
    TAKO__PRINTF(4, 5);
/* Puts "fmt: " before the message that is there; returns err->code (or `code` if err is NULL). */
TAKO_PRIVATE int tako__context(tako_error *err, int code, const char *fmt, ...) TAKO__PRINTF(3, 4);
TAKO_PRIVATE int tako__nomem(tako_error *err);

/* ---- log (log.c) ------------------------------------------------------------------------ */

TAKO_PRIVATE void tako__log(const tako_host *host, tako_level level, const char *module,
                            const char *fmt, ...) TAKO__PRINTF(4, 5);

/* ---- system (os.c) ---------------------------------------------------------------------- */

TAKO_PRIVATE int64_t tako__now_us(const tako_host *host);
TAKO_PRIVATE int64_t tako__mono_us(void); /* CLOCK_MONOTONIC */
TAKO_PRIVATE int tako__random(void *out, size_t len, tako_error *err);
/* UUID version 7 (RFC 9562): 48 bits of milliseconds, the rest random. Ids made one after the other
 * lie beside each other in an index, which is what lets a commit of many jobs touch few pages. */
TAKO_PRIVATE int tako__uuid7(tako_id *out, tako_error *err);
TAKO_PRIVATE void tako__close_fd(int *fd); /* closes if >= 0, sets -1, keeps errno */
/* Reads a whole small file (also of /proc and /sys) into `out`, at most cap-1 bytes, NUL-ended.
 * Returns the length or -1 with errno. */
TAKO_PRIVATE int tako__read_small(const char *path, char *out, size_t cap);
/* Removes all that is in a directory, however deep, by descriptors only and following no link. What
 * cannot be removed stays. */
TAKO_PRIVATE void tako__empty_dir(int dir);
/* "boot-id:pid-namespace:pid:start-time" of a process, for tako_node.identity; pid 0 = self. */
TAKO_PRIVATE void tako__identity(char out[160]);
/* 1 = that process runs on this machine, 0 = it ran here and is gone, -1 = cannot tell. */
TAKO_PRIVATE int tako__identity_alive(const char *identity);

/* ---- SHA-256 (sha256.c), FIPS 180-4 ------------------------------------------------------ */

struct tako__sha256 {
    uint32_t state[8];
    uint64_t bytes;
    unsigned char block[64];
};
TAKO_PRIVATE void tako__sha256_init(struct tako__sha256 *s);
TAKO_PRIVATE void tako__sha256_add(struct tako__sha256 *s, const void *data, size_t len);
TAKO_PRIVATE void tako__sha256_end(struct tako__sha256 *s, char hex[65]);
TAKO_PRIVATE void tako__sha256_hex(const void *data, size_t len, char hex[65]);

#endif
