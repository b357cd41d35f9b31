//! The issuer, as OpenID Connect describes it: its documents, which are fetched when they are needed and kept; the way
//! to it; and the check of what it answers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreIdToken, CoreIdTokenClaims, CoreJwsSigningAlgorithm,
    CoreProviderMetadata,
};
use openidconnect::{
    AuthorizationCode, ClaimsVerificationError, ClientId, ClientSecret, CsrfToken, EndpointMaybeSet,
    EndpointNotSet, EndpointSet, HttpRequest, HttpResponse, IssuerUrl, Nonce, PkceCodeChallenge,
    PkceCodeVerifier, RedirectUrl, RequestTokenError, Scope, SignatureVerificationError, TokenResponse,
};
use tokio::sync::Mutex;

/// How long what the issuer has published is used before it is fetched again. Keys it has withdrawn are good for that
/// long at most.
const FRESH_FOR: Duration = Duration::from_secs(600);
/// How long nobody asks again after the issuer has not answered, so that those who wait do not wait in a row.
const REST: Duration = Duration::from_secs(2);
/// How often at most keys are fetched because a token names one that is not known: anybody can name one.
const NEW_KEYS_EVERY: Duration = Duration::from_secs(30);
/// More bytes than this no answer may have.
const MOST_BYTES: usize = 512 * 1024;
/// What of a name and of an address is kept; a cookie has room for so much.
const MOST_OF_NAME: usize = 128;
const MOST_OF_EMAIL: usize = 254;

/// Ways of signing that count: each with a key of which only the issuer has the secret half.
const SIGNED_BY: [CoreJwsSigningAlgorithm; 9] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha384,
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha512,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha384,
    CoreJwsSigningAlgorithm::RsaSsaPssSha512,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

type Client = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// Why nobody could be signed in.
#[derive(Debug, thiserror::Error)]
pub(super) enum SignInError {
    /// The issuer does not answer as it should; it may later.
    #[error("the issuer is not there: {0}")]
    Away(String),
    /// What came back is not good.
    #[error("what came back is refused: {0}")]
    Refused(String),
}

/// What goes away to the issuer, and what must be kept until the guest is back.
pub(super) struct Question {
    /// Where the browser goes.
    pub url: String,
    /// What it comes back with.
    pub state: String,
    /// What the token must have in it.
    pub nonce: String,
    /// What shows that whoever comes back is whoever asked.
    pub verifier: String,
}

/// Whom a token names.
pub(super) struct Person {
    pub issuer: String,
    pub subject: String,
    pub name: Option<String>,
    pub email: Option<String>,
}

/// The issuer. Clones share what is known of it.
#[derive(Clone)]
pub(super) struct Issuer(Arc<Inner>);

struct Inner {
    issuer: String,
    id: String,
    secret: Option<String>,
    redirect: String,
    scopes: Vec<String>,
    http: reqwest::Client,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    metadata: Option<(Arc<CoreProviderMetadata>, Instant)>,
    failed: Option<(String, Instant)>,
    new_keys: Option<Instant>,
}

/// The client by which an issuer is asked. It follows nothing and waits for so long.
pub(super) fn client(issuer: &str, timeout: Duration, root: Option<&str>) -> Result<reqwest::Client, String> {
    let mut http = reqwest::Client::builder()
        .user_agent(concat!("innkeeper/", env!("CARGO_PKG_VERSION")))
        .timeout(timeout)
        // Where a document is, its issuer says; nobody else may send us anywhere.
        .redirect(reqwest::redirect::Policy::none());
    if issuer.starts_with("http://") {
        // On this machine or in the cluster: no proxy leads there, and no certificate is needed.
        http = http.no_proxy().tls_certs_only([]);
    } else if let Some(root) = root {
        let roots = reqwest::Certificate::from_pem_bundle(root.as_bytes()).map_err(|e| e.to_string())?;
        if roots.is_empty() {
            return Err("has no certificate".to_owned());
        }
        http = http.tls_certs_only(roots);
    }
    http.build().map_err(|error| format!("cannot be used: {error}"))
}

impl Issuer {
    pub fn new(
        issuer: &str,
        id: &str,
        secret: Option<&str>,
        redirect: &str,
        scopes: &[String],
        http: reqwest::Client,
    ) -> Self {
        Self(Arc::new(Inner {
            issuer: issuer.to_owned(),
            id: id.to_owned(),
            secret: secret.filter(|secret| !secret.is_empty()).map(str::to_owned),
            redirect: redirect.to_owned(),
            scopes: scopes.to_vec(),
            http,
            known: Mutex::default(),
        }))
    }

