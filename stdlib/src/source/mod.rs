//! Where the content of files comes from: the state tree, the machine itself, the web.

mod checksum;
pub(crate) mod http;
mod location;

pub(crate) use checksum::{Algorithm, Checksum, digest, hash_of, hasher};
pub(crate) use location::Location;

use crate::{Context, Failure, file::path};
use std::sync::Arc;
use zester_compiler::types::Value;

/// Largest content that is held in memory.
pub(crate) const MAX_BYTES: u64 = 512 * 1024 * 1024;

/// One entry of a `source` list, with the checksum that may stand beside it.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Candidate {
    /// As written.
    pub(crate) text: String,
    /// Its own checksum (`- https://…: sha256=…`).
    pub(crate) hash: Option<String>,
}

/// The entries of a `source` parameter: texts, and maps of one source to its checksum.
pub(crate) fn candidates(source: &[Value]) -> Vec<Candidate> {
    let mut found = Vec::new();
    for value in source {
        match value {
            Value::Map(map) => found.extend(
                map.iter().map(|(text, hash)| Candidate { text: text.clone(), hash: Some(hash.to_string()) }),
            ),
            Value::Null => {}
            other => found.push(Candidate { text: other.to_string(), hash: None }),
        }
    }
    found.retain(|c| !c.text.is_empty());
    found
}

/// How a source is verified.
#[derive(Clone, Default, Debug)]
pub(crate) struct Verify {
    /// `source_hash`: a checksum, or the address of a file of checksums.
    pub(crate) hash: Option<String>,
    /// `source_hash_name`: the name to look for in such a file.
    pub(crate) hash_name: Option<String>,
    /// `skip_verify`.
    pub(crate) skip: bool,
    /// Whether the server's certificate is verified; `verify_ssl`.
    pub(crate) insecure: bool,
    /// Environment of the state tree, where it is not the state's own; `saltenv`.
    pub(crate) env: Option<String>,
}

/// Content that was found.
pub(crate) struct Fetched {
    /// The source as written.
    pub(crate) source: String,
    /// The path in the state tree, for files of it: templates resolve their imports against it.
    pub(crate) tree_path: Option<String>,
    /// Environment of the state tree it came from.
    pub(crate) env: Arc<str>,
    /// The content.
    pub(crate) content: Arc<[u8]>,
    /// Its permission bits, where they are known.
    pub(crate) mode: Option<u32>,
}

/// Picks the first source that exists. A single one is taken as it is: reading it says best what is wrong with it.
pub(crate) fn choose(
    cx: &Context,
    sources: &[Candidate],
    verify: &Verify,
) -> Result<(Location, Candidate), Failure> {
    if let [single] = sources {
        return Ok((Location::parse(cx, &single.text, verify.env.as_deref())?, single.clone()));
    }
    let mut tried = Vec::new();
    for candidate in sources {
        let location = Location::parse(cx, &candidate.text, verify.env.as_deref())?;
        let exists = match &location {
            Location::Tree { env, path } => {
                cx.tree.is_file(env, path) || !cx.tree.files_below(env, path).is_empty()
            }
            Location::Machine(path) => path::stat(cx, path, true)?.is_some(),
            Location::Web(url) => http::exists(cx, url, verify.insecure),
        };
        if exists {
            return Ok((location, candidate.clone()));
        }
        tried.push(format!("`{}`", candidate.text));
    }
    Err(Failure::new(match tried.as_slice() {
        [] => "There is no source".to_owned(),
        _ => format!("None of the sources exists: {}", tried.join(", ")),
    }))
}

/// The checksum a source must have, if one was given.
pub(crate) fn expected(
    cx: &Context,
    location: &Location,
    candidate: &Candidate,
    verify: &Verify,
    target: &str,
) -> Result<Option<Checksum>, Failure> {
    let Some(text) = candidate.hash.as_ref().or(verify.hash.as_ref()).filter(|t| !t.is_empty()) else {
        return Ok(None);
    };
    if let Some(checksum) = Checksum::parse(text) {
        return Ok(Some(checksum));
    }
    if !text.contains('/') {
        return Err(Failure::new(format!(
            "`source_hash: {text}` is neither a checksum (`sha256=…`, or 32 to 128 hexadecimal digits) nor the address of a file of checksums"
        )));
    }
    let list = Location::parse(cx, text, verify.env.as_deref())?;
    let content = read(cx, &list, verify)?;
    let content = String::from_utf8_lossy(&content);
    let names: Vec<&str> = match &verify.hash_name {
        Some(name) => vec![name.as_str()],
        None => [location.file_name(), target.rsplit('/').next().unwrap_or_default()].to_vec(),
    };
    Checksum::find(&content, &names).map(Some).ok_or_else(|| {
        Failure::new(format!(
            "`{text}` has no checksum for {}",
            names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(" or ")
        ))
    })
}

