/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <curl/curl.h>

#include "base/bounds.h"
#include "base/mem.h"
#include "base/text.h"
#include "ctl/ask.h"

#define CONNECT_MS 10000l

/* A question that reads is answered at once; one that writes when the run is over. */
#define READ_MS 60000l

struct ask_http {
	struct ask *ask;
	CURL *curl;
	struct curl_slist *headers;
	char *base; /* "http://db1:8432", without a slash at its end */
	const char *socket;
	const char *server; /* as it was given, for messages */
	char reason[CURL_ERROR_SIZE];
};

/* ---- callbacks ---- */

static size_t
on_body(char *data, size_t size, size_t n, void *arg)
{
	struct text *body = arg;

	text_add_bytes(body, data, size * n);
	return text_failed(body) ? CURL_WRITEFUNC_ERROR : size * n;
}

/* Called once a second at least: the time to see whether a signal came. */
static int
on_progress(void *arg, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	struct ask_http *http = arg;

	(void)a;
	(void)b;
	(void)c;
	(void)d;
	ask_turn(http->ask, 0);
	return ask_interrupts(http->ask) > 0;
}

/* ---- asking ---- */

static int
fail(struct ask_http *http, CURLcode code, struct err *err)
{
	long errnum = 0;

	if (code == CURLE_ABORTED_BY_CALLBACK)
		return ask_check_interrupt(http->ask, err);
	curl_easy_getinfo(http->curl, CURLINFO_OS_ERRNO, &errnum);
	if (http->socket && errnum) /* libcurl speaks of a port of localhost */
		err_set_errno(err, CAT_NETWORK_ERROR, (int)errnum,
		    "cannot ask the daemon at %.200s", http->server);
	else
		err_set(err, CAT_NETWORK_ERROR, "cannot ask the daemon at %.200s: %s",
		    http->server,
		    http->reason[0] ? http->reason : curl_easy_strerror(code));
	err->category = CAT_NETWORK_ERROR; /* whatever the errno */
	err_hint(err,
	    code == CURLE_COULDNT_CONNECT
		? "does migrationd run there? --wait 30s waits until it does"
		: "is it a migrationd that listens there, and http or https as written?");
	return -1;
}

static void
set_question(struct ask_http *http, const struct question *question, char *body)
{
	bool is_post = strcmp(question->method, "POST") == 0;

	curl_easy_setopt(http->curl, CURLOPT_HTTPGET, 1l);
	curl_easy_setopt(http->curl, CURLOPT_TIMEOUT_MS, is_post ? 0l : READ_MS);
	if (!is_post)
		return;
	curl_easy_setopt(http->curl, CURLOPT_POST, 1l);
	curl_easy_setopt(http->curl, CURLOPT_POSTFIELDSIZE, (long)strlen(body));
	curl_easy_setopt(http->curl, CURLOPT_COPYPOSTFIELDS, body);
}

static int
put(void *state, const struct question *question, const void *ctx, struct answer *answer,
    struct err *err)
{
	struct ask_http *http = state;
	char *url = mem_printf(ctx, "%s%s", http->base, question->path);
	char *body = question->body ? json_dumps(question->body, JSON_COMPACT) : NULL;
	struct curl_header *location = NULL;
	struct text text;
	long status = 0;
	CURLcode code;

	text_init(&text, ctx, BOUND_REPLY_BYTES);
	http->reason[0] = '\0';
	set_question(http, question, body ? body : (char[]){ "{}" });
	curl_easy_setopt(http->curl, CURLOPT_URL, url);
	curl_easy_setopt(http->curl, CURLOPT_WRITEDATA, &text);
	code = curl_easy_perform(http->curl);
	free(body);
	if (code != CURLE_OK)
		return fail(http, code, err);
	curl_easy_getinfo(http->curl, CURLINFO_RESPONSE_CODE, &status);
	if (curl_easy_header(http->curl, "Location", 0, CURLH_HEADER, -1, &location) ==
	    CURLHE_OK)
		answer->location = mem_strdup(ctx, location->value);
	answer->status = (unsigned)status;
	answer->text = text.data;
	answer->len = text.len;
	return 0;
}

static void
free_http(void *state)
{
	struct ask_http *http = state;

	curl_slist_free_all(http->headers);
	curl_easy_cleanup(http->curl);
	talloc_free(http);
}

/* ---- where ---- */

/* It may hold a password, so it is not quoted. */
static int
bad_server(struct err *err)
{
	return err_set(err, CAT_CONFIGURATION,
	    "--server: that is no address, as http://db1:8432 or unix:/path");
}

static int
read_server(struct ask_http *http, const char *server, struct err *err)
{
	const char *host = strstr(server, "://");
	size_t len;

	http->server = server;
	if (strncmp(server, "unix:", 5) == 0) {
		http->socket = server + 5;
		http->base = mem_strdup(http, "http://localhost");
		return server[5] ? 0 : bad_server(err);
	}
	if (host && strncmp(server, "http://", 7) != 0 &&
	    strncmp(server, "https://", 8) != 0)
		return err_set(err, CAT_CONFIGURATION,
		    "--server: \"%.*s\" is no http://, https:// or unix: address",
		    (int)(host - server) + 3, server);
	host = host ? host + 3 : server;
	if (host[strcspn(host, "@?#")] || host[0] == '\0' || host[0] == '/')
		return bad_server(err);
	http->base = host == server ? mem_printf(http, "http://%s", server)
				    : mem_strdup(http, server);
	for (len = strlen(http->base); http->base[len - 1] == '/'; len--)
		http->base[len - 1] = '\0';
	return 0;
}

static void
set_up(struct ask_http *http, const char *token)
{
	CURL *curl = http->curl;

	http->headers = curl_slist_append(NULL, "Content-Type: application/json");
	http->headers = curl_slist_append(http->headers, "Accept: application/json");
	if (token) {
		char *line = mem_printf(http, "Authorization: Bearer %s", token);

		http->headers = curl_slist_append(http->headers, line);
		talloc_free(line);
	}
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, http->headers);
	curl_easy_setopt(curl, CURLOPT_USERAGENT, "migrationctl/" PACKAGE_VERSION);
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1l);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, http->reason);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0l);
	curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(curl, CURLOPT_XFERINFODATA, http);
	if (http->socket) {
		curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, http->socket);
		curl_easy_setopt(curl, CURLOPT_PROXY, "");
	}
}

int
ask_use_http(struct ask *ask, const char *server, const char *token, struct err *err)
{
	static const struct ask_backend backend = { .put = put, .free = free_http };
	struct ask_http *http = mem_zero(NULL, struct ask_http);

	http->ask = ask;
	if (read_server(http, server, err) < 0) {
		err->exit_code = EXIT_USAGE;
		talloc_free(http);
		return -1;
	}
	http->curl = curl_easy_init();
	if (!http->curl) {
		talloc_free(http);
		return err_set(err, CAT_INTERNAL, "libcurl does not start");
	}
	set_up(http, token);
	ask_set_backend(ask, &backend, http);
	return 0;
}
