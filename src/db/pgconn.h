/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * One non-blocking connection to the server, on the loop.
 *
 * It connects, runs one command at a time, and says how each ended. Inside it is a set
 * of steps, each of which does what it can and returns what it waits for; one function
 * turns that into uv_poll and uv_timer calls.
 *
 *	struct pgconn *conn = pgconn_new(loop);
 *
 *	pgconn_open(conn, &params, on_open, me);
 *	...
 *	static void on_open(void *arg, const struct pgconn_reply *reply)
 *	{
 *		if (err_is_set(&reply->err)) ...
 *		pgconn_query(conn, "SELECT 1", on_row, me);
 *	}
 *	...
 *	pgconn_close(conn);
 *
 * A reply function may call pgconn_query or pgconn_close. It is called exactly once for
 * each open, query or statement, from the loop (never from inside the call that started
 * it), unless pgconn_close came first: after pgconn_close nothing is called any more.
 * Losing the connection ends the command in progress with NETWORK_ERROR and `lost` set;
 * while idle it calls the function given to pgconn_on_lost.
 */

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include <libpq-fe.h>

#include "base/err.h"

struct password_memory;
struct pgconn;

/* Where to connect. Strings are borrowed for the call. */
struct pgconn_params {
	/* URI or keyword string as libpq takes it; "" or NULL: PG* environment */
	const char *conninfo;
	const char *database; /* overrides; NULL: as conninfo says */
	const char *password; /* overrides; NULL: as conninfo, PGPASSFILE ... say */
	const char
	    *password_command; /* run to get the password (db/password.h); or NULL */
	struct password_memory *password_memory; /* for that; outlives the connection */
	const char
	    *application_name; /* shown in pg_stat_activity, unless conninfo has one */
	int64_t connect_timeout_ms; /* of one pgconn_open, all hosts and addresses */
};

struct pgconn_reply {
	struct err err; /* CAT_NONE: all of it worked */
	bool lost;      /* the connection is gone, or did not come about */

	/*
	 * The last result, for queries that return rows or a command tag; NULL after an
	 * error and after pgconn_open. Freed when the reply function returns.
	 */
	const PGresult *result;
	/* statements of the string that completed, before the one that failed */
	unsigned n_completed;
	/* of the error, in characters from 1 (PG_DIAG_STATEMENT_POSITION); 0: none */
	unsigned long position;
	PGTransactionStatusType transaction; /* after the command */
	/* a COMMIT, BEGIN or PREPARE TRANSACTION was among the statements */
	bool ran_transaction_control;
};

typedef void pgconn_reply_fn(void *arg, const struct pgconn_reply *reply);

/* A statement with text parameters: what the tracking, lock and journal modules build. */
#define PGCONN_PARAMS 13
struct pgconn_statement {
	const char *sql;
	int n_params; /* 0: sent by the simple protocol, may hold several statements */
	const char *params[PGCONN_PARAMS]; /* NULL is SQL NULL */
};

/* Closed. Freed by pgconn_close once its handles are closed. */
struct pgconn *pgconn_new(uv_loop_t *loop);

/*
 * Connect. Host names are resolved by uv_getaddrinfo (libpq would block the loop) and
 * handed over as hostaddr; client_encoding is UTF8. Failure: NETWORK_ERROR or what the
 * SQLSTATE says, always with exit code EXIT_UNREACHABLE and HTTP status 503, no
 * conninfo and no password in the text, only host, port, database and user.
 */
void pgconn_open(struct pgconn *conn, const struct pgconn_params *params,
    pgconn_reply_fn *fn, void *arg);

/*
 * Send `sql` (simple protocol: may hold several statements). Rows of all but the last
 * result are dropped.
 */
void pgconn_query(struct pgconn *conn, const char *sql, pgconn_reply_fn *fn, void *arg);

/*
 * As pgconn_query for text that is not NUL-terminated and whose rows nobody wants: read
 * row by row and dropped, so that memory stays flat. `data` is what a COPY FROM STDIN
 * reads, kept by the caller until the reply; NULL: it is answered with a failure. COPY TO
 * STDOUT is read and dropped.
 */
void pgconn_execute(struct pgconn *conn, const char *sql, size_t len, const char *data,
    size_t data_len, pgconn_reply_fn *fn, void *arg);

void pgconn_run(struct pgconn *conn, const struct pgconn_statement *statement,
    pgconn_reply_fn *fn, void *arg);

/*
 * Ask the server to cancel the command in progress: PQcancel in libuv's pool. Nothing
 * when idle.
 */
void pgconn_cancel(struct pgconn *conn);

/* What to call when an idle connection is lost (err says why). NULL: nothing. */
void pgconn_on_lost(
    struct pgconn *conn, void (*fn)(void *arg, const struct err *err), void *arg);

/* What to call with each NOTICE or WARNING of the server. */
void pgconn_on_notice(struct pgconn *conn,
    void (*fn)(
	void *arg, const char *severity, const char *sqlstate, const char *message),
    void *arg);

bool pgconn_is_open(const struct pgconn *conn); /* connected, and not lost */
bool pgconn_is_busy(const struct pgconn *conn); /* a command is in progress */

/* Process id that the server (or a pooler) gave at connect; 0 when not connected. */
int pgconn_backend_pid(const struct pgconn *conn);
int pgconn_server_version(const struct pgconn *conn); /* 150020; 0 when not connected */

/*
 * "host:port/database as user" or "socket ..." of the present or last connection: never
 * a secret.
 */
const char *pgconn_describe(const struct pgconn *conn);

/* Close and free. Safe in any state and from a reply function; NULL is fine. */
void pgconn_close(struct pgconn *conn);

/* Connections tried and failed since the start of the process: for /metrics. */
uint64_t pgconn_connects(void);
uint64_t pgconn_connect_failures(void);
