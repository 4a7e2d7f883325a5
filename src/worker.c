/* worker.c - one attempt from row to result: loads what the job needs from the store, lets an
 * executor run it, collects streams and artifacts within the limits, judges the ending, and
 * makes the result document. The pump writes it; nothing here writes to the store.
 *
 * Endings are never lost for want of memory: the result's buffer is made when the job is claimed.
 *
 * SPDX-License-Identifier: MIT */
#include "env.h"
#include "json.h"
#include "type.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/timerfd.h>

#define WORKER_RESULT_ROOM 2048 /* holds every result without artifacts, isolation and long texts */
#define WORKER_REJECTED_MAX 256
#define WORKER_SHARED "/app/shared_code"

/* What is collected while an attempt runs. */
struct worker_sink {
    tako *t;
    struct tako__run *run;
    struct tako__capture out, err;
    tako_artifact *artifacts, *rejected;
    size_t n_artifacts, n_rejected, room_artifacts, room_rejected;
    int64_t artifact_bytes;
    const char *output_hash; /* a key in run->blobs */
    char note[256];          /* why result.json was not taken as output */
    size_t room_blobs;
    bool nomem;
};

/* What an executor is given, with the memory behind it. */
struct worker_load {
    tako_record *rec;
    char *code, *input;
    tako_file *files, *secrets;
    size_t n_files, n_secrets;
    const struct tako__spec *spec;
    const struct tako__version *version; /* NULL for handlers */
    struct tako__mount *mounts;
    tako_pair *pairs;
    char (*shared)[300]; /* where shared code is seen */
    struct tako__env env;
    struct tako__task task;
};

/* ---- runs ------------------------------------------------------------------------------------ */

int tako__run_make(struct tako__run **out, tako *t, const tako_row *row,
                   const struct tako__type *type)
{
    struct tako__run *run;
    size_t id_len = strlen(row->id), key_room = row->key ? strlen(row->key) + 1 : 0;
    size_t parent_room = row->parent ? strlen(row->parent) + 1 : 0;
    char *texts;

    if (id_len >= sizeof run->id || !row->spec)
        return TAKO_ESTORE;
    run = tako__alloc(&t->host, sizeof *run + row->spec_len + 1 + key_room + parent_room);
    if (!run)
        return TAKO_ENOMEM;
    tako__buf_init(&run->result, &t->host);
    run->result.data = tako__resize(&t->host, NULL, WORKER_RESULT_ROOM);
    if (!run->result.data) {
        tako__free(&t->host, run);
        return TAKO_ENOMEM;
    }
    run->result.cap = WORKER_RESULT_ROOM;
    run->result.data[0] = '\0';
    memcpy(run->id, row->id, id_len + 1);
    memcpy(run + 1, row->spec, row->spec_len);
    run->row = *row;
    run->row.id = run->id;
    run->row.type = type->name;
    run->row.node = t->node.text;
    run->row.spec = (const char *)(run + 1);
    run->row.result = NULL;
    run->row.result_len = 0;
    texts = (char *)(run + 1) + row->spec_len + 1; /* a dead letter tells of them */
    run->row.key = run->row.parent = NULL;
    if (key_room)
        run->row.key = memcpy(texts, row->key, key_room);
    if (parent_room)
        run->row.parent = memcpy(texts + key_room, row->parent, parent_room);
    run->row.refs = NULL;
    run->row.n_refs = 0;
    run->type = type;
    run->attempt = row->attempt;
    run->deaths = row->deaths;
    run->failures = row->failures;
    run->run_at_us = row->run_at_us;
    run->started_us = row->started_us;
    run->why = row->cancel_requested ? TAKO__STOP_CANCEL : TAKO__GO_ON;
    run->claimed_mono = tako__mono_us();
    *out = run;
    return TAKO_OK;
}

