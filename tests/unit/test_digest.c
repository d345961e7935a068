/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/digest.h"
#include "base/macros.h"

/* FIPS 180-4's examples, and the empty text. */
static const struct {
	const char *text;
	const char *hex;
	uint64_t key;
} rows[] = {
	{ NULL, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	    UINT64_C(0xe3b0c44298fc1c14) },
	{ "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
	    UINT64_C(0xba7816bf8f01cfea) },
	{ "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
	    "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
	    UINT64_C(0x248d6a61d20638b8) },
};

/* FIPS 180-4's own example, and that of nothing. */
static void
test_sha384(void **state)
{
	char hex[DIGEST_SHA384_HEX];

	(void)state;
	digest_sha384_hex("abc", 3, hex);
	assert_string_equal(hex,
	    "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
	    "8086072ba1e7cc2358baeca134c825a7");
	digest_sha384_hex(NULL, 0, hex);
	assert_string_equal(hex,
	    "38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da"
	    "274edebfe76f65fbd51ad2f14898b95b");
}

static void
test_sha256(void **state)
{
	char hex[DIGEST_HEX];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t len = rows[i].text ? strlen(rows[i].text) : 0;

		digest_sha256_hex(rows[i].text, len, hex);
		assert_string_equal(hex, rows[i].hex);
		assert_true(digest_key64(rows[i].text, len) == (int64_t)rows[i].key);
	}
}

static void
test_uuid7(void **state)
{
	/* RFC 9562, appendix A.6: 2022-02-22 19:22:22 UTC */
	const int64_t now_us = INT64_C(1645557742000) * 1000 + 999;
	char earlier[UUID_TEXT];
	char uuid[UUID_TEXT];

	(void)state;
	for (int i = 0; i < 1000; i++) {
		digest_uuid7(now_us - 1000, earlier);
		digest_uuid7(now_us, uuid);
		assert_int_equal(strlen(uuid), 36);
		assert_memory_equal(uuid, "017f22e2-79b0-7", 15);
		assert_int_equal(uuid[18], '-');
		assert_non_null(strchr("89ab", uuid[19]));
		assert_int_equal(uuid[23], '-');
		assert_int_equal(strspn(uuid, "0123456789abcdef-"), 36);
		assert_true(strcmp(earlier, uuid) < 0);
		digest_uuid7(now_us, earlier);
		assert_string_not_equal(earlier, uuid);
	}
}

/* Whatever the clock did in between. */
static void
test_uuid7_behind(void **state)
{
	static const char before[UUID_TEXT] = "017f22e2-ffff-7fff-bfff-ffffffffffff";
	char uuid[UUID_TEXT];
	char kept[UUID_TEXT];

	(void)state;
	digest_uuid7(1000, uuid);
	digest_uuid7_behind(before, uuid);
	assert_memory_equal(uuid, "017f22e3-0000-7", 15);
	memcpy(kept, uuid, sizeof(kept));
	digest_uuid7_behind(before, uuid);
	assert_string_equal(uuid, kept);
	digest_uuid7_behind(kept, uuid);
	assert_memory_equal(uuid, "017f22e3-0001-7", 15);
}

/* RFC 4231, test cases 1 and 2. */
static void
test_hmac(void **state)
{
	static const struct {
		const char *key, *data;
		const char *head; /* of the sum */
	} macs[] = {
		{ "\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b"
		  "\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b\x0b",
		    "Hi There", "\xb0\x34\x4c\x61\xd8\xdb\x38\x53" },
		{ "Jefe", "what do ya want for nothing?",
		    "\x5b\xdc\xc1\x46\xbf\x60\x75\x4e" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(macs); i++) {
		unsigned char mac[DIGEST_MAC];

		digest_hmac_sha256(macs[i].key, strlen(macs[i].key), macs[i].data,
		    strlen(macs[i].data), mac);
		assert_memory_equal(mac, macs[i].head, 8);
	}
}

static void
test_secret_equal(void **state)
{
	(void)state;
	assert_true(digest_secret_equal("token", "token"));
	assert_true(digest_secret_equal("", ""));
	assert_false(digest_secret_equal("token", "tokem"));
	assert_false(digest_secret_equal("token", "token "));
	assert_false(digest_secret_equal("", "token"));
}

static void
test_random_fills_its_range(void **state)
{
	bool seen[10] = { false };

	(void)state;
	/* that one of ten stays out a thousand times has a chance of 1e-45 */
	for (int i = 0; i < 1000; i++) {
		uint32_t number = digest_random(10);

		assert_in_range(number, 0, 9);
		seen[number] = true;
	}
	for (size_t i = 0; i < ARRAY_SIZE(seen); i++)
		assert_true(seen[i]);
	assert_int_equal(digest_random(1), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sha256),
		cmocka_unit_test(test_sha384),
		cmocka_unit_test(test_uuid7),
		cmocka_unit_test(test_uuid7_behind),
		cmocka_unit_test(test_hmac),
		cmocka_unit_test(test_secret_equal),
		cmocka_unit_test(test_random_fills_its_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
