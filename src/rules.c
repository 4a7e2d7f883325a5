/* rules.c - the rules for untrusted strings: requirements, variables, versions, images, sizes,
 * error types; what looks like a secret; the name that was likely meant; and the bounds of
 * tako_limits.
 *
 * Written out by hand, without regular expressions, and independent of the locale. Needs no memory.
 * SPDX-License-Identifier: MIT */
#include "rules.h"

#include <inttypes.h>
#include <string.h>

#define RULES_TEXT_MAX 256       /* of a requirement, an image, the name of a variable */
#define RULES_VALUE_MAX 32768    /* characters of the value of a variable */
#define RULES_NAME_MAX 64        /* of names that are compared for likeness */
#define RULES_TAG_MAX 128        /* of an image */
#define RULES_VERSION_TAG_MAX 64 /* of a version of a job type */

static bool rules_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool rules_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool rules_alnum(char c)
{
    return rules_digit(c) || rules_letter(c);
}

static char rules_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

/* Alphanumeric or one of `more`. */
static bool rules_one_of(char c, const char *more)
{
    return c != '\0' && (rules_alnum(c) || strchr(more, c));
}

/* How many characters in front are alphanumeric or one of `more`. */
static size_t rules_span(const char *s, const char *more)
{
    size_t n = 0;

    while (rules_one_of(s[n], more))
        n++;
    return n;
}

/* ---- requirements, images, versions --------------------------------------------------------- */

const char *tako__rule_requirement(const char *s)
{
    static const char shape[] =
        "is no requirement: a name, then [extras] and conditions on the version if wanted, without "
        "blanks, URLs or markers, like \"numpy>=1.20,<2\"";
    static const char conditions[] =
        "has a wrong condition on the version: operators of <>=!~ with a version behind each, "
        "separated by commas, like \"numpy>=1.20,<2\"";
    size_t ops, version;

    if (!s || !*s)
        return "is empty: a requirement is a name, like \"numpy\" or \"numpy>=1.20\"";
    if (strlen(s) > RULES_TEXT_MAX)
        return "is too long: a requirement has at most 256 characters";
    if (!rules_alnum(*s))
        return shape;
    s += rules_span(s, "-._");
    if (*s == '[') {
        s++;
        if (!rules_alnum(*s))
            return "has empty or wrong [extras]: names separated by commas, like \"flask[async]\"";
        s += rules_span(s, "-,._");
        if (*s++ != ']')
            return "has [extras] without their end, like \"flask[async]\"";
    }
    while (*s) {
        ops = strspn(s, "<>=!~");
        if (ops == 0)
            return shape;
        version = rules_span(s + ops, ".*+!-");
        /* A '!' is an operator as well as part of a version. */
        if (version == 0 && !(ops > 1 && s[ops - 1] == '!'))
            return conditions;
        s += ops + version;
        if (*s == ',' && s[1] != '\0')
            s++;
        else if (*s)
            return *s == ',' ? conditions : shape;
    }
    return NULL;
}

const char *tako__rule_image(const char *s)
{
    static const char shape[] =
        "is no image: [registry[:port]/]name[:tag][@sha256:64 hex digits], like "
        "\"python:3.11-slim\"";
    const char *digest, *slash, *colon, *end;

    if (!s || !*s)
        return "is empty: an image is named like \"python:3.11-slim\"";
    if (strlen(s) > RULES_TEXT_MAX)
        return "is too long: the name of an image has at most 256 characters";
    end = s + strlen(s);
    digest = strchr(s, '@');
    if (digest) {
        if (strncmp(digest, "@sha256:", 8) != 0 || !tako__hex64_ok(digest + 8))
            return shape;
        end = digest;
    }
    slash = memchr(s, '/', (size_t)(end - s));
    colon = memchr(s, ':', (size_t)(end - s));
    if (slash && colon && colon < slash) {
        /* A registry with its port; without one it looks like the beginning of the name. */
        if (!rules_alnum(*s) || s + rules_span(s, "-.") != colon || slash - colon < 2 ||
            slash - colon > 6 || strspn(colon + 1, "0123456789") != (size_t)(slash - colon - 1))
            return shape;
        s = slash + 1;
        colon = memchr(s, ':', (size_t)(end - s));
    }
    if (colon) {
        size_t tag = (size_t)(end - colon - 1);

        if (tag < 1 || tag > RULES_TAG_MAX || rules_span(colon + 1, "_.-") != tag ||
            colon[1] == '.' || colon[1] == '-')
            return shape;
        end = colon;
    }
    if (s >= end || rules_span(s, "-._/") != (size_t)(end - s) || !rules_alnum(*s) ||
        !rules_alnum(end[-1]))
        return shape;
    return NULL;
}

