#!/usr/bin/env bash
# gofmt and golangci-lint over every module. The linter's version is pinned here; where it is missing it is built once
# from the module proxy into a cache directory.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

version=2.15.0

linter() {
	local cached=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/urutu/bin/golangci-lint-$version candidate
	for candidate in "$(command -v golangci-lint || true)" "$(go env GOPATH)/bin/golangci-lint" "$cached"; do
		if [ -x "$candidate" ] && "$candidate" version 2>/dev/null | grep -qF "version $version "; then
			echo "$candidate"
			return
		fi
	done
	say "lint: building golangci-lint v$version"
	mkdir -p "$(dirname "$cached")"
	GOBIN=$(dirname "$cached") GOWORK=off GOFLAGS=-buildvcs=false \
		go install "github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v$version" >&2
	mv "$(dirname "$cached")/golangci-lint" "$cached"
	echo "$cached"
}

step "gofmt"
unformatted=$(cd "$root" && find . -name '*.go' -not -path '*/testdata/*' -print0 | xargs -0 gofmt -l)
[ -z "$unformatted" ] || die "not formatted: $unformatted"

bin=$(linter)
status=0
for m in "${modules[@]}"; do
	step "golangci-lint: $m"
	run_in "$m" "$bin" run --allow-parallel-runners --config "$root/.golangci.yml" ./... || status=1
done
exit $status
