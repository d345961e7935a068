/* SPDX-License-Identifier: PostgreSQL */
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/mem.h"
#include "ctl/ctl.h"
#include "ctl/document.h"
#include "ctl/progress.h"

/* Between two looks at the run: short runs are told of at once, long ones cost little. */
#define FIRST_PAUSE_MS 20
#define LONGEST_MS     250
#define LONGEST_BAR_MS 100 /* the bar moves */

/* Between a run and the next try of it. */
#define REPEAT_MS 2000

#define COLUMNS 80u

/* Whether a bar can be drawn, and how wide. 0: no. */
static size_t
bar_columns(const struct ctl *ctl)
{
	struct winsize size = { 0 };

	if (ctl->is_quiet || ctl->is_json || !ctl_is_terminal(ctl, stderr))
		return 0;
	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col < 20)
		return COLUMNS;
	return size.ws_col - 1u;
}

static void
erase_bar(size_t columns)
{
	if (columns > 0)
		fputs("\r\x1b[K", stderr);
	fflush(stderr);
}

/* The lines of what is new, and the bar below them. */
static void
tell(struct ctl *ctl, struct progress *progress, const json_t *run, size_t columns)
{
	int64_t now_us = clock_mono_us();
	struct paint lines, bar;

	if (ctl->is_quiet || ctl->is_json)
		return;
	ctl_paint(ctl, stdout, &lines);
	progress_feed(progress, run, now_us, &lines);
	erase_bar(columns);
	ctl_print(&lines, stdout);
	if (columns == 0 || doc_get(run, "outcome"))
		return;
	ctl_paint(ctl, stderr, &bar);
	progress_bar(progress, run, now_us, columns, &bar);
	ctl_print(&bar, stderr);
}

/*
 * What a signal means: a run of the daemon is left alone; one of our own ends by itself,
 * and we wait for that. True: leave.
 */
static bool
leaves(struct ctl *ctl, const char *id, size_t columns, unsigned *told)
{
	unsigned n = ask_interrupts(ctl->ask);
	bool is_local = ask_is_local(ctl->ask);
	struct paint out;

	if (n == *told)
		return false;
	*told = n;
	ctl_paint(ctl, stderr, &out);
	if (!is_local) {
		paint_addf(&out, "no longer watched: it goes on, ");
		paint_add(&out, INK_PLAIN, ctl->program);
		paint_addf(&out, " cancel ");
		paint_add(&out, INK_PLAIN, id);
		paint_addf(&out, " ends it\n");
		ctl->exit_code = ASK_INTERRUPTED;
	} else if (n == 1) {
		paint_addf(
		    &out, "ends after the migration in hand; again to cancel it\n");
	} else {
		paint_addf(&out, "cancelling\n");
	}
	erase_bar(columns);
	ctl_print(&out, stderr);
	return !is_local;
}

/* The error of a run, and what to do next, which the status knows. */
static int
end(struct ctl *ctl, const struct answer *answer)
{
	const json_t *error = doc_get(answer->document, "error");
	const char *hint = doc_text(error, "hint");
	const char *advice = "";
	struct answer status;
	bool says_more;
	struct paint out;

	ctl->may_pass = json_is_true(doc_get(error, "retryable"));
	if (!error || ctl->is_json)
		return ctl_exit_code_of(answer);
	if (ctl_ask_raw(ctl, "GET", "/status", NULL, &status) == 0)
		advice = doc_text(status.document, "advice");
	/* of the two the one that says more; of an apply alone "apply" is what is next */
	says_more = hint[0]
	    ? strstr(advice, hint) != NULL
	    : strcmp(doc_text(answer->document, "operation"), "apply") == 0;
	if (!says_more)
		advice = "";
	ctl_paint(ctl, stderr, &out);
	render_problem_but(&out, error, advice);
	paint_advice(&out, "next", advice);
	if (advice[0])
		paint_requests(&out, "", status.document);
	ctl_print(&out, stderr);
	return ctl_exit_code_of(answer);
}

/* The next document of the run. The one before goes, so a long run costs no memory. */
static int
look(struct ctl *ctl, const char *path, void **kept, struct answer *answer)
{
	struct answer answer_before = *answer;
	void *before = *kept;
	int rc;

	*kept = mem_context(ctl, "look");
	ctl->scratch = *kept;
	rc = ctl_ask(ctl, "GET", path, NULL, answer);
	/* for programs, the document whenever it is another one */
	if (rc == 0 && ctl->is_json &&
	    (!answer_before.text || strcmp(answer_before.text, answer->text) != 0))
		ctl_print_raw(answer);
	talloc_free(before);
	return rc;
}

int
ctl_follow(struct ctl *ctl, const json_t *run)
{
	char *id = mem_printf(ctl, "%.64s", doc_text(run, "id"));
	char *path = mem_printf(ctl, "/runs/%s", id);
	size_t columns = bar_columns(ctl);
	int64_t longest_ms = columns > 0 ? LONGEST_BAR_MS : LONGEST_MS;
	int64_t pause_ms = FIRST_PAUSE_MS;
	struct progress progress = { .has_bar = columns > 0 };
	struct answer answer = { .document = (json_t *)run };
	void *kept = NULL;
	unsigned told = 0;
	int rc = 0;

	for (;;) {
		tell(ctl, &progress, answer.document, columns);
		/* what was given to begin with is no answer that could be printed */
		if (doc_get(answer.document, "outcome") &&
		    !(ctl->is_json && !answer.text))
			break;
		ask_pause(ctl->ask, pause_ms);
		pause_ms = pause_ms * 2 < longest_ms ? pause_ms * 2 : longest_ms;
		/* a signal may come in either */
		rc = leaves(ctl, id, columns, &told) ? -1
						     : look(ctl, path, &kept, &answer);
		if (leaves(ctl, id, columns, &told) || rc < 0)
			break;
	}
	erase_bar(columns);
	if (doc_get(answer.document, "outcome"))
		ctl->exit_code = end(ctl, &answer);
	ctl->scratch = ctl;
	talloc_free(kept);
	return ctl->exit_code;
}

/* Wait without a word until it is over, and print the document. */
static int
run_for_programs(struct ctl *ctl, const char *path, json_t *body)
{
	struct answer answer;

	if (ctl_ask(ctl, "POST", path, body, &answer) < 0)
		return ctl->exit_code;
	if (ctl->is_json)
		ctl_print_raw(&answer);
	return ctl_exit_code_of(&answer);
}

int
ctl_do_run(struct ctl *ctl, const char *path, json_t *body)
{
	struct question question = { .method = "POST", .body = body };
	struct answer answer;

	if (ctl->is_json || ctl->is_quiet)
		return run_for_programs(ctl, path, body);
	question.path = ctl_path(ctl, path, "async", "1");
	do {
		ctl->may_pass = false;
		json_incref(body);
		if (ctl_put(ctl, &question, &answer) == 0)
			ctl_follow(ctl, answer.document);
	} while (ctl->may_pass && ask_may_repeat(ctl->ask, &question, REPEAT_MS));
	json_decref(body);
	return ctl->exit_code;
}
