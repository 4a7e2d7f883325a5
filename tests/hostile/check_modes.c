/* check_modes.c - hosts that lack something: what is missing is named, with its cause and what to do
 * about it; what is optional is given up and said; nothing runs without what it was promised. The
 * hosts are made here: filters, mounts in a namespace of the test's own, cgroups, capabilities.
 * What jobs can rely on without namespaces: check_bare.c.
 * SPDX-License-Identifier: MIT */
#include "../support/hosts.h"

#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

Suite *suite_modes(void);

/* ---- making hosts ---------------------------------------------------------------------------- */

struct modes_layer {
    const char *name;
    tako_layer layer; /* its texts are the engine's */
};

static int modes_find_layer(void *wanted, const tako_layer *layer)
{
    struct modes_layer *w = wanted;

    if (strcmp(layer->name, w->name) == 0)
        w->layer = *layer;
    return 0;
}

/* The layer is in that state, and its detail has the words. */
static void modes_layer_is(tako *t, const char *name, tako_layer_state state, const char *words)
{
    struct modes_layer found;
    tako_error err;

    memset(&found, 0, sizeof(found));
    found.name = name;
    ck_assert_msg(tako_isolation(t, modes_find_layer, &found, &err) == TAKO_OK, "%s", err.message);
    ck_assert_ptr_nonnull(found.layer.name);
    ck_assert_msg(found.layer.state == state && strstr(found.layer.detail, words), "%s: %d: %s",
                  name, (int)found.layer.state, found.layer.detail);
}

static tako *modes_open(tako_security security)
{
    char refusal[TAKO_ERROR_SIZE];
    tako *t = host_open(security, NULL, refusal);

    ck_assert_str_eq(refusal, "");
    return t;
}

/* Root only: mounts from here on are this process's alone. */
static int modes_own_mounts(void)
{
    if (getuid() != 0)
        return 0;
    if (strcmp(test_sanitizer(), "thread") == 0 || unshare(CLONE_NEWNS) < 0) {
        skip_or_fail("unshare", "no mount namespace for the test's own mounts");
        return 0;
    }
    ck_assert_int_eq(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL), 0);
    return 1;
}

static int modes_landlock(void)
{
    if (syscall(444 /* landlock_create_ruleset */, NULL, 0, 1) >= 6)
        return 1;
    skip_or_fail("landlock", "Landlock ABI 6 (Linux 6.12) is needed without namespaces");
    return 0;
}

/* ---- strict mode refuses --------------------------------------------------------------------- */

static void strict_filter_body(void)
{
    static const char *const parts[] = {
        "strict mode refuses to run jobs without the layer user_namespace",
        "creating the namespaces: Operation not permitted",
        "a seccomp filter or policy of the surrounding container refuses it",
        "--security-opt seccomp=unconfined", NULL};

    host_refuse_namespaces();
    host_refused(TAKO_STRICT, NULL, parts);
}
START_TEST(strict_mode_names_the_layer_the_cause_and_the_remedy)
{
    sandbox_as_user(strict_filter_body);
}
END_TEST

/* In a user namespace of one's own one may lower the limit for what is inside. */
static void modes_limit_namespaces(const char *kind)
{
    char map[48], path[64];

    snprintf(map, sizeof(map), "0 %u 1", (unsigned)getuid());
    ck_assert_int_eq(unshare(CLONE_NEWUSER), 0);
    host_write("/proc/self/setgroups", "deny");
    host_write("/proc/self/uid_map", map);
    snprintf(map, sizeof(map), "0 %u 1", (unsigned)getgid());
    host_write("/proc/self/gid_map", map);
    snprintf(path, sizeof(path), "/proc/sys/user/max_%s_namespaces", kind);
    host_write(path, "0");
}

