//! `docker_network.present`, `docker_network.absent`

use super::{
    client::{act, check_name, docker, inspect, text},
    networks::Link,
    rows::strings,
    text::{Named, pairs},
};
use crate::{Changes, Context, Failure, Outcome, Plan, State, change, provider::tool::succeed};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use zester_compiler::types::{Map, Value};
use zester_stdlib_derive::Arguments;

/// A network exists, set up like this, and these containers are in it. One that differs is made anew, and the containers that were in it are connected
/// again, by the same names.
///
/// ```yaml
/// backend:
///   docker_network.present:
///     - subnet: 10.20.0.0/24
///     - gateway: 10.20.0.1
///     - internal: true
///     - containers: [db]
/// ```
#[derive(Arguments)]
#[state("docker_network.present")]
pub(crate) struct Present {
    /// The network.
    #[arg(primary)]
    name: String,
    /// Containers that are in it, at least.
    containers: Vec<String>,
    /// Whether the containers that were in one that is made anew are connected again.
    #[arg(default = true)]
    reconnect: bool,
    /// Its driver; `bridge` for a new one if nothing is said.
    driver: Option<String>,
    /// The driver's options, as a map or as `name=value`.
    #[arg(alias = "options")]
    driver_opts: Named,
    /// Its addresses, as `10.20.0.0/24`.
    subnet: Option<String>,
    /// Its way out.
    gateway: Option<String>,
    /// The addresses that containers get.
    #[arg(alias = "iprange")]
    ip_range: Option<String>,
    /// Addresses that containers do not get, as a map or as `name=address`.
    aux_addresses: Named,
    /// Several ranges of addresses, each a map of `subnet`, `gateway`, `iprange` and `aux_addresses`.
    #[arg(ty = Type::List(Box::new(Type::Map(Box::new(Type::Any)))))]
    ipam_pools: Vec<Value>,
    /// What gives out addresses.
    ipam_driver: Option<String>,
    /// Options of that.
    ipam_opts: Named,
    /// Whether it has addresses of IPv6.
    enable_ipv6: Option<bool>,
    /// Whether nothing leads out of it.
    internal: Option<bool>,
    /// Whether containers of their own can be in it; for networks of a swarm.
    attachable: Option<bool>,
    /// Whether it is the one that leads into a swarm.
    ingress: Option<bool>,
    /// How far it reaches: `local`, `swarm`.
    scope: Option<String>,
    /// Labels, as a map or as `name=value`.
    labels: Named,
    /// Whether there may be two networks of a name.
    #[arg(inert = "a name is one network")]
    check_duplicate: Option<bool>,
    /// Parameters that are not read.
    #[arg(inert = "every parameter is read in all its forms")]
    skip_translate: Option<Value>,
    /// Whether two names of a parameter may be given.
    #[arg(inert = "two names of one parameter are always an error")]
    ignore_collisions: Option<bool>,
    /// Whether addresses are checked.
    #[arg(inert = "the daemon checks them")]
    validate_ip_addrs: Option<bool>,
}

/// A range of addresses.
#[derive(Clone, PartialEq, Debug)]
struct Pool {
    subnet: Option<String>,
    gateway: Option<String>,
    range: Option<String>,
    auxiliary: BTreeMap<String, String>,
}

