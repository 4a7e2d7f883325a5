/* demo.c - `make demo`: what Tako does, shown with real jobs through the public library.
 *
 * Runs each scene as one job in a store of its own (a temporary directory, removed at the end)
 * and prints one line per record. Ends with 1 when a job did not end as it should, so the demo
 * is a test as well.
 *
 * Build: cc examples/demo.c build/libtako.a -lsqlite3 -lcjson -lseccomp -lyaml -lpthread
 * SPDX-License-Identifier: MIT */
#include "../tako.h"

#include <dirent.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct scene {
    const char *name;
    const char *code; /* Python; NULL = the C callback below */
    const char *input;
    int64_t timeout_ms;
    int64_t memory_bytes;
    /* How it has to end. */
    tako_status status;
    const char *error_type; /* NULL = any or none */
    const char *in_stdout;  /* must be in its output; NULL = nothing in particular */
    const char *remark;     /* NULL = what the job printed */
};

static const struct scene scenes[] = {
    {"hello", "print('Hello from inside the sandbox')", NULL, 0, 0, TAKO_SUCCEEDED, NULL, "Hello",
     NULL},

    {"json in, json out",
     "import json\n"
     "numbers = json.load(open('/input/data.json'))['numbers']\n"
     "json.dump({'sum': sum(numbers)}, open('/output/result.json', 'w'))\n",
     "{\"numbers\": [1, 2, 3.5]}", 0, 0, TAKO_SUCCEEDED, NULL, NULL, NULL},

    {"two artifacts",
     "open('/output/table.csv', 'w').write('x,y\\n1,2\\n')\n"
     "open('/output/dot.svg', 'w').write('<svg xmlns=\"http://www.w3.org/2000/svg\"/>')\n",
     NULL, 0, 0, TAKO_SUCCEEDED, NULL, NULL, NULL},

    {"exception", "print(1 / 0)", NULL, 0, 0, TAKO_FAILED, "division_error", NULL, NULL},

    {"endless loop", "while True:\n    pass\n", NULL, 1000, 0, TAKO_TIMEOUT, "execution_timeout",
     NULL, "killed at its limit of 1 s"},

    {"memory hog", "hog = []\nwhile True:\n    hog.append(bytearray(8 << 20))\n", NULL, 0, 96 << 20,
     TAKO_OOM, "oom", NULL, "stopped at its limit of 96 MiB"},

    /* Every child forks on as well, and none gives up: it stays within its limits, and all of it
     * is gone when its time is over. */
    {"fork bomb",
     "import os\n"
     "while True:\n"
     "    try: os.fork()\n"
     "    except OSError: pass\n",
     NULL, 1000, 0, TAKO_TIMEOUT, "execution_timeout", NULL,
     "contained: at most 100 processes, all killed at 1 s"},

    {"network attempt",
     "import socket\n"
     "socket.create_connection(('192.0.2.1', 80), timeout=3)\n"
     "print('connected')\n",
     NULL, 10000, 0, TAKO_FAILED, NULL, NULL, NULL},

    {"C callback", NULL, "{\"name\": \"Tako\"}", 0, 0, TAKO_SUCCEEDED, NULL, "bytes of input",
     NULL},
};
enum { SCENES = sizeof scenes / sizeof scenes[0] };

/* Long enough to be running when its engine is killed; the second attempt ends. */
static const char survivor_code[] = "import time\ntime.sleep(1)\nprint('finished after all')\n";

/* ---- small helpers ----------------------------------------------------------------------- */

/* Prints at most `most` characters of the last line of what a job wrote. Never let a job's
 * bytes act on a terminal: what is not plain ASCII is shown as '?'. */
static void print_last_line(const char *text, size_t len, size_t most)
{
    size_t from;

    while (len > 0 && text[len - 1] == '\n')
        len--;
    for (from = len; from > 0 && text[from - 1] != '\n'; from--)
        ;
    if (len - from > most)
        len = from + most;
    for (; from < len; from++)
        putchar(text[from] >= ' ' && text[from] <= '~' ? text[from] : '?');
}

static void print_number(int64_t value, int64_t unit, int width)
{
    if (value < 0)
        printf("  %*s", width, "-");
    else
        printf("  %*" PRId64, width, value / unit);
}

static void print_head(void)
{
    printf("%-18s %-10s %-18s %4s  %6s  %6s  %6s  %s\n", "JOB", "STATUS", "ERROR TYPE", "EXIT",
           "WALLms", "CPUms", "MiB", "REMARK");
}

