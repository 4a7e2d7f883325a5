/* cli_types.c - `tako types`, `versions` and `build`: job types, what became of them over time, and
 * making their environments ahead.
 *
 * A definition is read from the JSON that the library gives. The values of a type's environment
 * are not printed: there may be secrets among them that should not be there.
 * SPDX-License-Identifier: MIT */
#include "cli.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { TYPES_DIGITS = 12 }; /* of a digest, where a version is named */

struct types_list {
    bool json;
    int count;
};

/* The raw value of one member of a definition; an empty one when it has none. */
static const char *types_member(const tako_version_info *v, const char *wanted, size_t *len)
{
    const char *at = v->definition, *name, *value;
    size_t name_len;

    while (cli_json_member(&at, &name, &name_len, &value, len)) {
        if (name_len == strlen(wanted) && memcmp(name, wanted, name_len) == 0)
            return value;
    }
    *len = 0;
    return "";
}

static int64_t types_number(const tako_version_info *v, const char *name)
{
    size_t len;

    return strtoll(types_member(v, name, &len), NULL, 10);
}

static void types_json(const tako_version_info *v)
{
    const char *at = v->definition, *name, *value;
    size_t name_len, len;
    int n = 0;

    fputs("{\"name\":", stdout);
    cli_print_json_string(stdout, v->type);
    printf(",\"version\":\"%s@sha256:%.*s\",\"digest\":\"%s\",\"tag\":", v->type, TYPES_DIGITS,
           v->digest, v->digest);
    cli_print_json_string(stdout, *v->tag ? v->tag : NULL);
    fputs(",\"built_at\":", stdout);
    cli_print_json_instant(v->built_us);
    fputs(",\"built_by\":", stdout);
    cli_print_json_string(stdout, v->built_by);
    printf(",\"requirements_hash\":\"%s\",\"definition\":{", v->requirements_hash);
    while (cli_json_member(&at, &name, &name_len, &value, &len)) {
        if (name_len == strlen("environment") && memcmp(name, "environment", name_len) == 0)
            continue;
        printf("%s\"%.*s\":%.*s", n++ ? "," : "", (int)name_len, name, (int)len, value);
    }
    fputs("}}", stdout);
}

/* The strings of a JSON array, without their quotes. */
static void types_strings(const char *array)
{
    const char *at = array, *value;
    size_t len;
    int n = 0;

    while (cli_json_item(&at, &value, &len)) {
        if (n++)
            fputs(", ", stdout);
        if (len >= 2)
            cli_print_safe(stdout, value + 1, len - 2, false);
    }
    if (n == 0)
        putchar('-');
}

/* A tako_version_fn: a row of `tako types`. */
static int types_row(void *ctx, const tako_version_info *v)
{
    struct types_list *list = ctx;
    char text[CLI_INSTANT_SIZE];
    size_t len;

    if (list->json) {
        if (list->count)
            putchar(',');
        types_json(v);
    } else {
        if (list->count == 0)
            printf("%-18s  %-19s  %10s  %12s  %s\n", "NAME", "VERSION", "MEMORY", "TIMEOUT",
                   "REQUIREMENTS");
        cli_print_column(v->type, 18);
        printf("sha256:%.*s  ", TYPES_DIGITS, v->digest);
        printf("%10s  ", cli_bytes(types_number(v, "memory_bytes"), text));
        printf("%12s  ", cli_duration(types_number(v, "timeout_ms"), text));
        types_strings(types_member(v, "requirements", &len));
        putchar('\n');
    }
    list->count++;
    return 0;
}

/* A tako_version_fn: a row of `tako versions`. */
static int types_version(void *ctx, const tako_version_info *v)
{
    struct types_list *list = ctx;
    char text[CLI_INSTANT_SIZE];

    if (list->json) {
        if (list->count)
            putchar(',');
        types_json(v);
    } else {
        if (list->count == 0)
            printf("%-18s  %-19s  %-20s  %-6s  %s\n", "NAME", "VERSION", "BUILT (UTC)", "BY",
                   "TAG");
        cli_print_column(v->type, 18);
        printf("sha256:%.*s  %-20s  ", TYPES_DIGITS, v->digest, cli_instant(v->built_us, text));
        cli_print_column(v->built_by, 6);
        puts(*v->tag ? v->tag : "-");
    }
    list->count++;
    return 0;
}

