/* check_json.c - the strict scanner, the reader and the writer of json.c, against cases of RFC
 * 8259 and hostile ones. SPDX-License-Identifier: MIT */
#include "../../src/json.h"
#include "../support/fault_alloc.h"

#include <check.h>
#include <time.h>

Suite *suite_json(void);

static tako_host json_host(struct fault_alloc *f)
{
    tako_options opts = TAKO_OPTIONS_INIT;
    tako_host host;

    fault_alloc_init(f);
    opts.alloc = fault_alloc_use(f);
    tako__host_init(&host, &opts);
    return host;
}

/* ---- what is accepted -------------------------------------------------------------------- */

static const char *const json_good[] = {
    "{}",
    " \t\r\n{ } \n",
    "{\"a\":1}",
    "{\"a\":[],\"b\":{},\"c\":[1,2,[3]],\"d\":null,\"e\":true,\"f\":false}",
    "{\"\":\"\"}",
    "{\"a\":-0,\"b\":0.5,\"c\":1e5,\"d\":1E+5,\"e\":1.25e-7,\"f\":-12.0}",
    "{\"a\":123456789012345678901234567890}",
    "{\"a\":1.7976931348623157e308,\"b\":-1.7976931348623157e+308,\"c\":5e-324,\"d\":1e-999}",
    "{\"a\":0e999,\"b\":0.000e9999999999999999999,\"c\":0.0000000001e310}",
    "{\"a\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00\\u0001\"}",
    "{\"\xC3\xA9\":\"\xF0\x9F\x98\x80\x7f\"}",
    "{\"a\":{\"a\":{\"a\":1},\"b\":{\"a\":2}},\"A\":1}",
    "{\"a\":[{\"k\":1},{\"k\":1}]}",
    "{\"\\u0061b\":1,\"ac\":2}",
};

START_TEST(good_objects_have_no_fault)
{
    struct fault_alloc f;
    tako_host host = json_host(&f);
    const char *text = json_good[_i], *fault;
    size_t at = 99;

    fault = tako__json_object_fault(&host, text, strlen(text), 128, &at);
    ck_assert_msg(!fault, "%s: %s at %zu", text, fault, at);
    ck_assert_ptr_null(tako__json_object_fault(&host, text, strlen(text), 128, NULL));
    ck_assert_int_eq(f.live_blocks, 0);
}
END_TEST

/* ---- what is refused --------------------------------------------------------------------- */

