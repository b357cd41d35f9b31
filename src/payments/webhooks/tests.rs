use std::fmt::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::body::Body;
use http::{Request, StatusCode};
use rstest::rstest;
use tower::ServiceExt;

use super::*;

const SECRET: &str = "whsec_of_the_test";
const BODY: &str = r#"{"id":"evt_1","type":"refund.failed","data":{"object":{"id":"re_1","object":"refund","payment_intent":"pi_1","metadata":{"innkeeper_uid":"uid-1"}}}}"#;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn signature(secret: &str, time: i64, body: &str) -> String {
    let key = hmac::Key::new(HMAC_SHA256, secret.as_bytes());
    hex(hmac::sign(&key, format!("{time}.{body}").as_bytes()).as_ref())
}

fn header(secret: &str, time: i64, body: &str) -> String {
    format!("t={time},v1={}", signature(secret, time, body))
}

fn verifier() -> Verifier {
    Verifier::new(Secrets::read(&format!("whsec_of_before\n{SECRET}\n")).unwrap())
}

/// As Python computes it: `hmac.new(b"whsec_test", b"1614265330.{}", sha256).hexdigest()`.
#[test]
fn the_signature_is_the_one_of_the_scheme() {
    assert_eq!(
        signature("whsec_test", 1_614_265_330, "{}"),
        "5790023bd77209313f2e32e36caf5921bdd2fac398095f83dc2d2ecd5f696f50"
    );
}

#[rstest]
#[case::right(&header(SECRET, 1000, BODY), 1000, None)]
#[case::with_the_secret_of_before(&header("whsec_of_before", 1000, BODY), 1000, None)]
#[case::as_old_as_may_be(&header(SECRET, 1000, BODY), 1300, None)]
#[case::among_others(&format!("t=1000,v0=abc,v1={},v1={}", "0".repeat(64), signature(SECRET, 1000, BODY)), 1000, None)]
#[case::too_old(&header(SECRET, 1000, BODY), 1301, Some(Refusal::Stale))]
#[case::ahead_of_time(&header(SECRET, 1301, BODY), 1000, Some(Refusal::Stale))]
#[case::another_secret(&header("whsec_other", 1000, BODY), 1000, Some(Refusal::Forged))]
#[case::another_body(&header(SECRET, 1000, "{}"), 1000, Some(Refusal::Forged))]
#[case::another_time(&format!("t=1001,v1={}", signature(SECRET, 1000, BODY)), 1000, Some(Refusal::Forged))]
#[case::no_signature("t=1000", 1000, Some(Refusal::Forged))]
#[case::no_time(&format!("v1={}", signature(SECRET, 1000, BODY)), 1000, Some(Refusal::Unsigned))]
#[case::only_an_older_scheme(&format!("t=1000,v0={}", signature(SECRET, 1000, BODY)), 1000, Some(Refusal::Forged))]
#[case::garbage("what is this", 1000, Some(Refusal::Unsigned))]
#[case::half_a_signature(&format!("t=1000,v1={}", &signature(SECRET, 1000, BODY)[..32]), 1000, Some(Refusal::Unsigned))]
#[case::empty("", 1000, Some(Refusal::Unsigned))]
fn what_is_taken_and_what_is_refused(
    #[case] header: &str,
    #[case] now: i64,
    #[case] refused: Option<Refusal>,
) {
    assert_eq!(verifier().check(Some(header), BODY.as_bytes(), at(now)).err(), refused);
    assert_eq!(verifier().check(None, BODY.as_bytes(), at(now)).err(), Some(Refusal::Unsigned));
}

