/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The states of a run, as code: what each sends when it is entered, and what its
 * answer means. Internal to the runner.
 *
 * A step does one thing and says which state comes next; it never enters a state
 * itself. Returning the state it is in means "wait for the answer that I asked
 * for". A failure sets run->err (runner_fail) and the table of core/run.c says
 * where to go.
 */

#include "core/batch.h"
#include "core/resume.h"
#include "core/sqlscan.h"
#include "db/connect.h"
#include "db/journal.h"
#include "db/keeper.h"
#include "db/monitor.h"
#include "db/runner.h"
#include "db/tracking_elsewhere.h"

/* What was sent last; in runner_send.c. */
struct runner_outbox {
	struct pgconn_statement statement;
	bool execute; /* rows are dropped; then `statement.sql` has `len` bytes */
	bool makes;   /* DDL of our own, IF NOT EXISTS */
	size_t len;
	const char *data;
	size_t data_len;
	const char *ddl; /* of several statements, sent one by one; NULL: no */
	struct sqlscan scan;
	unsigned sent;           /* again, so many times */
	bool again;              /* once the pause is over */
	const struct err *cause; /* why: the server's answer */
};

struct runner {
	unsigned magic;
	uv_loop_t *loop;
	uv_timer_t timer; /* pause before the next try to connect or to lock */
	const struct target_params *params;
	struct run *run;
	struct folder *folders[PHASE_COUNT];
	struct runner_events events;

	struct pgconn *conn;
	int64_t connected_mono_us;
	unsigned connections;
	bool session_changed; /* by a file, and it cannot be reset */
	struct runner_outbox outbox;
	struct pgconn_statement drop; /* of an index that was left invalid */
	char job[64]; /* that goes on building what the statement began; "": none */
	bool yielded; /* cancelled the statement, to let others pass */
	struct monitor *monitor; /* NULL before the first migration */
	void *scratch;           /* memory of the state it is in; emptied at each step */
	struct engine engine;
	/* of the phase in hand; NULL before the first */
	struct folder *folder;
	struct tracking_table table;
	struct tracking_look look;
	struct tracking_elsewhere *others; /* being read; NULL: not looked for */
	struct elsewhere *elsewhere;       /* what they say; NULL: nothing */
	struct journal_look journal;       /* as last seen */
	struct lock lock;          /* chosen at the first PROBE, kept over a reconnect */
	struct keeper *keeper;     /* NULL: the lock keeps itself */
	unsigned attempt;          /* of connecting or locking */
	int64_t since_mono_us;     /* when this state's waiting began */
	int64_t lock_sent_mono_us; /* when the last try was sent */

	struct observation seen; /* for the owner; histories as last read */
	struct history *history; /* of the phase in hand */
	struct plan *plan;
	size_t step; /* index in plan->steps */
	size_t part; /* index in the migration's parts, or in the segment's statements */
	size_t
	    segment; /* index in the script's segments; n_segments: only the row is missing */
	enum resume_left left;     /* of the statement that ran alone */
	uint64_t batch_rows;       /* that the batch in hand touched */
	uint64_t batch_start_rows; /* what the rate is reckoned from */
	int64_t batch_start_us;
	int64_t load_seen_us; /* when replicas and load were last looked at */
	bool load_is_hidden;  /* some of it from our role, and that is said */
	bool retry;           /* the transaction is rolled back to be tried again */
	/* rolled back, because another seems to have applied err.migration; NULL: none */
	struct err *overtaken;
	char xid[24];               /* of the open transaction, once its row is written */
	struct runner_doubt *doubt; /* a COMMIT whose answer did not come; NULL: none */
	size_t txn_first;           /* first step of the open transaction */
	bool in_transaction;
	int64_t *durations_us; /* by step */
	unsigned notices;

	struct runner_ahead *ahead; /* what on_planned was told; NULL: nothing yet */
	bool repaired; /* the phase of a repair's migration was found: no other follows */
	bool has_statements; /* a repair saw the journal of statements */
	bool refused;        /* the plan said no, or the hook before the run */
	unsigned stage;      /* where in a state of several queries */
	bool finish_early;   /* after the migration in hand */
	bool cancelled;      /* now */
	const char *stop_reason;
};

/* What all phases will do, while it is found out. */
struct runner_ahead {
	struct outlook outlook;
	enum phase phase; /* whose table is read */
	struct tracking_table table;
};

