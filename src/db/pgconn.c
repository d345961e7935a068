/* SPDX-License-Identifier: PostgreSQL */
#include "db/pgconn.h"

#include <assert.h>

#include "base/mem.h"
#include "db/pgconn_internal.h"

#define WATCH_MAGIC 0x77617463u

/* ---- handles ---- */

static void
on_closed(struct pgconn *conn)
{
	if (--conn->n_handles > 0 || !conn->closing)
		return;
	/* only now: pgconn_close may have been called from a notice, inside libpq */
	PQclear(conn->result);
	PQfinish(conn->pq);
	conn->magic = 0;
	talloc_free(conn);
}

static void
on_timer_closed(uv_handle_t *handle)
{
	struct pgconn *conn = handle->data;

	assert(conn->magic == PGCONN_MAGIC);
	on_closed(conn);
}

static void
on_watch_closed(uv_handle_t *handle)
{
	struct watch *watch = handle->data;
	struct pgconn *conn = watch->conn;

	assert(watch->magic == WATCH_MAGIC);
	watch->magic = 0;
	talloc_free(watch);
	on_closed(conn);
}

static void
on_socket(uv_poll_t *handle, int status UNUSED, int events UNUSED)
{
	struct watch *watch = handle->data;

	assert(watch->magic == WATCH_MAGIC);
	/* status is not looked at: libpq sees the same error, and has words for it */
	pgconn_do(watch->conn);
}

static void
on_turn(uv_timer_t *timer)
{
	struct pgconn *conn = timer->data;

	assert(conn->magic == PGCONN_MAGIC);
	pgconn_do(conn);
}

static void
close_watch(struct pgconn *conn)
{
	struct watch *watch = conn->watch;

	if (!watch)
		return;
	conn->watch = NULL;
	uv_close((uv_handle_t *)&watch->poll, on_watch_closed);
}

/* See that the handle is of the socket that libpq has now. */
static int
watch_socket(struct pgconn *conn)
{
	int fd = PQsocket(conn->pq);
	struct watch *watch = NULL;
	int rc = 0;

	if (conn->watch && conn->watch->fd == fd)
		return 0;
	close_watch(conn);
	watch = mem_zero(conn, struct watch);
	rc = uv_poll_init(conn->loop, &watch->poll, fd);
	if (rc < 0) {
		talloc_free(watch);
		return rc;
	}
	watch->magic = WATCH_MAGIC;
	watch->fd = fd;
	watch->conn = conn;
	watch->poll.data = watch;
	conn->watch = watch;
	conn->n_handles++;
	return 0;
}

static int
watch_for(struct pgconn *conn, int events)
{
	int rc = watch_socket(conn);

	/*
	 * Always, even when fd and events look unchanged: libpq may have closed its
	 * socket and opened another on the same number (seen with two hosts of which
	 * the first refuses).
	 */
	return rc < 0 ? rc : uv_poll_start(&conn->watch->poll, events, on_socket);
}

void
pgconn_disarm(struct pgconn *conn)
{
	if (conn->watch)
		(void)uv_poll_stop(&conn->watch->poll);
}

static void
tear_down(struct pgconn *conn)
{
	close_watch(conn);
	PQfinish(conn->pq);
	conn->pq = NULL;
	conn->open = false;
	conn->stage = NULL;
	if (conn->cancel)
		conn->cancel->conn = NULL;
	conn->cancel = NULL;
}

enum want
pgconn_arm(struct pgconn *conn, enum want want)
{
	int rc = 0;

	switch (want) {
	case WANT_DONE:
	case WANT_READ:
		rc = watch_for(conn, UV_READABLE);
		break;
	case WANT_WRITE:
		rc = watch_for(conn, UV_WRITABLE);
		break;
	case WANT_BOTH:
		rc = watch_for(conn, UV_READABLE | UV_WRITABLE);
		break;
	case WANT_TURN:
		rc = uv_timer_start(&conn->turn, on_turn, 0, 0);
		break;
	case WANT_LOOKUP:
	case WANT_CLOSED:
		break;
	}
	if (rc < 0)
		want = pgconn_lose(conn, uv_strerror(rc));
	if (want == WANT_CLOSED)
		tear_down(conn);
	return want;
}

