/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>

#include "base/macros.h"
#include "scenarios.h"

/* Files that run in segments, and what a run finds of an earlier one. */

#define INDEX "CREATE INDEX CONCURRENTLY i ON one (x);"
#define DROP  "DROP INDEX CONCURRENTLY i;"
#define BODY  "DO $$BEGIN COMMIT; END$$;"
#define HEAD  "CREATE one;"
#define TAIL  "CREATE two;"

/* One migration; what is alone in it stands between two transactions. */
static void
only(struct scene *scene, const char *text)
{
	folder_unref(scene->folder);
	scene->folder = script_folder("drizzle");
	script_add(scene->folder, "0001_mixed", text);
	script_tag("CREATE INDEX CONCURRENTLY", "CREATE INDEX");
	script_tag("DROP INDEX CONCURRENTLY", "DROP INDEX");
	script_tag("VACUUM", "VACUUM");
	script_tag("DO $$BEGIN", "DO");
}

static void
index_between(struct scene *scene)
{
	only(scene, HEAD "\n" INDEX "\n" TAIL "\n");
}

static void
body_between(struct scene *scene)
{
	only(scene, HEAD "\n" BODY "\n" TAIL "\n");
}

static void
vacuum_between(struct scene *scene)
{
	only(scene, HEAD "\nVACUUM one;\n" TAIL "\n");
}

/* The statement alone was begun by a run that is gone. */
static void
begun(struct scene *scene, const char *alone)
{
	char text[256];

	(void)snprintf(text, sizeof(text), "%s\n%s\n%s\n", HEAD, alone, TAIL);
	only(scene, text);
	scene->is_resumed = true;
	model_statement(1, HEAD, true);
	model_statement(2, alone, false);
}

static void
index_begun(struct scene *scene)
{
	begun(scene, INDEX);
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
behind_alone(struct scene *scene)
{
	begun(scene, INDEX);
	model_statement(2, INDEX, true);
}

static void
row_missing(struct scene *scene)
{
	behind_alone(scene);
	model_statement(3, TAIL, true);
}

static void
unknown_valid(struct scene *scene)
{
	index_begun(scene);
	model_index();
}

static void
unknown_invalid(struct scene *scene)
{
	index_begun(scene);
	fakepq_rows(fakepq_once("SELECT i.indisvalid"), 3, 1,
	    (const char *const[]){ "f", "public", "i" });
}

static void
unknown_drop_fails(struct scene *scene)
{
	index_begun(scene);
	script_index("f");
	script_error("DROP INDEX CONCURRENTLY", "42501", "must be owner of index i");
}

static void
unknown_dropped(struct scene *scene)
{
	begun(scene, DROP);
}

static void
unknown_not_dropped(struct scene *scene)
{
	begun(scene, DROP);
	model_index();
}

static void
unknown_vacuum(struct scene *scene)
{
	begun(scene, "VACUUM one;");
}

static void
unknown_body(struct scene *scene)
{
	begun(scene, BODY);
}

static void
changed(struct scene *scene)
{
	behind_alone(scene);
	model_statement(1, "CREATE another;", true);
}

static void
changed_begun(struct scene *scene)
{
	index_begun(scene);
	model_statement(2, "CREATE INDEX CONCURRENTLY j ON one (x);", false);
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

	only(scene, "CREATE one;\nCOPY one FROM stdin;\n1\ta\n2\tb\n\\.\n");
	rule = fakepq_on("COPY one");
	fakepq_copy_in(rule);
	fakepq_tag(rule, "COPY 2");
}

static void
nothing_but_commit(struct scene *scene)
{
	only(scene, "COMMIT;\n");
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
#define DROPPED  "<DROP INDEX CONCURRENTLY \"public\".\"i\"> "

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
	{ "behind_alone", behind_alone, RESUME LAST CLOSE, ONE_APPLIED, NULL, true },
	{ "row_missing", row_missing,
	    RESUME "begin relock record(1700000000001) forget COMMIT " CLOSE, ONE_APPLIED,
	    NULL, true },
	{ "unknown_valid", unknown_valid, RESUME "index? noted(2) " LAST CLOSE,
	    ONE_APPLIED, NULL, true },
	{ "unknown_invalid", unknown_invalid, RESUME "index? " DROPPED MADE LAST CLOSE,
	    ONE_APPLIED, NULL, true },
	{ "unknown_absent", index_begun, RESUME "index? " MADE LAST CLOSE, ONE_APPLIED,
	    NULL, true },
	{ "unknown_drop_fails", unknown_drop_fails, RESUME "index? " DROPPED CLOSE,
	    DENIED, "must be owner", 0, 0, false, "1 done, 2 begun", false },
	{ "unknown_dropped", unknown_dropped, RESUME "index? noted(2) " LAST CLOSE,
	    ONE_APPLIED, NULL, true },
	{ "unknown_not_dropped", unknown_not_dropped,
	    RESUME "index? " ALONE(DROP) "noted(2) " LAST CLOSE, ONE_APPLIED, NULL,
	    true },
	{ "unknown_vacuum", unknown_vacuum,
	    RESUME ALONE("VACUUM one;") "noted(2) " LAST CLOSE, ONE_APPLIED, NULL, true },
	{ "unknown_body", unknown_body, RESUME CLOSE, RUN_REFUSED, CAT_SQL_ERROR,
	    "0001_mixed.sql:2: statement 2 was begun by a run that did not see its end",
	    0, 0, false, "1 done, 2 begun", false },
	{ "changed", changed, RESUME CLOSE, RUN_REFUSED, CAT_CHECKSUM_MISMATCH,
	    "0001_mixed.sql:1: statement 1 ran already, but it is another one now", 0, 0,
	    false, "1 done, 2 done", false },
	{ "changed_begun", changed_begun, RESUME CLOSE, RUN_REFUSED,
	    CAT_CHECKSUM_MISMATCH, "\"retry\"} to run it as it is now", 0, 0, false,
	    "1 done, 2 begun", false },
	{ "invalid_afterwards", invalid_afterwards,
	    RESUME FIRST ALONE(INDEX) "index? " CLOSE, FAILED,
	    "0001_mixed.sql:2: index i is there, but not valid", 0, 0, false,
	    "1 done, 2 begun", false },
	{ "alone_fails", alone_fails, RESUME FIRST ALONE(INDEX) CLOSE, FAILED,
	    "0001_mixed.sql:2:37: column \"x\" does not exist", 0, 0, false,
	    "1 done, 2 begun", false },
	{ "tail_fails", tail_fails, RESUME FIRST MADE "begin <" TAIL "> ROLLBACK " CLOSE,
	    FAILED, "the 2 segments before it are done and noted", 0, 0, false,
	    "1 done, 2 done", false },
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
	{ "cancel_in_alone", cancel_in_alone, RESUME FIRST ALONE(INDEX) CLOSE,
	    RUN_CANCELLED, CAT_CANCELLED,
	    "0001_mixed.sql:2: canceling statement due to user request (it ran outside a "
	    "transaction",
	    0, 0, false, "1 done, 2 begun", false },
	{ "cancel_in_outcome", cancel_in_outcome, RESUME FIRST MADE CLOSE, STOPPED,
	    "1 done, 2 done", true },
	{ "early_in_alone", early_in_alone, RESUME FIRST MADE LAST CLOSE, RUN_CANCELLED,
	    CAT_CANCELLED, "told to stop", 1, 1, false, NULL, false },
};
const size_t n_scenarios_segment = ARRAY_SIZE(scenarios_segment);
