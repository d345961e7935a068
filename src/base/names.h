/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The names of a table of the program, for a message: whoever may write one is told which there
 * are. The table gives them one by one, so none has room for so many and no more.
 *
 *	const char *
 *	layout_name(size_t i)
 *	{
 *		return i < ARRAY_SIZE(layouts) ? layouts[i]->name : NULL;
 *	}
 *
 *	err_hint(err, "the layouts are %s, or auto", names_list(scratch, layout_name));
 */

#include <stddef.h>

/* The name of that number, from 0; NULL behind the last. */
typedef const char *names_fn(size_t i);

/* "a, b, c"; "" where there is none. Owned by ctx. */
char *names_list(const void *ctx, names_fn *name);
