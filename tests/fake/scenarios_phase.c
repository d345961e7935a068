/* SPDX-License-Identifier: PostgreSQL */
#include "base/macros.h"
#include "scenarios.h"

/* What runs behind the schema's migrations, and files that run in batches. */

#define MANY                                                                      \
	"-- migrationd: batch pause=20ms\n-- migrationd: batch-count SELECT 30\n" \
	"UPDATE many LIMIT $1;\n"

static void
add(struct scene *scene, enum phase phase, const char *layout, const char *id,
    const char *text)
{
	struct migration *m;

	if (scene->behind[phase] == NULL)
		scene->behind[phase] = script_folder(layout);
	scene->params.phases |= PHASE_BIT(phase);
	m = script_add(scene->behind[phase], id, text);
	m->version = m->id;
	m->order = (int64_t)m->position;
}

static void
all(struct scene *scene)
{
	add(scene, PHASE_DATA, "dated", "2026-01-01_a", "CREATE alpha;");
	add(scene, PHASE_DATA, "dated", "2026-01-02_b", "CREATE beta;");
	add(scene, PHASE_SEEDS, "files", "roles_x", "CREATE gamma;");
	/* all tables are one to the script */
	script_table("id,hash,created_at,description,executed_at,success,error,target,"
		     "checksum,applied_at,runs");
	script_tag("CREATE alpha", "CREATE TABLE");
	script_tag("CREATE beta", "CREATE TABLE");
	script_tag("CREATE gamma", "CREATE TABLE");
}

static void
data_fails(struct scene *scene)
{
	all(scene);
	script_error("CREATE alpha", "42P01", "relation \"nowhere\" does not exist");
}

static void
data_not_noted(struct scene *scene)
{
	data_fails(scene);
	script_error("AS t (id, description", "42501", "permission denied for table");
}

static void
data_denied(struct scene *scene)
{
	all(scene);
	script_error("SELECT id, description", "42501", "permission denied");
}

static void
data_alone(struct scene *scene)
{
	all(scene);
	scene->request.phases = PHASE_BIT(PHASE_DATA);
}

static void
seeds_always(struct scene *scene)
{
	all(scene);
	scene->request.phases = PHASE_BIT(PHASE_SEEDS);
	scene->params.policy.rerun = RERUN_ALWAYS;
}

static void
seed_fails(struct scene *scene)
{
	all(scene);
	script_error("CREATE gamma", "42P07", "relation \"gamma\" already exists");
}

/* It ran before, as it was then: that row is no sign that another was quicker. */
static void
changed_seed_fails(struct scene *scene)
{
	seed_fails(scene);
	scene->request.phases = PHASE_BIT(PHASE_SEEDS);
	model_row("seeds", "roles_x", "another");
}

static void
batches(struct scene *scene)
{
	scene->hurries = true;
	scene_only(scene, MANY);
	model_batches(3);
}

static void
batches_created(struct scene *scene)
{
	batches(scene);
	fakepq_rows(
	    fakepq_once("'batches'"), 3, 1, (const char *const[]){ "f", "t", "t" });
	script_tag("CREATE TABLE IF NOT EXISTS migrationd.batches", "CREATE TABLE");
}

static void
batches_denied(struct scene *scene)
{
	batches(scene);
	fakepq_rows(fakepq_on("'batches'"), 3, 1, (const char *const[]){ "f", "f", "f" });
}

static void
batches_unjournalled(struct scene *scene)
{
	batches(scene);
	scene->params.journal = false;
}

static void
batch_locked(struct scene *scene)
{
	batches(scene);
	fakepq_error(fakepq_once("UPDATE many"), "55P03", "not now", 0);
}

static void
batches_counted_wrong(struct scene *scene)
{
	batches(scene);
	fakepq_rows(fakepq_on("SELECT 30"), 1, 1, (const char *const[]){ "many" });
}

static void
batches_uncounted(struct scene *scene)
{
	batches(scene);
	script_error("SELECT 30", "42P01", "relation \"x\" does not exist");
}

/* A replica is behind, and then it is not. */
static void
batches_held(struct scene *scene)
{
	batches(scene);
	scene->params.batch_max_lag_ms = 1000;
	scene->params.batch_max_active = 5;
	fakepq_rows(fakepq_once("pg_stat_replication"), 4, 1,
	    (const char *const[]){ "9000", "1", "f", "f" });
	fakepq_rows(fakepq_once("pg_stat_replication"), 4, 1,
	    (const char *const[]){ "10", "6", "t", "t" });
}

static void
batches_endless(struct scene *scene)
{
	batches(scene);
	model_batches(60);
	fakepq_rows(fakepq_on("c.reltuples"), 1, 1, (const char *const[]){ "40" });
}

