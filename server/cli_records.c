/* cli_records.c - `tako list`, `show`, `history` and `get`: reading what is known of jobs, for
 * people and as JSON. They open the store without running anything.
 * SPDX-License-Identifier: MIT */
#include "cli.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- list -------------------------------------------------------------------------------- */

struct records_page {
    tako *t;
    bool json;
    int count;
    bool last_seen;
    tako_id last;
    tako_error err;
};

static void records_row(const tako_record *rec)
{
    const char *error = tako_record_error_type(rec);
    char text[CLI_INSTANT_SIZE];

    printf("%-36s  %-9s  ", tako_record_id(rec), tako_status_name(tako_record_status(rec)));
    cli_print_column(tako_record_type(rec), 10);
    printf("%-20s  ", cli_instant(tako_record_created_us(rec), text));
    printf("%10s  ", cli_duration(tako_record_duration_ms(rec), text));
    if (tako_record_exit_code(rec) >= 0)
        printf("%4d", tako_record_exit_code(rec));
    else
        printf("%4s", "-");
    fputs("  ", stdout);
    if (error)
        cli_print_safe(stdout, error, strlen(error), false);
    else
        putchar('-');
    putchar('\n');
}

static int records_each(void *ctx, const tako_record *rec)
{
    struct records_page *page = ctx;
    char *json = NULL;
    int rc = TAKO_OK;

    if (page->json) {
        rc = tako_record_json(page->t, rec, 0, &json, &page->err);
        if (rc == TAKO_OK)
            printf("%s%s", page->count ? "," : "", json);
        if (json)
            tako_free(page->t, json);
    } else {
        if (page->count == 0)
            printf("%-36s  %-9s  %-10s  %-20s  %10s  %4s  %s\n", "ID", "STATUS", "TYPE",
                   "CREATED (UTC)", "DURATION", "EXIT", "ERROR");
        records_row(rec);
    }
    page->count++;
    snprintf(page->last.text, sizeof page->last.text, "%s", tako_record_id(rec));
    return rc;
}

static int records_seen(void *ctx, const tako_record *rec)
{
    struct records_page *page = ctx;

    (void)rec;
    page->last_seen = false;
    return 0;
}

int cli_list(const struct cli_args *args)
{
    struct records_page page;
    tako_filter filter = TAKO_FILTER_INIT;
    tako_id after, parent;
    int code, rc = TAKO_OK;

    memset(&page, 0, sizeof page);
    page.json = args->json;
    page.last_seen = true;
    code = cli_open(args, CLI_OPEN_READ, &page.t);
    if (code != CLI_OK)
        return code;
    filter.statuses = args->statuses;
    filter.type = args->type;
    filter.limit = args->limit ? args->limit : 100;
    if (args->parent) {
        if (!cli_resolve(page.t, args->parent, &parent)) {
            tako_close(page.t);
            return CLI_FAILED;
        }
        filter.parent = parent.text;
    }
    if (args->after) {
        if (!cli_resolve(page.t, args->after, &after)) {
            tako_close(page.t);
            return CLI_FAILED;
        }
        filter.after = after.text;
    }
    if (page.json)
        fputs("{\"items\":[", stdout);
    if (page.t)
        rc = tako_list(page.t, &filter, records_each, &page, &page.err);
    /* Is there another page? */
    if (rc == TAKO_OK && page.count == filter.limit) {
        filter.after = page.last.text;
        filter.limit = 1;
        rc = tako_list(page.t, &filter, records_seen, &page, &page.err);
    }
    if (rc != TAKO_OK) {
        cli_say("%s", page.err.message);
        code = CLI_FAILED;
    } else if (page.json) {
        printf("],\"count\":%d,\"has_more\":%s,\"next\":", page.count,
               page.last_seen ? "false" : "true");
        cli_print_json_string(stdout, page.last_seen ? NULL : page.last.text);
        fputs("}\n", stdout);
    } else if (page.count == 0) {
        puts("No jobs.");
    } else if (!page.last_seen) {
        printf("There are more: --after %s\n", page.last.text);
    }
    tako_close(page.t);
    return code;
}

/* ---- show -------------------------------------------------------------------------------- */

static void records_field(const char *name, const char *value)
{
    if (!value || !*value)
        return;
    printf("%-15s", name);
    cli_print_safe(stdout, value, strlen(value), false);
    putchar('\n');
}

/* The next string of a compact JSON object, without its quotes and with its escapes as they
 * stand. False at the end. */
static bool records_json_next(const char **at, const char **text, size_t *len)
{
    const char *p = strchr(*at, '"');

    if (!p)
        return false;
    *text = ++p;
    while (*p && *p != '"')
        p += *p == '\\' && p[1] ? 2 : 1;
    *len = (size_t)(p - *text);
    *at = *p ? p + 1 : p;
    return true;
}

