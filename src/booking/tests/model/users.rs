//! What people do: the script of a schedule, made from its seed before it begins, so that lines can be struck from it
//! when a failing schedule is made shorter.

use innkeeper_api::{
    ALREADY_CHARGED, CancellationTier, Collect, FINALIZER, Flow, Guests, Month, OutOfOrder, Payment,
    RETRY_REFUND, Rate, ReservationSpec, RoomSpec, Sale, WantedState,
};
use innkeeper_booking::provider::RefundState;
use jiff::ToSpan;
use jiff::civil::{Date, date};

use crate::outside::Outside;
use crate::random::Random;

/// Steps of the first act, after which everything comes to rest.
pub const STEPS: usize = 320;
/// Steps of the second act, a week later.
pub const EPILOGUE: usize = 120;

/// One thing that somebody does.
#[derive(Debug, Clone)]
pub enum Deed {
    ApplyRoom(String, RoomSpec),
    Units(String, u32),
    Price(String, i64),
    Sell(String, Sale),
    OutOfOrder(String, OutOfOrder),
    Book {
        name: String,
        spec: ReservationSpec,
        finalizers: bool,
    },
    Cancel(String),
    Delete(String),
    ChangeTtl(String, u64),
    DropFinalizer(String),
    LoseCalendar(String, Month),
    RefundByHand(String, i64, RefundState),
    /// Allows this attempt at a refund.
    RetryRefund(String, u32),
    CancelByHand(String),
    /// Says whose the money of another object of the name is.
    Whose(String, &'static str),
    /// Lets the brake go.
    Acknowledge,
    /// No money moves at all, or it does again.
    Everything(bool),
}

/// Who there is and what people do: all of a schedule that can be made shorter.
#[derive(Debug, Clone, Default)]
pub struct Script {
    /// How many operators run at once.
    pub operators: usize,
    /// Deeds, each with the step in which it is done.
    pub deeds: Vec<(usize, Deed)>,
}

type Deeds = Vec<(usize, Deed)>;

const ROOMS: [&str; 2] = ["sea-view", "attic"];
const FIRST_DAY: Date = date(2026, 11, 28);

/// The script of a seed.
pub fn script(rng: &mut Random) -> Script {
    let rooms = if rng.in_thousand(250) { 2 } else { 1 };
    let operators = 1 + rng.weighted(&[35, 45, 20]);
    let mut script = Deeds::new();
    for room in &ROOMS[..rooms] {
        let late = if rng.in_thousand(120) { rng.below(STEPS / 3) } else { 0 };
        script.push((late, Deed::ApplyRoom((*room).to_owned(), room_spec(rng))));
    }
    // One guest alone: all operators meet over one Reservation.
    let guests = if rng.in_thousand(250) { 1 } else { 2 + rng.below(4) };
    let mut names: Vec<String> = Vec::new();
    for number in 0..guests {
        let again = number > 1 && rng.in_thousand(80);
        let name = if again { names[0].clone() } else { format!("r{}", number + 1) };
        let early = rng.in_thousand(700);
        let at = rng.below(if early { 30 } else { STEPS / 2 });
        let at = if again { at + STEPS / 2 } else { at };
        let room = ROOMS[rng.below(rooms)];
        let finalizers = rng.in_thousand(500);
        let spec = stay(room, rng);
        script.push((at, Deed::Book { name: name.clone(), spec: spec.clone(), finalizers }));
        happenings(&mut script, &name, at, &spec, rng);
        names.push(name);
    }
    for room in &ROOMS[..rooms] {
        for _ in 0..rng.below(3) {
            let at = 40 + rng.below(STEPS - 40);
            let room = (*room).to_owned();
            let deed = match rng.weighted(&[50, 15, 15, 15]) {
                0 => Deed::Units(room, u32::try_from(rng.below(4)).unwrap_or(1)),
                1 => Deed::Price(room, rng.between(50, 200) * 100),
                2 => Deed::Sell(room, *rng.pick(&[Sale::Open, Sale::Stopped])),
                _ => {
                    let from = day(rng.between(0, 4));
                    let to = from.saturating_add(rng.between(1, 3).days());
                    Deed::OutOfOrder(room, OutOfOrder { from, to, units: 1, reason: None })
                }
            };
            script.push((at, deed));
        }
        if rng.in_thousand(200) {
            // Restored from a backup without its calendars, perhaps after the hotel gave up some units.
            let at = 100 + rng.below(STEPS - 100);
            if rng.in_thousand(500) {
                script.push((at - 50, Deed::Units((*room).to_owned(), 0)));
            }
            for month in [day(0), day(5)] {
                script.push((at, Deed::LoseCalendar((*room).to_owned(), Month::of(month))));
            }
        }
    }
    if rng.in_thousand(150) {
        let at = 20 + rng.below(STEPS - 40);
        script.push((at, Deed::Everything(true)));
        script.push((at + rng.below(STEPS - at), Deed::Everything(false)));
    }
    if rng.in_thousand(200) {
        script.push((40 + rng.below(STEPS - 40), Deed::Acknowledge));
    }
    script.sort_by_key(|(at, _)| *at);
    Script { operators, deeds: script }
}

fn happenings(script: &mut Deeds, name: &str, booked: usize, booking: &ReservationSpec, rng: &mut Random) {
    // Mostly when something has begun.
    let later = |rng: &mut Random| {
        let begun = booked + if rng.in_thousand(850) { 40 } else { 1 };
        begun + rng.below(STEPS.saturating_sub(begun).max(2))
    };
    let name = || name.to_owned();
    if rng.in_thousand(350) {
        script.push((later(rng), Deed::Cancel(name())));
    }
    if rng.in_thousand(300) {
        script.push((later(rng), Deed::Delete(name())));
    }
    if rng.in_thousand(150) {
        script.push((later(rng), Deed::ChangeTtl(name(), 3600)));
    }
    if rng.in_thousand(60) {
        script.push((later(rng), Deed::DropFinalizer(name())));
    }
    if rng.in_thousand(100) {
        let state = rng.pick(&[RefundState::Succeeded, RefundState::Succeeded, RefundState::Pending]).clone();
        script.push((later(rng), Deed::RefundByHand(name(), rng.between(1, 100), state)));
    }
    if rng.in_thousand(20) {
        script.push((later(rng), Deed::CancelByHand(name())));
    }
    // Deleted by force and made anew, or restored: the same name and stay, another UID.
    if rng.in_thousand(60) {
        let at = later(rng);
        script.push((at, Deed::DropFinalizer(name())));
        script.push((at, Deed::Delete(name())));
        let anew = booking.clone();
        script.push((at + rng.below(20), Deed::Book { name: name(), spec: anew, finalizers: true }));
        if rng.in_thousand(300) {
            let said = *rng.pick(&["adopt", "charge-anew", "charge anew"]);
            script.push((later(rng), Deed::Whose(name(), said)));
        }
    }
    for _ in 0..rng.weighted(&[80, 10, 10]) {
        let attempt = u32::try_from(rng.between(1, 4)).unwrap_or(2);
        script.push((later(rng), Deed::RetryRefund(name(), attempt)));
    }
    // A week later: what was not given up is filed away, or still cancelled.
    let last = |rng: &mut Random| STEPS + rng.below(EPILOGUE);
    if rng.in_thousand(150) {
        script.push((last(rng), Deed::Cancel(name())));
    }
    if rng.in_thousand(700) {
        script.push((last(rng), Deed::Delete(name())));
    }
}

fn day(after: i64) -> Date {
    FIRST_DAY.saturating_add(after.days())
}

fn room_spec(rng: &mut Random) -> RoomSpec {
    let tiers: [&[(u32, u32)]; 4] = [&[], &[(24, 100), (0, 50)], &[(48, 80), (6, 33)], &[(0, 0)]];
    let cancellation = rng
        .pick(&tiers)
        .iter()
        .map(|(hours_before, refund_percent)| CancellationTier {
            hours_before: *hours_before,
            refund_percent: *refund_percent,
        })
        .collect();
    RoomSpec {
        units: 1 + u32::try_from(rng.weighted(&[60, 25, 15])).unwrap_or(0),
        rate: Rate { currency: "EUR".to_owned(), minor_units: rng.between(5_000, 20_001) },
        rates: Vec::new(),
        overbooking: u32::from(rng.in_thousand(100)),
        out_of_order: Vec::new(),
        sale: Sale::Open,
        restrictions: None,
        flow: if rng.in_thousand(350) { Flow::HoldFirst } else { Flow::PayFirst },
        cancellation,
        time_zone: (*rng.pick(&["Europe/Lisbon", "Asia/Seoul", "America/New_York"])).to_owned(),
        check_in_time: "15:00".to_owned(),
        display: Vec::new(),
        max_guests: None,
    }
}

fn stay(room: &str, rng: &mut Random) -> ReservationSpec {
    let check_in = day(rng.between(0, 3));
    let method = ["pm_good", "pm_declined", "pm_slow", "pm_missing"][rng.weighted(&[70, 10, 15, 5])];
    let payment = if rng.in_thousand(80) {
        Payment { collect: Collect::AtProperty, method: None, reference: None }
    } else {
        Payment { collect: Collect::Online, method: Some(method.to_owned()), reference: None }
    };
    ReservationSpec {
        room_name: room.to_owned(),
        check_in,
        check_out: check_in.saturating_add(rng.between(1, 4).days()),
        units: if rng.in_thousand(80) { 2 } else { 1 },
        guest_id: "g-1".to_owned(),
        guests: Guests::default(),
        payment,
        max_total: None,
        state: None,
        ttl_after_finished: None,
    }
}

/// A plain Room with one unit.
pub fn one_room() -> RoomSpec {
    let flow = Flow::PayFirst;
    RoomSpec { units: 1, overbooking: 0, cancellation: Vec::new(), flow, ..room_spec(&mut Random::new(0)) }
}

/// A plain stay of one night.
pub fn one_stay(room: &str, method: &str) -> ReservationSpec {
    ReservationSpec {
        check_in: day(1),
        check_out: day(2),
        units: 1,
        payment: Payment { collect: Collect::Online, method: Some(method.to_owned()), reference: None },
        ..stay(room, &mut Random::new(0))
    }
}

/// Does one thing.
pub fn act(deed: &Deed, out: &mut Outside) {
    let now = out.now;
    match deed {
        Deed::ApplyRoom(name, spec) => {
            out.say("hotel", || format!("creates Room {name} with {} units", spec.units));
            out.server.apply_room(name, spec.clone());
        }
        Deed::Units(name, units) => {
            edit_room(name, out, &format!("{units} units"), |spec| spec.units = *units);
        }
        Deed::Price(name, minor_units) => {
            edit_room(name, out, "another price", |spec| spec.rate.minor_units = *minor_units);
        }
        Deed::Sell(name, sale) => edit_room(name, out, &format!("sale {sale:?}"), |spec| spec.sale = *sale),
        Deed::OutOfOrder(name, part) => {
            let what = format!("a unit out of order from {} to {}", part.from, part.to);
            edit_room(name, out, &what, |spec| spec.out_of_order.push(part.clone()));
        }
        Deed::Book { name, spec, finalizers } => {
            let list = if *finalizers { out.settings.finalizers.clone() } else { Vec::new() };
            let result = out.server.create_reservation(now, name, spec.clone(), &list);
            out.say("guest", || {
                let (from, to, method) = (spec.check_in, spec.check_out, &spec.payment.method);
                format!(
                    "books {name}: {} x{} {from} to {to} {method:?}: {result:?}",
                    spec.room_name, spec.units
                )
            });
        }
        Deed::Cancel(name) => {
            let result =
                out.server.edit_reservation(now, name, |spec| spec.state = Some(WantedState::Cancelled));
            out.say("guest", || format!("cancels {name}: {result:?}"));
        }
        Deed::Delete(name) => {
            let result = out.server.delete_reservation(now, name);
            out.say("hotel", || format!("deletes {name}: {result:?}"));
        }
        Deed::ChangeTtl(name, seconds) => {
            let ttl = kube::core::Duration::from(std::time::Duration::from_secs(*seconds));
            let result = out.server.edit_reservation(now, name, |spec| spec.ttl_after_finished = Some(ttl));
            out.say("hotel", || format!("changes ttlAfterFinished of {name}: {result:?}"));
        }
        Deed::DropFinalizer(name) => drop_finalizer(name, out),
        Deed::LoseCalendar(room, month) => {
            let name = month.calendar_name(room);
            out.say("hotel", || format!("loses calendar {name}"));
            out.server.lose_calendar(&name);
        }
        Deed::RefundByHand(name, percent, state) => {
            let Some(index) = captured(name, out) else { return };
            let left = out.provider.intents[index].captured - out.provider.intents[index].returning();
            let amount = (left * percent / 100).max(1).min(left);
            if amount > 0 {
                out.saw("money: refunded in the dashboard");
                out.say("dashboard", || format!("refunds {amount} of {name} ({state:?})"));
                out.provider.refund_by_hand(index, amount, state.clone());
            }
        }
        Deed::RetryRefund(name, attempt) => {
            let result = out.server.annotate_reservation(name, RETRY_REFUND, &attempt.to_string());
            out.say("clerk", || format!("allows attempt {attempt} at the refund of {name}: {result:?}"));
        }
        Deed::Whose(name, said) => {
            let result = out.server.annotate_reservation(name, ALREADY_CHARGED, said);
            out.say("clerk", || format!("says of {name}: {said}: {result:?}"));
        }
        Deed::Acknowledge => {
            if std::mem::take(&mut out.brake.halted) {
                let waited = std::mem::take(&mut out.brake.waiting).len();
                out.brake.released = Some((now, waited));
                out.say("clerk", || format!("acknowledges the halt; {waited} waited"));
            }
        }
        Deed::Everything(halted) => {
            out.brake.everything = *halted;
            out.say("clerk", || format!("no money moves: {halted}"));
        }
        Deed::CancelByHand(name) => {
            let uid = out.server.reservation(name).and_then(|r| r.value.metadata.uid.clone());
            let found = out.provider.intents.iter().position(|i| Some(&i.tags.uid) == uid.as_ref());
            if let Some(index) = found {
                out.say("dashboard", || format!("cancels the payment of {name}"));
                out.provider.cancel_by_hand(index);
            }
        }
    }
}

fn captured(name: &str, out: &Outside) -> Option<usize> {
    let uid = out.server.reservation(name)?.value.metadata.uid.clone()?;
    out.provider.intents.iter().position(|i| i.tags.uid == uid && i.captured > 0)
}

fn edit_room(name: &str, out: &mut Outside, what: &str, edit: impl FnOnce(&mut RoomSpec)) {
    let Some(room) = out.server.room(name) else { return };
    let mut spec = room.value.spec.clone();
    edit(&mut spec);
    out.say("hotel", || format!("changes Room {name}: {what}"));
    out.server.apply_room(name, spec);
}

fn drop_finalizer(name: &str, out: &mut Outside) {
    let Some(seen) = out.server.reservation(name) else { return };
    let uid = seen.value.metadata.uid.clone().unwrap_or_default();
    let mut list = seen.value.metadata.finalizers.clone().unwrap_or_default();
    if !list.iter().any(|f| f == FINALIZER) {
        return;
    }
    list.retain(|f| f != FINALIZER);
    out.stripped.insert(uid.clone());
    out.saw("people: a finalizer is dropped by hand");
    let result = out.server.set_finalizers(name, &uid, None, &list).map(|left| left.is_some());
    out.say("hotel", || format!("drops the finalizer of {name} by hand: {result:?}"));
}
