//! The networks that a container is in.

use super::client::{act, check_name, text};
use crate::{Changes, Context, Failure, change};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use zester_compiler::types::{Map, Value};

/// How a container is in a network.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Link {
    aliases: Vec<String>,
    ipv4: Option<String>,
    ipv6: Option<String>,
    links: Vec<String>,
}

impl Link {
    fn of(network: &str, options: &Map) -> Result<Self, String> {
        let texts = |value: &Value| match value {
            Value::List(list) => list.iter().map(Value::to_string).collect(),
            one => vec![one.to_string()],
        };
        let mut link = Self::default();
        for (name, value) in options {
            match name.as_str() {
                "aliases" => link.aliases = texts(value),
                "links" => link.links = texts(value),
                "ipv4_address" => link.ipv4 = Some(value.to_string()),
                "ipv6_address" => link.ipv6 = Some(value.to_string()),
                _ => {
                    return Err(format!(
                        "`{name}` is no option of the network `{network}`; those are aliases, ipv4_address, ipv6_address, links"
                    ));
                }
            }
        }
        Ok(link)
    }

    /// How a container is in a network now; without its addresses where those become others.
    pub(super) fn now(container: &Json, network: &str, keeps_addresses: bool) -> Self {
        let networks = container.pointer("/NetworkSettings/Networks");
        let Some(have) = networks.and_then(|all| all.get(network)) else { return Self::default() };
        let id = text(container, "/Id");
        let address = |path: &str| {
            let address = text(have, path);
            (keeps_addresses && !address.is_empty()).then(|| address.to_owned())
        };
        let mut aliases = super::rows::texts(have.get("Aliases"));
        // The daemon adds the beginning of the id by itself.
        aliases.retain(|alias| !id.starts_with(alias.as_str()));
        Self {
            aliases,
            ipv4: address("/IPAMConfig/IPv4Address"),
            ipv6: address("/IPAMConfig/IPv6Address"),
            links: super::rows::texts(have.get("Links")),
        }
    }

    /// Words of `docker network connect`.
    pub(super) fn words(&self) -> Vec<String> {
        let one = |option: &'static str| move |value: &String| format!("{option}={value}");
        let mut words: Vec<String> = self.aliases.iter().map(one("--alias")).collect();
        words.extend(self.links.iter().map(one("--link")));
        words.extend(self.ipv4.iter().map(one("--ip")));
        words.extend(self.ipv6.iter().map(one("--ip6")));
        words
    }

    /// Whether a container is in the network like this.
    fn is(&self, have: &Json) -> bool {
        let listed = |name: &str| super::rows::texts(have.get(name));
        let aliases = listed("Aliases");
        let links = listed("Links");
        let address = |name: &str| have.pointer(&format!("/IPAMConfig/{name}")).and_then(Json::as_str);
        self.aliases.iter().all(|alias| aliases.contains(alias))
            && self.links.iter().all(|link| links.contains(link))
            && self.ipv4.as_deref().is_none_or(|wanted| address("IPv4Address") == Some(wanted))
            && self.ipv6.as_deref().is_none_or(|wanted| address("IPv6Address") == Some(wanted))
    }
}

/// The networks that a container is to be in.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Networks(BTreeMap<String, Link>);

/// What becomes of the networks of a container.
#[derive(Clone, PartialEq, Debug, Default)]
pub(super) struct Difference {
    leave: Vec<String>,
    join: BTreeMap<String, Link>,
}

impl Networks {
    /// From names, from maps of names to options, or from a list of both.
    pub(super) fn of(value: &Value) -> Result<Self, Failure> {
        let mut all = BTreeMap::new();
        let mut named = |name: &str, options: &Value| {
            check_name("network", name)?;
            let mut map = Map::new();
            match options {
                Value::Map(one) => map.clone_from(one),
                // The list of maps that Salt's states have.
                Value::List(list) => {
                    list.iter().filter_map(Value::as_map).for_each(|one| map.extend(one.clone()));
                }
                _ => {}
            }
            all.insert(name.to_owned(), Link::of(name, &map)?);
            Ok::<(), Failure>(())
        };
        match value {
            Value::Null => {}
            Value::Map(map) => map.iter().try_for_each(|(name, options)| named(name, options))?,
            Value::List(list) => {
                for item in list {
                    match item {
                        Value::Map(map) => map.iter().try_for_each(|(name, options)| named(name, options))?,
                        name => named(&name.to_string(), &Value::Null)?,
                    }
                }
            }
            name => name.to_string().split(',').try_for_each(|name| named(name.trim(), &Value::Null))?,
        }
        Ok(Self(all))
    }

