/* yaml.h - reading YAML, the safe part of it, into a small tree; yaml.c is the only file that knows
 * libyaml. JSON is read as the YAML it is. SPDX-License-Identifier: MIT */
#ifndef TAKO_YAML_H
#define TAKO_YAML_H

#include "base.h"

#define TAKO__YAML_BYTES_MAX 1048576 /* of a document */
#define TAKO__YAML_DEPTH_MAX 16      /* lists and mappings inside each other */
#define TAKO__YAML_NODES_MAX 65536   /* in a document */
#define TAKO__YAML_KEYS_MAX 1000     /* of one mapping */

enum tako__yaml_kind {
    TAKO__YAML_BAD = 0, /* a fault was reported here already: leave it alone */
    TAKO__YAML_NULL,
    TAKO__YAML_BOOL, /* number is 0 or 1 */
    TAKO__YAML_INT,  /* number has it, or the nearest int64_t that there is */
    TAKO__YAML_FLOAT,
    TAKO__YAML_TEXT,
    TAKO__YAML_LIST,
    TAKO__YAML_MAP
};

struct tako__yaml {
    enum tako__yaml_kind kind;
    int line, column; /* where it begins, both from 1, in characters */
    const char *text; /* of a scalar: as it is written, without its quotes; else "" */
    int64_t number;
    const char *key; /* of an entry of a mapping, else NULL */
    int key_line, key_column;
    size_t count;                    /* of a list or mapping */
    struct tako__yaml *first, *next; /* its entries; the next entry of what it is in */
};

/* `text` is static or lives for the call. */
typedef void tako__yaml_fault_fn(void *ctx, int line, int column, const char *text);

#ifndef TAKO_OMIT_YAML
/* Reads one document: UTF-8, no anchors, aliases, tags other than those of plain scalars, no
 * duplicate keys, within the bounds above. Plain scalars have the types that PyYAML's safe_load
 * gives them (YAML 1.1: yes and off are booleans), but dates are text. Whatever breaks a rule goes
 * to `fault`. TAKO_OK: *out is the tree, also when there were faults that left one; NULL for a
 * document without content. Else TAKO_EINVAL (there was no way to go on) or TAKO_ENOMEM. */
TAKO_PRIVATE int tako__yaml_parse(const tako_host *host, const char *text, size_t len,
                                  tako__yaml_fault_fn *fault, void *ctx, struct tako__yaml **out,
                                  tako_error *err);
TAKO_PRIVATE void tako__yaml_free(const tako_host *host, struct tako__yaml *node);
/* The entry of a mapping, or NULL. */
TAKO_PRIVATE const struct tako__yaml *tako__yaml_get(const struct tako__yaml *map, const char *key);
#endif

#endif
