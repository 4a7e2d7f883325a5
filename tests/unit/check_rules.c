/* check_rules.c - what rules.c promises: strings that come from outside are accepted or refused
 * exactly as documented, secrets are noticed, slips are understood, limits have bounds.
 * SPDX-License-Identifier: MIT */
#include "../../src/rules.h"

#include <check.h>
#include <string.h>

Suite *suite_rules(void);

struct rules_case {
    const char *text;
    bool good;
};

static void rules_check(const struct rules_case *c, size_t n, const char *(*rule)(const char *))
{
    for (; n > 0; n--, c++) {
        const char *fault = rule(c->text);

        ck_assert_msg((fault == NULL) == c->good, "'%s': %s", c->text ? c->text : "(NULL)",
                      fault ? fault : "accepted");
    }
}

static const char *rules_long(char *buffer, char c, size_t n)
{
    memset(buffer, c, n);
    buffer[n] = '\0';
    return buffer;
}

/* ---- strings -------------------------------------------------------------------------------- */

static const struct rules_case rules_requirements[] = {
    {"numpy", true},
    {"pandas>=1.0", true},
    {"flask[async]", true},
    {"flask[async,dot-env]", true},
    {"numpy>=1.20,<2", true},
    {"x~=1.0", true},
    {"x==1.*", true},
    {"x===1.0+local.1", true},
    {"x==1!2.0", true},
    {"a.b_c-d", true},
    {"x[a]>=1", true},
    {"x=!", true}, /* by the letter of the rule */
    {"3to2", true},
    {"", false},
    {NULL, false},
    {"a b", false},
    {"numpy >=1", false},
    {"numpy\n", false},
    {"numpy\r", false},
    {" numpy", false},
    {"https://example.org/x.whl", false},
    {"git+https://example.org/x", false},
    {"x @ https://example.org", false},
    {"x;python_version>'3'", false},
    {"-e .", false},
    {"-e.", false},
    {"--index-url=x", false},
    {"pkg[]", false},
    {"pkg[a", false},
    {"pkg[-a]", false},
    {"pkg[a]b", false},
    {"_x", false},
    {".x", false},
    {"x>=", false},
    {"x>", false},
    {"x!", false},
    {"x>=1,", false},
    {"x>=1,,<2", false},
    {"x>=1,2", false},
    {"x,", false},
    {"x>=1 ", false},
    {"x`id`", false},
    {"x$HOME", false},
    {"x\\y", false},
    {"x#y", false},
    {"x&&y", false},
    {"x||y", false},
    {"a/b", false},
    {"a@b", false},
    {"\xC3\xA9", false},
};

START_TEST(requirements)
{
    rules_check(rules_requirements, TAKO__LEN(rules_requirements), tako__rule_requirement);
}
END_TEST

static const struct rules_case rules_images[] = {
    {"python:3.11-slim", true},
    {"reg.io:5000/a/b:v1", true},
    {"a", true},
    {"reg.io/a", true},
    {"a_b/c.d", true},
    {"a@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", true},
    {"r:1/a:t@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", true},
    {"", false},
    {NULL, false},
    {"a b", false},
    {"a/", false},
    {"-a", false},
    {"a-", false},
    {"a:t:t", false},
    {"a:", false},
    {"a:-t", false},
    {"reg:/a", false},
    {"reg:port/a", false},
    {"reg:123456/a", false},
    {"-reg:1/a", false},
    {"reg:1/", false},
    {"a@sha256:12", false},
    {"a@md5:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", false},
    {"a\n", false},
    {"a;b", false},
    {"a$b", false},
    {"a`b", false},
    {"a\\b", false},
    {"a#b", false},
    {"a&&b", false},
    {"a||b", false},
    {"\xC3\xA9", false},
};

START_TEST(images)
{
    rules_check(rules_images, TAKO__LEN(rules_images), tako__rule_image);
}
END_TEST

static const struct rules_case rules_versions[] = {
    {"3.8", true},    {"3.9", true},   {"3.10", true},    {"3.11", true}, {"3.19", true},
    {"3.7", false},   {"3.20", false}, {"3.11.2", false}, {"3", false},   {"3.", false},
    {"3.1", false},   {"2.8", false},  {"", false},       {NULL, false},  {"3.11 ", false},
    {"3.8\n", false}, {"3.88", false}, {"3.111", false},
};

