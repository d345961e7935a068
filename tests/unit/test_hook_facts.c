/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <jansson.h>

#include "base/clock.h"
#include "base/mem.h"
#include "daemon/hook_facts.h"
#include "http/json_notice.h"

static struct run *
new_run(void)
{
	struct run_request request = { .operation = PLAN_APPLY, .requested_by = "once" };

	return run_new(&request, "default", 1763618292123000, clock_mono_us());
}

/* A plan of so many steps, all of one migration; NULL where there are none. */
static struct plan *
new_plan(const void *ctx, const char *id, size_t n)
{
	struct migration *m = mem_zero(ctx, struct migration);
	struct plan *plan = mem_zero(ctx, struct plan);

	m->id = id;
	plan->steps = mem_array(plan, struct plan_step, n);
	for (plan->n_steps = 0; plan->n_steps < n; plan->n_steps++)
		plan->steps[plan->n_steps].migration = m;
	return plan;
}

static const char *
find(char **environ, const char *name)
{
	size_t len = strlen(name);

	for (; *environ; environ++)
		if (strncmp(*environ, name, len) == 0 && (*environ)[len] == '=')
			return *environ + len + 1;
	return NULL;
}

static void
test_environ(void **state)
{
	static const char *const given[] = { "PATH=/bin", "DATABASE_URL=postgres://h",
		"MIGRATION_RUN=old", NULL };
	void *ctx = mem_context(NULL, "test");
	struct run *run = new_run();
	struct outlook outlook = {
		.plans = { new_plan(ctx, "0001_a", 1), NULL, NULL,
		    new_plan(ctx, "users", 1) },
		.unknown = PHASE_BIT(PHASE_DATA) | PHASE_BIT(PHASE_REPEATABLE),
	};
	char **environ = NULL;

	(void)state;
	environ = hook_environ(
	    ctx, HOOK_BEFORE, run, &outlook, (char *const *)(uintptr_t)given);
	assert_string_equal(find(environ, "PATH"), "/bin");
	assert_string_equal(find(environ, "DATABASE_URL"), "postgres://h");
	assert_string_equal(find(environ, "MIGRATION_HOOK"), "before");
	assert_string_equal(find(environ, "MIGRATION_RUN"), run->id);
	assert_string_equal(find(environ, "MIGRATION_OPERATION"), "apply");
	assert_string_equal(find(environ, "MIGRATION_OUTCOME"), "in_progress");
	assert_string_equal(find(environ, "MIGRATION_TARGET"), "default");
	assert_string_equal(find(environ, "MIGRATION_REQUESTED_BY"), "once");
	assert_string_equal(find(environ, "MIGRATION_IDS"), "0001_a\nusers");
	assert_string_equal(find(environ, "MIGRATION_UNKNOWN"), "data\nrepeatable");
	assert_string_equal(find(environ, "MIGRATION_COUNT"), "2");
	assert_string_equal(find(environ, "MIGRATION_FAILED"), "0");
	assert_string_equal(find(environ, "MIGRATION_ERROR"), "");
	assert_string_equal(find(environ, "MIGRATION_ERROR_CATEGORY"), "");

	err_set(&run->err, CAT_SQL_ERROR, "relation \"x\" does not exist");
	(void)snprintf(run->err.migration, sizeof(run->err.migration), "0002_b");
	run_conclude(run, false, 1, 2);
	environ =
	    hook_environ(ctx, HOOK_FAILURE, run, NULL, (char *const *)(uintptr_t)given);
	assert_string_equal(find(environ, "MIGRATION_UNKNOWN"), "");
	assert_string_equal(find(environ, "MIGRATION_HOOK"), "failure");
	assert_string_equal(find(environ, "MIGRATION_OUTCOME"), "failed");
	assert_string_equal(
	    find(environ, "MIGRATION_ERROR"), "relation \"x\" does not exist");
	assert_string_equal(find(environ, "MIGRATION_ERROR_CATEGORY"), "SQL_ERROR");
	assert_string_equal(find(environ, "MIGRATION_ERROR_MIGRATION"), "0002_b");
	assert_string_equal(find(environ, "MIGRATION_IDS"), "");
	run_unref(run);
	talloc_free(ctx);
}

/* More ids than a variable holds: whole lines, and the right number. */
static void
test_many_ids(void **state)
{
	static char *const none[] = { NULL };
	void *ctx = mem_context(NULL, "test");
	struct outlook outlook = { .plans = { new_plan(ctx, "0001_nine_bytes", 20000) } };
	struct run *run = new_run();
	const char *lines = NULL;
	char **environ = NULL;

	(void)state;
	environ = hook_environ(ctx, HOOK_BEFORE, run, &outlook, none);
	lines = find(environ, "MIGRATION_IDS");
	assert_in_range(strlen(lines), HOOK_IDS_BYTES - 32, HOOK_IDS_BYTES);
	assert_int_equal((strlen(lines) + 1) % 16, 0);
	assert_string_equal(find(environ, "MIGRATION_COUNT"), "20000");
	run_unref(run);
	talloc_free(ctx);
}

