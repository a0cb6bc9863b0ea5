//! Salt's grains: names, types, and how each follows from a fact and back.
//!
//! One table, used in both directions, so that a file of facts that knows only `os: {family: debian}` answers
//! `grains.os_family`, and one that knows only `os_family: Debian` answers `facts.os.family`.

use super::{
    Facts, Value,
    facts::Given,
    facts_schema::{Shape, TEXTS},
};

/// What is known of a grain.
#[derive(Debug)]
pub struct GrainInfo {
    /// Its flat name.
    pub name: &'static str,
    /// Its shape.
    pub shape: Shape,
    /// Whether a peel may be without it.
    pub optional: bool,
    /// The fact that says the same, and how the words differ.
    pub fact: Option<(&'static str, Conversion)>,
    /// What it is.
    pub doc: &'static str,
}

/// How a grain's value differs from its fact's.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Conversion {
    /// Not at all.
    Same,
    /// Bytes here, mebibytes there.
    Mebibytes,
    /// `debian` here, `Debian` there.
    Family,
    /// `ubuntu` here, `Ubuntu` there.
    Distribution,
    /// `linux` here, `Linux` there.
    Kernel,
    /// `amd64` here, what the distribution's packages say there.
    PackageArch,
}

const fn same(name: &'static str, shape: Shape, fact: &'static str, doc: &'static str) -> GrainInfo {
    GrainInfo { name, shape, optional: false, fact: Some((fact, Conversion::Same)), doc }
}

const fn maybe(name: &'static str, shape: Shape, fact: &'static str, doc: &'static str) -> GrainInfo {
    GrainInfo { name, shape, optional: true, fact: Some((fact, Conversion::Same)), doc }
}

const fn via(
    name: &'static str,
    shape: Shape,
    fact: &'static str,
    conversion: Conversion,
    doc: &'static str,
) -> GrainInfo {
    GrainInfo { name, shape, optional: false, fact: Some((fact, conversion)), doc }
}

const fn own(name: &'static str, shape: Shape, optional: bool, doc: &'static str) -> GrainInfo {
    GrainInfo { name, shape, optional, fact: None, doc }
}

const ADDRESSES: Shape = Shape::Map(&TEXTS);

