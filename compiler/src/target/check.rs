//! What can be said about a target without a peel: its form, its nodegroups, its facts.

use super::{Condition, Nodegroups, Pattern, Target};
use crate::{
    diagnostic::{Diagnostic, nearest},
    source::Span,
    types::facts_schema,
};

crate::rule! {
    /// A target does not follow the grammar.
    ///
    /// A target that cannot be read matches nothing, so states would silently not be applied. Common causes: two
    /// patterns without `and` or `or` between them, a value with spaces that is not quoted, a parenthesis or quote
    /// that is not closed, a regular expression with an error, a fact written without `G@`.
    ///
    /// ```yaml
    /// base:
    ///   'os.family:debian':
    ///     - common
    /// ```
    ///
    /// Write instead:
    ///
    /// ```yaml
    /// base:
    ///   'G@os.family:debian':
    ///     - common
    /// ```
    pub MALFORMED_TARGET = "Z0601", "malformed-target", Error;

    /// A target names a nodegroup that `zester.yaml` does not define, or one that is defined by itself.
    ///
    /// ```yaml
    /// base:
    ///   'N@webs':
    ///     - nginx
    /// ```
    ///
    /// Write the name of a nodegroup, or define it:
    ///
    /// ```yaml
    /// nodegroups:
    ///   webs: 'web* and G@os.family:debian'
    /// ```
    pub UNKNOWN_NODEGROUP = "Z0602", "unknown-nodegroup", Error;

    /// A target asks for a fact below a built-in name that no peel has.
    ///
    /// It would match nothing on any peel.
    ///
    /// ```yaml
    /// base:
    ///   'G@os.famly:debian':
    ///     - common
    /// ```
    ///
    /// Write instead:
    ///
    /// ```yaml
    /// base:
    ///   'G@os.family:debian':
    ///     - common
    /// ```
    pub UNKNOWN_FACT_IN_TARGET = "Z0603", "unknown-fact-in-target", Error;

    /// A target asks for a setting that no settings file defines.
    ///
    /// It would match nothing on any peel.
    ///
    /// ```yaml
    /// -- states/top.zy --
    /// base:
    ///   'I@rloe:web': [web]
    /// -- states/web.zy --
    /// nginx: pkg.installed
    /// -- settings/top.zy --
    /// base:
    ///   '*': [roles]
    /// -- settings/roles.zy --
    /// role: web
    /// ```
    ///
    /// ```yaml
    /// -- states/top.zy --
    /// base:
    ///   'I@role:web': [web]
    /// -- states/web.zy --
    /// nginx: pkg.installed
    /// -- settings/top.zy --
    /// base:
    ///   '*': [roles]
    /// -- settings/roles.zy --
    /// role: web
    /// ```
    pub UNKNOWN_SETTING_IN_TARGET = "Z0605", "unknown-setting-in-target", Warning;
}

impl Target {
    /// Nodegroups that do not exist, or that are defined by themselves.
    pub fn check_groups(&self, nodegroups: &Nodegroups) -> Vec<Diagnostic> {
        let mut found = Vec::new();
        for (pattern, span) in self.patterns() {
            let Pattern::Nodegroup(name) = pattern else { continue };
            if nodegroups.get(name).is_none() {
                let message = format!("there is no nodegroup `{name}`");
                let diagnostic = Diagnostic::new(&UNKNOWN_NODEGROUP, span, message);
                found.push(match nearest(name, nodegroups.names()) {
                    Some(near) => diagnostic.did_you_mean(&format!("N@{near}")),
                    None => diagnostic.help("define it below `nodegroups:` of `zester.yaml`"),
                });
            } else if let Some(path) = cycle(name, nodegroups) {
                let message = format!("the nodegroup `{name}` is defined by itself: {}", path.join(" → "));
                let help = "take one of these names out of the others' targets";
                found.push(Diagnostic::new(&UNKNOWN_NODEGROUP, span, message).help(help));
            }
        }
        found
    }

