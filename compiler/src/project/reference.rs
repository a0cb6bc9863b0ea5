//! From a ref (`web.config`, `.users`) to the file it names.

use super::{Project, TreeFile, TreeKind, roots::is_plain_path};
use crate::diagnostic::nearest;

/// A ref with its file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reference {
    /// The ref in its one canonical form: absolute, dotted, without `.init` (`web` for `web/init.zy`). One file has
    /// one name, however it is referred to.
    pub name: String,
    /// The file.
    pub file: TreeFile,
    /// The other file the same ref could mean (`web/init.zy` beside `web.zy`), which loses.
    pub shadowed: Option<TreeFile>,
}

/// Why a ref names no file. The text is a full sentence; [`ResolveError::help`] says what to do.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ResolveError {
    /// No root has a file for it.
    #[error("no {} file is named `{reference}`", kind.word())]
    Missing {
        /// State or settings.
        kind: TreeKind,
        /// The absolute ref.
        reference: String,
        /// Tree paths that were looked for.
        tried: Vec<String>,
        /// Refs that may have been meant, the nearest first.
        near: Vec<String>,
    },
    /// It cannot be a ref.
    #[error("`{reference}` is not a ref: {reason}")]
    Malformed {
        /// As written.
        reference: String,
        /// What is wrong with it.
        reason: String,
    },
    /// More leading dots than directories.
    #[error("`{reference}` goes above the root of the tree, seen from `{from}`")]
    AboveRoot {
        /// As written.
        reference: String,
        /// Tree path of the file it stands in.
        from: String,
    },
    /// There is no such environment.
    #[error("there is no environment `{env}`")]
    Environment {
        /// The name.
        env: String,
        /// The names that exist.
        known: Vec<String>,
    },
}

impl ResolveError {
    /// What to do about it.
    pub fn help(&self) -> Option<String> {
        match self {
            ResolveError::Missing { near, tried, .. } => Some(match near.split_first() {
                Some((first, [])) => format!("did you mean `{first}`?"),
                Some(_) => format!("did you mean one of {}?", quoted(near)),
                None => format!("create one of {}", quoted(tried)),
            }),
            ResolveError::Malformed { .. } => {
                Some("write names separated by single dots: `web`, `web.config`, `.users`".to_owned())
            }
            ResolveError::AboveRoot { .. } => {
                Some("one dot is the file's own directory, each further dot the one above".to_owned())
            }
            ResolveError::Environment { known, .. } => {
                Some(format!("`zester.yaml` has the environments {}", quoted(known)))
            }
        }
    }
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

impl Project {
    /// The file a ref names. `from` is the tree path of the file it stands in, for refs with leading dots.
    pub fn resolve(
        &self,
        kind: TreeKind,
        env: &str,
        reference: &str,
        from: Option<&str>,
    ) -> Result<Reference, ResolveError> {
        self.known_environment(env)?;
        let stem = stem(reference, from)?;
        // A file that was named by its path although its extension is not configured brings its neighbours along.
        let inherited =
            from.and_then(extension).filter(|e| !self.extensions().iter().any(|known| known == e));
        let extensions = self.extensions().iter().map(String::as_str).chain(inherited);
        let tried: Vec<String> = {
            let extensions: Vec<&str> = extensions.collect();
            let plain = extensions.iter().map(|e| format!("{stem}.{e}"));
            let init = extensions.iter().map(|e| format!("{stem}/init.{e}"));
            plain.chain(init).collect()
        };
        let mut found = tried.iter().filter_map(|path| self.find(kind, env, path));
        let Some(file) = found.next() else {
            let reference = stem.replace('/', ".");
            let near = self.near(kind, env, &reference);
            return Err(ResolveError::Missing { kind, reference, tried, near });
        };
        Ok(Reference { name: reference_name(&file.tree_path), file, shadowed: found.next() })
    }

    /// The files a ref names; unlike [`Project::resolve`] it understands the globs of Salt's includes and top files
    /// (`users.*`). A glob that matches nothing is an error like any other ref without a file.
    pub fn resolve_all(
        &self,
        kind: TreeKind,
        env: &str,
        reference: &str,
        from: Option<&str>,
    ) -> Result<Vec<Reference>, ResolveError> {
        if !reference.contains(['*', '?', '[']) {
            return self.resolve(kind, env, reference, from).map(|found| vec![found]);
        }
        self.known_environment(env)?;
        let pattern = stem(reference, from)?.replace('/', ".");
        let glob = crate::target::Glob::new(&pattern)
            .map_err(|reason| ResolveError::Malformed { reference: reference.to_owned(), reason })?;
        let found: Vec<Reference> = self
            .references(kind, env)
            .into_iter()
            .filter(|name| glob.matches(name))
            .filter_map(|name| self.resolve(kind, env, &name, from).ok())
            .collect();
        if found.is_empty() {
            return Err(ResolveError::Missing {
                kind,
                reference: pattern,
                tried: Vec::new(),
                near: Vec::new(),
            });
        }
        Ok(found)
    }

