//! `x509.certificate_managed`

use super::{
    File, differences,
    extensions::Extensions,
    is_pem,
    openssl::{Scratch, openssl, phrase, run, with_scratch},
    subject::Subject,
};
use crate::{Changes, Context, Failure, Plan, State, file::path, random};
use zester_compiler::types::{Path, Secret, Value};
use zester_stdlib_derive::Arguments;

/// A certificate is there, as said, signed by the given key, and not about to end.
///
/// Without `signing_cert` it signs itself. It is made anew when something else is asked for, when its key or its signer's is another,
/// and when no more than `days_remaining` are left.
///
/// ```yaml
/// /etc/ssl/www.crt:
///   x509.certificate_managed:
///     - private_key: /etc/ssl/private/www.key
///     - signing_private_key: /etc/pki/ca.key
///     - signing_cert: /etc/pki/ca.crt
///     - CN: www.example.com
///     - subjectAltName: DNS:www.example.com
///     - days_valid: 90
///     - days_remaining: 30
/// ```
#[derive(Arguments)]
#[state("x509.certificate_managed", at_most_one_of("private_key", "public_key", "csr"))]
pub(crate) struct Managed {
    /// The file.
    #[arg(primary)]
    name: Path,
    /// The key that signs: a path, or PEM.
    #[arg(secret)]
    signing_private_key: Option<Secret>,
    /// That key's phrase.
    #[arg(secret)]
    signing_private_key_passphrase: Option<Secret>,
    /// The certificate of the signer: a path, or PEM. Without one the certificate signs itself.
    signing_cert: Option<String>,
    /// The private key whose public half is certified: a path, or PEM; that of the signer when neither is given.
    #[arg(secret)]
    private_key: Option<Secret>,
    /// That key's phrase.
    #[arg(secret)]
    private_key_passphrase: Option<Secret>,
    /// The public key that is certified: a path, or PEM.
    public_key: Option<String>,
    /// A request whose key and, where no other is given, name are certified: a path, or PEM.
    csr: Option<String>,
    /// Days from now on for which it is valid.
    #[arg(default = 30)]
    days_valid: i64,
    /// It is made anew when no more days than these are left; 0 never does so.
    #[arg(default = 7)]
    days_remaining: i64,
    /// What is signed: a digest.
    #[arg(default = "sha256", alias = "algorithm", one_of("sha224", "sha256", "sha384", "sha512"))]
    digest: String,
    /// Its serial number, in hexadecimal digits with or without colons; random when not given.
    serial_number: Option<Value>,
    /// Certificates that stand behind it in the file: paths, or PEM.
    append_certs: Vec<String>,
    /// A minion that signs.
    ca_server: Option<String>,
    /// Rules of that minion.
    signing_policy: Option<Value>,
    /// When it begins.
    #[arg(inert = "it begins when it is made; `days_valid` says when it ends")]
    not_before: Option<Value>,
    /// When it ends.
    #[arg(inert = "give `days_valid`")]
    not_after: Option<Value>,
    /// Version of the format.
    #[arg(inert = "certificates are of version 3, the only one that has extensions")]
    version: Option<Value>,
    /// A directory for copies.
    #[arg(inert = "copy the file with a state of its own, `file.copy`")]
    copypath: Option<Value>,
    /// Whether copies are named after the name.
    #[arg(inert = "copy the file with a state of its own, `file.copy`")]
    prepend_cn: Option<Value>,
    /// Whether a file is replaced that holds no certificate.
    #[arg(default = false)]
    overwrite: bool,
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

/// What `openssl` says of a certificate, but for what is new in each: serial number, times, signature.
pub(super) fn said_of(cx: &Context, path: &str) -> Result<String, Failure> {
    let args = [
        "x509",
        "-in",
        path,
        "-noout",
        "-text",
        "-nameopt",
        "utf8,sep_comma_plus_space",
        "-certopt",
        "no_serial,no_validity,no_sigdump,no_header,no_version",
    ];
    let text = run(cx, &openssl(&args, &[]))?;
    // The signer's serial number is its own when a certificate signs itself.
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("serial:"));
    Ok(lines.flat_map(|line| [line.trim_end(), "\n"]).collect())
}

/// The first PEM block of a text.
fn first_block(text: &str) -> Option<&str> {
    let start = text.find("-----BEGIN ")?;
    let rest = text.get(start..)?;
    let end = rest.find("-----END ")?;
    let line_end = rest.get(end..)?.find('\n').map_or(rest.len(), |at| end + at + 1);
    rest.get(..line_end)
}

fn in_pem(text: &str, from: &str) -> Result<String, Failure> {
    let blocks = text.find("-----BEGIN ").and_then(|start| text.get(start..));
    let blocks = blocks.ok_or_else(|| Failure::new(format!("`{from}` holds no PEM (`-----BEGIN …`)")))?;
    Ok(format!("{}\n", blocks.trim_end()))
}

/// What is there, as wanted, and what was made to compare with.
struct Made {
    pem: String,
    said: String,
}

