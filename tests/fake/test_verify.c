/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/mem.h"
#include "core/drift.h"
#include "db/verify.h"
#include "script.h"

/*
 * A verification on the scripted libpq: every step fails, is cancelled, loses its connection. What
 * must be true of it however it ends: who waits is told once, and the database that was made is
 * dropped by the last word to the server, unless that is gone.
 */

#define PATIENCE_US INT64_C(20000000)
#define NAME        "migrationd_verify_4711_0123456789abcdef"
#define ASK         "split_part"
#define LEFTOVER    "DROP DATABASE IF EXISTS left_over"
#define CREATE      "CREATE DATABASE " NAME
#define SETTINGS    "ALTER DATABASE " NAME
#define CATALOG     "pg_get_viewdef"
#define DROP        "DROP DATABASE IF EXISTS \"" NAME "\" WITH (FORCE)"

struct scene {
	uv_loop_t loop;
	uv_timer_t tick; /* so that a turn of the loop ends */
	struct target_params params;
	struct folder *folder;
	struct run *run;
	struct verify *verify; /* NULL once it is done */
	struct err err;
	unsigned n_done;
	unsigned n_turns;
	size_t n_blocks;
};

static void
on_tick(uv_timer_t *timer)
{
	(void)timer;
}

static void
on_verified(void *arg, const struct err *err)
{
	struct scene *scene = arg;

	scene->n_done++;
	scene->err = *err;
	scene->verify = NULL;
}

static void
answer_catalog(struct fakepq_rule *rule, const char *column)
{
	const char *const values[] = { "table", "public.a", "", "", "f", "column",
		"public.a.b", "table public.a", column, "f", "extension", "e", "",
		"in schema public", "t" };

	fakepq_rows(rule, 5, column ? 3 : 1, values);
}

static void
script_verification(void)
{
	static const char *const statements[] = { "1", LEFTOVER " WITH (FORCE)", "", "2",
		CREATE, NAME, "3", SETTINGS " SET search_path FROM CURRENT", NAME };

	script_tag("DROP DATABASE", "DROP DATABASE");
	script_tag(CREATE, "CREATE DATABASE");
	script_tag(SETTINGS, "ALTER DATABASE");
	answer_catalog(fakepq_on(CATALOG), "integer");
	fakepq_rows(fakepq_on(ASK), 3, 3, statements);
}

static void
scene_begin(struct scene *scene)
{
	struct run_request request = { .operation = PLAN_BASELINE, .verify = true };

	*scene = (struct scene){ 0 };
	talloc_enable_null_tracking();
	fakepq_reset();
	scene->n_blocks = talloc_total_blocks(NULL);
	scene->params = script_params();
	scene->folder = script_folder("drizzle");
	script_server();
	script_migrations(scene->folder);
	script_verification();
	scene->run = run_new(&request, "default", clock_now_us(), clock_mono_us());
	assert_int_equal(uv_loop_init(&scene->loop), 0);
	assert_int_equal(uv_timer_init(&scene->loop, &scene->tick), 0);
	assert_int_equal(uv_timer_start(&scene->tick, on_tick, 1, 1), 0);
}

/* Turn the loop until it is done, or for so many turns. */
static void
scene_turn(struct scene *scene, unsigned turns)
{
	int64_t until_us = clock_mono_us() + PATIENCE_US;

	while (scene->n_done == 0 && (turns == 0 || scene->n_turns < turns)) {
		assert_true(clock_mono_us() < until_us);
		(void)uv_run(&scene->loop, UV_RUN_ONCE);
		scene->n_turns++;
	}
}

static void
scene_start(struct scene *scene)
{
	scene->verify = verify_start(
	    &scene->loop, &scene->params, scene->run, scene->folder, on_verified, scene);
}

static void
scene_play(struct scene *scene)
{
	scene_start(scene);
	scene_turn(scene, 0);
}

/* The last command that contains it, or NULL; and where it stands. */
static const char *
last_sent(const char *pattern, size_t *at)
{
	const char *found = NULL;

	for (size_t i = 0; i < fakepq_n_sent(); i++) {
		if (strstr(fakepq_sent(i), pattern) == NULL)
			continue;
		found = fakepq_sent(i);
		*at = i;
	}
	return found;
}

