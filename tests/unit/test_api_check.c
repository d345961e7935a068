/* SPDX-License-Identifier: PostgreSQL */
#include "fake_api.h"
#include "tempdir.h"

#include "core/check.h"
#include "http/json.h"
#include "http/plain.h"

static struct request *
get(struct fake *fake, const char *target)
{
	struct request *request = fake_request(fake, "GET", target);

	fake_send(request);
	return request;
}

/* The code of a CI job is in the document and in a header; the answer itself is a success. */
static void
test_exit_codes(void **state)
{
	static const struct {
		const char *target;
		size_t n_applied;
		const char *code;
		const char *verdict;
		bool strict;
	} rows[] = {
		{ "/check", 3, "0", "fine", false },
		{ "/check", 1, "3", "pending", false },
		{ "/check?strict", 1, "3", "pending", true },
		{ "/check?strict=true", 3, "0", "fine", true },
		{ "/check?strict=1", 3, "0", "fine", true },
		{ "/check?strict=false", 3, "0", "fine", false },
		{ "/check?strict=0", 3, "0", "fine", false },
		{ "/v1/check?only=files&strict=on", 1, "0", "fine", true },
	};
	struct fake *fake = fake_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct request *request;
		json_t *document;

		fake_set_applied(fake, rows[i].n_applied);
		request = get(fake, rows[i].target);
		assert_int_equal(request->status, 200);
		assert_string_equal(
		    fake_reply_header(request, "Migrationd-Exit-Code"), rows[i].code);
		document = fake_json(request);
		assert_string_equal(fake_text(document, "verdict"), rows[i].verdict);
		assert_int_equal(
		    json_integer_value(json_object_get(document, "exit_code")),
		    strtol(rows[i].code, NULL, 10));
		assert_int_equal(
		    json_is_true(json_object_get(document, "strict")), rows[i].strict);
		json_decref(document);
	}
	talloc_free(fake);
}

static void
test_refused_queries(void **state)
{
	static const char *const targets[] = { "/check?strict=maybe", "/check?only=db",
		"/check?only=" };
	struct fake *fake = fake_new();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(targets); i++)
		assert_int_equal(fake_status_of(fake, "GET", targets[i]), 400);
	assert_int_equal(fake_status_of(fake, "HEAD", "/check"), 200);
	assert_int_equal(fake_status_of(fake, "POST", "/check"), 405);
	talloc_free(fake);
}

static void
test_document(void **state)
{
	struct fake *fake = fake_new();
	json_t *document = fake_json(get(fake, "/check"));
	const json_t *findings = json_object_get(document, "findings");
	const json_t *first = json_array_get(findings, 0);
	const json_t *counts = json_object_get(document, "counts");

	(void)state;
	assert_int_equal(json_array_size(findings), 2);
	assert_string_equal(fake_text(first, "kind"), "pending");
	assert_string_equal(fake_text(first, "severity"), "warning");
	assert_string_equal(fake_text(first, "phase"), "schema");
	assert_string_equal(fake_text(first, "file"), "0001_files.sql");
	assert_string_equal(fake_text(first, "path"), "/srv/migrations/0001_files.sql");
	assert_string_equal(fake_text(first, "migration"), "0001_files");
	assert_true(json_is_null(json_object_get(first, "line")));
	assert_int_equal(json_integer_value(json_object_get(first, "exit_code")), 3);
	assert_string_equal(fake_text(first, "message"), "not applied yet");
	assert_true(json_is_array(json_object_get(first, "commands")));
	assert_int_equal(json_integer_value(json_object_get(counts, "errors")), 0);
	assert_int_equal(json_integer_value(json_object_get(counts, "warnings")), 2);
	assert_int_equal(json_integer_value(json_object_get(counts, "notes")), 0);
	assert_string_equal(fake_text(document, "target"), "default");
	assert_string_equal(fake_text(document, "scope"), "all");
	assert_string_equal(fake_text(document, "folder.path"), "/srv/migrations");
	assert_string_equal(fake_text(document, "folder.layout"), "sequence");
	assert_string_equal(fake_text(document, "database.name"), "orders");
	json_decref(document);

	document = fake_json(get(fake, "/check?only=files"));
	assert_string_equal(fake_text(document, "scope"), "files");
	assert_true(json_is_null(json_object_get(document, "database")));
	json_decref(document);
	talloc_free(fake);
}

