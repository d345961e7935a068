/* SPDX-License-Identifier: PostgreSQL */
#include "fake_api.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

static void
test_a_new_request(void **state)
{
	struct fake *fake = fake_new();
	struct listener_facts facts = { .is_unix = true };
	struct request *a = request_new(fake, &fake->api, &facts);
	struct request *b = request_new(fake, &fake->api, &facts);

	(void)state;
	assert_int_equal(a->state, REQUEST_HEADERS);
	assert_true(a->listener.is_unix);
	assert_int_equal(a->started_mono_us, fake_mono_us);
	assert_int_equal(strlen(a->id), 36);
	assert_string_not_equal(a->id, b->id);
	talloc_free(fake);
}

static void
test_methods(void **state)
{
	static const struct {
		const char *name;
		enum request_method method;
	} cases[] = {
		{ "GET", METHOD_GET },
		{ "HEAD", METHOD_HEAD },
		{ "POST", METHOD_POST },
		{ "OPTIONS", METHOD_OPTIONS },
		{ "DELETE", METHOD_OTHER },
		{ "get", METHOD_OTHER },
		{ "", METHOD_OTHER },
		{ "FOO\x01", METHOD_OTHER },
	};
	struct fake *fake = fake_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct request *request = fake_request(fake, cases[i].name, "/");

		assert_int_equal(request->method, cases[i].method);
		assert_string_equal(request->method_name, cases[i].name);
	}
	talloc_free(fake);
}

static void
test_headers_without_regard_to_case(void **state)
{
	struct fake *fake = fake_new();
	struct request *request = fake_request(fake, "GET", "/");

	(void)state;
	fake_header(request, "hOST", "a");
	fake_header(request, "Host", "b");
	assert_string_equal(request_header(request, "Host"), "a");
	assert_int_equal(request_count_headers(request, "HOST"), 2);
	assert_null(request_header(request, "Hos"));
	assert_int_equal(request_count_headers(request, "Accept"), 0);
	talloc_free(fake);
}

static void
test_request_id(void **state)
{
	static const struct {
		const char *given;
		bool taken;
	} cases[] = {
		{ "abc-123_X.y", true },
		{ "a", true },
		{ "0123456789012345678901234567890123456789012345678901234567890123",
		    true },
		{ "01234567890123456789012345678901234567890123456789012345678901234",
		    false },
		{ "", false },
		{ "a b", false },
		{ "a\r\nSet-Cookie: x", false },
		{ "\xc3\xa4", false },
		{ "a\"b", false },
	};
	struct fake *fake = fake_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct request *request = fake_request(fake, "GET", "/");

		fake_header(request, "x-request-id", cases[i].given);
		request_adopt_id(request);
		assert_int_equal(
		    strcmp(request->id, cases[i].given) == 0, cases[i].taken);
		assert_true(request->id[0] != '\0');
	}
	talloc_free(fake);
}

static void
test_query(void **state)
{
	static const struct {
		const char *query;
		const char *name;
		const char *value;
	} cases[] = {
		{ NULL, "a", NULL },
		{ "", "a", NULL },
		{ "a", "a", "" },
		{ "a=", "a", "" },
		{ "a=1", "a", "1" },
		{ "a=1&b=2", "b", "2" },
		{ "a=1&b=2", "a", "1" },
		{ "a=1&a=2", "a", "1" },
		{ "ab=1&a=2", "a", "2" },
		{ "b&a=2", "a", "2" },
		{ "&&a=2&&", "a", "2" },
		{ "a=x%20y%2Fz", "a", "x y/z" },
		{ "a=x+y", "a", "x y" },
		{ "a=100%", "a", "100%" },
		{ "a=%zz%4", "a", "%zz%4" },
		{ "a=b=c", "a", "b=c" },
		{ "A=1", "a", NULL },
	};
	struct fake *fake = fake_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct request *request = fake_request(fake, "GET", "/");
		const char *value;

		request->query = cases[i].query;
		value = request_query(request, cases[i].name);
		if (cases[i].value)
			assert_string_equal(value, cases[i].value);
		else
			assert_null(value);
	}
	talloc_free(fake);
}

