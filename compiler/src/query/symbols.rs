//! The names that a project defines, for whoever looks for one by some of its letters.

use super::{Index, IndexedFile, Outline, OutlineKind, outline};
use crate::{check::in_parallel, source::Span};
use std::sync::Arc;

/// A name that a file defines.
pub struct FileSymbol {
    /// The name.
    pub name: Box<str>,
    /// In small letters, where those are others.
    lower: Option<Box<str>>,
    letters: Letters,
    /// What it names.
    pub kind: OutlineKind,
    /// The keys above it, of a key of settings.
    pub above: Option<Arc<str>>,
    /// Where it stands.
    pub span: Span,
}

/// The names that a file defines. Kept for as long as its text is the same.
pub(super) struct FileSymbols {
    /// Those of all names.
    letters: Letters,
    all: Box<[FileSymbol]>,
}

/// Which letters occur in a text: what lacks one of them is sorted out at once.
#[derive(Clone, Copy, Default)]
struct Letters(u64);

impl Letters {
    fn of(lower: &str) -> Self {
        let bit = |c: char| match c {
            'a'..='z' => c as u32 - 'a' as u32,
            '0'..='9' => 26 + c as u32 - '0' as u32,
            // Several share the rest.
            c => 36 + c as u32 % 28,
        };
        Self(lower.chars().fold(0, |all, c| all | 1 << bit(c)))
    }

    fn has(self, all: Self) -> bool {
        all.0 & !self.0 == 0
    }
}

/// A name that fits a query.
pub struct FoundSymbol<'i> {
    /// The name.
    pub symbol: &'i FileSymbol,
    /// Its file.
    pub file: &'i IndexedFile,
    fit: u8,
}

impl FoundSymbol<'_> {
    /// What comes first: what begins with the query, has a word that does, has it, has its letters; and the short before
    /// the long.
    pub fn order(&self) -> (u8, usize, &str, &str, u32) {
        let FileSymbol { name, span, .. } = self.symbol;
        (self.fit, name.len(), name, &self.file.path, span.start)
    }
}

impl FileSymbol {
    fn of(entry: &Outline, above: Option<Arc<str>>) -> Self {
        let lower = entry.name.to_lowercase();
        Self {
            letters: Letters::of(&lower),
            lower: (lower != entry.name).then(|| lower.into()),
            name: entry.name.as_str().into(),
            kind: entry.kind,
            above,
            span: entry.name_span,
        }
    }

    /// How well a query fits, smaller is better; nothing where a letter of it is missing.
    fn fit(&self, query: &str) -> Option<u8> {
        let name = self.lower.as_deref().unwrap_or(&self.name);
        let after_word = |at: usize| name.get(..at).is_some_and(|b| !b.ends_with(char::is_alphanumeric));
        match name.find(query) {
            Some(0) if name.len() == query.len() => Some(0),
            Some(0) => Some(1),
            Some(_) if name.match_indices(query).any(|(at, _)| after_word(at)) => Some(2),
            Some(_) => Some(3),
            None => {
                let mut letters = name.chars();
                query.chars().all(|c| letters.any(|l| l == c)).then_some(4)
            }
        }
    }
}

impl FileSymbols {
    fn of(file: &IndexedFile) -> Self {
        let mut all = Vec::new();
        let mut pending: Vec<(Outline, Option<Arc<str>>)> =
            outline(&file.context, &file.tree).into_iter().map(|entry| (entry, None)).collect();
        while let Some((entry, above)) = pending.pop() {
            if entry.kind == OutlineKind::Key && !entry.children.is_empty() {
                let path: Arc<str> = match &above {
                    Some(above) => format!("{above}.{}", entry.name).into(),
                    None => entry.name.as_str().into(),
                };
                all.push(FileSymbol::of(&entry, above));
                pending.extend(entry.children.into_iter().map(|child| (child, Some(path.clone()))));
            } else if matches!(entry.kind, OutlineKind::State | OutlineKind::Macro | OutlineKind::Key) {
                all.push(FileSymbol::of(&entry, above));
            }
        }
        let letters = Letters(all.iter().fold(0, |letters, symbol: &FileSymbol| letters | symbol.letters.0));
        Self { letters, all: all.into() }
    }
}

