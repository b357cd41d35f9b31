//! The exposition, to the letter: dashboards and alerts are written against it.

use axum::http::Method;

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn exercised() -> Metrics {
    let metrics = Metrics::new("1.2.3");
    drop(metrics.reconciling(Controller::Room));
    metrics.reconciled(Controller::Reservation, ReconcileResult::Success, SECOND);
    metrics.reconciled(Controller::Room, ReconcileResult::Error, SECOND);
    metrics.api_request(&Method::PATCH, Some(409));
    metrics.api_request(&Method::GET, None);
    metrics.leading("innkeeper-operator", true);
    metrics.settled(Outcome::Rejected, "OutOfStock");
    metrics.provider_call(ProviderOp::Charge, ProviderOutcome::Declined, SECOND);
    metrics.breaker_open(true);
    metrics.money_halted(Halted::Rewound, true);
    metrics.orphan_returned();
    metrics.calendar_write(CalendarWrite::Conflict);
    metrics.batch(7);
    metrics.status_write(StatusKind::Room, StatusWrite::Ok);
    metrics.config_reloaded(ReloadResult::Refused);
    metrics.config_in_force(true);
    metrics
}

#[test]
fn series_have_exactly_the_names_that_dashboards_know() {
    let text = exercised().text();
    for series in [
        "innkeeper_build_info{version=\"1.2.3\"} 1",
        "controller_runtime_active_workers{controller=\"room\"} 0",
        "controller_runtime_reconcile_total{controller=\"reservation\",result=\"success\"} 1",
        "controller_runtime_reconcile_total{controller=\"room\",result=\"error\"} 1",
        "controller_runtime_reconcile_errors_total{controller=\"room\"} 1",
        "controller_runtime_reconcile_errors_total{controller=\"roomcalendar\"} 0",
        "controller_runtime_reconcile_time_seconds_sum{controller=\"room\"} 1.0",
        "controller_runtime_reconcile_time_seconds_count{controller=\"room\"} 1",
        "controller_runtime_reconcile_time_seconds_bucket{le=\"0.9\",controller=\"room\"} 0",
        "controller_runtime_reconcile_time_seconds_bucket{le=\"1.0\",controller=\"room\"} 1",
        "controller_runtime_reconcile_time_seconds_bucket{le=\"+Inf\",controller=\"room\"} 1",
        "rest_client_requests_total{code=\"409\",method=\"PATCH\"} 1",
        "rest_client_requests_total{code=\"<error>\",method=\"GET\"} 1",
        "leader_election_master_status{name=\"innkeeper-operator\"} 1",
        "innkeeper_reservations_settled_total{outcome=\"rejected\",reason=\"OutOfStock\"} 1",
        "innkeeper_provider_calls_total{op=\"charge\",outcome=\"declined\"} 1",
        "innkeeper_provider_call_seconds_count{op=\"charge\"} 1",
        "innkeeper_provider_breaker_open 1",
        "innkeeper_money_halted{because=\"rewound\"} 1",
        "innkeeper_money_halted{because=\"outgoing\"} 0",
        "innkeeper_orphaned_payments_returned_total 1",
        "innkeeper_calendar_writes_total{result=\"ok\"} 0",
        "innkeeper_calendar_writes_total{result=\"conflict\"} 1",
        "innkeeper_calendar_writes_total{result=\"refused\"} 0",
        "innkeeper_allocator_batch_size_bucket{le=\"5.0\"} 0",
        "innkeeper_allocator_batch_size_bucket{le=\"10.0\"} 1",
        "innkeeper_allocator_batch_size_sum 7.0",
        "innkeeper_status_writes_total{kind=\"room\",result=\"ok\"} 1",
        "innkeeper_config_reload_total{result=\"applied\"} 0",
        "innkeeper_config_reload_total{result=\"refused\"} 1",
        "innkeeper_config_last_reload_successful 1",
    ] {
        assert!(text.lines().any(|line| line == series), "{series} is not in\n{text}");
    }
}

