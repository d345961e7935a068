/* SPDX-License-Identifier: PostgreSQL */
#include "core/schema.h"

#include <stdlib.h>
#include <string.h>

#include "base/bounds.h"
#include "base/mem.h"

struct schema *
schema_new(const void *ctx)
{
	return mem_zero(ctx, struct schema);
}

int
schema_add(struct schema *schema, const struct schema_item *item, struct err *err)
{
	size_t n = schema->n_items;
	size_t bytes = strlen(item->kind) + 2 * strlen(item->name) +
	    strlen(item->parent) + strlen(item->definition);

	if (n >= BOUND_SCHEMA_ITEMS || bytes > BOUND_SCHEMA_BYTES - schema->bytes)
		return err_set(err, CAT_CONFIGURATION,
		    "the database is too large to compare: more than %u things, or %u MiB "
		    "of definitions",
		    BOUND_SCHEMA_ITEMS, BOUND_SCHEMA_BYTES >> 20);
	if ((n & (n + 1)) == 0) /* at 0, 1, 3, 7 ...: room for twice as many */
		schema->items =
		    mem_grow(schema, schema->items, struct schema_item, 2 * n + 1);
	schema->items[n] = (struct schema_item){
		.kind = mem_strdup(schema, item->kind),
		.name = mem_strdup(schema, item->name),
		.parent = mem_strdup(schema, item->parent),
		.definition = mem_strdup(schema, item->definition),
		.given = item->given,
		.key = mem_printf(schema, "%s %s", item->kind, item->name),
	};
	schema->n_items = n + 1;
	schema->bytes += bytes;
	return 0;
}

static int
compare_items(const void *a, const void *b)
{
	const struct schema_item *x = a, *y = b;

	return strcmp(x->key, y->key);
}

void
schema_sort(struct schema *schema)
{
	if (schema->n_items > 0)
		qsort(schema->items, schema->n_items, sizeof(*schema->items),
		    compare_items);
}

const struct schema_item *
schema_find(const struct schema *schema, const char *key)
{
	struct schema_item wanted = { .key = key };

	if (schema->n_items == 0)
		return NULL;
	return bsearch(&wanted, schema->items, schema->n_items, sizeof(*schema->items),
	    compare_items);
}
