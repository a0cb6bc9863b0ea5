//! The distribution and the kernel.

use super::{Collected, Inspection};
use std::collections::HashMap;
use zester_compiler::types::{
    Value,
    facts_grains::{family_of, short_arch},
};

pub(super) fn collect(inspection: &Inspection, out: &mut Collected) {
    let uname = &inspection.uname;
    let release = ["/etc/os-release", "/usr/lib/os-release"]
        .into_iter()
        .find_map(|path| inspection.read(path))
        .map(|text| assignments(&text))
        .unwrap_or_default();
    let value = |key: &str| release.get(key).filter(|value| !value.is_empty()).cloned();
    let platform = value("ID").unwrap_or_else(|| "linux".to_owned());
    let like = value("ID_LIKE").unwrap_or_default();
    let like: Vec<&str> = like.split_whitespace().collect();
    let name = value("NAME").unwrap_or_else(|| "Linux".to_owned());
    let version = version(inspection, &platform, value("VERSION_ID").or_else(|| value("BUILD_ID")));
    let pretty = value("PRETTY_NAME").unwrap_or_else(|| name.clone());
    out.fact("os.name", uname.system.to_lowercase());
    out.fact("os.family", family_of(&platform, &like));
    out.fact("os.full_name", full_name(&platform, &name));
    out.fact("os.platform", platform.as_str());
    out.fact("os.platform_version", version.as_str());
    out.fact("os.pretty_name", pretty.as_str());
    out.maybe("os.major", version.split('.').next().and_then(|first| first.parse::<i64>().ok()));
    let codename = codename(&platform, &pretty, value("VERSION_CODENAME"), value("VERSION"));
    out.maybe("os.codename", codename.clone());
    out.fact("os.arch", short_arch(&uname.machine));
    out.fact("os.kernel", uname.release.as_str());
    out.fact("os.kernel_arch", uname.machine.as_str());
    out.fact("os.kernel_version", uname.version.as_str());
    let uptime = inspection
        .line("/proc/uptime")
        .and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok())
        .unwrap_or_default() as i64;
    out.fact("os.uptime", uptime);
    out.fact("os.boot_time", inspection.now - uptime);

    let lsb = inspection.read("/etc/lsb-release").map(|text| assignments(&text)).unwrap_or_default();
    let lsb = |key: &str| lsb.get(key).filter(|value| !value.is_empty()).cloned();
    out.grain("lsb_distrib_id", lsb("DISTRIB_ID").unwrap_or(name));
    out.grain("lsb_distrib_release", lsb("DISTRIB_RELEASE").unwrap_or(version));
    if let Some(codename) = lsb("DISTRIB_CODENAME").or(codename) {
        out.grain("lsb_distrib_codename", codename);
    }
    out.grain("lsb_distrib_description", lsb("DISTRIB_DESCRIPTION").unwrap_or(pretty));
    let parameters = inspection.line("/proc/cmdline").unwrap_or_default();
    let parameters: Vec<Vec<Value>> = parameters
        .split_whitespace()
        .map(|word| match word.split_once('=') {
            Some((key, value)) => vec![Value::from(key), Value::from(value)],
            None => vec![Value::from(word), Value::Null],
        })
        .collect();
    out.grain("kernelparams", parameters);
}

/// `KEY=value` lines with the shell's quotes.
pub(super) fn assignments(text: &str) -> HashMap<String, String> {
    text.lines()
        .filter_map(|line| {
            let line = line.trim();
            let (key, value) = line.split_once('=')?;
            (!key.starts_with('#')).then(|| (key.trim().to_owned(), unquoted(value.trim())))
        })
        .collect()
}

fn unquoted(value: &str) -> String {
    let inner = ['"', '\'']
        .into_iter()
        .find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote))
        .unwrap_or(value);
    let mut text = String::with_capacity(inner.len());
    let mut chars = inner.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => text.extend(chars.next()),
            c => text.push(c),
        }
    }
    text
}

/// The version. CentOS Linux has its point releases in a file of its own only.
fn version(inspection: &Inspection, platform: &str, id: Option<String>) -> String {
    let id = id.unwrap_or_default();
    if platform == "centos" && !id.contains('.') {
        let release = inspection.line("/etc/centos-release").unwrap_or_default();
        let precise = release
            .split_whitespace()
            .find(|word| word.contains('.') && word.chars().all(|c| c.is_ascii_digit() || c == '.'));
        if let Some(precise) = precise {
            return precise.to_owned();
        }
    }
    id
}

/// The distribution's name as Salt gives it: SUSE's products go by their short names.
fn full_name(platform: &str, name: &str) -> String {
    match platform {
        "opensuse-leap" => "Leap".to_owned(),
        "opensuse-tumbleweed" => "Tumbleweed".to_owned(),
        "sles" | "sled" => platform.to_uppercase(),
        _ => name.trim().to_owned(),
    }
}

/// The code name: its own field, else the words in parentheses of `9.3 (Blue Onyx)`.
fn codename(platform: &str, pretty: &str, own: Option<String>, version: Option<String>) -> Option<String> {
    if own.is_some() {
        return own;
    }
    if platform.starts_with("opensuse") || platform.starts_with("sle") {
        return Some(pretty.to_owned());
    }
    let version = version?;
    let (_, rest) = version.split_once('(')?;
    let (name, _) = rest.split_once(')')?;
    Some(name.trim().to_owned()).filter(|name| !name.is_empty())
}
