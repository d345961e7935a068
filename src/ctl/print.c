/* SPDX-License-Identifier: PostgreSQL */
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "ctl/ctl.h"
#include "ctl/document.h"

bool
ctl_is_terminal(const struct ctl *ctl, FILE *file)
{
	if (!isatty(fileno(file)))
		return false;
	for (char *const *each = ctl->environ; *each; each++) {
		if (strcmp(*each, "TERM=dumb") == 0)
			return false;
	}
	return true;
}

/* https://no-color.org: any value but "" says no. */
static bool
has_colour(const struct ctl *ctl, FILE *file)
{
	if (args_has(&ctl->args, "no-color") || !ctl_is_terminal(ctl, file))
		return false;
	for (char *const *each = ctl->environ; *each; each++) {
		if (strncmp(*each, "NO_COLOR=", 9) == 0 && (*each)[9])
			return false;
	}
	return true;
}

void
ctl_paint(struct ctl *ctl, FILE *file, struct paint *paint)
{
	paint_init(paint, ctl->scratch, has_colour(ctl, file));
	if (ctl->program)
		paint->program = ctl->program;
}

void
ctl_print(const struct paint *paint, FILE *file)
{
	fputs(paint->text.data, file);
	fflush(file);
}

void
ctl_print_raw(const struct answer *answer)
{
	fwrite(answer->text, 1, answer->len, stdout);
	fflush(stdout);
}

int
ctl_show(struct ctl *ctl, const struct answer *answer, render_fn *render)
{
	struct paint out;

	if (ctl->is_json) {
		ctl_print_raw(answer);
		return EXIT_FINE;
	}
	ctl_paint(ctl, stdout, &out);
	render(&out, answer->document);
	ctl_print(&out, stdout);
	return EXIT_FINE;
}

int
ctl_print_error(struct ctl *ctl, const struct err *err)
{
	char line[ERR_LINE];
	struct paint out;

	ctl_paint(ctl, stderr, &out);
	paint_addf(&out, "migrationctl: ");
	paint_add(&out, INK_BAD, err_format(err, line, sizeof(line)));
	paint_addf(&out, "\n");
	paint_line(&out, "detail", INK_PLAIN, err->detail);
	paint_advice(&out, "hint", err->hint);
	ctl_print(&out, stderr);
	return (int)err_exit_code(err);
}

void
ctl_print_problem(struct ctl *ctl, const struct answer *answer)
{
	struct paint out;

	if (ctl->is_json) {
		ctl_print_raw(answer);
		return;
	}
	ctl_paint(ctl, stderr, &out);
	if (answer->status == 401 && answer->document) {
		/* whose advice is for curl */
		render_problem_but(
		    &out, answer->document, doc_text(answer->document, "hint"));
		paint_line(&out, "hint", INK_PLAIN,
		    "--token-file FILE sends it, or MIGRATIOND_TOKEN");
	} else if (answer->document)
		render_problem(&out, answer->document);
	else
		paint_addf(&out,
		    "migrationctl: %s answered %u, and it is no answer of migrationd\n",
		    ctl->server ? ctl->server : "it", answer->status);
	ctl_print(&out, stderr);
}

/* A category's exit code, by its name. */
static int
exit_code_of_category(const char *name)
{
	for (unsigned i = CAT_NONE + 1; i < CAT_COUNT; i++) {
		struct err err = { .category = (enum category)i };

		if (strcmp(category_name(err.category), name) == 0)
			return (int)err_exit_code(&err);
	}
	return EXIT_INTERNAL;
}

int
ctl_exit_code_of(const struct answer *answer)
{
	const json_t *code = doc_get(answer->document, "exit_code");
	const char *category = doc_text(answer->document, "category");

	if (json_is_integer(code))
		return (int)json_integer_value(code);
	if (!answer->document)
		return EXIT_UNREACHABLE; /* somebody answered, but no migrationd */
	if (answer->status < 400)
		return EXIT_FINE;
	/* the token is ours to configure, whatever the daemon makes of it */
	if (answer->status == 401 || answer->status == 403)
		return EXIT_CONFIGURATION;
	if (category[0])
		return exit_code_of_category(category);
	return answer->status == 503 || answer->status == 429 ? EXIT_UNREACHABLE
							      : EXIT_INTERNAL;
}