impl Index {
    /// The ids, macros and settings of all files whose names have the letters of a query, those that fit best, in no order.
    /// Nothing when `go_on` says that nobody wants to know any more.
    pub fn symbols(
        &self,
        query: &str,
        most: usize,
        go_on: &(dyn Fn() -> bool + Sync),
    ) -> Option<Vec<FoundSymbol<'_>>> {
        let query = query.to_lowercase();
        let letters = Letters::of(&query);
        // Only files with another text than the last time are read.
        let fresh: Vec<&IndexedFile> =
            self.files.iter().map(|file| &**file).filter(|file| file.symbols.get().is_none()).collect();
        in_parallel(&fresh, |file| {
            if go_on() {
                file.symbols.get_or_init(|| FileSymbols::of(file));
            }
        });
        let mut found: Vec<FoundSymbol<'_>> = Vec::new();
        for file in &self.files {
            if !go_on() {
                return None;
            }
            let Some(symbols) = file.symbols.get().filter(|symbols| symbols.letters.has(letters)) else {
                continue;
            };
            for symbol in symbols.all.iter().filter(|symbol| symbol.letters.has(letters)) {
                if let Some(fit) = symbol.fit(&query) {
                    found.push(FoundSymbol { symbol, file, fit });
                }
            }
            if found.len() > most.saturating_mul(4) {
                best(&mut found, most);
            }
        }
        best(&mut found, most);
        Some(found)
    }
}

/// Keeps those that come first.
fn best(found: &mut Vec<FoundSymbol<'_>>, most: usize) {
    if found.len() > most {
        found.select_nth_unstable_by(most, |a, b| a.order().cmp(&b.order()));
        found.truncate(most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        check::{CheckOptions, Session},
        project::{OpenOptions, Project},
        source::{MemorySources, SourceError, Sources},
        types::Registry,
    };
    use std::sync::RwLock;

    /// Files that change.
    struct Changing(RwLock<MemorySources>);

    impl Sources for Changing {
        fn read(&self, path: &str) -> Result<Arc<[u8]>, SourceError> {
            self.0.read().unwrap().read(path)
        }

        fn is_file(&self, path: &str) -> bool {
            self.0.read().unwrap().is_file(path)
        }

        fn is_dir(&self, path: &str) -> bool {
            self.0.read().unwrap().is_dir(path)
        }

        fn files_below(&self, path: &str) -> Vec<String> {
            self.0.read().unwrap().files_below(path)
        }
    }

    fn names(index: &Index, query: &str, most: usize) -> Vec<String> {
        let mut found = index.symbols(query, most, &|| true).unwrap();
        found.sort_by(|a, b| a.order().cmp(&b.order()));
        found.iter().map(|found| found.symbol.name.to_string()).collect()
    }

    #[test]
    fn files_are_read_once_for_each_text() {
        let files = MemorySources::new()
            .with("states/a.zy", "nginx:\n  test.nop: []\nweb-nginx:\n  test.nop: []\n")
            .with("states/b.zy", "NGINX-extra:\n  test.nop: []\nother:\n  test.nop: []\n")
            .with("settings/c.zy", "no:\n  great:\n    in: x\n");
        let sources = Arc::new(Changing(RwLock::new(files)));
        let project = Arc::new(Project::open(sources.clone(), OpenOptions::default()).unwrap());
        let registry = Arc::new(Registry::default());
        let mut session = Session::new();
        let mut check = |previous: Option<&Index>| {
            let options = CheckOptions::default();
            session.check_indexed(&project, &registry, &options, previous, &|| false).unwrap().1
        };
        let first = check(None);
        assert!(first.symbols("nginx", 9, &|| false).is_none());
        assert_eq!(names(&first, "nginx", 9), ["nginx", "NGINX-extra", "web-nginx"]);
        assert_eq!(names(&first, "nginx", 2), ["nginx", "NGINX-extra"]);
        assert_eq!(names(&first, "ngx", 9), ["nginx", "web-nginx", "NGINX-extra"]);
        assert_eq!(names(&first, "no", 1), ["no"]);
        let of = |index: &Index, path: &str| {
            index.file(path).unwrap().symbols.get().map(|symbols| std::ptr::from_ref(symbols).addr())
        };
        assert!(of(&first, "states/b.zy").is_some());
        sources.0.write().unwrap().insert("states/a.zy", "apache:\n  test.nop: []\n");
        project.forget("states/a.zy");
        let second = check(Some(&first));
        assert_eq!(of(&second, "states/b.zy"), of(&first, "states/b.zy"));
        assert_eq!(of(&second, "states/a.zy"), None);
        assert_eq!(names(&second, "a", 9)[0], "apache");
        assert_eq!(names(&second, "nginx", 9), ["NGINX-extra"]);
    }
}
