/* SPDX-License-Identifier: PostgreSQL */
#include <string.h>

#include "base/bounds.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"
#include "core/author_kind.h"
#include "core/layout_kind.h"

#define BLANKS " \t\r\n"

/*
 * The list is the team's: only the name is put in, and all else stays as they have laid it out.
 */

/* Where the last array of JSON ends; 0: there is none. */
static size_t
end_of_array(const char *data, size_t len)
{
	size_t end = 0;

	for (size_t i = 0; i < len; i++) {
		if (data[i] == ']')
			end = i;
		if (data[i] != '"')
			continue;
		for (i++; i < len && data[i] != '"'; i++)
			i += data[i] == '\\';
	}
	return end;
}

/* Behind the last name, with the blanks before it once more; behind "[" where there is none. */
static int
add_to_json(
    struct text *out, const char *data, size_t len, const char *name, struct err *err)
{
	size_t to = end_of_array(data, len), from, blanks;

	if (to == 0) /* somebody is writing it */
		return err_set(err, CAT_CONFIGURATION, "it has no array of names now");
	while (strchr(BLANKS, data[to - 1]))
		to--;
	text_add_bytes(out, data, to);
	if (data[to - 1] == '"') {
		for (from = to - 1; from > 1 && data[from - 1] != '"'; from--)
			;
		for (blanks = --from; blanks > 0 && strchr(BLANKS, data[blanks - 1]);
		     blanks--)
			;
		text_add_char(out, ',');
		text_add_bytes(out, data + blanks, from - blanks);
	}
	text_addf(out, "\"%s\"", name);
	text_add_bytes(out, data + to, len - to);
	return 0;
}

static void
add_to_lines(struct text *out, const char *data, size_t len, const char *name)
{
	text_add_bytes(out, data, len);
	if (len > 0 && data[len - 1] != '\n')
		text_add_char(out, '\n');
	text_addf(out, "%s\n", name);
}

int
author_listed(
    const struct author_request *request, struct author_made *made, struct err *err)
{
	const struct folder *folder = request->folder;
	struct author_file *files = mem_array(made, struct author_file, 2);
	struct file_dir *dir = NULL;
	char *data = NULL;
	struct text out;
	size_t len = 0;
	int rc = -1;

	if (author_numbered(request, made, err) < 0)
		return -1;
	text_init(&out, made, 2 * BOUND_JOURNAL_BYTES);
	if (file_dir_open(made, folder->path, &dir, err) < 0 ||
	    file_dir_read(
		dir, made, folder->list, BOUND_JOURNAL_BYTES, &data, &len, err) < 0)
		goto out;
	rc = 0;
	if (layout_ends_with(folder->list, ".json"))
		rc = add_to_json(&out, data, len, made->files[0].path, err);
	else
		add_to_lines(&out, data, len, made->files[0].path);
	if (text_failed(&out)) {
		rc = err_set(err, CAT_CONFIGURATION,
		    "the list would be longer than %zu bytes", out.max);
		err_hint(err, "take out blanks that nobody needs");
	}
	files[0] = made->files[0];
	files[1] = (struct author_file){
		.path = folder->list, .text = out.data, .len = out.len, .replaces = true
	};
	made->files = files;
	made->n_files = 2;
out:
	if (rc < 0)
		err_where(err, folder->list, 0);
	return rc;
}
