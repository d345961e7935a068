/* SPDX-License-Identifier: PostgreSQL */
#include "http/request.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "base/bounds.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "http/api.h"
#include "http/route.h"

#define ID_LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"

static int
drop_run(struct request *request)
{
	if (request->run)
		run_unref(request->run);
	return 0;
}

struct request *
request_new(const void *ctx, struct api *api, const struct listener_facts *listener)
{
	struct request *request = mem_zero(ctx, struct request);

	request->api = api;
	request->listener = *listener;
	request->started_mono_us = api->now_mono_us();
	request->target = "";
	request->version = "";
	request_set_method(request, "GET");
	digest_uuid7(clock_now_us(), request->id);
	text_init(&request->body, request, BOUND_BODY_BYTES);
	talloc_set_destructor(request, drop_run);
	return request;
}

void
request_name_peer(struct request *request, const struct sockaddr *address, int fd)
{
	const struct sockaddr_in *in = (const void *)address;
	const struct sockaddr_in6 *in6 = (const void *)address;
	struct ucred credentials;
	socklen_t size = sizeof(credentials);

	snprintf(request->peer, sizeof(request->peer), "unknown");
	if (request->listener.is_unix) {
		if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) == 0)
			snprintf(request->peer, sizeof(request->peer), "unix uid %u",
			    credentials.uid);
	} else if (address && address->sa_family == AF_INET) {
		inet_ntop(AF_INET, &in->sin_addr, request->peer, sizeof(request->peer));
	} else if (address && address->sa_family == AF_INET6) {
		inet_ntop(
		    AF_INET6, &in6->sin6_addr, request->peer, sizeof(request->peer));
	}
}

void
request_set_method(struct request *request, const char *name)
{
	static const char *const names[] = {
		[METHOD_GET] = "GET",
		[METHOD_HEAD] = "HEAD",
		[METHOD_POST] = "POST",
		[METHOD_OPTIONS] = "OPTIONS",
	};
	unsigned i = 0;

	while (i < ARRAY_SIZE(names) && strcmp(names[i], name) != 0)
		i++;
	request->method = (enum request_method)i;
	request->method_name = name;
}

const char *
request_header(const struct request *request, const char *name)
{
	for (size_t i = 0; i < request->n_headers; i++) {
		if (strcasecmp(request->headers[i].name, name) == 0)
			return request->headers[i].value;
	}
	return NULL;
}

unsigned
request_count_headers(const struct request *request, const char *name)
{
	unsigned n = 0;

	for (size_t i = 0; i < request->n_headers; i++)
		n += strcasecmp(request->headers[i].name, name) == 0;
	return n;
}

void
request_adopt_id(struct request *request)
{
	const char *id = request_header(request, "X-Request-Id");
	size_t len = id ? strlen(id) : 0;

	if (len == 0 || len > REQUEST_ID_BYTES || strspn(id, ID_LETTERS) != len)
		return;
	memcpy(request->id, id, len + 1);
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/*
 * What is no escape stays as it is. %00 cannot come: route_parse_target has refused it.
 */
static char *
percent_decode(const void *ctx, const char *s, size_t len)
{
	char *out = mem_strndup(ctx, s, len);
	char *to = out;

	for (size_t i = 0; i < len; i++) {
		int high = i + 2 < len ? hex_digit(s[i + 1]) : -1;
		int low = i + 2 < len ? hex_digit(s[i + 2]) : -1;

		if (s[i] == '%' && high >= 0 && low >= 0) {
			*to++ = (char)(high * 16 + low);
			i += 2;
		} else {
			*to++ = s[i] == '+' ? ' ' : s[i];
		}
	}
	*to = '\0';
	return out;
}

const char *
request_query(struct request *request, const char *name)
{
	size_t name_len = strlen(name);

	for (const char *p = request->query; p;
	     p = strchr(p, '&') ? strchr(p, '&') + 1 : NULL) {
		size_t len = strcspn(p, "&");
		size_t key_len = strcspn(p, "&=");

		if (key_len != name_len || memcmp(p, name, name_len) != 0)
			continue;
		if (key_len == len)
			return "";
		return percent_decode(request, p + key_len + 1, len - key_len - 1);
	}
	return NULL;
}

static bool
is_listed(const char *const *list, const char *name)
{
	for (; *list; list++) {
		if (strcmp(*list, name) == 0)
			return true;
	}
	return false;
}

const char *
request_query_other(struct request *request, const char *const *known)
{
	for (const char *p = request->query; p; p = strchr(p, '&')) {
		char *name;

		p += *p == '&';
		name = mem_strndup(request, p, strcspn(p, "&="));
		if (name[0] && !is_listed(known, name))
			return name;
	}
	return NULL;
}

static size_t
skip_blank(const char *s)
{
	return strspn(s, " \t");
}

/*
 * The weight among the parameters of a media range; 1 when there is none, 0 when it is
 * no number.
 */
static double
range_weight(const char *params, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (params[i] != ';')
			continue;
		i += 1 + skip_blank(params + i + 1);
		if (i + 1 < len && (params[i] == 'q' || params[i] == 'Q') &&
		    params[i + 1] == '=')
			return strtod(params + i + 2, NULL);
		i--;
	}
	return 1;
}

