/* SPDX-License-Identifier: PostgreSQL */
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/macros.h"
#include "base/mem.h"
#include "db/password.h"
#include "db/pgconn.h"
#include "fakepq.h"

/* ---- names ---- */

static pthread_mutex_t name_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t name_changed = PTHREAD_COND_INITIALIZER;
static bool slow_answers;

static struct addrinfo *
new_address(const char *address, struct addrinfo *next)
{
	struct addrinfo *info = calloc(1, sizeof(*info) + sizeof(struct sockaddr_in));
	struct sockaddr_in *in = (void *)(info + 1);

	in->sin_family = AF_INET;
	assert_int_equal(uv_inet_pton(AF_INET, address, &in->sin_addr), 0);
	info->ai_family = AF_INET;
	info->ai_addr = (struct sockaddr *)in;
	info->ai_addrlen = sizeof(*in);
	info->ai_next = next;
	return info;
}

/* In the place of libc's, for libuv: no name server is asked. */
int
getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
    struct addrinfo **res)
{
	(void)service;
	(void)hints;
	if (strcmp(node, "slow.example") == 0) {
		(void)pthread_mutex_lock(&name_mutex);
		while (!slow_answers)
			(void)pthread_cond_wait(&name_changed, &name_mutex);
		(void)pthread_mutex_unlock(&name_mutex);
	} else if (strcmp(node, "two.example") == 0) {
		*res = new_address("192.0.2.1", new_address("192.0.2.2", NULL));
		return 0;
	} else if (strcmp(node, "one.example") != 0) {
		return EAI_NONAME;
	}
	*res = new_address("192.0.2.3", NULL);
	return 0;
}

void
freeaddrinfo(struct addrinfo *res)
{
	while (res) {
		struct addrinfo *next = res->ai_next;

		free(res);
		res = next;
	}
}

static void
let_slow_answer(bool answers)
{
	(void)pthread_mutex_lock(&name_mutex);
	slow_answers = answers;
	(void)pthread_cond_broadcast(&name_changed);
	(void)pthread_mutex_unlock(&name_mutex);
}

/* ---- a caller ---- */

struct caller {
	uv_loop_t loop;
	uv_timer_t tick; /* so that a turn of the loop ends */
	struct pgconn *conn;

	unsigned n_replies;
	struct pgconn_reply reply; /* its result is gone */
	bool had_result;
	int n_rows;
	char value[64];
	char tag[64];

	unsigned n_lost;
	struct err lost_err;
	unsigned n_notices;
	char notice[256];

	const char *then; /* a query to be sent from the next reply */
	bool close_in_reply;
	bool close_in_notice;
};

static void
close_conn(struct caller *caller)
{
	pgconn_close(caller->conn);
	caller->conn = NULL;
}

static void
on_reply(void *arg, const struct pgconn_reply *reply)
{
	struct caller *caller = arg;
	const char *then = caller->then;

	assert_non_null(caller->conn);
	assert_false(pgconn_is_busy(caller->conn));
	caller->n_replies++;
	caller->reply = *reply;
	caller->reply.result = NULL;
	caller->had_result = reply->result;
	caller->n_rows = reply->result ? PQntuples(reply->result) : 0;
	(void)snprintf(caller->value, sizeof(caller->value), "%s",
	    caller->n_rows > 0 ? PQgetvalue(reply->result, 0, 0) : "");
	(void)snprintf(caller->tag, sizeof(caller->tag), "%s",
	    reply->result ? PQcmdStatus((PGresult *)(uintptr_t)reply->result) : "");
	caller->then = NULL;
	if (caller->close_in_reply)
		close_conn(caller);
	else if (then)
		pgconn_query(caller->conn, then, on_reply, caller);
}

static void
on_lost(void *arg, const struct err *err)
{
	struct caller *caller = arg;

	assert_non_null(caller->conn);
	caller->n_lost++;
	caller->lost_err = *err;
	if (caller->close_in_reply)
		close_conn(caller);
}

static void
on_notice(void *arg, const char *severity, const char *sqlstate, const char *message)
{
	struct caller *caller = arg;

	assert_non_null(caller->conn);
	caller->n_notices++;
	(void)snprintf(caller->notice, sizeof(caller->notice), "%s %s %s", severity,
	    sqlstate, message);
	if (caller->close_in_notice)
		close_conn(caller);
}

static void
on_tick(uv_timer_t *timer)
{
	(void)timer;
}

static void
begin(struct caller *caller)
{
	*caller = (struct caller){ 0 };
	fakepq_reset();
	assert_int_equal(uv_loop_init(&caller->loop), 0);
	assert_int_equal(uv_timer_init(&caller->loop, &caller->tick), 0);
	assert_int_equal(uv_timer_start(&caller->tick, on_tick, 5, 5), 0);
	caller->conn = pgconn_new(&caller->loop);
	pgconn_on_lost(caller->conn, on_lost, caller);
	pgconn_on_notice(caller->conn, on_notice, caller);
}

static void
end(struct caller *caller)
{
	if (caller->conn)
		close_conn(caller);
	uv_close((uv_handle_t *)&caller->tick, NULL);
	assert_int_equal(uv_run(&caller->loop, UV_RUN_DEFAULT), 0);
	assert_int_equal(uv_loop_close(&caller->loop), 0);
	assert_int_equal(fakepq_live(), 0);
}

/* Turn the loop until `*counter` is `n`. */
static void
turn_until(struct caller *caller, const unsigned *counter, unsigned n)
{
	int64_t until_us = clock_mono_us() + 5000000;

	while (*counter < n) {
		assert_true(clock_mono_us() < until_us);
		(void)uv_run(&caller->loop, UV_RUN_ONCE);
	}
	assert_int_equal(*counter, n);
}

static void
await(struct caller *caller)
{
	turn_until(caller, &caller->n_replies, caller->n_replies + 1);
}

