//! A peel's first start: with a master's address, and a pin if somebody gave it one, to credentials.

use super::{
    identity::{AUTHORITY, BELIEVED, Identity, IdentityError},
    message::{Answer, Challenge, EnrollRequest, Grant, MAX_BODY, Problem, Trust},
    trust::{Ground, Seen, Verifier, read_pin},
};
use crate::{
    auth::private::{self, FileError, Mode},
    bus::tls,
    peel::now_ms,
};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Method, Request, StatusCode, Uri,
    body::Bytes,
    client::conn::http1,
    header::{CONTENT_TYPE, HOST},
};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, pki_types::ServerName};
use serde::{Serialize, de::DeserializeOwned};
use std::{sync::Arc, time::Duration};
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::TlsConnector;

/// For a request with its connection.
const PATIENCE: Duration = Duration::from_secs(20);
/// The longest answer, in bytes: roots and tokens.
const MAX_ANSWER: usize = MAX_BODY * 8;
/// Between two questions: at first, and at the most.
const POLL: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// How to find and to believe masters.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct EnrollOptions {
    /// Masters: `https://host:8443`. Tried in turn.
    pub masters: Vec<String>,
    /// The authority's pin.
    pub pin: Option<String>,
    /// The authority's certificates, as PEM, where somebody gave them instead of the pin.
    pub roots: Option<String>,
    /// Believe nobody at first sight, nor who was believed so before.
    pub strict: bool,
    /// A word that a rule of the masters asks for.
    pub token: Option<String>,
    /// What the machine calls itself.
    pub host: String,
}

/// What happens on the way.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Step {
    /// An authority is believed at first sight; a person should compare its pin.
    Believed {
        /// `sha256:…`
        pin: String,
    },
    /// An operator has to approve.
    Waiting {
        /// Of this machine's key.
        fingerprint: String,
    },
    /// A master cannot be reached or refuses for now; it is asked again.
    Trouble {
        /// Which.
        master: String,
        /// Why.
        reason: String,
    },
}

/// Why a machine does not become a peel.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The options contradict themselves.
    #[error("{0}")]
    Options(String),
    /// The machine's own files.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// An operator said no.
    #[error("the masters reject this machine{}", reason.as_ref().map(|r| format!(": {r}")).unwrap_or_default())]
    Rejected {
        /// Why.
        reason: Option<String>,
    },
    /// The masters refuse the application, and would again.
    #[error("the masters refuse the application: {0}")]
    Refused(String),
    /// The authority is not the one that is to be believed.
    #[error(
        "`{master}` shows certificates of another authority than the one that is trusted ({trusted}); if it was replaced on purpose, give the new pin"
    )]
    Authority {
        /// Which master.
        master: String,
        /// What is trusted.
        trusted: String,
    },
}

/// Asks the masters until they grant or reject. `told` hears what happens meanwhile. Dropping it stops it; it can be begun again at any time.
pub async fn enroll(
    identity: &Identity,
    options: &EnrollOptions,
    mut told: impl FnMut(Step),
) -> Result<Grant, ClientError> {
    let masters = options
        .masters
        .iter()
        .map(|m| Master::read(m).map_err(ClientError::Options))
        .collect::<Result<Vec<_>, _>>()?;
    if masters.is_empty() {
        return Err(ClientError::Options("no master is named".to_owned()));
    }
    let (mut pause, mut waiting) = (POLL.0, false);
    // The first one that answers is kept to.
    for master in masters.iter().cycle() {
        loop {
            match ask(identity, master, options, &mut told).await {
                Ok(Answer::Granted(grant)) => {
                    identity.keep(&grant)?;
                    return Ok(*grant);
                }
                Ok(Answer::Rejected { reason }) => return Err(ClientError::Rejected { reason }),
                Ok(Answer::Pending { fingerprint }) => {
                    if !waiting {
                        told(Step::Waiting { fingerprint });
                        (waiting, pause) = (true, POLL.0);
                    }
                    sleep(&mut pause).await;
                }
                Err(Failure::Final(error)) => return Err(error),
                Err(Failure::Passing(reason)) => {
                    told(Step::Trouble { master: master.url.clone(), reason });
                    sleep(&mut pause).await;
                    break;
                }
            }
        }
    }
    Err(ClientError::Options("no master is named".to_owned()))
}

