//! Where requests come in: a socket that only its user can open, loopback, or TLS.

use std::fmt;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt;

use super::body::ToItsEnd;
use super::office::{Settings, Shared};
use crate::error::{Context, Error, Result};
use crate::sys::fs::create_private_directory;

/// Connections at the same time, over all places.
const CONNECTIONS: usize = 512;

/// A client has so long to say what it wants.
const HEADERS: Duration = Duration::from_secs(15);
const HANDSHAKE: Duration = Duration::from_secs(10);

/// No connection lasts longer, whatever it is for; a large download over a slow line fits.
const LONGEST: Duration = Duration::from_hours(12);

const HEADER_BYTES: usize = 32 << 10;

/// A place to listen at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    Unix(PathBuf),
    Tcp(SocketAddr),
}

/// A certificate with its key, as PEM files.
#[derive(Clone, Debug)]
pub struct Tls {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// Where a request came from.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    /// For the audit log, and for who guesses.
    pub(super) name: String,
    pub(super) way: Way,
}

/// How it came here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Socket,
    /// Unencrypted, on this machine.
    Loopback,
    Tls,
}

/// A place that is open.
pub(super) enum Place {
    Unix(UnixListener),
    Tcp(TcpListener, Option<TlsAcceptor>),
}

impl FromStr for Listen {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if let Some(path) = text.strip_prefix("unix:").or_else(|| text.starts_with('/').then_some(text)) {
            return Ok(Self::Unix(PathBuf::from(path)));
        }
        text.strip_prefix("tcp:").unwrap_or(text).parse().map(Self::Tcp).map_err(|_| {
            Error::usage(format!("{text:?} is no place to listen at")).with_remedy(
                "give a socket such as /run/lifeboat/agent.sock, or an address such as 127.0.0.1:8484",
            )
        })
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "{}", path.display()),
            Self::Tcp(address) => write!(f, "{address}"),
        }
    }
}

/// Opens all places, or none.
pub(super) fn open(settings: &Settings) -> Result<Vec<Place>> {
    let tls = settings.tls.as_ref().map(acceptor).transpose()?;
    settings
        .listen
        .iter()
        .map(|listen| one(listen, tls.as_ref()).with_context(|| format!("listen at {listen}")))
        .collect()
}

fn one(listen: &Listen, tls: Option<&TlsAcceptor>) -> Result<Place> {
    match listen {
        Listen::Unix(path) => {
            if let Some(parent) = path.parent() {
                create_private_directory(parent)?;
            }
            // One that answers belongs to another agent.
            if std::os::unix::net::UnixStream::connect(path).is_ok() {
                return Err(Error::usage("somebody else listens there already"));
            }
            drop(fs::remove_file(path));
            let listener = UnixListener::bind(path)?;
            fs::set_permissions(path, fs::Permissions::from_mode(0o600))?;
            Ok(Place::Unix(listener))
        }
        Listen::Tcp(address) => {
            if tls.is_none() && !address.ip().is_loopback() {
                return Err(Error::usage("without encryption everybody on the way could read tokens")
                    .with_remedy(
                        "give --tls-certificate and --tls-key, or listen on 127.0.0.1 behind a proxy",
                    ));
            }
            let listener = std::net::TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            Ok(Place::Tcp(TcpListener::from_std(listener)?, tls.cloned()))
        }
    }
}

fn acceptor(tls: &Tls) -> Result<TlsAcceptor> {
    let certificates = CertificateDer::pem_file_iter(&tls.certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .with_context(|| format!("read {}", tls.certificate.display()))?;
    let key =
        PrivateKeyDer::from_pem_file(&tls.key).with_context(|| format!("read {}", tls.key.display()))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .context("use the certificate")?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Answers at all places for as long as the process lives.
pub(super) async fn serve(places: Vec<Place>, router: Router, office: Shared) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let mut doors = tokio::task::JoinSet::new();
    for place in places {
        doors.spawn(accept(place, router.clone(), Arc::clone(&room), Arc::clone(&office)));
    }
    doors.spawn(super::follow::follow(office));
    while doors.join_next().await.is_some() {}
}

async fn accept(place: Place, router: Router, room: Arc<Semaphore>, office: Shared) {
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
        match &place {
            Place::Unix(listener) => match listener.accept().await {
                Ok((stream, _)) => {
                    let user =
                        stream.peer_cred().map_or_else(|_| "?".to_owned(), |who| who.uid().to_string());
                    let peer = Peer { name: format!("user {user}"), way: Way::Socket };
                    tokio::spawn(talk(stream, peer, router.clone(), permit));
                }
                Err(error) => pause(&office, &error).await,
            },
            Place::Tcp(listener, tls) => match listener.accept().await {
                Ok((stream, address)) => {
                    let way = if tls.is_some() { Way::Tls } else { Way::Loopback };
                    let peer = Peer { name: address.ip().to_string(), way };
                    let router = router.clone();
                    let Some(tls) = tls.clone() else {
                        tokio::spawn(talk(stream, peer, router, permit));
                        continue;
                    };
                    tokio::spawn(async move {
                        // Who does not manage a handshake is nobody to talk to.
                        if let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE, tls.accept(stream)).await {
                            talk(stream, peer, router, permit).await;
                        }
                    });
                }
                Err(error) => pause(&office, &error).await,
            },
        }
    }
}

/// Without file descriptors, for instance, it would spin.
async fn pause(office: &Shared, error: &std::io::Error) {
    office.complain(format!("a connection could not be taken: {error}"));
    tokio::time::sleep(Duration::from_secs(1)).await;
}

async fn talk<S>(stream: S, peer: Peer, router: Router, _permit: OwnedSemaphorePermit)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = router.map_request(move |mut request: axum::http::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(peer.clone());
        request.map(|body| axum::body::Body::new(ToItsEnd::new(body)))
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS)
        .max_buf_size(HEADER_BYTES.max(8192))
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    // That a client went away is no news.
    drop(tokio::time::timeout(LONGEST, connection).await);
}
