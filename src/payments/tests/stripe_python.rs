//! Stripe's official Python client against the embedded provider, where that client is at hand.
//!
//! `INNKEEPER_PYTHON` names an interpreter that has it (see `requirements.txt`); else `python3` is used if it can
//! import `stripe`.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "helpers of tests are tests too")]

use std::process::{Command, Stdio};

use innkeeper_payments::sandbox::{ApiKey, Config, Server};

/// An interpreter that has the client, or why there is none.
fn interpreter() -> Result<String, String> {
    let named = std::env::var("INNKEEPER_PYTHON").ok();
    let python = named.clone().unwrap_or_else(|| "python3".to_owned());
    let import = Command::new(&python).args(["-c", "import stripe"]).stderr(Stdio::null()).status();
    match (import, named) {
        (Ok(status), _) if status.success() => Ok(python),
        // Who names an interpreter wants the test to run.
        (_, Some(named)) => panic!("INNKEEPER_PYTHON names {named}, which cannot import stripe"),
        (Ok(_), None) => Err("python3 cannot import stripe".to_owned()),
        (Err(error), None) => Err(format!("no python3: {error}")),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stripes_python_client_is_content() {
    let python = match interpreter() {
        Ok(python) => python,
        Err(reason) => {
            eprintln!(
                "not run: Stripe's Python client: {reason}; install src/payments/tests/requirements.txt and name the \
                 interpreter in INNKEEPER_PYTHON"
            );
            return;
        }
    };
    let key = "sk_test_for_the_python_client";
    let server = Server::start(Config::new(ApiKey::parse(key).unwrap())).await.unwrap();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/stripe_client.py");
    let mut command = Command::new(python);
    command
        .args([script, &server.url(), key])
        .env("NO_PROXY", "127.0.0.1")
        .env("PYTHONDONTWRITEBYTECODE", "1");
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let (said, wrong) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    eprintln!("{said}");
    assert!(output.status.success(), "{said}\n{wrong}");
    assert_eq!(said.lines().filter(|line| line.starts_with("ok: ")).count(), 13);
}
