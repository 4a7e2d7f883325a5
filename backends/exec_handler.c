/* exec_handler.c - the executor that calls C functions of the host.
 *
 * A handler cannot be killed: it sees a descriptor that becomes readable when it shall stop, and
 * is waited for. One that returns after its deadline has timed out; one that was told to stop
 * before it returned is reported as cancelled, with its return value as the exit code, and the
 * engine decides what that means. Knows the job types that were added, nothing of queues.
 *
 * SPDX-License-Identifier: MIT */
#include "../src/exec.h"
#include "../src/json.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

struct handler_entry {
    struct handler_entry *next;
    tako_handler_fn *fn;
    void *ctx;
    void (*destroy)(void *ctx);
    char type[65];
};

struct handler_exec {
    const tako_host *host;
    pthread_mutex_t lock; /* guards `entries`, whose members are constant once linked */
    struct handler_entry *entries;
    int64_t artifact_bytes; /* the most that one output or artifact may have */
};

struct tako_call {
    const tako_host *host;
    const struct tako__task *task;
    const struct tako__sink *sink;
    struct tako__outcome *out;
    int64_t artifact_bytes;
    char *output;
    size_t output_len;
    char (*names)[256]; /* of the artifacts */
    size_t n_names;
};

static int handler_open(void **self, const tako_host *host, const tako_options *opts,
                        tako_error *err)
{
    struct handler_exec *h = tako__alloc(host, sizeof *h);

    *self = NULL;
    if (!h)
        return tako__nomem(err);
    h->host = host;
    h->artifact_bytes = opts->limits->artifact_bytes;
    if (pthread_mutex_init(&h->lock, NULL) != 0) {
        tako__free(host, h);
        return tako__nomem(err);
    }
    *self = h;
    return TAKO_OK;
}

static void handler_close(void *self)
{
    struct handler_exec *h = self;
    struct handler_entry *e;

    if (!h)
        return;
    while ((e = h->entries) != NULL) {
        h->entries = e->next;
        if (e->destroy)
            e->destroy(e->ctx);
        tako__free(h->host, e);
    }
    pthread_mutex_destroy(&h->lock);
    tako__free(h->host, h);
}

static int handler_check(void *self, tako_error *err)
{
    (void)self;
    (void)err;
    return TAKO_OK;
}

static struct handler_entry *handler_find(struct handler_exec *h, const char *type)
{
    struct handler_entry *e;

    pthread_mutex_lock(&h->lock);
    for (e = h->entries; e; e = e->next)
        if (strcmp(e->type, type) == 0)
            break;
    pthread_mutex_unlock(&h->lock);
    return e;
}

int tako__exec_handler_add(void *self, const char *type, tako_handler_fn *fn, void *ctx,
                           void (*destroy)(void *ctx), tako_error *err)
{
    struct handler_exec *h = self;
    struct handler_entry *e = tako__alloc(h->host, sizeof *e);

    if (!e)
        return tako__nomem(err);
    (void)snprintf(e->type, sizeof e->type, "%s", type);
    e->fn = fn;
    e->ctx = ctx;
    e->destroy = destroy;
    pthread_mutex_lock(&h->lock);
    e->next = h->entries;
    h->entries = e;
    pthread_mutex_unlock(&h->lock);
    return TAKO_OK;
}

static int handler_run(void *self, const struct tako__task *task, const struct tako__sink *sink,
                       struct tako__outcome *out)
{
    struct handler_exec *h = self;
    struct handler_entry *e = handler_find(h, task->type);
    struct tako_call call;
    int64_t began = tako__mono_us();
    int value, rc = TAKO_OK;

    if (!e) {
        out->verdict = TAKO_VERDICT_SETUP;
        (void)snprintf(out->message, sizeof out->message, "there is no handler for job type '%s'",
                       task->type);
        return TAKO_EINTERNAL;
    }
    memset(&call, 0, sizeof call);
    call.host = h->host;
    call.artifact_bytes = h->artifact_bytes;
    call.task = task;
    call.sink = sink;
    call.out = out;
    out->setup_us = 0;
    value = e->fn(e->ctx, &call);
    out->wall_us = tako__mono_us() - began;
    out->exit_code = value & 255;
    if (value != 0 && out->exit_code == 0)
        out->exit_code = 255;
    out->verdict = TAKO_VERDICT_EXIT;
    if (out->wall_us >= task->timeout_ms * 1000)
        out->verdict = TAKO_VERDICT_WALL;
    else if (tako_call_cancelled(&call))
        out->verdict = TAKO_VERDICT_CANCELLED;
    if (value == 0)
        out->message[0] = '\0';
    else if (!out->message[0])
        (void)snprintf(out->message, sizeof out->message, "Handler returned %d", value);
    if (call.output)
        rc = sink->output(sink->ctx, call.output, call.output_len);
    tako__free(h->host, call.output);
    tako__free(h->host, call.names);
    return rc;
}

