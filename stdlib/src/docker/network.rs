//! `docker_network.present`, `docker_network.absent`

use super::{
    client::{act, check_name, docker, inspect},
    networks::Link,
    shape::{Pool, Shape},
    text::{Named, pairs},
};
use crate::{Changes, Context, Failure, Outcome, Plan, State, change, provider::tool::succeed};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use zester_compiler::types::Value;
use zester_stdlib_derive::Arguments;

/// A network exists, set up like this, and these containers are in it. One that differs is made anew, and the containers that were in it are connected
/// again, by the same names; when the new one cannot be made, the old one comes back.
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
    #[arg(alias = "options", alias = "driver_opt")]
    driver_opts: Named,
    /// Its addresses, as `10.20.0.0/24`.
    subnet: Option<String>,
    /// Its way out.
    gateway: Option<String>,
    /// The addresses that containers get.
    #[arg(alias = "iprange")]
    ip_range: Option<String>,
    /// Addresses that containers do not get, as a map or as `name=address`.
    #[arg(alias = "aux_address")]
    aux_addresses: Named,
    /// Several ranges of addresses, each a map of `subnet`, `gateway`, `iprange` and `aux_addresses`.
    #[arg(ty = Type::List(Box::new(Type::Map(Box::new(Type::Any)))))]
    ipam_pools: Vec<Value>,
    /// What gives out addresses.
    ipam_driver: Option<String>,
    /// Options of that.
    #[arg(alias = "ipam_opt")]
    ipam_opts: Named,
    /// Whether it has addresses of IPv6.
    #[arg(alias = "ipv6")]
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
    #[arg(alias = "label")]
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
    fn shape(&self) -> Result<Shape, String> {
        let single = Pool {
            subnet: self.subnet.clone(),
            gateway: self.gateway.clone(),
            range: self.ip_range.clone(),
            auxiliary: pairs("aux_addresses", &self.aux_addresses, '=')?,
        };
        let mut pools: Vec<Pool> = (!single.words().is_empty()).then_some(single).into_iter().collect();
        for pool in self.ipam_pools.iter().filter_map(Value::as_map) {
            pools.push(Pool::of(pool)?);
        }
        Ok(Shape {
            texts: [self.driver.clone(), self.ipam_driver.clone(), self.scope.clone()],
            switches: [self.enable_ipv6, self.internal, self.attachable, self.ingress],
            maps: [
                pairs("driver_opts", &self.driver_opts, '=')?,
                pairs("ipam_opts", &self.ipam_opts, '=')?,
                pairs("labels", &self.labels, '=')?,
            ],
            pools,
        })
    }
}

/// Makes a network anew with who was in it; when the new one cannot be made, the old one comes back.
fn make_anew(
    cx: &Context,
    name: &str,
    (old, new): (&[String], &[String]),
    inside: &BTreeMap<String, String>,
    (keeps_addresses, back): (bool, &dyn Fn(&str) -> bool),
) -> Result<(), Failure> {
    let mut links = Vec::new();
    for container in inside.keys() {
        if let Some(json) = inspect(cx, "container", container)? {
            links.push((container, json));
        }
    }
    let connect = |container: &str, json: &Json, keeps_addresses: bool| {
        let link = Link::now(json, name, keeps_addresses);
        let words = ["network".to_owned(), "connect".to_owned()].into_iter().chain(link.words());
        act(cx, words.chain([name.to_owned(), container.to_owned()]))
    };
    for container in inside.keys() {
        act(cx, ["network", "disconnect", name, container])?;
    }
    act(cx, ["network", "rm", name])?;
    if let Err(failure) = act(cx, new) {
        let again = act(cx, old)
            .and_then(|()| links.iter().try_for_each(|(container, json)| connect(container, json, true)));
        return Err(Failure::new(match again {
            Ok(()) => format!("{}; the old network is back", failure.message),
            Err(second) => {
                format!("{}; the old network could not be brought back: {}", failure.message, second.message)
            }
        }));
    }
    let mut kept = links.iter().filter(|(container, _)| back(container));
    kept.try_for_each(|(container, json)| connect(container, json, keeps_addresses))
}

impl State for Present {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        let name = &self.name;
        check_name("network", name)?;
        self.containers.iter().try_for_each(|container| check_name("container", container))?;
        let shape = self.shape()?;
        let creation = shape.words(name);
        let have = inspect(cx, "network", name)?;
        let now = have.as_ref().map(Shape::now);
        let mut changes = match &now {
            None => Changes::from_iter([(name.clone(), change((), "a network"))]),
            Some(now) => shape.differences(now),
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
        let keeps_addresses = !changes.contains_key("ipam");
        let is = if now.is_none() || anew { "made" } else { "changed" };
        Ok(Plan::change(changes, format!("the network `{name}` is {is}"), move |cx| {
            let name = self.name.as_str();
            match now {
                None => act(cx, creation)?,
                Some(now) if anew => {
                    let back =
                        |container: &str| self.reconnect || self.containers.iter().any(|c| c == container);
                    make_anew(cx, name, (&now.words(name), &creation), &inside, (keeps_addresses, &back))?;
                }
                Some(_) => {}
            }
            joins.iter().try_for_each(|container| act(cx, ["network", "connect", name, container]))?;
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
        let is_there = inspect(cx, "network", name)?.is_some();
        let inside = if is_there { members(cx, name)? } else { BTreeMap::new() };
        Ok(Plan::removal(("network", name), is_there, move |cx| {
            for container in inside.keys() {
                act(cx, ["network", "disconnect", &self.name, container])?;
            }
            act(cx, ["network", "rm", &self.name])
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
                ["network", "create", .., "--subnet=10.0.9.0/99", _] => {
                    return Err("Error response from daemon: invalid subnet".to_owned());
                }
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

    fn args(json: &str) -> zester_compiler::types::Map {
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
        let wrong = args(r#"{"name": "backend", "subnet": "10.0.9.0/99"}"#);
        let failure = machine.converge::<Present>(&wrong).unwrap_err().message;
        assert!(failure.ends_with("invalid subnet; the old network is back"), "{failure}");
        let lines = machine.commands.lines();
        let old = "docker network create --driver=bridge --ipam-driver=default --scope=local --subnet=10.9.0.0/24 --gateway=10.0.0.1 backend";
        let again = lines.iter().skip_while(|line| *line != old).nth(1).unwrap();
        assert_eq!(again, "docker network connect --alias=main --ip=10.0.0.7 backend db");
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
