/* SPDX-License-Identifier: PostgreSQL */
#include <assert.h>
#include <microhttpd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/bounds.h"
#include "base/log.h"
#include "base/mem.h"
#include "http/httpd_internal.h"
#include "http/route.h"

#define LONGEST_WAIT_MS 60000

const char *
httpd_library_version(void)
{
	return MHD_get_version();
}

static struct connection *
connection_of(struct MHD_Connection *mhd)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	struct connection *connection = info->socket_context;

	assert(connection->magic == CONNECTION_MAGIC);
	return connection;
}

static void
drop_request(struct connection *connection)
{
	struct request *request = connection->request;

	connection->request = NULL;
	if (!request)
		return;
	request_finish(request);
	request->api->metrics->requests_in_flight--;
	talloc_free(request);
}

/* ---- a request comes in ---- */

static void
name_peer(struct request *request, const struct connection *connection)
{
	const union MHD_ConnectionInfo *info =
	    MHD_get_connection_info(connection->mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);

	request_name_peer(request, info ? info->client_addr : NULL, connection->fd);
}

/*
 * First sight of a request: its line has been read, the headers have not. The target is
 * still raw here; later libmicrohttpd decodes it in place.
 */
static void *
on_request_line(void *arg, const char *target, struct MHD_Connection *mhd)
{
	struct connection *connection = connection_of(mhd);
	struct httpd *httpd = connection->listener->httpd;
	struct request *request =
	    request_new(connection, httpd->api, &connection->listener->facts);

	(void)arg;
	name_peer(request, connection);
	request->target = mem_strdup(request, target);
	drop_request(connection);
	connection->target_at = (uintptr_t)target;
	connection->discarded = 0;
	connection->request = request;
	httpd->api->metrics->requests_in_flight++;
	connection_give_time(connection, 0);
	return request;
}

static enum MHD_Result
on_header(void *arg, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct request *request = arg;

	(void)kind;
	request->headers = mem_grow(
	    request, request->headers, struct request_header, request->n_headers + 1);
	request->headers[request->n_headers++] =
	    (struct request_header){ .name = name, .value = value ? value : "" };
	return MHD_YES;
}

/*
 * How long the target really was: the version stands right behind it in the same
 * buffer, so a NUL byte inside the target, where its string ends for C, shows as a gap.
 */
static size_t
measure_target(const struct connection *connection, const char *version)
{
	uintptr_t end = (uintptr_t)version;
	size_t len = strlen(connection->request->target);

	if (end > connection->target_at + len &&
	    end - connection->target_at <= BOUND_CONNECTION_BYTES)
		return end - connection->target_at - 1;
	return len;
}

static void
take_head(struct connection *connection, const char *method, const char *version)
{
	struct request *request = connection->request;

	request_set_method(request, method);
	request->version = version;
	request->target_len = measure_target(connection, version);
	MHD_get_connection_values(connection->mhd, MHD_HEADER_KIND, on_header, request);
	request_adopt_id(request);
	request->state = REQUEST_BODY;
	if (route_parse_target(request) == 0 &&
	    guard_check_head(request, &request->api->guard) == 0)
		connection_give_time(connection, 0);
}

/* MHD_NO cuts the connection: nothing can be answered in the middle of an upload. */
static enum MHD_Result
take_body(struct connection *connection, const char *data, size_t *len)
{
	struct request *request = connection->request;

	text_add_bytes(&request->body, data, *len);
	if (text_failed(&request->body))
		connection->discarded += *len;
	*len = 0;
	return connection->discarded <= HTTPD_DISCARD_BYTES ? MHD_YES : MHD_NO;
}

/* ---- its answer ---- */

static struct MHD_Response *
make_response(const struct request *request)
{
	struct MHD_Response *response = MHD_create_response_from_buffer(
	    request->reply_len, request->reply, MHD_RESPMEM_PERSISTENT);

	for (size_t i = 0; i < request->n_reply_headers; i++) {
		MHD_add_response_header(response, request->reply_headers[i].name,
		    request->reply_headers[i].value);
	}
	if (request->content_type)
		MHD_add_response_header(response, "Content-Type", request->content_type);
	MHD_add_response_header(response, "X-Request-Id", request->id);
	MHD_add_response_header(response, "Cache-Control", "no-store");
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	MHD_add_response_header(response, "Server", "migrationd/" PACKAGE_VERSION);
	if (request->close)
		MHD_add_response_header(response, "Connection", "close");
	return response;
}

/* The one place that answers. */
static enum MHD_Result
queue_reply(struct connection *connection)
{
	struct request *request = connection->request;
	struct MHD_Response *response;
	enum MHD_Result result;

	request->close |= connection->listener->httpd->quiet;
	response = make_response(request);
	result = MHD_queue_response(connection->mhd, request->status, response);
	MHD_destroy_response(response);
	connection_give_time(connection, 0);
	return result;
}

static enum MHD_Result
park(struct connection *connection)
{
	struct httpd *httpd = connection->listener->httpd;

	if (httpd->closing) {
		httpd_refuse_to_wait(connection->request);
		return queue_reply(connection);
	}
	connection->deadline_mono_us = 0;
	httpd->api->parked++;
	MHD_suspend_connection(connection->mhd);
	return MHD_YES;
}

static enum MHD_Result
handle(struct connection *connection)
{
	struct request *request = connection->request;

	request->state = REQUEST_READY;
	route_dispatch(request);
	return request->state == REQUEST_PARKED ? park(connection)
						: queue_reply(connection);
}

/*
 * Called by libmicrohttpd for the head, for each piece of the body, at its end, and
 * again after a parked request was resumed.
 */
