/* SPDX-License-Identifier: PostgreSQL */
#include "http/json_value.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "http/json.h"
#include "http/problem.h"

json_t *
json_text(const char *s)
{
	json_t *value;
	char *clean;
	size_t len;

	if (!s)
		return json_null();
	value = json_string(s);
	if (value)
		return value;
	clean = utf8_replace(NULL, s, strlen(s), &len);
	value = json_string(clean);
	talloc_free(clean);
	return value;
}

/* "" means "not known" in the fixed fields of our structs. */
json_t *
json_text_or_null(const char *s)
{
	return json_text(s && s[0] ? s : NULL);
}

json_t *
json_time_or_null(int64_t us)
{
	char buf[CLOCK_TEXT];

	return us ? json_string(clock_format(us, buf, sizeof(buf))) : json_null();
}

json_t *
json_seconds(int64_t us)
{
	return json_real((double)us / 1e6);
}

json_t *
json_count(size_t n)
{
	return json_integer((json_int_t)n);
}

static json_t *
request_body(const struct status_request *request)
{
	if (!request->action)
		return json_null();
	return json_pack("{s:o, s:o, s:s*}", "migration", json_text(request->migration),
	    "action", json_text(request->action), "phase", request->phase);
}

json_t *
json_requests(const struct status_request *requests, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list,
		    json_pack("{s:s, s:o, s:o, s:o}", "method", "POST", "path",
			json_text(requests[i].path), "body", request_body(&requests[i]),
			"when", json_text(requests[i].when)));
	return list;
}

static void
set_text(json_t *object, const char *name, const char *value)
{
	if (value && value[0])
		json_object_set_new(object, name, json_text(value));
}

static json_t *
statement(const struct err *err)
{
	json_t *object = json_object();

	if (err->statement)
		json_object_set_new(object, "index", json_integer(err->statement));
	if (err->line)
		json_object_set_new(object, "line", json_integer(err->line));
	if (err->column)
		json_object_set_new(object, "column", json_integer(err->column));
	set_text(object, "text", err->excerpt);
	return object;
}

/*
 * The members that say what is wrong, in a problem document as in a list of problems.
 */
void
json_set_error(json_t *object, const struct err *err)
{
	struct status_request requests[STATUS_REQUESTS];
	size_t n = status_answers(err, requests);

	set_text(object, "category", category_name(err->category));
	set_text(object, "sqlstate", err->sqlstate);
	set_text(object, "message_detail", err->detail);
	set_text(object, "hint", err->hint);
	set_text(object, "context", err->context);
	set_text(object, "migration", err->migration);
	set_text(object, "file", err->file);
	if (err->statement || err->line || err->excerpt[0])
		json_object_set_new(object, "statement", statement(err));
	if (n > 0)
		json_object_set_new(object, "requests", json_requests(requests, n));
}

json_t *
json_problem(const struct err *err, unsigned status, const char *run_id)
{
	json_t *object = json_object();
	char *type = problem_type(NULL, err, status);
	char detail[ERR_LINE];
	char instance[sizeof("/runs/") + UUID_TEXT];

	json_object_set_new(object, "type", json_string(type));
	talloc_free(type);
	json_object_set_new(object, "title", json_string(problem_title(err, status)));
	json_object_set_new(object, "status", json_integer(status));
	json_object_set_new(
	    object, "detail", json_text(err_format(err, detail, sizeof(detail))));
	if (run_id) {
		snprintf(instance, sizeof(instance), "/runs/%s", run_id);
		set_text(object, "instance", instance);
	}
	json_set_error(object, err);
	set_text(object, "run_id", run_id);
	json_object_set_new(
	    object, "retryable", json_boolean(problem_is_retryable(err, status)));
	return object;
}

json_t *
json_error_or_null(const struct err *err, const char *run_id)
{
	if (err == NULL || !err_is_set(err))
		return json_null();
	return json_problem(err, (unsigned)err_http_status(err), run_id);
}
