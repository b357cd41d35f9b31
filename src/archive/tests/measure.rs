//! How much and how fast, printed and not judged: `cargo test --release -p innkeeper-archive --lib -- --ignored --nocapture`.

use std::fs;
use std::time::Instant;

use super::{ALL_OF_THEM, at, library, opened, record};
use crate::{Folder, verify};

/// Stays of one property that check out over two years, of a thousand guests.
fn stay(n: u32) -> crate::Record {
    let day = 1 + n % 28;
    let month = 1 + (n / 28) % 12;
    let mut record = record("seaside", n, &format!("{}-{month:02}-{day:02}", 2027 + n % 2));
    record.reservation.spec.guest_id = format!("acme:guest-{}", n % 1000);
    record
}

#[test]
#[ignore = "measures; by hand, with --release and --nocapture"]
fn a_hundred_thousand_stays() {
    const STAYS: u32 = 100_000;
    const SINGLE: u32 = 500;
    let folder = tempfile::tempdir().unwrap();
    let mut writer = opened(folder.path());
    let begun = Instant::now();
    for n in 0..SINGLE {
        writer.file(&[stay(n)], at(20)).unwrap();
    }
    let alone = begun.elapsed();
    println!("filed one by one: {:.0} a second", f64::from(SINGLE) / alone.as_secs_f64());
    let report = verify(&Folder::new(folder.path())).unwrap();
    let manifest = || fs::metadata(folder.path().join("manifest.jsonl")).unwrap().len();
    let each = |bytes: u64, count: u32| bytes / u64::from(count);
    println!(
        "  {} bytes a stay, and {} of the manifest",
        each(report.bytes, SINGLE),
        each(manifest(), SINGLE)
    );
    println!("  {} bytes a stay unpacked", each(report.unpacked, SINGLE));

    let begun = Instant::now();
    let rest: Vec<_> = (SINGLE..STAYS).map(stay).collect();
    for part in rest.chunks(500) {
        writer.file(part, at(20)).unwrap();
    }
    println!("filed by 500: {:.0} a second", f64::from(STAYS - SINGLE) / begun.elapsed().as_secs_f64());
    drop(writer);

    let begun = Instant::now();
    let library = library(folder.path());
    println!(
        "read into the index: {:.2} s for {} stays",
        begun.elapsed().as_secs_f64(),
        library.shelf().stays
    );

    let begun = Instant::now();
    let mut found = 0;
    for n in 0..2000 {
        found +=
            library.page(&format!("acme:guest-{}", n % 1000), None, 20, ALL_OF_THEM).unwrap().stays.len();
    }
    let lists = begun.elapsed().as_secs_f64();
    println!("lists of 20 by guest: {:.0} a second ({found} stays)", 2000.0 / lists);

    let begun = Instant::now();
    for n in 0..5000 {
        assert_eq!(library.named("seaside", &format!("stay-{}", (n * 37) % STAYS)).unwrap().len(), 1);
    }
    println!("one by name: {:.0} a second", 5000.0 / begun.elapsed().as_secs_f64());
}