void tako__run_drop_blobs(tako *t, struct tako__run *run)
{
    size_t i;

    for (i = 0; i < run->n_blobs; i++) {
        union {
            const void *in;
            void *out;
        } data = {run->blobs[i].data};
        union {
            const char *in;
            char *out;
        } key = {run->blobs[i].sha256};

        tako__free(&t->host, data.out); /* ours, made in worker_keep */
        tako__free(&t->host, key.out);
    }
    run->n_blobs = 0;
    run->n_refs = 0;
}

void tako__run_free(tako *t, struct tako__run *run)
{
    if (!run)
        return;
    tako__run_drop_blobs(t, run);
    tako__free(&t->host, run->blobs);
    tako__free(&t->host, run->refs);
    tako__letter_drop(&run->letter);
    tako__buf_free(&run->result);
    tako__free(&t->host, run);
}

struct tako__run *tako__ready_pop_locked(tako *t)
{
    struct tako__run *run = t->ready;

    if (!run)
        return NULL;
    t->ready = run->next;
    if (!t->ready)
        t->ready_end = &t->ready;
    run->next = NULL;
    t->n_ready--;
    t->n_running++;
    return run;
}

/* Sets a worker's timer: INT64_MAX = never, 0 = now, else in so many microseconds. Also forgets
 * an earlier firing. */
static void worker_timer(struct tako__worker *w, int64_t in_us)
{
    struct itimerspec spec;

    memset(&spec, 0, sizeof spec);
    if (in_us != INT64_MAX) {
        spec.it_value.tv_sec = (time_t)(in_us / 1000000);
        spec.it_value.tv_nsec = (long)(in_us % 1000000) * 1000;
        if (in_us == 0)
            spec.it_value.tv_nsec = 1;
    }
    (void)timerfd_settime(w->cancel_fd, 0, &spec, NULL);
}

void tako__run_stop_locked(struct tako__run *run, enum tako__stop_why why)
{
    if (run->why == TAKO__GO_ON || why == TAKO__STOP_CANCEL)
        run->why = why;
    if (run->worker)
        worker_timer(run->worker, 0);
}

/* ---- the sink -------------------------------------------------------------------------------- */

/* Keeps `data` (which becomes the run's, also on failure) as a blob; NULL when memory ran out,
 * else its key. */
static const char *worker_keep(struct worker_sink *s, char *data, size_t len)
{
    struct tako__run *run = s->run;
    tako_blob *more;
    size_t room;
    char *key = tako__resize(&s->t->host, NULL, 65);

    if (key && run->n_blobs == s->room_blobs) {
        room = s->room_blobs ? s->room_blobs * 2 : 4;
        more = tako__resize(&s->t->host, run->blobs, room * sizeof *more);
        if (!more) {
            tako__free(&s->t->host, key);
            key = NULL;
        } else {
            run->blobs = more;
            s->room_blobs = room;
        }
    }
    if (!key) {
        tako__free(&s->t->host, data);
        s->nomem = true;
        return NULL;
    }
    tako__sha256_hex(data, len, key);
    run->blobs[run->n_blobs].sha256 = key;
    run->blobs[run->n_blobs].data = data;
    run->blobs[run->n_blobs].len = len;
    run->n_blobs++;
    return key;
}

static const char *worker_keep_copy(struct worker_sink *s, const void *data, size_t len)
{
    char *copy = tako__strndup(&s->t->host, len ? data : "", len);

    if (!copy) {
        s->nomem = true;
        return NULL;
    }
    return worker_keep(s, copy, len);
}

static tako_artifact *worker_room(struct worker_sink *s, tako_artifact **list, size_t n,
                                  size_t *room)
{
    tako_artifact *more;
    size_t want = *room ? *room * 2 : 8;

    if (n < *room)
        return *list + n;
    more = tako__resize(&s->t->host, *list, want * sizeof *more);
    if (!more) {
        s->nomem = true;
        return NULL;
    }
    *list = more;
    *room = want;
    return more + n;
}

static void worker_write(void *ctx, int stream, const void *data, size_t len)
{
    struct worker_sink *s = ctx;

    if (s->t->on_output && len)
        s->t->on_output(s->t->output_ctx, s->run->id, stream, data, len);
    tako__capture_add(stream == 2 ? &s->err : &s->out, data, len);
}