static void strict_user_sysctl_body(void)
{
    static const char *const parts[] = {
        "without the layer user_namespace", "No space left on device",
        "sysctl user.max_user_namespaces is 0", "set it to 10000 with sysctl -w", NULL};

    modes_limit_namespaces("user");
    host_refused(TAKO_STRICT, NULL, parts);
}
static void strict_net_sysctl_body(void)
{
    static const char *const parts[] = {"without the layer network_namespace",
                                        "sysctl user.max_net_namespaces is 0", NULL};

    modes_limit_namespaces("net");
    host_refused(TAKO_STRICT, NULL, parts);
}
START_TEST(a_sysctl_that_forbids_namespaces_is_named)
{
    if (strcmp(test_sanitizer(), "thread") == 0) {
        skip_or_fail("unshare", "the sanitizer's thread keeps this process from a new namespace");
        return;
    }
    sandbox_as_user(strict_user_sysctl_body);
    sandbox_as_user(strict_net_sysctl_body);
}
END_TEST

static void strict_mounts_body(void)
{
    static const char *const parts[] = {"without the layer mount_namespace",
                                        "making the mounts private: Permission denied",
                                        "a seccomp filter or policy", NULL};

    host_refuse_call(SYS_mount, 0, 0, EACCES);
    host_refused(TAKO_STRICT, NULL, parts);
}
START_TEST(namespaces_without_mounts_are_told_apart)
{
    sandbox_as_user(strict_mounts_body);
}
END_TEST

static void no_landlock_body(void)
{
    static const char *const parts[] = {"without the layer user_namespace",
                                        "Permissive mode without namespaces needs Landlock ABI 6",
                                        NULL};

    host_refuse_namespaces();
    host_refuse_call(444, 0, 0, ENOSYS);
    host_refused(TAKO_PERMISSIVE, NULL, parts);
}
START_TEST(without_landlock_permissive_mode_refuses_too)
{
    sandbox_as_user(no_landlock_body);
}
END_TEST

static void rootfs_body(void)
{
    static const char *const parts[] = {"options.rootfs to be unset: it cannot change the root",
                                        NULL};

    if (!modes_landlock())
        return;
    host_refuse_namespaces();
    host_refused(TAKO_PERMISSIVE, "/usr", parts);
}
START_TEST(a_root_of_ones_own_cannot_be_had_without_namespaces)
{
    sandbox_as_user(rootfs_body);
}
END_TEST

