//! Files that are whole, and files that are not.

use super::*;

fn objects() -> LocalObjects {
    let id: ServiceId = "demo/echo".parse().unwrap();
    let mut objects = LocalObjects::default();
    objects.namespaces.insert(id.namespace.clone());
    objects.services.insert(id.clone(), Arc::default());
    objects.exports.insert(id.clone(), Arc::default());
    let slice = EndpointSlice {
        address_type: "IPv4".to_owned(),
        endpoints: Some(Vec::new()),
        ports: Some(Vec::new()),
        ..EndpointSlice::default()
    };
    objects.slices.insert(id, Arc::new([("echo-1".to_owned(), Arc::new(slice))].into()));
    objects
}

#[test]
fn what_was_written_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("snapshot");
    assert!(read(&path).unwrap().is_none());
    write(&path, &objects()).unwrap();
    assert_eq!(read(&path).unwrap().unwrap().objects, objects());
}

#[test]
fn a_file_that_is_not_whole_counts_for_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("snapshot");
    write(&path, &objects()).unwrap();
    let whole = std::fs::read(&path).unwrap();
    let newer = String::from_utf8(whole.clone()).unwrap().replacen("\"version\":1", "\"version\":2", 1);
    let cases: [(&[u8], &str); 5] = [
        (&whole[..whole.len() - 1], "damaged"),
        (b"", "damaged"),
        (b"{}\n{}", "damaged"),
        (&[&whole[..], b" "].concat(), "damaged"),
        (newer.as_bytes(), "version 2"),
    ];
    for (bytes, told) in cases {
        std::fs::write(&path, bytes).unwrap();
        let error = read(&path).unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_change_before_a_drain_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("snapshot");
    let (live, seen) = watch::channel(None);
    let (trigger, watcher) = federation_kit::drain::channel();
    let keeping = tokio::spawn(keep(path.clone(), seen, watcher));
    let state = agent_plan::SourceState { objects: objects(), ..agent_plan::SourceState::default() };
    live.send_replace(Some(Arc::new(state)));
    trigger.drain(Duration::from_secs(60)).await;
    keeping.await.unwrap();
    assert_eq!(read(&path).unwrap().unwrap().objects, objects());
}