static void
scene_end(struct scene *scene, bool server_stays)
{
	size_t created = 0, dropped = 0;

	uv_close((uv_handle_t *)&scene->tick, NULL);
	assert_int_equal(uv_run(&scene->loop, UV_RUN_DEFAULT), 0);
	assert_int_equal(uv_loop_close(&scene->loop), 0);
	if (server_stays && last_sent(CREATE, &created) != NULL) {
		assert_non_null(last_sent(DROP, &dropped));
		assert_int_equal(dropped, fakepq_n_sent() - 1);
	}
	assert_int_equal(fakepq_live(), 0);
	run_unref(scene->run);
	folder_unref(scene->folder);
	assert_int_equal(talloc_total_blocks(NULL), scene->n_blocks);
	talloc_disable_null_tracking();
}

static void
test_verified(void **state)
{
	struct scene scene;
	size_t at = 0;

	(void)state;
	scene_begin(&scene);
	scene_play(&scene);
	assert_int_equal(scene.n_done, 1);
	assert_int_equal(scene.err.category, CAT_NONE);
	assert_int_equal(fakepq_count(LEFTOVER), 1);
	assert_int_equal(fakepq_count(SETTINGS), 1);
	assert_int_equal(fakepq_count(CATALOG), 2);
	assert_int_equal(fakepq_count("INSERT two"), 1);
	assert_null(last_sent("ROLLBACK", &at));
	scene_end(&scene, true);
}

static void
test_differences(void **state)
{
	struct scene scene;

	(void)state;
	scene_begin(&scene);
	answer_catalog(fakepq_once(CATALOG), NULL);
	scene_play(&scene);
	assert_int_equal(scene.err.category, CAT_CONFIGURATION);
	assert_int_equal(scene.err.http_status, 409);
	assert_non_null(scene.run->differences);
	assert_int_equal(scene.run->n_differences, 2);
	assert_string_equal(
	    scene.run->differences[0], "column public.a.b is missing in the database");
	scene_end(&scene, true);
}

