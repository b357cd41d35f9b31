//! `innkeeper payments list`: every payment, the Reservation it is for, and what of it went back.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

use super::{CliError, Remote};
use crate::sandbox::currency::format_amount;
use crate::sandbox::ledger::{Account, read_file};

/// What to list, and from where.
#[derive(Args, Debug)]
pub struct ListArgs {
    /// The running provider to ask.
    #[command(flatten)]
    pub remote: Remote,
    /// Read this ledger file instead of asking a running provider; it may be in use
    #[arg(long, value_name = "PATH")]
    pub ledger: Option<PathBuf>,
    /// Only payments for Reservations of this namespace
    #[arg(long, short)]
    pub namespace: Option<String>,
    /// Only payments for the Reservation of this name
    #[arg(long)]
    pub name: Option<String>,
    /// How to write them
    #[arg(long, short, value_enum, default_value_t = Output::Table)]
    pub output: Output,
}

/// A form of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For a person
    Table,
    /// For a program: a list of objects, amounts in the currency's smallest unit
    Json,
}

/// A payment, as listed.
#[derive(Debug, Serialize)]
struct Payment {
    id: String,
    status: String,
    amount: i64,
    captured: i64,
    refunded: i64,
    currency: String,
    created: i64,
    metadata: BTreeMap<String, String>,
}

impl Payment {
    fn tag(&self, key: &str) -> Option<&str> {
        self.metadata.get(key).map(String::as_str)
    }

    fn reservation(&self) -> String {
        match (self.tag(NAMESPACE), self.tag(NAME)) {
            (None, None) => "-".to_owned(),
            (namespace, name) => format!("{}/{}", namespace.unwrap_or("-"), name.unwrap_or("-")),
        }
    }
}

const NAMESPACE: &str = "innkeeper_namespace";
const NAME: &str = "innkeeper_name";

pub(super) async fn run(args: &ListArgs, out: &mut (dyn Write + Send)) -> Result<(), CliError> {
    let mut payments = match &args.ledger {
        Some(path) => read_file(path)?.into_iter().rev().map(Payment::from).collect(),
        None => ask(&args.remote).await?,
    };
    let fits = |wanted: &Option<String>, found: Option<&str>| wanted.is_none() || wanted.as_deref() == found;
    payments.retain(|payment| {
        fits(&args.namespace, payment.tag(NAMESPACE)) && fits(&args.name, payment.tag(NAME))
    });
    match args.output {
        Output::Json => {
            let text = serde_json::to_string_pretty(&payments).map_err(std::io::Error::from)?;
            writeln!(out, "{text}")?;
        }
        Output::Table => table(&payments, out)?,
    }
    Ok(())
}

fn table(payments: &[Payment], out: &mut (dyn Write + Send)) -> Result<(), CliError> {
    if payments.is_empty() {
        writeln!(out, "No payments.")?;
        return Ok(());
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let mut rows = vec![["ID", "STATUS", "AMOUNT", "REFUNDED", "RESERVATION", "AGE"].map(str::to_owned)];
    rows.extend(payments.iter().map(|payment| {
        [
            payment.id.clone(),
            payment.status.clone(),
            format_amount(payment.amount, &payment.currency),
            format_amount(payment.refunded, &payment.currency),
            payment.reservation(),
            age(now.saturating_sub(u64::try_from(payment.created).unwrap_or(0))),
        ]
    }));
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..6).map(width).collect();
    for row in &rows {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}")).collect();
        writeln!(out, "{}", cells.join("   ").trim_end())?;
    }
    Ok(())
}

/// An age as kubectl writes it, to two parts below ten of a kind.
fn age(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86400);
    match seconds {
        0..120 => format!("{seconds}s"),
        120..600 if !seconds.is_multiple_of(60) => format!("{minutes}m{}s", seconds % 60),
        120..10_800 => format!("{minutes}m"),
        10_800..28_800 if !minutes.is_multiple_of(60) => format!("{hours}h{}m", minutes % 60),
        10_800..172_800 => format!("{hours}h"),
        _ => format!("{days}d"),
    }
}

impl From<Account> for Payment {
    fn from(account: Account) -> Self {
        let Account { intent, charge, .. } = account;
        Self {
            id: intent.id,
            status: intent.status.as_str().to_owned(),
            amount: intent.amount,
            captured: intent.amount_received,
            refunded: charge.map_or(0, |charge| charge.refunded),
            currency: intent.currency,
            created: intent.created,
            metadata: intent.metadata,
        }
    }
}

#[derive(Deserialize)]
struct Page {
    data: Vec<Remitted>,
    has_more: bool,
}

/// The part of an intent of the API that is listed.
#[derive(Deserialize)]
struct Remitted {
    id: String,
    status: String,
    amount: i64,
    amount_received: i64,
    currency: String,
    created: i64,
    metadata: BTreeMap<String, String>,
    latest_charge: Option<Charged>,
}

#[derive(Deserialize)]
struct Charged {
    amount_refunded: i64,
}

/// All intents of a running provider, newest first, page by page.
async fn ask(remote: &Remote) -> Result<Vec<Payment>, CliError> {
    let mut payments: Vec<Payment> = Vec::new();
    loop {
        let after = payments.last().map(|last| format!("&starting_after={}", last.id)).unwrap_or_default();
        let path = format!("/v1/payment_intents?limit=100&expand[]=data.latest_charge{after}");
        let value = remote.call(http::Method::GET, &path, None).await?;
        let page: Page = serde_json::from_value(value).map_err(|error| CliError::Unreachable {
            url: remote.server.clone(),
            reason: error.to_string(),
        })?;
        payments.extend(page.data.into_iter().map(|intent| Payment {
            id: intent.id,
            status: intent.status,
            amount: intent.amount,
            captured: intent.amount_received,
            refunded: intent.latest_charge.map_or(0, |charge| charge.amount_refunded),
            currency: intent.currency,
            created: intent.created,
            metadata: intent.metadata,
        }));
        if !page.has_more {
            return Ok(payments);
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::age;

    #[rstest]
    #[case(0, "0s")]
    #[case(119, "119s")]
    #[case(125, "2m5s")]
    #[case(1800, "30m")]
    #[case(4 * 3600 + 60, "4h1m")]
    #[case(30 * 3600, "30h")]
    #[case(3 * 86400, "3d")]
    fn ages_read_as_kubectl_writes_them(#[case] seconds: u64, #[case] shown: &str) {
        assert_eq!(age(seconds), shown);
    }
}
