//! The development CA: certificates for `tls = dev`, of a root that only this home's owner can use.
//!
//! Root and key are made once and kept in one file of mode 0600; `imm agent ca` prints the root alone. Certificates are made in memory, for the names of a
//! route, and made anew before they run out. Whoever reads the file can pose as any server to whoever trusts the root: it is for development.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Mutex, OnceLock, PoisonError};

use imm_router::Certificate;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use time::{Duration, OffsetDateTime};

use crate::disk;
use crate::home::{Home, named};

const ROOT_YEARS: i64 = 10;
const VALID: Duration = Duration::days(90);
/// A certificate is made anew when this is left of its time.
const RENEW: Duration = Duration::days(30);
/// Clocks differ.
const BEFORE: Duration = Duration::hours(1);

/// The CA of a home, made when it is first used.
#[derive(Debug)]
pub struct DevCa {
    path: PathBuf,
    root: OnceLock<Root>,
    made: Mutex<BTreeMap<Vec<String>, (OffsetDateTime, Certificate)>>,
}

#[derive(Debug)]
struct Root {
    certificate: String,
    issuer: Issuer<'static, KeyPair>,
}

impl DevCa {
    /// The CA of this home. Nothing is read or made yet.
    #[must_use]
    pub fn of(home: &Home) -> Self {
        Self { path: home.dev_ca(), root: OnceLock::new(), made: Mutex::default() }
    }

    /// The root's certificate, as PEM.
    ///
    /// # Errors
    /// Its file can be neither read nor made.
    pub fn root(&self) -> io::Result<&str> {
        Ok(&self.opened()?.certificate)
    }

    /// A certificate for these names and addresses that is valid for a while yet.
    pub(crate) fn certificate(&self, names: &[String]) -> io::Result<Certificate> {
        let now = OffsetDateTime::now_utc();
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((until, certificate)) = made.get(names)
            && *until - now > RENEW
        {
            return Ok(certificate.clone());
        }
        let root = self.opened()?;
        let until = now + VALID;
        let certificate = leaf(root, names, now - BEFORE, until).map_err(io::Error::other)?;
        made.insert(names.to_vec(), (until, certificate.clone()));
        Ok(certificate)
    }

    fn opened(&self) -> io::Result<&Root> {
        if let Some(root) = self.root.get() {
            return Ok(root);
        }
        let text = match fs::read_to_string(&self.path) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => self.make()?,
            read => read.map_err(|cause| named(&self.path, &cause))?,
        };
        let root = Root::read(&text).map_err(|cause| {
            let said =
                format!("{}: it cannot be used ({cause}); remove it, and a new one is made", self.path.display());
            io::Error::new(io::ErrorKind::InvalidData, said)
        })?;
        Ok(self.root.get_or_init(|| root))
    }

    /// Makes the file, unless somebody else did meanwhile; its text either way.
    fn make(&self) -> io::Result<String> {
        let text = new_root().map_err(io::Error::other)?;
        let aside = self.path.with_extension(format!("{}.new", std::process::id()));
        disk::replace(&aside, text.as_bytes(), 0o600)?;
        let linked = fs::hard_link(&aside, &self.path);
        fs::remove_file(&aside)?;
        match linked {
            Err(cause) if cause.kind() != io::ErrorKind::AlreadyExists => return Err(named(&self.path, &cause)),
            Ok(()) | Err(_) => disk::sync_parent(&self.path)?,
        }
        fs::read_to_string(&self.path).map_err(|cause| named(&self.path, &cause))
    }
}

/// What a route of this host and address is called by.
pub fn names(host: Option<&str>, bind: IpAddr) -> Vec<String> {
    if let Some(host) = host {
        return vec![host.trim_end_matches('.').to_ascii_lowercase()];
    }
    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    if bind.is_unspecified() {
        names.extend(nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()));
    } else if !bind.is_loopback() || !names.contains(&bind.to_string()) {
        names.push(bind.to_string());
    }
    names
}

impl Root {
    fn read(text: &str) -> Result<Self, rcgen::Error> {
        let begin = text.find("-----BEGIN CERTIFICATE-----").unwrap_or(text.len());
        let (key, certificate) = text.split_at(begin);
        if certificate.is_empty() {
            return Err(rcgen::Error::CouldNotParseCertificate);
        }
        let key = KeyPair::from_pem(key)?;
        let params = params_of(&key);
        Ok(Self { certificate: certificate.to_owned(), issuer: Issuer::new(params, key) })
    }
}

/// Everything of the root that a certificate of it names; a function of its key.
fn params_of(key: &KeyPair) -> CertificateParams {
    let mut params = CertificateParams::default();
    let mark: String = blake3::hash(key.public_key_raw()).to_hex().chars().take(8).collect();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, format!("imm development CA {mark}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// A key, then its certificate.
fn new_root() -> Result<String, rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut params = params_of(&key);
    let now = OffsetDateTime::now_utc();
    params.not_before = now - BEFORE;
    params.not_after = now + Duration::days(365 * ROOT_YEARS);
    Ok(key.serialize_pem() + &params.self_signed(&key)?.pem())
}

fn leaf(
    root: &Root,
    names: &[String],
    not_before: OffsetDateTime,
    not_after: OffsetDateTime,
) -> Result<Certificate, rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(names.to_vec())?;
    params.distinguished_name = DistinguishedName::new();
    if let Some(name) = names.first() {
        params.distinguished_name.push(DnType::CommonName, name.as_str());
    }
    params.not_before = not_before;
    params.not_after = not_after;
    params.use_authority_key_identifier_extension = true;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let certificate = params.signed_by(&key, &root.issuer)?;
    Ok(Certificate { chain: certificate.pem() + &root.certificate, key: key.serialize_pem() })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn one_root_serves_all_who_open_the_home() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path()).unwrap();
        let (one, two) = (DevCa::of(&home), DevCa::of(&home));
        assert_eq!(one.root().unwrap(), two.root().unwrap());
        assert!(!one.root().unwrap().contains("PRIVATE"), "the root alone is shown");
        assert_eq!(fs::metadata(home.dev_ca()).unwrap().permissions().mode() & 0o777, 0o600);
        let names = names(Some("A.example."), IpAddr::from([127, 0, 0, 1]));
        let certificate = one.certificate(&names).unwrap();
        assert_eq!(one.certificate(&names).unwrap(), certificate, "made once");
        assert_ne!(two.certificate(&names).unwrap(), certificate);
        assert!(certificate.chain.ends_with(one.root().unwrap()));
    }

    #[test]
    fn a_file_that_is_no_ca_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::at(dir.path()).unwrap();
        fs::write(home.dev_ca(), "x").unwrap();
        let cause = DevCa::of(&home).root().unwrap_err().to_string();
        assert!(cause.contains("dev-ca.pem") && cause.contains("remove it"), "{cause}");
    }

    #[test]
    fn a_route_is_called_by_its_host_or_this_machine() {
        let local = names(None, IpAddr::from([127, 0, 0, 1]));
        assert_eq!(local, ["localhost", "127.0.0.1", "::1"]);
        assert_eq!(names(None, IpAddr::from([10, 0, 0, 5])).last().unwrap(), "10.0.0.5");
        assert!(names(None, IpAddr::from([0, 0, 0, 0])).len() > 3);
    }
}
