//! Names, interfaces, addresses, routes and resolvers. Nobody is asked: a full name that only a name server knows is
//! not known here.

use super::{Collected, Inspection};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use zester_compiler::types::{Map, Value};

pub(super) fn collect(inspection: &Inspection, out: &mut Collected) {
    let node = inspection.uname.node.as_str();
    let host = node.split('.').next().unwrap_or(node);
    let hosts = Hosts::read(inspection);
    let fqdn = hosts.full_name(node, host);
    out.fact("network.hostname", host);
    out.fact("network.fqdn", fqdn.as_str());
    out.fact("network.domain", fqdn.split_once('.').map_or("", |(_, domain)| domain));
    out.grain("nodename", node);
    out.grain("localhost", node);
    out.grain("fqdns", if fqdn.contains('.') { vec![fqdn.clone()] } else { Vec::new() });
    addresses(inspection, out);
    named_addresses(inspection, &hosts, &fqdn, out);
    interfaces(inspection, out);
    routes(inspection, out);
    resolvers(inspection, out);
}

/// `/etc/hosts`: addresses with their names, the canonical one first.
struct Hosts(Vec<(IpAddr, Vec<String>)>);

impl Hosts {
    fn read(inspection: &Inspection) -> Self {
        let text = inspection.read("/etc/hosts").unwrap_or_default();
        let entry = |line: &str| {
            let mut words = line.split('#').next()?.split_whitespace();
            let address = words.next()?.parse().ok()?;
            Some((address, words.map(str::to_owned).collect()))
        };
        Self(text.lines().filter_map(entry).collect())
    }

    fn full_name(&self, node: &str, host: &str) -> String {
        if node.contains('.') {
            return node.to_owned();
        }
        let names = self.0.iter().map(|(_, names)| names).find(|names| names.iter().any(|n| n == node));
        let prefix = format!("{host}.");
        names
            .and_then(|names| {
                let canonical =
                    names.first().filter(|name| name.contains('.') && !name.starts_with("localhost"));
                canonical.or_else(|| names.iter().find(|name| name.starts_with(&prefix)))
            })
            .cloned()
            .unwrap_or_else(|| node.to_owned())
    }

    fn addresses(&self, name: &str) -> Vec<IpAddr> {
        self.0.iter().filter(|(_, names)| names.iter().any(|n| n == name)).map(|(ip, _)| *ip).collect()
    }
}

fn addresses(inspection: &Inspection, out: &mut Collected) {
    let (mut v4, mut v6): (Vec<Ipv4Addr>, Vec<Ipv6Addr>) = (Vec::new(), Vec::new());
    for address in &inspection.addresses {
        match address.ip {
            IpAddr::V4(ip) => v4.push(ip),
            IpAddr::V6(ip) => v6.push(ip),
        }
    }
    v4.sort();
    v4.dedup();
    v6.sort();
    v6.dedup();
    out.fact("network.ipv4", v4.iter().map(ToString::to_string).collect::<Vec<_>>());
    out.fact("network.ipv6", v6.iter().map(ToString::to_string).collect::<Vec<_>>());
}

/// Addresses of the full name: those of `/etc/hosts`, else the machine's own, as the resolver answers for itself.
fn named_addresses(inspection: &Inspection, hosts: &Hosts, fqdn: &str, out: &mut Collected) {
    let named = hosts.addresses(fqdn);
    let own = || {
        inspection.addresses.iter().map(|a| a.ip).filter(|ip| match ip {
            IpAddr::V4(ip) => !ip.is_loopback(),
            IpAddr::V6(ip) => !ip.is_loopback() && !ip.is_unicast_link_local(),
        })
    };
    let choose = |v4: bool| -> Vec<String> {
        let mut found: Vec<IpAddr> = named.iter().copied().filter(|ip| ip.is_ipv4() == v4).collect();
        if found.is_empty() {
            found = own().filter(|ip| ip.is_ipv4() == v4).collect();
        }
        found.dedup();
        found.iter().map(ToString::to_string).collect()
    };
    out.grain("fqdn_ip4", choose(true));
    out.grain("fqdn_ip6", choose(false));
}

fn interfaces(inspection: &Inspection, out: &mut Collected) {
    let mut names = inspection.names("/sys/class/net");
    names.retain(|name| inspection.exists(&format!("/sys/class/net/{name}/flags")));
    for address in &inspection.addresses {
        if !names.contains(&address.interface) {
            names.push(address.interface.clone());
        }
    }
    let (mut all, mut v4, mut v6, mut macs) = (Map::new(), Map::new(), Map::new(), Map::new());
    let mut listed = Vec::new();
    for name in names {
        let own = || inspection.addresses.iter().filter(|a| a.interface == name);
        let texts = |wanted: fn(&IpAddr) -> bool| {
            Value::from(own().filter(|a| wanted(&a.ip)).map(|a| a.ip.to_string()).collect::<Vec<_>>())
        };
        let mac = inspection.line(&format!("/sys/class/net/{name}/address")).unwrap_or_default();
        let flags = inspection.line(&format!("/sys/class/net/{name}/flags")).unwrap_or_default();
        let addrs: Vec<String> = own().map(|a| format!("{}/{}", a.ip, a.prefix)).collect();
        listed.push(Value::Map(Map::from_iter([
            ("name".to_owned(), Value::from(name.as_str())),
            ("mac".to_owned(), Value::from(mac.as_str())),
            ("flags".to_owned(), Value::from(flag_names(&flags))),
            ("addrs".to_owned(), Value::from(addrs)),
        ])));
        all.insert(name.clone(), texts(|_| true));
        v4.insert(name.clone(), texts(IpAddr::is_ipv4));
        v6.insert(name.clone(), texts(IpAddr::is_ipv6));
        if !mac.is_empty() {
            macs.insert(name.clone(), Value::from(mac));
        }
    }
    out.fact("network.interfaces", Value::List(listed));
    out.grain("ip_interfaces", all);
    out.grain("ip4_interfaces", v4);
    out.grain("ip6_interfaces", v6);
    out.grain("hwaddr_interfaces", macs);
}

