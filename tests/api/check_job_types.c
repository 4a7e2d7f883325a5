/* check_job_types.c - job types: every rule of a definition, digests, versions and how jobs are pinned to
 * them, and programs of other languages than Python.
 * SPDX-License-Identifier: MIT */
#include "../support/sandbox.h"
#include "api_util.h"

#include <fcntl.h>
#include <sys/stat.h>

Suite *suite_job_types(void);

#define DEFAULT_DIGEST "52f275d9d66ce04aa181436783f11ebf59478911351fe9bcc5af3c80c6aa0f43"

struct types_seen {
    int n;
    char type[16][65], tag[16][65], digest[16][65];
    char definition[2000];
};

static int types_see(void *ctx, const tako_version_info *info)
{
    struct types_seen *s = ctx;

    ck_assert_int_lt(s->n, 16);
    (void)snprintf(s->type[s->n], 65, "%s", info->type);
    (void)snprintf(s->tag[s->n], 65, "%s", info->tag);
    (void)snprintf(s->digest[s->n], 65, "%s", info->digest);
    (void)snprintf(s->definition, sizeof s->definition, "%.*s", (int)info->definition_len,
                   info->definition);
    s->n++;
    return 0;
}

static int types_stop(void *ctx, const tako_version_info *info)
{
    (void)info;
    ++*(int *)ctx;
    return 42;
}

START_TEST(three_types_are_shipped_with_the_digests_of_the_contract)
{
    tako *t = api_open(NULL, 0);
    struct types_seen seen;
    tako_error err = {0, 0, ""};
    int calls = 0;

    memset(&seen, 0, sizeof seen);
    OK(tako_types(t, NULL, types_see, &seen, &err));
    ck_assert_int_eq(seen.n, 3);
    ck_assert_str_eq(seen.type[0], "default");
    ck_assert_str_eq(seen.digest[0], DEFAULT_DIGEST);
    ck_assert_str_eq(seen.type[1], "data-processing");
    ck_assert_str_eq(seen.digest[1],
                     "f88339f5750f229275ae2cbb6199918d607b6b26a3885a10ebbb0b2d64e89900");
    ck_assert_str_eq(seen.type[2], "ml-inference");
    ck_assert_str_eq(seen.digest[2],
                     "54007aae4f4ce6c691abd283fc7c9e5ec7b0e6955789f6b345e877a5662dbcb0");
    seen.n = 0;
    OK(tako_types(t, "ml-inference", types_see, &seen, &err));
    ck_assert_int_eq(seen.n, 1);
    ck_assert_ptr_nonnull(strstr(seen.definition, "\"memory_bytes\":2147483648"));
    FAILS(tako_types(t, "none", types_see, &seen, &err), TAKO_ENOTFOUND, "no job type 'none'");
    ck_assert_int_eq(tako_types(t, NULL, types_stop, &calls, &err), 42);
    ck_assert_int_eq(calls, 1);
    tako_close(t);
}
END_TEST

/* ---- the rules ---- */

static const char *const types_two[] = {"numpy", "pandas>=1.0"};
static const char *const types_bad[] = {"numpy", "git+https://x"};
static const char *const types_many[51] = {
    "a", "a", "a", "a", "a", "a", "a", "a", "a", "a", "a", "a", "a", "a", "a", "a", "a",
    "a", "a", "a", "a", "a", "a", "a", "a", "a", "a", "a", "a", "a", "a", "a", "a", "a",
    "a", "a", "a", "a", "a", "a", "a", "a", "a", "a", "a", "a", "a", "a", "a", "a", "a"};
static const char *const types_paths[] = {"lib/x"};
static const char *const types_no_base[] = {"/srv/lib/"};
static const char *const types_dots[] = {"/srv/lib/.."};
static const char *const types_same_base[] = {"/srv/lib", "/opt/lib"};
static const tako_pair types_env_name[] = {{"1A", "x"}};
static const tako_pair types_env_value[] = {{"A", "$HOME"}};
static const tako_pair types_env_twice[] = {{"A", "x"}, {"A", "y"}};
static const tako_pair types_secret_path[] = {{"token", "etc/token"}};
static const tako_pair types_secret_name[] = {{"../token", "/etc/token"}};
static const char *const types_command[] = {"sh", NULL};
static const char *const types_sh[] = {"/bin/sh", NULL};
static const char *const types_none[] = {NULL};

