/* SPDX-License-Identifier: PostgreSQL */
#include "ctl/args.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/bounds.h"
#include "base/duration.h"
#include "base/mem.h"
#include "base/spelling.h"
#include "base/text.h"
#include "base/utf8.h"
#include "daemon/conninfo.h"
#include "daemon/options.h"

static int misused(struct err *err, const struct ctl_command *command, const char *fmt,
    ...) PRINTF_LIKE(3, 4);

/* What is wrong with the command line itself. */
static int
misused(struct err *err, const struct ctl_command *command, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	err_vset(err, CAT_CONFIGURATION, fmt, ap);
	va_end(ap);
	err->exit_code = EXIT_USAGE;
	err_hint(err, "see migrationctl %s%s--help", command ? command->name : "",
	    command ? " " : "");
	return -1;
}

/* ---- flags ---- */

static const struct ctl_flag *
find_in(const struct ctl_flag *flags, const char *name, size_t len)
{
	for (; flags && flags->name; flags++) {
		if (strlen(flags->name) == len && strncmp(flags->name, name, len) == 0)
			return flags;
	}
	return NULL;
}

static const struct ctl_flag *
find_flag(const struct ctl_command *command, const char *name, size_t len)
{
	const struct ctl_flag *flag = find_in(command ? command->flags : NULL, name, len);

	return flag ? flag : find_in(ctl_flags, name, len);
}

/* A setting of the daemon; what only the daemon's own command line has is none. */
static const struct option_row *
find_setting(const char *name, size_t len)
{
	char flag[OPTION_NAME] = "";
	const struct option_row *row;

	if (len >= sizeof(flag))
		return NULL;
	memcpy(flag, name, len);
	row = option_find_flag(flag);
	if (row && (row->flags & OPTION_FLAG_ONLY) && row->type == OPTION_BOOL)
		return NULL;
	return row;
}

static void
try_flags(struct spelling *spelling, const struct ctl_flag *flags)
{
	for (; flags && flags->name; flags++)
		spelling_try(spelling, flags->name);
}

static int
unknown_flag(
    const struct ctl_command *command, const char *name, size_t len, struct err *err)
{
	char word[SPELLING_BYTES];
	struct spelling spelling = { .word = word };
	const char *nearest, *setting;
	char flag[OPTION_NAME];

	snprintf(word, sizeof(word), "%.*s", (int)len, name);
	try_flags(&spelling, command ? command->flags : NULL);
	try_flags(&spelling, ctl_flags);
	nearest = spelling_nearest(&spelling);
	setting = option_nearest(word);
	if (nearest)
		err_hint(err, "did you mean --%s?", nearest);
	else if (setting)
		err_hint(err, "did you mean %s?",
		    option_flag(option_find(setting), flag, sizeof(flag)));
	if (!command)
		return misused(err, NULL, "there is no flag --%s", word);
	return misused(err, command, "%s has no flag --%s", command->name, word);
}

/*
 * What JSON cannot carry, or no daemon takes, would be left out of a request: "apply" with a
 * target that is left out applies everything.
 */
static int
check_text(const struct ctl_command *command, const char *name, size_t len,
    const char *text, struct err *err)
{
	if (!utf8_is_valid(text, strlen(text), NULL))
		return misused(err, command, "%.*s is not valid UTF-8", (int)len, name);
	if (strlen(text) > ARGS_BYTES)
		return misused(err, command, "%.*s is longer than %u bytes", (int)len,
		    name, ARGS_BYTES);
	return 0;
}

static int
check_value(const struct ctl_command *command, const struct ctl_flag *flag,
    const char *text, struct err *err)
{
	size_t digits = strspn(text, "0123456789");
	int64_t ms;

	if (flag->type == CTL_DURATION && !duration_parse(text, &ms))
		return misused(err, command,
		    "--%s: \"%.60s\" is no duration, as 30s or 5min", flag->name, text);
	if (flag->type == CTL_NUMBER &&
	    (digits == 0 || digits > 9 || text[digits] || text[0] == '0'))
		return misused(err, command, "--%s: \"%.60s\" is no number from 1 on",
		    flag->name, text);
	if (flag->type == CTL_TEXT &&
	    ctl_is_list(flag->argument, strlen(flag->argument)) &&
	    !ctl_list_has(flag->argument, strlen(flag->argument), text))
		return misused(err, command, "--%s is one of %s, not \"%.60s\"",
		    flag->name, flag->argument, text);
	return 0;
}

