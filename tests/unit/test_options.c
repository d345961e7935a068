/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bounds.h"
#include "base/mem.h"
#include "core/layout.h"
#include "daemon/config.h"
#include "daemon/options.h"
#include "db/tracking.h"

/* A struct config of one's own to put values in. */
static int
set(const void *ctx, const char *name, const char *text, struct config *config,
    struct err *err)
{
	const struct option_row *row = option_find(name);

	assert_non_null(row);
	err_clear(err);
	return option_set(ctx, row, config, text, err);
}

static void
test_rows_are_complete(void **state)
{
	(void)state;
	for (size_t i = 0; i < option_count; i++) {
		const struct option_row *row = &option_table[i];
		void *ctx = mem_context(NULL, "test");
		struct config *config = mem_zero(ctx, struct config);
		struct err err = { 0 };

		assert_int_equal(
		    strspn(row->name, "abcdefghijklmnopqrstuvwxyz_"), strlen(row->name));
		assert_in_range(
		    strlen("MIGRATIOND_") + strlen(row->name), 1, OPTION_NAME - 6);
		assert_ptr_equal(option_find(row->name), row); /* no name twice */
		assert_non_null(option_group(row->group));
		assert_non_null(strchr(option_groups, row->group));
		assert_true(row->help[strlen(row->help) - 1] == '.');
		assert_true((row->type == OPTION_CHOICE) == (row->choices || row->names));
		assert_true(
		    (row->type != OPTION_DURATION && row->type != OPTION_NUMBER) ||
		    row->max > row->min);
		/* a choice or duration has no unset */
		assert_true(row->fallback || row->type == OPTION_STRING ||
		    row->type == OPTION_LIST || (row->flags & OPTION_FLAG_ONLY));
		assert_int_equal(option_set(ctx, row, config, row->fallback, &err), 0);
		if (row->fallback)
			assert_string_equal(option_text(ctx, row, config), row->fallback);
		talloc_free(ctx);
	}
	for (const char *group = option_groups; *group; group++)
		assert_non_null(option_group(*group));
	assert_null(option_group('?'));
}

static void
test_names(void **state)
{
	const struct option_row *row = option_find("database_url");
	char buf[OPTION_NAME];

	(void)state;
	assert_string_equal(option_flag(row, buf, sizeof(buf)), "--database-url");
	assert_string_equal(option_env(row, buf, sizeof(buf)), "MIGRATIOND_DATABASE_URL");
	assert_ptr_equal(option_find_flag("database-url"), row);
	assert_null(option_find_flag("database_url"));
	assert_null(option_find_flag("database"));
	assert_null(option_find_flag(""));
	assert_null(option_find("database-url"));
}