static void
open_with(struct caller *caller, const char *conninfo, int64_t timeout_ms)
{
	const struct pgconn_params params = {
		.conninfo = conninfo,
		.password = "secret",
		.application_name = "migrationd",
		.connect_timeout_ms = timeout_ms,
	};

	pgconn_open(caller->conn, &params, on_reply, caller);
	assert_true(pgconn_is_busy(caller->conn));
	assert_int_equal(caller->n_replies, 0);
	await(caller);
}

static void
begin_open(struct caller *caller)
{
	begin(caller);
	open_with(caller, "host=/run dbname=app", 5000);
	assert_int_equal(caller->reply.err.category, CAT_NONE);
	assert_true(pgconn_is_open(caller->conn));
}

static void
query(struct caller *caller, const char *sql)
{
	unsigned before = caller->n_replies;

	pgconn_query(caller->conn, sql, on_reply, caller);
	assert_true(pgconn_is_busy(caller->conn));
	assert_int_equal(caller->n_replies, before);
	await(caller);
}

static void
execute(struct caller *caller, const char *sql)
{
	/* no NUL behind it */
	char *text = malloc(strlen(sql));

	memcpy(text, sql, strlen(sql));
	pgconn_execute(caller->conn, text, strlen(sql), NULL, 0, on_reply, caller);
	free(text);
	await(caller);
}

/* ---- opening ---- */

static void
test_open(void **state)
{
	static const char *const polls[] = { "wro", "o", "wrrwrro", "wno", "wnnnro",
		"wmo", "wrmrnro", "ro" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(polls); i++) {
		struct caller caller;

		begin(&caller);
		fakepq_connection(polls[i], NULL);
		open_with(&caller, "host=192.0.2.7 port=6 dbname=app user=bob password=x",
		    5000);
		assert_int_equal(caller.reply.err.category, CAT_NONE);
		assert_false(caller.reply.lost);
		assert_false(caller.had_result);
		assert_int_equal(caller.reply.transaction, PQTRANS_IDLE);
		assert_true(pgconn_is_open(caller.conn));
		assert_int_equal(pgconn_backend_pid(caller.conn), 4711);
		assert_int_equal(pgconn_server_version(caller.conn), 150020);
		assert_string_equal(
		    pgconn_describe(caller.conn), "192.0.2.7:6/app as bob");
		end(&caller);
	}
}

static void
test_open_settings(void **state)
{
	struct caller caller;

	(void)state;
	begin(&caller);
	open_with(&caller, "host=192.0.2.7 password=x", 5000);
	assert_string_equal(fakepq_setting("password"), "secret");
	assert_string_equal(fakepq_setting("fallback_application_name"), "migrationd");
	assert_string_equal(fakepq_setting("client_encoding"), "UTF8");
	assert_string_equal(fakepq_setting("keepalives_idle"), "5");
	assert_string_equal(fakepq_setting("keepalives_interval"), "2");
	assert_string_equal(fakepq_setting("keepalives_count"), "3");
	assert_string_equal(fakepq_setting("tcp_user_timeout"), "5000");
	end(&caller);

	begin(&caller);
	open_with(&caller, "host=192.0.2.7,192.0.2.8 tcp_user_timeout=77", 60000);
	assert_string_equal(fakepq_setting("tcp_user_timeout"), "77");
	end(&caller);

	begin(&caller);
	open_with(&caller, "host=192.0.2.7", 60000);
	assert_string_equal(fakepq_setting("tcp_user_timeout"), "10000");
	end(&caller);
}

