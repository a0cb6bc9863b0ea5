//! The main loop: messages of the client and results of checks, one after the other.

use super::{
    Client, Document, Helpers, ServerError,
    client::Options,
    dispatch::{Pool, Waiting},
    folder::{Checked, Folder, Glanced},
    path_of, publish, routes,
};
use crossbeam_channel::{Receiver, Sender, unbounded};
use gen_lsp_types::Uri;
use lsp_server::{Connection, ErrorCode, Message, Notification, Request, RequestId, Response};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
};
use zester_compiler::{
    project::{KnownPeel, OpenOptions, Project},
    query::{Context, Index},
    source::Files,
    syntax::Tree,
    types::Registry,
};

/// What happens besides the client's messages.
pub(super) enum Event {
    /// A check is done.
    Checked(Box<Checked>),
    /// Directories with projects of their own in one that is none.
    Nested { folder: usize, roots: Vec<PathBuf> },
    /// An edited file was looked at, before the check.
    Glanced(Box<Glanced>),
    /// A check fell over a defect of ours.
    CheckFailed { folder: usize, revision: u64 },
}

/// Values worked out for the chosen peel, shared by requests.
#[derive(Default)]
pub(crate) struct Peels {
    pub(crate) known: Mutex<HashMap<PathBuf, crate::ide::preview::Chosen>>,
    /// All known peels of each project.
    pub(crate) inventory: Mutex<HashMap<PathBuf, Arc<Vec<KnownPeel>>>>,
    /// The last semantic tokens of each document, by its address.
    pub(crate) tokens: Mutex<HashMap<String, (String, Vec<u32>)>>,
}

/// What one request sees: the project, and the document it is about.
pub(crate) struct Seen {
    /// The project's directory.
    pub root: PathBuf,
    /// The newest index.
    pub index: Arc<Index>,
    /// What the last check found.
    pub checked: Arc<Checked>,
    /// What was seen in the document since then.
    pub glanced: Option<Arc<Glanced>>,
    /// The document's path in the project.
    pub path: String,
    /// Where it stands.
    pub context: Context,
    /// The document.
    pub document: Arc<Document>,
    /// Texts of all open documents, by path.
    pub open: Arc<BTreeMap<String, Arc<Document>>>,
    /// The client.
    pub client: Arc<Client>,
    /// Values of the chosen peel.
    pub peels: Arc<Peels>,
    /// What whoever started the server helps with.
    pub helpers: Helpers,
}

impl Seen {
    /// The document's tree.
    pub fn tree(&self) -> Arc<Tree> {
        self.document.tree(self.index.project.files(), &self.path)
    }

    /// Its address on this machine.
    pub fn uri(&self, path: &str) -> Uri {
        super::uri_of(&self.root.join(path))
    }
}

pub(super) struct State<'c> {
    pub connection: &'c Connection,
    pub client: Arc<Client>,
    /// Open projects by their numbers. A number is never given twice: what a check of a closed one still says is nobody's.
    pub folders: BTreeMap<usize, Folder>,
    /// The number of the next one.
    pub next_folder: usize,
    /// Open documents by their address as the client writes it.
    pub documents: HashMap<String, (PathBuf, Arc<Document>)>,
    pub registry: Arc<Registry>,
    pub peels: Arc<Peels>,
    pub helpers: Helpers,
    pub published: publish::Published,
    pub waiting: Vec<Waiting>,
    /// The directory with the nearest configuration above each directory of a file, where one is inside of the folder.
    pub nearer: HashMap<PathBuf, Option<PathBuf>>,
    /// Whether the first checks are being shown as progress.
    progressing: bool,
    pub pool: Pool,
    revision: u64,
    pub events: (Sender<Event>, Receiver<Event>),
    next_id: i32,
    asked: HashMap<RequestId, Asked>,
    shutting_down: bool,
}

/// What the server asked the client.
enum Asked {
    Configuration,
    Nothing,
}

const PROGRESS: &str = "zester/first-check";

