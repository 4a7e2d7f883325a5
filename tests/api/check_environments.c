/* check_environments.c - requirements: installed once, in a sandbox of their own, from a directory of
 * wheels or an index; seen read-only by jobs that have no network; failures are told apart.
 * SPDX-License-Identifier: MIT */
#include "../support/sandbox.h"
#include "api_util.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/stat.h>

Suite *suite_environments(void);

#define PYTHON "/usr/bin/python3"

struct env_bench {
    char top[300], data[320], wheels[320];
    tako *t;
    int made; /* environments that the engine says it made; atomic */
};

/* "rm -rf" of a path of ours, perhaps with more behind it. */
static void env_remove(const char *path, const char *more)
{
    char command[1000];

    (void)snprintf(command, sizeof command, "rm -rf '%s'%s", path, more);
    ck_assert_int_eq(system(command), 0);
}

/* A wheel of one module that says hello. */
static void env_wheel(const struct env_bench *b, const char *name, const char *body)
{
    static const char script[] =
        "import sys, zipfile\n"
        "where, name, body = sys.argv[1:]\n"
        "info = name + '-1.0.dist-info/'\n"
        "with zipfile.ZipFile('%s/%s-1.0-py3-none-any.whl' % (where, name), 'w') as z:\n"
        "    z.writestr(name + '.py', body)\n"
        "    z.writestr(info + 'METADATA', 'Metadata-Version: 2.1\\nName: %s\\nVersion: 1.0\\n' % "
        "name)\n"
        "    z.writestr(info + 'WHEEL', 'Wheel-Version: 1.0\\nGenerator: test\\n'\n"
        "               'Root-Is-Purelib: true\\nTag: py3-none-any\\n')\n"
        "    z.writestr(info + 'RECORD', '')\n";
    pid_t pid = fork();
    int status;

    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        (void)execl(PYTHON, PYTHON, "-c", script, b->wheels, name, body, (char *)NULL);
        _exit(127);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_int_eq(status, 0);
}

static void env_log(void *ctx, tako_level level, const char *module, const char *message)
{
    struct env_bench *b = ctx;

    (void)level;
    if (strcmp(module, "env") == 0 && strstr(message, "made in"))
        (void)__atomic_add_fetch(&b->made, 1, __ATOMIC_SEQ_CST);
}

/* False: a loud skip. `index` NULL: the wheels are the only source. */
static bool env_open(struct env_bench *b, int workers, const char *index)
{
    const char *base = getenv("TMPDIR");
    tako_options opts = TAKO_OPTIONS_INIT;
    tako_error err = {0, 0, ""};

    b->made = 0;
    b->t = NULL;
    (void)snprintf(b->top, sizeof b->top, "%s/tako-env-XXXXXX", base && *base ? base : "/tmp");
    if (system(PYTHON " -m pip --version >/dev/null 2>&1") != 0) {
        skip_or_fail("pip", "there is no pip for " PYTHON);
        return false;
    }
    ck_assert_ptr_nonnull(mkdtemp(b->top));
    ck_assert_int_eq(chmod(b->top, 0755), 0);
    (void)snprintf(b->data, sizeof b->data, "%s/data", b->top);
    (void)snprintf(b->wheels, sizeof b->wheels, "%s/wheels", b->top);
    ck_assert_int_eq(mkdir(b->wheels, 0755), 0);
    opts.workers = workers;
    opts.data_dir = b->data;
    opts.wheel_dir = index ? NULL : b->wheels;
    opts.index_url = index;
    opts.allow_requirements = 1;
    opts.log = env_log;
    opts.log_ctx = b;
    OK(tako_open(&b->t, &opts, &err));
    if (tako_isolation(b->t, sandbox_any_layer, NULL, &err) != TAKO_OK) {
        skip_or_fail("native", err.message);
        tako_close(b->t);
        env_remove(b->top, "");
        return false;
    }
    OK(tako_start(b->t, &err));
    return true;
}

static void env_close(struct env_bench *b)
{
    tako_close(b->t);
    env_remove(b->top, "");
}

