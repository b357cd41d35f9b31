//! What goes as it should, and what a guest, a clerk or a bank can do.

use innkeeper_booking::provider::{
    Adoption, Because, Charge, Fenced, IntentState, LookFor, ProviderError, Refund, RefundState, Tags,
};
use jiff::{SignedDuration, Timestamp};
use rstest::rstest;
use tokio::task::JoinSet;

use super::super::script::{charge, look_for};
use super::{House, paying_with, refund};
use crate::driver::{ListQuery, Whose};

#[tokio::test]
async fn a_stay_is_paid_found_again_refunded_in_part_and_settled() {
    let house = House::open().await;
    house.stripe.check().await.unwrap();
    let paid = house.stripe.charge(&charge()).await.unwrap();
    assert_eq!((&paid.state, paid.captured, paid.attempt), (&IntentState::Captured, 25_900, Some(2)));
    assert_eq!(house.found().await.as_ref(), Some(&paid));
    assert_eq!(house.stripe.look(&look_for(Some(&paid.id))).await.unwrap().as_ref(), Some(&paid));

    let back = house.stripe.refund(&refund(&paid, 1, 900)).await.unwrap();
    assert_eq!((back.state.clone(), back.amount, back.attempt), (RefundState::Succeeded, 900, Some(1)));
    house.stripe.mark_settled(&paid.id, 25_000).await.unwrap();
    house.stripe.mark_settled(&paid.id, 25_000).await.unwrap();
    let found = house.found().await.unwrap();
    assert_eq!((found.refunds.as_slice(), found.settled), ([back].as_slice(), true));
    assert_eq!(house.stripe.cancel(&paid.id).await.unwrap().state, IntentState::Captured);
    assert_eq!(house.books().await, (1, 25_900, 900));
}

#[rstest]
#[case("pm_card_visa_chargeDeclined", "generic_decline")]
#[case("pm_card_visa_chargeDeclinedInsufficientFunds", "insufficient_funds")]
#[case("pm_card_visa_chargeDeclinedExpiredCard", "expired_card")]
#[case("pm_card_authenticationRequired", "authentication_required")]
#[tokio::test]
async fn a_declined_card_is_declined_now_repeated_and_looked_up(#[case] method: &str, #[case] code: &str) {
    let house = House::open().await;
    let first = house.stripe.charge(&paying_with(method)).await.unwrap();
    let IntentState::Declined { code: got, message } = &first.state else {
        panic!("{:?} should be declined", first.state);
    };
    assert_eq!(got, code);
    assert!(message.ends_with('.'), "{message:?} is no sentence");
    assert_eq!(house.stripe.charge(&paying_with(method)).await.unwrap(), first);
    assert_eq!(house.found().await.unwrap(), first);
    assert_eq!(house.stripe.cancel(&first.id).await.unwrap().state, IntentState::Cancelled);
    assert_eq!(house.books().await.1, 0);
}

#[tokio::test]
async fn a_method_that_does_not_exist_is_refused_and_its_charge_can_be_fenced() {
    let house = House::open().await;
    let charge = paying_with("pm_nobody_has");
    match house.stripe.charge(&charge).await {
        Err(ProviderError::Invalid { code, .. }) => assert_eq!(code, "resource_missing"),
        other => panic!("{other:?}"),
    }
    assert_eq!(house.found().await, None);
    assert!(matches!(house.stripe.fence(&charge).await, Ok(Fenced::Standing(_))));
}

#[tokio::test]
async fn an_amount_that_cannot_be_charged_is_refused() {
    let house = House::open().await;
    match house.stripe.charge(&Charge { amount: 1, ..charge() }).await {
        Err(ProviderError::Invalid { code, .. }) => assert_eq!(code, "amount_too_small"),
        other => panic!("{other:?}"),
    }
    assert_eq!(house.books().await, (0, 0, 0));
}

#[tokio::test]
async fn many_repeats_of_one_charge_at_once_capture_once() {
    let house = House::open().await;
    let mut tasks = JoinSet::new();
    for _ in 0..16 {
        let stripe = house.stripe.clone();
        tasks.spawn(async move { stripe.charge(&charge()).await });
    }
    let mut ids = Vec::new();
    while let Some(done) = tasks.join_next().await {
        match done.unwrap() {
            Ok(intent) => ids.push(intent.id),
            Err(error) => assert_eq!(error, ProviderError::InFlight),
        }
    }
    ids.dedup();
    assert_eq!((ids.len(), house.books().await), (1, (1, 25_900, 0)));
}

#[tokio::test]
async fn after_a_fence_the_charge_can_never_land() {
    let house = House::open().await;
    let Fenced::Standing(fence) = house.stripe.fence(&charge()).await.unwrap() else {
        panic!("nothing came before the fence");
    };
    assert_eq!((&fence.state, fence.fence, fence.attempt), (&IntentState::Cancelled, true, Some(2)));
    assert_eq!(house.stripe.charge(&charge()).await, Err(ProviderError::Mismatch));
    assert_eq!(house.stripe.fence(&charge()).await, Ok(Fenced::Standing(fence.clone())));
    assert_eq!(house.found().await, Some(fence));
    assert_eq!(house.books().await, (1, 0, 0));
}

