/* cli_run.c - `tako run`, `rerun` and `fork`: one job from the command line, its output passed
 * through live.
 *
 * Three threads meet here. The main thread submits and waits. The engine's worker brings the
 * job's output to run_output. The watcher waits for Ctrl-C and, on a terminal, shows that
 * something is going on. Signals are taken from a descriptor, so nothing here is a handler.
 *
 * Output is written only when the descriptor is ready, and no more once the job is being
 * cancelled: a reader that has stopped reading cannot keep Ctrl-C from working.
 * SPDX-License-Identifier: MIT */
#include "cli.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum run_phase {
    RUN_OPENING,    /* nothing was submitted: the first signal may end the program */
    RUN_SUBMITTING, /* a signal is remembered until the id is known */
    RUN_WAITING,
    RUN_ENDED
};

struct run_state {
    tako *t;
    bool pass;        /* output passes through */
    tako_level level; /* up to which the log is said */
    bool tty;         /* progress is shown on stderr */
    int signals;      /* signalfd */
    int wake;         /* eventfd: makes the watcher look at the state */
    int mute;         /* eventfd: readable once output is to be dropped */
    int64_t began_ms;
    pthread_t watcher;
    pthread_t canceller; /* started by the watcher: a locked store may keep a cancel waiting, */
    bool has_canceller;  /* and a second signal must still be seen */

    pthread_mutex_t lock; /* over what follows */
    pthread_cond_t moved; /* the phase went past RUN_SUBMITTING */
    enum run_phase phase;
    tako_id id;
    bool interrupted; /* a signal came */
    int64_t interrupted_ms;
    bool cancelling; /* tako_cancel was called for it */
    bool came;       /* output of the job came while it ran here */
    int write_errno; /* why output could not be written, or 0 */

    pthread_mutex_t screen; /* over the terminal; taken alone */
    bool hold;              /* warnings wait: a refusal would only repeat them */
    char *held[8];
    size_t n_held;
    bool shown;    /* a status line is there */
    bool mid_line; /* the job's output stopped inside a line: no room for one */
};

