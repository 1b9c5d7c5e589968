#!/bin/sh
# Makes sure that the engine has the image of kind's nodes, and prints its name.
#
#   deploy/setup/node-image.sh           build it if it is not there (as root, on Debian)
#   deploy/setup/node-image.sh --name    only print which image kind-cluster.sh uses
#
# Where images can be pulled, nothing needs to be built: ISTHMUS_NODE_IMAGE=kindest/node:v1.36.1 (or another of
# https://github.com/kubernetes-sigs/kind/releases) uses that one.
#
# Otherwise it is built from packages alone: Kubernetes, etcd, CoreDNS and containerd by kubernetes.sh, two root
# filesystems by debootstrap (whose archive is signed), and kind's own files from its Go module. Inside are also the images
# that its pods need: those of the control plane, and, since nothing can be pulled there, stand-ins for the two that the
# MCS-API conformance suite names (nicolaka/netshoot:v0.15 and alpine/socat:1.7.4.4). The engine gets those two as well,
# and isthmus.local/base, a Debian with network tools. 3 minutes when the programs are built, then a second.
# The engine is the one that engine.sh finds or starts. Safe to run twice at once.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/common.sh"

K8S=v1.36.3
COREDNS_TAG=v1.12.4
ETCD_TAG=3.6.8
SUITE=bookworm
# Never pulled from: kubeadm's imageRepository, and the names of what is built here.
REPO=isthmus.local
NODE=$REPO/node:$K8S
BASE=$REPO/base:$SUITE
ROOT=$REPO/node-root:$SUITE
NETSHOOT=nicolaka/netshoot:v0.15
SOCAT=alpine/socat:1.7.4.4
# kube-proxy uses the first line; conformance tests and people who look around use the others.
BASE_PACKAGES=iptables,nftables,conntrack,kmod,iproute2,\
ca-certificates,curl,dnsutils,netcat-openbsd,socat,procps
NODE_PACKAGES=runc,iptables,nftables,iproute2,containernetworking-plugins,conntrack,ethtool,socat,util-linux,mount,kmod,\
ca-certificates,curl,systemd,systemd-sysv,dbus,procps,jq,libseccomp2
CONTROL_PLANE='kube-apiserver kube-controller-manager kube-scheduler etcd coredns'
IN_NODE='containerd containerd-shim-runc-v2 ctr kubelet kubeadm kubectl'
LABEL=dev.isthmus.recipe

case ${1:-} in
'') ;;
--name)
    printf '%s\n' "${ISTHMUS_NODE_IMAGE:-$NODE}"
    exit 0
    ;;
*) fail "there is no argument $1: see the head of $0" 64 ;;
esac

engine=$("$here/engine.sh")
export "$engine"
if [ -n "${ISTHMUS_NODE_IMAGE:-}" ]; then
    if ! docker image inspect "$ISTHMUS_NODE_IMAGE" >/dev/null 2>&1; then
        say "pulling $ISTHMUS_NODE_IMAGE"
        said=$(docker pull --quiet "$ISTHMUS_NODE_IMAGE" 2>&1) ||
            fail "$ISTHMUS_NODE_IMAGE cannot be pulled: $said (unset ISTHMUS_NODE_IMAGE to build one)" 69
    fi
    printf '%s\n' "$ISTHMUS_NODE_IMAGE"
    exit 0
fi

