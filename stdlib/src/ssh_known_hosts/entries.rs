//! Lines of `known_hosts`: hosts in the clear or hashed, type, key.

use crate::{
    Context, Failure,
    provider::{Ownership, files},
    random,
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD},
};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha256};

/// A host's key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct HostKey {
    /// Its type.
    pub kind: String,
    /// The key in Base64.
    pub blob: String,
}

impl HostKey {
    /// The fingerprints: SHA-256 in Base64, MD5 as pairs of digits.
    pub(crate) fn fingerprints(&self) -> Option<[String; 2]> {
        let bytes = STANDARD.decode(&self.blob).ok()?;
        let pairs: Vec<String> = Md5::digest(&bytes).iter().map(|b| format!("{b:02x}")).collect();
        Some([STANDARD_NO_PAD.encode(Sha256::digest(&bytes)), pairs.join(":")])
    }

    /// Whether a fingerprint is this key's, in whichever notation.
    pub(crate) fn has_fingerprint(&self, fingerprint: &str) -> bool {
        let Some([sha, md5]) = self.fingerprints() else { return false };
        let hex = STANDARD.decode(&self.blob).map(|bytes| {
            Sha256::digest(&bytes).iter().map(|b| format!("{b:02x}")).collect::<Vec<_>>().join(":")
        });
        let plain =
            fingerprint.trim_start_matches("SHA256:").trim_start_matches("MD5:").trim_end_matches('=');
        plain == sha || plain.eq_ignore_ascii_case(&md5) || hex.is_ok_and(|h| plain.eq_ignore_ascii_case(&h))
    }
}

/// How a host is written: with its port when that is not 22.
pub(crate) fn pattern(host: &str, port: Option<u16>) -> String {
    match port {
        Some(port) if port != 22 => format!("[{host}]:{port}"),
        _ => host.to_owned(),
    }
}

/// The host pattern and key of a line; `None` for remarks, marked lines and what is none.
fn parse(line: &str) -> Option<(&str, HostKey)> {
    let line = line.trim();
    if line.is_empty() || line.starts_with(['#', '@']) {
        return None;
    }
    let mut words = line.split_whitespace();
    let (hosts, kind, blob) = (words.next()?, words.next()?, words.next()?);
    Some((hosts, HostKey { kind: kind.to_owned(), blob: blob.to_owned() }))
}

/// Whether a line's hosts name this one.
fn names(hosts: &str, host: &str) -> bool {
    if let Some(hashed) = hosts.strip_prefix("|1|") {
        let Some((salt, hash)) = hashed.split_once('|') else { return false };
        let (Ok(salt), Ok(hash)) = (STANDARD.decode(salt), STANDARD.decode(hash)) else { return false };
        return hmac_sha1(&salt, host.as_bytes()) == hash;
    }
    hosts.split(',').any(|h| h.eq_ignore_ascii_case(host))
}

/// HMAC over SHA-1 (RFC 2104), which hashes the names in `known_hosts`.
fn hmac_sha1(key: &[u8], message: &[u8]) -> Vec<u8> {
    const BLOCK: usize = 64;
    let mut padded = if key.len() > BLOCK { Sha1::digest(key).to_vec() } else { key.to_vec() };
    padded.resize(BLOCK, 0);
    let pad = |byte: u8| padded.iter().map(|b| b ^ byte).collect::<Vec<u8>>();
    let inner = Sha1::digest([pad(0x36).as_slice(), message].concat());
    Sha1::digest([pad(0x5c).as_slice(), inner.as_slice()].concat()).to_vec()
}

/// The host as it is written: hashed with a new salt, or in the clear.
pub(crate) fn written(host: &str, hash: bool) -> Result<String, String> {
    if !hash {
        return Ok(host.to_owned());
    }
    let salt = random::bytes(20)?;
    Ok(format!("|1|{}|{}", STANDARD.encode(&salt), STANDARD.encode(hmac_sha1(&salt, host.as_bytes()))))
}

/// The keys of a host in a file's text.
pub(crate) fn keys_of(text: &str, host: &str) -> Vec<HostKey> {
    text.lines().filter_map(parse).filter(|(hosts, _)| names(hosts, host)).map(|(_, key)| key).collect()
}

