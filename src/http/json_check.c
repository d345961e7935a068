/* SPDX-License-Identifier: PostgreSQL */
#include "http/json.h"

#include "http/json_value.h"

static json_t *
commands(const struct check_finding *f)
{
	json_t *list = json_array();

	for (size_t i = 0; i < f->n_commands; i++)
		json_array_append_new(list, json_text(f->commands[i]));
	return list;
}

static json_t *
finding(const struct check_finding *f)
{
	return json_pack("{s:s, s:s, s:s, s:i, s:o, s:o, s:o, s:o, s:o, s:o}", "kind",
	    check_kind_name(f->kind), "phase", phase_name(f->phase), "severity",
	    check_severity_name(f->severity), "exit_code", (int)f->exit_code, "file",
	    json_text(f->file), "line", f->line ? json_integer(f->line) : json_null(),
	    "migration", json_text(f->migration), "message", json_text(f->message),
	    "remedy", json_text(f->remedy), "commands", commands(f));
}

static json_t *
findings(const struct check *check)
{
	json_t *list = json_array();

	for (size_t i = 0; i < check->n_findings; i++)
		json_array_append_new(list, finding(&check->findings[i]));
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
