/* SPDX-License-Identifier: PostgreSQL */
#include "base/macros.h"
#include "scenarios.h"

/*
 * A lock of somebody else is in the way, and the transaction is tried again; or somebody
 * else was quicker.
 */

static void
not_now(const char *pattern, const char *sqlstate)
{
	fakepq_error(fakepq_once(pattern), sqlstate, "not now", 0);
}

static void
in_part(struct scene *scene)
{
	scene->hurries = true;
	not_now("INSERT two", "55P03");
}

static void
twice(struct scene *scene)
{
	in_part(scene);
	not_now("INSERT two", "40P01");
}

static void
in_record(struct scene *scene)
{
	scene->hurries = true;
	not_now("INSERT INTO \"drizzle\"", "55P03");
}

static void
in_commit(struct scene *scene)
{
	scene->hurries = true;
	not_now("=COMMIT", "40001");
}

/* It begins with the first of the transaction. */
static void
in_run(struct scene *scene)
{
	in_part(scene);
	scene->params.policy.transaction = TRANSACTION_RUN;
}

static void
in_segment(struct scene *scene)
{
	scene->hurries = true;
	scene_only(scene, "CREATE one;\nVACUUM;\nCREATE two;\n");
	not_now("CREATE two", "55P03");
	not_now("INSERT INTO migrationd.statements", "55P03");
}

static void
for_ever(struct scene *scene)
{
	scene->hurries = true;
	script_error("CREATE one", "55P03", "canceling statement due to lock timeout");
}

static void
early(struct scene *scene)
{
	script_error("CREATE one", "55P03", "canceling statement due to lock timeout");
	scene->act = runner_finish_early;
	scene->act_in = RUN_RETRY;
}

static void
cancel(struct scene *scene)
{
	early(scene);
	scene->act = runner_cancel;
}

static struct folder *unapplied;

static void
another_applies_one(struct runner *runner, const char *reason)
{
	(void)runner;
	(void)reason;
	/* what acts may be told twice */
	if (unapplied != NULL)
		model_rows(unapplied, 1);
	unapplied = NULL;
}

/* drizzle-orm records the first, while ours runs. */
static void
overtaken(struct scene *scene, enum run_state state)
{
	unapplied = scene->folder;
	scene->act = another_applies_one;
	scene->act_in = state;
}

static void
overtaken_in_record(struct scene *scene)
{
	overtaken(scene, RUN_RECORD);
	scene->request.up_to = "0001_one";
	script_tag("INSERT INTO \"drizzle\"", "INSERT 0 0");
}

static void
overtaken_by_index(struct scene *scene)
{
	overtaken(scene, RUN_RECORD);
	scene->request.up_to = "0001_one";
	script_error("INSERT INTO \"drizzle\"", "23505", "duplicate key value");
}

static void
overtaken_in_part(struct scene *scene)
{
	overtaken(scene, RUN_PART);
	script_error("CREATE one", "42P07", "relation \"one\" already exists");
}

static void
not_overtaken(struct scene *scene)
{
	(void)scene;
	script_error("CREATE one", "42P07", "relation \"one\" already exists");
}

#define SECOND "begin <CREATE two;> <INSERT two; SELECT two;> "
#define FIRST  "begin <CREATE one;> "

#define ALL     RUN_SUCCEEDED, CAT_NONE, NULL, 2, 2, false
#define NONE    RUN_SUCCEEDED, CAT_NONE, NULL, 0, 1, false
#define REST    RUN_SUCCEEDED, CAT_NONE, NULL, 1, 2, false
#define STOPPED RUN_CANCELLED, CAT_CANCELLED, "told to stop", 0, 0, false

const struct scenario scenarios_again[] = {
	{ "again_in_part", in_part, OPEN ONE SECOND "ROLLBACK " TWO CLOSE, ALL, NULL,
	    true },
	{ "again_twice", twice, OPEN ONE SECOND "ROLLBACK " SECOND "ROLLBACK " TWO CLOSE,
	    ALL, NULL, true },
	{ "again_in_record", in_record,
	    OPEN FIRST "relock record(1700000000001) ROLLBACK " ONE TWO CLOSE, ALL, NULL,
	    true },
	{ "again_in_commit", in_commit, OPEN ONE "ROLLBACK " ONE TWO CLOSE, ALL, NULL,
	    true },
	{ "again_in_run", in_run,
	    OPEN FIRST "relock record(1700000000001) again <CREATE two;> "
		       "<INSERT two; SELECT two;> ROLLBACK " FIRST
		       "relock record(1700000000001) again <CREATE two;> "
		       "<INSERT two; SELECT two;> relock record(1700000000002) "
		       "COMMIT " CLOSE,
	    ALL, NULL, true },
	{ "again_in_segment", in_segment,
	    OPEN
	    "statements? resume begin <CREATE one;> relock mark ROLLBACK "
	    "begin <CREATE one;> relock mark COMMIT session note(2) <VACUUM;> noted(2) "
	    "begin <CREATE two;> ROLLBACK begin <CREATE two;> relock "
	    "record(1700000000001) forget COMMIT " CLOSE,
	    RUN_SUCCEEDED, CAT_NONE, NULL, 1, 1, false, NULL, true },
	{ "again_for_ever", for_ever, NULL, RUN_FAILED, CAT_LOCK_TIMEOUT,
	    "0001_one.sql:1: canceling statement due to lock timeout", 0, 0, false, NULL,
	    false },
	{ "overtaken_in_record", overtaken_in_record,
	    OPEN "begin <CREATE one;> relock record(1700000000001) ROLLBACK rows unlock",
	    NONE, NULL, false },
	{ "overtaken_by_index", overtaken_by_index,
	    OPEN "begin <CREATE one;> relock record(1700000000001) ROLLBACK rows unlock",
	    NONE, NULL, false },
	{ "overtaken_in_part", overtaken_in_part, OPEN FIRST "ROLLBACK rows " TWO CLOSE,
	    REST, NULL, false },
	{ "not_overtaken", not_overtaken, OPEN FIRST "ROLLBACK rows " CLOSE, RUN_FAILED,
	    CAT_SQL_ERROR, "0001_one.sql:1: relation \"one\" already exists", 0, 0, false,
	    NULL, false },
	{ "again_early", early, OPEN FIRST "ROLLBACK " CLOSE, STOPPED, NULL, false },
	{ "again_cancel", cancel, OPEN FIRST "ROLLBACK " CLOSE, STOPPED, NULL, false },
};
const size_t n_scenarios_again = ARRAY_SIZE(scenarios_again);