/// The text without the host's keys of this type, or of every type. Lines of several hosts lose this one only.
pub(crate) fn without(text: &str, host: &str, kind: Option<&str>) -> String {
    let mut kept = String::new();
    for line in text.lines() {
        match parse(line) {
            Some((hosts, key)) if names(hosts, host) && kind.is_none_or(|k| k == key.kind) => {
                let others: Vec<&str> = hosts
                    .split(',')
                    .filter(|h| !h.eq_ignore_ascii_case(host) && !h.starts_with('|'))
                    .collect();
                if !others.is_empty() {
                    kept.push_str(&format!("{} {} {}\n", others.join(","), key.kind, key.blob));
                }
            }
            _ => {
                kept.push_str(line);
                kept.push('\n');
            }
        }
    }
    kept
}

/// The file that holds the keys, and its owner's numbers: the user's own, or everybody's.
pub(crate) fn file(
    cx: &Context,
    user: Option<&str>,
    config: Option<&str>,
) -> Result<(String, Ownership), Failure> {
    let Some(user) = user.filter(|u| !u.is_empty()) else {
        let path = config.unwrap_or("/etc/ssh/ssh_known_hosts");
        if !path.starts_with('/') {
            return Err(format!("`config` is a path below a home, so `user` must be given: `{path}`").into());
        }
        return Ok((path.to_owned(), Ownership { mode: Some(0o644), ..Ownership::default() }));
    };
    let account = match cx.machine.accounts.user(user)? {
        Some(account) => account,
        None if cx.test => {
            crate::provider::UserAccount { home: format!("/home/{user}"), ..Default::default() }
        }
        None => return Err(format!("there is no user `{user}`; require its `user.present`").into()),
    };
    let home = account.home.trim_end_matches('/');
    let config = config.unwrap_or(".ssh/known_hosts").replace("%h", home).replace("%u", user);
    let path = if config.starts_with('/') { config } else { format!("{home}/{config}") };
    Ok((path, Ownership { uid: Some(account.uid), gid: Some(account.gid), mode: Some(0o600) }))
}

/// The file's text, empty when there is none.
pub(crate) fn read(cx: &Context, path: &str) -> Result<String, Failure> {
    Ok(files::text(cx, path)?.unwrap_or_default())
}

/// Writes the file, and its directory where it is missing.
pub(crate) fn write(cx: &Context, path: &str, text: &str, ownership: Ownership) -> Result<(), String> {
    let files = &cx.machine.files;
    let failed = |e: std::io::Error| format!("`{path}` could not be written: {e}");
    let dir = path.rsplit_once('/').map_or("", |(dir, _)| dir);
    match files.stat(dir, true).map_err(failed)? {
        None => {
            files.create_dir(dir, if ownership.uid.is_some() { 0o700 } else { 0o755 }).map_err(failed)?;
            files.set_owner(dir, ownership.uid, ownership.gid, false).map_err(failed)?;
        }
        Some(stat) if ownership.uid.is_some_and(|uid| stat.uid != uid && stat.uid != 0) => {
            return Err(format!("`{path}` is not written: `{dir}` belongs to user {}", stat.uid));
        }
        Some(_) => {}
    }
    files.write(path, text.as_bytes(), ownership, false).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashed_names_are_known() {
        let host = written("example.com", true).unwrap();
        assert!(names(&host, "example.com") && !names(&host, "example.org"));
        // RFC 2202, test case 2.
        let mac = hmac_sha1(b"Jefe", b"what do ya want for nothing?");
        let mac = mac.iter().map(|b| format!("{b:02x}")).collect::<Vec<_>>().concat();
        assert_eq!(mac, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
    }

    #[test]
    fn lines_of_several_hosts() {
        let text = "a,b ssh-rsa AAAA1\n# x\n[a]:2222 ssh-rsa AAAA2\na ssh-ed25519 AAAA3\n";
        assert_eq!(keys_of(text, "a").len(), 2);
        assert_eq!(keys_of(text, &pattern("a", Some(2222))).len(), 1);
        assert_eq!(without(text, "a", None), "b ssh-rsa AAAA1\n# x\n[a]:2222 ssh-rsa AAAA2\n");
        assert_eq!(without(text, "a", Some("ssh-ed25519")).lines().count(), 3);
    }
}