/* The password of a command, and what is said where there is none. */
static void
test_open_password(void **state)
{
	static const struct {
		const char *command;
		int64_t timeout_ms;
		const char *password; /* that libpq gets; NULL: none */
		enum category category;
		const char *text;
	} rows[] = {
		{ "echo s3cret", 20000, "s3cret", CAT_NONE, "" },
		{ "sh -c 'exit 3'", 20000, NULL, CAT_NETWORK_ERROR,
		    "password_command: sh ended with exit code 3" },
		{ "true", 20000, NULL, CAT_CONFIGURATION, "output is empty" },
		{ "sleep 60", 50, NULL, CAT_NETWORK_ERROR, "did not end within" },
		{ "'", 20000, NULL, CAT_CONFIGURATION, "a quote" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct password_memory *memory = mem_zero(NULL, struct password_memory);
		struct caller caller;
		const struct pgconn_params params = {
			.conninfo = "host=/run dbname=app",
			.password_command = rows[i].command,
			.password_memory = memory,
			.connect_timeout_ms = rows[i].timeout_ms,
		};

		begin(&caller);
		pgconn_open(caller.conn, &params, on_reply, &caller);
		assert_int_equal(caller.n_replies, 0);
		await(&caller);
		assert_int_equal(caller.reply.err.category, rows[i].category);
		assert_non_null(strstr(caller.reply.err.text, rows[i].text));
		assert_int_equal(pgconn_is_open(caller.conn), rows[i].password != NULL);
		if (rows[i].password)
			assert_string_equal(fakepq_setting("password"), rows[i].password);
		else
			assert_int_equal(
			    err_exit_code(&caller.reply.err), EXIT_UNREACHABLE);
		end(&caller);

		/* nobody waits for it any more */
		begin(&caller);
		pgconn_open(caller.conn, &params, on_reply, &caller);
		end(&caller);
		assert_int_equal(caller.n_replies, 0);
		talloc_free(memory);
	}
}

static void
test_open_fails(void **state)
{
	static const struct {
		const char *message;
		enum category category;
		const char *sqlstate;
		const char *text;
		const char *detail;
		const char *hint;
	} rows[] = {
		{ "connection to server at \"h\" (1.2.3.4), port 1 failed: Connection refused\n"
		  "\tIs the server running on that host and accepting TCP/IP connections?\n",
		    CAT_NETWORK_ERROR, "",
		    "connection to server at \"h\" (1.2.3.4), port 1 failed: Connection refused",
		    "",
		    "Is the server running on that host and accepting TCP/IP connections?" },
		{ "at h failed: FATAL:  28P01: password authentication failed for user \"u\"\n"
		  "LOCATION:  auth_failed, auth.c:338\n",
		    CAT_PERMISSION_DENIED, "28P01",
		    "at h failed: FATAL:  password authentication failed for user \"u\"",
		    "",
		    "see that user and password in database_url are right, and that "
		    "pg_hba.conf of the server lets them in" },
		{ "at h failed: FATAL:  57P03: the database system is starting up\n",
		    CAT_NETWORK_ERROR, "57P03",
		    "at h failed: FATAL:  the database system is starting up", "", "" },
		{ "at h failed: FATAL:  3D000: database \"nix\" does not exist\n",
		    CAT_CONFIGURATION, "3D000",
		    "at h failed: FATAL:  database \"nix\" does not exist", "",
		    "create it, or name another one in database_url" },
		/* where libpq looks when nothing says where */
		{ "connection to server on socket \"/run/.s\" failed: No such file\n"
		  "\tIs the server running locally?\n",
		    CAT_NETWORK_ERROR, "",
		    "connection to server on socket \"/run/.s\" failed: No such file", "",
		    "see that a server listens on that socket, or say where another one "
		    "is: database_url, DATABASE_URL or PGHOST" },
		{ "connection to server on socket \"/run/.s\" failed: FATAL:  3D000: "
		  "database \"nix\" does not exist\n",
		    CAT_CONFIGURATION, "3D000",
		    "connection to server on socket \"/run/.s\" failed: FATAL:  database "
		    "\"nix\" does not exist",
		    "", "create it, or name another one in database_url" },
		{ "at h failed: FATAL:  53300: too many\nDETAIL:  all taken\nHINT:  wait\n"
		  "at h failed: FATAL:  53300: too many\n",
		    CAT_NETWORK_ERROR, "53300",
		    "at h failed: FATAL:  too many; at h failed: FATAL:  too many",
		    "all taken", "wait" },
		{ "at h failed: FATAL:  53300: too many\nat h failed: FATAL:  53300: too many\n",
		    CAT_NETWORK_ERROR, "53300", "at h failed: FATAL:  too many", "", "" },
		{ "at h failed: fe_sendauth: no password supplied\n",
		    CAT_PERMISSION_DENIED, "",
		    "at h failed: fe_sendauth: no password supplied", "",
		    "give a password: in the connection string, by PGPASSWORD, "
		    "password_file or password_command" },
		{ "connection to server on socket \"/run/.s\" failed: fe_sendauth: no "
		  "password supplied\n",
		    CAT_PERMISSION_DENIED, "",
		    "connection to server on socket \"/run/.s\" failed: fe_sendauth: no "
		    "password supplied",
		    "",
		    "give a password: in the connection string, by PGPASSWORD, "
		    "password_file or password_command" },
		{ "", CAT_NETWORK_ERROR, "", "the connection failed", "", "" },
	};
	uint64_t connects = pgconn_connects();
	uint64_t failures = pgconn_connect_failures();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct caller caller;
		const struct err *err = &caller.reply.err;

		begin(&caller);
		fakepq_connection("wrf", rows[i].message);
		open_with(&caller, "host=/run", 5000);
		assert_int_equal(err->category, rows[i].category);
		assert_string_equal(err->sqlstate, rows[i].sqlstate);
		assert_string_equal(err->text, rows[i].text);
		assert_string_equal(err->detail, rows[i].detail);
		assert_string_equal(err->hint, rows[i].hint);
		assert_int_equal(err_http_status(err), 503);
		assert_int_equal(err_exit_code(err), EXIT_UNREACHABLE);
		assert_true(caller.reply.lost);
		assert_int_equal(caller.n_lost, 0);
		assert_false(pgconn_is_open(caller.conn));
		assert_int_equal(pgconn_backend_pid(caller.conn), 0);
		assert_int_equal(pgconn_server_version(caller.conn), 0);
		end(&caller);
	}
	assert_int_equal(pgconn_connects() - connects, ARRAY_SIZE(rows));
	assert_int_equal(pgconn_connect_failures() - failures, ARRAY_SIZE(rows));
}

/* What no other try makes right is not worth one. */
static void
test_open_bad_option(void **state)
{
	static const char *const messages[] = {
		"invalid sslmode value: \"bogus\"\n",
		"invalid port number: \"99999\"\n",
		"sslmode value \"require\" invalid when SSL support is not compiled in\n",
		"could not match 2 port numbers to 3 hosts\n",
		"weak sslmode \"prefer\" may not be used with sslrootcert=system\n",
		"definition of service \"app\" not found\n",
		"syntax error in service file \"/etc/pg_service.conf\", line 3\n",
		"connection to server at \"h\" failed: invalid integer value \"x\" for "
		"connection option \"keepalives_idle\"\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(messages); i++) {
		struct caller caller;
		const struct err *err = &caller.reply.err;

		begin(&caller);
		fakepq_connection("f", messages[i]);
		open_with(&caller, "host=/run", 5000);
		assert_int_equal(err->category, CAT_CONFIGURATION);
		assert_int_equal(err_http_status(err), 422);
		assert_int_equal(err_exit_code(err), EXIT_CONFIGURATION);
		assert_non_null(strstr(err->hint, "database_url"));
		end(&caller);
	}
}