static void
test_other_parameters(void **state)
{
	static const char *const known[] = { "a", "bc", NULL };
	static const struct {
		const char *query;
		const char *other;
	} cases[] = {
		{ NULL, NULL },
		{ "", NULL },
		{ "&&", NULL },
		{ "a", NULL },
		{ "a=1&bc=2&a", NULL },
		{ "b=1", "b" },
		{ "a=1&&target=0001&x", "target" },
		{ "%61=1", "%61" },
		{ "=1&A=1", "A" },
	};
	struct fake *fake = fake_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct request *request = fake_request(fake, "POST", "/");
		const char *other;

		request->query = cases[i].query;
		other = request_query_other(request, known);
		if (cases[i].other)
			assert_string_equal(other, cases[i].other);
		else
			assert_null(other);
	}
	talloc_free(fake);
}

#define PROMETHEUS_2_42                                                            \
	"application/openmetrics-text;version=1.0.0,application/openmetrics-text;" \
	"version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"

static void
test_accept(void **state)
{
	static const struct {
		const char *accept;
		const char *type;
		double weight;
	} cases[] = {
		{ NULL, "application/json", 1 },
		{ "*/*", "application/json", 1 },
		{ "text/plain", "application/json", 0 },
		{ "text/plain", "text/plain", 1 },
		{ "TEXT/Plain", "text/plain", 1 },
		{ "text/*", "text/plain", 1 },
		{ "text/*;q=0.5, text/plain;q=0.2", "text/plain", 0.2 },
		{ "text/plain;q=0.2, text/*;q=0.5", "text/plain", 0.2 },
		{ "*/*;q=0.1, application/json", "application/json", 1 },
		{ "application/json;q=0", "application/json", 0 },
		{ "application/json;q=0, */*", "application/json", 0 },
		{ "application/json;charset=utf-8;q=0.3", "application/json", 0.3 },
		{ "application/json ; q=0.3", "application/json", 0.3 },
		{ "application/json; Q=0.3", "application/json", 0.3 },
		{ "application/json;q=banana", "application/json", 0 },
		{ "application/json;q=-1", "application/json", 0 },
		{ "application/json;q=7", "application/json", 1 },
		{ "", "application/json", 0 },
		{ ",,,", "application/json", 0 },
		{ ";;;", "application/json", 0 },
		{ "application/jsonx", "application/json", 0 },
		{ "application/", "application/json", 0 },
		{ PROMETHEUS_2_42, "application/openmetrics-text", 1 },
		{ PROMETHEUS_2_42, "text/plain", 0.5 },
		{ PROMETHEUS_2_42, "application/json", 0.1 },
	};
	struct fake *fake = fake_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct request *request = fake_request(fake, "GET", "/");

		if (cases[i].accept)
			fake_header(request, "Accept", cases[i].accept);
		assert_float_equal(
		    request_accept(request, cases[i].type), cases[i].weight, 0.001);
	}
	talloc_free(fake);
}

static void
test_several_accept_headers_count_together(void **state)
{
	struct fake *fake = fake_new();
	struct request *request = fake_request(fake, "GET", "/");

	(void)state;
	fake_header(request, "Accept", "text/html");
	fake_header(request, "Accept", "text/plain;q=0.4");
	assert_float_equal(request_accept(request, "text/plain"), 0.4, 0.001);
	talloc_free(fake);
}

static void
test_who_wants_text(void **state)
{
	static const struct {
		const char *accept;
		const char *query;
		bool text;
	} cases[] = {
		{ NULL, NULL, false },
		{ "*/*", NULL, false },
		{ "text/plain", NULL, true },
		{ "text/plain, application/json", NULL, false },
		{ "text/plain, application/json;q=0.9", NULL, true },
		{ NULL, "format=text", true },
		{ "text/plain", "format=json", false },
		{ "text/html,application/xhtml+xml,*/*;q=0.8", NULL, false },
	};
	struct fake *fake = fake_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct request *request = fake_request(fake, "GET", "/");

		if (cases[i].accept)
			fake_header(request, "Accept", cases[i].accept);
		request->query = cases[i].query;
		assert_int_equal(request_wants_text(request), cases[i].text);
	}
	talloc_free(fake);
}

