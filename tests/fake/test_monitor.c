/* SPDX-License-Identifier: PostgreSQL */
#include <fcntl.h>
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
#include "blow.h"
#include "db/monitor.h"
#include "script.h"

#define INTERVAL_MS 3u
#define PID         4711
#define LOOK        "pg_blocking_pids"
#define PATIENCE_US 10000000

#define NO_PROGRESS NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL
static const char *const free_row[] = { NULL, "0", NO_PROGRESS, NULL, NULL, NULL, NULL,
	NULL, NULL };
static const char *const blocked_row[] = { "Lock:relation", "3", NO_PROGRESS, "4712",
	"psql", "app", "idle in transaction", "SELECT 1", "1000000" };
static const struct err no_lock = { .category = CAT_LOCK_TIMEOUT };
static const struct err fine = { .category = CAT_NONE };

struct scene {
	uv_loop_t loop;
	uv_timer_t tick; /* so that a turn of the loop ends */
	struct target_params params;
	struct run *run;
	struct monitor *monitor;
	size_t n_blocks;
	unsigned n_turns;
	unsigned n_seen;
	unsigned n_yields;
	bool rest_in_report;
	bool close_in_report;
};

static void
scene_close(struct scene *scene)
{
	monitor_close(scene->monitor);
	scene->monitor = NULL;
}

static void
on_seen(void *arg, enum monitor_verdict verdict)
{
	struct scene *scene = arg;

	assert_non_null(scene->monitor);
	scene->n_seen++;
	scene->n_yields += verdict == MONITOR_YIELD;
	if (scene->rest_in_report)
		monitor_rest(scene->monitor, &fine);
	if (scene->close_in_report)
		scene_close(scene);
}

static void
on_tick(uv_timer_t *timer)
{
	(void)timer;
}

static void
scene_begin(struct scene *scene, const char *const *row)
{
	struct run_request request = { .requested_by = "test" };

	*scene = (struct scene){ 0 };
	talloc_enable_null_tracking();
	fakepq_reset();
	scene->n_blocks = talloc_total_blocks(NULL);
	scene->params = script_params();
	script_tag("SET statement_timeout", "SET");
	fakepq_rows(fakepq_on(LOOK), ARRAY_SIZE(blocked_row), 1, row);
	assert_int_equal(uv_loop_init(&scene->loop), 0);
	assert_int_equal(uv_timer_init(&scene->loop, &scene->tick), 0);
	assert_int_equal(uv_timer_start(&scene->tick, on_tick, 1, 1), 0);
	scene->run = run_new(&request, "default", 1, 1);
	scene->monitor = monitor_start(
	    &scene->loop, &scene->params, scene->run, INTERVAL_MS, on_seen, scene);
}

static void
scene_turn(struct scene *scene)
{
	(void)uv_run(&scene->loop, UV_RUN_ONCE);
	scene->n_turns++;
}

static void
scene_await(struct scene *scene, unsigned n)
{
	int64_t until_us = clock_mono_us() + PATIENCE_US;

	while (scene->n_seen < n) {
		assert_true(clock_mono_us() < until_us);
		scene_turn(scene);
	}
}

/* So long that some looks would have been. */
static void
scene_let_pass(struct scene *scene)
{
	int64_t until_us = clock_mono_us() + 10 * INTERVAL_MS * 1000;

	while (clock_mono_us() < until_us)
		scene_turn(scene);
}

static void
scene_end(struct scene *scene)
{
	unsigned n = scene->n_seen;

	scene_close(scene);
	uv_close((uv_handle_t *)&scene->tick, NULL);
	assert_int_equal(uv_run(&scene->loop, UV_RUN_DEFAULT), 0);
	assert_int_equal(uv_loop_close(&scene->loop), 0);
	assert_int_equal(scene->n_seen, n);
	assert_int_equal(fakepq_live(), 0);
	assert_int_equal(scene->run->refs, 1);
	run_unref(scene->run);
	assert_int_equal(talloc_total_blocks(NULL), scene->n_blocks);
	talloc_disable_null_tracking();
}

/* ---- looking ---- */

static void
test_at_rest(void **state)
{
	struct scene scene;

	(void)state;
	monitor_close(NULL);
	monitor_rest(NULL, &fine);

	/* a statement that ends at once makes no connection */
	scene_begin(&scene, blocked_row);
	scene_let_pass(&scene);
	monitor_watch(scene.monitor, PID);
	monitor_rest(scene.monitor, &fine);
	scene_let_pass(&scene);
	assert_int_equal(fakepq_calls(), 0);
	assert_int_equal(scene.n_seen, 0);
	scene_end(&scene);
}

