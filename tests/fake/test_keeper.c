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
#include "db/keeper.h"
#include "script.h"

#define RENEW_MS    5
#define FOR_LONG_US INT64_C(60000000)
#define PATIENCE_US INT64_C(10000000)
#define RENEWAL     "SET expires_at"

struct scene {
	uv_loop_t loop;
	uv_timer_t tick; /* so that a turn of the loop ends */
	struct target_params params;
	struct lock_ops ops; /* a lease's, in a hurry */
	struct lock lock;
	struct keeper *keeper;
	int64_t granted_mono_us; /* as it was at first */
	size_t n_blocks;
	unsigned n_lost;
};

static void
on_tick(uv_timer_t *timer)
{
	(void)timer;
}

static void
on_lost(void *arg)
{
	struct scene *scene = arg;

	scene->n_lost++;
}

/* A lease that was granted just now, and is sure for so long. */
static void
scene_begin(struct scene *scene, int64_t sure_us)
{
	*scene = (struct scene){ 0 };
	talloc_enable_null_tracking();
	fakepq_reset();
	scene->n_blocks = talloc_total_blocks(NULL);
	scene->params = script_params();
	static const struct engine engine = { .can = ENGINE_SETTINGS | ENGINE_ROW_LOCKS };

	lock_init(&scene->lock, LOCK_MODE_LEASE, &engine, 7, "test");
	scene->ops = *scene->lock.ops;
	scene->ops.renew_ms = RENEW_MS;
	scene->ops.sure_us = sure_us;
	scene->lock.ops = &scene->ops;
	scene->granted_mono_us = scene->lock.granted_mono_us = clock_mono_us();
	assert_int_equal(uv_loop_init(&scene->loop), 0);
	assert_int_equal(uv_timer_init(&scene->loop, &scene->tick), 0);
	assert_int_equal(uv_timer_start(&scene->tick, on_tick, 1, 1), 0);
	scene->keeper =
	    keeper_start(&scene->loop, &scene->params, &scene->lock, on_lost, scene);
}

static bool
is_lost(const struct scene *scene)
{
	return scene->n_lost > 0;
}

static bool
is_renewed(const struct scene *scene)
{
	return scene->lock.granted_mono_us > scene->granted_mono_us;
}

static bool
is_renewed_twice(const struct scene *scene)
{
	return is_renewed(scene) && fakepq_count(RENEWAL) > 2;
}

static void
scene_await(struct scene *scene, bool (*has_come)(const struct scene *scene))
{
	int64_t until_us = clock_mono_us() + PATIENCE_US;

	while (!has_come(scene)) {
		assert_true(clock_mono_us() < until_us);
		(void)uv_run(&scene->loop, UV_RUN_ONCE);
	}
}

/* Let all go; whoever was told of the loss was told once. */
static void
scene_end(struct scene *scene, unsigned n_lost)
{
	int64_t until_us = clock_mono_us() + INT64_C(10000) * RENEW_MS;

	while (clock_mono_us() < until_us)
		(void)uv_run(&scene->loop, UV_RUN_ONCE);
	keeper_close(scene->keeper);
	uv_close((uv_handle_t *)&scene->tick, NULL);
	assert_int_equal(uv_run(&scene->loop, UV_RUN_DEFAULT), 0);
	assert_int_equal(uv_loop_close(&scene->loop), 0);
	assert_int_equal(scene->n_lost, n_lost);
	assert_int_equal(fakepq_live(), 0);
	assert_int_equal(talloc_total_blocks(NULL), scene->n_blocks);
	talloc_disable_null_tracking();
}

static void
answer(struct fakepq_rule *rule)
{
	fakepq_rows(rule, 1, 1, (const char *const[]){ "t" });
}

static void
test_renewed(void **state)
{
	struct scene scene;

	(void)state;
	keeper_close(NULL);

	scene_begin(&scene, FOR_LONG_US);
	answer(fakepq_on(RENEWAL));
	scene_await(&scene, is_renewed_twice);
	scene_end(&scene, 0);
}

/* The server says that another has it. */
static void
test_taken(void **state)
{
	struct scene scene;

	(void)state;
	scene_begin(&scene, FOR_LONG_US);
	fakepq_rows(fakepq_on(RENEWAL), 1, 0, NULL);
	scene_await(&scene, is_lost);
	assert_false(is_renewed(&scene));
	assert_int_equal(fakepq_count(RENEWAL), 1);
	scene_end(&scene, 1);
	assert_int_equal(fakepq_count(RENEWAL), 1);
}

/* No answer at all, and when that is noticed another may have it already. */
static void
test_silent(void **state)
{
	struct scene scene;

	(void)state;
	scene_begin(&scene, 1);
	fakepq_stall(fakepq_on(RENEWAL));
	scene_await(&scene, is_lost);
	assert_int_equal(fakepq_count(RENEWAL), 1);
	scene_end(&scene, 1);
	assert_int_equal(fakepq_count(RENEWAL), 1);
}

/* It is asked again, over another connection, while the lock is sure. */
static void
test_silent_once(void **state)
{
	struct scene scene;

	(void)state;
	scene_begin(&scene, FOR_LONG_US);
	answer(fakepq_on(RENEWAL));
	fakepq_stall(fakepq_once(RENEWAL));
	scene_await(&scene, is_renewed);
	assert_int_equal(fakepq_count(RENEWAL), 2);
	scene_end(&scene, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_renewed),
		cmocka_unit_test(test_taken),
		cmocka_unit_test(test_silent),
		cmocka_unit_test(test_silent_once),
	};

	log_init(STDERR_FILENO, LOG_FORMAT_TEXT, LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
