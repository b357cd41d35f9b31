// Stripe's own form, in Stripe's own frame: the card goes from the guest to Stripe, and a token for it comes here.
"use strict";

const place = document.querySelector("[data-stripe]");
const problem = document.querySelector("[data-stripe-error]");
const tell = (text) => { problem.textContent = text; problem.hidden = !text; };

if (place && typeof Stripe === "undefined") {
  tell(place.dataset.failed);
} else if (place) {
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const stripe = Stripe(place.dataset.stripe, { locale: place.dataset.locale });
  const elements = stripe.elements({
    mode: "payment",
    amount: Number(place.dataset.amount),
    currency: place.dataset.currency,
    paymentMethodTypes: ["card"],
    paymentMethodCreation: "manual",
    appearance: { theme: dark ? "night" : "stripe" },
  });
  elements.create("payment").mount(place);
  const form = place.closest("form");
  const method = form.querySelector("[data-stripe-method]");
  form.addEventListener("submit", async (event) => {
    if (method.value) return;
    event.preventDefault();
    tell("");
    const button = form.querySelector("button[type=submit]");
    const free = (text) => { tell(text); button.removeAttribute("aria-disabled"); };
    const checked = await elements.submit();
    if (checked.error) return free(checked.error.message);
    const made = await stripe.createPaymentMethod({ elements });
    if (made.error) return free(made.error.message);
    method.value = made.paymentMethod.id;
    // Sent as it is: whether it was sent already has been looked at.
    form.submit();
  });
}
