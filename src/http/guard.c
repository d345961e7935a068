/* SPDX-License-Identifier: PostgreSQL */
#include "http/guard.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/bounds.h"
#include "base/mem.h"
#include "http/api.h"

#define HOST_BYTES 256u

static int
refuse_framing(struct request *request, const char *why)
{
	request->close = true;
	return request_refuse(request, 400, CAT_SECURITY_VIOLATION, NULL, "%s", why);
}

/*
 * A name with anything but the letters of a token: "Content-Length " hides a header
 * from who looks for it.
 */
static bool
has_odd_name(const struct request *request)
{
	for (size_t i = 0; i < request->n_headers; i++) {
		const char *name = request->headers[i].name;

		if (name[0] == '\0' || strpbrk(name, " \t\r\n\v\f:\"(),/;<=>?@[\\]{}"))
			return true;
	}
	return false;
}

static int
check_framing(struct request *request)
{
	unsigned lengths = request_count_headers(request, "Content-Length");
	unsigned encodings = request_count_headers(request, "Transfer-Encoding");
	const char *encoding = request_header(request, "Transfer-Encoding");

	if (has_odd_name(request))
		return refuse_framing(request, "a header has an invalid name");
	if (lengths + encodings > 1)
		return refuse_framing(
		    request, "more than one of Content-Length and Transfer-Encoding");
	if (encoding && strcasecmp(encoding, "chunked") != 0)
		return refuse_framing(request, "the only transfer coding is chunked");
	return 0;
}

static int
refuse_length(struct request *request)
{
	return request_refuse(request, 413, CAT_CONFIGURATION, NULL,
	    "the body is larger than %u bytes", BOUND_BODY_BYTES);
}

static int
check_length(struct request *request)
{
	const char *value = request_header(request, "Content-Length");
	size_t digits = value ? strspn(value, "0123456789") : 0;

	if (!value)
		return 0;
	if (digits == 0 || value[digits] != '\0')
		return refuse_framing(request, "Content-Length is no number");
	if (digits <= 9 && strtoul(value, NULL, 10) <= BOUND_BODY_BYTES)
		return 0;
	return refuse_length(request);
}

static int
check_version(struct request *request)
{
	if (strcmp(request->version, "HTTP/1.1") == 0 ||
	    strcmp(request->version, "HTTP/1.0") == 0)
		return 0;
	return request_refuse(request, 505, CAT_CONFIGURATION, NULL,
	    "this server speaks HTTP/1.1 and HTTP/1.0");
}

/* The host of "host:port" or "[v6]:port" into `out`. False when it is none. */
static bool
split_host(const char *value, char out[HOST_BYTES])
{
	bool bracketed = value[0] == '[';
	const char *start = value + bracketed;
	size_t len = strcspn(start, bracketed ? "]" : ":");
	const char *rest = start + len;

	if (len == 0 || len >= HOST_BYTES || (bracketed && *rest != ']'))
		return false;
	memcpy(out, start, len);
	out[len] = '\0';
	rest += bracketed;
	if (*rest == '\0')
		return true;
	return *rest == ':' && strspn(rest + 1, "0123456789") == strlen(rest + 1);
}

static bool
is_listed(const char *const *list, const char *host)
{
	for (; list && *list; list++) {
		if (strcasecmp(*list, host) == 0)
			return true;
	}
	return false;
}

static bool
is_loopback(const char *host)
{
	return strcasecmp(host, "localhost") == 0 || strcmp(host, "::1") == 0 ||
	    strncmp(host, "127.", 4) == 0;
}

static bool
is_ip_literal(const char *host)
{
	unsigned char address[sizeof(struct in6_addr)];

	return inet_pton(AF_INET, host, address) == 1 ||
	    inet_pton(AF_INET6, host, address) == 1;
}

/* Whether others than this machine can reach a listener. */
static bool
is_exposed(const struct guard_policy *policy)
{
	for (const char *const *host = policy->listen_hosts; host && *host; host++) {
		if (!is_loopback(*host))
			return true;
	}
	return false;
}

