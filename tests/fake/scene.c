/* SPDX-License-Identifier: PostgreSQL */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "db/runner_steps.h"
#include "model.h"
#include "scene.h"

const struct scenario_list scenario_lists[] = {
	{ scenarios_open, &n_scenarios_open },
	{ scenarios_upgrade, &n_scenarios_upgrade },
	{ scenarios_apply, &n_scenarios_apply },
	{ scenarios_again, &n_scenarios_again },
	{ scenarios_segment, &n_scenarios_segment },
	{ scenarios_resume, &n_scenarios_resume },
	{ scenarios_phase, &n_scenarios_phase },
	{ scenarios_repair, &n_scenarios_repair },
	{ scenarios_rollback, &n_scenarios_rollback },
	{ scenarios_engine, &n_scenarios_engine },
	{ scenarios_stop, &n_scenarios_stop },
};

const size_t n_scenario_lists = ARRAY_SIZE(scenario_lists);

#define PATIENCE_US 10000000

static struct scene *playing;

/* The linker gives us the calls of uv_timer_start. */
int wrap_timer_start(uv_timer_t *timer, uv_timer_cb cb, uint64_t timeout,
    uint64_t repeat) __asm__("__wrap_uv_timer_start");
int real_timer_start(uv_timer_t *timer, uv_timer_cb cb, uint64_t timeout,
    uint64_t repeat) __asm__("__real_uv_timer_start");

int
wrap_timer_start(uv_timer_t *timer, uv_timer_cb cb, uint64_t timeout, uint64_t repeat)
{
	bool hurries = playing != NULL && playing->hurries && playing->runner != NULL &&
	    timer == &playing->runner->timer;

	if (hurries)
		playing->paused_ms += timeout;
	return real_timer_start(timer, cb, hurries ? 0 : timeout, repeat);
}

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
	model_begin();
	script_migrations(scene->folder);
	if (scenario->script)
		scenario->script(scene);
	assert_int_equal(uv_loop_init(&scene->loop), 0);
	assert_int_equal(uv_timer_init(&scene->loop, &scene->tick), 0);
	/* so that a turn of the loop ends */
	assert_int_equal(uv_timer_start(&scene->tick, on_tick, 5, 5), 0);
}

