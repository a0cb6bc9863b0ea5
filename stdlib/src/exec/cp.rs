//! `cp.*`: files of the state tree.

use crate::{Context, Library, source};
use zester_compiler::types::{Map, Path, Value};

fn tree_path<'a>(cx: &Context, path: &'a str) -> Option<(String, &'a str)> {
    let rest = path.strip_prefix("zester://").or_else(|| path.strip_prefix("salt://"))?;
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let env = query.split('&').find_map(|pair| pair.strip_prefix("saltenv="));
    Some((env.map_or_else(|| cx.env.to_string(), str::to_owned), path))
}

fn fetch(cx: &Context, address: &str) -> Result<source::Fetched, String> {
    let candidates = source::candidates(&[Value::from(address)]);
    let verify = source::Verify { skip: true, ..source::Verify::default() };
    source::fetch(cx, &candidates, &verify, address, |_| Ok(false))
        .map_err(|e| e.message)?
        .ok_or_else(|| format!("`{address}` could not be read"))
}

fn text(cx: &Context, address: &str) -> Result<String, String> {
    String::from_utf8(fetch(cx, address)?.content.to_vec()).map_err(|_| format!("`{address}` is not text"))
}

exec! {
    /// The content of a file: of the state tree, the machine, or the web.
    "cp.get_file_str" probe GetFileStr {
        /// Where it lies.
        #[arg(ty = Type::Source)]
        path: String,
    } |it, cx| Ok(text(cx, &it.path)?.into())
}

exec! {
    /// The content of a file as text.
    "cp.get_url" probe GetUrl {
        /// Where it lies.
        #[arg(ty = Type::Source)]
        path: String,
        /// Where a copy is put; its content is given when this is empty.
        dest: Option<Value>,
    } |it, cx| match it.dest.as_ref().and_then(Value::as_str).filter(|d| !d.is_empty()) {
        Some(_) => Err("`cp.get_url` with `dest` writes a file; use the state `file.managed`".to_owned()),
        None => Ok(text(cx, &it.path)?.into()),
    }
}

exec! {
    /// Copies a file of the state tree, the machine or the web.
    "cp.get_file" mutating GetFile {
        /// Where it lies.
        #[arg(ty = Type::Source)]
        path: String,
        /// Where the copy is put.
        dest: Path,
    } |it, cx| {
        let found = fetch(cx, &it.path)?;
        cx.machine
            .files
            .write(&it.dest, &found.content, crate::provider::Ownership::default(), true)
            .map_err(|e| format!("`{}` could not be written: {e}", it.dest))?;
        Ok(it.dest.0.as_str().into())
    }
}

exec! {
    /// Copies a file into the cache; gives the path of the copy.
    "cp.cache_file" probe CacheFile {
        /// Where it lies.
        #[arg(ty = Type::Source)]
        path: String,
    } |it, cx| {
        let candidates = source::candidates(&[Value::from(it.path.as_str())]);
        let verify = source::Verify { skip: true, ..source::Verify::default() };
        let (path, _) = source::local_path(cx, &candidates, &verify, &it.path).map_err(|e| e.message)?;
        Ok(path.into())
    }
}

exec! {
    /// The SHA-256 checksum of a file, and the algorithm's name.
    "cp.hash_file" probe HashFile {
        /// Where it lies.
        #[arg(ty = Type::Source)]
        path: String,
    } |it, cx| {
        let found = fetch(cx, &it.path)?;
        Ok(Value::Map(Map::from_iter([
            ("hsum".to_owned(), source::hash_of(source::Algorithm::Sha256, &found.content).into()),
            ("hash_type".to_owned(), "sha256".into()),
        ])))
    }
}

exec! {
    /// Environments of the state tree that this run knows.
    "cp.envs" pure Envs {} |_, cx| Ok(Value::List(vec![(&*cx.env).into()]))
}

