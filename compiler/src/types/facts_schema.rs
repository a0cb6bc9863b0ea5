//! The built-in facts: path, type, whether one may be missing, and what it is.
//!
//! One table for the collectors (what they must give), the checker (what exists) and the docs.

use super::Type;

/// A type that can stand in a table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shape {
    /// Text.
    Str,
    /// An integer.
    Int,
    /// A number.
    Float,
    /// A truth value.
    Bool,
    /// A list of one shape.
    List(&'static Shape),
    /// A map of one shape.
    Map(&'static Shape),
    /// A map with known keys.
    Record(&'static [(&'static str, Shape)]),
    /// Anything.
    Any,
}

impl Shape {
    /// The language's type.
    pub fn ty(&self) -> Type {
        match self {
            Shape::Str => Type::Str,
            Shape::Int => Type::INT,
            Shape::Float => Type::Float,
            Shape::Bool => Type::Bool,
            Shape::List(inner) => Type::List(Box::new(inner.ty())),
            Shape::Map(inner) => Type::Map(Box::new(inner.ty())),
            Shape::Record(fields) => Type::Record(
                fields.iter().map(|(name, shape)| ((*name).to_owned(), shape.ty(), false)).collect(),
            ),
            Shape::Any => Type::Any,
        }
    }
}

/// What is known of a built-in fact.
#[derive(Debug)]
pub struct FactInfo {
    /// Dotted path: `os.family`.
    pub path: &'static str,
    /// Its shape.
    pub shape: Shape,
    /// Whether a peel may be without it.
    pub optional: bool,
    /// What it is.
    pub doc: &'static str,
}

const fn always(path: &'static str, shape: Shape, doc: &'static str) -> FactInfo {
    FactInfo { path, shape, optional: false, doc }
}

const fn maybe(path: &'static str, shape: Shape, doc: &'static str) -> FactInfo {
    FactInfo { path, shape, optional: true, doc }
}

/// A list of texts.
pub(super) const TEXTS: Shape = Shape::List(&Shape::Str);

const MOUNT: Shape = Shape::Record(&[
    ("device", Shape::Str),
    ("mountpoint", Shape::Str),
    ("fstype", Shape::Str),
    ("opts", TEXTS),
    ("total", Shape::Int),
    ("used", Shape::Int),
    ("free", Shape::Int),
    ("used_percent", Shape::Float),
]);

const INTERFACE: Shape =
    Shape::Record(&[("name", Shape::Str), ("mac", Shape::Str), ("flags", TEXTS), ("addrs", TEXTS)]);

