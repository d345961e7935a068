/* SPDX-License-Identifier: PostgreSQL */
#include "http/request.h"

#include <assert.h>

#include "base/bounds.h"
#include "base/mem.h"
#include "http/json.h"
#include "http/plain.h"

void
request_add_header(struct request *request, const char *name, const char *value)
{
	assert(request->n_reply_headers < REQUEST_REPLY_HEADERS);
	request->reply_headers[request->n_reply_headers++] = (struct request_header){
		.name = name,
		.value = mem_strdup(request, value),
	};
}

static void
reply(struct request *request, unsigned status, const char *content_type,
    const struct text *text)
{
	assert(request->state != REQUEST_REPLIED);
	request->state = REQUEST_REPLIED;
	request->status = status;
	request->content_type = content_type;
	request->reply = text ? text->data : NULL;
	request->reply_len = text ? text->len : 0;
	if (text)
		request_add_header(request, "Vary", "Accept");
}

void
request_reply_text(struct request *request, unsigned status, const char *content_type,
    const struct text *text)
{
	if (!text_failed(text)) {
		reply(request, status, content_type, text);
		return;
	}
	request_refuse(request, 500, CAT_INTERNAL, NULL,
	    "the answer is larger than %u bytes", BOUND_REPLY_BYTES);
}

void
request_reply_empty(struct request *request, unsigned status)
{
	reply(request, status, NULL, NULL);
}

static int
add_json_bytes(const char *bytes, size_t len, void *arg)
{
	struct text *text = arg;

	text_add_bytes(text, bytes, len);
	return text_failed(text) ? -1 : 0;
}

static void
reply_document(
    struct request *request, unsigned status, const char *content_type, json_t *document)
{
	/* twelve digits: microseconds of a day, and 0.41 stays 0.41 */
	size_t flags = JSON_REAL_PRECISION(12);
	struct text text;

	flags |= request_query(request, "pretty") ? JSON_INDENT(2) : JSON_COMPACT;
	text_init(&text, request, BOUND_REPLY_BYTES);
	json_dump_callback(document, add_json_bytes, &text, flags);
	text_add_char(&text, '\n');
	json_decref(document);
	request_reply_text(request, status, content_type, &text);
}

void
request_reply_json(struct request *request, unsigned status, json_t *document)
{
	reply_document(request, status, "application/json", document);
}

/*
 * After these the next bytes on the connection may not be what the client thinks they
 * are, or nobody should go on talking to us.
 */
static bool
ends_connection(unsigned status)
{
	return status == 400 || status == 413 || status == 414 || status == 415 ||
	    status == 421 || status == 501 || status == 505;
}

static void
add_problem_headers(struct request *request, unsigned status)
{
	request->close |= ends_connection(status);
	if (status == 429)
		request_add_header(request, "Retry-After", "5");
	if (status == 503)
		request_add_header(request, "Retry-After", REQUEST_RETRY_SECONDS);
}

void
request_reply_problem_json(
    struct request *request, unsigned status, const struct err *err, json_t *document)
{
	struct text text;

	add_problem_headers(request, status);
	if (!request_wants_text(request)) {
		reply_document(request, status, "application/problem+json", document);
		return;
	}
	json_decref(document);
	text_init(&text, request, BOUND_REPLY_BYTES);
	plain_error(&text, err);
	reply(request, status, "text/plain; charset=utf-8", &text);
}

void
request_reply_problem(struct request *request, unsigned status, const struct err *err)
{
	unsigned code = status ? status : (unsigned)err_http_status(err);

	request_reply_problem_json(request, code, err, json_problem(err, code, NULL));
}

int
request_refuse(struct request *request, unsigned status, enum category category,
    const char *hint, const char *fmt, ...)
{
	struct err err = { 0 };
	va_list ap;

	va_start(ap, fmt);
	err_vset(&err, category, fmt, ap);
	va_end(ap);
	if (hint)
		err_hint(&err, "%s", hint);
	request_reply_problem(request, status, &err);
	return -1;
}