static void worker_reject(void *ctx, const char *name, size_t name_len, int64_t bytes,
                          const char *reason)
{
    struct worker_sink *s = ctx;
    tako_artifact *a;

    if (s->n_rejected > WORKER_REJECTED_MAX)
        return;
    if (s->n_rejected == WORKER_REJECTED_MAX) {
        name = "";
        name_len = 0;
        bytes = 0;
        reason = "more was rejected than is listed";
    }
    a = worker_room(s, &s->rejected, s->n_rejected, &s->room_rejected);
    if (!a)
        return;
    memset(a, 0, sizeof *a);
    a->name = tako__strndup(&s->t->host, name, name_len);
    if (!a->name) {
        s->nomem = true;
        return;
    }
    a->bytes = bytes;
    a->reason = reason;
    s->n_rejected++;
}

static const char *worker_admit(void *ctx, const char *name, size_t name_len, int64_t bytes)
{
    struct worker_sink *s = ctx;
    const char *why = tako__artifact_name_fault(name, name_len);
    size_t i;

    if (!why && bytes > s->t->limits.artifact_bytes)
        why = "larger than one artifact may be";
    if (!why && s->n_artifacts >= TAKO_ARTIFACT_COUNT_MAX)
        why = "there are as many artifacts as one job may have";
    if (!why && bytes > s->t->limits.artifacts_bytes - s->artifact_bytes)
        why = "the artifacts together would be larger than allowed";
    for (i = 0; !why && i < s->n_artifacts; i++)
        if (strlen(s->artifacts[i].name) == name_len &&
            memcmp(s->artifacts[i].name, name, name_len) == 0)
            why = "there is an artifact of that name already";
    if (why)
        worker_reject(ctx, name, name_len, bytes, why);
    return why;
}

/* The job's output is a JSON object or nothing; a text that is none is noted, not refused. */
static void worker_output(struct worker_sink *s, const char *json, size_t len, const char *hash)
{
    size_t at = 0;
    const char *fault = tako__json_object_fault(&s->t->host, json, len, TAKO_INPUT_DEPTH_MAX, &at);

    if (fault && tako__json_fault_is_memory(fault))
        s->nomem = true;
    s->note[0] = '\0';
    s->output_hash = NULL;
    if (fault)
        (void)snprintf(s->note, sizeof s->note,
                       "result.json was not taken as output: %s at byte "
                       "%zu",
                       fault, at);
    else
        s->output_hash = hash;
}

static int worker_artifact(void *ctx, const char *name, const void *data, size_t len)
{
    struct worker_sink *s = ctx;
    tako_artifact *a = worker_room(s, &s->artifacts, s->n_artifacts, &s->room_artifacts);
    char *copy;

    if (!a)
        return TAKO_ENOMEM;
    memset(a, 0, sizeof *a);
    copy = tako__strdup(&s->t->host, name);
    if (copy)
        a->sha256 = worker_keep_copy(s, data, len);
    if (!copy || !a->sha256) {
        tako__free(&s->t->host, copy);
        s->nomem = true;
        return TAKO_ENOMEM;
    }
    a->name = copy;
    a->bytes = (int64_t)len;
    s->n_artifacts++;
    s->artifact_bytes += (int64_t)len;
    if (strcmp(name, "result.json") == 0)
        worker_output(s, data, len, a->sha256);
    return TAKO_OK;
}

static int worker_given_output(void *ctx, const char *json, size_t len)
{
    struct worker_sink *s = ctx;
    const char *hash = worker_keep_copy(s, json, len);

    if (!hash)
        return TAKO_ENOMEM;
    worker_output(s, json, len, hash);
    return TAKO_OK;
}

static void worker_sink_free(struct worker_sink *s)
{
    union {
        const char *in;
        char *out;
    } name;
    size_t i;

    for (i = 0; i < s->n_artifacts; i++) {
        name.in = s->artifacts[i].name;
        tako__free(&s->t->host, name.out);
    }
    for (i = 0; i < s->n_rejected; i++) {
        name.in = s->rejected[i].name;
        tako__free(&s->t->host, name.out);
    }
    tako__free(&s->t->host, s->artifacts);
    tako__free(&s->t->host, s->rejected);
    tako__buf_free(&s->out.kept);
    tako__buf_free(&s->err.kept);
}