static const struct {
    const char *text;
    size_t len; /* 0 = strlen */
    const char *fault;
    size_t at;
} json_bad[] = {
    {"", 0, "it is empty", 0},
    {"  \n", 0, "it is empty", 3},
    {"[]", 0, "it is not a JSON object", 0},
    {"null", 0, "it is not a JSON object", 0},
    {"\"{}\"", 0, "it is not a JSON object", 0},
    {" 5", 0, "it is not a JSON object", 1},
    {"\xEF\xBB\xBF{}", 0, "it begins with a byte order mark", 0},
    {"{", 0, "it ends too early", 1},
    {"{\"a\"", 0, "it ends too early", 4},
    {"{\"a\":", 0, "it ends too early", 5},
    {"{\"a\":1", 0, "it ends too early", 6},
    {"{\"a\":1,", 0, "it ends too early", 7},
    {"{\"a\":[1", 0, "it ends too early", 7},
    {"{\"a\":1,}", 0, "a key in quotes was expected", 7},
    {"{,}", 0, "a key in quotes was expected", 1},
    {"{a:1}", 0, "a key in quotes was expected", 1},
    {"{'a':1}", 0, "a key in quotes was expected", 1},
    {"{\"a\" 1}", 0, "':' was expected", 5},
    {"{\"a\":1 \"b\":2}", 0, "',' or '}' was expected", 7},
    {"{\"a\":[1 2]}", 0, "',' or ']' was expected", 8},
    {"{\"a\":[1,]}", 0, "a value was expected", 8},
    {"{\"a\":[1}", 0, "',' or ']' was expected", 7},
    {"{} x", 0, "something follows the object", 3},
    {"{}{}", 0, "something follows the object", 2},
    {"{}\0", 3, "it has a NUL byte", 2},
    {"\0", 1, "it has a NUL byte", 0},
    {"{\0}", 3, "it has a NUL byte", 1},
    {"{\"a\0b\":1}", 9, "it has a NUL byte", 3},
    {"{\"a\":tru}", 0, "a value was expected", 5},
    {"{\"a\":True}", 0, "a value was expected", 5},
    {"{\"a\":NaN}", 0, "NaN and Infinity are not JSON", 5},
    {"{\"a\":Infinity}", 0, "NaN and Infinity are not JSON", 5},
    {"{\"a\":-Infinity}", 0, "NaN and Infinity are not JSON", 5},
    {"{\"a\":undefined}", 0, "a value was expected", 5},
    {"{\"a\":01}", 0, "a number begins with 0", 5},
    {"{\"a\":-01}", 0, "a number begins with 0", 5},
    {"{\"a\":-}", 0, "a number has no digits", 5},
    {"{\"a\":+1}", 0, "a value was expected", 5},
    {"{\"a\":.5}", 0, "a value was expected", 5},
    {"{\"a\":1.}", 0, "a number has no digits after the point", 6},
    {"{\"a\":1.e5}", 0, "a number has no digits after the point", 6},
    {"{\"a\":1e}", 0, "a number has no digits in its exponent", 7},
    {"{\"a\":1e+}", 0, "a number has no digits in its exponent", 8},
    {"{\"a\":0x10}", 0, "',' or '}' was expected", 6},
    {"{\"a\":1e400}", 0, "a number is too large", 5},
    {"{\"a\":-1e309}", 0, "a number is too large", 5},
    {"{\"a\":1.7976931348623159e308}", 0, "a number is too large", 5},
    {"{\"a\":1e99999999999999999999999}", 0, "a number is too large", 5},
    {"{\"a\":0.001e312}", 0, "a number is too large", 5},
    {"{\"a\":\"x}", 0, "a string is not closed", 5},
    {"{\"a\":\"x\\\"}", 0, "a string is not closed", 5},
    {"{\"a\":\"\n\"}", 0, "a string has a control character that is not escaped", 6},
    {"{\"a\":\"\x1f\"}", 0, "a string has a control character that is not escaped", 6},
    {"{\"a\":\"\\x41\"}", 0, "a string has an unknown escape", 6},
    {"{\"a\":\"\\", 0, "a string has an unknown escape", 6},
    {"{\"a\":\"\\\0\"}", 9, "a string has an unknown escape", 6},
    {"{\"a\":\"\\u12\"}", 0, "a string has a broken \\u escape", 6},
    {"{\"a\":\"\\u12G4\"}", 0, "a string has a broken \\u escape", 6},
    {"{\"a\":\"\\u0000\"}", 0, "a string has a NUL character (\\u0000)", 6},
    {"{\"\\u0000\":1}", 0, "a string has a NUL character (\\u0000)", 2},
    {"{\"a\":\"\\ud83d\"}", 0, "a string has half of a surrogate pair", 6},
    {"{\"a\":\"\\ude00\"}", 0, "a string has half of a surrogate pair", 6},
    {"{\"a\":\"\\ud83dx\\ude00\"}", 0, "a string has half of a surrogate pair", 6},
    {"{\"a\":\"\\ud83d\\ud83d\"}", 0, "a string has half of a surrogate pair", 6},
    {"{\"a\":\"\\ud83d\\u0041\"}", 0, "a string has half of a surrogate pair", 6},
    {"{\"a\":\"\\ud83d\\u", 0, "a string has half of a surrogate pair", 6},
    {"{\"a\":\"\xFF\"}", 0, "it is not valid UTF-8", 6},
    {"{\"a\":\"\xED\xA0\x80\"}", 0, "it is not valid UTF-8", 6},
    {"{\"a\":\"\xC0\xAF\"}", 0, "it is not valid UTF-8", 6},
    {"{\"a\":1,\"a\":2}", 0, "an object has the same key twice", 7},
    {"{\"a\":1,\"b\":2,\"\\u0061\":2}", 0, "an object has the same key twice", 13},
    {"{\"\xF0\x9F\x98\x80\":1,\"\\ud83d\\uDE00\":2}", 0, "an object has the same key twice", 10},
    {"{\"/\":1,\"\\/\":2}", 0, "an object has the same key twice", 7},
    {"{\"\":1,\"\":2}", 0, "an object has the same key twice", 6},
    {"{\"b\":[{\"c\":{\"x\":1,\"y\":2,\"x\":3}}]}", 0, "an object has the same key twice", 24},
    {"{\"a\":1,\"b\":1,\"c\":1,\"c\":1,\"b\":1}", 0, "an object has the same key twice", 19},
    {"/* c */{}", 0, "it is not a JSON object", 0},
};

