/* json.h - reading JSON strictly, and writing it; json.c is the only file that knows cJSON. It
 * hides cJSON's faults: trailing junk, invalid UTF-8, NUL escapes, duplicate keys, depth.
 * SPDX-License-Identifier: MIT */
#ifndef TAKO_JSON_H
#define TAKO_JSON_H

#include "base.h"

struct tako__json; /* a parsed value; children live as long as the root */

/* Checks that `text` is one JSON object per RFC 8259 (and nothing else but white space around
 * it): valid UTF-8, no NUL byte and no \u0000, no lone surrogate escapes, no NaN or Infinity,
 * no float beyond the range of double, no integer of more than 4300 digits (CPython refuses to
 * read it), no duplicate keys, nesting at most `depth` (and 512). NULL when it is, else a static
 * text that says what is wrong, with *offset at the place. It is a scanner, not a parser: memory
 * is needed only to remember the keys of open objects. */
TAKO_PRIVATE const char *tako__json_object_fault(const tako_host *host, const char *text,
                                                 size_t len, int depth, size_t *offset);
/* True when that text says that memory ran out, so that nothing is known of the document. */
TAKO_PRIVATE bool tako__json_fault_is_memory(const char *fault);

/* Reads the escape at s (after its backslash, `len` bytes are there). Gives how many bytes it
 * takes and what it stands for; or 0 with *fault, a static text. */
TAKO_PRIVATE size_t tako__json_escape(const char *s, size_t len, uint32_t *code,
                                      const char **fault);
/* Writes a character as UTF-8. Gives how many bytes it takes. */
TAKO_PRIVATE size_t tako__json_utf8(uint32_t code, char out[4]);

/* Parses a document that Tako itself wrote (spec, result). NULL with err set on failure. */
TAKO_PRIVATE struct tako__json *tako__json_parse(const tako_host *host, const char *text,
                                                 size_t len, tako_error *err);
TAKO_PRIVATE void tako__json_free(const tako_host *host, struct tako__json *doc);
/* Case-sensitive lookups; a missing key or another type gives the fallback. Integers are exact
 * to 2^53. */
TAKO_PRIVATE const struct tako__json *tako__json_get(const struct tako__json *obj, const char *key);
TAKO_PRIVATE const char *tako__json_str(const struct tako__json *obj, const char *key,
                                        const char *fallback);
TAKO_PRIVATE int64_t tako__json_int(const struct tako__json *obj, const char *key,
                                    int64_t fallback);
TAKO_PRIVATE bool tako__json_bool(const struct tako__json *obj, const char *key, bool fallback);
/* A value's own text; NULL when it is no string. */
TAKO_PRIVATE const char *tako__json_text(const struct tako__json *value);
TAKO_PRIVATE size_t tako__json_count(const struct tako__json *array);
TAKO_PRIVATE const struct tako__json *tako__json_at(const struct tako__json *array, size_t index);

/* Writing: adds `"key":` and before it the comma, unless the member is the first of its object.
 * `key` needs no escaping. A NULL string is written as null. */
TAKO_PRIVATE void tako__json_put_key(struct tako__buf *out, const char *key);
TAKO_PRIVATE void tako__json_put_str(struct tako__buf *out, const char *key, const char *value);
TAKO_PRIVATE void tako__json_put_int(struct tako__buf *out, const char *key, int64_t value);
TAKO_PRIVATE void tako__json_put_bool(struct tako__buf *out, const char *key, bool value);

#endif
