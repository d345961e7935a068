/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bounds.h"
#include "base/clock.h"
#include "base/mem.h"
#include "core/elsewhere.h"
#include "core/plan.h"
#include "scratch.h"

/*
 * Folders and histories are written as words here.
 *
 * migration   id[@order][:checksum][!]     "0002_b@20:b!" has a problem;
 * version is the order row         key[:checksum][!|+]          "10:a"; "-" a
 * NULL key, ! a failure, + a baseline; "<2" stands for all that is older, too
 *
 * Without @ the order is the migration's number in the folder, without : the
 * checksum is the first letter of the id, or NULL in a row.
 */

static const struct layout remedy_layout = { .name = "test", .remedy = "renumber it" };
static const struct layout any_layout = { .name = "any", .tracking = "any's" };

static struct migration *
add_migration(struct folder *folder, const char *id, int64_t order, const char *checksum)
{
	struct migration *m = mem_zero(folder, struct migration);
	size_t n = folder->n_migrations;

	m->id = mem_strdup(m, id);
	m->version = mem_printf(m, "%lld", (long long)order);
	m->name = m->id;
	m->file = mem_printf(m, "%s.sql", id);
	m->order = order;
	m->position = n;
	m->text = "";
	snprintf(m->checksum, sizeof(m->checksum), "%s", checksum);
	folder->migrations =
	    mem_grow(folder, folder->migrations, struct migration *, n + 1);
	folder->migrations[n] = m;
	folder->n_migrations = n + 1;
	return m;
}

static void
set_text(struct migration *m, const char *text)
{
	m->text = text;
	m->text_len = strlen(text);
	m->parts = mem_zero(m, struct part);
	m->parts[0] = (struct part){ .text = text, .len = m->text_len, .line = 1 };
	m->n_parts = 1;
}

static void
set_problem(struct migration *m, const char *text)
{
	struct err err = { 0 };

	err_set(&err, CAT_SQL_SYNTAX_ERROR, "%s", text);
	err_where(&err, m->file, 7);
	migration_set_problem(m, m, &err);
}

/* Cut what follows the last `mark` off `word`; NULL when it has none. */
static char *
cut(char *word, char mark)
{
	char *at = strrchr(word, mark);

	if (at == NULL)
		return NULL;
	*at = '\0';
	return at + 1;
}

static struct folder *
folder_of(const void *ctx, const char *words)
{
	struct folder *folder = mem_zero(ctx, struct folder);
	char *copy = mem_strdup(ctx, words), *rest = copy, *word;

	folder->refs = 1;
	folder->layout = &remedy_layout;
	while ((word = strtok_r(rest, " ", &rest)) != NULL) {
		bool invalid = cut(word, '!') != NULL;
		const char *checksum = cut(word, ':');
		const char *order = cut(word, '@');
		char letter[2] = { word[0], '\0' };
		struct migration *m = add_migration(folder, word,
		    order ? strtoll(order, NULL, 10) : (int64_t)folder->n_migrations + 1,
		    checksum ? checksum : letter);

		if (invalid)
			set_problem(m, "broken");
	}
	return folder;
}

static struct history *
history_of(const void *ctx, enum history_key key, const char *words)
{
	struct history *history = history_new(ctx, key);
	char *copy = mem_strdup(ctx, words), *rest = copy, *word;

	history->table_exists = true;
	while ((word = strtok_r(rest, " ", &rest)) != NULL) {
		struct history_row row = { .covers_older = word[0] == '<' };
		char *end;

		word += row.covers_older;

		row.failed = cut(word, '!') != NULL;
		row.baseline = cut(word, '+') != NULL;
		row.checksum = cut(word, ':');
		row.key = strcmp(word, "-") == 0 ? NULL : word;
		row.order = strtoll(word, &end, 10);
		row.has_order = *end == '\0';
		history_add(history, &row);
	}
	return history;
}

/* One letter for each item. */
static const char *
letters_of(const void *ctx, const struct plan *plan)
{
	static const char letters[] = {
		[MIGRATION_APPLIED] = 'A',
		[MIGRATION_BASELINE] = 'B',
		[MIGRATION_PENDING] = 'P',
		[MIGRATION_RUNNING] = 'R',
		[MIGRATION_FAILED] = 'F',
		[MIGRATION_IN_DOUBT] = 'D',
		[MIGRATION_MODIFIED] = 'M',
		[MIGRATION_MISSING] = '?',
		[MIGRATION_OUT_OF_ORDER] = 'O',
		[MIGRATION_UNREGISTERED] = 'U',
		[MIGRATION_INVALID] = 'I',
	};
	char *text = mem_array(ctx, char, plan->n_items + 1);

	for (size_t i = 0; i < plan->n_items; i++)
		text[i] = letters[plan->items[i].state];
	return text;
}

/* "a=applied b=pending" */
static const char *
states_of(const void *ctx, const struct plan *plan)
{
	char *text = mem_strdup(ctx, "");

	for (size_t i = 0; i < plan->n_items; i++)
		text = mem_printf(ctx, "%s%s%s=%s", text, i ? " " : "", plan->items[i].id,
		    migration_state_name(plan->items[i].state));
	return text;
}

/* "a b. c." with a point where the transaction ends */
static const char *
steps_of(const void *ctx, const struct plan *plan)
{
	char *text = mem_strdup(ctx, "");

	for (size_t i = 0; i < plan->n_steps; i++)
		text = mem_printf(ctx, "%s%s%s%s", text, i ? " " : "",
		    plan->steps[i].migration->id, plan->steps[i].commit ? "." : "");
	return text;
}

static void
check_counts(const struct plan *plan)
{
	size_t counts[MIGRATION_STATE_COUNT] = { 0 };

	for (size_t i = 0; i < plan->n_items; i++)
		counts[plan->items[i].state]++;
	assert_memory_equal(counts, plan->counts, sizeof(counts));
}

/* A folder, a history and a wish, and what must come of it. */
struct plan_case {
	const char *folder;
	const char *history; /* NULL: never read */
	const char *states;  /* see letters_of */
	const char *steps;   /* see steps_of */
	enum category refusal;
	struct plan_input input;
	enum history_key key;
	bool any_order; /* the layout has no "out of order" */
};

#define BY_FILE   .key = HISTORY_BY_FILE
#define BY_NAME   .key = HISTORY_BY_NAME
#define BY_SECOND .key = HISTORY_BY_SECOND

static void
check_cases(const struct plan_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct plan_case *c = &cases[i];
		void *ctx = mem_context(NULL, "case");
		struct plan_input input = c->input;
		struct folder *folder = folder_of(ctx, c->folder);
		struct plan *plan;

		if (c->any_order)
			folder->layout = &any_layout;
		input.folder = folder;
		if (c->history != NULL)
			input.history = history_of(ctx, c->key, c->history);
		plan = plan_build(ctx, &input);
		if (strcmp(letters_of(ctx, plan), c->states) != 0 ||
		    strcmp(steps_of(ctx, plan), c->steps) != 0 ||
		    plan->refusal.category != c->refusal)
			fail_msg("%s with %s: states %s, steps %s, refusal %s", c->folder,
			    c->history ? c->history : "nothing read",
			    letters_of(ctx, plan), steps_of(ctx, plan),
			    category_name(plan->refusal.category));
		check_counts(plan);
		talloc_free(ctx);
	}
}

static void
test_running_again(void **state)
{
	static const struct plan_case cases[] = {
		/* clang-format off */
		/* what never ran is run whatever ran before it, and each by itself */
		{ .folder = "a b c", "2:b", "PAP", "a. c.", .any_order = true },
		{ .folder = "a b", "1:z", "MP", "b.", .any_order = true },
		{ .folder = "a b", "1:a 2:z", "AP", "b.", .any_order = true,
		  .input.policy.rerun = RERUN_CHANGED },
		{ .folder = "a b", "1:a 2:z 2:b", "AA", "", .any_order = true,
		  .input.policy.rerun = RERUN_CHANGED },
		{ .folder = "a b", "1:a 2:b", "PP", "a. b.", .any_order = true,
		  .input.policy.rerun = RERUN_ALWAYS },
		{ .folder = "a b!", "1:a 2:z", "AI", "", CAT_SQL_SYNTAX_ERROR,
		  .any_order = true, .input.policy.rerun = RERUN_CHANGED },
		/* a failure is tried again, but not by itself */
		{ .folder = "a b", "1!", "FP", "a. b.", .any_order = true },
		{ .folder = "a b", "1!", "FP", "b.", .any_order = true,
		  .input.spare_failed = true },
		/* clang-format on */
	};

	(void)state;
	check_cases(cases, ARRAY_SIZE(cases));
}

