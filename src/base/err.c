/* SPDX-License-Identifier: PostgreSQL */
#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/*
 * What each category means to the world outside. A failed migration is 422, never 5xx: `curl
 * --retry` repeats 5xx, and the same statement would fail again. 503 alone says "come again".
 */
static const struct category_row {
	const char *name;
	int http_status;
	enum exit_code exit_code;
	bool retryable;
	const char *title;
} categories[CAT_COUNT] = {
	/* clang-format off */
	[CAT_NONE] = { "", 200, EXIT_FINE, false, "" },
	[CAT_SECURITY_VIOLATION] = { "SECURITY_VIOLATION", 422, EXIT_FILES, false,
		"A file name or link is not allowed" },
	[CAT_RESOURCE_NOT_FOUND] = { "RESOURCE_NOT_FOUND", 404, EXIT_FILES, false,
		"Something needed is not there" },
	[CAT_SQL_SYNTAX_ERROR] = { "SQL_SYNTAX_ERROR", 422, EXIT_MIGRATION_FAILED, false,
		"A migration is not valid SQL" },
	[CAT_PERMISSION_DENIED] = { "PERMISSION_DENIED", 422, EXIT_MIGRATION_FAILED, false,
		"Permission denied" },
	[CAT_NETWORK_ERROR] = { "NETWORK_ERROR", 503, EXIT_UNREACHABLE, true,
		"The database cannot be reached" },
	[CAT_SQL_ERROR] = { "SQL_ERROR", 422, EXIT_MIGRATION_FAILED, false,
		"A migration failed" },
	[CAT_CHECKSUM_MISMATCH] = { "CHECKSUM_MISMATCH", 409, EXIT_DRIFT, false,
		"An applied migration was changed" },
	[CAT_OUT_OF_ORDER] = { "OUT_OF_ORDER", 409, EXIT_REFUSED, false,
		"A migration is older than the newest applied" },
	[CAT_LOCK_TIMEOUT] = { "LOCK_TIMEOUT", 503, EXIT_LOCK, true,
		"A lock was not obtained in time" },
	[CAT_STATEMENT_TIMEOUT] = { "STATEMENT_TIMEOUT", 422, EXIT_MIGRATION_FAILED, false,
		"A statement took too long" },
	[CAT_CANCELLED] = { "CANCELLED", 409, EXIT_CANCELLED, false,
		"The run was cancelled" },
	[CAT_CONFIGURATION] = { "CONFIGURATION", 400, EXIT_CONFIGURATION, false,
		"The configuration or the request is not right" },
	[CAT_INTERNAL] = { "INTERNAL", 500, EXIT_INTERNAL, false,
		"A bug in migrationd" },
	/* clang-format on */
};

/* End a text that was cut with "...", on the border of a character. */
static void
mark_cut(char *buf, size_t size)
{
	size_t dots = size > 3 ? 3 : size - 1;
	size_t at = size - 1 - dots;

	while (at > 0 && ((unsigned char)buf[at] & 0xC0) == 0x80)
		at--;
	memcpy(buf + at, "...", dots);
	buf[at + dots] = '\0';
}

static void fill(char *buf, size_t size, const char *fmt, va_list ap) PRINTF_LIKE(3, 0);

static void
fill(char *buf, size_t size, const char *fmt, va_list ap)
{
	if (vsnprintf(buf, size, fmt, ap) >= (int)size)
		mark_cut(buf, size);
}

static void
append(char *buf, size_t size, const char *s)
{
	size_t used = strlen(buf);
	size_t room = size - 1 - used;
	size_t len = strlen(s);
	size_t take = len < room ? len : room;

	memcpy(buf + used, s, take);
	buf[used + take] = '\0';
	if (take < len)
		mark_cut(buf, size);
}

int
err_vset(struct err *err, enum category category, const char *fmt, va_list ap)
{
	if (err_is_set(err))
		return -1;
	err->category = category;
	fill(err->text, sizeof(err->text), fmt, ap);
	return -1;
}

int
err_set(struct err *err, enum category category, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	err_vset(err, category, fmt, ap);
	va_end(ap);
	return -1;
}

static enum category
category_of_errno(int errnum, enum category otherwise)
{
	switch (errnum) {
	case ENOENT:
	case ENOTDIR:
		return CAT_RESOURCE_NOT_FOUND;
	case EACCES:
	case EPERM:
		return CAT_PERMISSION_DENIED;
	case ELOOP:
	case EXDEV:
		return CAT_SECURITY_VIOLATION;
	default:
		return otherwise;
	}
}

int
err_set_errno(struct err *err, enum category category, int errnum, const char *fmt, ...)
{
	va_list ap;

	if (err_is_set(err))
		return -1;
	err->category = category_of_errno(errnum, category);
	va_start(ap, fmt);
	fill(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	append(err->text, sizeof(err->text), ": ");
	append(err->text, sizeof(err->text), strerror(errnum));
	return -1;
}

void
err_hint(struct err *err, const char *fmt, ...)
{
	va_list ap;

	if (err->hint[0])
		return;
	va_start(ap, fmt);
	fill(err->hint, sizeof(err->hint), fmt, ap);
	va_end(ap);
}

void
err_where(struct err *err, const char *file, unsigned line)
{
	if (err->file[0])
		return;
	append(err->file, sizeof(err->file), file);
	err->line = line;
}

int
err_wrap(struct err *err, const char *fmt, ...)
{
	char text[sizeof(err->text)];
	va_list ap;

	va_start(ap, fmt);
	fill(text, sizeof(text), fmt, ap);
	va_end(ap);
	append(text, sizeof(text), ": ");
	append(text, sizeof(text), err->text);
	memcpy(err->text, text, sizeof(text));
	return -1;
}

void
err_clear(struct err *err)
{
	*err = (struct err){ 0 };
}

const char *
err_format(const struct err *err, char *buf, size_t size)
{
	char place[32] = "";

	buf[0] = '\0';
	if (err->file[0]) {
		if (err->line && err->column)
			snprintf(place, sizeof(place), ":%u:%u", err->line, err->column);
		else if (err->line)
			snprintf(place, sizeof(place), ":%u", err->line);
		append(buf, size, err->file);
		append(buf, size, place);
		append(buf, size, ": ");
	}
	append(buf, size, err->text);
	return buf;
}

int
err_http_status(const struct err *err)
{
	return err->http_status ? err->http_status
				: categories[err->category].http_status;
}

enum exit_code
err_exit_code(const struct err *err)
{
	return err->exit_code ? (enum exit_code)err->exit_code
			      : categories[err->category].exit_code;
}

const char *
category_name(enum category category)
{
	return categories[category].name;
}

const char *
category_title(enum category category)
{
	return categories[category].title;
}

bool
category_is_retryable(enum category category)
{
	return categories[category].retryable;
}
