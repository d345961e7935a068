/* SPDX-License-Identifier: PostgreSQL */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"
#include "core/directive.h"

/* Read from exactly as many bytes on the heap, which a sanitizer guards. */
static int
read_text(const char *text, struct directives *out, struct err *err)
{
	size_t len = strlen(text);
	char *copy = test_malloc(len > 0 ? len : 1);
	int rc;

	memcpy(copy, text, len);
	rc = directive_read(copy, len, out, err);
	test_free(copy);
	return rc;
}

/* "none 1000 -1 late": the transaction, both timeouts, whether it may be out of order. */
static const char *
show(const struct directives *directives, char *buf, size_t size)
{
	static const char *const words[] = {
		[DIRECTIVE_AUTO] = "auto",
		[DIRECTIVE_TRANSACTION] = "one",
		[DIRECTIVE_NO_TRANSACTION] = "none",
	};

	snprintf(buf, size, "%s %" PRId64 " %" PRId64 "%s",
	    words[directives->transaction], directives->lock_timeout_ms,
	    directives->statement_timeout_ms, directives->out_of_order ? " late" : "");
	return buf;
}

static void
test_directives(void **state)
{
	static const struct {
		const char *text;
		const char *expected;
	} rows[] = {
		{ "", "auto -1 -1" },
		{ "SELECT 1", "auto -1 -1" },
		{ "-- nothing of ours\nSELECT 1", "auto -1 -1" },
		{ "-- migrationd: no-transaction\nVACUUM", "none -1 -1" },
		{ "-- migrationd: transaction\nSELECT 1", "one -1 -1" },
		{ "-- migrationd: lock-timeout=10s", "auto 10000 -1" },
		{ "-- migrationd: statement-timeout = 5min \r\n", "auto -1 300000" },
		{ "-- migrationd: lock-timeout=0", "auto 0 -1" },
		{ "-- migrationd: lock-timeout=24d", "auto 2073600000 -1" },
		{ "-- migrationd: out-of-order", "auto -1 -1 late" },
		{ "--MigrationD:no-transaction", "none -1 -1" },
		{ "/* migrationd: no-transaction */ SELECT 1", "none -1 -1" },
		{ "; -- one\n\n-- migrationd: no-transaction\n"
		  "-- migrationd: lock-timeout=1s\n-- migrationd: statement-timeout=2s\n"
		  "-- migrationd: out-of-order\n-- migrationd: lock-timeout=1000ms\n"
		  "-- migrationd: no-transaction\nSELECT 1",
		    "none 1000 2000 late" },
		/* no directives */
		{ "-- for migrationd: this table is large\nSELECT 1", "auto -1 -1" },
		{ "-- migrationd no-transaction\nSELECT 1", "auto -1 -1" },
		{ "SELECT 1; SELECT '-- migrationd: no-transaction';", "auto -1 -1" },
		{ "SELECT 1 -- migrationd: inside\n;", "auto -1 -1" },
		{ "SELECT 1; -- +goose StatementEnd\n-- is for migrationd: no\n",
		    "auto -1 -1" },
		{ "COPY t FROM stdin;\n-- migrationd: data\n\\.\n", "auto -1 -1" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct directives got;
		struct err err = { 0 };
		char shown[100];

		if (read_text(rows[i].text, &got, &err) < 0)
			fail_msg("%s: %s", rows[i].text, err.text);
		if (strcmp(show(&got, shown, sizeof(shown)), rows[i].expected) != 0)
			fail_msg("%s: %s", rows[i].text, shown);
	}
}

static void
test_batches(void **state)
{
	static const struct {
		const char *text;
		unsigned size;
		int64_t pause_ms;
		const char *count;
		const char *error; /* NULL: it is right */
	} rows[] = {
		{ "-- migrationd: batch\n", 0, 0, "", NULL },
		{ "-- migrationd: batch size=500", 500, 0, "", NULL },
		{ "-- migrationd: batch  pause=50ms\tsize=10000000 \r\n", 10000000, 50,
		    "", NULL },
		{ "-- migrationd: batch pause=0\n"
		  "-- migrationd: batch-count  SELECT count(*) FROM t; \n",
		    0, 0, "SELECT count(*) FROM t;", NULL },
		{ "-- migrationd: batch size=0", 0, 0, "", "from 1 to 10000000" },
		{ "-- migrationd: batch size=10000001", 0, 0, "", "from 1 to" },
		{ "-- migrationd: batch size=1k", 0, 0, "", "from 1 to" },
		{ "-- migrationd: batch size=", 0, 0, "", "from 1 to" },
		{ "-- migrationd: batch pause=soon", 0, 0, "", "not a duration" },
		{ "-- migrationd: batch rows=5", 0, 0, "", "unknown word \"rows=5\"" },
		{ "-- migrationd: batches", 0, 0, "", "unknown directive" },
		{ "-- migrationd: batch-count", 0, 0, "", "unknown directive" },
		{ "\n-- migrationd: batch-count SELECT 1", 0, 0, "", "without batch" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *text = rows[i].text;
		struct directives got;
		struct err err = { 0 };
		int rc = directive_read(text, strlen(text), &got, &err);

		if (rows[i].error != NULL) {
			assert_int_equal(rc, -1);
			assert_non_null(strstr(err.text, rows[i].error));
			assert_int_equal(err.line, 1 + (text[0] == '\n'));
			continue;
		}
		assert_int_equal(rc, 0);
		assert_true(got.batch);
		assert_int_equal(got.batch_size, rows[i].size);
		assert_int_equal(got.batch_pause_ms, rows[i].pause_ms);
		assert_int_equal(got.batch_count_len, strlen(rows[i].count));
		if (got.batch_count != NULL)
			assert_memory_equal(
			    got.batch_count, rows[i].count, got.batch_count_len);
	}
}

static void
test_as_other_tools_write_them(void **state)
{
	static const struct {
		const char *text;
		bool no_transaction;
	} rows[] = {
		{ "-- no-transaction\nSELECT 1", true },
		{ "-- no-transaction", true },
		{ "-- no-transaction for the index\n", true },
		{ "\n-- no-transaction\n", false },
		{ "-- sqlx\n-- no-transaction\n", false },
		{ "-- no-transactions please\n", false },
		{ "-- +goose Up\n-- +goose NO TRANSACTION\nSELECT 1", true },
		{ "-- +goose Up\nSELECT 1", false },
		{ "-- migrate:up transaction:false\nSELECT 1", true },
		{ "-- migrate:up\nSELECT 1", false },
		{ "-- migrate:up transaction:true\nSELECT 1", false },
		{ "---- tern: disable-tx ----\nSELECT 1", true },
		{ "---- tern: other ----\nSELECT 1", false },
		{ "--! no-transaction\nSELECT 1", true },
		{ "SELECT 1;\n--! no-transaction\n", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct directives got;
		struct err err = { 0 };

		assert_int_equal(read_text(rows[i].text, &got, &err), 0);
		if ((got.transaction == DIRECTIVE_NO_TRANSACTION) !=
		    rows[i].no_transaction)
			fail_msg("%s", rows[i].text);
	}
}

static void
test_errors(void **state)
{
	static const struct {
		const char *text;
		const char *message;
		unsigned line;
		bool hint;
	} rows[] = {
		{ "-- migrationd: no-transactoin\n",
		    "unknown directive \"no-transactoin\"", 1, true },
		{ "-- a\n\n-- migrationd: no-transaction lock-timeout=1s\n",
		    "unknown directive \"no-transaction lock-timeout=1s\"", 3, true },
		{ "-- migrationd:", "unknown directive \"\"", 1, true },
		{ "-- migrationd: lock-timeout", "unknown directive \"lock-timeout\"", 1,
		    true },
		{ "-- migrationd: NO-TRANSACTION", "unknown directive \"NO-TRANSACTION\"",
		    1, true },
		{ "\n-- migrationd: lock-timeout=10", "lock-timeout=10 is not a duration",
		    2, true },
		{ "-- migrationd: statement-timeout=",
		    "statement-timeout= is not a duration", 1, true },
		{ "-- migrationd: statement-timeout=25d",
		    "statement-timeout=25d is not a duration", 1, true },
		{ "-- migrationd: lock-timeout=1111111111111111111111111111111111111s",
		    "lock-timeout=1111111111111111111111111111111 is not a duration", 1,
		    true },
		{ "-- migrationd: lock-timeout=1s\n-- migrationd: lock-timeout=2s\n",
		    "lock-timeout is said twice, and differently", 2, false },
		{ "-- migrationd: transaction\n-- migrationd: no-transaction\n",
		    "the file asks for a transaction, and for none", 2, false },
		{ "-- no-transaction\n-- migrationd: transaction\n",
		    "the file asks for a transaction, and for none", 2, false },
		{ "SELECT 1;\nSELECT 2; -- migrationd: no-transaction\n",
		    "a directive stands behind the first statement", 2, true },
		{ "SELECT 1;\n-- migrationd: no-transaction\nSELECT 2;",
		    "a directive stands behind the first statement", 2, true },
		{ "SELECT 1\n-- migrationd: no-transaction",
		    "a directive stands behind the first statement", 2, true },
		{ "COPY t FROM stdin;\n\\.\n-- migrationd: no-transaction",
		    "a directive stands behind the first statement", 3, true },
		/* files that hold their undoing */
		{ "-- +goose Up\nSELECT 1;\n-- +goose Down\nSELECT 2;",
		    "the way back begins here, and would be run with the rest", 3, true },
		{ "-- migrate:up\nSELECT 1;\n\n-- migrate:down\n",
		    "the way back begins here, and would be run with the rest", 4, true },
		{ "SELECT 1;\n---- create above / drop below ----\nSELECT 2;",
		    "the way back begins here, and would be run with the rest", 2, true },
		{ "-- migrate:down\nSELECT 2;",
		    "the way back begins here, and would be run with the rest", 1, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct directives got;
		struct err err = { 0 };

		assert_int_equal(read_text(rows[i].text, &got, &err), -1);
		assert_int_equal(err.category, CAT_SQL_SYNTAX_ERROR);
		assert_string_equal(err.text, rows[i].message);
		assert_int_equal(err.line, rows[i].line);
		assert_int_equal(err.hint[0] != '\0', rows[i].hint);
		if (strstr(rows[i].text, "+goose Down"))
			assert_non_null(strstr(err.hint, "layout = goose"));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_directives),
		cmocka_unit_test(test_batches),
		cmocka_unit_test(test_as_other_tools_write_them),
		cmocka_unit_test(test_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
