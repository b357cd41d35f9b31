//! `innkeeper archive`: shows what is filed, and looks whether it is whole.

use std::fmt::Write as _;
use std::io::{Write, stdout};
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use innkeeper_api::{ConditionType, Fact};
use innkeeper_archive::{Folder, Library, Record, Report, verify};
use innkeeper_booking::currency::Currency;

use super::Outcome;

/// What is looked at.
#[derive(Args)]
pub struct ArchiveArgs {
    #[command(subcommand)]
    command: ArchiveCommand,
}

#[derive(Subcommand)]
enum ArchiveCommand {
    /// List filed stays, in the order of filing
    List(ListArgs),
    /// Show filed stays with everything that happened
    Show(ShowArgs),
    /// Look at every byte, and name each file and frame that is damaged; exits with 1 where there is one
    Verify(Where),
}

/// Where the archive is.
#[derive(Args)]
struct Where {
    /// The archive's folder: the shared volume, or a copy of it
    #[arg(long, value_name = "FOLDER", env = "INNKEEPER_ARCHIVE")]
    folder: PathBuf,
    /// How to write it
    #[arg(long, short, value_enum, default_value_t = Output::Text)]
    output: Output,
}

#[derive(Args)]
struct ListArgs {
    #[command(flatten)]
    at: Where,
    /// Only stays in this property
    #[arg(long, short)]
    namespace: Option<String>,
    /// Only stays of the guest with this guestID
    #[arg(long, value_name = "ID")]
    guest: Option<String>,
    /// Only stays that check out in this month, like 2026-11
    #[arg(long, value_name = "MONTH")]
    month: Option<String>,
}

#[derive(Args)]
struct ShowArgs {
    #[command(flatten)]
    at: Where,
    /// Property of the stay
    #[arg(long, short)]
    namespace: Option<String>,
    /// Name or UID of a stay; every stay that had the name is shown
    name: String,
}

/// A form of output.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// For a person
    Text,
    /// For a program
    Json,
}

/// Shows, or looks.
pub fn run(args: &ArchiveArgs) -> Outcome {
    match &args.command {
        ArchiveCommand::List(args) => list(args),
        ArchiveCommand::Show(args) => show(args),
        ArchiveCommand::Verify(at) => look(at),
    }
}

fn open(at: &Where) -> Result<Library, Box<dyn std::error::Error + Send + Sync>> {
    let library = Library::new(Folder::new(&at.folder), |_| Vec::new());
    library.refresh()?;
    let damaged = library.shelf().damaged;
    if damaged > 0 {
        eprintln!("innkeeper: {damaged} parts of this archive cannot be read; see innkeeper archive verify");
    }
    Ok(library)
}

fn list(args: &ListArgs) -> Outcome {
    let library = open(&args.at)?;
    let wanted = |record: &Record| {
        let month = record.file();
        args.namespace.as_deref().is_none_or(|property| property == record.property())
            && args.guest.as_ref().is_none_or(|guest| *guest == record.reservation.spec.guest_id)
            && args.month.as_ref().is_none_or(|wanted| month.ends_with(&format!("/{wanted}.jsonl.zst")))
    };
    let mut out = stdout().lock();
    let mut rows = vec![
        ["PROPERTY", "NAME", "GUEST", "ROOM", "CHECK-OUT", "OUTCOME", "REASON", "FILED"].map(str::to_owned),
    ];
    for record in library.each() {
        let record = record?;
        if !wanted(&record) {
            continue;
        }
        match args.at.output {
            // One line each: whoever has a hundred thousand of them reads them one by one.
            Output::Json => writeln!(out, "{}", serde_json::to_string(&record)?)?,
            Output::Text => rows.push(row(&record)),
        }
    }
    if args.at.output == Output::Text {
        if rows.len() == 1 {
            writeln!(out, "No stays.")?;
        } else {
            out.write_all(table(&rows).as_bytes())?;
        }
    }
    Ok(())
}

fn row(record: &Record) -> [String; 8] {
    let spec = &record.reservation.spec;
    let (outcome, reason) = outcome(record);
    [
        record.property().to_owned(),
        record.name(),
        spec.guest_id.clone(),
        spec.room_name.clone(),
        spec.check_out.to_string(),
        outcome,
        reason,
        record.filed.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
    ]
}

