/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "daemon/webhook_sign.h"

/* 24 bytes, as the specification's own example has it */
#define SECRET "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
#define OTHER  "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

#define ID   "msg_p5jXN8AQM9LWM0D4loKWxJek"
#define BODY "{\"test\": 2432232314}"

static void
test_sign(void **state)
{
	static const struct {
		const char *secrets;
		const char *signature; /* NULL: it is refused */
	} rows[] = {
		{ SECRET, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" },
		{ SECRET " " OTHER,
		    "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= "
		    "v1,woH/1mJtZGSMCmpFTxRYbStS24eLLD/oXIYr4PYyZ7g=" },
		{ "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", NULL },
		{ "whsec_", NULL },
		{ "whsec_c2hvcnQ=", NULL },
		{ "whsec_!!!!", NULL },
		{ SECRET "  " OTHER, NULL },
		{ SECRET " nonsense", NULL },
		/* 65 bytes */
		{ "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
		  "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
		    NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		void *ctx = mem_context(NULL, "test");
		struct err err = { 0 };
		char *signature = NULL;
		int rc = webhook_sign(
		    ctx, rows[i].secrets, ID, 1614265330, BODY, &signature, &err);

		if (rows[i].signature) {
			assert_int_equal(rc, 0);
			assert_string_equal(signature, rows[i].signature);
		} else {
			assert_int_equal(rc, -1);
			assert_null(signature);
			assert_int_equal(err.category, CAT_CONFIGURATION);
			assert_null(strstr(err.text, "MfKQ"));
		}
		talloc_free(ctx);
	}
}

static void
test_urls(void **state)
{
	static const struct {
		const char *url;
		bool ok;
		const char *place;
	} rows[] = {
		{ "https://hooks.example/T0/B0/s3cret?x=s3cret", true,
		    "https://hooks.example" },
		{ "https://user:s3cret@hooks.example:8443/x", true,
		    "https://hooks.example:8443" },
		{ "https://[2001:db8::1]:8443/x", true, "https://[2001:db8::1]:8443" },
		{ "http://127.0.0.1:9000/x", true, "http://127.0.0.1:9000" },
		{ "http://localhost", true, "http://localhost" },
		{ "http://[::1]:9000/", true, "http://[::1]:9000" },
		{ "http://hooks.example/s3cret", false, "http://hooks.example" },
		{ "http://127.0.0.1@hooks.example/s3cret", false,
		    "http://hooks.example" },
		{ "http://127.0.0.1.example/", false, "http://127.0.0.1.example" },
		{ "http://localhost#@hooks.example/", true, "http://localhost" },
		{ "http://127.0.0.1\\@hooks.example/s3cret", false, "****" },
		{ "ftp://hooks.example/s3cret", false, "****" },
		{ "https://", false, "****" },
		{ "https:///s3cret", false, "****" },
		{ "hooks.example/s3cret", false, "****" },
		{ "", false, "****" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err err = { 0 };
		char *place = webhook_place(NULL, rows[i].url);

		assert_int_equal(
		    webhook_check_url(rows[i].url, &err), rows[i].ok ? 0 : -1);
		assert_null(strstr(err.text, "s3cret"));
		assert_string_equal(place, rows[i].place);
		talloc_free(place);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sign),
		cmocka_unit_test(test_urls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
