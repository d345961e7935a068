/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "scene.h"

#define PATIENCE_US 10000000

static void
on_tick(uv_timer_t *timer)
{
	(void)timer;
}

void
scene_begin(struct scene *scene, const struct scenario *scenario)
{
	*scene = (struct scene){ .scenario = scenario };
	talloc_enable_null_tracking();
	fakepq_reset();
	scene->n_blocks = talloc_total_blocks(NULL);
	scene->params = script_params();
	scene->folder = script_folder("drizzle");
	script_server();
	script_migrations(scene->folder);
	if (scenario->script)
		scenario->script(scene);
	assert_int_equal(uv_loop_init(&scene->loop), 0);
	assert_int_equal(uv_timer_init(&scene->loop, &scene->tick), 0);
	/* so that a turn of the loop ends */
	assert_int_equal(uv_timer_start(&scene->tick, on_tick, 5, 5), 0);
}

/* A cancel request may get lost; a person would ask again. */
static void
act(struct scene *scene)
{
	scene->has_acted = true;
	scene->act(scene->runner, "told to stop");
}

static void
on_change(void *arg)
{
	struct scene *scene = arg;

	assert_int_equal(scene->n_done, 0);
	assert_int_not_equal(scene->run->state, RUN_DONE);
	if (scene->run->state == RUN_LOCK) {
		size_t n = talloc_total_blocks(scene->runner);

		scene->n_first = scene->n_first ? scene->n_first : n;
		scene->n_most = n > scene->n_most ? n : scene->n_most;
	}
	if (scene->act && !scene->has_acted && scene->act_at_turn == 0 &&
	    scene->run->state == scene->act_in)
		act(scene);
}

static void
on_done(void *arg, struct history *history)
{
	struct scene *scene = arg;

	assert_int_equal(scene->n_done++, 0);
	assert_int_equal(scene->run->state, RUN_DONE);
	scene->history = talloc_steal(NULL, history);
	scene->runner = NULL;
	scene->was_alive = fakepq_is_alive();
	scene->was_in_transaction = fakepq_in_transaction();
}

static size_t
n_rows_at_start(const struct scene *scene)
{
	return scene->history->n_rows - scene->run->n_applied;
}

/* History and run tell of the same migrations, and of none that was not committed. */
static void
check_applied(const struct scene *scene)
{
	const struct run *run = scene->run;
	size_t first = 0;

	assert_in_range(run->n_applied, 0, run->n_planned);
	if (fakepq_n_committed() == 0)
		assert_int_equal(run->n_applied, 0);
	if (scene->params.policy.transaction == TRANSACTION_MIGRATION &&
	    run->operation == PLAN_APPLY)
		assert_in_range(run->n_applied, 0, fakepq_n_committed());
	else
		assert_true(run->n_applied == 0 || run->n_applied == run->n_planned);
	if (run->n_applied == 0)
		return;
	assert_non_null(scene->history);
	first = n_rows_at_start(scene);
	for (size_t i = 0; i < run->n_applied; i++) {
		const char *key = scene->history->rows[first + i].key;

		if (scene->history->key == HISTORY_BY_VERSION)
			assert_string_equal(key, run->applied[i].version);
		else
			assert_memory_equal(key, run->applied[i].id, strlen(key) - 4);
	}
}

static void
check_run(struct scene *scene)
{
	const struct run *run = scene->run;
	size_t len = strlen(scene->sent);

	assert_int_equal(scene->n_done, 1);
	assert_int_not_equal(run->outcome, RUN_IN_PROGRESS);
	assert_int_equal(run->outcome == RUN_SUCCEEDED, !err_is_set(&run->err));
	assert_int_equal(
	    run->outcome == RUN_CANCELLED, run->err.category == CAT_CANCELLED);
	assert_null(run->current);
	assert_true(run->finished_at_us > 0);
	if (run->outcome == RUN_SUCCEEDED)
		assert_int_equal(run->n_applied, run->n_planned);
	check_applied(scene);
	if (!scene->was_alive)
		return;
	assert_false(scene->was_in_transaction);
	/* who has the lock and a connection gives it back */
	if (strstr(scene->sent, "look"))
		assert_string_equal(scene->sent + len - strlen("unlock"), "unlock");
}

void
scene_play(struct scene *scene)
{
	const struct runner_events events = { on_change, on_done, scene };
	int64_t until_us = clock_mono_us() + PATIENCE_US;

	scene->run = run_new(&scene->request, "default", clock_now_us(), clock_mono_us());
	scene->runner = runner_start(
	    &scene->loop, &scene->params, scene->run, scene->folder, &events);
	if (scene->act && scene->act_in == RUN_NEW && scene->act_at_turn == 0)
		act(scene);
	assert_int_equal(scene->n_done, 0);
	while (scene->n_done == 0) {
		assert_true(clock_mono_us() < until_us);
		(void)uv_run(&scene->loop, UV_RUN_ONCE);
		scene->n_turns++;
		if (scene->act && scene->n_done == 0 &&
		    (scene->has_acted || scene->n_turns == scene->act_at_turn))
			act(scene);
	}
	script_sent(scene->sent, sizeof(scene->sent));
	check_run(scene);
}

void
scene_end(struct scene *scene)
{
	uv_close((uv_handle_t *)&scene->tick, NULL);
	assert_int_equal(uv_run(&scene->loop, UV_RUN_DEFAULT), 0);
	assert_int_equal(uv_loop_close(&scene->loop), 0);
	assert_int_equal(scene->n_done, 1);
	assert_int_equal(fakepq_live(), 0);
	talloc_free(scene->history);
	run_unref(scene->run);
	folder_unref(scene->folder);
	assert_int_equal(talloc_total_blocks(NULL), scene->n_blocks);
	talloc_disable_null_tracking();
}
