//! Whatever is done in whatever order, the ledger adds up.

use std::time::Duration;

use axum::body::Body;
use http::Request;
use innkeeper_payments::sandbox::{Ledger, Location, Outcome, Provider, router};
use proptest::prelude::*;
use tower::ServiceExt;

use crate::desk::{KEY, config, encode};

/// A step of somebody who knows no rules. Numbers choose among what is there.
#[derive(Clone, Debug)]
enum Step {
    Create { method: usize, manual: bool, confirm: bool },
    Confirm { intent: usize, method: usize },
    Capture { intent: usize, amount: i64 },
    Cancel { intent: usize },
    Refund { intent: usize, amount: Option<i64> },
    RefundByHand { intent: usize, amount: Option<i64> },
    CancelRefund { refund: usize },
    SettleRefund { refund: usize, succeeds: bool },
    SettleIntent { intent: usize, succeeds: bool },
    Wait,
}

const METHODS: &[&str] = &[
    "pm_card_visa",
    "pm_card_visa_chargeDeclined",
    "pm_card_pendingRefund",
    "pm_card_refundFail",
    "pm_card_asyncSuccess",
    "pm_card_asyncFailure",
    "pm_card_asyncPending",
    "pm_card_authenticationRequired",
];

fn step() -> impl Strategy<Value = Step> {
    let (one, method) = (0..4_usize, 0..METHODS.len());
    let amount = prop_oneof![Just(None), (1..15_000_i64).prop_map(Some)];
    prop_oneof![
        3 => (method.clone(), any::<bool>(), any::<bool>())
            .prop_map(|(method, manual, confirm)| Step::Create { method, manual, confirm }),
        2 => (one.clone(), method).prop_map(|(intent, method)| Step::Confirm { intent, method }),
        2 => (one.clone(), 0..15_000_i64).prop_map(|(intent, amount)| Step::Capture { intent, amount }),
        1 => one.clone().prop_map(|intent| Step::Cancel { intent }),
        4 => (one.clone(), amount.clone()).prop_map(|(intent, amount)| Step::Refund { intent, amount }),
        1 => (one.clone(), amount).prop_map(|(intent, amount)| Step::RefundByHand { intent, amount }),
        1 => one.clone().prop_map(|refund| Step::CancelRefund { refund }),
        2 => (one.clone(), any::<bool>()).prop_map(|(refund, succeeds)| Step::SettleRefund { refund, succeeds }),
        1 => (one, any::<bool>()).prop_map(|(intent, succeeds)| Step::SettleIntent { intent, succeeds }),
        1 => Just(Step::Wait),
    ]
}

struct World {
    provider: Provider,
    intents: Vec<String>,
    refunds: Vec<String>,
}

impl World {
    async fn post(&mut self, path: &str, params: &[(&str, &str)]) {
        let request = Request::post(path)
            .header("authorization", format!("Bearer {KEY}"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Body::from(encode(params)))
            .unwrap();
        let response = router(&self.provider, false).oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        assert!(matches!(status, 200 | 400 | 402 | 404), "{path} {params:?}: {status}");
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        for id in [&body["id"], &body["error"]["payment_intent"]["id"]] {
            match id.as_str() {
                Some(id) if id.starts_with("pi_") => self.intents.push(id.to_owned()),
                Some(id) if id.starts_with("re_") => self.refunds.push(id.to_owned()),
                _ => {}
            }
        }
        self.intents.dedup();
        self.refunds.dedup();
    }

    fn pick(ids: &[String], n: usize) -> String {
        if ids.is_empty() { "none".to_owned() } else { ids[n % ids.len()].clone() }
    }

    async fn take(&mut self, step: Step) {
        let (intent, refund) = (|n| Self::pick(&self.intents, n), |n| Self::pick(&self.refunds, n));
        let outcome = |succeeds| if succeeds { Outcome::Succeeded } else { Outcome::Failed };
        match step {
            Step::Create { method, manual, confirm } => {
                let capture = if manual { "manual" } else { "automatic" };
                let params = [
                    ("amount", "12000"),
                    ("currency", "eur"),
                    ("payment_method", METHODS[method]),
                    ("payment_method_types[]", "card"),
                    ("capture_method", capture),
                    ("confirm", if confirm { "true" } else { "false" }),
                ];
                self.post("/v1/payment_intents", &params).await;
            }
            Step::Confirm { intent: n, method } => {
                let path = format!("/v1/payment_intents/{}/confirm", intent(n));
                self.post(&path, &[("payment_method", METHODS[method])]).await;
            }
            Step::Capture { intent: n, amount } => {
                let path = format!("/v1/payment_intents/{}/capture", intent(n));
                self.post(&path, &[("amount_to_capture", &amount.to_string())]).await;
            }
            Step::Cancel { intent: n } => {
                let path = format!("/v1/payment_intents/{}/cancel", intent(n));
                self.post(&path, &[]).await;
            }
            Step::Refund { intent: n, amount } => {
                let (id, amount) = (intent(n), amount.map(|amount| amount.to_string()));
                let mut params = vec![("payment_intent", id.as_str())];
                params.extend(amount.as_deref().map(|amount| ("amount", amount)));
                self.post("/v1/refunds", &params).await;
            }
            Step::CancelRefund { refund: n } => {
                let path = format!("/v1/refunds/{}/cancel", refund(n));
                self.post(&path, &[]).await;
            }
            Step::RefundByHand { intent: n, amount } => {
                if let Ok(made) = self.provider.refund_by_hand(&intent(n), amount).await {
                    self.refunds.push(made.id);
                }
            }
            Step::SettleRefund { refund: n, succeeds } => {
                let _ = self.provider.settle_refund(&refund(n), outcome(succeeds)).await;
            }
            Step::SettleIntent { intent: n, succeeds } => {
                let _ = self.provider.settle_intent(&intent(n), outcome(succeeds)).await;
            }
            Step::Wait => {
                self.provider.advance_clock(61).await.unwrap();
            }
        }
    }

    async fn check(&self) {
        for account in self.provider.ledger().accounts().await.unwrap() {
            let captured = account.charge.as_ref().map_or(0, |charge| charge.captured);
            let refunded = account.charge.as_ref().map_or(0, |charge| charge.refunded);
            let given: i64 = account
                .refunds
                .iter()
                .filter(|refund| refund.status.counts())
                .map(|refund| refund.amount)
                .sum();
            assert!(
                0 <= refunded && refunded <= captured && captured <= account.intent.amount,
                "{account:?}"
            );
            assert_eq!((refunded, captured), (given, account.intent.amount_received), "{account:?}");
            assert_eq!(account.intent.status.as_str() == "succeeded", captured > 0, "{account:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn never_more_is_refunded_than_captured_nor_captured_than_asked_for(
        steps in proptest::collection::vec(step(), 1..40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let ledger = Ledger::open(&Location::Memory, Duration::from_secs(60)).unwrap();
            let provider = Provider::new(ledger, config().key, 10);
            let mut world = World { provider, intents: Vec::new(), refunds: Vec::new() };
            for step in steps {
                world.take(step).await;
                world.check().await;
            }
        });
    }
}
