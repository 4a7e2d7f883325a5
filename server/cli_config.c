/* cli_config.c - the configuration on the command line: finding it for the other commands, `tako
 * config` and `tako validate`.
 *
 * Nothing is configured when there is no file and no variable TAKO_VM_*: then every command does
 * as if there were no such thing.
 * SPDX-License-Identifier: MIT */
#include "cli.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define CONFIG_VARIABLES "TAKO_VM_"

extern char **environ;

/* ---- for the other commands ----------------------------------------------------------------- */

/* A tako_problem_fn; ctx tells whether warnings are said too. */
static void config_say(void *ctx, tako_level level, const char *text)
{
    const bool *warnings = ctx;

    if (level == TAKO_LOG_ERROR)
        cli_say("%s", text);
    else if (*warnings)
        cli_say("warning: %s", text);
}

static bool config_variables(void)
{
    static const char file[] = CONFIG_VARIABLES "CONFIG=";

    for (char **e = environ; *e; e++) {
        if (strncmp(*e, CONFIG_VARIABLES, strlen(CONFIG_VARIABLES)) == 0 &&
            strncmp(*e, file, strlen(file)) != 0)
            return true;
    }
    return false;
}

bool cli_config(const struct cli_args *args, bool warnings, tako_config **c)
{
    char file[PATH_MAX];
    tako_error err;
    int rc;

    *c = NULL;
    if (!args->config && !config_variables()) {
        rc = tako_config_find(file, sizeof file, &err);
        if (rc == TAKO_ENOTFOUND)
            return true;
        if (rc != TAKO_OK) {
            cli_say("%s", err.message);
            return false;
        }
    }
    rc = tako_config_load(c, args->config, NULL, config_say, &warnings, &err);
    if (rc == TAKO_ENOTFOUND)
        fprintf(stderr, "Error: %s\n", err.message);
    else if (rc != TAKO_OK && rc != TAKO_EINVAL) /* problems were said one by one */
        cli_say("%s", err.message);
    return rc == TAKO_OK;
}

tako_level cli_config_level(const tako_config *c)
{
    const tako_level level = c ? tako_config_log_level(c) : TAKO_LOG_WARN;

    return level == TAKO_LOG_INFO ? TAKO_LOG_WARN : level;
}

static void config_log_errors(void *ctx, tako_level level, const char *module, const char *message)
{
    if (level == TAKO_LOG_ERROR)
        cli_log(ctx, level, module, message);
}

static void config_log_warnings(void *ctx, tako_level level, const char *module,
                                const char *message)
{
    if (level <= TAKO_LOG_WARN)
        cli_log(ctx, level, module, message);
}

tako_log_fn *cli_config_log(const tako_config *c)
{
    const tako_level level = cli_config_level(c);

    if (level == TAKO_LOG_ERROR)
        return config_log_errors;
    return level == TAKO_LOG_DEBUG ? cli_log : config_log_warnings;
}

void cli_config_options(const tako_config *c, const struct cli_args *args, tako_options *opts)
{
    const tako_options init = TAKO_OPTIONS_INIT;

    *opts = c ? *tako_config_options(c) : init;
    if (args->permissive)
        opts->security = TAKO_PERMISSIVE;
    if (args->rootfs)
        opts->rootfs = args->rootfs;
    if (args->interpreter)
        opts->interpreter = args->interpreter;
}

/* ---- tako config ---------------------------------------------------------------------------- */

/* A tako_config_fn: prints a heading when it is another one; ctx is the last. */
static int config_line(void *ctx, const char *section, const char *key, const char *value)
{
    const char **last = ctx;

    if (!*last || strcmp(*last, section) != 0)
        printf("\n[%s]\n", section);
    *last = section;
    printf("  %s: ", key);
    if (value)
        cli_print_safe(stdout, value, strlen(value), false);
    else
        fputs("(none)", stdout);
    putchar('\n');
    return 0;
}

/* A tako_problem_fn for a command that only shows. */
static void config_wrong(void *ctx, tako_level level, const char *text)
{
    bool *said = ctx;

    if (level != TAKO_LOG_ERROR)
        return;
    *said = true;
    fputs("Configuration error: ", stderr);
    cli_print_safe(stderr, text, strlen(text), false);
    fputc('\n', stderr);
}