static void print_record(const char *name, const tako_record *rec, const char *remark)
{
    const char *error = tako_record_error_type(rec);
    size_t n = tako_record_artifact_count(rec, TAKO_ARTIFACTS);
    size_t out_len = 0, err_len = 0, len = 0;
    const char *out = tako_record_stdout(rec, &out_len);
    const char *err = tako_record_stderr(rec, &err_len);
    const char *output = tako_record_output(rec, &len);

    printf("%-18s %-10s %-18s ", name, tako_status_name(tako_record_status(rec)),
           error ? error : "-");
    if (tako_record_exit_code(rec) >= 0)
        printf("%4d", tako_record_exit_code(rec));
    else
        printf("%4s", "-");
    print_number(tako_record_wall_us(rec), 1000, 6);
    print_number(tako_record_cpu_us(rec), 1000, 6);
    print_number(tako_record_peak_bytes(rec), 1 << 20, 6);
    fputs("  ", stdout);
    if (remark) {
        fputs(remark, stdout);
    } else if (output) {
        fputs("output: ", stdout);
        print_last_line(output, len, 50);
    } else if (n > 0) {
        for (size_t i = 0; i < n; i++) {
            const tako_artifact *a = tako_record_artifact(rec, TAKO_ARTIFACTS, i);

            printf("%s%s (%" PRId64 " bytes)", i ? ", " : "", a->name, a->bytes);
        }
    } else {
        print_last_line(out_len ? out : err, out_len ? out_len : err_len, 60);
    }
    putchar('\n');
    fflush(stdout);
}

/* Removes the directory of the store and the files in it. */
static void remove_dir(const char *path)
{
    DIR *dir = opendir(path);
    struct dirent *entry;

    while (dir && (entry = readdir(dir)) != NULL)
        (void)unlinkat(dirfd(dir), entry->d_name, 0); /* "." and ".." are refused */
    if (dir)
        closedir(dir);
    (void)rmdir(path);
}

/* ---- a C function as a job --------------------------------------------------------------- */

static int measure(void *ctx, tako_call *call)
{
    char text[64];
    size_t len = 0;

    (void)ctx;
    (void)tako_call_input(call, &len);
    snprintf(text, sizeof text, "C saw %zu bytes of input", len);
    return tako_call_write(call, 1, text, strlen(text));
}

/* ---- kill -9 in the middle of it ---------------------------------------------------------- */

/* The program that gets killed: submits a job, tells its id on the pipe once it runs, and then
 * would wait for it. */
static int submit_and_die(const char *store, int tell)
{
    tako *t = NULL;
    tako_options opts = TAKO_OPTIONS_INIT;
    tako_job job = TAKO_JOB_INIT;
    tako_record *rec = NULL;
    tako_error err;
    tako_id id;
    int running = 0;

    opts.store = store;
    job.code = survivor_code;
    if (tako_open(&t, &opts, &err) || tako_start(t, &err) || tako_submit(t, &job, &id, &err)) {
        if (write(tell, err.message, strlen(err.message)) < 0)
            perror("write");
        tako_close(t);
        return 1;
    }
    while (!running && tako_get(t, id.text, &rec, NULL) == TAKO_OK) {
        running = tako_record_status(rec) != TAKO_QUEUED;
        tako_record_free(rec);
        if (!running)
            usleep(5000);
    }
    if (write(tell, id.text, strlen(id.text)) < 0)
        perror("write");
    (void)tako_wait(t, id.text, -1, &rec, NULL);
    pause(); /* the kill is sure to come */
    return 1;
}

/* Runs submit_and_die in a process of its own and kills it once its job runs. 0 = the id of
 * that job is in `id`; else the reason is in `why`. */
static int kill_an_engine(const char *store, tako_id *id, char *why, size_t why_size)
{
    char number[16], text[TAKO_ERROR_SIZE] = "";
    size_t len = 0;
    ssize_t n;
    pid_t pid;
    int fds[2];

    if (pipe(fds) != 0) {
        snprintf(why, why_size, "no pipe");
        return -1;
    }
    snprintf(number, sizeof number, "%d", fds[1]);
    pid = fork();
    if (pid == 0) {
        execl("/proc/self/exe", "demo", "--submit-and-die", store, number, (char *)NULL);
        _exit(127);
    }
    close(fds[1]);
    /* An id, or end of file after the message of an error. */
    while (pid > 0 && len < sizeof text - 1) {
        n = read(fds[0], text + len, sizeof text - 1 - len);
        if (n <= 0)
            break;
        len += (size_t)n;
        if (len == sizeof id->text - 1 && text[8] == '-' && text[13] == '-' && text[18] == '-')
            break;
    }
    close(fds[0]);
    if (pid > 0) {
        kill(pid, SIGKILL);
        (void)waitpid(pid, NULL, 0);
    }
    if (pid > 0 && len == sizeof id->text - 1) {
        memcpy(id->text, text, sizeof id->text);
        return 0;
    }
    snprintf(why, why_size, "%s", *text ? text : "the second process did not start");
    return -1;
}

/* ---- the show ---------------------------------------------------------------------------- */

static int as_expected(const struct scene *s, const tako_record *rec)
{
    const char *error = tako_record_error_type(rec);

    if (tako_record_status(rec) != s->status)
        return 0;
    if (s->error_type && (!error || strcmp(error, s->error_type) != 0))
        return 0;
    if (s->in_stdout && !strstr(tako_record_stdout(rec, NULL), s->in_stdout))
        return 0;
    if (strcmp(s->name, "two artifacts") == 0)
        return tako_record_artifact_count(rec, TAKO_ARTIFACTS) == 2;
    if (strcmp(s->name, "json in, json out") == 0)
        return tako_record_output(rec, NULL) != NULL;
    return strstr(tako_record_stdout(rec, NULL), "connected") == NULL;
}

