/* SPDX-License-Identifier: PostgreSQL */
#include "base/log.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bounds.h"
#include "base/clock.h"
#include "base/macros.h"
#include "base/text.h"

/* Kept free behind the last field for the end of a line that had to be cut:
 * ..." and ,"truncated":true} and a newline. */
#define LINE_TAIL 32u
#define LINE_ROOM (BOUND_LOG_LINE - LINE_TAIL)

static const struct level_row {
	const char *name;     /* in a line */
	const char *priority; /* sd-daemon(3) */
} levels[LOG_LEVEL_COUNT] = {
	[LOG_ERROR] = { "ERROR", "<3>" },
	[LOG_WARNING] = { "WARNING", "<4>" },
	[LOG_INFO] = { "INFO", "<6>" },
	[LOG_DEBUG] = { "DEBUG", "<7>" },
};

static struct {
	int fd;
	enum log_format format;
	enum log_level level;
	bool journal; /* standard error is the journal's */
	uint64_t written[LOG_LEVEL_COUNT];
	uint64_t dropped;
} logger = {
	.fd = STDERR_FILENO,
	.level = LOG_INFO,
};

/* A line under construction. Once cut, it takes no more fields. */
struct line {
	char data[BOUND_LOG_LINE];
	size_t len;
	bool cut;
};

/* systemd says in JOURNAL_STREAM which file the journal reads; a redirection since then makes it
 * another one. */
static bool
is_journal(int fd)
{
	const char *stream = getenv("JOURNAL_STREAM");
	struct stat st = { 0 };
	char own[64];

	if (!stream || fstat(fd, &st) < 0)
		return false;
	snprintf(own, sizeof(own), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	return strcmp(stream, own) == 0;
}

void
log_init(int fd, enum log_format format, enum log_level level)
{
	logger.fd = fd;
	logger.format = format;
	logger.level = level;
	logger.journal = is_journal(fd);
}

enum log_level
log_level(void)
{
	return logger.level;
}

/* Whether `n` more bytes leave the tail free; if not, the line is cut here. */
static bool
line_takes(struct line *line, size_t n)
{
	if (line->len + n > LINE_ROOM)
		line->cut = true;
	return !line->cut;
}

/* The caller knows that it fits: by line_takes, or because the tail is kept for it. */
static void
line_add(struct line *line, const char *s)
{
	size_t n = strlen(s);

	memcpy(line->data + line->len, s, n);
	line->len += n;
}

/* A value with its control characters escaped; quotes and backslashes too where `quoted`. */
static void
line_add_value(struct line *line, const char *s, bool quoted)
{
	size_t left = strlen(s);
	char unit[TEXT_JSON_CHAR];
	size_t took = 0;

	for (; left > 0; s += took, left -= took) {
		size_t n = text_json_char(s, left, &took, unit);

		if (!quoted && (*s == '"' || *s == '\\')) {
			unit[0] = *s;
			n = 1;
		}
		if (!line_takes(line, n)) {
			line_add(line, "...");
			return;
		}
		memcpy(line->data + line->len, unit, n);
		line->len += n;
	}
}

/* logfmt: a bare word where that is unambiguous, else in quotes. */
static bool
is_bare(const char *s)
{
	if (!*s)
		return false;
	for (; *s; s++) {
		if (*s <= ' ' || *s > '~' || strchr("\"\\=", *s))
			return false;
	}
	return true;
}

static void
line_add_field(struct line *line, const struct log_field *field)
{
	bool json = logger.format == LOG_FORMAT_JSON;
	bool quoted = !field->is_number && (json || !is_bare(field->text));
	char number[24] = "";

	if (field->is_number)
		snprintf(number, sizeof(number), "%" PRId64, field->number);
	/* around the key: ,"": and the opening quote */
	if (line->cut || !line_takes(line, strlen(field->key) + strlen(number) + 5))
		return;
	line_add(line, json ? ",\"" : " ");
	line_add(line, field->key);
	line_add(line, json ? "\":" : "=");
	line_add(line, quoted ? "\"" : number);
	if (!field->is_number)
		line_add_value(line, field->text, quoted);
	line_add(line, quoted ? "\"" : "");
}

static void
line_add_fields(struct line *line, const struct log_field *fields)
{
	for (; fields->key; fields++) {
		if (fields->is_number || fields->text)
			line_add_field(line, fields);
	}
}

static void
line_add_err(struct line *line, const struct err *err)
{
	const struct log_field fields[] = {
		LOG_STR("category", category_name(err->category)),
		LOG_STR("error", err->text),
		LOG_STR("sqlstate", err->sqlstate[0] ? err->sqlstate : NULL),
		LOG_STR("file", err->file[0] ? err->file : NULL),
		{ .key = "line", .number = err->line, .is_number = err->line > 0 },
		LOG_STR("hint", err->hint[0] ? err->hint : NULL),
		{ 0 },
	};

	line_add_fields(line, fields);
}

static void
line_begin(struct line *line, enum log_level level, const char *message)
{
	const struct level_row *row = &levels[level];
	char when[CLOCK_TEXT];
	char head[96];

	clock_format(clock_now_us(), when, sizeof(when));
	if (logger.format == LOG_FORMAT_JSON)
		snprintf(head, sizeof(head),
		    "{\"timestamp\":\"%s\",\"level\":\"%s\",\"message\":\"", when,
		    row->name);
	else
		snprintf(head, sizeof(head), "%s%s %-5s ",
		    logger.journal ? row->priority : "", when, row->name);
	line_add(line, head);
	line_add_value(line, message, logger.format == LOG_FORMAT_JSON);
	line_add(line, logger.format == LOG_FORMAT_JSON ? "\"" : "");
}

static void
line_end(struct line *line)
{
	if (logger.format == LOG_FORMAT_JSON)
		line_add(line, line->cut ? ",\"truncated\":true}\n" : "}\n");
	else
		line_add(line, line->cut ? " truncated=true\n" : "\n");
}

/*
 * One look and one write, no second try: whoever reads our log may be asleep, the loop may not.
 * A pipe that polls writable takes PIPE_BUF bytes without waiting. A reader that is gone gives
 * EPIPE, as the program ignores SIGPIPE; that line counts as dropped like any other.
 */
static bool
line_write(const struct line *line)
{
	struct pollfd ready = { .fd = logger.fd, .events = POLLOUT };

	return poll(&ready, 1, 0) == 1 && (ready.revents & POLLOUT) &&
	    write(logger.fd, line->data, line->len) >= 0;
}

void
log_event(enum log_level level, const struct err *err, const char *message,
    const struct log_field *fields)
{
	struct line line = { .len = 0 };

	if (level > logger.level)
		return;
	line_begin(&line, level, message);
	line_add_fields(&line, fields);
	if (err)
		line_add_err(&line, err);
	line_end(&line);
	if (line_write(&line))
		logger.written[level]++;
	else
		logger.dropped++;
}

uint64_t
log_count(enum log_level level)
{
	return logger.written[level];
}

uint64_t
log_dropped(void)
{
	return logger.dropped;
}