static int handler_report(void *self, tako_layer_fn *each, void *ctx, tako_error *err)
{
    (void)self;
    (void)each;
    (void)ctx;
    (void)err;
    return TAKO_OK;
}

const struct tako__exec_ops *tako__exec_handler(void)
{
    static const struct tako__exec_ops ops = {"handler",     handler_open, handler_close,
                                              handler_check, handler_run,  handler_report};

    return &ops;
}

/* ---- what a handler may call ----------------------------------------------------------------- */

const char *tako_call_id(const tako_call *c)
{
    return c ? c->task->id : "";
}

int tako_call_attempt(const tako_call *c)
{
    return c ? c->task->attempt : 0;
}

const char *tako_call_input(const tako_call *c, size_t *len)
{
    if (len)
        *len = c ? c->task->input_len : 0;
    return c ? c->task->input : "";
}

size_t tako_call_file_count(const tako_call *c)
{
    return c ? c->task->n_files : 0;
}

const tako_file *tako_call_file(const tako_call *c, size_t index)
{
    return c && index < c->task->n_files ? &c->task->files[index] : NULL;
}

int tako_call_write(tako_call *c, int stream, const void *data, size_t len)
{
    if (!c || (stream != 1 && stream != 2) || (!data && len))
        return TAKO_EINVAL;
    if (len)
        c->sink->write(c->sink->ctx, stream, data, len);
    return TAKO_OK;
}

int tako_call_output(tako_call *c, const char *json, size_t len, tako_error *err)
{
    const char *fault;
    size_t at = 0;
    char *copy;

    if (!c || !json)
        return tako__fail(err, TAKO_EINVAL, "tako_call_output: %s is NULL", c ? "json" : "c");
    if (len > (size_t)c->artifact_bytes)
        return tako__fail(err, TAKO_EINVAL,
                          "tako_call_output: %zu bytes, more than the %lld allowed", len,
                          (long long)c->artifact_bytes);
    fault = tako__json_object_fault(c->host, json, len, TAKO_INPUT_DEPTH_MAX, &at);
    if (fault && tako__json_fault_is_memory(fault))
        return tako__nomem(err);
    if (fault)
        return tako__fail(err, TAKO_EINVAL,
                          "tako_call_output: not acceptable as a JSON object at byte %zu of %zu: "
                          "%s",
                          at, len, fault);
    copy = tako__strndup(c->host, json, len);
    if (!copy)
        return tako__nomem(err);
    tako__free(c->host, c->output);
    c->output = copy;
    c->output_len = len;
    return TAKO_OK;
}

int tako_call_artifact(tako_call *c, const char *name, const void *data, size_t len,
                       tako_error *err)
{
    const char *fault;
    size_t i;

    if (!c || !name || (!data && len))
        return tako__fail(err, TAKO_EINVAL, "tako_call_artifact: %s is NULL",
                          !c      ? "c"
                          : !name ? "name"
                                  : "data");
    fault = tako__artifact_name_fault(name, strlen(name));
    if (fault)
        return tako__fail(err, TAKO_EINVAL, "tako_call_artifact: name '%.80s': %s", name, fault);
    for (i = 0; i < c->n_names; i++)
        if (strcmp(c->names[i], name) == 0)
            return tako__fail(err, TAKO_EINVAL,
                              "tako_call_artifact: there is an artifact '%.80s' already", name);
    if (!c->names) {
        c->names = tako__array(c->host, TAKO_ARTIFACT_COUNT_MAX, sizeof *c->names);
        if (!c->names)
            return tako__nomem(err);
    }
    fault = c->sink->admit(c->sink->ctx, name, strlen(name), (int64_t)len);
    if (fault || c->n_names == TAKO_ARTIFACT_COUNT_MAX)
        return tako__fail(err, TAKO_EFULL, "tako_call_artifact: '%.80s' of %zu bytes: %s", name,
                          len, fault ? fault : "too many");
    if (c->sink->artifact(c->sink->ctx, name, len ? data : "", len) != TAKO_OK)
        return tako__nomem(err);
    (void)snprintf(c->names[c->n_names++], sizeof *c->names, "%s", name);
    return TAKO_OK;
}

int tako_call_fail(tako_call *c, const char *message)
{
    size_t len;

    if (!c || !message)
        return TAKO_EINVAL;
    len = tako__utf8_cut(message, strlen(message), sizeof c->out->message - 1);
    memcpy(c->out->message, message, len);
    c->out->message[len] = '\0';
    return TAKO_OK;
}

int tako_call_cancel_fd(const tako_call *c)
{
    return c ? c->task->cancel_fd : -1;
}

int tako_call_cancelled(const tako_call *c)
{
    struct pollfd fd;

    if (!c)
        return 0;
    fd.fd = c->task->cancel_fd;
    fd.events = POLLIN;
    fd.revents = 0;
    return poll(&fd, 1, 0) > 0;
}
