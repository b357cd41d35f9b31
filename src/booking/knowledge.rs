//! What is learnt in one pass over a Reservation: the answers of the effects that were performed.

use jiff::Timestamp;

use crate::provider::{Earlier, Fenced, Intent, ProviderError, RefundView};

/// What has been learnt of the charge in this pass.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ChargeKnown {
    /// The provider has not been asked.
    #[default]
    NotAsked,
    /// The provider was asked and has no intent of this attempt.
    Nothing,
    /// This is the intent.
    Intent(Intent),
    /// The charge itself is one that the provider will not make: nothing was made under its key, nor will be.
    Refused {
        /// The provider's code, or its error type.
        code: String,
        /// Its sentence.
        message: String,
    },
    /// The provider gave no result.
    Failed(ProviderError),
}

/// What has been learnt in this pass of payments that other objects of the same name have made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum EarlierKnown {
    /// Nobody has been asked.
    #[default]
    NotAsked,
    /// These are all.
    Found(Vec<Earlier>),
    /// The provider gave no result.
    Failed(ProviderError),
}

/// What the brake has said in this pass.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum BrakeKnown {
    /// It has not been asked.
    #[default]
    NotAsked,
    /// The money may go out; it is counted.
    Free,
    /// It may not: why, and what a person can do, in words.
    Halted(String),
    /// What has gone out could not be counted.
    Failed(ProviderError),
}

/// What has been learnt of the nights in this pass.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum NightsKnown {
    /// The calendars have not been asked.
    #[default]
    NotAsked,
    /// All are held, in calendars of this Room.
    Held {
        /// UID of the Room whose calendars they are.
        room_uid: String,
    },
    /// Not to be had; an uncached read showed it.
    Full {
        /// What is full, in words.
        why: String,
    },
    /// None is held any more.
    Released,
    /// The calendars could not be read or written just now.
    Busy,
}

/// What has been learnt in this pass; forgotten at its end, so that nothing is believed for long.
#[allow(clippy::struct_excessive_bools, reason = "five separate things that are known or not")]
#[derive(Debug, Clone, Default)]
pub struct Knowledge {
    /// The Room was read past the cache.
    pub room_is_fresh: bool,
    /// The attempt now in the status was stored in this pass: nothing has been sent under it yet.
    pub attempt_is_new: bool,
    /// When the API server recorded `state: Cancelled`.
    pub cancel_recorded: Option<Timestamp>,
    /// The provider has said by itself that something about its money has changed.
    pub told: bool,
    /// The charge.
    pub charge: ChargeKnown,
    /// Payments of other objects of the same name.
    pub earlier: EarlierKnown,
    /// What came of taking one of them over, where that was tried.
    pub adopted: Option<Result<(), ProviderError>>,
    /// Whether money may go out that nobody has asked back.
    pub brake: BrakeKnown,
    /// Which attempt at a refund gave no result, and why.
    pub refund_failed: Option<(u32, ProviderError)>,
    /// The nights.
    pub nights: NightsKnown,
    /// The intent carries the mark that what is left stays with the hotel.
    pub marked: bool,
    /// Marking it gave no result.
    pub mark_failed: bool,
}

/// The answer to an effect. Finalizers are not here: they come back as the object itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The Room was read past the cache; the caller shows what came of it as the Room.
    RoomRead,
    /// When `state: Cancelled` was recorded.
    Cancellation(Timestamp),
    /// To a charge, and to cancelling an intent.
    Charge(Result<Intent, ProviderError>),
    /// To looking a charge up.
    Look(Result<Option<Intent>, ProviderError>),
    /// To a fence.
    Fence(Result<Fenced, ProviderError>),
    /// To looking for payments of other objects of the same name.
    Earlier(Result<Vec<Earlier>, ProviderError>),
    /// To taking one of them over.
    Adopted(Result<(), ProviderError>),
    /// Of the brake: `None` lets the money go out, a sentence says why it may not.
    Brake(Result<Option<String>, ProviderError>),
    /// To a refund.
    Refund {
        /// Which attempt it was.
        attempt: u32,
        /// What came of it.
        result: Result<RefundView, ProviderError>,
    },
    /// To marking an intent as settled.
    Mark(Result<(), ProviderError>),
    /// To taking or releasing nights.
    Nights(NightsKnown),
}