async fn sleep(pause: &mut Duration) {
    tokio::time::sleep(pause.mul_f64(rand::random_range(0.8..1.2))).await;
    *pause = (*pause * 2).min(POLL.1);
}

/// Why one question to one master came to nothing.
enum Failure {
    /// It may go better the next time, or with another master.
    Passing(String),
    /// It will not.
    Final(ClientError),
}

impl<E: Into<ClientError>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Final(error.into())
    }
}

async fn ask(
    identity: &Identity,
    master: &Master,
    options: &EnrollOptions,
    told: &mut impl FnMut(Step),
) -> Result<Answer, Failure> {
    let ground = ground(identity, options)?;
    let mut connection = timeout(PATIENCE, master.connect(ground))
        .await
        .map_err(|_| Failure::Passing("it does not answer".to_owned()))??;
    let seen = connection.seen.clone();
    let believed = identity.file(BELIEVED);
    match seen.trust {
        // From now on it must be this one.
        Trust::FirstUse if !believed.exists() => {
            match private::create(&believed, Mode::Public, &pem(&seen)) {
                Ok(()) => told(Step::Believed { pin: seen.pin.clone() }),
                Err(FileError::Exists(_)) => {
                    return Err(Failure::Passing(
                        "another process believed an authority meanwhile".to_owned(),
                    ));
                }
                Err(error) => return Err(IdentityError::from(error).into()),
            }
        }
        Trust::FirstUse | Trust::Recorded => {}
        Trust::Pinned => {
            private::replace(&identity.file(AUTHORITY), Mode::Public, pem(&seen))
                .map_err(IdentityError::from)?;
        }
    }
    let talk = async {
        let challenge: Challenge = connection.post(master, "/v1/nonce", &()).await?;
        // A token is for masters that are known, not for whoever stands in between.
        let token = options.token.clone().filter(|_| seen.trust != Trust::FirstUse);
        let signed =
            identity.application(challenge.nonce, now_ms(), (&seen.pin, seen.trust), &options.host, token)?;
        let request = EnrollRequest { signed: data_encoding::BASE64.encode(&signed) };
        connection.post::<_, Answer>(master, "/v1/enroll", &request).await
    };
    timeout(PATIENCE, talk).await.map_err(|_| Failure::Passing("it does not answer in time".to_owned()))?
}

fn ground(identity: &Identity, options: &EnrollOptions) -> Result<Ground, ClientError> {
    if let Some(pin) = &options.pin {
        return Ok(Ground::Pin(read_pin(pin).map_err(ClientError::Options)?));
    }
    if let Some(roots) = &options.roots {
        return Ok(Ground::Roots(roots.clone(), Trust::Pinned));
    }
    for (name, trust) in [(AUTHORITY, Trust::Recorded), (BELIEVED, Trust::FirstUse)] {
        let path = identity.file(name);
        if path.exists() && !(options.strict && trust == Trust::FirstUse) {
            let roots = private::read_public(&path).map_err(IdentityError::from)?;
            return Ok(Ground::Roots(roots, trust));
        }
    }
    if options.strict {
        return Err(ClientError::Options(
            "no pin of the masters' authority is given and none was seen before; `zester init` shows it"
                .to_owned(),
        ));
    }
    Ok(Ground::FirstUse)
}

fn pem(seen: &Seen) -> String {
    let text = data_encoding::BASE64.encode(&seen.root);
    let mut out = "-----BEGIN CERTIFICATE-----\n".to_owned();
    for line in text.as_bytes().chunks(64) {
        out.push_str(&String::from_utf8_lossy(line));
        out.push('\n');
    }
    out + "-----END CERTIFICATE-----\n"
}

struct Master {
    url: String,
    host: String,
    port: u16,
}

struct Connection {
    sender: http1::SendRequest<Full<Bytes>>,
    seen: Seen,
}

