/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * A value that ALTER TYPE ... ADD VALUE has added is not to be used before it is
 * committed (PostgreSQL 15, ALTER TYPE; SQLSTATE 55P04). Part of script_build.
 */

#include "core/script.h"

/*
 * Whether the file names the value that `value` adds, or its type, in statement `from`
 * or behind. The type alone counts, too: a column that is cast to it may hold the
 * value. Rather too often yes than not.
 */
bool script_uses_enum_value(const struct migration *migration,
    const struct script_statement *value, const struct script_statement *from);
