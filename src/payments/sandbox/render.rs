//! The ledger's objects as Stripe's JSON.
//!
//! Fields that Stripe's clients require are always there, null where this provider has nothing to say.

use serde_json::{Value, json};

use super::books::Books;
use super::error::{Failure, StripeError};
use super::methods;
use super::model::{Charge, ChargeStatus, Intent, IntentStatus, Redirects, Refund};

/// Which ids are to be given as whole objects (`expand[]`).
#[derive(Clone, Debug, Default)]
pub(crate) struct Expand(Vec<String>);

impl Expand {
    /// Takes the paths that `known` names and refuses others. For lists, paths begin with `data.`.
    pub(crate) fn parse(paths: Vec<String>, known: &[&str], listed: bool) -> Result<Self, StripeError> {
        let mut found = Vec::new();
        for path in paths {
            let plain = if listed { path.strip_prefix("data.") } else { Some(path.as_str()) };
            match plain {
                Some(plain) if known.contains(&plain) => found.push(plain.to_owned()),
                _ => {
                    return Err(StripeError::invalid(format!("This property cannot be expanded ({path})."))
                        .param("expand"));
                }
            }
        }
        Ok(Self(found))
    }

    fn wants(&self, path: &str) -> bool {
        self.0.iter().any(|wanted| {
            wanted == path || wanted.strip_prefix(path).is_some_and(|rest| rest.starts_with('.'))
        })
    }
}

/// What can be expanded in an intent.
pub(crate) const IN_INTENT: &[&str] = &["latest_charge", "latest_charge.refunds", "payment_method"];
/// What can be expanded in a refund.
pub(crate) const IN_REFUND: &[&str] = &["charge", "payment_intent", "payment_intent.latest_charge"];
/// What can be expanded in a charge.
pub(crate) const IN_CHARGE: &[&str] = &["payment_intent", "refunds"];

/// What Stripe's clients look for and this provider never has.
const ABSENT_IN_INTENT: &[&str] = &[
    "application",
    "application_fee_amount",
    "customer",
    "excluded_payment_method_types",
    "on_behalf_of",
    "payment_method_configuration_details",
    "processing",
    "receipt_email",
    "review",
    "setup_future_usage",
    "shipping",
    "source",
    "statement_descriptor",
    "statement_descriptor_suffix",
    "transfer_data",
    "transfer_group",
];
const ABSENT_IN_CHARGE: &[&str] = &[
    "application",
    "application_fee",
    "application_fee_amount",
    "balance_transaction",
    "calculated_statement_descriptor",
    "customer",
    "description",
    "failure_balance_transaction",
    "on_behalf_of",
    "receipt_email",
    "receipt_number",
    "receipt_url",
    "review",
    "shipping",
    "source",
    "source_transfer",
    "statement_descriptor",
    "statement_descriptor_suffix",
    "transfer_data",
    "transfer_group",
];

fn absent(value: &mut Value, fields: &[&str]) {
    for field in fields {
        value[*field] = Value::Null;
    }
}

/// An intent, with its charge or method in full where asked for.
pub(crate) fn intent(books: &Books<'_>, intent: &Intent, expand: &Expand) -> Result<Value, Failure> {
    let mut value = plain_intent(intent);
    if expand.wants("latest_charge")
        && let Some(id) = &intent.latest_charge
        && let Some(found) = books.get::<Charge>(id)?
    {
        let inner =
            Expand(if expand.wants("latest_charge.refunds") { vec!["refunds".to_owned()] } else { vec![] });
        value["latest_charge"] = charge(books, &found, &inner)?;
    }
    if expand.wants("payment_method")
        && let Some(id) = &intent.payment_method
    {
        value["payment_method"] = payment_method(id, intent.created);
    }
    Ok(value)
}

/// An intent with ids only.
pub(crate) fn plain_intent(intent: &Intent) -> Value {
    let next_action = (intent.status == IntentStatus::RequiresAction).then(
        || json!({ "type": "use_stripe_sdk", "use_stripe_sdk": { "type": "three_d_secure_redirect" } }),
    );
    let automatic = intent.automatic_methods.map(|redirects| {
        let allowed = if redirects == Redirects::Always { "always" } else { "never" };
        json!({ "enabled": true, "allow_redirects": allowed })
    });
    let mut value = json!({
        "id": intent.id,
        "object": "payment_intent",
        "allowed_payment_method_types": intent.automatic_methods.is_none().then_some(["card"]),
        "amount": intent.amount,
        "amount_capturable": intent.amount_capturable,
        "amount_details": { "tip": {} },
        "amount_received": intent.amount_received,
        "automatic_payment_methods": automatic,
        "canceled_at": intent.canceled_at,
        "cancellation_reason": intent.cancellation_reason,
        "capture_method": if intent.capture_automatically { "automatic" } else { "manual" },
        "client_secret": intent.client_secret,
        "confirmation_method": "automatic",
        "created": intent.created,
        "currency": intent.currency,
        "description": intent.description,
        "last_payment_error": intent.last_payment_error,
        "latest_charge": intent.latest_charge,
        "livemode": false,
        "metadata": intent.metadata,
        "next_action": next_action,
        "payment_method": intent.payment_method,
        "payment_method_options": {},
        "payment_method_types": intent.payment_method_types,
        "status": intent.status.as_str(),
    });
    absent(&mut value, ABSENT_IN_INTENT);
    value
}

