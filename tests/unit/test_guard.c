/* SPDX-License-Identifier: PostgreSQL */
#include "fake_api.h"

/* Headers of one case: name, value, name, value ... */
#define MOST_HEADERS 8

static struct request *
request_with(
    struct fake *fake, const char *method, const char *const headers[MOST_HEADERS])
{
	struct request *request = fake_request(fake, method, "/status");

	for (size_t i = 0; i < MOST_HEADERS && headers[i]; i += 2)
		fake_header(request, headers[i], headers[i + 1]);
	assert_int_equal(route_parse_target(request), 0);
	return request;
}

#define HOST "Host", "localhost"

static void
test_the_head(void **state)
{
	static const struct {
		const char *what;
		const char *method;
		const char *headers[MOST_HEADERS];
		unsigned status; /* 0: passes */
		bool close;
	} cases[] = {
		{ "plain", "GET", { HOST }, 0, false },
		{ "no Host", "GET", { NULL }, 400, true },
		{ "two Hosts", "GET", { HOST, HOST }, 400, true },
		{ "a length", "POST", { HOST, "Content-Length", "5" }, 0, false },
		{ "the largest length", "POST", { HOST, "Content-Length", "65536" }, 0,
		    false },
		{ "two lengths", "POST",
		    { HOST, "Content-Length", "5", "Content-Length", "50" }, 400, true },
		{ "two equal lengths", "POST",
		    { HOST, "Content-Length", "5", "content-length", "5" }, 400, true },
		{ "length and chunks", "POST",
		    { HOST, "Content-Length", "5", "Transfer-Encoding", "chunked" }, 400,
		    true },
		{ "chunks", "POST", { HOST, "Transfer-Encoding", "Chunked" }, 0, false },
		{ "other coding", "POST", { HOST, "Transfer-Encoding", "xchunked" }, 400,
		    true },
		{ "two codings", "POST", { HOST, "Transfer-Encoding", "gzip, chunked" },
		    400, true },
		{ "two coding headers", "POST",
		    { HOST, "Transfer-Encoding", "chunked", "Transfer-Encoding",
			"identity" },
		    400, true },
		{ "negative length", "POST", { HOST, "Content-Length", "-1" }, 400,
		    true },
		{ "plus length", "POST", { HOST, "Content-Length", "+5" }, 400, true },
		{ "junk length", "POST", { HOST, "Content-Length", "5abc" }, 400, true },
		{ "empty length", "POST", { HOST, "Content-Length", "" }, 400, true },
		{ "list of lengths", "POST", { HOST, "Content-Length", "5, 5" }, 400,
		    true },
		{ "large length", "POST", { HOST, "Content-Length", "65537" }, 413,
		    true },
		{ "huge length", "POST",
		    { HOST, "Content-Length", "99999999999999999999999" }, 413, true },
		{ "blank before the colon", "POST", { HOST, "Content-Length ", "5" }, 400,
		    true },
		{ "odd header name", "GET", { HOST, "a\"b", "5" }, 400, true },
		{ "empty header name", "GET", { HOST, "", "5" }, 400, true },
	};
	struct fake *fake = fake_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct request *request =
		    request_with(fake, cases[i].method, cases[i].headers);
		int rc = guard_check_head(request, &fake->api.guard);

		if (request->status != cases[i].status)
			print_error("case: %s\n", cases[i].what);
		assert_int_equal(request->status, cases[i].status);
		assert_int_equal(rc, cases[i].status ? -1 : 0);
		assert_int_equal(request->close, cases[i].close);
		talloc_free(request);
	}
	talloc_free(fake);
}

static void
test_versions(void **state)
{
	static const struct {
		const char *version;
		unsigned status;
	} cases[] = {
		{ "HTTP/1.1", 0 },
		{ "HTTP/1.0", 0 },
		{ "HTTP/1.9", 505 },
		{ "HTTP/2.0", 505 },
		{ "", 505 },
		{ "http/1.1", 505 },
	};
	static const char *const headers[MOST_HEADERS] = { HOST };
	struct fake *fake = fake_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct request *request = request_with(fake, "GET", headers);

		request->version = cases[i].version;
		assert_int_equal(guard_check_head(request, &fake->api.guard),
		    cases[i].status ? -1 : 0);
		assert_int_equal(request->status, cases[i].status);
	}
	talloc_free(fake);
}

