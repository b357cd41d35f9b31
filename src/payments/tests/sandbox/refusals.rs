//! What is refused, with Stripe's status, type, code and parameter.

use rstest::rstest;
use serde_json::json;

use crate::desk::{Desk, charge};

#[rstest]
#[case::no_amount("amount", None, "parameter_missing")]
#[case::empty_amount("amount", Some(""), "parameter_invalid_empty")]
#[case::letters("amount", Some("ten"), "parameter_invalid_integer")]
#[case::decimals("amount", Some("10.50"), "parameter_invalid_integer")]
#[case::nothing("amount", Some("0"), "parameter_invalid_integer")]
#[case::too_small("amount", Some("49"), "amount_too_small")]
#[case::too_large("amount", Some("100000000"), "amount_too_large")]
#[case::no_currency("currency", None, "parameter_missing")]
#[case::unknown_currency("currency", Some("xyz"), "")]
#[case::no_method("payment_method", None, "parameter_missing")]
#[case::unknown_method("payment_method", Some("pm_card_nonsense"), "resource_missing")]
#[case::unknown_parameter("colour", Some("red"), "parameter_unknown")]
#[case::bad_boolean("confirm", Some("maybe"), "")]
#[case::bad_choice("capture_method", Some("never"), "")]
#[case::long_metadata("metadata[k]", Some(LONG), "")]
#[case::flat_metadata("metadata", Some("x"), "")]
#[case::bad_expand("expand[0]", Some("customer"), "")]
#[case::other_type("payment_method_types[0]", Some("sepa_debit"), "")]
#[tokio::test]
async fn a_bad_charge_is_refused_by_its_parameter(
    #[case] param: &str,
    #[case] value: Option<&str>,
    #[case] code: &str,
) {
    let desk = Desk::open().await;
    let mut params: Vec<(&str, &str)> =
        charge("pm_card_visa").into_iter().filter(|(name, _)| *name != param).collect();
    params.extend(value.map(|value| (param, value)));
    let reply = desk.client.post("/v1/payment_intents", "u/charge/1", &params).await;
    assert_eq!(reply.refusal(), (400, "invalid_request_error", code), "{}", reply.text);
    let named = reply.error()["param"].as_str().unwrap();
    assert_eq!(named.split('[').next(), param.split('[').next());
    assert_eq!(desk.server.provider().ledger().accounts().await.unwrap(), vec![]);
}

const LONG: &str = concat!(
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789",
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789",
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789",
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789",
    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789",
);

#[rstest]
#[case("error_on_requires_action", "true")]
#[case("off_session", "true")]
#[case("return_url", "https://hotel.example")]
#[tokio::test]
async fn what_is_for_confirming_is_refused_without_it(#[case] param: &str, #[case] value: &str) {
    let desk = Desk::open().await;
    let params = [("amount", "12000"), ("currency", "eur"), ("confirm", "false"), (param, value)];
    let reply = desk.client.post("/v1/payment_intents", "", &params).await;
    assert_eq!((reply.status, &reply.error()["param"]), (400, &json!(param)));
}

#[rstest]
#[case::left_open(None, 400)]
#[case::cards_alone(Some(("allowed_payment_method_types[]", "card")), 200)]
#[case::cards_alone_in_the_older_form(Some(("payment_method_types[]", "card")), 200)]
#[case::no_redirects(Some(("automatic_payment_methods[allow_redirects]", "never")), 200)]
#[case::with_a_way_back(Some(("return_url", "https://hotel.example")), 200)]
#[tokio::test]
async fn confirming_needs_a_way_back_unless_no_method_redirects(
    #[case] extra: Option<(&str, &str)>,
    #[case] status: u16,
) {
    let desk = Desk::open().await;
    let mut params = vec![
        ("amount", "12000"),
        ("currency", "eur"),
        ("payment_method", "pm_card_visa"),
        ("confirm", "true"),
    ];
    params.extend(extra);
    assert_eq!(desk.client.post("/v1/payment_intents", "", &params).await.status, status);
}