/* Sysctls that this kernel has not, over those it has. */
static void modes_sysctl(const char *name, const char *text)
{
    char path[96];
    int fd;

    ck_assert_int_eq(mount("tmpfs", "/proc/sys/kernel", "tmpfs", 0, NULL), 0);
    snprintf(path, sizeof(path), "/proc/sys/kernel/%s", name);
    fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

static void debian_sysctl_body(void)
{
    static const char *const parts[] = {"without the layer user_namespace",
                                        "sysctl kernel.unprivileged_userns_clone is 0",
                                        "set it to 1 with sysctl -w, or run as root", NULL};

    host_refuse_namespaces();
    host_refused(TAKO_STRICT, NULL, parts);
}
START_TEST(the_sysctl_of_debian_is_named)
{
    if (!modes_own_mounts())
        return;
    modes_sysctl("unprivileged_userns_clone", "0\n");
    sandbox_as_user(debian_sysctl_body);
}
END_TEST

/* AppArmor lets the namespace be made, and then mounts are refused in it. */
static void ubuntu_sysctl_body(void)
{
    static const char *const parts[] = {"without the layer mount_namespace",
                                        "making the mounts private: Permission denied",
                                        "sysctl kernel.apparmor_restrict_unprivileged_userns is 1",
                                        "set it to 0 with sysctl -w", NULL};

    host_refuse_call(SYS_mount, 0, 0, EACCES);
    host_refused(TAKO_STRICT, NULL, parts);
}
START_TEST(the_sysctl_of_ubuntu_is_named)
{
    if (!modes_own_mounts())
        return;
    modes_sysctl("apparmor_restrict_unprivileged_userns", "1\n");
    sandbox_as_user(ubuntu_sysctl_body);
}
END_TEST

static void chroot_body(void)
{
    static const char *const parts[] = {"without the layer user_namespace",
                                        "this process is in a chroot(2)", NULL};

    host_refused(TAKO_STRICT, NULL, parts);
}
START_TEST(a_chroot_is_named)
{
    if (!modes_own_mounts())
        return;
    ck_assert_int_eq(mount("tmpfs", "/mnt", "tmpfs", 0, "mode=755"), 0);
    ck_assert_int_eq(mkdir("/mnt/root", 0755), 0);
    ck_assert_int_eq(chdir("/mnt/root"), 0);
    ck_assert_int_eq(mkdir("proc", 0755), 0);
    ck_assert_int_eq(mkdir("dev", 0755), 0);
    ck_assert_int_eq(mount("/proc", "proc", NULL, MS_BIND | MS_REC, NULL), 0);
    ck_assert_int_eq(mount("/dev", "dev", NULL, MS_BIND, NULL), 0);
    ck_assert_int_eq(chroot("."), 0);
    sandbox_as_user(chroot_body);
}
END_TEST

/* ---- what is optional ------------------------------------------------------------------------ */

/* Ordinary programs that can do without /proc. */
static const char *const modes_ordinary[] = {
    "import os; assert not os.path.exists('/proc/self') and os.listdir('/proc') == []\n"
    "print('ok')\n",
    "import subprocess\n"
    "assert subprocess.run(['sh', '-c', 'echo x'], capture_output=True).stdout == b'x\\n'\n"
    "p = subprocess.Popen(['cat'], stdin=-1, stdout=-1, close_fds=True)\n"
    "assert p.communicate(b'y')[0] == b'y'\n"
    "print('ok')\n",
    "import threading, queue\n"
    "q = queue.Queue()\n"
    "t = [threading.Thread(target=q.put, args=(i,)) for i in range(20)]\n"
    "[x.start() for x in t]; [x.join() for x in t]; assert q.qsize() == 20; print('ok')\n",
    "import asyncio\n"
    "async def f():\n"
    "    p = await asyncio.create_subprocess_exec('true'); assert await p.wait() == 0\n"
    "    await asyncio.sleep(0.001); print('ok')\n"
    "asyncio.run(f())\n",
    "import sqlite3, tempfile\n"
    "c = sqlite3.connect(tempfile.mkdtemp() + '/x.db'); c.execute('create table a(b)')\n"
    "c.execute('insert into a values (1)'); c.commit()\n"
    "with tempfile.TemporaryFile() as f: f.write(b'x')\n"
    "with tempfile.NamedTemporaryFile() as f: f.write(b'x')\n"
    "print('ok')\n",
    "import multiprocessing as m\n"
    "if __name__ == '__main__':\n"
    "    with m.Pool(2) as p: assert p.map(abs, [-1, 2]) == [1, 2]\n"
    "    print('ok')\n",
};

static void covered_proc_body(void)
{
    tako *t = modes_open(TAKO_STRICT);
    size_t i;

    modes_layer_is(t, "proc", TAKO_LAYER_OFF,
                   "mounting one is refused: Operation not permitted (a container that hides parts "
                   "of its own)");
    for (i = 0; i < sizeof(modes_ordinary) / sizeof(*modes_ordinary); i++)
        host_ok(t, modes_ordinary[i]);
    sandbox_ends(t, "import os; os._exit(3)", TAKO_FAILED, "runtime_error", TAKO_VERDICT_EXIT, 3);
    tako_close(t);
}
START_TEST(a_container_that_hides_parts_of_proc_runs_jobs_without_it)
{
    if (!modes_own_mounts())
        return;
    ck_assert_int_eq(mount("tmpfs", "/proc/driver", "tmpfs", MS_RDONLY, NULL), 0);
    sandbox_as_user(covered_proc_body);
}
END_TEST

START_TEST(a_root_that_may_not_make_nodes_binds_them)
{
    tako *t;

    if (getuid() != 0)
        return;
    host_drop_capability(CAP_MKNOD);
    t = modes_open(TAKO_STRICT);
    modes_layer_is(t, "private_files", TAKO_LAYER_WEAKER,
                   "the five device nodes are the host's own, as making one is refused");
    host_ok(t,
            "open('/dev/null', 'w').write('x'); assert len(open('/dev/zero', 'rb').read(3)) == 3\n"
            "import os; assert os.stat('/dev/null').st_mode & 0o666 == 0o666\n"
            "print('ok')\n");
    tako_close(t);
}
END_TEST

static void modes_without_listener(tako *t, const char *why)
{
    modes_layer_is(t, "seccomp", TAKO_LAYER_ON, "end the process with SIGSYS (no listener: ");
    modes_layer_is(t, "seccomp", TAKO_LAYER_ON, why);
    host_ok(t, "print('ok')");
#if defined(__x86_64__)
    {
        tako_record *rec = sandbox_run(t, "import ctypes\n"
                                          "ctypes.CDLL(None).syscall(0x40000000 + 39)\n");

        ck_assert_int_eq(tako_record_verdict(rec), TAKO_VERDICT_SIGNAL);
        ck_assert_int_eq(tako_record_signal(rec), 31 /* SIGSYS */);
        tako_record_free(rec);
    }
#endif
    tako_close(t);
}

static void listener_refused_body(void)
{
    host_refuse_call(SYS_seccomp, 1, SECCOMP_FILTER_FLAG_NEW_LISTENER, EACCES);
    modes_without_listener(modes_open(TAKO_STRICT), "Permission denied");
}
static void listener_taken_body(void)
{
    struct sock_filter allow = HOST_RETURN(SECCOMP_RET_ALLOW);
    struct sock_fprog program = {1, &allow};

    ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    ck_assert_int_ge(
        syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &program),
        0);
    modes_without_listener(modes_open(TAKO_STRICT), "Device or resource busy");
}
START_TEST(without_a_listener_foreign_calls_end_by_sigsys)
{
    sandbox_as_user(listener_refused_body);
    sandbox_as_user(listener_taken_body);
}
END_TEST

