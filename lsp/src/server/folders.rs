//! Which projects are open, and which of them a file belongs to: the one whose directory is nearest.

use super::{
    folder::{Folder, Job},
    path_of,
    state::State,
};
use gen_lsp_types::Uri;
use lsp_server::Notification;
use serde_json::Value;
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};
use zester_compiler::{project::CONFIG_FILE, source::is_foreign};

impl State<'_> {
    /// Opens the project that a directory belongs to, where it is not open yet; its number.
    pub(super) fn open_folder(&mut self, path: &Path) -> usize {
        let root = Folder::root_of(path);
        if let Some((at, _)) = self.folders.iter().find(|(_, f)| f.root == root) {
            return *at;
        }
        let before: Vec<(usize, PathBuf)> = self
            .documents
            .values()
            .filter_map(|(path, _)| Some((self.owner(path)?.0, path.clone())))
            .collect();
        let number = self.next_folder;
        self.next_folder += 1;
        let max_files = self.client.options.max_files;
        let (registry, events) = (self.registry.clone(), self.events.0.clone());
        let folder = Folder::open(number, root.clone(), max_files, registry, events);
        self.folders.insert(number, folder);
        // Documents that another project had until now.
        let mut had = Vec::new();
        for (was, path) in before {
            if self.owner(&path).is_some_and(|(now, _)| now == number) {
                self.send_text_to(was, &path, None);
                self.send_current(&path);
                had.push(was);
            }
        }
        let around = |(at, f): (&usize, &Folder)| (*at != number && root.starts_with(&f.root)).then_some(*at);
        had.extend(self.folders.iter().filter_map(around));
        had.sort_unstable();
        had.dedup();
        for other in had {
            self.publish(other);
        }
        number
    }

    /// Closes a folder of the client, with the projects in it, and forgets all that was known of them. Documents that stay
    /// open belong to whatever project is nearest then.
    fn close_folder(&mut self, path: &Path) {
        let root = Folder::root_of(path);
        let kept: Vec<PathBuf> = self.client.roots.iter().map(|other| Folder::root_of(other)).collect();
        // Another folder of the client may lie in the same project, or hold it.
        let goes =
            |f: &Folder| f.root.starts_with(&root) && !kept.iter().any(|kept| f.root.starts_with(kept));
        let closed: Vec<usize> =
            self.folders.iter().filter(|(_, folder)| goes(folder)).map(|(at, _)| *at).collect();
        for at in closed {
            let Some(folder) = self.folders.remove(&at) else { continue };
            self.unpublish(at);
            self.peels.known.lock().unwrap_or_else(|e| e.into_inner()).remove(&folder.root);
            self.peels.inventory.lock().unwrap_or_else(|e| e.into_inner()).remove(&folder.root);
        }
        self.nearer.retain(|dir, _| !dir.starts_with(&root));
        let open: Vec<PathBuf> = self.documents.values().map(|(path, _)| path.clone()).collect();
        for path in open.into_iter().filter(|path| path.starts_with(&root)) {
            self.send_current(&path);
        }
    }

    /// Folders that the client opened and closed.
    pub(super) fn folders_changed(&mut self, note: &Notification) {
        let paths = |pointer: &str| -> Vec<PathBuf> {
            let folders = note.params.pointer(pointer).and_then(Value::as_array);
            let uris = folders.into_iter().flatten().filter_map(|f| f.get("uri")?.as_str());
            uris.filter_map(|uri| path_of(&Uri::from(uri))).collect()
        };
        let (added, removed) = (paths("/event/added"), paths("/event/removed"));
        let mut client = (*self.client).clone();
        client.roots.retain(|root| !removed.contains(root));
        client.roots.extend(added.iter().cloned());
        self.client = Arc::new(client);
        for path in removed {
            self.close_folder(&path);
        }
        for path in added {
            self.open_folder(&path);
        }
    }

    /// The open project whose directory is nearest to a file, with the file's path in it.
    pub(super) fn owner(&self, path: &Path) -> Option<(usize, String)> {
        let around = self.folders.iter().filter_map(|(at, f)| Some((*at, f.inner(path)?)));
        around.min_by_key(|(_, inner)| inner.len())
    }

    /// The project that a file belongs to, with the file's path in it. A file outside of all gets its own, and so does
    /// one with a configuration nearer than that of the folder it is in.
    pub(super) fn locate(&mut self, path: &Path) -> Option<(usize, String)> {
        let dir = path.parent()?;
        let found = self.owner(path);
        let outer = found.as_ref().and_then(|(at, _)| Some(self.folders.get(at)?.root.clone()));
        let Some(outer) = outer else {
            self.open_folder(dir);
            return self.owner(path);
        };
        let nearer = match self.nearer.get(dir) {
            Some(known) => known.clone(),
            None => {
                let inside = dir.ancestors().take_while(|above| *above != outer);
                let nearer = inside.filter(|dir| dir.join(CONFIG_FILE).is_file()).map(Path::to_owned).next();
                self.nearer.insert(dir.to_owned(), nearer.clone());
                nearer
            }
        };
        let Some(nearer) = nearer.filter(|root| *root != outer && root.starts_with(&outer)) else {
            return found;
        };
        self.open_folder(&nearer);
        self.owner(path)
    }

    /// Sends the text of an open document to the check of its project; `None` when it was closed.
    pub(super) fn send_text(&mut self, path: &Path, text: Option<Arc<str>>) {
        if let Some((folder, _)) = self.locate(path) {
            self.send_text_to(folder, path, text);
        }
    }

    fn send_text_to(&mut self, folder: usize, path: &Path, text: Option<Arc<str>>) {
        let revision = self.next_revision();
        if let Some(folder) = self.folders.get_mut(&folder)
            && let Some(path) = folder.inner(path)
        {
            folder.send(Job::Text { path, text, revision });
        }
    }

    /// Sends an open document to its project, as it is now.
    fn send_current(&mut self, path: &Path) {
        let document = self.documents.values().find(|(at, _)| at == path);
        if let Some(text) = document.map(|(_, document)| document.text.clone()) {
            self.send_text(path, Some(text));
        }
    }

    /// Tells the checks which files changed on the disk.
    pub(super) fn disk_changed(&mut self, paths: &[PathBuf]) {
        if paths.iter().any(|path| path.file_name().is_some_and(|name| name == CONFIG_FILE)) {
            self.nearer.clear();
            // A configuration that is new may make a project of where documents lie.
            for path in self.documents.values().map(|(path, _)| path.clone()).collect::<Vec<_>>() {
                self.locate(&path);
            }
        }
        let mut by_folder: BTreeMap<usize, Vec<String>> = BTreeMap::new();
        for path in paths {
            for (at, folder) in &self.folders {
                let Some(inner) = folder.inner(path) else { continue };
                // What is no part of any tree.
                let mut dir = folder.root.clone();
                let foreign = inner.split('/').any(|name| {
                    dir.push(name);
                    is_foreign(name, &dir)
                });
                if !foreign {
                    by_folder.entry(*at).or_default().push(inner);
                }
            }
        }
        for (at, paths) in by_folder {
            let revision = self.next_revision();
            if let Some(folder) = self.folders.get_mut(&at) {
                folder.send(Job::Disk { paths, revision });
            }
        }
        self.peels = Arc::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::{Client, Helpers, state::Event};
    use lsp_server::Connection;
    use serde_json::json;
    use std::time::Duration;

    #[test]
    fn a_closed_folder_leaves_nothing_behind() {
        let (connection, _client) = Connection::memory();
        let mut state = State::new(&connection, Client::of(&json!({})), Helpers::default());
        let dir = tempfile::tempdir().unwrap();
        let roots: Vec<PathBuf> = ["kept", "other"].iter().map(|name| dir.path().join(name)).collect();
        for root in &roots {
            std::fs::create_dir_all(root).unwrap();
            std::fs::write(root.join(CONFIG_FILE), "{}\n").unwrap();
        }
        let kept = state.open_folder(&roots[0]);
        let mut numbers = Vec::new();
        for _ in 0..20 {
            let number = state.open_folder(&roots[1]);
            assert_eq!(state.folders.keys().copied().collect::<Vec<_>>(), [kept, number]);
            assert_eq!(state.open_folder(&roots[1]), number);
            state.locate(&roots[1].join("states/a.zy"));
            state.peels.inventory.lock().unwrap().insert(roots[1].clone(), Arc::default());
            state.close_folder(&roots[1]);
            assert!(state.peels.inventory.lock().unwrap().is_empty() && state.nearer.is_empty());
            numbers.push(number);
        }
        assert_eq!(state.folders.keys().copied().collect::<Vec<_>>(), [kept]);
        // What the checks of closed ones still say is nobody's.
        while state.folders.values().any(|folder| folder.checked.is_none()) {
            let event = state.events.1.recv_timeout(Duration::from_secs(60)).unwrap();
            state.event(event);
        }
        let late = Event::Nested { folder: numbers[0], roots: vec![roots[1].clone()] };
        state.event(late);
        assert_eq!(state.folders.keys().copied().collect::<Vec<_>>(), [kept]);
        // A number is nobody else's again.
        assert!(state.open_folder(&roots[1]) > 20);
    }
}
