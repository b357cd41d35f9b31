//! Keys and certificates of one control plane: a certificate authority of its own, made anew each time and never used
//! anywhere else. Knows nothing about processes or requests.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};

use crate::error::{Error, Result, io};

/// The object identifier of `organizationName`. Kubernetes reads one group from each such entry of a subject; rcgen
/// keeps one entry of a kind, but takes this spelling for another kind. Two groups are what a test gets.
const ORGANISATION: [u64; 4] = [2, 5, 4, 10];

/// A certificate and its key, as files.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// The certificate authority and the folder it writes to.
pub(crate) struct Pki {
    folder: PathBuf,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Pki {
    /// Makes a certificate authority and writes its certificate and the keys of service accounts to `folder`.
    pub(crate) fn create(folder: PathBuf) -> Result<Self> {
        fs::create_dir_all(&folder).map_err(io("create", &folder))?;
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name.push(DnType::CommonName, "innkeeper-testbed");
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let pki = Self { folder, issuer: CertifiedIssuer::self_signed(parameters, KeyPair::generate()?)? };
        write(&pki.authority(), &pki.issuer.pem())?;
        let tokens = KeyPair::generate()?;
        write(&pki.token_key(), &tokens.serialize_pem())?;
        write(&pki.token_public_key(), &tokens.public_key_pem())?;
        Ok(pki)
    }

    /// The authority's certificate.
    pub(crate) fn authority(&self) -> PathBuf {
        self.folder.join("ca.crt")
    }

    /// The authority's certificate as DER.
    pub(crate) fn authority_der(&self) -> Vec<u8> {
        self.issuer.der().to_vec()
    }

    /// The key that signs tokens of service accounts.
    pub(crate) fn token_key(&self) -> PathBuf {
        self.folder.join("tokens.key")
    }

    /// The key that checks tokens of service accounts.
    pub(crate) fn token_public_key(&self) -> PathBuf {
        self.folder.join("tokens.pub")
    }

    /// A certificate for a server on loopback, good as a client's too (etcd presents its own to itself).
    pub(crate) fn server(&self, name: &str) -> Result<Identity> {
        let names = ["127.0.0.1", "10.0.0.1", "localhost", "kubernetes.default.svc"].map(str::to_owned);
        let mut parameters = CertificateParams::new(names.to_vec())?;
        parameters.distinguished_name.push(DnType::CommonName, name);
        self.issue(name, parameters)
    }

    /// A client certificate for a user and at most two groups; `name` is the file's. Fails when there are more groups.
    pub(crate) fn client(&self, name: &str, user: &str, groups: &[&str]) -> Result<Identity> {
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name.push(DnType::CommonName, user);
        let kinds = [DnType::OrganizationName, DnType::CustomDnType(ORGANISATION.to_vec())];
        if groups.len() > kinds.len() {
            return Err(Error::TooManyGroups(groups.len()));
        }
        for (kind, group) in kinds.into_iter().zip(groups) {
            parameters.distinguished_name.push(kind, *group);
        }
        self.issue(name, parameters)
    }

    fn issue(&self, name: &str, mut parameters: CertificateParams) -> Result<Identity> {
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        parameters.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ClientAuth, ExtendedKeyUsagePurpose::ServerAuth];
        parameters.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let certificate = parameters.signed_by(&key, &self.issuer)?;
        let identity = Identity {
            certificate: self.folder.join(format!("{name}.crt")),
            key: self.folder.join(format!("{name}.key")),
        };
        write(&identity.certificate, &certificate.pem())?;
        write(&identity.key, &key.serialize_pem())?;
        Ok(identity)
    }
}

impl std::fmt::Debug for Pki {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pki").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// Writes a file that only its owner reads.
pub(crate) fn write(path: &Path, text: &str) -> Result<()> {
    fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(io("write", path))
}
