# SPDX-License-Identifier: PostgreSQL
"""Folders that must not be run: each is named for what it is, with its file
and line, nothing of it reaches the database, the daemon stays up, and once
the folder is mended the next apply works without a restart."""

import os
import shutil
import socket
from typing import NamedTuple

import pytest

from harness.daemon import run as run_program
from harness.folder import (T0, drizzle_folder, journal, sequence_folder,
                            write)
from harness.wait import wait_until

SQL = "CREATE TABLE ran (id int);"


class Bad(NamedTuple):
    name: str
    build: object            # called with the folder's path
    category: str            # "A|B" where more than one fits
    words: tuple             # all must be in the answer
    args: tuple = ()
    user: str = None         # whom the daemon runs as


BAD = []


def bad(category, *words, args=(), user=None, name=None):
    """Enter a builder in the table."""
    def enter(build):
        BAD.append(Bad(name or build.__name__, build, category, words, args,
                       user))
        return build
    return enter


def good(path):
    drizzle_folder(path, [("0000_good", SQL), ("0001_b", "SELECT 1;")])


def with_journal(text):
    """A builder: a good folder with another journal."""
    def build(path):
        good(path)
        write(path / "meta/_journal.json", text)
    return build


def with_file(content, name="0001_b.sql"):
    def build(path):
        good(path)
        write(path / name, content)
    return build


def with_tag(tag):
    def build(path):
        good(path)
        write(path / "meta/_journal.json",
              journal([("0000_good", T0), (tag, T0 + 1)]))
    return build


def with_when(text):
    """Entry 1 with `"when": <text>`, or without one for None."""
    def build(path):
        good(path)
        member = "" if text is None else f'"when": {text},'
        write(path / "meta/_journal.json", """{
  "version": "7",
  "dialect": "postgresql",
  "entries": [
    {"idx": 0, "version": "7", "when": 1, "tag": "0000_good"},
    {"idx": 1, "version": "7", %s "tag": "0001_b"}
  ]
}""" % member)
    return build


def replaced(make):
    """A builder: a good folder in which make(path) stands for 0001_b.sql."""
    def build(path):
        good(path)
        (path / "0001_b.sql").unlink()
        make(path / "0001_b.sql")
    return build


# -- the folder itself ----------------------------------------------------------

@bad("RESOURCE_NOT_FOUND", "drizzle")
def no_folder(path):
    pass


@bad("RESOURCE_NOT_FOUND|CONFIGURATION", "drizzle")
def folder_is_a_file(path):
    path.write_text("not a folder")


@bad("RESOURCE_NOT_FOUND|CONFIGURATION", "drizzle")
def empty_folder(path):
    path.mkdir()


@bad("RESOURCE_NOT_FOUND|CONFIGURATION", "drizzle")
def nothing_but_a_readme(path):
    write(path / "README.md", "# migrations")


@bad("RESOURCE_NOT_FOUND|CONFIGURATION", "drizzle")
def snapshots_without_a_journal(path):
    good(path)
    (path / "meta/_journal.json").unlink()
    (path / "0000_good.sql").unlink()
    (path / "0001_b.sql").unlink()
    write(path / "meta/0000_snapshot.json", "{}")


@bad("RESOURCE_NOT_FOUND|CONFIGURATION", "_journal.json",
     args=("--layout", "drizzle"))
def not_the_layout_that_was_named(path):
    sequence_folder(path, {"0001_a.sql": SQL})


# -- the journal ----------------------------------------------------------------

