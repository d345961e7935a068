/* SPDX-License-Identifier: PostgreSQL */
#include "fake_api.h"

static void
test_at_once(void **state)
{
	static const struct {
		const char *target;
		size_t n_applied;
		unsigned status; /* 0: it waits */
	} rows[] = {
		{ "/wait", 3, 200 },
		{ "/wait", 1, 0 },
		{ "/wait?for=current", 3, 200 },
		{ "/wait?timeout=0", 1, 503 },
		{ "/wait?for=0000_users", 1, 200 },
		{ "/wait?for=0000", 1, 200 },
		{ "/wait?for=0001_files&timeout=3600", 1, 0 },
		{ "/wait?for=0001_files&timeout=0", 1, 503 },
		{ "/wait?for=nix", 1, 0 },
		{ "/wait?for=nix&timeout=0", 1, 503 },
		{ "/wait?timeout=3601", 3, 400 },
		{ "/wait?timeout=", 3, 400 },
		{ "/wait?timeout=1s", 3, 400 },
		{ "/wait?timeout=999999999999999999999", 3, 400 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fake *fake = fake_new();
		struct request *request = fake_request(fake, "GET", rows[i].target);

		fake_set_applied(fake, rows[i].n_applied);
		fake_send(request);
		if (rows[i].status)
			assert_int_equal(request->status, rows[i].status);
		else
			assert_int_equal(request->state, REQUEST_PARKED);
		talloc_free(fake);
	}
}

static void
test_it_comes(void **state)
{
	static const struct {
		const char *target;
		const char *member, *value;
	} rows[] = {
		{ "/wait?timeout=9", "verdict", "current" },
		{ "/wait?for=0002_more&timeout=9", "state", "applied" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fake *fake = fake_new();
		struct request *request = fake_request(fake, "GET", rows[i].target);
		json_t *document;

		fake_send(request);
		assert_int_equal(request->state, REQUEST_PARKED);
		assert_int_equal(request->deadline_mono_us, fake_mono_us + 9000000);
		assert_false(request_is_due(request, fake_mono_us));
		assert_int_equal(fake->n_refreshes, 1);
		/* the database is not asked in each turn of the loop */
		fake_mono_us += 999999;
		assert_false(request_is_due(request, fake_mono_us));
		assert_int_equal(fake->n_refreshes, 1);
		fake_mono_us += 1;
		assert_false(request_is_due(request, fake_mono_us));
		assert_int_equal(fake->n_refreshes, 2);
		fake_set_applied(fake, 3);
		assert_true(request_is_due(request, fake_mono_us));
		request->resume(request);
		assert_int_equal(request->status, 200);
		document = fake_json(request);
		assert_string_equal(fake_text(document, rows[i].member), rows[i].value);
		json_decref(document);
		talloc_free(fake);
	}
}

static void
test_it_does_not(void **state)
{
	static const struct {
		const char *target;
		const char *detail, *state, *category;
	} rows[] = {
		{ "/wait", "2 migrations pending, next is 0001_files", "", "" },
		{ "/wait?for=0002_more", "0002_more is not applied: it is pending",
		    "pending", "" },
		{ "/wait?for=nix%20%22", "there is no migration nix \"", "",
		    "RESOURCE_NOT_FOUND" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct fake *fake = fake_new();
		struct request *request = fake_request(fake, "GET", rows[i].target);
		json_t *document;

		fake_send(request);
		assert_true(request_is_due(request, fake_mono_us + 60000000));
		request->resume(request);
		assert_int_equal(request->status, 503);
		assert_non_null(fake_reply_header(request, "Retry-After"));
		document = fake_json(request);
		assert_string_equal(fake_text(document, "detail"), rows[i].detail);
		assert_string_equal(fake_text(document, "state"), rows[i].state);
		assert_string_equal(fake_text(document, "category"), rows[i].category);
		assert_true(json_is_true(json_object_get(document, "retryable")));
		json_decref(document);
		talloc_free(fake);
	}
}

static void
test_as_text(void **state)
{
	struct fake *fake = fake_new();
	struct request *request =
	    fake_request(fake, "GET", "/wait?for=0000_users&format=text");

	(void)state;
	fake_send(request);
	assert_int_equal(request->status, 200);
	assert_non_null(strstr(request->reply, "state     applied\n"));
	talloc_free(fake);
}

static void
test_too_many_wait(void **state)
{
	struct fake *fake = fake_new();

	(void)state;
	fake->api.parked = BOUND_WAITING_REQUESTS;
	assert_int_equal(fake_status_of(fake, "GET", "/wait"), 429);
	assert_int_equal(fake_status_of(fake, "GET", "/wait?for=0000"), 200);
	/* there is room for what they wait for */
	assert_true(BOUND_WAITING_REQUESTS < BOUND_PARKED_REQUESTS);
	talloc_free(fake);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_at_once),
		cmocka_unit_test(test_it_comes),
		cmocka_unit_test(test_it_does_not),
		cmocka_unit_test(test_as_text),
		cmocka_unit_test(test_too_many_wait),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
