/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "core/plan.h"

/*
 * A word is a migration of the folder or a row that has none; what stands behind its id:
 *
 *	.  pending       +  baseline       !  the way back has a problem
 *	*  modified      -  no way back    |  the way back is in segments
 *	?  a row without a file           ~  the same, of which nobody knows the place
 *	=  no checksum, another's name
 *
 * Its place is its number among the words.
 */

static void
add_down(struct migration *m, bool broken, bool split)
{
	struct migration *down = migration_add_down(m, "x.down.sql");
	const char *text =
	    split ? "SET x = 1; DROP INDEX CONCURRENTLY i;" : "DROP TABLE x;";
	struct err err = { 0 };

	migration_set_text(down, m, text, strlen(text), NULL);
	err_set(&err, CAT_SQL_SYNTAX_ERROR, "no statement");
	if (broken)
		migration_set_problem(down, m, &err);
}

static void
add_word(struct folder *folder, struct history *history, const char *word, int64_t order)
{
	size_t len = strcspn(word, ".+!*-|?~=");
	char mark = word[len];
	struct history_row row = { .key = mem_printf(folder, "%d", (int)order),
		.name = mark == '=' ? "z" : mem_strndup(folder, word, len),
		.checksum = mark == '*' ? "other"
		    : mark == '='       ? NULL
					: "sum",
		.baseline = mark == '+',
		.has_order = mark != '~',
		.order = order };
	struct migration *m;

	if (mark != '.')
		history_add(history, &row);
	if (mark == '?' || mark == '~')
		return;
	m = mem_zero(folder, struct migration);
	m->id = mem_strndup(m, word, len);
	m->version = row.key;
	m->name = m->id;
	m->file = mem_printf(m, "%s.sql", m->id);
	m->order = order;
	m->position = folder->n_migrations;
	m->text = "";
	snprintf(m->checksum, sizeof(m->checksum), "sum");
	if (mark != '-')
		add_down(m, mark == '!', mark == '|');
	folder->migrations[folder->n_migrations++] = m;
}

static struct plan *
plan_of(const void *ctx, const char *words, struct plan_input *input)
{
	static const struct layout layout = { .name = "test", .remedy = "renumber it" };
	struct folder *folder = mem_zero(ctx, struct folder);
	struct history *history = history_new(ctx, HISTORY_BY_VERSION);
	char *copy = mem_strdup(ctx, words), *rest = copy, *word;
	int64_t order = 0;

	folder->refs = 1;
	folder->layout = &layout;
	folder->migrations = mem_array(folder, struct migration *, 16);
	history->table_exists = true;
	while ((word = strtok_r(rest, " ", &rest)) != NULL)
		add_word(folder, history, word, ++order);
	input->folder = folder;
	input->history = history;
	input->operation = PLAN_ROLLBACK;
	return plan_build(ctx, input);
}

/* "c>b. b>a. a>-.": what is undone, what stays the newest, where the transaction ends. */
static const char *
steps_of(const void *ctx, const struct plan *plan)
{
	char *text = mem_strdup(ctx, "");

	for (size_t i = 0; i < plan->n_steps; i++) {
		const struct plan_step *step = &plan->steps[i];

		assert_ptr_equal(step->migration, step->of->down);
		assert_non_null(step->script);
		assert_string_equal(step->row->name, step->of->id);
		text = mem_printf(ctx, "%s%s%s>%s%s", text, i ? " " : "", step->of->id,
		    step->before ? step->before->id : "-", step->commit ? "." : "");
	}
	return text;
}

static void
test_steps(void **state)
{
	static const struct {
		const char *words;
		struct plan_input input;
		const char *steps;
	} cases[] = {
		{ "a b c", { .target = "a" }, "c>b. b>a." },
		{ "a b c", { .target = "c" }, "" },
		{ "a b c", { .target = NULL }, "c>b. b>a. a>-." },
		{ "a b c", { .steps = 1 }, "c>b." },
		{ "a b c", { .steps = 3 }, "c>b. b>a. a>-." },
		{ "a b c", { .target = "c", .only = true }, "c>b." },
		{ "a b c.", { .target = "b", .only = true }, "b>a." },
		/* what is not applied need not be undone, and is no target either */
		{ "a b. c", { .target = "a" }, "c>a." },
		{ "a b. c", { .steps = 2 }, "c>a. a>-." },
		{ "a. b. c", { .target = NULL }, "c>-." },
		{ "a b. c", { .target = "b" }, "c>a." },
		{ "a.", { .target = NULL }, "" },
		{ "", { .target = NULL }, "" },
		/* what stays may be anything */
		{ "a- b* c+ d", { .target = "c" }, "d>c." },
		{ "a? b c", { .steps = 1 }, "c>b." },
		{ "a? b c", { .target = "b" }, "c>b." },
		{ "a b? c d", { .steps = 1 }, "d>c." },
		{ "a b*", { .steps = 1, .force = true }, "b>a." },
		/* one transaction, where that was asked for, and can be */
		{ "a b c",
		    { .target = "a", .policy = { .transaction = TRANSACTION_RUN } },
		    "c>b b>a." },
		{ "a b| c",
		    { .target = NULL, .policy = { .transaction = TRANSACTION_RUN } },
		    "c>b. b>a. a>-." },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		void *ctx = mem_context(NULL, "case");
		struct plan_input input = cases[i].input;
		const struct plan *plan = plan_of(ctx, cases[i].words, &input);

		if (strcmp(steps_of(ctx, plan), cases[i].steps) != 0 ||
		    err_is_set(&plan->refusal))
			fail_msg("%zu: %s: %s %s", i, cases[i].words, steps_of(ctx, plan),
			    plan->refusal.text);
		talloc_free(ctx);
	}
}

