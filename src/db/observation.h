/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * What was seen of the database at one moment: an observer reports it after each look, a run when
 * it ends. Whoever is told may keep histories and errors by talloc_steal; all else is valid
 * during the call.
 */

#include "core/status.h"

struct observation {
	/* `looked` is false where there is nothing to say of it */
	struct database_facts database;
	/* of the phases that were read; else its kind is NULL */
	struct tracking_facts tracking[PHASE_COUNT];
	struct lock_facts lock;
	struct history
	    *histories[PHASE_COUNT]; /* NULL: could not be read, or not asked for */
	/* Why not, of a phase beside the schema, whose error is the database's; else NULL. */
	struct err *unread[PHASE_COUNT];
	/* Where the journal has more than at the last look: its newest runs, one reference each. */
	struct run **runs;
	size_t n_runs;
};
