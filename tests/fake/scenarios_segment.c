/* SPDX-License-Identifier: PostgreSQL */
#include "base/macros.h"
#include "scenarios.h"

/* Files that run in segments. */

#define INDEX "CREATE INDEX CONCURRENTLY i ON one (x);"
#define BODY  "DO $$BEGIN COMMIT; END$$;"
#define HEAD  "CREATE one;"
#define TAIL  "CREATE two;"

static void
index_between(struct scene *scene)
{
	scene_only(scene, HEAD "\n" INDEX "\n" TAIL "\n");
}

static void
body_between(struct scene *scene)
{
	scene_only(scene, HEAD "\n" BODY "\n" TAIL "\n");
}

static void
vacuum_between(struct scene *scene)
{
	scene_only(scene, HEAD "\nVACUUM one;\n" TAIL "\n");
}

static void
table_absent(struct scene *scene)
{
	index_between(scene);
	script_statements(false, true);
}

static void
may_not(struct scene *scene)
{
	index_between(scene);
	script_statements(false, false);
}

static void
create_fails(struct scene *scene)
{
	table_absent(scene);
	script_error("CREATE TABLE IF NOT EXISTS migrationd.statements", "42501",
	    "permission denied for schema migrationd");
}

static void
journal_off(struct scene *scene)
{
	index_between(scene);
	scene->params.journal = false;
}

static void
invalid_afterwards(struct scene *scene)
{
	index_between(scene);
	script_index("f");
}

static void
alone_fails(struct scene *scene)
{
	index_between(scene);
	fakepq_error(fakepq_on("CREATE INDEX CONCURRENTLY"), "42703",
	    "column \"x\" does not exist", 37);
}

/* It was built, and is not unique. */
static void
alone_fails_late(struct scene *scene)
{
	index_between(scene);
	script_error("CREATE INDEX CONCURRENTLY", "23505", "could not create index");
	fakepq_rows(fakepq_once("SELECT i.indisvalid"), 3, 1,
	    (const char *const[]){ "f", "public", "i" });
}

/* Another's, whatever is on it: the next run must not take it for ours. */
static void
alone_is_there(struct scene *scene)
{
	index_between(scene);
	model_index();
	script_error(
	    "CREATE INDEX CONCURRENTLY", "42P07", "relation \"i\" already exists");
}

static void
alone_fails_beside_another(struct scene *scene)
{
	alone_fails(scene);
	model_index();
}

static void
vacuum_fails(struct scene *scene)
{
	vacuum_between(scene);
	script_error("VACUUM", "42P01", "relation \"one\" does not exist");
}

static void
body_fails(struct scene *scene)
{
	body_between(scene);
	script_error("DO $$BEGIN", "22012", "division by zero");
}

static void
withdraw_fails(struct scene *scene)
{
	vacuum_fails(scene);
	script_error("DELETE FROM migrationd.statements", "42501", "permission denied");
}

static void
tail_fails(struct scene *scene)
{
	index_between(scene);
	script_error("CREATE two", "42P07", "relation \"two\" already exists");
}

static void
lost_alone(struct scene *scene)
{
	index_between(scene);
	script_lose("CREATE INDEX CONCURRENTLY");
}

static void
note_denied(struct scene *scene)
{
	index_between(scene);
	script_error("$4, $5::pg_catalog.uuid", "42501", "permission denied for table");
}

static void
mark_denied(struct scene *scene)
{
	index_between(scene);
	script_error("($1, $2, 1,", "42501", "permission denied for table");
}

static void
noted_denied(struct scene *scene)
{
	index_between(scene);
	script_error("UPDATE migrationd.statements", "42501", "permission denied");
}

/* The COMMIT of the first segment. */
static void
lost_in_middle(struct scene *scene)
{
	index_between(scene);
	fakepq_lose(fakepq_once("=COMMIT"));
}

static void
lost_behind_middle(struct scene *scene)
{
	struct fakepq_rule *commit = NULL;

	index_between(scene);
	commit = fakepq_once("=COMMIT");
	fakepq_lose(commit);
	fakepq_tag(commit, "COMMIT");
}

static void
lost_behind_last(struct scene *scene)
{
	lost_behind_middle(scene);
	fakepq_tag(fakepq_once("=COMMIT"), "COMMIT");
}

