/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * A daemon for the tests of http: a folder of three migrations, of which the first
 * `n_applied` are applied, a status made of it by the real plan_build, and api_ops that
 * note what they were asked. A request is made by hand and sent through the same steps
 * that httpd takes, but for the waiting.
 *
 *	struct fake *fake = fake_new();
 *	struct request *request = fake_request(fake, "POST", "/apply");
 *
 *	fake_header(request, "Host", "localhost");
 *	fake_send(request);
 *	assert_int_equal(request->status, 200);
 *	talloc_free(fake);
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bounds.h"
#include "base/clock.h"
#include "base/mem.h"
#include "core/plan.h"
#include "http/api.h"
#include "http/guard.h"
#include "http/json.h"
#include "http/request.h"
#include "http/route.h"

#define FAKE_MIGRATIONS 3u
#define FAKE_TIME_US    INT64_C(1763618292123000) /* 2025-11-20T05:58:12.123Z */

struct fake {
	struct api api;
	struct status status;
	struct folder folder;
	struct history *history;
	struct plan_input input;
	struct run *runs[4];

	unsigned n_refreshes;
	unsigned n_reloads;
	const char *token; /* NULL: none is configured */
	unsigned n_starts;
	bool reload_fails;
	bool start_refuses;
	bool joined;
	int64_t heartbeat_age_us;
	/* of the last run_start */
	enum plan_operation operation;
	char up_to[64];
	char requested_by[64];
	char action[64];
	char reason[64];
	bool force;
	bool only;
	unsigned steps;
	/* of the last run_cancel, and what it answers: 0, 404, 409 */
	char cancelled[64];
	char cancelled_by[64];
	bool cancelled_now;
	int cancel_refuses;
	struct run *run; /* what run_start gives; a reference of ours */
};

static int64_t fake_mono_us;

static inline int64_t
fake_now(void)
{
	return fake_mono_us;
}

static inline const struct status *
fake_status(void *app)
{
	return &((struct fake *)app)->status;
}

static inline struct run *
fake_run_start(void *app, const struct run_request *wanted, bool *joined, struct err *err)
{
	struct fake *fake = app;

	fake->n_starts++;
	fake->operation = wanted->operation;
	fake->force = wanted->force;
	snprintf(
	    fake->up_to, sizeof(fake->up_to), "%s", wanted->up_to ? wanted->up_to : "");
	snprintf(
	    fake->requested_by, sizeof(fake->requested_by), "%s", wanted->requested_by);
	fake->only = wanted->only;
	fake->steps = wanted->steps;
	snprintf(fake->reason, sizeof(fake->reason), "%s",
	    wanted->reason ? wanted->reason : "");
	snprintf(fake->action, sizeof(fake->action), "%s",
	    wanted->action ? wanted->action : "");
	if (fake->start_refuses) {
		err_set(err, CAT_CANCELLED, "another run is in progress");
		err->http_status = 409;
		return NULL;
	}
	*joined = fake->joined;
	return run_ref(fake->run);
}

static inline void
fake_look_ahead(
    void *app, const struct run_request *wanted, const void *ctx, struct outlook *outlook)
{
	struct fake *fake = app;
	struct plan_input input = fake->input;

	input.operation = wanted->operation;
	input.target = wanted->up_to;
	input.steps = wanted->steps;
	input.only = wanted->only;
	input.force = wanted->force;
	*outlook = (struct outlook){ 0 };
	for (unsigned p = 0; p < PHASE_COUNT; p++)
		if (fake->status.phases[p].folder != NULL &&
		    phase_is_asked(wanted->phases, p))
			outlook->plans[p] = plan_build(ctx, &input);
}

/* Data migrations, whose table cannot be read for that. */
static inline void
fake_unread_data(struct fake *fake, struct err *err)
{
	struct plan_input unknown = { .folder = &fake->folder };

	err_set(err, CAT_PERMISSION_DENIED, "permission denied for table d");
	err_hint(err, "let its owner grant it");
	fake->status.phases[PHASE_DATA] = (struct status_phase){
		.folder = &fake->folder,
		.plan = plan_build(fake, &unknown),
		.unread = err,
	};
}

/* What an apply would do, up to that one (NULL: all). */
static inline struct outlook
fake_outlook(struct fake *fake, const char *up_to)
{
	struct run_request wanted = { .operation = PLAN_APPLY, .up_to = up_to };
	struct outlook outlook;

	fake_look_ahead(fake, &wanted, fake, &outlook);
	return outlook;
}

