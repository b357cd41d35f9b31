//! What all pages have: a language, a policy against what is not theirs, and a way on when something is wrong.

use std::time::Duration;

use super::front::Front;
use super::guests::{Browser, Reception};
use super::pages::{Page, book_at, site, site_config, wanted};
use crate::support::eventually_async;
use crate::support::hotel::Hotel;

const STRICT: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Nothing in the page itself that its policy would refuse.
fn is_clean(page: &Page) {
    for inline in [" style=", "<style", " onclick=", " onsubmit=", "javascript:"] {
        assert!(!page.html().contains(inline), "{} has {inline}", page.at);
    }
    for script in page.html().split("<script").skip(1) {
        assert!(script.starts_with(" src=\""), "{} has a script in it: {script}", page.at);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_in_the_readers_language_and_lets_nothing_in_from_elsewhere() {
    let hotel = Hotel::open("site-frame").await;
    let _operator = hotel.operator();
    hotel.room("double", 9).await;
    let reception = Reception::open().await;
    let front = site(&reception, &hotel).await;
    let mut anna = reception.guest(&front, "Anna").await;
    let form = anna.booking_form(&front, "double").await;
    let at = anna.fill_in(&front, &form).await.answer.header("location").to_owned();
    anna.wait_on(&front, &at, "You are booked").await;
    let pages = [
        ("/".to_owned(), 200, "Find a room", "객실 찾기"),
        (format!("/search?{}", wanted(&front)), 200, "€240.00", "€240.00"),
        ("/search".to_owned(), 422, "Choose a date.", "날짜를 선택하세요."),
        (book_at(&front, "double"), 200, "Pay €240.00 and book", "€240.00 결제하고 예약하기"),
        ("/stays".to_owned(), 200, "Confirmed", "확정"),
        (at.clone(), 200, "Mon, Jul 1, 2030", "2030년 7월 1일 (월)"),
        (format!("{at}/cancel"), 200, "Everything you have paid comes back.", "전액이 환불됩니다"),
        (format!("{at}/receipt"), 200, "Receipt", "영수증"),
        ("/nowhere".to_owned(), 404, "This page is not here", "페이지를 찾을 수 없습니다"),
        ("/stays/x/y".to_owned(), 404, "This page is not here", "페이지를 찾을 수 없습니다"),
    ];
    for (path, status, english, korean) in pages {
        for (asked, tag, said) in
            [("en-GB,en;q=0.9", "en", english), ("ko-KR,ko;q=0.9,en;q=0.5", "ko", korean)]
        {
            let page = anna.open_in(&front, &path, asked).await;
            assert_eq!(page.status(), status, "{path}");
            page.expect(said);
            assert!(page.html().contains(&format!("<html lang=\"{tag}\">")), "{path}");
            assert_eq!(page.answer.header("content-language"), tag);
            assert_eq!(page.answer.header("content-security-policy"), STRICT, "{path}");
            assert_eq!(page.answer.header("x-content-type-options"), "nosniff");
            assert_eq!(page.answer.header("cache-control"), "private, no-store");
            assert_ne!(page.answer.header("x-request-id"), "");
            is_clean(&page);
        }
    }
    // Programs get what went wrong as they always did.
    assert_eq!(front.get("/nowhere", "").await.problem(), "not-found");
    // What was chosen goes before what is asked for, and one comes back to where one was.
    let chosen = anna.open(&front, "/language/ko?back=%2Fstays").await;
    assert_eq!((chosen.status(), chosen.answer.header("location")), (303, "/stays"));
    anna.open(&front, "/stays").await.expect("내 예약");
    let chosen = anna.open(&front, "/language/en?back=%2F%2Fevil.example").await;
    assert_eq!((chosen.status(), chosen.answer.header("location")), (303, "/"));
    assert_eq!(anna.open(&front, "/language/xx?back=%2F").await.status(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_stripes_key_stripes_form_is_let_in_where_one_pays_and_nowhere_else() {
    let hotel = Hotel::open("site-stripe").await;
    hotel.room("double", 9).await;
    let reception = Reception::open().await;
    let mut config = site_config(&reception, &hotel);
    config.gateway.site.stripe_publishable_key = Some("pk_test_innkeeper".to_owned());
    let front = Front::start(&hotel, config, hotel.client.clone()).await;
    front.ready().await;
    let mut anna = reception.guest(&front, "Anna").await;
    let page = anna.open(&front, &book_at(&front, "double")).await;
    let policy = page.answer.header("content-security-policy").to_owned();
    assert!(policy.contains("script-src 'self' https://js.stripe.com;"), "{policy}");
    assert!(policy.contains("frame-src https://js.stripe.com https://hooks.stripe.com;"), "{policy}");
    assert!(
        page.html().contains("data-stripe=\"pk_test_innkeeper\" data-amount=\"24000\" data-currency=\"eur\"")
    );
    assert!(page.html().contains("<script src=\"https://js.stripe.com/v3/\" defer></script>"));
    assert!(!page.html().contains("pm_card_"), "no test cards there");
    is_clean(&page);
    for path in ["/", "/stays", &format!("/search?{}", wanted(&front))] {
        assert_eq!(anna.open(&front, path).await.answer.header("content-security-policy"), STRICT, "{path}");
    }
    // Whoever has not signed in has no form to pay with, and loads nothing from there.
    let page = Browser::new().open(&front, &book_at(&front, "double")).await;
    assert_eq!(page.answer.header("content-security-policy"), STRICT);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_is_a_page_that_says_when_to_come_again() {
    let hotel = Hotel::open("site-trouble").await;
    hotel.room("double", 9).await;
    let reception = Reception::open().await;
    let mut config = site_config(&reception, &hotel);
    config.gateway.model.watch_for = Duration::from_secs(1);
    config.gateway.model.stale_after = Duration::from_secs(8);
    let wire = crate::support::wire::Wire::to(crate::support::control_plane()).await;
    let front = Front::start(&hotel, config, wire.client().await).await;
    front.ready().await;
    let mut anna = reception.guest(&front, "Anna").await;
    let form = anna.booking_form(&front, "double").await;
    let at = anna.fill_in(&front, &form).await.answer.header("location").to_owned();
    wire.cut();
    let search = format!("/search?{}", wanted(&front));
    let gone = eventually_async(async || anna.clone().open(&front, &search).await.status() == 503).await;
    assert!(gone, "it never noticed");
    let page = anna.open(&front, &search).await;
    page.expect("What is free is not known right now").expect("Your own bookings can still be seen.");
    assert_ne!(page.answer.header("retry-after"), "");
    for path in ["/stays", at.as_str()] {
        let page = anna.open(&front, path).await;
        assert_eq!(page.status(), 200, "from memory");
        page.expect("seconds old: the connection to the hotel's books is being made again.");
    }

    let mut config = site_config(&reception, &hotel);
    config.gateway.rates.address_per_minute = 3;
    let front = Front::start(&hotel, config, hotel.client.clone()).await;
    front.ready().await;
    let mut ben = Browser::new();
    let turned_away = eventually_async(async || ben.clone().open(&front, "/").await.status() == 429).await;
    assert!(turned_away);
    let page = ben.open_in(&front, "/", "ko").await;
    assert_eq!(page.status(), 429);
    page.expect("잠시만 기다려 주세요");
    for header in ["retry-after", "ratelimit", "ratelimit-policy"] {
        assert_ne!(page.answer.header(header), "", "{header}");
    }
    // It still looks like itself.
    let style = page.html().split("href=\"").find(|part| part.starts_with("/assets/site.css")).unwrap();
    let style = ben.open(&front, style.split('"').next().unwrap()).await;
    assert_eq!((style.status(), style.answer.header("content-type")), (200, "text/css; charset=utf-8"));
    assert!(style.answer.header("cache-control").contains("immutable"));
}
