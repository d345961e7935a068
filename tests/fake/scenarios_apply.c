/* SPDX-License-Identifier: PostgreSQL */
#include "base/macros.h"
#include "scenarios.h"

/* Migrations, and the end of a run. */

static void
hook(struct scene *scene)
{
	scene->has_hook = true;
}

static void
hook_fails(struct scene *scene)
{
	scene->has_hook = true;
	err_set(&scene->hook_err, CAT_CONFIGURATION, "no backup");
}

/* Nothing is to be done: nobody is asked. */
static void
hook_not_needed(struct scene *scene)
{
	scene->has_hook = true;
	scene->n_planned = 1;
	model_rows(scene->folder, 2);
}

static void
part_fails(struct scene *scene)
{
	struct fakepq_rule *rule = fakepq_on("INSERT two");

	(void)scene;
	fakepq_tag(rule, "INSERT 0 2");
	fakepq_error(rule, "42P01", "relation \"two\" does not exist", 21);
}

static void
part_fails_in_log(struct scene *scene)
{
	folder_unref(scene->folder);
	scene->folder = script_folder("sequence");
	scene->params.tracking = "migration_log";
	script_add(scene->folder, "0001_one", "CREATE one;");
	script_add(scene->folder, "0002_two", "CREATE two;");
	script_error("CREATE two", "42601", "syntax error");
	script_table("step_number,description,status,executed_at,error_message");
}

static void
note_fails(struct scene *scene)
{
	part_fails_in_log(scene);
	script_error("'failed'", "42501", "permission denied for table migration_log");
}

static void
lost_in_note(struct scene *scene)
{
	part_fails_in_log(scene);
	script_lose("'failed'");
}

static void
sequence(struct scene *scene)
{
	folder_unref(scene->folder);
	scene->folder = script_folder("sequence");
	scene->params.tracking = "schema_migrations";
	script_add(scene->folder, "0001_one", "CREATE one;");
	script_table("version,name,applied_at");
}

/* Our journal knows another text of what is applied. */
static void
changed_before(struct scene *scene)
{
	sequence(scene);
	scene->params.policy.immutable = (struct plan_range){ 1, 1 };
	fakepq_rows(fakepq_on("SELECT version, name"), 3, 1,
	    (const char *const[]){ "0001", "one", "0" });
	fakepq_rows(fakepq_on("w.checksum"), 2, 1,
	    (const char *const[]){ "0001_one", "another" });
}

static void
no_journal_to_ask(struct scene *scene)
{
	sequence(scene);
	script_journal(false, false);
}

static void
journal_not_asked(struct scene *scene)
{
	sequence(scene);
	scene->params.journal = false;
}

static void
checksums_fail(struct scene *scene)
{
	sequence(scene);
	script_error("w.checksum", "42501", "permission denied for table runs");
}

static void
lost_in_checksums(struct scene *scene)
{
	sequence(scene);
	script_lose("w.checksum");
}

static void
not_in_transaction(struct scene *scene)
{
	(void)scene;
	script_error("CREATE one", "25001",
	    "CREATE INDEX CONCURRENTLY cannot run inside a transaction block");
}

/* By the file itself: the server is fine. */
static void
read_only(struct scene *scene)
{
	(void)scene;
	script_error("CREATE one", "25006",
	    "cannot execute CREATE TABLE in a read-only transaction");
}

/* By CALL or DO, which nobody sees before. */
static void
commit_inside(struct scene *scene)
{
	struct fakepq_rule *rule = fakepq_on("CREATE one");

	(void)scene;
	fakepq_tag(rule, "COMMIT");
	fakepq_tag(rule, "BEGIN");
}

static void
begin_fails(struct scene *scene)
{
	(void)scene;
	script_error("RESET ALL", "42501", "permission denied to set role");
}

static void
commit_fails(struct scene *scene)
{
	(void)scene;
	script_error("=COMMIT", "23503", "violates foreign key constraint");
}

static void
commit_rolls_back(struct scene *scene)
{
	(void)scene;
	script_tag("=COMMIT", "ROLLBACK");
}

