/* check_yaml.c - what yaml.c promises: the types of PyYAML's safe_load, the place of everything,
 * and a refusal of whatever is not in the safe part of YAML.
 * SPDX-License-Identifier: MIT */
#include "../../src/yaml.h"
#include "../support/fault_alloc.h"

#include <check.h>
#include <stdio.h>

Suite *suite_yaml(void);

/* All faults, as lines of "line:column: text". */
struct yaml_log {
    char text[4096];
    int count;
};

static void yaml_log_add(void *ctx, int line, int column, const char *text)
{
    struct yaml_log *log = ctx;
    size_t len = strlen(log->text);

    snprintf(log->text + len, sizeof log->text - len, "%d:%d: %s\n", line, column, text);
    log->count++;
}

struct yaml_read {
    struct fault_alloc f;
    tako_host host;
    struct tako__yaml *root;
    struct yaml_log log;
    int rc;
};

static void yaml_read_n(struct yaml_read *r, const char *text, size_t len)
{
    tako_options opts = TAKO_OPTIONS_INIT;
    tako_error err;

    memset(r, 0, sizeof *r);
    fault_alloc_init(&r->f);
    opts.alloc = fault_alloc_use(&r->f);
    tako__host_init(&r->host, &opts);
    r->rc = tako__yaml_parse(&r->host, text, len, yaml_log_add, &r->log, &r->root, &err);
    if (r->rc != TAKO_OK)
        ck_assert_ptr_null(r->root);
}

static void yaml_read(struct yaml_read *r, const char *text)
{
    yaml_read_n(r, text, strlen(text));
}

static void yaml_done(struct yaml_read *r)
{
    tako__yaml_free(&r->host, r->root);
    ck_assert_int_eq(r->f.live_blocks, 0);
}

/* ---- types ---------------------------------------------------------------------------------- */

static const struct {
    const char *text;
    enum tako__yaml_kind kind;
    int64_t number;
} yaml_scalars[] = {
    {"~", TAKO__YAML_NULL, 0},
    {"null", TAKO__YAML_NULL, 0},
    {"NULL", TAKO__YAML_NULL, 0},
    {"", TAKO__YAML_NULL, 0},
    {"nULL", TAKO__YAML_TEXT, 0},
    {"yes", TAKO__YAML_BOOL, 1},
    {"Yes", TAKO__YAML_BOOL, 1},
    {"ON", TAKO__YAML_BOOL, 1},
    {"true", TAKO__YAML_BOOL, 1},
    {"no", TAKO__YAML_BOOL, 0},
    {"off", TAKO__YAML_BOOL, 0},
    {"False", TAKO__YAML_BOOL, 0},
    {"y", TAKO__YAML_TEXT, 0},
    {"n", TAKO__YAML_TEXT, 0},
    {"yEs", TAKO__YAML_TEXT, 0},
    {"'yes'", TAKO__YAML_TEXT, 0},
    {"\"true\"", TAKO__YAML_TEXT, 0},
    {"0", TAKO__YAML_INT, 0},
    {"-0", TAKO__YAML_INT, 0},
    {"12", TAKO__YAML_INT, 12},
    {"+12", TAKO__YAML_INT, 12},
    {"-12", TAKO__YAML_INT, -12},
    {"1_000", TAKO__YAML_INT, 1000},
    {"010", TAKO__YAML_INT, 8},
    {"08", TAKO__YAML_TEXT, 0},
    {"0x1F", TAKO__YAML_INT, 31},
    {"0b101", TAKO__YAML_INT, 5},
    {"0x", TAKO__YAML_TEXT, 0},
    {"0o17", TAKO__YAML_TEXT, 0},
    {"1:30", TAKO__YAML_INT, 90},
    {"-1:30", TAKO__YAML_INT, -90},
    {"1:60", TAKO__YAML_TEXT, 0},
    {"0:30", TAKO__YAML_TEXT, 0},
    {"9223372036854775807", TAKO__YAML_INT, INT64_MAX},
    {"9223372036854775808", TAKO__YAML_INT, INT64_MAX},
    {"-99999999999999999999", TAKO__YAML_INT, INT64_MIN},
    {"1.5", TAKO__YAML_FLOAT, 0},
    {"-1.5", TAKO__YAML_FLOAT, 0},
    {"1.", TAKO__YAML_FLOAT, 0},
    {".5", TAKO__YAML_FLOAT, 0},
    {"1.5e+3", TAKO__YAML_FLOAT, 0},
    {"1.5e3", TAKO__YAML_TEXT, 0},
    {"1e3", TAKO__YAML_TEXT, 0},
    {"1:30.5", TAKO__YAML_FLOAT, 0},
    {".inf", TAKO__YAML_FLOAT, 0},
    {"-.INF", TAKO__YAML_FLOAT, 0},
    {".nan", TAKO__YAML_FLOAT, 0},
    {"-.nan", TAKO__YAML_TEXT, 0},
    {".", TAKO__YAML_TEXT, 0},
    {"1.2.3", TAKO__YAML_TEXT, 0},
    {"512m", TAKO__YAML_TEXT, 0},
    {"2024-01-31", TAKO__YAML_TEXT, 0},
    {"!!str 12", TAKO__YAML_TEXT, 0},
    {"! 12", TAKO__YAML_TEXT, 0},
    {"!!int '12'", TAKO__YAML_INT, 12},
    {"!!float 12", TAKO__YAML_FLOAT, 12},
    {"!!bool yes", TAKO__YAML_BOOL, 1},
    {"!!null ''", TAKO__YAML_NULL, 0},
};

