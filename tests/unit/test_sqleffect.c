/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/macros.h"
#include "core/sqleffect.h"

static const struct {
	const char *sql;
	enum sqleffect_kind kind;
	bool gone;
	const char *schema;
	const char *name;
	const char *part;
} rows[] = {
	{ "CREATE TABLE app.t (id int)", SQLEFFECT_RELATION, false, "app", "t", "" },
	{ "create view V as select 1", SQLEFFECT_RELATION, false, "", "v", "" },
	{ "CREATE SEQUENCE s CACHE 1", SQLEFFECT_RELATION, false, "", "s", "" },
	{ "CREATE TABLE IF NOT EXISTS t (id int)", SQLEFFECT_HARMLESS, false, "", "",
	    "" },
	{ "CREATE OR REPLACE FUNCTION f() ...", SQLEFFECT_HARMLESS, false, "", "", "" },
	{ "CREATE SCHEMA app", SQLEFFECT_SCHEMA, false, "", "app", "" },
	{ "CREATE SCHEMA AUTHORIZATION joe", SQLEFFECT_UNKNOWN, false, "", "", "" },
	{ "CREATE DOMAIN d AS text", SQLEFFECT_TYPE, false, "", "d", "" },
	{ "CREATE FUNCTION f() ...", SQLEFFECT_UNKNOWN, false, "", "", "" },
	{ "DROP TABLE app.t", SQLEFFECT_RELATION, true, "app", "t", "" },
	{ "DROP MATERIALIZED VIEW v", SQLEFFECT_RELATION, true, "", "v", "" },
	{ "DROP TABLE IF EXISTS t", SQLEFFECT_HARMLESS, true, "", "", "" },
	{ "DROP TABLE a, b", SQLEFFECT_UNKNOWN, true, "", "a", "" },
	{ "DROP FUNCTION f()", SQLEFFECT_UNKNOWN, true, "", "", "" },
	{ "ALTER TABLE s.t ADD COLUMN c int", SQLEFFECT_COLUMN, false, "s", "t", "c" },
	{ "ALTER TABLE ONLY t ADD c numeric(3, 1)", SQLEFFECT_COLUMN, false, "", "t",
	    "c" },
	{ "ALTER TABLE t ADD COLUMN IF NOT EXISTS c int", SQLEFFECT_HARMLESS, false, "",
	    "t", "" },
	{ "ALTER TABLE t ADD a int, ADD b int", SQLEFFECT_UNKNOWN, false, "", "t", "" },
	{ "ALTER TABLE t ADD CONSTRAINT k CHECK (x IN (1, 2)) NOT VALID",
	    SQLEFFECT_CONSTRAINT, false, "", "t", "k" },
	{ "ALTER TABLE t ADD CHECK (x > 0) NOT VALID", SQLEFFECT_UNKNOWN, false, "", "t",
	    "" },
	{ "ALTER TABLE t DROP COLUMN c", SQLEFFECT_COLUMN, true, "", "t", "c" },
	{ "ALTER TABLE t DROP c", SQLEFFECT_COLUMN, true, "", "t", "c" },
	{ "ALTER TABLE t DROP COLUMN IF EXISTS c", SQLEFFECT_HARMLESS, true, "", "t",
	    "" },
	{ "ALTER TABLE t DROP CONSTRAINT k", SQLEFFECT_CONSTRAINT, true, "", "t", "k" },
	{ "ALTER TABLE t ALTER COLUMN c SET DEFAULT 1", SQLEFFECT_HARMLESS, false, "",
	    "t", "" },
	{ "ALTER TABLE t ALTER c DROP NOT NULL", SQLEFFECT_HARMLESS, false, "", "t", "" },
	{ "ALTER TABLE t ALTER c TYPE int USING c + 1", SQLEFFECT_UNKNOWN, false, "", "t",
	    "" },
	{ "ALTER TABLE t ALTER c SET DATA TYPE int", SQLEFFECT_UNKNOWN, false, "", "t",
	    "" },
	{ "ALTER TABLE t ALTER 'c'", SQLEFFECT_UNKNOWN, false, "", "t", "" },
	{ "ALTER TABLE t RENAME TO u", SQLEFFECT_RELATION, false, "", "u", "" },
	{ "ALTER TABLE t RENAME TO 'u'", SQLEFFECT_UNKNOWN, false, "", "t", "" },
	{ "ALTER TABLE t RENAME COLUMN a TO b", SQLEFFECT_COLUMN, false, "", "t", "b" },
	{ "ALTER TABLE t RENAME a TO b", SQLEFFECT_COLUMN, false, "", "t", "b" },
	{ "ALTER TABLE t RENAME CONSTRAINT a TO b", SQLEFFECT_CONSTRAINT, false, "", "t",
	    "b" },
	{ "ALTER TABLE t OWNER TO joe", SQLEFFECT_HARMLESS, false, "", "t", "" },
	{ "ALTER TABLE ASYNC t VALIDATE CONSTRAINT k", SQLEFFECT_HARMLESS, false, "", "t",
	    "" },
	{ "ALTER TABLE async ADD c int", SQLEFFECT_COLUMN, false, "", "async", "c" },
	{ "ALTER TABLE t SET SCHEMA s", SQLEFFECT_UNKNOWN, false, "", "t", "" },
	{ "ALTER TABLE 't'", SQLEFFECT_UNKNOWN, false, "", "", "" },
	{ "GRANT SELECT ON t TO joe", SQLEFFECT_HARMLESS, false, "", "", "" },
	{ "COMMENT ON TABLE t IS 'x'", SQLEFFECT_HARMLESS, false, "", "", "" },
	{ "ALTER ROLE joe LOGIN", SQLEFFECT_UNKNOWN, false, "", "", "" },
	{ "", SQLEFFECT_UNKNOWN, false, "", "", "" },
};

static void
test_effects(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct sqleffect effect;

		print_message("%s\n", rows[i].sql);
		sqleffect_of(rows[i].sql, strlen(rows[i].sql), &effect);
		assert_int_equal(effect.kind, rows[i].kind);
		assert_int_equal(effect.gone, rows[i].gone);
		if (effect.kind == SQLEFFECT_UNKNOWN || effect.kind == SQLEFFECT_HARMLESS)
			continue;
		assert_string_equal(effect.schema, rows[i].schema);
		assert_string_equal(effect.name, rows[i].name);
		assert_string_equal(effect.part, rows[i].part);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_effects),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
