//! The schema's rules for a calendar, said a second time: what the API server refuses to store.

use innkeeper_api::RoomCalendarFields;

use super::Refused;

/// The schema's rules for a calendar.
pub fn rules(old: Option<&RoomCalendarFields>, new: &RoomCalendarFields) -> Result<(), Refused> {
    if let Some(old) = old {
        if old.room_uid != new.room_uid {
            return Err(Refused::Invalid("roomUID is immutable"));
        }
        if old.room_name != new.room_name || old.month != new.month {
            return Err(Refused::Invalid("roomName and month are immutable"));
        }
        if !old.nights.iter().all(|o| new.nights.iter().any(|n| n.date == o.date)) {
            return Err(Refused::Invalid("a night is never dropped"));
        }
    }
    for night in &new.nights {
        let before = old.and_then(|o| o.nights.iter().find(|n| n.date == night.date));
        if !night.holders.is_sorted_by(|a, b| a < b) {
            return Err(Refused::Invalid("holders must be in ascending order, each once"));
        }
        let all_there_before = before
            .is_some_and(|b| !b.holders.is_empty() && night.holders.iter().all(|h| b.holders.contains(h)));
        let fits = night.holders.len() <= usize::try_from(night.capacity).unwrap_or(usize::MAX);
        if !night.holders.is_empty() && !fits && !all_there_before {
            return Err(Refused::Invalid("oversold"));
        }
        if let Some(before) = before {
            let newer = night.room_generation > before.room_generation;
            if night.room_generation < before.room_generation || (night.capacity != before.capacity && !newer)
            {
                return Err(Refused::Invalid("capacity changes only with a newer generation"));
            }
        }
    }
    Ok(())
}
