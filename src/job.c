/* job.c - a tako_job at the door: every rule of tako.h is checked here, once, in the caller's
 * thread, and what is to be stored is prepared (ids, hashes, spec texts, the list of blobs).
 *
 * Messages name the member, the value and the bound. Nothing is changed or cut to fit. Stores
 * nothing itself; called by api.c.
 *
 * SPDX-License-Identifier: MIT */
#include "engine.h"
#include "json.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define JOB_TIMEOUT_MS 30000
#define JOB_MEMORY 536870912
#define JOB_RUN_AT_MAX_MS INT64_C(253402300799999) /* the end of the year 9999 */
#define JOB_IP_MAX 45
#define JOB_LABEL_MAX 64

/* What lies behind one row. The hashes of files are in `files`. */
struct tako__paper {
    tako_id id;
    char code_hash[65], input_hash[65];
    char (*file_hashes)[65];
    tako_artifact *files;
    struct tako__buf spec;
    const struct tako__type *type;
    const char *code, *input;
    size_t code_len, input_len;
};

static int job_check_code(const tako_job *job, const struct tako__type *type,
                          struct tako__paper *paper, tako_error *err)
{
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
    if (!job->code)
        return tako__fail(err, TAKO_EINVAL, "code: NULL; job type '%s' needs code", type->name);
    len = job->code_len ? job->code_len : strlen(job->code);
    if (len == 0)
        return tako__fail(err, TAKO_EINVAL, "code: empty; at least 1 byte is needed");
    if (len > TAKO_CODE_MAX)
        return tako__fail(err, TAKO_EINVAL, "code: %zu bytes, more than the %d allowed", len,
                          TAKO_CODE_MAX);
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
    return TAKO_OK;
}