START_TEST(plain_scalars_have_the_types_of_pyyaml)
{
    struct yaml_read r;
    char text[128];
    size_t i;

    for (i = 0; i < TAKO__LEN(yaml_scalars); i++) {
        snprintf(text, sizeof text, "k: %s\n", yaml_scalars[i].text);
        yaml_read(&r, text);
        ck_assert_msg(r.rc == TAKO_OK && r.log.count == 0, "%s: %s", text, r.log.text);
        ck_assert_msg(r.root->first->kind == yaml_scalars[i].kind, "%s: kind %d", text,
                      (int)r.root->first->kind);
        ck_assert_msg(r.root->first->number == yaml_scalars[i].number, "%s: %lld", text,
                      (long long)r.root->first->number);
        yaml_done(&r);
    }
}
END_TEST

START_TEST(text_is_what_was_written)
{
    static const struct {
        const char *yaml, *text;
    } cases[] = {
        {"k: 3.10", "3.10"},
        {"k: 1_000", "1_000"},
        {"k: 'it''s'", "it's"},
        {"k: \"a\\tb\\u00e9\"", "a\tb\xC3\xA9"},
        {"k: two words # comment", "two words"},
        {"k: |\n  a\n  b\n", "a\nb\n"},
        {"k: >-\n  a\n  b\n", "a b"},
        {"k: a#b", "a#b"},
    };
    struct yaml_read r;
    size_t i;

    for (i = 0; i < TAKO__LEN(cases); i++) {
        yaml_read(&r, cases[i].yaml);
        ck_assert_int_eq(r.rc, TAKO_OK);
        ck_assert_str_eq(tako__yaml_get(r.root, "k")->text, cases[i].text);
        yaml_done(&r);
    }
}
END_TEST

