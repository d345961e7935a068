#!/usr/bin/env bash
# SPDX-License-Identifier: PostgreSQL
#
# How a source file looks from outside: licence line first, a header is a manual, nothing is too long or unfinished.
# Usage: house.sh [TOP]
set -euo pipefail
cd "${1:-${srcdir:-.}}"

find src tests -name node_modules -prune -o -name '*.[ch]' -print | LC_ALL=C sort | xargs awk '
function report(line, text) {
	print FILENAME ":" line ": " text
	broken = 1
}

function leave() {
	if (previous ~ /\.h$/ && !pragma) {
		print previous ":1: no #pragma once"
		broken = 1
	}
	if (previous ~ /^src\// && lines > 450) {
		print previous ":" lines ": over 450 lines, look for a seam"
		broken = 1
	}
}

FNR == 1 {
	leave()
	previous = FILENAME
	pragma = manual = 0
	if ($0 != "/* SPDX-License-Identifier: PostgreSQL */")
		report(1, "the first line is the SPDX line")
}

{ lines = FNR }

/^#pragma once$/ { pragma = 1 }

FNR <= 4 && /^\/\*$/ { manual = 1 }
FNR == 5 && FILENAME ~ /^src\/.*\.h$/ && !manual { report(FNR, "a header opens with its manual, a block comment") }

{
	width = $0
	gsub(/\t/, "        ", width)
	if (length(width) > 100)
		report(FNR, "wider than 100 columns")
}

/(^|[^A-Za-z])(TODO|FIXME|XXX|HACK)([^A-Za-z]|$)/ { report(FNR, "unfinished") }

END {
	leave()
	exit broken
}' || exit 1
