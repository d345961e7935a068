/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The inside of a connection. pgconn.c has its life and its handles, pgconn_open.c
 * conninfo, host names and connecting, pgconn_failure.c why that failed, pgconn_command.c
 * commands and their results, pgconn_cancel.c the request to end one.
 * Nobody else includes it.
 *
 * A connection is always in one stage. A stage is a function that does as much as it
 * can without waiting and returns what it waits for; pgconn_do calls it, and pgconn_arm
 * is the only place where a want becomes uv_poll and uv_timer calls. A stage that has
 * finished sets the next one.
 *
 *	open:     [password ->] resolve -> connect -> idle
 *	command:  idle -> command [-> hold] -> idle
 *	the end:  any -> NULL
 */

#include "db/pgconn.h"

enum want {
	WANT_DONE, /* what was asked for is finished: reply, then watch the idle socket */
	WANT_READ, /* the socket, readable */
	WANT_WRITE,  /* the socket, writable */
	WANT_BOTH,   /* the socket, either */
	WANT_TURN,   /* the next turn of the loop */
	WANT_LOOKUP, /* a name server's answer, or a command's: its callback goes on */
	WANT_CLOSED, /* the connection is over: tear down, reply */
};

enum copy {
	COPY_NONE,
	COPY_IN,
	COPY_OUT
};

/*
 * A socket being watched. Its own allocation: libuv frees a handle later than libpq its
 * socket.
 */
struct watch {
	unsigned magic;
	uv_poll_t poll;
	int fd;
	struct pgconn *conn;
};

/* A PQcancel in libuv's pool. Its own allocation: it may outlive the connection. */
struct cancel {
	unsigned magic;
	uv_work_t work;
	PGcancel *request;
	char error[256];
	bool sent;
	struct pgconn *conn; /* NULL once nobody waits for it */
};

#define PGCONN_MAGIC 0x7067636fu

struct attempt; /* of pgconn_open.c: one pgconn_open */

struct pgconn {
	unsigned magic;
	uv_loop_t *loop;
	uv_timer_t turn;
	uv_timer_t deadline; /* of connecting, and of cancelling */
	struct watch *watch;
	unsigned n_handles; /* uv handles not yet closed; the last one frees us */
	bool closing;

	PGconn *pq; /* NULL: never opened, or lost */
	bool open;  /* connected, and not lost */
	enum want (*stage)(struct pgconn *conn);
	bool expired; /* the deadline has passed */
	struct attempt *attempt;
	char describe[320];

	pgconn_reply_fn *fn; /* NULL: no command in progress */
	void *arg;
	struct pgconn_reply reply;
	PGresult *result;
	enum copy copy;
	bool copy_refused;
	const char *
	    copy_data; /* for COPY ... FROM STDIN: what is still to be sent; NULL: none */
	size_t copy_len;
	struct cancel *cancel;
	struct err
	    goodbye; /* what the server said before it hung up on an idle session */

	void (*on_lost)(void *arg, const struct err *err);
	void *on_lost_arg;
	void (*on_notice)(
	    void *arg, const char *severity, const char *sqlstate, const char *message);
	void *on_notice_arg;
};

/*
 * Call the stage, arm what it wants, reply when it is finished. Callbacks end with it:
 * the connection may be gone afterwards.
 */
void pgconn_do(struct pgconn *conn);

/* The stage is called once more when so much time has passed: conn->expired. */
void pgconn_set_deadline(struct pgconn *conn, uint64_t timeout_ms);

/*
 * Turn a want into calls of libuv. Returns it, or WANT_CLOSED where the socket cannot
 * be watched.
 */
enum want pgconn_arm(struct pgconn *conn, enum want want);

/* Nothing is watched until the next want. Needed before libpq may close its socket. */
void pgconn_disarm(struct pgconn *conn);

/*
 * The session is over: what a stage returns then. `why` is libpq's message, of which
 * the first line is kept, unless the server has said more.
 */
enum want pgconn_lose(struct pgconn *conn, const char *why);

/* The stage of an open connection without a command. */
enum want pgconn_stage_idle(struct pgconn *conn);

/* A command is in progress; it is finished, but its cancel request is still under way. */
enum want pgconn_stage_command(struct pgconn *conn);
enum want pgconn_stage_hold(struct pgconn *conn);

/* Why libpq could not connect: category, text, detail and hint, where its message tells them. */
void pgconn_read_failure(PGconn *pq, struct err *err);

/* Forget the attempt; a lookup that is still under way finds nobody. */
void pgconn_drop_attempt(struct pgconn *conn);

/* For PQsetNoticeReceiver; `arg` is the connection. */
void pgconn_on_server_notice(void *arg, const PGresult *result);
