//! `http.query`: asks a web server.

use crate::{Context, Library, source::http::agent};
use std::io::Read;
use zester_compiler::types::{Map, Url, Value};

/// Most bytes of an answer that are kept.
const ANSWER_LIMIT: u64 = 16 * 1024 * 1024;

exec! {
    /// Asks a web server. Gives `body`, with `decode` also `dict`, with `status` the number, with `headers` those of
    /// the answer; `error` when it failed.
    "http.query" command Query {
        /// The address.
        url: Url,
        /// The method.
        #[arg(default = "GET")]
        method: String,
        /// What is sent: a text, or a map that is sent as JSON.
        data: Option<Value>,
        /// Parameters of the address.
        params: Option<Map>,
        /// Headers that are sent.
        header_dict: Option<Map>,
        /// User.
        username: Option<String>,
        /// Password.
        #[arg(secret)]
        password: Option<String>,
        /// Whether the answer is read as JSON (or YAML).
        #[arg(default = false)]
        decode: bool,
        /// `json`, `yaml`, `plain` or `auto`.
        #[arg(default = "auto", one_of("auto", "json", "yaml", "plain"))]
        decode_type: String,
        /// Whether the status is given.
        #[arg(default = false)]
        status: bool,
        /// Whether the answer's headers are given.
        #[arg(default = false)]
        headers: bool,
        /// Whether the body is given as text.
        #[arg(default = true)]
        text: bool,
        /// Whether the server's certificate is checked.
        #[arg(default = true)]
        verify_ssl: bool,
        /// Whether an error is raised instead of given.
        #[arg(default = false)]
        raise_error: bool,
        /// Which library asks.
        #[arg(inert = "there is one")]
        backend: Option<String>,
    } |it, cx| it.ask(cx)
}

impl Query {
    fn ask(&self, cx: &Context) -> Result<Value, String> {
        if cx.cancel.is_cancelled() {
            return Err("the run was cancelled".to_owned());
        }
        match self.answer() {
            Ok(map) => Ok(map.into()),
            Err(message) if self.raise_error => Err(message),
            Err(message) => Ok(Value::Map(Map::from_iter([("error".to_owned(), message.into())]))),
        }
    }

    /// What the server answered, as far as it was asked for; `error` when it refused. An error means that it said nothing.
    pub(crate) fn answer(&self) -> Result<Map, String> {
        use ureq::http::Request;
        let failed = |e: &dyn std::fmt::Display| format!("`{}` gave no answer: {e}", self.url);
        let mut address = self.url.0.clone();
        for (index, (key, value)) in self.params.iter().flatten().enumerate() {
            address.push(if index == 0 && !address.contains('?') { '?' } else { '&' });
            address.push_str(&format!("{}={}", percent(key), percent(&value.to_string())));
        }
        let mut request = Request::builder().method(self.method.to_uppercase().as_str()).uri(&address);
        for (name, value) in self.header_dict.iter().flatten() {
            request = request.header(name, value.to_string());
        }
        if let Some(user) = &self.username {
            use base64::{Engine, engine::general_purpose::STANDARD};
            let pair = format!("{user}:{}", self.password.as_deref().unwrap_or_default());
            request = request.header("Authorization", format!("Basic {}", STANDARD.encode(pair)));
        }
        let data = self.data.as_ref().map(Value::to_string).unwrap_or_default();
        let request = request.body(data.into_bytes()).map_err(|e| failed(&e))?;
        let mut answer = agent(!self.verify_ssl).run(request).map_err(|e| failed(&e))?;
        let mut body = Vec::new();
        answer.body_mut().as_reader().take(ANSWER_LIMIT).read_to_end(&mut body).map_err(|e| failed(&e))?;
        let body = String::from_utf8_lossy(&body).into_owned();
        let mut map = Map::new();
        if self.status {
            map.insert("status".to_owned(), i64::from(answer.status().as_u16()).into());
        }
        if self.headers {
            let headers = answer.headers().iter();
            let pairs = headers
                .map(|(k, v)| (k.to_string(), String::from_utf8_lossy(v.as_bytes()).into_owned().into()));
            map.insert("headers".to_owned(), Value::Map(pairs.collect()));
        }
        if self.decode && self.decode_type != "plain" {
            let value: Value = match self.decode_type.as_str() {
                "yaml" => serde_yaml::from_str(&body).map_err(|e| failed(&e))?,
                _ => serde_json::from_str(&body).map_err(|e| failed(&e))?,
            };
            map.insert("dict".to_owned(), value);
        }
        if self.text {
            map.insert("body".to_owned(), body.into());
        }
        if !answer.status().is_success() {
            map.insert("error".to_owned(), format!("`{}` answered {}", self.url, answer.status()).into());
        }
        Ok(map)
    }
}

fn percent(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Adds the module's functions.
pub(super) fn register(library: &mut Library) {
    library.exec::<Query>();
}
