/* SPDX-License-Identifier: PostgreSQL */
#include "http/body.h"

#include <stdio.h>
#include <string.h>

#include "base/bounds.h"
#include "base/mem.h"
#include "base/names.h"
#include "core/phase.h"
#include "core/repair.h"

enum body_type {
	BODY_FLAG,  /* true or false */
	BODY_NAME,  /* of a migration */
	BODY_WORD,  /* one of `words` */
	BODY_COUNT, /* from 1 */
	BODY_TEXT,  /* for people to read */
	BODY_PHASE,
	BODY_PHASES
};

struct body_member {
	const char *name; /* NULL ends a list */
	enum body_type type;
	size_t offset;
	const char *const *words; /* NULL-terminated */
};

#define MEMBER(field, type, words)                                \
	{                                                         \
#field, type, offsetof(struct body, field), words \
	}

static const char *const modes[] = { "graceful", "now", NULL };

#define MEMBERS_MAX 9

static const struct body_member members_of[][MEMBERS_MAX] = {
	[BODY_OF_APPLY] = { MEMBER(target, BODY_NAME, NULL),
	    MEMBER(dry_run, BODY_FLAG, NULL), MEMBER(phases, BODY_PHASES, NULL) },
	[BODY_OF_BASELINE] = { MEMBER(target, BODY_NAME, NULL),
	    MEMBER(version, BODY_NAME, NULL), MEMBER(all, BODY_FLAG, NULL),
	    MEMBER(force, BODY_FLAG, NULL), MEMBER(verify, BODY_FLAG, NULL),
	    MEMBER(dry_run, BODY_FLAG, NULL), MEMBER(phases, BODY_PHASES, NULL),
	    MEMBER(reason, BODY_TEXT, NULL) },
	[BODY_OF_CANCEL] = { MEMBER(mode, BODY_WORD, modes) },
	[BODY_OF_REPAIR] = { MEMBER(migration, BODY_NAME, NULL),
	    MEMBER(action, BODY_WORD, repair_actions), MEMBER(phase, BODY_PHASE, NULL),
	    MEMBER(reason, BODY_TEXT, NULL) },
	[BODY_OF_ROLLBACK] = { MEMBER(to, BODY_NAME, NULL),
	    MEMBER(steps, BODY_COUNT, NULL), MEMBER(migration, BODY_NAME, NULL),
	    MEMBER(all, BODY_FLAG, NULL), MEMBER(force, BODY_FLAG, NULL),
	    MEMBER(dry_run, BODY_FLAG, NULL), MEMBER(reason, BODY_TEXT, NULL) },
	[BODY_OF_NONE] = { { 0 } },
};

static int
refuse_value(struct request *request, const char *name, const char *why)
{
	return request_refuse(
	    request, 400, CAT_CONFIGURATION, NULL, "body: %s %s", name, why);
}

/*
 * A migration is named by the letters of migration_check_id, so that no body is ever a
 * path.
 */
static int
take_name(struct request *request, const char *name, const json_t *value, char **field)
{
	struct err err = { 0 };

	if (!json_is_string(value))
		return refuse_value(request, name, "must be a string, as \"0043\"");
	if (migration_check_id(json_string_value(value), &err) < 0)
		return refuse_value(
		    request, name, "is no name that a migration can have");
	*field = mem_strdup(request, json_string_value(value));
	return 0;
}

static int
take_word(struct request *request, const struct body_member *member, const json_t *value,
    const char **field)
{
	const char *given = json_string_value(value);
	struct text known;

	text_init(&known, request, 256);
	for (const char *const *word = member->words; *word; word++) {
		if (given && strcmp(given, *word) == 0) {
			*field = *word;
			return 0;
		}
		text_addf(
		    &known, "%s\"%s\"", known.len ? ", " : "must be one of ", *word);
	}
	return refuse_value(request, member->name, known.data);
}

