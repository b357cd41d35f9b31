//! What was: past stays from the archive, and receipts on paper.

use innkeeper_api::{Reason, Reservation};
use innkeeper_archive::{Folder, Record, Writer};
use jiff::civil::{Date, date};
use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;

use crate::chrome::{Driver, Look, Window};
use crate::look::{axe, keep, look_here, look_like};
use crate::scene::Scene;
use crate::support::eventually;

/// The same Reservation as it would be if its nights were others and everything long over.
fn filed(of: &Reservation, number: u64, room: &str, check_in: Date) -> Record {
    let now = Timestamp::now();
    let finished = now - SignedDuration::from_hours(24);
    let mut one = of.clone();
    one.metadata.name = Some(format!("long-ago-{number}"));
    one.metadata.uid = Some(format!("00000000-0000-4000-8000-{number:012}"));
    room.clone_into(&mut one.spec.room_name);
    let earlier = one.spec.check_in.until(check_in).unwrap();
    one.spec.check_in = check_in;
    one.spec.check_out = one.spec.check_out.checked_add(earlier).unwrap();
    let quote = one.status.as_mut().unwrap().quote.as_mut().unwrap();
    for line in &mut quote.lines {
        line.from = line.from.checked_add(earlier).unwrap();
    }
    // As far back as the nights are; a summer's hour more or less is nothing here.
    quote.check_in_at = quote
        .check_in_at
        .checked_add(SignedDuration::from_hours(i64::from(earlier.get_days()) * 24))
        .unwrap();
    quote.finished_at = finished;
    Record::of(&one, finished, now).unwrap()
}

/// The name of the stay that a window shows.
async fn name(window: &Window) -> String {
    window.at().await.rsplit('/').next().unwrap().to_owned()
}

/// What is ahead and what was, on one's list, by day and by night, on a desk and on a phone, in both languages; and a
/// receipt as it comes out of a printer: one sheet, black on white whoever prefers it dark, without what is only for the
/// screen.
pub async fn past_stays_are_listed_and_their_receipts_are_fit_for_paper(driver: &Driver) {
    let axe = axe();
    let volume = TempDir::new().unwrap();
    let folder = volume.path().to_owned();
    let change = move |config: &mut innkeeper_ops::config::Config| {
        config.archive.folder = Some(folder);
        config.archive.follow_every = std::time::Duration::from_millis(50);
    };
    let scene = Scene::open_behind("web-past", None, change).await;
    let operator = scene.hotel.operator();
    let window = scene.guest(driver, "Anna", "en-US", Look::DESK).await;
    for _ in 0..2 {
        window.go(&scene.url(&scene.booking("double"))).await;
        window.click("form[action='/book'] button").await;
        window.wait_at("/stays/").await;
        window.find(".seal.good").await;
    }
    let cancelled = name(&window).await;
    window.go(&scene.url(&format!("{}/cancel", window.at().await))).await;
    window.click("form[action$='/cancel'] button").await;
    window.find(".seal.still").await;
    let cancelled = scene.hotel.settled(&cancelled, Reason::Cancelled).await;
    let all = scene.hotel.reservations().list(&kube::api::ListParams::default()).await.unwrap();
    let kept = all.items.iter().find(|one| one.metadata.name != cancelled.metadata.name).unwrap();
    let now = Timestamp::now();
    let records = [
        filed(kept, 1, "double", date(2024, 2, 28)),
        filed(kept, 2, "suite", date(2025, 12, 30)),
        // A Room that has gone since has no title any more.
        filed(kept, 3, "attic", date(2019, 5, 1)),
        filed(&cancelled, 4, "double", date(2025, 8, 1)),
    ];
    let written = Writer::open(Folder::new(volume.path()), None, now).unwrap().file(&records, now).unwrap();
    assert_eq!(written.len(), records.len());
    let known = || scene.front.metrics.text().contains("innkeeper_gateway_archive_stays 4");
    assert!(eventually(known).await, "{}", scene.front.metrics.text());
    window.close().await;

    let mut found = Vec::new();
    for (language, sections, over, receipt, in_the_end) in [
        (
            "en-US",
            ["Upcoming", "Past", "Cancelled or not booked"],
            "Your stay is over",
            "Receipt",
            "Paid in the end",
        ),
        (
            "ko-KR",
            ["예정된 예약", "지난 예약", "취소되었거나 성사되지 않은 예약"],
            "이용이 완료되었습니다",
            "영수증",
            "최종 결제 금액",
        ),
    ] {
        let window = scene.guest(driver, "Anna", language, Look::DESK).await;
        let titles = window
            .run("return [...document.querySelectorAll('main h2')].map((h) => h.innerText);", Vec::new())
            .await;
        assert_eq!(titles, serde_json::json!(sections), "{language}");
        let stays = window
            .run(
                "return ['upcoming', 'past', 'ended'].map((id) => \
                 [...document.querySelectorAll(`section[aria-labelledby=${id}] article a`)]\
                 .map((a) => a.getAttribute('href').split('/').pop()));",
                Vec::new(),
            )
            .await;
        let (ahead, gone) = (kept.metadata.name.clone(), cancelled.metadata.name.clone());
        // What was last first.
        let wanted =
            serde_json::json!([[ahead], ["long-ago-2", "long-ago-1", "long-ago-3"], [gone, "long-ago-4"]]);
        assert_eq!(stays, wanted, "{language}");
        look_here(&window, &axe, language, "stays-past", &mut found).await;

        let one = format!("/stays/{}/long-ago-2", scene.hotel.namespace);
        window.go(&scene.url(&one)).await;
        window.wait_for(over).await;
        window.wait_for(receipt).await;
        look_here(&window, &axe, language, "past", &mut found).await;
        let again =
            window.run("return document.querySelectorAll(\"a[href$='/cancel']\").length;", Vec::new());
        assert_eq!(again.await, 0, "nothing to cancel any more");

        window.go(&scene.url(&format!("{one}/receipt"))).await;
        window.wait_for(in_the_end).await;
        let screen = window.text().await;
        look_here(&window, &axe, language, "past-receipt", &mut found).await;
        look_like(&window, &axe, language, "past-receipt", Look::PAPER, &mut found).await;
        let paper = window.text().await;
        for says in [receipt, in_the_end, "long-ago-2", "€279.00", "Anna"] {
            assert!(paper.contains(says), "{says:?} is not on paper: {paper}");
        }
        let (top, print) = window.only_on_screen().await;
        assert!(screen.contains(&top) && !paper.contains(&top), "{top:?} is on paper: {paper}");
        assert!(screen.contains(&print) && !paper.contains(&print), "{print:?} is on paper: {paper}");
        let (printed, sheets) = window.print().await;
        keep(&format!("past-receipt-{}.pdf", &language[..2]), &printed);
        assert_eq!(sheets, 1, "{language}: a receipt is one sheet");
        window.close().await;
    }
    assert!(found.is_empty(), "{} findings:\n{}", found.len(), found.join("\n"));
    operator.stop().await;
}