/* The value of the flag at argv[*i]: behind its "=", or the next argument. */
static int
take_value(const struct ctl_command *command, int argc, char *const *argv, int *i,
    const char **text, struct err *err)
{
	const char *equals = strchr(argv[*i], '=');

	if (equals) {
		*text = equals + 1;
		return 0;
	}
	/* a value that begins with dashes is written with "=" */
	if (*i + 1 >= argc || strncmp(argv[*i + 1], "--", 2) == 0)
		return misused(err, command, "%s needs a value", argv[*i]);
	*text = argv[++*i];
	return 0;
}

static void
add_setting(const void *ctx, struct args *args, const char *argument)
{
	args->settings =
	    mem_grow(ctx, args->settings, const char *, args->n_settings + 2);
	args->settings[args->n_settings++] = argument;
	args->settings[args->n_settings] = NULL;
}

static int
take_flag(const void *ctx, int argc, char *const *argv, int *i, struct args *args,
    struct err *err)
{
	const char *name = argv[*i] + 2;
	size_t len = strcspn(name, "=");
	const struct ctl_flag *flag = find_flag(args->command, name, len);
	const struct option_row *setting = find_setting(name, len);
	const char *text = "";
	int at = *i;

	if (!flag && !setting)
		return unknown_flag(args->command, name, len, err);
	if (flag && flag->type == CTL_SWITCH && name[len])
		return misused(err, args->command, "--%s takes no value", flag->name);
	if ((flag && flag->type != CTL_SWITCH) ||
	    (!flag && (setting->type != OPTION_BOOL || name[len]))) {
		if (take_value(args->command, argc, argv, i, &text, err) < 0)
			return -1;
	}
	if (flag) {
		if (check_text(args->command, argv[at], len + 2, text, err) < 0 ||
		    check_value(args->command, flag, text, err) < 0)
			return -1;
		args->flags =
		    mem_grow(ctx, args->flags, struct args_flag, args->n_flags + 1);
		args->flags[args->n_flags++] = (struct args_flag){ flag, text };
	}
	if (setting && (!flag || flag->type != CTL_SWITCH))
		add_setting(ctx, args,
		    setting->type == OPTION_BOOL && !name[len]
			? mem_printf(ctx, "--%.*s", (int)len, name)
			: mem_printf(ctx, "--%.*s=%s", (int)len, name, text));
	return 0;
}

/* ---- the command and its operands ---- */

/* The flag of whichever command has it: those of one name are of one type. */
static const struct ctl_flag *
find_flag_anywhere(const char *name, size_t len)
{
	const struct ctl_flag *flag = find_flag(NULL, name, len);

	for (size_t i = 0; !flag && i < ctl_command_count; i++)
		flag = find_in(ctl_commands[i].flags, name, len);
	return flag;
}

/* Whether the argument that follows is the value of this one. */
static bool
takes_next(const char *argument)
{
	const char *name = argument + 2;
	size_t len = strcspn(name, "=");
	const struct ctl_flag *flag = find_flag_anywhere(name, len);
	const struct option_row *setting = find_setting(name, len);

	if (name[len])
		return false;
	return flag ? flag->type != CTL_SWITCH : setting && setting->type != OPTION_BOOL;
}

static bool
is_flag_anywhere(const char *argument)
{
	size_t len = strcspn(argument + 2, "=");

	return len == 0 || find_flag_anywhere(argument + 2, len) ||
	    find_setting(argument + 2, len);
}

/*
 * The command comes first of what is no flag. Its flags may stand before it, so it is
 * looked for ahead of them; what a flag takes as its value is no command. `*unknown` is the first
 * flag before it that nobody has: what stands behind that may be its value, even a secret.
 */
static const char *
find_command(
    int argc, char *const *argv, const struct ctl_command **command, const char **unknown)
{
	for (int i = 1; i < argc; i++) {
		if (strncmp(argv[i], "--", 2) != 0) {
			*command = ctl_command_find(argv[i]);
			return argv[i];
		}
		if (!*unknown && !is_flag_anywhere(argv[i]))
			*unknown = argv[i];
		i += takes_next(argv[i]);
	}
	return NULL;
}

