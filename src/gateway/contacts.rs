//! Guests' names and addresses: one Secret for each Reservation, named by its UID, in a namespace of nothing else.
//!
//! They are nowhere else: not in the Reservation, not in a log, a metric or an Event. The Secret says of itself which
//! Reservation it belongs to, so that [`cleaning`] can find out whether that is still there.

pub(crate) mod cleaning;

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::model::views::StayView;
use crate::problem::FieldError;
use crate::writer::{MANAGER, WriteError, Writer};

/// Marks the Secrets that are contacts.
pub(crate) const LABEL: (&str, &str) = ("innkeeper.dev/contact", "reservation");
/// Where a contact says which Reservation it belongs to: its namespace and name.
pub(crate) const OF: [&str; 2] = ["innkeeper.dev/reservation-namespace", "innkeeper.dev/reservation-name"];

/// How a guest is called and reached.
#[derive(Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Contact {
    /// How the guest is called.
    #[schema(min_length = 1, max_length = 128, example = "Anna Almeida")]
    pub name: String,
    /// The guest's e-mail address.
    #[schema(min_length = 3, max_length = 254, format = Email, example = "anna@example.com")]
    pub email: Option<String>,
    /// The guest's telephone number.
    #[schema(
        min_length = 3,
        max_length = 32,
        pattern = r"^\+?[0-9][0-9 ()./-]*$",
        example = "+351 21 000 0000"
    )]
    pub phone: Option<String>,
}

/// Without anything of it.
impl fmt::Debug for Contact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Contact")
    }
}

impl Contact {
    /// Every field that is wrong, with the path of the contact before its name.
    pub(crate) fn faults(&self, path: &str) -> Vec<FieldError> {
        let mut faults = Vec::new();
        let mut check = |field: &str, right: bool, detail: &str| {
            if !right {
                faults.push(FieldError { field: format!("{path}{field}"), detail: detail.to_owned() });
            }
        };
        let is_line = |text: &str, most: usize| {
            (1..=most).contains(&text.chars().count())
                && text.trim() == text
                && !text.chars().any(char::is_control)
        };
        check(
            "name",
            is_line(&self.name, 128),
            "is how the guest is called, at most 128 characters in one line.",
        );
        let email = self.email.as_deref().is_none_or(|email| {
            let parts = email.rsplit_once('@');
            is_line(email, 254)
                && !email.contains(char::is_whitespace)
                && parts.is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty())
        });
        check("email", email, "is an e-mail address, such as anna@example.com.");
        let phone = self.phone.as_deref().is_none_or(|phone| {
            let rest = phone.strip_prefix('+').unwrap_or(phone);
            (3..=32).contains(&phone.len())
                && rest.starts_with(|c: char| c.is_ascii_digit())
                && rest.chars().all(|c| c.is_ascii_digit() || " ()./-".contains(c))
        });
        check("phone", phone, "is a telephone number, such as +351 21 000 0000.");
        faults
    }

    fn data(&self) -> BTreeMap<String, ByteString> {
        let fields =
            [("name", Some(&self.name)), ("email", self.email.as_ref()), ("phone", self.phone.as_ref())];
        let bytes = |text: &String| ByteString(text.clone().into_bytes());
        fields.into_iter().filter_map(|(name, text)| Some((name.to_owned(), bytes(text?)))).collect()
    }

    fn of(secret: &Secret) -> Option<Self> {
        let field = |name: &str| {
            let bytes = secret.data.as_ref()?.get(name)?;
            String::from_utf8(bytes.0.clone()).ok()
        };
        Some(Self { name: field("name")?, email: field("email"), phone: field("phone") })
    }
}

/// Keeps contacts, and finds them again.
#[derive(Clone)]
pub(crate) struct Contacts {
    api: Api<Secret>,
    writer: Writer,
}

impl Contacts {
    /// In this namespace, through the breaker of all writes.
    pub(crate) fn new(client: Client, namespace: &str, writer: Writer) -> Self {
        Self { api: Api::namespaced(client, namespace), writer }
    }

    /// Keeps the contact of a Reservation; the same one again changes nothing, and another one takes its place.
    pub(crate) async fn put(
        &self,
        stay: &StayView,
        contact: &Contact,
        within: Duration,
    ) -> Result<(), WriteError> {
        let mut secret = Secret { data: Some(contact.data()), ..Secret::default() };
        secret.metadata.name = Some(stay.uid.clone());
        let label = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        secret.metadata.labels = Some(BTreeMap::from([
            label(LABEL.0, LABEL.1),
            label("app.kubernetes.io/name", "innkeeper"),
            label("app.kubernetes.io/component", "gateway"),
            label("app.kubernetes.io/part-of", "innkeeper"),
            label("app.kubernetes.io/managed-by", MANAGER),
        ]));
        secret.metadata.annotations =
            Some(BTreeMap::from([label(OF[0], &stay.namespace), label(OF[1], &stay.name)]));
        let params = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
        match self.writer.call(within, self.api.create(&params, &secret)).await {
            Err(WriteError::Exists) => {}
            written => return written.map(drop),
        }
        if self.get(&stay.uid, within).await?.as_ref() == Some(contact) {
            return Ok(());
        }
        // What is not in the new one is taken out.
        let mut data = serde_json::json!({ "name": null, "email": null, "phone": null });
        for (name, bytes) in contact.data() {
            data[name] = serde_json::to_value(bytes).unwrap_or_default();
        }
        let patch = Patch::Merge(serde_json::json!({ "data": data }));
        let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        self.writer.call(within, self.api.patch(&stay.uid, &params, &patch)).await.map(drop)
    }

    /// The contact of the Reservation with this UID, asked of the API server: for those who show it, not for every page.
    pub(crate) async fn get(&self, uid: &str, within: Duration) -> Result<Option<Contact>, WriteError> {
        let secret = self.writer.call(within, self.api.get_opt(uid)).await?;
        Ok(secret.as_ref().and_then(Contact::of))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn anna() -> Contact {
        Contact { name: "Anna Almeida".into(), email: Some("anna@example.com".into()), phone: None }
    }

    #[test]
    fn a_contact_is_read_back_from_its_secret_and_never_shown_in_a_log() {
        let secret = Secret { data: Some(anna().data()), ..Secret::default() };
        assert_eq!(Contact::of(&secret), Some(anna()));
        assert_eq!(format!("{:?}", anna()), "Contact");
        assert_eq!(Contact::of(&Secret::default()), None);
    }

    #[rstest]
    #[case("Anna", Some("anna@example.com"), Some("+351 21 000 0000"), &[])]
    #[case("김안나", None, None, &[])]
    #[case("", None, None, &["contact.name"])]
    #[case(" Anna", None, None, &["contact.name"])]
    #[case("Anna\nBcc: all", Some("anna@example.com\n"), None, &["contact.name", "contact.email"])]
    #[case("Anna", Some("anna"), Some("call me"), &["contact.email", "contact.phone"])]
    #[case("Anna", Some("anna @example.com"), Some("+"), &["contact.email", "contact.phone"])]
    #[case("Anna", Some("@example.com"), None, &["contact.email"])]
    fn every_field_is_checked(
        #[case] name: &str,
        #[case] email: Option<&str>,
        #[case] phone: Option<&str>,
        #[case] wrong: &[&str],
    ) {
        let (email, phone) = (email.map(str::to_owned), phone.map(str::to_owned));
        let faults = Contact { name: name.into(), email, phone }.faults("contact.");
        assert_eq!(faults.iter().map(|fault| &*fault.field).collect::<Vec<_>>(), wrong);
    }
}
