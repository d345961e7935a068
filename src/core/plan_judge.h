/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * What speaks against a plan, and what its reader should know. Part of
 * plan_build: plan.c makes items and steps, plan_judge looks at them, adds the
 * problems and sets the refusal.
 */

#include "base/bounds.h"
#include "core/plan.h"
#include "core/plan_match.h"

/* A plan in the making. */
struct plan_draft {
	const struct plan_input *input;
	struct plan *plan;
	struct plan_match *match; /* NULL without a history */
	size_t scope;             /* steps lie before this position: the target's */
	bool target_unknown;
	/* for each item: it may run although it is older than the newest applied */
	bool *may_be_late;
	/* the first that ends a transaction which others should have shared, or NULL */
	const struct migration *split;

	size_t n_recorded; /* rows that do not record a failure */
	size_t n_missing;  /* of these, rows without a migration */
	bool has_newest;
	int64_t newest; /* highest order of them */
	const char *newest_id;

	size_t n_blocking;
};

/*
 * The steps of a rollback, newest first, and what speaks against it; in plan_undo.c. Items are
 * there, and problems may be added. `target` NULL: there is none.
 */
void plan_undo(struct plan_draft *draft, const struct migration *target);

/* What to call a row that has no migration. Never NULL. */
const char *plan_row_label(const struct history_row *row);

/*
 * Whether the row that stands for a migration is of its number and bears another one's name, in a
 * table that keeps no checksums: which file has run, the row does not tell.
 */
bool plan_row_is_anothers(const struct plan_item *item);

/* Add the problems and set plan->refusal. Items and steps are there. */
void plan_judge(struct plan_draft *draft);

/* In plan_judge_history.c: whose tracking table it is, and what its own tool would make of it. */
void plan_judge_history(struct plan_draft *draft);

/* ---- for both ---- */

/* Ids for a sentence: the first five, and how many more. Begins as { 0 }. */
#define PLAN_LISTED 5
struct plan_list {
	const struct plan_item *first;
	size_t n;
	char text[PLAN_LISTED * (BOUND_NAME_BYTES + 2) +
	    sizeof(" and 18446744073709551615 more")];
};

void plan_list_add(struct plan_list *list, const struct plan_item *item);
const char *plan_list_end(struct plan_list *list); /* its text */

/* What is said already is not said again. */
void plan_add_problem(struct plan_draft *draft, enum migration_state state, bool blocks,
    const struct err *err);
void plan_name_migration(struct err *err, const struct migration *m);
