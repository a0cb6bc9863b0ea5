//! `host.only`

use super::{check, check_address, edit};
use crate::{Context, Failure, Plan, State, change};
use zester_stdlib_derive::Arguments;

/// An address has these names in `/etc/hosts` and no others.
///
/// ```yaml
/// 127.0.1.1:
///   host.only:
///     - hostnames:
///         - web1.example.com
///         - web1
/// ```
#[derive(Arguments)]
#[state("host.only")]
pub(crate) struct Only {
    /// The address.
    #[arg(primary, ty = Type::Ip)]
    name: String,
    /// Its names, in order; with none its lines go.
    hostnames: Vec<String>,
}

impl State for Only {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        check_address(&self.name)?;
        // Salt takes several names in one text, too.
        let names: Vec<String> =
            self.hostnames.iter().flat_map(|names| names.split_whitespace()).map(str::to_owned).collect();
        names.iter().try_for_each(|name| check("a name", name))?;
        edit(cx, |table, changes| {
            let old = table.names(&self.name);
            if old != names {
                table.set(&self.name, &names);
                changes.insert(self.name.clone(), change(old, names));
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
    fn an_address_has_one_line() {
        let machine = FakeMachine::new();
        machine.files.put("/etc/hosts", "127.0.1.1 a\n::1 b\n127.0.1.1 c d\n");
        let args = |json: &str| serde_json::from_str(json).unwrap();
        machine.converge::<Only>(&args(r#"{"name": "127.0.1.1", "hostnames": ["w.x", "w"]}"#)).unwrap();
        assert_eq!(machine.files.text("/etc/hosts"), "127.0.1.1\tw.x w\n::1 b\n");
        machine.converge::<Only>(&args(r#"{"name": "127.0.1.1", "hostnames": []}"#)).unwrap();
        assert_eq!(machine.files.text("/etc/hosts"), "::1 b\n");
    }
}
