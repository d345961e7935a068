/* SPDX-License-Identifier: PostgreSQL */
#include "db/target_params.h"

#include <stddef.h>
#include <string.h>

#include "base/mem.h"

/* Where the strings are: all of them are compared and copied alike. */
static const struct param {
	size_t offset;
	bool of_table; /* it says which table it is, not how one gets there */
} strings[] = {
	{ offsetof(struct target_params, name), true },
	{ offsetof(struct target_params, database_url), true },
	{ offsetof(struct target_params, direct_url), true },
	{ offsetof(struct target_params, database), true },
	{ offsetof(struct target_params, database_url_file), true },
	{ offsetof(struct target_params, direct_url_file), true },
	{ offsetof(struct target_params, password_file), false },
	{ offsetof(struct target_params, password_command), false },
	{ offsetof(struct target_params, engine), false },
	{ offsetof(struct target_params, tracking), true },
	{ offsetof(struct target_params, tracking_schema), true },
	{ offsetof(struct target_params, tracking_table), true },
	{ offsetof(struct target_params, instance), false },
};

static const char *
string_at(const struct target_params *params, size_t i)
{
	const char *s;

	memcpy(&s, (const char *)params + strings[i].offset, sizeof(s));
	return s;
}

struct target_params *
target_params_copy(const void *ctx, const struct target_params *params)
{
	struct target_params *copy = mem_zero(ctx, struct target_params);

	*copy = *params;
	for (size_t i = 0; i < ARRAY_SIZE(strings); i++) {
		char *s = mem_strdup(copy, string_at(params, i));

		memcpy((char *)copy + strings[i].offset, &s, sizeof(s));
	}
	return copy;
}

static bool
are_equal(const struct target_params *a, const struct target_params *b, bool of_table)
{
	for (size_t i = 0; i < ARRAY_SIZE(strings); i++) {
		const char *x = string_at(a, i), *y = string_at(b, i);

		if (strings[i].of_table == of_table && x != y &&
		    (x == NULL || y == NULL || strcmp(x, y) != 0))
			return false;
	}
	return true;
}

bool
target_params_same_table(const struct target_params *a, const struct target_params *b)
{
	return are_equal(a, b, true);
}

bool
target_params_equal(const struct target_params *a, const struct target_params *b)
{
	return are_equal(a, b, true) && are_equal(a, b, false) &&
	    a->journal == b->journal && a->phases == b->phases &&
	    a->connect_timeout_ms == b->connect_timeout_ms &&
	    a->lock_mode == b->lock_mode;
}

void
target_params_treat_as(struct target_params *params, const struct target_params *other)
{
	struct target_params treated = *other;

	for (size_t i = 0; i < ARRAY_SIZE(strings); i++) {
		const char *own = string_at(params, i);

		memcpy((char *)&treated + strings[i].offset, &own, sizeof(own));
	}
	*params = treated;
}
