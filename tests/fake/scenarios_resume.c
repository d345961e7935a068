/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>

#include "base/macros.h"
#include "scenarios.h"

/* What a run of a file in segments finds of an earlier one. */

#define INDEX "CREATE INDEX CONCURRENTLY i ON one (x);"
#define DROP  "DROP INDEX CONCURRENTLY i;"
#define BODY  "DO $$BEGIN COMMIT; END$$;"
#define HEAD  "CREATE one;"
#define TAIL  "CREATE two;"

/* The statement alone was begun by a run that is gone. */
static void
begun(struct scene *scene, const char *alone)
{
	char text[256];

	(void)snprintf(text, sizeof(text), "%s\n%s\n%s\n", HEAD, alone, TAIL);
	scene_only(scene, text);
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

#define RESUME      OPEN "statements? resume "
#define LAST        "begin <" TAIL "> relock record(1700000000001) forget COMMIT "
#define ALONE(s)    "session note(2) <" s "> "
#define MADE        ALONE(INDEX) "index? noted(2) "
#define DROPPED     "<DROP INDEX CONCURRENTLY \"public\".\"i\"> "
#define ONE_APPLIED RUN_SUCCEEDED, CAT_NONE, NULL, 1, 1, false
#define DENIED      RUN_FAILED, CAT_PERMISSION_DENIED

const struct scenario scenarios_resume[] = {
	{ "behind_alone", behind_alone, RESUME LAST CLOSE, ONE_APPLIED, NULL, true },
	{ "row_missing", row_missing,
	    RESUME "begin relock record(1700000000001) forget COMMIT " CLOSE, ONE_APPLIED,
	    NULL, true },
	{ "unknown_valid", unknown_valid, RESUME "again index? noted(2) " LAST CLOSE,
	    ONE_APPLIED, NULL, true },
	{ "unknown_invalid", unknown_invalid,
	    RESUME "again index? " DROPPED MADE LAST CLOSE, ONE_APPLIED, NULL, true },
	{ "unknown_absent", index_begun, RESUME "again index? " MADE LAST CLOSE,
	    ONE_APPLIED, NULL, true },
	{ "unknown_drop_fails", unknown_drop_fails, RESUME "again index? " DROPPED CLOSE,
	    DENIED, "must be owner", 0, 0, false, "1 done, 2 begun", false },
	{ "unknown_dropped", unknown_dropped, RESUME "again index? noted(2) " LAST CLOSE,
	    ONE_APPLIED, NULL, true },
	{ "unknown_not_dropped", unknown_not_dropped,
	    RESUME "again index? " ALONE(DROP) "noted(2) " LAST CLOSE, ONE_APPLIED, NULL,
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
	    CAT_CHECKSUM_MISMATCH, "another one now", 0, 0, false, "1 done, 2 begun",
	    false },
};
const size_t n_scenarios_resume = ARRAY_SIZE(scenarios_resume);