/* ---- loading --------------------------------------------------------------------------------- */

struct worker_bytes {
    const tako_host *host;
    char *data;
    size_t len;
};

static int worker_take_bytes(void *ctx, const void *data, size_t len)
{
    struct worker_bytes *b = ctx;

    b->data = tako__strndup(b->host, len ? data : "", len);
    b->len = len;
    return b->data ? 0 : TAKO_ENOMEM;
}

static int worker_get(tako *t, const char *what, const char *hash, char **data, size_t *len,
                      tako_error *err)
{
    struct worker_bytes b;
    int rc;

    b.host = &t->host;
    b.data = NULL;
    b.len = 0;
    if (!hash)
        return tako__fail(err, TAKO_ENOTFOUND, "the record names no %s", what);
    rc = t->ops->get_blob(t->store, hash, 0, INT64_MAX, worker_take_bytes, &b, err);
    if (rc == TAKO_ENOMEM)
        return tako__nomem(err);
    if (rc == TAKO_ENOTFOUND)
        return tako__fail(err, rc, "the store is damaged: %s %s is missing", what, hash);
    *data = b.data;
    *len = b.len;
    return rc;
}

#define WORKER_SECRET_MAX 1048576 /* bytes of one secret file */

/* Reads a secret file of the host. The bytes are the caller's, and are wiped when they go. */
static int worker_secret(tako *t, const tako_pair *named, tako_file *out, tako_error *err)
{
    char *data = tako__resize(&t->host, NULL, WORKER_SECRET_MAX + 2);
    int len;

    if (!data)
        return tako__nomem(err);
    out->name = named->name;
    out->data = data;
    len = tako__read_small(named->value, data, WORKER_SECRET_MAX + 2);
    if (len < 0)
        return tako__fail_errno(err, TAKO_EINVAL, errno, "secret file '%s': reading '%.200s'",
                                named->name, named->value);
    if (len > WORKER_SECRET_MAX)
        return tako__fail(err, TAKO_EINVAL, "secret file '%s': more than the %d bytes allowed",
                          named->name, WORKER_SECRET_MAX);
    out->size = (size_t)len;
    return TAKO_OK;
}

/* What the version of its job type adds to a task. */
static int worker_load_version(tako *t, struct tako__run *run, struct worker_load *load,
                               tako_error *err)
{
    struct tako__version *v;
    size_t i, n = 0;
    int rc;

    if (!load->spec->digest) /* a row of a time without versions */
        return TAKO_OK;
    rc = tako__version_load(t, run->type->name, load->spec->digest, &v, err);
    if (rc != TAKO_OK)
        return rc;
    load->version = v;
    load->task.file_name = v->file_name;
    load->task.command = v->command;
    load->mounts = tako__array(&t->host, v->n_shared_code + 1, sizeof *load->mounts);
    load->pairs = tako__array(&t->host, v->n_environment + 2, sizeof *load->pairs);
    load->secrets = tako__array(&t->host, v->n_secret_files + 1, sizeof *load->secrets);
    load->shared = tako__array(&t->host, v->n_shared_code + 1, sizeof *load->shared);
    if (!load->mounts || !load->pairs || !load->secrets || !load->shared)
        return tako__nomem(err);
    for (i = 0; i < v->n_shared_code; i++) {
        const char *base = strrchr(v->shared_code[i], '/');
        int len = snprintf(load->shared[i], sizeof load->shared[i], WORKER_SHARED "%s", base);

        if (len < 0 || (size_t)len >= sizeof load->shared[i])
            return tako__fail(err, TAKO_EINVAL, "shared code '%.80s': its name is too long",
                              v->shared_code[i]);
        load->mounts[n].host = v->shared_code[i];
        load->mounts[n++].inside = load->shared[i];
    }
    load->task.mounts = load->mounts;
    load->task.n_mounts = n;
    for (n = 0; n < v->n_environment; n++)
        load->pairs[n] = v->environment[n];
    load->task.environment = load->pairs;
    load->task.n_environment = n;
    for (i = 0; i < v->n_secret_files; i++) {
        load->n_secrets = i + 1;
        rc = worker_secret(t, &v->secret_files[i], &load->secrets[i], err);
        if (rc != TAKO_OK)
            return rc;
    }
    load->task.secrets = load->secrets;
    load->task.n_secrets = load->n_secrets;
    return TAKO_OK;
}

