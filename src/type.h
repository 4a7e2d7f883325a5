/* type.h - job types and their versions. A version is what makes jobs of a type behave as they do:
 * immutable, known by its digest, kept until the engine is closed.
 * SPDX-License-Identifier: MIT */
#ifndef TAKO_TYPE_H
#define TAKO_TYPE_H

#include "engine.h"

/* Strings and arrays lie in the version itself. */
struct tako__version {
    struct tako__version *next; /* in tako.versions, guarded by the lock */
    tako_host host;
    struct tako__json *doc; /* of the definition */
    char *definition;
    size_t definition_len;
    char digest[65], requirements_hash[65];
    const char *name, *python_version, *retry_on, *file_name; /* the last three may be NULL */
    const char **requirements, **shared_code, **command; /* command: NULL-terminated, or NULL */
    size_t n_requirements, n_shared_code;
    tako_pair *environment, *secret_files;
    size_t n_environment, n_secret_files;
    int64_t memory_bytes, timeout_ms, startup_timeout_ms, cpu_timeout_ms, retry_delay_ms;
    int cpu_percent, max_attempts;
    bool network;
    bool stored; /* known to be in the store; owned by the pump role */
};

/* Checks a definition against every rule and makes a version of it, not yet in tako.versions. */
TAKO_PRIVATE int tako__version_make(struct tako__version **out, const tako_host *host,
                                    const tako_job_type *type, const tako_limits *limits,
                                    tako_error *err);
TAKO_PRIVATE void tako__version_free(struct tako__version *v);
/* Defines the types that every engine has. */
TAKO_PRIVATE int tako__types_ship(tako *t, tako_error *err);
/* What `ref` names among the versions of a sandboxed type: NULL and "latest" are the newest
 * definition, "sha256:HEX" and a tag are looked for in the store. ENOTFOUND, EINVAL. */
TAKO_PRIVATE int tako__version_resolve(tako *t, const struct tako__type *type, const char *ref,
                                       struct tako__version **out, tako_error *err);
/* The version with this digest, from memory or from the store. */
TAKO_PRIVATE int tako__version_load(tako *t, const char *type, const char *digest,
                                    struct tako__version **out, tako_error *err);
/* Puts the version into the store if it is not there as it is. Needs the pump role and its
 * transaction; *put tells whether that has put a version already. */
TAKO_PRIVATE int tako__version_store(tako *t, struct tako__version *v, bool *put, tako_error *err);
TAKO_PRIVATE void tako__version_info(const struct tako__version *v, tako_version_info *out);

#endif
