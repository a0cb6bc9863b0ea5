//! Downloads: streamed into the cache, bounded, verified before they are used.

use super::{Checksum, MAX_BYTES};
use crate::{Context, Failure};
use std::{
    fs,
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
    time::Duration,
};
use ureq::{
    Agent,
    http::StatusCode,
    tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem},
};

/// Longest time for one download.
const TIMEOUT: Duration = Duration::from_secs(1800);

/// Longest time until a server answers.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// Where systems keep the certificates they trust.
const CERTIFICATES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

fn trusted() -> RootCerts {
    for path in CERTIFICATES {
        let Ok(pem) = fs::read(path) else { continue };
        let certificates: Vec<Certificate<'static>> = parse_pem(&pem)
            .filter_map(|item| match item {
                Ok(PemItem::Certificate(certificate)) => Some(certificate.to_owned()),
                _ => None,
            })
            .collect();
        if !certificates.is_empty() {
            return RootCerts::new_with_certs(&certificates);
        }
    }
    RootCerts::WebPki
}

pub(crate) fn agent(insecure: bool) -> &'static Agent {
    static SECURE: OnceLock<Agent> = OnceLock::new();
    static INSECURE: OnceLock<Agent> = OnceLock::new();
    let cell = if insecure { &INSECURE } else { &SECURE };
    cell.get_or_init(|| {
        let tls = TlsConfig::builder()
            .root_certs(trusted())
            .disable_verification(insecure)
            // Said here because the process's own default knows TLS 1.3 only, once the bus is up; mirrors may be older.
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .build();
        Agent::config_builder()
            .tls_config(tls)
            .timeout_global(Some(TIMEOUT))
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_recv_response(Some(CONNECT_TIMEOUT))
            .http_status_as_error(false)
            .user_agent(concat!("zester/", env!("CARGO_PKG_VERSION")))
            .build()
            .into()
    })
}

/// Whether a server has something at `url`.
pub(super) fn exists(cx: &Context, url: &str, insecure: bool) -> bool {
    !cx.cancel.is_cancelled()
        && agent(insecure).head(url).call().is_ok_and(|answer| answer.status().is_success())
}

/// Directory of downloads.
fn cache_dir() -> PathBuf {
    if let Some(dir) = std::env::var_os("ZESTER_CACHE_DIR").filter(|d| !d.is_empty()) {
        return PathBuf::from(dir);
    }
    if rustix::process::geteuid().is_root() {
        return PathBuf::from("/var/cache/zester");
    }
    let home = std::env::var_os("HOME").map_or_else(|| PathBuf::from("/tmp"), PathBuf::from);
    std::env::var_os("XDG_CACHE_HOME").map_or_else(|| home.join(".cache"), PathBuf::from).join("zester")
}

/// Where the copy of `address` is cached. Its name keeps the address's ending, which tells formats of archives.
pub(super) fn cached(_cx: &Context, address: &str) -> Result<PathBuf, Failure> {
    let digest = super::digest(address.as_bytes());
    let path = address.split(['?', '#']).next().unwrap_or_default();
    let name: String = path
        .rsplit('/')
        .next()
        .unwrap_or_default()
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || "._-+".contains(*c))
        .collect();
    let start = name.len().saturating_sub(100);
    let name = name.get(start..).unwrap_or_default();
    Ok(cache_dir().join("sources").join(format!("{}-{name}", digest.get(..16).unwrap_or_default())))
}

fn io_failure(path: &Path, error: &io::Error) -> Failure {
    Failure::new(format!("`{}` cannot be written: {error}", path.display()))
}

/// The path of a copy of `url`: that of an earlier download when its checksum is right, or, without a checksum, when
/// the server says that nothing has changed.
pub(super) fn fetch(
    cx: &Context,
    url: &str,
    checksum: Option<&Checksum>,
    insecure: bool,
) -> Result<PathBuf, Failure> {
    let file = cached(cx, url)?;
    let tag_file = file.with_extension("etag");
    let there = file.is_file();
    if there && checksum.is_some_and(|checksum| checksum.matches_file(&file)) {
        return Ok(file);
    }
    let mut request = agent(insecure).get(url);
    if there
        && checksum.is_none()
        && let Ok(tag) = fs::read_to_string(&tag_file)
    {
        request = request.header("If-None-Match", tag.trim());
    }
    let mut answer =
        request.call().map_err(|e| Failure::new(format!("`{url}` cannot be downloaded: {e}")))?;
    if answer.status() == StatusCode::NOT_MODIFIED && there {
        return Ok(file);
    }
    if !answer.status().is_success() {
        return Err(Failure::new(format!(
            "`{url}` cannot be downloaded: the server answers {}",
            answer.status()
        )));
    }
    let tag = answer.headers().get("etag").and_then(|t| t.to_str().ok()).map(str::to_owned);
    let dir = file.parent().unwrap_or(Path::new("/"));
    make_private(dir)?;
    let temporary = dir.join(crate::random::hidden_name("download", "")?);
    let result = receive(cx, url, &mut answer.body_mut().as_reader(), &temporary).and_then(|()| {
        if let Some(checksum) = checksum {
            checksum.verify_file(&temporary, url)?;
        }
        fs::rename(&temporary, &file).map_err(|e| io_failure(&file, &e))
    });
    if let Err(failure) = result {
        // What could not be used is of no use to anybody; the failure above is the one to report.
        let _ = fs::remove_file(&temporary);
        return Err(failure);
    }
    // The tag saves a download at best: that it cannot be kept is no failure.
    let _ = match tag {
        Some(tag) => fs::write(&tag_file, tag),
        None => fs::remove_file(&tag_file),
    };
    Ok(file)
}

