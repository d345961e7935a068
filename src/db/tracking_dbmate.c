/* SPDX-License-Identifier: PostgreSQL */
#include "db/tracking_kind.h"

/*
 * dbmate 2 (pkg/driver/postgres): (version varchar), the digits in front of the file name as they
 * stand there. dbmate rollback deletes the row.
 */

static const char *const columns[] = { "version", NULL };

const struct tracking tracking_dbmate = {
	.name = "dbmate",
	.default_table = "schema_migrations",
	.key = HISTORY_BY_VERSION,
	.columns = columns,
	.foreign_column = "dirty",
	.foreign_hint = "this is golang-migrate's table: use tracking = golang-migrate",
	.create = "CREATE TABLE IF NOT EXISTS {table} (version varchar primary key)",
	.row = { .key = "version", .order_by = "version" },
	.number = tracking_leading_number,
	.record = tracking_record_version,
	.forget = tracking_forget,
};
