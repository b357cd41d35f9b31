//! The rows of a file of bookings.

use std::fmt;

use innkeeper_api::{Collect, Guests, Payment, Reservation, ReservationSpec};
use jiff::civil::Date;

/// The most characters of a reference that are seen in a name.
const SEEN: usize = 40;

/// One row: where it stands, and what it says, or why it cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its line in the file, counted from 1.
    pub line: u64,
    /// Its reference as written; empty where it has none.
    pub reference: String,
    /// What it says.
    pub booking: Result<Booking, String>,
}

impl Row {
    /// What it is called in a report, on one line.
    #[must_use]
    pub fn name(&self) -> String {
        if self.reference.is_empty() {
            return "unreadable".to_owned();
        }
        self.reference.replace(char::is_control, " ")
    }
}

/// A booking as another system has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Booking {
    /// How the other system knows it.
    pub reference: String,
    /// The Room's name.
    pub room: String,
    /// First night.
    pub check_in: Date,
    /// First day that is no night of it.
    pub check_out: Date,
    /// Whose it is.
    pub guest_id: String,
    /// Units in every night.
    pub units: Option<u32>,
    /// Adults.
    pub adults: Option<u32>,
    /// Children.
    pub children: Option<u32>,
    /// Who collects.
    pub collect: Collect,
}

/// Why a file is none of bookings.
#[derive(Debug, PartialEq, Eq)]
pub struct NotBookings(String);

impl fmt::Display for NotBookings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

const NEEDED: [&str; 5] = ["reference", "room", "checkIn", "checkOut", "guestID"];
const ALLOWED: [&str; 4] = ["units", "adults", "children", "collect"];

/// Reads a file: a header, and a row for each booking. A row that cannot be read is one that does not fit; a header that
/// is wrong is an error.
pub fn parse(text: &str) -> Result<Vec<Row>, NotBookings> {
    // Spreadsheets put a mark before the first character.
    let text = text.trim_start_matches('\u{feff}');
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let header =
        reader.headers().map_err(|e| NotBookings(format!("the header cannot be read: {e}")))?.clone();
    for column in NEEDED {
        if !header.iter().any(|found| found == column) {
            return Err(NotBookings(format!(
                "the header has no column `{column}`; it needs {}, and may have {}",
                NEEDED.join(", "),
                ALLOWED.join(", ")
            )));
        }
    }
    for (at, column) in header.iter().enumerate() {
        if !NEEDED.contains(&column) && !ALLOWED.contains(&column) {
            let may = [&NEEDED[..], &ALLOWED[..]].concat().join(", ");
            return Err(NotBookings(format!("the header has the column `{column}`; there may be {may}")));
        }
        if header.iter().take(at).any(|before| before == column) {
            return Err(NotBookings(format!("the header has the column `{column}` twice")));
        }
    }
    let mut rows = Vec::new();
    for record in reader.records() {
        let line = |position: Option<&csv::Position>| position.map_or(0, csv::Position::line);
        rows.push(match record {
            Ok(record) => Row {
                line: line(record.position()),
                reference: value(&record, &header, "reference").to_owned(),
                booking: booking(&record, &header),
            },
            Err(error) => Row {
                line: line(error.position()),
                reference: String::new(),
                booking: Err(unreadable(&error)),
            },
        });
    }
    Ok(rows)
}

fn value<'a>(record: &'a csv::StringRecord, header: &csv::StringRecord, column: &str) -> &'a str {
    let at = header.iter().position(|found| found == column);
    at.and_then(|at| record.get(at)).unwrap_or_default()
}

fn booking(record: &csv::StringRecord, header: &csv::StringRecord) -> Result<Booking, String> {
    let value = |column: &str| value(record, header, column);
    let text = |column: &str| match value(column) {
        "" => Err(format!("{column} is empty")),
        text => Ok(text.to_owned()),
    };
    let date = |column: &str| {
        let wrong = || format!("{column} is `{}`; write a date such as 2026-12-24", value(column));
        // jiff would take a date and time too, and drop the time.
        let read = value(column).parse::<Date>().ok().filter(|date| date.to_string() == value(column));
        read.ok_or_else(wrong)
    };
    let number = |column: &str| match value(column) {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|_| format!("{column} is `{text}`; write a whole number")),
    };
    Ok(Booking {
        reference: text("reference")?,
        room: text("room")?,
        check_in: date("checkIn")?,
        check_out: date("checkOut")?,
        guest_id: text("guestID")?,
        units: number("units")?,
        adults: number("adults")?,
        children: number("children")?,
        collect: match value("collect") {
            "" | "External" => Collect::External,
            "AtProperty" => Collect::AtProperty,
            other => {
                return Err(format!(
                    "collect is `{other}`; write External or AtProperty: what is brought in is not charged here"
                ));
            }
        },
    })
}

fn unreadable(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!("it has {len} columns, and the header has {expected_len}")
        }
        _ => error.to_string(),
    }
}

