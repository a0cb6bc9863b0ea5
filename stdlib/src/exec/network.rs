//! `network.*`: interfaces and addresses, from the facts of the machine.

use crate::{Context, Library};
use ipnet::IpNet;
use std::net::{IpAddr, ToSocketAddrs};
use zester_compiler::types::{Map, Value};

/// Addresses by interface.
fn by_interface(cx: &Context, grain: &str) -> Vec<(String, Vec<String>)> {
    let map = cx.facts.grains.get(grain).and_then(Value::as_map);
    let texts = |value: &Value| match value {
        Value::List(list) => list.iter().map(Value::to_string).collect(),
        Value::Null => Vec::new(),
        single => vec![single.to_string()],
    };
    map.into_iter().flatten().map(|(name, value)| (name.clone(), texts(value))).collect()
}

fn net(text: &str) -> Result<IpNet, String> {
    text.parse::<IpNet>()
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
        .map_err(|_| format!("`{text}` is not a network such as 10.0.0.0/8"))
}

fn addresses(
    cx: &Context,
    grain: &str,
    interface: Option<&str>,
    loopback: bool,
    cidr: Option<&str>,
) -> Result<Vec<String>, String> {
    let cidr = cidr.map(net).transpose()?;
    let mut all: Vec<IpAddr> = Vec::new();
    for (name, texts) in by_interface(cx, grain) {
        if interface.is_some_and(|i| i != name) {
            continue;
        }
        for ip in texts.iter().filter_map(|t| t.split(['/', '%']).next()?.parse::<IpAddr>().ok()) {
            let wanted = cidr.as_ref().map_or(loopback || !ip.is_loopback(), |c| c.contains(&ip));
            if wanted && !all.contains(&ip) {
                all.push(ip);
            }
        }
    }
    all.sort();
    Ok(all.iter().map(ToString::to_string).collect())
}

macro_rules! address_lists {
    ($($name:literal $struct:ident $grain:literal;)+) => {$(
        exec! {
            /// Addresses of the machine, sorted.
            $name probe $struct {
                /// Only of this interface.
                interface: Option<String>,
                /// Whether those of the loopback interface are among them.
                #[arg(default = false)]
                include_loopback: bool,
                /// Only those of this network.
                cidr: Option<String>,
                /// Only `public` or `private` ones.
                #[arg(name = "type", one_of("public", "private"))]
                kind: Option<String>,
            } |it, cx| {
                let mut all =
                    addresses(cx, $grain, it.interface.as_deref(), it.include_loopback, it.cidr.as_deref())?;
                if let Some(kind) = &it.kind {
                    all.retain(|ip| is_private(ip) == (kind == "private"));
                }
                Ok(all.into())
            }
        }
    )+};
}

address_lists! {
    "network.ip_addrs" IpAddrs "ip4_interfaces";
    "network.ipaddrs" Ipaddrs "ip4_interfaces";
    "network.ip_addrs6" IpAddrs6 "ip6_interfaces";
    "network.ipaddrs6" Ipaddrs6 "ip6_interfaces";
}

fn is_private(ip: &str) -> bool {
    match ip.parse() {
        Ok(IpAddr::V4(ip)) => ip.is_private() || ip.is_link_local() || ip.is_loopback(),
        Ok(IpAddr::V6(ip)) => ip.is_unique_local() || ip.is_unicast_link_local() || ip.is_loopback(),
        Err(_) => false,
    }
}

