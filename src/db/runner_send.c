/* SPDX-License-Identifier: PostgreSQL */
#include "db/runner_steps.h"

/*
 * What the runner sends. The steps see one answer to each thing that they send, although it
 * may be sent again where a server only says that another was quicker, and cut into pieces
 * where it takes one statement of DDL at a time.
 */

#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/sqlscan.h"

/* Times that one thing is sent again; the pauses double from 100 ms to 5 s. */
#define AGAIN_MAX 12

static void
send_now(struct runner *runner)
{
	const struct runner_outbox *out = &runner->outbox;

	if (out->execute) {
		pgconn_execute(runner->conn, out->statement.sql, out->len, out->data,
		    out->data_len, runner_on_reply, runner);
		runner_watch(runner);
	} else {
		pgconn_run(runner->conn, &out->statement, runner_on_reply, runner);
	}
}

void
runner_send(struct runner *runner, const struct pgconn_statement *statement)
{
	runner->outbox = (struct runner_outbox){ .statement = *statement };
	send_now(runner);
}

void
runner_send_watched(struct runner *runner, const struct pgconn_statement *statement)
{
	runner_send(runner, statement);
	runner_watch(runner);
}

void
runner_query(struct runner *runner, const char *sql)
{
	struct pgconn_statement statement = { .sql = sql };

	runner_send(runner, &statement);
}

void
runner_execute_with_data(
    struct runner *runner, const char *sql, size_t len, const char *data, size_t data_len)
{
	runner->outbox = (struct runner_outbox){
		.execute = true,
		.statement = { .sql = sql },
		.len = len,
		.data = data,
		.data_len = data_len,
	};
	send_now(runner);
}

void
runner_execute(struct runner *runner, const char *sql, size_t len)
{
	runner_execute_with_data(runner, sql, len, NULL, 0);
}

/* ---- one statement at a time ---- */

/* The next of the string; false: there is none. */
static bool
send_next(struct runner *runner)
{
	struct runner_outbox *out = &runner->outbox;
	struct sqlscan_statement st;

	if (out->ddl == NULL || !sqlscan_next(&out->scan, &st))
		return false;
	out->statement = (struct pgconn_statement){
		.sql = mem_strndup(runner->scratch, out->ddl + st.offset, st.len),
	};
	out->sent = 0;
	send_now(runner);
	return true;
}

void
runner_send_ddl(struct runner *runner, const struct pgconn_statement *statement)
{
	if (engine_can(&runner->engine, ENGINE_MANY_DDL)) {
		runner->outbox =
		    (struct runner_outbox){ .statement = *statement, .makes = true };
		send_now(runner);
		return;
	}
	runner->outbox = (struct runner_outbox){ .makes = true, .ddl = statement->sql };
	sqlscan_init(&runner->outbox.scan, statement->sql, strlen(statement->sql));
	send_next(runner);
}

/* ---- once more ---- */

/*
 * Two migrationds make the same thing at the same time: IF NOT EXISTS does not keep the slower one
 * from running into the other's row of pg_type or pg_namespace. By now that can be seen.
 */
static bool
is_made_by_another(const struct runner_outbox *out, const struct err *err)
{
	static const char *const states[] = { "23505", "42P06", "42P07", "42710" };

	for (size_t i = 0; out->makes && out->sent == 0 && i < ARRAY_SIZE(states); i++)
		if (strcmp(err->sqlstate, states[i]) == 0)
			return true;
	return false;
}

/*
 * Outside a transaction such an error says that nothing came of the statement: of our own
 * bookkeeping, and of DDL that is a transaction by itself.
 */
static bool
may_send_again(const struct runner *runner, const struct pgconn_reply *reply)
{
	enum run_state state = runner->run->state;

	if (runner->in_transaction || runner_is_stopping(runner) ||
	    state == RUN_CONNECT || !pgconn_is_open(runner->conn))
		return false;
	if (is_made_by_another(&runner->outbox, &reply->err))
		return true;
	if (runner->engine.dialect == NULL || !engine_is_conflict(&reply->err))
		return false;
	if (state == RUN_ALONE &&
	    (runner_statement_alone(runner)->class.kind == SQLCLASS_DO_COMMIT ||
		!lock_is_sure(&runner->lock, clock_mono_us())))
		return false;
	return runner->outbox.sent < AGAIN_MAX;
}

void
runner_send_again(struct runner *runner)
{
	struct pgconn_reply reply = { .err = *runner->outbox.cause };

	runner->outbox.again = false;
	if (may_send_again(runner, &reply)) {
		runner->outbox.sent++;
		send_now(runner);
	} else { /* cancelled meanwhile, or the lock is not sure any more: that was the answer */
		runner_on_reply(runner, &reply);
	}
}

bool
runner_sends_more(struct runner *runner, const struct pgconn_reply *reply)
{
	struct runner_outbox *out = &runner->outbox;
	uint32_t whole = out->sent < 6 ? 100u << out->sent : 5000u;
	struct err *cause = NULL;

	if (!may_send_again(runner, reply))
		return !err_is_set(&reply->err) && send_next(runner);
	log_info("the server asks for it once more",
	    LOG_STR("state", run_state_name(runner->run->state)),
	    LOG_STR("why", reply->err.text), LOG_STR("migration", runner->run->current),
	    LOG_STR("run", runner->run->id));
	runner->run->attempts++;
	out->again = true;
	cause = mem_zero(runner->scratch, struct err);
	*cause = reply->err;
	out->cause = cause;
	runner_pause(runner, whole / 2 + digest_random(whole / 2 + 1));
	return true;
}