impl Booking {
    /// The same reference always gives the same name, so that a booking is brought in once.
    #[must_use]
    pub fn object_name(&self) -> String {
        let mut name = String::new();
        for c in self.reference.chars().take(SEEN) {
            match c.to_ascii_lowercase() {
                c @ ('a'..='z' | '0'..='9') => name.push(c),
                _ if name.is_empty() || name.ends_with('-') => {}
                _ => name.push('-'),
            }
        }
        // What is not seen in the name tells references apart all the same.
        let id =
            uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, self.reference.as_bytes()).simple().to_string();
        let name = name.trim_end_matches('-');
        if name.is_empty() { format!("import-{}", &id[..12]) } else { format!("import-{name}-{}", &id[..12]) }
    }

    /// The Reservation for it.
    #[must_use]
    pub fn reservation(&self) -> Reservation {
        let spec = ReservationSpec {
            room_name: self.room.clone(),
            check_in: self.check_in,
            check_out: self.check_out,
            units: self.units.unwrap_or(1),
            guest_id: self.guest_id.clone(),
            guests: Guests { adults: self.adults.unwrap_or(1), children: self.children.unwrap_or(0) },
            payment: Payment { collect: self.collect, method: None, reference: Some(self.reference.clone()) },
            max_total: None,
            state: None,
            ttl_after_finished: None,
        };
        Reservation::new(&self.object_name(), spec)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "reference,room,checkIn,checkOut,guestID,units,collect\n";

    fn only(row: &str) -> Result<Booking, String> {
        let mut rows = parse(&format!("{HEADER}{row}\n")).unwrap();
        assert_eq!(rows.len(), 1);
        rows.remove(0).booking
    }

    #[test]
    fn a_row_is_a_booking_and_what_it_leaves_out_has_its_default() {
        let booking = only("BK-1, double, 2030-07-01, 2030-07-03, g-1, ,").unwrap();
        let spec = booking.reservation().spec;
        assert_eq!((spec.units, spec.guests), (1, Guests { adults: 1, children: 0 }));
        assert_eq!((spec.payment.collect, spec.payment.method), (Collect::External, None));
        assert_eq!(spec.payment.reference.as_deref(), Some("BK-1"));
        assert_eq!(
            (spec.check_in.to_string(), spec.check_out.to_string()),
            ("2030-07-01".into(), "2030-07-03".into())
        );
    }

    #[test]
    fn a_row_that_cannot_be_read_says_what_to_write_and_spoils_no_other() {
        for (row, said) in [
            ("BK-1,double,July,2030-07-03,g-1,1,", "checkIn is `July`; write a date such as 2026-12-24"),
            ("BK-1,double,2030-07-01T10:00,2030-07-03,g-1,1,", "checkIn is `2030-07-01T10:00`; write a date"),
            ("BK-1,double,2030-02-30,2030-07-03,g-1,1,", "checkIn is `2030-02-30`; write a date"),
            ("BK-1,double,2030-07-01,2030-07-03,g-1,two,", "units is `two`; write a whole number"),
            ("BK-1,double,2030-07-01,2030-07-03,g-1,-1,", "units is `-1`; write a whole number"),
            (
                "BK-1,double,2030-07-01,2030-07-03,g-1,1,Cash",
                "collect is `Cash`; write External or AtProperty",
            ),
            ("BK-1,double,2030-07-01,2030-07-03,g-1,1,Online", "not charged here"),
            (",double,2030-07-01,2030-07-03,g-1,1,", "reference is empty"),
            ("BK-1,double,2030-07-01,2030-07-03", "it has 4 columns, and the header has 7"),
        ] {
            let text = format!("{HEADER}{row}\nBK-2,double,2030-07-01,2030-07-03,g-1,1,\n");
            let rows = parse(&text).unwrap();
            assert_eq!(rows.iter().map(|row| row.line).collect::<Vec<_>>(), [2, 3], "{row}");
            let why = rows[0].booking.as_ref().unwrap_err();
            assert!(why.contains(said), "{row}: {why}");
            let named = row.starts_with("BK-1") && !said.contains("columns");
            assert_eq!(rows[0].name(), if named { "BK-1" } else { "unreadable" });
            assert!(rows[1].booking.is_ok(), "{row}");
        }
    }

    #[test]
    fn a_row_is_named_on_one_line() {
        let rows = parse(&format!("{HEADER}\"BK\n1\",double,2030-07-01,2030-07-03,g-1,1,\n")).unwrap();
        assert_eq!(rows[0].name(), "BK 1");
    }

    #[test]
    fn a_wrong_header_is_an_error_that_names_the_column() {
        for (header, said) in [
            ("reference,room,checkIn,checkOut", "no column `guestID`"),
            ("reference,room,checkIn,checkOut,guestID,nights", "the column `nights`"),
            ("reference,room,room,checkIn,checkOut,guestID", "the column `room` twice"),
            ("", "no column `reference`"),
        ] {
            let error = parse(header).unwrap_err().to_string();
            assert!(error.contains(said), "{header}: {error}");
        }
        let marked = format!("\u{feff}{HEADER}BK-1,double,2030-07-01,2030-07-03,g-1,1,\n");
        assert!(parse(&marked).unwrap()[0].booking.is_ok(), "as spreadsheets write it");
    }

    #[test]
    fn names_are_objects_names_and_differ_where_references_do() {
        let name = |reference: &str| {
            Booking {
                reference: reference.to_owned(),
                ..only("x,double,2030-07-01,2030-07-03,g-1,1,").unwrap()
            }
            .object_name()
        };
        let long = "R".repeat(200);
        let references = ["BK-1", "bk-1", "BK 1", "BK_1", "예약", "-", &long, "a.b", "일"];
        let names: std::collections::BTreeSet<_> = references.iter().map(|r| name(r)).collect();
        assert_eq!(names.len(), references.len());
        for name in &names {
            let plain = name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
            assert!(plain && name.len() <= 63 && !name.ends_with('-'), "{name}");
        }
        assert_eq!(name("BK-1"), name("BK-1"));
    }
}
