/* catalogue.h - the tables of the hostile catalogue: reads catalogue/FAMILY.txt and the programs
 * beside it, and judges a record by a line. What the columns and options mean is written in
 * catalogue/README.md. A table that cannot be read is a failure, never a line less.
 * SPDX-License-Identifier: MIT */
#ifndef TESTS_CATALOGUE_H
#define TESTS_CATALOGUE_H

#include "../../tako.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CATALOGUE_UNUSED __attribute__((unused))
#define CATALOGUE_LINES 400
#define CATALOGUE_WORDS 24

/* ---- a text that grows until it is full ---- */

struct catalogue_text {
    char text[7000];
    size_t len;
};

__attribute__((format(printf, 2, 3))) CATALOGUE_UNUSED static void
catalogue_say(struct catalogue_text *t, const char *format, ...)
{
    va_list args;
    int n;

    va_start(args, format);
    n = vsnprintf(t->text + t->len, sizeof(t->text) - t->len, format, args);
    va_end(args);
    if (n > 0)
        t->len += (size_t)n < sizeof(t->text) - t->len ? (size_t)n : sizeof(t->text) - t->len - 1;
}

/* The end of what a job wrote, printable and on one line. */
CATALOGUE_UNUSED static void catalogue_say_tail(struct catalogue_text *t, const char *name,
                                                const char *text, size_t len)
{
    size_t i = len > 300 ? len - 300 : 0;

    catalogue_say(t, "\n      %s:%s ", name, i ? " ..." : "");
    for (; i < len; i++)
        if (text[i] == '\n')
            catalogue_say(t, " | ");
        else
            catalogue_say(t, "%c", text[i] >= ' ' && text[i] < 127 ? text[i] : '?');
}

/* ---- a line ---- */

struct catalogue_line {
    char id[24], program[64];
    char verdicts[128], statuses[192]; /* alternatives with | between them */
    char text[512];                    /* holds the words */
    char *word[CATALOGUE_WORDS];       /* the options */
    int n_words;
    long timeout_ms, memory_mib, cpu_ms;
    long long output_kill;
    bool pair, sequel, group, root, x86;
    char *code; /* of the program */
};

struct catalogue {
    char family[32][8];
    int n_families;
    struct catalogue_line line[CATALOGUE_LINES];
    int first[33]; /* lines of family i: first[i] to first[i + 1] - 1 */
    char error[400];
};

/* The text behind NAME= in this word, or NULL. */
CATALOGUE_UNUSED static const char *catalogue_value(const char *word, const char *name)
{
    size_t len = strlen(name);

    return strncmp(word, name, len) == 0 && word[len] == '=' ? word + len + 1 : NULL;
}

/* A number that follows <, <=, =, >= or >; true when `value` fulfils it. *ok = it is well-formed. */
CATALOGUE_UNUSED static bool catalogue_compare(const char *text, long long value, bool *ok)
{
    const char *number = text + 1 + (text[0] != '=' && text[1] == '=');
    char *end;
    long long bound;

    *ok = strchr("<>=", text[0]) && text[0];
    if (!*ok)
        return false;
    bound = strtoll(number, &end, 10);
    *ok = end != number && *end == '\0';
    if (text[0] == '=')
        return value == bound;
    if (text[0] == '<')
        return text[1] == '=' ? value <= bound : value < bound;
    return text[1] == '=' ? value >= bound : value > bound;
}

CATALOGUE_UNUSED static bool catalogue_option(struct catalogue_line *line, char *word)
{
    static const char *const known[] = {
        "held",      "truncated",    "not_truncated", "exit",         "signal",
        "alone",     "rejected",     "artifacts",     "survivors",    "pids_hits",
        "oom_kills", "stdout_bytes", "stderr_bytes",  "throttled_us", "pids_peak",
        "cpu_us",    "peak_bytes",   "stdout",        "stderr",       "wall"};
    const char *value;
    size_t i, len = strcspn(word, "<>=");

    if ((value = catalogue_value(word, "timeout")) != NULL)
        return (line->timeout_ms = strtol(value, NULL, 10)) > 0;
    if ((value = catalogue_value(word, "memory")) != NULL)
        return (line->memory_mib = strtol(value, NULL, 10)) > 0;
    if ((value = catalogue_value(word, "cpu")) != NULL)
        return (line->cpu_ms = strtol(value, NULL, 10)) > 0;
    if ((value = catalogue_value(word, "output_kill")) != NULL)
        return (line->output_kill = strtoll(value, NULL, 10)) > 0;
    if (strcmp(word, "pair") == 0)
        return line->pair = true;
    if (strcmp(word, "sequel") == 0)
        return line->sequel = true;
    if (strcmp(word, "group") == 0)
        return line->group = true;
    if (strcmp(word, "root") == 0)
        return line->root = true;
    if (strcmp(word, "x86") == 0)
        return line->x86 = true;
    for (i = 0; i < sizeof(known) / sizeof(*known); i++)
        if (strlen(known[i]) == len && strncmp(word, known[i], len) == 0) {
            if (line->n_words == CATALOGUE_WORDS)
                return false;
            line->word[line->n_words++] = word;
            return true;
        }
    return false;
}