impl Master {
    fn read(url: &str) -> Result<Self, String> {
        let wrong =
            || format!("`{url}` is not the address of a master: it should look like `https://master:8443`");
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        if uri.scheme_str() != Some("https") || !matches!(uri.path(), "" | "/") {
            return Err(wrong());
        }
        let authority = uri.authority().ok_or_else(wrong)?;
        // What is neither host nor port, a name before `@` for one, is a mistake.
        let port = match authority.as_str().strip_prefix(authority.host()) {
            Some("") => 8443,
            Some(_) => uri.port_u16().ok_or_else(wrong)?,
            None => return Err(wrong()),
        };
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Self { url: url.trim_end_matches('/').to_owned(), host, port })
    }

    fn authority(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    async fn connect(&self, ground: Ground) -> Result<Connection, Failure> {
        let passing = |e: &dyn std::fmt::Display| Failure::Passing(e.to_string());
        let trusted = match &ground {
            Ground::Pin(pin) => pin.clone(),
            Ground::Roots(pem, _) => crate::auth::authority::fingerprint(pem).unwrap_or_default(),
            Ground::FirstUse => String::new(),
        };
        let verifier = Arc::new(Verifier::new(ground));
        let mut config = ClientConfig::builder_with_provider(Arc::new(tls::provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(|e| passing(&e))?
            .dangerous()
            .with_custom_certificate_verifier(verifier.clone())
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        // The authority has to be seen each time.
        config.resumption = rustls::client::Resumption::disabled();
        let name = ServerName::try_from(self.host.clone())
            .map_err(|_| ClientError::Options(format!("`{}` is not the name of a host", self.host)))?;
        let stream = TcpStream::connect((self.host.as_str(), self.port)).await.map_err(|e| passing(&e))?;
        let stream = match TlsConnector::from(Arc::new(config)).connect(name, stream).await {
            Ok(stream) => stream,
            Err(error) if is_unknown(&error) && !trusted.is_empty() => {
                return Err(ClientError::Authority { master: self.url.clone(), trusted }.into());
            }
            Err(error) => return Err(passing(&error)),
        };
        let seen = verifier.seen().ok_or_else(|| Failure::Passing("it shows no authority".to_owned()))?;
        let (sender, driver) = http1::handshake(TokioIo::new(stream)).await.map_err(|e| passing(&e))?;
        tokio::spawn(async move {
            let _ = driver.await;
        });
        Ok(Connection { sender, seen })
    }
}

fn is_unknown(error: &std::io::Error) -> bool {
    let inner = error.get_ref().and_then(|e| e.downcast_ref::<rustls::Error>());
    matches!(inner, Some(rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer)))
}

impl Connection {
    async fn post<B: Serialize, A: DeserializeOwned>(
        &mut self,
        master: &Master,
        path: &str,
        body: &B,
    ) -> Result<A, Failure> {
        let passing = |e: &dyn std::fmt::Display| Failure::Passing(e.to_string());
        let body = serde_json::to_vec(body).map_err(|e| passing(&e))?;
        let request = Request::builder()
            .method(Method::POST)
            .uri(path)
            .header(HOST, master.authority())
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))
            .map_err(|e| passing(&e))?;
        // The answer before may still be on its way out of the connection.
        self.sender.ready().await.map_err(|e| passing(&e))?;
        let response = self.sender.send_request(request).await.map_err(|e| passing(&e))?;
        let status = response.status();
        let bytes = Limited::new(response.into_body(), MAX_ANSWER)
            .collect()
            .await
            .map_err(|e| passing(&e))?
            .to_bytes();
        if status.is_success() {
            return serde_json::from_slice(&bytes)
                .map_err(|e| Failure::Passing(format!("its answer cannot be read: {e}")));
        }
        let problem =
            serde_json::from_slice::<Problem>(&bytes).map_or_else(|_| status.to_string(), |p| p.error);
        match status {
            // The body or the id is wrong: it would be tomorrow.
            StatusCode::BAD_REQUEST | StatusCode::FORBIDDEN | StatusCode::PAYLOAD_TOO_LARGE => {
                Err(ClientError::Refused(problem).into())
            }
            _ => Err(Failure::Passing(problem)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_masters() {
        let read = |url: &str| Master::read(url).map(|m| (m.host, m.port));
        assert_eq!(read("https://master").unwrap(), ("master".to_owned(), 8443));
        assert_eq!(read("https://192.0.2.1:443/").unwrap(), ("192.0.2.1".to_owned(), 443));
        assert_eq!(read("https://[::1]:9").unwrap(), ("::1".to_owned(), 9));
        for wrong in [
            "",
            "master",
            "http://master",
            "https://",
            "https://master/x",
            "https://master:x",
            "https://a@master",
        ] {
            assert!(Master::read(wrong).is_err(), "{wrong}");
        }
    }
}