/* The migrations of a transaction of which nobody saw whether it was committed. */
struct runner_doubt {
	char xid[24];
	const struct migration **migrations;
	int64_t *durations_us;
	size_t n;
	enum plan_write write;
	bool committed; /* the server says so */
	bool aborted;   /* or so: then a row that is there is another's */
};

struct runner_step {
	enum run_state (*enter)(struct runner *runner);
	enum run_state (*answer)(struct runner *runner, const struct pgconn_reply *reply);
	/* The pause that `enter` or `answer` asked for is over; NULL: it never pauses. */
	enum run_state (*resume)(struct runner *runner);
};

/* runner_open.c, runner_prepare.c, runner_history.c: from nothing to the history. */
extern const struct runner_step runner_step_connect, runner_step_probe, runner_step_lock,
    runner_step_prepare, runner_step_history;
/* runner_plan.c: what is to be done. */
extern const struct runner_step runner_step_plan, runner_step_hook;
/* runner_ahead.c: what those are told who wait for the plan. */
extern const struct runner_step runner_step_ahead;
/* runner_repair.c: what a person decided. */
extern const struct runner_step runner_step_repair;
/* runner_phase.c: which folder comes next. */
extern const struct runner_step runner_step_phase;
/* runner_upgrade.c: a tracking table of an older version. */
extern const struct runner_step runner_step_upgrade;
/* runner_apply.c: one migration after the other. */
extern const struct runner_step runner_step_begin, runner_step_part, runner_step_record,
    runner_step_commit, runner_step_retry, runner_step_rollback, runner_step_note;
/* runner_segment.c: what a file that runs in segments needs besides. */
extern const struct runner_step runner_step_resume, runner_step_mark;
/* runner_batch.c: before the batches, and between two of them. */
extern const struct runner_step runner_step_batch, runner_step_pace;
/* runner_alone.c: a statement outside a transaction. */
extern const struct runner_step runner_step_intent, runner_step_alone,
    runner_step_outcome;
/* runner_close.c: the end. */
extern const struct runner_step runner_step_journal, runner_step_unlock;

/* ---- for the steps, in runner.c ---- */

/* Send a query; the answer comes back to the present state's `answer`. */
void runner_query(struct runner *runner, const char *sql);
void runner_send(struct runner *runner, const struct pgconn_statement *statement);
void runner_execute_with_data(struct runner *runner, const char *sql, size_t len,
    const char *data, size_t data_len);
void runner_execute(struct runner *runner, const char *sql, size_t len);
void runner_connect(struct runner *runner);

/* A statement of a migration: the monitor looks at it from outside. */
void runner_send_watched(struct runner *runner, const struct pgconn_statement *statement);

/* The same of DDL: where the server takes one statement at a time, one after the other. */
void runner_send_ddl(struct runner *runner, const struct pgconn_statement *statement);

/*
 * Of an answer: it was not the last, or what was sent is sent again after a pause. Then the
 * step does not see it.
 */
bool runner_sends_more(struct runner *runner, const struct pgconn_reply *reply);
void runner_send_again(struct runner *runner);
void runner_on_reply(void *runner, const struct pgconn_reply *reply);
void runner_watch(struct runner *runner);

/*
 * In runner_job.c: a statement whose work goes on behind its answer (sys.jobs). The job that
 * builds the index which index_lookup found; whether a result names a job, which is then
 * runner->job; and in OUTCOME, ask for it until it is over.
 */
struct pgconn_statement runner_job_of(const void *ctx, const PGresult *index);
bool runner_take_job(struct runner *runner, const PGresult *result);
void runner_job_ask(struct runner *runner);
/* False: it goes on, and is asked for again later. -1 in `rc`, with err: it failed. */
bool runner_job_is_over(
    struct runner *runner, const PGresult *result, int *rc, struct err *err);

/*
 * Before the next statement or file: is it time for a new connection, because this one is too
 * old, or is not as it was?
 */
bool runner_needs_connection(const struct runner *runner);

/* Come back to `resume` after a pause. */
void runner_pause(struct runner *runner, uint64_t pause_ms);

/*
 * Note the failure (first wins) and give the state that the table names for it;
 * DONE when the connection is lost.
 */
enum run_state runner_fail(struct runner *runner, const struct err *err);

/*
 * The same, unless only a lock was in the way of the open transaction: then it is
 * rolled back to be tried again, a bounded number of times.
 */
enum run_state runner_fail_or_retry(struct runner *runner, const struct err *err);

/*
 * The same, where it may be that another's migrator was quicker: rolled back, and the rows
 * tell. Where they do not have the migration, it failed by `err` after all.
 */