static inline json_t *
fake_plan_document(struct fake *fake, const char *up_to)
{
	struct run_request wanted = { .operation = PLAN_APPLY, .up_to = up_to };
	struct outlook outlook = fake_outlook(fake, up_to);

	return json_plan(&fake->status, &wanted, &outlook);
}

static inline struct run *
fake_run_cancel(void *app, const char *id, bool now, const char *peer, struct err *err)
{
	struct fake *fake = app;

	snprintf(fake->cancelled, sizeof(fake->cancelled), "%s", id);
	snprintf(fake->cancelled_by, sizeof(fake->cancelled_by), "%s", peer);
	fake->cancelled_now = now;
	if (fake->cancel_refuses) {
		err_set(err, CAT_CANCELLED, "the run is over");
		err->http_status = fake->cancel_refuses;
		return NULL;
	}
	return run_ref(fake->run);
}

static inline void
fake_refresh(void *app)
{
	((struct fake *)app)->n_refreshes++;
}

static inline int
fake_reload(void *app, struct err *err)
{
	struct fake *fake = app;

	fake->n_reloads++;
	if (fake->reload_fails)
		return err_set(err, CAT_CONFIGURATION, "lock_wait is no duration");
	return 0;
}

static inline struct api_setting *
fake_settings(void *app, const void *ctx, size_t *n)
{
	struct api_setting *settings = mem_array(ctx, struct api_setting, 2);

	(void)app;
	settings[0] = (struct api_setting){ "layout", "drizzle", "flag", false };
	settings[1] =
	    (struct api_setting){ "database_url", "postgresql://***", "file:3", true };
	*n = 2;
	return settings;
}

static inline int64_t
fake_heartbeat(void *app)
{
	return ((struct fake *)app)->heartbeat_age_us;
}

static inline const char *
fake_token(void *app)
{
	return ((struct fake *)app)->token;
}

static const struct api_ops fake_ops = {
	.status = fake_status,
	.run_start = fake_run_start,
	.look_ahead = fake_look_ahead,
	.run_cancel = fake_run_cancel,
	.refresh = fake_refresh,
	.reload = fake_reload,
	.settings = fake_settings,
	.token = fake_token,
	.heartbeat_age_us = fake_heartbeat,
};

static inline struct migration *
fake_migration(struct fake *fake, const char *id, size_t position)
{
	struct migration *m = mem_zero(fake, struct migration);

	m->id = id;
	m->version = mem_printf(m, "%04zu", position);
	m->name = id + strlen("0000_");
	m->file = mem_printf(m, "%s.sql", id);
	m->order = (int64_t)position;
	m->position = position;
	migration_set_text(m, m, "SELECT 1;", strlen("SELECT 1;"), NULL);
	return m;
}

/* Plan again, after a change of history or policy. */
static inline void
fake_plan(struct fake *fake)
{
	fake->input.folder = &fake->folder;
	fake->input.history = fake->history;
	fake->status.plan = plan_build(fake, &fake->input);
}

static inline void
fake_set_applied(struct fake *fake, size_t n)
{
	fake->history = history_new(fake, HISTORY_BY_VERSION);
	fake->history->table_exists = true;
	for (size_t i = 0; i < n; i++) {
		const struct migration *m = fake->folder.migrations[i];
		struct history_row row = {
			.key = m->version,
			.name = m->name,
			.has_order = true,
			.order = m->order,
			.applied_at_us = FAKE_TIME_US,
		};

		history_add(fake->history, &row);
	}
	fake_plan(fake);
}

static inline int
fake_free(struct fake *fake)
{
	if (fake->run)
		run_unref(fake->run);
	return 0;
}

static inline struct fake *
fake_new(void)
{
	static const char *const ids[FAKE_MIGRATIONS] = { "0000_users", "0001_files",
		"0002_more" };
	static const struct layout layout = { .name = "sequence",
		.remedy = "renumber it" };
	struct fake *fake = mem_zero(NULL, struct fake);

	fake_mono_us = 5000000;
	talloc_set_destructor(fake, fake_free);
	fake->folder = (struct folder){
		.refs = 1,
		.path = mem_strdup(fake, "/srv/migrations"),
		.layout = &layout,
		.scanned_at_us = FAKE_TIME_US,
		.device = 1,
		.inode = 2,
	};
	fake->folder.migrations = mem_array(fake, struct migration *, FAKE_MIGRATIONS);
	for (size_t i = 0; i < FAKE_MIGRATIONS; i++)
		fake->folder.migrations[i] = fake_migration(fake, ids[i], i);
	fake->folder.n_migrations = FAKE_MIGRATIONS;
	fake->status = (struct status){
		.target = "default",
		.folder = &fake->folder,
		.phases[PHASE_SCHEMA].folder = &fake->folder,
		.database = { .looked = true,
		    .reachable = true,
		    .name = "orders",
		    .server_version = "15.20",
		    .engine = "postgresql",
		    .refreshed_at_us = clock_now_us() },
		.tracking = { .kind = "schema_migrations",
		    .table = "public.schema_migrations",
		    .exists = true },
	};
	fake_set_applied(fake, 1);
	fake->api = (struct api){
		.ops = &fake_ops,
		.app = fake,
		.metrics = metrics_new(fake, FAKE_TIME_US),
		.now_mono_us = fake_now,
	};
	return fake;
}