static bool
is_our_host(const struct guard_policy *policy, const char *host)
{
	static const char *const always[] = { "localhost", "127.0.0.1", "::1", NULL };
	bool has_list = policy->allowed_hosts && policy->allowed_hosts[0];

	if (is_listed(policy->allowed_hosts, "*"))
		return true;
	if (is_listed(always, host) || is_listed(policy->listen_hosts, host) ||
	    is_listed(policy->allowed_hosts, host))
		return true;
	if (!is_exposed(policy))
		return false;
	return is_ip_literal(host) || (policy->has_token && !has_list);
}

static int
check_host(struct request *request, const struct guard_policy *policy)
{
	unsigned n = request_count_headers(request, "Host");
	const char *value = request_header(request, "Host");
	bool is_old = strcmp(request->version, "HTTP/1.0") == 0;
	char host[HOST_BYTES];

	if (n > 1)
		return refuse_framing(request, "more than one Host header");
	if (n == 0 && !(is_old && request->listener.is_unix))
		return refuse_framing(request, "no Host header");
	if (request->listener.is_unix || request->listener.is_probe)
		return 0;
	/*
	 * RFC 9112 section 3.2.2: the authority of an absolute-form target stands above
	 * Host
	 */
	if (request->authority)
		value = request->authority;
	if (split_host(value, host) && is_our_host(policy, host))
		return 0;
	return request_refuse(request, 421, CAT_SECURITY_VIOLATION,
	    "add the name to allowed_hosts, if it is this daemon's",
	    "this daemon does not answer to the Host of the request");
}

/*
 * A page that came from us: "http://HOST" with the very Host of this request, which has
 * passed.
 */
static bool
is_same_origin(const struct request *request, const char *origin)
{
	const char *host = request_header(request, "Host");
	const char *authority = strstr(origin, "://");

	return host && authority && strcasecmp(authority + 3, host) == 0;
}

static int
check_origin(struct request *request)
{
	const char *origin = request_header(request, "Origin");
	const char *site = request_header(request, "Sec-Fetch-Site");

	if (request->method == METHOD_GET || request->method == METHOD_HEAD ||
	    request->method == METHOD_OPTIONS)
		return 0;
	if (request_count_headers(request, "Origin") <= 1 &&
	    (!origin || is_same_origin(request, origin)) &&
	    (!site || strcmp(site, "same-origin") == 0 || strcmp(site, "none") == 0))
		return 0;
	return request_refuse(request, 403, CAT_PERMISSION_DENIED, NULL,
	    "a web page of another origin may not write here");
}

int
guard_check_head(struct request *request, const struct guard_policy *policy)
{
	if (check_framing(request) < 0 || check_version(request) < 0 ||
	    check_host(request, policy) < 0 || check_origin(request) < 0 ||
	    check_length(request) < 0)
		return -1;
	return 0;
}

static bool
is_json_type(const char *type)
{
	size_t len = strcspn(type, "; \t");

	return len == strlen("application/json") &&
	    strncasecmp(type, "application/json", len) == 0;
}

int
guard_check_body(struct request *request)
{
	const char *type = request_header(request, "Content-Type");
	const char *coding = request_header(request, "Content-Encoding");
	bool is_plain = !coding || strcasecmp(coding, "identity") == 0;

	/* what did not fit is emptied, and an empty body asks for everything */
	if (text_failed(&request->body))
		return refuse_length(request);
	if (request->body.len == 0 && !request_header(request, "Origin"))
		return 0;
	if (is_plain && type && is_json_type(type) &&
	    request_count_headers(request, "Content-Type") == 1)
		return 0;
	request_add_header(request, "Accept-Post", "application/json");
	return request_refuse(request, 415, CAT_CONFIGURATION,
	    "use curl --json '{}', or send Content-Type: application/json",
	    is_plain ? "the body must be application/json"
		     : "the body must not be compressed");
}
