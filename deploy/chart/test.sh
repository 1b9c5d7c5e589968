#!/bin/sh
# Checks the chart: lints it, renders it with each of ci/*-values.yaml, validates every object against the API of a real
# kube-apiserver, and lets that server itself accept them (a dry run) in a namespace that enforces the restricted pod
# security standard.
#
#   deploy/chart/test.sh
#
# helm, kubeconform, etcd and kube-apiserver are those of deploy/setup/kubernetes.sh. Everything runs in a temporary
# directory on free ports of 127.0.0.1, and is gone afterwards.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
. "$root/deploy/setup/common.sh"

need python3 openssl curl
bin=$("$root/deploy/setup/kubernetes.sh" etcd kube-apiserver kubectl helm kubeconform)
work=$(mktemp -d "${TMPDIR:-/tmp}/isthmus-chart.XXXXXX")
started=''
clean() {
    # At once: an API server that has lost its etcd takes minutes to end by itself, and nothing here is worth saving.
    # shellcheck disable=SC2086 # process numbers
    [ -z "$started" ] || kill -9 $started 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$work"
}
trap clean EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# Three ports that nobody had a moment ago.
ports=$(python3 -c 'import socket
s = [socket.socket() for _ in range(3)]
[x.bind(("127.0.0.1", 0)) for x in s]
print(*[x.getsockname()[1] for x in s])')
# shellcheck disable=SC2086 # numbers
set -- $ports
cd "$work"
openssl genrsa -out sa.key 2048 2>/dev/null
token=$(openssl rand -hex 16)
printf '%s,admin,1,system:masters\n' "$token" >tokens.csv
"$bin/etcd" --unsafe-no-fsync --data-dir etcd --listen-client-urls "http://127.0.0.1:$1" --advertise-client-urls "http://127.0.0.1:$1" \
    --listen-peer-urls "http://127.0.0.1:$2" --initial-advertise-peer-urls "http://127.0.0.1:$2" \
    --initial-cluster "default=http://127.0.0.1:$2" >etcd.log 2>&1 &
started="$started $!"
"$bin/kube-apiserver" --etcd-servers "http://127.0.0.1:$1" --cert-dir certs --bind-address 127.0.0.1 --secure-port "$3" \
    --service-cluster-ip-range 10.96.0.0/16 --service-account-issuer https://kubernetes.default.svc \
    --service-account-key-file sa.key --service-account-signing-key-file sa.key --authorization-mode RBAC \
    --token-auth-file tokens.csv --disable-admission-plugins ServiceAccount >api.log 2>&1 &
started="$started $!"
kubectl() {
    "$bin/kubectl" --server "https://127.0.0.1:$port" --insecure-skip-tls-verify --token "$token" --kubeconfig /dev/null "$@"
}
port=$3 waited=0
until kubectl get --raw /readyz >/dev/null 2>&1 && kubectl get namespace default >/dev/null 2>&1; do
    [ "$waited" -lt 300 ] || fail "the API server does not come up: $(tail -n 5 api.log)"
    waited=$((waited + 1))
    sleep 0.2
done
kubectl apply --server-side -f "$root/deploy/crds" >/dev/null
kubectl wait --for=condition=Established crd --all --timeout 60s >/dev/null
kubectl create namespace isthmus-system >/dev/null
kubectl label namespace isthmus-system pod-security.kubernetes.io/enforce=restricted pod-security.kubernetes.io/warn=restricted >/dev/null
kubectl get --raw /openapi/v2 | python3 "$here/schemas.py" schemas

problems=0
problem() {
    problems=$((problems + 1))
    printf 'test.sh: %s\n' "$1" >&2
}
for values in "$here"/ci/*-values.yaml; do
    name=$(basename "$values" -values.yaml)
    "$bin/helm" lint --quiet --strict "$here" --values "$values" >lint 2>&1 || problem "$name: helm lint: $(cat lint)"
    "$bin/helm" template isthmus "$here" --namespace isthmus-system --values "$values" >"$name.yaml" 2>render ||
        problem "$name: helm template: $(cat render)"
    "$bin/kubeconform" -strict -schema-location 'schemas/{{ .ResourceKind }}{{ .KindSuffix }}.json' "$name.yaml" >conform 2>&1 ||
        problem "$name: kubeconform: $(cat conform)"
    # hostPath is what the restricted standard forbids; the chart says so where it offers it.
    said=$(kubectl apply --server-side --dry-run=server --validate=strict -f "$name.yaml" 2>&1 >/dev/null | grep -v hostPath) || true
    [ -z "$said" ] || problem "$name: the API server says: $said"
done
# What must be refused, or the checks above say nothing.
refuse() {
    ! "$bin/helm" template isthmus "$here" --values "$here/ci/agent-values.yaml" "$@" >/dev/null 2>&1 || problem "helm accepts $*"
}
refuse --set cluster=Not_A_Label
refuse --set cluster=
refuse --set gateway.replicas=-1
refuse --set gatway.replicas=1
refuse --set servers=
refuse --set server.enabled=true
sed 's/runAsNonRoot: true/runAsNonRoot: false/' agent.yaml >root.yaml
kubectl apply --server-side --dry-run=server -f root.yaml 2>&1 | grep -q 'would violate PodSecurity' ||
    problem "a pod that runs as root is not noticed"
sed 's/replicas: 1/replicaz: 1/' agent.yaml | "$bin/kubeconform" -strict -schema-location 'schemas/{{ .ResourceKind }}{{ .KindSuffix }}.json' >/dev/null 2>&1 &&
    problem "kubeconform does not notice a field that does not exist"
[ "$problems" = 0 ] || fail "$problems problems"
say "the chart is sound in $(ls "$here"/ci/*-values.yaml | wc -l) forms"
