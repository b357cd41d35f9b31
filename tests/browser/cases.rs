//! The cases. Each says what it is for.

use serde_json::json;

use crate::chrome::{Driver, Look};
use crate::look::{axe, look_at, look_here};
pub use crate::past::past_stays_are_listed_and_their_receipts_are_fit_for_paper;
use crate::scene::{Scene, sign_in};
use crate::support::valve::{Moment, Valve, Which};

/// From looking for a room to having cancelled it: found, signed in, booked, followed live, cancelled.
pub async fn a_guest_books_follows_it_live_and_cancels(driver: &Driver) {
    let scene = Scene::open("web-story").await;
    let window = driver.open("en-US", Look::DESK).await;
    window.go(&scene.url("/")).await;
    window.pick("#checkIn", "2030-07-01").await;
    // The day of departure follows that of arrival.
    let next = window.run("return document.querySelector('#checkOut').value;", Vec::new()).await;
    assert_eq!(next, "2030-07-02");
    window.pick("#checkOut", "2030-07-03").await;
    window.press("Search").await;
    window.wait_for("€279.00").await;
    window.wait_for("Stay at least 3 nights to book this room.").await;
    window.press("Book").await;
    window.wait_at("/book").await;
    window.click("main a[href^='/sign-in']").await;
    sign_in(&window, "Anna").await;
    window.wait_at("/book").await;
    window.wait_for("Pay €279.00 and book").await;
    let name = window.run("return document.querySelector('#name').value;", Vec::new()).await;
    assert_eq!(name, "Anna");
    window.press("Pay €279.00 and book").await;
    window.wait_at("/stays/").await;
    // Nobody works at the hotel yet: it is under way.
    window.wait_for("Checking price and dates").await;
    window.run("window.same = true;", Vec::new()).await;
    let operator = scene.hotel.operator();
    window.wait_for("You are booked").await;
    window.wait_for("Payment taken").await;
    let same = window.run("return window.same === true;", Vec::new()).await;
    assert_eq!(same, true, "the page was not loaded again: it was told");
    let said = window.run("return document.querySelector('#say').textContent;", Vec::new()).await;
    assert!(said.as_str().unwrap().starts_with("You are booked. See you on Mon, Jul 1, 2030"), "{said}");
    assert_eq!(scene.hotel.money_kept().await, 27_900);

    window.press("My stays").await;
    window.wait_for("Upcoming").await;
    window.press("Details").await;
    window.wait_for("You are booked").await;
    window.press("Cancel this booking").await;
    window.wait_for("Everything you have paid comes back.").await;
    window.press("Yes, cancel").await;
    window.wait_for("Your booking is cancelled").await;
    window.wait_for("Everything you paid, €279.00, has been refunded.").await;
    assert_eq!(scene.hotel.money_kept().await, 0);
    window.press("Receipt").await;
    window.wait_for("Paid in the end").await;
    window.find("button[data-print]:not([hidden])").await;
    window.press("Sign out").await;
    window.wait_for("Sign in").await;
    assert_eq!(window.complaints().await, [""; 0]);
    window.close().await;
    operator.stop().await;
}

/// Two guests press the button for the last room; whoever is a moment late sees the money come back, live.
pub async fn two_browsers_race_for_the_last_room(driver: &Driver) {
    let valve = Valve::stopping(1, Which::WritesOf("/reservations"), Moment::Before);
    let scene = Scene::open_behind("web-race", Some(&valve), |_| ()).await;
    let operator = scene.hotel.operator();
    let (ben, anna) = tokio::join!(
        scene.guest(driver, "Ben", "en-US", Look::DESK),
        scene.guest(driver, "Anna", "ko-KR", Look::PHONE)
    );
    for window in [&ben, &anna] {
        window.go(&scene.url(&scene.booking("suite"))).await;
    }
    // Both have the form open. Ben's press is on its way when Anna's comes; his browser waits for its answer meanwhile.
    tokio::join!(ben.click("form[action='/book'] button"), async {
        valve.reached().await;
        anna.press("결제하고 예약하기").await;
        anna.wait_for("예약이 확정되었습니다").await;
        valve.open();
    });
    ben.wait_for("Sold out: somebody was a moment faster").await;
    ben.wait_for("Everything you paid, €560.00, has been refunded.").await;
    assert_eq!(scene.hotel.money_kept().await, 56_000, "Anna's alone");
    ben.press("Book again").await;
    ben.go(&scene.url(&scene.search())).await;
    ben.wait_for("Sold out on Mon, Jul 1, Tue, Jul 2.").await;
    for window in [ben, anna] {
        assert_eq!(window.complaints().await, [""; 0]);
        window.close().await;
    }
    operator.stop().await;
}

/// Pressed twice, the button books once.
pub async fn a_double_click_books_once(driver: &Driver) {
    let scene = Scene::open("web-double").await;
    let window = scene.guest(driver, "Anna", "en-US", Look::DESK).await;
    window.go(&scene.url(&scene.booking("double"))).await;
    let twice = "const button = document.querySelector('form[action=\"/book\"] button');\
                 setTimeout(() => { button.click(); button.click(); }, 0);";
    window.run(twice, Vec::new()).await;
    window.wait_at("/stays/").await;
    let all = scene.hotel.reservations().list(&kube::api::ListParams::default()).await.unwrap();
    assert_eq!(all.items.len(), 1);
    window.close().await;
}