impl Pool {
    fn of(map: &Map) -> Result<Self, String> {
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

    /// Whether a network has it.
    fn is(&self, have: &Json) -> bool {
        let same = |wanted: &Option<String>, name: &str| {
            wanted.as_deref().is_none_or(|wanted| have.get(name).and_then(Json::as_str) == Some(wanted))
        };
        let auxiliary = have.get("AuxiliaryAddresses").or_else(|| have.get("AuxAddress"));
        let auxiliary = strings(auxiliary);
        same(&self.subnet, "Subnet")
            && same(&self.gateway, "Gateway")
            && same(&self.range, "IPRange")
            && self.auxiliary.iter().all(|(name, address)| auxiliary.get(name) == Some(address))
    }

    fn words(&self) -> Vec<String> {
        let texts = [("subnet", &self.subnet), ("gateway", &self.gateway), ("ip-range", &self.range)];
        let texts =
            texts.into_iter().filter_map(|(option, text)| Some(format!("--{option}={}", text.as_ref()?)));
        let auxiliary =
            self.auxiliary.iter().map(|(name, address)| format!("--aux-address={name}={address}"));
        texts.chain(auxiliary).collect()
    }
}

/// Names and ids of the containers of a network. Those that do not run are in it, too, and cannot start any more when it is gone; the network's own
/// description leaves them out.
fn members(cx: &Context, network: &str) -> Result<BTreeMap<String, String>, Failure> {
    let filter = format!("--filter=network={network}");
    let words = ["ps", "--all", "--no-trunc", "--format={{.ID}} {{.Names}}", &filter];
    let output = succeed(cx, docker(cx, words))?;
    let one = |line: &str| {
        let (id, names) = line.trim().split_once(' ')?;
        // `web,other/web` of one that others link to.
        let name = names.split(',').find(|name| !name.contains('/'))?;
        Some((name.to_owned(), id.to_owned()))
    };
    Ok(output.stdout.lines().filter_map(one).collect())
}

impl Present {
    fn pools(&self) -> Result<Vec<Pool>, String> {
        let auxiliary = pairs("aux_addresses", &self.aux_addresses, '=')?;
        let single = Pool {
            subnet: self.subnet.clone(),
            gateway: self.gateway.clone(),
            range: self.ip_range.clone(),
            auxiliary,
        };
        let stated = !single.words().is_empty();
        let mut all: Vec<Pool> = stated.then_some(single).into_iter().collect();
        for pool in self.ipam_pools.iter().filter_map(Value::as_map) {
            all.push(Pool::of(pool)?);
        }
        Ok(all)
    }

