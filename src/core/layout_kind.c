/* SPDX-License-Identifier: PostgreSQL */
#include "core/layout_kind.h"

#include <stdlib.h>
#include <string.h>

bool
layout_ends_with(const char *name, const char *suffix)
{
	size_t len = strlen(name);
	size_t n = strlen(suffix);

	return len >= n && strcmp(name + len - n, suffix) == 0;
}

static int
compare_name(const void *wanted, const void *element)
{
	const char *const *name = element;

	return strcmp(wanted, *name);
}

bool
layout_lists(const struct file_list *list, const char *name)
{
	return list->n > 0 &&
	    bsearch(name, list->names, list->n, sizeof(list->names[0]), compare_name);
}
