//! What amounts the provider takes in which currency.
//!
//! Source: Stripe's page on supported currencies. Amounts are whole numbers of the unit the API counts in, which
//! for some currencies is not the one of ISO 4217: ISK and UGX are counted in hundredths that must be whole
//! units, MGA in whole ariary, and three-decimal amounts must end in 0.

use super::error::StripeError;

const SUPPORTED: &[&str] = &[
    "aed", "afn", "all", "amd", "ang", "aoa", "ars", "aud", "awg", "azn", "bam", "bbd", "bdt", "bgn", "bhd",
    "bif", "bmd", "bnd", "bob", "brl", "bsd", "bwp", "byn", "bzd", "cad", "cdf", "chf", "clp", "cny", "cop",
    "crc", "cve", "czk", "djf", "dkk", "dop", "dzd", "egp", "etb", "eur", "fjd", "fkp", "gbp", "gel", "gip",
    "gmd", "gnf", "gtq", "gyd", "hkd", "hnl", "htg", "huf", "idr", "ils", "inr", "isk", "jmd", "jod", "jpy",
    "kes", "kgs", "khr", "kmf", "krw", "kwd", "kyd", "kzt", "lak", "lbp", "lkr", "lrd", "lsl", "mad", "mdl",
    "mga", "mkd", "mmk", "mnt", "mop", "mur", "mvr", "mwk", "mxn", "myr", "mzn", "nad", "ngn", "nio", "nok",
    "npr", "nzd", "omr", "pab", "pen", "pgk", "php", "pkr", "pln", "pyg", "qar", "ron", "rsd", "rub", "rwf",
    "sar", "sbd", "scr", "sek", "sgd", "shp", "sll", "sos", "srd", "std", "szl", "thb", "tjs", "tnd", "top",
    "try", "ttd", "twd", "tzs", "uah", "ugx", "usd", "uyu", "uzs", "vnd", "vuv", "wst", "xaf", "xcd", "xof",
    "xpf", "yer", "zar", "zmw",
];
const ZERO_DECIMAL: &[&str] = &[
    "bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf",
];
const THREE_DECIMAL: &[&str] = &["bhd", "jod", "kwd", "omr", "tnd"];
/// Counted in hundredths, of which only whole hundreds may be charged.
const WHOLE_HUNDREDS: &[&str] = &["isk", "ugx"];
/// The smallest charge by currency; where the page names none, one chargeable unit.
const MINIMUM: &[(&str, i64)] = &[
    ("usd", 50),
    ("aed", 200),
    ("aud", 50),
    ("bgn", 100),
    ("brl", 50),
    ("cad", 50),
    ("chf", 50),
    ("czk", 1500),
    ("dkk", 250),
    ("eur", 50),
    ("gbp", 30),
    ("hkd", 400),
    ("huf", 17500),
    ("inr", 50),
    ("jpy", 50),
    ("mxn", 1000),
    ("myr", 200),
    ("nok", 300),
    ("nzd", 50),
    ("pln", 200),
    ("ron", 200),
    ("sek", 300),
    ("sgd", 50),
    ("thb", 1000),
];
/// The largest charge where it has more than eight digits.
const MAXIMUM: &[(&str, i64)] = &[
    ("cop", 9_999_999_999),
    ("huf", 9_999_999_999),
    ("idr", 999_999_999_999),
    ("inr", 999_999_999),
    ("jpy", 9_999_999_999),
    ("lbp", 999_999_999_999),
];
const EIGHT_DIGITS: i64 = 99_999_999;

/// A supported currency, in the lower case of Stripe's API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Currency(&'static str);

impl Currency {
    pub(crate) fn parse(code: &str) -> Result<Self, StripeError> {
        let code = code.to_ascii_lowercase();
        SUPPORTED.iter().find(|known| **known == code).map(|known| Self(known)).ok_or_else(|| {
            let known = SUPPORTED.join(", ");
            StripeError::invalid(format!("Invalid currency: {code}. The supported currencies are: {known}"))
                .param("currency")
        })
    }

