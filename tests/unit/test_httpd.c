/* SPDX-License-Identifier: PostgreSQL */
#include "fake_api.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "http/httpd.h"
#include "tempdir.h"

/*
 * httpd on real sockets. The server runs in this process, on a loop that nothing else
 * wakes; the client is a child with plain blocking sockets, so that a wake-up that is
 * forgotten shows as a client that waits in vain.
 */

#define REQUEST_TIMEOUT_MS 300
#define CLIENT_SECONDS     20
#define CLOSE              "Host: localhost\r\nConnection: close\r\n\r\n"
#define KEEP               "Host: localhost\r\n\r\n"

struct server {
	struct fake *fake;
	uv_loop_t loop;
	uv_prepare_t prepare;
	uv_poll_t child_pipe;
	uv_timer_t timer;
	struct httpd *httpd;
	uint16_t port;
	uint16_t probe_port;
	char unix_path[64];
	unsigned n_ticks;
	unsigned most_parked;
	bool closed;
};

/* ---- the server ---- */

static void
on_prepare(uv_prepare_t *prepare)
{
	struct server *server = prepare->data;

	server->n_ticks++;
	if (!server->closed)
		httpd_tick(server->httpd);
	if (server->fake->api.parked > server->most_parked)
		server->most_parked = server->fake->api.parked;
}

static uint16_t
listen_tcp(struct server *server, bool is_probe)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t size = sizeof(address);
	struct listener_facts facts = { .is_probe = is_probe };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct err err = { 0 };

	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 1024), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &size), 0);
	assert_int_equal(httpd_add_listener(server->httpd, fd, &facts, &err), 0);
	return ntohs(address.sin_port);
}

static void
listen_unix(struct server *server)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct listener_facts facts = { .is_unix = true };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct err err = { 0 };

	snprintf(
	    server->unix_path, sizeof(server->unix_path), "/tmp/test_httpd.%d", getpid());
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", server->unix_path);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 16), 0);
	assert_int_equal(httpd_add_listener(server->httpd, fd, &facts, &err), 0);
}

static struct server *
server_new(void)
{
	struct fake *fake = fake_new();
	struct server *server = mem_zero(fake, struct server);

	fake->api.now_mono_us = clock_mono_us;
	server->fake = fake;
	uv_loop_init(&server->loop);
	uv_prepare_init(&server->loop, &server->prepare);
	server->prepare.data = server;
	uv_prepare_start(&server->prepare, on_prepare);
	uv_timer_init(&server->loop, &server->timer);
	server->timer.data = server;
	server->httpd = httpd_new(&server->loop, &fake->api, REQUEST_TIMEOUT_MS);
	server->port = listen_tcp(server, false);
	server->probe_port = listen_tcp(server, true);
	return server;
}

/* Close everything that is still open: the loop must then be empty. */
static void
server_free(struct server *server)
{
	if (!server->closed)
		httpd_close(server->httpd);
	server->closed = true;
	uv_close((uv_handle_t *)&server->prepare, NULL);
	uv_close((uv_handle_t *)&server->timer, NULL);
	uv_run(&server->loop, UV_RUN_DEFAULT);
	assert_int_equal(uv_loop_close(&server->loop), 0);
	assert_int_equal(server->fake->api.parked, 0);
	assert_int_equal(server->fake->api.metrics->requests_in_flight, 0);
	if (server->unix_path[0])
		unlink(server->unix_path);
	talloc_free(server->fake);
}

static void
on_child_gone(uv_poll_t *handle, int status, int events)
{
	(void)status;
	(void)events;
	uv_poll_stop(handle);
	uv_stop(handle->loop);
}