static void
test_looks(void **state)
{
	struct scene scene;
	size_t n;

	(void)state;
	scene_begin(&scene, blocked_row);
	monitor_watch(scene.monitor, PID);
	scene_await(&scene, 3);
	assert_int_equal(fakepq_count(LOOK), 3);
	assert_int_equal(fakepq_count("OPERATOR(pg_catalog.=) 4711 "), 3);
	assert_int_equal(scene.run->n_blockers, 1);
	assert_int_equal(scene.run->blockers[0].pid, 4712);
	assert_int_equal(scene.run->n_queued, 3);

	/* the statement ended: no look any more, and nothing is told of it */
	monitor_rest(scene.monitor, &fine);
	assert_int_equal(scene.run->n_blockers, 0);
	n = fakepq_n_sent();
	scene_let_pass(&scene);
	assert_int_equal(fakepq_n_sent(), n);

	/* the next one, on another backend, uses the same connection */
	monitor_watch(scene.monitor, 4799);
	scene_await(&scene, 4);
	assert_int_equal(fakepq_count("SET statement_timeout"), 1);
	assert_int_equal(fakepq_count("OPERATOR(pg_catalog.=) 4799 "), 1);
	scene_end(&scene);
}

/* What is under way when the statement ends is not told of the next one. */
static void
test_late_answer(void **state)
{
	struct scene scene;

	(void)state;
	for (int other = 0; other < 2; other++) {
		scene_begin(&scene, blocked_row);
		monitor_watch(scene.monitor, PID);
		scene_await(&scene, 1);
		while (fakepq_count(LOOK) < 2)
			scene_turn(&scene);
		monitor_rest(scene.monitor, &fine);
		if (other)
			monitor_watch(scene.monitor, 4799);
		while (other && fakepq_count(LOOK) < 3)
			scene_turn(&scene);
		if (!other) {
			scene_let_pass(&scene);
			assert_int_equal(fakepq_count(LOOK), 2);
		}
		assert_int_equal(scene.n_seen, 1);
		assert_int_equal(scene.run->n_blockers, 0);
		scene_end(&scene);
	}
}

/* One question at a time, however long its answer takes. */
static void
test_slow_answer(void **state)
{
	struct scene scene;

	(void)state;
	scene_begin(&scene, blocked_row);
	fakepq_stall(fakepq_once(LOOK));
	monitor_watch(scene.monitor, PID);
	while (fakepq_count(LOOK) < 1)
		scene_turn(&scene);
	monitor_rest(scene.monitor, &fine);
	monitor_watch(scene.monitor, PID);
	scene_let_pass(&scene);
	assert_int_equal(fakepq_count(LOOK), 1);
	scene_end(&scene);
}

/* The statement ended while the connection came about. */
static void
test_late_connection(void **state)
{
	struct scene scene;

	(void)state;
	scene_begin(&scene, blocked_row);
	monitor_watch(scene.monitor, PID);
	while (fakepq_calls() == 0)
		scene_turn(&scene);
	monitor_rest(scene.monitor, &fine);
	scene_let_pass(&scene);
	assert_int_equal(fakepq_count("SET statement_timeout"), 1);
	assert_int_equal(fakepq_count(LOOK), 0);
	monitor_watch(scene.monitor, PID);
	scene_await(&scene, 1);
	assert_int_equal(fakepq_count("SET statement_timeout"), 1);
	scene_end(&scene);
}

/* Blockers of a statement that did not get its lock stay, until the next knows better. */
static void
test_no_lock(void **state)
{
	struct scene scene;

	(void)state;
	scene_begin(&scene, blocked_row);
	monitor_watch(scene.monitor, PID);
	scene_await(&scene, 1);
	monitor_rest(scene.monitor, &no_lock);
	monitor_rest(scene.monitor, &fine); /* of ROLLBACK, which is not watched */
	assert_int_equal(scene.run->n_blockers, 1);
	monitor_watch(scene.monitor, PID);
	assert_int_equal(scene.run->n_blockers, 1);
	fakepq_rows(fakepq_on(LOOK), ARRAY_SIZE(free_row), 1, free_row);
	scene_await(&scene, 2);
	assert_int_equal(scene.run->n_blockers, 0);
	scene_end(&scene);
}

