/* SPDX-License-Identifier: PostgreSQL */
#include <stdarg.h>
#include <string.h>

#include "base/bounds.h"
#include "base/mem.h"
#include "base/text.h"
#include "core/check_draft.h"

/* More than that in one go is not undone by copying lines. */
#define MAX_REDONE 8u

const char *
check_path(struct check_draft *draft, const char *file)
{
	struct text out;

	text_init(&out, draft->scratch, BOUND_SQL);
	text_add_word(&out,
	    file == NULL
		? draft->folder->path
		: mem_printf(draft->scratch, "%s/%s", draft->folder->path, file));
	return out.data;
}

void
check_edit_list(struct check_draft *draft, struct check_finding *f, const char *fmt, ...)
{
	const char *list = check_path(draft, draft->folder->list);
	const char *filter;
	va_list ap;

	va_start(ap, fmt);
	filter = mem_vprintf(draft->scratch, fmt, ap);
	va_end(ap);
	check_command(draft, f, "jq '%s' %s > %s.new && mv %s.new %s", filter, list, list,
	    list, list);
}

/* Its snapshot, unless it is another's as well: nobody knows whose it is then. */
static const struct snapshot *
own_snapshot(const struct check_draft *draft, const struct migration *m)
{
	const struct snapshot *s = draft->snapshots[m->position];

	if (s == NULL || draft->n_owners[s - draft->list->snapshots] > 1)
		return NULL;
	return s;
}

void
check_redo(struct check_draft *draft, struct check_finding *f,
    const struct migration *const *migrations, size_t n)
{
	struct text files, tags;

	if (draft->folder->list == NULL || draft->folder->layout->snapshot_file == NULL ||
	    n > MAX_REDONE)
		return;
	text_init(&files, draft->scratch, BOUND_SQL);
	text_init(&tags, draft->scratch, BOUND_SQL);
	for (size_t i = 0; i < n; i++) {
		const struct snapshot *s = own_snapshot(draft, migrations[i]);

		text_addf(&files, " %s", check_path(draft, migrations[i]->file));
		if (s != NULL)
			text_addf(&files, " %s", check_path(draft, s->file));
		text_addf(
		    &tags, "%s.tag == \"%s\"", i > 0 ? " or " : "", migrations[i]->id);
	}
	check_command(draft, f, "rm%s", files.data);
	check_edit_list(draft, f, "del(.entries[] | select(%s))", tags.data);
	check_command(
	    draft, f, "npx drizzle-kit generate --name %s", migrations[n - 1]->name);
}
