//! Currencies as the provider counts them: which it knows, how many decimals they have there, and to which step an
//! amount must be rounded so that it can be charged and refunded.
//!
//! Source: Stripe's documentation, "Supported currencies": zero-decimal currencies, the special cases of ISK and UGX
//! (counted with two decimals that must be 00), and three-decimal currencies (whose last digit must be 0).

use iso_currency::Currency as Iso;

/// Most that one charge can be, in minor units (the provider's limit of eight digits).
pub const MAX_AMOUNT: i64 = 99_999_999;

/// Counted without decimals by the provider, whatever ISO 4217 says (MGA has fifths there).
const ZERO_DECIMAL: [&str; 15] =
    ["BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"];
/// Without decimals in use, and yet counted with two that must be 00.
const TWO_DECIMAL_WHOLE: [&str; 2] = ["ISK", "UGX"];
/// Counted with three decimals, the last of which must be 0.
const THREE_DECIMAL: [&str; 5] = ["BHD", "JOD", "KWD", "OMR", "TND"];

/// A currency that can be charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Currency {
    iso: Iso,
}

impl Currency {
    /// The currency of an upper-case ISO 4217 code; `None` where there is no such currency in use.
    #[must_use]
    pub fn of(code: &str) -> Option<Self> {
        let iso = Iso::from_code(code)?;
        // Gold, testing codes and the like are in ISO 4217 and have no cents to charge.
        if code.starts_with('X') && !ZERO_DECIMAL.contains(&code) && code != "XCD" && code != "XCG" {
            return None;
        }
        Some(Self { iso })
    }

    /// ISO 4217, upper case.
    #[must_use]
    pub fn code(self) -> &'static str {
        self.iso.code()
    }

    /// Decimals of the provider's minor unit: how far to shift when an amount is shown.
    #[must_use]
    pub fn decimals(self) -> u32 {
        let code = self.code();
        if ZERO_DECIMAL.contains(&code) {
            0
        } else if THREE_DECIMAL.contains(&code) {
            3
        } else {
            2
        }
    }

    /// Every amount charged or refunded is a multiple of this many minor units.
    #[must_use]
    pub fn step(self) -> i64 {
        let code = self.code();
        if TWO_DECIMAL_WHOLE.contains(&code) {
            100
        } else if THREE_DECIMAL.contains(&code) {
            10
        } else {
            1
        }
    }

    /// Rounds half up to what can be charged and refunded. Amounts are not negative.
    #[must_use]
    pub fn round(self, minor_units: i64) -> i64 {
        let step = self.step();
        (minor_units + step / 2) / step * step
    }

    /// The share of an amount, rounded half up to what can be refunded and never above the amount.
    #[must_use]
    pub fn share(self, minor_units: i64, percent: u32) -> i64 {
        let percent = i64::from(percent.min(100));
        // Half up in one step: rounding first to a cent and then to the step would round twice.
        let step = self.step();
        let hundredths = minor_units * percent;
        let rounded = (hundredths + 50 * step) / (100 * step) * step;
        rounded.min(minor_units)
    }

    /// An amount as a person writes it: `120.00 EUR`, `12000 KRW`.
    #[must_use]
    pub fn show(self, minor_units: i64) -> String {
        let decimals = self.decimals();
        if decimals == 0 {
            return format!("{minor_units} {}", self.code());
        }
        let unit = 10_i64.pow(decimals);
        let width = decimals as usize;
        format!("{}.{:0width$} {}", minor_units / unit, minor_units % unit, self.code())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("EUR", 2, 1, 12_345, 12_345, "123.45 EUR")]
    #[case("KRW", 0, 1, 12_345, 12_345, "12345 KRW")]
    #[case("MGA", 0, 1, 7, 7, "7 MGA")]
    #[case("ISK", 2, 100, 12_349, 12_300, "123.00 ISK")]
    #[case("UGX", 2, 100, 12_350, 12_400, "124.00 UGX")]
    #[case("KWD", 3, 10, 12_345, 12_350, "12.350 KWD")]
    #[case("BHD", 3, 10, 12_344, 12_340, "12.340 BHD")]
    #[case("XPF", 0, 1, 1, 1, "1 XPF")]
    fn amounts_follow_the_providers_table(
        #[case] code: &str,
        #[case] decimals: u32,
        #[case] step: i64,
        #[case] amount: i64,
        #[case] rounded: i64,
        #[case] shown: &str,
    ) {
        let currency = Currency::of(code).unwrap();
        assert_eq!(currency.decimals(), decimals);
        assert_eq!(currency.step(), step);
        assert_eq!(currency.round(amount), rounded);
        assert_eq!(currency.show(rounded), shown);
    }

    #[rstest]
    #[case("XXX")]
    #[case("XAU")]
    #[case("XTS")]
    #[case("ABC")]
    #[case("eur")]
    #[case("")]
    fn what_cannot_be_charged_is_no_currency(#[case] code: &str) {
        assert_eq!(Currency::of(code), None);
    }

    #[rstest]
    #[case("EUR", 999, 50, 500)]
    #[case("EUR", 1, 50, 1)]
    #[case("EUR", 1, 49, 0)]
    #[case("ISK", 12_300, 50, 6_200)]
    #[case("KWD", 12_350, 33, 4_080)]
    #[case("EUR", 999, 250, 999)]
    fn a_share_is_rounded_half_up_once(
        #[case] code: &str,
        #[case] amount: i64,
        #[case] percent: u32,
        #[case] back: i64,
    ) {
        assert_eq!(Currency::of(code).unwrap().share(amount, percent), back);
    }

    proptest! {
        #[test]
        fn a_share_never_exceeds_the_amount_and_can_always_be_refunded(
            code in prop::sample::select(vec!["EUR", "KRW", "ISK", "UGX", "KWD", "MGA"]),
            amount in 0..=MAX_AMOUNT,
            percent in 0..=100u32,
        ) {
            let currency = Currency::of(code).unwrap();
            let amount = currency.round(amount);
            let share = currency.share(amount, percent);
            prop_assert!((0..=amount).contains(&share));
            prop_assert_eq!(share % currency.step(), 0);
            prop_assert_eq!(currency.share(amount, 100), amount);
            prop_assert_eq!(currency.share(amount, 0), 0);
        }
    }
}
