//! Looking up, listing, refunds and marks.

use innkeeper_booking::provider::{IntentState, ProviderError, RefundState};
use jiff::Timestamp;
use rstest::rstest;
use serde_json::{Value, json};

use super::script::{
    CREATED, Reply, Script, declined, fence, intent, look_for, marked, page, refund, refund_of,
};
use crate::driver::{ListQuery, Whose};

#[tokio::test]
async fn a_known_id_is_read_fresh_with_all_pages_of_its_refunds_oldest_first() {
    let script = Script::new([
        Reply::json(&intent("pi_1", "succeeded")),
        page(&[refund_of("re_3", 3, "failed", 30), refund_of("re_2", 2, "pending", 20)], true),
        page(&[refund_of("re_1", 1, "canceled", 10)], false),
    ])
    .await;
    let got = script.stripe.look(&look_for(Some("pi_1"))).await.unwrap().unwrap();
    let refunds: Vec<_> = got.refunds.iter().map(|r| (r.id.as_str(), r.attempt, r.state.clone())).collect();
    assert_eq!(
        refunds,
        [
            ("re_1", Some(1), RefundState::Cancelled),
            ("re_2", Some(1), RefundState::Pending),
            ("re_3", Some(1), RefundState::Failed("unknown".to_owned())),
        ]
    );
    let seen = script.seen();
    assert_eq!(seen[0].line, "GET /v1/payment_intents/pi_1");
    assert_eq!(
        (seen[1].line.as_str(), seen[1].query["payment_intent"].as_str()),
        ("GET /v1/refunds", "pi_1")
    );
    assert_eq!(seen[1].query.get("starting_after"), None);
    assert_eq!(seen[2].query["starting_after"], "re_2");
    assert!(seen.iter().all(|seen| seen.header("idempotency-key").is_none()));
}

#[tokio::test]
async fn a_refund_made_in_the_dashboard_counts_and_has_no_attempt() {
    let mut dashboard = refund_of("re_1", 900, "succeeded", 10);
    dashboard["metadata"] = json!({});
    let script = Script::new([Reply::json(&intent("pi_1", "succeeded")), page(&[dashboard], false)]).await;
    let got = script.stripe.look(&look_for(Some("pi_1"))).await.unwrap().unwrap();
    assert_eq!((got.returning(), got.refunds[0].attempt), (900, None));
}

#[tokio::test]
async fn without_an_id_every_page_since_then_is_searched() {
    let other = marked(intent("pi_9", "succeeded"), "innkeeper_uid", "other");
    let script = Script::new([
        page(&[other.clone(), marked(intent("pi_8", "succeeded"), "innkeeper_installation", "inn-2")], true),
        page(&[marked(intent("pi_7", "succeeded"), "innkeeper_attempt", "1")], true),
        page(&[declined("pi_1")], false),
        Reply::json(&declined("pi_1")),
    ])
    .await;
    let got = script.stripe.look(&look_for(None)).await.unwrap().unwrap();
    assert_eq!(got.id, "pi_1");
    let seen = script.seen();
    assert_eq!(seen[0].query["created[gte]"], (CREATED - 600).to_string(), "a margin for clocks");
    assert_eq!(seen[0].query["limit"], "100");
    assert_eq!(
        (seen[1].query["starting_after"].as_str(), seen[2].query["starting_after"].as_str()),
        ("pi_8", "pi_7")
    );
}

#[tokio::test]
async fn what_the_provider_does_not_have_is_none() {
    let script = Script::new([page(&[], false)]).await;
    assert_eq!(script.stripe.look(&look_for(None)).await, Ok(None));
}

#[rstest]
#[case::reservation("innkeeper_uid", "other")]
#[case::installation("innkeeper_installation", "inn-2")]
#[case::attempt("innkeeper_attempt", "1")]
#[tokio::test]
async fn an_id_of_what_was_made_for_another_is_passed_over(#[case] mark: &str, #[case] value: &str) {
    let other = marked(intent("pi_9", "succeeded"), mark, value);
    let script = Script::new([Reply::json(&other), page(&[other], false)]).await;
    assert_eq!(script.stripe.look(&look_for(Some("pi_9"))).await, Ok(None));
    script.seen();
}