static void
test_json_replies(void **state)
{
	struct fake *fake = fake_new();
	struct request *request = fake_request(fake, "GET", "/");
	struct request *pretty = fake_request(fake, "GET", "/");

	(void)state;
	request_reply_json(request, 200, json_pack("{s:i, s:f}", "a", 1, "b", 0.41));
	assert_int_equal(request->state, REQUEST_REPLIED);
	assert_int_equal(request->status, 200);
	assert_string_equal(request->content_type, "application/json");
	assert_string_equal(request->reply, "{\"a\":1,\"b\":0.41}\n");
	assert_int_equal(request->reply_len, strlen(request->reply));
	assert_string_equal(fake_reply_header(request, "Vary"), "Accept");

	pretty->query = "pretty";
	request_reply_json(pretty, 200, json_pack("{s:i}", "a", 1));
	assert_string_equal(pretty->reply, "{\n  \"a\": 1\n}\n");
	talloc_free(fake);
}

static void
test_a_text_that_is_too_large_becomes_500(void **state)
{
	struct fake *fake = fake_new();
	struct request *request = fake_request(fake, "GET", "/");
	struct text text;

	(void)state;
	text_init(&text, request, 4);
	text_add(&text, "12345");
	request_reply_text(request, 200, "text/plain", &text);
	assert_int_equal(request->status, 500);
	assert_string_equal(request->content_type, "application/problem+json");
	talloc_free(fake);
}

static void
test_an_empty_reply(void **state)
{
	struct fake *fake = fake_new();
	struct request *request = fake_request(fake, "OPTIONS", "/");

	(void)state;
	request_reply_empty(request, 204);
	assert_int_equal(request->status, 204);
	assert_int_equal(request->reply_len, 0);
	assert_null(request->content_type);
	talloc_free(fake);
}

static void
test_problems_are_json_or_text(void **state)
{
	struct fake *fake = fake_new();
	struct request *request = fake_request(fake, "GET", "/");
	struct request *text = fake_request(fake, "GET", "/");
	json_t *document;

	(void)state;
	assert_int_equal(request_refuse(request, 404, CAT_RESOURCE_NOT_FOUND,
			     "look there", "no %s", "cake"),
	    -1);
	document = fake_json(request);
	assert_string_equal(request->content_type, "application/problem+json");
	assert_int_equal(json_integer_value(json_object_get(document, "status")), 404);
	assert_string_equal(fake_text(document, "detail"), "no cake");
	assert_string_equal(fake_text(document, "hint"), "look there");
	assert_string_equal(fake_text(document, "category"), "RESOURCE_NOT_FOUND");
	json_decref(document);

	text->query = "format=text";
	request_refuse(text, 404, CAT_RESOURCE_NOT_FOUND, "look there", "no %s", "cake");
	assert_string_equal(text->content_type, "text/plain; charset=utf-8");
	assert_non_null(strstr(text->reply, "no cake"));
	assert_non_null(strstr(text->reply, "look there"));
	talloc_free(fake);
}

static void
test_what_comes_with_a_problem(void **state)
{
	static const struct {
		unsigned status;
		const char *retry_after;
		bool close;
	} cases[] = {
		{ 400, NULL, true },
		{ 401, NULL, false },
		{ 404, NULL, false },
		{ 409, NULL, false },
		{ 413, NULL, true },
		{ 415, NULL, true },
		{ 421, NULL, true },
		{ 422, NULL, false },
		{ 429, "5", false },
		{ 501, NULL, true },
		{ 503, "2", false },
		{ 505, NULL, true },
	};
	struct fake *fake = fake_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct request *request = fake_request(fake, "GET", "/");
		const char *after;

		request_refuse(request, cases[i].status, CAT_CONFIGURATION, NULL, "no");
		after = fake_reply_header(request, "Retry-After");
		assert_int_equal(request->close, cases[i].close);
		if (cases[i].retry_after)
			assert_string_equal(after, cases[i].retry_after);
		else
			assert_null(after);
	}
	talloc_free(fake);
}