    /// The switches that are named, with their option and their place in a description.
    fn switches(&self) -> [(&'static str, &'static str, &'static str, Option<bool>); 4] {
        [
            ("enable_ipv6", "--ipv6", "/EnableIPv6", self.enable_ipv6),
            ("internal", "--internal", "/Internal", self.internal),
            ("attachable", "--attachable", "/Attachable", self.attachable),
            ("ingress", "--ingress", "/Ingress", self.ingress),
        ]
    }

    fn texts(&self) -> [(&'static str, &'static str, &'static str, Option<&str>); 3] {
        [
            ("driver", "--driver", "/Driver", self.driver.as_deref()),
            ("ipam_driver", "--ipam-driver", "/IPAM/Driver", self.ipam_driver.as_deref()),
            ("scope", "--scope", "/Scope", self.scope.as_deref()),
        ]
    }

    fn maps(
        &self,
    ) -> Result<[(&'static str, &'static str, &'static str, BTreeMap<String, String>); 3], String> {
        Ok([
            ("driver_opts", "--opt", "/Options", pairs("driver_opts", &self.driver_opts, '=')?),
            ("ipam_opts", "--ipam-opt", "/IPAM/Options", pairs("ipam_opts", &self.ipam_opts, '=')?),
            ("labels", "--label", "/Labels", pairs("labels", &self.labels, '=')?),
        ])
    }

    /// What of a network is not as it should be.
    fn differences(&self, cx: &Context, have: &Json) -> Result<Changes, String> {
        let mut changes = Changes::new();
        for (name, _, path, wanted) in self.texts() {
            if let Some(wanted) = wanted.filter(|wanted| *wanted != text(have, path)) {
                changes.insert(name.to_owned(), change(text(have, path), wanted));
            }
        }
        for (name, _, path, wanted) in self.switches() {
            let now = have.pointer(path).and_then(Json::as_bool).unwrap_or_default();
            if let Some(wanted) = wanted.filter(|wanted| *wanted != now) {
                changes.insert(name.to_owned(), change(now, wanted));
            }
        }
        for (name, _, path, wanted) in self.maps()? {
            let now = strings(have.pointer(path));
            for (option, value) in wanted.iter().filter(|(option, value)| now.get(*option) != Some(value)) {
                let both = if cx.is_secret(name) {
                    change("***", "***")
                } else {
                    change(now.get(option).cloned(), value.as_str())
                };
                changes.insert(format!("{name}:{option}"), both);
            }
        }
        let empty = Vec::new();
        let now = have.pointer("/IPAM/Config").and_then(Json::as_array).unwrap_or(&empty);
        let pools = self.pools()?;
        if !pools.iter().all(|pool| now.iter().any(|have| pool.is(have))) {
            let old: Vec<String> = now.iter().map(|have| text(have, "/Subnet").to_owned()).collect();
            let new: Vec<String> = pools.iter().map(|pool| pool.words().join(" ")).collect();
            changes.insert("ipam".to_owned(), change(old, new));
        }
        Ok(changes)
    }

    fn creation(&self) -> Result<Vec<String>, String> {
        let mut words = vec!["network".to_owned(), "create".to_owned()];
        let texts = self.texts().into_iter().filter_map(|(_, option, _, value)| Some((option, value?)));
        words.extend(texts.map(|(option, value)| format!("{option}={value}")));
        words.extend(self.switches().iter().filter(|(.., on)| *on == Some(true)).map(|x| x.1.to_owned()));
        for (_, option, _, values) in self.maps()? {
            words.extend(values.iter().map(|(name, value)| format!("{option}={name}={value}")));
        }
        words.extend(self.pools()?.iter().flat_map(Pool::words));
        words.push(self.name.clone());
        Ok(words)
    }
}

impl State for Present {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let name = &self.name;
        check_name("network", name)?;
        self.containers.iter().try_for_each(|container| check_name("container", container))?;
        let creation = self.creation()?;
        let have = inspect(cx, "network", name)?;
        let mut changes = match &have {
            None => Changes::from_iter([(name.clone(), change((), "a network"))]),
            Some(have) => self.differences(cx, have)?,
        };
        let anew = have.is_some() && !changes.is_empty();
        let inside = if have.is_some() { members(cx, name)? } else { BTreeMap::new() };
        let is_inside = |wanted: &String| {
            inside.contains_key(wanted)
                || inside.values().any(|id| wanted.len() >= 12 && id.starts_with(wanted))
        };
        let joins: Vec<String> =
            self.containers.iter().filter(|wanted| !is_inside(wanted)).cloned().collect();
        if !joins.is_empty() {
            let old: Vec<String> = inside.keys().cloned().collect();
            let new: Vec<String> = old.iter().chain(&joins).cloned().collect();
            changes.insert("containers".to_owned(), change(old, new));
        }
        if changes.is_empty() {
            return Ok(Plan::unchanged(format!("the network `{name}` is as it should be")));
        }
        let makes = have.is_none() || anew;
        let keeps_addresses = !changes.contains_key("ipam");
        let comment = format!("the network `{name}` is {}", if makes { "made" } else { "changed" });
        Ok(Plan::change(changes, comment, move |cx| {
            let join = |container: &str| act(cx, ["network", "connect", &self.name, container]);
            let mut links = BTreeMap::new();
            if anew {
                for container in inside.keys() {
                    if let Some(json) = inspect(cx, "container", container)? {
                        links.insert(container, Link::now(&json, &self.name, keeps_addresses));
                    }
                    act(cx, ["network", "disconnect", &self.name, container])?;
                }
                act(cx, ["network", "rm", &self.name])?;
            }
            if makes {
                act(cx, creation)?;
            }
            if anew {
                let back = |container: &str| self.reconnect || self.containers.iter().any(|c| c == container);
                for (container, link) in links.into_iter().filter(|(container, _)| back(container)) {
                    let words = ["network".to_owned(), "connect".to_owned()].into_iter().chain(link.words());
                    act(cx, words.chain([self.name.clone(), container.clone()]))?;
                }
            }
            joins.iter().try_for_each(|container| join(container))?;
            Ok(Outcome::default())
        }))
    }
}

/// There is no such network. Containers that are in it leave it.
///
/// ```yaml
/// backend:
///   docker_network.absent: []
/// ```
#[derive(Arguments)]
#[state("docker_network.absent")]
pub(crate) struct Absent {
    /// The network.
    #[arg(primary)]
    name: String,
}

impl State for Absent {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let name = &self.name;
        check_name("network", name)?;
        if inspect(cx, "network", name)?.is_none() {
            return Ok(Plan::unchanged(format!("there is no network `{name}`")));
        }
        let inside = members(cx, name)?;
        let changes = Changes::from_iter([(name.clone(), change("a network", ()))]);
        Ok(Plan::change(changes, format!("the network `{name}` is removed"), move |cx| {
            for container in inside.keys() {
                act(cx, ["network", "disconnect", &self.name, container])?;
            }
            act(cx, ["network", "rm", &self.name])?;
            Ok(Outcome::default())
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::client::tests::machine, *};
    use crate::provider::fake::FakeMachine;
    use serde_json::json;

    fn description(subnet: &str, containers: &[&str]) -> Json {
        let containers: serde_json::Map<_, _> =
            containers.iter().map(|name| (format!("{name}0123456789abc"), json!({"Name": name}))).collect();
        json!({
            "Name": "backend", "Scope": "local", "Driver": "bridge", "EnableIPv6": false, "Internal": false,
            "Attachable": false, "Ingress": false, "Options": {}, "Labels": {}, "Containers": containers,
            "IPAM": {"Driver": "default", "Options": null, "Config": [{"Subnet": subnet, "Gateway": "10.0.0.1"}]},
        })
    }

    fn daemon() -> FakeMachine {
        let db = json!({"Id": "db0123456789abc", "Name": "/db", "NetworkSettings": {"Networks": {
            "backend": {"Aliases": ["main", "db0123456789"], "IPAMConfig": {"IPv4Address": "10.0.0.7"}},
        }}});
        let things = [("network backend", description("10.0.0.0/24", &["db"])), ("container db", db)];
        machine(&things, |line, things| {
            let mut change = |name: &str, add: Option<&str>, remove: Option<&str>| {
                let network = things.get_mut(&format!("network {name}")).unwrap();
                let all = network["Containers"].as_object_mut().unwrap();
                all.retain(|_, one| Some(one["Name"].as_str().unwrap()) != remove);
                all.extend(add.map(|name| (format!("{name}0123456789abc"), json!({"Name": name}))));
            };
            match line.split(' ').collect::<Vec<_>>()[..] {
                ["network", "connect", .., name, container] => change(name, Some(container), None),
                ["network", "disconnect", name, container] => change(name, None, Some(container)),
                ["network", "rm", name] => drop(things.remove(&format!("network {name}"))),
                ["network", "create", ref options @ .., name] => {
                    let subnet = options.iter().find_map(|option| option.strip_prefix("--subnet="));
                    let made = description(subnet.unwrap_or("172.18.0.0/16"), &[]);
                    things.insert(format!("network {name}"), made);
                }
                _ => return Err(format!("what is {line}?")),
            }
            Ok(())
        })
    }

    fn args(json: &str) -> Map {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn made_and_joined() {
        let machine = daemon();
        let new = args(
            r#"{"name": "edge", "subnet": "10.1.0.0/24", "labels": {}, "driver": "bridge", "internal": false, "containers": ["web"]}"#,
        );
        let changes = machine.converge::<Present>(&new).unwrap().changes;
        assert_eq!(changes.keys().collect::<Vec<_>>(), ["edge", "containers"]);
        let lines = machine.commands.lines();
        assert!(
            lines.contains(&"docker network create --driver=bridge --subnet=10.1.0.0/24 edge".to_owned())
        );
        let same = args(r#"{"name": "backend", "gateway": "10.0.0.1", "containers": ["db"]}"#);
        assert!(machine.converge::<Present>(&same).unwrap().changes.is_empty());
    }

    #[test]
    fn one_that_differs_is_made_anew_with_who_was_in_it() {
        let machine = daemon();
        let other = args(r#"{"name": "backend", "ipam_pools": [{"subnet": "10.9.0.0/24"}]}"#);
        let changes = machine.converge::<Present>(&other).unwrap().changes;
        assert_eq!(changes.keys().collect::<Vec<_>>(), ["ipam"]);
        let lines: Vec<String> = machine
            .commands
            .lines()
            .into_iter()
            .filter(|line| line.starts_with("docker network ") && !line.contains(" inspect "))
            .collect();
        assert_eq!(
            lines,
            [
                "docker network disconnect backend db",
                "docker network rm backend",
                "docker network create --subnet=10.9.0.0/24 backend",
                "docker network connect --alias=main backend db",
            ]
        );
        let odd = args(r#"{"name": "backend", "ipam_pools": [{"subnets": "x"}]}"#);
        let failure = machine.converge::<Present>(&odd).unwrap_err().message;
        assert!(failure.contains("those are subnet, gateway"), "{failure}");
    }

    #[test]
    fn removed_when_nobody_is_in_it_any_more() {
        let machine = daemon();
        let gone = machine.converge::<Absent>(&args(r#"{"name": "backend"}"#)).unwrap();
        assert_eq!(gone.changes["backend"], change("a network", ()));
        assert!(machine.commands.lines().contains(&"docker network disconnect backend db".to_owned()));
    }
}