#[rstest]
#[case::captured_first(&[fence("pi_1", "canceled"), declined("pi_2"), intent("pi_3", "processing"), intent("pi_4", "succeeded")], "pi_4")]
#[case::then_processing(&[fence("pi_1", "canceled"), declined("pi_2"), intent("pi_3", "processing")], "pi_3")]
#[case::then_what_may_yet_capture(&[fence("pi_1", "canceled"), declined("pi_2"), intent("pi_3", "requires_capture")], "pi_3")]
#[case::then_declined(&[fence("pi_1", "canceled"), declined("pi_2"), fence("pi_3", "requires_confirmation")], "pi_2")]
#[case::then_an_open_fence(&[fence("pi_1", "canceled"), fence("pi_2", "requires_confirmation")], "pi_2")]
#[tokio::test]
async fn of_several_intents_of_one_attempt_the_one_that_matters_most_is_found(
    #[case] listed: &[Value],
    #[case] expected: &str,
) {
    let best = listed.iter().find(|intent| intent["id"] == expected).unwrap();
    let mut replies = vec![page(listed, false), Reply::json(best)];
    if best["status"] == "succeeded" {
        replies.push(page(&[], false));
    }
    let script = Script::new(replies).await;
    assert_eq!(script.stripe.look(&look_for(None)).await.unwrap().unwrap().id, expected);
    assert_eq!(script.lines()[1], format!("GET /v1/payment_intents/{expected}"));
}

#[rstest]
#[case::empty_page(vec![page(&[], true)])]
#[case::same_page_again(vec![page(&[declined("pi_1")], true), page(&[declined("pi_1")], true)])]
#[tokio::test]
async fn a_list_that_does_not_move_on_is_an_error_and_not_the_end(#[case] replies: Vec<Reply>) {
    let script = Script::new(replies).await;
    let got = script.stripe.look(&look_for(None)).await;
    assert!(matches!(got, Err(ProviderError::OutcomeUnknown(_))), "{got:?}");
    script.seen();
}

#[rstest]
#[case::uid(Whose::Uid("6f1c".to_owned()), &["pi_1", "pi_3"])]
#[case::name(Whose::Named { namespace: "seaview".to_owned(), name: "anna".to_owned() }, &["pi_1", "pi_2", "pi_3"])]
#[tokio::test]
async fn everything_of_a_reservation_or_of_its_name_is_found(
    #[case] whose: Whose,
    #[case] expected: &[&str],
) {
    let listed = [
        marked(intent("pi_5", "canceled"), "innkeeper_namespace", "hillside"),
        marked(intent("pi_4", "canceled"), "innkeeper_installation", "inn-2"),
        declined("pi_3"),
        marked(intent("pi_2", "canceled"), "innkeeper_uid", "earlier"),
        intent("pi_1", "canceled"),
    ];
    let listed = if matches!(whose, Whose::Uid(_)) {
        // The other hotel's object cannot have our UID.
        listed[1..].to_vec()
    } else {
        listed.to_vec()
    };
    let script = Script::new([page(&listed, false)]).await;
    let since = Timestamp::from_second(CREATED).unwrap();
    let found = script.stripe.find_all("inn-1", &whose, since).await.unwrap();
    let ids: Vec<_> = found.iter().map(|(_, intent)| intent.id.as_str()).collect();
    assert_eq!(ids, expected);
}

#[tokio::test]
async fn a_stretch_of_the_list_ends_where_the_next_begins_and_has_its_refunds() {
    let mut edited = marked(intent("pi_2", "succeeded"), "innkeeper_check_in", "soon");
    edited["created"] = json!(CREATED - 50);
    let mut elsewhere = refund_of("re_2", 5, "succeeded", CREATED);
    elsewhere["payment_intent"] = json!("pi_77");
    let script = Script::new([
        page(&[intent("pi_1", "succeeded")], true),
        page(&[edited, marked(intent("pi_3", "succeeded"), "innkeeper_installation", "inn-2")], true),
        page(&[elsewhere, refund_of("re_1", 900, "succeeded", CREATED)], false),
    ])
    .await;
    let since = Timestamp::from_second(CREATED - 100).unwrap();
    let query = ListQuery {
        installation: "inn-1".to_owned(),
        since,
        after: Some("pi_0".to_owned()),
        pages: 2,
        refunds: true,
    };
    let got = script.stripe.list(&query).await.unwrap();
    assert_eq!(got.next.as_deref(), Some("pi_3"));
    let found: Vec<_> =
        got.intents.iter().map(|(tags, i)| (tags.is_some(), i.id.as_str(), i.returned())).collect();
    assert_eq!(found, [(true, "pi_1", 900), (false, "pi_2", 0)]);
    let seen = script.seen();
    assert_eq!(seen[0].query["starting_after"], "pi_0");
    assert_eq!(seen[2].query["created[gte]"], (CREATED - 50).to_string());
}

