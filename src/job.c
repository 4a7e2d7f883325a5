/* job.c - a tako_job at the door: every rule of tako.h is checked here, once, in the caller's
 * thread, and what is to be stored is prepared (ids, hashes, spec texts, the list of blobs).
 *
 * Messages name the member, the value and the bound. Nothing is changed or cut to fit. Stores
 * nothing itself; called by api.c.
 *
 * SPDX-License-Identifier: MIT */
#include "canon.h"
#include "json.h"
#include "rules.h"
#include "type.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define JOB_MEMORY 536870912 /* of a handler: without effect */
#define JOB_RETRY_DELAY_MS 1000
#define JOB_TYPE_MAX 128
#define JOB_KEY_MIN 8
#define JOB_KEY_MAX 255
#define JOB_RUN_AT_MAX_MS INT64_C(253402300799999) /* the end of the year 9999 */
#define JOB_IP_MAX 45
#define JOB_LABEL_MAX 64

/* What lies behind one row. The hashes of files are in `files`. */
struct tako__paper {
    tako_id id;
    char code_hash[65], input_hash[65], input_canon[65], fingerprint[65];
    char (*file_hashes)[65];
    tako_artifact *files;
    size_t n_files;
    struct tako__buf spec;
    const char **refs; /* code, input, files: what is a blob of those */
    size_t n_refs;
    const struct tako__type *type;
    struct tako__version *version; /* NULL for handlers */
    const char *code, *input;      /* NULL: the parent's */
    size_t code_len, input_len;
    const struct tako__spec *from; /* the parent's, or NULL */
    bool pinned;                   /* its version is the parent's */
};

static int job_check_code(const tako_limits *limits, const tako_job *job, struct tako__paper *paper,
                          tako_error *err)
{
    const struct tako__type *type = paper->type;
    size_t len, bad;

    if (!job->code && job->code_len)
        return tako__fail(err, TAKO_EINVAL, "code: NULL, but code_len is %zu", job->code_len);
    if (!type->sandboxed) {
        if (job->code)
            return tako__fail(err, TAKO_EINVAL,
                              "code: must be NULL for job type '%s', which is a handler",
                              type->name);
        return TAKO_OK;
    }
    if (!job->code && paper->from && paper->from->code_hash) {
        memcpy(paper->code_hash, paper->from->code_hash, sizeof paper->code_hash);
        paper->code_len = (size_t)paper->from->code_bytes;
        return TAKO_OK;
    }
    if (!job->code)
        return tako__fail(err, TAKO_EINVAL, "code: NULL; job type '%s' needs code", type->name);
    len = job->code_len ? job->code_len : strlen(job->code);
    if (len == 0)
        return tako__fail(err, TAKO_EINVAL, "code: empty; at least 1 byte is needed");
    if ((int64_t)len > limits->code_bytes)
        return tako__fail(err, TAKO_EINVAL, "code: %zu bytes, more than the %" PRId64 " allowed",
                          len, limits->code_bytes);
    bad = tako__utf8_check(job->code, len);
    if (bad != len)
        return tako__fail(err, TAKO_EINVAL, "code: not valid UTF-8 at byte %zu of %zu", bad, len);
    if (memchr(job->code, 0, len))
        return tako__fail(err, TAKO_EINVAL, "code: a NUL byte at byte %zu of %zu",
                          strlen(job->code), len);
    if (tako__is_blank(job->code, len))
        return tako__fail(err, TAKO_EINVAL, "code: blank, nothing but %zu bytes of white space",
                          len);
    paper->code = job->code;
    paper->code_len = len;
    tako__sha256_hex(paper->code, paper->code_len, paper->code_hash);
    return TAKO_OK;
}

static int job_hash_input(const tako *t, struct tako__paper *paper, tako_error *err)
{
    tako__sha256_hex(paper->input, paper->input_len, paper->input_hash);
    return tako__canon_sha256(&t->host, paper->input, paper->input_len, TAKO__CANON_COMPACT,
                              paper->input_canon, err);
}

