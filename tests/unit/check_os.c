/* check_os.c - clocks, randomness, small files, and knowing a process again.
 * SPDX-License-Identifier: MIT */
#include "../../src/base.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

Suite *suite_os(void);

START_TEST(the_monotonic_clock_does_not_go_back)
{
    int64_t a = tako__mono_us(), b = tako__mono_us();

    ck_assert(a > 0 && b >= a);
}
END_TEST

START_TEST(uuids_are_version_7_rise_and_differ)
{
    tako_id a, b;
    int i;

    for (i = 0; i < 200; i++) {
        ck_assert_int_eq(tako__uuid7(&a, NULL), TAKO_OK);
        ck_assert_int_eq(tako__uuid7(&b, NULL), TAKO_OK);
        ck_assert_uint_eq(strlen(a.text), 36);
        ck_assert_uint_eq(strspn(a.text, "0123456789abcdef-"), 36);
        ck_assert(a.text[8] == '-' && a.text[13] == '-' && a.text[18] == '-' && a.text[23] == '-');
        ck_assert_int_eq(a.text[14], '7');
        ck_assert_int_le(strncmp(a.text, b.text, 13), 0);
        ck_assert_ptr_nonnull(strchr("89ab", a.text[19]));
        ck_assert_str_ne(a.text, b.text);
        ck_assert(tako__id_ok(a.text));
    }
}
END_TEST

START_TEST(random_fills_all_that_was_asked)
{
    unsigned char big[4096];
    size_t i, zeros = 0;

    memset(big, 0, sizeof big);
    ck_assert_int_eq(tako__random(big, sizeof big, NULL), TAKO_OK);
    for (i = sizeof big - 256; i < sizeof big; i++)
        zeros += big[i] == 0;
    ck_assert_uint_lt(zeros, 64);
    ck_assert_int_eq(tako__random(NULL, 0, NULL), TAKO_OK);
}
END_TEST

START_TEST(closing_a_descriptor_keeps_errno)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC), was = fd;

    errno = ENOENT;
    tako__close_fd(&fd);
    ck_assert_int_eq(fd, -1);
    ck_assert_int_eq(errno, ENOENT);
    ck_assert_int_eq(fcntl(was, F_GETFD), -1);
    errno = ENOENT;
    tako__close_fd(&fd);
    ck_assert_int_eq(errno, ENOENT);
}
END_TEST

START_TEST(small_files_are_read_whole_or_cut)
{
    char text[256], tiny[5];
    int n;

    n = tako__read_small("/proc/self/stat", text, sizeof text);
    ck_assert_int_gt(n, 10);
    ck_assert_uint_eq(strlen(text), (size_t)n);
    ck_assert_int_eq(tako__read_small("/proc/self/stat", tiny, sizeof tiny), 4);
    ck_assert_mem_eq(tiny, text, 4);
    ck_assert_int_eq(tiny[4], 0);
    ck_assert_int_eq(tako__read_small("/dev/null", text, sizeof text), 0);
    ck_assert_str_eq(text, "");
    errno = 0;
    ck_assert_int_eq(tako__read_small("/nowhere/at/all", text, sizeof text), -1);
    ck_assert_int_eq(errno, ENOENT);
    ck_assert_int_eq(tako__read_small("/", text, sizeof text), -1);
    ck_assert_int_eq(errno, EISDIR);
    ck_assert_int_eq(tako__read_small("/dev/null", text, 0), -1);
}
END_TEST

START_TEST(this_process_is_alive)
{
    char me[160], again[160], pid[32];

    tako__identity(me);
    tako__identity(again);
    ck_assert_str_eq(me, again);
    snprintf(pid, sizeof pid, ":%ld:", (long)getpid());
    ck_assert_ptr_nonnull(strstr(me, pid));
    ck_assert_int_eq(tako__identity_alive(me), 1);
}
END_TEST

/* A child that tells its identity through a pipe, then does what `run` says. */
static pid_t os_child(char identity[160], void (*run)(int hold))
{
    int tell[2], hold[2];
    pid_t pid;
    ssize_t n;

    ck_assert_int_eq(pipe(tell), 0);
    ck_assert_int_eq(pipe(hold), 0);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        close(hold[1]);
        tako__identity(identity);
        if (write(tell[1], identity, 160) != 160)
            _exit(2);
        run(hold[0]);
        _exit(0);
    }
    close(tell[1]);
    close(hold[0]);
    n = read(tell[0], identity, 160);
    ck_assert_int_eq(n, 160);
    close(tell[0]);
    return pid; /* hold[1] stays open until this test process ends */
}

static void os_wait(int hold)
{
    char c;

    while (read(hold, &c, 1) < 0 && errno == EINTR)
        ;
}

START_TEST(a_killed_process_is_gone_before_and_after_it_is_reaped)
{
    char child[160];
    siginfo_t info;
    pid_t pid = os_child(child, os_wait);

    ck_assert_int_eq(tako__identity_alive(child), 1);
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    ck_assert_int_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
    ck_assert_int_eq(tako__identity_alive(child), 0); /* a zombie */
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    ck_assert_int_eq(tako__identity_alive(child), 0);
}
END_TEST

static void *os_thread(void *arg)
{
    os_wait(*(int *)arg);
    return NULL;
}

static void os_leave_thread(int hold)
{
    static int fd;
    pthread_t thread;

    fd = hold;
    if (pthread_create(&thread, NULL, os_thread, &fd) != 0)
        _exit(3);
    pthread_exit(NULL);
}

