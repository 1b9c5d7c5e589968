#!/bin/sh
# Creates one kind cluster of one node, or deletes it.
#
#   deploy/setup/kind-cluster.sh up NAME INDEX KUBECONFIG
#   deploy/setup/kind-cluster.sh down NAME INDEX KUBECONFIG
#
# INDEX (1 to 15) chooses ranges that no other cluster of the same engine may have: pods in 10.(240+INDEX).0.0/16 and
# services in 10.(90+INDEX).0.0/16. The context kind-NAME is added to the file KUBECONFIG, or taken out of it. A cluster
# that is there already is left as it is, and one that is not there is not missed; so both may be run again, and for
# several clusters at once. The engine is the one that engine.sh finds or starts, the node image what node-image.sh says.
# The cluster's network is kind's own where the image was pulled, and one bridge in our own image, whose packages do not
# hold kind's: enough for clusters of one node. ISTHMUS_KIND names another kind.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/common.sh"

COREDNS_TAG=v1.12.4
ETCD_TAG=3.6.8
# Each cluster uses about 27 of them as the engine's user; the usual limit is 128 and the error "too many open files".
INOTIFY_INSTANCES=1024

usage() {
    fail "$1 (usage: kind-cluster.sh up|down NAME INDEX KUBECONFIG)" 64
}
[ $# = 4 ] || usage "four arguments are needed"
verb=$1 name=$2 index=$3 kubeconfig=$4
case $name in
'' | *[!a-z0-9-]* | -* | *-) usage "$name is no name for a cluster" ;;
esac
case $index in
[1-9] | 1[0-5]) ;;
*) usage "INDEX is $index, and must be 1 to 15" ;;
esac

engine=$("$here/engine.sh")
export "$engine"
image=$("$here/node-image.sh" --name)
cache=$(cache_directory)/kind
mkdir -p "$cache"

if [ -n "${ISTHMUS_KIND:-}" ]; then
    kind=$ISTHMUS_KIND
elif [ -n "${ISTHMUS_NODE_IMAGE:-}" ] && command -v kind >/dev/null 2>&1; then
    kind=kind
else
    kind=$("$here/kubernetes.sh" kind)/kind
fi
exists() {
    "$kind" get clusters --quiet | grep -qxF "$name"
}

if [ "$verb" = down ]; then
    # Also takes the context out of the file when the cluster is gone already.
    one_at_a_time "$cache/.kubeconfig.lock"
    "$kind" delete cluster --quiet --name "$name" --kubeconfig "$kubeconfig" || fail "the cluster $name cannot be deleted"
    rm -f "$cache/$name.conflist" "$cache/$name.kubeconfig"
    exit 0
fi
[ "$verb" = up ] || usage "there is no verb $verb"
# kind gives up when another of its commands writes the same file at that moment.
write_kubeconfig() {
    one_at_a_time "$cache/.kubeconfig.lock"
    "$kind" export kubeconfig --quiet --name "$name" --kubeconfig "$kubeconfig"
}
if exists; then
    write_kubeconfig
    exit 0
fi
image=$("$here/node-image.sh")

instances=$(cat /proc/sys/fs/inotify/max_user_instances 2>/dev/null) || instances=$INOTIFY_INSTANCES
if [ "$instances" -lt "$INOTIFY_INSTANCES" ] &&
    ! sysctl -q -w "fs.inotify.max_user_instances=$INOTIFY_INSTANCES" 2>/dev/null; then
    say "fs.inotify.max_user_instances is $instances: a fourth cluster may fail (sudo sysctl -w fs.inotify.max_user_instances=$INOTIFY_INSTANCES)"
fi

pods=10.$((240 + index))
services=10.$((90 + index))
config=$(mktemp "$cache/.$name.XXXXXX")
trap 'rm -f "$config"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
if [ -n "${ISTHMUS_NODE_IMAGE:-}" ]; then
    cat >"$config" <<YAML
kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
name: $name
networking: {podSubnet: $pods.0.0/16, serviceSubnet: $services.0.0/16}
nodes: [{role: control-plane}]
YAML
else
    cat >"$cache/$name.conflist" <<JSON
{"cniVersion": "1.0.0", "name": "bridge", "plugins": [
  {"type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": true, "hairpinMode": true,
   "ipam": {"type": "host-local", "ranges": [[{"subnet": "$pods.0.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
JSON
    cat >"$config" <<YAML
kind: Cluster
apiVersion: kind.x-k8s.io/v1alpha4
name: $name
networking: {disableDefaultCNI: true, kubeProxyMode: iptables, podSubnet: $pods.0.0/16, serviceSubnet: $services.0.0/16}
nodes:
- role: control-plane
  extraMounts: [{hostPath: "$cache/$name.conflist", containerPath: /etc/cni/net.d/10-bridge.conflist}]
kubeadmConfigPatches:
- |
  kind: ClusterConfiguration
  imageRepository: isthmus.local/k8s
  dns: {imageRepository: isthmus.local/k8s, imageTag: $COREDNS_TAG}
  etcd: {local: {imageRepository: isthmus.local/k8s, imageTag: $ETCD_TAG}}
- |
  # A machine whose control groups are those of before 2020 serves as well. Who kills containers on purpose, as a tour
  # does, is not made to wait for minutes.
  kind: KubeletConfiguration
  failCgroupV1: false
  crashLoopBackOff: {maxContainerRestartPeriod: 2s}
YAML
fi
"$kind" create cluster --quiet --image "$image" --config "$config" --kubeconfig "$cache/$name.kubeconfig" --wait 120s ||
    fail "kind cannot create the cluster $name: see above"
# Nodes are ready some seconds before pods can be made in the default namespace and names resolve.
in_node() {
    docker exec "$name-control-plane" kubectl --kubeconfig /etc/kubernetes/admin.conf --request-timeout=0 "$@" >/dev/null
}
in_node wait --for=create serviceaccount/default --timeout=120s &&
    in_node -n kube-system rollout status deployment/coredns --timeout=120s ||
    fail "the cluster $name was created, but its DNS does not become ready: kubectl -n kube-system describe pods"
write_kubeconfig
