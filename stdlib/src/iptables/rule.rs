//! A rule, from the parameters of a state to the words of `iptables`.

use zester_compiler::types::{Map, Value};

/// Options of targets: they stand behind the target, whatever their order in the state.
const AFTER_JUMP: &[&str] = &[
    "add-set",
    "checksum-fill",
    "clamp-mss-to-pmtu",
    "clustermac",
    "ctevents",
    "del-set",
    "ecn-tcp-remove",
    "exist",
    "expevents",
    "gateway",
    "hash-init",
    "hashmode",
    "helper",
    "hmark-rnd",
    "hmark-tuple",
    "label",
    "length",
    "loglevel",
    "log-ip-options",
    "log-level",
    "log-prefix",
    "log-tcp-options",
    "log-tcp-sequence",
    "log-uid",
    "mask",
    "mode",
    "new",
    "nfmask",
    "nflog-group",
    "nflog-prefix",
    "nflog-range",
    "nflog-threshold",
    "nodst",
    "notrack",
    "on-ip",
    "on-port",
    "or-mark",
    "persistent",
    "queue-balance",
    "queue-bypass",
    "queue-num",
    "random",
    "rateest-ewmalog",
    "rateest-interval",
    "rateest-name",
    "reject-with",
    "restore",
    "restore-mark",
    "save-mark",
    "selctx",
    "set-class",
    "set-dscp",
    "set-dscp-class",
    "set-mark",
    "set-mss",
    "set-tos",
    "set-xmark",
    "strip-options",
    "timeout",
    "to",
    "to-destination",
    "to-ports",
    "to-source",
    "total-nodes",
    "tproxy-mark",
    "ttl-dec",
    "ttl-inc",
    "ttl-set",
    "type",
    "ulog-cprange",
    "ulog-nlgroup",
    "ulog-prefix",
    "ulog-qthreshold",
    "xor-mark",
    "zone",
];

/// A word that may be turned around by `!` in front: `! 10.0.0.0/8`, `!tcp`.
fn negated(value: &str) -> (bool, &str) {
    match value.trim_start().strip_prefix('!') {
        Some(rest) => (true, rest.trim()),
        None => (false, value),
    }
}

fn push(words: &mut Vec<String>, option: &str, value: &str) {
    let (not, value) = negated(value);
    if not {
        words.push("!".to_owned());
    }
    words.push(option.to_owned());
    if !value.is_empty() {
        words.push(value.to_owned());
    }
}

fn texts(value: &Value) -> Result<Vec<String>, String> {
    match value {
        Value::Null => Ok(Vec::new()),
        Value::List(list) => list
            .iter()
            .map(|item| match item {
                Value::List(_) | Value::Map(_) | Value::Null => {
                    Err(format!("{} is no part of a rule", item.describe()))
                }
                scalar => Ok(scalar.to_string()),
            })
            .collect(),
        Value::Map(_) => Err("a map is no part of a rule".to_owned()),
        scalar => Ok(vec![scalar.to_string()]),
    }
}

/// Items of a list, and those of texts that are lists with commas.
fn split(value: &Value) -> Result<Vec<String>, String> {
    let texts = texts(value)?;
    Ok(texts
        .iter()
        .flat_map(|t| t.split(','))
        .map(|t| t.trim().to_owned())
        .filter(|t| !t.is_empty())
        .collect())
}

