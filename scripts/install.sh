#!/usr/bin/env bash
# Installs what the tests stand on: git, ssh, OpenSSL, PostgreSQL 15 or later, Chromium,
# Prometheus, SoftHSM, and a
# C compiler for the race detector and PKCS#11. On Debian as root it installs what is
# missing; elsewhere it says what to install.
set -euo pipefail

has() { command -v "$1" >/dev/null 2>&1; }
has_postgres() { has initdb && has postgres || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; }
has_chromium() { has chromium || has chromium-browser || has google-chrome; }

missing=()
has git || missing+=(git)
has ssh || missing+=(openssh-client)
has openssl || missing+=(openssl)
has_postgres || missing+=(postgresql)
has_chromium || missing+=(chromium)
has prometheus || missing+=(prometheus)
has softhsm2-util || missing+=(softhsm2)
has gcc || has cc || missing+=(gcc libc6-dev)

if ! has go; then
	echo "install: Go 1.26 or later is needed: https://go.dev/doc/install" >&2
	exit 1
fi
if [ "${#missing[@]}" -eq 0 ]; then
	exit 0
fi
if [ "$(id -u)" -ne 0 ] || ! has apt-get; then
	echo "install: please install ${missing[*]} (the names are Debian's packages), then run this again" >&2
	exit 1
fi

echo "install: ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
# The distribution's own cluster would only be in the way of the throwaway one.
if [ -d /etc/postgresql-common ] || mkdir -p /etc/postgresql-common; then
	[ -e /etc/postgresql-common/createcluster.conf ] || echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.conf
fi
apt-get update -q
apt-get install -q -y --no-install-recommends "${missing[@]}"
