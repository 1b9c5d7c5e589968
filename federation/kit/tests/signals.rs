//! Signals reach a whole process, so this test has a process of its own.

use std::process::{Command, id};

use federation_kit::signal;

#[tokio::test]
async fn a_signal_before_the_first_poll_is_not_lost() {
    let stop = signal::shutdown().unwrap();
    let sent = Command::new("sh").args(["-c", &format!("kill -TERM {}", id())]).status().unwrap();
    assert!(sent.success());
    assert_eq!(stop.await, "SIGTERM");
}