/* How closely a range fits: 3 the very type, 2 "type/ *", 1 "* / *", 0 not at all. */
static int
range_fit(const char *range, size_t len, const char *type)
{
	size_t major = strcspn(type, "/") + 1;

	if (len == strlen(type) && strncasecmp(range, type, len) == 0)
		return 3;
	if (len == major + 1 && range[major] == '*' &&
	    strncasecmp(range, type, major) == 0)
		return 2;
	return len == 3 && strncmp(range, "*/*", 3) == 0;
}

double
request_accept(const struct request *request, const char *type)
{
	int best_fit = 0;
	double best = request_count_headers(request, "Accept") ? 0 : 1;

	for (size_t i = 0; i < request->n_headers; i++) {
		const char *p = request->headers[i].value;

		if (strcasecmp(request->headers[i].name, "Accept") != 0)
			continue;
		for (; *p; p += *p == ',') {
			size_t len, name_len;
			double weight;
			int fit;

			p += skip_blank(p);
			len = strcspn(p, ",");
			name_len = strcspn(p, ",; \t");
			fit = range_fit(p, name_len, type);
			weight = range_weight(p, len);
			if (fit > best_fit ||
			    (fit > 0 && fit == best_fit && weight > best)) {
				best_fit = fit;
				best = weight;
			}
			p += len;
		}
	}
	return best > 0 && best <= 1 ? best : best > 1;
}

bool
request_wants_text(struct request *request)
{
	const char *format = request_query(request, "format");

	if (format)
		return strcmp(format, "text") == 0;
	return request_accept(request, "text/plain") >
	    request_accept(request, "application/json");
}

void
request_park(struct request *request, bool (*is_ready)(struct request *),
    void (*resume)(struct request *), int64_t timeout_ms)
{
	request->state = REQUEST_PARKED;
	request->is_ready = is_ready;
	request->resume = resume;
	request->deadline_mono_us =
	    timeout_ms ? request->api->now_mono_us() + timeout_ms * 1000 : 0;
}

bool
request_is_due(struct request *request, int64_t now_mono_us)
{
	if (request->is_ready(request))
		return true;
	return request->deadline_mono_us && now_mono_us >= request->deadline_mono_us;
}

void
request_finish(struct request *request)
{
	static const char *const labels[] = {
		[METHOD_GET] = "GET",
		[METHOD_HEAD] = "HEAD",
		[METHOD_POST] = "POST",
		[METHOD_OPTIONS] = "OPTIONS",
		[METHOD_OTHER] = "other",
	};
	const char *route = route_label(request);
	int64_t span_us = request->api->now_mono_us() - request->started_mono_us;
	bool is_slow = request->route && (request->route->flags & ROUTE_SLOW);
	bool is_write = request->route && (request->route->flags & ROUTE_WRITE);

	if (request->state != REQUEST_REPLIED)
		return;
	metrics_count_request(request->api->metrics, route, labels[request->method],
	    request->status, is_slow ? -1 : (double)span_us / 1e6);
	log_event(is_write ? LOG_INFO : LOG_DEBUG, NULL, "request answered",
	    LOG_FIELDS(LOG_STR("method", request->method_name),
		LOG_STR("path", request->path), LOG_INT("status", request->status),
		LOG_INT("milliseconds", span_us / 1000), LOG_STR("peer", request->peer),
		LOG_STR("request", request->id),
		LOG_STR("run", request->run ? request->run->id : NULL)));
}
