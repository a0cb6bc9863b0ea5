//! All rules there are, and their pages.

use super::{Rule, nearest};
use std::{collections::BTreeMap, sync::OnceLock};

/// Every rule of every room, sorted by code.
pub fn catalogue() -> &'static [&'static Rule] {
    static ALL: OnceLock<Vec<&'static Rule>> = OnceLock::new();
    ALL.get_or_init(|| {
        let mut rules: Vec<&'static Rule> = crate::check::rules()
            .chain(crate::fleet::RULES.iter().copied())
            .chain(crate::lower::rules())
            .chain(crate::project::rules())
            .chain(crate::settings::rules())
            .chain(crate::syntax::rules())
            .chain(crate::target::rules())
            .collect();
        rules.sort_by_key(|r| r.code);
        rules
    })
}

/// The rule of a code (in any case) or name; else the nearest name.
pub fn find(code_or_name: &str) -> Result<&'static Rule, Option<&'static str>> {
    let wanted = code_or_name.trim();
    catalogue()
        .iter()
        .find(|r| r.code.eq_ignore_ascii_case(wanted) || r.name == wanted)
        .copied()
        .ok_or_else(|| nearest(wanted, catalogue().iter().flat_map(|r| [r.name, r.code])))
}

/// The Markdown page of a rule, as `zester explain` prints it and `docs/diagnostics/` holds it.
pub fn page(rule: &Rule) -> String {
    format!("# {}: {}\n\nLevel: {}\n\n{}\n", rule.code, rule.name, rule.severity, rule.page_text())
}

/// The page behind a code or name; else the nearest name.
pub fn explain(code_or_name: &str) -> Result<String, Option<&'static str>> {
    find(code_or_name).map(page)
}

/// The index of all pages.
pub fn index() -> String {
    let mut families: BTreeMap<&str, Vec<&Rule>> = BTreeMap::new();
    for rule in catalogue() {
        families.entry(&rule.code[..3]).or_default().push(rule);
    }
    let mut out = String::from(
        "# Diagnostics\n\nEvery finding of `zester check` has a code. `zester explain CODE` prints its page.\n",
    );
    for (family, rules) in families {
        let title = match family {
            "Z00" => "Syntax",
            "Z01" => "References",
            "Z02" => "States and parameters",
            "Z03" => "Requisites",
            "Z04" => "Templates and values",
            "Z05" => "Settings and secrets",
            "Z06" => "Targets",
            "Z07" => "Fleet",
            "Z08" => "Modules",
            _ => "Others",
        };
        out.push_str(&format!(
            "\n## {family}: {title}\n\n| code | name | level | what |\n|---|---|---|---|\n"
        ));
        for rule in rules {
            let summary = rule.summary().replace('|', "\\|");
            out.push_str(&format!(
                "| [{0}]({0}.md) | `{1}` | {2} | {summary} |\n",
                rule.code, rule.name, rule.severity
            ));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn codes_and_names_are_unique_and_well_formed() {
        let (mut codes, mut names) = (HashSet::new(), HashSet::new());
        for rule in catalogue() {
            assert!(codes.insert(rule.code), "{} is used twice", rule.code);
            assert!(names.insert(rule.name), "{} is used twice", rule.name);
            assert!(rule.code.len() == 5 && rule.code.starts_with("Z0"), "{}", rule.code);
            assert!(
                rule.name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-' || b.is_ascii_digit()),
                "{}",
                rule.name
            );
        }
    }

    #[test]
    fn a_rule_is_found_by_code_and_by_name() {
        let rule = catalogue()[0];
        assert_eq!(find(rule.name).unwrap(), rule);
        assert_eq!(find(&rule.code.to_lowercase()).unwrap(), rule);
        assert!(explain(rule.code).unwrap().starts_with(&format!("# {}: {}", rule.code, rule.name)));
    }
}