    /// A new question. Fails where the issuer is not there.
    pub async fn ask(&self) -> Result<Question, SignInError> {
        let client = self.client(&*self.metadata().await?)?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let mut request = client.authorize_url(
            CoreAuthenticationFlow::AuthorizationCode,
            CsrfToken::new_random,
            Nonce::new_random,
        );
        for scope in self.0.scopes.iter().filter(|scope| *scope != "openid") {
            request = request.add_scope(Scope::new(scope.clone()));
        }
        let (url, state, nonce) = request.set_pkce_challenge(challenge).url();
        Ok(Question {
            url: url.into(),
            state: state.into_secret(),
            nonce: nonce.secret().clone(),
            verifier: verifier.into_secret(),
        })
    }

    /// Exchanges a code for a token, and says whom that names. Everything about it is checked: who signed it with which
    /// key, for whom it is, until when, and that it answers this question.
    pub async fn answer(&self, code: String, nonce: &str, verifier: String) -> Result<Person, SignInError> {
        let metadata = self.metadata().await?;
        let client = self.client(&metadata)?;
        let exchange = client.exchange_code(AuthorizationCode::new(code));
        let exchange = exchange.map_err(|error| SignInError::Away(error.to_string()))?;
        let http = |request: HttpRequest| call(self.0.http.clone(), request);
        let answer = exchange.set_pkce_verifier(PkceCodeVerifier::new(verifier)).request_async(&http).await;
        let answer = answer.map_err(|error| match error {
            // Its own words may repeat what it was sent.
            RequestTokenError::ServerResponse(said) => {
                SignInError::Refused(format!("the issuer does not take the code ({})", said.error()))
            }
            RequestTokenError::Request(error) => SignInError::Away(error.to_string()),
            RequestTokenError::Parse(..) => SignInError::Away("its answer cannot be read".to_owned()),
            RequestTokenError::Other(_) => SignInError::Away("it does not answer as it should".to_owned()),
        })?;
        let token =
            answer.id_token().ok_or_else(|| SignInError::Refused("there is no ID token".to_owned()))?;
        let nonce = Nonce::new(nonce.to_owned());
        let refused = match check(&client, token, &nonce) {
            Ok(claims) => return Ok(person(claims)),
            Err(error) => error,
        };
        if !matches!(
            refused,
            ClaimsVerificationError::SignatureVerification(SignatureVerificationError::NoMatchingKey)
        ) {
            return Err(SignInError::Refused(refused_because(&refused)));
        }
        // The issuer may have a new key since we looked.
        let Some(newer) = self.new_keys().await? else {
            return Err(SignInError::Refused("its key is not one of the issuer's".to_owned()));
        };
        let client = self.client(&newer)?;
        check(&client, token, &nonce)
            .map(person)
            .map_err(|error| SignInError::Refused(refused_because(&error)))
    }

    fn client(&self, metadata: &CoreProviderMetadata) -> Result<Client, SignInError> {
        let redirect = RedirectUrl::new(self.0.redirect.clone());
        let redirect = redirect.map_err(|error| SignInError::Refused(error.to_string()))?;
        let secret = self.0.secret.clone().map(ClientSecret::new);
        let id = ClientId::new(self.0.id.clone());
        Ok(CoreClient::from_provider_metadata(metadata.clone(), id, secret).set_redirect_uri(redirect))
    }

    /// What the issuer has published; fetched where it is not known or old. Old is better than nothing.
    async fn metadata(&self) -> Result<Arc<CoreProviderMetadata>, SignInError> {
        let mut known = self.0.known.lock().await;
        if let Some((metadata, since)) = &known.metadata
            && since.elapsed() < FRESH_FOR
        {
            return Ok(Arc::clone(metadata));
        }
        self.fetch(&mut known).await
    }

    /// What the issuer publishes now, unless that was fetched for the same reason a moment ago.
    async fn new_keys(&self) -> Result<Option<Arc<CoreProviderMetadata>>, SignInError> {
        let mut known = self.0.known.lock().await;
        if known.new_keys.is_some_and(|last| last.elapsed() < NEW_KEYS_EVERY) {
            return Ok(None);
        }
        known.new_keys = Some(Instant::now());
        self.fetch(&mut known).await.map(Some)
    }

