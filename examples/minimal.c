/* minimal.c - the five-line program: one Python job, its status and its output.
 *
 *     cc minimal.c tako.o -lsqlite3 -lcjson -lseccomp -lyaml -lpthread
 *
 * SPDX-License-Identifier: MIT */
#include "tako.h"
#include <stdio.h>

int main(void)
{
    tako *t = NULL;
    tako_record *rec = NULL;
    tako_error err;
    tako_options opts = TAKO_OPTIONS_INIT;
    tako_job job = TAKO_JOB_INIT;
    int failed;

    opts.store = "sqlite:jobs.db";
    job.code = "print(1 + 1)";
    if (tako_open(&t, &opts, &err) || tako_start(t, &err) || tako_run(t, &job, &rec, &err))
        fprintf(stderr, "%s\n", err.message);
    else
        printf("%s: %s", tako_status_name(tako_record_status(rec)), tako_record_stdout(rec, NULL));
    failed = rec == NULL;
    tako_record_free(rec);
    tako_close(t);
    return failed;
}
