//! Refunds: made, changed, called off, settled; and what has been given back of a charge.

use std::collections::BTreeMap;

use serde_json::Value;

use super::books::Books;
use super::charging;
use super::currency::Currency;
use super::error::{Failure, StripeError};
use super::methods::{self, Behaviour};
use super::model::{Charge, ChargeStatus, Refund, RefundStatus, Settling};
use super::params::{self, Params};
use super::render::{self, Expand, IN_REFUND};

/// `POST /v1/refunds`
pub(crate) fn create(books: &Books<'_>, mut params: Params) -> Result<Value, Failure> {
    let intent = params.text("payment_intent")?;
    let charge = params.text("charge")?;
    let amount = params.integer("amount")?;
    let reason = params.choice("reason", &["duplicate", "fraudulent", "requested_by_customer"])?;
    let tags = params.metadata()?;
    let expand = Expand::parse(params.list("expand")?, IN_REFUND, false)?;
    params.finish()?;
    let mut metadata = BTreeMap::new();
    tags.apply(&mut metadata)?;
    let charge = match (intent, charge) {
        (Some(intent), None) => charge_of(books, &intent)?,
        (None, Some(charge)) => {
            let found: Charge =
                books.get(&charge)?.ok_or_else(|| StripeError::missing("charge", &charge, "charge"))?;
            refundable(Some(found.clone()), &found.payment_intent)?
        }
        (Some(_), Some(_)) => {
            return Err(StripeError::invalid("Give one of these parameters: payment_intent, charge.")
                .code("parameters_exclusive")
                .into());
        }
        (None, None) => return Err(params::missing("payment_intent").into()),
    };
    let refund = refund_charge(books, charge, amount, reason, metadata)?;
    render::refund(books, &refund, &expand)
}

/// Gives back `amount` of a charge, or all that is left of it.
pub(crate) fn refund_charge(
    books: &Books<'_>,
    mut charge: Charge,
    amount: Option<i64>,
    reason: Option<String>,
    metadata: BTreeMap<String, String>,
) -> Result<Refund, Failure> {
    let left = charge.captured - charge.refunded;
    if left == 0 {
        let message = format!("Charge {} has already been refunded.", charge.id);
        return Err(Failure::Executed(StripeError::invalid(message).code("charge_already_refunded")));
    }
    let amount = amount.unwrap_or(left);
    let currency = Currency::parse(&charge.currency)?;
    if amount < 1 {
        let message = "This value must be greater than or equal to 1.";
        return Err(StripeError::invalid(message).code("parameter_invalid_integer").param("amount").into());
    }
    if amount > left {
        let message = format!(
            "Refund amount ({}) is greater than unrefunded amount on charge ({})",
            currency.format(amount),
            currency.format(left)
        );
        return Err(Failure::Executed(StripeError::invalid(message).param("amount")));
    }
    currency.check_step(amount, "amount")?;
    let behaviour = methods::find(&charge.payment_method).map(|method| method.behaviour);
    let (status, settles) = match behaviour {
        Some(Behaviour::RefundsLater) => {
            (RefundStatus::Pending, Some(Settling { at: books.settles_at(), succeeds: true }))
        }
        Some(Behaviour::RefundsFail) => {
            (RefundStatus::Succeeded, Some(Settling { at: books.settles_at(), succeeds: false }))
        }
        _ => (RefundStatus::Succeeded, None),
    };
    let refund = Refund {
        id: books.fresh_id("re_")?,
        payment_intent: charge.payment_intent.clone(),
        charge: charge.id.clone(),
        payment_method: charge.payment_method.clone(),
        amount,
        currency: charge.currency.clone(),
        status,
        reason,
        failure_reason: None,
        metadata,
        created: books.now,
        settles,
    };
    charge.refunded += amount;
    books.save(&charge)?;
    books.save(&refund)?;
    Ok(refund)
}

/// `GET /v1/refunds/{id}`
pub(crate) fn get(books: &Books<'_>, id: &str, mut params: Params) -> Result<Value, Failure> {
    let expand = Expand::parse(params.list("expand")?, IN_REFUND, false)?;
    params.finish()?;
    render::refund(books, &find(books, id)?, &expand)
}

