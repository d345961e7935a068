/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/bounds.h"
#include "base/mem.h"
#include "core/repair.h"
#include "http/api.h"
#include "http/body.h"
#include "http/json.h"
#include "http/plain.h"
#include "http/request.h"

#define WAIT_SECONDS_MAX 86400l
#define WAIT_FOR_EVER    (-1)

/* ---- how long the caller waits ---- */

struct patience {
	bool is_async;     /* 202 instead of waiting on */
	long wait_seconds; /* WAIT_FOR_EVER: until the run has ended */
};

/* Seconds from decimal digits, at most a day; WAIT_FOR_EVER when it is no number. */
static long
parse_seconds(const char *s)
{
	size_t digits = strspn(s, "0123456789");
	long seconds = digits > 0 && digits < 10 ? strtol(s, NULL, 10) : WAIT_FOR_EVER;

	return seconds < WAIT_SECONDS_MAX ? seconds : WAIT_SECONDS_MAX;
}

/*
 * Prefer: respond-async, wait=30 (RFC 7240 section 4). What is not understood is left
 * alone, as it says.
 */
static void
read_prefer(const char *value, struct patience *patience)
{
	for (const char *p = value; *p; p += *p == ',' || *p == ';') {
		size_t len;

		p += strspn(p, " \t");
		len = strcspn(p, ",; \t");
		if (len == strlen("respond-async") &&
		    strncasecmp(p, "respond-async", len) == 0)
			patience->is_async = true;
		if (strncasecmp(p, "wait=", 5) == 0)
			patience->wait_seconds = parse_seconds(p + 5 + (p[5] == '"'));
		p += strcspn(p, ",;");
	}
}

/*
 * The headers, and their twins in the query: shells make quoting of headers easy to
 * forget.
 */
static int
read_patience(struct request *request, struct patience *patience)
{
	const char *wait = request_query(request, "wait");
	const char *is_async = request_query(request, "async");

	*patience = (struct patience){ .wait_seconds = WAIT_FOR_EVER };
	for (size_t i = 0; i < request->n_headers; i++) {
		if (strcasecmp(request->headers[i].name, "Prefer") == 0)
			read_prefer(request->headers[i].value, patience);
	}
	if (is_async)
		patience->is_async = strcmp(is_async, "0") != 0;
	if (wait)
		patience->wait_seconds = parse_seconds(wait);
	if (wait &&
	    (patience->wait_seconds < 0 || wait[strspn(wait, "0123456789")] != '\0'))
		return request_refuse(
		    request, 400, CAT_CONFIGURATION, NULL, "wait is a number of seconds");
	if (patience->is_async && patience->wait_seconds < 0)
		patience->wait_seconds = 0;
	request->is_async = patience->is_async;
	return 0;
}

/* ---- answers ---- */

static void
add_location(struct request *request, const char *run_id)
{
	char path[sizeof("/runs/") + UUID_TEXT];

	snprintf(path, sizeof(path), "/runs/%s", run_id);
	request_add_header(request, "Location", path);
}

static void
reply_run_document(struct request *request, unsigned code)
{
	struct text out;

	if (!request_wants_text(request)) {
		request_reply_json(
		    request, code, json_run(request->run, request->joined));
		return;
	}
	text_init(&out, request, BOUND_REPLY_BYTES);
	plain_run(&out, request->run);
	request_reply_text(request, code, "text/plain; charset=utf-8", &out);
}

/*
 * The run has ended. A cancelled one is worth another try elsewhere or later when it
 * was our stop that ended it.
 */
static void
reply_outcome(struct request *request)
{
	const struct run *run = request->run;
	const struct status *status = request->api->ops->status(request->api->app);
	unsigned code = (unsigned)err_http_status(&run->err);

	if (run->outcome == RUN_SUCCEEDED) {
		reply_run_document(request, 200);
		return;
	}
	if (run->outcome == RUN_CANCELLED && status->stopping)
		code = 503;
	request_reply_problem_json(
	    request, code, &run->err, json_run_problem(run, request->joined, code));
}

