/* SPDX-License-Identifier: PostgreSQL */
#include "base/macros.h"
#include "scenarios.h"

/* What a person answers about a statement in doubt. */

#define HEAD "CREATE one;"
#define BODY "DO $$BEGIN COMMIT; END$$;"

/* Statement 2 of three, and what a person says of it. */
static void
repair(struct scene *scene, const char *action)
{
	scene_only(scene, HEAD "\n" BODY "\nCREATE two;\n");
	model_statement(1, HEAD, true);
	model_statement(2, BODY, false);
	scene->request = (struct run_request){
		.operation = PLAN_REPAIR, .up_to = "0001_mixed", .action = action
	};
}

static void
repair_retry(struct scene *scene)
{
	repair(scene, "retry");
}

static void
repair_applied(struct scene *scene)
{
	repair(scene, "applied");
}

static void
repair_pending(struct scene *scene)
{
	repair(scene, "pending");
}

static void
repair_nothing(struct scene *scene)
{
	repair(scene, "retry");
	model_statement(2, BODY, true);
	script_tag("DELETE FROM migrationd.statements", "DELETE 0");
}

static void
repair_no_table(struct scene *scene)
{
	repair(scene, "retry");
	script_statements(false, true);
}

static void
repair_whom(struct scene *scene)
{
	repair(scene, "retry");
	scene->request.up_to = "0009_nine";
}

static void
repair_denied(struct scene *scene)
{
	repair(scene, "retry");
	script_error("DELETE FROM migrationd.statements", "42501", "permission denied");
}

/* About the row of 0001_one, which is there, or not; nothing is in doubt. */
static void
row(struct scene *scene, const char *action, bool recorded)
{
	if (recorded)
		model_rows(scene->folder, 1);
	scene->request = (struct run_request){
		.operation = PLAN_REPAIR, .up_to = "0001_one", .action = action
	};
	script_statements(false, true);
}

static void
row_applied(struct scene *scene)
{
	row(scene, "applied", false);
}

static void
row_applied_after_all(struct scene *scene)
{
	row(scene, "applied", false);
	script_statements(true, true);
	script_tag("UPDATE migrationd.statements", "UPDATE 0");
}

static void
row_pending(struct scene *scene)
{
	row(scene, "pending", true);
}

static void
row_checksum(struct scene *scene)
{
	row(scene, "checksum", true);
	scene->folder->migrations[0]->checksum[0] ^= 1;
	script_tag("UPDATE \"", "UPDATE 1");
}

static void
row_is_another(struct scene *scene)
{
	row(scene, "pending", true);
	script_tag("DELETE FROM \"", "DELETE 0");
}

static void
row_denied(struct scene *scene)
{
	row(scene, "pending", true);
	script_error("DELETE FROM \"", "42501", "permission denied");
}

static void
row_lost(struct scene *scene)
{
	struct fakepq_rule *commit = fakepq_once("=COMMIT");

	row(scene, "pending", true);
	fakepq_tag(commit, "COMMIT");
	fakepq_lose(commit);
}

static void
row_recorded(struct scene *scene)
{
	row(scene, "applied", true);
}

#define GONE "begin relock unrecord(1700000000001) "

#define REPAIR KNOWN "statements? "

#define DENIED   RUN_FAILED, CAT_PERMISSION_DENIED
#define NO_WAY   RUN_REFUSED, CAT_CONFIGURATION
#define REPAIRED RUN_SUCCEEDED, CAT_NONE, NULL, 0, 0, false

const struct scenario scenarios_repair[] = {
	{ "repair_retry", repair_retry, REPAIR "withdraw " CLOSE, REPAIRED, "1 done",
	    false },
	{ "repair_applied", repair_applied, REPAIR "answered " CLOSE, REPAIRED,
	    "1 done, 2 done", false },
	{ "repair_pending", repair_pending, REPAIR "forget " CLOSE, REPAIRED, NULL,
	    false },
	{ "repair_nothing", repair_nothing, REPAIR "withdraw " CLOSE, NO_WAY,
	    "nothing of 0001_mixed is in doubt", 0, 0, false, "1 done, 2 done", false },
	{ "repair_no_table", repair_no_table, REPAIR CLOSE, NO_WAY,
	    "nothing of 0001_mixed is in doubt", 0, 0, false, "1 done, 2 begun", false },
	{ "repair_whom", repair_whom, KNOWN CLOSE, RUN_REFUSED, CAT_RESOURCE_NOT_FOUND,
	    "there is no migration 0009_nine", 0, 0, false, "1 done, 2 begun", false },
	{ "row_applied", row_applied,
	    REPAIR "begin relock record(1700000000001) COMMIT " CLOSE, RUN_SUCCEEDED,
	    CAT_NONE, NULL, 1, 1, false, NULL, false },
	{ "row_applied_after_all", row_applied_after_all,
	    REPAIR "answered begin relock record(1700000000001) forget COMMIT " CLOSE,
	    RUN_SUCCEEDED, CAT_NONE, NULL, 1, 1, false, NULL, false },
	{ "row_pending", row_pending, REPAIR GONE "COMMIT " CLOSE, RUN_SUCCEEDED,
	    CAT_NONE, NULL, 1, 0, false, NULL, false },
	{ "row_checksum", row_checksum,
	    REPAIR "begin relock bless(1700000000001) COMMIT " CLOSE, RUN_SUCCEEDED,
	    CAT_NONE, NULL, 1, 1, false, NULL, false },
	{ "row_is_another", row_is_another, REPAIR GONE "ROLLBACK " CLOSE, RUN_FAILED,
	    CAT_SQL_ERROR, "nothing of this is kept", 0, 1, false, NULL, false },
	{ "row_denied", row_denied, REPAIR GONE "ROLLBACK " CLOSE, DENIED,
	    "permission denied", 0, 1, false, NULL, false },
	{ "row_lost", row_lost, REPAIR GONE "COMMIT " KNOWN "witness " CLOSE,
	    RUN_SUCCEEDED, CAT_NONE, NULL, 1, 0, true, NULL, false },
	{ "row_recorded", row_recorded, REPAIR CLOSE, NO_WAY, "recorded already", 0, 1,
	    false, NULL, false },
	{ "repair_denied", repair_denied, REPAIR "withdraw " CLOSE, DENIED,
	    "permission denied", 0, 0, false, "1 done, 2 begun", false },
};
const size_t n_scenarios_repair = ARRAY_SIZE(scenarios_repair);