impl<'c> State<'c> {
    pub fn new(connection: &'c Connection, client: Client, helpers: Helpers) -> Self {
        let registry = Arc::new(zester_stdlib::library().registry().clone());
        let client = Arc::new(client);
        let mut state = Self {
            connection,
            pool: Pool::start(connection.sender.clone()),
            folders: BTreeMap::new(),
            next_folder: 0,
            documents: HashMap::new(),
            registry,
            peels: Arc::default(),
            helpers,
            published: publish::Published::default(),
            waiting: Vec::new(),
            nearer: HashMap::new(),
            progressing: false,
            revision: 0,
            events: unbounded(),
            next_id: 0,
            asked: HashMap::new(),
            shutting_down: false,
            client,
        };
        for root in state.client.roots.clone() {
            state.open_folder(&root);
        }
        state
    }

    /// Serves until the client says `exit` or goes away.
    pub fn serve(mut self) -> Result<(), ServerError> {
        self.begin();
        let messages = self.connection.receiver.clone();
        let events = self.events.1.clone();
        loop {
            crossbeam_channel::select! {
                recv(messages) -> message => {
                    let Ok(message) = message else { return Ok(()) };
                    match message {
                        Message::Request(request) => self.request(request),
                        Message::Notification(note) if note.method == "exit" => return Ok(()),
                        Message::Notification(note) => self.notification(&note),
                        Message::Response(response) => self.response(response),
                    }
                }
                recv(events) -> event => {
                    let Ok(event) = event else { return Ok(()) };
                    self.event(event);
                }
            }
        }
    }

    fn begin(&mut self) {
        if self.client.watches {
            let watchers: Vec<Value> = ["**/*"].iter().map(|glob| json!({ "globPattern": glob })).collect();
            self.ask(
                "client/registerCapability",
                json!({ "registrations": [{
                    "id": "watch", "method": "workspace/didChangeWatchedFiles",
                    "registerOptions": { "watchers": watchers },
                }] }),
                Asked::Nothing,
            );
        }
        self.ask_configuration();
        if self.client.progress && !self.folders.is_empty() {
            self.ask("window/workDoneProgress/create", json!({ "token": PROGRESS }), Asked::Nothing);
            let value = json!({ "kind": "begin", "title": "Checking", "message": "the whole project" });
            self.notify("$/progress", json!({ "token": PROGRESS, "value": value }));
            self.progressing = true;
        }
    }

    fn ask_configuration(&mut self) {
        if self.client.configuration {
            let items = json!({ "items": [{ "section": "zester" }] });
            self.ask("workspace/configuration", items, Asked::Configuration);
        }
    }

    pub fn notify(&self, method: &str, params: Value) {
        // A client that is gone is noticed by the loop.
        let _ = self.connection.sender.send(Notification::new(method.to_owned(), params).into());
    }

    fn ask(&mut self, method: &str, params: Value, what: Asked) {
        self.next_id += 1;
        let id = RequestId::from(self.next_id);
        self.asked.insert(id.clone(), what);
        let _ = self.connection.sender.send(Request::new(id, method.to_owned(), params).into());
    }

    pub fn next_revision(&mut self) -> u64 {
        self.revision += 1;
        self.revision
    }

    fn request(&mut self, request: Request) {
        if self.shutting_down {
            self.fail(request.id, ErrorCode::InvalidRequest, "the server is shutting down");
            return;
        }
        if request.method == "shutdown" {
            self.shutting_down = true;
            let _ = self.connection.sender.send(Response::new_ok(request.id, Value::Null).into());
            return;
        }
        let Some(route) = routes::route(&request.method) else {
            let message = format!("`{}` is not a request of this server", request.method);
            self.fail(request.id, ErrorCode::MethodNotFound, &message);
            return;
        };
        self.waiting.push(Waiting { request, route });
        self.serve_waiting();
    }

    pub fn fail(&self, id: RequestId, code: ErrorCode, message: &str) {
        let _ = self.connection.sender.send(Response::new_err(id, code as i32, message.to_owned()).into());
    }

    fn response(&mut self, response: Response) {
        if let (Some(Asked::Configuration), Ok(value)) =
            (self.asked.remove(&response.id), response.response_result)
        {
            let first = value.as_array().and_then(|a| a.first()).cloned().unwrap_or_default();
            if first.is_object() {
                self.configure(Options::of(&first));
            }
        }
    }

    fn configure(&mut self, options: Options) {
        if self.client.options != options {
            let mut client = (*self.client).clone();
            client.options = options;
            self.client = Arc::new(client);
            self.peels = Arc::default();
            self.refresh_shown();
        }
    }