exec! {
    /// Files of the state tree.
    "cp.list_master" pure ListMaster {
        /// The environment.
        saltenv: Option<String>,
        /// Only those that begin so.
        #[arg(default = "")]
        prefix: String,
    } |it, cx| {
        let env = it.saltenv.as_deref().unwrap_or(&cx.env);
        let files = cx.tree.files_below(env, "");
        Ok(files.into_iter().filter(|f| f.starts_with(&it.prefix)).collect::<Vec<_>>().into())
    }
}

exec! {
    /// Names of the state files of the tree.
    "cp.list_states" pure ListStates {
        /// The environment.
        saltenv: Option<String>,
    } |it, cx| {
        let env = it.saltenv.as_deref().unwrap_or(&cx.env);
        let mut names: Vec<String> = cx
            .tree
            .files_below(env, "")
            .iter()
            .filter_map(|file| file.strip_suffix(".zy").or_else(|| file.strip_suffix(".sls")))
            .map(|name| name.strip_suffix("/init").unwrap_or(name).replace('/', "."))
            .collect();
        names.sort();
        names.dedup();
        Ok(names.into())
    }
}

exec! {
    /// Where a file of the tree is; empty when the tree does not have it.
    "cp.is_cached" pure IsCached {
        /// Its address.
        #[arg(ty = Type::Source)]
        path: String,
    } |it, cx| Ok(match tree_path(cx, &it.path) {
        Some((env, path)) if cx.tree.is_file(&env, path) => it.path.as_str().into(),
        _ => "".into(),
    })
}

exec! {
    /// Copies a directory of the state tree with everything below it; gives the paths of the copies.
    "cp.get_dir" mutating GetDir {
        /// Where it lies.
        #[arg(ty = Type::Source)]
        path: String,
        /// The directory in which the copy is put.
        dest: Path,
        /// The environment.
        saltenv: Option<String>,
    } |it, cx| {
        let (env, path) = tree_path(cx, &it.path)
            .ok_or_else(|| format!("`{}` is no directory of the state tree: it begins with `zester://`", it.path))?;
        let env = it.saltenv.clone().unwrap_or(env);
        let path = path.trim_matches('/');
        let files = cx.tree.files_below(&env, path);
        if files.is_empty() {
            return Err(format!("`{}` is no directory of the state tree, or has no files", it.path));
        }
        let name = path.rsplit('/').next().unwrap_or_default();
        let mut copies = Vec::new();
        for file in files {
            let parts = [it.dest.trim_end_matches('/'), name, &file];
            let to = parts.join("/").replace("//", "/");
            let from = if path.is_empty() { file.clone() } else { format!("{path}/{file}") };
            super::file_change::make_parents(cx, &to)?;
            let ownership = crate::provider::Ownership { mode: cx.tree.mode(&env, &from), ..Default::default() };
            cx.machine
                .files
                .write(&to, &cx.tree.read(&env, &from)?, ownership, true)
                .map_err(|e| format!("`{to}` could not be written: {e}"))?;
            copies.push(to);
        }
        Ok(copies.into())
    }
}

exec! {
    /// Directories of the state tree that have files.
    "cp.list_master_dirs" pure ListMasterDirs {
        /// The environment.
        saltenv: Option<String>,
        /// Only those that begin with this.
        #[arg(default = "")]
        prefix: String,
    } |it, cx| {
        let env = it.saltenv.as_deref().unwrap_or(&cx.env);
        let mut all: Vec<String> = Vec::new();
        for file in cx.tree.files_below(env, "") {
            // Each directory above it, too.
            all.extend(file.match_indices('/').filter_map(|(at, _)| file.get(..at)).map(str::to_owned));
        }
        all.retain(|dir| dir.starts_with(&it.prefix));
        all.sort();
        all.dedup();
        Ok(all.into())
    }
}

/// Adds the module's functions.
pub(super) fn register(library: &mut Library) {
    library
        .exec::<GetFileStr>()
        .exec::<GetUrl>()
        .exec::<GetFile>()
        .exec::<CacheFile>()
        .exec::<HashFile>()
        .exec::<Envs>()
        .exec::<ListMaster>()
        .exec::<ListStates>()
        .exec::<IsCached>()
        .exec::<GetDir>()
        .exec::<ListMasterDirs>();
}
