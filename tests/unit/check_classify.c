/* check_classify.c - verdicts become statuses, tracebacks become error types, messages are
 * sanitised, output is capped. SPDX-License-Identifier: MIT */
#include "../../src/classify.h"
#include "../../src/engine.h"
#include "../support/fault_alloc.h"

#include <check.h>
#include <signal.h>

Suite *suite_classify(void);

static struct tako__class classify_one(const struct tako__outcome *facts, int64_t timeout_ms,
                                       const char *text)
{
    struct tako__class c;

    memset(&c, 0x5A, sizeof c);
    tako__classify(&c, facts, timeout_ms, text, strlen(text));
    ck_assert_uint_lt(strlen(c.message), sizeof c.message);
    return c;
}

/* ---- kernel facts ------------------------------------------------------------------------ */

/* Text that would mislead anything that looks for words. */
#define LIES "MemoryError\nKilled\nout of memory\nPermission denied\nValueError: x\n"

static const struct {
    tako_verdict verdict;
    int exit_code, signal;
    bool retryable;
    const char *message;
    tako_status status;
    const char *type, *phase, *says;
} classify_facts[] = {
    {TAKO_VERDICT_EXIT, 0, 0, false, "", TAKO_SUCCEEDED, NULL, NULL, ""},
    {TAKO_VERDICT_SIGNAL, -1, SIGKILL, false, "", TAKO_FAILED, "killed", "execution",
     "Process was killed by system"},
    {TAKO_VERDICT_SIGNAL, -1, SIGSEGV, false, "", TAKO_FAILED, "segfault", "execution",
     "Segmentation fault in executed code"},
    {TAKO_VERDICT_SIGNAL, -1, SIGABRT, false, "", TAKO_FAILED, "abort", "execution",
     "Process aborted (assertion failure or abort() called)"},
    {TAKO_VERDICT_SIGNAL, -1, SIGFPE, false, "", TAKO_FAILED, "arithmetic_error", "execution",
     "Floating point exception (division by zero)"},
    {TAKO_VERDICT_SIGNAL, -1, SIGBUS, false, "", TAKO_FAILED, "bus_error", "execution",
     "Bus error (invalid memory access)"},
    {TAKO_VERDICT_SIGNAL, -1, SIGPIPE, false, "", TAKO_FAILED, "pipe_error", "execution",
     "Broken pipe"},
    {TAKO_VERDICT_SIGNAL, -1, SIGTERM, false, "", TAKO_FAILED, "killed", "execution",
     "Process was terminated by signal 15 (SIGTERM)"},
    {TAKO_VERDICT_SIGNAL, -1, SIGSYS, false, "", TAKO_FAILED, "killed", "execution",
     "Process was terminated by signal 31 (SIGSYS)"},
    {TAKO_VERDICT_SIGNAL, -1, 40, false, "", TAKO_FAILED, "killed", "execution",
     "Process was terminated by signal 40"},
    {TAKO_VERDICT_WALL, -1, 9, false, "", TAKO_TIMEOUT, "execution_timeout", "execution",
     "Code execution exceeded time limit (1.5s)"},
    {TAKO_VERDICT_OOM, -1, 9, false, "", TAKO_OOM, "oom", "execution",
     "Execution exceeded memory limit"},
    {TAKO_VERDICT_CANCELLED, -1, 9, false, "", TAKO_CANCELLED, "cancelled", "startup",
     "Execution was cancelled by user"},
    {TAKO_VERDICT_SETUP, -1, 0, true, "cgroup: busy", TAKO_FAILED, "service_unavailable", "startup",
     "cgroup: busy"},
    {TAKO_VERDICT_SETUP, -1, 0, false, "no /home/bob/python", TAKO_FAILED, "config_error",
     "startup", "no /home/***/python"},
    {TAKO_VERDICT_SETUP, -1, 0, false, "", TAKO_FAILED, "config_error", "startup",
     "The sandbox could not be made"},
    {TAKO_VERDICT_CPU, -1, 0, false, "", TAKO_TIMEOUT, "execution_timeout", "execution",
     "Code execution exceeded CPU time limit (1.5s)"},
    {TAKO_VERDICT_HOST_OOM, -1, 9, false, "", TAKO_FAILED, "killed", "execution",
     "The host ran out of memory and its kernel killed the job"},
    {TAKO_VERDICT_OUTPUT, -1, 0, false, "wrote too much", TAKO_FAILED, "killed", "execution",
     "wrote too much"},
    {TAKO_VERDICT_VIOLATION, -1, 0, false, "i386 call 20", TAKO_FAILED, "permission", "execution",
     "i386 call 20"},
    {TAKO_VERDICT_LOST, -1, 0, false, "", TAKO_FAILED, "interrupted", "execution",
     "Job was interrupted: the node that ran it died"},
    {TAKO_VERDICT_NONE, -1, 0, false, "", TAKO_FAILED, "internal_error", "execution",
     "The attempt ended without a verdict"},
    {TAKO_VERDICT_EXIT, 3, 0, false, "Handler returned 3", TAKO_FAILED, "runtime_error",
     "execution", "Handler returned 3"},
};

