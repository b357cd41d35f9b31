//! `innkeeper import`: bookings from elsewhere, tried with five hundred.

use std::fmt::Write as _;

use innkeeper_api::{Collect, Reason};
use innkeeper_checker::claimed;
use jiff::ToSpan;
use jiff::civil::date;
use kube::ResourceExt;
use kube::api::{ListParams, Patch, PatchParams};
use serde_json::json;
use tempfile::TempDir;

use crate::support::checker::Checker;
use crate::support::control_plane;
use crate::support::hotel::Hotel;
use crate::support::process::ends;

struct File(TempDir);

impl File {
    fn of(text: &str) -> Self {
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join("bookings.csv"), text).unwrap();
        Self(folder)
    }

    /// Runs it: exit code, what it printed, and what it complained of.
    async fn import(&self, hotel: &Hotel, more: &[&str]) -> (Option<i32>, String, String) {
        let file = self.0.path().join("bookings.csv");
        let kubeconfig = control_plane().kubeconfig();
        let named = ["import", file.to_str().unwrap(), "--kubeconfig", kubeconfig.to_str().unwrap()];
        ends(&[&named[..], &["--namespace", &hotel.namespace], more].concat()).await
    }
}

const HEADER: &str = "reference,room,checkIn,checkOut,guestID,collect\n";