const char *tako__rule_python_version(const char *s)
{
    if (s && s[0] == '3' && s[1] == '.') {
        if ((s[2] == '8' || s[2] == '9') && !s[3])
            return NULL;
        if (s[2] == '1' && rules_digit(s[3]) && !s[4])
            return NULL;
    }
    return "is no version of Python for jobs: \"3.8\" to \"3.19\", without a third number";
}

const char *tako__rule_tag(const char *s)
{
    size_t len = s ? strlen(s) : 0;

    if (len < 1 || len > RULES_VERSION_TAG_MAX || rules_span(s, "_.-") != len)
        return "is no tag: 1-64 of [A-Za-z0-9_.-]";
    if (strcmp(s, "latest") == 0)
        return "is no tag to be given: \"latest\" always means the newest version";
    return NULL;
}

/* ---- variables ------------------------------------------------------------------------------ */

const char *tako__rule_env_name(const char *s)
{
    if (!s || !*s)
        return "is empty: the name of a variable is 1-256 of [A-Za-z0-9_], no digit first";
    if (strlen(s) > RULES_TEXT_MAX)
        return "is too long: the name of a variable has at most 256 characters";
    if (rules_digit(*s) || rules_span(s, "_") != strlen(s))
        return "is no name of a variable: 1-256 of [A-Za-z0-9_], no digit first";
    return NULL;
}

const char *tako__rule_env_value(const char *s)
{
    size_t chars = 0;

    if (!s)
        return "is missing: a variable needs a value, which may be empty";
    if (tako__utf8_check(s, strlen(s)) != strlen(s))
        return "is no valid UTF-8";
    for (; *s; s++) {
        if ((unsigned char)*s < 0x20 || *s == 0x7f)
            return "has a control character, and none is allowed, no newline either";
        if (*s == '`' || *s == '$' || *s == '\\')
            return "has a backtick, a dollar sign or a backslash, and none is allowed";
        chars += ((unsigned char)*s & 0xC0) != 0x80;
    }
    return chars > RULES_VALUE_MAX ? "is too long: at most 32768 characters" : NULL;
}

/* ---- sizes ---------------------------------------------------------------------------------- */

/* Digits and one letter, or none, in *unit (lower case). */
static bool rules_number(const char *s, int64_t *value, char *unit)
{
    *value = 0;
    if (!s || !rules_digit(*s))
        return false;
    for (; rules_digit(*s); s++) {
        if (__builtin_mul_overflow(*value, (int64_t)10, value) ||
            __builtin_add_overflow(*value, (int64_t)(*s - '0'), value))
            return false;
    }
    *unit = rules_lower(*s);
    return !*s || !s[1];
}

const char *tako__rule_memory(const char *s, int64_t *bytes)
{
    static const char fault[] = "is no memory limit: a whole number with m or g, from 64m to 32g";
    int64_t value;
    char unit;

    if (!rules_number(s, &value, &unit) || (unit != 'm' && unit != 'g') || value > 32 * 1024)
        return fault;
    value *= unit == 'm' ? 1024 * 1024 : 1024 * 1024 * 1024;
    if (value < TAKO_MEMORY_MIN || value > TAKO_MEMORY_MAX)
        return fault;
    *bytes = value;
    return NULL;
}

