//! Who asks, what they may do, and whose Reservations are theirs.
//!
//! A Reservation belongs to whoever its `guestID` names. That of a guest who has signed in is an HMAC and has no colon;
//! that of a partner's guest is `<partner>:<guest>`, where the partner chooses the second part and never the first. So
//! no partner can name a guest of another, nor somebody who has signed in.

use std::fmt;
use std::net::IpAddr;

use innkeeper_api::Collect;
use serde::Deserialize;

/// What separates a partner from its guest.
const BETWEEN: char = ':';

/// Something that may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Look for rooms and ask for prices.
    Search,
    /// Book.
    Book,
    /// See one's own Reservations.
    Read,
    /// Cancel one's own Reservations.
    Cancel,
}

impl Scope {
    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Search => "search",
            Self::Book => "book",
            Self::Read => "read",
            Self::Cancel => "cancel",
        }
    }
}

/// A partner, as its file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Partner {
    /// Its name.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// The properties it may touch; nothing where it may touch all.
    pub properties: Option<Vec<String>>,
}

/// A guest who has signed in.
#[derive(Clone, PartialEq, Eq)]
pub struct Guest {
    /// Their `guestID`: made from what the issuer calls them, and saying nothing of it.
    pub id: String,
    /// How they are called, if the issuer says so. Only for them to see and to change, never for a log.
    pub name: Option<String>,
    /// Their e-mail address, likewise.
    pub email: Option<String>,
}

/// Without the name and the address.
impl fmt::Debug for Guest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guest").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// Somebody who does not say.
    Nobody {
        /// Whether they may look for rooms.
        may_search: bool,
    },
    /// A guest who has signed in, by the cookie of their session.
    Guest(Guest),
    /// A partner, which acts for its guests.
    Partner(Partner),
}

impl Identity {
    /// Whether they may do this at all.
    #[must_use]
    pub fn may(&self, scope: Scope) -> bool {
        match self {
            Self::Nobody { may_search } => *may_search && scope == Scope::Search,
            // Everything there is, with what is theirs.
            Self::Guest(_) => true,
            Self::Partner(partner) => partner.scopes.contains(&scope),
        }
    }

    /// Whether they may touch this property.
    #[must_use]
    pub fn may_touch(&self, property: &str) -> bool {
        match self {
            Self::Nobody { .. } | Self::Guest(_) => true,
            Self::Partner(partner) => {
                partner.properties.as_ref().is_none_or(|all| all.iter().any(|one| one == property))
            }
        }
    }

    /// Whether they may have it collected like this. Only who has a contract with the hotel books without paying here.
    #[must_use]
    pub const fn may_collect(&self, collect: Collect) -> bool {
        matches!(collect, Collect::Online) || matches!(self, Self::Partner(_))
    }

    /// The `guestID` of a guest they act for; nothing where they act for nobody. Guests act for themselves and need not
    /// say so.
    #[must_use]
    pub fn guest_id(&self, named: Option<&str>) -> Option<String> {
        match self {
            Self::Nobody { .. } => None,
            Self::Guest(guest) => named.is_none_or(|named| named == guest.id).then(|| guest.id.clone()),
            Self::Partner(partner) => Some(format!("{}{BETWEEN}{}", partner.name, named?)),
        }
    }

    /// In whose list their Reservations are, where they have any.
    #[must_use]
    pub fn owner(&self) -> Option<String> {
        match self {
            Self::Nobody { .. } => None,
            Self::Guest(guest) => Some(guest.id.clone()),
            Self::Partner(partner) => Some(format!("{}{BETWEEN}", partner.name)),
        }
    }

    /// Whether a Reservation of this property and this `guestID` is theirs.
    #[must_use]
    pub fn owns(&self, property: &str, guest_id: &str) -> bool {
        self.may_touch(property)
            && self.owner().is_some_and(|owner| owners(guest_id).any(|theirs| theirs == owner))
    }

    /// By whom requests are counted; nothing where only the address counts.
    #[must_use]
    pub fn counted_as(&self) -> Option<&str> {
        match self {
            Self::Nobody { .. } => None,
            Self::Guest(guest) => Some(&guest.id),
            Self::Partner(partner) => Some(&partner.name),
        }
    }
}