static tako_record *env_run(struct env_bench *b, const char *requirement, const char *code)
{
    tako_job job = TAKO_JOB_INIT;
    const char *list[1];

    list[0] = requirement;
    job.requirements = list;
    job.n_requirements = 1;
    job.timeout_ms = 20000;
    return sandbox_run_job(b->t, code, &job);
}

START_TEST(a_wheel_is_installed_once_and_seen_by_jobs_without_network)
{
    struct env_bench b;
    tako_job_type type = TAKO_JOB_TYPE_INIT;
    static const char *const list[] = {"tk_hello"};
    tako_job job = TAKO_JOB_INIT;
    tako_record *rec;
    int64_t first;

    if (!env_open(&b, 1, NULL))
        return;
    env_wheel(&b, "tk_hello", "def hello(): return 'hello'");
    type.name = "greeter";
    type.requirements = list;
    type.n_requirements = 1;
    {
        tako_error err = {0, 0, ""};

        OK(tako_define_type(b.t, &type, &err));
    }
    job.type = "greeter";
    rec = sandbox_run_job(
        b.t,
        "import tk_hello, socket, os\nprint(tk_hello.hello(), tk_hello.__file__)\n"
        "try: open('/packages/x', 'w')\n"
        "except OSError as e: print('read-only', e.errno in (13, 30))\n"
        "try: socket.create_connection(('192.0.2.1', 9), 1)\n"
        "except OSError as e: print('no network')\n",
        &job);
    ck_assert_msg(tako_record_status(rec) == TAKO_SUCCEEDED, "%s\n%s",
                  tako_record_error_message(rec), tako_record_stderr(rec, NULL));
    ck_assert_str_eq(tako_record_stdout(rec, NULL),
                     "hello /packages/tk_hello.py\nread-only True\nno network\n");
    first = tako_record_install_us(rec);
    ck_assert_int_gt(first, 0);
    tako_record_free(rec);
    ck_assert_int_eq(b.made, 1);
    /* the second needs neither the wheel nor the installer */
    env_remove(b.wheels, "/*.whl");
    rec = sandbox_run_job(b.t, "import tk_hello\nprint(tk_hello.hello())", &job);
    ck_assert_str_eq(tako_record_stdout(rec, NULL), "hello\n");
    ck_assert_int_ge(tako_record_install_us(rec), 0);
    ck_assert_int_lt(tako_record_install_us(rec), first);
    tako_record_free(rec);
    /* the same requirement, asked for by a job: the same environment */
    rec = env_run(&b, "tk_hello", "import tk_hello\nprint(tk_hello.hello())");
    ck_assert_str_eq(tako_record_stdout(rec, NULL), "hello\n");
    tako_record_free(rec);
    ck_assert_int_eq(b.made, 1);
    /* and who asks for nothing sees nothing of it */
    rec = sandbox_run(
        b.t, "import os\nprint(os.path.exists('/packages'), os.environ.get('PYTHONPATH'))");
    ck_assert_str_eq(tako_record_stdout(rec, NULL), "False None\n");
    ck_assert_int_eq(tako_record_install_us(rec), -1);
    tako_record_free(rec);
    env_close(&b);
}
END_TEST

START_TEST(many_at_once_build_it_once)
{
    struct env_bench b;
    tako_job job = TAKO_JOB_INIT;
    static const char *const list[] = {"tk_shared"};
    tako_error err = {0, 0, ""};
    tako_id ids[8];
    int i;

    if (!env_open(&b, 4, NULL))
        return;
    env_wheel(&b, "tk_shared", "n = 1");
    job.requirements = list;
    job.n_requirements = 1;
    job.code = "import tk_shared";
    for (i = 0; i < 8; i++)
        OK(tako_submit(b.t, &job, &ids[i], &err));
    for (i = 0; i < 8; i++)
        ck_assert_int_eq(api_wait_end(b.t, ids[i].text), TAKO_SUCCEEDED);
    ck_assert_int_eq(b.made, 1);
    env_close(&b);
}
END_TEST

