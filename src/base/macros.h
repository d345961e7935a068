/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * The few compiler attributes and helpers that the whole program uses.
 */

#include <stddef.h>

/* The result says whether it worked: a caller that drops it is a bug. */
#define MUST_CHECK __attribute__((warn_unused_result))

/* Arguments are checked like printf's; `fmt` and `args` count from 1. */
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

#define UNUSED __attribute__((unused))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* The struct of which `member` is found at `ptr`. */
#define CONTAINER_OF(ptr, type, member) \
	((type *)(void *)((char *)(ptr)-offsetof(type, member)))
