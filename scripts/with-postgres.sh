#!/usr/bin/env bash
# Runs a command beside a throwaway PostgreSQL cluster and removes it afterwards,
# whatever happens. The command finds it in SIGNALBOX_TEST_POSTGRES; a cluster
# named there already is used as it is.
#
#   scripts/with-postgres.sh go test ./...
set -euo pipefail

if [ "$#" -eq 0 ]; then
	echo "usage: scripts/with-postgres.sh COMMAND [ARGUMENT...]" >&2
	exit 2
fi
if [ -n "${SIGNALBOX_TEST_POSTGRES:-}" ]; then
	exec "$@"
fi

find_program() {
	command -v "$1" 2>/dev/null && return
	local found
	found=$(ls -d /usr/lib/postgresql/*/bin/"$1" 2>/dev/null | sort -V | tail -n 1)
	[ -n "$found" ] && echo "$found"
}

if ! initdb=$(find_program initdb) || ! postgres=$(find_program postgres); then
	echo "with-postgres: no PostgreSQL server found; run scripts/install.sh" >&2
	exit 1
fi

# PostgreSQL refuses to run as root.
as_owner=()
if [ "$(id -u)" -eq 0 ]; then
	as_owner=(setpriv --reuid=postgres --regid=postgres --init-groups --)
fi

dir=$(mktemp -d "${TMPDIR:-/tmp}/signalbox-pg.XXXXXX")
server=
cleanup() {
	if [ -n "$server" ]; then
		kill -QUIT "$server" 2>/dev/null || true # at once: nothing is kept
		wait "$server" 2>/dev/null || true
	fi
	rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
if [ "$(id -u)" -eq 0 ]; then
	chown postgres "$dir"
fi

(cd "$dir" && "${as_owner[@]}" "$initdb" --pgdata="$dir/data" --username=postgres --auth=trust --encoding=UTF8 --locale=C.UTF-8) >"$dir/initdb.log" 2>&1 ||
	{ cat "$dir/initdb.log" >&2; exit 1; }

start() {
	port=$((20000 + RANDOM % 40000))
	(cd "$dir" && exec "${as_owner[@]}" "$postgres" -D "$dir/data" -p "$port" \
		-c listen_addresses=127.0.0.1 -c unix_socket_directories="$dir" \
		-c fsync=on -c max_connections=300) >"$dir/server.log" 2>&1 &
	server=$!
	for _ in $(seq 150); do
		kill -0 "$server" 2>/dev/null || return 1
		grep -q 'database system is ready to accept connections' "$dir/server.log" && return 0
		sleep 0.1
	done
	return 1
}

# The port is drawn by chance and may be taken: three tries.
start || start || start || { cat "$dir/server.log" >&2; exit 1; }

export SIGNALBOX_TEST_POSTGRES="postgres://postgres@127.0.0.1:$port/postgres?sslmode=disable"
"$@"
