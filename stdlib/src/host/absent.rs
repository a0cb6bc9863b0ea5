//! `host.absent`

use super::{check, edit};
use crate::{Context, Failure, Plan, State, change};
use zester_stdlib_derive::Arguments;

/// A name has no address in `/etc/hosts`, or has not this one.
///
/// ```yaml
/// old.example.com:
///   host.absent: []
/// ```
#[derive(Arguments)]
#[state("host.absent")]
pub(crate) struct Absent {
    /// The name, or several.
    #[arg(primary)]
    name: Vec<String>,
    /// The addresses it loses; all when none is given.
    #[arg(ty = Type::List(Box::new(Type::Ip)))]
    ip: Vec<String>,
}

impl State for Absent {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        self.name.iter().try_for_each(|name| check("a name", name))?;
        edit(cx, |table, changes| {
            for name in &self.name {
                let old = table.addresses(name);
                if self.ip.is_empty() {
                    table.remove(None, name);
                }
                self.ip.iter().for_each(|ip| table.remove(Some(ip), name));
                let new = table.addresses(name);
                if new != old {
                    changes.insert(name.clone(), change(old, new));
                }
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provider::fake::FakeMachine;

    #[test]
    fn a_name_loses_its_addresses() {
        let machine = FakeMachine::new();
        machine.files.put("/etc/hosts", "# x\n127.0.0.1 localhost db\n10.0.0.9 db\n10.0.0.8 db # far\n");
        let args = |json: &str| serde_json::from_str(json).unwrap();
        machine.converge::<Absent>(&args(r#"{"name": "db", "ip": "10.0.0.8"}"#)).unwrap();
        assert_eq!(machine.files.text("/etc/hosts"), "# x\n127.0.0.1 localhost db\n10.0.0.9 db\n");
        let outcome = machine.converge::<Absent>(&args(r#"{"name": ["db", "none"]}"#)).unwrap();
        assert_eq!(outcome.changes.len(), 1);
        assert_eq!(machine.files.text("/etc/hosts"), "# x\n127.0.0.1\tlocalhost\n");
    }
}
