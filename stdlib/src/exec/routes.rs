//! `network.*` functions about where packets go: routes, neighbours, connections, and arithmetic of networks.

use crate::{Context, Library, provider::files};
use ipnet::IpNet;
use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpStream, ToSocketAddrs},
    time::Duration,
};
use zester_compiler::types::{Map, Value};

/// An address as the kernel writes it: the bytes of each group of four from the last to the first.
fn address(digits: &str) -> Option<IpAddr> {
    let group = |at: usize| Some(u32::from_str_radix(digits.get(at..at + 8)?, 16).ok()?.swap_bytes());
    match digits.len() {
        8 => Some(IpAddr::V4(Ipv4Addr::from(group(0)?))),
        32 => {
            let groups = [group(0)?, group(8)?, group(16)?, group(24)?];
            Some(IpAddr::V6(Ipv6Addr::from(groups.iter().fold(0_u128, |sum, g| sum << 32 | u128::from(*g)))))
        }
        _ => None,
    }
}

/// Letters of a route's flags, as `route` prints them.
fn letters(flags: u32) -> String {
    [(1, 'U'), (2, 'G'), (4, 'H'), (0x10, 'D'), (0x20, 'M'), (0x200, '!')]
        .iter()
        .filter(|(bit, _)| flags & bit != 0)
        .map(|(_, letter)| *letter)
        .collect()
}

fn route(family: &str, to: &str, mask: &str, gateway: &str, flags: u32, interface: &str) -> Value {
    Value::Map(Map::from_iter([
        ("addr_family".to_owned(), Value::from(family)),
        ("destination".to_owned(), to.into()),
        ("netmask".to_owned(), mask.into()),
        ("gateway".to_owned(), gateway.into()),
        ("flags".to_owned(), letters(flags).into()),
        ("interface".to_owned(), interface.into()),
    ]))
}

/// Routes of the kernel's main table, of one family or both.
fn routes(cx: &Context, family: Option<&str>) -> Result<Vec<Value>, String> {
    let mut all = Vec::new();
    if family != Some("inet6") {
        let text = files::text(cx, "/proc/net/route")?.unwrap_or_default();
        for line in text.lines().skip(1) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [interface, to, gateway, flags, _, _, _, mask, ..] = words.as_slice() else { continue };
            let (Some(to), Some(gateway), Some(mask)) = (address(to), address(gateway), address(mask)) else {
                continue;
            };
            let flags = u32::from_str_radix(flags, 16).unwrap_or_default();
            all.push(route(
                "inet",
                &to.to_string(),
                &mask.to_string(),
                &gateway.to_string(),
                flags,
                interface,
            ));
        }
    }
    if family != Some("inet") {
        let text = files::text(cx, "/proc/net/ipv6_route")?.unwrap_or_default();
        for line in text.lines() {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [to, prefix, _, _, gateway, _, _, _, flags, interface] = words.as_slice() else { continue };
            // Here the bytes stand in their order.
            let plain = |digits: &str| u128::from_str_radix(digits, 16).map(Ipv6Addr::from);
            let (Ok(to), Ok(gateway)) = (plain(to), plain(gateway)) else { continue };
            let prefix = u8::from_str_radix(prefix, 16).unwrap_or_default();
            let flags = u32::from_str_radix(flags, 16).unwrap_or_default();
            all.push(route("inet6", &format!("{to}/{prefix}"), "", &gateway.to_string(), flags, interface));
        }
    }
    Ok(all)
}

exec! {
    /// Routes of the kernel: destination, netmask, gateway, flags and interface.
    "network.routes" probe Routes {
        /// Only of this family.
        #[arg(one_of("inet", "inet6"))]
        family: Option<String>,
    } |it, cx| Ok(Value::List(routes(cx, it.family.as_deref())?))
}

