//! What is kept, when, and what is never replaced.

use std::path::Path;
use std::sync::Mutex;

use federation_kit::testing::eventually;
use futures::FutureExt;
use futures::future::BoxFuture;

use super::*;

const LONG: Duration = Duration::from_secs(30);

/// A place in memory that can be out of reach.
#[derive(Debug, Default)]
struct Place {
    papers: Mutex<Option<Papers>>,
    away: Mutex<bool>,
    saves: Mutex<usize>,
}

impl Place {
    fn answer<T>(&self, answer: impl FnOnce() -> T) -> Result<T, PapersError> {
        if *self.away.lock().unwrap() {
            Err(PapersError::Failed("out of reach".into()))
        } else {
            Ok(answer())
        }
    }

    fn holds(&self) -> Option<Papers> {
        self.papers.lock().unwrap().clone()
    }
}

impl KeepPapers for Place {
    fn load(&self) -> BoxFuture<'_, Result<Option<Papers>, PapersError>> {
        async { self.answer(|| self.holds()) }.boxed()
    }

    fn save<'a>(&'a self, papers: &'a Papers) -> BoxFuture<'a, Result<(), PapersError>> {
        async {
            self.answer(|| {
                *self.papers.lock().unwrap() = Some(papers.clone());
                *self.saves.lock().unwrap() += 1;
            })
        }
        .boxed()
    }
}

fn data(path: &Path) -> Arc<DataDir> {
    Arc::new(DataDir::open(path, &"lab".parse().unwrap(), &"east".parse().unwrap()).unwrap())
}

#[tokio::test]
async fn every_change_is_kept_and_what_did_not_change_is_not_written() {
    let root = tempfile::tempdir().unwrap();
    let (data, place) = (data(root.path()), Arc::new(Place::default()));
    let mut mirror =
        Mirror::new(Arc::clone(&data), place.clone(), Kept::Known(None), &mut Registry::default());
    mirror.once().await.unwrap();
    assert_eq!(place.holds().unwrap(), data.papers().unwrap());
    mirror.once().await.unwrap();
    assert_eq!(*place.saves.lock().unwrap(), 1);

    let (trigger, drain) = federation_kit::drain::channel();
    let task = tokio::spawn(mirror.run(drain));
    std::fs::write(data.file("membership.json"), "{}").unwrap();
    data.note_written();
    eventually(LONG, async || place.holds()?.contains_key("membership.json").then_some(())).await.unwrap();
    trigger.drain(LONG).await;
    task.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_place_out_of_reach_is_told_and_tried_again() {
    let root = tempfile::tempdir().unwrap();
    let (data, place) = (data(root.path()), Arc::new(Place::default()));
    *place.away.lock().unwrap() = true;
    let mirror = Mirror::new(Arc::clone(&data), place.clone(), Kept::Unknown, &mut Registry::default());
    let mut problem = mirror.problem();
    let (trigger, drain) = federation_kit::drain::channel();
    let task = tokio::spawn(mirror.run(drain));
    let told = problem.wait_for(Option::is_some).await.unwrap().clone();
    assert_eq!(told.unwrap(), "papers outside the data directory: out of reach");
    *place.away.lock().unwrap() = false;
    problem.wait_for(Option::is_none).await.unwrap();
    assert_eq!(place.holds().unwrap(), data.papers().unwrap());
    trigger.drain(LONG).await;
    task.await.unwrap().unwrap();
}

#[tokio::test]
async fn papers_of_another_installation_are_never_replaced_blindly() {
    let (mine, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let place = Arc::new(Place::default());
    *place.papers.lock().unwrap() = Some(data(other.path()).papers().unwrap());
    let before = place.holds();
    let mut mirror = Mirror::new(data(mine.path()), place.clone(), Kept::Unknown, &mut Registry::default());
    assert!(matches!(mirror.once().await, Err(MirrorError::NotOurs)));
    assert_eq!(place.holds(), before);
    let (_trigger, drain) = federation_kit::drain::channel();
    assert!(
        matches!(mirror.run(drain).await, Err(MirrorError::NotOurs)),
        "the next start takes what is kept"
    );
}
