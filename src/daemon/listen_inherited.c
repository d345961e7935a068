/* SPDX-License-Identifier: PostgreSQL */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"
#include "daemon/listen.h"

/* The number in a variable, 0 when there is none. */
static long
number_of(const char *name)
{
	const char *text = getenv(name);
	char *end = NULL;
	long number = text ? strtol(text, &end, 10) : 0;

	return text && end != text && *end == '\0' ? number : 0;
}

/* Whether the n-th of the names between colons is a probe listener's. */
static bool
is_probe_name(const char *names, int n)
{
	size_t len = 0;

	for (int i = 0; names && i < n; i++) {
		names = strchr(names, ':');
		names = names ? names + 1 : NULL;
	}
	len = names ? strcspn(names, ":") : 0;
	return (len == 5 && memcmp(names, "probe", len) == 0) ||
	    (len == 7 && memcmp(names, "metrics", len) == 0);
}

/* What we were given must not go on to our children, and must not block the loop. */
static void
adopt(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	fcntl(fd, F_SETFD, FD_CLOEXEC);
	if (flags >= 0)
		fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

int
listen_inherited(bool *is_probe, int max)
{
	long n = number_of("LISTEN_FDS");

	/* meant for another process that forgot to clear them before it started us */
	if (number_of("LISTEN_PID") != getpid() || n < 0)
		n = 0;
	if (n > max)
		n = max;
	for (int i = 0; i < n; i++) {
		is_probe[i] = is_probe_name(getenv("LISTEN_FDNAMES"), i);
		adopt(LISTEN_FDS_START + i);
	}
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_FDNAMES");
	return (int)n;
}

static int
describe_inet(const void *ctx, const struct sockaddr_storage *from, socklen_t len,
    struct listen_address *out, struct err *err)
{
	char host[NI_MAXHOST];
	char port[NI_MAXSERV];
	char *text = NULL;

	if (getnameinfo((const void *)from, len, host, sizeof(host), port, sizeof(port),
		NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		return err_set(
		    err, CAT_CONFIGURATION, "a socket from systemd has no address");
	text = mem_printf(
	    ctx, from->ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
	return listen_parse(ctx, text, out, err);
}

int
listen_describe(const void *ctx, int fd, struct listen_address *out, struct err *err)
{
	struct sockaddr_storage from = { 0 };
	socklen_t len = sizeof(from);
	const struct sockaddr_un *un = (const void *)&from;

	if (getsockname(fd, (void *)&from, &len) < 0)
		return err_set(err, CAT_CONFIGURATION,
		    "descriptor %d from systemd is no socket", fd);
	if (from.ss_family != AF_UNIX)
		return describe_inet(ctx, &from, len, out, err);
	/* whoever made it said who may connect; a name that is no path cannot be parsed again */
	*out = (struct listen_address){
		.text = mem_printf(ctx, "unix:%s", un->sun_path[0] ? un->sun_path : "@"),
		.is_unix = true,
		.is_loopback = true,
		.host = mem_strdup(ctx, un->sun_path),
	};
	return 0;
}