/* The caller's patience is over, the run goes on. */
static void
reply_in_progress(struct request *request)
{
	const struct run *run = request->run;
	struct err err = { .http_status = 503 };

	add_location(request, run->id);
	if (request->is_async) {
		request_add_header(request, "Retry-After", REQUEST_RETRY_SECONDS);
		request_add_header(request, "Preference-Applied", "respond-async");
		reply_run_document(request, 202);
		return;
	}
	snprintf(err.text, sizeof(err.text), "the run is still in progress: %s",
	    run_state_sentence(run->state));
	snprintf(err.hint, sizeof(err.hint), "ask again to wait on, or see GET /runs/%s",
	    run->id);
	request_reply_problem_json(
	    request, 503, &err, json_run_problem(run, request->joined, 503));
}

static bool
is_run_done(struct request *request)
{
	return run_is_done(request->run);
}

static void
resume_run(struct request *request)
{
	if (is_run_done(request))
		reply_outcome(request);
	else
		reply_in_progress(request);
}

/* ---- the routes ---- */

/* Start a run or join the one in progress, and wait for it as the caller likes. */
static void
run_and_wait(struct request *request, struct run_request *wanted)
{
	struct api *api = request->api;
	struct patience patience;
	struct err err = { 0 };

	if (read_patience(request, &patience) < 0)
		return;
	/* nobody who does not wait takes a place among those who do */
	if (patience.wait_seconds != 0 && api->parked >= BOUND_PARKED_REQUESTS) {
		request_refuse(request, 429, CAT_NONE,
		    "try again, or use Prefer: respond-async",
		    "%u requests are waiting already", api->parked);
		return;
	}
	wanted->requested_by = mem_printf(
	    request, "%s%s", request->listener.is_local ? "" : "http ", request->peer);
	request->run = api->ops->run_start(api->app, wanted, &request->joined, &err);
	if (!request->run) {
		const struct run *other = api->ops->status(api->app)->run;

		if (other)
			add_location(request, other->id);
		request_reply_problem(request, 0, &err);
		return;
	}
	if (is_run_done(request) || patience.wait_seconds == 0)
		resume_run(request);
	else if (patience.wait_seconds < 0)
		request_park(request, is_run_done, resume_run, 0);
	else
		request_park(request, is_run_done, resume_run,
		    (int64_t)patience.wait_seconds * 1000);
}

int
api_check_phases(struct request *request, struct run_request *wanted)
{
	const struct status *status = request->api->ops->status(request->api->app);

	for (unsigned p = PHASE_SCHEMA + 1; p < PHASE_COUNT; p++) {
		if ((wanted->phases & PHASE_BIT(p)) && !status->phases[p].folder)
			return request_refuse(request, 409, CAT_CONFIGURATION,
			    "name its folder in the configuration",
			    "phase %s is not configured", phase_name(p));
	}
	if (!wanted->up_to)
		return 0;
	if (wanted->phases == 0) /* what is behind the schema needs all of it */
		wanted->phases = PHASE_BIT(PHASE_SCHEMA);
	if ((wanted->phases & (wanted->phases - 1)) == 0)
		return 0;
	return request_refuse(request, 400, CAT_CONFIGURATION, "name one phase",
	    "a migration where the run ends goes with one phase only");
}

static void
run_or_show(struct request *request, struct run_request *wanted, bool dry_run)
{
	if (dry_run)
		api_reply_plan(request, wanted);
	else if (api_check_phases(request, wanted) == 0)
		run_and_wait(request, wanted);
}

void
api_post_apply(struct request *request)
{
	struct run_request wanted = { .operation = PLAN_APPLY };
	struct body body;

	if (body_parse(request, BODY_OF_APPLY, &body) < 0)
		return;
	wanted.up_to = body.target;
	wanted.phases = body.phases;
	run_or_show(request, &wanted, body.dry_run);
}

void
api_post_baseline(struct request *request)
{
	struct run_request wanted = { .operation = PLAN_BASELINE };
	struct body body;

	if (body_parse(request, BODY_OF_BASELINE, &body) < 0)
		return;
	if ((body.target != NULL) + (body.version != NULL) + body.all != 1) {
		request_refuse(request, 400, CAT_CONFIGURATION,
		    "send {\"target\": \"0009\"} for all up to that one, or {\"all\": true}",
		    "a baseline needs exactly one of target, version and all");
		return;
	}
	wanted.up_to = body.target ? body.target : body.version;
	wanted.force = body.force;
	wanted.reason = body.reason;
	/* of the others it has to be asked for by name */
	wanted.phases = body.phases ? body.phases : PHASE_BIT(PHASE_SCHEMA);
	wanted.verify = body.verify;
	if (body.verify && (body.dry_run || wanted.phases != PHASE_BIT(PHASE_SCHEMA))) {
		request_refuse(request, 400, CAT_CONFIGURATION,
		    "without dry_run and phases it verifies, and records if all is well",
		    "verify is for a baseline of the schema that is no dry run");
		return;
	}
	run_or_show(request, &wanted, body.dry_run);
}

