/* SPDX-License-Identifier: PostgreSQL */
#include "http/route.h"

#include <string.h>
#include <strings.h>

#include "base/bounds.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#define SEGMENT_LETTERS \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-"

const struct route route_table[] = {
	/* clang-format off */
	{ "/", METHOD_GET, 0, api_get_root,
	  "this list" },
	{ "/status", METHOD_GET, ROUTE_FRESH, api_get_status,
	  "database, folder, counts, lock, runs, and what to do next" },
	{ "/migrations", METHOD_GET, ROUTE_FRESH, api_get_migrations,
	  "every migration with its state; ?state=pending" },
	{ "/migrations/{id}", METHOD_GET, ROUTE_FRESH, api_get_migration,
	  "one migration, by id, file or version" },
	{ "/plan", METHOD_GET, ROUTE_FRESH, api_get_plan,
	  "what an apply would do; ?target=ID" },
	{ "/check", METHOD_GET, ROUTE_FRESH, api_get_check,
	  "what is wrong with folder and database, for CI; ?strict, ?only=files" },
	{ "/runs", METHOD_GET, 0, api_get_runs,
	  "runs, newest first; ?limit=50&after=ID" },
	{ "/runs/{id}", METHOD_GET, 0, api_get_run,
	  "one run" },
	{ "/config", METHOD_GET, 0, api_get_config,
	  "the configuration, where each value comes from, secrets masked" },
	{ "/version", METHOD_GET, 0, api_get_version,
	  "name, version, libraries" },
	{ "/metrics", METHOD_GET, ROUTE_PROBE | ROUTE_METRICS, api_get_metrics,
	  "for Prometheus; never asks the database" },
	{ "/livez", METHOD_GET, ROUTE_PROBE, api_get_livez,
	  "200 while the event loop turns" },
	{ "/readyz", METHOD_GET, ROUTE_PROBE, api_get_readyz,
	  "200 when a run can start; ?verbose, ?exclude=database" },
	{ "/health", METHOD_GET, ROUTE_PROBE, api_get_readyz,
	  "the same as /readyz" },
	{ "/current", METHOD_GET, ROUTE_PROBE | ROUTE_FRESH, api_get_current,
	  "200 only when nothing is pending or broken" },
	{ "/wait", METHOD_GET, ROUTE_FRESH | ROUTE_SLOW, api_get_wait,
	  "answers when that is so, or a migration applied; ?for=ID&timeout=60" },
	{ "/apply", METHOD_POST, ROUTE_WRITE | ROUTE_SLOW, api_post_apply,
	  "apply what is pending; answers when it is done" },
	{ "/baseline", METHOD_POST, ROUTE_WRITE | ROUTE_SLOW, api_post_baseline,
	  "record migrations as applied without running them" },
	{ "/repair", METHOD_POST, ROUTE_WRITE | ROUTE_SLOW, api_post_repair,
	  "say what became of a migration that stands still" },
	{ "/rollback", METHOD_POST, ROUTE_WRITE | ROUTE_SLOW, api_post_rollback,
	  "undo the newest migrations: {\"to\": ID}; needs rollback = on" },
	{ "/runs/{id}/cancel", METHOD_POST, ROUTE_WRITE, api_post_cancel,
	  "end a run after the migration in hand, or {\"mode\": \"now\"}" },
	{ "/reload", METHOD_POST, ROUTE_WRITE, api_post_reload,
	  "read the configuration and the folder again" },
	/* clang-format on */
};

const size_t route_count = ARRAY_SIZE(route_table);

/* ---- the target ---- */

static int
refuse_target(struct request *request, const char *why)
{
	return request_refuse(request, 400, CAT_CONFIGURATION, NULL, "%s", why);
}

static bool
has_bad_byte(const char *target)
{
	for (const char *c = target; *c; c++) {
		if (*c <= ' ' || *c >= 0x7f)
			return true;
	}
	return strchr(target, '#') || strstr(target, "%00");
}

/*
 * "." and ".." have no meaning here, and an empty segment would give one path two
 * names.
 */
