//! An operator that runs: its probes, its metrics, its log.

use innkeeper_api::Reason;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::hotel::{Hotel, KEY, pay_with};
use crate::support::process::{Files, value};

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_is_ready_once_its_caches_are_synced_and_a_standby_is_ready_too() {
    let hotel = Hotel::open("ready").await;
    let files = Files::of(&hotel);
    let (leader, standby) = (files.operator(), files.operator());
    leader.ready().await;
    standby.ready().await;
    for process in [&leader, &standby] {
        assert!(process.log().contains("starting"), "not ready before it has begun");
        assert_eq!(process.ask("/readyz").await, Some((200, "ok\n".to_owned())));
        assert_eq!(process.ask("/livez").await, Some((200, "ok\n".to_owned())));
        process.answers("/metrics", |_, text| text.contains("leader_election_master_status{")).await;
    }
    let mut leading = 0.0;
    for process in [&leader, &standby] {
        let name = [("name", "innkeeper-operator")];
        leading += value(&process.metrics().await, "leader_election_master_status", &name).unwrap();
    }
    assert!((leading - 1.0).abs() < f64::EPSILON, "one of them leads, not {leading}");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_one_booking_the_metrics_that_dashboards_know_are_there_and_right() {
    let hotel = Hotel::open("metrics").await;
    let mut operator = Files::of(&hotel).operator();
    operator.leads().await;
    hotel.room("double", 1).await;
    hotel.reserve("anna", "double").await;
    hotel.settled("anna", Reason::Confirmed).await;
    hotel.room_until("double", |r| r.status.as_ref().is_some_and(|s| s.stays_ahead == 1)).await;
    let text = operator
        .answers("/metrics", |_, text| {
            let workers = value(text, "controller_runtime_active_workers", &[]);
            workers == Some(0.0) && value(text, "innkeeper_reservations_settled_total", &[]) == Some(1.0)
        })
        .await;

    let is = |name: &str, labels: &[(&str, &str)], wanted: f64| {
        assert_eq!(value(&text, name, labels), Some(wanted), "{name} {labels:?} in\n{text}");
    };
    is("innkeeper_reservations_settled_total", &[("outcome", "confirmed"), ("reason", "Confirmed")], 1.0);
    is("innkeeper_provider_calls_total", &[("op", "charge"), ("outcome", "ok")], 1.0);
    is("innkeeper_provider_call_seconds_count", &[("op", "charge")], 1.0);
    is("innkeeper_provider_breaker_open", &[], 0.0);
    // Made empty, then held.
    is("innkeeper_calendar_writes_total", &[("result", "ok")], 2.0);
    is("innkeeper_calendar_writes_total", &[("result", "refused")], 0.0);
    is("innkeeper_allocator_batch_size_count", &[], 1.0);
    is("innkeeper_allocator_batch_size_sum", &[], 1.0);
    is("innkeeper_status_writes_total", &[("kind", "reservation"), ("result", "ok")], 2.0);
    is("innkeeper_config_last_reload_successful", &[], 1.0);
    is("innkeeper_config_reload_total", &[("result", "refused")], 0.0);
    is("innkeeper_build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1.0);
    is("leader_election_master_status", &[("name", "innkeeper-operator")], 1.0);
    for controller in ["reservation", "room", "roomcalendar"] {
        let labels = [("controller", controller)];
        is("controller_runtime_reconcile_errors_total", &labels, 0.0);
        is("controller_runtime_active_workers", &labels, 0.0);
        let all = value(&text, "controller_runtime_reconcile_total", &labels).expect(controller);
        assert!(all >= 1.0);
        is("controller_runtime_reconcile_time_seconds_count", &labels, all);
        is("controller_runtime_reconcile_time_seconds_bucket", &[labels[0], ("le", "+Inf")], all);
    }
    assert_eq!(value(&text, "controller_runtime_reconcile_total", &[("result", "error")]), None);
    // The finalizer and two statuses of the Reservation, and at least one status of the Room.
    let patches = value(&text, "rest_client_requests_total", &[("method", "PATCH"), ("code", "200")]);
    assert!(patches.is_some_and(|n| n >= 4.0), "{patches:?}");
    // The calendar, the Lease, the installation's id.
    is("rest_client_requests_total", &[("method", "POST"), ("code", "201")], 3.0);
    let gets = value(&text, "rest_client_requests_total", &[("method", "GET"), ("code", "200")]);
    assert!(gets.is_some_and(|n| n >= 6.0), "{gets:?}");
    // Nobody's name makes a series.
    for name in ["anna", "double", &hotel.namespace] {
        assert!(!text.contains(name), "{name} is in\n{text}");
    }
    assert_eq!(operator.terminate().await, Some(0));
}

#[rstest]
#[case::without_a_terminal("auto", true)]
#[case::where_asked_for("json", true)]
#[case::human_where_asked_for("human", false)]
#[tokio::test(flavor = "multi_thread")]
async fn log_lines_are_as_configured(#[case] format: &str, #[case] is_json: bool) {
    let hotel = Hotel::open("format").await;
    let mut files = Files::of(&hotel);
    files.set("log.format", json!(format));
    let mut operator = files.operator();
    operator.says("leading").await;
    assert_eq!(operator.terminate().await, Some(0));
    let log = operator.log();
    for line in log.lines() {
        let parsed: Result<Value, _> = serde_json::from_str(line);
        assert_eq!(parsed.is_ok(), is_json, "{line}");
        if let Ok(line) = parsed {
            assert!(
                line["timestamp"].is_string() && line["level"].is_string() && line["message"].is_string(),
                "{line}"
            );
        } else {
            assert!(line.contains("INFO") && !line.contains('\u{1b}'), "no colours in a file: {line}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_the_payment_key_nor_a_guest_is_in_the_log_or_the_metrics() {
    let hotel = Hotel::open("secrets").await;
    let mut files = Files::of(&hotel);
    files.set("log.filter", json!("debug"));
    let mut operator = files.operator();
    operator.leads().await;
    hotel.room("double", 1).await;
    let guest = |s: &mut innkeeper_api::ReservationSpec| "g-nobodys-business".clone_into(&mut s.guest_id);
    hotel.reserve_with("anna", "double", guest).await;
    hotel.settled("anna", Reason::Confirmed).await;
    hotel
        .reserve_with("full", "double", |s| {
            guest(s);
        })
        .await;
    hotel.settled("full", Reason::Rejected).await;
    hotel
        .reserve_with("erik", "double", |s| {
            guest(s);
            s.payment = pay_with("pm_card_visa_chargeDeclinedInsufficientFunds");
        })
        .await;
    hotel.settled("erik", Reason::Rejected).await;
    hotel.cancel("anna").await;
    hotel.settled("anna", Reason::Cancelled).await;
    let metrics = operator.metrics().await;
    assert_eq!(operator.terminate().await, Some(0));

    let log = operator.log();
    assert!(log.contains("\"DEBUG\""), "it says a lot");
    for secret in [KEY, "g-nobodys-business", "Bearer"] {
        let line = log.lines().find(|line| line.contains(secret));
        assert_eq!(line, None, "{secret} is in the log");
        assert!(!metrics.contains(secret), "{secret} is in the metrics");
    }
}
