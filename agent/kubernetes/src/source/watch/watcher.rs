//! Keeps the index of one kind as the API server has it.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::{Duration, Instant};

use federation_kit::backoff::Backoff;
use kube::Client;
use tokio::sync::{Notify, mpsc, watch};

use super::event::Event;
use super::failure::Failure;
use super::limits::{BACKOFF, DENIED, MAX_OBJECTS, STREAM_IDLE, WATCH_IDLE, WATCH_SECONDS, WORKED};
use super::lines::Lines;
use super::list::{Listed, list};
use super::request::{Shape, ask};
use crate::connect::Trouble;
use crate::source::message::{Change, Message, Off, Why};
use crate::source::wire::Wire;

/// Where a kind is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::source) enum Route {
    /// Not known yet.
    Unknown,
    /// Nowhere.
    Off(Off),
    /// At this path.
    At(Arc<str>),
}

/// The watch of one kind.
pub(in crate::source) struct Watcher<T> {
    client: Client,
    route: watch::Receiver<Route>,
    out: mpsc::Sender<Message>,
    /// Rung when the API server does not know the path any more.
    rediscover: Arc<Notify>,
    /// Whether this server has been seen to stream lists, or may yet be.
    streaming: bool,
    kind: PhantomData<fn() -> T>,
}

/// Where a watch stands. Whatever fails, this stays.
#[derive(Debug, Default)]
struct Position {
    /// Up to where everything is known; none before the first list and after a 410.
    version: Option<String>,
    /// A watch has run at this path.
    listed: bool,
    /// Something was passed on since this was last looked at.
    moved: bool,
}

impl Position {
    /// Whether an attempt that began then was of use: it passed on a change, or lasted. A list alone proves nothing, or
    /// one that is always followed by a 410 would be repeated without a pause.
    fn has_worked(&mut self, begun: Instant) -> bool {
        std::mem::take(&mut self.moved) || begun.elapsed() >= WORKED
    }
}

/// The publisher is gone.
#[derive(Debug)]
struct Closed;

/// Why one attempt ended.
#[derive(Debug)]
enum End {
    /// The server closed the watch, as it does after some minutes; something was heard on it.
    Quiet,
    Failed(Failure),
    Closed,
}

impl From<Closed> for End {
    fn from(Closed: Closed) -> Self {
        Self::Closed
    }
}

impl From<Failure> for End {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<Trouble> for End {
    fn from(trouble: Trouble) -> Self {
        Self::Failed(trouble.into())
    }
}

impl<T: Wire> Watcher<T> {
    pub(in crate::source) fn new(
        client: Client,
        route: watch::Receiver<Route>,
        out: mpsc::Sender<Message>,
        rediscover: Arc<Notify>,
    ) -> Self {
        Self { client, route, out, rediscover, streaming: true, kind: PhantomData }
    }

    /// Runs until the publisher, or whoever sets the route, is gone.
    pub(in crate::source) async fn run(mut self) {
        loop {
            let mut route = self.route.clone();
            let now = route.borrow_and_update().clone();
            let work = async {
                match now {
                    Route::Unknown => std::future::pending().await,
                    Route::Off(off) => {
                        self.send(Message::Off(T::KIND, off)).await?;
                        std::future::pending().await
                    }
                    Route::At(path) => self.keep(&path).await,
                }
            };
            // A change of route drops the attempt: its position means nothing elsewhere.
            tokio::select! {
                Err(Closed) = work => return,
                changed = route.changed() => match changed {
                    Ok(()) => self.route = route,
                    Err(_) => return,
                },
            }
        }
    }

    /// Attempt after attempt at one path.
    async fn keep(&mut self, path: &str) -> Result<std::convert::Infallible, Closed> {
        let mut position = Position::default();
        let mut backoff = Backoff::new(BACKOFF.0, BACKOFF.1);
        loop {
            let begun = Instant::now();
            let failure = match self.attempt(path, &mut position).await {
                End::Closed => return Err(Closed),
                End::Quiet => {
                    // A server that closes at once would otherwise be asked without a pause.
                    if position.has_worked(begun) {
                        backoff.reset();
                    } else {
                        tokio::time::sleep(backoff.next_delay()).await;
                    }
                    continue;
                }
                End::Failed(failure) => failure,
            };
            if position.has_worked(begun) {
                backoff.reset();
            }
            let delay = match failure {
                Failure::Gone => {
                    position.version = None;
                    backoff.next_delay()
                }
                Failure::NoStreaming => {
                    self.streaming = false;
                    Duration::ZERO
                }
                Failure::Trouble { trouble, retry_after } => {
                    let delay = match trouble {
                        Trouble::Forbidden { .. } => DENIED,
                        Trouble::NotFound { .. } => {
                            self.rediscover.notify_one();
                            backoff.next_delay()
                        }
                        _ => backoff.next_delay().max(retry_after.unwrap_or_default()),
                    };
                    tracing::debug!(kind = T::KIND.word(), error = %trouble, ?delay, "watch failed");
                    self.send(Message::Failed(T::KIND, trouble)).await?;
                    delay
                }
            };
            tokio::time::sleep(delay).await;
        }
    }

