/* named.c - a host that names its cgroup, for checks.py: prints how memory, pids and CPU are
 * limited, then how one job ended. Usage: named GROUP. SPDX-License-Identifier: MIT */
#include <tako.h>

#include <stdio.h>
#include <string.h>

static int named_layer(void *ctx, const tako_layer *layer)
{
    static const char *const state[] = {"off", "weaker", "on"};

    (void)ctx;
    if (strstr(layer->name, "_limit"))
        printf("%s %s: %s\n", layer->name, state[layer->state], layer->detail);
    return 0;
}

int main(int argc, char **argv)
{
    tako_options opts = TAKO_OPTIONS_INIT;
    tako_job job = TAKO_JOB_INIT;
    tako_record *record = NULL;
    tako *t = NULL;
    tako_error err = {0};
    int rc;

    opts.cgroup = argc > 1 ? argv[1] : NULL;
    job.code = "print(1 + 1)";
    rc = tako_open(&t, &opts, &err);
    if (rc == TAKO_OK) {
        tako_isolation(t, named_layer, NULL, NULL);
        if ((rc = tako_start(t, &err)) == TAKO_OK)
            rc = tako_run(t, &job, &record, &err);
    }
    if (rc == TAKO_OK)
        printf("%s %s", tako_status_name(tako_record_status(record)),
               tako_record_stdout(record, NULL));
    else
        printf("%s\n", err.message);
    tako_record_free(record);
    tako_close(t);
    return rc != TAKO_OK;
}