START_TEST(kernel_facts_decide_whatever_was_printed)
{
    struct tako__outcome facts = TAKO__OUTCOME_INIT;
    struct tako__class c;

    facts.verdict = classify_facts[_i].verdict;
    facts.exit_code = classify_facts[_i].exit_code;
    facts.signal = classify_facts[_i].signal;
    facts.retryable = classify_facts[_i].retryable;
    facts.memory_by_rlimit = true;
    snprintf(facts.message, sizeof facts.message, "%s", classify_facts[_i].message);
    c = classify_one(&facts, 1500, LIES);
    ck_assert_int_eq(c.status, classify_facts[_i].status);
    if (classify_facts[_i].type) {
        ck_assert_str_eq(c.type, classify_facts[_i].type);
        ck_assert_str_eq(c.phase, classify_facts[_i].phase);
    } else {
        ck_assert_ptr_null(c.type);
        ck_assert_ptr_null(c.phase);
    }
    ck_assert_str_eq(c.message, classify_facts[_i].says);
}
END_TEST

START_TEST(a_running_job_is_cancelled_in_execution)
{
    struct tako__outcome facts = TAKO__OUTCOME_INIT;

    facts.verdict = TAKO_VERDICT_CANCELLED;
    facts.wall_us = 5;
    ck_assert_str_eq(classify_one(&facts, 1, "").phase, "execution");
}
END_TEST

START_TEST(time_limits_are_printed_in_seconds)
{
    static const struct {
        int64_t ms;
        const char *text;
    } cases[] = {{1000, "(1s)"},    {500, "(0.5s)"},     {30000, "(30s)"},      {1, "(0.001s)"},
                 {1050, "(1.05s)"}, {10010, "(10.01s)"}, {86400000, "(86400s)"}};
    struct tako__outcome facts = TAKO__OUTCOME_INIT;
    struct tako__class c;
    size_t i;

    facts.verdict = TAKO_VERDICT_WALL;
    for (i = 0; i < TAKO__LEN(cases); i++) {
        c = classify_one(&facts, cases[i].ms, "");
        ck_assert_str_eq(strchr(c.message, '('), cases[i].text);
    }
}
END_TEST

/* ---- text -------------------------------------------------------------------------------- */

#define TB                                 \
    "Traceback (most recent call last):\n" \
    "  File \"/code/main.py\", line 1, in <module>\n    x()\n"