/* Serve until the client has ended, which must be well. */
static void
serve(struct server *server, void (*client)(const struct server *server))
{
	int fds[2], status = 0;
	pid_t pid;

	assert_int_equal(pipe(fds), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		/* a copy of the listening socket would go on to listen */
		dup2(fds[1], STDERR_FILENO + 1);
		close_range(STDERR_FILENO + 2, ~0u, 0);
		alarm(CLIENT_SECONDS);
		client(server);
		_exit(0);
	}
	close(fds[1]);
	uv_poll_init(&server->loop, &server->child_pipe, fds[0]);
	uv_poll_start(&server->child_pipe, UV_READABLE | UV_DISCONNECT, on_child_gone);
	uv_run(&server->loop, UV_RUN_DEFAULT);
	uv_close((uv_handle_t *)&server->child_pipe, NULL);
	uv_run(&server->loop, UV_RUN_NOWAIT);
	close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- the client ---- */

#define CHECK(condition) check((condition), #condition, __LINE__)

static void
check(bool holds, const char *text, int line)
{
	if (holds)
		return;
	fprintf(stderr, "client, line %d: %s\n", line, text);
	_exit(1);
}

static int
connect_to(uint16_t port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	CHECK(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	return fd;
}

static void
send_bytes(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);

		CHECK(n > 0);
		bytes += n;
		len -= (size_t)n;
	}
}

static void
send_text(int fd, const char *text)
{
	send_bytes(fd, text, strlen(text));
}

/* All until the server closes. */
static size_t
read_all(int fd, char *buf, size_t size)
{
	size_t len = 0;

	while (len < size - 1) {
		ssize_t n = read(fd, buf + len, size - 1 - len);

		if (n <= 0)
			break;
		len += (size_t)n;
	}
	buf[len] = '\0';
	close(fd);
	return len;
}

static unsigned
status_of(const char *answer)
{
	return strncmp(answer, "HTTP/1.1 ", 9) == 0
	    ? (unsigned)strtoul(answer + 9, NULL, 10)
	    : 0;
}

static unsigned
ask(uint16_t port, const char *request, char *buf, size_t size)
{
	int fd = connect_to(port);

	send_text(fd, request);
	read_all(fd, buf, size);
	return status_of(buf);
}

static unsigned
count(const char *text, const char *word)
{
	unsigned n = 0;

	for (const char *p = strstr(text, word); p; p = strstr(p + 1, word))
		n++;
	return n;
}

static int64_t
ms_since(int64_t start_us)
{
	return (clock_mono_us() - start_us) / 1000;
}

/* ---- plain requests ---- */

static void
client_plain(const struct server *server)
{
	static char buf[1 << 20];
	int fd;

	CHECK(ask(server->port, "GET /version HTTP/1.1\r\nX-Request-Id: my-id\r\n" CLOSE,
		  buf, sizeof(buf)) == 200);
	CHECK(strstr(buf, "\r\nX-Request-Id: my-id\r\n"));
	CHECK(strstr(buf, "\r\nCache-Control: no-store\r\n"));
	CHECK(strstr(buf, "\r\nX-Content-Type-Options: nosniff\r\n"));
	CHECK(strstr(buf, "\r\nServer: migrationd/"));
	CHECK(strstr(buf, "\r\nVary: Accept\r\n"));
	CHECK(strstr(buf, "\r\nContent-Type: application/json\r\n"));
	CHECK(strstr(buf, "\"libmicrohttpd\""));

	CHECK(ask(server->port, "HEAD /version HTTP/1.1\r\n" CLOSE, buf, sizeof(buf)) ==
	    200);
	CHECK(strstr(buf, "\r\n\r\n")[4] == '\0');
	CHECK(ask(server->port, "OPTIONS /apply HTTP/1.1\r\n" CLOSE, buf, sizeof(buf)) ==
	    204);
	CHECK(strstr(buf, "\r\nAllow: OPTIONS, POST\r\n"));
	CHECK(ask(server->port, "GET /nothing HTTP/1.1\r\n" CLOSE, buf, sizeof(buf)) ==
	    404);
	CHECK(strstr(buf, "application/problem+json"));

	/* fifty in one go, answered in order */
	fd = connect_to(server->port);
	for (unsigned i = 0; i < 49; i++)
		send_text(fd, "GET /version HTTP/1.1\r\n" KEEP);
	send_text(fd, "GET /livez HTTP/1.1\r\n" CLOSE);
	read_all(fd, buf, sizeof(buf));
	CHECK(count(buf, "HTTP/1.1 200 OK") == 50);

	CHECK(ask(server->probe_port, "GET /livez HTTP/1.1\r\n" CLOSE, buf,
		  sizeof(buf)) == 200);
	CHECK(ask(server->probe_port, "GET /status HTTP/1.1\r\n" CLOSE, buf,
		  sizeof(buf)) == 404);
}

static void
test_plain_requests(void **state)
{
	struct server *server = server_new();

	(void)state;
	serve(server, client_plain);
	assert_non_null(server->fake->api.metrics->http);
	server_free(server);
}