/// The table.
pub static GRAINS: &[GrainInfo] = &[
    own("id", Shape::Str, false, "The peel's id"),
    via(
        "os",
        Shape::Str,
        "os.platform",
        Conversion::Distribution,
        "The distribution: `Ubuntu`, `Debian`, `Rocky`",
    ),
    via(
        "os_family",
        Shape::Str,
        "os.family",
        Conversion::Family,
        "The family: `Debian`, `RedHat`, `Suse`, `Arch`, `Alpine`",
    ),
    same("osfullname", Shape::Str, "os.full_name", "The distribution's own name: `Debian GNU/Linux`"),
    same("osrelease", Shape::Str, "os.platform_version", "The version: `22.04`"),
    own("osrelease_info", Shape::List(&Shape::Any), false, "The version's parts as numbers: [22, 4]"),
    own("osfinger", Shape::Str, false, "Distribution and major version: `Debian-12`, `Ubuntu-22.04`"),
    maybe("oscodename", Shape::Str, "os.codename", "The version's code name: `bookworm`"),
    maybe("osmajorrelease", Shape::Int, "os.major", "The version's first number"),
    via(
        "osarch",
        Shape::Str,
        "os.arch",
        Conversion::PackageArch,
        "The architecture as packages name it: `amd64`, `x86_64`",
    ),
    same("cpuarch", Shape::Str, "os.kernel_arch", "The kernel's name of the architecture: `x86_64`"),
    via("kernel", Shape::Str, "os.name", Conversion::Kernel, "`Linux`"),
    same("kernelrelease", Shape::Str, "os.kernel", "The kernel's release: `6.1.0-18-amd64`"),
    same("kernelversion", Shape::Str, "os.kernel_version", "The kernel's build"),
    own("kernelparams", Shape::List(&Shape::List(&Shape::Any)), true, "The kernel's command line as pairs"),
    own("lsb_distrib_id", Shape::Str, true, "The distribution's id: `Ubuntu`"),
    own("lsb_distrib_release", Shape::Str, true, "The distribution's version"),
    own("lsb_distrib_codename", Shape::Str, true, "The version's code name"),
    own("lsb_distrib_description", Shape::Str, true, "Name and version as the distribution shows them"),
    same("host", Shape::Str, "network.hostname", "The host name without its domain"),
    own("localhost", Shape::Str, false, "The host name as the kernel knows it"),
    own("nodename", Shape::Str, false, "The host name as the kernel knows it"),
    same("fqdn", Shape::Str, "network.fqdn", "The full host name"),
    same("domain", Shape::Str, "network.domain", "The domain of the full name; empty without one"),
    own("fqdns", TEXTS, false, "Full names of this machine's addresses"),
    same("ipv4", TEXTS, "network.ipv4", "All IPv4 addresses, loopback among them"),
    same("ipv6", TEXTS, "network.ipv6", "All IPv6 addresses, loopback among them"),
    own("fqdn_ip4", TEXTS, false, "IPv4 addresses of the full host name"),
    own("fqdn_ip6", TEXTS, false, "IPv6 addresses of the full host name"),
    own("ip_interfaces", ADDRESSES, false, "Addresses by interface"),
    own("ip4_interfaces", ADDRESSES, false, "IPv4 addresses by interface"),
    own("ip6_interfaces", ADDRESSES, false, "IPv6 addresses by interface"),
    own("hwaddr_interfaces", Shape::Map(&Shape::Str), false, "MAC addresses by interface"),
    own("ip_gw", Shape::Bool, false, "Whether there is a default gateway"),
    own("ip4_gw", Shape::Any, false, "The IPv4 default gateway, or false"),
    own("ip6_gw", Shape::Any, false, "The IPv6 default gateway, or false"),
    own(
        "dns",
        Shape::Record(&[
            ("nameservers", TEXTS),
            ("ip4_nameservers", TEXTS),
            ("ip6_nameservers", TEXTS),
            ("sortlist", TEXTS),
            ("domain", Shape::Str),
            ("search", TEXTS),
            ("options", TEXTS),
        ]),
        false,
        "The resolver's configuration",
    ),
    same("num_cpus", Shape::Int, "cpu.count", "Processors the system sees"),
    maybe("cpu_model", Shape::Str, "cpu.model", "The processor's name"),
    maybe("cpu_flags", TEXTS, "cpu.flags", "What the processor can"),
    via("mem_total", Shape::Int, "memory.total", Conversion::Mebibytes, "Memory in MiB"),
    via("swap_total", Shape::Int, "memory.swap_total", Conversion::Mebibytes, "Swap space in MiB"),
    same("disks", TEXTS, "disk.disks", "Rotating block devices"),
    same("ssds", TEXTS, "disk.ssds", "Block devices that do not rotate"),
    same("init", Shape::Str, "system.init", "What runs the services: `systemd`, `openrc`, `sysvinit`"),
    own(
        "systemd",
        Shape::Record(&[("version", Shape::Str), ("features", Shape::Str)]),
        true,
        "The version of systemd, where it runs",
    ),
    maybe("machine_id", Shape::Str, "system.machine_id", "The machine's id"),
    own(
        "server_id",
        Shape::Int,
        false,
        "A number made from the peel's id, for database replication and the like",
    ),
    same("path", Shape::Str, "system.path", "`PATH` of this process"),
    own("systempath", TEXTS, false, "`PATH` of this process as a list"),
    same("shell", Shape::Str, "system.shell", "`SHELL` of this process"),
    own("ps", Shape::Str, false, "The command that lists processes"),
    same("pid", Shape::Int, "system.pid", "This process's number"),
    same("uid", Shape::Int, "system.uid", "Number of the user this process runs as"),
    same("gid", Shape::Int, "system.gid", "Number of the group this process runs as"),
    same("username", Shape::Str, "system.user", "The user this process runs as"),
    same("groupname", Shape::Str, "system.group", "The group this process runs as"),
    own(
        "locale_info",
        Shape::Record(&[
            ("defaultlanguage", Shape::Any),
            ("defaultencoding", Shape::Any),
            ("detectedencoding", Shape::Str),
            ("timezone", Shape::Str),
        ]),
        false,
        "Language, encoding and time zone",
    ),
    maybe("timezone", Shape::Str, "system.timezone", "The time zone's name"),
    own(
        "selinux",
        Shape::Record(&[("enabled", Shape::Bool), ("enforced", Shape::Str)]),
        false,
        "The state of SELinux",
    ),
    same("efi", Shape::Bool, "system.efi", "Whether the machine started by EFI"),
    own("efi-secure-boot", Shape::Bool, false, "Whether it started by EFI with secure boot"),
    same("virtual", Shape::Str, "virtualization.type", "`physical`, `kvm`, `VMware`, `container`, …"),
    maybe("virtual_subtype", Shape::Str, "virtualization.subtype", "`Docker`, `LXC`, …"),
    maybe("manufacturer", Shape::Str, "hardware.manufacturer", "Who made the machine"),
    maybe("productname", Shape::Str, "hardware.product", "The machine's product name"),
    maybe("serialnumber", Shape::Str, "hardware.serial", "The machine's serial number"),
    maybe("uuid", Shape::Str, "hardware.uuid", "The machine's UUID"),
    maybe("biosversion", Shape::Str, "hardware.bios_version", "The firmware's version"),
    maybe("biosreleasedate", Shape::Str, "hardware.bios_date", "The firmware's date"),
    own(
        "pythonversion",
        Shape::List(&Shape::Any),
        false,
        "The version of the system's Python 3: [3, 11, 0, 'final', 0]",
    ),
    own("pythonexecutable", Shape::Str, true, "The path of the system's Python 3"),
    own("pythonpath", TEXTS, false, "Directories of Python modules; empty here"),
    own("saltversion", Shape::Str, false, "The version of Salt whose behaviour is given"),
    own("saltversioninfo", Shape::List(&Shape::Any), false, "Its parts as numbers"),
    own("saltpath", Shape::Str, true, "Where Salt is installed"),
    own("zmqversion", Shape::Str, false, "Empty: no ZeroMQ is used"),
    same("zesterversion", Shape::Str, "zester_version", "The version of Zester"),
    own("master", Shape::Str, false, "The master's address; empty without one"),
    own("cwd", Shape::Str, false, "The directory this process runs in"),
    own("gpus", Shape::List(&Shape::Any), false, "Graphics processors"),
    own("num_gpus", Shape::Int, false, "Number of graphics processors"),
    own("mdadm", TEXTS, false, "Software RAID devices"),
    own("transactional", Shape::Bool, false, "Whether the root file system is changed by transactions only"),
];

