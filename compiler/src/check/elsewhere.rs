//! Names of parameters that Salt's state functions have: facts for telling "not supported here" from "misspelt".
//!
//! The table holds one function a line: `module.function: parameter parameter …`, as of Salt 3008.

use crate::rule;
use std::{collections::HashMap, sync::OnceLock};

rule! {
    /// A parameter exists in Salt and is not supported here.
    ///
    /// The name is right; what it asks for does not happen.
    ///
    /// ```yaml
    /// nginx:
    ///   pkg.latest:
    ///     - taps: example/tap
    /// ```
    ///
    /// Leave it out, or reach the same in another way:
    ///
    /// ```yaml
    /// nginx:
    ///   pkg.latest: []
    /// ```
    pub UNSUPPORTED_PARAMETER = "Z0224", "unsupported-parameter", Warning;
}

const TABLE: &str = include_str!("elsewhere_parameters.txt");

/// Whether Salt's function (`file.managed`) has a parameter.
pub fn salt_has_parameter(function: &str, parameter: &str) -> bool {
    static LINES: OnceLock<HashMap<&'static str, &'static str>> = OnceLock::new();
    let lines = LINES.get_or_init(|| TABLE.lines().filter_map(|line| line.split_once(": ")).collect());
    lines.get(function).is_some_and(|names| names.split(' ').any(|n| n == parameter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_of_salt_are_known_and_typos_are_not() {
        assert!(salt_has_parameter("pkg.latest", "taps"));
        assert!(salt_has_parameter("pkg.installed", "install_recommends"));
        assert!(!salt_has_parameter("file.managed", "sorce"));
        assert!(!salt_has_parameter("nothing.here", "x"));
    }
}
