#!/usr/bin/env bash
# Brings up what the tests need and prints the exports to reach it:
#
#   eval "$(scripts/services.sh)"
#
# It takes the first of these that works, and never touches a server that it did not start:
#
#   1. the server that URUTU_TEST_POSTGRES names
#   2. a server on 127.0.0.1:5432 that lets the role postgres in
#   3. a server of its own, in a directory of its own, from PostgreSQL's programs on this machine
#   4. docker compose (or podman), where an engine answers
#   5. as 3, after installing the package postgresql with apt, as root or with sudo
#
# Besides, it installs PgBouncer with apt where the program is missing, unless URUTU_TEST_PGBOUNCER names one that runs.
# The tests start it themselves (internal/testpooler), each its own; where it cannot be had, they say so.
#
# `scripts/services.sh stop` stops what 3, 4 or 5 started; its data stays for the next time.
# Exit status: 0 with exports; 3 where no PostgreSQL could be had.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

state=${URUTU_SERVICES_DIR:-${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/urutu/services}
default_url='postgres://postgres@127.0.0.1:5432/postgres?sslmode=disable'
port=${URUTU_SERVICES_PORT:-54329}
compose_url="postgres://urutu:urutu@127.0.0.1:$port/postgres?sslmode=disable"

# answers URL: does a PostgreSQL server let us in, and may we create databases there?
answers() { run_in . go run ./internal/tools/pgprobe "$1" >/dev/null 2>&1; }

# has_pgbouncer: is the program there? Debian's is in a directory that only root has in its PATH.
has_pgbouncer() { command -v pgbouncer >/dev/null || [ -x /usr/sbin/pgbouncer ]; }

offer_pgbouncer() {
	if [ -n "${URUTU_TEST_PGBOUNCER:-}" ]; then
		say "services: PgBouncer at URUTU_TEST_PGBOUNCER"
	elif has_pgbouncer || { apt_install pgbouncer && has_pgbouncer; }; then
		say "services: PgBouncer is installed"
	else
		say "services: no PgBouncer: the program is not installed, and could not be"
	fi
}

found() {
	offer_pgbouncer
	say "services: PostgreSQL $2"
	printf 'export URUTU_TEST_POSTGRES=%q\n' "$1"
	exit 0
}

# The directory of initdb and pg_ctl: on the PATH, or the newest of Debian's.
programs() {
	local dir
	if command -v initdb >/dev/null && command -v pg_ctl >/dev/null; then
		dirname "$(readlink -f "$(command -v initdb)")"
		return
	fi
	dir=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
	[ -n "$dir" ] && [ -x "$dir/initdb" ] && echo "$dir"
}

# PostgreSQL refuses to run as root: then the server and its data belong to the user postgres.
as_owner() {
	if [ "$(id -u)" = 0 ]; then
		(cd / && runuser -u postgres -- "$@")
	else
		"$@"
	fi
}

data_dir() {
	if [ "$(id -u)" = 0 ]; then echo "/var/lib/postgresql/urutu-test"; else echo "$state/postgres"; fi
}

# Settings for a server whose data nobody will miss: it need not survive a power failure.
settings() {
	cat <<-EOF
		listen_addresses = '127.0.0.1'
		port = $port
		unix_socket_directories = ''
		max_connections = 300
		shared_buffers = 128MB
		fsync = off
		synchronous_commit = off
		full_page_writes = off
		max_prepared_transactions = 20
	EOF
}

own_url() { printf 'postgres://urutu:%s@127.0.0.1:%s/postgres?sslmode=disable' "$(cat "$state/password")" "$port"; }

# Makes the server's files once. The password is random and readable by this user only.
create_own() {
	local bin=$1 data=$2 pwfile
	mkdir -p "$state"
	(umask 077 && od -An -tx1 -N16 /dev/urandom | tr -d ' \n' >"$state/password")
	pwfile=$(mktemp)
	cat "$state/password" >"$pwfile"
	if [ "$(id -u)" = 0 ]; then
		install -d -o postgres -g postgres -m 700 "$data"
		chown postgres "$pwfile"
	else
		mkdir -p "$data"
	fi
	as_owner "$bin/initdb" -D "$data" -U urutu -A scram-sha-256 --pwfile="$pwfile" -E UTF8 --locale=C.UTF-8 -N >/dev/null
	rm -f "$pwfile"
	settings | as_owner tee -a "$data/postgresql.conf" >/dev/null
}

start_own() {
	local bin=$1 data
	data=$(data_dir)
	# Two runs at once must not make the same server twice.
	mkdir -p "$state"
	exec 9>"$state/lock"
	if command -v flock >/dev/null; then flock 9; fi
	if ! as_owner test -f "$data/PG_VERSION" || [ ! -s "$state/password" ]; then
		as_owner "$bin/pg_ctl" -D "$data" status >/dev/null 2>&1 && as_owner "$bin/pg_ctl" -D "$data" stop -m fast >/dev/null 2>&1
		rm -rf "$data"
		create_own "$bin" "$data" || return 1
	fi
	if ! as_owner "$bin/pg_ctl" -D "$data" status >/dev/null 2>&1; then
		as_owner "$bin/pg_ctl" -D "$data" -l "$data/server.log" -w -t 60 start >/dev/null 9>&- || {
			as_owner tail -n 20 "$data/server.log" >&2
			return 1
		}
	fi
	exec 9>&-
	answers "$(own_url)"
}

start_compose() {
	local compose
	if docker info >/dev/null 2>&1 && docker compose version >/dev/null 2>&1; then
		compose=(docker compose)
	elif podman info >/dev/null 2>&1 && podman compose version >/dev/null 2>&1; then
		compose=(podman compose)
	else
		return 1
	fi
	say "services: ${compose[*]} up"
	URUTU_SERVICES_PORT=$port "${compose[@]}" -f "$root/compose.yaml" up -d --wait >&2 && answers "$compose_url"
}

stop() {
	local bin data
	data=$(data_dir)
	bin=$(programs) || true
	if [ -n "$bin" ] && as_owner test -f "$data/PG_VERSION"; then
		as_owner "$bin/pg_ctl" -D "$data" stop -m fast >&2 || true
	fi
	if docker info >/dev/null 2>&1; then docker compose -f "$root/compose.yaml" stop >&2 || true; fi
	exit 0
}

case ${1:-start} in
start) ;;
stop) stop ;;
*) die "usage: scripts/services.sh [start|stop]" ;;
esac

if [ -n "${URUTU_TEST_POSTGRES:-}" ]; then
	answers "$URUTU_TEST_POSTGRES" || die "no PostgreSQL answers where URUTU_TEST_POSTGRES points"
	found "$URUTU_TEST_POSTGRES" "at URUTU_TEST_POSTGRES"
fi
if [ -z "${URUTU_SERVICES_OWN:-}" ] && answers "$default_url"; then
	found "$default_url" "on 127.0.0.1:5432"
fi
bin=$(programs) || true
if [ -n "$bin" ] && start_own "$bin"; then found "$(own_url)" "of our own on port $port ($(data_dir))"; fi
if start_compose; then found "$compose_url" "in a container on port $port"; fi
if [ -z "$bin" ] && apt_install postgresql; then
	bin=$(programs) || true
	if answers "$default_url"; then found "$default_url" "on 127.0.0.1:5432"; fi
	if [ -n "$bin" ] && start_own "$bin"; then found "$(own_url)" "of our own on port $port ($(data_dir))"; fi
fi
say "services: no PostgreSQL: none runs, none is installed, no container engine answers, and nothing could be installed"
exit 3