static int job_check_input(const tako *t, const tako_job *job, struct tako__paper *paper,
                           tako_error *err)
{
    const struct tako__spec *from = paper->from;
    const char *fault;
    size_t len, at = 0;

    if (from) {
        memcpy(paper->input_hash, from->input_hash, sizeof paper->input_hash);
        if (from->input_canon)
            memcpy(paper->input_canon, from->input_canon, sizeof paper->input_canon);
        paper->input = from->input;
        paper->input_len = from->input ? from->input_len : (size_t)from->input_bytes;
        if (!from->input && paper->input_len <= TAKO__INPUT_INLINE)
            paper->input_len = TAKO__INPUT_INLINE + 1; /* an old row does not say: it is a blob */
        return TAKO_OK;
    }
    if (!job->input) {
        if (job->input_len)
            return tako__fail(err, TAKO_EINVAL, "input: NULL, but input_len is %zu",
                              job->input_len);
        paper->input = "{}";
        paper->input_len = 2;
        return job_hash_input(t, paper, err);
    }
    len = job->input_len ? job->input_len : strlen(job->input);
    if ((int64_t)len > t->limits.input_bytes)
        return tako__fail(err, TAKO_EINVAL, "input: %zu bytes, more than the %" PRId64 " allowed",
                          len, t->limits.input_bytes);
    fault = tako__json_object_fault(&t->host, job->input, len, TAKO_INPUT_DEPTH_MAX, &at);
    if (fault && tako__json_fault_is_memory(fault))
        return tako__nomem(err);
    if (fault)
        return tako__fail(err, TAKO_EINVAL,
                          "input: not acceptable as a JSON object at byte %zu of %zu: %s", at, len,
                          fault);
    paper->input = job->input;
    paper->input_len = len;
    return job_hash_input(t, paper, err);
}

static int job_check_files(const tako_job *job, tako_error *err)
{
    const char *fault;
    size_t i, k, total = 0;

    if (job->n_files > TAKO_FILES_MAX)
        return tako__fail(err, TAKO_EINVAL, "n_files: %zu, more than the %d allowed", job->n_files,
                          TAKO_FILES_MAX);
    if (job->n_files && !job->files)
        return tako__fail(err, TAKO_EINVAL, "files: NULL, but n_files is %zu", job->n_files);
    for (i = 0; i < job->n_files; i++) {
        const tako_file *f = &job->files[i];

        if (!f->name)
            return tako__fail(err, TAKO_EINVAL, "files[%zu].name: NULL", i);
        fault = tako__file_name_fault(f->name, strlen(f->name));
        if (fault)
            return tako__fail(err, TAKO_EINVAL, "files[%zu].name: '%.80s': %s", i, f->name, fault);
        for (k = 0; k < i; k++)
            if (strcmp(job->files[k].name, f->name) == 0)
                return tako__fail(err, TAKO_EINVAL,
                                  "files[%zu].name: '%.80s' is also the name of files[%zu]", i,
                                  f->name, k);
        if (!f->data && f->size)
            return tako__fail(err, TAKO_EINVAL, "files[%zu].data: NULL, but its size is %zu", i,
                              f->size);
        if (f->size > TAKO_FILE_BYTES_MAX - total)
            return tako__fail(err, TAKO_EINVAL,
                              "files: more than the %d bytes allowed for all together, at "
                              "files[%zu] '%.80s' of %zu bytes",
                              TAKO_FILE_BYTES_MAX, i, f->name, f->size);
        total += f->size;
    }
    return TAKO_OK;
}

static int job_check_range(const char *member, int64_t value, int64_t least, int64_t most,
                           const char *zero, tako_error *err)
{
    if (value == 0 || (value >= least && value <= most))
        return TAKO_OK;
    return tako__fail(err, TAKO_EINVAL, "%s: %" PRId64 ", not in %" PRId64 "-%" PRId64 " (0 = %s)",
                      member, value, least, most, zero);
}

