/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * What the HTTP layer needs from the daemon, as functions: http never includes db, and
 * the whole API can be tested with a made-up struct.
 */

#include <stdbool.h>
#include <stdint.h>

#include "core/check_reading.h"
#include "core/status.h"
#include "http/auth.h"
#include "http/guard.h"
#include "http/metrics.h"

struct request;

/* One line of /config. */
struct api_setting {
	const char *name;
	const char *value;  /* masked where secret */
	const char *origin; /* "default", "file:12", "env MIGRATIOND_LAYOUT", "flag" */
	bool reloadable;
};

struct api_ops {
	/* The present status of the target. Valid until the loop turns. */
	const struct status *(*status)(void *app);
	/*
	 * Start a run, or join the one in progress (`*joined`); where that one comes too
	 * early for what is there now, the one behind it. One reference is the caller's.
	 * NULL with err: another kind of run is in progress (409, its id in the text),
	 * stopping (503).
	 */
	struct run *(*run_start)(
	    void *app, const struct run_request *request, bool *joined, struct err *err);
	/* What a run of that request would do, by what is known now; owned by `ctx`. */
	void (*look_ahead)(void *app, const struct run_request *request, const void *ctx,
	    struct outlook *outlook);
	/*
	 * End the run in progress of that id: after the migration in hand, or `now`. One
	 * reference is the caller's. NULL with err: no such run (404), or not in progress
	 * here (409). `peer` is who asks.
	 */
	struct run *(*run_cancel)(
	    void *app, const char *id, bool now, const char *peer, struct err *err);
	/*
	 * Ask for a fresh look at database and folder;
	 * status()->database.refreshed_at_us moves when it came back.
	 */
	void (*refresh)(void *app);
	/* Reload the configuration; all or nothing. */
	int (*reload)(void *app, struct err *err);
	/* All settings; owned by ctx. */
	struct api_setting *(*settings)(void *app, const void *ctx, size_t *n);
	/* The token that writes need now; NULL: none is configured. Until the next call. */
	const char *(*token)(void *app);
	/* Age of the loop's heartbeat in microseconds. */
	int64_t (*heartbeat_age_us)(void *app);
};

struct api {
	const struct api_ops *ops;
	void *app;
	struct metrics *metrics;
	struct guard_policy guard;
	int64_t (*now_mono_us)(void);

	/* Kept by http. */
	unsigned parked; /* requests that wait */
	struct auth_failures auth_failures[AUTH_ADDRESSES];
	struct check_reading *reading; /* for checks; NULL: none was asked for yet */
};

/*
 * Once in each turn of the loop, before parked requests are asked: go on with what checks wait
 * for. True: there is more, do not sleep.
 */
bool api_check_turn(struct api *api);

/* Handlers, by file. */
void api_get_root(struct request *request); /* api_read.c */
void api_get_status(struct request *request);
void api_get_migrations(struct request *request);
void api_get_migration(struct request *request);
void api_get_plan(struct request *request);
/* The answer of /plan and of a dry run. */
void api_reply_plan(struct request *request, struct run_request *wanted);
/*
 * Each phase that is asked for has a folder; and where the run is to end at a migration,
 * there is but one. -1: refused.
 */
int api_check_phases(struct request *request, struct run_request *wanted) MUST_CHECK;
void api_get_check(struct request *request); /* api_check.c */
void api_get_runs(struct request *request);
void api_get_run(struct request *request);
void api_get_config(struct request *request);
void api_get_version(struct request *request);
void api_get_livez(struct request *request); /* api_probe.c */
void api_get_readyz(struct request *request);
void api_get_current(struct request *request);
void api_get_metrics(struct request *request);
void api_get_wait(struct request *request);   /* api_wait.c */
void api_post_apply(struct request *request); /* api_write.c */
void api_post_baseline(struct request *request);
void api_post_rollback(struct request *request);
void api_post_cancel(struct request *request);
void api_post_repair(struct request *request);
void api_post_reload(struct request *request);
