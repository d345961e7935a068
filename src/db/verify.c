/* SPDX-License-Identifier: PostgreSQL */
#include "db/verify.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "core/drift.h"
#include "db/catalog.h"
#include "db/connect.h"
#include "db/runner.h"
#include "db/verify_sql.h"

#define VERIFY_MAGIC 0x56455249u

enum verify_stage {
	VERIFY_CONNECT,
	VERIFY_STATEMENTS,
	VERIFY_MAKE,
	VERIFY_APPLY,
	VERIFY_DATABASE, /* its catalog is read */
	VERIFY_DATABASE_END,
	VERIFY_SCRATCH_CONNECT,
	VERIFY_SCRATCH,
	VERIFY_RECONNECT, /* to drop what was made: the connection was lost */
	VERIFY_ROLLBACK,  /* the transaction that the catalog is read in */
	VERIFY_DROP
};

struct verify {
	unsigned magic;
	uv_loop_t *loop;
	uv_timer_t timer; /* what fails at once is told from the loop too */
	enum verify_stage stage;
	struct target_params *params;         /* of the database in question */
	struct target_params *scratch_params; /* of the other one */
	struct run *run;
	struct folder *folder;
	verify_fn *fn; /* NULL: abandoned */
	void *arg;

	char name[VERIFY_DATABASE_NAME];
	struct pgconn *conn;    /* to the database in question */
	struct pgconn *scratch; /* to the other, for its catalog */
	struct verify_statement *statements;
	size_t n_statements;
	size_t next;
	bool made;           /* CREATE DATABASE was sent: there may be one to drop */
	bool in_transaction; /* `conn` may be */
	struct run *apply;
	struct runner *runner; /* NULL unless it applies */
	struct schema *database_schema;
	struct schema *folder_schema;
	char *stop_reason; /* NULL: go on */
	struct err err;
};

static void on_reply(void *arg, const struct pgconn_reply *reply);

static struct verify *
verify_of(void *arg)
{
	struct verify *verify = arg;

	assert(verify->magic == VERIFY_MAGIC);
	return verify;
}

/* ---- the end ---- */

static void
on_timer_closed(uv_handle_t *handle)
{
	struct verify *verify = verify_of(handle->data);

	run_unref(verify->apply);
	run_unref(verify->run);
	folder_unref(verify->folder);
	verify->magic = 0;
	talloc_free(verify);
}

static void
finish(struct verify *verify)
{
	pgconn_close(verify->conn);
	verify->conn = NULL;
	/* told to stop while only the scratch database was left to be dropped */
	if (verify->stop_reason != NULL && !err_is_set(&verify->err))
		err_set(&verify->err, CAT_CANCELLED, "%s", verify->stop_reason);
	if (verify->fn != NULL)
		verify->fn(verify->arg, &verify->err);
	uv_close((uv_handle_t *)&verify->timer, on_timer_closed);
}

static void
enter_query(struct verify *verify, enum verify_stage stage, const char *sql)
{
	verify->stage = stage;
	pgconn_query(verify->conn, sql, on_reply, verify);
}

static void
enter_connect(struct verify *verify, enum verify_stage stage)
{
	struct err err = { 0 };

	verify->stage = stage;
	verify->in_transaction = false;
	pgconn_close(verify->conn);
	verify->conn = pgconn_new(verify->loop);
	if (connect_start(verify->conn, verify->params, on_reply, verify, &err) == 0)
		return;
	if (!err_is_set(&verify->err))
		verify->err = err;
	finish(verify);
}

/* Whatever came of it: what was made is dropped. */
static void
clean(struct verify *verify)
{
	pgconn_close(verify->scratch);
	verify->scratch = NULL;
	if (!verify->made)
		finish(verify);
	else if (!pgconn_is_open(verify->conn))
		enter_connect(verify, VERIFY_RECONNECT);
	else if (verify->in_transaction)
		enter_query(verify, VERIFY_ROLLBACK, "ROLLBACK");
	else
		enter_query(verify, VERIFY_DROP, verify_sql_drop(verify, verify->name));
}

/* Or the connection was lost over it, which ends it too. */
static void
rolled_back(struct verify *verify)
{
	verify->in_transaction = false;
	clean(verify);
}

