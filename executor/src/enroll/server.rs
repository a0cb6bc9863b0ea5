//! The HTTPS API of a master: `POST /v1/nonce`, `POST /v1/enroll`, `GET /v1/authority`.
//!
//! Everybody can reach it, so everything is bounded: connections, handshakes and headers in time, bodies in size, requests by address.

use super::{
    limit::Limit,
    message::{Answer, Challenge, EnrollRequest, MAX_BODY, Problem},
    service::{EnrollError, Service},
};
use crate::{auth::private::FileError, bus::tls, peel::now_ms};
use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, Extension, State, rejection::JsonRejection},
    http::{HeaderValue, StatusCode, header::RETRY_AFTER},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use std::{
    io,
    net::{IpAddr, SocketAddr},
    path::Path,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    task::JoinSet,
    time::timeout,
};
use tokio_rustls::TlsAcceptor;

/// Connections at a time; further ones wait to be accepted.
const MAX_CONNECTIONS: usize = 512;
/// For the handshake of TLS, and for the headers of a request.
const PATIENCE: Duration = Duration::from_secs(10);
/// For a whole connection.
const CONNECTION: Duration = Duration::from_secs(60);
/// For a request.
const REQUEST: Duration = Duration::from_secs(20);

/// Why the API cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The address.
    #[error("the address {address} cannot be listened on: {source}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// Certificate or key.
    #[error("the certificate for HTTPS cannot be used: {0}")]
    Tls(String),
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
}

/// A certificate that can be replaced while it is served.
#[derive(Debug)]
pub struct Certificate(RwLock<Arc<ServerConfig>>);

impl Certificate {
    /// A chain and its key as PEM; the authority's roots are shown after it, so that a machine can see what it trusts.
    pub fn new(chain: &str, key: &str, roots: &str) -> Result<Self, ServeError> {
        Ok(Self(RwLock::new(Arc::new(config(chain, key, roots)?))))
    }

    /// From a master's directory: `https.pem`, `https.key`, `ca.pem`.
    pub fn load(directory: &Path) -> Result<Self, ServeError> {
        let [chain, key, roots] = files(directory)?;
        Self::new(&chain, &key, &roots)
    }

    /// Reads the files again, for connections from now on.
    pub fn reload(&self, directory: &Path) -> Result<(), ServeError> {
        let [chain, key, roots] = files(directory)?;
        let config = Arc::new(config(&chain, &key, &roots)?);
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(())
    }

    fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.0.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

fn files(directory: &Path) -> Result<[String; 3], ServeError> {
    use crate::auth::private::{read_public, read_secret};
    let file = |name: &str| directory.join(name);
    Ok([read_public(&file("https.pem"))?, read_secret(&file("https.key"))?, read_public(&file("ca.pem"))?])
}

fn config(chain: &str, key: &str, roots: &str) -> Result<ServerConfig, ServeError> {
    let wrong = |e: &dyn std::fmt::Display| ServeError::Tls(e.to_string());
    let certificates = [chain, roots]
        .into_iter()
        .flat_map(|pem| CertificateDer::pem_slice_iter(pem.as_bytes()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| wrong(&e))?;
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|e| wrong(&e))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(tls::provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|e| wrong(&e))?
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .map_err(|e| wrong(&e))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// A listening API. Dropping it ends it.
#[derive(Debug)]
pub struct Api {
    address: SocketAddr,
    _tasks: JoinSet<()>,
}

impl Api {
    /// Listens, and serves until it is dropped.
    pub async fn listen(
        address: SocketAddr,
        certificate: Arc<Certificate>,
        service: Arc<Service>,
    ) -> Result<Self, ServeError> {
        let wrong = |source| ServeError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(wrong)?;
        let address = listener.local_addr().map_err(wrong)?;
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, certificate, router(service)));
        Ok(Self { address, _tasks: tasks })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

async fn accept(listener: TcpListener, certificate: Arc<Certificate>, router: Router) {
    let permits = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let Ok(permit) = permits.clone().acquire_owned().await else { return };
        // Ended ones must not pile up.
        while connections.try_join_next().is_some() {}
        match listener.accept().await {
            Ok((stream, peer)) => {
                let (acceptor, router) = (certificate.acceptor(), router.clone());
                connections.spawn(async move {
                    if timeout(CONNECTION, serve(stream, peer.ip(), acceptor, router)).await.is_err() {
                        tracing::debug!(%peer, "a connection of the enrollment API took too long");
                    }
                    drop(permit);
                });
            }
            Err(error) => {
                // Out of descriptors, most likely: wait for some to come back.
                tracing::warn!(%error, "a connection of the enrollment API cannot be accepted");
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
    }
}

async fn serve(stream: TcpStream, peer: IpAddr, acceptor: TlsAcceptor, router: Router) {
    let _ = stream.set_nodelay(true);
    let stream = match timeout(PATIENCE, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            tracing::debug!(%peer, %error, "no TLS with a client of the enrollment API");
            return;
        }
        Err(_) => return,
    };
    let service = TowerToHyperService::new(router.layer(Extension(peer)));
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_buf_size(32 * 1024)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%peer, %error, "a connection of the enrollment API ended early");
    }
}

