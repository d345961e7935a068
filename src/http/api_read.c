/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "base/bounds.h"
#include "base/mem.h"
#include "base/names.h"
#include "http/api.h"
#include "http/httpd.h"
#include "http/json.h"
#include "http/json_value.h"
#include "http/plain.h"
#include "http/request.h"
#include "http/route.h"

#define TEXT_TYPE  "text/plain; charset=utf-8"
#define RUNS_LIMIT 50u

static const struct status *
status_of(const struct request *request)
{
	return request->api->ops->status(request->api->app);
}

static void
start_text(struct request *request, struct text *out)
{
	text_init(out, request, BOUND_REPLY_BYTES);
}

static void
reply_text(struct request *request, const struct text *out)
{
	request_reply_text(request, 200, TEXT_TYPE, out);
}

/* ---- what there is ---- */

static json_t *
root_document(void)
{
	json_t *routes = json_array();

	for (size_t i = 0; i < route_count; i++) {
		const struct route *route = &route_table[i];

		json_array_append_new(routes,
		    json_pack("{s:s, s:s, s:s}", "method",
			route->method == METHOD_GET ? "GET" : "POST", "path", route->path,
			"summary", route->summary));
	}
	return json_pack("{s:s, s:s, s:o}", "name", "migrationd", "version",
	    PACKAGE_VERSION, "routes", routes);
}

void
api_get_root(struct request *request)
{
	struct text out;

	if (!request_wants_text(request)) {
		request_reply_json(request, 200, root_document());
		return;
	}
	start_text(request, &out);
	text_add(&out, "migrationd " PACKAGE_VERSION "\n\n");
	for (size_t i = 0; i < route_count; i++) {
		text_addf(&out, "%-5s %-18s %s\n",
		    route_table[i].method == METHOD_GET ? "GET" : "POST",
		    route_table[i].path, route_table[i].summary);
	}
	reply_text(request, &out);
}

void
api_get_version(struct request *request)
{
	struct text out;

	if (!request_wants_text(request)) {
		request_reply_json(request, 200,
		    json_pack("{s:s, s:s, s:i, s:{s:s, s:s, s:s}}", "name", "migrationd",
			"version", PACKAGE_VERSION, "api_version", 1, "libraries",
			"libuv", uv_version_string(), "libmicrohttpd",
			httpd_library_version(), "jansson", jansson_version_str()));
		return;
	}
	start_text(request, &out);
	text_addf(&out, "migrationd %s\nlibuv %s\nlibmicrohttpd %s\njansson %s\n",
	    PACKAGE_VERSION, uv_version_string(), httpd_library_version(),
	    jansson_version_str());
	reply_text(request, &out);
}

static json_t *
config_document(const struct api_setting *settings, size_t n)
{
	json_t *object = json_object();

	for (size_t i = 0; i < n; i++) {
		json_object_set_new(object, settings[i].name,
		    json_pack("{s:o, s:o, s:b}", "value", json_text(settings[i].value),
			"origin", json_text(settings[i].origin), "reloadable",
			settings[i].reloadable));
	}
	return json_pack("{s:o}", "settings", object);
}

void
api_get_config(struct request *request)
{
	struct api *api = request->api;
	struct text out;
	size_t n = 0;
	struct api_setting *settings = api->ops->settings(api->app, request, &n);

	if (!request_wants_text(request)) {
		request_reply_json(request, 200, config_document(settings, n));
		return;
	}
	start_text(request, &out);
	for (size_t i = 0; i < n; i++) {
		text_addf(&out, "%-20s = %-30s # %s\n", settings[i].name,
		    settings[i].value ? settings[i].value : "", settings[i].origin);
	}
	reply_text(request, &out);
}

/* ---- the target ---- */

/* Host and port as the client knows them; NULL on a unix socket, which has none. */
static const char *
called_at(const struct request *request)
{
	if (request->listener.is_unix)
		return NULL;
	return request->authority ? request->authority : request_header(request, "Host");
}

void
api_get_status(struct request *request)
{
	struct text out;

	if (!request_wants_text(request)) {
		request_reply_json(request, 200, json_status(status_of(request)));
		return;
	}
	start_text(request, &out);
	plain_status(&out, status_of(request), called_at(request),
	    request->api->ops->token(request->api->app) != NULL);
	reply_text(request, &out);
}

static const char *
state_name(size_t i)
{
	return i < MIGRATION_STATE_COUNT ? migration_state_name((enum migration_state)i)
					 : NULL;
}

static bool
is_state_name(const char *name)
{
	size_t i = 0;

	while (state_name(i) && strcmp(state_name(i), name) != 0)
		i++;
	return state_name(i) != NULL;
}

