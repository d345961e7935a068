/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bounds.h"
#include "base/mem.h"
#include "daemon/conninfo.h"

static void
test_mask(void **state)
{
	static const struct {
		const char *given;
		const char *shown;
	} rows[] = {
		{ "", "" },

		/* URI: the user part */
		{ "postgres://u:pw@h/db", "postgres://u:****@h/db" },
		{ "postgresql://u:pw@h:5432/db", "postgresql://u:****@h:5432/db" },
		{ "postgres://u@h/db", "postgres://u@h/db" },
		{ "postgres://u:@h/db", "postgres://u:****@h/db" },
		{ "postgres://:pw@h", "postgres://:****@h" },
		{ "postgres://h/db", "postgres://h/db" },
		{ "postgres://h:5432/db", "postgres://h:5432/db" },
		{ "postgres://h1:5432,h2:5433/db", "postgres://h1:5432,h2:5433/db" },
		{ "postgres://u:pw@h1:1,h2:2/db", "postgres://u:****@h1:1,h2:2/db" },
		{ "postgres://u:pw@[::1]:5432/db", "postgres://u:****@[::1]:5432/db" },
		{ "postgres://[::1]:5432/db", "postgres://[::1]:5432/db" },
		{ "postgres:///db", "postgres:///db" },
		{ "postgres://", "postgres://" },
		{ "postgres://u:p%40w@h/db", "postgres://u:****@h/db" },

		/* URI: characters that should have been escaped */
		{ "postgres://u:p@w@h/db", "postgres://u:****@h/db" },
		{ "postgres://u:p/w@h/db", "postgres://u:****@h/db" },
		{ "postgres://u:p:w@h/db", "postgres://u:****@h/db" },
		{ "postgres://u:p?w@h/db", "****" },
		{ "postgres://u:pw",
		    "****" }, /* the host is missing: libpq takes pw for a port */
		{ "postgres://u:12pw/db", "****" },

		/* URI: parameters */
		{ "postgres://h/db?password=pw", "postgres://h/db?password=****" },
		{ "postgres://h/db?sslmode=require&password=pw",
		    "postgres://h/db?sslmode=require&password=****" },
		{ "postgres://h/db?password=pw&sslmode=require",
		    "postgres://h/db?password=****&sslmode=require" },
		{ "postgres://h/db?sslpassword=pw", "postgres://h/db?sslpassword=****" },
		{ "postgres://h/db?%70assword=pw", "****" },
		{ "postgres://h/db?Password=pw", "****" },
		{ "postgres://h/db?scram_client_key=k",
		    "postgres://h/db?scram_client_key=****" },
		{ "postgres://h/db?options=-c%20app.key%3Ds",
		    "postgres://h/db?options=****" },
		{ "postgres://h/db?password=a%26b", "postgres://h/db?password=****" },
		{ "postgres://h/db?password=a=b", "postgres://h/db?password=****" },
		{ "postgres://h/db?password=p@w", "****" },
		{ "postgres://h/db?password", "****" },
		{ "postgres://h/db?pw&x=y", "****" },
		{ "postgres://h/db?dbname=postgres://u:pw",
		    "postgres://h/db?dbname=****" },
		{ "postgres://h/db?application_name=x",
		    "postgres://h/db?application_name=x" },
		{ "postgres://h/db?", "postgres://h/db" },

		/* key=value */
		{ "host=h password=pw dbname=db", "host=h password=**** dbname=db" },
		{ "host=h  user=u", "host=h user=u" },
		{ "password = pw", "password=****" },
		{ "password='p w' host=h", "password=**** host=h" },
		{ "password='p\\'w' host=h", "password=**** host=h" },
		{ "password=p\\ w host=h", "password=**** host=h" },
		{ "password= host=h",
		    "password=****" }, /* as libpq: the value is "host=h" */
		{ "password='' host=h", "password=**** host=h" },
		{ "user='a b' host=/run", "user='a b' host=/run" },
		{ "sslpassword=x sslkey=/k", "sslpassword=**** sslkey=/k" },
		{ "PASSWORD=pw", "****" },
		{ "service=prod", "service=prod" },
		{ "user=me@tenant host=h", "user=me@tenant host=h" },
		{ "dbname=postgres://u:pw@h/db", "dbname=****" },
		{ "dbname='postgres://u:pw@h/db'", "dbname=****" },

		/* not understood: nothing is shown */
		{ "password='pw", "****" },
		{ "host=h password", "****" },
		{ "hunter2", "****" },
		{ "mysql://u:pw@h/db", "****" },
		{ "Postgres://u:pw@h/db", "****" },
		{ "=pw", "****" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *shown = conninfo_mask(NULL, rows[i].given);

		assert_string_equal(shown, rows[i].shown);
		talloc_free(shown);
	}
}

/* As a shell prints it that is told to print what it runs. */
static void
test_covered(void **state)
{
	static const struct {
		const char *given;
		const char *covered[3];
	} rows[] = {
		{ "postgres://u@h/db", { NULL } },
		{ "postgres://u:p%40w@h/db", { "p%40w" } },
		{ "postgres://u:pw@h/db?sslpassword=a%26b&sslmode=x&options=o",
		    { "pw", "a%26b", "o" } },
		{ "password='p\\'w' host=h options=-c", { "p\\'w", "-c" } },
		{ "password='", { "password='" } },
		{ "postgres://u:p?w@h/db", { "postgres://u:p?w@h/db" } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		void *ctx = mem_context(NULL, "test");
		size_t n = 99, k = 0;
		const char **covered = conninfo_covered(ctx, rows[i].given, &n);

		for (; k < 3 && rows[i].covered[k]; k++) {
			assert_true(k < n);
			assert_string_equal(covered[k], rows[i].covered[k]);
		}
		assert_int_equal(n, k);
		talloc_free(ctx);
	}
}

/* Whatever comes, in front and behind: the secret is not shown. */
static void
test_secret_is_never_shown(void **state)
{
	static const char *const frames[] = {
		"postgres://u:%s@h/db",
		"postgresql://u:%s@h:1/db?sslmode=require",
		"postgres://h:1/db?password=%s",
		"postgres://u:x@h/db?a=b&sslpassword=%s&sslmode=x",
		"host=h password=%s",
		"host=h password='%s' user=u",
		"password='%s'",
	};
	static const char alphabet[] = "@:/?&=%'\\ #[]";

	(void)state;
	for (size_t f = 0; f < ARRAY_SIZE(frames); f++) {
		for (size_t i = 0; alphabet[i]; i++) {
			for (size_t j = 0; alphabet[j]; j++) {
				char *secret = mem_printf(
				    NULL, "s3c%cr3t%cx9x", alphabet[i], alphabet[j]);
				const char *at = strstr(frames[f], "%s");
				char *given = mem_printf(secret, "%.*s%s%s",
				    (int)(at - frames[f]), frames[f], secret, at + 2);
				const char *shown = conninfo_mask(secret, given);

				assert_null(strstr(shown, "s3c"));
				assert_null(strstr(shown, "cr3t"));
				assert_null(strstr(shown, "x9x"));
				talloc_free(secret);
			}
		}
	}
}

static void
test_long_value(void **state)
{
	char *given = talloc_zero_size(NULL, 5 * BOUND_CONFIG_VALUE);
	char *shown = NULL;

	(void)state;
	memcpy(given, "user=", 5);
	memset(given + 5, 'x', 5 * BOUND_CONFIG_VALUE - 6);
	shown = conninfo_mask(given, given);
	assert_string_equal(shown, "****");
	talloc_free(given);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mask),
		cmocka_unit_test(test_covered),
		cmocka_unit_test(test_secret_is_never_shown),
		cmocka_unit_test(test_long_value),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
