//! What is put into queues, and how far sinks have come: prefixes, forks, filters, dead letters, leaving.

use innkeeper_api::{FINALIZER, RELAY_FINALIZER, Reservation};
use jiff::Timestamp;
use kube::ResourceExt;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::intake::{Intake, Seen, Taken, forget, forget_all_but, is_out};
use super::*;
use crate::event::tests::reservation;
use crate::relay::Wanted;
use crate::sink::Outgoing;

const UID: &str = "0b9f0d3c-6d52-4d39-a8a5-3d6e2f1f8a11";

struct Bed {
    _folder: TempDir,
    store: Store,
    wanted: Vec<Wanted>,
}

fn facts(kinds: &[&str]) -> Value {
    let fact = |(number, kind): (usize, &&str)| json!({ "number": number + 1, "fact": kind, "time": "2030-06-01T10:00:00Z" });
    kinds.iter().enumerate().map(fact).collect()
}

fn wanted(sink: &str, types: &[&str]) -> Wanted {
    let types = types.iter().map(|t| format!("dev.innkeeper.{t}")).collect();
    Wanted { sink: sink.to_owned(), types, namespaces: Vec::new() }
}

impl Bed {
    fn new(wanted: Vec<Wanted>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        Self { _folder: folder, store, wanted }
    }

    async fn take(&self, seen: Seen, object: Reservation) -> Taken {
        let wanted = self.wanted.clone();
        self.store
            .run(move |store| {
                let intake = Intake {
                    wanted: &wanted,
                    installation: "inst",
                    now: Timestamp::UNIX_EPOCH,
                    filing: true,
                };
                intake.reservation(store, seen, &object)
            })
            .await
            .unwrap()
    }

    async fn see(&self, kinds: &[&str]) -> Taken {
        self.take(Seen::Watched, reservation(facts(kinds))).await
    }

    async fn queue(&self, sink: &'static str) -> Vec<Outgoing> {
        self.store.run(move |store| queue::next(store, sink, 100, &[])).await.unwrap()
    }

    /// What waits, as the last words of the types.
    async fn waits(&self, sink: &'static str) -> String {
        let queue = self.queue(sink).await;
        let last = |event: &Outgoing| event.kind.rsplit('.').next().unwrap().to_owned();
        queue.iter().map(last).collect::<Vec<_>>().join(" ")
    }

    async fn ack(&self, sink: &'static str) {
        let acked: Vec<i64> = self.queue(sink).await.iter().map(|event| event.seq).collect();
        self.store.run(move |store| queue::settle(store, &acked, &[], 0)).await.unwrap();
    }

    async fn out(&self, kinds: &[&str]) -> bool {
        let (wanted, object) = (self.wanted.clone(), reservation(facts(kinds)));
        self.store.run(move |store| is_out(store, &wanted, &object)).await.unwrap()
    }
}

#[tokio::test]
async fn each_fact_is_put_into_each_queue_once_however_often_it_is_seen() {
    let bed = Bed::new(vec![wanted("a", &[]), wanted("b", &["reservation.paid", "room.*"])]);
    assert_eq!(bed.see(&["Requested"]).await, Taken::New(1));
    assert_eq!(bed.see(&["Requested"]).await, Taken::New(0));
    assert_eq!(bed.see(&["Requested", "Paid", "Confirmed"]).await, Taken::New(3));
    assert_eq!(bed.waits("a").await, "requested paid confirmed");
    assert_eq!(bed.waits("b").await, "paid");
    // Also after it has gone out.
    bed.ack("a").await;
    assert_eq!(bed.see(&["Requested", "Paid", "Confirmed"]).await, Taken::New(0));
    assert!(!bed.out(&["Requested", "Paid", "Confirmed"]).await, "one waits for b");
    bed.ack("b").await;
    assert!(bed.out(&["Requested", "Paid", "Confirmed"]).await);
    assert!(
        !bed.out(&["Requested", "Paid", "Confirmed", "Cancelled"]).await,
        "the last was never put into a queue"
    );
}

#[tokio::test]
async fn a_sink_that_is_new_gets_everything_and_one_that_is_gone_keeps_nobody() {
    let mut bed = Bed::new(vec![wanted("a", &[])]);
    bed.see(&["Requested", "Paid"]).await;
    bed.wanted.push(wanted("b", &[]));
    assert_eq!(bed.see(&["Requested", "Paid"]).await, Taken::New(2));
    assert_eq!(bed.waits("b").await, "requested paid");
    bed.ack("b").await;
    let dropped = bed.store.run(|store| queue::keep_only(store, &["b".to_owned()])).await.unwrap();
    assert_eq!(dropped, [("a".to_owned(), 2)]);
    bed.wanted.remove(0);
    assert!(bed.out(&["Requested", "Paid"]).await);
}

#[tokio::test]
async fn less_than_was_published_is_believed_only_when_it_was_read_anew() {
    let bed = Bed::new(vec![wanted("a", &[])]);
    bed.see(&["Requested", "Paid", "Confirmed"]).await;
    bed.ack("a").await;
    // A watch that is behind.
    assert_eq!(bed.see(&["Requested"]).await, Taken::Doubtful);
    assert_eq!(bed.see(&["Requested", "Declined"]).await, Taken::Doubtful);
    assert_eq!(bed.waits("a").await, "");
    // A restored backup: what was lost is said, and what came since goes out from the fork.
    let forked = reservation(facts(&["Requested", "Declined", "Rejected"]));
    assert_eq!(bed.take(Seen::Fresh, forked.clone()).await, Taken::Rewound(3));
    assert_eq!(bed.waits("a").await, "historyrewound declined rejected");
    let rewound: Value = serde_json::from_str(&bed.queue("a").await[0].json).unwrap();
    assert_eq!((&rewound["data"]["from"], &rewound["data"]["published"]), (&json!(2), &json!(3)));
    // And is said once.
    assert_eq!(bed.take(Seen::Watched, forked).await, Taken::New(0));
    // One that is only shorter, too.
    let shorter = reservation(facts(&["Requested"]));
    assert_eq!(bed.take(Seen::Fresh, shorter).await, Taken::Rewound(1));
}