static void
test_open_unreadable(void **state)
{
	struct caller caller;

	(void)state;
	begin(&caller);
	open_with(&caller, "postgresql://bob:hidden@", 5000);
	assert_int_equal(caller.reply.err.category, CAT_CONFIGURATION);
	assert_int_equal(err_exit_code(&caller.reply.err), EXIT_UNREACHABLE);
	assert_null(strstr(caller.reply.err.text, "hidden"));
	assert_true(caller.reply.lost);
	end(&caller);
}

static void
test_open_deadline(void **state)
{
	struct caller caller;

	(void)state;
	begin(&caller);
	fakepq_connection("wrs", NULL);
	open_with(&caller, "host=192.0.2.7 dbname=app user=bob", 30);
	assert_int_equal(caller.reply.err.category, CAT_NETWORK_ERROR);
	assert_string_equal(caller.reply.err.text,
	    "no answer from 192.0.2.7:5432/app as bob within 30 ms");
	assert_true(caller.reply.lost);
	end(&caller);
}

/* The deadline is of opening alone, whether that succeeds or not. */
static void
test_open_then_quiet(void **state)
{
	static const char *const polls[] = { "wro", "wrf" };
	struct caller caller;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(polls); i++) {
		unsigned n_turns = 0;
		int64_t until_us = 0;

		begin(&caller);
		fakepq_connection(polls[i], NULL);
		open_with(&caller, "host=/run", 40);
		until_us = clock_mono_us() + 80000;
		for (; clock_mono_us() < until_us; n_turns++)
			(void)uv_run(&caller.loop, UV_RUN_ONCE);
		assert_int_equal(pgconn_is_open(caller.conn), i == 0);
		assert_int_equal(caller.n_lost, 0);
		assert_int_equal(caller.n_replies, 1);
		/* the idle socket does not keep the loop busy */
		assert_true(n_turns < 1000);
		end(&caller);
	}
}

/* ---- host names ---- */

