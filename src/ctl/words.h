/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The advice of the API names its requests; who uses migrationctl types commands.
 *
 *	POST /apply                                      migrationctl apply
 *	GET /runs/01a1f7f8-...                           migrationctl show 01a1f7f8-...
 *	POST /repair with {"migration": "0043",
 *	    "action": "retry"}                           migrationctl repair 0043 retry
 */

/*
 * `advice` with every request that a row of ctl_commands stands for said as that command;
 * as it is where it names a command itself. Owned by ctx.
 */
char *words_as_commands(const void *ctx, const char *advice);
