/* SPDX-License-Identifier: PostgreSQL */
#include "db/tracking_kind.h"

/*
 * diesel 2 (diesel/src/migration/setup_migration_table.sql): (version, run_on). diesel migration
 * revert deletes the row.
 */

static const char *const columns[] = { "version", "run_on", NULL };

const struct tracking tracking_diesel = {
	.name = "diesel",
	.default_table = "__diesel_schema_migrations",
	.key = HISTORY_BY_VERSION,
	.needs_layout = "diesel", /* versions are numbers without the '-' of the names */
	.columns = columns,
	.create = "CREATE TABLE IF NOT EXISTS {table} "
		  "(version VARCHAR(50) PRIMARY KEY NOT NULL, "
		  "run_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP)",
	.row = { .key = "version", .time = "run_on", .order_by = "version" },
	.number = tracking_leading_number,
	.record = tracking_record_version,
	.forget = tracking_forget,
};
