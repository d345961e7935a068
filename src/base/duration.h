/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Durations as people write them: a whole number with ms, s, min, h or d, or 0.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct duration_unit {
	const char *name;
	int64_t ms;
};

/* From the longest to the shortest; the last is one millisecond. */
#define DURATION_UNITS 5
extern const struct duration_unit duration_units[DURATION_UNITS];

/* Milliseconds of "10s"; false when it is none or does not fit. */
bool duration_parse(const char *text, int64_t *ms);
