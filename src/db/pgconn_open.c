/* SPDX-License-Identifier: PostgreSQL */
#include <arpa/inet.h>
#include <assert.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "base/bounds.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/text.h"
#include "db/pgconn_info.h"
#include "db/pgconn_internal.h"
#include "db/sqlstate.h"

#define LOOKUP_MAGIC 0x6c6f6f6bu

/* How long data may go unacknowledged on a connection: as long as the keepalives take. */
#define USER_TIMEOUT_MS 10000

/*
 * A question to a name server, in libuv's pool. Its own allocation: it may outlive the
 * connection.
 */
struct lookup {
	unsigned magic;
	uv_getaddrinfo_t request;
	struct pgconn *conn; /* NULL once nobody waits for it */
};

/* One pgconn_open: what libpq shall get, and how far the host names are resolved. */
struct attempt {
	struct pgconn_info *info;
	size_t next; /* host to resolve */
	struct lookup *lookup;
	struct text names, addresses,
	    ports; /* of the resolved hosts, comma lists for libpq */
	unsigned n_addresses;
	int64_t timeout_ms;
	struct err lookup_err; /* of the last host name that has no address */
};

static uint64_t n_connects;
static uint64_t n_failures;

/* ---- failing ---- */

/* Cut ":  28P01: " down to ":  " where the server's SQLSTATE is, and note it. */
static void
cut_sqlstate(char *line, struct err *err)
{
	for (char *p = strstr(line, ":  "); p; p = strstr(p + 1, ":  ")) {
		char *state = p + 3;

		if (strspn(state, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ") != 5 ||
		    state[5] != ':')
			continue;
		memcpy(err->sqlstate, state, 5);
		memmove(state, state + 7, strlen(state + 7) + 1);
		return;
	}
}

/*
 * libpq keeps no SQLSTATE of a failed connection, but in verbose mode its message has
 * it. The message has a line for each address tried, lines of their own for DETAIL,
 * HINT and LOCATION, and a question after a tab.
 */
static void
read_failure(const char *message, struct err *err)
{
	char text[sizeof(err->text) * 2] = "";
	char last[512] = "";

	while (*message) {
		size_t len = strcspn(message, "\n");
		size_t used = strlen(text);
		char line[512];

		(void)snprintf(line, sizeof(line), "%.*s", (int)len, message);
		message += len + (message[len] == '\n');
		cut_sqlstate(line, err);
		if (strncmp(line, "DETAIL:  ", 9) == 0)
			(void)snprintf(err->detail, sizeof(err->detail), "%s", line + 9);
		else if (strncmp(line, "HINT:  ", 7) == 0)
			err_hint(err, "%s", line + 7);
		else if (*line == '\t')
			err_hint(err, "%s", line + 1);
		else if (*line && strncmp(line, "LOCATION:  ", 11) != 0 &&
		    strcmp(line, last) != 0)
			(void)snprintf(text + used, sizeof(text) - used, "%s%s",
			    used ? "; " : "", line);
		memcpy(last, line, sizeof(last));
	}
	err_set(err,
	    *err->sqlstate ? sqlstate_category(err->sqlstate) : CAT_NETWORK_ERROR, "%s",
	    *text ? text : "the connection failed");
}

/*
 * libpq (13 to 17) speaks of the connection string, or of the environment that adds to it:
 * no other try makes that right. Its messages are not translated here.
 */
static bool
is_bad_option(const char *text)
{
	static const char *const phrases[] = { " for connection option \"",
		" invalid when ", "could not match ", "weak sslmode ",
		"definition of service ", "service file \"" };

	if (strncmp(text, "invalid ", 8) == 0)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(phrases); i++)
		if (strstr(text, phrases[i]) != NULL)
			return true;
	return false;
}

/* The error is set: end the attempt. */
static enum want
fail(struct pgconn *conn)
{
	struct err *err = &conn->reply.err;

	n_failures++;
	if (err->http_status == 0)
		err->http_status = 503;
	if (err->exit_code == 0)
		err->exit_code = EXIT_UNREACHABLE;
	conn->reply.lost = true;
	return WANT_CLOSED;
}

static enum want
fail_late(struct pgconn *conn)
{
	char span[CLOCK_TEXT];
	struct err *err = &conn->reply.err;

	err_set(err, CAT_NETWORK_ERROR, "no answer from %s within %s", conn->describe,
	    clock_format_span(conn->attempt->timeout_ms * 1000, span, sizeof(span)));
	err_hint(err,
	    "see whether host and port are right, and whether a firewall is between");
	return fail(conn);
}

