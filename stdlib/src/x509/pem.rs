//! `x509.pem_managed`

use super::{File, KEY_MODE};
use crate::{Changes, Context, Failure, Plan, State, change, file::path, provider::files};
use zester_compiler::types::{Path, Secret, Value};
use zester_stdlib_derive::Arguments;

/// A file holds the given PEM: certificates, keys or both. Its lines may have lost their breaks on the way here.
///
/// ```yaml
/// /etc/ssl/chain.pem:
///   x509.pem_managed:
///     - text: |
///         -----BEGIN CERTIFICATE-----
///         MIIBszCCAVmgAwIBAgIUQ2hhbmdlIG1lIHBsZWFzZSEwCgYIKoZIzj0EAwIw
///         -----END CERTIFICATE-----
/// ```
#[derive(Arguments)]
#[state("x509.pem_managed")]
pub(crate) struct Managed {
    /// The file.
    #[arg(primary)]
    name: Path,
    /// The PEM.
    #[arg(secret)]
    text: Secret,
    /// The file's attributes.
    #[arg(flatten)]
    file: File,
}

/// Blocks with their lines of 64 characters; text around them is left out, headers of old encrypted keys are kept.
fn normal(text: &str) -> Result<String, Failure> {
    let bad = |what: &str| Failure::new(format!("`text` is not PEM: {what}"));
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("-----BEGIN ") {
        let after = rest.get(start + 11..).unwrap_or_default();
        let (label, body) =
            after.split_once("-----").ok_or_else(|| bad("a `-----BEGIN` line does not end"))?;
        let end = format!("-----END {label}-----");
        let (body, behind) = body.split_once(&end).ok_or_else(|| bad(&format!("`{end}` is missing")))?;
        out.push_str(&format!("-----BEGIN {label}-----\n"));
        let (headers, body) = match body.split_once("\n\n") {
            Some((headers, body)) if headers.contains(':') => (headers.trim(), body),
            _ => ("", body),
        };
        if !headers.is_empty() {
            out.push_str(headers);
            out.push_str("\n\n");
        }
        let base64: Vec<u8> = body.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
        if base64.is_empty() || !base64.iter().all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(b)) {
            return Err(bad(&format!("the block `{label}` is not base64")));
        }
        for line in base64.chunks(64) {
            out.push_str(&String::from_utf8_lossy(line));
            out.push('\n');
        }
        out.push_str(&end);
        out.push('\n');
        rest = behind;
    }
    if out.is_empty() { Err(bad("it has no `-----BEGIN …` line")) } else { Ok(out) }
}

impl State for Managed {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let target = path::absolute(cx, &self.name)?;
        let new = normal(&self.text.0)?;
        let old = files::content(cx, &target)?;
        let shown = (old.as_deref() != Some(new.as_bytes())).then(|| {
            let old = if old.is_some() { Value::from("other PEM") } else { Value::Null };
            Changes::from_iter([("pem".to_owned(), change(old, labels(&new)))])
        });
        let mode = if new.contains("PRIVATE KEY-----") { KEY_MODE } else { 0o644 };
        self.file.plan(cx, target, Some(new.into_bytes()), mode, shown)
    }
}

/// What the blocks are: `CERTIFICATE, CERTIFICATE`.
fn labels(text: &str) -> String {
    let labels = text.lines().filter_map(|line| line.strip_prefix("-----BEGIN ")?.strip_suffix("-----"));
    labels.collect::<Vec<_>>().join(", ")
}