#[rstest]
#[case("/v1/payment_intents/pi_none", "payment_intent", "intent")]
#[case("/v1/refunds/re_none", "refund", "refund")]
#[case("/v1/charges/ch_none", "charge", "charge")]
#[case("/v1/refunds?payment_intent=pi_none", "payment_intent", "payment_intent")]
#[case("/v1/payment_intents?starting_after=pi_none", "payment_intent", "starting_after")]
#[tokio::test]
async fn what_is_not_there_is_missing(#[case] path: &str, #[case] kind: &str, #[case] param: &str) {
    let desk = Desk::open().await;
    let reply = desk.client.get(path).await;
    assert_eq!(reply.refusal(), (404, "invalid_request_error", "resource_missing"));
    assert_eq!(reply.error()["param"], param);
    assert!(reply.error()["message"].as_str().unwrap().starts_with(&format!("No such {kind}: ")));
}

#[rstest]
#[case("limit=0")]
#[case("limit=101")]
#[case("limit=x")]
#[case("created[gte]=soon")]
#[case("page=2")]
#[case("expand[]=latest_charge")]
#[tokio::test]
async fn a_bad_page_is_refused(#[case] query: &str) {
    let desk = Desk::open().await;
    assert_eq!(desk.client.get(&format!("/v1/payment_intents?{query}")).await.status, 400);
}

#[rstest]
#[case::confirmed_again("confirm")]
#[case::captured_again("capture")]
#[case::cancelled_too_late("cancel")]
#[tokio::test]
async fn what_no_longer_fits_the_state_says_so_with_the_intent(#[case] verb: &str) {
    let desk = Desk::open().await;
    let intent = desk.client.charge("u/charge/1", "pm_card_visa").await.ok();
    let reply = desk.client.post(&format!("/v1/payment_intents/{}/{verb}", intent.id()), "", &[]).await;
    assert_eq!(reply.refusal(), (400, "invalid_request_error", "payment_intent_unexpected_state"));
    assert_eq!(reply.error()["payment_intent"]["status"], "succeeded");
}

#[tokio::test]
async fn more_than_is_left_cannot_be_refunded() {
    let desk = Desk::open().await;
    let intent = desk.client.charge("u/charge/1", "pm_card_visa").await.ok();
    let part = [("payment_intent", intent.id()), ("amount", "5000")];
    desk.client.post("/v1/refunds", "u/refund/1", &part).await.ok();
    let more = [("payment_intent", intent.id()), ("amount", "7001")];
    let reply = desk.client.post("/v1/refunds", "u/refund/2", &more).await;
    assert_eq!((reply.status, &reply.error()["param"]), (400, &json!("amount")));
    assert_eq!(
        reply.error()["message"],
        "Refund amount (70.01 EUR) is greater than unrefunded amount on charge (70.00 EUR)"
    );
}

#[tokio::test]
async fn what_was_never_captured_cannot_be_refunded() {
    let desk = Desk::open().await;
    let declined = desk.client.charge("u/charge/1", "pm_card_visa_chargeDeclined").await;
    let intent = declined.error()["payment_intent"]["id"].as_str().unwrap();
    let reply = desk.client.post("/v1/refunds", "u/refund/1", &[("payment_intent", intent)]).await;
    assert_eq!(reply.refusal(), (400, "invalid_request_error", ""));
}

#[tokio::test]
async fn metadata_are_merged_taken_away_and_limited() {
    let desk = Desk::open().await;
    let intent = desk.client.charge("u/charge/1", "pm_card_visa").await.ok();
    let path = format!("/v1/payment_intents/{}", intent.id());
    let merged =
        desk.client.post(&path, "", &[("metadata[a]", "1"), ("metadata[innkeeper_name]", "")]).await.ok();
    assert_eq!(merged.body["metadata"], json!({ "a": "1" }));
    let cleared = desk.client.post(&path, "", &[("metadata", "")]).await.ok();
    assert_eq!(cleared.body["metadata"], json!({}));
    let names: Vec<String> = (0..51).map(|n| format!("metadata[k{n}]")).collect();
    let many: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "v")).collect();
    assert_eq!(desk.client.post(&path, "", &many).await.status, 400);
    assert_eq!(desk.client.post(&path, "", &many[..50]).await.status, 200);
}
