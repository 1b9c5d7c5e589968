#!/bin/sh
# Brings up the kind lab: kind clusters joined by Isthmus, with a sample application.
#
#   deploy/kind/up.sh [--clusters east,west,south] [--profile dev|release] [--from DIR] [--no-samples]
#
#   --clusters     their names, in order; each also runs one of the federation servers
#   --profile      how the programs are built (default: dev, which builds fast)
#   --from         take the programs from DIR instead of building them
#   --no-samples   leave the sample application out
#
# Needs a container engine (one is started where there is none, for root on Debian). kind, kubectl and helm are those of
# this machine, or are built. State is in .kind/ of the repository: .kind/config is the kubeconfig of all clusters,
# .kind/isthmus asks the federation. What is there already is kept, so it may be run again after a change: programs are
# built anew and rolled out. deploy/kind/down.sh removes everything.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
. "$here/lib.sh"

clusters='east west south' profile=dev from='' samples=true
while [ $# -gt 0 ]; do
    case $1 in
    --no-samples) samples=false ;;
    --clusters | --profile | --from)
        [ $# -ge 2 ] || fail "$1 needs a value" 64
        case $1 in
        --clusters) clusters=$(printf %s "$2" | tr ',' ' ') ;;
        --profile) profile=$2 ;;
        --from) from=$2 ;;
        esac
        shift
        ;;
    *) fail "unknown argument $1 (see the head of $0)" 64 ;;
    esac
    shift
done
for name in $clusters; do
    case $name in *[!a-z0-9-]* | -* | *-) fail "$name is no name for a cluster" 64 ;; esac
done
begin=$(now)
mkdir -p "$state"
one_at_a_time "$state/.lock"
if [ -f "$state/clusters" ] && [ "$(cat "$state/clusters")" != "$clusters" ]; then
    fail "there is a lab of other clusters ($(cat "$state/clusters")): end it first, with deploy/kind/down.sh"
fi

# 1. What it takes.
began=$(now)
engine=$("$root/deploy/setup/engine.sh")
export "$engine"
choose_node_image
"$root/deploy/setup/node-image.sh" >/dev/null
kind=${ISTHMUS_KIND:-$(tool kind)}
kubectl=$(tool kubectl)
helm=$(tool helm)
export ISTHMUS_KIND="$kind"
printf '%s\n' "$clusters" >"$state/clusters"
printf 'DOCKER_HOST=%s\nKUBECTL=%s\n' "$DOCKER_HOST" "$kubectl" >"$state/env"
done_in "$began" "engine, node image, kind, kubectl and helm are there"

# 2. Clusters and images, at the same time.
began=$(now)
new_cluster() { "$root/deploy/setup/kind-cluster.sh" up "$1" "$(index_of "$1")" "$kubeconfig" 9>&-; }
new_images() {
    set -- --profile "$profile" --base scratch --tag kind ${from:+--from "$from"}
    [ "$samples" = false ] || set -- "$@" --sample
    "$root/deploy/images/build.sh" "$@" >"$state/images.new"
    mv "$state/images.new" "$state/images"
    done_in "$began" "images built: $(tr '\n' ' ' <"$state/images")"
}
all_clusters() {
    # shellcheck disable=SC2086 # names
    at_once new_cluster $clusters
    done_in "$began" "clusters are up: $clusters"
}
both() { "$1"; }
at_once both all_clusters new_images

# 3. The images into the nodes; a server's data outlives its pod on the node's disk.
began=$(now)
load() {
    # shellcheck disable=SC2046 # names
    "$kind" load docker-image --quiet $(cat "$state/images") --name "$1" 2>"$state/load-$1.log" ||
        fail "images do not go into $1: $(cat "$state/load-$1.log")"
    docker exec "$(node_of "$1")" install -d -o 65532 -g 65532 -m 700 /var/isthmus/server
}
# shellcheck disable=SC2086 # names
at_once load $clusters
done_in "$began" "images are in the nodes"

# 4. The clusterset's authority. Whoever has .kind/ca owns the clusterset.
began=$(now)
in_image() {
    docker run --rm -i --network kind --user "$(id -u):$(id -g)" --volume "$state:/state" isthmus:kind "$@"
}
[ -f "$state/ca/ca.pem" ] || in_image isthmus ca init --clusterset "$CLUSTERSET" --out /state/ca >/dev/null
servers='' members=''
for name in $clusters; do
    address=$(address_of "$name")
    servers=${servers:+$servers,}$address:30400
    members="$members    - {id: $(index_of "$name"), api: \"$address:30400\", raft: \"$address:30401\"}
"
done
printf 'clusterset: %s\nserver:\n  members:\n%s' "$CLUSTERSET" "$members" >"$state/values.yaml"
# The password is the file system's: the certificate of an operator.
cat >"$state/isthmus" <<WRAPPER
#!/bin/sh
# Asks the federation of the kind lab, as its operator. Written by deploy/kind/up.sh.
exec docker --host '$DOCKER_HOST' run --rm -i --network kind --user "\$(id -u):\$(id -g)" --volume '$state/ca/admin:/admin:ro' \\
    --env ISTHMUS_SERVERS='$servers' --env ISTHMUS_IDENTITY=/admin isthmus:kind isthmus "\$@"
