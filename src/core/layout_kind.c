/* SPDX-License-Identifier: PostgreSQL */
#include "core/layout_kind.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bounds.h"
#include "base/mem.h"

/* ---- names ---- */

bool
layout_ends_with(const char *name, const char *suffix)
{
	size_t len = strlen(name);
	size_t n = strlen(suffix);

	return len >= n && strcmp(name + len - n, suffix) == 0;
}

static int
compare_name(const void *wanted, const void *element)
{
	const char *const *name = element;

	return strcmp(wanted, *name);
}

bool
layout_lists(const struct file_list *list, const char *name)
{
	return list->n > 0 &&
	    bsearch(name, list->names, list->n, sizeof(list->names[0]), compare_name);
}

/* ---- numbers ---- */

size_t
layout_count_digits(const char *file, char separator)
{
	size_t n = strspn(file, "0123456789");

	return file[n] == separator ? n : 0;
}

static int
compare_number(const void *a, const void *b)
{
	const struct layout_file *x = a;
	const struct layout_file *y = b;

	return (x->number > y->number) - (x->number < y->number);
}

static int
compare_file(const void *a, const void *b)
{
	const struct layout_file *x = a;
	const struct layout_file *y = b;
	int order = compare_number(a, b);

	return order != 0 ? order : strcmp(x->file, y->file);
}

static void
refuse_twins(struct folder *folder, const struct layout_files *files)
{
	for (size_t i = 1; i < files->n; i++) {
		const char *first = files->files[i - 1].file;
		const char *second = files->files[i].file;

		if (files->files[i - 1].number == files->files[i].number)
			layout_refuse(folder, second, 0,
			    "give one of them a number above all others",
			    "%s and %s have the same number", first, second);
	}
}

struct layout_files
layout_sort(struct folder *folder, const struct file_list *root, layout_digits *digits,
    const void *scratch)
{
	struct layout_files files = {
		.files = mem_array(scratch, struct layout_file, root->n),
	};

	for (size_t i = 0; i < root->n; i++) {
		const char *file = root->names[i];
		size_t n = digits(file);

		if (n > LAYOUT_DIGITS)
			layout_refuse(folder, file, 0, "give the file a shorter number",
			    "the number has %zu digits, the most is %u", n,
			    LAYOUT_DIGITS);
		else if (n > 0)
			files.files[files.n++] =
			    (struct layout_file){ file, n, strtoll(file, NULL, 10) };
	}
	qsort(files.files, files.n, sizeof(files.files[0]), compare_file);
	refuse_twins(folder, &files);
	return files;
}

const struct layout_file *
layout_find_number(const struct layout_files *files, int64_t number)
{
	const struct layout_file wanted = { .number = number };

	return files->n == 0 ? NULL
			     : bsearch(&wanted, files->files, files->n,
				   sizeof(files->files[0]), compare_number);
}

struct migration *
layout_add(struct folder *folder, struct file_dir *dir, const struct layout_file *file,
    size_t id_len)
{
	char *id = mem_strndup(NULL, file->file, id_len);
	struct migration *m = folder_add(folder, dir, id, file->file, NULL);

	m->order = file->number;
	m->version = mem_printf(m, "%" PRId64, file->number);
	if (id_len > file->n_digits + 1)
		m->name = m->id + file->n_digits + 1;
	talloc_free(id);
	return m;
}

/* ---- what is not run ---- */

void
layout_pass_over(
    struct folder *folder, const char *file, const char *hint, const char *fmt, ...)
{
	struct err err = { 0 };
	va_list ap;

	va_start(ap, fmt);
	err_vset(&err, CAT_CONFIGURATION, fmt, ap);
	va_end(ap);
	err_hint(&err, "%s", hint);
	err_where(&err, file, 0);
	folder_add_unregistered(folder, file);
	folder_add_problem(folder, MIGRATION_UNREGISTERED, false, &err);
}

void
layout_refuse(struct folder *folder, const char *file, unsigned line, const char *hint,
    const char *fmt, ...)
{
	struct err err = { 0 };
	va_list ap;

	va_start(ap, fmt);
	err_vset(&err, CAT_CONFIGURATION, fmt, ap);
	va_end(ap);
	err_hint(&err, "%s", hint);
	err_where(&err, file, line);
	folder_add_problem(folder, MIGRATION_INVALID, true, &err);
}

void
layout_refuse_migration(struct folder *folder, struct migration *m, unsigned line,
    const char *hint, const char *fmt, ...)
{
	struct err err = { 0 };
	va_list ap;

	va_start(ap, fmt);
	err_vset(&err, CAT_SQL_SYNTAX_ERROR, fmt, ap);
	va_end(ap);
	err_hint(&err, "%s", hint);
	err_where(&err, m->file, line);
	folder_refuse(folder, m, &err);
}

/* ---- lines ---- */

bool
layout_next_line(const char *text, size_t len, struct layout_line *line)
{
	const char *newline = NULL;

	if (line->to == len)
		return false;
	line->number++;
	line->from = line->to;
	line->text = text + line->from;
	newline = memchr(line->text, '\n', len - line->from);
	line->to = newline ? (size_t)(newline - text) + 1 : len;
	line->len = line->to - line->from - (newline ? 1 : 0);
	if (line->len > 0 && line->text[line->len - 1] == '\r')
		line->len--;
	return true;
}

bool
layout_first_has(struct file_dir *dir, const struct file_list *root,
    bool (*is_mark)(const struct layout_line *line))
{
	void *scratch = mem_context(NULL, "first file");
	struct layout_line line = { 0 };
	struct err err = { 0 };
	char *data = NULL;
	size_t len = 0, first = 0;
	bool found = false;

	while (first < root->n &&
	    !(layout_count_digits(root->names[first], '_') > 0 &&
		layout_ends_with(root->names[first], ".sql")))
		first++;
	if (first < root->n &&
	    file_dir_read(dir, scratch, root->names[first], BOUND_FILE_BYTES, &data, &len,
		&err) == 0) {
		while (!found && layout_next_line(data, len, &line))
			found = is_mark(&line);
	}
	talloc_free(scratch);
	return found;
}
