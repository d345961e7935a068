#!/usr/bin/env bash
# SPDX-License-Identifier: PostgreSQL
#
# Every C file is in the list of a local.mk: a header that is not does not ship, a test that is not never runs.
# Usage: lists.sh [TOP]
set -euo pipefail
cd "${1:-${srcdir:-.}}"

status=0
for folder in src tests; do
	while IFS= read -r file; do
		# a test stands in its list without .c
		name=${file#"$folder"}
		if ! grep -qE "%D%${name%.[ch]}(\.${name##*.})?([[:space:]]|$)" "$folder/local.mk"; then
			echo "$file:1: not in $folder/local.mk"
			status=1
		fi
	done < <(find "$folder" -name node_modules -prune -o -name '*.[ch]' -print | LC_ALL=C sort)
done
exit $status
