/* store_kinds.h - the stores that the contract is tested on: SQLite in memory, SQLite in a file, and
 * the one that a host wrote with tako.h alone.
 * SPDX-License-Identifier: MIT */
#ifndef TAKO_TESTS_STORE_KINDS_H
#define TAKO_TESTS_STORE_KINDS_H

#include "store_cases.h"

#define TAKO_EXAMPLE_NO_MAIN
#include "../../examples/custom_store.c"

enum { SQLITE_MEMORY, SQLITE_FILE, CUSTOM, STORES };

CASES_UNUSED static void box_open(struct box *b, int which)
{
    if (which == SQLITE_FILE) {
        box_open_file(b);
        return;
    }
    memset(b, 0, sizeof *b);
    b->ops = which == CUSTOM ? &custom_store : tako_store_sqlite();
    snprintf(b->uri, sizeof b->uri, "%s", which == CUSTOM ? "custom:" : "sqlite::memory:");
    MUST(b->ops->open(&b->self, b->uri, cases_host(), err));
}

#endif
