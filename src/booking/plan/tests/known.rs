//! One Reservation and everything that is known about it, brought to where a case begins.

use super::*;

/// Everything that is known about one Reservation.
#[derive(Clone)]
pub(super) struct Known {
    pub(super) reservation: Reservation,
    pub(super) room: Option<Room>,
    pub(super) knowledge: Knowledge,
    pub(super) seen: NightsSeen,
    pub(super) settings: Settings,
    pub(super) now: Timestamp,
    /// Nobody else of that name has paid, and the brake lets everything out, without being asked.
    pub(super) plain: bool,
    /// No money moves at all.
    pub(super) halted: Option<&'static str>,
}

/// One that nobody has looked at, in a hotel that has its Room.
pub(super) fn new() -> Known {
    let reservation = Reservation {
        metadata: ObjectMeta {
            name: Some("one".to_owned()),
            namespace: Some("hotel".to_owned()),
            uid: Some(UID.to_owned()),
            generation: Some(1),
            creation_timestamp: Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(now())),
            ..ObjectMeta::default()
        },
        spec: stay(),
        status: Some(ReservationStatus::default()),
    };
    let settings = Settings {
        accept_within: SignedDuration::from_hours(1),
        finalizers: vec![FINALIZER.to_owned()],
        installation: "inn-1".to_owned(),
    };
    Known {
        reservation,
        room: None,
        knowledge: Knowledge::default(),
        seen: NightsSeen::None,
        settings,
        now: now(),
        plain: true,
        halted: None,
    }
    .with_room(room())
}

impl Known {
    pub(super) fn with_room(mut self, spec: RoomSpec) -> Self {
        let metadata =
            ObjectMeta { uid: Some(ROOM_UID.to_owned()), generation: Some(3), ..ObjectMeta::default() };
        self.room = Some(Room { metadata, spec, status: None });
        self
    }

    pub(super) fn without_room(mut self) -> Self {
        self.room = None;
        self
    }

    pub(super) fn fresh(mut self) -> Self {
        self.knowledge.room_is_fresh = true;
        self
    }

    /// Another pass, which has read nothing yet.
    pub(super) fn again(mut self) -> Self {
        self.knowledge = Knowledge::default();
        self
    }

    pub(super) fn at(mut self, time: &str) -> Self {
        self.now = at(time);
        self
    }

    pub(super) fn spec(mut self, change: impl FnOnce(&mut ReservationSpec)) -> Self {
        change(&mut self.reservation.spec);
        self
    }

    pub(super) fn at_the_desk(self) -> Self {
        self.spec(|s| {
            s.payment.collect = Collect::AtProperty;
            s.payment.method = None;
        })
    }

    pub(super) fn with_finalizer(mut self) -> Self {
        self.reservation.metadata.finalizers = Some(vec![FINALIZER.to_owned()]);
        self
    }

    pub(super) fn without_finalizer(mut self) -> Self {
        self.reservation.metadata.finalizers = None;
        self
    }

    pub(super) fn status(mut self, change: impl FnOnce(&ReservationStatus) -> ReservationStatus) -> Self {
        let mut status = change(&self.reservation.status.unwrap_or_default());
        let generation = self.reservation.metadata.generation.unwrap();
        status.observed_generation = generation;
        status.conditions.observe(generation);
        self.reservation.status = Some(status);
        self
    }

    pub(super) fn retry(self, attempt: &str) -> Self {
        self.annotated(RETRY_REFUND, attempt)
    }

    pub(super) fn annotated(mut self, key: &str, value: &str) -> Self {
        let annotations = self.reservation.metadata.annotations.get_or_insert_default();
        annotations.insert(key.to_owned(), value.to_owned());
        self
    }

    /// Everything that guards the money is asked.
    pub(super) fn guarded(mut self) -> Self {
        self.plain = false;
        self
    }

    /// While no money moves at all.
    pub(super) fn halted(mut self) -> Self {
        self.halted = Some("The cluster was put back.");
        self
    }

    pub(super) fn learn(mut self, answer: Answer) -> Self {
        self.knowledge.learn(answer);
        self
    }

    /// Accepted by a write of an earlier pass: whether anything was sent is not known.
    pub(super) fn accepted(self) -> Self {
        let quote = self.quote();
        self.with_finalizer().status(|s| status::accepted(s, quote, at(DEADLINE), now()))
    }

    pub(super) fn quote(&self) -> Quote {
        quote(&self.reservation.spec, &self.room.as_ref().unwrap().spec)
    }

    /// Accepted by a write of this pass.
    pub(super) fn just_accepted(self) -> Self {
        let mut known = self.accepted();
        known.knowledge.attempt_is_new = true;
        known
    }

