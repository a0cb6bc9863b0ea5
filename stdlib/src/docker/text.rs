//! The many ways in which people write options of containers, in one form each.

use std::collections::{BTreeMap, BTreeSet};
use zester_compiler::types::{FromValue, Type, Value};

/// Most ports that a range stands for.
const MOST_PORTS: u32 = 65_536;

/// Names with values: a map, a list of maps or of texts, or one text with commas.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Named(Value);

impl FromValue for Named {
    fn ty() -> Type {
        Type::Map(Box::new(Type::Any)).or(Type::List(Box::new(Type::Any))).or(Type::Str)
    }

    fn from_value(value: &Value) -> Result<Self, String> {
        Ok(Self(value.clone()))
    }

    fn absent() -> Option<Self> {
        Some(Self(Value::Null))
    }
}

/// A list, also one text with commas.
pub(super) fn list(texts: &[String]) -> Vec<String> {
    let all = texts.iter().flat_map(|text| text.split(','));
    all.map(|one| one.trim().to_owned()).filter(|one| !one.is_empty()).collect()
}

/// The parts of a text with commas; a part that begins nothing new goes on with the one before.
fn joined(text: &str, begins: impl Fn(&str) -> bool) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for part in text.split(',') {
        match all.last_mut() {
            Some(last) if !begins(part.trim()) => {
                last.push(',');
                last.push_str(part);
            }
            _ => all.push(part.trim().to_owned()),
        }
    }
    all.retain(|one| !one.is_empty());
    all
}

/// Binds, also several in one text with commas: an option such as `Z` is none of its own.
pub(super) fn binds(texts: &[String]) -> Vec<String> {
    texts.iter().flat_map(|text| joined(text, |part| part.contains(['/', ':']))).collect()
}

/// Options of security, also several in one text with commas: those may stand inside of one, too.
pub(super) fn security(texts: &[String]) -> Vec<String> {
    let begins = |part: &str| part.contains([':', '=']) || part == "no-new-privileges";
    texts.iter().flat_map(|text| joined(text, begins)).collect()
}

/// The names and values; in texts `separator` is between both.
pub(super) fn pairs(
    what: &str,
    Named(value): &Named,
    separator: char,
) -> Result<BTreeMap<String, String>, String> {
    let scalar = |name: &str, value: &Value| match value {
        Value::Null => Ok(String::new()),
        Value::List(_) | Value::Map(_) => Err(format!("the value of `{name}` in `{what}` is no text")),
        value => Ok(value.to_string()),
    };
    let mut all = BTreeMap::new();
    let mut map = |map: &zester_compiler::types::Map| {
        for (name, value) in map {
            all.insert(name.clone(), scalar(name, value)?);
        }
        Ok::<(), String>(())
    };
    match value {
        Value::Null => {}
        Value::Map(one) => map(one)?,
        Value::List(list) => {
            for item in list {
                match item {
                    Value::Map(one) => map(one)?,
                    item => {
                        let text = scalar("an entry", item)?;
                        let (name, value) = text.split_once(separator).unwrap_or((&text, ""));
                        map(&[(name.trim().to_owned(), Value::from(value))].into_iter().collect())?;
                    }
                }
            }
        }
        scalar => {
            // A label may be a name alone, and a path have no options.
            let begins = |part: &str| part.contains(separator) || part.starts_with('/') || what == "labels";
            for text in joined(&scalar.to_string(), begins) {
                let (name, value) = text.split_once(separator).unwrap_or((&text, ""));
                map(&[(name.trim().to_owned(), Value::from(value))].into_iter().collect())?;
            }
        }
    }
    if let Some(odd) = all.keys().find(|name| name.is_empty() || name.starts_with('-') || name.contains('='))
    {
        return Err(format!("`{}` is not a name in `{what}`", odd.escape_debug()));
    }
    Ok(all)
}

/// `80`, `80/udp`, `80-82/tcp` as single ports, each with its protocol.
pub(super) fn ports(text: &str) -> Result<Vec<String>, String> {
    let (numbers, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let wrong = || format!("`{text}` is no port; write `80`, `53/udp` or `8000-8010/tcp`");
    if !matches!(protocol, "tcp" | "udp" | "sctp") {
        return Err(wrong());
    }
    let (first, last) = range(numbers).ok_or_else(wrong)?;
    Ok((first..=last).map(|port| format!("{port}/{protocol}")).collect())
}

fn range(text: &str) -> Option<(u32, u32)> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let port = |text: &str| text.parse::<u32>().ok().filter(|port| (1..MOST_PORTS).contains(port));
    let (first, last) = (port(first)?, port(last)?);
    (first <= last).then_some((first, last))
}

