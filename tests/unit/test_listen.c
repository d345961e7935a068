/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/mem.h"
#include "daemon/listen.h"
#include "tempdir.h"

static void
test_parse(void **state)
{
	static const struct {
		const char *text;
		const char *host; /* NULL: refused */
		const char *port;
		bool is_unix, is_loopback, is_wildcard;
	} rows[] = {
		{ "127.0.0.1:8432", "127.0.0.1", "8432", .is_loopback = true },
		{ "127.9.9.9:1", "127.9.9.9", "1", .is_loopback = true },
		{ "[::1]:8432", "::1", "8432", .is_loopback = true },
		{ "[::ffff:127.0.0.1]:1", "::ffff:127.0.0.1", "1", .is_loopback = true },
		{ "localhost:8432", "localhost", "8432", .is_loopback = true },
		{ "LOCALHOST:8432", "LOCALHOST", "8432", .is_loopback = true },
		{ "127.0.0.1:0", "127.0.0.1", "0", .is_loopback = true },
		{ "0.0.0.0:8432", "0.0.0.0", "8432", .is_wildcard = true },
		{ "[::]:8432", "::", "8432", .is_wildcard = true },
		{ "*:8432", "", "8432", .is_wildcard = true },
		{ ":8432", "", "8432", .is_wildcard = true },
		{ "10.0.0.1:65535", "10.0.0.1", "65535", .is_unix = false },
		{ "[fe80::1]:1", "fe80::1", "1", .is_unix = false },
		{ "db.example.org:80", "db.example.org", "80", .is_unix = false },
		{ "localhost.evil.example:80", "localhost.evil.example", "80",
		    .is_unix = false },
		{ "unix:/run/x.sock", "/run/x.sock", NULL, .is_unix = true,
		    .is_loopback = true },
		{ "", .host = NULL },
		{ ":", .host = NULL },
		{ "8432", .host = NULL },
		{ "localhost", .host = NULL },
		{ "localhost:", .host = NULL },
		{ "localhost:http", .host = NULL },
		{ "localhost:65536", .host = NULL },
		{ "localhost:-1", .host = NULL },
		{ "localhost:+1", .host = NULL },
		{ "localhost:1 ", .host = NULL },
		{ "localhost: 1", .host = NULL },
		{ "localhost:000080", .host = NULL },
		{ "::1:8432", .host = NULL },
		{ "[::1]8432", .host = NULL },
		{ "[::1]", .host = NULL },
		{ "[]:1", .host = NULL },
		{ "[localhost]:1", .host = NULL },
		{ "http://localhost:80", .host = NULL },
		{ "a b:1", .host = NULL },
		{ "unix:", .host = NULL },
		{ "unix:run/x", .host = NULL },
		{ "unix:@abstract", .host = NULL },
		{ "unix:/"
		  "0123456789012345678901234567890123456789012345678901234567890123456789"
		  "0123456789012345678901234567890123456789",
		    .host = NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		void *ctx = mem_context(NULL, "test");
		struct listen_address address = { 0 };
		struct err err = { 0 };
		int rc = listen_parse(ctx, rows[i].text, &address, &err);

		if (!rows[i].host) {
			if (rc == 0)
				fail_msg("\"%s\" was taken", rows[i].text);
			assert_int_equal(err.category, CAT_CONFIGURATION);
			assert_null(address.text);
			talloc_free(ctx);
			continue;
		}
		assert_int_equal(rc, 0);
		assert_string_equal(address.text, rows[i].text);
		assert_string_equal(address.host, rows[i].host);
		if (rows[i].port)
			assert_string_equal(address.port, rows[i].port);
		assert_int_equal(address.is_unix, rows[i].is_unix);
		assert_int_equal(address.is_loopback, rows[i].is_loopback);
		assert_int_equal(address.is_wildcard, rows[i].is_wildcard);
		talloc_free(ctx);
	}
}

static void
test_exposure(void **state)
{
	struct listen_address near = { .text = "near", .is_loopback = true };
	struct listen_address far = { .text = "0.0.0.0:8432" };
	struct err err = { 0 };

	(void)state;
	assert_int_equal(listen_check_exposure(&near, false, false, &err), 0);
	assert_int_equal(listen_check_exposure(&far, true, false, &err), 0);
	assert_int_equal(listen_check_exposure(&far, false, true, &err), 0);
	assert_int_equal(listen_check_exposure(&far, false, false, &err), -1);
	assert_int_equal(err.category, CAT_CONFIGURATION);
	assert_non_null(strstr(err.text, "0.0.0.0:8432"));
	assert_non_null(strstr(err.hint, "token_file"));
}

/* Parse and open, or fail with the category. */
static int
try_open(
    const void *ctx, const char *text, struct listen_address *address, struct err *err)
{
	int fd = -1;

	err_clear(err);
	assert_int_equal(listen_parse(ctx, text, address, err), 0);
	if (listen_open(address, &fd, err) < 0)
		assert_int_equal(fd, -1);
	return fd;
}

static int
option_of(int fd, int level, int name)
{
	int value = -1;
	socklen_t len = sizeof(value);

	assert_int_equal(getsockopt(fd, level, name, &value, &len), 0);
	return value;
}

static void
test_open_inet(void **state)
{
	static const char *const texts[] = { "127.0.0.1:0", "localhost:0", "[::1]:0",
		"*:0", "[::]:0" };
	void *ctx = mem_context(NULL, "test");
	struct listen_address address;
	struct listen_address found;
	struct err err = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		int fd = try_open(ctx, texts[i], &address, &err);
		int second = -1;

		/* a machine may have no IPv6 */
		if (fd < 0 && texts[i][0] == '[')
			continue;
		assert_true(fd >= 0);
		assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
		assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
		assert_int_equal(option_of(fd, SOL_SOCKET, SO_ACCEPTCONN), 1);
		assert_int_equal(option_of(fd, SOL_SOCKET, SO_REUSEADDR), 1);
		if (texts[i][0] == '[')
			assert_int_equal(option_of(fd, IPPROTO_IPV6, IPV6_V6ONLY), 1);

		/* what it is bound to, and that nobody else can have it */
		assert_int_equal(listen_describe(ctx, fd, &found, &err), 0);
		assert_int_equal(found.is_loopback, address.is_loopback);
		assert_int_equal(found.is_wildcard, address.is_wildcard);
		assert_string_not_equal(found.port, "0");
		if (address.is_loopback) {
			second = try_open(ctx, found.text, &address, &err);
			assert_int_equal(second, -1);
			assert_int_equal(err.category, CAT_NETWORK_ERROR);
			assert_non_null(strstr(err.text, found.text));
			assert_non_null(strstr(err.hint, "another migrationd"));
		}
		close(fd);
	}
	talloc_free(ctx);
}