void
scene_only(struct scene *scene, const char *text)
{
	folder_unref(scene->folder);
	scene->folder = script_folder("drizzle");
	script_add(scene->folder, "0001_mixed", text);
	script_tag("CREATE INDEX CONCURRENTLY", "CREATE INDEX");
	script_tag("DROP INDEX CONCURRENTLY", "DROP INDEX");
	script_tag("VACUUM", "VACUUM");
	script_tag("DO $$BEGIN", "DO");
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

static bool
on_planned(void *arg, const struct outlook *outlook)
{
	struct scene *scene = arg;
	const struct run *run = scene->run;

	assert_int_equal(scene->n_planned++, 0);
	assert_true(outlook->plans[run->phase]->n_steps > 0);
	assert_true(run->state == RUN_PLAN || run->state == RUN_AHEAD);
	for (unsigned p = run->phase; p < PHASE_COUNT; p++)
		if (p != PHASE_SCHEMA && scene->behind[p] != NULL &&
		    phase_is_asked(run->asked_phases, p))
			assert_int_equal(outlook->plans[p] != NULL,
			    (outlook->unknown & PHASE_BIT(p)) == 0);
	return scene->has_hook;
}

static void
on_done(void *arg, const struct observation *seen)
{
	struct scene *scene = arg;

	assert_int_equal(scene->n_done++, 0);
	assert_int_equal(scene->run->state, RUN_DONE);
	scene->history = talloc_steal(NULL, seen->histories[PHASE_SCHEMA]);
	scene->runner = NULL;
	scene->was_alive = fakepq_is_alive();
	scene->was_in_transaction = fakepq_in_transaction();
}

static bool
is_in_history(const struct scene *scene, const struct run_migration *applied)
{
	for (size_t i = 0; i < scene->history->n_rows; i++) {
		const char *key = scene->history->rows[i].key;

		if (scene->history->key == HISTORY_BY_FILE
			? strncmp(key, applied->id, strlen(applied->id)) == 0
			: strcmp(key, applied->version) == 0)
			return true;
	}
	return false;
}

void
scene_check_migration(const struct scene *scene, const struct migration *m)
{
	const char *key = scene->history->key == HISTORY_BY_FILE ? m->file : m->version;
	struct script *script = script_build(NULL, m, scene->dialect);

	assert_int_equal(model_n_rows_of(key), 1);
	if (scene->run->operation == PLAN_BASELINE)
		goto out;
	for (size_t i = 0; script->plain && i < m->n_parts; i++)
		assert_int_equal(model_n_ran(m->parts[i].text, m->parts[i].len), 1);
	if (script->batch != NULL) {
		assert_int_equal(model_n_left(), 0);
		goto out;
	}
	for (size_t i = 0; i < script->n_statements && !scene->is_resumed; i++) {
		const struct script_statement *st = &script->statements[i];

		assert_in_range(model_n_ran(st->text, st->len), 1,
		    st->class.kind == SQLCLASS_VACUUM ? UINT_MAX : 1);
	}
out:
	talloc_free(script);
}

/* Its row is gone, and all of the way back took effect: once. */
static void
check_undone(const struct scene *scene)
{
	const struct run *run = scene->run;

	assert_in_range(run->n_applied, 0, run->n_planned);
	assert_in_range(run->n_applied, 0, model_n_lost_rows());
	if (run->reconnects == 0 && scene->was_alive)
		assert_int_equal(run->n_applied, model_n_lost_rows());
	assert_null(model_ran_twice());
	for (size_t i = 0; i < run->n_applied; i++) {
		const struct migration *down =
		    folder_find(scene->folder, run->applied[i].id)->down;
		struct script *script = script_build(NULL, down, scene->dialect);

		assert_false(is_in_history(scene, &run->applied[i]));
		assert_int_equal(model_n_rows_of(down->version), 0);
		for (size_t j = 0; script->plain && j < down->n_parts; j++)
			assert_int_equal(
			    model_n_ran(down->parts[j].text, down->parts[j].len), 1);
		for (size_t j = 0; j < script->n_statements; j++)
			assert_int_equal(model_n_ran(script->statements[j].text,
					     script->statements[j].len),
			    1);
		talloc_free(script);
	}
}

/* Server, history and run tell of the same migrations. */
static void
check_applied(const struct scene *scene)
{
	const struct run *run = scene->run;

	if (run->operation == PLAN_ROLLBACK) {
		check_undone(scene);
		return;
	}
	if (run->operation == PLAN_REPAIR) { /* one row more, or less, or another */
		assert_in_range(run->n_applied, 0, 1);
		assert_null(model_ran_twice());
		return;
	}

	assert_in_range(run->n_applied, 0, run->n_planned);
	/* more there than the run says: only where it lost its connection at COMMIT */
	assert_in_range(run->n_applied, 0, model_n_new_rows());
	if (run->reconnects == 0 && scene->was_alive)
		assert_int_equal(run->n_applied, model_n_new_rows());
	if (scene->params.policy.transaction == TRANSACTION_RUN ||
	    run->operation == PLAN_BASELINE)
		assert_true(run->n_applied == 0 || run->n_applied == run->n_planned);
	if (model_ran_twice())
		fail_msg("took effect twice: %s", model_ran_twice());
	for (size_t i = 0; i < run->n_applied; i++) {
		const struct run_migration *m = &run->applied[i];

		if (m->phase != PHASE_SCHEMA) {
			assert_int_equal(model_n_rows_of(m->id), 1);
			continue;
		}
		assert_true(is_in_history(scene, m));
		scene_check_migration(scene, folder_find(scene->folder, m->id));
	}
}

/* What was sent since it connected last. */
static const char *
last_session(const char *sent)
{
	for (const char *at = strstr(sent, "probe"); at; at = strstr(at + 1, "probe"))
		sent = at;
	return sent;
}

static size_t
count(const char *sent, const char *word)
{
	size_t n = 0;

	for (const char *at = strstr(sent, word); at; at = strstr(at + 1, word))
		n++;
	return n;
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
		assert_int_equal(run->n_applied + run->n_failed, run->n_planned);
	check_applied(scene);
	if (!scene->was_alive)
		return;
	assert_false(scene->was_in_transaction);
	/* who has the lock and a connection gives it back; a new one may not come that far */
	if (fakepq_count("SELECT pg_catalog.version()") == count(scene->sent, "probe") &&
	    strstr(last_session(scene->sent), "look"))
		assert_string_equal(scene->sent + len - strlen("unlock"), "unlock");
}

void
scene_play(struct scene *scene)
{
	const struct runner_events events = { .on_change = on_change,
		.on_planned = on_planned,
		.on_done = on_done,
		.arg = scene };
	int64_t until_us = clock_mono_us() + PATIENCE_US;
	struct folder *folders[PHASE_COUNT] = { NULL };

	playing = scene;
	scene->run = run_new(&scene->request, "default", clock_now_us(), clock_mono_us());
	for (unsigned p = 0; p < PHASE_COUNT; p++)
		folders[p] = scene->behind[p];
	folders[PHASE_SCHEMA] = scene->folder;
	scene->runner =
	    runner_start(&scene->loop, &scene->params, scene->run, folders, &events);
	if (scene->act && scene->act_in == RUN_NEW && scene->act_at_turn == 0)
		act(scene);
	assert_int_equal(scene->n_done, 0);
	while (scene->n_done == 0) {
		assert_true(clock_mono_us() < until_us);
		(void)uv_run(&scene->loop, UV_RUN_ONCE);
		scene->n_turns++;
		if (scene->n_done == 0 && scene->run->state == RUN_HOOK &&
		    !scene->hook_hangs)
			runner_go_on(scene->runner, &scene->hook_err);
		if (scene->act && scene->n_done == 0 &&
		    (scene->has_acted || scene->n_turns == scene->act_at_turn))
			act(scene);
	}
	script_sent(scene->sent, sizeof(scene->sent));
	check_run(scene);
}

void
scene_play_again(struct scene *scene)
{
	talloc_free(scene->history);
	run_unref(scene->run);
	scene->history = NULL;
	scene->n_done = scene->n_turns = scene->n_planned = 0;
	scene->act = NULL;
	scene->has_acted = false;
	fakepq_fail_at(0);
	fakepq_lose_at(0);
	fakepq_forget_sent();
	model_next_run();
	scene_play(scene);
}

void
scene_end(struct scene *scene)
{
	playing = NULL;
	uv_close((uv_handle_t *)&scene->tick, NULL);
	assert_int_equal(uv_run(&scene->loop, UV_RUN_DEFAULT), 0);
	assert_int_equal(uv_loop_close(&scene->loop), 0);
	assert_int_equal(scene->n_done, 1);
	assert_int_equal(fakepq_live(), 0);
	talloc_free(scene->history);
	run_unref(scene->run);
	folder_unref(scene->folder);
	for (unsigned p = 0; p < PHASE_COUNT; p++)
		folder_unref(scene->behind[p]);
	assert_int_equal(talloc_total_blocks(NULL), scene->n_blocks);
	talloc_disable_null_tracking();
}
