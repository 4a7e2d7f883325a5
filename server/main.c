/* main.c - the `tako` program: one table of commands, one of options, and what is made from
 * them: parsing, help and usage. What the commands do is in the cli_*.c files.
 *
 * To add an option: a row in main_options, a member in struct cli_args, a line in docs/cli.md.
 * SPDX-License-Identifier: MIT */
#include "cli.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum main_command {
    MAIN_RUN = 1 << 0,
    MAIN_LIST = 1 << 1,
    MAIN_SHOW = 1 << 2,
    MAIN_DOCTOR = 1 << 3,
    MAIN_VERSION = 1 << 4,
    MAIN_HELP = 1 << 5,
    MAIN_CONFIG = 1 << 6,
    MAIN_VALIDATE = 1 << 7,
    MAIN_RERUN = 1 << 8,
    MAIN_FORK = 1 << 9,
    MAIN_HISTORY = 1 << 10,
    MAIN_GET = 1 << 11,
    MAIN_DEAD = 1 << 12,
    MAIN_PURGE = 1 << 13,
    MAIN_TYPES = 1 << 14,
    MAIN_VERSIONS = 1 << 15,
    MAIN_BUILD = 1 << 16
};

/* The commands that run a job. */
#define MAIN_RUNS (MAIN_RUN | MAIN_RERUN | MAIN_FORK)

/* The commands that use a store. */
#define MAIN_STORED                                                                         \
    (MAIN_RUNS | MAIN_LIST | MAIN_SHOW | MAIN_HISTORY | MAIN_GET | MAIN_DEAD | MAIN_PURGE | \
     MAIN_VERSIONS | MAIN_BUILD)

/* The commands that a configuration has a meaning for. */
#define MAIN_CONFIGURED (MAIN_STORED | MAIN_TYPES | MAIN_DOCTOR | MAIN_CONFIG | MAIN_VALIDATE)

struct main_option {
    const char *name;
    const char *value; /* what it takes, for the help; NULL = a flag */
    unsigned commands; /* bits of enum main_command */
    /* NULL, or what would have been right. */
    const char *(*take)(struct cli_args *args, const char *value);
    const char *help;
};

static const char *take_input(struct cli_args *args, const char *value)
{
    args->input = value;
    return NULL;
}

static const char *take_file(struct cli_args *args, const char *value)
{
    args->files[args->n_files++] = value;
    return NULL;
}

/* What a job may take: of wall time and of CPU time. */
static const char *take_run_seconds(const char *value, int64_t *ms)
{
    return cli_parse_seconds(value, 1, TAKO_TIMEOUT_MAX_MS, ms)
               ? "seconds from 0.001 to 86400, like 30 or 0.5"
               : NULL;
}

static const char *take_timeout(struct cli_args *args, const char *value)
{
    return take_run_seconds(value, &args->timeout_ms);
}

static const char *take_memory(struct cli_args *args, const char *value)
{
    return cli_parse_memory(value, &args->memory_bytes);
}

static const char *take_cpu_time(struct cli_args *args, const char *value)
{
    return take_run_seconds(value, &args->cpu_timeout_ms);
}

static const char *take_output_limit(struct cli_args *args, const char *value)
{
    return cli_parse_size(value, &args->output_kill_bytes);
}

static const char *take_priority(struct cli_args *args, const char *value)
{
    return cli_parse_int(value, -100, 100, &args->priority) ? "a whole number from -100 to 100"
                                                            : NULL;
}

static const char *take_job_type(struct cli_args *args, const char *value)
{
    args->job_type = value;
    return NULL;
}

static const char *take_output_dir(struct cli_args *args, const char *value)
{
    args->output_dir = value;
    return *value ? NULL : "a directory";
}

static const char *take_idempotency_key(struct cli_args *args, const char *value)
{
    args->idempotency_key = value;
    return NULL;
}

static const char *take_max_attempts(struct cli_args *args, const char *value)
{
    return cli_parse_int(value, 1, 100, &args->max_attempts) ? "a whole number from 1 to 100"
                                                             : NULL;
}

static const char *take_retry_on(struct cli_args *args, const char *value)
{
    args->retry_on = value;
    return NULL;
}

static const char *take_retry_delay(struct cli_args *args, const char *value)
{
    return cli_parse_seconds(value, 100, 60000, &args->retry_delay_ms) ? "seconds from 0.1 to 60"
                                                                       : NULL;
}

