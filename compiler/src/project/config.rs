//! `zester.yaml`: what a project says about itself.

use super::CONFIG_FILE;
use crate::{
    diagnostic::{Diagnostic, Levels, nearest},
    source::{FileId, Files, SourceError, Sources, Span, Spanned},
    syntax::{Entry, Node, NodeKind, ScalarStyle},
    target::{Nodegroups, Target},
};
use indexmap::IndexMap;
use std::sync::Arc;

crate::rule! {
    /// `zester.yaml` says something that it cannot say: an unknown key, a value of the wrong type, a directory that does not exist.
    ///
    /// A key that is misspelt would otherwise be without effect, and a project would be read differently from what
    /// its author believes. Nothing is checked or run until the file is right.
    ///
    /// ```yaml
    /// nodegroup:
    ///   web: "web*"
    /// ```
    ///
    /// Write instead:
    ///
    /// ```yaml
    /// nodegroups:
    ///   web: "web*"
    /// ```
    pub WRONG_CONFIGURATION = "Z0590", "wrong-configuration", Error;
}

/// A project's configuration. Every key is optional.
#[derive(Debug, Default)]
pub struct Config {
    /// `states`: roots of the state tree of environment `base`; `None` for the defaults.
    pub states: Option<Vec<Spanned<String>>>,
    /// `settings`: roots of the settings tree of environment `base`; `None` for the defaults.
    pub settings: Option<Vec<Spanned<String>>>,
    /// `environments`, in the order of the file.
    pub environments: IndexMap<String, EnvironmentRoots>,
    /// `nodegroups`: named targets.
    pub nodegroups: Nodegroups,
    /// `facts`: directories with the facts of known peels.
    pub facts: Vec<Spanned<String>>,
    /// `extensions`: of state and settings files, without dots.
    pub extensions: Vec<String>,
    /// `lint`: severities by rule.
    pub levels: Levels,
}

/// Roots of an environment; `None` where the key is absent.
#[derive(Debug, Default, Clone)]
pub struct EnvironmentRoots {
    /// `states`
    pub states: Option<Vec<Spanned<String>>>,
    /// `settings`
    pub settings: Option<Vec<Spanned<String>>>,
}

/// Why a project could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// The file says something wrong; never empty.
    #[error("{}", self.first())]
    Wrong {
        /// Everything that is wrong with it.
        diagnostics: Vec<Diagnostic>,
        /// The table the diagnostics' places belong to.
        files: Arc<Files>,
    },
}

impl ConfigError {
    fn first(&self) -> String {
        match self {
            ConfigError::Source(error) => error.to_string(),
            ConfigError::Wrong { diagnostics, files } => diagnostics.first().map_or_else(String::new, |d| {
                let (path, at) = files.locate(d.span);
                format!("{path}:{}:{}: {}", at.line, at.column, d.message)
            }),
        }
    }

    /// The findings, with the table their places belong to; none when the file could not be read at all.
    pub fn diagnostics(&self) -> Option<(&[Diagnostic], &Arc<Files>)> {
        match self {
            ConfigError::Source(_) => None,
            ConfigError::Wrong { diagnostics, files } => Some((diagnostics, files)),
        }
    }
}

/// One finding on the way to a [`ConfigError`].
pub(super) struct Wrong(Diagnostic);

impl Wrong {
    pub fn at(span: Span, message: impl Into<String>) -> Self {
        Self(Diagnostic::new(&WRONG_CONFIGURATION, span, message))
    }

    pub fn help(self, help: impl Into<String>) -> Self {
        Self(self.0.help(help))
    }

    pub fn in_files(self, files: &Arc<Files>) -> ConfigError {
        ConfigError::Wrong { diagnostics: vec![self.0], files: files.clone() }
    }
}

impl Config {
    /// Reads the configuration at the root of `sources`; the defaults when there is none.
    pub fn load(sources: &dyn Sources, files: &Arc<Files>) -> Result<Self, ConfigError> {
        let bytes = match sources.read(CONFIG_FILE) {
            Ok(bytes) => bytes,
            Err(SourceError::NotFound(_)) => {
                return Ok(Self { extensions: vec!["zy".into()], ..Self::default() });
            }
            Err(error) => return Err(error.into()),
        };
        let text = std::str::from_utf8(&bytes).map_err(|error| SourceError::NotText {
            path: CONFIG_FILE.to_owned(),
            offset: error.valid_up_to(),
        })?;
        let file = files.add(CONFIG_FILE, text);
        Self::parse(file, text)
            .map_err(|diagnostics| ConfigError::Wrong { diagnostics, files: files.clone() })
    }

