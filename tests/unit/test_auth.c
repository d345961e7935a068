/* SPDX-License-Identifier: PostgreSQL */
#include "fake_api.h"

#include "http/auth.h"

#define TOKEN "s3cret-token"

static struct request *
write_with(struct fake *fake, const char *authorization)
{
	struct request *request = fake_request(fake, "POST", "/apply");

	if (authorization)
		fake_header(request, "Authorization", authorization);
	return request;
}

static void
test_tokens(void **state)
{
	static const struct {
		const char *authorization;
		bool passes;
	} cases[] = {
		{ "Bearer " TOKEN, true },
		{ "bearer " TOKEN, true },
		{ "Bearer  " TOKEN, true },
		{ NULL, false },
		{ "", false },
		{ "Bearer", false },
		{ "Bearer ", false },
		{ "Bearer S3CRET-TOKEN", false },
		{ "Bearer " TOKEN "x", false },
		{ "Bearer " TOKEN " ", false },
		{ "Bearer s3cret-toke", false },
		{ "Basic " TOKEN, false },
		{ TOKEN, false },
	};
	struct fake *fake = fake_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct request *request = write_with(fake, cases[i].authorization);

		/* two seconds apart, so that none is counted as guessing */
		assert_int_equal(auth_check(request, TOKEN, (int64_t)i * 2000000),
		    cases[i].passes ? 0 : -1);
		if (cases[i].passes) {
			assert_int_equal(request->state, REQUEST_HEADERS);
			continue;
		}
		assert_int_equal(request->status, 401);
		assert_non_null(
		    strstr(fake_reply_header(request, "WWW-Authenticate"), "Bearer"));
		assert_null(strstr(request->reply, TOKEN));
	}
	talloc_free(fake);
}

static void
test_a_token_given_twice(void **state)
{
	struct fake *fake = fake_new();
	struct request *request = write_with(fake, "Bearer " TOKEN);

	(void)state;
	fake_header(request, "authorization", "Bearer " TOKEN);
	assert_int_equal(auth_check(request, TOKEN, 0), -1);
	assert_int_equal(request->status, 401);
	talloc_free(fake);
}

static void
test_who_needs_none(void **state)
{
	struct fake *fake = fake_new();
	struct request *request = write_with(fake, NULL);

	(void)state;
	assert_int_equal(auth_check(request, NULL, 0), 0);
	request->listener.is_unix = true;
	assert_int_equal(auth_check(request, TOKEN, 0), 0);
	talloc_free(fake);
}

static unsigned
status_at(struct fake *fake, const char *peer, const char *authorization, int64_t now_us)
{
	struct request *request = write_with(fake, authorization);
	unsigned status = 0;

	snprintf(request->peer, sizeof(request->peer), "%s", peer);
	if (auth_check(request, TOKEN, now_us) < 0)
		status = request->status;
	talloc_free(request);
	return status;
}

static void
test_guessing_is_slowed_down(void **state)
{
	struct fake *fake = fake_new();

	(void)state;
	for (unsigned i = 0; i < AUTH_FAILURES_PER_SECOND; i++)
		assert_int_equal(status_at(fake, "10.0.0.1", "Bearer x", 1000 + i), 401);
	assert_int_equal(status_at(fake, "10.0.0.1", "Bearer x", 2000), 429);
	/* a guess that is right must not be told from one that is wrong */
	assert_int_equal(status_at(fake, "10.0.0.1", "Bearer " TOKEN, 2000), 429);
	/* others are not in it */
	assert_int_equal(status_at(fake, "10.0.0.2", "Bearer " TOKEN, 2000), 0);
	/* the second is over */
	assert_int_equal(status_at(fake, "10.0.0.1", "Bearer " TOKEN, 1001000), 0);
	assert_int_equal(status_at(fake, "10.0.0.1", "Bearer x", 1001000), 401);
	talloc_free(fake);
}

static void
test_more_addresses_than_are_remembered(void **state)
{
	struct fake *fake = fake_new();
	char peer[32];

	(void)state;
	for (unsigned i = 0; i < 3 * AUTH_ADDRESSES; i++) {
		snprintf(peer, sizeof(peer), "10.0.1.%u", i);
		assert_int_equal(status_at(fake, peer, "Bearer x", 1000 + i), 401);
	}
	for (unsigned i = 0; i < AUTH_FAILURES_PER_SECOND; i++)
		assert_int_equal(status_at(fake, "10.0.0.1", "Bearer x", 5000), 401);
	assert_int_equal(status_at(fake, "10.0.0.1", "Bearer x", 5000), 429);
	talloc_free(fake);
}

/* Every write route, so that a new one without the flag fails here. */
static void
test_every_write_needs_it(void **state)
{
	struct fake *fake = fake_new();

	(void)state;
	fake->token = TOKEN;
	for (size_t i = 0; i < route_count; i++) {
		char *path = mem_strdup(fake, route_table[i].path);
		char *id = strstr(path, "{id}");

		if (id)
			memcpy(id, "some", 4);
		fake_mono_us += 2000000;
		if (route_table[i].method == METHOD_POST)
			assert_int_equal(fake_status_of(fake, "POST", path), 401);
		else
			assert_int_not_equal(fake_status_of(fake, "GET", path), 401);
	}
	assert_int_equal(fake_status_of(fake, "POST", "/apply?token=" TOKEN), 401);
	assert_int_equal(fake->n_starts, 0);
	assert_string_equal(fake->cancelled, "");
	talloc_free(fake);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tokens),
		cmocka_unit_test(test_a_token_given_twice),
		cmocka_unit_test(test_who_needs_none),
		cmocka_unit_test(test_guessing_is_slowed_down),
		cmocka_unit_test(test_more_addresses_than_are_remembered),
		cmocka_unit_test(test_every_write_needs_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
