//! Keeps the read model: one watch for each kind and namespace, for good.
//!
//! An object is cut down to what is read as it arrives. A list enters the model as a whole, at its end: what was there
//! stays until then, so that a watch that begins anew does not make anything look free or gone for a moment. Objects
//! that do not decode are left out and told of: one of them must not stop the others.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use futures::{StreamExt, TryStreamExt};
use innkeeper_api::{Reservation, Room, RoomCalendar};
use innkeeper_ops::metrics::Metrics;
use k8s_openapi::NamespaceResourceScope;
use kube::core::DeserializeGuard;
use kube::runtime::utils::Backoff;
use kube::runtime::watcher::Event;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;

use crate::model::views::{CalendarView, RoomView, StayView};
use crate::model::{Key, Listed, Model};
use crate::pulse::{Pulse, Pulses, felt};

/// The first and the longest wait between two attempts to watch. An API server that is back is to be seen soon.
const WAITS: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));

/// Waits twice as long each time.
struct Waits(Duration);

impl Iterator for Waits {
    type Item = Duration;
    fn next(&mut self) -> Option<Duration> {
        let wait = self.0;
        self.0 = (wait * 2).min(WAITS.1);
        Some(wait)
    }
}

impl Backoff for Waits {
    fn reset(&mut self) {
        self.0 = WAITS.0;
    }
}

/// A kind that is kept.
trait Kept: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + DeserializeOwned {
    type View;
    /// What of it waits until a list is whole.
    type Listed;
    fn view(self) -> Self::View;
    fn listed(view: Self::View) -> Self::Listed;
    fn put(model: &Model, key: &Key, view: Option<Self::View>);
    fn list(model: &Model, namespace: Option<&str>, all: Vec<(Key, Self::Listed)>);
    /// What stands for an object that cannot be read.
    fn unreadable() -> Option<Self::View> {
        None
    }
}

impl Kept for Room {
    type View = RoomView;
    type Listed = RoomView;
    fn view(self) -> RoomView {
        RoomView::of(self)
    }
    fn listed(view: RoomView) -> RoomView {
        view
    }
    fn put(model: &Model, key: &Key, view: Option<RoomView>) {
        model.put_room(&key.0, &key.1, view);
    }
    fn list(model: &Model, namespace: Option<&str>, all: Vec<(Key, RoomView)>) {
        model.list_rooms(namespace, all);
    }
}

impl Kept for RoomCalendar {
    type View = CalendarView;
    type Listed = CalendarView;
    fn view(self) -> CalendarView {
        CalendarView::of(&self)
    }
    fn listed(view: CalendarView) -> CalendarView {
        view
    }
    fn put(model: &Model, key: &Key, view: Option<CalendarView>) {
        model.put_calendar(&key.0, &key.1, view);
    }
    fn list(model: &Model, namespace: Option<&str>, all: Vec<(Key, CalendarView)>) {
        model.list_calendars(namespace, all);
    }
    /// Nothing is free in a month that cannot be read.
    fn unreadable() -> Option<CalendarView> {
        Some(CalendarView { room_uid: String::new(), nights: [].into() })
    }
}

impl Kept for Reservation {
    type View = StayView;
    type Listed = Listed;
    fn view(self) -> StayView {
        StayView::of(self)
    }
    fn listed(view: StayView) -> Listed {
        Listed::of(&view)
    }
    fn put(model: &Model, key: &Key, view: Option<StayView>) {
        model.put_stay(&key.0, &key.1, view.as_ref());
    }
    fn list(model: &Model, namespace: Option<&str>, all: Vec<(Key, Listed)>) {
        model.list_stays(namespace, all);
    }
}

/// Whose watches, and how long each is kept before it is begun anew.
pub(crate) struct Watches {
    pub(crate) client: Client,
    pub(crate) metrics: Metrics,
    pub(crate) namespaces: Vec<String>,
    pub(crate) watch_for: Duration,
}

