/* SPDX-License-Identifier: PostgreSQL */
#include "daemon/app.h"

#include <assert.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "daemon/ephemeral.h"
#include "daemon/listeners.h"
#include "daemon/notify.h"
#include "daemon/service.h"
#include "daemon/watch.h"
#include "http/httpd.h"

#define HEARTBEAT_MS 500

/* How long callers get, once no run is in progress any more, to take their answers. */
#define LINGER_MS 1000

/* How long closing the handles may take. */
#define LEAVE_S 5

enum app_phase {
	APP_RUNNING,
	APP_DRAINING,
	APP_CLOSING
};

struct app {
	uv_loop_t loop;
	uv_prepare_t prepare;
	uv_signal_t signals[3]; /* TERM, INT, HUP */
	uv_timer_t heartbeat;
	uv_timer_t stop_timer; /* grace, then linger */

	const struct config_source *source;
	struct config *config;
	struct ephemeral *ephemeral;
	struct service service;
	struct watch *watches[PHASE_COUNT]; /* NULL: the phase has no folder */
	struct httpd *httpd;
	struct listeners listeners;

	enum app_phase phase;
	bool changed; /* something to publish in the next tick */
	bool was_busy;
	int64_t grace_until_us; /* once told to stop */
};

static struct app *
app_of(void *arg)
{
	return arg;
}

/* ---- configuration ---- */

static void on_watch(void *arg, enum metrics_scan trigger);

static void
app_scan(struct app *app, enum metrics_scan trigger)
{
	unsigned moving = target_scan(app->service.target, trigger);

	for (unsigned p = 0; p < PHASE_COUNT; p++) {
		const struct folder *folder = target_folder(app->service.target, p);

		if (folder == NULL)
			continue;
		watch_rearm(app->watches[p], folder->device, folder->inode);
		if (moving & PHASE_BIT(p))
			watch_again(app->watches[p]);
	}
}

static void
on_watch(void *arg, enum metrics_scan trigger)
{
	app_scan(app_of(arg), trigger);
}

static void
app_watch(struct app *app, const struct config *config)
{
	for (unsigned p = 0; p < PHASE_COUNT; p++) {
		const char *path = config_phase_path(config, p);

		watch_close(app->watches[p]);
		app->watches[p] = NULL;
		if (path != NULL)
			app->watches[p] = watch_new(&app->loop, path, config->settle_ms,
			    config->rescan_interval_ms, on_watch, app);
	}
}

/* Use a configuration: what does not need a restart. */
static void
app_configure(struct app *app, struct config *config)
{
	struct config *old = app->config;

	if (app->ephemeral != NULL)
		config_use_ephemeral(config, ephemeral_url(app->ephemeral));
	log_init(STDERR_FILENO, (enum log_format)config->log_format,
	    (enum log_level)config->log_level);
	app->config = config;
	app_watch(app, config);
	service_configure(&app->service, config);
	app_scan(app, SCAN_RELOAD);
	if (old != config)
		talloc_free(old);
}

static int
app_reload(void *arg, struct err *err)
{
	struct app *app = app_of(arg);
	struct config *config = NULL;

	notify_reloading();
	app->service.metrics->config_reload_ok = false;
	if (config_load(NULL, app->source, &config, err) == 0 &&
	    config_check_reload(app->config, config, err) == 0) {
		app_configure(app, config);
		app->service.metrics->config_reload_ok = true;
		app->service.metrics->config_reload_at_us = clock_now_us();
		config_log_warnings(config);
		log_info("configuration reloaded");
	} else {
		talloc_free(config);
		log_error_with(err, "configuration not reloaded, the old one stays");
	}
	notify_ready();
	return err_is_set(err) ? -1 : 0;
}

/* ---- the tick ---- */

static void
publish_status(struct app *app)
{
	const struct run *run = target_run(app->service.target);
	char sentence[256];

	if (run != NULL)
		notify_status("%s %s (%zu/%zu)", run_operation_name(run->operation),
		    run->current != NULL ? run->current : run_state_sentence(run->state),
		    run->n_applied, run->n_planned);
	else
		notify_status("%s",
		    status_sentence(
			target_status(app->service.target), sentence, sizeof(sentence)));
}

static void app_close(struct app *app);

/*
 * Stopping: once no run is in progress, callers get a moment for their answers;
 * then all handles close.
 */
static void
app_drain(struct app *app)
{
	if (target_is_busy(app->service.target))
		return;
	if (app->was_busy) {
		app->was_busy = false;
		uv_timer_stop(&app->stop_timer);
	}
	if (httpd_in_flight(app->httpd) == 0 && !target_is_telling(app->service.target))
		app_close(app);
}

/* Callers get a moment, hooks what is left of the grace time. */
static uint64_t
linger_ms(const struct app *app)
{
	int64_t left_ms = (app->grace_until_us - clock_mono_us()) / 1000;

	return target_is_telling(app->service.target) && left_ms > LINGER_MS
	    ? (uint64_t)left_ms
	    : LINGER_MS;
}

static void
on_linger_over(uv_timer_t *timer)
{
	app_close(app_of(timer->data));
}

static void
on_prepare(uv_prepare_t *prepare)
{
	struct app *app = app_of(prepare->data);

	if (app->changed && app->phase == APP_RUNNING)
		publish_status(app);
	app->changed = false;
	httpd_tick(app->httpd);
	if (app->phase == APP_DRAINING)
		app_drain(app);
	/*
	 * A run that ended in this turn: its callers were woken by the tick above;
	 * wait for them, but not for ever.
	 */
	if (app->phase == APP_DRAINING && !target_is_busy(app->service.target) &&
	    !uv_is_active((uv_handle_t *)&app->stop_timer))
		uv_timer_start(&app->stop_timer, on_linger_over, linger_ms(app), 0);
}

