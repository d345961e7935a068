/* SPDX-License-Identifier: PostgreSQL */
#include <stddef.h>
#include <string.h>

#include "core/run_wait.h"
#include "http/metrics_emit.h"

/* ---- gauges made from the status ---- */

static double
oldest_pending_seconds(const struct status *status)
{
	return (double)status->oldest_pending_seen_us / 1e6;
}

static double
run_in_progress(const struct status *status)
{
	return status->run != NULL;
}

static double
run_start_seconds(const struct status *status)
{
	return status->run ? (double)status->run->started_at_us / 1e6 : 0;
}

static double
run_progress(const struct status *status)
{
	const struct run *run = status->run;
	double part = 0; /* of the migration in hand */

	if (!run || run->n_planned == 0)
		return 0;
	if (run_progress_now(run) && run_progress_now(run)->percent > 0)
		part = run_progress_now(run)->percent / 100;
	return ((double)run->n_applied + part) / (double)run->n_planned;
}

static double
batch_rows(const struct status *status)
{
	return status->run && status->run->batch.on ? (double)status->run->batch.rows : 0;
}

static double
batch_rows_total(const struct status *status)
{
	return status->run && status->run->batch.on && status->run->batch.total > 0
	    ? (double)status->run->batch.total
	    : 0;
}

static double
batch_held(const struct status *status)
{
	return status->run && status->run->batch.on && status->run->batch.held[0];
}

static double
run_blockers(const struct status *status)
{
	return status->run ? status->run->n_blockers : 0;
}

static double
run_queued(const struct status *status)
{
	return status->run ? status->run->n_queued : 0;
}

static double
lock_held(const struct status *status)
{
	return status->lock.held && status->lock.ours;
}

static double
lock_held_elsewhere(const struct status *status)
{
	return status->lock.held && !status->lock.ours;
}

static double
lock_waiters(const struct status *status)
{
	return status->run && status->run->state == RUN_LOCK ? status->run->callers : 0;
}

static double
database_up(const struct status *status)
{
	return status->database.reachable;
}

static double
database_refresh_seconds(const struct status *status)
{
	return (double)status->database.refreshed_at_us / 1e6;
}

static double
directory_up(const struct status *status)
{
	return status->folder->device != 0 || status->folder->inode != 0;
}

static double
directory_scan_seconds(const struct status *status)
{
	return (double)status->folder->scanned_at_us / 1e6;
}

/* ---- the families ---- */

#define FIELD(field)   offsetof(struct metrics, field)
#define PROCESS(field) offsetof(struct metrics_process, field)

