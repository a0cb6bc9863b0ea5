//! How old a package manager's index is, told by the files it keeps.

use super::{FileKind, files};
use crate::Context;

/// Seconds since the newest of `index` was written; `None` when there is none, or when a file of `repositories` is newer: an index
/// that is older than a list of repositories was never made for it. Of a directory, what lies in it counts, too.
pub(super) fn age(cx: &Context, index: &[&str], repositories: &[&str]) -> Result<Option<f64>, String> {
    let made = newest(cx, index, 3)?;
    if newest(cx, repositories, 1)? > made {
        return Ok(None);
    }
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |d| i64::try_from(d.as_secs()).unwrap_or(i64::MAX));
    Ok(made.map(|time| now.saturating_sub(time) as f64))
}

fn newest(cx: &Context, paths: &[&str], depth: u8) -> Result<Option<i64>, String> {
    let mut time = None;
    for path in paths {
        let Some(stat) = files::stat(cx, path)? else { continue };
        time = time.max(Some(stat.modified.0));
        if stat.kind == FileKind::Directory && depth > 0 {
            let below: Vec<String> = cx
                .machine
                .files
                .list(path)
                .unwrap_or_default()
                .iter()
                .map(|name| format!("{path}/{name}"))
                .collect();
            let below: Vec<&str> = below.iter().map(String::as_str).collect();
            time = time.max(newest(cx, &below, depth - 1)?);
        }
    }
    Ok(time)
}