    /// In a Room that says `HoldFirst`.
    pub(super) fn hold_first(self) -> Self {
        let mut spec = room();
        spec.flow = Flow::HoldFirst;
        self.with_room(spec)
    }

    /// Accepted in such a Room, and the nights are held by a write of an earlier pass.
    pub(super) fn holding(self) -> Self {
        let calendars = vec!["sea-view-2026-12".to_owned()];
        let allocation = Allocation { room_uid: ROOM_UID.to_owned(), units: 1, calendars };
        self.hold_first().accepted().status(|s| status::held(s, allocation, now()))
    }

    /// Held by a write of this pass.
    pub(super) fn just_holding(self) -> Self {
        let mut known = self.holding().held();
        known.knowledge.attempt_is_new = true;
        known
    }

    pub(super) fn confirmed(self) -> Self {
        let paid = (self.reservation.spec.payment.collect == Collect::Online).then(captured);
        let calendars = vec!["sea-view-2026-12".to_owned()];
        let allocation = Allocation { room_uid: ROOM_UID.to_owned(), units: 1, calendars };
        self.accepted().status(|s| status::confirmed(s, paid.as_ref(), allocation, now()))
    }

    /// Given up for want of a room, after the guest has paid.
    pub(super) fn rejecting(self) -> Self {
        self.accepted().status(|s| {
            status::rejecting(s, &Reason::OutOfStock, "2026-12-01 is sold out.", Some(&captured()), now())
        })
    }

    /// Given up before it is known whether the guest has paid.
    pub(super) fn rejecting_unpaid(self) -> Self {
        self.accepted()
            .status(|s| status::rejecting(s, &Reason::TimedOut, "The deadline passed.", None, now()))
    }

    pub(super) fn cancelling(self, percent: u32) -> Self {
        let decision = Decision { at: now(), refund_percent: percent };
        self.confirmed().cancelled().status(|s| status::cancelling(s, decision, now()))
    }

    pub(super) fn withdrawing(self) -> Self {
        self.confirmed().deleted(crate::fixtures::NOW).status(|s| status::withdrawing(s, now(), now()))
    }

    /// `state: Cancelled` is in the spec, which is another generation; that generation has been seen.
    pub(super) fn cancelled(mut self) -> Self {
        self.reservation.spec.state = Some(WantedState::Cancelled);
        self
    }

    pub(super) fn cancel_recorded(self, time: &str) -> Self {
        self.cancelled().learn(Answer::Cancellation(at(time)))
    }

    pub(super) fn deleted(mut self, time: &str) -> Self {
        let time = k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(at(time));
        self.reservation.metadata.deletion_timestamp = Some(time);
        self
    }

    pub(super) fn looked(self, found: Option<Intent>) -> Self {
        self.learn(Answer::Look(Ok(found)))
    }

    pub(super) fn nights(self, nights: NightsKnown) -> Self {
        self.learn(Answer::Nights(nights))
    }

    pub(super) fn held(self) -> Self {
        self.nights(NightsKnown::Held { room_uid: ROOM_UID.to_owned() })
    }

    pub(super) fn full(self) -> Self {
        self.nights(NightsKnown::Full { why: "2026-12-01 is sold out.".to_owned() })
    }

    pub(super) fn next(&self) -> Plan {
        let view = self.room.as_ref().map_or(RoomView::Absent, RoomView::There);
        let mut known = self.knowledge.clone();
        if self.plain && known.earlier == EarlierKnown::NotAsked {
            known.earlier = EarlierKnown::Found(Vec::new());
        }
        if self.plain && known.brake == BrakeKnown::NotAsked {
            known.brake = BrakeKnown::Free;
        }
        let observed = Observed {
            reservation: &self.reservation,
            room: view,
            known: &known,
            nights: self.seen,
            settings: &self.settings,
            halted: self.halted,
        };
        let plan = plan(&observed, self.now);
        if let Plan::Write(status) = &plan {
            let before = self.reservation.status.clone().unwrap_or_default();
            assert_follows(&before, status);
            assert_ne!(before, **status, "a write that changes nothing");
            let generation = self.reservation.metadata.generation.unwrap();
            assert_eq!(status.observed_generation, generation);
            assert!(status.conditions.0.iter().all(|c| c.observed_generation == generation));
        }
        plan
    }

    /// The plan in a few words.
    pub(super) fn then(&self) -> String {
        told(&self.next())
    }

    /// The plan's write, as what is known next.
    pub(super) fn written(mut self) -> Self {
        match self.next() {
            Plan::Write(status) => self.reservation.status = Some(*status),
            other => panic!("no write: {other:?}"),
        }
        self
    }

    pub(super) fn payment(&self) -> innkeeper_api::PaymentStatus {
        self.reservation.status.clone().unwrap().payment.unwrap()
    }
}
