#!/usr/bin/env bash
# Is what is written down twice the same in both places? go.mod against the imports, each module by itself as well as in
# the workspace, and the layer table, the linter's rules and the list of dependencies against the code.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

status=0
for m in "${modules[@]}"; do
	step "go mod tidy: $m"
	run_in "$m" env GOWORK=off go mod tidy -diff || { say "run: make tidy"; status=1; }
	step "go build without the workspace: $m"
	run_in "$m" env GOWORK=off go build ./... || status=1
done
step "docs against code"
run_in . go test -count=1 ./internal/arch ./internal/doccheck || status=1
exit $status
