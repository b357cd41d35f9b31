//! Signing in with OpenID Connect: away to the issuer with a question that only this browser can have asked, and back
//! with a code that is exchanged for a token, of which everything is checked.
//!
//! The issuer may be down, and everything else goes on: its documents are fetched when somebody signs in, and kept.

mod issuer;
mod passage;
mod routes;

use std::path::PathBuf;

use innkeeper_ops::config;

use crate::identity::Guest;
use crate::secrets::{GuestIds, SecretError, SessionKeys, text_of};
use issuer::Issuer;
use passage::Passage;
pub(crate) use routes::routes;

/// The part of the public address to which the issuer sends guests back.
pub(crate) const CALLBACK: &str = "/sign-in/callback";
/// The part of the public address under which browsers reach an issuer that they cannot reach by themselves.
const PASSAGE: &str = "/sign-in/issuer";

/// The keys and the issuer by which guests are known. Made from files at the start.
#[derive(Clone)]
pub struct Guests {
    pub(crate) keys: SessionKeys,
    pub(crate) keys_file: Option<PathBuf>,
    pub(crate) sign_in: Option<SignIn>,
}

impl Guests {
    /// Reads every file that the configuration names. Fails where one cannot be read or is wrong.
    pub fn load(gateway: &config::Gateway) -> Result<Self, SecretError> {
        let keys = gateway.session.keys_file.as_deref().map(SessionKeys::load).transpose()?;
        Ok(Self {
            keys: keys.unwrap_or_else(SessionKeys::of_this_process),
            keys_file: gateway.session.keys_file.clone(),
            sign_in: SignIn::load(gateway)?,
        })
    }
}

/// Signs guests in.
#[derive(Clone)]
pub(crate) struct SignIn {
    issuer: Issuer,
    ids: GuestIds,
    passage: Option<Passage>,
}

impl SignIn {
    fn load(gateway: &config::Gateway) -> Result<Option<Self>, SecretError> {
        let settings = &gateway.sign_in;
        // The configuration's rules see to it that these come together.
        let (Some(issuer), Some(public_url), Some(key)) =
            (&settings.issuer, &gateway.public_url, &settings.guest_key_file)
        else {
            return Ok(None);
        };
        let secret = settings.client_secret_file.as_deref();
        let secret = secret.map(|file| text_of("gateway.signIn.clientSecretFile", file)).transpose()?;
        let root = settings.root_ca_file.as_deref();
        let root = root.map(|file| text_of("gateway.signIn.rootCaFile", file)).transpose()?;
        let http = issuer::client(issuer, settings.timeout, root.as_deref()).map_err(|reason| {
            let file = settings.root_ca_file.clone().unwrap_or_default();
            SecretError::new("gateway.signIn.rootCaFile", &file, reason)
        })?;
        let passage = settings.through_gateway.then(|| Passage::new(issuer, public_url, http.clone()));
        Ok(Some(Self {
            passage,
            issuer: Issuer::new(
                issuer,
                &settings.client_id,
                secret.as_deref().map(str::trim),
                &format!("{public_url}{CALLBACK}"),
                &settings.scopes,
                http,
            ),
            ids: GuestIds::load(key)?,
        }))
    }

    /// The guest whom a token names.
    fn guest(&self, person: issuer::Person) -> Guest {
        let issuer::Person { issuer, subject, name, email } = person;
        Guest { id: self.ids.id_of(&issuer, &subject), name, email }
    }
}
