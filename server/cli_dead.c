/* cli_dead.c - `tako dead` and `tako purge`: jobs that were given up, and jobs that are old.
 * Retrying puts a job into the queue; nothing is run here.
 * SPDX-License-Identifier: MIT */
#include "cli.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { DEAD_PAGE = 1000, DEAD_STEP = 100 };

/* ---- dead list --------------------------------------------------------------------------- */

struct dead_page {
    bool json;
    int count, limit;
    int64_t last;
    bool more;
};

static void dead_json(const tako_dead *dead)
{
    printf("{\"id\":%" PRId64 ",\"job_id\":", dead->id);
    cli_print_json_string(stdout, dead->job_id);
    fputs(",\"job_type\":", stdout);
    cli_print_json_string(stdout, dead->type);
    printf(",\"job_data\":%s,\"error_type\":", dead->summary);
    cli_print_json_string(stdout, dead->error_type);
    fputs(",\"error_message\":", stdout);
    cli_print_json_string(stdout, dead->error_message);
    printf(",\"retry_count\":%d,\"created_at\":", dead->retry_count);
    cli_print_json_instant(dead->created_us);
    fputs(",\"client_ip\":", stdout);
    cli_print_json_string(stdout, dead->client_ip);
    fputs(",\"correlation_id\":", stdout);
    cli_print_json_string(stdout, dead->correlation_id);
    putchar('}');
}

/* A tako_dead_fn. */
static int dead_row(void *ctx, const tako_dead *dead)
{
    struct dead_page *page = ctx;
    char text[CLI_INSTANT_SIZE];

    if (page->json) {
        if (page->count)
            putchar(',');
        dead_json(dead);
    } else {
        if (page->count == 0)
            printf("%6s  %-36s  %-10s  %-20s  %7s  %-17s  %s\n", "ID", "JOB", "TYPE",
                   "CREATED (UTC)", "RETRIES", "ERROR", "MESSAGE");
        printf("%6" PRId64 "  ", dead->id);
        cli_print_column(dead->job_id, 36);
        cli_print_column(dead->type, 10);
        printf("%-20s  %7d  ", cli_instant(dead->created_us, text), dead->retry_count);
        cli_print_column(dead->error_type, 17);
        cli_print_safe(stdout, dead->error_message, strlen(dead->error_message), false);
        putchar('\n');
    }
    page->count++;
    page->last = dead->id;
    return 0;
}

/* A tako_dead_fn: is there another page? */
static int dead_seen(void *ctx, const tako_dead *dead)
{
    struct dead_page *page = ctx;

    (void)dead;
    page->more = true;
    return 0;
}

static int dead_list(const struct cli_args *args, tako *t)
{
    struct dead_page page = {args->json, 0, args->limit ? args->limit : 100, 0, false};
    tako_dead_filter filter = TAKO_DEAD_FILTER_INIT;
    tako_error err;
    int rc = TAKO_OK;

    filter.error_type = args->error_type;
    filter.limit = page.limit;
    if (args->after)
        (void)cli_parse_number(args->after, &filter.before);
    if (args->json)
        fputs("{\"items\":[", stdout);
    if (t)
        rc = tako_dead_list(t, &filter, dead_row, &page, &err);
    if (rc == TAKO_OK && page.count == page.limit) {
        filter.before = page.last;
        filter.limit = 1;
        rc = tako_dead_list(t, &filter, dead_seen, &page, &err);
    }
    if (rc != TAKO_OK) {
        cli_say("%s", err.message);
        return CLI_FAILED;
    }
    if (page.json && page.more)
        printf("],\"count\":%d,\"has_more\":true,\"next\":%" PRId64 "}\n", page.count, page.last);
    else if (page.json)
        printf("],\"count\":%d,\"has_more\":false,\"next\":null}\n", page.count);
    else if (page.count == 0)
        puts("No dead letters.");
    else if (page.more)
        printf("There are more: --after %" PRId64 "\n", page.last);
    return CLI_OK;
}

