//! Facts of one peel: the typed tree, and the same facts under Salt's flat names.

use super::{
    Map, Value,
    facts_grains::{self, GRAINS},
    facts_schema,
};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// What is known about a peel.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize)]
pub struct Facts {
    /// The peel's id.
    pub id: String,
    /// Nested facts (`os.family`), custom ones among them.
    pub values: Map,
    /// Salt's flat names (`os_family`), custom ones among them.
    pub grains: Map,
}

/// Why facts could not be taken in. The text is a full sentence.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum FactsError {
    /// The text is not YAML.
    #[error("it is not YAML: {message}")]
    Yaml {
        /// The parser's words.
        message: String,
    },
    /// The document is not a map.
    #[error("it holds {found}, where a map of facts is expected")]
    NotAMap {
        /// What it is.
        found: &'static str,
    },
    /// A custom fact has a name that is taken.
    #[error("`{name}` is a built-in fact, which a custom fact cannot replace")]
    Reserved {
        /// The name.
        name: String,
    },
}

impl Facts {
    /// Facts as collected: the nested tree, and the grains that follow from no fact. All other grains are derived.
    pub fn collected(id: impl Into<String>, values: Map, grains: Map) -> Self {
        let mut facts = Self { id: id.into(), values, grains };
        let given = Given {
            facts: facts_schema::facts()
                .filter(|info| facts.fact(info.path).is_some())
                .map(|info| info.path.to_owned())
                .collect(),
            grains: facts.grains.keys().cloned().collect(),
        };
        facts.complete(given);
        facts
    }

    /// The fact under a dotted path, else the grain under a colon-separated one.
    pub fn get(&self, path: &str) -> Option<&Value> {
        self.fact(path).or_else(|| self.grain(path))
    }

    /// The nested fact under a dotted path.
    pub fn fact(&self, path: &str) -> Option<&Value> {
        lookup(&self.values, path, '.')
    }

    /// The grain under a colon-separated path.
    pub fn grain(&self, path: &str) -> Option<&Value> {
        lookup(&self.grains, path, ':')
    }

    /// Sets the id, and the grains that repeat it.
    pub fn set_id(&mut self, id: impl Into<String>) {
        self.id = id.into();
        self.grains.insert("id".to_owned(), Value::Str(self.id.clone()));
    }

    /// Adds or replaces facts from YAML or JSON text; see [`Facts::merge`].
    pub fn merge_text(&mut self, text: &str) -> Result<(), FactsError> {
        let value = crate::project::read_yaml(text).map_err(|message| FactsError::Yaml { message })?;
        self.merge(&value)
    }

    /// Adds or replaces facts: a map with `id`, nested facts (`os: {family: debian}`), Salt's grains
    /// (`os_family: Debian`) or both, at the top or below `facts:` and `grains:`. What follows from a given fact
    /// under its other names, or from the distribution's name, follows here too.
    pub fn merge(&mut self, value: &Value) -> Result<(), FactsError> {
        let map = match value {
            Value::Null => return Ok(()),
            Value::Map(map) => map,
            other => return Err(FactsError::NotAMap { found: other.describe() }),
        };
        let mut given = Given::default();
        for (key, value) in map {
            match (key.as_str(), value) {
                ("facts" | "grains", Value::Map(inner)) => {
                    for (key, value) in inner {
                        self.take(key, value, &mut given);
                    }
                }
                _ => self.take(key, value, &mut given),
            }
        }
        self.complete(given);
        Ok(())
    }

    /// Adds a fact of the site's own, under both names. A name that is built in is refused.
    pub fn insert_custom(&mut self, name: &str, value: Value) -> Result<(), FactsError> {
        if facts_schema::is_namespace(name) || facts_grains::grain(name).is_some() || name == "id" {
            return Err(FactsError::Reserved { name: name.to_owned() });
        }
        self.values.insert(name.to_owned(), value.clone());
        self.grains.insert(name.to_owned(), value);
        Ok(())
    }

    fn take(&mut self, key: &str, value: &Value, given: &mut Given) {
        if key == "id"
            && let Value::Str(id) = value
        {
            self.set_id(id.clone());
            return;
        }
        // `os` is a namespace of facts and a grain, told apart by what it holds.
        let grain = facts_grains::grain(key);
        if facts_schema::is_namespace(key) && (grain.is_none() || matches!(value, Value::Map(_))) {
            merge_fact(&mut self.values, key, value, "", given);
            return;
        }
        self.grains.insert(key.to_owned(), value.clone());
        if grain.is_some() {
            given.grains.insert(key.to_owned());
        } else if let Some(fact) = facts_schema::fact(key) {
            // A dotted key: `os.family: debian`.
            set(&mut self.values, fact.path, value.clone());
            self.grains.shift_remove(key);
            given.facts.insert(key.to_owned());
        } else {
            self.values.insert(key.to_owned(), value.clone());
        }
    }

    /// Makes facts and grains agree, starting from what was given.
    fn complete(&mut self, mut given: Given) {
        for row in GRAINS {
            let Some((path, conversion)) = row.fact else { continue };
            if given.grains.contains(row.name) && !given.facts.contains(path) {
                let back = self.grains.get(row.name).and_then(|v| conversion.to_fact(v, self));
                if let Some(value) = back {
                    set(&mut self.values, path, value);
                    given.facts.insert(path.to_owned());
                }
            }
        }
        facts_grains::complete_facts(self, &mut given);
        for row in GRAINS {
            let Some((path, conversion)) = row.fact else { continue };
            if given.facts.contains(path) && !given.grains.contains(row.name) {
                let forth = self.fact(path).and_then(|v| conversion.to_grain(v, self));
                if let Some(value) = forth {
                    self.grains.insert(row.name.to_owned(), value);
                    given.grains.insert(row.name.to_owned());
                }
            }
        }
        facts_grains::complete_grains(self, &given);
        self.grains.insert("id".to_owned(), Value::Str(self.id.clone()));
    }