    fn notification(&mut self, note: &Notification) {
        let text = |pointer: &str| note.params.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
        match note.method.as_str() {
            "textDocument/didOpen" => {
                let (Some(uri), Some(content)) = (text("/textDocument/uri"), text("/textDocument/text"))
                else {
                    return;
                };
                let version =
                    note.params.pointer("/textDocument/version").and_then(Value::as_i64).unwrap_or(0);
                let Some(path) = path_of(&Uri::from(uri.as_str())) else { return };
                let document = Arc::new(Document::new(version as i32, content));
                self.send_text(&path, Some(document.text.clone()));
                self.documents.insert(uri, (path, document));
            }
            "textDocument/didChange" => self.edited(note),
            "textDocument/didClose" => {
                let Some(uri) = text("/textDocument/uri") else { return };
                self.peels.tokens.lock().unwrap_or_else(|e| e.into_inner()).remove(&uri);
                let Some((path, _)) = self.documents.remove(&uri) else { return };
                self.send_text(&path, None);
            }
            "workspace/didChangeWatchedFiles" => {
                let changes = note.params.get("changes").and_then(Value::as_array);
                let uris = changes.into_iter().flatten().filter_map(|c| c.get("uri")?.as_str());
                let paths: Vec<PathBuf> = uris.filter_map(|uri| path_of(&uri.into())).collect();
                self.disk_changed(&paths);
            }
            "workspace/didRenameFiles" | "workspace/didCreateFiles" | "workspace/didDeleteFiles" => {
                let files = note.params.get("files").and_then(Value::as_array);
                let uris = files.into_iter().flatten().flat_map(|f| {
                    ["uri", "oldUri", "newUri"].into_iter().filter_map(|key| f.get(key)?.as_str())
                });
                let paths: Vec<PathBuf> = uris.filter_map(|uri| path_of(&uri.into())).collect();
                self.disk_changed(&paths);
            }
            "workspace/didChangeConfiguration" => {
                let settings = note.params.get("settings").cloned().unwrap_or_default();
                if settings.is_object() {
                    self.configure(Options::of(&settings));
                }
                self.ask_configuration();
            }
            "workspace/didChangeWorkspaceFolders" => self.folders_changed(note),
            "$/cancelRequest" => {
                if let Some(id) = note.params.get("id") {
                    self.cancel(id);
                }
            }
            _ => {}
        }
    }

    fn edited(&mut self, note: &Notification) {
        let Ok(params) =
            serde_json::from_value::<gen_lsp_types::DidChangeTextDocumentParams>(note.params.clone())
        else {
            return;
        };
        let uri = params.text_document.text_document_identifier.uri.0;
        let Some((path, document)) = self.documents.get_mut(&uri) else { return };
        let changed =
            document.changed(params.text_document.version, &params.content_changes, self.client.encoding);
        *document = Arc::new(changed);
        let (path, text) = (path.clone(), document.text.clone());
        self.send_text(&path, Some(text));
    }

    fn cancel(&mut self, id: &Value) {
        let id = match id {
            Value::Number(n) => n.as_i64().and_then(|n| i32::try_from(n).ok()).map(RequestId::from),
            Value::String(s) => Some(RequestId::from(s.clone())),
            _ => None,
        };
        let Some(id) = id else { return };
        if let Some(at) = self.waiting.iter().position(|w| w.request.id == id) {
            self.waiting.remove(at);
            self.fail(id, ErrorCode::RequestCanceled, "cancelled");
        } else {
            self.pool.cancel(&id);
        }
    }

