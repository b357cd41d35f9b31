//! The forms that texts of the configuration must have: names, finalizers, addresses, paths.
//!
//! Each check answers with what to write instead. None looks anything up.

use axum::http::Uri;
use serde_json::Value;

use super::error::is_key;

/// One part of a name: at most 63 small letters, digits and dashes, no dash at either end.
fn is_label(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (1..=63).contains(&text.len()) && text.chars().all(fits) && !text.starts_with('-') && !text.ends_with('-')
}

fn is_subdomain(text: &str) -> bool {
    text.len() <= 253 && text.split('.').all(is_label)
}

pub(super) fn check_label(text: &str) -> Result<(), String> {
    if is_label(text) {
        return Ok(());
    }
    Err(format!("`{text}` is no name of a namespace; use at most 63 small letters, digits and inner dashes"))
}

pub(super) fn check_subdomain(text: &str) -> Result<(), String> {
    if is_subdomain(text) {
        return Ok(());
    }
    Err(format!(
        "`{text}` is no name of an object; use small letters, digits, and dashes and dots between them"
    ))
}

pub(super) fn check_finalizer(text: &str) -> Result<(), String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let named = text.split_once('/').is_some_and(|(domain, name)| {
        is_subdomain(domain)
            && (1..=63).contains(&name.len())
            && name.chars().all(fits)
            && name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.ends_with(|c: char| c.is_ascii_alphanumeric())
    });
    if named {
        Ok(())
    } else {
        Err(format!("`{text}` is no finalizer; give a domain and a name, like example.com/name"))
    }
}

pub(super) fn check_origin(text: &str) -> Result<(), String> {
    let wrong = || {
        Err(format!(
            "`{text}` is no address of a server; give http:// or https://, a host, and perhaps a port, and nothing more"
        ))
    };
    let Ok(uri) = text.parse::<Uri>() else { return wrong() };
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else { return wrong() };
    let bare = matches!(uri.path(), "" | "/") && uri.query().is_none() && !text.ends_with(['?', '#']);
    if !matches!(scheme, "http" | "https") || !bare || authority.as_str().contains('@') {
        return wrong();
    }
    let host = authority.host();
    if scheme == "http" && (host == "stripe.com" || host.ends_with(".stripe.com")) {
        return Err(format!("the key would travel in the clear; write https://{host}"));
    }
    Ok(())
}

/// The origin of a page, as browsers write it: in small letters, without a path.
pub(super) fn check_page_origin(text: &str) -> Result<(), String> {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let fits =
        |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.' | ':' | '[' | ']');
    if rest.is_some_and(|host| !host.is_empty() && host.chars().all(fits)) && text.parse::<Uri>().is_ok() {
        return Ok(());
    }
    Err(format!("`{text}` is no origin; write it as browsers do, like https://booking.example.com"))
}

pub(super) fn check_file(text: &str) -> Result<(), String> {
    if is_key(text) {
        return Err(
            "this is the provider's key itself; put it into a file and give that file's path".to_owned()
        );
    }
    if text.is_empty() { Err("the path of a file is missing".to_owned()) } else { Ok(()) }
}

/// A type of events, or how several begin.
pub(super) fn check_event_type(text: &str) -> Result<(), String> {
    let beginning = text.strip_suffix('*').unwrap_or(text);
    let fits = |c: char| c.is_ascii_lowercase() || c == '.';
    if !text.is_empty() && beginning.chars().all(fits) {
        return Ok(());
    }
    Err(format!(
        "`{text}` is no type of events; write one like dev.innkeeper.reservation.confirmed, or dev.innkeeper.reservation.*"
    ))
}

/// A host and a port.
pub(super) fn check_broker(text: &str) -> Result<(), String> {
    let (host, port) = text.rsplit_once(':').unwrap_or((text, ""));
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ':' | '[' | ']');
    if !host.is_empty() && host.chars().all(fits) && port.parse::<u16>().is_ok_and(|port| port > 0) {
        return Ok(());
    }
    Err(format!("`{text}` is no broker; give its host and port, like kafka:9092"))
}

/// The name of a topic, as Kafka allows it.
pub(super) fn check_topic(text: &str) -> Result<(), String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if (1..=249).contains(&text.len()) && text.chars().all(fits) && !matches!(text, "." | "..") {
        return Ok(());
    }
    Err(format!("`{text}` is no name of a topic; use at most 249 letters, digits, `.`, `_` and `-`"))
}

