//! A project as it is published: its files, the settings without their secrets, the secrets apart.

use super::manifest::{Entry, Hash, Manifest};
use crate::bus::codec::{self, CodecError};
use std::{
    collections::{BTreeMap, BTreeSet},
    os::unix::fs::PermissionsExt,
    path::Path,
    sync::Arc,
};
use zester_compiler::{
    diagnostic::Diagnostic,
    project::{CONFIG_FILE, Project, TreeKind},
    settings,
    source::SourceError,
};

/// The largest file that is published, in bytes.
pub const MAX_FILE_BYTES: u64 = 64 << 20;

/// Why a project is not published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// A file cannot be read.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A settings file holds a secret that cannot be taken out.
    #[error("{} secrets of the settings cannot be located, nothing is published", .0.len())]
    Secrets(Vec<Diagnostic>),
    /// Secrets stand where they would be readable by all peels.
    #[error(
        "`{0}` marks a value `!encrypted`; only settings files may hold secrets, state files are readable by every peel"
    )]
    SecretInState(String),
    /// A file is too large.
    #[error(
        "`{path}` has {bytes} bytes; at most {MAX_FILE_BYTES} are published. Hand it out from a web server and name it as a source"
    )]
    TooLarge {
        /// Its project path.
        path: String,
        /// Its size.
        bytes: u64,
    },
    /// The manifest cannot be encoded.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

/// A project, ready to be published.
pub struct Tree {
    /// Its files.
    pub manifest: Manifest,
    /// Contents by name, the encoded manifest among them.
    pub contents: BTreeMap<Hash, Arc<[u8]>>,
    /// The name of the encoded manifest.
    pub manifest_hash: Hash,
    /// Secrets by name, as they were written.
    pub secrets: BTreeMap<String, String>,
}

impl Tree {
    /// Reads the project whose root directory is `root`.
    pub fn collect(project: &Project, root: &Path) -> Result<Self, PublishError> {
        let mut tree = Self {
            manifest: Manifest { v: 1, files: Vec::new() },
            contents: BTreeMap::new(),
            manifest_hash: Hash::of(&[]),
            secrets: BTreeMap::new(),
        };
        let (mut wrong, mut seen) = (Vec::new(), BTreeSet::new());
        // Settings first: a state tree that is the project's root has the settings' directory within it.
        for kind in [TreeKind::Settings, TreeKind::States] {
            let environments: Vec<String> = project.environments().map(str::to_owned).collect();
            for env in &environments {
                for file in project.files_below(kind, env, "") {
                    if !seen.insert(file.path.clone()) {
                        continue;
                    }
                    let bytes = project.read(&file.path)?;
                    if bytes.len() as u64 > MAX_FILE_BYTES {
                        return Err(PublishError::TooLarge { path: file.path, bytes: bytes.len() as u64 });
                    }
                    let mode = std::fs::metadata(root.join(&file.path))
                        .map_or(0o644, |m| m.permissions().mode() & 0o7777);
                    let is_settings = kind == TreeKind::Settings;
                    let bytes = match std::str::from_utf8(&bytes) {
                        Ok(text) if text.contains("!encrypted") => {
                            if !is_settings {
                                let source = project.extensions().iter().any(|e| {
                                    Path::new(&file.path).extension().is_some_and(|x| x == e.as_str())
                                });
                                if source {
                                    return Err(PublishError::SecretInState(file.path));
                                }
                                bytes
                            } else {
                                match settings::sanitize(
                                    &*project.tree(&file.path)?,
                                    &file.path,
                                    project.unseal(),
                                ) {
                                    Ok(sanitized) => {
                                        tree.secrets.extend(sanitized.secrets);
                                        sanitized.text.into_bytes().into()
                                    }
                                    Err(found) => {
                                        wrong.extend(found);
                                        continue;
                                    }
                                }
                            }
                        }
                        _ => bytes,
                    };
                    tree.add(file.path, bytes, mode, is_settings);
                }
            }
        }
        if !wrong.is_empty() {
            return Err(PublishError::Secrets(wrong));
        }
        if seen.insert(CONFIG_FILE.to_owned())
            && let Ok(bytes) = project.read(CONFIG_FILE)
        {
            tree.add(CONFIG_FILE.to_owned(), bytes, 0o644, false);
        }
        tree.manifest.files.sort_by(|a, b| a.path.cmp(&b.path));
        let encoded: Arc<[u8]> = codec::encode(&tree.manifest)?.into();
        tree.manifest_hash = Hash::of(&encoded);
        tree.contents.insert(tree.manifest_hash, encoded);
        Ok(tree)
    }

