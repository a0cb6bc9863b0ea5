//! `ssh.*` functions: keys that may log in, and the machine's own.

use crate::{
    Context, Library,
    provider::files,
    source::{Algorithm, hash_of},
    ssh_auth::{Authorized, Key},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use zester_compiler::types::{Map, Path, Value};

/// Where the machine's keys lie.
const KEYS: &str = "/etc/ssh";

/// The fingerprint as pairs of digits, `ab:cd:…`; empty of what is no key.
fn fingerprint(blob: &str, algorithm: Algorithm) -> String {
    let Ok(bytes) = STANDARD.decode(blob) else { return String::new() };
    let digits = hash_of(algorithm, &bytes);
    let pairs: Vec<&str> = (0..digits.len()).step_by(2).filter_map(|at| digits.get(at..at + 2)).collect();
    pairs.join(":")
}

fn keys(cx: &Context, user: &str, config: &str, algorithm: Algorithm) -> Result<Map, String> {
    let file = Authorized::open(cx, user, config).map_err(|f| f.message)?;
    let describe = |key: Key| {
        let entry = Map::from_iter([
            ("enc".to_owned(), Value::from(key.kind.as_str())),
            ("comment".to_owned(), key.comment.as_str().into()),
            ("options".to_owned(), key.options.clone().into()),
            ("fingerprint".to_owned(), fingerprint(&key.blob, algorithm).into()),
        ]);
        (key.blob, Value::Map(entry))
    };
    Ok(file.keys().map(describe).collect())
}

exec! {
    /// Keys with which a user may log in: kind, remark, options and fingerprint. Of several users, by user.
    "ssh.auth_keys" probe AuthKeys {
        /// The user.
        user: Vec<String>,
        /// The file.
        #[arg(default = ".ssh/authorized_keys")]
        config: String,
        /// How fingerprints are made.
        #[arg(default = "sha256", one_of("sha256", "md5"))]
        fingerprint_hash_type: String,
    } |it, cx| {
        let algorithm = super::hashutil::algorithm(&it.fingerprint_hash_type)?;
        match it.user.as_slice() {
            [one] => keys(cx, one, &it.config, algorithm).map(Value::Map),
            several => {
                let of = |user: &String| Ok((user.clone(), keys(cx, user, &it.config, algorithm)?.into()));
                Ok(Value::Map(several.iter().map(of).collect::<Result<_, String>>()?))
            }
        }
    }
}

exec! {
    /// Public keys of the machine, by name: `ed25519.pub`, `rsa.pub`.
    "ssh.host_keys" probe HostKeys {
        /// The directory in which they lie.
        #[arg(default = "/etc/ssh")]
        keydir: Path,
        /// Whether private keys are given.
        #[arg(inert = "private keys are never given")]
        private: Option<bool>,
        /// Whether certificates are given, too.
        #[arg(default = true)]
        certs: bool,
    } |it, cx| {
        let dir = if it.keydir.is_empty() { KEYS } else { it.keydir.trim_end_matches('/') };
        let mut all = Map::new();
        for name in cx.machine.files.list(dir).map_err(|e| format!("`{dir}` could not be read: {e}"))? {
            let Some(short) = name.strip_prefix("ssh_host_").and_then(|n| n.strip_suffix(".pub")) else { continue };
            if short.ends_with("-cert") && !it.certs {
                continue;
            }
            let text = files::text(cx, &format!("{dir}/{name}"))?.unwrap_or_default();
            all.insert(format!("{}.pub", short.replace("_key", "")), text.trim_end().into());
        }
        Ok(all.into())
    }
}

/// Adds the module's functions.
pub(super) fn register(library: &mut Library) {
    library.exec::<AuthKeys>().exec::<HostKeys>();
}

#[cfg(test)]
mod tests {
    use crate::{
        exec::tests::{call, gives},
        provider::fake::FakeMachine,
    };

    #[test]
    fn keys_have_fingerprints_and_private_ones_stay() {
        let machine = FakeMachine::new();
        machine.accounts.put_user("alice", 1000, 0);
        let blob = "AAAAC3NzaC1lZDI1NTE5AAAAIFsV0hlQcFNZzTQaYfcNcfbSp8dCkzjEyxl3vv0PZ0Jb";
        let line = format!("no-pty ssh-ed25519 {blob} alice@web\n");
        machine.files.put("/home/alice/.ssh/authorized_keys", &line);
        let all = call(&machine, "ssh.auth_keys", r#"["alice"]"#, "{}").unwrap();
        let key = &all.as_map().unwrap()[blob];
        assert_eq!(key.lookup("enc", ':').and_then(|v| v.as_str()), Some("ssh-ed25519"));
        let length = key.lookup("fingerprint", '\0').and_then(|v| v.as_str()).map(str::len);
        assert_eq!(length, Some(32 * 3 - 1));
        machine.files.put("/etc/ssh/ssh_host_ed25519_key", "geheim");
        machine.files.put("/etc/ssh/ssh_host_ed25519_key.pub", "ssh-ed25519 AAAA root@web\n");
        gives(&machine, "ssh.host_keys", "[]", r#"{"ed25519.pub": "ssh-ed25519 AAAA root@web"}"#);
    }
}