/// All grains.
pub fn grains() -> impl Iterator<Item = &'static GrainInfo> {
    GRAINS.iter()
}

/// The grain of a name.
pub fn grain(name: &str) -> Option<&'static GrainInfo> {
    GRAINS.iter().find(|info| info.name == name)
}

/// A distribution: its id in `/etc/os-release`, Salt's `os`, its family here and in Salt, its full name.
struct Distribution {
    id: &'static str,
    os: &'static str,
    family: &'static str,
    full_name: &'static str,
}

const fn distribution(
    id: &'static str,
    os: &'static str,
    family: &'static str,
    full_name: &'static str,
) -> Distribution {
    Distribution { id, os, family, full_name }
}

static DISTRIBUTIONS: &[Distribution] = &[
    distribution("debian", "Debian", "debian", "Debian GNU/Linux"),
    distribution("ubuntu", "Ubuntu", "debian", "Ubuntu"),
    distribution("raspbian", "Raspbian", "debian", "Raspbian GNU/Linux"),
    distribution("linuxmint", "Mint", "debian", "Linux Mint"),
    distribution("kali", "Kali", "debian", "Kali GNU/Linux"),
    distribution("pop", "Pop", "debian", "Pop!_OS"),
    distribution("devuan", "Devuan", "debian", "Devuan GNU/Linux"),
    distribution("neon", "KDE neon", "debian", "KDE neon"),
    distribution("elementary", "elementary OS", "debian", "elementary OS"),
    distribution("astra", "AstraLinuxCE", "debian", "Astra Linux"),
    distribution("rhel", "RedHat", "rhel", "Red Hat Enterprise Linux"),
    distribution("centos", "CentOS", "rhel", "CentOS Linux"),
    distribution("rocky", "Rocky", "rhel", "Rocky Linux"),
    distribution("almalinux", "AlmaLinux", "rhel", "AlmaLinux"),
    distribution("ol", "OEL", "rhel", "Oracle Linux Server"),
    distribution("scientific", "ScientificLinux", "rhel", "Scientific Linux"),
    distribution("virtuozzo", "Virtuozzo", "rhel", "Virtuozzo Linux"),
    distribution("amzn", "Amazon", "rhel", "Amazon Linux"),
    distribution("photon", "VMware Photon OS", "rhel", "VMware Photon OS"),
    distribution("fedora", "Fedora", "fedora", "Fedora Linux"),
    distribution("opensuse-leap", "SUSE", "suse", "Leap"),
    distribution("opensuse-tumbleweed", "SUSE", "suse", "Tumbleweed"),
    distribution("opensuse", "SUSE", "suse", "openSUSE"),
    distribution("sles", "SUSE", "suse", "SLES"),
    distribution("sled", "SUSE", "suse", "SLED"),
    distribution("arch", "Arch", "arch", "Arch Linux"),
    distribution("archarm", "Arch ARM", "arch", "Arch Linux ARM"),
    distribution("manjaro", "Manjaro", "arch", "Manjaro Linux"),
    distribution("gentoo", "Gentoo", "gentoo", "Gentoo"),
    distribution("alpine", "Alpine", "alpine", "Alpine Linux"),
    distribution("void", "Void", "void", "Void"),
    distribution("nixos", "NixOS", "nixos", "NixOS"),
    distribution("slackware", "Slackware", "slackware", "Slackware"),
];

