/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/failpoint.h"
#include "base/mem.h"
#include "daemon/config.h"
#include "daemon/options.h"
#include "tempdir.h"

#define MAX_ARGS 16

/* What a configuration is read from. "~" in a text is the path of the test's folder. */
struct given {
	const char *file;           /* migrationd.conf, named by --config; NULL: none */
	const char *args[MAX_ARGS]; /* without the program's name, NULL-terminated */
	const char *environ[MAX_ARGS]; /* NULL-terminated */
};

static int
setup(void **state)
{
	char *dir = tempdir_make();

	*state = dir;
	tempdir_text(dir, "token", "s3cret\n");
	tempdir_text(dir, "loose", "s3cret\n");
	tempdir_text(dir, "loose-url", "postgres://h\n");
	tempdir_text(dir, "empty", "");
	tempdir_text(dir, "two", "a\nb\n");
	tempdir_text(dir, "blank", "a b\n");
	tempdir_text(dir, "url", "postgres://u:pw@file/db\n");
	for (size_t i = 0; i < 5; i++) {
		static const char *const names[] = { "token", "empty", "two", "blank",
			"url" };
		char path[1024];

		assert_int_equal(chmod(tempdir_path(path, dir, names[i]), 0640), 0);
	}
	return 0;
}

static int
teardown(void **state)
{
	tempdir_remove(*state);
	return 0;
}

/* `text` with the folder for each "~". */
static char *
expand(const void *ctx, const char *text, const char *dir)
{
	char *out = mem_strdup(ctx, "");

	for (; *text; text++)
		out = *text == '~' ? mem_printf(ctx, "%s%s", out, dir)
				   : mem_printf(ctx, "%s%c", out, *text);
	return out;
}

static struct config *
load(const char *dir, const struct given *given, struct err *err)
{
	void *ctx = mem_context(NULL, "given");
	char *argv[MAX_ARGS + 3] = { mem_strdup(ctx, "migrationd") };
	char *environ[MAX_ARGS + 1] = { NULL };
	struct config_source source = { .argc = 1, .argv = argv, .environ = environ };
	struct config *config = NULL;

	if (given->file) {
		tempdir_text(dir, "migrationd.conf", expand(ctx, given->file, dir));
		argv[source.argc++] = mem_strdup(ctx, "--config");
		argv[source.argc++] = mem_printf(ctx, "%s/migrationd.conf", dir);
	}
	for (size_t i = 0; given->args[i]; i++)
		argv[source.argc++] = expand(ctx, given->args[i], dir);
	for (size_t i = 0; given->environ[i]; i++)
		environ[i] = expand(ctx, given->environ[i], dir);
	err_clear(err);
	if (config_load(NULL, &source, &config, err) < 0)
		assert_null(config);
	else
		assert_non_null(config);
	talloc_free(ctx);
	return config;
}

static const char *
origin(const struct config *config, const char *name)
{
	return config->origins[option_find(name) - option_table];
}

static const char *
value(const struct config *config, const char *name)
{
	return config_value_text(
	    config, config, (size_t)(option_find(name) - option_table));
}

static void
test_defaults(void **state)
{
	struct err err = { 0 };
	struct config *config = load(*state, &(struct given){ 0 }, &err);

	assert_string_equal(config->migrations, "migrations");
	assert_string_equal(config->listen[0], "127.0.0.1:8432");
	assert_null(config->listen[1]);
	assert_int_equal(config->lock_wait_ms, 15 * 60 * 1000);
	assert_int_equal(config->settle_ms, 500);
	assert_true(config->journal);
	assert_null(config->database_url);
	assert_null(config->token);
	assert_null(config->layout_name);
	assert_string_equal(origin(config, "migrations"), "default");
	assert_int_equal(config->n_warnings, 0);
	talloc_free(config);
}

