#!/usr/bin/env bash
# SPDX-License-Identifier: PostgreSQL
#
# The manual pages are clean mdoc, and name each state of a run and each metric of runs. Usage: man.sh [TOP]
set -euo pipefail
cd "${1:-${srcdir:-.}}"

page=man/migrationd.8
status=0

# told FILE WHAT NAME...: the page has an item of each name, alone or in a list.
told() {
	local file=$1 what=$2 name
	shift 2
	for name; do
		if ! grep -qE "^\.It (Sy|Va) ([a-z_]+ , )*$name( |$)" "$page"; then
			echo "$file: the $what \"$name\" is not in $page"
			status=1
		fi
	done
}

mapfile -t states < <(sed -nE 's/^\t\[RUN_[A-Z]+\] = \{ "([a-z]+)".*/\1/p' src/core/run.c)
mapfile -t metrics < <(sed -nE 's/^\t\{ "migrationd_((run|last_run|lock|migration)_[a-z_]+|(runs|errors|migrations_applied|statements_executed)_total)".*/\1/p' src/http/metrics_render.c)
if [ ${#states[@]} -lt 10 ] || [ ${#metrics[@]} -lt 10 ]; then
	echo "${0##*/}: the tables in src/core/run.c and src/http/metrics_render.c do not look as expected"
	exit 1
fi
told src/core/run.c "state" "${states[@]}"
told src/http/metrics_render.c "metric" "${metrics[@]}"
[ $status -eq 0 ] || exit $status

if ! command -v mandoc >/dev/null; then
	echo "mandoc is not installed: ./bootstrap installs it"
	exit 1
fi
mandoc -Tlint -W warning man/*.[1-9]