START_TEST(what_cannot_be_installed_is_a_dependency_error_with_the_installers_log)
{
    struct env_bench b;
    tako_record *rec;

    if (!env_open(&b, 1, NULL))
        return;
    rec = env_run(&b, "tk-not-there", "print('never')");
    ck_assert_int_eq(tako_record_status(rec), TAKO_FAILED);
    ck_assert_str_eq(tako_record_error_type(rec), "dependency_error");
    ck_assert_str_eq(tako_record_error_message(rec),
                     "Failed to install required package (not found)");
    ck_assert_str_eq(tako_record_error_phase(rec), "startup");
    ck_assert_int_eq(tako_record_exit_code(rec), 1);
    ck_assert_str_eq(tako_record_stdout(rec, NULL), "");
    ck_assert_ptr_nonnull(strstr(tako_record_stderr(rec, NULL), "tk-not-there"));
    ck_assert_int_gt(tako_record_install_us(rec), 0);
    tako_record_free(rec);
    /* it is not remembered as failed: once it is there, it works */
    env_wheel(&b, "tk_not_there", "n = 2");
    rec = env_run(&b, "tk-not-there", "import tk_not_there\nprint(tk_not_there.n)");
    ck_assert_str_eq(tako_record_stdout(rec, NULL), "2\n");
    tako_record_free(rec);
    env_close(&b);
}
END_TEST

/* Accepts connections and says nothing. */
static int env_deaf_server(char url[100])
{
    struct sockaddr_in at;
    socklen_t len = sizeof at;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    memset(&at, 0, sizeof at);
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
    ck_assert_int_eq(listen(fd, 8), 0);
    ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&at, &len), 0);
    (void)snprintf(url, 100, "http://127.0.0.1:%d/simple", ntohs(at.sin_port));
    return fd;
}

START_TEST(an_installer_that_takes_too_long_is_a_startup_timeout)
{
    struct env_bench b;
    static const char *const list[] = {"tk_slow"};
    tako_job job = TAKO_JOB_INIT;
    tako_record *rec;
    struct pollfd seen;
    char url[100];
    int fd = env_deaf_server(url);

    if (!env_open(&b, 1, url)) {
        (void)close(fd);
        return;
    }
    job.requirements = list;
    job.n_requirements = 1;
    job.startup_timeout_ms = 3000;
    rec = sandbox_run_job(b.t, "print('never')", &job);
    ck_assert_int_eq(tako_record_status(rec), TAKO_TIMEOUT);
    ck_assert_str_eq(tako_record_error_type(rec), "startup_timeout");
    ck_assert_str_eq(tako_record_error_message(rec), "Startup phase exceeded time limit (3s)");
    ck_assert_str_eq(tako_record_error_phase(rec), "startup");
    ck_assert_str_eq(tako_record_stdout(rec, NULL), "");
    tako_record_free(rec);
    seen.fd = fd;
    seen.events = POLLIN;
    ck_assert_int_eq(poll(&seen, 1, 0), 1); /* the installer had network and did ask */
    env_close(&b);
    (void)close(fd);
}
END_TEST

START_TEST(a_cancel_stops_the_installer)
{
    struct env_bench b;
    static const char *const list[] = {"tk_slow"};
    tako_job job = TAKO_JOB_INIT;
    tako_error err = {0, 0, ""};
    struct pollfd seen;
    char url[100];
    int fd = env_deaf_server(url);
    tako_id id;

    if (!env_open(&b, 1, url)) {
        (void)close(fd);
        return;
    }
    job.requirements = list;
    job.n_requirements = 1;
    job.code = "print('never')";
    OK(tako_submit(b.t, &job, &id, &err));
    seen.fd = fd;
    seen.events = POLLIN;
    ck_assert_int_eq(poll(&seen, 1, 20000), 1); /* it is at work */
    OK(tako_cancel(b.t, id.text, &err));
    ck_assert_int_eq(api_wait_end(b.t, id.text), TAKO_CANCELLED);
    env_close(&b);
    (void)close(fd);
}
END_TEST