static const struct {
    const char *text, *type, *message;
} classify_texts[] = {
    {"", "runtime_error", "Exit code 1"},
    {" \n\t\n", "runtime_error", "Exit code 1"},
    {"going down\n\n", "runtime_error", "going down"},
    /* one per row of the table */
    {TB "ZeroDivisionError: division by zero\n", "division_error", "Division by zero"},
    {TB "decimal.DivisionByZero: [<class 'decimal.DivisionByZero'>]\n", "division_error",
     "Division by zero"},
    {TB "ValueError: bad\n", "value_error", "ValueError: bad"},
    {TB "ValueError", "value_error", "ValueError"},
    {TB "TypeError: t\r\n", "type_error", "TypeError: t"},
    {TB "KeyError: 'k'\n", "key_error", "KeyError: 'k'"},
    {TB "IndexError: i\n", "index_error", "IndexError: i"},
    {TB "AttributeError: a\n", "attribute_error", "AttributeError: a"},
    {TB "NameError: name 'x' is not defined\n", "name_error", "NameError: name 'x' is not defined"},
    {TB "UnboundLocalError: u\n", "name_error", "UnboundLocalError: u"},
    {TB "ModuleNotFoundError: No module named 'q'\n", "import_error",
     "ModuleNotFoundError: No module named 'q'"},
    {TB "ImportError: i\n", "import_error", "ImportError: i"},
    {TB "FileNotFoundError: [Errno 2] could not find: 'a'\n", "file_not_found",
     "FileNotFoundError: [Errno 2] could not find: 'a'"},
    {TB "IsADirectoryError: [Errno 21]\n", "file_error", "Expected file but found directory"},
    {TB "NotADirectoryError: [Errno 20]\n", "file_error", "Expected directory but found file"},
    {TB "PermissionError: [Errno 13] Permission denied: '/etc/passwd'\n", "permission",
     "PermissionError: [Errno 13] Permission denied: '/etc/passwd'"},
    {TB "OSError: [Errno 30] Read-only file system: '/etc/passwd'\n", "os_error",
     "OSError: [Errno 30] Read-only file system: '/etc/passwd'"},
    {TB "FileExistsError: f\n", "os_error", "FileExistsError: f"},
    {TB "RecursionError: maximum recursion depth exceeded\n", "recursion_error",
     "Maximum recursion depth exceeded"},
    {TB "AssertionError\n", "assertion_error", "AssertionError"},
    {TB "OverflowError: o\n", "overflow_error", "Numeric overflow"},
    {TB "UnicodeDecodeError: 'utf-8' codec\n", "encoding_error", "Unicode encoding/decoding error"},
    {TB "json.decoder.JSONDecodeError: Expecting value\n", "json_error", "Invalid JSON format"},
    {TB "ConnectionRefusedError: [Errno 111]\n", "network_error", "Connection error"},
    {TB "requests.exceptions.ConnectionError: x\n", "network_error", "Connection error"},
    {TB "ConnectionResetError: [Errno 104] r\n", "network_error",
     "ConnectionResetError: [Errno 104] r"},
    {TB "BrokenPipeError: [Errno 32] Broken pipe\n", "network_error",
     "BrokenPipeError: [Errno 32] Broken pipe"},
    {TB "socket.gaierror: [Errno -3] Temporary failure\n", "network_error",
     "socket.gaierror: [Errno -3] Temporary failure"},
    {TB "urllib.error.URLError: <urlopen error>\n", "network_error",
     "urllib.error.URLError: <urlopen error>"},
    {TB "TimeoutError: timed out\n", "network_timeout", "Network request timed out"},
    {TB "shutil.SpecialFileError: s\n", "os_error", "shutil.SpecialFileError: s"},
    {TB "ssl.SSLEOFError: EOF (_ssl.c:1)\n", "network_error", "ssl.SSLEOFError: EOF (_ssl.c:1)"},
    {TB "ssl.SSLZeroReturnError: z\n", "network_error", "ssl.SSLZeroReturnError: z"},
    {TB "requests.exceptions.ReadTimeout: r\n", "network_timeout", "Network request timed out"},
    {TB "httpx.ConnectTimeout: c\n", "network_timeout", "Network request timed out"},
    {TB "socket.timeout: timed out\n", "network_timeout", "Network request timed out"},
    {"timeout: 5\n", "runtime_error", "timeout: 5"},
    {TB "MemoryError\n", "oom", "Cannot allocate memory"},
    {TB "numpy.core._exceptions._ArrayMemoryError: Unable\n", "oom", "Cannot allocate memory"},
    {TB "RuntimeError: r\n", "runtime_error", "RuntimeError: r"},
    {TB "NotImplementedError\n", "runtime_error", "NotImplementedError"},
    {TB "FloatingPointError: f\n", "runtime_error", "FloatingPointError: f"},
    {TB "__main__.f.<locals>.Odd: my own\n", "runtime_error", "__main__.f.<locals>.Odd: my own"},
    {TB "\xC3\x89rror: unicode class\n", "runtime_error", "\xC3\x89rror: unicode class"},
    {TB "MyValueError: not a ValueError\n", "runtime_error", "MyValueError: not a ValueError"},
    /* the compiler's own errors have no header */
    {"  File \"/code/main.py\", line 1\n    def broken(\n              ^\n"
     "SyntaxError: '(' was never closed\n",
     "syntax_error", "SyntaxError: '(' was never closed"},
    {"  File \"/code/main.py\", line 2\n    x\nIndentationError: unexpected indent\n",
     "syntax_error", "IndentationError: unexpected indent"},
    {TB "  File \"<string>\", line 1\n    a b\n      ^\nSyntaxError: invalid syntax\n",
     "syntax_error", "SyntaxError: invalid syntax"},
    /* the last of several tracebacks counts */
    {TB "KeyError: 1\n\nDuring handling of the above exception, another exception occurred:\n\n" TB
        "ValueError: second\n",
     "value_error", "ValueError: second"},
    /* what follows the exception line belongs to its message, or to nobody */
    {TB "ValueError: first\nHint: KeyError\nKeyError: 'not this'\n", "value_error",
     "ValueError: first"},
    {TB "ValueError: x\nKilled\n", "value_error", "ValueError: x"},
    /* the repetition line and blank source lines are part of the frames */
    {TB "  [Previous line repeated 996 more times]\n\nRecursionError: deep\n", "recursion_error",
     "Maximum recursion depth exceeded"},
    /* tracebacks that did not end the program */
    {TB "KeyError: 'k'\nException ignored in: <function f>\n" TB "TypeError: late\n", "key_error",
     "KeyError: 'k'"},
    {"Exception in thread Thread-1 (f):\n" TB "TypeError: t\n" TB "IndexError: main\n",
     "index_error", "IndexError: main"},
    {"Exception in thread Thread-1 (f):\n" TB "TypeError: t\n", "type_error", "TypeError: t"},
    {TB "KeyError: 'k'\nError in atexit._run_exitfuncs:\n" TB "TypeError: late\n", "key_error",
     "KeyError: 'k'"},
    {TB "KeyError: 'k'\nTask exception was never retrieved\nfuture: <Task>\n" TB
        "TypeError: late\n",
     "key_error", "KeyError: 'k'"},
    {TB "KeyError: 'k'\nFuture exception was never retrieved\n" TB "TypeError: late\n", "key_error",
     "KeyError: 'k'"},
    {TB "KeyError: 'k'\nProcess Pool-1:\n" TB "TypeError: late\n", "key_error", "KeyError: 'k'"},
    {TB "KeyError: 'k'\nProcess this\n" TB "TypeError: late\n", "type_error", "TypeError: late"},
    {TB "KeyError: 'k'\n--- Logging error ---\n" TB
        "TypeError: late\nCall stack:\n  File \"/code/main.py\", line 1, in <module>\n"
        "    log()\nMessage: 'm'\nArguments: ()\n",
     "key_error", "KeyError: 'k'"},
    /* a stack without a header and without a compiler's error is no ending */
    {"Stack:\n  File \"/code/main.py\", line 1\n    x\nMessage: m\nMemoryError: said\n",
     "runtime_error", "MemoryError: said"},
    {"  File \"/code/main.py\", line 1\nfatal\nIndentationError: x\nValueError: y\n", "value_error",
     "ValueError: y"},
    /* groups: the group itself */
    {"  + Exception Group Traceback (most recent call last):\n"
     "  |   File \"/code/main.py\", line 1, in <module>\n  |     raise g\n"
     "  | ExceptionGroup: many (2 sub-exceptions)\n  +-+---------------- 1 ----------------\n"
     "    | ValueError: 1\n    +---------------- 2 ----------------\n    | TypeError: 2\n"
     "    +------------------------------------\n",
     "runtime_error", "ExceptionGroup: many (2 sub-exceptions)"},
    /* without a traceback only well-known names at the start of a line */
    {"ValueError: printed\n", "value_error", "ValueError: printed"},
    {"fatal\nKeyError: 'x'\nbye\n", "key_error", "KeyError: 'x'"},
    {"a ValueError: in a sentence\n", "runtime_error", "a ValueError: in a sentence"},
    {"  ValueError: indented\n", "runtime_error", "ValueError: indented"},
    {"Note: hi\n", "runtime_error", "Note: hi"},
    /* words do not make a class */
    {"Killed\n", "runtime_error", "Killed"},
    {"bash: permission denied\n", "runtime_error", "bash: permission denied"},
    {"MemoryError\n", "runtime_error", "MemoryError"},
    {"PermissionError: x\n", "runtime_error", "PermissionError: x"},
    {"out of memory\nOperation not permitted\n", "runtime_error", "Operation not permitted"},
    {"Traceback (most recent call last):\n", "runtime_error", "Traceback (most recent call last):"},
    /* our own notice is not the job's last word */
    {"oh no\n\n[TRUNCATED: output exceeded 65536 bytes]", "runtime_error", "oh no"},
    /* sanitised */
    {TB "ValueError: /home/alice/x at 10.1.2.3\n", "value_error",
     "ValueError: /home/***/x at 10.***.***"},
};

