#!/usr/bin/env bash
# SPDX-License-Identifier: PostgreSQL
#
# The manual has each command and flag of migrationctl and none more, and the completions are right for their shells.
# What the program has it says itself, with --help. Usage: ctl.sh [TOP] [PROGRAM]
set -euo pipefail
program=$(realpath -m "${2:-src/migrationctl}")
cd "${1:-${srcdir:-.}}"

if [ ! -x "$program" ]; then
	echo "$program is not built"
	exit 1
fi
failed=0
temporary=$(mktemp -d)
trap 'rm -rf "$temporary"' EXIT

# flags_of WHOSE: "WHOSE --flag" for each flag of the help that comes in
flags_of() {
	sed -n "s/^  \(--[a-z-]*\).*/$1 \1/p"
}

# what the program has: a line for each command, and for each flag a line with its command, or "-"
"$program" --help | flags_of - >"$temporary/program"
"$program" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z-]*\).*/\1/p' >"$temporary/commands"
[ -s "$temporary/commands" ] || { echo "no commands found in what $program prints" && exit 1; }
while read -r command; do
	echo "$command"
	"$program" "$command" --help | flags_of "$command"
done <"$temporary/commands" >>"$temporary/program"

# the same out of the manual
awk '
BEGIN { command = "-" }
/^\.It Ic / { command = $3; print command }
/^\.It Fl Fl / { print command " --" $4 }' man/migrationctl.1 >"$temporary/manual"
diff -U0 --label "the program" --label man/migrationctl.1 \
	<(LC_ALL=C sort "$temporary/program") <(LC_ALL=C sort "$temporary/manual") || failed=1

# check SHELL COMMAND...: what COMMAND says about the completion for SHELL
check() {
	local shell=$1
	shift
	"$program" completion "$shell" >"$temporary/$shell"
	if ! command -v "$1" >/dev/null; then
		echo "$1 is not installed, so nothing judges the completion for $shell: ./bootstrap installs it"
		failed=1
	else
		"$@" "$temporary/$shell" || failed=1
	fi
}
check bash bash -n
check bash shellcheck --shell=bash
check zsh zsh -n
check fish fish --no-execute

exit $failed