/* One step fails: `sqlstate` NULL: the connection is lost over it. */
static void
test_failures(void **state)
{
	static const struct {
		const char *step;
		const char *sqlstate;
		enum category category; /* CAT_NONE: it makes no difference */
		const char *says;
		size_t n_rollbacks;
	} rows[] = {
		{ ASK, "42501", CAT_PERMISSION_DENIED, "", 0 },
		{ ASK, NULL, CAT_NETWORK_ERROR, "", 0 },
		{ LEFTOVER, "55006", CAT_NONE, "", 0 },
		{ LEFTOVER, NULL, CAT_NETWORK_ERROR, "cannot be made", 0 },
		{ CREATE, "42501", CAT_PERMISSION_DENIED, "needs CREATEDB", 0 },
		{ CREATE, "53100", CAT_SQL_ERROR, "cannot be made", 0 },
		{ CREATE, NULL, CAT_NETWORK_ERROR, "cannot be made", 0 },
		{ SETTINGS, "22023", CAT_SQL_ERROR, "cannot be made", 0 },
		{ SETTINGS, NULL, CAT_NETWORK_ERROR, "cannot be made", 0 },
		{ "CREATE one", "42P07", CAT_SQL_ERROR, "to an empty database", 1 },
		{ CATALOG, "57014", CAT_STATEMENT_TIMEOUT, "", 1 },
		{ CATALOG, NULL, CAT_NETWORK_ERROR, "", 0 },
		{ DROP, "55006", CAT_NONE, "", 0 },
		{ DROP, NULL, CAT_NONE, "", 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct scene scene;
		struct fakepq_rule *rule = NULL;

		scene_begin(&scene);
		rule = fakepq_once(rows[i].step);
		if (rows[i].sqlstate != NULL)
			fakepq_error(rule, rows[i].sqlstate, "no", 0);
		else
			fakepq_lose(rule);
		scene_play(&scene);
		assert_int_equal(scene.n_done, 1);
		if (scene.err.category != rows[i].category)
			fail_msg("%s %s: %d %s", rows[i].step,
			    rows[i].sqlstate ? rows[i].sqlstate : "lost",
			    (int)scene.err.category, scene.err.text);
		if (strstr(scene.err.text, rows[i].says) == NULL)
			assert_non_null(strstr(scene.err.hint, rows[i].says));
		if (rows[i].category != CAT_NONE && rows[i].category != CAT_NETWORK_ERROR)
			assert_int_equal(scene.err.http_status, 409);
		assert_int_equal(fakepq_count("ROLLBACK"), rows[i].n_rollbacks);
		scene_end(&scene, true);
	}
}

/* The catalog of the scratch database, which is read last. */
static void
test_the_other_catalog(void **state)
{
	struct scene scene;

	(void)state;
	scene_begin(&scene);
	fakepq_error(fakepq_on(CATALOG), "57014", "no", 0);
	answer_catalog(fakepq_once(CATALOG), "integer");
	scene_play(&scene);
	assert_int_equal(scene.err.category, CAT_STATEMENT_TIMEOUT);
	assert_int_equal(fakepq_count("ROLLBACK"), 0);
	scene_end(&scene, true);
}

static void
test_no_server(void **state)
{
	struct scene scene;

	(void)state;
	scene_begin(&scene);
	fakepq_connection("wf", "no route to host");
	scene_play(&scene);
	assert_int_equal(scene.err.category, CAT_NETWORK_ERROR);
	assert_int_equal(fakepq_n_sent(), 0);
	scene_end(&scene, true);
	/* at once, before the loop has turned for it */
	scene_begin(&scene);
	scene.params.password_file = "/nowhere/password";
	scene_play(&scene);
	assert_int_equal(scene.err.category, CAT_CONFIGURATION);
	scene_end(&scene, true);
}

/* In each turn of the loop: what was made is dropped all the same. */
static void
test_cancelled(void **state)
{
	unsigned n_cancelled = 0;

	(void)state;
	for (unsigned turn = 0;; turn++) {
		struct scene scene;

		scene_begin(&scene);
		scene_start(&scene);
		if (turn > 0)
			scene_turn(&scene, turn);
		if (scene.verify == NULL) {
			scene_end(&scene, true);
			break;
		}
		verify_cancel(scene.verify, "a person asked");
		scene_turn(&scene, 0);
		assert_int_equal(scene.n_done, 1);
		if (err_is_set(&scene.err)) {
			assert_int_equal(scene.err.category, CAT_CANCELLED);
			assert_non_null(strstr(scene.err.text, "a person asked"));
			n_cancelled++;
		}
		scene_end(&scene, true);
	}
	assert_true(n_cancelled > 20);
}

/* Nobody is told, and it ends by itself. */
static void
test_abandoned(void **state)
{
	struct scene scene;

	(void)state;
	verify_abandon(NULL);
	for (unsigned turn = 0; turn < 60; turn++) {
		scene_begin(&scene);
		scene_start(&scene);
		if (turn > 0)
			scene_turn(&scene, turn);
		verify_abandon(scene.verify);
		uv_close((uv_handle_t *)&scene.tick, NULL);
		assert_int_equal(uv_run(&scene.loop, UV_RUN_DEFAULT), 0);
		assert_int_equal(uv_timer_init(&scene.loop, &scene.tick), 0);
		scene_end(&scene, true);
	}
}

/* Each call of libpq fails once, and the server goes before each. */
static void
test_torture(void **state)
{
	void (*const ways[])(unsigned call) = { fakepq_fail_at, fakepq_lose_at };

	(void)state;
	for (size_t way = 0; way < ARRAY_SIZE(ways); way++) {
		for (unsigned call = 1;; call++) {
			struct scene scene;
			bool was_last = false;

			scene_begin(&scene);
			ways[way](call);
			scene_play(&scene);
			assert_int_equal(scene.n_done, 1);
			was_last = fakepq_calls() < call;
			/* what could not be dropped is told in the log */
			scene_end(&scene, false);
			if (was_last)
				break;
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_verified),
		cmocka_unit_test(test_differences),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_the_other_catalog),
		cmocka_unit_test(test_no_server),
		cmocka_unit_test(test_cancelled),
		cmocka_unit_test(test_abandoned),
		cmocka_unit_test(test_torture),
	};

	log_init(STDERR_FILENO, LOG_FORMAT_TEXT, LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
