/* SPDX-License-Identifier: PostgreSQL */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "ctl/ctl.h"
#include "ctl/document.h"

/* What is wrong with a command line that the tables cannot know. */
static int
misused(struct ctl *ctl, const char *what, const char *hint)
{
	struct err err = { 0 };

	err_set(&err, CAT_CONFIGURATION, "%s", what);
	err_hint(&err, "%s", hint);
	err.exit_code = EXIT_USAGE;
	return ctl_print_error(ctl, &err);
}

/* A member of a body: left out where there is no value. */
static void
set_text(json_t *body, const char *name, const char *value)
{
	if (value)
		json_object_set_new(body, name, json_string(value));
}

static void
set_true(json_t *body, const struct args *args, const char *flag)
{
	if (args_has(args, flag))
		json_object_set_new(body, flag, json_true());
}

/* "data,seeds" as a list. */
static void
set_list(json_t *body, const char *name, const char *value)
{
	json_t *list;

	if (!value)
		return;
	list = json_array();
	while (*value) {
		size_t len = strcspn(value, ",");

		json_array_append_new(list, json_stringn(value, len));
		value += len;
		value += *value == ',';
	}
	json_object_set_new(body, name, list);
}

/* ---- apply ---- */

/* Return when it has begun. */
static int
begin_run(struct ctl *ctl, json_t *body)
{
	struct answer answer;

	if (ctl_ask(ctl, "POST", "/apply?async=1", body, &answer) < 0)
		return ctl->exit_code;
	return ctl_show(ctl, &answer, render_run);
}

/* Do it; with --dry-run, show what it would do. */
static int
do_or_show(struct ctl *ctl, const char *path, json_t *body)
{
	struct answer answer;

	set_text(body, "reason", args_text(&ctl->args, "reason"));
	if (!args_has(&ctl->args, "dry-run"))
		return ctl_do_run(ctl, path, body);
	json_object_set_new(body, "dry_run", json_true());
	if (ctl_ask(ctl, "POST", path, body, &answer) < 0)
		return ctl->exit_code;
	return ctl_show_plan(ctl, &answer);
}

int
ctl_run_apply(struct ctl *ctl)
{
	const struct args *args = &ctl->args;
	json_t *body;

	if (args_has(args, "dry-run") && !args_text(args, "phases"))
		return ctl_run_plan(ctl);
	if (args_has(args, "no-wait") && !ctl->server)
		return misused(ctl,
		    "--no-wait leaves the work to a daemon, and none is named",
		    "say --server URL, or wait");
	body = json_object();
	set_text(body, "target", args_text(args, "target"));
	set_list(body, "phases", args_text(args, "phases"));
	if (args_has(args, "no-wait") && !args_has(args, "dry-run"))
		return begin_run(ctl, body);
	return do_or_show(ctl, "/apply", body);
}

/* ---- baseline, rollback, repair ---- */

int
ctl_run_baseline(struct ctl *ctl)
{
	const struct args *args = &ctl->args;
	const char *id = args_operand(args, 0);
	json_t *body;

	if ((id != NULL) == args_has(args, "all"))
		return misused(ctl, "a baseline needs a migration or --all, not both",
		    "migrationctl baseline 0009 records all up to and with that one");
	body = json_object();
	set_text(body, "target", id);
	set_true(body, args, "all");
	set_true(body, args, "force");
	set_true(body, args, "verify");
	set_list(body, "phases", args_text(args, "phases"));
	return do_or_show(ctl, "/baseline", body);
}

int
ctl_run_rollback(struct ctl *ctl)
{
	const struct args *args = &ctl->args;
	const char *to = args_operand(args, 0);
	const char *steps = args_text(args, "steps");
	json_t *body;

	if ((to != NULL) + (steps != NULL) + args_has(args, "all") != 1)
		return misused(ctl, "a rollback needs a migration, --steps or --all",
		    "migrationctl rollback 0009 undoes what is newer than that one");
	body = json_object();
	set_text(body, "to", to);
	if (steps)
		json_object_set_new(body, "steps", json_integer(strtol(steps, NULL, 10)));
	set_true(body, args, "all");
	set_true(body, args, "force");
	return do_or_show(ctl, "/rollback", body);
}

int
ctl_run_repair(struct ctl *ctl)
{
	const struct args *args = &ctl->args;
	bool of_guard = args_has(args, "remove-guard");
	json_t *body;

	if (of_guard ? args->n_operands > 0 : args->n_operands < 2)
		return misused(ctl, "a repair needs a migration and what to do about it",
		    "migrationctl repair 0043 retry; migrationctl status says which");
	body = json_object();
	set_text(body, "migration", args_operand(args, 0));
	set_text(body, "action", of_guard ? "remove-guard" : args_operand(args, 1));
	set_text(body, "phase", args_text(args, "phase"));
	return do_or_show(ctl, "/repair", body);
}

/* ---- cancel ---- */

/* The run that is named, else the one in progress; NULL: there is none, and that is said. */
static const char *
find_run(struct ctl *ctl)
{
	const char *id = args_operand(&ctl->args, 0);
	struct err err = { 0 };
	struct answer answer;

	if (id)
		return id;
	if (ctl_ask(ctl, "GET", "/status", NULL, &answer) < 0)
		return NULL;
	id = doc_text(answer.document, "run.id");
	if (id[0])
		return id;
	err_set(&err, CAT_RESOURCE_NOT_FOUND, "no run is in progress there");
	ctl->exit_code = ctl_print_error(ctl, &err);
	return NULL;
}

int
ctl_run_cancel(struct ctl *ctl)
{
	bool now = args_has(&ctl->args, "now");
	const char *id = find_run(ctl);
	struct answer answer;
	struct paint out;

	if (!id)
		return ctl->exit_code;
	if (ctl_ask(ctl, "POST", mem_printf(ctl, "/runs/%s/cancel", id),
		json_pack("{s:s}", "mode", now ? "now" : "graceful"), &answer) < 0)
		return ctl->exit_code;
	if (ctl->is_json || ctl->is_quiet)
		return ctl->is_json ? ctl_show(ctl, &answer, render_run) : EXIT_FINE;
	ctl_paint(ctl, stdout, &out);
	paint_addf(&out, "run ");
	paint_add(&out, INK_PLAIN, id);
	paint_addf(&out, now ? " is cancelled\n" : " ends after the migration in hand\n");
	ctl_print(&out, stdout);
	return EXIT_FINE;
}
