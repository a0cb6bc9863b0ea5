//! The facts of all peels, in radix trees: which peels does a target match?
//!
//! Names and facts narrow the candidates; every candidate is then matched against the whole target, so narrowing may be generous and never
//! wrong.

use crate::bus::{
    codec::{self, CodecError},
    id::PeelId,
};
use patricia_tree::StringPatriciaMap;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};
use zester_compiler::{
    target::{Comparison, Condition, Expr, Glob, MatchError, Nodegroups, Pattern, Subject, Target},
    types::{Facts, Map, Value},
};

/// Between the keys of a path, and before the value.
const SEPARATOR: char = '\u{1f}';
/// Values longer than this, in bytes, are not narrowed by.
const MAX_VALUE: usize = 128;
/// Values of one peel that are indexed at most.
const MAX_VALUES: usize = 4_096;
/// Deepest nesting of facts that is indexed.
const MAX_DEPTH: usize = 16;

/// The index.
#[derive(Default)]
pub struct FactsIndex {
    /// Encoded: a tenth of what they take unpacked, and few targets need more of them than the values below.
    peels: StringPatriciaMap<Box<[u8]>>,
    /// `path value` → peels.
    values: StringPatriciaMap<Having>,
    /// What of each peel is in `values`, to take it out again.
    entered: BTreeMap<Arc<PeelId>, Box<[Arc<str>]>>,
}

/// The peels that have a value. Keys and names are shared: thousands of peels have most values in common.
struct Having {
    key: Arc<str>,
    peels: BTreeSet<Arc<PeelId>>,
}

impl FactsIndex {
    /// Enters a peel's facts, or replaces them.
    pub fn insert(&mut self, peel: &PeelId, facts: &Facts) -> Result<(), CodecError> {
        let bytes = codec::encode(facts)?;
        self.remove(peel);
        let mut keys = BTreeSet::new();
        for map in [&facts.values, &facts.grains] {
            flatten(map, &mut String::new(), 0, &mut keys);
        }
        let peel = Arc::new(peel.clone());
        let mut entered = Vec::with_capacity(keys.len());
        for key in &keys {
            match self.values.get_mut(key) {
                Some(having) => {
                    entered.push(having.key.clone());
                    having.peels.insert(peel.clone());
                }
                None => {
                    let shared: Arc<str> = key.as_str().into();
                    entered.push(shared.clone());
                    self.values.insert(key, Having { key: shared, peels: BTreeSet::from([peel.clone()]) });
                }
            }
        }
        self.peels.insert(peel.as_str(), bytes.into_boxed_slice());
        self.entered.insert(peel, entered.into_boxed_slice());
        Ok(())
    }

    /// Takes a peel out.
    pub fn remove(&mut self, peel: &PeelId) {
        self.peels.remove(peel.as_str());
        for key in self.entered.remove(peel).unwrap_or_default() {
            if let Some(having) = self.values.get_mut(&*key) {
                having.peels.remove(peel);
                if having.peels.is_empty() {
                    self.values.remove(&*key);
                }
            }
        }
    }

    /// A peel's facts.
    pub fn facts(&self, peel: &PeelId) -> Option<Facts> {
        codec::decode(self.peels.get(peel.as_str())?).ok()
    }

    /// How many peels are known.
    pub fn len(&self) -> usize {
        self.entered.len()
    }

    /// Whether no peel is known.
    pub fn is_empty(&self) -> bool {
        self.entered.is_empty()
    }

    /// All peels, sorted.
    pub fn peels(&self) -> impl Iterator<Item = &PeelId> {
        self.entered.keys().map(|peel| &**peel)
    }

    /// The peels that match, sorted. Settings are known to peels alone: a target that asks for them matches nobody here, see [`asks_settings`].
    pub fn resolve(&self, target: &Target, nodegroups: &Nodegroups) -> Result<Vec<PeelId>, MatchError> {
        let candidates = self.candidates(&target.expr, nodegroups, 0);
        let all;
        let candidates = match candidates {
            Some(some) => some,
            None => {
                all = self.peels().cloned().collect();
                all
            }
        };
        let by_name = |p: &Pattern| matches!(p, Pattern::Glob(_) | Pattern::Pcre(_) | Pattern::List(_));
        let needs_facts = !target.patterns().iter().all(|(p, _)| by_name(p));
        let mut found = Vec::new();
        for peel in candidates {
            let facts = if needs_facts {
                self.facts(&peel)
            } else {
                self.peels.contains_key(peel.as_str()).then(Facts::default)
            };
            let Some(facts) = facts else { continue };
            let subject = Subject { id: peel.as_str(), facts: &facts, settings: &Value::Null, nodegroups };
            if target.matches(&subject)? {
                found.push(peel);
            }
        }
        Ok(found)
    }