#define TYPES_BAD(words, ...)                          \
    {                                                  \
        words,                                         \
        {                                              \
            .size = sizeof(tako_job_type), __VA_ARGS__ \
        }                                              \
    }

static const struct {
    const char *words;
    tako_job_type type;
} types_wrong[] = {
    TYPES_BAD("name: '(NULL)'", .name = NULL),
    TYPES_BAD("name: 'a b'", .name = "a b"),
    TYPES_BAD("name: '--'", .name = "--"),
    TYPES_BAD("requirements[1]: 'git+https://x'", .name = "x", .requirements = types_bad,
              .n_requirements = 2),
    TYPES_BAD("requirements: NULL, but", .name = "x", .n_requirements = 1),
    TYPES_BAD("requirements: 51, more than the 50", .name = "x", .requirements = types_many,
              .n_requirements = 51),
    TYPES_BAD("shared_code[0]: '/srv/lib/': does not end with a name", .name = "x",
              .shared_code = types_no_base, .n_shared_code = 1),
    TYPES_BAD("shared_code[0]: '/srv/lib/..': does not end with a name", .name = "x",
              .shared_code = types_dots, .n_shared_code = 1),
    TYPES_BAD("shared_code[1]: '/opt/lib': ends with the same name", .name = "x",
              .shared_code = types_same_base, .n_shared_code = 2),
    TYPES_BAD("shared_code[0]: 'lib/x': no absolute path", .name = "x", .shared_code = types_paths,
              .n_shared_code = 1),
    TYPES_BAD("environment[0]: '1A'", .name = "x", .environment = types_env_name,
              .n_environment = 1),
    TYPES_BAD("environment[0]: 'A'", .name = "x", .environment = types_env_value,
              .n_environment = 1),
    TYPES_BAD("environment[1]: 'A': named twice", .name = "x", .environment = types_env_twice,
              .n_environment = 2),
    TYPES_BAD("secret_files[0]: 'token': no absolute path", .name = "x",
              .secret_files = types_secret_path, .n_secret_files = 1),
    TYPES_BAD("secret_files[0]: '../token'", .name = "x", .secret_files = types_secret_name,
              .n_secret_files = 1),
    TYPES_BAD("command[0]: 'sh': no absolute path", .name = "x", .command = types_command),
    TYPES_BAD("command: empty", .name = "x", .command = types_none),
    TYPES_BAD("file_name: 'a/b'", .name = "x", .file_name = "a/b"),
    TYPES_BAD("python_version: '3.7'", .name = "x", .python_version = "3.7"),
    TYPES_BAD("python_version: '3.11' has no effect beside a command", .name = "x",
              .python_version = "3.11", .command = types_sh),
    TYPES_BAD("memory_bytes: 67108863", .name = "x", .memory_bytes = TAKO_MEMORY_MIN - 1),
    TYPES_BAD("memory_bytes: 34359738369", .name = "x", .memory_bytes = TAKO_MEMORY_MAX + 1),
    TYPES_BAD("cpu_percent: 9, not in 10-1600", .name = "x", .cpu_percent = 9),
    TYPES_BAD("cpu_percent: 1601", .name = "x", .cpu_percent = 1601),
    TYPES_BAD("timeout_ms: 86400001", .name = "x", .timeout_ms = 86400001),
    TYPES_BAD("timeout_ms: -1", .name = "x", .timeout_ms = -1),
    TYPES_BAD("startup_timeout_ms: 999", .name = "x", .startup_timeout_ms = 999),
    TYPES_BAD("startup_timeout_ms: 600001", .name = "x", .startup_timeout_ms = 600001),
    TYPES_BAD("cpu_timeout_ms: -5", .name = "x", .cpu_timeout_ms = -5),
    TYPES_BAD("max_attempts: 101", .name = "x", .max_attempts = 101),
    TYPES_BAD("retry_on: 'bad_luck'", .name = "x", .retry_on = "bad_luck"),
    TYPES_BAD("retry_delay_ms: 60001", .name = "x", .retry_delay_ms = 60001),
    TYPES_BAD("network: 2", .name = "x", .network = 2),
    TYPES_BAD("is the name of a handler", .name = "handled"),
};