impl Managed {
    fn check(&self) -> Result<(), Failure> {
        if self.ca_server.is_some() || self.signing_policy.is_some() {
            return Err(Failure::new(
                "`ca_server` and `signing_policy` ask another minion to sign, which peels do not do for each other; sign where the key of the \
                 authority is, or hand its key to this peel in `signing_private_key` from sealed settings",
            ));
        }
        if self.signing_private_key.is_none() {
            return Err(Failure::new(format!(
                "give the key that signs `{}` as `signing_private_key`",
                self.name
            )));
        }
        if self.signing_cert.is_none() {
            // A certificate that signs itself has the key that signs.
            let own =
                self.private_key.as_ref().map(|k| &k.0) == self.signing_private_key.as_ref().map(|k| &k.0);
            if self.csr.is_some() || self.public_key.is_some() || !(self.private_key.is_none() || own) {
                return Err(Failure::new(format!(
                    "`{}` has another key than the one that signs, so give the signer's certificate as `signing_cert`",
                    self.name
                )));
            }
        }
        if self.days_valid < 1 || self.days_remaining < 0 || self.days_valid > 36_500 {
            return Err(Failure::new(
                "`days_valid` is 1 to 36500 days, and `days_remaining` not less than 0",
            ));
        }
        if self.days_remaining >= self.days_valid {
            return Err(Failure::new(format!(
                "`days_remaining` ({}) is not less than `days_valid` ({}): each run would make it anew",
                self.days_remaining, self.days_valid
            )));
        }
        Ok(())
    }

    fn serial(&self) -> Result<String, Failure> {
        if let Some(serial) = &self.serial_number {
            let text = serial.to_string().replace(':', "");
            let digits = text.trim_start_matches("0x");
            if digits.is_empty() || digits.len() > 40 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Err(Failure::new(format!(
                    "`serial_number` is at most 40 hexadecimal digits, not `{serial}`"
                )));
            }
            return Ok(format!("0x{digits}"));
        }
        let mut bytes = random::bytes(16)?;
        // Positive, and never shorter than it looks.
        if let Some(first) = bytes.first_mut() {
            *first = (*first & 0x3f) | 0x40;
        }
        Ok(format!("0x{}", random::hex(&bytes)))
    }

    /// Makes one.
    fn make(&self, cx: &Context, scratch: &Scratch<'_>, signer: Option<&str>) -> Result<Made, Failure> {
        let signing_key = self.signing_private_key.as_ref().map_or("", |k| &*k.0);
        let signing_key = scratch.given("signing_private_key", signing_key)?;
        let key_phrase = |given: &Option<Secret>| given.as_ref().map(|p| p.0.to_string()).unwrap_or_default();
        let signing_phrase = key_phrase(&self.signing_private_key_passphrase);
        let (name, extensions) = (self.subject.section()?, self.extensions.section(false)?);
        let distinguished = if name.is_empty() { "CN = -\n" } else { &name };
        let config = format!(
            "[req]\nprompt = no\nutf8 = yes\nstring_mask = utf8only\ndistinguished_name = dn\n[dn]\n{distinguished}[ext]\n{extensions}"
        );
        let config = scratch.file("config", config.as_bytes())?;
        let request = match &self.csr {
            Some(csr) => scratch.given("csr", csr)?,
            None => {
                let (key, passphrase) = match &self.private_key {
                    Some(key) => {
                        (scratch.given("private_key", &key.0)?, key_phrase(&self.private_key_passphrase))
                    }
                    None => (signing_key.clone(), signing_phrase.clone()),
                };
                let out = scratch.path("request");
                let pass = phrase(0);
                let args = ["req", "-new", "-key", &key, "-passin", &pass, "-config", &config, "-out", &out];
                run(cx, &openssl(&args, &[Some(&passphrase)]))?;
                out
            }
        };
        let (out, pass, digest) = (scratch.path("certificate"), phrase(0), format!("-{}", self.digest));
        let (days, serial) = (self.days_valid.to_string(), self.serial()?);
        let mut args = vec![
            "x509",
            "-req",
            "-in",
            &request,
            "-days",
            &days,
            "-set_serial",
            &serial,
            &digest,
            "-passin",
            &pass,
            "-out",
            &out,
        ];
        if !extensions.is_empty() {
            args.extend(["-extfile", config.as_str(), "-extensions", "ext"]);
        }
        match signer {
            Some(signer) => args.extend(["-CA", signer, "-CAkey", signing_key.as_str()]),
            None => args.extend(["-signkey", signing_key.as_str()]),
        }
        let public;
        if let Some(key) = &self.public_key {
            public = scratch.given("public_key", key)?;
            args.extend(["-force_pubkey", public.as_str()]);
        }
        let subject;
        if self.csr.is_some() && !name.is_empty() {
            // The name is the author's, the key the request's.
            subject = scratch.path("named");
            self.rename(cx, &config, &signing_key, &signing_phrase, &request, &subject)?;
            args.retain(|arg| *arg != request);
            args.insert(3, &subject);
            let key = scratch.path("request.pub");
            let text = run(cx, &openssl(&["req", "-in", &request, "-noout", "-pubkey"], &[]))?;
            scratch.file("request.pub", text.as_bytes())?;
            return self.finish(
                cx,
                args.into_iter().chain(["-force_pubkey", key.as_str()]).collect(),
                &signing_phrase,
                &out,
            );
        }
        self.finish(cx, args, &signing_phrase, &out)
    }

    /// A request with the author's name; its key is replaced when it is signed.
    fn rename(
        &self,
        cx: &Context,
        config: &str,
        key: &str,
        passphrase: &str,
        request: &str,
        out: &str,
    ) -> Result<(), Failure> {
        // A request that is damaged must not be replaced unseen.
        run(cx, &openssl(&["req", "-in", request, "-noout", "-verify"], &[]))?;
        let pass = phrase(0);
        let args = ["req", "-new", "-key", key, "-passin", &pass, "-config", config, "-out", out];
        run(cx, &openssl(&args, &[Some(passphrase)])).map(drop)
    }

    fn finish(&self, cx: &Context, args: Vec<&str>, passphrase: &str, out: &str) -> Result<Made, Failure> {
        run(cx, &openssl(&args, &[Some(passphrase)]))?;
        let bytes = cx.machine.files.read(out).map_err(|e| format!("`{out}` could not be read: {e}"))?;
        Ok(Made { pem: in_pem(&String::from_utf8_lossy(&bytes), out)?, said: said_of(cx, out)? })
    }

    /// Whether one that says the same may stay: it does not end too soon, and the signer's key is the one it was signed with.
    fn may_stay(&self, cx: &Context, signer: Option<&str>, path: &str) -> Result<bool, Failure> {
        if self.days_remaining > 0 {
            let seconds = (self.days_remaining * 86_400).to_string();
            let command = openssl(&["x509", "-in", path, "-noout", "-checkend", &seconds], &[]);
            if !crate::provider::tool::run(cx, command)?.success() {
                return Ok(false);
            }
        }
        let trusted = signer.unwrap_or(path);
        let args = ["verify", "-partial_chain", "-no_check_time", "-CAfile", trusted, path];
        let output = crate::provider::tool::run(cx, openssl(&args, &[]))?;
        Ok(output.success())
    }

    fn chain(&self, cx: &Context) -> Result<String, Failure> {
        let mut chain = String::new();
        for given in &self.append_certs {
            if is_pem(given) {
                chain.push_str(&in_pem(given, "append_certs")?);
                continue;
            }
            let bytes =
                cx.machine.files.read(given).map_err(|e| format!("`{given}` could not be read: {e}"))?;
            chain.push_str(&in_pem(&String::from_utf8_lossy(&bytes), given)?);
        }
        Ok(chain)
    }
}

