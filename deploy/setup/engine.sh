#!/bin/sh
# Finds a container engine, or starts one, and prints how to reach it: DOCKER_HOST=...
#
#   export $(deploy/setup/engine.sh)     use what there is; else start one
#   deploy/setup/engine.sh --find        only use what there is
#   deploy/setup/engine.sh --stop        end the engine that this script started; its images stay in the cache
#
# In this order: the engine that DOCKER_HOST names; the engine of the docker command's context (usually the machine's
# own); an engine that this script started before; and where there is none of these, for root on Debian, a Docker engine
# of its own (docker.io from apt) with all its state in ${ISTHMUS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/isthmus}/engine.
# Where there is neither an engine nor root, it says so and exits with 69. Safe to run twice at once.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/common.sh"

cache=$(cache_directory)
mkdir -p "$cache/engine"
directory=$(cd "$cache/engine" && pwd)
socket=unix://$directory/docker.sock
# Docker gives up on a daemon after a minute as well.
PATIENCE=60

answers() {
    command -v docker >/dev/null 2>&1 && timeout 10 docker -H "$1" version --format '{{.Server.Version}}' >/dev/null 2>&1
}
found() {
    printf 'DOCKER_HOST=%s\n' "$1"
    exit 0
}
# The daemon that was started here, if it is still that one and not another process with its number.
ours() {
    pid=$(cat "$directory/pid" 2>/dev/null) || return 1
    tr '\0' '\n' <"/proc/$pid/cmdline" 2>/dev/null | grep -qxF "$socket"
}

mode=${1:-}
case $mode in
'' | --find | --stop) ;;
*) fail "there is no argument $mode: see the head of $0" 64 ;;
esac

if [ "$mode" = --stop ]; then
    one_at_a_time "$directory/.lock"
    ours || exit 0
    kill "$pid"
    waited=0
    while [ -d "/proc/$pid" ]; do
        [ "$waited" -lt $((PATIENCE * 5)) ] || fail "the engine (process $pid) does not end; its log is $directory/log"
        waited=$((waited + 1))
        sleep 0.2
    done
    exit 0
fi

if [ -n "${DOCKER_HOST:-}" ] && [ "$DOCKER_HOST" != "$socket" ]; then
    answers "$DOCKER_HOST" && found "$DOCKER_HOST"
    fail "DOCKER_HOST is $DOCKER_HOST, and no engine answers there: start it, or unset DOCKER_HOST" 69
fi
if [ -z "${DOCKER_HOST:-}" ] && command -v docker >/dev/null 2>&1; then
    default=$(docker context inspect --format '{{.Endpoints.docker.Host}}' 2>/dev/null) || default=unix:///var/run/docker.sock
    ! answers "$default" || found "$default"
fi
! answers "$socket" || found "$socket"
[ "$mode" != --find ] || fail "no container engine answers: start one, or run deploy/setup/engine.sh as root" 69

[ "$(id -u)" = 0 ] ||
    fail "no container engine answers, and one can only be started as root: start Docker, or run this as root" 69
[ "$(uname -s)" = Linux ] || fail "no container engine answers: start Docker" 69
one_at_a_time "$directory/.lock"
! answers "$socket" || found "$socket"
for pair in dockerd:docker.io iptables:iptables ip:iproute2; do
    command -v "${pair%%:*}" >/dev/null 2>&1 || absent="${absent:-} ${pair##*:}"
done
# shellcheck disable=SC2086 # package names
[ -z "${absent:-}" ] || install_debian $absent

# A machine that lacks CAP_SYS_RESOURCE (bit 24) cannot give it to a privileged container, and runc fails with "unable
# to apply caps". There, runc is asked for everything but that.
set --
bounds=$(sed -n 's/^CapBnd:[[:space:]]*//p' /proc/self/status)
if [ $((0x$bounds >> 24 & 1)) = 0 ]; then
    runc=$(command -v runc) || fail "runc is needed and not there (Debian: apt install runc)" 69
    cat >"$directory/runc" <<WRAPPER
#!/bin/sh
# The container's description is in --bundle DIR/config.json, that of a process in it (docker exec) in --process FILE.
previous=
for word in "\$@"; do
    case \$previous in
    --bundle) file=\$word/config.json ;;
    --process) file=\$word ;;
    *) file= ;;
    esac
    [ ! -f "\$file" ] || sed -i 's/"CAP_SYS_RESOURCE",//g; s/,"CAP_SYS_RESOURCE"//g' "\$file"
    previous=\$word
done
exec $runc "\$@"
WRAPPER
    chmod 755 "$directory/runc"
    set -- --add-runtime "isthmus=$directory/runc" --default-runtime isthmus
fi

say "starting a Docker engine; its log is $directory/log"
rm -f "$directory/pid"
# Without the lock, which it would hold for as long as it lives.
setsid dockerd --data-root "$directory/data" --exec-root "$directory/exec" --host "$socket" --pidfile "$directory/pid" "$@" \
    >"$directory/log" 2>&1 </dev/null 9>&- &
started=$!
waited=0
until answers "$socket"; do
    [ -d "/proc/$started" ] || fail "the engine ended again: $(tail -n 5 "$directory/log")" 69
    [ "$waited" -lt $((PATIENCE * 5)) ] || fail "the engine does not answer; its log is $directory/log" 69
    waited=$((waited + 1))
    sleep 0.2
done
found "$socket"
