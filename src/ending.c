/* ending.c - what becomes of a job when an attempt has ended: it ends, or goes back to the queue
 * with a note for its history, or ends and leaves a dead letter.
 *
 * Two kinds of further attempts, told apart with care: those for causes of ours, when nothing of
 * the job ran (tako__run_again, bounded by limits.setup_attempts), and those for failures of the
 * job's own, which it has to ask for (tako__run_retry, bounded by max_attempts). Judging why an
 * attempt ended is done in classify.c, writing it down in pump.c.
 *
 * SPDX-License-Identifier: MIT */
#include "engine.h"

#include <stdio.h>
#include <string.h>

#define ENDING_DELAY_MAX_US INT64_C(30000000)
#define ENDING_STUCK_US 200000

void tako__result_unrun(struct tako__buf *out, tako_verdict verdict, const char *error_type,
                        const char *message)
{
    static const struct tako__result none = TAKO__RESULT_INIT;
    struct tako__result r = none;
    char shown[TAKO_ERROR_SIZE];

    tako__sanitize(message, strlen(message), shown, sizeof shown);
    r.verdict = verdict;
    r.error_type = error_type;
    r.error_message = shown;
    tako__result_print(out, &r);
}

void tako__run_requeue(tako *t, struct tako__run *run, int64_t now_us, int64_t run_at_us,
                       const char *cause)
{
    char shown[TAKO_ERROR_SIZE];
    struct tako__note note;

    tako__sanitize(cause, strlen(cause), shown, sizeof shown);
    tako__run_drop_blobs(t, run);
    run->status = TAKO_QUEUED;
    run->run_at_us = run_at_us;
    run->result.len = 0;
    run->result.failed = false;
    note.attempt = run->attempt;
    note.node = t->node.text;
    note.started_us = run->row.started_us;
    note.at_us = now_us;
    note.cause = shown;
    tako__note_print(&run->result, &note);
    if (run->result.failed) { /* of a very long cause: the move itself matters more */
        run->result.len = 0;
        run->result.failed = false;
    }
}

/* base doubled for each attempt before, at most 30 s, give or take 10 %: jobs that failed together
 * do not come back together. */
static int64_t ending_delay_us(int64_t base_ms, int before)
{
    int64_t delay = base_ms * 1000;
    uint16_t dice = 32768;

    while (before-- > 0 && delay < ENDING_DELAY_MAX_US)
        delay *= 2;
    if (delay > ENDING_DELAY_MAX_US)
        delay = ENDING_DELAY_MAX_US;
    (void)tako__random(&dice, sizeof dice, NULL);
    return delay - delay / 10 + delay / 5 * dice / 65536;
}

bool tako__run_again(tako *t, struct tako__run *run, const char *cause)
{
    int64_t now_us = tako__now_us(&t->host);

    if (run->attempt >= t->limits.setup_attempts)
        return false;
    tako__run_requeue(t, run, now_us,
                      now_us + ending_delay_us(t->limits.setup_delay_ms, run->attempt - 1), cause);
    return true;
}

static bool ending_listed(const char *list, const char *type)
{
    size_t len = strlen(type), n;

    for (; *list; list += n + (list[n] == ',')) {
        n = strcspn(list, ",");
        if (n == len && memcmp(list, type, n) == 0)
            return true;
    }
    return false;
}

/* Is this a failure of the job's own that is worth another attempt? */
static bool ending_worth(const struct tako__spec *spec, tako_verdict verdict,
                         const struct tako__class *judged)
{
    if (spec->max_attempts <= 1 || !judged->type || judged->status == TAKO_SUCCEEDED ||
        judged->status == TAKO_CANCELLED)
        return false;
    if (spec->retry_on)
        return ending_listed(spec->retry_on, judged->type);
    return judged->status == TAKO_FAILED &&
           (verdict == TAKO_VERDICT_EXIT || verdict == TAKO_VERDICT_SIGNAL ||
            verdict == TAKO_VERDICT_HOST_OOM || strcmp(judged->type, "dependency_error") == 0);
}

bool tako__run_retry(tako *t, struct tako__run *run, const struct tako__spec *spec,
                     tako_verdict verdict, const struct tako__class *judged)
{
    int64_t now_us = tako__now_us(&t->host);
    char cause[TAKO_ERROR_SIZE + 80];

    if (!ending_worth(spec, verdict, judged) || run->failures + 1 >= spec->max_attempts)
        return false;
    (void)snprintf(cause, sizeof cause, "%s: %s", judged->type, judged->message);
    run->row.started_us = run->started_us;
    run->failures++;
    tako__run_requeue(t, run, now_us,
                      now_us + ending_delay_us(spec->retry_delay_ms, run->failures - 1), cause);
    return true;
}

static void ending_dead(tako *t, struct tako__run *run, const char *type, const char *message)
{
    char shown[TAKO_ERROR_SIZE];

    tako__sanitize(message, strlen(message), shown, sizeof shown);
    tako__letter_write(&run->letter, &t->host, &run->row, type, shown, run->ended_us);
}

static bool ending_ours(const char *type)
{
    return strcmp(type, "internal_error") == 0 || strcmp(type, "service_unavailable") == 0;
}

void tako__run_bury(tako *t, struct tako__run *run, const struct tako__spec *spec,
                    tako_verdict verdict, const struct tako__class *judged)
{
    if (!judged->type)
        return;
    if (ending_ours(judged->type) || ending_worth(spec, verdict, judged))
        ending_dead(t, run, judged->type, judged->message);
}

void tako__run_end_plain(tako *t, struct tako__run *run, tako_status status, tako_verdict verdict,
                         const char *type, const char *message)
{
    tako__run_drop_blobs(t, run);
    run->result.len = 0;
    run->result.failed = false;
    tako__result_unrun(&run->result, verdict, type, message);
    run->status = status;
    run->ended_us = tako__now_us(&t->host);
    if (ending_ours(type))
        ending_dead(t, run, type, message);
    if (run->result.failed) { /* cannot happen: the text is shorter than the room */
        tako__log(&t->host, TAKO_LOG_ERROR, "ending", "job %s: no room for its result", run->id);
        tako__letter_drop(&run->letter);
        tako__run_requeue(t, run, run->ended_us, run->ended_us + ENDING_STUCK_US,
                          "no memory for its result");
    }
}

void tako__run_end_cancelled(tako *t, struct tako__run *run)
{
    tako__run_end_plain(t, run, TAKO_CANCELLED, TAKO_VERDICT_CANCELLED, "cancelled",
                        "Job was cancelled before it started");
}