    /// Reads a configuration's text.
    pub fn parse(file: FileId, text: &str) -> Result<Self, Vec<Diagnostic>> {
        let document = crate::syntax::parse_rendered(file, text, &[]);
        let mut reader = Reader { problems: document.diagnostics };
        let mut config = Self { extensions: vec!["zy".into()], ..Self::default() };
        if let Some(root) = &document.root
            && !matches!(root.kind, NodeKind::Empty)
        {
            reader.config(root, &mut config);
        }
        reader.problems.retain(Diagnostic::is_error);
        if reader.problems.is_empty() { Ok(config) } else { Err(reader.problems) }
    }
}

const KEYS: &[&str] = &["states", "settings", "environments", "nodegroups", "facts", "extensions", "lint"];

struct Reader {
    problems: Vec<Diagnostic>,
}

impl Reader {
    fn wrong(&mut self, span: Span, message: impl Into<String>, help: impl Into<String>) {
        self.problems.push(Wrong::at(span, message).help(help).0);
    }

    fn config(&mut self, root: &Node, config: &mut Config) {
        for (key, entry) in self.entries(root, "`zester.yaml`") {
            match key.as_str() {
                "states" => config.states = Some(self.directories(&entry.value, "states")),
                "settings" => config.settings = Some(self.directories(&entry.value, "settings")),
                "environments" => config.environments = self.environments(&entry.value),
                "nodegroups" => config.nodegroups = self.nodegroups(&entry.value),
                "facts" => config.facts = self.directories(&entry.value, "facts"),
                "extensions" => config.extensions = self.extensions(&entry.value),
                "lint" => config.levels = self.levels(&entry.value),
                _ => self.unknown(entry, &key, KEYS, "`zester.yaml`"),
            }
        }
    }

    fn unknown(&mut self, entry: &Entry, key: &str, known: &[&str], owner: &str) {
        let help = match nearest(key, known.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("its keys are {}", known.join(", ")),
        };
        self.wrong(entry.key.span, format!("{owner} has no key `{key}`"), help);
    }