static const char *take_startup_timeout(struct cli_args *args, const char *value)
{
    return cli_parse_seconds(value, 1000, 1800000, &args->startup_timeout_ms)
               ? "seconds from 1 to 1800"
               : NULL;
}

static const char *take_requirement(struct cli_args *args, const char *value)
{
    args->requirements[args->n_requirements++] = value;
    return NULL;
}

static const char *take_correlation_id(struct cli_args *args, const char *value)
{
    args->correlation_id = value;
    return NULL;
}

static const char *take_parent(struct cli_args *args, const char *value)
{
    args->parent = value;
    return NULL;
}

static const char *take_input_file(struct cli_args *args, const char *value)
{
    (void)value;
    args->input_file = true;
    return NULL;
}

static const char *take_range(struct cli_args *args, const char *value)
{
    return cli_parse_range(value, &args->offset, &args->length);
}

static const char *take_all(struct cli_args *args, const char *value)
{
    (void)value;
    args->all = true;
    return NULL;
}

static const char *take_error_type(struct cli_args *args, const char *value)
{
    args->error_type = value;
    return *value ? NULL : "an error type, like runtime_error";
}

static const char *take_tag(struct cli_args *args, const char *value)
{
    args->tag = value;
    return NULL;
}

static const char *take_status(struct cli_args *args, const char *value)
{
    return cli_parse_status(value, &args->statuses);
}

static const char *take_type(struct cli_args *args, const char *value)
{
    args->type = value;
    return *value ? NULL : "the name of a job type";
}

static const char *take_limit(struct cli_args *args, const char *value)
{
    return cli_parse_int(value, 1, 1000, &args->limit) ? "a whole number from 1 to 1000" : NULL;
}

static const char *take_after(struct cli_args *args, const char *value)
{
    args->after = value;
    return NULL;
}

static const char *take_store(struct cli_args *args, const char *value)
{
    args->store = value;
    return *value ? NULL : "a store, like sqlite:jobs.db";
}

static const char *take_rootfs(struct cli_args *args, const char *value)
{
    args->rootfs = value;
    return *value ? NULL : "a directory";
}

static const char *take_interpreter(struct cli_args *args, const char *value)
{
    args->interpreter = value;
    return *value == '/' ? NULL : "an absolute path";
}

static const char *take_permissive(struct cli_args *args, const char *value)
{
    (void)value;
    args->permissive = true;
    return NULL;
}

static const char *take_config(struct cli_args *args, const char *value)
{
    args->config = value;
    return *value ? NULL : "a configuration file";
}

static const char *take_show_defaults(struct cli_args *args, const char *value)
{
    (void)args; /* they are always shown */
    (void)value;
    return NULL;
}

static const char *take_json(struct cli_args *args, const char *value)
{
    (void)value;
    args->json = true;
    return NULL;
}