static void
test_progress(void **state)
{
	static const char *const first[] = { NULL, "0", "CREATE INDEX", "scanning", "0",
		"0", "100", "1000", "0", "0", "0", "0", NULL, NULL, NULL, NULL, NULL,
		NULL };
	static const char *const second[] = { NULL, "0", "CREATE INDEX", "scanning", "0",
		"0", "400", "1000", "0", "0", "0", "0", NULL, NULL, NULL, NULL, NULL,
		NULL };
	struct scene scene;

	(void)state;
	scene_begin(&scene, first);
	monitor_watch(scene.monitor, PID);
	scene_await(&scene, 1);
	assert_true(scene.run->has_progress);
	assert_float_equal(scene.run->progress.percent, 10, 1e-9);
	assert_float_equal(scene.run->progress.eta_seconds, -1, 0);
	fakepq_rows(fakepq_on(LOOK), ARRAY_SIZE(second), 1, second);
	scene_await(&scene, 2);
	assert_float_equal(scene.run->progress.percent, 40, 1e-9);
	assert_true(scene.run->progress.rate_per_second > 0);
	assert_true(scene.run->progress.eta_seconds > 0);

	/* another statement's rate is its own */
	monitor_rest(scene.monitor, &fine);
	monitor_watch(scene.monitor, PID);
	scene_await(&scene, 3);
	assert_float_equal(scene.run->progress.eta_seconds, -1, 0);
	scene_end(&scene);
}

static void
test_yield(void **state)
{
	static const char *const working[] = { "IO:DataFileRead", "9", NO_PROGRESS, NULL,
		NULL, NULL, NULL, NULL, NULL };
	static const struct {
		const char *const *row;
		unsigned yield_after;
		unsigned n_yields;
	} rows[] = {
		{ blocked_row, 0, 0 },
		{ blocked_row, 4, 0 },
		{ blocked_row, 3, 2 },
		{ blocked_row, 1, 2 },
		/* others wait for it, but it waits for nobody */
		{ working, 1, 0 },
		{ free_row, 1, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct scene scene;

		scene_begin(&scene, rows[i].row);
		scene.params.yield_after = rows[i].yield_after;
		monitor_watch(scene.monitor, PID);
		scene_await(&scene, 3);
		assert_int_equal(scene.n_yields, rows[i].n_yields / 2);
		/* once for each statement */
		monitor_rest(scene.monitor, &no_lock);
		monitor_watch(scene.monitor, PID);
		scene_await(&scene, 6);
		assert_int_equal(scene.n_yields, rows[i].n_yields);
		scene_end(&scene);
	}
}

/* ---- the log ---- */

static void
test_log(void **state)
{
	static const char *const two[] = { "Lock:relation", "3", NO_PROGRESS, "4713",
		"psql", "app", "active", "SELECT 2", "1000000" };
	uint64_t warnings = log_count(LOG_WARNING);
	uint64_t infos = log_count(LOG_INFO);
	struct scene scene;
	int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);

	(void)state;
	log_init(nowhere, LOG_FORMAT_TEXT, LOG_INFO);
	scene_begin(&scene, blocked_row);
	monitor_watch(scene.monitor, PID);
	scene_await(&scene, 3);
	assert_int_equal(log_count(LOG_WARNING) - warnings, 1);
	/* the same once more, for the statement is tried again */
	monitor_rest(scene.monitor, &no_lock);
	monitor_watch(scene.monitor, PID);
	scene_await(&scene, 6);
	assert_int_equal(log_count(LOG_WARNING) - warnings, 1);

	fakepq_rows(fakepq_on(LOOK), ARRAY_SIZE(two), 1, two);
	scene_await(&scene, 9);
	assert_int_equal(log_count(LOG_WARNING) - warnings, 2);
	assert_int_equal(log_count(LOG_INFO) - infos, 0);
	fakepq_rows(fakepq_on(LOOK), ARRAY_SIZE(free_row), 1, free_row);
	scene_await(&scene, 12);
	assert_int_equal(log_count(LOG_WARNING) - warnings, 2);
	assert_int_equal(log_count(LOG_INFO) - infos, 1);
	scene_end(&scene);
	log_init(STDERR_FILENO, LOG_FORMAT_TEXT, LOG_ERROR);
	close(nowhere);
}

static void
test_log_of_failures(void **state)
{
	uint64_t warnings = log_count(LOG_WARNING);
	int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
	struct scene scene;

	(void)state;
	log_init(nowhere, LOG_FORMAT_TEXT, LOG_INFO);
	scene_begin(&scene, free_row);
	/* two in a row are told of once */
	for (unsigned i = 1; i <= 2; i++) {
		fakepq_error(fakepq_once(LOOK), "XX000", "odd", 0);
		fakepq_error(fakepq_once(LOOK), "XX000", "odd", 0);
		monitor_watch(scene.monitor, PID);
		scene_await(&scene, scene.n_seen + 1);
		assert_int_equal(log_count(LOG_WARNING) - warnings, i);
		monitor_rest(scene.monitor, &fine);
	}
	scene_end(&scene);
	log_init(STDERR_FILENO, LOG_FORMAT_TEXT, LOG_ERROR);
	close(nowhere);
}