    /// All refs of a tree, sorted: one per file, without the top file and the settings' schema.
    pub fn references(&self, kind: TreeKind, env: &str) -> Vec<String> {
        let mut names: Vec<String> =
            self.sources_of(kind, env).iter().map(|file| reference_name(&file.tree_path)).collect();
        names.retain(|name| name != "top" && !(kind == TreeKind::Settings && name == "schema"));
        names.sort();
        names.dedup();
        names
    }

    /// The top file of a tree.
    pub fn top(&self, kind: TreeKind, env: &str) -> Option<TreeFile> {
        self.extensions().iter().find_map(|e| self.find(kind, env, &format!("top.{e}")))
    }

    fn known_environment(&self, env: &str) -> Result<(), ResolveError> {
        if self.environment(env).is_some() {
            return Ok(());
        }
        Err(ResolveError::Environment {
            env: env.to_owned(),
            known: self.environments().map(str::to_owned).collect(),
        })
    }

    fn near(&self, kind: TreeKind, env: &str, reference: &str) -> Vec<String> {
        let known = self.references(kind, env);
        let last = |name: &str| name.rsplit('.').next().unwrap_or(name).to_owned();
        let mut near: Vec<String> = Vec::new();
        near.extend(nearest(reference, known.iter().map(String::as_str)).map(str::to_owned));
        // The right name in another directory, then a misspelt last name in the right one.
        near.extend(known.iter().filter(|name| last(name) == last(reference)).take(3).cloned());
        let parent = reference.rsplit_once('.').map_or("", |(parent, _)| parent);
        let siblings = known.iter().filter(|n| n.rsplit_once('.').map_or("", |(p, _)| p) == parent);
        let siblings: Vec<(String, &String)> = siblings.map(|n| (last(n), n)).collect();
        if let Some(close) = nearest(&last(reference), siblings.iter().map(|(l, _)| l.as_str())) {
            near.extend(siblings.iter().filter(|(l, _)| l == close).map(|(_, n)| (*n).clone()));
        }
        let mut unique = Vec::new();
        for name in near {
            if !unique.contains(&name) {
                unique.push(name);
            }
        }
        unique.truncate(4);
        unique
    }
}

/// The canonical ref of a tree path: `web` for `web.zy` and `web/init.zy`.
pub(super) fn reference_name(tree_path: &str) -> String {
    let stem = tree_path.rsplit_once('.').map_or(tree_path, |(stem, _)| stem);
    stem.strip_suffix("/init").unwrap_or(stem).replace('/', ".")
}

fn extension(path: &str) -> Option<&str> {
    path.rsplit('/').next()?.rsplit_once('.').map(|(_, extension)| extension)
}

/// The tree path of a ref without its extension.
fn stem(reference: &str, from: Option<&str>) -> Result<String, ResolveError> {
    let malformed =
        |reason: &str| ResolveError::Malformed { reference: reference.to_owned(), reason: reason.to_owned() };
    let rest = reference.trim_start_matches('.');
    let dots = reference.len() - rest.len();
    let mut segments: Vec<&str> = Vec::new();
    if dots > 0 {
        let from = from.ok_or_else(|| malformed("nothing is there for it to be relative to"))?;
        segments.extend(from.split('/'));
        for _ in 0..dots {
            segments.pop().ok_or_else(|| ResolveError::AboveRoot {
                reference: reference.to_owned(),
                from: from.to_owned(),
            })?;
        }
    }
    if !rest.is_empty() {
        segments.extend(rest.split(['.', '/']));
    }
    if segments.is_empty() {
        return Err(malformed("it is empty"));
    }
    let path = segments.join("/");
    if !is_plain_path(&path) {
        return Err(malformed("a name between its dots is empty"));
    }
    Ok(path)
}

impl Project {
    /// The canonical ref of a project path, when it is a file of that tree.
    pub fn reference_of(&self, path: &str) -> Option<(TreeKind, &str, String)> {
        let (kind, env, tree_path) = self.locate(path)?;
        Some((kind, env, reference_name(&tree_path)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{project::OpenOptions, source::MemorySources};
    use std::sync::Arc;

    fn project(files: &[(&str, &str)]) -> Project {
        let mut sources = MemorySources::new();
        for (path, text) in files {
            sources.insert(*path, text);
        }
        Project::open(Arc::new(sources), OpenOptions::default()).unwrap()
    }

    fn resolved(project: &Project, reference: &str, from: &str) -> String {
        match project.resolve(TreeKind::States, "base", reference, Some(from)) {
            Ok(found) => format!("{} {}", found.name, found.file.path),
            Err(error) => format!("{error}: {}", error.help().unwrap_or_default()),
        }
    }

    #[test]
    fn refs_find_plain_and_init_files() {
        let project = project(&[
            ("states/web.zy", ""),
            ("states/web/init.zy", ""),
            ("states/web/config/init.zy", ""),
            ("states/web/users.zy", ""),
            ("states/common.zy", ""),
        ]);
        let web = project.resolve(TreeKind::States, "base", "web", None).unwrap();
        assert_eq!(web.file.path, "states/web.zy");
        assert_eq!(web.shadowed.unwrap().path, "states/web/init.zy");
        assert_eq!(resolved(&project, "web.config", "top.zy"), "web.config states/web/config/init.zy");
        assert_eq!(resolved(&project, "web.init", "top.zy"), "web states/web/init.zy");
    }

    #[test]
    fn leading_dots_start_at_the_files_own_directory() {
        let project = project(&[
            ("states/web/init.zy", ""),
            ("states/web/users.zy", ""),
            ("states/web/tls/init.zy", ""),
            ("states/common.zy", ""),
        ]);
        assert_eq!(resolved(&project, ".users", "web/init.zy"), "web.users states/web/users.zy");
        assert_eq!(resolved(&project, ".tls", "web/users.zy"), "web.tls states/web/tls/init.zy");
        assert_eq!(resolved(&project, "..users", "web/tls/init.zy"), "web.users states/web/users.zy");
        assert_eq!(resolved(&project, "...common", "web/tls/init.zy"), "common states/common.zy");
        assert_eq!(resolved(&project, ".common", "top.zy"), "common states/common.zy");
        assert!(resolved(&project, "..x", "top.zy").starts_with("`..x` goes above the root of the tree"));
    }

    #[test]
    fn a_missing_ref_says_what_was_meant() {
        let project =
            project(&[("states/web/nginx/init.zy", ""), ("states/common.zy", ""), ("states/top.zy", "")]);
        assert_eq!(
            resolved(&project, "web.ngnix", "top.zy"),
            "no state file is named `web.ngnix`: did you mean `web.nginx`?"
        );
        assert_eq!(
            resolved(&project, "nginx", "top.zy"),
            "no state file is named `nginx`: did you mean `web.nginx`?"
        );
        assert_eq!(
            resolved(&project, "database", "top.zy"),
            "no state file is named `database`: create one of `database.zy`, `database/init.zy`"
        );
    }

    #[test]
    fn refs_cannot_leave_the_tree() {
        let project = project(&[("states/web.zy", ""), ("secret.zy", "")]);
        for reference in ["web..x", "/etc/passwd", "a/../../secret", "", "web.", "a//b"] {
            let found = project.resolve(TreeKind::States, "base", reference, Some("web.zy"));
            assert!(matches!(found, Err(ResolveError::Malformed { .. })), "{reference}: {found:?}");
        }
        assert_eq!(project.find(TreeKind::States, "base", "../secret.zy"), None);
    }

    #[test]
    fn an_sls_file_brings_its_neighbours() {
        let project = project(&[("states/web/init.sls", ""), ("states/web/users.sls", "")]);
        assert_eq!(resolved(&project, ".users", "web/init.sls"), "web.users states/web/users.sls");
        assert!(project.resolve(TreeKind::States, "base", "web", None).is_err());
    }

    #[test]
    fn globs_name_several_files() {
        let project = project(&[("states/users/a.zy", ""), ("states/users/b.zy", ""), ("states/web.zy", "")]);
        let found = project.resolve_all(TreeKind::States, "base", "users.*", None).unwrap();
        assert_eq!(found.iter().map(|f| f.name.as_str()).collect::<Vec<_>>(), ["users.a", "users.b"]);
        assert!(project.resolve_all(TreeKind::States, "base", "db.*", None).is_err());
    }
}
