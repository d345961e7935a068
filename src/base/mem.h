/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Allocation that never returns NULL, on top of talloc.
 *
 * Everything lives in a talloc context with a clear lifetime (configuration,
 * folder, run, request) and dies with it. Running out of memory ends the process:
 * the server rolls an open transaction back and the supervisor starts us again,
 * which is safer than an error path that nobody has ever run. Sizes that come
 * from outside are bounded before they get here (base/bounds.h); talloc itself
 * refuses a single piece of 256 MiB and more.
 *
 *	struct plan *plan = mem_zero(ctx, struct plan);
 *	plan->steps = mem_array(plan, struct plan_step, n);
 *	char *path = mem_printf(plan, "%s/%s", dir, name);
 */

#include <stdarg.h>
#include <stddef.h>
#include <talloc.h>

#include "base/macros.h"

/* A zeroed struct, or an array of `n` zeroed elements, owned by `ctx`. */
#define mem_zero(ctx, type)     ((type *)mem_alloc((ctx), 1, sizeof(type), #type))
#define mem_array(ctx, type, n) ((type *)mem_alloc((ctx), (n), sizeof(type), #type))

/*
 * The array `p` grown to `n` elements, the new ones not zeroed. `p` may be NULL. Owned
 * by `ctx` when new, else by whoever owned it.
 */
#define mem_grow(ctx, p, type, n) \
	((type *)mem_realloc((ctx), (p), (n), sizeof(type), #type))

void *mem_alloc(const void *ctx, size_t n, size_t size, const char *type);
void *mem_realloc(const void *ctx, void *p, size_t n, size_t size, const char *type);

/* A context of its own, for a lifetime that has no struct. */
void *mem_context(const void *parent, const char *name);

/* Copies; `mem_strdup(ctx, NULL)` is NULL. mem_memdup adds a NUL byte behind the copy. */
char *mem_strdup(const void *ctx, const char *s);
char *mem_strndup(const void *ctx, const char *s, size_t len);
char *mem_memdup(const void *ctx, const void *data, size_t len);
char *mem_printf(const void *ctx, const char *fmt, ...) PRINTF_LIKE(2, 3);
char *mem_vprintf(const void *ctx, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);