START_TEST(everything_has_its_place)
{
    static const char text[] = "a: 1\nb:\n  - x\n  - y: 2\n    \xC3\xA9z: {q: [1, 2], r: }\n";
    const struct tako__yaml *b, *map, *z;
    struct yaml_read r;

    yaml_read(&r, text);
    ck_assert_int_eq(r.rc, TAKO_OK);
    ck_assert_int_eq(r.root->kind, TAKO__YAML_MAP);
    ck_assert_uint_eq(r.root->count, 2);
    ck_assert_int_eq(r.root->first->line, 1);
    ck_assert_int_eq(r.root->first->column, 4);
    ck_assert_int_eq(r.root->first->key_column, 1);
    b = tako__yaml_get(r.root, "b");
    ck_assert_int_eq(b->kind, TAKO__YAML_LIST);
    ck_assert_uint_eq(b->count, 2);
    ck_assert_int_eq(b->first->line, 3);
    ck_assert_int_eq(b->first->column, 5);
    map = b->first->next;
    ck_assert_ptr_null(map->key);
    z = tako__yaml_get(map, "\xC3\xA9z");
    ck_assert_int_eq(z->key_line, 5);
    ck_assert_int_eq(z->key_column, 5);
    ck_assert_int_eq(z->column, 9); /* in characters, not bytes */
    ck_assert_uint_eq(tako__yaml_get(z, "q")->count, 2);
    ck_assert_int_eq(tako__yaml_get(z, "r")->kind, TAKO__YAML_NULL);
    ck_assert_ptr_null(tako__yaml_get(z, "none"));
    ck_assert_ptr_null(tako__yaml_get(b, "q"));
    ck_assert_ptr_null(tako__yaml_get(NULL, "q"));
    yaml_done(&r);
}
END_TEST

START_TEST(json_is_yaml)
{
    struct yaml_read r;

    yaml_read(&r, "{\"a\":1,\n\t\"b\":[true,null,\"x\\/y\"],\"c\":{\"d\":-1.5}}\n");
    ck_assert_msg(r.rc == TAKO_OK, "%s", r.log.text);
    ck_assert_int_eq(tako__yaml_get(r.root, "a")->number, 1);
    ck_assert_str_eq(tako__yaml_get(r.root, "b")->first->next->next->text, "x/y");
    ck_assert_int_eq(tako__yaml_get(tako__yaml_get(r.root, "c"), "d")->kind, TAKO__YAML_FLOAT);
    yaml_done(&r);
}
END_TEST

START_TEST(nothing_is_an_empty_document)
{
    static const char *const texts[] = {
        "",           "\n\n", "# only a comment\n", "---\n",
        "---\n...\n", "~",    "\xEF\xBB\xBF",       "%YAML 1.1\n---\n"};
    struct yaml_read r;
    size_t i;

    for (i = 0; i < TAKO__LEN(texts); i++) {
        yaml_read(&r, texts[i]);
        ck_assert_msg(r.rc == TAKO_OK && r.log.count == 0, "'%s': %s", texts[i], r.log.text);
        ck_assert_ptr_null(r.root);
        yaml_done(&r);
    }
}
END_TEST

/* ---- faults --------------------------------------------------------------------------------- */

static const struct {
    const char *text;
    int rc;
    const char *fault; /* the beginning of all that is said */
} yaml_faults[] = {
    {"a: 1\nb: &x 2\n", TAKO_OK, "2:4: anchors (&name)"},
    {"a: &x {b: 1}\n", TAKO_OK, "1:4: anchors (&name)"},
    {"a: &x [1]\n", TAKO_OK, "1:4: anchors (&name)"},
    {"a: *x\n", TAKO_OK, "1:4: aliases (*name)"},
    {"*x : 1\n", TAKO_EINVAL, "1:1: aliases (*name)"},
    {"a: !!python/object:os.system x\n", TAKO_OK, "1:4: tags are not allowed"},
    {"a: !x y\n", TAKO_OK, "1:4: tags are not allowed"},
    {"a: !!timestamp 2024-01-01\n", TAKO_OK, "1:4: tags are not allowed"},
    {"a: !!map {}\n", TAKO_OK, "1:4: tags are not allowed before"},
    {"a: !!set {x}\n", TAKO_OK, "1:4: tags are not allowed before"},
    {"a: !!int x\n", TAKO_OK, "1:4: the value is not what its tag says"},
    {"a: !!bool 1\n", TAKO_OK, "1:4: the value is not what its tag says"},
    {"a: \"x\\0y\"\n", TAKO_OK, "1:4: a NUL character"},
    {"a: 1\nb: 2\na: 3\n", TAKO_OK, "3:1: the key stands here a second time, first in line 1\n"},
    {"a: {b: 1, b: {c: [1]}}\n", TAKO_OK, "1:11: the key stands here a second time"},
    {"? [a]\n: 1\n", TAKO_EINVAL, "1:3: a key must be"},
    {"{a: 1}: 2\n", TAKO_EINVAL, "1:1: a key must be"},
    {"a: 1\n---\nb: 2\n", TAKO_EINVAL, "2:1: a second document"},
    {"a: [1, 2\n", TAKO_EINVAL, "2:1: did not find expected ',' or ']'"},
    {"a: b: c\n", TAKO_EINVAL, "1:5: mapping values are not allowed"},
    {"a: 1\n\tb: 2\n", TAKO_EINVAL, "2:1: found a tab character"},
    {"a: \"x\n", TAKO_EINVAL, "2:1: found unexpected end of stream"},
    {"a: 1\nb: \x01\n", TAKO_EINVAL, "2:4: control characters"},
    {"a: 1\nb: \xFF\n", TAKO_EINVAL, "2:4: this is no valid UTF-8"},
    {"\xFF\xFE"
     "a",
     TAKO_EINVAL, "1:1: this is no valid UTF-8"},
    {"a: \xED\xA0\x80", TAKO_EINVAL, "1:4: this is no valid UTF-8"},
};

