//! How it ended, to be compared with a run in which nothing went wrong (I15).

use std::collections::{BTreeMap, BTreeSet};

use innkeeper_api::uid_of_holder;
use innkeeper_checker::kept;
use innkeeper_payments::sandbox::IntentStatus;
use kube::ResourceExt;
use kube::api::ListParams;

use super::workload::{Stage, Workload};
use crate::support::checker::claimed;
use crate::support::history::History;

/// An end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// By guest: what became of the stay, what is kept of the money, how many nights are held, and what the provider has
    /// in its books.
    guests: BTreeMap<String, String>,
    /// Objects made.
    created: BTreeMap<String, usize>,
    /// Objects that are gone.
    deleted: BTreeMap<String, usize>,
}

impl End {
    /// As it is now.
    pub async fn of(stage: &Stage, history: &History) -> Self {
        let hotel = &stage.hotel;
        let reservations = hotel.reservations().list(&ListParams::default()).await.unwrap().items;
        let calendars = hotel.calendars().list(&ListParams::default()).await.unwrap().items;
        let holders = hotel.holders().await;
        let mut guests = BTreeMap::new();
        for reservation in &reservations {
            let uid = reservation.uid().unwrap();
            let nights = holders.iter().filter(|(_, holder)| uid_of_holder(holder) == uid).count();
            let outcome = claimed(reservation).map_or("nothing".to_owned(), |reason| reason.to_string());
            guests.insert(reservation.name_any(), format!("{outcome}, {nights} nights"));
        }
        for account in hotel.accounts().await {
            let name = account.intent.metadata["innkeeper_name"].clone();
            let guest = guests.entry(name).or_insert_with(|| "gone".to_owned());
            let refunds: Vec<_> = account.refunds.iter().map(|r| (r.amount, r.status)).collect();
            let (status, kept) = (account.intent.status, kept(&account));
            *guest = format!("{guest}; {status:?}, {kept} kept, refunds {refunds:?}");
        }
        history.caught_up().await;
        let there: BTreeSet<String> = reservations
            .iter()
            .filter_map(ResourceExt::uid)
            .chain(calendars.iter().filter_map(ResourceExt::uid))
            .collect();
        let (mut created, mut deleted) = (BTreeMap::new(), BTreeMap::new());
        for (uid, kind) in history.objects() {
            *created.entry(kind.clone()).or_default() += 1;
            if !there.contains(&uid) {
                *deleted.entry(kind).or_default() += 1;
            }
        }
        Self { guests, created, deleted }
    }

    /// The same, where the charge of a hold came after all, before the fence: then it is booked, however late.
    pub fn with_a_charge_before_the_fence(&self) -> Self {
        let mut end = self.clone();
        let booked = format!("Confirmed, 2 nights; {:?}, 24000 kept, refunds []", IntentStatus::Succeeded);
        end.guests.insert("ann".to_owned(), booked);
        end
    }

    /// What is neither as in the run without faults nor a listed legal alternative to it.
    pub fn differs(&self, workload: Workload, clean: &Self) -> Option<String> {
        let (mut own, mut clean) = (self.clone(), clean.clone());
        if workload == Workload::FiledAway {
            // A month that is past goes when somebody looks at it: before or after.
            for end in [&mut own, &mut clean] {
                end.deleted.remove("RoomCalendar");
            }
        }
        if workload == Workload::PendingThenCancelled {
            // Who sees the money before the guest's word takes nights for it, and gives them back. The calendar stays.
            for end in [&mut own, &mut clean] {
                end.created.remove("RoomCalendar");
            }
        }
        let mut legal = vec![clean.clone()];
        if let Some((one, other)) = workload.equals() {
            let mut swapped = clean.clone();
            let (a, b) = (swapped.guests.remove(one), swapped.guests.remove(other));
            swapped.guests.extend(b.map(|b| (one.to_owned(), b)));
            swapped.guests.extend(a.map(|a| (other.to_owned(), a)));
            legal.push(swapped);
        }
        (!legal.contains(&own))
            .then(|| format!("I15: it ended as {self:#?}, and without faults as {clean:#?}"))
    }
}