/* Read in this order by the help of every command. */
static const struct main_option main_options[] = {
    {"input", "JSON|@FILE", MAIN_RUN, take_input,
     "the job's /input/data.json: a JSON object, or @ and\n"
     "the file that has it (@- is standard input)"},
    {"file", "PATH", MAIN_RUN, take_file, "put a copy of PATH into /input; may be repeated"},
    {"timeout", "SECONDS", MAIN_RUNS, take_timeout,
     "wall time the job may take, fractions allowed; default:\n"
     "that of its type, 30"},
    {"memory", "SIZE", MAIN_RUNS, take_memory,
     "memory the job may use, like 256m or 1g; default: that\n"
     "of its type, 512m"},
    {"cpu-time", "SECONDS", MAIN_RUNS, take_cpu_time,
     "CPU time of all its processes together, after which it is killed; default no limit"},
    {"output-limit", "SIZE", MAIN_RUNS, take_output_limit,
     "kill the job once it writes more to stdout or stderr; default: truncate, do not kill"},
    {"job-type", "NAME[@VERSION]", MAIN_RUNS, take_job_type,
     "the job type, and which version of it: latest, a tag or\n"
     "sha256:DIGITS; default \"default\": Python"},
    {"priority", "N", MAIN_RUNS, take_priority, "-100 to 100, higher runs first; default 0"},
    {"idempotency-key", "KEY", MAIN_RUNS, take_idempotency_key,
     "a job that was submitted with this key before is not run\n"
     "again: its record is what comes out"},
    {"max-attempts", "N", MAIN_RUNS, take_max_attempts,
     "1 to 100: how often it is run when it fails by itself"},
    {"retry-on", "TYPES", MAIN_RUNS, take_retry_on,
     "error types, with commas between, that are worth\n"
     "another attempt"},
    {"retry-delay", "SECONDS", MAIN_RUNS, take_retry_delay,
     "before the second attempt, doubled before each further\n"
     "one; 0.1 to 60, default 1"},
    {"requirement", "REQ", MAIN_RUNS, take_requirement,
     "a Python package the job needs, like 'numpy>=1.20', when\n"
     "the configuration allows it; may be repeated"},
    {"startup-timeout", "SECONDS", MAIN_RUNS, take_startup_timeout,
     "time for installing those; 1 to 1800, default 120"},
    {"correlation-id", "ID", MAIN_RUNS, take_correlation_id,
     "1 to 64 visible ASCII characters, kept in the record"},
    {"output-dir", "DIR", MAIN_RUNS, take_output_dir,
     "write the job's artifacts into DIR, made when missing"},
    {"rootfs", "DIR", MAIN_RUNS | MAIN_BUILD | MAIN_DOCTOR, take_rootfs,
     "what the job sees as /, read-only; default: this\n"
     "machine's /usr and the few files of /etc it needs"},
    {"interpreter", "PATH", MAIN_RUNS | MAIN_BUILD | MAIN_DOCTOR, take_interpreter,
     "the Python inside that root; default /usr/bin/python3"},
    {"permissive", NULL, MAIN_RUNS | MAIN_BUILD | MAIN_DOCTOR, take_permissive,
     "run even when a layer of the sandbox is missing"},
    {"status", "STATUS", MAIN_LIST, take_status, "only jobs with this status; may be repeated"},
    {"type", "NAME", MAIN_LIST, take_type, "only jobs of this type"},
    {"parent", "ID", MAIN_LIST, take_parent, "only reruns and forks of this job"},
    {"limit", "N", MAIN_LIST, take_limit, "at most N jobs, 1 to 1000; default 100"},
    {"after", "ID", MAIN_LIST, take_after, "only jobs older than this one: the next page"},
    {"input", NULL, MAIN_GET, take_input_file,
     "NAME is a file that the job was given, or _code.py or\n"
     "_input.json: its code and its input"},
    {"range", "A-B", MAIN_GET, take_range,
     "only bytes A to B, counted from 0, both included; A- is\n"
     "from A to the end"},
    {"all", NULL, MAIN_DEAD, take_all, "of retry: all of them, newest first"},
    {"error-type", "TYPE", MAIN_DEAD, take_error_type,
     "of list and retry --all: only with this error type"},
    {"limit", "N", MAIN_DEAD, take_limit,
     "of list and retry --all: at most N, 1 to 1000; default:\n"
     "list 100, retry all there are"},
    {"after", "ID", MAIN_DEAD, take_after,
     "of list: only dead letters older than this one: the\n"
     "next page"},
    {"limit", "N", MAIN_PURGE, take_limit,
     "at most N jobs and N dead letters, 1 to 1000; default\n"
     "all that are old enough"},
    {"all", NULL, MAIN_BUILD, take_all, "all job types, one after the other"},
    {"tag", "TAG", MAIN_BUILD, take_tag,
     "a name for this version: NAME@TAG is then a job type;\n"
     "1 to 64 of A-Z, a-z, 0-9, _, - and ."},
    {"store", "URI", MAIN_STORED, take_store,
     "where records are kept, like sqlite:jobs.db; default:\n"
     "$TAKO_STORE, else that of the configuration, else a\n"
     "file of your own"},
    {"show-defaults", NULL, MAIN_CONFIG, take_show_defaults,
     "nothing more: defaults are always shown"},
    {"json", NULL, (MAIN_STORED & ~(unsigned)MAIN_GET) | MAIN_TYPES | MAIN_DOCTOR | MAIN_CONFIG,
     take_json, "print JSON instead"},
    {"config", "FILE", MAIN_CONFIGURED, take_config,
     "the configuration; default: the first that there is of\n"
     "$TAKO_VM_CONFIG, ./tako_vm.yaml, ./config/tako_vm.yaml,\n"
     "~/.tako_vm/config.yaml, /etc/tako_vm/config.yaml.\n"
     "May stand before the command as well, or be -c FILE"},
};
enum { MAIN_N_OPTIONS = sizeof main_options / sizeof main_options[0] };

