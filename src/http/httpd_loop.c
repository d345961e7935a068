/* SPDX-License-Identifier: PostgreSQL */
#include <assert.h>
#include <sys/socket.h>

#include "base/log.h"
#include "base/mem.h"
#include "http/httpd_internal.h"

/*
 * Turns that the last answers get to leave; each moves them on by one step of
 * libmicrohttpd.
 */
#define LAST_TURNS 16

static int64_t
now_us(const struct httpd *httpd)
{
	return httpd->api->now_mono_us();
}

void
connection_give_time(struct connection *connection, int64_t more_ms)
{
	struct httpd *httpd = connection->listener->httpd;

	connection->deadline_mono_us =
	    now_us(httpd) + httpd->request_timeout_us + more_ms * 1000;
}

void
httpd_refuse_to_wait(struct request *request)
{
	request->state = REQUEST_READY;
	request_refuse(request, 503, CAT_CANCELLED, NULL, "migrationd is stopping");
}

/* ---- the tick ---- */

/* A handler may park its request again, for something else. */
static void
resume_due(struct httpd *httpd, int64_t at_us)
{
	for (struct connection *c = httpd->connections; c; c = c->next) {
		if (!connection_is_parked(c) || !request_is_due(c->request, at_us))
			continue;
		c->request->resume(c->request);
		if (!connection_is_parked(c))
			connection_resume(c);
	}
}

/*
 * libmicrohttpd sees the end of the stream and frees the connection; its callbacks then
 * come to us.
 */
static void
cut_overdue(struct httpd *httpd, int64_t at_us)
{
	for (struct connection *c = httpd->connections; c; c = c->next) {
		if (c->deadline_mono_us == 0 || at_us < c->deadline_mono_us)
			continue;
		log_debug("connection cut at its deadline",
		    LOG_STR("peer", c->request ? c->request->peer : NULL));
		shutdown(c->fd, SHUT_RDWR);
		connection_give_time(c, 0);
	}
}

static void
on_poll(uv_poll_t *poll, int status, int events)
{
	(void)poll;
	(void)status;
	(void)events;
}

static void
on_timer(uv_timer_t *timer)
{
	(void)timer;
}

static int64_t
earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* When something is due although no event comes. */
static int64_t
next_wake_us(const struct httpd *httpd, int64_t at_us)
{
	int64_t wake = INT64_MAX;

	for (const struct listener *l = httpd->listeners; l; l = l->next) {
		int64_t wait_ms = listener_wait_ms(l);

		if (wait_ms >= 0)
			wake = earlier(wake, at_us + wait_ms * 1000);
	}
	for (const struct connection *c = httpd->connections; c; c = c->next) {
		int64_t deadline = connection_is_parked(c) ? c->request->deadline_mono_us
							   : c->deadline_mono_us;

		if (deadline)
			wake = earlier(wake, deadline);
	}
	return wake;
}

static bool
is_reading(const struct httpd *httpd)
{
	const struct check_reading *reading = httpd->api->reading;

	return reading && check_reading_is_busy(reading);
}

static void
arm_timer(struct httpd *httpd)
{
	int64_t at_us = now_us(httpd);
	int64_t wake = is_reading(httpd) ? at_us : next_wake_us(httpd, at_us);
	int64_t wait_us = wake > at_us ? wake - at_us : 0;

	/* rounded up, so as not to turn without a need just before the deadline */
	if (wake == INT64_MAX)
		uv_timer_stop(&httpd->timer);
	else
		uv_timer_start(
		    &httpd->timer, on_timer, (uint64_t)(wait_us + 999) / 1000, 0);
}

void
httpd_tick(struct httpd *httpd)
{
	int64_t at_us = now_us(httpd);

	assert(httpd->magic == HTTPD_MAGIC);
	if (httpd->closing)
		return;
	(void)api_check_turn(httpd->api);
	resume_due(httpd, at_us);
	cut_overdue(httpd, at_us);
	for (struct listener *l = httpd->listeners; l; l = l->next)
		listener_run(l);
	/* a request that came just now may have begun a reading */
	arm_timer(httpd);
}

unsigned
httpd_in_flight(const struct httpd *httpd)
{
	return (unsigned)httpd->api->metrics->requests_in_flight;
}

/* ---- start and stop ---- */

struct httpd *
httpd_new(uv_loop_t *loop, struct api *api, int64_t request_timeout_ms)
{
	struct httpd *httpd = mem_zero(NULL, struct httpd);

	httpd->magic = HTTPD_MAGIC;
	httpd->api = api;
	httpd->loop = loop;
	httpd->request_timeout_us = request_timeout_ms * 1000;
	uv_timer_init(loop, &httpd->timer);
	httpd->timer.data = httpd;
	httpd->open_handles = 1;
	return httpd;
}

int
httpd_add_listener(
    struct httpd *httpd, int fd, const struct listener_facts *facts, struct err *err)
{
	struct listener *listener = mem_zero(httpd, struct listener);
	int epoll_fd;

	listener->magic = LISTENER_MAGIC;
	listener->httpd = httpd;
	listener->facts = *facts;
	epoll_fd = listener_start(listener, fd);
	if (epoll_fd < 0) {
		talloc_free(listener);
		return err_set(err, CAT_INTERNAL, "libmicrohttpd does not start");
	}
	if (uv_poll_init(httpd->loop, &listener->poll, epoll_fd) < 0) {
		listener_stop(listener);
		talloc_free(listener);
		return err_set(err, CAT_INTERNAL, "cannot watch the HTTP listener");
	}
	uv_poll_start(&listener->poll, UV_READABLE, on_poll);
	listener->poll.data = httpd;
	httpd->open_handles++;
	listener->next = httpd->listeners;
	httpd->listeners = listener;
	return 0;
}

void
httpd_quiesce(struct httpd *httpd)
{
	if (httpd->quiet)
		return;
	httpd->quiet = true;
	for (struct listener *l = httpd->listeners; l; l = l->next)
		listener_quiesce(l);
}

static void
answer_parked(struct httpd *httpd)
{
	for (struct connection *c = httpd->connections; c; c = c->next) {
		if (!connection_is_parked(c))
			continue;
		if (c->request->is_ready(c->request))
			c->request->resume(c->request);
		if (connection_is_parked(c))
			httpd_refuse_to_wait(c->request);
		connection_resume(c);
	}
}

static void
on_close(uv_handle_t *handle)
{
	struct httpd *httpd = handle->data;

	assert(httpd->magic == HTTPD_MAGIC);
	if (--httpd->open_handles > 0)
		return;
	httpd->magic = 0;
	talloc_free(httpd);
}

void
httpd_close(struct httpd *httpd)
{
	httpd->closing = true;
	httpd_quiesce(httpd);
	answer_parked(httpd);
	for (struct listener *l = httpd->listeners; l; l = l->next) {
		for (int i = 0; i < LAST_TURNS; i++)
			listener_run(l);
		uv_poll_stop(&l->poll);
		listener_stop(l);
		uv_close((uv_handle_t *)&l->poll, on_close);
	}
	uv_close((uv_handle_t *)&httpd->timer, on_close);
}