    /// The peels that may match; nothing where that is all of them.
    fn candidates(&self, expr: &Expr, groups: &Nodegroups, depth: usize) -> Option<BTreeSet<PeelId>> {
        match expr {
            Expr::And(parts) => {
                let mut narrowed: Vec<_> =
                    parts.iter().filter_map(|p| self.candidates(p, groups, depth)).collect();
                narrowed.sort_by_key(BTreeSet::len);
                narrowed.into_iter().next()
            }
            Expr::Or(parts) => {
                let mut union = BTreeSet::new();
                for part in parts {
                    union.extend(self.candidates(part, groups, depth)?);
                }
                Some(union)
            }
            Expr::Not(_) => None,
            Expr::Error => Some(BTreeSet::new()),
            Expr::Pattern { pattern, .. } => match pattern {
                Pattern::Glob(glob) => {
                    let prefix = prefix(glob);
                    let id = |text: String| PeelId::new(&text).ok();
                    (!prefix.is_empty())
                        .then(|| self.peels.iter_prefix(&prefix).filter_map(|(p, _)| id(p)).collect())
                }
                Pattern::List(ids) => Some(ids.iter().filter_map(|id| PeelId::new(id).ok()).collect()),
                Pattern::Fact(conditions) => {
                    let mut union = BTreeSet::new();
                    for condition in conditions {
                        union.extend(self.having(condition)?);
                    }
                    Some(union)
                }
                Pattern::Nodegroup(name) if depth < 8 => {
                    groups.get(name).and_then(|t| self.candidates(&t.expr, groups, depth + 1))
                }
                _ => None,
            },
        }
    }

    fn having(&self, condition: &Condition) -> Option<BTreeSet<PeelId>> {
        let Comparison::Equal(glob) = &condition.comparison else { return None };
        let narrows = |key: &String| key != "*" && key.parse::<usize>().is_err();
        if !condition.path.iter().all(narrows) {
            return None;
        }
        let value = prefix(glob).to_lowercase();
        // Numbers are written in more than one way.
        if value.is_empty() || value.len() > MAX_VALUE || value.parse::<f64>().is_ok() {
            return None;
        }
        let key = format!("{}{SEPARATOR}{SEPARATOR}{value}", path(&condition.path));
        if glob.is_literal() {
            let peels = self.values.get(&key).map(|having| having.peels.iter());
            return Some(peels.into_iter().flatten().map(|peel| (**peel).clone()).collect());
        }
        let having = self.values.iter_prefix(&key).flat_map(|(_, having)| having.peels.iter());
        Some(having.map(|peel| (**peel).clone()).collect())
    }
}

/// Whether a target asks for settings, which only peels know.
pub fn asks_settings(target: &Target) -> bool {
    target.patterns().iter().any(|(p, _)| matches!(p, Pattern::Setting(_)))
}

/// The plain characters that a glob begins with.
fn prefix(glob: &Glob) -> String {
    glob.source().chars().take_while(|c| !matches!(c, '*' | '?' | '[')).collect()
}

fn path(keys: &[String]) -> String {
    let keys: Vec<&str> = keys.iter().flat_map(|k| k.split('.')).collect();
    keys.join(&SEPARATOR.to_string())
}

/// `path value` for all values below a map; keys with dots count as nested, as targets read them.
fn flatten(map: &Map, above: &mut String, depth: usize, found: &mut BTreeSet<String>) {
    if depth > MAX_DEPTH {
        return;
    }
    for (key, value) in map {
        if found.len() >= MAX_VALUES {
            return;
        }
        let length = above.len();
        if depth > 0 {
            above.push(SEPARATOR);
        }
        above.push_str(&key.replace('.', &SEPARATOR.to_string()));
        enter(value, above, depth, found);
        above.truncate(length);
    }
}