    /// The first one, which a container is made in.
    pub(super) fn first(&self) -> Option<&str> {
        self.0.keys().next().map(String::as_str)
    }

    /// What differs from what a container is in.
    pub(super) fn difference(&self, container: Option<&Json>) -> Difference {
        let have =
            container.and_then(|json| json.pointer("/NetworkSettings/Networks")).and_then(Json::as_object);
        let leave = have.into_iter().flat_map(|have| have.keys()).filter(|name| !self.0.contains_key(*name));
        let is = |name: &String, link: &Link| {
            have.and_then(|have| have.get(name)).is_some_and(|have| link.is(have))
        };
        let join = self.0.iter().filter(|(name, link)| !is(name, link));
        Difference {
            leave: leave.cloned().collect(),
            join: join.map(|(name, link)| (name.clone(), link.clone())).collect(),
        }
    }
}

impl Difference {
    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.leave.is_empty() && self.join.is_empty()
    }

    /// Adds what changes.
    pub(super) fn note(&self, container: Option<&Json>, changes: &mut Changes) {
        let old = super::rows::keys(container.and_then(|json| json.pointer("/NetworkSettings/Networks")));
        let mut new: Vec<String> = old.iter().filter(|name| !self.leave.contains(*name)).cloned().collect();
        new.extend(self.join.keys().filter(|name| !old.contains(*name)).cloned());
        new.sort();
        changes.insert("networks".to_owned(), change(old, new));
    }

    /// Makes it so. What is in a network in another way leaves it first.
    pub(super) fn apply(&self, cx: &Context, container: &str, now: Option<&Json>) -> Result<(), Failure> {
        let have = super::rows::keys(now.and_then(|json| json.pointer("/NetworkSettings/Networks")));
        let leave = self.leave.iter().chain(self.join.keys().filter(|name| have.contains(*name)));
        for network in leave {
            act(cx, ["network", "disconnect", network, container])?;
        }
        for (network, link) in &self.join {
            let mut words = vec!["network".to_owned(), "connect".to_owned()];
            words.extend(link.words());
            words.extend([network.clone(), container.to_owned()]);
            act(cx, words)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn networks(text: &str) -> Networks {
        Networks::of(&serde_json::from_str(text).unwrap()).unwrap()
    }

    #[test]
    fn read_in_every_form() {
        let with = networks(r#"[{"front": [{"aliases": ["web"]}, {"ipv4_address": "10.0.0.2"}]}, "back"]"#);
        assert_eq!(
            with,
            networks(r#"{"back": null, "front": {"aliases": "web", "ipv4_address": "10.0.0.2"}}"#)
        );
        assert_eq!(with.first(), Some("back"));
        assert_eq!(networks(r#""back, front""#), networks(r#"["front", "back"]"#));
        let odd = Networks::of(&serde_json::from_str(r#"[{"a": {"alias": "b"}}]"#).unwrap()).unwrap_err();
        assert!(odd.message.contains("those are aliases"), "{}", odd.message);
    }

    #[test]
    fn who_comes_back_is_known_by_the_same_names() {
        let container = json!({"Id": "208e1298726e76c1", "NetworkSettings": {"Networks": {
            "front": {"Aliases": ["web", "208e1298726e"], "Links": null, "IPAMConfig": {"IPv4Address": "10.0.0.2"}},
        }}});
        assert_eq!(Link::now(&container, "front", true).words(), ["--alias=web", "--ip=10.0.0.2"]);
        assert_eq!(Link::now(&container, "front", false).words(), ["--alias=web"]);
        assert_eq!(Link::now(&container, "back", true), Link::default());
    }

    #[test]
    fn what_differs_is_left_and_joined() {
        let container = json!({"NetworkSettings": {"Networks": {
            "bridge": {"Aliases": null, "IPAMConfig": null},
            "front": {"Aliases": ["web", "0123"], "IPAMConfig": {"IPv4Address": "10.0.0.2"}},
        }}});
        let same = networks(r#"{"bridge": null, "front": {"aliases": "web", "ipv4_address": "10.0.0.2"}}"#);
        assert!(same.difference(Some(&container)).is_empty());
        let other = networks(r#"{"front": {"aliases": "api"}}"#).difference(Some(&container));
        assert_eq!(other.leave, ["bridge"]);
        assert_eq!(other.join.keys().collect::<Vec<_>>(), ["front"]);
    }
}
