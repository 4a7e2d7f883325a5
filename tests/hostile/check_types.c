/* check_types.c - what job types ask of the sandbox: limits, programs, environment and secrets, in every
 * mode that this machine gives. Network and mounts: check_reach.c.
 * SPDX-License-Identifier: MIT */
#include "../../src/exec.h"
#include "types.h"

#include <pthread.h>

Suite *suite_types(void);

/* ---- limits ---------------------------------------------------------------------------------- */

static void limits_body(void)
{
    tako_limits limits = TAKO_LIMITS_INIT;
    struct tako__task task;
    struct types_run r;
    void *self;

    limits.pids = 20;
    limits.nproc_soft = 15;
    limits.nproc_hard = 30;
    limits.nofile_soft = 100;
    limits.nofile_hard = 120;
    limits.file_bytes = 2097152;
    limits.tmp_bytes = 12582912;
    self = types_open_with(&limits, NULL, NULL);
    if (!self)
        return;
    task = types_task(types_code(
        "import os, resource as r, signal, sys\n"
        "bare = %d\n"
        "assert r.getrlimit(r.RLIMIT_NOFILE) == (100, 120), r.getrlimit(r.RLIMIT_NOFILE)\n"
        "assert r.getrlimit(r.RLIMIT_FSIZE) == (2097152, 2097152)\n"
        "if not bare:\n"
        "    for p in ('/tmp', '/output', '/dev/shm'):\n"
        "        s = os.statvfs(p); assert s.f_blocks * s.f_frsize == 12582912, p\n"
        /* init is counted; without a group the limit stands in for pids */
        "    soft, hard = r.getrlimit(r.RLIMIT_NPROC)\n"
        "    assert soft == 16 and hard in (31, 21), (soft, hard)\n"
        "    r.setrlimit(r.RLIMIT_NPROC, (hard, hard))\n"
        "pids = []\n"
        "try:\n"
        "    while len(pids) < 300:\n"
        "        p = os.fork()\n"
        "        if p == 0: signal.pause()\n"
        "        pids.append(p)\n"
        "except BlockingIOError: pass\n"
        "for p in pids: os.kill(p, 9)\n"
        "for p in pids: os.wait()\n"
        "print('forks', len(pids))\n",
        types_bare()));
    r.ready = -1;
    types_run(self, &task, &r);
    ck_assert_msg(strncmp(r.text[0], "forks ", 6) == 0, "mode %d: %s %s", (int)types_mode,
                  r.text[1], r.outcome.message);
    ck_assert_int_lt(atoi(r.text[0] + 6), types_mode == BARE_USER ? 300 : 20);
    if (types_mode != BARE_USER)
        ck_assert_int_ge(atoi(r.text[0] + 6), 14);
    types_close(self);
}
START_TEST(limits_are_those_of_the_options)
{
    types_in(_i, limits_body);
}
END_TEST

static void share_body(void)
{
    struct tako__task task = types_task("import time\n"
                                        "end = time.monotonic() + 0.5\n"
                                        "while time.monotonic() < end: pass\n");
    struct types_run r;
    void *self = types_open();

    if (!self)
        return;
    r.ready = -1;
    task.cpu_percent = 10;
    types_run(self, &task, &r);
    ck_assert_int_eq(r.outcome.verdict, TAKO_VERDICT_EXIT);
    if (strstr(r.outcome.isolation, "\"cpu_limit\":\"on\""))
        ck_assert_int_gt(r.outcome.throttled_us, 50000);
    task.cpu_percent = 1600; /* more than any group around may have: then that one's holds */
    types_run(self, &task, &r);
    ck_assert_int_eq(r.outcome.verdict, TAKO_VERDICT_EXIT);
    task.cpu_percent = -1;
    types_refused(self, &task, "cpu_percent is -1");
    types_close(self);
}
START_TEST(the_share_of_a_cpu_is_the_types)
{
    types_in(_i, share_body);
}
END_TEST

/* ---- programs -------------------------------------------------------------------------------- */