/* Where Python finds shared code and packages; the job type's own setting wins. */
static void worker_python_path(struct worker_load *load)
{
    bool shared = load->version && load->version->n_shared_code, packages = load->env.path != NULL;
    size_t i;

    for (i = 0; i < load->task.n_environment; i++)
        if (strcmp(load->pairs[i].name, "PYTHONPATH") == 0)
            return;
    if (!shared && !packages)
        return;
    load->pairs[i].name = "PYTHONPATH";
    load->pairs[i].value = !packages ? WORKER_SHARED
                           : shared  ? WORKER_SHARED ":" TAKO__PACKAGES
                                     : TAKO__PACKAGES;
    load->task.n_environment++;
}

/* Makes or finds the environment of the requirements, and has the task see it. */
static int worker_environment(tako *t, struct worker_load *load, const struct tako__sink *sink,
                              int cancel_fd, struct tako__outcome *out)
{
    int rc;

    if (!load->version || load->version->n_requirements + load->spec->n_requirements == 0)
        return TAKO_OK;
    rc = tako__env_ready(t, load->version, load->spec->requirements, load->spec->n_requirements,
                         load->spec->startup_timeout_ms, sink, cancel_fd, &load->env, out);
    if (rc != TAKO_OK)
        return rc;
    load->mounts[load->task.n_mounts].host = load->env.path;
    load->mounts[load->task.n_mounts].inside = TAKO__PACKAGES;
    load->task.n_mounts++;
    return TAKO_OK;
}

static int worker_load(tako *t, struct tako__run *run, struct worker_load *load, tako_error *err)
{
    const struct tako__spec *spec;
    const tako_artifact *a;
    size_t i, len = 0, count;
    char *data;
    int rc;

    rc = tako__record_make(&load->rec, &t->host, &run->row, err);
    if (rc != TAKO_OK)
        return rc;
    load->task.id = run->id;
    load->task.type = run->type->name;
    load->task.attempt = run->attempt;
    spec = tako__record_spec(load->rec);
    load->spec = spec;
    load->task.timeout_ms = spec->timeout_ms;
    load->task.memory_bytes = spec->memory_bytes;
    load->task.cpu_timeout_ms = spec->cpu_timeout_ms;
    load->task.output_kill_bytes = spec->output_kill_bytes;
    load->task.cpu_percent = spec->cpu_percent;
    load->task.network = spec->network;
    if (run->type->sandboxed) {
        rc = worker_load_version(t, run, load, err);
        if (rc != TAKO_OK)
            return rc;
        rc = worker_get(t, "code", tako_record_code_hash(load->rec), &load->code, &len, err);
        if (rc != TAKO_OK)
            return rc;
        load->task.code = load->code;
        load->task.code_len = len;
    }
    load->task.input = spec->input;
    load->task.input_len = spec->input_len;
    if (!load->task.input) {
        rc = worker_get(t, "input", spec->input_hash, &load->input, &len, err);
        if (rc != TAKO_OK)
            return rc;
        load->task.input = load->input;
        load->task.input_len = len;
    }
    count = tako_record_artifact_count(load->rec, TAKO_INPUT_FILES);
    if (count) {
        load->files = tako__array(&t->host, count, sizeof *load->files);
        if (!load->files)
            return tako__nomem(err);
    }
    for (i = 0; i < count; i++) {
        a = tako_record_artifact(load->rec, TAKO_INPUT_FILES, i);
        if (!a)
            break;
        data = NULL;
        rc = worker_get(t, "input file", a->sha256, &data, &len, err);
        if (rc != TAKO_OK)
            return rc;
        load->files[i].name = a->name;
        load->files[i].data = data;
        load->files[i].size = len;
        load->n_files++;
    }
    load->task.files = load->files;
    load->task.n_files = load->n_files;
    return TAKO_OK;
}

