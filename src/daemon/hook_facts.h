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
 *	MIGRATION_UNKNOWN         phases (before) of which nobody can tell yet, one a line
 *	MIGRATION_FAILED          how many a lenient phase left out because they failed
 *	MIGRATION_ERROR           and _ERROR_CATEGORY, _ERROR_MIGRATION: "" where all is well
 *
 * MIGRATIOND_* are settings: a migrationctl in a hook would read them.
 */

#include <stddef.h>

#include "core/phase.h"
#include "core/run.h"
#include "http/metrics.h"

/*
 * The environment: `environ` and the variables above; `outlook` is NULL but for before.
 * NULL-terminated, owned by `ctx`. A list of ids above HOOK_IDS_BYTES is cut at a line: the kernel
 * takes 128 KiB a variable (execve(2)); the JSON has them all.
 */
#define HOOK_IDS_BYTES (64u << 10)
char **hook_environ(const void *ctx, enum hook_kind kind, const struct run *run,
    const struct outlook *outlook, char *const *environ);
