//! What callers do with payment intents: make, read, change, confirm, capture, cancel.
//!
//! Every function works on one transaction; whether its effects are kept is said by the kind of `Failure`.

use serde_json::Value;

use super::books::Books;
use super::charging::{charge, latest_charge};
use super::currency::Currency;
use super::error::{Failure, StripeError};
use super::means::{automatic_methods, confirmation, known_method, needs_no_return_url};
use super::methods;
use super::model::{ChargeStatus, Intent, IntentStatus};
use super::params::{self, Params};
use super::render::{self, Expand, IN_INTENT};

/// `POST /v1/payment_intents`
pub(crate) fn create(books: &Books<'_>, mut params: Params) -> Result<Value, Failure> {
    let amount = params.integer("amount")?;
    let currency = params.text("currency")?;
    let confirm = params.boolean("confirm")?.unwrap_or(false);
    let confirmation = confirmation(&mut params, confirm)?;
    let manual = params.choice("capture_method", &["automatic", "automatic_async", "manual"])?;
    params.choice("confirmation_method", &["automatic"])?;
    let method = params.text("payment_method")?.map(|id| known_method(&id)).transpose()?;
    // Stripe renamed the parameter in its version 2026-09-30; older clients still send the first name.
    let automatic = automatic_methods(&mut params)?;
    let description = params.clearable("description").filter(|text| !text.is_empty());
    let change = params.metadata()?;
    let expand = Expand::parse(params.list("expand")?, IN_INTENT, false)?;
    params.finish()?;

    let amount = amount.ok_or_else(|| params::missing("amount"))?;
    let currency = Currency::parse(&currency.ok_or_else(|| params::missing("currency"))?)?;
    currency.check_charge(amount)?;
    let mut metadata = std::collections::BTreeMap::new();
    change.apply(&mut metadata)?;
    if confirm && method.is_none() {
        return Err(params::missing("payment_method").into());
    }

    let id = books.fresh_id("pi_")?;
    let mut intent = Intent {
        client_secret: books.fresh_id(&format!("{id}_secret_"))?,
        id,
        amount,
        currency: currency.code().to_owned(),
        status: if method.is_some() {
            IntentStatus::RequiresConfirmation
        } else {
            IntentStatus::RequiresPaymentMethod
        },
        created: books.now,
        amount_capturable: 0,
        amount_received: 0,
        capture_automatically: manual.as_deref() != Some("manual"),
        payment_method: method.map(|method| method.id.to_owned()),
        latest_charge: None,
        metadata,
        description,
        payment_method_types: vec!["card".to_owned()],
        automatic_methods: automatic,
        canceled_at: None,
        cancellation_reason: None,
        last_payment_error: None,
        settles: None,
    };
    match method {
        Some(method) if confirm => {
            needs_no_return_url(&intent, confirmation)?;
            charge(books, &mut intent, method, confirmation)?;
        }
        _ => books.save(&intent)?,
    }
    render::intent(books, &intent, &expand)
}

/// `GET /v1/payment_intents/{id}`
pub(crate) fn get(books: &Books<'_>, id: &str, mut params: Params) -> Result<Value, Failure> {
    let expand = Expand::parse(params.list("expand")?, IN_INTENT, false)?;
    params.finish()?;
    render::intent(books, &find(books, id)?, &expand)
}

/// `POST /v1/payment_intents/{id}`: metadata and description.
pub(crate) fn update(books: &Books<'_>, id: &str, mut params: Params) -> Result<Value, Failure> {
    let change = params.metadata()?;
    let description = params.clearable("description");
    let expand = Expand::parse(params.list("expand")?, IN_INTENT, false)?;
    params.finish()?;
    let mut intent = find(books, id)?;
    change.apply(&mut intent.metadata)?;
    if let Some(text) = description {
        intent.description = Some(text).filter(|text| !text.is_empty());
    }
    books.save(&intent)?;
    render::intent(books, &intent, &expand)
}