static int job_check_numbers(const tako_limits *limits, const tako_job *job, tako_error *err)
{
    const char *fault = job->retry_on ? tako__rule_error_types(job->retry_on) : NULL;
    int rc;

    rc = job_check_range("timeout_ms", job->timeout_ms, 1, limits->max_timeout_ms,
                         "that of its type", err);
    if (rc == TAKO_OK)
        rc = job_check_range("memory_bytes", job->memory_bytes, TAKO_MEMORY_MIN, TAKO_MEMORY_MAX,
                             "that of its type", err);
    if (rc == TAKO_OK)
        rc = job_check_range("cpu_timeout_ms", job->cpu_timeout_ms, 1, TAKO_TIMEOUT_MAX_MS,
                             "that of its type", err);
    if (rc == TAKO_OK)
        rc = job_check_range("startup_timeout_ms", job->startup_timeout_ms, 1000,
                             limits->max_startup_ms, "that of its type", err);
    if (rc == TAKO_OK)
        rc = job_check_range("max_attempts", job->max_attempts, 1, 100, "that of its type", err);
    if (rc == TAKO_OK)
        rc = job_check_range("retry_delay_ms", job->retry_delay_ms, 100, 60000, "that of its type",
                             err);
    if (rc == TAKO_OK && fault)
        rc = tako__fail(err, TAKO_EINVAL, "retry_on: '%.80s': %s", job->retry_on, fault);
    if (rc == TAKO_OK && job->output_kill_bytes < 0)
        rc = tako__fail(err, TAKO_EINVAL, "output_kill_bytes: %" PRId64 " is negative (0 = none)",
                        job->output_kill_bytes);
    if (rc == TAKO_OK && (job->priority < -100 || job->priority > 100))
        rc = tako__fail(err, TAKO_EINVAL, "priority: %d, not in -100..100", job->priority);
    if (rc == TAKO_OK && (job->run_at_ms < 0 || job->run_at_ms > JOB_RUN_AT_MAX_MS))
        rc = tako__fail(err, TAKO_EINVAL, "run_at_ms: %" PRId64 ", not in 0-%" PRId64,
                        job->run_at_ms, JOB_RUN_AT_MAX_MS);
    return rc;
}

static int job_check_requirements(const tako *t, const tako_job *job,
                                  const struct tako__paper *paper, tako_error *err)
{
    size_t i, of_type = paper->version ? paper->version->n_requirements : 0;
    const char *fault;

    if (job->n_requirements && !job->requirements)
        return tako__fail(err, TAKO_EINVAL, "requirements: NULL, but n_requirements is %zu",
                          job->n_requirements);
    if (job->n_requirements && !paper->version)
        return tako__fail(err, TAKO_EINVAL, "requirements: job type '%s' is a handler",
                          paper->type->name);
    if (job->n_requirements && !t->opts.allow_requirements)
        return tako__fail(err, TAKO_EINVAL,
                          "requirements: jobs may not name any here (allow_requirements is 0); use "
                          "a job type that has them");
    if (job->n_requirements + of_type > TAKO_REQUIREMENTS_MAX)
        return tako__fail(err, TAKO_EINVAL,
                          "requirements: %zu and %zu of job type '%s', more than the %d allowed",
                          job->n_requirements, of_type, paper->type->name, TAKO_REQUIREMENTS_MAX);
    for (i = 0; i < job->n_requirements; i++) {
        fault = job->requirements[i] ? tako__rule_requirement(job->requirements[i]) : "NULL";
        if (fault)
            return tako__fail(err, TAKO_EINVAL, "requirements[%zu]: '%.80s': %s", i,
                              job->requirements[i] ? job->requirements[i] : "", fault);
    }
    if (job->n_requirements + of_type && !t->opts.data_dir)
        return tako__fail(err, TAKO_EINVAL,
                          "type: job type '%s' needs requirements and this engine has no data_dir "
                          "to keep them in",
                          paper->type->name);
    return TAKO_OK;
}

