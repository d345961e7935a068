/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * One HTTP request and its reply. The struct is the talloc context of all that belongs
 * to it; httpd makes it at the first sight of a request and frees it when the answer is
 * gone. Nothing here knows libmicrohttpd: so everything but httpd.c is testable with
 * structs made by hand.
 *
 *	HEADERS -> BODY -> READY -> (PARKED ->) REPLIED
 *
 * request.c reads the request, reply.c makes the reply.
 *
 * A handler ends in exactly one of: a reply (request_reply_*, request_refuse) or
 * request_park.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>

#include "base/err.h"
#include "base/text.h"
#include "core/run.h"

struct api;
struct route;
struct sockaddr;

#define REQUEST_ID_BYTES      64u
#define REQUEST_REPLY_HEADERS 12u
#define REQUEST_RETRY_SECONDS "2" /* Retry-After where nothing better is known */

enum request_method {
	METHOD_GET,
	METHOD_HEAD,
	METHOD_POST,
	METHOD_OPTIONS,
	METHOD_OTHER
};

enum request_state {
	REQUEST_HEADERS,
	REQUEST_BODY,
	REQUEST_READY,
	REQUEST_PARKED,
	REQUEST_REPLIED
};

/* Where it came in. */
struct listener_facts {
	bool is_probe; /* serves /livez /readyz /current /metrics only */
	bool is_unix;  /* the socket's permissions are the authorisation */
	bool is_local; /* no socket at all: this process asks itself */
};

struct request_header {
	const char *name;
	const char *value;
};

struct request {
	enum request_state state;
	struct api *api;
	struct listener_facts listener;
	char peer[64]; /* "127.0.0.1" or "unix uid 1000": log and requested_by */
	char id[REQUEST_ID_BYTES + 1]; /* X-Request-Id, the client's or made by us */
	int64_t started_mono_us;

	enum request_method method;
	const char *method_name;
	const char
	    *target; /* raw, as on the request line: the only thing that is routed */
	size_t target_len;   /* above strlen(target) when the client sent a NUL byte */
	const char *version; /* "HTTP/1.1" */
	struct request_header *headers;
	size_t n_headers;

	/* Filled by route_parse_target. */
	const char *path;  /* without query; not percent-decoded: routed by exact match */
	const char *query; /* behind '?', or NULL */
	const char *authority; /* host and port of an absolute-form target, or NULL */
	const char *argument;  /* the {id} of the path, or NULL */
	const struct route *route;

	struct text body;
	bool close; /* close the connection after the answer */

	/*
	 * Parked: `is_ready` is asked once per loop turn; true, or the deadline passed,
	 * and `resume` makes the reply. Both belong to the handler that parked it.
	 */
	bool (*is_ready)(struct request *request);
	void (*resume)(struct request *request);
	int64_t deadline_mono_us; /* 0: none */
	struct run *run; /* the run that is waited for, one reference; NULL: none */
	bool joined;     /* it was in progress already */
	bool is_async;   /* the caller prefers 202 to waiting longer */
	int64_t
	    seen_refresh_us; /* database.refreshed_at_us when a fresh look was asked for */

	/* The reply. */
	unsigned status;
	const char *content_type;
	struct request_header reply_headers[REQUEST_REPLY_HEADERS];
	size_t n_reply_headers;
	char *reply;
	size_t reply_len;
};

/* A zeroed request in state HEADERS, with an id of ours. */
struct request *request_new(
    const void *ctx, struct api *api, const struct listener_facts *listener);

/*
 * Fill `peer`: from the address on TCP, from the socket's other end on a unix socket.
 * `address` may be NULL.
 */
void request_name_peer(struct request *request, const struct sockaddr *address, int fd);

/* Take the method; `name` must outlive the request. */
void request_set_method(struct request *request, const char *name);

/*
 * The value of a header, name without regard to case; NULL when absent. How many there
 * are of that name.
 */
const char *request_header(const struct request *request, const char *name);
unsigned request_count_headers(const struct request *request, const char *name);

/* Take over the client's X-Request-Id, if it is [A-Za-z0-9._-]{1,64}. */
void request_adopt_id(struct request *request);

/*
 * A query parameter, percent-decoded, owned by the request; NULL when absent. "" for
 * "?name".
 */
const char *request_query(struct request *request, const char *name);

/*
 * The name of the first parameter that is none of `known`, which NULL ends; owned by the
 * request. NULL: there is no other.
 */
const char *request_query_other(struct request *request, const char *const *known);

/* ---- content negotiation, RFC 9110 section 12.5.1 ---- */

/*
 * How much the caller wants that media type, 0 (not at all) to 1; the most specific
 * range counts. 1 without Accept.
 */
double request_accept(const struct request *request, const char *type);

/*
 * Whether the caller wants text: ?format=text, or Accept prefers text/plain to
 * application/json.
 */
bool request_wants_text(struct request *request);

/* ---- reply.c: replies; each sets state REPLIED ---- */

/*
 * A reply header; at most REQUEST_REPLY_HEADERS. Values are made by us, never echoed
 * raw. Copied.
 */
void request_add_header(struct request *request, const char *name, const char *value);

/*
 * `document` is taken (decref'd). Compact, or indented with ?pretty; a newline ends it.
 */
void request_reply_json(struct request *request, unsigned status, json_t *document);

/*
 * `text` is taken: it must have been made with the request as context. A failed one
 * becomes a 500.
 */
void request_reply_text(struct request *request, unsigned status,
    const char *content_type, const struct text *text);

/* 204 or another answer without a body. */
void request_reply_empty(struct request *request, unsigned status);

/*
 * A problem document (RFC 9457), or text when the caller wants text. Status: `status`,
 * or the error's when 0. Adds Retry-After to 429 and 503, and closes the connection
 * where the framing may be in doubt.
 */
void request_reply_problem(
    struct request *request, unsigned status, const struct err *err);

/* The same with a document of one's own: json_problem and more members. Taken. */
void request_reply_problem_json(
    struct request *request, unsigned status, const struct err *err, json_t *document);

/* A problem in one call; `hint` may be NULL. Returns -1 always. */
int request_refuse(struct request *request, unsigned status, enum category category,
    const char *hint, const char *fmt, ...) PRINTF_LIKE(5, 6);

/* ---- waiting ---- */

/* Wait: asked again once per loop turn. `timeout_ms` 0: no deadline. */
void request_park(struct request *request, bool (*is_ready)(struct request *),
    void (*resume)(struct request *), int64_t timeout_ms);

/* Whether it waits no longer: ready, or its deadline has passed. */
bool request_is_due(struct request *request, int64_t now_mono_us);

/*
 * The end: counts it and writes the log line. For httpd, before it frees the request.
 */
void request_finish(struct request *request);
