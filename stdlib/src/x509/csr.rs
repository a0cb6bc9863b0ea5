//! `x509.csr_managed`

use super::{
    File, differences,
    extensions::Extensions,
    openssl::{openssl, phrase, run, with_scratch},
    subject::Subject,
};
use crate::{Changes, Context, Failure, Outcome, Plan, State, file::path};
use zester_compiler::types::{Path, Secret, Value};
use zester_stdlib_derive::Arguments;

/// A request for a certificate is there, as said and with the given key.
///
/// ```yaml
/// /etc/ssl/www.csr:
///   x509.csr_managed:
///     - private_key: /etc/ssl/private/www.key
///     - CN: www.example.com
///     - subjectAltName: DNS:www.example.com
/// ```
#[derive(Arguments)]
#[state("x509.csr_managed")]
pub(crate) struct Managed {
    /// The file.
    #[arg(primary)]
    name: Path,
    /// The private key: a path, or PEM.
    #[arg(secret)]
    private_key: Secret,
    /// That key's phrase.
    #[arg(secret)]
    private_key_passphrase: Option<Secret>,
    /// What is signed: a digest.
    #[arg(default = "sha256", alias = "algorithm", one_of("sha224", "sha256", "sha384", "sha512"))]
    digest: String,
    /// Whether a file is replaced that holds no request.
    #[arg(default = false)]
    overwrite: bool,
    /// Version of the format.
    #[arg(inert = "requests have one version only")]
    version: Option<Value>,
    /// The subject's name.
    #[arg(flatten)]
    subject: Subject,
    /// The extensions.
    #[arg(flatten)]
    extensions: Extensions,
    /// The file's attributes.
    #[arg(flatten)]
    file: File,
}

fn said_of(cx: &Context, path: &str) -> Result<String, Failure> {
    let args = [
        "req",
        "-in",
        path,
        "-noout",
        "-text",
        "-nameopt",
        "utf8,sep_comma_plus_space",
        "-reqopt",
        "no_sigdump,no_header,no_version",
    ];
    let text = run(cx, &openssl(&args, &[]))?;
    Ok(text.lines().flat_map(|line| [line.trim_end(), "\n"]).collect())
}

impl State for Managed {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let target = path::absolute(cx, &self.name)?;
        let there = path::stat(cx, &target, true)?.is_some();
        if cx.test
            && self.private_key.0.starts_with('/')
            && path::stat(cx, &self.private_key.0, true)?.is_none()
        {
            let comment =
                format!("`{}` is not there yet; `{target}` would be made when it is", &*self.private_key.0);
            let changes = Changes::from_iter([("created".to_owned(), Value::from(target))]);
            return Ok(Plan::change(changes, comment, |_| Ok(Outcome::default())));
        }
        let made = with_scratch(cx, |scratch| {
            let (name, extensions) = (self.subject.section()?, self.extensions.section(true)?);
            if name.is_empty() {
                return Err(Failure::new(format!(
                    "`{target}` needs a name: give `CN` or another part of the subject"
                )));
            }
            let config = format!(
                "[req]\nprompt = no\nutf8 = yes\nstring_mask = utf8only\ndistinguished_name = dn\n[dn]\n{name}[ext]\n{extensions}"
            );
            let config = scratch.file("config", config.as_bytes())?;
            let key = scratch.given("private_key", &self.private_key.0)?;
            let (out, pass, digest) = (scratch.path("request"), phrase(0), format!("-{}", self.digest));
            let mut args = vec![
                "req", "-new", "-key", &key, "-passin", &pass, "-config", &config, &digest, "-out", &out,
            ];
            if !extensions.is_empty() {
                args.extend(["-reqexts", "ext"]);
            }
            let passphrase =
                self.private_key_passphrase.as_ref().map(|p| p.0.to_string()).unwrap_or_default();
            run(cx, &openssl(&args, &[Some(&passphrase)]))?;
            let said = said_of(cx, &out)?;
            let old = match there.then(|| said_of(cx, &target)) {
                None => None,
                Some(Ok(old)) => Some(old),
                Some(Err(_)) if self.overwrite => Some(String::new()),
                Some(Err(failure)) => {
                    return Err(Failure::new(format!(
                        "`{target}` is there and holds no request; `overwrite: true` replaces it ({})",
                        failure.message
                    )));
                }
            };
            if old.as_ref() == Some(&said) {
                return Ok(None);
            }
            let pem = cx.machine.files.read(&out).map_err(|e| format!("`{out}` could not be read: {e}"))?;
            Ok(Some((pem, differences(old.as_deref(), &said))))
        })?;
        let (content, shown) = made.map_or((None, None), |(pem, shown)| (Some(pem), Some(shown)));
        self.file.plan(cx, target, content, 0o644, shown)
    }
}
