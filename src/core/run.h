/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * A run: one attempt to bring the database to where the folder is.
 *
 * Its course is a table of states (run.c); each row has a sentence that is at once
 * log text, API text and the manual's picture. run_set_state is the only writer of
 * `state`; it asserts that the table allows the step. The runner of db drives it;
 * everybody else only reads.
 *
 *	NEW -> CONNECT -> PROBE -> LOCK
 *	    -> [ PHASE -> PREPARE -> HISTORY -> PLAN [-> AHEAD] [-> HOOK]
 *	        -> [ BEGIN -> PART* -> RECORD -> COMMIT ]* ]*
 *	    -> PHASE -> JOURNAL -> UNLOCK -> DONE
 *
 * A tracking table of an older version of its tool: PLAN -> UPGRADE -> PREPARE, and on from
 * there. A file that runs in segments: RESUME, then for each segment
 *	    transactional: BEGIN -> PART* -> MARK -> COMMIT
 *	    alone:         INTENT -> ALONE -> OUTCOME
 * and RECORD in the last transaction. One that runs in batches: BATCH, then
 *	    BEGIN -> PART -> MARK -> COMMIT -> PACE
 * for each, and BEGIN -> PART -> RECORD -> COMMIT once a batch finds nothing.
 *
 * A failure in a migration: ROLLBACK -> NOTE -> PHASE -> JOURNAL -> UNLOCK -> DONE, or,
 * where the phase forgives it, on with the next migration; where only a lock was in the
 * way: ROLLBACK -> RETRY -> BEGIN. A connection lost at COMMIT: CONNECT, and the history
 * tells. A migration that another's migrator applied meanwhile: ROLLBACK -> HISTORY ->
 * PLAN, and on with the rest.
 * A connection that is too old: CONNECT, between two statements, batches, files or phases.
 *
 * Reference counted: the list of runs, the runner and each waiting request hold
 * one.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "base/err.h"
#include "core/drift.h"
#include "core/phase.h"
#include "core/plan.h"

enum run_state {
	RUN_NEW,
	RUN_CONNECT,
	RUN_PROBE,
	RUN_LOCK,
	RUN_PHASE,
	RUN_PREPARE,
	RUN_HISTORY,
	RUN_PLAN,
	RUN_UPGRADE,
	RUN_AHEAD,
	RUN_HOOK,
	RUN_REPAIR,
	RUN_RESUME,
	RUN_BATCH,
	RUN_BEGIN,
	RUN_PART,
	RUN_MARK,
	RUN_RECORD,
	RUN_COMMIT,
	RUN_PACE,
	RUN_INTENT,
	RUN_ALONE,
	RUN_OUTCOME,
	RUN_RETRY,
	RUN_ROLLBACK,
	RUN_NOTE,
	RUN_JOURNAL,
	RUN_UNLOCK,
	RUN_DONE,
	RUN_STATE_COUNT
};

enum run_outcome {
	RUN_IN_PROGRESS,
	RUN_SUCCEEDED,
	RUN_FAILED,
	RUN_REFUSED,
	RUN_CANCELLED
};

/* A session that our statement waits for. What our role may not see is "" or -1. */
#define RUN_BLOCKERS 8
struct run_blocker {
	int pid; /* 0: a prepared transaction, which has no session */
	char application[64];
	char user[64];
	char state[32];  /* "idle in transaction" */
	char query[128]; /* its head, in one line */
	int64_t age_us;  /* of its transaction */
};

/* How far the server says a statement is (pg_stat_progress_*). */
struct run_progress {
	char command[32]; /* "CREATE INDEX CONCURRENTLY" */
	char phase[64];
	char unit[16];  /* what is counted: "blocks"; "" when nothing is */
	double percent; /* of the phase; -1: not known */
	double rate_per_second;
	double eta_seconds; /* to the end of the phase; -1: not known */
	uint64_t done;
	uint64_t total;
};

/* What a caller asks for. Strings may be NULL. */
struct run_request {
	enum plan_operation operation;
	unsigned phases;   /* set of them (core/phase.h); 0: all that are configured */
	const char *up_to; /* id, file or version; NULL: all */
	bool force;        /* see struct plan_input */
	unsigned steps;    /* of a rollback; likewise */
	bool only;
	bool verify; /* of a baseline: compare first with what the folder makes */
	/* nobody asked: what failed in a lenient phase is not tried again */
	bool by_itself;
	/*
	 * Of a repair: a word of core/repair.h, about the migration `up_to`; or
	 * "remove-guard", about none.
	 */
	const char *action;
	const char *requested_by; /* "http 127.0.0.1", "start": for log and journal */
	const char *reason;       /* what a person says about it; likewise */
};

struct run_migration {
	enum phase phase;
	const char *id;
	const char *version;
	const char *checksum; /* of the file that ran; "" when not known */
	int64_t duration_us;
};

/* A migration that is run in batches (core/batch.h): what is committed of it. */
struct run_batch {
	bool on;
	uint64_t batches; /* those of earlier runs too */
	uint64_t rows;
	int64_t total;  /* rows that there were to do; -1: not known */
	uint64_t bound; /* more rows there cannot be; 0: not known */
	char held[128]; /* why it waits: "a replica is 14 s behind"; "": it does not */
	struct run_progress progress;
};

/* Failures of a lenient phase whose errors are kept; the others are counted. */
#define RUN_FAILURES 16

/* What became of a phase. */
struct run_phase {
	bool begun;
	enum run_outcome outcome; /* IN_PROGRESS until it is over */
	size_t n_planned;
	size_t n_applied;
	size_t n_failed;      /* migrations whose failure was forgiven */
	struct err *failures; /* that were: of migrations, or of the whole phase */
	size_t n_failures;    /* at most RUN_FAILURES */
};

