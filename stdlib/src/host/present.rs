//! `host.present`

use super::{check, check_address, edit};
use crate::{Context, Failure, Plan, State, change};
use zester_stdlib_derive::Arguments;

/// A name has an address in `/etc/hosts`.
///
/// ```yaml
/// db.example.com:
///   host.present:
///     - ip: 10.0.0.5
/// ```
#[derive(Arguments)]
#[state("host.present")]
pub(crate) struct Present {
    /// The name.
    #[arg(primary)]
    name: String,
    /// Its address, or several.
    #[arg(ty = Type::List(Box::new(Type::Ip)))]
    ip: Vec<String>,
    /// A remark behind the line.
    comment: Option<String>,
    /// Whether the name loses its other addresses.
    #[arg(default = false)]
    clean: bool,
}

impl State for Present {
    fn plan(&self, cx: &Context) -> Result<Plan<'_>, Failure> {
        check("a name", &self.name)?;
        if self.ip.is_empty() {
            return Err(Failure::new(format!("`ip` is missing: the address of `{}`", self.name)));
        }
        self.ip.iter().try_for_each(|ip| check_address(ip))?;
        let comment = self.comment.as_deref().map(str::trim).filter(|c| !c.is_empty());
        if comment.is_some_and(|c| c.contains('\n')) {
            return Err(Failure::new("`comment` stands behind a line, so it cannot have a line break"));
        }
        edit(cx, |table, changes| {
            let old = table.addresses(&self.name);
            for ip in &self.ip {
                if !old.contains(ip) {
                    table.add(ip, &self.name);
                }
            }
            if self.clean {
                for other in old.iter().filter(|ip| !self.ip.contains(ip)) {
                    table.remove(Some(other), &self.name);
                }
            }
            let new = table.addresses(&self.name);
            if new != old {
                changes.insert("ip".to_owned(), change(old, new));
            }
            for ip in &self.ip {
                let old = table.comment(ip);
                if let Some(comment) = comment.filter(|c| old.as_deref() != Some(*c)) {
                    table.set_comment(ip, comment);
                    changes.insert(format!("comment of {ip}"), change(old, comment));
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
    fn a_name_gets_its_address_and_loses_others() {
        let machine = FakeMachine::new();
        machine.files.put("/etc/hosts", "127.0.0.1 localhost db\n10.0.0.9 old\n");
        let args = |json: &str| serde_json::from_str(json).unwrap();
        let json = r#"{"name": "db", "ip": ["10.0.0.9"], "clean": true, "comment": "ours"}"#;
        let outcome = machine.converge::<Present>(&args(json)).unwrap();
        assert_eq!(outcome.changes["ip"], change(vec!["127.0.0.1"], vec!["10.0.0.9"]));
        assert_eq!(machine.files.text("/etc/hosts"), "127.0.0.1\tlocalhost\n10.0.0.9\told db\t# ours\n");
        let both = args(r#"{"name": "web", "ip": ["10.0.0.1", "::1"]}"#);
        machine.converge::<Present>(&both).unwrap();
        assert!(machine.files.text("/etc/hosts").ends_with("10.0.0.1\tweb\n::1\tweb\n"));
        let odd = machine.converge::<Present>(&args(r#"{"name": "x", "ip": "10.0.0.256"}"#)).unwrap_err();
        assert_eq!(odd.message, "`10.0.0.256` is not an IP address");
    }
}
