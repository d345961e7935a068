/* SPDX-License-Identifier: PostgreSQL */
#include "base/bounds.h"
#include "base/macros.h"
#include "scenarios.h"

/* From nothing to a plan. */

static void
absent(struct scene *scene)
{
	(void)scene;
	script_table(NULL);
}

static void
nothing_to_do(struct scene *scene)
{
	model_rows(scene->folder, 2);
}

static void
half_done(struct scene *scene)
{
	model_rows(scene->folder, 1);
}

static void
out_of_order(struct scene *scene)
{
	struct folder *later = script_folder("drizzle");

	script_add(later, "0003_three", "CREATE three");
	model_rows(later, 1);
	folder_unref(later);
	script_add(scene->folder, "0003_three", "CREATE three");
}

static void
unknown_target(struct scene *scene)
{
	scene->request.up_to = "0009_nine";
}

static void
warned(struct scene *scene)
{
	fakepq_rows(fakepq_on("SELECT created_at"), 2, 2,
	    (const char *const[]){ "1700000000001", "another", "1600000000000", "old" });
	(void)scene;
}

static void
foreign_table(struct scene *scene)
{
	(void)scene;
	script_table("id,hash,created_at,name");
}

static void
others_none(struct scene *scene)
{
	scene->params.heed_others = true;
	fakepq_rows(fakepq_on("$5::pg_catalog.bool"), 3, 0, NULL);
}

/* Of the folder, or of another. */
static void
others_ours(struct scene *scene)
{
	scene->params.heed_others = true;
	script_others("1700000000002");
}

static void
others_theirs(struct scene *scene)
{
	scene->params.heed_others = true;
	script_others("17");
}

static void
others_empty(struct scene *scene)
{
	scene->params.heed_others = true;
	script_table(NULL);
	script_others(NULL);
}

static void
others_denied(struct scene *scene)
{
	others_ours(scene);
	script_error("\"other\".", "42501", "permission denied");
}

static void
others_too_slow(struct scene *scene)
{
	others_ours(scene);
	script_error("\"other\".", "57014", "canceling statement");
}

/* A type that is not what the name of its column says. */
static void
others_odd(struct scene *scene)
{
	others_ours(scene);
	script_error("\"other\".", "22P02", "invalid input syntax");
}

/* What says nothing of the table leaves open whether the folder has run. */
static void
others_no_memory(struct scene *scene)
{
	others_ours(scene);
	script_error("\"other\".", "53200", "out of memory");
}

static void
others_no_disk(struct scene *scene)
{
	others_ours(scene);
	script_error("\"other\".", "58030", "could not read block");
}

static void
others_too_many(struct scene *scene)
{
	static const char *const nulls[2 * (BOUND_HISTORY_ROWS + 1)];

	others_ours(scene);
	fakepq_rows(fakepq_on("\"other\"."), 2, BOUND_HISTORY_ROWS + 1, nulls);
}

static void
others_fail(struct scene *scene)
{
	others_ours(scene);
	script_error("$5::pg_catalog.bool", "XX000", "cache lookup failed");
}

static void
lost_in_others(struct scene *scene)
{
	others_ours(scene);
	script_lose("$5::pg_catalog.bool");
}

static void
lost_in_theirs(struct scene *scene)
{
	others_ours(scene);
	script_lose("\"other\".");
}

static void
create_denied(struct scene *scene)
{
	absent(scene);
	script_error("CREATE SCHEMA", "42501", "permission denied for database app");
}

static void
look_fails(struct scene *scene)
{
	(void)scene;
	script_error("a.attname", "XX000", "cache lookup failed");
}

static void
rows_denied(struct scene *scene)
{
	(void)scene;
	script_error("SELECT created_at", "42501", "permission denied for table");
}

static void
lock_once(struct scene *scene)
{
	(void)scene;
	script_lock_held(false);
}

static void
lock_never(struct scene *scene)
{
	script_lock_held(true);
	scene->params.lock_wait_ms = 0;
}

static void
lock_for_a_while(struct scene *scene)
{
	script_lock_held(true);
	scene->params.lock_wait_ms = 120;
}

static void
lock_fails(struct scene *scene)
{
	(void)scene;
	script_error("pg_try_advisory_lock", "53200", "out of shared memory");
}

