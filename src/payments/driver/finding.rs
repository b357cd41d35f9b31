//! Reading: what has become of money that was asked for.
//!
//! Lists by the time of creation, never the provider's search, which lags behind writes. Only intents with our
//! installation's mark are looked at; what another installation made is passed over.

use std::collections::HashMap;

use innkeeper_booking::provider::{Because, Intent, IntentState, LookFor, ProviderError, Step, Tags};
use jiff::{SignedDuration, Timestamp};
use stripe_client_core::StripeRequest as _;
use stripe_core::payment_intent::{ListPaymentIntent, RetrievePaymentIntent};
use stripe_core::refund::ListRefund;
use stripe_shared::PaymentIntent;
use stripe_types::{AsCursorOpt as _, List, Object, RangeQueryTs};

use super::failure::Failure;
use super::metadata::{self, Metadata};
use super::observe::Op;
use super::{Stripe, checked, view};

/// How far the provider's clock may be behind the one that stamped `since`.
const CLOCK_MARGIN: SignedDuration = SignedDuration::from_mins(10);
/// The largest page there is.
const PAGE: i64 = 100;
/// More pages than this are taken for a provider that never ends, and are an error, never a short answer.
const PAGES_AT_MOST: u32 = 10_000;

/// Whose intents to find.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// Of the Reservation with this UID.
    Uid(String),
    /// Of every Reservation that ever had this namespace and name.
    Named {
        /// Namespace of the Reservation.
        namespace: String,
        /// Name of the Reservation.
        name: String,
    },
}

impl Whose {
    fn matches(&self, found: &Metadata) -> bool {
        match self {
            Self::Uid(uid) => metadata::has_uid(found, uid),
            Self::Named { namespace, name } => metadata::has_name(found, namespace, name),
        }
    }
}

/// A stretch of the provider's list, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListQuery {
    /// Only what this installation made.
    pub installation: String,
    /// Nothing older than this (with a margin for clocks).
    pub since: Timestamp,
    /// Where the last stretch ended ([`Listing::next`]); `None` for the first.
    pub after: Option<String>,
    /// How many pages of 100 to read at most.
    pub pages: u32,
    /// Whether to read the refunds too; without them every intent reads as if nothing had gone back.
    pub refunds: bool,
}

/// One refund of an installation, as its list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// The intent whose money goes back.
    pub intent: String,
    /// UID of the Reservation it was made for.
    pub uid: String,
    /// Why.
    pub because: Because,
    /// When it was made.
    pub created: Timestamp,
}

/// What a stretch of the list held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// The installation's intents with their refunds; the tags are missing where somebody edited them.
    pub intents: Vec<(Option<Tags>, Intent)>,
    /// Where to go on; `None` at the end.
    pub next: Option<String>,
}

impl Stripe {
    /// Looks for the intent of one attempt: by its id where that is known, else through the list. `None` means that
    /// the provider has none. A known id that the provider does not have is [`ProviderError::NotFound`]; an id of
    /// an intent that was made for somebody else is passed over and the list decides.
    ///
    /// Where several intents belong to the attempt, the one that matters most is returned: captured, then
    /// processing, then declined, then fences and what was cancelled.
    pub async fn look(&self, what: &LookFor) -> Result<Option<Intent>, ProviderError> {
        let ours = |found: &Metadata| {
            metadata::is_of(found, &what.tags.installation) && metadata::has_uid(found, &what.tags.uid)
        };
        if let Some(id) = &what.id {
            let raw = self.retrieve(id).await?;
            if ours(&raw.metadata) && attempt_of(&raw) == Some(what.attempt) {
                return self.with_refunds(&raw).await.map(Some);
            }
            tracing::warn!(
                intent = id,
                "the stored intent was made for another Reservation; listing instead"
            );
        }
        let listed = self.scan(what.since, |raw| ours(&raw.metadata)).await?;
        let best = listed
            .iter()
            .filter(|raw| attempt_of(raw) == Some(what.attempt))
            .map(|raw| Ok((rank(&view::intent(raw, &[])?), raw)))
            .collect::<Result<Vec<_>, view::NotUnderstood>>()
            .map_err(|error| Failure::from(error).into_error())?
            .into_iter()
            .min_by_key(|(rank, raw)| (*rank, raw.created, raw.id.clone()));
        match best {
            Some((_, raw)) => self.read(raw.id.as_str()).await.map(Some),
            None => Ok(None),
        }
    }

