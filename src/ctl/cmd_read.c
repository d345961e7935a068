/* SPDX-License-Identifier: PostgreSQL */
#include <string.h>

#include "base/digest.h"
#include "base/mem.h"
#include "ctl/ctl.h"
#include "ctl/document.h"

/* Of the table in a status: one screen. */
#define SCREEN_ROWS 20u

#define WATCH_MS 2000

/* Ask for a document, and print it. */
static int
show(struct ctl *ctl, const char *path, render_fn *render)
{
	struct answer answer;

	if (ctl_ask(ctl, "GET", path, NULL, &answer) < 0)
		return ctl->exit_code;
	return ctl_show(ctl, &answer, render);
}

/*
 * Nothing could be shown: where that is because the database was not reached, or the folder
 * is not right, that is told, and the exit code says so too.
 */
static int
explain_nothing(struct ctl *ctl)
{
	struct answer status;
	const char *verdict;
	struct paint out;

	if (ctl_ask_raw(ctl, "GET", "/status", NULL, &status) < 0)
		return ctl->exit_code;
	verdict = doc_text(status.document, "verdict");
	if (strcmp(verdict, "unreachable") != 0 && strcmp(verdict, "invalid") != 0)
		return EXIT_FINE;
	if (!ctl->is_json) {
		ctl_paint(ctl, stderr, &out);
		paint_line(&out, verdict, paint_ink_of(verdict),
		    doc_text(status.document, "sentence"));
		paint_advice(&out, "next", doc_text(status.document, "advice"));
		ctl_print(&out, stderr);
	}
	return verdict[0] == 'u' ? EXIT_UNREACHABLE : EXIT_FILES;
}

/* A document with nothing in it: the lists of that name, of the schema and of each phase. */
static bool
is_empty(const json_t *document, const char *list)
{
	const json_t *phase;
	size_t i, n = json_array_size(doc_get(document, list));

	doc_each(i, phase, doc_get(document, "phases")) {
		n += json_array_size(doc_get(phase, list));
	}
	return n == 0;
}

/* The same as show, for what is empty or not there while nothing is known. */
static int
show_known(struct ctl *ctl, const char *path, const char *list, render_fn *render)
{
	struct answer answer;
	int exit_code = EXIT_FINE;

	if (ctl_ask_raw(ctl, "GET", path, NULL, &answer) < 0)
		return ctl->exit_code;
	if (list ? is_empty(answer.document, list) : answer.status == 404)
		exit_code = explain_nothing(ctl);
	if (exit_code != EXIT_FINE && !ctl->is_json)
		return exit_code;
	if (answer.status >= 400 || !answer.document) {
		ctl_print_problem(ctl, &answer);
		return exit_code != EXIT_FINE ? exit_code : ctl_exit_code_of(&answer);
	}
	ctl_show(ctl, &answer, render);
	return exit_code;
}

static int
status_exit_code(const struct answer *answer)
{
	return strcmp(doc_text(answer->document, "verdict"), "unreachable") == 0
	    ? EXIT_UNREACHABLE
	    : EXIT_FINE;
}

static int
show_status(struct ctl *ctl)
{
	struct answer status, migrations;
	struct paint out;

	if (ctl_ask(ctl, "GET", "/status", NULL, &status) < 0)
		return ctl->exit_code;
	if (ctl->is_json) {
		ctl_print_raw(&status);
		return status_exit_code(&status);
	}
	if (ctl_ask(ctl, "GET", "/migrations", NULL, &migrations) < 0)
		return ctl->exit_code;
	ctl_paint(ctl, stdout, &out);
	if (args_has(&ctl->args, "watch"))
		paint_addf(&out, "%s", out.has_colour ? "\x1b[H\x1b[J" : "\n");
	render_status(&out, status.document);
	render_screenful(&out, migrations.document, SCREEN_ROWS);
	if (doc_text(status.document, "advice")[0]) {
		paint_addf(&out, "\n");
		paint_advice(&out, "next", doc_text(status.document, "advice"));
		paint_requests(&out, "", status.document);
	}
	ctl_print(&out, stdout);
	return status_exit_code(&status);
}