static const char *const loopback_only[] = { "127.0.0.1", NULL };
static const char *const wildcard[] = { "127.0.0.1", "0.0.0.0", NULL };
static const char *const one_address[] = { "10.1.2.3", NULL };
static const char *const names[] = { "migrationd.svc", NULL };
static const char *const any[] = { "*", NULL };

static void
test_hosts(void **state)
{
	static const struct {
		const char *host;
		const char *const *listen;
		const char *const *allowed;
		bool has_token;
		bool ours;
	} cases[] = {
		/* always */
		{ "localhost", loopback_only, NULL, false, true },
		{ "LocalHost:8432", loopback_only, NULL, false, true },
		{ "127.0.0.1:1", loopback_only, NULL, false, true },
		{ "[::1]:8432", loopback_only, NULL, false, true },
		{ "[::1]", NULL, NULL, false, true },
		/* DNS rebinding, and ways to write it */
		{ "evil.example", loopback_only, NULL, false, false },
		{ "evil.example:8432", loopback_only, NULL, true, false },
		{ "localhost.evil.example", loopback_only, NULL, false, false },
		{ "localhost.", loopback_only, NULL, false, false },
		{ "10.0.0.1", loopback_only, NULL, false, false },
		{ "127.0.0.1.evil.example", loopback_only, NULL, false, false },
		{ "localhost:port", loopback_only, NULL, false, false },
		{ "localhost:8432:1", loopback_only, NULL, false, false },
		{ "user@localhost", loopback_only, NULL, false, false },
		{ "", loopback_only, NULL, false, false },
		{ ":8432", loopback_only, NULL, false, false },
		{ "[::1", loopback_only, NULL, false, false },
		{ "[::1]x", loopback_only, NULL, false, false },
		{ "::1", loopback_only, NULL, false, false },
		/* told so */
		{ "migrationd.svc", loopback_only, names, false, true },
		{ "MIGRATIOND.svc:80", loopback_only, names, false, true },
		{ "other.svc", loopback_only, names, false, false },
		{ "other.svc", loopback_only, any, false, true },
		/* listeners that others can reach */
		{ "10.1.2.3:8432", one_address, NULL, false, true },
		{ "10.9.9.9", one_address, NULL, false, true },
		{ "10.9.9.9", wildcard, NULL, false, true },
		{ "[fd00::7]:8432", wildcard, NULL, false, true },
		{ "migrationd.svc", wildcard, NULL, false, false },
		{ "migrationd.svc", wildcard, NULL, true, true },
		{ "other.svc", wildcard, names, true, false },
		{ "migrationd.svc", wildcard, names, true, true },
	};
	struct fake *fake = fake_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *headers[MOST_HEADERS] = { "Host", cases[i].host };
		struct request *request = request_with(fake, "GET", headers);

		fake->api.guard.listen_hosts = cases[i].listen;
		fake->api.guard.allowed_hosts = cases[i].allowed;
		fake->api.guard.has_token = cases[i].has_token;
		if ((guard_check_head(request, &fake->api.guard) == 0) != cases[i].ours)
			fail_msg("case %zu: %s", i, cases[i].host);
		assert_int_equal(request->status, cases[i].ours ? 0 : 421);
	}
	talloc_free(fake);
}

static void
test_the_authority_of_the_target_stands_above_host(void **state)
{
	struct fake *fake = fake_new();

	(void)state;
	assert_int_equal(
	    fake_status_of(fake, "GET", "http://localhost:8432/version"), 200);
	assert_int_equal(fake_status_of(fake, "GET", "http://evil.example/version"), 421);
	assert_int_equal(
	    fake_status_of(fake, "GET", "http://localhost@evil/version"), 421);
	talloc_free(fake);
}

static void
test_where_the_host_does_not_matter(void **state)
{
	struct fake *fake = fake_new();
	struct request *on_unix = fake_request(fake, "GET", "/version");
	struct request *old_unix = fake_request(fake, "GET", "/version");
	struct request *old_tcp = fake_request(fake, "GET", "/version");
	struct request *probe = fake_request(fake, "GET", "/livez");

	(void)state;
	on_unix->listener.is_unix = true;
	fake_header(on_unix, "Host", "anything");
	fake_send(on_unix);
	assert_int_equal(on_unix->status, 200);

	assert_int_equal(route_parse_target(old_unix), 0);
	old_unix->listener.is_unix = true;
	old_unix->version = "HTTP/1.0";
	assert_int_equal(guard_check_head(old_unix, &fake->api.guard), 0);

	assert_int_equal(route_parse_target(old_tcp), 0);
	old_tcp->version = "HTTP/1.0";
	assert_int_equal(guard_check_head(old_tcp, &fake->api.guard), -1);
	assert_int_equal(old_tcp->status, 400);

	probe->listener.is_probe = true;
	fake_header(probe, "Host", "10.2.3.4:8433");
	fake_send(probe);
	assert_int_equal(probe->status, 200);
	talloc_free(fake);
}