static void programs_body(void)
{
    static const char *const shell[] = {"/bin/sh", "/code/main.sh", "a b", "", NULL};
    static const char *const missing[] = {"/nowhere/program", NULL};
    static const char *const relative[] = {"main.sh", NULL};
    static const char *const empty[] = {NULL};
    static const char *const locked[] = {"/code/main.sh", NULL};
    const char *host[] = {types_path("program"), NULL};
    void *self = types_open_with(NULL, "/nowhere/python", NULL);
    struct tako__task task = types_task(
        "#!/bin/sh\necho \"${0##*/} $1 $#\"; cat <\"$0\" | wc -l\n");

    if (!self)
        return;
    task.file_name = "main.sh";
    task.command = shell;
    types_prints(self, &task, "main.sh a b 2\n2\n");
    task.command = missing;
    types_refused(self, &task,
                  "The command /nowhere/program cannot be executed in the sandbox: No such file");
    if (!types_bare()) {
        task.command = locked;
        types_refused(self, &task,
                      "The command /code/main.sh cannot be executed in the sandbox: Permission");
    }
    /* A program of the host is none of the sandbox's. */
    types_file("program", "#!/bin/sh\necho outside\n", 0755);
    task.command = host;
    types_refused(self, &task, types_path("program"));
    task.command = relative;
    types_refused(self, &task, "command: its first word must be an absolute path");
    task.command = empty;
    types_refused(self, &task, "command: its first word must be an absolute path");
    task.command = shell;
    task.file_name = "../main.sh";
    types_refused(self, &task, "file_name \"../main.sh\": the name");
    task.file_name = "";
    types_refused(self, &task, "file_name \"\": the name is empty");
    types_close(self);

    self = types_open();
    if (!self)
        return;
    task = types_task("import sys; print(sys.argv[0].rsplit('/', 1)[1], len(sys.argv), __file__ == "
                      "sys.argv[0])\n");
    task.file_name = "other.py";
    types_prints(self, &task, "other.py 1 True\n");
    types_close(self);
}
START_TEST(a_type_has_its_own_program_and_file_name)
{
    types_in(_i, programs_body);
}
END_TEST

static void node_body(void)
{
    static const char *const node[] = {"/usr/bin/node", "/code/main.js", NULL};
    struct tako__task task = types_task("console.log([1, 2].map(x => x + 1).join(), "
                                        "process.env.HOME !== undefined)\n");
    void *self = types_open();

    if (!self)
        return;
    task.file_name = "main.js";
    task.command = node;
    task.memory_bytes = (int64_t)4 << 30; /* without a group its address space counts */
    types_prints(self, &task, "2,3 true\n");
    types_close(self);
}
START_TEST(node_is_a_type_like_others)
{
    if (access("/usr/bin/node", X_OK) < 0) {
        skip_or_fail("node", "there is no /usr/bin/node");
        return;
    }
    types_in(_i, node_body);
}
END_TEST

static void binary_body(void)
{
    const char *program[] = {"/app/shared_code/prog", "x", NULL}, *at = types_path("shared/prog");
    struct tako__mount mount = {types_path("shared"), "/app/shared_code", false};
    struct tako__task task = types_task("not looked at\n");
    int status = -1;
    void *self;
    pid_t pid;

    types_mkdir("shared");
    types_file("prog.c",
               "#include <stdio.h>\n"
               "int main(int argc, char **argv)\n"
               "{ printf(\"%d %s\\n\", argc, argv[1]); return 3; }\n",
               0644);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        execlp("cc", "cc", "-static", "-o", types_path("shared/prog"), types_path("prog.c"),
               (char *)NULL);
        _exit(127);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    if (status != 0) {
        skip_or_fail("cc", "no compiler, or none for static programs");
        return;
    }
    self = types_open();
    if (!self)
        return;
    if (types_bare()) {
        mount.inside = mount.host;
        program[0] = at;
    }
    task.command = program;
    task.mounts = &mount;
    task.n_mounts = 1;
    types_prints(self, &task, "2 x\n");
    types_close(self);
}
START_TEST(a_compiled_program_is_run_from_a_mount)
{
    types_in(_i, binary_body);
}
END_TEST

/* ---- environment ----------------------------------------------------------------------------- */