/// A language is the browser's until another is chosen, and stays chosen.
pub async fn a_language_is_asked_for_and_chosen(driver: &Driver) {
    let scene = Scene::open("web-tongues").await;
    let window = driver.open("ko-KR", Look::DESK).await;
    window.go(&scene.url(&scene.search())).await;
    window.wait_for("바다 전망 더블룸").await;
    window.wait_for("2030년 7월 1일 (월)").await;
    let lang = async || window.run("return document.documentElement.lang;", Vec::new()).await;
    assert_eq!(lang().await, "ko");
    window.press("English").await;
    window.wait_for("Double room with a sea view").await;
    assert!(window.at().await.starts_with("/search?hotel="), "one is where one was");
    assert_eq!(lang().await, "en");
    window.go(&scene.url("/")).await;
    window.wait_for("A room that is really yours").await;
    window.close().await;
}

/// Every page, by day and by night, on a desk and on a phone, in both languages: axe-core finds nothing, nothing is
/// wider than the window, and the browser has nothing to complain of.
pub async fn nothing_is_found_on_any_page(driver: &Driver) {
    let axe = axe();
    let scene = Scene::open("web-pages").await;
    let operator = scene.hotel.operator();
    let mut found = Vec::new();
    for language in ["en-US", "ko-KR"] {
        let anybody = driver.open(language, Look::DESK).await;
        for (name, path) in [
            ("home", "/".to_owned()),
            ("sign-in-first", scene.booking("double")),
            ("not-signed-in", "/stays".to_owned()),
        ] {
            look_at(&anybody, &scene, &axe, language, name, &path, &mut found).await;
        }
        anybody.close().await;
        let window = scene.guest(driver, "Anna", language, Look::DESK).await;
        look_at(&window, &scene, &axe, language, "no-stays", "/stays", &mut found).await;
        window.go(&scene.url(&scene.booking("double"))).await;
        window.click("form[action='/book'] button").await;
        window.wait_at("/stays/").await;
        let booked = window.at().await;
        window.find(".seal.good").await;
        window.go(&scene.url(&scene.booking("double"))).await;
        window.click("input[value=pm_card_visa_chargeDeclined]").await;
        window.click("form[action='/book'] button").await;
        window.wait_at("/stays/").await;
        let declined = window.at().await;
        window.find(".seal.bad").await;
        window.go(&scene.url(&scene.booking("double"))).await;
        window.click("form[action='/book'] button").await;
        window.wait_at("/stays/").await;
        let cancelled = window.at().await;
        window.find(".seal.good").await;
        window.go(&scene.url(&format!("{cancelled}/cancel"))).await;
        window.click("form[action$='/cancel'] button").await;
        window.find(".seal.still").await;
        let wrong = format!("/search?hotel={}&checkIn=&checkOut=2030&adults=0", scene.hotel.namespace);
        for (name, path) in [
            ("search", scene.search()),
            ("search-wrong", wrong),
            ("book", scene.booking("double")),
            ("not-offered", scene.booking("family")),
            ("booked", booked.clone()),
            ("declined", declined),
            ("cancelled", cancelled),
            ("cancel", format!("{booked}/cancel")),
            ("receipt", format!("{booked}/receipt")),
            ("stays", "/stays".to_owned()),
            ("not-found", "/nowhere".to_owned()),
            ("docs", "/docs".to_owned()),
        ] {
            look_at(&window, &scene, &axe, language, name, &path, &mut found).await;
        }
        // A form sent back with what is wrong has no address of its own.
        window.go(&scene.url(&scene.booking("double"))).await;
        window
            .run(
                "document.querySelector('#name').value = ''; document.querySelector('#email').value = 'x';",
                Vec::new(),
            )
            .await;
        window.click("form[action='/book'] button").await;
        window.find(".notice.bad").await;
        look_here(&window, &axe, language, "book-wrong", &mut found).await;
        window.close().await;
    }
    assert!(found.is_empty(), "{} findings:\n{}", found.len(), found.join("\n"));
    operator.stop().await;
}

/// The least there is to see: that axe-core finds what there is to find, or its silence would mean nothing.
pub async fn axe_finds_what_is_wrong(driver: &Driver) {
    let axe = axe();
    let window = driver.open("en-US", Look::DESK).await;
    window.go("data:text/html,<title>x</title><input><p style='color:%23eee'>pale</p>").await;
    let script = format!(
        "{axe}; const done = arguments[arguments.length - 1]; axe.run().then((r) => done(r.violations.map((v) => v.id)));"
    );
    let ids = window.run_async(&script, Vec::new()).await;
    for id in ["label", "color-contrast", "html-has-lang"] {
        assert!(ids.as_array().unwrap().contains(&json!(id)), "{id} is not in {ids}");
    }
    window.close().await;
}
