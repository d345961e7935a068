/* SPDX-License-Identifier: PostgreSQL */
#include "fake_api.h"

static void
test_targets(void **state)
{
	static const struct {
		const char *target;
		const char *path; /* NULL: refused */
		const char *query;
		const char *authority;
	} cases[] = {
		{ "/", "/", NULL, NULL },
		{ "/status", "/status", NULL, NULL },
		{ "/status?", "/status", "", NULL },
		{ "/status?a=1&b=2", "/status", "a=1&b=2", NULL },
		{ "/status?a=?b", "/status", "a=?b", NULL },
		{ "/v1/status", "/status", NULL, NULL },
		{ "/v1", "/", NULL, NULL },
		{ "/v1/", "/", NULL, NULL },
		{ "/v1?x", "/", "x", NULL },
		{ "/v1x", "/v1x", NULL, NULL },
		{ "/v2/status", "/v2/status", NULL, NULL },
		{ "/v1/v1/status", "/v1/status", NULL, NULL },
		{ "/status/", "/status/", NULL, NULL },
		{ "/a%20b", "/a%20b", NULL, NULL },
		{ "/%2e%2e/etc", "/%2e%2e/etc", NULL, NULL },
		{ "*", "*", NULL, NULL },
		{ "http://localhost/status", "/status", NULL, "localhost" },
		{ "HTTP://h:80/status?x=1", "/status", "x=1", "h:80" },
		{ "https://[::1]:8432", "/", NULL, "[::1]:8432" },
		{ "http://h?x", "/", "x", "h" },
		{ "", NULL, NULL, NULL },
		{ "status", NULL, NULL, NULL },
		{ "http://", NULL, NULL, NULL },
		{ "http:///status", NULL, NULL, NULL },
		{ "ftp://h/status", NULL, NULL, NULL },
		{ "localhost:443", NULL, NULL, NULL },
		{ "/a b", NULL, NULL, NULL },
		{ "/a\tb", NULL, NULL, NULL },
		{ "/a\x01", NULL, NULL, NULL },
		{ "/a\x7f", NULL, NULL, NULL },
		{ "/\xc3\xa4", NULL, NULL, NULL },
		{ "/a#b", NULL, NULL, NULL },
		{ "/a%00b", NULL, NULL, NULL },
		{ "/status?a=%00", NULL, NULL, NULL },
		{ "/..", NULL, NULL, NULL },
		{ "/../etc/passwd", NULL, NULL, NULL },
		{ "/migrations/..", NULL, NULL, NULL },
		{ "/migrations/../status", NULL, NULL, NULL },
		{ "/./status", NULL, NULL, NULL },
		{ "/status/.", NULL, NULL, NULL },
		{ "//", NULL, NULL, NULL },
		{ "//status", NULL, NULL, NULL },
		{ "/v1//status", NULL, NULL, NULL },
		{ "/migrations//x", NULL, NULL, NULL },
	};
	struct fake *fake = fake_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct request *request = fake_request(fake, "GET", cases[i].target);
		int rc = route_parse_target(request);

		if ((rc == 0) != (cases[i].path != NULL))
			fail_msg("target %s", cases[i].target);
		if (rc < 0) {
			assert_int_equal(request->status, 400);
			assert_true(request->close);
			continue;
		}
		assert_string_equal(request->path, cases[i].path);
		assert_int_equal(!request->query, !cases[i].query);
		if (cases[i].query)
			assert_string_equal(request->query, cases[i].query);
		assert_int_equal(!request->authority, !cases[i].authority);
		if (cases[i].authority)
			assert_string_equal(request->authority, cases[i].authority);
	}
	talloc_free(fake);
}

static void
test_long_and_cut_targets(void **state)
{
	struct fake *fake = fake_new();
	struct request *request = fake_request(fake, "GET", "/status");
	char *target = mem_array(fake, char, BOUND_TARGET_BYTES + 2);

	(void)state;
	/* the string ends at a NUL byte that the target did not end at */
	request->target_len = strlen("/status") + 5;
	assert_int_equal(route_parse_target(request), -1);
	assert_int_equal(request->status, 400);

	memset(target, 'a', BOUND_TARGET_BYTES + 1);
	target[0] = '/';
	target[BOUND_TARGET_BYTES + 1] = '\0';
	request = fake_request(fake, "GET", target);
	assert_int_equal(route_parse_target(request), -1);
	assert_int_equal(request->status, 414);
	target[BOUND_TARGET_BYTES] = '\0';
	request = fake_request(fake, "GET", target);
	assert_int_equal(route_parse_target(request), 0);
	talloc_free(fake);
}

