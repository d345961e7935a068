/* SPDX-License-Identifier: PostgreSQL */
#include "db/target_params.h"

#include <stddef.h>
#include <string.h>

#include "base/mem.h"

/* Where the strings are: all of them are compared and copied alike. */
static const size_t string_offsets[] = {
	offsetof(struct target_params, name),
	offsetof(struct target_params, database_url),
	offsetof(struct target_params, direct_url),
	offsetof(struct target_params, database),
	offsetof(struct target_params, database_url_file),
	offsetof(struct target_params, direct_url_file),
	offsetof(struct target_params, password_file),
	offsetof(struct target_params, password_command),
	offsetof(struct target_params, engine),
	offsetof(struct target_params, tracking),
	offsetof(struct target_params, tracking_schema),
	offsetof(struct target_params, tracking_table),
	offsetof(struct target_params, instance),
};

static const char *
string_at(const struct target_params *params, size_t i)
{
	const char *s;

	memcpy(&s, (const char *)params + string_offsets[i], sizeof(s));
	return s;
}

struct target_params *
target_params_copy(const void *ctx, const struct target_params *params)
{
	struct target_params *copy = mem_zero(ctx, struct target_params);

	*copy = *params;
	for (size_t i = 0; i < ARRAY_SIZE(string_offsets); i++) {
		char *s = mem_strdup(copy, string_at(params, i));

		memcpy((char *)copy + string_offsets[i], &s, sizeof(s));
	}
	return copy;
}

bool
target_params_equal(const struct target_params *a, const struct target_params *b)
{
	for (size_t i = 0; i < ARRAY_SIZE(string_offsets); i++) {
		const char *x = string_at(a, i), *y = string_at(b, i);

		if (x != y && (x == NULL || y == NULL || strcmp(x, y) != 0))
			return false;
	}
	return a->journal == b->journal && a->phases == b->phases &&
	    a->connect_timeout_ms == b->connect_timeout_ms &&
	    a->lock_mode == b->lock_mode;
}

void
target_params_treat_as(struct target_params *params, const struct target_params *other)
{
	struct target_params treated = *other;

	for (size_t i = 0; i < ARRAY_SIZE(string_offsets); i++) {
		const char *own = string_at(params, i);

		memcpy((char *)&treated + string_offsets[i], &own, sizeof(own));
	}
	*params = treated;
}
