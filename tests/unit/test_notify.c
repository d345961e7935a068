/* SPDX-License-Identifier: PostgreSQL */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <sys/socket.h>
#include <sys/un.h>

#include "daemon/notify.h"
#include "tempdir.h"

/* systemd's end. */
static int manager = -1;

/* Listen where NOTIFY_SOCKET says; a name that begins with '@' is abstract. */
static void
manage(const char *name)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	socklen_t len =
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));

	memcpy(un.sun_path, name, strlen(name));
	if (name[0] == '@')
		un.sun_path[0] = '\0';
	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	assert_true(manager >= 0);
	assert_int_equal(bind(manager, (void *)&un, len), 0);
	setenv("NOTIFY_SOCKET", name, 1);
}

/* The next datagram, "" when there is none: it is there as soon as it was sent. */
static const char *
heard(void)
{
	static char text[1024];
	ssize_t len = recv(manager, text, sizeof(text) - 1, 0);

	text[len > 0 ? len : 0] = '\0';
	return text;
}

static int
setup(void **state)
{
	char name[64];

	snprintf(name, sizeof(name), "@migrationd-test-%d", (int)getpid());
	manage(name);
	*state = NULL;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	close(manager);
	unsetenv("NOTIFY_SOCKET");
	return 0;
}

static void
test_states(void **state)
{
	unsigned long long usec = 0;
	char rest = 0;

	(void)state;
	notify_ready();
	assert_string_equal(heard(), "READY=1");
	notify_stopping();
	assert_string_equal(heard(), "STOPPING=1");
	notify_watchdog();
	assert_string_equal(heard(), "WATCHDOG=1");
	notify_reloading();
	assert_int_equal(
	    sscanf(heard(), "RELOADING=1\nMONOTONIC_USEC=%llu%c", &usec, &rest), 1);
	assert_true(usec > 0);
	assert_string_equal(heard(), "");
}

static void
test_status(void **state)
{
	char longer[600];

	(void)state;
	notify_status("applying %s (%d/%d)", "0044", 2, 3);
	assert_string_equal(heard(), "STATUS=applying 0044 (2/3)");
	notify_status("applying 0044 (2/3)");
	assert_string_equal(heard(), ""); /* said already */
	notify_status("current");
	assert_string_equal(heard(), "STATUS=current");
	notify_status("a\nREADY=1");
	assert_string_equal(heard(), "STATUS=a");
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	notify_status("%s", longer);
	assert_int_equal(strlen(heard()), 255);
}

static void
test_path(void **state)
{
	char *dir = tempdir_make();
	char path[1024];

	(void)state;
	close(manager);
	manage(tempdir_path(path, dir, "notify"));
	notify_ready();
	assert_string_equal(heard(), "READY=1");
	tempdir_remove(dir);
	notify_ready(); /* gone: nothing happens */
}

static void
test_nobody(void **state)
{
	static const char *const names[] = { "", "@", "x", "relative/path", "vsock:2:1" };
	char longer[200];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		setenv("NOTIFY_SOCKET", names[i], 1);
		notify_ready();
	}
	memset(longer, '/', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	setenv("NOTIFY_SOCKET", longer, 1);
	notify_ready();
	unsetenv("NOTIFY_SOCKET");
	notify_ready();
	assert_string_equal(heard(), "");
}

static void
test_watchdog(void **state)
{
	static const struct {
		const char *usec;
		int pid; /* 0: not set, -1: ours */
		uint64_t ms;
	} rows[] = {
		{ "30000000", 0, 15000 },
		{ "30000000", -1, 15000 },
		{ "30000000", 1, 0 },
		{ "1999", 0, 0 },
		{ "", 0, 0 },
		{ "soon", 0, 0 },
		{ NULL, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char pid[32];

		unsetenv("WATCHDOG_USEC");
		unsetenv("WATCHDOG_PID");
		snprintf(pid, sizeof(pid), "%d",
		    rows[i].pid < 0 ? (int)getpid() : rows[i].pid);
		if (rows[i].usec)
			setenv("WATCHDOG_USEC", rows[i].usec, 1);
		if (rows[i].pid)
			setenv("WATCHDOG_PID", pid, 1);
		assert_int_equal(notify_watchdog_ms(), rows[i].ms);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_states, setup, teardown),
		cmocka_unit_test_setup_teardown(test_status, setup, teardown),
		cmocka_unit_test_setup_teardown(test_path, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nobody, setup, teardown),
		cmocka_unit_test(test_watchdog),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
