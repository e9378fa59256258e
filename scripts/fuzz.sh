#!/usr/bin/env bash
# Runs every fuzz target of every module, each for the given time or number of inputs: scripts/fuzz.sh [30s|5000x].
# CI counts inputs: with a time, the toolchain now and then reports its own deadline as a failure of the target
# ("context deadline exceeded").
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

each=${1:-30s}
status=0
for m in "${modules[@]}"; do
	# Lines of "package target", found in the sources so that nothing is compiled only to be asked.
	while read -r file target; do
		package=./$(dirname "$file")
		step "fuzz $m $package $target"
		run_in "$m" go test -run '^$' -fuzz "^$target\$" -fuzztime "$each" "$package" || status=1
	done < <(cd "$root/$m" && grep -rHoE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' . |
		{ if [ "$m" = . ]; then grep -vE '^\./(examples|bench|conformance)/' || true; else cat; fi; } |
		sed -E 's/^\.\/([^:]+):func (.*)$/\1 \2/' | sort)
done
exit $status