START_TEST(what_is_not_safe_is_refused_with_its_place)
{
    struct yaml_read r;
    size_t i;

    for (i = 0; i < TAKO__LEN(yaml_faults); i++) {
        yaml_read(&r, yaml_faults[i].text);
        ck_assert_msg(r.rc == yaml_faults[i].rc, "%s: %d %s", yaml_faults[i].text, r.rc,
                      r.log.text);
        ck_assert_msg(r.log.count == 1 && strncmp(r.log.text, yaml_faults[i].fault,
                                                  strlen(yaml_faults[i].fault)) == 0,
                      "%s: %s", yaml_faults[i].text, r.log.text);
        yaml_done(&r);
    }
}
END_TEST

START_TEST(faults_that_leave_a_tree_are_all_told)
{
    struct yaml_read r;

    yaml_read(&r, "a: *x\nb: &y 1\na: [1, {q: 2}]\nc: !x z\n");
    ck_assert_int_eq(r.rc, TAKO_OK);
    ck_assert_int_eq(r.log.count, 4);
    ck_assert_uint_eq(r.root->count, 3);
    ck_assert_int_eq(tako__yaml_get(r.root, "a")->kind, TAKO__YAML_BAD); /* the first stays */
    ck_assert_int_eq(tako__yaml_get(r.root, "b")->number, 1);
    ck_assert_int_eq(tako__yaml_get(r.root, "c")->kind, TAKO__YAML_BAD);
    yaml_done(&r);
}
END_TEST

START_TEST(a_nul_byte_is_no_end)
{
    struct yaml_read r;

    yaml_read_n(&r, "a: 1\0b: 2\n", 10);
    ck_assert_int_eq(r.rc, TAKO_EINVAL);
    ck_assert_msg(strncmp(r.log.text, "1:5: control characters", 22) == 0, "%s", r.log.text);
    yaml_done(&r);
}
END_TEST

/* ---- bounds --------------------------------------------------------------------------------- */

START_TEST(depth_is_bounded)
{
    struct yaml_read r;
    char text[64];

    memset(text, '[', 32);
    memset(text + 16, ']', 16);
    text[32] = '\0';
    yaml_read(&r, text);
    ck_assert_msg(r.rc == TAKO_OK, "%s", r.log.text);
    yaml_done(&r);
    memset(text, '[', 17);
    memset(text + 17, ']', 17);
    text[34] = '\0';
    yaml_read(&r, text);
    ck_assert_int_eq(r.rc, TAKO_EINVAL);
    ck_assert_str_eq(r.log.text, "1:17: lists and mappings lie more than 16 deep\n");
    yaml_done(&r);
}
END_TEST

