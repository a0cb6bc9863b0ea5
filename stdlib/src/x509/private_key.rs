//! `x509.private_key_managed`

use super::{
    File, KEY_MODE,
    openssl::{openssl, phrase, public_half, run},
};
use crate::{Changes, Context, Failure, Plan, State, change, file::path};
use zester_compiler::types::{Path, Secret};
use zester_stdlib_derive::Arguments;

/// A private key is there. It is made once; what it is is not shown.
///
/// ```yaml
/// /etc/ssl/private/www.key:
///   x509.private_key_managed:
///     - algo: ec
///     - keysize: 256
/// ```
#[derive(Arguments)]
#[state("x509.private_key_managed")]
pub(crate) struct Managed {
    /// The file.
    #[arg(primary)]
    name: Path,
    /// Kind of key.
    #[arg(default = "rsa", one_of("rsa", "ec", "ed25519", "ed448"))]
    algo: String,
    /// Bits: of `rsa` 2048 or more, of `ec` 256, 384 or 521.
    #[arg(alias = "bits")]
    keysize: Option<i64>,
    /// A phrase that the key is encrypted with.
    #[arg(secret)]
    passphrase: Option<Secret>,
    /// Whether a new key is made in each run; for `prereq` of what makes the certificate.
    #[arg(default = false)]
    new: bool,
    /// Whether a file is replaced that holds no key, or one that the phrase does not open.
    #[arg(default = false)]
    overwrite: bool,
    /// How it is encrypted.
    #[arg(default = "aes_256_cbc", one_of("aes_256_cbc", "aes_128_cbc", "aes-256-cbc", "aes-128-cbc"))]
    cipher: String,
    /// Whether progress is shown.
    #[arg(inert = "nothing is shown while a key is made")]
    verbose: Option<bool>,
    /// The file's attributes.
    #[arg(flatten)]
    file: File,
}

impl Managed {
    /// `-algorithm` and `-pkeyopt` for the key.
    fn kind(&self) -> Result<Vec<String>, Failure> {
        let wrong = |sizes: &str| {
            Failure::new(format!(
                "`keysize` of an `{}` key is {sizes}, not {}",
                self.algo,
                self.keysize.unwrap_or_default()
            ))
        };
        let option = match (self.algo.as_str(), self.keysize) {
            ("rsa", size @ (None | Some(2048..=16384))) => {
                Some(("RSA", format!("rsa_keygen_bits:{}", size.unwrap_or(2048))))
            }
            ("rsa", _) => return Err(wrong("2048 to 16384")),
            ("ec", None | Some(256)) => Some(("EC", "ec_paramgen_curve:P-256".to_owned())),
            ("ec", Some(384)) => Some(("EC", "ec_paramgen_curve:P-384".to_owned())),
            ("ec", Some(521)) => Some(("EC", "ec_paramgen_curve:P-521".to_owned())),
            ("ec", _) => return Err(wrong("256, 384 or 521")),
            (_, None) => None,
            _ => {
                return Err(Failure::new(format!(
                    "an `{}` key has no other `keysize` than its own; leave it out",
                    self.algo
                )));
            }
        };
        Ok(match option {
            Some((algorithm, option)) => {
                vec!["-algorithm".to_owned(), algorithm.to_owned(), "-pkeyopt".to_owned(), option]
            }
            None => vec!["-algorithm".to_owned(), self.algo.to_uppercase()],
        })
    }

    /// Kind and size as words: `rsa 2048`.
    fn described(&self) -> String {
        match (self.algo.as_str(), self.keysize) {
            ("rsa", size) => format!("rsa {}", size.unwrap_or(2048)),
            ("ec", size) => format!("ec {}", size.unwrap_or(256)),
            (algo, _) => algo.to_owned(),
        }
    }

    /// The same key, encrypted.
    fn encrypt(&self, cx: &Context, target: &str) -> Result<Vec<u8>, Failure> {
        let (pass, cipher) = (phrase(0), format!("-{}", self.cipher.replace('_', "-")));
        let command = openssl(
            &["pkey", "-in", target, &cipher, "-passout", &pass],
            &[self.passphrase.as_ref().map(|p| &*p.0)],
        );
        Ok(run(cx, &command)?.into_bytes())
    }

    fn generate(&self, cx: &Context) -> Result<Vec<u8>, Failure> {
        let kind = self.kind()?;
        let (pass, cipher) = (phrase(0), format!("-{}", self.cipher.replace('_', "-")));
        let mut args = vec!["genpkey"];
        args.extend(kind.iter().map(String::as_str));
        if self.passphrase.is_some() {
            args.extend([cipher.as_str(), "-pass", pass.as_str()]);
        }
        let pem = run(cx, &openssl(&args, &[self.passphrase.as_ref().map(|p| &*p.0)]))?;
        match pem.find("-----BEGIN ") {
            Some(start) => Ok(pem.as_bytes().get(start..).unwrap_or_default().to_vec()),
            None => Err(Failure::new("`openssl genpkey` gave no key")),
        }
    }
}

/// Whether a phrase opens the key, told by its PEM.
fn is_encrypted(cx: &Context, file: &str) -> Result<bool, Failure> {
    let bytes = cx.machine.files.read(file).map_err(|e| path::unreadable(file, &e))?;
    Ok(String::from_utf8_lossy(&bytes).contains("ENCRYPTED"))
}

/// Kind and size of a key by what is said of its public half.
fn kind_of(text: &str) -> String {
    let first = text.lines().next().unwrap_or_default();
    let bits: String = first.chars().skip_while(|c| *c != '(').filter(char::is_ascii_digit).collect();
    if first.starts_with("ED25519") {
        "ed25519".to_owned()
    } else if first.starts_with("ED448") {
        "ed448".to_owned()
    } else if text.contains("\nModulus:") {
        format!("rsa {bits}")
    } else {
        format!("ec {bits}")
    }
}

impl State for Managed {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        self.kind()?;
        let target = path::absolute(cx, &self.name)?;
        let mut old = None;
        if path::stat(cx, &target, true)?.is_some() {
            let phrase = self.passphrase.as_ref().map(|p| &*p.0);
            match public_half(cx, &target, phrase) {
                Ok(text) => old = Some(kind_of(&text)),
                Err(_) if self.overwrite => old = Some("something else".to_owned()),
                Err(failure) => {
                    return Err(Failure::new(format!(
                        "`{target}` is there and holds no key that can be read; `overwrite: true` replaces it ({})",
                        failure.message
                    )));
                }
            }
        }
        let wanted = self.described();
        if old.as_ref() == Some(&wanted) && !self.new {
            if self.passphrase.is_some() && !is_encrypted(cx, &target)? {
                let content = if cx.test { b"-".to_vec() } else { self.encrypt(cx, &target)? };
                let shown = Changes::from_iter([("encrypted".to_owned(), change(false, true))]);
                return self.file.plan(cx, target, Some(content), KEY_MODE, Some(shown));
            }
            return self.file.plan(cx, target, None, KEY_MODE, None);
        }
        // A test run has no use for a key.
        let content = if cx.test { b"-".to_vec() } else { self.generate(cx)? };
        let old = old.map_or(zester_compiler::types::Value::Null, Into::into);
        let shown = Changes::from_iter([("key".to_owned(), change(old, wanted))]);
        self.file.plan(cx, target, Some(content), KEY_MODE, Some(shown))
    }
}
