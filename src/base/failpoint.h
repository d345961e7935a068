/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Failpoints: named places where a test can make the program die, hang or lose its
 * connection. They exist in a build with `configure --enable-failpoints` alone; in any
 * other the macros are nothing, and nothing here is linked.
 *
 *	FAILPOINT("state:%s>%s", from, to);       a name, made like printf
 *	FAILPOINT_SOCKET("sent", PQsocket(pq));   the same, with a socket that can be cut
 *
 * The environment says what happens where:
 *
 *	MIGRATIOND_FAILPOINT=NAME[:N]=ACTION[,...]
 *
 * at the N-th passing of NAME (the first, where N is left out), and NAME `*` is any
 * place. Actions:
 *
 *	kill      SIGKILL to ourselves
 *	hang      SIGSTOP to ourselves
 *	exit      exit at once, with EXIT_INTERNAL
 *	drop      shut the socket down, where there is one
 *	sleep:MS  stand still, the loop with it
 *
 * and `trace=FILE` appends the name of each place that is passed, a line each: N and
 * NAME of every place that a run passes, to go through one by one.
 *
 * Mutants are the other half: MIGRATIOND_MUTANT names guards to leave out ("no-lock",
 * "no-fence", "record-outside"), so that a test can show that it would notice.
 */

#include <stdbool.h>

#include "base/err.h"
#include "base/macros.h"

#ifdef ENABLE_FAILPOINTS
#define FAILPOINT(...)               failpoint_pass(-1, __VA_ARGS__)
#define FAILPOINT_SOCKET(name, sock) failpoint_pass((sock), "%s", (name))
#define MUTANT(name)                 failpoint_mutant(name)
#define FAILPOINT_VARIABLE(name)     failpoint_variable(name)
#else
#define FAILPOINT(...)               ((void)0)
#define FAILPOINT_SOCKET(name, sock) ((void)0)
#define MUTANT(name)                 false
#define FAILPOINT_VARIABLE(name)     false
#endif

/*
 * Replace what was set by `spec`, in the syntax above; NULL: nothing. CONFIGURATION
 * where it cannot be read. Call by call the places are counted from 1 again.
 */
int failpoint_set(const char *spec, struct err *err) MUST_CHECK;

/*
 * A place is passed. The first call reads the environment, and ends the program with
 * EXIT_USAGE where that cannot be read. `sock` is -1 where there is none.
 */
void failpoint_pass(int sock, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Whether that environment variable is one of ours; FAILPOINT_VARIABLE where they count. */
bool failpoint_variable(const char *name);

/* Whether the environment asks for this mutant; it may list several. */
bool failpoint_mutant(const char *name);
