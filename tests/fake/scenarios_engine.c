/* SPDX-License-Identifier: PostgreSQL */
#include "base/macros.h"
#include "scenarios.h"

/*
 * Servers that are not PostgreSQL: what a run does otherwise there. They answer as
 * tests/integration/harness/dsql.py and engines.py have it.
 */

#define TABLE "CREATE TABLE one (x int);"
#define INDEX "CREATE INDEX ASYNC i ON one (x);"
#define ROWS  "INSERT INTO one VALUES (1);"

static void
job(struct fakepq_rule *rule, const char *status, const char *details)
{
	fakepq_rows(rule, 2, 1, (const char *const[]){ status, details });
}

static void
dsql(struct scene *scene, const char *text)
{
	struct fakepq_rule *index;

	scene_only(scene, text);
	scene->dialect = &dialect_dsql;
	script_engine("PostgreSQL 16", true);
	fakepq_rows(fakepq_on("'locks'"), 3, 1, (const char *const[]){ "t", "t", "t" });
	fakepq_rows(fakepq_on("FOR UPDATE)"), 2, 1, (const char *const[]){ "t", NULL });
	script_tag("CREATE SCHEMA IF NOT EXISTS migrationd", "CREATE SCHEMA");
	script_tag("=" TABLE, "CREATE TABLE");
	script_tag("INSERT INTO one", "INSERT 0 1");
	script_tag("DROP INDEX", "DROP INDEX");
	index = fakepq_on("INDEX ASYNC");
	fakepq_rows(index, 1, 1, (const char *const[]){ "jobjobjobjobjobjobjobjobjo" });
	fakepq_name_column(index, "job_id");
	job(fakepq_on("SELECT j.status"), "completed", "");
}

static void
dsql_one(struct scene *scene)
{
	dsql(scene, TABLE "\n" ROWS "\n");
}

static void
dsql_index(struct scene *scene)
{
	dsql(scene, INDEX "\n");
}

static void
dsql_journals_absent(struct scene *scene)
{
	dsql_one(scene);
	script_statements(false, true);
	script_journal(false, true);
}

static void
dsql_conflicts(struct scene *scene)
{
	dsql_one(scene);
	fakepq_error(fakepq_once("=" TABLE), "40001", "change conflicts (OC001)", 0);
	fakepq_error(fakepq_once("SELECT created_at"), "OC001", "change conflicts", 0);
	fakepq_error(fakepq_once("INSERT INTO one"), "40001", "change conflicts", 0);
}

static void
dsql_conflicts_for_ever(struct scene *scene)
{
	dsql_one(scene);
	scene->hurries = true;
	script_error("SELECT created_at", "40001", "change conflicts (OC001)");
}

/* Nobody may be surer of the lock than the lock is. */
static void
dsql_conflict_unsure(struct scene *scene)
{
	dsql_one(scene);
	script_error("=" TABLE, "40001", "change conflicts (OC001)");
	scene->act = runner_cancel;
	scene->act_in = RUN_ALONE;
}

static void
dsql_job_goes_on(struct scene *scene)
{
	dsql_index(scene);
	job(fakepq_once("SELECT j.status"), "processing", "");
	job(fakepq_once("SELECT j.status"), "submitted", "");
}

static void
dsql_job_unknown(struct scene *scene)
{
	dsql_index(scene);
	fakepq_rows(fakepq_on("SELECT j.status"), 2, 0, NULL);
}

static void
dsql_job_fails(struct scene *scene)
{
	dsql_index(scene);
	job(fakepq_on("SELECT j.status"), "failed", "could not create unique index");
	script_index("f");
}

static void
dsql_validation_fails(struct scene *scene)
{
	struct fakepq_rule *validate;

	dsql(scene, "ALTER TABLE ASYNC one VALIDATE CONSTRAINT k;\n");
	validate = fakepq_on("VALIDATE");
	fakepq_rows(
	    validate, 1, 1, (const char *const[]){ "jobjobjobjobjobjobjobjobjo" });
	fakepq_name_column(validate, "job_id");
	job(fakepq_on("SELECT j.status"), "failed", "violated by some row");
}

static void
dsql_begun(struct scene *scene, const char *text)
{
	dsql(scene, text);
	scene->is_resumed = true;
	model_statement(1, text, false);
	fakepq_rows(fakepq_on("SELECT j.job_id"), 1, 0, NULL);
}

static void
dsql_table_there(struct scene *scene)
{
	dsql_begun(scene, TABLE);
	fakepq_rows(fakepq_on("SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_"), 1, 1,
	    (const char *const[]){ "t" });
}

static void
dsql_table_absent(struct scene *scene)
{
	dsql_begun(scene, TABLE);
	fakepq_rows(fakepq_on("SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_"), 1, 1,
	    (const char *const[]){ "f" });
}

static void
invalid_once(void)
{
	fakepq_rows(fakepq_once("SELECT i.indisvalid"), 3, 1,
	    (const char *const[]){ "f", "public", "i" });
}

static void
dsql_index_left(struct scene *scene)
{
	dsql_begun(scene, INDEX);
	invalid_once();
}

static void
dsql_job_found(struct scene *scene)
{
	struct fakepq_rule *jobs;

	dsql_begun(scene, INDEX);
	invalid_once();
	model_index();
	jobs = fakepq_on("SELECT j.job_id");
	fakepq_rows(jobs, 1, 1, (const char *const[]){ "jobjobjobjobjobjobjobjobjo" });
	fakepq_name_column(jobs, "job_id");
}

