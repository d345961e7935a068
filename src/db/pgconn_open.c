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
#include "db/password.h"
#include "db/pgconn_info.h"
#include "db/pgconn_internal.h"

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
	struct password *asking; /* NULL: the password is there, or none is asked for */
	size_t next;             /* host to resolve */
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
	pgconn_read_failure(conn->pq, &conn->reply.err);
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

/* The connection string could not be read, or the password not be had. */
static enum want
stage_refused(struct pgconn *conn)
{
	return fail(conn);
}

/* ---- the password of a command ---- */

static void
on_password(void *arg, const char *password, const struct err *err)
{
	struct pgconn *conn = arg;

	conn->attempt->asking = NULL;
	conn->reply.err = *err;
	conn->stage = password ? stage_resolve : stage_refused;
	if (password)
		pgconn_info_set(conn->attempt->info, "password", password);
	pgconn_do(conn);
}

/* Until on_password. The time for connecting is its time too. */
static enum want
stage_password(struct pgconn *conn)
{
	if (!conn->expired)
		return WANT_LOOKUP;
	err_set(&conn->reply.err, CAT_NETWORK_ERROR,
	    "password_command did not end within connect_timeout");
	err_hint(&conn->reply.err, "run it by hand as the user of migrationd");
	return fail(conn);
}

/* ---- interface ---- */

void
pgconn_drop_attempt(struct pgconn *conn)
{
	struct attempt *attempt = conn->attempt;

	if (attempt)
		password_drop(attempt->asking);
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
		conn->stage = stage_refused;
	} else {
		conn->stage = stage_resolve;
		(void)snprintf(conn->describe, sizeof(conn->describe), "%s",
		    attempt->info->describe);
	}
	if (conn->stage == stage_resolve && params->password_command) {
		conn->stage = stage_password;
		attempt->asking = password_ask(conn->loop, params->password_command,
		    params->connect_timeout_ms, params->password_memory, on_password,
		    conn);
	}
	/* the loop's clock may be old after long work, and the deadline counts from it */
	uv_update_time(conn->loop);
	pgconn_set_deadline(conn, (uint64_t)params->connect_timeout_ms);
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
