#!/bin/sh
# Builds the container images, and prints the name of each on standard output.
#
#   deploy/images/build.sh [--profile dev|release] [--from DIR] [--base IMAGE] [--tag TAG]
#                          [--sample] [--sample-base IMAGE]
#
#   --profile       how the programs are built (default: release)
#   --from          take the programs from DIR instead of building them: isthmus, isthmus-agent, isthmus-gateway,
#                   isthmus-server, and for --sample isthmus-lab
#   --base          what the image stands on (default: gcr.io/distroless/cc-debian12:nonroot). `scratch` needs nothing
#                   from a registry: the C library of this machine is copied, which also fits if it is newer
#   --tag           the tag of isthmus:TAG and isthmus-sample:TAG (default: the version in Cargo.toml)
#   --sample        also build the sample application of the kind lab
#   --sample-base   what that stands on: an image with sh, curl and dig (default: nicolaka/netshoot:v0.15)
#
# DOCKER_HOST names another engine. Nothing is pushed anywhere. Safe to run twice at once.
set -eu

fail() {
    printf 'build.sh: %s\n' "$1" >&2
    exit "${2:-1}"
}

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
profile=release from='' base='' tag='' sample=false sample_base=nicolaka/netshoot:v0.15
while [ $# -gt 0 ]; do
    case $1 in
    --sample)
        sample=true
        shift
        continue
        ;;
    --profile | --from | --base | --tag | --sample-base) [ $# -ge 2 ] || fail "$1 needs a value" 64 ;;
    *) fail "unknown argument $1 (see the head of $0)" 64 ;;
    esac
    case $1 in
    --profile) profile=$2 ;;
    --from) from=$2 ;;
    --base) base=$2 ;;
    --tag) tag=$2 ;;
    --sample-base) sample_base=$2 ;;
    esac
    shift 2
done
case $profile in
dev) built=debug ;;
release) built=release ;;
*) fail "--profile is dev or release, not $profile" 64 ;;
esac
if [ -z "$tag" ]; then
    tag=$(sed -n 's/^version = "\(.*\)"/\1/p' "$root/Cargo.toml" | head -n1)
fi
[ "$(uname -s)" = Linux ] || fail "the programs must be built on Linux: run this there, or give --from DIR" 69
for tool in docker ldd strip; do
    command -v "$tool" >/dev/null 2>&1 || fail "$tool is needed and not there (Debian: apt install docker.io binutils)" 69
done
docker version --format '{{.Server.Version}}' >/dev/null 2>&1 ||
    fail "no container engine answers (DOCKER_HOST is ${DOCKER_HOST:-not set}): start one, or run deploy/setup/engine.sh" 69
# The engine's older builder serves as well where the newer one is not installed, and needs no image of its own.
if docker buildx version >/dev/null 2>&1; then export DOCKER_BUILDKIT=1; else export DOCKER_BUILDKIT=0; fi

programs='isthmus isthmus-agent isthmus-gateway isthmus-server'
if [ -z "$from" ]; then
    # The same set as everywhere, so that nothing is compiled twice.
    (cd "$root" && "${CARGO:-cargo}" build --locked --profile "$profile" --workspace --exclude multi-cluster-e2e-sim --bins) >&2
    from=${CARGO_TARGET_DIR:-$root/target}/$built
fi

stage=$(mktemp -d "${TMPDIR:-/tmp}/isthmus-image.XXXXXX")
trap 'rm -rf "$stage"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# put PROGRAM FOLDER: stripped.
put() {
    [ -x "$from/$1" ] || fail "$from/$1 is not there: build it first, or leave out --from"
    mkdir -p "$2"
    strip -o "$2/$1" "$from/$1"
    chmod 755 "$2/$1"
}

# The files that a program is linked with, its loader last.
libraries() {
    ldd "$1" | awk '$2 == "=>" && $3 ~ /^\// { print $3 } $1 ~ /^\// { loader = $1 } END { if (loader) print loader }'
}

mkdir -p "$stage/isthmus/rootfs"
for program in $programs; do
    put "$program" "$stage/isthmus/rootfs/usr/local/bin"
done
if [ "$base" = scratch ]; then
    for program in $programs; do libraries "$from/$program"; done | sort -u | while read -r library; do
        install -D -m 755 "$(readlink -f "$library")" "$stage/isthmus/rootfs$library"
    done
    mkdir -p "$stage/isthmus/rootfs/etc"
    printf 'nonroot:x:65532:65532:nonroot:/nonexistent:/sbin/nologin\n' >"$stage/isthmus/rootfs/etc/passwd"
    printf 'nonroot:x:65532:\n' >"$stage/isthmus/rootfs/etc/group"
fi
# build CONTEXT DOCKERFILE BASE NAME
build() {
    set -- "$1" "$2" "$4" ${3:+--build-arg "BASE=$3"}
    context=$1 file=$2 name=$3
    shift 3
    docker build --quiet --file "$here/$file" --tag "$name" "$@" "$context" >"$stage/log" 2>&1 ||
        fail "$name could not be built: $(cat "$stage/log") (where no image can be pulled, give --base scratch, and --sample-base an image that is there)"
    printf '%s\n' "$name"
}
build "$stage/isthmus" Dockerfile "$base" "isthmus:$tag"

if [ "$sample" = true ]; then
    own=$stage/sample/rootfs/opt/isthmus
    put isthmus-lab "$own"
    libraries "$from/isthmus-lab" | while read -r library; do
        install -D -m 755 "$(readlink -f "$library")" "$own/lib/$(basename "$library")"
    done
    loader=$(libraries "$from/isthmus-lab" | tail -n1)
    mkdir -p "$stage/sample/rootfs/usr/local/bin"
    printf '#!/bin/sh\nexec /opt/isthmus/lib/%s --library-path /opt/isthmus/lib /opt/isthmus/isthmus-lab "$@"\n' \
        "$(basename "$loader")" >"$stage/sample/rootfs/usr/local/bin/isthmus-lab"
    chmod 755 "$stage/sample/rootfs/usr/local/bin/isthmus-lab"
    build "$stage/sample" sample.Dockerfile "$sample_base" "isthmus-sample:$tag"
fi
