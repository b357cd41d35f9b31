//! Has objects looked at: each when it is woken or when it asked to be, none twice at a time, so many at once.
//!
//! kube's own runner finds objects in a store of its own, which keeps each of them whole. Here a key is all that is
//! scheduled, and an object that waits for nothing but a change is not scheduled at all.

use std::collections::HashSet;
use std::future::poll_fn;
use std::pin::pin;
use std::time::Duration;

use futures::stream::{self, FuturesUnordered};
use futures::{FutureExt, Stream, StreamExt};
use kube::runtime::scheduler::{ScheduleRequest, scheduler};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::cache::Key;

/// When to look again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Action(Option<Duration>);

impl Action {
    /// When it has changed.
    pub const fn await_change() -> Self {
        Self(None)
    }

    /// After this time, or when it has changed.
    pub const fn requeue(after: Duration) -> Self {
        Self(Some(after))
    }
}

/// Looks at whoever is in the queue until `stop`; what is under way then is finished.
pub async fn run<F: Future<Output = Action>>(
    queue: impl Stream<Item = Key> + Send,
    most: u16,
    stop: &CancellationToken,
    look: impl Fn(Key) -> F,
) {
    let (again, later) = mpsc::unbounded_channel();
    let later = stream::unfold(later, |mut later| async move { Some((later.recv().await?, later)) });
    let now = queue.map(|message| ScheduleRequest { message, run_at: Instant::now() });
    let mut scheduler = pin!(scheduler(stream::select(now, later.boxed())));
    let mut under_way: HashSet<Key> = HashSet::new();
    let mut looking = FuturesUnordered::new();
    loop {
        let free = under_way.len() < usize::from(most.max(1));
        let next = poll_fn(|cx| {
            if free {
                scheduler.as_mut().hold_unless(|key| !under_way.contains(key)).poll_next_unpin(cx)
            } else {
                scheduler.as_mut().hold().poll_next_unpin(cx)
            }
        });
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some((key, Action(after))) = looking.next() => {
                under_way.remove(&key);
                if let Some(after) = after {
                    // The other end is in the scheduler, which is here.
                    let _ = again.send(ScheduleRequest { message: key, run_at: Instant::now() + after });
                }
            }
            next = next => {
                let Some(key) = next else { break };
                under_way.insert(key.clone());
                looking.push(look(key.clone()).map(move |action| (key, action)));
            }
        }
    }
    while looking.next().await.is_some() {}
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::sync::oneshot;

    use super::*;
    use crate::cache::lock;
    use crate::queue::Wakers;

    fn key(name: &str) -> Key {
        ("seaside".to_owned(), name.to_owned())
    }

    /// What has begun, and what holds the ones under way up.
    #[derive(Default)]
    struct Looks {
        begun: Mutex<Vec<String>>,
        held: Mutex<Vec<(String, oneshot::Sender<Action>)>>,
    }

    impl Looks {
        fn begin(&self, key: Key) -> impl Future<Output = Action> + use<> {
            let (end, ended) = oneshot::channel();
            lock(&self.begun).push(key.1.clone());
            lock(&self.held).push((key.1, end));
            async move { ended.await.unwrap_or(Action::await_change()) }
        }

        fn times(&self, name: &str) -> usize {
            lock(&self.begun).iter().filter(|begun| *begun == name).count()
        }

        fn under_way(&self) -> usize {
            lock(&self.held).len()
        }

        fn end(&self, name: &str, action: Action) {
            let mut held = lock(&self.held);
            let index = held.iter().position(|(held, _)| held == name).unwrap();
            held.remove(index).1.send(action).unwrap();
        }
    }

    async fn until(what: impl Fn() -> bool) {
        let seen = async {
            while !what() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), seen).await.unwrap();
    }

    #[tokio::test]
    async fn nobody_is_looked_at_twice_at_a_time_nor_forgotten_when_woken_meanwhile() {
        let ((wakers, queue), stop, looks) = (Wakers::new(), CancellationToken::new(), Looks::default());
        let work = run(queue, 64, &stop, |key| looks.begin(key));
        let story = async {
            wakers.wake(&key("anna"));
            wakers.wake(&key("anna"));
            wakers.wake(&key("ben"));
            until(|| looks.times("ben") == 1).await;
            wakers.wake(&key("anna"));
            wakers.wake(&key("carl"));
            until(|| looks.times("carl") == 1).await;
            assert_eq!(looks.times("anna"), 1, "woken twice before it began is once, and she is under way");
            looks.end("anna", Action::await_change());
            until(|| looks.times("anna") == 2).await;
            looks.end("ben", Action::await_change());
            looks.end("anna", Action::requeue(Duration::from_millis(1)));
            until(|| looks.times("anna") == 3).await;
            assert_eq!(looks.times("ben"), 1, "who waits for a change is not looked at without one");
            stop.cancel();
            looks.end("anna", Action::await_change());
            looks.end("carl", Action::await_change());
        };
        tokio::join!(work, story);
    }

    #[tokio::test]
    async fn no_more_are_under_way_than_may_be_and_all_have_their_turn() {
        let ((wakers, queue), stop, looks) = (Wakers::new(), CancellationToken::new(), Looks::default());
        let work = run(queue, 2, &stop, |key| looks.begin(key));
        let story = async {
            let names = ["a", "b", "c", "d", "e"];
            for name in names {
                wakers.wake(&key(name));
            }
            for ended in 0..names.len() {
                until(|| looks.under_way() == 2.min(names.len() - ended)).await;
                let first = lock(&looks.held)[0].0.clone();
                looks.end(&first, Action::await_change());
            }
            assert!(names.iter().all(|name| looks.times(name) == 1));
            stop.cancel();
        };
        tokio::join!(work, story);
    }
}