/* True when `is` is one of the alternatives; "*" is any. */
CATALOGUE_UNUSED static bool catalogue_among(const char *alternatives, size_t len, const char *is)
{
    size_t n, at;

    for (at = 0; at < len; at += n + 1) {
        n = strcspn(alternatives + at, "|");
        if (at + n > len)
            n = len - at;
        if ((n == 1 && alternatives[at] == '*') ||
            (strlen(is) == n && strncmp(alternatives + at, is, n) == 0))
            return true;
    }
    return false;
}

/* How much longer than usual everything may take here. */
CATALOGUE_UNUSED static long catalogue_patience(void)
{
    const char *text = getenv("TAKO_TEST_PATIENCE");
    long n = text ? strtol(text, NULL, 10) : 1;

    return n > 0 && n <= 100 ? n : 1;
}

/* Reads a whole small file; NULL when it cannot be read. */
CATALOGUE_UNUSED static char *catalogue_slurp(const char *path)
{
    FILE *f = fopen(path, "re");
    char *text = f ? malloc(TAKO_CODE_MAX + 1) : NULL;
    size_t len;

    if (text) {
        len = fread(text, 1, TAKO_CODE_MAX, f);
        text[len] = '\0';
    }
    if (f)
        fclose(f);
    return text;
}

CATALOGUE_UNUSED static void catalogue_read_line(struct catalogue *c, const char *root,
                                                 const char *family, const char *text)
{
    struct catalogue_line *line = &c->line[c->first[c->n_families]];
    char path[1024], *word, *rest;
    int skip = 0;

    memset(line, 0, sizeof(*line));
    line->timeout_ms = 10000;
    line->memory_mib = 256;
    if (sscanf(text, "%23s %63s %127s %191s %n", line->id, line->program, line->verdicts,
               line->statuses, &skip) != 4) {
        snprintf(c->error, sizeof(c->error), "%s.txt: not a line: %.100s", family, text);
        return;
    }
    snprintf(line->text, sizeof(line->text), "%s", text + skip);
    for (word = strtok_r(line->text, " \t\n", &rest); word; word = strtok_r(NULL, " \t\n", &rest))
        if (!catalogue_option(line, word))
            snprintf(c->error, sizeof(c->error), "%s.txt: %s: not an option: %.100s", family,
                     line->id, word);
    snprintf(path, sizeof(path), "%.700s/tests/hostile/programs/%s_%s.py", root, line->id,
             line->program);
    line->timeout_ms *= catalogue_patience();
    if (!catalogue_among(line->verdicts, strlen(line->verdicts), "wall_timeout"))
        line->timeout_ms *= 3; /* it ends by itself: a busy machine is no reason to fail */
    line->code = catalogue_slurp(path);
    if (!line->code)
        snprintf(c->error, sizeof(c->error), "%.380s cannot be read", path);
    c->first[c->n_families]++;
}

CATALOGUE_UNUSED static void catalogue_read_family(struct catalogue *c, const char *root,
                                                   const char *family)
{
    char path[1024], text[1024];
    size_t at;
    FILE *f;

    snprintf(path, sizeof(path), "%.900s/tests/hostile/catalogue/%s.txt", root, family);
    f = fopen(path, "re");
    if (!f) {
        snprintf(c->error, sizeof(c->error), "%.380s cannot be read", path);
        return;
    }
    snprintf(c->family[c->n_families], sizeof(*c->family), "%s", family);
    c->n_families++;
    c->first[c->n_families] = c->first[c->n_families - 1];
    while (fgets(text, sizeof(text), f)) {
        at = strspn(text, " \t");
        if (text[at] == '#' || text[at] == '\n' || text[at] == '\0')
            continue;
        if (c->first[c->n_families] == CATALOGUE_LINES)
            snprintf(c->error, sizeof(c->error), "more than %d lines", CATALOGUE_LINES);
        else
            catalogue_read_line(c, root, family, text);
    }
    fclose(f);
}