static void readonly_sysctls_body(void)
{
    tako *t = modes_open(TAKO_STRICT);

    modes_layer_is(
        t, "no_nested_namespaces", TAKO_LAYER_WEAKER,
        "by seccomp only: setting max_user_namespaces is refused: Read-only file system");
    host_ok(t, "import ctypes\n"
               "assert ctypes.CDLL(None).unshare(0x10000000) == -1\n"
               "print('ok')\n");
    tako_close(t);
}
START_TEST(sysctls_that_cannot_be_written_leave_nested_namespaces_to_seccomp)
{
    if (!modes_own_mounts())
        return;
    ck_assert_int_eq(mount("/proc/sys", "/proc/sys", NULL, MS_BIND, NULL), 0);
    ck_assert_int_eq(mount("none", "/proc/sys", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY, NULL), 0);
    readonly_sysctls_body();
    sandbox_as_user(readonly_sysctls_body);
}
END_TEST

/* ---- limits ---------------------------------------------------------------------------------- */

static char modes_group[64]; /* options.cgroup */

static int modes_find_cgroup(void *found, const tako_layer *layer)
{
    if (strcmp(layer->name, "memory_limit") == 0)
        *(int *)found = layer->state == TAKO_LAYER_ON && strcmp(layer->detail, "cgroup v1") == 0;
    return 0;
}

static const char *const modes_hierarchies[] = {"memory", "pids", "cpu", "cpuacct"};

