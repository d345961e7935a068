/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * What a hook is told: as variables of its environment, for a shell, and as JSON on its standard
 * input, for a program. Pure: what it knows it is given.
 *
 *	MIGRATION_HOOK            before, after, failure
 *	MIGRATION_RUN             id of the run
 *	MIGRATION_OPERATION       apply, baseline, ...
 *	MIGRATION_OUTCOME         in_progress, succeeded, failed, refused, cancelled
 *	MIGRATION_TARGET          default
 *	MIGRATION_REQUESTED_BY
 *	MIGRATION_IDS             planned (before) or applied, one a line
 *	MIGRATION_COUNT           how many these are
 *	MIGRATION_FAILED          how many a lenient phase left out because they failed
 *	MIGRATION_ERROR           and _ERROR_CATEGORY, _ERROR_MIGRATION: "" where all is well
 *
 * MIGRATIOND_* are settings: a migrationctl in a hook would read them.
 */

#include <stddef.h>

#include "core/plan.h"
#include "core/run.h"
#include "http/metrics.h"

/* The ids of the steps of a plan, or of what a run applied; an array owned by `ctx`. */
const char **hook_planned_ids(const void *ctx, const struct plan *plan);
const char **hook_applied_ids(const void *ctx, const struct run *run);

/*
 * The environment: `environ` and the variables above.
 * NULL-terminated, owned by `ctx`. A list of ids above HOOK_IDS_BYTES is cut at a line: the kernel
 * takes 128 KiB a variable (execve(2)); the JSON has them all.
 */
#define HOOK_IDS_BYTES (64u << 10)
char **hook_environ(const void *ctx, enum hook_kind kind, const struct run *run,
    const char *const *ids, size_t n_ids, char *const *environ);
