//! The site, without JavaScript: the three stories through its forms, and what must not happen on the way.

use k8s_openapi::api::core::v1::Secret;
use serde_json::json;

use super::front::{ACME, Front, stay};
use super::guests::{Browser, Reception};
use super::pages::{book_at, site, site_config, wanted};
use crate::support::hotel::Hotel;
use crate::support::valve::{Moment, Valve, Which};

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_finds_books_follows_and_has_a_receipt() {
    let hotel = Hotel::open("site-booked").await;
    let _operator = hotel.operator();
    hotel
        .room_with("double", 2, |room| {
            room.max_guests = Some(3);
            room.display = serde_json::from_value(json!([
                { "language": "en", "title": "Double room", "description": "With <b>a view</b> & a desk." },
                { "language": "ko", "title": "더블룸" },
            ]))
            .unwrap();
        })
        .await;
    let reception = Reception::open().await;
    let config = site_config(&reception, &hotel);
    let contacts = config.gateway.contacts.namespace.clone().unwrap();
    let front = Front::start(&hotel, config, hotel.client.clone()).await;
    front.ready().await;

    // Nobody has to say who they are to look.
    let mut anybody = Browser::new();
    let search = anybody.open(&front, "/").await.form("/search");
    assert_eq!(search.value("hotel"), front.property, "the only hotel there is");
    let search = search.with("checkIn", "2030-07-01").with("checkOut", "2030-07-03");
    let found = anybody.fill_in(&front, &search).await;
    assert_eq!(found.status(), 200);
    for said in [
        "Double room",
        "With <b>a view</b> & a desk.",
        "€240.00",
        "about €120.00 a night",
        "Sleeps 3",
        "Only 2 left",
    ] {
        found.expect(said);
    }
    found.expect("Until Mon, Jul 1, 2030, 3:00 PM: full refund").expect("After that: no refund");
    found.expect("Times are the hotel's own (Europe/Lisbon).").expect("Tue, Jul 2 €120.00");
    let book = found.link("/book?room=double");
    let page = anybody.open(&front, &book).await;
    page.expect("Sign in to book").expect("€240.00");
    assert!(page.link("/sign-in?return=%2Fbook%3Froom%3Ddouble").len() > 10);

    let mut anna = reception.guest(&front, "Anna").await;
    let form = anna.open(&front, &book).await.form("/book");
    assert_eq!((form.value("name"), form.value("email")), ("Anna", "anna@example.com"), "as the issuer says");
    assert_eq!(
        (form.value("most"), form.value("currency"), form.value("method")),
        ("24000", "EUR", "pm_card_visa")
    );
    let went = anna.fill_in(&front, &form).await;
    assert_eq!(went.status(), 303, "{}", went.text());
    let at = went.answer.header("location").to_owned();
    assert!(at.starts_with(&format!("/stays/{}/", front.property)), "{at}");
    let done = anna.wait_on(&front, &at, "You are booked").await;
    done.expect("See you on Mon, Jul 1, 2030, from 3:00 PM.").expect("Payment taken (done) €240.00");
    assert!(!done.html().contains("http-equiv=\"refresh\""), "there is nothing more to wait for");
    assert_eq!(hotel.money_kept().await, 24_000);
    // What the guest is called is where it belongs.
    let secrets: kube::Api<Secret> = kube::Api::namespaced(hotel.client.clone(), &contacts);
    let secrets = secrets.list(&kube::api::ListParams::default()).await.unwrap().items;
    let data = secrets[0].data.as_ref().unwrap();
    assert_eq!(
        (secrets.len(), data["name"].0.as_slice(), data["email"].0.as_slice()),
        (1, &b"Anna"[..], &b"anna@example.com"[..])
    );

    let mine = anna.open(&front, "/stays").await;
    mine.expect("Upcoming Confirmed Double room");
    assert_eq!(mine.link("/stays/"), at);
    let receipt = anna.open(&front, &done.link(&format!("{at}/receipt"))).await;
    receipt.expect("Receipt").expect("For Anna").expect("Total €240.00").expect("Paid in the end €240.00");
    front.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_booking_is_under_way_its_page_looks_again_by_itself_and_says_what_is_next() {
    let hotel = Hotel::open("site-waits").await;
    hotel.room("double", 2).await;
    // No operator yet: it stays under way.
    let reception = Reception::open().await;
    let front = site(&reception, &hotel).await;
    let mut anna = reception.guest(&front, "Anna").await;
    let form = anna.booking_form(&front, "double").await;
    let at = anna.fill_in(&front, &form).await.answer.header("location").to_owned();
    let page = anna.open(&front, &at).await;
    page.expect("We have your request")
        .expect("Checking price and dates (now)")
        .expect("Taking the payment (to come)");
    assert!(page.html().contains("<noscript><meta http-equiv=\"refresh\" content=\"3\"></noscript>"));
    assert!(page.html().contains(&format!("data-live=\"{at}/events\"")));
    assert!(page.html().contains("role=\"status\" aria-live=\"polite\""));
    // Live, it is the same part of the page, in the reader's language, until there is nothing more to tell.
    let _operator = hotel.operator();
    let events =
        anna.request(&front, reqwest::Method::GET, &format!("{at}/events")).header("accept-language", "ko");
    let told = tokio::time::timeout(crate::support::PATIENCE, events.send().await.unwrap().text()).await;
    let told = told.expect("it ends by itself").unwrap();
    assert!(told.contains("event: stay\ndata: <div"), "{told}");
    assert!(told.contains("예약이 확정되었습니다"), "{told}");
    assert!(told.trim_end().ends_with("event: over\ndata: {}"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_back_is_shown_and_comes_back_and_never_less_than_was_shown() {
    let hotel = Hotel::open("site-cancelled").await;
    let _operator = hotel.operator();
    hotel
        .room_with("double", 1, |room| {
            room.cancellation =
                serde_json::from_value(json!([{ "hoursBefore": 0, "refundPercent": 30 }])).unwrap();
        })
        .await;
    let reception = Reception::open().await;
    let front = site(&reception, &hotel).await;
    let mut anna = reception.guest(&front, "Anna").await;
    let form = anna.booking_form(&front, "double").await;
    let at = anna.fill_in(&front, &form).await.answer.header("location").to_owned();
    let done = anna.wait_on(&front, &at, "You are booked").await;
    let asked = anna.open(&front, &done.link(&format!("{at}/cancel"))).await;
    asked.expect("By the terms agreed, 30% of what you paid comes back.");
    asked
        .expect("You get back €72.00")
        .expect("The hotel keeps €168.00")
        .expect("until Mon, Jul 1, 2030, 3:00 PM");

    // Shown when more came back: nothing is cancelled, and what comes back now is shown.
    let form = asked.form(&format!("{at}/cancel"));
    assert_eq!(form.value("percent"), "30");
    let changed = anna.fill_in(&front, &form.clone().with("percent", "100")).await;
    assert_eq!(changed.status(), 409);
    changed.expect("What comes back has changed").expect("You get back €72.00");
    anna.open(&front, &at).await.expect("You are booked");

    let went = anna.fill_in(&front, &form).await;
    assert_eq!((went.status(), went.answer.header("location")), (303, at.as_str()));
    let over = anna.wait_on(&front, &at, "Your booking is cancelled").await;
    over.expect("€72.00 has been refunded.").expect("€168.00 stays with the hotel");
    assert_eq!(hotel.money_kept().await, 16_800);
    anna.open(&front, "/stays").await.expect("Cancelled or not booked");
    let again = anna.open(&front, &format!("{at}/cancel")).await;
    assert_eq!(again.status(), 409);
    again.expect("This booking cannot be cancelled");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_loses_the_last_room_by_a_moment_reads_that_the_money_is_back() {
    let hotel = Hotel::open("site-raced").await;
    let _operator = hotel.operator();
    hotel.room("suite", 1).await;
    let reception = Reception::open().await;
    // Ben's booking is on its way to the API server when Anna's is made.
    let valve = Valve::stopping(1, Which::WritesOf("/reservations"), Moment::Before);
    let front = Front::start(&hotel, site_config(&reception, &hotel), valve.on(&hotel.client)).await;
    front.ready().await;
    let (mut anna, mut ben) = (reception.guest(&front, "Anna").await, reception.guest(&front, "Ben").await);
    let form = ben.booking_form(&front, "suite").await;
    let sending = ben.sending(&front, &form);
    let sent = tokio::spawn(async move { sending.send().await.unwrap() });
    valve.reached().await;
    let form = anna.booking_form(&front, "suite").await;
    let of_anna = anna.fill_in(&front, &form).await.answer.header("location").to_owned();
    anna.wait_on(&front, &of_anna, "You are booked").await;
    valve.open();
    let of_ben = sent.await.unwrap().headers()["location"].to_str().unwrap().to_owned();
    let lost = ben.wait_on(&front, &of_ben, "has been refunded").await;
    lost.expect("Sold out: somebody was a moment faster")
        .expect("Everything you paid, €240.00, has been refunded.");
    lost.expect("Payment taken (done) €240.00")
        .expect("Sold out (did not work)")
        .expect("Money sent back (done) €240.00");
    assert_eq!(hotel.money_kept().await, 24_000, "Anna's");

    // Known at the door by now: not offered, and whoever has the form open is not charged.
    let found = ben.open(&front, &format!("/search?{}", wanted(&front))).await;
    found.expect("Sold out on Mon, Jul 1, Tue, Jul 2.").expect("Nothing is available for exactly this stay.");
    let refused = ben.fill_in(&front, &form.with("key", "another-key-of-ben")).await;
    assert_eq!(refused.status(), 403, "that was Anna's form");
    let refused = ben.open(&front, &book_at(&front, "suite")).await;
    assert_eq!(refused.status(), 409);
    refused.expect("Somebody was faster").expect("Nothing was booked and nothing was charged.");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_sent_twice_books_once_and_one_from_elsewhere_not_at_all() {
    let hotel = Hotel::open("site-once").await;
    hotel.room("double", 9).await;
    let reception = Reception::open().await;
    let front = site(&reception, &hotel).await;
    let mut anna = reception.guest(&front, "Anna").await;
    let ben = reception.guest(&front, "Ben").await;
    let form = anna.booking_form(&front, "double").await;
    for wrong in ["", "nonsense", ben.csrf.as_str()] {
        let refused = anna.fill_in(&front, &form.clone().with("csrf", wrong)).await;
        assert_eq!(refused.status(), 403);
        refused.expect("Nothing was changed");
    }
    let elsewhere = anna.sending(&front, &form).header("sec-fetch-site", "cross-site");
    assert_eq!(anna.send(elsewhere).await.status, 403);
    let (one, two) = (anna.sending(&front, &form).send(), anna.sending(&front, &form).send());
    let (one, two) = tokio::join!(one, two);
    let location = |answer: reqwest::Response| answer.headers()["location"].to_str().unwrap().to_owned();
    let at = location(one.unwrap());
    assert_eq!(at, location(two.unwrap()));
    // Gone back to and filled in otherwise, it still is the booking that it was.
    let other = anna.fill_in(&front, &form.clone().with("method", "pm_card_amex")).await;
    assert_eq!((other.status(), other.answer.header("location")), (303, "/stays"));
    let cancel = anna.open(&front, &format!("{at}/cancel")).await.form(&format!("{at}/cancel"));
    let refused = anna.fill_in(&front, &cancel.with("csrf", &ben.csrf)).await;
    assert_eq!(refused.status(), 403);
    let all = hotel.reservations().list(&kube::api::ListParams::default()).await.unwrap();
    assert_eq!(all.items.len(), 1);
    assert!(all.items[0].spec.state.is_none());
    // What a guest is called is nowhere in it.
    let text = serde_json::to_string(&all.items[0]).unwrap().to_lowercase();
    assert!(!text.contains("anna") && !text.contains("example.com"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_said_of_each_field_and_what_was_typed_stays() {
    let hotel = Hotel::open("site-wrong").await;
    hotel.room("double", 9).await;
    let reception = Reception::open().await;
    let front = site(&reception, &hotel).await;
    let mut anna = reception.guest(&front, "Anna").await;
    let form = anna.booking_form(&front, "double").await;
    let wrong = form.clone().with("name", "").with("email", "anna").with("method", "4242424242424242");
    let page = anna.fill_in(&front, &wrong).await;
    assert_eq!(page.status(), 422);
    for said in [
        "Please check the form",
        "Enter the name of the guest",
        "Enter an e-mail address",
        "Choose how to pay.",
    ] {
        page.expect(said);
    }
    for (field, link) in [("name", "#name"), ("email", "#email"), ("method", "#method")] {
        assert!(page.links().iter().any(|to| to == link), "the way to {field}");
    }
    assert!(page.html().contains("aria-describedby=\"email-hint email-wrong\" aria-invalid=\"true\""));
    assert_eq!(page.form("/book").value("email"), "anna");
    assert_eq!(page.form("/book").value("key"), form.value("key"), "it is the same booking");
    assert!(!page.html().contains("4242424242424242"), "what looks like a card is not sent back");

    // The price has risen since the form was opened: nobody pays more than was shown.
    let dearer = anna.fill_in(&front, &form.with("most", "20000")).await;
    assert_eq!(dearer.status(), 409);
    dearer.expect("The price has changed to €240.00").expect("Pay €240.00 and book");
    assert_eq!(dearer.form("/book").value("most"), "24000");

    let search = "/search?hotel=nowhere&checkIn=2030-07-03&checkOut=2030-07-01&adults=0&children=x&units=1";
    let page = anna.open(&front, search).await;
    assert_eq!(page.status(), 422);
    for said in [
        "no such hotel",
        "Check-out must be after check-in.",
        "Enter a number from 1 to 500.",
        "Enter a number from 0 to 500.",
    ] {
        page.expect(said);
    }
    let all = hotel.reservations().list(&kube::api::ListParams::default()).await.unwrap();
    assert_eq!(all.items.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_guests_pages_are_not_there() {
    let hotel = Hotel::open("site-others").await;
    hotel.room("double", 9).await;
    let reception = Reception::open().await;
    let front = site(&reception, &hotel).await;
    let mut anna = reception.guest(&front, "Anna").await;
    let mut ben = reception.guest(&front, "Ben").await;
    let form = anna.booking_form(&front, "double").await;
    let of_anna = anna.fill_in(&front, &form).await.answer.header("location").to_owned();
    let of_acme = front
        .book(ACME, "key-of-acme", &stay("double"))
        .await
        .header("location")
        .replace("/v1/reservations", "/stays");
    for at in [&of_anna, &of_acme] {
        for part in ["", "/cancel", "/receipt", "/events"] {
            let page = ben.open(&front, &format!("{at}{part}")).await;
            assert_eq!(page.status(), 404, "{at}{part}");
            page.expect("This page is not here");
            let page = Browser::new().open(&front, &format!("{at}{part}")).await;
            assert_eq!(page.status(), 401, "{at}{part}");
            page.expect("Please sign in");
        }
        let mut cancel = ben.open(&front, &book_at(&front, "double")).await.form("/book");
        cancel.action = format!("{at}/cancel");
        assert_eq!(ben.fill_in(&front, &cancel).await.status(), 404);
    }
    ben.open(&front, "/stays").await.expect("No stays yet");
    assert_eq!(Browser::new().open(&front, "/stays").await.status(), 401);
    for object in hotel.reservations().list(&kube::api::ListParams::default()).await.unwrap() {
        assert!(object.spec.state.is_none(), "{:?} was cancelled", object.metadata.name);
    }
}