static int main_version(const struct cli_args *args);
static int main_help(const struct cli_args *args);

struct main_entry {
    const char *name;
    enum main_command bit;
    const char *operands; /* for the help */
    int least, most;      /* operands */
    int (*run)(const struct cli_args *args);
    const char *summary;
    const char *more; /* paragraphs for `tako help COMMAND`, or NULL */
};

static const struct main_entry main_commands[] = {
    {"run", MAIN_RUN, "FILE|-", 1, 1, cli_run, "run code in a sandbox and wait for its end",
     "The job's output passes through as it is written, and so does its exit code.\n"
     "Otherwise the code is 124 for a timeout, 137 out of memory, 128+N killed by\n"
     "signal N, 130 interrupted, 125 when Tako failed or refused the job, 2 for a\n"
     "wrong command line; a line on standard error then says what happened.\n"
     "With --json, standard output has exactly the job's record.\n"},
    {"rerun", MAIN_RERUN, "ID", 1, 1, cli_rerun,
     "run a job again as a new one, and wait for its end",
     "The same code, input and files, and the type, version, limits and requirements\n"
     "of the job, unless options say otherwise. It must have ended. Output and exit\n"
     "code are those of 'tako run'.\n"},
    {"fork", MAIN_FORK, "ID FILE|-", 2, 2, cli_fork,
     "run other code with what a job was given, and wait for its end",
     "As 'tako rerun', but with the code in FILE; - is standard input. The job may be\n"
     "in any state.\n"},
    {"list", MAIN_LIST, "", 0, 0, cli_list, "list jobs, newest first", NULL},
    {"show", MAIN_SHOW, "ID", 1, 1, cli_show, "show the record of one job",
     "ID is the id of a job, or the beginning of it when only one of the newest 1000\n"
     "jobs begins so (at least 4 characters).\n"},
    {"history", MAIN_HISTORY, "ID", 1, 1, cli_history, "show all moves of one job, in order", NULL},
    {"get", MAIN_GET, "ID NAME", 2, 2, cli_get,
     "write an artifact of a job, or what it was given, to standard output",
     "Byte for byte; on a terminal what could steer it is shown escaped.\n"},
    {"dead", MAIN_DEAD, "list|stats|remove ID...|retry ID...|retry --all", 1, INT_MAX, cli_dead,
     "look after dead letters: jobs that were given up",
     "list shows them, newest first; stats counts them by error type; remove removes\n"
     "some, but not their jobs; retry puts their jobs into the queue again, as new\n"
     "ones, prints their ids and runs nothing: a node of the store does that.\n"
     "ID is the number that list shows.\n"},
    {"purge", MAIN_PURGE, "", 0, 0, cli_purge, "remove jobs and dead letters that are old",
     "How old they must be is said by execution_record_ttl_days and dlq_ttl_days of\n"
     "the configuration; default 30 days.\n"},
    {"types", MAIN_TYPES, "", 0, 0, cli_types, "list the job types that are defined here", NULL},
    {"versions", MAIN_VERSIONS, "[NAME]", 0, 1, cli_versions,
     "list the versions of job types that the store knows, newest first", NULL},
    {"build", MAIN_BUILD, "NAME|--all", 0, 1, cli_build,
     "install what a job type requires, so that no job waits for it",
     "Lines of the installer go to standard error. Prints the version that was built.\n"
     "Exits with 1 when one could not be built; the others are.\n"},
    {"doctor", MAIN_DOCTOR, "", 0, 0, cli_doctor, "say how well jobs are isolated here, and why",
     "Exits with 1 when jobs would be refused.\n"},
    {"config", MAIN_CONFIG, "", 0, 0, cli_show_config,
     "show every key of the configuration with its value", "Secrets are shown as ***.\n"},
    {"validate", MAIN_VALIDATE, "[FILE]", 0, 1, cli_validate,
     "check a configuration and say all that is wrong with it",
     "Exits with 1 when something is wrong, or when there is no file.\n"},
    {"version", MAIN_VERSION, "", 0, 0, main_version, "print the version", NULL},
    {"help", MAIN_HELP, "[COMMAND]", 0, 1, main_help, "print help, also of one command", NULL},
};
enum { MAIN_N_COMMANDS = sizeof main_commands / sizeof main_commands[0] };