struct run {
	unsigned refs;
	char id[UUID_TEXT];
	const char *target; /* name of the target: "default" */
	enum plan_operation operation;
	unsigned asked_phases; /* 0: all that are configured */
	const char *up_to;
	bool force;
	unsigned steps;
	bool only;
	bool verify;
	bool by_itself;
	const char *action;
	const char *requested_by;
	const char *reason;
	/* Of a repair: where the migration stood, and where it stands now. Static texts. */
	const char *before;
	const char *after;

	enum run_state state;
	enum run_outcome outcome;
	unsigned callers; /* requests that waited for it */

	int64_t started_at_us; /* wall clock */
	int64_t finished_at_us;
	int64_t started_mono_us;
	int64_t duration_us; /* once finished */
	int64_t lock_wait_us;
	unsigned lock_attempts;
	char *lock_holder; /* who has the lock while we wait; NULL when not known */

	/* What the last look at the statement in progress showed. */
	struct run_blocker blockers[RUN_BLOCKERS]; /* the oldest first */
	unsigned n_blockers;
	struct run_progress progress;
	bool has_progress;
	struct run_batch batch; /* of the migration in hand */
	unsigned n_queued;      /* sessions that wait behind us */
	char wait_event[64];    /* "Lock:relation"; "": it works */

	unsigned attempts;   /* transactions tried again because a lock was in the way */
	unsigned reconnects; /* after a connection that was lost at COMMIT */
	bool in_doubt;       /* it stopped at a statement whose outcome is not known */
	/* its connection was lost, and what it sent last may go on outside a transaction */
	bool left_unfenced;

	enum phase phase; /* in hand, or the last one */
	struct run_phase phases[PHASE_COUNT];
	size_t n_failed;         /* migrations whose failure was forgiven */
	size_t n_planned;        /* steps of the plans so far */
	char *current;           /* id of the migration in hand, or NULL */
	int64_t current_mono_us; /* when it began */
	uint64_t statements;     /* sent on behalf of migrations */
	struct run_migration *applied;
	size_t n_applied;
	char **warnings; /* what the plan warned of */
	size_t n_warnings;
	/* what a verification found */
	char **differences;
	size_t n_differences;
	size_t n_more_differences; /* that are not listed */
	struct err err;            /* of a run that did not succeed */
	/*
	 * The content of err.migration as it was when it failed, or in doubt: it is not
	 * tried again by itself until it is another. "": it did not fail by its own
	 * fault.
	 */
	char failed_checksum[DIGEST_HEX];
};

/* A new run in state NEW with one reference. Strings are copied. */
struct run *run_new(const struct run_request *request, const char *target, int64_t now_us,
    int64_t mono_us);
struct run *run_ref(struct run *run);
void run_unref(struct run *run);

/* Whether the run does what the request asks for: then the caller may join it. */
bool run_is_for(const struct run *run, const struct run_request *request);

/* Enter a state; the table must allow it. Logs the step at debug level. */
void run_set_state(struct run *run, enum run_state state);

/* Where the table sends a run whose present step failed. */
enum run_state run_on_fail(enum run_state state);

/* The next phase begins: it is the one in hand. */
void run_begin_phase(struct run *run, enum phase phase);

/* The phase in hand has so many steps to go. */
void run_plan_phase(struct run *run, size_t n_steps);

/* The phase in hand is over: its outcome follows from run->err and its failures. */
void run_end_phase(struct run *run, bool refused);

/*
 * run->err, a failure in a lenient phase, is noted with the phase and as a warning, and
 * the run goes on: without the migration in hand, or without the rest of the phase.
 */
void run_forgive(struct run *run, bool of_migration);

/* Where run->err is not of the schema, it says so: who answers it has to name the phase. */
void run_place_error(struct run *run);

/* The migration in hand: `current`. */
void run_begin_migration(
    struct run *run, const struct migration *migration, int64_t mono_us);

/*
 * A migration whose row is committed: it joins `applied`. Several may share a
 * transaction.
 */
void run_add_applied(
    struct run *run, const struct migration *migration, int64_t duration_us);

/* Whether this run is through with that migration of the phase in hand, well or not. */
bool run_has_done(const struct run *run, const char *id);

void run_add_warning(struct run *run, const struct err *err);

/* What a verification found, copied. */
void run_set_differences(struct run *run, const struct drift *drift);

/*
 * Set the outcome, which follows from run->err, and the times of the end; once
 * only. None: SUCCEEDED; category CANCELLED: CANCELLED; set by the plan
 * (`refused`): REFUSED; else FAILED. The state goes on to JOURNAL, UNLOCK and
 * DONE by run_set_state.
 */
void run_conclude(struct run *run, bool refused, int64_t now_us, int64_t mono_us);

static inline bool
run_is_done(const struct run *run)
{
	return run->state == RUN_DONE;
}

/*
 * Whether it brings the database on. A rollback or a repair is about what was applied before:
 * where it fails the migration is as it was, not parked and not recorded as failed.
 */
static inline bool
run_goes_forward(const struct run *run)
{
	return run->operation == PLAN_APPLY || run->operation == PLAN_BASELINE;
}

/* Whether it is a repair of that migration, and done: a person has decided about it. */
bool run_has_repaired(const struct run *run, enum phase phase, const char *id);

/* "lock", "succeeded", "apply". */
const char *run_state_name(enum run_state state);
const char *run_outcome_name(enum run_outcome outcome);
const char *run_operation_name(enum plan_operation operation);

/* The sentence of the row: "waiting for another migrationd to finish". */
const char *run_state_sentence(enum run_state state);

/*
 * The whole table for manual and tests, one row a line:
 * "lock  ok: prepare  fail: done  waiting for ...".
 */
char *run_table_dump(const void *ctx);
