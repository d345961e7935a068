/* SPDX-License-Identifier: PostgreSQL */
#include <string.h>

#include "base/macros.h"
#include "base/mem.h"
#include "scenarios.h"

/* The way back: what is undone, and what becomes of the row. */

static void
add_down(const struct scene *scene, size_t i, const char *text)
{
	struct migration *m = scene->folder->migrations[i];
	struct migration *down =
	    migration_add_down(m, mem_printf(m, "%s.down.sql", m->id));

	migration_set_text(down, down, text, strlen(text), NULL);
	script_tag(text, "DROP TABLE");
}

/* Both are applied, and to be undone. */
static void
both(struct scene *scene)
{
	add_down(scene, 0, "DROP one;");
	add_down(scene, 1, "DROP two;");
	model_rows(scene->folder, 2);
	scene->request = (struct run_request){ .operation = PLAN_ROLLBACK };
}

static void
only_two(struct scene *scene)
{
	both(scene);
	scene->request.up_to = "0002_two";
	scene->request.only = true;
}

static void
in_one_transaction(struct scene *scene)
{
	both(scene);
	scene->params.policy.transaction = TRANSACTION_RUN;
}

static void
nothing(struct scene *scene)
{
	both(scene);
	scene->request.up_to = "0002_two";
}

static void
no_journal(struct scene *scene)
{
	only_two(scene);
	scene->params.journal = false;
}

static void
new_journal(struct scene *scene)
{
	only_two(scene);
	script_journal(false, true);
}

static void
fails(struct scene *scene)
{
	both(scene);
	script_error("DROP one;", "2BP01", "something depends on it");
}

static void
is_there_already(struct scene *scene)
{
	both(scene);
	script_error("DROP two;", "42P07", "it is there already");
}

static void
row_is_gone(struct scene *scene)
{
	both(scene);
	script_tag("DELETE FROM \"", "DELETE 0");
}

static void
baseline(struct scene *scene)
{
	both(scene);
	fakepq_rows(fakepq_on("jsonb_to_recordset"), 1, 1,
	    (const char *const[]){ "1700000000002" });
}

/* The connection is lost at the first COMMIT, which came through, or did not. */
static void
lose_commit(bool came_through)
{
	struct fakepq_rule *commit = fakepq_once("=COMMIT");

	if (came_through)
		fakepq_tag(commit, "COMMIT");
	fakepq_lose(commit);
}

static void
lost(struct scene *scene)
{
	both(scene);
	lose_commit(true);
}

static void
lost_and_undone(struct scene *scene)
{
	both(scene);
	lose_commit(false);
}

static void
lost_steps(struct scene *scene)
{
	lost(scene);
	scene->request.steps = 2;
}

static void
lost_only(struct scene *scene)
{
	only_two(scene);
	lose_commit(true);
}

/* One file in segments: a statement alone, then the rest. */
static void
segments(struct scene *scene)
{
	scene_only(scene, "CREATE one;");
	add_down(scene, 0, "DROP INDEX CONCURRENTLY i;\nDROP one;\n");
	script_tag("DROP one;", "DROP TABLE");
	script_tag("DROP INDEX CONCURRENTLY i;", "DROP INDEX");
	model_rows(scene->folder, 1);
	model_index();
	scene->request = (struct run_request){ .operation = PLAN_ROLLBACK };
}

static void
segments_fail(struct scene *scene)
{
	segments(scene);
	script_error("DROP one;", "2BP01", "something depends on it");
}

static void
segments_ask(struct scene *scene)
{
	scene_only(scene, "CREATE one;");
	add_down(scene, 0, "DO $$BEGIN COMMIT; END$$;\nDROP one;\n");
	model_rows(scene->folder, 1);
	model_statement(1, "DO $$BEGIN COMMIT; END$$;", false);
	scene->request = (struct run_request){ .operation = PLAN_ROLLBACK };
}

#define BACK_TWO "begin <DROP two;> relock unrecord(1700000000002) "
#define BACK_ONE "begin <DROP one;> relock unrecord(1700000000001) "
#define GOOD     RUN_SUCCEEDED, CAT_NONE, NULL
#define NO_WAY   RUN_REFUSED, CAT_CONFIGURATION

