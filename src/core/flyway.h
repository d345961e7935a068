/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * What Flyway (11) makes of versions and files.
 *
 * A version is numbers with dots between, "1.10"; file names may have '_' for the dot. Compared
 * number by number, of any length: 1.10 is above 1.9, and 1.0 equals 1 (MigrationVersion.java).
 * The checksum of a file is the CRC-32 of its lines without their ends, as a signed decimal
 * (ChecksumCalculator.java).
 */

#include <stdbool.h>
#include <stddef.h>

/* Whether it is a version, with '.' or '_' between the numbers. */
bool flyway_is_version(const char *text, size_t len);

/* < 0, 0, > 0: two versions, with dots. */
int flyway_compare(const char *a, const char *b);

#define FLYWAY_CHECKSUM 12 /* "-2147483648" and NUL */
void flyway_checksum(const char *text, size_t len, char checksum[FLYWAY_CHECKSUM]);