/* flags > environment > file > credentials > default, each with its origin. */
static void
test_order(void **state)
{
	static const struct {
		struct given given;
		const char *shown;
		const char *origin;
	} rows[] = {
		{ { .file = "\nlock_wait = 1s\n",
		      .args = { "--lock-wait=3s" },
		      .environ = { "MIGRATIOND_LOCK_WAIT=2s" } },
		    "3s", "flag" },
		{ { .file = "\nlock_wait = 1s\n",
		      .environ = { "MIGRATIOND_LOCK_WAIT=2s" } },
		    "2s", "env MIGRATIOND_LOCK_WAIT" },
		{ { .file = "\nlock_wait = 1s\n" }, "1s", "file:2" },
		{ { .file = "\nlock_wait = 1s\n",
		      .environ = { "MIGRATIOND_LOCK_WAIT=" } },
		    "1s", "file:2" },
		{ { .args = { "--lock-wait", "1s", "--lock-wait", "2s" } }, "2s",
		    "flag" },
		{ { .file = "lock_wait=\"${WAIT}\"", .environ = { "WAIT=9s" } }, NULL,
		    NULL },
	};
	struct err err = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct config *config = load(*state, &rows[i].given, &err);

		/* ${} is the process's own environment, in which there is no WAIT */
		if (!rows[i].shown) {
			assert_null(config);
			continue;
		}
		assert_non_null(config);
		assert_string_equal(value(config, "lock_wait"), rows[i].shown);
		assert_string_equal(origin(config, "lock_wait"), rows[i].origin);
		talloc_free(config);
	}
}

/* Of two places the stronger counts; a file is not read into the configuration, but each time. */
static void
test_database_url(void **state)
{
	static const struct {
		struct given given;
		const char *url;  /* NULL: a file has it */
		const char *file; /* beneath the folder */
		const char *origin;
	} rows[] = {
		{ { .environ = { "DATABASE_URL=postgres://a" } }, "postgres://a", NULL,
		    "env DATABASE_URL" },
		{ { .environ = { "DATABASE_URL=postgres://a",
			"MIGRATIOND_DATABASE_URL=postgres://b" } },
		    "postgres://b", NULL, "env MIGRATIOND_DATABASE_URL" },
		{ { .environ = { "DATABASE_URL=postgres://a",
			"MIGRATIOND_DATABASE_URL_FILE=~/url" } },
		    NULL, "url", "env MIGRATIOND_DATABASE_URL_FILE" },
		{ { .environ = { "DATABASE_URL_FILE=~/url" } }, NULL, "url",
		    "env DATABASE_URL_FILE" },
		{ { .environ = { "CREDENTIALS_DIRECTORY=~/credentials" } }, NULL,
		    "credentials/database-url", "credential database-url" },
		{ { .environ = { "CREDENTIALS_DIRECTORY=~/credentials" },
		      .file = "database_url_file='~/url'" },
		    NULL, "url", "file:1" },
		{ { .environ = { "DATABASE_URL_FILE=~/url" },
		      .args = { "--database-url=postgres://a" } },
		    "postgres://a", NULL, "flag" },
		{ { .environ = { "DATABASE_URL=postgres://a" },
		      .args = { "--database-url-file=~/url" } },
		    NULL, "url", "flag" },
		{ { .file = "database_url='postgres://a:b@c/d?connect_timeout=9'" },
		    "postgres://a:b@c/d?connect_timeout=9", NULL, "file:1" },
	};
	struct err err = { 0 };
	char path[1024];

	tempdir_text(*state, "credentials/database-url", "postgres://u:pw@file/db\n");
	assert_int_equal(
	    chmod(tempdir_path(path, *state, "credentials/database-url"), 0400), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct config *config = load(*state, &rows[i].given, &err);

		assert_non_null(config);
		assert_string_equal(
		    origin(config, rows[i].url ? "database_url" : "database_url_file"),
		    rows[i].origin);
		if (rows[i].url) {
			assert_string_equal(config->database_url, rows[i].url);
			assert_null(config->database_url_file);
		} else {
			assert_null(config->database_url);
			assert_string_equal(config->database_url_file,
			    tempdir_path(path, *state, rows[i].file));
		}
		assert_int_equal(config->n_warnings, 0);
		talloc_free(config);
	}
}

/* Of a command nothing but the program is shown. */
static void
test_commands(void **state)
{
	static const struct {
		const char *command;
		const char *shown;
	} rows[] = {
		{ "true", "true" },
		{ "sh -c 'echo s3cret'", "sh ****" },
		{ "/bin/sh -c ''", "/bin/sh ****" },
	};
	struct err err = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct given given = { .args = {
					   "--password-command", rows[i].command } };
		struct config *config = load(*state, &given, &err);

		assert_non_null(config);
		assert_string_equal(config->password_command, rows[i].command);
		assert_string_equal(value(config, "password_command"), rows[i].shown);
		talloc_free(config);
	}
}