fn enter(value: &Value, path: &mut String, depth: usize, found: &mut BTreeSet<String>) {
    let mut put = |text: &str| {
        let text: String = text.to_lowercase();
        let mut end = text.len().min(MAX_VALUE);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        found.insert(format!("{path}{SEPARATOR}{SEPARATOR}{}", text.get(..end).unwrap_or_default()));
    };
    match value {
        Value::Str(text) => put(text),
        Value::Bool(yes) => put(if *yes { "true" } else { "false" }),
        Value::Null => {
            put("none");
            put("null");
        }
        Value::List(items) => {
            for item in items {
                match item {
                    Value::Map(map) => flatten(map, path, depth + 1, found),
                    Value::List(_) => {}
                    item => enter(item, path, depth + 1, found),
                }
            }
        }
        Value::Map(map) => {
            map.keys().for_each(|key| put(key));
            flatten(map, path, depth + 1, found);
        }
        // Numbers are never narrowed by.
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use zester_compiler::source::Span;

    fn facts(id: &str, text: &str) -> Facts {
        let mut facts = Facts::collected(id, Map::new(), Map::new());
        facts.merge_text(text).unwrap();
        facts
    }

    fn fleet() -> FactsIndex {
        let mut index = FactsIndex::default();
        for n in 0..60 {
            let id = format!("{}-{n:02}", ["web", "db", "cache"][n % 3]);
            let os = ["Debian", "Ubuntu", "RedHat"][n % 3 + usize::from(n % 7 == 0 && n % 3 < 2)];
            let roles = if n % 2 == 0 { "[front, Edge]" } else { "[back]" };
            let text = format!("os: {os}\nroles: {roles}\nrack: {}\nsite: {{name: s.{}}}\n", n % 5, n % 4);
            index.insert(&PeelId::new(&id).unwrap(), &facts(&id, &text)).unwrap();
        }
        index
    }

    fn brute(index: &FactsIndex, target: &Target) -> Vec<PeelId> {
        let groups = Nodegroups::new();
        index
            .peels()
            .filter(|p| {
                let facts = &index.facts(p).unwrap();
                let subject = Subject { id: p.as_str(), facts, settings: &Value::Null, nodegroups: &groups };
                target.matches(&subject).unwrap()
            })
            .cloned()
            .collect()
    }

    fn parsed(text: &str) -> Target {
        let id = zester_compiler::source::Files::default().add("target", text);
        let (target, wrong) = Target::parse(text, Span::new(id, 0..text.len()));
        assert!(wrong.is_empty(), "{text}");
        target
    }

    const PARTS: [&str; 16] = [
        "*",
        "web-*",
        "web-0[1-4]",
        "db-?1",
        "L@web-00,db-01,none",
        "G@os:Debian",
        "G@os:deb*",
        "G@os:*an",
        "G@roles:front",
        "G@roles:edge",
        "G@rack:3",
        "G@rack:<2",
        "G@site:name:s.1",
        "G@site.name:s.*",
        "E@(web|db)-1.*",
        "P@os:(Debian|Ubuntu)",
    ];

    proptest! {
        #[test]
        fn narrowing_changes_nothing(
            parts in prop::collection::vec((0..PARTS.len(), any::<bool>(), any::<bool>()), 1..5)
        ) {
            let mut text = String::new();
            for (n, (part, and, not)) in parts.iter().enumerate() {
                if n > 0 {
                    text.push_str(if *and { " and " } else { " or " });
                }
                text.push_str(if *not { "not " } else { "" });
                text.push_str(PARTS[*part]);
            }
            let target = parsed(&text);
            let index = fleet();
            prop_assert_eq!(index.resolve(&target, &Nodegroups::new()).unwrap(), brute(&index, &target), "{}", text);
        }
    }

    #[test]
    fn facts_are_replaced_and_removed() {
        let mut index = fleet();
        let web = PeelId::new("web-00").unwrap();
        let target = parsed("G@os:Gentoo");
        assert!(index.resolve(&target, &Nodegroups::new()).unwrap().is_empty());
        index.insert(&web, &facts("web-00", "os: Gentoo\n")).unwrap();
        assert_eq!(index.resolve(&target, &Nodegroups::new()).unwrap(), std::slice::from_ref(&web));
        index.remove(&web);
        assert!(index.resolve(&target, &Nodegroups::new()).unwrap().is_empty());
        for peel in index.peels().cloned().collect::<Vec<_>>() {
            index.remove(&peel);
        }
        assert!(index.is_empty() && index.values.is_empty() && index.peels.is_empty());
    }
}