static void
test_matching_by_version(void **state)
{
	static const struct plan_case cases[] = {
		/* clang-format off */
		{ .folder = "", "", "", "" },
		{ .folder = "a b", "", "PP", "a. b." },
		{ .folder = "a b", "1:a", "AP", "b." },
		{ .folder = "a b", "1:a 2:b", "AA", "" },
		{ .folder = "a b", "2:b 1:a", "AA", "" },
		/* a table without checksums */
		{ .folder = "a b", "1", "AP", "b." },
		{ .folder = "a b", "1+", "BP", "b." },
		/* the same row twice, as two migrators at once leave it */
		{ .folder = "a b", "1:a 1:a", "AP", "b." },
		{ .folder = "a b", "1:a 1:z", "AP", "b." },
		{ .folder = "a b", "1:z 1:a", "AP", "b." },
		{ .folder = "a b", "1:z 1:y", "MP", "b." },
		/* the file was edited */
		{ .folder = "a b", "1:z", "MP", "b." },
		{ .folder = "a", "1:z+", "M", "" },
		/* `when` was edited, or is gone: the hash tells */
		{ .folder = "a@5 b", "1:a", "AO", "", CAT_OUT_OF_ORDER },
		{ .folder = "a b", "-:a", "AP", "b." },
		/*
		 * equal texts are not the same migration as long as each has
		 * its own row
		 */
		{ .folder = "a:s b:s", "1:s 2:s", "AA", "" },
		{ .folder = "a:s b:s", "2:s 1:s", "AA", "" },
		{ .folder = "a:s b:s c:s", "1:s -:s", "AAP", "c." },
		{ .folder = "a:s", "1:s 9:s", "A?", "" },
		/* one `when` twice: the hash tells, then the order */
		{ .folder = "a@1 b@1", "1:a 1:b", "AA", "" },
		{ .folder = "a@1 b@1", "1:a 1:z", "AM", "" },
		{ .folder = "a@1:s b@1:s", "1:s 1:s", "AA", "" },
		{ .folder = "a@1:s b@1:s", "1:s", "AO", "", CAT_OUT_OF_ORDER },
		{ .folder = "a@1 b@1", "1 1 1", "AA", "" },
		/* nobody's rows */
		{ .folder = "a", "1:a 7:z", "A?", "" },
		{ .folder = "a", "1:a -:z", "A?", "" },
		{ .folder = "a", "1:a -", "A?", "" },
		{ .folder = "a", "1:a 7:z!", "A", "" },
		/* a file that cannot be read has no checksum to compare */
		{ .folder = "a:! b", "1:a", "AP", "b." },
		/* keys that only begin alike */
		{ .folder = "a@1 b@10 c@100", "1:a 100:c", "AOA", "", CAT_OUT_OF_ORDER },
		/* clang-format on */
	};

	(void)state;
	check_cases(cases, ARRAY_SIZE(cases));
}

static void
test_matching_by_file(void **state)
{
	static const struct plan_case cases[] = {
		/* clang-format off */
		{ .folder = "1-a 2-c", "1-a.sql", "AP", "2-c.", BY_FILE },
		{ .folder = "1-a 2-c", "1-a", "AP", "2-c.", BY_FILE },
		{ .folder = "1-a 2-c", "1-a.sql 2-c", "AA", "", BY_FILE },
		{ .folder = "1-a 2-c", "1-a:1 2-c.sql:z", "AM", "", BY_FILE },
		/* the exact name comes before the one without .sql */
		{ .folder = "a.sql@1 a@2", "a.sql", "OA", "", CAT_OUT_OF_ORDER, BY_FILE },
		{ .folder = "a c", "q", "PP?", "a. c.", BY_FILE },
		{ .folder = "a c", "q.sql:a", "AP", "c.", BY_FILE },
		/* clang-format on */
	};

	(void)state;
	check_cases(cases, ARRAY_SIZE(cases));
}

/* The same for a layout without an order of time. */
static void
check_any_order(const struct plan_case *cases, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct plan_case any_order = cases[i];

		any_order.any_order = true;
		check_cases(&any_order, 1);
	}
}

static void
test_matching_by_name(void **state)
{
	static const struct plan_case cases[] = {
		/* clang-format off */
		{ .folder = "a b", "", "PP", "a. b.", BY_NAME },
		{ .folder = "a b", "1:a", "AP", "b.", BY_NAME },
		{ .folder = "a b", "1:z 1:a", "AP", "b.", BY_NAME },
		{ .folder = "a b", "1:z", "MP", "b.", BY_NAME },
		{ .folder = "a", "1:a 7:z", "A?", "", BY_NAME },
		/* drizzle-orm 0.x has written it: the text tells, or nobody does */
		{ .folder = "a b", "1:a -:b", "AA", "", BY_NAME },
		{ .folder = "a b", "1:a -:z", "AP?", "", CAT_CONFIGURATION, BY_NAME },
		{ .folder = "a b", "1:a -:z -:y", "AP??", "", CAT_CONFIGURATION, BY_NAME },
		/* the text of a row that is another's, and of one that is nobody's */
		{ .folder = "a:s b:s", "1:s", "AP", "b.", BY_NAME },
		{ .folder = "a b", "7:b", "PP?", "", CAT_CONFIGURATION, BY_NAME },
		{ .folder = "a b", "7:b", "PP?", "a.", BY_NAME,
			.input.target = "a" },
		{ .folder = "a b", "7:b", "PP?", "a b.", BY_NAME,
			.input.operation = PLAN_BASELINE, .input.force = true },
		/* clang-format on */
	};

	(void)state;
	check_any_order(cases, ARRAY_SIZE(cases));
}

/* As up-migrations/pg.js of drizzle-orm 1.0.0-rc.5 gives names to the rows of 0.x. */
static void
test_matching_by_second(void **state)
{
	static const struct plan_case cases[] = {
		/* clang-format off */
		{ .folder = "a@1000", "", "P", "a.", BY_SECOND },
		{ .folder = "a@1000 b@2000", "1000:a", "AP", "b.", BY_SECOND },
		{ .folder = "a@1000 b@2000", "1999:a", "AP", "b.", BY_SECOND },
		{ .folder = "a@0 b@2000", "7:a", "AP", "b.", BY_SECOND },
		{ .folder = "a@0 b@-1000", "-7:a -1700:b", "AA", "", BY_SECOND },
		/* the only one of its second, whatever its text */
		{ .folder = "a@1000", "1500:z", "M", "", BY_SECOND },
		/* several: the text tells */
		{ .folder = "a@1000 b@1000 c@2000", "1001:b", "PAP", "a. c.", BY_SECOND },
		{ .folder = "a@1000 b@1000", "1001:z", "PP?", "", CAT_CONFIGURATION, BY_SECOND },
		{ .folder = "a@1000:s b@1000:s", "1001:s", "AP", "b.", BY_SECOND },
		{ .folder = "a@1000 b@1000", "1001", "PP?", "", CAT_CONFIGURATION, BY_SECOND },
		/* none: the last of that text */
		{ .folder = "a@1000:s b@2000:s", "5000:s", "PA", "a.", BY_SECOND },
		{ .folder = "a@2000:s b@1000:s", "5000:s", "AP", "b.", BY_SECOND },
		{ .folder = "a@1000 b@2000", "-:b", "PA", "a.", BY_SECOND },
		{ .folder = "a@1000 b@2000", "5000:a", "AP", "b.", BY_SECOND },
		{ .folder = "a@1000", "5000:z", "P?", "", CAT_CONFIGURATION, BY_SECOND },
		{ .folder = "a@1000", "5000", "P?", "", CAT_CONFIGURATION, BY_SECOND },
		{ .folder = "a@1000", "-:z 1000:a", "A?", "", CAT_CONFIGURATION, BY_SECOND },
		{ .folder = "", "5000:z", "?", "", CAT_CONFIGURATION, BY_SECOND },
		/* rows that are there twice are one migration's */
		{ .folder = "a@1000 b@2000", "1000:a 1000:a 1001:a", "AP", "b.", BY_SECOND },
		{ .folder = "a@1000!", "1000:z", "M", "", BY_SECOND },
		/* clang-format on */
	};

	(void)state;
	check_any_order(cases, ARRAY_SIZE(cases));
}

