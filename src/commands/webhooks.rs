//! Where the operator takes the provider's webhooks.

use std::error::Error;
use std::sync::Arc;

use innkeeper_operator::Doorbell;
use innkeeper_ops::config::Webhooks;
use innkeeper_payments::webhooks::{Secrets, Verifier, router, serve};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Takes webhooks until `stop`, where there is a secret for them. Fails where that, or the address, is not to be had.
pub async fn take(
    config: &Webhooks,
    doorbell: Doorbell,
    stop: CancellationToken,
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let Some(file) = &config.secret_file else { return Ok(()) };
    let named = || format!("the webhooks' secret {} (payments.webhooks.secretFile)", file.display());
    let text = std::fs::read_to_string(file).map_err(|error| format!("cannot read {}: {error}", named()))?;
    let secrets = Secrets::read(&text).ok_or_else(|| format!("{} is empty", named()))?;
    let listener = TcpListener::bind(config.listen)
        .await
        .map_err(|error| format!("cannot listen on {} (payments.webhooks.listen): {error}", config.listen))?;
    tracing::info!(address = %listener.local_addr()?, "webhooks of the payment provider");
    let app = router(Verifier::new(secrets), Arc::new(doorbell), Arc::new(jiff::Timestamp::now));
    tokio::spawn(async move {
        if let Err(error) = serve(listener, app, stop).await {
            tracing::error!(%error, "webhooks are no longer taken");
        }
    });
    Ok(())
}