static int job_check_key(const tako_job *job, tako_error *err)
{
    size_t len = job->idempotency_key ? strnlen(job->idempotency_key, JOB_KEY_MAX + 1) : 0, good;

    if (!job->idempotency_key)
        return TAKO_OK;
    if (len < JOB_KEY_MIN || len > JOB_KEY_MAX)
        return tako__fail(err, TAKO_EINVAL, "idempotency_key: %s, not %d-%d characters",
                          len < JOB_KEY_MIN ? "too short" : "too long", JOB_KEY_MIN, JOB_KEY_MAX);
    good = strspn(job->idempotency_key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                        "0123456789_-");
    if (good != len)
        return tako__fail(err, TAKO_EINVAL,
                          "idempotency_key: byte 0x%02x at %zu is none of [A-Za-z0-9_-]",
                          (unsigned)(unsigned char)job->idempotency_key[good], good);
    return TAKO_OK;
}

static int job_check_labels(const tako_job *job, tako_error *err)
{
    size_t i, len;

    if (job->correlation_id) {
        len = strnlen(job->correlation_id, JOB_LABEL_MAX + 1);
        if (len < 1 || len > JOB_LABEL_MAX)
            return tako__fail(err, TAKO_EINVAL, "correlation_id: %s, not 1-%d characters",
                              len ? "too long" : "empty", JOB_LABEL_MAX);
        for (i = 0; i < len; i++)
            if (job->correlation_id[i] < 0x21 || job->correlation_id[i] > 0x7e)
                return tako__fail(err, TAKO_EINVAL,
                                  "correlation_id: byte 0x%02x at %zu is no visible ASCII "
                                  "character",
                                  (unsigned)(unsigned char)job->correlation_id[i], i);
    }
    if (job->client_ip) {
        len = strnlen(job->client_ip, JOB_IP_MAX + 1);
        if (len > JOB_IP_MAX)
            return tako__fail(err, TAKO_EINVAL, "client_ip: more than the %d characters allowed",
                              JOB_IP_MAX);
        if (tako__utf8_check(job->client_ip, len) != len)
            return tako__fail(err, TAKO_EINVAL, "client_ip: not valid UTF-8");
    }
    return TAKO_OK;
}

static int job_check_type(tako *t, const char *text, struct tako__paper *paper, tako_error *err)
{
    const char *at = strchr(text, '@');
    size_t len = at ? (size_t)(at - text) : strnlen(text, JOB_TYPE_MAX + 1);
    char name[65] = "";

    if (strnlen(text, JOB_TYPE_MAX + 1) > JOB_TYPE_MAX)
        return tako__fail(err, TAKO_EINVAL, "type: '%.80s...' has more than %d characters", text,
                          JOB_TYPE_MAX);
    if (len < sizeof name) {
        memcpy(name, text, len);
        name[len] = '\0';
    }
    if (!tako__type_name_ok(name))
        return tako__fail(err, TAKO_EINVAL,
                          "type: '%.80s' is no name of a job type: 1-64 of [A-Za-z0-9_-] with at "
                          "least one letter or digit, and perhaps @ and a version",
                          text);
    paper->type = tako__type_find(t, name);
    if (!paper->type)
        return tako__fail(err, TAKO_ENOTFOUND,
                          "type: there is no job type '%s'; tako_define_type and "
                          "tako_register_handler make one",
                          name);
    if (paper->type->sandboxed)
        return tako__version_resolve(t, paper->type, at ? at + 1 : NULL, &paper->version, err);
    if (at && strcmp(at, "@latest") != 0)
        return tako__fail(err, TAKO_ENOTFOUND, "type: '%s' is a handler, which has no version '%s'",
                          name, at + 1);
    return TAKO_OK;
}

