//! What the document says is what is done: schemathesis makes requests out of it, good ones and bad ones, and holds every
//! answer against it.

use std::process::Command;

use super::front::{ACME, Front};
use crate::support::hotel::Hotel;

/// Set by whoever has it (`hack/test` says how); `hack/test` leaves the test out where it is not.
const PROGRAM: &str = "INNKEEPER_SCHEMATHESIS";

/// Nothing outside of the document, and no server error. In one list: of two, only the last would count.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_headers_conformance,response_schema_conformance,unsupported_method";

#[tokio::test(flavor = "multi_thread")]
async fn schemathesis_finds_no_answer_that_is_not_in_the_document() {
    let Some(program) = std::env::var_os(PROGRAM) else {
        eprintln!("{PROGRAM} is not set: not run");
        return;
    };
    let hotel = Hotel::open("door-document").await;
    let _operator = hotel.operator();
    hotel.room("double", 50).await;
    let front = Front::open(&hotel).await;
    let document = format!("{}/openapi.json", front.url);
    let folder = tempfile::TempDir::new().unwrap();
    let mut command = Command::new(program);
    command
        .current_dir(folder.path())
        .args(["run", &document, "--seed", "4711", "--max-examples", "25", "--no-shrink"])
        // A connection that follows a booking has no end to wait for; the rest of it is tried by hand.
        .args(["--exclude-operation-id", "followReservation", "--phases", "examples,coverage,fuzzing"])
        .args([
            "--continue-on-failure",
            "--warnings",
            "off",
            "--header",
            &format!("Authorization: Bearer {ACME}"),
        ])
        .args(["--checks", CHECKS])
        .env("NO_PROXY", "127.0.0.1")
        .env("PYTHONUTF8", "1");
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    eprintln!("{said}");
    assert!(said.contains("generated"), "it did nothing: {said}");
    front.stop().await;
}
