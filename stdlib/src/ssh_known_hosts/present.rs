//! `ssh_known_hosts.present`: the key of a host is known.

use super::entries::{HostKey, file, keys_of, pattern, read, without, write, written};
use crate::{
    Arguments, Changes, Context, Failure, Outcome, Plan, State, change,
    provider::tool::{failure, run, tool},
    ssh_auth::full_type,
};
use zester_compiler::types::Seconds;

/// The key of a host is known to a user, or to everybody.
///
/// With `key` that key is written; with `fingerprint` the host is asked and must have that fingerprint. Without both
/// whatever the host says is believed the first time.
#[derive(Arguments)]
#[state("ssh_known_hosts.present")]
pub(crate) struct Present {
    /// The host.
    #[arg(primary)]
    name: String,
    /// Who knows it; everybody when not given.
    user: Option<String>,
    /// The key's fingerprint: MD5 or SHA-256.
    fingerprint: Option<String>,
    /// The key in Base64, or `TYPE BASE64`.
    key: Option<String>,
    /// The key's type.
    #[arg(ty = crate::ssh_auth::types())]
    enc: Option<String>,
    /// The port.
    port: Option<u16>,
    /// The file.
    config: Option<String>,
    /// Whether the host's name is hashed.
    #[arg(default = true)]
    hash_known_hosts: bool,
    /// Seconds to wait for the host.
    #[arg(default = 5.0)]
    timeout: Seconds,
    /// The kind of fingerprint.
    #[arg(inert = "the fingerprint's own form tells its kind")]
    fingerprint_hash_type: Option<String>,
    /// Whether hosts are hashed.
    #[arg(inert = "use `hash_known_hosts`")]
    hash_hostname: Option<bool>,
}

impl State for Present {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let host = pattern(&self.name, self.port);
        if host.is_empty() || host.starts_with('-') || host.contains(|c: char| c.is_whitespace() || c == ',')
        {
            return Err(format!("`{host}` is not the name of a host").into());
        }
        let (path, ownership) = file(cx, self.user.as_deref(), self.config.as_deref())?;
        let old = read(cx, &path)?;
        let known = keys_of(&old, &host);
        let kind = self.enc.as_deref().map(|kind| full_type(kind).to_owned());
        let of_kind = |key: &&HostKey| kind.as_deref().is_none_or(|kind| key.kind == kind);
        let wanted = match (&self.key, &self.fingerprint) {
            (Some(key), _) => self.given(key)?,
            (None, Some(print)) => {
                if known.iter().filter(of_kind).any(|key| key.has_fingerprint(print)) {
                    return Ok(Plan::unchanged(format!("the key of `{host}` is known")));
                }
                self.scanned(cx, kind.as_deref())?
                    .into_iter()
                    .find(|key| key.has_fingerprint(print))
                    .ok_or_else(|| format!("`{host}` has no key with the fingerprint `{print}`"))?
            }
            (None, None) => {
                if known.iter().any(|key| of_kind(&key)) {
                    return Ok(Plan::unchanged(format!("the key of `{host}` is known")));
                }
                self.scanned(cx, kind.as_deref())?
                    .into_iter()
                    .next()
                    .ok_or_else(|| format!("`{host}` gave no key"))?
            }
        };
        if known.contains(&wanted) {
            return Ok(Plan::unchanged(format!("the key of `{host}` is known")));
        }
        let before = known.iter().find(|k| k.kind == wanted.kind).map(|k| format!("{} {}", k.kind, k.blob));
        let changes =
            Changes::from_iter([(host.clone(), change(before, format!("{} {}", wanted.kind, wanted.blob)))]);
        let comment = if cx.test { "would write the key of" } else { "wrote the key of" };
        Ok(Plan::change(changes, format!("{comment} `{host}`"), move |cx| {
            let mut text = without(&old, &host, Some(&wanted.kind));
            let hosts = written(&host, self.hash_known_hosts)?;
            text.push_str(&format!("{hosts} {} {}\n", wanted.kind, wanted.blob));
            write(cx, &path, &text, ownership)?;
            Ok(Outcome::default())
        }))
    }
}

