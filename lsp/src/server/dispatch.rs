//! From a message to a handler and back: parameters, cancellation, panics.

use super::{
    Document, Folder,
    folder::Checked,
    path_of,
    state::{Seen, State},
};
use crossbeam_channel::{Receiver, Sender, unbounded};
use gen_lsp_types::Uri;
use lsp_server::{ErrorCode, Message, Request, RequestId, Response};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::{
    collections::HashMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

/// Threads that answer requests.
const THREADS: usize = 2;

/// What a request gives: an error is shown to the user, so it is a full sentence.
pub(crate) type Answer<T> = Result<T, String>;

/// A request that is answered from several projects.
pub(crate) struct Ask {
    /// Each project with the document the request names, or an empty one.
    pub folders: Vec<Arc<Seen>>,
    /// Whether the client no longer wants to know.
    cancelled: Arc<AtomicBool>,
}

impl Ask {
    /// Whether the client still wants the answer.
    pub fn is_wanted(&self) -> bool {
        !self.cancelled.load(Ordering::Relaxed)
    }
}

/// Answers a request from its parameters.
pub(super) enum Handler {
    /// About one document.
    Document(Box<dyn Fn(&Seen, Value) -> Result<Value, (ErrorCode, String)> + Send>),
    /// About all projects.
    Whole(Box<dyn Fn(&Ask, Value) -> Result<Value, (ErrorCode, String)> + Send>),
}

/// A handler, and whether it waits for the check of the last edit.
pub(super) struct Route {
    pub handler: Handler,
    pub fresh: bool,
    /// Whether a glance at the edited document is enough where the client can be told later that there is more.
    pub glance: bool,
}

fn called<P: DeserializeOwned, R: Serialize>(
    params: Value,
    answer: impl FnOnce(P) -> Answer<R>,
) -> Result<Value, (ErrorCode, String)> {
    let params = serde_json::from_value(params).map_err(|e| (ErrorCode::InvalidParams, e.to_string()))?;
    let result = answer(params).map_err(|message| (ErrorCode::RequestFailed, message))?;
    serde_json::to_value(result).map_err(|e| (ErrorCode::InternalError, e.to_string()))
}

/// A handler about one document.
pub(super) fn typed<P: DeserializeOwned + 'static, R: Serialize + 'static>(
    answer: fn(&Seen, P) -> Answer<R>,
) -> Handler {
    Handler::Document(Box::new(move |seen, params| called(params, |p| answer(seen, p))))
}

/// A handler about all projects.
pub(super) fn whole<P: DeserializeOwned + 'static, R: Serialize + 'static>(
    answer: fn(&Ask, P) -> Answer<R>,
) -> Handler {
    Handler::Whole(Box::new(move |ask, params| called(params, |p| answer(ask, p))))
}

/// A request that waits for a check.
pub(super) struct Waiting {
    pub request: Request,
    pub route: Route,
}

/// What is to be done for a request, which may be cancelled meanwhile.
type Work = Box<dyn FnOnce(&Arc<AtomicBool>) -> Result<Value, (ErrorCode, String)> + Send>;

/// Threads that answer requests, and the requests they have.
pub(super) struct Pool {
    work: Sender<(RequestId, Arc<AtomicBool>, Work)>,
    running: Arc<Mutex<HashMap<RequestId, Arc<AtomicBool>>>>,
}

impl Pool {
    pub fn start(answers: Sender<Message>) -> Self {
        let (work, received) = unbounded::<(RequestId, Arc<AtomicBool>, Work)>();
        let running: Arc<Mutex<HashMap<RequestId, Arc<AtomicBool>>>> = Arc::default();
        for number in 0..THREADS {
            let (received, answers, running) = (received.clone(), answers.clone(), running.clone());
            let started = std::thread::Builder::new()
                .name(format!("request {number}"))
                .spawn(move || work_off(&received, &answers, &running));
            if let Err(error) = started {
                eprintln!("zester lsp: no thread can be started: {error}");
            }
        }
        Self { work, running }
    }

    fn run(&self, id: RequestId, work: Work) {
        let cancelled = Arc::new(AtomicBool::new(false));
        self.running.lock().unwrap_or_else(|e| e.into_inner()).insert(id.clone(), cancelled.clone());
        let _ = self.work.send((id, cancelled, work));
    }

    /// A request that has not begun is not begun; one that has is answered as cancelled.
    pub fn cancel(&self, id: &RequestId) {
        if let Some(flag) = self.running.lock().unwrap_or_else(|e| e.into_inner()).get(id) {
            flag.store(true, Ordering::Relaxed);
        }
    }
}

fn work_off(
    received: &Receiver<(RequestId, Arc<AtomicBool>, Work)>,
    answers: &Sender<Message>,
    running: &Mutex<HashMap<RequestId, Arc<AtomicBool>>>,
) {
    let cancelled_error = || Err((ErrorCode::RequestCanceled, "cancelled".to_owned()));
    while let Ok((id, cancelled, work)) = received.recv() {
        let result = if cancelled.load(Ordering::Relaxed) {
            cancelled_error()
        } else {
            catch_unwind(AssertUnwindSafe(|| work(&cancelled))).unwrap_or_else(|_| {
                let message = "a defect of Zester's; its message is on stderr, please report it";
                Err((ErrorCode::InternalError, message.to_owned()))
            })
        };
        let result = if cancelled.load(Ordering::Relaxed) { cancelled_error() } else { result };
        running.lock().unwrap_or_else(|e| e.into_inner()).remove(&id);
        let response = match result {
            Ok(value) => Response::new_ok(id, value),
            Err((code, message)) => Response::new_err(id, code as i32, message),
        };
        if answers.send(response.into()).is_err() {
            return;
        }
    }
}

impl State<'_> {
    /// Hands out what can be answered now.
    pub fn serve_waiting(&mut self) {
        let mut kept = Vec::new();
        for Waiting { request, route } in std::mem::take(&mut self.waiting) {
            let uri = document_uri(&request.params);
            let path = uri.as_ref().and_then(path_of);
            let at = path.as_ref().and_then(|path| self.locate(path));
            let ready = |folder: &Folder| folder.checked.is_some() && (!route.fresh || folder.is_fresh());
            let whole = matches!(route.handler, Handler::Whole(_));
            let is_glanced = |folder: &Folder, inner: &str| {
                let document = uri.as_ref().and_then(|uri| self.documents.get(&uri.0));
                route.glance
                    && self.client.refresh_diagnostics
                    && document.is_some_and(|(_, document)| folder.glance(inner, &document.text).is_some())
            };
            let is_ready = match &at {
                Some((folder, inner)) if !whole => {
                    self.folders.get(folder).is_some_and(|f| ready(f) || is_glanced(f, inner))
                }
                _ => self.folders.values().all(ready),
            };
            if !is_ready {
                kept.push(Waiting { request, route });
                continue;
            }
            let Request { id, params, .. } = request;
            match route.handler {
                Handler::Document(handler) => {
                    let seen = at.and_then(|(folder, inner)| self.seen(folder, inner, uri.as_ref()));
                    let Some(seen) = seen else {
                        self.fail(id, ErrorCode::InvalidParams, "the request names no file of this machine");
                        continue;
                    };
                    self.pool.run(id, Box::new(move |_| handler(&seen, params)));
                }
                Handler::Whole(handler) => {
                    let seen = |folder: &usize| self.seen(*folder, String::new(), None).map(Arc::new);
                    let folders = self.folders.keys().filter_map(seen).collect();
                    let work: Work = Box::new(move |cancelled| {
                        handler(&Ask { folders, cancelled: cancelled.clone() }, params)
                    });
                    self.pool.run(id, work);
                }
            }
        }
        self.waiting = kept;
    }

    fn seen(&self, folder: usize, path: String, uri: Option<&Uri>) -> Option<Seen> {
        let folder = self.folders.get(&folder)?;
        let checked: Arc<Checked> = folder.checked.clone()?;
        let index = match &checked.index {
            Some(index) => index.clone(),
            None => self.bare_index(&checked.files)?,
        };
        let known = uri.and_then(|uri| self.documents.get(&uri.0)).map(|(_, document)| document.clone());
        let document = known.unwrap_or_else(|| {
            // A file that is not open is read as the check saw it.
            let text = index.project.files().by_path(&path).map(|f| f.text.clone());
            Arc::new(Document::new(0, text.unwrap_or_else(|| "".into())))
        });
        let context = index.context(&path);
        let glanced = folder.glance(&path, &document.text).cloned();
        Some(Seen {
            glanced,
            root: folder.root.clone(),
            open: self.open_in(folder),
            index,
            checked,
            path,
            context,
            document,
            client: self.client.clone(),
            peels: self.peels.clone(),
            helpers: self.helpers.clone(),
        })
    }
}

/// The document a request is about, wherever its parameters name it.
fn document_uri(params: &Value) -> Option<Uri> {
    let pointers = ["/textDocument/uri", "/item/uri"];
    pointers.iter().find_map(|p| params.pointer(p)?.as_str()).map(Uri::from)
}