    fn add(&mut self, path: String, bytes: Arc<[u8]>, mode: u32, settings: bool) {
        let hash = Hash::of(&bytes);
        self.manifest.files.push(Entry { path, hash, bytes: bytes.len() as u64, mode, settings });
        self.contents.entry(hash).or_insert(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zester_compiler::project::OpenOptions;

    fn project(files: &[(&str, &str)]) -> (tempfile::TempDir, Result<Tree, PublishError>) {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let project = Project::open_dir(dir.path(), OpenOptions::default()).unwrap();
        let tree = Tree::collect(&project, dir.path());
        (dir, tree)
    }

    #[test]
    fn secrets_stay_behind() {
        let files = [
            ("zester.yaml", "{}\n"),
            ("states/web.zy", "a: test.nop\n"),
            ("states/files/motd", "hello\n"),
            ("settings/top.zy", "base:\n  '*': [db]\n"),
            ("settings/db.zy", "password: !encrypted hunter2\n"),
        ];
        let (_dir, tree) = project(&files);
        let tree = tree.unwrap();
        let paths: Vec<&str> = tree.manifest.files.iter().map(|f| f.path.as_str()).collect();
        assert_eq!(
            paths,
            ["settings/db.zy", "settings/top.zy", "states/files/motd", "states/web.zy", "zester.yaml"]
        );
        assert!(tree.contents.values().all(|c| !String::from_utf8_lossy(c).contains("hunter2")));
        assert_eq!(tree.secrets.values().collect::<Vec<_>>(), ["hunter2"]);
        assert!(tree.manifest.get("settings/db.zy").unwrap().settings);
        assert!(tree.manifest.get("states/none.zy").is_none());
    }

    #[test]
    fn settings_within_the_state_tree_are_settings() {
        let files = [
            ("web.zy", "a: test.nop\n"),
            ("settings/top.zy", "base:\n  '*': [db]\n"),
            ("settings/db.zy", "password: !encrypted hunter2\n"),
        ];
        let tree = project(&files).1.unwrap();
        assert!(tree.contents.values().all(|c| !String::from_utf8_lossy(c).contains("hunter2")));
    }

    #[test]
    fn secrets_elsewhere_stop_the_publication() {
        let state = project(&[("states/web.zy", "a:\n  test.nop:\n    - x: !encrypted hunter2\n")]).1;
        assert!(matches!(state, Err(PublishError::SecretInState(_))));
        let hidden = project(&[
            ("states/web.zy", "a: test.nop\n"),
            ("settings/top.zy", "base: {}\n"),
            ("settings/db.zy", "password: !encrypted {{ x }}\n"),
        ])
        .1;
        assert!(matches!(hidden, Err(PublishError::Secrets(_))));
    }

    #[test]
    fn what_is_sealed_in_the_repository_is_opened_for_the_masters() {
        use crate::auth::sealed_text::{Keyring, seal_text};
        let key = nkeys::XKey::new();
        let sealed = seal_text(&key.public_key(), "hunter2").unwrap();
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in [
            ("states/web.zy", "a: test.nop\n"),
            ("settings/top.zy", "base:\n  '*': [db]\n"),
            ("settings/db.zy", &format!("password: !encrypted {sealed}\n")),
        ] {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let collect = |keys: Option<Keyring>| {
            let unseal = keys.map(|keys| Arc::new(keys) as Arc<dyn settings::Unseal>);
            let options = OpenOptions { unseal, ..OpenOptions::default() };
            Tree::collect(&Project::open_dir(dir.path(), options).unwrap(), dir.path())
        };
        let tree = collect(Some(Keyring::of(key))).unwrap();
        assert_eq!(tree.secrets.values().collect::<Vec<_>>(), ["hunter2"]);
        assert!(tree.contents.values().all(|c| !String::from_utf8_lossy(c).contains("ENC[")));
        for keys in [None, Some(Keyring::of(nkeys::XKey::new()))] {
            assert!(matches!(collect(keys), Err(PublishError::Secrets(found)) if found.len() == 1));
        }
    }
}