/// The kernel's interface flags that people know.
fn flag_names(hexadecimal: &str) -> Vec<String> {
    let bits = u32::from_str_radix(hexadecimal.trim_start_matches("0x"), 16).unwrap_or_default();
    [(0x1, "up"), (0x2, "broadcast"), (0x8, "loopback"), (0x10, "pointtopoint"), (0x1000, "multicast")]
        .into_iter()
        .filter(|(bit, _)| bits & bit != 0)
        .map(|(_, name)| name.to_owned())
        .collect()
}

fn routes(inspection: &Inspection, out: &mut Collected) {
    let v4 = default_v4(&inspection.read("/proc/net/route").unwrap_or_default());
    let v6 = default_v6(&inspection.read("/proc/net/ipv6_route").unwrap_or_default());
    let address = |interface: Option<&String>, wanted: fn(&IpAddr) -> bool| {
        let own = inspection.addresses.iter().filter(|a| Some(&a.interface) == interface);
        own.map(|a| a.ip).find(wanted).map(|ip| ip.to_string())
    };
    out.maybe("default_ipv4", address(v4.as_ref().map(|(name, _)| name), IpAddr::is_ipv4));
    let global = |ip: &IpAddr| matches!(ip, IpAddr::V6(ip) if !ip.is_unicast_link_local());
    out.maybe("default_ipv6", address(v6.as_ref().map(|(name, _)| name), global));
    let (v4, v6) = (v4.map(|(_, gateway)| gateway.to_string()), v6.map(|(_, gateway)| gateway.to_string()));
    out.grain("ip_gw", v4.is_some() || v6.is_some());
    out.grain("ip4_gw", v4.clone().map_or(Value::Bool(false), Value::from));
    out.grain("ip6_gw", v6.clone().map_or(Value::Bool(false), Value::from));
    out.maybe("network.gateway", v4);
    out.maybe("network.gateway6", v6);
}

/// Interface and gateway of the IPv4 default route with the least metric.
fn default_v4(table: &str) -> Option<(String, Ipv4Addr)> {
    table
        .lines()
        .skip(1)
        .filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let (name, destination, gateway) = (words.first()?, words.get(1)?, words.get(2)?);
            let (metric, mask) = (words.get(6)?.parse::<u32>().ok()?, words.get(7)?);
            // Addresses stand in the machine's own byte order.
            let gateway = u32::from_str_radix(gateway, 16).ok()?.to_ne_bytes();
            (*destination == "00000000" && *mask == "00000000")
                .then(|| (metric, (*name).to_owned(), Ipv4Addr::from(gateway)))
        })
        .min_by_key(|(metric, ..)| *metric)
        .map(|(_, name, gateway)| (name, gateway))
}

/// Interface and gateway of the IPv6 default route with the least metric.
fn default_v6(table: &str) -> Option<(String, Ipv6Addr)> {
    table
        .lines()
        .filter_map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let (destination, length, gateway) = (words.first()?, words.get(1)?, words.get(4)?);
            let metric = u32::from_str_radix(words.get(5)?, 16).ok()?;
            let name = words.get(9)?;
            let gateway = Ipv6Addr::from(u128::from_str_radix(gateway, 16).ok()?);
            let default = destination.bytes().all(|b| b == b'0') && *length == "00";
            (default && !gateway.is_unspecified() && *name != "lo")
                .then(|| (metric, (*name).to_owned(), gateway))
        })
        .min_by_key(|(metric, ..)| *metric)
        .map(|(_, name, gateway)| (name, gateway))
}

fn resolvers(inspection: &Inspection, out: &mut Collected) {
    let text = inspection.read("/etc/resolv.conf").unwrap_or_default();
    let (mut servers, mut search, mut sortlist, mut options) =
        (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut domain = String::new();
    for line in text.lines() {
        let mut words = line.split(['#', ';']).next().unwrap_or_default().split_whitespace();
        let Some(key) = words.next() else { continue };
        let rest: Vec<String> = words.map(str::to_owned).collect();
        match key {
            "nameserver" => servers.extend(rest.into_iter().take(1)),
            // The last of several lines counts.
            "search" => search = rest,
            "domain" => domain = rest.into_iter().next().unwrap_or_default(),
            "sortlist" => sortlist = rest,
            "options" => options.extend(rest),
            _ => {}
        }
    }
    let of = |v4: bool| -> Vec<String> {
        let family = |server: &&String| {
            server
                .split('%')
                .next()
                .and_then(|ip| ip.parse::<IpAddr>().ok())
                .is_some_and(|ip| ip.is_ipv4() == v4)
        };
        servers.iter().filter(family).cloned().collect()
    };
    out.grain(
        "dns",
        Map::from_iter([
            ("nameservers".to_owned(), Value::from(servers.clone())),
            ("ip4_nameservers".to_owned(), Value::from(of(true))),
            ("ip6_nameservers".to_owned(), Value::from(of(false))),
            ("sortlist".to_owned(), Value::from(sortlist)),
            ("domain".to_owned(), Value::from(domain)),
            ("search".to_owned(), Value::from(search.clone())),
            ("options".to_owned(), Value::from(options)),
        ]),
    );
    out.fact("network.nameservers", servers);
    out.fact("network.search", search);
}