static void environment_body(void)
{
    static const tako_pair pairs[] = {{"ONE", "first"},
                                      {"HOME", "/tmp"},
                                      {"EMPTY", ""},
                                      {"ONE", "a=b \xc3\xa4\n"},
                                      {"LANG", "C"}};
    static const tako_pair faults[][1] = {
        {{"", "x"}}, {{"A=B", "x"}}, {{NULL, "x"}}, {{"A", NULL}}};
    tako_pair large = {"LARGE", NULL};
    char *text = calloc(1, 200000);
    struct tako__task task = types_task(types_code(
        "import os\n"
        "own = {'PATH', 'HOME', 'LANG', 'XDG_CACHE_HOME', 'MPLCONFIGDIR', 'ONE', 'EMPTY'}\n"
        "if %d: own |= {'TMPDIR', 'TAKO_CODE_DIR', 'TAKO_INPUT_DIR', 'TAKO_OUTPUT_DIR'}\n"
        "assert set(os.environ) - {'LC_CTYPE'} == own, os.environ\n"
        "assert os.environ['ONE'] == 'a=b \\u00e4\\n' and os.environ['EMPTY'] == ''\n"
        "assert os.environ['HOME'] == '/tmp' and os.environ['LANG'] == 'C'\n"
        "print('ok')\n",
        types_bare()));
    void *self = types_open();
    size_t i;

    if (!self)
        return;
    ck_assert_ptr_nonnull(text);
    ck_assert_int_eq(setenv("TAKO_TEST_CANARY", "of the host", 1), 0);
    task.environment = pairs;
    task.n_environment = 5;
    types_prints(self, &task, "ok\n");
    task.n_environment = 1;
    for (i = 0; i < 4; i++) {
        task.environment = faults[i];
        types_refused(self, &task, "environment[0]: ");
    }
    large.value = memset(text, 'x', 131072);
    task.environment = &large;
    types_refused(self, &task, "environment: LARGE is longer than 131071 bytes");
    free(text);
    types_close(self);
}
START_TEST(the_environment_is_the_types_and_nothing_of_the_hosts)
{
    types_in(_i, environment_body);
}
END_TEST

static void environment_size_body(void)
{
    enum { MANY = 12 };
    static char text[MANY][100001], names[MANY][8];
    tako_pair pairs[MANY];
    struct tako__task task = types_task("import os; print(len(os.environ['V0']))\n");
    void *self = types_open();
    size_t i;

    if (!self)
        return;
    for (i = 0; i < MANY; i++) {
        snprintf(names[i], sizeof(names[i]), "V%zu", i);
        memset(text[i], 'x', 100000);
        pairs[i].name = names[i];
        pairs[i].value = text[i];
    }
    task.environment = pairs;
    task.n_environment = 8;
    types_prints(self, &task, "100000\n");
    task.n_environment = MANY;
    types_refused(self, &task, "command and environment are larger than 983040 bytes together");
    types_close(self);
}
START_TEST(an_environment_that_is_too_large_is_refused)
{
    types_in(_i, environment_size_body);
}
END_TEST

/* ---- secrets --------------------------------------------------------------------------------- */

static const tako_file types_secrets[] = {{"token", "s3cr3t-7f31", 11}, {"data.json", NULL, 0}};

static void secrets_body(void)
{
    static const char *const names[] = {"", "a/b", "..", ".x", NULL};
    tako_file bad = {NULL, "x", 1}, twice[2] = {{"a", "x", 1}, {"a", "y", 1}};
    struct tako__task task = types_task(
        "import os, stat\n"
        "d = '/run/secrets'\n"
        "assert open(d + '/token').read() == 's3cr3t-7f31' and open(d + '/data.json').read() == "
        "''\n"
        "assert sorted(os.listdir(d)) == ['data.json', 'token'] and os.listdir('/run') == "
        "['secrets']\n"
        "for n in os.listdir(d):\n"
        "    s = os.stat(d + '/' + n)\n"
        "    assert (stat.S_IMODE(s.st_mode), s.st_uid, s.st_gid) == (0o400, 1000, 1000), s\n"
        "assert stat.S_IMODE(os.stat(d).st_mode) == 0o500\n"
        "assert not any('s3cr3t' in v for v in os.environ.values())\n"
        "assert b's3cr3t' not in open('/proc/self/environ', 'rb').read()\n"
        "def refused(f, *args):\n"
        "    try: f(*args); print('not refused', f, args)\n"
        "    except OSError: pass\n"
        "refused(open, d + '/x', 'w'); refused(open, d + '/token', 'w')\n"
        "refused(os.chmod, d + '/token', 0o644); refused(os.chmod, d, 0o777)\n"
        "refused(os.unlink, d + '/token')\n"
        "f = os.statvfs(d).f_flag\n"
        "assert f & os.ST_RDONLY and f & os.ST_NOSUID and f & os.ST_NODEV and f & os.ST_NOEXEC\n"
        "print('ok')\n");
    void *self = types_open();
    size_t i;

    if (!self)
        return;
    task.secrets = types_secrets;
    task.n_secrets = 2;
    if (types_bare()) {
        types_refused(self, &task,
                      "secrets: without namespaces a job has no file system of its own");
        types_close(self);
        return;
    }
    types_prints(self, &task, "ok\n");
    task.secrets = &bad;
    task.n_secrets = 1;
    for (i = 0; i < 5; i++) {
        bad.name = names[i];
        types_refused(self, &task, "secrets: \"");
    }
    task.secrets = twice;
    task.n_secrets = 2;
    types_refused(self, &task, "secrets: \"a\": it is there twice");
    types_close(self);
}
START_TEST(secrets_are_files_that_only_the_job_can_read)
{
    types_in(_i, secrets_body);
}
END_TEST

