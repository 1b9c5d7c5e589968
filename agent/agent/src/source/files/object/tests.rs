//! Each wrong document, with the line of the mistake in the file.

use super::super::yaml;
use super::*;

fn contents(text: &str) -> Contents {
    Contents::of(&yaml::documents(text.as_bytes()).unwrap())
}

fn told(mistake: &Mistake) -> String {
    let line = mistake.place.map_or(0, |place| place.line);
    format!("{line} {}: {}", mistake.field.as_deref().unwrap_or("-"), mistake.message)
}

/// The one mistake of a document that stands behind another one.
fn mistake(document: &str) -> String {
    let found =
        contents(&format!("apiVersion: v1\nkind: Namespace\nmetadata: {{name: demo}}\n---\n{document}"));
    assert_eq!(found.mistakes.len(), 1, "{document}: {found:?}");
    told(&found.mistakes[0])
}

fn service(rest: &str) -> String {
    format!("apiVersion: v1\nkind: Service\nmetadata: {{name: echo, namespace: demo}}\n{rest}")
}

fn slice(rest: &str) -> String {
    let labels = "labels: {kubernetes.io/service-name: echo}";
    format!(
        "apiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\n\
         metadata: {{name: echo-1, namespace: demo, {labels}}}\n{rest}"
    )
}

#[test]
fn every_mistake_is_told_with_line_and_field() {
    let long = "a".repeat(300);
    let cases: Vec<(String, &str)> = vec![
        (service("spec:\n  ports:\n  - port: 80\n  - port: 0\n"), "11 spec.ports[1].port: 0 is not a port number"),
        (service("spec:\n  ports:\n  - port: http\n"), "10 spec.ports[0].port: invalid type: string \"http\", expected"),
        (service("spec:\n  ports:\n  - port: '80'\n"), "10 spec.ports[0].port: invalid type: string"),
        (service("spec:\n  ports: 80\n"), "9 spec.ports: invalid type: integer `80`"),
        (service("spec: [1]\n"), "8 spec: invalid type: sequence"),
        (service("spec:\n  ports:\n  - {port: 80, protocol: tcp}\n"), "10 spec.ports[0].protocol: \"tcp\" is not"),
        (service("spec:\n  ports:\n  - {port: 80, name: A}\n"), "10 spec.ports[0].name: port name has the character"),
        (service("spec:\n  ports:\n  - name: a\n"), "10 spec.ports[0].port: 0 is not a port number"),
        (
            format!("apiVersion: v1\nkind: Service\nmetadata:\n  name: {long}\n  namespace: demo\n"),
            "8 metadata.name: service name has 300 bytes, more than 63",
        ),
        ("apiVersion: v1\nkind: Service\nmetadata:\n  name: echo\n".to_owned(), "8 metadata.namespace: is missing"),
        ("apiVersion: v1\nkind: Service\nmetadata: {name: 5, namespace: demo}\n".to_owned(), "7 metadata.name: invalid"),
        ("apiVersion: v1\nkind: Service\n".to_owned(), "5 metadata"),
        ("apiVersion: v1\nmetadata: {name: x}\n".to_owned(), "5 kind: is missing"),
        ("kind: Service\n".to_owned(), "5 apiVersion: is missing"),
        ("just a text\n".to_owned(), "5 kind: is missing"),
        ("- 1\n".to_owned(), "5 kind: is missing"),
        ("apiVersion: v1\nkind: [Service]\n".to_owned(), "6 kind: is not a text"),
        ("apiVersion: v2\nkind: Service\n".to_owned(), "5 apiVersion: Service is read in version v1"),
        (
            "apiVersion: multicluster.x-k8s.io/v2\nkind: ServiceExport\n".to_owned(),
            "5 apiVersion: ServiceExport is read in version v1beta1 or v1alpha1",
        ),
        (
            "apiVersion: multicluster.x-k8s.io/v1beta1\nkind: ServiceExport\nmetadata: {name: e, namespace: d}\n\
             spec:\n  exportedLabels: {a: 1}\n"
                .to_owned(),
            "9 spec.exportedLabels.a: invalid type: integer `1`, expected a string",
        ),
        (slice("addressType: IPv9\nendpoints: []\n"), "8 addressType: \"IPv9\" is not an address type"),
        (slice("addressType: IPv4\nendpoints:\n- addresses: [10.0.0.256]\n"), "10 endpoints[0].addresses[0]: \"10.0.0."),
        (slice("addressType: IPv6\nendpoints:\n- addresses: [10.0.0.1]\n"), "10 endpoints[0].addresses[0]: \"10.0.0.1"),
        (slice("addressType: IPv4\nendpoints:\n- addresses: []\n"), "10 endpoints[0].addresses: has no address"),
        (slice("addressType: IPv4\nendpoints: []\nports: [{port: 70000}]\n"), "10 ports[0].port: 70000 is not"),
        (
            slice("addressType: IPv4\nendpoints:\n- addresses: [10.0.0.1]\n  conditions: {ready: maybe}\n"),
            "11 endpoints[0].conditions.ready: invalid type: string \"maybe\", expected a boolean",
        ),
        ("apiVersion: v1\nkind: List\nitems: 3\n".to_owned(), "7 items: is not a list"),
        (
            format!("apiVersion: v1\nkind: List\nitems:\n- {}", service("spec: {ports: [{port: 0}]}\n").replace('\n', "\n  ")),
            "11 items[0].spec.ports[0].port: 0 is not",
        ),
    ];
    for (document, expected) in cases {
        let found = mistake(&document);
        assert!(found.starts_with(expected), "{document}\nfound    {found}\nexpected {expected}");
    }
}

#[test]
fn what_is_right_is_read_and_what_is_unknown_is_passed_over() {
    let found = contents(
        "
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: Namespace, metadata: {name: demo}}
- apiVersion: v1
  kind: Service
  metadata: {name: echo, namespace: demo, creationTimestamp: null, uid: x, resourceVersion: '7'}
  spec: {type: LoadBalancer, ports: [{port: 80, targetPort: web, nodePort: 30000}], unknownField: 1}
  status: {loadBalancer: {}}
---
apiVersion: multicluster.x-k8s.io/v1alpha1
kind: ServiceExport
metadata: {name: echo, namespace: demo, annotations: {isthmus.dev/mtls: Gateway}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: echo}
---
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: other}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: lonely.slice, namespace: demo}
addressType: IPv4
endpoints: []
",
    );
    let keys: Vec<String> = found.objects.iter().map(|f| f.object.key().to_string()).collect();
    assert_eq!(keys, ["Namespace demo", "Service demo/echo", "ServiceExport demo/echo"]);
    assert!(found.mistakes.is_empty(), "{:?}", found.mistakes);
    let warnings: Vec<String> = found.warnings.iter().map(told).collect();
    assert_eq!(
        warnings,
        [
            "17 kind: Deployment (apps/v1) is not read by this source",
            "21 kind: Service (serving.knative.dev/v1) is not read by this source",
            "26 metadata.labels: has no label kubernetes.io/service-name: it belongs to no Service",
        ]
    );
}

#[test]
fn every_mistake_of_a_file_is_told_up_to_a_bound() {
    let one = service("spec: {ports: [{port: 0}]}\n");
    assert_eq!(contents(&vec![one.clone(); 3].join("---\n")).mistakes.len(), 3);
    assert_eq!(contents(&vec![one; 150].join("---\n")).mistakes.len(), limits::MAX_PROBLEMS_PER_FILE);
}