static void worker_unload(tako *t, struct worker_load *load)
{
    union {
        const void *in;
        void *out;
    } data;
    size_t i;

    for (i = 0; i < load->n_files; i++) {
        data.in = load->files[i].data;
        tako__free(&t->host, data.out);
    }
    for (i = 0; i < load->n_secrets; i++) {
        data.in = load->secrets[i].data;
        if (data.out)
            explicit_bzero(data.out, load->secrets[i].size);
        tako__free(&t->host, data.out);
    }
    tako__free(&t->host, load->secrets);
    tako__free(&t->host, load->shared);
    tako__free(&t->host, load->pairs);
    tako__free(&t->host, load->mounts);
    tako__env_leave(t, &load->env);
    tako__free(&t->host, load->files);
    tako__free(&t->host, load->code);
    tako__free(&t->host, load->input);
    tako_record_free(load->rec);
}

/* ---- endings --------------------------------------------------------------------------------- */

/* Takes a stream's kept bytes as a blob; NULL when there are none. */
static const char *worker_stream(struct worker_sink *s, struct tako__capture *c, bool *truncated)
{
    size_t len;
    char *data;

    *truncated = tako__capture_end(c);
    if (c->kept.failed) {
        s->nomem = true;
        return NULL;
    }
    len = c->kept.len;
    if (len == 0)
        return NULL;
    data = tako__buf_take(&c->kept);
    if (!data) {
        s->nomem = true;
        return NULL;
    }
    return worker_keep(s, data, len);
}

/* Lists what the result refers to, each hash as often as it is mentioned there. */
static void worker_refs(struct worker_sink *s, const struct tako__result *r)
{
    struct tako__run *run = s->run;
    size_t i;

    run->refs = tako__array(&s->t->host, r->n_artifacts + 3, sizeof *run->refs);
    if (!run->refs) {
        s->nomem = true;
        return;
    }
    if (r->stdout_hash)
        run->refs[run->n_refs++] = r->stdout_hash;
    if (r->stderr_hash)
        run->refs[run->n_refs++] = r->stderr_hash;
    if (r->output_hash)
        run->refs[run->n_refs++] = r->output_hash;
    for (i = 0; i < r->n_artifacts; i++)
        run->refs[run->n_refs++] = r->artifacts[i].sha256;
}

static void worker_print(struct worker_sink *s, const struct tako__outcome *out,
                         const struct tako__class *judged, int64_t started_us)
{
    static const struct tako__result none = TAKO__RESULT_INIT;
    struct tako__run *run = s->run;
    struct tako__result r = none;
    void *self;

    r.verdict = out->verdict;
    r.exit_code = out->exit_code;
    r.signal = out->signal;
    r.stdout_bytes = s->out.seen;
    r.stderr_bytes = s->err.seen;
    r.stdout_hash = worker_stream(s, &s->out, &r.stdout_truncated);
    r.stderr_hash = worker_stream(s, &s->err, &r.stderr_truncated);
    r.output_hash = s->output_hash;
    r.output_note = s->note[0] ? s->note : NULL;
    if (judged->status != TAKO_SUCCEEDED) {
        r.error_type = judged->type;
        r.error_message = judged->message;
        r.error_phase = judged->phase;
    }
    r.started_us = out->verdict == TAKO_VERDICT_SETUP ? 0 : started_us;
    r.setup_us = out->setup_us;
    r.wall_us = out->wall_us;
    r.cpu_us = out->cpu_us;
    r.peak_bytes = out->peak_bytes;
    r.oom_kills = out->oom_kills;
    r.pids_peak = out->pids_peak;
    r.pids_hits = out->pids_hits;
    r.throttled_us = out->throttled_us;
    r.survivors = out->survivors;
    r.install_us = out->install_us;
    r.runtime = tako__type_exec(s->t, run->type, &self)->name;
    r.isolation = out->isolation;
    r.artifacts = s->artifacts;
    r.n_artifacts = s->n_artifacts;
    r.rejected = s->rejected;
    r.n_rejected = s->n_rejected;
    run->result.len = 0;
    tako__result_print(&run->result, &r);
    worker_refs(s, &r);
}