static void
dropped(struct verify *verify, const struct err *err)
{
	if (err_is_set(err))
		log_warning_with(err,
		    "a scratch database could not be dropped; the next baseline that "
		    "verifies drops it",
		    LOG_STR("database", verify->name), LOG_STR("run", verify->run->id));
	finish(verify);
}

/* The baseline is refused, unless the connection is what failed. */
static void
fail(struct verify *verify, const struct err *cause)
{
	verify->err = *cause;
	if (verify->stop_reason != NULL) {
		verify->err = (struct err){ 0 };
		err_set(&verify->err, CAT_CANCELLED,
		    "cancelled while the baseline was verified: %s", verify->stop_reason);
	} else if (cause->category != CAT_NETWORK_ERROR) {
		verify->err.http_status = 409;
		verify->err.exit_code = EXIT_REFUSED;
	}
	clean(verify);
}

/* ---- making the scratch database ---- */

/* As the database in question is treated, but for what a scratch database has no need of. */
static struct target_params *
scratch_params(struct verify *verify)
{
	struct target_params *scratch = target_params_copy(verify, verify->params);

	scratch->database = mem_strdup(scratch, verify->name);
	scratch->guard = false;
	return scratch;
}

static void
take_statements(struct verify *verify, const PGresult *result)
{
	verify->statements =
	    verify_sql_read(verify, result, &verify->n_statements, verify->name);
	verify->scratch_params = scratch_params(verify);
}

static void start_apply(struct verify *verify);

static void
make_next(struct verify *verify)
{
	if (verify->next == verify->n_statements) {
		start_apply(verify);
		return;
	}
	verify->made = !verify->statements[verify->next].is_leftover;
	enter_query(verify, VERIFY_MAKE, verify->statements[verify->next].sql);
}

static void
made(struct verify *verify, const struct pgconn_reply *reply)
{
	struct err err = reply->err;

	if (err_is_set(&err) && verify->statements[verify->next].is_leftover &&
	    !reply->lost) {
		log_warning_with(&err, "a leftover scratch database could not be dropped",
		    LOG_STR("run", verify->run->id));
	} else if (err_is_set(&err)) {
		if (err.category == CAT_PERMISSION_DENIED) {
			err.hint[0] = '\0';
			err_hint(&err,
			    "to verify, the role that connects needs CREATEDB: ALTER ROLE "
			    "... CREATEDB; or send the baseline without verify");
		}
		err_wrap(&err, "a scratch database to verify in cannot be made");
		fail(verify, &err);
		return;
	}
	verify->next++;
	make_next(verify);
}

/* ---- applying the folder there ---- */

static void
on_apply_change(void *arg UNUSED)
{
}

static void
read_database(struct verify *verify)
{
	verify->in_transaction = true;
	enter_query(verify, VERIFY_DATABASE, catalog_query(verify, verify->params));
}

static void
on_applied(void *arg, const struct observation *seen UNUSED)
{
	struct verify *verify = verify_of(arg);
	struct err err = verify->apply->err;

	verify->runner = NULL;
	if (!pgconn_is_open(verify->conn) && !err_is_set(&err))
		err_set(&err, CAT_NETWORK_ERROR,
		    "the connection was lost while the folder was applied to a scratch "
		    "database");
	else if (err_is_set(&err))
		err_wrap(&err, "the folder cannot be applied to an empty database");
	if (err_is_set(&err))
		fail(verify, &err);
	else
		read_database(verify);
}

static void
start_apply(struct verify *verify)
{
	struct run_request request = {
		.operation = PLAN_APPLY,
		.phases = PHASE_BIT(PHASE_SCHEMA),
		.up_to = verify->run->up_to,
		.requested_by = "verify",
	};
	struct folder *folders[PHASE_COUNT] = { [PHASE_SCHEMA] = verify->folder };
	struct runner_events events = {
		.on_change = on_apply_change,
		.on_done = on_applied,
		.arg = verify,
	};

	verify->stage = VERIFY_APPLY;
	verify->apply =
	    run_new(&request, verify->run->target, clock_now_us(), clock_mono_us());
	verify->runner = runner_start(
	    verify->loop, verify->scratch_params, verify->apply, folders, &events);
}

/* ---- comparing ---- */

