//! `firewalld.present`

use super::client::{Difference, Kind, act, ask, check_name, holds, list};
use crate::{Changes, Context, Failure, Outcome, Plan, State, change};
use std::collections::BTreeSet;
use zester_stdlib_derive::Arguments;

const fn kind(
    name: &'static str,
    list: &'static str,
    add: &'static str,
    remove: &'static str,
    lines: bool,
) -> Kind {
    Kind { name, list, add, remove, lines }
}

const ICMP: Kind = kind("icmp_types", "--list-icmp-blocks", "--add-icmp-block", "--remove-icmp-block", false);
const SERVICES: Kind = kind("services", "--list-services", "--add-service", "--remove-service", false);
const PORTS: Kind = kind("ports", "--list-ports", "--add-port", "--remove-port", false);
const FORWARDS: Kind =
    kind("port_fwd", "--list-forward-ports", "--add-forward-port", "--remove-forward-port", true);
// An interface or a source may be in another zone, where it is to leave.
const INTERFACES: Kind =
    kind("interfaces", "--list-interfaces", "--change-interface", "--remove-interface", false);
const SOURCES: Kind = kind("sources", "--list-sources", "--change-source", "--remove-source", false);
const RULES: Kind = kind("rich_rules", "--list-rich-rules", "--add-rich-rule", "--remove-rich-rule", true);

/// A zone of FirewallD exists, and has what is named. What else it has stays, unless it is pruned.
///
/// ```yaml
/// public:
///   firewalld.present:
///     - services: [ssh, https]
///     - ports: [8080/tcp]
///     - masquerade: true
///     - prune_services: true
/// ```
#[derive(Arguments)]
#[state("firewalld.present")]
pub(crate) struct Present {
    /// The zone.
    #[arg(primary)]
    name: String,
    /// Whether interfaces that no zone names are in it.
    #[arg(default = false)]
    default: bool,
    /// Whether it hides the addresses behind it; as it is if nothing is said.
    masquerade: Option<bool>,
    /// Kinds of ICMP messages that it blocks.
    block_icmp: Vec<String>,
    /// Whether it blocks no others.
    #[arg(default = false)]
    prune_block_icmp: bool,
    /// Services that it lets in.
    services: Vec<String>,
    /// Whether it lets no others in.
    #[arg(default = false)]
    prune_services: bool,
    /// Ports that it lets in, as `8080/tcp` or `6000-6010/udp`.
    ports: Vec<String>,
    /// Whether it lets no others in.
    #[arg(default = false)]
    prune_ports: bool,
    /// Ports that it forwards: `80:8080:tcp`, with an address behind a further colon where it is another machine's.
    port_fwd: Vec<String>,
    /// Whether it forwards no others.
    #[arg(default = false)]
    prune_port_fwd: bool,
    /// Interfaces that are in it.
    interfaces: Vec<String>,
    /// Whether no others are.
    #[arg(default = false)]
    prune_interfaces: bool,
    /// Addresses and networks whose packets are in it.
    sources: Vec<String>,
    /// Whether no others' are.
    #[arg(default = false)]
    prune_sources: bool,
    /// Rules in the daemon's rich language.
    rich_rules: Vec<String>,
    /// Whether it has no others.
    #[arg(default = false)]
    prune_rich_rules: bool,
}

/// `80:8080:tcp:10.0.0.1` as the daemon writes it.
fn forward(text: &str) -> Result<String, Failure> {
    let parts: Vec<&str> = text.splitn(4, ':').collect();
    match parts.as_slice() {
        [from, to, protocol, rest @ ..] if [from, to, protocol].iter().all(|p| !p.is_empty()) => {
            let address = rest.first().copied().unwrap_or_default();
            Ok(format!("port={from}:proto={protocol}:toport={to}:toaddr={address}"))
        }
        _ => Err(Failure::new(format!(
            "`{text}` is no forwarded port; write port, port there and protocol, as `80:8080:tcp`"
        ))),
    }
}

impl Present {
    /// What it is to have, by kind, and whether it has no others.
    fn wanted(&self) -> Result<Vec<(Kind, Vec<String>, bool)>, Failure> {
        let forwards = self.port_fwd.iter().map(|text| forward(text)).collect::<Result<_, _>>()?;
        Ok(vec![
            (ICMP, self.block_icmp.clone(), self.prune_block_icmp),
            (SERVICES, self.services.clone(), self.prune_services),
            (PORTS, self.ports.clone(), self.prune_ports),
            (FORWARDS, forwards, self.prune_port_fwd),
            (INTERFACES, self.interfaces.clone(), self.prune_interfaces),
            (SOURCES, self.sources.clone(), self.prune_sources),
            (RULES, self.rich_rules.clone(), self.prune_rich_rules),
        ])
    }
}