/* From the executor's facts to run->status and run->result. */
static void worker_judge(struct worker_sink *s, struct tako__outcome *out, int exec_rc,
                         const struct worker_load *load, int64_t begun_us)
{
    const struct tako__task *task = &load->task;
    tako *t = s->t;
    struct tako__run *run = s->run;
    struct tako__class judged;
    enum tako__stop_why why;
    const char *tail;
    size_t tail_len;
    int64_t now_us = tako__now_us(&t->host);

    pthread_mutex_lock(&t->lock);
    why = run->why;
    pthread_mutex_unlock(&t->lock);
    if (out->verdict == TAKO_VERDICT_CANCELLED && why == TAKO__GO_ON)
        out->verdict = TAKO_VERDICT_WALL; /* nobody asked: the timer did, at the deadline */
    if (out->verdict == TAKO_VERDICT_CANCELLED && why == TAKO__STOP_ENGINE) {
        if (run->type->sandboxed || out->exit_code != 0) {
            tako__run_requeue(t, run, now_us, now_us, "the engine was stopped");
            return;
        }
        out->verdict = TAKO_VERDICT_EXIT; /* a handler that came to its end in the time left */
    }
    if (out->verdict == TAKO_VERDICT_SETUP && out->retryable && why == TAKO__GO_ON &&
        tako__run_again(t, run, out->message)) {
        tako__log(&t->host, TAKO_LOG_WARN, "worker",
                  "job %s, attempt %d, goes back to the queue: "
                  "%s",
                  run->id, run->attempt, out->message);
        return;
    }
    run->started_us = begun_us + (out->setup_us > 0 ? out->setup_us : 0);
    run->ended_us = now_us > run->started_us ? now_us : run->started_us;
    if (exec_rc != TAKO_OK) {
        tako__run_end_plain(t, run, TAKO_FAILED, out->verdict, "internal_error",
                            out->message[0] ? out->message : tako_strerror(exec_rc));
        return;
    }
    tail = tako__capture_tail(&s->err, &tail_len);
    tako__classify(&judged, out,
                   out->verdict == TAKO_VERDICT_CPU ? task->cpu_timeout_ms : task->timeout_ms, tail,
                   tail_len);
    if (tako__run_retry(t, run, load->spec, out->verdict, &judged))
        return;
    run->status = judged.status;
    worker_print(s, out, &judged, run->started_us);
    tako__run_bury(t, run, load->spec, out->verdict, &judged);
    if (s->nomem || run->result.failed)
        tako__run_end_plain(t, run, TAKO_FAILED, out->verdict, "internal_error",
                            "out of memory while the results of the job were collected");
}

