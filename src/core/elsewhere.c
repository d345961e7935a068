/* SPDX-License-Identifier: PostgreSQL */
#include "core/elsewhere.h"

#include <stdio.h>

#include "base/bounds.h"

/* "layout = sqlx, " where the folder was taken for another tool's; else "". */
static void
write_layout(char *buf, size_t size, const struct elsewhere *elsewhere,
    const struct layout *layout)
{
	const struct layout *of = layout_find_tracking(elsewhere->kind);

	buf[0] = '\0';
	if (of == NULL || of == layout)
		return;
	(void)snprintf(buf, size, "layout = %s, ", of->name);
}

void
elsewhere_refuse(
    const struct elsewhere *elsewhere, const struct layout *layout, struct err *err)
{
	char setting[64];
	char more[64] = "";

	write_layout(setting, sizeof(setting), elsewhere, layout);
	if (elsewhere->n_more > 0)
		(void)snprintf(more, sizeof(more), " (and %zu more such table%s)",
		    elsewhere->n_more, elsewhere->n_more == 1 ? "" : "s");
	err_set(err, CAT_CONFIGURATION,
	    "table %.*s.%.*s, a %s tracking table, has rows%s, and ours, %.*s, has none: what "
	    "ran already could run again",
	    (int)BOUND_NAME_BYTES, elsewhere->schema, (int)BOUND_NAME_BYTES,
	    elsewhere->table, elsewhere->kind, more, 2 * (int)BOUND_NAME_BYTES,
	    elsewhere->ours);
	err_hint(err,
	    "if it is about this folder: %stracking = %s, tracking_schema = %.*s, "
	    "tracking_table = %.*s; or record what ran with a baseline. If it is not: "
	    "other_tracking = ignore",
	    setting, elsewhere->kind, (int)BOUND_NAME_BYTES, elsewhere->schema,
	    (int)BOUND_NAME_BYTES, elsewhere->table);
	err->http_status = 409;
	err->exit_code = EXIT_REFUSED;
}