static void
second_commit_rolls_back(struct scene *scene)
{
	(void)scene;
	script_tag("=COMMIT", "ROLLBACK");
	fakepq_tag(fakepq_once("=COMMIT"), "COMMIT");
}

static void
rollback_fails(struct scene *scene)
{
	part_fails(scene);
	script_error("=ROLLBACK", "XX000", "no rollback");
}

static void
lock_lost(struct scene *scene)
{
	(void)scene;
	fakepq_rows(
	    fakepq_on("pg_try_advisory_xact_lock"), 1, 1, (const char *const[]){ "f" });
}

static void
lock_gone_at_end(struct scene *scene)
{
	(void)scene;
	fakepq_rows(fakepq_on("pg_advisory_unlock"), 1, 1, (const char *const[]){ "f" });
}

static void
recorded_already(struct scene *scene)
{
	(void)scene;
	script_tag("INSERT INTO \"drizzle\"", "INSERT 0 0");
}

static void
record_denied(struct scene *scene)
{
	(void)scene;
	script_error("INSERT INTO \"drizzle\"", "42501", "permission denied");
}

static void
baseline(struct scene *scene)
{
	scene->request.operation = PLAN_BASELINE;
}

static void
up_to(struct scene *scene)
{
	scene->request.up_to = "0001_one";
}

static void
one_transaction(struct scene *scene)
{
	scene->params.policy.transaction = TRANSACTION_RUN;
}

static void
one_transaction_fails(struct scene *scene)
{
	one_transaction(scene);
	part_fails(scene);
}

static void
journal_off(struct scene *scene)
{
	scene->params.journal = false;
}

static void
journal_absent(struct scene *scene)
{
	(void)scene;
	script_journal(false, true);
}

static void
journal_may_not(struct scene *scene)
{
	(void)scene;
	script_journal(false, false);
}

static void
journal_create_fails(struct scene *scene)
{
	journal_absent(scene);
	script_error("migrationd.runs (id", "42501", "permission denied");
}

/* By a service with another lock. */
static void
journal_made_by_another(struct scene *scene)
{
	journal_absent(scene);
	fakepq_error(
	    fakepq_once("migrationd.runs (id"), "23505", "duplicate key value", 0);
}

static void
journal_older(struct scene *scene)
{
	(void)scene;
	script_older_journal(true);
}

static void
journal_older_not_ours(struct scene *scene)
{
	(void)scene;
	script_older_journal(false);
}

/* Somebody reads it, and goes on reading. */
static void
journal_older_in_use(struct scene *scene)
{
	journal_older(scene);
	script_error("ADD COLUMN IF NOT EXISTS tracking", "55P03", "lock timeout");
}

static void
journal_fails(struct scene *scene)
{
	(void)scene;
	script_error("INSERT INTO migrationd.runs", "42501", "permission denied");
}

static void
lost_in_begin(struct scene *scene)
{
	(void)scene;
	script_lose("RESET ALL");
}

static void
lost_in_part(struct scene *scene)
{
	struct fakepq_rule *rule = fakepq_on("INSERT two");

	(void)scene;
	fakepq_tag(rule, "INSERT 0 2");
	fakepq_lose(rule);
}

static void
lost_in_relock(struct scene *scene)
{
	(void)scene;
	script_lose("pg_try_advisory_xact_lock");
}

static void
lost_in_record(struct scene *scene)
{
	(void)scene;
	script_lose("INSERT INTO \"drizzle\"");
}

static void
lost_in_commit(struct scene *scene)
{
	(void)scene;
	fakepq_lose(fakepq_once("=COMMIT"));
	fakepq_tag(fakepq_once("=COMMIT"), "COMMIT");
}

/* It came through, and nobody was told. */
static void
lost_behind_commit(struct scene *scene)
{
	struct fakepq_rule *commit = fakepq_once("=COMMIT");

	(void)scene;
	fakepq_lose(commit);
	fakepq_tag(commit, "COMMIT");
	fakepq_tag(fakepq_once("=COMMIT"), "COMMIT");
}

