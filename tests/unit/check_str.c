/* check_str.c - what str.c promises: buffers, UTF-8, names, instants.
 * SPDX-License-Identifier: MIT */
#include "../../src/base.h"
#include "../support/fault_alloc.h"

#include <check.h>

Suite *suite_str(void);

static tako_host str_host(struct fault_alloc *f)
{
    tako_options opts = TAKO_OPTIONS_INIT;
    tako_host host;

    fault_alloc_init(f);
    opts.alloc = fault_alloc_use(f);
    tako__host_init(&host, &opts);
    return host;
}

/* ---- the buffer --------------------------------------------------------------------------- */

START_TEST(a_buffer_grows_and_stays_terminated)
{
    struct fault_alloc f;
    tako_host host = str_host(&f);
    struct tako__buf b;
    char *text;
    int i;

    tako__buf_init(&b, &host);
    tako__buf_add(&b, NULL, 0);
    ck_assert_str_eq(b.data, "");
    for (i = 0; i < 1000; i++) {
        tako__buf_printf(&b, "%d,", i);
        ck_assert_uint_eq(strlen(b.data), b.len);
    }
    tako__buf_add(&b, "a\0b", 3);
    ck_assert_int_eq(b.data[b.len], 0);
    ck_assert_mem_eq(b.data + b.len - 3, "a\0b", 3);
    text = tako__buf_take(&b);
    ck_assert(strncmp(text, "0,1,2,", 6) == 0);
    ck_assert_ptr_null(b.data);
    tako__free(&host, text);
    ck_assert_int_eq(f.live_blocks, 0);
}
END_TEST

START_TEST(printf_of_every_length_fits)
{
    struct fault_alloc f;
    tako_host host = str_host(&f);
    struct tako__buf b;
    char text[300];
    int n;

    for (n = 0; n < 299; n++) {
        memset(text, 'z', (size_t)n);
        text[n] = '\0';
        tako__buf_init(&b, &host);
        tako__buf_printf(&b, "%s", text);
        ck_assert_str_eq(b.data, text);
        ck_assert_uint_eq(b.len, (size_t)n);
        tako__buf_free(&b);
    }
    ck_assert_int_eq(f.live_blocks, 0);
}
END_TEST

START_TEST(an_empty_buffer_gives_an_empty_string)
{
    struct fault_alloc f;
    tako_host host = str_host(&f);
    struct tako__buf b;
    char *text;

    tako__buf_init(&b, &host);
    text = tako__buf_take(&b);
    ck_assert_str_eq(text, "");
    tako__free(&host, text);
    tako__buf_free(&b);
    tako__buf_free(NULL);
    ck_assert_int_eq(f.live_blocks, 0);
}
END_TEST

START_TEST(a_failed_allocation_is_remembered_and_nothing_leaks)
{
    struct fault_alloc f;
    tako_host host = str_host(&f);
    struct tako__buf b;
    char *text = NULL;
    long n;
    int i;

    for (n = 0; n < 100 && !text; n++) {
        f.calls = 0;
        f.fail_at = n;
        tako__buf_init(&b, &host);
        for (i = 0; i < 200; i++) {
            tako__buf_puts(&b, "hello ");
            tako__buf_printf(&b, "%d", i);
            tako__buf_json(&b, "\"\xFF", 2);
        }
        ck_assert(b.failed == (f.calls > n));
        text = tako__buf_take(&b);
        ck_assert(!b.failed);
    }
    ck_assert_int_gt(n, 3);
    ck_assert_int_lt(n, 100);
    tako__free(&host, text);
    ck_assert_int_eq(f.live_blocks, 0);
}
END_TEST