/* What ps shows has no secret any more, what we go on with has it. */
static void
test_argv(void **state)
{
	char texts[][40] = { "migrationd", "--once",
		"--database-url=host=h password=s3cret", "--password-command",
		"echo s3cret", "--log-level", "info", "--database-url" };
	char *argv[] = { texts[0], texts[1], texts[2], texts[3], texts[4], texts[5],
		texts[6], texts[7], NULL };
	char **own = config_take_argv(NULL, 8, argv);

	(void)state;
	assert_string_equal(own[2], "--database-url=host=h password=s3cret");
	assert_string_equal(own[4], "echo s3cret");
	assert_string_equal(argv[1], "--once");
	assert_string_equal(argv[2], "--database-url=**********************");
	assert_string_equal(argv[3], "--password-command");
	assert_string_equal(argv[4], "***********");
	assert_string_equal(argv[6], "info");
	assert_null(own[8]);
	talloc_free(own);
}

static void
test_credentials(void **state)
{
	struct given given = { .environ = { "CREDENTIALS_DIRECTORY=~/credentials" } };
	struct err err = { 0 };
	struct config *config = NULL;
	char path[1024];

	tempdir_text(*state, "credentials/api-token", "t0ken\n");
	assert_int_equal(
	    chmod(tempdir_path(path, *state, "credentials/api-token"), 0400), 0);
	config = load(*state, &given, &err);
	assert_string_equal(config->token, "t0ken");
	assert_string_equal(config->token_file, path);
	assert_string_equal(origin(config, "token_file"), "credential api-token");
	talloc_free(config);

	/* what is said outright counts more */
	given.args[0] = "--token-file=~/token";
	config = load(*state, &given, &err);
	assert_string_equal(config->token, "s3cret");
	talloc_free(config);
}

static void
test_lists(void **state)
{
	static const struct given rows[] = {
		{ .args = { "--listen", "127.0.0.1:1", "--listen=unix:/run/x" } },
		{ .file = "listen = {'127.0.0.1:1', 'unix:/run/x'}" },
		{ .environ = { "MIGRATIOND_LISTEN=127.0.0.1:1, unix:/run/x" } },
		{ .file = "listen = 'nonsense:x'",
		    .args = { "--listen=127.0.0.1:1,unix:/run/x" } },
	};
	struct err err = { 0 };

	for (size_t i = 0; i < 3; i++) {
		struct config *config = load(*state, &rows[i], &err);

		assert_non_null(config);
		assert_string_equal(config->listen[0], "127.0.0.1:1");
		assert_string_equal(config->listen[1], "unix:/run/x");
		assert_null(config->listen[2]);
		talloc_free(config);
	}
	/* an element of a flag is one address, commas and all */
	assert_null(load(*state, &rows[3], &err));
}

static void
test_actions(void **state)
{
	struct given given = { .args = { "--help", "--log-level=debug" },
		.environ = { "MIGRATIOND_LOCK_WAIT=nonsense" } };
	struct err err = { 0 };
	struct config *config = load(*state, &given, &err);

	/* nothing else is looked at, but all has a value */
	assert_true(config->help);
	assert_int_equal(config->log_level, LOG_DEBUG);
	assert_int_equal(config->lock_wait_ms, 15 * 60 * 1000);
	talloc_free(config);
	given.args[0] = "--once";
	assert_null(load(*state, &given, &err));
	given.args[0] = "--check-config=maybe";
	assert_null(load(*state, &given, &err));
}