static int
unknown_command(const char *word, struct err *err)
{
	struct spelling spelling = { .word = word };

	for (size_t i = 0; i < ctl_command_count; i++)
		spelling_try(&spelling, ctl_commands[i].name);
	if (spelling_nearest(&spelling))
		err_hint(err, "did you mean %s?", spelling_nearest(&spelling));
	return misused(err, NULL, "there is no command %.60s", word);
}

static int
take_operand(struct args *args, const char *text, struct err *err)
{
	const char *word;
	bool optional;
	size_t len = ctl_operand(args->command, args->n_operands, &word, &optional);

	if (len == 0 || args->n_operands == ARGS_OPERANDS)
		return misused(
		    err, args->command, "there is nothing to do with \"%.60s\"", text);
	if (ctl_is_list(word, len) && !ctl_list_has(word, len, text))
		return misused(err, args->command, "\"%.60s\" is none of %.*s", text,
		    (int)len, word);
	if (check_text(args->command, word, len, text, err) < 0)
		return -1;
	args->operands[args->n_operands++] = text;
	return 0;
}

static int
check_operands(const struct args *args, struct err *err)
{
	const char *word;
	bool optional;
	size_t len = ctl_operand(args->command, args->n_operands, &word, &optional);

	if (len == 0 || optional)
		return 0;
	return misused(
	    err, args->command, "%s needs %.*s", args->command->name, (int)len, word);
}

int
args_parse(
    const void *ctx, int argc, char *const *argv, struct args *args, struct err *err)
{
	const char *unknown = NULL;
	const char *word;
	bool only_operands = false; /* behind "--" */

	*args = (struct args){ 0 };
	add_setting(ctx, args, "migrationctl");
	word = find_command(argc, argv, &args->command, &unknown);
	if (word && !args->command)
		return unknown
		    ? unknown_flag(NULL, unknown + 2, strcspn(unknown + 2, "="), err)
		    : unknown_command(word, err);
	for (int i = 1; i < argc; i++) {
		if (argv[i] == word)
			continue;
		if (!only_operands && strcmp(argv[i], "--") == 0) {
			only_operands = true;
		} else if (only_operands || argv[i][0] != '-' || argv[i][1] == '\0') {
			if (take_operand(args, argv[i], err) < 0)
				return -1;
		} else if (strncmp(argv[i], "--", 2) != 0) {
			return misused(err, args->command,
			    "there is no flag %.60s: all of them begin with two dashes",
			    argv[i]);
		} else if (take_flag(ctx, argc, argv, &i, args, err) < 0) {
			return -1;
		}
	}
	if (args_has(args, "help") || args_has(args, "version"))
		return 0;
	if (!args->command)
		return misused(err, NULL, "no command");
	return check_operands(args, err);
}

/* ---- asking for them ---- */

/* "--name=value" as it may be shown. */
static void
add_shown(struct text *out, const char *setting)
{
	const char *name = setting + 2;
	size_t len = strcspn(name, "=");
	const struct option_row *row = find_setting(name, len);
	char *masked = NULL;

	if (row && (row->flags & OPTION_SECRET) && name[len]) {
		char *value = conninfo_mask(NULL, name + len + 1);

		masked = mem_printf(NULL, "--%.*s=%s", (int)len, name, value);
		talloc_free(value);
	}
	text_add_char(out, ' ');
	text_add_word(out, masked ? masked : setting);
	talloc_free(masked);
}

char *
args_program(const void *ctx, const struct args *args)
{
	const char *server = args_text(args, "server");
	struct text out;

	text_init(&out, ctx, BOUND_REPLY_BYTES);
	text_add(&out, "migrationctl");
	if (server) {
		text_add(&out, " --server ");
		text_add_word(&out, server);
	}
	for (size_t i = 1; i < args->n_settings; i++)
		add_shown(&out, args->settings[i]);
	return out.data;
}

const char *
args_text(const struct args *args, const char *name)
{
	for (size_t i = args->n_flags; i > 0; i--) {
		if (strcmp(args->flags[i - 1].flag->name, name) == 0)
			return args->flags[i - 1].text;
	}
	return NULL;
}

bool
args_has(const struct args *args, const char *name)
{
	return args_text(args, name) != NULL;
}

int64_t
args_ms(const struct args *args, const char *name, int64_t fallback)
{
	const char *text = args_text(args, name);
	int64_t ms = fallback;

	return text && duration_parse(text, &ms) ? ms : fallback;
}

const char *
args_operand(const struct args *args, size_t index)
{
	return index < args->n_operands ? args->operands[index] : NULL;
}
