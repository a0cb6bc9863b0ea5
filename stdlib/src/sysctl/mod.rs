//! `sysctl.*`: parameters of the running kernel.

mod present;

use crate::{Context, Library, provider::files};

/// Adds the module's functions.
pub(crate) fn register(library: &mut Library) {
    library.state::<present::Present>();
}

/// The file of a parameter: dots separate, a slash inside a part stands for a dot (`net.ipv4.conf.eth0/1.x`).
fn path(name: &str) -> Result<String, String> {
    let odd = |c: char| !(c.is_ascii_alphanumeric() || "._-/:@*".contains(c));
    if name.is_empty()
        || name.contains(odd)
        || name.contains("..")
        || name.starts_with('.')
        || name.contains("//")
    {
        return Err(format!("`{name}` is not the name of a parameter such as `net.ipv4.ip_forward`"));
    }
    // Where the first separator is a slash, the slashes are the separators.
    let slashes_separate = name.find('/').is_some_and(|slash| name.find('.').is_none_or(|dot| slash < dot));
    let path: String = if slashes_separate {
        name.to_owned()
    } else {
        name.chars()
            .map(|c| match c {
                '.' => '/',
                '/' => '.',
                c => c,
            })
            .collect()
    };
    Ok(format!("/proc/sys/{}", path.trim_matches('/')))
}

/// The value of a parameter, its blanks made single; `None` when the kernel does not have it.
pub(crate) fn read(cx: &Context, name: &str) -> Result<Option<String>, String> {
    let path = path(name)?;
    Ok(files::text(cx, &path)?.map(|value| normal(&value)))
}

/// `4096\t87380` and `4096 87380` are the same value.
fn normal(value: &str) -> String {
    value.split_whitespace().collect::<Vec<_>>().join(" ")
}
