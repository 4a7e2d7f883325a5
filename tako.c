/* tako.c - the engine, in reading order.
 *
 * Compile this one file to get the whole library (cc -c tako.c), or let the Makefile compile
 * the files below one by one: it takes its list from here, and `make amalgamation` turns this
 * page into one file without local includes.
 *
 * Leave features out with -DTAKO_OMIT_SQLITE, -DTAKO_OMIT_NATIVE or -DTAKO_OMIT_YAML.
 * SPDX-License-Identifier: MIT */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* the only place, besides the Makefile, that may */
#endif
#define TAKO_AMALGAMATION 1 /* internal names become static, see src/base.h */

/* 1. ground: memory, strings, errors, log, clock and system, hashes */
#include "src/mem.c"
#include "src/str.c"
#include "src/error.c"
#include "src/log.c"
#include "src/os.c"
#include "src/sha256.c"

/* 2. documents: strict JSON, its canonical print for hashes; the rules for strings from outside */
#include "src/json.c"
#include "src/canon.c"
#include "src/rules.c"

/* 3. the model: records, their JSON, and how an ending is judged */
#include "src/record.c"
#include "src/record_json.c"
#include "src/classify.c"

/* 4. the configuration: a file of the safe part of YAML, and variables, become options and types */
#include "src/config_keys.c"
#ifndef TAKO_OMIT_YAML
#include "src/yaml.c"
#endif
#include "src/config_values.c"
#include "src/config_types.c"
#include "src/config_show.c"
#include "src/config.c"

/* 5. the engine: jobs are checked, committed in groups, claimed, run, recorded */
#include "src/type.c"
#include "src/job.c"
#include "src/pump.c"
#include "src/turn.c"
#include "src/ending.c"
#include "src/env.c"
#include "src/worker.c"
#include "src/keeper.c"
#include "src/engine.c"
#include "src/api.c"
#include "src/lineage.c"

/* 6. back ends: where jobs are kept, and where they run */
#include "backends/exec_handler.c"
#ifndef TAKO_OMIT_SQLITE
#include "backends/store_sqlite_schema.c"
#include "backends/store_sqlite_watch.c"
#include "backends/store_sqlite_read.c"
#include "backends/store_sqlite_keep.c"
#include "backends/store_sqlite_jobs.c"
#include "backends/store_sqlite.c"
#endif
#ifndef TAKO_OMIT_NATIVE
#include "backends/exec_native_init.c"
#include "backends/exec_native_child.c"
#include "backends/exec_native_cgroup.c"
#include "backends/exec_native_seccomp.c"
#include "backends/exec_native_view.c"
#include "backends/exec_native_pool.c"
#include "backends/exec_native_task.c"
#include "backends/exec_native_box.c"
#include "backends/exec_native_tree.c"
#include "backends/exec_native_bare.c"
#include "backends/exec_native_collect.c"
#include "backends/exec_native_probe.c"
#include "backends/exec_native.c"
#endif
