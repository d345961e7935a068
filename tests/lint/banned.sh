#!/usr/bin/env bash
# SPDX-License-Identifier: PostgreSQL
#
# Functions that have no place here, and what to call in their stead. Usage: banned.sh [TOP]
set -euo pipefail
cd "${1:-${srcdir:-.}}"

code=$(find src tests -name node_modules -prune -o -name '*.[ch]' -print | LC_ALL=C sort |
	xargs awk -f tests/lint/code.awk)

# ban WHERE INSTEAD FUNCTION...: print the calls of FUNCTION in the files whose path begins with WHERE
ban() {
	local where=$1 instead=$2 names
	shift 2
	names=$(IFS='|' && echo "$*")
	sed -nE "s#^(${where}[^:]*:[0-9]+):(.*[^A-Za-z0-9_])?($names)[[:space:]]*\(.*#\1: \3 is banned: $instead#p" <<<"$code"
}

found=$(
	ban "" "it does not know how much fits: base/text.h, or snprintf" \
		strcpy stpcpy strcat strncpy strncat sprintf vsprintf gets
	ban "" "it cannot say that the text is no number: strtol, and look at where it stopped" atoi atol atoll atof
	ban "" "it keeps its place in a static variable: strcspn, or strtok_r" strtok
	ban "" "nothing bounds the stack: talloc" alloca
	ban "" "its meaning differs between systems: uv_signal on the loop, or sigaction" signal
	ban src/ "it answers from a static buffer: the _r form" localtime gmtime ctime asctime
	ban src/ "it can be guessed: base/digest.h" rand random srand srandom
	ban src/ "a shell is no interface: uv_spawn, or posix_spawn" system popen
	ban src/ "it stops the loop: a timer" sleep usleep nanosleep
	ban src/ "memory belongs to a talloc context: base/mem.h" \
		malloc calloc realloc strdup strndup asprintf vasprintf
)
[ -z "$found" ] || { echo "$found" && exit 1; }
