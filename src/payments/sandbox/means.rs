//! Which means of payment an intent takes, and how its confirmation is to be done.

use super::error::StripeError;
use super::methods::{self, Method};
use super::model::{Intent, Redirects};
use super::params::Params;

/// How a confirmation is to be done.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Confirmation {
    pub(crate) error_on_requires_action: bool,
    pub(crate) off_session: bool,
    pub(crate) has_return_url: bool,
}

pub(crate) fn confirmation(params: &mut Params, confirm: bool) -> Result<Confirmation, StripeError> {
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
pub(crate) fn automatic_methods(params: &mut Params) -> Result<Option<Redirects>, StripeError> {
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

pub(crate) fn needs_no_return_url(intent: &Intent, how: Confirmation) -> Result<(), StripeError> {
    if intent.automatic_methods != Some(Redirects::Always) || how.has_return_url {
        return Ok(());
    }
    Err(StripeError::invalid(
        "This PaymentIntent takes methods that may redirect the customer, so a `return_url` is needed. Name the \
         methods with `allowed_payment_method_types`, or set `automatic_payment_methods[allow_redirects]` to `never`.",
    ))
}

pub(crate) fn known_method(id: &str) -> Result<&'static Method, StripeError> {
    methods::find(id).ok_or_else(|| {
        let mut error = StripeError::missing("PaymentMethod", id, "payment_method");
        error.status = 400;
        error
    })
}
