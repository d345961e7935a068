/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "ctl/args.h"

#define WORDS 8

/* A command line; `argc` is where it ends. */
static int
parse(const void *ctx, const char *const words[WORDS], struct args *args, struct err *err)
{
	char *argv[WORDS + 2] = { (char[]){ "migrationctl" } };
	int argc = 1;

	for (; argc <= WORDS && words[argc - 1]; argc++)
		argv[argc] = mem_strdup(ctx, words[argc - 1]);
	return args_parse(ctx, argc, argv, args, err);
}

static void
test_right(void **state)
{
	static const struct {
		const char *words[WORDS];
		const char *command;
		const char *operand; /* the first */
		const char *flag;    /* that has the value */
		const char *value;
		const char *setting; /* the first that is passed on */
	} rows[] = {
		{ { "status" }, "status", NULL, "json", NULL, NULL },
		{ { "--json", "status" }, "status", NULL, "json", "", NULL },
		{ { "--server", "apply", "status" }, "status", NULL, "server", "apply",
		    NULL },
		{ { "apply", "--target", "0043" }, "apply", NULL, "target", "0043",
		    NULL },
		{ { "--target", "0043", "apply" }, "apply", NULL, "target", "0043",
		    NULL },
		{ { "--dry-run", "apply" }, "apply", NULL, "dry-run", "", NULL },
		{ { "apply", "--target=a=b" }, "apply", NULL, "target", "a=b", NULL },
		{ { "apply", "--target=1", "--target=2" }, "apply", NULL, "target", "2",
		    NULL },
		{ { "show", "0043" }, "show", "0043", NULL, NULL, NULL },
		{ { "show", "-" }, "show", "-", NULL, NULL, NULL },
		{ { "create", "--", "--x" }, "create", "--x", NULL, NULL, NULL },
		{ { "--", "create", "-x" }, "create", "-x", NULL, NULL, NULL },
		{ { "cancel" }, "cancel", NULL, "now", NULL, NULL },
		{ { "wait", "--timeout", "5min" }, "wait", NULL, "timeout", "5min",
		    NULL },
		{ { "history", "--limit", "7" }, "history", NULL, "limit", "7", NULL },
		{ { "--migrations", "list", "list" }, "list", NULL, NULL, NULL,
		    "--migrations=list" },
		{ { "list", "--migrations=x" }, "list", NULL, NULL, NULL,
		    "--migrations=x" },
		{ { "--ephemeral", "list" }, "list", NULL, NULL, NULL, "--ephemeral" },
		{ { "list", "--journal=off" }, "list", NULL, NULL, NULL,
		    "--journal=off" },
		{ { "list", "--config", "f" }, "list", NULL, NULL, NULL, "--config=f" },
		{ { "list", "--token-file", "f" }, "list", NULL, "token-file", "f",
		    "--token-file=f" },
		{ { "--help" }, NULL, NULL, "help", "", NULL },
		{ { "show", "--help" }, "show", NULL, "help", "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		void *ctx = mem_context(NULL, "test");
		struct err err = { 0 };
		struct args args;
		const char *operand, *value;

		assert_int_equal(parse(ctx, rows[i].words, &args, &err), 0);
		assert_string_equal(args.command ? args.command->name : "",
		    rows[i].command ? rows[i].command : "");
		operand = args_operand(&args, 0);
		assert_string_equal(operand ? operand : "none",
		    rows[i].operand ? rows[i].operand : "none");
		value = rows[i].flag ? args_text(&args, rows[i].flag) : NULL;
		assert_string_equal(
		    value ? value : "none", rows[i].value ? rows[i].value : "none");
		assert_string_equal(args.settings[0], "migrationctl");
		assert_int_equal(args.n_settings, rows[i].setting ? 2 : 1);
		if (rows[i].setting)
			assert_string_equal(args.settings[1], rows[i].setting);
		talloc_free(ctx);
	}
}

static void
test_wrong(void **state)
{
	static const struct {
		const char *words[WORDS];
		const char *text;
		const char *hint; /* a part of it */
	} rows[] = {
		{ { NULL }, "no command", "migrationctl --help" },
		{ { "stauts" }, "there is no command stauts", "mean status?" },
		{ { "frobnicate" }, "there is no command frobnicate",
		    "migrationctl --help" },
		{ { "status", "--jsn" }, "status has no flag --jsn", "mean --json?" },
		{ { "status", "--migratons" }, "status has no flag --migratons",
		    "mean --migrations?" },
		{ { "status", "--target", "1" }, "status has no flag --target", "" },
		{ { "--token", "s3cret", "apply" }, "there is no flag --token",
		    "--token-file?" },
		{ { "--target", "1", "--toekn=s3cret", "aply" },
		    "there is no flag --toekn", "" },
		{ { "--nix" }, "there is no flag --nix", "migrationctl --help" },
		{ { "status", "-x" },
		    "there is no flag -x: all of them begin with two dashes", "" },
		{ { "status", "--json=yes" }, "--json takes no value", "status --help" },
		{ { "apply", "--target" }, "--target needs a value", "apply --help" },
		{ { "apply", "--target", "--json" }, "--target needs a value", "" },
		{ { "apply", "--migrations" }, "--migrations needs a value", "" },
		{ { "wait", "--timeout", "soon" },
		    "--timeout: \"soon\" is no duration, as 30s or 5min", "" },
		{ { "history", "--limit", "0" }, "--limit: \"0\" is no number from 1 on",
		    "" },
		{ { "history", "--limit", "1x" },
		    "--limit: \"1x\" is no number from 1 on", "" },
		{ { "show" }, "show needs ID", "show --help" },
		{ { "show", "a", "b" }, "there is nothing to do with \"b\"", "" },
		{ { "status", "now" }, "there is nothing to do with \"now\"", "" },
		{ { "completion", "csh" }, "\"csh\" is none of bash|zsh|fish", "" },
		{ { "repair", "0043", "mend" },
		    "\"mend\" is none of retry|applied|pending|checksum|forget", "" },
		{ { "status", "--once" }, "status has no flag --once", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		void *ctx = mem_context(NULL, "test");
		struct err err = { 0 };
		struct args args;

		assert_int_equal(parse(ctx, rows[i].words, &args, &err), -1);
		assert_string_equal(err.text, rows[i].text);
		assert_non_null(strstr(err.hint, rows[i].hint));
		assert_int_equal(err_exit_code(&err), EXIT_USAGE);
		talloc_free(ctx);
	}
}

/* Left out of the request it would be another request. */
static void
test_what_no_request_can_carry(void **state)
{
	static char long_text[ARGS_BYTES + 2];
	const struct {
		const char *words[WORDS];
		const char *text;
	} rows[] = {
		{ { "apply", "--target", "0001\xff" }, "--target is not valid UTF-8" },
		{ { "apply", "--target=\xc3" }, "--target is not valid UTF-8" },
		{ { "apply", "--target", long_text },
		    "--target is longer than 4096 bytes" },
		{ { "baseline", "0001\xff" }, "ID is not valid UTF-8" },
		{ { "rollback", long_text }, "ID is longer than 4096 bytes" },
	};

	(void)state;
	memset(long_text, 'x', sizeof(long_text) - 1);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		void *ctx = talloc_new(NULL);
		struct args args;
		struct err err = { 0 };

		assert_int_equal(parse(ctx, rows[i].words, &args, &err), -1);
		assert_string_equal(err.text, rows[i].text);
		assert_int_equal(err.exit_code, EXIT_USAGE);
		talloc_free(ctx);
	}
}

static void
test_durations(void **state)
{
	static const char *const words[WORDS] = { "wait", "--timeout=2min" };
	void *ctx = mem_context(NULL, "test");
	struct err err = { 0 };
	struct args args;

	(void)state;
	assert_int_equal(parse(ctx, words, &args, &err), 0);
	assert_int_equal(args_ms(&args, "timeout", 5), 120000);
	assert_int_equal(args_ms(&args, "wait", 5), 5);
	assert_false(args_has(&args, "wait"));
	assert_null(args_operand(&args, 7));
	talloc_free(ctx);
}

/* A flag that stands before its command is known by its name alone. */
static void
assert_same_type(const struct ctl_flag *flags, const struct ctl_flag *flag)
{
	for (; flags && flags->name; flags++) {
		if (strcmp(flags->name, flag->name) == 0)
			assert_int_equal(flags->type, flag->type);
	}
}

/* What the tables must hold for parser, help and completion to be right. */
static void
test_tables(void **state)
{
	(void)state;
	for (size_t i = 0; i < ctl_command_count; i++) {
		const struct ctl_command *command = &ctl_commands[i];
		const struct ctl_flag *flag = command->flags;

		assert_ptr_equal(ctl_command_find(command->name), command);
		assert_non_null(command->run);
		for (; flag && flag->name; flag++) {
			assert_int_equal(
			    flag->type == CTL_SWITCH, flag->argument == NULL);
			assert_non_null(flag->help);
			for (size_t j = 0; ctl_flags[j].name; j++)
				assert_string_not_equal(ctl_flags[j].name, flag->name);
			for (size_t j = 0; j < i; j++)
				assert_same_type(ctl_commands[j].flags, flag);
		}
	}
}

static void
test_operands(void **state)
{
	const struct ctl_command *repair = ctl_command_find("repair");
	const char *word;
	bool optional;

	(void)state;
	assert_int_equal(ctl_operand(repair, 0, &word, &optional), strlen("MIGRATION"));
	assert_true(optional);
	assert_int_equal(ctl_operand(repair, 1, &word, &optional),
	    strlen("retry|applied|pending|checksum|forget"));
	assert_int_equal(strncmp(word, "retry", 5), 0);
	assert_int_equal(ctl_operand(repair, 2, &word, &optional), 0);
	assert_true(ctl_is_list("a|b", 3));
	assert_false(ctl_is_list("URL|unix:PATH", 13));
	assert_false(ctl_is_list("ab", 2));
	assert_true(ctl_list_has("ab|c", 4, "c"));
	assert_false(ctl_list_has("ab|c", 4, "a"));
}

static void
test_program(void **state)
{
	static const struct {
		const char *words[WORDS];
		const char *program;
	} rows[] = {
		{ { "status" }, "migrationctl" },
		{ { "status", "--json", "--wait", "30s" }, "migrationctl" },
		{ { "--server", "db1:8432", "--server", "db2:8432", "apply" },
		    "migrationctl --server db2:8432" },
		{ { "--server=unix:/a b", "apply", "--token-file", "/t" },
		    "migrationctl --server 'unix:/a b' --token-file=/t" },
		{ { "apply", "--migrations", "it's", "--journal=off", "--guard" },
		    "migrationctl '--migrations=it'\\''s' --journal=off --guard" },
		{ { "apply", "--database-url", "postgres://app@db/app" },
		    "migrationctl --database-url=postgres://app@db/app" },
		{ { "apply", "--database-url", "postgres://app:pw@db/app" },
		    "migrationctl '--database-url=postgres://app:****@db/app'" },
		{ { "apply", "--webhook-url", "https://example.org/secret" },
		    "migrationctl '--webhook-url=****'" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		void *ctx = talloc_new(NULL);
		struct args args;
		struct err err = { 0 };

		assert_int_equal(parse(ctx, rows[i].words, &args, &err), 0);
		assert_string_equal(args_program(ctx, &args), rows[i].program);
		talloc_free(ctx);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_right),
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_what_no_request_can_carry),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_operands),
		cmocka_unit_test(test_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