START_TEST(versions_of_python)
{
    rules_check(rules_versions, TAKO__LEN(rules_versions), tako__rule_python_version);
}
END_TEST

static const struct rules_case rules_tags[] = {
    {"v1", true},   {"1.0-rc_2", true}, {".", true},    {"", false},    {NULL, false},
    {"a b", false}, {"latest", false},  {"a:b", false}, {"a@b", false}, {"a\n", false},
};

START_TEST(tags)
{
    rules_check(rules_tags, TAKO__LEN(rules_tags), tako__rule_tag);
}
END_TEST

static const struct rules_case rules_names[] = {
    {"A", true},    {"_a9", true},  {"PATH", true},      {"", false},
    {NULL, false},  {"9a", false},  {"A-B", false},      {"A=", false},
    {"A\n", false}, {"A B", false}, {"\xC3\xA9", false},
};

START_TEST(names_of_variables)
{
    rules_check(rules_names, TAKO__LEN(rules_names), tako__rule_env_name);
}
END_TEST

static const struct rules_case rules_values[] = {
    {"", true},
    {"it's \"quoted\"", true},
    {"\xC3\xA9\xE2\x82\xAC", true},
    {"a b", true},
    {NULL, false},
    {"a\n", false},
    {"a\tb", false},
    {"a\x7f", false},
    {"\x01", false},
    {"`id`", false},
    {"$HOME", false},
    {"a\\b", false},
    {"\xFF", false},
};

START_TEST(values_of_variables)
{
    rules_check(rules_values, TAKO__LEN(rules_values), tako__rule_env_value);
}
END_TEST

START_TEST(lengths_have_bounds)
{
    static char text[70000];
    size_t i;

    ck_assert_ptr_null(tako__rule_requirement(rules_long(text, 'a', 256)));
    ck_assert_ptr_nonnull(tako__rule_requirement(rules_long(text, 'a', 257)));
    ck_assert_ptr_null(tako__rule_image(rules_long(text, 'a', 256)));
    ck_assert_ptr_nonnull(tako__rule_image(rules_long(text, 'a', 257)));
    ck_assert_ptr_null(tako__rule_env_name(rules_long(text, 'a', 256)));
    ck_assert_ptr_nonnull(tako__rule_env_name(rules_long(text, 'a', 257)));
    ck_assert_ptr_null(tako__rule_env_value(rules_long(text, 'a', 32768)));
    ck_assert_ptr_nonnull(tako__rule_env_value(rules_long(text, 'a', 32769)));
    ck_assert_ptr_null(tako__rule_tag(rules_long(text, 'a', 64)));
    ck_assert_ptr_nonnull(tako__rule_tag(rules_long(text, 'a', 65)));
    for (i = 0; i < 32768; i++) /* characters, not bytes */
        memcpy(text + 2 * i, "\xC3\xA9", 3);
    ck_assert_ptr_null(tako__rule_env_value(text));
    memcpy(text, "a:", 2);
    ck_assert_ptr_null(tako__rule_image((rules_long(text + 2, 't', 128), text)));
    ck_assert_ptr_nonnull(tako__rule_image((rules_long(text + 2, 't', 129), text)));
}
END_TEST

/* ---- sizes ---------------------------------------------------------------------------------- */

static const struct {
    const char *text;
    int64_t memory, size; /* -1 = refused */
} rules_sizes[] = {
    {"64m", 67108864, 67108864},
    {"512M", 536870912, 536870912},
    {"2g", INT64_C(2147483648), INT64_C(2147483648)},
    {"32G", INT64_C(34359738368), INT64_C(34359738368)},
    {"32768m", INT64_C(34359738368), INT64_C(34359738368)},
    {"63m", -1, 66060288},
    {"33g", -1, INT64_C(35433480192)},
    {"32769m", -1, INT64_C(34360786944)},
    {"512k", -1, 524288},
    {"1048576", -1, 1048576},
    {"0", -1, 0},
    {"", -1, -1},
    {NULL, -1, -1},
    {"m", -1, -1},
    {"512mb", -1, -1},
    {"512 m", -1, -1},
    {"-512m", -1, -1},
    {"0.5g", -1, -1},
    {"512t", -1, -1},
    {"9223372036854775808", -1, -1},
    {"9223372036854775807g", -1, -1},
    {"99999999999999999999g", -1, -1},
};