START_TEST(every_rule_of_a_definition_has_its_own_message)
{
    tako *t = api_open(NULL, 0);
    tako_job_type type = TAKO_JOB_TYPE_INIT;
    struct types_seen seen;
    tako_error err = {0, 0, ""};
    size_t i;
    int rc;

    OK(tako_register_handler(t, "handled", api_echo, NULL, NULL, &err));
    for (i = 0; i < sizeof types_wrong / sizeof *types_wrong; i++) {
        rc = tako_define_type(t, &types_wrong[i].type, &err);
        ck_assert_msg(rc == TAKO_EINVAL || rc == TAKO_ECONFLICT, "'%s' gave %d",
                      types_wrong[i].words, rc);
        ck_assert_msg(strstr(err.message, types_wrong[i].words) != NULL, "no '%s' in: %s",
                      types_wrong[i].words, err.message);
    }
    type.size = 1;
    FAILS(tako_define_type(t, &type, &err), TAKO_EINVAL, "type.size");
    FAILS(tako_define_type(t, NULL, &err), TAKO_EINVAL, "type is NULL");
    memset(&seen, 0, sizeof seen);
    OK(tako_types(t, NULL, types_see, &seen, &err));
    ck_assert_int_eq(seen.n, 3);
    FAILS(tako_register_handler(t, "ml-inference", api_echo, NULL, NULL, &err), TAKO_ECONFLICT,
          "ml-inference");
    tako_close(t);
}
END_TEST

/* ---- versions ---- */

static tako_id types_submit(tako *t, const char *type, tako_error *err)
{
    tako_job job = TAKO_JOB_INIT;
    tako_id id = {""};

    job.type = type;
    job.code = "print(1)";
    ck_assert_msg(tako_submit(t, &job, &id, err) == TAKO_OK, "%s", err->message);
    return id;
}

static void types_version(tako *t, const char *id, char out[100])
{
    tako_record *rec = NULL;
    tako_error err = {0, 0, ""};

    OK(tako_get(t, id, &rec, &err));
    (void)snprintf(out, 100, "%s", tako_record_version(rec));
    tako_record_free(rec);
}

