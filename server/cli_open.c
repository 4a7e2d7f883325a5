/* cli_open.c - opening the store for the commands that run nothing, and finding a job in it by the
 * beginning of its id.
 * SPDX-License-Identifier: MIT */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

int cli_open(const struct cli_args *args, enum cli_opening how, tako **t)
{
    tako_config *c = NULL;
    tako_options opts;
    tako_error err;
    char *uri = NULL;
    bool absent = false;
    int code = CLI_FAILED, rc;

    *t = NULL;
    if (!cli_config(args, false, &c))
        return CLI_FAILED;
    cli_config_options(c, args, &opts);
    if (how == CLI_OPEN_NONE) {
        opts.data_dir = NULL;
        uri = strdup("sqlite::memory:");
        if (!uri) {
            cli_say("out of memory");
            goto out;
        }
    } else if (!cli_store_uri(args, c, how == CLI_OPEN_MAKE, &uri, &absent)) {
        goto out;
    }
    if (absent && how != CLI_OPEN_MAKE) {
        /* Reading must not create a store; for a name that was given it is likely a slip. */
        const char *env = getenv("TAKO_STORE");

        if (!args->store && !(env && *env))
            code = CLI_OK;
        else
            cli_say("%s: there is no such store", uri);
        goto out;
    }
    opts.store = uri;
    opts.workers = 0;
    opts.log = cli_config_log(c);
    rc = c && how != CLI_OPEN_READ ? tako_config_open(t, c, &opts, &err)
                                   : tako_open(t, &opts, &err);
    if (rc == TAKO_OK)
        code = CLI_OK;
    else
        cli_say("%s", err.message);
out:
    free(uri);
    tako_config_free(c);
    return code;
}

/* ---- ids --------------------------------------------------------------------------------- */

struct open_match {
    const char *prefix;
    size_t len;
    int found;
    tako_id id;
};

static int open_match_one(void *ctx, const tako_record *rec)
{
    struct open_match *m = ctx;

    if (strncmp(tako_record_id(rec), m->prefix, m->len) == 0) {
        m->found++;
        snprintf(m->id.text, sizeof m->id.text, "%s", tako_record_id(rec));
    }
    return m->found > 1;
}

bool cli_resolve(tako *t, const char *typed, tako_id *id)
{
    struct open_match m = {typed, strlen(typed), 0, {""}};
    tako_filter all = TAKO_FILTER_INIT;
    tako_error err;

    if (m.len >= sizeof id->text - 1) {
        if (m.len == sizeof id->text - 1) {
            snprintf(id->text, sizeof id->text, "%s", typed);
            return true;
        }
    } else if (m.len >= 4 && strspn(typed, "0123456789abcdef-") == m.len) {
        all.limit = 1000;
        if (t && tako_list(t, &all, open_match_one, &m, &err) < 0) {
            cli_say("%s", err.message);
            return false;
        }
        if (m.found == 1) {
            *id = m.id;
            return true;
        }
        if (m.found > 1)
            cli_say("%s: several jobs begin so; give more of the id", typed);
        else
            cli_say("%s: none of the newest 1000 jobs begins so", typed);
        return false;
    }
    cli_say("%s: not the id of a job; it has 36 characters, of which the first few do", typed);
    return false;
}