static void
test_open_fails(void **state)
{
	void *ctx = mem_context(NULL, "test");
	struct listen_address address;
	struct err err = { 0 };

	(void)state;
	/* TEST-NET-1 of RFC 5737 is no interface's */
	assert_int_equal(try_open(ctx, "192.0.2.1:0", &address, &err), -1);
	assert_non_null(strstr(err.hint, "no interface"));
	assert_int_equal(try_open(ctx, "unix:/nonexistent/folder/x", &address, &err), -1);
	assert_non_null(strstr(err.text, "/nonexistent/folder/x"));
	/* what claims to be this machine and is not */
	address = (struct listen_address){
		.text = "localhost:0", .is_loopback = true, .host = "0.0.0.0", .port = "0"
	};
	err_clear(&err);
	assert_int_equal(listen_open(&address, &(int){ -1 }, &err), -1);
	talloc_free(ctx);
}

static void
test_unix(void **state)
{
	void *ctx = mem_context(NULL, "test");
	char *text = mem_printf(ctx, "unix:%s/sock", (const char *)*state);
	const char *path = text + strlen("unix:");
	struct listen_address address;
	struct listen_address found;
	struct err err = { 0 };
	struct stat st;
	mode_t mask = umask(0);
	int fd = try_open(ctx, text, &address, &err);

	assert_true(fd >= 0);
	assert_int_equal(umask(mask), 0); /* left as it was */
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0660);
	assert_int_equal(listen_describe(ctx, fd, &found, &err), 0);
	assert_string_equal(found.text, text);
	assert_true(found.is_unix && found.is_loopback);

	/* somebody answers: neither replaced nor removed */
	assert_int_equal(try_open(ctx, text, &address, &err), -1);
	assert_non_null(strstr(err.hint, "another migrationd"));
	listen_unlink(&address);
	assert_int_equal(access(path, F_OK), 0);

	/* left behind by one that was killed: replaced */
	close(fd);
	fd = try_open(ctx, text, &address, &err);
	assert_true(fd >= 0);

	/* the end */
	close(fd);
	listen_unlink(&address);
	assert_int_equal(access(path, F_OK), -1);
	listen_unlink(&address);

	/* what is no socket is nobody's to remove */
	tempdir_text(*state, "sock", "precious");
	assert_int_equal(try_open(ctx, text, &address, &err), -1);
	listen_unlink(&address);
	assert_int_equal(access(path, F_OK), 0);
	unlink(path);
	talloc_free(ctx);
}