static void
test_resolve(void **state)
{
	static const struct {
		const char *conninfo;
		const char *host;
		const char *hostaddr;
		const char *port;
	} rows[] = {
		{ "host=one.example port=7", "one.example", "192.0.2.3", "7" },
		{ "host=two.example", "two.example,two.example", "192.0.2.1,192.0.2.2",
		    "5432,5432" },
		{ "host=none.example,one.example port=1,2", "one.example", "192.0.2.3",
		    "2" },
		{ "host=one.example,/run,::1,@abstract port=1,2,3,4",
		    "one.example,/run,::1,@abstract", "192.0.2.3,,::1,", "1,2,3,4" },
		{ "host=/run", "/run", NULL, "5432" },
		{ "host=192.0.2.9", "192.0.2.9", "192.0.2.9", "5432" },
		{ "host=fe80::1%lo", "fe80::1%lo", "fe80::1%lo", "5432" },
		{ "dbname=app", "", NULL, "5432" },
		/* none of our business */
		{ "host=none.example hostaddr=192.0.2.5", "none.example", "192.0.2.5",
		    NULL },
		{ "host=none.example service=prod", "none.example", NULL, NULL },
		{ "host=none.example,one.example,two.example port=1,2",
		    "none.example,one.example,two.example", NULL, "1,2" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct caller caller;

		begin(&caller);
		open_with(&caller, rows[i].conninfo, 5000);
		assert_int_equal(caller.reply.err.category, CAT_NONE);
		assert_string_equal(fakepq_setting("host"), rows[i].host);
		if (rows[i].hostaddr)
			assert_string_equal(fakepq_setting("hostaddr"), rows[i].hostaddr);
		else
			assert_null(fakepq_setting("hostaddr"));
		if (rows[i].port)
			assert_string_equal(fakepq_setting("port"), rows[i].port);
		else
			assert_null(fakepq_setting("port"));
		end(&caller);
	}
}

static void
test_resolve_fails(void **state)
{
	struct caller caller;

	(void)state;
	begin(&caller);
	open_with(&caller, "host=none.example,nowhere.example", 5000);
	assert_int_equal(caller.reply.err.category, CAT_NETWORK_ERROR);
	assert_string_equal(caller.reply.err.text,
	    "host name \"nowhere.example\" cannot be resolved: unknown node or service");
	assert_int_equal(err_exit_code(&caller.reply.err), EXIT_UNREACHABLE);
	end(&caller);
}

/* A name that cannot even be asked for. */
static void
test_resolve_too_long(void **state)
{
	char conninfo[512] = "host=one.example,";
	size_t used = strlen(conninfo);
	struct caller caller;

	(void)state;
	memset(conninfo + used, 'a', 300);
	begin(&caller);
	open_with(&caller, conninfo, 5000);
	assert_int_equal(caller.reply.err.category, CAT_NONE);
	end(&caller);

	memcpy(conninfo + used - 3, "=aa", 3);
	begin(&caller);
	open_with(&caller, strstr(conninfo, "host="), 5000);
	assert_int_equal(caller.reply.err.category, CAT_NETWORK_ERROR);
	assert_non_null(strstr(caller.reply.err.text, "cannot be resolved"));
	end(&caller);
}

/* More addresses than we take: the rest is left out, not an error. */
static void
test_resolve_many(void **state)
{
	char conninfo[1024] = "host=one.example";
	struct caller caller;
	size_t commas = 0;

	(void)state;
	for (int i = 0; i < 39; i++)
		(void)snprintf(conninfo + strlen(conninfo),
		    sizeof(conninfo) - strlen(conninfo), ",one.example");
	begin(&caller);
	open_with(&caller, conninfo, 5000);
	assert_int_equal(caller.reply.err.category, CAT_NONE);
	for (const char *p = fakepq_setting("hostaddr"); *p; p++)
		commas += *p == ',';
	assert_int_equal(commas, 31);
	end(&caller);
}

/*
 * A name server that does not answer: the deadline holds, and the connection can be
 * used again or closed.
 */
static void
test_resolve_slow(void **state)
{
	struct caller caller;

	(void)state;
	let_slow_answer(false);
	begin(&caller);
	open_with(&caller, "host=slow.example dbname=app user=bob", 30);
	assert_string_equal(caller.reply.err.text,
	    "no answer from slow.example:5432/app as bob within 30 ms");
	caller.n_replies = 0;
	open_with(&caller, "host=/run", 5000);
	assert_int_equal(caller.reply.err.category, CAT_NONE);
	let_slow_answer(true);
	end(&caller);
	assert_int_equal(caller.n_replies, 1);

	let_slow_answer(false);
	begin(&caller);
	pgconn_open(caller.conn,
	    &(struct pgconn_params){
		.conninfo = "host=slow.example", .connect_timeout_ms = 5000 },
	    on_reply, &caller);
	for (int i = 0; i < 5; i++)
		(void)uv_run(&caller.loop, UV_RUN_ONCE);
	close_conn(&caller);
	let_slow_answer(true);
	end(&caller);
	assert_int_equal(caller.n_replies, 0);
}

/* ---- commands ---- */

static void
test_query(void **state)
{
	struct caller caller;
	struct fakepq_rule *rule = NULL;

	(void)state;
	begin_open(&caller);
	rule = fakepq_on("SELECT one; SELECT two");
	fakepq_rows(rule, 1, 1, (const char *const[]){ "1" });
	fakepq_rows(rule, 1, 2, (const char *const[]){ "2", "3" });
	query(&caller, "SELECT one; SELECT two");
	assert_int_equal(caller.reply.err.category, CAT_NONE);
	assert_int_equal(caller.reply.n_completed, 2);
	assert_int_equal(caller.n_rows, 2);
	assert_string_equal(caller.value, "2");
	assert_string_equal(caller.tag, "SELECT 2");

	fakepq_empty(fakepq_on("-- nothing"));
	query(&caller, "-- nothing");
	assert_int_equal(caller.reply.n_completed, 0);
	assert_true(caller.had_result);

	query(&caller, "BEGIN");
	assert_string_equal(caller.tag, "BEGIN");
	assert_int_equal(caller.reply.transaction, PQTRANS_INTRANS);
	end(&caller);
}

static void
test_query_error(void **state)
{
	struct caller caller;
	struct fakepq_rule *rule = NULL;

	(void)state;
	begin_open(&caller);
	rule = fakepq_on("broken");
	fakepq_rows(rule, 1, 1, (const char *const[]){ "1" });
	fakepq_tag(rule, "CREATE TABLE");
	fakepq_error(rule, "42601", "syntax error", 17);
	query(&caller, "BEGIN; broken");
	assert_int_equal(caller.reply.err.category, CAT_SQL_SYNTAX_ERROR);
	assert_string_equal(caller.reply.err.sqlstate, "42601");
	assert_string_equal(caller.reply.err.text, "syntax error");
	assert_int_equal(caller.reply.position, 17);
	assert_int_equal(caller.reply.n_completed, 2);
	assert_int_equal(caller.reply.transaction, PQTRANS_INERROR);
	assert_false(caller.reply.lost);
	assert_false(caller.had_result);

	/* the tag tells, not the status */
	query(&caller, "COMMIT");
	assert_int_equal(caller.reply.err.category, CAT_NONE);
	assert_string_equal(caller.tag, "ROLLBACK");
	assert_int_equal(caller.reply.position, 0);
	end(&caller);
}

static void
test_run(void **state)
{
	struct caller caller;
	struct pgconn_statement statement = { .sql = "INSERT $1", .n_params = 3 };

	(void)state;
	begin_open(&caller);
	fakepq_tag(fakepq_on("INSERT"), "INSERT 0 1");
	statement.params[0] = "a";
	statement.params[2] = "c";
	pgconn_run(caller.conn, &statement, on_reply, &caller);
	await(&caller);
	assert_string_equal(caller.tag, "INSERT 0 1");
	assert_string_equal(fakepq_sent(0), "INSERT $1|a|NULL|c");

	pgconn_run(caller.conn, &(struct pgconn_statement){ .sql = "INSERT" }, on_reply,
	    &caller);
	await(&caller);
	assert_string_equal(fakepq_sent(1), "INSERT");
	end(&caller);
}

static void
test_execute(void **state)
{
	struct caller caller;
	struct fakepq_rule *rule = NULL;

	(void)state;
	begin_open(&caller);
	rule = fakepq_on("SELECT many");
	fakepq_rows(rule, 2, 3, (const char *const[]){ "a", "b", "c", NULL, "e", "f" });
	fakepq_tag(rule, "CREATE TABLE");
	fakepq_empty(rule);
	fakepq_rows(rule, 1, 1, (const char *const[]){ "x" });
	execute(&caller, "SELECT many");
	assert_string_equal(fakepq_sent(0), "SELECT many");
	assert_int_equal(caller.reply.err.category, CAT_NONE);
	assert_int_equal(caller.reply.n_completed, 3);
	assert_int_equal(caller.n_rows, 0);
	end(&caller);
}

static void
test_transaction_control(void **state)
{
	static const struct {
		const char *tags[3];
		bool ran;
	} rows[] = {
		{ { "CREATE TABLE", "INSERT 0 1", "SELECT 1" }, false },
		{ { "SAVEPOINT", "ROLLBACK", "RELEASE" }, false },
		{ { "CREATE TABLE", "COMMIT", "CREATE TABLE" }, true },
		{ { "BEGIN", "SET", "SET" }, true },
		{ { "START TRANSACTION", "SET", "SET" }, true },
		{ { "SET", "SET", "PREPARE TRANSACTION" }, true },
	};
	struct caller caller;

	(void)state;
	begin_open(&caller);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fakepq_rule *rule = fakepq_on("a file");

		for (size_t k = 0; k < ARRAY_SIZE(rows[i].tags); k++)
			fakepq_tag(rule, rows[i].tags[k]);
		execute(&caller, "a file");
		assert_int_equal(caller.reply.ran_transaction_control, rows[i].ran);
	}
	end(&caller);
}