static const struct main_entry *main_find(const char *name)
{
    for (int i = 0; i < MAIN_N_COMMANDS; i++) {
        if (strcmp(main_commands[i].name, name) == 0)
            return &main_commands[i];
    }
    return NULL;
}

/* The first line of help and of complaints. `c` NULL = of the whole program. */
static void main_usage(FILE *to, const struct main_entry *c)
{
    bool options = false;

    if (!c) {
        fputs("Usage: tako [-c FILE] COMMAND [OPTIONS]\n", to);
        return;
    }
    for (int i = 0; i < MAIN_N_OPTIONS; i++)
        options = options || (main_options[i].commands & c->bit) != 0;
    fprintf(to, "Usage: tako %s%s%s%s\n", c->name, options ? " [OPTIONS]" : "",
            *c->operands ? " " : "", c->operands);
}

/* A name and its text, which may have several lines. */
static void main_help_row(const char *name, const char *text)
{
    enum { MAIN_COLUMN = 22 };
    int at = printf("  %s", name);

    if (at >= MAIN_COLUMN)
        at = printf("\n") - 1;
    printf("%*s", MAIN_COLUMN - at, "");
    for (; *text; text++) {
        putchar(*text);
        if (*text == '\n')
            printf("%*s", MAIN_COLUMN, "");
    }
    putchar('\n');
}

static void main_help_all(void)
{
    puts("tako - runs untrusted code as durable jobs, each in a sandbox of its own\n");
    main_usage(stdout, NULL);
    puts("\nOptions before the command:");
    main_help_row("-c, --config FILE", "the configuration file");
    puts("\nCommands:");
    for (int i = 0; i < MAIN_N_COMMANDS; i++) {
        char name[64];

        snprintf(name, sizeof name, "%s %s", main_commands[i].name, main_commands[i].operands);
        main_help_row(name, main_commands[i].summary);
    }
    puts("\n'tako help COMMAND' lists the options of a command.\n"
         "Try: echo 'print(1 + 1)' | tako run -");
}

static void main_help_one(const struct main_entry *c)
{
    main_usage(stdout, c);
    printf("\n%c%s.\n", c->summary[0] - 'a' + 'A', c->summary + 1);
    if (c->more)
        printf("\n%s", c->more);
    puts("\nOptions:");
    for (int i = 0; i < MAIN_N_OPTIONS; i++) {
        const struct main_option *o = &main_options[i];
        char name[64];

        if ((o->commands & c->bit) == 0)
            continue;
        snprintf(name, sizeof name, "--%s%s%s", o->name, o->value ? " " : "",
                 o->value ? o->value : "");
        main_help_row(name, o->help);
    }
    main_help_row("--help", "print this help");
}

static int main_version(const struct cli_args *args)
{
    const char *source = tako_source_id();

    (void)args;
    printf("tako %s%s%s%s\n", tako_version(), *source ? " (" : "", source, *source ? ")" : "");
    return CLI_OK;
}

static int main_help(const struct cli_args *args)
{
    const struct main_entry *c;

    if (args->n_operands == 0) {
        main_help_all();
        return CLI_OK;
    }
    c = main_find(args->operands[0]);
    if (!c) {
        cli_say("unknown command '%s'; 'tako help' lists them", args->operands[0]);
        return CLI_USAGE;
    }
    main_help_one(c);
    return CLI_OK;
}

static int main_wrong(const struct main_entry *c)
{
    main_usage(stderr, c);
    fprintf(stderr, "'tako help %s' tells more.\n", c->name);
    return CLI_USAGE;
}

static const struct main_option *main_option_config(void)
{
    int i = 0;

    while (main_options[i].take != take_config)
        i++;
    return &main_options[i];
}

/* Takes -c FILE and --config FILE in front of the command; *at moves on. False after saying why. */
static bool main_front(int argc, char **argv, int *at, struct cli_args *args)
{
    static const char name[] = "--config";
    const size_t len = sizeof name - 1;

    for (; *at < argc; ++*at) {
        const char *word = argv[*at], *value;

        if (strcmp(word, "-c") == 0 || strcmp(word, name) == 0)
            value = *at + 1 < argc ? argv[++*at] : NULL;
        else if (strncmp(word, name, len) == 0 && word[len] == '=')
            value = word + len + 1;
        else if (word[0] == '-' && word[1] == 'c' && word[2])
            value = word + 2;
        else
            return true;
        if (!value || !*value) {
            cli_say("option '%s' needs a configuration file", word);
            main_usage(stderr, NULL);
            return false;
        }
        args->config = value;
    }
    return true;
}

