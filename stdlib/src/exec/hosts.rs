//! `hosts.*`: the file of hosts.

use crate::{Failure, Library, host};
use zester_compiler::types::{Map, Value};

fn words(failure: Failure) -> String {
    failure.message
}

exec! {
    /// Addresses of the file of hosts, with their names.
    "hosts.list_hosts" probe ListHosts {} |_, cx| {
        let table = host::read(cx).map_err(words)?;
        Ok(Value::Map(table.addresses_with_names().into_iter().map(|(address, names)| {
            (address, Value::Map(Map::from_iter([("aliases".to_owned(), names.into())])))
        }).collect()))
    }
}

exec! {
    /// The first address of a name in the file of hosts; empty when it is not there.
    "hosts.get_ip" probe GetIp {
        /// The name.
        host: String,
    } |it, cx| {
        let found = host::read(cx).map_err(words)?.addresses(&it.host).into_iter().next();
        Ok(found.unwrap_or_default().into())
    }
}

exec! {
    /// Names of an address in the file of hosts.
    "hosts.get_alias" probe GetAlias {
        /// The address.
        ip: String,
    } |it, cx| Ok(host::read(cx).map_err(words)?.names(&it.ip).into())
}

exec! {
    /// Whether an address has a name, or all of several, in the file of hosts.
    "hosts.has_pair" probe HasPair {
        /// The address.
        ip: String,
        /// The names.
        alias: Vec<String>,
    } |it, cx| {
        let names = host::read(cx).map_err(words)?.names(&it.ip);
        Ok(Value::Bool(it.alias.iter().all(|name| names.contains(name))))
    }
}

/// Adds the module's functions.
pub(super) fn register(library: &mut Library) {
    library.exec::<ListHosts>().exec::<GetIp>().exec::<GetAlias>().exec::<HasPair>();
}

#[cfg(test)]
mod tests {
    use crate::{exec::tests::gives, provider::fake::FakeMachine};

    #[test]
    fn names_and_addresses() {
        let machine = FakeMachine::new();
        machine.files.put("/etc/hosts", "127.0.0.1 localhost\n10.0.0.1 web www # note\n");
        gives(&machine, "hosts.get_ip", r#"["www"]"#, r#""10.0.0.1""#);
        gives(&machine, "hosts.get_ip", r#"["gone"]"#, r#""""#);
        gives(&machine, "hosts.has_pair", r#"["10.0.0.1", "web"]"#, "true");
        gives(&machine, "hosts.get_alias", r#"["10.0.0.1"]"#, r#"["web", "www"]"#);
    }
}