/* What goes wrong, where it says so, and with what in the text. */
static void
test_bad(void **state)
{
	static const struct {
		struct given given;
		const char *text;
		const char *hint; /* part of it; NULL: any */
		unsigned line;    /* in migrationd.conf; 0: elsewhere */
		int exit_code;    /* 0: EXIT_CONFIGURATION */
	} rows[] = {
		/* flags */
		{ { .args = { "--nosuchoption" } }, "unknown flag --nosuchoption",
		    "--help", 0, EXIT_USAGE },
		{ { .args = { "--migration=x" } }, "unknown flag --migration",
		    "did you mean --migrations?", 0, EXIT_USAGE },
		{ { .args = { "--ephem" } }, "unknown flag --ephem",
		    "did you mean --ephemeral?", 0, EXIT_USAGE },
		{ { .args = { "--log_level=debug" } }, "unknown flag --log_level",
		    "did you mean --log-level?", 0, EXIT_USAGE },
		{ { .args = { "-h" } }, "unknown flag -h", "--help", 0, EXIT_USAGE },
		{ { .args = { "-" } }, "unknown flag -", NULL, 0, EXIT_USAGE },
		{ { .args = { "--" } }, "unknown flag --", NULL, 0, EXIT_USAGE },
		{ { .args = { "--=x" } }, "unknown flag --", NULL, 0, EXIT_USAGE },
		{ { .args = { "migrations" } }, "unexpected argument migrations", NULL, 0,
		    EXIT_USAGE },
		{ { .args = { "--once", "true" } }, "unexpected argument true", NULL, 0,
		    EXIT_USAGE },
		{ { .args = { "--migrations" } }, "no value given for --migrations", NULL,
		    0, EXIT_USAGE },
		{ { .args = { "--migrations", "--once" } },
		    "no value given for --migrations", NULL, 0, EXIT_USAGE },
		{ { .args = { "--log-level", "loud" } },
		    "--log-level: \"loud\" is not allowed: error, warning, info, debug",
		    NULL, 0, 0 },
		{ { .args = { "--journal=perhaps" } },
		    "--journal: \"perhaps\" is not allowed", NULL, 0, 0 },
		{ { .args = { "--migrations=" } }, "migrations must not be empty", NULL,
		    0, 0 },
		{ { .args = { "--listen=" } }, "listen must not be empty", NULL, 0, 0 },

		/* environment */
		{ { .environ = { "MIGRATIOND_SETTLE=1m" } },
		    "MIGRATIOND_SETTLE: \"1m\" is not allowed", NULL, 0, 0 },
		{ { .environ = { "MIGRATIOND_DATABASE_URL=a",
			"MIGRATIOND_DATABASE_URL_FILE=b" } },
		    "MIGRATIOND_DATABASE_URL and MIGRATIOND_DATABASE_URL_FILE are both set",
		    NULL, 0, 0 },
		{ { .environ = { "DATABASE_URL_FILE=~/missing" } },
		    "env DATABASE_URL_FILE=", NULL, 0, 0 },
		{ { .environ = { "MIGRATIOND_INSTANCE_FILE=~/missing" } },
		    "env MIGRATIOND_INSTANCE_FILE=", NULL, 0, 0 },
		{ { .environ = { "DATABASE_URL_FILE=~/token", "DATABASE_URL=b" } },
		    "DATABASE_URL and DATABASE_URL_FILE are both set", NULL, 0, 0 },
		{ { .args = { "--database-url=", "--database-url-file=~/token" } },
		    "--database-url-file: the connection string cannot be read", NULL, 0,
		    0 },
		{ { .args = { "--database-direct-url-file=~/missing" } },
		    "--database-direct-url-file: ", NULL, 0, 0 },
		{ { .file = "password_file='~/token'\npassword_command='true'" },
		    "password_file and password_command are both set", NULL, 0, 0 },
		{ { .args = { "--password-command=/nonexistent/vault x" } },
		    "--password-command: there is no program /nonexistent/vault",
		    "whole path", 0, 0 },
		{ { .file = "\npassword_command='sh -c \\'x'" },
		    "password_command: a quote", NULL, 2, 0 },
		{ { .environ = { "MIGRATIOND_PASSWORD_COMMAND=nosuchprogram" } },
		    "MIGRATIOND_PASSWORD_COMMAND: there is no program nosuchprogram",
		    NULL, 0, 0 },
		{ { .args = { "--ephemeral", "--database-url-file=~/url" } },
		    "--database-url-file and ephemeral exclude each other", NULL, 0, 0 },
		{ { .environ = { "DATABASE_URL_FILE=~/empty" } }, "is empty", NULL, 0,
		    0 },

		/* file */
		{ { .args = { "--config=~/missing.conf" } }, "configuration file", NULL,
		    0, 0 },
		{ { .args = { "--config=~" } }, "configuration file", NULL, 0, 0 },
		{ { .file = "\n\nmigration = 'x'\n" }, "unknown option migration",
		    "did you mean migrations?", 3, 0 },
		{ { .file = "once = on\n" }, "unknown option once",
		    "a flag alone: --once", 1, 0 },
		{ { .file = "include('x')\n" }, "unknown option include", NULL, 1, 0 },
		{ { .file = "http {\n}\n" }, "unknown option http", "migrationd.conf(5)",
		    1, 0 },
		{ { .file = "layout = drizzle\nlock_wait = 5m\n" },
		    "lock_wait: \"5m\" is not allowed: a whole number with "
		    "ms, s, min, h or d, from 0 to 7d",
		    NULL, 2, 0 },
		{ { .file = "lock_wait = 8d" }, "lock_wait: \"8d\" is not allowed", NULL,
		    1, 0 },
		{ { .file = "journal = 'off'\n# and again\njournal = on\n" },
		    "journal is set already in line 1", NULL, 3, 0 },
		{ { .file = "journal\n" }, "premature end of file", "key = value", 2, 0 },
		{ { .file = "migrations = {a, b}" }, "unexpected token", NULL, 1, 0 },
		{ { .file = "database_url = postgres://u:pw@h/db?sslmode=require\n" },
		    "unexpected token", "quotes", 1, 0 },
		{ { .file = "migrations = 'x\n" }, "unterminated string", NULL, 2, 0 },
		{ { .file = "lock_wait = nonsense", .args = { "--lock-wait=1s" } },
		    "lock_wait: \"nonsense\" is not allowed", NULL, 1, 0 },
		{ { .file = "out_of_order = ignore\n" },
		    "out_of_order: \"ignore\" is not allowed: refuse, apply, skip", NULL,
		    1, 0 },

		/* what does not go together */
		{ { .args = { "--ephemeral", "--database-url=postgres://h" } },
		    "--database-url and ephemeral exclude each other", "leave one out", 0,
		    0 },
		{ { .args = { "--ephemeral", "--database-direct-url=postgres://h" } },
		    "--database-direct-url and ephemeral exclude each other",
		    "leave one out", 0, 0 },
		{ { .args = { "--guard", "--tracking=schema_migrations" } },
		    "guard does not go with tracking = schema_migrations",
		    "only drizzle-orm's table", 0, 0 },
		{ { .args = { "--layout=sequence", "--manifest=list.txt" } },
		    "manifest does not go with layout = sequence", "leave one of them", 0,
		    0 },
		{ { .args = { "--immutable=nine" } },
		    "immutable: \"nine\" is no range of numbers", "as 001-009", 0, 0 },
		{ { .args = { "--immutable=9-1" } }, "immutable: \"9-1\"", "", 0, 0 },
		{ { .args = { "--immutable=1-" } }, "immutable: \"1-\"", "", 0, 0 },
		{ { .args = { "--immutable=1-9x" } }, "immutable: \"1-9x\"", "", 0, 0 },
		{ { .args = { "--immutable=0" } }, "immutable: \"0\"", "", 0, 0 },
		{ { .args = { "--database-direct-url=postgres://u:pw@h:x/d" } },
		    "--database-direct-url", NULL, 0, 0 },
		{ { .args = { "--layout=sequence", "--tracking=drizzle" } },
		    "tracking = drizzle does not go with layout = sequence",
		    "tracking = schema_migrations", 0, 0 },
		{ { .args = { "--tracking-table="
			      "aaaaaaaaaabbbbbbbbbbccccccccccdd"
			      "ddddddddeeeeeeeeeeffffffffffgggg" } },
		    "longer than 63 bytes", NULL, 0, 0 },
		{ { .args = { "--token-file=~/missing" } }, "token_file: ", NULL, 0, 0 },
		{ { .args = { "--token-file=~/empty" } }, "token_file: is empty", NULL, 0,
		    0 },
		{ { .args = { "--token-file=~/two" } },
		    "token_file: has more than the one line", NULL, 0, 0 },
		{ { .args = { "--token-file=~/blank" } },
		    "a character that no header carries", NULL, 0, 0 },
		{ { .args = { "--token-file=~/loose" } }, "everybody may read",
		    "chmod 640 ", 0, 0 },
		{ { .args = { "--password-file=~/missing" } }, "password_file: ", NULL, 0,
		    0 },
		{ { .args = { "--password-file=~/loose" } }, "everybody may read",
		    "chmod 640 ", 0, 0 },
		{ { .args = { "--listen=nonsense" } },
		    "--listen: \"nonsense\" is no address to listen on", "HOST:PORT", 0,
		    0 },
		{ { .args = { "--listen=0.0.0.0:8432" } },
		    "listen: 0.0.0.0:8432 can be reached by other", "token_file", 0, 0 },
		{ { .args = { "--probe-listen=8433" } },
		    "--probe-listen: \"8433\" is no address", NULL, 0, 0 },
		{ { .environ = { "MIGRATIOND_LISTEN=a:1,a:2,a:3,a:4,a:5,a:6,a:7,a:8,a:9",
			"MIGRATIOND_INSECURE=on" } },
		    "listen: more than 8 addresses", NULL, 0, 0 },
	};
	struct err err = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		int exit_code =
		    rows[i].exit_code ? rows[i].exit_code : EXIT_CONFIGURATION;

		assert_null(load(*state, &rows[i].given, &err));
		assert_int_equal(err.category, CAT_CONFIGURATION);
		assert_int_equal(err_exit_code(&err), exit_code);
		if (!strstr(err.text, rows[i].text))
			fail_msg("\"%s\" is not in \"%s\"", rows[i].text, err.text);
		if (rows[i].hint && !strstr(err.hint, rows[i].hint))
			fail_msg(
			    "\"%s\" is not in the hint \"%s\"", rows[i].hint, err.hint);
		assert_int_equal(err.line, rows[i].line);
		if (rows[i].line)
			assert_non_null(strstr(err.file, "/migrationd.conf"));
		/* no secret in any message */
		assert_null(strstr(err.text, "pw"));
		assert_null(strstr(err.hint, "pw"));
	}
}