static void
test_copy(void **state)
{
	struct caller caller;
	struct fakepq_rule *rule = NULL;

	(void)state;
	begin_open(&caller);
	fakepq_tag(fakepq_on("SET x"), "SET");
	rule = fakepq_on("FROM STDIN");
	fakepq_tag(rule, "SET");
	fakepq_copy_in(rule);
	fakepq_tag(rule, "never");
	execute(&caller, "COPY t FROM STDIN");
	assert_int_equal(caller.reply.err.category, CAT_SQL_ERROR);
	assert_string_equal(caller.reply.err.sqlstate, "57014");
	assert_string_equal(caller.reply.err.text,
	    "COPY from stdin failed: COPY ... FROM STDIN has no data in a migration file");
	assert_non_null(strstr(caller.reply.err.hint, "INSERT"));
	assert_int_equal(caller.reply.n_completed, 1);

	rule = fakepq_on("TO STDOUT");
	fakepq_copy_out(rule, 3);
	fakepq_tag(rule, "SET");
	execute(&caller, "COPY t TO STDOUT");
	assert_int_equal(caller.reply.err.category, CAT_NONE);
	assert_int_equal(caller.reply.n_completed, 2);

	/* the same in a plain query */
	query(&caller, "COPY t FROM STDIN");
	assert_int_equal(caller.reply.err.category, CAT_SQL_ERROR);
	query(&caller, "COPY t TO STDOUT");
	assert_int_equal(caller.reply.err.category, CAT_NONE);

	fakepq_copy_both(fakepq_on("START_REPLICATION"));
	execute(&caller, "START_REPLICATION");
	assert_int_equal(caller.reply.err.category, CAT_NETWORK_ERROR);
	assert_true(caller.reply.lost);
	end(&caller);
}

static void
test_slow_send(void **state)
{
	struct caller caller;
	struct fakepq_rule *rule = NULL;

	(void)state;
	begin(&caller);
	fakepq_slow(5);
	open_with(&caller, "host=/run", 5000);
	rule = fakepq_on("FROM STDIN");
	fakepq_copy_in(rule);
	execute(&caller, "COPY t FROM STDIN");
	assert_string_equal(caller.reply.err.sqlstate, "57014");
	end(&caller);
}

static void
test_notices(void **state)
{
	struct caller caller;
	struct fakepq_rule *rule = NULL;

	(void)state;
	begin_open(&caller);
	rule = fakepq_on("noisy");
	fakepq_notice(rule, "NOTICE", "42P07", "it is there already");
	fakepq_tag(rule, "CREATE TABLE");
	fakepq_notify(rule);
	fakepq_notice(rule, "WARNING", "01000", "hm");
	fakepq_tag(rule, "SET");
	query(&caller, "noisy");
	assert_int_equal(caller.n_notices, 2);
	assert_string_equal(caller.notice, "WARNING 01000 hm");
	assert_int_equal(caller.reply.n_completed, 2);
	assert_int_equal(caller.reply.err.category, CAT_NONE);

	pgconn_on_notice(caller.conn, NULL, NULL);
	query(&caller, "noisy");
	assert_int_equal(caller.n_notices, 2);
	end(&caller);
}

/* ---- from within a reply ---- */

static void
test_query_in_reply(void **state)
{
	struct caller caller;

	(void)state;
	begin_open(&caller);
	caller.then = "ROLLBACK";
	query(&caller, "BEGIN");
	await(&caller);
	assert_string_equal(caller.tag, "ROLLBACK");
	end(&caller);
}

static void
test_close_in_reply(void **state)
{
	static const char *const polls[] = { "wro", "wrf", "f" };
	struct caller caller;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(polls); i++) {
		begin(&caller);
		fakepq_connection(polls[i], NULL);
		caller.close_in_reply = true;
		open_with(&caller, "host=/run", 5000);
		end(&caller);
	}
	begin_open(&caller);
	fakepq_rows(fakepq_on("SELECT"), 1, 1, (const char *const[]){ "1" });
	caller.close_in_reply = true;
	query(&caller, "SELECT");
	end(&caller);

	begin_open(&caller);
	caller.close_in_reply = true;
	fakepq_hang_up("57P01", "terminating");
	turn_until(&caller, &caller.n_lost, 1);
	end(&caller);
}

static void
test_close_in_notice(void **state)
{
	struct caller caller;
	struct fakepq_rule *rule = NULL;

	(void)state;
	begin_open(&caller);
	rule = fakepq_on("noisy");
	fakepq_notice(rule, "NOTICE", "00000", "one");
	fakepq_notice(rule, "NOTICE", "00000", "two");
	fakepq_tag(rule, "SET");
	caller.close_in_notice = true;
	pgconn_query(caller.conn, "noisy", on_reply, &caller);
	turn_until(&caller, &caller.n_notices, 1);
	end(&caller);
	assert_int_equal(caller.n_notices, 1);
	assert_int_equal(caller.n_replies, 1);
}

static void
test_close_at_once(void **state)
{
	struct caller caller;

	(void)state;
	pgconn_close(NULL);
	begin(&caller);
	end(&caller);
	begin(&caller);
	pgconn_open(caller.conn, &(struct pgconn_params){ .connect_timeout_ms = 5000 },
	    on_reply, &caller);
	end(&caller);
	assert_int_equal(caller.n_replies, 0);
}

/* ---- losing the connection ---- */