    /// Finds every intent of a Reservation, or of everything that ever had its name, with its refunds, oldest first.
    pub async fn find_all(
        &self,
        installation: &str,
        whose: &Whose,
        since: Timestamp,
    ) -> Result<Vec<(Option<Tags>, Intent)>, ProviderError> {
        let ours = |raw: &PaymentIntent| {
            metadata::is_of(&raw.metadata, installation) && whose.matches(&raw.metadata)
        };
        let mut found = Vec::new();
        for raw in self.scan(since, ours).await?.iter().rev() {
            found.push((metadata::tags(&raw.metadata), self.with_refunds(raw).await?));
        }
        Ok(found)
    }

    /// Reads a stretch of the installation's intents, newest first.
    pub async fn list(&self, query: &ListQuery) -> Result<Listing, ProviderError> {
        let mut cursor = query.after.clone();
        let mut ours = Vec::new();
        for _ in 0..query.pages.clamp(1, PAGES_AT_MOST) {
            let page = self.page(query.since, cursor.as_deref()).await?;
            let next = next(&page, cursor.as_deref())?;
            ours.extend(
                page.data.into_iter().filter(|raw| metadata::is_of(&raw.metadata, &query.installation)),
            );
            cursor = next;
            if cursor.is_none() {
                break;
            }
        }
        // One list of refunds for the whole stretch: none of them is older than the oldest intent in it.
        let captured = ours.iter().filter(|raw| raw.amount_received > 0 && query.refunds);
        let oldest = captured.map(|raw| raw.created).min();
        let refunds = match oldest {
            Some(oldest) => self.refunds(|request| request.created(RangeQueryTs::gte(oldest))).await?,
            None => Vec::new(),
        };
        let mut by_intent: HashMap<String, Vec<stripe_shared::Refund>> = HashMap::new();
        for refund in refunds {
            if let Some(intent) = &refund.payment_intent {
                by_intent.entry(intent.id().as_str().to_owned()).or_default().push(refund);
            }
        }
        let intents = ours.iter().map(|raw| {
            let refunds = by_intent.get(raw.id.as_str()).map_or(&[][..], Vec::as_slice);
            Ok((metadata::tags(&raw.metadata), view::intent(raw, refunds)?))
        });
        let intents =
            intents.collect::<Result<_, view::NotUnderstood>>().map_err(|e| Failure::from(e).into_error())?;
        Ok(Listing { intents, next: cursor })
    }

    /// Every refund that the installation has made since then, whatever has become of it; those made in the dashboard
    /// are none of its.
    pub async fn outgoing(
        &self,
        installation: &str,
        since: Timestamp,
    ) -> Result<Vec<Outgoing>, ProviderError> {
        let from = since.as_second().max(0);
        let refunds = self.refunds(|request| request.created(RangeQueryTs::gte(from))).await?;
        let ours = |refund: stripe_shared::Refund| {
            let marks = refund.metadata.as_ref().filter(|marks| metadata::is_of(marks, installation))?;
            let (because, uid) = metadata::reason(marks)?;
            let intent = refund.payment_intent.as_ref()?.id().as_str().to_owned();
            let created = Timestamp::from_second(refund.created).ok()?;
            Some(Outgoing { intent, uid, because, created })
        };
        Ok(refunds.into_iter().filter_map(ours).collect())
    }

    /// One intent as it is now, with its tags and refunds; the tags are missing where it is not the installation's.
    pub async fn examine(
        &self,
        installation: &str,
        id: &str,
    ) -> Result<(Option<Tags>, Intent), ProviderError> {
        let raw = self.retrieve(id).await?;
        let tags = metadata::tags(&raw.metadata).filter(|_| metadata::is_of(&raw.metadata, installation));
        Ok((tags, self.with_refunds(&raw).await?))
    }

    /// Tells whether address and key work. Cheap, and without effect.
    pub async fn check(&self) -> Result<(), ProviderError> {
        let call = self.transport.begin(Op::Check, None);
        let request = ListPaymentIntent::new().limit(1).customize();
        let sent = Box::pin(async { request.send(&call).await.map(Box::new) }).await;
        call.finish(sent).map(|_| ()).map_err(Failure::into_error)
    }

    /// One intent as it is now, with its refunds.
    pub(super) async fn read(&self, id: &str) -> Result<Intent, ProviderError> {
        let raw = self.retrieve(id).await?;
        self.with_refunds(&raw).await
    }