fn outcome(record: &Record) -> (String, String) {
    let conditions = record.reservation.status.as_ref().map(|status| &status.conditions);
    let reason = |of: &ConditionType| {
        conditions.and_then(|c| c.reason(of)).map_or_else(|| "-".to_owned(), ToString::to_string)
    };
    (reason(&ConditionType::Settled), reason(&ConditionType::Ready))
}

fn table(rows: &[[String; 8]]) -> String {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..8).map(width).collect();
    let line = |row: &[String; 8]| {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}")).collect();
        cells.join("   ").trim_end().to_owned()
    };
    let mut lines: Vec<String> = rows.iter().map(line).collect();
    lines.push(String::new());
    lines.join("\n")
}

fn show(args: &ShowArgs) -> Outcome {
    let library = open(&args.at)?;
    let mut found = Vec::new();
    for record in library.each() {
        let record = record?;
        let named = record.name() == args.name || record.uid() == args.name;
        if named && args.namespace.as_deref().is_none_or(|property| property == record.property()) {
            found.push(record);
        }
    }
    if found.is_empty() {
        return Err(format!("no stay called {} is filed in {}", args.name, args.at.folder.display()).into());
    }
    let text = match args.at.output {
        Output::Json => serde_json::to_string_pretty(&found)? + "\n",
        Output::Text => found.iter().map(described).collect::<Vec<_>>().join("\n"),
    };
    stdout().lock().write_all(text.as_bytes())?;
    Ok(())
}

fn described(record: &Record) -> String {
    let spec = &record.reservation.spec;
    let status = record.reservation.status.clone().unwrap_or_default();
    let currency = status.quote.as_ref().map(|quote| quote.currency.clone()).unwrap_or_default();
    let amount = |minor: i64| {
        Currency::of(&currency).map_or_else(|| format!("{minor} {currency}"), |known| known.show(minor))
    };
    let (outcome, reason) = outcome(record);
    let mut text = String::new();
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(text, "{:<11} {value}", format!("{name}:"));
    };
    line("Stay", &format!("{}/{}", record.property(), record.name()));
    line("UID", record.uid());
    line("Room", &format!("{}, {} units", spec.room_name, spec.units));
    line("Nights", &format!("{} to {}", spec.check_in, spec.check_out));
    line("Guest", &spec.guest_id);
    line("Outcome", &format!("{outcome} ({reason})"));
    if let Some(quote) = &status.quote {
        line("Price", &amount(quote.total));
    }
    if let Some(money) = &status.payment {
        let (paid, back, kept) = (amount(money.captured), amount(money.refunded), amount(money.kept));
        line("Money", &format!("paid {paid}, given back {back}, kept {kept}"));
    }
    line("Finished", &record.finished.to_string());
    line("Filed", &record.filed.to_string());
    text.push_str("What happened:\n");
    for Fact { number, fact, time, reason, minor_units } in &status.history {
        let reason = reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
        let money = minor_units.map(|minor| format!(" {}", amount(minor))).unwrap_or_default();
        let _ = writeln!(text, "  {number:>2}  {time}  {fact}{money}{reason}");
    }
    text
}

fn look(at: &Where) -> Outcome {
    let report = verify(&Folder::new(&at.folder))?;
    let text = match at.output {
        Output::Json => serde_json::to_string_pretty(&report)? + "\n",
        Output::Text => told(&report),
    };
    stdout().lock().write_all(text.as_bytes())?;
    match report.damage.len() {
        0 => Ok(()),
        1 => Err("1 part of this archive is damaged".into()),
        many => Err(format!("{many} parts of this archive are damaged").into()),
    }
}

fn told(report: &Report) -> String {
    let Report { archive, lines, frames, stays, bytes, unpacked, damage, unread } = report;
    let mut text = format!(
        "Archive {archive}: {stays} stays in {frames} frames, {lines} lines of the manifest, {bytes} bytes ({unpacked} unpacked).\n"
    );
    for found in damage {
        let length = found.at.length.map(|length| format!(", {length} bytes")).unwrap_or_default();
        let _ = writeln!(text, "DAMAGED  {} at {}{length}: {}", found.at.file, found.at.offset, found.what);
    }
    for rest in unread {
        let length = rest.length.unwrap_or(0);
        let _ =
            writeln!(text, "unread   {} at {}, {length} bytes: never acknowledged", rest.file, rest.offset);
    }
    if damage.is_empty() {
        text.push_str("Everything is as it was written.\n");
    }
    text
}