START_TEST(the_last_traceback_gives_the_class)
{
    struct tako__outcome facts = TAKO__OUTCOME_INIT;
    struct tako__class c;

    facts.verdict = TAKO_VERDICT_EXIT;
    facts.exit_code = 1;
    c = classify_one(&facts, 1000, classify_texts[_i].text);
    ck_assert_int_eq(c.status, TAKO_FAILED);
    ck_assert_str_eq(c.type, classify_texts[_i].type);
    ck_assert_str_eq(c.message, classify_texts[_i].message);
    ck_assert_str_eq(c.phase, "execution");
}
END_TEST

START_TEST(exit_codes_of_signals_and_timers_are_only_codes)
{
    static const int codes[] = {124, 125, 134, 135, 136, 137, 139, 141, 143};
    struct tako__outcome facts = TAKO__OUTCOME_INIT;
    struct tako__class c;
    char want[32];
    size_t i;

    facts.verdict = TAKO_VERDICT_EXIT;
    for (i = 0; i < TAKO__LEN(codes); i++) {
        facts.exit_code = codes[i];
        c = classify_one(&facts, 1000, "");
        snprintf(want, sizeof want, "Exit code %d", codes[i]);
        ck_assert_int_eq(c.status, TAKO_FAILED);
        ck_assert_str_eq(c.type, "runtime_error");
        ck_assert_str_eq(c.message, want);
    }
}
END_TEST