static void
test_nul_and_size_of_file(void **state)
{
	struct given given = { .args = { "--config=~/odd" } };
	size_t len = (1u << 20) + 1;
	char *data = talloc_zero_size(NULL, len);
	struct err err = { 0 };

	tempdir_write(*state, "odd", "journal = on\n\0journal = x\n", 26);
	assert_null(load(*state, &given, &err));
	assert_non_null(strstr(err.text, "NUL"));
	memset(data, '\n', len);
	tempdir_write(*state, "odd", data, len);
	assert_null(load(*state, &given, &err));
	assert_int_equal(err.category, CAT_CONFIGURATION);
	tempdir_write(*state, "odd", data, 0);
	talloc_free(load(*state, &given, &err));
	assert_false(err_is_set(&err));
	talloc_free(data);
}

/* Comments of each kind, and what is none; the wrong value is in the last line. */
static void
test_line_behind_comments(void **state)
{
	static const struct {
		const char *file;
		unsigned line;
	} rows[] = {
		{ "# one\nsettle = x", 2 },
		{ "# one\n#two\n\n#\nsettle = x", 5 },
		{ "journal = on # 'one\nsettle = x", 2 },
		{ "// one\nsettle = x", 2 },
		{ "/* one\n * two */ journal = on\nsettle = x", 3 },
		{ "migrations = 'a # b'\nsettle = x", 2 },
		{ "migrations = \"a \\\" # b\"\nsettle = x", 2 },
		{ "migrations = 'it\\'s # b'\nsettle = x", 2 },
		{ "migrations = a//b\nsettle = x", 2 },
		{ "migrations=//b\na\nsettle = x", 3 },
		{ "listen = { # here\n '127.0.0.1:1', /* there */\n '[::1]:1' }\nsettle = x",
		    4 },
		{ "migrations = a # no newline at the end\r\nsettle = x # y", 2 },
	};
	struct err err = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_null(load(*state, &(struct given){ .file = rows[i].file }, &err));
		assert_non_null(strstr(err.text, "settle: \"x\" is not allowed"));
		assert_int_equal(err.line, rows[i].line);
	}
}