#define REFUSED                                             \
	"connection to server at \"192.0.2.1\", port 5432 " \
	"failed: Connection refused\n"
#define WRONG_PASSWORD                                      \
	"connection to server at \"192.0.2.1\", port 5432 " \
	"failed: FATAL:  28P01: password authentication failed\n"

static void
refused(struct scene *scene)
{
	(void)scene;
	fakepq_connection("wf", REFUSED);
}

static void
refused_first(struct scene *scene)
{
	refused(scene);
	refused(scene);
	scene->params.connect_wait_ms = 5000;
}

static void
refused_too_long(struct scene *scene)
{
	for (int i = 0; i < 8; i++)
		refused(scene);
	scene->params.connect_wait_ms = 60;
}

static void
starting(struct scene *scene)
{
	fakepq_connection("wrf", "FATAL:  57P03: the database system is starting up\n");
	fakepq_connection("wrf", "FATAL:  53300: sorry, too many clients already\n");
	scene->params.connect_wait_ms = 5000;
}

static void
wrong_password(struct scene *scene)
{
	fakepq_connection("wrf", WRONG_PASSWORD);
	scene->params.connect_wait_ms = 5000;
}

static void
no_password_file(struct scene *scene)
{
	scene->params.password_file = "/nonexistent/password";
	scene->params.connect_wait_ms = 5000;
}

static void
standby(struct scene *scene)
{
	(void)scene;
	fakepq_rows(fakepq_on("server_version_num"), 10, 1,
	    (const char *const[]){
		"150020", "15.2", "4711", "app", "public", "t", "on", NULL, NULL, NULL });
}

static void
pooled(struct scene *scene)
{
	(void)scene;
	fakepq_backend_pid(99);
}

static void
pooled_denied(struct scene *scene)
{
	pooled(scene);
	script_error("migrationd.locks", "42501", "permission denied for schema");
}

static void
pooled_held(struct scene *scene)
{
	static const char *const holder[] = { "migrationd two, pid 9 on there",
		"2026-01-02T03:04:05Z", "21" };

	pooled(scene);
	scene->params.lock_wait_ms = 0;
	fakepq_rows(fakepq_on("SELECT EXISTS (SELECT 1 FROM migrationd.locks"), 1, 1,
	    (const char *const[]){ "f" });
	fakepq_rows(fakepq_on("SELECT l.holder"), 3, 1, holder);
}

static void
pooled_fenced(struct scene *scene)
{
	pooled(scene);
	fakepq_rows(fakepq_on("FOR UPDATE)"), 2, 1, (const char *const[]){ "f", "1" });
}

/* The session has it already: another client of the pooler took it. */
static void
pooled_advisory(struct scene *scene)
{
	static const char *const null = NULL;

	pooled(scene);
	scene->params.lock_mode = LOCK_MODE_ADVISORY;
	fakepq_rows(fakepq_on("pg_try_advisory_lock"), 1, 1, &null);
}

static void
probe_is_odd(struct scene *scene)
{
	(void)scene;
	script_tag("server_version_num", "SET");
}

static void
lost_in_probe(struct scene *scene)
{
	(void)scene;
	script_lose("server_version_num");
}

static void
lost_in_lock(struct scene *scene)
{
	(void)scene;
	script_lose("pg_try_advisory_lock");
}

static void
lost_in_holder(struct scene *scene)
{
	lock_never(scene);
	script_lose("pg_locks");
}

static void
lost_in_look(struct scene *scene)
{
	(void)scene;
	script_lose("a.attname");
}

static void
lost_in_create(struct scene *scene)
{
	absent(scene);
	script_lose("CREATE SCHEMA");
}

static void
lost_in_rows(struct scene *scene)
{
	(void)scene;
	script_lose("SELECT created_at");
}

#define LOST RUN_FAILED, CAT_NETWORK_ERROR, "was lost", 0, -1, false, NULL, false

