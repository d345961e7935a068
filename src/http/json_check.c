/* SPDX-License-Identifier: PostgreSQL */
#include "http/json.h"

#include "base/mem.h"
#include "http/json_value.h"

static json_t *
commands(const struct check_finding *f)
{
	json_t *list = json_array();

	for (size_t i = 0; i < f->n_commands; i++)
		json_array_append_new(list, json_text(f->commands[i]));
	return list;
}

/* The file as a shell where the daemon runs finds it: each phase has a folder of its own. */
static json_t *
path_of(const struct check *check, const struct check_finding *f)
{
	char *path;
	json_t *value;

	if (!f->file)
		return json_null();
	path = mem_printf(NULL, "%s/%s", check_folder(check, f)->path, f->file);
	value = json_text(path);
	talloc_free(path);
	return value;
}

static json_t *
finding(const struct check *check, const struct check_finding *f)
{
	json_t *object = json_object();

	json_object_set_new(object, "kind", json_string(check_kind_name(f->kind)));
	json_object_set_new(
	    object, "severity", json_string(check_severity_name(f->severity)));
	json_object_set_new(object, "phase", json_string(phase_name(f->phase)));
	json_object_set_new(object, "exit_code", json_integer(f->exit_code));
	json_object_set_new(object, "file", json_text(f->file));
	json_object_set_new(object, "path", path_of(check, f));
	json_object_set_new(
	    object, "line", f->line ? json_integer(f->line) : json_null());
	json_object_set_new(object, "migration", json_text(f->migration));
	json_object_set_new(object, "message", json_text(f->message));
	json_object_set_new(object, "remedy", json_text(f->remedy));
	json_object_set_new(object, "commands", commands(f));
	return object;
}

static json_t *
findings(const struct check *check)
{
	json_t *list = json_array();

	for (size_t i = 0; i < check->n_findings; i++)
		json_array_append_new(list, finding(check, &check->findings[i]));
	return list;
}

static json_t *
folder_facts(const struct check *check)
{
	const struct folder *folder = check->status->folder;

	return json_pack("{s:o, s:o, s:o, s:o, s:o}", "path", json_text(folder->path),
	    "layout", json_text(folder->layout ? folder->layout->name : NULL),
	    "scanned_at", json_time_or_null(folder->scanned_at_us), "migrations",
	    json_count(folder->n_migrations), "snapshots",
	    json_count(check->n_snapshots));
}

json_t *
json_check(const struct check *check)
{
	const struct status *status = check->status;
	enum exit_code code = check_exit_code(check);

	return json_pack(
	    "{s:o, s:s, s:i, s:b, s:s, s:{s:o, s:o, s:o}, s:o, s:o, s:o, s:o}", "target",
	    json_text(status->target), "verdict", check_verdict_name(code), "exit_code",
	    (int)code, "strict", check->strict, "scope",
	    check->files_only ? "files" : "all", "counts", "errors",
	    json_count(check->counts[CHECK_ERROR]), "warnings",
	    json_count(check->counts[CHECK_WARNING]), "notes",
	    json_count(check->counts[CHECK_NOTE]), "findings", findings(check),
	    "findings_left_out", json_count(check->n_left_out), "folder",
	    folder_facts(check), "database",
	    check->files_only ? json_null() : json_database(&status->database));
}
