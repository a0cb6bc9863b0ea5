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
        let root = super::interim::document(file, text)
            .map_err(|message| vec![Wrong::at(Span::new(file, 0..text.len()), message).0])?;
        let mut reader = Reader { problems: Vec::new() };
        let mut config = Self { extensions: vec!["zy".into()], ..Self::default() };
        if !matches!(root.kind, NodeKind::Empty) {
            reader.config(&root, &mut config);
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
    if quoted && width == text.value.len() + 2 {
        return Span { start: text.span.start + 1, end: text.span.end - 1, ..text.span };
    }
    text.span
}
