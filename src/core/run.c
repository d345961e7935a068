/* SPDX-License-Identifier: PostgreSQL */
#include "core/run.h"

#include <assert.h>
#include <string.h>

#include "base/failpoint.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/text.h"

#define BIT(state) (1u << (state))

/* After a migration comes the next one, or the next phase; a segment likewise. */
#define FIRST_OF_IT    (BIT(RUN_BEGIN) | BIT(RUN_RESUME) | BIT(RUN_BATCH))
#define NEXT_MIGRATION (FIRST_OF_IT | BIT(RUN_PHASE))
#define NEXT_SEGMENT   (BIT(RUN_BEGIN) | BIT(RUN_INTENT) | BIT(RUN_CONNECT))

/*
 * A new state is one row here; the steps that go with it are in
 * db/runner_*.c. Besides what `next` and `on_fail` allow, each state may go
 * to DONE: a lost connection leaves nothing to undo or unlock.
 */
static const struct run_row {
	const char *name;
	unsigned next; /* bits of the states that follow when all is well */
	enum run_state on_fail;
	const char *sentence;
} rows[RUN_STATE_COUNT] = {
	/* clang-format off */
	[RUN_NEW] = { "new", BIT(RUN_CONNECT), RUN_DONE,
		"waiting to start" },
	[RUN_CONNECT] = { "connect", BIT(RUN_PROBE), RUN_DONE,
		"connecting to the database" },
	[RUN_PROBE] = { "probe", BIT(RUN_LOCK), RUN_DONE,
		"looking what server this is, and whether it can be written to" },
	[RUN_LOCK] = { "lock", BIT(RUN_PHASE) | BIT(RUN_PREPARE), RUN_DONE,
		"waiting for another migrationd to finish" },
	[RUN_PHASE] = { "phase",
		BIT(RUN_PREPARE) | BIT(RUN_JOURNAL) | BIT(RUN_CONNECT), RUN_JOURNAL,
		"going on with the next phase" },
	[RUN_PREPARE] = { "prepare", BIT(RUN_HISTORY), RUN_PHASE,
		"creating the tracking table, unless it is there" },
	[RUN_HISTORY] = { "history", BIT(RUN_PLAN), RUN_PHASE,
		"reading what is applied already" },
	[RUN_PLAN] = { "plan",
		NEXT_MIGRATION | BIT(RUN_UPGRADE) | BIT(RUN_AHEAD) | BIT(RUN_HOOK) |
			BIT(RUN_REPAIR) | BIT(RUN_NOTE),
		RUN_PHASE,
		"deciding what has to run" },
	[RUN_UPGRADE] = { "upgrade", BIT(RUN_PREPARE), RUN_ROLLBACK,
		"bringing the tracking table up to its tool's new version" },
	[RUN_AHEAD] = { "ahead", FIRST_OF_IT | BIT(RUN_HOOK), RUN_PHASE,
		"reading what is applied of the phases behind this one" },
	[RUN_HOOK] = { "hook", FIRST_OF_IT | BIT(RUN_CONNECT), RUN_JOURNAL,
		"waiting for the hook or the verification that has to succeed first" },
	[RUN_REPAIR] = { "repair", BIT(RUN_PHASE) | BIT(RUN_BEGIN), RUN_PHASE,
		"noting in the journal what a person decided" },
	[RUN_RESUME] = { "resume", NEXT_SEGMENT | BIT(RUN_OUTCOME), RUN_NOTE,
		"reading what has run of a migration that runs in segments" },
	[RUN_BATCH] = { "batch", BIT(RUN_BEGIN), RUN_NOTE,
		"reading how far a migration that runs in batches has come" },
	[RUN_BEGIN] = { "begin", BIT(RUN_PART) | BIT(RUN_RECORD), RUN_ROLLBACK,
		"opening a transaction for the next migration" },
	[RUN_PART] = { "part", BIT(RUN_PART) | BIT(RUN_MARK) | BIT(RUN_RECORD), RUN_ROLLBACK,
		"running the SQL of a migration" },
	[RUN_MARK] = { "mark", BIT(RUN_COMMIT), RUN_ROLLBACK,
		"noting in the journal which statements this transaction did" },
	[RUN_RECORD] = { "record", BIT(RUN_COMMIT) | BIT(RUN_BEGIN), RUN_ROLLBACK,
		"writing the migration's row into the tracking table" },
	[RUN_COMMIT] = { "commit",
		NEXT_MIGRATION | NEXT_SEGMENT | BIT(RUN_PACE) | BIT(RUN_CONNECT), RUN_ROLLBACK,
		"committing, which keeps the migration and its row" },
	[RUN_PACE] = { "pace", BIT(RUN_BEGIN) | BIT(RUN_CONNECT), RUN_NOTE,
		"waiting between two batches" },
	[RUN_INTENT] = { "intent", BIT(RUN_ALONE), RUN_NOTE,
		"noting in the journal that a statement is about to run alone" },
	[RUN_ALONE] = { "alone", BIT(RUN_OUTCOME), RUN_NOTE,
		"running a statement that cannot run in a transaction" },
	[RUN_OUTCOME] = { "outcome", NEXT_SEGMENT, RUN_NOTE,
		"looking what the statement left, and noting it done" },
	[RUN_RETRY] = { "retry", BIT(RUN_BEGIN), RUN_NOTE,
		"waiting for others to let go of what the migration needs" },
	[RUN_ROLLBACK] = { "rollback", BIT(RUN_HISTORY) | BIT(RUN_RETRY) | BIT(RUN_NOTE), RUN_NOTE,
		"undoing what was not committed" },
	[RUN_NOTE] = { "note", NEXT_MIGRATION | BIT(RUN_CONNECT), RUN_PHASE,
		"noting the failure, where the tracking table keeps failures" },
	[RUN_JOURNAL] = { "journal", BIT(RUN_UNLOCK), RUN_UNLOCK,
		"writing the run into the journal" },
	[RUN_UNLOCK] = { "unlock", BIT(RUN_DONE), RUN_DONE,
		"giving the lock back" },
	[RUN_DONE] = { "done", 0, RUN_DONE,
		"finished" },
	/* clang-format on */
};