const char *tako__rule_size(const char *s, int64_t *bytes)
{
    static const char fault[] = "is no size: a whole number of bytes, or with k, m or g behind it";
    int64_t value, factor = 1;
    char unit;

    if (!rules_number(s, &value, &unit))
        return fault;
    if (unit == 'k')
        factor = 1024;
    else if (unit == 'm')
        factor = 1024 * 1024;
    else if (unit == 'g')
        factor = 1024 * 1024 * 1024;
    else if (unit)
        return fault;
    if (__builtin_mul_overflow(value, factor, &value))
        return fault;
    *bytes = value;
    return NULL;
}

/* ---- error types ---------------------------------------------------------------------------- */

const char *const *tako__rule_error_type_names(void)
{
    static const char *const names[] = {
        "timeout",
        "startup_timeout",
        "execution_timeout",
        "oom",
        "cancelled",
        "segfault",
        "abort",
        "arithmetic_error",
        "bus_error",
        "pipe_error",
        "killed",
        "permission",
        "syntax_error",
        "import_error",
        "type_error",
        "value_error",
        "key_error",
        "index_error",
        "attribute_error",
        "name_error",
        "file_not_found",
        "file_error",
        "os_error",
        "recursion_error",
        "assertion_error",
        "division_error",
        "overflow_error",
        "encoding_error",
        "json_error",
        "dependency_error",
        "network_error",
        "network_timeout",
        "docker_error",
        "service_unavailable",
        "config_error",
        "internal_error",
        "interrupted",
        "runtime_error",
        "unknown",
        NULL,
    };

    return names;
}

static bool rules_known_error(const char *s, size_t len)
{
    const char *const *name;

    for (name = tako__rule_error_type_names(); *name; name++)
        if (strlen(*name) == len && memcmp(*name, s, len) == 0)
            return true;
    return false;
}

const char *tako__rule_error_type(const char *s)
{
    return s && rules_known_error(s, strlen(s)) ? NULL
                                                : "is no error type: \"runtime_error\", "
                                                  "\"network_error\", \"oom\" and the like, see "
                                                  "the list of error types";
}

const char *tako__rule_error_types(const char *s)
{
    size_t len;

    for (;; s += len + 1) {
        len = s ? strcspn(s, ",") : 0;
        if (len == 0 || !rules_known_error(s, len))
            return "is no list of error types: \"network_error,interrupted\" and the like, "
                   "separated by commas without blanks, see the list of error types";
        if (!s[len])
            return NULL;
    }
}

/* ---- secrets -------------------------------------------------------------------------------- */

/* Does the part of a name at `s` of `len` characters end in `word` (lower case)? */
static bool rules_part_ends(const char *s, size_t len, const char *word)
{
    size_t n = strlen(word), i;

    if (len < n)
        return false;
    for (i = 0; i < n; i++)
        if (rules_lower(s[len - n + i]) != word[i])
            return false;
    return true;
}

static bool rules_part_is(const char *s, size_t len, const char *word)
{
    return len == strlen(word) && rules_part_ends(s, len, word);
}

/* What a count or a switch looks like: MAX_TOKENS=512 is no secret. */
static bool rules_harmless(const char *value)
{
    static const char *const words[] = {"", "true", "false", "yes", "no", "on", "off", "none"};
    size_t i, len = strlen(value);

    if (len <= 9 && strspn(value, "0123456789.-") == len)
        return true;
    for (i = 0; i < TAKO__LEN(words); i++)
        if (rules_part_is(value, len, words[i]))
            return true;
    return false;
}

