/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bounds.h"
#include "base/mem.h"
#include "http/api.h"
#include "http/json.h"
#include "http/plain.h"
#include "http/request.h"

#define SECONDS     60l
#define SECONDS_MAX 3600l

/* How often the database is looked at meanwhile: others may apply too. */
#define LOOK_US 1000000

static const struct status *
status_of(const struct request *request)
{
	return request->api->ops->status(request->api->app);
}

static bool
is_for_current(const struct request *request)
{
	return strcmp(request->argument, "current") == 0;
}

/* The migration that is waited for, or NULL. */
static const struct plan_item *
item_of(const struct request *request)
{
	return plan_find(status_of(request)->plan, request->argument);
}

static bool
has_come(const struct request *request)
{
	const struct plan_item *item;

	if (is_for_current(request))
		return verdict_is_current(status_verdict(status_of(request)));
	item = item_of(request);
	return item &&
	    (item->state == MIGRATION_APPLIED || item->state == MIGRATION_BASELINE);
}

static void
reply_migration(struct request *request, const struct plan_item *item)
{
	struct text out;

	if (!request_wants_text(request)) {
		request_reply_json(request, 200, json_migration(item));
		return;
	}
	text_init(&out, request, BOUND_REPLY_BYTES);
	plain_migration(&out, item);
	request_reply_text(request, 200, "text/plain; charset=utf-8", &out);
}

/* 503, so that it is asked again: it may come yet, also by a file that is not there yet. */
static void
reply_not_yet(struct request *request, const struct plan_item *item)
{
	const char *state = item ? migration_state_name(item->state) : NULL;
	struct err err = { .category = item ? CAT_NONE : CAT_RESOURCE_NOT_FOUND };
	json_t *problem;

	if (item)
		snprintf(err.text, sizeof(err.text), "%s is not applied: it is %s",
		    item->id, state);
	else
		snprintf(err.text, sizeof(err.text), "there is no migration %s",
		    request->argument);
	status_advice(status_of(request), err.hint, sizeof(err.hint));
	problem = json_problem(&err, 503, NULL);
	if (item)
		json_object_set_new(problem, "state", json_string(state));
	request_reply_problem_json(request, 503, &err, problem);
}

static void
reply(struct request *request)
{
	if (is_for_current(request))
		api_get_current(request);
	else if (has_come(request))
		reply_migration(request, item_of(request));
	else
		reply_not_yet(request, item_of(request));
}

static bool
is_due(struct request *request)
{
	int64_t now_us = request->api->now_mono_us();

	if (now_us - request->seen_refresh_us >= LOOK_US) {
		request->seen_refresh_us = now_us;
		request->api->ops->refresh(request->api->app);
	}
	return has_come(request);
}

/* -1 with a reply made. */
static int
read_seconds(struct request *request, long *seconds)
{
	const char *text = request_query(request, "timeout");
	size_t digits = text ? strspn(text, "0123456789") : 0;

	*seconds = text ? strtol(text, NULL, 10) : SECONDS;
	if (!text ||
	    (digits > 0 && digits < 6 && !text[digits] && *seconds <= SECONDS_MAX))
		return 0;
	return request_refuse(request, 400, CAT_CONFIGURATION, NULL,
	    "timeout is a number of seconds up to %ld", SECONDS_MAX);
}

void
api_get_wait(struct request *request)
{
	struct api *api = request->api;
	const char *what = request_query(request, "for");
	long seconds;

	if (read_seconds(request, &seconds) < 0)
		return;
	request->argument = what ? what : "current";
	request->seen_refresh_us = 0;
	if (has_come(request) || seconds == 0)
		reply(request);
	else if (api->parked >= BOUND_WAITING_REQUESTS)
		request_refuse(request, 429, CAT_NONE, "try again, or GET /current",
		    "%u requests are waiting already", api->parked);
	else
		request_park(request, is_due, reply, seconds * 1000);
}
