//! Objects as somebody may have left them in the cluster: edited by hand, half written, of another version.

use innkeeper_api::{Reservation, Room};
use innkeeper_booking::inventory::NightsSeen;
use innkeeper_booking::knowledge::{Answer, Knowledge, NightsKnown};
use innkeeper_booking::observed::{Effect, Observed, Plan, RoomView, Settings};
use innkeeper_booking::plan::plan;
use innkeeper_booking::provider::{
    Charge, Fenced, Intent, IntentState, ProviderError, Refund, RefundState, RefundView,
};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

/// What a pass begins with, and how the world answers.
#[derive(Deserialize)]
struct Case {
    reservation: Reservation,
    room: Option<Room>,
    now: Timestamp,
    /// What becomes of each effect in turn; the good end, where there are no more.
    #[serde(default)]
    answers: Vec<u8>,
    /// What the provider has taken for it already.
    #[serde(default)]
    taken: i64,
    /// What of that has gone back already.
    #[serde(default)]
    returned: i64,
}

/// What the provider has of this Reservation.
#[derive(Default)]
struct Money {
    intent: Option<Intent>,
}

/// As many as the operator itself allows.
const STEPS: usize = 64;

/// However the objects are: the planner comes to rest, charges nothing that was not quoted, and gives back no more than
/// was taken.
pub fn planner(input: &[u8]) {
    let Ok(mut case) = serde_json::from_slice::<Case>(input) else { return };
    let settings = Settings {
        accept_within: SignedDuration::from_hours(1),
        finalizers: vec![innkeeper_api::FINALIZER.to_owned()],
        installation: "fuzz".to_owned(),
    };
    let mut answers = std::mem::take(&mut case.answers).into_iter();
    let mut known = Knowledge::default();
    let mut money = Money::begun(&case);
    for _ in 0..STEPS {
        let observed = Observed {
            reservation: &case.reservation,
            room: case.room.as_ref().map_or(RoomView::Absent, RoomView::There),
            known: &known,
            nights: NightsSeen::None,
            settings: &settings,
            halted: None,
        };
        match plan(&observed, case.now) {
            Plan::Wait(_) => return,
            Plan::Write(status) => {
                assert_ne!(case.reservation.status.as_ref(), Some(&*status), "nothing is written twice");
                let Ok(text) = serde_json::to_string(&status) else {
                    panic!("it cannot be written: {status:?}")
                };
                assert!(serde_json::from_str::<innkeeper_api::ReservationStatus>(&text).is_ok(), "{text}");
                case.reservation.status = Some(*status);
            }
            Plan::Do(effect) => match done(effect, &mut case, &mut money, answers.next().unwrap_or(0)) {
                Done::Learnt(answer) => known.learn(answer),
                Done::Object => {}
                Done::Gone => return,
            },
        }
    }
    panic!("no rest after {STEPS} steps: {:#?}", case.reservation.status);
}

fn trouble(how: u8) -> ProviderError {
    match how % 4 {
        0 => ProviderError::Unreachable("fuzz".to_owned()),
        1 => ProviderError::OutcomeUnknown("fuzz".to_owned()),
        2 => ProviderError::Mismatch,
        _ => ProviderError::InFlight,
    }
}

/// What becomes of an effect.
enum Done {
    Learnt(Answer),
    /// The object is another now.
    Object,
    /// The object is gone.
    Gone,
}

