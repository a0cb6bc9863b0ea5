//! A client of the language server: the real `zester lsp` over its pipes, and programs that tests need of editors.

use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    thread::JoinHandle,
    time::Duration,
};

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(120);

/// How a client is, beside what all of them here are.
#[derive(Default)]
pub struct Manner<'a> {
    /// Further arguments of the server.
    pub arguments: &'a [&'a str],
    /// What it says of itself: sections of `capabilities`.
    pub capabilities: Value,
    /// What its user chose.
    pub options: Value,
    /// The folders that are open, below the directory; the directory itself where none is named.
    pub folders: &'a [&'a str],
}

/// A running server with one client.
pub struct Editor {
    child: Child,
    input: Option<ChildStdin>,
    /// What it says on stderr, when it has ended.
    errors: Option<JoinHandle<String>>,
    messages: Receiver<Value>,
    root: PathBuf,
    next: i64,
    /// Texts of open documents and their versions, by path.
    pub open: BTreeMap<String, (i64, String)>,
    /// The newest pushed diagnostics of each path, with the version they are for.
    pub pushed: BTreeMap<String, (Option<i64>, Vec<Value>)>,
    /// All that the server said or asked without being asked, in its order.
    pub told: Vec<Value>,
}

/// The error of a request: code and message.
pub type Refusal = (i64, String);

