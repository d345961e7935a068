/* SPDX-License-Identifier: PostgreSQL */
#include "fake_api.h"

static struct request *
get(struct fake *fake, const char *target)
{
	struct request *request = fake_request(fake, "GET", target);

	fake_send(request);
	return request;
}

/* Every route that reads, in both forms. */
static void
test_json_and_text(void **state)
{
	static const struct {
		const char *path;
		const char *in_json;
		const char *in_text;
	} cases[] = {
		{ "/", "\"/migrations/{id}\"", "GET   /status" },
		{ "/status", "\"verdict\":\"pending\"", "verdict   pending" },
		{ "/migrations", "\"id\":\"0002_more\"", "0002_more   pending" },
		{ "/migrations/0002_more", "\"id\":\"0002_more\"",
		    "migration 0002_more" },
		{ "/plan", "\"steps\":[{\"id\":\"0001_files\"", "   1  0001_files" },
		{ "/runs", "\"runs\":[{\"id\":", "apply " },
		{ "/config",
		    "{\"value\":\"drizzle\",\"origin\":\"flag\",\"reloadable\":false}",
		    "= postgresql://***" },
		{ "/version", "\"libuv\"", "libmicrohttpd " },
		{ "/readyz", "\"status\":\"ok\"", "ok\n" },
		{ "/livez", "{\"loop\":\"ok\"}", "ok\n" },
	};
	struct fake *fake = fake_new();

	(void)state;
	fake_start_run(fake, PLAN_APPLY);
	fake_end_run(fake, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct request *json = get(fake, cases[i].path);
		struct request *text = fake_request(fake, "GET", cases[i].path);

		assert_int_equal(json->status, 200);
		assert_string_equal(json->content_type, "application/json");
		if (!strstr(json->reply, cases[i].in_json))
			fail_msg("%s: %s", cases[i].path, json->reply);

		fake_header(text, "Accept", "text/plain");
		fake_send(text);
		assert_int_equal(text->status, 200);
		assert_string_equal(text->content_type, "text/plain; charset=utf-8");
		if (!strstr(text->reply, cases[i].in_text))
			fail_msg("%s: %s", cases[i].path, text->reply);
		assert_int_equal(text->reply[text->reply_len - 1], '\n');
	}
	talloc_free(fake);
}

static void
test_one_migration(void **state)
{
	static const struct {
		const char *path;
		unsigned status;
	} cases[] = {
		{ "/migrations/0001_files", 200 },
		{ "/migrations/0001_files.sql", 200 },
		{ "/migrations/0001", 200 },
		{ "/migrations/1", 404 },
		{ "/migrations/0009_nobody", 404 },
		{ "/migrations/0001_FILES", 404 },
		{ "/migrations?state=pending", 200 },
		{ "/migrations?state=in_doubt", 200 },
		{ "/migrations?state=nonsense", 400 },
		{ "/migrations?state=", 400 },
		{ "/plan?target=0001_files", 200 },
		{ "/plan?target=nobody", 404 },
	};
	struct fake *fake = fake_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		if (fake_status_of(fake, "GET", cases[i].path) != cases[i].status)
			fail_msg("%s", cases[i].path);
	}
	talloc_free(fake);
}