/* Only what was not at full strength: an object of layers, each "on" or "weaker: why". */
static void records_isolation(const char *json)
{
    const char *name, *state, *at = json;
    size_t name_len, state_len;
    bool all = true;

    if (!json)
        return;
    while (records_json_next(&at, &name, &name_len) && records_json_next(&at, &state, &state_len)) {
        if (state_len == 2 && memcmp(state, "on", 2) == 0)
            continue;
        printf("%-15s", all ? "isolation" : "");
        cli_print_safe(stdout, name, name_len, false);
        putchar(' ');
        cli_print_safe(stdout, state, state_len, false);
        putchar('\n');
        all = false;
    }
    if (all)
        printf("%-15severy layer on\n", "isolation");
}

/* Raw when piped, so that it can be worked on; harmless on a terminal. */
static void records_stream(const char *name, const char *data, size_t len, int64_t written,
                           bool truncated)
{
    char size[CLI_INSTANT_SIZE];

    if (len == 0)
        return;
    printf("\n%s, %s%s:\n", name, cli_bytes(written, size),
           truncated ? ", of which the beginning was kept" : "");
    if (isatty(STDOUT_FILENO))
        cli_print_safe(stdout, data, len, true);
    else
        (void)fwrite(data, 1, len, stdout);
    if (data[len - 1] != '\n')
        putchar('\n');
}

static void records_artifacts(const tako_record *rec, int kind, const char *title)
{
    size_t count = tako_record_artifact_count(rec, kind);
    char size[CLI_INSTANT_SIZE];

    if (count > 0)
        printf("\n%s:\n", title);
    for (size_t i = 0; i < count; i++) {
        const tako_artifact *a = tako_record_artifact(rec, kind, i);

        fputs("  ", stdout);
        cli_print_column(a->name, 32);
        printf("%12s  ", cli_bytes(a->bytes, size));
        if (a->reason)
            cli_print_safe(stdout, a->reason, strlen(a->reason), false);
        else
            printf("sha256 %.16s...", a->sha256 ? a->sha256 : "?");
        putchar('\n');
    }
}

static void records_numbers(const tako_record *rec)
{
    char text[CLI_INSTANT_SIZE];

    if (tako_record_exit_code(rec) >= 0)
        printf("%-15s%d\n", "exit code", tako_record_exit_code(rec));
    if (tako_record_signal(rec) > 0)
        printf("%-15s%d (%s)\n", "signal", tako_record_signal(rec),
               strsignal(tako_record_signal(rec)));
    if (tako_record_install_us(rec) >= 0)
        printf("%-15s%s\n", "install time", cli_duration(tako_record_install_us(rec) / 1000, text));
    if (tako_record_wall_us(rec) >= 0)
        printf("%-15s%s\n", "wall time", cli_duration(tako_record_wall_us(rec) / 1000, text));
    if (tako_record_cpu_us(rec) >= 0)
        printf("%-15s%s\n", "CPU time", cli_duration(tako_record_cpu_us(rec) / 1000, text));
    if (tako_record_peak_bytes(rec) >= 0)
        printf("%-15s%s\n", "peak memory", cli_bytes(tako_record_peak_bytes(rec), text));
    if (tako_record_priority(rec) != 0)
        printf("%-15s%d\n", "priority", tako_record_priority(rec));
    printf("%-15s%d", "attempt", tako_record_attempt(rec));
    if (tako_record_deaths(rec) > 0)
        printf(" (its node died %d time%s)", tako_record_deaths(rec),
               tako_record_deaths(rec) == 1 ? "" : "s");
    putchar('\n');
    if (tako_record_max_attempts(rec) > 1)
        printf("%-15s%d of %d attempts failed and were retried\n", "failures",
               tako_record_failures(rec), tako_record_max_attempts(rec));
}

static void records_parent(const tako_record *rec)
{
    const char *how = tako_record_relationship(rec);

    printf("%-15s%s of %s\n", "parent", how ? how : "child", tako_record_parent(rec));
}

static void records_page_print(const tako_record *rec)
{
    char text[CLI_INSTANT_SIZE];
    const char *out, *err, *output;
    size_t out_len = 0, err_len = 0, output_len = 0;

    records_field("id", tako_record_id(rec));
    records_field("status", tako_status_name(tako_record_status(rec)));
    records_field("error", tako_record_error_type(rec));
    records_field("message", tako_record_error_message(rec));
    records_field("phase", tako_record_error_phase(rec));
    records_field("type", tako_record_type(rec));
    records_field("version", tako_record_version(rec));
    if (tako_record_parent(rec))
        records_parent(rec);
    records_field("key", tako_record_idempotency_key(rec));
    records_field("created", cli_instant(tako_record_created_us(rec), text));
    records_field("started", cli_instant(tako_record_started_us(rec), text));
    records_field("ended", cli_instant(tako_record_ended_us(rec), text));
    if (tako_record_verdict(rec) != TAKO_VERDICT_NONE)
        records_field("verdict", tako_verdict_name(tako_record_verdict(rec)));
    records_numbers(rec);
    records_field("runtime", tako_record_runtime(rec));
    records_field("node", tako_record_node(rec));
    records_isolation(tako_record_isolation(rec));
    records_field("code", tako_record_code_hash(rec));
    records_field("input", tako_record_input_hash(rec));
    records_field("correlation", tako_record_correlation_id(rec));
    records_field("client", tako_record_client_ip(rec));
    records_field("output note", tako_record_output_note(rec));

    out = tako_record_stdout(rec, &out_len);
    err = tako_record_stderr(rec, &err_len);
    output = tako_record_output(rec, &output_len);
    records_stream("stdout", out, out_len, tako_record_stdout_bytes(rec),
                   tako_record_stdout_truncated(rec) != 0);
    records_stream("stderr", err, err_len, tako_record_stderr_bytes(rec),
                   tako_record_stderr_truncated(rec) != 0);
    if (output)
        records_stream("output", output, output_len, (int64_t)output_len, false);
    records_artifacts(rec, TAKO_ARTIFACTS, "artifacts");
    records_artifacts(rec, TAKO_INPUT_FILES, "input files");
    records_artifacts(rec, TAKO_REJECTED, "left but not taken");
}