impl Editor {
    /// Starts the server in a directory. Positions count bytes.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn start(program: &Path, root: &Path) -> Self {
        Self::start_with(program, root, &[])
    }

    /// As [`Self::start`], with further arguments.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn start_with(program: &Path, root: &Path, arguments: &[&str]) -> Self {
        Self::start_as(program, root, &Manner { arguments, ..Manner::default() })
    }

    /// As [`Self::start`], as another client.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn start_as(program: &Path, root: &Path, manner: &Manner<'_>) -> Self {
        let mut child = Command::new(program)
            .arg("lsp")
            .args(manner.arguments)
            .current_dir(root)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("zester can be started");
        let errors = child.stderr.take().expect("stderr");
        let errors = std::thread::spawn(move || {
            let mut said = String::new();
            for line in BufReader::new(errors).lines().map_while(Result::ok) {
                eprintln!("{line}");
                said.push_str(&line);
                said.push('\n');
            }
            said
        });
        let output = child.stdout.take().expect("stdout");
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            let mut output = BufReader::new(output);
            while let Some(message) = read(&mut output) {
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        let input = child.stdin.take();
        let root = root.canonicalize().expect("the directory exists");
        let mut editor = Self {
            child,
            input,
            errors: Some(errors),
            messages,
            root,
            next: 0,
            open: BTreeMap::new(),
            pushed: BTreeMap::new(),
            told: Vec::new(),
        };
        let mut capabilities = json!({
            "general": { "positionEncodings": ["utf-8"] },
            "textDocument": {
                "completion": { "completionItem": { "snippetSupport": true } },
                "documentSymbol": { "hierarchicalDocumentSymbolSupport": true },
            },
        });
        for (section, value) in manner.capabilities.as_object().into_iter().flatten() {
            for (key, value) in value.as_object().into_iter().flatten() {
                capabilities[section][key] = value.clone();
            }
        }
        let mut params = json!({
            "processId": null, "rootUri": format!("file://{}", editor.root.display()),
            "capabilities": capabilities, "initializationOptions": manner.options,
        });
        if !manner.folders.is_empty() {
            let folder = |name: &&str| json!({ "uri": editor.uri(name), "name": name });
            params["workspaceFolders"] = manner.folders.iter().map(folder).collect();
        }
        let answer = editor.ask("initialize", &params).expect("the server answers");
        assert_eq!(answer["capabilities"]["positionEncoding"], "utf-8");
        editor.tell("initialized", &json!({}));
        editor
    }

    /// The address of a file.
    pub fn uri(&self, path: &str) -> String {
        format!("file://{}/{path}", self.root.display())
    }

    fn send(&mut self, message: &Value) {
        let text = message.to_string();
        let input = self.input.as_mut().expect("the pipe is open");
        write!(input, "Content-Length: {}\r\n\r\n{text}", text.len()).expect("the server reads");
        input.flush().expect("the server reads");
    }

    /// Sends a notification.
    ///
    /// # Panics
    /// When the server is gone.
    pub fn tell(&mut self, method: &str, params: &Value) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params }));
    }

    /// Sends a request and does not wait; its id.
    ///
    /// # Panics
    /// When the server is gone.
    pub fn request(&mut self, method: &str, params: &Value) -> i64 {
        self.next += 1;
        self.send(&json!({ "jsonrpc": "2.0", "id": self.next, "method": method, "params": params }));
        self.next
    }

    /// Waits for the answer to a request.
    ///
    /// # Panics
    /// When the server dies or does not answer.
    pub fn answer(&mut self, id: i64) -> Result<Value, Refusal> {
        loop {
            let message = self.messages.recv_timeout(PATIENCE).expect("the server answers");
            if let Some(answer) = self.heard(message).filter(|message| message["id"] == json!(id)) {
                return match answer.get("error") {
                    Some(error) => Err((
                        error["code"].as_i64().unwrap_or(0),
                        error["message"].as_str().unwrap_or_default().to_owned(),
                    )),
                    None => Ok(answer["result"].clone()),
                };
            }
        }
    }

    /// Waits for something that the server says or asks by itself, from the `from`th of all; its number and itself.
    ///
    /// # Panics
    /// When it does not come.
    pub fn hear(&mut self, from: usize, wanted: impl Fn(&Value) -> bool) -> (usize, Value) {
        let mut at = from;
        loop {
            while let Some(message) = self.told.get(at) {
                if wanted(message) {
                    return (at, message.clone());
                }
                at += 1;
            }
            let message = self.messages.recv_timeout(PATIENCE).expect("the server says it");
            self.heard(message);
        }
    }

    /// Takes note of what the server says by itself, and answers what it asks; its answers are given back.
    fn heard(&mut self, message: Value) -> Option<Value> {
        if message.get("method").is_none() {
            return Some(message);
        }
        if message["method"] == "textDocument/publishDiagnostics" {
            let params = &message["params"];
            let prefix = self.uri("");
            let path = params["uri"].as_str().unwrap_or_default().strip_prefix(&prefix).unwrap_or_default();
            let found = params["diagnostics"].as_array().cloned().unwrap_or_default();
            self.pushed.insert(path.to_owned(), (params["version"].as_i64(), found));
        }
        if let Some(id) = message.get("id") {
            self.send(&json!({ "jsonrpc": "2.0", "id": id, "result": null }));
        }
        self.told.push(message);
        None
    }

    /// Asks and waits.
    pub fn ask(&mut self, method: &str, params: &Value) -> Result<Value, Refusal> {
        let id = self.request(method, params);
        self.answer(id)
    }

    /// Opens a document.
    pub fn open(&mut self, path: &str, text: &str) {
        self.open.insert(path.to_owned(), (0, text.to_owned()));
        let document = json!({ "uri": self.uri(path), "languageId": "zester", "version": 0, "text": text });
        self.tell("textDocument/didOpen", &json!({ "textDocument": document }));
    }

    /// Replaces bytes of an open document.
    ///
    /// # Panics
    /// When the document is not open or the range is none of its characters.
    pub fn edit(&mut self, path: &str, range: std::ops::Range<usize>, new: &str) {
        let place =
            json!({ "start": self.position(path, range.start), "end": self.position(path, range.end) });
        let (version, text) = self.open.get_mut(path).expect("an open document");
        *version += 1;
        text.replace_range(range, new);
        let version = *version;
        let params = json!({
            "textDocument": { "uri": self.uri(path), "version": version },
            "contentChanges": [{ "range": place, "text": new }],
        });
        self.tell("textDocument/didChange", &params);
    }

    /// The text of an open document.
    ///
    /// # Panics
    /// When it is not open.
    pub fn text(&self, path: &str) -> &str {
        &self.open[path].1
    }

    /// The position of a byte.
    pub fn position(&self, path: &str, offset: usize) -> Value {
        let text = self.text(path);
        let before = &text[..offset];
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        json!({ "line": before.matches('\n').count(), "character": offset - start })
    }

    /// The parameters of a request about a place.
    pub fn at(&self, path: &str, offset: usize) -> Value {
        json!({ "textDocument": { "uri": self.uri(path) }, "position": self.position(path, offset) })
    }

    /// Findings in a document once the check of its text is done: code, first line, message; sorted.
    ///
    /// # Panics
    /// When the server refuses.
    pub fn findings(&mut self, path: &str) -> Vec<(String, u64, String)> {
        let params = json!({ "textDocument": { "uri": self.uri(path) } });
        let answer = self.ask("textDocument/diagnostic", &params).expect("diagnostics");
        let items = answer["items"].as_array().cloned().unwrap_or_default();
        let mut found: Vec<_> = items
            .iter()
            .map(|d| {
                let message = d["message"].as_str().unwrap_or_default().lines().next().unwrap_or_default();
                let line = d["range"]["start"]["line"].as_u64().unwrap_or(0) + 1;
                (d["code"].as_str().unwrap_or_default().to_owned(), line, message.to_owned())
            })
            .collect();
        found.sort();
        found
    }

    /// Resident memory of the server in bytes.
    pub fn memory(&self) -> u64 {
        let text = fs::read_to_string(format!("/proc/{}/statm", self.child.id())).unwrap_or_default();
        text.split_whitespace().nth(1).and_then(|n| n.parse::<u64>().ok()).unwrap_or(0) * 4096
    }

    /// Says goodbye; the exit status.
    ///
    /// # Panics
    /// When the server does not end, or something in it panicked.
    pub fn stop(mut self) -> i32 {
        self.ask("shutdown", &Value::Null).expect("shutdown");
        self.tell("exit", &Value::Null);
        self.ended()
    }

    /// Waits for the end. What panicked in a thread of the server was caught there, and is a defect all the same.
    fn ended(&mut self) -> i32 {
        let code = self.child.wait().expect("the server ends").code().unwrap_or(-1);
        let said = self.errors.take().and_then(|errors| errors.join().ok()).unwrap_or_default();
        assert!(!said.contains("panicked at"), "{said}");
        code
    }

    /// Goes away without a word; the exit status.
    ///
    /// # Panics
    /// When the server does not end.
    pub fn vanish(mut self) -> i32 {
        self.input = None;
        self.ended()
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn read(output: &mut impl BufRead) -> Option<Value> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if output.read_line(&mut line).ok()? == 0 {
            return None;
        }
        match line.trim().split_once(": ") {
            Some(("Content-Length", value)) => length = value.parse().ok()?,
            None if line.trim().is_empty() => break,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    output.read_exact(&mut body).ok()?;
    serde_json::from_slice(&body).ok()
}

/// A program of an editor: the one on `PATH`, else from Debian's package, which is installed when we may.
///
/// # Panics
/// When there is none and none can be installed.
pub fn program(name: &str, packages: &[&str]) -> PathBuf {
    let there = || {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).map(|dir| dir.join(name)).find(|p| p.is_file())
    };
    if let Some(found) = there() {
        return found;
    }
    // Several tests may come here at once.
    let lock = fs::File::create(crate::repository().join("target/packages.lock")).expect("a lock file");
    lock.lock().expect("the lock");
    if there().is_none() {
        let install = |args: &[&str]| {
            Command::new("apt-get")
                .args(args)
                .env("DEBIAN_FRONTEND", "noninteractive")
                .stdout(Stdio::null())
                .status()
                .is_ok_and(|s| s.success())
        };
        let arguments: Vec<&str> = ["install", "-y", "-qq", "--no-install-recommends"]
            .into_iter()
            .chain(packages.iter().copied())
            .collect();
        let done = install(&arguments) || install(&["update", "-qq"]) && install(&arguments);
        assert!(
            done,
            "`{name}` is not on PATH, and {packages:?} cannot be installed; install it, or run the tests as root"
        );
    }
    there().unwrap_or_else(|| panic!("`{name}` is not on PATH"))
}

/// Copies a directory.
///
/// # Panics
/// When it cannot be read or written.
pub fn copy(from: &Path, to: &Path, skip: &[&str]) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("a directory").map(|e| e.expect("an entry")) {
        let name = entry.file_name();
        if skip.iter().any(|s| name == *s) {
            continue;
        }
        let target = to.join(&name);
        if entry.path().is_dir() {
            copy(&entry.path(), &target, skip);
        } else {
            fs::copy(entry.path(), target).expect("a file");
        }
    }
}