/* What decides how a run treats the database reaches it. */
static void
test_target_treatment(void **state)
{
	static const struct {
		const char *lock;
		enum target_lock_mode mode;
	} rows[] = {
		{ "--lock=auto", LOCK_MODE_AUTO },
		{ "--lock=advisory", LOCK_MODE_ADVISORY },
		{ "--lock=lease", LOCK_MODE_LEASE },
	};
	struct err err = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct given given = { .environ = { "DATABASE_DIRECT_URL=host=/run" },
			.args = { rows[i].lock, "--guard", "--ddl-lock-timeout=0",
			    "--statement-timeout=1min", "--yield-after=3" } };
		struct config *config = load(*state, &given, &err);
		struct target_params params;

		config_target_params(config, &layout_drizzle, &params);
		assert_int_equal(params.lock_mode, rows[i].mode);
		assert_string_equal(params.direct_url, "host=/run");
		assert_true(params.guard);
		assert_int_equal(params.ddl_lock_timeout_ms, 0);
		assert_int_equal(params.statement_timeout_ms, 60000);
		assert_int_equal(params.yield_after, 3);
		talloc_free(config);
	}
}

static void
test_warnings(void **state)
{
	static const struct {
		struct given given;
		const char *warning; /* NULL: none */
	} rows[] = {
		{ { .environ = { "MIGRATIOND_LAYOT=x" } },
		    "MIGRATIOND_LAYOT is not read: did you mean MIGRATIOND_LAYOUT?" },
		{ { .environ = { "MIGRATIOND_FROBNICATE=x" } },
		    "MIGRATIOND_FROBNICATE is not read: no option has that name" },
		/* a build with failpoints reads it, elsewhere */
		{ { .environ = { "MIGRATIOND_FAILPOINT=x" } },
		    FAILPOINT_VARIABLE("MIGRATIOND_FAILPOINT")
			? NULL
			: "MIGRATIOND_FAILPOINT is not read: no option has that name" },
		{ { .environ = { "MIGRATIOND_CONFIG=x" } },
		    "MIGRATIOND_CONFIG is not read: there is the flag --config" },
		{ { .environ = { "MIGRATIOND_LOCK_WAIT_FILE=x" } },
		    "MIGRATIOND_LOCK_WAIT_FILE is not read: no option has that name" },
		{ { .environ = { "DATABASE_URL_FILE=~/loose-url" } },
		    "env DATABASE_URL_FILE: everybody may read or change this secret: chmod 640 " },
		{ { .environ = { "DATABASE_URL=postgres://h" },
		      .args = { "--ephemeral" } },
		    "database_url (env DATABASE_URL) is not used" },
		{ { .environ = { "DATABASE_DIRECT_URL=postgres://h" },
		      .args = { "--ephemeral" } },
		    "database_direct_url (env DATABASE_DIRECT_URL) is not used" },
		/* of a Service named migrationd in Kubernetes */
		{ { .environ = { "MIGRATIOND_PORT=tcp://10.0.0.1:8432",
			"MIGRATIOND_SERVICE_HOST=10.0.0.1",
			"MIGRATIOND_PORT_8432_TCP=tcp://10.0.0.1:8432",
			"MIGRATIOND_SERVICE_PORT_HTTP=8432" } },
		    NULL },
		{ { .environ = { "MIGRATIONDX=1", "PGHOST=x",
			"MIGRATIOND_INSTANCE=pod-1" } },
		    NULL },
	};
	struct err err = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct config *config = load(*state, &rows[i].given, &err);

		assert_non_null(config);
		assert_int_equal(config->n_warnings, rows[i].warning ? 1 : 0);
		if (rows[i].warning && !strstr(config->warnings[0], rows[i].warning))
			fail_msg("\"%s\" is not in \"%s\"", rows[i].warning,
			    config->warnings[0]);
		talloc_free(config);
	}
}

