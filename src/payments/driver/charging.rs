//! Taking money, and making sure that it can no longer be taken.
//!
//! A charge and its fence share one idempotency key, so the provider itself lets only one of them happen.

use innkeeper_booking::provider::{Charge, Fenced, Intent, IntentState, ProviderError, Step, key};
use jiff::Timestamp;
use stripe_client_core::{CustomizableStripeRequest, IdempotencyKey, RequestStrategy, StripeRequest as _};
use stripe_core::payment_intent::{CancelPaymentIntent, CreatePaymentIntent};
use stripe_shared::{
    PaymentIntent, PaymentIntentAllowedPaymentMethodTypes as MethodType, PaymentIntentCaptureMethod,
};
use stripe_types::Currency;

use super::failure::{ErrorBody, Failure, Refusal, after_the_effect};
use super::observe::Op;
use super::transport::Answer;
use super::{Stripe, checked, metadata, view};

impl Stripe {
    /// Takes the money: creates an intent and confirms it in one request, under the attempt's key.
    ///
    /// A declined card is a result ([`IntentState::Declined`]), not an error. A repeated answer is not believed: the
    /// intent is read again, with its refunds. Errors after which the charge may still have happened are those of
    /// [`ProviderError::may_have_happened`].
    pub async fn charge(&self, charge: &Charge) -> Result<Intent, ProviderError> {
        // `confirm` and what is legal only beside it, and the guest's means of payment, are all that sets a
        // charge apart from its fence.
        let request = request(charge, false)
            .confirm(true)
            .error_on_requires_action(true)
            .payment_method(&charge.method)
            .customize();
        match self.create(Op::Charge, charge, request).await? {
            Ok(answer) if metadata::is_fence(&answer.value.metadata) => Err(ProviderError::Mismatch),
            Ok(answer) if answer.replayed => self.read_back(answer.value.id.as_str()).await,
            Ok(answer) => view::intent(&answer.value, &[]).map_err(|error| Failure::from(error).into_error()),
            Err(failure) => match failure.decline() {
                Some((refusal, error)) => self.declined(refusal, error).await,
                None => Err(failure.into_error()),
            },
        }
    }

    /// Makes sure that a charge of this attempt can never land any more: takes its key with an intent that is never
    /// confirmed, and cancels that.
    ///
    /// The fence does not name the guest's means of payment, so it cannot be refused for its sake. It stands only
    /// when the provider has confirmed the cancellation; after any error it is to be repeated, which is safe.
    pub async fn fence(&self, charge: &Charge) -> Result<Fenced, ProviderError> {
        let request = request(charge, true).confirm(false).customize();
        let answer = match self.create(Op::Fence, charge, request).await? {
            Ok(answer) => answer,
            // An answer that only a charge can have: the key is its.
            Err(failure) if failure.decline().is_some() => return Ok(Fenced::ChargeCameFirst),
            Err(failure) => {
                return match failure.into_error() {
                    ProviderError::Mismatch => Ok(Fenced::ChargeCameFirst),
                    error => Err(error),
                };
            }
        };
        if !metadata::is_fence(&answer.value.metadata) {
            return Ok(Fenced::ChargeCameFirst);
        }
        let id = answer.value.id.as_str();
        let found = if answer.replayed { Some(self.read_back(id).await?) } else { None };
        let intent = match found {
            Some(intent) if matches!(intent.state, IntentState::Cancelled | IntentState::Captured) => intent,
            _ => Box::pin(self.cancel(id)).await.map_err(after_the_effect)?,
        };
        match intent.state {
            IntentState::Cancelled => Ok(Fenced::Standing(intent)),
            IntentState::Captured => Ok(Fenced::ChargeCameFirst),
            _ => Err(ProviderError::OutcomeUnknown("the fence is there, but not cancelled yet".to_owned())),
        }
    }

