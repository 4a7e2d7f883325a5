/* callbacks.c - C functions of a host as durable jobs: a small image shop that resizes, and that
 * stamps when the resizing is done.
 *
 * Shows: handlers with their own state, output and artifacts, a job that submits the next one,
 * a job that can be cancelled, events, and how records are read. No sandbox is needed.
 *
 *     cc callbacks.c tako.o -lsqlite3 -lcjson -lseccomp -lyaml -lpthread
 *
 * SPDX-License-Identifier: MIT */
#include "tako.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct shop {
    tako *engine;
    int resized; /* only one worker runs, so no lock is needed */
};

/* A job succeeds by returning 0. Its output is a JSON object, its files are artifacts. */
static int resize(void *ctx, tako_call *call)
{
    struct shop *shop = ctx;
    const tako_file *image = tako_call_file(call, 0);
    tako_job next = TAKO_JOB_INIT;
    tako_error err;
    tako_id id;
    char text[128];

    if (!image) {
        (void)tako_call_fail(call, "an image is needed as the first input file");
        return 1;
    }
    shop->resized++;
    (void)snprintf(text, sizeof text, "{\"name\": \"small.img\", \"bytes\": %zu}", image->size / 2);
    if (tako_call_artifact(call, "small.img", image->data, image->size / 2, &err) ||
        tako_call_output(call, text, strlen(text), &err)) {
        (void)tako_call_fail(call, err.message);
        return 1;
    }

    /* Work that follows is another durable job: it survives a crash between the two. */
    next.type = "stamp";
    next.input = text;
    next.correlation_id = tako_call_id(call);
    if (tako_submit(shop->engine, &next, &id, &err)) {
        (void)tako_call_fail(call, err.message);
        return 1;
    }
    (void)tako_call_write(call, 1, "resized\n", 8);
    return 0;
}

static int stamp(void *ctx, tako_call *call)
{
    size_t len;
    const char *input = tako_call_input(call, &len);

    (void)ctx;
    (void)tako_call_write(call, 1, "stamping ", 9);
    return tako_call_write(call, 1, input, len);
}

/* Long work looks up now and then, or sleeps in poll() on the descriptor. */
static int watch_folder(void *ctx, tako_call *call)
{
    struct pollfd stop = {tako_call_cancel_fd(call), POLLIN, 0};

    (void)ctx;
    while (!tako_call_cancelled(call))
        (void)poll(&stop, 1, 1000);
    return 1;
}

static void on_event(void *ctx, const tako_event *event)
{
    (void)ctx;
    printf("  %.8s %-7s %s\n", event->id, event->type, tako_status_name(event->status));
}

/* Prints one record with what came out; newest first. */
static int show(void *ctx, const tako_record *listed)
{
    struct shop *shop = ctx;
    tako_record *rec = NULL;
    const char *why;

    if (tako_get(shop->engine, tako_record_id(listed), &rec, NULL) != TAKO_OK)
        return 1;
    why = tako_record_error_message(rec);
    printf("%-7s %-9s %s%s\n", tako_record_type(rec), tako_status_name(tako_record_status(rec)),
           tako_record_output(rec, NULL) ? tako_record_output(rec, NULL) : "", why ? why : "");
    tako_record_free(rec);
    return 0;
}

static int run_shop(struct shop *shop, tako_error *err)
{
    static const char pixels[4096];
    tako_file image = {"photo.img", pixels, sizeof pixels};
    tako_job good = TAKO_JOB_INIT, bad = TAKO_JOB_INIT, endless = TAKO_JOB_INIT;
    tako_stats stats = TAKO_STATS_INIT;
    tako_record *rec = NULL;
    tako_id id;
    int rc;

    good.type = bad.type = "resize";
    good.files = &image;
    good.n_files = 1;
    rc = tako_run(shop->engine, &good, &rec, err);
    tako_record_free(rec);
    rec = NULL;
    if (rc == TAKO_OK)
        rc = tako_run(shop->engine, &bad, &rec, err); /* has no image: fails, and says why */
    tako_record_free(rec);
    rec = NULL;

    endless.type = "watch";
    if (rc == TAKO_OK)
        rc = tako_submit(shop->engine, &endless, &id, err);
    if (rc == TAKO_OK)
        rc = tako_cancel(shop->engine, id.text, err);
    if (rc == TAKO_OK)
        rc = tako_wait(shop->engine, id.text, 10000, &rec, err);
    tako_record_free(rec);
    while (rc == TAKO_OK && (rc = tako_get_stats(shop->engine, &stats, err)) == TAKO_OK &&
           stats.queued + stats.running > 0)
        (void)poll(NULL, 0, 5); /* until the stamp is done, too */
    return rc;
}

int main(void)
{
    struct shop shop = {NULL, 0};
    tako_options opts = TAKO_OPTIONS_INIT;
    tako_error err;
    int rc;

    opts.workers = 1;
    opts.on_event = on_event;
    rc = tako_open(&shop.engine, &opts, &err); /* no store named: in memory */
    if (rc == TAKO_OK)
        rc = tako_register_handler(shop.engine, "resize", resize, &shop, NULL, &err);
    if (rc == TAKO_OK)
        rc = tako_register_handler(shop.engine, "stamp", stamp, NULL, NULL, &err);
    if (rc == TAKO_OK)
        rc = tako_register_handler(shop.engine, "watch", watch_folder, NULL, NULL, &err);
    if (rc == TAKO_OK)
        rc = tako_start(shop.engine, &err);
    if (rc == TAKO_OK)
        rc = run_shop(&shop, &err);
    if (rc == TAKO_OK)
        rc = tako_stop(shop.engine, -1, &err);
    if (rc == TAKO_OK)
        rc = tako_list(shop.engine, NULL, show, &shop, &err);
    if (rc != TAKO_OK)
        fprintf(stderr, "%s\n", err.message);
    tako_close(shop.engine);
    return rc == TAKO_OK && shop.resized == 1 ? EXIT_SUCCESS : EXIT_FAILURE;
}
