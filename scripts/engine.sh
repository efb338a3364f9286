#!/bin/sh
# Starts a Docker engine in the background if none answers, and waits for it. A
# running engine is left alone. For machines without a service manager.
#
#   engine.sh            start one if needed
#   engine.sh --answers  only tell, by the exit code, whether one answers
set -eu

host=${DOCKER_HOST:-unix:///var/run/docker.sock}
deadline=60 # seconds

say() { echo "engine: $*"; }

answers() {
	case $host in
	unix://*) curl -sf -o /dev/null --max-time 5 --unix-socket "${host#unix://}" http://engine/_ping ;;
	tcp://*) curl -sf -o /dev/null --max-time 5 "http://${host#tcp://}/_ping" ;;
	*) return 1 ;;
	esac
}

# A machine that was copied or lost power keeps the id of a process that is now
# another one, and dockerd then believes that it is running already.
forget_stale_pid() {
	pid=$(cat /var/run/docker.pid 2>/dev/null) || return 0
	[ "$(cat "/proc/$pid/comm" 2>/dev/null)" = dockerd ] || rm -f /var/run/docker.pid
}

if answers 2>/dev/null; then
	[ "${1-}" = --answers ] || say "running already"
	exit 0
fi
[ "${1-}" != --answers ] || exit 1

PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
if [ -n "${DOCKER_HOST-}" ]; then
	say "nothing answers at the DOCKER_HOST that is set; it is not for this script to start" >&2
	exit 1
fi
if [ "$(id -u)" != 0 ]; then
	say "none answers, or this user may not use it; only root can start one" >&2
	exit 1
fi
if ! command -v dockerd >/dev/null 2>&1; then
	say "dockerd is not installed (Debian package docker.io)" >&2
	exit 1
fi

log=$(mktemp -d "${TMPDIR:-/tmp}/dockerd.XXXXXX")/log
forget_stale_pid
say "starting dockerd, log in $log"
setsid dockerd >"$log" 2>&1 </dev/null &

while ! answers 2>/dev/null; do
	deadline=$((deadline - 1))
	if [ "$deadline" -le 0 ]; then
		say "dockerd does not answer; the end of its log:" >&2
		tail -n 20 "$log" >&2
		exit 1
	fi
	sleep 1
done
say "running"