    /// Cancels an intent. What is cancelled already is fine, and what captured or began to in the meantime comes
    /// back as it is: the caller looks at the state.
    pub async fn cancel(&self, id: &str) -> Result<Intent, ProviderError> {
        let id = checked(id)?;
        let call = self.transport.begin(Op::Cancel, None);
        let request = CancelPaymentIntent::new(id).customize();
        let sent = Box::pin(async { request.send(&call).await.map(Box::new) }).await;
        match call.finish(sent) {
            Ok(answer) => {
                let intent =
                    view::intent(&answer.value, &[]).map_err(|error| Failure::from(error).into_error())?;
                if intent.state == IntentState::Captured { self.read_back(id).await } else { Ok(intent) }
            }
            Err(failure) => match failure.about(id) {
                refused @ ProviderError::Invalid { .. } => {
                    let intent = self.read(id).await?;
                    match intent.state {
                        IntentState::Cancelled | IntentState::Captured | IntentState::Processing => {
                            Ok(intent)
                        }
                        IntentState::Open | IntentState::Declined { .. } => Err(refused),
                    }
                }
                error => Err(error),
            },
        }
    }

    async fn create(
        &self,
        op: Op,
        charge: &Charge,
        request: CustomizableStripeRequest<PaymentIntent>,
    ) -> Result<Result<Answer<Box<PaymentIntent>>, Failure>, ProviderError> {
        let strategy = strategy(&key(&charge.tags.uid, Step::Charge, charge.attempt))?;
        let call = self.transport.begin(op, Some(charge.attempt));
        // Boxed, like every answer's reading: the generated types are large.
        let sent =
            Box::pin(async { request.request_strategy(strategy).send(&call).await.map(Box::new) }).await;
        Ok(call.finish(sent))
    }

    /// A decline as a result. A first-hand answer is enough for it; a repeated or an incomplete one is not.
    async fn declined(&self, refusal: &Refusal, error: &ErrorBody) -> Result<Intent, ProviderError> {
        let Some(id) = error.intent_id() else {
            // No intent came about, so there is nothing that could still capture.
            return Err(ProviderError::Invalid { code: error.reason(), message: error.sentence() });
        };
        let complete = error.intent().filter(|intent| {
            !refusal.replayed
                && intent.status == "requires_payment_method"
                && !metadata::is_fence(&intent.metadata)
        });
        let Some((intent, created)) =
            complete.and_then(|intent| Timestamp::from_second(intent.created).ok().map(|at| (intent, at)))
        else {
            return self.read_back(id).await;
        };
        Ok(Intent {
            state: IntentState::Declined { code: error.reason(), message: error.sentence() },
            id: intent.id,
            amount: intent.amount,
            currency: intent.currency.to_ascii_uppercase(),
            captured: 0,
            refunds: Vec::new(),
            attempt: metadata::attempt(&intent.metadata, Step::Charge),
            fence: false,
            created,
            settled: metadata::is_settled(&intent.metadata),
        })
    }

    /// Reads an intent after a write that took effect: no error of this may read as if nothing had happened.
    async fn read_back(&self, id: &str) -> Result<Intent, ProviderError> {
        self.read(id).await.map_err(after_the_effect)
    }
}

/// What a charge and its fence have in common. Cards alone: nothing that leads the guest to another page, where
/// money could still arrive after the Reservation has ended.
fn request(charge: &Charge, fence: bool) -> CreatePaymentIntent {
    CreatePaymentIntent::new(charge.amount, currency(&charge.currency))
        .capture_method(PaymentIntentCaptureMethod::Automatic)
        .allowed_payment_method_types(vec![MethodType::Card])
        .metadata(metadata::of_charge(charge, fence))
}

fn currency(code: &str) -> Currency {
    let code = code.to_ascii_lowercase();
    code.parse().unwrap_or(Currency::Unknown(code))
}

/// The strategy that sends our own key once. The others would make random keys, under which a repeat charges twice.
pub(super) fn strategy(key: &str) -> Result<RequestStrategy, ProviderError> {
    IdempotencyKey::new(key).map(RequestStrategy::Idempotent).map_err(|error| ProviderError::Invalid {
        code: "idempotency_key".to_owned(),
        message: error.to_string(),
    })
}