    pub(super) async fn retrieve(&self, id: &str) -> Result<Box<PaymentIntent>, ProviderError> {
        let id = checked(id)?;
        let call = self.transport.begin(Op::ReadIntent, None);
        let request = RetrievePaymentIntent::new(id).customize();
        let sent = Box::pin(async { request.send(&call).await.map(Box::new) }).await;
        call.finish(sent).map(|answer| answer.value).map_err(|failure| failure.about(id))
    }

    /// Only captured money can go back, so nothing is asked for the others.
    async fn with_refunds(&self, raw: &PaymentIntent) -> Result<Intent, ProviderError> {
        let intent = view::intent(raw, &[]).map_err(|error| Failure::from(error).into_error())?;
        if intent.state != IntentState::Captured {
            return Ok(intent);
        }
        let refunds = self.refunds(|request| request.payment_intent(&intent.id)).await?;
        view::intent(raw, &refunds).map_err(|error| Failure::from(error).into_error())
    }

    /// All refunds that a filter leaves, newest first, all pages.
    async fn refunds(
        &self,
        filter: impl Fn(ListRefund) -> ListRefund + Send,
    ) -> Result<Vec<stripe_shared::Refund>, ProviderError> {
        let mut all = Vec::new();
        let mut cursor: Option<String> = None;
        for _ in 0..PAGES_AT_MOST {
            let mut request = filter(ListRefund::new().limit(PAGE));
            if let Some(after) = &cursor {
                request = request.starting_after(after);
            }
            let call = self.transport.begin(Op::ListRefunds, None);
            let sent = Box::pin(request.customize().send(&call)).await;
            let page = call.finish(sent).map_err(Failure::into_error)?.value;
            let next = next(&page, cursor.as_deref())?;
            all.extend(page.data);
            if next.is_none() {
                return Ok(all);
            }
            cursor = next;
        }
        Err(endless())
    }

    /// Every intent since then that is wanted, newest first, all pages.
    async fn scan(
        &self,
        since: Timestamp,
        wanted: impl Fn(&PaymentIntent) -> bool + Send,
    ) -> Result<Vec<PaymentIntent>, ProviderError> {
        let mut all = Vec::new();
        let mut cursor: Option<String> = None;
        for _ in 0..PAGES_AT_MOST {
            let page = self.page(since, cursor.as_deref()).await?;
            let next = next(&page, cursor.as_deref())?;
            all.extend(page.data.into_iter().filter(|raw| wanted(raw)));
            if next.is_none() {
                return Ok(all);
            }
            cursor = next;
        }
        Err(endless())
    }

    async fn page(
        &self,
        since: Timestamp,
        after: Option<&str>,
    ) -> Result<List<PaymentIntent>, ProviderError> {
        let from = since.saturating_sub(CLOCK_MARGIN).unwrap_or(Timestamp::MIN).as_second().max(0);
        let mut request = ListPaymentIntent::new().created(RangeQueryTs::gte(from)).limit(PAGE);
        if let Some(after) = after {
            request = request.starting_after(after);
        }
        let call = self.transport.begin(Op::ListIntents, None);
        let sent = Box::pin(request.customize().send(&call)).await;
        call.finish(sent).map(|answer| answer.value).map_err(Failure::into_error)
    }
}

fn attempt_of(raw: &PaymentIntent) -> Option<u32> {
    metadata::attempt(&raw.metadata, Step::Charge)
}

/// What matters most comes first: money that is taken, then money that may be.
fn rank(intent: &Intent) -> u8 {
    match &intent.state {
        IntentState::Captured => 0,
        IntentState::Processing => 1,
        IntentState::Open if !intent.fence => 2,
        IntentState::Declined { .. } => 3,
        IntentState::Open => 4,
        IntentState::Cancelled => 5,
    }
}

/// Where the next page begins. A page that claims more without getting anywhere is an error: taking it for the end
/// could hide a charge.
fn next<T: Object>(page: &List<T>, before: Option<&str>) -> Result<Option<String>, ProviderError> {
    if !page.has_more {
        return Ok(None);
    }
    let last = page.data.last().and_then(|item| item.id().as_cursor_opt());
    match last {
        Some(last) if Some(last) != before => Ok(Some(last.to_owned())),
        _ => Err(endless()),
    }
}

fn endless() -> ProviderError {
    ProviderError::OutcomeUnknown("the provider's list does not come to an end".to_owned())
}
