/* SPDX-License-Identifier: PostgreSQL */
#include <string.h>

#include "base/mem.h"
#include "core/folder.h"
#include "core/layout_kind.h"

/*
 * Any files: *.sql in the order of their names, byte by byte, each one part. Other files
 * are not for us.
 */

static int
files_load(struct folder *folder, struct file_dir *dir, const struct file_list *root,
    struct err *err UNUSED)
{
	void *scratch = mem_context(NULL, "files");

	for (size_t i = 0; i < root->n; i++) {
		const char *file = root->names[i];

		if (file[0] == '.' || !layout_ends_with(file, ".sql"))
			continue;
		folder_add(folder, dir,
		    mem_strndup(scratch, file, strlen(file) - strlen(".sql")), file, NULL)
		    ->order = (int64_t)i;
	}
	talloc_free(scratch);
	return 0;
}

const struct layout layout_files = {
	.name = "files",
	.summary = "any *.sql, in the order of their names",
	.sample = "views.sql",
	.load = files_load,
};
