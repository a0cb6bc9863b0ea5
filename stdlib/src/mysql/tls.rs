//! What a user's connection has to show: `REQUIRE SSL` and its like.

use super::quote::literal;
use crate::Failure;
use serde::Deserialize;
use zester_compiler::types::Value;

/// What is required, as the table of users has it.
#[derive(Clone, PartialEq, Eq, Debug, Default, Deserialize)]
pub(super) struct Tls {
    /// `ANY`, `X509`, `SPECIFIED`, or nothing.
    kind: String,
    #[serde(default)]
    cipher: Option<String>,
    #[serde(default)]
    issuer: Option<String>,
    #[serde(default)]
    subject: Option<String>,
}

/// Asks for it, of the table of users.
pub(super) const COLUMNS: &str = "'kind', CONVERT(ssl_type USING utf8mb4), 'cipher', CONVERT(ssl_cipher USING utf8mb4), \
                                  'issuer', CONVERT(x509_issuer USING utf8mb4), 'subject', CONVERT(x509_subject USING utf8mb4)";

fn wrong(what: &str) -> Failure {
    Failure::new(format!(
        "`{}` is no `ssl_option`; those are `SSL: true`, `X509: true`, `SUBJECT: …`, `ISSUER: …`, `CIPHER: …`, in a list",
        what.escape_debug()
    ))
}

impl Tls {
    /// From a list of maps; `None` where nothing is said.
    pub(super) fn of(value: Option<&Value>) -> Result<Option<Self>, Failure> {
        let mut all = Vec::new();
        match value {
            None | Some(Value::Null | Value::Bool(false)) => return Ok(None),
            Some(Value::Bool(true)) => all.push(("SSL".to_owned(), Value::Bool(true))),
            Some(Value::Map(map)) => all.extend(map.clone()),
            Some(Value::List(list)) => {
                for item in list {
                    match item {
                        Value::Map(map) => all.extend(map.clone()),
                        word => all.push((word.to_string(), Value::Bool(true))),
                    }
                }
            }
            Some(word) => all.push((word.to_string(), Value::Bool(true))),
        }
        let mut tls = Self::default();
        for (name, value) in all {
            if matches!(value, Value::Null | Value::Bool(false)) {
                continue;
            }
            let text = || match &value {
                Value::Str(text) if !text.contains(|c: char| c.is_control()) => Ok(Some(text.clone())),
                _ => Err(wrong(&name)),
            };
            let kind = match name.to_ascii_uppercase().as_str() {
                "SSL" => "ANY",
                "X509" => "X509",
                word => {
                    match word {
                        "CIPHER" => tls.cipher = text()?,
                        "ISSUER" => tls.issuer = text()?,
                        "SUBJECT" => tls.subject = text()?,
                        _ => return Err(wrong(&name)),
                    }
                    "SPECIFIED"
                }
            };
            let rank = |kind: &str| ["", "ANY", "X509", "SPECIFIED"].iter().position(|known| *known == kind);
            if rank(kind) > rank(&tls.kind) {
                kind.clone_into(&mut tls.kind);
            }
        }
        Ok(Some(tls))
    }

    /// Whether a user has to show the same.
    pub(super) fn is(&self, have: &Self) -> bool {
        let same = |one: &Option<String>, other: &Option<String>| {
            one.as_deref().unwrap_or_default() == other.as_deref().unwrap_or_default()
        };
        self.kind == have.kind
            && same(&self.cipher, &have.cipher)
            && same(&self.issuer, &have.issuer)
            && same(&self.subject, &have.subject)
    }

    /// As SQL has it, behind `REQUIRE`.
    pub(super) fn sql(&self) -> String {
        match self.kind.as_str() {
            "ANY" => "SSL".to_owned(),
            "X509" => "X509".to_owned(),
            "SPECIFIED" => {
                let parts = [("CIPHER", &self.cipher), ("ISSUER", &self.issuer), ("SUBJECT", &self.subject)];
                let part = |(word, text): (&str, &Option<String>)| {
                    text.as_deref()
                        .filter(|text| !text.is_empty())
                        .map(|text| format!("{word} {}", literal(text)))
                };
                parts.into_iter().filter_map(part).collect::<Vec<_>>().join(" AND ")
            }
            _ => "NONE".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(json: &str) -> Result<Option<Tls>, Failure> {
        Tls::of(Some(&serde_json::from_str(json).unwrap()))
    }

    #[test]
    fn read_in_every_form() {
        let sql = |json: &str| of(json).unwrap().unwrap().sql();
        assert_eq!(sql(r#"[{"SSL": true}]"#), "SSL");
        assert_eq!(sql(r#"["ssl", "X509"]"#), "X509");
        assert_eq!(sql("true"), "SSL");
        assert_eq!(sql("[]"), "NONE");
        assert_eq!(
            sql(r#"[{"SUBJECT": "/CN=o'x"}, {"ISSUER": "/CN=y"}, {"SSL": true}]"#),
            "ISSUER '/CN=y' AND SUBJECT '/CN=o''x'"
        );
        assert_eq!(of("false").unwrap(), None);
        assert!(of(r#"[{"TLS": true}]"#).unwrap_err().message.contains("those are `SSL: true`"));
        assert!(of(r#"[{"SUBJECT": true}]"#).is_err());
    }

    #[test]
    fn compared_with_what_the_table_has() {
        let have = |json: &str| serde_json::from_str::<Tls>(json).unwrap();
        let wanted = of(r#"[{"SUBJECT": "/CN=x"}]"#).unwrap().unwrap();
        assert!(wanted.is(&have(r#"{"kind": "SPECIFIED", "cipher": "", "issuer": "", "subject": "/CN=x"}"#)));
        assert!(!wanted.is(&have(r#"{"kind": "ANY"}"#)));
    }
}