static void
test_lost_in_command(void **state)
{
	struct caller caller;
	struct fakepq_rule *rule = NULL;

	(void)state;
	begin_open(&caller);
	rule = fakepq_on("SELECT");
	fakepq_rows(rule, 1, 1, (const char *const[]){ "1" });
	fakepq_lose(rule);
	query(&caller, "SELECT");
	assert_int_equal(caller.reply.err.category, CAT_NETWORK_ERROR);
	assert_string_equal(caller.reply.err.text,
	    "the connection to socket /run:5432/app as me was lost: "
	    "server closed the connection unexpectedly");
	assert_true(caller.reply.lost);
	assert_false(caller.had_result);
	assert_int_equal(caller.reply.n_completed, 1);
	assert_int_equal(caller.reply.transaction, PQTRANS_UNKNOWN);
	assert_false(pgconn_is_open(caller.conn));
	assert_int_equal(caller.n_lost, 0);

	/* a command without a connection is answered too */
	query(&caller, "SELECT");
	assert_int_equal(caller.reply.err.category, CAT_NETWORK_ERROR);
	assert_true(caller.reply.lost);
	execute(&caller, "SELECT");
	assert_true(caller.reply.lost);
	end(&caller);
}

/* What the server said is kept, but what became of the statement is not known. */
static void
test_lost_with_words(void **state)
{
	struct caller caller;
	struct fakepq_rule *rule = NULL;

	(void)state;
	begin_open(&caller);
	rule = fakepq_on("SELECT");
	fakepq_error(rule, "25P03",
	    "terminating connection due to idle-in-transaction timeout", 0);
	fakepq_lose(rule);
	query(&caller, "SELECT");
	assert_true(caller.reply.lost);
	assert_string_equal(caller.reply.err.sqlstate, "25P03");
	assert_int_equal(caller.reply.err.category, CAT_NETWORK_ERROR);
	end(&caller);
}

static void
test_lost_idle(void **state)
{
	struct caller caller;

	(void)state;
	begin_open(&caller);
	fakepq_hang_up("57P01", "terminating connection due to administrator command");
	turn_until(&caller, &caller.n_lost, 1);
	assert_int_equal(caller.lost_err.category, CAT_NETWORK_ERROR);
	assert_string_equal(caller.lost_err.sqlstate, "57P01");
	assert_int_equal(caller.n_notices, 0);
	assert_int_equal(caller.n_replies, 1);
	assert_false(pgconn_is_open(caller.conn));

	/* and again, on a new connection, without a word */
	caller.n_replies = 0;
	open_with(&caller, "host=/run dbname=app", 5000);
	fakepq_hang_up(NULL, NULL);
	turn_until(&caller, &caller.n_lost, 2);
	assert_string_equal(caller.lost_err.sqlstate, "");
	assert_non_null(
	    strstr(caller.lost_err.text, "closed the connection unexpectedly"));

	caller.n_replies = 0;
	pgconn_on_lost(caller.conn, NULL, NULL);
	open_with(&caller, "host=/run dbname=app", 5000);
	fakepq_hang_up(NULL, NULL);
	for (int i = 0; i < 5; i++)
		(void)uv_run(&caller.loop, UV_RUN_ONCE);
	assert_false(pgconn_is_open(caller.conn));
	end(&caller);
}

/*
 * The goodbye is read, the end of the connection is not: a command sent now fails for
 * the reason given.
 */
static void
test_lost_between(void **state)
{
	struct caller caller;
	struct fakepq_rule *rule = NULL;

	(void)state;
	begin_open(&caller);
	rule = fakepq_on("SELECT");
	fakepq_notice(rule, "FATAL", "57P01", "terminating");
	fakepq_lose(rule);
	query(&caller, "SELECT");
	assert_true(caller.reply.lost);
	assert_string_equal(caller.reply.err.sqlstate, "57P01");
	assert_int_equal(caller.n_notices, 0);
	end(&caller);
}

/* ---- cancelling ---- */

static void
test_cancel(void **state)
{
	struct caller caller;

	(void)state;
	begin_open(&caller);
	fakepq_stall(fakepq_on("sleep"));
	fakepq_tag(fakepq_on("SET"), "SET");
	pgconn_cancel(caller.conn);
	pgconn_query(caller.conn, "sleep", on_reply, &caller);
	pgconn_cancel(caller.conn);
	pgconn_cancel(caller.conn);
	await(&caller);
	assert_int_equal(caller.reply.err.category, CAT_STATEMENT_TIMEOUT);
	assert_string_equal(caller.reply.err.sqlstate, "57014");
	assert_int_equal(fakepq_n_cancels(), 1);
	pgconn_cancel(caller.conn);

	/* a cancel that comes too late is over before the reply */
	for (unsigned i = 2; i < 50; i++) {
		pgconn_query(caller.conn, "SET", on_reply, &caller);
		pgconn_cancel(caller.conn);
		await(&caller);
		assert_int_equal(caller.reply.err.category, CAT_NONE);
		assert_int_equal(fakepq_n_cancels(), i);
	}
	end(&caller);
}

static void
test_cancel_then_end(void **state)
{
	struct caller caller;

	(void)state;
	begin_open(&caller);
	fakepq_stall(fakepq_on("sleep"));
	pgconn_query(caller.conn, "sleep", on_reply, &caller);
	pgconn_cancel(caller.conn);
	end(&caller);
	assert_int_equal(caller.n_replies, 1);

	begin_open(&caller);
	fakepq_lose(fakepq_on("lose"));
	pgconn_query(caller.conn, "lose", on_reply, &caller);
	pgconn_cancel(caller.conn);
	await(&caller);
	assert_true(caller.reply.lost);
	end(&caller);
}

/* ---- torture ---- */

/*
 * Each step is one command; the script goes on whatever the answer, until the
 * connection is gone.
 */