/// `8080:80`, `127.0.0.1:8080:80/udp`, `80`: address, port of the machine and port of the container of each binding, as the daemon tells them.
pub(super) fn bindings(text: &str) -> Result<BTreeSet<String>, String> {
    let wrong = || {
        format!(
            "`{text}` binds no port; write `8080:80`, `127.0.0.1:53:53/udp`, or `80` for whatever port is free"
        )
    };
    let (numbers, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
    let (rest, inside) =
        numbers.rsplit_once(':').map_or((None, numbers), |(rest, inside)| (Some(rest), inside));
    let (address, outside) = match rest {
        None => ("", ""),
        Some(rest) => rest.rsplit_once(':').unwrap_or(("", rest)),
    };
    let address = address.trim_start_matches('[').trim_end_matches(']');
    if !address.is_empty() && address.parse::<std::net::IpAddr>().is_err() {
        return Err(wrong());
    }
    let inside = ports(&format!("{inside}/{protocol}")).map_err(|_| wrong())?;
    if outside.is_empty() {
        return Ok(inside.into_iter().map(|port| format!("{address}::{port}")).collect());
    }
    let (first, last) = range(outside).ok_or_else(wrong)?;
    if inside.len() != (last - first + 1) as usize {
        return Err(format!("`{text}` binds {} ports to {}", inside.len(), last - first + 1));
    }
    Ok((first..=last).zip(inside).map(|(outside, inside)| format!("{address}:{outside}:{inside}")).collect())
}

/// `always`, `on-failure:5`, or a map with the daemon's own names.
pub(super) fn restart_policy(value: &Value) -> Result<String, String> {
    let text = match value {
        Value::Map(map) => {
            let name = map.get("Name").or_else(|| map.get("name")).map(Value::to_string).unwrap_or_default();
            match map.get("MaximumRetryCount").and_then(Value::as_int) {
                Some(count) if count > 0 => format!("{name}:{count}"),
                _ => name,
            }
        }
        // `no` is a boolean in YAML.
        Value::Bool(false) => "no".to_owned(),
        value => value.to_string(),
    };
    let (name, count) =
        text.split_once(':').map_or((text.as_str(), None), |(name, count)| (name, Some(count)));
    let known = ["no", "always", "unless-stopped", "on-failure"];
    if !known.contains(&name) || count.is_some_and(|count| count.parse::<u32>().is_err()) {
        return Err(format!(
            "`{text}` is no `restart_policy`; those are {}, `on-failure:5`",
            known.join(", ")
        ));
    }
    Ok(if count == Some("0") { name.to_owned() } else { text })
}

/// `/host:/inside:ro`, without the default `rw`.
pub(super) fn bind(text: &str) -> String {
    text.strip_suffix(":rw").unwrap_or(text).to_owned()
}

/// `/dev/x`, `/dev/x:/dev/y`, `/dev/x:/dev/y:r` with all three parts.
pub(super) fn device(text: &str) -> String {
    let parts: Vec<&str> = text.split(':').collect();
    match parts[..] {
        [one] => format!("{one}:{one}:rwm"),
        [outside, inside] if inside.starts_with('/') => format!("{outside}:{inside}:rwm"),
        [one, rights] => format!("{one}:{one}:{rights}"),
        _ => text.to_owned(),
    }
}

/// `nofile=1024`, `nofile=1024:2048` with both limits.
pub(super) fn ulimit(text: &str) -> String {
    match text.split_once('=') {
        Some((name, limits)) if !limits.contains(':') => format!("{name}={limits}:{limits}"),
        _ => text.to_owned(),
    }
}

/// `/dev/sda:1mb` with the number in full.
pub(super) fn rate(what: &str, text: &str) -> Result<String, String> {
    let wrong =
        || format!("`{text}` is nothing for `{what}`; write `/dev/sda:1000`, or `/dev/sda:1mb` for bytes");
    let (path, number) = text.rsplit_once(':').filter(|(path, _)| path.starts_with('/')).ok_or_else(wrong)?;
    let number = number.trim().to_ascii_lowercase();
    let unit = number.trim_start_matches(|c: char| c.is_ascii_digit());
    let shift = match unit {
        "" | "b" => 0,
        "k" | "kb" => 10,
        "m" | "mb" => 20,
        "g" | "gb" => 30,
        _ => return Err(wrong()),
    };
    let digits = number.strip_suffix(unit).unwrap_or_default();
    let number = digits.parse::<i64>().ok().and_then(|number| number.checked_mul(1 << shift));
    Ok(format!("{path}:{}", number.ok_or_else(wrong)?))
}

/// A capability by its short name.
pub(super) fn capability(text: &str) -> String {
    let text = text.to_uppercase();
    text.strip_prefix("CAP_").unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(json: &str) -> Value {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn pairs_in_every_form() {
        for form in [r#"{"A": 1, "B": "x=y"}"#, r#"["A=1", "B=x=y"]"#, r#"[{"A": 1}, {"B": "x=y"}]"#] {
            let all = pairs("environment", &Named(value(form)), '=').unwrap();
            assert_eq!(
                all.into_iter().collect::<Vec<_>>(),
                [("A".into(), "1".into()), ("B".into(), "x=y".into())]
            );
        }
        let text = |what: &str, text: &str, separator: char| {
            pairs(what, &Named(text.into()), separator).unwrap().into_iter().collect::<Vec<_>>()
        };
        assert_eq!(
            text("environment", "A=1,B=x,y", '='),
            [("A".into(), "1".into()), ("B".into(), "x,y".into())]
        );
        assert_eq!(text("labels", "a, b=c", '='), [("a".into(), String::new()), ("b".into(), "c".into())]);
        let tmpfs = [("/a".into(), "rw,noexec".into()), ("/b".into(), String::new())];
        assert_eq!(text("tmpfs", "/a:rw,noexec,/b", ':'), tmpfs);
        assert!(pairs("labels", &Named(value(r#"["--privileged"]"#)), '=').is_err());
        assert!(pairs("labels", &Named(value(r#"{"a": [1]}"#)), '=').is_err());
    }

    #[test]
    fn ports_and_bindings() {
        let one = |text: &str| bindings(text).unwrap().into_iter().collect::<Vec<_>>();
        assert_eq!(one("8080:80"), [":8080:80/tcp"]);
        assert_eq!(one("127.0.0.1:53:53/udp"), ["127.0.0.1:53:53/udp"]);
        assert_eq!(one("[::1]:1:2"), ["::1:1:2/tcp"]);
        assert_eq!(one("80"), ["::80/tcp"]);
        assert_eq!(one("14505-14506:4505-4506"), [":14505:4505/tcp", ":14506:4506/tcp"]);
        for odd in ["", "x:80", "80:0", "1-2:80", "a.b:1:2", "80/xyz", "2-1:2-1"] {
            assert!(bindings(odd).is_err(), "{odd}");
        }
        assert_eq!(ports("80-81/udp").unwrap(), ["80/udp", "81/udp"]);
    }

    #[test]
    fn several_in_one_text() {
        let one = |all: fn(&[String]) -> Vec<String>, text: &str| all(&[text.to_owned()]);
        assert_eq!(one(binds, "/a:/b:ro,Z,data:/c"), ["/a:/b:ro,Z", "data:/c"]);
        assert_eq!(
            one(security, "label=level:s0:c1,c2,no-new-privileges"),
            ["label=level:s0:c1,c2", "no-new-privileges"]
        );
        assert_eq!(rate("device_read_bps", "/dev/sda:5mb").unwrap(), "/dev/sda:5242880");
        for odd in ["/dev/sda", "sda:1", "/dev/sda:1tb", "/dev/sda:", "/dev/sda:9999999999999gb"] {
            assert!(rate("device_read_bps", odd).is_err(), "{odd}");
        }
    }

    #[test]
    fn policies_devices_and_limits() {
        assert_eq!(restart_policy(&value(r#""on-failure:5""#)).unwrap(), "on-failure:5");
        assert_eq!(
            restart_policy(&value(r#"{"Name": "always", "MaximumRetryCount": 0}"#)).unwrap(),
            "always"
        );
        assert_eq!(restart_policy(&Value::Bool(false)).unwrap(), "no");
        assert!(restart_policy(&value(r#""sometimes""#)).unwrap_err().contains("unless-stopped"));
        assert_eq!(device("/dev/a"), "/dev/a:/dev/a:rwm");
        assert_eq!(device("/dev/a:r"), "/dev/a:/dev/a:r");
        assert_eq!(ulimit("nofile=5"), "nofile=5:5");
        assert_eq!(capability("cap_net_admin"), "NET_ADMIN");
        assert_eq!(bind("/a:/b:rw"), "/a:/b");
    }
}
