//! Whose name has money of another object: asked before every first charge, and answered from memory almost always.
//!
//! An object that was deleted by force and made anew, or restored from a backup, has a new UID. Whether the provider
//! holds money of an object that had its name before, only the provider knows; asking it before every charge would
//! double the calls of a booking. So its list is read once, when this process first wants to charge, and kept current
//! from then on by the watch: whatever goes while its money may be there leaves its name here. A name that is here may
//! be in the way, and then the provider is asked; a name that is not, cannot. What may have come and gone unseen, while
//! a watch was begun anew, is read from the provider's list again, as far back as that may have been.
//!
//! Nothing is decided here: what is found goes to the planner.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::{Arc, Mutex};

use futures::TryStreamExt;
use innkeeper_api::{Collect, Reservation};
use innkeeper_booking::provider::{Earlier, IntentState, ProviderError, Tags};
use innkeeper_booking::status::{Stage, stage};
use innkeeper_ops::config::ConfigWatch;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};

use crate::Clock;
use crate::cache::{Cache, Key, lock};
use crate::cashier::Cashier;
use crate::shelf::Seen;

/// Names that objects had whose money may still be with the provider.
pub struct EarlierCharges {
    cashier: Cashier,
    config: Arc<ConfigWatch>,
    clock: Clock,
    installation: String,
    caches: Mutex<Vec<Arc<Cache>>>,
    names: Mutex<HashMap<Key, HashMap<String, Left>>>,
    read: tokio::sync::Mutex<Option<Read>>,
}

/// What an object that has gone leaves behind: a stay whose money may still be with the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    check_in: Date,
    /// Nothing of it at the provider is older.
    since: Timestamp,
}

impl Left {
    /// Of one that could not be read: another version wrote it, and only that could say.
    pub const UNKNOWN: Self = Self { check_in: Date::MAX, since: Timestamp::MIN };

    /// What this one leaves behind.
    pub fn by(reservation: &Reservation) -> Option<Self> {
        let since = reservation.metadata.creation_timestamp.as_ref().map_or(Timestamp::MIN, |at| at.0);
        (!holds_nothing(reservation)).then_some(Self { check_in: reservation.spec.check_in, since })
    }
}

/// What has been read of the provider's list.
#[derive(Clone, Copy)]
struct Read {
    /// Everything made before this.
    until: Timestamp,
    /// How often the watches had listed by then.
    lists: u64,
}

impl EarlierCharges {
    /// Of an installation; nothing is read yet.
    pub fn new(cashier: Cashier, config: Arc<ConfigWatch>, clock: Clock, installation: String) -> Self {
        Self {
            cashier,
            config,
            clock,
            installation,
            caches: Mutex::default(),
            names: Mutex::default(),
            read: tokio::sync::Mutex::default(),
        }
    }

    /// Objects in this cache are there: what is theirs is nobody else's.
    pub fn knows(&self, cache: Arc<Cache>) {
        lock(&self.caches).push(cache);
    }

    /// A Reservation is gone. Unless nothing of its can be with the provider, its name is remembered.
    pub fn gone(&self, seen: &Seen) {
        if let Some(left) = seen.left {
            self.remember(seen.key.clone(), seen.uid.clone(), left);
        }
    }

    fn remember(&self, key: Key, uid: String, other: Left) {
        // A stay in the past cannot be booked any more, under whatever UID.
        if other.check_in >= self.first_day() {
            lock(&self.names).entry(key).or_default().insert(uid, other);
        }
    }

    /// The first day that may still be a check-in somewhere.
    fn first_day(&self) -> Date {
        let today = (self.clock)().to_zoned(TimeZone::UTC).date();
        today.saturating_sub(2.days())
    }

    /// Payments of other objects of this name, read at the provider; none where there cannot be any.
    pub async fn of(&self, tags: &Tags) -> Result<Vec<Earlier>, ProviderError> {
        self.catch_up().await?;
        let key = (tags.namespace.clone(), tags.name.clone());
        let since = lock(&self.names).get(&key).and_then(|others| {
            others.iter().filter(|(uid, _)| **uid != tags.uid).map(|(_, other)| other.since).min()
        });
        let Some(since) = since else { return Ok(Vec::new()) };
        let found = self.cashier.named(&self.installation, tags, since).await?;
        let others = found.into_iter().filter_map(|(found, intent)| {
            let found = found.filter(|found| found.uid != tags.uid)?;
            Some(Earlier { uid: found.uid, check_in: found.check_in, intent })
        });
        Ok(others.collect())
    }

    /// Sees to it that everything is here that the watches cannot have shown.
    async fn catch_up(&self) -> Result<(), ProviderError> {
        let mut read = self.read.lock().await;
        // Before the list, not after it: what is begun anew meanwhile is read again.
        let (now, lists) = ((self.clock)(), self.lists());
        let since = match *read {
            Some(known) if known.lists == lists => return Ok(()),
            Some(known) => known.until,
            None => {
                let back = SignedDuration::try_from(self.config.current().payments.look_back);
                now.saturating_sub(back.unwrap_or(SignedDuration::MAX)).unwrap_or(Timestamp::MIN)
            }
        };
        self.read_since(since).await?;
        *read = Some(Read { until: now, lists });
        Ok(())
    }

    fn lists(&self) -> u64 {
        lock(&self.caches).iter().map(|cache| cache.lists()).sum()
    }

    async fn read_since(&self, since: Timestamp) -> Result<(), ProviderError> {
        let first_day = self.first_day();
        lock(&self.names).retain(|_, others| {
            others.retain(|_, other| other.check_in >= first_day);
            !others.is_empty()
        });
        let mut payments = pin!(self.cashier.payments(&self.installation, since, false));
        while let Some(some) = payments.try_next().await? {
            for (tags, intent) in some {
                let Some(tags) = tags else { continue };
                let may_hold = matches!(intent.state, IntentState::Captured | IntentState::Processing);
                // Where the object is there, the watch will show it going.
                if may_hold && !intent.settled && !self.is_there(&tags.uid) {
                    let other = Left { check_in: tags.check_in, since: intent.created };
                    self.remember((tags.namespace, tags.name), tags.uid, other);
                }
            }
        }
        Ok(())
    }

    fn is_there(&self, uid: &str) -> bool {
        lock(&self.caches).iter().any(|cache| cache.reservations.key_of_uid(uid).is_some())
    }
}

/// Nothing of it can be with the provider: nothing is collected here, or it has ended and all has gone back.
fn holds_nothing(reservation: &Reservation) -> bool {
    let status = reservation.status.clone().unwrap_or_default();
    let ended = matches!(stage(&status), Stage::Closed(_));
    let kept = status.payment.is_some_and(|p| p.captured > p.refunded);
    reservation.spec.payment.collect != Collect::Online || (ended && !kept)
}
