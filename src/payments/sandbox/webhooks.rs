//! Tells somebody of events, as Stripe does: a signed `POST` for each, again and again until it is taken.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
use tokio_util::sync::CancellationToken;

use super::events::{self, Due};
use super::provider::Provider;

/// How often it is looked for what is due by the clock alone.
const LOOK: Duration = Duration::from_secs(1);
/// How many are told before it is looked again.
const AT_ONCE: u32 = 20;
/// How long one may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Who is told, and the secret that it is signed with.
#[derive(Clone)]
pub struct Webhooks {
    url: String,
    secret: Key,
}

impl std::fmt::Debug for Webhooks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Webhooks").field("url", &self.url).finish_non_exhaustive()
    }
}

impl Webhooks {
    /// Tells whoever answers at this URL.
    #[must_use]
    pub fn new(url: &str, secret: &str) -> Self {
        Self { url: url.to_owned(), secret: Key::new(HMAC_SHA256, secret.trim().as_bytes()) }
    }

    /// Tells until `stop`.
    pub(super) async fn run(self, provider: Provider, stop: CancellationToken) {
        let client = match reqwest::Client::builder().no_proxy().timeout(PATIENCE).build() {
            Ok(client) => client,
            Err(error) => return tracing::error!(%error, "nobody can be told of events"),
        };
        let mut activity = provider.activity();
        let mut away = false;
        while !stop.is_cancelled() {
            let found = provider.ledger().run(|books| events::due(books, AT_ONCE)).await;
            let found = match found {
                Ok(found) => found,
                Err(error) => return tracing::warn!(%error, "nobody is told of events any more"),
            };
            let more = found.len() == AT_ONCE as usize;
            for event in found {
                let seq = event.seq;
                let Some(taken) = stop.run_until_cancelled(self.tell(&client, event)).await else { return };
                if !taken && !away {
                    tracing::warn!(
                        url = self.url,
                        "a webhook was not taken; it is sent again, less and less often"
                    );
                }
                away = !taken;
                if let Err(error) = provider.ledger().run(move |books| events::told(books, seq, taken)).await
                {
                    tracing::warn!(%error, "that a webhook was taken cannot be noted; it is sent again");
                }
            }
            if !more {
                tokio::select! {
                    changed = activity.changed() => if changed.is_err() { return },
                    () = tokio::time::sleep(LOOK) => {}
                    () = stop.cancelled() => {}
                }
            }
        }
    }

    async fn tell(&self, client: &reqwest::Client, event: Due) -> bool {
        // The receiver compares it with its own clock, so the provider's, which may be moved, will not do.
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let request = client
            .post(&self.url)
            .header("content-type", "application/json")
            .header("stripe-signature", self.signature(now, &event.body))
            .body(event.body);
        request.send().await.is_ok_and(|answer| answer.status().is_success())
    }

    fn signature(&self, time: u64, body: &str) -> String {
        let signature = sign(&self.secret, format!("{time}.{body}").as_bytes());
        signature.as_ref().iter().fold(format!("t={time},v1="), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_signed_as_stripe_signs() {
        let signed = Webhooks::new("http://x", "whsec_test\n").signature(1_614_265_330, "{}");
        assert_eq!(
            signed,
            "t=1614265330,v1=5790023bd77209313f2e32e36caf5921bdd2fac398095f83dc2d2ecd5f696f50"
        );
    }

    #[test]
    fn the_secret_is_not_shown() {
        assert!(!format!("{:?}", Webhooks::new("http://x", "whsec_test")).contains("whsec"));
    }
}
