/* SPDX-License-Identifier: PostgreSQL */
#include <string.h>

#include "base/bounds.h"
#include "base/mem.h"
#include "base/text.h"
#include "base/words.h"
#include "daemon/config.h"
#include "daemon/conninfo.h"
#include "daemon/options.h"
#include "daemon/webhook_sign.h"

#define HELP_COLUMNS 80
#define HELP_INDENT  6

/* Arguments may be secrets; the program is not. */
static char *
mask_command(const void *ctx, const char *line)
{
	struct err err = { 0 };
	char **words = NULL;
	char *masked = NULL;

	if (words_split(ctx, line, &words, &err) < 0)
		return mem_strdup(ctx, line[0] ? "****" : "");
	masked = mem_printf(ctx, "%s%s", words[0], words[1] ? " ****" : "");
	talloc_free(words);
	return masked;
}

/* Of a list of URLs only where they lead. */
static char *
mask_urls(const void *ctx, const char *list)
{
	struct text masked;

	text_init(&masked, ctx, BOUND_CONFIG_VALUE);
	for (const char *at = list; *at; at += strspn(at, ", ")) {
		char *url = mem_strndup(ctx, at, strcspn(at, ","));
		char *place = webhook_place(ctx, url);

		text_addf(&masked, "%s%s/****", at == list ? "" : ", ", place);
		at += strlen(url);
		talloc_free(place);
		talloc_free(url);
	}
	return masked.data;
}

char *
config_value_text(const void *ctx, const struct config *config, size_t row)
{
	char *text = option_text(ctx, &option_table[row], config);
	char *masked = NULL;

	if (!(option_table[row].flags & OPTION_SECRET))
		return text;
	if (option_table[row].flags & OPTION_COMMAND)
		masked = mask_command(ctx, text);
	else if (option_table[row].type == OPTION_LIST)
		masked = mask_urls(ctx, text);
	else
		masked = conninfo_mask(ctx, text);
	talloc_free(text);
	return masked;
}

/* Single quotes: in double ones libconfuse expands ${NAME}. */
static void
print_quoted(FILE *out, const char *text, size_t len)
{
	fputc('\'', out);
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\'' || text[i] == '\\')
			fputc('\\', out);
		fputc(text[i], out);
	}
	fputc('\'', out);
}

static void
print_value(FILE *out, const struct option_row *row, const char *text)
{
	if (row->type == OPTION_STRING) {
		print_quoted(out, text, strlen(text));
	} else if (row->type == OPTION_LIST) {
		fputc('{', out);
		while (*text) {
			size_t len = strcspn(text, ",");

			print_quoted(out, text, len);
			text += len;
			text += strspn(text, ", ");
			fputs(*text ? ", " : "", out);
		}
		fputc('}', out);
	} else {
		fputs(text, out);
	}
}

void
config_print(FILE *out, const struct config *config)
{
	void *scratch = mem_context(NULL, "config_print");

	if (config->config_path)
		fprintf(out, "# file is %s\n", config->config_path);
	for (size_t i = 0; i < option_count; i++) {
		const struct option_row *row = &option_table[i];
		const char *text = NULL;

		if (row->flags & OPTION_FLAG_ONLY)
			continue;
		text = config_value_text(scratch, config, i);
		/* what is unset has no value that could be written down */
		fprintf(out, "%s%s = ", text[0] ? "" : "#", row->name);
		print_value(out, row, text);
		fprintf(out, " # %s%s\n", config->origins[i],
		    row->flags & OPTION_RELOAD ? "" : ", restart to change");
	}
	talloc_free(scratch);
}

void
config_help_text(FILE *out, const char *text)
{
	size_t column = 0;

	while (*text) {
		size_t len = strcspn(text, " ");

		if (column > 0 && column + 1 + len > HELP_COLUMNS) {
			fputc('\n', out);
			column = 0;
		}
		if (column == 0)
			column += (size_t)fprintf(out, "%*s", HELP_INDENT, "");
		else
			column += (size_t)fprintf(out, " ");
		column += (size_t)fprintf(out, "%.*s", (int)len, text);
		text += len;
		text += strspn(text, " ");
	}
	fputc('\n', out);
}

static const char *
argument_of(const void *ctx, const struct option_row *row)
{
	if (row->argument)
		return row->argument;
	switch (row->type) {
	case OPTION_CHOICE: {
		char *names = option_allowed(ctx, row);
		char *to = names;

		for (const char *from = names; *from; from++) {
			if (*from != ' ')
				*to++ = (char)(*from == ',' ? '|' : *from);
		}
		*to = '\0';
		return names;
	}
	case OPTION_DURATION:
		return "TIME";
	case OPTION_NUMBER:
		return "NUMBER";
	case OPTION_BOOL:
	case OPTION_STRING:
	case OPTION_LIST:
		break;
	}
	return NULL;
}

static void
print_option(FILE *out, const void *ctx, const struct option_row *row)
{
	const char *argument = argument_of(ctx, row);
	const char *fallback = row->fallback;
	const char *help = row->help;
	char flag[OPTION_NAME];

	/* too many names for the line of the flag */
	if (row->type == OPTION_CHOICE && row->argument)
		help = mem_printf(ctx, "%s One of %s.", help, option_allowed(ctx, row));
	fprintf(out, "  %s", option_flag(row, flag, sizeof(flag)));
	if (argument)
		fprintf(out, " %s", argument);
	else if (!(row->flags & OPTION_FLAG_ONLY))
		fputs("[=on|off]", out);
	fputc('\n', out);
	config_help_text(
	    out, fallback ? mem_printf(ctx, "%s Default: %s.", help, fallback) : help);
}

void
config_help(FILE *out)
{
	static const char head[] =
	    "migrationd keeps a PostgreSQL schema at the state that its migrations folder says.\n"
	    "\n"
	    "Examples:\n"
	    "  migrationd --ephemeral --migrations ./drizzle\n"
	    "      try a folder on a private throw-away PostgreSQL\n"
	    "  DATABASE_URL=postgres://app@db/app migrationd --once --migrations ./drizzle\n"
	    "      apply what is pending and exit\n"
	    "  migrationd --config /etc/migrationd/migrationd.conf\n"
	    "      run as a daemon; then: curl localhost:8432/status?format=text\n"
	    "\n"
	    "Each setting is also a key of the configuration file (lock_wait) and an environment\n"
	    "variable (MIGRATIOND_LOCK_WAIT). A flag counts more than the environment, the\n"
	    "environment more than the file. TIME is a number with ms, s, min, h or d.\n";
	void *scratch = mem_context(NULL, "config_help");

	fputs(head, out);
	for (const char *group = option_groups; *group; group++) {
		fprintf(out, "\n%s:\n", option_group(*group));
		for (size_t i = 0; i < option_count; i++) {
			if (option_table[i].group == *group)
				print_option(out, scratch, &option_table[i]);
		}
	}
	fputs("\nManual: migrationd(8), migrationd.conf(5)\n", out);
	talloc_free(scratch);
}