fn make_private(dir: &Path) -> Result<(), Failure> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(|e| io_failure(dir, &e))
}

fn receive(cx: &Context, url: &str, body: &mut impl Read, to: &Path) -> Result<(), Failure> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(to)
        .map_err(|e| io_failure(to, &e))?;
    let mut buffer = vec![0_u8; 65_536];
    let mut total = 0_u64;
    loop {
        if cx.cancel.is_cancelled() {
            return Err(Failure::new(format!("The download of `{url}` was cancelled")));
        }
        let count = body.read(&mut buffer).map_err(|e| {
            Failure::new(format!("The download of `{url}` broke off after {total} bytes: {e}"))
        })?;
        if count == 0 {
            return Ok(());
        }
        total += count as u64;
        if total > MAX_BYTES {
            return Err(Failure::new(format!("`{url}` has more than {MAX_BYTES} bytes; it was not taken")));
        }
        file.write_all(buffer.get(..count).unwrap_or_default()).map_err(|e| io_failure(to, &e))?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::fake::FakeMachine;
    use std::{
        io::{BufRead, BufReader},
        net::TcpListener,
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
    };

    /// A server on loopback that answers each request by what `answer` makes of its head, and counts them.
    fn serve(answer: impl Fn(&str) -> Vec<u8> + Send + 'static) -> (String, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let count = Arc::new(AtomicUsize::new(0));
        let counted = count.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { return };
                let mut head = String::new();
                for line in BufReader::new(stream.try_clone().unwrap()).lines() {
                    let line = line.unwrap_or_default();
                    if line.is_empty() {
                        break;
                    }
                    head.push_str(&line.to_lowercase());
                    head.push('\n');
                }
                counted.fetch_add(1, Ordering::SeqCst);
                let _ = stream.write_all(&answer(&head));
            }
        });
        (address, count)
    }

    fn ok(body: &str, headers: &str) -> Vec<u8> {
        let length = body.len();
        format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n{body}")
            .into_bytes()
    }

    /// Downloads are cached by address, and each server has a port of its own: addresses never meet.
    fn forget(cx: &Context, url: &str) {
        let file = cached(cx, url).unwrap();
        let _ = fs::remove_file(file.with_extension("etag"));
        let _ = fs::remove_file(file);
    }

    #[test]
    fn a_download_with_the_right_checksum_is_not_repeated() {
        let cx = FakeMachine::new().context();
        let (address, count) = serve(|_| ok("hello", ""));
        let url = format!("{address}/a.txt");
        let sum = Checksum::parse("5d41402abc4b2a76b9719d911017c592").unwrap();
        for _ in 0..2 {
            assert_eq!(fs::read(fetch(&cx, &url, Some(&sum), false).unwrap()).unwrap(), b"hello");
        }
        assert_eq!(count.load(Ordering::SeqCst), 1);
        let other = Checksum::parse(&"0".repeat(32)).unwrap();
        let failure = fetch(&cx, &url, Some(&other), false).unwrap_err();
        assert!(failure.message.contains("has the checksum 5d41"), "{}", failure.message);
        forget(&cx, &url);
    }

    #[test]
    fn without_a_checksum_the_server_says_whether_it_changed() {
        let cx = FakeMachine::new().context();
        let (address, count) = serve(|head| {
            if head.contains("if-none-match: \"v1\"") {
                b"HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n".to_vec()
            } else {
                ok("one", "ETag: \"v1\"\r\n")
            }
        });
        let url = format!("{address}/b");
        for _ in 0..2 {
            assert_eq!(fs::read(fetch(&cx, &url, None, false).unwrap()).unwrap(), b"one");
        }
        assert_eq!(count.load(Ordering::SeqCst), 2);
        forget(&cx, &url);
    }

    #[test]
    fn what_goes_wrong_names_the_address() {
        let cx = FakeMachine::new().context();
        let (address, _) = serve(|head| {
            if head.contains("/short") {
                b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\nConnection: close\r\n\r\nabc".to_vec()
            } else {
                b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_vec()
            }
        });
        let missing = fetch(&cx, &format!("{address}/none"), None, false).unwrap_err();
        assert!(
            missing.message.contains("/none` cannot be downloaded: the server answers 404"),
            "{}",
            missing.message
        );
        let url = format!("{address}/short");
        let short = fetch(&cx, &url, None, false).unwrap_err();
        assert!(short.message.contains("broke off after 3 bytes"), "{}", short.message);
        assert!(!cached(&cx, &url).unwrap().exists());
    }
}