/* A member that is not set is the parent's. */
static int job_inherit(tako *t, const struct tako__parent *parent, tako_job *job,
                       struct tako__paper *paper, tako_error *err)
{
    const struct tako__spec *from = tako__record_spec(parent->rec);
    bool fork = strcmp(parent->relationship, "fork") == 0;

    if (job->input || job->n_files)
        return tako__fail(err, TAKO_EINVAL, "%s: a %s has those of its parent",
                          job->input ? "input" : "files", parent->relationship);
    if (!fork && job->code)
        return tako__fail(err, TAKO_EINVAL,
                          "code: a rerun has that of its parent; fork it instead");
    if (fork && !job->code)
        return tako__fail(err, TAKO_EINVAL, "code: NULL; a fork is its parent with other code");
    paper->from = from;
    if (!job->memory_bytes && !job->type)
        job->memory_bytes = from->memory_bytes;
    if (!job->type && from->digest) {
        paper->type = tako__type_find(t, tako_record_type(parent->rec));
        if (!paper->type || !paper->type->sandboxed)
            return tako__fail(err, TAKO_ENOTFOUND, "type: there is no job type '%s' any more",
                              tako_record_type(parent->rec));
    }
    if (!job->timeout_ms)
        job->timeout_ms = from->timeout_ms;
    if (!job->cpu_timeout_ms)
        job->cpu_timeout_ms = from->cpu_timeout_ms;
    if (!job->output_kill_bytes)
        job->output_kill_bytes = from->output_kill_bytes;
    if (!job->startup_timeout_ms)
        job->startup_timeout_ms = from->startup_timeout_ms;
    if (!job->max_attempts)
        job->max_attempts = from->max_attempts;
    if (!job->retry_on)
        job->retry_on = from->retry_on;
    if (!job->retry_delay_ms)
        job->retry_delay_ms = from->retry_delay_ms;
    if (!job->requirements) {
        job->requirements = from->requirements;
        job->n_requirements = from->n_requirements;
    }
    paper->pinned = paper->type != NULL;
    if (paper->pinned)
        return tako__version_load(t, paper->type->name, from->digest, &paper->version, err);
    return TAKO_OK;
}

/* What the key stands for: all that decides what the job does. Members beyond the contract's are
 * there only when they were asked for. */
static int job_fingerprint(const tako *t, const tako_job *job, const struct tako__parent *parent,
                           struct tako__paper *paper, tako_error *err)
{
    struct tako__asked asked;
    struct tako__buf extra;
    int rc;

    memset(&asked, 0, sizeof asked);
    tako__buf_init(&extra, &t->host);
    if (job->memory_bytes)
        tako__json_put_int(&extra, "memory_bytes", job->memory_bytes);
    if (job->cpu_timeout_ms)
        tako__json_put_int(&extra, "cpu_timeout_ms", job->cpu_timeout_ms);
    if (job->output_kill_bytes)
        tako__json_put_int(&extra, "output_kill_bytes", job->output_kill_bytes);
    if (paper->n_files)
        tako__files_print(&extra, "files", paper->files, paper->n_files);
    asked.code_hash = paper->code_hash[0] ? paper->code_hash : NULL;
    asked.input_hash = paper->input_canon;
    asked.type = job->type || !parent->rec ? job->type : tako_record_version(parent->rec);
    asked.timeout_ms = job->timeout_ms;
    asked.startup_timeout_ms = job->startup_timeout_ms;
    asked.requirements = job->requirements;
    asked.n_requirements = job->n_requirements;
    asked.extra = extra.len ? extra.data : NULL;
    rc = extra.failed ? tako__nomem(err)
                      : tako__fingerprint(&t->host, &asked, paper->fingerprint, err);
    tako__buf_free(&extra);
    return rc;
}