static bool rules_secret_name(const char *name, const char *value)
{
    static const char *const always[] = {"password", "passwd", "passphrase", "secret", "secrets"};
    static const char *const often[] = {"token",       "tokens",     "apikey", "apikeys", "pass",
                                        "credentials", "credential", "key",    "keys",    "auth"};
    const char *part = name, *before = "";
    bool found = false, harmless = rules_harmless(value);
    size_t len = 0, before_len = 0, i;

    for (;; part += len + 1) {
        len = strcspn(part, "_-.");
        for (i = 0; i < TAKO__LEN(always); i++)
            found = found || rules_part_ends(part, len, always[i]);
        for (i = 0; i < TAKO__LEN(often) && !harmless; i++)
            found = found || rules_part_is(part, len, often[i]);
        found = found || (!harmless && (rules_part_ends(part, len, "token") ||
                                        rules_part_ends(part, len, "apikey")));
        /* A public key is meant to be seen. PWD alone is a directory. */
        if (rules_part_is(part, len, "key") && rules_part_is(before, before_len, "public"))
            return false;
        found = found || (before_len > 0 && rules_part_is(part, len, "pwd"));
        if (!part[len])
            break;
        before = part;
        before_len = len;
    }
    return found && *value && !rules_part_is(part, len, "file") &&
           !rules_part_is(part, len, "path") && !rules_part_is(part, len, "dir");
}

bool tako__url_has_secret(const char *url)
{
    const char *p = strstr(url, "://");
    size_t host;

    if (!p)
        return false;
    p += 3;
    host = strcspn(p, "/?#");
    for (; host > 0; host--)
        if (p[host - 1] == '@')
            return host > 1;
    return false;
}

static bool rules_secret_value(const char *value)
{
    static const struct {
        const char *prefix;
        size_t least;
    } forms[] = {{"ghp_", 24},  {"gho_", 24},  {"ghs_", 24}, {"github_pat_", 24}, {"glpat-", 20},
                 {"xoxb-", 20}, {"xoxp-", 20}, {"sk-", 24},  {"sk_live_", 20},    {"AKIA", 20},
                 {"hf_", 24},   {"npm_", 24},  {"pypi-", 24}};
    const char *p;
    size_t i, len = strlen(value);

    for (i = 0; i < TAKO__LEN(forms); i++)
        if (len >= forms[i].least && strncmp(value, forms[i].prefix, strlen(forms[i].prefix)) == 0)
            return rules_span(value, "-_.") == len;
    if (strncmp(value, "eyJ", 3) == 0 && rules_span(value, "-_.=") == len) {
        p = strchr(value, '.'); /* a JSON web token: three parts */
        return p && strchr(p + 1, '.');
    }
    if (strstr(value, "-----BEGIN ") && strstr(value, "PRIVATE KEY"))
        return true;
    return tako__url_has_secret(value) && strchr(strstr(value, "://") + 3, ':') != NULL;
}

bool tako__secret_looking(const char *name, const char *value)
{
    if (!value)
        return false;
    return rules_secret_name(name ? name : "", value) || rules_secret_value(value);
}

/* ---- what was likely meant ------------------------------------------------------------------ */

/* As a person sees it: no case, and no difference between '-' and '_'. */
static char rules_fold(char c)
{
    return c == '-' ? '_' : rules_lower(c);
}

/* How many characters have to be put in, left out, changed or swapped with their neighbour. */
static size_t rules_distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
    size_t rows[3][RULES_NAME_MAX + 1];
    size_t *two = rows[0], *one = rows[1], *now = rows[2], *oldest;
    size_t i, j, best;

    for (j = 0; j <= b_len; j++)
        one[j] = two[j] = j;
    for (i = 1; i <= a_len; i++) {
        now[0] = i;
        for (j = 1; j <= b_len; j++) {
            char x = rules_fold(a[i - 1]), y = rules_fold(b[j - 1]);

            best = one[j - 1] + (x != y);
            if (one[j] + 1 < best)
                best = one[j] + 1;
            if (now[j - 1] + 1 < best)
                best = now[j - 1] + 1;
            if (i > 1 && j > 1 && x == rules_fold(b[j - 2]) && y == rules_fold(a[i - 2]) &&
                two[j - 2] + 1 < best)
                best = two[j - 2] + 1;
            now[j] = best;
        }
        oldest = two;
        two = one;
        one = now;
        now = oldest;
    }
    return one[b_len];
}

