/* SPDX-License-Identifier: PostgreSQL */
#include <string.h>

#include "base/mem.h"
#include "daemon/config_sources.h"

/*
 * The command line. By hand and not by getopt_long: that takes any beginning of a name
 * for the whole ("--ephem", and "--token" until there is a --token-bytes), prints its own
 * complaints, and keeps its place in global variables.
 */

/* All that was given for each option, in order. */
struct given {
	const char **texts;
	size_t n;
};

static int
unknown(const char *argument, size_t name_len, struct err *err)
{
	const char *nearest = NULL;
	char name[OPTION_NAME] = "";
	char flag[OPTION_NAME];

	if (name_len < sizeof(name))
		memcpy(name, argument, name_len);
	nearest = option_nearest(name + strspn(name, "-"));
	err_set(err, CAT_CONFIGURATION, "unknown flag %.*s", (int)name_len, argument);
	err->exit_code = EXIT_USAGE;
	if (nearest)
		err_hint(err, "did you mean %s?",
		    option_flag(option_find(nearest), flag, sizeof(flag)));
	else
		err_hint(err, "migrationd --help lists all flags");
	return -1;
}

/* What is wrong with the command line itself, not with a value. */
static int
misused(const char *what, const char *argument, struct err *err)
{
	err_set(err, CAT_CONFIGURATION, "%s %.100s", what, argument);
	err->exit_code = EXIT_USAGE;
	err_hint(err, "see migrationd --help");
	return -1;
}

/* The row of "--name" or "--name=value", or NULL. */
static const struct option_row *
find_row(const char *argument, size_t name_len)
{
	char flag[OPTION_NAME] = "";

	if (strncmp(argument, "--", 2) != 0 || name_len - 2 >= sizeof(flag))
		return NULL;
	memcpy(flag, argument + 2, name_len - 2);
	return option_find_flag(flag);
}

/* Take the flag at argv[*i], and with it the next argument where that is its value. */
static int
take_flag(const void *ctx, struct given *given, int argc, char *const *argv, int *i,
    struct err *err)
{
	const char *argument = argv[*i];
	size_t name_len = strcspn(argument, "=");
	const char *text = argument[name_len] ? argument + name_len + 1 : NULL;
	const struct option_row *row = find_row(argument, name_len);
	struct given *to = NULL;

	if (argument[0] != '-')
		return misused("unexpected argument", argument, err);
	if (!row)
		return unknown(argument, name_len, err);
	if (!text && row->type == OPTION_BOOL)
		text = "on";
	if (!text) {
		/* "--migrations --once" has forgotten the folder; a value like that is
		 * written with '=' */
		if (*i + 1 >= argc || strncmp(argv[*i + 1], "--", 2) == 0)
			return misused("no value given for", argument, err);
		text = argv[++*i];
	}
	to = &given[row - option_table];
	to->texts = mem_grow(ctx, to->texts, const char *, to->n + 1);
	to->texts[to->n++] = text;
	return 0;
}

/* Of what is not a list the last one counts: wrappers add their flags at the end. */
static int
put_flag(struct config *config, const struct option_row *row, const struct given *given,
    struct err *err)
{
	bool is_list = row->type == OPTION_LIST;
	struct config_value value = {
		.row = row,
		.texts = is_list ? given->texts : given->texts + given->n - 1,
		.n = is_list ? given->n : 1,
		.is_list = is_list,
		.origin = "flag",
	};
	char flag[OPTION_NAME];

	if (config_put(config, &value, err) < 0)
		return err_wrap(err, "%s", option_flag(row, flag, sizeof(flag)));
	return 0;
}

char **
config_take_argv(const void *ctx, int argc, char **argv)
{
	char **copy = mem_array(ctx, char *, (size_t)argc + 1);

	for (int i = 0; i < argc; i++)
		copy[i] = mem_strdup(copy, argv[i]);
	for (int i = 1; i < argc; i++) {
		size_t name_len = strcspn(argv[i], "=");
		const struct option_row *row = find_row(argv[i], name_len);
		char *value = argv[i][name_len] ? argv[i] + name_len + 1 : argv[i + 1];

		if (row && (row->flags & OPTION_SECRET) && value)
			memset(value, '*', strlen(value));
	}
	return copy;
}

int
config_read_flags(struct config *config, int argc, char *const *argv, struct err *err)
{
	void *scratch = mem_context(NULL, "flags");
	struct given *given = mem_array(scratch, struct given, option_count);
	int rc = 0;

	for (int i = 1; i < argc && rc == 0; i++)
		rc = take_flag(scratch, given, argc, argv, &i, err);
	for (size_t i = 0; i < option_count && rc == 0; i++) {
		if (given[i].n > 0)
			rc = put_flag(config, &option_table[i], &given[i], err);
	}
	talloc_free(scratch);
	return rc;
}
