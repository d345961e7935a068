/* SPDX-License-Identifier: PostgreSQL */
#include "base/macros.h"
#include "scenarios.h"

/* Told to stop: runner_finish_early and runner_cancel, in each state where it matters. */

static void
early(struct scene *scene, enum run_state state)
{
	scene->act = runner_finish_early;
	scene->act_in = state;
}

static void
cancel(struct scene *scene, enum run_state state)
{
	scene->act = runner_cancel;
	scene->act_in = state;
}

static void
early_at_once(struct scene *scene)
{
	early(scene, RUN_NEW);
}

static void
early_while_connecting(struct scene *scene)
{
	fakepq_connection("ws", NULL); /* never answers */
	early(scene, RUN_CONNECT);
}

static void
early_between_connects(struct scene *scene)
{
	fakepq_connection("f", "connection refused\n");
	scene->params.connect_wait_ms = 60000;
	early(scene, RUN_CONNECT);
}

static void
early_in_probe(struct scene *scene)
{
	early(scene, RUN_PROBE);
}

static void
early_in_lock(struct scene *scene)
{
	early(scene, RUN_LOCK);
}

static void
early_waiting_for_lock(struct scene *scene)
{
	script_lock_held(true);
	scene->params.lock_wait_ms = 60000;
	early(scene, RUN_LOCK);
}

static void
early_in_prepare(struct scene *scene)
{
	early(scene, RUN_PREPARE);
}

static void
early_in_history(struct scene *scene)
{
	early(scene, RUN_HISTORY);
}

/* In the turn in which the hook succeeds. */
static void
early_in_hook(struct scene *scene)
{
	scene->has_hook = true;
	early(scene, RUN_HOOK);
}

static void
cancel_in_hook(struct scene *scene)
{
	scene->has_hook = scene->hook_hangs = true;
	cancel(scene, RUN_HOOK);
}

static void
early_in_begin(struct scene *scene)
{
	early(scene, RUN_BEGIN);
}

static void
early_in_part(struct scene *scene)
{
	early(scene, RUN_PART);
}

static void
early_in_record(struct scene *scene)
{
	early(scene, RUN_RECORD);
}

static void
early_in_commit(struct scene *scene)
{
	early(scene, RUN_COMMIT);
}

static void
early_in_last(struct scene *scene)
{
	model_rows(scene->folder, 1);
	early(scene, RUN_PART);
}

static void
early_in_journal(struct scene *scene)
{
	early(scene, RUN_JOURNAL);
}

static void
cancel_at_once(struct scene *scene)
{
	cancel(scene, RUN_NEW);
}

static void
cancel_in_history(struct scene *scene)
{
	cancel(scene, RUN_HISTORY);
}

/* The request comes too late for BEGIN; the file must not run for that. */
static void
cancel_in_begin(struct scene *scene)
{
	cancel(scene, RUN_BEGIN);
}

static void
cancel_in_part(struct scene *scene)
{
	fakepq_stall(fakepq_on("INSERT two"));
	model_rows(scene->folder, 1);
	cancel(scene, RUN_PART);
}

/* The statement is done before the request comes. */
static void
cancel_late_in_part(struct scene *scene)
{
	cancel(scene, RUN_PART);
}

static void
cancel_in_record(struct scene *scene)
{
	fakepq_stall(fakepq_on("pg_try_advisory_xact_lock"));
	cancel(scene, RUN_RECORD);
}

static void
cancel_in_commit(struct scene *scene)
{
	fakepq_stall(fakepq_on("=COMMIT"));
	cancel(scene, RUN_COMMIT);
}

static void
cancel_in_unlock(struct scene *scene)
{
	cancel(scene, RUN_UNLOCK);
}

/* Nobody cancelled: it is the server's own timeout. */
static void
timeout(struct scene *scene)
{
	(void)scene;
	script_error(
	    "CREATE one", "57014", "canceling statement due to statement timeout");
}