START_TEST(jobs_are_pinned_to_the_version_they_were_submitted_with)
{
    struct api_dir dir;
    tako_job_type type = TAKO_JOB_TYPE_INIT;
    static const tako_pair one[] = {{"MODE", "one"}}, two[] = {{"MODE", "two"}};
    struct types_seen seen;
    tako_error err = {0, 0, ""};
    tako_job job = TAKO_JOB_INIT;
    tako_record *rec = NULL;
    char first[100], second[100], ref[200];
    tako_id a, b, c, again;
    tako *t;

    api_dir_make(&dir);
    t = api_open(dir.uri, 0);
    type.name = "mine";
    type.environment = one;
    type.n_environment = 1;
    type.memory_bytes = 134217728;
    type.timeout_ms = 1234;
    OK(tako_define_type(t, &type, &err));
    OK(tako_build(t, "mine", "v1", NULL, NULL, &err));
    a = types_submit(t, "mine", &err);
    type.environment = two;
    type.memory_bytes = 268435456;
    type.timeout_ms = 4321;
    OK(tako_define_type(t, &type, &err));
    b = types_submit(t, "mine@latest", &err);
    c = types_submit(t, "mine@v1", &err);
    types_version(t, a.text, first);
    types_version(t, b.text, second);
    ck_assert_str_ne(first, second);
    ck_assert_int_eq(strncmp(first, "mine@sha256:", 12), 0);
    ck_assert_uint_eq(strlen(first), 24);
    types_version(t, c.text, second);
    ck_assert_str_eq(first, second);
    /* the limits of a job are those of its version at that time */
    OK(tako_get(t, a.text, &rec, &err));
    ck_assert_int_eq(tako_record_memory_bytes(rec), 134217728);
    ck_assert_int_eq(tako_record_timeout_ms(rec), 1234);
    tako_record_free(rec);
    OK(tako_get(t, c.text, &rec, &err));
    ck_assert_int_eq(tako_record_timeout_ms(rec), 1234);
    tako_record_free(rec);
    /* listed, newest first; found by digest; the pin is inherited */
    memset(&seen, 0, sizeof seen);
    OK(tako_versions(t, "mine", types_see, &seen, &err));
    ck_assert_int_eq(seen.n, 2);
    ck_assert_str_eq(seen.tag[0], "");
    ck_assert_str_eq(seen.tag[1], "v1");
    (void)snprintf(ref, sizeof ref, "mine@sha256:%.12s", seen.digest[1]);
    again = types_submit(t, ref, &err);
    types_version(t, again.text, second);
    ck_assert_str_eq(first, second);
    OK(tako_cancel(t, a.text, &err));
    tako_close(t);
    /* another engine, which was never told of the first definition */
    t = api_open(dir.uri, 0);
    OK(tako_define_type(t, &type, &err));
    OK(tako_rerun(t, a.text, NULL, &again, &err));
    types_version(t, again.text, second);
    ck_assert_str_eq(first, second);
    again = types_submit(t, "mine@v1", &err);
    types_version(t, again.text, second);
    ck_assert_str_eq(first, second);

    job.code = "print(1)";
    job.type = "mine@v2";
    FAILS(tako_submit(t, &job, &again, &err), TAKO_ENOTFOUND, "'mine' has no version 'v2'");
    job.type = "mine@sha256:0123456789ab";
    FAILS(tako_submit(t, &job, &again, &err), TAKO_ENOTFOUND, "has no version");
    job.type = "mine@sha256:0123456789a";
    FAILS(tako_submit(t, &job, &again, &err), TAKO_EINVAL, "12-64 hex digits");
    job.type = "mine@sha256:0123456789AB";
    FAILS(tako_submit(t, &job, &again, &err), TAKO_EINVAL, "12-64 hex digits");
    job.type = "mine@a b";
    FAILS(tako_submit(t, &job, &again, &err), TAKO_EINVAL, "type: 'mine@a b'");
    job.type = "nobody@v1";
    FAILS(tako_submit(t, &job, &again, &err), TAKO_ENOTFOUND, "no job type 'nobody'");
    FAILS(tako_build(t, "mine", "latest", NULL, NULL, &err), TAKO_EINVAL, "tag 'latest'");
    FAILS(tako_build(t, "nobody", NULL, NULL, NULL, &err), TAKO_ENOTFOUND, "no job type 'nobody'");
    tako_close(t);
    api_dir_remove(&dir);
}
END_TEST

static void types_timeout(tako *t, const char *type, int64_t timeout_ms)
{
    tako_error err = {0, 0, ""};
    tako_record *rec = NULL;
    tako_id id = types_submit(t, type, &err);

    OK(tako_get(t, id.text, &rec, &err));
    ck_assert_int_eq(tako_record_timeout_ms(rec), timeout_ms);
    tako_record_free(rec);
}

START_TEST(a_type_defined_again_with_other_limits_has_them_under_the_same_digest)
{
    struct api_dir dir;
    tako_job_type type = TAKO_JOB_TYPE_INIT;
    tako_error err = {0, 0, ""};
    struct types_seen seen;
    tako *t;

    api_dir_make(&dir);
    t = api_open(dir.uri, 0);
    types_timeout(t, "default", 30000);
    OK(tako_build(t, "default", "v1", NULL, NULL, &err));
    type.name = "default";
    type.timeout_ms = 4321;
    OK(tako_define_type(t, &type, &err));
    memset(&seen, 0, sizeof seen);
    OK(tako_types(t, "default", types_see, &seen, &err));
    ck_assert_str_eq(seen.digest[0], DEFAULT_DIGEST);
    ck_assert_ptr_nonnull(strstr(seen.definition, "\"timeout_ms\":4321"));
    types_timeout(t, NULL, 4321);
    types_timeout(t, "default@latest", 4321);
    type.timeout_ms = 0; /* and back */
    OK(tako_define_type(t, &type, &err));
    types_timeout(t, "default", 30000);
    type.timeout_ms = 1234;
    OK(tako_define_type(t, &type, &err));
    types_timeout(t, "default", 1234);
    tako_close(t);
    /* the store has the last one, and its tag is kept */
    t = api_open(dir.uri, 0);
    types_timeout(t, "default@v1", 1234);
    types_timeout(t, "default", 30000);
    tako_close(t);
    api_dir_remove(&dir);
}
END_TEST

