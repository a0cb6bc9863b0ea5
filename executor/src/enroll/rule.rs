//! Rules that approve without an operator: by id, by the network that a machine asks from, by a join token. All conditions of a rule must
//! hold.

use crate::auth::authority::hex;
use ipnet::IpNet;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::net::IpAddr;
use zester_compiler::target::Glob;

/// A rule as it is written in a configuration.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleText {
    /// What people call it.
    pub name: String,
    /// A glob for ids.
    #[serde(default)]
    pub ids: Option<String>,
    /// Networks that machines ask from: `10.0.0.0/8`.
    #[serde(default)]
    pub networks: Vec<String>,
    /// SHA-256 of the join token, in hex; the token itself is nowhere on the masters.
    #[serde(default)]
    pub token_sha256: Option<String>,
    /// The rule ends then, seconds of Unix time.
    #[serde(default)]
    pub until: Option<u64>,
    /// Groups that its machines are put in.
    #[serde(default)]
    pub groups: Vec<String>,
}

/// Why a rule is refused.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RuleError {
    /// It would approve anybody from anywhere.
    #[error("the rule `{0}` would approve any machine that can reach a master; give it networks or a token")]
    Anybody(String),
    /// A part cannot be read.
    #[error("the rule `{name}`: {reason}")]
    Part {
        /// The rule.
        name: String,
        /// What is wrong.
        reason: String,
    },
}

/// A rule that can be asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rule {
    /// What people call it.
    pub name: String,
    ids: Option<Glob>,
    networks: Vec<IpNet>,
    token: Option<String>,
    until: Option<u64>,
    /// Groups that its machines are put in.
    pub groups: Vec<String>,
}

impl Rule {
    /// Reads a rule.
    pub fn read(text: &RuleText) -> Result<Self, RuleError> {
        let wrong = |reason: String| RuleError::Part { name: text.name.clone(), reason };
        // An id is only what a machine says of itself.
        if text.networks.is_empty() && text.token_sha256.is_none() {
            return Err(RuleError::Anybody(text.name.clone()));
        }
        let networks = text
            .networks
            .iter()
            .map(|n| {
                n.parse::<IpNet>().map_err(|_| wrong(format!("`{n}` is not a network like `10.0.0.0/8`")))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let token = text.token_sha256.as_ref().map(|t| t.trim().to_ascii_lowercase());
        if let Some(token) = &token
            && (token.len() != 64 || !token.bytes().all(|b| b.is_ascii_hexdigit()))
        {
            return Err(wrong("`token_sha256` is not a SHA-256 in hex, 64 digits".to_owned()));
        }
        for group in &text.groups {
            crate::bus::id::check_id("group", group).map_err(|e| wrong(e.to_string()))?;
        }
        Ok(Self {
            name: text.name.clone(),
            ids: text.ids.as_deref().map(Glob::new).transpose().map_err(wrong)?,
            networks,
            token,
            until: text.until,
            groups: text.groups.clone(),
        })
    }

    /// Whether it approves a machine; `now` in seconds of Unix time.
    pub fn approves(&self, id: &str, address: IpAddr, token: Option<&str>, now: u64) -> bool {
        let address = address.to_canonical();
        let token_fits = |wanted: &String| token.is_some_and(|t| hex(&Sha256::digest(t)) == *wanted);
        self.until.is_none_or(|end| now < end)
            && self.ids.as_ref().is_none_or(|glob| glob.matches(id))
            && (self.networks.is_empty() || self.networks.iter().any(|n| n.contains(&address)))
            && self.token.as_ref().is_none_or(token_fits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_conditions_must_hold() {
        let text = RuleText {
            name: "web".into(),
            ids: Some("web-*".into()),
            networks: vec!["10.0.0.0/8".into(), "2001:db8::/32".into()],
            token_sha256: Some(hex(&Sha256::digest("join"))),
            until: Some(100),
            groups: vec!["web".into()],
        };
        let rule = Rule::read(&text).unwrap();
        let near: IpAddr = "10.1.2.3".parse().unwrap();
        let mapped: IpAddr = "::ffff:10.1.2.3".parse().unwrap();
        assert!(rule.approves("web-1", near, Some("join"), 99));
        assert!(rule.approves("web-1", mapped, Some("join"), 99));
        assert!(!rule.approves("db-1", near, Some("join"), 99));
        assert!(!rule.approves("web-1", "192.0.2.1".parse().unwrap(), Some("join"), 99));
        assert!(!rule.approves("web-1", near, Some("other"), 99) && !rule.approves("web-1", near, None, 99));
        assert!(!rule.approves("web-1", near, Some("join"), 100));
    }

    #[test]
    fn rules_for_anybody_and_broken_ones_are_refused() {
        let rule = |edit: fn(&mut RuleText)| {
            let mut text =
                RuleText { name: "x".into(), networks: vec!["10.0.0.0/8".into()], ..RuleText::default() };
            edit(&mut text);
            Rule::read(&text)
        };
        assert!(rule(|_| ()).is_ok());
        assert!(matches!(rule(|t| t.networks.clear()), Err(RuleError::Anybody(_))));
        for edit in [
            (|t: &mut RuleText| t.networks[0] = "10.0.0.0/99".into()) as fn(&mut RuleText),
            |t| t.token_sha256 = Some("abc".into()),
            |t| t.groups.push("*".into()),
            |t| t.ids = Some("web-[".into()),
        ] {
            assert!(matches!(rule(edit), Err(RuleError::Part { .. })));
        }
    }
}