# An image is as it should be when it was made by the recipe that stands here now.
recipe_of() {
    { printf '%s\n' "$@"; } | sha256sum | cut -d' ' -f1
}
is_there() {
    [ "$(docker image inspect --format "{{index .Config.Labels \"$LABEL\"}}" "$1" 2>/dev/null)" = "$2" ]
}
base_recipe=$(recipe_of base "$SUITE" "$BASE_PACKAGES")
root_recipe=$(recipe_of root "$SUITE" "$NODE_PACKAGES")
recipe=$(recipe_of "$(cat "$0" "$here/kubernetes.sh" "$here/kubernetes/go.mod" "$here/kubernetes/go.sum")")
all_there() {
    for image in "$NODE" "$NETSHOOT" "$SOCAT"; do
        is_there "$image" "$recipe" || return 1
    done
    is_there "$BASE" "$base_recipe"
}
if all_there; then
    printf '%s\n' "$NODE"
    exit 0
fi

[ "$(id -u)" = 0 ] ||
    fail "the node image must be built as root (debootstrap); where images can be pulled, set ISTHMUS_NODE_IMAGE instead" 69
cache=$(cache_directory)
mkdir -p "$cache"
one_at_a_time "$cache/.node-image.lock"
if all_there; then
    printf '%s\n' "$NODE"
    exit 0
fi

need go tar
for pair in debootstrap:debootstrap gcc:gcc /usr/lib/x86_64-linux-gnu/libc.a:libc6-dev; do
    [ -e "${pair%%:*}" ] || command -v "${pair%%:*}" >/dev/null 2>&1 || absent="${absent:-} ${pair##*:}"
done
# shellcheck disable=SC2086 # package names
[ -z "${absent:-}" ] || install_debian $absent
# shellcheck disable=SC2086 # program names
programs=$("$here/kubernetes.sh" $CONTROL_PLANE kube-proxy $IN_NODE kind)

work=$(mktemp -d "$cache/.node-image.XXXXXX")
prepared=isthmus-node-image-$$
clean() {
    docker rm -f "$prepared" >/dev/null 2>&1 || true
    # debootstrap mounts these while it runs.
    umount "$work"/*/proc "$work"/*/sys >/dev/null 2>&1 || true
    rm -rf --one-file-system "$work"
}
trap clean EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
if docker buildx version >/dev/null 2>&1; then export DOCKER_BUILDKIT=1; else export DOCKER_BUILDKIT=0; fi

# quietly WHAT COMMAND...: its output is shown only if it fails.
quietly() {
    what=$1
    shift
    "$@" >"$work/log" 2>&1 </dev/null || fail "$what failed: $(tail -n 20 "$work/log")"
}
# root_image NAME RECIPE PACKAGES
root_image() {
    is_there "$1" "$2" && return 0
    say "installing a Debian $SUITE for $1"
    # shellcheck disable=SC2086 # absent when there is no mirror of one's own
    quietly "debootstrap for $1" debootstrap --variant=minbase --include="$3" "$SUITE" "$work/tree" ${ISTHMUS_DEBIAN_MIRROR:-}
    rm -rf "$work"/tree/var/cache/apt/archives/*.deb "$work"/tree/var/lib/apt/lists/* "$work"/tree/usr/share/doc \
        "$work"/tree/usr/share/man "$work"/tree/usr/share/locale
    tar -C "$work/tree" -cf "$work/tree.tar" .
    quietly "importing $1" docker import --change "LABEL $LABEL=$2" "$work/tree.tar" "$1"
    rm -rf --one-file-system "$work/tree" "$work/tree.tar"
}
root_image "$BASE" "$base_recipe" "$BASE_PACKAGES"
root_image "$ROOT" "$root_recipe" "$NODE_PACKAGES"

say 'building the images of the control plane'
cat >"$work/pause.c" <<'C'
/* The first process of every pod: holds its namespaces, reaps what is left to it, and ends when asked. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
static void end(int signal) { (void)signal; _exit(0); }
static void reap(int signal) { (void)signal; while (waitpid(-1, 0, WNOHANG) > 0) {} }
int main(void) {
    signal(SIGINT, end);
    signal(SIGTERM, end);
    signal(SIGCHLD, reap);
    for (;;) pause();
}
C
mkdir -p "$work/bin"
quietly 'compiling pause' gcc -O2 -static -o "$work/bin/pause" "$work/pause.c"
# image NAME PROGRAM BASE: the name may have more than one word: the name and then lines of the Dockerfile.
image() {
    rm -rf "$work/context"
    mkdir -p "$work/context/usr/local/bin"
    ln "$work/bin/$2" "$work/context/usr/local/bin/$2" 2>/dev/null || cp "$programs/$2" "$work/context/usr/local/bin/$2"
    cat >"$work/Dockerfile" <<DOCKERFILE
FROM $3
COPY . /
ENV PATH=/usr/local/bin:/usr/bin:/usr/sbin:/bin:/sbin
LABEL $LABEL=$recipe
ENTRYPOINT ["/usr/local/bin/$2"]
DOCKERFILE
    quietly "building $1" docker build --file "$work/Dockerfile" --tag "$1" "$work/context"
    images="${images:-} $1"
}
image "$REPO/k8s/pause:3.10" pause scratch
for program in $CONTROL_PLANE; do
    case $program in
    etcd) tag=$ETCD_TAG ;;
    coredns) tag=$COREDNS_TAG ;;
    *) tag=$K8S ;;
    esac
    image "$REPO/k8s/$program:$tag" "$program" scratch
done
image "$REPO/k8s/kube-proxy:$K8S" kube-proxy "$BASE"

mkdir "$work/empty"
# standin NAME ENTRYPOINT
standin() {
    printf 'FROM %s\nLABEL %s=%s\nENTRYPOINT %s\n' "$BASE" "$LABEL" "$recipe" "$2" >"$work/Dockerfile"
    quietly "building $1" docker build --file "$work/Dockerfile" --tag "$1" "$work/empty"
    images="$images $1"
}
standin "$NETSHOOT" '[]'
standin "$SOCAT" '["/usr/bin/socat"]'
images="$images $BASE"

say 'building the node'
kind_version=$(go version -m "$programs/kind" | awk '$1 == "mod" { print $3 }')
kind_module=$(go mod download -json "sigs.k8s.io/kind@$kind_version" | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
[ -d "$kind_module/images/base/files" ] || fail "the module of kind has no images/base/files: $kind_module"
node=$work/node
mkdir -p "$node/files/kind/manifests" "$node/files/usr/local/bin" "$node/files/usr/bin" "$node/files/opt/cni" \
    "$node/files/usr/local/sbin" "$node/files/etc/kubernetes/manifests"
cp -r --no-preserve=mode "$kind_module/images/base/files/." "$node/files/"
chmod 755 "$node"/files/kind/bin/* "$node"/files/usr/local/bin/*
for program in $IN_NODE; do
    case $program in
    kube*) cp "$programs/$program" "$node/files/usr/bin/" ;;
    *) cp "$programs/$program" "$node/files/usr/local/bin/" ;;
    esac
done
ln -s /usr/lib/cni "$node/files/opt/cni/bin"
ln -s /usr/sbin/runc "$node/files/usr/local/sbin/runc"
printf '%s' "$K8S" >"$node/files/kind/version"
cat >"$node/files/kind/manifests/default-storage.yaml" <<'YAML'
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata:
  name: standard
  annotations:
    storageclass.kubernetes.io/is-default-class: "true"
provisioner: kubernetes.io/no-provisioner
volumeBindingMode: WaitForFirstConsumer
YAML
# restrict_oom_score_adj: a machine without CAP_SYS_RESOURCE cannot lower a score. The unit files that go are those that a
# container cannot have: devices, consoles, other services of a Debian.
cat >"$node/prepare.sh" <<PREPARE
set -e
sed -i 's#sandbox_image = .*#sandbox_image = "$REPO/k8s/pause:3.10"#
        s/restrict_oom_score_adj = false/restrict_oom_score_adj = true/' /etc/containerd/config.toml
ctr oci spec | jq '.hooks.createContainer += [{"path": "/kind/bin/mount-product-files.sh"}] | del(.process.rlimits)' \\
    >/etc/containerd/cri-base.json
rm -f /lib/systemd/system/sysinit.target.wants/systemd-tmpfiles-setup.service \\
    /lib/systemd/system/multi-user.target.wants/* /etc/systemd/system/*.wants/* \\
    /lib/systemd/system/local-fs.target.wants/* /lib/systemd/system/basic.target.wants/* \\
    /lib/systemd/system/sockets.target.wants/*udev* /lib/systemd/system/sockets.target.wants/*initctl*
echo ReadKMsg=no >>/etc/systemd/journald.conf
ln -sf /usr/lib/systemd/systemd /sbin/init
systemctl enable kubelet containerd undo-mount-hacks
systemctl mask systemd-binfmt
PREPARE
cat >"$node/Dockerfile" <<DOCKERFILE
FROM $ROOT
COPY files/ /
COPY prepare.sh /prepare.sh
RUN sh /prepare.sh && rm /prepare.sh
ENV container=docker
STOPSIGNAL SIGRTMIN+3
DOCKERFILE
quietly 'building the node' docker build --tag "$REPO/node-bare:$K8S" "$node"

say 'putting the images into the node'
quietly 'starting a node to fill' \
    docker run -d --privileged --network none --name "$prepared" --entrypoint sleep "$REPO/node-bare:$K8S" infinity
docker exec -d "$prepared" sh -c 'echo $$ >/run/filling.pid; exec containerd >/run/filling.log 2>&1'
waited=0
until docker exec "$prepared" ctr version >/dev/null 2>&1; do
    [ "$waited" -lt 150 ] || fail "containerd does not start in the node: $(docker exec "$prepared" tail -n 5 /run/filling.log)"
    waited=$((waited + 1))
    sleep 0.2
done
# shellcheck disable=SC2086 # image names
docker save --output "$work/images.tar" $images
docker exec -i "$prepared" ctr -n k8s.io images import --all-platforms --no-unpack --local - <"$work/images.tar" \
    >"$work/log" 2>&1 || fail "the images do not fit into the node: $(tail -n 5 "$work/log")"
docker exec "$prepared" sh -c 'pid=$(cat /run/filling.pid); kill "$pid"
    while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
    rm -f /run/filling.pid /run/filling.log'
quietly 'keeping the node' docker commit --change "LABEL $LABEL=$recipe" \
    --change 'ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]' --change 'CMD []' "$prepared" "$NODE"
printf '%s\n' "$NODE"