START_TEST(a_process_whose_main_thread_ended_is_alive)
{
    char child[160], path[64], stat[512];
    pid_t pid = os_child(child, os_leave_thread);
    int i;

    snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    for (i = 0; i < 1000; i++) {
        ck_assert_int_gt(tako__read_small(path, stat, sizeof stat), 0);
        if (strstr(stat, ") Z "))
            break;
        usleep(1000);
    }
    ck_assert_ptr_nonnull(strstr(stat, ") Z "));
    ck_assert_int_eq(tako__identity_alive(child), 1);
    ck_assert_int_eq(kill(pid, SIGKILL), 0);
    ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
    ck_assert_int_eq(tako__identity_alive(child), 0);
}
END_TEST

START_TEST(a_reused_pid_is_another_process)
{
    char me[160], other[160], *last;

    tako__identity(me);
    last = strrchr(me, ':');
    snprintf(other, sizeof other, "%.*s:%llu", (int)(last - me), me,
             strtoull(last + 1, NULL, 10) + 1);
    ck_assert_int_eq(tako__identity_alive(other), 0);
}
END_TEST

START_TEST(what_cannot_be_compared_is_not_guessed)
{
    char me[160], other[200];
    const char *rest;

    tako__identity(me);
    rest = strchr(me, ':');
    snprintf(other, sizeof other, "00000000-0000-4000-8000-000000000000%s", rest);
    ck_assert_int_eq(tako__identity_alive(other), -1); /* another boot or machine */
    snprintf(other, sizeof other, "%.*s:1-2%s", (int)(rest - me), me, strchr(rest + 1, ':'));
    ck_assert_int_eq(tako__identity_alive(other), -1); /* another namespace */
    ck_assert_int_eq(tako__identity_alive(NULL), -1);
    ck_assert_int_eq(tako__identity_alive(""), -1);
    ck_assert_int_eq(tako__identity_alive("unknown:0:1:0"), -1);
    ck_assert_int_eq(tako__identity_alive("a host's own word"), -1);
}
END_TEST

START_TEST(damaged_identities_are_not_guessed)
{
    static const char *const tails[] = {"",
                                        "1",
                                        "1:",
                                        "0:5",
                                        "-1:5",
                                        " 1:5",
                                        "1:x",
                                        "1:5x",
                                        "1: 5",
                                        "1:-5",
                                        "x:5",
                                        "99999999999:5",
                                        "99999999999999999999999:5",
                                        "1:99999999999999999999999"};
    char me[160], other[256];
    const char *ns;
    size_t i;

    tako__identity(me);
    ns = strchr(strchr(me, ':') + 1, ':');
    for (i = 0; i < TAKO__LEN(tails); i++) {
        snprintf(other, sizeof other, "%.*s%s", (int)(ns + 1 - me), me, tails[i]);
        ck_assert_int_eq(tako__identity_alive(other), -1);
    }
}
END_TEST

/* From here on this process's kernel is one before Linux 6.6. */
static void os_without_fchmodat2(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 452, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = {4, code};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0)
        _exit(2);
}

/* Makes a tree with a locked directory as an ordinary user and has it removed: 0 = all is gone. */
static int os_remove_locked(const char *top, bool old)
{
    char path[400];
    int fd;

    if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0)
        return 3;
    (void)snprintf(path, sizeof path, "%s/a", top);
    if (mkdir(path, 0700) != 0)
        return 4;
    (void)snprintf(path, sizeof path, "%s/a/b", top);
    if (mkdir(path, 0700) != 0)
        return 5;
    (void)snprintf(path, sizeof path, "%s/a/link", top);
    if (symlink("/", path) != 0)
        return 6;
    (void)snprintf(path, sizeof path, "%s/a", top);
    if (chmod(path, 0) != 0)
        return 7;
    if (old)
        os_without_fchmodat2();
    fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    tako__empty_dir(fd);
    (void)close(fd);
    return access(path, F_OK) == 0;
}

START_TEST(a_locked_directory_is_removed_with_new_kernels_and_old_ones)
{
    const char *base = getenv("TMPDIR");
    char top[300];
    int status, old;
    pid_t pid;

    for (old = 0; old < 2; old++) {
        (void)snprintf(top, sizeof top, "%s/tako-os-XXXXXX", base && *base ? base : "/tmp");
        ck_assert_ptr_nonnull(mkdtemp(top));
        ck_assert_int_eq(chmod(top, 0777), 0);
        pid = fork();
        ck_assert_int_ge(pid, 0);
        if (pid == 0)
            _exit(os_remove_locked(top, old != 0));
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert_int_eq(status, 0);
        ck_assert_int_eq(rmdir(top), 0);
    }
}
END_TEST

Suite *suite_os(void)
{
    Suite *s = suite_create("os");
    TCase *tc = tcase_create("system");

    tcase_add_test(tc, the_monotonic_clock_does_not_go_back);
    tcase_add_test(tc, uuids_are_version_7_rise_and_differ);
    tcase_add_test(tc, random_fills_all_that_was_asked);
    tcase_add_test(tc, closing_a_descriptor_keeps_errno);
    tcase_add_test(tc, small_files_are_read_whole_or_cut);
    tcase_add_test(tc, a_locked_directory_is_removed_with_new_kernels_and_old_ones);
    suite_add_tcase(s, tc);
    tc = tcase_create("identity");
    tcase_add_test(tc, this_process_is_alive);
    tcase_add_test(tc, a_killed_process_is_gone_before_and_after_it_is_reaped);
    tcase_add_test(tc, a_process_whose_main_thread_ended_is_alive);
    tcase_add_test(tc, a_reused_pid_is_another_process);
    tcase_add_test(tc, what_cannot_be_compared_is_not_guessed);
    tcase_add_test(tc, damaged_identities_are_not_guessed);
    suite_add_tcase(s, tc);
    return s;
}
