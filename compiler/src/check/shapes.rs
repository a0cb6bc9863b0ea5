//! Texts whose parameter takes any text, and whose shape tells that the tool behind it will refuse them: ports, networks, shares.

use super::workspace::Unit;
use crate::{
    diagnostic::{Diagnostic, nearest},
    types::decode::MALFORMED_VALUE,
};
use std::net::IpAddr;

/// What is wrong with a text, if anything: what is expected, and what to write.
type Shape = fn(&str) -> Option<(&'static str, String)>;

/// Modules and functions (`*`: each) with the parameters that have a shape.
const SHAPES: &[(&str, &str, &[&str], Shape)] = &[
    ("iptables", "*", &["dport", "dports", "sport", "sports"], ports),
    ("iptables", "*", &["source", "destination", "src", "dst"], network),
    ("firewalld", "*", &["ports", "sources"], port_or_network),
    ("docker_container", "*", &["port_bindings", "ports"], ports),
    ("zester", "state", &["batch"], share),
    ("zester", "function", &["batch"], share),
    ("salt", "state", &["batch"], share),
    ("salt", "function", &["batch"], share),
    ("disk", "status", &["maximum", "minimum"], share),
    ("cron", "present", &["special"], special),
];

/// Reports literal texts that do not have the shape of their parameter.
pub fn check_shapes(unit: &Unit, found: &mut Vec<Diagnostic>) {
    for function in unit.summary.states.iter().flat_map(|s| &s.functions) {
        let Some(name) = &function.name else { continue };
        let of_function = SHAPES.iter().filter(|(module, function, ..)| {
            name.module == *module && (*function == "*" || name.function == *function)
        });
        for (_, _, parameters, shape) in of_function {
            let arguments = function.arguments.iter().filter(|a| parameters.contains(&a.name.as_str()));
            for (value, span) in arguments.flat_map(|argument| &argument.values) {
                let Some((expected, help)) = value.text().and_then(shape) else { continue };
                let message = format!("expected {expected}, found `{}`", value.text().unwrap_or_default());
                found.push(Diagnostic::new(&MALFORMED_VALUE, *span, message).help(help));
            }
        }
    }
}

/// Numbers of ports in any notation: `80`, `1024:2048`, `127.0.0.1:8080:80/tcp`.
fn ports(text: &str) -> Option<(&'static str, String)> {
    let numbers = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    let too_large = numbers
        .filter(|word| word.bytes().all(|b| b.is_ascii_digit()))
        .find(|word| word.parse::<u64>().map_or(true, |number| number > u64::from(u16::MAX)))?;
    Some(("a port", format!("`{too_large}` is no port: they end at 65535")))
}

/// Networks, perhaps several with commas, perhaps negated; names of hosts are not judged.
fn network(text: &str) -> Option<(&'static str, String)> {
    text.split(',').find_map(|part| {
        let (address, length) = part.trim().trim_start_matches('!').trim_start().split_once('/')?;
        let longest = match address.parse::<IpAddr>().ok()? {
            IpAddr::V4(_) => 32,
            IpAddr::V6(_) => 128,
        };
        let length: u64 = length.parse().ok()?;
        (length > longest).then(|| {
            let help = format!("the length behind the slash is at most {longest}");
            ("a network", help)
        })
    })
}

fn port_or_network(text: &str) -> Option<(&'static str, String)> {
    if text.contains('.') || text.matches(':').count() > 1 { network(text) } else { ports(text) }
}

/// A number, or a share of all: `10`, `25%`.
fn share(text: &str) -> Option<(&'static str, String)> {
    let number = text.trim();
    let (digits, percent) = number.strip_suffix('%').map_or((number, false), |digits| (digits, true));
    match digits.parse::<f64>() {
        Ok(share) if percent && share > 100.0 => {
            Some(("a share of at most 100%", "write a number, or a share such as `25%`".to_owned()))
        }
        Ok(_) => None,
        Err(_) => Some(("a number or a share", "write a number, or a share such as `25%`".to_owned())),
    }
}

/// A word of cron's for its five fields. Some crons know others.
fn special(text: &str) -> Option<(&'static str, String)> {
    const WORDS: [&str; 8] =
        ["@reboot", "@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"];
    if WORDS.contains(&text) {
        return None;
    }
    let near = nearest(text, WORDS)?;
    Some(("a word of cron's", format!("did you mean `{near}`?")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_refuse_what_the_tool_would() {
        for right in
            ["80", "80,443", "1024:2048", "127.0.0.1:8080:80/tcp", "http", "53/udp", "8080-8082:80-82"]
        {
            assert!(ports(right).is_none(), "{right}");
        }
        assert!(ports("8080:80000").is_some() && ports("99999999999999999999999").is_some());
        for right in
            ["10.0.0.0/8", "! 10.0.0.0/8,fe80::/10", "host.example.org", "10.0.0.0/255.0.0.0", "set/99"]
        {
            assert!(network(right).is_none(), "{right}");
        }
        assert!(network("10.1.0.0/61").is_some() && network("10.0.0.0/8,fe80::/129").is_some());
        assert!(["10", "25%", "0.5", "100%"].into_iter().all(|text| share(text).is_none()));
        assert!(["190%", "25 percent", "many"].into_iter().all(|text| share(text).is_some()));
        assert!(special("@every_minute").is_none() && special("@dayly").is_some());
    }
}
