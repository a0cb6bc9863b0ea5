//! `firewalld.service`

use super::client::{Difference, Kind, act, ask, check_name, list};
use crate::{Changes, Context, Failure, Outcome, Plan, State, change};
use std::collections::BTreeSet;
use zester_stdlib_derive::Arguments;

const PORTS: Kind =
    Kind { name: "ports", list: "--get-ports", add: "--add-port", remove: "--remove-port", lines: false };
const PROTOCOLS: Kind = Kind {
    name: "protocols",
    list: "--get-protocols",
    add: "--add-protocol",
    remove: "--remove-protocol",
    lines: false,
};

/// A service that FirewallD's zones can let in exists, with these ports and protocols and no others.
///
/// ```yaml
/// zester-masters:
///   firewalld.service:
///     - ports: [4222/tcp, 8443/tcp]
/// ```
#[derive(Arguments)]
#[state("firewalld.service")]
pub(crate) struct Service {
    /// The service.
    #[arg(primary)]
    name: String,
    /// Its ports, as `8443/tcp`; as they are if nothing is said.
    ports: Option<Vec<String>>,
    /// Its protocols, as `gre`; as they are if nothing is said.
    protocols: Option<Vec<String>>,
}

impl State for Service {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        check_name("service", &self.name)?;
        let of = format!("--service={}", self.name);
        let all = ask(cx, "--permanent --get-services", &[])?;
        let there = all.split_whitespace().any(|service| service == self.name);
        let mut changes = Changes::new();
        if !there {
            changes.insert(self.name.clone(), change((), "a service"));
        }
        let mut differences = Vec::new();
        for (kind, wanted) in [(PORTS, &self.ports), (PROTOCOLS, &self.protocols)] {
            let Some(wanted) = wanted else { continue };
            let have = if there { list(cx, &of, kind)? } else { BTreeSet::new() };
            let difference = Difference::of(kind, &have, wanted, true);
            difference.note(&have, &mut changes);
            differences.push(difference);
        }
        if changes.is_empty() {
            return Ok(Plan::unchanged(format!("the service `{}` is as it should be", self.name)));
        }
        Ok(Plan::change(changes, format!("the service `{}` is set", self.name), move |cx| {
            if !there {
                act(cx, "--permanent", &[format!("--new-service={}", self.name)])?;
            }
            for difference in &differences {
                difference.apply(cx, &of)?;
            }
            act(cx, "--reload", &[])?;
            Ok(Outcome::default())
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::{super::client::tests::machine, *};
    use zester_compiler::types::Value;

    #[test]
    fn it_has_these_ports_and_no_others() {
        let machine = machine();
        let args = |json: &str| serde_json::from_str(json).unwrap();
        let moved = machine.converge::<Service>(&args(r#"{"name": "ssh", "ports": ["2222/tcp"]}"#)).unwrap();
        let list = |names: &[&str]| Value::List(names.iter().map(|n| Value::from(*n)).collect());
        assert_eq!(moved.changes["ports"], change(list(&["22/tcp"]), list(&["2222/tcp"])));
        let new = args(r#"{"name": "tunnel", "ports": ["1/udp", "1/udp"], "protocols": ["gre"]}"#);
        let new = machine.converge::<Service>(&new).unwrap().changes;
        assert_eq!(new.keys().collect::<Vec<_>>(), ["tunnel", "ports", "protocols"]);
        assert!(machine.converge::<Service>(&args(r#"{"name": "ssh"}"#)).unwrap().changes.is_empty());
    }
}