#[tokio::test]
async fn what_was_seen_last_of_one_that_is_gone_goes_out_and_is_never_called_rewound() {
    let bed = Bed::new(vec![wanted("a", &[])]);
    bed.see(&["Requested"]).await;
    assert_eq!(bed.take(Seen::Last, reservation(facts(&["Requested", "Withdrawn"]))).await, Taken::New(1));
    assert_eq!(bed.take(Seen::Last, reservation(facts(&["Requested"]))).await, Taken::New(0));
    bed.store.run(|store| forget(store, UID)).await.unwrap();
    assert_eq!(bed.waits("a").await, "requested withdrawn");
}

#[tokio::test]
async fn what_went_while_nobody_looked_is_forgotten() {
    let bed = Bed::new(vec![wanted("a", &[])]);
    bed.see(&["Requested"]).await;
    let there = [UID.to_owned()].into();
    assert_eq!(bed.store.run(move |store| forget_all_but(store, &there)).await.unwrap(), 0);
    let nobody = ["another".to_owned()].into();
    assert_eq!(bed.store.run(move |store| forget_all_but(store, &nobody)).await.unwrap(), 1);
    assert_eq!(bed.see(&["Requested"]).await, Taken::New(1));
}

#[tokio::test]
async fn what_is_refused_is_kept_and_can_be_sent_again() {
    let bed = Bed::new(vec![wanted("a", &[]), wanted("b", &[])]);
    bed.see(&["Requested", "Paid"]).await;
    let first = bed.queue("a").await[0].seq;
    bed.store.run(move |store| queue::settle(store, &[], &[(first, "400".to_owned())], 7)).await.unwrap();
    assert_eq!(bed.waits("a").await, "paid");
    let letters = bed.store.dead_letters(Some("a")).await.unwrap();
    assert_eq!(letters.len(), 1);
    assert_eq!((letters[0].reason.as_str(), letters[0].refused), ("400", 7));
    assert!(bed.store.dead_letters(Some("b")).await.unwrap().is_empty());
    let pending = bed.store.run(queue::pending).await.unwrap();
    assert_eq!((pending["a"].events, pending["a"].letters), (1, 1));
    assert_eq!((pending["b"].events, pending["b"].letters), (2, 0));
    assert_eq!(bed.store.send_again(Some("b")).await.unwrap(), 0);
    assert_eq!(bed.store.send_again(None).await.unwrap(), 1);
    assert_eq!(bed.waits("a").await, "paid requested");
    assert!(bed.store.dead_letters(None).await.unwrap().is_empty());
}

#[tokio::test]
async fn one_leaves_once_nothing_waits_and_it_is_filed() {
    let bed = Bed::new(vec![wanted("a", &[])]);
    let mut object = reservation(facts(&["Requested", "Withdrawn"]));
    let settled = json!([{
        "type": "Settled", "status": "True", "reason": "Withdrawn", "message": "x",
        "lastTransitionTime": "2030-06-01T10:00:00Z", "observedGeneration": 1,
    }]);
    object.status.as_mut().unwrap().conditions = serde_json::from_value(settled).unwrap();
    object.metadata.finalizers = Some(vec![FINALIZER.to_owned(), RELAY_FINALIZER.to_owned()]);
    object.metadata.deletion_timestamp = Some(serde_json::from_value(json!("2030-06-01T10:00:00Z")).unwrap());
    let leaving =
        async |filing| bed.store.run(move |s| queue::leaving(s, filing, 9, &[])).await.unwrap().len();
    let to_file = async || bed.store.run(move |s| queue::to_file(s, 0, 9, &[])).await.unwrap().len();
    bed.take(Seen::Watched, object.clone()).await;
    bed.ack("a").await;
    assert_eq!(leaving(false).await, 0, "the operator still keeps it");
    object.finalizers_mut().remove(0);
    bed.take(Seen::Watched, object.clone()).await;
    assert_eq!((leaving(false).await, leaving(true).await, to_file().await), (1, 0, 1));
    bed.store.run(|store| queue::filed(store, UID, 2)).await.unwrap();
    assert_eq!((leaving(true).await, to_file().await), (1, 0));
    // More came to it: it is filed again.
    object.status.as_mut().unwrap().history =
        serde_json::from_value(facts(&["Requested", "Withdrawn", "Refunded"])).unwrap();
    bed.take(Seen::Watched, object).await;
    assert_eq!((leaving(false).await, to_file().await), (0, 0), "it is not out yet");
    bed.ack("a").await;
    assert_eq!((leaving(true).await, to_file().await), (0, 1));
}

#[tokio::test]
async fn two_relays_do_not_share_a_volume() {
    let folder = tempfile::tempdir().unwrap();
    let first = Store::open(folder.path()).unwrap();
    let refused = Store::open(folder.path()).err().unwrap().to_string();
    assert!(refused.contains("in use by another relay"), "{refused}");
    assert!(Store::beside(folder.path()).is_ok());
    drop(first);
    assert!(Store::open(folder.path()).is_ok());
    let nowhere = Store::beside(&folder.path().join("no")).err().unwrap().to_string();
    assert!(nowhere.contains("relay.state"), "{nowhere}");
}