static void
client_unix(const struct server *server)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	char buf[4096];

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", server->unix_path);
	CHECK(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0);
	send_text(fd, "POST /apply HTTP/1.1\r\n" CLOSE);
	read_all(fd, buf, sizeof(buf));
	CHECK(status_of(buf) == 200);
}

static void
test_a_unix_socket(void **state)
{
	struct server *server = server_new();
	char peer[64];

	(void)state;
	listen_unix(server);
	server->fake->token = "needed on TCP only";
	fake_start_run(server->fake, PLAN_APPLY);
	fake_end_run(server->fake, NULL);
	serve(server, client_unix);
	snprintf(peer, sizeof(peer), "http unix uid %u", geteuid());
	assert_string_equal(server->fake->requested_by, peer);
	server_free(server);
}

/* ---- malformed ---- */

static void
client_malformed(const struct server *server)
{
	static const struct {
		const char *bytes;
		size_t len;
		unsigned status;
	} cases[] = {
#define RAW(text, status) { (text), sizeof(text) - 1, (status) }
		RAW("POST /apply HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n"
		    "Content-Length: 50\r\n\r\nAAAAAGET /version HTTP/1.1\r\n" KEEP,
		    400),
		RAW("POST /apply HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n"
		    "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /version HTTP/1.1\r\n" KEEP,
		    400),
		RAW("POST /apply HTTP/1.1\r\nHost: localhost\r\n"
		    "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
		    400),
		RAW("GET /version\0/../x HTTP/1.1\r\n" KEEP, 400),
		RAW("GET /version HTTP/1.1\r\nHost: localhost\r\nContent-Length : 5\r\n\r\nAAAAA",
		    400),
		RAW("GET /version HTTP/1.1\r\n\r\n", 400),
		RAW("GET /version HTTP/1.1\r\nHost: a\r\nHost: localhost\r\n\r\n", 400),
		RAW("GET /a%00b HTTP/1.1\r\n" KEEP, 400),
		RAW("GET /version HTTP/1.9\r\n" KEEP, 505),
		RAW("GET http://evil.example/version HTTP/1.1\r\n" KEEP, 421),
		RAW("FOO\x01 / HTTP/1.1\r\n" KEEP, 501),
		RAW("POST /apply HTTP/1.1\r\nHost: localhost\r\nContent-Length: 65537\r\n\r\n",
		    413),
#undef RAW
	};
	char buf[8192];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int fd = connect_to(server->port);

		send_bytes(fd, cases[i].bytes, cases[i].len);
		read_all(fd, buf, sizeof(buf));
		if (status_of(buf) != cases[i].status ||
		    count(buf, "\r\nServer: ") != 1) {
			fprintf(stderr, "case %zu: %s\n", i, buf);
			_exit(1);
		}
		CHECK(strstr(buf, "\r\nConnection: close\r\n"));
	}
}

static void
test_malformed_requests(void **state)
{
	struct server *server = server_new();

	(void)state;
	serve(server, client_malformed);
	assert_int_equal(server->fake->n_starts, 0);
	server_free(server);
}

/* Sends a chunked body of `n` KiB; stops when the server has had enough. */
static unsigned
send_chunks(const struct server *server, unsigned n)
{
	int fd = connect_to(server->port);
	char chunk[1024 + 16];
	char buf[4096];
	int head = snprintf(chunk, sizeof(chunk), "400\r\n");

	memset(chunk + head, 'a', 1024);
	memcpy(chunk + head + 1024, "\r\n", 2);
	send_text(fd,
	    "POST /apply HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
	    "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n");
	for (unsigned i = 0; i < n; i++) {
		if (send(fd, chunk, (size_t)head + 1026, MSG_NOSIGNAL) < 0)
			break;
	}
	send(fd, "0\r\n\r\n", 5, MSG_NOSIGNAL);
	read_all(fd, buf, sizeof(buf));
	return status_of(buf);
}

static void
client_bodies(const struct server *server)
{
	char buf[4096];

	CHECK(send_chunks(server, 64) == 400); /* as large as may be, but no JSON */
	CHECK(send_chunks(server, 65) == 413);
	CHECK(send_chunks(server, 900) == 413);
	CHECK(send_chunks(server, 4096) == 0);
	CHECK(
	    ask(server->port, "GET /livez HTTP/1.1\r\n" CLOSE, buf, sizeof(buf)) == 200);
}