static void
test_ephemeral_has_no_url(void **state)
{
	struct given given = { .environ = { "DATABASE_URL=postgres://h" },
		.args = { "--ephemeral" } };
	struct err err = { 0 };
	struct config *config = load(*state, &given, &err);

	assert_null(config->database_url);
	talloc_free(config);
}

static void
test_exposure(void **state)
{
	static const struct given rows[] = {
		{ .args = { "--listen=0.0.0.0:1", "--token-file=~/token" } },
		{ .args = { "--listen=0.0.0.0:1", "--insecure" } },
		{ .args = { "--listen=unix:/run/x", "--listen=[::1]:1" } },
		{ .args = { "--probe-listen=0.0.0.0:1" } },
	};
	struct err err = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct config *config = load(*state, &rows[i], &err);

		assert_non_null(config);
		talloc_free(config);
	}
}

static void
test_target_params(void **state)
{
	struct given given = { .args = { "--out-of-order=skip", "--transaction=run",
				   "--journal=off", "--on-modified=refuse",
				   "--lock-wait=1s" } };
	struct err err = { 0 };
	struct config *config = load(*state, &given, &err);
	struct target_params params;

	config_target_params(config, &layout_sequence, &params);
	assert_string_equal(params.tracking, "schema_migrations");
	assert_string_equal(params.database_url, "");
	assert_int_equal(params.policy.out_of_order, OUT_OF_ORDER_SKIP);
	assert_int_equal(params.policy.transaction, TRANSACTION_RUN);
	assert_int_equal(params.policy.on_modified, ON_MODIFIED_REFUSE);
	assert_int_equal(params.lock_wait_ms, 1000);
	assert_false(params.journal);
	assert_null(params.direct_url);
	assert_false(params.guard);
	assert_int_equal(params.lock_mode, LOCK_MODE_AUTO);
	assert_int_equal(params.ddl_lock_timeout_ms, 5000);
	assert_int_equal(params.statement_timeout_ms, 0);
	assert_int_equal(params.yield_after, 0);
	config_target_params(config, &layout_drizzle, &params);
	assert_string_equal(params.tracking, "drizzle");
	config_target_params(config, NULL, &params);
	assert_string_equal(params.tracking, "drizzle");
	talloc_free(config);

	given.args[0] = "--tracking=migration_log";
	given.args[1] = "--layout=sequence";
	config = load(*state, &given, &err);
	assert_string_equal(config->layout_name, "sequence");
	config_target_params(config, &layout_sequence, &params);
	assert_string_equal(params.tracking, "migration_log");
	talloc_free(config);
}

