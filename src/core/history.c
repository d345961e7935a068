/* SPDX-License-Identifier: PostgreSQL */
#include "core/history.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

struct history_note {
	const char *id;
	const char *checksum;
};

struct history *
history_new(const void *ctx, enum history_key key)
{
	struct history *history = mem_zero(ctx, struct history);

	history->key = key;
	return history;
}

void
history_add(struct history *history, const struct history_row *row)
{
	size_t n = history->n_rows;
	struct history_row *copy;

	/* Full at each power of two. */
	if ((n & (n - 1)) == 0)
		history->rows = mem_grow(
		    history, history->rows, struct history_row, n == 0 ? 1 : 2 * n);
	copy = &history->rows[history->n_rows++];
	*copy = *row;
	copy->key = mem_strdup(history, row->key);
	copy->name = mem_strdup(history, row->name);
	copy->checksum = mem_strdup(history, row->checksum);
	copy->error = mem_strdup(history, row->error);
	TALLOC_FREE(history->by_key);
}

void
history_stop(struct history *history, const struct err *err)
{
	if (history->stop != NULL)
		return;
	history->stop = mem_zero(history, struct err);
	*history->stop = *err;
}

void
history_note_checksum(struct history *history, const char *id, const char *checksum)
{
	size_t n = history->n_notes;

	/* Full at each power of two. */
	if ((n & (n - 1)) == 0)
		history->notes = mem_grow(
		    history, history->notes, struct history_note, n == 0 ? 1 : 2 * n);
	history->notes[history->n_notes++] = (struct history_note){
		.id = mem_strdup(history, id),
		.checksum = mem_strdup(history, checksum),
	};
}

static int
compare_notes(const void *a, const void *b)
{
	const struct history_note *left = a;
	const struct history_note *right = b;

	return strcmp(left->id, right->id);
}

const char *
history_noted_checksum(const struct history *history, const char *id)
{
	const struct history_note wanted = { .id = id };
	const struct history_note *note;

	if (history->n_notes == 0)
		return NULL;
	note = bsearch(
	    &wanted, history->notes, history->n_notes, sizeof(wanted), compare_notes);
	return note != NULL ? note->checksum : NULL;
}

static bool
is_same(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

void
history_remove(struct history *history, const struct history_row *row)
{
	size_t kept = 0;

	for (size_t i = 0; i < history->n_rows; i++) {
		const struct history_row *r = &history->rows[i];

		if (r->failed || !is_same(r->key, row->key) ||
		    !is_same(r->checksum, row->checksum))
			history->rows[kept++] = *r;
	}
	history->n_rows = kept;
	TALLOC_FREE(history->by_key);
}

static int
compare_keys(const void *a, const void *b)
{
	const struct history_row *const *left = a;
	const struct history_row *const *right = b;

	return strcmp((*left)->key, (*right)->key);
}

/*
 * A database may have been baselined with its whole history: rows are found by
 * halving, not one by one.
 */
static void
index_keys(struct history *history)
{
	history->by_key = mem_array(history, struct history_row *, history->n_rows + 1);
	history->n_by_key = 0;
	for (size_t i = 0; i < history->n_rows; i++) {
		if (history->rows[i].key != NULL)
			history->by_key[history->n_by_key++] = &history->rows[i];
	}
	qsort(history->by_key, history->n_by_key, sizeof(struct history_row *),
	    compare_keys);
}

void
history_mark_baseline(struct history *history, const char *key)
{
	size_t low = 0, high;

	if (history->by_key == NULL)
		index_keys(history);
	high = history->n_by_key;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(history->by_key[middle]->key, key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < history->n_by_key && strcmp(history->by_key[low]->key, key) == 0;
	     low++)
		history->by_key[low]->baseline = true;
}