#[test]
fn no_family_is_there_that_nobody_meant() {
    let text = exercised().text();
    let mut families: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
    families.sort_unstable();
    assert_eq!(
        families,
        [
            "controller_runtime_active_workers gauge",
            "controller_runtime_reconcile counter",
            "controller_runtime_reconcile_errors counter",
            "controller_runtime_reconcile_time_seconds histogram",
            "innkeeper_allocator_batch_size histogram",
            "innkeeper_build info",
            "innkeeper_calendar_writes counter",
            "innkeeper_config_last_reload_successful gauge",
            "innkeeper_config_reload counter",
            "innkeeper_money_halted gauge",
            "innkeeper_orphaned_payments gauge",
            "innkeeper_orphaned_payments_returned counter",
            "innkeeper_provider_breaker_open gauge",
            "innkeeper_provider_call_seconds histogram",
            "innkeeper_provider_calls counter",
            "innkeeper_reservations_settled counter",
            "innkeeper_reservations_waiting_for_a_person gauge",
            "innkeeper_status_writes counter",
            "innkeeper_sweep_last_success_timestamp_seconds gauge",
            "leader_election_master_status gauge",
            "rest_client_requests counter",
        ]
    );
    assert!(text.ends_with("# EOF\n"));
}

#[test]
fn a_worker_counts_as_active_until_it_ends_even_by_a_panic() {
    let metrics = Metrics::default();
    let active = |count: u8| {
        let line = format!("controller_runtime_active_workers{{controller=\"reservation\"}} {count}");
        metrics.text().lines().any(|found| found == line)
    };
    let first = metrics.reconciling(Controller::Reservation);
    let second = metrics.reconciling(Controller::Reservation);
    assert!(active(2));
    drop(first);
    assert!(active(1));
    let panicked = std::thread::spawn(move || {
        let _held = second;
        panic!("a reconcile that fails badly");
    });
    assert!(panicked.join().is_err());
    assert!(active(0));
}

#[test]
fn clones_count_together() {
    let metrics = Metrics::default();
    metrics.clone().breaker_open(true);
    assert!(metrics.text().contains("innkeeper_provider_breaker_open 1\n"));
}

#[test]
fn a_gateway_shows_what_it_counts_and_nothing_of_an_operators() {
    let metrics = Metrics::of_gateway("1.2.3");
    let route = "/v1/reservations/{property}/{name}";
    metrics.gateway_request(route, &Method::GET, axum::http::StatusCode::OK, Duration::from_millis(2));
    metrics.gateway_shed(Shed::Stale);
    metrics.gateway_model_age(Duration::from_millis(1500));
    metrics.gateway_model_objects(ModelKind::Room, 3);
    let (one, two) = (metrics.gateway_in_flight(), metrics.gateway_in_flight());
    drop(one);
    metrics.reconciled(Controller::Room, ReconcileResult::Success, Duration::ZERO);
    let text = metrics.text();
    for series in [
        "innkeeper_build_info{version=\"1.2.3\"} 1",
        "innkeeper_gateway_requests_total{route=\"/v1/reservations/{property}/{name}\",method=\"GET\",status=\"200\"} 1",
        "innkeeper_gateway_request_seconds_bucket{le=\"0.0025\",route=\"/v1/reservations/{property}/{name}\"} 1",
        "innkeeper_gateway_shed_total{why=\"stale\"} 1",
        "innkeeper_gateway_shed_total{why=\"in_flight\"} 0",
        "innkeeper_gateway_read_model_age_seconds 1.5",
        "innkeeper_gateway_read_model_objects{kind=\"room\"} 3",
        "innkeeper_gateway_in_flight 1",
        "innkeeper_config_reload_total{result=\"refused\"} 0",
    ] {
        assert!(text.lines().any(|line| line == series), "{series} is not in\n{text}");
    }
    for others in ["reconcile", "provider", "leader_election", "orphaned", "sweep", "halted"] {
        assert!(!text.contains(others), "{others} is in\n{text}");
    }
    drop(two);
}
