/* SPDX-License-Identifier: PostgreSQL */
#include "daemon/once.h"

#include <assert.h>
#include <signal.h>
#include <stdio.h>
#include <uv.h>

#include "base/bounds.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "daemon/ephemeral.h"
#include "daemon/herald.h"
#include "db/password.h"
#include "db/runner.h"
#include "http/json.h"
#include "http/plain.h"

struct once {
	uv_loop_t loop;
	uv_signal_t signals[2];
	struct folder *folders[PHASE_COUNT];
	struct target_params params;
	struct password_memory *passwords;
	struct run *run;
	struct runner *runner;
	struct herald *herald;
	bool told; /* to stop, once already */
};

static void
on_change(void *arg UNUSED)
{
}

static void
once_close_signals(struct once *once)
{
	for (size_t i = 0; i < ARRAY_SIZE(once->signals); i++)
		uv_close((uv_handle_t *)&once->signals[i], NULL);
}

/* The run is done and all is told: nothing is left to wait for. */
static void
once_leave(void *arg)
{
	struct once *once = arg;

	if (once->runner != NULL || once->herald == NULL || herald_is_busy(once->herald))
		return;
	herald_close(once->herald);
	once->herald = NULL;
	once_close_signals(once);
}

static bool
on_planned(void *arg, const struct outlook *outlook)
{
	struct once *once = arg;

	return herald_planned(
	    once->herald, once->run, outlook, runner_go_on, once->runner);
}

static void
on_done(void *arg, const struct observation *seen UNUSED)
{
	struct once *once = arg;

	once->runner = NULL;
	herald_ended(once->herald, once->run);
	once_leave(once);
}

static void
on_signal(uv_signal_t *signal, int number UNUSED)
{
	struct once *once = signal->data;

	if (once->runner == NULL) {
		herald_abandon(once->herald);
		once_leave(once);
	} else if (once->told) {
		runner_cancel(once->runner, "told to stop twice");
	} else {
		runner_finish_early(once->runner, "told to stop");
	}
	once->told = true;
}

static void
once_start(struct once *once)
{
	struct runner_events events = {
		.on_change = on_change,
		.on_planned = on_planned,
		.on_done = on_done,
		.arg = once,
	};

	once->runner =
	    runner_start(&once->loop, &once->params, once->run, once->folders, &events);
}

static void
once_apply(struct once *once, const struct config *config)
{
	static const int numbers[] = { SIGTERM, SIGINT };

	uv_loop_init(&once->loop);
	for (size_t i = 0; i < ARRAY_SIZE(once->signals); i++) {
		uv_signal_init(&once->loop, &once->signals[i]);
		once->signals[i].data = once;
		uv_signal_start(&once->signals[i], on_signal, numbers[i]);
	}
	once->herald =
	    herald_new(&once->loop, metrics_new(once, clock_now_us()), once_leave, once);
	herald_configure(once->herald, config, once->passwords);
	once_start(once);
	uv_run(&once->loop, UV_RUN_DEFAULT);
	int busy = uv_loop_close(&once->loop);
	assert(busy == 0);
	(void)busy;
}

static void
once_print(const struct once *once, bool json)
{
	struct text out;

	if (json) {
		json_t *document = json_run(once->run, false);

		json_dumpf(document, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(12));
		putchar('\n');
		json_decref(document);
		return;
	}
	text_init(&out, once, BOUND_REPLY_BYTES);
	plain_run(&out, once->run);
	fputs(out.data, stdout);
}

static void
once_load(struct once *once, const struct config *config)
{
	for (unsigned p = 0; p < PHASE_COUNT; p++)
		once->folders[p] = config_load_folder(config, p);
	config_target_params(config, once->folders[PHASE_SCHEMA]->layout, &once->params);
}

enum exit_code
once_run(struct config *config)
{
	struct once *once = mem_zero(NULL, struct once);
	struct run_request request = { .operation = PLAN_APPLY, .requested_by = "once" };
	struct ephemeral *ephemeral = NULL;
	struct err err = { 0 };
	enum exit_code exit_code;

	if (config->ephemeral) {
		if (ephemeral_start(once, &ephemeral, &err) < 0) {
			log_error_with(&err, "no private PostgreSQL");
			exit_code = err_exit_code(&err);
			goto out;
		}
		config_use_ephemeral(config, ephemeral_url(ephemeral));
	}
	once->passwords = mem_zero(once, struct password_memory);
	once_load(once, config);
	once->params.name = "default";
	once->params.password_memory = once->passwords;
	once->run = run_new(&request, once->params.name, clock_now_us(), clock_mono_us());
	once_apply(once, config);
	once_print(once, config->log_format == LOG_FORMAT_JSON);
	exit_code = once->run->outcome == RUN_SUCCEEDED ? EXIT_FINE
							: err_exit_code(&once->run->err);
	run_unref(once->run);
	for (size_t i = 0; i < PHASE_COUNT; i++)
		folder_unref(once->folders[i]);
out:
	if (ephemeral != NULL)
		ephemeral_stop(ephemeral);
	talloc_free(once);
	return exit_code;
}