enum run_state runner_fail_or_overtaken(struct runner *runner, const struct err *err);

/* The step in hand is what the run is at. */
void runner_note_current(struct runner *runner);

/* The lock was lost while a statement ran: cancel it, its transaction must not end well. */
void runner_lock_lost(void *runner);

/*
 * Before a transaction writes what it did: back to the role that connected, and is the lock still
 * ours? One row: that bool, and the transaction's number.
 */
void runner_send_guard(struct runner *runner);

/* The guard of the lock said no: what this transaction did must not stay. */
enum run_state runner_fail_unlocked(struct runner *runner);

/* Told to stop; and the failure that says so. */
bool runner_is_stopping(const struct runner *runner);
enum run_state runner_fail_stopped(struct runner *runner);

/* How the step in hand runs in batches; NULL: it does not. */
const struct batch *runner_batch(const struct runner *runner);

/*
 * One batch: send it; take from its answer how many rows it touched (an error when it
 * would never end); whether another one follows; note it, in its transaction; it is
 * committed. And the last one is.
 */
void runner_batch_send(struct runner *runner, const struct script_statement *statement);
int runner_batch_took(
    struct runner *runner, const PGresult *result, struct err *err) MUST_CHECK;
bool runner_batch_goes_on(const struct runner *runner);
void runner_batch_note(struct runner *runner);
void runner_batch_committed(struct runner *runner);
void runner_batch_over(struct runner *runner);

/*
 * What runs in more than one transaction is to be noted, and cannot be. Or it can once the table
 * is there, which a look did not find: create it, wait for the answer.
 */
enum run_state runner_fail_unjournalled(
    struct runner *runner, const char *why, const char *hint);
enum run_state runner_create_notes(struct runner *runner, const struct journal_look *look,
    struct pgconn_statement (*create)(const void *ctx, bool schema_exists));

/*
 * Where the step in hand begins: BEGIN, RESUME where its file runs in segments, BATCH
 * where it runs in batches.
 */
enum run_state runner_step_begins(const struct runner *runner);

/* The same behind what may have taken long, or changed the session: or CONNECT first. */
enum run_state runner_goes_on(const struct runner *runner);

/* Whose runs ours are, as far as the look at the journal saw. */
struct journal_owner runner_journal_owner(const struct runner *runner);

/* What the journal of statements calls the step in hand: up and down are kept apart. */
const char *runner_journal_key(const struct runner *runner);

/* The script of the step in hand when it runs in segments; NULL when it is plain. */
const struct script *runner_script(const struct runner *runner);

/* The statement of the segment in hand, which runs alone; and the note that it is done. */
const struct script_statement *runner_statement_alone(const struct runner *runner);
void runner_finish_statement(struct runner *runner);

/* The failure, with the migration in hand. */
enum run_state runner_fail_here(struct runner *runner, const struct err *cause);

/*
 * Where the next segment begins, behind what may have taken long: or CONNECT first, and the journal
 * knows where to go on. Never on the way there, or a connection that takes longer than it may be
 * old would be made for ever.
 */
enum run_state runner_segment_goes_on(const struct runner *runner);

/*
 * The settings of one migration: its own directives, else the configuration's; of what runs
 * alone (no lock timeout) its own directives only.
 */
void runner_add_timeouts(const struct runner *runner, struct text *sql, const char *scope,
    bool with_lock_timeout);

/*
 * A migration failed, and that is noted where its table keeps failures: the next one of a
 * phase that forgives it, else PHASE.
 */
enum run_state runner_after_failure(struct runner *runner);

/* What the phase in hand has recorded is run again: a row may be of an earlier run. */
bool runner_runs_again(const struct runner *runner);

/* Whether another phase would follow the one in hand. */
bool runner_has_more_phases(const struct runner *runner);

/* The first phase from this one on that is asked for and has a folder; or PHASE_COUNT. */
unsigned runner_find_phase(const struct runner *runner, unsigned phase);

/* What is to be done of a phase whose rows are these; `steps` as in struct run_request. */
struct plan *runner_build_plan(const struct runner *runner, enum phase phase,
    const struct history *history, unsigned steps);

/* There is something to do: where the run goes from its plan. */
enum run_state runner_announce(struct runner *runner);

/* On to the next migration of the plan. */
void runner_next_step(struct runner *runner);

/* How it went is decided; what follows (journal, unlock) changes it no more. */
void runner_conclude(struct runner *runner);

/* The migration in hand, or NULL before the first. */
const struct plan_step *runner_step_now(const struct runner *runner);
