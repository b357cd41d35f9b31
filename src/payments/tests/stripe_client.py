"""Uses the embedded payment provider with Stripe's official Python client, as any program of Stripe's users would.

Arguments: the provider's base URL and its key. Prints one line for each thing tried; ends with an error at the first
that is not as with Stripe.
"""

import sys
import urllib.request

import stripe

base, key = sys.argv[1:3]
client = stripe.StripeClient(key, base_addresses={"api": base}, max_network_retries=0)
intents = client.v1.payment_intents
refunds = client.v1.refunds
CHARGE = {
    "amount": 12000,
    "currency": "eur",
    "payment_method": "pm_card_visa",
    "allowed_payment_method_types": ["card"],
    "confirm": True,
    "error_on_requires_action": True,
    "metadata": {"innkeeper_namespace": "grand", "innkeeper_name": "smith"},
}


def expect(error, call, **fields):
    """The call must fail with this error, whose fields have these values."""
    try:
        call()
    except error as found:
        for name, value in fields.items():
            assert getattr(found, name) == value, (name, getattr(found, name), value)
        return found
    raise AssertionError(f"no {error.__name__}")


def charged_and_read():
    made = intents.create(CHARGE)
    assert made.status == "succeeded" and made.amount_received == 12000, made
    read = intents.retrieve(made.id, {"expand": ["latest_charge"]})
    assert read.latest_charge.paid and read.latest_charge.payment_method_details.card.brand == "visa"
    assert read.metadata["innkeeper_name"] == "smith"


def repeated_with_the_same_key():
    options = {"idempotency_key": "python/charge/1"}
    first = intents.create(CHARGE, options)
    second = intents.create(CHARGE, options)
    assert first.id == second.id
    assert second.last_response.headers["Idempotent-Replayed"] == "true"
    expect(stripe.IdempotencyError, lambda: intents.create({**CHARGE, "amount": 13000}, options), http_status=400)


def declined():
    call = lambda: intents.create({**CHARGE, "payment_method": "pm_card_visa_chargeDeclinedInsufficientFunds"})
    error = expect(stripe.CardError, call, code="card_declined", http_status=402)
    assert error.error.decline_code == "insufficient_funds"
    intent = intents.retrieve(error.error.payment_intent.id)
    assert intent.status == "requires_payment_method" and intent.last_payment_error.type == "card_error"


def authentication_refused():
    call = lambda: intents.create({**CHARGE, "payment_method": "pm_card_authenticationRequired"})
    expect(stripe.CardError, call, code="authentication_required")


def held_and_captured_in_part():
    held = intents.create({**CHARGE, "capture_method": "manual"})
    assert held.status == "requires_capture" and held.amount_capturable == 12000
    taken = intents.capture(held.id, {"amount_to_capture": 9000})
    assert taken.status == "succeeded" and taken.amount_received == 9000


def made_confirmed_and_cancelled():
    made = intents.create({"amount": 12000, "currency": "eur", "allowed_payment_method_types": ["card"]})
    assert made.status == "requires_payment_method"
    given_up = intents.cancel(made.id, {"cancellation_reason": "abandoned"})
    assert given_up.status == "canceled" and given_up.canceled_at
    call = lambda: intents.confirm(made.id, {"payment_method": "pm_card_visa"})
    expect(stripe.InvalidRequestError, call, code="payment_intent_unexpected_state")


def refunded_in_parts():
    made = intents.create(CHARGE)
    part = refunds.create({"payment_intent": made.id, "amount": 5000, "metadata": {"innkeeper_step": "refund"}})
    assert part.status == "succeeded" and part.metadata["innkeeper_step"] == "refund"
    rest = refunds.create({"payment_intent": made.id, "reason": "requested_by_customer"})
    assert rest.amount == 7000 and refunds.retrieve(rest.id).reason == "requested_by_customer"
    listed = refunds.list({"payment_intent": made.id})
    assert [refund.id for refund in listed.data] == [rest.id, part.id]
    call = lambda: refunds.create({"payment_intent": made.id})
    expect(stripe.InvalidRequestError, call, code="charge_already_refunded")


def pending_refund_called_off():
    made = intents.create({**CHARGE, "payment_method": "pm_card_pendingRefund"})
    refund = refunds.create({"payment_intent": made.id})
    assert refund.status == "pending"
    assert refunds.cancel(refund.id).status == "canceled"


def changed():
    made = intents.create(CHARGE)
    done = intents.update(made.id, {"metadata": {"innkeeper_settled": "true", "innkeeper_name": ""}})
    assert done.metadata.to_dict() == {"innkeeper_namespace": "grand", "innkeeper_settled": "true"}, done.metadata


def paged_through():
    made = [intents.create(CHARGE).id for _ in range(3)]
    found = [intent.id for intent in intents.list({"limit": 2}).auto_paging_iter()]
    assert found[:3] == made[::-1] and len(found) == len(set(found))
    recent = intents.list({"created": {"gte": intents.retrieve(made[0]).created}, "expand": ["data.latest_charge"]})
    assert recent.data[0].latest_charge.captured


def refused():
    expect(stripe.InvalidRequestError, lambda: intents.retrieve("pi_none"), code="resource_missing", http_status=404)
    call = lambda: intents.create({**CHARGE, "amount": 1})
    expect(stripe.InvalidRequestError, call, code="amount_too_small", param="amount")
    call = lambda: intents.create({**CHARGE, "payment_method": "pm_none"})
    expect(stripe.InvalidRequestError, call, code="resource_missing", param="payment_method")
    call = lambda: intents.create({**CHARGE, "receipt_email": "x"})
    expect(stripe.InvalidRequestError, call, code="parameter_unknown", param="receipt_email")
    call = lambda: client.v1.customers.list()
    expect(stripe.InvalidRequestError, call, http_status=404)
    stranger = stripe.StripeClient("sk_test_someone_else", base_addresses={"api": base}, max_network_retries=0)
    expect(stripe.AuthenticationError, lambda: stranger.v1.balance.retrieve(), http_status=401)


def retried_by_itself():
    """The client retries what it may, with one key of its own: the effect is there once."""
    patient = stripe.StripeClient(key, base_addresses={"api": base}, max_network_retries=2)
    for fault in (b'{"kind":"drop","when":"after"}', b'{"kind":"server_error","when":"after"}'):
        body = b'{"match":{"method":"POST"},"fault":' + fault + b"}"
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        urllib.request.urlopen(urllib.request.Request(f"{base}/sandbox/faults", body, headers)).read()
        before = len(list(intents.list({"limit": 100}).auto_paging_iter()))
        made = patient.v1.payment_intents.create(CHARGE)
        assert made.last_response.headers["Idempotent-Replayed"] == "true"
        assert len(list(intents.list({"limit": 100}).auto_paging_iter())) == before + 1


def balanced():
    balance = client.v1.balance.retrieve()
    captured = sum(intent.amount_received for intent in intents.list({"limit": 100}).auto_paging_iter())
    refunded = sum(
        refund.amount
        for refund in refunds.list({"limit": 100}).auto_paging_iter()
        if refund.status in ("pending", "succeeded")
    )
    assert balance.available[0].amount == captured - refunded > 0


for thing in (
    charged_and_read,
    repeated_with_the_same_key,
    declined,
    authentication_refused,
    held_and_captured_in_part,
    made_confirmed_and_cancelled,
    refunded_in_parts,
    pending_refund_called_off,
    changed,
    paged_through,
    refused,
    retried_by_itself,
    balanced,
):
    thing()
    print(f"ok: {thing.__name__.replace('_', ' ')}", flush=True)
print(f"Stripe's client {stripe.VERSION} is content")
