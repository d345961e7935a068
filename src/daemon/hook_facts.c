/* SPDX-License-Identifier: PostgreSQL */
#include "daemon/hook_facts.h"

#include <string.h>

#include "base/mem.h"
#include "base/text.h"
#include "http/json_notice.h"

static char *
id_lines(const void *ctx, const char *const *ids, size_t n)
{
	struct text lines;

	text_init(&lines, ctx, HOOK_IDS_BYTES);
	for (size_t i = 0; i < n && lines.len + strlen(ids[i]) < HOOK_IDS_BYTES; i++)
		text_addf(&lines, "%s%s", i > 0 ? "\n" : "", ids[i]);
	return lines.data;
}

static const char *
unknown_lines(const void *ctx, const struct outlook *outlook)
{
	const char *lines = "";

	for (unsigned p = 0; outlook && p < PHASE_COUNT; p++)
		if (outlook->unknown & PHASE_BIT(p))
			lines = mem_printf(ctx, "%s%s%s", lines,
			    lines[0] != '\0' ? "\n" : "", phase_name((enum phase)p));
	return lines;
}

char **
hook_environ(const void *ctx, enum hook_kind kind, const struct run *run,
    const struct outlook *outlook, char *const *environ)
{
	size_t n_ids = 0;
	const char *const *ids = notice_ids(ctx, run, outlook, &n_ids);
	const struct {
		const char *name;
		const char *value;
	} facts[] = {
		{ "HOOK", hook_name(kind) },
		{ "RUN", run->id },
		{ "OPERATION", run_operation_name(run->operation) },
		{ "OUTCOME", run_outcome_name(run->outcome) },
		{ "TARGET", run->target },
		{ "REQUESTED_BY", run->requested_by ? run->requested_by : "" },
		{ "IDS", id_lines(ctx, ids, n_ids) },
		{ "COUNT", mem_printf(ctx, "%zu", n_ids) },
		{ "UNKNOWN", unknown_lines(ctx, outlook) },
		{ "FAILED", mem_printf(ctx, "%zu", run->n_failed) },
		{ "ERROR", run->err.text },
		{ "ERROR_CATEGORY", category_name(run->err.category) },
		{ "ERROR_MIGRATION", run->err.migration },
	};
	size_t n = 0;
	char **out = NULL;

	while (environ[n])
		n++;
	out = mem_array(ctx, char *, n + ARRAY_SIZE(facts) + 1);
	n = 0;
	for (size_t i = 0; environ[i]; i++)
		if (strncmp(environ[i], "MIGRATION_", strlen("MIGRATION_")) != 0)
			out[n++] = mem_strdup(out, environ[i]);
	for (size_t i = 0; i < ARRAY_SIZE(facts); i++)
		out[n++] =
		    mem_printf(out, "MIGRATION_%s=%s", facts[i].name, facts[i].value);
	return out;
}