static void
test_order_and_policy(void **state)
{
	static const struct plan_case cases[] = {
		/* clang-format off */
		/* what drizzle-orm 0.x skips */
		{ .folder = "a c d", "1:a 3:d", "AOA", "", CAT_OUT_OF_ORDER },
		{ .folder = "a c@1", "1:a", "AO", "", CAT_OUT_OF_ORDER },
		{ .folder = "a c d e", "1:a 3:d", "AOAP", "e.",
			.input.policy.out_of_order = OUT_OF_ORDER_SKIP },
		{ .folder = "a c d e", "1:a 3:d", "AOAP", "c. e.",
			.input.policy.out_of_order = OUT_OF_ORDER_APPLY },
		/* layouts that know no order of time */
		{ .folder = "a c d", "1:a 3:d", "APA", "c.", .any_order = true },
		{ .folder = "a@9 c@3 d@5", "", "PPP", "a. c. d.", .any_order = true },
		{ .folder = "a c", "99:z", "PP?", "a. c.", .any_order = true,
			.input.policy.out_of_order = OUT_OF_ORDER_SKIP },
		/*
		 * a row from the future blocks all, whoever wrote it; without
		 * an order it says nothing
		 */
		{ .folder = "a c", "1:a 99:z", "AO?", "", CAT_OUT_OF_ORDER },
		{ .folder = "a c", "1:a 99:z!", "AP", "c." },
		{ .folder = "a c", "1:a later:z", "AP?", "c." },
		/* an edited `when` counts as it is in the folder */
		{ .folder = "a@1 c@2", "9:a", "AP", "c." },
		/* beyond the target it does not matter */
		{ .folder = "a@5 c@6 d@3", "5:a", "APO", "c.", .input.target = "c" },
		{ .folder = "a@5 c@3 d@6", "5:a", "AOP", "", CAT_OUT_OF_ORDER,
			.input.target = "d" },
		/* modified */
		{ .folder = "a c", "1:z", "MP", "", CAT_CHECKSUM_MISMATCH,
			.input.policy.on_modified = ON_MODIFIED_REFUSE },
		{ .folder = "a c d", "1:z 3:d", "MOA", "", CAT_CHECKSUM_MISMATCH,
			.input.policy = { .on_modified = ON_MODIFIED_REFUSE,
				.out_of_order = OUT_OF_ORDER_SKIP } },
		/* clang-format on */
	};

	(void)state;
	check_cases(cases, ARRAY_SIZE(cases));
}

static void
test_targets(void **state)
{
	static const struct plan_case cases[] = {
		/* clang-format off */
		{ .folder = "a c d", "", "PPP", "a. c.", .input.target = "c" },
		{ .folder = "a c d", "", "PPP", "a. c.", .input.target = "c.sql" },
		{ .folder = "a c d", "", "PPP", "a. c.", .input.target = "2" },
		{ .folder = "a c d", "1:a 2:c", "AAP", "", .input.target = "a" },
		{ .folder = "a c d", "1:a", "APP", "", CAT_RESOURCE_NOT_FOUND,
			.input.target = "q" },
		{ .folder = "a c!", "", "PI", "a.", .input.target = "a" },
		/* clang-format on */
	};

	(void)state;
	check_cases(cases, ARRAY_SIZE(cases));
}

static void
test_transactions(void **state)
{
	static const struct plan_case cases[] = {
		/* clang-format off */
		{ .folder = "a c d", "", "PPP", "a c d.",
			.input.policy.transaction = TRANSACTION_RUN },
		/*
		 * a journal with hand-made `when`: what is not newer becomes
		 * visible together
		 */
		{ .folder = "a@3 c@1 d@2", "", "PPP", "a c d." },
		{ .folder = "a@1 c@3 d@2 e@4", "", "PPPP", "a. c d. e." },
		{ .folder = "a@1 c@1 d@2", "", "PPP", "a c. d." },
		{ .folder = "a@9223372036854775807", "", "P", "a." },
		/* clang-format on */
	};

	(void)state;
	check_cases(cases, ARRAY_SIZE(cases));
}

static void
test_baseline(void **state)
{
	static const struct plan_case cases[] = {
		/* clang-format off */
		{ .folder = "a c", "", "PP", "a c.", .input.operation = PLAN_BASELINE },
		{ .folder = "a c d", "", "PPP", "a c.",
			.input = { .operation = PLAN_BASELINE, .target = "c" } },
		{ .folder = "a c", "1:a", "AP", "", CAT_CONFIGURATION,
			.input.operation = PLAN_BASELINE },
		{ .folder = "a c", "1:a 7:z", "AO?", "c.",
			.input = { .operation = PLAN_BASELINE, .force = true } },
		/* failures are no history */
		{ .folder = "a c", "1:a!", "FP", "a c.", .input.operation = PLAN_BASELINE },
		/*
		 * files are not run, so what is wrong with their text is no
		 * matter; their checksum is
		 */
		{ .folder = "a! c", "", "IP", "a c.", .input.operation = PLAN_BASELINE },
		{ .folder = "a:! c", "", "IP", "", CAT_SQL_SYNTAX_ERROR,
			.input.operation = PLAN_BASELINE },
		{ .folder = "a c", "1:z", "MP", "c.",
			.input = { .operation = PLAN_BASELINE, .force = true,
				.policy.on_modified = ON_MODIFIED_REFUSE } },
		/* clang-format on */
	};

	(void)state;
	check_cases(cases, ARRAY_SIZE(cases));
}

static void
test_running_failed_invalid(void **state)
{
	static const char *const committed[] = { "b" };
	static const struct plan_case cases[] = {
		/* clang-format off */
		{ .folder = "a c", "", "RP", "a. c.", .input.running = "a" },
		{ .folder = "a c", "1:a", "AP", "c.", .input.running = "a" },
		/* what the run has committed is known before it is read again */
		{ .folder = "a b c", "1:a", "AAR", "c.", .input.running = "c",
		    .input.committed = committed, .input.n_committed = 1 },
		{ .folder = "b c", "", "AP", "c.", .input.committed = committed,
		    .input.n_committed = 1 },
		{ .folder = "a c", "", "FP", "a. c.",
			.input = { .failed = "a", .failed_checksum = "a" } },
		{ .folder = "a c", "", "FP", "a. c.", .input = { .failed = "a" } },
		{ .folder = "a c", "", "PP", "a. c.",
			.input = { .failed = "a", .failed_checksum = "z" } },
		{ .folder = "a c", "1:a", "AP", "c.",
			.input = { .failed = "a", .failed_checksum = "a" } },
		/* a question is open */
		{ .folder = "a c", "", "DP", "a. c.",
			.input = { .failed = "a", .failed_checksum = "a", .in_doubt = true } },
		{ .folder = "a c", "", "PP", "a. c.",
			.input = { .failed = "a", .failed_checksum = "z", .in_doubt = true } },
		{ .folder = "a c", "1:a", "AP", "c.",
			.input = { .failed = "a", .in_doubt = true } },
		{ .folder = "a c", "1!", "FD", "a. c.",
			.input = { .failed = "c", .in_doubt = true } },
		/* failures that the table has kept */
		{ .folder = "a c", "1!", "FP", "a. c." },
		{ .folder = "a c", "1:a!", "FP", "a. c." },
		{ .folder = "a c", "1:z!", "PP", "a. c." },
		{ .folder = "a c", "1! 1", "AP", "c." },
		{ .folder = "a c", "1!", "PP", "a. c.",
			.input = { .failed = "a", .failed_checksum = "z" } },
		{ .folder = "a c", "-:a!", "PP", "a. c." },
		{ .folder = "a c", "a.sql!", "FP", "a. c.", BY_FILE },
		/* out of order: whether it may run at all is the greater news */
		{ .folder = "a c", "2:c", "OA", "", CAT_OUT_OF_ORDER, .input.failed = "a" },
		{ .folder = "a c", "2:c", "FA", "a.",
			.input = { .failed = "a", .policy.out_of_order = OUT_OF_ORDER_APPLY } },
		/* invalid */
		{ .folder = "a! c", "", "IP", "", CAT_SQL_SYNTAX_ERROR },
		{ .folder = "a! c", "1:a", "AP", "c." },
		/* clang-format on */
	};

	(void)state;
	check_cases(cases, ARRAY_SIZE(cases));
}