static void env_line(void *ctx, const char *line)
{
    if (strstr(line, "tk_built") || strstr(line, "tk-built"))
        ++*(int *)ctx;
}

START_TEST(a_build_is_made_ahead_and_shows_its_progress)
{
    struct env_bench b;
    tako_job_type type = TAKO_JOB_TYPE_INIT;
    static const char *const list[] = {"tk_built"}, *const none[] = {"tk_none"};
    tako_job job = TAKO_JOB_INIT;
    tako_error err = {0, 0, ""};
    tako_record *rec;
    int lines = 0;

    if (!env_open(&b, 1, NULL))
        return;
    env_wheel(&b, "tk_built", "n = 3");
    type.name = "built";
    type.requirements = list;
    type.n_requirements = 1;
    OK(tako_define_type(b.t, &type, &err));
    OK(tako_build(b.t, "built", "v1", env_line, &lines, &err));
    ck_assert_int_gt(lines, 0);
    ck_assert_int_eq(b.made, 1);
    env_remove(b.wheels, "/*.whl");
    job.type = "built@v1";
    rec = sandbox_run_job(b.t, "import tk_built\nprint(tk_built.n)", &job);
    ck_assert_str_eq(tako_record_stdout(rec, NULL), "3\n");
    tako_record_free(rec);
    type.name = "unbuilt";
    type.requirements = none;
    OK(tako_define_type(b.t, &type, &err));
    FAILS(tako_build(b.t, "unbuilt", NULL, NULL, NULL, &err), TAKO_EEXEC, "(not found)");
    env_close(&b);
}
END_TEST

START_TEST(leftovers_of_a_builder_that_died_are_replaced_and_unused_environments_expire)
{
    struct env_bench b;
    tako_options opts = TAKO_OPTIONS_INIT;
    tako_error err = {0, 0, ""};
    struct timespec old[2] = {{1000000000, 0}, {1000000000, 0}};
    int64_t until;
    tako *other = NULL;
    char path[700], part[720], name[100] = "";
    DIR *dir;
    struct dirent *entry;
    tako_record *rec;

    if (!env_open(&b, 1, NULL))
        return;
    env_wheel(&b, "tk_left", "n = 4");
    rec = env_run(&b, "tk_left", "import tk_left");
    ck_assert_int_eq(tako_record_status(rec), TAKO_SUCCEEDED);
    tako_record_free(rec);
    (void)snprintf(path, sizeof path, "%s/environments", b.data);
    dir = opendir(path);
    ck_assert_ptr_nonnull(dir);
    while ((entry = readdir(dir)) != NULL)
        if (strlen(entry->d_name) == 64)
            (void)snprintf(name, sizeof name, "%s", entry->d_name);
    (void)closedir(dir);
    ck_assert_uint_eq(strlen(name), 64);
    /* as if its maker had died half-way */
    (void)snprintf(path, sizeof path, "%s/environments/%s", b.data, name);
    (void)snprintf(part, sizeof part, "%s.part", path);
    ck_assert_int_eq(rename(path, part), 0);
    rec = env_run(&b, "tk_left", "import tk_left\nprint(tk_left.n)");
    ck_assert_str_eq(tako_record_stdout(rec, NULL), "4\n");
    tako_record_free(rec);
    ck_assert_int_ne(access(part, F_OK), 0);
    ck_assert_int_eq(b.made, 2);
    /* unused for long: gone when the next engine starts */
    ck_assert_int_eq(utimensat(AT_FDCWD, path, old, 0), 0);
    opts.workers = 1;
    opts.data_dir = b.data;
    OK(tako_open(&other, &opts, &err));
    OK(tako_start(other, &err));
    until = api_mono_ms() + 10000;
    while (access(path, F_OK) == 0) {
        ck_assert_int_lt(api_mono_ms(), until);
        api_pause_ms(5);
    }
    tako_close(other);
    env_close(&b);
}
END_TEST