/// The world: even answers are good ones.
fn done(effect: Effect, case: &mut Case, money: &mut Money, how: u8) -> Done {
    let good = how.is_multiple_of(2);
    Done::Learnt(match effect {
        Effect::AddFinalizers(names) => {
            assert!(!names.is_empty() && case.reservation.metadata.deletion_timestamp.is_none());
            case.reservation.metadata.finalizers.get_or_insert_default().extend(names);
            return Done::Object;
        }
        Effect::RemoveFinalizer(_) => return Done::Gone,
        Effect::ReadRoom => Answer::RoomRead,
        Effect::ReadCancellation => Answer::Cancellation(case.now),
        Effect::FindEarlier(_) => Answer::Earlier(if good { Ok(Vec::new()) } else { Err(trouble(how >> 1)) }),
        Effect::Adopt(_) => Answer::Adopted(if good { Ok(()) } else { Err(trouble(how >> 1)) }),
        Effect::AskBrake(refund) => {
            money.may_go_back(&refund);
            Answer::Brake(if good { Ok(None) } else { Ok(Some("fuzz".to_owned())) })
        }
        Effect::Charge(charge) => {
            Answer::Charge(if good { Ok(money.charged(&charge, case, how)) } else { Err(trouble(how >> 1)) })
        }
        Effect::Look(_) => Answer::Look(if good { Ok(money.intent.clone()) } else { Err(trouble(how >> 1)) }),
        Effect::Fence(charge) => Answer::Fence(if good {
            let fence =
                Intent { state: IntentState::Cancelled, captured: 0, fence: true, ..made(&charge, case.now) };
            Ok(Fenced::Standing(fence))
        } else {
            Err(trouble(how >> 1))
        }),
        Effect::CancelIntent(_) => Answer::Charge(Err(trouble(how))),
        Effect::Refund(refund) => {
            money.may_go_back(&refund);
            let result = if good { Ok(money.refunded(&refund, how)) } else { Err(trouble(how >> 1)) };
            Answer::Refund { attempt: refund.attempt, result }
        }
        Effect::MarkSettled { kept, .. } => {
            assert!(kept > 0, "{kept} are marked as kept");
            Answer::Mark(if good { Ok(()) } else { Err(trouble(how >> 1)) })
        }
        Effect::Take(stay) => Answer::Nights(match how % 3 {
            0 => NightsKnown::Held { room_uid: "room".to_owned() },
            1 => NightsKnown::Full { why: format!("no {} units are left", stay.units) },
            _ => NightsKnown::Busy,
        }),
        Effect::Release(_) => Answer::Nights(if good { NightsKnown::Released } else { NightsKnown::Busy }),
    })
}

fn made(charge: &Charge, now: Timestamp) -> Intent {
    Intent {
        id: "pi_1".to_owned(),
        state: IntentState::Captured,
        amount: charge.amount,
        currency: charge.currency.clone(),
        captured: charge.amount,
        refunds: Vec::new(),
        attempt: Some(charge.attempt),
        fence: false,
        created: now,
        settled: false,
    }
}

impl Money {
    fn begun(case: &Case) -> Self {
        let (taken, returned) = (case.taken, case.returned);
        if taken <= 0 || !(0..=taken).contains(&returned) {
            return Self::default();
        }
        let back = RefundView {
            id: "re_0".to_owned(),
            amount: returned,
            state: RefundState::Succeeded,
            attempt: None,
        };
        let intent = Intent {
            id: "pi_1".to_owned(),
            state: IntentState::Captured,
            amount: taken,
            currency: "EUR".to_owned(),
            captured: taken,
            refunds: if returned > 0 { vec![back] } else { Vec::new() },
            attempt: Some(1),
            fence: false,
            created: case.now,
            settled: false,
        };
        Self { intent: Some(intent) }
    }

    fn charged(&mut self, charge: &Charge, case: &Case, how: u8) -> Intent {
        let quote = case.reservation.status.as_ref().and_then(|status| status.quote.as_ref());
        assert_eq!(
            quote.map(|quote| quote.collect_online),
            Some(charge.amount),
            "only what was quoted is charged"
        );
        assert!(charge.amount > 0, "{} are charged", charge.amount);
        assert!(self.intent.as_ref().is_none_or(|intent| intent.captured == 0), "charged twice");
        let intent = made(charge, case.now);
        let intent = match how / 2 % 3 {
            0 => intent,
            1 => Intent {
                state: IntentState::Declined { code: "card_declined".to_owned(), message: "No.".to_owned() },
                captured: 0,
                ..intent
            },
            _ => Intent { state: IntentState::Processing, captured: 0, ..intent },
        };
        self.intent = Some(intent.clone());
        intent
    }

    fn may_go_back(&self, refund: &Refund) {
        let left = self.intent.as_ref().map_or(0, |intent| intent.captured - intent.returning());
        assert!((1..=left).contains(&refund.amount), "{} of {left} are to go back", refund.amount);
    }

    fn refunded(&mut self, refund: &Refund, how: u8) -> RefundView {
        let state = match how / 2 % 3 {
            0 => RefundState::Succeeded,
            1 => RefundState::Pending,
            _ => RefundState::Failed("fuzz".to_owned()),
        };
        let id = format!("re_{}", refund.attempt);
        let view = RefundView { id, amount: refund.amount, state, attempt: Some(refund.attempt) };
        if let Some(intent) = &mut self.intent {
            intent.refunds.push(view.clone());
        }
        view
    }
}