impl Present {
    /// The key that the author wrote.
    fn given(&self, key: &str) -> Result<HostKey, Failure> {
        let words: Vec<&str> = key.split_whitespace().collect();
        let (kind, blob) = match words.as_slice() {
            [blob] => (full_type(self.enc.as_deref().unwrap_or("ssh-rsa")).to_owned(), *blob),
            [kind, blob] => ((*kind).to_owned(), *blob),
            [_, kind, blob, ..] if blob.starts_with("AAAA") => ((*kind).to_owned(), *blob),
            [kind, blob, ..] => ((*kind).to_owned(), *blob),
            [] => return Err("the key is empty".to_owned().into()),
        };
        if !blob.starts_with("AAAA") {
            return Err(format!("`{key}` is not the key of a host: it is `[TYPE] BASE64`").into());
        }
        Ok(HostKey { kind, blob: blob.to_owned() })
    }

    /// The keys that the host says it has.
    fn scanned(&self, cx: &Context, kind: Option<&str>) -> Result<Vec<HostKey>, Failure> {
        let wait = format!("{}", self.timeout.0.clamp(1.0, 600.0).ceil());
        let mut args = vec!["-T".to_owned(), wait];
        if let Some(port) = self.port {
            args.extend(["-p".to_owned(), port.to_string()]);
        }
        if let Some(kind) = kind {
            let short = kind.trim_start_matches("ssh-").split('-').next().unwrap_or(kind);
            args.extend(["-t".to_owned(), short.to_owned()]);
        }
        args.push("--".to_owned());
        args.push(self.name.clone());
        let command = tool("ssh-keyscan", args);
        let output = run(cx, command.clone())?;
        let host = pattern(&self.name, self.port);
        let keys = keys_of(&output.stdout, &host);
        if keys.is_empty() {
            return Err(
                format!("`{host}` could not be asked for its key: {}", failure(&command, &output)).into()
            );
        }
        Ok(keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::{FileSystem, fake::FakeMachine};
    use zester_compiler::types::{Map, Value};

    const KEY: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";

    fn args(pairs: &[(&str, Value)]) -> Map {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect()
    }

    #[test]
    fn a_given_key_is_written_hashed_or_not() {
        let machine = FakeMachine::new();
        machine.files.put_dir("/etc/ssh");
        let wanted = args(&[("name", "x.org".into()), ("key", KEY.into()), ("enc", "ed25519".into())]);
        machine.converge::<Present>(&wanted).unwrap();
        assert!(machine.files.text("/etc/ssh/ssh_known_hosts").starts_with("|1|"));
        let clear = args(&[
            ("name", "y.org".into()),
            ("key", format!("ssh-ed25519 {KEY}").into()),
            ("hash_known_hosts", false.into()),
            ("port", 2222.into()),
            ("user", "root".into()),
        ]);
        machine.files.put_dir("/root");
        machine.converge::<Present>(&clear).unwrap();
        assert_eq!(machine.files.stat("/root/.ssh/known_hosts", true).unwrap().unwrap().mode, 0o600);
        assert_eq!(machine.files.text("/root/.ssh/known_hosts"), format!("[y.org]:2222 ssh-ed25519 {KEY}\n"));
    }

    #[test]
    fn a_host_is_asked_and_must_have_the_fingerprint() {
        let machine = FakeMachine::new();
        machine.files.put_dir("/etc/ssh");
        machine.commands.reply("ssh-keyscan", 0, &format!("# x\nx.org ssh-ed25519 {KEY}\n"));
        // GitHub's own key and fingerprint, which it publishes.
        let print = "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU";
        machine
            .converge::<Present>(&args(&[("name", "x.org".into()), ("fingerprint", print.into())]))
            .unwrap();
        let wrong = args(&[("name", "z.org".into()), ("fingerprint", "SHA256:nothing".into())]);
        machine.commands.reply("ssh-keyscan", 0, &format!("z.org ssh-ed25519 {KEY}\n"));
        let failure = machine.converge::<Present>(&wrong).unwrap_err();
        assert!(failure.message.contains("no key with the fingerprint"), "{}", failure.message);
    }
}