static const struct {
    const char *in;
    size_t len;
    const char *out;
} str_json[] = {
    {"", 0, "\"\""},
    {"plain", 5, "\"plain\""},
    {"\"\\/", 3, "\"\\\"\\\\/\""},
    {"\b\f\n\r\t", 5, "\"\\b\\f\\n\\r\\t\""},
    {"\x01\x1f\x7f", 3, "\"\\u0001\\u001f\x7f\""},
    {"a\0b", 3, "\"a\\u0000b\""},
    {"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", 9, "\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\""},
    {"\xFF", 1, "\"\xEF\xBF\xBD\""},
    {"a\xC3", 2, "\"a\xEF\xBF\xBD\""},
    {"\xE2\x82", 2, "\"\xEF\xBF\xBD\""}, /* one maximal subpart */
    {"\xE2\x82z", 3, "\"\xEF\xBF\xBDz\""},
    {"\xC0\x80", 2, "\"\xEF\xBF\xBD\xEF\xBF\xBD\""},                 /* overlong */
    {"\xED\xA0\x80", 3, "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""}, /* surrogate */
    {"\xF4\x90\x80\x80", 4, "\"\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\""},
    {"\xF0\x9F\x98", 3, "\"\xEF\xBF\xBD\""},
    {"\xF0\x9F\xC3\xA9", 4, "\"\xEF\xBF\xBD\xC3\xA9\""},
};

START_TEST(json_strings_are_escaped_and_repaired)
{
    struct fault_alloc f;
    tako_host host = str_host(&f);
    struct tako__buf b;

    tako__buf_init(&b, &host);
    tako__buf_json(&b, str_json[_i].in, str_json[_i].len);
    ck_assert_str_eq(b.data, str_json[_i].out);
    ck_assert_uint_eq(b.len, strlen(str_json[_i].out));
    tako__buf_free(&b);
    ck_assert_int_eq(f.live_blocks, 0);
}
END_TEST

/* ---- UTF-8 ---------------------------------------------------------------------------------- */

START_TEST(utf8_is_accepted_exactly_as_rfc_3629_has_it)
{
    char text[4];
    uint32_t c;
    size_t n;
    bool good;

    for (c = 0; c < 0x120000; c += c < 0x3000 ? 1 : 97) {
        if (c < 0x80) {
            text[0] = (char)c;
            n = 1;
        } else if (c < 0x800) {
            text[0] = (char)(0xC0 | c >> 6);
            text[1] = (char)(0x80 | (c & 63));
            n = 2;
        } else if (c < 0x10000) {
            text[0] = (char)(0xE0 | c >> 12);
            text[1] = (char)(0x80 | (c >> 6 & 63));
            text[2] = (char)(0x80 | (c & 63));
            n = 3;
        } else {
            text[0] = (char)(0xF0 | c >> 18);
            text[1] = (char)(0x80 | (c >> 12 & 63));
            text[2] = (char)(0x80 | (c >> 6 & 63));
            text[3] = (char)(0x80 | (c & 63));
            n = 4;
        }
        good = c < 0x110000 && !(c >= 0xD800 && c <= 0xDFFF);
        ck_assert_uint_eq(tako__utf8_check(text, n), good ? n : 0);
        if (n > 1)
            ck_assert_uint_eq(tako__utf8_check(text, n - 1), 0);
    }
    ck_assert_uint_eq(tako__utf8_check("ab\xC0\xAF", 4), 2);
    ck_assert_uint_eq(tako__utf8_check("\xE0\x80\xAF", 3), 0);
    ck_assert_uint_eq(tako__utf8_check("a\x80", 2), 1);
    ck_assert_uint_eq(tako__utf8_check("a\0b", 3), 3);
    ck_assert_uint_eq(tako__utf8_check("", 0), 0);
}
END_TEST

START_TEST(a_cut_never_splits_a_character)
{
    static const char text[] = "a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80z"; /* at 0 1 3 6 10 */
    static const size_t want[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11};
    size_t limit;

    for (limit = 0; limit < TAKO__LEN(want); limit++)
        ck_assert_uint_eq(tako__utf8_cut(text, sizeof text - 1, limit), want[limit]);
    /* bytes that are no UTF-8 are no characters */
    ck_assert_uint_eq(tako__utf8_cut("\x80\x80\x80\x80\x80\x80", 6, 5), 5);
    ck_assert_uint_eq(tako__utf8_cut("\xFF\xFF\xFF", 3, 2), 2);
    ck_assert_uint_eq(tako__utf8_cut("", 0, 5), 0);
}
END_TEST

/* ---- checks --------------------------------------------------------------------------------- */

START_TEST(blank_is_white_space_of_any_script)
{
    static const char wide[] = "\xC2\xA0\xC2\x85\xE2\x80\x83\xE3\x80\x80\xE1\x9A\x80\xE2\x80\xA8";

    ck_assert(tako__is_blank("", 0));
    ck_assert(tako__is_blank(" \t\r\n\v\f\x1c", 7));
    ck_assert(tako__is_blank(wide, sizeof wide - 1));
    ck_assert(!tako__is_blank(" x ", 3));
    ck_assert(!tako__is_blank("\0", 1));
    ck_assert(!tako__is_blank("\xC3\xA9", 2));
    ck_assert(!tako__is_blank("\xEF\xBB\xBF", 3));
    ck_assert(!tako__is_blank("\xFF", 1));
    ck_assert(!tako__is_blank("\xF0\x9F\x98\x80", 4));
    ck_assert(!tako__is_blank(" \xE2\x80", 3));
}
END_TEST

START_TEST(names_and_ids_are_checked)
{
    char long_name[66];

    memset(long_name, 'a', 65);
    long_name[65] = '\0';
    ck_assert(!tako__type_name_ok(NULL));
    ck_assert(!tako__type_name_ok(""));
    ck_assert(!tako__type_name_ok("-_-"));
    ck_assert(!tako__type_name_ok("a b"));
    ck_assert(!tako__type_name_ok("a\n"));
    ck_assert(!tako__type_name_ok("a.b"));
    ck_assert(!tako__type_name_ok("\xC3\xA9"));
    ck_assert(tako__type_name_ok("default"));
    ck_assert(tako__type_name_ok("-a_0"));
    ck_assert(!tako__type_name_ok(long_name));
    ck_assert(tako__type_name_ok(long_name + 1));
    ck_assert(!tako__id_ok(NULL));
    ck_assert(!tako__id_ok(""));
    ck_assert(!tako__id_ok(".a"));
    ck_assert(!tako__id_ok("a/b"));
    ck_assert(tako__id_ok("a.b-c_D9"));
    ck_assert(!tako__id_ok(long_name));
    ck_assert(tako__id_ok(long_name + 1));
    ck_assert(tako__hex64_ok("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"));
    ck_assert(!tako__hex64_ok("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde"));
    ck_assert(!tako__hex64_ok("0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0"));
    ck_assert(!tako__hex64_ok("0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef"));
    ck_assert(!tako__hex64_ok(NULL));
}
END_TEST

static const struct {
    const char *name;
    size_t len; /* 0 = strlen */
    int file, artifact;
} str_names[] = {
    {"a", 0, 1, 1},          {"report (1).txt", 0, 1, 1},
    {"_private", 0, 1, 1},   {"\xC3\xA9t\xC3\xA9.csv", 0, 1, 1},
    {"data.json", 0, 0, 1},  {"_requirements.txt", 0, 0, 1},
    {"data.json2", 0, 1, 1}, {"result.json", 0, 1, 1},
    {"", 0, 0, 0},           {".", 0, 0, 0},
    {"..", 0, 0, 0},         {".hidden", 0, 0, 0},
    {"a/b", 0, 0, 0},        {"a\\b", 0, 0, 0},
    {"a\nb", 0, 0, 0},       {"a\x7f", 0, 0, 0},
    {"a\xC2\x9B", 0, 0, 0}, /* U+009B, a control above ASCII */
    {"a\0b", 3, 0, 0},       {"a\xFF", 0, 0, 0},
};

START_TEST(file_names_are_checked)
{
    const char *name = str_names[_i].name;
    size_t len = str_names[_i].len ? str_names[_i].len : strlen(name);

    ck_assert((tako__file_name_fault(name, len) == NULL) == str_names[_i].file);
    ck_assert((tako__artifact_name_fault(name, len) == NULL) == str_names[_i].artifact);
}
END_TEST

START_TEST(file_names_have_at_most_255_bytes)
{
    char name[256];

    memset(name, 'n', sizeof name);
    ck_assert_ptr_null(tako__file_name_fault(name, 255));
    ck_assert_ptr_nonnull(tako__file_name_fault(name, 256));
    ck_assert_ptr_nonnull(tako__file_name_fault(NULL, 0));
}
END_TEST

START_TEST(instants_are_written_as_iso_8601)
{
    char text[40];

    tako__time_text(INT64_C(1773748800123456), text);
    ck_assert_str_eq(text, "2026-03-17T12:00:00.123456+00:00");
    tako__time_text(INT64_C(1773748800000000), text);
    ck_assert_str_eq(text, "2026-03-17T12:00:00+00:00");
    tako__time_text(INT64_C(1773748800000001), text);
    ck_assert_str_eq(text, "2026-03-17T12:00:00.000001+00:00");
    tako__time_text(0, text);
    ck_assert_str_eq(text, "1970-01-01T00:00:00+00:00");
    tako__time_text(-1, text);
    ck_assert_str_eq(text, "1969-12-31T23:59:59.999999+00:00");
    tako__time_text(INT64_MAX, text);
    ck_assert_uint_lt(strlen(text), 40);
    tako__time_text(INT64_MIN, text);
    ck_assert_uint_lt(strlen(text), 40);
}
END_TEST

Suite *suite_str(void)
{
    Suite *s = suite_create("str");
    TCase *tc = tcase_create("buffer");

    tcase_add_test(tc, a_buffer_grows_and_stays_terminated);
    tcase_add_test(tc, printf_of_every_length_fits);
    tcase_add_test(tc, an_empty_buffer_gives_an_empty_string);
    tcase_add_test(tc, a_failed_allocation_is_remembered_and_nothing_leaks);
    tcase_add_loop_test(tc, json_strings_are_escaped_and_repaired, 0, (int)TAKO__LEN(str_json));
    suite_add_tcase(s, tc);
    tc = tcase_create("text");
    tcase_add_test(tc, utf8_is_accepted_exactly_as_rfc_3629_has_it);
    tcase_add_test(tc, a_cut_never_splits_a_character);
    tcase_add_test(tc, blank_is_white_space_of_any_script);
    tcase_add_test(tc, names_and_ids_are_checked);
    tcase_add_loop_test(tc, file_names_are_checked, 0, (int)TAKO__LEN(str_names));
    tcase_add_test(tc, file_names_have_at_most_255_bytes);
    tcase_add_test(tc, instants_are_written_as_iso_8601);
    suite_add_tcase(s, tc);
    return s;
}