static const struct metrics_family families[] = {
	/* clang-format off */
	{ "migrationd_build_info", "gauge",
	  metrics_emit_build, 0, NULL,
	  "A metric with a constant '1' value labeled by version and the linked "
	  "libraries." },
	{ "migrationd_config_last_reload_successful", "gauge",
	  metrics_emit_flag, FIELD(config_reload_ok), NULL,
	  "Whether the last configuration reload attempt was successful." },
	{ "migrationd_config_last_reload_success_timestamp_seconds", "gauge",
	  metrics_emit_seconds, FIELD(config_reload_at_us), NULL,
	  "Timestamp of the last successful configuration reload." },
	{ "migrationd_migrations", "gauge",
	  metrics_emit_states, 0, NULL,
	  "Migrations known to the daemon, by state; the states are exclusive." },
	{ "migrationd_phase_migrations", "gauge",
	  metrics_emit_phase_states, 0, NULL,
	  "What the folders of all phases hold, by phase and state." },
	{ "migrationd_phase_failures_total", "counter",
	  metrics_emit_phases, FIELD(phase_failures), NULL,
	  "Migrations that failed, by phase, whether that ended the run or not." },
	{ "migrationd_schema_version_info", "gauge",
	  metrics_emit_schema_version, 0, NULL,
	  "The newest applied migration, as labels; always 1." },
	{ "migrationd_last_applied_timestamp_seconds", "gauge",
	  metrics_emit_last_applied, 0, NULL,
	  "When the newest migration was applied, where the tracking table or a run of "
	  "this process tells." },
	{ "migrationd_oldest_pending_timestamp_seconds", "gauge",
	  metrics_emit_value, 0, oldest_pending_seconds,
	  "When the oldest pending migration was first seen by this daemon; 0 when "
	  "none is pending." },
	{ "migrationd_runs_total", "counter",
	  metrics_emit_operations, FIELD(runs), NULL,
	  "Runs finished, whatever the outcome." },
	{ "migrationd_run_failures_total", "counter",
	  metrics_emit_operations, FIELD(run_failures), NULL,
	  "Runs that did not succeed." },
	{ "migrationd_errors_total", "counter",
	  metrics_emit_categories, FIELD(errors), NULL,
	  "Errors of runs by category; the categories are a closed list." },
	{ "migrationd_migrations_applied_total", "counter",
	  metrics_emit_count, FIELD(migrations_applied), NULL,
	  "Migrations applied by this process." },
	{ "migrationd_statements_executed_total", "counter",
	  metrics_emit_count, FIELD(statements), NULL,
	  "SQL texts sent by this process on behalf of migrations." },
	{ "migrationd_run_duration_seconds", "histogram",
	  metrics_emit_apply_histogram, FIELD(run_duration), NULL,
	  "Wall time of a finished run, lock wait included." },
	{ "migrationd_migration_duration_seconds", "histogram",
	  metrics_emit_histogram, FIELD(migration_duration), NULL,
	  "Wall time of one migration." },
	{ "migrationd_last_run_success", "gauge",
	  metrics_emit_flag, FIELD(last_run_ok), NULL,
	  "Whether the last finished run succeeded (1) or failed (0)." },
	{ "migrationd_last_run_timestamp_seconds", "gauge",
	  metrics_emit_seconds, FIELD(last_run_at_us), NULL,
	  "When the last run finished; 0 when none has." },
	{ "migrationd_last_run_success_timestamp_seconds", "gauge",
	  metrics_emit_seconds, FIELD(last_run_ok_at_us), NULL,
	  "When a run last finished successfully; 0 when none has." },
	{ "migrationd_last_run_duration_seconds", "gauge",
	  metrics_emit_seconds, FIELD(last_run_duration_us), NULL,
	  "Duration of the last finished run." },
	{ "migrationd_last_run_migrations", "gauge",
	  metrics_emit_count, FIELD(last_run_migrations), NULL,
	  "Migrations applied or recorded by the last finished run." },
	{ "migrationd_run_in_progress", "gauge",
	  metrics_emit_value, 0, run_in_progress,
	  "Whether this daemon is executing a run." },
	{ "migrationd_run_start_timestamp_seconds", "gauge",
	  metrics_emit_value, 0, run_start_seconds,
	  "When the run in progress started; 0 when none is." },
	{ "migrationd_run_progress_ratio", "gauge",
	  metrics_emit_value, 0, run_progress,
	  "Finished migrations over all migrations of the run in progress, and of the "
	  "one in hand what the server says of its statement; 0 when none is." },
	{ "migrationd_batch_rows", "gauge",
	  metrics_emit_value, 0, batch_rows,
	  "Rows that the backfill in hand has touched, by batches that are committed." },
	{ "migrationd_batch_rows_expected", "gauge",
	  metrics_emit_value, 0, batch_rows_total,
	  "Rows that it has to touch, as its batch-count told; 0 when it is not known." },
	{ "migrationd_batch_held", "gauge",
	  metrics_emit_value, 0, batch_held,
	  "Whether its next batch waits for replicas or load." },
	{ "migrationd_run_blockers", "gauge",
	  metrics_emit_value, 0, run_blockers,
	  "Sessions that the statement in progress waits for, at the last look." },
	{ "migrationd_run_queued_sessions", "gauge",
	  metrics_emit_value, 0, run_queued,
	  "Sessions that wait for locks of the run in progress, at the last look." },
	{ "migrationd_lock_held", "gauge",
	  metrics_emit_value, 0, lock_held,
	  "Whether this daemon holds the advisory lock." },
	{ "migrationd_lock_held_elsewhere", "gauge",
	  metrics_emit_value, 0, lock_held_elsewhere,
	  "Whether another session holds the advisory lock, at the last look." },
	{ "migrationd_lock_waiters", "gauge",
	  metrics_emit_value, 0, lock_waiters,
	  "Requests of this daemon waiting for the advisory lock." },
	{ "migrationd_lock_wait_seconds", "histogram",
	  metrics_emit_histogram, FIELD(lock_wait), NULL,
	  "Time that runs spent waiting for the advisory lock." },
	{ "migrationd_database_up", "gauge",
	  metrics_emit_value, 0, database_up,
	  "Whether the last check could connect to the server (1 for yes, 0 for no)." },
	{ "migrationd_database_connects_total", "counter",
	  metrics_emit_count, FIELD(connects), NULL,
	  "Connection attempts to the server." },
	{ "migrationd_database_connect_failures_total", "counter",
	  metrics_emit_count, FIELD(connect_failures), NULL,
	  "Connection attempts to the server that failed." },
	{ "migrationd_database_last_refresh_timestamp_seconds", "gauge",
	  metrics_emit_value, 0, database_refresh_seconds,
	  "When the tracking table was last read; a scrape never queries the "
	  "database." },
	{ "migrationd_directory_up", "gauge",
	  metrics_emit_value, 0, directory_up,
	  "Whether the migrations directory could be read at the last scan." },
	{ "migrationd_directory_scans_total", "counter",
	  metrics_emit_scans, FIELD(scans), NULL,
	  "Scans of the migrations directory, by what caused them." },
	{ "migrationd_directory_last_scan_timestamp_seconds", "gauge",
	  metrics_emit_value, 0, directory_scan_seconds,
	  "When the migrations directory was last scanned." },
	{ "migrationd_directory_last_scan_duration_seconds", "gauge",
	  metrics_emit_seconds, FIELD(scan_duration_us), NULL,
	  "Duration of the last scan of the migrations directory." },
	{ "migrationd_hooks_total", "counter",
	  metrics_emit_hooks, FIELD(hooks), NULL,
	  "Hooks run, or dropped because too many waited." },
	{ "migrationd_hook_failures_total", "counter",
	  metrics_emit_hooks, FIELD(hook_failures), NULL,
	  "Hooks that did not succeed." },
	{ "migrationd_notifications_total", "counter",
	  metrics_emit_count, FIELD(notifications), NULL,
	  "Webhook deliveries attempted." },
	{ "migrationd_notification_failures_total", "counter",
	  metrics_emit_count, FIELD(notification_failures), NULL,
	  "Webhook deliveries given up." },
	{ "migrationd_notifications_waiting", "gauge",
	  metrics_emit_count, FIELD(notifications_waiting), NULL,
	  "Webhook deliveries under way, or waiting for another try." },
	{ "migrationd_http_requests_total", "counter",
	  metrics_emit_requests, 0, NULL,
	  "HTTP requests answered, by route template, method and status code." },
	{ "migrationd_http_request_duration_seconds", "histogram",
	  metrics_emit_route_histograms, 0, NULL,
	  "Time to answer an HTTP request; those that wait for a run are left out." },
	{ "migrationd_http_requests_in_flight", "gauge",
	  metrics_emit_count, FIELD(requests_in_flight), NULL,
	  "HTTP requests being answered." },
	{ "migrationd_event_loop_lag_seconds", "gauge",
	  metrics_emit_seconds, FIELD(loop_lag_us), NULL,
	  "How late the event loop ran its last heartbeat timer." },
	{ "migrationd_log_messages_total", "counter",
	  metrics_emit_log_levels, 0, NULL,
	  "Log messages, by level." },
	{ "migrationd_log_messages_dropped_total", "counter",
	  metrics_emit_log_dropped, 0, NULL,
	  "Log messages that nobody read, or not soon enough." },
	{ "process_cpu_seconds_total", "counter",
	  metrics_emit_process, PROCESS(cpu_seconds), NULL,
	  "Total user and system CPU time spent in seconds." },
	{ "process_open_fds", "gauge",
	  metrics_emit_process, PROCESS(open_fds), NULL,
	  "Number of open file descriptors." },
	{ "process_max_fds", "gauge",
	  metrics_emit_process, PROCESS(max_fds), NULL,
	  "Maximum number of open file descriptors." },
	{ "process_virtual_memory_bytes", "gauge",
	  metrics_emit_process, PROCESS(virtual_bytes), NULL,
	  "Virtual memory size in bytes." },
	{ "process_virtual_memory_max_bytes", "gauge",
	  metrics_emit_process, PROCESS(virtual_max_bytes), NULL,
	  "Maximum amount of virtual memory available in bytes." },
	{ "process_resident_memory_bytes", "gauge",
	  metrics_emit_process, PROCESS(resident_bytes), NULL,
	  "Resident memory size in bytes." },
	{ "process_start_time_seconds", "gauge",
	  metrics_emit_seconds, FIELD(started_at_us), NULL,
	  "Start time of the process since unix epoch in seconds." },
	{ "process_threads", "gauge",
	  metrics_emit_process, PROCESS(threads), NULL,
	  "Number of OS threads in the process." },
	/* clang-format on */
};

/* OpenMetrics names a counter's family without the suffix that its samples have. */
static int
family_name_len(const struct metrics_family *family, bool openmetrics)
{
	size_t len = strlen(family->name);

	if (openmetrics && strcmp(family->type, "counter") == 0)
		len -= strlen("_total");
	return (int)len;
}

void
metrics_render(struct text *out, const struct metrics *metrics,
    const struct status *status, bool openmetrics)
{
	struct metrics_view view = { .out = out, .metrics = metrics, .status = status };

	metrics_measure_process(&view.process);
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		const struct metrics_family *family = &families[i];
		int len = family_name_len(family, openmetrics);

		text_addf(out, "# HELP %.*s %s\n", len, family->name, family->help);
		text_addf(out, "# TYPE %.*s %s\n", len, family->name, family->type);
		family->emit(&view, family);
	}
	if (openmetrics)
		text_add(out, "# EOF\n");
}
