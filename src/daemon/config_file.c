/* SPDX-License-Identifier: PostgreSQL */
#include <confuse.h>
#include <string.h>

#include "base/bounds.h"
#include "base/file.h"
#include "base/mem.h"
#include "daemon/config_sources.h"

/*
 * The file, read by libconfuse: key = value, lists in braces, # comments. All values are
 * strings to libconfuse; what they mean is said by the table, so that a message reads the
 * same wherever the value came from.
 *
 * libconfuse calls us back for each value while it knows the line. Of a callback's
 * arguments none is ours, so the file in hand is kept here; nothing is kept between two
 * files.
 */

/* Characters that end a word in libconfuse's lexer. */
#define WORD_ENDS " \t\r\n={}()+,"

/* All values of one key. */
struct entry {
	const char **texts;
	size_t n;
	int line; /* of the first */
};

static struct reading {
	void *scratch;
	struct entry *entries; /* by index of option_table */
	const char *path;
	struct err *err;
} reading;

static void
set_where(int line)
{
	err_where(reading.err, reading.path, line > 0 ? (unsigned)line : 0);
}

/* An element or value was read. Its text is libconfuse's. */
static int
on_value(cfg_t *cfg, cfg_opt_t *opt, const char *text, void *result)
{
	const struct option_row *row = option_find(opt->name);
	struct entry *entry = &reading.entries[row - option_table];

	*(const char **)result = text;
	if (entry->n > 0 && row->type != OPTION_LIST) {
		err_set(reading.err, CAT_CONFIGURATION, "%s is set already in line %d",
		    row->name, entry->line);
		set_where(cfg->line);
		return -1;
	}
	if (entry->n == 0)
		entry->line = cfg->line;
	entry->texts =
	    mem_grow(reading.scratch, entry->texts, const char *, entry->n + 1);
	entry->texts[entry->n++] = mem_strdup(reading.scratch, text);
	return 0;
}

static void
refuse_unknown(const char *name)
{
	const char *nearest = option_nearest(name);
	const struct option_row *row = nearest ? option_find(nearest) : NULL;
	char flag[OPTION_NAME];

	err_set(reading.err, CAT_CONFIGURATION, "unknown option %.100s", name);
	if (row && !(row->flags & OPTION_FLAG_ONLY))
		err_hint(reading.err, "did you mean %s?", nearest);
	else if (row && strcmp(nearest, name) == 0)
		err_hint(reading.err, "it is a flag alone: %s",
		    option_flag(row, flag, sizeof(flag)));
	else
		err_hint(reading.err,
		    "migrationd.conf(5) lists all options; a value with a blank in it "
		    "needs quotes");
}

/* libconfuse's complaint, which it would print; "no such option 'x'" is ours to improve. */
static void
on_error(cfg_t *cfg, const char *fmt, va_list ap)
{
	static const char no_such[] = "no such option '";
	char *text = talloc_vasprintf(reading.scratch, fmt, ap);
	char *name = text + strlen(no_such);

	if (strncmp(text, no_such, strlen(no_such)) == 0) {
		name[strcspn(name, "'")] = '\0';
		refuse_unknown(name);
	} else {
		err_set(reading.err, CAT_CONFIGURATION, "%s", text);
		err_hint(reading.err,
		    "a line reads key = value, with quotes around a value that has other "
		    "characters than letters, digits and ._-; lists are in braces");
	}
	set_where(cfg->line);
}

/* The table as libconfuse wants it. */
static cfg_opt_t *
make_options(const void *ctx)
{
	cfg_opt_t *opts = mem_array(ctx, cfg_opt_t, option_count + 1);
	size_t n = 0;

	for (size_t i = 0; i < option_count; i++) {
		const char *name = option_table[i].name;
		cfg_opt_t one = CFG_STR_CB(name, NULL, CFGF_NODEFAULT, on_value);
		cfg_opt_t many = CFG_STR_LIST_CB(name, NULL, CFGF_NODEFAULT, on_value);

		if (!(option_table[i].flags & OPTION_FLAG_ONLY))
			opts[n++] = option_table[i].type == OPTION_LIST ? many : one;
	}
	opts[n] = (cfg_opt_t)CFG_END();
	return opts;
}

static int
put_entry(struct config *config, const struct option_row *row, const struct entry *entry,
    struct err *err)
{
	struct config_value value = {
		.row = row,
		.texts = entry->texts,
		.n = entry->n,
		.is_list = row->type == OPTION_LIST,
		.origin = mem_printf(reading.scratch, "file:%d", entry->line),
	};

	if (config_put(config, &value, err) == 0)
		return 0;
	err_wrap(err, "%s", row->name);
	set_where(entry->line);
	return -1;
}

/* Put spaces over `text` up to `end`, and keep the lines. */
static char *
blank(char *text, const char *end)
{
	for (; text < end; text++)
		*text = *text == '\n' ? '\n' : ' ';
	return text;
}

/* Where a quoted string, whose quote is *text, ends. */
static char *
skip_string(char *text)
{
	char quote = *text++;

	while (*text && *text != quote)
		text += text[0] == '\\' && text[1] ? 2 : 1;
	return *text ? text + 1 : text;
}

/*
 * Take the comments out, as libconfuse's lexer would find them: libconfuse 3.3 counts
 * each as two lines more than it has, so that in a file with comments every message would
 * name a wrong line.
 */
static void
blank_comments(char *text)
{
	bool in_word = false;

	while (*text) {
		if (*text == '"' || *text == '\'') {
			text = skip_string(text);
			in_word = false;
		} else if (*text == '#' || (!in_word && strncmp(text, "//", 2) == 0)) {
			text = blank(text, text + strcspn(text, "\n"));
		} else if (!in_word && strncmp(text, "/*", 2) == 0) {
			const char *end = strstr(text + 2, "*/");

			text = blank(text, end ? end + 2 : text + strlen(text));
		} else {
			in_word = !strchr(WORD_ENDS, *text++);
		}
	}
}

static int
parse(struct config *config, const char *data, struct err *err)
{
	cfg_t *cfg = cfg_init(make_options(reading.scratch), CFGF_NONE);
	int rc = 0;

	cfg_set_error_function(cfg, on_error);
	if (cfg_parse_buf(cfg, data) != CFG_SUCCESS)
		rc = err_set(err, CAT_CONFIGURATION, "%s cannot be read", reading.path);
	cfg_free(cfg);
	for (size_t i = 0; i < option_count && rc == 0; i++) {
		if (reading.entries[i].n > 0)
			rc =
			    put_entry(config, &option_table[i], &reading.entries[i], err);
	}
	return rc;
}

int
config_read_file(struct config *config, const char *path, struct err *err)
{
	void *scratch = mem_context(NULL, "config file");
	char *data = NULL;
	size_t len = 0;
	int rc = 0;

	reading = (struct reading){
		.scratch = scratch,
		.entries = mem_array(scratch, struct entry, option_count),
		.path = path,
		.err = err,
	};
	if (file_read(scratch, path, BOUND_CONFIG_BYTES, &data, &len, err) < 0) {
		/* whatever it is, the configuration is wrong: not a migration's file that
		 * is missing */
		err->category = CAT_CONFIGURATION;
		rc = err_wrap(err, "configuration file");
	} else if (strlen(data) != len) {
		rc = err_set(err, CAT_CONFIGURATION, "the file has a NUL byte");
		set_where(0);
	} else {
		blank_comments(data);
		rc = parse(config, data, err);
	}
	reading = (struct reading){ 0 };
	talloc_free(scratch);
	return rc;
}
