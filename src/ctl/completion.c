/* SPDX-License-Identifier: PostgreSQL */

/*
 * Completion for bash, zsh and fish, out of the tables of command.c and of the daemon's
 * options. Each shell is one row.
 */

#include <stdio.h>
#include <string.h>

#include "ctl/ctl.h"
#include "daemon/options.h"

/* ---- what there is to complete ---- */

/* "a|b" as "a b". */
static void
print_words(FILE *out, const char *list, size_t len)
{
	for (size_t i = 0; i < len; i++)
		fputc(list[i] == '|' ? ' ' : list[i], out);
}

static bool
is_setting(const struct option_row *row)
{
	return !(row->flags & OPTION_FLAG_ONLY) || row->type == OPTION_STRING;
}

/* Whether files are to be completed for an argument of that name. */
static bool
is_path(const char *argument)
{
	return argument &&
	    (strcmp(argument, "FILE") == 0 || strcmp(argument, "DIR") == 0);
}

/* Whether its first operand is a file. */
static bool
takes_file(const struct ctl_command *command)
{
	return command->operands && strncmp(command->operands, "FILE", 4) == 0;
}

/* The closed list that an operand of the command is, if it is one. */
static size_t
find_list(const struct ctl_command *command, const char **list)
{
	bool optional;
	size_t len;

	for (size_t i = 0; (len = ctl_operand(command, i, list, &optional)) > 0; i++) {
		if (ctl_is_list(*list, len))
			return len;
	}
	return 0;
}

/* ---- bash ---- */

static void
print_flag_names(FILE *out, const struct ctl_flag *flags)
{
	for (; flags && flags->name; flags++)
		fprintf(out, " --%s", flags->name);
}

static void
print_settings(FILE *out)
{
	char flag[OPTION_NAME];

	for (size_t i = 0; i < option_count; i++) {
		if (is_setting(&option_table[i]))
			fprintf(out, " %s",
			    option_flag(&option_table[i], flag, sizeof(flag)));
	}
}

/* The flags whose value is a file, as a pattern of case. */
static void
print_file_flags(FILE *out)
{
	const char *bar = "";
	char flag[OPTION_NAME];

	for (size_t i = 0; i < option_count; i++) {
		const struct option_row *row = &option_table[i];

		if (!is_path(row->argument))
			continue;
		fprintf(out, "%s%s", bar, option_flag(row, flag, sizeof(flag)));
		bar = "|";
	}
}

static void
print_bash(FILE *out)
{
	const char *list;
	size_t len;

	fputs("# bash completion for migrationctl\n"
	      "_migrationctl() {\n"
	      "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
	      "\tlocal word command='' words='' files=''\n"
	      "\tcase $prev in\n\t",
	    out);
	print_file_flags(out);
	fputs(")\n"
	      "\t\tmapfile -t COMPREPLY < <(compgen -f -- \"$cur\")\n"
	      "\t\treturn\n"
	      "\t\t;;\n"
	      "\tesac\n"
	      "\tfor word in \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"; do\n"
	      "\t\tcase $word in\n\t\t",
	    out);
	for (size_t i = 0; i < ctl_command_count; i++)
		fprintf(out, "%s%s", i > 0 ? "|" : "", ctl_commands[i].name);
	fputs(")\n"
	      "\t\t\tcommand=$word\n"
	      "\t\t\tbreak\n"
	      "\t\t\t;;\n"
	      "\t\tesac\n"
	      "\tdone\n"
	      "\tcase $command in\n"
	      "\t'')\n"
	      "\t\twords='",
	    out);
	for (size_t i = 0; i < ctl_command_count; i++)
		fprintf(out, "%s%s", i > 0 ? " " : "", ctl_commands[i].name);
	fputs("'\n\t\t;;\n", out);
	for (size_t i = 0; i < ctl_command_count; i++) {
		const struct ctl_command *command = &ctl_commands[i];

		len = find_list(command, &list);
		if (!command->flags && len == 0)
			continue;
		fprintf(out, "\t%s)\n\t\twords='", command->name);
		print_words(out, list, len);
		print_flag_names(out, command->flags);
		fprintf(
		    out, "'\n%s\t\t;;\n", takes_file(command) ? "\t\tfiles=yes\n" : "");
	}
	fputs("\tesac\n\tif [[ $cur == -* ]]; then\n\t\tfiles=''\n\t\twords+='", out);
	print_flag_names(out, ctl_flags);
	print_settings(out);
	fputs(
	    "'\n"
	    "\tfi\n"
	    "\tmapfile -t COMPREPLY < <(compgen ${files:+-f} -W \"$words\" -- \"$cur\")\n"
	    "}\n"
	    "complete -F _migrationctl migrationctl\n",
	    out);
}

/* ---- zsh ---- */

/* What stands in single quotes, within brackets of _arguments: both need a backslash or more. */
static void
print_zsh_text(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '\'')
			fputs("'\\''", out);
		else if (strchr("[]:\\", *text))
			fprintf(out, "\\%c", *text);
		else
			fputc(*text, out);
	}
}

static void
print_zsh_flags(
    FILE *out, const struct ctl_flag *flags, const char *indent, const char *end)
{
	for (; flags && flags->name; flags++) {
		const char *argument = flags->argument;

		fprintf(out, "%s'--%s%s[", indent, flags->name, argument ? "=" : "");
		print_zsh_text(out, flags->help);
		fputc(']', out);
		if (argument) {
			fputs(":", out);
			print_zsh_text(out, argument);
			fputs(is_path(argument) ? ":_files" : ":", out);
		}
		fprintf(out, "'%s", end);
	}
}

