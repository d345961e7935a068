/* SPDX-License-Identifier: PostgreSQL */
#include "base/spelling.h"

#include <limits.h>
#include <stdbool.h>
#include <string.h>

static unsigned
least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

static unsigned
distance_of(const char *word, const char *name)
{
	unsigned row[SPELLING_BYTES];
	size_t word_len = strlen(word);
	size_t name_len = strlen(name);

	if (word_len >= SPELLING_BYTES || name_len >= SPELLING_BYTES)
		return UINT_MAX;
	if (word_len >= 3 && name_len > word_len && strncmp(name, word, word_len) == 0)
		return 1;
	for (unsigned j = 0; j <= name_len; j++)
		row[j] = j;
	for (unsigned i = 1; i <= word_len; i++) {
		unsigned diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= name_len; j++) {
			unsigned change = diagonal + (word[i - 1] != name[j - 1]);

			diagonal = row[j];
			row[j] = least(change, least(row[j], row[j - 1]) + 1);
		}
	}
	return row[name_len];
}

void
spelling_try(struct spelling *spelling, const char *name)
{
	unsigned distance = distance_of(spelling->word, name);

	if (spelling->nearest && spelling->distance <= distance)
		return;
	spelling->nearest = name;
	spelling->distance = distance;
}

const char *
spelling_nearest(const struct spelling *spelling)
{
	bool is_near = spelling->distance <= 1 + strlen(spelling->word) / 4;

	return is_near ? spelling->nearest : NULL;
}
