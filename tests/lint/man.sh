#!/usr/bin/env bash
# SPDX-License-Identifier: PostgreSQL
#
# The manual pages are clean mdoc. Usage: man.sh [TOP]
set -euo pipefail
cd "${1:-${srcdir:-.}}"

if ! command -v mandoc >/dev/null; then
	echo "skipped: no mandoc on this machine"
	exit 77
fi
mandoc -Tlint -W warning man/*.[1-9]