static void
test_large_bodies(void **state)
{
	struct server *server = server_new();

	(void)state;
	serve(server, client_bodies);
	assert_int_equal(server->fake->n_starts, 0);
	server_free(server);
}

/* ---- waiting ---- */

static void
on_run_ends(uv_timer_t *timer)
{
	struct server *server = timer->data;

	fake_end_run(server->fake, NULL);
}

static void
client_waits(const struct server *server)
{
	int64_t start_us = clock_mono_us();
	char buf[4096];

	CHECK(
	    ask(server->port, "POST /apply HTTP/1.1\r\n" CLOSE, buf, sizeof(buf)) == 200);
	CHECK(strstr(buf, "\"succeeded\""));
	/* longer than the deadline of a request: a parked one has none */
	CHECK(ms_since(start_us) >= 2 * REQUEST_TIMEOUT_MS - 50);
	CHECK(ms_since(start_us) < 5000);
}

static void
test_a_parked_request_is_resumed(void **state)
{
	struct server *server = server_new();

	(void)state;
	fake_start_run(server->fake, PLAN_APPLY);
	uv_timer_start(&server->timer, on_run_ends, 2 * REQUEST_TIMEOUT_MS, 0);
	serve(server, client_waits);
	assert_int_equal(server->most_parked, 1);
	server_free(server);
}

static void
client_checks(const struct server *server)
{
	char buf[8192];

	CHECK(
	    ask(server->port, "GET /check HTTP/1.1\r\n" CLOSE, buf, sizeof(buf)) == 200);
	CHECK(strstr(buf, "\"snapshots\":3") || strstr(buf, "\"snapshots\": 3"));
}

/* It begins a reading of some turns, and nothing else wakes the loop for them. */
static void
test_a_check_turns_the_loop(void **state)
{
	struct server *server = server_new();
	struct fake *fake = server->fake;
	char *dir = tempdir_make();
	char *text = mem_printf(fake, "%*s{\"id\": \"a\", \"prevId\": \"b\"}",
	    (int)BOUND_CHECK_TURN_BYTES, "");

	(void)state;
	tempdir_text(dir, "meta/0000_snapshot.json", text);
	tempdir_text(dir, "meta/0001_snapshot.json", text);
	tempdir_text(dir, "meta/0002_snapshot.json", text);
	fake->folder.path = dir;
	fake->folder.layout = &layout_drizzle;
	serve(server, client_checks);
	assert_int_equal(server->most_parked, 1);
	tempdir_remove(dir);
	server_free(server);
}

#define CALLERS 50

static void
client_crowd(const struct server *server)
{
	static char buf[8192];
	int fds[CALLERS];

	for (unsigned i = 0; i < CALLERS; i++) {
		fds[i] = connect_to(server->port);
		send_text(fds[i], "POST /apply HTTP/1.1\r\n" CLOSE);
	}
	/* meanwhile others are served */
	CHECK(
	    ask(server->port, "GET /livez HTTP/1.1\r\n" CLOSE, buf, sizeof(buf)) == 200);
	for (unsigned i = 0; i < CALLERS; i++) {
		read_all(fds[i], buf, sizeof(buf));
		CHECK(status_of(buf) == 200);
	}
}

static void
test_many_wait_for_one_run(void **state)
{
	struct server *server = server_new();

	(void)state;
	fake_start_run(server->fake, PLAN_APPLY);
	uv_timer_start(&server->timer, on_run_ends, 500, 0);
	serve(server, client_crowd);
	assert_int_equal(server->most_parked, CALLERS);
	server_free(server);
}

static void
client_loses_patience(const struct server *server)
{
	int64_t start_us = clock_mono_us();
	char buf[4096];

	CHECK(ask(server->port, "POST /apply?wait=1 HTTP/1.1\r\n" CLOSE, buf,
		  sizeof(buf)) == 503);
	CHECK(strstr(buf, "\r\nLocation: /runs/"));
	CHECK(ms_since(start_us) >= 1000 && ms_since(start_us) < 3000);
}

