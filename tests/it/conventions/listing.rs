//! What `kubectl get` shows: short names, the category, columns, field selectors.

use innkeeper_api::{Reason, Reservation};

use crate::support::hotel::{Hotel, pay_with};
use crate::support::kubectl_ok;

/// The table that kubectl prints, in cells.
fn table(arguments: &[&str]) -> Vec<Vec<String>> {
    let printed = kubectl_ok(&[&["get"], arguments].concat());
    printed.lines().map(|line| line.split_whitespace().map(ToOwned::to_owned).collect()).collect()
}

/// A hotel with a stay that was booked, one that was refused and one that was cancelled.
async fn three_stays() -> Hotel {
    let hotel = Hotel::open("listing").await;
    let operator = hotel.operator();
    hotel.room("double", 3).await;
    hotel.room("suite", 1).await;
    hotel.reserve_with("erik", "suite", |s| s.payment = pay_with("pm_card_chargeDeclined")).await;
    let of_another = |s: &mut innkeeper_api::ReservationSpec| "g-2".clone_into(&mut s.guest_id);
    hotel.reserve_with("ben", "double", of_another).await;
    hotel.settled("erik", Reason::Rejected).await;
    hotel.settled("ben", Reason::Confirmed).await;
    hotel.cancel("ben").await;
    hotel.settled("ben", Reason::Cancelled).await;
    // A Room's status follows later, and shows what was so a moment ago: of all that this one ever shows, only the last
    // has two of its units sold.
    hotel.reserve_with("anna", "double", |s| s.units = 2).await;
    hotel.settled("anna", Reason::Confirmed).await;
    hotel
        .room_until("double", |r| {
            r.status.as_ref().is_some_and(|s| s.stays_ahead == 1 && s.fewest_free == Some(1))
        })
        .await;
    hotel.room_until("suite", |r| r.status.as_ref().is_some_and(|s| s.fewest_free == Some(1))).await;
    operator.stop().await;
    hotel
}

fn payment_id(reservation: &Reservation) -> String {
    reservation.status.clone().unwrap().payment.unwrap().id.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_get_answers_without_looking_into_the_object() {
    let hotel = three_stays().await;
    let namespace = ["-n", &hotel.namespace];
    let age = |row: &[String]| row[8].clone();

    let shown = table(&[&["rsv"], &namespace[..]].concat());
    let header = ["NAME", "ROOM", "CHECK-IN", "CHECK-OUT", "UNITS", "PHASE", "READY", "REASON", "AGE"];
    assert_eq!(shown[0], header);
    assert_eq!(
        shown[1][..8],
        ["anna", "double", "2030-07-01", "2030-07-03", "2", "Confirmed", "True", "Confirmed"]
    );
    assert_eq!(
        shown[2][..8],
        ["ben", "double", "2030-07-01", "2030-07-03", "1", "Cancelled", "True", "Cancelled"]
    );
    assert_eq!(
        shown[3][..8],
        ["erik", "suite", "2030-07-01", "2030-07-03", "1", "Rejected", "False", "Declined"]
    );
    assert!(shown[1..].iter().all(|row| row.len() == 9 && age(row).ends_with(['s', 'm', 'h'])), "{shown:?}");
    assert_eq!(table(&[&["reservations"], &namespace[..]].concat())[0], header);

    let wide = table(&[&["rsv", "-o", "wide"], &namespace[..]].concat());
    assert_eq!(wide[0], [&header[..], &["TOTAL", "CURRENCY", "PAID", "REFUNDED", "PAYMENT"]].concat());
    let id = |name: &str| {
        let api = hotel.reservations();
        let name = name.to_owned();
        async move { payment_id(&api.get(&name).await.unwrap()) }
    };
    assert_eq!(wide[1][9..], ["48000", "EUR", "48000", "0", &id("anna").await]);
    assert_eq!(wide[2][9..], ["24000", "EUR", "24000", "24000", &id("ben").await]);
    assert_eq!(wide[3][9..], ["24000", "EUR", "0", "0", &id("erik").await]);

    let rooms = table(&[&["rm"], &namespace[..]].concat());
    let header = [
        "NAME",
        "UNITS",
        "RATE",
        "CURRENCY",
        "FREE-TONIGHT",
        "FEWEST-FREE",
        "STAYS-AHEAD",
        "READY",
        "AVAILABLE",
        "AGE",
    ];
    assert_eq!(rooms[0], header);
    assert_eq!(rooms[1][..9], ["double", "3", "12000", "EUR", "3", "1", "1", "True", "Open"]);
    assert_eq!(rooms[2][..9], ["suite", "1", "12000", "EUR", "1", "1", "0", "True", "Open"]);

    let of = |selector: &str| {
        let printed = kubectl_ok(
            &[&["get", "rsv", "-o", "name", "--field-selector", selector], &namespace[..]].concat(),
        );
        printed.lines().map(|l| l.rsplit('/').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(of("spec.roomName=suite"), ["erik"]);
    assert_eq!(of("spec.guestID=g-2"), ["ben"]);
    assert_eq!(of("spec.state=Cancelled"), ["ben"]);
    assert_eq!(of("spec.state=,spec.roomName=double"), ["anna"]);

    let hotel_has = kubectl_ok(&[&["get", "hotel", "-o", "name"], &namespace[..]].concat());
    for object in [
        "room.innkeeper.dev/double",
        "reservation.innkeeper.dev/anna",
        "roomcalendar.innkeeper.dev/double-2030-07",
    ] {
        assert!(hotel_has.lines().any(|line| line == object), "{object}: {hotel_has}");
    }
    let all = kubectl_ok(&[&["get", "all", "-o", "name"], &namespace[..]].concat());
    assert_eq!(all, "", "these are not among `all`");
}
