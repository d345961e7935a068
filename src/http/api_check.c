/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <string.h>

#include "base/bounds.h"
#include "base/clock.h"
#include "base/mem.h"
#include "http/api.h"
#include "http/json.h"
#include "http/plain.h"
#include "http/request.h"

#define TEXT_TYPE "text/plain; charset=utf-8"

/* "?strict", "?strict=true", "?strict=1"; and its opposites. -1 with a reply made. */
static int
read_strict(struct request *request, bool *strict)
{
	static const char *const yes[] = { "", "1", "true", "on", "yes" };
	static const char *const no[] = { "0", "false", "off", "no" };
	const char *value = request_query(request, "strict");

	*strict = false;
	for (size_t i = 0; value && i < ARRAY_SIZE(yes); i++)
		*strict = *strict || strcmp(value, yes[i]) == 0;
	for (size_t i = 0; value && i < ARRAY_SIZE(no); i++)
		value = strcmp(value, no[i]) == 0 ? NULL : value;
	if (!value || *strict)
		return 0;
	return request_refuse(
	    request, 400, CAT_CONFIGURATION, NULL, "strict is true or false");
}

/* Kept from check to check, as long as the metrics are: both are the API's own. */
static const struct snapshot_list *
read_snapshots(struct api *api, const struct folder *folder)
{
	struct snapshot_list *known = api->snapshots;

	api->snapshots = snapshot_list_read(api->metrics, folder, known);
	talloc_free(known);
	return api->snapshots;
}

/*
 * 200 whatever it finds: the question was answered. A CI job goes by the exit code, in
 * the document and, for curl without a JSON parser, in a header.
 */
void
api_get_check(struct request *request)
{
	const struct status *status = request->api->ops->status(request->api->app);
	const char *only = request_query(request, "only");
	struct check_input input = {
		.status = status,
		.now_us = clock_now_us(),
		.files_only = only != NULL,
	};
	struct check *check;
	char code[16];
	struct text out;

	if (only && strcmp(only, "files") != 0) {
		request_refuse(
		    request, 400, CAT_CONFIGURATION, NULL, "only is files, or left out");
		return;
	}
	if (read_strict(request, &input.strict) < 0)
		return;
	input.snapshots = read_snapshots(request->api, status->folder);
	check = check_build(request, &input);
	snprintf(code, sizeof(code), "%d", (int)check_exit_code(check));
	request_add_header(request, "Migrationd-Exit-Code", code);
	if (!request_wants_text(request)) {
		request_reply_json(request, 200, json_check(check));
		return;
	}
	text_init(&out, request, BOUND_REPLY_BYTES);
	plain_check(&out, check);
	request_reply_text(request, 200, TEXT_TYPE, &out);
}