/// Salt's shape: `{eth0: {up, hwaddr, inet: [{address, netmask?, label}], inet6: […]}}`.
fn interfaces(cx: &Context) -> Map {
    let (v4, v6) = (by_interface(cx, "ip4_interfaces"), by_interface(cx, "ip6_interfaces"));
    let hardware = cx.facts.grains.get("hwaddr_interfaces").and_then(Value::as_map);
    let mut names: Vec<&String> = v4.iter().chain(&v6).map(|(name, _)| name).collect();
    names.extend(hardware.into_iter().flatten().map(|(name, _)| name));
    names.sort();
    names.dedup();
    let list = |name: &str, all: &[(String, Vec<String>)], label: bool| {
        let texts = all.iter().find(|(n, _)| n == name).map(|(_, t)| t.clone()).unwrap_or_default();
        let entry = |text: String| {
            let (address, prefix) = text.split_once('/').unwrap_or((&text, ""));
            let mut entry = Map::from_iter([("address".to_owned(), Value::from(address))]);
            if !prefix.is_empty() {
                entry.insert("prefixlen".to_owned(), prefix.into());
            }
            if label {
                entry.insert("label".to_owned(), name.into());
            }
            Value::Map(entry)
        };
        texts.into_iter().map(entry).collect::<Vec<Value>>()
    };
    names
        .into_iter()
        .map(|name| {
            let inet = list(name, &v4, true);
            let inet6 = list(name, &v6, false);
            let mut entry =
                Map::from_iter([("up".to_owned(), Value::Bool(!inet.is_empty() || !inet6.is_empty()))]);
            if let Some(address) = hardware.and_then(|h| h.get(name)) {
                entry.insert("hwaddr".to_owned(), address.clone());
            }
            for (key, value) in [("inet", inet), ("inet6", inet6)] {
                if !value.is_empty() {
                    entry.insert(key.to_owned(), Value::List(value));
                }
            }
            (name.clone(), Value::Map(entry))
        })
        .collect()
}

exec! {
    /// All interfaces with their addresses.
    "network.interfaces" probe Interfaces {} |_, cx| Ok(interfaces(cx).into())
}

exec! {
    /// IPv4 addresses of an interface, as `network.interfaces` gives them.
    "network.interface" probe Interface {
        /// The interface.
        iface: String,
    } |it, cx| {
        let all = interfaces(cx);
        let one = all.get(&it.iface).ok_or_else(|| unknown(&it.iface, &all))?;
        Ok(one.lookup("inet", ':').cloned().unwrap_or(Value::List(Vec::new())))
    }
}

fn unknown(name: &str, all: &Map) -> String {
    let names: Vec<&str> = all.keys().map(String::as_str).collect();
    format!("there is no interface `{name}`; there are {}", names.join(", "))
}

exec! {
    /// The first IPv4 address of an interface.
    "network.interface_ip" probe InterfaceIp {
        /// The interface.
        iface: String,
    } |it, cx| {
        let all = interfaces(cx);
        let one = all.get(&it.iface).ok_or_else(|| unknown(&it.iface, &all))?;
        Ok(one.lookup("inet:0:address", ':').cloned().unwrap_or_else(|| "".into()))
    }
}

fn hardware(cx: &Context, name: &str) -> Value {
    let all = cx.facts.grains.get("hwaddr_interfaces");
    all.and_then(|all| all.lookup(name, '\0')).cloned().unwrap_or_else(|| "".into())
}

exec! {
    /// The hardware address of an interface.
    "network.hw_addr" probe HwAddr {
        /// The interface.
        iface: String,
    } |it, cx| Ok(hardware(cx, &it.iface))
}

exec! {
    /// The hardware address of an interface.
    "network.hwaddr" probe Hwaddr {
        /// The interface.
        iface: String,
    } |it, cx| Ok(hardware(cx, &it.iface))
}

exec! {
    /// The machine's name.
    "network.get_hostname" probe GetHostname {} |_, _| {
        Ok(rustix::system::uname().nodename().to_string_lossy().into_owned().into())
    }
}

exec! {
    /// The machine's full name.
    "network.get_fqdn" probe GetFqdn {} |_, cx| {
        Ok(cx.facts.grains.get("fqdn").cloned().unwrap_or_else(|| cx.facts.id.as_str().into()))
    }
}

exec! {
    /// Whether the machine has an address in a network.
    "network.in_subnet" probe InSubnet {
        /// The network.
        cidr: String,
        /// Addresses to look at instead of the machine's.
        addr: Vec<String>,
    } |it, cx| {
        let cidr = net(&it.cidr)?;
        let all = if it.addr.is_empty() { addresses(cx, "ip4_interfaces", None, true, None)? } else { it.addr.clone() };
        Ok(Value::Bool(all.iter().filter_map(|ip| ip.parse().ok()).any(|ip: IpAddr| cidr.contains(&ip))))
    }
}

exec! {
    /// Whether an address is private.
    "network.is_private" pure IsPrivate {
        /// The address.
        ip_addr: String,
    } |it, _| Ok(Value::Bool(is_private(&it.ip_addr)))
}