/* Both migrations in it. */
static void
lost_in_one_commit(struct scene *scene)
{
	struct fakepq_rule *commit = fakepq_once("=COMMIT");

	one_transaction(scene);
	fakepq_lose(commit);
	fakepq_tag(commit, "COMMIT");
}

static void
lost_in_each_commit(struct scene *scene)
{
	(void)scene;
	script_lose("=COMMIT");
}

static void
witness_contradicts(struct scene *scene)
{
	lost_in_commit(scene);
	fakepq_rows(fakepq_on("txid_status"), 1, 1, (const char *const[]){ "committed" });
}

/* The primary is another now, which never heard of that transaction. */
static void
witness_is_too_young(struct scene *scene)
{
	lost_in_commit(scene);
	script_error("txid_status", "22023", "transaction ID 4242 is in the future");
}

static void
away_behind_commit(struct scene *scene)
{
	lost_in_each_commit(scene);
	fakepq_connection("wro", NULL);
	fakepq_connection("wf", "connection refused\n");
}

static void
lost_in_rollback(struct scene *scene)
{
	part_fails(scene);
	script_lose("=ROLLBACK");
}

static void
lost_in_journal(struct scene *scene)
{
	(void)scene;
	script_lose("INSERT INTO migrationd.runs");
}

static void
lost_in_unlock(struct scene *scene)
{
	(void)scene;
	script_lose("pg_advisory_unlock");
}

#define LOST    RUN_FAILED, CAT_NETWORK_ERROR, "was lost"
#define DENIED  RUN_FAILED, CAT_PERMISSION_DENIED
#define FAILED  RUN_FAILED, CAT_SQL_ERROR
#define ALL     RUN_SUCCEEDED, CAT_NONE, NULL, 2, 2, false, NULL, false
#define TWO_LOG "begin <CREATE two;> ROLLBACK failure(0002_two.sql)"
#define ONE_LOG OPEN_PLAIN "begin <CREATE one;> relock record(0001_one.sql) COMMIT "

