/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/* Words that most scenarios have in common. */

#include "scene.h"

#define OPEN "probe lock look rows "
/* where the tracking table keeps no checksums */
#define OPEN_PLAIN OPEN "journal? checksums "
#define ONE        "begin <CREATE one;> relock record(1700000000001) COMMIT "
#define TWO \
	"begin <CREATE two;> <INSERT two; SELECT two;> relock record(1700000000002) COMMIT "
#define CLOSE "journal? journal unlock"

/* Where it matters what a baseline recorded. */
#define KNOWN OPEN "journal? baselined "
