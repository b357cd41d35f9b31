//! The life of a payment intent: made, confirmed, captured, cancelled, settled.
//!
//! Every function works on one transaction; whether its effects are kept is said by the kind of `Failure`.

use serde_json::Value;

use super::books::Books;
use super::currency::Currency;
use super::error::{Failure, StripeError};
use super::methods::{self, Behaviour, Decline, Method, Processing};
use super::model::{Charge, ChargeFailure, ChargeStatus, Intent, IntentStatus, Redirects, Settling};
use super::params::{self, Params};
use super::render::{self, Expand, IN_INTENT};

/// How a confirmation is to be done.
#[derive(Clone, Copy, Debug, Default)]
struct Confirmation {
    error_on_requires_action: bool,
    off_session: bool,
    has_return_url: bool,
}

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

pub(crate) fn find(books: &Books<'_>, id: &str) -> Result<Intent, Failure> {
    books.get(id)?.ok_or_else(|| Failure::Refused(StripeError::missing("payment_intent", id, "intent")))
}

pub(crate) fn latest_charge(books: &Books<'_>, intent: &Intent) -> rusqlite::Result<Option<Charge>> {
    intent.latest_charge.as_deref().map_or(Ok(None), |id| books.get(id))
}

/// Sends the charge to the issuer; leaves the intent as the answer has it.
fn charge(books: &Books<'_>, intent: &mut Intent, method: &Method, how: Confirmation) -> Result<(), Failure> {
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

fn known_method(id: &str) -> Result<&'static Method, StripeError> {
    methods::find(id).ok_or_else(|| {
        let mut error = StripeError::missing("PaymentMethod", id, "payment_method");
        error.status = 400;
        error
    })
}

fn confirmation(params: &mut Params, confirm: bool) -> Result<Confirmation, StripeError> {
    let error_on_requires_action = params.boolean("error_on_requires_action")?;
    let off_session = params.boolean("off_session")?;
    let return_url = params.text("return_url")?;
    for (name, given) in [
        ("error_on_requires_action", error_on_requires_action == Some(true)),
        ("off_session", off_session == Some(true)),
        ("return_url", return_url.is_some()),
    ] {
        if given && !confirm {
            return Err(StripeError::invalid(format!("{name} can only be used together with confirm=true."))
                .param(name));
        }
    }
    Ok(Confirmation {
        error_on_requires_action: error_on_requires_action == Some(true),
        off_session: off_session == Some(true),
        has_return_url: return_url.is_some(),
    })
}

/// Which methods the intent takes. Stripe chooses them itself unless told which, and those may redirect the guest.
/// `allowed_payment_method_types` is the name since the versions of 2026, `payment_method_types` the older one.
fn automatic_methods(params: &mut Params) -> Result<Option<Redirects>, StripeError> {
    let enabled = params.boolean("automatic_payment_methods[enabled]")?;
    let redirects = params.choice("automatic_payment_methods[allow_redirects]", &["always", "never"])?;
    let mut named = false;
    for name in ["allowed_payment_method_types", "payment_method_types"] {
        let types = params.list(name)?;
        if let Some(other) = types.iter().find(|kind| *kind != "card") {
            let message = format!("The payment method type '{other}' is not available here; 'card' is.");
            return Err(StripeError::invalid(message).param(name));
        }
        if !types.is_empty() && (named || enabled == Some(true)) {
            let message = "Payment methods can be named, or left to automatic_payment_methods, but not both.";
            return Err(StripeError::invalid(message).code("parameters_exclusive").param(name));
        }
        named |= !types.is_empty();
    }
    Ok(match (enabled, redirects.as_deref()) {
        (Some(false), _) => None,
        _ if named => None,
        (_, Some("never")) => Some(Redirects::Never),
        _ => Some(Redirects::Always),
    })
}

fn needs_no_return_url(intent: &Intent, how: Confirmation) -> Result<(), StripeError> {
    if intent.automatic_methods != Some(Redirects::Always) || how.has_return_url {
        return Ok(());
    }
    Err(StripeError::invalid(
        "This PaymentIntent takes methods that may redirect the customer, so a `return_url` is needed. Name the \
         methods with `allowed_payment_method_types`, or set `automatic_payment_methods[allow_redirects]` to `never`.",
    ))
}

fn unexpected(intent: &Intent, verb: &str, allowed: &str) -> Failure {
    let status = intent.status.as_str();
    let message = format!(
        "You cannot {verb} this PaymentIntent because it has a status of {status}. Only a PaymentIntent with one of \
         these statuses may be: {allowed}."
    );
    Failure::Executed(StripeError::unexpected_state(message, render::plain_intent(intent)))
}
