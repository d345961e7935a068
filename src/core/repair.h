/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * What a person decided about one migration, as POST /repair has it: a pure function of
 * where the migration stands and of the word.
 *
 *	retry      run the statement in doubt again
 *	applied    it ran; or, where nothing is in doubt, record the migration without running it
 *	pending    begin anew; of a migration that is recorded, take the row away
 *	checksum   the file is right as it is now: give the row its checksum
 *	forget     take the row away that no file has
 *
 * and, of no migration at all, remove-guard: the index of guard = on goes.
 *
 *	if (repair_decide(item, name, action, &repair, &err) < 0)
 *		...
 *	if (repair.asks_first) ... the journal of statements, and where nothing is in doubt:
 *	repair.write ... what becomes of the row; PLAN_KEEP_ROW: nothing, so it is refused
 */

#include "core/plan.h"

/* Those words; NULL ends them. */
extern const char *const repair_actions[];

/* Whether the word (may be NULL) is remove-guard. */
bool repair_is_of_guard(const char *action);

struct repair {
	bool asks_first; /* a statement may be in doubt: then it is about that one */
	bool back;       /* and that is one of the way back */
	enum plan_write write;
	const char *after; /* where the migration stands when the row is written */
};

/*
 * CONFIGURATION (409, EXIT_REFUSED) where the word does not fit; RESOURCE_NOT_FOUND where
 * `item` (may be NULL) is no migration. `name`: what was asked for.
 */
int repair_decide(const struct plan_item *item, const char *name, const char *action,
    struct repair *out, struct err *err) MUST_CHECK;

/* Nothing is in doubt, and there is no row to write: what to do instead. Returns -1. */
int repair_refuse(const struct plan_item *item, const char *action, struct err *err);

/* The one step that writes the row, owned by `plan` as its only one. */
void repair_plan(struct plan *plan, const struct plan_item *item, enum plan_write write);
