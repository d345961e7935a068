/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The runner: drives one run through its table of states, on one connection.
 *
 *	CONNECT  connect, session settings        HISTORY  read the rows under the lock
 *	PROBE    which server, is it writable     PLAN     refuse, or go
 *	LOCK     poll the advisory lock           BEGIN PART RECORD COMMIT   each migration
 *	PHASE    the next folder and its table    JOURNAL UNLOCK DONE
 *	PREPARE  create the table if absent
 *
 * runner.c is the driver; the states, one pair of functions each (what is sent, and
 * what the answer means), are in runner_open.c (to the table), runner_history.c,
 * runner_phase.c (which folder comes next), runner_plan.c, runner_ahead.c (what the
 * phases behind it will do), runner_upgrade.c (an
 * older tracking table), runner_apply.c and runner_record.c (each migration),
 * runner_segment.c and runner_alone.c (files that run in segments), runner_repair.c (what
 * a person decided) and runner_close.c (the end).
 */

#include "core/folder.h"
#include "core/run.h"
#include "db/observation.h"
#include "db/target_params.h"
#include <uv.h>

struct runner;

struct runner_events {
	/* The run moved on: state, migration, lock holder. */
	void (*on_change)(void *arg);
	/*
	 * There is something to do: what, as far as it can be known, once in a run, under
	 * the lock, before any of it; it stays until runner_go_on. True: wait for runner_go_on.
	 * NULL: nobody wants to know.
	 */
	bool (*on_planned)(void *arg, const struct outlook *outlook);
	/*
	 * The run is DONE. `seen` is what it knows of the database: the tables of the phases
	 * that it came to, as last read under the lock plus what it recorded; and, where it
	 * has still been connected at its end, the server. The runner frees itself afterwards.
	 */
	void (*on_done)(void *arg, const struct observation *seen);
	void *arg;
};

/*
 * Start; a run of a folder with a problem that blocks is refused without a connection.
 * Takes a reference of the run and of each phase's folder (NULL: the phase is not
 * configured); `params` must stay until on_done.
 */
struct runner *runner_start(uv_loop_t *loop, const struct target_params *params,
    struct run *run, struct folder *const folders[PHASE_COUNT],
    const struct runner_events *events);

/*
 * Finish the migration in hand, start no other: the run ends CANCELLED when steps
 * are left. Before the first migration it ends at once.
 */
void runner_finish_early(struct runner *runner, const char *reason);

/*
 * What on_planned made it wait for is over: go on; or with `err` end REFUSED, nothing done.
 * From the loop, once. A run that was told to stop meanwhile is ending already: then nothing comes
 * of it.
 */
void runner_go_on(void *runner, const struct err *err);

/* Cancel the statement in progress too; the transaction rolls back. */
void runner_cancel(struct runner *runner, const char *reason);