/// Those in whose lists a Reservation with this `guestID` is: the guest, and the partner that acts for them, which is
/// written with its colon, so that no guest is ever taken for a partner.
pub fn owners(guest_id: &str) -> impl Iterator<Item = &str> {
    let partner = guest_id.find(BETWEEN).map(|at| &guest_id[..=at]);
    std::iter::once(guest_id).chain(partner)
}

/// The guest's part of a `guestID`, as whoever acts for them named it.
#[must_use]
pub fn guest_of(guest_id: &str) -> &str {
    guest_id.split_once(BETWEEN).map_or(guest_id, |(_, guest)| guest)
}

/// The part of an address by which callers are told apart: whoever has one IPv6 address mostly has 64 bits of them.
#[must_use]
pub fn neighbourhood(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(six) => IpAddr::V6((six.to_bits() & !u128::from(u64::MAX)).into()),
        four @ IpAddr::V4(_) => four,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acme() -> Partner {
        let scopes = vec![Scope::Search, Scope::Read];
        Partner { name: "acme".into(), scopes, properties: Some(vec!["seaside".into()]) }
    }

    #[test]
    fn a_partner_has_its_own_guests_in_its_own_properties_and_nobody_elses() {
        let partner = Identity::Partner(acme());
        assert!(partner.owns("seaside", "acme:g-1"));
        for (property, guest) in
            [("annex", "acme:g-1"), ("seaside", "other:g-1"), ("seaside", "acme"), ("seaside", "acmex:g-1")]
        {
            assert!(!partner.owns(property, guest), "{property} {guest}");
        }
        // What a partner names never gets out of its own part.
        assert_eq!(partner.guest_id(Some("other:g-1")).unwrap(), "acme:other:g-1");
        assert!(Identity::Partner(acme()).owns("seaside", "acme:other:g-1"));
        assert!(!Identity::Nobody { may_search: true }.owns("seaside", "acme:g-1"));
    }

    #[test]
    fn a_guest_has_what_bears_their_id_and_nothing_else() {
        let id = "guest-00112233445566778899aabbccddeeff";
        let guest =
            Guest { id: id.into(), name: Some("Anna".into()), email: Some("anna@example.com".into()) };
        let said = format!("{guest:?}");
        assert!(said.contains(id) && !said.to_lowercase().contains("anna"), "{said}");
        let guest = Identity::Guest(guest);
        assert!(guest.owns("seaside", id) && guest.owns("annex", id));
        for other in
            ["guest-ffeeddccbbaa99887766554433221100", "acme:guest-1", &format!("acme:{id}"), "", "guest-"]
        {
            assert!(!guest.owns("seaside", other), "{other}");
        }
        assert!(
            [Scope::Search, Scope::Book, Scope::Read, Scope::Cancel].iter().all(|scope| guest.may(*scope))
        );
        assert!(guest.may_collect(Collect::Online));
        assert!(!guest.may_collect(Collect::AtProperty) && !guest.may_collect(Collect::External));
        assert_eq!(guest.guest_id(None).as_deref(), Some(id));
        assert_eq!(guest.guest_id(Some("anna")), None, "nobody books for another");
        assert!(!Identity::Partner(acme()).owns("seaside", id));
    }

    #[test]
    fn what_a_partner_may_is_what_its_file_says() {
        let partner = Identity::Partner(acme());
        assert!(partner.may(Scope::Search) && partner.may(Scope::Read));
        assert!(!partner.may(Scope::Book) && !partner.may(Scope::Cancel));
        let nobody = Identity::Nobody { may_search: true };
        assert!(nobody.may(Scope::Search) && !nobody.may(Scope::Read));
        assert!(!Identity::Nobody { may_search: false }.may(Scope::Search));
        assert!(!nobody.may_collect(Collect::External) && partner.may_collect(Collect::External));
    }

    #[test]
    fn the_hosts_of_one_ipv6_network_count_as_one() {
        let of = |text: &str| neighbourhood(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2:3::4"), of("2001:db8:1:2:ffff::1"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("::ffff:192.0.2.1"), of("192.0.2.1"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }
}
