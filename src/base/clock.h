/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Time. Points in time are microseconds since 1970 UTC (`_us`), for people and tables;
 * spans are measured on the monotonic clock, which no administrator can set back.
 */

#include <stddef.h>
#include <stdint.h>

int64_t clock_now_us(void);  /* wall clock */
int64_t clock_mono_us(void); /* monotonic, for spans only */

/* "2026-11-20T05:58:12.123Z" (RFC 3339, UTC, milliseconds) into buf; size CLOCK_TEXT or more. */
#define CLOCK_TEXT 32
const char *clock_format(int64_t us, char *buf, size_t size);

/* "850 ms", "12.4 s", "3 min", "2 h 5 min": a span for people. */
const char *clock_format_span(int64_t us, char *buf, size_t size);
