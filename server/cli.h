/* cli.h - what the files of the `tako` program share. It sees tako.h and the C library only;
 * whatever it can do, any host can do.
 *
 * main.c holds the one table of commands and options; cli_args.c reads values; cli_text.c
 * prints without letting stored text steer the terminal; cli_files.c reads and writes files;
 * cli_open.c opens the store; cli_run.c, cli_records.c, cli_dead.c, cli_types.c, cli_doctor.c and
 * cli_config.c are the commands.
 * SPDX-License-Identifier: MIT */
#ifndef TAKO_CLI_H
#define TAKO_CLI_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "../tako.h"

/* Exit codes. `run` gives the job's own code where there is one, see docs/cli.md. */
enum {
    CLI_OK = 0,
    CLI_FAILED = 1, /* of list, show, doctor: it could not be done, or the answer is no */
    CLI_USAGE = 2,  /* the command line was wrong; nothing was done */
    CLI_TIMEOUT = 124,
    CLI_REFUSED = 125, /* of run: Tako failed or refused; the job has no result of its own */
    CLI_INTERRUPTED = 130,
    CLI_OOM = 137,
    CLI_PIPE = 141, /* the reader of our output went away */
    CLI_SIGNAL_BASE = 128
};

/* The command line after parsing. Strings are borrowed from argv. */
struct cli_args {
    const char *const *operands; /* NULL-terminated */
    int n_operands;
    const char *store;  /* NULL = the default store */
    const char *config; /* the configuration file; NULL = search for one */
    bool json;
    bool permissive;
    const char *rootfs;
    const char *interpreter;
    /* run, rerun, fork */
    const char *input;  /* JSON text, or '@' and a path */
    const char **files; /* paths; owned, room for all of argv */
    size_t n_files;
    int64_t timeout_ms;
    int64_t memory_bytes;
    int64_t cpu_timeout_ms;
    int64_t output_kill_bytes;
    int priority;
    const char *job_type;
    const char *output_dir;
    const char *idempotency_key;
    int max_attempts;
    const char *retry_on;
    int64_t retry_delay_ms;
    int64_t startup_timeout_ms;
    const char **requirements; /* owned, room for all of argv */
    size_t n_requirements;
    const char *correlation_id;
    /* list, dead, purge */
    unsigned statuses;
    const char *type;
    const char *parent;
    int limit;
    const char *after;
    bool all; /* also of build */
    const char *error_type;
    /* get */
    bool input_file;
    int64_t offset, length; /* length 0 = no range was given, -1 = to the end */
    /* build */
    const char *tag;
};

/* ---- cli_args.c: values; each gives NULL, or a static text that says what is wrong ------- */

const char *cli_parse_seconds(const char *text, int64_t least, int64_t most, int64_t *ms);
const char *cli_parse_memory(const char *text, int64_t *bytes);
const char *cli_parse_size(const char *text, int64_t *bytes);
const char *cli_parse_int(const char *text, int min, int max, int *value);
const char *cli_parse_status(const char *text, unsigned *statuses);
/* 1 and up. */
const char *cli_parse_number(const char *text, int64_t *value);
/* "A-B" or "A-": len becomes -1 for the latter. */
const char *cli_parse_range(const char *text, int64_t *offset, int64_t *len);

/* ---- cli_text.c ------------------------------------------------------------------------- */

/* One line "tako: ..." on stderr; what could steer a terminal is shown escaped. */
void cli_say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* A tako_log_fn that says all it gets. */
void cli_log(void *ctx, tako_level level, const char *module, const char *message);

/* Prints text from a job or a store: control, direction-changing and invalid bytes appear as
 * \n, \x1b, ...; `lines` keeps newlines and tabs. Returns the columns it took, roughly. */
int cli_print_safe(FILE *to, const char *text, size_t len, bool lines);
/* A cell of a table on stdout: safe, filled up to `width`, two blanks. */
void cli_print_column(const char *text, int width);
/* A JSON string with its quotes; invalid UTF-8 becomes U+FFFD. NULL prints null. */
void cli_print_json_string(FILE *to, const char *text);
/* On stdout, in the form that records have; 0 prints null. */
void cli_print_json_instant(int64_t us);
/* Walks over the JSON object or array at *at, which is compact and valid: the library made it.
 * Values and names are lent as they stand there, names without their quotes. False at its end. */