/// `POST /v1/payment_intents/{id}/confirm`
pub(crate) fn confirm(books: &Books<'_>, id: &str, mut params: Params) -> Result<Value, Failure> {
    let confirmation = confirmation(&mut params, true)?;
    let method = params.text("payment_method")?.map(|id| known_method(&id)).transpose()?;
    let expand = Expand::parse(params.list("expand")?, IN_INTENT, false)?;
    params.finish()?;
    let mut intent = find(books, id)?;
    let may = matches!(
        intent.status,
        IntentStatus::RequiresPaymentMethod
            | IntentStatus::RequiresConfirmation
            | IntentStatus::RequiresAction
    );
    if !may {
        return Err(unexpected(
            &intent,
            "confirm",
            "requires_payment_method, requires_confirmation, requires_action",
        ));
    }
    let held = intent.payment_method.as_deref().and_then(methods::find);
    let Some(method) = method.or(held) else {
        return Err(Failure::Executed(StripeError::unexpected_state(
            "You cannot confirm this PaymentIntent because it has no payment method.",
            render::plain_intent(&intent),
        )));
    };
    needs_no_return_url(&intent, confirmation)?;
    charge(books, &mut intent, method, confirmation)?;
    render::intent(books, &intent, &expand)
}

/// `POST /v1/payment_intents/{id}/capture`
pub(crate) fn capture(books: &Books<'_>, id: &str, mut params: Params) -> Result<Value, Failure> {
    let wanted = params.integer("amount_to_capture")?;
    let change = params.metadata()?;
    let expand = Expand::parse(params.list("expand")?, IN_INTENT, false)?;
    params.finish()?;
    let mut intent = find(books, id)?;
    if intent.status != IntentStatus::RequiresCapture {
        return Err(unexpected(&intent, "capture", "requires_capture"));
    }
    let amount = wanted.unwrap_or(intent.amount_capturable);
    if amount < 1 || amount > intent.amount_capturable {
        let most = Currency::parse(&intent.currency)?.format(intent.amount_capturable);
        let message = format!("The amount to capture must be positive and not above the authorised {most}.");
        let code = if amount < 1 { "parameter_invalid_integer" } else { "amount_too_large" };
        return Err(Failure::Executed(StripeError::invalid(message).code(code).param("amount_to_capture")));
    }
    Currency::parse(&intent.currency)?.check_step(amount, "amount_to_capture")?;
    change.apply(&mut intent.metadata)?;
    if let Some(mut charge) = latest_charge(books, &intent)? {
        charge.captured = amount;
        books.save(&charge)?;
    }
    intent.amount_received = amount;
    intent.amount_capturable = 0;
    intent.status = IntentStatus::Succeeded;
    books.save(&intent)?;
    render::intent(books, &intent, &expand)
}

/// `POST /v1/payment_intents/{id}/cancel`
pub(crate) fn cancel(books: &Books<'_>, id: &str, mut params: Params) -> Result<Value, Failure> {
    let reason = params
        .choice("cancellation_reason", &["duplicate", "fraudulent", "requested_by_customer", "abandoned"])?;
    let expand = Expand::parse(params.list("expand")?, IN_INTENT, false)?;
    params.finish()?;
    let mut intent = find(books, id)?;
    if matches!(intent.status, IntentStatus::Succeeded | IntentStatus::Canceled | IntentStatus::Processing) {
        return Err(unexpected(
            &intent,
            "cancel",
            "requires_payment_method, requires_capture, requires_confirmation, requires_action",
        ));
    }
    if let Some(mut charge) = latest_charge(books, &intent)?
        && charge.status == ChargeStatus::Succeeded
    {
        charge.released = true;
        books.save(&charge)?;
    }
    intent.status = IntentStatus::Canceled;
    intent.amount_capturable = 0;
    intent.canceled_at = Some(books.now);
    intent.cancellation_reason = reason;
    intent.settles = None;
    books.save(&intent)?;
    render::intent(books, &intent, &expand)
}

pub(crate) fn find(books: &Books<'_>, id: &str) -> Result<Intent, Failure> {
    books.get(id)?.ok_or_else(|| Failure::Refused(StripeError::missing("payment_intent", id, "intent")))
}

/// The operation does not fit the intent's state.
pub(crate) fn unexpected(intent: &Intent, verb: &str, allowed: &str) -> Failure {
    let status = intent.status.as_str();
    let message = format!(
        "You cannot {verb} this PaymentIntent because it has a status of {status}. Only a PaymentIntent with one of \
         these statuses may be: {allowed}."
    );
    Failure::Executed(StripeError::unexpected_state(message, render::plain_intent(intent)))
}