int cli_show_config(const struct cli_args *args)
{
    const char *section = NULL, *file;
    tako_config *c = NULL;
    bool said = false;
    tako_error err;
    int rc = tako_config_load(&c, args->config, NULL, config_wrong, &said, &err);

    if (rc != TAKO_OK) {
        if (!said)
            fprintf(stderr, "%s: %s\n", rc == TAKO_ENOTFOUND ? "Error" : "Configuration error",
                    err.message);
        return CLI_FAILED;
    }
    if (args->json) {
        puts(tako_config_json(c));
        tako_config_free(c);
        return CLI_OK;
    }
    file = tako_config_file(c);
    puts("Tako Configuration\n==================");
    fputs("Config file: ", stdout);
    if (file)
        cli_print_safe(stdout, file, strlen(file), false);
    puts(file ? "" : "(using defaults)");
    (void)tako_config_each(c, config_line, &section);
    puts("\n[Job Types]");
    for (size_t i = 0; i < tako_config_type_count(c); i++)
        printf("  %s\n", tako_config_type(c, i)->name);
    if (tako_config_type_count(c) == 0)
        puts("  (none)");
    tako_config_free(c);
    return CLI_OK;
}

/* ---- tako validate -------------------------------------------------------------------------- */

/* What was said, in its order, to be printed below the verdict. */
struct config_notes {
    char **lines;
    size_t n;
    bool lost;
};

static void config_note(void *ctx, tako_level level, const char *text)
{
    struct config_notes *notes = ctx;
    char **more = realloc(notes->lines, (notes->n + 1) * sizeof *more);

    if (more)
        notes->lines = more;
    if (!more || asprintf(&notes->lines[notes->n], "%s%s",
                          level == TAKO_LOG_WARN ? "Warning: " : "", text) < 0)
        notes->lost = true;
    else
        notes->n++;
}

static void config_print_notes(const struct config_notes *notes)
{
    for (size_t i = 0; i < notes->n; i++) {
        fputs("  - ", stdout);
        cli_print_safe(stdout, notes->lines[i], strlen(notes->lines[i]), false);
        putchar('\n');
    }
}

/* A tako_config_fn: the lines of the summary. */
static int config_summary(void *ctx, const char *section, const char *key, const char *value)
{
    (void)ctx;
    (void)section;
    if (strcmp(key, "production_mode") == 0)
        printf("  Mode: %s\n", strcmp(value, "true") == 0 ? "production" : "development");
    else if (strcmp(key, "max_workers") == 0)
        printf("  Workers: %s\n", value);
    else if (strcmp(key, "max_timeout") == 0)
        printf("  Max timeout: %ss\n", value);
    return 0;
}

static void config_valid(const tako_config *c, const struct config_notes *notes)
{
    puts("Configuration is valid!");
    config_print_notes(notes);
    puts("\nSummary:");
    (void)tako_config_each(c, config_summary, NULL);
    printf("  Job types defined: %zu\n", tako_config_type_count(c));
    for (size_t i = 0; i < tako_config_type_count(c); i++)
        printf("    - %s\n", tako_config_type(c, i)->name);
}

int cli_validate(const struct cli_args *args)
{
    const char *named = args->n_operands > 0 ? args->operands[0] : args->config;
    struct config_notes notes = {NULL, 0, false};
    char file[PATH_MAX];
    tako_config *c = NULL;
    tako_error err;
    int rc;

    if (!named) {
        rc = tako_config_find(file, sizeof file, &err);
        if (rc == TAKO_ENOTFOUND) {
            puts("No configuration file found.\nLooked for $TAKO_VM_CONFIG, ./tako_vm.yaml, "
                 "./config/tako_vm.yaml, ~/.tako_vm/config.yaml and /etc/tako_vm/config.yaml.");
            return CLI_FAILED;
        }
        if (rc != TAKO_OK) {
            cli_say("%s", err.message);
            return CLI_FAILED;
        }
        named = file;
    }
    rc = tako_config_load(&c, named, NULL, config_note, &notes, &err);
    if (rc == TAKO_ENOTFOUND && named == args->config) {
        fprintf(stderr, "Error: %s\n", err.message);
        return CLI_FAILED;
    }
    fputs("Validating: ", stdout);
    cli_print_safe(stdout, named, strlen(named), false);
    putchar('\n');
    if (rc == TAKO_OK) {
        config_valid(c, &notes);
    } else {
        puts("Validation FAILED:");
        if (rc != TAKO_EINVAL || notes.n == 0)
            config_note(&notes, TAKO_LOG_ERROR, err.message);
        config_print_notes(&notes);
    }
    if (notes.lost)
        cli_say("out of memory");
    for (size_t i = 0; i < notes.n; i++)
        free(notes.lines[i]);
    free(notes.lines);
    tako_config_free(c);
    return rc == TAKO_OK && !notes.lost ? CLI_OK : CLI_FAILED;
}
