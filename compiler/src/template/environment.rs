//! The template environment of a tree of files: filters, tests, functions, and what is rewritten once.

use super::{
    Functions, filter, global, python,
    render::print,
    rewrite::{Rewritten, rewrite},
};
use crate::{
    source::{FileId, Span},
    syntax::Tree,
};
use minijinja::{TemplateSource, UndefinedBehavior};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, RwLock},
};

/// Steps a render may take. A real tree's largest file takes some hundred thousand.
const FUEL: u64 = 10_000_000;
/// Deepest chain of macro calls, includes and imports.
const RECURSION: usize = 120;

/// Files that templates import and include.
pub trait TemplateFiles: Send + Sync {
    /// The parsed file at `path` of environment `env`'s tree; `None` when there is none.
    fn tree(&self, env: &str, path: &str) -> Option<Arc<Tree>>;

    /// All paths of the tree, for near misses.
    fn paths(&self, env: &str) -> Vec<String>;
}

/// What is rewritten once.
#[derive(Default)]
struct Cache {
    rewritten: RwLock<HashMap<FileId, Arc<Rewritten>>>,
    /// Files in the order of their marks' numbers.
    marked: Mutex<Vec<Arc<Rewritten>>>,
}

impl Cache {
    fn rewritten(&self, tree: &Arc<Tree>) -> Arc<Rewritten> {
        if let Some(found) = self.rewritten.read().unwrap_or_else(|e| e.into_inner()).get(&tree.file)
            && Arc::ptr_eq(&found.tree, tree)
        {
            return found.clone();
        }
        let mut marked = self.marked.lock().unwrap_or_else(|e| e.into_inner());
        let first = marked.last().map_or(0, |last| last.first_mark + last.marks.len());
        let made = Arc::new(rewrite(tree.clone(), first));
        if !made.marks.is_empty() {
            marked.push(made.clone());
        }
        self.rewritten.write().unwrap_or_else(|e| e.into_inner()).insert(tree.file, made.clone());
        made
    }
}

/// Templates of one tree, with the functions they may call. Usable from many threads. What a peel's data has no part in is done once: a
/// template is compiled for all peels.
pub struct Environment {
    pub(super) files: Arc<dyn TemplateFiles>,
    pub(super) functions: Arc<dyn Functions>,
    cache: Arc<Cache>,
    base: minijinja::Environment<'static>,
    /// The templates of each environment of the tree.
    compiled: RwLock<HashMap<String, Arc<minijinja::Environment<'static>>>>,
}

impl Environment {
    /// An environment over `files` whose templates may call `functions`.
    pub fn new(files: Arc<dyn TemplateFiles>, functions: Arc<dyn Functions>) -> Self {
        let mut base = minijinja::Environment::new();
        base.set_undefined_behavior(UndefinedBehavior::Strict);
        let syntax = minijinja::syntax::SyntaxConfig::builder().keep_trailing_newline(true).build();
        if let Ok(syntax) = syntax {
            base.set_syntax(syntax);
        }
        base.set_fuel(Some(FUEL));
        base.set_recursion_limit(RECURSION);
        base.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        base.set_unknown_method_callback(|state, value, method, args| {
            python_method(state, value, method, args)
        });
        base.set_path_join_callback(|name, parent| join(name, parent).into());
        filter::register(&mut base);
        global::register(&mut base);
        base.set_formatter(print);
        Self { files, functions, cache: Arc::default(), base, compiled: RwLock::default() }
    }