impl State for Present {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        check_name("zone", &self.name)?;
        let of = format!("--zone={}", self.name);
        let there = ask(cx, "--permanent --get-zones", &[])?.split_whitespace().any(|z| z == self.name);
        let mut changes = Changes::new();
        if !there {
            changes.insert(self.name.clone(), change((), "a zone"));
        }
        let mut differences = Vec::new();
        for (kind, wanted, prune) in self.wanted()? {
            if wanted.is_empty() && !prune {
                continue;
            }
            let have = if there { list(cx, &of, kind)? } else { BTreeSet::new() };
            let difference = Difference::of(kind, &have, &wanted, prune);
            difference.note(&have, &mut changes);
            differences.push(difference);
        }
        let hides = there
            && self.masquerade.is_some()
            && holds(cx, "--permanent", &[of.clone(), "--query-masquerade".to_owned()])?;
        let hide = self.masquerade.filter(|wanted| *wanted != hides);
        if let Some(wanted) = hide {
            changes.insert("masquerade".to_owned(), change(hides, wanted));
        }
        let permanent = !changes.is_empty();
        let old =
            if self.default { Some(ask(cx, "--get-default-zone", &[])?.trim().to_owned()) } else { None };
        let old = old.filter(|zone| *zone != self.name);
        if let Some(zone) = &old {
            changes.insert("default".to_owned(), change(zone.as_str(), self.name.as_str()));
        }
        if changes.is_empty() {
            return Ok(Plan::unchanged(format!("the zone `{}` is as it should be", self.name)));
        }
        let becomes_default = old.is_some();
        Ok(Plan::change(changes, format!("the zone `{}` is set", self.name), move |cx| {
            if !there {
                act(cx, "--permanent", &[format!("--new-zone={}", self.name)])?;
            }
            for difference in &differences {
                difference.apply(cx, &of)?;
            }
            if let Some(wanted) = hide {
                let option = if wanted { "--add-masquerade" } else { "--remove-masquerade" };
                act(cx, "--permanent", &[of.clone(), option.to_owned()])?;
            }
            // What is permanent is in force after this.
            if permanent {
                act(cx, "--reload", &[])?;
            }
            if becomes_default {
                act(cx, &format!("--set-default-zone={}", self.name), &[])?;
            }
            Ok(Outcome::default())
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::client::tests::machine, *};
    use crate::provider::fake::FakeMachine;
    use zester_compiler::types::{Arguments, Value};

    #[test]
    fn a_zone_with_all_that_it_has() {
        let machine = machine();
        let args = |json: &str| serde_json::from_str(json).unwrap();
        let all = args(
            r#"{"name": "edge", "default": true, "masquerade": true, "services": ["https", "ssh"], "ports": ["8080/tcp"],
                "port_fwd": ["80:8080:tcp", "443:8443:tcp:10.0.0.1"], "interfaces": ["eth0"], "sources": ["10.0.0.0/8"],
                "block_icmp": ["echo-request"], "rich_rules": ["rule family=\"ipv4\" drop"]}"#,
        );
        let changes = machine.converge::<Present>(&all).unwrap().changes;
        assert_eq!(changes["default"], change("public", "edge"));
        assert_eq!(changes["masquerade"], change(false, true));
        let forwards = vec![
            "port=443:proto=tcp:toport=8443:toaddr=10.0.0.1".to_owned(),
            "port=80:proto=tcp:toport=8080:toaddr=".to_owned(),
        ];
        assert_eq!(changes["port_fwd"], change(Vec::<String>::new(), forwards));
        let lines = machine.commands.lines();
        assert_eq!(lines.iter().filter(|line| line.ends_with("--reload")).count(), 1);
        assert!(lines.contains(&"firewall-cmd --permanent --zone=edge --change-interface=eth0".to_owned()));
    }

    #[test]
    fn others_stay_unless_they_are_pruned() {
        let machine = machine();
        let args = |json: &str| serde_json::from_str(json).unwrap();
        let added =
            machine.converge::<Present>(&args(r#"{"name": "public", "services": ["http"]}"#)).unwrap();
        let list = |names: &[&str]| Value::List(names.iter().map(|n| Value::from(*n)).collect());
        assert_eq!(added.changes["services"], change(list(&["ssh"]), list(&["http", "ssh"])));
        let pruned = args(r#"{"name": "public", "services": ["http"], "prune_services": true}"#);
        let pruned = machine.converge::<Present>(&pruned).unwrap();
        assert_eq!(pruned.changes["services"], change(list(&["http", "ssh"]), list(&["http"])));
    }

    #[test]
    fn what_is_wrong_is_told() {
        let message = |machine: &FakeMachine, json: &str| {
            let args = serde_json::from_str(json).unwrap();
            machine.converge::<Present>(&args).unwrap_err().message
        };
        let machine = machine();
        assert!(message(&machine, r#"{"name": "a b"}"#).contains("not the name of a zone"));
        assert!(
            message(&machine, r#"{"name": "public", "port_fwd": ["80:8080"]}"#).contains("`80:8080:tcp`")
        );
        let unknown = message(&machine, r#"{"name": "public", "services": ["nonsense"]}"#);
        assert!(unknown.ends_with("exited with 101: Error: INVALID_SERVICE: nonsense"), "{unknown}");
        let bare = FakeMachine::new();
        bare.commands.without("firewall-cmd");
        let args = serde_json::from_str(r#"{"name": "public"}"#).unwrap();
        let state = Present::from_values(&args).unwrap();
        let failure = state.plan(&bare.context()).err().unwrap();
        assert!(failure.message.contains("install `firewalld`"), "{}", failure.message);
        // A package of the run may bring it.
        let test = Context { test: true, ..bare.context() };
        assert!(state.plan(&test).unwrap().apply.is_some());
    }
}
