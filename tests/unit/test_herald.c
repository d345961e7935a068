/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bounds.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "daemon/herald.h"
#include "daemon/webhooks.h"

/*
 * The queues and who waits for what. That programs are run and receivers told is for the
 * integration tests.
 */

struct scene {
	uv_loop_t loop;
	struct config config;
	struct password_memory passwords;
	struct metrics *metrics;
	struct run *run;
	unsigned n_changes;
	unsigned n_ended;
	unsigned n_failed;
	struct err err; /* of the last one that failed */
};

static void
on_change(void *arg)
{
	((struct scene *)arg)->n_changes++;
}

static void
on_end(void *arg, const struct err *err)
{
	struct scene *scene = arg;

	scene->n_ended++;
	scene->n_failed += err_is_set(err);
	if (err_is_set(err))
		scene->err = *err;
}

static struct run *
new_run(void)
{
	struct run_request request = { .operation = PLAN_APPLY, .requested_by = "test" };

	return run_new(&request, "default", clock_now_us(), clock_mono_us());
}

static void
begin(struct scene *scene)
{
	*scene = (struct scene){ 0 };
	log_init(-1, LOG_FORMAT_TEXT, LOG_ERROR);
	assert_int_equal(uv_loop_init(&scene->loop), 0);
	scene->metrics = metrics_new(NULL, 1);
	scene->run = new_run();
	scene->config.hook_timeout_ms = 20000;
}

static void
turn_until(struct scene *scene, const unsigned *counter, unsigned n)
{
	int64_t until_us = clock_mono_us() + 20000000;

	while (*counter < n) {
		assert_true(clock_mono_us() < until_us);
		(void)uv_run(&scene->loop, UV_RUN_ONCE);
	}
}

static void
end(struct scene *scene)
{
	assert_int_equal(uv_run(&scene->loop, UV_RUN_DEFAULT), 0);
	assert_int_equal(uv_loop_close(&scene->loop), 0);
	run_unref(scene->run);
	talloc_free(scene->metrics);
}

/* ---- hooks ---- */

static void
test_hooks_wait_their_turn(void **state)
{
	struct scene scene;
	struct hooks *hooks = NULL;

	(void)state;
	begin(&scene);
	hooks = hooks_new(&scene.loop, scene.metrics, on_change, &scene);
	scene.config.hook_after = "true";
	hooks_configure(hooks, &scene.config, &scene.passwords);
	assert_true(hooks_has(hooks, HOOK_AFTER));
	assert_false(hooks_has(hooks, HOOK_BEFORE));
	hooks_add(hooks, HOOK_BEFORE, scene.run, NULL, on_end, &scene);
	assert_false(hooks_is_busy(hooks));
	for (unsigned i = 0; i < BOUND_HOOKS + 3; i++)
		hooks_add(hooks, HOOK_AFTER, scene.run, NULL, on_end, &scene);
	assert_true(hooks_is_busy(hooks));
	assert_int_equal(scene.n_ended, 0);
	turn_until(&scene, &scene.n_ended, BOUND_HOOKS + 3);
	assert_false(hooks_is_busy(hooks));
	/* those that found too many before them */
	assert_int_equal(scene.n_failed, 3);
	assert_non_null(strstr(scene.err.text, "hooks wait already"));
	assert_int_equal(scene.n_changes, BOUND_HOOKS + 3);
	assert_int_equal(scene.metrics->hooks[HOOK_AFTER], BOUND_HOOKS + 3);
	assert_int_equal(scene.metrics->hook_failures[HOOK_AFTER], 3);
	hooks_close(hooks);
	end(&scene);
}

/* Taken out of the configuration, or nonsense by now. */
static void
test_hooks_reload(void **state)
{
	static const char *const commands[] = { NULL, "'", "/nonexistent/hook" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		struct scene scene;
		struct hooks *hooks = NULL;

		begin(&scene);
		hooks = hooks_new(&scene.loop, scene.metrics, on_change, &scene);
		scene.config.hook_failure = "true";
		hooks_configure(hooks, &scene.config, &scene.passwords);
		hooks_add(hooks, HOOK_FAILURE, scene.run, NULL, on_end, &scene);
		scene.config.hook_failure = commands[i];
		turn_until(&scene, &scene.n_ended, 1);
		assert_int_equal(scene.n_failed, 1);
		assert_non_null(strstr(scene.err.text, "hook_failure: "));
		hooks_close(hooks);
		end(&scene);
	}
}

