//! Whether a peel matches a target.

use super::{
    Comparison, Condition, Expr, Nodegroups, Pattern, Target,
    glob::Glob,
    pattern::{Order, Regexp},
};
use crate::types::{Facts, Map, Value};
use std::{cmp::Ordering, net::IpAddr};

/// Deepest chain of nodegroups that name each other.
const MAX_GROUP_DEPTH: usize = 32;

/// A peel, as far as targets can ask.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its facts and grains.
    pub facts: &'a Facts,
    /// Its settings: a map, or null where there are none yet.
    pub settings: &'a Value,
    /// The project's nodegroups.
    pub nodegroups: &'a Nodegroups,
}

/// Why a match could not be decided. The text is a full sentence.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum MatchError {
    /// A regular expression took too many steps.
    #[error("the regular expression `{pattern}` takes too many steps on `{text}`")]
    Regex {
        /// The expression.
        pattern: String,
        /// The text it was tried on.
        text: String,
    },
    /// A nodegroup does not exist.
    #[error("there is no nodegroup `{name}`")]
    UnknownNodegroup {
        /// Its name.
        name: String,
    },
    /// Nodegroups name each other in a circle.
    #[error("the nodegroup `{name}` is defined by itself")]
    NodegroupCycle {
        /// Its name.
        name: String,
    },
    /// The target was malformed.
    #[error("the target is malformed")]
    Malformed,
}

impl Target {
    /// Whether the peel matches. A target with a malformed part matches nobody, whatever its other parts say.
    pub fn matches(&self, subject: &Subject<'_>) -> Result<bool, MatchError> {
        if !self.is_valid() {
            return Err(MatchError::Malformed);
        }
        matches(&self.expr, subject, &mut Vec::new())
    }
}