START_TEST(a_memory_error_is_oom_only_where_an_rlimit_is_the_limit)
{
    struct tako__outcome facts = TAKO__OUTCOME_INIT;
    struct tako__class c;

    facts.verdict = TAKO_VERDICT_EXIT;
    facts.exit_code = 1;
    facts.memory_by_rlimit = true;
    c = classify_one(&facts, 1000, TB "MemoryError\n");
    ck_assert_int_eq(c.status, TAKO_OOM);
    ck_assert_str_eq(c.type, "oom");
    ck_assert_str_eq(c.message, "Execution exceeded memory limit");
    c = classify_one(&facts, 1000, "MemoryError\n"); /* printed, not raised */
    ck_assert_int_eq(c.status, TAKO_FAILED);
    facts.exit_code = 3; /* caught and reported: the program went on */
    c = classify_one(&facts, 1000, TB "MemoryError\n");
    ck_assert_int_eq(c.status, TAKO_FAILED);
    facts.exit_code = 0;
    c = classify_one(&facts, 1000, TB "MemoryError\n");
    ck_assert_int_eq(c.status, TAKO_SUCCEEDED);
}
END_TEST

START_TEST(long_messages_are_cut_at_a_character)
{
    struct tako__outcome facts = TAKO__OUTCOME_INIT;
    struct tako__class c;
    char text[4000];
    size_t n, len, pad;

    facts.verdict = TAKO_VERDICT_EXIT;
    facts.exit_code = 1;
    for (pad = 0; pad < 4; pad++) {
        n = (size_t)snprintf(text, sizeof text, "ValueError: %.*s", (int)pad, "xxxx");
        while (n + 5 < sizeof text) {
            memcpy(text + n, "\xF0\x9F\x98\x80", 4);
            n += 4;
        }
        text[n] = '\0';
        c = classify_one(&facts, 1, text);
        len = strlen(c.message);
        ck_assert(len > 496 && len <= 500);
        ck_assert_uint_eq(tako__utf8_check(c.message, len), len);
        ck_assert_str_eq(c.type, "value_error");
    }
}
END_TEST

START_TEST(hostile_stderr_is_survived)
{
    struct tako__outcome facts = TAKO__OUTCOME_INIT;
    struct tako__class c;
    uint32_t seed = 12345;
    char text[600], *big;
    size_t i, n, at;
    static const char *const bits[] = {"Traceback (most recent call last):",
                                       "  File \"",
                                       "\n",
                                       "ValueError",
                                       ": ",
                                       ".",
                                       "\xFF",
                                       "  | ",
                                       "  + Exception Group Traceback (most recent call last):",
                                       "\r",
                                       "10.",
                                       "/home/",
                                       "Exception ignored in",
                                       "0123456789ab",
                                       "[TRUNCATED: output exceeded ",
                                       "<",
                                       "/tmp/job-"};

    facts.verdict = TAKO_VERDICT_EXIT;
    facts.exit_code = 1;
    for (i = 0; i < 20000; i++) {
        for (n = 0; n < 500; n += at) {
            seed = seed * 1664525 + 1013904223;
            at = strlen(bits[(seed >> 16) % TAKO__LEN(bits)]);
            memcpy(text + n, bits[(seed >> 16) % TAKO__LEN(bits)], at);
            if ((seed >> 8) % 50 == 0)
                break;
        }
        text[n] = (char)seed;
        tako__classify(&c, &facts, 1, text, n + 1);
        ck_assert_int_eq(c.status, TAKO_FAILED);
        ck_assert(c.message[0] && c.type);
        ck_assert_uint_eq(tako__utf8_check(c.message, strlen(c.message)), strlen(c.message));
    }
    big = malloc(1 << 20);
    memset(big, 'a', 1 << 20); /* hex digits without an end */
    tako__classify(&c, &facts, 1, big, 1 << 20);
    ck_assert_uint_eq(strlen(c.message), 500);
    memset(big, '\n', 1 << 20);
    tako__classify(&c, &facts, 1, big, 1 << 20);
    ck_assert_str_eq(c.message, "Exit code 1");
    memset(big, '\0', 1 << 20);
    tako__classify(&c, &facts, 1, big, 1 << 20);
    ck_assert(c.message[0] == ' ');
    free(big);
    tako__classify(&c, &facts, 1, NULL, 0);
    ck_assert_str_eq(c.message, "Exit code 1");
}
END_TEST

/* ---- the sanitiser ----------------------------------------------------------------------- */