struct run *
run_new(const struct run_request *request, const char *target, int64_t now_us,
    int64_t mono_us)
{
	struct run *run = mem_zero(NULL, struct run);

	run->refs = 1;
	digest_uuid7(now_us, run->id);
	run->target = mem_strdup(run, target);
	run->operation = request->operation;
	run->asked_phases = request->phases;
	run->up_to = mem_strdup(run, request->up_to);
	run->force = request->force;
	run->by_itself = request->by_itself;
	run->steps = request->steps;
	run->only = request->only;
	run->verify = request->verify;
	run->action = mem_strdup(run, request->action);
	run->requested_by = mem_strdup(run, request->requested_by);
	run->reason = mem_strdup(run, request->reason);
	run->started_at_us = now_us;
	run->started_mono_us = mono_us;
	return run;
}

struct run *
run_ref(struct run *run)
{
	run->refs++;
	return run;
}

void
run_unref(struct run *run)
{
	if (run != NULL && --run->refs == 0)
		talloc_free(run);
}

/* NULL is as good as "". */
static bool
is_same(const char *a, const char *b)
{
	return strcmp(a != NULL ? a : "", b != NULL ? b : "") == 0;
}

bool
run_is_for(const struct run *run, const struct run_request *request)
{
	return run->operation == request->operation &&
	    run->asked_phases == request->phases && run->force == request->force &&
	    run->steps == request->steps && run->only == request->only &&
	    run->verify == request->verify && is_same(run->up_to, request->up_to) &&
	    is_same(run->action, request->action);
}

void
run_set_state(struct run *run, enum run_state state)
{
	const struct run_row *row = &rows[run->state];

	assert((row->next & BIT(state)) || state == row->on_fail || state == RUN_DONE);
	assert(run->state != RUN_DONE);
	log_debug(rows[state].sentence, LOG_STR("run", run->id),
	    LOG_STR("from", row->name), LOG_STR("to", rows[state].name),
	    LOG_STR("migration", run->current));
	run->state = state;
	FAILPOINT("state:%s>%s", row->name, rows[state].name);
}

enum run_state
run_on_fail(enum run_state state)
{
	return rows[state].on_fail;
}

void
run_begin_phase(struct run *run, enum phase phase)
{
	run->phase = phase;
	run->phases[phase].begun = true;
}

void
run_plan_phase(struct run *run, size_t n_steps)
{
	struct run_phase *phase = &run->phases[run->phase];

	phase->n_planned = phase->n_applied + phase->n_failed + n_steps;
	run->n_planned = run->n_applied + run->n_failed + n_steps;
}

void
run_place_error(struct run *run)
{
	if (err_is_set(&run->err) && run->phase != PHASE_SCHEMA)
		run->err.phase = phase_name(run->phase);
}

void
run_begin_migration(struct run *run, const struct migration *migration, int64_t mono_us)
{
	talloc_free(run->current);
	run->current = mem_strdup(run, migration->id);
	run->current_mono_us = mono_us;
}

void
run_add_applied(struct run *run, const struct migration *migration, int64_t duration_us)
{
	size_t n = run->n_applied;

	run->applied = mem_grow(run, run->applied, struct run_migration, n + 1);
	run->applied[n] = (struct run_migration){
		.phase = run->phase,
		.id = mem_strdup(run, migration->id),
		.version = mem_strdup(run, migration->version),
		.checksum = mem_strdup(run, migration->checksum),
		.duration_us = duration_us,
	};
	run->n_applied = n + 1;
	run->phases[run->phase].n_applied++;
	TALLOC_FREE(run->current);
}

