use super::*;

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(start_paused = true)]
async fn completes_when_the_last_watcher_is_dropped() {
    let (trigger, watcher) = channel();
    let second = watcher.clone();
    let work = tokio::spawn(async move {
        watcher.wait().await;
        drop(watcher);
        second.wait().await;
        assert!(second.is_draining());
    });
    assert_eq!(trigger.drain(MINUTE).await, Drained::Complete);
    work.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_watcher_that_never_lets_go_is_forced_at_the_deadline() {
    let (trigger, watcher) = channel();
    let begun = tokio::time::Instant::now();
    let stubborn = tokio::spawn(async move {
        watcher.forced().await;
        tokio::time::Instant::now()
    });
    assert_eq!(trigger.drain(MINUTE).await, Drained::Forced { held: 1 });
    assert_eq!(stubborn.await.unwrap() - begun, MINUTE);
}

#[tokio::test(start_paused = true)]
async fn an_observer_does_not_hold_and_sees_the_end() {
    let (trigger, watcher) = channel();
    let worker = watcher.clone();
    let observer = watcher.into_observer();
    let seen = tokio::spawn({
        let observer = observer.clone();
        async move {
            observer.wait().await;
            drop(worker);
            observer.finished().await;
        }
    });
    assert_eq!(trigger.drain(MINUTE).await, Drained::Complete);
    seen.await.unwrap();
    assert!(observer.is_draining());
}

#[tokio::test(start_paused = true)]
async fn a_dropped_trigger_leaves_nobody_waiting() {
    let (trigger, watcher) = channel();
    drop(trigger);
    watcher.wait().await;
    watcher.forced().await;
    assert!(watcher.is_draining());
}
