/* SPDX-License-Identifier: PostgreSQL */
#include "ctl/command.h"

#include <ctype.h>
#include <string.h>

#include "base/macros.h"

static const struct ctl_flag end = { .name = NULL };

const struct ctl_flag ctl_flags[] = {
	/* clang-format off */
	{ "server", CTL_TEXT, "URL|unix:PATH",
	  "Ask this daemon. Without the flag and without MIGRATIOND_SERVER, migrationctl "
	  "does the work itself, with the settings of migrationd(8)." },
	{ "token-file", CTL_TEXT, "FILE",
	  "File with the token that the daemon asks of those who change something; or "
	  "MIGRATIOND_TOKEN holds it." },
	{ "wait", CTL_DURATION, "TIME",
	  "How long to go on trying while the daemon or the database is not up yet, or "
	  "another run is in progress." },
	{ "json", CTL_SWITCH, NULL,
	  "Print the document of the API as it is." },
	{ "no-color", CTL_SWITCH, NULL,
	  "No colours, also on a terminal." },
	{ "quiet", CTL_SWITCH, NULL,
	  "Print errors only." },
	{ "help", CTL_SWITCH, NULL,
	  "This, or the help of a command." },
	{ "version", CTL_SWITCH, NULL,
	  "Print the version of migrationctl." },
	end,
	/* clang-format on */
};

static const struct ctl_flag status_flags[] = {
	{ "watch", CTL_SWITCH, NULL, "Show it again every two seconds, until Ctrl-C." },
	end,
};

static const struct ctl_flag apply_flags[] = {
	/* clang-format off */
	{ "target", CTL_TEXT, "ID",
	  "Go no further than this migration: an id, file or version." },
	{ "phases", CTL_TEXT, "PHASE,...",
	  "These phases of a run alone: schema, data, repeatable, seeds." },
	{ "dry-run", CTL_SWITCH, NULL, "Show what it would do; the same as plan." },
	{ "no-wait", CTL_SWITCH, NULL,
	  "Return when the run has begun; only with --server." },
	end,
	/* clang-format on */
};

static const struct ctl_flag baseline_flags[] = {
	{ "all", CTL_SWITCH, NULL, "All migrations of the folder." },
	{ "force", CTL_SWITCH, NULL, "Although something is recorded already." },
	{ "phases", CTL_TEXT, "PHASE,...", "Of these phases; schema without it." },
	{ "verify", CTL_SWITCH, NULL,
	    "Only if the database is what the folder makes of an empty one." },
	{ "dry-run", CTL_SWITCH, NULL, "Show what it would record." },
	{ "reason", CTL_TEXT, "TEXT", "Why, for the journal." },
	end,
};

static const struct ctl_flag rollback_flags[] = {
	{ "steps", CTL_NUMBER, "N", "So many, from the newest on." },
	{ "all", CTL_SWITCH, NULL, "All that is applied." },
	{ "force", CTL_SWITCH, NULL,
	    "Although a file has changed since it was applied." },
	{ "dry-run", CTL_SWITCH, NULL, "Show what it would undo." },
	{ "reason", CTL_TEXT, "TEXT", "Why, for the journal." },
	end,
};

static const struct ctl_flag plan_flags[] = {
	{ "target", CTL_TEXT, "ID", "No further than this migration." },
	end,
};

static const struct ctl_flag check_flags[] = {
	{ "strict", CTL_SWITCH, NULL, "Warnings fail it too." },
	{ "files", CTL_SWITCH, NULL, "The files alone: no database is asked." },
	end,
};

static const struct ctl_flag list_flags[] = {
	{ "state", CTL_TEXT, "STATE", "Those in this state only, as pending." },
	end,
};

static const struct ctl_flag history_flags[] = {
	{ "limit", CTL_NUMBER, "N", "So many, from the newest on; 20 without it." },
	end,
};

static const struct ctl_flag cancel_flags[] = {
	{ "now", CTL_SWITCH, NULL,
	    "Cancel the statement in progress too; its migration is rolled back." },
	end,
};

static const struct ctl_flag repair_flags[] = {
	{ "remove-guard", CTL_SWITCH, NULL,
	    "Remove the index that guard = on made; without a migration." },
	{ "phase", CTL_TEXT, "PHASE",
	    "Whose migration, where more have one of that name: schema, data, repeatable, "
	    "seeds." },
	{ "reason", CTL_TEXT, "TEXT", "Why, for the journal." },
	end,
};

static const struct ctl_flag wait_flags[] = {
	/* clang-format off */
	{ "for", CTL_TEXT, "ready|current|ID",
	  "ready: a run could start; current: nothing is pending or broken, which it is "
	  "without the flag; else that migration is applied." },
	{ "timeout", CTL_DURATION, "TIME", "How long; 5min without it." },
	end,
	/* clang-format on */
};

static const struct ctl_flag create_flags[] = {
	{ "dry-run", CTL_SWITCH, NULL, "Show what it would write." },
	end,
};

static const struct ctl_flag prepare_flags[] = {
	{ "dry-run", CTL_SWITCH, NULL, "Show what it would write." },
	{ "move", CTL_SWITCH, NULL, "Remove FILE when it is in the folder." },
	end,
};