impl State for Managed {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        self.check()?;
        let target = path::absolute(cx, &self.name)?;
        let there = path::stat(cx, &target, true)?.is_some();
        if cx.test
            && let Some(missing) = self.not_yet(cx)?
        {
            let comment = format!("`{missing}` is not there yet; `{target}` would be made when it is");
            let changes = Changes::from_iter([("created".to_owned(), Value::from(target))]);
            return Ok(Plan::change(changes, comment, |_| Ok(crate::Outcome::default())));
        }
        let chain = self.chain(cx)?;
        let (content, shown) = with_scratch(cx, |scratch| {
            let signer =
                self.signing_cert.as_ref().map(|cert| scratch.given("signing_cert", cert)).transpose()?;
            let made = self.make(cx, scratch, signer.as_deref())?;
            if !there {
                return Ok((format!("{}{chain}", made.pem), Some(differences(None, &made.said))));
            }
            let bytes = cx.machine.files.read(&target).map_err(|e| path::unreadable(&target, &e))?;
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let old = match said_of(cx, &target) {
                Ok(said) => said,
                Err(_) if self.overwrite => String::new(),
                Err(failure) => {
                    return Err(Failure::new(format!(
                        "`{target}` is there and holds no certificate; `overwrite: true` replaces it ({})",
                        failure.message
                    )));
                }
            };
            if old != made.said {
                return Ok((format!("{}{chain}", made.pem), Some(differences(Some(&old), &made.said))));
            }
            if !self.may_stay(cx, signer.as_deref(), &target)? {
                let shown = Changes::from_iter([("renewed".to_owned(), Value::Bool(true))]);
                return Ok((format!("{}{chain}", made.pem), Some(shown)));
            }
            Ok((format!("{}{chain}", first_block(&text).unwrap_or(&text)), None))
        })?;
        self.file.plan(cx, target, Some(content.into_bytes()), 0o644, shown)
    }
}

impl Managed {
    /// A file that is named and that only an apply of other states makes.
    fn not_yet(&self, cx: &Context) -> Result<Option<String>, Failure> {
        let secrets =
            [&self.signing_private_key, &self.private_key].into_iter().flatten().map(|s| s.0.to_string());
        let others = [&self.signing_cert, &self.public_key, &self.csr].into_iter().flatten().cloned();
        for given in secrets.chain(others).chain(self.append_certs.iter().cloned()) {
            if given.starts_with('/') && path::stat(cx, &given, true)?.is_none() {
                return Ok(Some(given));
            }
        }
        Ok(None)
    }
}