static void
compare(struct verify *verify)
{
	struct drift *drift =
	    drift_compare(verify, verify->database_schema, verify->folder_schema);
	struct err err = { 0 };

	if (drift->n == 0) {
		clean(verify);
		return;
	}
	run_set_differences(verify->run, drift);
	drift_refuse(drift, &err);
	fail(verify, &err);
}

static void
connect_scratch(struct verify *verify)
{
	struct err err = { 0 };

	verify->stage = VERIFY_SCRATCH_CONNECT;
	verify->scratch = pgconn_new(verify->loop);
	if (connect_start(
		verify->scratch, verify->scratch_params, on_reply, verify, &err) < 0)
		fail(verify, &err);
}

/* ---- the driver ---- */

static void
go_on(struct verify *verify, const PGresult *result)
{
	struct err err = { 0 };

	switch (verify->stage) {
	case VERIFY_CONNECT:
		enter_query(verify, VERIFY_STATEMENTS, verify_sql_ask(verify));
		break;
	case VERIFY_STATEMENTS:
		take_statements(verify, result);
		make_next(verify);
		break;
	case VERIFY_DATABASE:
		if (catalog_read(verify, result, &verify->database_schema, &err) < 0)
			fail(verify, &err);
		else
			enter_query(verify, VERIFY_DATABASE_END, catalog_end);
		break;
	case VERIFY_DATABASE_END:
		verify->in_transaction = false;
		connect_scratch(verify);
		break;
	case VERIFY_SCRATCH_CONNECT:
		verify->stage = VERIFY_SCRATCH;
		pgconn_query(verify->scratch,
		    catalog_query(verify, verify->scratch_params), on_reply, verify);
		break;
	case VERIFY_SCRATCH:
		if (catalog_read(verify, result, &verify->folder_schema, &err) < 0)
			fail(verify, &err);
		else
			compare(verify);
		break;
	case VERIFY_RECONNECT:
		clean(verify);
		break;
	case VERIFY_ROLLBACK:
	case VERIFY_MAKE:
	case VERIFY_APPLY:
	case VERIFY_DROP:
		break;
	}
}

static void
on_reply(void *arg, const struct pgconn_reply *reply)
{
	struct verify *verify = verify_of(arg);

	if (verify->stage == VERIFY_ROLLBACK)
		rolled_back(verify);
	else if (verify->stage >= VERIFY_RECONNECT &&
	    (verify->stage == VERIFY_DROP || err_is_set(&reply->err)))
		dropped(verify, &reply->err);
	else if (verify->stage < VERIFY_RECONNECT && verify->stop_reason != NULL)
		fail(verify, &reply->err);
	else if (verify->stage == VERIFY_MAKE)
		made(verify, reply);
	else if (err_is_set(&reply->err))
		fail(verify, &reply->err);
	else
		go_on(verify, reply->result);
}

static void
on_start(uv_timer_t *timer)
{
	struct verify *verify = verify_of(timer->data);
	struct err none = { 0 };

	if (verify->stop_reason != NULL)
		fail(verify, &none);
	else
		enter_connect(verify, VERIFY_CONNECT);
}

struct verify *
verify_start(uv_loop_t *loop, const struct target_params *params, struct run *run,
    struct folder *folder, verify_fn *fn, void *arg)
{
	struct verify *verify = mem_zero(NULL, struct verify);

	verify->magic = VERIFY_MAGIC;
	verify->loop = loop;
	verify->params = target_params_copy(verify, params);
	verify->run = run_ref(run);
	verify->folder = folder_ref(folder);
	verify->fn = fn;
	verify->arg = arg;
	uv_timer_init(loop, &verify->timer);
	verify->timer.data = verify;
	uv_timer_start(&verify->timer, on_start, 0, 0);
	return verify;
}

void
verify_cancel(struct verify *verify, const char *reason)
{
	if (verify->stop_reason == NULL)
		verify->stop_reason = mem_strdup(verify, reason);
	if (verify->runner != NULL)
		runner_cancel(verify->runner, verify->stop_reason);
	else if (verify->stage < VERIFY_SCRATCH_CONNECT && verify->conn != NULL)
		pgconn_cancel(verify->conn);
	else if (verify->stage < VERIFY_RECONNECT && verify->scratch != NULL)
		pgconn_cancel(verify->scratch);
}

void
verify_abandon(struct verify *verify)
{
	if (verify == NULL)
		return;
	verify->fn = NULL;
	verify_cancel(verify, "the run is over");
}
