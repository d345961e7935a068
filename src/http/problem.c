/* SPDX-License-Identifier: PostgreSQL */
#include "http/problem.h"

#include "base/mem.h"

/* RFC 9110 section 15 and RFC 6585: the ones that we send. */
static const struct phrase {
	unsigned status;
	const char *text;
} phrases[] = {
	{ 200, "OK" },
	{ 202, "Accepted" },
	{ 204, "No Content" },
	{ 400, "Bad Request" },
	{ 401, "Unauthorized" },
	{ 403, "Forbidden" },
	{ 404, "Not Found" },
	{ 405, "Method Not Allowed" },
	{ 406, "Not Acceptable" },
	{ 408, "Request Timeout" },
	{ 409, "Conflict" },
	{ 413, "Content Too Large" },
	{ 414, "URI Too Long" },
	{ 415, "Unsupported Media Type" },
	{ 421, "Misdirected Request" },
	{ 422, "Unprocessable Content" },
	{ 429, "Too Many Requests" },
	{ 500, "Internal Server Error" },
	{ 501, "Not Implemented" },
	{ 503, "Service Unavailable" },
	{ 505, "HTTP Version Not Supported" },
};

/* "Not Found" for 404; "Unknown" for a status that we never send. */
static const char *
reason_phrase(unsigned status)
{
	for (size_t i = 0; i < ARRAY_SIZE(phrases); i++) {
		if (phrases[i].status == status)
			return phrases[i].text;
	}
	return "Unknown";
}

/* CONFIGURATION stands for "the request is not right" too, so the status says more. */
static bool
category_says_more(const struct err *err, unsigned status)
{
	if (err->category == CAT_NONE || err->category == CAT_CONFIGURATION)
		return false;
	return status == 409 || status == 422 || status >= 500;
}

char *
problem_type(const void *ctx, const struct err *err, unsigned status)
{
	const char *name = category_says_more(err, status) ? category_name(err->category)
							   : reason_phrase(status);
	char *type = mem_printf(ctx, "urn:migrationd:problem:%s", name);

	for (char *c = type; *c; c++) {
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c - 'A' + 'a');
		else if (*c == '_' || *c == ' ')
			*c = '-';
	}
	return type;
}

const char *
problem_title(const struct err *err, unsigned status)
{
	return category_says_more(err, status) ? category_title(err->category)
					       : reason_phrase(status);
}

bool
problem_is_retryable(const struct err *err, unsigned status)
{
	return status == 429 || status == 503 || category_is_retryable(err->category);
}
