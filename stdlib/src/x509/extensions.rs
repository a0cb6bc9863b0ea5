//! What a certificate says beyond a name and a key.

use crate::Failure;
use zester_compiler::types::Value;
use zester_stdlib_derive::Arguments;

/// Extensions, in OpenSSL's words: a text (`critical, CA:TRUE`), a list, or a map.
#[derive(Arguments)]
#[shared]
pub(super) struct Extensions {
    /// Whether it may sign others: `critical, CA:TRUE, pathlen:0`.
    #[arg(name = "basicConstraints")]
    basic_constraints: Option<Value>,
    /// What the key is for: `critical, cRLSign, keyCertSign`.
    #[arg(name = "keyUsage")]
    key_usage: Option<Value>,
    /// What the certificate is for: `serverAuth, clientAuth`.
    #[arg(name = "extendedKeyUsage")]
    extended_key_usage: Option<Value>,
    /// The key's id: `hash`.
    #[arg(name = "subjectKeyIdentifier")]
    subject_key_identifier: Option<Value>,
    /// The signer's key: `keyid, issuer`.
    #[arg(name = "authorityKeyIdentifier")]
    authority_key_identifier: Option<Value>,
    /// Further names: `DNS:www.example.com, IP:192.0.2.1`.
    #[arg(name = "subjectAltName")]
    subject_alt_name: Option<Value>,
    /// Further names of the signer.
    #[arg(name = "issuerAltName")]
    issuer_alt_name: Option<Value>,
    /// Where lists of revoked certificates are: `URI:http://example.com/ca.crl`.
    #[arg(name = "crlDistributionPoints")]
    crl_distribution_points: Option<Value>,
    /// Where the signer can be asked: `OCSP;URI:http://ocsp.example.com`.
    #[arg(name = "authorityInfoAccess")]
    authority_info_access: Option<Value>,
    /// Policies it was issued under.
    #[arg(name = "certificatePolicies")]
    certificate_policies: Option<Value>,
    /// Constraints on policies.
    #[arg(name = "policyConstraints")]
    policy_constraints: Option<Value>,
    /// Names that a signer may sign.
    #[arg(name = "nameConstraints")]
    name_constraints: Option<Value>,
    /// Whether a policy for all is refused.
    #[arg(name = "inhibitAnyPolicy")]
    inhibit_any_policy: Option<Value>,
    /// Whether a responder's certificate is not checked.
    #[arg(name = "noCheck")]
    no_check: Option<Value>,
    /// Features that TLS must have: `status_request`.
    tlsfeature: Option<Value>,
    /// A remark.
    #[arg(name = "nsComment")]
    ns_comment: Option<Value>,
    /// The old form of what it is for.
    #[arg(name = "nsCertType")]
    ns_cert_type: Option<Value>,
}

impl Extensions {
    /// Lines of a section of OpenSSL's configuration; a request has no signer to name.
    pub(super) fn section(&self, request: bool) -> Result<String, Failure> {
        let all = [
            ("basicConstraints", &self.basic_constraints),
            ("keyUsage", &self.key_usage),
            ("extendedKeyUsage", &self.extended_key_usage),
            ("subjectKeyIdentifier", &self.subject_key_identifier),
            ("authorityKeyIdentifier", if request { &None } else { &self.authority_key_identifier }),
            ("subjectAltName", &self.subject_alt_name),
            ("issuerAltName", if request { &None } else { &self.issuer_alt_name }),
            ("crlDistributionPoints", &self.crl_distribution_points),
            ("authorityInfoAccess", &self.authority_info_access),
            ("certificatePolicies", &self.certificate_policies),
            ("policyConstraints", &self.policy_constraints),
            ("nameConstraints", &self.name_constraints),
            ("inhibitAnyPolicy", &self.inhibit_any_policy),
            ("noCheck", &self.no_check),
            ("tlsfeature", &self.tlsfeature),
            ("nsComment", &self.ns_comment),
            ("nsCertType", &self.ns_cert_type),
        ];
        let mut text = String::new();
        for (key, value) in all {
            let Some(value) = value else { continue };
            let value = text_of(value);
            if !value.is_empty() {
                text.push_str(&format!("{key} = {}\n", escaped(key, &value)?));
            }
        }
        Ok(text)
    }
}

/// OpenSSL's form of a value.
fn text_of(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::List(items) => items.iter().map(text_of).collect::<Vec<_>>().join(","),
        Value::Map(map) => {
            // What is critical stands first.
            let critical = map
                .get("critical")
                .is_some_and(|v| matches!(v, Value::Bool(true)))
                .then(|| "critical".to_owned());
            let parts = map.iter().filter(|(key, _)| *key != "critical").filter_map(|(key, value)| {
                match (key.as_str(), value) {
                    ("ca" | "CA", Value::Bool(yes)) => {
                        Some(format!("CA:{}", if *yes { "TRUE" } else { "FALSE" }))
                    }
                    (_, Value::Bool(true)) => Some(key.clone()),
                    (_, Value::Bool(false) | Value::Null) => None,
                    (_, Value::List(items)) => {
                        Some(items.iter().map(|item| format!("{key}:{item}")).collect::<Vec<_>>().join(","))
                    }
                    (_, value) => Some(format!("{key}:{value}")),
                }
            });
            critical.into_iter().chain(parts).collect::<Vec<_>>().join(",")
        }
        Value::Bool(yes) => if *yes { "TRUE" } else { "FALSE" }.to_owned(),
        text => {
            let text = text.to_string();
            let text = text.trim();
            // `critical CA:true` is an old spelling.
            let text = match text.strip_prefix("critical ") {
                Some(rest) => format!("critical,{}", rest.trim_start_matches([' ', ','])),
                None => text.to_owned(),
            };
            text.replace("CA:true", "CA:TRUE")
                .replace("CA:false", "CA:FALSE")
                .replace("ip:", "IP:")
                .replace("dns:", "DNS:")
        }
    }
}

/// A value of OpenSSL's configuration, in which some characters mean something.
pub(super) fn escaped(key: &str, value: &str) -> Result<String, Failure> {
    if value.contains(['\n', '\r', '\0']) {
        return Err(Failure::new(format!("`{key}` has a line break in its value")));
    }
    if value.starts_with('@') || value.contains("dirName:") || value.contains("otherName:") {
        return Err(Failure::new(format!(
            "`{key}`: a value that names a section of OpenSSL's configuration cannot be given here"
        )));
    }
    let mut text = String::with_capacity(value.len());
    for c in value.chars() {
        if matches!(c, '\\' | '#' | '$' | '"' | '\'' | '`') {
            text.push('\\');
        }
        text.push(c);
    }
    Ok(text)
}
