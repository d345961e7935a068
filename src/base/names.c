/* SPDX-License-Identifier: PostgreSQL */
#include "base/names.h"

#include <stdint.h>

#include "base/text.h"

char *
names_list(const void *ctx, names_fn *name)
{
	const char *next = NULL;
	struct text list;

	/* nothing comes from outside: the table has an end */
	text_init(&list, ctx, SIZE_MAX);
	for (size_t i = 0; (next = name(i)) != NULL; i++) {
		if (i > 0)
			text_add(&list, ", ");
		text_add(&list, next);
	}
	return list.data;
}