static void
test_refusals(void **state)
{
	static const struct {
		const char *words;
		struct plan_input input;
		enum category category;
		const char *text;
		const char *hint;
	} cases[] = {
		{ "a b", { .target = "x" }, CAT_RESOURCE_NOT_FOUND,
		    "there is no migration \"x\" in the folder", "GET /migrations" },
		{ "a b- c- d", { .target = "a" }, CAT_RESOURCE_NOT_FOUND,
		    "2 migrations to undo are without a way back: b, c",
		    "-- ROLLBACK SQL" },
		{ "a b-", { .steps = 1, .force = true }, CAT_RESOURCE_NOT_FOUND,
		    "1 migration to undo is without a way back: b", ".down.sql" },
		{ "a b* c", { .steps = 2 }, CAT_CHECKSUM_MISMATCH,
		    "1 migration to undo is changed since applied: b",
		    "\"force\": true" },
		{ "a b= c", { .steps = 2 }, CAT_CHECKSUM_MISMATCH,
		    "1 migration to undo is recorded with the name of another: b",
		    "\"force\": true" },
		{ "a b+ c", { .steps = 2, .force = true }, CAT_CONFIGURATION,
		    "1 migration to undo is recorded by a baseline, and never run here: b",
		    "\"pending\"" },
		{ "a b c?", { .steps = 1, .force = true }, CAT_RESOURCE_NOT_FOUND,
		    "1 migration to undo is recorded without a file, so that nobody knows "
		    "the way back: c",
		    "\"forget\"" },
		{ "a b? c", { .target = "a" }, CAT_RESOURCE_NOT_FOUND,
		    "1 migration to undo is recorded without a file, so that nobody knows "
		    "the way back: b",
		    "put the files back" },
		{ "a b?", { .target = "a" }, CAT_RESOURCE_NOT_FOUND,
		    "1 migration to undo is recorded without a file, so that nobody knows "
		    "the way back: b",
		    "put the files back" },
		{ "a~ b", { .steps = 1 }, CAT_RESOURCE_NOT_FOUND,
		    "1 migration to undo is recorded without a file, so that nobody knows "
		    "the way back: a",
		    "put the files back" },
		{ "a b c? d", { .target = "b", .only = true }, CAT_CONFIGURATION,
		    "b is not the newest: behind it there is d, c (and 1 more problem)",
		    "{\"to\": ...}" },
		{ "a b.", { .target = "b", .only = true }, CAT_CONFIGURATION,
		    "b is not applied", "" },
		{ "a b.", { .steps = 2 }, CAT_CONFIGURATION,
		    "migrations to undo: 1, not 2", "{\"all\": true}" },
		{ "a b!", { .steps = 1 }, CAT_SQL_SYNTAX_ERROR, "no statement", "" },
		{ "a b|", { .steps = 1, .pooled = true }, CAT_CONFIGURATION,
		    "b sets something for its session, and a statement of it that runs "
		    "alone may get another session from the connection pooler",
		    "database_direct_url" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		void *ctx = mem_context(NULL, "case");
		struct plan_input input = cases[i].input;
		const struct plan *plan = plan_of(ctx, cases[i].words, &input);
		const struct err *err = &plan->refusal;

		if (err->category != cases[i].category ||
		    strcmp(err->text, cases[i].text) != 0 ||
		    strstr(err->hint, cases[i].hint) == NULL || plan->n_steps > 0)
			fail_msg(
			    "%zu: %s: %s / %s", i, cases[i].words, err->text, err->hint);
		if (err->category == CAT_CONFIGURATION)
			assert_int_equal(err_http_status(err), 409);
		talloc_free(ctx);
	}
}

static void
test_out_of_order_is_another_matter(void **state)
{
	void *ctx = mem_context(NULL, "test");
	struct plan_input input = { .steps = 1 };
	const struct plan *plan = plan_of(ctx, "a. b", &input);

	(void)state;
	assert_int_equal(plan->counts[MIGRATION_OUT_OF_ORDER], 1);
	assert_int_equal(plan->n_problems, 0);
	assert_string_equal(steps_of(ctx, plan), "b>-.");
	input.history = NULL;
	plan = plan_build(ctx, &input);
	assert_int_equal(plan->n_steps, 0);
	assert_false(err_is_set(&plan->refusal));
	talloc_free(ctx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_out_of_order_is_another_matter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