#[test]
fn what_was_here_before_is_refused_and_what_is_sent_again_by_the_provider_is_not() {
    let verifier = verifier();
    let check =
        |time: i64, now: i64| verifier.check(Some(&header(SECRET, time, BODY)), BODY.as_bytes(), at(now));
    let first = check(1000, 1000).unwrap();
    // Not acted on yet: it may come again.
    assert!(check(1000, 1001).is_ok());
    verifier.remember(&first, at(1001));
    assert_eq!(check(1000, 1002).err(), Some(Refusal::Replayed));
    assert_eq!(check(990, 1002).err(), Some(Refusal::Replayed), "an earlier delivery of the same event");
    let again = check(1200, 1200).unwrap();
    verifier.remember(&again, at(1200));
    assert_eq!(check(1200, 1499).err(), Some(Refusal::Replayed));
    assert_eq!(check(1200, 1501).err(), Some(Refusal::Stale), "what is forgotten is out of the tolerance");
}

#[rstest]
#[case::by_our_mark(BODY, Some("uid-1"))]
#[case::a_payment_of_somebody_else(
    r#"{"id":"evt_2","type":"payment_intent.succeeded","data":{"object":{"id":"pi_2","object":"payment_intent","metadata":{}}}}"#,
    None
)]
#[case::something_else(
    r#"{"id":"evt_4","type":"payout.paid","data":{"object":{"id":"po_1","object":"payout","metadata":null}}}"#,
    None
)]
fn whom_it_names(#[case] body: &str, #[case] wanted: Option<&str>) {
    let wanted = wanted.map(|uid| Subject { uid: uid.to_owned() });
    assert_eq!(Told::read(body.as_bytes()).unwrap().subject, wanted);
}

#[test]
fn what_is_no_event_is_not_read() {
    for body in
        ["", "{}", "[]", r#"{"id":"","type":"x","data":{"object":{}}}"#, r#"{"id":"evt_1","type":"x"}"#]
    {
        assert_eq!(Told::read(body.as_bytes()), None, "{body}");
    }
}

/// Says what it is told to say, and counts.
struct Bell {
    rung: Mutex<Rung>,
    woken: AtomicUsize,
    counted: Mutex<Vec<&'static str>>,
}

impl Wake for Bell {
    fn wake(&self, subject: &Subject) -> Rung {
        assert_eq!(subject.uid, "uid-1");
        self.woken.fetch_add(1, Ordering::SeqCst);
        *self.rung.lock().unwrap()
    }
    fn count(&self, outcome: &'static str) {
        self.counted.lock().unwrap().push(outcome);
    }
}

#[tokio::test]
async fn a_genuine_one_wakes_once_and_a_standby_leaves_it_to_be_sent_again() {
    let bell = Arc::new(Bell {
        rung: Mutex::new(Rung::NobodyLeads),
        woken: AtomicUsize::new(0),
        counted: Mutex::default(),
    });
    let app = router(verifier(), Arc::clone(&bell) as Arc<dyn Wake>, Arc::new(|| at(1000)));
    let send = |signature: Option<String>, body: &'static str| {
        let app = app.clone();
        async move {
            let mut request = Request::post("/webhooks/payments");
            if let Some(signature) = signature {
                request = request.header("stripe-signature", signature);
            }
            app.oneshot(request.body(Body::from(body)).unwrap()).await.unwrap().status()
        }
    };
    let right = || Some(header(SECRET, 1000, BODY));
    assert_eq!(send(right(), BODY).await, StatusCode::SERVICE_UNAVAILABLE);
    *bell.rung.lock().unwrap() = Rung::Woken;
    assert_eq!(send(right(), BODY).await, StatusCode::OK, "not held against the one who leads now");
    assert_eq!(send(right(), BODY).await, StatusCode::CONFLICT);
    assert_eq!(send(None, BODY).await, StatusCode::BAD_REQUEST);
    assert_eq!(send(right(), "{}").await, StatusCode::BAD_REQUEST);
    let payout = r#"{"id":"evt_4","type":"payout.paid","data":{"object":{}}}"#;
    assert_eq!(send(Some(header(SECRET, 1000, payout)), payout).await, StatusCode::OK);
    assert_eq!(bell.woken.load(Ordering::SeqCst), 2);
    let counted = bell.counted.lock().unwrap();
    assert_eq!(*counted, ["standby", "woken", "replayed", "unsigned", "forged", "unknown"]);
}