struct types_thread {
    void *self;
    struct tako__task task;
    struct types_run run;
};

static void *types_thread_main(void *arg)
{
    struct types_thread *t = arg;

    types_run(t->self, &t->task, &t->run);
    if (t->run.ready >= 0) /* it wrote nothing: who waits shall not wait for ever */
        types_write(&t->run, 2, "", 0);
    return NULL;
}

/* One job has everything that can be had and runs; another looks for it. */
static void neighbour_body(void)
{
    static const tako_pair pairs[] = {{"CANARY", "variable-91c2"}};
    static struct types_thread first;
    struct tako__mount mount = {types_path("shared"), "/opt/first", false};
    int ready[2], cancel[2];
    struct tako__task task = types_task(
        "import os\n"
        "for p in os.listdir('/proc'):\n"
        "    if p.isdigit():\n"
        "        try: data = open('/proc/' + p + '/environ', 'rb').read()\n"
        "        except OSError: continue\n"
        "        assert b'variable-91c2' not in data, p\n"
        "assert os.listdir('/run') == [] and not os.path.exists('/opt')\n"
        "assert 'CANARY' not in os.environ and 'secrets' not in "
        "open('/proc/self/mountinfo').read()\n"
        "print('ok')\n");
    pthread_t thread;
    char byte;

    types_make_shared();
    first.self = types_open();
    if (!first.self)
        return;
    ck_assert_int_eq(pipe2(ready, O_CLOEXEC), 0);
    ck_assert_int_eq(pipe2(cancel, O_CLOEXEC), 0);
    first.task = types_task("import time\nprint('ready', flush=True)\ntime.sleep(25)\n");
    first.task.environment = pairs;
    first.task.n_environment = 1;
    first.task.secrets = types_secrets;
    first.task.n_secrets = 1;
    first.task.mounts = &mount;
    first.task.n_mounts = 1;
    first.task.cancel_fd = cancel[0];
    first.run.ready = ready[1];
    ck_assert_int_eq(pthread_create(&thread, NULL, types_thread_main, &first), 0);
    ck_assert_int_eq(read(ready[0], &byte, 1), 1);
    types_prints(first.self, &task, "ok\n");
    ck_assert_int_eq(write(cancel[1], "c", 1), 1);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_int_eq(first.run.outcome.verdict, TAKO_VERDICT_CANCELLED);
    types_close(first.self);
    close(ready[0]);
    close(ready[1]);
    close(cancel[0]);
    close(cancel[1]);
}
START_TEST(nothing_of_one_job_is_seen_by_another)
{
    if (_i < BARE_USER)
        types_in(_i, neighbour_body);
}
END_TEST

Suite *suite_types(void)
{
    Suite *s = suite_create("types");
    TCase *c = tcase_create("types");

    tcase_set_timeout(c, 180);
    tcase_add_loop_test(c, limits_are_those_of_the_options, 0, TYPES_MODES);
    tcase_add_loop_test(c, the_share_of_a_cpu_is_the_types, 0, TYPES_MODES);
    tcase_add_loop_test(c, a_type_has_its_own_program_and_file_name, 0, TYPES_MODES);
    tcase_add_loop_test(c, node_is_a_type_like_others, 0, TYPES_MODES);
    tcase_add_loop_test(c, a_compiled_program_is_run_from_a_mount, 0, TYPES_MODES);
    tcase_add_loop_test(c, the_environment_is_the_types_and_nothing_of_the_hosts, 0, TYPES_MODES);
    tcase_add_loop_test(c, an_environment_that_is_too_large_is_refused, 0, TYPES_MODES);
    tcase_add_loop_test(c, secrets_are_files_that_only_the_job_can_read, 0, TYPES_MODES);
    tcase_add_loop_test(c, nothing_of_one_job_is_seen_by_another, 0, BARE_USER);
    suite_add_tcase(s, c);
    return s;
}
