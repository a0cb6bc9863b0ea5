//! What is looked at: a root directory, and what the kernel says directly. Tests look at recorded machines.

use std::{
    collections::BTreeMap,
    env, fs,
    io::Read,
    net::IpAddr,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

/// Most bytes read of one file. `/proc/cpuinfo` of the largest machines stays below.
const MAX_FILE_BYTES: u64 = 8 * 1024 * 1024;

/// A machine to collect facts of.
pub struct Inspection {
    /// The directory that stands for `/`.
    pub root: PathBuf,
    /// What `uname` says.
    pub uname: Uname,
    /// Addresses of its interfaces.
    pub addresses: Vec<Address>,
    /// Environment variables of the process.
    pub env: BTreeMap<String, String>,
    /// User and group the process runs as.
    pub ids: (u32, u32),
    /// The process's number.
    pub pid: u32,
    /// The directory it runs in.
    pub cwd: String,
    /// Seconds since 1970.
    pub now: i64,
}

/// The kernel's words about itself.
#[derive(Clone, Debug, Default)]
pub struct Uname {
    /// `Linux`
    pub system: String,
    /// The host name.
    pub node: String,
    /// `6.1.0-18-amd64`
    pub release: String,
    /// `#1 SMP …`
    pub version: String,
    /// `x86_64`
    pub machine: String,
}

/// An address of an interface.
#[derive(Clone, Debug)]
pub struct Address {
    /// `eth0`
    pub interface: String,
    /// The address.
    pub ip: IpAddr,
    /// Its network's prefix length.
    pub prefix: u8,
}

impl Inspection {
    /// The machine this runs on.
    pub fn live() -> Self {
        let uname = rustix::system::uname();
        let text = |text: &std::ffi::CStr| text.to_string_lossy().into_owned();
        let addresses = if_addrs::get_if_addrs().unwrap_or_default();
        Self {
            root: PathBuf::from("/"),
            uname: Uname {
                system: text(uname.sysname()),
                node: text(uname.nodename()),
                release: text(uname.release()),
                version: text(uname.version()),
                machine: text(uname.machine()),
            },
            addresses: addresses
                .into_iter()
                .map(|interface| Address {
                    ip: interface.ip(),
                    prefix: match &interface.addr {
                        if_addrs::IfAddr::V4(v4) => v4.prefixlen,
                        if_addrs::IfAddr::V6(v6) => v6.prefixlen,
                    },
                    interface: interface.name,
                })
                .collect(),
            env: env::vars_os()
                .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)))
                .collect(),
            ids: (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw()),
            pid: std::process::id(),
            cwd: env::current_dir().map(|dir| dir.display().to_string()).unwrap_or_default(),
            now: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64),
        }
    }

    /// The path below the root.
    pub fn path(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// The text of a file; `None` when there is none, or none that may be read.
    pub fn read(&self, path: &str) -> Option<String> {
        let mut bytes = Vec::new();
        fs::File::open(self.path(path)).ok()?.take(MAX_FILE_BYTES).read_to_end(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The first line of a file, trimmed; `None` when it is empty.
    pub fn line(&self, path: &str) -> Option<String> {
        let text = self.read(path)?;
        let line = text.lines().next()?.trim();
        (!line.is_empty()).then(|| line.to_owned())
    }

    /// Whether something is there.
    pub fn exists(&self, path: &str) -> bool {
        self.path(path).exists()
    }

    /// Names in a directory, sorted.
    pub fn names(&self, path: &str) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.path(path)) else { return Vec::new() };
        let mut names: Vec<String> =
            entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        names
    }

    /// The text of a link.
    pub fn link(&self, path: &str) -> Option<String> {
        fs::read_link(self.path(path)).ok().map(|target| target.display().to_string())
    }

    /// Whether the root is this machine's own.
    pub fn is_live(&self) -> bool {
        self.root == Path::new("/")
    }
}