fn matches<'a>(expr: &'a Expr, subject: &Subject<'a>, groups: &mut Vec<&'a str>) -> Result<bool, MatchError> {
    match expr {
        Expr::Pattern { pattern, .. } => pattern_matches(pattern, subject, groups),
        Expr::Not(inner) => Ok(!matches(inner, subject, groups)?),
        Expr::And(parts) => {
            for part in parts {
                if !matches(part, subject, groups)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        Expr::Or(parts) => {
            for part in parts {
                if matches(part, subject, groups)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
        Expr::Error => Err(MatchError::Malformed),
    }
}

fn pattern_matches<'a>(
    pattern: &'a Pattern,
    subject: &Subject<'a>,
    groups: &mut Vec<&'a str>,
) -> Result<bool, MatchError> {
    match pattern {
        Pattern::Glob(glob) => Ok(glob.matches(subject.id)),
        Pattern::Pcre(regexp) => regexp.is_match(subject.id),
        Pattern::List(ids) => Ok(ids.iter().any(|id| id == subject.id)),
        Pattern::Fact(conditions) => any(conditions, &[&subject.facts.values, &subject.facts.grains]),
        Pattern::Setting(conditions) => match subject.settings {
            Value::Map(settings) => any(conditions, &[settings]),
            _ => Ok(false),
        },
        Pattern::Subnet(net) => Ok(addresses(subject.facts).any(|address| net.contains(&address))),
        Pattern::Nodegroup(name) => {
            let target = subject
                .nodegroups
                .get(name)
                .ok_or_else(|| MatchError::UnknownNodegroup { name: name.clone() })?;
            if groups.contains(&name.as_str()) || groups.len() >= MAX_GROUP_DEPTH {
                return Err(MatchError::NodegroupCycle { name: name.clone() });
            }
            groups.push(name);
            let matched = matches(&target.expr, subject, groups);
            groups.pop();
            matched
        }
    }
}

fn addresses(facts: &Facts) -> impl Iterator<Item = IpAddr> {
    ["ipv4", "ipv6"]
        .into_iter()
        .flat_map(|family| [facts.fact(&format!("network.{family}")), facts.grain(family)])
        .flatten()
        .filter_map(Value::as_list)
        .flatten()
        .filter_map(|address| {
            // `fe80::1%eth0` has its interface behind it.
            address.as_str()?.split(['%', '/']).next()?.parse().ok()
        })
}

fn any(conditions: &[Condition], roots: &[&Map]) -> Result<bool, MatchError> {
    for condition in conditions {
        let mut values = Vec::new();
        for root in roots {
            descend_map(root, &condition.path, &mut values);
        }
        if condition.comparison.holds(&values)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// All values under a path: keys by their name, with `*` for any, items of lists by their index, and lists of maps
/// looked through as Salt does.
fn descend<'v>(value: &'v Value, path: &[String], found: &mut Vec<&'v Value>) {
    let Some(key) = path.first() else {
        found.push(value);
        return;
    };
    match value {
        Value::Map(map) => descend_map(map, path, found),
        Value::List(items) => {
            if let Some(item) = key.parse::<usize>().ok().and_then(|index| items.get(index)) {
                descend(item, &path[1..], found);
                return;
            }
            for item in items {
                if let Value::Map(map) = item {
                    descend_map(map, path, found);
                }
            }
        }
        _ => {}
    }
}

fn descend_map<'v>(map: &'v Map, path: &[String], found: &mut Vec<&'v Value>) {
    let Some((key, rest)) = path.split_first() else { return };
    if let Some(value) = map.get(key) {
        descend(value, rest, found);
    } else if key == "*" {
        for value in map.values() {
            descend(value, rest, found);
        }
    } else if let Some((first, inner)) = key.split_once('.')
        && let Some(value) = map.get(first)
    {
        let mut path = vec![inner.to_owned()];
        path.extend(rest.iter().cloned());
        descend(value, &path, found);
    }
}

impl Comparison {
    fn holds(&self, values: &[&Value]) -> Result<bool, MatchError> {
        Ok(match self {
            Comparison::Equal(glob) => {
                let glob = Glob::lenient(&glob.source().to_lowercase());
                values.iter().any(|value| equal(value, &glob))
            }
            Comparison::NotEqual(glob) => {
                let glob = Glob::lenient(&glob.source().to_lowercase());
                // A namespace of facts may share a grain's name; what is asked for is the grain.
                let scalars: Vec<&&Value> =
                    values.iter().filter(|value| !matches!(value, Value::Map(_))).collect();
                let asked = if scalars.is_empty() { values.iter().collect() } else { scalars };
                !asked.is_empty() && !asked.into_iter().any(|value| equal(value, &glob))
            }
            Comparison::Ordered(order, bound) => values.iter().any(|value| ordered(value, *order, bound)),
            Comparison::Pcre(regexp) => {
                for value in values {
                    let texts: Vec<String> = match value {
                        Value::List(items) => items.iter().map(printed).collect(),
                        Value::Map(map) => map.keys().cloned().collect(),
                        scalar => vec![printed(scalar)],
                    };
                    for text in texts {
                        if regexp.is_match(&text)? {
                            return Ok(true);
                        }
                    }
                }
                false
            }
        })
    }
}

/// A value's text as Salt prints it, for comparisons without case.
fn printed(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        other => other.to_string(),
    }
}

fn equal(value: &Value, glob: &Glob) -> bool {
    match value {
        Value::List(items) => items.iter().any(|item| !matches!(item, Value::List(_)) && equal(item, glob)),
        Value::Map(map) => map.keys().any(|key| glob.matches(&key.to_lowercase())),
        scalar => glob.matches(&printed(scalar).to_lowercase()),
    }
}

fn ordered(value: &Value, order: Order, bound: &str) -> bool {
    let number = match value {
        Value::Int(number) => Some(*number as f64),
        Value::Float(number) => Some(*number),
        Value::Str(_) => None,
        Value::List(items) => return items.iter().any(|item| ordered(item, order, bound)),
        Value::Null | Value::Bool(_) | Value::Map(_) => return false,
    };
    let found = match (number, bound.parse::<f64>()) {
        (Some(number), Ok(bound)) => number.partial_cmp(&bound),
        // Texts are versions more often than not: `9.10` is above `9.9`.
        _ => Some(by_digits(&printed(value), bound)),
    };
    found.is_some_and(|found| match order {
        Order::Less => found == Ordering::Less,
        Order::LessOrEqual => found != Ordering::Greater,
        Order::Greater => found == Ordering::Greater,
        Order::GreaterOrEqual => found != Ordering::Less,
    })
}

/// Compares texts run by run: digits as numbers, the rest without case.
fn by_digits(a: &str, b: &str) -> Ordering {
    let (a, b) = (a.to_lowercase(), b.to_lowercase());
    let (mut a, mut b) = (a.as_str(), b.as_str());
    loop {
        let ((run_a, rest_a), (run_b, rest_b)) = (run(a), run(b));
        if run_a.is_empty() || run_b.is_empty() {
            return run_a.len().cmp(&run_b.len());
        }
        let digits = |run: &str| run.starts_with(|c: char| c.is_ascii_digit());
        let order = if digits(run_a) && digits(run_b) {
            let (x, y) = (run_a.trim_start_matches('0'), run_b.trim_start_matches('0'));
            x.len().cmp(&y.len()).then_with(|| x.cmp(y))
        } else {
            run_a.cmp(run_b)
        };
        if order != Ordering::Equal {
            return order;
        }
        (a, b) = (rest_a, rest_b);
    }
}

/// The leading run of digits, or of anything else.
fn run(text: &str) -> (&str, &str) {
    let digits = text.starts_with(|c: char| c.is_ascii_digit());
    let end = text.find(|c: char| c.is_ascii_digit() != digits).unwrap_or(text.len());
    text.split_at(end)
}

impl Regexp {
    fn is_match(&self, text: &str) -> Result<bool, MatchError> {
        self.regex
            .is_match(text)
            .map_err(|_| MatchError::Regex { pattern: self.source.clone(), text: text.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{FileId, Span};

    fn target(text: &str) -> Target {
        let (target, problems) = Target::parse(text, Span::new(FileId(0), 0..text.len()));
        assert!(problems.is_empty(), "{text}: {problems:?}");
        target
    }

    fn web() -> Facts {
        let mut facts = Facts { id: "web-01".into(), ..Facts::default() };
        facts
            .merge_text(
                "os: {platform: ubuntu, platform_version: '22.04', kernel: 5.15.0-91-generic}\n\
                 mem_total: 8192\nroles: [web, db]\nipv4: [127.0.0.1, 10.0.0.7]\nlabel: Red Hat\n\
                 nested: {a: {b: c}}\nurl: 'http://x:80'\n",
            )
            .unwrap();
        facts
    }

    fn result(text: &str) -> Result<bool, MatchError> {
        let facts = web();
        let mut settings = Facts::default();
        settings.merge_text("role: web\nnginx: {port: 8080, users: [{name: www}]}").unwrap();
        let mut nodegroups = Nodegroups::new();
        nodegroups.insert("fleet", target("web* and N@linux"));
        nodegroups.insert("linux", target("G@kernel:Linux"));
        nodegroups.insert("loop", target("N@pool"));
        nodegroups.insert("pool", target("x or N@loop"));
        target(text).matches(&Subject {
            id: "web-01",
            facts: &facts,
            settings: &Value::Map(settings.values),
            nodegroups: &nodegroups,
        })
    }

    #[test]
    fn every_form_matches_what_it_says() {
        for (text, expected) in [
            ("web*", true),
            ("web-0[2-9]", false),
            ("E@web-\\d+", true),
            ("E@eb", false),
            ("E@(db|web)-", true),
            ("L@db-01,web-01", true),
            ("L@web", false),
            ("G@os:ubuntu", true),
            ("G@os:Ubuntu", true),
            ("G@os.family:debian", true),
            ("G@os_family:Deb*", true),
            ("G@os:!=Debian", true),
            ("G@os:!=Ubuntu", false),
            ("G@absent:!=x", false),
            ("G@mem_total:>=4096", true),
            ("G@mem_total:<4096", false),
            ("G@osrelease:>=20.04", true),
            ("G@os.kernel:>=5.9", true),
            ("G@os.kernel:<5.9", false),
            ("G@roles:db", true),
            ("G@roles:!=db", false),
            ("G@nested:a:b:c", true),
            ("G@nested.a:b:c", true),
            ("G@nested:*:b:c", true),
            ("G@url:http://x:80", true),
            ("G@label:\"Red Hat\"", true),
            ("P@os:(Debian|Ubuntu)", true),
            ("P@os:buntu", false),
            ("I@role:web", true),
            ("I@nginx:port:8080", true),
            ("I@nginx.port:>8000", true),
            ("I@nginx:users:name:www", true),
            ("J@role:^w", true),
            ("S@10.0.0.0/24", true),
            ("S@10.0.0.7", true),
            ("S@192.168.0.0/16", false),
            ("N@fleet", true),
            ("not db* and (G@os:Debian or G@os:Ubuntu)", true),
            ("db* or web* and not G@os:Ubuntu", false),
            ("not(db*)", true),
        ] {
            assert_eq!(result(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_decided_is_an_error() {
        assert_eq!(result("N@none"), Err(MatchError::UnknownNodegroup { name: "none".into() }));
        assert_eq!(result("N@loop"), Err(MatchError::NodegroupCycle { name: "loop".into() }));
        let (bad, _) = Target::parse("a b", Span::new(FileId(0), 0..3));
        let (facts, nodegroups) = (Facts::default(), Nodegroups::new());
        let subject = Subject { id: "a", facts: &facts, settings: &Value::Null, nodegroups: &nodegroups };
        assert_eq!(bad.matches(&subject), Err(MatchError::Malformed));
    }

    #[test]
    fn a_regular_expression_cannot_run_for_ever() {
        let text = "a".repeat(64);
        let evil = target("E@(?=(a+)+$)(a|aa)+(?<!x)b");
        let (facts, nodegroups) = (Facts::default(), Nodegroups::new());
        let subject = Subject { id: &text, facts: &facts, settings: &Value::Null, nodegroups: &nodegroups };
        assert!(matches!(evil.matches(&subject), Ok(false) | Err(MatchError::Regex { .. })));
    }
}
