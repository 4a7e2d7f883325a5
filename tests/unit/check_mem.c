/* check_mem.c - what mem.c promises: the host's allocator and clock, zeroed and checked memory;
 * and that errors and log lines are formed without any. SPDX-License-Identifier: MIT */
#include "../../src/base.h"
#include "../support/fault_alloc.h"

#include <check.h>
#include <errno.h>

Suite *suite_mem(void);

static int64_t mem_clock(void *ctx)
{
    return *(int64_t *)ctx;
}

START_TEST(a_host_without_wishes_gets_libc_and_real_time)
{
    tako_options opts = TAKO_OPTIONS_INIT;
    tako_host host, bare;
    void *p;

    tako__host_init(&host, &opts);
    tako__host_init(&bare, NULL);
    ck_assert_uint_eq(host.size, sizeof host);
    ck_assert(host.alloc.realloc != NULL);
    ck_assert(bare.clock.now_us != NULL);
    ck_assert(!host.log);
    p = host.alloc.realloc(host.alloc.ctx, NULL, 10);
    ck_assert_ptr_nonnull(p);
    ck_assert_ptr_null(host.alloc.realloc(host.alloc.ctx, p, 0));
    ck_assert(tako__now_us(&host) > INT64_C(1600000000000000));
}
END_TEST

START_TEST(a_lent_allocator_and_clock_are_used)
{
    tako_options opts = TAKO_OPTIONS_INIT;
    struct fault_alloc f;
    int64_t now = 42;
    tako_host host;
    char *p, *q;

    fault_alloc_init(&f);
    opts.alloc = fault_alloc_use(&f);
    opts.clock.now_us = mem_clock;
    opts.clock.ctx = &now;
    tako__host_init(&host, &opts);
    ck_assert_int_eq(tako__now_us(&host), 42);
    p = tako__alloc(&host, 100);
    ck_assert_int_eq(f.live_bytes, 100);
    ck_assert_int_eq(p[0] | p[99], 0);
    q = tako__strdup(&host, "abc");
    ck_assert_str_eq(q, "abc");
    tako__free(&host, p);
    tako__free(&host, q);
    tako__free(&host, NULL);
    ck_assert_int_eq(f.live_blocks, 0);
    ck_assert_int_eq(f.live_bytes, 0);
}
END_TEST

START_TEST(nothing_is_still_a_block)
{
    struct fault_alloc f;
    tako_options opts = TAKO_OPTIONS_INIT;
    tako_host host;
    void *p;

    fault_alloc_init(&f);
    opts.alloc = fault_alloc_use(&f);
    tako__host_init(&host, &opts);
    p = tako__alloc(&host, 0);
    ck_assert_ptr_nonnull(p);
    p = tako__resize(&host, p, 0);
    ck_assert_ptr_nonnull(p);
    tako__free(&host, p);
    p = tako__array(&host, 0, 8);
    ck_assert_ptr_nonnull(p);
    tako__free(&host, p);
    p = tako__strndup(&host, "abc", 0);
    ck_assert_str_eq(p, "");
    tako__free(&host, p);
    ck_assert_ptr_null(tako__strdup(&host, NULL));
    ck_assert_ptr_null(tako__strndup(&host, NULL, 3));
    ck_assert_int_eq(f.live_blocks, 0);
}
END_TEST

START_TEST(overflowing_and_failing_requests_give_null)
{
    struct fault_alloc f;
    tako_options opts = TAKO_OPTIONS_INIT;
    tako_host host;
    char *p;

    fault_alloc_init(&f);
    opts.alloc = fault_alloc_use(&f);
    tako__host_init(&host, &opts);
    ck_assert_ptr_null(tako__array(&host, SIZE_MAX / 2, 3));
    ck_assert_int_eq(f.calls, 0);
    ck_assert_ptr_null(tako__strndup(&host, "x", SIZE_MAX));
    p = tako__strdup(&host, "kept");
    f.fail_at = f.calls;
    ck_assert_ptr_null(tako__resize(&host, p, 1000));
    ck_assert_str_eq(p, "kept");
    f.fail_at = f.calls;
    ck_assert_ptr_null(tako__strdup(&host, "x"));
    f.fail_at = f.calls;
    ck_assert_ptr_null(tako__alloc(&host, 1));
    tako__free(&host, p);
    ck_assert_int_eq(f.live_blocks, 0);
}
END_TEST

START_TEST(an_error_is_formed_and_its_code_returned)
{
    tako_error err = {0, 5, "old"};

    ck_assert_int_eq(tako__fail(&err, TAKO_EINVAL, "%s is %d", "x", 3), TAKO_EINVAL);
    ck_assert_int_eq(err.code, TAKO_EINVAL);
    ck_assert_int_eq(err.os_errno, 0);
    ck_assert_str_eq(err.message, "x is 3");
    ck_assert_int_eq(tako__context(&err, TAKO_ESTORE, "job %d", 7), TAKO_EINVAL);
    ck_assert_str_eq(err.message, "job 7: x is 3");
    ck_assert_int_eq(tako__fail(&err, TAKO_ESTORE, "again: %s", err.message), TAKO_ESTORE);
    ck_assert_str_eq(err.message, "again: job 7: x is 3");
    ck_assert_int_eq(tako__fail_errno(&err, 0, ENOENT, "opening %s", "f"), TAKO_ESYS);
    ck_assert_int_eq(err.os_errno, ENOENT);
    ck_assert_str_eq(err.message, "opening f: No such file or directory");
    ck_assert_int_eq(tako__context(&err, TAKO_EINVAL, "at start"), TAKO_ESYS);
    ck_assert_int_eq(err.os_errno, ENOENT);
    ck_assert_int_eq(tako__fail_errno(&err, TAKO_ESTORE, EACCES, "x"), TAKO_ESTORE);
    ck_assert_int_eq(err.os_errno, 0);
    ck_assert_str_eq(err.message, "x: Permission denied");
    ck_assert_int_eq(tako__nomem(&err), TAKO_ENOMEM);
    ck_assert_str_eq(err.message, "out of memory");
}
END_TEST

