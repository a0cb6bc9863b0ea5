//! How a network is set up: what an author says of it, what the daemon does, and the words that make one.

use super::{
    client::text,
    rows::strings,
    text::{Named, pairs},
};
use crate::{Changes, change};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use zester_compiler::types::{Map, Value};

/// Parameters that are texts, with their option and their place in a description.
const TEXTS: [(&str, &str, &str); 3] = [
    ("driver", "--driver", "/Driver"),
    ("ipam_driver", "--ipam-driver", "/IPAM/Driver"),
    ("scope", "--scope", "/Scope"),
];

/// Parameters that are on or off.
const SWITCHES: [(&str, &str, &str); 4] = [
    ("enable_ipv6", "--ipv6", "/EnableIPv6"),
    ("internal", "--internal", "/Internal"),
    ("attachable", "--attachable", "/Attachable"),
    ("ingress", "--ingress", "/Ingress"),
];

/// Parameters that are names with values.
const MAPS: [(&str, &str, &str); 3] = [
    ("driver_opts", "--opt", "/Options"),
    ("ipam_opts", "--ipam-opt", "/IPAM/Options"),
    ("labels", "--label", "/Labels"),
];

/// A range of addresses.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Pool {
    /// All of them.
    pub(super) subnet: Option<String>,
    /// The way out.
    pub(super) gateway: Option<String>,
    /// Those that containers get.
    pub(super) range: Option<String>,
    /// Those that containers do not get, by name.
    pub(super) auxiliary: BTreeMap<String, String>,
}

impl Pool {
    /// From an entry of `ipam_pools`.
    pub(super) fn of(map: &Map) -> Result<Self, String> {
        let text = |names: &[&str]| names.iter().find_map(|name| map.get(*name)).map(Value::to_string);
        let known = ["subnet", "gateway", "iprange", "ip_range", "aux_addresses"];
        if let Some(odd) = map.keys().find(|name| !known.contains(&name.as_str())) {
            return Err(format!("`{odd}` is nothing that `ipam_pools` have; those are {}", known.join(", ")));
        }
        let auxiliary = map.get("aux_addresses").cloned().unwrap_or_default();
        let auxiliary = <Named as zester_compiler::types::FromValue>::from_value(&auxiliary)?;
        Ok(Self {
            subnet: text(&["subnet"]),
            gateway: text(&["gateway"]),
            range: text(&["iprange", "ip_range"]),
            auxiliary: pairs("aux_addresses", &auxiliary, '=')?,
        })
    }

    fn now(have: &Json) -> Self {
        let text = |name: &str| have.get(name).and_then(Json::as_str).filter(|text| !text.is_empty());
        let auxiliary = have.get("AuxiliaryAddresses").or_else(|| have.get("AuxAddress"));
        Self {
            subnet: text("Subnet").map(str::to_owned),
            gateway: text("Gateway").map(str::to_owned),
            range: text("IPRange").map(str::to_owned),
            auxiliary: strings(auxiliary),
        }
    }

    /// Whether this one will do where that one is wanted.
    fn will_do_for(&self, wanted: &Self) -> bool {
        let same = |wanted: &Option<String>, have: &Option<String>| wanted.is_none() || wanted == have;
        same(&wanted.subnet, &self.subnet)
            && same(&wanted.gateway, &self.gateway)
            && same(&wanted.range, &self.range)
            && wanted.auxiliary.iter().all(|(name, address)| self.auxiliary.get(name) == Some(address))
    }

    /// Words of `docker network create`.
    pub(super) fn words(&self) -> Vec<String> {
        let texts = [("subnet", &self.subnet), ("gateway", &self.gateway), ("ip-range", &self.range)];
        let texts =
            texts.into_iter().filter_map(|(option, text)| Some(format!("--{option}={}", text.as_ref()?)));
        let auxiliary =
            self.auxiliary.iter().map(|(name, address)| format!("--aux-address={name}={address}"));
        texts.chain(auxiliary).collect()
    }
}

/// How a network is set up; what is not said is left to the daemon.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Shape {
    /// Driver, driver of addresses, reach.
    pub(super) texts: [Option<String>; 3],
    /// IPv6, internal, attachable, ingress.
    pub(super) switches: [Option<bool>; 4],
    /// Options of the driver, options of that of addresses, labels.
    pub(super) maps: [BTreeMap<String, String>; 3],
    /// Ranges of addresses.
    pub(super) pools: Vec<Pool>,
}

impl Shape {
    /// As the daemon describes it.
    pub(super) fn now(have: &Json) -> Self {
        let pools = have.pointer("/IPAM/Config").and_then(Json::as_array).into_iter().flatten();
        Self {
            texts: TEXTS
                .map(|(.., path)| Some(text(have, path)).filter(|t| !t.is_empty()).map(str::to_owned)),
            switches: SWITCHES.map(|(.., path)| have.pointer(path).and_then(Json::as_bool)),
            maps: MAPS.map(|(.., path)| strings(have.pointer(path))),
            pools: pools.map(Pool::now).collect(),
        }
    }

    /// What of a network is not as this says.
    pub(super) fn differences(&self, now: &Self) -> Changes {
        let mut changes = Changes::new();
        for ((name, ..), (wanted, have)) in TEXTS.iter().zip(self.texts.iter().zip(&now.texts)) {
            if wanted.is_some() && wanted != have {
                changes.insert((*name).to_owned(), change(have.clone(), wanted.clone()));
            }
        }
        for ((name, ..), (wanted, have)) in SWITCHES.iter().zip(self.switches.iter().zip(&now.switches)) {
            let have = have.unwrap_or_default();
            if let Some(wanted) = wanted.filter(|wanted| *wanted != have) {
                changes.insert((*name).to_owned(), change(have, wanted));
            }
        }
        for ((name, ..), (wanted, have)) in MAPS.iter().zip(self.maps.iter().zip(&now.maps)) {
            for (option, value) in wanted.iter().filter(|(option, value)| have.get(*option) != Some(value)) {
                changes.insert(format!("{name}:{option}"), change(have.get(option).cloned(), value.as_str()));
            }
        }
        if !self.pools.iter().all(|wanted| now.pools.iter().any(|have| have.will_do_for(wanted))) {
            let shown = |pools: &[Pool]| pools.iter().map(|pool| pool.words().join(" ")).collect::<Vec<_>>();
            changes.insert("ipam".to_owned(), change(shown(&now.pools), shown(&self.pools)));
        }
        changes
    }

    /// The command that makes one.
    pub(super) fn words(&self, name: &str) -> Vec<String> {
        let mut words = vec!["network".to_owned(), "create".to_owned()];
        let texts = TEXTS.iter().zip(&self.texts);
        words.extend(
            texts.filter_map(|((_, option, _), value)| Some(format!("{option}={}", value.as_ref()?))),
        );
        let switches = SWITCHES.iter().zip(&self.switches).filter(|(_, on)| **on == Some(true));
        words.extend(switches.map(|((_, option, _), _)| (*option).to_owned()));
        for ((_, option, _), values) in MAPS.iter().zip(&self.maps) {
            words.extend(values.iter().map(|(name, value)| format!("{option}={name}={value}")));
        }
        words.extend(self.pools.iter().flat_map(Pool::words));
        words.push(name.to_owned());
        words
    }
}
