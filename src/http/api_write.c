/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/bounds.h"
#include "base/mem.h"
#include "http/api.h"
#include "http/json.h"
#include "http/plain.h"
#include "http/request.h"

#define WAIT_SECONDS_MAX 86400l
#define WAIT_FOR_EVER    (-1)

/* ---- the body ---- */

/* All members that a write may have; each route takes some of them. */
struct write_body {
	const char *target;
	const char *version;
	bool dry_run;
	bool all;
	bool force;
};

struct member {
	const char *name;
	json_type type; /* JSON_STRING, or JSON_TRUE for a boolean */
	size_t offset;
};

#define TEXT_MEMBER(field)                                              \
	{                                                               \
#field, JSON_STRING, offsetof(struct write_body, field) \
	}
#define FLAG_MEMBER(field)                                            \
	{                                                             \
#field, JSON_TRUE, offsetof(struct write_body, field) \
	}

static const struct member apply_members[] = {
	TEXT_MEMBER(target),
	FLAG_MEMBER(dry_run),
	{ NULL, JSON_NULL, 0 },
};

static const struct member baseline_members[] = {
	TEXT_MEMBER(target),
	TEXT_MEMBER(version),
	FLAG_MEMBER(all),
	FLAG_MEMBER(force),
	{ NULL, JSON_NULL, 0 },
};

static const struct member no_members[] = { { NULL, JSON_NULL, 0 } };

static int
refuse_value(struct request *request, const char *name, const char *why)
{
	return request_refuse(
	    request, 400, CAT_CONFIGURATION, NULL, "body: %s %s", name, why);
}

/*
 * A migration is named by the letters of migration_check_id, so that no body is ever a
 * path.
 */
static bool
is_migration_name(const char *name)
{
	struct err err = { 0 };

	return migration_check_id(name, &err) == 0;
}

static int
take_member(struct request *request, const struct member *member, const json_t *value,
    struct write_body *body)
{
	char *field = (char *)body + member->offset;

	if (member->type == JSON_STRING) {
		if (!json_is_string(value))
			return refuse_value(
			    request, member->name, "must be a string, as \"0043\"");
		if (!is_migration_name(json_string_value(value)))
			return refuse_value(request, member->name,
			    "is no name that a migration can have");
		*(const char **)(void *)field =
		    mem_strdup(request, json_string_value(value));
		return 0;
	}
	if (!json_is_boolean(value))
		return refuse_value(request, member->name, "must be true or false");
	*(bool *)field = json_is_true(value);
	return 0;
}

/* A misspelt dry_run must not run for real. */
static int
refuse_member(struct request *request, const struct member *members, const char *name)
{
	struct text known;

	text_init(&known, request, 256);
	for (const struct member *member = members; member->name; member++)
		text_addf(
		    &known, "%s%s", known.len ? ", " : "it may have: ", member->name);
	return request_refuse(request, 400, CAT_CONFIGURATION,
	    known.len ? known.data : "send no body, or {}", "body: there is no member %s",
	    name);
}

static int
take_members(struct request *request, const struct member *members, json_t *object,
    struct write_body *body)
{
	const char *name;
	json_t *value;

	json_object_foreach(object, name, value) {
		const struct member *member = members;

		while (member->name && strcmp(member->name, name) != 0)
			member++;
		if (!member->name)
			return refuse_member(request, members, name);
		if (take_member(request, member, value, body) < 0)
			return -1;
	}
	return 0;
}

/* An empty body stands for {}. -1 with a reply made. */
static int
parse_body(struct request *request, const struct member *members, struct write_body *body)
{
	json_error_t cause;
	json_t *root;
	int rc;

	*body = (struct write_body){ 0 };
	if (request->body.len == 0)
		return 0;
	root = json_loadb(
	    request->body.data, request->body.len, JSON_REJECT_DUPLICATES, &cause);
	if (!root)
		return request_refuse(request, 400, CAT_CONFIGURATION, NULL,
		    "body:%d:%d: not valid JSON: %s", cause.line, cause.column,
		    cause.text);
	if (json_is_object(root))
		rc = take_members(request, members, root, body);
	else
		rc = refuse_value(request, "it", "must be a JSON object, as {}");
	json_decref(root);
	return rc;
}

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
	if (api->parked >= BOUND_PARKED_REQUESTS) {
		request_refuse(request, 429, CAT_NONE,
		    "try again, or use Prefer: respond-async",
		    "%u requests are waiting already", api->parked);
		return;
	}
	wanted->requested_by = mem_printf(request, "http %s", request->peer);
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

void
api_post_apply(struct request *request)
{
	struct run_request wanted = { .operation = PLAN_APPLY };
	struct write_body body;

	if (parse_body(request, apply_members, &body) < 0)
		return;
	if (body.dry_run) {
		api_reply_plan(request, body.target);
		return;
	}
	wanted.up_to = body.target;
	run_and_wait(request, &wanted);
}

void
api_post_baseline(struct request *request)
{
	struct run_request wanted = { .operation = PLAN_BASELINE };
	struct write_body body;

	if (parse_body(request, baseline_members, &body) < 0)
		return;
	if ((body.target != NULL) + (body.version != NULL) + body.all != 1) {
		request_refuse(request, 400, CAT_CONFIGURATION,
		    "send {\"target\": \"0009\"} for all up to that one, or {\"all\": true}",
		    "a baseline needs exactly one of target, version and all");
		return;
	}
	wanted.up_to = body.target ? body.target : body.version;
	wanted.force = body.force;
	run_and_wait(request, &wanted);
}

void
api_post_reload(struct request *request)
{
	struct api *api = request->api;
	struct write_body body;
	struct err err = { 0 };
	struct text out;

	if (parse_body(request, no_members, &body) < 0)
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
