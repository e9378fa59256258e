#!/usr/bin/env bash
# SECONDS (30) of CLIENTS (32) placing orders in the example shop, on SQLite and on PostgreSQL: scripts/load.sh 30 32
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"
cd "$root"

databases=sqlite
if exports=$(scripts/services.sh); then
	eval "$exports"
	databases=sqlite,postgres
elif [ "${CI:-}" = true ]; then
	die "CI needs PostgreSQL"
else
	say "SKIPPED: the load on PostgreSQL"
fi
go run ./examples/shop/load -seconds "${1:-30}" -clients "${2:-32}" -db "$databases"