    pub(crate) fn code(self) -> &'static str {
        self.0
    }

    /// Digits after the decimal point in the amounts of the API.
    fn decimals(self) -> usize {
        if ZERO_DECIMAL.contains(&self.0) {
            0
        } else if THREE_DECIMAL.contains(&self.0) {
            3
        } else {
            2
        }
    }

    /// Amounts are multiples of this.
    fn step(self) -> i64 {
        if THREE_DECIMAL.contains(&self.0) {
            10
        } else if WHOLE_HUNDREDS.contains(&self.0) {
            100
        } else {
            1
        }
    }

    /// Checks an amount to charge.
    pub(crate) fn check_charge(self, amount: i64) -> Result<(), StripeError> {
        let table =
            |rows: &[(&str, i64)]| rows.iter().find(|(code, _)| *code == self.0).map(|(_, limit)| *limit);
        let minimum = table(MINIMUM).unwrap_or(self.step());
        let maximum = table(MAXIMUM).unwrap_or(EIGHT_DIGITS);
        if amount < 1 {
            return Err(StripeError::invalid("This value must be greater than or equal to 1.")
                .code("parameter_invalid_integer")
                .param("amount"));
        }
        if amount < minimum {
            let limit = self.format(minimum);
            return Err(StripeError::invalid(format!("Amount must be at least {limit}"))
                .code("amount_too_small")
                .param("amount"));
        }
        if amount > maximum {
            let limit = self.format(maximum);
            return Err(StripeError::invalid(format!("Amount must be no more than {limit}"))
                .code("amount_too_large")
                .param("amount"));
        }
        self.check_step(amount, "amount")
    }

    /// Checks that an amount is one the currency's cards can move.
    pub(crate) fn check_step(self, amount: i64, param: &str) -> Result<(), StripeError> {
        let step = self.step();
        if amount % step == 0 {
            return Ok(());
        }
        let code = self.0.to_ascii_uppercase();
        Err(StripeError::invalid(format!("Invalid amount: amounts in {code} must be multiples of {step}."))
            .code("invalid_charge_amount")
            .param(param))
    }

    /// The amount as a person writes it: `120.00 EUR`, `500 JPY`.
    pub(crate) fn format(self, amount: i64) -> String {
        format_decimal(amount, self.decimals(), self.0)
    }
}

/// An amount of the API as a person writes it; a currency unknown here has two decimals, as most have.
#[must_use]
pub fn format_amount(amount: i64, currency: &str) -> String {
    match Currency::parse(currency) {
        Ok(currency) => currency.format(amount),
        Err(_) => format_decimal(amount, 2, currency),
    }
}

fn format_decimal(amount: i64, decimals: usize, code: &str) -> String {
    let code = code.to_ascii_uppercase();
    let sign = if amount < 0 { "-" } else { "" };
    let digits = format!("{:0width$}", amount.unsigned_abs(), width = decimals + 1);
    let (whole, fraction) = digits.split_at(digits.len() - decimals);
    if fraction.is_empty() {
        format!("{sign}{whole} {code}")
    } else {
        format!("{sign}{whole}.{fraction} {code}")
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("eur", 50, None)]
    #[case("EUR", 50, None)]
    #[case("eur", 49, Some("amount_too_small"))]
    #[case("eur", 0, Some("parameter_invalid_integer"))]
    #[case("eur", -5, Some("parameter_invalid_integer"))]
    #[case("usd", 99_999_999, None)]
    #[case("usd", 100_000_000, Some("amount_too_large"))]
    #[case("idr", 999_999_999_999, None)]
    #[case("jpy", 50, None)]
    #[case("jpy", 49, Some("amount_too_small"))]
    #[case("kwd", 5120, None)]
    #[case("kwd", 5124, Some("invalid_charge_amount"))]
    #[case("isk", 500, None)]
    #[case("isk", 550, Some("invalid_charge_amount"))]
    #[case("ugx", 100, None)]
    #[case("ugx", 101, Some("invalid_charge_amount"))]
    #[case("mga", 7, None)]
    #[case("huf", 17_550, None)]
    #[case("twd", 1_234, None)]
    fn amounts_are_taken_as_the_currency_allows(
        #[case] code: &str,
        #[case] amount: i64,
        #[case] refused: Option<&str>,
    ) {
        let result = Currency::parse(code).unwrap().check_charge(amount);
        let found = result.err().map(|error| error.body()["error"]["code"].as_str().unwrap().to_owned());
        assert_eq!(found.as_deref(), refused);
    }

    #[rstest]
    #[case(12_000, "eur", "120.00 EUR")]
    #[case(5, "eur", "0.05 EUR")]
    #[case(500, "jpy", "500 JPY")]
    #[case(5120, "kwd", "5.120 KWD")]
    #[case(500, "isk", "5.00 ISK")]
    #[case(-150, "usd", "-1.50 USD")]
    #[case(0, "jpy", "0 JPY")]
    fn amounts_read_as_a_person_writes_them(#[case] amount: i64, #[case] code: &str, #[case] shown: &str) {
        assert_eq!(format_amount(amount, code), shown);
    }

    #[test]
    fn an_unknown_currency_is_refused() {
        let error = Currency::parse("xyz").unwrap_err();
        assert_eq!((error.status, &error.body()["error"]["param"]), (400, &serde_json::json!("currency")));
    }
}
