/* SPDX-License-Identifier: PostgreSQL */
#include "base/macros.h"
#include "base/mem.h"
#include "scenarios.h"

/* A folder of drizzle-kit 1.0 and a table of drizzle-orm 0.x. */

static void
older(struct scene *scene)
{
	const struct migration *one = scene->folder->migrations[0];

	scene->folder->layout = &layout_drizzle1;
	scene->params.tracking = "drizzle1";
	model_rows(scene->folder, 1);
	fakepq_rows(fakepq_on("SELECT name, hash"), 4, 1,
	    (const char *const[]){ one->version, one->checksum, "1700000000001", NULL });
	script_table("id,hash,created_at,name,applied_at");
	fakepq_rows(fakepq_once("a.attname"), 4, 1,
	    (const char *const[]){ "t", "t", "id,hash,created_at", "f" });
}

static void
newer(struct scene *scene)
{
	older(scene);
	script_table("id,hash,created_at,name");
}

/* What is left when a COMMIT's answer was lost, for one: nothing is done but naming. */
static void
nothing_else(struct scene *scene)
{
	older(scene);
	scene->request.up_to = "0001_one";
}

static void
unknown_row(struct scene *scene)
{
	older(scene);
	fakepq_rows(fakepq_on("SELECT created_at"), 2, 1,
	    (const char *const[]){ "1600000000000", "other" });
}

static void
wrong_layout(struct scene *scene)
{
	older(scene);
	scene->folder->layout = &layout_drizzle;
}

static void
repair(struct scene *scene)
{
	older(scene);
	scene->request = (struct run_request){
		.operation = PLAN_REPAIR, .up_to = "0001_one", .action = "retry"
	};
	script_statements(false, true);
}

static void
row_meanwhile(struct scene *scene)
{
	older(scene);
	fakepq_rows(
	    fakepq_on("IN ACCESS EXCLUSIVE MODE"), 1, 1, (const char *const[]){ "f" });
}

static void
not_owner(struct scene *scene)
{
	older(scene);
	script_error("IN ACCESS EXCLUSIVE MODE", "42501", "must be owner of table");
}

static void
in_use(struct scene *scene)
{
	older(scene);
	script_error("IN ACCESS EXCLUSIVE MODE", "55P03", "due to lock timeout");
}

static void
lost(struct scene *scene)
{
	older(scene);
	script_lose("IN ACCESS EXCLUSIVE MODE");
}

static void
lost_at_commit(struct scene *scene)
{
	older(scene);
	fakepq_lose(fakepq_once("COMMIT"));
}

static void
rolled_back(struct scene *scene)
{
	older(scene);
	fakepq_tag(fakepq_once("COMMIT"), "ROLLBACK");
}

static void
finish_early(struct runner *runner, const char *reason)
{
	runner_finish_early(runner, reason);
}

static void
stopped(struct scene *scene)
{
	older(scene);
	scene->act = finish_early;
	scene->act_in = RUN_HISTORY;
}

/* So many rows that naming them is no statement any more. */
static void
too_many(struct scene *scene)
{
	const struct migration *one = scene->folder->migrations[0];
	size_t n = 180000;
	const char **values = mem_array(scene->folder, const char *, 2 * n);

	older(scene);
	for (size_t i = 0; i < n; i++) {
		values[2 * i] = "1700000000001";
		values[2 * i + 1] = one->checksum;
	}
	fakepq_rows(fakepq_on("SELECT created_at"), 2, (int)n, values);
	talloc_free(values);
}

/* Noted by its `when`, which is no name of a folder. */
static void
begun(struct scene *scene)
{
	older(scene);
	fakepq_rows(fakepq_on("SELECT DISTINCT s.version"), 1, 2,
	    (const char *const[]){ "1700000000002", "1600000000000" });
}

#define UPGRADE  OPEN "statements? begun? upgrade "
#define AND_THEN "COMMIT look rows "
#define BACK     "ROLLBACK "

const struct scenario scenarios_upgrade[] = {
	{ "older", older, UPGRADE AND_THEN TWO CLOSE, RUN_SUCCEEDED, CAT_NONE, NULL, 1, 2,
	    false, NULL, false },
	{ "newer", newer, OPEN TWO CLOSE, RUN_SUCCEEDED, CAT_NONE, NULL, 1, 2, false,
	    NULL, false },
	{ "nothing_else", nothing_else, UPGRADE AND_THEN "unlock", RUN_SUCCEEDED,
	    CAT_NONE, NULL, 0, 1, false, NULL, false },
	{ "unknown_row", unknown_row, OPEN CLOSE, RUN_REFUSED, CAT_CONFIGURATION,
	    "created_at 1600000000000", 0, 1, false, NULL, false },
	{ "wrong_layout", wrong_layout, OPEN CLOSE, RUN_REFUSED, CAT_CONFIGURATION,
	    "layout drizzle1 alone", 0, 1, false, NULL, false },
	{ "repair_older", repair,
	    OPEN "journal? baselined statements? upgrade " AND_THEN
		 "journal? baselined statements? " CLOSE,
	    RUN_REFUSED, CAT_CONFIGURATION, "nothing of 0001_one", 0, 1, false, NULL,
	    false },
	{ "begun", begun, OPEN "statements? begun? " BACK CLOSE, RUN_REFUSED,
	    CAT_CONFIGURATION, "1600000000000 before drizzle-kit up has run in part", 0,
	    1, false, NULL, false },
	{ "row_meanwhile", row_meanwhile, UPGRADE BACK CLOSE, RUN_FAILED,
	    CAT_LOCK_TIMEOUT,
	    "upgrading tracking table drizzle.__drizzle_migrations: another's migrator",
	    0, 1, false, NULL, false },
	{ "not_owner", not_owner, UPGRADE BACK CLOSE, RUN_FAILED, CAT_PERMISSION_DENIED,
	    "only its owner can add columns", 0, 1, false, NULL, false },
	{ "in_use", in_use, UPGRADE BACK CLOSE, RUN_FAILED, CAT_LOCK_TIMEOUT,
	    "due to lock timeout", 0, 1, false, NULL, false },
	{ "upgrade_lost", lost, OPEN "statements? begun? upgrade", RUN_FAILED,
	    CAT_NETWORK_ERROR, "was lost", 0, 1, false, NULL, false },
	{ "upgrade_lost_at_commit", lost_at_commit, UPGRADE "COMMIT", RUN_FAILED,
	    CAT_NETWORK_ERROR, "was lost", 0, 1, false, NULL, false },
	{ "upgrade_rolled_back", rolled_back, UPGRADE "COMMIT " BACK CLOSE, RUN_FAILED,
	    CAT_SQL_ERROR, "the server rolled it back at COMMIT", 0, 1, false, NULL,
	    false },
	{ "upgrade_stopped", stopped, OPEN CLOSE, RUN_CANCELLED, CAT_CANCELLED,
	    "told to stop", 0, 1, false, NULL, false },
	{ "too_many_rows", too_many, OPEN "statements? begun? " BACK CLOSE, RUN_FAILED,
	    CAT_CONFIGURATION, "too many rows: 180000", 0, 180000, true, NULL, false },
};
const size_t n_scenarios_upgrade = ARRAY_SIZE(scenarios_upgrade);