/* Copies a program and its libraries into a root, to the places they have here. */
static void env_copy_program(const char *root, const char *program)
{
    char command[2000];

    (void)snprintf(command, sizeof command,
                   "set -e; for f in %s $(ldd %s | grep -o '/[^ ]*'); do "
                   "mkdir -p '%s'\"$(dirname \"$f\")\"; cp -L \"$f\" '%s'\"$f\"; done",
                   program, program, root, root);
    ck_assert_int_eq(system(command), 0);
}

/* A root without Python and pip, with a program called uv that tells what it was asked. */
START_TEST(uv_installs_where_the_root_has_it)
{
    static const char uv[] =
        "#!/bin/sh\necho \"$@\" >/install/packages/asked\n"
        "while read -r line; do echo \"$line\" >>/install/packages/asked; done "
        "</code/requirements.txt\n";
    static const char *const command[] = {"/bin/sh", "/code/main.sh", NULL}, *const list[] = {
                                                                                 "a>=1"};
    struct env_bench b;
    tako_options opts = TAKO_OPTIONS_INIT;
    tako_job_type type = TAKO_JOB_TYPE_INIT;
    tako_job job = TAKO_JOB_INIT;
    tako_error err = {0, 0, ""};
    char root[400], path[1000];
    tako *t = NULL;
    tako_record *rec;
    int fd;

    if (!env_open(&b, 1, NULL))
        return;
    (void)snprintf(root, sizeof root, "%s/root", b.top);
    (void)snprintf(path, sizeof path, "mkdir -p '%s/usr/bin' '%s/bin'", root, root);
    ck_assert_int_eq(system(path), 0);
    env_copy_program(root, "/bin/sh");
    env_copy_program(root, "/bin/cat");
    (void)snprintf(path, sizeof path, "cp '%s/bin/sh' '%s/usr/bin/python3'", root, root);
    ck_assert_int_eq(system(path), 0); /* never run, but it has to be there */
    (void)snprintf(path, sizeof path, "%s/usr/bin/uv", root);
    fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, uv, sizeof uv - 1), (ssize_t)sizeof uv - 1);
    (void)close(fd);
    opts.workers = 1;
    opts.rootfs = root;
    opts.data_dir = b.data;
    opts.wheel_dir = b.wheels;
    OK(tako_open(&t, &opts, &err));
    OK(tako_start(t, &err));
    type.name = "uv";
    type.command = command;
    type.file_name = "main.sh";
    type.requirements = list;
    type.n_requirements = 1;
    OK(tako_define_type(t, &type, &err));
    job.type = "uv";
    rec = sandbox_run_job(t, "cat /packages/asked", &job);
    ck_assert_msg(tako_record_status(rec) == TAKO_SUCCEEDED, "%s\n%s",
                  tako_record_error_message(rec), tako_record_stderr(rec, NULL));
    ck_assert_str_eq(tako_record_stdout(rec, NULL),
                     "pip install --python /usr/bin/python3 --no-cache --link-mode=copy --target "
                     "/install/packages --no-index --find-links /wheels -r "
                     "/code/requirements.txt\na>=1\n");
    tako_record_free(rec);
    tako_close(t);
    env_close(&b);
}
END_TEST

Suite *suite_environments(void)
{
    Suite *s = suite_create("environments");
    TCase *c = tcase_create("environments");

    tcase_set_timeout(c, 120);
    tcase_add_test(c, a_wheel_is_installed_once_and_seen_by_jobs_without_network);
    tcase_add_test(c, many_at_once_build_it_once);
    tcase_add_test(c, what_cannot_be_installed_is_a_dependency_error_with_the_installers_log);
    tcase_add_test(c, an_installer_that_takes_too_long_is_a_startup_timeout);
    tcase_add_test(c, a_cancel_stops_the_installer);
    tcase_add_test(c, a_build_is_made_ahead_and_shows_its_progress);
    tcase_add_test(c, uv_installs_where_the_root_has_it);
    tcase_add_test(c, leftovers_of_a_builder_that_died_are_replaced_and_unused_environments_expire);
    suite_add_tcase(s, c);
    return s;
}