START_TEST(sizes_are_bounded)
{
    size_t room = TAKO__YAML_BYTES_MAX + 2, i, len;
    char *text = malloc(room);
    struct yaml_read r;

    ck_assert_ptr_nonnull(text);
    memset(text, ' ', room);
    yaml_read_n(&r, text, TAKO__YAML_BYTES_MAX);
    ck_assert_int_eq(r.rc, TAKO_OK);
    yaml_done(&r);
    yaml_read_n(&r, text, TAKO__YAML_BYTES_MAX + 1);
    ck_assert_int_eq(r.rc, TAKO_EINVAL);
    ck_assert_str_eq(r.log.text, "1:1: the document has more than 1048576 bytes\n");
    yaml_done(&r);
    for (i = 0, len = 0; i < 65535; i++, len += 4)
        memcpy(text + len, "- 1\n", 4);
    yaml_read_n(&r, text, len); /* with the list itself as many as may be */
    ck_assert_msg(r.rc == TAKO_OK, "%s", r.log.text);
    yaml_done(&r);
    memcpy(text + len, "- 1\n", 4);
    yaml_read_n(&r, text, len + 4);
    ck_assert_int_eq(r.rc, TAKO_EINVAL);
    ck_assert_str_eq(r.log.text, "65536:3: the document has more than 65536 values\n");
    yaml_done(&r);
    for (i = 0, len = 0; i < 1001; i++)
        len += (size_t)sprintf(text + len, "k%zu: 1\n", i);
    yaml_read_n(&r, text, len);
    ck_assert_int_eq(r.rc, TAKO_EINVAL);
    ck_assert_str_eq(r.log.text, "1001:1: the mapping has more than 1000 keys\n");
    yaml_done(&r);
    yaml_read_n(&r, text, len - 9);
    ck_assert_msg(r.rc == TAKO_OK, "%s", r.log.text);
    yaml_done(&r);
    free(text);
}
END_TEST

START_TEST(want_of_memory_is_told_and_leaves_nothing)
{
    static const char text[] = "a: 1\nb: [x, {y: 2, y: 3}]\nc: {d: e}\n";
    tako_options opts = TAKO_OPTIONS_INIT;
    struct yaml_log log;
    struct fault_alloc f;
    struct tako__yaml *root;
    tako_host host;
    tako_error err;
    long n;
    int rc = TAKO_ENOMEM;

    for (n = 0; n < 100 && rc != TAKO_OK; n++) {
        fault_alloc_init(&f);
        f.fail_at = n;
        opts.alloc = fault_alloc_use(&f);
        tako__host_init(&host, &opts);
        memset(&log, 0, sizeof log);
        rc = tako__yaml_parse(&host, text, sizeof text - 1, yaml_log_add, &log, &root, &err);
        ck_assert(rc == TAKO_OK || rc == TAKO_ENOMEM);
        if (rc != TAKO_OK)
            ck_assert_ptr_null(root);
        tako__yaml_free(&host, root);
        ck_assert_int_eq(f.live_blocks, 0);
    }
    ck_assert_int_eq(rc, TAKO_OK);
    ck_assert_int_gt(n, 10);
}
END_TEST

Suite *suite_yaml(void)
{
    Suite *s = suite_create("yaml");
    TCase *tc = tcase_create("reading");

    tcase_add_test(tc, plain_scalars_have_the_types_of_pyyaml);
    tcase_add_test(tc, text_is_what_was_written);
    tcase_add_test(tc, everything_has_its_place);
    tcase_add_test(tc, json_is_yaml);
    tcase_add_test(tc, nothing_is_an_empty_document);
    suite_add_tcase(s, tc);
    tc = tcase_create("refusing");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, what_is_not_safe_is_refused_with_its_place);
    tcase_add_test(tc, faults_that_leave_a_tree_are_all_told);
    tcase_add_test(tc, a_nul_byte_is_no_end);
    tcase_add_test(tc, depth_is_bounded);
    tcase_add_test(tc, sizes_are_bounded);
    tcase_add_test(tc, want_of_memory_is_told_and_leaves_nothing);
    suite_add_tcase(s, tc);
    return s;
}