    /// The entries of a map by the text of their keys.
    fn entries<'n>(&mut self, node: &'n Node, what: &str) -> Vec<(String, &'n Entry)> {
        let Some(mapping) = node.as_mapping() else {
            if !matches!(node.kind, NodeKind::Empty | NodeKind::Error) {
                self.wrong(
                    node.span,
                    format!("{what} is {}, where a map is expected", node.describe()),
                    "write `key: value` lines",
                );
            }
            return Vec::new();
        };
        let mut entries = Vec::new();
        for entry in &mapping.entries {
            match entry.key.text() {
                Some(key) => entries.push((key.into_owned(), entry)),
                None => self.wrong(
                    entry.key.span,
                    format!("{} is no key", entry.key.describe()),
                    "write a plain name",
                ),
            }
        }
        entries
    }

    /// A list of texts; a single text is a list of one.
    fn texts(&mut self, node: &Node, what: &str) -> Vec<Spanned<String>> {
        let items: Vec<&Node> = match &node.kind {
            NodeKind::Sequence(sequence) => sequence.items.iter().collect(),
            NodeKind::Empty => Vec::new(),
            _ => vec![node],
        };
        let mut texts = Vec::new();
        for item in items {
            match item.text() {
                Some(text) if !text.is_empty() => texts.push(Spanned::new(text.into_owned(), item.span)),
                _ => self.wrong(
                    item.span,
                    format!("{what} holds {}, where text is expected", item.describe()),
                    format!("write a list of texts: `[{what}]`"),
                ),
            }
        }
        texts
    }

    fn directories(&mut self, node: &Node, what: &str) -> Vec<Spanned<String>> {
        self.texts(node, what)
    }

    fn environments(&mut self, node: &Node) -> IndexMap<String, EnvironmentRoots> {
        let mut environments = IndexMap::new();
        for (name, entry) in self.entries(node, "environments") {
            let mut roots = EnvironmentRoots::default();
            for (key, inner) in self.entries(&entry.value, &format!("environment `{name}`")) {
                match key.as_str() {
                    "states" => roots.states = Some(self.directories(&inner.value, "states")),
                    "settings" => roots.settings = Some(self.directories(&inner.value, "settings")),
                    _ => self.unknown(inner, &key, &["states", "settings"], &format!("environment `{name}`")),
                }
            }
            environments.insert(name, roots);
        }
        environments
    }

    fn nodegroups(&mut self, node: &Node) -> Nodegroups {
        let mut nodegroups = Nodegroups::new();
        for (name, entry) in self.entries(node, "nodegroups") {
            // Salt writes a nodegroup as a text or as a list of its words.
            let words = self.texts(&entry.value, "nodegroup");
            let target = match words.as_slice() {
                [] => {
                    self.wrong(
                        entry.value.span,
                        format!("nodegroup `{name}` has no target"),
                        "write a target: `\"web* and G@os.family:debian\"`",
                    );
                    continue;
                }
                [word] => {
                    let (target, problems) = Target::parse(&word.value, content_span(&entry.value, word));
                    self.problems.extend(problems);
                    target
                }
                words => {
                    let joined: Vec<&str> = words.iter().map(|w| w.value.as_str()).collect();
                    let (target, problems) = Target::parse(&joined.join(" "), entry.value.span);
                    self.problems.extend(problems);
                    target
                }
            };
            nodegroups.insert(name, target);
        }
        let unknown: Vec<Diagnostic> =
            nodegroups.iter().flat_map(|(_, t)| t.check_groups(&nodegroups)).collect();
        self.problems.extend(unknown);
        nodegroups
    }

    fn extensions(&mut self, node: &Node) -> Vec<String> {
        let mut extensions = Vec::new();
        for text in self.texts(node, "extensions") {
            let extension = text.value.trim_start_matches('.');
            if extension.is_empty() || !extension.bytes().all(|b| b.is_ascii_alphanumeric()) {
                self.wrong(
                    text.span,
                    format!("`{}` is not a file extension", text.value),
                    "write it as `zy` or `sls`",
                );
                continue;
            }
            extensions.push(extension.to_owned());
        }
        if extensions.is_empty() {
            extensions.push("zy".to_owned());
        }
        extensions
    }

    fn levels(&mut self, node: &Node) -> Levels {
        let mut levels = Levels::new();
        for (name, entry) in self.entries(node, "lint") {
            // `off` is a level's word and also how YAML writes false; the author's own text decides.
            let Some(level) = entry.value.text() else {
                self.wrong(
                    entry.value.span,
                    format!("the level of `{name}` is {}", entry.value.describe()),
                    "the levels are allow, hint, warn, deny",
                );
                continue;
            };
            if let Err(error) = levels.set(&name, &level) {
                let span = match error {
                    crate::diagnostic::LevelError::UnknownRule { .. } => entry.key.span,
                    crate::diagnostic::LevelError::UnknownLevel(_) => entry.value.span,
                };
                self.wrong(span, error.to_string(), "`zester explain` lists the rules");
            }
        }
        levels
    }
}

