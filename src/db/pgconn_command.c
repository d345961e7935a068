/* SPDX-License-Identifier: PostgreSQL */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/failpoint.h"
#include "base/mem.h"
#include "base/secret.h"
#include "db/pgconn_internal.h"
#include "db/sqlstate.h"

/* ---- the end of a session ---- */

static void
copy_line(char *buf, size_t size, const char *line)
{
	(void)snprintf(buf, size, "%.*s", (int)strcspn(line, "\n"), line);
}

/*
 * What the server said last may explain it, but is not the error of the statement in
 * hand: what became of that is not known. So the category is NETWORK_ERROR in any case.
 */
enum want
pgconn_lose(struct pgconn *conn, const char *why)
{
	struct err *err = &conn->reply.err;
	char line[256];

	if (err_is_set(&conn->goodbye) && !err_is_set(err))
		*err = conn->goodbye;
	copy_line(line, sizeof(line), *why ? why : "no reason given");
	err_set(err, CAT_NETWORK_ERROR, "the connection to %s was lost: %s",
	    conn->describe, line);
	err->category = CAT_NETWORK_ERROR;
	conn->reply.lost = true;
	return WANT_CLOSED;
}

/* ---- what the server says ---- */

/* Copy a field of the server, cut on the border of a character. */
static void
copy_field(char *buf, size_t size, const PGresult *result, int field)
{
	const char *value = PQresultErrorField(result, field);
	size_t len = value ? strlen(value) : 0;

	if (len >= size) {
		len = size - 1;
		while (len > 0 && ((unsigned char)value[len] & 0xC0) == 0x80)
			len--;
	}
	if (len > 0)
		memcpy(buf, value, len);
	buf[len] = '\0';
}

static void
read_error(struct err *err, const PGresult *result)
{
	char hint[sizeof(err->hint)];
	char line[256];
	const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

	if (err_is_set(err))
		return;
	copy_field(err->sqlstate, sizeof(err->sqlstate), result, PG_DIAG_SQLSTATE);
	copy_field(err->detail, sizeof(err->detail), result, PG_DIAG_MESSAGE_DETAIL);
	copy_field(err->context, sizeof(err->context), result, PG_DIAG_CONTEXT);
	secret_cover_sql(err->context); /* SQL statement "..." */
	copy_field(hint, sizeof(hint), result, PG_DIAG_MESSAGE_HINT);
	if (*hint)
		err_hint(err, "%s", hint);
	if (text) {
		err_set(err, sqlstate_category(err->sqlstate), "%s", text);
		return;
	}
	/* libpq's own errors have no fields, and mean that the session cannot go on */
	copy_line(line, sizeof(line), PQresultErrorMessage(result));
	err_set(err, CAT_NETWORK_ERROR, "%s", line);
}

static void
take_error(struct pgconn *conn, const PGresult *result)
{
	const char *position = PQresultErrorField(result, PG_DIAG_STATEMENT_POSITION);
	struct err *err = &conn->reply.err;

	if (err_is_set(err))
		return;
	read_error(err, result);
	conn->reply.position = position ? strtoul(position, NULL, 10) : 0;
	if (conn->copy_refused && strcmp(err->sqlstate, "57014") == 0) {
		/* our refusal comes back as query_canceled, which it is not */
		err->category = CAT_SQL_ERROR;
		err_hint(
		    err, "write the rows as INSERT statements (pg_dump --inserts does)");
	}
}

void
pgconn_on_server_notice(void *arg, const PGresult *result)
{
	struct pgconn *conn = arg;
	const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
	const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
	const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);

	assert(conn->magic == PGCONN_MAGIC);
	if (conn->closing)
		return;
	severity = severity ? severity : "NOTICE";
	/*
	 * how libpq hands on what the server says before it hangs up on an idle session
	 * (57P01 ...)
	 */
	if (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0)
		read_error(&conn->goodbye, result);
	else if (conn->on_notice)
		conn->on_notice(conn->on_notice_arg, severity, sqlstate ? sqlstate : "",
		    message ? message : PQresultErrorMessage(result));
}