START_TEST(a_waiting_job_runs_as_it_was_submitted_whatever_becomes_of_its_type)
{
    tako *t = sandbox_open(0);
    static const tako_pair one[] = {{"MODE", "one"}}, two[] = {{"MODE", "two"}};
    tako_job_type type = TAKO_JOB_TYPE_INIT;
    tako_job job = TAKO_JOB_INIT;
    tako_error err = {0, 0, ""};
    tako_record *rec = NULL;
    tako_id a, b;

    if (!t)
        return;
    type.name = "mine";
    type.environment = one;
    type.n_environment = 1;
    OK(tako_define_type(t, &type, &err));
    job.type = "mine";
    job.code = "import os\nprint(os.environ['MODE'])";
    OK(tako_submit(t, &job, &a, &err));
    type.environment = two;
    OK(tako_define_type(t, &type, &err));
    OK(tako_submit(t, &job, &b, &err));
    OK(tako_wait(t, a.text, 20000, &rec, &err));
    ck_assert_str_eq(tako_record_stdout(rec, NULL), "one\n");
    tako_record_free(rec);
    OK(tako_wait(t, b.text, 20000, &rec, &err));
    ck_assert_str_eq(tako_record_stdout(rec, NULL), "two\n");
    tako_record_free(rec);
    tako_close(t);
}
END_TEST

/* ---- programs ---- */

static void types_write(const char *dir, const char *name, const char *text, mode_t mode)
{
    char path[400];
    int fd;

    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    ck_assert_int_eq(fchmod(fd, mode), 0);
    (void)close(fd);
}

static void types_prints(tako *t, tako_job_type *type, const char *code, const char *expected)
{
    tako_job job = TAKO_JOB_INIT;
    tako_error err = {0, 0, ""};
    tako_record *rec;

    OK(tako_define_type(t, type, &err));
    job.type = type->name;
    job.timeout_ms = 20000;
    job.input = "{\"n\":7}";
    rec = sandbox_run_job(t, code, &job);
    ck_assert_msg(tako_record_status(rec) == TAKO_SUCCEEDED, "%s\n%s",
                  tako_record_error_message(rec), tako_record_stderr(rec, NULL));
    ck_assert_str_eq(tako_record_stdout(rec, NULL), expected);
    tako_record_free(rec);
}

START_TEST(other_languages_than_python)
{
    tako *t = sandbox_open(1);
    static const char *const shell[] = {"/bin/sh", "/code/job.sh", "an argument", NULL};
    static const char *const awk[] = {"/usr/bin/awk", "-f", "/code/main.awk", "/input/data.json",
                                      NULL};
    static const char *const node[] = {"/usr/bin/node", "/code/main.js", NULL};
    tako_job_type type = TAKO_JOB_TYPE_INIT, other = TAKO_JOB_TYPE_INIT, js = TAKO_JOB_TYPE_INIT;

    if (!t)
        return;
    type.name = "shell";
    type.command = shell;
    type.file_name = "job.sh";
    types_prints(t, &type, "echo \"$1 of $(cat /input/data.json)\"; ls /code\n",
                 "an argument of {\"n\":7}\njob.sh\n");
    other.name = "awk";
    other.command = awk;
    other.file_name = "main.awk";
    types_prints(t, &other, "{ print length($0) }", "7\n");
    js.name = "node";
    js.command = node;
    js.file_name = "main.js";
    if (access(node[0], X_OK) == 0)
        types_prints(t, &js, "console.log(require('fs').readFileSync('/input/data.json', 'utf8'))",
                     "{\"n\":7}\n");
    else
        skip_or_fail("node", "there is no /usr/bin/node");
    tako_close(t);
}
END_TEST

