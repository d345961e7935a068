/* SPDX-License-Identifier: PostgreSQL */
#include "core/plan_match.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* Which word of a migration a row's key is held against. */
enum match_key {
	MATCH_VERSION,
	MATCH_FILE,
	MATCH_ID,
	MATCH_NO_KEY
};

/* Which rows a rule is for, and what it tells. */
enum match_rows {
	MATCH_ROWS,     /* all */
	MATCH_NAMELESS, /* those without a key */
	MATCH_RENAMED,  /* all, but they are only suspected to be the migration's */
};

struct match_rule {
	enum match_key key;
	bool checksum; /* the checksums must be equal, too */
	enum match_rows rows;
};

/*
 * In the order in which they are tried; each is tried for all rows before the
 * next, so that the better match wins whatever the order of the rows. A file
 * name is stored as it is, or without ".sql", which is the id.
 */
#define RULES 5
static const struct match_rules {
	struct match_rule rules[RULES];
	size_t n;
} rules_of[] = {
	[HISTORY_BY_VERSION] = {
		.rules = {
			{ MATCH_VERSION, true, MATCH_ROWS },
			{ MATCH_VERSION, false, MATCH_ROWS },
			{ MATCH_NO_KEY, true, MATCH_ROWS },
		},
		.n = 3,
	},
	[HISTORY_BY_FILE] = {
		.rules = {
			{ MATCH_FILE, true, MATCH_ROWS },
			{ MATCH_FILE, false, MATCH_ROWS },
			{ MATCH_ID, true, MATCH_ROWS },
			{ MATCH_ID, false, MATCH_ROWS },
			{ MATCH_NO_KEY, true, MATCH_ROWS },
		},
		.n = 5,
	},
	[HISTORY_BY_NAME] = {
		.rules = {
			{ MATCH_VERSION, true, MATCH_ROWS },
			{ MATCH_VERSION, false, MATCH_ROWS },
			{ MATCH_NO_KEY, true, MATCH_NAMELESS },
			{ MATCH_NO_KEY, true, MATCH_RENAMED },
		},
		.n = 4,
	},
	[HISTORY_BY_SECOND] = { .n = 0 }, /* plan_match_seconds */
};

/*
 * A migration under the words of one rule; "" for a word that the rule does not
 * look at.
 */
struct match_entry {
	const char *key;
	const char *checksum;
	size_t position;
	size_t
	    taken; /* of the first entry of equal words: how many from here on have a row */
};

struct match_index {
	struct match_entry *entries; /* sorted by key, checksum, position */
	size_t n;
};

struct matcher {
	const struct folder *folder;
	const struct history *history;
	const struct match_rule *rule;
	struct match_index index;
	struct plan_match *match;
};

static int
compare_words(const struct match_entry *a, const struct match_entry *b)
{
	int order = strcmp(a->key, b->key);

	return order != 0 ? order : strcmp(a->checksum, b->checksum);
}

static int
compare_entries(const void *left, const void *right)
{
	const struct match_entry *a = left;
	const struct match_entry *b = right;
	int order = compare_words(a, b);

	return order != 0 ? order
			  : (a->position > b->position) - (a->position < b->position);
}

static const char *
key_of(const struct migration *m, enum match_key key)
{
	switch (key) {
	case MATCH_VERSION:
		return m->version;
	case MATCH_FILE:
		return m->file;
	case MATCH_ID:
		return m->id;
	case MATCH_NO_KEY:
		break;
	}
	return "";
}

static void
fill_index(struct matcher *matcher)
{
	const struct match_rule *rule = matcher->rule;
	struct match_index *index = &matcher->index;

	index->n = 0;
	for (size_t i = 0; i < matcher->folder->n_migrations; i++) {
		const struct migration *m = matcher->folder->migrations[i];

		/* of a file that could not be read */
		if (rule->checksum && m->checksum[0] == '\0')
			continue;
		index->entries[index->n++] = (struct match_entry){
			.key = key_of(m, rule->key),
			.checksum = rule->checksum ? migration_recorded_checksum(m) : "",
			.position = i,
		};
	}
	qsort(index->entries, index->n, sizeof(struct match_entry), compare_entries);
}

/* The first entry with the words of `wanted`, or NULL. */
static struct match_entry *
find_head(const struct match_index *index, const struct match_entry *wanted)
{
	size_t low = 0, high = index->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_words(&index->entries[middle], wanted) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == index->n || compare_words(&index->entries[low], wanted) != 0)
		return NULL;
	return &index->entries[low];
}

/*
 * Of the migrations with equal words (a journal with one `when` twice, files of
 * nothing but a comment) the first without a row, or NULL. The count in `head`
 * keeps many equal ones from being counted again each time.
 */
static struct match_entry *
find_free(const struct matcher *matcher, struct match_entry *head)
{
	const struct match_entry *end = matcher->index.entries + matcher->index.n;
	struct match_entry *entry;

	for (;; head->taken++) {
		entry = head + head->taken;
		if (entry == end || compare_words(entry, head) != 0)
			return NULL;
		if (matcher->match->found[entry->position].row == NULL)
			return entry;
	}
}

static bool
has_text(const char *s)
{
	return s != NULL && s[0] != '\0';
}