fn read(cx: &Context, location: &Location, verify: &Verify) -> Result<Arc<[u8]>, Failure> {
    Ok(match location {
        Location::Tree { env, path } => cx.tree.read(env, path)?,
        Location::Machine(path) => crate::file::desired::read(cx, path)?.into(),
        Location::Web(url) => {
            let file = http::fetch(cx, url, None, verify.insecure)?;
            std::fs::read(&file).map_err(|e| path::unreadable(&file.display().to_string(), &e))?.into()
        }
    })
}

/// Reads the first source that exists, verified. `None` when `current` (the checksum of what is there already, asked
/// only if it matters) says that a download is not needed.
pub(crate) fn fetch(
    cx: &Context,
    sources: &[Candidate],
    verify: &Verify,
    target: &str,
    current: impl FnOnce(&Checksum) -> Result<bool, Failure>,
) -> Result<Option<Fetched>, Failure> {
    let (location, candidate) = choose(cx, sources, verify)?;
    let checksum = expected(cx, &location, &candidate, verify, target)?;
    let (content, mode, tree_path, env): (Arc<[u8]>, _, _, _) = match &location {
        Location::Tree { env, path } => {
            let content = cx.tree.read(env, path)?;
            (content, cx.tree.mode(env, path), Some(path.clone()), env.clone())
        }
        Location::Machine(path) => {
            let stat = path::stat(cx, path, true)?;
            let stat = stat
                .ok_or_else(|| Failure::new(format!("The source `{path}` does not exist on this machine")))?;
            if stat.size > MAX_BYTES {
                return Err(Failure::new(format!(
                    "The source `{path}` has {} bytes; at most {MAX_BYTES} are read",
                    stat.size
                )));
            }
            (crate::file::desired::read(cx, path)?.into(), Some(stat.mode), None, cx.env.clone())
        }
        Location::Web(url) => {
            if checksum.is_none() && !verify.skip {
                return Err(Failure::new(format!(
                    "`{url}` comes from the web and nothing says what it must be; give `source_hash`, or `skip_verify: true` to take whatever comes"
                )));
            }
            if let Some(checksum) = &checksum
                && current(checksum)?
            {
                return Ok(None);
            }
            let file = http::fetch(cx, url, checksum.as_ref().filter(|_| !verify.skip), verify.insecure)?;
            let content =
                std::fs::read(&file).map_err(|e| path::unreadable(&file.display().to_string(), &e))?;
            (content.into(), None, None, cx.env.clone())
        }
    };
    if let Some(checksum) = checksum.filter(|_| !verify.skip && !matches!(location, Location::Web(_))) {
        checksum.verify(&content, &candidate.text)?;
    }
    Ok(Some(Fetched { source: candidate.text, tree_path, env, content, mode }))
}

/// The path on this machine of the first source that exists: of a file of the machine itself, its own; of another,
/// that of a copy in the cache.
pub(crate) fn local_path(
    cx: &Context,
    sources: &[Candidate],
    verify: &Verify,
    target: &str,
) -> Result<(String, Option<Checksum>), Failure> {
    let (location, candidate) = choose(cx, sources, verify)?;
    let checksum = expected(cx, &location, &candidate, verify, target)?;
    let must = checksum.as_ref().filter(|_| !verify.skip);
    let path = match &location {
        Location::Machine(path) => {
            if path::stat(cx, path, true)?.is_none() {
                return Err(Failure::new(format!("The source `{path}` does not exist on this machine")));
            }
            if let Some(must) = must {
                must.verify(&crate::file::desired::read(cx, path)?, path)?;
            }
            path.clone()
        }
        Location::Tree { env, path } => {
            let content = cx.tree.read(env, path)?;
            if let Some(must) = must {
                must.verify(&content, &candidate.text)?;
            }
            let file = http::cached(cx, &format!("tree:{env}:{path}"))?;
            let file = file.to_str().unwrap_or_default().to_owned();
            let there = path::stat(cx, &file, false)?.is_some_and(|s| s.size == content.len() as u64)
                && crate::file::desired::read(cx, &file)? == *content;
            if !there {
                let missing = path::missing_parents(cx, &file, true)?;
                let private = crate::file::attributes::Attributes::mode(0o700);
                path::make_directories(cx, &missing, &private)?;
                let ownership = crate::provider::Ownership { mode: Some(0o600), ..Default::default() };
                cx.machine
                    .files
                    .write(&file, &content, ownership, false)
                    .map_err(|e| Failure::new(format!("`{file}` cannot be written: {e}")))?;
            }
            file
        }
        Location::Web(url) => {
            if checksum.is_none() && !verify.skip {
                return Err(Failure::new(format!(
                    "`{url}` comes from the web and nothing says what it must be; give `source_hash`, or `skip_verify: true` to take whatever comes"
                )));
            }
            http::fetch(cx, url, must, verify.insecure)?.to_str().unwrap_or_default().to_owned()
        }
    };
    Ok((path, checksum))
}
