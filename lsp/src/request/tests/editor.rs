//! A client in a few lines: writes a tree, starts the server, asks.

use crate::server::{self, Helpers};
use lsp_server::{Connection, Message, Notification, Request, RequestId, Response};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fs, thread::JoinHandle};

pub struct Editor {
    dir: tempfile::TempDir,
    client: Connection,
    server: Option<JoinHandle<()>>,
    next: i32,
    version: i32,
    /// Texts of the tree, without the cursor.
    pub files: BTreeMap<String, String>,
    /// Path and byte offset of the cursor.
    pub cursor: (String, usize),
    /// The newest diagnostics of each path.
    pub diagnostics: BTreeMap<String, Vec<Value>>,
}

impl Editor {
    /// Starts on a tree; the file with the cursor is opened.
    pub fn open(tree: &str) -> Self {
        Self::with(tree, &json!({}))
    }

    /// Starts with initialization options.
    pub fn with(tree: &str, options: &Value) -> Self {
        Self::helped(tree, options, Helpers::default())
    }

    /// As [`Self::with`], with the help of whoever started the server.
    pub fn helped(tree: &str, options: &Value, helpers: Helpers) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut files = BTreeMap::new();
        let mut cursor = (String::new(), 0);
        for part in tree.split("-- ").skip(1) {
            let (path, text) = part.split_once('\n').unwrap();
            let mut text = text.to_owned();
            if let Some(at) = text.find("<|>") {
                text.replace_range(at..at + 3, "");
                cursor = (path.to_owned(), at);
            }
            let full = dir.path().join(path);
            fs::create_dir_all(full.parent().unwrap()).unwrap();
            fs::write(full, &text).unwrap();
            files.insert(path.to_owned(), text);
        }
        let (client, connection) = Connection::memory();
        let server = std::thread::spawn(move || server::run(&connection, helpers).unwrap());
        let mut editor = Self {
            dir,
            client,
            server: Some(server),
            next: 0,
            version: 0,
            files,
            cursor,
            diagnostics: BTreeMap::new(),
        };
        let root = editor.uri("");
        let params = json!({
            "processId": null, "rootUri": root.trim_end_matches('/'), "initializationOptions": options,
            "capabilities": {
                "general": { "positionEncodings": ["utf-8"] },
                "textDocument": {
                    "completion": { "completionItem": { "snippetSupport": true } },
                    "documentSymbol": { "hierarchicalDocumentSymbolSupport": true },
                },
            },
        });
        editor.ask("initialize", params).unwrap();
        editor.tell("initialized", json!({}));
        if !editor.cursor.0.is_empty() {
            let path = editor.cursor.0.clone();
            let text = editor.files[&path].clone();
            let document =
                json!({ "uri": editor.uri(&path), "languageId": "zester", "version": 0, "text": text });
            editor.tell("textDocument/didOpen", json!({ "textDocument": document }));
        }
        editor
    }

    pub fn uri(&self, path: &str) -> String {
        format!("file://{}/{path}", self.dir.path().display())
    }

    fn inner(&self, uri: &str) -> String {
        uri.strip_prefix(&self.uri("")).unwrap_or(uri).to_owned()
    }

    pub fn tell(&self, method: &str, params: Value) {
        self.client.sender.send(Notification::new(method.to_owned(), params).into()).unwrap();
    }

    /// Asks; errors are the server's own words.
    pub fn ask(&mut self, method: &str, params: Value) -> Result<Value, String> {
        self.next += 1;
        let id = RequestId::from(self.next);
        self.client.sender.send(Request::new(id.clone(), method.to_owned(), params).into()).unwrap();
        loop {
            match self.client.receiver.recv().expect("the server answers") {
                Message::Response(Response { id: found, response_result }) if found == id => {
                    return response_result.map_err(|e| e.message);
                }
                Message::Notification(note) if note.method == "textDocument/publishDiagnostics" => {
                    let path = self.inner(note.params["uri"].as_str().unwrap());
                    let found = note.params["diagnostics"].as_array().unwrap().clone();
                    self.diagnostics.insert(path, found);
                }
                _ => {}
            }
        }
    }

    fn position(&self, offset: usize) -> Value {
        let text = &self.files[&self.cursor.0];
        let before = &text[..offset];
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        json!({ "line": before.matches('\n').count(), "character": offset - start })
    }

    /// Asks a request about the cursor, with more parameters.
    pub fn at_cursor(&mut self, method: &str, more: &Value) -> Result<Value, String> {
        let mut params = json!({
            "textDocument": { "uri": self.uri(&self.cursor.0.clone()) },
            "position": self.position(self.cursor.1),
        });
        for (key, value) in more.as_object().into_iter().flatten() {
            params[key] = value.clone();
        }
        self.ask(method, params)
    }

    /// Replaces the open document's text.
    pub fn write(&mut self, text: &str) {
        self.version += 1;
        let path = self.cursor.0.clone();
        self.files.insert(path.clone(), text.to_owned());
        self.tell(
            "textDocument/didChange",
            json!({
                "textDocument": { "uri": self.uri(&path), "version": self.version },
                "contentChanges": [{ "text": text }],
            }),
        );
    }

    /// The text of a range of a file.
    pub fn text(&self, path: &str, range: &Value) -> String {
        let text = &self.files[path];
        let at = |p: &Value| {
            let line = p["line"].as_u64().unwrap() as usize;
            let start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
            start + p["character"].as_u64().unwrap() as usize
        };
        text[at(&range["start"])..at(&range["end"])].to_owned()
    }

    /// Locations as `path:line [text]`, sorted.
    pub fn places(&self, locations: &Value) -> Vec<String> {
        let mut found: Vec<String> = locations
            .as_array()
            .unwrap()
            .iter()
            .map(|l| {
                let path = self.inner(l["uri"].as_str().unwrap());
                let line = l["range"]["start"]["line"].as_u64().unwrap() + 1;
                format!("{path}:{line} [{}]", self.text(&path, &l["range"]))
            })
            .collect();
        found.sort();
        found
    }

    /// The files after a workspace edit: those that it changes.
    pub fn edited(&self, edit: &Value) -> BTreeMap<String, String> {
        let changes = edit["changes"].as_object().unwrap();
        changes
            .iter()
            .map(|(uri, edits)| {
                let path = self.inner(uri);
                let text = &self.files[&path];
                let offset = |p: &Value| {
                    let line = p["line"].as_u64().unwrap() as usize;
                    let start: usize = text.split_inclusive('\n').take(line).map(str::len).sum();
                    start + p["character"].as_u64().unwrap() as usize
                };
                let mut edits: Vec<(usize, usize, &str)> = edits
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|e| {
                        let (start, end) = (offset(&e["range"]["start"]), offset(&e["range"]["end"]));
                        (start, end, e["newText"].as_str().unwrap())
                    })
                    .collect();
                edits.sort_unstable();
                let mut changed = text.clone();
                for (start, end, new) in edits.into_iter().rev() {
                    changed.replace_range(start..end, new);
                }
                (path, changed)
            })
            .collect()
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        let _ = self.ask("shutdown", Value::Null);
        self.tell("exit", Value::Null);
        if let Some(server) = self.server.take() {
            let ended = server.join();
            if !std::thread::panicking() {
                ended.expect("the server ends well");
            }
        }
    }
}
