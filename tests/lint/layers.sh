#!/usr/bin/env bash
# SPDX-License-Identifier: PostgreSQL
#
# Holds the #include lines of src to the layers:
#
#     main -> ctl -> daemon -> { db, http } -> core -> base
#
# An include goes down only, db and http never include each other, and the headers of the big libraries are let in at
# a few doors. Usage: layers.sh [TOP], where TOP/src is the tree to read.
set -euo pipefail
cd "${1:-${srcdir:-.}}"

find src -name '*.[ch]' | LC_ALL=C sort | xargs awk '
BEGIN {
	# what a file of each layer may include from src; the mains are the layer "main"
	may["base"] = "base"
	may["core"] = "core base"
	may["db"] = "db core base"
	may["http"] = "http core base"
	may["daemon"] = "daemon db http core base"
	may["ctl"] = "ctl daemon db http core base"
	may["main"] = "ctl daemon db http core base"

	# the files that may include a header of these libraries, as patterns of their path beneath src
	doors["uv.h"] = doors["uv"] = "^(db|http|daemon|ctl)/"
	doors["libpq-fe.h"] = "^db/"
	doors["libpq"] = "^db/"
	doors["microhttpd.h"] = "^http/httpd[.]c$"
	doors["jansson.h"] = "^(http/|ctl/|core/(layout_drizzle|layout_manifest|author_drizzle)[.]c$)"
	doors["confuse.h"] = "^daemon/"
	doors["curl"] = "^(ctl/ask_http|daemon/poster)[.]c$"
	doors["openssl"] = "^(base|http)/"
}

function report(text) {
	print FILENAME ":" FNR ": " text
	broken = 1
}

# The first part of a path, or the whole when it has none: "uv.h", "libpq" of "libpq/libpq-fs.h", "base" of "base/err.h"
function head(path) {
	sub(/\/.*/, "", path)
	return path
}

FNR == 1 {
	file = FILENAME
	sub(/^src\//, "", file)
	layer = file ~ /\// ? head(file) : "main"
	if (!(layer in may))
		report("no rule for the layer " layer ": say in tests/lint/layers.sh what it may include")
}

/^[ \t]*#[ \t]*include[ \t]*["<]/ {
	path = $0
	sub(/^[^"<]*["<]/, "", path)
	sub(/[">].*/, "", path)

	if (path == "config.h")
		report("config.h is included by force already")
	else if (head(path) in doors) {
		if (file !~ doors[head(path)])
			report("<" path "> is for files that match " doors[head(path)])
	} else if (path ~ /^\.\.?\// || ($0 ~ /"/ && path !~ /\//))
		report("include \"" path "\" by its path from src")
	else if (head(path) in may) {
		if (index(" " may[layer] " ", " " head(path) " ") == 0)
			report(layer " may not include " path)
	} else if ($0 ~ /"/)
		report("\"" path "\" is no layer of ours")
}

END { exit broken }' || exit 1