START_TEST(sizes)
{
    int64_t memory, size;
    size_t i;

    for (i = 0; i < TAKO__LEN(rules_sizes); i++) {
        memory = size = -1;
        ck_assert((tako__rule_memory(rules_sizes[i].text, &memory) == NULL) ==
                  (rules_sizes[i].memory >= 0));
        ck_assert((tako__rule_size(rules_sizes[i].text, &size) == NULL) ==
                  (rules_sizes[i].size >= 0));
        ck_assert_int_eq(memory, rules_sizes[i].memory);
        ck_assert_int_eq(size, rules_sizes[i].size);
    }
}
END_TEST

/* ---- error types ---------------------------------------------------------------------------- */

START_TEST(error_types_are_a_closed_set)
{
    const char *const *name;
    size_t n = 0;

    for (name = tako__rule_error_type_names(); *name; name++, n++)
        ck_assert_ptr_null(tako__rule_error_type(*name));
    ck_assert_uint_eq(n, 39);
    ck_assert_ptr_nonnull(tako__rule_error_type(NULL));
    ck_assert_ptr_nonnull(tako__rule_error_type(""));
    ck_assert_ptr_nonnull(tako__rule_error_type("OOM"));
    ck_assert_ptr_nonnull(tako__rule_error_type("oom "));
    ck_assert_ptr_nonnull(tako__rule_error_type("time"));
    ck_assert_ptr_null(tako__rule_error_types("oom"));
    ck_assert_ptr_null(tako__rule_error_types("oom,network_error"));
    ck_assert_ptr_nonnull(tako__rule_error_types(NULL));
    ck_assert_ptr_nonnull(tako__rule_error_types(""));
    ck_assert_ptr_nonnull(tako__rule_error_types("oom,"));
    ck_assert_ptr_nonnull(tako__rule_error_types(",oom"));
    ck_assert_ptr_nonnull(tako__rule_error_types("oom,,killed"));
    ck_assert_ptr_nonnull(tako__rule_error_types("oom, killed"));
    ck_assert_ptr_nonnull(tako__rule_error_types("oom;killed"));
}
END_TEST

/* ---- secrets -------------------------------------------------------------------------------- */

