/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "ctl/ask.h"
#include "daemon/ephemeral.h"
#include "daemon/service.h"
#include "http/route.h"

/* How often a parked request is asked whether it is due although nothing happened. */
#define LOOK_MS 20

struct ask_local {
	struct ask *ask;
	struct config *config;
	struct ephemeral *ephemeral;
	struct service service;
	/* what the newest answer could tell of the last run */
	char told_run[UUID_TEXT];
	size_t n_told;
};

static const struct status *
status_of(struct ask_local *local)
{
	return local->service.api.ops->status(&local->service);
}

/* ---- asking ---- */

static void
fill_request(struct request *request, const struct question *question)
{
	static struct request_header header = { "Content-Type", "application/json" };
	char *body;

	request_set_method(request, question->method);
	snprintf(request->peer, sizeof(request->peer), "migrationctl, uid %u", getuid());
	request->target = question->path;
	request->target_len = strlen(question->path);
	request->version = "HTTP/1.1";
	request->state = REQUEST_READY;
	if (!question->body)
		return;
	request->headers = &header;
	request->n_headers = 1;
	body = json_dumps(question->body, JSON_COMPACT);
	text_add(&request->body, body);
	free(body);
}

/* Whether to go on waiting: not once a signal came, but for the end of a run of ours. */
static bool
may_wait(const struct ask_local *local)
{
	return ask_interrupts(local->ask) == 0 || target_is_busy(local->service.target);
}

/*
 * The first look: before it nothing is known that would be worth an answer. False: a
 * signal came instead.
 */
static bool
wait_for_first_look(struct ask_local *local)
{
	while (!status_of(local)->database.looked && may_wait(local))
		ask_turn(local->ask, LOOK_MS);
	return status_of(local)->database.looked;
}

/* What httpd does with a request, but for the socket. */
static void
answer_request(struct ask_local *local, struct request *request)
{
	local->service.heartbeat_us = clock_mono_us();
	if (route_parse_target(request) < 0)
		return;
	route_dispatch(request);
	while (request->state == REQUEST_PARKED && may_wait(local)) {
		ask_turn(local->ask, api_check_turn(&local->service.api) ? 0 : LOOK_MS);
		if (request_is_due(request, clock_mono_us()))
			request->resume(request);
	}
	/* a signal that came after the run had ended */
	if (request->state == REQUEST_PARKED && request->is_ready(request))
		request->resume(request);
}

static const char *
find_location(const struct request *request)
{
	for (size_t i = 0; i < request->n_reply_headers; i++) {
		if (strcasecmp(request->reply_headers[i].name, "Location") == 0)
			return request->reply_headers[i].value;
	}
	return NULL;
}

static void
note_told(struct ask_local *local)
{
	const struct run *run = status_of(local)->last_run;

	local->n_told = run ? run->n_warnings : 0;
	(void)snprintf(
	    local->told_run, sizeof(local->told_run), "%s", run ? run->id : "");
}

/* The hooks behind a run end after its document was shown: the log alone would know. */
static void
tell_the_rest(struct ask_local *local)
{
	const struct run *run = status_of(local)->last_run;

	if (run == NULL || strcmp(run->id, local->told_run) != 0)
		return;
	for (size_t i = local->n_told; i < run->n_warnings; i++)
		(void)fprintf(stderr, "migrationctl: %s\n", run->warnings[i]);
}

static int
put(void *state, const struct question *question, const void *ctx, struct answer *answer,
    struct err *err)
{
	struct ask_local *local = state;
	struct listener_facts facts = { .is_unix = true, .is_local = true };
	struct request *request;

	if (!question->offline && !wait_for_first_look(local))
		return ask_check_interrupt(local->ask, err);
	request = request_new(ctx, &local->service.api, &facts);
	fill_request(request, question);
	answer_request(local, request);
	if (request->state != REQUEST_REPLIED)
		return ask_check_interrupt(local->ask, err);
	answer->status = request->status;
	answer->text = request->reply ? request->reply : "";
	answer->len = request->reply_len;
	answer->location = find_location(request);
	note_told(local);
	return 0;
}

/* ---- life ---- */

/* A run of ours is in progress, or one that is over is still told to hooks. */
static bool
is_busy(void *state)
{
	struct ask_local *local = state;

	return target_is_busy(local->service.target) ||
	    target_is_telling(local->service.target);
}

static void
interrupt(void *state, unsigned count)
{
	struct ask_local *local = state;

	if (is_busy(local))
		target_stop(local->service.target, count > 1);
}

static void
close_local(void *state)
{
	struct ask_local *local = state;

	while (is_busy(local))
		ask_turn(local->ask, LOOK_MS);
	tell_the_rest(local);
	target_close(local->service.target);
}

static void
free_local(void *state)
{
	struct ask_local *local = state;

	ephemeral_stop(local->ephemeral);
	talloc_free(local);
}

static void
on_change(void *arg)
{
	(void)arg;
}

static int
refuse_reload(void *arg, struct err *err)
{
	(void)arg;
	return err_set(err, CAT_CONFIGURATION, "there is no daemon that could reload");
}

int
ask_use_local(struct ask *ask, struct config *config, struct err *err)
{
	static const struct ask_backend backend = {
		.put = put,
		.interrupt = interrupt,
		.is_busy = is_busy,
		.close = close_local,
		.free = free_local,
	};
	struct ask_local *local = mem_zero(NULL, struct ask_local);
	struct service_owner owner = { on_change, refuse_reload, local };

	local->ask = ask;
	local->config = talloc_steal(local, config);
	/* these are wishes of who stays; here nothing runs but what is asked for */
	config->apply_on_start = config->apply_on_change = false;
	if (config->ephemeral) {
		if (ephemeral_start(local, &local->ephemeral, err) < 0) {
			talloc_free(local);
			return -1;
		}
		config_use_ephemeral(config, ephemeral_url(local->ephemeral));
	}
	service_init(&local->service, local, ask_loop(ask), &owner);
	service_configure(&local->service, config);
	ask_set_backend(ask, &backend, local);
	return 0;
}