exec! {
    /// Routes that packets take for which there is no other.
    "network.default_route" probe DefaultRoute {
        /// Only of this family.
        #[arg(one_of("inet", "inet6"))]
        family: Option<String>,
    } |it, cx| {
        let mut all = routes(cx, it.family.as_deref())?;
        let text = |route: &Value, name: &str| route.lookup(name, ':').map(ToString::to_string).unwrap_or_default();
        all.retain(|route| {
            let everything = matches!(text(route, "destination").as_str(), "0.0.0.0" | "::/0");
            // The kernel refuses what no other route takes by one to everything on the loopback interface.
            everything && text(route, "interface") != "lo" && !text(route, "netmask").starts_with("255")
        });
        Ok(Value::List(all))
    }
}

exec! {
    /// Addresses of neighbours by their hardware addresses.
    "network.arp" probe Arp {} |_, cx| {
        let text = files::text(cx, "/proc/net/arp")?.unwrap_or_default();
        let mut all = Map::new();
        for line in text.lines().skip(1) {
            let words: Vec<&str> = line.split_whitespace().collect();
            if let [ip, _, _, hardware, ..] = words.as_slice()
                && *hardware != "00:00:00:00:00:00"
            {
                all.insert((*hardware).to_owned(), (*ip).into());
            }
        }
        Ok(all.into())
    }
}

/// Names of the kernel's states of a TCP connection, from 1 on.
const STATES: [&str; 12] = [
    "ESTABLISHED",
    "SYN_SENT",
    "SYN_RECV",
    "FIN_WAIT1",
    "FIN_WAIT2",
    "TIME_WAIT",
    "CLOSE",
    "CLOSE_WAIT",
    "LAST_ACK",
    "LISTEN",
    "CLOSING",
    "NEW_SYN_RECV",
];

fn endpoint(text: &str) -> Option<String> {
    let (ip, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    Some(match address(ip)? {
        IpAddr::V4(ip) => format!("{ip}:{port}"),
        IpAddr::V6(ip) => format!("[{ip}]:{port}"),
    })
}

fn sockets(cx: &Context, protocol: &str) -> Result<Vec<Value>, String> {
    let text = files::text(cx, &format!("/proc/net/{protocol}"))?.unwrap_or_default();
    let socket = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [_, local, remote, state, queues, _, _, uid, _, inode, ..] = words.as_slice() else {
            return None;
        };
        let (send, receive) = queues.split_once(':')?;
        let queue = |digits: &str| u64::from_str_radix(digits, 16).unwrap_or_default().to_string();
        let mut entry = Map::from_iter([
            ("proto".to_owned(), Value::from(protocol)),
            ("recv-q".to_owned(), queue(receive).into()),
            ("send-q".to_owned(), queue(send).into()),
            ("local-address".to_owned(), endpoint(local)?.into()),
            ("remote-address".to_owned(), endpoint(remote)?.into()),
            ("user".to_owned(), (*uid).into()),
            ("inode".to_owned(), (*inode).into()),
        ]);
        if protocol.starts_with("tcp") {
            let number = usize::from_str_radix(state, 16).ok()?;
            entry.insert("state".to_owned(), (*STATES.get(number.checked_sub(1)?)?).into());
        }
        Some(Value::Map(entry))
    };
    Ok(text.lines().skip(1).filter_map(socket).collect())
}

exec! {
    /// Sockets of TCP and UDP: addresses, state, and the number of the user whose they are.
    "network.netstat" probe Netstat {} |_, cx| {
        let mut all = Vec::new();
        for protocol in ["tcp", "tcp6", "udp", "udp6"] {
            all.extend(sockets(cx, protocol)?);
        }
        Ok(Value::List(all))
    }
}