static void
test_dispatch(void **state)
{
	static const struct {
		const char *method;
		const char *target;
		unsigned status;
		const char *allow;
	} cases[] = {
		{ "GET", "/version", 200, NULL },
		{ "HEAD", "/version", 200, NULL },
		{ "GET", "/v1/version", 200, NULL },
		{ "GET", "/", 200, NULL },
		{ "GET", "/livez", 200, NULL },
		{ "GET", "/health", 200, NULL },
		{ "GET", "/nothing", 404, NULL },
		{ "GET", "/version/", 404, NULL },
		{ "GET", "/Version", 404, NULL },
		{ "GET", "/version%2f", 404, NULL },
		{ "GET", "/%2e%2e/version", 404, NULL },
		{ "GET", "/migrations/", 404, NULL },
		{ "GET", "/migrations/a%20b", 404, NULL },
		{ "GET", "/migrations/a/b", 404, NULL },
		{ "GET", "/v2/version", 404, NULL },
		{ "GET", "/runs/a/cancel", 405, "OPTIONS, POST" },
		{ "POST", "/runs/a", 405, "OPTIONS, GET, HEAD" },
		{ "POST", "/runs//cancel", 400, NULL },
		{ "POST", "/runs/a/cancel/", 404, NULL },
		{ "POST", "/runs/a/cancelled", 404, NULL },
		{ "POST", "/runs/a/b/cancel", 404, NULL },
		{ "POST", "/runs/cancel", 405, "OPTIONS, GET, HEAD" },
		{ "POST", "/nothing", 404, NULL },
		{ "DELETE", "/nothing", 404, NULL },
		{ "POST", "/version", 405, "OPTIONS, GET, HEAD" },
		{ "DELETE", "/version", 405, "OPTIONS, GET, HEAD" },
		{ "PUT", "/migrations/x", 405, "OPTIONS, GET, HEAD" },
		{ "TRACE", "/version", 405, "OPTIONS, GET, HEAD" },
		{ "GET", "/apply", 405, "OPTIONS, POST" },
		{ "HEAD", "/apply", 405, "OPTIONS, POST" },
		{ "OPTIONS", "/apply", 204, "OPTIONS, POST" },
		{ "OPTIONS", "/version", 204, "OPTIONS, GET, HEAD" },
		{ "OPTIONS", "*", 204, "OPTIONS, GET, HEAD, POST" },
		{ "OPTIONS", "/nothing", 404, NULL },
		{ "GET", "*", 405, "OPTIONS, GET, HEAD, POST" },
		{ "BREW", "/version", 501, NULL },
		{ "FOO\x01", "/version", 501, NULL },
		{ "get", "/version", 501, NULL },
	};
	struct fake *fake = fake_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct request *request =
		    fake_request(fake, cases[i].method, cases[i].target);
		const char *allow;

		fake_send(request);
		if (request->status != cases[i].status)
			fail_msg("%s %s: %u", cases[i].method, cases[i].target,
			    request->status);
		allow = fake_reply_header(request, "Allow");
		assert_int_equal(!allow, !cases[i].allow);
		if (allow)
			assert_string_equal(allow, cases[i].allow);
	}
	talloc_free(fake);
}

static void
test_what_a_probe_listener_serves(void **state)
{
	static const struct {
		const char *target;
		unsigned status;
	} cases[] = {
		{ "/livez", 200 },
		{ "/readyz", 200 },
		{ "/health", 200 },
		{ "/current", 503 },
		{ "/metrics", 200 },
		{ "/status", 404 },
		{ "/config", 404 },
		{ "/apply", 404 },
		{ "/", 404 },
	};
	struct fake *fake = fake_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct request *request = fake_request(fake, "GET", cases[i].target);

		request->listener.is_probe = true;
		fake_send(request);
		assert_int_equal(request->status, cases[i].status);
	}
	talloc_free(fake);
}

static void
test_what_is_acceptable(void **state)
{
	static const struct {
		const char *target;
		const char *accept;
		unsigned status;
	} cases[] = {
		{ "/version", "application/json", 200 },
		{ "/version", "text/plain", 200 },
		{ "/version", "text/html, */*;q=0.1", 200 },
		{ "/version", "text/html", 406 },
		{ "/version", "image/png, application/*;q=0", 406 },
		{ "/version?format=json", "text/html", 200 },
		{ "/version?format=xml", "*/*", 400 },
		{ "/metrics", "application/openmetrics-text", 200 },
		{ "/metrics", "application/json", 406 },
	};
	struct fake *fake = fake_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct request *request = fake_request(fake, "GET", cases[i].target);

		fake_header(request, "Accept", cases[i].accept);
		fake_send(request);
		if (request->status != cases[i].status)
			fail_msg("case %zu: %u", i, request->status);
	}
	talloc_free(fake);
}

