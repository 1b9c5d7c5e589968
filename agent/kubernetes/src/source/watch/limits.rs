//! Bounds on the other side's time and space.

use std::time::Duration;

/// Longest line of a watch. etcd refuses objects over 1.5 MiB.
pub(super) const MAX_LINE: usize = 8 * 1024 * 1024;
/// Longest page of a list, or any other answer: 500 objects of the size that EndpointSlices have at most.
pub(super) const MAX_BODY: usize = 256 * 1024 * 1024;
/// Objects in a page of a list.
pub(super) const PAGE: u32 = 500;
/// Most objects of one kind.
pub(super) const MAX_OBJECTS: usize = 1_000_000;
/// Until an answer begins.
pub(super) const HEAD: Duration = Duration::from_secs(30);
/// Between two pieces of a list.
pub(super) const LIST_IDLE: Duration = Duration::from_secs(30);
/// A server that sent nothing for this long in a streaming list does not know what one is.
pub(super) const STREAM_IDLE: Duration = Duration::from_secs(10);
/// Between two lines of a watch: bookmarks come every minute. Then the connection counts as dead.
pub(super) const WATCH_IDLE: Duration = Duration::from_secs(150);
/// How long the server is asked to keep a watch open, in seconds; up to as much again is added at random, so that not
/// all end together.
pub(super) const WATCH_SECONDS: u32 = 300;
/// First and longest delay between attempts.
pub(super) const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(10));
/// An attempt that lasts this long has worked, and the next delay is short again.
pub(super) const WORKED: Duration = Duration::from_secs(1);
/// Between attempts when a rule is missing.
pub(super) const DENIED: Duration = Duration::from_secs(30);
/// Longest wish of a server that is honoured.
pub(super) const MAX_RETRY_AFTER: Duration = Duration::from_secs(60);
