/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The runs that /runs shows, those of other daemons on the same table too: newest first, at
 * most BOUND_RUNS_KEPT; the oldest go. Their ids are the order, here and in the journal.
 */

#include "base/bounds.h"
#include "core/folder.h"
#include "core/run.h"

struct run_list {
	struct run *runs[BOUND_RUNS_KEPT]; /* one reference each */
	size_t n;
};

/*
 * A run that starts now: becomes the first. It is given an id behind all that are known here,
 * for the clock may have gone back, or another daemon's be ahead. Takes a reference.
 */
void run_list_add(struct run_list *list, struct run *run);

/*
 * A run that the journal has: goes where its id says. The caller's reference is taken over. A run
 * that is listed already (it is ours) is dropped; so is one for which our own, not done, would go.
 */
void run_list_add_known(struct run_list *list, struct run *run);

/* The run of that id, or NULL. */
struct run *run_list_find(const struct run_list *list, const char *id);

/*
 * The run that failed at a migration, or stopped to ask about one, which is parked: not
 * applied since, and not settled by a repair. It counts for the content of then alone
 * (failed_checksum), where the folder of that phase (not NULL) has a file of that name; and for
 * its phase alone: those may have files of the same names.
 * NULL: none.
 */
const struct run *run_list_parked(
    const struct run_list *list, enum phase phase, const struct folder *folder);

/*
 * The run that rolled this migration of the schema back, with a file of this content; NULL
 * when it was not, or something else became of it since.
 */
const struct run *run_list_rolled_back(
    const struct run_list *list, const char *migration, const char *checksum);

/* Whether any of them was a rollback: else there is nothing to look for. */
bool run_list_has_rollback(const struct run_list *list);

/* The run that finished last, or NULL. */
const struct run *run_list_last_finished(const struct run_list *list);

/* Drop those that are done: they are of another database, or of another table of it. */
void run_list_forget(struct run_list *list);

/* Drop all. */
void run_list_clear(struct run_list *list);
