/* SPDX-License-Identifier: PostgreSQL */
#include "daemon/webhooks.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/bounds.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "daemon/poster.h"
#include "daemon/webhook_sign.h"

#define WEBHOOKS_MAGIC 0x57484f4bu

/* Of one try, name resolution and all. */
#define TRY_MS 10000

/* After a try that failed; each a quarter more or less, so that many daemons spread. */
static const unsigned pauses_s[] = { 5, 30, 120, 600, 3600 };

/* One message to one receiver. */
struct delivery {
	struct delivery *next;
	struct webhooks *webhooks;
	char *url;
	char *place; /* what of it may be shown */
	char *type;
	char *run;
	char *body;
	char id[4 + UUID_TEXT]; /* the same at each try */
	unsigned n_tries;
	int64_t due_mono_us;
	struct post *post; /* NULL: it waits */
};

struct webhooks {
	unsigned magic;
	uv_loop_t *loop;
	uv_timer_t timer;
	struct metrics *metrics;
	void (*on_change)(void *arg);
	void *arg;
	const struct config *config;
	struct poster *poster; /* NULL before the first message */
	struct delivery *first;
	unsigned n_posts;
};

static struct webhooks *
webhooks_of(void *arg)
{
	struct webhooks *webhooks = arg;

	assert(webhooks->magic == WEBHOOKS_MAGIC);
	return webhooks;
}

bool
webhooks_has(const struct webhooks *webhooks)
{
	return webhooks->config->webhook_url != NULL;
}

/* Over, well or not. */
static void
drop(struct delivery *delivery)
{
	struct webhooks *webhooks = delivery->webhooks;
	struct delivery **at = &webhooks->first;

	while (*at != delivery)
		at = &(*at)->next;
	*at = delivery->next;
	if (delivery->post) {
		post_cancel(delivery->post);
		webhooks->n_posts--;
	}
	webhooks->metrics->notifications_waiting--;
	talloc_free(delivery);
}

static void
give_up(struct delivery *delivery, const char *why)
{
	delivery->webhooks->metrics->notification_failures++;
	log_error("webhook given up", LOG_STR("type", delivery->type),
	    LOG_STR("to", delivery->place), LOG_STR("why", why),
	    LOG_INT("tries", delivery->n_tries), LOG_STR("run", delivery->run));
	drop(delivery);
}

/* The try came to nothing. */
static void
try_later(struct delivery *delivery, const char *why)
{
	unsigned n = delivery->n_tries++;

	if (n >= ARRAY_SIZE(pauses_s)) {
		give_up(delivery, why);
		return;
	}
	uint32_t pause_ms = pauses_s[n] * 1000;

	pause_ms = pause_ms - pause_ms / 4 + digest_random(pause_ms / 2);
	delivery->due_mono_us = clock_mono_us() + (int64_t)pause_ms * 1000;
	log_warning("webhook not delivered, trying again",
	    LOG_STR("type", delivery->type), LOG_STR("to", delivery->place),
	    LOG_STR("why", why), LOG_INT("inSeconds", pause_ms / 1000),
	    LOG_STR("run", delivery->run));
}

static void arm(struct webhooks *webhooks);

static void
on_answer(void *arg, long status, const char *error)
{
	struct delivery *delivery = arg;
	struct webhooks *webhooks = delivery->webhooks;
	char why[64];

	delivery->post = NULL;
	webhooks->n_posts--;
	(void)snprintf(why, sizeof(why), "the answer is %ld", status);
	if (status >= 200 && status < 300) {
		log_info("webhook delivered", LOG_STR("type", delivery->type),
		    LOG_STR("to", delivery->place), LOG_STR("run", delivery->run));
		drop(delivery);
	} else if (status == 410) { /* Standard Webhooks: nobody wants it any more */
		delivery->n_tries++;
		give_up(delivery, "the answer is 410, gone: take it out of webhook_url");
	} else {
		try_later(delivery, error ? error : why);
	}
	arm(webhooks);
	webhooks->on_change(webhooks->arg);
}

/* ---- sending ---- */

/* NULL with err, or where there is no secret. */
static char *
sign(const void *ctx, const struct delivery *delivery, int64_t now_s, struct err *err)
{
	const char *path = delivery->webhooks->config->webhook_secret_file;
	char *secrets = NULL;
	char *signature = NULL;

	if (!path)
		return NULL;
	if (file_read_secret(ctx, path, &secrets, NULL, err) < 0 ||
	    webhook_sign(
		ctx, secrets, delivery->id, now_s, delivery->body, &signature, err) < 0) {
		err_wrap(err, "webhook_secret_file");
		return NULL;
	}
	return signature;
}

/* False: the try is over already, as without its secret nothing can be sent. */
static bool
send_one(struct delivery *delivery)
{
	struct webhooks *webhooks = delivery->webhooks;
	void *scratch = mem_context(NULL, "webhook");
	int64_t now_s = clock_now_us() / 1000000;
	struct err err = { 0 };
	char *signature = sign(scratch, delivery, now_s, &err);
	const char *headers[] = {
		"content-type: application/json",
		mem_printf(scratch, "webhook-id: %s", delivery->id),
		mem_printf(scratch, "webhook-timestamp: %" PRId64, now_s),
		signature ? mem_printf(scratch, "webhook-signature: %s", signature)
			  : NULL,
		NULL,
	};
	const struct post_request request = {
		.url = delivery->url,
		.headers = headers,
		.body = delivery->body,
		.timeout_ms = TRY_MS,
	};

	webhooks->metrics->notifications++;
	if (err_is_set(&err)) {
		try_later(delivery, err.text);
	} else {
		if (!webhooks->poster)
			webhooks->poster = poster_new(webhooks->loop);
		delivery->post =
		    poster_send(webhooks->poster, &request, on_answer, delivery);
		webhooks->n_posts++;
	}
	talloc_free(scratch);
	return !err_is_set(&err);
}