static void
match_applied(const struct matcher *matcher, struct match_entry *head, size_t row_number)
{
	const struct history_row *row = &matcher->history->rows[row_number];
	struct match_entry *entry = find_free(matcher, head);
	const struct migration *m;
	struct plan_found *found;

	if (entry == NULL) {
		/*
		 * Recorded more than once is no harm. An equal text alone does
		 * not make it the same migration.
		 */
		if (matcher->rule->key != MATCH_NO_KEY)
			matcher->match->owner[row_number] =
			    matcher->folder->migrations[head->position];
		return;
	}
	m = matcher->folder->migrations[entry->position];
	found = &matcher->match->found[entry->position];
	if (matcher->rule->rows == MATCH_RENAMED) {
		found->renamed = row;
		return;
	}
	found->row = row;
	found->modified = has_text(row->checksum) && m->checksum[0] != '\0' &&
	    strcmp(row->checksum, migration_recorded_checksum(m)) != 0;
	matcher->match->owner[row_number] = m;
}

static void
match_row(const struct matcher *matcher, size_t row_number)
{
	const struct match_rule *rule = matcher->rule;
	const struct history_row *row = &matcher->history->rows[row_number];
	struct match_entry wanted = { .key = "", .checksum = "" };
	struct match_entry *head;

	if (rule->rows == MATCH_NAMELESS && row->key != NULL)
		return;
	if (rule->key != MATCH_NO_KEY)
		wanted.key = row->key;
	if (rule->checksum)
		wanted.checksum = row->checksum;
	if (wanted.key == NULL || (rule->checksum && !has_text(wanted.checksum)))
		return;
	head = find_head(&matcher->index, &wanted);
	if (head == NULL)
		return;
	if (!row->failed)
		match_applied(matcher, head, row_number);
	else if (!rule->checksum)
		matcher->match->found[head->position].failed = row;
}

static void
match_by_rules(struct matcher *matcher, const struct match_rules *rules)
{
	matcher->index.entries =
	    mem_array(matcher->match, struct match_entry, matcher->folder->n_migrations);
	for (size_t i = 0; i < rules->n; i++) {
		matcher->rule = &rules->rules[i];
		fill_index(matcher);
		for (size_t row = 0; row < matcher->history->n_rows; row++) {
			if (matcher->match->owner[row] == NULL)
				match_row(matcher, row);
		}
	}
	talloc_free(matcher->index.entries);
}

bool
plan_row_order(const struct folder *folder, const struct history_row *row,
    const struct migration *m, int64_t *order)
{
	const struct layout *layout = folder->layout;

	*order = m != NULL ? m->order : row->order;
	if (m != NULL)
		return true;
	if (layout != NULL && layout->place != NULL)
		return row->key != NULL && layout->place(folder, row->key, order);
	return row->has_order;
}

/* What has no row of its own may be older than a row that stands for it. */
static void
cover_older(
    struct plan_match *match, const struct folder *folder, const struct history *history)
{
	for (size_t i = 0; i < history->n_rows; i++) {
		const struct history_row *row = &history->rows[i];
		int64_t order;

		if (row->failed || !row->covers_older ||
		    !plan_row_order(folder, row, match->owner[i], &order))
			continue;
		for (size_t k = 0; k < folder->n_migrations; k++) {
			if (match->found[k].row == NULL &&
			    folder->migrations[k]->order <= order)
				match->found[k].row = row;
		}
	}
}

/*
 * Of what stands in for older ones the newest runs on an empty history, and they do not; with
 * any history it does not run itself.
 */
static void
stand_in(
    struct plan_match *match, const struct folder *folder, const struct history *history)
{
	static const struct history_row not_to_run = { .baseline = true };
	bool empty = true;

	for (size_t i = 0; i < history->n_rows; i++)
		empty = empty && history->rows[i].failed;
	for (size_t i = folder->n_migrations; i-- > 0;) {
		if (!folder->migrations[i]->stands_in || match->found[i].row != NULL)
			continue;
		if (!empty)
			match->found[i].row = &not_to_run;
		for (size_t k = 0; k < i && empty; k++)
			match->found[k].row = &not_to_run;
	}
}

/* Where the row keeps no checksum, our journal may. */
static void
compare_with_notes(
    struct plan_match *match, const struct folder *folder, const struct history *history)
{
	for (size_t i = 0; i < folder->n_migrations; i++) {
		const struct migration *m = folder->migrations[i];
		struct plan_found *found = &match->found[i];

		if (found->row == NULL || has_text(found->row->checksum) ||
		    m->checksum[0] == '\0')
			continue;
		found->noted = history_noted_checksum(history, m->id);
		found->modified =
		    found->noted != NULL && strcmp(found->noted, m->checksum) != 0;
	}
}

struct plan_match *
plan_match(const void *ctx, const struct folder *folder, const struct history *history)
{
	struct plan_match *match = mem_zero(ctx, struct plan_match);
	struct matcher matcher = { .folder = folder, .history = history, .match = match };

	match->found = mem_array(match, struct plan_found, folder->n_migrations);
	match->owner = mem_array(match, const struct migration *, history->n_rows);
	if (history->key == HISTORY_BY_SECOND)
		plan_match_seconds(match, folder, history);
	else
		match_by_rules(&matcher, &rules_of[history->key]);
	cover_older(match, folder, history);
	stand_in(match, folder, history);
	compare_with_notes(match, folder, history);
	return match;
}