static bool
has_bad_segment(const char *path)
{
	for (const char *s = strchr(path, '/'); s; s = strchr(s + 1, '/')) {
		size_t len = strcspn(s + 1, "/");

		if (len == 0 && s[1] == '/')
			return true;
		if ((len == 1 && s[1] == '.') || (len == 2 && s[1] == '.' && s[2] == '.'))
			return true;
	}
	return false;
}

/* Take the scheme and authority off an absolute-form target. NULL when it is none. */
static const char *
take_authority(struct request *request, const char *target)
{
	size_t scheme = strncasecmp(target, "http://", 7) == 0 ? 7
	    : strncasecmp(target, "https://", 8) == 0          ? 8
							       : 0;
	size_t len = strcspn(target + scheme, "/?");

	if (scheme == 0 || len == 0)
		return NULL;
	request->authority = mem_strndup(request, target + scheme, len);
	return target + scheme + len;
}

static const char *
without_version(const char *path)
{
	if (strcmp(path, "/v1") == 0)
		return "/";
	return strncmp(path, "/v1/", 4) == 0 ? path + 3 : path;
}

int
route_parse_target(struct request *request)
{
	const char *target = request->target;
	size_t path_len;

	if (request->target_len > BOUND_TARGET_BYTES)
		return request_refuse(request, 414, CAT_CONFIGURATION, NULL,
		    "the request target is longer than %u bytes", BOUND_TARGET_BYTES);
	if (strlen(target) != request->target_len)
		return refuse_target(request, "the request target holds a NUL byte");
	if (has_bad_byte(target))
		return refuse_target(request,
		    "the request target holds a byte that does not belong there");
	if (target[0] != '/' && strcmp(target, "*") != 0) {
		target = take_authority(request, target);
		if (!target)
			return refuse_target(request, "the request target is no path");
	}
	path_len = strcspn(target, "?");
	if (target[path_len] == '?')
		request->query = mem_strdup(request, target + path_len + 1);
	request->path =
	    path_len ? without_version(mem_strndup(request, target, path_len)) : "/";
	if (has_bad_segment(request->path))
		return refuse_target(
		    request, "the path holds an empty, '.' or '..' segment");
	return 0;
}

/* ---- finding the row ---- */

/* Whether the path is the row's; the {id}, if it has one, has `*len` letters at `*argument`. */
static bool
matches(const struct route *route, const char *path, const char **argument, size_t *len)
{
	size_t fixed = strcspn(route->path, "{");
	const char *behind = strchr(route->path, '}');

	*argument = NULL;
	*len = 0;
	if (!behind)
		return strcmp(route->path, path) == 0;
	if (strncmp(route->path, path, fixed) != 0)
		return false;
	*argument = path + fixed;
	*len = strspn(*argument, SEGMENT_LETTERS);
	return *len > 0 && strcmp(*argument + *len, behind + 1) == 0;
}

static bool
serves(const struct route *route, const struct request *request)
{
	return !request->listener.is_probe || (route->flags & ROUTE_PROBE);
}

static bool
has_method(const struct route *route, enum request_method method)
{
	return route->method == method ||
	    (route->method == METHOD_GET && method == METHOD_HEAD);
}

/*
 * Set the row that serves path and method. Every row of the path adds its methods to
 * `allow`, which stays empty for an unknown path.
 */
static void
find_route(struct request *request, struct text *allow)
{
	if (strcmp(request->path, "*") == 0)
		text_add(allow, "OPTIONS, GET, HEAD, POST");
	for (size_t i = 0; i < route_count; i++) {
		const struct route *route = &route_table[i];
		const char *argument;
		size_t len;

		if (!serves(route, request) ||
		    !matches(route, request->path, &argument, &len))
			continue;
		if (allow->len == 0)
			text_add(allow, "OPTIONS");
		text_add(allow, route->method == METHOD_GET ? ", GET, HEAD" : ", POST");
		if (has_method(route, request->method)) {
			request->route = route;
			request->argument =
			    argument ? mem_strndup(request, argument, len) : NULL;
		}
	}
}

/* ---- before the handler ---- */

static bool
is_known_method(const char *name)
{
	static const char *const names[] = { "GET", "HEAD", "POST", "PUT", "PATCH",
		"DELETE", "OPTIONS", "TRACE", "CONNECT" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcmp(names[i], name) == 0)
			return true;
	}
	return false;
}

