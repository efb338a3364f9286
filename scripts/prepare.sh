#!/bin/sh
# Brings a bare Debian machine to where every test can run: installs the missing
# packages and starts a Docker engine. What cannot be had is said and left out;
# the tests that need it then skip, or fail when CI is set.
set -eu

here=$(cd "$(dirname "$0")" && pwd)

say() { echo "prepare: $*"; }
has() { command -v "$1" >/dev/null 2>&1; }

missing=""
want() { # want COMMAND PACKAGE...
	command=$1
	shift
	has "$command" || missing="$missing $*"
}

PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
want gcc gcc libc6-dev
want git git
want curl curl ca-certificates
want shellcheck shellcheck
want ip iproute2
want slowhttptest slowhttptest
want testssl testssl.sh
want prometheus prometheus
want chromium chromium
ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1 || want initdb postgresql
"$here/engine.sh" --answers || want dockerd docker.io

if [ -n "$missing" ]; then
	if ! has apt-get; then
		say "this is not Debian; the tests would also use:$missing"
	elif [ "$(id -u)" != 0 ]; then
		say "only root can install packages; the tests would also use:$missing"
	else
		say "installing$missing"
		# The tests run servers of their own; the packages' are not started.
		policy=/usr/sbin/policy-rc.d
		if [ ! -e "$policy" ]; then
			trap 'rm -f "$policy"' EXIT
			# shellcheck disable=SC2016 # $1 is the policy's own
			printf '#!/bin/sh\ncase $1 in prometheus*|postgresql*) exit 101 ;; esac\n' >"$policy"
			chmod 755 "$policy"
		fi
		export DEBIAN_FRONTEND=noninteractive
		apt-get update -qq || say "the package lists could not be refreshed"
		# shellcheck disable=SC2086 # one word per package
		apt-get install -qq --no-install-recommends $missing >/dev/null ||
			say "not everything could be installed"
	fi
fi

"$here/engine.sh" || say "tests that need a Docker engine will skip, or fail when CI is set"
