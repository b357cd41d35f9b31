//! The driver against the embedded provider: the whole way, with its faults.

mod faults;
mod usual;

use innkeeper_booking::provider::{Because, Charge, Intent, LookFor, Refund};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::script::{KEY, charge, config, look_for};
use crate::driver::Stripe;
use crate::sandbox::{self, Config, Server};

struct House {
    server: Server,
    stripe: Stripe,
}

impl House {
    async fn open() -> Self {
        let server = Server::start(Config::new(sandbox::ApiKey::parse(KEY).unwrap())).await.unwrap();
        let stripe = Stripe::new(&config(&server.url())).unwrap();
        Self { server, stripe }
    }

    /// Switches a fault on for the next request that fits.
    fn fault(&self, matches: &Value, fault: &Value) {
        let fault = json!({ "match": matches, "fault": fault, "times": 1 });
        self.server.provider().add_fault(serde_json::from_value(fault).unwrap());
    }

    async fn advance(&self, seconds: u32) {
        self.server.provider().advance_clock(seconds).await.unwrap();
    }

    async fn found(&self) -> Option<Intent> {
        let since = Timestamp::now();
        self.stripe.look(&LookFor { since, ..look_for(None) }).await.unwrap()
    }

    /// How many intents there are, what they captured, and what has gone or is going back.
    async fn books(&self) -> (usize, i64, i64) {
        let accounts = self.server.provider().ledger().accounts().await.unwrap();
        let captured = accounts.iter().map(|account| account.intent.amount_received).sum();
        let mut returned = 0;
        for account in &accounts {
            for refund in &account.refunds {
                if !matches!(refund.status, sandbox::RefundStatus::Failed | sandbox::RefundStatus::Canceled) {
                    returned += refund.amount;
                }
            }
        }
        (accounts.len(), captured, returned)
    }
}

fn paying_with(method: &str) -> Charge {
    Charge { method: method.to_owned(), ..charge() }
}

fn refund(intent: &Intent, attempt: u32, amount: i64) -> Refund {
    Refund {
        installation: "inn-1".to_owned(),
        uid: "6f1c".to_owned(),
        attempt,
        intent: intent.id.clone(),
        amount,
        because: Because::Cancelled,
    }
}
