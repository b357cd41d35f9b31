//! Effects as the driver turns them into requests: one at a time, so that anything can happen between two of them.

use innkeeper_booking::knowledge::Answer;
use innkeeper_booking::observed::Effect;
use innkeeper_booking::provider::{Fenced, Intent, IntentState, ProviderError, Refund};

use crate::provider::{Request, Response};

/// An effect at the provider, under way.
#[derive(Debug, Clone)]
pub struct Call {
    effect: Effect,
    stage: Stage,
}

#[derive(Debug, Clone)]
enum Stage {
    First,
    /// The intent (or refund) is read again, because the answer was a repeated one.
    ReadBack,
    /// The intent found in the list is read.
    ReadFound,
    /// The fence is cancelled.
    CancelFence,
    /// Cancelling was refused: is it cancelled, or captured?
    CancelRefused(ProviderError),
}

/// What comes next.
pub enum Next {
    Send(Request),
    Done(Answer),
}

impl Call {
    /// Begins; `None` for an effect that is not the provider's.
    pub fn begin(effect: &Effect) -> Option<(Self, Request)> {
        let request = match effect {
            Effect::Charge(charge) => Request::Create { charge: charge.clone(), confirm: true },
            Effect::Fence(charge) => {
                // A fence does not name the guest's means of payment.
                let charge = innkeeper_booking::provider::Charge { method: String::new(), ..charge.clone() };
                Request::Create { charge, confirm: false }
            }
            Effect::Look(what) => match &what.id {
                Some(id) => Request::ReadIntent(id.clone()),
                None => list(effect),
            },
            Effect::CancelIntent(id) => Request::Cancel(id.clone()),
            Effect::Refund(refund) => Request::Refund(refund.clone()),
            Effect::MarkSettled { id, kept } => Request::Mark(id.clone(), *kept),
            Effect::FindEarlier(tags) => Request::ListNamed(tags.name.clone()),
            Effect::Adopt(adoption) => Request::Adopt(adoption.clone()),
            _ => return None,
        };
        Some((Self { effect: effect.clone(), stage: Stage::First }, request))
    }

    /// Takes an answer and says what comes next.
    pub fn answer(&mut self, response: Response) -> Next {
        match self.effect.clone() {
            Effect::Charge(_) => self.charge(response),
            Effect::Fence(_) => self.fence(response),
            Effect::Look(what) => self.look(&what, response),
            Effect::CancelIntent(_) => self.cancel(response),
            Effect::Refund(_) => self.refund(response),
            Effect::FindEarlier(tags) => Next::Done(Answer::Earlier(match response {
                Response::Named(found) => Ok(found.into_iter().filter(|e| e.uid != tags.uid).collect()),
                Response::Error(error) => Err(error),
                other => Err(unreadable(&other)),
            })),
            Effect::Adopt(_) => Next::Done(Answer::Adopted(match response {
                Response::Adopted => Ok(()),
                Response::Error(error) => Err(error),
                other => Err(unreadable(&other)),
            })),
            _ => Next::Done(Answer::Mark(match response {
                Response::Error(error) => Err(error),
                _ => Ok(()),
            })),
        }
    }

    fn then(&mut self, stage: Stage, request: Request) -> Next {
        self.stage = stage;
        Next::Send(request)
    }

    fn charge(&mut self, response: Response) -> Next {
        let read_back = matches!(self.stage, Stage::ReadBack);
        Next::Done(Answer::Charge(match response {
            Response::Intent { intent, .. } if intent.fence => Err(ProviderError::Mismatch),
            Response::Intent { intent, replayed: true } | Response::Declined { intent, replayed: true } => {
                return self.then(Stage::ReadBack, Request::ReadIntent(intent.id.clone()));
            }
            Response::Intent { intent, .. } | Response::Declined { intent, .. } => Ok(*intent),
            Response::Error(error) if read_back => Err(after_the_effect(error)),
            Response::Error(error) => Err(error),
            other => Err(unreadable(&other)),
        }))
    }

