/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * What the files layout_*.c share: one such file is one layout.
 */

#include "core/layout.h"

bool layout_ends_with(const char *name, const char *suffix);

/* Whether a folder that was listed has a file of that name. */
bool layout_lists(const struct file_list *list, const char *name);