static void
test_describe_what_is_no_socket(void **state)
{
	struct listen_address address;
	struct err err = { 0 };
	int fd = open(*state, O_RDONLY | O_CLOEXEC);

	assert_int_equal(listen_describe(NULL, fd, &address, &err), -1);
	assert_int_equal(err.category, CAT_CONFIGURATION);
	close(fd);
}

static void
test_inherited(void **state)
{
	static const struct {
		const char *fds;
		const char *names;
		bool other_pid;
		int n;
		bool is_probe[4];
	} rows[] = {
		{ "3", "api:probe:metrics", false, 3, { false, true, true } },
		{ "2", "probe:", false, 2, { true, false } },
		{ "2", NULL, false, 2, { false, false } },
		{ "2", "probes:metric", false, 2, { false, false } },
		{ "9", "a:b:c:probe", false, 4,
		    { false, false, false, true } }, /* no more than there is room for */
		{ "0", NULL, false, 0, { false } },
		{ "-1", NULL, false, 0, { false } },
		{ "x", NULL, false, 0, { false } },
		{ "1x", NULL, false, 0, { false } },
		{ NULL, NULL, false, 0, { false } },
		{ "1", NULL, true, 0, { false } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char pid[32];
		bool is_probe[4] = { false };

		snprintf(pid, sizeof(pid), "%d", rows[i].other_pid ? 1 : (int)getpid());
		setenv("LISTEN_PID", pid, 1);
		unsetenv("LISTEN_FDS");
		unsetenv("LISTEN_FDNAMES");
		if (rows[i].fds)
			setenv("LISTEN_FDS", rows[i].fds, 1);
		if (rows[i].names)
			setenv("LISTEN_FDNAMES", rows[i].names, 1);
		assert_int_equal(listen_inherited(is_probe, 4), rows[i].n);
		assert_memory_equal(is_probe, rows[i].is_probe, sizeof(is_probe));
		assert_null(getenv("LISTEN_PID"));
		assert_null(getenv("LISTEN_FDS"));
		assert_null(getenv("LISTEN_FDNAMES"));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_exposure),
		cmocka_unit_test(test_open_inet),
		cmocka_unit_test(test_open_fails),
		cmocka_unit_test(test_unix),
		cmocka_unit_test(test_describe_what_is_no_socket),
		cmocka_unit_test(test_inherited),
	};

	return cmocka_run_group_tests(tests, tempdir_setup, tempdir_teardown);
}
