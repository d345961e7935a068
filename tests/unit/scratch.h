/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * Memory of a test's own, freed behind it: the state is a talloc context.
 *
 *	SCRATCH_TEST(test_something),
 *
 * Include after cmocka.h.
 */

#include "base/mem.h"

static inline int
scratch_setup(void **state)
{
	*state = mem_context(NULL, "test");
	return 0;
}

static inline int
scratch_teardown(void **state)
{
	return talloc_free(*state);
}

#define SCRATCH_TEST(name) \
	cmocka_unit_test_setup_teardown(name, scratch_setup, scratch_teardown)
