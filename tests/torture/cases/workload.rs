//! What a hotel is put through, from the first guest to the last word, whatever happens to its operators meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use futures::future::LocalBoxFuture;
use innkeeper_api::{Collect, Flow, Payment, Reason, Reservation};
use innkeeper_payments::sandbox::{IntentStatus, Outcome};
use jiff::civil::{Date, date};
use serde_json::json;

use crate::support::checker::{Checker, claimed};
use crate::support::eventually_async;
use crate::support::faults::charges;
use crate::support::hotel::{Hotel, pay_with};

/// A workload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Workload {
    /// A guest books.
    Booked,
    /// A guest's card is declined.
    Declined,
    /// A guest pays for a room that somebody else has.
    SoldOut,
    /// A booked guest cancels early enough to get everything back.
    CancelledTier100,
    /// Half of it.
    CancelledTier50,
    /// Nothing.
    CancelledTier0,
    /// The hotel deletes a booked stay.
    Withdrawn,
    /// Nights are held, and the money does not come before the deadline.
    HoldExpired,
    /// Nights are held, then paid.
    Held,
    /// Two guests want one unit whose nights come before the money.
    HeldByTwo,
    /// A stay over two months, of which the second is full.
    SecondMonthFull,
    /// Two guests pay for one unit.
    TwoForOne,
    /// The provider takes its time, and then the card is declined.
    PendingThenFailed,
    /// The provider takes its time while the guest cancels, and then the money comes.
    PendingThenCancelled,
    /// A stay is deleted after its guest has left.
    FiledAway,
    /// A stay is deleted after it was cancelled.
    CancelledAndFiled,
    /// The hotel collects at the desk; the stay is cancelled.
    AtTheDesk,
}

use Workload as W;

/// A hotel and its clock.
pub struct Stage {
    /// The hotel.
    pub hotel: Hotel,
    ahead: Arc<AtomicI64>,
}

impl Workload {
    /// All of them.
    pub const ALL: [Self; 17] = [
        W::Booked,
        W::Declined,
        W::SoldOut,
        W::CancelledTier100,
        W::CancelledTier50,
        W::CancelledTier0,
        W::Withdrawn,
        W::HoldExpired,
        W::Held,
        W::HeldByTwo,
        W::SecondMonthFull,
        W::TwoForOne,
        W::PendingThenFailed,
        W::PendingThenCancelled,
        W::FiledAway,
        W::CancelledAndFiled,
        W::AtTheDesk,
    ];

