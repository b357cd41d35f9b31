//! A consumer that applies each event once, as `docs/events.md` says that one does: in one transaction of its own store it
//! keeps the id and does what the event asks for. Three of them in one group, on one store, with everything that repeats.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use innkeeper_api::Reason;
use innkeeper_testbed::kafka::SLOW;
use kube::ResourceExt;
use kube::api::ListParams;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::message::Message;
use rusqlite::{Connection, params};
use serde_json::{Value, json};

use super::super::post::{hotel, reserve_at_the_desk};
use super::super::process::{arguments, files, start};
use super::{TOPIC, broker, publish_to, published_at_least};
use crate::support::eventually;
use crate::support::process::ends;
use crate::support::schemas::checked;

/// How far a member has come is told to Kafka only now and then, so whoever takes a partition over gets some again.
const COMMIT_EVERY: usize = 7;

/// What the members share: the ids that were applied, and what came of it. Nothing keeps `applied` from having a fact twice
/// but that the id goes into `ids` in the same transaction; `delivered` has everything that ever came.
const TABLES: &str = "
    PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;
    CREATE TABLE ids (id TEXT PRIMARY KEY) WITHOUT ROWID;
    CREATE TABLE applied (place INTEGER PRIMARY KEY, id TEXT, uid TEXT, number INTEGER, member TEXT);
    CREATE TABLE delivered (id TEXT, member TEXT);
";

fn open(store: &Path) -> Connection {
    let connection = Connection::open(store).unwrap();
    connection.busy_timeout(SLOW).unwrap();
    connection
}

/// What a consumer does with an event. Says whether it was new.
fn apply(store: &mut Connection, event: &Value, member: &str) -> bool {
    let id = event["id"].as_str().unwrap();
    let transaction = store.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).unwrap();
    transaction.execute("INSERT INTO delivered VALUES (?1, ?2)", params![id, member]).unwrap();
    let new = transaction.execute("INSERT OR IGNORE INTO ids VALUES (?1)", [id]).unwrap() == 1;
    if new {
        let sql = "INSERT INTO applied (id, uid, number, member) VALUES (?1, ?2, ?3, ?4)";
        let number = event["data"]["number"].as_i64();
        transaction.execute(sql, params![id, event["partitionkey"].as_str(), number, member]).unwrap();
    }
    transaction.commit().unwrap();
    new
}

/// A member of the group, on a thread of its own.
struct Member {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Member {
    fn joins(brokers: &str, store: PathBuf, name: &'static str) -> Self {
        let consumer: BaseConsumer = ClientConfig::new()
            .set("bootstrap.servers", brokers)
            .set("group.id", "front-desks")
            .set("enable.auto.commit", "false")
            .set("auto.offset.reset", "earliest")
            .set("session.timeout.ms", "6000")
            .set("topic.metadata.refresh.interval.ms", "1000")
            .create()
            .unwrap();
        consumer.subscribe(&[TOPIC]).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let (mut store, mut since) = (open(&store), 0);
            while !stopped.load(Ordering::SeqCst) {
                let Some(Ok(message)) = consumer.poll(Duration::from_millis(50)) else { continue };
                let event = checked(serde_json::from_slice(message.payload().unwrap()).unwrap());
                assert_eq!(event["partitionkey"].as_str().unwrap().as_bytes(), message.key().unwrap());
                apply(&mut store, &event, name);
                since += 1;
                if since == COMMIT_EVERY {
                    since = 0;
                    // One whose partition has gone meanwhile is refused; who has it now applies nothing twice.
                    let _ = consumer.commit_message(&message, CommitMode::Sync);
                }
            }
        });
        Self { stop, thread }
    }

    fn leaves(self) {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.join().unwrap();
    }
}

fn count(store: &Path, sql: &str) -> usize {
    let count: i64 = open(store).query_row(sql, [], |row| row.get(0)).unwrap();
    usize::try_from(count).unwrap()
}

fn members(store: &Path) -> usize {
    count(store, "SELECT count(DISTINCT member) FROM delivered")
}