/* Hashes the files and lists what the row refers to. */
static int job_hash_files(const tako *t, const tako_job *job, const struct tako__parent *parent,
                          struct tako__paper *paper, tako_error *err)
{
    const tako_artifact *of_parent;
    size_t i;

    paper->n_files = job->n_files;
    if (paper->from)
        paper->n_files = tako_record_artifact_count(parent->rec, TAKO_INPUT_FILES);
    paper->refs = tako__array(&t->host, paper->n_files + 2, sizeof *paper->refs);
    if (!paper->refs)
        return tako__nomem(err);
    if (paper->n_files) {
        paper->files = tako__array(&t->host, paper->n_files, sizeof *paper->files);
        paper->file_hashes = tako__array(&t->host, paper->n_files, sizeof *paper->file_hashes);
        if (!paper->files || !paper->file_hashes)
            return tako__nomem(err);
    }
    if (paper->code_hash[0])
        paper->refs[paper->n_refs++] = paper->code_hash;
    if (paper->input_len > TAKO__INPUT_INLINE)
        paper->refs[paper->n_refs++] = paper->input_hash;
    for (i = 0; i < paper->n_files; i++) {
        if (paper->from) {
            of_parent = tako_record_artifact(parent->rec, TAKO_INPUT_FILES, i);
            if (of_parent)
                paper->files[i] = *of_parent;
        } else {
            tako__sha256_hex(job->files[i].size ? job->files[i].data : "", job->files[i].size,
                             paper->file_hashes[i]);
            paper->files[i].name = job->files[i].name;
            paper->files[i].bytes = (int64_t)job->files[i].size;
            paper->files[i].sha256 = paper->file_hashes[i];
        }
        paper->refs[paper->n_refs++] = paper->files[i].sha256;
    }
    return TAKO_OK;
}

/* Fills paper->spec and the row's columns from a job that passed. */
static int job_write(tako *t, const tako_job *job, const struct tako__parent *parent,
                     struct tako__paper *paper, tako_row *row, int64_t now_us, tako_error *err)
{
    const struct tako__version *v = paper->version;
    struct tako__spec spec;
    int rc;

    rc = tako__uuid7(&paper->id, err);
    if (rc != TAKO_OK)
        return rc;
    memset(&spec, 0, sizeof spec);
    spec.code_hash = paper->code_hash[0] ? paper->code_hash : NULL;
    spec.code_bytes = (int64_t)paper->code_len;
    spec.input_hash = paper->input_hash;
    spec.input_canon = paper->input_canon[0] ? paper->input_canon : NULL;
    spec.input_bytes = (int64_t)paper->input_len;
    if (paper->input_len <= TAKO__INPUT_INLINE) {
        spec.input = paper->input;
        spec.input_len = paper->input_len;
    }
    spec.files = paper->files;
    spec.n_files = paper->n_files;
    spec.correlation_id = job->correlation_id;
    spec.client_ip = job->client_ip;
    spec.output_kill_bytes = job->output_kill_bytes;
    spec.digest = v ? v->digest : NULL;
    spec.network = v && v->network;
    spec.cpu_percent = v ? v->cpu_percent : 100;
    if (v && paper->pinned) { /* its version may have been defined anew with others */
        spec.network = paper->from->network;
        spec.cpu_percent = paper->from->cpu_percent;
    }
    spec.requirements = job->requirements;
    spec.n_requirements = job->n_requirements;
    spec.timeout_ms = job->timeout_ms ? job->timeout_ms
                                      : (v ? v->timeout_ms : t->limits.default_timeout_ms);
    spec.memory_bytes = job->memory_bytes ? job->memory_bytes : (v ? v->memory_bytes : JOB_MEMORY);
    spec.cpu_timeout_ms = job->cpu_timeout_ms || !v ? job->cpu_timeout_ms : v->cpu_timeout_ms;
    spec.startup_timeout_ms = job->startup_timeout_ms
                                  ? job->startup_timeout_ms
                                  : (v ? v->startup_timeout_ms : t->limits.default_startup_ms);
    spec.max_attempts = job->max_attempts ? job->max_attempts : (v ? v->max_attempts : 1);
    spec.retry_on = job->retry_on || !v ? job->retry_on : v->retry_on;
    spec.retry_delay_ms = job->retry_delay_ms ? job->retry_delay_ms
                                              : (v ? v->retry_delay_ms : JOB_RETRY_DELAY_MS);
    if (spec.timeout_ms > t->limits.max_timeout_ms) /* of a version from the store */
        return tako__fail(err, TAKO_EINVAL,
                          "timeout_ms: %" PRId64 " by its job type, more than the %" PRId64
                          " allowed here",
                          spec.timeout_ms, t->limits.max_timeout_ms);
    if (parent && parent->rec) {
        spec.relationship = parent->relationship;
        spec.retries = tako__record_spec(parent->rec)->retries + (parent->dead ? 1 : 0);
        row->parent = tako_record_id(parent->rec);
    }
    if (job->idempotency_key) {
        spec.fingerprint = paper->fingerprint;
        row->key = job->idempotency_key;
    }
    tako__spec_print(&paper->spec, &spec);
    if (paper->spec.failed)
        return tako__nomem(err);

