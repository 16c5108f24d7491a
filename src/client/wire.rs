//! Connections to an agent, and one question on each.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

use super::place::{Place, not_allowed};
use crate::error::{Context, Error, Result};

const CONNECT: Duration = Duration::from_secs(10);

/// An agent's headers are short; this is hyper's least.
const HEADER_BYTES: usize = 32 << 10;

pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

/// Whom to trust.
pub(super) fn tls(ca: Option<&Path>) -> Result<Arc<ClientConfig>> {
    let roots = match ca {
        None => RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() },
        Some(ca) => authorities(ca)
            .map_err(|error| Error::usage(format!("use the authorities in {}: {error}", ca.display())))
            .and_then(|roots| {
                if roots.is_empty() {
                    return Err(Error::usage(format!("there is no certificate in PEM in {}", ca.display())));
                }
                Ok(roots)
            })?,
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

fn authorities(path: &Path) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path)? {
        roots.add(certificate?)?;
    }
    Ok(roots)
}

pub(super) async fn connect(place: &Place, tls: Option<Arc<ClientConfig>>) -> Result<Box<dyn Stream>> {
    let connecting = async {
        let stream: Box<dyn Stream> = match (place, tls) {
            (Place::Socket(path), _) => {
                Box::new(UnixStream::connect(path).await.map_err(|error| unreachable(place, &error))?)
            }
            (Place::Tls(host, port), Some(tls)) => {
                let stream = TcpStream::connect((host.as_str(), *port)).await;
                let stream = stream.map_err(|error| unreachable(place, &error))?;
                let name =
                    ServerName::try_from(host.clone()).context("use the name of the agent's machine")?;
                let stream = TlsConnector::from(tls).connect(name, stream).await;
                Box::new(stream.map_err(|error| untrusted(place, &error))?)
            }
            (Place::Tls(..), None) => return Err(Error::failed("TLS was not prepared")),
            (Place::Loopback(host, port), _) => {
                // Whatever `localhost` was made to mean, the token stays on this machine.
                let found = tokio::net::lookup_host((host.as_str(), *port)).await;
                let found = found.map_err(|error| unreachable(place, &error))?;
                let local: Vec<_> = found.filter(|address| address.ip().is_loopback()).collect();
                let stream = TcpStream::connect(local.as_slice()).await;
                Box::new(stream.map_err(|error| unreachable(place, &error))?)
            }
        };
        Ok(stream)
    };
    match tokio::time::timeout(CONNECT, connecting).await {
        Ok(connected) => connected,
        Err(_) => Err(unreachable(place, &io::Error::other(format!("no answer within {CONNECT:?}")))),
    }
}

fn unreachable(place: &Place, error: &io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::PermissionDenied => not_allowed(place),
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
            Error::failed(format!("no agent answers at {place}"))
                .with_remedy("start it (`systemctl start lifeboat`, or `lifeboat agent`), or say with --agent where it answers")
        }
        _ => Error::failed(format!("the agent at {place} cannot be reached: {error}"))
            .with_remedy("say with --agent where it answers"),
    }
}

fn untrusted(place: &Place, error: &io::Error) -> Error {
    Error::failed(format!("who answers at {place} is not to be trusted: {error}"))
        .with_remedy("give --ca FILE with the authority that signed its certificate")
}

/// Asks, on a connection that is closed after the answer.
pub(super) async fn exchange(
    stream: Box<dyn Stream>,
    request: Request<Full<Bytes>>,
) -> Result<Response<Incoming>> {
    let (mut sender, connection) =
        http1::Builder::new().max_buf_size(HEADER_BYTES).handshake(TokioIo::new(stream)).await?;
    // What goes wrong with it later is told by the answer it befalls.
    tokio::spawn(async move { drop(connection.await) });
    Ok(sender.send_request(request).await?)
}
