/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The plan: what stands where, and what a run would do about it. A pure function
 * of folder + history + policy; it reads no clock, file or socket.
 *
 * Pending is a set difference, never a watermark. What drizzle-orm 0.x would
 * skip in silence because its `when` is not above the newest created_at is
 * `out_of_order`, and the policy says what becomes of it.
 *
 * How a row finds its migration (each row at most one migration, each migration
 * any number of equal rows):
 *
 *	1. equal key and, where the table has checksums, equal checksum: applied
 *	2. equal key, other checksum: modified
 *	3. other or NULL key, equal checksum of a migration without a row
 *	   (a journal whose `when` was edited): applied
 *
 * Of a drizzle-orm 1.0 table (HISTORY_BY_NAME) 3 is for NULL keys alone; of a 0.x table
 * with a 1.0 folder (HISTORY_BY_SECOND) see plan_match.h.
 *
 * What is left of the rows is `missing`; rows that record a failure never count.
 *
 *	struct plan *plan = plan_build(ctx, &input);
 *
 *	if (plan->refusal.category != CAT_NONE) ... refused, nothing may run
 *	for (i < plan->n_steps) ... plan->steps[i].migration
 */

#include <stdbool.h>
#include <stddef.h>

#include "core/folder.h"
#include "core/history.h"
#include "core/script.h"

enum plan_operation {
	PLAN_APPLY,
	PLAN_BASELINE,
	PLAN_REPAIR,   /* what a person decided about one migration; nothing is planned */
	PLAN_ROLLBACK, /* undo the newest by what their files say of the way back */
	PLAN_OPERATION_COUNT
};

enum plan_out_of_order {
	OUT_OF_ORDER_REFUSE,
	OUT_OF_ORDER_APPLY,
	OUT_OF_ORDER_SKIP
};

enum plan_on_modified {
	ON_MODIFIED_WARN,
	ON_MODIFIED_REFUSE
};

enum plan_transaction {
	TRANSACTION_MIGRATION,
	TRANSACTION_RUN
};

/* Numbers of migrations that must never change again; `to` 0: none. */
struct plan_range {
	int64_t from;
	int64_t to;
};

/* Whether what is applied is run again. */
enum plan_rerun {
	RERUN_NEVER,
	RERUN_CHANGED, /* when its content is another than the one recorded */
	RERUN_ALWAYS   /* in every run */
};

struct plan_policy {
	enum plan_out_of_order out_of_order;
	enum plan_on_modified on_modified;
	enum plan_transaction transaction;
	struct plan_range immutable;
	enum plan_rerun rerun; /* of a target: its seeds */
};

struct plan_input {
	const struct folder *folder;
	const struct history *history; /* NULL: never read, so no state is known */
	struct plan_policy policy;
	enum plan_operation operation;
	const char *target; /* up to this one (id, file or version); NULL: all */
	/*
	 * Baseline: although the history is not empty. Rollback: although a file was changed
	 * since it was applied.
	 */
	bool force;
	/*
	 * Rollback: so many of the newest; 0: all that is newer than the target. `only`: the
	 * target itself, which has to be the newest.
	 */
	unsigned steps;
	bool only;
	bool spare_failed;   /* what failed is no step: nobody asked for another try */
	const char *running; /* id of the migration in hand, or NULL */
	/* ids that the run in progress has committed, as the folder has them in order */
	const char *const *committed;
	size_t n_committed;
	const char *failed; /* id of the one that the last run stopped at, or NULL */
	/* its checksum then: an edited file is pending again */
	const char *failed_checksum;
	/* a pooler is in between: no session keeps what is set for it */
	bool pooled;
	const struct dialect *dialect; /* of the server; NULL: PostgreSQL's */
	bool in_doubt; /* it stopped there to ask what became of a statement */
};

/*
 * One line of /migrations: a migration, a row without one, or a file that
 * nobody lists.
 */