static const struct {
    const char *name, *value;
    bool secret;
} rules_secrets[] = {
    {"API_KEY", "abc123", true},
    {"apiKey", "abc123", true},
    {"OPENAI_API_KEY", "abc123", true},
    {"AWS_SECRET_ACCESS_KEY", "abc", true},
    {"AWS_ACCESS_KEY_ID", "abc", true},
    {"GITHUB_TOKEN", "abc", true},
    {"GITHUBTOKEN", "abc", true},
    {"token", "abc", true},
    {"PASSWORD", "12345", true},
    {"DB_PASSWORD", "x", true},
    {"MYPASSWD", "x", true},
    {"DB_PWD", "x", true},
    {"CLIENT_SECRET", "x", true},
    {"SECRETS", "x", true},
    {"DB_PASS", "hunter", true},
    {"GOOGLE_CREDENTIALS", "x", true},
    {"BASIC_AUTH", "u:p", true},
    {"DATABASE_URL", "postgresql://user:pass@host/db", true},
    {"PLAIN", "https://user:pass@example.org", true},
    {"PLAIN", "ghp_0123456789abcdefghijABCDEFGHIJ", true},
    {"PLAIN", "AKIAIOSFODNN7EXAMPLE", true},
    {"PLAIN", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl", true},
    {"PLAIN", "-----BEGIN RSA PRIVATE KEY-----", true},
    {"PLAIN", "hello", false},
    {"PLAIN", "https://example.org/a@b", false},
    {"PLAIN", "https://user@example.org", false},
    {"PLAIN", "eyJ is no token", false},
    {"PLAIN", "sk-learn", false},
    {"API_KEY", "", false},
    {"PASSWORD", "", false},
    {"PASSWORD_FILE", "/run/secrets/db", false},
    {"SSL_KEY_PATH", "/etc/x.pem", false},
    {"SECRETS_DIR", "/run/secrets", false},
    {"PUBLIC_KEY", "abc", false},
    {"MAX_TOKENS", "512", false},
    {"USE_AUTH", "true", false},
    {"TOKENIZERS_PARALLELISM", "maybe", false},
    {"KEYBOARD", "de", false},
    {"MONKEY", "chimp", false},
    {"PWD", "/tmp", false},
    {"COMPASS", "north", false},
    {"AUTHOR", "me", false},
    {"PLAIN", NULL, false},
    {NULL, "x", false},
    {"", "x", false},
};

START_TEST(secrets_are_noticed)
{
    size_t i;

    for (i = 0; i < TAKO__LEN(rules_secrets); i++)
        ck_assert_msg(tako__secret_looking(rules_secrets[i].name, rules_secrets[i].value) ==
                          rules_secrets[i].secret,
                      "%s=%s", rules_secrets[i].name ? rules_secrets[i].name : "(NULL)",
                      rules_secrets[i].value ? rules_secrets[i].value : "(NULL)");
}
END_TEST

START_TEST(credentials_in_urls_are_noticed)
{
    ck_assert(tako__url_has_secret("http://user:pass@host/"));
    ck_assert(tako__url_has_secret("http://token@host:80"));
    ck_assert(!tako__url_has_secret("http://host/a@b"));
    ck_assert(!tako__url_has_secret("http://host?a@b"));
    ck_assert(!tako__url_has_secret("http://@host"));
    ck_assert(!tako__url_has_secret("user@host"));
    ck_assert(!tako__url_has_secret(""));
}
END_TEST

/* ---- slips ---------------------------------------------------------------------------------- */

START_TEST(the_nearest_name_is_found)
{
    static const char *const list[] = {"max_workers", "max_timeout", "data_dir", "store", NULL};
    char name[200];

    ck_assert_str_eq(tako__nearest("max_worker", list), "max_workers");
    ck_assert_str_eq(tako__nearest("maxworkers", list), "max_workers");
    ck_assert_str_eq(tako__nearest("max-workers", list), "max_workers");
    ck_assert_str_eq(tako__nearest("MAX_WORKERS", list), "max_workers");
    ck_assert_str_eq(tako__nearest("max_wrokers", list), "max_workers");
    ck_assert_str_eq(tako__nearest("max_tiemout", list), "max_timeout");
    ck_assert_str_eq(tako__nearest("datadir", list), "data_dir");
    ck_assert_str_eq(tako__nearest("stroe", list), "store");
    ck_assert_ptr_null(tako__nearest("something_else", list));
    ck_assert_ptr_null(tako__nearest("x", list));
    ck_assert_ptr_null(tako__nearest("", list));
    ck_assert_ptr_null(tako__nearest(rules_long(name, 'a', 65), list));
    ck_assert_ptr_null(tako__nearest(rules_long(name, 'a', 64), list));
}
END_TEST

/* ---- limits --------------------------------------------------------------------------------- */

struct rules_bound {
    const char *name;
    size_t at;
    int wide;
    int64_t min, max;
};
#define RULES_BOUND(member, wide, min, max)                    \
    {                                                          \
#member, offsetof(tako_limits, member), wide, min, max \
    }

static const struct rules_bound rules_bounds[] = {
    RULES_BOUND(code_bytes, 1, 1024, 10485760),
    RULES_BOUND(input_bytes, 1, 1024, 104857600),
    RULES_BOUND(stdout_bytes, 1, 1024, 104857600),
    RULES_BOUND(stderr_bytes, 1, 1024, 104857600),
    RULES_BOUND(artifact_bytes, 1, 1024, 1073741824),
    RULES_BOUND(artifacts_bytes, 1, 1024, INT64_C(10737418240)),
    RULES_BOUND(default_timeout_ms, 1, 1, 86400000),
    RULES_BOUND(max_timeout_ms, 1, 1, 86400000),
    RULES_BOUND(default_startup_ms, 1, 1000, 1800000),
    RULES_BOUND(max_startup_ms, 1, 1000, 1800000),
    RULES_BOUND(pids, 0, 10, 8192),
    RULES_BOUND(nproc_soft, 0, 10, 8192),
    RULES_BOUND(nproc_hard, 0, 10, 8192),
    RULES_BOUND(nofile_soft, 0, 64, 65536),
    RULES_BOUND(nofile_hard, 0, 64, 65536),
    RULES_BOUND(file_bytes, 1, 1048576, 1073741824),
    RULES_BOUND(tmp_bytes, 1, 10485760, INT64_C(2147483648)),
    RULES_BOUND(setup_attempts, 0, 1, 10),
    RULES_BOUND(setup_delay_ms, 1, 100, 60000),
};

static int rules_with(const struct rules_bound *b, int64_t value, tako_error *err)
{
    tako_limits limits = TAKO_LIMITS_INIT;
    int narrow = (int)value;

    /* Out of the way of soft <= hard and default <= max. */
    limits.nproc_soft = limits.nofile_soft = 64;
    limits.nproc_hard = 8192;
    limits.nofile_hard = 65536;
    if (b->at == offsetof(tako_limits, nproc_hard))
        limits.nproc_soft = 10;
    limits.default_timeout_ms = 1;
    limits.default_startup_ms = 1000;
    limits.max_startup_ms = 1800000;
    if (b->wide)
        memcpy((char *)&limits + b->at, &value, sizeof value);
    else
        memcpy((char *)&limits + b->at, &narrow, sizeof narrow);
    return tako__limits_check(&limits, err);
}

START_TEST(every_limit_has_its_bounds)
{
    const struct rules_bound *b;
    tako_error err;
    size_t i;

    for (i = 0; i < TAKO__LEN(rules_bounds); i++) {
        b = &rules_bounds[i];
        ck_assert_msg(rules_with(b, b->min, &err) == TAKO_OK, "%s", err.message);
        ck_assert_msg(rules_with(b, b->max, &err) == TAKO_OK, "%s", err.message);
        ck_assert_int_eq(rules_with(b, b->min - 1, &err), TAKO_EINVAL);
        ck_assert_ptr_nonnull(strstr(err.message, b->name));
        ck_assert_int_eq(rules_with(b, b->max + 1, &err), TAKO_EINVAL);
        ck_assert_ptr_nonnull(strstr(err.message, b->name));
    }
}
END_TEST

START_TEST(limits_are_in_order)
{
    tako_limits limits = TAKO_LIMITS_INIT;
    tako_error err;

    ck_assert_int_eq(tako__limits_check(&limits, NULL), TAKO_OK);
    limits.nproc_soft = limits.nproc_hard + 1;
    ck_assert_int_eq(tako__limits_check(&limits, &err), TAKO_EINVAL);
    ck_assert_str_eq(err.message,
                     "limits.nproc_soft: 101 is more than limits.nproc_hard, which is 100");
    limits.nproc_soft = limits.nproc_hard;
    limits.nofile_hard = limits.nofile_soft - 1;
    ck_assert_int_eq(tako__limits_check(&limits, &err), TAKO_EINVAL);
    limits.nofile_hard = limits.nofile_soft;
    limits.max_timeout_ms = limits.default_timeout_ms - 1;
    ck_assert_int_eq(tako__limits_check(&limits, &err), TAKO_EINVAL);
    limits.max_timeout_ms = limits.default_timeout_ms;
    limits.max_startup_ms = limits.default_startup_ms - 1;
    ck_assert_int_eq(tako__limits_check(&limits, &err), TAKO_EINVAL);
    limits.max_startup_ms = limits.default_startup_ms;
    ck_assert_int_eq(tako__limits_check(&limits, &err), TAKO_OK);
}
END_TEST

Suite *suite_rules(void)
{
    Suite *s = suite_create("rules");
    TCase *tc = tcase_create("strings");

    tcase_add_test(tc, requirements);
    tcase_add_test(tc, images);
    tcase_add_test(tc, versions_of_python);
    tcase_add_test(tc, tags);
    tcase_add_test(tc, names_of_variables);
    tcase_add_test(tc, values_of_variables);
    tcase_add_test(tc, lengths_have_bounds);
    tcase_add_test(tc, sizes);
    tcase_add_test(tc, error_types_are_a_closed_set);
    suite_add_tcase(s, tc);
    tc = tcase_create("secrets");
    tcase_add_test(tc, secrets_are_noticed);
    tcase_add_test(tc, credentials_in_urls_are_noticed);
    tcase_add_test(tc, the_nearest_name_is_found);
    suite_add_tcase(s, tc);
    tc = tcase_create("limits");
    tcase_add_test(tc, every_limit_has_its_bounds);
    tcase_add_test(tc, limits_are_in_order);
    suite_add_tcase(s, tc);
    return s;
}