/* ---- the end of a command, or of the connection ---- */

static void
reply_to_caller(struct pgconn *conn)
{
	pgconn_reply_fn *fn = conn->fn;
	struct pgconn_reply reply = conn->reply;
	PGresult *result = conn->result;

	conn->fn = NULL;
	conn->result = NULL;
	reply.result = err_is_set(&reply.err) ? NULL : result;
	reply.transaction = conn->pq ? PQtransactionStatus(conn->pq) : PQTRANS_UNKNOWN;
	fn(conn->arg, &reply);
	PQclear(result);
}

void
pgconn_do(struct pgconn *conn)
{
	enum want want = WANT_DONE;

	(void)uv_timer_stop(&conn->turn);
	want = conn->stage(conn);
	if (conn->closing)
		return;
	want = pgconn_arm(conn, want);
	if (want != WANT_DONE && want != WANT_CLOSED)
		return;
	(void)uv_timer_stop(&conn->deadline);
	pgconn_drop_attempt(conn);
	if (conn->fn) {
		reply_to_caller(conn);
	} else if (conn->on_lost) {
		struct err err = conn->reply.err;

		conn->on_lost(conn->on_lost_arg, &err);
	}
}

/* ---- life ---- */

static void
on_deadline(uv_timer_t *timer)
{
	struct pgconn *conn = timer->data;

	assert(conn->magic == PGCONN_MAGIC);
	conn->expired = true;
	pgconn_do(conn);
}

void
pgconn_set_deadline(struct pgconn *conn, uint64_t timeout_ms)
{
	(void)uv_timer_start(&conn->deadline, on_deadline, timeout_ms, 0);
}

struct pgconn *
pgconn_new(uv_loop_t *loop)
{
	struct pgconn *conn = mem_zero(NULL, struct pgconn);

	conn->magic = PGCONN_MAGIC;
	conn->loop = loop;
	(void)uv_timer_init(loop, &conn->turn);
	(void)uv_timer_init(loop, &conn->deadline);
	conn->turn.data = conn;
	conn->deadline.data = conn;
	conn->n_handles = 2;
	return conn;
}

void
pgconn_close(struct pgconn *conn)
{
	if (!conn)
		return;
	assert(conn->magic == PGCONN_MAGIC && !conn->closing);
	conn->closing = true;
	conn->open = false;
	conn->fn = NULL;
	pgconn_drop_attempt(conn);
	if (conn->cancel)
		conn->cancel->conn = NULL;
	conn->cancel = NULL;
	close_watch(conn);
	uv_close((uv_handle_t *)&conn->turn, on_timer_closed);
	uv_close((uv_handle_t *)&conn->deadline, on_timer_closed);
}

void
pgconn_on_lost(
    struct pgconn *conn, void (*fn)(void *arg, const struct err *err), void *arg)
{
	conn->on_lost = fn;
	conn->on_lost_arg = arg;
}

void
pgconn_on_notice(struct pgconn *conn,
    void (*fn)(
	void *arg, const char *severity, const char *sqlstate, const char *message),
    void *arg)
{
	conn->on_notice = fn;
	conn->on_notice_arg = arg;
}

bool
pgconn_is_open(const struct pgconn *conn)
{
	return conn->open;
}

bool
pgconn_is_busy(const struct pgconn *conn)
{
	return conn->fn;
}

int
pgconn_backend_pid(const struct pgconn *conn)
{
	return conn->open ? PQbackendPID(conn->pq) : 0;
}

int
pgconn_server_version(const struct pgconn *conn)
{
	return conn->open ? PQserverVersion(conn->pq) : 0;
}

const char *
pgconn_describe(const struct pgconn *conn)
{
	return conn->describe;
}