static void
test_runs(void **state)
{
	struct run_request wanted = { .requested_by = "test" };
	struct fake *fake = fake_new();
	char path[128], link[128];
	struct request *request;

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		fake->runs[i] = run_new(&wanted, "default", FAKE_TIME_US, 0);
	fake->status.runs = fake->runs;
	fake->status.n_runs = 4;

	request = get(fake, "/runs");
	assert_null(fake_reply_header(request, "Link"));
	request = get(fake, "/runs?limit=2");
	snprintf(link, sizeof(link), "</runs?limit=2&after=%s>; rel=\"next\"",
	    fake->runs[1]->id);
	assert_string_equal(fake_reply_header(request, "Link"), link);

	snprintf(path, sizeof(path), "/runs/%s", fake->runs[3]->id);
	assert_int_equal(fake_status_of(fake, "GET", path), 200);
	snprintf(path, sizeof(path), "/runs/%s?format=text", fake->runs[3]->id);
	assert_int_equal(fake_status_of(fake, "GET", path), 200);
	assert_int_equal(fake_status_of(fake, "GET", "/runs/nonsense"), 404);
	assert_int_equal(fake_status_of(fake, "GET", "/runs?limit=100"), 200);
	assert_int_equal(fake_status_of(fake, "GET", "/runs?limit=0"), 400);
	assert_int_equal(fake_status_of(fake, "GET", "/runs?limit=101"), 400);
	assert_int_equal(fake_status_of(fake, "GET", "/runs?limit=-1"), 400);
	assert_int_equal(fake_status_of(fake, "GET", "/runs?limit=x"), 400);
	assert_int_equal(fake_status_of(fake, "GET", "/runs?limit="), 400);
	assert_int_equal(
	    fake_status_of(fake, "GET", "/runs?limit=18446744073709551617"), 400);
	for (unsigned i = 0; i < 4; i++)
		run_unref(fake->runs[i]);
	talloc_free(fake);
}

/* ---- probes ---- */

static void
test_livez_is_about_the_loop_alone(void **state)
{
	struct fake *fake = fake_new();

	(void)state;
	fake->status.database = (struct database_facts){ .looked = true };
	fake->status.stopping = true;
	fake->folder.device = 0;
	fake->folder.inode = 0;
	assert_int_equal(fake_status_of(fake, "GET", "/livez"), 200);
	fake->heartbeat_age_us = 9999999;
	assert_int_equal(fake_status_of(fake, "GET", "/livez"), 200);
	fake->heartbeat_age_us = 10000000;
	assert_int_equal(fake_status_of(fake, "GET", "/livez"), 503);
	talloc_free(fake);
}

static void
test_readyz(void **state)
{
	struct fake *fake = fake_new();
	struct request *request;
	json_t *document;

	(void)state;
	request = get(fake, "/readyz?verbose");
	assert_string_equal(
	    request->reply, "[+]database ok\n[+]folder ok\n[+]running ok\nok\n");

	fake->status.database.reachable = false;
	err_set(&fake->status.database.err, CAT_NETWORK_ERROR, "connection refused");
	request = get(fake, "/readyz?verbose");
	assert_int_equal(request->status, 503);
	assert_string_equal(fake_reply_header(request, "Retry-After"), "2");
	assert_string_equal(request->reply,
	    "[-]database failed: connection refused\n[+]folder ok\n[+]running ok\nfailed\n");

	request = get(fake, "/readyz");
	assert_int_equal(request->status, 503);
	document = fake_json(request);
	assert_string_equal(
	    fake_text(document, "detail"), "database: connection refused");
	assert_string_equal(fake_text(document, "checks.folder"), "ok");
	json_decref(document);

	assert_int_equal(fake_status_of(fake, "GET", "/readyz?exclude=database"), 200);
	assert_int_equal(
	    fake_status_of(fake, "GET", "/readyz?exclude=folder,database"), 200);
	assert_int_equal(fake_status_of(fake, "GET", "/readyz?exclude=data"), 503);
	assert_int_equal(fake_status_of(fake, "GET", "/readyz?exclude=database2"), 503);
	assert_int_equal(fake_status_of(fake, "GET", "/health?exclude=database"), 200);
	fake->status.stopping = true;
	assert_int_equal(fake_status_of(fake, "GET", "/readyz?exclude=database"), 503);
	talloc_free(fake);
}