    /// The templates of environment `env`.
    pub(super) fn compiled(&self, env: &str) -> Arc<minijinja::Environment<'static>> {
        if let Some(found) = self.compiled.read().unwrap_or_else(|e| e.into_inner()).get(env) {
            return found.clone();
        }
        // The loader outlives this call's borrows, so it gets handles of its own.
        let (files, cache, name) = (self.files.clone(), self.cache.clone(), env.to_owned());
        let mut made = self.base.clone();
        made.set_loader(move |path| {
            let path = join(path, "");
            let Some(tree) = files.tree(&name, &path) else { return Ok(None) };
            let text = cache.rewritten(&tree).text.clone();
            let (files, name) = (files.clone(), name.clone());
            let is_same = move || files.tree(&name, &path).is_some_and(|now| Arc::ptr_eq(&now, &tree));
            Ok(Some(TemplateSource::new(text).with_uptodate_check(is_same)))
        });
        let mut all = self.compiled.write().unwrap_or_else(|e| e.into_inner());
        all.entry(env.to_owned()).or_insert_with(|| Arc::new(made)).clone()
    }

    /// The rewritten form of a file, made once.
    pub(super) fn rewritten(&self, tree: &Arc<Tree>) -> Arc<Rewritten> {
        self.cache.rewritten(tree)
    }

    /// The source place of a mark.
    pub(super) fn mark(&self, number: usize) -> Option<Span> {
        let marked = self.cache.marked.lock().unwrap_or_else(|e| e.into_inner());
        let at = marked.partition_point(|file| file.first_mark + file.marks.len() <= number);
        let file = marked.get(at)?;
        let range = file.marks.get(number.checked_sub(file.first_mark)?)?;
        Some(Span::new(file.tree.file, range.clone()))
    }
}

/// Python's methods of strings; what they give can be changed.
fn python_method(
    state: &mut minijinja::State<'_, '_>,
    value: &minijinja::Value,
    method: &str,
    args: &[minijinja::Value],
) -> Result<minijinja::Value, minijinja::Error> {
    if let Some(text) = value.as_str() {
        let text = super::provenance::strip(text);
        if method == "format" {
            return global::format(&text, args);
        }
        if method == "encode" || method == "decode" {
            return Ok(minijinja::Value::from(text.as_ref()));
        }
        if method == "zfill" {
            let width = args.first().and_then(minijinja::Value::as_i64).unwrap_or(0).clamp(0, 1000) as usize;
            let missing = width.saturating_sub(text.chars().count());
            return Ok(minijinja::Value::from("0".repeat(missing) + &text));
        }
        if matches!(method, "ljust" | "rjust") {
            let width = args.first().and_then(minijinja::Value::as_i64).unwrap_or(0).clamp(0, 1000) as usize;
            let fill = " ".repeat(width.saturating_sub(text.chars().count()));
            let text = if method == "ljust" { format!("{text}{fill}") } else { format!("{fill}{text}") };
            return Ok(minijinja::Value::from(text));
        }
        if method == "partition" {
            let separator = args.first().and_then(|a| a.as_str().map(str::to_owned)).unwrap_or_default();
            let (a, b, c) = text
                .split_once(separator.as_str())
                .map_or((text.as_ref(), "", ""), |(a, c)| (a, separator.as_str(), c));
            return Ok(super::mutable::list(vec![a.into(), b.into(), c.into()]));
        }
    }
    let result = minijinja_contrib::pycompat::unknown_method_callback(state, value, method, args)?;
    Ok(super::mutable::mutable(&result))
}

/// `./x` and `../x` are relative to the file that names them; everything else to the root of the tree.
pub(super) fn join(name: &str, parent: &str) -> String {
    let name = name.strip_prefix("salt://").or_else(|| name.strip_prefix("zester://")).unwrap_or(name);
    if !name.starts_with("./") && !name.starts_with("../") {
        return name.trim_start_matches('/').to_owned();
    }
    let mut segments: Vec<&str> = parent.split('/').collect();
    segments.pop();
    for segment in name.split('/') {
        match segment {
            "." | "" => {}
            ".." => {
                segments.pop();
            }
            other => segments.push(other),
        }
    }
    segments.join("/")
}

/// `str(value)` without marks.
pub(super) fn plain_text(value: &minijinja::Value) -> String {
    super::provenance::strip(&python::text(value)).into_owned()
}
