//! What the probes answer, and when.

use super::*;

async fn body(response: Response) -> (StatusCode, String) {
    let status = response.status();
    let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, String::from_utf8(bytes.to_vec()).unwrap())
}

#[tokio::test]
async fn ready_means_that_every_condition_is_met_and_the_others_are_named() {
    let health = Health::default();
    let caches = health.condition("caches-synced");
    let lease = health.condition("lease-known");
    assert_eq!(
        body(ready(&health)).await,
        (StatusCode::SERVICE_UNAVAILABLE, "caches-synced: not yet\nlease-known: not yet\n".to_owned())
    );
    lease.met();
    caches.unmet("the watch of Rooms fell behind");
    assert_eq!(
        body(ready(&health)).await,
        (StatusCode::SERVICE_UNAVAILABLE, "caches-synced: the watch of Rooms fell behind\n".to_owned())
    );
    caches.met();
    assert_eq!(body(ready(&health)).await, (StatusCode::OK, "ok\n".to_owned()));
    caches.unmet("lost");
    assert_eq!(ready(&health).status(), StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn ending_is_not_ready_at_once_and_still_alive() {
    let health = Health::default();
    health.end();
    assert_eq!(body(ready(&health)).await, (StatusCode::SERVICE_UNAVAILABLE, "shutting down\n".to_owned()));
    assert_eq!(alive(&health, Instant::now()).status(), StatusCode::OK);
}

#[tokio::test]
async fn a_process_is_alive_whatever_is_missing() {
    let health = Health::default();
    health.condition("caches-synced").unmet("the API server is away");
    assert_eq!(alive(&health, Instant::now()).status(), StatusCode::OK);
}

#[tokio::test]
async fn a_runtime_that_stands_still_is_not_alive_until_it_turns_again() {
    let start = Instant::now();
    let health = Health::new(start);
    let second = Duration::from_secs(1);
    assert_eq!(alive(&health, start + WEDGED_AFTER).status(), StatusCode::OK);
    let later = start + WEDGED_AFTER + second;
    assert_eq!(
        body(alive(&health, later)).await,
        (StatusCode::SERVICE_UNAVAILABLE, "the runtime has not turned for 31 s\n".to_owned())
    );
    health.beat(later);
    assert_eq!(alive(&health, later + second).status(), StatusCode::OK);
}

#[tokio::test]
async fn the_runtime_beats_by_itself() {
    // Begun an hour ago, so without a beat it would be wedged.
    let long_ago = Instant::now().checked_sub(Duration::from_secs(3600)).unwrap();
    let health = Health::new(long_ago);
    let beating = tokio::spawn(beat(health.clone()));
    while health.still_for(Instant::now()) > WEDGED_AFTER {
        tokio::task::yield_now().await;
    }
    beating.abort();
}

#[tokio::test]
async fn probes_are_served_until_told_to_stop() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (health, metrics, stop) = (Health::default(), Metrics::new("1.2.3"), CancellationToken::new());
    let caches = health.condition("caches-synced");
    let serving = tokio::spawn(serve(listener, health.clone(), metrics, stop.clone()));
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let get = |path: &str| client.get(format!("http://{address}{path}")).send();

    assert_eq!(get("/livez").await.unwrap().status(), StatusCode::OK);
    assert_eq!(get("/readyz").await.unwrap().status(), StatusCode::SERVICE_UNAVAILABLE);
    caches.met();
    assert_eq!(get("/readyz").await.unwrap().status(), StatusCode::OK);
    health.end();
    assert_eq!(get("/readyz").await.unwrap().text().await.unwrap(), "shutting down\n");
    let metrics = get("/metrics").await.unwrap();
    assert_eq!(metrics.headers()["content-type"], CONTENT_TYPE);
    assert!(metrics.text().await.unwrap().contains("innkeeper_build_info{version=\"1.2.3\"} 1\n"));
    assert_eq!(get("/").await.unwrap().status(), StatusCode::NOT_FOUND);

    drop(client);
    stop.cancel();
    serving.await.unwrap().unwrap();
}