static void
copy_with_data(struct scene *scene)
{
	struct fakepq_rule *rule = NULL;

	scene_only(scene, "CREATE one;\nCOPY one FROM stdin;\n1\ta\n2\tb\n\\.\n");
	rule = fakepq_on("COPY one");
	fakepq_copy_in(rule);
	fakepq_tag(rule, "COPY 2");
}

static void
nothing_but_commit(struct scene *scene)
{
	scene_only(scene, "COMMIT;\n");
}

static void
cancel(struct scene *scene, enum run_state state)
{
	index_between(scene);
	scene->act = runner_cancel;
	scene->act_in = state;
}

static void
cancel_in_resume(struct scene *scene)
{
	cancel(scene, RUN_RESUME);
}

static void
cancel_in_mark(struct scene *scene)
{
	cancel(scene, RUN_MARK);
}

static void
cancel_in_intent(struct scene *scene)
{
	cancel(scene, RUN_INTENT);
}

static void
cancel_in_alone(struct scene *scene)
{
	cancel(scene, RUN_ALONE);
	fakepq_stall(fakepq_on("CREATE INDEX CONCURRENTLY"));
}

static void
cancel_in_outcome(struct scene *scene)
{
	cancel(scene, RUN_OUTCOME);
}

/* The migration in hand is finished, all its segments. */
static void
early_in_alone(struct scene *scene)
{
	cancel(scene, RUN_ALONE);
	scene->act = runner_finish_early;
	script_add(scene->folder, "0002_more", "CREATE more");
	script_tag("CREATE more", "CREATE TABLE");
}

#define RESUME   OPEN "statements? resume "
#define FIRST    "begin <" HEAD "> relock mark COMMIT "
#define LAST     "begin <" TAIL "> relock record(1700000000001) forget COMMIT "
#define ALONE(s) "session note(2) <" s "> "
#define MADE     ALONE(INDEX) "index? noted(2) "

#define ONE_APPLIED RUN_SUCCEEDED, CAT_NONE, NULL, 1, 1, false
#define STOPPED     RUN_CANCELLED, CAT_CANCELLED, "told to stop", 0, 0, false
#define FAILED      RUN_FAILED, CAT_SQL_ERROR
#define DENIED      RUN_FAILED, CAT_PERMISSION_DENIED
#define NO_WAY      RUN_REFUSED, CAT_CONFIGURATION