#define HEX64 "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const struct {
    const char *in, *out;
} classify_clean[] = {
    {"", ""},
    {"plain text", "plain text"},
    {"/tmp/job-AbCd_12/code/main.py", "/tmp/job-***/code/main.py"},
    {"/tmp/job- x", "/tmp/job- x"},
    {"/var/folders/a/b/c d", "/var/folders/*** d"},
    {"/Users/alice/x", "/home/***/x"},
    {"open('/home/alice')", "open('/home/***')"},
    {"/home/alice/home/bob", "/home/***/home/***"},
    {"/app/some/path here", "/app/*** here"},
    {"/tmp/job-1/app/x y", "/tmp/job-***/app/*** y"},
    {"172.31.4.10:80", "172.***.***:80"},
    {"172.16.0.1", "172.***.***"},
    {"172.15.0.1 172.32.0.1", "172.15.0.1 172.32.0.1"},
    {"(10.2.3.4)", "(10.***.***)"},
    {"at 10.2.3.4.", "at 10.***.***."},
    {"1.10.2.3.4", "1.10.2.3.4"},
    {"10.2.3.4.5", "10.2.3.4.5"},
    {"210.2.3.4", "210.2.3.4"},
    {"10.2.3.4567", "10.2.3.4567"},
    {"10.2.3.", "10.2.3."},
    {"10.2.3.256", "10.2.3.256"},
    {"192.168.1.2,192.168.1.3", "192.168.***.***,192.168.***.***"},
    {"192.169.1.2 8.8.8.8", "192.169.1.2 8.8.8.8"},
    {HEX64, "<container-id>"},
    {"x " HEX64 "0", "x " HEX64 "0"},
    {"sha256:" HEX64 ",", "sha256:<container-id>,"},
    {"/" HEX64 "/", "/<container-id>/"},
    {"container 0123456789ab!", "container <container-id>!"},
    {"123456789012", "123456789012"},
    {"0123456789abc", "0123456789abc"},
    {"0123456789AB", "0123456789AB"},
    {"da39a3ee5e6b4b0d3255bfef95601890afd80709", "da39a3ee5e6b4b0d3255bfef95601890afd80709"},
    {"d41d8cd98f00b204e9800998ecf8427e", "d41d8cd98f00b204e9800998ecf8427e"},
    {"1.234567890123e12 0x0123456789ab", "1.234567890123e12 0x<container-id>"},
    {"{550e8400-e29b-41d4-a716-446655440000}", "{550e8400-e29b-41d4-a716-446655440000}"},
    {"550e8400-e29b-41d4-a716-44665544000a", "550e8400-e29b-41d4-a716-44665544000a"},
    {"a\nb\tc\x1b[31md\x7f", "a b c [31md "},
    {"\xC2\x9B"
     "31m",
     " 31m"},
    {"\xC3\xA9 \xFF\xC3", "\xC3\xA9 \xEF\xBF\xBD\xEF\xBF\xBD"},
};

START_TEST(private_details_are_masked)
{
    char out[256];

    tako__sanitize(classify_clean[_i].in, strlen(classify_clean[_i].in), out, sizeof out);
    ck_assert_str_eq(out, classify_clean[_i].out);
}
END_TEST

START_TEST(the_sanitiser_keeps_to_its_room)
{
    static const char text[] = "/home/bob \xC3\xA9 10.1.2.3 " HEX64;
    char out[128], whole[128];
    size_t cap;

    tako__sanitize(text, sizeof text - 1, whole, sizeof whole);
    for (cap = 1; cap < sizeof out; cap++) {
        memset(out, '#', sizeof out);
        tako__sanitize(text, sizeof text - 1, out, cap);
        ck_assert_uint_lt(strlen(out), cap);
        ck_assert(strncmp(out, whole, strlen(out)) == 0);
        ck_assert_int_eq(out[cap], '#');
    }
    out[0] = '#';
    tako__sanitize("x", 1, out, 0);
    ck_assert_int_eq(out[0], '#');
}
END_TEST

START_TEST(the_result_of_a_job_that_never_ran_is_sanitised_too)
{
    struct fault_alloc f;
    tako_host host;
    tako_options opts = TAKO_OPTIONS_INIT;
    struct tako__buf out;

    fault_alloc_init(&f);
    opts.alloc = fault_alloc_use(&f);
    tako__host_init(&host, &opts);
    tako__buf_init(&out, &host);
    tako__result_unrun(&out, TAKO_VERDICT_SETUP, "internal_error", "open /home/alice/x: no");
    ck_assert_msg(strstr(out.data, "\"open /home/***/x: no\"") != NULL, "%s", out.data);
    tako__buf_free(&out);
    ck_assert_int_eq(f.live_blocks, 0);
}
END_TEST

/* ---- the cap ----------------------------------------------------------------------------- */

static tako_host classify_host(struct fault_alloc *f)
{
    tako_options opts = TAKO_OPTIONS_INIT;
    tako_host host;

    fault_alloc_init(f);
    opts.alloc = fault_alloc_use(f);
    tako__host_init(&host, &opts);
    return host;
}

START_TEST(output_within_the_cap_is_unchanged)
{
    struct fault_alloc f;
    tako_host host = classify_host(&f);
    struct tako__capture c;
    const char *text;
    char data[100];
    size_t len;

    memset(data, 'd', sizeof data);
    tako__capture_init(&c, &host, 100);
    ck_assert(!tako__capture_end(&c));
    ck_assert_uint_eq(c.kept.len, 0);
    tako__capture_add(&c, data, 0);
    tako__capture_add(&c, data, 60);
    tako__capture_add(&c, data, 40);
    ck_assert(!tako__capture_end(&c));
    ck_assert_uint_eq(c.kept.len, 100);
    ck_assert_int_eq(c.seen, 100);
    text = tako__capture_tail(&c, &len);
    ck_assert_uint_eq(len, 100);
    ck_assert_mem_eq(text, data, 100);
    tako__buf_free(&c.kept);
    ck_assert_int_eq(f.live_blocks, 0);
}
END_TEST