static int64_t run_clock_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void run_ring(int fd)
{
    uint64_t one = 1;

    while (write(fd, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

/* With the screen lock held. */
static void run_erase(struct run_state *s)
{
    if (s->shown) {
        fputs("\r\033[K", stderr);
        fflush(stderr);
        s->shown = false;
    }
}

static void run_clear(struct run_state *s)
{
    pthread_mutex_lock(&s->screen);
    run_erase(s);
    pthread_mutex_unlock(&s->screen);
}

/* One look per second, on a terminal only. */
static void run_progress(struct run_state *s)
{
    const char *word = "queued";
    tako_record *rec = NULL;
    enum run_phase phase;
    bool cancelling;
    char took[CLI_INSTANT_SIZE];

    pthread_mutex_lock(&s->lock);
    phase = s->phase;
    cancelling = s->cancelling;
    pthread_mutex_unlock(&s->lock);
    if (phase == RUN_OPENING)
        word = "opening the store";
    else if (cancelling)
        word = "cancelling";
    else if (phase == RUN_WAITING && tako_get(s->t, s->id.text, &rec, NULL) == TAKO_OK)
        word = tako_status_name(tako_record_status(rec));
    tako_record_free(rec);
    /* Not when the job's output holds the screen: it may be stuck on a stopped terminal, and
     * signals must still be seen. */
    if (phase == RUN_ENDED || pthread_mutex_trylock(&s->screen) != 0)
        return;
    if (!s->mid_line) {
        int64_t ms = run_clock_ms() - s->began_ms;

        fprintf(stderr, "\r\033[Ktako: %s, %s", word, cli_duration(ms / 1000 * 1000, took));
        fflush(stderr);
        s->shown = true;
    }
    pthread_mutex_unlock(&s->screen);
}

static void *run_cancel(void *ctx)
{
    struct run_state *s = ctx;
    tako_error err;

    run_ring(s->mute);
    /* ESTATE: it ended by itself just now, and its record will say how. */
    if (tako_cancel(s->t, s->id.text, &err) != TAKO_OK && err.code != TAKO_ESTATE)
        cli_say("the job cannot be cancelled: %s; interrupt again to leave it", err.message);
    return NULL;
}

/* Cancels when that is due. */
static void run_attend(struct run_state *s)
{
    bool due;

    pthread_mutex_lock(&s->lock);
    due = s->phase == RUN_WAITING && !s->cancelling && (s->interrupted || s->write_errno);
    if (due)
        s->cancelling = true;
    pthread_mutex_unlock(&s->lock);
    if (!due)
        return;
    s->has_canceller = pthread_create(&s->canceller, NULL, run_cancel, s) == 0;
    if (!s->has_canceller)
        (void)run_cancel(s);
}

static void run_signal(struct run_state *s)
{
    enum { RUN_SAME_MS = 300 }; /* timeout(1) sends twice, and means once */
    struct signalfd_siginfo info;
    int64_t now = run_clock_ms();
    bool leave;

    if (read(s->signals, &info, sizeof info) != (ssize_t)sizeof info)
        return;
    pthread_mutex_lock(&s->lock);
    leave = s->phase == RUN_OPENING || (s->interrupted && now - s->interrupted_ms > RUN_SAME_MS);
    if (!s->interrupted)
        s->interrupted_ms = now;
    s->interrupted = true;
    pthread_mutex_unlock(&s->lock);
    if (leave) {
        /* The sandbox dies with this process. */
        if (s->tty && write(STDERR_FILENO, "\r\033[K", 4) < 0)
            _exit(CLI_INTERRUPTED);
        _exit(CLI_INTERRUPTED);
    }
}

static void *run_watch(void *ctx)
{
    struct run_state *s = ctx;
    struct pollfd fds[2] = {{s->signals, POLLIN, 0}, {s->wake, POLLIN, 0}};
    bool ended = false;

    while (!ended) {
        int n = poll(fds, 2, s->tty ? 1000 : -1);
        uint64_t count;

        if (n < 0 && errno != EINTR)
            break;
        if (n > 0 && fds[0].revents)
            run_signal(s);
        if (n > 0 && fds[1].revents && read(s->wake, &count, sizeof count) < 0)
            break;
        pthread_mutex_lock(&s->lock);
        ended = s->phase == RUN_ENDED;
        pthread_mutex_unlock(&s->lock);
        run_attend(s);
        if (n == 0 && !ended)
            run_progress(s);
    }
    return NULL;
}

/* Writes to 1 or 2 until done, failed (an errno), or muted. */
static int run_write(struct run_state *s, int to, const char *data, size_t len)
{
    struct stat st;
    /* A pipe that polls as writable takes this much without blocking. */
    size_t most = fstat(to, &st) == 0 && S_ISREG(st.st_mode) ? len : 4096;

    while (len > 0) {
        struct pollfd fds[2] = {{to, POLLOUT, 0}, {s->mute, POLLIN, 0}};
        ssize_t n;

        if (poll(fds, 2, -1) < 0) {
            if (errno == EINTR)
                continue;
            return errno;
        }
        if (fds[1].revents)
            return 0;
        n = write(to, data, len < most ? len : most);
        if (n < 0) {
            if (errno == EINTR || errno == EAGAIN)
                continue;
            return errno;
        }
        data += n;
        len -= (size_t)n;
    }
    return 0;
}

/* With the screen lock held, or alone. */
static int run_pass(struct run_state *s, int to, const char *data, size_t len)
{
    if (len > 0 && isatty(to))
        s->mid_line = data[len - 1] != '\n';
    return run_write(s, to, data, len);
}

/* A tako_output_fn. Other jobs of the store may run here too; theirs is not ours to print. */
static void run_output(void *ctx, const char *id, int stream, const void *data, size_t len)
{
    struct run_state *s = ctx;
    const char *text = data;
    bool ours;
    int why;

    if (!s->pass || len == 0)
        return;
    pthread_mutex_lock(&s->lock);
    /* The job may be quicker than the submit that brings its id. */
    while (s->phase == RUN_SUBMITTING)
        pthread_cond_wait(&s->moved, &s->lock);
    ours = strcmp(s->id.text, id) == 0;
    s->came = s->came || ours;
    ours = ours && !s->cancelling && !s->write_errno;
    pthread_mutex_unlock(&s->lock);
    if (!ours)
        return;

    pthread_mutex_lock(&s->screen);
    run_erase(s);
    why = run_pass(s, stream, text, len);
    pthread_mutex_unlock(&s->screen);
    if (why) {
        pthread_mutex_lock(&s->lock);
        s->write_errno = why;
        pthread_mutex_unlock(&s->lock);
        run_ring(s->wake);
    }
}

/* A tako_log_fn: cli_log that clears the status line first. The engine warns at its start when
 * no sandbox can be made; for one job that is said once, as the reason of its refusal. */
static void run_log(void *ctx, tako_level level, const char *module, const char *message)
{
    struct run_state *s = ctx;

    if (level > s->level)
        return;
    pthread_mutex_lock(&s->screen);
    if (s->hold && level == TAKO_LOG_WARN && s->n_held < sizeof s->held / sizeof s->held[0] &&
        asprintf(&s->held[s->n_held], "warning: %s: %s", module, message) >= 0) {
        s->n_held++;
    } else {
        run_erase(s);
        cli_log(NULL, level, module, message);
    }
    pthread_mutex_unlock(&s->screen);
}

/* The held warnings are printed, or dropped; new ones are printed at once from now on. */
static void run_release(struct run_state *s, bool print)
{
    pthread_mutex_lock(&s->screen);
    run_erase(s);
    for (size_t i = 0; i < s->n_held; i++) {
        if (print)
            cli_say("%s", s->held[i]);
        free(s->held[i]);
    }
    s->n_held = 0;
    s->hold = false;
    pthread_mutex_unlock(&s->screen);
}

static void run_phase_set(struct run_state *s, enum run_phase phase)
{
    pthread_mutex_lock(&s->lock);
    s->phase = phase;
    pthread_cond_broadcast(&s->moved);
    pthread_mutex_unlock(&s->lock);
    run_ring(s->wake);
}

/* Takes over the signals that mean "stop", except those that the caller had ignored (nohup, a
 * job in the background of a shell). SIGPIPE becomes an error of write. */
static bool run_state_open(struct run_state *s)
{
    static const int stops[] = {SIGINT, SIGTERM, SIGHUP};
    const char *term = getenv("TERM");
    struct sigaction act;
    sigset_t set;
    int why;

    s->began_ms = run_clock_ms();
    s->tty = isatty(STDERR_FILENO) && term && *term && strcmp(term, "dumb") != 0;
    sigemptyset(&set);
    for (size_t i = 0; i < sizeof stops / sizeof stops[0]; i++) {
        if (sigaction(stops[i], NULL, &act) == 0 && act.sa_handler != SIG_IGN)
            sigaddset(&set, stops[i]);
    }
    memset(&act, 0, sizeof act);
    act.sa_handler = SIG_IGN;
    s->wake = eventfd(0, EFD_CLOEXEC);
    s->mute = eventfd(0, EFD_CLOEXEC);
    s->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (s->wake < 0 || s->mute < 0 || s->signals < 0 || sigaction(SIGPIPE, &act, NULL) != 0) {
        cli_say("cannot get ready: %s", strerror(errno));
        return false;
    }
    why = pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (why == 0)
        why = pthread_create(&s->watcher, NULL, run_watch, s);
    if (why != 0)
        cli_say("cannot get ready: %s", strerror(why));
    return why == 0;
}

static void run_state_end(struct run_state *s)
{
    run_phase_set(s, RUN_ENDED);
    pthread_join(s->watcher, NULL);
    if (s->has_canceller)
        pthread_join(s->canceller, NULL);
    run_clear(s);
}

/* What the job is made of. Owned here, borrowed by `job`. */
struct run_material {
    tako_job job;
    const char *parent; /* as typed: the job to be run again; NULL = a new one */
    tako_id parent_id;
    char *code;
    char *input;
    tako_file *files;
    char **contents;
    size_t n_files;
};

static void run_material_free(struct run_material *m)
{
    for (size_t i = 0; i < m->n_files; i++)
        free(m->contents[i]);
    free(m->contents);
    free(m->files);
    free(m->input);
    free(m->code);
}

/* `file` has the code, "-" is standard input; NULL = the code of the parent. */
static bool run_material_read(struct run_material *m, const struct cli_args *args, const char *file,
                              const tako_options *opts)
{
    const char *path = file && strcmp(file, "-") == 0 ? NULL : file;
    const size_t code_max = opts->limits ? (size_t)opts->limits->code_bytes : TAKO_CODE_MAX;
    const size_t input_max = opts->limits ? (size_t)opts->limits->input_bytes : TAKO_INPUT_MAX;
    size_t left = TAKO_FILE_BYTES_MAX;

    if (file && !cli_read_file(path, "code", code_max, &m->code, &m->job.code_len))
        return false;
    if (file && memchr(m->code, '\0', m->job.code_len)) {
        cli_say("%s: the code has a NUL byte; it must be text", path ? path : "standard input");
        return false;
    }
    m->job.code = m->code;
    m->job.input = args->input;
    if (args->input && args->input[0] == '@') {
        const char *from = strcmp(args->input, "@-") == 0 ? NULL : args->input + 1;

        if (!cli_read_file(from, "input", input_max, &m->input, &m->job.input_len))
            return false;
        m->job.input = m->input;
    }
    if (args->n_files > 0) {
        m->files = calloc(args->n_files, sizeof *m->files);
        m->contents = calloc(args->n_files, sizeof *m->contents);
        if (!m->files || !m->contents) {
            cli_say("out of memory");
            return false;
        }
    }
    for (; m->n_files < args->n_files; m->n_files++) {
        tako_file *f = &m->files[m->n_files];
        const char *slash = strrchr(args->files[m->n_files], '/');

        f->name = slash ? slash + 1 : args->files[m->n_files];
        if (!cli_read_file(args->files[m->n_files], "input file (all together)", left,
                           &m->contents[m->n_files], &f->size))
            return false;
        f->data = m->contents[m->n_files];
        left -= f->size;
    }
    m->job.files = m->files;
    m->job.n_files = m->n_files;
    m->job.type = args->job_type;
    m->job.timeout_ms = args->timeout_ms;
    m->job.memory_bytes = args->memory_bytes;
    m->job.cpu_timeout_ms = args->cpu_timeout_ms;
    m->job.output_kill_bytes = args->output_kill_bytes;
    m->job.priority = args->priority;
    m->job.correlation_id = args->correlation_id;
    m->job.idempotency_key = args->idempotency_key;
    m->job.max_attempts = args->max_attempts;
    m->job.retry_on = args->retry_on;
    m->job.retry_delay_ms = args->retry_delay_ms;
    m->job.startup_timeout_ms = args->startup_timeout_ms;
    m->job.requirements = args->requirements;
    m->job.n_requirements = args->n_requirements;
    return true;
}

/* The exit code, and one line on stderr for every end that the code alone does not tell. */
static int run_verdict(const struct run_state *s, const tako_record *rec, bool quiet)
{
    const char *message = tako_record_error_message(rec);
    const tako_status status = tako_record_status(rec);
    int code = CLI_REFUSED;

    switch (status) {
    case TAKO_SUCCEEDED:
        return CLI_OK;
    case TAKO_FAILED:
        if (tako_record_verdict(rec) == TAKO_VERDICT_EXIT && tako_record_exit_code(rec) > 0)
            return tako_record_exit_code(rec);
        if (tako_record_verdict(rec) == TAKO_VERDICT_SIGNAL && tako_record_signal(rec) > 0)
            code = CLI_SIGNAL_BASE + tako_record_signal(rec);
        break;
    case TAKO_TIMEOUT:
        code = CLI_TIMEOUT;
        break;
    case TAKO_OOM:
        code = CLI_OOM;
        break;
    case TAKO_CANCELLED:
        code = CLI_INTERRUPTED;
        break;
    case TAKO_QUEUED:
    case TAKO_RUNNING:
        break;
    }
    if (quiet)
        return code;
    if (s->mid_line && s->tty)
        fputc('\n', stderr);
    cli_say("job %s %s%s%s", tako_record_id(rec), tako_status_name(status), message ? ": " : "",
            message ? message : "");
    return code;
}

/* All artifacts, also after one failed; what was left out is named. */
static bool run_artifacts(tako *t, const tako_record *rec, int dir)
{
    bool ok = true;

    for (size_t i = 0; i < tako_record_artifact_count(rec, TAKO_ARTIFACTS); i++)
        ok = cli_write_artifact(t, dir, tako_record_artifact(rec, TAKO_ARTIFACTS, i)) && ok;
    for (size_t i = 0; i < tako_record_artifact_count(rec, TAKO_REJECTED); i++) {
        const tako_artifact *a = tako_record_artifact(rec, TAKO_REJECTED, i);

        cli_say("job %s left %s, which is no artifact: %s", tako_record_id(rec), a->name,
                a->reason ? a->reason : "rejected");
    }
    return ok;
}

static bool run_print_json(tako *t, const tako_record *rec)
{
    char *json = NULL;
    tako_error err;

    if (tako_record_json(t, rec, 1, &json, &err) != TAKO_OK) {
        cli_say("the record cannot be printed: %s", err.message);
        return false;
    }
    puts(json);
    tako_free(t, json);
    return true;
}

static int run_submit(tako *t, const struct run_material *m, tako_id *id, tako_error *err)
{
    if (!m->parent)
        return tako_submit(t, &m->job, id, err);
    if (!m->job.code)
        return tako_rerun(t, m->parent_id.text, &m->job, id, err);
    return tako_fork(t, m->parent_id.text, &m->job, id, err);
}

/* Submits and waits. NULL after saying why there is no record. */
static tako_record *run_job(struct run_state *s, struct run_material *m, const tako_config *c,
                            const tako_options *opts)
{
    tako_record *rec = NULL;
    bool said = false;
    tako_error err;
    int rc;

    rc = c ? tako_config_open(&s->t, c, opts, &err) : tako_open(&s->t, opts, &err);
    if (rc == TAKO_OK && m->parent) {
        run_clear(s);
        said = !cli_resolve(s->t, m->parent, &m->parent_id);
        rc = said ? TAKO_ENOTFOUND : TAKO_OK;
    }
    if (rc == TAKO_OK)
        rc = tako_start(s->t, &err);
    if (rc == TAKO_OK) {
        tako_id id;

        run_phase_set(s, RUN_SUBMITTING);
        rc = run_submit(s->t, m, &id, &err);
        pthread_mutex_lock(&s->lock);
        if (rc == TAKO_OK)
            s->id = id;
        pthread_mutex_unlock(&s->lock);
    }
    run_release(s, rc != TAKO_EEXEC);
    if (rc == TAKO_OK) {
        run_phase_set(s, RUN_WAITING);
        rc = tako_wait(s->t, s->id.text, -1, &rec, &err);
    }
    run_state_end(s);
    if (rc != TAKO_OK && !said)
        cli_say("%s%s", err.message, rc == TAKO_EEXEC ? " (see 'tako doctor')" : "");
    return rec;
}

/* What the record kept of the output, when none came: the job had ended before, for its idempotency
 * key was known, or another node of the store ran it. An errno, or 0. */
static int run_kept(struct run_state *s, const tako_record *rec)
{
    const char *data;
    size_t len = 0;
    int why;

    if (!s->pass || s->came || s->cancelling)
        return 0;
    data = tako_record_stdout(rec, &len);
    why = run_pass(s, STDOUT_FILENO, data, len);
    data = tako_record_stderr(rec, &len);
    return why ? why : run_pass(s, STDERR_FILENO, data, len);
}

static int run_end(struct run_state *s, const tako_record *rec, const struct cli_args *args,
                   int dir)
{
    const int lost = run_kept(s, rec);
    int code = run_verdict(s, rec, args->json || s->write_errno != 0);

    if (lost) {
        cli_say("the output of job %s cannot be written: %s", s->id.text, strerror(lost));
        code = lost == EPIPE ? CLI_PIPE : CLI_REFUSED;
    }
    if (s->write_errno) {
        cli_say("job %s cancelled: its output cannot be written: %s", s->id.text,
                strerror(s->write_errno));
        code = s->write_errno == EPIPE ? CLI_PIPE : CLI_REFUSED;
    }
    if (args->json && !run_print_json(s->t, rec))
        code = CLI_REFUSED;
    if (dir >= 0 && !run_artifacts(s->t, rec, dir))
        code = CLI_REFUSED;
    return code;
}

static int run_command(const struct cli_args *args, const char *parent, const char *file)
{
    struct run_state state;
    struct run_material material;
    tako_config *c = NULL;
    tako_options opts;
    tako_job job = TAKO_JOB_INIT;
    tako_record *rec = NULL;
    char *uri = NULL;
    bool absent;
    int dir = -1, code = CLI_REFUSED;

    memset(&state, 0, sizeof state);
    memset(&material, 0, sizeof material);
    state.pass = !args->json;
    state.hold = true;
    state.wake = state.mute = state.signals = -1;
    pthread_mutex_init(&state.lock, NULL);
    pthread_mutex_init(&state.screen, NULL);
    pthread_cond_init(&state.moved, NULL);
    material.job = job;
    material.parent = parent;
    if (file && strcmp(file, "-") == 0 && args->input && strcmp(args->input, "@-") == 0) {
        cli_say("run: standard input cannot be both the code and the input");
        code = CLI_USAGE;
        goto out;
    }
    if (!cli_config(args, true, &c))
        goto out;
    cli_config_options(c, args, &opts);
    state.level = cli_config_level(c);
    if (!run_material_read(&material, args, file, &opts) ||
        !cli_store_uri(args, c, !parent, &uri, &absent))
        goto out;
    if (parent && absent) {
        cli_say("%s: there is no such store", uri);
        goto out;
    }
    if (args->output_dir) {
        dir = cli_output_dir(args->output_dir);
        if (dir < 0)
            goto out;
    }
    opts.store = uri;
    opts.workers = 1;
    opts.log = run_log;
    opts.log_ctx = &state;
    opts.on_output = run_output;
    opts.output_ctx = &state;
    if (!run_state_open(&state))
        goto out;
    rec = run_job(&state, &material, c, &opts);
    if (rec)
        code = run_end(&state, rec, args, dir);
out:
    tako_record_free(rec);
    tako_close(state.t);
    if (dir >= 0)
        close(dir);
    if (state.wake >= 0)
        close(state.wake);
    if (state.mute >= 0)
        close(state.mute);
    if (state.signals >= 0)
        close(state.signals);
    pthread_cond_destroy(&state.moved);
    pthread_mutex_destroy(&state.screen);
    pthread_mutex_destroy(&state.lock);
    run_material_free(&material);
    tako_config_free(c);
    free(uri);
    return code;
}

int cli_run(const struct cli_args *args)
{
    return run_command(args, NULL, args->operands[0]);
}

int cli_rerun(const struct cli_args *args)
{
    return run_command(args, args->operands[0], NULL);
}

int cli_fork(const struct cli_args *args)
{
    return run_command(args, args->operands[0], args->operands[1]);
}
