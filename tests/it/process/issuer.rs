//! `innkeeper issuer` as a process: what it publishes, its keys, and that it never stands beside real money.

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::process::{Process, ends, innkeeper};

fn client() -> reqwest::Client {
    let http = reqwest::Client::builder().no_proxy().tls_certs_only([]);
    http.redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

async fn get(url: &str) -> Value {
    let answer = client().get(url).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
}

/// Starts one on a free port, and gives its address.
async fn start(arguments: &[&str]) -> (Process, String) {
    let mut all = vec!["issuer", "--listen=127.0.0.1:0"];
    all.extend(arguments);
    let process = Process::start(innkeeper(&all));
    let line: Value = serde_json::from_str(&process.says("the test issuer listens").await).unwrap();
    let url = format!("http://{}", line["address"].as_str().unwrap());
    (process, url)
}

#[tokio::test(flavor = "multi_thread")]
async fn it_refuses_to_start_beside_a_live_key_wherever_that_is() {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    std::fs::write(path("key"), "rk_live_51Secret\n").unwrap();
    std::fs::write(path("config.yaml"), json!({ "payments": { "keyFile": path("key") } }).to_string())
        .unwrap();
    let config = format!("--config={}", path("config.yaml"));
    let named = format!("--payments-key-file={}", path("key"));
    for argument in [&config, &named] {
        let (code, out, said) = ends(&["issuer", "--listen=127.0.0.1:0", argument]).await;
        assert_eq!(code, Some(1), "{argument}");
        assert!(said.contains("does not run beside a live key") && said.contains(&path("key")), "{said}");
        assert!(!(out + &said).contains("51Secret"));
    }
    let mut command = innkeeper(&["issuer", "--listen=127.0.0.1:0"]);
    command.env("STRIPE_API_KEY", "sk_live_51Secret");
    let mut process = Process::start(command);
    assert_eq!(process.exit().await, Some(1));
    let said = process.says("does not run beside a live key").await;
    assert!(said.contains("STRIPE_API_KEY") && !said.contains("51Secret"), "{said}");

    // One that comes later: nobody is signed in any more.
    std::fs::write(path("key"), "sk_test_51Secret\n").unwrap();
    let (mut process, url) = start(&[&config]).await;
    let question = "response_type=code&client_id=c&redirect_uri=http://127.0.0.1:1/back&scope=openid&state=s\
                    &code_challenge=x&code_challenge_method=S256&guest=0";
    let choose = || {
        let request = client().post(format!("{url}/authorize")).body(question);
        request.header("content-type", "application/x-www-form-urlencoded").send()
    };
    let chosen = choose().await.unwrap();
    assert_eq!(chosen.status(), 303);
    assert!(chosen.headers()["location"].to_str().unwrap().starts_with("http://127.0.0.1:1/back?code="));
    std::fs::write(path("key"), "sk_live_51Secret\n").unwrap();
    let refused = choose().await.unwrap();
    assert_eq!(refused.status(), 400);
    assert!(refused.text().await.unwrap().contains("real money is near"));
    assert_eq!(process.terminate().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_says_where_it_is_and_its_keys_outlive_it_and_can_be_changed() {
    let folder = TempDir::new().unwrap();
    let keys = format!("--key-file={}", folder.path().join("keys").display());
    let names = |published: &Value| {
        let all = published["keys"].as_array().unwrap().clone();
        all.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let (mut process, url) = start(&[&keys]).await;
    let document = get(&format!("{url}/.well-known/openid-configuration")).await;
    assert_eq!((&document["issuer"], &document["jwks_uri"]), (&json!(url), &json!(format!("{url}/jwks"))));
    let first = names(&get(&format!("{url}/jwks")).await);
    assert_eq!(process.terminate().await, Some(0));

    let (mut process, url) = start(&[
        &keys,
        "--rotate",
        "--url=http://issuer.hotel.svc:8093/",
        "--browser-url=http://localhost:30093",
    ])
    .await;
    let document = get(&format!("{url}/.well-known/openid-configuration")).await;
    assert_eq!(document["issuer"], "http://issuer.hotel.svc:8093");
    assert_eq!(document["token_endpoint"], "http://issuer.hotel.svc:8093/token");
    assert_eq!(document["authorization_endpoint"], "http://localhost:30093/authorize");
    let second = names(&get(&format!("{url}/jwks")).await);
    assert_eq!((second.len(), &second[1]), (2, &first[0]), "the one before stays published");
    assert_eq!(process.terminate().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_sends_nobody_to_where_it_was_not_told() {
    let (mut process, url) = start(&["--redirect=https://book.example.com"]).await;
    for (redirect, status) in [
        ("https://book.example.com/sign-in/callback", 200),
        ("http://localhost:1/sign-in/callback", 200),
        ("https://evil.example/", 400),
        ("https://book.example.com.evil.example/", 400),
    ] {
        let question = format!(
            "{url}/authorize?response_type=code&client_id=c&redirect_uri={redirect}&scope=openid\
             &code_challenge=x&code_challenge_method=S256"
        );
        let answer = client().get(&question).send().await.unwrap();
        assert_eq!(answer.status(), status, "{redirect}");
        // Without PKCE there is no question.
        let bare = question.split("&code_challenge").next().unwrap().to_owned();
        assert_eq!(client().get(bare).send().await.unwrap().status(), 400);
    }
    assert_eq!(process.terminate().await, Some(0));
}