/// Families whose name in Salt is not the capitalised word.
static FAMILIES: &[(&str, &str)] = &[("rhel", "RedHat"), ("fedora", "RedHat"), ("nixos", "NixOS")];

/// The family of a distribution: by its id, else by those it says it is like (`ID_LIKE`), else its own name.
pub fn family_of(platform: &str, like: &[&str]) -> String {
    std::iter::once(&platform)
        .chain(like)
        .find_map(|id| DISTRIBUTIONS.iter().find(|d| d.id == *id))
        .map_or_else(|| like.first().copied().unwrap_or(platform), |d| d.family)
        .to_owned()
}

fn capitalised(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// Go's and Debian's name of an architecture and the kernel's, RPM's among them.
static ARCHITECTURES: &[(&str, &str)] = &[
    ("amd64", "x86_64"),
    ("arm64", "aarch64"),
    ("386", "i686"),
    ("arm", "armv7l"),
    ("ppc64le", "ppc64le"),
    ("s390x", "s390x"),
    ("riscv64", "riscv64"),
    ("loong64", "loongarch64"),
];

/// The short name (`amd64`) of the kernel's name of an architecture (`x86_64`).
pub fn short_arch(machine: &str) -> String {
    match machine {
        "i386" | "i486" | "i586" | "i686" => "386".to_owned(),
        arm if arm.starts_with("armv") => "arm".to_owned(),
        other => ARCHITECTURES
            .iter()
            .find(|(_, kernel)| *kernel == other)
            .map_or(other, |(short, _)| *short)
            .to_owned(),
    }
}

fn kernel_arch(short: &str) -> String {
    ARCHITECTURES.iter().find(|(s, _)| *s == short).map_or(short, |(_, kernel)| *kernel).to_owned()
}

fn package_arch(short: &str, facts: &Facts) -> String {
    let family = facts.fact("os.family").and_then(Value::as_str).unwrap_or_default();
    if family == "debian" {
        return match short {
            "386" => "i386",
            "arm" => "armhf",
            "ppc64le" => "ppc64el",
            other => other,
        }
        .to_owned();
    }
    match facts.fact("os.kernel_arch").and_then(Value::as_str) {
        Some(machine) => machine.to_owned(),
        None => kernel_arch(short),
    }
}

impl Conversion {
    /// The grain's value from the fact's.
    pub(super) fn to_grain(self, fact: &Value, facts: &Facts) -> Option<Value> {
        Some(match self {
            Conversion::Same => fact.clone(),
            Conversion::Mebibytes => Value::Int(fact.as_int()? / (1024 * 1024)),
            Conversion::Kernel => Value::Str(capitalised(fact.as_str()?)),
            Conversion::PackageArch => Value::Str(package_arch(fact.as_str()?, facts)),
            Conversion::Family => {
                let family = fact.as_str()?;
                let known = FAMILIES.iter().find(|(name, _)| *name == family);
                Value::Str(known.map_or_else(|| capitalised(family), |(_, salt)| (*salt).to_owned()))
            }
            Conversion::Distribution => {
                let id = fact.as_str()?;
                if id == "centos"
                    && facts.fact("os.full_name").and_then(Value::as_str) == Some("CentOS Stream")
                {
                    return Some(Value::from("CentOS Stream"));
                }
                let known = DISTRIBUTIONS.iter().find(|d| d.id == id);
                Value::Str(known.map_or_else(|| capitalised(id), |d| d.os.to_owned()))
            }
        })
    }

    /// The fact's value from the grain's.
    pub(super) fn to_fact(self, grain: &Value, facts: &Facts) -> Option<Value> {
        Some(match self {
            Conversion::Same => grain.clone(),
            Conversion::Mebibytes => Value::Int(grain.as_int()?.checked_mul(1024 * 1024)?),
            Conversion::Kernel => Value::Str(grain.as_str()?.to_lowercase()),
            Conversion::PackageArch => {
                let arch = grain.as_str()?;
                Value::Str(match arch {
                    "i386" | "x86" => "386".to_owned(),
                    "armhf" | "armel" => "arm".to_owned(),
                    "ppc64el" => "ppc64le".to_owned(),
                    other => short_arch(other),
                })
            }
            Conversion::Family => {
                let family = grain.as_str()?;
                if family == "RedHat" {
                    let fedora = facts.grain("os").and_then(Value::as_str) == Some("Fedora");
                    return Some(Value::from(if fedora { "fedora" } else { "rhel" }));
                }
                Value::Str(family.to_lowercase())
            }
            Conversion::Distribution => {
                let os = grain.as_str()?;
                let full = facts.grain("osfullname").and_then(Value::as_str);
                let known = DISTRIBUTIONS
                    .iter()
                    .filter(|d| d.os == os)
                    .find(|d| full.is_none_or(|name| d.full_name == name))
                    .or_else(|| DISTRIBUTIONS.iter().find(|d| d.os == os));
                match (known, os) {
                    (Some(known), _) => Value::from(known.id),
                    (None, "CentOS Stream") => Value::from("centos"),
                    (None, os) => Value::Str(os.to_lowercase()),
                }
            }
        })
    }
}

/// What follows from a distribution's name and version among the facts themselves.
pub(super) fn complete_facts(facts: &mut Facts, given: &mut Given) {
    let text = |facts: &Facts, path: &str| facts.fact(path).and_then(Value::as_str).map(str::to_owned);
    let mut follows: Vec<(&str, Value)> = Vec::new();
    if given.facts.contains("os.platform")
        && let Some(platform) = text(facts, "os.platform")
    {
        follows.push(("os.name", Value::from("linux")));
        if let Some(known) = DISTRIBUTIONS.iter().find(|d| d.id == platform) {
            follows.push(("os.family", Value::from(known.family)));
            follows.push(("os.full_name", Value::from(known.full_name)));
        }
    }
    if given.facts.contains("os.platform_version")
        && let Some(version) = text(facts, "os.platform_version")
        && let Some(major) = version.split('.').next().and_then(|first| first.parse().ok())
    {
        follows.push(("os.major", Value::Int(major)));
    }
    if given.facts.contains("os.arch")
        && let Some(arch) = text(facts, "os.arch")
    {
        follows.push(("os.kernel_arch", Value::Str(kernel_arch(&arch))));
    }
    for (path, value) in follows {
        if given.facts.insert(path.to_owned()) {
            facts.set_fact(path, value);
        }
    }
}

/// Grains that follow from several others.
pub(super) fn complete_grains(facts: &mut Facts, given: &Given) {
    let touched = |names: &[&str]| names.iter().any(|name| given.grains.contains(*name));
    let text = |facts: &Facts, name: &str| facts.grain(name).and_then(Value::as_str).map(str::to_owned);
    let follow = |facts: &mut Facts, name: &str, value: Value| {
        if !given.grains.contains(name) {
            facts.grains.insert(name.to_owned(), value);
        }
    };
    if touched(&["osrelease", "os", "osfullname"])
        && let Some(release) = text(facts, "osrelease")
    {
        let parts: Vec<Value> = release
            .split('.')
            .map(|part| part.parse().map_or_else(|_| Value::from(part), Value::Int))
            .collect();
        let first = parts.first().map(ToString::to_string).unwrap_or_default();
        follow(facts, "osrelease_info", Value::List(parts));
        let os = text(facts, "os").unwrap_or_default();
        // Salt names these by their short name, all others by their full one.
        let short = matches!(os.as_str(), "Debian" | "FreeBSD" | "OpenBSD" | "NetBSD" | "Mac" | "Raspbian");
        let name = if short { Some(os.clone()) } else { text(facts, "osfullname") };
        if let Some(name) = name {
            let version = if matches!(os.as_str(), "Ubuntu" | "Pop") { release } else { first };
            follow(facts, "osfinger", Value::Str(format!("{name}-{version}")));
        }
    }
    if touched(&["host"])
        && let Some(host) = text(facts, "host")
    {
        for name in ["nodename", "localhost"] {
            if facts.grain(name).is_none() {
                follow(facts, name, Value::Str(host.clone()));
            }
        }
    }
    if touched(&["fqdn"])
        && let Some(fqdn) = text(facts, "fqdn")
        && let Some((_, domain)) = fqdn.split_once('.')
    {
        follow(facts, "domain", Value::from(domain));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::facts_schema::fact;

    #[test]
    fn every_grain_stands_once_and_names_a_fact_that_exists() {
        for (index, info) in GRAINS.iter().enumerate() {
            assert!(GRAINS[index + 1..].iter().all(|other| other.name != info.name), "{}", info.name);
            if let Some((path, conversion)) = info.fact {
                let fact = fact(path).unwrap_or_else(|| panic!("{} names `{path}`", info.name));
                if conversion == Conversion::Same {
                    assert_eq!(fact.shape, info.shape, "{}", info.name);
                    assert_eq!(fact.optional, info.optional, "{}", info.name);
                }
            }
        }
    }

    #[test]
    fn families_have_salts_names() {
        let none = Facts::default();
        for (family, salt) in [
            ("debian", "Debian"),
            ("rhel", "RedHat"),
            ("fedora", "RedHat"),
            ("suse", "Suse"),
            ("arch", "Arch"),
        ] {
            assert_eq!(Conversion::Family.to_grain(&Value::from(family), &none), Some(Value::from(salt)));
        }
        assert_eq!(family_of("ubuntu", &["debian"]), "debian");
        assert_eq!(family_of("neverheard", &["rhel", "fedora"]), "rhel");
        assert_eq!(family_of("own", &[]), "own");
    }

    #[test]
    fn every_distribution_comes_back_from_its_grains() {
        for known in DISTRIBUTIONS {
            let mut facts = Facts::default();
            facts.grains.insert("osfullname".into(), Value::from(known.full_name));
            let back = Conversion::Distribution.to_fact(&Value::from(known.os), &facts);
            assert_eq!(back, Some(Value::from(known.id)));
        }
    }
}
