/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <string.h>

#include "base/digest.h"
#include "base/mem.h"
#include "ctl/ctl.h"
#include "ctl/document.h"

#define WAIT_MS    INT64_C(300000)
#define LONGEST_MS INT64_C(5000) /* of one question */
#define PAUSE_MS   500

int
ctl_run_ping(struct ctl *ctl)
{
	struct answer answer;

	if (ctl_ask_raw(ctl, "GET", "/readyz", NULL, &answer) < 0)
		return ctl->exit_code;
	if (!answer.document) {
		ctl_print_problem(ctl, &answer);
		return EXIT_UNREACHABLE;
	}
	if (ctl->is_json || !ctl->is_quiet)
		ctl_show(ctl, &answer, render_checks);
	return answer.status == 200 ? EXIT_FINE : EXIT_UNREACHABLE;
}

/* ---- wait ---- */

/* What a schema that is not current calls for. */
static const struct {
	const char *verdict;
	enum exit_code exit_code;
} verdicts[] = {
	{ "pending", EXIT_PENDING },
	{ "failed", EXIT_MIGRATION_FAILED },
	{ "in_doubt", EXIT_REFUSED },
	{ "refused", EXIT_REFUSED },
	{ "drift", EXIT_DRIFT },
	{ "unreachable", EXIT_UNREACHABLE },
	{ "invalid", EXIT_FILES },
};

static int
exit_code_of(const struct answer *answer)
{
	const char *verdict = doc_text(answer->document, "verdict");

	for (size_t i = 0; i < ARRAY_SIZE(verdicts); i++) {
		if (strcmp(verdicts[i].verdict, verdict) == 0)
			return (int)verdicts[i].exit_code;
	}
	return doc_text(answer->document, "state")[0] ? EXIT_PENDING
						      : ctl_exit_code_of(answer);
}

/* The time is over: what is in the way, and the exit code that says so too. */
static int
give_up(struct ctl *ctl, const struct answer *answer)
{
	const char *word = doc_text(answer->document, "verdict");
	struct paint out;

	if (!word[0])
		word = doc_text(answer->document, "state");
	if (ctl->is_json || !word[0]) {
		ctl_print_problem(ctl, answer);
		return exit_code_of(answer);
	}
	ctl_paint(ctl, stderr, &out);
	paint_line(&out, word, paint_ink_of(word), doc_text(answer->document, "detail"));
	paint_advice(&out, "next", doc_text(answer->document, "hint"));
	ctl_print(&out, stderr);
	return exit_code_of(answer);
}

/*
 * What is asked: the API waits for a while, and as long as there is patience it is asked
 * again.
 */
static char *
page_of(struct ctl *ctl, const char *what)
{
	int64_t ms = ctl->patience_ms < LONGEST_MS ? ctl->patience_ms : LONGEST_MS;

	if (what && strcmp(what, "ready") == 0)
		return mem_strdup(ctl, "/readyz");
	return mem_printf(ctl, "%s&timeout=%d",
	    ctl_path(ctl, "/wait", "for", what ? what : "current"), (int)(ms / 1000));
}

int
ctl_run_wait(struct ctl *ctl)
{
	struct answer answer;

	ctl->patience_ms = args_ms(&ctl->args, "timeout", WAIT_MS);
	if (ctl_ask_raw(ctl, "GET", page_of(ctl, args_text(&ctl->args, "for")), NULL,
		&answer) < 0)
		return ctl->exit_code;
	if (answer.status != 200)
		return give_up(ctl, &answer);
	if (ctl->is_json)
		ctl_print_raw(&answer);
	return EXIT_FINE;
}

/* ---- events ---- */

/*
 * Follow, the oldest first, the runs of a page that came after `last` (""): those in
 * progress, of a later page the finished ones too. `last` is moved on.
 */
static int
follow_new(struct ctl *ctl, const json_t *list, bool is_first, char last[UUID_TEXT])
{
	for (size_t i = json_array_size(list); i > 0; i--) {
		const json_t *run = json_array_get(list, i - 1);
		const char *id = doc_text(run, "id");

		/* version 7 counts up with time: RFC 9562 section 5.7 */
		if (strcmp(id, last) <= 0)
			continue;
		snprintf(last, UUID_TEXT, "%s", id);
		if (is_first && doc_get(run, "outcome"))
			continue;
		ctl_follow(ctl, run);
		if (ask_interrupts(ctl->ask) > 0)
			break;
	}
	return ask_interrupts(ctl->ask) > 0 ? ASK_INTERRUPTED : EXIT_FINE;
}

static int
follow_all(struct ctl *ctl)
{
	char last[UUID_TEXT] = "";
	bool is_first = true;
	int exit_code = EXIT_FINE;

	while (exit_code == EXIT_FINE && !ferror(stdout)) {
		void *page = mem_context(ctl, "page");
		struct answer answer;

		ctl->scratch = page;
		if (ctl_ask(ctl, "GET", "/runs?limit=20", NULL, &answer) < 0)
			return ctl->exit_code;
		exit_code =
		    follow_new(ctl, doc_get(answer.document, "runs"), is_first, last);
		is_first = false;
		ctl->scratch = ctl;
		talloc_free(page);
		ask_pause(ctl->ask, PAUSE_MS);
		if (ask_interrupts(ctl->ask) > 0)
			exit_code = ASK_INTERRUPTED;
	}
	return exit_code;
}

int
ctl_run_events(struct ctl *ctl)
{
	const char *id = args_operand(&ctl->args, 0);
	struct answer answer;

	if (!id)
		return follow_all(ctl);
	if (ctl_ask(ctl, "GET", mem_printf(ctl, "/runs/%s", id), NULL, &answer) < 0)
		return ctl->exit_code;
	return ctl_follow(ctl, answer.document);
}
