//! Giving money back, and marking what stays with the hotel.

use innkeeper_booking::provider::{Adoption, ProviderError, Refund, RefundView};
use stripe_client_core::StripeRequest as _;
use stripe_core::payment_intent::UpdatePaymentIntent;
use stripe_core::refund::{CreateRefund, RetrieveRefund};

use super::charging::strategy;
use super::failure::{Failure, after_the_effect};
use super::observe::Op;
use super::{Stripe, checked, metadata, view};

impl Stripe {
    /// Gives money back, under the attempt's key. A repeated answer is not believed: the refund is read again,
    /// because it may have failed since. A refund may come back [`Pending`](innkeeper_booking::provider::RefundState::Pending) and fail
    /// days later.
    pub async fn refund(&self, refund: &Refund) -> Result<RefundView, ProviderError> {
        let strategy = strategy(&refund.key())?;
        let request = CreateRefund::new()
            .payment_intent(checked(&refund.intent)?)
            .amount(refund.amount)
            .metadata(metadata::of_refund(refund))
            .customize();
        let call = self.transport.begin(Op::Refund, Some(refund.attempt));
        let sent =
            Box::pin(async { request.request_strategy(strategy).send(&call).await.map(Box::new) }).await;
        let answer = call.finish(sent).map_err(Failure::into_error)?;
        if answer.replayed {
            return self.read_refund(answer.value.id.as_str()).await.map_err(after_the_effect);
        }
        view::refund(&answer.value).map_err(|error| Failure::from(error).into_error())
    }

    async fn read_refund(&self, id: &str) -> Result<RefundView, ProviderError> {
        let id = checked(id)?;
        let call = self.transport.begin(Op::ReadRefund, None);
        let request = RetrieveRefund::new(id).customize();
        let sent = Box::pin(async { request.send(&call).await.map(Box::new) }).await;
        let answer = call.finish(sent).map_err(|failure| failure.about(id))?;
        view::refund(&answer.value).map_err(|error| Failure::from(error).about(id))
    }

    /// Makes an intent another Reservation's, which looks it up as its own from then on. Can be repeated. An intent that
    /// is neither that Reservation's nor of the one it is taken from is left alone.
    pub async fn adopt(&self, adoption: &Adoption) -> Result<(), ProviderError> {
        let id = checked(&adoption.intent)?;
        let now = self.retrieve(id).await?;
        let ours = metadata::is_of(&now.metadata, &adoption.tags.installation)
            && [&adoption.from, &adoption.tags.uid].iter().any(|uid| metadata::has_uid(&now.metadata, uid));
        if !ours {
            let message = "The payment has become another Reservation's meanwhile.".to_owned();
            return Err(ProviderError::Invalid { code: "adopted".to_owned(), message });
        }
        let call = self.transport.begin(Op::Adopt, Some(adoption.attempt));
        let request = UpdatePaymentIntent::new(id).metadata(metadata::of_adoption(adoption)).customize();
        let sent = Box::pin(async { request.send(&call).await.map(Box::new) }).await;
        call.finish(sent).map(|_| ()).map_err(|failure| failure.about(id))
    }

    /// Marks an intent: what is left of it (`kept`, minor units) stays with the hotel, and no sweep gives it back.
    /// Can be repeated.
    pub async fn mark_settled(&self, id: &str, kept: i64) -> Result<(), ProviderError> {
        let id = checked(id)?;
        let call = self.transport.begin(Op::MarkSettled, None);
        let request = UpdatePaymentIntent::new(id).metadata(metadata::of_settlement(kept)).customize();
        let sent = Box::pin(async { request.send(&call).await.map(Box::new) }).await;
        call.finish(sent).map(|_| ()).map_err(|failure| failure.about(id))
    }
}
