/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <string.h>

#include "base/bounds.h"
#include "base/mem.h"
#include "http/api.h"
#include "http/json.h"
#include "http/json_value.h"
#include "http/plain_line.h"
#include "http/request.h"

#define TEXT_TYPE        "text/plain; charset=utf-8"
#define METRICS_TYPE     "text/plain; version=0.0.4; charset=utf-8"
#define OPENMETRICS_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

/*
 * A loop that has not turned for so long is stuck: its heartbeat comes every second or
 * so.
 */
#define HEARTBEAT_LIMIT_US 10000000

/* One thing that a probe looks at; `failure` is NULL when it is well. */
struct probe_check {
	const char *name;
	const char *failure;
};

static const struct status *
status_of(const struct request *request)
{
	return request->api->ops->status(request->api->app);
}

static const struct probe_check *
first_failed(const struct probe_check *checks, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (checks[i].failure)
			return &checks[i];
	}
	return NULL;
}

/* "[+]database ok" and so on, as Kubernetes' own /readyz?verbose has it. */
static void
reply_check_lines(
    struct request *request, const struct probe_check *checks, size_t n, unsigned code)
{
	struct text out;

	text_init(&out, request, BOUND_REPLY_BYTES);
	for (size_t i = 0; i < n && request_query(request, "verbose"); i++) {
		if (checks[i].failure)
			text_addf(&out, "[-]%s failed: %s\n", checks[i].name,
			    checks[i].failure);
		else
			text_addf(&out, "[+]%s ok\n", checks[i].name);
	}
	text_add(&out, code == 200 ? "ok\n" : "failed\n");
	if (code == 503)
		request_add_header(request, "Retry-After", REQUEST_RETRY_SECONDS);
	request_reply_text(request, code, TEXT_TYPE, &out);
}

static void
reply_check_document(struct request *request, const struct probe_check *checks, size_t n)
{
	const struct probe_check *failed = first_failed(checks, n);
	json_t *members = json_object();
	struct err err = { 0 };
	json_t *problem;

	for (size_t i = 0; i < n; i++) {
		json_object_set_new(members, checks[i].name,
		    json_text(checks[i].failure ? checks[i].failure : "ok"));
	}
	if (!failed) {
		request_reply_json(request, 200,
		    json_pack("{s:s, s:o}", "status", "ok", "checks", members));
		return;
	}
	snprintf(err.text, sizeof(err.text), "%s: %s", failed->name, failed->failure);
	problem = json_problem(&err, 503, NULL);
	json_object_set_new(problem, "checks", members);
	request_reply_problem_json(request, 503, &err, problem);
}

static void
reply_checks(struct request *request, const struct probe_check *checks, size_t n)
{
	bool is_text = request_query(request, "verbose") || request_wants_text(request);

	if (is_text)
		reply_check_lines(
		    request, checks, n, first_failed(checks, n) ? 503 : 200);
	else
		reply_check_document(request, checks, n);
}

void
api_get_livez(struct request *request)
{
	struct api *api = request->api;
	bool ok = api->ops->heartbeat_age_us(api->app) < HEARTBEAT_LIMIT_US;
	struct probe_check check = { "loop",
		ok ? NULL : "the event loop has not turned for 10 s" };

	reply_checks(request, &check, 1);
}

/* Whether `name` is in the comma-separated list. */
static bool
is_excluded(const char *list, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = list; p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL) {
		if (strncmp(p, name, len) == 0 && (p[len] == ',' || p[len] == '\0'))
			return true;
	}
	return false;
}

static const char *
database_failure(const struct database_facts *database)
{
	if (!database->looked)
		return "not looked at yet";
	if (database->reachable)
		return NULL;
	return database->err.text[0] ? database->err.text : "not reachable";
}

void
api_get_readyz(struct request *request)
{
	const struct status *status = status_of(request);
	const struct folder *folder = status->folder;
	const char *exclude = request_query(request, "exclude");
	bool has_folder = folder->device != 0 || folder->inode != 0;
	const struct probe_check all[] = {
		{ "database", database_failure(&status->database) },
		{ "folder", has_folder ? NULL : "the migrations folder cannot be read" },
		{ "running", status->stopping ? "migrationd is stopping" : NULL },
	};
	struct probe_check wanted[ARRAY_SIZE(all)];
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		if (!is_excluded(exclude, all[i].name))
			wanted[n++] = all[i];
	}
	reply_checks(request, wanted, n);
}

/* The sentence, and a code that says whether the schema is what the folder says. */
void
api_get_current(struct request *request)
{
	const struct status *status = status_of(request);
	enum verdict verdict = status_verdict(status);
	struct err err = { 0 };
	json_t *problem;
	struct text out;

	status_sentence(status, err.text, sizeof(err.text));
	status_advice(status, err.hint, sizeof(err.hint));
	if (!verdict_is_current(verdict)) {
		problem = json_problem(&err, 503, NULL);
		json_object_set_new(
		    problem, "verdict", json_string(verdict_name(verdict)));
		request_reply_problem_json(request, 503, &err, problem);
	} else if (request_wants_text(request)) {
		text_init(&out, request, BOUND_REPLY_BYTES);
		plain_add_clean(&out, err.text);
		text_add_char(&out, '\n');
		request_reply_text(request, 200, TEXT_TYPE, &out);
	} else {
		request_reply_json(request, 200,
		    json_pack("{s:s, s:o}", "verdict", verdict_name(verdict), "sentence",
			json_text(err.text)));
	}
}

void
api_get_metrics(struct request *request)
{
	bool openmetrics = request_header(request, "Accept") &&
	    request_accept(request, "application/openmetrics-text") >
		request_accept(request, "text/plain");
	struct text out;

	text_init(&out, request, BOUND_REPLY_BYTES);
	metrics_render(&out, request->api->metrics, status_of(request), openmetrics);
	request_reply_text(
	    request, 200, openmetrics ? OPENMETRICS_TYPE : METRICS_TYPE, &out);
}