/* One of them joins `*phases`; else they are named behind `how`. */
static int
take_phase(struct request *request, const char *name, const char *how,
    const json_t *value, unsigned *phases)
{
	const char *given = json_string_value(value);
	enum phase phase = given ? phase_find(given) : PHASE_COUNT;

	if (phase == PHASE_COUNT)
		return refuse_value(request, name,
		    mem_printf(request, "%s %s", how, names_list(request, phase_name)));
	*phases |= PHASE_BIT(phase);
	return 0;
}

static int
take_phases(
    struct request *request, const char *name, const json_t *value, unsigned *phases)
{
	static const char how[] = "must be a list of one or more of";
	size_t i = 0;

	do {
		if (take_phase(request, name, how, json_array_get(value, i), phases) < 0)
			return -1;
	} while (++i < json_array_size(value));
	return 0;
}

static int
take_count(
    struct request *request, const char *name, const json_t *value, unsigned *field)
{
	json_int_t n = json_integer_value(value);

	if (n < 1 || n > BOUND_HISTORY_ROWS)
		return refuse_value(request, name, "must be a number from 1");
	*field = (unsigned)n;
	return 0;
}

static int
take_text(struct request *request, const char *name, const json_t *value, char **field)
{
	if (!json_is_string(value) || json_string_length(value) == 0 ||
	    json_string_length(value) > BOUND_REASON_BYTES)
		return refuse_value(request, name, "must be a text, and no long one");
	*field = mem_strdup(request, json_string_value(value));
	return 0;
}

static int
take_member(struct request *request, const struct body_member *member,
    const json_t *value, struct body *body)
{
	void *field = (char *)body + member->offset;

	switch (member->type) {
	case BODY_NAME:
		return take_name(request, member->name, value, field);
	case BODY_WORD:
		return take_word(request, member, value, field);
	case BODY_PHASE:
		return take_phase(request, member->name, "must be one of", value, field);
	case BODY_PHASES:
		return take_phases(request, member->name, value, field);
	case BODY_COUNT:
		return take_count(request, member->name, value, field);
	case BODY_TEXT:
		return take_text(request, member->name, value, field);
	case BODY_FLAG:
		break;
	}
	if (!json_is_boolean(value))
		return refuse_value(request, member->name, "must be true or false");
	*(bool *)field = json_is_true(value);
	return 0;
}

static int
refuse_member(
    struct request *request, const struct body_member *members, const char *name)
{
	struct text known;

	text_init(&known, request, 256);
	for (const struct body_member *member = members; member->name; member++)
		text_addf(
		    &known, "%s%s", known.len ? ", " : "it may have: ", member->name);
	return request_refuse(request, 400, CAT_CONFIGURATION,
	    known.len ? known.data : "send no body, or {}", "body: there is no member %s",
	    name);
}

static int
take_members(struct request *request, const struct body_member *members, json_t *object,
    struct body *body)
{
	const char *name;
	json_t *value;

	json_object_foreach(object, name, value) {
		const struct body_member *member = members;

		while (member->name && strcmp(member->name, name) != 0)
			member++;
		if (!member->name)
			return refuse_member(request, members, name);
		if (take_member(request, member, value, body) < 0)
			return -1;
	}
	return 0;
}

int
body_parse(struct request *request, enum body_kind kind, struct body *body)
{
	json_error_t cause;
	json_t *root;
	int rc;

	*body = (struct body){ 0 };
	if (request->body.len == 0)
		return 0;
	root = json_loadb(
	    request->body.data, request->body.len, JSON_REJECT_DUPLICATES, &cause);
	if (!root)
		return request_refuse(request, 400, CAT_CONFIGURATION, NULL,
		    "body:%d:%d: not valid JSON: %s", cause.line, cause.column,
		    cause.text);
	if (json_is_object(root))
		rc = take_members(request, members_of[kind], root, body);
	else
		rc = refuse_value(request, "it", "must be a JSON object, as {}");
	json_decref(root);
	return rc;
}