ANY = "CONFIGURATION|RESOURCE_NOT_FOUND|SECURITY_VIOLATION|SQL_SYNTAX_ERROR"
for label, text, word in [
    ("journal_empty", "", "_journal.json"),
    ("journal_cut_off", '{\n "version": "7",\n "entries": [',
     "_journal.json:3"),
    ("journal_trailing_comma",
     '{\n "version": "7",\n "dialect": "postgresql",\n "entries": [],\n}',
     "_journal.json:5"),
    ("journal_with_comment", '{\n // no\n "entries": []}', "_journal.json:2"),
    ("journal_conflict",
     '{\n"version": "7",\n<<<<<<< HEAD\n"entries": []\n=======\n"entries":'
     ' []\n>>>>>>> x\n}', "_journal.json:3"),
    ("journal_bom", b"\xef\xbb\xbf" + journal([]).encode(), "_journal.json"),
    ("journal_not_utf8", b'{"entries": [], "x": "\xff"}', "_journal.json"),
    ("journal_utf16", journal([]).encode("utf-16"), "_journal.json"),
    ("journal_array", "[]", "_journal.json"),
    ("journal_string", '"entries"', "_journal.json"),
    ("journal_null", "null", "_journal.json"),
    ("journal_without_entries",
     '{"version": "7", "dialect": "postgresql"}', "entries"),
    ("journal_entries_object",
     '{"version": "7", "dialect": "postgresql", "entries": {}}', "entries"),
    ("journal_entry_string",
     '{"version": "7", "dialect": "postgresql", "entries": ["0000_good"]}',
     "_journal.json"),
    ("journal_without_tag",
     '{"version": "7", "dialect": "postgresql", "entries": [{"when": 1}]}',
     "tag"),
    ("journal_tag_number",
     '{"version": "7", "dialect": "postgresql",'
     ' "entries": [{"when": 1, "tag": 7}]}', "tag"),
    ("journal_mysql", journal([("0000_good", T0)], dialect="mysql"), "mysql"),
    ("journal_sqlite", journal([("0000_good", T0)], dialect="sqlite"),
     "sqlite"),
    ("journal_version_99", journal([("0000_good", T0)], version="99"), "99"),
    ("journal_deep", '{"entries": ' + "[" * 100_000, "_journal.json"),
    ("journal_too_large", journal([]) + " " * (17 << 20), "_journal.json"),
]:
    bad(ANY, word, name=label)(with_journal(text))


@bad(ANY, "_journal.json")
def journal_is_a_directory(path):
    good(path)
    (path / "meta/_journal.json").unlink()
    (path / "meta/_journal.json").mkdir()


@bad("SECURITY_VIOLATION", "_journal.json")
def journal_leads_outside(path):
    good(path)
    outside = path.parent / "outside.json"
    outside.write_text(journal([("0000_good", T0)]))
    (path / "meta/_journal.json").unlink()
    (path / "meta/_journal.json").symlink_to(outside)


@bad("SECURITY_VIOLATION", "meta")
def meta_leads_outside(path):
    good(path)
    (path / "meta").rename(path.parent / "outside")
    (path / "meta").symlink_to(path.parent / "outside")


# -- tags -------------------------------------------------------------------------

for label, tag in [
    ("tag_dotdot", "../evil"), ("tag_dotdot_inside", "a/../../evil"),
    ("tag_slash", "sub/0001_x"), ("tag_absolute", "/etc/passwd"),
    ("tag_backslash", "sub\\x"), ("tag_space", "0001 b"),
    ("tag_semicolon", "0001;b"), ("tag_newline", "0001\nb"),
    ("tag_nul", "0001_b\0c"), ("tag_percent", "0001%2fb"),
    ("tag_quote", "0001'b"), ("tag_not_ascii", "0001_größe"),
    ("tag_hidden", ".0001_b"), ("tag_dots", ".."), ("tag_empty", ""),
    ("tag_long", "0001_" + "x" * 300),
]:
    bad("SECURITY_VIOLATION|CONFIGURATION", name=label)(with_tag(tag))


@bad(ANY, "0000_good")
def tag_twice(path):
    good(path)
    write(path / "meta/_journal.json",
          journal([("0000_good", T0), ("0000_good", T0 + 1)]))


bad(ANY, "_journal.json:6", name="when_beyond_bigint")(
    with_when("9223372036854775808"))
for label, text in [
    ("when_missing", None), ("when_null", "null"), ("when_fraction", "1.5"),
    ("when_huge", "1e21"), ("when_beyond_doubles", "9007199254740993"),
    ("when_word", '"soon"'), ("when_bool", "true"), ("when_object", "{}"),
    ("when_empty_string", '""'),
]:
    bad(ANY, "when", name=label)(with_when(text))


# -- files --------------------------------------------------------------------------

@bad("RESOURCE_NOT_FOUND", "0001_b.sql")
def file_missing(path):
    good(path)
    (path / "0001_b.sql").unlink()