/* Read what has come. False: the connection is gone. */
static bool
consume(struct pgconn *conn)
{
	PGnotify *notify = NULL;

	if (!PQconsumeInput(conn->pq))
		return false;
	/*
	 * a migration may have said LISTEN; libpq would keep each notification for ever
	 */
	while ((notify = PQnotifies(conn->pq)))
		PQfreemem(notify);
	return true;
}

/* ---- stages ---- */

enum want
pgconn_stage_idle(struct pgconn *conn)
{
	if (!consume(conn) || PQstatus(conn->pq) == CONNECTION_BAD)
		return pgconn_lose(conn, PQerrorMessage(conn->pq));
	return WANT_READ;
}

static enum want
lose_command(struct pgconn *conn)
{
	return pgconn_lose(conn,
	    conn->expired ? "no answer to the request to cancel"
			  : PQerrorMessage(conn->pq));
}

/*
 * A command is finished, but its cancel request is not: it must not hit the next
 * command.
 */
enum want
pgconn_stage_hold(struct pgconn *conn)
{
	if (conn->expired || !consume(conn))
		return lose_command(conn);
	if (conn->cancel)
		return WANT_READ;
	conn->stage = pgconn_stage_idle;
	return WANT_DONE;
}

/*
 * The command tags of statements that end or begin a transaction. ROLLBACK is not among them: it is
 * the tag of ROLLBACK TO SAVEPOINT too, and a plain one shows in the transaction status.
 */
static bool
is_transaction_tag(const char *tag)
{
	static const char *const tags[] = { "COMMIT", "BEGIN", "START TRANSACTION",
		"PREPARE TRANSACTION" };

	for (size_t i = 0; i < ARRAY_SIZE(tags); i++)
		if (strcmp(tag, tags[i]) == 0)
			return true;
	return false;
}

/* How much of a COPY is handed to libpq at a time: it keeps what the socket does not take. */
#define COPY_PIECE 65536u

/* Take one result. False: the connection cannot be used any more. */
static bool
take_result(struct pgconn *conn, PGresult *result)
{
	switch (PQresultStatus(result)) {
	case PGRES_COMMAND_OK:
	case PGRES_TUPLES_OK:
		conn->reply.n_completed++;
		conn->reply.ran_transaction_control |=
		    is_transaction_tag(PQcmdStatus(result));
		/* fallthrough */
	case PGRES_EMPTY_QUERY:
		PQclear(conn->result);
		conn->result = result;
		return true;
	case PGRES_SINGLE_TUPLE:
		break;
	case PGRES_COPY_IN:
		conn->copy = COPY_IN;
		break;
	case PGRES_COPY_OUT:
		conn->copy = COPY_OUT;
		break;
	case PGRES_COPY_BOTH:
		PQclear(result);
		return false;
	case PGRES_BAD_RESPONSE:
	case PGRES_NONFATAL_ERROR:
	case PGRES_FATAL_ERROR:
	case PGRES_PIPELINE_SYNC:
	case PGRES_PIPELINE_ABORTED:
		take_error(conn, result);
		break;
	}
	PQclear(result);
	return true;
}

/* Send the data in pieces: as above. */
static int
step_copy_in(struct pgconn *conn)
{
	if (!conn->copy_data) {
		conn->copy_refused = true;
		return PQputCopyEnd(
		    conn->pq, "COPY ... FROM STDIN has no data in a migration file");
	}
	while (conn->copy_len > 0) {
		size_t n = conn->copy_len < COPY_PIECE ? conn->copy_len : COPY_PIECE;
		int rc = PQputCopyData(conn->pq, conn->copy_data, (int)n);

		if (rc <= 0)
			return rc;
		conn->copy_data += n;
		conn->copy_len -= n;
	}
	return PQputCopyEnd(conn->pq, NULL);
}

/* Go on with a COPY: 1 it is over, 0 wait, -1 the connection cannot be used any more. */
static int
step_copy(struct pgconn *conn)
{
	char *data = NULL;
	int rc = 0;

	if (conn->copy == COPY_IN) {
		rc = step_copy_in(conn);
	} else {
		while ((rc = PQgetCopyData(conn->pq, &data, 1)) > 0)
			PQfreemem(data);
		rc = rc == -1 ? 1 : rc == 0 ? 0 : -1;
	}
	if (rc != 0)
		conn->copy = COPY_NONE;
	return rc;
}