impl Watches {
    /// Follows all three kinds in all namespaces, for good. The pulses are there before this is polled.
    pub(crate) fn follow(self, model: &Model, pulses: &Pulses) -> impl Future<Output = ()> + Send + use<> {
        let namespaces: Vec<Option<String>> = match self.namespaces.as_slice() {
            [] => vec![None],
            some => some.iter().cloned().map(Some).collect(),
        };
        let all = namespaces.into_iter().map(|namespace| {
            let rooms = self.one::<Room>(namespace.clone(), model, pulses);
            let calendars = self.one::<RoomCalendar>(namespace.clone(), model, pulses);
            let stays = self.one::<Reservation>(namespace, model, pulses);
            async move {
                tokio::join!(rooms, calendars, stays);
            }
        });
        let all = futures::future::join_all(all.collect::<Vec<_>>());
        async move { drop(all.await) }
    }

    fn one<K: Kept + Clone + Debug + Send + 'static>(
        &self,
        namespace: Option<String>,
        model: &Model,
        pulses: &Pulses,
    ) -> impl Future<Output = ()> + Send + use<K>
    where
        K::View: Send,
        K::Listed: Send,
    {
        let place = namespace.as_ref().map(|ns| format!(" in {ns}")).unwrap_or_default();
        let pulse = pulses.add(format!("{}{place}", K::plural(&())), Instant::now());
        let client = felt(&self.client, &self.metrics, &pulse);
        follow::<K>(client, namespace, model.clone(), pulse, self.watch_for)
    }
}

async fn follow<K: Kept + Clone + Debug + Send + 'static>(
    client: Client,
    namespace: Option<String>,
    model: Model,
    pulse: Pulse,
    watch_for: Duration,
) where
    K::View: Send,
    K::Listed: Send,
{
    let api: Api<DeserializeGuard<K>> = match &namespace {
        Some(namespace) => Api::namespaced(client, namespace),
        None => Api::all(client),
    };
    let kind = K::kind(&());
    let config = watcher::Config::default().timeout(u32::try_from(watch_for.as_secs()).unwrap_or(u32::MAX));
    let mut events = watcher(api, config).backoff(Waits(WAITS.0)).boxed();
    let mut listing = Vec::new();
    let mut failing = false;
    loop {
        let event = events.try_next().await;
        // Once for an outage, which may be long; probes and metrics say how long.
        match &event {
            Err(error) if !failing => tracing::warn!(%kind, %error, "the watch failed; it is begun again"),
            Err(error) => tracing::debug!(%kind, %error, "the watch failed again"),
            Ok(_) => {}
        }
        failing = event.is_err();
        match event {
            Ok(Some(Event::Apply(object))) => {
                let key = key_of(&object);
                K::put(&model, &key, read(object, &key, &kind));
            }
            Ok(Some(Event::Delete(object))) => K::put(&model, &key_of(&object), None),
            Ok(Some(Event::Init)) => listing = Vec::new(),
            Ok(Some(Event::InitApply(object))) => {
                let key = key_of(&object);
                if let Some(view) = read(object, &key, &kind) {
                    listing.push((key, K::listed(view)));
                }
            }
            Ok(Some(Event::InitDone)) => {
                K::list(&model, namespace.as_deref(), std::mem::take(&mut listing));
                pulse.listed(Instant::now());
            }
            Ok(None) => return,
            Err(_) => {}
        }
    }
}

fn key_of<K: Resource>(object: &K) -> Key {
    let meta = object.meta();
    (meta.namespace.clone().unwrap_or_default(), meta.name.clone().unwrap_or_default())
}

fn read<K: Kept>(object: DeserializeGuard<K>, key: &Key, kind: &str) -> Option<K::View> {
    match object.0 {
        Ok(object) => Some(object.view()),
        Err(error) => {
            let (namespace, name) = key;
            tracing::warn!(%kind, namespace, name, %error, "skipped: this version cannot read the object");
            K::unreadable()
        }
    }
}
