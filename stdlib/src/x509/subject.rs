//! Whom a certificate is about.

use super::extensions::escaped;
use crate::Failure;
use zester_compiler::types::Value;
use zester_stdlib_derive::Arguments;

/// Parts of the name.
#[derive(Arguments)]
#[shared]
pub(super) struct Subject {
    /// The whole name: `CN=example.com,O=Example`, a list of such parts, or a map.
    #[arg(name = "subject")]
    whole: Option<Value>,
    /// Country, two letters.
    #[arg(name = "C")]
    country: Option<Value>,
    /// State or province.
    #[arg(name = "ST", alias = "SP")]
    state: Option<Value>,
    /// Place.
    #[arg(name = "L")]
    locality: Option<Value>,
    /// Street.
    #[arg(name = "STREET")]
    street: Option<Value>,
    /// Organization.
    #[arg(name = "O")]
    organization: Option<Value>,
    /// Department; a list of several is possible.
    #[arg(name = "OU")]
    unit: Option<Value>,
    /// The name itself: of a server its host name.
    #[arg(name = "CN")]
    common_name: Option<Value>,
    /// First name.
    #[arg(name = "GN")]
    given_name: Option<Value>,
    /// Surname.
    #[arg(name = "SN")]
    surname: Option<Value>,
    /// Title.
    #[arg(name = "T", alias = "title")]
    title: Option<Value>,
    /// Serial number of the subject, not of the certificate.
    #[arg(name = "SERIALNUMBER")]
    serial: Option<Value>,
    /// Address of mail.
    #[arg(name = "Email", alias = "emailAddress")]
    email: Option<Value>,
}

const KNOWN: [&str; 13] =
    ["C", "ST", "L", "street", "O", "OU", "CN", "GN", "SN", "title", "serialNumber", "emailAddress", "DC"];

/// The name of a part as OpenSSL spells it.
fn spelled(key: &str) -> Result<&'static str, Failure> {
    let key = key.trim();
    let other = match key.to_ascii_uppercase().as_str() {
        "SP" | "S" => "ST",
        "T" => "title",
        "EMAIL" | "MAIL" => "emailAddress",
        "GIVENNAME" => "GN",
        "SURNAME" => "SN",
        _ => key,
    };
    KNOWN.into_iter().find(|known| known.eq_ignore_ascii_case(other)).ok_or_else(|| {
        Failure::new(format!("`{key}` is no part of a subject's name; there are {}", KNOWN.join(", ")))
    })
}

impl Subject {
    fn parts(&self) -> Result<Vec<(&'static str, String)>, Failure> {
        let mut parts = Vec::new();
        let pair = |text: &str| match text.split_once('=') {
            Some((key, value)) => Ok((spelled(key)?, value.trim().to_owned())),
            None => Err(Failure::new(format!("`{text}` in `subject` is no `KEY=value`"))),
        };
        match &self.whole {
            None | Some(Value::Null) => {}
            Some(Value::Map(map)) => {
                for (key, value) in map {
                    parts.push((spelled(key)?, value.to_string()));
                }
            }
            Some(Value::List(items)) => {
                for item in items {
                    parts.push(pair(&item.to_string())?);
                }
            }
            Some(text) => {
                for part in split(&text.to_string()) {
                    parts.push(pair(&part)?);
                }
            }
        }
        let fields = [
            ("C", &self.country),
            ("ST", &self.state),
            ("L", &self.locality),
            ("street", &self.street),
            ("O", &self.organization),
            ("OU", &self.unit),
            ("CN", &self.common_name),
            ("GN", &self.given_name),
            ("SN", &self.surname),
            ("title", &self.title),
            ("serialNumber", &self.serial),
            ("emailAddress", &self.email),
        ];
        for (key, value) in fields {
            match value {
                None | Some(Value::Null) => {}
                Some(Value::List(items)) => parts.extend(items.iter().map(|item| (key, item.to_string()))),
                Some(value) => parts.push((key, value.to_string())),
            }
        }
        Ok(parts)
    }

    /// Lines of a section of OpenSSL's configuration. A number in front lets a part come several times.
    pub(super) fn section(&self) -> Result<String, Failure> {
        let mut text = String::new();
        for (at, (key, value)) in self.parts()?.into_iter().enumerate() {
            text.push_str(&format!("{at}.{key} = {}\n", escaped(key, &value)?));
        }
        Ok(text)
    }
}

/// The parts between commas; a backslash takes the next character as it is.
fn split(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            ',' => parts.push(String::new()),
            '\\' => {
                if let (Some(next), Some(last)) = (chars.next(), parts.last_mut()) {
                    last.push(next);
                }
            }
            c => {
                if let Some(last) = parts.last_mut() {
                    last.push(c);
                }
            }
        }
    }
    parts.retain(|part| !part.trim().is_empty());
    parts
}