static void worker_attempt(struct tako__worker *w, struct tako__run *run)
{
    tako *t = w->engine;
    static const struct tako__outcome unknown = TAKO__OUTCOME_INIT;
    struct tako__outcome out = unknown;
    struct worker_load load;
    struct worker_sink s;
    const struct tako__exec_ops *exec;
    struct tako__sink sink;
    tako_error err;
    int64_t begun_us = tako__now_us(&t->host), install_us;
    void *self;
    int rc;

    memset(&err, 0, sizeof err);
    memset(&load, 0, sizeof load);
    memset(&s, 0, sizeof s);
    s.t = t;
    s.run = run;
    tako__capture_init(&s.out, &t->host, (size_t)t->limits.stdout_bytes);
    tako__capture_init(&s.err, &t->host, (size_t)t->limits.stderr_bytes);
    memset(&sink, 0, sizeof sink);
    sink.ctx = &s;
    sink.write = worker_write;
    sink.admit = worker_admit;
    sink.artifact = worker_artifact;
    sink.reject = worker_reject;
    sink.output = worker_given_output;
    rc = worker_load(t, run, &load, &err);
    if (rc != TAKO_OK) {
        if (rc == TAKO_EINVAL) /* a secret file, or a name */
            tako__run_end_plain(t, run, TAKO_FAILED, TAKO_VERDICT_SETUP, "config_error",
                                err.message);
        else if (rc == TAKO_ENOTFOUND || rc == TAKO_EINTERNAL ||
                 !tako__run_again(t, run, err.message))
            tako__run_end_plain(t, run, TAKO_FAILED, TAKO_VERDICT_SETUP, "internal_error",
                                err.message);
        tako__log(&t->host, TAKO_LOG_ERROR, "worker", "job %s: %s", run->id, err.message);
    } else {
        load.task.cancel_fd = w->cancel_fd;
        if (!run->type->sandboxed) {
            pthread_mutex_lock(&t->lock);
            if (run->why == TAKO__GO_ON)
                worker_timer(w, load.task.timeout_ms * 1000);
            pthread_mutex_unlock(&t->lock);
        }
        rc = worker_environment(t, &load, &sink, w->cancel_fd, &out);
        if (rc == TAKO_OK && out.verdict == TAKO_VERDICT_NONE) {
            worker_python_path(&load);
            install_us = out.install_us;
            exec = tako__type_exec(t, run->type, &self);
            rc = exec->run(self, &load.task, &sink, &out);
            out.install_us = install_us;
        }
        worker_judge(&s, &out, rc, &load, begun_us);
    }
    worker_sink_free(&s);
    worker_unload(t, &load);
}

void tako__worker_run(struct tako__worker *w, struct tako__run *run)
{
    tako *t = w->engine;
    enum tako__stop_why why;
    int64_t began = tako__mono_us(), took;

    worker_timer(w, INT64_MAX);
    pthread_mutex_lock(&t->lock);
    if (t->stop_now && run->why == TAKO__GO_ON)
        run->why = TAKO__STOP_ENGINE;
    why = run->why;
    w->run = run;
    run->worker = w;
    pthread_mutex_unlock(&t->lock);
    if (why == TAKO__STOP_CANCEL)
        tako__run_end_cancelled(t, run);
    else if (why == TAKO__STOP_ENGINE)
        tako__run_requeue(t, run, tako__now_us(&t->host), run->row.run_at_us,
                          "the engine was stopped before it began");
    else
        worker_attempt(w, run);
    took = tako__mono_us() - began;
    pthread_mutex_lock(&t->lock);
    w->run = NULL;
    run->worker = NULL;
    t->n_running--;
    if (!run->type->sandboxed)
        t->handler_us = t->handler_us ? t->handler_us + (took - t->handler_us) / 8 : took;
    if (!run->type->sandboxed && t->handler_us == 0)
        t->handler_us = 1;
    tako__pump_end_run_locked(t, run);
    if (t->phase == TAKO__STOPPING)
        pthread_cond_broadcast(&t->turn);
    pthread_mutex_unlock(&t->lock);
}

void *tako__worker_main(void *worker)
{
    struct tako__worker *w = worker;
    tako *t = w->engine;
    struct tako__run *run;

    pthread_mutex_lock(&t->lock);
    for (;;) {
        run = tako__ready_pop_locked(t);
        if (run) {
            pthread_mutex_unlock(&t->lock);
            tako__worker_run(w, run);
            pthread_mutex_lock(&t->lock);
        } else if (t->crew_leave) {
            break;
        } else if (t->sweep_due) {
            t->sweep_due = false;
            pthread_mutex_unlock(&t->lock);
            tako__env_sweep(t);
            pthread_mutex_lock(&t->lock);
        } else {
            t->n_idle++;
            pthread_cond_wait(&t->work, &t->lock);
            t->n_idle--;
        }
    }
    pthread_mutex_unlock(&t->lock);
    return NULL;
}
