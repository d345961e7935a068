/* SPDX-License-Identifier: PostgreSQL */
#include "core/author_name.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"

#define DIGITS         "0123456789"
#define SLUG_BYTES     60u /* a name is to be read */
#define SECONDS_WIDTH  10u
#define SECONDS_FIRST  INT64_C(1000000000) /* 2001-09-09: a zero in front pads a count */
#define CALENDAR_WIDTH 14u

static void
heed(struct author_style *style, const char *name)
{
	size_t width = strspn(name, DIGITS);
	int64_t number = strtoll(name, NULL, 10);

	if (width == 0 || width > 18 || number < style->highest)
		return;
	style->highest = number;
	style->width = (unsigned)width;
	style->separator = name[width] == '-' ? '-' : '_';
}

struct author_style
author_style_of(const struct folder *folder, int64_t first)
{
	struct author_style style = {
		.width = 4, .separator = '_', .highest = first - 1
	};

	for (size_t i = 0; i < folder->n_migrations; i++)
		heed(&style, folder->migrations[i]->id);
	/* nobody lists them yet, but their numbers are taken */
	for (size_t i = 0; i < folder->n_unregistered; i++)
		heed(&style, folder->unregistered[i]);
	return style;
}

/* 20261120055812 */
static int64_t
calendar_number(int64_t now_us)
{
	char text[CLOCK_TEXT];
	int64_t number = 0;

	clock_format(now_us, text, sizeof(text));
	for (const char *p = text; *p != '.'; p++) {
		if (isdigit((unsigned char)*p))
			number = number * 10 + (*p - '0');
	}
	return number;
}

/* 20991231235959; not 00000000000042. The seconds go beyond 59 where names were counted on. */
static bool
is_calendar(int64_t number)
{
	int64_t minute = number / 100 % 100, hour = number / 10000 % 100;
	int64_t day = number / 1000000 % 100, month = number / 100000000 % 100;

	return number / INT64_C(10000000000) >= 1970 && month >= 1 && month <= 12 &&
	    day >= 1 && day <= 31 && hour < 24 && minute < 60;
}

/* The time, in the form of the folder's newest number; 0: that one is no time. */
static int64_t
number_of_now(const struct author_style *style, int64_t now_us)
{
	if (style->width == CALENDAR_WIDTH && is_calendar(style->highest))
		return calendar_number(now_us);
	if (style->width == SECONDS_WIDTH && style->highest >= SECONDS_FIRST)
		return now_us / 1000000;
	return 0;
}

char *
author_number(const void *ctx, const struct author_style *style, int64_t now_us)
{
	int64_t next = style->highest + 1;
	int64_t now = number_of_now(style, now_us);

	return mem_printf(ctx, "%0*" PRId64, (int)style->width, now > next ? now : next);
}

int
author_slug(const void *ctx, const char *description, char separator, char **slug,
    struct err *err)
{
	char name[SLUG_BYTES + 1];
	size_t len = 0;

	for (const char *p = description; *p != '\0' && len < SLUG_BYTES; p++) {
		unsigned char c = (unsigned char)*p;

		if (c < 0x80 && isalnum(c))
			name[len++] = (char)tolower(c);
		else if (len > 0 && name[len - 1] != separator && c != '\'')
			name[len++] = separator;
	}
	while (len > 0 && name[len - 1] == separator)
		len--;
	if (len == 0) {
		err_set(err, CAT_CONFIGURATION,
		    "the description has no letter or digit for a name");
		err_hint(
		    err, "say in a few words what the migration does: \"add users\"");
		return -1;
	}
	*slug = mem_strndup(ctx, name, len);
	return 0;
}

char *
author_day(const void *ctx, int64_t now_us)
{
	char text[CLOCK_TEXT];

	return mem_strndup(ctx, clock_format(now_us, text, sizeof(text)), 10);
}