/* Runs one scene; 0 when it ended as it has to. */
static int play(tako *t, const struct scene *s)
{
    tako_job job = TAKO_JOB_INIT;
    tako_record *rec = NULL;
    tako_error err;
    int wrong = 1;

    job.type = s->code ? NULL : "measure";
    job.code = s->code;
    job.input = s->input;
    job.timeout_ms = s->timeout_ms;
    job.memory_bytes = s->memory_bytes;
    if (tako_run(t, &job, &rec, &err) != TAKO_OK) {
        printf("%-18s could not run: %s\n", s->name, err.message);
        return 1;
    }
    print_record(s->name, rec, s->remark);
    wrong = !as_expected(s, rec);
    if (wrong)
        printf("%-18s ^ this is not how it should end\n", "");
    tako_record_free(rec);
    return wrong;
}

/* The job of the killed engine: this one has taken it over. */
static int play_survivor(tako *t, const tako_id *id)
{
    tako_record *rec = NULL;
    tako_error err;
    char remark[128];
    int wrong;

    if (tako_wait(t, id->text, 60000, &rec, &err) != TAKO_OK) {
        printf("%-18s is lost: %s\n", "survivor", err.message);
        return 1;
    }
    snprintf(remark, sizeof remark, "its engine got kill -9; reopened, it ran again (attempt %d)",
             tako_record_attempt(rec));
    print_record("survivor", rec, remark);
    wrong = tako_record_status(rec) != TAKO_SUCCEEDED || tako_record_attempt(rec) != 2;
    if (wrong)
        printf("%-18s ^ this is not how it should end\n", "");
    tako_record_free(rec);
    return wrong;
}

static int missing_layer(void *ctx, const tako_layer *layer)
{
    (void)ctx;
    if (layer->required && layer->state == TAKO_LAYER_OFF)
        printf("  %s: %s\n", layer->name, layer->detail ? layer->detail : "off");
    return 0;
}

/* Says what is missing and what to do about it. */
static int cannot_run(tako *t, const char *why)
{
    tako_error err;

    printf("No sandbox can be made on this machine: %s\n", why);
    (void)tako_isolation(t, missing_layer, NULL, &err);
    puts("\nWhat to do: run as root, or allow user namespaces for ordinary users\n"
         "(sysctl kernel.unprivileged_userns_clone=1, or user.max_user_namespaces above 0);\n"
         "in a container, give it what 'build/tako doctor' names as missing. Python 3 must be\n"
         "at /usr/bin/python3.");
    return 1;
}

static int show(const char *store)
{
    tako *t = NULL;
    tako_options opts = TAKO_OPTIONS_INIT;
    tako_error err;
    tako_id survivor;
    char why[TAKO_ERROR_SIZE];
    int killed, wrong = 0;

    printf("Tako %s: every line is the record of one real job, each in a new sandbox.\n\n",
           tako_version());
    fflush(stdout);
    killed = kill_an_engine(store, &survivor, why, sizeof why);
    opts.store = store;
    if (tako_open(&t, &opts, &err) ||
        tako_register_handler(t, "measure", measure, NULL, NULL, &err) || tako_start(t, &err)) {
        printf("The engine does not start: %s\n", err.message);
        tako_close(t);
        return 1;
    }
    if (killed != 0) {
        wrong = cannot_run(t, why);
        tako_close(t);
        return wrong;
    }
    print_head();
    for (int i = 0; i < SCENES; i++)
        wrong += play(t, &scenes[i]);
    wrong += play_survivor(t, &survivor);
    tako_close(t);

    if (wrong)
        printf("\n%d of %d jobs did not end as they should.\n", wrong, SCENES + 1);
    else
        printf("\nAll %d jobs ended as they should. The store is removed again.\n", SCENES + 1);
    puts("\nWhere to go next:\n"
         "  README.md              build, embed, the shortest program\n"
         "  tako.h                 the whole interface and its manual\n"
         "  examples/              small hosts to start from, one file each\n"
         "  build/tako doctor      how well jobs are isolated on this machine, and why\n"
         "  echo 'print(1 + 1)' | build/tako run -");
    return wrong != 0;
}

int main(int argc, char **argv)
{
    const char *tmp = getenv("TMPDIR");
    char dir[512], store[640];
    int rc;

    if (argc == 4 && strcmp(argv[1], "--submit-and-die") == 0)
        return submit_and_die(argv[2], atoi(argv[3]));
    if (snprintf(dir, sizeof dir, "%s/tako-demo-XXXXXX", tmp && *tmp ? tmp : "/tmp") >=
            (int)sizeof dir ||
        !mkdtemp(dir)) {
        perror("a temporary directory cannot be made");
        return 1;
    }
    snprintf(store, sizeof store, "sqlite:%s/jobs.db", dir);
    rc = show(store);
    remove_dir(dir);
    return rc;
}