static void
refuse_unrouted(struct request *request, const struct text *allow)
{
	if (!is_known_method(request->method_name)) {
		request_refuse(request, 501, CAT_CONFIGURATION, NULL, "no such method");
	} else if (allow->len == 0) {
		request_refuse(request, 404, CAT_RESOURCE_NOT_FOUND,
		    "GET / lists what there is", "nothing is served at %s",
		    request->path);
	} else if (request->method == METHOD_OPTIONS) {
		request_add_header(request, "Allow", allow->data);
		request_reply_empty(request, 204);
	} else {
		request_add_header(request, "Allow", allow->data);
		request_refuse(request, 405, CAT_CONFIGURATION, NULL,
		    "%s does not take %s", request->path, request->method_name);
	}
}

static int
check_accept(struct request *request)
{
	const char *format = request_query(request, "format");
	bool is_metrics = request->route->flags & ROUTE_METRICS;

	if (format && strcmp(format, "text") != 0 && strcmp(format, "json") != 0)
		return request_refuse(
		    request, 400, CAT_CONFIGURATION, NULL, "format is json or text");
	if (format || request_accept(request, "text/plain") > 0 ||
	    request_accept(request,
		is_metrics ? "application/openmetrics-text" : "application/json") > 0)
		return 0;
	return request_refuse(request, 406, CAT_CONFIGURATION, NULL, "what there is: %s",
	    is_metrics ? "text/plain, application/openmetrics-text"
		       : "application/json, text/plain");
}

/*
 * What is to be done stands in the body; an apply that passed over ?target=ID or ?dry_run would
 * apply everything.
 */
static int
check_query(struct request *request)
{
	static const char *const known[] = { "format", "pretty", "wait", "async", NULL };
	const char *other = request_query_other(request, known);

	if (!other)
		return 0;
	return request_refuse(request, 400, CAT_CONFIGURATION,
	    "what is to be done stands in the body, as JSON",
	    "there is no parameter %s of a POST", other);
}

static int
check_write(struct request *request)
{
	struct api *api = request->api;

	if (auth_check(request, api->ops->token(api->app), api->now_mono_us()) < 0 ||
	    guard_check_body(request) < 0 || check_query(request) < 0)
		return -1;
	log_info("write requested", LOG_STR("path", request->path),
	    LOG_STR("peer", request->peer), LOG_STR("request", request->id));
	return 0;
}

static bool
is_fresh(struct request *request)
{
	const struct status *status = request->api->ops->status(request->api->app);

	return status->database.refreshed_at_us != request->seen_refresh_us ||
	    status->run || (status->database.looked && !status->database.reachable);
}

static void
call_handler(struct request *request)
{
	request->route->handler(request);
}

/*
 * Park until a fresh look at the database has come back. Not while it is known to be
 * away or a run is in progress: then what is known is all that can be had at once.
 */
static bool
wait_for_fresh_look(struct request *request)
{
	struct api *api = request->api;
	const struct status *status = api->ops->status(api->app);
	int64_t seen_us = status->database.refreshed_at_us;

	if (status->run || clock_now_us() - seen_us < ROUTE_FRESH_US)
		return false;
	api->ops->refresh(api->app);
	request->seen_refresh_us = seen_us;
	if (is_fresh(request) || api->parked >= BOUND_PARKED_REQUESTS)
		return false;
	request_park(request, is_fresh, call_handler, ROUTE_WAIT_MS);
	return true;
}

void
route_dispatch(struct request *request)
{
	struct text allow;

	text_init(&allow, request, 64);
	find_route(request, &allow);
	if (!request->route) {
		refuse_unrouted(request, &allow);
		return;
	}
	if (check_accept(request) < 0)
		return;
	if ((request->route->flags & ROUTE_WRITE) && check_write(request) < 0)
		return;
	if ((request->route->flags & ROUTE_FRESH) && wait_for_fresh_look(request))
		return;
	call_handler(request);
}

const char *
route_label(const struct request *request)
{
	return request->route ? request->route->path : "unmatched";
}