static void
test_nearest(void **state)
{
	static const struct {
		const char *typed;
		const char *meant;
	} rows[] = {
		{ "migration", "migrations" },
		{ "migratoins", "migrations" },
		{ "LAYOT", "layout" },
		{ "log-levle", "log_level" },
		{ "DATABASE", "database_url" },
		{ "token", "token_file" },
		{ "onec", "once" },
		{ "versoin", "version" },
		{ "x", NULL },
		{ "", NULL },
		{ "nosuchoption", NULL },
		{ "nosuchoptionwithanamethatislongerthananythingthatmaybeintheoptiontable",
		    NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *nearest = option_nearest(rows[i].typed);

		if (rows[i].meant) {
			assert_non_null(nearest);
			assert_string_equal(nearest, rows[i].meant);
		} else {
			assert_null(nearest);
		}
	}
}

static void
test_values(void **state)
{
	/* what is shown for a value; NULL: refused */
	static const struct {
		const char *name;
		const char *text;
		const char *shown;
	} rows[] = {
		{ "lock_wait", "0", "0" },
		{ "lock_wait", "1ms", "1ms" },
		{ "lock_wait", "1500ms", "1500ms" },
		{ "lock_wait", "1000ms", "1s" },
		{ "lock_wait", "90s", "90s" },
		{ "lock_wait", "120s", "2min" },
		{ "lock_wait", "60min", "1h" },
		{ "lock_wait", "24h", "1d" },
		{ "lock_wait", "007s", "7s" },
		{ "lock_wait", "7d", "7d" },
		{ "lock_wait", "8d", NULL },
		{ "lock_wait", "0s", "0" },
		{ "lock_wait", "5", NULL },
		{ "lock_wait", "5m", NULL },
		{ "lock_wait", "5 s", NULL },
		{ "lock_wait", " 5s", NULL },
		{ "lock_wait", "+5s", NULL },
		{ "lock_wait", "-5s", NULL },
		{ "lock_wait", "5S", NULL },
		{ "lock_wait", "5s ", NULL },
		{ "lock_wait", "1.5s", NULL },
		{ "lock_wait", "s", NULL },
		{ "lock_wait", "", NULL },
		{ "lock_wait", "9223372036854775807d", NULL },
		{ "lock_wait", "99999999999999999999s", NULL },
		{ "settle", "10ms", "10ms" },
		{ "settle", "9ms", NULL },
		{ "settle", "0", NULL },
		{ "settle", "61s", NULL },
		{ "yield_after", "0", "0" },
		{ "yield_after", "007", "7" },
		{ "yield_after", "10000", "10000" },
		{ "yield_after", "10001", NULL },
		{ "yield_after", "99999999999999999999", NULL },
		{ "yield_after", "", NULL },
		{ "yield_after", "-1", NULL },
		{ "yield_after", "+1", NULL },
		{ "yield_after", " 1", NULL },
		{ "yield_after", "1 ", NULL },
		{ "yield_after", "1.5", NULL },
		{ "yield_after", "many", NULL },
		{ "lock", "auto", "auto" },
		{ "lock", "lease", "lease" },
		{ "lock", "session", NULL },
		{ "journal", "on", "on" },
		{ "journal", "true", "on" },
		{ "journal", "yes", "on" },
		{ "journal", "1", "on" },
		{ "journal", "off", "off" },
		{ "journal", "false", "off" },
		{ "journal", "no", "off" },
		{ "journal", "0", "off" },
		{ "journal", "", NULL },
		{ "journal", "On", NULL },
		{ "journal", "maybe", NULL },
		{ "layout", "auto", "auto" },
		{ "layout", "drizzle", "drizzle" },
		{ "layout", "sequence", "sequence" },
		{ "layout", "", NULL },
		{ "layout", "drizz", NULL },
		{ "layout", "drizzle, sequence", NULL },
		{ "layout", "liquibase", NULL },
		{ "out_of_order", "skip", "skip" },
		{ "out_of_order", "ignore", NULL },
		{ "migrations", "a b", "a b" },
		{ "migrations", "", "" },
		{ "migrations", "a\nb", NULL },
		{ "migrations", "a\x7f", NULL },
		{ "listen", "a:1,b:2", "a:1, b:2" },
		{ "listen", " a:1 , b:2 ,", "a:1, b:2" },
		{ "listen", " , ", "" },
		{ "listen", "", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		void *ctx = mem_context(NULL, "test");
		struct config *config = mem_zero(ctx, struct config);
		struct err err = { 0 };
		int rc = set(ctx, rows[i].name, rows[i].text, config, &err);

		if (rows[i].shown) {
			assert_int_equal(rc, 0);
			assert_string_equal(
			    option_text(ctx, option_find(rows[i].name), config),
			    rows[i].shown);
		} else {
			assert_int_equal(rc, -1);
			assert_int_equal(err.category, CAT_CONFIGURATION);
			assert_int_equal(err_exit_code(&err), EXIT_CONFIGURATION);
		}
		talloc_free(ctx);
	}
}

static void
test_errors_say_what_is_allowed(void **state)
{
	struct config config = { 0 };
	struct err err = { 0 };

	(void)state;
	set(NULL, "log_level", "verbose", &config, &err);
	assert_string_equal(
	    err.text, "\"verbose\" is not allowed: error, warning, info, debug");
	set(NULL, "settle", "2min", &config, &err);
	assert_string_equal(err.text,
	    "\"2min\" is not allowed: a whole number with ms, s, min, h or d, "
	    "from 10ms to 1min");
	set(NULL, "tracking", "liquibase", &config, &err);
	assert_non_null(
	    strstr(err.text, "\"liquibase\" is not allowed: auto, drizzle, drizzle1, "));
	set(NULL, "yield_after", "many", &config, &err);
	assert_string_equal(
	    err.text, "\"many\" is not allowed: a whole number from 0 to 10000");
	set(NULL, "journal", "maybe", &config, &err);
	assert_string_equal(err.text, "\"maybe\" is not allowed: on, off");
}

static void
test_long_value_is_refused(void **state)
{
	char *text = talloc_zero_size(NULL, BOUND_CONFIG_VALUE + 2);
	struct config config = { 0 };
	struct err err = { 0 };

	(void)state;
	memset(text, 'x', BOUND_CONFIG_VALUE + 1);
	assert_int_equal(set(text, "migrations", text, &config, &err), -1);
	assert_non_null(strstr(err.text, "longer than 8192 bytes"));
	text[BOUND_CONFIG_VALUE] = '\0';
	assert_int_equal(set(text, "migrations", text, &config, &err), 0);
	assert_string_equal(config.migrations, text);
	talloc_free(text);
}

static void
test_list_of_elements(void **state)
{
	static const char *const texts[] = { "a:1", "", "b,c" };
	const struct option_row *row = option_find("listen");
	void *ctx = mem_context(NULL, "test");
	struct config config = { 0 };
	struct err err = { 0 };

	(void)state;
	assert_int_equal(option_set_list(ctx, row, &config, texts, 3, &err), 0);
	assert_string_equal(config.listen[0], "a:1");
	assert_string_equal(config.listen[1], "b,c");
	assert_null(config.listen[2]);
	assert_int_equal(option_set_list(ctx, row, &config, texts + 1, 1, &err), 0);
	assert_null(config.listen);
	assert_int_equal(
	    option_set_list(ctx, row, &config, (const char *[]){ "a\tb" }, 1, &err), -1);
	talloc_free(ctx);
}

/* Every name that a module offers can be chosen, and means that module's row. */
static void
test_choices_of_other_modules(void **state)
{
	void *ctx = mem_context(NULL, "test");
	struct config config = { 0 };
	struct err err = { 0 };
	char *allowed = NULL;

	(void)state;
	allowed = option_allowed(ctx, option_find("layout"));
	assert_string_equal(
	    allowed, mem_printf(ctx, "auto, %s", names_list(ctx, layout_name)));
	allowed = option_allowed(ctx, option_find("tracking"));
	assert_string_equal(
	    allowed, mem_printf(ctx, "auto, %s", names_list(ctx, tracking_name)));
	set(ctx, "tracking", "schema_migrations", &config, &err);
	assert_ptr_equal(
	    tracking_find(option_text(ctx, option_find("tracking"), &config)),
	    &tracking_schema_migrations);
	talloc_free(ctx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows_are_complete),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_nearest),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_errors_say_what_is_allowed),
		cmocka_unit_test(test_long_value_is_refused),
		cmocka_unit_test(test_list_of_elements),
		cmocka_unit_test(test_choices_of_other_modules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
