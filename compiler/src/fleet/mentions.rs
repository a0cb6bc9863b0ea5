//! Which facts the templates of a tree can read at all.
//!
//! Two peels that differ in nothing a template mentions, and that the top files give the same files, have the same
//! plan. What a template mentions is read off its tree: `grains.os_family`, `facts.os.family`, `salt['grains.get']`
//! with a literal name, `grains.filter_by`. Where facts are used in any other way (looped over, handed on as a whole, under
//! a computed name), all of them count as mentioned, so that nothing is ever shared that might differ.

use crate::{
    check::{exec_name, parts, roots},
    syntax::{
        Tree,
        expression::{Argument, Expr, ExprKind},
    },
    template::is_method,
    types::{Facts, Value},
};
use std::{collections::BTreeSet, sync::Arc};

/// Facts that templates can read.
#[derive(Default, Debug, PartialEq)]
pub struct Mentions {
    /// All of them.
    everything: bool,
    /// Paths below `facts`.
    facts: BTreeSet<Vec<String>>,
    /// Paths below `grains`.
    grains: BTreeSet<Vec<String>>,
    /// The peel's id.
    id: bool,
}

impl Mentions {
    /// Templates that can read anything.
    pub fn everything() -> Self {
        Self { everything: true, ..Self::default() }
    }

    /// Whether no two peels can share anything: their ids are read, or anything may be.
    pub fn tells_all_apart(&self) -> bool {
        self.everything || self.id
    }

    /// Adds what other templates mention.
    pub fn merge(&mut self, other: &Self) {
        self.everything |= other.everything;
        self.id |= other.id;
        self.facts.extend(other.facts.iter().cloned());
        self.grains.extend(other.grains.iter().cloned());
    }

    /// Adds what a file mentions.
    pub fn add(&mut self, tree: &Tree) {
        for root in roots(&tree.template) {
            let mut pending = vec![root];
            while let Some(expr) = pending.pop() {
                if self.everything {
                    return;
                }
                self.expression(expr, &mut pending);
            }
        }
    }

    fn expression<'e>(&mut self, expr: &'e Arc<Expr>, pending: &mut Vec<&'e Arc<Expr>>) {
        match &expr.kind {
            ExprKind::Name(name) => match name.as_str() {
                "peel_id" | "id" => self.id = true,
                "facts" | "grains" | "opts" | "salt" | "zester" | "basket" | "debug" | "self" => {
                    self.everything = true;
                }
                _ => {}
            },
            ExprKind::Attribute { .. } | ExprKind::Index { .. } => match chain(expr) {
                Some((root, keys)) => self.path(root, keys),
                None => pending.extend(parts(expr)),
            },
            ExprKind::Call { callee, args } => {
                pending.extend(args.iter().map(|a| &a.value));
                if let Some((name, _)) = exec_name(callee) {
                    self.function(&name, args);
                } else {
                    self.method(callee, args, pending);
                }
            }
            // `'os_family' in grains`
            ExprKind::Binary { operator: "in" | "not in", left, right } => {
                pending.push(left);
                match (&left.kind, chain(right)) {
                    (ExprKind::Literal(Value::Str(key)), Some((root, mut keys))) => {
                        keys.push(key.clone());
                        self.path(root, keys);
                    }
                    _ => pending.push(right),
                }
            }
            _ => pending.extend(parts(expr)),
        }
    }

    /// `grains.get('x')`, `facts.os.items()`, and calls of anything else.
    fn method<'e>(&mut self, callee: &'e Arc<Expr>, args: &[Argument], pending: &mut Vec<&'e Arc<Expr>>) {
        let ExprKind::Attribute { object, name, .. } = &callee.kind else {
            pending.push(callee);
            return;
        };
        let Some((root, mut keys)) = chain(object) else {
            pending.push(object);
            return;
        };
        if let ("get", Some(key)) = (name.as_str(), literal(args, 0)) {
            keys.push(key.to_owned());
        }
        self.path(root, keys);
    }

    fn path(&mut self, root: &str, mut keys: Vec<String>) {
        if keys.last().is_some_and(|key| is_method(key)) {
            keys.pop();
        }
        let side = match root {
            "facts" => &mut self.facts,
            "grains" => &mut self.grains,
            _ => {
                // `opts`
                match keys.first().map(String::as_str) {
                    Some("id") => self.id = true,
                    Some("grains") if keys.len() > 1 => {
                        self.grains.insert(keys.split_off(1));
                    }
                    Some("test" | "saltenv" | "environment" | "pillarenv" | "pillar" | "file_client") => {}
                    _ => self.everything = true,
                }
                return;
            }
        };
        match keys.first().map(String::as_str) {
            None => self.everything = true,
            Some("id") => self.id = true,
            Some(_) => {
                side.insert(keys);
            }
        }
    }

    /// A call of a function by its literal name. Those that read the machine are not called for another one.
    fn function(&mut self, name: &str, args: &[Argument]) {
        let (module, function) = name.split_once('.').unwrap_or((name, ""));
        match (module, function) {
            ("grains" | "facts" | "config", "get" | "fetch" | "has_value" | "equals" | "option") => {
                match literal(args, 0) {
                    Some(key) => self.named(key),
                    None => self.everything = true,
                }
            }
            ("grains", "filter_by") => {
                let given = args.iter().position(|a| a.name.as_ref().is_some_and(|(n, _)| n == "grain"));
                match given.or_else(|| (positional(args) > 1).then_some(1)) {
                    None => self.named("os_family"),
                    Some(index) => match literal(args, index) {
                        Some(key) => self.named(key),
                        None => self.everything = true,
                    },
                }
            }
            ("grains" | "facts" | "config" | "match" | "mine" | "basket" | "state" | "cp", _) => {
                self.everything = true;
            }
            _ => {}
        }
    }

    /// A name that is looked for among grains and among facts.
    fn named(&mut self, key: &str) {
        let keys = |separator| key.split(separator).map(str::to_owned).collect::<Vec<_>>();
        if key == "id" {
            self.id = true;
            return;
        }
        self.grains.insert(keys(':'));
        self.facts.insert(keys(':'));
        self.facts.insert(keys('.'));
    }

    /// What of a peel's facts is mentioned, as text: equal texts, equal renders.
    pub fn of(&self, facts: &Facts) -> String {
        let mut text = String::new();
        if self.everything {
            text.push_str(&facts.id);
            push(&mut text, &Value::Map(facts.values.clone()));
            push(&mut text, &Value::Map(facts.grains.clone()));
            return text;
        }
        if self.id {
            text.push_str(&facts.id);
        }
        for (map, paths) in [(&facts.values, &self.facts), (&facts.grains, &self.grains)] {
            for path in paths {
                text.push('\u{1}');
                let mut keys = path.iter();
                let mut found = keys.next().and_then(|key| map.get(key));
                // Where a path goes on below what is no map, or is not there, all of what is there counts.
                for key in keys {
                    match found {
                        Some(Value::Map(inner)) if inner.contains_key(key) => found = inner.get(key),
                        _ => break,
                    }
                }
                match found {
                    Some(value) => push(&mut text, value),
                    None => text.push('\u{2}'),
                }
            }
        }
        text
    }
}

