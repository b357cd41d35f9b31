//! Every version of every Reservation and calendar of a hotel, and what must hold from one to the next.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures::StreamExt;
use innkeeper_api::{Reservation, RoomCalendar, uid_of_holder};
use kube::api::{ApiResource, DynamicObject, ListParams, WatchEvent, WatchParams};
use kube::{Api, ResourceExt};
use serde_json::Value;
use tokio::task::JoinHandle;

use super::PATIENCE;
use super::hotel::Hotel;

/// Records versions until it is checked.
pub struct History {
    apis: [Api<DynamicObject>; 2],
    /// What was there before the recording began, by `resourceVersion`.
    before: BTreeSet<String>,
    seen: Arc<Mutex<Vec<DynamicObject>>>,
    tasks: Vec<JoinHandle<()>>,
}

impl History {
    /// Begins with what comes after now.
    pub async fn of(hotel: &Hotel) -> Self {
        let api = |resource: &ApiResource| {
            Api::<DynamicObject>::namespaced_with(hotel.client.clone(), &hotel.namespace, resource)
        };
        let apis =
            [api(&ApiResource::erase::<Reservation>(&())), api(&ApiResource::erase::<RoomCalendar>(&()))];
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (mut tasks, mut before) = (Vec::new(), BTreeSet::new());
        for api in &apis {
            let there = api.list(&ListParams::default()).await.unwrap();
            before.extend(there.iter().filter_map(ResourceExt::resource_version));
            let from = there.metadata.resource_version.unwrap();
            let (api, seen) = (api.clone(), Arc::clone(&seen));
            tasks.push(tokio::spawn(record(api, from, seen)));
        }
        Self { apis, before, seen, tasks }
    }

    /// How many versions of this object there have been.
    pub fn versions(&self, uid: &str) -> usize {
        let seen = self.seen.lock().unwrap();
        let versions = seen.iter().filter(|o| o.metadata.uid.as_deref() == Some(uid));
        versions.map(ResourceExt::resource_version).collect::<BTreeSet<_>>().len()
    }

    /// Every object there has been: its UID and its kind.
    pub fn objects(&self) -> BTreeMap<String, String> {
        let seen = self.seen.lock().unwrap();
        let kind =
            |o: &DynamicObject| if o.data.get("nights").is_some() { "RoomCalendar" } else { "Reservation" };
        seen.iter().map(|o| (o.uid().unwrap(), kind(o).to_owned())).collect()
    }

    /// The resourceVersions of all that has happened, in order.
    pub fn moments(&self) -> Vec<u64> {
        let seen = self.seen.lock().unwrap();
        let versions: BTreeSet<u64> =
            seen.iter().filter_map(|o| o.resource_version()?.parse().ok()).collect();
        versions.into_iter().collect()
    }

