#!/bin/sh
# Brings a Debian machine to where `make bench` can run: installs the proxies and
# the load client that are missing. Their services are not started; the benchmark
# runs its own.
set -eu

has() { command -v "$1" >/dev/null 2>&1; }

missing=""
want() { # want COMMAND PACKAGE
	has "$1" || missing="$missing $2"
}

PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
want nginx nginx
want haproxy haproxy
want h2load nghttp2-client
want taskset util-linux
want openssl openssl

if [ -n "$missing" ]; then
	if ! has apt-get || [ "$(id -u)" != 0 ]; then
		echo "bench: only root on Debian can install packages; missing:$missing" >&2
		exit 1
	fi
	echo "bench: installing$missing"
	policy=/usr/sbin/policy-rc.d
	if [ ! -e "$policy" ]; then
		trap 'rm -f "$policy"' EXIT
		printf '#!/bin/sh\nexit 101\n' >"$policy"
		chmod 755 "$policy"
	fi
	export DEBIAN_FRONTEND=noninteractive
	apt-get update -qq
	# shellcheck disable=SC2086 # one word per package
	apt-get install -qq --no-install-recommends $missing >/dev/null
fi