    /// As names of cases have it.
    pub fn word(self) -> &'static str {
        match self {
            W::Booked => "booked",
            W::Declined => "declined",
            W::SoldOut => "sold-out",
            W::CancelledTier100 => "cancelled-tier-100",
            W::CancelledTier50 => "cancelled-tier-50",
            W::CancelledTier0 => "cancelled-tier-0",
            W::Withdrawn => "withdrawn",
            W::HoldExpired => "hold-expired",
            W::Held => "held",
            W::HeldByTwo => "held-by-two",
            W::SecondMonthFull => "second-month-full",
            W::TwoForOne => "two-for-one",
            W::PendingThenFailed => "pending-then-failed",
            W::PendingThenCancelled => "pending-then-cancelled",
            W::FiledAway => "filed-away",
            W::CancelledAndFiled => "cancelled-and-filed",
            W::AtTheDesk => "at-the-desk",
        }
    }

    /// Opens a hotel for it. What was there before the first guest is there, and no operator is.
    pub async fn open(self) -> Stage {
        let mut hotel = Hotel::open("torture").await;
        let ahead = hotel.movable_clock();
        if self == W::FiledAway {
            // The API server says when something is deleted, and goes by its own clock: so the booking is long ago.
            ahead.store(-10 * 24 * 3600, Ordering::SeqCst);
        }
        let holds = matches!(self, W::HoldExpired | W::Held | W::HeldByTwo);
        hotel
            .room_with("double", 1, |room| {
                if holds {
                    room.flow = Flow::HoldFirst;
                }
                let tiers = json!([
                    { "hoursBefore": 40 * 24, "refundPercent": 100 },
                    { "hoursBefore": 10 * 24, "refundPercent": 50 },
                    { "hoursBefore": 0, "refundPercent": 0 },
                ]);
                room.cancellation = serde_json::from_value(tiers).unwrap();
            })
            .await;
        let before = match self {
            W::SoldOut => Some(date(2030, 7, 1)),
            W::SecondMonthFull => Some(date(2030, 8, 1)),
            _ => None,
        };
        if let Some(night) = before {
            let operator = hotel.operator();
            hotel
                .reserve_with("early", "double", |stay| {
                    (stay.check_in, stay.check_out) = (night, night.tomorrow().unwrap());
                    stay.payment = at_the_desk();
                })
                .await;
            hotel.settled("early", Reason::Confirmed).await;
            let ahead = |stays| {
                hotel.room_until("double", move |r| r.status.as_ref().is_some_and(|s| s.stays_ahead == stays))
            };
            ahead(1).await;
            operator.stop().await;
        }
        if self == W::HoldExpired {
            // No money comes until somebody takes this away.
            hotel.faults(&charges(), &json!({ "kind": "server_error", "when": "before" }), None);
        }
        Stage { hotel, ahead }
    }

    /// Plays it to its end.
    pub fn play(self, stage: &Stage) -> LocalBoxFuture<'_, ()> {
        Box::pin(self.played(stage))
    }

    async fn played(self, stage: &Stage) {
        let hotel = &stage.hotel;
        match self {
            W::Booked | W::Held => {
                hotel.reserve("ann", "double").await;
                hotel.settled("ann", Reason::Confirmed).await;
            }
            W::Declined => {
                hotel.reserve_with("ann", "double", |s| s.payment = pay_with("pm_card_chargeDeclined")).await;
                hotel.settled("ann", Reason::Rejected).await;
            }
            W::SoldOut => {
                hotel.reserve("ann", "double").await;
                hotel.settled("ann", Reason::Rejected).await;
            }
            W::CancelledTier100 | W::CancelledTier50 | W::CancelledTier0 | W::CancelledAndFiled => {
                let days = match self {
                    W::CancelledTier100 => 60,
                    W::CancelledTier50 | W::CancelledAndFiled => 20,
                    _ => 3,
                };
                let check_in = in_days(days);
                hotel
                    .reserve_with("ann", "double", |stay| {
                        stay.check_in = check_in;
                        stay.check_out = check_in.tomorrow().unwrap().tomorrow().unwrap();
                    })
                    .await;
                hotel.settled("ann", Reason::Confirmed).await;
                hotel.cancel("ann").await;
                hotel.settled("ann", Reason::Cancelled).await;
                if self == W::CancelledAndFiled {
                    hotel.delete("ann").await;
                    hotel.gone("ann").await;
                }
            }
            W::Withdrawn => {
                hotel.reserve("ann", "double").await;
                hotel.settled("ann", Reason::Confirmed).await;
                hotel.delete("ann").await;
                hotel.gone("ann").await;
            }
            W::HoldExpired => {
                hotel.reserve("ann", "double").await;
                hotel.becomes_held("ann").await;
                stage.ahead.store(2 * 3600, Ordering::SeqCst);
                // Only once the fence has been tried: the charge itself must not be let through any more.
                let fenced = async || {
                    hotel.wake("ann").await;
                    hotel
                        .calls()
                        .await
                        .iter()
                        .any(|c| c.parameters.get("confirm").is_some_and(|c| c == "false"))
                };
                assert!(eventually_async(fenced).await, "nobody puts up the fence");
                hotel.desk().remove_faults(None);
                ended(hotel, "ann").await;
            }
            W::HeldByTwo | W::TwoForOne => {
                hotel.reserve("ann", "double").await;
                hotel.reserve("bob", "double").await;
                ended(hotel, "ann").await;
                ended(hotel, "bob").await;
            }
            W::SecondMonthFull => {
                hotel
                    .reserve_with("ann", "double", |stay| {
                        (stay.check_in, stay.check_out) = (date(2030, 7, 31), date(2030, 8, 2));
                    })
                    .await;
                hotel.settled("ann", Reason::Rejected).await;
            }
            W::PendingThenFailed | W::PendingThenCancelled => {
                hotel.reserve_with("ann", "double", |s| s.payment = pay_with("pm_card_asyncPending")).await;
                let processing = |a: &[innkeeper_payments::sandbox::Account]| {
                    a.iter().any(|a| a.intent.status == IntentStatus::Processing)
                };
                hotel.books_until("processing", processing).await;
                let failed = self == W::PendingThenFailed;
                if !failed {
                    hotel.cancel("ann").await;
                }
                let outcome = if failed { Outcome::Failed } else { Outcome::Succeeded };
                hotel.desk().settle_intent(&hotel.account().await.intent.id, outcome).await.unwrap();
                let end = if failed { Reason::Rejected } else { Reason::Cancelled };
                hotel.settled("ann", end).await;
            }
            W::FiledAway => {
                let check_in = in_days(-8);
                hotel
                    .reserve_with("ann", "double", |stay| {
                        stay.check_in = check_in;
                        stay.check_out = check_in.tomorrow().unwrap().tomorrow().unwrap();
                    })
                    .await;
                hotel.settled("ann", Reason::Confirmed).await;
                stage.ahead.store(0, Ordering::SeqCst);
                hotel.delete("ann").await;
                hotel.gone("ann").await;
            }
            W::AtTheDesk => {
                hotel.reserve_with("ann", "double", |stay| stay.payment = at_the_desk()).await;
                hotel.settled("ann", Reason::Confirmed).await;
                hotel.cancel("ann").await;
                hotel.settled("ann", Reason::Cancelled).await;
            }
        }
    }

    /// Who counts whether all is right in the end.
    pub fn checker(self, stage: &Stage) -> Checker<'_> {
        let checker = Checker::of(&stage.hotel);
        match self {
            W::CancelledTier50 | W::CancelledAndFiled => checker.keeps("ann", 12_000),
            W::CancelledTier0 | W::FiledAway => checker.keeps("ann", 24_000),
            _ => checker,
        }
    }

    /// Which guests may have changed places in the end: who of two comes first is nobody's promise.
    pub fn equals(self) -> Option<(&'static str, &'static str)> {
        matches!(self, W::HeldByTwo | W::TwoForOne).then_some(("ann", "bob"))
    }
}

impl Hotel {
    async fn becomes_held(&self, name: &str) {
        use innkeeper_api::{ConditionStatus, ConditionType};
        self.becomes(name, ConditionType::Allocated, ConditionStatus::True, Reason::Held).await;
    }
}

fn at_the_desk() -> Payment {
    Payment { collect: Collect::AtProperty, method: None, reference: None }
}

/// So many days from today, or a few more: two nights from then on are in one month.
fn in_days(days: i32) -> Date {
    let today = jiff::Timestamp::now().in_tz("Europe/Lisbon").unwrap().date();
    let day = today.checked_add(jiff::Span::new().days(days)).unwrap();
    if day.day() <= 26 { day } else { day.last_of_month().tomorrow().unwrap() }
}

async fn ended(hotel: &Hotel, name: &str) -> Reservation {
    hotel.until(name, |r: Option<&Reservation>| r.is_some_and(|r| claimed(r).is_some())).await
}