const struct scenario scenarios_segment[] = {
	{ "segments", index_between, RESUME FIRST MADE LAST CLOSE, ONE_APPLIED, NULL,
	    true },
	{ "segments_vacuum", vacuum_between,
	    RESUME FIRST ALONE("VACUUM one;") "noted(2) " LAST CLOSE, ONE_APPLIED, NULL,
	    true },
	{ "segments_body", body_between, RESUME FIRST ALONE(BODY) "noted(2) " LAST CLOSE,
	    ONE_APPLIED, NULL, true },
	{ "segments_table_absent", table_absent,
	    OPEN "statements? statements+ resume " FIRST MADE LAST CLOSE, ONE_APPLIED,
	    NULL, true },
	{ "segments_may_not", may_not, OPEN "statements? " CLOSE, NO_WAY,
	    "CREATE SCHEMA migrationd AUTHORIZATION", 0, 0, false, NULL, false },
	{ "segments_create_fails", create_fails, OPEN "statements? statements+ " CLOSE,
	    DENIED, "0001_mixed.sql: permission denied for schema", 0, 0, false, NULL,
	    false },
	{ "segments_journal_off", journal_off, OPEN "unlock", NO_WAY,
	    "journal is off (set journal = on)", 0, 0, false, NULL, false },
	{ "invalid_afterwards", invalid_afterwards,
	    RESUME FIRST ALONE(INDEX) "index? withdraw " CLOSE, FAILED,
	    "0001_mixed.sql:2: index i is there, but not valid", 0, 0, false, "1 done",
	    false },
	{ "alone_fails", alone_fails, RESUME FIRST ALONE(INDEX) "index? withdraw " CLOSE,
	    FAILED,
	    "0001_mixed.sql:2:37: column \"x\" does not exist (nothing of it is left", 0,
	    0, false, "1 done", false },
	{ "alone_fails_late", alone_fails_late, RESUME FIRST ALONE(INDEX) "index? " CLOSE,
	    FAILED, "could not create index (it left an invalid index, which the next", 0,
	    0, false, "1 done, 2 begun", false },
	{ "alone_is_there", alone_is_there, RESUME FIRST ALONE(INDEX) "withdraw " CLOSE,
	    FAILED, "already exists", 0, 0, false, "1 done", false },
	{ "alone_fails_beside_another", alone_fails_beside_another,
	    RESUME FIRST ALONE(INDEX) "index? withdraw " CLOSE, FAILED, "column \"x\"", 0,
	    0, false, "1 done", false },
	{ "vacuum_fails", vacuum_fails,
	    RESUME FIRST ALONE("VACUUM one;") "withdraw " CLOSE, FAILED,
	    "0001_mixed.sql:2: relation \"one\"", 0, 0, false, "1 done", false },
	{ "body_fails", body_fails, RESUME FIRST ALONE(BODY) CLOSE, FAILED,
	    "division by zero (it ran outside a transaction and is not undone", 0, 0,
	    false, "1 done, 2 begun", false },
	{ "withdraw_fails", withdraw_fails,
	    RESUME FIRST ALONE("VACUUM one;") "withdraw " CLOSE, FAILED,
	    "relation \"one\"", 0, 0, false, "1 done, 2 begun", false },
	{ "tail_fails", tail_fails,
	    RESUME FIRST MADE "begin <" TAIL "> ROLLBACK rows " CLOSE, FAILED,
	    "the 2 segments before it are done and noted", 0, 0, false, "1 done, 2 done",
	    false },
	{ "lost_alone", lost_alone, RESUME FIRST "session note(2) <" INDEX ">",
	    RUN_FAILED, CAT_NETWORK_ERROR, "0001_mixed.sql:2: the connection", 0, 0,
	    false, "1 done, 2 begun", false },
	{ "note_denied", note_denied, RESUME FIRST "session note(2) " CLOSE, DENIED,
	    "0001_mixed.sql: permission denied for table", 0, 0, false, "1 done", false },
	{ "mark_denied", mark_denied,
	    RESUME "begin <" HEAD "> relock mark ROLLBACK " CLOSE, DENIED,
	    "0001_mixed.sql: permission denied for table", 0, 0, false, NULL, false },
	{ "noted_denied", noted_denied, RESUME FIRST MADE CLOSE, DENIED,
	    "permission denied", 0, 0, false, "1 done, 2 begun", false },
	{ "lost_in_middle", lost_in_middle, RESUME FIRST RESUME FIRST MADE LAST CLOSE,
	    ONE_APPLIED, NULL, true },
	{ "lost_behind_middle", lost_behind_middle, RESUME FIRST RESUME MADE LAST CLOSE,
	    ONE_APPLIED, NULL, true },
	{ "lost_behind_last", lost_behind_last,
	    RESUME FIRST MADE LAST OPEN "witness " CLOSE, ONE_APPLIED, NULL, true },
	{ "copy_with_data", copy_with_data,
	    OPEN "begin <CREATE one;> <COPY one FROM stdin;> relock "
		 "record(1700000000001) COMMIT " CLOSE,
	    ONE_APPLIED, NULL, true },
	{ "nothing_but_commit", nothing_but_commit,
	    OPEN "begin relock record(1700000000001) COMMIT " CLOSE, ONE_APPLIED, NULL,
	    true },
	{ "cancel_in_resume", cancel_in_resume, OPEN "statements? " CLOSE, STOPPED, NULL,
	    true },
	{ "cancel_in_mark", cancel_in_mark, RESUME FIRST CLOSE, STOPPED, "1 done", true },
	{ "cancel_in_intent", cancel_in_intent, RESUME FIRST "session " CLOSE, STOPPED,
	    "1 done", true },
	{ "cancel_in_alone", cancel_in_alone,
	    RESUME FIRST ALONE(INDEX) "index? withdraw " CLOSE, STOPPED, "1 done",
	    false },
	{ "cancel_in_outcome", cancel_in_outcome, RESUME FIRST MADE CLOSE, STOPPED,
	    "1 done, 2 done", true },
	{ "early_in_alone", early_in_alone, RESUME FIRST MADE LAST CLOSE, RUN_CANCELLED,
	    CAT_CANCELLED, "told to stop", 1, 1, false, NULL, false },
};
const size_t n_scenarios_segment = ARRAY_SIZE(scenarios_segment);