    row->size = sizeof *row;
    row->id = paper->id.text;
    row->type = paper->type->name;
    row->status = TAKO_QUEUED;
    row->priority = job->priority;
    row->node = "";
    row->created_us = now_us;
    row->run_at_us = job->run_at_ms ? job->run_at_ms * 1000 : now_us;
    row->spec = paper->spec.data;
    row->spec_len = paper->spec.len;
    row->refs = paper->refs;
    row->n_refs = paper->n_refs;
    return TAKO_OK;
}

static int job_prepare_one(tako *t, struct tako__prepared *out, const tako_job *given, size_t at,
                           int64_t now_us, const struct tako__parent *parent, tako_job *job,
                           tako_error *err)
{
    static const tako_job none = TAKO_JOB_INIT;
    struct tako__paper *paper = &out->papers[at];
    int rc;

    *job = none;
    if (given->size != out->job_size) /* the places of the others follow from the first one */
        return tako__fail(err, TAKO_EINVAL, "size: %zu, but that of the first job is %zu",
                          given->size, out->job_size);
    rc = tako__struct_in(job, sizeof *job, sizeof *job, given, "job", err);
    if (rc == TAKO_OK && parent->rec)
        rc = job_inherit(t, parent, job, paper, err);
    if (rc == TAKO_OK && !paper->type)
        rc = job_check_type(
            t, job->type ? job->type : (parent->rec ? tako_record_type(parent->rec) : "default"),
            paper, err);
    if (rc == TAKO_OK)
        rc = job_check_code(&t->limits, job, paper, err);
    if (rc == TAKO_OK)
        rc = job_check_input(t, job, paper, err);
    if (rc == TAKO_OK)
        rc = job_check_files(job, err);
    if (rc == TAKO_OK)
        rc = job_check_numbers(&t->limits, job, err);
    if (rc == TAKO_OK)
        rc = job_check_labels(job, err);
    if (rc == TAKO_OK)
        rc = job_check_key(job, err);
    if (rc == TAKO_OK)
        rc = job_check_requirements(t, job, paper, err);
    if (rc == TAKO_OK)
        rc = job_hash_files(t, job, parent, paper, err);
    if (rc == TAKO_OK && job->idempotency_key)
        rc = job_fingerprint(t, job, parent, paper, err);
    if (rc == TAKO_OK)
        rc = job_write(t, job, parent, paper, &out->rows[at], now_us, err);
    if (rc != TAKO_OK)
        return rc;
    out->versions[at] = paper->version;
    out->fingerprints[at] = paper->fingerprint;
    out->sandboxed = out->sandboxed || paper->type->sandboxed;
    out->keyed = out->keyed || job->idempotency_key;
    return TAKO_OK;
}