const char *tako__nearest(const char *name, const char *const *list)
{
    size_t len = strlen(name), best = len / 3 + 1, distance;
    const char *found = NULL;

    if (len == 0 || len > RULES_NAME_MAX)
        return NULL;
    for (; *list; list++) {
        if (strlen(*list) > RULES_NAME_MAX)
            continue;
        distance = rules_distance(name, len, *list, strlen(*list));
        if (distance <= best && (!found || distance < best)) {
            best = distance;
            found = *list;
        }
    }
    return found;
}

/* ---- limits --------------------------------------------------------------------------------- */

struct rules_limit {
    const char *name;
    size_t at;
    bool wide; /* int64_t, else int */
    int64_t min, max;
};

#define RULES_INT(member, min, max)                                 \
    {                                                               \
#member, offsetof(tako_limits, member), false, (min), (max) \
    }
#define RULES_WIDE(member, min, max)                               \
    {                                                              \
#member, offsetof(tako_limits, member), true, (min), (max) \
    }

static int64_t rules_member(const tako_limits *limits, const struct rules_limit *limit)
{
    const char *base = (const char *)limits;
    int64_t wide;
    int narrow;

    if (limit->wide) {
        memcpy(&wide, base + limit->at, sizeof wide);
        return wide;
    }
    memcpy(&narrow, base + limit->at, sizeof narrow);
    return narrow;
}

int tako__limits_check(const tako_limits *limits, tako_error *err)
{
    static const struct rules_limit bounds[] = {
        RULES_WIDE(code_bytes, 1024, 10485760),
        RULES_WIDE(input_bytes, 1024, 104857600),
        RULES_WIDE(stdout_bytes, 1024, 104857600),
        RULES_WIDE(stderr_bytes, 1024, 104857600),
        RULES_WIDE(artifact_bytes, 1024, 1073741824),
        RULES_WIDE(artifacts_bytes, 1024, INT64_C(10737418240)),
        RULES_WIDE(max_timeout_ms, 1, TAKO_TIMEOUT_MAX_MS),
        RULES_WIDE(default_timeout_ms, 1, TAKO_TIMEOUT_MAX_MS),
        RULES_WIDE(max_startup_ms, 1000, 1800000),
        RULES_WIDE(default_startup_ms, 1000, 1800000),
        RULES_INT(pids, 10, 8192),
        RULES_INT(nproc_soft, 10, 8192),
        RULES_INT(nproc_hard, 10, 8192),
        RULES_INT(nofile_soft, 64, 65536),
        RULES_INT(nofile_hard, 64, 65536),
        RULES_WIDE(file_bytes, 1048576, 1073741824),
        RULES_WIDE(tmp_bytes, 10485760, INT64_C(2147483648)),
        RULES_INT(setup_attempts, 1, 10),
        RULES_WIDE(setup_delay_ms, 100, 60000),
    };
    const struct {
        const char *low, *high;
        int64_t low_value, high_value;
    } order[] = {
        {"nproc_soft", "nproc_hard", limits->nproc_soft, limits->nproc_hard},
        {"nofile_soft", "nofile_hard", limits->nofile_soft, limits->nofile_hard},
        {"default_timeout_ms", "max_timeout_ms", limits->default_timeout_ms,
         limits->max_timeout_ms},
        {"default_startup_ms", "max_startup_ms", limits->default_startup_ms,
         limits->max_startup_ms},
    };
    size_t i;

    for (i = 0; i < TAKO__LEN(bounds); i++) {
        int64_t value = rules_member(limits, &bounds[i]);

        if (value < bounds[i].min || value > bounds[i].max)
            return tako__fail(err, TAKO_EINVAL,
                              "limits.%s: %" PRId64 " is not from %" PRId64 " to %" PRId64
                              "; start from TAKO_LIMITS_INIT",
                              bounds[i].name, value, bounds[i].min, bounds[i].max);
    }
    for (i = 0; i < TAKO__LEN(order); i++)
        if (order[i].low_value > order[i].high_value)
            return tako__fail(err, TAKO_EINVAL,
                              "limits.%s: %" PRId64 " is more than limits.%s, which is %" PRId64,
                              order[i].low, order[i].low_value, order[i].high, order[i].high_value);
    return TAKO_OK;
}
