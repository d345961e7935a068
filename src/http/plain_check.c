/* SPDX-License-Identifier: PostgreSQL */
#include "http/plain.h"

#include <string.h>

#include "http/plain_line.h"

static void
add_place(struct text *out, const struct check *check, const struct check_finding *f)
{
	if (f->file) {
		plain_add_clean(out, check_folder(check, f)->path);
		text_add_char(out, '/');
		plain_add_clean(out, f->file);
		if (f->line)
			text_addf(out, ":%u", f->line);
	} else if (f->migration) {
		plain_add_clean(out, f->migration);
	} else if (f->kind == CHECK_UNREACHABLE) {
		text_add(out, "database");
	} else {
		plain_add_clean(out, check_folder(check, f)->path);
	}
}

/* Twenty pending ones need the same advice once, behind the last. */
static bool
has_own_remedy(const struct check *check, size_t i)
{
	const char *remedy = check->findings[i].remedy;
	const char *next =
	    i + 1 < check->n_findings ? check->findings[i + 1].remedy : NULL;

	return remedy && !(next && strcmp(remedy, next) == 0);
}

static void
add_finding(struct text *out, const struct check *check, size_t i)
{
	const struct check_finding *f = &check->findings[i];

	add_place(out, check, f);
	text_addf(out, ": %s: ", check_severity_name(f->severity));
	plain_add_clean(out, f->message);
	text_addf(out, " [%s]\n", check_kind_name(f->kind));
	if (has_own_remedy(check, i)) {
		text_add(out, "    ");
		plain_add_clean(out, f->remedy);
		text_add_char(out, '\n');
	}
	for (size_t k = 0; k < f->n_commands; k++) {
		text_add(out, "    $ ");
		plain_add_clean(out, f->commands[k]);
		text_add_char(out, '\n');
	}
}

static void
add_count(struct text *out, const char *before, size_t n, const char *what)
{
	text_addf(out, "%s%zu %s%s", before, n, what, n == 1 ? "" : "s");
}

void
plain_check(struct text *out, const struct check *check)
{
	enum exit_code code = check_exit_code(check);

	for (size_t i = 0; i < check->n_findings; i++)
		add_finding(out, check, i);
	if (check->n_left_out > 0)
		text_addf(out, "... and %zu more\n", check->n_left_out);
	text_addf(out, "%scheck: %s, exit code %d", check->n_findings > 0 ? "\n" : "",
	    check_verdict_name(code), (int)code);
	add_count(out, ": ", check->counts[CHECK_ERROR], "error");
	add_count(out, ", ", check->counts[CHECK_WARNING], "warning");
	add_count(out, ", ", check->counts[CHECK_NOTE], "note");
	add_count(out, "; ", check->status->folder->n_migrations, "migration");
	add_count(out, ", ", check->n_snapshots, "snapshot");
	text_add_char(out, '\n');
}
