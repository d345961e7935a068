/* SPDX-License-Identifier: PostgreSQL */
#include "core/elsewhere.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bounds.h"
#include "base/mem.h"

/* A number of so many digits is a time, to the second: nobody else has it by chance. */
#define LONG_DIGITS 10

/* ---- the words that a row may know a migration by ---- */

struct word {
	const char *text;
	const struct migration *migration;
};

struct words {
	struct word *words; /* sorted */
	size_t n;
};

static int
compare_words(const void *a, const void *b)
{
	const struct word *x = a, *y = b;

	return strcmp(x->text, y->text);
}

static void
add_word(struct words *words, const char *text, const struct migration *m)
{
	if (text[0] != '\0')
		words->words[words->n++] = (struct word){ text, m };
}

static struct words
words_of(const void *ctx, const struct folder *folder)
{
	struct words words = { mem_array(ctx, struct word, 6 * folder->n_migrations), 0 };

	for (size_t i = 0; i < folder->n_migrations; i++) {
		const struct migration *m = folder->migrations[i];

		add_word(&words, m->id, m);
		add_word(&words, m->file, m);
		add_word(&words, m->version, m);
		add_word(&words, mem_printf(ctx, "%" PRId64, m->order), m);
		add_word(&words, m->checksum, m);
		add_word(&words, migration_recorded_checksum(m), m);
	}
	if (words.n > 0)
		qsort(words.words, words.n, sizeof(struct word), compare_words);
	return words;
}

/* The first of those with that text, `*n` of them. */
static const struct word *
find_words(const struct words *words, const char *text, size_t *n)
{
	size_t low = 0, high = words->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(words->words[middle].text, text) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (high = low; high < words->n && strcmp(words->words[high].text, text) == 0;)
		high++;
	*n = high - low;
	return words->words + low;
}

/* ---- one row ---- */

enum likeness {
	LIKE_NONE,
	LIKE_NUMBER, /* perhaps by chance */
	LIKE_SURE
};

static enum likeness
compare_names(const struct history_row *row, const struct migration *m, size_t digits)
{
	switch (migration_is_named(m, row->name)) {
	case NAMED_SAME:
		return LIKE_SURE;
	case NAMED_OTHER:
		return LIKE_NONE;
	case NAMED_NOT:
		break;
	}
	return digits < LONG_DIGITS ? LIKE_NUMBER : LIKE_SURE;
}

static enum likeness
compare_number(const struct words *words, const struct history_row *row)
{
	enum likeness best = LIKE_NONE;
	const char *number = row->key + strspn(row->key, "0");
	size_t n = 0;
	const struct word *found = NULL;

	found = find_words(words, number[0] != '\0' ? number : "0", &n);
	for (size_t i = 0; i < n; i++) {
		enum likeness likeness =
		    compare_names(row, found[i].migration, strlen(number));

		if (likeness > best)
			best = likeness;
	}
	return best;
}

static enum likeness
compare_row(const struct words *words, const struct history_row *row)
{
	size_t n = 0;

	if (row->checksum != NULL)
		find_words(words, row->checksum, &n);
	if (n > 0)
		return LIKE_SURE;
	if (row->key == NULL || row->key[0] == '\0')
		return LIKE_NONE;
	if (row->key[strspn(row->key, "0123456789._")] == '\0')
		return compare_number(words, row);
	find_words(words, row->key, &n);
	return n > 0 ? LIKE_SURE : LIKE_NONE;
}

/* ---- a table ---- */

static bool
is_of(const struct words *words, const struct history *history)
{
	size_t n_rows = 0, n_alike = 0;
	bool is_sure = false;

	for (size_t i = 0; i < history->n_rows && !is_sure; i++) {
		enum likeness likeness = history->rows[i].failed
		    ? LIKE_NONE
		    : compare_row(words, &history->rows[i]);

		is_sure = likeness == LIKE_SURE;
		n_alike += likeness == LIKE_NUMBER;
		n_rows += !history->rows[i].failed;
	}
	return is_sure || (n_alike > 0 && 2 * n_alike >= n_rows);
}

const struct elsewhere_table *
elsewhere_find(const struct elsewhere *elsewhere, const struct folder *folder)
{
	const struct elsewhere_table *found = NULL;
	void *scratch = mem_context(NULL, "words");
	struct words words = words_of(scratch, folder);

	for (size_t i = 0; i < elsewhere->n && found == NULL; i++) {
		if (is_of(&words, elsewhere->tables[i].history))
			found = &elsewhere->tables[i];
	}
	talloc_free(scratch);
	return found;
}

/* ---- what is said of it ---- */

/* "layout = sqlx, " where the folder was taken for another tool's; else "". */
static void
write_layout(char *buf, size_t size, const struct elsewhere_table *table,
    const struct layout *layout)
{
	const struct layout *of = layout_find_tracking(table->kind);

	buf[0] = '\0';
	if (of == NULL || of == layout)
		return;
	(void)snprintf(buf, size, "layout = %s, ", of->name);
}

void
elsewhere_refuse(const struct elsewhere *elsewhere, const struct elsewhere_table *table,
    const struct layout *layout, struct err *err)
{
	char setting[64];

	write_layout(setting, sizeof(setting), table, layout);
	err_set(err, CAT_CONFIGURATION,
	    "table %.*s.%.*s, a %s tracking table, has rows of these migrations, and ours, "
	    "%.*s, has none: what ran already would run again",
	    (int)BOUND_NAME_BYTES, table->schema, (int)BOUND_NAME_BYTES, table->table,
	    table->kind, 2 * (int)BOUND_NAME_BYTES, elsewhere->ours);
	err_hint(err,
	    "to go on with it: %stracking = %s, tracking_schema = %.*s, "
	    "tracking_table = %.*s; or record what ran with a baseline. If it is another "
	    "application's: other_tracking = ignore",
	    setting, table->kind, (int)BOUND_NAME_BYTES, table->schema,
	    (int)BOUND_NAME_BYTES, table->table);
	err->http_status = 409;
	err->exit_code = EXIT_REFUSED;
}

void
elsewhere_note(const struct elsewhere *elsewhere, struct err *err)
{
	const struct elsewhere_table *first = &elsewhere->tables[0];
	char more[64] = "";

	if (elsewhere->n > 1)
		(void)snprintf(more, sizeof(more), " (and %zu more such table%s)",
		    elsewhere->n - 1, elsewhere->n == 2 ? "" : "s");
	err_set(err, CAT_CONFIGURATION,
	    "table %.*s.%.*s, a %s tracking table, has rows%s, but none of these migrations: "
	    "it is taken for another application's",
	    (int)BOUND_NAME_BYTES, first->schema, (int)BOUND_NAME_BYTES, first->table,
	    first->kind, more);
	err_hint(err,
	    "if these migrations ran under other names, record that with a baseline before "
	    "anything is applied");
}