/* Findings of all shapes: with a line, without a file, of the database. */
static struct check *
make_check(struct fake *fake)
{
	static const char *commands[] = { "rm a", "echo \x1b" };
	static struct check_finding findings[] = {
		{ .kind = CHECK_SNAPSHOT_FORK,
		    .file = "meta/_journal.json",
		    .line = 7,
		    .message = "a fork",
		    .remedy = "mend it",
		    .commands = commands,
		    .n_commands = 2 },
		{ .kind = CHECK_UNREACHABLE, .message = "away\x1b" },
		{ .kind = CHECK_FOLDER, .message = "empty" },
		{ .kind = CHECK_RECORDED_ONLY,
		    .severity = CHECK_WARNING,
		    .migration = "0009_x",
		    .message = "no file" },
		{ .kind = CHECK_PENDING,
		    .severity = CHECK_WARNING,
		    .file = "0001.sql",
		    .message = "pending",
		    .remedy = "run it" },
		{ .kind = CHECK_PENDING,
		    .severity = CHECK_WARNING,
		    .file = "0002.sql",
		    .message = "pending",
		    .remedy = "run it" },
	};
	struct check *check = mem_zero(fake, struct check);

	check->status = &fake->status;
	check->findings = findings;
	check->n_findings = ARRAY_SIZE(findings);
	check->counts[CHECK_ERROR] = 3;
	check->counts[CHECK_WARNING] = 3;
	check->counts[CHECK_NOTE] = 1;
	check->n_left_out = 1;
	check->n_snapshots = 1;
	check->exit_code = EXIT_FILES;
	return check;
}

static void
test_text(void **state)
{
	struct fake *fake = fake_new();
	struct text out;

	(void)state;
	text_init(&out, fake, BOUND_REPLY_BYTES);
	plain_check(&out, make_check(fake));
	assert_string_equal(out.data,
	    "/srv/migrations/meta/_journal.json:7: error: a fork [snapshot_fork]\n"
	    "    mend it\n"
	    "    $ rm a\n"
	    "    $ echo \\x1b\n"
	    "database: error: away\\x1b [unreachable]\n"
	    "/srv/migrations: error: empty [folder]\n"
	    "0009_x: warning: no file [recorded_only]\n"
	    "/srv/migrations/0001.sql: warning: pending [pending]\n"
	    "/srv/migrations/0002.sql: warning: pending [pending]\n"
	    "    run it\n"
	    "... and 1 more\n"
	    "\n"
	    "check: files, exit code 2: 3 errors, 3 warnings, 1 note; 3 migrations, "
	    "1 snapshot\n");
	talloc_free(fake);
}

static void
test_text_over_http(void **state)
{
	struct fake *fake = fake_new();
	struct request *request;

	(void)state;
	fake_set_applied(fake, 3);
	request = get(fake, "/check?format=text");
	assert_string_equal(request->content_type, "text/plain; charset=utf-8");
	assert_string_equal(request->reply,
	    "check: fine, exit code 0: 0 errors, 0 warnings, 0 notes; 3 migrations, "
	    "0 snapshots\n");
	talloc_free(fake);
}

static void
test_a_finding_with_all_as_json(void **state)
{
	struct fake *fake = fake_new();
	json_t *document = json_check(make_check(fake));
	const json_t *first = json_array_get(json_object_get(document, "findings"), 0);
	const json_t *commands = json_object_get(first, "commands");

	(void)state;
	assert_int_equal(json_integer_value(json_object_get(first, "line")), 7);
	assert_string_equal(fake_text(first, "remedy"), "mend it");
	assert_int_equal(json_array_size(commands), 2);
	assert_string_equal(json_string_value(json_array_get(commands, 0)), "rm a");
	assert_int_equal(
	    json_integer_value(json_object_get(document, "findings_left_out")), 1);
	json_decref(document);
	talloc_free(fake);
}

/* What takes more than a turn of the loop is waited for, by all who ask meanwhile. */
static void
test_in_turns(void **state)
{
	static const char *const files[] = { "meta/0000_snapshot.json",
		"meta/0001_snapshot.json", "meta/0002_snapshot.json" };
	struct fake *fake = fake_new();
	char *dir = tempdir_make();
	char *text = mem_printf(fake, "%*s{\"id\": \"a\", \"prevId\": \"b\"}",
	    (int)BOUND_CHECK_TURN_BYTES, "");
	struct request *first, *second;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		tempdir_text(dir, files[i], text);
	fake->folder.path = dir;
	fake->folder.layout = &layout_drizzle;
	assert_false(api_check_turn(&fake->api));
	first = get(fake, "/check");
	assert_int_equal(first->state, REQUEST_PARKED);
	assert_true(api_check_turn(&fake->api));
	second = get(fake, "/check?format=text");
	assert_int_equal(second->state, REQUEST_PARKED);
	assert_false(request_is_due(first, 0));
	assert_false(api_check_turn(&fake->api));
	assert_true(request_is_due(first, 0));
	assert_true(request_is_due(second, 0));
	first->resume(first);
	second->resume(second);
	assert_int_equal(first->status, 200);
	assert_non_null(strstr(second->reply, "3 snapshots"));
	/* as they are known now, at once; and no more than there is room for */
	assert_int_equal(get(fake, "/check")->status, 200);
	tempdir_text(dir, files[0], mem_printf(fake, "%s ", text));
	fake->api.parked = BOUND_PARKED_REQUESTS;
	assert_int_equal(get(fake, "/check")->status, 429);
	fake->api.parked = 0;
	tempdir_remove(dir);
	talloc_free(fake);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exit_codes),
		cmocka_unit_test(test_refused_queries),
		cmocka_unit_test(test_document),
		cmocka_unit_test(test_in_turns),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_text_over_http),
		cmocka_unit_test(test_a_finding_with_all_as_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