/* ---- dead stats -------------------------------------------------------------------------- */

struct dead_sums {
    bool json;
    int64_t total;
};

/* A tako_dead_count_fn. */
static int dead_count(void *ctx, const char *error_type, int64_t count)
{
    struct dead_sums *sums = ctx;

    if (sums->json) {
        if (sums->total)
            putchar(',');
        cli_print_json_string(stdout, error_type);
        printf(":%" PRId64, count);
    } else {
        printf("%6" PRId64 "  ", count);
        cli_print_safe(stdout, error_type, strlen(error_type), false);
        putchar('\n');
    }
    sums->total += count;
    return 0;
}

static int dead_stats(const struct cli_args *args, tako *t)
{
    struct dead_sums sums = {args->json, 0};
    tako_error err;

    if (args->json)
        fputs("{\"by_error_type\":{", stdout);
    if (t && tako_dead_stats(t, dead_count, &sums, &err) != TAKO_OK) {
        cli_say("%s", err.message);
        return CLI_FAILED;
    }
    if (args->json)
        printf("},\"total\":%" PRId64 "}\n", sums.total);
    else if (sums.total == 0)
        puts("No dead letters.");
    else
        printf("%6" PRId64 "  in all\n", sums.total);
    return CLI_OK;
}

/* ---- dead remove, dead retry ------------------------------------------------------------- */

/* What is done to letter after letter, and what came of it. */
struct dead_work {
    tako *t;
    bool json, retry;
    int done;
    bool failed;
};

static int dead_do(struct dead_work *w, int64_t id)
{
    const char *comma = w->done ? "," : "";
    tako_error err;
    tako_id job;
    int rc;

    rc = w->retry ? tako_dead_retry(w->t, id, &job, &err) : tako_dead_remove(w->t, id, &err);
    if (rc != TAKO_OK) {
        cli_say("%s", err.message);
        w->failed = true;
        return rc;
    }
    if (w->json && w->retry)
        printf("%s{\"id\":%" PRId64 ",\"execution_id\":\"%s\"}", comma, id, job.text);
    else if (w->json)
        printf("%s%" PRId64, comma, id);
    else if (w->retry)
        puts(job.text);
    w->done++;
    return rc;
}

/* A page of ids: the letters are not looked at while they are changed. */
struct dead_ids {
    int64_t id[DEAD_PAGE];
    int n;
};

/* A tako_dead_fn. */
static int dead_note(void *ctx, const tako_dead *dead)
{
    struct dead_ids *ids = ctx;

    ids->id[ids->n++] = dead->id;
    return 0;
}

/* All of a kind, newest first; a full queue or a store that fails ends it. */
static void dead_retry_all(struct dead_work *w, const struct cli_args *args)
{
    tako_dead_filter filter = TAKO_DEAD_FILTER_INIT;
    struct dead_ids ids;
    int left = args->limit, rc = TAKO_OK;
    tako_error err;

    filter.error_type = args->error_type;
    do {
        filter.limit = left ? left : DEAD_PAGE;
        ids.n = 0;
        if (tako_dead_list(w->t, &filter, dead_note, &ids, &err) != TAKO_OK) {
            cli_say("%s", err.message);
            w->failed = true;
            return;
        }
        for (int i = 0; i < ids.n && rc != TAKO_EFULL && rc != TAKO_ESTORE; i++) {
            filter.before = ids.id[i];
            rc = dead_do(w, ids.id[i]);
        }
    } while (!left && ids.n == DEAD_PAGE && rc != TAKO_EFULL && rc != TAKO_ESTORE);
}