#define STOPPED RUN_CANCELLED, CAT_CANCELLED, "told to stop"
#define ALL     RUN_SUCCEEDED, CAT_NONE, NULL, 2, 2, false, NULL, false

const struct scenario scenarios_stop[] = {
	{ "early_at_once", early_at_once, "", STOPPED, 0, -1, false, NULL, false },
	{ "early_while_connecting", early_while_connecting, "", STOPPED, 0, -1, false,
	    NULL, false },
	{ "early_between_connects", early_between_connects, "", STOPPED, 0, -1, false,
	    NULL, false },
	{ "early_in_probe", early_in_probe, "probe", STOPPED, 0, -1, false, NULL, false },
	{ "early_in_lock", early_in_lock, "probe lock", STOPPED, 0, -1, false, NULL,
	    false },
	{ "early_waiting_for_lock", early_waiting_for_lock, "probe lock holder", STOPPED,
	    0, -1, false, NULL, false },
	{ "early_in_prepare", early_in_prepare, "probe lock look rows " CLOSE, STOPPED, 0,
	    0, false, NULL, false },
	{ "early_in_history", early_in_history, OPEN CLOSE, STOPPED, 0, 0, false, NULL,
	    false },
	{ "early_in_hook", early_in_hook, OPEN CLOSE, STOPPED, 0, 0, false, NULL, false },
	{ "cancel_in_hook", cancel_in_hook, OPEN CLOSE, STOPPED, 0, 0, false, NULL,
	    false },
	{ "early_in_begin", early_in_begin, OPEN ONE CLOSE, STOPPED, 1, 1, false, NULL,
	    false },
	{ "early_in_part", early_in_part, OPEN ONE CLOSE, STOPPED, 1, 1, false, NULL,
	    false },
	{ "early_in_record", early_in_record, OPEN ONE CLOSE, STOPPED, 1, 1, false, NULL,
	    false },
	{ "early_in_commit", early_in_commit, OPEN ONE CLOSE, STOPPED, 1, 1, false, NULL,
	    false },
	{ "early_in_last", early_in_last, OPEN TWO CLOSE, RUN_SUCCEEDED, CAT_NONE, NULL,
	    1, 2, false, NULL, false },
	{ "early_in_journal", early_in_journal, OPEN ONE TWO CLOSE, ALL },
	{ "cancel_at_once", cancel_at_once, "", STOPPED, 0, -1, false, NULL, false },
	{ "cancel_in_history", cancel_in_history, OPEN CLOSE, STOPPED, 0, 0, false, NULL,
	    false },
	{ "cancel_in_begin", cancel_in_begin, OPEN "begin ROLLBACK " CLOSE, STOPPED, 0, 0,
	    false, NULL, false },
	{ "cancel_in_part", cancel_in_part, OPEN "begin <CREATE two;> ROLLBACK " CLOSE,
	    STOPPED, 0, 1, false, NULL, false },
	{ "cancel_late_in_part", cancel_late_in_part,
	    OPEN "begin <CREATE one;> ROLLBACK " CLOSE, STOPPED, 0, 0, false, NULL,
	    false },
	{ "cancel_in_record", cancel_in_record,
	    OPEN "begin <CREATE one;> relock ROLLBACK " CLOSE, STOPPED, 0, 0, false, NULL,
	    false },
	{ "cancel_in_commit", cancel_in_commit, OPEN ONE "ROLLBACK " CLOSE, STOPPED, 0, 0,
	    false, NULL, false },
	{ "cancel_in_unlock", cancel_in_unlock, OPEN ONE TWO CLOSE, ALL },
	{ "timeout", timeout, OPEN "begin <CREATE one;> ROLLBACK " CLOSE, RUN_FAILED,
	    CAT_STATEMENT_TIMEOUT, "statement timeout", 0, 0, false, NULL, false },
};
const size_t n_scenarios_stop = ARRAY_SIZE(scenarios_stop);
