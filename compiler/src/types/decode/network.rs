//! Addresses, networks and host names.

use super::{DecodeError, MALFORMED_VALUE, name_of, word::Word};
use crate::types::{Type, Value};
use std::net::IpAddr;

fn malformed(ty: &Type, word: &Word<'_>) -> DecodeError {
    let message = format!("expected {}, found {}", name_of(ty), word.found());
    DecodeError::new(&MALFORMED_VALUE, ty, word.span, message)
}

pub(super) fn ip(ty: &Type, word: &Word<'_>) -> Result<Value, DecodeError> {
    let text = word.text.trim();
    // A zone (`fe80::1%eth0`) belongs to an interface, not to the address.
    let address = text.split_once('%').map_or(text, |(address, _)| address);
    if address.parse::<IpAddr>().is_ok() {
        return Ok(Value::Str(text.to_owned()));
    }
    let error = malformed(ty, word);
    let octets: Vec<&str> = text.split('.').collect();
    if octets.len() == 4
        && let Some(bad) = octets.iter().find(|o| o.parse::<u32>().is_ok_and(|n| n > 255))
    {
        return Err(error.help(format!("`{bad}` is greater than 255")));
    }
    Err(match text.split_once('/') {
        Some((host, _)) if host.parse::<IpAddr>().is_ok() => {
            error.help(format!("write the address without its prefix length: `{host}`"))
        }
        _ => error,
    })
}

pub(super) fn cidr(ty: &Type, word: &Word<'_>) -> Result<Value, DecodeError> {
    let text = word.text.trim();
    if text.parse::<ipnet::IpNet>().is_ok() {
        return Ok(Value::Str(text.to_owned()));
    }
    let error = malformed(ty, word);
    Err(match text.parse::<IpAddr>() {
        Ok(IpAddr::V4(_)) => error.help(format!("a single address is `{text}/32`")),
        Ok(IpAddr::V6(_)) => error.help(format!("a single address is `{text}/128`")),
        Err(_) => error,
    })
}

pub(super) fn hostname(ty: &Type, word: &Word<'_>) -> Result<Value, DecodeError> {
    let text = word.text.trim();
    let name = text.strip_suffix('.').unwrap_or(text);
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && !label.starts_with('-')
            && !label.ends_with('-')
            // Names outside ASCII are the resolver's matter; underscores are used in names of services.
            && label.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_')
    };
    if name.len() <= 253 && name.split('.').all(label) || name.parse::<IpAddr>().is_ok() {
        return Ok(Value::Str(text.to_owned()));
    }
    let bad = word.text.char_indices().find(|(_, c)| !(c.is_alphanumeric() || matches!(c, '-' | '_' | '.')));
    let mut error = malformed(ty, word);
    if let Some((offset, c)) = bad {
        error.span = word.part(offset, offset + c.len_utf8());
        error.help = Some(format!("`{c}` cannot stand in a host name"));
    }
    Err(error)
}
