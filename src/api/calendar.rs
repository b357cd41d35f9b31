//! `RoomCalendar`: one Room, one month. For every night its capacity and who holds it.
//!
//! Written by the operator alone. Its rules are what makes overselling impossible to store: they judge every write
//! by what was there before, whoever writes and whatever they believe.

use jiff::civil::Date;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

/// Label of a calendar: the UID of the Room it is for. For people and selectors; the field decides.
pub const UID_LABEL: &str = "innkeeper.dev/room-uid";

/// One Room's month: for every night, how many units may be sold and which Reservations hold them.
#[allow(clippy::duplicated_attributes, reason = "columns repeat their parts")]
#[derive(CustomResource, KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[kube(
    group = "innkeeper.dev",
    version = "v1alpha1",
    kind = "RoomCalendar",
    plural = "roomcalendars",
    root = "RoomCalendar",
    no_spec,
    namespaced,
    derive = "PartialEq",
    shortname = "rcal",
    category = "hotel",
    doc = "One Room's month: for every night, how many units may be sold and which Reservations hold them. Written by Innkeeper alone.",
    printcolumn(name = "Room", type_ = "string", json_path = ".roomName"),
    printcolumn(name = "Month", type_ = "string", json_path = ".month"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    selectable = ".roomName",
    validation = Rule::new("self.roomUID == oldSelf.roomUID").message("roomUID is immutable: a calendar belongs to one Room for good").field_path(".roomUID"),
    validation = Rule::new("self.roomName == oldSelf.roomName && self.month == oldSelf.month").message("roomName and month are immutable"),
    validation = Rule::new("self.metadata.name == self.roomName + '-' + self.month").message("a calendar is named <room>-<month>"),
    validation = Rule::new("oldSelf.nights.all(o, self.nights.exists(n, n.date == o.date))").message("a night is never dropped from a calendar: empty its holders instead")
)]
#[serde(rename_all = "camelCase")]
pub struct RoomCalendarFields {
    /// The Room's name.
    #[schemars(length(min = 1, max = 55))]
    pub room_name: String,
    /// The Room's UID: a Room made anew under the same name has another, and takes no nights here.
    #[serde(rename = "roomUID")]
    #[schemars(length(min = 1, max = 36))]
    pub room_uid: String,
    /// The month, as `2026-11`.
    #[schemars(length(max = 7), regex(pattern = r"^[0-9]{4}-(0[1-9]|1[0-2])$"))]
    pub month: String,
    /// Its nights.
    #[schemars(length(max = 31), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["date"]))]
    pub nights: Vec<Night>,
}

/// One night of one Room.
#[derive(KubeSchema, Serialize, Deserialize, Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.holders) || size(self.holders) <= self.capacity || (oldSelf.hasValue() && has(oldSelf.value().holders) && self.holders.all(h, h in oldSelf.value().holders))")
        .message("oversold: more holders than capacity, and not all of them were there before; release a unit first").optional_old_self(true),
    validation = Rule::new("!has(self.holders) || self.holders.all(i, v, i == 0 || self.holders[i-1] < v)")
        .message("holders must be in ascending order, each once"),
    validation = Rule::new("self.roomGeneration >= oldSelf.roomGeneration && (self.capacity == oldSelf.capacity || self.roomGeneration > oldSelf.roomGeneration)")
        .message("capacity changes only with a newer generation of the Room, and that generation never falls: read the Room again")
)]
pub struct Night {
    /// The night, by the day on which it begins.
    pub date: Date,
    /// Units that may be sold.
    #[schemars(range(min = 0, max = 200))]
    pub capacity: u32,
    /// Generation of the Room that the capacity was computed from; 0 for a calendar being rebuilt.
    #[schemars(range(min = 0))]
    pub room_generation: i64,
    /// Reservation UIDs that hold a unit, ascending: `<uid>`, and `<uid>/2` and so on for more units.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 200), inner(length(min = 1, max = 40)), extend("x-kubernetes-list-type" = "atomic"))]
    pub holders: Vec<String>,
}

/// The entries that `units` units of a Reservation take in a night.
pub fn holder_entries(uid: &str, units: u32) -> impl Iterator<Item = String> + '_ {
    (1..=units).map(move |n| if n == 1 { uid.to_owned() } else { format!("{uid}/{n}") })
}

/// The Reservation that an entry belongs to.
#[must_use]
pub fn uid_of_holder(entry: &str) -> &str {
    entry.split_once('/').map_or(entry, |(uid, _)| uid)
}

impl Night {
    /// How many entries a Reservation has in this night.
    #[must_use]
    pub fn held_by(&self, uid: &str) -> u32 {
        let count = self.holders.iter().filter(|h| uid_of_holder(h) == uid).count();
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// Entries taken.
    #[must_use]
    pub fn sold(&self) -> u32 {
        u32::try_from(self.holders.len()).unwrap_or(u32::MAX)
    }

    /// Units still to be had; 0 where more are sold than there are.
    #[must_use]
    pub fn free(&self) -> u32 {
        self.capacity.saturating_sub(self.sold())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_several_units_name_their_reservation() {
        let entries: Vec<String> = holder_entries("u1", 3).collect();
        assert_eq!(entries, ["u1", "u1/2", "u1/3"]);
        assert!(entries.iter().all(|e| uid_of_holder(e) == "u1"));
    }
}