/// The words of a rule: what it matches in the order in which it was written, the target, the target's options.
pub(super) fn words(given: &Map) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut after = Vec::new();
    let mut target = Vec::new();
    let mut matches: Vec<String> = Vec::new();
    let mut add_match = |words: &mut Vec<String>, name: &str| {
        if !matches.iter().any(|known| known == name) {
            matches.push(name.to_owned());
            words.extend(["-m".to_owned(), name.to_owned()]);
        }
    };
    // Interfaces and the protocol come first: later options depend on them.
    for (key, option) in [("if", "-i"), ("of", "-o"), ("in-interface", "-i"), ("out-interface", "-o")] {
        for value in given.get(key).map(texts).transpose()?.unwrap_or_default() {
            push(&mut words, option, &value);
        }
    }
    for key in ["proto", "protocol", "p"] {
        for value in given.get(key).map(texts).transpose()?.unwrap_or_default() {
            push(&mut words, "-p", &value);
        }
    }
    for name in given.get("match").map(split).transpose()?.unwrap_or_default() {
        add_match(&mut words, &name);
    }
    for (key, value) in given {
        let values = || texts(value).map_err(|e| format!("`{key}`: {e}"));
        match key.as_str() {
            "if" | "of" | "in-interface" | "out-interface" | "proto" | "protocol" | "p" | "match" => {}
            "jump" | "j" | "goto" | "g" => {
                let option = if key.starts_with('g') { "-g" } else { "-j" };
                for value in values()? {
                    target.extend([option.to_owned(), value]);
                }
            }
            "connstate" => {
                // `conntrack` has another name for what `state` looks at.
                let states = split(value)?.join(",");
                let has_conntrack = given.get("match").map(split).transpose()?.unwrap_or_default();
                if has_conntrack.iter().any(|m| m == "conntrack") {
                    push(&mut words, "--ctstate", &states);
                } else {
                    add_match(&mut words, "state");
                    push(&mut words, "--state", &states);
                }
            }
            "dports" | "sports" | "destination-ports" | "source-ports" => {
                add_match(&mut words, "multiport");
                let option = if key.starts_with('d') { "--dports" } else { "--sports" };
                push(&mut words, option, &split(value)?.join(","));
            }
            "dport" | "sport" | "destination-port" | "source-port" => {
                let option = if key.starts_with('d') { "--dport" } else { "--sport" };
                for value in values()? {
                    push(&mut words, option, &value);
                }
            }
            "comment" => {
                add_match(&mut words, "comment");
                for value in values()? {
                    words.extend(["--comment".to_owned(), value]);
                }
            }
            "match-set" => {
                add_match(&mut words, "set");
                for value in values()? {
                    let (not, value) = negated(&value);
                    if not {
                        words.push("!".to_owned());
                    }
                    words.push("--match-set".to_owned());
                    words.extend(value.split_whitespace().map(str::to_owned));
                }
            }
            _ => {
                let dashes = if key.chars().count() == 1 { "-" } else { "--" };
                let option = format!("{dashes}{key}");
                let at = if AFTER_JUMP.contains(&key.as_str()) { &mut after } else { &mut words };
                let values = match value {
                    // An option without a value, as `log-uid: true` may be written.
                    Value::Bool(true) => vec![String::new()],
                    Value::Bool(false) => Vec::new(),
                    Value::Null => vec![String::new()],
                    _ => values()?,
                };
                for value in &values {
                    push(at, &option, value);
                }
            }
        }
    }
    words.extend(target);
    words.extend(after);
    match words.iter().find(|word| word.contains(['\n', '\0'])) {
        Some(odd) => Err(format!("`{}` has a line break, which no rule can have", odd.escape_debug())),
        None => Ok(words),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(json: &str) -> String {
        words(&serde_json::from_str(json).unwrap()).unwrap().join(" ")
    }

    #[test]
    fn parameters_become_words() {
        assert_eq!(
            line(
                r#"{"jump": "ACCEPT", "match": "state", "connstate": "NEW", "dport": 80, "proto": "tcp", "source": "! 127.0.0.1"}"#
            ),
            "-p tcp -m state --state NEW --dport 80 ! --source 127.0.0.1 -j ACCEPT"
        );
        assert_eq!(
            line(
                r#"{"match": ["conntrack", "comment"], "connstate": ["ESTABLISHED", "RELATED"], "comment": "all of it", "jump": "LOG",
                "log-prefix": "x: ", "log-uid": true}"#
            ),
            "-m conntrack -m comment --ctstate ESTABLISHED,RELATED --comment all of it -j LOG --log-prefix x:  --log-uid"
        );
        assert_eq!(
            line(
                r#"{"if": "eth0", "proto": "!udp", "dports": [80, 443], "jump": "REJECT", "reject-with": "tcp-reset"}"#
            ),
            "-i eth0 ! -p udp -m multiport --dports 80,443 -j REJECT --reject-with tcp-reset"
        );
        assert_eq!(
            line(r#"{"match-set": "!bad src", "s": "10.0.0.0/8", "goto": "LATER"}"#),
            "-m set ! --match-set bad src -s 10.0.0.0/8 -g LATER"
        );
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        let refusal = |json: &str| words(&serde_json::from_str(json).unwrap()).unwrap_err();
        assert_eq!(refusal(r#"{"dport": {"a": 1}}"#), "`dport`: a map is no part of a rule");
        assert!(refusal(r#"{"comment": "a\nb"}"#).contains("line break"));
    }
}