exec! {
    /// Whether a TCP connection to a host is taken.
    "network.connect" command Connect {
        /// The host.
        host: String,
        /// The port.
        port: u16,
        /// Seconds to wait.
        #[arg(default = 5.0)]
        timeout: f64,
        /// Only of this family.
        #[arg(one_of("ipv4", "ipv6"))]
        family: Option<String>,
    } |it, _| {
        let wait = Duration::from_secs_f64(it.timeout.clamp(0.1, 60.0));
        let v6 = it.family.as_deref().map(|family| family == "ipv6");
        let mut why = format!("`{}` has no address", it.host);
        for to in (it.host.as_str(), it.port).to_socket_addrs().into_iter().flatten() {
            if v6.is_some_and(|v6| v6 != to.is_ipv6()) {
                continue;
            }
            match TcpStream::connect_timeout(&to, wait) {
                Ok(_) => return Ok(answer(true, format!("Successfully connected to {} ({to}) on tcp port {}", it.host, it.port))),
                Err(e) => why = e.to_string(),
            }
        }
        Ok(answer(false, format!("Unable to connect to {} on tcp port {}: {why}", it.host, it.port)))
    }
}

fn answer(result: bool, comment: String) -> Value {
    Value::Map(Map::from_iter([("result".to_owned(), result.into()), ("comment".to_owned(), comment.into())]))
}

/// A network from an address and a netmask; of an address with its own prefix from that alone.
fn network(address: &str, netmask: Option<&str>) -> Result<IpNet, String> {
    let odd = |what: &str, text: &str| format!("`{text}` is not {what}");
    if address.contains('/') {
        return address.parse().map_err(|_| odd("a network such as 10.0.0.1/8", address));
    }
    let ip: IpAddr = address.parse().map_err(|_| odd("an address", address))?;
    let Some(netmask) = netmask else { return Ok(IpNet::from(ip)) };
    let prefix = match netmask.parse::<IpAddr>() {
        Ok(mask) => ipnet::ip_mask_to_prefix(mask).ok(),
        Err(_) => netmask.trim_start_matches('/').parse().ok(),
    };
    prefix
        .and_then(|prefix| IpNet::new(ip, prefix).ok())
        .ok_or_else(|| odd("a netmask such as 255.255.0.0 or 16", netmask))
}

exec! {
    /// The network of an address: `192.0.2.0/24`.
    "network.calc_net" pure CalcNet {
        /// The address, also with its prefix (`192.0.2.7/24`).
        ip_addr: String,
        /// The netmask: `255.255.255.0` or `24`.
        netmask: Option<String>,
    } |it, _| Ok(network(&it.ip_addr, it.netmask.as_deref())?.trunc().to_string().into())
}

exec! {
    /// Address and netmask of a network that is written with a prefix.
    "network.convert_cidr" pure ConvertCidr {
        /// The network.
        cidr: String,
    } |it, _| {
        let net = network(&it.cidr, None)?;
        Ok(Value::Map(Map::from_iter([
            ("network".to_owned(), Value::from(net.network().to_string())),
            ("netmask".to_owned(), net.netmask().to_string().into()),
            ("broadcast".to_owned(), net.broadcast().to_string().into()),
        ])))
    }
}

exec! {
    /// Whether an address lies in a network.
    "network.ip_in_subnet" pure IpInSubnet {
        /// The address.
        ip_addr: String,
        /// The network.
        cidr: String,
    } |it, _| {
        let ip: IpAddr = it.ip_addr.parse().map_err(|_| format!("`{}` is not an address", it.ip_addr))?;
        Ok(Value::Bool(network(&it.cidr, None)?.contains(&ip)))
    }
}

exec! {
    /// The name under which an address is looked up in the DNS.
    "network.reverse_ip" pure ReverseIp {
        /// The address.
        ip_addr: String,
    } |it, _| {
        let ip: IpAddr = it.ip_addr.parse().map_err(|_| format!("`{}` is not an address", it.ip_addr))?;
        Ok(match ip {
            IpAddr::V4(ip) => {
                let parts: Vec<String> = ip.octets().iter().rev().map(ToString::to_string).collect();
                format!("{}.in-addr.arpa", parts.join("."))
            }
            IpAddr::V6(ip) => {
                let digits = format!("{:032x}", u128::from(ip));
                let parts: Vec<String> = digits.chars().rev().map(String::from).collect();
                format!("{}.ip6.arpa", parts.join("."))
            }
        }.into())
    }
}