CATALOGUE_UNUSED static int catalogue_is_table(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);

    return len > 4 && len < 12 && strcmp(entry->d_name + len - 4, ".txt") == 0;
}

/* All tables below `root`, the source tree, by name. On failure c->error says why. */
CATALOGUE_UNUSED static void catalogue_read(struct catalogue *c, const char *root)
{
    struct dirent **list = NULL;
    char dir[1024];
    int n, i;

    memset(c, 0, sizeof(*c));
    snprintf(dir, sizeof(dir), "%.900s/tests/hostile/catalogue", root);
    n = scandir(dir, &list, catalogue_is_table, alphasort);
    if (n <= 0 || n > 32)
        snprintf(c->error, sizeof(c->error),
                 "%d tables in %.200s: start this in the source tree or set TAKO_TEST_SOURCE", n,
                 dir);
    for (i = 0; i < n; i++) {
        list[i]->d_name[strlen(list[i]->d_name) - 4] = '\0';
        if (n <= 32)
            catalogue_read_family(c, root, list[i]->d_name);
        free(list[i]);
    }
    free(list);
}

/* ---- the judgement ---- */

/* STATUS/TYPE alternatives. One without a slash is another type for the same status. */
CATALOGUE_UNUSED static bool catalogue_status(const char *alternatives, const char *status,
                                              const char *type)
{
    const char *at = alternatives, *slash;
    bool same = false;
    size_t n;

    for (;; at += n + 1) {
        n = strcspn(at, "|");
        slash = memchr(at, '/', n);
        if (slash)
            same = catalogue_among(at, (size_t)(slash - at), status);
        if (same &&
            catalogue_among(slash ? slash + 1 : at, slash ? n - (size_t)(slash + 1 - at) : n, type))
            return true;
        if (!at[n])
            return false;
    }
}

/* alone=VERDICT,STATUS/TYPE among the options of a line, for a host without cgroups. */
CATALOGUE_UNUSED static bool catalogue_alone(const struct catalogue_line *line, const char *verdict,
                                             const char *status, const char *type)
{
    const char *value, *comma;
    int i;

    for (i = 0; i < line->n_words; i++) {
        value = catalogue_value(line->word[i], "alone");
        comma = value ? strchr(value, ',') : NULL;
        if (comma && catalogue_among(value, (size_t)(comma - value), verdict) &&
            catalogue_status(comma + 1, status, type))
            return true;
    }
    return false;
}

CATALOGUE_UNUSED static bool catalogue_rejected(const tako_record *rec, const char *reason)
{
    const tako_artifact *a;
    char text[200];
    size_t i, at;

    for (i = 0; (a = tako_record_artifact(rec, TAKO_REJECTED, i)) != NULL; i++) {
        snprintf(text, sizeof(text), "%s", a->reason ? a->reason : "");
        for (at = 0; text[at]; at++)
            if (text[at] == ' ')
                text[at] = '_';
        if (strstr(text, reason))
            return true;
    }
    return false;
}

/* No line begins with BREACH; with `held`, the last line says so. */
CATALOGUE_UNUSED static void catalogue_judge_words(const tako_record *rec, bool held,
                                                   struct catalogue_text *out)
{
    size_t len = 0, from;
    const char *text = tako_record_stdout(rec, &len), *at;

    for (at = text; at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL)
        if (strncmp(at, "BREACH", 6) == 0)
            catalogue_say(out, " %.*s;", (int)strcspn(at, "\n"), at);
    if (len && text[len - 1] == '\n')
        len--;
    for (from = len; from && text[from - 1] != '\n'; from--)
        ;
    if (held && (len - from != 4 || strncmp(text + from, "held", 4) != 0))
        catalogue_say(out, " did not print held;");
}

/* One option that is a condition. `other` = the alternative of a host without cgroups is what came:
 * exit code and signal belong to the other ending; `weak` = no cgroup counts anything. */
