/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "watcher.h"

#define HOUR_MS     3600000u
#define PATIENCE_US 10000000

static void
take_history(struct watcher *watcher, struct history *history)
{
	watcher->had_history = history != NULL;
	watcher->n_rows = watcher->n_baselines = 0;
	if (history == NULL)
		return;
	history = talloc_steal(NULL, history);
	watcher->table_existed = history->table_exists;
	watcher->n_rows = history->n_rows;
	for (size_t i = 0; i < history->n_rows; i++)
		watcher->n_baselines += history->rows[i].baseline;
	assert_true(history->as_of_mono_us > 0);
	talloc_free(history);
}

static void
close_observer(struct watcher *watcher)
{
	observer_close(watcher->observer);
	watcher->observer = NULL;
}

/* What holds of every report. */
static void
check_seen(const struct observation *seen)
{
	const struct database_facts *database = &seen->database;

	assert_true(database->looked);
	if (!database->reachable)
		assert_true(err_is_set(&database->err));
	if (database->reachable)
		assert_string_equal(database->name, "app");
	if (database->reachable && seen->histories[PHASE_SCHEMA] == NULL)
		assert_true(err_is_set(&database->err));
	if (seen->histories[PHASE_SCHEMA] != NULL && database->reachable)
		assert_false(err_is_set(&database->err));
	assert_int_equal(seen->lock.held, seen->lock.holder[0] != '\0');
}

/* It stands for each phase beside the schema. */
static void
take_unread(struct watcher *watcher, const struct observation *seen)
{
	const struct err *err = seen->unread[PHASE_DATA];

	snprintf(
	    watcher->unread, sizeof(watcher->unread), "%s", err ? err->sqlstate : "");
	assert_null(seen->unread[PHASE_SCHEMA]);
	if (seen->histories[PHASE_DATA])
		assert_null(err);
}

static void
on_seen(void *arg, const struct observation *seen)
{
	struct watcher *watcher = arg;
	bool look = watcher->look_in_report;

	assert_non_null(watcher->observer);
	watcher->n_reports++;
	watcher->reported_us = clock_mono_us();
	check_seen(seen);
	take_history(watcher, seen->histories[PHASE_SCHEMA]);
	take_unread(watcher, seen);
	for (size_t i = 0; i < seen->n_runs; i++) {
		watcher->last_run = seen->runs[i]->outcome;
		run_unref(seen->runs[i]);
	}
	watcher->seen = *seen;
	watcher->seen.histories[PHASE_SCHEMA] = NULL;
	watcher->seen.runs = NULL;
	watcher->look_in_report = false;
	if (look)
		observer_look(watcher->observer);
	if (watcher->close_in_report)
		close_observer(watcher);
}

static void
on_tick(uv_timer_t *timer)
{
	(void)timer;
}

void
watcher_begin(struct watcher *watcher)
{
	*watcher = (struct watcher){ .interval_ms = HOUR_MS };
	talloc_enable_null_tracking();
	fakepq_reset();
	watcher->n_blocks = talloc_total_blocks(NULL);
	watcher->params = script_params();
	watcher->folder = script_folder("drizzle");
	script_server();
	script_migrations(watcher->folder);
	assert_int_equal(uv_loop_init(&watcher->loop), 0);
	assert_int_equal(uv_timer_init(&watcher->loop, &watcher->tick), 0);
	assert_int_equal(uv_timer_start(&watcher->tick, on_tick, 5, 5), 0);
}

void
watcher_start(struct watcher *watcher)
{
	watcher->observer = observer_new(
	    &watcher->loop, &watcher->params, watcher->interval_ms, on_seen, watcher);
	assert_int_equal(watcher->n_reports, 0);
}

void
watcher_turn(struct watcher *watcher)
{
	(void)uv_run(&watcher->loop, UV_RUN_ONCE);
	watcher->n_turns++;
}

void
watcher_await_at_least(struct watcher *watcher, unsigned n)
{
	int64_t until_us = clock_mono_us() + PATIENCE_US;

	while (watcher->n_reports < n) {
		assert_true(clock_mono_us() < until_us);
		watcher_turn(watcher);
	}
}

void
watcher_await(struct watcher *watcher, unsigned n)
{
	watcher_await_at_least(watcher, n);
	assert_int_equal(watcher->n_reports, n);
	script_sent(watcher->sent, sizeof(watcher->sent));
}

void
watcher_look(struct watcher *watcher)
{
	unsigned n = watcher->n_reports;

	observer_look(watcher->observer);
	watcher_await(watcher, n + 1);
}

void
watcher_end(struct watcher *watcher)
{
	unsigned n = watcher->n_reports;

	if (watcher->observer)
		close_observer(watcher);
	uv_close((uv_handle_t *)&watcher->tick, NULL);
	assert_int_equal(uv_run(&watcher->loop, UV_RUN_DEFAULT), 0);
	assert_int_equal(uv_loop_close(&watcher->loop), 0);
	assert_int_equal(watcher->n_reports, n);
	assert_int_equal(fakepq_live(), 0);
	folder_unref(watcher->folder);
	assert_int_equal(talloc_total_blocks(NULL), watcher->n_blocks);
	talloc_disable_null_tracking();
}
