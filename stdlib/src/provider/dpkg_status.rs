//! The package database of dpkg, read from its file: no process is started for it.

use super::packages::Versions;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// Where dpkg keeps it.
pub(crate) const PATH: &str = "/var/lib/dpkg/status";

/// What the database says.
#[derive(Clone, Default, Debug, PartialEq, Eq)]
pub(crate) struct DpkgStatus {
    /// Installed packages; those of another architecture as `name:arch`.
    pub installed: Arc<Versions>,
    /// Removed packages whose configuration is left.
    pub leftovers: Arc<Versions>,
    /// Installed packages whose version is held.
    pub held: BTreeSet<String>,
    /// Virtual name → packages that provide it.
    pub provides: BTreeMap<String, Vec<String>>,
    /// The machine's own architecture.
    pub native: String,
}

#[derive(Default)]
struct Paragraph<'a> {
    package: &'a str,
    status: &'a str,
    version: &'a str,
    architecture: &'a str,
    provides: &'a str,
    multi_arch: &'a str,
}

impl DpkgStatus {
    /// Reads the database's text. Paragraphs that make no sense are passed over, as dpkg's own readers do.
    pub(crate) fn parse(text: &str) -> Self {
        let paragraphs: Vec<Paragraph<'_>> = text.split("\n\n").map(paragraph).collect();
        // dpkg itself is of the machine's own architecture, always.
        let native = paragraphs
            .iter()
            .find(|p| p.package == "dpkg" && p.architecture != "all")
            .map_or("", |p| p.architecture);
        let mut installed = Versions::new();
        let mut leftovers = Versions::new();
        let mut held = BTreeSet::new();
        let mut provides: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for p in &paragraphs {
            let mut words = p.status.split_ascii_whitespace();
            let (want, _flag, state) = (words.next(), words.next(), words.next());
            if p.package.is_empty() || p.version.is_empty() {
                continue;
            }
            let foreign = !native.is_empty() && p.architecture != native && p.architecture != "all";
            let name =
                if foreign { format!("{}:{}", p.package, p.architecture) } else { p.package.to_owned() };
            match state {
                Some("installed" | "triggers-awaited" | "triggers-pending") => {
                    for provided in p.provides.split(',') {
                        let word = provided.split_ascii_whitespace().next().unwrap_or_default();
                        let word = word.split(':').next().unwrap_or_default();
                        if !word.is_empty() && (!foreign || p.multi_arch == "foreign") {
                            provides.entry(word.to_owned()).or_default().push(name.clone());
                        }
                    }
                    if want == Some("hold") {
                        held.insert(name.clone());
                    }
                    installed.insert(name, p.version.to_owned());
                }
                Some("config-files") => {
                    leftovers.insert(name, p.version.to_owned());
                }
                // Half-installed ones must be installed again; not listing them makes that happen.
                _ => {}
            }
        }
        Self {
            installed: Arc::new(installed),
            leftovers: Arc::new(leftovers),
            held,
            provides,
            native: native.to_owned(),
        }
    }

    /// The name a package is listed under: without `:any`, `:native`, `:all` or the machine's own architecture.
    pub(crate) fn canonical<'a>(&self, name: &'a str) -> &'a str {
        match name.rsplit_once(':') {
            Some((base, arch)) if arch == self.native || matches!(arch, "any" | "native" | "all") => base,
            _ => name,
        }
    }
}

fn paragraph(text: &str) -> Paragraph<'_> {
    let mut p = Paragraph::default();
    for line in text.lines() {
        // Only first lines of fields matter; continuation lines start with a blank.
        let slot = match line.as_bytes().first() {
            Some(b'P' | b'S' | b'V' | b'A' | b'M') => match line.split_once(':') {
                Some(("Package", value)) => Some((&mut p.package, value)),
                Some(("Status", value)) => Some((&mut p.status, value)),
                Some(("Version", value)) => Some((&mut p.version, value)),
                Some(("Architecture", value)) => Some((&mut p.architecture, value)),
                Some(("Provides", value)) => Some((&mut p.provides, value)),
                Some(("Multi-Arch", value)) => Some((&mut p.multi_arch, value)),
                _ => None,
            },
            _ => None,
        };
        if let Some((slot, value)) = slot {
            *slot = value.trim();
        }
    }
    p
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "Package: dpkg\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1.21.22\n\n\
        Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nMulti-Arch: same\nVersion: 2.36-9\n\n\
        Package: libc6\nStatus: hold ok installed\nArchitecture: i386\nVersion: 2.36-8\nProvides: libc6-x\n\n\
        Package: nullmailer\nStatus: hold ok installed\nArchitecture: amd64\nVersion: 1:2.2\n\
        Provides: mail-transport-agent, smtp (= 1.0)\nDescription: x\n Package: not-a-field\n\n\
        Package: gone\nStatus: deinstall ok config-files\nArchitecture: all\nVersion: 3\n\n\
        Package: half\nStatus: install reinstreq half-installed\nArchitecture: all\nVersion: 4\n\n\
        Package: never\nStatus: purge ok not-installed\n";

    #[test]
    fn states_architectures_and_virtual_names() {
        let status = DpkgStatus::parse(TEXT);
        assert_eq!(status.native, "amd64");
        assert_eq!(
            status.installed.keys().collect::<Vec<_>>(),
            ["dpkg", "libc6", "libc6:i386", "nullmailer"]
        );
        assert_eq!(status.installed["libc6:i386"], "2.36-8");
        assert_eq!(status.leftovers.keys().collect::<Vec<_>>(), ["gone"]);
        assert_eq!(status.held.iter().collect::<Vec<_>>(), ["libc6:i386", "nullmailer"]);
        assert_eq!(status.provides["mail-transport-agent"], ["nullmailer"]);
        assert_eq!(status.provides["smtp"], ["nullmailer"]);
        assert!(!status.provides.contains_key("libc6-x"));
        assert_eq!(status.canonical("libc6:amd64"), "libc6");
        assert_eq!(status.canonical("libc6:i386"), "libc6:i386");
    }

    #[test]
    fn nonsense_is_passed_over() {
        assert_eq!(DpkgStatus::parse("").installed.len(), 0);
        assert_eq!(DpkgStatus::parse("Package\n\n:::\nStatus: install ok installed").installed.len(), 0);
    }
}
