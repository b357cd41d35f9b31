//! The ledger on its volume.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use innkeeper_api::Reason;
use innkeeper_checker::{Expected, claimed};
use innkeeper_payments::sandbox::Account;
use jiff::civil::date;

use crate::support::books::{Books, balance, is_of};
use crate::support::hotel::{Hotel, NIGHTLY};
use crate::support::report::say;
use crate::support::{SYSTEM, World, until};

/// Guests who pay at the same time, or more.
const BURST: usize = 120;

/// Its pod is deleted.
pub async fn pod_deleted(world: &World) {
    burst(world, "volume-deleted", async || {
        world.kubectl(&["-n", SYSTEM, "delete", "pod", "innkeeper-payments-0", "--wait=false"]);
    })
    .await;
}

/// Its process is killed.
pub async fn killed(world: &World) {
    let node = world.node.as_ref().expect("checked before");
    world.installed();
    // Found before: looking through all processes takes a while.
    let process = node.process(&uid(world).await).expect("the provider has a process");
    burst(world, "volume-killed", async || {
        node.run(&format!("kill -KILL {process}"));
    })
    .await;
}

async fn uid(world: &World) -> String {
    world.pods().get("innkeeper-payments-0").await.unwrap().metadata.uid.unwrap()
}

/// Strikes in the middle of many charges, and looks at what is there afterwards.
async fn burst(world: &World, name: &str, strike: impl AsyncFn()) {
    world.installed();
    let hotel = Hotel::open(world, name);
    hotel.room("double", 200).await;
    let stay = |number: usize| {
        let from = date(2031, 3, 1) + jiff::Span::new().days(i64::try_from(number % 30).unwrap());
        (from, from.tomorrow().unwrap())
    };
    let books = Books::open(world).await;
    // Guests come until it has struck, however fast they are served, and some after that.
    let struck_at = AtomicUsize::new(usize::MAX);
    let asked = async {
        let mut number = 0;
        while number < BURST || number < struck_at.load(Ordering::SeqCst).saturating_add(BURST / 10) {
            hotel.reserve(&format!("guest-{number}"), "double", stay(number), "pm_card_visa").await.unwrap();
            number += 1;
        }
        number
    };
    // What the provider has said that it took, it may not forget.
    let struck = async {
        let before = until("a tenth has paid", async || {
            let paid = paid(&books, &hotel.namespace).await?;
            if paid.len() >= BURST / 10 { Ok(paid) } else { Err(format!("{} have", paid.len())) }
        })
        .await;
        let begun = Instant::now();
        strike().await;
        struck_at.store(before.len(), Ordering::SeqCst);
        (before, begun)
    };
    let (guests, (before, begun)) = futures::future::join(asked, struck).await;
    drop(books);
    // Until another process answers.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let books = Books::open(world).await;
    let back = begun.elapsed();
    let all = hotel.all_settled().await;
    let confirmed = all.iter().filter(|r| claimed(r) == Some(Reason::Confirmed)).count();
    let after = paid(&books, &hotel.namespace).await.unwrap();
    for (id, amount) in &before {
        assert_eq!(after.get(id), Some(amount), "{id} was taken, and is forgotten");
    }
    let balance = balance(world, &hotel.namespace, &Expected::nightly(NIGHTLY)).await;
    say!(
        "  struck after {} of {guests} charges; the provider answered again after {:.1} s; {confirmed} confirmed, {} charges, \
         none lost, none twice; {balance:?}",
        before.len(),
        back.as_secs_f64(),
        after.len()
    );
    assert!(before.len() < guests, "it struck in the middle");
    assert_eq!((confirmed, after.len(), balance.charges), (guests, guests, guests));
    hotel.close(world);
}

/// The money taken of a hotel's guests, by the charge.
async fn paid(books: &Books, namespace: &str) -> Result<BTreeMap<String, i64>, String> {
    let taken = |a: &Account| is_of(a, namespace) && a.intent.amount_received > 0;
    let accounts = books.accounts().await?;
    Ok(accounts.into_iter().filter(taken).map(|a| (a.intent.id, a.intent.amount_received)).collect())
}
