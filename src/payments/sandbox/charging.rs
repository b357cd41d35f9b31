//! What the issuer of a card does with a charge: takes it, declines it, asks for authentication, or says later.
//!
//! Here alone an intent gets its charges and its money; whether the caller may ask for that is decided before.

use serde_json::Value;

use super::books::Books;
use super::error::{Failure, StripeError};
use super::intents::unexpected;
use super::means::Confirmation;
use super::methods::{self, Behaviour, Decline, Method, Processing};
use super::model::{Charge, ChargeFailure, ChargeStatus, Intent, IntentStatus, Settling};
use super::render;

/// Sends the charge to the issuer; leaves the intent as the answer has it.
pub(crate) fn charge(
    books: &Books<'_>,
    intent: &mut Intent,
    method: &Method,
    how: Confirmation,
) -> Result<(), Failure> {
    intent.payment_method = Some(method.id.to_owned());
    intent.last_payment_error = None;
    let refused = match method.behaviour {
        Behaviour::Declines(decline) => Some(decline),
        Behaviour::Authenticates(_) if how.error_on_requires_action || how.off_session => {
            Some(methods::AUTHENTICATION)
        }
        Behaviour::Authenticates(_) => {
            intent.status = IntentStatus::RequiresAction;
            return Ok(books.save(intent)?);
        }
        _ => None,
    };
    let mut charge = new_charge(books, intent)?;
    if let Some(decline) = refused {
        let error = fail(books, intent, &mut charge, decline)?;
        return Err(Failure::Executed(error));
    }
    if let Behaviour::Processes(end) = method.behaviour {
        intent.status = IntentStatus::Processing;
        intent.latest_charge = Some(charge.id.clone());
        intent.settles = match end {
            Processing::Waits => None,
            Processing::Succeeds => Some(Settling { at: books.settles_at(), succeeds: true }),
            Processing::Fails => Some(Settling { at: books.settles_at(), succeeds: false }),
        };
        books.save(&charge)?;
        return Ok(books.save(intent)?);
    }
    succeed(books, intent, &mut charge)
}

fn new_charge(books: &Books<'_>, intent: &Intent) -> rusqlite::Result<Charge> {
    Ok(Charge {
        id: books.fresh_id("ch_")?,
        payment_intent: intent.id.clone(),
        amount: intent.amount,
        currency: intent.currency.clone(),
        captured: 0,
        refunded: 0,
        status: ChargeStatus::Pending,
        released: false,
        payment_method: intent.payment_method.clone().unwrap_or_default(),
        created: books.now,
        failure: None,
    })
}

fn succeed(books: &Books<'_>, intent: &mut Intent, charge: &mut Charge) -> Result<(), Failure> {
    charge.status = ChargeStatus::Succeeded;
    if intent.capture_automatically {
        charge.captured = charge.amount;
        intent.amount_received = charge.amount;
        intent.status = IntentStatus::Succeeded;
    } else {
        intent.amount_capturable = charge.amount;
        intent.status = IntentStatus::RequiresCapture;
    }
    intent.latest_charge = Some(charge.id.clone());
    intent.settles = None;
    books.save(charge)?;
    Ok(books.save(intent)?)
}

fn fail(
    books: &Books<'_>,
    intent: &mut Intent,
    charge: &mut Charge,
    decline: Decline,
) -> Result<StripeError, Failure> {
    charge.status = ChargeStatus::Failed;
    charge.failure = Some(ChargeFailure {
        code: decline.code.to_owned(),
        decline_code: decline.reason.map(str::to_owned),
        message: decline.message.to_owned(),
    });
    let mut error = StripeError::card(decline.code, decline.message)
        .with("charge", Value::from(charge.id.as_str()))
        .with("payment_method", render::payment_method(&charge.payment_method, charge.created));
    if let Some(reason) = decline.reason {
        error = error.with("decline_code", Value::from(reason));
    }
    intent.status = IntentStatus::RequiresPaymentMethod;
    intent.payment_method = None;
    intent.latest_charge = Some(charge.id.clone());
    intent.last_payment_error = Some(error.remembered());
    intent.settles = None;
    books.save(charge)?;
    books.save(intent)?;
    Ok(error.with("payment_intent", render::plain_intent(intent)))
}

/// Ends an intent that waits for its issuer or its guest, as told.
pub(crate) fn settle(
    books: &Books<'_>,
    intent: &mut Intent,
    decline: Option<Decline>,
) -> Result<(), Failure> {
    match (intent.status, decline) {
        (IntentStatus::Processing | IntentStatus::RequiresAction, None) => {
            let mut charge = match latest_charge(books, intent)? {
                Some(charge) if charge.status == ChargeStatus::Pending => charge,
                _ => new_charge(books, intent)?,
            };
            succeed(books, intent, &mut charge)
        }
        (IntentStatus::Processing | IntentStatus::RequiresAction, Some(decline)) => {
            let mut charge = match latest_charge(books, intent)? {
                Some(charge) if charge.status == ChargeStatus::Pending => charge,
                _ => new_charge(books, intent)?,
            };
            fail(books, intent, &mut charge, decline).map(|_| ())
        }
        _ => Err(unexpected(intent, "settle", "processing, requires_action")),
    }
}

/// Ends the intents whose time to settle has come.
pub(crate) fn settle_due(books: &Books<'_>) -> rusqlite::Result<()> {
    for mut intent in books.due::<Intent>()? {
        let succeeds = intent.settles.take().is_some_and(|settling| settling.succeeds);
        match settle(books, &mut intent, (!succeeds).then_some(methods::GENERIC)) {
            Ok(()) => {}
            Err(Failure::Ledger(error)) => return Err(error),
            // Cancelled meanwhile: it is only no longer due.
            Err(Failure::Refused(_) | Failure::Executed(_)) => books.save(&intent)?,
        }
    }
    Ok(())
}

pub(crate) fn latest_charge(books: &Books<'_>, intent: &Intent) -> rusqlite::Result<Option<Charge>> {
    intent.latest_charge.as_deref().map_or(Ok(None), |id| books.get(id))
}