static void
test_patience_ends(void **state)
{
	struct server *server = server_new();

	(void)state;
	fake_start_run(server->fake, PLAN_APPLY);
	serve(server, client_loses_patience);
	assert_int_equal(server->fake->run->outcome, RUN_IN_PROGRESS);
	server_free(server);
}

static void
client_hangs_up(const struct server *server)
{
	struct linger reset = { .l_onoff = 1 };
	char buf[4096];
	int fd = connect_to(server->port);

	send_text(fd, "POST /apply HTTP/1.1\r\n" CLOSE);
	/* answered behind the other, which is parked by then */
	CHECK(
	    ask(server->port, "GET /livez HTTP/1.1\r\n" CLOSE, buf, sizeof(buf)) == 200);
	setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(fd);
	CHECK(
	    ask(server->port, "POST /apply HTTP/1.1\r\n" CLOSE, buf, sizeof(buf)) == 200);
}

static void
test_a_client_that_hangs_up_cancels_nothing(void **state)
{
	struct server *server = server_new();

	(void)state;
	fake_start_run(server->fake, PLAN_APPLY);
	uv_timer_start(&server->timer, on_run_ends, 300, 0);
	serve(server, client_hangs_up);
	assert_int_equal(server->fake->run->outcome, RUN_SUCCEEDED);
	server_free(server);
}

/* ---- deadlines and limits ---- */

/*
 * Sends `head`, then a byte now and then; how long until the server has had enough, in
 * ms.
 */
static int64_t
drip(uint16_t port, const char *head)
{
	int fd = connect_to(port);
	int64_t start_us = clock_mono_us();
	struct pollfd closed = { .fd = fd, .events = POLLIN };

	send_text(fd, head);
	while (ms_since(start_us) < 5000 && poll(&closed, 1, 20) == 0)
		send(fd, "x", 1, MSG_NOSIGNAL);
	close(fd);
	return ms_since(start_us);
}

static void
client_slow(const struct server *server)
{
	static const char *const heads[] = {
		"", /* not a whole request line */
		"GET /version HTTP/1.1\r\nHost: localhost\r\nX-A: ",
		"POST /apply HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\n",
	};
	char buf[4096];

	for (size_t i = 0; i < ARRAY_SIZE(heads); i++) {
		int64_t ms = drip(server->port, heads[i]);

		CHECK(
		    ms >= REQUEST_TIMEOUT_MS - 50 && ms < 3 * REQUEST_TIMEOUT_MS + 1000);
	}
	CHECK(
	    ask(server->port, "GET /livez HTTP/1.1\r\n" CLOSE, buf, sizeof(buf)) == 200);
}

static void
test_slow_clients_are_cut(void **state)
{
	struct server *server = server_new();

	(void)state;
	serve(server, client_slow);
	server_free(server);
}

static void
client_fills_up(const struct server *server)
{
	int fds[BOUND_PROBE_CONNECTIONS];
	struct pollfd answer = { .events = POLLIN };
	int64_t start_us;
	char buf[4096];

	for (unsigned i = 0; i < BOUND_PROBE_CONNECTIONS; i++)
		fds[i] = connect_to(server->probe_port);
	answer.fd = connect_to(server->probe_port);
	send_text(answer.fd, "GET /livez HTTP/1.1\r\n" CLOSE);
	CHECK(poll(&answer, 1, 100) == 0);
	/* the other listener has a limit of its own */
	CHECK(
	    ask(server->port, "GET /livez HTTP/1.1\r\n" CLOSE, buf, sizeof(buf)) == 200);

	start_us = clock_mono_us();
	for (unsigned i = 0; i < BOUND_PROBE_CONNECTIONS; i++)
		close(fds[i]);
	read_all(answer.fd, buf, sizeof(buf));
	CHECK(status_of(buf) == 200);
	CHECK(ms_since(start_us) < REQUEST_TIMEOUT_MS);

	/* and once more, left to the server's own deadline */
	for (unsigned i = 0; i < BOUND_PROBE_CONNECTIONS; i++)
		fds[i] = connect_to(server->probe_port);
	CHECK(ask(server->probe_port, "GET /livez HTTP/1.1\r\n" CLOSE, buf,
		  sizeof(buf)) == 200);
}

static void
test_it_accepts_again_after_the_limit(void **state)
{
	struct server *server = server_new();

	(void)state;
	serve(server, client_fills_up);
	server_free(server);
}