START_TEST(bad_texts_are_named_and_located)
{
    struct fault_alloc f;
    tako_host host = json_host(&f);
    const char *text = json_bad[_i].text, *fault;
    size_t len = json_bad[_i].len ? json_bad[_i].len : strlen(text), at = 99;
    char *copy;

    copy = tako__strndup(&host, text, len); /* its own block, so that reading past it shows */
    fault = tako__json_object_fault(&host, copy, len, 128, &at);
    ck_assert_msg(fault != NULL, "accepted: %s", text);
    ck_assert_str_eq(fault, json_bad[_i].fault);
    ck_assert_uint_eq(at, json_bad[_i].at);
    tako__free(&host, copy);
    ck_assert_int_eq(f.live_blocks, 0);
}
END_TEST

START_TEST(every_prefix_of_a_good_object_is_bad)
{
    static const char text[] =
        "{\"a\":[1,-2.5e+3,true,null],\"b\\u00e9\":{\"c\":\"\\ud83d\\ude00\xC3\xA9\"}}";
    struct fault_alloc f;
    tako_host host = json_host(&f);
    char *copy;
    size_t n;

    ck_assert_ptr_null(tako__json_object_fault(&host, text, sizeof text - 1, 8, NULL));
    for (n = 0; n < sizeof text - 1; n++) {
        copy = malloc(n ? n : 1); /* exactly n bytes: sanitizers see a read behind */
        memcpy(copy, text, n);
        ck_assert_ptr_nonnull(tako__json_object_fault(&host, copy, n, 8, NULL));
        free(copy);
    }
    ck_assert_int_eq(f.live_blocks, 0);
}
END_TEST

START_TEST(no_single_byte_change_crashes_the_scanner)
{
    static const char text[] = "{\"a\":[1,-2.5e3,true],\"b\\u00e9\":{\"c\":\"\\ud83d\\ude00\"}}";
    char copy[sizeof text];
    struct fault_alloc f;
    tako_host host = json_host(&f);
    struct tako__json *doc;
    size_t i, good = 0;
    int c;

    for (i = 0; i < sizeof text - 1; i++) {
        for (c = 0; c < 256; c++) {
            memcpy(copy, text, sizeof text);
            copy[i] = (char)c;
            doc = tako__json_parse(&host, copy, sizeof text - 1, NULL);
            good += doc != NULL;
            tako__json_free(&host, doc);
        }
    }
    ck_assert_uint_gt(good, sizeof text);
    ck_assert_int_eq(f.live_blocks, 0);
}
END_TEST

/* depth-1 objects and arrays around the innermost object */
static char *json_nested(int depth, size_t *len)
{
    char *text = malloc((size_t)depth * 7 + 1);
    size_t n = 0;
    int i;

    for (i = 1; i < depth; i++) {
        memcpy(text + n, "{\"a\":", 5);
        n += 5;
    }
    text[n++] = '{';
    for (i = 0; i < depth; i++)
        text[n++] = '}';
    *len = n;
    return text;
}

START_TEST(nesting_is_bounded)
{
    struct fault_alloc f;
    tako_host host = json_host(&f);
    static const int limits[] = {1, 2, 128, 512};
    char *text, *deep;
    size_t len, at, i;

    for (i = 0; i < TAKO__LEN(limits); i++) {
        text = json_nested(limits[i], &len);
        ck_assert_ptr_null(tako__json_object_fault(&host, text, len, limits[i], NULL));
        ck_assert_str_eq(tako__json_object_fault(&host, text, len, limits[i] - 1, &at),
                         "it is nested too deeply");
        free(text);
    }
    text = json_nested(513, &len);
    ck_assert_ptr_nonnull(tako__json_object_fault(&host, text, len, 1000000, NULL));
    free(text);
    ck_assert_ptr_nonnull(tako__json_object_fault(&host, "{}", 2, 0, NULL));
    ck_assert_ptr_nonnull(tako__json_object_fault(&host, "{}", 2, -1, NULL));
    /* a megabyte of brackets neither crashes nor takes long */
    deep = malloc(1000006);
    memset(deep, '[', 1000006);
    memcpy(deep, "{\"a\":", 5);
    ck_assert_str_eq(tako__json_object_fault(&host, deep, 1000006, 128, &at),
                     "it is nested too deeply");
    ck_assert_uint_eq(at, 5 + 127);
    free(deep);
    ck_assert_int_eq(f.live_blocks, 0);
}
END_TEST