static void job_blob(tako_blob *blob, const char *hash, const void *data, size_t len)
{
    blob->sha256 = hash;
    blob->data = len ? data : "";
    blob->len = len;
}

/* Lists the content of one job in the order of its references, unless it is the parent's, which is
 * there. Returns how many blobs that are. */
static size_t job_list_blobs(const struct tako__paper *paper, const tako_job *job, tako_blob *blobs)
{
    size_t i, n = 0;

    if (paper->code)
        job_blob(&blobs[n++], paper->code_hash, paper->code, paper->code_len);
    if (paper->from)
        return n;
    if (paper->input_len > TAKO__INPUT_INLINE)
        job_blob(&blobs[n++], paper->input_hash, paper->input, paper->input_len);
    for (i = 0; i < job->n_files; i++)
        job_blob(&blobs[n++], paper->file_hashes[i], job->files[i].data, job->files[i].size);
    return n;
}

int tako__prepare(tako *t, struct tako__prepared *out, const tako_job *jobs, size_t count,
                  bool many, const struct tako__parent *parent, tako_error *err)
{
    const char *at = (const char *)jobs; /* jobs[i] lie as far apart as the caller's struct says */
    tako_blob *more;
    tako_job job;
    size_t i, room = 0;
    int64_t now_us = tako__now_us(&t->host);
    int rc;

    memset(out, 0, sizeof *out);
    out->host = &t->host;
    out->job_size = jobs->size;
    out->rows = tako__array(&t->host, count, sizeof *out->rows);
    out->results = tako__array(&t->host, count, sizeof *out->results);
    out->papers = tako__array(&t->host, count, sizeof *out->papers);
    out->versions = tako__array(&t->host, count, sizeof *out->versions);
    out->fingerprints = tako__array(&t->host, count, sizeof *out->fingerprints);
    out->found = tako__array(&t->host, count, sizeof *out->found);
    out->n_blobs_of = tako__array(&t->host, count, sizeof *out->n_blobs_of);
    if (!out->rows || !out->results || !out->papers || !out->versions || !out->fingerprints ||
        !out->found || !out->n_blobs_of)
        return tako__nomem(err);
    out->n_rows = count;
    for (i = 0; i < count; i++)
        tako__buf_init(&out->papers[i].spec, &t->host);
    for (i = 0; i < count; i++) {
        rc = job_prepare_one(t, out, (const tako_job *)(const void *)at, i, now_us, parent, &job,
                             err);
        if (rc != TAKO_OK)
            return many && rc != TAKO_ENOMEM ? tako__context(err, rc, "jobs[%zu]", i) : rc;
        if (out->n_blobs + job.n_files + 2 > room) {
            room = (out->n_blobs + job.n_files + 2) * 2;
            more = tako__resize(&t->host, out->blobs, room * sizeof *more);
            if (!more)
                return tako__nomem(err);
            out->blobs = more;
        }
        out->n_blobs_of[i] = job_list_blobs(&out->papers[i], &job, out->blobs + out->n_blobs);
        out->n_blobs += out->n_blobs_of[i];
        at += out->job_size;
    }
    return TAKO_OK;
}

void tako__prepared_free(struct tako__prepared *p)
{
    size_t i;

    for (i = 0; p->papers && i < p->n_rows; i++) {
        tako__buf_free(&p->papers[i].spec);
        tako__free(p->host, p->papers[i].files);
        tako__free(p->host, p->papers[i].file_hashes);
        tako__free(p->host, p->papers[i].refs);
    }
    tako__free(p->host, p->versions);
    tako__free(p->host, p->fingerprints);
    tako__free(p->host, p->found);
    tako__free(p->host, p->n_blobs_of);
    tako__free(p->host, p->papers);
    tako__free(p->host, p->rows);
    tako__free(p->host, p->results);
    tako__free(p->host, p->blobs);
}