void
api_get_migrations(struct request *request)
{
	const char *state = request_query(request, "state");
	struct text out;

	if (state && !is_state_name(state)) {
		request_refuse(request, 400, CAT_CONFIGURATION,
		    mem_printf(
			request, "the states are %s", names_list(request, state_name)),
		    "there is no such state of a migration");
		return;
	}
	if (!request_wants_text(request)) {
		request_reply_json(
		    request, 200, json_migrations(status_of(request), state));
		return;
	}
	start_text(request, &out);
	plain_migrations(&out, status_of(request), state);
	reply_text(request, &out);
}

void
api_get_migration(struct request *request)
{
	const struct plan_item *item = status_find(status_of(request), request->argument);
	struct text out;

	if (!item) {
		request_refuse(request, 404, CAT_RESOURCE_NOT_FOUND,
		    "GET /migrations lists them by id, file and version",
		    "there is no migration %s", request->argument);
		return;
	}
	if (!request_wants_text(request)) {
		request_reply_json(request, 200, json_migration(item));
		return;
	}
	start_text(request, &out);
	plain_migration(&out, item);
	reply_text(request, &out);
}

/* Whether the run is to end at a migration that no folder of it has. */
static bool
has_no_end(const struct status *status, const struct run_request *wanted)
{
	for (unsigned p = 0; wanted->up_to && p < PHASE_COUNT; p++) {
		if (status->phases[p].folder && phase_is_asked(wanted->phases, p) &&
		    folder_find(status->phases[p].folder, wanted->up_to))
			return false;
	}
	return wanted->up_to != NULL;
}

void
api_reply_plan(struct request *request, struct run_request *wanted)
{
	const struct status *status = status_of(request);
	struct outlook outlook;
	struct text out;

	if (api_check_phases(request, wanted) < 0)
		return;
	if (has_no_end(status, wanted)) {
		request_refuse(request, 404, CAT_RESOURCE_NOT_FOUND,
		    "GET /migrations lists them by id, file and version",
		    "there is no migration %s", wanted->up_to);
		return;
	}
	request->api->ops->look_ahead(request->api->app, wanted, request, &outlook);
	if (!request_wants_text(request)) {
		request_reply_json(request, 200, json_plan(status, wanted, &outlook));
		return;
	}
	start_text(request, &out);
	plain_plan(&out, status, wanted->operation, &outlook);
	reply_text(request, &out);
}

void
api_get_plan(struct request *request)
{
	struct run_request wanted = { .operation = PLAN_APPLY,
		.up_to = request_query(request, "target") };

	api_reply_plan(request, &wanted);
}

/* ---- runs ---- */

static void
link_to_next(struct request *request, json_t *document, unsigned long limit)
{
	const char *next = json_string_value(json_object_get(document, "next"));
	char link[128];

	if (!next)
		return;
	snprintf(
	    link, sizeof(link), "</runs?limit=%lu&after=%s>; rel=\"next\"", limit, next);
	request_add_header(request, "Link", link);
}

void
api_get_runs(struct request *request)
{
	const char *limit_text = request_query(request, "limit");
	const char *after = request_query(request, "after");
	unsigned long limit = limit_text ? strtoul(limit_text, NULL, 10) : RUNS_LIMIT;
	json_t *document;
	struct text out;

	if (limit_text &&
	    (strspn(limit_text, "0123456789") != strlen(limit_text) || limit == 0 ||
		limit > BOUND_RUNS_KEPT)) {
		request_refuse(request, 400, CAT_CONFIGURATION, NULL,
		    "limit is a number from 1 to %u", BOUND_RUNS_KEPT);
		return;
	}
	if (!request_wants_text(request)) {
		document = json_runs(status_of(request), limit, after);
		link_to_next(request, document, limit);
		request_reply_json(request, 200, document);
		return;
	}
	start_text(request, &out);
	plain_runs(&out, status_of(request), limit, after);
	reply_text(request, &out);
}

static const struct run *
find_run(const struct status *status, const char *id)
{
	for (size_t i = 0; i < status->n_runs; i++) {
		if (strcmp(status->runs[i]->id, id) == 0)
			return status->runs[i];
	}
	return NULL;
}

void
api_get_run(struct request *request)
{
	const struct run *run = find_run(status_of(request), request->argument);
	struct text out;

	if (!run) {
		request_refuse(request, 404, CAT_RESOURCE_NOT_FOUND,
		    "GET /runs lists them", "there is no run %s", request->argument);
		return;
	}
	if (!request_wants_text(request)) {
		request_reply_json(request, 200, json_run(run, false));
		return;
	}
	start_text(request, &out);
	plain_run(&out, run);
	reply_text(request, &out);
}
