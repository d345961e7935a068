/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "core/eol.h"

/* Whatever a turn ends in the middle of. */
static void
test_digests(void **state)
{
	static const struct {
		const char *text;
		const char *lf; /* the same without the last line end */
		const char *crlf;
	} rows[] = {
		{ "", "", "" },
		{ "\n", "", "" },
		{ "\r\n", "", "" },
		{ "a;\nb;\n", "a;\nb;", "a;\r\nb;" },
		{ "a;\r\nb;\r\n", "a;\nb;", "a;\r\nb;" },
		{ "a;\r\nb;\nc", "a;\nb;\nc", "a;\r\nb;\r\nc" },
		{ "\n\r\n\n", "\n\n", "\r\n\r\n" },
		{ "a\r\r\nb\rc\r", "a\r\nb\rc\r", "a\r\r\nb\rc\r" },
	};
	void *ctx = mem_context(NULL, "test");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		for (size_t max = 2; max < 12; max++) {
			struct migration m = { .text = rows[i].text,
				.text_len = strlen(rows[i].text),
				.checksum = "feed" };
			struct eol *eol = eol_new(ctx, &m);
			size_t budget = max;
			const char *texts[2][2] = {
				{ rows[i].lf, mem_printf(ctx, "%s\n", rows[i].lf) },
				{ rows[i].crlf, mem_printf(ctx, "%s\r\n", rows[i].crlf) },
			};

			while (!eol_step(eol, &m, &budget)) {
				assert_true(budget < 2);
				budget = max;
			}
			assert_true(eol_step(eol, &m, &budget));
			assert_string_equal(eol_checksum(eol), "feed");
			for (unsigned k = 0; k < 4; k++) {
				const char *text = texts[k / 2][k % 2];
				char hex[DIGEST_HEX];

				digest_sha256_hex(text, strlen(text), hex);
				assert_string_equal(eol_digest(eol, k / 2, k % 2), hex);
			}
		}
	}
	talloc_free(ctx);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_digests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
