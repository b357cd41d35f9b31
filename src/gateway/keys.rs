//! Names and numbers that are computed, so that every replica comes to the same: a Reservation's name from its guest and
//! the key of the request, and what its terms come to.

use aws_lc_rs::digest::{SHA256, digest};
use innkeeper_api::ReservationSpec;
use uuid::Uuid;

/// What names of Reservations are made in. Never to change: the same key would book twice.
const NAMES: Uuid = Uuid::from_u128(0x5d0c_3a52_9f5e_4f0b_8f43_1e0d_6a51_c7b2);

/// The name of the Reservation that this guest asks for with this key. The same in every replica, now and later.
#[must_use]
pub fn name_for(namespace: &str, guest_id: &str, key: &str) -> String {
    // None of the three can have a line break in it, so no two of them run into one.
    Uuid::new_v5(&NAMES, format!("{namespace}\n{guest_id}\n{key}").as_bytes()).to_string()
}

/// What a stay's terms come to: everything but what may still change.
#[must_use]
pub fn terms_of(spec: &ReservationSpec) -> [u8; 16] {
    let terms = ReservationSpec { state: None, ttl_after_finished: None, ..spec.clone() };
    // Plain fields, always in the order of the type.
    let text = serde_json::to_vec(&terms).unwrap_or_default();
    let mut short = [0; 16];
    short.copy_from_slice(&digest(&SHA256, &text).as_ref()[..16]);
    short
}

#[cfg(test)]
mod tests {
    use innkeeper_api::{Collect, Guests, Payment, WantedState};
    use jiff::civil::date;

    use super::*;

    fn stay() -> ReservationSpec {
        ReservationSpec {
            room_name: "double".into(),
            check_in: date(2030, 7, 1),
            check_out: date(2030, 7, 3),
            units: 1,
            guest_id: "g-1".into(),
            guests: Guests::default(),
            payment: Payment {
                collect: Collect::Online,
                method: Some("pm_card_visa".into()),
                reference: None,
            },
            max_total: None,
            state: None,
            ttl_after_finished: None,
        }
    }

    #[test]
    fn a_name_is_the_same_for_good_and_another_for_every_other_guest_key_and_property() {
        let name = name_for("seaside", "g-1", "k-1");
        assert_eq!(name, "17f8b46b-74ee-55e3-9e59-312ed3baf470");
        for (namespace, guest, key) in
            [("annex", "g-1", "k-1"), ("seaside", "g-2", "k-1"), ("seaside", "g-1", "k-2")]
        {
            assert_ne!(name_for(namespace, guest, key), name);
        }
    }

    #[test]
    fn terms_are_everything_but_what_may_change() {
        let terms = terms_of(&stay());
        assert_eq!(terms_of(&ReservationSpec { state: Some(WantedState::Cancelled), ..stay() }), terms);
        let mut other = stay();
        other.payment.method = Some("pm_card_mastercard".into());
        assert_ne!(terms_of(&other), terms);
        assert_ne!(terms_of(&ReservationSpec { units: 2, ..stay() }), terms);
    }
}
