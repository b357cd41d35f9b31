//! One's list, as the API and the page show it: those under way and ahead first, then those that are over and filed;
//! each newest first.

use std::sync::Arc;

use crate::desk::mine;
use crate::door::Door;
use crate::identity::Scope;
use crate::model::views::{StayView, compact};
use crate::past::Unread;
use crate::problem::{Kind, Problem};
use crate::rest::{Caller, Cursor};

/// A part of it.
#[derive(Default)]
pub(crate) struct Listed {
    /// Those that are live.
    pub(crate) live: Vec<Arc<StayView>>,
    /// Those that are filed.
    pub(crate) filed: Vec<StayView>,
    /// Where the next part begins.
    pub(crate) next: Option<Cursor>,
    /// Why those that are filed are missing, where they are.
    pub(crate) missing: Option<Unread>,
}

/// The part of an owner's list that begins there. One that is filed and still live is shown as live, and not twice.
pub(crate) async fn list(door: &Door, caller: &Caller, owner: String, from: Cursor, limit: usize) -> Listed {
    let mut listed = Listed::default();
    let after = match from {
        Cursor::Live(after) => {
            let page = door.model.stays_of(&owner, after.as_ref(), limit, |ns| caller.0.may_touch(ns));
            listed.live = page.stays;
            if let Some(place) = page.next {
                listed.next = Some(Cursor::Live(Some(place)));
                return listed;
            }
            None
        }
        Cursor::Past(after) => after,
    };
    let room = limit.saturating_sub(listed.live.len());
    let (model, identity) = (door.model.clone(), caller.0.clone());
    let leave_out = move |property: &str, name: &str, uid: u128| {
        let live = model.stay(property, name).is_some_and(|stay| compact(&stay.uid) == uid);
        live || !identity.may_touch(property)
    };
    // Where nothing more fits, it is only asked whether anything follows.
    let begin = after.clone();
    match door.past.page(owner, after, room.max(1), leave_out).await {
        Ok(page) if room == 0 => listed.next = (!page.stays.is_empty()).then_some(Cursor::Past(begin)),
        Ok(page) => {
            listed.filed = page.stays;
            listed.next = page.next.map(|place| Cursor::Past(Some(place)));
        }
        Err(unread) => listed.missing = Some(unread),
    }
    listed
}

/// One of the caller's own.
pub(crate) enum Found {
    /// It is live.
    Live(Arc<StayView>),
    /// It is over and filed.
    Filed(Box<StayView>),
}

impl Found {
    /// What is known of it.
    pub(crate) fn stay(&self) -> &StayView {
        match self {
            Self::Live(stay) => stay,
            Self::Filed(stay) => stay,
        }
    }
}

/// The caller's own Reservation of this name, live or filed. That of another is not there, for all that is said.
pub(crate) async fn find(door: &Door, caller: &Caller, property: &str, name: &str) -> Result<Found, Problem> {
    caller.may(Scope::Read)?;
    match mine(door, caller, Scope::Read, property, name) {
        Ok(stay) => Ok(Found::Live(stay)),
        Err(not_there) => {
            let stays = door.past.named(property, name).await.map_err(unread)?;
            let theirs = stays.into_iter().find(|stay| caller.0.owns(property, &stay.guest_id));
            theirs.map(|stay| Found::Filed(Box::new(stay))).ok_or(not_there)
        }
    }
}

/// What an archive that cannot be read is to whoever asked for one stay of it.
fn unread(_: Unread) -> Problem {
    let detail =
        "This reservation is not among those under way, and the archive cannot be read at the moment.";
    Problem::new(Kind::Unavailable, detail).after(std::time::Duration::from_secs(2))
}