/// Where the text of a scalar starts and ends, so that places in it are places of the file: inside its quotes when
/// nothing is escaped there.
fn content_span(node: &Node, text: &Spanned<String>) -> Span {
    let quoted = matches!(
        &node.kind,
        NodeKind::Scalar(scalar) if matches!(scalar.style, ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted)
    );
    let width = (text.span.end - text.span.start) as usize;
    if quoted && width == text.value.len() + 2 && text.value.is_ascii() {
        return Span { start: text.span.start + 1, end: text.span.end - 1, ..text.span };
    }
    text.span
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        project::{OpenOptions, Project, TreeKind},
        source::MemorySources,
    };

    fn open(config: &str, files: &[&str]) -> Result<Project, ConfigError> {
        let mut sources = MemorySources::new().with(CONFIG_FILE, config);
        for path in files {
            sources.insert(*path, "");
        }
        Project::open(Arc::new(sources), OpenOptions::default())
    }

    fn problems(config: &str) -> Vec<String> {
        let error = open(config, &["states/top.zy"]).err().expect(config);
        let (diagnostics, _) = error.diagnostics().unwrap();
        diagnostics
            .iter()
            .map(|d| {
                let place = config.get(d.span.range()).unwrap_or("?");
                format!("[{place}] {} ({})", d.message, d.help.as_deref().unwrap_or_default())
            })
            .collect()
    }

    #[test]
    fn every_key_is_read() {
        let project = open(
            "states: [states, formulas]\nsettings: settings\n\
             environments: {dev: {states: [dev, states]}}\n\
             nodegroups: {web: \"web* and G@os.family:debian\", all: [N@web, or, db*]}\n\
             facts: [facts]\nextensions: [zy, .sls]\nlint: {unknown-module: warn}\n",
            &[
                "states/a.zy",
                "formulas/a.zy",
                "formulas/b.sls",
                "settings/top.zy",
                "dev/a.zy",
                "facts/x.yaml",
            ],
        )
        .unwrap();
        assert_eq!(project.environments().collect::<Vec<_>>(), ["base", "dev"]);
        let found = |env: &str, name: &str| {
            project
                .resolve(TreeKind::States, env, name, None)
                .map(|found| found.file.path)
                .unwrap_or_default()
        };
        assert_eq!(found("base", "a"), "states/a.zy");
        assert_eq!(found("base", "b"), "formulas/b.sls");
        assert_eq!(found("dev", "a"), "dev/a.zy");
        assert_eq!(project.config().nodegroups.names().collect::<Vec<_>>(), ["web", "all"]);
        assert_eq!(project.locate("dev/a.zy"), Some((TreeKind::States, "dev", "a.zy".to_owned())));
    }

    #[test]
    fn a_folder_without_configuration_is_a_state_tree() {
        let sources = MemorySources::new().with("web.zy", "").with("web/files/x", "");
        let project = Project::open(Arc::new(sources), OpenOptions::default()).unwrap();
        assert_eq!(project.resolve(TreeKind::States, "base", "web", None).unwrap().file.path, "web.zy");
        assert!(project.roots(TreeKind::Settings, "base").is_empty());
        let bare = open("", &["web.zy", "settings/top.zy", "settings/a.zy"]).unwrap();
        let states: Vec<String> =
            bare.sources_of(TreeKind::States, "base").into_iter().map(|file| file.path).collect();
        assert_eq!(states, ["web.zy"], "files of the settings are not states");
        assert_eq!(bare.references(TreeKind::Settings, "base"), ["a"]);
    }

    #[test]
    fn peels_that_are_known_come_from_files() {
        let mut sources = MemorySources::new().with(CONFIG_FILE, "facts: [facts]").with("states/a.zy", "");
        sources.insert("facts/web-01.yaml", "os: Ubuntu\n");
        sources.insert("facts/db.json", "{\"id\": \"db-01\", \"os\": {\"family\": \"rhel\"}}");
        sources.insert("facts/README", "no facts");
        let project = Project::open(Arc::new(sources), OpenOptions::default()).unwrap();
        let peels = project.inventory().unwrap();
        let ids: Vec<&str> = peels.iter().map(|peel| peel.facts.id.as_str()).collect();
        assert_eq!(ids, ["db-01", "web-01"]);
        assert_eq!(peels[0].facts.grains["os_family"], "RedHat".into());
    }

    #[test]
    fn what_is_wrong_has_its_place_and_its_repair() {
        assert_eq!(
            problems("nodegroup: {web: \"web*\"}\n"),
            ["[nodegroup] `zester.yaml` has no key `nodegroup` (did you mean `nodegroups`?)"]
        );
        assert_eq!(
            problems("states: [statse]\n"),
            ["[statse] `statse` is not a directory (create it, or take it out of the list)"]
        );
        assert_eq!(
            problems("states: [../other]\n"),
            ["[../other] `../other` lies outside of the project (name a directory below the one that holds \
              `zester.yaml`)"]
        );
        assert_eq!(
            problems("nodegroups: {web: \"web* adn x\"}\n"),
            ["[adn] expected `and` or `or` before `adn` (write an operator between two patterns)"]
        );
        assert_eq!(
            problems("nodegroups: {web: N@wbe, db: '*'}\n"),
            ["[N@wbe] there is no nodegroup `wbe` (did you mean `N@web`?)"]
        );
        assert_eq!(
            problems("lint: {unknown-modul: warn, unknown-module: loud}\n"),
            [
                "[unknown-modul] there is no rule `unknown-modul`; did you mean `unknown-module`? (`zester explain` \
                 lists the rules)",
                "[loud] `loud` is not a level; the levels are allow, hint, warn, deny (`zester explain` lists the rules)"
            ]
        );
        assert_eq!(
            problems("environments: {dev: {stats: [states]}}\nextensions: [{a: b}]\n"),
            [
                "[stats] environment `dev` has no key `stats` (did you mean `states`?)",
                "[{a: b}] extensions holds a map, where text is expected (write a list of texts: `[extensions]`)"
            ]
        );
        assert_eq!(
            problems("- states\n"),
            ["[- states] `zester.yaml` is a list, where a map is expected (write `key: value` lines)"]
        );
    }
}
