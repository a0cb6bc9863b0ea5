//! The database of rpm, which dnf, yum and zypper share.

use super::{
    Command, files,
    packages::Versions,
    rpm_version,
    tool::{run, succeed, tool},
};
use crate::Context;
use std::{cmp::Ordering, sync::Arc};

/// Where the database lies: rpm 4.16 and later keep SQLite, earlier ones Berkeley DB; ndb is SUSE's.
const DATABASES: [&str; 8] = [
    "/usr/lib/sysimage/rpm/rpmdb.sqlite",
    "/usr/lib/sysimage/rpm/rpmdb.sqlite-wal",
    "/usr/lib/sysimage/rpm/Packages.db",
    "/usr/lib/sysimage/rpm/Packages",
    "/var/lib/rpm/rpmdb.sqlite",
    "/var/lib/rpm/rpmdb.sqlite-wal",
    "/var/lib/rpm/Packages.db",
    "/var/lib/rpm/Packages",
];

const FORMAT: &str = "%{NAME}\\t%{EPOCH}\\t%{VERSION}-%{RELEASE}\\t%{ARCH}\\n";

/// What the database says.
#[derive(Clone, Default, Debug, PartialEq, Eq)]
pub(super) struct Database {
    /// Installed packages; those of another architecture as `name.arch`. Of several versions (kernels) the newest.
    pub installed: Arc<Versions>,
    /// The machine's own architecture; empty when the database does not tell.
    pub native: String,
}

impl Database {
    /// The database as it is now. It is read again only when its files have changed, whoever changed them.
    pub(super) fn of(cx: &Context) -> Result<Arc<Self>, String> {
        let mut stamps: Vec<files::Stamp> = Vec::new();
        for path in DATABASES {
            stamps.extend(files::stat(cx, path)?.map(|stat| stat.stamp()));
        }
        let read = || {
            let mut query = tool("rpm", ["-qa", "--queryformat", FORMAT]);
            // Ten thousand packages are about this much.
            query.output_limit = 8 * 1024 * 1024;
            Ok(Self::parse(&succeed(cx, query)?.stdout))
        };
        // Where no file is known, nothing tells whether it has changed.
        if stamps.is_empty() { read().map(Arc::new) } else { cx.run.while_same("rpm:database", stamps, read) }
    }

    /// Reads what `rpm -qa` says in [`FORMAT`].
    pub(super) fn parse(text: &str) -> Self {
        let rows: Vec<[&str; 4]> = text.lines().filter_map(row).collect();
        // rpm itself is of the machine's own architecture, always.
        let own = ["rpm", "glibc", "filesystem", "bash"];
        let native = own
            .iter()
            .find_map(|name| rows.iter().find(|r| r[0] == *name && r[3] != "noarch"))
            .map_or_else(String::new, |r| r[3].to_owned());
        let mut database = Self { installed: Arc::default(), native };
        let mut installed = Versions::new();
        for [name, epoch, version, arch] in rows {
            // Keys are in the database as if they were packages.
            if name == "gpg-pubkey" {
                continue;
            }
            let (name, version) = (database.listed(name, arch), full_version(epoch, version));
            let newer = installed
                .get(&name)
                .is_none_or(|have| rpm_version::compare(&version, have) == Ordering::Greater);
            if newer {
                installed.insert(name, version);
            }
        }
        database.installed = Arc::new(installed);
        database
    }

    /// The name a package of this architecture is listed under.
    pub(super) fn listed(&self, name: &str, arch: &str) -> String {
        if arch == "noarch" || arch == self.native || self.native.is_empty() {
            name.to_owned()
        } else {
            format!("{name}.{arch}")
        }
    }

    /// The name a package is listed under: without the machine's own architecture. Names may have dots themselves.
    pub(super) fn canonical<'a>(&self, name: &'a str) -> &'a str {
        match name.rsplit_once('.') {
            Some((base, arch)) if arch == "noarch" || (arch == self.native && !arch.is_empty()) => base,
            _ => name,
        }
    }
}

fn row(line: &str) -> Option<[&str; 4]> {
    let mut parts = line.split('\t');
    let row = [parts.next()?, parts.next()?, parts.next()?, parts.next()?];
    (!row[0].is_empty()).then_some(row)
}

/// Version and release, with an epoch where there is one.
fn full_version(epoch: &str, version: &str) -> String {
    match epoch {
        "" | "0" | "(none)" => version.to_owned(),
        epoch => format!("{epoch}:{version}"),
    }
}

/// Splits `name.arch`, where the last part is an architecture that rpm knows.
pub(super) fn split_arch(name: &str) -> Option<(&str, &str)> {
    const KNOWN: [&str; 13] = [
        "noarch",
        "x86_64",
        "i386",
        "i486",
        "i586",
        "i686",
        "aarch64",
        "armv7hl",
        "ppc64le",
        "s390x",
        "riscv64",
        "x86_64_v2",
        "src",
    ];
    name.rsplit_once('.').filter(|(_, arch)| KNOWN.contains(arch))
}

/// Names of the installed packages that provide `name`.
pub(super) fn providers(cx: &Context, name: &str) -> Result<Vec<String>, String> {
    let output = run(cx, tool("rpm", ["-q", "--whatprovides", "--queryformat", FORMAT, name]))?;
    if !output.success() {
        return Ok(Vec::new());
    }
    let database = Database::of(cx)?;
    Ok(output.stdout.lines().filter_map(row).map(|[name, _, _, arch]| database.listed(name, arch)).collect())
}

/// Name and version of the package in a file.
pub(super) fn file_package(cx: &Context, path: &str) -> Result<(String, String), String> {
    // The signature is looked at when it is installed.
    let query: Command = tool("rpm", ["-qp", "--nosignature", "--queryformat", FORMAT, path]);
    let output = succeed(cx, query)?;
    let [name, epoch, version, arch] = output
        .stdout
        .lines()
        .find_map(row)
        .ok_or_else(|| format!("`{path}` does not name its package and version"))?;
    Ok((Database::of(cx)?.listed(name, arch), full_version(epoch, version)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "rpm\t(none)\t4.16.1.3-25.el9\tx86_64\nbash\t(none)\t5.1.8-6.el9\tx86_64\n\
        glibc\t(none)\t2.34-60.el9\tx86_64\nglibc\t(none)\t2.34-60.el9\ti686\ntzdata\t0\t2023c-1\tnoarch\n\
        vim-minimal\t2\t8.2.2637-20.el9\tx86_64\ngpg-pubkey\t(none)\t8483c65d-5ccc5b19\t(none)\n\
        kernel\t(none)\t5.14.0-9\tx86_64\nkernel\t(none)\t5.14.0-10\tx86_64\npython3.11\t(none)\t3.11.2-2\tx86_64\n";

    #[test]
    fn listing() {
        let database = Database::parse(TEXT);
        assert_eq!(database.native, "x86_64");
        let have = |name: &str| database.installed.get(name).map(String::as_str);
        assert_eq!(have("vim-minimal"), Some("2:8.2.2637-20.el9"));
        assert_eq!(have("tzdata"), Some("2023c-1"));
        assert_eq!(have("glibc.i686"), Some("2.34-60.el9"));
        assert_eq!(have("kernel"), Some("5.14.0-10"));
        assert_eq!(have("gpg-pubkey"), None);
        assert_eq!(database.canonical("glibc.x86_64"), "glibc");
        assert_eq!(database.canonical("glibc.i686"), "glibc.i686");
        assert_eq!(database.canonical("python3.11"), "python3.11");
        assert_eq!(Database::parse("").canonical("a.b"), "a.b");
    }
}
