//! Answers on their way out: status, body, and the headers that Stripe's clients read.

use std::time::Duration;

use super::error::StripeError;
use super::faults::{Kind, When};

/// What becomes of the connection.
#[derive(Debug)]
pub(crate) enum Delivery {
    Answer(Answer),
    /// Closed without an answer.
    Drop,
    /// Left open without an answer.
    Hang,
}

/// An answer to be sent.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
    pub(crate) headers: Vec<(&'static str, String)>,
}

impl Answer {
    /// A JSON answer, with Stripe's word on whether a retry makes sense: a stored failure stays what it is.
    pub(crate) fn new(status: u16, body: String, replayed: bool) -> Self {
        let mut headers = Vec::new();
        match status {
            409 | 429 => headers.push(("stripe-should-retry", "true".to_owned())),
            500.. if !replayed => headers.push(("stripe-should-retry", "true".to_owned())),
            400.. => headers.push(("stripe-should-retry", "false".to_owned())),
            _ => {}
        }
        Self { status, body, headers }
    }

    pub(crate) fn replay_of(mut self, first: Option<String>) -> Self {
        if let Some(first) = first {
            self.headers.push(("idempotent-replayed", "true".to_owned()));
            self.headers.push(("original-request", first));
        }
        self
    }

    pub(crate) fn garbage() -> Self {
        Self {
            status: 200,
            body: "<html><body>Bad gateway, good luck</body></html>".to_owned(),
            headers: Vec::new(),
        }
    }
}

/// What a fault does to an answer whose effect is in the ledger.
pub(crate) async fn strike_after(fault: &Kind, answer: Answer) -> Delivery {
    match fault {
        Kind::Delay { when: When::After, millis } => {
            tokio::time::sleep(Duration::from_millis(*millis)).await;
            Delivery::Answer(answer)
        }
        Kind::Drop { when: When::After } => Delivery::Drop,
        Kind::Hang { when: When::After } => Delivery::Hang,
        Kind::Garbage { when: When::After } => Delivery::Answer(Answer::garbage()),
        Kind::ServerError { when: When::After, stored: false } => {
            let error = StripeError::internal();
            Delivery::Answer(Answer::new(error.status, error.body().to_string(), false))
        }
        _ => Delivery::Answer(answer),
    }
}