const struct scenario scenarios_apply[] = {
	{ "hook", hook, OPEN ONE TWO CLOSE, RUN_SUCCEEDED, CAT_NONE, NULL, 2, 2, false,
	    NULL, false },
	{ "hook_fails", hook_fails, OPEN CLOSE, RUN_REFUSED, CAT_CONFIGURATION,
	    "no backup", 0, 0, false, NULL, false },
	{ "hook_not_needed", hook_not_needed, OPEN "unlock", RUN_SUCCEEDED, CAT_NONE,
	    NULL, 0, 2, false, NULL, false },
	{ "part_fails", part_fails,
	    OPEN ONE "begin <CREATE two;> <INSERT two; SELECT two;> ROLLBACK " CLOSE,
	    FAILED, "0002_two.sql:4:8: relation \"two\" does not exist", 1, 1, false,
	    NULL, false },
	{ "part_fails_in_log", part_fails_in_log, ONE_LOG TWO_LOG " " CLOSE, RUN_FAILED,
	    CAT_SQL_SYNTAX_ERROR, "0002_two.sql:1: syntax error", 1, 1, false, NULL,
	    false },
	{ "note_fails", note_fails, ONE_LOG TWO_LOG " " CLOSE, RUN_FAILED,
	    CAT_SQL_SYNTAX_ERROR, "syntax error", 1, 1, false, NULL, false },
	{ "lost_in_note", lost_in_note, ONE_LOG TWO_LOG, RUN_FAILED, CAT_SQL_SYNTAX_ERROR,
	    "syntax error", 1, 1, false, NULL, false },
	{ "sequence", sequence,
	    OPEN_PLAIN "begin <CREATE one;> relock record(0001) COMMIT " CLOSE,
	    RUN_SUCCEEDED, CAT_NONE, NULL, 1, 1, false, NULL, false },
	{ "changed_before", changed_before, OPEN_PLAIN CLOSE, RUN_REFUSED,
	    CAT_CHECKSUM_MISMATCH, "1 migration was changed that must not", 0, 1, false,
	    NULL, false },
	{ "no_journal_to_ask", no_journal_to_ask,
	    OPEN "journal? begin <CREATE one;> relock record(0001) COMMIT "
		 "journal? unlock",
	    RUN_SUCCEEDED, CAT_NONE, NULL, 1, 1, false, NULL, false },
	{ "journal_not_asked", journal_not_asked,
	    OPEN "begin <CREATE one;> relock record(0001) COMMIT unlock", RUN_SUCCEEDED,
	    CAT_NONE, NULL, 1, 1, false, NULL, false },
	{ "checksums_fail", checksums_fail,
	    OPEN_PLAIN "begin <CREATE one;> relock record(0001) COMMIT " CLOSE,
	    RUN_SUCCEEDED, CAT_NONE, NULL, 1, 1, false, NULL, false },
	{ "lost_in_checksums", lost_in_checksums, OPEN "journal? checksums", RUN_FAILED,
	    CAT_NETWORK_ERROR, "was lost", 0, 0, false, NULL, false },
	{ "not_in_transaction", not_in_transaction,
	    OPEN "begin <CREATE one;> ROLLBACK " CLOSE, FAILED,
	    "in the file's first line: -- migrationd: no-transaction", 0, 0, false, NULL,
	    false },
	{ "read_only", read_only, OPEN "begin <CREATE one;> ROLLBACK " CLOSE, FAILED,
	    "read-only transaction", 0, 0, false, NULL, false },
	{ "commit_inside", commit_inside, OPEN "begin <CREATE one;> ROLLBACK " CLOSE,
	    FAILED, "0001_one.sql ended the transaction", 0, 0, false, NULL, false },
	{ "begin_fails", begin_fails, OPEN "begin ROLLBACK " CLOSE, DENIED,
	    "permission denied to set role", 0, 0, false, NULL, false },
	{ "commit_fails", commit_fails, OPEN ONE "ROLLBACK " CLOSE, FAILED,
	    "0001_one.sql: violates foreign key", 0, 0, false, NULL, false },
	{ "commit_rolls_back", commit_rolls_back, OPEN ONE "ROLLBACK " CLOSE, FAILED,
	    "rolled 0001_one back at COMMIT", 0, 0, false, NULL, false },
	{ "second_commit_rolls_back", second_commit_rolls_back,
	    OPEN ONE TWO "ROLLBACK " CLOSE, FAILED, "rolled 0002_two back", 1, 1, false,
	    NULL, false },
	{ "rollback_fails", rollback_fails,
	    OPEN ONE "begin <CREATE two;> <INSERT two; SELECT two;> ROLLBACK " CLOSE,
	    FAILED, "does not exist", 1, 1, false, NULL, false },
	{ "lock_lost", lock_lost, OPEN "begin <CREATE one;> relock ROLLBACK " CLOSE,
	    RUN_FAILED, CAT_LOCK_TIMEOUT, "another session took the lock while 0001_one",
	    0, 0, false, NULL, false },
	{ "lock_gone_at_end", lock_gone_at_end, OPEN ONE TWO CLOSE, ALL },
	{ "recorded_already", recorded_already,
	    OPEN "begin <CREATE one;> relock record(1700000000001) ROLLBACK rows " CLOSE,
	    FAILED, "0001_one was recorded by somebody else", 0, 0, false, NULL, false },
	{ "record_denied", record_denied,
	    OPEN "begin <CREATE one;> relock record(1700000000001) ROLLBACK " CLOSE,
	    DENIED,
	    "recording 0001_one in drizzle.__drizzle_migrations: permission denied", 0, 0,
	    false, NULL, false },
	{ "baseline", baseline,
	    OPEN "begin relock record(1700000000001) "
		 "again relock record(1700000000002) COMMIT " CLOSE,
	    ALL },
	{ "up_to", up_to, OPEN ONE CLOSE, RUN_SUCCEEDED, CAT_NONE, NULL, 1, 1, false,
	    NULL, false },
	{ "one_transaction", one_transaction,
	    OPEN "begin <CREATE one;> relock record(1700000000001) again <CREATE two;> "
		 "<INSERT two; SELECT two;> relock record(1700000000002) COMMIT " CLOSE,
	    ALL },
	{ "one_transaction_fails", one_transaction_fails,
	    OPEN "begin <CREATE one;> relock record(1700000000001) again <CREATE two;> "
		 "<INSERT two; SELECT two;> ROLLBACK " CLOSE,
	    FAILED, "0002_two.sql:4:8", 0, 0, false, NULL, false },
	{ "journal_off", journal_off, OPEN ONE TWO "unlock", ALL },
	{ "journal_absent", journal_absent,
	    OPEN ONE TWO "journal? journal+ journal unlock", ALL },
	{ "journal_may_not", journal_may_not, OPEN ONE TWO "journal? unlock", ALL },
	{ "journal_create_fails", journal_create_fails,
	    OPEN ONE TWO "journal? journal+ unlock", ALL },
	{ "journal_made_by_another", journal_made_by_another,
	    OPEN ONE TWO "journal? journal+ journal+ journal unlock", ALL },
	{ "journal_older", journal_older, OPEN ONE TWO "journal? widen journal unlock",
	    ALL },
	{ "journal_older_not_ours", journal_older_not_ours,
	    OPEN ONE TWO "journal? journal unlock", ALL },
	{ "journal_older_in_use", journal_older_in_use,
	    OPEN ONE TWO "journal? widen journal unlock", ALL },
	{ "journal_fails", journal_fails, OPEN ONE TWO CLOSE, ALL },
	{ "lost_in_begin", lost_in_begin, OPEN "begin", LOST, 0, 0, false, NULL, false },
	{ "lost_in_part", lost_in_part,
	    OPEN ONE "begin <CREATE two;> <INSERT two; SELECT two;>", LOST, 1, 1, false,
	    NULL, false },
	{ "lost_in_relock", lost_in_relock, OPEN "begin <CREATE one;> relock", LOST, 0, 0,
	    false, NULL, false },
	{ "lost_in_record", lost_in_record,
	    OPEN "begin <CREATE one;> relock record(1700000000001)", LOST, 0, 0, false,
	    NULL, false },
	{ "lost_in_commit", lost_in_commit, OPEN ONE TWO OPEN "witness " TWO CLOSE, ALL },
	{ "lost_behind_commit", lost_behind_commit, OPEN ONE TWO OPEN "witness " CLOSE,
	    ALL },
	{ "lost_in_one_commit", lost_in_one_commit,
	    OPEN "begin <CREATE one;> relock record(1700000000001) again <CREATE two;> "
		 "<INSERT two; SELECT two;> relock record(1700000000002) COMMIT " OPEN
		 "witness " CLOSE,
	    ALL },
	{ "lost_in_each_commit", lost_in_each_commit,
	    OPEN ONE OPEN "witness " ONE OPEN "witness " ONE OPEN
			  "witness begin <CREATE one;> relock record(1700000000001) "
			  "COMMIT",
	    RUN_FAILED, CAT_NETWORK_ERROR, "whether it was committed is not known", 0, 0,
	    false, NULL, false },
	{ "witness_contradicts", witness_contradicts, OPEN ONE TWO OPEN "witness " CLOSE,
	    RUN_FAILED, CAT_INTERNAL,
	    "the server says that 0002_two was committed, but its row does not say so", 1,
	    1, false, NULL, false },
	{ "witness_is_too_young", witness_is_too_young,
	    OPEN ONE TWO OPEN "witness " TWO CLOSE, ALL },
	{ "away_behind_commit", away_behind_commit,
	    OPEN "begin <CREATE one;> relock record(1700000000001) COMMIT", RUN_FAILED,
	    CAT_NETWORK_ERROR, "whether 0001_one was committed is not known", 0, 0, false,
	    NULL, false },
	{ "lost_in_rollback", lost_in_rollback,
	    OPEN ONE "begin <CREATE two;> <INSERT two; SELECT two;> ROLLBACK", FAILED,
	    "does not exist", 1, 1, false, NULL, false },
	{ "lost_in_journal", lost_in_journal, OPEN ONE TWO "journal? journal", ALL },
	{ "lost_in_unlock", lost_in_unlock, OPEN ONE TWO CLOSE, ALL },
};
const size_t n_scenarios_apply = ARRAY_SIZE(scenarios_apply);
