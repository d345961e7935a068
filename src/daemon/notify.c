/* SPDX-License-Identifier: PostgreSQL */
#include "daemon/notify.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"

#define STATUS_BYTES 256

/*
 * Nobody waits for an answer, and systemd that is not there is no reason to stop: what cannot be
 * sent is lost.
 */
static void
send_state(const char *state)
{
	const char *name = getenv("NOTIFY_SOCKET");
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	size_t len = name ? strlen(name) : 0;
	int fd = -1;

	if (len < 2 || len > sizeof(un.sun_path) || (name[0] != '/' && name[0] != '@'))
		return;
	memcpy(un.sun_path, name, len);
	if (name[0] == '@') /* an abstract name, whose first byte is NUL */
		un.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	(void)!sendto(fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT, (void *)&un,
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
	close(fd);
}

void
notify_ready(void)
{
	send_state("READY=1");
}

void
notify_reloading(void)
{
	char state[64];

	snprintf(state, sizeof(state), "RELOADING=1\nMONOTONIC_USEC=%" PRId64,
	    clock_mono_us());
	send_state(state);
}

void
notify_stopping(void)
{
	send_state("STOPPING=1");
}

void
notify_status(const char *fmt, ...)
{
	static char last[STATUS_BYTES];
	char state[STATUS_BYTES] = "STATUS=";
	size_t len = strlen(state);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(state + len, sizeof(state) - len, fmt, ap);
	va_end(ap);
	/* a second line would be a message of its own */
	state[strcspn(state, "\n")] = '\0';
	if (strcmp(state, last) == 0)
		return;
	memcpy(last, state, sizeof(last));
	send_state(state);
}

/* The number in a variable; 0 when there is none. */
static uint64_t
number_of(const char *name)
{
	const char *text = getenv(name);
	char *end = NULL;
	unsigned long long number = text ? strtoull(text, &end, 10) : 0;

	return text && end != text && *end == '\0' ? number : 0;
}

uint64_t
notify_watchdog_ms(void)
{
	uint64_t usec = number_of("WATCHDOG_USEC");

	/* meant for a parent of ours that did not clear it (sd_watchdog_enabled(3)) */
	if (getenv("WATCHDOG_PID") && number_of("WATCHDOG_PID") != (uint64_t)getpid())
		return 0;
	return usec / 2 / 1000;
}

void
notify_watchdog(void)
{
	send_state("WATCHDOG=1");
}