    fn fence(&mut self, response: Response) -> Next {
        let answer = match (&self.stage, response) {
            (Stage::First, Response::Declined { .. } | Response::Error(ProviderError::Mismatch)) => {
                Ok(Fenced::ChargeCameFirst)
            }
            (Stage::First, Response::Intent { intent, .. }) if !intent.fence => Ok(Fenced::ChargeCameFirst),
            (Stage::First, Response::Intent { intent, replayed: true }) => {
                return self.then(Stage::ReadBack, Request::ReadIntent(intent.id.clone()));
            }
            (Stage::First, Response::Intent { intent, .. }) => {
                return self.then(Stage::CancelFence, Request::Cancel(intent.id.clone()));
            }
            (Stage::First, Response::Error(error)) => Err(error),
            (Stage::ReadBack, Response::Intent { intent, .. }) if intent.state == IntentState::Open => {
                return self.then(Stage::CancelFence, Request::Cancel(intent.id.clone()));
            }
            (Stage::CancelFence, Response::Error(refused @ ProviderError::Invalid { .. })) => {
                let Effect::Fence(_) = &self.effect else { return Next::Done(Answer::Fence(Err(refused))) };
                // Somebody else has cancelled it; what it is now is read at the next look.
                Err(after_the_effect(refused))
            }
            (_, Response::Error(error)) => Err(after_the_effect(error)),
            (_, Response::Intent { intent, .. }) => match intent.state {
                IntentState::Cancelled => Ok(Fenced::Standing(*intent)),
                IntentState::Captured => Ok(Fenced::ChargeCameFirst),
                _ => Err(ProviderError::OutcomeUnknown("the fence is not cancelled yet".to_owned())),
            },
            (_, other) => Err(unreadable(&other)),
        };
        Next::Done(Answer::Fence(answer))
    }

    fn look(&mut self, what: &innkeeper_booking::provider::LookFor, response: Response) -> Next {
        let ours = |intent: &Intent| intent.attempt == Some(what.attempt);
        Next::Done(Answer::Look(match response {
            Response::Intent { intent, .. } if ours(&intent) => Ok(Some(*intent)),
            Response::Intent { .. } => {
                let request = list(&self.effect);
                return self.then(Stage::First, request);
            }
            Response::Found(None) => Ok(None),
            Response::Found(Some(id)) => return self.then(Stage::ReadFound, Request::ReadIntent(id)),
            Response::Error(error) => Err(error),
            other => Err(unreadable(&other)),
        }))
    }

    fn cancel(&mut self, response: Response) -> Next {
        let Effect::CancelIntent(id) = &self.effect else { return Next::Done(Answer::RoomRead) };
        let id = id.clone();
        let answer = match (&self.stage, response) {
            (Stage::First, Response::Error(refused @ ProviderError::Invalid { .. })) => {
                return self.then(Stage::CancelRefused(refused), Request::ReadIntent(id));
            }
            (Stage::CancelRefused(refused), Response::Intent { intent, .. }) => match intent.state {
                IntentState::Open | IntentState::Declined { .. } => Err(refused.clone()),
                _ => Ok(*intent),
            },
            (_, Response::Intent { intent, .. }) => Ok(*intent),
            (_, Response::Error(error)) => Err(error),
            (_, other) => Err(unreadable(&other)),
        };
        Next::Done(Answer::Charge(answer))
    }

    fn refund(&mut self, response: Response) -> Next {
        let read_back = matches!(self.stage, Stage::ReadBack);
        let Effect::Refund(Refund { attempt, .. }) = &self.effect else {
            return Next::Done(Answer::RoomRead);
        };
        let attempt = *attempt;
        let result = match response {
            Response::Refund { refund, replayed: true } => {
                return self.then(Stage::ReadBack, Request::ReadRefund(refund.id));
            }
            Response::Refund { refund, .. } => Ok(refund),
            Response::Error(error) if read_back => Err(after_the_effect(error)),
            Response::Error(error) => Err(error),
            other => Err(unreadable(&other)),
        };
        Next::Done(Answer::Refund { attempt, result })
    }
}

fn list(effect: &Effect) -> Request {
    let Effect::Look(what) = effect else { return Request::ReadIntent(String::new()) };
    Request::List { uid: what.tags.uid.clone(), attempt: what.attempt, since: what.since }
}

fn after_the_effect(error: ProviderError) -> ProviderError {
    if error.may_have_happened() { error } else { ProviderError::OutcomeUnknown(error.to_string()) }
}

fn unreadable(response: &Response) -> ProviderError {
    ProviderError::OutcomeUnknown(format!("unexpected answer {response:?}"))
}