bool cli_json_member(const char **at, const char **name, size_t *name_len, const char **value,
                     size_t *len);
bool cli_json_item(const char **at, const char **value, size_t *len);

#define CLI_INSTANT_SIZE 32
/* "2025-01-31T12:00:00Z", or "-" for 0. */
const char *cli_instant(int64_t us, char text[CLI_INSTANT_SIZE]);
/* The same with milliseconds. */
const char *cli_instant_ms(int64_t us, char text[CLI_INSTANT_SIZE]);
/* "12 ms", "3.4 s", "2 min 5 s", or "-" when negative. */
const char *cli_duration(int64_t ms, char text[CLI_INSTANT_SIZE]);
/* "17 bytes", "9.4 MiB", or "-" when negative. */
const char *cli_bytes(int64_t bytes, char text[CLI_INSTANT_SIZE]);

/* ---- cli_files.c ------------------------------------------------------------------------ */

/* Reads a file, or standard input when path is NULL, up to `max` bytes; a NUL follows the
 * data. *data is the caller's to free. False after saying why not. */
bool cli_read_file(const char *path, const char *what, size_t max, char **data, size_t *len);

/* Which store to open: --store, else TAKO_STORE, else that of the configuration `c` if there is
 * one, else the user's own file, whose directories are made when `create`. *uri is the caller's to
 * free. *absent says that it is a file that does not exist yet. False after saying why not. */
bool cli_store_uri(const struct cli_args *args, const tako_config *c, bool create, char **uri,
                   bool *absent);

/* Opens DIR for artifacts, making it and its parents when missing; a symbolic link in its
 * place is refused. -1 after saying why not. */
int cli_output_dir(const char *path);
/* Writes one artifact: beside its place first, then renamed over it, so that the old content
 * stays whole until the new one is; replaces regular files only. False after saying why not. */
bool cli_write_artifact(tako *t, int dir, const tako_artifact *artifact);

/* A tako_bytes_fn: writes all of it to the descriptor in ctx. 1 = failed, see errno. */
int cli_write_all(void *ctx, const void *data, size_t len);

/* ---- cli_open.c ------------------------------------------------------------------------- */

enum cli_opening {
    CLI_OPEN_READ,  /* the store must be there */
    CLI_OPEN_TYPES, /* the same, and the job types of the configuration are defined */
    CLI_OPEN_MAKE,  /* with those; a store that is not there is made */
    CLI_OPEN_NONE   /* with those, on a store in memory: nothing is read or written */
};

/* Opens the store that the command line names, without running anything. CLI_OK with *t NULL = the
 * default store does not exist yet: there is nothing in it. Else CLI_FAILED after saying why. */
int cli_open(const struct cli_args *args, enum cli_opening how, tako **t);
/* The whole id of a job for what was typed; false after saying why not. `t` may be NULL. */
bool cli_resolve(tako *t, const char *typed, tako_id *id);

/* ---- cli_config.c ----------------------------------------------------------------------- */

/* The configuration, when something is configured; else *c is NULL, and no key of it has any
 * effect. False after saying what is wrong with it. */
bool cli_config(const struct cli_args *args, bool warnings, tako_config **c);
/* Up to which level the log is said: warnings, unless the configuration wants less, or all. */
tako_level cli_config_level(const tako_config *c);
/* A tako_log_fn that keeps to it. */
tako_log_fn *cli_config_log(const tako_config *c);
/* The options of the configuration (or none), with what the command line says instead. */
void cli_config_options(const tako_config *c, const struct cli_args *args, tako_options *opts);

/* ---- commands --------------------------------------------------------------------------- */

int cli_run(const struct cli_args *args);
int cli_rerun(const struct cli_args *args);
int cli_fork(const struct cli_args *args);
int cli_list(const struct cli_args *args);
int cli_show(const struct cli_args *args);
int cli_history(const struct cli_args *args);
int cli_get(const struct cli_args *args);
int cli_dead(const struct cli_args *args);
int cli_purge(const struct cli_args *args);
int cli_types(const struct cli_args *args);
int cli_versions(const struct cli_args *args);
int cli_build(const struct cli_args *args);
int cli_doctor(const struct cli_args *args);
int cli_show_config(const struct cli_args *args);
int cli_validate(const struct cli_args *args);

#endif