const struct scenario scenarios_rollback[] = {
	{ "undo_both", both, KNOWN BACK_TWO "COMMIT " BACK_ONE "COMMIT " CLOSE, GOOD, 2,
	    0, false, NULL, false },
	{ "undo_only", only_two, KNOWN BACK_TWO "COMMIT " CLOSE, GOOD, 1, 1, false, NULL,
	    false },
	{ "undo_together", in_one_transaction,
	    KNOWN BACK_TWO
	    "again <DROP one;> relock unrecord(1700000000001) COMMIT " CLOSE,
	    GOOD, 2, 0, false, NULL, false },
	{ "undo_nothing", nothing, KNOWN "unlock", GOOD, 0, 2, false, NULL, false },
	{ "undo_no_journal", no_journal, OPEN BACK_TWO "COMMIT unlock", GOOD, 1, 1, false,
	    NULL, false },
	{ "undo_new_journal", new_journal,
	    OPEN "journal? " BACK_TWO "COMMIT journal? journal+ journal unlock", GOOD, 1,
	    1, false, NULL, false },
	{ "undo_fails", fails, KNOWN BACK_TWO "COMMIT begin <DROP one;> ROLLBACK " CLOSE,
	    RUN_FAILED, CAT_SQL_ERROR, "something depends on it", 1, 1, false, NULL,
	    false },
	{ "undo_exists", is_there_already, KNOWN "begin <DROP two;> ROLLBACK " CLOSE,
	    RUN_FAILED, CAT_SQL_ERROR, "it is there already", 0, 2, false, NULL, false },
	{ "undo_row_gone", row_is_gone, KNOWN BACK_TWO "ROLLBACK " CLOSE, RUN_FAILED,
	    CAT_SQL_ERROR, "the row of 0002_two was gone", 0, 2, false, NULL, false },
	{ "undo_baseline", baseline, KNOWN CLOSE, NO_WAY, "recorded by a baseline", 0, 2,
	    false, NULL, false },
	{ "undo_lost", lost,
	    KNOWN BACK_TWO "COMMIT " KNOWN "witness " BACK_ONE "COMMIT " CLOSE, GOOD, 2,
	    0, true, NULL, false },
	{ "undo_lost_undone", lost_and_undone,
	    KNOWN BACK_TWO "COMMIT " KNOWN "witness " BACK_TWO "COMMIT " BACK_ONE
			   "COMMIT " CLOSE,
	    GOOD, 2, 0, true, NULL, false },
	{ "undo_lost_steps", lost_steps,
	    KNOWN BACK_TWO "COMMIT " KNOWN "witness " BACK_ONE "COMMIT " CLOSE, GOOD, 2,
	    0, true, NULL, false },
	{ "undo_lost_only", lost_only, KNOWN BACK_TWO "COMMIT " KNOWN "witness " CLOSE,
	    GOOD, 1, 1, true, NULL, false },
	{ "undo_segments", segments,
	    KNOWN
	    "statements? resume session note(1) <DROP INDEX CONCURRENTLY i;> noted(1) "
	    "begin <DROP one;> relock unrecord(1700000000001) forget COMMIT " CLOSE,
	    GOOD, 1, 0, false, NULL, false },
	{ "undo_segments_fail", segments_fail,
	    KNOWN
	    "statements? resume session note(1) <DROP INDEX CONCURRENTLY i;> noted(1) "
	    "begin <DROP one;> ROLLBACK " CLOSE,
	    RUN_FAILED, CAT_SQL_ERROR, "POST /rollback goes on there", 0, 1, false,
	    "1 done", false },
	{ "undo_segments_ask", segments_ask, KNOWN "statements? resume " CLOSE,
	    RUN_REFUSED, CAT_SQL_ERROR, "then POST /rollback", 0, 1, false, "1 begun",
	    false },
};
const size_t n_scenarios_rollback = ARRAY_SIZE(scenarios_rollback);
