/* SPDX-License-Identifier: PostgreSQL */
#include "core/check.h"

#include <string.h>

#include "base/bounds.h"
#include "base/mem.h"
#include "core/check_draft.h"

static const struct kind_row {
	const char *name;
	enum check_severity severity;
	enum exit_code exit_code;
} kinds[CHECK_KIND_COUNT] = {
	/* clang-format off */
	[CHECK_FOLDER] = { "folder", CHECK_ERROR, EXIT_FILES },
	[CHECK_FILE_MISSING] = { "file_missing", CHECK_ERROR, EXIT_FILES },
	[CHECK_FILE_INVALID] = { "file_invalid", CHECK_ERROR, EXIT_FILES },
	[CHECK_UNREGISTERED] = { "unregistered", CHECK_WARNING, EXIT_FILES },
	[CHECK_DUPLICATE] = { "duplicate", CHECK_WARNING, EXIT_FILES },
	[CHECK_WHEN_ORDER] = { "when_order", CHECK_WARNING, EXIT_FILES },
	[CHECK_WHEN_FUTURE] = { "when_future", CHECK_ERROR, EXIT_FILES },
	[CHECK_SNAPSHOT_INVALID] = { "snapshot_invalid", CHECK_ERROR, EXIT_FILES },
	[CHECK_SNAPSHOT_FORK] = { "snapshot_fork", CHECK_ERROR, EXIT_FILES },
	[CHECK_SNAPSHOT_ORPHAN] = { "snapshot_orphan", CHECK_WARNING, EXIT_FILES },
	[CHECK_SNAPSHOT_CHAIN] = { "snapshot_chain", CHECK_WARNING, EXIT_FILES },
	[CHECK_SNAPSHOT_VERSION] = { "snapshot_version", CHECK_WARNING, EXIT_FILES },
	[CHECK_SNAPSHOT_MISSING] = { "snapshot_missing", CHECK_NOTE, EXIT_FILES },
	[CHECK_UNREACHABLE] = { "unreachable", CHECK_ERROR, EXIT_UNREACHABLE },
	[CHECK_FAILED] = { "failed", CHECK_ERROR, EXIT_MIGRATION_FAILED },
	[CHECK_IN_DOUBT] = { "in_doubt", CHECK_ERROR, EXIT_REFUSED },
	[CHECK_OUT_OF_ORDER] = { "out_of_order", CHECK_ERROR, EXIT_REFUSED },
	[CHECK_REFUSED] = { "refused", CHECK_ERROR, EXIT_REFUSED },
	[CHECK_MODIFIED] = { "modified", CHECK_ERROR, EXIT_DRIFT },
	[CHECK_EOL_ONLY] = { "eol_only", CHECK_WARNING, EXIT_DRIFT },
	[CHECK_RECORDED_ONLY] = { "recorded_only", CHECK_WARNING, EXIT_FILES },
	[CHECK_PENDING] = { "pending", CHECK_WARNING, EXIT_PENDING },
	[CHECK_NOTICE] = { "notice", CHECK_WARNING, EXIT_REFUSED },
	/* clang-format on */
};

/* What has to be mended first stands first: with it the rest may look different. */
static const struct verdict_row {
	enum exit_code code;
	const char *name;
} verdicts[] = {
	{ EXIT_CONFIGURATION, "configuration" },
	{ EXIT_FILES, "files" },
	{ EXIT_UNREACHABLE, "unreachable" },
	{ EXIT_MIGRATION_FAILED, "failed" },
	{ EXIT_REFUSED, "refused" },
	{ EXIT_DRIFT, "drift" },
	{ EXIT_PENDING, "pending" },
	{ EXIT_FINE, "fine" },
};

static const char *const severities[CHECK_SEVERITY_COUNT] = {
	[CHECK_ERROR] = "error",
	[CHECK_WARNING] = "warning",
	[CHECK_NOTE] = "note",
};

/* ---- findings ---- */

struct check_finding *
check_add(struct check_draft *draft, enum check_kind kind, const char *fmt, ...)
{
	struct check *check = draft->check;
	size_t n = check->n_findings;
	struct check_finding *f;
	va_list ap;

	/* full at each power of two */
	if ((n & (n - 1)) == 0)
		check->findings = mem_grow(
		    check, check->findings, struct check_finding, n == 0 ? 1 : 2 * n);
	f = &check->findings[check->n_findings++];
	*f = (struct check_finding){
		.kind = kind,
		.severity = kinds[kind].severity,
		.phase = draft->phase,
		.exit_code = kinds[kind].exit_code,
	};
	va_start(ap, fmt);
	f->message = mem_vprintf(check, fmt, ap);
	va_end(ap);
	return f;
}

void
check_at(
    struct check_draft *draft, struct check_finding *f, const char *file, unsigned line)
{
	f->file = mem_strdup(draft->check, file);
	f->line = line;
}

void
check_about(struct check_draft *draft, struct check_finding *f, const struct migration *m)
{
	f->migration = mem_strdup(draft->check, m->id);
	check_at(draft, f, m->file, 0);
}

void
check_about_entry(
    struct check_draft *draft, struct check_finding *f, const struct migration *m)
{
	check_about(draft, f, m);
	if (m->listing.line > 0)
		check_at(draft, f, draft->folder->list, m->listing.line);
}

void
check_remedy(struct check_draft *draft, struct check_finding *f, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	f->remedy = mem_vprintf(draft->check, fmt, ap);
	va_end(ap);
}

