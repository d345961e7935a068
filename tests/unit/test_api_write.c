/* SPDX-License-Identifier: PostgreSQL */
#include "fake_api.h"
#include "http/json.h"

static struct request *
post(struct fake *fake, const char *target, const char *body)
{
	struct request *request = fake_request(fake, "POST", target);

	if (body)
		fake_body(request, body);
	fake_send(request);
	return request;
}

static void
test_bodies(void **state)
{
	static const struct {
		const char *target;
		const char *body;
		unsigned status;
	} cases[] = {
		{ "/apply", NULL, 200 },
		{ "/apply", "{}", 200 },
		{ "/apply", " {\n} \n", 200 },
		{ "/apply", "{\"target\": \"0001_files\"}", 200 },
		{ "/apply", "{\"target\": \"0001\", \"dry_run\": false}", 200 },
		{ "/apply", " ", 400 },
		{ "/apply", "[]", 400 },
		{ "/apply", "null", 400 },
		{ "/apply", "\"x\"", 400 },
		{ "/apply", "{", 400 },
		{ "/apply", "{} {}", 400 },
		{ "/apply", "{}x", 400 },
		{ "/apply", "\xef\xbb\xbf{}", 400 },
		{ "/apply", "{\"target\": \"\xff\"}", 400 },
		{ "/apply", "{\"target\": \"a\\u0000b\"}", 400 },
		{ "/apply", "{\"target\": 43}", 400 },
		{ "/apply", "{\"target\": null}", 400 },
		{ "/apply", "{\"target\": \"\"}", 400 },
		{ "/apply", "{\"target\": \"../../etc/passwd\"}", 400 },
		{ "/apply", "{\"target\": \"a b\"}", 400 },
		{ "/apply", "{\"dry_run\": 1}", 400 },
		{ "/apply", "{\"dry_run\": \"true\"}", 400 },
		{ "/apply", "{\"dryrun\": true}", 400 },
		{ "/apply", "{\"force\": true}", 400 },
		{ "/apply", "{\"target\": \"a\", \"target\": \"b\"}", 400 },
		{ "/baseline", "{\"target\": \"0001\"}", 200 },
		{ "/baseline", "{\"version\": \"0001\"}", 200 },
		{ "/baseline", "{\"all\": true}", 200 },
		{ "/baseline", "{\"all\": true, \"force\": true}", 200 },
		{ "/baseline", "{\"all\": true, \"verify\": true}", 200 },
		{ "/baseline", "{\"all\": true, \"verify\": 1}", 400 },
		{ "/baseline", "{\"all\": true, \"verify\": true, \"dry_run\": true}",
		    400 },
		{ "/baseline", "{\"all\": false, \"target\": \"0001\"}", 200 },
		{ "/baseline", NULL, 400 },
		{ "/baseline", "{}", 400 },
		{ "/baseline", "{\"all\": false}", 400 },
		{ "/baseline", "{\"force\": true}", 400 },
		{ "/baseline", "{\"target\": \"0001\", \"version\": \"0001\"}", 400 },
		{ "/baseline", "{\"target\": \"0001\", \"all\": true}", 400 },
		{ "/baseline", "{\"all\": true, \"phases\": [\"data\"]}", 200 },
		{ "/apply", "{\"phases\": [\"schema\", \"data\"]}", 200 },
		{ "/apply", "{\"phases\": [\"data\"], \"target\": \"a\"}", 200 },
		{ "/apply", "{\"phases\": [\"seeds\"]}", 409 },
		{ "/apply", "{\"phases\": [\"schema\", \"data\"], \"target\": \"a\"}",
		    400 },
		{ "/apply", "{\"phases\": []}", 400 },
		{ "/apply", "{\"phases\": [\"seed\"]}", 400 },
		{ "/apply", "{\"phases\": [1]}", 400 },
		{ "/apply", "{\"phases\": \"data\"}", 400 },
		{ "/baseline", "{\"dry_run\": true, \"all\": true}", 200 },
		{ "/rollback", "{\"to\": \"0001\"}", 200 },
		{ "/rollback", "{\"steps\": 1}", 200 },
		{ "/rollback", "{\"migration\": \"0001\", \"force\": true}", 200 },
		{ "/rollback", "{\"all\": true, \"reason\": \"why\"}", 200 },
		{ "/rollback", NULL, 400 },
		{ "/rollback", "{}", 400 },
		{ "/rollback", "{\"all\": false}", 400 },
		{ "/rollback", "{\"to\": null}", 400 },
		{ "/rollback", "{\"steps\": 0}", 400 },
		{ "/rollback", "{\"steps\": -1}", 400 },
		{ "/rollback", "{\"steps\": 1.5}", 400 },
		{ "/rollback", "{\"steps\": \"1\"}", 400 },
		{ "/rollback", "{\"steps\": 4294967297}", 400 },
		{ "/rollback", "{\"to\": \"0001\", \"all\": true}", 400 },
		{ "/rollback", "{\"to\": \"0001\", \"steps\": 1}", 400 },
		{ "/rollback", "{\"all\": true, \"reason\": \"\"}", 400 },
		{ "/rollback", "{\"all\": true, \"reason\": 7}", 400 },
		{ "/repair", NULL, 400 },
		{ "/repair", "{}", 400 },
		{ "/repair", "{\"migration\": \"0001\"}", 400 },
		{ "/repair", "{\"action\": \"retry\"}", 400 },
		{ "/repair", "{\"migration\": \"0001\", \"action\": \"skip\"}", 400 },
		{ "/repair", "{\"migration\": \"0001\", \"action\": 1}", 400 },
		{ "/repair", "{\"migration\": 1, \"action\": \"retry\"}", 400 },
		{ "/repair", "{\"migration\": \"a b\", \"action\": \"retry\"}", 400 },
		{ "/repair", "{\"migration\": \"0001\", \"action\": \"remove-guard\"}",
		    400 },
		{ "/repair", "{\"migration\": \"0001\", \"action\": \"retry\"}", 200 },
		{ "/repair", "{\"migration\": \"0001\", \"action\": \"applied\"}", 200 },
		{ "/repair", "{\"migration\": \"0001\", \"action\": \"pending\"}", 200 },
		{ "/repair", "{\"action\": \"remove-guard\"}", 200 },
		{ "/repair", "{\"action\": \"remove-guard\", \"phase\": \"schema\"}",
		    400 },
		{ "/repair",
		    "{\"migration\": \"a\", \"action\": \"retry\", \"phase\": \"data\"}",
		    200 },
		{ "/repair",
		    "{\"migration\": \"a\", \"action\": \"retry\", \"phase\": \"seeds\"}",
		    409 },
		{ "/repair",
		    "{\"migration\": \"a\", \"action\": \"retry\", \"phase\": \"seed\"}",
		    400 },
		{ "/repair",
		    "{\"migration\": \"a\", \"action\": \"retry\", \"phase\": [\"data\"]}",
		    400 },
		{ "/repair", "{\"migration\": \"0001\", \"action\": \"checksum\"}", 200 },
		{ "/repair",
		    "{\"migration\": \"0001\", \"action\": \"forget\", \"reason\": \"x\"}",
		    200 },
		{ "/runs/x/cancel", NULL, 202 },
		{ "/runs/x/cancel", "{}", 202 },
		{ "/runs/x/cancel", "{\"mode\": \"graceful\"}", 202 },
		{ "/runs/x/cancel", "{\"mode\": \"now\"}", 202 },
		{ "/runs/x/cancel", "{\"mode\": \"NOW\"}", 400 },
		{ "/runs/x/cancel", "{\"mode\": null}", 400 },
		{ "/runs/x/cancel", "{\"now\": true}", 400 },
		{ "/reload", NULL, 200 },
		{ "/reload", "{}", 200 },
		{ "/reload", "{\"x\": 1}", 400 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct fake *fake = fake_new();
		struct request *request;

		fake->status.phases[PHASE_DATA].folder = fake->status.folder;
		fake_start_run(fake, PLAN_APPLY);
		fake_end_run(fake, NULL);
		request = post(fake, cases[i].target, cases[i].body);
		if (request->status != cases[i].status)
			fail_msg("%s %s: %u %s", cases[i].target, cases[i].body,
			    request->status, request->reply);
		if (request->status == 400)
			assert_int_equal(
			    fake->n_starts + fake->n_reloads + strlen(fake->cancelled),
			    0);
		talloc_free(fake);
	}
}

static void
test_deep_and_wide_bodies(void **state)
{
	struct fake *fake = fake_new();
	struct text body;

	(void)state;
	text_init(&body, fake, BOUND_BODY_BYTES);
	text_add(&body, "{\"target\": ");
	for (unsigned i = 0; i < 30000; i++)
		text_add_char(&body, '[');
	assert_int_equal(post(fake, "/apply", body.data)->status, 400);

	text_reset(&body);
	text_add_char(&body, '{');
	for (unsigned i = 0; i < 4000; i++)
		text_addf(&body, "\"k%u\":1,", i);
	text_add(&body, "\"k\":1}");
	assert_int_equal(post(fake, "/apply", body.data)->status, 400);
	assert_int_equal(fake->n_starts, 0);
	talloc_free(fake);
}

static void
test_a_bad_body_is_located(void **state)
{
	struct fake *fake = fake_new();
	struct request *request = post(fake, "/apply", "{\n \"target\": }");

	(void)state;
	assert_non_null(strstr(request->reply, "body:2:"));
	talloc_free(fake);
}

static void
test_apply_blocks_until_the_run_ends(void **state)
{
	struct fake *fake = fake_new();
	struct request *request;
	json_t *document;

	(void)state;
	fake_start_run(fake, PLAN_APPLY);
	request = post(fake, "/apply", "{\"target\": \"0001_files\"}");
	assert_int_equal(request->state, REQUEST_PARKED);
	assert_int_equal(request->deadline_mono_us, 0);
	assert_int_equal(fake->operation, PLAN_APPLY);
	assert_string_equal(fake->up_to, "0001_files");
	assert_string_equal(fake->requested_by, "http 127.0.0.1");
	assert_false(request_is_due(request, INT64_MAX));

	fake_end_run(fake, NULL);
	assert_true(request_is_due(request, 0));
	request->resume(request);
	assert_int_equal(request->status, 200);
	document = fake_json(request);
	assert_string_equal(fake_text(document, "id"), fake->run->id);
	assert_string_equal(fake_text(document, "outcome"), "succeeded");
	assert_true(json_is_false(json_object_get(document, "joined")));
	json_decref(document);
	talloc_free(fake);
}

static void
test_a_second_caller_joins(void **state)
{
	struct fake *fake = fake_new();
	struct request *request;
	json_t *document;

	(void)state;
	fake_start_run(fake, PLAN_APPLY);
	fake->joined = true;
	request = post(fake, "/apply", NULL);
	fake_end_run(fake, NULL);
	request->resume(request);
	document = fake_json(request);
	assert_true(json_is_true(json_object_get(document, "joined")));
	json_decref(document);
	talloc_free(fake);
}

static void
test_a_failed_run_is_a_problem(void **state)
{
	static const struct {
		enum category category;
		unsigned status;
		bool stopping;
	} cases[] = {
		{ CAT_SQL_ERROR, 422, false },
		{ CAT_SQL_SYNTAX_ERROR, 422, false },
		{ CAT_OUT_OF_ORDER, 409, false },
		{ CAT_CHECKSUM_MISMATCH, 409, false },
		{ CAT_NETWORK_ERROR, 503, false },
		{ CAT_LOCK_TIMEOUT, 503, false },
		{ CAT_CANCELLED, 409, false },
		{ CAT_CANCELLED, 503, true },
		{ CAT_RESOURCE_NOT_FOUND, 404, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err err = { 0 };
		struct fake *fake = fake_new();
		struct request *request;
		json_t *document;

		err_set(&err, cases[i].category, "column \"staus\" does not exist");
		err_where(&err, "0001_files.sql", 12);
		fake_start_run(fake, PLAN_APPLY);
		request = post(fake, "/apply", NULL);
		fake_end_run(fake, &err);
		fake->status.stopping = cases[i].stopping;
		request->resume(request);
		assert_int_equal(request->status, cases[i].status);
		assert_string_equal(request->content_type, "application/problem+json");
		assert_int_equal(
		    !fake_reply_header(request, "Retry-After"), cases[i].status != 503);

		document = fake_json(request);
		assert_string_equal(fake_text(document, "run_id"), fake->run->id);
		assert_string_equal(fake_text(document, "detail"),
		    "0001_files.sql:12: column \"staus\" does not exist");
		assert_true(json_is_array(json_object_get(document, "applied")));
		assert_string_equal(fake_text(document, "operation"), "apply");
		assert_null(json_object_get(document, "id"));
		assert_null(json_object_get(document, "error"));
		json_decref(document);
		talloc_free(fake);
	}
}

static void
test_a_failed_run_as_text(void **state)
{
	struct fake *fake = fake_new();
	struct err err = { 0 };
	struct request *request;

	(void)state;
	err_set(&err, CAT_SQL_ERROR, "column does not exist");
	fake_start_run(fake, PLAN_APPLY);
	request = post(fake, "/apply?format=text", NULL);
	fake_end_run(fake, &err);
	request->resume(request);
	assert_int_equal(request->status, 422);
	assert_non_null(strstr(request->reply, "column does not exist"));
	talloc_free(fake);
}

static void
test_patience(void **state)
{
	static const struct {
		const char *target;
		const char *prefer;
		int64_t wait_ms; /* 0: for ever, -1: answered at once */
		unsigned status; /* while the run goes on */
	} cases[] = {
		{ "/apply", "respond-async", -1, 202 },
		{ "/apply", "Respond-Async", -1, 202 },
		{ "/apply", "handling=lenient, respond-async", -1, 202 },
		{ "/apply", "respond-async, wait=30", 30000, 202 },
		{ "/apply", "wait=30;x=y,respond-async", 30000, 202 },
		{ "/apply", "wait=\"30\"", 30000, 503 },
		{ "/apply", "wait=30", 30000, 503 },
		{ "/apply", "wait=0", -1, 503 },
		{ "/apply", "wait=soon", 0, 0 },
		{ "/apply", "wait=99999999", 86400000, 503 },
		{ "/apply", "respond-asynchronously", 0, 0 },
		{ "/apply?async=1", NULL, -1, 202 },
		{ "/apply?async", NULL, -1, 202 },
		{ "/apply?async=0", NULL, 0, 0 },
		{ "/apply?wait=5", NULL, 5000, 503 },
		{ "/apply?wait=5&async=1", NULL, 5000, 202 },
		{ "/apply?wait=5", "respond-async, wait=30", 5000, 202 },
		{ "/apply?wait=x", NULL, -1, 400 },
		{ "/apply?wait=", NULL, -1, 400 },
		{ "/apply?wait=-1", NULL, -1, 400 },
		{ "/apply?wait=1s", NULL, -1, 400 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct fake *fake = fake_new();
		struct request *request = fake_request(fake, "POST", cases[i].target);

		if (cases[i].prefer)
			fake_header(request, "Prefer", cases[i].prefer);
		fake_start_run(fake, PLAN_APPLY);
		fake_send(request);
		if (cases[i].wait_ms >= 0) {
			assert_int_equal(request->state, REQUEST_PARKED);
			assert_int_equal(request->deadline_mono_us,
			    cases[i].wait_ms ? fake_mono_us + cases[i].wait_ms * 1000
					     : 0);
		}
		if (cases[i].wait_ms > 0)
			request->resume(request);
		if (request->status != cases[i].status)
			fail_msg("case %zu: %u", i, request->status);
		talloc_free(fake);
	}
}

static void
test_what_comes_with_an_early_answer(void **state)
{
	struct fake *fake = fake_new();
	struct request *request;
	char location[64];
	json_t *document;

	(void)state;
	fake_start_run(fake, PLAN_APPLY);
	snprintf(location, sizeof(location), "/runs/%s", fake->run->id);

	request = post(fake, "/apply?async=1", NULL);
	assert_int_equal(request->status, 202);
	assert_string_equal(fake_reply_header(request, "Location"), location);
	assert_string_equal(fake_reply_header(request, "Retry-After"), "2");
	assert_string_equal(
	    fake_reply_header(request, "Preference-Applied"), "respond-async");
	document = fake_json(request);
	assert_string_equal(fake_text(document, "id"), fake->run->id);
	assert_true(json_is_null(json_object_get(document, "outcome")));
	json_decref(document);

	request = post(fake, "/apply?wait=0", NULL);
	assert_int_equal(request->status, 503);
	assert_string_equal(fake_reply_header(request, "Location"), location);
	assert_string_equal(fake_reply_header(request, "Retry-After"), "2");
	document = fake_json(request);
	assert_true(json_is_true(json_object_get(document, "retryable")));
	assert_string_equal(fake_text(document, "run_id"), fake->run->id);
	json_decref(document);

	/* patience that was not needed */
	fake_end_run(fake, NULL);
	assert_int_equal(post(fake, "/apply?async=1", NULL)->status, 200);
	request = post(fake, "/apply?format=text", NULL);
	assert_int_equal(request->status, 200);
	assert_non_null(strstr(request->reply, "succeeded"));
	talloc_free(fake);
}

static void
test_another_run_is_in_the_way(void **state)
{
	struct fake *fake = fake_new();
	struct request *request;

	(void)state;
	fake_start_run(fake, PLAN_BASELINE);
	fake->start_refuses = true;
	request = post(fake, "/apply", NULL);
	assert_int_equal(request->status, 409);
	assert_non_null(strstr(fake_reply_header(request, "Location"), fake->run->id));
	assert_null(request->run);
	talloc_free(fake);
}

static void
test_too_many_callers(void **state)
{
	struct fake *fake = fake_new();
	struct request *request;

	(void)state;
	fake_start_run(fake, PLAN_APPLY);
	fake->api.parked = BOUND_PARKED_REQUESTS - 1;
	assert_int_equal(post(fake, "/apply", NULL)->state, REQUEST_PARKED);
	fake->api.parked = BOUND_PARKED_REQUESTS;
	request = post(fake, "/apply", NULL);
	assert_int_equal(request->status, 429);
	assert_string_equal(fake_reply_header(request, "Retry-After"), "5");
	assert_int_equal(fake->n_starts, 1);
	/* who does not wait is in nobody's way */
	assert_int_equal(post(fake, "/apply?async=1", NULL)->status, 202);
	assert_int_equal(fake->n_starts, 2);
	talloc_free(fake);
}

/* By each route its own members: the advice names none of another. */
static void
test_what_is_to_be_done_is_not_in_the_query(void **state)
{
	static const struct {
		const char *target;
		const char *says;
	} rows[] = {
		{ "/apply?target=0043", "there is no parameter target of a POST" },
		{ "/runs/0a-1b/cancel?mode=now", "there is no parameter mode of a POST" },
	};
	struct fake *fake = fake_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct request *request = post(fake, rows[i].target, NULL);
		json_t *document = fake_json(request);

		assert_int_equal(request->status, 400);
		assert_string_equal(fake_text(document, "detail"), rows[i].says);
		assert_string_equal(fake_text(document, "hint"),
		    "what is to be done stands in the body, as JSON");
		json_decref(document);
	}
	assert_int_equal(fake->n_starts, 0);
	talloc_free(fake);
}

static void
test_a_dry_run_is_the_plan(void **state)
{
	struct fake *fake = fake_new();
	struct request *request;
	json_t *document, *steps;

	(void)state;
	request = post(fake, "/apply", "{\"dry_run\": true}");
	assert_int_equal(request->status, 200);
	document = fake_json(request);
	steps = json_object_get(document, "steps");
	assert_int_equal(json_array_size(steps), 2);
	json_decref(document);

	request = post(fake, "/apply", "{\"dry_run\": true, \"target\": \"0001_files\"}");
	document = fake_json(request);
	steps = json_object_get(document, "steps");
	assert_int_equal(json_array_size(steps), 1);
	assert_string_equal(fake_text(json_array_get(steps, 0), "id"), "0001_files");
	assert_string_equal(fake_text(document, "up_to"), "0001_files");
	json_decref(document);

	request = post(fake, "/apply", "{\"dry_run\": true, \"target\": \"0009_nix\"}");
	assert_int_equal(request->status, 404);

	request = post(fake, "/apply", "{\"dry_run\": true, \"phases\": [\"data\"]}");
	assert_int_equal(request->status, 409);
	fake->status.phases[PHASE_DATA].folder = &fake->folder;
	request = post(fake, "/apply", "{\"dry_run\": true, \"phases\": [\"data\"]}");
	document = fake_json(request);
	assert_int_equal(json_array_size(json_object_get(document, "steps")), 0);
	assert_int_equal(json_array_size(json_object_get(document, "phases")), 1);
	json_decref(document);
	assert_int_equal(fake->n_starts, 0);
	talloc_free(fake);
}

static void
test_baseline(void **state)
{
	struct fake *fake = fake_new();

	(void)state;
	fake_start_run(fake, PLAN_BASELINE);
	post(fake, "/baseline", "{\"version\": \"0001\", \"force\": true}");
	assert_int_equal(fake->operation, PLAN_BASELINE);
	assert_string_equal(fake->up_to, "0001");
	assert_true(fake->force);
	post(fake, "/baseline", "{\"all\": true}");
	assert_string_equal(fake->up_to, "");
	assert_false(fake->force);
	talloc_free(fake);
}

/* Each word reaches the run, and a dry run starts none. */
static void
test_rollback(void **state)
{
	struct fake *fake = fake_new();
	struct request *request;

	(void)state;
	fake_start_run(fake, PLAN_ROLLBACK);
	post(fake, "/rollback", "{\"to\": \"0001\", \"reason\": \"too early\"}");
	assert_int_equal(fake->operation, PLAN_ROLLBACK);
	assert_string_equal(fake->up_to, "0001");
	assert_string_equal(fake->reason, "too early");
	assert_false(fake->only || fake->force);
	post(fake, "/rollback", "{\"steps\": 2, \"force\": true}");
	assert_int_equal(fake->steps, 2);
	assert_true(fake->force);
	assert_string_equal(fake->up_to, "");
	post(fake, "/rollback", "{\"migration\": \"0002\"}");
	assert_true(fake->only);
	assert_int_equal(fake->n_starts, 3);

	request = post(fake, "/rollback", "{\"all\": true, \"dry_run\": true}");
	assert_int_equal(request->status, 200);
	assert_non_null(strstr(request->reply, "\"operation\":\"rollback\""));
	assert_non_null(strstr(request->reply, "without a way back"));
	request = post(fake, "/baseline?format=text",
	    "{\"all\": true, \"force\": true, \"dry_run\": true}");
	assert_non_null(strstr(request->reply, " to record\n"));
	assert_int_equal(fake->n_starts, 3);
	talloc_free(fake);
}

static void
test_repair(void **state)
{
	struct fake *fake = fake_new();
	struct request *request;

	(void)state;
	fake_start_run(fake, PLAN_REPAIR);
	post(fake, "/repair", "{\"migration\": \"0001\", \"action\": \"applied\"}");
	assert_int_equal(fake->operation, PLAN_REPAIR);
	assert_string_equal(fake->action, "applied");
	/* as it was said: the run finds out what it is */
	assert_string_equal(fake->up_to, "0001");
	post(fake, "/repair", "{\"action\": \"remove-guard\"}");
	assert_string_equal(fake->action, "remove-guard");
	assert_string_equal(fake->up_to, "");
	assert_int_equal(fake->n_starts, 2);

	request = post(fake, "/repair", "{\"migration\": \"0001\", \"action\": \"no\"}");
	assert_non_null(strstr(request->reply,
	    "must be one of \\\"retry\\\", \\\"applied\\\", \\\"pending\\\""));
	assert_int_equal(fake->n_starts, 2);
	talloc_free(fake);
}

static void
test_the_document_of_a_repair(void **state)
{
	struct fake *fake = fake_new();
	struct run_request wanted = {
		.operation = PLAN_REPAIR, .up_to = "0001_files", .action = "retry"
	};
	struct run *run = run_new(&wanted, "default", FAKE_TIME_US, 0);
	json_t *document = json_run(run, false);

	(void)state;
	assert_string_equal(fake_text(document, "operation"), "repair");
	assert_string_equal(fake_text(document, "action"), "retry");
	assert_string_equal(fake_text(document, "migration"), "0001_files");
	assert_true(json_is_null(json_object_get(document, "up_to")));
	json_decref(document);
	run_unref(run);
	document = json_run(fake_start_run(fake, PLAN_APPLY), false);
	assert_null(json_object_get(document, "action"));
	json_decref(document);
	talloc_free(fake);
}

static void
test_cancel(void **state)
{
	struct fake *fake = fake_new();
	struct request *request;
	char target[128];
	json_t *document;

	(void)state;
	fake_start_run(fake, PLAN_APPLY);
	snprintf(target, sizeof(target), "/runs/%s/cancel", fake->run->id);
	request = post(fake, target, NULL);
	assert_int_equal(request->status, 202);
	assert_string_equal(fake->cancelled, fake->run->id);
	assert_string_equal(fake->cancelled_by, "127.0.0.1");
	assert_false(fake->cancelled_now);
	assert_non_null(strstr(fake_reply_header(request, "Location"), fake->run->id));
	document = fake_json(request);
	assert_string_equal(fake_text(document, "id"), fake->run->id);
	json_decref(document);

	post(fake, target, "{\"mode\": \"now\"}");
	assert_true(fake->cancelled_now);
	post(fake, target, "{\"mode\": \"graceful\"}");
	assert_false(fake->cancelled_now);
	fake->cancel_refuses = 409;
	request = post(fake, target, "{}");
	assert_int_equal(request->status, 409);
	document = fake_json(request);
	assert_string_equal(fake_text(document, "category"), "CANCELLED");
	json_decref(document);
	fake->cancel_refuses = 404;
	assert_int_equal(post(fake, "/runs/x/cancel", NULL)->status, 404);
	talloc_free(fake);
}

static void
test_reload(void **state)
{
	struct fake *fake = fake_new();
	struct request *request;

	(void)state;
	request = post(fake, "/reload", NULL);
	assert_int_equal(request->status, 200);
	assert_string_equal(request->reply, "{\"reloaded\":true}\n");
	request = post(fake, "/reload?format=text", NULL);
	assert_string_equal(request->reply, "reloaded\n");
	assert_int_equal(fake->n_reloads, 2);

	fake->reload_fails = true;
	request = post(fake, "/reload", NULL);
	assert_int_equal(request->status, 422);
	assert_non_null(strstr(request->reply, "lock_wait is no duration"));
	talloc_free(fake);
}

static void
test_a_form_is_refused(void **state)
{
	struct fake *fake = fake_new();
	struct request *request = fake_request(fake, "POST", "/apply");

	(void)state;
	fake_header(request, "Content-Type", "application/x-www-form-urlencoded");
	text_add(&request->body, "{}");
	fake_send(request);
	assert_int_equal(request->status, 415);
	assert_int_equal(fake->n_starts, 0);
	talloc_free(fake);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bodies),
		cmocka_unit_test(test_deep_and_wide_bodies),
		cmocka_unit_test(test_a_bad_body_is_located),
		cmocka_unit_test(test_apply_blocks_until_the_run_ends),
		cmocka_unit_test(test_a_second_caller_joins),
		cmocka_unit_test(test_a_failed_run_is_a_problem),
		cmocka_unit_test(test_a_failed_run_as_text),
		cmocka_unit_test(test_patience),
		cmocka_unit_test(test_what_comes_with_an_early_answer),
		cmocka_unit_test(test_another_run_is_in_the_way),
		cmocka_unit_test(test_too_many_callers),
		cmocka_unit_test(test_what_is_to_be_done_is_not_in_the_query),
		cmocka_unit_test(test_a_dry_run_is_the_plan),
		cmocka_unit_test(test_baseline),
		cmocka_unit_test(test_repair),
		cmocka_unit_test(test_rollback),
		cmocka_unit_test(test_the_document_of_a_repair),
		cmocka_unit_test(test_cancel),
		cmocka_unit_test(test_reload),
		cmocka_unit_test(test_a_form_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
