//! Stays in the archive, filed one by one as the relay files them: bytes, filing, and looking up.

use std::path::Path;
use std::time::Instant;

use innkeeper_api::Reservation;
use innkeeper_archive::{Folder, Library, Record, Writer, verify};
use jiff::{Timestamp, ToSpan};

use super::ground::Ground;
use crate::bed::FIRST;
use crate::process::resident;
use crate::report::{Aim, Report};
use crate::{Result, say};

/// How many are looked up.
const LOOKUPS: usize = 5000;
/// Days over which check-outs are spread: two years, a file a month.
const DAYS: usize = 730;
/// Stays of one guest.
const OF_ONE_GUEST: usize = 10;

/// Files, and looks up, away from everything that must not wait for a disk.
pub async fn run(ground: &Ground<'_>, stays: usize, report: &mut Report) -> Result<()> {
    say(&format!("  filing {stays} stays, one by one"));
    let folder = ground.bed.path("archive");
    std::fs::create_dir_all(&folder)?;
    let pattern = ground.reservation("seaside", 0)?;
    let measured = tokio::task::spawn_blocking(move || measure(&folder, &pattern, stays)).await??;
    let Measured { filed, bytes, manifest, unpacked, read, by_uid, by_name, by_guest, grown } = measured;
    let mut add = |what: &str, value: f64| report.figure("archive", what, value, Aim::None);
    add("filed a second, one by one, each durable", filed);
    add("bytes an archived stay, packed", bytes);
    add("and its line of the manifest, bytes", manifest);
    add("bytes an archived stay, unpacked", unpacked);
    add(&format!("seconds to read the index of {stays} stays"), read);
    add("lookups a second by UID", by_uid);
    add("lookups a second by name", by_name);
    add("lists of 10 stays by guest a second", by_guest);
    add("memory of the index, bytes a stay", grown);
    Ok(())
}

struct Measured {
    filed: f64,
    bytes: f64,
    manifest: f64,
    unpacked: f64,
    read: f64,
    by_uid: f64,
    by_name: f64,
    by_guest: f64,
    grown: f64,
}

fn stay(pattern: &Reservation, number: usize) -> Result<Record> {
    let mut reservation = pattern.clone();
    reservation.metadata.name = Some(format!("stay-{number}"));
    reservation.metadata.uid = Some(uid(number));
    reservation.spec.guest_id = guest(number);
    let day = FIRST.saturating_add(i64::try_from(number % DAYS).unwrap_or(0).days());
    reservation.spec.check_in = day;
    reservation.spec.check_out = day.saturating_add(1.day());
    let now = Timestamp::now();
    Ok(Record::of(&reservation, now, now)?)
}

fn uid(number: usize) -> String {
    // As random as real ones: what repeats packs too well.
    let (a, b) = (number.wrapping_mul(0x9E37_79B9_7F4A_7C15), number.wrapping_mul(0xBF58_476D_1CE4_E5B9));
    format!("{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}", a >> 32, a & 0xffff, b >> 52, b & 0xfff, (a ^ b) >> 16)
}

fn guest(number: usize) -> String {
    format!("bench:guest-{}", number / OF_ONE_GUEST)
}

fn measure(folder: &Path, pattern: &Reservation, stays: usize) -> Result<Measured> {
    let mut writer = Writer::open(Folder::new(folder), None, Timestamp::now())?;
    let begun = Instant::now();
    let mut told = Instant::now();
    for number in 0..stays {
        writer.file(&[stay(pattern, number)?], Timestamp::now())?;
        if told.elapsed().as_secs() >= 15 {
            told = Instant::now();
            say(&format!("  {number} of {stays} are filed"));
        }
    }
    let filed = stays as f64 / begun.elapsed().as_secs_f64();
    drop(writer);
    let report = verify(&Folder::new(folder))?;
    if !report.damage.is_empty() {
        return Err(format!("the archive is damaged: {:?}", report.damage).into());
    }
    let manifest = std::fs::metadata(folder.join("manifest.jsonl"))?.len();

    let pid = std::process::id();
    let (before, begun) = (resident(pid)?, Instant::now());
    let library = Library::new(Folder::new(folder), |guest| vec![guest]);
    library.refresh()?;
    let read = begun.elapsed().as_secs_f64();
    let grown = (resident(pid)? - before) / stays as f64;
    let each = |what: &str, look: &dyn Fn(usize) -> Result<bool>| -> Result<f64> {
        let begun = Instant::now();
        for number in 0..LOOKUPS {
            // In an order that has nothing to do with that of filing.
            if !look(number.wrapping_mul(7919) % stays)? {
                return Err(format!("a stay that was filed is not found {what}").into());
            }
        }
        Ok(LOOKUPS as f64 / begun.elapsed().as_secs_f64())
    };
    let by_uid = each("by UID", &|number| Ok(library.with_uid(&uid(number))?.is_some()))?;
    let by_name =
        each("by name", &|number| Ok(library.named("seaside", &format!("stay-{number}"))?.len() == 1))?;
    let by_guest = each("by guest", &|number| {
        Ok(!library.page(&guest(number), None, OF_ONE_GUEST, |_, _, _| false)?.stays.is_empty())
    })?;
    Ok(Measured {
        filed,
        bytes: report.bytes as f64 / stays as f64,
        manifest: manifest as f64 / stays as f64,
        unpacked: report.unpacked as f64 / stays as f64,
        read,
        by_uid,
        by_name,
        by_guest,
        grown,
    })
}
