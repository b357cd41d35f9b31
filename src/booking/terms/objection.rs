//! What can stand against a stay, each with what it takes to say it in any language.

use std::fmt;

use innkeeper_api::Reason;
use jiff::civil::Date;

use crate::currency::Currency;

/// What stands against a stay. Shown, it says what to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Objection {
    /// It ends before its first night is over.
    NoNights,
    /// It has more nights than a stay can have.
    TooLong {
        /// As many as it can have.
        most: i32,
    },
    /// It begins before today.
    InThePast {
        /// When it begins.
        check_in: Date,
        /// Today, at the Room.
        today: Date,
        /// Where the Room is.
        zone: String,
    },
    /// The Room is not being sold.
    SaleStopped,
    /// The Room is sold for more nights only.
    FewerNights {
        /// Fewest nights.
        min: i32,
        /// Nights of the stay.
        count: i32,
    },
    /// The Room is sold for fewer nights only.
    MoreNights {
        /// Most nights.
        max: i32,
        /// Nights of the stay.
        count: i32,
    },
    /// It begins too soon.
    TooSoon {
        /// Fewest days ahead.
        min: i32,
        /// Days until it begins.
        ahead: i32,
    },
    /// It begins too far ahead.
    TooFarAhead {
        /// Most days ahead.
        max: i32,
        /// Days until it begins.
        ahead: i32,
    },
    /// They do not fit.
    TooManyGuests {
        /// Who would come.
        guests: u64,
        /// The units asked for.
        units: u32,
        /// Who fits into them.
        places: u64,
    },
    /// The Room never has so many.
    TooManyUnits {
        /// The units asked for.
        wanted: u32,
        /// As many as it ever has.
        most: u32,
        /// Whether those that are overbooked are among them.
        overbooked: bool,
    },
    /// No single charge can be as large as its price.
    TooMuchForOneCharge,
    /// The price's limit is in another currency than the price.
    OtherCurrency {
        /// That of the limit.
        wanted: String,
        /// That of the price.
        sold_in: &'static str,
    },
    /// The price is above its limit.
    AboveMax {
        /// Of both.
        currency: Currency,
        /// The price, in minor units.
        total: i64,
        /// The limit, in minor units.
        max: i64,
    },
    /// Its dates are no instants of any calendar.
    OutOfTime,
}

impl Objection {
    /// The reason that `Accepted` gives.
    #[must_use]
    pub const fn reason(&self) -> Reason {
        match self {
            Self::SaleStopped => Reason::SaleStopped,
            Self::FewerNights { .. }
            | Self::MoreNights { .. }
            | Self::TooSoon { .. }
            | Self::TooFarAhead { .. }
            | Self::TooManyGuests { .. } => Reason::RestrictionViolated,
            Self::OtherCurrency { .. } | Self::AboveMax { .. } => Reason::PriceAboveMax,
            Self::NoNights
            | Self::TooLong { .. }
            | Self::InThePast { .. }
            | Self::TooManyUnits { .. }
            | Self::TooMuchForOneCharge
            | Self::OutOfTime => Reason::InvalidStay,
        }
    }
}

impl fmt::Display for Objection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoNights => f.write_str("checkOut must be after checkIn."),
            Self::TooLong { most } => {
                write!(f, "A stay has at most {most} nights; split it into several Reservations.")
            }
            Self::InThePast { check_in, today, zone } => {
                write!(f, "checkIn {check_in} is in the past: it is {today} at the Room ({zone}).")
            }
            Self::SaleStopped => f.write_str("The hotel has stopped selling this Room; choose another."),
            Self::FewerNights { min, count } => {
                write!(f, "This Room is sold for {min} nights or more; the stay has {count}.")
            }
            Self::MoreNights { max, count } => {
                write!(f, "This Room is sold for {max} nights at most; the stay has {count}.")
            }
            Self::TooSoon { min, ahead } => {
                write!(f, "This Room is sold {min} days ahead or more; arrival is in {ahead}.")
            }
            Self::TooFarAhead { max, ahead } => {
                write!(f, "This Room is sold at most {max} days ahead; arrival is in {ahead}.")
            }
            Self::TooManyGuests { guests, units, places } => {
                write!(f, "{guests} guests do not fit: {units} units take {places} at most.")
            }
            Self::TooManyUnits { wanted, most, overbooked } => {
                let more = if *overbooked { ", overbooking included" } else { "" };
                write!(f, "units {wanted} is more than the Room ever has ({most}{more}).")
            }
            Self::TooMuchForOneCharge => f.write_str(
                "The price is more than one charge can be; book fewer nights or units in one Reservation.",
            ),
            Self::OtherCurrency { wanted, sold_in } => {
                write!(f, "maxTotal is in {wanted}, and the Room is sold in {sold_in}.")
            }
            Self::AboveMax { currency, total, max } => {
                write!(f, "The price is {}, above maxTotal {}.", currency.show(*total), currency.show(*max))
            }
            Self::OutOfTime => f.write_str("The dates cannot be represented as instants."),
        }
    }
}
