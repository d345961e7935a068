/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The process that keeps a throw-away PostgreSQL, for ephemeral.c alone.
 *
 * It is forked, not executed, and knows its end of two pipes: `life` ends when the daemon
 * is gone, `news` takes one byte when the server is ready, or the name of the step that
 * failed.
 */

#include <sys/types.h>

#include "base/macros.h"

struct keeper {
	const char *bindir;    /* of initdb and postgres */
	const char *directory; /* its own, empty, 0700, owned by `uid` */
	const char *user;      /* NULL: stay who we are */
	uid_t uid;
	gid_t gid;
	int life; /* read end */
	int news; /* write end */
};

#define KEEPER_READY 'R'

/* Never returns. */
_Noreturn void keeper_main(const struct keeper *keeper);