/* Send what is left of the command, read what has come of its results. */
enum want
pgconn_stage_command(struct pgconn *conn)
{
	PGresult *result = NULL;
	int unsent = 0;
	int rc = 1;

	if (conn->expired || !consume(conn))
		return lose_command(conn);
	for (;;) {
		if (conn->copy != COPY_NONE && (rc = step_copy(conn)) <= 0)
			break;
		if (PQisBusy(conn->pq))
			break;
		result = PQgetResult(conn->pq);
		if (!result)
			break;
		if (!take_result(conn, result))
			return pgconn_lose(conn, "the server switched to replication");
	}
	unsent = PQflush(conn->pq);
	if (rc < 0 || unsent < 0 || PQstatus(conn->pq) == CONNECTION_BAD)
		return pgconn_lose(conn, PQerrorMessage(conn->pq));
	if (conn->copy != COPY_NONE || PQisBusy(conn->pq))
		return unsent || conn->copy == COPY_IN ? WANT_BOTH : WANT_READ;
	if (conn->cancel) {
		conn->stage = pgconn_stage_hold;
		return WANT_READ;
	}
	conn->stage = pgconn_stage_idle;
	FAILPOINT_SOCKET("reply", PQsocket(conn->pq));
	return WANT_DONE;
}

/* The command could not even be sent. */
static enum want
stage_unsent(struct pgconn *conn)
{
	return pgconn_lose(conn, conn->pq ? PQerrorMessage(conn->pq) : "not connected");
}

/* ---- commands ---- */

/*
 * Everything about the command before. False: there is no connection, and the reply
 * says so.
 */
static bool
begin(struct pgconn *conn, pgconn_reply_fn *fn, void *arg)
{
	assert(conn->magic == PGCONN_MAGIC && !conn->closing && !conn->fn);
	conn->fn = fn;
	conn->arg = arg;
	conn->reply = (struct pgconn_reply){ 0 };
	conn->copy = COPY_NONE;
	conn->copy_refused = false;
	conn->expired = false;
	conn->copy_data = NULL;
	FAILPOINT_SOCKET("send", PQsocket(conn->pq));
	return conn->open;
}

static void
sent(struct pgconn *conn, bool ok)
{
	int unsent = ok ? PQflush(conn->pq) : -1;

	FAILPOINT_SOCKET("sent", PQsocket(conn->pq));
	conn->stage = pgconn_stage_command;
	if (unsent >= 0 &&
	    pgconn_arm(conn, unsent ? WANT_BOTH : WANT_READ) != WANT_CLOSED)
		return;
	/* the reply comes from the loop, never from inside this call */
	conn->stage = stage_unsent;
	(void)pgconn_arm(conn, WANT_TURN);
}

void
pgconn_query(struct pgconn *conn, const char *sql, pgconn_reply_fn *fn, void *arg)
{
	sent(conn, begin(conn, fn, arg) && PQsendQuery(conn->pq, sql));
}

void
pgconn_execute(struct pgconn *conn, const char *sql, size_t len, const char *data,
    size_t data_len, pgconn_reply_fn *fn, void *arg)
{
	bool ok = begin(conn, fn, arg);
	char *copy = ok ? mem_strndup(conn, sql, len) : NULL;

	ok = ok && PQsendQuery(conn->pq, copy) && PQsetSingleRowMode(conn->pq);
	talloc_free(copy);
	sent(conn, ok);
	conn->copy_data = data;
	conn->copy_len = data_len;
}

void
pgconn_run(struct pgconn *conn, const struct pgconn_statement *statement,
    pgconn_reply_fn *fn, void *arg)
{
	bool ok = begin(conn, fn, arg);

	assert(statement->n_params <= PGCONN_PARAMS);
	if (ok && statement->n_params == 0)
		ok = PQsendQuery(conn->pq, statement->sql);
	else if (ok)
		ok = PQsendQueryParams(conn->pq, statement->sql, statement->n_params,
		    NULL, statement->params, NULL, NULL, 0);
	sent(conn, ok);
}