/* Fills args from argv, whose [0] is the command's name. 0 = go on, else main's result + 1. */
static int main_parse(const struct main_entry *c, int argc, char **argv, struct cli_args *args)
{
    struct option known[MAIN_N_OPTIONS + 2];
    bool configured = (c->bit & MAIN_CONFIGURED) != 0;
    int n = 0, got;

    memset(known, 0, sizeof known);
    for (int i = 0; i < MAIN_N_OPTIONS; i++) {
        if ((main_options[i].commands & c->bit) == 0)
            continue;
        known[n].name = main_options[i].name;
        known[n].has_arg = main_options[i].value ? required_argument : no_argument;
        known[n++].val = 256 + i;
    }
    known[n].name = "help";
    known[n].val = 'h';

    opterr = 0; /* the messages are ours */
    while ((got = getopt_long(argc, argv, configured ? ":hc:" : ":h", known, NULL)) != -1) {
        const struct main_option *o;
        const char *right;

        if (got == 'h') {
            main_help_one(c);
            return CLI_OK + 1;
        }
        if (got == ':') {
            cli_say("%s: option '%s' needs a value", c->name, argv[optind - 1]);
            return main_wrong(c) + 1;
        }
        if (got == '?') {
            if (optopt >= 256 || optopt == 'h')
                cli_say("%s: option '%s' takes no value", c->name, argv[optind - 1]);
            else if (optopt)
                cli_say("%s: unknown option '-%c'", c->name, optopt);
            else
                cli_say("%s: unknown or ambiguous option '%s'", c->name, argv[optind - 1]);
            return main_wrong(c) + 1;
        }
        o = got == 'c' ? main_option_config() : &main_options[got - 256];
        right = o->take(args, optarg);
        if (right) {
            cli_say("%s: --%s '%s': must be %s", c->name, o->name, optarg, right);
            return main_wrong(c) + 1;
        }
    }
    args->operands = (const char *const *)(argv + optind);
    args->n_operands = argc - optind;
    if (args->n_operands < c->least) {
        cli_say("%s: %s is missing", c->name, c->operands);
        return main_wrong(c) + 1;
    }
    if (args->n_operands > c->most) {
        cli_say("%s: '%s' is one too many", c->name, args->operands[c->most]);
        return main_wrong(c) + 1;
    }
    return 0;
}

/* So that no file we open becomes the standard output by accident. What is put there refuses
 * to be used the wrong way round, so that lost output is noticed. */
static void main_fill_std(void)
{
    for (int fd = 0; fd <= 2; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF &&
            open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd)
            _exit(CLI_REFUSED);
    }
}

int main(int argc, char **argv)
{
    const struct main_entry *c;
    struct cli_args args;
    const char *name;
    int rc, at = 1;

    main_fill_std();
    memset(&args, 0, sizeof args);
    if (!main_front(argc, argv, &at, &args))
        return CLI_USAGE;
    if (at >= argc) {
        main_help_all();
        return CLI_FAILED;
    }
    name = argv[at];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        name = "help";
    else if (strcmp(name, "--version") == 0)
        name = "version";
    c = main_find(name);
    if (!c) {
        cli_say("unknown %s '%s'", *name == '-' ? "option" : "command", name);
        main_usage(stderr, NULL);
        fputs("'tako help' lists the commands.\n", stderr);
        return CLI_USAGE;
    }
    if (args.config && !(c->bit & MAIN_CONFIGURED)) {
        cli_say("%s: takes no configuration", c->name);
        return main_wrong(c);
    }
    args.files = calloc((size_t)argc, sizeof *args.files);
    args.requirements = calloc((size_t)argc, sizeof *args.requirements);
    if (!args.files || !args.requirements) {
        cli_say("out of memory");
        free(args.requirements);
        free(args.files);
        return CLI_REFUSED;
    }
    rc = main_parse(c, argc - at, argv + at, &args);
    rc = rc ? rc - 1 : c->run(&args);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        int why = errno;

        cli_say("cannot write to standard output: %s", strerror(why));
        if (c->bit & MAIN_RUNS)
            rc = why == EPIPE ? CLI_PIPE : CLI_REFUSED;
        else
            rc = CLI_FAILED;
    }
    free(args.requirements);
    free(args.files);
    return rc;
}
