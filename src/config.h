/* config.h - what the files of the configuration share. config.c loads: file, variables, rules
 * between keys; config_keys.c has the one table of keys, config_values.c reads values,
 * config_types.c job types; config_show.c prints. SPDX-License-Identifier: MIT */
#ifndef TAKO_CONFIG_H
#define TAKO_CONFIG_H

#include "base.h"
#include "rules.h"
#include "yaml.h"

#define TAKO__CONFIG_PATH 192 /* room for the name of a key with all that it is in */
#define TAKO__CONFIG_NAME 144 /* and for its part below a job type */

enum tako__config_kind {
    TAKO__CONFIG_BOOL,
    TAKO__CONFIG_INT,
    TAKO__CONFIG_MILLI, /* a number with up to three decimals; kept in thousandths */
    TAKO__CONFIG_SIZE,  /* bytes, also with k, m or g */
    TAKO__CONFIG_TEXT,
    TAKO__CONFIG_LIST /* of texts */
};

/* What is made of a text before it is kept. */
enum tako__config_form {
    TAKO__CONFIG_PLAIN_FORM,
    TAKO__CONFIG_PATH_FORM,    /* names a file: made absolute */
    TAKO__CONFIG_STORE_FORM,   /* "sqlite:FILE" with FILE made absolute */
    TAKO__CONFIG_DATABASE_FORM /* a driver in the scheme is left out */
};

/* Where a value goes: into tako_options, or into tako_limits. */
enum tako__config_into {
    TAKO__CONFIG_NOWHERE, /* it is looked at by name */
    TAKO__CONFIG_OPTIONS,
    TAKO__CONFIG_LIMITS
};
enum tako__config_member { TAKO__CONFIG_AS_INT, TAKO__CONFIG_AS_INT64, TAKO__CONFIG_AS_TEXT };

struct tako__config_key {
    const char *name;
    const char *group;   /* the mapping it is in, or NULL */
    const char *section; /* heading when shown */
    enum tako__config_kind kind;
    enum tako__config_form form; /* of a text */
    bool secret;                 /* never shown */
    bool url;                    /* shown without its password */
    const char *fallback;        /* as it would be written; NULL = null, which then is allowed */
    int64_t min, max;            /* of a number */
    const char *const *choices;  /* of a text, in their own spelling; any case is taken */
    const char *(*rule)(const char *text);
    const char *env;   /* its variable is TAKO_VM_ and this; NULL = none */
    const char *needs; /* the feature without which it is refused, or NULL */
    const char *why;   /* when set: only the fallback is accepted, and this is the reason */
    enum tako__config_into into;
    enum tako__config_member member;
    size_t at;
    int64_t scale; /* from its unit to the member's */
};

struct tako__config_value {
    bool set;           /* by the file or a variable */
    bool env;           /* by a variable */
    int line, column;   /* in the file */
    const char *text;   /* of a text, or as written of a size; NULL = null */
    int64_t number;     /* of all other kinds; 0 or 1 for a boolean */
    const char **items; /* of a list */
    size_t n_items;
};

/* Where something stands, for messages: in the file, or in a variable. */
struct tako__config_place {
    const char *env; /* the variable's whole name, or NULL */
    int line, column;
    const char *key; /* with what it is in: "job_types[0].timeout"; NULL = the whole file */
};

struct tako_config {
    tako_host host;
    void *blocks; /* all memory below, in a chain */
    bool nomem;
    const char *file; /* or NULL */
    const char *base; /* directory that relative paths of the file begin at */
    const char *cwd;  /* and those of variables */
    tako_problem_fn *problem;
    void *ctx;
    int errors;
    tako_error first; /* of them */
    struct tako__config_value *values;
    tako_limits limits;
    tako_options options;
    tako_level level;
    tako_job_type *types;
    size_t n_types;
    const char *json;
    const char **shown; /* the text of each value */
};

/* ---- config.c ------------------------------------------------------------------------------ */

/* Memory that lives as long as the configuration. NULL, and c->nomem, when there is none. */
TAKO_PRIVATE void *tako__config_alloc(struct tako_config *c, size_t count, size_t size);
TAKO_PRIVATE char *tako__config_text(struct tako_config *c, const char *text);
TAKO_PRIVATE void tako__config_problem(struct tako_config *c, tako_level level,
                                       const struct tako__config_place *at, const char *fmt, ...)
    TAKO__PRINTF(4, 5);
/* `text` made absolute: "~/" is the home directory, a relative one begins at `base`. */
TAKO_PRIVATE char *tako__config_path(struct tako_config *c, const char *base, const char *text);

/* ---- config_keys.c ------------------------------------------------------------------------- */

TAKO_PRIVATE const struct tako__config_key *tako__config_keys(size_t *count);
/* The value of a key by its name, which must be that of one. */
TAKO_PRIVATE const struct tako__config_value *tako__config_get(const struct tako_config *c,
                                                               const char *name);

/* ---- config_values.c ----------------------------------------------------------------------- */

/* Reads a value, complains when it is none of the key's. False = it was not taken. */
TAKO_PRIVATE bool tako__config_take(struct tako_config *c, const struct tako__config_key *key,
                                    const struct tako__yaml *node,
                                    const struct tako__config_place *at,
                                    struct tako__config_value *value);
/* The value of a variable as if it were written in the file. */
TAKO_PRIVATE bool tako__config_take_env(struct tako_config *c, const struct tako__config_key *key,
                                        const char *text, const struct tako__config_place *at,
                                        struct tako__config_value *value);
/* All keys by default. */
TAKO_PRIVATE void tako__config_defaults(struct tako_config *c);
/* Complains of a name that is no key, with the nearest of the list. */
TAKO_PRIVATE void tako__config_unknown(struct tako_config *c, const struct tako__config_place *at,
                                       const char *name, const char *const *names);
#define TAKO__CONFIG_SHOWN 96
/* `text` for a message: short, without controls; "***" in place of what looks like a secret. */
TAKO_PRIVATE const char *tako__config_shown(char out[TAKO__CONFIG_SHOWN], const char *name,
                                            const char *text);

/* ---- config_types.c ------------------------------------------------------------------------ */

TAKO_PRIVATE void tako__config_types(struct tako_config *c, const struct tako__yaml *list);

/* ---- config_show.c ------------------------------------------------------------------------- */

/* Fills c->json and c->shown. */
TAKO_PRIVATE void tako__config_print(struct tako_config *c);
#define TAKO__CONFIG_MILLI_TEXT 32
/* Thousandths as a number with one to three decimals. */
TAKO_PRIVATE const char *tako__config_milli(char out[TAKO__CONFIG_MILLI_TEXT], int64_t milli);
/* A URL without its password, or without its user when that is all there is. */
TAKO_PRIVATE char *tako__config_mask_url(struct tako_config *c, const char *url);

#endif
