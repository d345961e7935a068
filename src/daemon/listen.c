/* SPDX-License-Identifier: PostgreSQL */
#include "daemon/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/mem.h"

#define BACKLOG    1024
#define MODE_UMASK 0117 /* a socket of mode 0660 */

static int
refuse_form(const char *text, struct err *err)
{
	err_set(err, CAT_CONFIGURATION, "\"%.100s\" is no address to listen on", text);
	err_hint(err,
	    "write HOST:PORT, [IPV6]:PORT, *:PORT or unix:/PATH, such as 127.0.0.1:8432");
	return -1;
}

static bool
is_port(const char *text)
{
	size_t len = strspn(text, "0123456789");

	return len > 0 && len <= 5 && text[len] == '\0' &&
	    strtol(text, NULL, 10) <= 65535;
}

static bool
is_loopback_ipv6(const struct in6_addr *ip)
{
	if (IN6_IS_ADDR_V4MAPPED(ip))
		return ip->s6_addr[12] == IN_LOOPBACKNET;
	return IN6_IS_ADDR_LOOPBACK(ip);
}

/* What kind of address a resolved one is. */
static void
judge(const struct sockaddr *sockaddr, bool *is_loopback, bool *is_wildcard)
{
	*is_loopback = *is_wildcard = false;
	if (sockaddr->sa_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)sockaddr;
		uint32_t ip = ntohl(in->sin_addr.s_addr);

		*is_loopback = ip >> 24 == IN_LOOPBACKNET;
		*is_wildcard = ip == INADDR_ANY;
	} else if (sockaddr->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)sockaddr;

		*is_loopback = is_loopback_ipv6(&in6->sin6_addr);
		*is_wildcard = IN6_IS_ADDR_UNSPECIFIED(&in6->sin6_addr);
	}
}

/* The addresses that the kernel and resolver give for it. Freed by freeaddrinfo. */
static int
look_up(const struct listen_address *address, int more_flags, struct addrinfo **out)
{
	struct addrinfo hints = {
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_PASSIVE | AI_NUMERICSERV | more_flags,
	};

	return getaddrinfo(address->host, address->port, &hints, out);
}

static int
parse_unix(const char *text, struct listen_address *out, struct err *err)
{
	struct sockaddr_un un;

	out->is_unix = true;
	out->is_loopback = true;
	if (out->host[0] != '/')
		return refuse_form(text, err);
	if (strlen(out->host) >= sizeof(un.sun_path))
		return err_set(err, CAT_CONFIGURATION,
		    "\"%.200s\" is too long for a socket: at most %zu bytes", out->host,
		    sizeof(un.sun_path) - 1);
	return 0;
}

static int
parse_inet(const void *ctx, const char *text, struct listen_address *out, struct err *err)
{
	const char *colon = strrchr(text, ':');
	struct addrinfo *found = NULL;
	bool bracket = text[0] == '[';
	size_t len = colon ? (size_t)(colon - text) : 0;

	if (!colon || !is_port(colon + 1) ||
	    (bracket && (len < 2 || text[len - 1] != ']')))
		return refuse_form(text, err);
	/* without brackets nobody can tell the last part of an IPv6 address from the port */
	if (!bracket && memchr(text, ':', len))
		return refuse_form(text, err);
	out->port = mem_strdup(ctx, colon + 1);
	out->host =
	    bracket ? mem_strndup(ctx, text + 1, len - 2) : mem_strndup(ctx, text, len);
	if (len == 0 || strcmp(out->host, "*") == 0) {
		out->host = "";
		out->is_wildcard = true;
		return 0;
	}
	if (look_up(out, AI_NUMERICHOST, &found) == 0) {
		judge(found->ai_addr, &out->is_loopback, &out->is_wildcard);
		freeaddrinfo(found);
	} else if (bracket || strpbrk(out->host, ":/@ ")) {
		return refuse_form(text, err);
	} else {
		out->is_loopback = strcasecmp(out->host, "localhost") == 0;
	}
	return 0;
}

int
listen_parse(
    const void *ctx, const char *text, struct listen_address *out, struct err *err)
{
	static const char scheme[] = "unix:";
	struct listen_address address = { .text = mem_strdup(ctx, text) };
	int rc = 0;

	if (strncmp(text, scheme, strlen(scheme)) == 0) {
		address.host = mem_strdup(ctx, text + strlen(scheme));
		rc = parse_unix(text, &address, err);
	} else {
		rc = parse_inet(ctx, text, &address, err);
	}
	if (rc == 0)
		*out = address;
	return rc;
}

int
listen_check_exposure(
    const struct listen_address *address, bool has_token, bool insecure, struct err *err)
{
	if (address->is_loopback || has_token || insecure)
		return 0;
	err_set(err, CAT_CONFIGURATION,
	    "%s can be reached by other machines, and anybody there could apply migrations",
	    address->text);
	err_hint(err,
	    "set token_file, listen on 127.0.0.1 or a unix socket, or write insecure = on");
	return -1;
}