/* A run that has begun; the fake's own reference, also in the list of runs. */
static inline struct run *
fake_start_run(struct fake *fake, enum plan_operation operation)
{
	struct run_request wanted = { .operation = operation,
		.requested_by = "http 127.0.0.1" };

	if (fake->run)
		run_unref(fake->run);
	fake->run = run_new(&wanted, "default", FAKE_TIME_US, fake_mono_us);
	fake->run->n_planned = 2;
	fake->runs[0] = fake->run;
	fake->status.runs = fake->runs;
	fake->status.n_runs = 1;
	fake->status.run = fake->run;
	return fake->run;
}

/* It ends: well when `err` is NULL. */
static inline void
fake_end_run(struct fake *fake, const struct err *err)
{
	struct run *run = fake->run;

	if (err)
		run->err = *err;
	else
		run_add_applied(run, fake->folder.migrations[1], 412000);
	run_conclude(run, false, FAKE_TIME_US + 2600000, fake_mono_us + 2600000);
	run_set_state(run, RUN_DONE);
	fake->status.run = NULL;
	fake->status.last_run = run;
}

/* ---- requests ---- */

static inline struct request *
fake_request(struct fake *fake, const char *method, const char *target)
{
	struct listener_facts tcp = { 0 };
	struct request *request = request_new(fake, &fake->api, &tcp);

	request_set_method(request, method);
	request->target = target;
	request->target_len = strlen(target);
	request->version = "HTTP/1.1";
	snprintf(request->peer, sizeof(request->peer), "127.0.0.1");
	return request;
}

static inline void
fake_header(struct request *request, const char *name, const char *value)
{
	request->headers = mem_grow(
	    request, request->headers, struct request_header, request->n_headers + 1);
	request->headers[request->n_headers++] =
	    (struct request_header){ .name = name, .value = value };
}

static inline void
fake_body(struct request *request, const char *body)
{
	fake_header(request, "Content-Type", "application/json");
	text_add(&request->body, body);
}

/* What httpd does with it. The request may be parked afterwards. */
static inline void
fake_send(struct request *request)
{
	if (request_count_headers(request, "Host") == 0)
		fake_header(request, "Host", "localhost:8432");
	if (route_parse_target(request) < 0 ||
	    guard_check_head(request, &request->api->guard) < 0)
		return;
	request->state = REQUEST_READY;
	route_dispatch(request);
}

static inline const char *
fake_reply_header(const struct request *request, const char *name)
{
	for (size_t i = 0; i < request->n_reply_headers; i++) {
		if (strcmp(request->reply_headers[i].name, name) == 0)
			return request->reply_headers[i].value;
	}
	return NULL;
}

/* The reply as JSON, which it must be; the caller's reference. */
static inline json_t *
fake_json(const struct request *request)
{
	json_t *document;

	assert_int_equal(request->state, REQUEST_REPLIED);
	assert_non_null(strstr(request->content_type, "json"));
	document =
	    json_loadb(request->reply, request->reply_len, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(document);
	return document;
}

/*
 * A member of the document by a path such as "database.name"; "" when it is not there
 * or no string.
 */
static inline const char *
fake_text(const json_t *document, const char *path)
{
	const char *dot = strchr(path, '.');
	char name[64];

	if (!dot) {
		const char *value = json_string_value(json_object_get(document, path));

		return value ? value : "";
	}
	snprintf(name, sizeof(name), "%.*s", (int)(dot - path), path);
	return fake_text(json_object_get(document, name), dot + 1);
}

/* GET (or what `method` says) and the status of the answer. */
static inline unsigned
fake_status_of(struct fake *fake, const char *method, const char *target)
{
	struct request *request = fake_request(fake, method, target);
	unsigned status;

	fake_send(request);
	status = request->status;
	talloc_free(request);
	return status;
}