CATALOGUE_UNUSED static void catalogue_judge_word(const char *word, const tako_record *rec,
                                                  bool other, bool weak, struct catalogue_text *out)
{
    const char *rest = word + strcspn(word, "<>=");
    size_t kept_out = 0, kept_errs = 0, i, len = (size_t)(rest - word);
    bool ok = true, good = true;

    tako_record_stdout(rec, &kept_out);
    tako_record_stderr(rec, &kept_errs);
    {
        const struct {
            const char *name;
            long long value;
            bool exempt;
        } facts[] = {
            {"exit", tako_record_exit_code(rec), other},
            {"signal", tako_record_signal(rec), other},
            {"survivors", tako_record_survivors(rec), tako_record_survivors(rec) < 0},
            {"pids_hits", tako_record_pids_hits(rec), tako_record_pids_hits(rec) < 0},
            {"oom_kills", tako_record_oom_kills(rec), weak},
            {"stdout_bytes", tako_record_stdout_bytes(rec), false},
            {"stderr_bytes", tako_record_stderr_bytes(rec), false},
            {"throttled_us", tako_record_throttled_us(rec), weak},
            {"pids_peak", tako_record_pids_peak(rec), weak},
            {"cpu_us", tako_record_cpu_us(rec), tako_record_cpu_us(rec) < 0},
            {"peak_bytes", tako_record_peak_bytes(rec), weak},
            {"stdout", (long long)kept_out, false},
            {"stderr", (long long)kept_errs, false},
            {"wall", tako_record_wall_us(rec) / 1000 / catalogue_patience(), false},
            {"artifacts", (long long)tako_record_artifact_count(rec, TAKO_ARTIFACTS), false}};

        for (i = 0; i < sizeof(facts) / sizeof(*facts); i++) {
            if (strlen(facts[i].name) != len || strncmp(word, facts[i].name, len) != 0)
                continue;
            good = catalogue_compare(rest, facts[i].value, &ok) || facts[i].exempt;
            if (!ok || !good)
                catalogue_say(out, " %s, but it is %lld%s;", word, facts[i].value,
                              ok ? "" : " (not a condition)");
            return;
        }
    }
    if (strcmp(word, "truncated") == 0)
        good = tako_record_stdout_truncated(rec) || tako_record_stderr_truncated(rec);
    else if (strcmp(word, "not_truncated") == 0)
        good = !tako_record_stdout_truncated(rec) && !tako_record_stderr_truncated(rec);
    else if (catalogue_value(word, "rejected"))
        good = catalogue_rejected(rec, catalogue_value(word, "rejected"));
    if (!good)
        catalogue_say(out, " not %s;", word);
}

/* Appends what of the line the record does not fulfil, and then the record. `weak` = only rlimits
 * limit this job. True when all is as it must be. */
CATALOGUE_UNUSED static bool catalogue_judge(const struct catalogue_line *line,
                                             const tako_record *rec, bool weak, const char *role,
                                             struct catalogue_text *all)
{
    static struct catalogue_text out;
    const char *verdict = tako_verdict_name(tako_record_verdict(rec));
    const char *status = tako_status_name(tako_record_status(rec));
    const char *type = tako_record_error_type(rec) ? tako_record_error_type(rec) : "-";
    const char *text;
    bool held = false, main_way, other = false;
    size_t len = 0;
    int i;

    out.len = 0;
    main_way = catalogue_among(line->verdicts, strlen(line->verdicts), verdict) &&
               catalogue_status(line->statuses, status, type);
    if (!main_way && weak)
        other = catalogue_alone(line, verdict, status, type);
    if (!main_way && !other)
        catalogue_say(&out, " must be %s %s;", line->verdicts, line->statuses);
    for (i = 0; i < line->n_words; i++) {
        if (strcmp(line->word[i], "held") == 0)
            held = true;
        else if (!catalogue_value(line->word[i], "alone"))
            catalogue_judge_word(line->word[i], rec, other, weak, &out);
    }
    catalogue_judge_words(rec, held && !other, &out);
    if (out.len == 0)
        return true;
    catalogue_say(all, "\n    %s_%s%s%s:%.*s", line->id, line->program, *role ? " role " : "", role,
                  (int)out.len, out.text);
    catalogue_say(all, "\n      is %s %s/%s, exit %d, signal %d, wall %lld ms: %.200s", verdict,
                  status, type, tako_record_exit_code(rec), tako_record_signal(rec),
                  (long long)(tako_record_wall_us(rec) / 1000),
                  tako_record_error_message(rec) ? tako_record_error_message(rec) : "");
    text = tako_record_stdout(rec, &len);
    catalogue_say_tail(all, "stdout", text, len);
    text = tako_record_stderr(rec, &len);
    catalogue_say_tail(all, "stderr", text, len);
    return false;
}

#endif
