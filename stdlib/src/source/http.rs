//! Downloads: streamed into the cache, bounded, verified before they are used.

use super::{Checksum, MAX_BYTES};
use crate::{Context, Failure};
use std::{
    fs,
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::OnceLock,
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

fn agent(insecure: bool) -> &'static Agent {
    static SECURE: OnceLock<Agent> = OnceLock::new();
    static INSECURE: OnceLock<Agent> = OnceLock::new();
    let cell = if insecure { &INSECURE } else { &SECURE };
    cell.get_or_init(|| {
        let tls = TlsConfig::builder().root_certs(trusted()).disable_verification(insecure).build();
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
    let old = fs::read(&file).ok();
    if let (Some(old), Some(checksum)) = (&old, checksum)
        && checksum.matches(old)
    {
        return Ok(file);
    }
    let mut request = agent(insecure).get(url);
    if old.is_some()
        && checksum.is_none()
        && let Ok(tag) = fs::read_to_string(&tag_file)
    {
        request = request.header("If-None-Match", tag.trim());
    }
    let mut answer =
        request.call().map_err(|e| Failure::new(format!("`{url}` cannot be downloaded: {e}")))?;
    if answer.status() == StatusCode::NOT_MODIFIED && old.is_some() {
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
    let mut random = [0_u8; 8];
    rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty())
        .map_err(|e| Failure::new(format!("The system gives no random number: {e}")))?;
    let temporary = dir.join(format!(".{:016x}.download", u64::from_ne_bytes(random)));
    let result = receive(cx, url, &mut answer.body_mut().as_reader(), &temporary).and_then(|()| {
        if let Some(checksum) = checksum {
            let content = fs::read(&temporary).map_err(|e| io_failure(&temporary, &e))?;
            checksum.verify(&content, url)?;
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
