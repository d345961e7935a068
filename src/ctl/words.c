/* SPDX-License-Identifier: PostgreSQL */
#include "ctl/words.h"

#include <stdio.h>
#include <string.h>

#include "base/bounds.h"
#include "base/macros.h"
#include "base/mem.h"
#include "base/text.h"
#include "ctl/command.h"
#include "ctl/document.h"

/* Letters of a path, of its id and its query; a full stop at the end is the sentence's. */
#define PATH_LETTERS \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-/?="

static size_t
path_length(const char *s)
{
	size_t len = strspn(s, PATH_LETTERS);

	while (len > 0 && s[len - 1] == '.')
		len--;
	return len;
}

/*
 * Whether `request` ("POST /runs/{id}/cancel") is the one at `s`, `len` bytes long; then
 * the id in it is `*id_len` bytes at `*id`, none where it has none.
 */
static bool
matches(const char *request, const char *s, size_t len, const char **id, size_t *id_len)
{
	size_t head = strcspn(request, "{");
	const char *tail = strchr(request, '}');
	size_t tail_len = tail ? strlen(tail + 1) : 0;

	*id_len = 0;
	if (!tail)
		return strlen(request) == len && strncmp(request, s, len) == 0;
	if (len <= head + tail_len || strncmp(request, s, head) != 0 ||
	    strncmp(tail + 1, s + len - tail_len, tail_len) != 0)
		return false;
	*id = s + head;
	*id_len = len - head - tail_len;
	return memchr(*id, '/', *id_len) == NULL;
}

/* Runs are shown by the command for migrations; wait asks more than this one. */
static const struct {
	const char *request;
	const char *command;
} more[] = {
	{ "GET /runs/{id}", "show" },
	{ "GET /wait?for=current", "wait" },
};

static const struct ctl_command *
find_command(const char *s, size_t len, const char **id, size_t *id_len)
{
	for (size_t i = 0; i < ctl_command_count; i++) {
		const char *request = ctl_commands[i].request;

		if (request && matches(request, s, len, id, id_len))
			return &ctl_commands[i];
	}
	for (size_t i = 0; i < ARRAY_SIZE(more); i++) {
		if (matches(more[i].request, s, len, id, id_len))
			return ctl_command_find(more[i].command);
	}
	return NULL;
}

/* The command for the request at `s`, if there is one: how much of `s` it stands for. */
static size_t
add_command(struct text *out, const char *program, const char *s)
{
	size_t method = strcspn(s, " ");
	size_t len = method + 1 + path_length(s + method + 1);
	const char *id = NULL;
	size_t id_len = 0;
	const struct ctl_command *command = find_command(s, len, &id, &id_len);

	if (!command)
		return 0;
	text_addf(out, "%s %s", program, command->name);
	if (id_len > 0)
		text_addf(out, " %.*s", (int)id_len, id);
	return len;
}

/* Operands and flags, out of the body. */
static void
add_members(struct text *out, const char *members, const json_t *body)
{
	for (const char *p = members; *p; p += *p == ' ') {
		size_t len = strcspn(p, " ");
		size_t dashes = strspn(p, "-");
		const char *value =
		    json_string_value(json_object_getn(body, p + dashes, len - dashes));

		if (value) {
			if (dashes > 0)
				text_addf(out, " %.*s", (int)len, p);
			text_add_char(out, ' ');
			text_add_word(out, value);
		}
		p += len;
	}
}

char *
words_of_request(const void *ctx, const char *program, const json_t *request)
{
	char *line = mem_printf(
	    ctx, "%s %s", doc_text(request, "method"), doc_text(request, "path"));
	const struct ctl_command *command;
	const char *id = NULL;
	size_t id_len = 0;
	struct text out;

	text_init(&out, ctx, BOUND_REPLY_BYTES);
	if (add_command(&out, program, line) != strlen(line)) {
		text_reset(&out);
		text_add(&out, line);
	}
	command = find_command(line, strlen(line), &id, &id_len);
	if (command && command->members)
		add_members(&out, command->members, doc_get(request, "body"));
	talloc_free(line);
	return out.data;
}

/* Members of a body that are flags here. */
static const struct {
	const char *member;
	const char *flag;
} flags[] = {
	{ "{\"all\": true}", "--all" },
	{ "\"force\": true", "--force" },
};

/* The flag for the member at `s`, if there is one: how much of `s` it stands for. */
static size_t
add_flag(struct text *out, const char *s)
{
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		size_t len = strlen(flags[i].member);

		if (strncmp(s, flags[i].member, len) == 0) {
			text_add(out, flags[i].flag);
			return len;
		}
	}
	return 0;
}

char *
words_as_commands(const void *ctx, const char *advice)
{
	bool says_commands = strstr(advice, "migrationctl ") != NULL;
	struct text out;

	text_init(&out, ctx, BOUND_REPLY_BYTES);
	while (*advice) {
		size_t took = add_flag(&out, advice);

		if (!says_commands &&
		    (strncmp(advice, "GET /", 5) == 0 ||
			strncmp(advice, "POST /", 6) == 0))
			took = add_command(&out, "migrationctl", advice);
		if (took == 0) {
			text_add_char(&out, *advice);
			took = 1;
		}
		advice += took;
	}
	return out.data;
}