static void
test_hooks_forget(void **state)
{
	struct scene scene;
	struct hooks *hooks = NULL;
	int64_t began_us = clock_mono_us();

	(void)state;
	begin(&scene);
	hooks = hooks_new(&scene.loop, scene.metrics, on_change, &scene);
	scene.config.hook_before = "sleep 60";
	scene.config.hook_after = "true";
	hooks_configure(hooks, &scene.config, &scene.passwords);
	hooks_add(hooks, HOOK_BEFORE, scene.run, NULL, on_end, &scene);
	hooks_add(hooks, HOOK_AFTER, scene.run, NULL, on_end, &began_us);
	/* in the middle of the first, then the one behind it runs */
	(void)uv_run(&scene.loop, UV_RUN_NOWAIT);
	hooks_forget(hooks, &scene);
	hooks_forget(hooks, &scene);
	assert_true(hooks_is_busy(hooks));
	hooks_forget(hooks, &began_us);
	assert_false(hooks_is_busy(hooks));
	hooks_add(hooks, HOOK_BEFORE, scene.run, NULL, on_end, &scene);
	hooks_add(hooks, HOOK_BEFORE, scene.run, NULL, NULL, NULL);
	(void)uv_run(&scene.loop, UV_RUN_NOWAIT);
	hooks_close(hooks);
	end(&scene);
	assert_int_equal(scene.n_ended, 0);
	assert_true(clock_mono_us() - began_us < 10000000);
}

/* ---- the run that waits ---- */

static void
test_required(void **state)
{
	static const struct {
		const char *command;
		bool required;
		bool waits;
		bool fails;
	} rows[] = {
		{ "true", true, true, false },
		{ "false", true, true, true },
		{ "false", false, false, false },
		{ NULL, true, false, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		static const struct migration migration = { .id = "0001_a" };
		struct plan_step steps[] = { { .migration = &migration } };
		struct plan plan = { .steps = steps, .n_steps = 1 };
		struct outlook outlook = { .plans = { &plan } };
		struct scene scene;
		struct herald *herald = NULL;

		begin(&scene);
		herald = herald_new(&scene.loop, scene.metrics, on_change, &scene);
		scene.config.hook_before = rows[i].command;
		scene.config.hook_required = rows[i].required;
		herald_configure(herald, &scene.config, &scene.passwords);
		assert_int_equal(
		    herald_planned(herald, scene.run, &outlook, on_end, &scene),
		    rows[i].waits);
		assert_int_equal(scene.n_ended, 0);
		if (rows[i].command)
			turn_until(&scene, &scene.n_changes, 1);
		assert_int_equal(scene.n_ended, rows[i].waits);
		assert_int_equal(scene.n_failed, rows[i].fails);
		if (rows[i].fails) {
			assert_int_equal(err_exit_code(&scene.err), EXIT_REFUSED);
			assert_int_equal(err_http_status(&scene.err), 409);
		}
		herald_ended(herald, scene.run);
		herald_close(herald);
		end(&scene);
	}
}

/* ---- webhooks ---- */

static void
test_webhooks_are_bounded(void **state)
{
	/* port 1 is nobody's */
	static const char *urls[] = { "http://127.0.0.1:1/a", "http://127.0.0.1:1/b",
		NULL };
	struct scene scene;
	struct webhooks *webhooks = NULL;

	(void)state;
	begin(&scene);
	webhooks = webhooks_new(&scene.loop, scene.metrics, on_change, &scene);
	webhooks_configure(webhooks, &scene.config);
	assert_false(webhooks_has(webhooks));
	webhooks_add(webhooks, "migration.run.started", "id", "{}");
	assert_false(webhooks_is_busy(webhooks));
	scene.config.webhook_url = urls;
	assert_true(webhooks_has(webhooks));
	for (unsigned i = 0; i < BOUND_WEBHOOKS; i++)
		webhooks_add(webhooks, "migration.run.started", "id", "{}");
	assert_int_equal(scene.metrics->notifications_waiting, BOUND_WEBHOOKS);
	assert_int_equal(scene.metrics->notification_failures, BOUND_WEBHOOKS);
	assert_true(webhooks_is_busy(webhooks));
	/* each is tried once, then all wait for another try */
	turn_until(&scene, &scene.n_changes, BOUND_WEBHOOKS);
	assert_false(webhooks_is_busy(webhooks));
	assert_int_equal(scene.metrics->notifications, BOUND_WEBHOOKS);
	assert_int_equal(scene.metrics->notifications_waiting, BOUND_WEBHOOKS);
	webhooks_close(webhooks);
	end(&scene);
}

/* Closed while some are under way. */
static void
test_webhooks_close(void **state)
{
	static const char *urls[] = { "http://127.0.0.1:1/a", NULL };

	(void)state;
	for (int turns = 0; turns < 4; turns++) {
		struct scene scene;
		struct webhooks *webhooks = NULL;

		begin(&scene);
		scene.config.webhook_url = urls;
		webhooks = webhooks_new(&scene.loop, scene.metrics, on_change, &scene);
		webhooks_configure(webhooks, &scene.config);
		webhooks_add(webhooks, "migration.run.started", "id", "{}");
		webhooks_add(webhooks, "migration.run.failed", "id", "{}");
		for (int i = 0; i < turns; i++)
			(void)uv_run(&scene.loop, UV_RUN_NOWAIT);
		webhooks_close(webhooks);
		end(&scene);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hooks_wait_their_turn),
		cmocka_unit_test(test_hooks_reload),
		cmocka_unit_test(test_hooks_forget),
		cmocka_unit_test(test_required),
		cmocka_unit_test(test_webhooks_are_bounded),
		cmocka_unit_test(test_webhooks_close),
	};

	/* as the program does: a hook may end before it has read what it is told */
	sigaction(SIGPIPE, &(struct sigaction){ .sa_handler = SIG_IGN }, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