/// Adds the module's functions.
pub(super) fn register(library: &mut Library) {
    library
        .exec::<Routes>()
        .exec::<DefaultRoute>()
        .exec::<Arp>()
        .exec::<Netstat>()
        .exec::<Connect>()
        .exec::<CalcNet>()
        .exec::<ConvertCidr>()
        .exec::<IpInSubnet>()
        .exec::<ReverseIp>();
}

#[cfg(test)]
mod tests {
    use crate::{
        exec::tests::{call, gives},
        provider::fake::FakeMachine,
    };

    #[test]
    fn the_kernels_tables() {
        let machine = FakeMachine::new();
        let routes = "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n\
            eth0 00000000 0102000A 0003 0 0 0 00000000 0 0 0\neth0 0002000A 00000000 0001 0 0 0 00FFFFFF 0 0 0\n";
        machine.files.put("/proc/net/route", routes);
        let zero = "0".repeat(32);
        let refused = format!("{zero} 00 {zero} 00 {zero} ffffffff 00000001 00000000 00200200 lo\n");
        machine.files.put("/proc/net/ipv6_route", &refused);
        gives(
            &machine,
            "network.default_route",
            "[]",
            r#"[{"addr_family": "inet", "destination": "0.0.0.0", "netmask": "0.0.0.0", "gateway": "10.0.2.1",
                "flags": "UG", "interface": "eth0"}]"#,
        );
        let inet = call(&machine, "network.routes", r#"["inet"]"#, "{}").unwrap();
        assert_eq!(inet.lookup("1:netmask", ':').and_then(|v| v.as_str()), Some("255.255.255.0"));
        machine.files.put("/proc/net/arp", "IP HW\n10.0.2.2 0x1 0x2 52:55:0a:00:02:02 * eth0\n");
        gives(&machine, "network.arp", "[]", r#"{"52:55:0a:00:02:02": "10.0.2.2"}"#);
        let tcp = "sl\n 0: 0100007F:0016 00000000:0000 0A 00000001:00000002 00:0 0 1000 0 77 1\n";
        machine.files.put("/proc/net/tcp", tcp);
        let loopback = "00000000000000000000000001000000";
        machine
            .files
            .put("/proc/net/udp6", format!("sl\n 0: {loopback}:0035 {zero}:0000 07 0:0 00:0 0 0 0 5 1\n"));
        let all = call(&machine, "network.netstat", "[]", "{}").unwrap();
        let text = |path: &str| all.lookup(path, '/').map(ToString::to_string);
        assert_eq!(text("0/local-address").as_deref(), Some("127.0.0.1:22"));
        assert_eq!(text("0/state").as_deref(), Some("LISTEN"));
        assert_eq!((text("0/send-q").as_deref(), text("0/recv-q").as_deref()), (Some("1"), Some("2")));
        assert_eq!(text("1/local-address").as_deref(), Some("[::1]:53"));
    }

    #[test]
    fn arithmetic() {
        let machine = FakeMachine::new();
        gives(&machine, "network.calc_net", r#"["172.17.0.5", "255.255.255.240"]"#, r#""172.17.0.0/28""#);
        gives(&machine, "network.calc_net", r#"["2a02:f6e::1/64"]"#, r#""2a02:f6e::/64""#);
        gives(&machine, "network.ip_in_subnet", r#"["10.1.2.3", "10.0.0.0/8"]"#, "true");
        gives(&machine, "network.reverse_ip", r#"["127.0.0.1"]"#, r#""1.0.0.127.in-addr.arpa""#);
        let odd = call(&machine, "network.calc_net", r#"["10.0.0.1", "255.0.255.0"]"#, "{}").unwrap_err();
        assert!(odd.contains("not a netmask"), "{odd}");
    }
}