    /// Facts that no peel can have: names below a built-in namespace that the schema does not know. Names of the
    /// site's own are not judged.
    pub fn check_facts(&self) -> Vec<Diagnostic> {
        self.patterns()
            .into_iter()
            .filter_map(|(pattern, span)| match pattern {
                Pattern::Fact(conditions) => unknown_fact(conditions, span),
                _ => None,
            })
            .collect()
    }
}

/// The way from a nodegroup back to itself.
fn cycle(start: &str, nodegroups: &Nodegroups) -> Option<Vec<String>> {
    let mut pending = vec![vec![start.to_owned()]];
    let mut seen: Vec<String> = Vec::new();
    while let Some(path) = pending.pop() {
        let target = nodegroups.get(path.last()?)?;
        for (pattern, _) in target.patterns() {
            let Pattern::Nodegroup(name) = pattern else { continue };
            let mut path = path.clone();
            path.push(name.clone());
            if name == start {
                return Some(path);
            }
            if !seen.contains(name) && nodegroups.get(name).is_some() {
                seen.push(name.clone());
                pending.push(path);
            }
        }
    }
    None
}

fn unknown_fact(conditions: &[Condition], span: Span) -> Option<Diagnostic> {
    // Only the dotted form is ours alone: with colons a Salt tree may name a grain of its own (`system:role`).
    let mut keys = conditions.first()?.path.first()?.split('.');
    let (namespace, member) = (keys.next()?, keys.next()?);
    if !facts_schema::is_namespace(namespace)
        || facts_schema::fact(namespace).is_some()
        || member == "*"
        || facts_schema::fact(&format!("{namespace}.{member}")).is_some()
    {
        return None;
    }
    let known: Vec<&str> = facts_schema::members(namespace)
        .filter_map(|info| info.path.split_once('.').map(|(_, m)| m))
        .collect();
    let help = match nearest(member, known.iter().copied()) {
        Some(near) => format!("did you mean `{namespace}.{near}`?"),
        None => format!("`{namespace}` has {}", known.join(", ")),
    };
    let message = format!("there is no fact `{namespace}.{member}`");
    Some(Diagnostic::new(&UNKNOWN_FACT_IN_TARGET, span, message).help(help))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::FileId;
    use proptest::prelude::*;

    fn parse(text: &str) -> (Target, Vec<Diagnostic>) {
        Target::parse(text, Span::new(FileId(0), 100..100 + text.len()))
    }

    fn problem(text: &str) -> String {
        let (target, problems) = parse(text);
        assert!(!target.is_valid(), "{text}");
        let all: Vec<String> = problems
            .iter()
            .map(|p| {
                let place = &text[p.span.start as usize - 100..p.span.end as usize - 100];
                format!("[{place}] {} ({})", p.message, p.help.as_deref().unwrap_or_default())
            })
            .collect();
        all.join("; ")
    }

    #[test]
    fn malformed_targets_say_what_was_expected() {
        for (text, expected) in [
            ("", "[] the target is empty (`*` matches every peel)"),
            (
                "web* db*",
                "[db*] expected `and` or `or` before `db*` (write an operator between two patterns)",
            ),
            (
                "G@os:Red Hat",
                "[Hat] expected `and` or `or` before `Hat` (a value with spaces is quoted: `G@os:\"Red Hat\"`)",
            ),
            (
                "web* and",
                "[and] expected a pattern after `and` (write what is matched: an id such as `web*`, or `G@os.family:debian`)",
            ),
            ("or web*", "[or] expected a pattern, found `or` (write a pattern on both sides of `or`)"),
            ("(web* or db*", "[(] this `(` is never closed (add the `)`)"),
            ("web*)", "[)] this `)` has no `(` (remove it, or add the `(` it belongs to)"),
            ("()", "[)] expected a pattern, found `)` (write what is matched before it, or remove it)"),
            (
                "os.family:debian",
                "[os.family:debian] `os.family:debian` is read as a glob on the peel's id, which never has a `:` \
                 (write `G@os.family:debian` for a fact, `I@os.family:debian` for a setting)",
            ),
            ("g@os:x", "[g@os:x] there is no form `g@` (write `G@`)"),
            (
                "R@web[1-3]",
                "[R@web[1-3]] there is no form `R@` (ranges are not read; list the ids with `L@a,b,c`)",
            ),
            ("G@os", "[G@os] `G@os` has no value"),
            (
                "S@10.0.0.300",
                "[S@10.0.0.300] `10.0.0.300` is neither a network nor an address (write it as `S@10.0.0.0/24` or `S@10.0.0.7`)",
            ),
            ("web[0-9", "[web[0-9] the `[` of `web[0-9` is never closed (write it as `web*` or `web-[0-9]`)"),
            ("\"web", "[\"web] this `\"` is never closed (add the `\"`)"),
            ("L@", "[L@] nothing follows `L@` (write it as `L@web-01,web-02`)"),
        ] {
            let found = problem(text);
            let expected = expected.replace("`G@os` has no value", "`os` has no value to compare with (write it as `G@os.family:debian`, `G@mem_total:>=4096` or `G@role:*`)");
            assert_eq!(found, expected, "{text}");
        }
    }

    #[test]
    fn a_wrong_regular_expression_is_placed_and_explained() {
        let found = problem("web* and E@web-(a");
        assert!(found.starts_with("[E@web-(a] `web-(a` is not a regular expression:"), "{found}");
    }

    #[test]
    fn two_wrong_patterns_are_two_errors() {
        assert_eq!(parse("S@x and g@y:z").1.len(), 2);
    }

    #[test]
    fn facts_and_groups_are_checked() {
        let facts = |text: &str| {
            let found = parse(text).0.check_facts();
            found.first().map(|d| format!("{} ({})", d.message, d.help.clone().unwrap_or_default()))
        };
        assert_eq!(
            facts("G@os.famly:debian"),
            Some("there is no fact `os.famly` (did you mean `os.family`?)".to_owned())
        );
        for fine in [
            "G@os:Debian",
            "G@role:web",
            "G@os.family:debian",
            "G@memory:*",
            "G@default_ipv4:10.*",
            "P@os:(a|b)",
            "G@disk.mounts:*",
            "G@disk.mounts.0.device:/dev/sda1",
            "G@system:role:web",
        ] {
            assert_eq!(facts(fine), None, "{fine}");
        }
        let mut nodegroups = Nodegroups::new();
        nodegroups.insert("web", parse("web*").0);
        nodegroups.insert("a", parse("N@b").0);
        nodegroups.insert("b", parse("N@a").0);
        let message = |text: &str| parse(text).0.check_groups(&nodegroups).first().map(|d| d.message.clone());
        assert_eq!(message("N@webs"), Some("there is no nodegroup `webs`".to_owned()));
        assert_eq!(message("N@a"), Some("the nodegroup `a` is defined by itself: a → b → a".to_owned()));
        assert_eq!(message("N@web"), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_text_parses_without_panic(text in "\\PC{0,60}") {
            let (target, problems) = parse(&text);
            prop_assert_eq!(target.is_valid(), problems.is_empty());
        }

        #[test]
        fn likely_text_parses_and_prints_the_same(
            words in prop::collection::vec(
                prop::sample::select(vec![
                    "web*", "and", "or", "not", "(", ")", "G@os:Debian", "E@a(b|c)", "L@a,b", "P@os:(x|y z)",
                    "G@a:b:c", "G@m:>=4", "G@m:!=4", "G@m:===x", "I@r:'a b'", "J@r:^w", "S@10.0.0.0/8", "N@g",
                    "\"and\"", "E@a\\)b", "G@x:\"a\\\\b \\\" c\"", "[a-c]?",
                ]),
                0..9,
            )
        ) {
            let text = words.join(" ");
            let (target, problems) = parse(&text);
            prop_assert_eq!(target.is_valid(), problems.is_empty());
            if target.is_valid() {
                let printed = target.to_string();
                let (again, problems) = parse(&printed);
                prop_assert!(problems.is_empty(), "{} -> {}: {:?}", text, printed, problems);
                prop_assert_eq!(again.to_string(), printed);
            }
        }
    }
}