    pub(super) fn set_fact(&mut self, path: &str, value: Value) {
        set(&mut self.values, path, value);
    }
}

/// Facts (dotted paths) and grains that were given, rather than derived.
#[derive(Default)]
pub(super) struct Given {
    pub facts: HashSet<String>,
    pub grains: HashSet<String>,
}

fn merge_fact(map: &mut Map, key: &str, value: &Value, prefix: &str, given: &mut Given) {
    let path = if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") };
    if let Value::Map(inner) = value
        && facts_schema::fact(&path).is_none()
    {
        let slot = map.entry(key.to_owned()).or_default();
        if !matches!(slot, Value::Map(_)) {
            *slot = Value::Map(Map::new());
        }
        if let Value::Map(slot) = slot {
            for (key, value) in inner {
                merge_fact(slot, key, value, &path, given);
            }
        }
        return;
    }
    map.insert(key.to_owned(), value.clone());
    given.facts.insert(path);
}

fn set(map: &mut Map, path: &str, value: Value) {
    let Some((first, rest)) = path.split_once('.') else {
        map.insert(path.to_owned(), value);
        return;
    };
    let slot = map.entry(first.to_owned()).or_default();
    if !matches!(slot, Value::Map(_)) {
        *slot = Value::Map(Map::new());
    }
    if let Value::Map(inner) = slot {
        set(inner, rest, value);
    }
}

fn lookup<'a>(map: &'a Map, path: &str, separator: char) -> Option<&'a Value> {
    if let Some(value) = map.get(path) {
        return Some(value);
    }
    let (first, rest) = path.split_once(separator)?;
    map.get(first)?.lookup(rest, separator)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(text: &str) -> Facts {
        let mut facts = Facts { id: "web-01".to_owned(), ..Facts::default() };
        facts.merge_text(text).unwrap();
        facts
    }

    #[test]
    fn grains_follow_from_facts() {
        let facts = merged("os: {family: debian}");
        assert_eq!(facts.grains["os_family"], Value::from("Debian"));
        assert_eq!(facts.grains["id"], Value::from("web-01"));
        assert_eq!(facts.grains.get("os"), None);

        let facts = merged("os: {platform: rocky, platform_version: '9.3', arch: amd64}");
        assert_eq!(facts.grains["os"], Value::from("Rocky"));
        assert_eq!(facts.grains["os_family"], Value::from("RedHat"));
        assert_eq!(facts.grains["osmajorrelease"], Value::Int(9));
        assert_eq!(facts.grains["osfinger"], Value::from("Rocky Linux-9"));
        assert_eq!(facts.grains["osarch"], Value::from("x86_64"));
        assert_eq!(facts.grains["cpuarch"], Value::from("x86_64"));
        assert_eq!(facts.fact("os.family"), Some(&Value::from("rhel")));
    }

    #[test]
    fn facts_follow_from_grains() {
        let facts = merged("grains: {os: Ubuntu, osrelease: '22.04', mem_total: 2048, osarch: amd64}");
        assert_eq!(facts.fact("os.platform"), Some(&Value::from("ubuntu")));
        assert_eq!(facts.fact("os.family"), Some(&Value::from("debian")));
        assert_eq!(facts.fact("memory.total"), Some(&Value::Int(2048 * 1024 * 1024)));
        assert_eq!(facts.fact("os.arch"), Some(&Value::from("amd64")));
        assert_eq!(facts.grains["os_family"], Value::from("Debian"));
        assert_eq!(facts.grains["osfinger"], Value::from("Ubuntu-22.04"));
    }

    #[test]
    fn what_is_given_is_not_derived() {
        let facts = merged("os: Ubuntu\nosfinger: Special-1\nos_family: Own\n");
        assert_eq!(facts.grains["osfinger"], Value::from("Special-1"));
        assert_eq!(facts.grains["os_family"], Value::from("Own"));
    }

    #[test]
    fn a_later_file_replaces_what_follows() {
        let mut facts = merged("os: Ubuntu\nosrelease: '22.04'");
        facts.merge_text("os: {platform: alpine, platform_version: '3.19.1'}").unwrap();
        assert_eq!(facts.grains["os_family"], Value::from("Alpine"));
        assert_eq!(facts.grains["osfinger"], Value::from("Alpine Linux-3"));
    }

    #[test]
    fn custom_facts_have_both_names_and_cannot_replace() {
        let mut facts = merged("role: web\nos.family: suse");
        assert_eq!(facts.get("role"), Some(&Value::from("web")));
        assert_eq!(facts.grains["role"], Value::from("web"));
        assert_eq!(facts.grains["os_family"], Value::from("Suse"));
        assert_eq!(
            facts.insert_custom("memory", Value::Null).unwrap_err().to_string(),
            "`memory` is a built-in fact, which a custom fact cannot replace"
        );
        facts.insert_custom("rack", Value::from("b4")).unwrap();
        assert_eq!(facts.grain("rack"), Some(&Value::from("b4")));
    }

    #[test]
    fn a_list_is_no_set_of_facts() {
        Facts::default().merge_text("{\n\t\"os\": \"Ubuntu\"\n}").unwrap();
        let error = Facts::default().merge_text("- a\n").unwrap_err();
        assert_eq!(error.to_string(), "it holds a list, where a map of facts is expected");
    }
}
