//! Recognises what looks like a card number, so that it is refused before it is logged or stored.
//!
//! It must not take the numbers we do send for cards: identifiers with letters beside the digits, UUIDs and times
//! are let pass.

/// Whether the text has a card number in it: 13 to 19 digits, perhaps in groups, standing alone, with a payment
/// network's first digit and a right check digit.
pub(crate) fn looks_like_card(text: &str) -> bool {
    let joins = |c: char| c.is_ascii_digit() || c == ' ' || c == '-';
    let mut before: Option<char> = None;
    let mut run = String::new();
    for c in text.chars().map(Some).chain([None]) {
        match c {
            Some(c) if joins(c) => run.push(c),
            _ => {
                if is_card(before, &run, c) {
                    return true;
                }
                run.clear();
                before = c;
            }
        }
    }
    false
}

/// Judges a run of digits, spaces and dashes by what stands before and after it.
fn is_card(before: Option<char>, run: &str, after: Option<char>) -> bool {
    let number = run.trim_matches(' ');
    let touches = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    if (run.starts_with(number) && touches(before)) || (run.ends_with(number) && touches(after)) {
        return false;
    }
    if number.starts_with('-') || number.ends_with('-') {
        return false;
    }
    let digits: Vec<u32> = number.chars().filter_map(|c| c.to_digit(10)).collect();
    (13..=19).contains(&digits.len()) && (2..=6).contains(&digits[0]) && luhn(&digits)
}

fn luhn(digits: &[u32]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(index, digit)| match digit * 2 {
            doubled if index % 2 == 1 => doubled / 10 + doubled % 10,
            _ => *digit,
        })
        .sum();
    sum.is_multiple_of(10)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("4242424242424242", true)]
    #[case("4242 4242 4242 4242", true)]
    #[case("4242-4242-4242-4242", true)]
    #[case("378282246310005", true)]
    #[case("card 5555555555554444, exp 12/30", true)]
    #[case("4242424242424241", false)]
    #[case("pi_4242424242424242", false)]
    #[case("key/4242424242424242", true)]
    #[case("1700000000000000", false)]
    #[case("42424242-4242-4242-4242-424242424242", false)]
    #[case("a4242424-2424-2424-b242-424242424242", false)]
    #[case("2026-11-22", false)]
    #[case("", false)]
    fn card_numbers_are_told_from_other_numbers(#[case] text: &str, #[case] card: bool) {
        assert_eq!(looks_like_card(text), card);
    }
}
