#!/usr/bin/env bash
# The test command: brings up what the tests need (scripts/services.sh), then vets and tests every module with the race
# detector. Arguments go to `go test`: ./test.sh -run TestSession
#
# Where PostgreSQL or PgBouncer cannot be had, their tests are skipped, counted and named at the end; with CI=true that is
# a failure.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/scripts/lib.sh"
cd "$root"

step "services"
if exports=$(scripts/services.sh); then
	eval "$exports"
elif [ "${CI:-}" = true ]; then
	die "CI needs PostgreSQL"
fi

# The race detector needs cgo, and so a C compiler.
race=(-race)
has_cgo() { command -v "$(go env CC)" >/dev/null && [ "$(CGO_ENABLED=1 go env CGO_ENABLED)" = 1 ]; }
if has_cgo || apt_install gcc libc6-dev; then
	export CGO_ENABLED=1
elif [ "${CI:-}" = true ]; then
	die "CI needs the race detector, and so a C compiler"
else
	say "WARNING: no C compiler: testing without the race detector"
	race=()
fi

# Every skipped test adds a line to this file (internal/testdb).
URUTU_TEST_SKIPS=$(mktemp)
export URUTU_TEST_SKIPS
trap 'rm -f "$URUTU_TEST_SKIPS"' EXIT

failed=()
for m in "${modules[@]}"; do
	step "go vet: $m"
	run_in "$m" go vet ./... || failed+=("vet $m")
	step "go test ${race[*]}: $m"
	run_in "$m" go test "${race[@]}" -timeout 15m "$@" ./... || failed+=("test $m")
done

skips=$(wc -l <"$URUTU_TEST_SKIPS")
if [ "$skips" -gt 0 ]; then
	step "SKIPPED: $skips tests, because a service is missing"
	sort "$URUTU_TEST_SKIPS" | uniq -c >&2
fi
if [ ${#failed[@]} -gt 0 ]; then
	step "FAILED in ${SECONDS}s: ${failed[*]}; skipped: $skips"
	exit 1
fi
step "passed in ${SECONDS}s: ${#modules[@]} modules; skipped: $skips"