static void
test_ready_is_not_current(void **state)
{
	struct fake *fake = fake_new();

	(void)state;
	/* pending migrations, or a broken file, are work for a person and not for the prober */
	assert_int_equal(fake_status_of(fake, "GET", "/readyz"), 200);
	assert_int_equal(fake_status_of(fake, "GET", "/current"), 503);
	fake->folder.device = 0;
	fake->folder.inode = 0;
	assert_int_equal(fake_status_of(fake, "GET", "/readyz"), 503);
	fake->folder.inode = 2;
	fake->status.database = (struct database_facts){ 0 };
	assert_int_equal(get(fake, "/readyz")->status, 503);
	talloc_free(fake);
}

static void
test_current(void **state)
{
	struct fake *fake = fake_new();
	struct request *request;
	json_t *document;

	(void)state;
	request = get(fake, "/current");
	assert_int_equal(request->status, 503);
	assert_string_equal(fake_reply_header(request, "Retry-After"), "2");
	document = fake_json(request);
	assert_string_equal(fake_text(document, "verdict"), "pending");
	assert_true(fake_text(document, "detail")[0] != '\0');
	json_decref(document);

	fake_set_applied(fake, 3);
	request = get(fake, "/current");
	assert_int_equal(request->status, 200);
	document = fake_json(request);
	assert_string_equal(fake_text(document, "verdict"), "current");
	json_decref(document);
	request = get(fake, "/current?format=text");
	assert_int_equal(request->status, 200);
	assert_int_equal(
	    strchr(request->reply, '\n') - request->reply + 1, request->reply_len);
	talloc_free(fake);
}

/* The schema is current; of the data it tells what the server said, which moves no cursor. */
static void
test_current_and_incomplete(void **state)
{
	struct fake *fake = fake_new();
	struct migration *list[] = { fake_migration(fake, "2026-01-02_a", 0) };
	struct folder folder = { .migrations = list, .n_migrations = 1 };
	struct history_row row = {
		.key = "2026-01-02_a", .failed = true, .error = "no \x1b[2Jtable"
	};
	struct history *history = history_new(fake, HISTORY_BY_FILE);
	struct status_phase *data = &fake->status.phases[PHASE_DATA];
	struct request *request;

	(void)state;
	history_add(history, &row);
	data->folder = &folder;
	data->plan = plan_build(
	    fake, &(struct plan_input){ .folder = &folder, .history = history });
	fake_set_applied(fake, 3);
	request = get(fake, "/current?format=text");
	assert_int_equal(request->status, 200);
	assert_non_null(strstr(request->reply, "failed: no \\x1b[2Jtable\n"));
	talloc_free(fake);
}

static void
test_metrics_in_the_format_that_is_asked_for(void **state)
{
	static const struct {
		const char *accept;
		bool openmetrics;
	} cases[] = {
		{ NULL, false },
		{ "*/*", false },
		{ "text/plain", false },
		{ "application/openmetrics-text;version=1.0.0,text/plain;q=0.5,*/*;q=0.1",
		    true },
		{ "application/openmetrics-text;q=0.4,text/plain;q=0.5", false },
	};
	struct fake *fake = fake_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct request *request = fake_request(fake, "GET", "/metrics");

		if (cases[i].accept)
			fake_header(request, "Accept", cases[i].accept);
		fake_send(request);
		assert_int_equal(request->status, 200);
		assert_string_equal(request->content_type,
		    cases[i].openmetrics
			? "application/openmetrics-text; version=1.0.0; charset=utf-8"
			: "text/plain; version=0.0.4; charset=utf-8");
		assert_int_equal(
		    strstr(request->reply, "# EOF") != NULL, cases[i].openmetrics);
	}
	talloc_free(fake);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json_and_text),
		cmocka_unit_test(test_one_migration),
		cmocka_unit_test(test_runs),
		cmocka_unit_test(test_livez_is_about_the_loop_alone),
		cmocka_unit_test(test_readyz),
		cmocka_unit_test(test_ready_is_not_current),
		cmocka_unit_test(test_current),
		cmocka_unit_test(test_current_and_incomplete),
		cmocka_unit_test(test_metrics_in_the_format_that_is_asked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
