/* cli_doctor.c - `tako doctor`: how well jobs are isolated on this machine, layer by layer.
 * SPDX-License-Identifier: MIT */
#include "cli.h"

#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

static const char *const doctor_features[] = {"native", "sqlite", "yaml"};
enum { DOCTOR_FEATURES = sizeof doctor_features / sizeof doctor_features[0] };

struct doctor_page {
    bool json;
    int layers;
    int weaker, off;
};

static const char *doctor_state_name(tako_layer_state state)
{
    switch (state) {
    case TAKO_LAYER_ON:
        return "on";
    case TAKO_LAYER_WEAKER:
        return "weaker";
    case TAKO_LAYER_OFF:
        break;
    }
    return "off";
}

static int doctor_layer(void *ctx, const tako_layer *layer)
{
    struct doctor_page *page = ctx;
    const char *detail = layer->detail ? layer->detail : "";

    page->weaker += layer->state == TAKO_LAYER_WEAKER;
    page->off += layer->state == TAKO_LAYER_OFF;
    if (page->json) {
        printf("%s{\"name\":", page->layers ? "," : "");
        cli_print_json_string(stdout, layer->name);
        printf(",\"state\":\"%s\",\"required\":%s,\"detail\":", doctor_state_name(layer->state),
               layer->required ? "true" : "false");
        cli_print_json_string(stdout, layer->detail);
        putchar('}');
    } else {
        if (page->layers == 0)
            puts("Layers of the sandbox:");
        printf("  %-6s  %-20s  ", doctor_state_name(layer->state), layer->name);
        cli_print_safe(stdout, detail, strlen(detail), false);
        puts(layer->required && layer->state == TAKO_LAYER_OFF ? " [required]" : "");
    }
    page->layers++;
    return 0;
}

static void doctor_versions_json(void)
{
    struct utsname os;

    fputs("\"version\":", stdout);
    cli_print_json_string(stdout, tako_version());
    fputs(",\"source_id\":", stdout);
    cli_print_json_string(stdout, tako_source_id());
    fputs(",\"features\":{", stdout);
    for (int i = 0; i < DOCTOR_FEATURES; i++)
        printf("%s\"%s\":%s", i ? "," : "", doctor_features[i],
               tako_has(doctor_features[i]) ? "true" : "false");
    fputs("},\"kernel\":", stdout);
    cli_print_json_string(stdout, uname(&os) == 0 ? os.release : NULL);
    fputs(",\"machine\":", stdout);
    cli_print_json_string(stdout, uname(&os) == 0 ? os.machine : NULL);
}

static void doctor_versions(void)
{
    struct utsname os;

    printf("tako %s (", tako_version());
    for (int i = 0; i < DOCTOR_FEATURES; i++)
        printf("%s%s%s", i ? ", " : "", tako_has(doctor_features[i]) ? "" : "without ",
               doctor_features[i]);
    puts(")");
    if (uname(&os) == 0)
        printf("%s %s %s\n", os.sysname, os.release, os.machine);
    putchar('\n');
}

int cli_doctor(const struct cli_args *args)
{
    struct doctor_page page = {args->json, 0, 0, 0};
    tako_config *c = NULL;
    tako_options opts;
    tako_error err;
    tako *t = NULL;
    int rc;

    if (!cli_config(args, true, &c))
        return CLI_FAILED;
    cli_config_options(c, args, &opts);
    opts.store = "sqlite::memory:"; /* nothing is kept */
    opts.workers = 0;
    if (args->json)
        fputs("{\"layers\":[", stdout);
    else
        doctor_versions();
    rc = tako_open(&t, &opts, &err);
    if (rc == TAKO_OK)
        rc = tako_isolation(t, doctor_layer, &page, &err);
    if (args->json) {
        printf("],\"ready\":%s,\"reason\":", rc == TAKO_OK ? "true" : "false");
        cli_print_json_string(stdout, rc == TAKO_OK ? NULL : err.message);
        putchar(',');
        doctor_versions_json();
        fputs("}\n", stdout);
    } else {
        if (page.layers > 0)
            putchar('\n');
        if (rc != TAKO_OK) {
            fputs("Jobs would be refused here: ", stdout);
            cli_print_safe(stdout, err.message, strlen(err.message), false);
            putchar('\n');
        } else if (page.weaker + page.off > 0) {
            printf("Jobs can run here; %d of %d layers %s not at full strength.\n",
                   page.weaker + page.off, page.layers, page.weaker + page.off == 1 ? "is" : "are");
        } else {
            puts("Jobs can run here, with every layer at full strength.");
        }
    }
    tako_close(t);
    tako_config_free(c);
    return rc == TAKO_OK ? CLI_OK : CLI_FAILED;
}