/// Five hundred rows, of which thirteen do not fit, each for its own reason; and those reasons, by line.
fn five_hundred() -> (String, Vec<(u64, &'static str)>) {
    let mut text = HEADER.to_owned();
    for number in 0..487_i64 {
        // Ten Rooms' worth of units, over two months.
        let from = date(2030, 7, 1).checked_add((number % 50).days()).unwrap();
        let to = from.checked_add((1 + number % 3).days()).unwrap();
        let collect = if number % 2 == 0 { "" } else { "AtProperty" };
        writeln!(text, "AGENCY-{number},double,{from},{to},g-{number},{collect}").unwrap();
    }
    let misfits = [
        ("X-1,attic,2030-07-01,2030-07-02,g-1,", "there is no Room attic"),
        ("X-2,double,2030-07-02,2030-07-02,g-1,", "checkOut must be after checkIn"),
        ("X-3,double,2030-07-05,2030-07-02,g-1,", "checkOut must be after checkIn"),
        ("X-4,double,1999-07-01,1999-07-02,g-1,", "in the past"),
        ("X-5,double,2030-07-01,2030-12-02,g-1,", "at most 62 nights"),
        ("X-6,single,2030-07-01,2030-07-02,anna@example.com,", "guestID is an opaque id"),
        ("X-7,double,1 July,2030-07-02,g-1,", "checkIn is `1 July`"),
        ("X-8,double,2030-07-01,2030-07-02,g-1,Online", "not charged here"),
        ("X-9,double,2030-07-01", "it has 3 columns, and the header has 6"),
        (",double,2030-07-01,2030-07-02,g-1,", "reference is empty"),
        ("AGENCY-7,double,2030-07-01,2030-07-02,g-1,", "that of line 9 too"),
        ("X-12,single,2030-07-01,2030-07-03,g-1,", "Room single has no unit free on 2030-07-02"),
        ("X-13,double,2030-07-01,2030-07-02,,", "guestID is empty"),
    ];
    let mut said = Vec::new();
    for (line, (row, why)) in (489..).zip(misfits) {
        writeln!(text, "{row}").unwrap();
        said.push((line, why));
    }
    (text, said)
}

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_bookings_are_brought_in_once_and_every_row_that_does_not_fit_says_why() {
    let hotel = Hotel::open("import").await;
    hotel.room("double", 60).await;
    hotel.room("single", 1).await;
    let operator = hotel.operator();
    let night = |spec: &mut innkeeper_api::ReservationSpec| {
        spec.check_in = date(2030, 7, 2);
        spec.check_out = date(2030, 7, 3);
    };
    hotel.reserve_with("there", "single", night).await;
    hotel.settled("there", Reason::Confirmed).await;
    let (text, misfits) = five_hundred();
    let file = File::of(&text);

    let (code, out, err) = file.import(&hotel, &[]).await;
    assert_eq!(code, Some(1), "{err}");
    assert!(out.contains("500 rows: 487 fit, 0 were there already, 13 do not fit"), "{out}");
    assert!(out.contains("Nothing was written"), "{out}");
    for (line, why) in &misfits {
        let said = out.lines().find(|l| l.starts_with(&format!("line {line}, "))).unwrap_or_default();
        assert!(said.contains(why), "line {line}: `{said}` does not say `{why}`\n{out}");
    }
    let reservations = async || hotel.reservations().list(&ListParams::default()).await.unwrap().items;
    assert_eq!(reservations().await.len(), 1, "only what was there");

    let (code, out, err) = file.import(&hotel, &["--apply"]).await;
    assert_eq!(code, Some(1), "{err}");
    assert!(out.contains("500 rows: 487 brought in, 0 were there already, 13 do not fit"), "{out}");
    let all = reservations().await;
    assert_eq!(all.len(), 488);
    assert!(all.iter().all(|r| claimed(r) == Some(Reason::Confirmed)));
    assert!(all.iter().filter(|r| r.spec.payment.collect == Collect::External).count() > 200);
    assert_eq!(hotel.accounts().await.len(), 1, "nothing of it was charged here");

    let (code, out, _) = file.import(&hotel, &["--apply"]).await;
    assert_eq!(code, Some(1));
    assert!(out.contains("500 rows: 0 brought in, 487 were there already, 13 do not fit"), "{out}");
    assert_eq!(reservations().await.len(), 488);
    Checker::of(&hotel).price("there", 12_000).check().await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_fits_as_a_whole_succeeds_and_one_that_nobody_decides_does_not() {
    let hotel = Hotel::open("import-all").await;
    hotel.room("double", 2).await;
    let file = File::of(&format!(
        "{HEADER}A-1,double,2030-07-01,2030-07-02,g-1,\nA-2,double,2030-07-01,2030-07-02,g-2,\n"
    ));
    let (code, out, _) = file.import(&hotel, &[]).await;
    assert_eq!(
        (code, out.lines().next()),
        (Some(0), Some("2 rows: 2 fit, 0 were there already, 0 do not fit"))
    );

    let (code, out, err) = file.import(&hotel, &["--apply", "--wait=1"]).await;
    assert_eq!(code, Some(1), "{out}");
    assert!(out.contains("line 2, A-1: not decided within 1 s; is an operator running"), "{out}");
    assert!(err.contains("2 of 2 rows do not fit"), "{err}");

    let operator = hotel.operator();
    let (code, out, _) = file.import(&hotel, &["--apply"]).await;
    assert_eq!(
        (code, out.lines().next()),
        (Some(0), Some("2 rows: 0 brought in, 2 were there already, 0 do not fit"))
    );
    operator.stop().await;
}

/// The same file twice at the same time, with a row that no request can carry: every booking is there once, and neither
/// says that one of them is not.
#[tokio::test(flavor = "multi_thread")]
async fn two_who_bring_in_the_same_file_bring_in_every_booking_once() {
    let hotel = Hotel::open("import-two").await;
    hotel.room("double", 40).await;
    let operator = hotel.operator();
    let mut text = HEADER.to_owned();
    for number in 0..40 {
        writeln!(text, "T-{number},double,2030-07-01,2030-07-02,g-{number},").unwrap();
    }
    writeln!(text, "T-huge,double,2030-07-01,2030-07-02,{},", "g".repeat(4_000_000)).unwrap();
    let file = File::of(&text);
    let both = futures::join!(file.import(&hotel, &["--apply"]), file.import(&hotel, &["--apply"]));
    let mut brought = 0;
    for (code, out, err) in [both.0, both.1] {
        assert_eq!(code, Some(1), "{err}");
        let [huge, sum] = out.lines().collect::<Vec<_>>()[..] else { panic!("{out}") };
        assert!(huge.starts_with("line 42, T-huge: Request entity too large"), "{huge}");
        let count = |after: &str| -> u32 {
            let (before, _) = sum.split_once(after).unwrap();
            before.rsplit(' ').next().unwrap().parse().unwrap()
        };
        assert_eq!(count(" brought in") + count(" were there already"), 40, "{sum}");
        brought += count(" brought in");
    }
    assert_eq!(brought, 40, "each by one of them");
    let all = hotel.reservations().list(&ListParams::default()).await.unwrap().items;
    assert!(all.len() == 40 && all.iter().all(|r| claimed(r) == Some(Reason::Confirmed)));
    operator.stop().await;
}

/// Refused once is not there: it is told until somebody has made room and taken the refused one away.
#[tokio::test(flavor = "multi_thread")]
async fn a_booking_that_was_refused_is_told_again_and_not_called_there() {
    let hotel = Hotel::open("import-late").await;
    hotel.room("double", 1).await;
    let file = File::of(&format!("{HEADER}L-1,double,2030-07-01,2030-07-02,g-1,\n"));
    // Nobody decides it, and meanwhile the hotel stops selling.
    let (code, ..) = file.import(&hotel, &["--apply", "--wait=0"]).await;
    assert_eq!(code, Some(1));
    let stop = json!({ "spec": { "sale": "Stopped" } });
    hotel.rooms().patch("double", &PatchParams::default(), &Patch::Merge(stop)).await.unwrap();
    let operator = hotel.operator();
    let late = hotel.reservations().list(&ListParams::default()).await.unwrap().items.remove(0).name_any();
    hotel.settled(&late, Reason::Rejected).await;
    let (code, out, _) = file.import(&hotel, &["--apply"]).await;
    assert_eq!(code, Some(1), "{out}");
    assert!(out.starts_with(&format!("line 2, L-1: Reservation {late} was refused: ")), "{out}");

    let open = json!({ "spec": { "sale": "Open" } });
    hotel.rooms().patch("double", &PatchParams::default(), &Patch::Merge(open)).await.unwrap();
    hotel.delete(&late).await;
    hotel.gone(&late).await;
    let (code, out, _) = file.import(&hotel, &["--apply"]).await;
    assert_eq!((code, out.as_str()), (Some(0), "1 rows: 1 brought in, 0 were there already, 0 do not fit\n"));
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_file_of_bookings_is_an_error_that_says_so() {
    let hotel = Hotel::open("import-none").await;
    let (code, _, err) = File::of("name,room\nAnna,double\n").import(&hotel, &["--apply"]).await;
    assert_eq!(code, Some(1));
    assert!(err.contains("bookings.csv") && err.contains("no column `reference`"), "{err}");
    let file = File(TempDir::new().unwrap());
    let (code, _, err) = file.import(&hotel, &[]).await;
    assert_eq!(code, Some(1));
    assert!(err.contains("cannot read") && err.contains("bookings.csv"), "{err}");
}
