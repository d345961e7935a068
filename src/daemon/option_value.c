/* SPDX-License-Identifier: PostgreSQL */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bounds.h"
#include "base/duration.h"
#include "base/mem.h"
#include "daemon/options.h"

static const struct {
	const char *name;
	bool value;
} bools[] = {
	{ "on", true },
	{ "off", false },
	{ "true", true },
	{ "false", false },
	{ "yes", true },
	{ "no", false },
	{ "1", true },
	{ "0", false },
};

static void *
field_of(const struct option_row *row, void *base)
{
	return (char *)base + row->offset;
}

static const void *
const_field_of(const struct option_row *row, const void *base)
{
	return (const char *)base + row->offset;
}

/* The index-th choice of a row; NULL when there are not that many. */
static const char *
choice_at(const struct option_row *row, int index)
{
	if (row->choices)
		return row->choices[index];
	return index == 0 ? "auto" : row->names((size_t)index - 1);
}

/* Shown in the longest unit that divides it. */
static const char *
print_duration(int64_t ms, char *buf, size_t size)
{
	size_t i = 0;

	if (ms == 0) {
		snprintf(buf, size, "0");
		return buf;
	}
	while (ms % duration_units[i].ms != 0)
		i++;
	snprintf(buf, size, "%" PRId64 "%s", ms / duration_units[i].ms,
	    duration_units[i].name);
	return buf;
}

static char *
list_text(const void *ctx, const char *const *list)
{
	char *text = mem_strdup(ctx, "");

	for (size_t i = 0; list && list[i]; i++) {
		char *longer =
		    mem_printf(ctx, "%s%s%s", text, i > 0 ? ", " : "", list[i]);

		talloc_free(text);
		text = longer;
	}
	return text;
}

char *
option_allowed(const void *ctx, const struct option_row *row)
{
	char min[32];
	char max[32];

	switch (row->type) {
	case OPTION_BOOL:
		return mem_strdup(ctx, "on, off");
	case OPTION_CHOICE:
		return row->choices
		    ? list_text(ctx, row->choices)
		    : mem_printf(ctx, "auto, %s", names_list(ctx, row->names));
	case OPTION_DURATION:
		return mem_printf(ctx,
		    "a whole number with ms, s, min, h or d, from %s to %s",
		    print_duration(row->min, min, sizeof(min)),
		    print_duration(row->max, max, sizeof(max)));
	case OPTION_NUMBER:
		return mem_printf(ctx, "a whole number from %" PRId64 " to %" PRId64,
		    row->min, row->max);
	case OPTION_STRING:
	case OPTION_LIST:
		break;
	}
	return mem_strdup(ctx, "text");
}

/* The error of a value that the row does not allow. */
static int
refuse(const struct option_row *row, const char *text, struct err *err)
{
	void *ctx = mem_context(NULL, "refuse");

	err_set(err, CAT_CONFIGURATION, "\"%.100s\" is not allowed: %s", text,
	    option_allowed(ctx, row));
	talloc_free(ctx);
	return -1;
}

static int
set_bool(const struct option_row *row, bool *field, const char *text, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(bools); i++) {
		if (strcmp(bools[i].name, text) == 0) {
			*field = bools[i].value;
			return 0;
		}
	}
	return refuse(row, text, err);
}

static int
set_choice(const struct option_row *row, int *field, const char *text, struct err *err)
{
	const char *choice = NULL;

	for (int i = 0; (choice = choice_at(row, i)) != NULL; i++) {
		if (strcmp(choice, text) == 0) {
			*field = i;
			return 0;
		}
	}
	return refuse(row, text, err);
}

static int
set_duration(
    const struct option_row *row, int64_t *field, const char *text, struct err *err)
{
	int64_t ms = 0;

	if (!duration_parse(text, &ms) || ms < row->min || ms > row->max)
		return refuse(row, text, err);
	*field = ms;
	return 0;
}

