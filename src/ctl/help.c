/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>

#include "ctl/ctl.h"
#include "daemon/config.h"

static void
print_flags(FILE *out, const struct ctl_flag *flags)
{
	for (; flags && flags->name; flags++) {
		fprintf(out, "  --%s%s%s\n", flags->name, flags->argument ? " " : "",
		    flags->argument ? flags->argument : "");
		config_help_text(out, flags->help);
	}
}

static void
print_commands(FILE *out)
{
	for (size_t i = 0; i < ctl_command_count; i++)
		fprintf(
		    out, "  %-11s %s\n", ctl_commands[i].name, ctl_commands[i].summary);
}

void
ctl_help(FILE *out)
{
	fputs(
	    "migrationctl asks a migrationd, or does its work without one.\n"
	    "\n"
	    "Examples:\n"
	    "  migrationctl --server http://db1:8432 status\n"
	    "      what a daemon knows; --server unix:/run/migrationd.sock is one here\n"
	    "  DATABASE_URL=postgres://app@db/app migrationctl apply --migrations ./drizzle\n"
	    "      apply what is pending, without a daemon\n"
	    "  migrationctl wait --timeout 2min && exec app\n"
	    "      start when the schema is there\n"
	    "\n"
	    "Commands:\n",
	    out);
	print_commands(out);
	fputs("\nFlags:\n", out);
	print_flags(out, ctl_flags);
	fputs(
	    "\nWithout --server the settings of migrationd are flags too: migrationd --help.\n"
	    "Exit codes: 0 fine, 1 drift, 2 files, 3 pending, 4 configuration, 5 a migration\n"
	    "failed, 6 unreachable, 7 lock, 8 refused, 9 cancelled, 64 usage, 130 interrupted.\n"
	    "Manual: migrationctl(1)\n",
	    out);
}

void
ctl_help_command(FILE *out, const struct ctl_command *command)
{
	fprintf(out, "migrationctl %s%s%s%s\n\n", command->name,
	    command->operands ? " " : "", command->operands ? command->operands : "",
	    command->flags ? " [flags]" : "");
	config_help_text(out, command->summary);
	if (command->about)
		config_help_text(out, command->about);
	if (command->flags) {
		fputs("\nFlags:\n", out);
		print_flags(out, command->flags);
	}
	fputs("\nAnd the flags that every command takes: migrationctl --help\n", out);
}
