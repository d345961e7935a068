/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"
#include "base/mem.h"
#include "db/pgconn_info.h"

static const char *
setting(const struct pgconn_info *info, const char *keyword)
{
	for (size_t i = 0; i < info->n_settings; i++)
		if (strcmp(info->keywords[i], keyword) == 0)
			return info->values[i];
	return NULL;
}

static int
set_up(void **state)
{
	static const char *const names[] = { "PGHOST", "PGHOSTADDR", "PGPORT",
		"PGDATABASE", "PGSERVICE", "PGSERVICEFILE", "PGPASSWORD", "PGAPPNAME" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_int_equal(unsetenv(names[i]), 0);
	return setenv("PGUSER", "me", 1);
}

static void
test_describe(void **state)
{
	static const struct {
		const char *conninfo;
		const char *describe;
	} rows[] = {
		{ "postgresql://bob:pw@db.example:6543/app",
		    "db.example:6543/app as bob" },
		{ "postgres://bob@db.example/app", "db.example:5432/app as bob" },
		{ "postgresql://bob:a%40b%2Fc@[::1]:1/app", "::1:1/app as bob" },
		{ "postgresql://bob:p?w#x@db.example/app", "db.example:5432/app as bob" },
		{ "postgresql://a,b:2/app?user=bob", "a:5432,b:2/app as bob" },
		{ "postgresql:///app?host=/run&port=7", "socket /run:7/app as me" },
		{ "host=/run user=bob password='a b'", "socket /run:5432/bob as bob" },
		{ "host=a,/run,@x port=1,2,3 dbname=app",
		    "a:1,socket /run:2,socket @x:3/app as me" },
		{ "", "socket (default):5432/me as me" },
		{ NULL, "socket (default):5432/me as me" },
	};
	void *ctx = mem_context(NULL, "test");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct pgconn_info *info = NULL;
		struct err err = { 0 };

		assert_int_equal(
		    pgconn_info_read(ctx,
			&(struct pgconn_params){ .conninfo = rows[i].conninfo }, &info,
			&err),
		    0);
		assert_string_equal(info->describe, rows[i].describe);
	}
	talloc_free(ctx);
}

/* Another database of the same server, for people too. */
static void
test_other_database(void **state)
{
	static const char *const rows[] = { "postgresql://bob@a:1/app",
		"host=a port=1 user=bob", "host=a port=1 user=bob dbname=app" };
	void *ctx = mem_context(NULL, "test");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct pgconn_params params = { .conninfo = rows[i],
			.database = "scratch" };
		struct pgconn_info *info = NULL;
		struct err err = { 0 };

		assert_int_equal(pgconn_info_read(ctx, &params, &info, &err), 0);
		assert_string_equal(setting(info, "dbname"), "scratch");
		assert_string_equal(info->describe, "a:1/scratch as bob");
	}
	talloc_free(ctx);
}

/*
 * What cannot be read, and what was read in another way than meant: not a word of it is
 * repeated.
 */
static void
test_unreadable(void **state)
{
	static const char *const rows[] = {
		"hidden",
		"host=x hidden",
		"host='hidden",
		"hidden=1",
		"postgresql://bob:hid/den@db.example/app",
		"postgresql://bob:12/hidden@db.example/app",
		"postgresql://bob:hid@den@db.example/app",
		"postgresql://bob:%zzhidden@db.example/app",
		"postgresql://bob@db.example:hidden/app",
		"postgresql://[::1/hidden",
		"postgresql://db.example/app?hidden=1",
	};
	void *ctx = mem_context(NULL, "test");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct pgconn_info *info = NULL;
		struct err err = { 0 };

		assert_int_equal(
		    pgconn_info_read(
			ctx, &(struct pgconn_params){ .conninfo = rows[i] }, &info, &err),
		    -1);
		assert_null(info);
		assert_int_equal(err.category, CAT_CONFIGURATION);
		assert_string_equal(err.text, "the connection string cannot be read");
		assert_non_null(strstr(err.hint, "%40"));
		assert_null(strstr(err.hint, "hid"));
	}
	talloc_free(ctx);
}

static void
test_settings(void **state)
{
	static const struct pgconn_params params = {
		.conninfo = "host=a password=old keepalives_idle=60 sslmode=require",
		.password = "new",
		.application_name = "migrationd",
	};
	void *ctx = mem_context(NULL, "test");
	struct pgconn_info *info = NULL;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(pgconn_info_read(ctx, &params, &info, &err), 0);
	assert_string_equal(setting(info, "password"), "new");
	assert_string_equal(setting(info, "fallback_application_name"), "migrationd");
	assert_string_equal(setting(info, "client_encoding"), "UTF8");
	assert_string_equal(setting(info, "sslmode"), "require");
	assert_string_equal(setting(info, "keepalives_idle"), "60");
	assert_string_equal(setting(info, "keepalives_interval"), "2");
	assert_string_equal(setting(info, "keepalives_count"), "3");
	assert_null(setting(info, "hostaddr"));
	assert_true(info->own_user_timeout);
	assert_null(info->keywords[info->n_settings]);
	assert_null(info->values[info->n_settings]);

	pgconn_info_set(info, "host", "b");
	pgconn_info_set(info, "hostaddr", "192.0.2.1");
	assert_string_equal(setting(info, "host"), "b");
	assert_string_equal(setting(info, "hostaddr"), "192.0.2.1");
	talloc_free(ctx);
}

static void
test_hosts(void **state)
{
	static const struct {
		const char *conninfo;
		size_t n_hosts;
	} rows[] = {
		{ "", 1 },
		{ "host=a", 1 },
		{ "host=a,b,c", 3 },
		{ "host=a,b port=1,2", 2 },
		{ "host=a,b port=1,2,3", 0 },
		{ "host=a hostaddr=192.0.2.1", 0 },
		{ "service=prod", 0 },
	};
	void *ctx = mem_context(NULL, "test");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct pgconn_info *info = NULL;
		struct err err = { 0 };

		assert_int_equal(
		    pgconn_info_read(ctx,
			&(struct pgconn_params){ .conninfo = rows[i].conninfo }, &info,
			&err),
		    0);
		assert_int_equal(info->n_hosts, rows[i].n_hosts);
	}
	talloc_free(ctx);
}

static void
test_environment(void **state)
{
	static const struct pgconn_params params = { .conninfo = "port=7" };
	void *ctx = mem_context(NULL, "test");
	struct pgconn_info *info = NULL;
	struct err err = { 0 };

	(void)state;
	assert_int_equal(setenv("PGHOST", "db.example", 1), 0);
	assert_int_equal(setenv("PGPORT", "6", 1), 0);
	assert_int_equal(setenv("PGDATABASE", "app", 1), 0);
	assert_int_equal(pgconn_info_read(ctx, &params, &info, &err), 0);
	assert_string_equal(info->describe, "db.example:7/app as me");
	assert_int_equal(info->n_hosts, 1);
	assert_string_equal(info->hosts[0].name, "db.example");
	assert_string_equal(info->hosts[0].port, "7");

	assert_int_equal(setenv("PGHOSTADDR", "192.0.2.1", 1), 0);
	assert_int_equal(pgconn_info_read(ctx, &params, &info, &err), 0);
	assert_int_equal(info->n_hosts, 0);
	talloc_free(ctx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_describe, set_up),
		cmocka_unit_test_setup(test_other_database, set_up),
		cmocka_unit_test_setup(test_unreadable, set_up),
		cmocka_unit_test_setup(test_settings, set_up),
		cmocka_unit_test_setup(test_hosts, set_up),
		cmocka_unit_test_setup(test_environment, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
