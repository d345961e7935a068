/* SPDX-License-Identifier: PostgreSQL */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "core/plan_match.h"

/* The migrations, sorted twice. */
struct seconds {
	const struct migration **by_order;
	const struct migration **by_checksum;
	size_t n;
};

static int
compare_orders(const struct migration *a, const struct migration *b)
{
	if (a->order != b->order)
		return a->order < b->order ? -1 : 1;
	return (a->position > b->position) - (a->position < b->position);
}

static int
sort_by_order(const void *left, const void *right)
{
	const struct migration *const *a = left;
	const struct migration *const *b = right;

	return compare_orders(*a, *b);
}

static int
sort_by_checksum(const void *left, const void *right)
{
	const struct migration *const *a = left;
	const struct migration *const *b = right;
	int order = strcmp((*a)->checksum, (*b)->checksum);

	return order != 0 ? order : compare_orders(*a, *b);
}

/* What created_at is in the name of a folder: milliseconds cut off, not rounded. */
static int64_t
second_of(int64_t when)
{
	return when / 1000 * 1000;
}

/* How many are older than the second. */
static size_t
find_second(const struct seconds *seconds, int64_t order)
{
	size_t low = 0, high = seconds->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (seconds->by_order[middle]->order < order)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Of those from `first` on that are of one second. */
static const struct migration *
choose_in_second(
    const struct seconds *seconds, size_t first, const struct history_row *row)
{
	const struct migration *const *all = seconds->by_order;

	if (first + 1 == seconds->n || all[first + 1]->order != all[first]->order)
		return all[first];
	for (size_t i = first; i < seconds->n && all[i]->order == all[first]->order; i++)
		if (row->checksum != NULL && strcmp(all[i]->checksum, row->checksum) == 0)
			return all[i];
	return NULL;
}

/* The last with that checksum, or NULL. */
static const struct migration *
find_text(const struct seconds *seconds, const char *checksum)
{
	size_t low = 0, high = seconds->n;

	if (checksum == NULL)
		return NULL;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(seconds->by_checksum[middle]->checksum, checksum) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == 0 || strcmp(seconds->by_checksum[low - 1]->checksum, checksum) != 0)
		return NULL;
	return seconds->by_checksum[low - 1];
}

static const struct migration *
find_owner(const struct seconds *seconds, const struct history_row *row)
{
	int64_t order = second_of(row->order);
	size_t first = row->has_order ? find_second(seconds, order) : seconds->n;

	if (first < seconds->n && seconds->by_order[first]->order == order)
		return choose_in_second(seconds, first, row);
	return find_text(seconds, row->checksum);
}

void
plan_match_seconds(
    struct plan_match *match, const struct folder *folder, const struct history *history)
{
	size_t n = folder->n_migrations;
	struct seconds seconds = {
		.by_order = mem_array(match, const struct migration *, n + 1),
		.by_checksum = mem_array(match, const struct migration *, n + 1),
		.n = n,
	};

	for (size_t i = 0; i < n; i++)
		seconds.by_order[i] = seconds.by_checksum[i] = folder->migrations[i];
	qsort(seconds.by_order, n, sizeof(struct migration *), sort_by_order);
	qsort(seconds.by_checksum, n, sizeof(struct migration *), sort_by_checksum);
	for (size_t i = 0; i < history->n_rows; i++) {
		const struct history_row *row = &history->rows[i];
		const struct migration *m = find_owner(&seconds, row);
		struct plan_found *found = m != NULL ? &match->found[m->position] : NULL;

		match->owner[i] = m;
		if (found == NULL || found->row != NULL)
			continue;
		found->row = row;
		found->modified = m->checksum[0] != '\0' && row->checksum != NULL &&
		    strcmp(row->checksum, m->checksum) != 0;
	}
	talloc_free(seconds.by_order);
	talloc_free(seconds.by_checksum);
}
