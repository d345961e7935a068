/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <string.h>

#include "base/bounds.h"
#include "base/clock.h"
#include "base/mem.h"
#include "http/api.h"
#include "http/json.h"
#include "http/plain.h"
#include "http/request.h"

#define TEXT_TYPE "text/plain; charset=utf-8"

/* "?strict", "?strict=true", "?strict=1"; and its opposites. -1 with a reply made. */
static int
read_strict(struct request *request, bool *strict)
{
	static const char *const yes[] = { "", "1", "true", "on", "yes" };
	static const char *const no[] = { "0", "false", "off", "no" };
	const char *value = request_query(request, "strict");

	*strict = false;
	for (size_t i = 0; value && i < ARRAY_SIZE(yes); i++)
		*strict = *strict || strcmp(value, yes[i]) == 0;
	for (size_t i = 0; value && i < ARRAY_SIZE(no); i++)
		value = strcmp(value, no[i]) == 0 ? NULL : value;
	if (!value || *strict)
		return 0;
	return request_refuse(
	    request, 400, CAT_CONFIGURATION, NULL, "strict is true or false");
}

/* ---- what it needs of the disk, in turns ---- */

bool
api_check_turn(struct api *api)
{
	return api->reading && check_reading_is_busy(api->reading) &&
	    !check_reading_step(
		api->reading, api->ops->status(api->app), BOUND_CHECK_TURN_BYTES);
}

/*
 * True: all is read. What is under way is joined, and goes on in the next turn. Kept from check to
 * check, as long as the metrics are: both are the API's own.
 */
static bool
begin_reading(struct api *api)
{
	if (!api->reading)
		api->reading = check_reading_new(api->metrics);
	if (check_reading_is_busy(api->reading))
		return false;
	check_reading_begin(api->reading);
	return !api_check_turn(api);
}

static bool
is_read(struct request *request)
{
	return !check_reading_is_busy(request->api->reading);
}

/* ---- the answer ---- */

/*
 * 200 whatever it finds: the question was answered. A CI job goes by the exit code, in
 * the document and, for curl without a JSON parser, in a header.
 */
static void
reply(struct request *request)
{
	struct check_input input = {
		.status = request->api->ops->status(request->api->app),
		.reading = request->api->reading,
		.now_us = clock_now_us(),
		.files_only = request_query(request, "only") != NULL,
	};
	struct check *check;
	char code[16];
	struct text out;

	if (read_strict(request, &input.strict) < 0)
		return;
	check = check_build(request, &input);
	snprintf(code, sizeof(code), "%d", (int)check_exit_code(check));
	request_add_header(request, "Migrationd-Exit-Code", code);
	if (!request_wants_text(request)) {
		request_reply_json(request, 200, json_check(check));
		return;
	}
	text_init(&out, request, BOUND_REPLY_BYTES);
	plain_check(&out, check);
	request_reply_text(request, 200, TEXT_TYPE, &out);
}

void
api_get_check(struct request *request)
{
	struct api *api = request->api;
	const char *only = request_query(request, "only");
	bool strict;

	if (only && strcmp(only, "files") != 0) {
		request_refuse(
		    request, 400, CAT_CONFIGURATION, NULL, "only is files, or left out");
		return;
	}
	if (read_strict(request, &strict) < 0)
		return;
	if (begin_reading(api))
		reply(request);
	else if (api->parked >= BOUND_PARKED_REQUESTS)
		request_refuse(request, 429, CAT_NONE, "try again",
		    "%u requests are waiting already", api->parked);
	else
		request_park(request, is_read, reply, 0);
}