bool
run_has_done(const struct run *run, const char *id)
{
	const struct run_phase *phase = &run->phases[run->phase];

	for (size_t i = 0; i < run->n_applied; i++)
		if (run->applied[i].phase == run->phase &&
		    strcmp(run->applied[i].id, id) == 0)
			return true;
	for (size_t i = 0; i < phase->n_failures; i++)
		if (strcmp(phase->failures[i].migration, id) == 0)
			return true;
	return false;
}

void
run_add_warning(struct run *run, const struct err *err)
{
	char line[ERR_LINE];

	run->warnings = mem_grow(run, run->warnings, char *, run->n_warnings + 1);
	run->warnings[run->n_warnings++] =
	    mem_strdup(run, err_format(err, line, sizeof(line)));
}

void
run_set_differences(struct run *run, const struct drift *drift)
{
	run->differences = mem_array(run, char *, drift->n);
	for (size_t i = 0; i < drift->n; i++)
		run->differences[i] = mem_strdup(run->differences, drift->differences[i]);
	run->n_differences = drift->n;
	run->n_more_differences = drift->n_more;
}

static enum run_outcome
outcome_of(const struct run *run, bool refused)
{
	if (!err_is_set(&run->err))
		return RUN_SUCCEEDED;
	if (run->err.category == CAT_CANCELLED)
		return RUN_CANCELLED;
	return refused ? RUN_REFUSED : RUN_FAILED;
}

void
run_end_phase(struct run *run, bool refused)
{
	struct run_phase *phase = &run->phases[run->phase];

	phase->outcome = outcome_of(run, refused);
	if (phase->outcome == RUN_SUCCEEDED && phase->n_failures > 0)
		phase->outcome = RUN_FAILED;
}

void
run_forgive(struct run *run, bool of_migration)
{
	struct run_phase *phase = &run->phases[run->phase];

	if (phase->n_failures < RUN_FAILURES) {
		phase->failures =
		    mem_grow(run, phase->failures, struct err, phase->n_failures + 1);
		phase->failures[phase->n_failures++] = run->err;
		run_add_warning(run, &run->err);
	}
	phase->n_failed += of_migration;
	run->n_failed += of_migration;
	err_clear(&run->err);
	TALLOC_FREE(run->current);
	run->batch.on = false;
}

bool
run_has_repaired(const struct run *run, enum phase phase, const char *id)
{
	return run->operation == PLAN_REPAIR && run->outcome == RUN_SUCCEEDED &&
	    run->phase == phase && is_same(run->up_to, id);
}

void
run_conclude(struct run *run, bool refused, int64_t now_us, int64_t mono_us)
{
	if (run->outcome != RUN_IN_PROGRESS)
		return;
	run->outcome = outcome_of(run, refused);
	if (run->phases[run->phase].begun &&
	    run->phases[run->phase].outcome == RUN_IN_PROGRESS)
		run_end_phase(run, refused);
	TALLOC_FREE(run->current);
	run->batch.on = false;
	run->finished_at_us = now_us;
	run->duration_us = mono_us - run->started_mono_us;
}

const char *
run_state_name(enum run_state state)
{
	return rows[state].name;
}

const char *
run_outcome_name(enum run_outcome outcome)
{
	static const char *const names[] = {
		[RUN_IN_PROGRESS] = "in_progress",
		[RUN_SUCCEEDED] = "succeeded",
		[RUN_FAILED] = "failed",
		[RUN_REFUSED] = "refused",
		[RUN_CANCELLED] = "cancelled",
	};

	return names[outcome];
}

const char *
run_operation_name(enum plan_operation operation)
{
	static const char *const names[PLAN_OPERATION_COUNT] = {
		[PLAN_APPLY] = "apply",
		[PLAN_BASELINE] = "baseline",
		[PLAN_REPAIR] = "repair",
		[PLAN_ROLLBACK] = "rollback",
	};

	return names[operation];
}

const char *
run_state_sentence(enum run_state state)
{
	return rows[state].sentence;
}

char *
run_table_dump(const void *ctx)
{
	struct text text;

	text_init(&text, ctx, 8192);
	for (unsigned state = 0; state < RUN_STATE_COUNT; state++) {
		const struct run_row *row = &rows[state];
		const char *before = "";

		text_addf(&text, "%s  ok: ", row->name);
		for (unsigned next = 0; next < RUN_STATE_COUNT; next++) {
			if ((row->next & BIT(next)) == 0)
				continue;
			text_addf(&text, "%s%s", before, rows[next].name);
			before = ", ";
		}
		text_addf(&text, "%s  fail: %s  %s\n", row->next == 0 ? "-" : "",
		    state == RUN_DONE ? "-" : rows[row->on_fail].name, row->sentence);
	}
	return text.data;
}