int
ctl_run_status(struct ctl *ctl)
{
	bool watches = args_has(&ctl->args, "watch");
	int exit_code = EXIT_FINE;

	do {
		void *look = mem_context(ctl, "look");

		ctl->scratch = look;
		exit_code = show_status(ctl);
		ctl->scratch = ctl;
		talloc_free(look);
		/* nobody who could be asked, or who reads it */
		watches = watches && ctl->ask && !ferror(stdout);
		if (watches)
			ask_pause(ctl->ask, WATCH_MS);
	} while (watches && ask_interrupts(ctl->ask) == 0);
	return exit_code;
}

int
ctl_run_list(struct ctl *ctl)
{
	const char *state = args_text(&ctl->args, "state");

	/* none in that state is an answer */
	if (state)
		return show(
		    ctl, ctl_path(ctl, "/migrations", "state", state), render_migrations);
	return show_known(ctl, "/migrations", "migrations", render_migrations);
}

/* Whether it is the id of a run: no migration has a name of that form. */
static bool
is_run_id(const char *id)
{
	return strlen(id) == UUID_TEXT - 1 &&
	    strspn(id, "0123456789abcdef-") == UUID_TEXT - 1 && id[8] == '-' &&
	    id[13] == '-' && id[18] == '-' && id[23] == '-';
}

int
ctl_run_show(struct ctl *ctl)
{
	const char *id = args_operand(&ctl->args, 0);
	bool is_run = is_run_id(id);

	return show_known(ctl,
	    mem_printf(ctl, is_run ? "/runs/%s" : "/migrations/%s", id), NULL,
	    is_run ? render_run : render_migration);
}

int
ctl_show_plan(struct ctl *ctl, const struct answer *answer)
{
	bool is_refused = doc_get(answer->document, "refused") != NULL;
	int exit_code = ctl_exit_code_of(answer);

	ctl_show(ctl, answer, render_plan);
	if (!is_refused && exit_code == EXIT_UNREACHABLE)
		explain_nothing(ctl);
	return exit_code;
}

int
ctl_run_plan(struct ctl *ctl)
{
	const char *target = args_text(&ctl->args, "target");
	struct answer answer;

	if (ctl_ask(ctl, "GET", ctl_path(ctl, "/plan", "target", target), NULL, &answer) <
	    0)
		return ctl->exit_code;
	return ctl_show_plan(ctl, &answer);
}

int
ctl_run_check(struct ctl *ctl)
{
	bool of_files = args_has(&ctl->args, "files");
	struct question question = {
		.method = "GET",
		.path = mem_printf(ctl, "/check?strict=%s%s",
		    args_has(&ctl->args, "strict") ? "true" : "false",
		    of_files ? "&only=files" : ""),
		.offline = of_files,
	};
	struct answer answer;

	if (ctl_put(ctl, &question, &answer) < 0)
		return ctl->exit_code;
	if (ctl->is_json || !ctl->is_quiet)
		ctl_show(ctl, &answer, render_check);
	return ctl_exit_code_of(&answer);
}

int
ctl_run_history(struct ctl *ctl)
{
	const char *limit = args_text(&ctl->args, "limit");

	return show_known(ctl, ctl_path(ctl, "/runs", "limit", limit ? limit : "20"),
	    "runs", render_runs);
}

static int
show_offline(struct ctl *ctl, const char *path, render_fn *render)
{
	struct question question = { .method = "GET", .path = path, .offline = true };
	struct answer answer;

	if (ctl_put(ctl, &question, &answer) < 0)
		return ctl->exit_code;
	return ctl_show(ctl, &answer, render);
}

int
ctl_run_config(struct ctl *ctl)
{
	return show_offline(ctl, "/config", render_config);
}

int
ctl_run_version(struct ctl *ctl)
{
	return show_offline(ctl, "/version", render_version);
}