static enum MHD_Result
on_access(void *arg, struct MHD_Connection *mhd, const char *url, const char *method,
    const char *version, const char *data, size_t *len, void **request_context)
{
	struct connection *connection = connection_of(mhd);
	struct request *request = connection->request;

	(void)arg;
	(void)url;
	assert(*request_context == request);
	if (request->state == REQUEST_HEADERS) {
		take_head(connection, method, version);
		return request->state == REQUEST_REPLIED ? queue_reply(connection)
							 : MHD_YES;
	}
	if (*len > 0)
		return take_body(connection, data, len);
	return request->state == REQUEST_REPLIED ? queue_reply(connection)
						 : handle(connection);
}

static void
on_completed(void *arg, struct MHD_Connection *mhd, void **request_context,
    enum MHD_RequestTerminationCode code)
{
	struct connection *connection = connection_of(mhd);

	(void)arg;
	(void)code;
	*request_context = NULL;
	drop_request(connection);
	connection_give_time(connection, HTTPD_IDLE_MS);
}

/* ---- connections ---- */

static void
connection_open(struct listener *listener, struct MHD_Connection *mhd, void **context)
{
	struct httpd *httpd = listener->httpd;
	struct connection *connection = mem_zero(httpd, struct connection);

	connection->magic = CONNECTION_MAGIC;
	connection->listener = listener;
	connection->mhd = mhd;
	connection->fd =
	    MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
	connection->next = httpd->connections;
	if (connection->next)
		connection->next->prev = connection;
	httpd->connections = connection;
	*context = connection;
	connection_give_time(connection, 0);
}

static void
connection_free(struct connection *connection)
{
	struct httpd *httpd = connection->listener->httpd;

	if (connection->prev)
		connection->prev->next = connection->next;
	else
		httpd->connections = connection->next;
	if (connection->next)
		connection->next->prev = connection->prev;
	drop_request(connection);
	connection->magic = 0;
	talloc_free(connection);
}

static void
on_connection(void *arg, struct MHD_Connection *mhd, void **context,
    enum MHD_ConnectionNotificationCode code)
{
	struct listener *listener = arg;

	assert(listener->magic == LISTENER_MAGIC);
	if (code == MHD_CONNECTION_NOTIFY_STARTED)
		connection_open(listener, mhd, context);
	else
		connection_free(connection_of(mhd));
}

bool
connection_is_parked(const struct connection *connection)
{
	return connection->request && connection->request->state == REQUEST_PARKED;
}

void
connection_resume(struct connection *connection)
{
	connection->listener->httpd->api->parked--;
	connection_give_time(connection, 0);
	MHD_resume_connection(connection->mhd);
}

/* ---- the listener ---- */

static void
on_mhd_log(void *arg, const char *fmt, va_list ap)
{
	char line[512];
	size_t len;

	(void)arg;
	vsnprintf(line, sizeof(line), fmt, ap);
	len = strcspn(line, "\n");
	line[len] = '\0';
	log_debug("libmicrohttpd", LOG_STR("text", line));
}

int
listener_start(struct listener *listener, int fd)
{
	const intptr_t limit =
	    listener->facts.is_probe ? BOUND_PROBE_CONNECTIONS : BOUND_CONNECTIONS;
	const struct MHD_OptionItem options[] = {
		{ MHD_OPTION_LISTEN_SOCKET, fd, NULL },
		{ MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)on_connection, listener },
		{ MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)on_request_line, listener },
		{ MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)on_completed, listener },
		{ MHD_OPTION_CONNECTION_LIMIT, limit, NULL },
		{ MHD_OPTION_CONNECTION_TIMEOUT, HTTPD_IDLE_MS / 1000, NULL },
		{ MHD_OPTION_CONNECTION_MEMORY_LIMIT, BOUND_CONNECTION_BYTES, NULL },
		/* 1 answers some errors itself, with the header block twice */
		{ MHD_OPTION_STRICT_FOR_CLIENT, 0, NULL },
		{ MHD_OPTION_END, 0, NULL },
	};

	/* the logger comes first, so that it hears of the others */
	listener->mhd =
	    MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG,
		0, NULL, NULL, on_access, listener, MHD_OPTION_EXTERNAL_LOGGER,
		on_mhd_log, NULL, MHD_OPTION_ARRAY, options, MHD_OPTION_END);
	if (!listener->mhd)
		return -1;
	return MHD_get_daemon_info(listener->mhd, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
}

static unsigned
count_connections(const struct listener *listener)
{
	return MHD_get_daemon_info(listener->mhd, MHD_DAEMON_INFO_CURRENT_CONNECTIONS)
	    ->num_connections;
}

/*
 * Once more whenever a connection has gone: at its limit, or out of descriptors,
 * libmicrohttpd stops to listen and only begins again at the start of a run.
 */
void
listener_run(struct listener *listener)
{
	unsigned before = count_connections(listener);

	MHD_run(listener->mhd);
	if (count_connections(listener) < before)
		MHD_run(listener->mhd);
}

int64_t
listener_wait_ms(const struct listener *listener)
{
	MHD_UNSIGNED_LONG_LONG ms;

	if (MHD_get_timeout(listener->mhd, &ms) != MHD_YES)
		return -1;
	return ms < LONGEST_WAIT_MS ? (int64_t)ms : LONGEST_WAIT_MS;
}

void
listener_quiesce(struct listener *listener)
{
	MHD_socket fd = MHD_quiesce_daemon(listener->mhd);

	if (fd != MHD_INVALID_SOCKET)
		close(fd);
}

void
listener_stop(struct listener *listener)
{
	MHD_stop_daemon(listener->mhd);
}