/// `POST /v1/refunds/{id}`: metadata.
pub(crate) fn update(books: &Books<'_>, id: &str, mut params: Params) -> Result<Value, Failure> {
    let tags = params.metadata()?;
    let expand = Expand::parse(params.list("expand")?, IN_REFUND, false)?;
    params.finish()?;
    let mut refund = find(books, id)?;
    tags.apply(&mut refund.metadata)?;
    books.save(&refund)?;
    render::refund(books, &refund, &expand)
}

/// `POST /v1/refunds/{id}/cancel`: only while it is pending.
pub(crate) fn cancel(books: &Books<'_>, id: &str, mut params: Params) -> Result<Value, Failure> {
    let expand = Expand::parse(params.list("expand")?, IN_REFUND, false)?;
    params.finish()?;
    let mut refund = find(books, id)?;
    if refund.status != RefundStatus::Pending {
        let status = refund.status.as_str();
        let message = format!("This refund has a status of {status}; only a pending one can be canceled.");
        return Err(Failure::Executed(StripeError::invalid(message)));
    }
    end(books, &mut refund, RefundStatus::Canceled, None)?;
    render::refund(books, &refund, &expand)
}

/// Ends a refund as told; one that looked succeeded may still fail.
pub(crate) fn settle(books: &Books<'_>, refund: &mut Refund, succeeds: bool) -> Result<(), Failure> {
    let possible = match refund.status {
        RefundStatus::Pending => true,
        RefundStatus::Succeeded => !succeeds,
        RefundStatus::Failed | RefundStatus::Canceled => false,
    };
    if !possible {
        let message = format!("This refund has a status of {} and cannot change.", refund.status.as_str());
        return Err(Failure::Executed(StripeError::invalid(message)));
    }
    if succeeds {
        end(books, refund, RefundStatus::Succeeded, None)
    } else {
        end(books, refund, RefundStatus::Failed, Some("expired_or_canceled_card"))
    }
}

/// Ends the refunds whose time to settle has come.
pub(crate) fn settle_due(books: &Books<'_>) -> rusqlite::Result<()> {
    for mut refund in books.due::<Refund>()? {
        let succeeds = refund.settles.take().is_some_and(|settling| settling.succeeds);
        match settle(books, &mut refund, succeeds) {
            Ok(()) => {}
            Err(Failure::Ledger(error)) => return Err(error),
            Err(Failure::Refused(_) | Failure::Executed(_)) => books.save(&refund)?,
        }
    }
    Ok(())
}

pub(crate) fn find(books: &Books<'_>, id: &str) -> Result<Refund, Failure> {
    books.get(id)?.ok_or_else(|| Failure::Refused(StripeError::missing("refund", id, "refund")))
}

/// The charge of an intent that can be refunded.
pub(crate) fn charge_of(books: &Books<'_>, intent: &str) -> Result<Charge, Failure> {
    let found =
        books.get(intent)?.ok_or_else(|| StripeError::missing("payment_intent", intent, "payment_intent"))?;
    refundable(charging::latest_charge(books, &found)?, intent)
}

fn refundable(charge: Option<Charge>, intent: &str) -> Result<Charge, Failure> {
    match charge {
        Some(charge) if charge.status == ChargeStatus::Succeeded && charge.captured > 0 => Ok(charge),
        _ => {
            let message =
                format!("This PaymentIntent ({intent}) does not have a successful charge to refund.");
            Err(Failure::Executed(StripeError::invalid(message)))
        }
    }
}

fn end(
    books: &Books<'_>,
    refund: &mut Refund,
    status: RefundStatus,
    why: Option<&str>,
) -> Result<(), Failure> {
    refund.status = status;
    refund.settles = None;
    refund.failure_reason = why.map(str::to_owned);
    if !status.counts()
        && let Some(mut charge) = books.get::<Charge>(&refund.charge)?
    {
        charge.refunded -= refund.amount;
        books.save(&charge)?;
    }
    Ok(books.save(refund)?)
}