static void
test_without_a_history_nothing_is_known(void **state)
{
	static const struct plan_case cases[] = {
		/* clang-format off */
		{ .folder = "a c", NULL, "", "" },
		{ .folder = "a c!", NULL, "", "" },
		{ .folder = "a c", NULL, "", "", .input.target = "c" },
		/* clang-format on */
	};

	(void)state;
	check_cases(cases, ARRAY_SIZE(cases));
}

static void
test_unregistered_files(void **state)
{
	char *files[] = { (char[]){ "x.sql" }, (char[]){ "y.sql" } };
	struct folder *folder = folder_of(*state, "a");
	struct plan_input input = {
		.folder = folder,
		.history = history_of(*state, HISTORY_BY_VERSION, "9:z"),
		.policy.out_of_order = OUT_OF_ORDER_SKIP,
	};

	folder->unregistered = files;
	folder->n_unregistered = 2;
	assert_string_equal(states_of(*state, plan_build(*state, &input)),
	    "a=out_of_order 9=missing x.sql=unregistered y.sql=unregistered");
}

/* The plan's only problem. */
static const struct plan_problem *
only_problem(const struct plan *plan)
{
	assert_int_equal(plan->n_problems, 1);
	return &plan->problems[0];
}

static void
test_out_of_order_says_which_and_what_to_do(void **state)
{
	struct plan_input input = {
		.folder = folder_of(*state, "a@1 c@2 d@3 e@4 f@5 g@6 h@7 i@8 j@9"),
		.history = history_of(*state, HISTORY_BY_VERSION, "8:i 1:a"),
	};
	struct plan *plan = plan_build(*state, &input);
	const struct err *err = &plan->refusal;

	assert_true(only_problem(plan)->blocks);
	assert_int_equal(plan->problems[0].state, MIGRATION_OUT_OF_ORDER);
	assert_string_equal(err->text,
	    "6 migrations are not newer than the newest applied, i: c, d, e, f, g and 1 more");
	assert_string_equal(err->hint, "renumber it");
	assert_string_equal(err->migration, "c");
	assert_string_equal(err->file, "c.sql");
	assert_int_equal(err_http_status(err), 409);
	assert_int_equal(err_exit_code(err), EXIT_REFUSED);

	input.policy.out_of_order = OUT_OF_ORDER_SKIP;
	plan = plan_build(*state, &input);
	assert_false(only_problem(plan)->blocks);
	assert_string_equal(plan->problems[0].err.text,
	    "6 migrations are not newer than the newest applied, i, and left out: "
	    "c, d, e, f, g and 1 more");
	assert_string_equal(steps_of(*state, plan), "j.");

	input.policy.out_of_order = OUT_OF_ORDER_APPLY;
	plan = plan_build(*state, &input);
	assert_int_equal(plan->n_problems, 0);
	assert_string_equal(steps_of(*state, plan), "c. d. e. f. g. h. j.");
}

static void
test_one_out_of_order_after_a_row_without_a_file(void **state)
{
	struct folder *folder = folder_of(*state, "a");
	struct plan_input input = {
		.folder = folder,
		.history = history_of(*state, HISTORY_BY_VERSION, "9:z"),
	};
	struct plan *plan;

	folder->layout = NULL;
	plan = plan_build(*state, &input);
	assert_string_equal(
	    plan->refusal.text, "1 migration is not newer than the newest applied, 9: a");
	assert_string_equal(plan->refusal.hint, "");
}

static void
test_modified_says_which(void **state)
{
	struct plan_input input = {
		.folder = folder_of(*state, "a c d"),
		.history = history_of(*state, HISTORY_BY_VERSION, "1:y 2:z 3:d"),
	};
	struct plan *plan = plan_build(*state, &input);

	assert_false(only_problem(plan)->blocks);
	assert_int_equal(plan->refusal.category, CAT_NONE);
	assert_string_equal(
	    plan->problems[0].err.text, "2 applied migrations were changed since: a, c");
	assert_int_equal(plan->problems[0].err.category, CAT_CHECKSUM_MISMATCH);

	input.policy.on_modified = ON_MODIFIED_REFUSE;
	input.history = history_of(*state, HISTORY_BY_VERSION, "1:y 2:c 3:d");
	plan = plan_build(*state, &input);
	assert_true(only_problem(plan)->blocks);
	assert_string_equal(
	    plan->refusal.text, "1 applied migration was changed since: a");
	assert_string_equal(plan->refusal.file, "a.sql");
	assert_int_equal(err_exit_code(&plan->refusal), EXIT_DRIFT);
}

/* A person who names a row means that one. */
static void
test_rows_of_one_name_go_by_their_keys(void **state)
{
	struct plan_input input = {
		.folder = folder_of(*state, "a@9 b@10"),
		.history = history_of(*state, HISTORY_BY_VERSION, "1 2 3 4 -"),
	};
	struct history_row *rows = input.history->rows;
	static const char *const names[] = { "undo", "undo", "b", "c", "undo" };
	const struct plan *plan;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		rows[i].name = names[i];
	plan = plan_build(*state, &input);
	assert_string_equal(states_of(*state, plan),
	    "a=pending b=pending 1=missing 2=missing 3=missing c=missing undo=missing");
	assert_ptr_equal(plan_find(plan, "2")->row, &rows[1]);
	assert_string_equal(plan_find(plan, "2")->id, "2");
}

/* Of a table without checksums, whose rows have names. */
static void
test_the_name_of_another_is_a_warning(void **state)
{
	struct plan_input input = {
		.folder = folder_of(*state, "0001_users 0002_orders 0003_items"),
		.history = history_of(*state, HISTORY_BY_VERSION, "1 2"),
	};
	struct history_row *rows = input.history->rows;
	struct plan *plan;

	rows[0].name = "users";
	rows[1].name = "orders";
	plan = plan_build(*state, &input);
	assert_int_equal(plan->n_problems, 0);

	rows[1].name = "invoices";
	plan = plan_build(*state, &input);
	assert_false(only_problem(plan)->blocks);
	assert_string_equal(plan->problems[0].err.text,
	    "1 migration counts as applied by the number alone, recorded with another "
	    "name, invoices: 0002_orders");
	assert_string_equal(plan->problems[0].err.file, "0002_orders.sql");
	assert_string_equal(steps_of(*state, plan), "0003_items.");

	rows[0].name = "people";
	plan = plan_build(*state, &input);
	assert_string_equal(only_problem(plan)->err.text,
	    "2 migrations count as applied by the number alone, recorded with another "
	    "name, people: 0001_users, 0002_orders");

	/* a watermark has the name of one, and a version that is all there is nothing else */
	rows[0].covers_older = true;
	input.folder->migrations[1]->version = "0002_orders";
	rows[1].key = "0002_orders";
	assert_int_equal(plan_build(*state, &input)->n_problems, 0);
}

static void
test_missing_rows_are_a_warning(void **state)
{
	struct plan_input input = {
		.folder = folder_of(*state, "c@9"),
		.history = history_of(*state, HISTORY_BY_VERSION, "1:y 2:z"),
	};
	struct plan *plan = plan_build(*state, &input);

	assert_false(only_problem(plan)->blocks);
	assert_int_equal(plan->problems[0].state, MIGRATION_MISSING);
	assert_string_equal(plan->problems[0].err.text,
	    "2 recorded migrations have no file in the folder: 1, 2");
	assert_string_equal(steps_of(*state, plan), "c.");

	input.history = history_of(*state, HISTORY_BY_VERSION, "1:y");
	plan = plan_build(*state, &input);
	assert_string_equal(only_problem(plan)->err.text,
	    "1 recorded migration has no file in the folder: 1");
}

static void
test_a_row_is_called_by_what_it_has(void **state)
{
	struct history *history = history_new(*state, HISTORY_BY_VERSION);
	struct plan_input input = { .folder = folder_of(*state, ""), .history = history };

	history_add(history, &(struct history_row){ .key = "7", .name = "users" });
	history_add(history, &(struct history_row){ .key = "8", .name = "" });
	assert_string_equal(
	    states_of(*state, plan_build(*state, &input)), "users=missing 8=missing");
}

