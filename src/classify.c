/* classify.c - what an ending means: status, error type and message; and the cap on output.
 *
 * Kernel facts decide first: how a job died is never read from what it printed. Only when a
 * program ended by itself with a code is its stderr looked at, and there only the exception that
 * ends the last traceback, or a line that begins with the name of a well-known exception. Text
 * that merely mentions "killed" or "permission denied" changes nothing.
 *
 * SPDX-License-Identifier: MIT */
#include "classify.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define CLASSIFY_MESSAGE_MAX 500 /* bytes of a message that comes from the job */

/* ---- the sanitiser ---------------------------------------------------------------------- */

static bool classify_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool classify_hex(char c)
{
    return classify_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool classify_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool classify_word(char c)
{
    return classify_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           c == '-';
}

static bool classify_begins(const char *s, size_t len, const char *word)
{
    size_t n = strlen(word);

    return len >= n && memcmp(s, word, n) == 0;
}

/* A private path at s: how much of it goes, and what comes instead. 0 = none. */
static size_t classify_path(const char *s, size_t len, const char **instead)
{
    static const struct {
        const char *prefix, *instead;
        int rest; /* 0: characters of a word, 1: one path segment, 2: up to white space */
    } rules[] = {
        {"/tmp/job-", "/tmp/job-***", 0}, {"/var/folders/", "/var/folders/***", 2},
        {"/Users/", "/home/***", 1},      {"/home/", "/home/***", 1},
        {"/app/", "/app/***", 2},
    };
    size_t i, n, start;

    for (i = 0; i < TAKO__LEN(rules); i++) {
        if (!classify_begins(s, len, rules[i].prefix))
            continue;
        start = n = strlen(rules[i].prefix);
        while (n < len && !classify_space(s[n])) {
            if (rules[i].rest == 0 && !classify_word(s[n]))
                break;
            if (rules[i].rest == 1 && (s[n] == '/' || s[n] == '\'' || s[n] == '"'))
                break;
            n++;
        }
        if (n == start)
            continue;
        *instead = rules[i].instead;
        return n;
    }
    return 0;
}

/* A private IPv4 address at text[at] that stands alone. */
static size_t classify_address(const char *text, size_t len, size_t at, const char **instead)
{
    unsigned part[4] = {0, 0, 0, 0};
    size_t i, n, digits;

    if (at > 0 && (classify_digit(text[at - 1]) || text[at - 1] == '.'))
        return 0;
    for (i = 0, n = at; i < 4; i++) {
        if (i > 0 && (n >= len || text[n++] != '.'))
            return 0;
        for (digits = 0; n < len && classify_digit(text[n]); n++) {
            if (++digits > 3)
                return 0;
            part[i] = part[i] * 10 + (unsigned)(text[n] - '0');
        }
        if (digits == 0 || part[i] > 255)
            return 0;
    }
    if (n + 1 < len && text[n] == '.' && classify_digit(text[n + 1]))
        return 0;
    if (part[0] == 172 && part[1] >= 16 && part[1] <= 31)
        *instead = "172.***.***";
    else if (part[0] == 10)
        *instead = "10.***.***";
    else if (part[0] == 192 && part[1] == 168)
        *instead = "192.168.***.***";
    else
        return 0;
    return n - at;
}

/* A container id at text[at]: 64 or 12 lower hex digits that stand alone, the short form with a
 * letter and not as the tail of a UUID. */
static size_t classify_container(const char *text, size_t len, size_t at)
{
    size_t n = 0;
    bool letter = false;

    if (at > 0 && classify_hex(text[at - 1]))
        return 0;
    while (n <= 64 && at + n < len && classify_hex(text[at + n])) {
        if (text[at + n] >= 'A' && text[at + n] <= 'F')
            return 0;
        letter = letter || !classify_digit(text[at + n]);
        n++;
    }
    if (n == 64)
        return n;
    if (n != 12 || !letter || (at > 1 && text[at - 1] == '-' && classify_hex(text[at - 2])))
        return 0;
    return n;
}

/* The length of the character at s; 0 when it is not valid UTF-8. */
static size_t classify_character(const char *s, size_t len)
{
    size_t n;

    for (n = 1; n <= 4 && n <= len; n++)
        if (tako__utf8_check(s, n) == n)
            return n;
    return 0;
}

void tako__sanitize(const char *s, size_t len, char *out, size_t cap)
{
    size_t at = 0, used = 0, take, put;
    const char *from;

    if (cap == 0)
        return;
    while (at < len) {
        from = s + at;
        take = 0;
        if (s[at] == '/')
            take = classify_path(s + at, len - at, &from);
        else if (s[at] == '1')
            take = classify_address(s, len, at, &from);
        if (take == 0 && classify_hex(s[at])) {
            take = classify_container(s, len, at);
            from = "<container-id>";
        }
        if (take) {
            put = strlen(from);
        } else {
            from = s + at;
            put = take = classify_character(s + at, len - at);
            if (take == 0) {
                from = "\xEF\xBF\xBD"; /* U+FFFD */
                put = 3;
                take = 1;
            } else if ((unsigned char)s[at] < 0x20 || s[at] == 0x7F ||
                       ((unsigned char)s[at] == 0xC2 && (unsigned char)s[at + 1] < 0xA0)) {
                from = " "; /* controls, also those above U+007F */
                put = 1;
            }
        }
        if (used + put >= cap)
            break;
        memcpy(out + used, from, put);
        used += put;
        at += take;
    }
    out[used] = '\0';
}

/* ---- exceptions by name ----------------------------------------------------------------- */

struct classify_exception {
    const char *name;
    const char *type;
    const char *message; /* NULL: the line itself */
};

/* Also subclasses that the names do not show. The first entries are believed only as the end of a
 * traceback, because they are about limits and rights, or
 * look like any word. */
static const struct classify_exception classify_guarded[] = {
    {"MemoryError", "oom", "Cannot allocate memory"},
    {"_ArrayMemoryError", "oom", "Cannot allocate memory"},
    {"PermissionError", "permission", NULL},
    {"timeout", "network_timeout", "Network request timed out"}, /* of socket, before 3.10 */
};

static const struct classify_exception classify_known[] = {
    {"SyntaxError", "syntax_error", NULL},
    {"IndentationError", "syntax_error", NULL},
    {"TabError", "syntax_error", NULL},
    {"ImportError", "import_error", NULL},
    {"ModuleNotFoundError", "import_error", NULL},
    {"ZipImportError", "import_error", NULL},
    {"PackageNotFoundError", "import_error", NULL},
    {"TypeError", "type_error", NULL},
    {"ValueError", "value_error", NULL},
    {"KeyError", "key_error", NULL},
    {"IndexError", "index_error", NULL},
    {"AttributeError", "attribute_error", NULL},
    {"FrozenInstanceError", "attribute_error", NULL},
    {"NameError", "name_error", NULL},
    {"UnboundLocalError", "name_error", NULL},
    {"FileNotFoundError", "file_not_found", NULL},
    {"IsADirectoryError", "file_error", "Expected file but found directory"},
    {"NotADirectoryError", "file_error", "Expected directory but found file"},
    {"OSError", "os_error", NULL},
    {"IOError", "os_error", NULL},
    {"FileExistsError", "os_error", NULL},
    {"BlockingIOError", "os_error", NULL},
    {"ChildProcessError", "os_error", NULL},
    {"InterruptedError", "os_error", NULL},
    {"ProcessLookupError", "os_error", NULL},
    {"UnsupportedOperation", "os_error", NULL},
    {"SameFileError", "os_error", NULL},
    {"SpecialFileError", "os_error", NULL},
    {"RecursionError", "recursion_error", "Maximum recursion depth exceeded"},
    {"AssertionError", "assertion_error", NULL},
    {"ZeroDivisionError", "division_error", "Division by zero"},
    {"DivisionByZero", "division_error", "Division by zero"},
    {"OverflowError", "overflow_error", "Numeric overflow"},
    {"UnicodeError", "encoding_error", "Unicode encoding/decoding error"},
    {"UnicodeDecodeError", "encoding_error", "Unicode encoding/decoding error"},
    {"UnicodeEncodeError", "encoding_error", "Unicode encoding/decoding error"},
    {"UnicodeTranslateError", "encoding_error", "Unicode encoding/decoding error"},
    {"JSONDecodeError", "json_error", "Invalid JSON format"},
    {"ConnectionError", "network_error", "Connection error"},
    {"ConnectionRefusedError", "network_error", "Connection error"},
    {"ConnectionResetError", "network_error", NULL},
    {"ConnectionAbortedError", "network_error", NULL},
    {"BrokenPipeError", "network_error", NULL},
    {"RemoteDisconnected", "network_error", NULL},
    {"gaierror", "network_error", NULL},
    {"herror", "network_error", NULL},
    {"SSLError", "network_error", NULL},
    {"SSLCertVerificationError", "network_error", NULL},
    {"SSLEOFError", "network_error", NULL},
    {"SSLZeroReturnError", "network_error", NULL},
    {"URLError", "network_error", NULL},
    {"HTTPError", "network_error", NULL},
    {"TimeoutError", "network_timeout", "Network request timed out"},
    {"ConnectTimeout", "network_timeout", "Network request timed out"},
    {"ReadTimeout", "network_timeout", "Network request timed out"},
};

static const struct classify_exception *classify_lookup(const struct classify_exception *list,
                                                        size_t count, const char *name, size_t len)
{
    size_t i;

    for (i = 0; i < count; i++)
        if (strlen(list[i].name) == len && memcmp(list[i].name, name, len) == 0)
            return &list[i];
    return NULL;
}

/* ---- reading a traceback ---------------------------------------------------------------- */

struct classify_line {
    const char *text;
    size_t len;
};

/* Does the line read "Class" or "Class: message"? Then the class without its dotted prefix. */
static bool classify_class(const struct classify_line *line, const char **name, size_t *len)
{
    size_t i, from = 0;
    char c;

    for (i = 0; i < line->len && line->text[i] != ':'; i++) {
        c = line->text[i];
        if (c == '.')
            from = i + 1;
        else if (!((classify_word(c) && c != '-') || c == '<' || c == '>' || (c & 0x80)))
            return false;
    }
    if (i < line->len && i + 1 < line->len && line->text[i + 1] != ' ')
        return false;
    if (i == from || classify_digit(line->text[from]))
        return false;
    *name = line->text + from;
    *len = i - from;
    return true;
}

/* The next line of [*at, end); false at the end. */
static bool classify_next(const char **at, const char *end, struct classify_line *line)
{
    const char *stop;

    if (*at >= end)
        return false;
    stop = memchr(*at, '\n', (size_t)(end - *at));
    if (!stop)
        stop = end;
    line->text = *at;
    line->len = (size_t)(stop - *at);
    if (line->len && line->text[line->len - 1] == '\r')
        line->len--;
    *at = stop < end ? stop + 1 : end;
    return true;
}

/* What was found in stderr; a text of NULL = not there. */
struct classify_found {
    struct classify_line ending; /* the exception line that ends the last traceback */
    struct classify_line known;  /* the last line that begins with a well-known exception */
    struct classify_line last;   /* the last line that is not blank */
};

/* Does the line announce a traceback that did not end the program? */
static bool classify_aside(const struct classify_line *line)
{
    static const char *const announcements[] = {
        "Exception ignored in",
        "Exception in thread",
        "Error in atexit._run_exitfuncs",
        "Task exception was never retrieved",
        "Future exception was never retrieved",
        "--- Logging error ---",
    };
    size_t i;

    for (i = 0; i < TAKO__LEN(announcements); i++)
        if (classify_begins(line->text, line->len, announcements[i]))
            return true;
    /* multiprocessing names the child: "Process Process-1:" */
    return classify_begins(line->text, line->len, "Process ") && line->text[line->len - 1] == ':';
}

/* Only the compiler's own errors come without the header; what else looks like a frame there is
 * the stack of a log message or of a warning. */
static void classify_read(const char *text, size_t len, struct classify_found *found)
{
    static const char header[] = "Traceback (most recent call last):";
    static const char group_header[] = "  + Exception Group Traceback (most recent call last):";
    enum { OUTSIDE, FRAMES, GROUP, PLACE } state = OUTSIDE; /* PLACE: frames without a header */
    bool aside = false, strong = false; /* aside: a traceback that did not end the program */
    const struct classify_exception *is;
    struct classify_line line, body;
    const char *at = text, *name;
    bool class;
    size_t n;

    while (classify_next(&at, text + len, &line)) {
        if (tako__is_blank(line.text, line.len) ||
            classify_begins(line.text, line.len, "[TRUNCATED: output exceeded "))
            continue;
        found->last = line;
        if (classify_aside(&line))
            aside = true;
        if (classify_begins(line.text, line.len, header)) {
            state = FRAMES;
            continue;
        }
        if (state == OUTSIDE && classify_begins(line.text, line.len, "  File \"")) {
            state = PLACE;
            continue;
        }
        if (classify_begins(line.text, line.len, group_header)) {
            state = GROUP;
            continue;
        }
        body = line;
        if (state == GROUP && classify_begins(line.text, line.len, "  | ")) {
            body.text += 4;
            body.len -= 4;
        }
        if (body.len == 0 || classify_space(body.text[0]))
            continue;
        class = classify_class(&body, &name, &n);
        is = class ? classify_lookup(classify_known, TAKO__LEN(classify_known), name, n) : NULL;
        if (state == PLACE && !(is && strcmp(is->type, "syntax_error") == 0))
            state = OUTSIDE;
        if (!class)
            continue;
        if (state != OUTSIDE) {
            state = OUTSIDE;
            if (!aside || !strong)
                found->ending = body;
            strong = strong || !aside;
            aside = false;
        } else if (is) {
            found->known = body;
        }
    }
}

/* ---- endings ---------------------------------------------------------------------------- */

static void classify_set(struct tako__class *out, tako_status status, const char *type,
                         const char *phase, const char *message)
{
    out->status = status;
    out->type = type;
    out->phase = phase;
    tako__sanitize(message, strlen(message), out->message, sizeof out->message);
}

static void classify_signal(struct tako__class *out, int number)
{
    static const struct {
        int number;
        const char *type, *message;
    } known[] = {
        {SIGKILL, "killed", "Process was killed by system"},
        {SIGSEGV, "segfault", "Segmentation fault in executed code"},
        {SIGABRT, "abort", "Process aborted (assertion failure or abort() called)"},
        {SIGFPE, "arithmetic_error", "Floating point exception (division by zero)"},
        {SIGBUS, "bus_error", "Bus error (invalid memory access)"},
        {SIGPIPE, "pipe_error", "Broken pipe"},
    };
    static const struct {
        int number;
        const char *name;
    } names[] = {
        {SIGHUP, "SIGHUP"},   {SIGINT, "SIGINT"},   {SIGQUIT, "SIGQUIT"}, {SIGILL, "SIGILL"},
        {SIGTRAP, "SIGTRAP"}, {SIGUSR1, "SIGUSR1"}, {SIGUSR2, "SIGUSR2"}, {SIGALRM, "SIGALRM"},
        {SIGTERM, "SIGTERM"}, {SIGXCPU, "SIGXCPU"}, {SIGXFSZ, "SIGXFSZ"}, {SIGVTALRM, "SIGVTALRM"},
        {SIGPROF, "SIGPROF"}, {SIGIO, "SIGIO"},     {SIGPWR, "SIGPWR"},   {SIGSTKFLT, "SIGSTKFLT"},
        {SIGSYS, "SIGSYS"},
    };
    char text[80];
    size_t i;

    for (i = 0; i < TAKO__LEN(known); i++) {
        if (known[i].number == number) {
            classify_set(out, TAKO_FAILED, known[i].type, "execution", known[i].message);
            return;
        }
    }
    (void)snprintf(text, sizeof text, "Process was terminated by signal %d", number);
    for (i = 0; i < TAKO__LEN(names); i++)
        if (names[i].number == number)
            (void)snprintf(text, sizeof text, "Process was terminated by signal %d (%s)", number,
                           names[i].name);
    classify_set(out, TAKO_FAILED, "killed", "execution", text);
}

static void classify_timeout(struct tako__class *out, const char *what, int64_t ms)
{
    char text[96];
    int n, fraction = (int)(ms % 1000);

    n = snprintf(text, sizeof text, "Code execution exceeded %s limit (%lld", what,
                 (long long)(ms / 1000));
    if (fraction)
        n += snprintf(text + n, sizeof text - (size_t)n, ".%03d", fraction);
    while (fraction && text[n - 1] == '0')
        n--;
    (void)snprintf(text + n, sizeof text - (size_t)n, "s)");
    classify_set(out, TAKO_TIMEOUT, "execution_timeout", "execution", text);
}

/* The program ended by itself with a code that is not 0. */
static void classify_exit(struct tako__class *out, const struct tako__outcome *facts,
                          const char *text, size_t len)
{
    struct classify_found found = {{NULL, 0}, {NULL, 0}, {NULL, 0}};
    const struct classify_exception *is = NULL;
    struct classify_line line;
    char plain[32];
    const char *name = NULL;
    size_t n = 0;

    out->status = TAKO_FAILED;
    out->type = "runtime_error";
    out->phase = "execution";
    classify_read(text, len, &found);
    line = found.ending.text ? found.ending : found.known.text ? found.known : found.last;
    while (line.len && classify_space(line.text[0])) {
        line.text++;
        line.len--;
    }
    if ((found.ending.text || found.known.text) && classify_class(&line, &name, &n)) {
        if (found.ending.text)
            is = classify_lookup(classify_guarded, TAKO__LEN(classify_guarded), name, n);
        if (!is)
            is = classify_lookup(classify_known, TAKO__LEN(classify_known), name, n);
    }
    if (is)
        out->type = is->type;
    if (is && strcmp(is->type, "oom") == 0 && facts->memory_by_rlimit && facts->exit_code == 1) {
        classify_set(out, TAKO_OOM, "oom", "execution", "Execution exceeded memory limit");
        return;
    }
    if (is && is->message)
        line = (struct classify_line){is->message, strlen(is->message)};
    if (!line.text) {
        (void)snprintf(plain, sizeof plain, "Exit code %d", facts->exit_code);
        line = (struct classify_line){plain, strlen(plain)};
    }
    tako__sanitize(line.text, line.len, out->message, CLASSIFY_MESSAGE_MAX + 1);
}

void tako__classify(struct tako__class *out, const struct tako__outcome *facts, int64_t limit_ms,
                    const char *stderr_text, size_t stderr_len)
{
    const char *message = facts->message;

    memset(out, 0, sizeof *out);
    switch (facts->verdict) {
    case TAKO_VERDICT_EXIT:
        if (facts->exit_code == 0)
            out->status = TAKO_SUCCEEDED;
        else if (message[0]) /* a handler said why */
            classify_set(out, TAKO_FAILED, "runtime_error", "execution", message);
        else
            classify_exit(out, facts, stderr_len ? stderr_text : "", stderr_len);
        return;
    case TAKO_VERDICT_SIGNAL:
        classify_signal(out, facts->signal);
        return;
    case TAKO_VERDICT_WALL:
        classify_timeout(out, "time", limit_ms);
        return;
    case TAKO_VERDICT_CPU:
        classify_timeout(out, "CPU time", limit_ms);
        return;
    case TAKO_VERDICT_OOM:
        classify_set(out, TAKO_OOM, "oom", "execution", "Execution exceeded memory limit");
        return;
    case TAKO_VERDICT_HOST_OOM:
        classify_set(out, TAKO_FAILED, "killed", "execution",
                     "The host ran out of memory and its kernel killed the job");
        return;
    case TAKO_VERDICT_OUTPUT:
        classify_set(out, TAKO_FAILED, "killed", "execution",
                     message[0] ? message : "Output exceeded its limit");
        return;
    case TAKO_VERDICT_VIOLATION:
        classify_set(out, TAKO_FAILED, "permission", "execution",
                     message[0] ? message : "Forbidden system call");
        return;
    case TAKO_VERDICT_CANCELLED:
        classify_set(out, TAKO_CANCELLED, "cancelled", facts->wall_us < 0 ? "startup" : "execution",
                     "Execution was cancelled by user");
        return;
    case TAKO_VERDICT_SETUP:
        if (facts->dependency || facts->startup_timeout) {
            classify_set(out, facts->startup_timeout ? TAKO_TIMEOUT : TAKO_FAILED,
                         facts->startup_timeout ? "startup_timeout" : "dependency_error", "startup",
                         message);
            return;
        }
        classify_set(out, TAKO_FAILED, facts->retryable ? "service_unavailable" : "config_error",
                     "startup", message[0] ? message : "The sandbox could not be made");
        return;
    case TAKO_VERDICT_LOST:
        classify_set(out, TAKO_FAILED, "interrupted", "execution",
                     message[0] ? message : "Job was interrupted: the node that ran it died");
        return;
    case TAKO_VERDICT_NONE:
        break;
    }
    classify_set(out, TAKO_FAILED, "internal_error", "execution",
                 "The attempt ended without a verdict");
}

/* ---- capture ---------------------------------------------------------------------------- */

void tako__capture_init(struct tako__capture *c, const tako_host *host, size_t cap)
{
    tako__buf_init(&c->kept, host);
    c->cap = cap;
    c->seen = 0;
    c->tail_len = 0;
}

static void classify_tail(struct tako__capture *c, const char *data, size_t len)
{
    size_t keep;

    if (len > TAKO__TAIL) {
        data += len - TAKO__TAIL;
        len = TAKO__TAIL;
    }
    if (c->tail_len + len > sizeof c->tail) {
        keep = sizeof c->tail - len < TAKO__TAIL ? sizeof c->tail - len : TAKO__TAIL;
        memmove(c->tail, c->tail + c->tail_len - keep, keep);
        c->tail_len = keep;
    }
    memcpy(c->tail + c->tail_len, data, len);
    c->tail_len += len;
}

void tako__capture_add(struct tako__capture *c, const void *data, size_t len)
{
    size_t room = c->cap - c->kept.len, take = len < room ? len : room;

    if (len == 0)
        return;
    if (take)
        tako__buf_add(&c->kept, data, take);
    if (take < len) {
        if (c->seen <= (int64_t)c->cap && c->kept.len)
            classify_tail(c, c->kept.data, c->kept.len);
        classify_tail(c, (const char *)data + take, len - take);
    }
    c->seen += (int64_t)len;
}

bool tako__capture_end(struct tako__capture *c)
{
    char notice[80];
    size_t len, cut = 0;

    if (c->seen <= (int64_t)c->cap)
        return false;
    len = (size_t)snprintf(notice, sizeof notice, "\n\n[TRUNCATED: output exceeded %zu bytes]",
                           c->cap);
    if (c->cap > len && c->kept.len)
        cut = tako__utf8_cut(c->kept.data, c->kept.len, c->cap - len);
    c->kept.len = cut;
    tako__buf_add(&c->kept, notice, len);
    return true;
}

/* Is there an exception that ends a traceback? */
static bool classify_ends(const char *text, size_t len)
{
    struct classify_found found = {{NULL, 0}, {NULL, 0}, {NULL, 0}};

    classify_read(text, len, &found);
    return found.ending.text != NULL;
}

const char *tako__capture_tail(const struct tako__capture *c, size_t *len)
{
    const char *newline;
    size_t skip = 0;

    *len = c->kept.len;
    if (c->seen <= (int64_t)c->cap)
        return c->kept.data ? c->kept.data : "";
    newline = (int64_t)c->tail_len < c->seen ? memchr(c->tail, '\n', c->tail_len) : NULL;
    if (newline && newline + 1 < c->tail + c->tail_len)
        skip = (size_t)(newline + 1 - c->tail);
    if (!classify_ends(c->tail + skip, c->tail_len - skip) && c->kept.len &&
        classify_ends(c->kept.data, c->kept.len))
        return c->kept.data;
    *len = c->tail_len - skip;
    return c->tail + skip;
}