static void
test_labels(void **state)
{
	struct fake *fake = fake_new();
	struct request *known = fake_request(fake, "GET", "/migrations/0000_users");
	struct request *unknown = fake_request(fake, "GET", "/cake");

	(void)state;
	fake_send(known);
	fake_send(unknown);
	assert_string_equal(route_label(known), "/migrations/{id}");
	assert_string_equal(known->argument, "0000_users");
	assert_string_equal(route_label(unknown), "unmatched");
	talloc_free(fake);
}

/* ---- waiting for a fresh look at the database ---- */

static struct request *
read_status(struct fake *fake)
{
	struct request *request = fake_request(fake, "GET", "/status");

	fake_send(request);
	return request;
}

static void
test_a_recent_look_is_good_enough(void **state)
{
	struct fake *fake = fake_new();

	(void)state;
	assert_int_equal(read_status(fake)->state, REQUEST_REPLIED);
	assert_int_equal(fake->n_refreshes, 0);
	talloc_free(fake);
}

static void
test_an_old_look_is_renewed(void **state)
{
	struct fake *fake = fake_new();
	struct request *request;

	(void)state;
	fake->status.database.refreshed_at_us -= 5000000;
	request = read_status(fake);
	assert_int_equal(request->state, REQUEST_PARKED);
	assert_int_equal(fake->n_refreshes, 1);
	assert_int_equal(request->deadline_mono_us, fake_mono_us + ROUTE_WAIT_MS * 1000);
	assert_false(request_is_due(request, fake_mono_us));

	fake->status.database.refreshed_at_us += 5000000;
	assert_true(request_is_due(request, fake_mono_us));
	request->resume(request);
	assert_int_equal(request->status, 200);
	talloc_free(fake);
}

static void
test_a_look_that_does_not_come_back(void **state)
{
	struct fake *fake = fake_new();
	struct request *request;

	(void)state;
	fake->status.database.refreshed_at_us -= 5000000;
	request = read_status(fake);
	assert_true(request_is_due(request, fake_mono_us + ROUTE_WAIT_MS * 1000));
	request->resume(request);
	assert_int_equal(request->status, 200);
	talloc_free(fake);
}

static void
test_no_look_yet(void **state)
{
	struct fake *fake = fake_new();
	struct request *request;

	(void)state;
	fake->status.database = (struct database_facts){ 0 };
	request = read_status(fake);
	assert_int_equal(request->state, REQUEST_PARKED);
	/* the first look finds nobody there */
	fake->status.database.looked = true;
	assert_true(request_is_due(request, fake_mono_us));
	talloc_free(fake);
}

static void
test_nothing_is_waited_for(void **state)
{
	struct fake *fake = fake_new();

	(void)state;
	fake->status.database.refreshed_at_us -= 5000000;

	/* known to be away: asked for, for the next reader, but not waited for */
	fake->status.database.reachable = false;
	assert_int_equal(read_status(fake)->state, REQUEST_REPLIED);
	assert_int_equal(fake->n_refreshes, 1);
	fake->status.database.reachable = true;

	/* too many wait already */
	fake->api.parked = BOUND_PARKED_REQUESTS;
	assert_int_equal(read_status(fake)->state, REQUEST_REPLIED);
	fake->api.parked = 0;

	/* a run has the tracking table in hand */
	fake_start_run(fake, PLAN_APPLY);
	assert_int_equal(read_status(fake)->state, REQUEST_REPLIED);
	assert_int_equal(fake->n_refreshes, 2);
	fake->status.run = NULL;

	/* routes that do not show the database */
	assert_int_equal(fake_status_of(fake, "GET", "/livez"), 200);
	assert_int_equal(fake_status_of(fake, "GET", "/metrics"), 200);
	assert_int_equal(fake_status_of(fake, "GET", "/readyz"), 200);
	assert_int_equal(fake_status_of(fake, "GET", "/runs"), 200);
	assert_int_equal(fake->n_refreshes, 2);
	talloc_free(fake);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_targets),
		cmocka_unit_test(test_long_and_cut_targets),
		cmocka_unit_test(test_dispatch),
		cmocka_unit_test(test_what_a_probe_listener_serves),
		cmocka_unit_test(test_what_is_acceptable),
		cmocka_unit_test(test_labels),
		cmocka_unit_test(test_a_recent_look_is_good_enough),
		cmocka_unit_test(test_an_old_look_is_renewed),
		cmocka_unit_test(test_a_look_that_does_not_come_back),
		cmocka_unit_test(test_no_look_yet),
		cmocka_unit_test(test_nothing_is_waited_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