START_TEST(shared_code_and_secrets_are_there_and_secrets_are_nowhere_else)
{
    struct api_dir dir;
    tako *t = sandbox_open(1);
    char module[300], program[300], token[300], missing[300];
    const char *shared[2];
    tako_pair secrets[1];
    static const char *const command[] = {"/app/shared_code/tool.sh", NULL};
    tako_job_type type = TAKO_JOB_TYPE_INIT, tool = TAKO_JOB_TYPE_INIT;
    tako_job job = TAKO_JOB_INIT;
    tako_error err = {0, 0, ""};
    tako_record *rec;
    char *json = NULL;

    if (!t)
        return;
    api_dir_make(&dir);
    ck_assert_int_eq(chmod(dir.path, 0755), 0);
    types_write(dir.path, "helper.py", "def answer():\n    return 42\n", 0644);
    types_write(dir.path, "tool.sh", "#!/bin/sh\necho a program of its own\n", 0755);
    types_write(dir.path, "token", "s3cr3t-token-value", 0600);
    (void)snprintf(module, sizeof module, "%s/helper.py", dir.path);
    (void)snprintf(program, sizeof program, "%s/tool.sh", dir.path);
    (void)snprintf(token, sizeof token, "%s/token", dir.path);
    (void)snprintf(missing, sizeof missing, "%s/missing", dir.path);
    shared[0] = module;
    shared[1] = program;
    secrets[0] = (tako_pair){"api-token", token};
    type.name = "helped";
    type.shared_code = shared;
    type.n_shared_code = 2;
    type.secret_files = secrets;
    type.n_secret_files = 1;
    types_prints(t, &type,
                 "import helper, os\nprint(helper.answer())\n"
                 "p = '/run/secrets/api-token'\n"
                 "print(len(open(p).read()), oct(os.stat(p).st_mode & 0o777))\n"
                 "print([k for k in os.environ if 's3cr3t' in os.environ[k]])\n"
                 "try: open('/app/shared_code/helper.py', 'w')\n"
                 "except OSError as e: print(e.errno in (13, 30))\n",
                 "42\n18 0o400\n[]\nTrue\n");
    tool.name = "tool";
    tool.shared_code = shared;
    tool.n_shared_code = 2;
    tool.command = command;
    types_prints(t, &tool, "not needed", "a program of its own\n");

    /* a secret is in no record; one that cannot be read stops the job before it begins */
    job.type = "helped";
    rec = sandbox_run_job(t, "print('x')", &job);
    OK(tako_record_json(t, rec, 1, &json, &err));
    ck_assert_ptr_null(strstr(json, "s3cr3t"));
    ck_assert_ptr_null(strstr(json, "api-token"));
    tako_free(t, json);
    tako_record_free(rec);
    secrets[0].value = missing;
    OK(tako_define_type(t, &type, &err));
    rec = sandbox_run_job(t, "print('x')", &job);
    ck_assert_int_eq(tako_record_status(rec), TAKO_FAILED);
    ck_assert_str_eq(tako_record_error_type(rec), "config_error");
    ck_assert_str_eq(tako_record_error_phase(rec) ? tako_record_error_phase(rec) : "startup",
                     "startup");
    ck_assert_ptr_nonnull(strstr(tako_record_error_message(rec), "api-token"));
    ck_assert_str_eq(tako_record_stdout(rec, NULL), "");
    tako_record_free(rec);
    tako_close(t);
    api_dir_remove(&dir);
}
END_TEST

START_TEST(a_command_that_is_not_there_is_a_clear_error)
{
    tako *t = sandbox_open(1);
    static const char *const command[] = {"/usr/bin/no-such-program", NULL};
    tako_job_type type = TAKO_JOB_TYPE_INIT;
    tako_job job = TAKO_JOB_INIT;
    tako_error err = {0, 0, ""};
    tako_record *rec;

    if (!t)
        return;
    type.name = "broken";
    type.command = command;
    OK(tako_define_type(t, &type, &err));
    job.type = "broken";
    rec = sandbox_run_job(t, "x", &job);
    ck_assert_int_eq(tako_record_status(rec), TAKO_FAILED);
    ck_assert_str_eq(tako_record_error_type(rec), "config_error");
    ck_assert_ptr_nonnull(strstr(tako_record_error_message(rec), "no-such-program"));
    ck_assert_int_eq(tako_record_attempt(rec), 1);
    tako_record_free(rec);
    tako_close(t);
}
END_TEST