for label, content, word in [
    ("file_nul", b"SELECT 1;\nSELECT \x00 2;", "0001_b.sql:2"),
    ("file_not_utf8", b"SELECT 1;\n\nSELECT '\xff';", "0001_b.sql:3"),
    ("file_cut_utf8", b"SELECT '\xe2\x82", "0001_b.sql:1"),
    ("file_bom", b"\xef\xbb\xbfSELECT 1;", "0001_b.sql"),
    ("file_utf16", "SELECT 1;".encode("utf-16"), "0001_b.sql"),
    ("file_conflict", "SELECT 1;\n<<<<<<< HEAD\nSELECT 2;\n=======\nSELECT 3;"
                      "\n>>>>>>> branch\n", "0001_b.sql:2"),
    ("file_half_a_conflict", "SELECT 1;\nSELECT 3;\n>>>>>>> branch\n",
     "0001_b.sql:3"),
]:
    bad("SQL_SYNTAX_ERROR|CONFIGURATION|SECURITY_VIOLATION", word,
        name=label)(with_file(content))

for label, content, word in [
    ("file_rolls_back", "SELECT 1;\n\nrollback ;\n", "0001_b.sql:3"),
    ("file_prepares", "/* x */ PREPARE TRANSACTION 'x';", "0001_b.sql:1"),
    ("file_connects", "SELECT 1;\n\\connect other\n", "0001_b.sql:2"),
    ("file_begins_what_runs_alone", "BEGIN;\nVACUUM;\nCOMMIT;\n",
     "0001_b.sql:2"),
    ("file_asks_for_too_much", "-- migrationd: transaction\nVACUUM;\n",
     "0001_b.sql:2"),
    ("file_with_a_wrong_directive", "\n-- migrationd: no-transactoin\n",
     "0001_b.sql:2"),
    ("file_commits_and_is_cut", "SELECT 1; COMMIT;\nSELECT 'cut",
     "0001_b.sql:2"),
]:
    bad("SQL_ERROR|SQL_SYNTAX_ERROR", word, name=label)(with_file(content))


def link_to(target):
    return replaced(lambda path: path.symlink_to(target))


bad("SECURITY_VIOLATION", "0001_b.sql", name="link_absolute")(
    link_to("/etc/hostname"))
bad("SECURITY_VIOLATION", "0001_b.sql", name="link_upwards")(
    link_to("../../../../etc/hostname"))
bad("SECURITY_VIOLATION|RESOURCE_NOT_FOUND", "0001_b.sql", name="link_loop")(
    link_to("0001_b.sql"))
bad("RESOURCE_NOT_FOUND|SECURITY_VIOLATION", "0001_b.sql",
    name="link_to_nothing")(link_to("0009_nothing.sql"))
bad("SECURITY_VIOLATION|RESOURCE_NOT_FOUND", "0001_b.sql", name="link_magic")(
    link_to("/proc/self/environ"))
bad("SECURITY_VIOLATION|CONFIGURATION|RESOURCE_NOT_FOUND", "0001_b.sql",
    name="file_is_a_directory")(replaced(os.mkdir))
bad("SECURITY_VIOLATION|CONFIGURATION|RESOURCE_NOT_FOUND", "0001_b.sql",
    name="file_is_a_fifo")(replaced(os.mkfifo))


@bad("SECURITY_VIOLATION|CONFIGURATION|RESOURCE_NOT_FOUND|NETWORK_ERROR|"
     "INTERNAL", "0001_b.sql")
def file_is_a_socket(path):
    good(path)
    (path / "0001_b.sql").unlink()
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(path / "0001_b.sql"))


@bad("SECURITY_VIOLATION|CONFIGURATION", "0001_b.sql")
def file_too_large(path):
    good(path)
    with open(path / "0001_b.sql", "wb") as sparse:
        sparse.truncate((64 << 20) + 1)


@bad("PERMISSION_DENIED", "0001_b.sql", user="nobody")
def file_unreadable(path):
    good(path)
    (path / "0001_b.sql").chmod(0o000)


@bad("PERMISSION_DENIED", "drizzle", user="nobody")
def folder_unreadable(path):
    good(path)
    path.chmod(0o000)


# -- sequence folders ---------------------------------------------------------------

def files(**names):
    """0001_good and what else is given; '__' in a name stands for a dot."""
    def build(path):
        sequence_folder(path, {"0001_good.sql": SQL})
        for name, content in names.items():
            write(path / name.lstrip("_").replace("__", "."), content)
    return build


bad("CONFIGURATION|SECURITY_VIOLATION", "0001_good", "0001_twin",
    name="version_twice")(files(_0001_twin__sql="SELECT 1;"))
bad("CONFIGURATION|SECURITY_VIOLATION", "0001_good", "1_one",
    name="version_twice_as_a_number")(files(_1_one__sql="SELECT 1;"))