static void
test_the_status_of_a_problem_is_the_errors(void **state)
{
	struct fake *fake = fake_new();
	struct request *request = fake_request(fake, "GET", "/");
	struct err err = { .category = CAT_SQL_ERROR, .http_status = 409 };

	(void)state;
	request_reply_problem(request, 0, &err);
	assert_int_equal(request->status, 409);
	talloc_free(fake);
}

static bool ready;

static bool
is_ready(struct request *request)
{
	(void)request;
	return ready;
}

static void
resume(struct request *request)
{
	request_reply_empty(request, 204);
}

static void
test_parking(void **state)
{
	struct fake *fake = fake_new();
	struct request *request = fake_request(fake, "GET", "/");

	(void)state;
	ready = false;
	request_park(request, is_ready, resume, 0);
	assert_int_equal(request->state, REQUEST_PARKED);
	assert_false(request_is_due(request, INT64_MAX));
	ready = true;
	assert_true(request_is_due(request, 0));

	ready = false;
	request_park(request, is_ready, resume, 80);
	assert_false(request_is_due(request, fake_mono_us + 79999));
	assert_true(request_is_due(request, fake_mono_us + 80000));
	talloc_free(fake);
}

static void
test_the_end_is_counted(void **state)
{
	struct fake *fake = fake_new();
	struct request *request = fake_request(fake, "GET", "/version");
	struct request *apply = fake_request(fake, "POST", "/apply");
	struct request *unanswered = fake_request(fake, "GET", "/version");

	(void)state;
	fake_send(request);
	fake_mono_us += 20000;
	request_finish(request);
	assert_non_null(fake->api.metrics->http);
	assert_string_equal(fake->api.metrics->http->route, "/version");
	assert_string_equal(fake->api.metrics->http->method, "GET");
	assert_int_equal(fake->api.metrics->http->code, 200);
	assert_float_equal(fake->api.metrics->routes->duration.sum, 0.02, 1e-9);

	/* one that may wait for hours says nothing about how fast we answer */
	fake_start_run(fake, PLAN_APPLY);
	fake_end_run(fake, NULL);
	fake_send(apply);
	request_finish(apply);
	assert_int_equal(fake->api.metrics->n_http, 2);
	assert_null(fake->api.metrics->routes->next);

	request_finish(unanswered);
	assert_int_equal(fake->api.metrics->n_http, 2);
	talloc_free(fake);
}

static void
test_peers(void **state)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(0x7f000001) };
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6,
		.sin6_addr = in6addr_loopback };
	struct fake *fake = fake_new();
	struct request *request = fake_request(fake, "GET", "/");
	char expected[64];
	int fds[2];

	(void)state;
	request_name_peer(request, (const struct sockaddr *)&in, -1);
	assert_string_equal(request->peer, "127.0.0.1");
	request_name_peer(request, (const struct sockaddr *)&in6, -1);
	assert_string_equal(request->peer, "::1");
	request_name_peer(request, NULL, -1);
	assert_string_equal(request->peer, "unknown");

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
	request->listener.is_unix = true;
	request_name_peer(request, NULL, fds[0]);
	snprintf(expected, sizeof(expected), "unix uid %u", geteuid());
	assert_string_equal(request->peer, expected);
	close(fds[0]);
	close(fds[1]);
	talloc_free(fake);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_new_request),
		cmocka_unit_test(test_methods),
		cmocka_unit_test(test_headers_without_regard_to_case),
		cmocka_unit_test(test_request_id),
		cmocka_unit_test(test_query),
		cmocka_unit_test(test_other_parameters),
		cmocka_unit_test(test_accept),
		cmocka_unit_test(test_several_accept_headers_count_together),
		cmocka_unit_test(test_who_wants_text),
		cmocka_unit_test(test_json_replies),
		cmocka_unit_test(test_a_text_that_is_too_large_becomes_500),
		cmocka_unit_test(test_an_empty_reply),
		cmocka_unit_test(test_problems_are_json_or_text),
		cmocka_unit_test(test_what_comes_with_a_problem),
		cmocka_unit_test(test_the_status_of_a_problem_is_the_errors),
		cmocka_unit_test(test_parking),
		cmocka_unit_test(test_the_end_is_counted),
		cmocka_unit_test(test_peers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
