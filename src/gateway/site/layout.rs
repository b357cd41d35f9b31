//! The frame of every page, and the headers that go with it.

use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::assets::{ICON_AT, SCRIPT_AT, STYLE_AT};
use super::lang::Lang;
use super::parts::{house, percent_encoded};
use super::visitor::Visitor;
use crate::door::Door;

/// Nothing from elsewhere, and nothing in the page itself that is run or styles it.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The same with Stripe's form, which is Stripe's own page in a frame.
const WITH_STRIPE: &str = "default-src 'none'; script-src 'self' https://js.stripe.com; style-src 'self'; \
                           img-src 'self'; connect-src 'self' https://api.stripe.com; \
                           frame-src https://js.stripe.com https://hooks.stripe.com; form-action 'self'; \
                           base-uri 'none'; frame-ancestors 'none'";

/// A page, without its frame.
pub(crate) struct Page {
    /// Its title.
    pub(crate) title: String,
    /// What stands above the column in full width.
    pub(crate) banner: Option<Markup>,
    /// What it is about.
    pub(crate) body: Markup,
    /// After how many seconds a browser without JavaScript loads it again.
    pub(crate) again: Option<u32>,
    /// Whether Stripe's form is on it: then, and only then, its script and its frame are let in.
    pub(crate) pays_with_stripe: bool,
}

impl Page {
    /// A page with a title.
    pub(crate) fn new(title: impl Into<String>, body: Markup) -> Self {
        Self { title: title.into(), banner: None, body, again: None, pays_with_stripe: false }
    }

    /// With something above.
    pub(crate) fn under(mut self, banner: Markup) -> Self {
        self.banner = Some(banner);
        self
    }

    /// As it is sent.
    pub(crate) fn answer(self, door: &Door, visitor: &Visitor, status: StatusCode) -> Response {
        let notice = notice(door, visitor);
        let text = frame(door, visitor, &self, notice.as_ref()).into_string();
        let mut response = (status, text).into_response();
        let headers = response.headers_mut();
        let fixed = |text: &'static str| HeaderValue::from_static(text);
        headers.insert(header::CONTENT_TYPE, fixed("text/html; charset=utf-8"));
        headers.insert(header::CACHE_CONTROL, fixed("private, no-store"));
        headers.insert(header::CONTENT_LANGUAGE, fixed(visitor.lang.tag()));
        headers.insert(header::VARY, fixed("cookie, accept-language"));
        headers.insert(header::AGE, HeaderValue::from(door.age()));
        guard(headers, if self.pays_with_stripe { WITH_STRIPE } else { POLICY });
        response
    }
}

/// What keeps a page from being misused.
fn guard(headers: &mut http::HeaderMap, policy: &'static str) {
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::STRICT_TRANSPORT_SECURITY, "max-age=31536000"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=()"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

/// That what is shown may be old, where it is.
fn notice(door: &Door, visitor: &Visitor) -> Option<Markup> {
    let age = door.age_of_what_is_too_old()?;
    Some(html! {
        div .notice .screen role="status" { p { ((visitor.texts().stale_notice)(age.as_secs())) } }
    })
}

fn frame(door: &Door, visitor: &Visitor, page: &Page, notice: Option<&Markup>) -> Markup {
    let t = visitor.texts();
    let settings = door.settings();
    let brand = &settings.site.title;
    html! {
        (DOCTYPE)
        html lang=(visitor.lang.tag()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (page.title) " · " (brand) }
                link rel="icon" href=(*ICON_AT) type="image/svg+xml";
                link rel="stylesheet" href=(*STYLE_AT);
                script src=(*SCRIPT_AT) defer {}
                @if let Some(seconds) = page.again {
                    noscript { meta http-equiv="refresh" content=(seconds); }
                }
            }
            body {
                a .skip href="#main" { (t.skip) }
                header .top {
                    div .wrap {
                        a .brand href="/" { (house()) span { (brand) } }
                        (menu(visitor, door.sign_in.is_some()))
                    }
                }
                main #main tabindex="-1" .home[page.banner.is_some()] {
                    @if let Some(banner) = &page.banner { (banner) }
                    div .wrap .stack-large {
                        @if let Some(notice) = notice { (notice) }
                        (page.body)
                    }
                }
                footer .foot {
                    div .wrap {
                        p { (t.footer) }
                        nav aria-label=(t.languages) { ul { @for lang in Lang::ALL { li { (language(visitor, lang)) } } } }
                        a href="/docs" hreflang="en" { (t.for_partners) }
                    }
                }
            }
        }
    }
}

fn menu(visitor: &Visitor, can_sign_in: bool) -> Markup {
    let t = visitor.texts();
    let path = visitor.here.split('?').next().unwrap_or_default();
    let here = |at: &str| (path == at).then_some("page");
    html! {
        nav aria-label=(t.menu) {
            ul {
                li { a href="/" aria-current=[here("/")] { (t.search_link) } }
                @if visitor.is_guest() {
                    li { a href="/stays" aria-current=[here("/stays")] { (t.my_stays) } }
                    li { form method="post" action="/sign-out" { (visitor.proof()) button .plain type="submit" { (t.sign_out) } } }
                } @else if can_sign_in {
                    li { a href=(Visitor::sign_in_at(&visitor.here)) { (t.sign_in) } }
                }
            }
        }
    }
}

fn language(visitor: &Visitor, lang: Lang) -> Markup {
    let to = format!("/language/{}?back={}", lang.tag(), percent_encoded(&visitor.here));
    let current = (lang == visitor.lang).then_some("true");
    html! { a href=(PreEscaped(to)) lang=(lang.tag()) hreflang=(lang.tag()) aria-current=[current] { (lang.name()) } }
}