static int job_check_input(const tako_host *host, const tako_job *job, struct tako__paper *paper,
                           tako_error *err)
{
    const char *fault;
    size_t len, at = 0;

    if (!job->input) {
        if (job->input_len)
            return tako__fail(err, TAKO_EINVAL, "input: NULL, but input_len is %zu",
                              job->input_len);
        paper->input = "{}";
        paper->input_len = 2;
        return TAKO_OK;
    }
    len = job->input_len ? job->input_len : strlen(job->input);
    if (len > TAKO_INPUT_MAX)
        return tako__fail(err, TAKO_EINVAL, "input: %zu bytes, more than the %d allowed", len,
                          TAKO_INPUT_MAX);
    fault = tako__json_object_fault(host, job->input, len, TAKO_INPUT_DEPTH_MAX, &at);
    if (fault && tako__json_fault_is_memory(fault))
        return tako__nomem(err);
    if (fault)
        return tako__fail(err, TAKO_EINVAL,
                          "input: not acceptable as a JSON object at byte %zu of %zu: %s", at, len,
                          fault);
    paper->input = job->input;
    paper->input_len = len;
    return TAKO_OK;
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

static int job_check_numbers(const tako_job *job, tako_error *err)
{
    if (job->timeout_ms < 0 || job->timeout_ms > TAKO_TIMEOUT_MAX_MS)
        return tako__fail(err, TAKO_EINVAL, "timeout_ms: %" PRId64 ", not in 1-%d (0 = %d)",
                          job->timeout_ms, TAKO_TIMEOUT_MAX_MS, JOB_TIMEOUT_MS);
    if (job->memory_bytes != 0 &&
        (job->memory_bytes < TAKO_MEMORY_MIN || job->memory_bytes > TAKO_MEMORY_MAX))
        return tako__fail(err, TAKO_EINVAL, "memory_bytes: %" PRId64 ", not in %lld-%lld (0 = %d)",
                          job->memory_bytes, (long long)TAKO_MEMORY_MIN, (long long)TAKO_MEMORY_MAX,
                          JOB_MEMORY);
    if (job->cpu_timeout_ms < 0 || job->cpu_timeout_ms > TAKO_TIMEOUT_MAX_MS)
        return tako__fail(err, TAKO_EINVAL, "cpu_timeout_ms: %" PRId64 ", not in 1-%d (0 = none)",
                          job->cpu_timeout_ms, TAKO_TIMEOUT_MAX_MS);
    if (job->output_kill_bytes < 0)
        return tako__fail(err, TAKO_EINVAL, "output_kill_bytes: %" PRId64 " is negative (0 = none)",
                          job->output_kill_bytes);
    if (job->priority < -100 || job->priority > 100)
        return tako__fail(err, TAKO_EINVAL, "priority: %d, not in -100..100", job->priority);
    if (job->run_at_ms < 0 || job->run_at_ms > JOB_RUN_AT_MAX_MS)
        return tako__fail(err, TAKO_EINVAL, "run_at_ms: %" PRId64 ", not in 0-%" PRId64,
                          job->run_at_ms, JOB_RUN_AT_MAX_MS);
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

static int job_check_type(tako *t, const char *name, const struct tako__type **type,
                          tako_error *err)
{
    if (!name)
        name = "default";
    if (!tako__type_name_ok(name))
        return tako__fail(err, TAKO_EINVAL,
                          "type: '%.80s' is no name of a job type: 1-64 of [A-Za-z0-9_-] with at "
                          "least one letter or digit",
                          name);
    *type = tako__type_find(t, name);
    if (!*type)
        return tako__fail(err, TAKO_ENOTFOUND,
                          "type: there is no job type '%s'; tako_register_handler makes one", name);
    return TAKO_OK;
}

/* Fills paper->spec and the row's columns from a job that passed. */
static int job_write(tako *t, const tako_job *job, struct tako__paper *paper, tako_row *row,
                     int64_t now_us, tako_error *err)
{
    struct tako__spec spec;
    size_t i;
    int rc;

    rc = tako__uuid7(&paper->id, err);
    if (rc != TAKO_OK)
        return rc;
    if (paper->code)
        tako__sha256_hex(paper->code, paper->code_len, paper->code_hash);
    tako__sha256_hex(paper->input, paper->input_len, paper->input_hash);
    if (job->n_files) {
        paper->files = tako__array(&t->host, job->n_files, sizeof *paper->files);
        paper->file_hashes = tako__array(&t->host, job->n_files, sizeof *paper->file_hashes);
        if (!paper->files || !paper->file_hashes)
            return tako__nomem(err);
    }
    for (i = 0; i < job->n_files; i++) {
        tako__sha256_hex(job->files[i].size ? job->files[i].data : "", job->files[i].size,
                         paper->file_hashes[i]);
        paper->files[i].name = job->files[i].name;
        paper->files[i].bytes = (int64_t)job->files[i].size;
        paper->files[i].sha256 = paper->file_hashes[i];
    }
    memset(&spec, 0, sizeof spec);
    spec.code_hash = paper->code ? paper->code_hash : NULL;
    spec.input_hash = paper->input_hash;
    if (paper->input_len <= TAKO__INPUT_INLINE) {
        spec.input = paper->input;
        spec.input_len = paper->input_len;
    }
    spec.files = paper->files;
    spec.n_files = job->n_files;
    spec.timeout_ms = job->timeout_ms ? job->timeout_ms : JOB_TIMEOUT_MS;
    spec.memory_bytes = job->memory_bytes ? job->memory_bytes : JOB_MEMORY;
    spec.cpu_timeout_ms = job->cpu_timeout_ms;
    spec.output_kill_bytes = job->output_kill_bytes;
    spec.correlation_id = job->correlation_id;
    spec.client_ip = job->client_ip;
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
    return TAKO_OK;
}

static int job_prepare_one(tako *t, struct tako__prepared *out, const tako_job *given, size_t at,
                           int64_t now_us, tako_job *job, tako_error *err)
{
    static const tako_job none = TAKO_JOB_INIT;
    struct tako__paper *paper = &out->papers[at];
    int rc;

    *job = none;
    if (given->size != out->job_size) /* the places of the others follow from the first one */
        return tako__fail(err, TAKO_EINVAL, "size: %zu, but that of the first job is %zu",
                          given->size, out->job_size);
    rc = tako__struct_in(job, sizeof *job, sizeof *job, given, "job", err);
    if (rc == TAKO_OK)
        rc = job_check_type(t, job->type, &paper->type, err);
    if (rc == TAKO_OK)
        rc = job_check_code(job, paper->type, paper, err);
    if (rc == TAKO_OK)
        rc = job_check_input(&t->host, job, paper, err);
    if (rc == TAKO_OK)
        rc = job_check_files(job, err);
    if (rc == TAKO_OK)
        rc = job_check_numbers(job, err);
    if (rc == TAKO_OK)
        rc = job_check_labels(job, err);
    if (rc == TAKO_OK)
        rc = job_write(t, job, paper, &out->rows[at], now_us, err);
    if (rc == TAKO_OK && paper->type->sandboxed)
        out->sandboxed = true;
    return rc;
}

static void job_blob(tako_blob *blob, const char *hash, const void *data, size_t len)
{
    blob->sha256 = hash;
    blob->data = len ? data : "";
    blob->len = len;
}

/* Lists the content of one job; returns how many blobs that are. */
static size_t job_list_blobs(const struct tako__paper *paper, const tako_job *job, tako_blob *blobs)
{
    size_t i, n = 0;

    if (paper->code)
        job_blob(&blobs[n++], paper->code_hash, paper->code, paper->code_len);
    if (paper->input_len > TAKO__INPUT_INLINE)
        job_blob(&blobs[n++], paper->input_hash, paper->input, paper->input_len);
    for (i = 0; i < job->n_files; i++)
        job_blob(&blobs[n++], paper->file_hashes[i], job->files[i].data, job->files[i].size);
    return n;
}

int tako__prepare(tako *t, struct tako__prepared *out, const tako_job *jobs, size_t count,
                  bool many, tako_error *err)
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
    if (!out->rows || !out->results || !out->papers)
        return tako__nomem(err);
    out->n_rows = count;
    for (i = 0; i < count; i++)
        tako__buf_init(&out->papers[i].spec, &t->host);
    for (i = 0; i < count; i++) {
        rc = job_prepare_one(t, out, (const tako_job *)(const void *)at, i, now_us, &job, err);
        if (rc != TAKO_OK)
            return many && rc != TAKO_ENOMEM ? tako__context(err, rc, "jobs[%zu]", i) : rc;
        if (out->n_blobs + job.n_files + 2 > room) {
            room = (out->n_blobs + job.n_files + 2) * 2;
            more = tako__resize(&t->host, out->blobs, room * sizeof *more);
            if (!more)
                return tako__nomem(err);
            out->blobs = more;
        }
        out->n_blobs += job_list_blobs(&out->papers[i], &job, out->blobs + out->n_blobs);
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
    }
    tako__free(p->host, p->papers);
    tako__free(p->host, p->rows);
    tako__free(p->host, p->results);
    tako__free(p->host, p->blobs);
}
