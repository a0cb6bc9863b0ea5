//! Facts of this machine, from `/proc`, `/sys`, `/etc` and the kernel. No program is run for the built-in ones.
//!
//! Every apply starts with this, so it reads small files only and asks nobody on the network.

mod cpu;
pub mod custom;
mod disk;
mod hardware;
mod inspection;
mod memory;
mod network;
mod os;
mod system;
#[cfg(test)]
mod tests;
mod virtualization;

pub use custom::{CustomFacts, collect_custom};
pub use inspection::{Address, Inspection, Uname};

use zester_compiler::types::{Facts, Map, Value};

/// The version of the protocol between peels and masters.
const PROTOCOL_VERSION: i64 = 1;

/// The version of Salt whose behaviour trees can rely on.
const SALT_VERSION: (&str, [i64; 2]) = ("3007.1", [3007, 1]);

/// The facts of an inspected machine. Without an id the peel is named by its full host name.
pub fn collect(id: Option<&str>, inspection: &Inspection) -> Facts {
    let mut collected = Collected::default();
    os::collect(inspection, &mut collected);
    cpu::collect(inspection, &mut collected);
    memory::collect(inspection, &mut collected);
    disk::collect(inspection, &mut collected);
    network::collect(inspection, &mut collected);
    system::collect(inspection, &mut collected);
    hardware::collect(inspection, &mut collected);
    virtualization::collect(inspection, &mut collected);
    collected.fact("zester_version", env!("CARGO_PKG_VERSION"));
    collected.fact("protocol_version", PROTOCOL_VERSION);
    collected.grain("saltversion", SALT_VERSION.0);
    collected.grain("saltversioninfo", SALT_VERSION.1.to_vec());
    collected.grain("zmqversion", "");
    collected.grain("master", "");
    let id = id.map(str::to_owned).unwrap_or_else(|| {
        let fqdn = collected.text("network", "fqdn").unwrap_or_default();
        if fqdn.is_empty() { "localhost".to_owned() } else { fqdn }
    });
    collected.grain("server_id", server_id(&id));
    Facts::collected(id, collected.values, collected.grains)
}

/// The facts of the machine this runs on.
pub fn collect_here(id: Option<&str>) -> Facts {
    collect(id, &Inspection::live())
}

/// A stable positive number of 31 bits.
fn server_id(id: &str) -> i64 {
    use sha2::Digest;
    let digest = sha2::Sha256::digest(id.as_bytes());
    let number = digest.iter().take(4).fold(0u32, |number, byte| (number << 8) | u32::from(*byte));
    i64::from(number & 0x7fff_ffff)
}

/// What the collectors found.
#[derive(Default)]
struct Collected {
    values: Map,
    grains: Map,
}

impl Collected {
    /// Notes a fact: `namespace.name`, or a name alone.
    fn fact(&mut self, path: &str, value: impl Into<Value>) {
        let Some((namespace, name)) = path.split_once('.') else {
            self.values.insert(path.to_owned(), value.into());
            return;
        };
        let slot = self.values.entry(namespace.to_owned()).or_insert_with(|| Value::Map(Map::new()));
        if let Value::Map(map) = slot {
            map.insert(name.to_owned(), value.into());
        }
    }

    /// Notes a fact that may be missing.
    fn maybe(&mut self, path: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.fact(path, value);
        }
    }

    /// Notes a grain that follows from no fact.
    fn grain(&mut self, name: &str, value: impl Into<Value>) {
        self.grains.insert(name.to_owned(), value.into());
    }

    fn text(&self, namespace: &str, name: &str) -> Option<String> {
        self.values.get(namespace)?.as_map()?.get(name)?.as_str().map(str::to_owned)
    }
}