const struct ctl_command ctl_commands[] = {
	/* clang-format off */
	{ .name = "status", .flags = status_flags, .request = "GET /status",
	  .run = ctl_run_status,
	  .summary = "what is applied, pending, failed, who blocks whom, what to do next" },
	{ .name = "apply", .flags = apply_flags, .request = "POST /apply",
	  .run = ctl_run_apply,
	  .summary = "apply what is pending, and wait until it is done",
	  .about = "A run in progress is joined. Ctrl-C leaves a run of the daemon alone; "
		   "without --server it ends the run after the migration in hand, and at "
		   "once when pressed again." },
	{ .name = "plan", .flags = plan_flags, .request = "GET /plan", .run = ctl_run_plan,
	  .summary = "what apply would do, or why it would refuse" },
	{ .name = "check", .flags = check_flags, .request = "GET /check",
	  .run = ctl_run_check,
	  .summary = "whether files, journal, snapshots and database agree",
	  .about = "For CI: the exit code names what has to be mended first." },
	{ .name = "list", .flags = list_flags, .request = "GET /migrations",
	  .run = ctl_run_list, .summary = "every migration with its state" },
	{ .name = "show", .operands = "ID", .request = "GET /migrations/{id}",
	  .run = ctl_run_show, .summary = "one migration, or one run" },
	{ .name = "history", .flags = history_flags, .request = "GET /runs",
	  .run = ctl_run_history, .summary = "the runs, newest first" },
	{ .name = "baseline", .operands = "[ID]", .flags = baseline_flags,
	  .request = "POST /baseline", .members = "target", .run = ctl_run_baseline,
	  .summary = "record migrations as applied without running them",
	  .about = "For a database that was made by other means: all up to and with ID, "
		   "or --all." },
	{ .name = "rollback", .operands = "[ID]", .flags = rollback_flags,
	  .request = "POST /rollback", .members = "to", .run = ctl_run_rollback,
	  .summary = "undo what is newer than a migration, by what its files say",
	  .about = "Needs rollback = on. Newest first, each in a transaction with its row." },
	{ .name = "repair", .operands = "[MIGRATION] [retry|applied|pending|checksum|forget]",
	  .flags = repair_flags, .request = "POST /repair", .members = "migration action --phase",
	  .run = ctl_run_repair,
	  .summary = "say what became of a migration, or mend its row",
	  .about = "What is in doubt: retry runs the statement again with the next apply, "
		   "applied says that it has run, pending begins the migration anew. Else "
		   "its row: applied records it, pending takes the row away, checksum "
		   "takes the file as it is now, forget drops a row without a file." },
	{ .name = "cancel", .operands = "[RUN]", .flags = cancel_flags,
	  .place = CTL_SERVER, .request = "POST /runs/{id}/cancel", .run = ctl_run_cancel,
	  .summary = "end a run, the one in progress without a name" },
	{ .name = "events", .operands = "[RUN]", .place = CTL_SERVER,
	  .run = ctl_run_events,
	  .summary = "follow a run, or whatever runs, until Ctrl-C" },
	{ .name = "wait", .flags = wait_flags, .request = "GET /current",
	  .run = ctl_run_wait,
	  .summary = "wait until the schema is as the folder says" },
	{ .name = "ping", .request = "GET /readyz", .run = ctl_run_ping,
	  .summary = "whether a run could start" },
	{ .name = "config", .request = "GET /config", .run = ctl_run_config,
	  .summary = "the settings in force, where each comes from; secrets masked" },
	{ .name = "version", .request = "GET /version", .run = ctl_run_version,
	  .summary = "version and libraries of what answers" },
	{ .name = "create", .operands = "DESCRIPTION", .flags = create_flags,
	  .place = CTL_HERE, .run = ctl_run_create,
	  .summary = "a new migration, named and numbered as those of the folder",
	  .about = "Numbered folders and those of drizzle-kit, as its generate --custom." },
	{ .name = "prepare", .operands = "FILE [DESCRIPTION]", .flags = prepare_flags,
	  .place = CTL_HERE, .run = ctl_run_prepare,
	  .summary = "check a file of SQL, number it, and put it into the folder" },
	{ .name = "new-data", .operands = "DESCRIPTION", .flags = create_flags,
	  .place = CTL_HERE, .run = ctl_run_new_data,
	  .summary = "a new data migration, in the folder of --data" },
	{ .name = "completion", .operands = "bash|zsh|fish", .place = CTL_HERE,
	  .run = ctl_run_completion,
	  .summary = "print the completion for a shell" },
	/* clang-format on */
};

const size_t ctl_command_count = ARRAY_SIZE(ctl_commands);

const struct ctl_command *
ctl_command_find(const char *name)
{
	for (size_t i = 0; i < ctl_command_count; i++) {
		if (strcmp(ctl_commands[i].name, name) == 0)
			return &ctl_commands[i];
	}
	return NULL;
}

size_t
ctl_operand(
    const struct ctl_command *command, size_t index, const char **word, bool *optional)
{
	const char *p = command->operands ? command->operands : "";
	size_t len;

	for (; index > 0; index--) {
		p += strcspn(p, " ");
		p += strspn(p, " ");
	}
	*optional = *p == '[';
	*word = p + *optional;
	len = strcspn(*word, " ");
	return *optional ? len - 1 : len;
}

bool
ctl_is_list(const char *argument, size_t len)
{
	bool has_bar = false;

	for (size_t i = 0; i < len; i++) {
		has_bar |= argument[i] == '|';
		if (isupper((unsigned char)argument[i]))
			return false;
	}
	return has_bar;
}

bool
ctl_list_has(const char *list, size_t len, const char *word)
{
	size_t word_len = strlen(word);

	for (size_t i = 0; i < len; i++) {
		size_t each = strcspn(list + i, "| ]");

		if (each == word_len && strncmp(list + i, word, each) == 0)
			return true;
		i += each;
	}
	return false;
}
