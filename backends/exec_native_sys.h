/* exec_native_sys.h - raw system calls for code that may not touch libc: the child between
 * clone and exec (it shares the host's memory and errno) and the init program (it has no libc).
 * Results are the kernel's: negative errno on failure. x86-64 and aarch64.
 * SPDX-License-Identifier: MIT */
#ifndef TAKO_EXEC_NATIVE_SYS_H
#define TAKO_EXEC_NATIVE_SYS_H

#include <stdint.h>
#include <sys/syscall.h>

/* Code that runs outside the host's ordinary world: nothing may be added to it by the compiler,
 * neither sanitizer calls nor stack protector calls. */
#if defined(__clang__)
#define NATIVE_BARE \
    __attribute__((disable_sanitizer_instrumentation, no_sanitize("all"), no_stack_protector))
#else
#define NATIVE_BARE                                                                         \
    __attribute__((no_sanitize("address"), no_sanitize("thread"), no_sanitize("undefined"), \
                   no_stack_protector))
#endif
#define NATIVE_INLINE static inline __attribute__((always_inline, unused)) NATIVE_BARE

#if defined(__x86_64__)
NATIVE_INLINE long native_sys(long nr, long a, long b, long c, long d, long e, long f)
{
    long ret;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;

    __asm__ volatile("syscall"
                     : "=a"(ret)
                     : "a"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return ret;
}
#elif defined(__aarch64__)
NATIVE_INLINE long native_sys(long nr, long a, long b, long c, long d, long e, long f)
{
    register long x8 __asm__("x8") = nr;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;

    __asm__ volatile("svc 0"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                     : "memory");
    return x0;
}
#else
#error "the native executor knows x86-64 and aarch64; compile with -DTAKO_OMIT_NATIVE elsewhere"
#endif

/* Shorter spellings; pointers are passed as long. */
#define NATIVE_PTR(p) ((long)(intptr_t)(p))
#define NATIVE_SYS0(nr) native_sys((nr), 0, 0, 0, 0, 0, 0)
#define NATIVE_SYS1(nr, a) native_sys((nr), (long)(a), 0, 0, 0, 0, 0)
#define NATIVE_SYS2(nr, a, b) native_sys((nr), (long)(a), (long)(b), 0, 0, 0, 0)
#define NATIVE_SYS3(nr, a, b, c) native_sys((nr), (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define NATIVE_SYS4(nr, a, b, c, d) \
    native_sys((nr), (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)
#define NATIVE_SYS5(nr, a, b, c, d, e) \
    native_sys((nr), (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), 0)

/* Numbers that older kernel headers lack; the same on every architecture (since 5.1). */
#ifndef SYS_open_tree
#define SYS_open_tree 428
#endif
#ifndef SYS_move_mount
#define SYS_move_mount 429
#endif
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif
#ifndef SYS_openat2
#define SYS_openat2 437
#endif
#ifndef SYS_mount_setattr
#define SYS_mount_setattr 442
#endif
#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_add_rule 445
#define SYS_landlock_restrict_self 446
#endif

#endif