/* Root with version 1: a group in each hierarchy, as a container has them. */
static int modes_make_groups(void)
{
    tako_options opts = TAKO_OPTIONS_INIT;
    tako_error err;
    char path[128];
    tako *t = NULL;
    int found = 0;
    size_t i;

    if (getuid() != 0)
        return 0;
    ck_assert_int_eq(tako_open(&t, &opts, &err), TAKO_OK);
    tako_isolation(t, modes_find_cgroup, &found, &err);
    tako_close(t);
    if (!found) {
        skip_or_fail("cgroup", "no cgroups of version 1 that can be written");
        return 0;
    }
    snprintf(modes_group, sizeof(modes_group), "/tako-modes-%d", (int)getpid());
    for (i = 0; i < sizeof(modes_hierarchies) / sizeof(*modes_hierarchies); i++) {
        snprintf(path, sizeof(path), "/sys/fs/cgroup/%s%s", modes_hierarchies[i], modes_group);
        if (mkdir(path, 0755) < 0) {
            skip_or_fail("cgroup", "no group can be made below /sys/fs/cgroup");
            return 0;
        }
    }
    return 1;
}

static void modes_remove_groups(void)
{
    char path[128];
    size_t i;

    for (i = 0; i < sizeof(modes_hierarchies) / sizeof(*modes_hierarchies); i++) {
        snprintf(path, sizeof(path), "/sys/fs/cgroup/%s%s", modes_hierarchies[i], modes_group);
        ck_assert_msg(rmdir(path) == 0, "%s: %s", path, strerror(errno));
    }
}

static void modes_limit(const char *hierarchy, const char *file, const char *value)
{
    char path[160];

    snprintf(path, sizeof(path), "/sys/fs/cgroup/%s%s/%s", hierarchy, modes_group, file);
    host_write(path, value);
}

static tako *modes_open_group(tako_security security, const char *group, const char *const *parts)
{
    tako_options opts = TAKO_OPTIONS_INIT;
    tako_error err;
    tako *t = NULL;
    size_t i;
    int rc;

    opts.workers = 1;
    opts.security = security;
    opts.cgroup = group;
    ck_assert_int_eq(tako_open(&t, &opts, &err), TAKO_OK);
    rc = tako_isolation(t, sandbox_any_layer, NULL, &err);
    ck_assert_msg((rc == TAKO_EEXEC) == (parts != NULL), "%d: %s", rc, err.message);
    for (i = 0; parts && parts[i]; i++)
        ck_assert_msg(strstr(err.message, parts[i]) != NULL, "\"%s\" is not in: %s", parts[i],
                      err.message);
    ck_assert_int_eq(tako_start(t, &err), TAKO_OK);
    return t;
}

/* The group that was named cannot be had. */
static void unwritable_group_body(void)
{
    static const char *const parts[] = {
        "strict mode refuses to run jobs without the layer memory_limit",
        "cannot create a group in /sys/fs/cgroup/memory: Permission denied",
        "delegate it to this "
        "user or run as root",
        NULL};
    tako *t;

    tako_close(modes_open_group(TAKO_STRICT, "/", parts));
    t = modes_open_group(TAKO_PERMISSIVE, "/", NULL);
    modes_layer_is(t, "memory_limit", TAKO_LAYER_WEAKER, "Permission denied");
    host_ok(t, "print('ok')");
    tako_close(t);
}
START_TEST(a_group_that_cannot_be_written_is_named)
{
    if (!modes_make_groups())
        return;
    modes_remove_groups();
    sandbox_as_user(unwritable_group_body);
}
END_TEST

START_TEST(groups_around_that_are_too_small_for_any_job_are_named)
{
    static const char *const pids[] = {"/pids.max is 2: too little for any job; raise it", NULL};
    static const char *const memory[] = {
        "/memory.limit_in_bytes is 1048576: too little for any job; raise it", NULL};

    if (!modes_make_groups())
        return;
    modes_limit("pids", "pids.max", "2");
    tako_close(modes_open_group(TAKO_STRICT, modes_group, pids));
    modes_limit("pids", "pids.max", "max");
    modes_limit("memory", "memory.limit_in_bytes", "1048576");
    tako_close(modes_open_group(TAKO_STRICT, modes_group, memory));
    modes_remove_groups();
}
END_TEST