START_TEST(integers_have_at_most_4300_digits)
{
    struct fault_alloc f;
    tako_host host = json_host(&f);
    char text[4400];
    size_t at;

    memcpy(text, "{\"a\":-", 6);
    memset(text + 6, '9', 4301);
    text[6 + 4300] = '}';
    ck_assert_ptr_null(tako__json_object_fault(&host, text, 6 + 4301, 8, NULL));
    text[6 + 4300] = '9';
    text[6 + 4301] = '}';
    ck_assert_str_eq(tako__json_object_fault(&host, text, 6 + 4302, 8, &at),
                     "an integer has more than 4300 digits");
    ck_assert_uint_eq(at, 5);
}
END_TEST

/* An object of 80,000 keys, in an unkind order. */
static void json_keys(struct tako__buf *b, const char *prefix, unsigned step)
{
    unsigned i, n = 80000;

    tako__buf_puts(b, "{");
    for (i = 0; i < n; i++) {
        tako__buf_printf(b, "%s\"%s%06u\":1", i ? "," : "", prefix,
                         (unsigned)((uint64_t)i * step % n));
    }
    tako__buf_puts(b, "}");
    ck_assert(!b->failed);
}

START_TEST(many_keys_cost_no_square)
{
    struct fault_alloc f;
    tako_host host = json_host(&f);
    struct tako__buf b;
    clock_t start = clock();
    const char *fault;

    tako__buf_init(&b, &host);
    json_keys(&b, "", 79999); /* coprime to the count: each key once, backwards */
    ck_assert_ptr_null(tako__json_object_fault(&host, b.data, b.len, 8, NULL));
    tako__buf_free(&b);
    json_keys(&b, "\\u0061\\u0061", 7);
    ck_assert_ptr_null(tako__json_object_fault(&host, b.data, b.len, 8, NULL));
    b.data[b.len - 1] = ',';
    tako__buf_puts(&b, "\"aa000007\":2}");
    fault = tako__json_object_fault(&host, b.data, b.len, 8, NULL);
    ck_assert_str_eq(fault, "an object has the same key twice");
    tako__buf_free(&b);
    ck_assert_int_lt((clock() - start) / CLOCKS_PER_SEC, 5); /* of CPU; a square takes more */
    ck_assert_int_eq(f.live_blocks, 0);
}
END_TEST

START_TEST(without_memory_the_fault_says_so)
{
    struct fault_alloc f;
    tako_host host = json_host(&f);
    struct tako__buf b;
    const char *fault;
    tako_error err;
    char text[1024];
    long n, ok;

    tako__buf_init(&b, &host);
    json_keys(&b, "", 1);
    snprintf(text, sizeof text, "%.900s", b.data);
    text[strlen(text) - 20] = '\0';
    strcpy(strrchr(text, ','), "}");
    tako__buf_free(&b);
    ok = -1;
    for (n = 0; ok < 0; n++) {
        f.calls = 0;
        f.fail_at = n;
        fault = tako__json_object_fault(&host, text, strlen(text), 8, NULL);
        if (!fault)
            ok = n;
        else
            ck_assert(tako__json_fault_is_memory(fault));
        ck_assert_int_eq(f.live_blocks, 0);
    }
    ck_assert_int_ge(ok, 2);
    f.calls = 0;
    f.fail_at = 0;
    ck_assert_ptr_null(tako__json_parse(&host, text, strlen(text), &err));
    ck_assert_int_eq(err.code, TAKO_ENOMEM);
    ck_assert(!tako__json_fault_is_memory("it is empty"));
    ck_assert(!tako__json_fault_is_memory(NULL));
}
END_TEST

/* ---- reading and writing our own --------------------------------------------------------- */