static int
fail(const struct listen_address *address, int errnum, struct err *err)
{
	err_set_errno(
	    err, CAT_NETWORK_ERROR, errnum, "cannot listen on %s", address->text);
	err->exit_code = EXIT_CONFIGURATION; /* not the database's fault */
	if (errnum == EADDRINUSE)
		err_hint(err,
		    "is another migrationd running? choose another address with --listen");
	else if (errnum == EADDRNOTAVAIL)
		err_hint(err, "no interface of this machine has that address");
	else if (errnum == EACCES && !address->is_unix)
		err_hint(err, "ports below 1024 are for root: choose another");
	return -1;
}

/* A listening socket on `sockaddr`, or -1 with errno. */
static int
bind_and_listen(const struct sockaddr *sockaddr, socklen_t len, bool both_families)
{
	int fd =
	    socket(sockaddr->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int one = 1;
	int only = !both_families;
	mode_t mask = 0;
	int rc = -1;

	if (fd < 0)
		return -1;
	/* options that the family does not know are none that we need there */
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof(only));
	mask = umask(MODE_UMASK);
	rc = bind(fd, sockaddr, len);
	umask(mask);
	if (rc < 0 || listen(fd, BACKLOG) < 0) {
		int saved = errno;

		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

static void
fill_unix(const struct listen_address *address, struct sockaddr_un *un)
{
	*un = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(un->sun_path, sizeof(un->sun_path), "%s", address->host);
}

/* Whether the path is a socket on which nobody listens any more. Non-blocking: a full
 * backlog is somebody. */
static bool
is_stale(const struct sockaddr_un *un)
{
	struct stat st;
	int fd = -1;
	bool stale = false;

	if (lstat(un->sun_path, &st) < 0 || !S_ISSOCK(st.st_mode))
		return false;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	stale = connect(fd, (const void *)un, sizeof(*un)) < 0 && errno == ECONNREFUSED;
	close(fd);
	return stale;
}

static int
open_unix(const struct listen_address *address, int *out, struct err *err)
{
	struct sockaddr_un un;
	int fd = -1;

	fill_unix(address, &un);
	fd = bind_and_listen((const void *)&un, sizeof(un), false);
	if (fd < 0 && errno == EADDRINUSE && is_stale(&un) && unlink(un.sun_path) == 0)
		fd = bind_and_listen((const void *)&un, sizeof(un), false);
	if (fd < 0)
		return fail(address, errno, err);
	*out = fd;
	return 0;
}

/* "localhost" that leads elsewhere would open what listen_check_exposure took for closed. */
static bool
is_as_promised(const struct listen_address *address, const struct sockaddr *sockaddr)
{
	bool is_loopback = false;
	bool is_wildcard = false;

	judge(sockaddr, &is_loopback, &is_wildcard);
	return is_loopback || !address->is_loopback;
}

static int
open_inet(const struct listen_address *address, int *out, struct err *err)
{
	struct addrinfo *found = NULL;
	int fd = -1;
	int rc = look_up(address, 0, &found);

	if (rc != 0)
		return err_set(err, CAT_CONFIGURATION, "cannot listen on %s: %s",
		    address->text, rc == EAI_SYSTEM ? strerror(errno) : gai_strerror(rc));
	errno = EADDRNOTAVAIL;
	for (const struct addrinfo *at = found; at && fd < 0; at = at->ai_next) {
		if (is_as_promised(address, at->ai_addr))
			fd = bind_and_listen(at->ai_addr, at->ai_addrlen, false);
	}
	if (fd < 0)
		rc = fail(address, errno, err);
	freeaddrinfo(found);
	*out = fd;
	return rc;
}

/* Every address: one socket for both families, or IPv4 alone where the kernel has no IPv6. */
static int
open_any(const struct listen_address *address, int *out, struct err *err)
{
	in_port_t port = htons((in_port_t)strtoul(address->port, NULL, 10));
	struct sockaddr_in6 in6 = {
		.sin6_family = AF_INET6,
		.sin6_addr = IN6ADDR_ANY_INIT,
		.sin6_port = port,
	};
	struct sockaddr_in in = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_ANY),
		.sin_port = port,
	};
	int fd = bind_and_listen((const void *)&in6, sizeof(in6), true);

	if (fd < 0 && (errno == EAFNOSUPPORT || errno == EADDRNOTAVAIL))
		fd = bind_and_listen((const void *)&in, sizeof(in), false);
	if (fd < 0)
		return fail(address, errno, err);
	*out = fd;
	return 0;
}

int
listen_open(const struct listen_address *address, int *fd, struct err *err)
{
	if (address->is_unix)
		return open_unix(address, fd, err);
	return address->host[0] ? open_inet(address, fd, err)
				: open_any(address, fd, err);
}

void
listen_unlink(const struct listen_address *address)
{
	struct sockaddr_un un;

	if (!address->is_unix)
		return;
	fill_unix(address, &un);
	if (is_stale(&un))
		unlink(un.sun_path);
}