/* Opens the store and finds the job that the first operand names. False after saying why not. */
static bool records_job(const struct cli_args *args, tako **t, tako_id *id)
{
    if (cli_open(args, CLI_OPEN_READ, t) != CLI_OK || !cli_resolve(*t, args->operands[0], id))
        return false;
    if (!*t)
        cli_say("%s: no such job", id->text);
    return *t != NULL;
}

int cli_show(const struct cli_args *args)
{
    tako *t = NULL;
    tako_record *rec = NULL;
    tako_error err;
    tako_id id;
    char *json = NULL;
    int code = CLI_FAILED;

    if (!records_job(args, &t, &id))
        goto out;
    if (tako_get(t, id.text, &rec, &err) != TAKO_OK ||
        (args->json && tako_record_json(t, rec, 1, &json, &err) != TAKO_OK)) {
        cli_say("%s", err.message);
        goto out;
    }
    if (args->json)
        puts(json);
    else
        records_page_print(rec);
    code = CLI_OK;
out:
    if (json)
        tako_free(t, json);
    tako_record_free(rec);
    tako_close(t);
    return code;
}

/* ---- history ----------------------------------------------------------------------------- */

struct records_moves {
    bool json;
    int count;
};

/* A tako_transition_fn. */
static int records_move(void *ctx, const tako_transition *move)
{
    struct records_moves *moves = ctx;
    char text[CLI_INSTANT_SIZE];

    if (moves->json) {
        fputs(moves->count ? ",{\"at\":" : "{\"at\":", stdout);
        cli_print_json_instant(move->at_us);
        printf(",\"status\":\"%s\",\"attempt\":%d,\"node\":", tako_status_name(move->status),
               move->attempt);
        cli_print_json_string(stdout, *move->node ? move->node : NULL);
        fputs(",\"cause\":", stdout);
        cli_print_json_string(stdout, *move->cause ? move->cause : NULL);
        putchar('}');
    } else {
        if (moves->count == 0)
            printf("%-24s  %-9s  %7s  %-36s  %s\n", "TIME (UTC)", "STATUS", "ATTEMPT", "NODE",
                   "CAUSE");
        printf("%-24s  %-9s  %7d  ", cli_instant_ms(move->at_us, text),
               tako_status_name(move->status), move->attempt);
        cli_print_column(*move->node ? move->node : "-", 36);
        if (*move->cause)
            cli_print_safe(stdout, move->cause, strlen(move->cause), false);
        else
            putchar('-');
        putchar('\n');
    }
    moves->count++;
    return 0;
}

int cli_history(const struct cli_args *args)
{
    struct records_moves moves = {args->json, 0};
    tako *t = NULL;
    tako_error err;
    tako_id id;
    int code = CLI_FAILED;

    if (records_job(args, &t, &id)) {
        if (args->json)
            putchar('[');
        if (tako_history(t, id.text, records_move, &moves, &err) == TAKO_OK)
            code = CLI_OK;
        else
            cli_say("%s", err.message);
        if (args->json && code == CLI_OK)
            puts("]");
    }
    tako_close(t);
    return code;
}

/* ---- get --------------------------------------------------------------------------------- */

/* A tako_bytes_fn for a terminal. */
static int records_bytes_safe(void *ctx, const void *data, size_t len)
{
    (void)ctx;
    cli_print_safe(stdout, data, len, true);
    return 0;
}

int cli_get(const struct cli_args *args)
{
    const int kind = args->input_file ? TAKO_INPUT_FILES : TAKO_ARTIFACTS;
    int to = STDOUT_FILENO, code = CLI_FAILED, rc;
    tako *t = NULL;
    tako_error err;
    tako_id id;

    if (records_job(args, &t, &id)) {
        rc = tako_read_file(t, id.text, kind, args->operands[1], args->offset,
                            args->length ? args->length : -1,
                            isatty(to) ? records_bytes_safe : cli_write_all, &to, &err);
        if (rc > 0)
            cli_say("cannot write to standard output: %s", strerror(errno));
        else if (rc < 0)
            cli_say("%s", err.message);
        else
            code = CLI_OK;
    }
    tako_close(t);
    return code;
}