impl Knowledge {
    /// Takes an answer in.
    pub fn learn(&mut self, answer: Answer) {
        match answer {
            Answer::RoomRead => self.room_is_fresh = true,
            Answer::Cancellation(at) => self.cancel_recorded = Some(at),
            Answer::Charge(Ok(intent))
            | Answer::Look(Ok(Some(intent)))
            | Answer::Fence(Ok(Fenced::Standing(intent))) => {
                self.charge = ChargeKnown::Intent(intent);
            }
            Answer::Look(Ok(None)) => self.charge = ChargeKnown::Nothing,
            Answer::Fence(Ok(Fenced::ChargeCameFirst)) => {
                self.charge = ChargeKnown::Failed(ProviderError::Mismatch);
            }
            // Said of the key of the charge, not of an intent that is known to be there (which could not be
            // cancelled), and not of a lookup: money may hang on those.
            Answer::Charge(Err(ProviderError::Invalid { code, message }))
            | Answer::Fence(Err(ProviderError::Invalid { code, message }))
                if !matches!(self.charge, ChargeKnown::Intent(_)) =>
            {
                self.charge = ChargeKnown::Refused { code, message };
            }
            // Nothing happens through a lookup: that its answer was lost says only that there was none.
            Answer::Look(Err(ProviderError::OutcomeUnknown(why))) => {
                self.charge = ChargeKnown::Failed(ProviderError::Unreachable(why));
            }
            Answer::Look(Err(error @ ProviderError::Server { .. })) => {
                self.charge = ChargeKnown::Failed(ProviderError::Unreachable(error.to_string()));
            }
            Answer::Charge(Err(error)) | Answer::Look(Err(error)) | Answer::Fence(Err(error)) => {
                self.charge = ChargeKnown::Failed(error);
            }
            Answer::Earlier(Ok(found)) => self.earlier = EarlierKnown::Found(found),
            Answer::Earlier(Err(error)) => self.earlier = EarlierKnown::Failed(error),
            Answer::Adopted(result) => {
                // From now on it is found as this Reservation's own.
                if result.is_ok() {
                    self.charge = ChargeKnown::NotAsked;
                    self.attempt_is_new = false;
                }
                self.adopted = Some(result);
            }
            Answer::Brake(Ok(None)) => self.brake = BrakeKnown::Free,
            Answer::Brake(Ok(Some(why))) => self.brake = BrakeKnown::Halted(why),
            Answer::Brake(Err(error)) => self.brake = BrakeKnown::Failed(error),
            Answer::Refund { result: Ok(refund), .. } => self.learn_refund(refund),
            Answer::Refund { attempt, result: Err(error) } => {
                // Refused as invalid, most often because somebody refunded it in the dashboard: a fresh look decides.
                if matches!(error, ProviderError::Invalid { .. }) {
                    self.charge = ChargeKnown::NotAsked;
                }
                self.refund_failed = Some((attempt, error));
            }
            // An intent that the provider does not know holds no money that could be marked.
            Answer::Mark(Ok(()) | Err(ProviderError::NotFound(_))) => self.marked = true,
            Answer::Mark(Err(_)) => self.mark_failed = true,
            Answer::Nights(nights) => self.nights = nights,
        }
    }

    fn learn_refund(&mut self, refund: RefundView) {
        let ChargeKnown::Intent(intent) = &mut self.charge else { return };
        match intent.refunds.iter_mut().find(|r| r.id == refund.id) {
            Some(known) => *known = refund,
            None => intent.refunds.push(refund),
        }
    }
}
