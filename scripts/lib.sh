# Sourced by the other scripts: where the repository is, its modules, and a few words to print.
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
modules=(. examples bench conformance)

say() { printf '%s\n' "$*" >&2; }
step() { printf '\n== %s\n' "$*" >&2; }
die() { say "error: $*"; exit 1; }

# run_in DIR COMMAND... runs the command in a module's directory.
run_in() {
	local dir=$1
	shift
	(cd "$root/$dir" && "$@")
}

# apt_install PACKAGE... installs packages of Debian or Ubuntu, as root or with sudo, or says that it cannot.
apt_install() {
	local sudo=()
	command -v apt-get >/dev/null || return 1
	if [ "$(id -u)" != 0 ]; then
		command -v sudo >/dev/null || return 1
		# Without a terminal sudo must not ask for a password.
		if [ -t 0 ]; then sudo=(sudo); else sudo=(sudo -n); fi
		"${sudo[@]}" true 2>/dev/null || return 1
	fi
	say "installing with apt: $*"
	"${sudo[@]}" apt-get update -q >&2 &&
		"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "$@" >&2
}

command -v go >/dev/null || die "Go is not installed: https://go.dev/doc/install"