static void
client_idle(const struct server *server)
{
	int fd = connect_to(server->port);
	struct pollfd closed = { .fd = fd, .events = POLLIN };
	char buf[4096];

	send_text(fd, "GET /livez HTTP/1.1\r\n" KEEP);
	CHECK(read(fd, buf, sizeof(buf)) > 0);
	/* a kept connection may rest for longer than a request may take */
	CHECK(poll(&closed, 1, 3 * REQUEST_TIMEOUT_MS) == 0);
	send_text(fd, "GET /livez HTTP/1.1\r\n" CLOSE);
	read_all(fd, buf, sizeof(buf));
	CHECK(status_of(buf) == 200);
}

static void
test_nothing_turns_while_nothing_happens(void **state)
{
	struct server *server = server_new();

	(void)state;
	serve(server, client_idle);
	assert_in_range(server->n_ticks, 4, 40);
	server_free(server);
}

/* ---- the end ---- */

static void
on_close_now(uv_timer_t *timer)
{
	struct server *server = timer->data;

	httpd_close(server->httpd);
	server->closed = true;
}

static void
client_at_the_end(const struct server *server)
{
	int waiting = connect_to(server->port);
	int idle = connect_to(server->port);
	int half = connect_to(server->port);
	char buf[4096];

	send_text(waiting, "POST /apply HTTP/1.1\r\n" KEEP);
	send_text(half,
	    "POST /apply HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{");
	read_all(waiting, buf, sizeof(buf));
	CHECK(status_of(buf) == 503);
	CHECK(strstr(buf, "CANCELLED"));
	CHECK(strstr(buf, "\r\nConnection: close\r\n"));
	CHECK(read_all(idle, buf, sizeof(buf)) == 0);
	CHECK(read_all(half, buf, sizeof(buf)) == 0);
}

static void
test_closing_answers_who_waits(void **state)
{
	struct server *server = server_new();

	(void)state;
	fake_start_run(server->fake, PLAN_APPLY);
	uv_timer_start(&server->timer, on_close_now, 150, 0);
	serve(server, client_at_the_end);
	server_free(server);
}

static void
on_quiesce(uv_timer_t *timer)
{
	struct server *server = timer->data;

	httpd_quiesce(server->httpd);
	httpd_quiesce(server->httpd);
	assert_int_equal(httpd_in_flight(server->httpd), 1);
	uv_timer_start(&server->timer, on_run_ends, 150, 0);
}

static void
client_while_draining(const struct server *server)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_port = htons(server->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = connect_to(server->port);
	int other = socket(AF_INET, SOCK_STREAM, 0);
	char buf[4096];

	send_text(fd, "POST /apply HTTP/1.1\r\n" KEEP);
	read_all(fd, buf, sizeof(buf));
	CHECK(status_of(buf) == 200);
	CHECK(strstr(buf, "\r\nConnection: close\r\n"));
	CHECK(connect(other, (struct sockaddr *)&address, sizeof(address)) < 0);
	CHECK(errno == ECONNREFUSED);
}

static void
test_quiet_finishes_what_is_in_hand(void **state)
{
	struct server *server = server_new();

	(void)state;
	fake_start_run(server->fake, PLAN_APPLY);
	uv_timer_start(&server->timer, on_quiesce, 150, 0);
	serve(server, client_while_draining);
	server_free(server);
}

static void
test_closing_at_once(void **state)
{
	(void)state;
	server_free(server_new());
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain_requests),
		cmocka_unit_test(test_a_unix_socket),
		cmocka_unit_test(test_malformed_requests),
		cmocka_unit_test(test_large_bodies),
		cmocka_unit_test(test_a_parked_request_is_resumed),
		cmocka_unit_test(test_a_check_turns_the_loop),
		cmocka_unit_test(test_many_wait_for_one_run),
		cmocka_unit_test(test_patience_ends),
		cmocka_unit_test(test_a_client_that_hangs_up_cancels_nothing),
		cmocka_unit_test(test_slow_clients_are_cut),
		cmocka_unit_test(test_it_accepts_again_after_the_limit),
		cmocka_unit_test(test_nothing_turns_while_nothing_happens),
		cmocka_unit_test(test_closing_answers_who_waits),
		cmocka_unit_test(test_quiet_finishes_what_is_in_hand),
		cmocka_unit_test(test_closing_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