static int dead_change(const struct cli_args *args, tako *t, bool retry)
{
    struct dead_work work = {t, args->json, retry, 0, false};
    int64_t id = 0;

    if (!t && !args->all) {
        cli_say("there are no dead letters");
        return CLI_FAILED;
    }
    if (args->json)
        fputs(retry ? "{\"retried\":[" : "{\"removed\":[", stdout);
    if (args->all && t)
        dead_retry_all(&work, args);
    for (int i = 1; i < args->n_operands; i++) {
        (void)cli_parse_number(args->operands[i], &id);
        (void)dead_do(&work, id);
    }
    if (args->json)
        printf("],\"count\":%d}\n", work.done);
    if (!args->json && !retry)
        printf("Removed %d dead letter%s.\n", work.done, work.done == 1 ? "" : "s");
    if (!args->json && retry && work.done == 0 && !work.failed)
        puts("No dead letters.");
    if (!args->json && retry && work.done > 0)
        cli_say("%d job%s put into the queue; a node of this store has to run %s", work.done,
                work.done == 1 ? "" : "s", work.done == 1 ? "it" : "them");
    return work.failed ? CLI_FAILED : CLI_OK;
}

/* ---- the command ------------------------------------------------------------------------- */

enum dead_action { DEAD_LIST, DEAD_STATS, DEAD_REMOVE, DEAD_RETRY, DEAD_N_ACTIONS };

/* NULL, or what is wrong with the command line. */
static const char *dead_wrong(const struct cli_args *args, enum dead_action action)
{
    const bool ids = action == DEAD_REMOVE || action == DEAD_RETRY;
    const bool all = action == DEAD_RETRY && args->all;
    int64_t id;

    if (args->all && action != DEAD_RETRY)
        return "--all is an option of dead retry";
    if (args->after && action != DEAD_LIST)
        return "--after is an option of dead list";
    if (args->after && cli_parse_number(args->after, &id))
        return "--after takes the number of a dead letter";
    if ((args->error_type || args->limit) && action != DEAD_LIST && !all)
        return "--error-type and --limit are options of dead list and dead retry --all";
    if ((!ids || all) && args->n_operands > 1)
        return all ? "give numbers or --all" : "list and stats take no number";
    if (ids && !all && args->n_operands == 1)
        return action == DEAD_RETRY ? "ID or --all is missing" : "ID is missing";
    for (int i = 1; i < args->n_operands; i++) {
        if (cli_parse_number(args->operands[i], &id))
            return "ID is the number of a dead letter, as 'tako dead list' shows it";
    }
    return NULL;
}

int cli_dead(const struct cli_args *args)
{
    static const char *const names[DEAD_N_ACTIONS] = {"list", "stats", "remove", "retry"};
    const char *wrong = "must be list, stats, remove or retry";
    int action = 0, code;
    tako *t = NULL;

    while (action < DEAD_N_ACTIONS && strcmp(args->operands[0], names[action]) != 0)
        action++;
    if (action < DEAD_N_ACTIONS)
        wrong = dead_wrong(args, (enum dead_action)action);
    if (wrong) {
        cli_say("dead %s: %s", args->operands[0], wrong);
        return CLI_USAGE;
    }
    code = cli_open(args, action == DEAD_RETRY ? CLI_OPEN_TYPES : CLI_OPEN_READ, &t);
    if (code != CLI_OK)
        return code;
    if (action == DEAD_LIST)
        code = dead_list(args, t);
    else if (action == DEAD_STATS)
        code = dead_stats(args, t);
    else
        code = dead_change(args, t, action == DEAD_RETRY);
    tako_close(t);
    return code;
}

/* ---- purge ------------------------------------------------------------------------------- */

int cli_purge(const struct cli_args *args)
{
    int64_t removed = 0;
    tako *t = NULL;
    tako_error err;
    int code, gone = 0;

    code = cli_open(args, CLI_OPEN_READ, &t);
    if (code != CLI_OK)
        return code;
    do {
        gone = t ? tako_purge(t, args->limit ? args->limit : DEAD_STEP, &err) : 0;
        removed += gone > 0 ? gone : 0;
    } while (gone > 0 && !args->limit);
    if (gone < 0) {
        cli_say("%s", err.message);
        code = CLI_FAILED;
    }
    if (args->json)
        printf("{\"removed\":%" PRId64 "}\n", removed);
    else
        printf("Removed %" PRId64 ".\n", removed);
    tako_close(t);
    return code;
}
