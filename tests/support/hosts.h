/* hosts.h - for tests of hosts that are not allowed everything: seccomp filters over the test's own
 * process, as containers have them, and capabilities given up. All of it is for good.
 * SPDX-License-Identifier: MIT */
#ifndef TESTS_HOSTS_H
#define TESTS_HOSTS_H

#include "sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define HOST_UNUSED __attribute__((unused))
#define HOST_NAMESPACES 0x7e020000u /* every CLONE_NEW* flag that clone(2) takes */

#define HOST_LOAD(member) \
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)offsetof(struct seccomp_data, member))
#define HOST_RETURN(action) BPF_STMT(BPF_RET | BPF_K, (action))
#define HOST_IF(kind, value, yes, no) \
    BPF_JUMP(BPF_JMP | (kind) | BPF_K, (unsigned)(value), (yes), (no))

HOST_UNUSED static void host_filter(struct sock_filter *insns, size_t count)
{
    struct sock_fprog program;

    program.len = (unsigned short)count;
    program.filter = insns;
    ck_assert_int_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    ck_assert_int_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0), 0);
}

/* The call fails with `error` when the low half of its argument `arg` has all of `bits`. */
HOST_UNUSED static void host_refuse_call(long call, unsigned arg, unsigned bits, int error)
{
    struct sock_filter insns[] = {
        HOST_LOAD(nr),
        HOST_IF(BPF_JEQ, call, 0, 4),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)offsetof(struct seccomp_data, args) + 8 * arg),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, bits),
        HOST_IF(BPF_JEQ, bits, 0, 1),
        HOST_RETURN(SECCOMP_RET_ERRNO | ((unsigned)error & SECCOMP_RET_DATA)),
        HOST_RETURN(SECCOMP_RET_ALLOW),
    };

    host_filter(insns, sizeof(insns) / sizeof(insns[0]));
}

/* No namespaces of any kind, as Docker's default filter has it. */
HOST_UNUSED static void host_refuse_namespaces(void)
{
    struct sock_filter insns[] = {
        HOST_LOAD(nr),
        HOST_IF(BPF_JEQ, SYS_clone3, 0, 1),
        HOST_RETURN(SECCOMP_RET_ERRNO | ENOSYS),
        HOST_IF(BPF_JEQ, SYS_unshare, 4, 0),
        HOST_IF(BPF_JEQ, SYS_setns, 3, 0),
        HOST_IF(BPF_JEQ, SYS_clone, 0, 3),
        HOST_LOAD(args[0]),
        HOST_IF(BPF_JSET, HOST_NAMESPACES, 0, 1),
        HOST_RETURN(SECCOMP_RET_ERRNO | EPERM),
        HOST_RETURN(SECCOMP_RET_ALLOW),
    };

    host_filter(insns, sizeof(insns) / sizeof(insns[0]));
}

/* Out of the bounding set and out of the process's own: a root that lacks it. */
HOST_UNUSED static void host_drop_capability(int cap)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2];
    unsigned bit = 1u << (cap & 31);

    ck_assert_int_eq(prctl(PR_CAPBSET_DROP, cap, 0, 0, 0), 0);
    ck_assert_int_eq(syscall(SYS_capget, &header, data), 0);
    data[cap / 32].effective &= ~bit;
    data[cap / 32].permitted &= ~bit;
    data[cap / 32].inheritable &= ~bit;
    ck_assert_int_eq(syscall(SYS_capset, &header, data), 0);
}

HOST_UNUSED static void host_write(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    ck_assert_msg(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text), "%s", path);
    close(fd);
}

/* A started engine with two workers; why it has no sandbox, or "". */
HOST_UNUSED static tako *host_open(tako_security security, const char *rootfs,
                                   char refusal[TAKO_ERROR_SIZE])
{
    tako_options opts = TAKO_OPTIONS_INIT;
    tako_error err;
    tako *t = NULL;
    int rc;

    opts.workers = 2;
    opts.security = security;
    opts.rootfs = rootfs;
    ck_assert_msg(tako_open(&t, &opts, &err) == TAKO_OK, "%s", err.message);
    rc = tako_isolation(t, sandbox_any_layer, NULL, &err);
    snprintf(refusal, TAKO_ERROR_SIZE, "%s", rc == TAKO_OK ? "" : err.message);
    ck_assert_msg(tako_start(t, &err) == TAKO_OK, "%s", err.message);
    return t;
}

/* Jobs are refused, in words that have all the parts. */
HOST_UNUSED static void host_refused(tako_security security, const char *rootfs,
                                     const char *const *parts)
{
    char refusal[TAKO_ERROR_SIZE];
    tako_job job = TAKO_JOB_INIT;
    tako_record *rec = NULL;
    tako_error err;
    tako *t = host_open(security, rootfs, refusal);
    size_t i;

    for (i = 0; parts[i]; i++)
        ck_assert_msg(strstr(refusal, parts[i]) != NULL, "\"%s\" is not in: %s", parts[i], refusal);
    ck_assert_uint_lt(strlen(refusal), TAKO_ERROR_SIZE - 1);
    job.code = "print('ran')";
    ck_assert_int_eq(tako_run(t, &job, &rec, &err), TAKO_EEXEC);
    ck_assert_msg(strstr(err.message, parts[0]) != NULL, "%s", err.message);
    tako_close(t);
}

/* The program prints "ok" and nothing else. */
HOST_UNUSED static void host_ok(tako *t, const char *code)
{
    tako_record *rec = sandbox_run(t, code);

    ck_assert_msg(strcmp(tako_record_stdout(rec, NULL), "ok\n") == 0 &&
                      tako_record_status(rec) == TAKO_SUCCEEDED,
                  "%.100s\n%s\n%s\n%s", code, tako_record_stdout(rec, NULL),
                  tako_record_stderr(rec, NULL), tako_record_error_message(rec));
    tako_record_free(rec);
}

#endif