static int
set_number(
    const struct option_row *row, unsigned *field, const char *text, struct err *err)
{
	size_t digits = strspn(text, "0123456789");
	long long number = strtoll(text, NULL, 10); /* LLONG_MAX where there are more */

	if (digits == 0 || text[digits] || number < row->min || number > row->max)
		return refuse(row, text, err);
	*field = (unsigned)number;
	return 0;
}

/* What no value may have: it would be cut or torn where it is used. */
static int
check_text(const char *text, struct err *err)
{
	if (strlen(text) > BOUND_CONFIG_VALUE)
		return err_set(err, CAT_CONFIGURATION,
		    "the value is longer than %u bytes", BOUND_CONFIG_VALUE);
	for (const char *c = text; *c; c++) {
		if ((unsigned char)*c < ' ' || *c == 127)
			return err_set(err, CAT_CONFIGURATION,
			    "the value has a control character (0x%02x)",
			    (unsigned)(unsigned char)*c);
	}
	return 0;
}

int
option_set_list(const void *ctx, const struct option_row *row, void *base,
    const char *const *texts, size_t n, struct err *err)
{
	const char ***field = field_of(row, base);
	const char **list = mem_array(ctx, const char *, n + 1);
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		if (check_text(texts[i], err) < 0)
			return -1;
		if (texts[i][0])
			list[kept++] = mem_strdup(list, texts[i]);
	}
	*field = kept > 0 ? list : NULL;
	return 0;
}

/* Cut at commas, spaces around an element dropped. */
static int
set_cut_list(const void *ctx, const struct option_row *row, void *base, const char *text,
    struct err *err)
{
	void *scratch = mem_context(NULL, "list");
	const char **parts = NULL;
	size_t n = 0;
	int rc = 0;

	while (*(text += strspn(text, ", "))) {
		size_t len = strcspn(text, ",");
		size_t next = len;

		while (len > 0 && text[len - 1] == ' ')
			len--;
		parts = mem_grow(scratch, parts, const char *, n + 1);
		parts[n++] = mem_strndup(scratch, text, len);
		text += next;
	}
	rc = option_set_list(ctx, row, base, parts, n, err);
	talloc_free(scratch);
	return rc;
}

int
option_set(const void *ctx, const struct option_row *row, void *base, const char *text,
    struct err *err)
{
	void *field = field_of(row, base);

	if (text && check_text(text, err) < 0)
		return -1;
	switch (row->type) {
	case OPTION_STRING:
		*(const char **)field = text && text[0] ? mem_strdup(ctx, text) : NULL;
		return 0;
	case OPTION_LIST:
		return set_cut_list(ctx, row, base, text ? text : "", err);
	case OPTION_BOOL:
		return text ? set_bool(row, field, text, err) : 0;
	case OPTION_CHOICE:
		return text ? set_choice(row, field, text, err) : 0;
	case OPTION_DURATION:
		return text ? set_duration(row, field, text, err) : 0;
	case OPTION_NUMBER:
		return text ? set_number(row, field, text, err) : 0;
	}
	return 0;
}

char *
option_text(const void *ctx, const struct option_row *row, const void *base)
{
	const void *field = const_field_of(row, base);
	char buf[32];

	switch (row->type) {
	case OPTION_STRING: {
		const char *text = *(const char *const *)field;

		return mem_strdup(ctx, text ? text : "");
	}
	case OPTION_LIST:
		return list_text(ctx, *(const char *const *const *)field);
	case OPTION_BOOL:
		return mem_strdup(ctx, *(const bool *)field ? "on" : "off");
	case OPTION_CHOICE:
		return mem_strdup(ctx, choice_at(row, *(const int *)field));
	case OPTION_DURATION:
		return mem_strdup(
		    ctx, print_duration(*(const int64_t *)field, buf, sizeof(buf)));
	case OPTION_NUMBER:
		return mem_printf(ctx, "%u", *(const unsigned *)field);
	}
	return mem_strdup(ctx, "");
}
