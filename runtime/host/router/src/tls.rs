//! TLS at a port: which certificate a client is shown.
//!
//! Guarantees: the certificate of the route whose host the client asks for, else the one of a route without host, else any; TLS 1.2 and 1.3 only, HTTP/2 and
//! HTTP/1.1 by ALPN. A certificate that its key does not fit is refused before it is in force. It does not ask clients for certificates.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{self, ServerConfig};

use crate::spec::{Certificate, Protocol};

/// What is proved at one port.
#[derive(Debug)]
pub(crate) struct PortTls {
    pub(crate) config: Arc<ServerConfig>,
    /// What it was made from: the same is not made again, so that sessions can be resumed over a switch.
    source: BTreeMap<Option<String>, Certificate>,
}

impl PortTls {
    /// By canonical host. An error says what is wrong with the certificate of which host.
    pub(crate) fn new(
        certificates: BTreeMap<Option<String>, Certificate>,
        protocol: Protocol,
    ) -> Result<Self, (Option<String>, String)> {
        let mut keys = BTreeMap::new();
        for (host, certificate) in &certificates {
            keys.insert(host.clone(), Arc::new(certified(certificate).map_err(|why| (host.clone(), why))?));
        }
        let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| (None, error.to_string()))?;
        let mut config = builder.with_no_client_auth().with_cert_resolver(Arc::new(ByHost { keys }));
        if protocol == Protocol::Http {
            config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        }
        Ok(Self { config: Arc::new(config), source: certificates })
    }

    pub(crate) fn is_made_from(&self, certificates: &BTreeMap<Option<String>, Certificate>) -> bool {
        self.source == *certificates
    }
}

fn certified(certificate: &Certificate) -> Result<CertifiedKey, String> {
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(certificate.chain.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|error| format!("the certificate is not PEM: {error}"))?;
    if chain.is_empty() {
        return Err("there is no certificate in it (PEM, `-----BEGIN CERTIFICATE-----`)".to_owned());
    }
    let key = PrivateKeyDer::from_pem_slice(certificate.key.as_bytes()).map_err(|_| {
        // Not the cause: it might quote the key.
        "the key is not an unencrypted PEM key (`-----BEGIN PRIVATE KEY-----`)".to_owned()
    })?;
    CertifiedKey::from_der(chain, key, &ring::default_provider()).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => "the key does not fit the certificate".to_owned(),
        other => format!("the certificate or its key cannot be used: {other}"),
    })
}

#[derive(Debug)]
struct ByHost {
    keys: BTreeMap<Option<String>, Arc<CertifiedKey>>,
}

impl ResolvesServerCert for ByHost {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let named = hello.server_name().and_then(|name| self.keys.get(&Some(name.to_ascii_lowercase())));
        named.or_else(|| self.keys.get(&None)).or_else(|| self.keys.values().next()).cloned()
    }
}