static void
test_web_pages(void **state)
{
	static const struct {
		const char *method;
		const char *headers[MOST_HEADERS];
		unsigned status;
	} cases[] = {
		{ "GET", { HOST, "Origin", "http://evil.example" }, 0 },
		{ "HEAD", { HOST, "Origin", "http://evil.example" }, 0 },
		{ "OPTIONS", { HOST, "Origin", "http://evil.example" }, 0 },
		{ "POST", { HOST, "Origin", "http://evil.example" }, 403 },
		{ "DELETE", { HOST, "Origin", "http://evil.example" }, 403 },
		{ "POST", { HOST, "Origin", "null" }, 403 },
		{ "POST", { HOST, "Origin", "" }, 403 },
		{ "POST", { HOST, "Origin", "http://localhost:3000" }, 403 },
		{ "POST", { HOST, "Origin", "http://localhost" }, 0 },
		{ "POST", { HOST, "Origin", "http://localhost", "Origin", "http://evil" },
		    403 },
		{ "POST", { HOST, "Sec-Fetch-Site", "cross-site" }, 403 },
		{ "POST", { HOST, "Sec-Fetch-Site", "same-site" }, 403 },
		{ "POST", { HOST, "Sec-Fetch-Site", "same-origin" }, 0 },
		{ "POST", { HOST, "Sec-Fetch-Site", "none" }, 0 },
	};
	struct fake *fake = fake_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct request *request =
		    request_with(fake, cases[i].method, cases[i].headers);

		assert_int_equal(guard_check_head(request, &fake->api.guard),
		    cases[i].status ? -1 : 0);
		if (request->status != cases[i].status)
			fail_msg("case %zu: %u", i, request->status);
	}
	talloc_free(fake);
}

static void
test_bodies_of_writes(void **state)
{
	static const struct {
		const char *body;
		const char *headers[MOST_HEADERS];
		bool passes;
	} cases[] = {
		{ "", { HOST }, true },
		{ "", { HOST, "Content-Type", "application/x-www-form-urlencoded" },
		    true },
		{ "", { HOST, "Origin", "http://localhost" }, false },
		{ "",
		    { HOST, "Origin", "http://localhost", "Content-Type",
			"application/json" },
		    true },
		{ "{}", { HOST, "Content-Type", "application/json" }, true },
		{ "{}", { HOST, "Content-Type", "Application/JSON; charset=utf-8" },
		    true },
		{ "{}", { HOST }, false },
		{ "{}", { HOST, "Content-Type", "application/x-www-form-urlencoded" },
		    false },
		{ "{}", { HOST, "Content-Type", "text/plain" }, false },
		{ "{}", { HOST, "Content-Type", "application/jsonp" }, false },
		{ "{}",
		    { HOST, "Content-Type", "application/json", "Content-Type",
			"text/plain" },
		    false },
		{ "{}",
		    { HOST, "Content-Type", "application/json", "Content-Encoding",
			"gzip" },
		    false },
		{ "{}",
		    { HOST, "Content-Type", "application/json", "Content-Encoding",
			"identity" },
		    true },
	};
	struct fake *fake = fake_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct request *request = request_with(fake, "POST", cases[i].headers);
		int rc;

		text_add(&request->body, cases[i].body);
		rc = guard_check_body(request);
		if ((rc == 0) != cases[i].passes)
			fail_msg("case %zu", i);
		if (rc == 0)
			continue;
		assert_int_equal(request->status, 415);
		assert_string_equal(
		    fake_reply_header(request, "Accept-Post"), "application/json");
		assert_non_null(strstr(request->reply, "curl --json"));
	}
	talloc_free(fake);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_head),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_hosts),
		cmocka_unit_test(test_the_authority_of_the_target_stands_above_host),
		cmocka_unit_test(test_where_the_host_does_not_matter),
		cmocka_unit_test(test_web_pages),
		cmocka_unit_test(test_bodies_of_writes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