START_TEST(an_error_needs_no_receiver)
{
    ck_assert_int_eq(tako__fail(NULL, TAKO_EINVAL, "x"), TAKO_EINVAL);
    ck_assert_int_eq(tako__fail_errno(NULL, 0, ENOENT, "x"), TAKO_ESYS);
    ck_assert_int_eq(tako__context(NULL, TAKO_ESTORE, "x"), TAKO_ESTORE);
    ck_assert_int_eq(tako__nomem(NULL), TAKO_ENOMEM);
}
END_TEST

START_TEST(an_error_message_is_never_empty_and_never_too_long)
{
    tako_error err;
    char text[TAKO_ERROR_SIZE + 100];
    size_t n, len, i;

    tako__fail(&err, TAKO_EFULL, "%s", "");
    ck_assert_str_eq(err.message, "a limit was reached");
    for (n = TAKO_ERROR_SIZE - 10; n < TAKO_ERROR_SIZE + 50; n++) {
        /* two-byte characters, begun at an even or odd place */
        memset(text, 'x', n % 2);
        for (i = n % 2; i + 1 < n; i += 2)
            memcpy(text + i, "\xC3\xA4", 2);
        text[i] = '\0';
        len = strlen(text);
        tako__fail(&err, TAKO_EINVAL, "%s", text);
        ck_assert_uint_eq(tako__utf8_check(err.message, strlen(err.message)), strlen(err.message));
        if (len < TAKO_ERROR_SIZE)
            ck_assert_str_eq(err.message, text);
        else
            ck_assert_str_eq(err.message + strlen(err.message) - 3, "...");
    }
    tako__context(&err, 0, "%s", "before");
    ck_assert(strncmp(err.message, "before: ", 8) == 0);
    ck_assert_uint_lt(strlen(err.message), TAKO_ERROR_SIZE);
}
END_TEST

START_TEST(every_result_has_a_text)
{
    int code, other;

    for (code = 0; code >= -12; code--) {
        ck_assert_str_ne(tako_strerror(code), "unknown result");
        for (other = 0; other > code; other--)
            ck_assert_str_ne(tako_strerror(code), tako_strerror(other));
    }
    ck_assert_str_eq(tako_strerror(-13), "unknown result");
    ck_assert_str_eq(tako_strerror(1), "unknown result");
    ck_assert_int_eq(tako_version_number(), TAKO_VERSION_NUMBER);
    ck_assert_str_eq(tako_version(), TAKO_VERSION);
    ck_assert_ptr_nonnull(tako_source_id());
}
END_TEST

struct mem_line {
    tako_level level;
    char module[32], text[2048];
    int count;
};

static void mem_log(void *ctx, tako_level level, const char *module, const char *message)
{
    struct mem_line *line = ctx;

    line->level = level;
    line->count++;
    snprintf(line->module, sizeof line->module, "%s", module);
    snprintf(line->text, sizeof line->text, "%s", message);
    errno = EIO;
}

START_TEST(log_lines_reach_the_host_and_errno_survives)
{
    tako_options opts = TAKO_OPTIONS_INIT;
    struct mem_line line = {0, "", "", 0};
    char text[2000];
    tako_host host;

    tako__host_init(&host, &opts);
    tako__log(&host, TAKO_LOG_INFO, "mem", "nobody hears %d", 1);
    tako__log(NULL, TAKO_LOG_INFO, "mem", "nobody hears");
    opts.log = mem_log;
    opts.log_ctx = &line;
    tako__host_init(&host, &opts);
    errno = ENOENT;
    tako__log(&host, TAKO_LOG_WARN, "mem", "%d jobs", 3);
    ck_assert_int_eq(errno, ENOENT);
    ck_assert_int_eq(line.count, 1);
    ck_assert_int_eq(line.level, TAKO_LOG_WARN);
    ck_assert_str_eq(line.module, "mem");
    ck_assert_str_eq(line.text, "3 jobs");
    memset(text, 'y', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    tako__log(&host, TAKO_LOG_ERROR, "mem", "%s", text);
    ck_assert_uint_eq(strlen(line.text), 1023);
    ck_assert_str_eq(line.text + 1020, "...");
}
END_TEST

Suite *suite_mem(void)
{
    Suite *s = suite_create("mem");
    TCase *tc = tcase_create("memory");

    tcase_add_test(tc, a_host_without_wishes_gets_libc_and_real_time);
    tcase_add_test(tc, a_lent_allocator_and_clock_are_used);
    tcase_add_test(tc, nothing_is_still_a_block);
    tcase_add_test(tc, overflowing_and_failing_requests_give_null);
    suite_add_tcase(s, tc);
    tc = tcase_create("errors and log");
    tcase_add_test(tc, an_error_is_formed_and_its_code_returned);
    tcase_add_test(tc, an_error_needs_no_receiver);
    tcase_add_test(tc, an_error_message_is_never_empty_and_never_too_long);
    tcase_add_test(tc, every_result_has_a_text);
    tcase_add_test(tc, log_lines_reach_the_host_and_errno_survives);
    suite_add_tcase(s, tc);
    return s;
}