START_TEST(documents_are_read_by_key_and_type)
{
    static const char text[] = "{\"s\":\"x\\u00e9\",\"n\":9007199254740992,\"m\":-9007199254740992,"
                               "\"big\":9007199254740994,\"f\":1.5,\"t\":true,\"z\":null,"
                               "\"list\":[{\"k\":1},{\"k\":2}],\"S\":\"other\"}...";
    struct fault_alloc f;
    tako_host host = json_host(&f);
    struct tako__json *doc;
    const struct tako__json *list;

    doc = tako__json_parse(&host, text, sizeof text - 4, NULL); /* no NUL behind it */
    ck_assert_ptr_nonnull(doc);
    ck_assert_str_eq(tako__json_str(doc, "s", NULL), "x\xC3\xA9");
    ck_assert_str_eq(tako__json_str(doc, "S", NULL), "other");
    ck_assert_str_eq(tako__json_str(doc, "n", "none"), "none");
    ck_assert_ptr_null(tako__json_str(doc, "missing", NULL));
    ck_assert(tako__json_int(doc, "n", 0) == INT64_C(9007199254740992));
    ck_assert(tako__json_int(doc, "m", 0) == INT64_C(-9007199254740992));
    ck_assert_int_eq(tako__json_int(doc, "big", -7), -7);
    ck_assert_int_eq(tako__json_int(doc, "f", -7), -7);
    ck_assert_int_eq(tako__json_int(doc, "s", -7), -7);
    ck_assert_int_eq(tako__json_int(doc, "N", -7), -7);
    ck_assert(tako__json_bool(doc, "t", false));
    ck_assert(tako__json_bool(doc, "n", true));
    list = tako__json_get(doc, "list");
    ck_assert_uint_eq(tako__json_count(list), 2);
    ck_assert_int_eq(tako__json_int(tako__json_at(list, 1), "k", 0), 2);
    ck_assert_ptr_null(tako__json_at(list, 2));
    ck_assert_ptr_null(tako__json_get(list, "k"));
    ck_assert_uint_eq(tako__json_count(doc), 0);
    ck_assert_uint_eq(tako__json_count(NULL), 0);
    ck_assert_ptr_null(tako__json_get(NULL, "k"));
    ck_assert_int_eq(tako__json_int(NULL, "k", 3), 3);
    tako__json_free(&host, doc);
    tako__json_free(&host, NULL);
}
END_TEST

START_TEST(damaged_documents_are_refused_with_the_place)
{
    struct fault_alloc f;
    tako_host host = json_host(&f);
    tako_error err;

    ck_assert_ptr_null(tako__json_parse(&host, "{} x", 4, &err));
    ck_assert_int_eq(err.code, TAKO_EINVAL);
    ck_assert_str_eq(err.message, "not a JSON object: something follows the object, at byte 3");
    ck_assert_ptr_null(tako__json_parse(&host, "", 0, &err));
    ck_assert_ptr_null(tako__json_parse(&host, "[]", 2, NULL));
}
END_TEST

START_TEST(members_are_written_with_commas_between)
{
    struct fault_alloc f;
    tako_host host = json_host(&f);
    struct tako__buf b;

    tako__buf_init(&b, &host);
    tako__buf_puts(&b, "{");
    tako__json_put_str(&b, "a", "{");
    tako__json_put_key(&b, "o");
    tako__buf_puts(&b, "{");
    tako__json_put_int(&b, "n", INT64_MIN);
    tako__buf_puts(&b, "}");
    tako__json_put_str(&b, "z", NULL);
    tako__json_put_bool(&b, "t", true);
    tako__json_put_bool(&b, "f", false);
    tako__buf_puts(&b, "}");
    ck_assert_str_eq(b.data, "{\"a\":\"{\",\"o\":{\"n\":-9223372036854775808},\"z\":null,"
                             "\"t\":true,\"f\":false}");
    tako__buf_free(&b);
}
END_TEST

Suite *suite_json(void)
{
    Suite *s = suite_create("json");
    TCase *tc = tcase_create("scanner");

    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, good_objects_have_no_fault, 0, (int)TAKO__LEN(json_good));
    tcase_add_loop_test(tc, bad_texts_are_named_and_located, 0, (int)TAKO__LEN(json_bad));
    tcase_add_test(tc, every_prefix_of_a_good_object_is_bad);
    tcase_add_test(tc, no_single_byte_change_crashes_the_scanner);
    tcase_add_test(tc, nesting_is_bounded);
    tcase_add_test(tc, integers_have_at_most_4300_digits);
    tcase_add_test(tc, many_keys_cost_no_square);
    tcase_add_test(tc, without_memory_the_fault_says_so);
    suite_add_tcase(s, tc);
    tc = tcase_create("documents");
    tcase_add_test(tc, documents_are_read_by_key_and_type);
    tcase_add_test(tc, damaged_documents_are_refused_with_the_place);
    tcase_add_test(tc, members_are_written_with_commas_between);
    suite_add_tcase(s, tc);
    return s;
}