void
api_post_rollback(struct request *request)
{
	struct run_request wanted = { .operation = PLAN_ROLLBACK,
		.phases = PHASE_BIT(PHASE_SCHEMA) };
	struct body body;

	if (body_parse(request, BODY_OF_ROLLBACK, &body) < 0)
		return;
	if ((body.to != NULL) + (body.steps > 0) + (body.migration != NULL) + body.all !=
	    1) {
		request_refuse(request, 400, CAT_CONFIGURATION,
		    "send {\"to\": \"0009\"} to undo what is newer than that one, "
		    "{\"steps\": 1}, {\"migration\": \"0010\"} if it is the newest, or "
		    "{\"all\": true}",
		    "a rollback needs exactly one of to, steps, migration and all");
		return;
	}
	wanted.up_to = body.to ? body.to : body.migration;
	wanted.only = body.migration != NULL;
	wanted.steps = body.steps;
	wanted.force = body.force;
	wanted.reason = body.reason;
	run_or_show(request, &wanted, body.dry_run);
}

/*
 * Answered at once: the run ends when it can, and its callers get the answer that says so.
 */
void
api_post_cancel(struct request *request)
{
	struct api *api = request->api;
	struct err err = { 0 };
	struct body body;

	if (body_parse(request, BODY_OF_CANCEL, &body) < 0)
		return;
	request->run = api->ops->run_cancel(api->app, request->argument,
	    body.mode && strcmp(body.mode, "now") == 0, request->peer, &err);
	if (!request->run) {
		request_reply_problem(request, 0, &err);
		return;
	}
	add_location(request, request->run->id);
	request_add_header(request, "Retry-After", REQUEST_RETRY_SECONDS);
	reply_run_document(request, 202);
}

void
api_post_repair(struct request *request)
{
	struct run_request wanted = { .operation = PLAN_REPAIR };
	struct err err = { 0 };
	struct body body;
	bool of_guard;

	if (body_parse(request, BODY_OF_REPAIR, &body) < 0)
		return;
	of_guard = repair_is_of_guard(body.action);
	if (!body.action || of_guard == (body.migration != NULL) ||
	    (of_guard && body.phase != 0)) {
		request_refuse(request, 400, CAT_CONFIGURATION,
		    "send {\"migration\": \"0043\", \"action\": \"retry\"} "
		    "or {\"action\": \"remove-guard\"}",
		    "a repair needs an action, and but for remove-guard a migration");
		return;
	}
	/* The run finds out what that is: it knows the folder even where we know no plan yet. */
	wanted.up_to = body.migration;
	wanted.action = body.action;
	wanted.reason = body.reason;
	wanted.phases = of_guard ? PHASE_BIT(PHASE_SCHEMA) : body.phase;
	if (wanted.phases == 0 &&
	    status_choose_phase(request->api->ops->status(request->api->app),
		wanted.up_to, &wanted.phases, &err) < 0) {
		request_reply_problem(request, 0, &err);
		return;
	}
	if (wanted.phases == 0 || api_check_phases(request, &wanted) == 0)
		run_and_wait(request, &wanted);
}

void
api_post_reload(struct request *request)
{
	struct api *api = request->api;
	struct body body;
	struct err err = { 0 };
	struct text out;

	if (body_parse(request, BODY_OF_NONE, &body) < 0)
		return;
	if (api->ops->reload(api->app, &err) < 0) {
		/* 422, not 400: it is not the request that is wrong */
		request_reply_problem(request,
		    err.category == CAT_CONFIGURATION && !err.http_status ? 422 : 0,
		    &err);
	} else if (request_wants_text(request)) {
		text_init(&out, request, BOUND_REPLY_BYTES);
		text_add(&out, "reloaded\n");
		request_reply_text(request, 200, "text/plain; charset=utf-8", &out);
	} else {
		request_reply_json(request, 200, json_pack("{s:b}", "reloaded", 1));
	}
}