void
check_command(struct check_draft *draft, struct check_finding *f, const char *fmt, ...)
{
	va_list ap;

	f->commands =
	    mem_grow(draft->check, f->commands, const char *, f->n_commands + 1);
	va_start(ap, fmt);
	f->commands[f->n_commands++] = mem_vprintf(draft->check, fmt, ap);
	va_end(ap);
}

bool
check_is_recorded(const struct check_draft *draft, const struct migration *m)
{
	const struct plan_item *item = draft->items[m->position];

	/* what the run in progress has committed may have no row yet */
	return item != NULL &&
	    (item->state == MIGRATION_APPLIED ||
		(item->row != NULL && !item->row->failed));
}

/* ---- what is known beforehand ---- */

static void
find_items(struct check_draft *draft)
{
	const struct plan *plan = draft->plan;

	draft->items = mem_array(
	    draft->scratch, const struct plan_item *, draft->folder->n_migrations);
	for (size_t i = 0; plan != NULL && i < plan->n_items && !draft->input->files_only;
	     i++) {
		const struct plan_item *item = &plan->items[i];

		if (item->migration != NULL)
			draft->items[item->migration->position] = item;
	}
}

static void
find_snapshots(struct check_draft *draft)
{
	const struct snapshot_list *list = draft->list;
	const struct folder *folder = draft->folder;

	draft->snapshots =
	    mem_array(draft->scratch, const struct snapshot *, folder->n_migrations);
	if (list == NULL || draft->phase != PHASE_SCHEMA)
		return;
	draft->check->n_snapshots = list->n;
	draft->n_owners = mem_array(draft->scratch, size_t, list->n);
	for (size_t i = 0; i < folder->n_migrations; i++) {
		char *file =
		    folder->layout->snapshot_file(draft->scratch, folder->migrations[i]);
		const struct snapshot *s = file ? snapshot_find(list, file) : NULL;

		draft->snapshots[i] = s;
		if (s != NULL)
			draft->n_owners[s - list->snapshots]++;
	}
}

/* ---- what it comes to ---- */

static size_t
rank(enum exit_code code)
{
	size_t i = 0;

	while (verdicts[i].code != code && verdicts[i].code != EXIT_FINE)
		i++;
	return i;
}

static void
weigh(struct check *check, struct check_finding *f)
{
	bool lenient = phase_is_lenient(f->phase);

	if (lenient && f->severity == CHECK_ERROR)
		f->severity = CHECK_WARNING;
	if (check->strict && f->severity == CHECK_WARNING)
		f->severity = CHECK_ERROR;
	if (f->severity != CHECK_ERROR && (lenient || f->kind != CHECK_PENDING))
		f->exit_code = EXIT_FINE;
	if (rank(f->exit_code) < rank(check->exit_code))
		check->exit_code = f->exit_code;
}

/* Errors first; inside a severity as they were found. */
static void
sort_findings(struct check *check)
{
	struct check_finding *sorted =
	    mem_array(check, struct check_finding, check->n_findings);
	size_t n = 0;

	for (unsigned severity = 0; severity < CHECK_SEVERITY_COUNT; severity++) {
		for (size_t i = 0; i < check->n_findings; i++) {
			const struct check_finding *f = &check->findings[i];

			if (f->severity != severity)
				continue;
			if (check->counts[severity]++ < BOUND_CHECK_FINDINGS)
				sorted[n++] = *f;
		}
	}
	talloc_free(check->findings);
	check->n_left_out = check->n_findings - n;
	check->findings = sorted;
	check->n_findings = n;
}

static void
look_at_phase(struct check_draft *draft, bool readable)
{
	draft->scratch = mem_context(NULL, "check");
	find_items(draft);
	find_snapshots(draft);
	check_files(draft);
	if (draft->phase == PHASE_SCHEMA)
		check_snapshots(draft);
	if (readable && draft->plan != NULL)
		check_state(draft);
	talloc_free(draft->scratch);
}

static void
look_at_all(struct check_draft *draft)
{
	const struct status *status = draft->input->status;
	bool readable = check_database(draft);

	draft->folder = status->folder;
	draft->plan = status->plan;
	draft->tracking = &status->tracking;
	draft->parked = status->parked;
	look_at_phase(draft, readable);
	for (unsigned p = PHASE_SCHEMA + 1; p < PHASE_COUNT; p++) {
		if (status->phases[p].folder == NULL)
			continue;
		draft->phase = (enum phase)p;
		draft->folder = status->phases[p].folder;
		draft->plan = status->phases[p].plan;
		draft->tracking = &status->phases[p].tracking;
		draft->parked = status->phases[p].parked;
		draft->unread = status->phases[p].unread;
		look_at_phase(draft, readable && check_table(draft));
	}
}

struct check *
check_build(const void *ctx, const struct check_input *input)
{
	struct check *check = mem_zero(ctx, struct check);
	struct check_draft draft = { .input = input,
		.check = check,
		.list = check_reading_snapshots(input->reading) };

	check->status = input->status;
	check->strict = input->strict;
	check->files_only = input->files_only;
	look_at_all(&draft);
	for (size_t i = 0; i < check->n_findings; i++)
		weigh(check, &check->findings[i]);
	sort_findings(check);
	return check;
}

const struct folder *
check_folder(const struct check *check, const struct check_finding *f)
{
	return f->phase == PHASE_SCHEMA ? check->status->folder
					: check->status->phases[f->phase].folder;
}

enum exit_code
check_exit_code(const struct check *check)
{
	return check->exit_code;
}

const char *
check_verdict_name(enum exit_code code)
{
	return verdicts[rank(code)].name;
}

const char *
check_severity_name(enum check_severity severity)
{
	return severities[severity];
}

const char *
check_kind_name(enum check_kind kind)
{
	return kinds[kind].name;
}
