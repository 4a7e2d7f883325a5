/* check_config.c - what the configuration promises: every key with its bounds, its default and its
 * place in the options, problems with exact positions, nothing secret in any text, the search for a
 * file, variables, rules between keys.
 * SPDX-License-Identifier: MIT */
#include "../../src/base.h"
#include "../support/fault_alloc.h"

#include <check.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

Suite *suite_config(void);

/* ---- a private directory, which is HOME and the working directory of each test --------------- */

static char config_dir_name[256];

static void config_dir_make(void)
{
    const char *tmp = getenv("TMPDIR");

    snprintf(config_dir_name, sizeof config_dir_name, "%s/tako-config-XXXXXX", tmp ? tmp : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(config_dir_name));
}

static int config_dir_remove_one(const char *path, const struct stat *st, int what, struct FTW *ftw)
{
    (void)st;
    (void)what;
    (void)ftw;
    return remove(path);
}

static void config_dir_remove(void)
{
    nftw(config_dir_name, config_dir_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* In the test's own process: nothing of the caller's environment is seen. */
static void config_enter(void)
{
    ck_assert_int_eq(chdir(config_dir_name), 0);
    ck_assert_int_eq(clearenv(), 0);
    setenv("HOME", config_dir_name, 1);
}

static void config_write(const char *name, const char *text)
{
    FILE *f = fopen(name, "w");

    ck_assert_ptr_nonnull(f);
    fputs(text, f);
    fclose(f);
}

/* ---- loading -------------------------------------------------------------------------------- */

struct config_load {
    struct fault_alloc f;
    tako_config *c;
    const tako_options *o;
    tako_error err;
    int rc, errors, warnings;
    char text[16384]; /* all problems, a line each, warnings with "warning: " in front */
};

static void config_note(void *ctx, tako_level level, const char *text)
{
    struct config_load *l = ctx;
    size_t len = strlen(l->text);

    ck_assert(level == TAKO_LOG_ERROR || level == TAKO_LOG_WARN);
    snprintf(l->text + len, sizeof l->text - len, "%s%s\n",
             level == TAKO_LOG_WARN ? "warning: " : "", text);
    l->errors += level == TAKO_LOG_ERROR;
    l->warnings += level == TAKO_LOG_WARN;
}

static void config_load_path(struct config_load *l, const char *path)
{
    tako_allocator alloc;

    memset(l, 0, sizeof *l);
    fault_alloc_init(&l->f);
    alloc = fault_alloc_use(&l->f);
    l->rc = tako_config_load(&l->c, path, &alloc, config_note, l, &l->err);
    l->o = tako_config_options(l->c);
    ck_assert((l->rc == TAKO_OK) == (l->c != NULL));
    if (l->rc == TAKO_OK)
        ck_assert_int_eq(l->errors, 0);
}

static void config_load(struct config_load *l, const char *yaml)
{
    config_write("c.yaml", yaml);
    config_load_path(l, "c.yaml");
}

static void config_done(struct config_load *l)
{
    tako_config_free(l->c);
    ck_assert_int_eq(l->f.live_blocks, 0);
}

/* Loads and wants exactly this to be said. */
static void config_says(const char *yaml, const char *text)
{
    struct config_load l;

    config_load(&l, yaml);
    ck_assert_msg(strcmp(l.text, text) == 0, "%s\ngives\n%swanted\n%s", yaml, l.text, text);
    ck_assert_int_eq(l.rc, l.errors ? TAKO_EINVAL : TAKO_OK);
    if (l.errors == 1 && l.warnings == 0)
        ck_assert(strncmp(l.err.message, text, strlen(text) - 1) == 0);
    config_done(&l);
}

static void config_accepts(const char *yaml)
{
    struct config_load l;

    config_load(&l, yaml);
    ck_assert_msg(l.rc == TAKO_OK, "%s\ngives\n%s", yaml, l.text);
    config_done(&l);
}

/* Refused, and this is somewhere in what is said. */
static void config_refuses(const char *yaml, const char *part)
{
    struct config_load l;

    config_load(&l, yaml);
    ck_assert_msg(l.rc == TAKO_EINVAL && strstr(l.text, part), "%s\ngives\n%swithout '%s'", yaml,
                  l.text, part);
    config_done(&l);
}

/* ---- every key ------------------------------------------------------------------------------ */

#define CONFIG_OPTION(field, wide) 0, offsetof(tako_options, field), wide
#define CONFIG_LIMIT(field, wide) 1, offsetof(tako_limits, field), wide

/* Numbers: where they go, by default and at both bounds, and what is beyond. */
static const struct {
    const char *key; /* "GROUP: {KEY" for one in a group */
    int limit;
    size_t at;
    int wide;
    int64_t otherwise;
    const char *low, *below, *high, *above;
    int64_t low_value, high_value;
} config_numbers[] = {
    {"max_workers", CONFIG_OPTION(workers, 0), 4, "1", "0", "64", "65", 1, 64},
    {"max_queue_size", CONFIG_OPTION(max_queued, 1), 100, "1", "0", "10000", "10001", 1, 10000},
    {"max_retry_attempts", CONFIG_LIMIT(setup_attempts, 0), 2, "1", "0", "10", "11", 1, 10},
    {"retry_base_delay", CONFIG_LIMIT(setup_delay_ms, 1), 1000, "0.1", "0.099", "60", "60.001", 100,
     60000},
    {"lease_seconds", CONFIG_OPTION(lease_ms, 1), 15000, "1", "0", "3600", "3601", 1000, 3600000},
    {"max_deaths", CONFIG_OPTION(max_deaths, 0), 3, "1", "0", "100", "101", 1, 100},
    {"max_stdout_bytes", CONFIG_LIMIT(stdout_bytes, 1), 65536, "1024", "1023", "104857600",
     "104857601", 1024, 104857600},
    {"max_stderr_bytes", CONFIG_LIMIT(stderr_bytes, 1), 65536, "1024", "1023", "104857600",
     "104857601", 1024, 104857600},
    {"max_artifact_bytes", CONFIG_LIMIT(artifact_bytes, 1), 10485760, "1024", "1023", "1073741824",
     "1073741825", 1024, 1073741824},
    {"max_total_artifacts_bytes", CONFIG_LIMIT(artifacts_bytes, 1), 52428800, "1024", "1023",
     "10737418240", "10737418241", 1024, INT64_C(10737418240)},
    {"max_input_bytes", CONFIG_LIMIT(input_bytes, 1), 1048576, "1024", "1023", "104857600",
     "104857601", 1024, 104857600},
    {"max_code_bytes", CONFIG_LIMIT(code_bytes, 1), 102400, "1024", "1023", "10485760", "10485761",
     1024, 10485760},
    {"max_timeout: 3600\ndefault_timeout", CONFIG_LIMIT(default_timeout_ms, 1), 30000, "1", "0",
     "3600", "3601", 1000, 3600000},
    {"default_startup_timeout", CONFIG_LIMIT(default_startup_ms, 1), 120000, "10", "9", "600",
     "601", 10000, 600000},
    {"default_timeout: 1\nmax_timeout", CONFIG_LIMIT(max_timeout_ms, 1), 300000, "1", "0", "86400",
     "86401", 1000, 86400000},
    {"default_startup_timeout: 30\nmax_startup_timeout", CONFIG_LIMIT(max_startup_ms, 1), 600000,
     "30", "29", "1800", "1801", 30000, 1800000},
    {"execution_record_ttl_days", CONFIG_OPTION(record_ttl_ms, 1), INT64_C(2592000000), "1", "0",
     "3650", "3651", 86400000, INT64_C(315360000000)},
    {"dlq_ttl_days", CONFIG_OPTION(dead_ttl_ms, 1), INT64_C(2592000000), "1", "0", "365", "366",
     86400000, INT64_C(31536000000)},
    {"environment_ttl_days", CONFIG_OPTION(environment_ttl_ms, 1), INT64_C(2592000000), "0", "-1",
     "3650", "3651", 0, INT64_C(315360000000)},
    {"container_limits: {nofile_hard: 65536, nofile_soft", CONFIG_LIMIT(nofile_soft, 0), 256, "64",
     "63", "65536", "65537", 64, 65536},
    {"container_limits: {nofile_soft: 64, nofile_hard", CONFIG_LIMIT(nofile_hard, 0), 256, "64",
     "63", "65536", "65537", 64, 65536},
    {"container_limits: {nproc_hard: 1000, nproc_soft", CONFIG_LIMIT(nproc_soft, 0), 50, "10", "9",
     "1000", "1001", 10, 1000},
    {"container_limits: {nproc_soft: 10, nproc_hard", CONFIG_LIMIT(nproc_hard, 0), 50, "10", "9",
     "1000", "1001", 10, 1000},
    {"container_limits: {fsize", CONFIG_LIMIT(file_bytes, 1), 104857600, "1048576", "1048575",
     "1073741824", "1073741825", 1048576, 1073741824},
    {"container_limits: {pids_limit", CONFIG_LIMIT(pids, 0), 100, "10", "9", "1000", "1001", 10,
     1000},
    {"container_limits: {tmpfs_size", CONFIG_LIMIT(tmp_bytes, 1), 104857600, "10m", "10485759",
     "2G", "2049m", 10485760, INT64_C(2147483648)},
};

static int64_t config_number(const struct config_load *l, size_t i)
{
    const char *base = config_numbers[i].limit ? (const char *)l->o->limits : (const char *)l->o;
    int64_t wide;
    int narrow;

    if (config_numbers[i].wide) {
        memcpy(&wide, base + config_numbers[i].at, sizeof wide);
        return wide;
    }
    memcpy(&narrow, base + config_numbers[i].at, sizeof narrow);
    return narrow;
}

static const char *config_line(char line[256], size_t i, const char *value)
{
    const char *key = config_numbers[i].key;

    snprintf(line, 256, "%s: %s%s\n", key, value, strchr(key, '{') ? "}" : "");
    return line;
}

START_TEST(numbers_have_defaults_bounds_and_a_place)
{
    struct config_load l;
    char line[256];
    size_t i;

    for (i = 0; i < TAKO__LEN(config_numbers); i++) {
        config_load(&l, "");
        ck_assert_int_eq(config_number(&l, i), config_numbers[i].otherwise);
        config_done(&l);
        config_load(&l, config_line(line, i, config_numbers[i].low));
        ck_assert_msg(l.rc == TAKO_OK, "%s: %s", line, l.text);
        ck_assert_int_eq(config_number(&l, i), config_numbers[i].low_value);
        config_done(&l);
        config_load(&l, config_line(line, i, config_numbers[i].high));
        ck_assert_msg(l.rc == TAKO_OK, "%s: %s", line, l.text);
        ck_assert_int_eq(config_number(&l, i), config_numbers[i].high_value);
        config_done(&l);
        config_refuses(config_line(line, i, config_numbers[i].below), "must be a");
        config_refuses(config_line(line, i, config_numbers[i].above), "must be a");
        config_refuses(config_line(line, i, "many"), "'many' must be a");
        config_refuses(config_line(line, i, "true"), "'true' must be a");
        config_refuses(config_line(line, i, "[1]"), "must be a");
        config_refuses(config_line(line, i, "~"), "must be a");
        config_refuses(config_line(line, i, "99999999999999999999"), "must be a");
        config_refuses(config_line(line, i, ".nan"), "must be a");
    }
}
END_TEST

/* Keys of parts that this build has not: checked first, then refused. */
static const struct {
    const char *key, *good, *bad, *otherwise;
} config_absent[] = {
    {"server_host", "127.0.0.5", "'a b'", "\"127.0.0.1\""},
    {"server_port", "65535", "65536", "8000"},
    {"server_port", "1", "0", "8000"},
    {"api_max_payload_bytes", "1024", "1023", "2097152"},
    {"api_max_payload_bytes", "104857600", "104857601", "2097152"},
    {"api_rate_limit_enabled", "false", "maybe", "true"},
    {"api_rate_limit_requests", "1", "0", "120"},
    {"api_rate_limit_requests", "100000", "100001", "120"},
    {"api_rate_limit_window_seconds", "1", "0", "60"},
    {"api_rate_limit_window_seconds", "3600", "3601", "60"},
    {"api_auth_enabled", "false", "2", "false"},
    {"api_keys", "[0123456789abcdef]", "[0123456789abcde]", "[]"},
    {"api_keys", "[' 0123456789abcdef ']", "[' 0123456789abcde ']", "[]"},
    {"api_keys", "[]", "0123456789abcdef", "[]"},
    {"api_auth_header", "Authorization", "'X Y'", "\"X-API-Key\""},
    {"allow_unauthenticated_network_access", "true", "x", "false"},
    {"database_url", "postgresql://u@h/db", "mysql://u@h/db", "null"},
    {"database_url", "postgresql+psycopg:///db?host=/run", "postgresql:///db", "null"},
    {"database_url", "postgresql://h:5432/db", "postgresql://h:5432/", "null"},
    {"docker_image", "python:3.11", "a/", "\"code-executor:latest\""},
    {"container_runtime", "RUNC", "kata", "\"runsc\""},
    {"seccomp_profile_path", "/x.json", "''", "null"},
};

START_TEST(keys_of_absent_parts_are_checked_and_refused)
{
    struct config_load l;
    char line[256], part[256];
    size_t i;

    for (i = 0; i < TAKO__LEN(config_absent); i++) {
        snprintf(line, sizeof line, "%s: %s\n", config_absent[i].key, config_absent[i].good);
        config_load(&l, line);
        ck_assert_msg(l.errors == 1 && strstr(l.text, "which this build does not have"),
                      "%s gives %s", line, l.text);
        config_done(&l);
        snprintf(line, sizeof line, "%s: %s\n", config_absent[i].key, config_absent[i].bad);
        config_load(&l, line);
        ck_assert_msg(l.errors == 1 && !strstr(l.text, "this build"), "%s gives %s", line, l.text);
        config_done(&l);
        config_load(&l, "");
        snprintf(part, sizeof part, "\n  \"%s\": %s,\n", config_absent[i].key,
                 config_absent[i].otherwise);
        ck_assert_msg(strstr(tako_config_json(l.c), part), "no %s", part);
        config_done(&l);
    }
    config_says("server_port: 80\n", "c.yaml:1:14: server_port: needs the HTTP server, which this "
                                     "build does not have; leave the key out\n");
    config_refuses("docker_image: a\n", "needs the Docker executor");
    config_refuses("database_url: postgresql://h/d\n", "needs the PostgreSQL store");
}
END_TEST

START_TEST(what_never_changes_may_be_said_but_not_denied)
{
    static const char *const keys[] = {"enable_seccomp", "enable_cap_restrictions", "enable_userns",
                                       "enable_runtime_dependency_cache"};
    char line[256];
    size_t i;

    for (i = 0; i < TAKO__LEN(keys); i++) {
        snprintf(line, sizeof line, "%s: yes\n", keys[i]);
        config_accepts(line);
        snprintf(line, sizeof line, "%s: no\n", keys[i]);
        config_refuses(line, "must be true, for ");
        snprintf(line, sizeof line, "%s: maybe\n", keys[i]);
        config_refuses(line, "'maybe' must be true or false");
    }
    config_refuses("queue_wait_timeout: 1.0\n", "has no effect: workers are woken at once");
    config_refuses("queue_wait_timeout: 31\n", "must be a number from 0.1 to 30.0");
}
END_TEST

START_TEST(texts_go_to_their_places)
{
    struct config_load l;
    char path[512];

    config_load(&l, "production_mode: true\nlog_level: debug\nstore: 'sqlite::memory:'\n"
                    "rootfs: /srv/root\ninterpreter: /usr/bin/python3.11\ncgroup: tako\n"
                    "allow_runtime_requirements: on\ndependency_proxy_url: http://proxy:3128\n"
                    "package_index_url: https://index.example.org/simple/\nwheel_dir: wheels\n"
                    "data_dir: ~/data\n");
    ck_assert_msg(l.rc == TAKO_OK, "%s", l.text);
    ck_assert_str_eq(l.o->store, "sqlite::memory:");
    ck_assert_str_eq(l.o->rootfs, "/srv/root");
    ck_assert_str_eq(l.o->interpreter, "/usr/bin/python3.11");
    ck_assert_str_eq(l.o->cgroup, "tako");
    ck_assert_int_eq(l.o->allow_requirements, 1);
    ck_assert_str_eq(l.o->proxy_url, "http://proxy:3128");
    ck_assert_str_eq(l.o->index_url, "https://index.example.org/simple/");
    snprintf(path, sizeof path, "%s/wheels", config_dir_name);
    ck_assert_str_eq(l.o->wheel_dir, path);
    snprintf(path, sizeof path, "%s/data", config_dir_name);
    ck_assert_str_eq(l.o->data_dir, path);
    ck_assert_int_eq(l.o->security, TAKO_STRICT);
    ck_assert_int_eq(tako_config_log_level(l.c), TAKO_LOG_DEBUG);
    ck_assert_int_ne(access("data", F_OK), 0); /* it writes nothing */
    config_done(&l);
    config_refuses("log_level: loud\n", "'loud' must be DEBUG, INFO, WARNING, ERROR or CRITICAL");
    config_refuses("log_level: ~\n", "must be DEBUG, INFO, WARNING, ERROR or CRITICAL");
    config_refuses("security_mode: none\n", "'none' must be strict or permissive");
    config_refuses("production_mode: 3\n", "'3' must be true or false");
    config_refuses("store: jobs.db\n", "names no store");
    config_refuses("interpreter: python3\n", "is no absolute path");
    config_refuses("rootfs: ''\n", "is empty");
    config_refuses("data_dir: [a]\n", "must be a text");
    config_refuses("dependency_proxy_url: file:///x\n", "is no proxy");
    config_refuses("dependency_proxy_url: http://h/path\n", "is no proxy");
    config_refuses("dependency_proxy_url: http://h?q\n", "is no proxy");
    config_refuses("dependency_proxy_url: http://h#f\n", "is no proxy");
    config_refuses("dependency_proxy_url: 'http://h h'\n", "is no proxy");
    config_refuses("dependency_proxy_url: \"http://h\\x01\"\n", "is no proxy");
    config_refuses("dependency_proxy_url: http://\n", "is no proxy");
    config_refuses("dependency_proxy_url: http://u:p@\n", "is no proxy");
    config_refuses("package_index_url: ftp://h\n", "is no index");
    config_accepts("dependency_proxy_url: https://u:p@h:1/\n");
    config_accepts("dependency_proxy_url:\n");
}
END_TEST

START_TEST(levels_are_those_of_the_log)
{
    static const struct {
        const char *name;
        tako_level level;
    } levels[] = {{"Debug", TAKO_LOG_DEBUG},
                  {"info", TAKO_LOG_INFO},
                  {"WARNING", TAKO_LOG_WARN},
                  {"error", TAKO_LOG_ERROR},
                  {"critical", TAKO_LOG_ERROR}};
    struct config_load l;
    char line[64];
    size_t i;

    for (i = 0; i < TAKO__LEN(levels); i++) {
        snprintf(line, sizeof line, "log_level: %s\n", levels[i].name);
        config_load(&l, line);
        ck_assert_int_eq(tako_config_log_level(l.c), levels[i].level);
        config_done(&l);
    }
}
END_TEST

START_TEST(values_are_read_leniently)
{
    struct config_load l;

    config_load(&l, "max_workers: '8'\nmax_queue_size: 50.0\nretry_base_delay: '1.5'\n"
                    "max_deaths: +2\nlease_seconds: 1:00\nmax_code_bytes: 0x1000\n"
                    "max_input_bytes: 1e4\nmax_stdout_bytes: 1_024\nallow_runtime_requirements: 1\n"
                    "production_mode: 'Yes'\ncontainer_limits: {tmpfs_size: 20971520}\n");
    ck_assert_msg(l.rc == TAKO_OK, "%s", l.text);
    ck_assert_int_eq(l.o->workers, 8);
    ck_assert_int_eq(l.o->max_queued, 50);
    ck_assert_int_eq(l.o->limits->setup_delay_ms, 1500);
    ck_assert_int_eq(l.o->max_deaths, 2);
    ck_assert_int_eq(l.o->lease_ms, 60000);
    ck_assert_int_eq(l.o->limits->code_bytes, 4096);
    ck_assert_int_eq(l.o->limits->input_bytes, 10000);
    ck_assert_int_eq(l.o->limits->stdout_bytes, 1024);
    ck_assert_int_eq(l.o->limits->tmp_bytes, 20971520);
    ck_assert_int_eq(l.o->allow_requirements, 1);
    config_done(&l);
    config_refuses("max_workers: 4.5\n", "'4.5' must be a whole number from 1 to 64");
    config_refuses("max_workers: 4.0000001\n", "must be a whole number");
    config_refuses("max_workers: ''\n", "'' must be a whole number");
    config_refuses("retry_base_delay: 1.0001\n", "at most three decimals");
    config_refuses("max_workers: 1e400\n", "must be a whole number");
    config_refuses("max_workers: 1e\n", "must be a whole number");
    config_refuses("max_workers: 1.2.3\n", "must be a whole number");
}
END_TEST

/* ---- problems ------------------------------------------------------------------------------- */

START_TEST(unknown_keys_are_refused_with_the_nearest_name)
{
    config_says("max_worker: 4\n", "c.yaml:1:1: max_worker: unknown key; did you mean "
                                   "max_workers?\n");
    config_says("frobnicate: 4\n", "c.yaml:1:1: frobnicate: unknown key\n");
    config_says("jobtypes: []\n", "c.yaml:1:1: jobtypes: unknown key; did you mean job_types?\n");
    config_says("a: 1\ncontainer_limit: {}\n", "c.yaml:1:1: a: unknown key\n"
                                               "c.yaml:2:1: container_limit: unknown key; did you "
                                               "mean container_limits?\n");
    config_says("container_limits:\n  pid_limit: 10\n",
                "c.yaml:2:3: container_limits.pid_limit: unknown key; did you mean pids_limit?\n");
    config_says("nofile_soft: 64\n", "c.yaml:1:1: nofile_soft: unknown key\n");
    config_says("container_limits: {max_workers: 1}\n",
                "c.yaml:1:20: container_limits.max_workers: unknown key\n");
    config_says("job_types:\n  - name: a\n    time_out: 3\n",
                "c.yaml:3:5: job_types[0].time_out: unknown key; did you mean timeout?\n");
    config_says("job_types:\n  - name: a\n    gpu: {enable: false}\n",
                "c.yaml:3:11: job_types[0].gpu.enable: unknown key; did you mean enabled?\n");
    config_says("\"a\\nb\": 1\n", "c.yaml:1:1: a?b: unknown key\n");
    config_says("<<: {max_workers: 3}\n", "c.yaml:1:1: <<: unknown key\n");
}
END_TEST

START_TEST(all_problems_are_told_at_once)
{
    struct config_load l;

    config_load(&l, "max_workers: 0\nmax_timeout: &x 10\nbogus: 1\nmax_workers: 9\n"
                    "container_limits: 3\nlog_level: loud\n"
                    "job_types:\n  - timeout: 0\n  - 7\n  - name: '-'\n    memory_limit: 1m\n");
    ck_assert_int_eq(l.rc, TAKO_EINVAL);
    ck_assert_str_eq(
        l.text,
        "c.yaml:2:14: anchors (&name) are not allowed\n"
        "c.yaml:4:1: the key stands here a second time, first in line 1\n"
        "c.yaml:1:14: max_workers: '0' must be a whole number from 1 to 64\n"
        "c.yaml:3:1: bogus: unknown key\n"
        "c.yaml:5:19: container_limits: must be a mapping of its own keys\n"
        "c.yaml:6:12: log_level: 'loud' must be DEBUG, INFO, WARNING, ERROR or CRITICAL\n"
        "c.yaml:2:14: max_timeout: 10 must not be less than default_timeout, which is 30\n"
        "c.yaml:8:14: job_types[0].timeout: '0' must be a whole number from 1 to 3600\n"
        "c.yaml:8:5: job_types[0]: has no name\n"
        "c.yaml:9:5: job_types[1]: must be a mapping with the keys of a job type\n"
        "c.yaml:10:11: job_types[2].name: '-' is no name of a job type: 1-64 of [A-Za-z0-9_-] "
        "with at least one letter or digit\n"
        "c.yaml:11:19: job_types[2].memory_limit: '1m' is no memory limit: a whole number with m "
        "or g, from 64m to 32g\n");
    ck_assert_str_eq(l.err.message, "c.yaml:2:14: anchors (&name) are not allowed (and 11 more)");
    config_done(&l);
    config_says("a: [1\n", "c.yaml:2:1: did not find expected ',' or ']' while parsing a flow "
                           "sequence that begins in line 1\n");
    config_says("- a\n", "c.yaml:1:1: a configuration is a mapping of keys to values\n");
    config_says("text\n", "c.yaml:1:1: a configuration is a mapping of keys to values\n");
    config_says("job_types: 3\n", "c.yaml:1:12: job_types: must be a list of job types\n");
    config_accepts("job_types:\n");
    config_accepts("");
    config_accepts("{\"max_workers\": 3, \"job_types\": [{\"name\": \"a\"}]}");
}
END_TEST

START_TEST(no_secret_is_in_any_text)
{
    static const char *const files[] = {
        "api_keys: [hunter2-hunter2-hunter2, hunter2]\n",
        "api_keys: hunter2\n",
        "api_keys: {a: hunter2}\n",
        "database_url: mysql://u:hunter2@h/db\n",
        "database_url: postgresql://u:hunter2@h/\n",
        "database_url: postgresql://u:hunter2@h/d\n",
        "dependency_proxy_url: http://u:hunter2@h/path\n",
        "package_index_url: ftp://u:hunter2@h\n",
        "package_index_url: ftp://hunter2@h\n",
        "job_types: [{name: a, environment: {API_KEY: \"hunter2\\n\"}}]\n",
        "job_types: [{name: a, environment: {API_KEY: hunter2, bad-name: hunter2}}]\n",
        "job_types: [{name: a, requirements: ['x @ https://u:hunter2@h/x']}]\n",
        "max_workers: postgresql://u:hunter2@h/d\n",
        "api_key: hunter2\n",
    };
    struct config_load l;
    size_t i;

    for (i = 0; i < TAKO__LEN(files); i++) {
        config_load(&l, files[i]);
        ck_assert_msg(l.errors > 0, "%s", files[i]);
        ck_assert_msg(!strstr(l.text, "hunter2"), "%s gives %s", files[i], l.text);
        config_done(&l);
    }
    setenv("TAKO_VM_API_KEYS", "hunter2,hunter2-hunter2-hunter2", 1);
    setenv("TAKO_VM_DATABASE_URL", "http://u:hunter2@h", 1);
    setenv("TAKO_VM_API_RATE_LIMIT_REQUESTS", "http://u:hunter2@h", 1);
    config_load(&l, "");
    ck_assert_int_ge(l.errors, 3);
    ck_assert_msg(!strstr(l.text, "hunter2"), "%s", l.text);
    config_done(&l);
}
END_TEST

/* ---- files ---------------------------------------------------------------------------------- */

START_TEST(a_file_that_cannot_be_read_is_an_error)
{
    struct config_load l;
    char *big;

    config_load_path(&l, "missing.yaml");
    ck_assert_int_eq(l.rc, TAKO_ENOTFOUND);
    ck_assert_str_eq(l.err.message, "Config file not found: missing.yaml");
    config_done(&l);
    config_load_path(&l, "/dev/null/x");
    ck_assert_int_eq(l.rc, TAKO_ENOTFOUND);
    config_done(&l);
    ck_assert_int_eq(mkdir("d.yaml", 0755), 0);
    config_load_path(&l, "d.yaml");
    ck_assert_int_eq(l.rc, TAKO_ESYS);
    ck_assert_ptr_nonnull(strstr(l.err.message, "it is a directory, not a file"));
    config_done(&l);
    ck_assert_int_eq(mkfifo("f.yaml", 0644), 0);
    config_load_path(&l, "f.yaml"); /* and it does not wait for a writer */
    ck_assert_int_eq(l.rc, TAKO_ESYS);
    config_done(&l);
    if (geteuid() != 0) {
        config_write("s.yaml", "");
        chmod("s.yaml", 0);
        config_load_path(&l, "s.yaml");
        ck_assert_int_eq(l.rc, TAKO_ESYS);
        config_done(&l);
    }
    config_says("max_workers: \xFF\n", "c.yaml:1:14: this is no valid UTF-8\n");
    big = malloc(1048578);
    ck_assert_ptr_nonnull(big);
    memset(big, '#', 1048577);
    big[1048577] = '\0';
    config_says(big, "c.yaml:1:1: the document has more than 1048576 bytes\n");
    big[1048576] = '\0';
    config_accepts(big);
    free(big);
    remove("d.yaml");
    remove("f.yaml");
    ck_assert_int_eq(tako_config_load(NULL, NULL, NULL, NULL, NULL, NULL), TAKO_EINVAL);
}
END_TEST

/* The number of workers tells which file it was. */
static int config_found(const char *file)
{
    struct config_load l;
    int workers;

    config_load_path(&l, NULL);
    ck_assert_msg(l.rc == TAKO_OK, "%s%s", l.err.message, l.text);
    if (file)
        ck_assert_str_eq(tako_config_file(l.c), file);
    else
        ck_assert_ptr_null(tako_config_file(l.c));
    workers = l.o->workers;
    config_done(&l);
    return workers;
}

START_TEST(files_are_searched_in_order)
{
    char path[512];

    if (access("/etc/tako_vm/config.yaml", F_OK) != 0)
        ck_assert_int_eq(config_found(NULL), 4);
    mkdir(".tako_vm", 0755);
    mkdir("config", 0755);
    config_write(".tako_vm/config.yaml", "max_workers: 11\n");
    snprintf(path, sizeof path, "%s/.tako_vm/config.yaml", config_dir_name);
    ck_assert_int_eq(config_found(path), 11);
    config_write("config/tako_vm.yaml", "max_workers: 12\n");
    ck_assert_int_eq(config_found("./config/tako_vm.yaml"), 12);
    config_write("tako_vm.yaml", "max_workers: 13\n");
    ck_assert_int_eq(config_found("./tako_vm.yaml"), 13);
    config_write("named.yaml", "max_workers: 14\n");
    setenv("TAKO_VM_CONFIG", "named.yaml", 1);
    ck_assert_int_eq(config_found("named.yaml"), 14);
    setenv("TAKO_VM_CONFIG", "gone.yaml", 1); /* is ignored */
    ck_assert_int_eq(config_found("./tako_vm.yaml"), 13);
    remove("tako_vm.yaml");
    remove("config/tako_vm.yaml");
    remove(".tako_vm/config.yaml");
    rmdir(".tako_vm");
    rmdir("config");
    remove("named.yaml");
}
END_TEST

START_TEST(the_data_directory_is_the_users_own)
{
    struct config_load l;
    char text[512];

    config_load(&l, "");
    snprintf(text, sizeof text, "%s/.tako_vm", config_dir_name);
    ck_assert_str_eq(l.o->data_dir, text);
    snprintf(text, sizeof text, "sqlite:%s/.tako_vm/tako.db", config_dir_name);
    ck_assert_str_eq(l.o->store, text);
    config_done(&l);
    setenv("XDG_DATA_HOME", "/xdg", 1);
    config_load(&l, "");
    ck_assert_str_eq(l.o->data_dir, "/xdg/tako_vm");
    config_done(&l);
    setenv("XDG_DATA_HOME", "relative", 1);
    config_load(&l, "");
    ck_assert_str_ne(l.o->data_dir, "relative/tako_vm");
    config_done(&l);
    unsetenv("HOME");
    unsetenv("XDG_DATA_HOME");
    config_says("", "c.yaml: data_dir: there is no place for it: name a directory, or set HOME\n");
    config_accepts("data_dir: /d\n");
    mkdir("sub", 0755);
    config_write("sub/c.yaml", "data_dir: ./d\nstore: sqlite:x.db\n");
    config_load_path(&l, "sub/c.yaml"); /* relative to the file */
    snprintf(text, sizeof text, "%s/sub/d", config_dir_name);
    ck_assert_str_eq(l.o->data_dir, text);
    snprintf(text, sizeof text, "sqlite:%s/sub/x.db", config_dir_name);
    ck_assert_str_eq(l.o->store, text);
    config_done(&l);
    setenv("TAKO_VM_DATA_DIR", "e", 1);
    config_load_path(&l, "sub/c.yaml"); /* to where one is */
    snprintf(text, sizeof text, "%s/e", config_dir_name);
    ck_assert_str_eq(l.o->data_dir, text);
    config_done(&l);
    remove("sub/c.yaml");
    rmdir("sub");
}
END_TEST

/* ---- variables ------------------------------------------------------------------------------ */

START_TEST(variables_win)
{
    struct config_load l;

    setenv("TAKO_VM_SECURITY_MODE", "Permissive", 1);
    setenv("TAKO_VM_ALLOW_RUNTIME_REQUIREMENTS", "YES", 1);
    setenv("TAKO_VM_DEPENDENCY_PROXY_URL", "http://p:1", 1);
    setenv("TAKO_VM_ENABLE_SECCOMP", "1", 1);
    setenv("TAKO_VM_ENABLE_CAP_RESTRICTIONS", "true", 1);
    setenv("TAKO_VM_ENABLE_RUNTIME_DEPENDENCY_CACHE", "TRUE", 1);
    setenv("TAKO_VM_DATA_DIR", "", 1); /* as if it were not there */
    config_load(&l, "security_mode: strict\nallow_runtime_requirements: false\n"
                    "dependency_proxy_url: http://q:2\ndata_dir: /d\n");
    ck_assert_str_eq(l.text, "warning: TAKO_VM_SECURITY_MODE: permissive: jobs run even when a "
                             "layer of the sandbox is missing\n");
    ck_assert_int_eq(l.o->security, TAKO_PERMISSIVE);
    ck_assert_int_eq(l.o->allow_requirements, 1);
    ck_assert_str_eq(l.o->proxy_url, "http://p:1");
    ck_assert_str_eq(l.o->data_dir, "/d");
    config_done(&l);
    setenv("TAKO_VM_ALLOW_RUNTIME_REQUIREMENTS", "on", 1); /* all but true, 1 and yes is false */
    config_load(&l, "allow_runtime_requirements: true\n");
    ck_assert_int_eq(l.o->allow_requirements, 0);
    config_done(&l);
}
END_TEST

START_TEST(wrong_variables_are_named)
{
    static const struct {
        const char *name, *value, *said;
    } cases[] = {
        {"API_RATE_LIMIT_REQUESTS", "abc",
         "TAKO_VM_API_RATE_LIMIT_REQUESTS: must be an integer (got 'abc'), a whole number from 1 "
         "to 100000\n"},
        {"API_RATE_LIMIT_REQUESTS", "1.0",
         "TAKO_VM_API_RATE_LIMIT_REQUESTS: must be an integer (got '1.0'), a whole number from 1 "
         "to 100000\n"},
        {"API_RATE_LIMIT_REQUESTS", "0",
         "TAKO_VM_API_RATE_LIMIT_REQUESTS: '0' must be a whole number from 1 to 100000\n"},
        {"API_MAX_PAYLOAD_BYTES", "5000",
         "TAKO_VM_API_MAX_PAYLOAD_BYTES: needs the HTTP server, which this build does not have; "
         "leave the key out\n"},
        {"API_RATE_LIMIT_WINDOW_SECONDS", "99999",
         "TAKO_VM_API_RATE_LIMIT_WINDOW_SECONDS: '99999' must be a whole number from 1 to 3600\n"},
        {"API_RATE_LIMIT_ENABLED", "no",
         "TAKO_VM_API_RATE_LIMIT_ENABLED: needs the HTTP server, which this build does not have; "
         "leave the key out\n"},
        {"API_AUTH_HEADER", "a b",
         "TAKO_VM_API_AUTH_HEADER: 'a b' is no name of an HTTP header: letters, digits and "
         "!#$%&'*+-.^_`|~\n"},
        {"ALLOW_UNAUTHENTICATED_NETWORK_ACCESS", "1",
         "TAKO_VM_ALLOW_UNAUTHENTICATED_NETWORK_ACCESS: needs the HTTP server, which this build "
         "does not have; leave the key out\n"},
        {"CONTAINER_RUNTIME", "kata", "TAKO_VM_CONTAINER_RUNTIME: 'kata' must be runsc or runc\n"},
        {"SECURITY_MODE", "lax", "TAKO_VM_SECURITY_MODE: 'lax' must be strict or permissive\n"},
        {"ENABLE_SECCOMP", "false",
         "TAKO_VM_ENABLE_SECCOMP: must be true, for the filter of system calls cannot be left "
         "out\n"},
        {"DATA_DIR", "\xFF", "TAKO_VM_DATA_DIR: is no valid UTF-8\n"},
        {"MAX_WORKERS", "3",
         "warning: TAKO_VM_MAX_WORKERS: is no variable that sets anything; use the key in a "
         "file\n"},
        {"CONFIGURE", "3",
         "warning: TAKO_VM_CONFIGURE: is no variable that sets anything; use the key in a file\n"},
    };
    char name[128];
    size_t i;

    for (i = 0; i < TAKO__LEN(cases); i++) {
        snprintf(name, sizeof name, "TAKO_VM_%s", cases[i].name);
        setenv(name, cases[i].value, 1);
        config_says("", cases[i].said);
        unsetenv(name);
    }
    setenv("TAKO_VM_API_AUTH_ENABLED", "yes", 1);
    setenv("TAKO_VM_API_KEYS", "0123456789abcdef, short ,0123456789abcdef", 1);
    config_refuses("", "TAKO_VM_API_KEYS: must be a text of at least 16 characters\n");
    setenv("TAKO_VM_API_KEYS", "0123456789abcdef,0123456789abcdef", 1);
    config_says("", "TAKO_VM_API_AUTH_ENABLED: needs the HTTP server, which this build does not "
                    "have; leave the key out\nTAKO_VM_API_KEYS: needs the HTTP server, which this "
                    "build does not have; leave the key out\n");
}
END_TEST

START_TEST(without_a_file_all_is_default)
{
    struct config_load l;
    char name[64];
    tako_error err;

    if (access("/etc/tako_vm/config.yaml", F_OK) == 0)
        return;
    ck_assert_int_eq(tako_config_find(name, sizeof name, &err), TAKO_ENOTFOUND);
    ck_assert_str_eq(name, "");
    config_load_path(&l, NULL);
    ck_assert_int_eq(l.rc, TAKO_OK);
    ck_assert_uint_eq(tako_config_type_count(l.c), 0);
    ck_assert_ptr_null(tako_config_type(l.c, 0));
    ck_assert_ptr_null(tako_config_file(l.c));
    ck_assert(!l.o->log);
    ck_assert_ptr_eq(l.o->alloc.ctx, &l.f);
    config_done(&l);
    ck_assert_ptr_null(tako_config_options(NULL));
    ck_assert_ptr_null(tako_config_file(NULL));
    ck_assert_ptr_null(tako_config_json(NULL));
    tako_config_free(NULL);
}
END_TEST

START_TEST(the_file_can_be_asked_for)
{
    char name[64];
    tako_error err;

    config_write("tako_vm.yaml", "");
    ck_assert_int_eq(tako_config_find(name, sizeof name, &err), TAKO_OK);
    ck_assert_str_eq(name, "./tako_vm.yaml");
    ck_assert_int_eq(tako_config_find(name, strlen("./tako_vm.yaml"), &err), TAKO_EINVAL);
    ck_assert_int_eq(tako_config_find(NULL, 3, &err), TAKO_EINVAL);
    remove("tako_vm.yaml");
}
END_TEST

/* ---- opening -------------------------------------------------------------------------------- */

struct config_types_seen {
    char names[256];
};

static int config_see_type(void *ctx, const tako_version_info *version)
{
    struct config_types_seen *seen = ctx;

    strcat(strcat(seen->names, version->type), ";");
    return 0;
}

START_TEST(an_engine_is_opened_with_it)
{
    struct config_types_seen seen = {""};
    tako_options opts;
    struct config_load l;
    tako_error err;
    tako *t = NULL;
    struct stat st;

    config_load(&l, "data_dir: a/b\nmax_workers: 1\njob_types: [{name: one}, {name: two}]\n");
    ck_assert_msg(tako_config_open(&t, l.c, NULL, &err) == TAKO_OK, "%s", err.message);
    ck_assert_int_eq(stat("a/b", &st), 0);
    ck_assert_int_eq(st.st_mode & 0777, 0700);
    ck_assert_int_eq(access("a/b/tako.db", F_OK), 0);
    ck_assert_int_eq(tako_types(t, NULL, config_see_type, &seen, &err), 0);
    ck_assert_str_eq(seen.names, "default;data-processing;ml-inference;one;two;");
    tako_close(t);
    opts = *tako_config_options(l.c);
    opts.store = "nosuch:x";
    ck_assert_int_eq(tako_config_open(&t, l.c, &opts, &err), TAKO_EUNSUPPORTED);
    ck_assert_ptr_null(t);
    opts.data_dir = "c.yaml/x";
    ck_assert_int_eq(tako_config_open(&t, l.c, &opts, &err), TAKO_ESYS);
    ck_assert_ptr_nonnull(strstr(err.message, "data_dir: c.yaml/x cannot be made"));
    ck_assert_int_eq(tako_config_open(NULL, l.c, NULL, &err), TAKO_EINVAL);
    ck_assert_int_eq(tako_config_open(&t, NULL, NULL, &err), TAKO_EINVAL);
    config_done(&l);
}
END_TEST

/* ---- rules between keys --------------------------------------------------------------------- */

START_TEST(keys_agree_with_each_other)
{
    config_says("default_timeout: 301\n",
                "c.yaml:1:18: default_timeout: 301 must not be more than max_timeout, which is "
                "300\n");
    config_says("max_timeout: 29\n", "c.yaml:1:14: max_timeout: 29 must not be less than "
                                     "default_timeout, which is 30\n");
    config_accepts("max_timeout: 30\n");
    config_refuses("default_startup_timeout: 40\nmax_startup_timeout: 39\n",
                   "default_startup_timeout: 40 must not be more than max_startup_timeout");
    config_accepts("default_startup_timeout: 40\nmax_startup_timeout: 40\n");
    config_refuses("container_limits: {nofile_soft: 300}\n", "nofile_hard, which is 256");
    config_refuses("container_limits: {nofile_hard: 255}\n", "nofile_soft, which is 256");
    config_refuses("container_limits: {nproc_soft: 51}\n", "nproc_hard, which is 50");
    config_accepts("container_limits: {nproc_soft: 60, nproc_hard: 60}\n");
    config_says("security_mode: permissive\n",
                "warning: c.yaml:1:16: security_mode: permissive: jobs run even when a layer of "
                "the sandbox is missing\n");
    config_says("production_mode: true\nsecurity_mode: permissive\n",
                "c.yaml:2:16: security_mode: must be strict, for production_mode is true: jobs "
                "must not run without a layer of the sandbox\n");
    config_refuses("api_auth_enabled: true\n", "is true, so api_keys must have a key");
    config_refuses("server_host: 0.0.0.0\n", "anybody in the network could run jobs");
    config_refuses("server_host: 128.0.0.1\n", "anybody in the network could run jobs");
    config_refuses("server_host: localhost.example.org\n", "anybody in the network could run");
    config_refuses("production_mode: true\nserver_host: 0.0.0.0\n"
                   "allow_unauthenticated_network_access: true\n",
                   "anybody in the network could run jobs");
    config_refuses("server_host: 0.0.0.0\nallow_unauthenticated_network_access: true\n",
                   "warning: c.yaml:1:14: server_host: anybody in the network can run jobs");
    config_says("server_host: LocalHost\n", "c.yaml:1:14: server_host: needs the HTTP server, "
                                            "which this build does not have; leave the key out\n");
    config_says("server_host: '[::1]'\n", "c.yaml:1:14: server_host: needs the HTTP server, which "
                                          "this build does not have; leave the key out\n");
}
END_TEST

/* ---- job types ------------------------------------------------------------------------------ */

START_TEST(a_job_type_has_all_its_fields)
{
    struct config_load l;
    const tako_job_type *t;
    char path[512];

    config_write("lib.py", "");
    config_write("key.txt", "hunter2");
    config_load(&l, "job_types:\n"
                    "  - name: full\n"
                    "    requirements: [numpy>=1.20, 'flask[async]']\n"
                    "    python_version: 3.10\n"
                    "    base_image: ~\n"
                    "    shared_code: [lib.py, /usr]\n"
                    "    environment: {A: 1, B: true, C: 'x y', NO: off}\n"
                    "    memory_limit: 1G\n"
                    "    cpu_limit: 0.5\n"
                    "    timeout: 300\n"
                    "    startup_timeout: 10\n"
                    "    network_enabled: true\n"
                    "    session_enabled: false\n"
                    "    gpu: {enabled: false}\n"
                    "    cpu_timeout: 1.5\n"
                    "    max_attempts: 3\n"
                    "    retry_on: [network_error, interrupted]\n"
                    "    retry_delay: 0.25\n"
                    "    command: [/bin/sh, /code/main.sh]\n"
                    "    file_name: main.sh\n"
                    "    secret_files: {api.key: key.txt}\n"
                    "  - {name: plain}\n");
    ck_assert_msg(l.rc == TAKO_OK, "%s", l.text);
    ck_assert_str_eq(l.text, "warning: c.yaml:12:22: job_types[0].network_enabled: jobs of this "
                             "type reach whatever the host reaches in its network\n");
    ck_assert_uint_eq(tako_config_type_count(l.c), 2);
    t = tako_config_type(l.c, 0);
    ck_assert_uint_eq(t->size, sizeof *t);
    ck_assert_str_eq(t->name, "full");
    ck_assert_uint_eq(t->n_requirements, 2);
    ck_assert_str_eq(t->requirements[0], "numpy>=1.20");
    ck_assert_str_eq(t->requirements[1], "flask[async]");
    ck_assert_str_eq(t->python_version, "3.10");
    ck_assert_uint_eq(t->n_shared_code, 2);
    snprintf(path, sizeof path, "%s/lib.py", config_dir_name);
    ck_assert_str_eq(t->shared_code[0], path);
    ck_assert_str_eq(t->shared_code[1], "/usr");
    ck_assert_uint_eq(t->n_environment, 4);
    ck_assert_str_eq(t->environment[0].name, "A");
    ck_assert_str_eq(t->environment[0].value, "1");
    ck_assert_str_eq(t->environment[1].value, "true");
    ck_assert_str_eq(t->environment[3].name, "NO");
    ck_assert_str_eq(t->environment[3].value, "off");
    ck_assert_int_eq(t->memory_bytes, 1073741824);
    ck_assert_int_eq(t->cpu_percent, 50);
    ck_assert_int_eq(t->timeout_ms, 300000);
    ck_assert_int_eq(t->startup_timeout_ms, 10000);
    ck_assert_int_eq(t->cpu_timeout_ms, 1500);
    ck_assert_int_eq(t->network, 1);
    ck_assert_int_eq(t->max_attempts, 3);
    ck_assert_str_eq(t->retry_on, "network_error,interrupted");
    ck_assert_int_eq(t->retry_delay_ms, 250);
    ck_assert_str_eq(t->command[0], "/bin/sh");
    ck_assert_str_eq(t->command[1], "/code/main.sh");
    ck_assert_ptr_null(t->command[2]);
    ck_assert_str_eq(t->file_name, "main.sh");
    ck_assert_uint_eq(t->n_secret_files, 1);
    ck_assert_str_eq(t->secret_files[0].name, "api.key");
    snprintf(path, sizeof path, "%s/key.txt", config_dir_name);
    ck_assert_str_eq(t->secret_files[0].value, path);
    ck_assert(!strstr(tako_config_json(l.c), "hunter2"));
    t = tako_config_type(l.c, 1);
    ck_assert_ptr_null(t->python_version);
    ck_assert_ptr_null(t->command);
    ck_assert_ptr_null(t->retry_on);
    ck_assert_int_eq(t->memory_bytes, 0);
    ck_assert_int_eq(t->timeout_ms, 0);
    ck_assert_ptr_null(tako_config_type(l.c, 2));
    config_done(&l);
}
END_TEST

/* One field of a type: what is accepted, and what is refused with these words. */
static const struct {
    const char *field, *said; /* NULL = accepted */
} config_fields[] = {
    {"python_version: 3.8", NULL},
    {"python_version: '3.19'", NULL},
    {"python_version: 3.7", "is no version of Python"},
    {"python_version: 3.11.2", "is no version of Python"},
    {"python_version: ~", NULL},
    {"base_image: a b", "is no image"},
    {"base_image: python:3.11", "job types have no image of their own"},
    {"memory_limit: 64m", NULL},
    {"memory_limit: 32g", NULL},
    {"memory_limit: 63m", "is no memory limit"},
    {"memory_limit: 33g", "is no memory limit"},
    {"memory_limit: 512", "is no memory limit"},
    {"memory_limit: ~", "must be a text"},
    {"cpu_limit: 0.1", NULL},
    {"cpu_limit: 16", NULL},
    {"cpu_limit: 0.09", "must be a number from 0.1 to 16.0"},
    {"cpu_limit: 16.01", "must be a number from 0.1 to 16.0"},
    {"cpu_limit: 0.125", "goes in steps of 0.01"},
    {"timeout: 1", NULL},
    {"timeout: 300", NULL},
    {"timeout: 301", "301 must not be more than max_timeout, which is 300"},
    {"timeout: 0", "must be a whole number from 1 to 3600"},
    {"timeout: 3601", "must be a whole number from 1 to 3600"},
    {"startup_timeout: 10", NULL},
    {"startup_timeout: 600", NULL},
    {"startup_timeout: 9", "must be a whole number from 10 to 600"},
    {"startup_timeout: 601", "must be a whole number from 10 to 600"},
    {"cpu_timeout: 0.001", NULL},
    {"cpu_timeout: 86400", NULL},
    {"cpu_timeout: 0", "must be a number from 0.001 to 86400.0"},
    {"cpu_timeout: 86400.001", "must be a number"},
    {"cpu_timeout: ~", NULL},
    {"network_enabled: perhaps", "must be true or false"},
    {"session_enabled: true", "there are no sessions"},
    {"max_attempts: 1", NULL},
    {"max_attempts: 100", NULL},
    {"max_attempts: 0", "must be a whole number from 1 to 100"},
    {"max_attempts: 101", "must be a whole number from 1 to 100"},
    {"retry_delay: 0.1", NULL},
    {"retry_delay: 60", NULL},
    {"retry_delay: 0.09", "must be a number from 0.1 to 60.0"},
    {"retry_delay: 61", "must be a number from 0.1 to 60.0"},
    {"retry_on: [oom, unknown]", NULL},
    {"retry_on: [net_error]", "'net_error' is no error type; did you mean"},
    {"retry_on: [frobnicate]", "is no error type, see"},
    {"retry_on: []", "is empty"},
    {"retry_on: oom", "must be a list of texts"},
    {"retry_on: [[oom]]", "retry_on[0]: must be a text"},
    {"retry_on: ~", NULL},
    {"file_name: main.js", NULL},
    {"file_name: a/b", "is no name of a file"},
    {"file_name: .x", "is no name of a file"},
    {"command: [/bin/sh]", NULL},
    {"command: []", "must begin with the absolute path"},
    {"command: [sh]", "must begin with the absolute path"},
    {"command: sh", "must be a list of texts"},
    {"command: [/bin/sh, {}]", "command[1]: must be a text"},
    {"requirements: [numpy, a b]", "requirements[1]: 'a b' is no requirement"},
    {"requirements: numpy", "must be a list of texts"},
    {"requirements: [~]", "requirements[0]: must be a text"},
    {"requirements: []", NULL},
    {"shared_code: [nowhere]", "there is no such file"},
    {"shared_code: ['']", "must be a path, and it is empty"},
    {"shared_code: [/usr, ./, /bin/../usr/]", "has the same name in /app/shared_code"},
    {"environment: {1a: x}", "environment.1a: the name is no name of a variable"},
    {"environment: {A: 'x$y'}", "environment.A: the value has a backtick, a dollar"},
    {"environment: {A: [x]}", "environment.A: must be a text"},
    {"environment: {A: }", "environment.A: must be a text"},
    {"environment: [A]", "must be a mapping of names to texts"},
    {"secret_files: {a: nowhere}", "there is no such file"},
    {"secret_files: {a: /usr}", "is no regular file"},
    {"secret_files: {.a: c.yaml}", "the name is to be 1-64"},
    {"secret_files: {a/b: c.yaml}", "the name is to be 1-64"},
    {"secret_files: {a: c.yaml}", NULL},
    {"gpu: ~", NULL},
    {"gpu: {enabled: no, vendor: ~}", NULL},
    {"gpu: 3", "must be a mapping"},
    {"gpu: {enabled: true, vendor: nvidia}", "no executor of this build gives jobs a GPU"},
    {"gpu: {enabled: true}", "enabled needs a vendor"},
    {"gpu: {vendor: nvidia}", "need enabled: true"},
    {"gpu: {enabled: true, vendor: intel}", "must be nvidia or amd"},
    {"gpu: {enabled: true, vendor: amd, count: 2}", "count goes with nvidia only"},
    {"gpu: {enabled: true, vendor: nvidia, count: 17}", "must be a whole number from 1 to 16"},
    {"gpu: {enabled: true, vendor: nvidia, count: 1, device_ids: [a]}", "not with device_ids"},
    {"gpu: {enabled: true, vendor: nvidia, device_ids: ['a,b']}", "is no device"},
    {"timeout: &x 5", "anchors"},
    {"timeout: *x", "aliases"},
};

START_TEST(every_field_has_its_bounds)
{
    struct config_load l;
    char text[512];
    size_t i;

    for (i = 0; i < TAKO__LEN(config_fields); i++) {
        snprintf(text, sizeof text, "job_types:\n  - name: a\n    %s\n", config_fields[i].field);
        if (!config_fields[i].said) {
            config_load(&l, text);
            ck_assert_msg(l.rc == TAKO_OK && l.warnings == 0, "%s\ngives\n%s", text, l.text);
            config_done(&l);
        } else {
            config_refuses(text, config_fields[i].said);
        }
    }
}
END_TEST

START_TEST(types_agree_with_the_rest)
{
    char text[4096] = "job_types: [{name: a, requirements: [";
    int i;

    config_accepts("max_timeout: 3600\njob_types: [{name: a, timeout: 3600}]\n");
    config_refuses("job_types: [{name: a, timeout: 20}]\nmax_timeout: 19\ndefault_timeout: 5\n",
                   "c.yaml:1:32: job_types[0].timeout: 20 must not be more than max_timeout");
    config_refuses("max_startup_timeout: 120\njob_types: [{name: a, startup_timeout: 121}]\n",
                   "must not be more than max_startup_timeout, which is 120");
    config_says("job_types:\n  - name: a\n  - name: b\n  - name: a\n",
                "c.yaml:4:11: job_types[2].name: 'a' is the name of job_types[0] already\n");
    config_says("job_types:\n  - name: a\n    environment:\n      API_KEY: hunter2\n",
                "warning: c.yaml:4:16: job_types[0].environment.API_KEY: looks like a secret, "
                "which jobs can read, and so can who reads the definition of the type; put it "
                "into a file and name that in secret_files\n");
    for (i = 0; i < 50; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "p%d, ", i);
    strcat(text, "]}]\n");
    config_accepts(text);
    strcpy(text + strlen(text) - 4, "q]}]\n");
    config_refuses(text, "has 51 entries, and 50 are allowed");
}
END_TEST

/* ---- showing -------------------------------------------------------------------------------- */

struct config_seen {
    int keys;
    char last_section[64];
    char sections[512];
    char workers[16];
};

static int config_see(void *ctx, const char *section, const char *key, const char *value)
{
    struct config_seen *seen = ctx;

    seen->keys++;
    if (strcmp(seen->last_section, section) != 0) {
        snprintf(seen->last_section, sizeof seen->last_section, "%s", section);
        strcat(strcat(seen->sections, section), ";");
    }
    if (strcmp(key, "max_workers") == 0)
        snprintf(seen->workers, sizeof seen->workers, "%s", value);
    if (strcmp(key, "store") == 0)
        ck_assert_str_eq(value, "sqlite:/d/tako.db");
    if (strcmp(key, "dependency_proxy_url") == 0)
        ck_assert_str_eq(value, "http://u:***@h:1");
    return strcmp(key, "wheel_dir") == 0 ? 7 : 0;
}

START_TEST(what_is_shown_has_no_secret)
{
    struct config_seen seen;
    struct config_load l;
    const char *json;

    memset(&seen, 0, sizeof seen);
    config_load(&l, "data_dir: /d\nmax_workers: 7\ndependency_proxy_url: http://u:hunter2@h:1\n"
                    "package_index_url: https://hunter2@h/simple\n"
                    "container_limits: {tmpfs_size: 50M}\n"
                    "job_types:\n  - name: a\n    environment: {API_KEY: hunter2, X: y}\n"
                    "    retry_on: [oom, killed]\n    memory_limit: 2048m\n    cpu_limit: 1.25\n");
    ck_assert_msg(l.rc == TAKO_OK, "%s", l.text);
    json = tako_config_json(l.c);
    ck_assert(!strstr(json, "hunter2"));
    ck_assert(strncmp(json, "{\n  \"production_mode\": false,\n  \"log_level\": \"INFO\",\n", 50) ==
              0);
    ck_assert_ptr_nonnull(strstr(json, "\n  \"data_dir\": \"/d\",\n  \"data_dir_str\": \"/d\",\n"));
    ck_assert_ptr_nonnull(strstr(json, "\n  \"seccomp_profile_path_str\": null,\n"));
    ck_assert_ptr_nonnull(strstr(json, "\n  \"package_index_url\": \"https://***@h/simple\",\n"));
    ck_assert_ptr_nonnull(strstr(json, "\n  \"container_limits\": {\n    \"nofile_soft\": 256,\n"));
    ck_assert_ptr_nonnull(strstr(json, "    \"tmpfs_size\": \"50m\"\n  },\n"));
    ck_assert_ptr_nonnull(strstr(json, "      \"environment\": {\n        \"API_KEY\": \"***\",\n"
                                       "        \"X\": \"y\"\n      },\n"
                                       "      \"memory_limit\": \"2g\",\n"
                                       "      \"cpu_limit\": 1.25,\n      \"timeout\": 30,\n"));
    ck_assert_ptr_nonnull(strstr(json, "      \"retry_on\": [\n        \"oom\",\n        \"killed\""
                                       "\n      ],\n      \"retry_delay\": 1.0,\n"));
    ck_assert_int_eq(tako_config_each(l.c, config_see, &seen), 7);
    ck_assert_str_eq(seen.workers, "7");
    ck_assert_str_eq(seen.sections,
                     "Mode;Server;Paths;Queue & Workers;Limits;Container Limits;Docker;"
                     "Dependencies;");
    ck_assert_int_eq(seen.keys, 57);
    config_done(&l);
    ck_assert_int_eq(tako_config_each(NULL, config_see, &seen), 0);
}
END_TEST

/* ---- want of memory, and rubbish ------------------------------------------------------------ */

static const char config_sample[] =
    "# a comment\nproduction_mode: true\nlog_level: warning\nmax_workers: 8\nstore: sqlite:x.db\n"
    "dependency_proxy_url: http://u:p@h:1\ncontainer_limits: {tmpfs_size: 50m, fsize: 2000000}\n"
    "job_types:\n  - name: a\n    requirements: [numpy, \"x>=1\"]\n    shared_code: [/usr]\n"
    "    environment: {A: 'b', C: 1.5}\n    retry_on: [oom, killed]\n    command: [/bin/sh]\n"
    "    secret_files: {k: c.yaml}\n    cpu_limit: 0.5\n    gpu: {enabled: false}\n"
    "  - {name: b, memory_limit: 1g, python_version: 3.9, timeout: 1:40}\n";

START_TEST(want_of_memory_is_told_and_leaves_nothing)
{
    struct fault_alloc f;
    tako_allocator alloc;
    tako_config *c = NULL;
    tako_error err;
    long n;
    int rc = TAKO_ENOMEM;

    config_write("c.yaml", config_sample);
    for (n = 0; n < 2000 && rc != TAKO_OK; n++) {
        fault_alloc_init(&f);
        f.fail_at = n;
        alloc = fault_alloc_use(&f);
        rc = tako_config_load(&c, "c.yaml", &alloc, NULL, NULL, &err);
        ck_assert_msg(rc == TAKO_OK || rc == TAKO_ENOMEM, "%ld: %s", n, err.message);
        ck_assert((rc == TAKO_OK) == (c != NULL));
        tako_config_free(c);
        ck_assert_int_eq(f.live_blocks, 0);
    }
    ck_assert_int_eq(rc, TAKO_OK);
    ck_assert_int_gt(n, 50);
}
END_TEST

static unsigned config_random(unsigned *state)
{
    *state = *state * 1103515245u + 12345u;
    return *state >> 16;
}

/* Bytes changed, left out, put in, repeated: it is read or refused, and nothing leaks. */
START_TEST(rubbish_is_refused_in_peace)
{
    static const char marks[] = "{}[]:,-&*!|>'\"%@`#?~\n\t 0.e+x\\\xFF\xC3\x01";
    const size_t len = sizeof config_sample - 1;
    unsigned state = 20240131;
    struct config_load l;
    char text[4096];
    int round;

    for (round = 0; round < 3000; round++) {
        unsigned changes = 1 + config_random(&state) % 4;
        size_t n = len, at, piece;
        FILE *f;

        memcpy(text, config_sample, len);
        for (; changes > 0; changes--) {
            at = config_random(&state) % n;
            piece = config_random(&state) % 40;
            switch (config_random(&state) % 4) {
            case 0:
                text[at] = marks[config_random(&state) % (sizeof marks - 1)];
                break;
            case 1:
                piece = at + piece < n ? piece : n - at - 1;
                memmove(text + at, text + at + piece, n - at - piece);
                n -= piece;
                break;
            case 2:
                memmove(text + at + 1, text + at, n - at);
                text[at] = marks[config_random(&state) % (sizeof marks - 1)];
                n++;
                break;
            default:
                piece = at + piece < n ? piece : n - at;
                memmove(text + at + piece, text + at, n - at);
                n += piece;
                break;
            }
        }
        f = fopen("c.yaml", "w");
        ck_assert_ptr_nonnull(f);
        fwrite(text, 1, n, f);
        fclose(f);
        config_load_path(&l, "c.yaml");
        ck_assert_msg(l.rc == TAKO_OK || (l.rc == TAKO_EINVAL && l.errors > 0), "round %d: %s",
                      round, l.err.message);
        config_done(&l);
    }
}
END_TEST

static TCase *config_case(Suite *s, const char *name)
{
    TCase *tc = tcase_create(name);

    tcase_add_unchecked_fixture(tc, config_dir_make, config_dir_remove);
    tcase_add_checked_fixture(tc, config_enter, NULL);
    tcase_set_timeout(tc, 120);
    suite_add_tcase(s, tc);
    return tc;
}

Suite *suite_config(void)
{
    Suite *s = suite_create("config");
    TCase *tc = config_case(s, "keys");

    tcase_add_test(tc, numbers_have_defaults_bounds_and_a_place);
    tcase_add_test(tc, keys_of_absent_parts_are_checked_and_refused);
    tcase_add_test(tc, what_never_changes_may_be_said_but_not_denied);
    tcase_add_test(tc, texts_go_to_their_places);
    tcase_add_test(tc, levels_are_those_of_the_log);
    tcase_add_test(tc, values_are_read_leniently);
    tc = config_case(s, "problems");
    tcase_add_test(tc, unknown_keys_are_refused_with_the_nearest_name);
    tcase_add_test(tc, all_problems_are_told_at_once);
    tcase_add_test(tc, no_secret_is_in_any_text);
    tc = config_case(s, "files");
    tcase_add_test(tc, a_file_that_cannot_be_read_is_an_error);
    tcase_add_test(tc, files_are_searched_in_order);
    tcase_add_test(tc, the_data_directory_is_the_users_own);
    tc = config_case(s, "variables");
    tcase_add_test(tc, variables_win);
    tcase_add_test(tc, wrong_variables_are_named);
    tcase_add_test(tc, without_a_file_all_is_default);
    tcase_add_test(tc, the_file_can_be_asked_for);
    tcase_add_test(tc, an_engine_is_opened_with_it);
    tcase_add_test(tc, keys_agree_with_each_other);
    tc = config_case(s, "types");
    tcase_add_test(tc, a_job_type_has_all_its_fields);
    tcase_add_test(tc, every_field_has_its_bounds);
    tcase_add_test(tc, types_agree_with_the_rest);
    tc = config_case(s, "showing");
    tcase_add_test(tc, what_is_shown_has_no_secret);
    tc = config_case(s, "rough");
    tcase_add_test(tc, want_of_memory_is_told_and_leaves_nothing);
    tcase_add_test(tc, rubbish_is_refused_in_peace);
    return s;
}