struct plan_item {
	enum migration_state state;
	/* NULL for missing rows and unregistered files */
	const struct migration *migration;
	/* NULL when not recorded; what is to be run again may be PENDING with one */
	const struct history_row *row;
	/* what it was applied with, by the row or else our journal; NULL: nobody knows */
	const char *recorded_checksum;
	const char *id; /* the migration's, else the row's name or key, else the file */
	/* out of order, and a run takes it all the same: by policy or directive */
	bool late_allowed;
};

/* What a step does with the row of its migration. */
enum plan_write {
	PLAN_ADD_ROW,
	PLAN_REMOVE_ROW,
	PLAN_BLESS_ROW, /* it gets the checksum that the file has now */
	PLAN_KEEP_ROW   /* nothing; no step has it */
};

/* One migration to run or, in a baseline, to record. */
struct plan_step {
	const struct migration *migration; /* what is run: in a rollback, the `down` */
	const struct migration *of;        /* whose row it is about; else the same */
	const struct script *script;       /* how it is run; NULL in a baseline */
	/*
	 * Whether the transaction ends after it. False for all but the last
	 * with TRANSACTION_RUN and in a baseline; and where a later step's
	 * `order` is not above all before it (a Drizzle journal with hand-made
	 * `when`): they must become visible together, or a crash would leave
	 * the later out of order. But a script in segments commits by itself, so
	 * the step before it and it end theirs in any case, with a warning.
	 */
	bool commit;
	enum plan_write write;
	/* Where it does not add one: the row, as it was read; */
	const struct history_row *row;
	/* and the newest that stays applied, or NULL. */
	const struct migration *before;
};

struct plan_problem {
	enum migration_state state;
	bool blocks; /* a reason why the plan is refused; else a warning */
	struct err err;
};

struct plan {
	bool known; /* a history was given; else items and steps say nothing */
	/* folder order, then missing rows, then unregistered files */
	struct plan_item *items;
	size_t n_items;
	size_t counts[MIGRATION_STATE_COUNT];
	struct plan_step *steps;
	size_t n_steps;
	struct plan_problem *problems;
	size_t n_problems;
	/* The first problem that blocks, and how many more do; CAT_NONE: go. */
	struct err refusal;
};

/*
 * The plan, owned by `ctx`; it points into folder and history, which must
 * outlive it.
 *
 * Refused, which means refusal set and no steps:
 *
 *	a problem of the folder that blocks
 *	an unknown target (RESOURCE_NOT_FOUND)
 *	a step whose file is invalid; in a baseline, one without a checksum
 *	a step whose script has a problem (with file and line; exit code 8, for
 *	    nothing has run)
 *	behind a pooler, a step that sets something for its session before a statement
 *	    that runs alone (CONFIGURATION, 409, exit code 8)
 *	out of order, with policy refuse and without the directive that allows it
 *	    (OUT_OF_ORDER; layout->remedy as hint)
 *	modified, with policy refuse or in the immutable range (CHECKSUM_MISMATCH)
 *	a baseline over a history, without force (CONFIGURATION, 409, exit code 8)
 *	a rollback (plan_undo.c) over what has no way back, was changed since and is not
 *	    forced, was never run (a baseline) or has no file; of more steps than there
 *	    are; of one that is not the newest (409, exit code 8)
 *	an apply where the tracking table has no rows and another tool's has (elsewhere.h;
 *	    likewise)
 *	what another version of the table's own tool would run again, or has made
 *	    unknowable (plan_judge_history.c; likewise)
 *
 * Warnings: modified or invalid files that are applied, rows without a file,
 * what policy skip leaves out, notes of the folder, files in segments where one
 * transaction was asked for, and NULL keys, for which
 * drizzle-orm 0.x would run everything again. A target that is applied already
 * leaves no steps.
 */
struct plan *plan_build(const void *ctx, const struct plan_input *input);

/* The newest that is recorded, of those before that position; or NULL. */
const struct migration *plan_before(const struct plan *plan, size_t position);

/* The first item in that state, of which the plan has counted one at least. */
const struct plan_item *plan_first(const struct plan *plan, enum migration_state state);

/* The item of that id, file or version, or NULL. */
const struct plan_item *plan_find(const struct plan *plan, const char *name);
