/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The inside of a child (db/child.h): the two processes that it is.
 *
 *	migrationd -- guard (leads session and group) -- program -- whatever it starts
 *
 * The guard is a fork of ours that runs nothing else: it waits for the program, and when migrationd
 * dies without a word (SIGKILL, out of memory) it kills the whole group. A death signal of the
 * program's own (PR_SET_PDEATHSIG) would reach what a shell has started no more.
 */

#include <sys/types.h>

/* Read and written by us, and by the program as its standard streams. */
struct child_pipes {
	int ours[3];
	int theirs[3];
};

/*
 * Start `argv` (argv[0] is looked for in PATH) with `environ`. The guard's pid, or -1 with errno.
 * Its exit status is that of the program, 128 + N when signal N ended it, 127 when there is no such
 * program, 126 when it cannot be executed.
 */
pid_t child_fork(
    char *const *argv, char *const *environ, const struct child_pipes *pipes);

/* Kill the whole group with `signum`, however far the guard has come. */
void child_signal(pid_t guard, int signum);
