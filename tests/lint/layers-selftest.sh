#!/usr/bin/env bash
# SPDX-License-Identifier: PostgreSQL
#
# Builds a small tree with each kind of break and expects layers.sh to report exactly those, at their line.
set -euo pipefail
layers=$(realpath "$(dirname "$0")/layers.sh")
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT

# file PATH LINE...
file() {
	mkdir -p "$tree/src/$(dirname "$1")"
	printf '%s\n' "${@:2}" >"$tree/src/$1"
}

# what is allowed
file base/err.c '#include "base/err.h"' '#include <talloc.h>' '#include <openssl/sha.h>'
file core/layout_drizzle.c '#include <jansson.h>' '#include "base/err.h"' '#include "core/layout.h"'
file db/pgconn.c '#include <libpq-fe.h>' '#include <uv.h>' '#include "core/run.h"' '#include "db/pgconn.h"'
file http/httpd.c '#include <microhttpd.h>' '#include <uv.h>' '#include <jansson.h>' '#include "base/err.h"'
file daemon/app.c '#include "db/runner.h"' '#include "http/httpd.h"' '#include <uv.h>' '#include <confuse.h>'
file ctl/ask_http.c '#include <curl/curl.h>' '#include <jansson.h>' '#include <uv.h>' '#include "daemon/service.h"' '#include "http/route.h"'
file migrationctl.c '#include "ctl/ctl.h"' '#include "base/err.h"'
file migrationd.c '#include "daemon/app.h"' '#include <stdio.h>' '#include <sys/stat.h>'
if ! quiet=$("$layers" "$tree") || [ -n "$quiet" ]; then
	echo "a clean tree is reported as broken:"
	echo "$quiet"
	exit 1
fi

# what is not: the line above each break is fine, so that a wrong line number shows
file base/up.c '#include "base/err.h"' '#include "core/plan.h"'
file base/loop.c '' '#include <uv.h>'
file core/up.c '' '#include "db/pgconn.h"'
file core/pq.c '' '#include <libpq-fe.h>'
file core/json.c '' '#include <jansson.h>'
file core/loop.c '' '  #  include <uv.h>'
file db/across.c '' '#include "http/json.h"'
file db/up.c '' '#include "daemon/app.h"'
file db/json.c '' '#include <jansson.h>'
file http/across.c '' '#include "db/pgconn.h"'
file http/up.c '' '#include "daemon/config.h"'
file http/mhd.c '' '#include <microhttpd.h>'
file http/httpd.h '' '#include <microhttpd.h>'
file http/pq.c '' '#include "libpq/libpq-fs.h"'
file daemon/pq.c '' '#include <libpq-fe.h>'
file daemon/mhd.c '' '#include <microhttpd.h>'
file daemon/json.c '' '#include <jansson.h>'
file daemon/relative.c '' '#include "../core/plan.h"'
file daemon/near.c '' '#include "config.h"'
file daemon/bare.c '' '#include "app.h"'
file daemon/elsewhere.c '' '#include "src/core/plan.h"'
file daemon/up.c '' '#include "ctl/ask.h"'
file ctl/curl.c '' '#include <curl/curl.h>'
file ctl/pq.c '' '#include <libpq-fe.h>'
file main_loop.c '' '#include <uv.h>'

expected=$(cd "$tree" && grep -lrE '^$|base/up' src | LC_ALL=C sort | sed 's/$/:2/')
expected=$(printf '%s\n' "$expected" src/base/up.c:2 | LC_ALL=C sort -u)
if reported=$("$layers" "$tree"); then
	echo "breaks are reported, but not in the exit status"
	exit 1
fi
reported=$(cut -d: -f1,2 <<<"$reported" | LC_ALL=C sort)
diff <(echo "$expected") <(echo "$reported") || exit 1

# a layer that has no rule
rm -r "$tree/src" && file attic/old.c ''
! "$layers" "$tree" >/dev/null
