/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * An error: what went wrong, where, what to do next.
 *
 * `struct err` lives on the caller's stack or inside the run or request it belongs
 * to; it is never allocated. The place that knows sets it, first error wins; callers
 * on the way up may add context with err_wrap. It is logged or answered once, where
 * it is handled.
 *
 *	struct err err = { 0 };
 *
 *	if (config_check(config, &err) < 0)
 *		return err_wrap(&err, "reload");
 *
 * The category is the closed list that logs, problem documents and metrics share.
 * One table in err.c maps it to HTTP status, exit code and "may a retry help".
 */

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/macros.h"

enum category {
	CAT_NONE, /* no error */
	CAT_SECURITY_VIOLATION,
	CAT_RESOURCE_NOT_FOUND,
	CAT_SQL_SYNTAX_ERROR,
	CAT_PERMISSION_DENIED,
	CAT_NETWORK_ERROR,
	CAT_SQL_ERROR,
	CAT_CHECKSUM_MISMATCH,
	CAT_OUT_OF_ORDER,
	CAT_LOCK_TIMEOUT,
	CAT_STATEMENT_TIMEOUT,
	CAT_CANCELLED,
	CAT_CONFIGURATION,
	CAT_INTERNAL,
	CAT_COUNT
};

/* Exit codes of the program; the first five are what teams' CI already branches on. */
enum exit_code {
	EXIT_FINE = 0,
	EXIT_DRIFT = 1,
	EXIT_FILES = 2,
	EXIT_PENDING = 3,
	EXIT_CONFIGURATION = 4,
	EXIT_MIGRATION_FAILED = 5,
	EXIT_UNREACHABLE = 6,
	EXIT_LOCK = 7,
	EXIT_REFUSED = 8,
	EXIT_CANCELLED = 9,
	EXIT_INTERNAL = 70, /* sysexits.h EX_SOFTWARE: our own bug */
	EXIT_USAGE = 64     /* sysexits.h EX_USAGE */
};

struct err {
	enum category category; /* CAT_NONE: nothing happened */
	int http_status;        /* 0: the category's; set where the case is finer */
	int exit_code;          /* 0: the category's; set where the case is finer */
	char sqlstate[6];       /* "" when the server said none */
	char text[1024];        /* one sentence, lower case, no full stop */
	char detail[1024];      /* the server's DETAIL, or "" */
	char hint[1024];        /* what to do next, or "" */
	char context[512];      /* the server's CONTEXT (PL/pgSQL lines), or "" */

	char migration[256]; /* id of the migration concerned, or "" */
	char file[256];      /* file concerned, relative to the folder, or "" */
	unsigned line;       /* from 1; 0 when not known */
	unsigned column;     /* from 1, in characters; 0 when not known */
	unsigned statement;  /* which statement of the file, from 1; 0 when not known */
	char excerpt[256];   /* head of that statement, or "" */
	/* where a person is asked: the actions of a repair that answer, "applied retry"; or "" */
	char answers[32];
	const char *phase; /* static: the one that a repair has to name; NULL: none */
};

/*
 * Set category and text, unless an error is set already (first error wins).
 * Returns -1 always, so that `return err_set(...)` reads well.
 */
int err_set(struct err *err, enum category category, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
int err_vset(struct err *err, enum category category, const char *fmt, va_list ap)
    PRINTF_LIKE(3, 0);

/* As err_set, with ": " and strerror(errnum) behind the text. ENOENT and the like choose
 * the category: ENOENT and ENOTDIR RESOURCE_NOT_FOUND, EACCES and EPERM PERMISSION_DENIED,
 * ELOOP and EXDEV SECURITY_VIOLATION, others `category`. */
int err_set_errno(struct err *err, enum category category, int errnum, const char *fmt,
    ...) PRINTF_LIKE(4, 5);

/* Set the hint, unless there is one. */
void err_hint(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Say where: file and line (0: whole file), unless a file is named already. */
void err_where(struct err *err, const char *file, unsigned line);

/* Put "context: " before the text. Returns -1. */
int err_wrap(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Forget the error. */
void err_clear(struct err *err);

static inline bool
err_is_set(const struct err *err)
{
	return err->category != CAT_NONE;
}

/* Room for any err_format: file, place and text. */
#define ERR_LINE 1536u

/*
 * "file:line:column: text" as far as the parts are known, into `buf`. For log lines and
 * the text output; cut with "..." when `size` is too small. Returns buf.
 */
const char *err_format(const struct err *err, char *buf, size_t size);

/* HTTP status and exit code of an error: its own where set, else its category's. */
int err_http_status(const struct err *err);
enum exit_code err_exit_code(const struct err *err);

/* "SQL_ERROR"; "" for CAT_NONE. */
const char *category_name(enum category category);

/* A short title for people, e.g. "A migration failed". */
const char *category_title(enum category category);

/* Whether the same request may work later without anybody changing anything. */
bool category_is_retryable(enum category category);
