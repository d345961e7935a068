/* SPDX-License-Identifier: PostgreSQL */
#include "base/mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* At the end nothing may allocate, so the line is fixed and goes out by write. */
static void *
checked(void *p)
{
	static const char line[] = "migrationd: out of memory, giving up\n";

	if (p)
		return p;
	/* uncovered: out of memory ends the process */
	(void)!write(STDERR_FILENO, line, sizeof(line) - 1);
	abort();
}

/* A product that overflows becomes a size that talloc refuses, as anything of 256 MiB and more. */
static size_t
product(size_t n, size_t size)
{
	size_t bytes = 0;

	return __builtin_mul_overflow(n, size, &bytes) ? SIZE_MAX : bytes;
}

void *
mem_alloc(const void *ctx, size_t n, size_t size, const char *type)
{
	size_t bytes = product(n, size);

	return memset(checked(talloc_named_const(ctx, bytes, type)), 0, bytes);
}

void *
mem_realloc(const void *ctx, void *p, size_t n, size_t size, const char *type)
{
	/* talloc takes a size of 0 for a free, which would leave the caller with NULL */
	p = checked(talloc_realloc_size(ctx, p, product(n ? n : 1, size)));
	talloc_set_name_const(p, type);
	return p;
}

void *
mem_context(const void *parent, const char *name)
{
	return checked(talloc_named(parent, 0, "%s", name));
}

char *
mem_strdup(const void *ctx, const char *s)
{
	return s ? checked(talloc_strdup(ctx, s)) : NULL;
}

char *
mem_strndup(const void *ctx, const char *s, size_t len)
{
	return checked(talloc_strndup(ctx, s, len));
}

char *
mem_memdup(const void *ctx, const void *data, size_t len)
{
	char *copy = checked(talloc_named_const(ctx, len + 1, "char"));

	if (len > 0) /* an empty one may come with data NULL */
		memcpy(copy, data, len);
	copy[len] = '\0';
	return copy;
}

char *
mem_printf(const void *ctx, const char *fmt, ...)
{
	char *s = NULL;
	va_list ap;

	va_start(ap, fmt);
	s = mem_vprintf(ctx, fmt, ap);
	va_end(ap);
	return s;
}

char *
mem_vprintf(const void *ctx, const char *fmt, va_list ap)
{
	return checked(talloc_vasprintf(ctx, fmt, ap));
}