static void
test_ids(void **state)
{
	static const struct migration a = { .id = "0001_a" };
	void *ctx = mem_context(NULL, "test");
	struct outlook outlook = { .plans = { new_plan(ctx, "0001_a", 2),
				       new_plan(ctx, "2024_b", 1) } };
	struct run *run = new_run();
	size_t n = 0;

	(void)state;
	assert_string_equal(notice_ids(ctx, run, &outlook, &n)[2], "2024_b");
	assert_int_equal(n, 3);
	run_add_applied(run, &a, 5);
	assert_string_equal(notice_ids(ctx, run, NULL, &n)[0], "0001_a");
	assert_int_equal(n, 1);
	run_unref(run);
	talloc_free(ctx);
}

static json_t *
parse(const char *text)
{
	json_t *document = json_loads(text, 0, NULL);

	assert_non_null(document);
	return document;
}

static const char *
text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static void
test_json_hook(void **state)
{
	void *ctx = mem_context(NULL, "test");
	struct outlook outlook = { .plans = { new_plan(ctx, "0001_a", 2) },
		.unknown = PHASE_BIT(PHASE_SEEDS) };
	struct run *run = new_run();
	json_t *document = parse(json_hook(ctx, "before", run, &outlook));
	const json_t *plan = json_object_get(document, "plan");
	const json_t *seeds = json_array_get(plan, 1);

	(void)state;
	assert_string_equal(text_of(document, "id"), run->id);
	assert_string_equal(text_of(document, "hook"), "before");
	assert_int_equal(json_array_size(json_object_get(document, "migrations")), 2);
	assert_int_equal(json_array_size(plan), 2);
	assert_string_equal(text_of(seeds, "phase"), "seeds");
	assert_true(json_is_false(json_object_get(seeds, "known")));
	json_decref(document);
	document = parse(json_hook(ctx, "after", run, NULL));
	assert_int_equal(json_array_size(json_object_get(document, "migrations")), 0);
	assert_null(json_object_get(document, "plan"));
	json_decref(document);
	run_unref(run);
	talloc_free(ctx);
}

static void
test_json_webhook(void **state)
{
	static const struct migration a = { .id = "0001_a" };
	void *ctx = mem_context(NULL, "test");
	struct outlook outlook = { .plans = { new_plan(ctx, "0001_a", 3) } };
	struct run *run = new_run();
	json_t *document = NULL;
	json_t *data = NULL;
	json_t *error = NULL;

	(void)state;
	document = parse(json_webhook(
	    ctx, "migration.run.started", run, &outlook, NULL, 1763618292123000));
	data = json_object_get(document, "data");
	assert_int_equal(json_integer_value(json_object_get(data, "planned")), 3);
	assert_string_equal(text_of(document, "type"), "migration.run.started");
	assert_string_equal(text_of(document, "timestamp"), "2025-11-20T05:58:12.123Z");
	assert_string_equal(text_of(data, "run"), run->id);
	assert_string_equal(text_of(data, "outcome"), "in_progress");
	assert_true(json_is_null(json_object_get(data, "error")));
	assert_true(json_is_null(json_object_get(data, "duration_seconds")));
	json_decref(document);

	/* the first error, but no row that the server quotes */
	err_set(&run->err, CAT_SQL_ERROR, "duplicate key");
	(void)snprintf(run->err.detail, sizeof(run->err.detail), "Key (email)=(a@b)");
	run->err.line = 7;
	run_conclude(run, false, 1763618292123000, clock_mono_us());
	run->state = RUN_DONE;
	for (size_t i = 0; i < 1000; i++)
		run_add_applied(run, &a, 1);
	document =
	    parse(json_webhook(ctx, "migration.run.failed", run, NULL, "web-1", 1));
	data = json_object_get(document, "data");
	error = json_object_get(data, "error");
	assert_string_equal(text_of(data, "outcome"), "failed");
	assert_string_equal(text_of(data, "instance"), "web-1");
	assert_string_equal(text_of(error, "message"), "duplicate key");
	assert_string_equal(text_of(error, "category"), "SQL_ERROR");
	assert_int_equal(json_integer_value(json_object_get(error, "line")), 7);
	assert_int_equal(
	    json_array_size(json_object_get(data, "migrations")), NOTICE_IDS);
	assert_null(strstr(json_webhook(ctx, "x", run, NULL, NULL, 1), "a@b"));
	json_decref(document);
	run_unref(run);
	talloc_free(ctx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_environ),
		cmocka_unit_test(test_many_ids),
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_json_hook),
		cmocka_unit_test(test_json_webhook),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