static void classify_fill(struct tako__capture *c, const char *unit, size_t total, size_t piece)
{
    char data[4096];
    size_t i, done = 0, n = strlen(unit);

    while (done < total) {
        for (i = 0; i < piece && done < total; i++, done++)
            data[i] = unit[done % n];
        tako__capture_add(c, data, i);
    }
}

START_TEST(beyond_the_cap_the_notice_is_included)
{
    static const char notice[] = "\n\n[TRUNCATED: output exceeded 1024 bytes]";
    static const struct {
        const char *unit;
        size_t len;
    } cases[] = {{"x", 1024}, {"\xC3\xA9", 1023}, {"\xF0\x9F\x98\x80", 1021}, {"\xFF", 1024}};
    static const size_t pieces[] = {1, 7, 1000, 4096};
    struct fault_alloc f;
    tako_host host = classify_host(&f);
    struct tako__capture c;
    size_t i, k;

    for (i = 0; i < TAKO__LEN(cases); i++) {
        for (k = 0; k < TAKO__LEN(pieces); k++) {
            tako__capture_init(&c, &host, 1024);
            classify_fill(&c, cases[i].unit, 5000, pieces[k]);
            ck_assert(tako__capture_end(&c));
            ck_assert_int_eq(c.seen, 5000);
            ck_assert_uint_eq(c.kept.len, cases[i].len);
            ck_assert_str_eq(c.kept.data + c.kept.len - (sizeof notice - 1), notice);
            if (i < 3)
                ck_assert_uint_eq(tako__utf8_check(c.kept.data, c.kept.len), c.kept.len);
            tako__buf_free(&c.kept);
        }
    }
    /* one byte too many */
    tako__capture_init(&c, &host, 1024);
    classify_fill(&c, "x", 1025, 100);
    ck_assert(tako__capture_end(&c));
    ck_assert_uint_eq(c.kept.len, 1024);
    tako__buf_free(&c.kept);
    ck_assert_int_eq(f.live_blocks, 0);
}
END_TEST

START_TEST(a_cap_smaller_than_the_notice_keeps_only_the_notice)
{
    static const size_t caps[] = {0, 1, 37, 38};
    struct fault_alloc f;
    tako_host host = classify_host(&f);
    struct tako__capture c;
    char want[64];
    size_t i;

    for (i = 0; i < TAKO__LEN(caps); i++) {
        snprintf(want, sizeof want, "\n\n[TRUNCATED: output exceeded %zu bytes]", caps[i]);
        tako__capture_init(&c, &host, caps[i]);
        classify_fill(&c, "abc", 100, 9);
        ck_assert(tako__capture_end(&c));
        ck_assert_str_eq(c.kept.data, want);
        tako__buf_free(&c.kept);
    }
    ck_assert_int_eq(f.live_blocks, 0);
}
END_TEST

START_TEST(a_flood_costs_constant_memory)
{
    struct fault_alloc f;
    tako_host host = classify_host(&f);
    struct tako__capture c;

    tako__capture_init(&c, &host, TAKO_OUTPUT_CAP);
    classify_fill(&c, "flood ", 20000000, 4096);
    ck_assert_int_lt(f.peak_bytes, 3 * TAKO_OUTPUT_CAP);
    ck_assert(tako__capture_end(&c));
    ck_assert_uint_eq(c.kept.len, TAKO_OUTPUT_CAP);
    ck_assert_int_eq(c.seen, 20000000);
    tako__buf_free(&c.kept);
}
END_TEST

START_TEST(a_traceback_behind_a_flood_is_still_read)
{
    static const char tb[] = TB "KeyError: 'late'\n";
    static const size_t totals[] = {90, 100, 101, 150, 4000, 8000, 12345, 300000};
    struct tako__outcome facts = TAKO__OUTCOME_INIT;
    struct fault_alloc f;
    tako_host host = classify_host(&f);
    struct tako__capture c;
    struct tako__class class;
    const char *text;
    size_t i, k, len;

    facts.verdict = TAKO_VERDICT_EXIT;
    facts.exit_code = 1;
    for (i = 0; i < TAKO__LEN(totals); i++) {
        tako__capture_init(&c, &host, 100);
        classify_fill(&c, "noise\n", totals[i] / 6 * 6, 977);
        for (k = 0; k < sizeof tb - 1; k++)
            tako__capture_add(&c, tb + k, 1); /* byte by byte */
        ck_assert(tako__capture_end(&c));
        text = tako__capture_tail(&c, &len);
        tako__classify(&class, &facts, 1, text, len);
        ck_assert_str_eq(class.type, "key_error");
        tako__buf_free(&c.kept);
    }
    /* a line that was cut at its front is no line */
    tako__capture_init(&c, &host, 100);
    classify_fill(&c, "x", 9000, 1000);
    tako__capture_add(&c, "\nlast\n", 6);
    text = tako__capture_tail(&c, &len);
    ck_assert_uint_eq(len, 5);
    ck_assert_mem_eq(text, "last\n", 5);
    tako__buf_free(&c.kept);
    ck_assert_int_eq(f.live_blocks, 0);
}
END_TEST