/*
 * One at a time to each receiver: what is accepted at the first try comes in order. What has
 * to be tried again holds nothing back: a receiver that refuses the beginning of a run for an
 * hour is to hear at once that it failed.
 */
static bool
may_go(const struct delivery *delivery, int64_t now_us)
{
	const struct webhooks *webhooks = delivery->webhooks;

	if (delivery->post || delivery->due_mono_us > now_us ||
	    webhooks->n_posts >= BOUND_WEBHOOK_POSTS)
		return false;
	for (const struct delivery *d = webhooks->first; d; d = d->next)
		if (d->post && strcmp(d->url, delivery->url) == 0)
			return false;
	return true;
}

static void
on_timer(uv_timer_t *timer)
{
	struct webhooks *webhooks = webhooks_of(timer->data);
	int64_t now_us = clock_mono_us();
	struct delivery *next = NULL;
	bool is_over = false;

	for (struct delivery *d = webhooks->first; d; d = next) {
		next = d->next;
		if (may_go(d, now_us))
			is_over |= !send_one(d);
	}
	arm(webhooks);
	if (is_over)
		webhooks->on_change(webhooks->arg);
}

/* Wake up for the next one that is due; an answer wakes up those behind it. */
static void
arm(struct webhooks *webhooks)
{
	int64_t now_us = clock_mono_us();
	int64_t due_us = INT64_MAX;

	for (const struct delivery *d = webhooks->first; d; d = d->next)
		if (may_go(d, INT64_MAX) && d->due_mono_us < due_us)
			due_us = d->due_mono_us;
	if (due_us == INT64_MAX)
		(void)uv_timer_stop(&webhooks->timer);
	else
		(void)uv_timer_start(&webhooks->timer, on_timer,
		    due_us > now_us ? (uint64_t)(due_us - now_us) / 1000 + 1 : 0, 0);
}

/* Room for one more: the oldest that waits goes. */
static void
make_room(struct webhooks *webhooks)
{
	struct delivery *oldest = NULL;
	size_t n = 0;

	for (struct delivery *d = webhooks->first; d; d = d->next, n++)
		if (!oldest && !d->post)
			oldest = d;
	if (n >= BOUND_WEBHOOKS && oldest)
		give_up(oldest, "too many wait");
}

static void
add_one(struct webhooks *webhooks, const struct delivery *message)
{
	struct delivery *delivery = mem_zero(webhooks, struct delivery);
	struct delivery **end = &webhooks->first;

	*delivery = *message;
	delivery->webhooks = webhooks;
	delivery->url = mem_strdup(delivery, message->url);
	delivery->place = webhook_place(delivery, message->url);
	delivery->type = mem_strdup(delivery, message->type);
	delivery->run = mem_strdup(delivery, message->run);
	delivery->body = mem_strdup(delivery, message->body);
	while (*end)
		end = &(*end)->next;
	*end = delivery;
	webhooks->metrics->notifications_waiting++;
}

void
webhooks_add(
    struct webhooks *webhooks, const char *type, const char *run, const char *body)
{
	struct delivery message = {
		.type = (char *)(uintptr_t)type,
		.run = (char *)(uintptr_t)run,
		.body = (char *)(uintptr_t)body,
	};
	char uuid[UUID_TEXT];

	digest_uuid7(clock_now_us(), uuid);
	(void)snprintf(message.id, sizeof(message.id), "msg_%s", uuid);
	for (const char *const *url = (const char *const *)webhooks->config->webhook_url;
	     url && *url; url++) {
		message.url = (char *)(uintptr_t)*url;
		make_room(webhooks);
		add_one(webhooks, &message);
	}
	arm(webhooks);
}

/* ---- life ---- */

bool
webhooks_is_busy(const struct webhooks *webhooks)
{
	for (const struct delivery *d = webhooks->first; d; d = d->next)
		if (d->post || d->n_tries == 0)
			return true;
	return false;
}

void
webhooks_abandon(struct webhooks *webhooks)
{
	while (webhooks->first)
		give_up(webhooks->first, "migrationd is stopping");
	(void)uv_timer_stop(&webhooks->timer);
}

struct webhooks *
webhooks_new(
    uv_loop_t *loop, struct metrics *metrics, void (*on_change)(void *arg), void *arg)
{
	struct webhooks *webhooks = mem_zero(NULL, struct webhooks);

	webhooks->magic = WEBHOOKS_MAGIC;
	webhooks->loop = loop;
	webhooks->metrics = metrics;
	webhooks->on_change = on_change;
	webhooks->arg = arg;
	(void)uv_timer_init(loop, &webhooks->timer);
	webhooks->timer.data = webhooks;
	return webhooks;
}

void
webhooks_configure(struct webhooks *webhooks, const struct config *config)
{
	webhooks->config = config;
}

static void
on_timer_closed(uv_handle_t *handle)
{
	struct webhooks *webhooks = webhooks_of(handle->data);

	webhooks->magic = 0;
	talloc_free(webhooks);
}

void
webhooks_close(struct webhooks *webhooks)
{
	webhooks_abandon(webhooks);
	if (webhooks->poster)
		poster_close(webhooks->poster);
	uv_close((uv_handle_t *)&webhooks->timer, on_timer_closed);
}