#[tokio::test]
async fn a_refund_is_one_request_with_our_key_and_our_marks() {
    let script = Script::new([Reply::json(&refund_of("re_1", 900, "succeeded", CREATED))]).await;
    let got = script.stripe.refund(&refund()).await.unwrap();
    assert_eq!(
        (got.id.as_str(), got.amount, got.state, got.attempt),
        ("re_1", 900, RefundState::Succeeded, Some(1))
    );
    let seen = script.seen();
    assert_eq!(seen[0].line, "POST /v1/refunds");
    assert_eq!(seen[0].header("idempotency-key"), Some("6f1c/refund/1"));
    let expected = [
        ("amount", "900"),
        ("metadata[innkeeper_attempt]", "1"),
        ("metadata[innkeeper_because]", "cancelled"),
        ("metadata[innkeeper_installation]", "inn-1"),
        ("metadata[innkeeper_step]", "refund"),
        ("metadata[innkeeper_uid]", "6f1c"),
        ("payment_intent", "pi_1"),
    ];
    assert_eq!(seen[0].form, expected.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect());
}

#[tokio::test]
async fn a_repeated_refund_is_believed_only_as_a_fresh_read_shows_it() {
    let mut failed = refund_of("re_1", 900, "failed", CREATED);
    failed["failure_reason"] = json!("expired_or_canceled_card");
    let script = Script::new([
        Reply::json(&refund_of("re_1", 900, "pending", CREATED)).replayed(),
        Reply::json(&failed),
    ])
    .await;
    let got = script.stripe.refund(&refund()).await.unwrap();
    assert_eq!(got.state, RefundState::Failed("expired_or_canceled_card".to_owned()));
    assert_eq!(script.lines(), ["POST /v1/refunds", "GET /v1/refunds/re_1"]);
}

#[tokio::test]
async fn a_settled_mark_says_how_much_stays() {
    let script = Script::new([Reply::json(&intent("pi_1", "succeeded"))]).await;
    script.stripe.mark_settled("pi_1", 12_950).await.unwrap();
    let seen = script.seen();
    assert_eq!(seen[0].line, "POST /v1/payment_intents/pi_1");
    assert_eq!(
        seen[0].form.clone().into_iter().collect::<Vec<_>>(),
        [("metadata[innkeeper_settled]".to_owned(), "12950".to_owned())]
    );
}

#[tokio::test]
async fn a_check_reads_one_intent_and_nothing_else() {
    let script = Script::new([page(&[], false)]).await;
    script.stripe.check().await.unwrap();
    let seen = script.seen();
    assert_eq!((seen[0].line.as_str(), seen[0].query["limit"].as_str()), ("GET /v1/payment_intents", "1"));
}

#[rstest]
#[case("requires_payment_method", IntentState::Open)]
#[case("requires_confirmation", IntentState::Open)]
#[case("requires_action", IntentState::Open)]
#[case("requires_capture", IntentState::Open)]
#[case("processing", IntentState::Processing)]
#[case("canceled", IntentState::Cancelled)]
#[tokio::test]
async fn a_status_is_read_as_booking_means_it(#[case] status: &str, #[case] state: IntentState) {
    let script = Script::new([Reply::json(&intent("pi_1", status))]).await;
    let got = script.stripe.look(&look_for(Some("pi_1"))).await.unwrap().unwrap();
    assert_eq!((got.state, got.captured), (state, 0));
}
