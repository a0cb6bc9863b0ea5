//! Names of the functions that Salt has: facts for telling "not provided here" from "misspelt".
//!
//! The two tables hold one module a line: `module: function function …`, state functions in one, exec functions in
//! the other. They name what exists in Salt up to 3008, whether or not it is provided here too.

use zester_compiler::types::{FunctionKind, Registry};

const STATES: &str = include_str!("elsewhere/states.txt");
const EXECS: &str = include_str!("elsewhere/execs.txt");

/// Tells a registry which functions exist in Salt.
pub(crate) fn register(registry: &mut Registry) {
    registry.set_elsewhere(FunctionKind::State, STATES);
    registry.set_elsewhere(FunctionKind::Exec, EXECS);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_sorted_and_well_formed() {
        for table in [STATES, EXECS] {
            let mut last = "";
            for line in table.lines() {
                let (module, functions) = line.split_once(": ").expect("a colon in every line");
                assert!(module > last, "{module} stands after {last}");
                assert!(functions.split(' ').all(|f| !f.is_empty() && !f.contains('.')), "{line}");
                last = module;
            }
        }
    }

    #[test]
    fn a_registry_knows_them() {
        let mut registry = Registry::new();
        register(&mut registry);
        assert!(registry.exists_elsewhere(FunctionKind::State, "iptables", "append"));
        assert!(registry.exists_elsewhere(FunctionKind::Exec, "network", "ip_addrs"));
        assert!(!registry.exists_elsewhere(FunctionKind::State, "iptables", "apend"));
    }
}
