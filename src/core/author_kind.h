/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * What makes the files of a new migration: the function `author` of a layout
 * (core/layout.h). It touches nothing; author_write does.
 *
 *	const struct layout layout_sequence = {
 *		...
 *		.author = author_numbered,
 *	};
 */

#include "core/author.h"

/*
 * All of them fill in `made`, which owns what they make. CONFIGURATION when nothing in the
 * description can be part of a name, or the folder is not as it was read.
 */

/* NNNN_description.sql, with a head and the section for the way back. In author.c. */
int author_numbered(const struct author_request *request, struct author_made *made,
    struct err *err) MUST_CHECK;

/* The same, and its name becomes the last of the list. In author_manifest.c. */
int author_listed(const struct author_request *request, struct author_made *made,
    struct err *err) MUST_CHECK;

/*
 * What drizzle-kit 0.31 `generate --custom` writes: file, snapshot, journal. In
 * author_drizzle.c.
 */
int author_drizzle(const struct author_request *request, struct author_made *made,
    struct err *err) MUST_CHECK;
