# SPDX-License-Identifier: PostgreSQL
"""Folders of migrations, made to order."""

import json
import os
import pathlib

T0 = 1_700_000_000_000
BREAKPOINT = "--> statement-breakpoint"


def as_bytes(text):
    return text if isinstance(text, bytes) else text.encode("utf-8")


def write(path, text):
    """Write as an editor does: beside, then rename, so that the watcher
    never has an excuse for half a file."""
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name("." + path.name + ".tmp")
    beside.write_bytes(as_bytes(text))
    os.replace(beside, path)
    return path


def journal(entries, version="7", dialect="postgresql"):
    """The text of meta/_journal.json as drizzle-kit writes it; entries are
    (tag, when) or ready dicts."""
    listed = []
    for index, entry in enumerate(entries):
        if not isinstance(entry, dict):
            tag, when = entry
            entry = {"idx": index, "version": version, "when": when,
                     "tag": tag, "breakpoints": True}
        listed.append(entry)
    return json.dumps({"version": version, "dialect": dialect,
                       "entries": listed}, indent=2)


def drizzle_folder(path, migrations):
    """migrations: (tag, sql) or (tag, sql, when); `when` counts up from T0
    in minutes where it is left out."""
    path = pathlib.Path(path)
    entries = []
    for index, migration in enumerate(migrations):
        tag, sql = migration[0], migration[1]
        when = migration[2] if len(migration) > 2 else T0 + index * 60_000
        write(path / f"{tag}.sql", sql)
        entries.append((tag, when))
    write(path / "meta" / "_journal.json", journal(entries))
    return path


def drizzle_add(path, tag, sql, when=None):
    """One more migration, as `drizzle-kit generate` adds it: the file, then
    the journal."""
    journal_path = pathlib.Path(path) / "meta" / "_journal.json"
    document = json.loads(journal_path.read_text(encoding="utf-8"))
    entries = document["entries"]
    if when is None:
        when = max((e["when"] for e in entries), default=T0) + 60_000
    entries.append({"idx": len(entries), "version": "7", "when": when,
                    "tag": tag, "breakpoints": True})
    write(pathlib.Path(path) / f"{tag}.sql", sql)
    write(journal_path, json.dumps(document, indent=2))


def drizzle_snapshots(path):
    """The snapshots of drizzle-kit 0.x that the journal's entries lack, of
    an empty schema: drizzle-kit up wants one for each."""
    meta = pathlib.Path(path) / "meta"
    document = json.loads((meta / "_journal.json").read_text(encoding="utf-8"))
    before = "00000000-0000-0000-0000-000000000000"
    for index, entry in enumerate(document["entries"]):
        identity = f"{index:08x}-0000-4000-8000-000000000001"
        write(meta / f"{entry['tag'].split('_')[0]}_snapshot.json", json.dumps({
            "id": identity, "prevId": before, "version": "7",
            "dialect": "postgresql", "tables": {}, "enums": {}, "schemas": {},
            "sequences": {}, "roles": {}, "policies": {}, "views": {},
            "_meta": {"columns": {}, "schemas": {}, "tables": {}}}))
        before = identity


def drizzle1_folder(path, migrations):
    """A folder of drizzle-kit 1.0; migrations: (name of the folder, sql).
    migrate() reads no snapshot."""
    path = pathlib.Path(path)
    path.mkdir(parents=True, exist_ok=True)
    for name, sql in migrations:
        write(path / name / "migration.sql", sql)
    return path


def sequence_folder(path, files):
    """files: {"0001_users.sql": sql, ...}"""
    path = pathlib.Path(path)
    path.mkdir(parents=True, exist_ok=True)
    for name, sql in files.items():
        write(path / name, sql)
    return path


def tables(count, prefix="t"):
    """`count` migrations for drizzle_folder, each making one table."""
    return [(f"{i:04d}_{prefix}{i}", f"CREATE TABLE {prefix}{i} (id int);")
            for i in range(count)]