exec! {
    /// Whether an address means the machine itself.
    "network.is_loopback" pure IsLoopback {
        /// The address.
        ip_addr: String,
    } |it, _| Ok(Value::Bool(it.ip_addr.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())))
}

fn resolve(name: &str, v6: bool) -> Vec<String> {
    let found = (name, 0).to_socket_addrs().into_iter().flatten();
    let mut all: Vec<String> = found.filter(|a| a.is_ipv6() == v6).map(|a| a.ip().to_string()).collect();
    all.sort();
    all.dedup();
    all
}

exec! {
    /// IPv4 addresses of a host name.
    "dnsutil.A" probe DnsA {
        /// The name.
        host: String,
        /// The name server.
        #[arg(inert = "the machine's own resolver is asked")]
        nameserver: Option<String>,
    } |it, _| Ok(resolve(&it.host, false).into())
}

exec! {
    /// IPv6 addresses of a host name.
    "dnsutil.AAAA" probe DnsAaaa {
        /// The name.
        host: String,
        /// The name server.
        #[arg(inert = "the machine's own resolver is asked")]
        nameserver: Option<String>,
    } |it, _| Ok(resolve(&it.host, true).into())
}

exec! {
    /// Sends packets to a host; gives what `ping` prints, or whether an answer came.
    "network.ping" command Ping {
        /// The host.
        host: String,
        /// Seconds to wait.
        timeout: Option<f64>,
        /// Whether only true or false is given.
        #[arg(default = false)]
        return_boolean: bool,
    } |it, cx| {
        let wait = it.timeout.unwrap_or(5.0).clamp(1.0, 60.0).ceil().to_string();
        let mut command = crate::provider::tool::tool("ping", ["-c", "4", "-W", wait.as_str(), "--", it.host.as_str()]);
        command.timeout = Some(120.0);
        let output = crate::provider::tool::run(cx, command)?;
        Ok(if it.return_boolean { Value::Bool(output.success()) } else { output.stdout.into() })
    }
}

exec! {
    /// Networks of the machine's IPv4 addresses, where their prefixes are known.
    "network.subnets" probe Subnets {
        /// Only those of these interfaces.
        interfaces: Option<Vec<String>>,
    } |it, _| {
        let found = if_addrs::get_if_addrs().map_err(|e| format!("the interfaces could not be read: {e}"))?;
        let mut all: Vec<String> = found
            .iter()
            .filter(|i| !i.is_loopback() && it.interfaces.as_ref().is_none_or(|names| names.contains(&i.name)))
            .filter_map(|i| match &i.addr {
                if_addrs::IfAddr::V4(v4) => ipnet::Ipv4Net::new(v4.ip, v4.prefixlen).ok(),
                if_addrs::IfAddr::V6(_) => None,
            })
            .map(|net| net.trunc().to_string())
            .collect();
        all.sort();
        all.dedup();
        Ok(all.into())
    }
}

exec! {
    /// Gives the machine a name, at once and from its next start on, as `network.system` does.
    "network.mod_hostname" mutating ModHostname {
        /// The name.
        #[arg(ty = Type::Hostname)]
        hostname: String,
    } |it, cx| {
        let arguments = Map::from_iter([
            ("name".to_owned(), Value::from("hostname")),
            ("hostname".to_owned(), it.hostname.as_str().into()),
            ("apply_hostname".to_owned(), true.into()),
        ]);
        super::file_edit::edit::<crate::network::System>(cx, &arguments, false)?;
        Ok(Value::Bool(true))
    }
}

/// Adds the module's functions.
pub(super) fn register(library: &mut Library) {
    library
        .exec::<IpAddrs>()
        .exec::<Ipaddrs>()
        .exec::<IpAddrs6>()
        .exec::<Ipaddrs6>()
        .exec::<Interfaces>()
        .exec::<Interface>()
        .exec::<InterfaceIp>()
        .exec::<HwAddr>()
        .exec::<Hwaddr>()
        .exec::<GetHostname>()
        .exec::<GetFqdn>()
        .exec::<InSubnet>()
        .exec::<IsPrivate>()
        .exec::<IsLoopback>()
        .exec::<DnsA>()
        .exec::<DnsAaaa>()
        .exec::<Ping>()
        .exec::<Subnets>()
        .exec::<ModHostname>();
}