/* Plain files are not looked into: each gets a session as if new. */
static void
dsql_two_plain(struct scene *scene)
{
	dsql(scene, ROWS "\n");
	script_add(scene->folder, "0002_two", "INSERT INTO one VALUES (2);\n");
}

/* Two make the table of leases at the same time. */
static void
locks_made_by_another(struct scene *scene)
{
	dsql_one(scene);
	fakepq_rows(fakepq_on("'locks'"), 3, 1, (const char *const[]){ "f", "t", "t" });
	fakepq_error(fakepq_once("CREATE TABLE IF NOT EXISTS migrationd.locks"), "42P07",
	    "exists", 0);
}

static void
identity_is_odd(struct scene *scene)
{
	(void)scene;
	script_tag("SELECT pg_catalog.version()", "SELECT 1");
}

#define DOPEN    "probe lock? lock+ lock look rows "
#define DRESUME  DOPEN "statements? resume "
#define ALONE(s) "note(1) <" s "> "
#define RECORD   "relock record(1700000000001) "
#define LAST     "begin " RECORD "forget COMMIT "
#define TAIL     "begin <" ROWS "> " RECORD "forget COMMIT "
#define APPLIED  RUN_SUCCEEDED, CAT_NONE, NULL, 1, 1, true
#define FAILED   RUN_FAILED, CAT_SQL_ERROR

const struct scenario scenarios_engine[] = {
	{ "dsql_one", dsql_one, DRESUME ALONE(TABLE) "noted(1) " TAIL CLOSE, APPLIED,
	    NULL, true },
	{ "dsql_journals_absent", dsql_journals_absent,
	    DOPEN "statements? schema+ statements+ resume " ALONE(
		TABLE) "noted(1) " TAIL "journal? schema+ journal+ journal unlock",
	    APPLIED, NULL, true },
	{ "dsql_conflicts", dsql_conflicts,
	    DOPEN "rows statements? resume " ALONE(TABLE) "<" TABLE "> noted(1) "
							  "begin <" ROWS
							  "> ROLLBACK " TAIL CLOSE,
	    APPLIED, NULL, true },
	{ "dsql_conflicts_for_ever", dsql_conflicts_for_ever, NULL, FAILED, "OC001", 0,
	    -1, true, NULL, false },
	{ "dsql_conflict_unsure", dsql_conflict_unsure, NULL, FAILED, "OC001", 0, 0, true,
	    NULL, false },
	{ "dsql_index", dsql_index,
	    DRESUME ALONE(INDEX) "job? index? noted(1) " LAST CLOSE, APPLIED, NULL,
	    true },
	{ "dsql_job_goes_on", dsql_job_goes_on,
	    DRESUME ALONE(INDEX) "job? job? job? index? noted(1) " LAST CLOSE, APPLIED,
	    NULL, true },
	{ "dsql_job_unknown", dsql_job_unknown,
	    DRESUME ALONE(INDEX) "job? index? noted(1) " LAST CLOSE, APPLIED, NULL,
	    true },
	{ "dsql_job_fails", dsql_job_fails, DRESUME ALONE(INDEX) "job? index? " CLOSE,
	    FAILED, "it left an invalid index, which the next POST /apply drops first", 0,
	    0, true, "1 begun", false },
	{ "dsql_validation_fails", dsql_validation_fails,
	    DRESUME
	    "note(1) <ALTER TABLE ASYNC one VALIDATE CONSTRAINT k;> job? withdraw " CLOSE,
	    FAILED, "nothing of it is left", 0, 0, true, NULL, false },
	{ "dsql_table_there", dsql_table_there, DRESUME "there? noted(1) " LAST CLOSE,
	    APPLIED, NULL, true },
	{ "dsql_table_absent", dsql_table_absent,
	    DRESUME "there? " ALONE(TABLE) "noted(1) " LAST CLOSE, APPLIED, NULL, true },
	{ "dsql_index_left", dsql_index_left,
	    DRESUME "index? jobs? <DROP INDEX \"public\".\"i\"> " ALONE(
		INDEX) "job? index? noted(1) " LAST CLOSE,
	    APPLIED, NULL, true },
	{ "dsql_job_found", dsql_job_found,
	    DRESUME "index? jobs? job? index? noted(1) " LAST CLOSE, APPLIED, NULL,
	    true },
	{ "dsql_two_plain", dsql_two_plain,
	    DOPEN
	    "begin <" ROWS "> " RECORD "COMMIT " DOPEN
	    "begin <INSERT INTO one VALUES (2);> relock record(1700000000002) COMMIT " CLOSE,
	    RUN_SUCCEEDED, CAT_NONE, NULL, 2, 2, true, NULL, true },
	{ "locks_made_by_another", locks_made_by_another,
	    "probe lock? locks+ locks+ lock+ lock look rows statements? resume " ALONE(
		TABLE) "noted(1) " TAIL CLOSE,
	    APPLIED, NULL, true },
	{ "identity_is_odd", identity_is_odd, "", RUN_FAILED, CAT_INTERNAL,
	    "did not say what it is", 0, -1, false, NULL, false },
};
const size_t n_scenarios_engine = ARRAY_SIZE(scenarios_engine);