static void
test_null_keys_are_a_warning(void **state)
{
	struct plan_input input = {
		.folder = folder_of(*state, "a c d"),
		.history = history_of(*state, HISTORY_BY_VERSION, "-:a"),
	};
	struct plan *plan = plan_build(*state, &input);

	assert_false(only_problem(plan)->blocks);
	assert_non_null(strstr(plan->problems[0].err.text,
	    "1 row of the tracking table without created_at: drizzle-orm 0.x would run"));
	assert_string_equal(steps_of(*state, plan), "c. d.");

	input.history = history_of(*state, HISTORY_BY_VERSION, "-:a -:c");
	plan = plan_build(*state, &input);
	assert_non_null(strstr(only_problem(plan)->err.text, "2 rows of"));

	/* other tables than Drizzle's are not read by drizzle-orm */
	input.history = history_of(*state, HISTORY_BY_FILE, "-:a");
	plan = plan_build(*state, &input);
	assert_int_equal(plan->n_problems, 0);
}

/* ---- whose table it is ---- */

static void
check_only_problem(void *ctx, struct plan_input *input, enum history_key key,
    const char *rows, bool blocks, const char *text, const char *hint)
{
	struct plan *plan;

	input->history = history_of(ctx, key, rows);
	plan = plan_build(ctx, input);
	assert_string_equal(only_problem(plan)->err.text, text);
	assert_non_null(strstr(only_problem(plan)->err.hint, hint));
	assert_int_equal(only_problem(plan)->blocks, blocks);
	if (!blocks)
		return;
	assert_int_equal(err_http_status(&plan->refusal), 409);
	assert_int_equal(err_exit_code(&plan->refusal), EXIT_REFUSED);
	assert_int_equal(plan->n_steps, 0);
}

static void
test_a_table_of_another_layout(void **state)
{
	struct folder *folder = folder_of(*state, "a");
	struct history *history = history_of(*state, HISTORY_BY_VERSION, "");
	struct plan_input input = { .folder = folder, .history = history };
	struct plan *plan;

	folder->layout = &any_layout;
	history->needs_layout = "drizzle";
	plan = plan_build(*state, &input);
	assert_string_equal(plan->refusal.text,
	    "the tracking table holds what layout drizzle alone has, and the layout of "
	    "this folder is any");
	assert_string_equal(plan->refusal.hint, "set tracking = any's, or auto");
	assert_int_equal(err_http_status(&plan->refusal), 409);
	history->needs_layout = "any";
	assert_int_equal(plan_build(*state, &input)->n_problems, 0);
	folder->layout = NULL;
	assert_int_equal(plan_build(*state, &input)->n_problems, 0);
}

static void
test_an_older_table(void **state)
{
	struct folder *folder = folder_of(*state, "a@1000 c@2000");
	struct plan_input input = { .folder = folder };

	folder->layout = &any_layout;
	check_only_problem(*state, &input, HISTORY_BY_SECOND, "1000:a", false,
	    "the tracking table is drizzle-orm 0.x's, this folder is 1.0's: the next run "
	    "upgrades the table, as drizzle-orm 1.0 does",
	    "drizzle-orm 0.x must not run");
	check_only_problem(*state, &input, HISTORY_BY_SECOND, "1000:a 5001:x 6002:y",
	    true,
	    "the tracking table is drizzle-orm 0.x's and cannot be upgraded: no migration of "
	    "this folder is created_at 5001, 6002",
	    "drizzle-kit up");
}

static void
test_rows_without_a_name(void **state)
{
	struct plan_input input = { .folder = folder_of(*state, "a c d") };

	check_only_problem(*state, &input, HISTORY_BY_NAME, "1:a -:c", false,
	    "1 row of the tracking table without a name, known by the text alone: c",
	    "drizzle-orm 1.0 would run them again");
	check_only_problem(*state, &input, HISTORY_BY_NAME, "-:a -:c", false,
	    "2 rows of the tracking table without a name, known by the text alone: a, c",
	    "set the name");
}

static void
test_rows_without_a_name_that_nobody_knows(void **state)
{
	struct plan_input input = { .folder = folder_of(*state, "a c"),
		.history = history_of(*state, HISTORY_BY_NAME, "-:x") };
	struct plan *plan = plan_build(*state, &input);

	assert_string_equal(plan->refusal.text,
	    "1 row of the tracking table without a name, and no migration with that text: "
	    "x");
	assert_non_null(strstr(plan->refusal.hint, "delete the row"));
	input.history = history_of(*state, HISTORY_BY_NAME, "-:x -:y");
	plan = plan_build(*state, &input);
	assert_non_null(strstr(plan->refusal.text, "2 rows of"));
	assert_int_equal(err_exit_code(&plan->refusal), EXIT_REFUSED);
}

static void
test_renamed_says_which(void **state)
{
	struct plan_input input = {
		.folder = folder_of(*state, "a c d"),
		.history = history_of(*state, HISTORY_BY_NAME, "1:a old:c"),
	};
	struct plan *plan = plan_build(*state, &input);

	assert_string_equal(plan->refusal.text,
	    "1 migration has the text of what is recorded under another name, old: c");
	assert_string_equal(plan->refusal.migration, "c");
	assert_non_null(strstr(plan->refusal.hint, "its old name"));
	assert_int_equal(err_http_status(&plan->refusal), 409);
	input.history = history_of(*state, HISTORY_BY_NAME, "1:a old:c older:d");
	plan = plan_build(*state, &input);
	assert_string_equal(plan->refusal.text,
	    "2 migrations have the text of what is recorded under another name, old: c, d");
}

static void
test_baseline_over_a_history(void **state)
{
	struct plan_input input = {
		.folder = folder_of(*state, "a c"),
		.history = history_of(*state, HISTORY_BY_VERSION, "1:a"),
		.operation = PLAN_BASELINE,
	};
	struct plan *plan = plan_build(*state, &input);

	assert_string_equal(plan->refusal.text,
	    "the tracking table is not empty: 1 row of applied migrations");
	assert_int_equal(err_http_status(&plan->refusal), 409);
	assert_int_equal(err_exit_code(&plan->refusal), EXIT_REFUSED);

	input.history = history_of(*state, HISTORY_BY_VERSION, "1:a 2:c");
	plan = plan_build(*state, &input);
	assert_non_null(strstr(plan->refusal.text, "2 rows of"));
}

static void
test_an_unknown_target_is_quoted(void **state)
{
	struct plan_input input = { .folder = folder_of(*state, "a"),
		.target = "0007_x" };
	struct plan *plan = plan_build(*state, &input);

	assert_string_equal(
	    plan->refusal.text, "there is no migration \"0007_x\" in the folder");
	assert_int_equal(err_http_status(&plan->refusal), 404);
}

/* ---- scripts ---- */

static void
test_a_script_that_cannot_be_run(void **state)
{
	struct folder *folder = folder_of(*state, "a c");
	struct plan_input input = {
		.folder = folder,
		.history = history_of(*state, HISTORY_BY_VERSION, "1:a"),
	};
	struct plan *plan;

	/* what is applied is not looked at */
	set_text(folder->migrations[0], "ROLLBACK");
	set_text(folder->migrations[1], "SELECT 1;\n\nROLLBACK;");
	plan = plan_build(*state, &input);
	assert_int_equal(plan->n_steps, 0);
	assert_int_equal(only_problem(plan)->state, MIGRATION_INVALID);
	assert_true(plan->problems[0].blocks);
	assert_int_equal(plan->refusal.category, CAT_SQL_ERROR);
	assert_int_equal(err_exit_code(&plan->refusal), EXIT_REFUSED);
	assert_string_equal(plan->refusal.file, "c.sql");
	assert_string_equal(plan->refusal.migration, "c");
	assert_int_equal(plan->refusal.line, 3);
	assert_int_equal(plan->refusal.statement, 2);
	assert_string_not_equal(plan->refusal.hint, "");

	/* nothing is run by a baseline */
	input.operation = PLAN_BASELINE;
	input.force = true;
	plan = plan_build(*state, &input);
	assert_int_equal(plan->refusal.category, CAT_NONE);
	assert_int_equal(plan->n_steps, 1);
	assert_null(plan->steps[0].script);
}

