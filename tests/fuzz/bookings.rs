//! Files of bookings: `innkeeper import`.

use innkeeper_import::rows::parse;

/// Whatever a row says, it is a booking whose object the API server can be asked for, or says why it is none.
pub fn bookings(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let rows = match parse(text) {
        Ok(rows) => rows,
        Err(why) => return assert!(!why.to_string().is_empty()),
    };
    for row in rows {
        assert!(!row.name().contains('\n'), "{:?} is not one line", row.name());
        match row.booking {
            Ok(booking) => {
                let name = booking.object_name();
                let fits = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
                assert!(name.len() <= 63 && name.bytes().all(fits), "{name:?} is no name of an object");
                assert!(!name.starts_with('-') && !name.ends_with('-'), "{name:?} is no name of an object");
                assert_eq!(name, booking.object_name(), "the same booking has the same name");
                assert!(serde_json::to_string(&booking.reservation()).is_ok());
            }
            Err(why) => assert!(!why.is_empty(), "line {} does not say what is wrong", row.line),
        }
    }
}