    /// Waits until everything that is there now has been recorded.
    pub async fn caught_up(&self) {
        let begun = Instant::now();
        for api in &self.apis {
            for object in api.list(&ListParams::default()).await.unwrap() {
                if object.resource_version().is_some_and(|version| self.before.contains(&version)) {
                    continue;
                }
                let known = || {
                    let seen = self.seen.lock().unwrap();
                    seen.iter().any(|o| o.resource_version() == object.resource_version())
                };
                while !known() {
                    assert!(begun.elapsed() < PATIENCE, "the watch does not bring {}", object.name_any());
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            }
        }
    }

    /// Fails with everything that was wrong in any version: I2, I7, I9.
    pub async fn check(self) {
        self.caught_up().await;
        let seen = self.seen.lock().unwrap();
        let mut by_uid: BTreeMap<String, Vec<&DynamicObject>> = BTreeMap::new();
        for object in seen.iter() {
            by_uid.entry(object.uid().unwrap()).or_default().push(object);
        }
        let mut broken = Vec::new();
        for versions in by_uid.values() {
            if versions[0].data.get("nights").is_some() {
                calendar(versions, &by_uid, &mut broken);
            } else {
                reservation(versions, &mut broken);
            }
        }
        assert!(broken.is_empty(), "over {} versions: {broken:#?}", seen.len());
    }
}

impl Drop for History {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// Records every version after this one. The API server may end a watch at any time; it is gone on with where it ended.
async fn record(api: Api<DynamicObject>, mut from: String, seen: Arc<Mutex<Vec<DynamicObject>>>) {
    let params = WatchParams::default().timeout(290);
    loop {
        // The pause is where this task ends with its runtime: the client's own task may have ended before it, and then
        // every call fails at once and nothing here would ever wait.
        tokio::time::sleep(Duration::from_millis(5)).await;
        let Ok(events) = api.watch(&params, &from).await else { continue };
        let mut events = events.boxed();
        while let Some(Ok(event)) = events.next().await {
            match event {
                WatchEvent::Added(object) | WatchEvent::Modified(object) | WatchEvent::Deleted(object) => {
                    from = object.resource_version().unwrap();
                    seen.lock().unwrap().push(object);
                }
                WatchEvent::Bookmark(mark) => from = mark.metadata.resource_version,
                WatchEvent::Error(error) => panic!("versions are lost: {error:?}"),
            }
        }
    }
}

/// Never above capacity, unless nobody came; and whoever holds a night asked for it, here.
fn calendar(
    versions: &[&DynamicObject],
    by_uid: &BTreeMap<String, Vec<&DynamicObject>>,
    broken: &mut Vec<String>,
) {
    let mut before: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for version in versions {
        let calendar: RoomCalendar = serde_json::from_value(serde_json::to_value(version).unwrap()).unwrap();
        let name = calendar.name_any();
        for night in &calendar.spec.nights {
            let date = night.date.to_string();
            let now: BTreeSet<String> = night.holders.iter().cloned().collect();
            let was = before.insert(date.clone(), now.clone()).unwrap_or_default();
            if now.len() > night.capacity as usize && !now.is_subset(&was) {
                broken.push(format!("I2: {name} {date} took {now:?} with room for {}", night.capacity));
            }
            for uid in now.difference(&was).map(|h| uid_of_holder(h)) {
                // One that was there before the recording began is known by its calendar alone.
                let Some(asked) = by_uid.get(uid).map(|v| &v[0].data["spec"]) else { continue };
                let within = asked["checkIn"].as_str() <= Some(&date)
                    && Some(date.as_str()) < asked["checkOut"].as_str();
                if !within || asked["roomName"] != calendar.spec.room_name.as_str() {
                    broken.push(format!("I9: {uid} holds {name} {date}, and asked for {asked}"));
                }
            }
        }
    }
}

/// A settled outcome is never left, except confirmed to cancelled or withdrawn; what was agreed never changes.
fn reservation(versions: &[&DynamicObject], broken: &mut Vec<String>) {
    let name = versions[0].name_any();
    let terms = |o: &DynamicObject| {
        let mut spec = o.data["spec"].clone();
        if let Value::Object(spec) = &mut spec {
            spec.remove("state");
            spec.remove("ttlAfterFinished");
        }
        spec
    };
    for pair in versions.windows(2) {
        let (was, is) = (settled(pair[0]), settled(pair[1]));
        let may = match was.as_str() {
            "" | "InProgress" => true,
            "Confirmed" => ["Confirmed", "Cancelling", "Withdrawing"].contains(&is.as_str()),
            "Rejecting" => ["Rejecting", "Rejected"].contains(&is.as_str()),
            "Cancelling" => ["Cancelling", "Cancelled"].contains(&is.as_str()),
            "Withdrawing" => ["Withdrawing", "Withdrawn"].contains(&is.as_str()),
            ended => ended == is,
        };
        if !may {
            broken.push(format!("I7: {name} went from {was} to {is}"));
        }
        let quote = |o: &DynamicObject| o.data["status"]["quote"].clone();
        if !quote(pair[0]).is_null() && quote(pair[0]) != quote(pair[1]) {
            broken.push(format!("I7: the quote of {name} changed"));
        }
        if terms(pair[0]) != terms(pair[1]) {
            broken.push(format!("I7: the terms of {name} changed"));
        }
    }
}

fn settled(object: &DynamicObject) -> String {
    let conditions = object.data["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let settled = conditions.iter().find(|c| c["type"] == "Settled");
    settled.and_then(|c| c["reason"].as_str()).unwrap_or_default().to_owned()
}
