//! TLS towards servers elsewhere: who they are is proved by the certificates that this machine trusts.
//!
//! Guarantees: nothing is sent to a server that does not prove its name. Trusted is the system's store, or what `SSL_CERT_FILE` and `SSL_CERT_DIR` name; a
//! store that changes is seen within a minute, and one that could not be read is read again at once. It shows no certificate of its own.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{self, CertificateError, ClientConfig, RootCertStore};

/// How long the store is taken for what it was.
const FRESH: Duration = Duration::from_secs(60);

static TRUSTED: Mutex<Option<(Instant, Arc<ClientConfig>)>> = Mutex::new(None);

/// Encrypts a connection to the server of this name or address.
///
/// # Errors
/// In words: it does not speak TLS, does not prove its name, or nothing is trusted here.
pub async fn encrypt(stream: TcpStream, host: &str) -> io::Result<TlsStream<TcpStream>> {
    encrypt_by(trusted().await?, stream, host).await
}

async fn encrypt_by(trusted: Arc<ClientConfig>, stream: TcpStream, host: &str) -> io::Result<TlsStream<TcpStream>> {
    let name = ServerName::try_from(host.to_owned()).map_err(|cause| io::Error::other(format!("`{host}`: {cause}")))?;
    TlsConnector::from(trusted).connect(name, stream).await.map_err(|cause| told(&cause, host))
}

async fn trusted() -> io::Result<Arc<ClientConfig>> {
    let known = TRUSTED.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if let Some((since, config)) = known
        && since.elapsed() < FRESH
    {
        return Ok(config);
    }
    // Reads and parses some hundred files or a large one.
    let read = tokio::task::spawn_blocking(system_store).await.map_err(io::Error::other)??;
    let config = Arc::new(config(read)?);
    *TRUSTED.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), Arc::clone(&config)));
    Ok(config)
}

fn system_store() -> io::Result<RootCertStore> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // A store may hold old certificates that nobody can read any more.
    let (taken, _unreadable) = roots.add_parsable_certificates(found.certs);
    if taken > 0 {
        return Ok(roots);
    }
    let why = found.errors.first().map(|cause| format!(" ({cause})")).unwrap_or_default();
    let help = "install the package ca-certificates, or name a file of them in SSL_CERT_FILE";
    Err(io::Error::other(format!("no trusted certificates were found on this machine{why}: {help}")))
}

fn config(roots: RootCertStore) -> io::Result<ClientConfig> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(io::Error::other)?;
    let mut config = builder.with_root_certificates(roots).with_no_client_auth();
    // Requests go on as HTTP/1.1.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// A failed greeting in words.
fn told(cause: &io::Error, host: &str) -> io::Error {
    let tls = cause.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let words = match tls {
        // A bad signature: a root of the same name is trusted, made anew since or there.
        Some(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature)) => {
            "its certificate is not trusted by this machine; add its root to the system's store, or name it in SSL_CERT_FILE".to_owned()
        }
        Some(rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        )) => {
            format!("its certificate is not for `{host}`")
        }
        Some(rustls::Error::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        )) => "its certificate has expired".to_owned(),
        Some(rustls::Error::InvalidMessage(_)) => "what answers there does not speak TLS".to_owned(),
        _other => cause.to_string(),
    };
    io::Error::new(cause.kind(), words)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;
    use tokio_rustls::rustls::ServerConfig;
    use tokio_rustls::rustls::pki_types::PrivateKeyDer;

    use super::*;

    /// A server for `name` that repeats four bytes, and a store that trusts it.
    async fn server(name: &str) -> (std::net::SocketAddr, RootCertStore) {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone()).unwrap();
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        let proof = Arc::new(builder.with_single_cert(vec![made.cert.der().clone()], key).unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(mut stream) = TlsAcceptor::from(Arc::clone(&proof)).accept(stream).await else { continue };
                let mut word = [0; 4];
                stream.read_exact(&mut word).await.unwrap();
                stream.write_all(&word).await.unwrap();
            }
        });
        (address, roots)
    }

    async fn greet(
        address: std::net::SocketAddr,
        roots: RootCertStore,
        host: &str,
    ) -> io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(address).await?;
        encrypt_by(Arc::new(config(roots)?), stream, host).await
    }

    #[tokio::test]
    async fn a_server_that_proves_its_name_is_spoken_to() {
        let (address, roots) = server("localhost").await;
        let mut stream = greet(address, roots, "localhost").await.unwrap();
        stream.write_all(b"word").await.unwrap();
        let mut said = [0; 4];
        stream.read_exact(&mut said).await.unwrap();
        assert_eq!(&said, b"word");
    }

    #[tokio::test]
    async fn who_does_not_prove_it_is_refused_in_words() {
        let (address, roots) = server("other.example").await;
        let said = greet(address, roots, "localhost").await.unwrap_err().to_string();
        assert!(said.contains("not for `localhost`"), "{said}");
        let (_, strangers) = server("localhost").await;
        let said = greet(address, strangers, "other.example").await.unwrap_err().to_string();
        assert!(said.contains("not trusted") && said.contains("SSL_CERT_FILE"), "{said}");
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let plain = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest).await;
        });
        let (_, roots) = server("localhost").await;
        let said = greet(plain, roots, "localhost").await.unwrap_err().to_string();
        assert!(said.contains("does not speak TLS"), "{said}");
    }
}
