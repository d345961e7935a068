/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * One line per event on standard error.
 *
 * Text:  2026-11-20T05:58:12.123Z INFO  applied migration=0043_add_x migrationDuration=412
 * JSON:  {"timestamp":"...","level":"INFO","message":"applied","migration":"0043_add_x",
 *         "migrationDuration":412}, in one line
 *
 * Levels, `category`, `message`, `migrationDuration` (ms), `totalDuration` (ms) and
 * `filesProcessed` are the words that teams' dashboards already query.
 *
 * The loop must never wait for a slow reader: a line that the pipe cannot take now is dropped and
 * counted (log_dropped), as is one that nobody reads any more: the program ignores SIGPIPE.
 * Control characters are escaped, so an event is one line whatever a file name or a server message
 * holds. Lines are at most BOUND_LOG_LINE bytes; a longer one is cut, ends with "..." and the field
 * truncated=true, and is JSON still. Under the journal (JOURNAL_STREAM matches standard error)
 * text lines carry the "<6>" priority prefix of sd-daemon(3).
 *
 *	log_info("listening", LOG_STR("address", address));
 *	log_error_with(&err, "apply failed", LOG_STR("run", run->id));
 *
 * The logger is the one global of the program.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum log_level {
	LOG_ERROR,
	LOG_WARNING,
	LOG_INFO,
	LOG_DEBUG,
	LOG_LEVEL_COUNT
};
enum log_format {
	LOG_FORMAT_TEXT,
	LOG_FORMAT_JSON
};

struct log_field {
	const char *key;  /* NULL ends the list */
	const char *text; /* a string value; NULL: left out unless is_number */
	int64_t number;
	bool is_number;
};

#define LOG_STR(k, v) ((struct log_field){ .key = (k), .text = (v) })
#define LOG_INT(k, v) \
	((struct log_field){ .key = (k), .number = (int64_t)(v), .is_number = true })

/* Where and how to write; `fd` is standard error but in tests. May be called again (reload). */
void log_init(int fd, enum log_format format, enum log_level level);
enum log_level log_level(void);

/* `fields` ends with a zeroed field; use the macros. `err` may be NULL: else what it knows of
 * `category`, `error` (its text), `sqlstate`, `file`, `line` and `hint` become fields. Keys are our
 * own words and go out as they are. */
void log_event(enum log_level level, const struct err *err, const char *message,
    const struct log_field *fields);

#define LOG_FIELDS(...) ((const struct log_field[]){ __VA_ARGS__ __VA_OPT__(, ){ 0 } })
#define log_info(message, ...) \
	log_event(LOG_INFO, NULL, (message), LOG_FIELDS(__VA_ARGS__))
#define log_debug(message, ...) \
	log_event(LOG_DEBUG, NULL, (message), LOG_FIELDS(__VA_ARGS__))
#define log_warning(message, ...) \
	log_event(LOG_WARNING, NULL, (message), LOG_FIELDS(__VA_ARGS__))
#define log_error(message, ...) \
	log_event(LOG_ERROR, NULL, (message), LOG_FIELDS(__VA_ARGS__))
#define log_error_with(err, message, ...) \
	log_event(LOG_ERROR, (err), (message), LOG_FIELDS(__VA_ARGS__))
#define log_warning_with(err, message, ...) \
	log_event(LOG_WARNING, (err), (message), LOG_FIELDS(__VA_ARGS__))

/* Lines written by level, and lines dropped, since the start: for /metrics. */
uint64_t log_count(enum log_level level);
uint64_t log_dropped(void);
