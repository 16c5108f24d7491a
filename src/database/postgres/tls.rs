//! How the connection to a server is encrypted, and by what the server is known.

use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::database::{PostgresAddress, PostgresSpec, Tls};
use crate::error::{Context, Error, Result};

/// Where `pg_dump` finds the well-known authorities.
const AUTHORITIES: [&str; 2] = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];

/// What the driver needs; `None` for connections that are not to be encrypted. All files are read here, so that an error
/// names the file.
pub(super) fn connector(spec: &PostgresSpec) -> Result<Option<MakeRustlsConnect>> {
    let Some(tls) = &spec.tls else { return Ok(None) };
    if !matches!(spec.address, PostgresAddress::Tcp { .. }) {
        return Err(Error::usage("a connection over a local socket is not encrypted")
            .with_remedy("remove `tls`, or write the server's `host`"));
    }
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .context("set up encryption")?;
    let builder = if tls.verify {
        builder.with_root_certificates(roots(tls)?)
    } else {
        builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyCertificate(provider)))
    };
    let config = match (&tls.cert, &tls.key) {
        (Some(cert), Some(key)) => {
            let secret = PrivateKeyDer::from_pem_file(key)
                .map_err(|error| unusable(key, "private key", &error.to_string()))?;
            builder
                .with_client_auth_cert(certificates(cert)?, secret)
                .context("use the client's certificate")?
        }
        _ => builder.with_no_client_auth(),
    };
    Ok(Some(MakeRustlsConnect::new(config)))
}

/// The same for `pg_dump`, as variables of its environment.
pub(super) fn variables(spec: &PostgresSpec) -> Vec<(&'static str, String)> {
    let Some(tls) = &spec.tls else { return vec![("PGSSLMODE", "disable".to_owned())] };
    let shown = |path: &Path| path.to_string_lossy().into_owned();
    let mut all = vec![("PGSSLMODE", if tls.verify { "verify-full" } else { "require" }.to_owned())];
    let known = AUTHORITIES.iter().map(Path::new).find(|path| path.exists());
    if let Some(ca) = tls.ca.as_deref().or(known).filter(|_| tls.verify) {
        all.push(("PGSSLROOTCERT", shown(ca)));
    }
    if let (Some(cert), Some(key)) = (&tls.cert, &tls.key) {
        all.extend([("PGSSLCERT", shown(cert)), ("PGSSLKEY", shown(key))]);
    }
    all
}

/// Whoever names a CA means this one and not also some hundred others.
fn roots(tls: &Tls) -> Result<RootCertStore> {
    let Some(ca) = &tls.ca else {
        return Ok(RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() });
    };
    let mut roots = RootCertStore::empty();
    for certificate in certificates(ca)? {
        roots.add(certificate).with_context(|| format!("use {}", ca.display()))?;
    }
    Ok(roots)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let read = || CertificateDer::pem_file_iter(path)?.collect::<std::result::Result<Vec<_>, _>>();
    let found = read().map_err(|error| unusable(path, "certificate", &error.to_string()))?;
    if found.is_empty() { Err(unusable(path, "certificate", "there is none")) } else { Ok(found) }
}

fn unusable(path: &Path, what: &str, why: &str) -> Error {
    Error::usage(format!("read a {what} in PEM from {}: {why}", path.display()))
}

/// Takes any certificate, as `verify: false` says; the server must still prove that it has the key to it.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