/* Nothing of the job ran: it would have printed. */
static void modes_not_started(tako *t, const char *words)
{
    tako_record *rec = sandbox_run(t, "print('ran')");

    ck_assert_msg(tako_record_verdict(rec) == TAKO_VERDICT_SETUP &&
                      *tako_record_stdout(rec, NULL) == '\0' &&
                      strstr(tako_record_error_message(rec), words) != NULL,
                  "%s: %s, %s", words, tako_verdict_name(tako_record_verdict(rec)),
                  tako_record_error_message(rec));
    tako_record_free(rec);
}

START_TEST(groups_around_that_are_full_let_nothing_start)
{
    int ready[2];
    char text[32];
    pid_t pid[6];
    size_t i;
    tako *t;

    if (!modes_make_groups())
        return;
    modes_limit("pids", "pids.max", "8");
    modes_limit("memory", "memory.limit_in_bytes", "100000000");
    t = modes_open_group(TAKO_STRICT, modes_group, NULL);
    host_ok(t, "print('ok')");
    fflush(NULL);
    for (i = 0; i < 6; i++) {
        pid[i] = fork();
        if (pid[i] == 0)
            for (;;)
                pause();
        snprintf(text, sizeof(text), "%d", (int)pid[i]);
        modes_limit("pids", "cgroup.procs", text);
    }
    modes_not_started(t, "/pids.max is 8, of which 6 are in use: too little is left for a job");
    for (i = 0; i < 6; i++) {
        kill(pid[i], SIGKILL);
        waitpid(pid[i], NULL, 0);
    }
    host_ok(t, "print('ok')");
    ck_assert_int_eq(pipe(ready), 0);
    pid[0] = fork();
    if (pid[0] == 0) {
        snprintf(text, sizeof(text), "%d", (int)getpid());
        modes_limit("memory", "cgroup.procs", text);
        ck_assert_ptr_ne(mmap(NULL, 85 << 20, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0),
                         MAP_FAILED);
        ck_assert_int_eq(write(ready[1], "x", 1), 1);
        for (;;)
            pause();
    }
    ck_assert_int_eq(read(ready[0], text, 1), 1);
    modes_not_started(t, "/memory.limit_in_bytes is 99999744, of which ");
    kill(pid[0], SIGKILL);
    waitpid(pid[0], NULL, 0);
    host_ok(t, "print('ok')");
    tako_close(t);
    modes_remove_groups();
}
END_TEST

static void rlimits_refused_body(void)
{
    static const char *const parts[] = {"setting resource limits: Operation not permitted", NULL};

    host_refuse_call(SYS_prlimit64, 1, RLIMIT_MEMLOCK, EPERM);
    host_refused(TAKO_STRICT, NULL, parts);
    host_refused(TAKO_PERMISSIVE, NULL, parts);
}
START_TEST(a_limit_that_cannot_be_applied_is_a_refusal)
{
    sandbox_as_user(rlimits_refused_body);
}
END_TEST

/* ---- room for files -------------------------------------------------------------------------- */

/* The most that a job can be given fits, whatever it is called. */
static void largest_files_body(void)
{
    static char names[TAKO_FILES_MAX][256];
    tako_file files[TAKO_FILES_MAX];
    tako_job job = TAKO_JOB_INIT;
    size_t i, each = TAKO_FILE_BYTES_MAX / TAKO_FILES_MAX;
    char *data = malloc(each);
    tako *t = modes_open(TAKO_STRICT);
    tako_record *rec;

    ck_assert_ptr_nonnull(data);
    memset(data, 'x', each);
    for (i = 0; i < TAKO_FILES_MAX; i++) {
        memset(names[i], 'n', 255);
        snprintf(names[i] + 253, 3, "%02u", (unsigned)i % 100);
        files[i].name = names[i];
        files[i].data = data;
        files[i].size = each;
    }
    job.files = files;
    job.n_files = TAKO_FILES_MAX;
    rec = sandbox_run_job(
        t,
        "import os\n"
        "print(sum(os.stat('/input/' + n).st_size for n in os.listdir('/input')))",
        &job);
    ck_assert_msg(tako_record_status(rec) == TAKO_SUCCEEDED, "%s", tako_record_error_message(rec));
    ck_assert_str_eq(tako_record_stdout(rec, NULL), "52428802\n"); /* with {} */
    tako_record_free(rec);
    tako_close(t);
    free(data);
}
START_TEST(there_is_room_for_the_most_a_job_can_be_given)
{
    sandbox_as_user(largest_files_body);
}
END_TEST