    async fn fetch(&self, known: &mut Known) -> Result<Arc<CoreProviderMetadata>, SignInError> {
        if let Some((reason, since)) = &known.failed
            && since.elapsed() < REST
        {
            let known = known.metadata.as_ref().map(|(metadata, _)| Arc::clone(metadata));
            return known.ok_or_else(|| SignInError::Away(reason.clone()));
        }
        match self.discover().await {
            Ok(metadata) => {
                let metadata = Arc::new(metadata);
                known.metadata = Some((Arc::clone(&metadata), Instant::now()));
                known.failed = None;
                Ok(metadata)
            }
            Err(reason) => {
                tracing::warn!(issuer = self.0.issuer, reason, "the issuer cannot be asked");
                known.failed = Some((reason.clone(), Instant::now()));
                match &known.metadata {
                    Some((metadata, _)) => Ok(Arc::clone(metadata)),
                    None => Err(SignInError::Away(reason)),
                }
            }
        }
    }

    async fn discover(&self) -> Result<CoreProviderMetadata, String> {
        let http = |request: HttpRequest| call(self.0.http.clone(), request);
        let issuer = IssuerUrl::new(self.0.issuer.clone()).map_err(|error| error.to_string())?;
        let metadata = CoreProviderMetadata::discover_async(issuer, &http).await;
        metadata.map_err(|error| causes(&error))
    }
}

/// Who is named by a token that is good.
fn check<'a>(
    client: &Client,
    token: &'a CoreIdToken,
    nonce: &Nonce,
) -> Result<&'a CoreIdTokenClaims, ClaimsVerificationError> {
    let verifier = client.id_token_verifier().set_allowed_algs(SIGNED_BY);
    token.claims(&verifier, nonce)
}

fn person(claims: &CoreIdTokenClaims) -> Person {
    let short = |text: &str, most: usize| {
        Some(text.trim()).filter(|text| !text.is_empty() && text.chars().count() <= most).map(str::to_owned)
    };
    Person {
        issuer: claims.issuer().to_string(),
        subject: claims.subject().to_string(),
        name: claims.name().and_then(|name| name.get(None)).and_then(|name| short(name, MOST_OF_NAME)),
        // An address that nobody has shown to be theirs is filled in all the same: it is theirs to change.
        email: claims.email().and_then(|email| short(email, MOST_OF_EMAIL)),
    }
}

/// Why a token is refused, without what is in it.
fn refused_because(error: &ClaimsVerificationError) -> String {
    match error {
        ClaimsVerificationError::Expired(_) => "the token has expired",
        ClaimsVerificationError::InvalidAudience(_) => "the token is for somebody else",
        ClaimsVerificationError::InvalidIssuer(_) => "the token is another issuer's",
        ClaimsVerificationError::InvalidNonce(_) => "the token answers another question",
        ClaimsVerificationError::SignatureVerification(SignatureVerificationError::NoMatchingKey) => {
            "its key is not one of the issuer's"
        }
        ClaimsVerificationError::SignatureVerification(SignatureVerificationError::DisallowedAlg(_)) => {
            "the token is not signed in a way that counts"
        }
        ClaimsVerificationError::SignatureVerification(_) => "the token's signature is wrong",
        _ => "the token is not as it must be",
    }
    .to_owned()
}

/// An answer that cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct CallError(String);

/// One request of the library's, by our client.
pub(super) async fn call(http: reqwest::Client, request: HttpRequest) -> Result<HttpResponse, CallError> {
    let wrong = |error: reqwest::Error| CallError(causes(&error.without_url()));
    let request = reqwest::Request::try_from(request).map_err(wrong)?;
    let mut answer = http.execute(request).await.map_err(wrong)?;
    let mut response = http::Response::builder().status(answer.status());
    if let Some(headers) = response.headers_mut() {
        headers.clone_from(answer.headers());
    }
    let mut body = Vec::new();
    while let Some(part) = answer.chunk().await.map_err(wrong)? {
        if body.len() + part.len() > MOST_BYTES {
            return Err(CallError("its answer is too long".to_owned()));
        }
        body.extend_from_slice(&part);
    }
    response.body(body).map_err(|error| CallError(error.to_string()))
}

/// An error with what is behind it.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}