#define NEXT    "look rows "
#define AHEAD   NEXT NEXT /* data and seeds, for those who are told of the plan */
#define ALPHA   "begin <CREATE alpha;> relock record(2026-01-01_a) COMMIT "
#define BETA    "begin <CREATE beta;> relock record(2026-01-02_b) COMMIT "
#define GAMMA   "begin <CREATE gamma;> relock record(roles_x) COMMIT "
#define FAILED  "begin <CREATE alpha;> ROLLBACK record(2026-01-01_a) "
#define SUCCESS RUN_SUCCEEDED, CAT_NONE, NULL
#define BATCH   "begin <UPDATE many LIMIT $1;|1000> relock mark COMMIT "
#define LAST \
	"begin <UPDATE many LIMIT $1;|1000> relock record(1700000000001) forget COMMIT "
#define ASKED "again batches? resume count bound "
#define FIRST BATCH BATCH BATCH

const struct scenario scenarios_phase[] = {
	{ "phases", all, OPEN AHEAD ONE TWO NEXT ALPHA BETA NEXT GAMMA CLOSE, SUCCESS, 5,
	    2, false, NULL, true },
	{ "data_fails", data_fails, OPEN AHEAD ONE TWO NEXT FAILED BETA NEXT GAMMA CLOSE,
	    SUCCESS, 4, 2, false, NULL, true },
	{ "data_not_noted", data_not_noted,
	    OPEN AHEAD ONE TWO NEXT FAILED NEXT GAMMA CLOSE, SUCCESS, 3, 2, false, NULL,
	    false },
	{ "data_denied", data_denied, OPEN AHEAD ONE TWO NEXT NEXT GAMMA CLOSE, SUCCESS,
	    3, 2, false, NULL, true },
	{ "data_alone", data_alone, OPEN ALPHA BETA CLOSE, SUCCESS, 2, -1, false, NULL,
	    false },
	{ "seeds_always", seeds_always, OPEN GAMMA CLOSE, SUCCESS, 1, -1, false, NULL,
	    false },
	{ "seed_fails", seed_fails,
	    OPEN AHEAD ONE TWO NEXT ALPHA BETA NEXT
	    "begin <CREATE gamma;> ROLLBACK " CLOSE,
	    RUN_FAILED, CAT_SQL_ERROR, "already exists", 4, 2, false, NULL, false },
	{ "changed_seed_fails", changed_seed_fails,
	    OPEN "begin <CREATE gamma;> ROLLBACK " CLOSE, RUN_FAILED, CAT_SQL_ERROR,
	    "already exists", 0, -1, false, NULL, false },
	{ "batches", batches, OPEN ASKED FIRST LAST CLOSE, SUCCESS, 1, 1, false, NULL,
	    true },
	{ "batches_created", batches_created,
	    OPEN "again batches? batches+ resume count bound " FIRST LAST CLOSE, SUCCESS,
	    1, 1, false, NULL, true },
	{ "batches_denied", batches_denied, OPEN "again batches? " CLOSE, RUN_REFUSED,
	    CAT_CONFIGURATION, "may not create the schema", 0, 0, false, NULL, false },
	{ "batches_unjournalled", batches_unjournalled, OPEN "unlock", RUN_REFUSED,
	    CAT_CONFIGURATION, "journal = on", 0, 0, false, NULL, false },
	{ "batch_locked", batch_locked,
	    OPEN ASKED "begin <UPDATE many LIMIT $1;|1000> ROLLBACK " FIRST LAST CLOSE,
	    SUCCESS, 1, 1, true, NULL, true },
	{ "batches_counted_wrong", batches_counted_wrong,
	    OPEN "again batches? resume count " CLOSE, RUN_FAILED, CAT_SQL_ERROR,
	    "one number", 0, 0, false, NULL, false },
	{ "batches_uncounted", batches_uncounted,
	    OPEN "again batches? resume count " CLOSE, RUN_FAILED, CAT_SQL_ERROR,
	    "batch-count: ", 0, 0, false, NULL, false },
	{ "batches_held", batches_held,
	    OPEN ASKED BATCH "load load load " BATCH BATCH LAST CLOSE, SUCCESS, 1, 1,
	    true, NULL, true },
	{ "batches_endless", batches_endless,
	    OPEN ASKED FIRST BATCH BATCH BATCH BATCH BATCH
	    "begin <UPDATE many LIMIT $1;|1000> ROLLBACK " CLOSE,
	    RUN_FAILED, CAT_SQL_ERROR, "it would never end", 0, 0, false, NULL, false },
};
const size_t n_scenarios_phase = ARRAY_SIZE(scenarios_phase);