static enum want
fail_by_libpq(struct pgconn *conn)
{
	struct err *err = &conn->reply.err;

	read_failure(PQerrorMessage(conn->pq), err);
	/* 3D000 no such database and the like: what the string asks for is not there */
	if (err->category == CAT_SQL_ERROR)
		err->category = CAT_CONFIGURATION;
	if (*err->sqlstate == '\0' && is_bad_option(err->text)) {
		err->category = CAT_CONFIGURATION;
		err->http_status = 422;
		err->exit_code = EXIT_CONFIGURATION;
		err_hint(err,
		    "mend it in database_url or database_direct_url, or in the PG... "
		    "variable of the environment that says it");
	}
	if (PQconnectionNeedsPassword(conn->pq)) {
		err->category = CAT_PERMISSION_DENIED;
		err_hint(err,
		    "give a password: in the connection string, by PGPASSWORD or a password file");
	}
	return fail(conn);
}

/* ---- connecting ---- */

static enum want
stage_connect(struct pgconn *conn)
{
	PostgresPollingStatusType status = PGRES_POLLING_FAILED;

	if (conn->expired)
		return fail_late(conn);
	pgconn_disarm(conn);
	status = PQconnectPoll(conn->pq);
	if (status == PGRES_POLLING_READING)
		return WANT_READ;
	if (status == PGRES_POLLING_WRITING)
		return WANT_WRITE;
	if (status != PGRES_POLLING_OK)
		return fail_by_libpq(conn);
	if (PQsetnonblocking(conn->pq, 1) != 0)
		return fail_by_libpq(conn);
	/* the wait for one of several addresses was cut short for the others' sake */
	if (conn->attempt->info->own_user_timeout)
		(void)setsockopt(PQsocket(conn->pq), IPPROTO_TCP, TCP_USER_TIMEOUT,
		    &(unsigned){ USER_TIMEOUT_MS }, sizeof(unsigned));
	conn->open = true;
	conn->stage = pgconn_stage_idle;
	return WANT_DONE;
}

static enum want
start_connect(struct pgconn *conn)
{
	struct attempt *attempt = conn->attempt;
	struct pgconn_info *info = attempt->info;
	char user_timeout[24];

	if (attempt->n_addresses > 0) {
		pgconn_info_set(info, "host", attempt->names.data);
		pgconn_info_set(info, "port", attempt->ports.data);
		/* only commas where there are but sockets */
		if (strspn(attempt->addresses.data, ",") < attempt->addresses.len)
			pgconn_info_set(info, "hostaddr", attempt->addresses.data);
	}
	/*
	 * so that a dead host leaves time for the next; covers SYN too since Linux 4.19
	 */
	if (info->own_user_timeout) {
		int64_t each_ms = attempt->timeout_ms /
		    (attempt->n_addresses ? attempt->n_addresses : 1);

		(void)snprintf(user_timeout, sizeof(user_timeout), "%lld",
		    (long long)(each_ms < USER_TIMEOUT_MS ? each_ms : USER_TIMEOUT_MS));
		pgconn_info_set(info, "tcp_user_timeout", user_timeout);
	}
	conn->pq = PQconnectStartParams(info->keywords, info->values, 0);
	if (!conn->pq || PQstatus(conn->pq) == CONNECTION_BAD)
		return fail_by_libpq(conn);
	(void)PQsetErrorVerbosity(conn->pq, PQERRORS_VERBOSE);
	(void)PQsetNoticeReceiver(conn->pq, pgconn_on_server_notice, conn);
	conn->stage = stage_connect;
	return WANT_WRITE;
}

/* ---- host names ---- */

static void
add_address(
    struct attempt *attempt, const struct pgconn_info_host *host, const char *address)
{
	const char *comma = attempt->n_addresses ? "," : "";

	if (attempt->n_addresses >= BOUND_ADDRESSES)
		return;
	text_addf(&attempt->names, "%s%s", comma, host->name);
	text_addf(&attempt->addresses, "%s%s", comma, address);
	text_addf(&attempt->ports, "%s%s", comma, host->port);
	attempt->n_addresses++;
}

static void
add_addresses(struct attempt *attempt, const struct pgconn_info_host *host, int status,
    const struct addrinfo *list)
{
	char address[INET6_ADDRSTRLEN + IF_NAMESIZE];

	if (status < 0) {
		attempt->lookup_err = (struct err){ 0 };
		err_set(&attempt->lookup_err, CAT_NETWORK_ERROR,
		    "host name \"%s\" cannot be resolved: %s", host->name,
		    uv_strerror(status));
		err_hint(&attempt->lookup_err,
		    "see whether the name is right and the name server answers");
	}
	for (; status == 0 && list; list = list->ai_next)
		if (getnameinfo(list->ai_addr, list->ai_addrlen, address, sizeof(address),
			NULL, 0, NI_NUMERICHOST) == 0)
			add_address(attempt, host, address);
}

static void
on_lookup(uv_getaddrinfo_t *request, int status, struct addrinfo *list)
{
	struct lookup *lookup = CONTAINER_OF(request, struct lookup, request);
	struct pgconn *conn = lookup->conn;

	assert(lookup->magic == LOOKUP_MAGIC);
	if (conn) {
		struct attempt *attempt = conn->attempt;

		attempt->lookup = NULL;
		add_addresses(
		    attempt, &attempt->info->hosts[attempt->next++], status, list);
	}
	uv_freeaddrinfo(list);
	lookup->magic = 0;
	talloc_free(lookup);
	if (conn)
		pgconn_do(conn);
}