fn applied(store: &Path) -> usize {
    count(store, "SELECT count(*) FROM applied")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_grows_from_one_to_three_in_the_middle_applies_each_id_once_and_in_order() {
    let Some(broker) = broker().await else { return };
    let hotel = hotel("kafka-group").await;
    let operator = hotel.operator();
    hotel.room("double", 200).await;
    let (mut files, arguments_of_it) = files(&hotel).await;
    publish_to(&mut files, &broker, &json!({}));
    let mut relay = start(&arguments_of_it);
    relay.ready().await;
    let store = broker.folder().join("front-desks.sqlite");
    open(&store).execute_batch(TABLES).unwrap();
    let joins = |name| Member::joins(&broker.address(), store.clone(), name);

    // One alone, until it is in the middle of it.
    let mut group = vec![joins("first")];
    for number in 0..40 {
        reserve_at_the_desk(&hotel, &format!("before-{number}"), "double").await;
    }
    assert!(eventually(|| applied(&store) >= 30).await, "{} were applied", applied(&store));
    group.push(joins("second"));
    group.push(joins("third"));
    // Guests keep coming until each has had its share, and meanwhile the relay is killed and comes back.
    let (mut more, begun, mut killed) = (0, Instant::now(), false);
    while members(&store) < 3 || !killed {
        assert!(begun.elapsed() < SLOW, "one never gets a share");
        reserve_at_the_desk(&hotel, &format!("after-{more}"), "double").await;
        more += 1;
        if more == 10 {
            relay.signal("KILL");
            relay.exit().await;
            relay = start(&arguments_of_it);
            killed = true;
        }
    }
    for number in 0..more {
        hotel.settled(&format!("after-{number}"), Reason::Confirmed).await;
    }
    // All of it is sent once more, and in the middle of that one of the three goes.
    let facts = 2 * (40 + more);
    assert!(eventually(|| applied(&store) == facts).await, "{} of {facts}", applied(&store));
    relay.ready().await;
    let delivered = || count(&store, "SELECT count(*) FROM delivered");
    let before = delivered();
    let home = [format!("--installed-in={}", hotel.namespace), format!("--in={}", hotel.namespace)];
    let replay = arguments(&hotel, &files, &["replay", "--sink=kafka", &home[0], &home[1]]);
    let (code, out, error) = ends(&replay.iter().map(String::as_str).collect::<Vec<_>>()).await;
    assert_eq!(code, Some(0), "{out} {error}");
    assert!(eventually(|| delivered() >= before + facts / 4).await, "nothing comes again");
    group.remove(0).leaves();
    published_at_least(&relay, 1.0).await;
    let all = eventually(|| {
        count(&store, "SELECT count(*) FROM (SELECT id FROM delivered GROUP BY id HAVING count(*) > 1)")
            == facts
    });
    assert!(all.await, "{} deliveries of {facts} facts", delivered());

    // Every fact that is on an object was applied, once, in its order, and nothing else was.
    assert_eq!(applied(&store), facts);
    let applied = open(&store);
    let mut of = applied.prepare("SELECT number, id FROM applied WHERE uid = ?1 ORDER BY place").unwrap();
    let objects = hotel.reservations().list(&ListParams::default()).await.unwrap().items;
    assert_eq!(objects.len(), 40 + more);
    for object in objects {
        let history = &object.status.as_ref().unwrap().history;
        let numbers: Vec<u32> = history.iter().map(|fact| fact.number).collect();
        let rows = of.query_map([object.uid().unwrap()], |row| row.get::<_, u32>(0)).unwrap();
        let applied: Vec<u32> = rows.collect::<Result<_, _>>().unwrap();
        assert_eq!(applied, numbers, "{}", object.name_any());
    }
    let by = |name: &str| count(&store, &format!("SELECT count(*) FROM applied WHERE member = '{name}'"));
    println!(
        "{facts} facts, {} deliveries; applied by the first {}, the second {}, the third {}",
        delivered(),
        by("first"),
        by("second"),
        by("third"),
    );
    assert!(by("first") > 0 && by("second") + by("third") > 0);
    for member in group {
        member.leaves();
    }
    assert_eq!(relay.terminate().await, Some(0));
    operator.stop().await;
}