const struct scenario scenarios_open[] = {
	{ "absent", absent, "probe lock look create rows " ONE TWO CLOSE, RUN_SUCCEEDED,
	    CAT_NONE, NULL, 2, 2, false, NULL, false },
	{ "present", NULL, OPEN ONE TWO CLOSE, RUN_SUCCEEDED, CAT_NONE, NULL, 2, 2, false,
	    NULL, false },
	{ "half_done", half_done, OPEN TWO CLOSE, RUN_SUCCEEDED, CAT_NONE, NULL, 1, 2,
	    false, NULL, false },
	/* which leaves no trace */
	{ "nothing_to_do", nothing_to_do, OPEN "unlock", RUN_SUCCEEDED, CAT_NONE, NULL, 0,
	    2, false, NULL, false },
	{ "out_of_order", out_of_order, OPEN CLOSE, RUN_REFUSED, CAT_OUT_OF_ORDER,
	    "0001_one, 0002_two", 0, 1, false, NULL, false },
	{ "unknown_target", unknown_target, OPEN CLOSE, RUN_REFUSED,
	    CAT_RESOURCE_NOT_FOUND, "0009_nine", 0, 0, false, NULL, false },
	{ "warned", warned, OPEN TWO CLOSE, RUN_SUCCEEDED, CAT_NONE, NULL, 1, 3, false,
	    NULL, false },
	{ "foreign_table", foreign_table, "probe lock look " CLOSE, RUN_FAILED,
	    CAT_CONFIGURATION, "column \"name\"", 0, -1, false, NULL, false },
	{ "others_none", others_none, "probe lock look others? rows " ONE TWO CLOSE,
	    RUN_SUCCEEDED, CAT_NONE, NULL, 2, 2, false, NULL, false },
	{ "others_ours", others_ours, "probe lock look others? theirs " CLOSE,
	    RUN_REFUSED, CAT_CONFIGURATION,
	    "table other.schema_migrations, a golang-migrate tracking", 0, -1, false,
	    NULL, false },
	{ "others_theirs", others_theirs,
	    "probe lock look others? theirs rows " ONE TWO CLOSE, RUN_SUCCEEDED, CAT_NONE,
	    NULL, 2, 2, false, NULL, false },
	{ "others_empty", others_empty,
	    "probe lock look others? theirs create rows " ONE TWO CLOSE, RUN_SUCCEEDED,
	    CAT_NONE, NULL, 2, 2, false, NULL, false },
	{ "others_denied", others_denied,
	    "probe lock look others? theirs rows " ONE TWO CLOSE, RUN_SUCCEEDED, CAT_NONE,
	    NULL, 2, 2, false, NULL, false },
	{ "others_odd", others_odd, "probe lock look others? theirs rows " ONE TWO CLOSE,
	    RUN_SUCCEEDED, CAT_NONE, NULL, 2, 2, false, NULL, false },
	{ "others_no_memory", others_no_memory, "probe lock look others? theirs " CLOSE,
	    RUN_FAILED, CAT_SQL_ERROR, "table other.schema_migrations: out of memory", 0,
	    -1, false, NULL, false },
	{ "others_no_disk", others_no_disk, "probe lock look others? theirs " CLOSE,
	    RUN_FAILED, CAT_SQL_ERROR, "table other.schema_migrations: could not read", 0,
	    -1, false, NULL, false },
	{ "others_too_many", others_too_many, "probe lock look others? theirs " CLOSE,
	    RUN_FAILED, CAT_CONFIGURATION, "has more than 200000 rows", 0, -1, false,
	    NULL, false },
	{ "others_too_slow", others_too_slow, "probe lock look others? theirs " CLOSE,
	    RUN_FAILED, CAT_STATEMENT_TIMEOUT, "table other.schema_migrations: ", 0, -1,
	    false, NULL, false },
	{ "others_fail", others_fail, "probe lock look others? " CLOSE, RUN_FAILED,
	    CAT_SQL_ERROR, "cache lookup", 0, -1, false, NULL, false },
	{ "create_denied", create_denied, "probe lock look create " CLOSE, RUN_FAILED,
	    CAT_PERMISSION_DENIED,
	    "tracking table drizzle.__drizzle_migrations: permission denied", 0, -1,
	    false, NULL, false },
	{ "look_fails", look_fails, "probe lock look " CLOSE, RUN_FAILED, CAT_SQL_ERROR,
	    "cache lookup", 0, -1, false, NULL, false },
	{ "rows_denied", rows_denied, OPEN CLOSE, RUN_FAILED, CAT_PERMISSION_DENIED,
	    "permission denied for table", 0, -1, false, NULL, false },
	{ "lock_once", lock_once, "probe lock holder lock look rows " ONE TWO CLOSE,
	    RUN_SUCCEEDED, CAT_NONE, NULL, 2, 2, true, NULL, false },
	{ "lock_never", lock_never, "probe lock holder", RUN_FAILED, CAT_LOCK_TIMEOUT,
	    "pid 4712, migrationd two from 192.0.2.9, since 2026-01-02T03:04:05Z", 0, -1,
	    false, NULL, false },
	/* how often it was asked for depends on chance */
	{ "lock_for_a_while", lock_for_a_while, NULL, RUN_FAILED, CAT_LOCK_TIMEOUT,
	    "pid 4712", 0, -1, true, NULL, false },
	{ "lock_fails", lock_fails, "probe lock", RUN_FAILED, CAT_SQL_ERROR,
	    "out of shared memory", 0, -1, false, NULL, false },
	{ "refused", refused, "", RUN_FAILED, CAT_NETWORK_ERROR, "Connection refused", 0,
	    -1, false, NULL, false },
	{ "refused_first", refused_first, OPEN ONE TWO CLOSE, RUN_SUCCEEDED, CAT_NONE,
	    NULL, 2, 2, true, NULL, false },
	{ "refused_too_long", refused_too_long, "", RUN_FAILED, CAT_NETWORK_ERROR,
	    "Connection refused", 0, -1, true, NULL, false },
	{ "starting", starting, OPEN ONE TWO CLOSE, RUN_SUCCEEDED, CAT_NONE, NULL, 2, 2,
	    true, NULL, false },
	{ "wrong_password", wrong_password, "", RUN_FAILED, CAT_PERMISSION_DENIED,
	    "password authentication failed", 0, -1, false, NULL, false },
	{ "no_password_file", no_password_file, "", RUN_FAILED, CAT_CONFIGURATION,
	    "password_file", 0, -1, false, NULL, false },
	{ "standby", standby, "probe", RUN_FAILED, CAT_NETWORK_ERROR,
	    "connect to the primary", 0, -1, false, NULL, false },
	{ "pooled", pooled, "probe lock? locks+ lock+ lock look rows " ONE TWO CLOSE,
	    RUN_SUCCEEDED, CAT_NONE, NULL, 2, 2, false, NULL, false },
	{ "pooled_denied", pooled_denied, "probe lock? locks+", RUN_FAILED,
	    CAT_PERMISSION_DENIED, "or set database_direct_url", 0, -1, false, NULL,
	    false },
	{ "pooled_held", pooled_held, "probe lock? locks+ lock+ lock holder", RUN_FAILED,
	    CAT_LOCK_TIMEOUT, "migrationd two, pid 9 on there, since 2026-01-02", 0, -1,
	    false, NULL, false },
	{ "pooled_fenced", pooled_fenced,
	    "probe lock? locks+ lock+ lock look rows begin <CREATE one;> relock ROLLBACK " CLOSE,
	    RUN_FAILED, CAT_LOCK_TIMEOUT, "its lease ran out", 0, 0, false, NULL, false },
	{ "pooled_advisory", pooled_advisory, "probe lock", RUN_FAILED, CAT_CONFIGURATION,
	    "set lock = lease", 0, -1, false, NULL, false },
	{ "probe_is_odd", probe_is_odd, "probe", RUN_FAILED, CAT_INTERNAL,
	    "did not say what it is", 0, -1, false, NULL, false },
	{ "lost_in_probe", lost_in_probe, "probe", LOST },
	{ "lost_in_lock", lost_in_lock, "probe lock", LOST },
	{ "lost_in_holder", lost_in_holder, "probe lock holder", LOST },
	{ "lost_in_look", lost_in_look, "probe lock look", LOST },
	{ "lost_in_others", lost_in_others, "probe lock look others?", LOST },
	{ "lost_in_theirs", lost_in_theirs, "probe lock look others? theirs", LOST },
	{ "lost_in_create", lost_in_create, "probe lock look create", LOST },
	{ "lost_in_rows", lost_in_rows, "probe lock look rows", LOST },
};
const size_t n_scenarios_open = ARRAY_SIZE(scenarios_open);
