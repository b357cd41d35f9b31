//! Which request is which operation, and its execution within a transaction.

use serde_json::Value;

use super::books::Books;
use super::error::{Failure, StripeError};
use super::lists::{self, Lag};
use super::params::Params;
use super::{intents, refunds};

/// An endpoint of the API, with the id in its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    CreateIntent,
    ListIntents,
    GetIntent(String),
    UpdateIntent(String),
    ConfirmIntent(String),
    CaptureIntent(String),
    CancelIntent(String),
    CreateRefund,
    ListRefunds,
    GetRefund(String),
    UpdateRefund(String),
    CancelRefund(String),
    GetCharge(String),
    Balance,
}

impl Route {
    pub(crate) fn find(method: &str, path: &str) -> Result<Self, StripeError> {
        let unknown = || StripeError::unknown_url(method, path);
        let parts: Vec<&str> =
            path.strip_prefix("/v1/").ok_or_else(unknown)?.trim_end_matches('/').split('/').collect();
        let route = match (method, parts.as_slice()) {
            ("POST", ["payment_intents"]) => Self::CreateIntent,
            ("GET", ["payment_intents"]) => Self::ListIntents,
            ("GET", ["payment_intents", id]) => Self::GetIntent((*id).to_owned()),
            ("POST", ["payment_intents", id]) => Self::UpdateIntent((*id).to_owned()),
            ("POST", ["payment_intents", id, "confirm"]) => Self::ConfirmIntent((*id).to_owned()),
            ("POST", ["payment_intents", id, "capture"]) => Self::CaptureIntent((*id).to_owned()),
            ("POST", ["payment_intents", id, "cancel"]) => Self::CancelIntent((*id).to_owned()),
            ("POST", ["refunds"]) => Self::CreateRefund,
            ("GET", ["refunds"]) => Self::ListRefunds,
            ("GET", ["refunds", id]) => Self::GetRefund((*id).to_owned()),
            ("POST", ["refunds", id]) => Self::UpdateRefund((*id).to_owned()),
            ("POST", ["refunds", id, "cancel"]) => Self::CancelRefund((*id).to_owned()),
            ("GET", ["charges", id]) => Self::GetCharge((*id).to_owned()),
            ("GET", ["balance"]) => Self::Balance,
            _ => return Err(unknown()),
        };
        Ok(route)
    }

    /// The intent that the request is about, if its path or parameters name one.
    pub(crate) fn intent<'a>(&'a self, params: &'a Params) -> Option<&'a str> {
        match self {
            Self::GetIntent(id)
            | Self::UpdateIntent(id)
            | Self::ConfirmIntent(id)
            | Self::CaptureIntent(id)
            | Self::CancelIntent(id) => Some(id),
            Self::CreateRefund | Self::ListRefunds => params.flat().get("payment_intent").map(String::as_str),
            _ => None,
        }
    }

    /// Carries the operation out.
    pub(crate) fn execute(&self, books: &Books<'_>, params: Params, lag: Lag) -> Result<Value, Failure> {
        match self {
            Self::CreateIntent => intents::create(books, params),
            Self::ListIntents => lists::intents(books, params, lag),
            Self::GetIntent(id) => intents::get(books, id, params),
            Self::UpdateIntent(id) => intents::update(books, id, params),
            Self::ConfirmIntent(id) => intents::confirm(books, id, params),
            Self::CaptureIntent(id) => intents::capture(books, id, params),
            Self::CancelIntent(id) => intents::cancel(books, id, params),
            Self::CreateRefund => refunds::create(books, params),
            Self::ListRefunds => lists::refunds(books, params, lag),
            Self::GetRefund(id) => refunds::get(books, id, params),
            Self::UpdateRefund(id) => refunds::update(books, id, params),
            Self::CancelRefund(id) => refunds::cancel(books, id, params),
            Self::GetCharge(id) => lists::charge(books, id, params),
            Self::Balance => lists::balance(books, params),
        }
    }
}