fn push(text: &mut String, value: &Value) {
    text.push_str(&serde_json::to_string(value).unwrap_or_default());
}

/// `facts.a['b']` as its root and its literal keys.
fn chain(expr: &Arc<Expr>) -> Option<(&str, Vec<String>)> {
    let mut keys = Vec::new();
    let mut at = expr;
    loop {
        match &at.kind {
            ExprKind::Attribute { object, name, .. } => {
                keys.push(name.clone());
                at = object;
            }
            ExprKind::Index { object, index } => {
                let ExprKind::Literal(Value::Str(key)) = &index.kind else { return None };
                keys.push(key.clone());
                at = object;
            }
            ExprKind::Name(name) if matches!(name.as_str(), "facts" | "grains" | "opts") => {
                keys.reverse();
                return Some((name, keys));
            }
            _ => return None,
        }
    }
}

fn positional(args: &[Argument]) -> usize {
    args.iter().filter(|a| a.name.is_none()).count()
}

fn literal(args: &[Argument], index: usize) -> Option<&str> {
    match &args.get(index)?.value.kind {
        ExprKind::Literal(Value::Str(text)) => Some(text),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{source::FileId, types::Map};

    fn mentions(text: &str) -> Mentions {
        let mut found = Mentions::default();
        found.add(&crate::syntax::parse(FileId(0), &text.into()));
        found
    }

    fn facts(json: &str) -> Facts {
        let values: Map = serde_json::from_str(json).unwrap();
        Facts::collected("web-01", values, Map::new())
    }

    #[test]
    fn only_what_is_mentioned_tells_peels_apart() {
        let (a, b) = (
            facts(r#"{"os": {"family": "debian", "release": "12"}, "memory": {"total": 1}}"#),
            facts(r#"{"os": {"family": "debian", "release": "13"}, "memory": {"total": 2}}"#),
        );
        for text in [
            "{{ facts.os.family }}",
            "{{ grains['os_family'] }}",
            "{{ salt['grains.get']('os_family', 'x') }}",
            "{% set m = salt['grains.filter_by']({'Debian': {}}) %}",
            "{% if 'os_family' in grains %}{% endif %}",
            "{{ grains.get('os_family') }}",
            "{{ settings.app.port }}",
        ] {
            assert_eq!(mentions(text).of(&a), mentions(text).of(&b), "{text}");
        }
        for text in [
            "{{ facts.os.release }}",
            "{% for k, v in facts.os.items() %}{% endfor %}",
            "{% for k in grains %}{% endfor %}",
            "{{ grains[name] }}",
            "{{ salt['grains.get'](name) }}",
            "{{ salt[name]('x') }}",
            "{{ m(grains) }}",
            "{{ salt['grains.items']() }}",
            "{{ facts.os | json }}",
            "{{ facts.os[name] }}",
            "{{ opts }}",
            "{{ 'x' ~ grains }}",
        ] {
            assert_ne!(mentions(text).of(&a), mentions(text).of(&b), "{text}");
        }
    }

    #[test]
    fn the_id_counts_where_it_is_mentioned() {
        let (a, mut b) = (facts("{}"), facts("{}"));
        b.set_id("web-02");
        assert_eq!(mentions("{{ 1 }}").of(&a), mentions("{{ 1 }}").of(&b));
        for text in ["{{ peel_id }}", "{{ grains.id }}", "{{ opts['id'] }}", "{{ salt['grains.get']('id') }}"]
        {
            assert_ne!(mentions(text).of(&a), mentions(text).of(&b), "{text}");
        }
    }
}