/// What is wrong with a receiver's own fields, by their names.
pub(super) fn check_receiver(receiver: &Value) -> Vec<(String, String)> {
    let mut broken = Vec::new();
    let text = |field: &str| receiver[field].as_str();
    let name = text("name").unwrap_or_default();
    if !is_label(name) || matches!(name, "file" | "kafka") {
        let why = format!(
            "`{name}` is no name of a receiver; use at most 63 small letters, digits and inner dashes, and neither file nor kafka"
        );
        broken.push(("name".to_owned(), why));
    }
    let url = text("url").unwrap_or_default();
    let there = url.parse::<Uri>().is_ok_and(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https"))
            && uri.authority().is_some_and(|authority| !authority.as_str().contains('@'))
    });
    if !there {
        // Not shown: somebody may have put a password into it.
        let why = "this is no address of a receiver; give http:// or https://, a host, and perhaps a port and a path";
        broken.push(("url".to_owned(), why.to_owned()));
    }
    for field in ["secretFile", "caFile"] {
        if let Some(Err(why)) = text(field).map(check_file) {
            broken.push((field.to_owned(), why));
        }
    }
    broken
}

/// Where browsers reach the gateway: https, or this machine.
pub(super) fn check_public_url(text: &str) -> Result<(), String> {
    check_page_origin(text)?;
    if text.starts_with("https://") || is_loopback(text) {
        return Ok(());
    }
    Err(format!(
        "guests' cookies would travel in the clear from `{text}`; write https://, or http://localhost"
    ))
}

/// An issuer as OpenID Connect names it: an address without a query, and https where others could listen.
pub(super) fn check_issuer(text: &str) -> Result<(), String> {
    let parsed = text.parse::<Uri>().ok();
    let parts = parsed.as_ref().and_then(|uri| Some((uri.scheme_str()?, uri.authority()?)));
    let bare = parsed.as_ref().is_some_and(|uri| uri.query().is_none()) && !text.contains(['?', '#', ' ']);
    match parts {
        Some((_, authority)) if !bare || authority.as_str().contains('@') => {}
        Some(("https", _)) => return Ok(()),
        Some(("http", authority)) => {
            let host = authority.host();
            if is_loopback(text) || is_of_a_cluster(host) {
                return Ok(());
            }
            return Err(format!(
                "tokens and secrets would travel in the clear to `{text}`; write https:// (http is for this machine and for services of the cluster, NAME.NAMESPACE.svc)"
            ));
        }
        _ => {}
    }
    Err(format!("`{text}` is no issuer; write it as its tokens name it, like https://accounts.example.com"))
}

/// Whether a host is a Service: `NAME.NAMESPACE.svc`, perhaps with `cluster.local` after it.
fn is_of_a_cluster(host: &str) -> bool {
    let mut parts = host.strip_suffix(".cluster.local").unwrap_or(host).split('.');
    parts.next_back() == Some("svc") && parts.count() == 2
}

/// Whether an address with its scheme is one of this machine.
fn is_loopback(text: &str) -> bool {
    let host = text.parse::<Uri>().ok().and_then(|uri| uri.host().map(str::to_owned)).unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

pub(super) fn check_client_id(text: &str) -> Result<(), String> {
    if (1..=256).contains(&text.len()) && text.chars().all(|c| c.is_ascii_graphic()) {
        return Ok(());
    }
    Err(format!(
        "`{text}` is no client id; give the one that the issuer knows, visible characters without spaces"
    ))
}

pub(super) fn check_title(text: &str) -> Result<(), String> {
    let fits = (1..=60).contains(&text.chars().count()) && text.trim() == text;
    if fits && !text.chars().any(char::is_control) {
        return Ok(());
    }
    Err("this is no title; give at most 60 characters in one line".to_owned())
}

/// The key that everybody may see, and not the other one.
pub(super) fn check_publishable_key(text: &str) -> Result<(), String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if text.strip_prefix("pk_").is_some_and(|rest| !rest.is_empty() && rest.chars().all(fits)) {
        return Ok(());
    }
    // Not shown: it may be the secret one.
    Err("this is no publishable key; give the one that begins with pk_, never the secret one".to_owned())
}

pub(super) fn check_scope(text: &str) -> Result<(), String> {
    let fits = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '\\');
    if (1..=128).contains(&text.len()) && text.chars().all(fits) {
        return Ok(());
    }
    Err(format!("`{text}` is no scope; give one word, like profile"))
}