static void
test_each_step_has_its_script(void **state)
{
	struct folder *folder = folder_of(*state, "a c");
	struct plan_input input = {
		.folder = folder,
		.history = history_of(*state, HISTORY_BY_VERSION, ""),
	};
	struct plan *plan;

	set_text(folder->migrations[0], "SELECT 1; SELECT 'COMMIT';");
	set_text(folder->migrations[1], "CREATE INDEX CONCURRENTLY i ON t (x);");
	plan = plan_build(*state, &input);
	assert_string_equal(steps_of(*state, plan), "a. c.");
	assert_true(plan->steps[0].script->plain);
	assert_false(plan->steps[1].script->plain);
	assert_int_equal(plan->steps[1].script->n_segments, 1);
	assert_int_equal(plan->n_problems, 0);
}

/* Behind a pooler what runs alone finds nothing of what was set before it. */
static void
test_a_setting_that_a_pooler_loses(void **state)
{
	static const struct {
		const char *text;
		unsigned line; /* of the setting; 0: it is right */
	} rows[] = {
		{ "SELECT 1;\nSET search_path = app;\nVACUUM;\nSELECT 2;", 2 },
		{ "VACUUM;\nSELECT set_config('search_path', 'app', false);\nVACUUM;",
		    2 },
		{ "-- migrationd: no-transaction\nSET search_path = app;\nSELECT 1;", 2 },
		{ "VACUUM;\nSET search_path = app;\nSELECT 1;", 0 },
		{ "SET LOCAL search_path = app;\nSELECT 1;\nVACUUM;", 0 },
		{ "SET search_path = app;\nSELECT 1;", 0 },
		{ "CREATE INDEX CONCURRENTLY i ON app.t (x);", 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct folder *folder = folder_of(*state, "a");
		struct plan_input input = {
			.folder = folder,
			.history = history_of(*state, HISTORY_BY_VERSION, ""),
			.pooled = true,
		};
		struct plan *plan;

		set_text(folder->migrations[0], rows[i].text);
		plan = plan_build(*state, &input);
		assert_int_equal(plan->refusal.category,
		    rows[i].line > 0 ? CAT_CONFIGURATION : CAT_NONE);
		assert_int_equal(plan->refusal.line, rows[i].line);
		assert_int_equal(plan->n_steps, rows[i].line == 0);
		if (rows[i].line > 0)
			assert_non_null(
			    strstr(plan->refusal.hint, "database_direct_url"));
		/* a session of our own keeps it */
		input.pooled = false;
		assert_int_equal(plan_build(*state, &input)->refusal.category, CAT_NONE);
	}
}

/* A file in segments ends the transaction before it, and its own. */
static void
test_a_script_in_segments_commits(void **state)
{
	static const struct {
		const char *folder;
		enum plan_transaction transaction;
		unsigned split;     /* which migration runs in segments, from 0 */
		const char *steps;  /* see steps_of */
		const char *warned; /* id, or NULL */
	} rows[] = {
		{ "a c d e", TRANSACTION_MIGRATION, 1, "a. c. d. e.", NULL },
		{ "a c d e", TRANSACTION_RUN, 0, "a. c d e.", "a" },
		{ "a c d e", TRANSACTION_RUN, 1, "a. c. d e.", "c" },
		{ "a c d e", TRANSACTION_RUN, 2, "a c. d. e.", "d" },
		{ "a c d e", TRANSACTION_RUN, 3, "a c d. e.", "e" },
		{ "a", TRANSACTION_RUN, 0, "a.", NULL },
		/* what should become visible together */
		{ "a@5 c@1 d@2 e@6", TRANSACTION_MIGRATION, 1, "a. c. d. e.", "c" },
		{ "a@5 c@1 d@2 e@6", TRANSACTION_MIGRATION, 3, "a c d. e.", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct folder *folder = folder_of(*state, rows[i].folder);
		struct plan_input input = {
			.folder = folder,
			.history = history_of(*state, HISTORY_BY_VERSION, ""),
			.policy.transaction = rows[i].transaction,
		};
		struct plan *plan;

		set_text(folder->migrations[rows[i].split], "VACUUM");
		plan = plan_build(*state, &input);
		assert_string_equal(steps_of(*state, plan), rows[i].steps);
		assert_int_equal(plan->n_problems, rows[i].warned != NULL);
		if (rows[i].warned == NULL)
			continue;
		assert_false(plan->problems[0].blocks);
		assert_string_equal(plan->problems[0].err.migration, rows[i].warned);
		assert_non_null(strstr(
		    plan->problems[0].err.text, "cannot be part of one transaction"));
	}
}

/* The file itself may say that it runs although it is late. */
static void
test_the_out_of_order_directive(void **state)
{
	static const struct {
		const char *c, *d;
		enum plan_out_of_order policy;
		const char *steps;
		unsigned listed; /* as out of order */
	} rows[] = {
		{ "-- migrationd: out-of-order", "-- migrationd: out-of-order",
		    OUT_OF_ORDER_REFUSE, "c. d. f.", 0 },
		{ "-- migrationd: out-of-order", "", OUT_OF_ORDER_REFUSE, "", 1 },
		{ "-- migrationd: out-of-order", "", OUT_OF_ORDER_SKIP, "c. f.", 1 },
		{ "", "", OUT_OF_ORDER_APPLY, "c. d. f.", 0 },
		/* one that is wrong allows nothing */
		{ "-- migrationd: out-of-ordre", "-- migrationd: out-of-order",
		    OUT_OF_ORDER_REFUSE, "", 1 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct folder *folder = folder_of(*state, "a c d e f");
		struct plan_input input = {
			.folder = folder,
			.history = history_of(*state, HISTORY_BY_VERSION, "1:a 4:e"),
			.policy.out_of_order = rows[i].policy,
		};
		struct plan *plan;

		set_text(folder->migrations[1], rows[i].c);
		set_text(folder->migrations[2], rows[i].d);
		plan = plan_build(*state, &input);
		assert_string_equal(letters_of(*state, plan), "AOOAP");
		assert_string_equal(steps_of(*state, plan), rows[i].steps);
		assert_int_equal(plan->n_problems, rows[i].listed != 0);
		if (rows[i].listed == 0)
			continue;
		assert_int_equal(plan->problems[0].err.category, CAT_OUT_OF_ORDER);
		assert_int_equal(strtol(plan->problems[0].err.text, NULL, 10), 1);
	}
}

/* ---- problems of files and folder ---- */

static struct folder_problem
folder_problem(bool blocks, const char *file, const char *text)
{
	struct folder_problem problem = { .state = MIGRATION_INVALID, .blocks = blocks };

	err_set(&problem.err, CAT_SECURITY_VIOLATION, "%s", text);
	if (file != NULL)
		err_where(&problem.err, file, 7);
	return problem;
}

static void
test_folder_problems(void **state)
{
	struct folder *folder = folder_of(*state, "a! c");
	struct folder_problem problems[] = {
		folder_problem(false, "a.sql", "broken"),
		folder_problem(false, NULL, "a note"),
		folder_problem(true, "c.sql", "a link that leads out"),
	};
	struct plan_input input = {
		.folder = folder,
		.history = history_of(*state, HISTORY_BY_VERSION, "1:a"),
	};
	struct plan *plan;

	/* notes and what is wrong with applied files: warnings, each once */
	folder->problems = problems;
	folder->n_problems = 2;
	plan = plan_build(*state, &input);
	assert_int_equal(plan->refusal.category, CAT_NONE);
	assert_string_equal(steps_of(*state, plan), "c.");
	assert_int_equal(plan->n_problems, 2);
	assert_string_equal(plan->problems[0].err.text, "broken");
	assert_string_equal(plan->problems[1].err.text, "a note");
	assert_false(plan->problems[0].blocks || plan->problems[1].blocks);

	/*
	 * what blocks comes first, with or without a history, also for a
	 * baseline
	 */
	folder->n_problems = 3;
	plan = plan_build(*state, &input);
	assert_int_equal(plan->n_problems, 3);
	assert_true(plan->problems[0].blocks);
	assert_string_equal(plan->refusal.text, "a link that leads out");
	assert_int_equal(plan->n_steps, 0);
	input.operation = PLAN_BASELINE;
	input.force = true;
	assert_true(err_is_set(&plan_build(*state, &input)->refusal));
	input.history = NULL;
	assert_true(err_is_set(&plan_build(*state, &input)->refusal));
}

static void
test_a_refusal_counts_what_else_blocks(void **state)
{
	struct folder *folder = folder_of(*state, "a! c! d!");
	struct folder_problem problem = folder_problem(true, "a.sql", "broken");
	struct plan_input input = {
		.folder = folder,
		.history = history_of(*state, HISTORY_BY_VERSION, ""),
	};
	struct plan *plan = plan_build(*state, &input);

	assert_int_equal(plan->n_problems, 3);
	assert_string_equal(plan->refusal.text, "broken (and 2 more problems)");
	assert_string_equal(plan->refusal.file, "a.sql");
	assert_int_equal(plan->refusal.line, 7);

	/* the folder says the same of the first: still three */
	folder->problems = &problem;
	folder->n_problems = 1;
	plan = plan_build(*state, &input);
	assert_string_equal(plan->refusal.text, "broken (and 2 more problems)");

	input.target = "c";
	plan = plan_build(*state, &input);
	assert_string_equal(plan->refusal.text, "broken (and 1 more problem)");
}

static void
test_problems_are_bounded_and_counted(void **state)
{
	struct folder *folder = folder_of(*state, "");
	struct plan_input input = {
		.folder = folder,
		.history = history_of(*state, HISTORY_BY_VERSION, ""),
	};
	unsigned n = BOUND_PLAN_PROBLEMS + 11;
	struct plan *plan;
	char word[64];

	for (unsigned i = 0; i < n; i++) {
		snprintf(word, sizeof(word), "m%u", i);
		set_problem(add_migration(folder, word, i, "s"), "broken");
	}
	plan = plan_build(*state, &input);
	assert_int_equal(plan->n_problems, BOUND_PLAN_PROBLEMS);
	assert_int_equal(plan->counts[MIGRATION_INVALID], n);
	snprintf(word, sizeof(word), "broken (and %u more problems)", n - 1);
	assert_string_equal(plan->refusal.text, word);
}

/* ---- finding ---- */

static void
test_find(void **state)
{
	char *files[] = { (char[]){ "x.sql" } };
	struct folder *folder = folder_of(*state, "a@1 c@2 d@3");
	struct plan_input input = {
		.folder = folder,
		.history = history_of(*state, HISTORY_BY_VERSION, "1:a 77:z"),
		.policy.out_of_order = OUT_OF_ORDER_SKIP,
	};
	struct plan *plan;

	folder->unregistered = files;
	folder->n_unregistered = 1;
	folder->migrations[1]->version = "a.sql";
	folder->migrations[2]->version = "a";
	plan = plan_build(*state, &input);
	assert_string_equal(plan_find(plan, "a")->id, "a");
	assert_string_equal(plan_find(plan, "a.sql")->id, "a");
	assert_string_equal(plan_find(plan, "c.sql")->id, "c");
	assert_string_equal(plan_find(plan, "1")->id, "a");
	assert_int_equal(plan_find(plan, "77")->state, MIGRATION_MISSING);
	assert_int_equal(plan_find(plan, "x.sql")->state, MIGRATION_UNREGISTERED);
	assert_null(plan_find(plan, "nothing"));
}

/* ---- size ---- */

#define MANY      10000
#define MANY_ROWS 100000

/*
 * Rows times migrations would be a thousand million comparisons, and the status
 * is planned anew with each look.
 */
static void
check_many(void *ctx, bool keys_match, bool one_text)
{
	struct folder *folder = folder_of(ctx, "");
	struct history *history = history_new(ctx, HISTORY_BY_VERSION);
	struct plan_input input = { .folder = folder, .history = history };
	int64_t start_us = 0;
	struct plan *plan;

	for (int i = 0; i < MANY; i++)
		add_migration(folder, mem_printf(ctx, "%05d_m", i), 1700000000000 + i,
		    one_text ? "same" : mem_printf(ctx, "hash%d", i));
	for (int i = MANY_ROWS - 1; i >= 0; i--) {
		const struct migration *m = folder->migrations[i % MANY];
		struct history_row row = {
			.key = keys_match ? m->version : NULL,
			.checksum = m->checksum,
		};

		history_add(history, &row);
	}
	start_us = clock_mono_us();
	plan = plan_build(ctx, &input);
	assert_true(clock_mono_us() - start_us < 10 * 1000000);
	assert_int_equal(plan->counts[MIGRATION_APPLIED], MANY);
	assert_int_equal(plan->n_steps, 0);
}

static void
test_many_with_their_own_rows(void **state)
{
	check_many(*state, true, false);
}

static void
test_many_by_their_checksums(void **state)
{
	check_many(*state, false, false);
}

static void
test_many_of_one_text(void **state)
{
	check_many(*state, false, true);
	check_many(*state, true, true);
}

/* A watermark, or a baseline in the table. */
static void
test_rows_that_stand_for_older_ones(void **state)
{
	static const struct plan_case cases[] = {
		/* clang-format off */
		{ .folder = "a b c", "<2", "AAP", "c." },
		{ .folder = "a b c", "<3", "AAA", "" },
		{ .folder = "a b c", "<2+", "BBP", "c." },
		{ .folder = "a b c", "<2!", "PFP", "a. b. c." },
		{ .folder = "a b c", "<2:b 3:z", "AAM", "" },
		/* the file of the watermark is gone, or came with a newer release */
		{ .folder = "a b@5 c@9", "<7", "AAP?", "c." },
		{ .folder = "a b", "<7", "AA?", "" },
		/* nobody knows where it stands */
		{ .folder = "a b", "<x", "PP?", "a. b." },
		/* clang-format on */
	};

	(void)state;
	check_cases(cases, ARRAY_SIZE(cases));
}

static bool
place_x_at_two(const struct folder *folder, const char *version, int64_t *order)
{
	assert_non_null(folder);
	*order = 2;
	return strcmp(version, "x") == 0;
}

/* Where a layout says which place a version has, the number in the row says nothing. */
static void
test_a_layout_that_places_rows(void **state)
{
	static const struct layout placing = {
		.name = "test", .remedy = "renumber it", .place = place_x_at_two
	};
	static const struct {
		const char *history, *states;
	} rows[] = {
		{ "x", "OP?" },
		{ "<x", "AP?" },
		{ "99", "PP?" },
		{ "-", "PP?" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct folder *folder = folder_of(*state, "a b@3");
		struct plan_input input = {
			.folder = folder,
			.history =
			    history_of(*state, HISTORY_BY_VERSION, rows[i].history),
		};

		folder->layout = &placing;
		assert_string_equal(
		    letters_of(*state, plan_build(*state, &input)), rows[i].states);
	}
}

/* The third does. */
static void
test_what_stands_in_for_older_ones(void **state)
{
	static const struct {
		const char *history, *states, *steps;
	} rows[] = {
		{ "", "BBPP", "m. z." },
		{ "9!", "BBPP", "m. z." },
		{ "1", "APBP", "b. z." },
		{ "3", "PPAP", "a. b. z." },
		{ "<3", "AAAP", "z." },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct folder *folder = folder_of(*state, "a b m z");
		struct plan_input input = { .folder = folder };
		struct plan *plan = NULL;

		folder->layout = &any_layout;
		folder->migrations[0]->stands_in = i == 0; /* an older one of them */
		folder->migrations[2]->stands_in = true;
		input.history = history_of(*state, HISTORY_BY_VERSION, rows[i].history);
		plan = plan_build(*state, &input);
		assert_string_equal(letters_of(*state, plan), rows[i].states);
		assert_string_equal(steps_of(*state, plan), rows[i].steps);
	}
}

/* What the layout's own tool hashes is what its rows are held against. */
static void
test_checksums_of_other_tools(void **state)
{
	static const struct {
		const char *history, *states;
	} rows[] = {
		{ "1:tool 2:b", "AM" },
		{ "1:a", "MP" },
		{ "9:tool", "AP" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct folder *folder = folder_of(*state, "a b");
		struct plan_input input = { .folder = folder };

		folder->migrations[0]->tool_checksum = "tool";
		folder->migrations[1]->tool_checksum = "other";
		input.history = history_of(*state, HISTORY_BY_VERSION, rows[i].history);
		assert_string_equal(
		    letters_of(*state, plan_build(*state, &input)), rows[i].states);
	}
}

/* A row without a checksum is held against our journal's. */
static void
test_checksums_of_the_journal(void **state)
{
	static const struct {
		const char *history, *noted, *states;
	} rows[] = {
		{ "1 2", "z", "MA" },
		{ "1 2", "a", "AA" },
		{ "1:a 2", "z", "AA" }, /* the row counts more */
		{ "<2", "z", "MA" },
		{ "", "z", "PP" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct history *history =
		    history_of(*state, HISTORY_BY_VERSION, rows[i].history);
		struct plan_input input = { .folder = folder_of(*state, "a b"),
			.history = history };

		history_note_checksum(history, "a", rows[i].noted);
		assert_string_equal(
		    letters_of(*state, plan_build(*state, &input)), rows[i].states);
	}
}

static void
test_what_must_never_change(void **state)
{
	static const struct {
		struct plan_range range;
		const char *history;
		enum plan_operation operation;
		const char *says; /* NULL: no refusal */
	} rows[] = {
		{ { 1, 9 }, "1:x 2:x 10:x", PLAN_APPLY,
		    "2 migrations were changed that must not, by immutable = 1-9: 001-a, "
		    "V2__c" },
		{ { 2, 2 }, "1:x 2:x 10:x", PLAN_APPLY,
		    "1 migration was changed that must" },
		{ { 3, 9 }, "1:x 2:x 10:x", PLAN_APPLY, NULL },
		{ { 0, 0 }, "1:x 2:x 10:x", PLAN_APPLY, NULL },
		{ { 1, 9 }, "1:0 2:V 10:x", PLAN_APPLY, NULL },
		{ { 1, 9 }, "1:x 2:x 10:x", PLAN_REPAIR, NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct plan_input input = {
			.folder = folder_of(*state, "001-a V2__c plain@10 9-new@11"),
			.history =
			    history_of(*state, HISTORY_BY_VERSION, rows[i].history),
			.operation = rows[i].operation,
			.policy = { .immutable = rows[i].range },
		};
		const struct err *refusal = &plan_build(*state, &input)->refusal;

		assert_int_equal(err_is_set(refusal), rows[i].says != NULL);
		if (!rows[i].says)
			continue;
		assert_int_equal(refusal->category, CAT_CHECKSUM_MISMATCH);
		assert_memory_equal(refusal->text, rows[i].says, strlen(rows[i].says));
	}
}

static void
test_a_table_that_says_stop(void **state)
{
	struct history *history = history_of(*state, HISTORY_BY_VERSION, "<1");
	struct plan_input input = {
		.folder = folder_of(*state, "a b"),
		.history = history,
	};
	struct err err = { .exit_code = EXIT_REFUSED };
	struct plan *plan = NULL;

	err_set(&err, CAT_CONFIGURATION, "dirty");
	history_stop(history, &err);
	plan = plan_build(*state, &input);
	assert_string_equal(plan->refusal.text, "dirty");
	assert_int_equal(plan->n_steps, 0);
	assert_string_equal(letters_of(*state, plan), "AP");
}

static void
test_rows_elsewhere(void **state)
{
	struct history *others = history_new(*state, HISTORY_BY_VERSION);
	struct elsewhere_table table = { "public", "_sqlx_migrations", "sqlx", others };
	struct elsewhere elsewhere = { "o.u", &table, 1 };
	struct history *history = history_of(*state, HISTORY_BY_VERSION, "");
	struct plan_input input = {
		.folder = folder_of(*state, "a b"),
		.history = history,
	};
	struct plan *plan = NULL;

	history->elsewhere = &elsewhere;
	/* another application's: said, and no harm */
	history_add(others, &(struct history_row){ .key = "not of this folder" });
	plan = plan_build(*state, &input);
	assert_int_equal(plan->refusal.category, CAT_NONE);
	assert_int_equal(plan->n_steps, 2);
	assert_int_equal(plan->n_problems, 1);
	assert_false(plan->problems[0].blocks);
	assert_non_null(strstr(plan->problems[0].err.text, "public._sqlx_migrations"));
	history_add(
	    others, &(struct history_row){ .key = input.folder->migrations[0]->id });
	plan = plan_build(*state, &input);
	assert_non_null(strstr(plan->refusal.text, "public._sqlx_migrations"));
	assert_int_equal(plan->n_steps, 0);
	/* a baseline runs nothing */
	input.operation = PLAN_BASELINE;
	plan = plan_build(*state, &input);
	assert_int_equal(plan->refusal.category, CAT_NONE);
	assert_int_equal(plan->n_steps, 2);
	/* nor is there anything to run in an empty folder */
	input.operation = PLAN_APPLY;
	input.folder = folder_of(*state, "");
	plan = plan_build(*state, &input);
	assert_int_equal(plan->refusal.category, CAT_NONE);
	/* ours has a row by now: what else there is says nothing */
	input.folder = folder_of(*state, "a b");
	history = history_of(*state, HISTORY_BY_VERSION, "a");
	history->elsewhere = &elsewhere;
	input.history = history;
	plan = plan_build(*state, &input);
	for (size_t i = 0; i < plan->n_problems; i++)
		assert_null(strstr(plan->problems[i].err.text, "_sqlx_migrations"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(test_running_again),
		SCRATCH_TEST(test_matching_by_version),
		SCRATCH_TEST(test_matching_by_file),
		SCRATCH_TEST(test_matching_by_name),
		SCRATCH_TEST(test_matching_by_second),
		SCRATCH_TEST(test_rows_that_stand_for_older_ones),
		SCRATCH_TEST(test_a_layout_that_places_rows),
		SCRATCH_TEST(test_what_stands_in_for_older_ones),
		SCRATCH_TEST(test_checksums_of_other_tools),
		SCRATCH_TEST(test_checksums_of_the_journal),
		SCRATCH_TEST(test_what_must_never_change),
		SCRATCH_TEST(test_a_table_that_says_stop),
		SCRATCH_TEST(test_rows_elsewhere),
		SCRATCH_TEST(test_order_and_policy),
		SCRATCH_TEST(test_targets),
		SCRATCH_TEST(test_transactions),
		SCRATCH_TEST(test_baseline),
		SCRATCH_TEST(test_running_failed_invalid),
		SCRATCH_TEST(test_without_a_history_nothing_is_known),
		SCRATCH_TEST(test_unregistered_files),
		SCRATCH_TEST(test_out_of_order_says_which_and_what_to_do),
		SCRATCH_TEST(test_one_out_of_order_after_a_row_without_a_file),
		SCRATCH_TEST(test_modified_says_which),
		SCRATCH_TEST(test_rows_of_one_name_go_by_their_keys),
		SCRATCH_TEST(test_the_name_of_another_is_a_warning),
		SCRATCH_TEST(test_missing_rows_are_a_warning),
		SCRATCH_TEST(test_a_row_is_called_by_what_it_has),
		SCRATCH_TEST(test_null_keys_are_a_warning),
		SCRATCH_TEST(test_a_table_of_another_layout),
		SCRATCH_TEST(test_an_older_table),
		SCRATCH_TEST(test_rows_without_a_name),
		SCRATCH_TEST(test_rows_without_a_name_that_nobody_knows),
		SCRATCH_TEST(test_renamed_says_which),
		SCRATCH_TEST(test_baseline_over_a_history),
		SCRATCH_TEST(test_an_unknown_target_is_quoted),
		SCRATCH_TEST(test_a_script_that_cannot_be_run),
		SCRATCH_TEST(test_each_step_has_its_script),
		SCRATCH_TEST(test_a_setting_that_a_pooler_loses),
		SCRATCH_TEST(test_a_script_in_segments_commits),
		SCRATCH_TEST(test_the_out_of_order_directive),
		SCRATCH_TEST(test_folder_problems),
		SCRATCH_TEST(test_a_refusal_counts_what_else_blocks),
		SCRATCH_TEST(test_problems_are_bounded_and_counted),
		SCRATCH_TEST(test_find),
		SCRATCH_TEST(test_many_with_their_own_rows),
		SCRATCH_TEST(test_many_by_their_checksums),
		SCRATCH_TEST(test_many_of_one_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
