/* rules.h - what untrusted strings may be, and the bounds of an engine's limits: one place for the
 * configuration, for job types and for tako_open.
 *
 * Each tako__rule_ function gives NULL when its string is allowed, else a static text that says
 * what is wrong with it and what is allowed. The text never repeats the string, which may be a
 * secret. SPDX-License-Identifier: MIT */
#ifndef TAKO_RULES_H
#define TAKO_RULES_H

#include "base.h"

/* A pip requirement: name, [extras], version conditions; at most 256 bytes, no blank, no URL. */
TAKO_PRIVATE const char *tako__rule_requirement(const char *s);
TAKO_PRIVATE const char *tako__rule_env_name(const char *s);
TAKO_PRIVATE const char *tako__rule_env_value(const char *s);
TAKO_PRIVATE const char *tako__rule_python_version(const char *s); /* "3.8" to "3.19" */
TAKO_PRIVATE const char *tako__rule_image(const char *s);          /* of a container */
TAKO_PRIVATE const char *tako__rule_tag(const char *s);            /* of a version */
/* "512m", "2g": TAKO_MEMORY_MIN-TAKO_MEMORY_MAX. *bytes is set when it is allowed. */
TAKO_PRIVATE const char *tako__rule_memory(const char *s, int64_t *bytes);
/* Bytes, or with k, m or g behind them, in any case. *bytes is set when it is a size. */
TAKO_PRIVATE const char *tako__rule_size(const char *s, int64_t *bytes);
/* One of the closed set of error types; then several of them, separated by commas. */
TAKO_PRIVATE const char *tako__rule_error_type(const char *s);
TAKO_PRIVATE const char *tako__rule_error_types(const char *s);
/* The names of that set, NULL-terminated, for hints. */
TAKO_PRIVATE const char *const *tako__rule_error_type_names(void);

/* True when a variable of this name with this value looks like a secret: by its name (API_KEY,
 * TOKEN, PASSWORD, ...), or by its value (credentials in a URL, a private key, the form of a
 * well-known token). A name that points at a file (..._FILE, ..._PATH) is none. */
TAKO_PRIVATE bool tako__secret_looking(const char *name, const char *value);
/* True when `url` has a password or a token before its host. */
TAKO_PRIVATE bool tako__url_has_secret(const char *url);

/* The name in the NULL-terminated list that `name` is likely a slip of, or NULL. */
TAKO_PRIVATE const char *tako__nearest(const char *name, const char *const *list);

/* Every bound, and soft <= hard, default <= max. Names the member, the value and the bound. */
TAKO_PRIVATE int tako__limits_check(const tako_limits *limits, tako_error *err);

#endif
