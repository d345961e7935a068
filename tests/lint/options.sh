#!/usr/bin/env bash
# SPDX-License-Identifier: PostgreSQL
#
# The manual and the sample file have each option of the program, none more, and its default; and the manual each word
# that an option takes. What the program has it says itself: --help the flags, --print-config the settings, and a flag
# the words that it takes in place of a wrong one. Usage: options.sh [TOP] [PROGRAM]
set -euo pipefail
program=$(realpath -m "${2:-src/migrationd}")
cd "${1:-${srcdir:-.}}"

if [ ! -x "$program" ]; then
	echo "$program is not built"
	exit 1
fi
failed=0
temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT

# same WHERE SAID FOUND: the two lists have the same lines
same() {
	sort "$temporary/$2" >"$temporary/expected"
	sort "$temporary/$3" >"$temporary/found"
	diff -U0 --label "the program" --label "$1" "$temporary/expected" "$temporary/found" || failed=1
}

# what the program has: key = default, the keys alone where a change needs a restart, flags
env -i "$program" --print-config >"$temporary/printed"
sed -n 's/^#\?\([a-z_]* = .*\) # default.*$/\1/p' "$temporary/printed" >"$temporary/settings"
sed -n 's/^#\?\([a-z_]*\) = .*, restart to change$/\1/p' "$temporary/printed" >"$temporary/restart"
"$program" --help | sed -n 's/^  \(--[a-z-]*\).*/\1/p' >"$temporary/flags"
for list in settings restart flags; do
	[ -s "$temporary/$list" ] || { echo "no $list found in what $program prints" && exit 1; }
done

# the manual shows a placeholder (Ar) where there is no default, and no quotes around a word
sed -e "s/ = \(''\|{}\)$//" -e "s/ = '\(.*\)'$/ = \1/" "$temporary/settings" >"$temporary/settings.manual"
sed -n 's/^\.It Ic \([a-z_]*\) No = Cm \(.*\)/\1 = \2/p; s/^\.It Ic \([a-z_]*\) No = Ar .*/\1/p' \
	man/migrationd.conf.5 >"$temporary/conf.5"
same man/migrationd.conf.5 settings.manual conf.5

awk '/^\.It Ic / { key = $3 } /^\.Em Restart \.$/ { print key }' man/migrationd.conf.5 >"$temporary/conf.5.restart"
same "what man/migrationd.conf.5 marks with Restart" restart conf.5.restart

sed -n 's/^\.It Fl Fl \([a-z-]*\).*/--\1/p' man/migrationd.8 >"$temporary/8"
same man/migrationd.8 flags 8

while read -r flag; do
	awk -v key="${flag//-/_}" '/^\.It Ic / { here = $3 == key } here' man/migrationd.conf.5 >"$temporary/paragraph"
	{ env -i "$program" "--$flag" '?' --check-config || true; } >"$temporary/answer" 2>&1
	words=$(sed -n 's/.*"?" is not allowed: \([a-z0-9_-]*, .*\)/\1/p' "$temporary/answer" | tr -d ,)
	for word in $words; do
		grep -qE "(^\.|[ ,])Cm ([^.]*[ ,])?$word( |$)" "$temporary/paragraph" ||
			{ echo "man/migrationd.conf.5:1: ${flag//-/_} may be $word, which is not said" && failed=1; }
	done
done < <("$program" --help | sed -n 's/^  --\([a-z-]*\) .*/\1/p')

sed -n 's/^#\([a-z_]* = .*\)/\1/p' etc/migrationd.conf >"$temporary/sample"
same etc/migrationd.conf settings sample

# each line of the sample is right as it stands, once the # is gone
env -i "$program" --config "$temporary/sample" --check-config >/dev/null || failed=1

exit $failed