/* ---- the connection ---- */

static void
test_away_and_back(void **state)
{
	struct scene scene;

	(void)state;
	scene_begin(&scene, blocked_row);
	fakepq_connection("f", NULL);
	monitor_watch(scene.monitor, PID);
	scene_await(&scene, 1);

	/* lost while it waits for the next look, and while it waits for nothing */
	fakepq_hang_up("57P01", "terminating connection");
	scene_await(&scene, scene.n_seen + 2);
	assert_int_equal(fakepq_count("SET statement_timeout"), 2);
	monitor_rest(scene.monitor, &fine);
	fakepq_hang_up(NULL, NULL);
	scene_let_pass(&scene);
	assert_int_equal(fakepq_count("SET statement_timeout"), 2);
	monitor_watch(scene.monitor, PID);
	scene_await(&scene, scene.n_seen + 1);
	assert_int_equal(fakepq_count("SET statement_timeout"), 3);
	scene_end(&scene);
}

static void
test_refused(void **state)
{
	static const char *const patterns[] = { LOOK, "SET statement_timeout" };
	struct scene scene;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(patterns); i++) {
		scene_begin(&scene, blocked_row);
		fakepq_error(
		    fakepq_once(patterns[i]), "42883", "function does not exist", 0);
		monitor_watch(scene.monitor, PID);
		scene_await(&scene, 1);
		/* what the session could not set makes another session */
		assert_int_equal(fakepq_count("SET statement_timeout"), i + 1);
		scene_end(&scene);
	}
}

static void
test_password_file(void **state)
{
	struct scene scene;

	(void)state;
	scene_begin(&scene, blocked_row);
	scene.params.password_file = "/nonexistent/password";
	monitor_watch(scene.monitor, PID);
	scene_let_pass(&scene);
	assert_int_equal(fakepq_n_sent(), 0);
	scene.params.password_file = NULL;
	scene_await(&scene, 1);
	scene_end(&scene);
}

/* ---- closing ---- */

static void
test_close(void **state)
{
	struct scene scene;
	unsigned n = 0;

	(void)state;
	/* in each turn of two looks */
	for (unsigned k = 0; n == 0 || k <= n; k++) {
		scene_begin(&scene, blocked_row);
		monitor_watch(scene.monitor, PID);
		while (scene.n_turns < k && scene.n_seen < 2)
			scene_turn(&scene);
		if (scene.n_seen == 2 && n == 0)
			n = scene.n_turns;
		scene_end(&scene);
	}
	assert_true(n > 10);
}

static void
test_in_report(void **state)
{
	struct scene scene;

	(void)state;
	scene_begin(&scene, blocked_row);
	scene.close_in_report = true;
	monitor_watch(scene.monitor, PID);
	scene_await(&scene, 1);
	scene_end(&scene);

	scene_begin(&scene, blocked_row);
	scene.rest_in_report = true;
	monitor_watch(scene.monitor, PID);
	scene_await(&scene, 1);
	scene_let_pass(&scene);
	assert_int_equal(scene.n_seen, 1);
	assert_int_equal(scene.run->n_blockers, 0);
	scene_end(&scene);
}

/* ---- torture ---- */

/* Whatever fails once, looks go on. */
static unsigned
torture(enum blow blow, unsigned k)
{
	struct scene scene;
	unsigned n = 0;

	scene_begin(&scene, blocked_row);
	blow_deal(blow, k, "42501");
	monitor_watch(scene.monitor, PID);
	scene_await(&scene, 2);
	n = blow_places(blow);
	monitor_rest(scene.monitor, &fine);
	blow_deal(BLOW_NONE, 0, "");
	monitor_watch(scene.monitor, PID);
	scene_await(&scene, scene.n_seen + 2);
	assert_int_equal(scene.run->n_blockers, 1);
	scene_end(&scene);
	return n;
}

static void
test_torture(void **state)
{
	(void)state;
	blow_everywhere(torture, 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_at_rest),
		cmocka_unit_test(test_looks),
		cmocka_unit_test(test_late_answer),
		cmocka_unit_test(test_slow_answer),
		cmocka_unit_test(test_late_connection),
		cmocka_unit_test(test_no_lock),
		cmocka_unit_test(test_progress),
		cmocka_unit_test(test_yield),
		cmocka_unit_test(test_log),
		cmocka_unit_test(test_log_of_failures),
		cmocka_unit_test(test_away_and_back),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_password_file),
		cmocka_unit_test(test_close),
		cmocka_unit_test(test_in_report),
		cmocka_unit_test(test_torture),
	};

	log_init(STDERR_FILENO, LOG_FORMAT_TEXT, LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
