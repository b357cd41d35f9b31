//! How it is paid: a choice of test cards with a test provider, or Stripe's own form, so that no card reaches us.

use maud::{Markup, html};

use super::Filled;
use crate::site::assets::PAY_AT;
use crate::site::parts::{Wrong, wrong_with};
use crate::site::visitor::Visitor;

/// Stripe's script. It has to come from there; its owner allows no copies.
const STRIPE: &str = "https://js.stripe.com/v3/";

/// The test cards that are offered: Stripe's names for them, which the embedded provider knows, too.
const CARDS: [&str; 5] = [
    "pm_card_visa",
    "pm_card_mastercard",
    "pm_card_amex",
    "pm_card_visa_chargeDeclined",
    "pm_card_visa_chargeDeclinedInsufficientFunds",
];

/// What is to be paid.
pub(super) struct Amount<'a> {
    pub(super) currency: &'a str,
    pub(super) minor_units: i64,
}

/// The choice of test cards.
pub(super) fn test_cards(visitor: &Visitor, filled: &Filled, wrong: &[Wrong]) -> Markup {
    let t = visitor.texts();
    let told = [
        (t.card_good, t.card_good_more),
        (t.card_master, t.card_good_more),
        (t.card_amex, t.card_good_more),
        (t.card_declined, t.card_declined_more),
        (t.card_funds, t.card_funds_more),
    ];
    let chosen = |card: &str| filled.method == card || (filled.method.is_empty() && card == CARDS[0]);
    let by = wrong_with(wrong, "method").map(|_| "method-wrong");
    html! {
        fieldset #method .stack aria-describedby=[by] {
            legend .hidden { (t.pay_title) }
            p .notice { (t.pay_test) }
            @if let Some(wrong) = wrong_with(wrong, "method") { p .wrong #method-wrong { (wrong) } }
            div .choices {
                @for (card, (name, more)) in CARDS.into_iter().zip(told) {
                    label .choice {
                        input type="radio" name="method" value=(card) checked[chosen(card)] required;
                        span { span { (name) } span .note { (more) } }
                    }
                }
            }
        }
    }
}

/// Where Stripe's own form is put in.
pub(super) fn stripe(visitor: &Visitor, key: &str, amount: &Amount<'_>, wrong: &[Wrong]) -> Markup {
    let t = visitor.texts();
    html! {
        div .stack #method {
            p .soft { (t.pay_stripe) }
            @if let Some(wrong) = wrong_with(wrong, "method") { p .wrong { (wrong) } }
            noscript { p .notice .bad { (t.pay_needs_script) } }
            input type="hidden" name="method" data-stripe-method;
            div data-stripe=(key) data-amount=(amount.minor_units) data-currency=(amount.currency.to_lowercase())
                data-locale=(visitor.lang.tag()) data-failed=(t.pay_failed) {}
            p .notice .bad role="alert" data-stripe-error hidden {}
            script src=(STRIPE) defer {}
            script src=(*PAY_AT) defer {}
        }
    }
}