    pub(super) fn event(&mut self, event: Event) {
        match event {
            Event::Checked(checked) => {
                let Some(folder) = self.folders.get_mut(&checked.folder) else { return };
                let first = folder.checked.is_none();
                folder.done = folder.done.max(checked.revision);
                let notice = std::mem::replace(&mut folder.notice, checked.notice.clone());
                if let Some(problem) =
                    checked.problem.as_ref().filter(|_| first && checked.by_path.is_empty())
                {
                    let message = format!("`{}` cannot be checked: {problem}", folder.root.display());
                    self.notify("window/showMessage", json!({ "type": 1, "message": message }));
                }
                if let Some(message) = checked.notice.as_ref().filter(|_| notice != checked.notice) {
                    let params = json!({ "type": 2, "message": message });
                    self.notify("window/showMessage", params.clone());
                    self.notify("window/logMessage", params);
                }
                let number = checked.folder;
                let checked = Arc::new(*checked);
                if let Some(folder) = self.folders.get_mut(&number) {
                    folder.glanced.retain(|_, glanced| glanced.revision > checked.revision);
                    folder.checked = Some(checked);
                }
                self.end_progress();
                // What is shown between the lines of other documents may depend on what was edited.
                let others = |folder: &Folder| {
                    let touched = folder.checked.as_ref().map(|checked| &checked.touched);
                    self.open_in(folder).keys().any(|path| touched.is_some_and(|t| !t.contains(path)))
                };
                if !first && self.folders.get(&number).is_some_and(others) {
                    self.refresh_shown();
                }
                let changed = self.publish(number);
                if self.client.pulls && self.client.refresh_diagnostics && changed && !first {
                    self.ask("workspace/diagnostic/refresh", Value::Null, Asked::Nothing);
                }
            }
            Event::Nested { folder, roots } => {
                // They go with the folder they are in.
                if self.folders.contains_key(&folder) {
                    for root in roots {
                        self.open_folder(&root);
                    }
                }
            }
            Event::Glanced(glanced) => {
                let number = glanced.folder;
                let Some(folder) = self.folders.get_mut(&number) else { return };
                let path = glanced.path.clone();
                folder.glanced.insert(path.clone(), Arc::new(*glanced));
                self.publish_glance(number, &path);
            }
            Event::CheckFailed { folder: number, revision } => {
                self.notify(
                    "window/logMessage",
                    json!({ "type": 1, "message": "a check failed by a defect of Zester's; its message is on stderr" }),
                );
                if let Some(folder) = self.folders.get_mut(&number) {
                    folder.done = folder.done.max(revision);
                    if folder.checked.is_none() {
                        folder.checked = Some(Arc::new(Checked {
                            folder: number,
                            revision,
                            index: None,
                            files: Arc::default(),
                            by_path: Arc::default(),
                            problem: Some("the check failed".to_owned()),
                            took: std::time::Duration::ZERO,
                            counted: 0,
                            notice: None,
                            touched: BTreeSet::new(),
                        }));
                    }
                }
            }
        }
        self.serve_waiting();
    }

    /// Asks the client to ask again for what it shows between the lines: lenses and hints.
    fn refresh_shown(&mut self) {
        if self.client.refresh_lenses {
            self.ask("workspace/codeLens/refresh", Value::Null, Asked::Nothing);
        }
        if self.client.refresh_hints {
            self.ask("workspace/inlayHint/refresh", Value::Null, Asked::Nothing);
        }
    }

    /// Says that the first checks are done, when all are.
    fn end_progress(&mut self) {
        if !self.progressing || self.folders.values().any(|folder| folder.checked.is_none()) {
            return;
        }
        let checks = || self.folders.values().filter_map(|folder| folder.checked.as_ref());
        let counted: usize = checks().map(|checked| checked.counted).sum();
        // They run beside each other.
        let took = checks().map(|checked| checked.took).max().unwrap_or_default();
        let message = format!("{counted} files in {} ms", took.as_millis());
        let value = json!({ "kind": "end", "message": message });
        self.notify("$/progress", json!({ "token": PROGRESS, "value": value }));
        self.progressing = false;
    }

    /// Texts of the open documents of a project.
    pub fn open_in(&self, folder: &Folder) -> Arc<BTreeMap<String, Arc<Document>>> {
        let owned = |path: &Path| {
            let (owner, inner) = self.owner(path)?;
            self.folders.get(&owner).is_some_and(|owner| std::ptr::eq(owner, folder)).then_some(inner)
        };
        let open = self.documents.values().filter_map(|(path, d)| Some((owned(path)?, d.clone())));
        Arc::new(open.collect())
    }

    /// An index of a project that could not be opened: of no files, so that what the text alone says is still known.
    /// Places in it belong to `files`.
    pub fn bare_index(&self, files: &Arc<Files>) -> Option<Arc<Index>> {
        let sources = zester_compiler::source::MemorySources::new();
        let options = OpenOptions { files: Some(files.clone()), ..OpenOptions::default() };
        let project = Project::open(Arc::new(sources), options).ok()?;
        Some(Arc::new(Index::empty(Arc::new(project), self.registry.clone())))
    }
}