static void
test_reload(void **state)
{
	static const struct {
		const char *flag;
		const char *refused; /* NULL: may change */
	} rows[] = {
		{ "--migrations=other", NULL },
		{ "--log-level=debug", NULL },
		{ "--database-url=postgres://x", NULL },
		{ "--check-config", NULL },
		{ "--listen=127.0.0.1:1", "listen cannot change" },
		{ "--probe-listen=127.0.0.1:1", "probe_listen cannot change" },
		{ "--ephemeral", "ephemeral cannot change" },
		{ "--request-timeout=1s", "request_timeout cannot change" },
	};
	struct err err = { 0 };
	struct config *old = load(*state, &(struct given){ 0 }, &err);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct config *new =
		    load(*state, &(struct given){ .args = { rows[i].flag } }, &err);
		int rc = config_check_reload(old, new, &err);

		assert_int_equal(rc, rows[i].refused ? -1 : 0);
		if (rows[i].refused)
			assert_non_null(strstr(err.text, rows[i].refused));
		talloc_free(new);
	}
	talloc_free(old);
}

/* What is printed can be read again, secrets aside, and gives the same. */
static void
test_print(void **state)
{
	struct given given = {
		.file = "migrations = 'it\\'s a \\\\ folder'\nlock_wait = 90s\n",
		.args = { "--listen=127.0.0.1:1", "--listen=unix:/run/x",
		    "--journal=off" },
		.environ = { "DATABASE_URL=postgres://u:s3cret@h/db" }
	};
	struct err err = { 0 };
	struct config *config = load(*state, &given, &err);
	struct config *again = NULL;
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	config_print(out, config);
	fclose(out);
	assert_null(strstr(text, "s3cret"));
	assert_non_null(
	    strstr(text, "database_url = 'postgres://u:****@h/db' # env DATABASE_URL\n"));
	assert_non_null(strstr(text, "lock_wait = 90s # file:2\n"));
	assert_non_null(strstr(text, "journal = off # flag\n"));
	assert_non_null(strstr(text, "#token_file = '' # default\n"));
	assert_null(strstr(text, "check_config"));
	again = load(*state, &(struct given){ .file = text }, &err);
	assert_non_null(again);
	for (size_t i = 0; i < option_count; i++) {
		if (!(option_table[i].flags & OPTION_FLAG_ONLY))
			assert_string_equal(config_value_text(again, again, i),
			    config_value_text(config, config, i));
	}
	free(text);
	talloc_free(again);
	talloc_free(config);
}

static void
test_help(void **state)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);
	char flag[OPTION_NAME];

	(void)state;
	config_help(out);
	fclose(out);
	for (size_t i = 0; i < option_count; i++)
		assert_non_null(
		    strstr(text, option_flag(&option_table[i], flag, sizeof(flag))));
	assert_non_null(strstr(text, "  --lock-wait TIME\n"));
	assert_non_null(strstr(text, "Default: 15min."));
	assert_non_null(strstr(text, "  --layout LAYOUT\n"));
	assert_non_null(strstr(text, " One of auto, drizzle, "));
	assert_non_null(strstr(text, "  --lock auto|advisory|lease\n"));
	for (const char *line = text; *line; line += strcspn(line, "\n") + 1)
		assert_in_range(strcspn(line, "\n"), 0, 88);
	free(text);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_database_url),
		cmocka_unit_test(test_target_treatment),
		cmocka_unit_test(test_argv),
		cmocka_unit_test(test_commands),
		cmocka_unit_test(test_credentials),
		cmocka_unit_test(test_lists),
		cmocka_unit_test(test_actions),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_nul_and_size_of_file),
		cmocka_unit_test(test_line_behind_comments),
		cmocka_unit_test(test_warnings),
		cmocka_unit_test(test_ephemeral_has_no_url),
		cmocka_unit_test(test_exposure),
		cmocka_unit_test(test_target_params),
		cmocka_unit_test(test_reload),
		cmocka_unit_test(test_print),
		cmocka_unit_test(test_help),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