/// A charge.
pub(crate) fn charge(books: &Books<'_>, charge: &Charge, expand: &Expand) -> Result<Value, Failure> {
    let failed = charge.status == ChargeStatus::Failed;
    let outcome = match &charge.failure {
        Some(failure) => json!({
            "type": "issuer_declined", "network_status": "declined_by_network",
            "reason": failure.decline_code.as_ref().unwrap_or(&failure.code), "risk_level": "normal",
            "seller_message": failure.message,
        }),
        None => json!({
            "type": "authorized", "network_status": "approved_by_network", "reason": null, "risk_level": "normal",
            "seller_message": "Payment complete.",
        }),
    };
    let mut value = json!({
        "id": charge.id,
        "object": "charge",
        "amount": charge.amount,
        "amount_captured": charge.captured,
        "amount_refunded": charge.refunded,
        "billing_details": billing_details(),
        "captured": charge.captured > 0,
        "created": charge.created,
        "currency": charge.currency,
        "disputed": false,
        "failure_code": charge.failure.as_ref().map(|failure| &failure.code),
        "failure_message": charge.failure.as_ref().map(|failure| &failure.message),
        "fraud_details": {},
        "livemode": false,
        "metadata": {},
        "outcome": outcome,
        "paid": !failed && charge.status != ChargeStatus::Pending,
        "payment_intent": charge.payment_intent,
        "payment_method": charge.payment_method,
        "payment_method_details": { "type": "card", "card": card(&charge.payment_method) },
        "refunded": charge.released || (charge.captured > 0 && charge.refunded == charge.captured),
        "status": charge.status,
    });
    absent(&mut value, ABSENT_IN_CHARGE);
    if expand.wants("refunds") {
        let refunds: Vec<Value> =
            books.refunds_of(&charge.payment_intent)?.iter().rev().map(plain_refund).collect();
        value["refunds"] = list(&format!("/v1/charges/{}/refunds", charge.id), &refunds, false);
    }
    if expand.wants("payment_intent")
        && let Some(found) = books.get::<Intent>(&charge.payment_intent)?
    {
        value["payment_intent"] = plain_intent(&found);
    }
    Ok(value)
}

/// A refund, with its charge or intent in full where asked for.
pub(crate) fn refund(books: &Books<'_>, refund: &Refund, expand: &Expand) -> Result<Value, Failure> {
    let mut value = plain_refund(refund);
    if expand.wants("charge")
        && let Some(found) = books.get::<Charge>(&refund.charge)?
    {
        value["charge"] = charge(books, &found, &Expand::default())?;
    }
    if expand.wants("payment_intent")
        && let Some(found) = books.get::<Intent>(&refund.payment_intent)?
    {
        let inner = if expand.wants("payment_intent.latest_charge") {
            vec!["latest_charge".to_owned()]
        } else {
            vec![]
        };
        value["payment_intent"] = intent(books, &found, &Expand(inner))?;
    }
    Ok(value)
}

fn plain_refund(refund: &Refund) -> Value {
    let mut value = json!({
        "id": refund.id,
        "object": "refund",
        "amount": refund.amount,
        "balance_transaction": null,
        "charge": refund.charge,
        "created": refund.created,
        "currency": refund.currency,
        "destination_details": { "type": "card", "card": { "type": "refund" } },
        "metadata": refund.metadata,
        "payment_intent": refund.payment_intent,
        "reason": refund.reason,
        "receipt_number": null,
        "source_transfer_reversal": null,
        "status": refund.status.as_str(),
        "transfer_reversal": null,
    });
    if let Some(reason) = &refund.failure_reason {
        value["failure_reason"] = json!(reason);
    }
    if refund.status == super::model::RefundStatus::Pending {
        value["pending_reason"] = json!("processing");
    }
    value
}

/// A page of a list.
pub(crate) fn list(url: &str, data: &[Value], has_more: bool) -> Value {
    json!({ "object": "list", "url": url, "has_more": has_more, "data": data })
}

/// A test payment method in full.
pub(crate) fn payment_method(id: &str, created: i64) -> Value {
    json!({
        "id": id,
        "object": "payment_method",
        "allow_redisplay": "unspecified",
        "billing_details": billing_details(),
        "card": card(id),
        "created": created,
        "customer": null,
        "livemode": false,
        "metadata": {},
        "type": "card",
    })
}

fn billing_details() -> Value {
    json!({
        "address": { "city": null, "country": null, "line1": null, "line2": null, "postal_code": null, "state": null },
        "email": null, "name": null, "phone": null, "tax_id": null,
    })
}

fn card(method: &str) -> Value {
    let (brand, last4, funding) = methods::find(method)
        .map_or(("unknown", "0000", "unknown"), |found| (found.brand, found.last4, found.funding));
    json!({
        "brand": brand, "last4": last4, "funding": funding, "country": "US", "exp_month": 12, "exp_year": 2040,
        "checks": { "address_line1_check": null, "address_postal_code_check": null, "cvc_check": "pass" },
        "fingerprint": null, "network": brand, "wallet": null,
    })
}