/// The table, namespaces together.
pub static FACTS: &[FactInfo] = &[
    always("os.name", Shape::Str, "The operating system's kernel: `linux`"),
    always(
        "os.family",
        Shape::Str,
        "The family of distributions: `debian`, `rhel`, `fedora`, `suse`, `arch`, `alpine`",
    ),
    always("os.platform", Shape::Str, "The distribution: `ubuntu`, `debian`, `rocky`"),
    always("os.platform_version", Shape::Str, "The distribution's version: `22.04`"),
    always("os.arch", Shape::Str, "The processor architecture: `amd64`, `arm64`"),
    always("os.kernel", Shape::Str, "The kernel's release: `6.1.0-18-amd64`"),
    always("os.kernel_arch", Shape::Str, "The kernel's name of the architecture: `x86_64`"),
    always("os.kernel_version", Shape::Str, "The kernel's build: `#1 SMP PREEMPT_DYNAMIC Debian 6.1.76-1`"),
    always("os.uptime", Shape::Int, "Seconds since the machine started, when the facts were collected"),
    always("os.boot_time", Shape::Int, "When the machine started, in seconds since 1970"),
    always("os.full_name", Shape::Str, "The distribution's own name: `Debian GNU/Linux`"),
    always("os.pretty_name", Shape::Str, "Name and version as the distribution shows them"),
    maybe("os.codename", Shape::Str, "The version's code name: `bookworm`"),
    maybe("os.major", Shape::Int, "The version's first number: 22"),
    always("cpu.count", Shape::Int, "Processors the system sees"),
    always("cpu.logical_count", Shape::Int, "Hardware threads"),
    always("cpu.physical_count", Shape::Int, "Cores"),
    maybe("cpu.model", Shape::Str, "The processor's name"),
    maybe("cpu.vendor", Shape::Str, "The processor's maker: `GenuineIntel`"),
    maybe("cpu.mhz", Shape::Float, "Clock rate in MHz"),
    maybe("cpu.cache_size", Shape::Int, "Cache in KB"),
    maybe("cpu.flags", TEXTS, "What the processor can: `aes`, `avx2`"),
    always("memory.total", Shape::Int, "Memory in bytes"),
    always("memory.available", Shape::Int, "Memory that programs can still have, in bytes"),
    always("memory.used", Shape::Int, "Memory in use, in bytes"),
    always("memory.free", Shape::Int, "Memory used for nothing, in bytes"),
    always("memory.swap_total", Shape::Int, "Swap space in bytes"),
    always("memory.swap_used", Shape::Int, "Swap space in use, in bytes"),
    always("memory.swap_free", Shape::Int, "Swap space left, in bytes"),
    always("memory.used_percent", Shape::Float, "Share of the memory in use"),
    always("disk.mounts", Shape::List(&MOUNT), "Mounted file systems of disks; sizes in bytes"),
    always("disk.disks", TEXTS, "Rotating block devices"),
    always("disk.ssds", TEXTS, "Block devices that do not rotate"),
    always("network.hostname", Shape::Str, "The host name without its domain"),
    always("network.fqdn", Shape::Str, "The full host name, from the host name and `/etc/hosts`"),
    always("network.domain", Shape::Str, "The domain of the full name; empty without one"),
    always("network.ipv4", TEXTS, "All IPv4 addresses, loopback among them"),
    always("network.ipv6", TEXTS, "All IPv6 addresses, loopback among them"),
    always("network.interfaces", Shape::List(&INTERFACE), "Network interfaces"),
    maybe("network.gateway", Shape::Str, "The IPv4 default gateway"),
    maybe("network.gateway6", Shape::Str, "The IPv6 default gateway"),
    always("network.nameservers", TEXTS, "Name servers of `/etc/resolv.conf`"),
    always("network.search", TEXTS, "Search domains of `/etc/resolv.conf`"),
    always("system.init", Shape::Str, "What runs the services: `systemd`, `openrc`, `sysvinit`, `unknown`"),
    maybe("system.systemd", Shape::Str, "The version of systemd where it runs: `252`"),
    maybe("system.machine_id", Shape::Str, "The machine's id (`/etc/machine-id`)"),
    always("system.path", Shape::Str, "`PATH` of this process"),
    always("system.shell", Shape::Str, "`SHELL` of this process, else `/bin/sh`"),
    maybe("system.timezone", Shape::Str, "The time zone's name: `Europe/Berlin`"),
    maybe("system.locale", Shape::Str, "The locale of this process: `en_US.UTF-8`"),
    always("system.selinux", Shape::Bool, "Whether SELinux is on"),
    always("system.selinux_enforced", Shape::Str, "`Enforcing`, `Permissive` or `Disabled`"),
    always("system.efi", Shape::Bool, "Whether the machine started by EFI"),
    maybe("system.python", Shape::Str, "The version of the system's Python 3: `3.11`"),
    always("system.user", Shape::Str, "The user this process runs as"),
    always("system.group", Shape::Str, "The group this process runs as"),
    always("system.uid", Shape::Int, "That user's number"),
    always("system.gid", Shape::Int, "That group's number"),
    always("system.pid", Shape::Int, "This process's number"),
    maybe("hardware.manufacturer", Shape::Str, "Who made the machine"),
    maybe("hardware.product", Shape::Str, "The machine's product name"),
    maybe("hardware.serial", Shape::Str, "The machine's serial number (root only)"),
    maybe("hardware.uuid", Shape::Str, "The machine's UUID (root only)"),
    maybe("hardware.bios_version", Shape::Str, "The firmware's version"),
    maybe("hardware.bios_date", Shape::Str, "The firmware's date"),
    always("virtualization.type", Shape::Str, "`physical`, `kvm`, `VMware`, `container`, …"),
    maybe("virtualization.subtype", Shape::Str, "`Docker`, `LXC`, `systemd-nspawn`, …"),
    maybe("default_ipv4", Shape::Str, "The IPv4 address of the interface with the default route"),
    maybe("default_ipv6", Shape::Str, "The IPv6 address of the interface with the default route"),
    always("zester_version", Shape::Str, "The version of Zester that collected the facts"),
    always("protocol_version", Shape::Int, "The version of the protocol that it speaks"),
    maybe("_curve_public_key", Shape::Str, "The key secrets for this peel are sealed to"),
];

/// All built-in facts.
pub fn facts() -> impl Iterator<Item = &'static FactInfo> {
    FACTS.iter()
}

/// The built-in fact of a dotted path.
pub fn fact(path: &str) -> Option<&'static FactInfo> {
    FACTS.iter().find(|info| info.path == path)
}

/// Whether a name is the first word of built-in facts: `os`, `default_ipv4`.
pub fn is_namespace(name: &str) -> bool {
    FACTS.iter().any(|info| info.path.split('.').next() == Some(name))
}

/// The built-in facts of a namespace.
pub fn members(namespace: &str) -> impl Iterator<Item = &'static FactInfo> {
    FACTS.iter().filter(move |info| info.path.split_once('.').is_some_and(|(n, _)| n == namespace))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_unique_and_no_fact_is_a_namespace_with_members() {
        for (index, info) in FACTS.iter().enumerate() {
            assert!(FACTS[index + 1..].iter().all(|other| other.path != info.path), "{}", info.path);
            assert!(members(info.path).next().is_none(), "{}", info.path);
            assert!(!info.doc.is_empty());
        }
        assert!(is_namespace("os") && is_namespace("default_ipv4") && !is_namespace("role"));
        assert_eq!(
            fact("disk.mounts").unwrap().shape.ty().to_string().split(',').next(),
            Some("list<record{device: str")
        );
    }
}
