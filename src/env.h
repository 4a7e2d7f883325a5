/* env.h - environments: what the requirements of a job type and a job install, each kept once under
 * its content's name and seen read-only by every job that asks for the same.
 * SPDX-License-Identifier: MIT */
#ifndef TAKO_ENV_H
#define TAKO_ENV_H

#include "type.h"

#define TAKO__PACKAGES "/packages" /* where jobs see it */

/* An environment in use; zeroed = none. While it is held it is not swept. */
struct tako__env {
    char *path; /* on the host */
    int lock_fd;
};

/* Finds or makes the environment for these requirements, in the calling thread. TAKO_OK with
 * env->path set, and out->install_us; or TAKO_OK with out->verdict set when the attempt is over:
 * the installer failed, its time ran out, the job was cancelled. What the installer prints goes to
 * stream 2 of `sink`. An error only for lack of memory or a bug. */
TAKO_PRIVATE int tako__env_ready(tako *t, const struct tako__version *version,
                                 const char *const *own, size_t n_own, int64_t timeout_ms,
                                 const struct tako__sink *sink, int cancel_fd,
                                 struct tako__env *env, struct tako__outcome *out);
TAKO_PRIVATE void tako__env_leave(tako *t, struct tako__env *env);
/* Removes environments that nobody has used for the engine's environment_ttl_ms, and what is left
 * of some that were never finished. */
TAKO_PRIVATE void tako__env_sweep(tako *t);

#endif
