//! The page on which one says who one is.

use std::fmt::Write as _;

/// Everything a page needs to look decent, in its own file so that nothing in the page itself counts as code.
pub(crate) const STYLE: &str = "\
:root{color-scheme:light dark;font:1rem/1.5 system-ui,sans-serif}\
body{max-width:26rem;margin:3rem auto;padding:0 1rem}\
h1{font-size:1.4rem}\
button,input{font:inherit;padding:.6rem .8rem;border-radius:.5rem;border:1px solid GrayText;width:100%;box-sizing:border-box}\
button{cursor:pointer;margin:.25rem 0}\
label{display:block;margin:.75rem 0 .25rem}\
p.note{border-left:.25rem solid #b45309;padding-left:.75rem}\
";

/// Made-up guests to choose from: name and address, the addresses of a domain that is nobody's.
pub(crate) const GUESTS: [(&str, &str); 4] = [
    ("Anna Almeida", "anna@example.com"),
    ("Ben Baker", "ben@example.com"),
    ("Chris Chen", "chris@example.com"),
    ("Dana Dimitrov", "dana@example.com"),
];

/// The page, with what came in the question in hidden fields. Its addresses are relative: a site that guests' browsers
/// reach may show it among its own.
pub(crate) fn page(client: &str, question: &[(String, String)]) -> String {
    let mut hidden = String::new();
    for (name, value) in question {
        // Writing to a text cannot fail.
        let _ =
            write!(hidden, r#"<input type="hidden" name="{}" value="{}">"#, escaped(name), escaped(value));
    }
    let mut guests = String::new();
    for (index, (name, email)) in GUESTS.iter().enumerate() {
        let _ = write!(
            guests,
            r#"<form method="post" action="authorize">{hidden}<button name="guest" value="{index}">{name} ({email})</button></form>"#
        );
    }
    format!(
        r#"<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>Who are you?</title><link rel="stylesheet" href="style.css"></head>
<body><main><h1>Who are you?</h1>
<p class="note">A test issuer: anybody may be anybody here, and no password is asked for. Do not enter a real name or address.</p>
<p>You are signing in to <strong>{client}</strong>.</p>
{guests}
<form method="post" action="authorize">{hidden}
<label for="name">Somebody else</label><input id="name" name="name" required maxlength="100" autocomplete="off">
<label for="email">E-mail address (made up)</label><input id="email" name="email" type="email" maxlength="200" autocomplete="off">
<button>Sign in</button></form>
</main></body></html>
"#,
        client = escaped(client),
    )
}

/// A text that is nothing but text in a page.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe += "&amp;",
            '<' => safe += "&lt;",
            '>' => safe += "&gt;",
            '"' => safe += "&quot;",
            '\'' => safe += "&#39;",
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sent_stays_text() {
        let page = page("<b>", &[("state".into(), "\"><script>".into())]);
        assert!(page.contains("&lt;b&gt;") && page.contains("&quot;&gt;&lt;script&gt;"));
        assert!(!page.contains("<b>") && !page.contains("<script>"));
    }
}
