/* SPDX-License-Identifier: PostgreSQL */
#include "ctl/document.h"

#include <stdio.h>
#include <string.h>

#define NAME_BYTES 64

const json_t *
doc_get(const json_t *document, const char *path)
{
	char name[NAME_BYTES];

	while (document) {
		size_t len = strcspn(path, ".");

		snprintf(name, sizeof(name), "%.*s", (int)len, path);
		document = json_object_get(document, name);
		if (!path[len])
			break;
		path += len + 1;
	}
	return json_is_null(document) ? NULL : document;
}

const char *
doc_text(const json_t *document, const char *path)
{
	const char *text = json_string_value(doc_get(document, path));

	return text ? text : "";
}

bool
doc_is(const json_t *document, const char *path)
{
	return json_is_true(doc_get(document, path));
}

int64_t
doc_number(const json_t *document, const char *path)
{
	return json_integer_value(doc_get(document, path));
}

const json_t *
doc_done(const json_t *run)
{
	const json_t *undone = doc_get(run, "rolled_back");

	return undone ? undone : doc_get(run, "applied");
}

const char *
doc_done_word(const json_t *run)
{
	if (doc_get(run, "rolled_back"))
		return "undone";
	return strcmp(doc_text(run, "operation"), "baseline") == 0 ? "recorded"
								   : "applied";
}

double
doc_real(const json_t *document, const char *path, double fallback)
{
	const json_t *number = doc_get(document, path);

	return json_is_number(number) ? json_number_value(number) : fallback;
}

const char *
doc_time(const json_t *document, const char *path, char buf[CLOCK_TEXT])
{
	const char *time = doc_text(document, path);

	buf[0] = '\0';
	if (strlen(time) >= 19)
		snprintf(buf, CLOCK_TEXT, "%.10s %.8sZ", time, time + 11);
	return buf;
}

const char *
doc_span(const json_t *document, const char *path, char buf[CLOCK_TEXT])
{
	double seconds = doc_real(document, path, -1);

	buf[0] = '\0';
	if (seconds >= 0)
		clock_format_span((int64_t)(seconds * 1e6), buf, CLOCK_TEXT);
	return buf;
}
