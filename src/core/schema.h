/* SPDX-License-Identifier: PostgreSQL */
#pragma once

/*
 * What a database consists of: an ordered set of things, each with its kind, its name and a
 * definition that says all about it. Two databases that were made by the same files give the
 * same set, whatever is in their tables; core/drift.h says where two sets differ.
 *
 *	struct schema *schema = schema_new(ctx);
 *
 *	schema_add(schema, &(struct schema_item){ "column", "app.users.email",
 *	    "table app.users", "text NOT NULL" }, &err);
 *	schema_sort(schema);
 *	item = schema_find(schema, "column app.users.email");
 */

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"

struct schema_item {
	const char *kind;       /* "column", for people too */
	const char *name;       /* as SQL writes it: "app.users.email" */
	const char *parent;     /* the key of what it is a part of; "": of nothing */
	const char *definition; /* in SQL; "": its being there is all */
	bool given;      /* a database may have it without any file that makes it */
	const char *key; /* kind and name: "column app.users.email"; set by us */
};

struct schema {
	struct schema_item *items;
	size_t n_items;
	size_t bytes;
};

/* Empty, owned by `ctx`. */
struct schema *schema_new(const void *ctx);

/*
 * Add a copy. CONFIGURATION when there are more than BOUND_SCHEMA_ITEMS, or more than
 * BOUND_SCHEMA_BYTES of them.
 */
int schema_add(
    struct schema *schema, const struct schema_item *item, struct err *err) MUST_CHECK;

/* Put into the order of the keys: before schema_find and drift_compare. */
void schema_sort(struct schema *schema);

/* The item of that key, or NULL. */
const struct schema_item *schema_find(const struct schema *schema, const char *key);