/* The frame around the rows. */
static int types_print(const struct cli_args *args, tako *t, bool versions)
{
    const char *name = args->n_operands > 0 ? args->operands[0] : NULL;
    struct types_list list = {args->json, 0};
    tako_error err;
    int rc = TAKO_OK;

    if (args->json)
        fputs("{\"items\":[", stdout);
    if (t && versions)
        rc = tako_versions(t, name, types_version, &list, &err);
    else if (t)
        rc = tako_types(t, NULL, types_row, &list, &err);
    if (rc != TAKO_OK) {
        cli_say("%s", err.message);
        return CLI_FAILED;
    }
    if (args->json)
        printf("],\"count\":%d}\n", list.count);
    else if (list.count == 0)
        puts("No versions.");
    return CLI_OK;
}

int cli_types(const struct cli_args *args)
{
    tako *t = NULL;
    int code = cli_open(args, CLI_OPEN_NONE, &t);

    if (code == CLI_OK)
        code = types_print(args, t, false);
    tako_close(t);
    return code;
}

int cli_versions(const struct cli_args *args)
{
    tako *t = NULL;
    int code = cli_open(args, CLI_OPEN_READ, &t);

    if (code == CLI_OK)
        code = types_print(args, t, true);
    tako_close(t);
    return code;
}

/* ---- build ------------------------------------------------------------------------------- */

/* Copies: nothing is built while the types are listed. */
struct types_names {
    char name[64 + 1], digest[64 + 1];
};

struct types_work {
    tako *t;
    const char *tag;
    bool json;
    int done;
    struct types_names *names;
    size_t n;
};

/* A tako_version_fn. */
static int types_note(void *ctx, const tako_version_info *v)
{
    struct types_work *w = ctx;
    struct types_names *more = realloc(w->names, (w->n + 1) * sizeof *more);

    if (!more)
        return TAKO_ENOMEM;
    w->names = more;
    snprintf(more[w->n].name, sizeof more[w->n].name, "%s", v->type);
    snprintf(more[w->n].digest, sizeof more[w->n].digest, "%s", v->digest);
    w->n++;
    return 0;
}

/* A tako_build_fn. */
static void types_progress(void *ctx, const char *line)
{
    const struct types_names *type = ctx;

    cli_say("%s: %s", type->name, line);
}

/* One after the other, also after one failed. */
static bool types_build(struct types_work *w)
{
    bool ok = true;
    tako_error err;

    for (size_t i = 0; i < w->n; i++) {
        struct types_names *type = &w->names[i];

        if (tako_build(w->t, type->name, w->tag, types_progress, type, &err) != TAKO_OK) {
            cli_say("%s", err.message);
            ok = false;
            continue;
        }
        if (w->json) {
            printf("%s{\"name\":\"%s\",\"version\":\"%s@sha256:%.*s\",\"digest\":\"%s\",\"tag\":",
                   w->done ? "," : "", type->name, type->name, TYPES_DIGITS, type->digest,
                   type->digest);
            cli_print_json_string(stdout, w->tag);
            putchar('}');
        } else {
            printf("%s@sha256:%.*s\n", type->name, TYPES_DIGITS, type->digest);
            fflush(stdout);
        }
        w->done++;
    }
    return ok;
}

int cli_build(const struct cli_args *args)
{
    struct types_work work = {NULL, args->tag, args->json, 0, NULL, 0};
    const char *name = args->all ? NULL : args->operands[0];
    tako_error err;
    int code, rc;

    if (args->all == (args->n_operands > 0)) {
        cli_say("build: %s", args->all ? "give NAME or --all" : "NAME or --all is missing");
        return CLI_USAGE;
    }
    code = cli_open(args, CLI_OPEN_MAKE, &work.t);
    if (code != CLI_OK)
        return code;
    rc = tako_types(work.t, name, types_note, &work, &err);
    if (rc != TAKO_OK) {
        cli_say("%s", rc == TAKO_ENOMEM ? "out of memory" : err.message);
        code = CLI_FAILED;
    } else {
        if (args->json)
            fputs("{\"items\":[", stdout);
        if (!types_build(&work))
            code = CLI_FAILED;
        if (args->json)
            printf("],\"count\":%d}\n", work.done);
    }
    free(work.names);
    tako_close(work.t);
    return code;
}
