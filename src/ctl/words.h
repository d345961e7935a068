/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The API speaks of its requests; who uses migrationctl types commands. What is to be sent
 * comes as data, the sentences around it name requests:
 *
 *	{"method": "POST", "path": "/repair",
 *	  "body": {"migration": "0043", "action": "retry"}}     migrationctl repair 0043 retry
 *	"POST /apply runs them"                                 migrationctl apply runs them
 *	"then send \"force\": true"                             then send --force
 *	"GET /runs/01a1f7f8-... has more"                       migrationctl show 01a1f7f8-...
 */

#include <jansson.h>

/*
 * The command for an element of "requests", to be pasted into a shell: behind `program`, which
 * says "migrationctl" and whom it asks. The request as it is where no command stands for it.
 * Owned by ctx.
 */
char *words_of_request(const void *ctx, const char *program, const json_t *request);

/*
 * `advice` with every request that a row of ctl_commands stands for said as that command, but
 * where it names a command itself, and "force": true as --force. Owned by ctx.
 */
char *words_as_commands(const void *ctx, const char *advice);
