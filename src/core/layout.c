/* SPDX-License-Identifier: PostgreSQL */
#include "core/layout.h"

#include <string.h>

#include "base/text.h"

/*
 * In the order in which a folder is asked what it is: the most particular first. Behind those that
 * may be chosen are those of the folders beside the schema's.
 */
static const struct layout *const layouts[] = {
	&layout_drizzle1,
	&layout_drizzle,
	&layout_manifest,
	&layout_diesel,
	&layout_flyway,
	&layout_golang_migrate,
	&layout_goose,
	&layout_dbmate,
	&layout_sequence,
	&layout_sqlx,
	&layout_dated,
	&layout_files,
};

const struct layout *
layout_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(layouts); i++) {
		if (strcmp(layouts[i]->name, name) == 0)
			return layouts[i];
	}
	return NULL;
}

bool
layout_is_beside(const struct layout *layout)
{
	return layout->tracking == NULL;
}

const char *
layout_name(size_t i)
{
	return i < ARRAY_SIZE(layouts) && !layout_is_beside(layouts[i]) ? layouts[i]->name
									: NULL;
}

const struct layout *
layout_find_tracking(const char *tracking)
{
	for (size_t i = 0; layout_name(i) != NULL; i++) {
		if (strcmp(layouts[i]->tracking, tracking) == 0)
			return layouts[i];
	}
	return NULL;
}

bool
layout_looks_so(
    const struct layout *layout, struct file_dir *dir, const struct file_list *root)
{
	return layout->detect != NULL && layout->detect(dir, root);
}

const struct layout *
layout_detect(struct file_dir *dir, const struct file_list *root)
{
	for (size_t i = 0; layout_name(i) != NULL; i++) {
		if (layout_looks_so(layouts[i], dir, root))
			return layouts[i];
	}
	return NULL;
}

char *
layout_samples(const void *ctx)
{
	struct text samples;

	text_init(&samples, ctx, SIZE_MAX);
	for (size_t i = 0; layout_name(i) != NULL; i++)
		text_addf(&samples, "%s%s (%s)", i > 0 ? ", " : "", layouts[i]->name,
		    layouts[i]->sample);
	return samples.data;
}
