/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The phases of a run, in their order. Each is a folder with a layout, a tracking table
 * and rules; but for the schema's, none is there unless it is configured.
 *
 *	schema      the migrations
 *	data        dated files, each once; a failure is told loudly and stops nothing
 *	repeatable  files that run again when they have changed: views, functions
 *	seeds       idempotent files: when they have changed, or in every run
 *
 *	for (p = 0; p < PHASE_COUNT; p++)
 *		if (folders[p] != NULL) ...
 */

#include "core/plan.h"

enum phase {
	PHASE_SCHEMA,
	PHASE_DATA,
	PHASE_REPEATABLE,
	PHASE_SEEDS,
	PHASE_COUNT
};

/* A set of phases, one bit each. */
#define PHASE_BIT(phase) (1u << (phase))

/* "data", for PHASE_DATA: a names_fn (base/names.h). */
const char *phase_name(size_t phase);

/* The phase of that name, or PHASE_COUNT. */
enum phase phase_find(const char *name);

/* How its folder is laid out; NULL: as configured, or as it looks. */
const char *phase_layout(enum phase phase);

/* The kind of its tracking table; NULL: as configured, or the layout's own. */
const char *phase_tracking(enum phase phase);

/*
 * A migration of it that fails neither ends the run nor keeps others from running, and
 * the schema counts as current without it.
 */
bool phase_is_lenient(enum phase phase);

/*
 * The first problem that keeps a run of the `asked` phases (0: all) from beginning, or
 * NULL. Folders by phase, NULL where there is none; a lenient phase keeps none.
 */
const struct folder_problem *phase_blocker(
    unsigned asked, struct folder *const folders[PHASE_COUNT]);

/* What a run would do, by phase; NULL: that phase is no part of it, or is not known. */
struct outlook {
	const struct plan *plans[PHASE_COUNT];
	unsigned unknown; /* set of phases whose table could not be read */
};

/* Whether a phase is one of those that are asked for (0: all). */
static inline bool
phase_is_asked(unsigned asked, unsigned phase)
{
	return asked == 0 || (asked & PHASE_BIT(phase)) != 0;
}

/* How its migrations are planned where the target says `target`. */
struct plan_policy phase_policy(enum phase phase, const struct plan_policy *target);
