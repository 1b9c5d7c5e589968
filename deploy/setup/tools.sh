#!/bin/sh
# Says what is missing on this machine to build Isthmus, with what to do about it. Installs nothing.
#
#   deploy/setup/tools.sh            what it takes to build and to run the lab
#   deploy/setup/tools.sh --tests    also what the tests take
set -eu

missing=0
lack() {
    printf 'tools.sh: %s\n' "$1" >&2
    missing=1
}

# The toolchain that Cargo.toml asks for.
wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$(dirname "$0")/../../Cargo.toml")
if command -v cargo >/dev/null 2>&1; then
    have=$(cargo --version | cut -d' ' -f2)
    oldest=$(printf '%s\n%s\n' "$wanted" "$have" | sort -V | head -n1)
    [ "$oldest" = "$wanted" ] || lack "cargo $have is too old, $wanted is needed (rustup update)"
    cargo fmt --version >/dev/null 2>&1 || lack "rustfmt is not there (rustup component add rustfmt)"
    cargo clippy --version >/dev/null 2>&1 || lack "clippy is not there (rustup component add clippy)"
else
    lack "cargo is not there: install Rust $wanted or newer (https://rustup.rs)"
fi
# aws-lc, the cryptography under TLS, is C.
command -v cc >/dev/null 2>&1 || lack "a C compiler is not there (Debian: apt install build-essential)"
command -v python3 >/dev/null 2>&1 || lack "python3 is not there (Debian: apt install python3-pip)"
# Kubernetes, etcd and kind are built from their Go modules, once; what is in the cache needs no Go.
if [ "${1:-}" = --tests ]; then
    needed=$(sed -n 's/^go //p' "$(dirname "$0")/kubernetes/go.mod")
    if command -v go >/dev/null 2>&1; then
        have=$(GOTOOLCHAIN=local go env GOVERSION | sed 's/^go//; s/[- ].*//')
        oldest=$(printf '%s\n%s\n' "$needed" "$have" | sort -V | head -n1)
        [ "$oldest" = "$needed" ] || lack "Go $have is too old, $needed is needed (https://go.dev/dl)"
    else
        lack "go is not there: install Go $needed or newer (https://go.dev/dl)"
    fi
    command -v openssl >/dev/null 2>&1 || lack "openssl is not there (Debian: apt install openssl)"
    command -v flock >/dev/null 2>&1 || lack "flock is not there (Debian: apt install util-linux)"
fi

[ "$missing" -eq 0 ] || exit 69