static void
script_step(struct caller *caller, unsigned step)
{
	struct pgconn *conn = caller->conn;

	switch (step) {
	case 0:
		pgconn_open(conn,
		    &(struct pgconn_params){
			.conninfo = "host=one.example,/run",
			.password = "secret",
			.connect_timeout_ms = 5000,
		    },
		    on_reply, caller);
		break;
	case 1:
		pgconn_query(conn, "SELECT rows", on_reply, caller);
		break;
	case 2:
		pgconn_execute(
		    conn, "everything", strlen("everything"), NULL, 0, on_reply, caller);
		break;
	case 3:
		pgconn_execute(
		    conn, "COPY FROM", strlen("COPY FROM"), NULL, 0, on_reply, caller);
		break;
	case 4:
		pgconn_run(conn, &(struct pgconn_statement){ "INSERT", 2, { "a", NULL } },
		    on_reply, caller);
		break;
	default:
		pgconn_query(conn, "sleep", on_reply, caller);
		pgconn_cancel(conn);
		break;
	}
}

#define SCRIPT_STEPS 6u

static void
script_rules(void)
{
	struct fakepq_rule *rule = NULL;

	fakepq_connection("wnrmro", NULL);
	fakepq_slow(2);
	fakepq_rows(fakepq_on("SELECT rows"), 1, 2, (const char *const[]){ "1", "2" });
	rule = fakepq_on("everything");
	fakepq_rows(rule, 1, 2, (const char *const[]){ "1", "2" });
	fakepq_notice(rule, "NOTICE", "00000", "hello");
	fakepq_notify(rule);
	fakepq_copy_out(rule, 2);
	fakepq_empty(rule);
	fakepq_copy_in(fakepq_on("COPY FROM"));
	fakepq_tag(fakepq_on("INSERT"), "INSERT 0 1");
	fakepq_stall(fakepq_on("sleep"));
}

enum blow {
	BLOW_NONE,
	BLOW_FAIL,
	BLOW_CLOSE,
	BLOW_HANG_UP
};

/*
 * Run the script; at the k-th call or turn deal the blow. Every command is answered
 * once, nothing after a close, and nothing is left behind. Returns how many calls (or
 * turns) it took.
 */
static unsigned
torture(enum blow blow, unsigned k)
{
	struct caller caller;
	unsigned step = 0;
	unsigned turns = 0;
	unsigned calls = 0;
	int64_t until_us = clock_mono_us() + 5000000;

	begin(&caller);
	script_rules();
	if (blow == BLOW_FAIL)
		fakepq_fail_at(k);
	script_step(&caller, step);
	while (caller.conn && step < SCRIPT_STEPS) {
		assert_true(clock_mono_us() < until_us);
		(void)uv_run(&caller.loop, UV_RUN_ONCE);
		turns++;
		if (turns == k && blow == BLOW_CLOSE)
			close_conn(&caller);
		else if (turns == k && blow == BLOW_HANG_UP &&
		    pgconn_is_open(caller.conn))
			fakepq_hang_up("57P01", "terminating");
		/* a cancel request that failed is sent again, as a person would */
		if (caller.conn && step == SCRIPT_STEPS - 1 &&
		    pgconn_is_busy(caller.conn))
			pgconn_cancel(caller.conn);
		if (!caller.conn || caller.n_replies == step)
			continue;
		assert_int_equal(caller.n_replies, step + 1);
		if (caller.reply.lost)
			break;
		if (++step < SCRIPT_STEPS)
			script_step(&caller, step);
	}
	calls = fakepq_calls();
	end(&caller);
	assert_true(caller.n_replies <= step + 1);
	return blow == BLOW_NONE || blow == BLOW_FAIL ? calls : turns;
}

static void
test_torture_calls(void **state)
{
	unsigned n = torture(BLOW_NONE, 0);

	(void)state;
	assert_true(n > 50);
	for (unsigned k = 1; k <= n; k++)
		(void)torture(BLOW_FAIL, k);
	print_message("# %u calls failed, one at a time\n", n);
}

static void
test_torture_turns(void **state)
{
	unsigned k = 1;

	(void)state;
	/* until the script is through before the blow falls */
	while (torture(BLOW_CLOSE, k) >= k)
		k++;
	print_message("# closed in each of %u turns\n", k - 1);
	assert_true(k > 20);
	for (k = 1; torture(BLOW_HANG_UP, k) >= k; k++)
		continue;
	print_message("# hung up in each of %u turns\n", k - 1);
	assert_true(k > 20);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_open),
		cmocka_unit_test(test_open_settings),
		cmocka_unit_test(test_open_password),
		cmocka_unit_test(test_open_fails),
		cmocka_unit_test(test_open_bad_option),
		cmocka_unit_test(test_open_unreadable),
		cmocka_unit_test(test_open_deadline),
		cmocka_unit_test(test_open_then_quiet),
		cmocka_unit_test(test_resolve),
		cmocka_unit_test(test_resolve_fails),
		cmocka_unit_test(test_resolve_too_long),
		cmocka_unit_test(test_resolve_many),
		cmocka_unit_test(test_resolve_slow),
		cmocka_unit_test(test_query),
		cmocka_unit_test(test_query_error),
		cmocka_unit_test(test_run),
		cmocka_unit_test(test_execute),
		cmocka_unit_test(test_transaction_control),
		cmocka_unit_test(test_copy),
		cmocka_unit_test(test_slow_send),
		cmocka_unit_test(test_notices),
		cmocka_unit_test(test_query_in_reply),
		cmocka_unit_test(test_close_in_reply),
		cmocka_unit_test(test_close_in_notice),
		cmocka_unit_test(test_close_at_once),
		cmocka_unit_test(test_lost_in_command),
		cmocka_unit_test(test_lost_with_words),
		cmocka_unit_test(test_lost_idle),
		cmocka_unit_test(test_lost_between),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_cancel_then_end),
		cmocka_unit_test(test_torture_calls),
		cmocka_unit_test(test_torture_turns),
	};

	log_init(2, LOG_FORMAT_TEXT, LOG_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