static void
print_zsh_settings(FILE *out)
{
	char flag[OPTION_NAME];

	for (size_t i = 0; i < option_count; i++) {
		const struct option_row *row = &option_table[i];

		if (!is_setting(row) || strcmp(row->name, "token_file") == 0)
			continue;
		fprintf(out, "\t\t'%s=[", option_flag(row, flag, sizeof(flag)));
		print_zsh_text(out, row->help);
		fputs(is_path(row->argument) ? "]:value:_files'\n" : "]:value:'\n", out);
	}
}

static void
print_zsh(FILE *out)
{
	const char *list;
	size_t len;

	fputs("#compdef migrationctl\n"
	      "_migrationctl() {\n"
	      "\tlocal curcontext=$curcontext state line\n"
	      "\tlocal -a commands common\n"
	      "\tcommands=(\n",
	    out);
	for (size_t i = 0; i < ctl_command_count; i++) {
		fprintf(out, "\t\t'%s:", ctl_commands[i].name);
		print_zsh_text(out, ctl_commands[i].summary);
		fputs("'\n", out);
	}
	fputs("\t)\n\tcommon=(\n", out);
	print_zsh_flags(out, ctl_flags, "\t\t", "\n");
	print_zsh_settings(out);
	fputs("\t)\n\t_arguments -C $common \\\n", out);
	fputs("\t\t'1:command:->command' \\\n"
	      "\t\t'*::argument:->argument'\n"
	      "\tcase $state in\n"
	      "\tcommand)\n"
	      "\t\t_describe command commands\n"
	      "\t\t;;\n"
	      "\targument)\n"
	      "\t\tcase $line[1] in\n",
	    out);
	for (size_t i = 0; i < ctl_command_count; i++) {
		const struct ctl_command *command = &ctl_commands[i];

		len = find_list(command, &list);
		fprintf(out, "\t\t%s)\n\t\t\t_arguments $common \\\n", command->name);
		print_zsh_flags(out, command->flags, "\t\t\t\t", " \\\n");
		fputs(takes_file(command) ? "\t\t\t\t'1:file:_files' \\\n" : "", out);
		fputs("\t\t\t\t'*:operand:(", out);
		print_words(out, list, len);
		fputs(")'\n\t\t\t;;\n", out);
	}
	fputs("\t\tesac\n"
	      "\t\t;;\n"
	      "\tesac\n"
	      "}\n"
	      "_migrationctl \"$@\"\n",
	    out);
}

/* ---- fish ---- */

static void
print_fish_text(FILE *out, const char *text)
{
	fputc('\'', out);
	for (; *text; text++) {
		if (*text == '\'' || *text == '\\')
			fputc('\\', out);
		fputc(*text, out);
	}
	fputc('\'', out);
}

static void
print_fish_flags(FILE *out, const struct ctl_flag *flags, const char *condition)
{
	for (; flags && flags->name; flags++) {
		fprintf(out, "complete -c migrationctl%s -l %s%s -d ", condition,
		    flags->name, flags->argument ? " -x" : "");
		print_fish_text(out, flags->help);
		fputc('\n', out);
	}
}

static void
print_fish(FILE *out)
{
	char condition[128];
	char flag[OPTION_NAME];
	const char *list;
	size_t len;

	fputs("# fish completion for migrationctl\ncomplete -c migrationctl -f\n", out);
	print_fish_flags(out, ctl_flags, "");
	for (size_t i = 0; i < option_count; i++) {
		const struct option_row *row = &option_table[i];

		if (!is_setting(row) || strcmp(row->name, "token_file") == 0)
			continue;
		fprintf(out, "complete -c migrationctl -l %s -r -d ",
		    option_flag(row, flag, sizeof(flag)) + 2);
		print_fish_text(out, row->help);
		fputc('\n', out);
	}
	for (size_t i = 0; i < ctl_command_count; i++) {
		const struct ctl_command *command = &ctl_commands[i];

		fprintf(out,
		    "complete -c migrationctl -n __fish_use_subcommand -a %s -d ",
		    command->name);
		print_fish_text(out, command->summary);
		fputc('\n', out);
		snprintf(condition, sizeof(condition),
		    " -n '__fish_seen_subcommand_from %s'", command->name);
		print_fish_flags(out, command->flags, condition);
		len = find_list(command, &list);
		if (takes_file(command))
			fprintf(out, "complete -c migrationctl%s -F\n", condition);
		if (len == 0)
			continue;
		fprintf(out, "complete -c migrationctl%s -a '", condition);
		print_words(out, list, len);
		fputs("'\n", out);
	}
}

/* ---- */

static const struct {
	const char *name;
	void (*print)(FILE *out);
} shells[] = {
	{ "bash", print_bash },
	{ "zsh", print_zsh },
	{ "fish", print_fish },
};

int
ctl_run_completion(struct ctl *ctl)
{
	const char *name = args_operand(&ctl->args, 0);

	for (size_t i = 0; i < ARRAY_SIZE(shells); i++) {
		if (strcmp(shells[i].name, name) == 0)
			shells[i].print(stdout);
	}
	return EXIT_FINE;
}