static int
start_lookup(struct pgconn *conn, const char *name)
{
	struct lookup *lookup = mem_zero(NULL, struct lookup);
	const struct addrinfo hints = { .ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM };
	int rc = 0;

	lookup->magic = LOOKUP_MAGIC;
	lookup->conn = conn;
	rc = uv_getaddrinfo(conn->loop, &lookup->request, on_lookup, name, NULL, &hints);
	if (rc < 0)
		talloc_free(lookup);
	else
		conn->attempt->lookup = lookup;
	return rc;
}

/* A path, or an address that stands for itself: nobody has to be asked. */
static bool
is_resolved(const struct pgconn_info_host *host)
{
	unsigned char address[sizeof(struct in6_addr)];

	/* '%': an IPv6 address with its interface */
	return pgconn_info_is_socket(host) || strchr(host->name, '%') ||
	    inet_pton(AF_INET, host->name, address) == 1 ||
	    inet_pton(AF_INET6, host->name, address) == 1;
}

/* libpq would block the loop while it resolves a host name, so it gets addresses. */
static enum want
stage_resolve(struct pgconn *conn)
{
	struct attempt *attempt = conn->attempt;

	if (conn->expired)
		return fail_late(conn);
	while (attempt->next < attempt->info->n_hosts) {
		const struct pgconn_info_host *host =
		    &attempt->info->hosts[attempt->next];
		int rc = 0;

		if (!is_resolved(host)) {
			rc = start_lookup(conn, host->name);
			if (rc == 0)
				return WANT_LOOKUP;
			add_addresses(attempt, host, rc, NULL);
		} else {
			add_address(
			    attempt, host, pgconn_info_is_socket(host) ? "" : host->name);
		}
		attempt->next++;
	}
	if (attempt->info->n_hosts > 0 && attempt->n_addresses == 0) {
		conn->reply.err = attempt->lookup_err;
		return fail(conn);
	}
	if (text_failed(&attempt->names) || text_failed(&attempt->ports)) {
		err_set(&conn->reply.err, CAT_CONFIGURATION,
		    "the connection string is too long");
		return fail(conn);
	}
	return start_connect(conn);
}

/* The connection string could not be read. */
static enum want
stage_unreadable(struct pgconn *conn)
{
	return fail(conn);
}

/* ---- interface ---- */

static void
on_deadline(uv_timer_t *timer)
{
	struct pgconn *conn = timer->data;

	assert(conn->magic == PGCONN_MAGIC);
	conn->expired = true;
	pgconn_do(conn);
}

void
pgconn_drop_attempt(struct pgconn *conn)
{
	struct attempt *attempt = conn->attempt;

	if (attempt && attempt->lookup) {
		attempt->lookup->conn = NULL;
		(void)uv_cancel((uv_req_t *)&attempt->lookup->request);
	}
	/* the password is in there */
	talloc_free(attempt);
	conn->attempt = NULL;
}

void
pgconn_open(struct pgconn *conn, const struct pgconn_params *params, pgconn_reply_fn *fn,
    void *arg)
{
	struct attempt *attempt = mem_zero(conn, struct attempt);

	assert(conn->magic == PGCONN_MAGIC && !conn->closing && !conn->fn && !conn->pq);
	n_connects++;
	conn->fn = fn;
	conn->arg = arg;
	conn->reply = (struct pgconn_reply){ 0 };
	err_clear(&conn->goodbye);
	conn->attempt = attempt;
	conn->expired = false;
	text_init(&attempt->names, attempt, BOUND_ADDRESSES * (NI_MAXHOST + 1));
	text_init(&attempt->addresses, attempt, BOUND_ADDRESSES * (NI_MAXHOST + 1));
	text_init(&attempt->ports, attempt, BOUND_ADDRESSES * (NI_MAXHOST + 1));
	attempt->timeout_ms = params->connect_timeout_ms;
	if (pgconn_info_read(attempt, params, &attempt->info, &conn->reply.err) < 0) {
		conn->stage = stage_unreadable;
	} else {
		conn->stage = stage_resolve;
		(void)snprintf(conn->describe, sizeof(conn->describe), "%s",
		    attempt->info->describe);
	}
	/* the loop's clock may be old after long work, and the deadline counts from it */
	uv_update_time(conn->loop);
	(void)uv_timer_start(
	    &conn->deadline, on_deadline, (uint64_t)params->connect_timeout_ms, 0);
	(void)pgconn_arm(conn, WANT_TURN);
}

uint64_t
pgconn_connects(void)
{
	return n_connects;
}

uint64_t
pgconn_connect_failures(void)
{
	return n_failures;
}