#[rstest]
#[case::captured("pm_card_visa")]
#[case::declined("pm_card_visa_chargeDeclined")]
#[case::processing("pm_card_asyncSuccess")]
#[tokio::test]
async fn a_fence_after_the_charge_says_so_and_the_charge_is_found(#[case] method: &str) {
    let house = House::open().await;
    let charge = paying_with(method);
    let first = house.stripe.charge(&charge).await.unwrap();
    assert_eq!(house.stripe.fence(&charge).await, Ok(Fenced::ChargeCameFirst));
    assert_eq!(house.found().await, Some(first));
}

/// Repeats while another request with the same key is still running, as a caller would.
macro_rules! patiently {
    ($call:expr) => {
        loop {
            match $call.await {
                Err(ProviderError::InFlight) => tokio::task::yield_now().await,
                other => break other,
            }
        }
    };
}

#[tokio::test]
async fn of_a_charge_and_a_fence_at_once_exactly_one_takes_effect() {
    let house = House::open().await;
    for attempt in 1..=20 {
        let charge = Charge { attempt, ..charge() };
        let (first, second) = (house.stripe.clone(), house.stripe.clone());
        let (for_charge, for_fence) = (charge.clone(), charge.clone());
        let charged = tokio::spawn(async move { patiently!(first.charge(&for_charge)) });
        let fenced = tokio::spawn(async move { patiently!(second.fence(&for_fence)) });
        match (charged.await.unwrap(), fenced.await.unwrap()) {
            (Ok(intent), Ok(Fenced::ChargeCameFirst)) => assert_eq!(intent.captured, 25_900),
            (Err(ProviderError::Mismatch), Ok(Fenced::Standing(fence))) => assert_eq!(fence.captured, 0),
            other => panic!("attempt {attempt}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_processing_charge_is_found_so_and_ends_by_itself() {
    let house = House::open().await;
    let first = house.stripe.charge(&paying_with("pm_card_asyncSuccess")).await.unwrap();
    assert_eq!((&first.state, first.captured), (&IntentState::Processing, 0));
    house.advance(60).await;
    assert_eq!(house.found().await.unwrap().captured, 25_900);
    let late = house.stripe.charge(&paying_with("pm_card_asyncSuccess")).await.unwrap();
    assert_eq!(late.state, IntentState::Captured, "the stored answer still says processing");
}

#[rstest]
#[case::arrives("pm_card_pendingRefund", RefundState::Pending, true)]
#[case::fails("pm_card_refundFail", RefundState::Succeeded, false)]
#[tokio::test]
async fn a_refund_that_ends_later_is_seen_to(
    #[case] method: &str,
    #[case] at_first: RefundState,
    #[case] arrives: bool,
) {
    let house = House::open().await;
    let paid = house.stripe.charge(&paying_with(method)).await.unwrap();
    let wanted = refund(&paid, 1, 25_900);
    assert_eq!(house.stripe.refund(&wanted).await.unwrap().state, at_first);
    house.advance(60).await;
    let now = house.stripe.refund(&wanted).await.unwrap();
    assert_eq!(matches!(now.state, RefundState::Succeeded), arrives, "{now:?}");
    assert_eq!(matches!(now.state, RefundState::Failed(_)), !arrives, "{now:?}");
    let found = house.found().await.unwrap();
    assert_eq!(
        (found.refunds.as_slice(), found.returned()),
        ([now].as_slice(), if arrives { 25_900 } else { 0 })
    );
    if !arrives {
        let again = house.stripe.refund(&refund(&paid, 2, 25_900)).await.unwrap();
        assert_eq!(again.attempt, Some(2), "the money is there again, and a new attempt may send it");
    }
}

#[tokio::test]
async fn a_refund_by_hand_counts_and_a_charge_repeated_after_it_shows_it() {
    let house = House::open().await;
    let paid = house.stripe.charge(&charge()).await.unwrap();
    house.server.provider().refund_by_hand(&paid.id, Some(5_900)).await.unwrap();
    let repeated = house.stripe.charge(&charge()).await.unwrap();
    assert_eq!((repeated.returned(), repeated.refunds[0].attempt), (5_900, None));
    let error = house.stripe.refund(&refund(&paid, 1, 25_900)).await.unwrap_err();
    assert!(matches!(error, ProviderError::Invalid { .. }), "{error:?}");
    house.stripe.refund(&refund(&paid, 2, 20_000)).await.unwrap();
    match house.stripe.refund(&refund(&paid, 3, 1)).await {
        Err(ProviderError::Invalid { code, .. }) => assert_eq!(code, "charge_already_refunded"),
        other => panic!("{other:?}"),
    }
    assert_eq!(house.books().await, (1, 25_900, 25_900));
}

#[tokio::test]
async fn everything_is_found_across_pages_and_nothing_of_another_installation() {
    let house = House::open().await;
    let mut elsewhere = charge();
    elsewhere.tags.installation = "inn-2".to_owned();
    elsewhere.tags.uid = "not-ours".to_owned();
    house.stripe.charge(&elsewhere).await.unwrap();
    for n in 0..230 {
        let tags = Tags { uid: format!("uid-{n}"), ..charge().tags };
        let paid = house.stripe.charge(&Charge { tags, attempt: 1, ..charge() }).await.unwrap();
        if n % 2 == 0 {
            let refund = Refund { uid: format!("uid-{n}"), ..refund(&paid, 1, 900) };
            house.stripe.refund(&refund).await.unwrap();
        }
    }
    let since = Timestamp::now();
    let whose = Whose::Named { namespace: "seaview".to_owned(), name: "anna".to_owned() };
    let all = house.stripe.find_all("inn-1", &whose, since).await.unwrap();
    assert_eq!(all.len(), 230);
    let one = house.stripe.find_all("inn-1", &Whose::Uid("uid-4".to_owned()), since).await.unwrap();
    assert_eq!(one.iter().map(|(_, intent)| intent.returned()).collect::<Vec<_>>(), [900]);

    let mut query =
        ListQuery { installation: "inn-1".to_owned(), since, after: None, pages: 1, refunds: true };
    let (mut seen, mut returned, mut stretches) = (0, 0, 0);
    loop {
        let listing = house.stripe.list(&query).await.unwrap();
        seen += listing.intents.len();
        returned += listing.intents.iter().map(|(_, intent)| intent.returned()).sum::<i64>();
        stretches += 1;
        query.after = listing.next;
        if query.after.is_none() {
            break;
        }
    }
    assert_eq!((seen, returned, stretches), (230, 115 * 900, 3));
}

#[tokio::test]
async fn a_payment_is_adopted_by_another_reservation_of_its_name_and_by_no_third() {
    let house = House::open().await;
    let paid = house.stripe.charge(&charge()).await.unwrap();
    let tags = Tags { uid: "anew".to_owned(), ..charge().tags };
    let adoption =
        Adoption { intent: paid.id.clone(), from: charge().tags.uid, tags: tags.clone(), attempt: 1 };
    // A repeat changes nothing more.
    for _ in 0..2 {
        house.stripe.adopt(&adoption).await.unwrap();
    }
    let look = |tags: &Tags| LookFor {
        id: Some(paid.id.clone()),
        tags: tags.clone(),
        attempt: 1,
        since: Timestamp::now(),
    };
    assert_eq!(house.stripe.look(&look(&tags)).await.unwrap().unwrap().captured, 25_900);
    assert_eq!(
        house.stripe.look(&look(&charge().tags)).await.unwrap(),
        None,
        "it is the first one's no more"
    );
    let third = Tags { uid: "third".to_owned(), ..charge().tags };
    let late = Adoption { tags: third, ..adoption };
    match house.stripe.adopt(&late).await {
        Err(ProviderError::Invalid { code, .. }) => assert_eq!(code, "adopted"),
        other => panic!("{other:?}"),
    }
    let (found, intent) = house.stripe.examine("inn-1", &paid.id).await.unwrap();
    assert_eq!((found, intent.captured), (Some(tags), 25_900));
    assert_eq!(house.stripe.examine("inn-2", &paid.id).await.unwrap().0, None);
}

#[tokio::test]
async fn what_has_gone_back_is_listed_with_why_and_without_what_others_have_made() {
    let house = House::open().await;
    let paid = house.stripe.charge(&charge()).await.unwrap();
    let because = |because, attempt| Refund { because, ..refund(&paid, attempt, 100) };
    let all = [Because::Cancelled, Because::Withdrawn, Because::Orphaned];
    for (attempt, why) in (1..).zip(all) {
        house.stripe.refund(&because(why, attempt)).await.unwrap();
    }
    house
        .stripe
        .refund(&Refund { installation: "inn-2".to_owned(), ..because(Because::Withdrawn, 9) })
        .await
        .unwrap();
    house.server.provider().refund_by_hand(&paid.id, Some(1)).await.unwrap();
    let listed =
        house.stripe.outgoing("inn-1", Timestamp::now() - SignedDuration::from_hours(1)).await.unwrap();
    let mut why: Vec<Because> = listed.iter().map(|out| out.because).collect();
    why.sort_unstable();
    assert_eq!(why, all);
    assert!(listed.iter().all(|out| out.intent == paid.id && out.uid == "6f1c"));
    assert_eq!(refund(&paid, 1, 1).key(), "6f1c/refund/1");
    assert_eq!(because(Because::Orphaned, 1).key(), format!("{}/orphan/1", paid.id));
    // The sweep's refunds are no attempt of a Reservation's.
    let found = house.found().await.unwrap();
    assert_eq!(found.refunds.iter().filter(|r| r.attempt.is_none()).count(), 2);
}