struct Shared {
    service: Arc<Service>,
    /// Requests of any kind.
    requests: Limit,
}

fn router(service: Arc<Service>) -> Router {
    // A site behind one address may have many machines that ask every now and then.
    let shared = Arc::new(Shared { service, requests: Limit::new(120, 20.0) });
    Router::new()
        .route("/v1/nonce", post(nonce))
        .route("/v1/enroll", post(enroll))
        .route("/v1/authority", get(authority))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .with_state(shared)
}

type Refusal = (StatusCode, Json<Problem>);

fn refuse(status: StatusCode, error: impl ToString) -> Response {
    let refusal: Refusal = (status, Json(Problem { error: error.to_string() }));
    refusal.into_response()
}

fn limited(shared: &Shared, peer: IpAddr) -> Option<Response> {
    let wait = shared.requests.take(peer, Instant::now()).err()?;
    let seconds = wait.as_secs().saturating_add(1);
    let mut response =
        refuse(StatusCode::TOO_MANY_REQUESTS, format!("too many requests; ask again in {seconds} s"));
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    Some(response)
}

// The body is empty but has to be read: an unread one costs the connection, on which the next question would come.
async fn nonce(
    State(shared): State<Arc<Shared>>,
    Extension(peer): Extension<IpAddr>,
    _body: axum::body::Bytes,
) -> Response {
    match limited(&shared, peer) {
        Some(response) => response,
        None => Json::<Challenge>(shared.service.challenge(now_ms())).into_response(),
    }
}

async fn authority(State(shared): State<Arc<Shared>>, Extension(peer): Extension<IpAddr>) -> Response {
    match limited(&shared, peer) {
        Some(response) => response,
        None => shared.service.keys().roots.clone().into_response(),
    }
}

async fn enroll(
    State(shared): State<Arc<Shared>>,
    Extension(peer): Extension<IpAddr>,
    body: Result<Json<EnrollRequest>, JsonRejection>,
) -> Response {
    if let Some(response) = limited(&shared, peer) {
        return response;
    }
    let body = match body {
        Ok(Json(body)) => body,
        Err(rejection) => return refuse(rejection.status(), rejection.body_text()),
    };
    match timeout(REQUEST, shared.service.apply(&body, peer, now_ms())).await {
        Ok(Ok(answer)) => {
            let status =
                if matches!(answer, Answer::Pending { .. }) { StatusCode::ACCEPTED } else { StatusCode::OK };
            (status, Json(answer)).into_response()
        }
        Ok(Err(error)) => {
            tracing::info!(%peer, %error, "an application is refused");
            refuse(status_of(&error), said(&error))
        }
        Err(_) => refuse(StatusCode::SERVICE_UNAVAILABLE, "the masters' storage does not answer; ask again"),
    }
}

fn status_of(error: &EnrollError) -> StatusCode {
    match error {
        EnrollError::Form(_) | EnrollError::Issue(_) | EnrollError::Authority(_) => StatusCode::BAD_REQUEST,
        EnrollError::Signature(_) | EnrollError::Nonce(_) | EnrollError::Time(_) => StatusCode::UNAUTHORIZED,
        EnrollError::Record(_) => StatusCode::CONFLICT,
        EnrollError::Unknown(_) | EnrollError::Other(_) | EnrollError::Waits(_) => StatusCode::FORBIDDEN,
        EnrollError::Records(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// What a stranger may read of an error: nothing of the inside.
fn said(error: &EnrollError) -> String {
    match error {
        EnrollError::Records(_) => "the masters' storage cannot be reached; ask again".to_owned(),
        other => other.to_string(),
    }
}