/* Without namespaces the files lie on a disk, which may be full. */
static void full_disk_body(void)
{
    static char data[2 << 20];
    const tako_file file = {"large", data, sizeof(data)};
    tako_job job = TAKO_JOB_INIT;
    tako_record *rec;
    tako *t;

    host_refuse_namespaces();
    t = modes_open(TAKO_PERMISSIVE);
    job.files = &file;
    job.n_files = 1;
    rec = sandbox_run_job(t, "print('ran')", &job);
    ck_assert_int_eq(tako_record_verdict(rec), TAKO_VERDICT_SETUP);
    ck_assert_str_eq(tako_record_error_type(rec), "service_unavailable");
    ck_assert_str_eq(tako_record_stdout(rec, NULL), "");
    ck_assert_msg(strstr(tako_record_error_message(rec), "No space left on device") != NULL, "%s",
                  tako_record_error_message(rec));
    tako_record_free(rec);
    host_ok(t, "print('ok')");
    tako_close(t);
}
static void no_inodes_body(void)
{
    static const char *const parts[] = {"No space left on device", NULL};

    host_refuse_namespaces();
    host_refused(TAKO_PERMISSIVE, NULL, parts);
}
START_TEST(a_full_disk_lets_nothing_start)
{
    if (!modes_own_mounts() || !modes_landlock())
        return;
    ck_assert_int_eq(setenv("TMPDIR", "/mnt", 1), 0);
    ck_assert_int_eq(mount("tmpfs", "/mnt", "tmpfs", 0, "mode=1777,size=1m"), 0);
    sandbox_as_user(full_disk_body);
    ck_assert_int_eq(mount("tmpfs", "/mnt", "tmpfs", 0, "mode=1777,nr_inodes=4"), 0);
    sandbox_as_user(no_inodes_body);
}
END_TEST

/* ---- */

Suite *suite_modes(void)
{
    Suite *s = suite_create("modes");
    TCase *c = tcase_create("modes");

    tcase_set_timeout(c, 120);
    tcase_add_test(c, strict_mode_names_the_layer_the_cause_and_the_remedy);
    tcase_add_test(c, a_sysctl_that_forbids_namespaces_is_named);
    tcase_add_test(c, namespaces_without_mounts_are_told_apart);
    tcase_add_test(c, without_landlock_permissive_mode_refuses_too);
    tcase_add_test(c, a_root_of_ones_own_cannot_be_had_without_namespaces);
    tcase_add_test(c, the_sysctl_of_debian_is_named);
    tcase_add_test(c, the_sysctl_of_ubuntu_is_named);
    tcase_add_test(c, a_chroot_is_named);
    tcase_add_test(c, a_container_that_hides_parts_of_proc_runs_jobs_without_it);
    tcase_add_test(c, a_root_that_may_not_make_nodes_binds_them);
    tcase_add_test(c, without_a_listener_foreign_calls_end_by_sigsys);
    tcase_add_test(c, sysctls_that_cannot_be_written_leave_nested_namespaces_to_seccomp);
    tcase_add_test(c, a_group_that_cannot_be_written_is_named);
    tcase_add_test(c, groups_around_that_are_too_small_for_any_job_are_named);
    tcase_add_test(c, groups_around_that_are_full_let_nothing_start);
    tcase_add_test(c, a_limit_that_cannot_be_applied_is_a_refusal);
    tcase_add_test(c, there_is_room_for_the_most_a_job_can_be_given);
    tcase_add_test(c, a_full_disk_lets_nothing_start);
    suite_add_tcase(s, c);
    return s;
}