    /// Lists if it must, then watches until something ends it.
    async fn attempt(&mut self, path: &str, position: &mut Position) -> End {
        let done = match position.version.clone() {
            Some(version) => self.resume(path, &version, position).await,
            None => {
                let why = if position.listed { Why::Gone } else { Why::First };
                if let Err(closed) = self.send(Message::Lists(T::KIND, why)).await {
                    return closed.into();
                }
                if self.streaming {
                    self.stream(path, position).await
                } else {
                    self.page(path, position).await
                }
            }
        };
        match done {
            Ok(()) => End::Quiet,
            Err(end) => end,
        }
    }

    /// A streaming list, and the watch that it turns into.
    async fn stream(&mut self, path: &str, position: &mut Position) -> Result<(), End> {
        let url = format!(
            "{path}?watch=1&allowWatchBookmarks=true&timeoutSeconds={}&sendInitialEvents=true\
             &resourceVersionMatch=NotOlderThan",
            seconds()
        );
        let answer = match ask(&self.client, &url, shape::<T>()).await {
            // Invalid: the feature gate WatchList is off.
            Err(Failure::Trouble { trouble: Trouble::Answer { code: 400 | 422, .. }, .. }) => {
                return Err(Failure::NoStreaming.into());
            }
            other => other?,
        };
        let mut lines = Lines::new(answer.into_body());
        let mut items = Vec::new();
        loop {
            let line = match lines.next(STREAM_IDLE).await {
                Ok(Some(line)) => line,
                Ok(None) => return Err(Trouble::Nonsense { detail: "a list was cut".to_owned() }.into()),
                // Servers that do not know the parameter send what there is and then wait for changes.
                Err(Trouble::Unreachable { .. }) => return Err(Failure::NoStreaming.into()),
                Err(trouble) => return Err(trouble.into()),
            };
            match Event::<T>::of(&line)? {
                Event::Set(item, _) => items.push(item),
                // Not during the list, says KEP-3157; a paged list knows better than we would.
                Event::Removed(..) => return Err(Failure::NoStreaming.into()),
                Event::Bookmark { list_ends: false, .. } => {}
                Event::Bookmark { version, list_ends: true } => {
                    self.listed(Listed { items, version }, position).await?;
                    return self.follow(lines, position).await;
                }
            }
            if items.len() > MAX_OBJECTS {
                let detail = format!("more than {MAX_OBJECTS} objects");
                return Err(Trouble::Nonsense { detail }.into());
            }
        }
    }

    /// A paged list, and a watch from there.
    async fn page(&mut self, path: &str, position: &mut Position) -> Result<(), End> {
        let listed = list::<T>(&self.client, path).await?;
        let version = listed.version.clone();
        self.listed(listed, position).await?;
        self.resume(path, &version, position).await
    }

    /// A watch from a version.
    async fn resume(&mut self, path: &str, version: &str, position: &mut Position) -> Result<(), End> {
        let url = format!(
            "{path}?watch=1&allowWatchBookmarks=true&timeoutSeconds={}&resourceVersion={}",
            seconds(),
            super::list::escaped(version)
        );
        let answer = ask(&self.client, &url, shape::<T>()).await?;
        self.send(Message::Watches(T::KIND)).await?;
        self.follow(Lines::new(answer.into_body()), position).await
    }

    /// Passes on every event of a watch. Each moves the position: what was passed on is never asked for again.
    async fn follow(&mut self, mut lines: Lines, position: &mut Position) -> Result<(), End> {
        while let Some(line) = lines.next(WATCH_IDLE).await? {
            let at = Instant::now();
            let (change, version) = match Event::<T>::of(&line)? {
                Event::Set(item, version) => (Change::Set(item), version),
                Event::Removed(key, version) => (Change::Remove(key), version),
                Event::Bookmark { version, .. } => {
                    position.version = Some(version.clone());
                    self.send(Message::Seen(T::KIND, version)).await?;
                    continue;
                }
            };
            let update = Box::new(T::update(change));
            self.send(Message::Changed { update, version: version.clone(), at }).await?;
            position.version = Some(version);
            position.moved = true;
        }
        Ok(())
    }

    async fn listed(&self, listed: Listed<T>, position: &mut Position) -> Result<(), Closed> {
        let Listed { items, version } = listed;
        let update = Box::new(T::update(Change::Replace(items)));
        self.send(Message::Changed { update, version: version.clone(), at: Instant::now() }).await?;
        position.version = Some(version);
        position.listed = true;
        self.send(Message::Watches(T::KIND)).await
    }

    async fn send(&self, message: Message) -> Result<(), Closed> {
        self.out.send(message).await.map_err(|_| Closed)
    }
}

fn shape<T: Wire>() -> Shape {
    if T::METADATA_ONLY { Shape::Metadata } else { Shape::Whole }
}

/// How long the server is asked to keep a watch open.
fn seconds() -> u32 {
    let more = Backoff::new(Duration::from_secs(WATCH_SECONDS.into()), Duration::ZERO).next_delay().as_secs();
    WATCH_SECONDS.saturating_add(u32::try_from(more).unwrap_or_default())
}
