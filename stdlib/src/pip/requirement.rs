//! What a Python requirement asks for: `name[extra]>=1.0,<2`, an address, a path.

use std::cmp::Ordering;

/// One requirement.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Requirement {
    /// The package's name in its normal form; `None` for an address that does not say it.
    pub name: Option<String>,
    /// Conditions on the version, as written.
    pub conditions: String,
    /// As the author wrote it.
    pub text: String,
}

/// PEP 503: names differ neither by case nor by `-`, `_` and `.`.
pub(crate) fn normal(name: &str) -> String {
    let mut normal = String::new();
    for c in name.chars() {
        let c = if matches!(c, '-' | '_' | '.') { '-' } else { c.to_ascii_lowercase() };
        if c != '-' || !normal.ends_with('-') {
            normal.push(c);
        }
    }
    normal
}

impl Requirement {
    /// Reads a requirement.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.is_empty() || text.starts_with('-') || text.contains('\n') {
            return Err(format!("`{text}` is not a Python package"));
        }
        // `name @ address` says both; an address alone may say the name behind `#egg=`.
        if text.contains("://") || text.starts_with(['/', '.']) {
            let named = text.split_once('@').map(|(name, _)| name.trim()).filter(|n| is_name(n));
            let egg = text.split_once("#egg=").map(|(_, egg)| egg.split(['&', '[']).next().unwrap_or(egg));
            return Ok(Self {
                name: named.or(egg).map(normal),
                conditions: String::new(),
                text: text.to_owned(),
            });
        }
        let requirement = text.split(';').next().unwrap_or(text);
        let end = requirement.find(['[', '<', '>', '=', '!', '~', ' ', '(']).unwrap_or(requirement.len());
        let (name, rest) = requirement.split_at(end);
        if !is_name(name) {
            return Err(format!("`{text}` is not a Python package: it is `name`, `name==1.0` or an address"));
        }
        let rest = rest.split_once(']').map_or(rest, |(_, rest)| rest);
        let conditions = rest.trim().trim_matches(['(', ')']).replace(' ', "");
        Ok(Self { name: Some(normal(name)), conditions, text: text.to_owned() })
    }

    /// Whether a version is what is asked for.
    pub(crate) fn satisfied_by(&self, version: &str) -> bool {
        self.conditions.split(',').filter(|c| !c.is_empty()).all(|condition| {
            let split = condition.find(|c: char| !"<>=!~".contains(c)).unwrap_or(condition.len());
            let (operator, wanted) = condition.split_at(split);
            if let Some(prefix) = wanted.strip_suffix(".*") {
                let under = version == prefix || version.starts_with(&format!("{prefix}."));
                return if operator == "!=" { !under } else { under };
            }
            let order = compare(version, wanted);
            match operator {
                ">=" => order != Ordering::Less,
                "<=" => order != Ordering::Greater,
                ">" => order == Ordering::Greater,
                "<" => order == Ordering::Less,
                "!=" => order != Ordering::Equal,
                "~=" => {
                    let prefix = wanted.rsplit_once('.').map_or(wanted, |(prefix, _)| prefix);
                    order != Ordering::Less
                        && (version == prefix || version.starts_with(&format!("{prefix}.")))
                }
                _ => order == Ordering::Equal,
            }
        })
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
        && text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
}

/// A version as numbers and a rank for what follows them: development, alpha, beta, candidate, final, post.
fn key(version: &str) -> (Vec<u64>, u8, u64) {
    let version = version.trim().trim_start_matches('v').split('+').next().unwrap_or_default();
    let end = version.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(version.len());
    let (release, suffix) = version.split_at(end);
    let mut numbers: Vec<u64> =
        release.split('.').filter(|p| !p.is_empty()).map(|p| p.parse().unwrap_or(u64::MAX)).collect();
    while numbers.last() == Some(&0) {
        numbers.pop();
    }
    let word: String = suffix.chars().filter(char::is_ascii_alphabetic).collect::<String>().to_lowercase();
    let number = suffix.chars().filter(char::is_ascii_digit).collect::<String>().parse().unwrap_or(0);
    let rank = match word.as_str() {
        w if w.starts_with("dev") => 0,
        w if w.starts_with('a') => 1,
        w if w.starts_with('b') => 2,
        w if w.starts_with("rc") || w.starts_with('c') || w.starts_with("pre") => 3,
        w if w.starts_with("post") || w.starts_with('r') => 5,
        _ => 4,
    };
    (numbers, rank, number)
}

/// Order of Python versions (PEP 440).
pub(crate) fn compare(a: &str, b: &str) -> Ordering {
    key(a).cmp(&key(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_conditions_and_addresses() {
        let wanted = Requirement::parse("Foo_Bar.baz[x,y] >= 1.0, <2 ; python_version > '3'").unwrap();
        assert_eq!((wanted.name.as_deref(), wanted.conditions.as_str()), (Some("foo-bar-baz"), ">=1.0,<2"));
        let git = Requirement::parse("git+https://x/y.git@v1#egg=Tool").unwrap();
        assert_eq!(git.name.as_deref(), Some("tool"));
        assert_eq!(Requirement::parse("tool @ https://x/t.whl").unwrap().name.as_deref(), Some("tool"));
        assert_eq!(Requirement::parse("/srv/x.whl").unwrap().name, None);
        assert!(Requirement::parse("--index-url=x").is_err());
        assert!(Requirement::parse("a b").is_ok() && Requirement::parse("a&b").is_err());
    }

    #[test]
    fn versions() {
        let yes = [
            ("1.10", ">=1.9"),
            ("1.0", "==1.0.0"),
            ("1.4.2", "==1.4.*"),
            ("2.3", "~=2.2"),
            ("1.0rc1", "<1.0"),
            ("1.0.post1", ">1.0"),
            ("1.0", ""),
        ];
        for (have, want) in yes {
            assert!(Requirement::parse(&format!("x{want}")).unwrap().satisfied_by(have), "{have} {want}");
        }
        let no = [
            ("1.10", "<1.9"),
            ("1.5", "==1.4.*"),
            ("3.0", "~=2.2"),
            ("1.0.dev1", ">=1.0"),
            ("1.4.1", "!=1.4.*"),
        ];
        for (have, want) in no {
            assert!(!Requirement::parse(&format!("x{want}")).unwrap().satisfied_by(have), "{have} {want}");
        }
    }
}
