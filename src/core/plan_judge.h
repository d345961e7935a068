/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * What speaks against a plan, and what its reader should know. Part of
 * plan_build: plan.c makes items and steps, plan_judge looks at them, adds the
 * problems and sets the refusal.
 */

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

/* What to call a row that has no migration. Never NULL. */
const char *plan_row_label(const struct history_row *row);

/* Add the problems and set plan->refusal. Items and steps are there. */
void plan_judge(struct plan_draft *draft);