START_TEST(a_message_longer_than_the_tail_keeps_its_class)
{
    static const char tb[] = TB "ValueError: ", *const pieces[] = {"x", "a line\n"};
    struct tako__outcome facts = TAKO__OUTCOME_INIT;
    struct fault_alloc f;
    tako_host host = classify_host(&f);
    struct tako__capture c;
    struct tako__class class;
    const char *text;
    size_t i, len;

    facts.verdict = TAKO_VERDICT_EXIT;
    facts.exit_code = 1;
    for (i = 0; i < 2 * TAKO__LEN(pieces); i++) {
        tako__capture_init(&c, &host, 1000);
        tako__capture_add(&c, tb, sizeof tb - 1);
        classify_fill(&c, pieces[i / 2], 20000, 777);
        if (i % 2)
            ck_assert(tako__capture_end(&c));
        text = tako__capture_tail(&c, &len);
        tako__classify(&class, &facts, 1, text, len);
        ck_assert_str_eq(class.type, "value_error");
        ck_assert(strncmp(class.message, "ValueError: ", 12) == 0);
        tako__buf_free(&c.kept);
    }
    /* but a traceback in the tail is the later one */
    tako__capture_init(&c, &host, 1000);
    tako__capture_add(&c, tb, sizeof tb - 1);
    classify_fill(&c, "x", 20000, 777);
    tako__capture_add(&c, "\n" TB "KeyError: 1\n", sizeof "\n" TB "KeyError: 1\n" - 1);
    text = tako__capture_tail(&c, &len);
    tako__classify(&class, &facts, 1, text, len);
    ck_assert_str_eq(class.type, "key_error");
    tako__buf_free(&c.kept);
    ck_assert_int_eq(f.live_blocks, 0);
}
END_TEST

START_TEST(a_capture_without_memory_says_so)
{
    struct fault_alloc f;
    tako_host host = classify_host(&f);
    struct tako__capture c;
    size_t len;

    f.fail_at = 0;
    f.fail_after = 1;
    tako__capture_init(&c, &host, 1000);
    classify_fill(&c, "x", 5000, 100);
    ck_assert(tako__capture_end(&c));
    ck_assert(c.kept.failed);
    ck_assert_int_eq(c.seen, 5000);
    (void)tako__capture_tail(&c, &len);
    tako__buf_free(&c.kept);
    ck_assert_int_eq(f.live_blocks, 0);
}
END_TEST

Suite *suite_classify(void)
{
    Suite *s = suite_create("classify");
    TCase *tc = tcase_create("facts");

    tcase_add_loop_test(tc, kernel_facts_decide_whatever_was_printed, 0,
                        (int)TAKO__LEN(classify_facts));
    tcase_add_test(tc, a_running_job_is_cancelled_in_execution);
    tcase_add_test(tc, time_limits_are_printed_in_seconds);
    suite_add_tcase(s, tc);
    tc = tcase_create("text");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, the_last_traceback_gives_the_class, 0, (int)TAKO__LEN(classify_texts));
    tcase_add_test(tc, exit_codes_of_signals_and_timers_are_only_codes);
    tcase_add_test(tc, a_memory_error_is_oom_only_where_an_rlimit_is_the_limit);
    tcase_add_test(tc, long_messages_are_cut_at_a_character);
    tcase_add_test(tc, hostile_stderr_is_survived);
    suite_add_tcase(s, tc);
    tc = tcase_create("sanitiser");
    tcase_add_loop_test(tc, private_details_are_masked, 0, (int)TAKO__LEN(classify_clean));
    tcase_add_test(tc, the_sanitiser_keeps_to_its_room);
    tcase_add_test(tc, the_result_of_a_job_that_never_ran_is_sanitised_too);
    suite_add_tcase(s, tc);
    tc = tcase_create("cap");
    tcase_set_timeout(tc, 60);
    tcase_add_test(tc, output_within_the_cap_is_unchanged);
    tcase_add_test(tc, beyond_the_cap_the_notice_is_included);
    tcase_add_test(tc, a_cap_smaller_than_the_notice_keeps_only_the_notice);
    tcase_add_test(tc, a_flood_costs_constant_memory);
    tcase_add_test(tc, a_traceback_behind_a_flood_is_still_read);
    tcase_add_test(tc, a_message_longer_than_the_tail_keeps_its_class);
    tcase_add_test(tc, a_capture_without_memory_says_so);
    suite_add_tcase(s, tc);
    return s;
}