bad("SQL_SYNTAX_ERROR|CONFIGURATION", "0002_bad.sql:2",
    name="sequence_conflict")(files(
        _0002_bad__sql="SELECT 1;\n<<<<<<< HEAD\n=======\n>>>>>>> x\n"))
bad("SQL_SYNTAX_ERROR|CONFIGURATION|SECURITY_VIOLATION", "0002_bad.sql:1",
    name="sequence_nul")(files(_0002_bad__sql=b"SELECT \0;"))


def sequence_with(name):
    def build(path):
        sequence_folder(path, {"0001_good.sql": SQL})
        with open(os.path.join(os.fsencode(path), name), "wb") as made:
            made.write(b"SELECT 1;")
    return build


for label, name in [
    ("name_with_space", b"0002 two.sql"), ("name_with_quote", b"0002_'x.sql"),
    ("name_not_utf8", b"0002_\xff.sql"), ("name_newline", b"0002_a\nb.sql"),
    ("name_not_ascii", "0002_größe.sql".encode()),
    ("name_semicolon", b"0002_a;b.sql"),
]:
    bad("SECURITY_VIOLATION|CONFIGURATION", "0002",
        name=label)(sequence_with(name))
bad("CONFIGURATION|SECURITY_VIOLATION", "99999999999999999999",
    name="number_too_large")(sequence_with(b"99999999999999999999_x.sql"))


@bad("SECURITY_VIOLATION|CONFIGURATION|RESOURCE_NOT_FOUND", "0002_dir")
def sequence_directory(path):
    sequence_folder(path, {"0001_good.sql": SQL})
    (path / "0002_dir.sql").mkdir()


@bad("SECURITY_VIOLATION", "0002_out")
def sequence_link_outside(path):
    sequence_folder(path, {"0001_good.sql": SQL})
    (path / "0002_out.sql").symlink_to("/etc/hostname")


# -----------------------------------------------------------------------------------

def remove(path):
    if path.is_dir() and not path.is_symlink():
        path.chmod(0o755)
        shutil.rmtree(path)
    elif path.exists() or path.is_symlink():
        path.unlink()


def test_the_table_is_long_enough():
    assert len(BAD) >= 40
    assert len({case.name for case in BAD}) == len(BAD)


@pytest.mark.parametrize("case", BAD, ids=lambda case: case.name)
def test_bad_folder(case, start_daemon, database, workdir):
    path = workdir / "drizzle"
    case.build(path)
    daemon = start_daemon("--migrations", path, "--database-url",
                          database.url, *case.args, user=case.user)
    status = daemon.wait_verdict("invalid", "refused", timeout=20)
    assert status["folder"]["path"] == str(path)

    got = daemon.apply()
    problem = got.problem()
    assert got.status in (404, 409, 422), repr(got)
    assert problem["category"] in case.category.split("|"), problem
    for word in case.words:
        assert word in got.text, problem
    assert problem["detail"]
    assert problem["retryable"] is False
    assert not database.has_table("ran"), "not even the good file ran"
    assert daemon.get("/livez").status == 200
    assert daemon.get("/current").status == 503
    for path_ in ("/migrations", "/plan", "/status?format=text", "/metrics"):
        assert daemon.get(path_).status == 200, path_

    remove(path)
    good(path)
    if case.args:
        return
    wait_until(lambda: daemon.apply().status == 200, 20, 0.05,
               "the mended folder is applied")
    assert database.has_table("ran")
    assert daemon.verdict() == "current"


@pytest.mark.parametrize("case", [c for c in BAD if c.name in (
    "no_folder", "empty_folder", "file_missing", "journal_cut_off",
    "journal_array", "journal_mysql", "journal_too_large",
    "journal_without_entries",
    "tag_dotdot", "file_nul", "link_absolute", "version_twice",
    "file_rolls_back")], ids=lambda case: case.name)
def test_bad_folder_once(case, database, workdir):
    path = workdir / "drizzle"
    case.build(path)
    done = run_program("--once", "--migrations", path, "--database-url",
                       database.url, *case.args)
    # the files are wrong; or the folder is another tool's; or what they say
    # has to be decided on
    assert done.returncode == {"journal_mysql": 4, "file_rolls_back": 8}.get(
        case.name, 2), done
    screen = done.stdout + done.stderr
    assert any(c in screen for c in case.category.split("|")), screen
    assert all(word in screen for word in case.words), screen
    assert not database.has_table("ran")