WRAPPER
chmod 755 "$state/isthmus"

# 5. A federation server in each cluster.
# The pods' programs are another build under the same tag, so they are told by the image's id to roll over to it.
image_id=$(docker image inspect --format '{{.Id}}' isthmus:kind)
release() {
    cluster=$1 name=$2
    shift 2
    "$helm" upgrade --install "$name" "$root/deploy/chart" --kubeconfig "$kubeconfig" --kube-context "kind-$cluster" \
        --namespace "$NAMESPACE" --values "$here/values.yaml" --values "$state/values.yaml" --set podAnnotations.image="$image_id" \
        "$@" >"$state/helm-$cluster-$name.log" 2>&1 || fail "helm in $cluster: $(cat "$state/helm-$cluster-$name.log")"
}
server() {
    sed "s/@NODE@/$(node_of "$1")/" "$here/cluster.yaml" | in_cluster "$1" apply --server-side --force-conflicts -f - >/dev/null
    in_cluster "$1" -n "$NAMESPACE" create secret generic isthmus-clusterset-ca --dry-run=client -o yaml \
        --from-file="$state/ca/ca.pem" --from-file="$state/ca/ca-key.pem" | in_cluster "$1" apply -f - >/dev/null
    release "$1" isthmus-server --set server.enabled=true,server.id="$(index_of "$1")" --set agent.enabled=false,gateway.enabled=false
    in_cluster "$1" -n "$NAMESPACE" rollout status statefulset/isthmus-server --timeout 120s >/dev/null ||
        fail "the federation server of $1 is not ready: $(in_cluster "$1" -n "$NAMESPACE" get pods; in_cluster "$1" -n "$NAMESPACE" logs statefulset/isthmus-server --tail 5)"
}
# shellcheck disable=SC2086 # names
at_once server $clusters
done_in "$began" "federation servers are ready: $servers"

# 6. A token, an agent and gateways in each cluster.
began=$(now)
agent() {
    if ! in_cluster "$1" -n "$NAMESPACE" get secret isthmus-agent >/dev/null 2>&1; then
        "$state/isthmus" token create --cluster "$1" --format secret 2>"$state/token-$1.log" | in_cluster "$1" apply -f - >/dev/null ||
            fail "no join token for $1: $(cat "$state/token-$1.log")"
    fi
    release "$1" isthmus --set cluster="$1",region="$1"
    for deployment in isthmus-agent isthmus-gateway; do
        in_cluster "$1" -n "$NAMESPACE" rollout status "deployment/$deployment" --timeout 120s >/dev/null ||
            fail "$deployment of $1 is not ready: $(in_cluster "$1" -n "$NAMESPACE" get pods; in_cluster "$1" -n "$NAMESPACE" logs "deployment/$deployment" --tail 5)"
    done
    in_cluster "$1" -n kube-system rollout status deployment/coredns --timeout 120s >/dev/null ||
        fail "CoreDNS of $1 does not come back with names of the clusterset: $(in_cluster "$1" -n kube-system get pods)"
}
# shellcheck disable=SC2086 # names
at_once agent $clusters
done_in "$began" "joined: $clusters"

# 7. The sample application, and the first call across clusters.
if [ "$samples" = true ]; then
    began=$(now)
    sample() {
        for file in "$here/samples/common.yaml" "$here/samples/$1.yaml"; do
            [ ! -f "$file" ] || sed "s/@CLUSTER@/$1/" "$file" | in_cluster "$1" apply -f - >/dev/null
        done
        in_cluster "$1" -n demo wait --for=condition=Available deployment --all --timeout 120s >/dev/null ||
            fail "the sample application of $1 is not ready: $(in_cluster "$1" -n demo get pods)"
    }
    # shellcheck disable=SC2086 # names
    at_once sample $clusters
    done_in "$began" "the sample application runs"
    case " $clusters " in *" east "*) east=true ;; *) east=false ;; esac
    case "$east $clusters " in
    "true "*" west "* | "true west "*)
        began=$(now)
        until answer=$(in_cluster east -n demo exec deploy/caller -- curl -sS --fail --max-time 2 http://echo.demo.svc.clusterset.local/ 2>&1); do
            [ $(($(now) - began)) -lt 60 ] || fail "east does not reach echo of west: $answer"
            sleep 0.2
        done
        done_in "$began" "first call from east to west: $answer"
        ;;
    esac
fi
done_in "$begin" "in all"

cat <<TEXT

Try:
  export KUBECONFIG=$kubeconfig
  kubectl --context kind-east -n demo exec deploy/caller -- curl -s http://echo.demo.svc.clusterset.local/
  kubectl --context kind-east -n demo exec deploy/caller -- dig +short +search echo.demo.svc.clusterset.local
  kubectl --context kind-west -n demo get serviceexport,serviceimport
  .kind/isthmus status
  .kind/isthmus explain demo/echo --from east
  isthmus-lab kind-check       (the whole tour: cargo run -p multi-cluster-e2e-lab -- kind-check)
  deploy/kind/down.sh          (removes everything)
TEXT
