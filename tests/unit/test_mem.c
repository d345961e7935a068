/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/mem.h"

struct thing {
	int number;
	const char *name;
};

static void
test_zeroed(void **state)
{
	void *ctx = mem_context(NULL, "test");
	struct thing *thing = mem_zero(ctx, struct thing);
	struct thing *many = mem_array(ctx, struct thing, 1000);
	struct thing *none = mem_array(ctx, struct thing, 0);

	(void)state;
	assert_int_equal(thing->number, 0);
	assert_null(thing->name);
	for (size_t i = 0; i < 1000; i++)
		assert_null(many[i].name);
	assert_non_null(none);
	assert_string_equal(talloc_get_name(thing), "struct thing");
	assert_int_equal(talloc_array_length(many), 1000);
	assert_ptr_equal(talloc_parent(many), ctx);
	talloc_free(ctx);
}

static void
test_grow_keeps_the_content(void **state)
{
	void *ctx = mem_context(NULL, "test");
	int *numbers = NULL;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		numbers = mem_grow(ctx, numbers, int, (size_t)i + 1);
		numbers[i] = i;
	}
	for (int i = 0; i < 1000; i++)
		assert_int_equal(numbers[i], i);
	assert_ptr_equal(talloc_parent(numbers), ctx);
	numbers = mem_grow(ctx, numbers, int, 0);
	assert_non_null(numbers);
	talloc_free(ctx);
}

static void
test_copies(void **state)
{
	void *ctx = mem_context(NULL, "test");
	char *copy = NULL;

	(void)state;
	assert_string_equal(mem_strdup(ctx, "abc"), "abc");
	assert_null(mem_strdup(ctx, NULL));
	assert_string_equal(mem_strndup(ctx, "abcdef", 3), "abc");
	assert_string_equal(mem_printf(ctx, "%s/%04d", "a", 7), "a/0007");
	copy = mem_memdup(ctx, "a\0b", 3);
	assert_memory_equal(copy, "a\0b", 4);
	assert_string_equal(mem_memdup(ctx, NULL, 0), "");
	talloc_free(ctx);
}

static void
test_a_context_frees_what_it_owns(void **state)
{
	void *parent = mem_context(NULL, "parent");
	size_t blocks = talloc_total_blocks(parent);
	void *child = mem_context(parent, "child");

	(void)state;
	mem_strdup(child, "text");
	assert_string_equal(talloc_get_name(child), "child");
	assert_true(talloc_total_blocks(parent) > blocks);
	talloc_free(child);
	assert_int_equal(talloc_total_blocks(parent), blocks);
	talloc_free(parent);
}

static void
allocate_too_much(void)
{
	mem_alloc(NULL, SIZE_MAX / 4, 8, "overflow");
}

static void
grow_too_much(void)
{
	mem_realloc(NULL, NULL, SIZE_MAX / 2 + 2, 2, "overflow");
}

static void
ask_for_everything(void)
{
	mem_alloc(NULL, SIZE_MAX, 1, "size");
}

/* The program ends by SIGABRT, and says why on standard error. */
static void
assert_ends(void (*run)(void))
{
	const struct rlimit no_core = { 0, 0 };
	char said[256] = "";
	int status = 0;
	int ends[2];
	pid_t pid = 0;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &no_core);
		dup2(ends[1], STDERR_FILENO);
		run();
		_exit(0);
	}
	close(ends[1]);
	assert_true(read(ends[0], said, sizeof(said) - 1) > 0);
	close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGABRT);
	assert_string_equal(said, "migrationd: out of memory, giving up\n");
}

static void
test_out_of_memory_ends_the_process(void **state)
{
	(void)state;
	assert_ends(allocate_too_much);
	assert_ends(grow_too_much);
	assert_ends(ask_for_everything);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_zeroed),
		cmocka_unit_test(test_grow_keeps_the_content),
		cmocka_unit_test(test_copies),
		cmocka_unit_test(test_a_context_frees_what_it_owns),
		cmocka_unit_test(test_out_of_memory_ends_the_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