static void
on_change(void *arg)
{
	app_of(arg)->changed = true;
}

static void
on_heartbeat(uv_timer_t *timer)
{
	struct app *app = app_of(timer->data);
	int64_t now_us = clock_mono_us();

	app->service.metrics->loop_lag_us =
	    now_us - app->service.heartbeat_us - HEARTBEAT_MS * 1000;
	if (app->service.metrics->loop_lag_us < 0)
		app->service.metrics->loop_lag_us = 0;
	app->service.heartbeat_us = now_us;
	if (notify_watchdog_ms() > 0)
		notify_watchdog();
}

/* ---- stopping ---- */

static void
on_grace_over(uv_timer_t *timer)
{
	struct app *app = app_of(timer->data);

	log_warning("grace time is over, cancelling the statement in progress");
	target_stop(app->service.target, true);
}

static void
app_stop(struct app *app, const char *why)
{
	if (app->phase == APP_RUNNING) {
		log_info("stopping", LOG_STR("why", why));
		notify_stopping();
		app->phase = APP_DRAINING;
		app->grace_until_us =
		    clock_mono_us() + app->config->shutdown_grace_ms * 1000;
		app->was_busy = target_is_busy(app->service.target);
		httpd_quiesce(app->httpd);
		target_stop(app->service.target, false);
		if (app->was_busy)
			uv_timer_start(&app->stop_timer, on_grace_over,
			    (uint64_t)app->config->shutdown_grace_ms, 0);
	} else if (app->phase == APP_DRAINING) {
		log_warning("stopping now", LOG_STR("why", why));
		target_stop(app->service.target, true);
	}
}

static void
on_signal(uv_signal_t *signal, int number)
{
	struct app *app = app_of(signal->data);
	struct err err = { 0 };

	if (number == SIGHUP) {
		if (app->phase == APP_RUNNING && app_reload(app, &err) < 0)
			return; /* logged; the old configuration stays */
	} else {
		app_stop(app, number == SIGTERM ? "SIGTERM" : "SIGINT");
	}
}

/* Of SIGALRM: what is still under way then never ends by itself. */
static void
leave(int number UNUSED)
{
	_exit(EXIT_FINE);
}

static void
app_close(struct app *app)
{
	if (app->phase == APP_CLOSING)
		return;
	app->phase = APP_CLOSING;
	/*
	 * libpq's request to cancel and a question to a name server block a thread of
	 * libuv's pool for as long as nobody answers, and cannot be taken back.
	 */
	(void)sigaction(SIGALRM, &(struct sigaction){ .sa_handler = leave }, NULL);
	alarm(LEAVE_S);
	httpd_close(app->httpd);
	for (size_t i = 0; i < PHASE_COUNT; i++)
		watch_close(app->watches[i]);
	target_close(app->service.target);
	for (size_t i = 0; i < ARRAY_SIZE(app->signals); i++)
		uv_close((uv_handle_t *)&app->signals[i], NULL);
	uv_close((uv_handle_t *)&app->heartbeat, NULL);
	uv_close((uv_handle_t *)&app->stop_timer, NULL);
	uv_close((uv_handle_t *)&app->prepare, NULL);
	listeners_unlink(&app->listeners);
}

/* ---- starting ---- */

static void
app_init(struct app *app)
{
	static const int numbers[] = { SIGTERM, SIGINT, SIGHUP };
	struct service_owner owner = { on_change, app_reload, app };

	uv_loop_init(&app->loop);
	for (size_t i = 0; i < ARRAY_SIZE(app->signals); i++) {
		uv_signal_init(&app->loop, &app->signals[i]);
		app->signals[i].data = app;
		uv_signal_start(&app->signals[i], on_signal, numbers[i]);
	}
	uv_prepare_init(&app->loop, &app->prepare);
	app->prepare.data = app;
	uv_prepare_start(&app->prepare, on_prepare);
	uv_timer_init(&app->loop, &app->heartbeat);
	app->heartbeat.data = app;
	uv_timer_start(&app->heartbeat, on_heartbeat, HEARTBEAT_MS, HEARTBEAT_MS);
	uv_timer_init(&app->loop, &app->stop_timer);
	app->stop_timer.data = app;

	service_init(&app->service, app, &app->loop, &owner);
	app->service.api.guard.listen_hosts = app->listeners.hosts;
	app->httpd =
	    httpd_new(&app->loop, &app->service.api, app->config->request_timeout_ms);
}

enum exit_code
app_run(struct config *config, const struct config_source *source)
{
	struct app *app = mem_zero(NULL, struct app);
	struct err err = { 0 };
	enum exit_code exit_code = EXIT_FINE;

	app->config = config;
	app->source = source;
	if (config->ephemeral && ephemeral_start(app, &app->ephemeral, &err) < 0) {
		log_error_with(&err, "no private PostgreSQL");
		exit_code = err_exit_code(&err);
		goto out;
	}
	app_init(app);
	if (listeners_open(&app->listeners, app, app->httpd, config, &err) < 0) {
		log_error_with(&err, "cannot listen");
		exit_code = err_exit_code(&err);
		service_configure(&app->service, config);
		app_close(app);
	} else {
		app_configure(app, config);
		notify_ready();
	}
	uv_run(&app->loop, UV_RUN_DEFAULT);
	alarm(0);
	/* Every handle was closed on purpose: one that is left is a leak of ours. */
	int busy = uv_loop_close(&app->loop);
	assert(busy == 0);
	(void)busy;
	log_info("stopped");
out:
	if (app->ephemeral != NULL)
		ephemeral_stop(app->ephemeral);
	talloc_free(app->config);
	talloc_free(app);
	return exit_code;
}
