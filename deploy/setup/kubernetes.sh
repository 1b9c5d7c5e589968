#!/bin/sh
# Builds the real Kubernetes that tests and the kind lab run, and prints the directory that the programs are in.
#
#   deploy/setup/kubernetes.sh              kube-apiserver, kube-controller-manager, kubectl, etcd: enough for tests
#   deploy/setup/kubernetes.sh --all        these, and kubelet, kubeadm, kube-proxy, kube-scheduler, kind, coredns,
#                                           containerd (with its shim and ctr), helm, kubeconform: what kind needs
#   deploy/setup/kubernetes.sh NAME...      only these
#
# Everything is built from Go modules with the module proxy and checksum database that Go is configured for. Kubernetes
# and etcd: every module is pinned by kubernetes/go.mod and its content by kubernetes/go.sum. Each other program: its
# module is pinned below by version and content, its dependencies by its own go.mod and the checksum database.
# What is there already is not built again: 4 minutes for the tests' four from nothing, 10 for all, then milliseconds.
# Safe to run twice at once and to interrupt. They go to
# ${ISTHMUS_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/isthmus}/kubernetes-VERSION/.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/common.sh"

VERSION=v1.36.3

# TOOL MODULE VERSION CONTENT PACKAGE-IN-MODULE, for what is built by itself.
TOOLS='
kind                    sigs.k8s.io/kind                   v0.33.0 h1:AjvDv3vOygb/VKLVQW87lfktIBzkxR8Ump9DjxC8+Lk= .
coredns                 github.com/coredns/coredns         v1.12.4 h1:rIMnjPvB02drP18DTlJJb1vGkc8Tyl8fe7NFnnSv2lU= .
containerd              github.com/containerd/containerd/v2 v2.4.2 h1:p6Qg+xbEz8lvwdhHDx0U469xENvp4LgGBx+E7djXkGw= cmd/containerd
containerd-shim-runc-v2 github.com/containerd/containerd/v2 v2.4.2 h1:p6Qg+xbEz8lvwdhHDx0U469xENvp4LgGBx+E7djXkGw= cmd/containerd-shim-runc-v2
ctr                     github.com/containerd/containerd/v2 v2.4.2 h1:p6Qg+xbEz8lvwdhHDx0U469xENvp4LgGBx+E7djXkGw= cmd/ctr
helm                    helm.sh/helm/v4                    v4.3.1  h1:UndCoLe9UPmNoL7IvWzaUXveL7T5t/ijoorEmgJdI9g= cmd/helm
kubeconform             github.com/yannh/kubeconform       v0.8.0  h1:loDYd3a3spjIFrauqW67CDKF55Oo9R6uvC8AvpVd4ug= cmd/kubeconform
'
FOR_TESTS='kube-apiserver kube-controller-manager kubectl etcd'
FOR_KIND='kubelet kubeadm kube-proxy kube-scheduler kind coredns containerd containerd-shim-runc-v2 ctr helm kubeconform'

case ${1:-} in
'') wanted=$FOR_TESTS ;;
--all) wanted="$FOR_TESTS $FOR_KIND" ;;
-*) fail "there is no option $1: see the head of $0" 64 ;;
*) wanted=$* ;;
esac

cache=$(cache_directory)
directory=$cache/kubernetes-$VERSION
stamps=$directory/.built

# What a program is built from, in one line; empty for a name that is not known. A program whose line is another than
# the one that was noted when it was built is built anew.
recipe() {
    case " kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubelet kubeadm kubectl etcd " in
    *" $1 "*) printf '%s %s\n' "$1" "$modules" ;;
    *) printf '%s' "$TOOLS" | awk -v tool="$1" '$1 == tool' ;;
    esac
}
modules=$(cat "$here/kubernetes/go.mod" "$here/kubernetes/go.sum" | sha256sum | cut -d' ' -f1)

is_there() {
    [ -x "$directory/$1" ] && [ -f "$stamps/$1" ] && [ "$(cat "$stamps/$1")" = "$(recipe "$1")" ]
}
missing() {
    for name in $wanted; do
        [ -n "$(recipe "$name")" ] || fail "there is no program $name here: $FOR_TESTS $FOR_KIND" 64
        is_there "$name" || printf '%s\n' "$name"
    done
}

absent=$(missing)
if [ -z "$absent" ]; then
    printf '%s\n' "$directory"
    exit 0
fi

# The Go that the modules ask for. Another one is not fetched behind your back.
export GOTOOLCHAIN=local GOWORK=off CGO_ENABLED=0
asked=$(awk '$1 == "go" { print $2 }' "$here/kubernetes/go.mod")
command -v go >/dev/null 2>&1 || fail "go is not there: install Go $asked or newer (https://go.dev/dl)" 69
have=$(go env GOVERSION | sed 's/^go//; s/[- ].*//')
[ "$(printf '%s\n%s\n' "$asked" "$have" | sort -V | head -n1)" = "$asked" ] ||
    fail "Go $have is too old: install Go $asked or newer (https://go.dev/dl)" 69

mkdir -p "$stamps"
one_at_a_time "$directory/.lock"
absent=$(missing)
building=$(mktemp -d "$directory/.build.XXXXXX")
trap 'rm -rf "$building"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Renamed whole, so that nobody ever runs half a program; noted last, so that what is noted is there.
keep() {
    mv -f "$building/$1" "$directory/$1"
    recipe "$1" >"$building/stamp"
    mv -f "$building/stamp" "$stamps/$1"
}
said_by_go() {
    sed 's/^/    /' "$building/log" >&2
    fail "go could not build $1 (see above): is the module proxy reachable? go env GOPROXY is $(go env GOPROXY)" 69
}
# The version flags: without them every client complains of version v0.0.0-master.
stamp=k8s.io/component-base/version
flags="-s -w -X $stamp.gitVersion=$VERSION -X $stamp.gitMajor=1 -X $stamp.gitMinor=36 -X $stamp.gitTreeState=clean"

for name in $absent; do
    say "building $name"
    case $(recipe "$name") in
    "$name $modules")
        case $name in
        etcd) package=go.etcd.io/etcd/server/v3 ;;
        *) package=k8s.io/kubernetes/cmd/$name ;;
        esac
        GOFLAGS='-mod=readonly -buildvcs=false' go -C "$here/kubernetes" build -ldflags="$flags" -o "$building/$name" "$package" \
            >"$building/log" 2>&1 || said_by_go "$name"
        ;;
    *)
        # shellcheck disable=SC2046 # the line is split into its words
        set -- $(recipe "$name")
        package=$2
        [ "$5" = . ] || package=$2/$5
        # btrfs and devmapper would need C libraries; no other program knows these tags.
        GOFLAGS='-buildvcs=false -tags=no_btrfs,no_devmapper' GOBIN=$building go install -ldflags='-s -w' "$package@$3" \
            >"$building/log" 2>&1 || said_by_go "$name"
        go version -m "$building/$name" | grep -q "mod[[:space:]]*$2[[:space:]]*$3[[:space:]]*$4" ||
            fail "$2 $3 is not the module that was pinned: its content is not $4"
        ;;
    esac
    keep "$name"
done
printf '%s\n' "$directory"
