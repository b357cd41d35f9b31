//! async-stripe's own requests and types against the provider: what it sends is understood, and what it gets can be
//! read by the decoder that the driver uses.

use stripe_client_core::{
    CustomizedStripeRequest, StripeClient, StripeClientErr, StripeMethod, StripeRequest,
};
use stripe_core::payment_intent::{
    CancelPaymentIntent, CreatePaymentIntent, ListPaymentIntent, RetrievePaymentIntent,
};
use stripe_core::refund::{CreateRefund, ListRefund};
use stripe_shared::{PaymentIntentAllowedPaymentMethodTypes, PaymentIntentStatus};
use stripe_types::Currency;

use crate::desk::{Desk, KEY};

struct Plain(String);

#[derive(Debug)]
struct Failed(String);

impl StripeClientErr for Failed {
    fn deserialize_err(msg: impl std::fmt::Display) -> Self {
        Self(format!("cannot be read: {msg}"))
    }
}

impl StripeClient for Plain {
    type Err = Failed;

    async fn execute(&self, request: CustomizedStripeRequest) -> Result<bytes::Bytes, Failed> {
        let (request, _) = request.into_pieces();
        let method = match request.method {
            StripeMethod::Get => reqwest::Method::GET,
            StripeMethod::Post => reqwest::Method::POST,
            StripeMethod::Delete => reqwest::Method::DELETE,
        };
        let query = request.query.map(|query| format!("?{query}")).unwrap_or_default();
        let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
        let response = http
            .request(method, format!("{}/v1{}{query}", self.0, request.path))
            .bearer_auth(KEY)
            .header("content-type", "application/x-www-form-urlencoded")
            .body(request.body.unwrap_or_default())
            .send()
            .await
            .unwrap();
        let (status, body) = (response.status(), response.bytes().await.unwrap());
        if status.is_success() { Ok(body) } else { Err(Failed(String::from_utf8(body.to_vec()).unwrap())) }
    }
}

fn charge(method: &str) -> CreatePaymentIntent {
    CreatePaymentIntent::new(12000, Currency::EUR)
        .payment_method(method)
        .confirm(true)
        .error_on_requires_action(true)
        .allowed_payment_method_types(vec![PaymentIntentAllowedPaymentMethodTypes::Card])
        .metadata([("innkeeper_name".to_owned(), "smith".to_owned())])
}

#[tokio::test]
async fn intents_refunds_and_lists_can_be_read() {
    let desk = Desk::open().await;
    let client = Plain(desk.server.url());
    let intent = charge("pm_card_visa").customize().send(&client).await.unwrap();
    assert_eq!((intent.status, intent.amount_received), (PaymentIntentStatus::Succeeded, 12000));
    let refund =
        CreateRefund::new().payment_intent(intent.id.as_str()).amount(2000).customize().send(&client).await;
    assert_eq!(refund.unwrap().status.as_deref(), Some("succeeded"));
    let read = RetrievePaymentIntent::new(intent.id.clone())
        .expand(vec!["latest_charge.refunds".to_owned()])
        .customize()
        .send(&client)
        .await
        .unwrap();
    let charge = read.latest_charge.unwrap().into_object().unwrap();
    assert_eq!((charge.amount_refunded, charge.refunds.unwrap().data.len()), (2000, 1));
    let listed = ListPaymentIntent::new().limit(100).customize().send(&client).await.unwrap();
    assert_eq!((listed.data.len(), listed.has_more), (1, false));
    let refunds =
        ListRefund::new().payment_intent(intent.id.as_str()).customize().send(&client).await.unwrap();
    assert_eq!(refunds.data[0].amount, 2000);
}

#[tokio::test]
async fn intents_in_every_state_can_be_read() {
    let desk = Desk::open().await;
    let client = Plain(desk.server.url());
    let open = CreatePaymentIntent::new(12000, Currency::EUR)
        .confirm(false)
        .customize()
        .send(&client)
        .await
        .unwrap();
    let cancelled = CancelPaymentIntent::new(open.id).customize().send(&client).await.unwrap();
    assert_eq!(cancelled.status, PaymentIntentStatus::Canceled);
    let processing = charge("pm_card_asyncPending").customize().send(&client).await.unwrap();
    assert_eq!(processing.status, PaymentIntentStatus::Processing);
    let acting = charge("pm_card_authenticationRequired").error_on_requires_action(false);
    let acting = acting.customize().send(&client).await.unwrap();
    assert_eq!(acting.status, PaymentIntentStatus::RequiresAction);
    let declined = charge("pm_card_visa_chargeDeclined").customize().send(&client).await.unwrap_err();
    // The error's intent is read back by id, since only what `send` returns goes through the decoder.
    let error: serde_json::Value = serde_json::from_str(&declined.0).unwrap();
    let id = error["error"]["payment_intent"]["id"].as_str().unwrap();
    let path = vec!["latest_charge".to_owned()];
    let read = RetrievePaymentIntent::new(id).expand(path).customize().send(&client).await.unwrap();
    assert_eq!(
        read.last_payment_error.unwrap().payment_method.unwrap().id.as_str(),
        "pm_card_chargeDeclined"
    );
    assert_eq!(read.latest_charge.unwrap().into_object().unwrap().amount_captured, 0);
}