static void types_log(void *ctx, tako_level level, const char *module, const char *message)
{
    if (level == TAKO_LOG_WARN && strcmp(module, "type") == 0 && strstr(message, "API_KEY") &&
        strstr(message, "secret_files") && !strstr(message, "abcdef0123"))
        ++*(int *)ctx;
}

START_TEST(a_variable_that_looks_like_a_secret_is_warned_of)
{
    static const tako_pair secret[] = {{"MODE", "x"}, {"API_KEY", "abcdef0123"}};
    tako_options opts = TAKO_OPTIONS_INIT;
    tako_job_type type = TAKO_JOB_TYPE_INIT;
    tako_error err = {0, 0, ""};
    int warned = 0;
    tako *t = NULL;

    opts.workers = 0;
    opts.log = types_log;
    opts.log_ctx = &warned;
    OK(tako_open(&t, &opts, &err));
    type.name = "mine";
    type.environment = secret;
    type.n_environment = 1;
    OK(tako_define_type(t, &type, &err));
    ck_assert_int_eq(warned, 0);
    type.n_environment = 2;
    OK(tako_define_type(t, &type, &err));
    ck_assert_int_eq(warned, 1);
    tako_close(t);
}
END_TEST

START_TEST(requirements_need_leave_and_a_place)
{
    tako *t = api_open(NULL, 0);
    tako_options opts = TAKO_OPTIONS_INIT;
    tako_job job = TAKO_JOB_INIT;
    tako_error err = {0, 0, ""};
    tako_id id;

    job.code = "print(1)";
    job.type = "data-processing";
    FAILS(tako_submit(t, &job, &id, &err), TAKO_EINVAL, "has no data_dir");
    job.type = NULL;
    job.requirements = types_two;
    job.n_requirements = 2;
    FAILS(tako_submit(t, &job, &id, &err), TAKO_EINVAL, "allow_requirements is 0");
    tako_close(t);
    opts.workers = 0;
    opts.allow_requirements = 1;
    OK(tako_open(&t, &opts, &err));
    FAILS(tako_submit(t, &job, &id, &err), TAKO_EINVAL, "has no data_dir");
    job.requirements = types_bad;
    FAILS(tako_submit(t, &job, &id, &err), TAKO_EINVAL, "requirements[1]: 'git+https://x'");
    job.requirements = types_many;
    job.n_requirements = 51;
    FAILS(tako_submit(t, &job, &id, &err), TAKO_EINVAL, "more than the 50");
    job.requirements = NULL;
    FAILS(tako_submit(t, &job, &id, &err), TAKO_EINVAL, "requirements: NULL");
    tako_close(t);
}
END_TEST

Suite *suite_job_types(void)
{
    Suite *s = suite_create("job_types");
    TCase *c = tcase_create("job_types");

    tcase_set_timeout(c, 60);
    tcase_add_test(c, three_types_are_shipped_with_the_digests_of_the_contract);
    tcase_add_test(c, every_rule_of_a_definition_has_its_own_message);
    tcase_add_test(c, jobs_are_pinned_to_the_version_they_were_submitted_with);
    tcase_add_test(c, a_type_defined_again_with_other_limits_has_them_under_the_same_digest);
    tcase_add_test(c, a_waiting_job_runs_as_it_was_submitted_whatever_becomes_of_its_type);
    tcase_add_test(c, other_languages_than_python);
    tcase_add_test(c, shared_code_and_secrets_are_there_and_secrets_are_nowhere_else);
    tcase_add_test(c, a_command_that_is_not_there_is_a_clear_error);
    tcase_add_test(c, a_variable_that_looks_like_a_secret_is_warned_of);
    tcase_add_test(c, requirements_need_leave_and_a_place);
    suite_add_tcase(s, c);
    return s;
}
