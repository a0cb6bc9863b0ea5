//! The data that templates see: facts, grains and settings as types.

use super::ty::{Field, Openness, Origin, Ty};
use crate::{
    check::{
        Memory,
        workspace::{Unit, UnitKind, Workspace},
    },
    project::TreeKind,
    settings::{Inferred, Setting, Written},
    source::FileId,
    syntax::{Node, NodeKind, Part, ScalarStyle, expression::Expr},
    types::{
        Value,
        facts_grains::grains,
        facts_schema::{FactInfo, Shape, facts},
        resolve_plain,
    },
};
use indexmap::IndexMap;
use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, LazyLock},
};

/// Families of distributions as Salt names them.
const OS_FAMILIES: &[&str] = &[
    "Debian",
    "RedHat",
    "Suse",
    "Arch",
    "Alpine",
    "Gentoo",
    "FreeBSD",
    "OpenBSD",
    "NetBSD",
    "MacOS",
    "Windows",
    "Solaris",
    "SunOS",
    "SmartOS",
    "AIX",
    "Void",
    "NILinuxRT",
    "VMware",
    "Mandrake",
    "Slackware",
    "Solus",
    "Proxmox",
    "Linux",
];

/// Distributions as Salt names them.
const DISTRIBUTIONS: &[&str] = &[
    "Ubuntu",
    "Debian",
    "CentOS",
    "CentOS Stream",
    "RedHat",
    "Fedora",
    "Amazon",
    "OEL",
    "Rocky",
    "AlmaLinux",
    "SUSE",
    "openSUSE",
    "openSUSE Leap",
    "openSUSE Tumbleweed",
    "Leap",
    "Tumbleweed",
    "SLES",
    "Arch",
    "Manjaro",
    "Alpine",
    "Gentoo",
    "FreeBSD",
    "OpenBSD",
    "NetBSD",
    "MacOS",
    "Windows",
    "Raspbian",
    "Linux Mint",
    "Mint",
    "Kali",
    "Scientific",
    "CloudLinux",
    "Void",
    "Devuan",
    "elementary OS",
    "Pop",
    "Oracle",
    "SmartOS",
    "Solaris",
    "VMware ESXi",
    "XenServer",
    "Mageia",
    "Virtuozzo",
    "NILinuxRT",
    "Qubes",
    "EndeavourOS",
    "antiX",
];

/// Families as facts name them.
const FAMILIES: &[&str] =
    &["debian", "rhel", "fedora", "suse", "arch", "alpine", "gentoo", "freebsd", "darwin", "windows", "void"];

/// Distributions as facts name them.
const PLATFORMS: &[&str] = &[
    "ubuntu",
    "debian",
    "centos",
    "rhel",
    "fedora",
    "amzn",
    "rocky",
    "almalinux",
    "opensuse",
    "opensuse-leap",
    "opensuse-tumbleweed",
    "sles",
    "arch",
    "manjaro",
    "alpine",
    "gentoo",
    "raspbian",
    "linuxmint",
    "kali",
    "ol",
    "void",
    "devuan",
    "pop",
    "darwin",
    "freebsd",
];

const KERNELS: &[&str] = &["Linux", "Windows", "FreeBSD", "OpenBSD", "NetBSD", "Darwin", "SunOS", "AIX"];

const INITS: &[&str] = &[
    "systemd",
    "upstart",
    "sysvinit",
    "openrc",
    "runit",
    "launchd",
    "unknown",
    "busybox",
    "tini",
    "supervisord",
    "dumb-init",
];

/// Facts, grains and settings of a project.
pub struct Data {
    /// `facts`
    pub facts: Ty,
    /// `grains`
    pub grains: Ty,
    /// `settings`, `pillar`
    pub settings: Ty,
    /// Settings may come from outside of the tree: a Salt tree's own pillar often is somewhere else.
    pub settings_may_be_elsewhere: bool,
    /// The settings with all places that write them.
    pub inferred: Arc<Inferred>,
    /// What is different from what the last check had.
    pub change: Change,
    pub(super) custom: HashSet<String>,
}

/// What is different from an earlier check's data.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Change {
    /// Nothing.
    Nothing,
    /// What some keys at the top of the settings can be.
    Keys {
        /// The keys.
        keys: HashSet<Arc<str>>,
        /// Whether some of them came or went: what is said of names that are not there is different then.
        names: bool,
    },
    /// Anything.
    Everything,
}

impl Change {
    /// What two types of all settings differ in.
    fn between(before: &Ty, after: &Ty) -> Self {
        if before == after {
            return Self::Nothing;
        }
        let (Ty::Record(before), Ty::Record(after)) = (before, after) else { return Self::Everything };
        if before.openness != after.openness || before.origin != after.origin {
            return Self::Everything;
        }
        let all = before.fields.keys().chain(after.fields.keys());
        let keys = all.filter(|key| before.fields.get(&**key) != after.fields.get(&**key)).cloned().collect();
        Self::Keys { keys, names: !before.fields.keys().eq(after.fields.keys()) }
    }
}

/// What an earlier check knew, and the texts it was read from.
pub struct Seen {
    settings_files: Vec<(usize, FileId, UnitKind)>,
    listing: Option<u64>,
    known: HashSet<String>,
    custom: HashSet<String>,
    settings: Ty,
    inferred: Arc<Inferred>,
}

impl Data {
    /// The data of a check's files. What `memory` has of an earlier check is taken where its texts are the same.
    pub fn of(workspace: &Workspace<'_>, memory: &mut Memory) -> Self {
        let before = memory.data.take();
        let listing = memory.generation;
        let known = match before.as_ref().filter(|b| listing.is_some() && b.listing == listing) {
            Some(before) => before.known.clone(),
            None => {
                let mut known = HashSet::new();
                for peel in workspace.project.inventory().unwrap_or_default() {
                    known.extend(peel.facts.values.keys().cloned());
                    known.extend(peel.facts.grains.keys().cloned());
                }
                known
            }
        };
        let mut custom = known.clone();
        for unit in &workspace.units {
            own_grains(unit, &mut custom);
        }
        let units = workspace.units.iter().enumerate();
        let settings_files: Vec<(usize, FileId, UnitKind)> = units
            .filter(|(_, unit)| unit.tree_kind == TreeKind::Settings)
            .map(|(index, unit)| (index, unit.tree.file, unit.kind))
            .collect();
        let again = before
            .as_ref()
            .filter(|b| listing.is_some() && b.listing == listing)
            .and_then(|before| before.after(workspace, &settings_files));
        let (settings, inferred, change) = again.unwrap_or_else(|| {
            let inferred = Inferred::of(workspace);
            let settings = if inferred.is_known() {
                of_setting(&inferred.root, &[], inferred.foreign, 0)
            } else {
                Ty::DYNAMIC
            };
            let change = match &before {
                Some(b) if b.inferred.foreign == inferred.foreign => Change::between(&b.settings, &settings),
                _ => Change::Everything,
            };
            (settings, Arc::new(inferred), change)
        });
        let change = if before.is_some_and(|b| b.custom == custom) { change } else { Change::Everything };
        memory.data = Some(Arc::new(Seen {
            settings_files,
            listing,
            known,
            custom: custom.clone(),
            settings: settings.clone(),
            inferred: inferred.clone(),
        }));
        Self {
            facts: FACTS.clone(),
            grains: GRAINS.clone(),
            settings,
            settings_may_be_elsewhere: inferred.foreign,
            inferred,
            change,
            custom,
        }
    }

    /// Whether a name is a fact of the site's own.
    pub fn is_custom(&self, name: &str) -> bool {
        self.custom.contains(name)
    }
}

impl Seen {
    /// The settings where some of the files may have another text: their types, their places, and what is different. `None`
    /// where all must be read.
    fn after(
        &self,
        workspace: &Workspace<'_>,
        files: &[(usize, FileId, UnitKind)],
    ) -> Option<(Ty, Arc<Inferred>, Change)> {
        let same_places = |(old, new): (&(usize, FileId, UnitKind), &(usize, FileId, UnitKind))| {
            (old.0, old.2) == (new.0, new.2)
        };
        let pairs = || self.settings_files.iter().zip(files);
        if self.settings_files.len() != files.len() || !pairs().all(same_places) {
            return None;
        }
        let changed: Vec<usize> = pairs().filter(|(old, new)| old.1 != new.1).map(|(_, new)| new.0).collect();
        if changed.is_empty() {
            return Some((self.settings.clone(), self.inferred.clone(), Change::Nothing));
        }
        let (inferred, keys) = self.inferred.after(workspace, &changed)?;
        let Ty::Record(before) = &self.settings else { return None };
        let read_again: HashSet<&str> = keys.iter().map(String::as_str).collect();
        let mut fields = IndexMap::with_capacity(inferred.root.children.len());
        for (key, child) in &inferred.root.children {
            let (key, field) = match before.fields.get_key_value(&**key) {
                Some((key, field)) if !read_again.contains(&**key) => (key.clone(), field.clone()),
                _ => (Arc::from(&**key), field_of(key, child, &[], inferred.foreign, 0)),
            };
            fields.insert(key, field);
        }
        let settings = Ty::record(fields, before.openness, before.origin.clone());
        let change = Change::between(&self.settings, &settings);
        let settings = if change == Change::Nothing { self.settings.clone() } else { settings };
        Some((settings, Arc::new(inferred), change))
    }
}

/// Grains that states of the tree set.
fn own_grains(unit: &Unit, custom: &mut HashSet<String>) {
    if unit.kind != UnitKind::States {
        return;
    }
    for state in &unit.summary.states {
        for function in &state.functions {
            if !function.name.as_ref().is_some_and(|n| n.module == "grains" || n.module == "facts") {
                continue;
            }
            let names = function.names.iter().map(|(name, _)| name).chain([&state.id]);
            custom.extend(
                names.filter_map(|name| name.text()).map(|t| t.split(':').next().unwrap_or(t).to_owned()),
            );
        }
    }
}

/// Names of Salt's grains.
pub(super) fn grain_names() -> impl Iterator<Item = &'static str> {
    grains().map(|g| g.name).chain(OTHER_GRAINS.iter().copied())
}

/// Grains of Salt that are not collected here: known, so that their names are no mistakes.
const OTHER_GRAINS: &[&str] = &[
    "biosreleasedate",
    "biosversion",
    "boardname",
    "productname",
    "manufacturer",
    "serialnumber",
    "uuid",
    "cwd",
    "disks",
    "ssds",
    "efi",
    "efi-secure-boot",
    "fc_wwn",
    "iscsi_iqn",
    "nvme_nqn",
    "gid",
    "groupname",
    "uid",
    "username",
    "gpus",
    "num_gpus",
    "hwaddr_interfaces",
    "init",
    "ip_gw",
    "ip4_gw",
    "ip6_gw",
    "kernelparams",
    "lsb_distrib_codename",
    "lsb_distrib_description",
    "lsb_distrib_id",
    "lsb_distrib_release",
    "locale_info",
    "localhost",
    "lvm",
    "machine_id",
    "master",
    "mdadm",
    "mem_total",
    "swap_total",
    "osbuild",
    "osmanufacturer",
    "osservicepack",
    "osversion",
    "path",
    "pending_reboot",
    "ps",
    "pythonexecutable",
    "pythonpath",
    "pythonversion",
    "saltpath",
    "saltversion",
    "saltversioninfo",
    "selinux",
    "server_id",
    "shell",
    "systemd",
    "systempath",
    "timezone",
    "transactional",
    "virtual",
    "virtual_subtype",
    "windowsdomain",
    "windowsdomaintype",
    "zfs_support",
    "zfs_feature_flags",
    "zmqversion",
    "cpu_flags",
    "cpu_model",
    "cpuarch",
    "domain",
    "dns",
    "fqdns",
    "id",
    "role",
    "roles",
    "environment",
    "ec2",
    "ec2_tags",
    "metadata",
    "meta-data",
    "network",
    "datacenter",
    "cluster",
    "tags",
];

pub(super) static FACTS: LazyLock<Ty> = LazyLock::new(|| {
    let mut root: Namespace = Namespace::default();
    for info in facts() {
        root.add(info, info.path);
    }
    root.ty("")
});

/// A map of facts while it is made.
#[derive(Default)]
struct Namespace {
    leaves: Vec<(String, Field)>,
    inner: IndexMap<String, Namespace>,
}

impl Namespace {
    fn add(&mut self, info: &FactInfo, rest: &str) {
        match rest.split_once('.') {
            Some((first, rest)) => self.inner.entry(first.to_owned()).or_default().add(info, rest),
            None => {
                let ty = words_of_fact(info.path)
                    .map_or_else(|| of_shape(&info.shape), |w| Ty::word(w.iter().copied()));
                self.leaves.push((rest.to_owned(), Field { ty, optional: info.optional, span: None }));
            }
        }
    }

    fn ty(self, path: &str) -> Ty {
        let mut fields: IndexMap<Arc<str>, Field> =
            self.leaves.into_iter().map(|(name, field)| (name.into(), field)).collect();
        for (name, inner) in self.inner {
            let below = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            fields.insert(name.into(), Field::of(inner.ty(&below)));
        }
        Ty::record(fields, Openness::Closed, Origin::Facts(path.to_owned()))
    }
}

fn words_of_fact(path: &str) -> Option<&'static [&'static str]> {
    Some(match path {
        "os.family" => FAMILIES,
        "os.platform" => PLATFORMS,
        "system.init" => INITS,
        _ => return None,
    })
}

pub(super) static GRAINS: LazyLock<Ty> = LazyLock::new(|| {
    let mut fields: IndexMap<Arc<str>, Field> = IndexMap::new();
    for info in grains() {
        let words = match info.name {
            "os_family" => Some(OS_FAMILIES),
            "os" => Some(DISTRIBUTIONS),
            "kernel" => Some(KERNELS),
            "init" => Some(INITS),
            _ => None,
        };
        let ty = words.map_or_else(|| of_shape(&info.shape), |w| Ty::word(w.iter().copied()));
        fields.insert(info.name.into(), Field { ty, optional: info.optional, span: None });
    }
    for name in OTHER_GRAINS {
        fields.entry((*name).into()).or_insert(Field { ty: Ty::DYNAMIC, optional: true, span: None });
    }
    Ty::record(fields, Openness::Soft, Origin::Grains)
});

fn of_shape(shape: &Shape) -> Ty {
    match shape {
        Shape::Str => Ty::STR,
        Shape::Int => Ty::INT,
        Shape::Float => Ty::Float,
        Shape::Bool => Ty::BOOL,
        Shape::List(inner) => Ty::list(of_shape(inner)),
        Shape::Map(inner) => Ty::map(of_shape(inner)),
        Shape::Record(fields) => Ty::record(
            fields.iter().map(|(name, shape)| ((*name).into(), Field::of(of_shape(shape)))).collect(),
            Openness::Closed,
            Origin::Value,
        ),
        Shape::Any => Ty::DYNAMIC,
    }
}

/// What a setting can be, over all files that write it. In a tree of Salt's others may write it too.
fn of_setting(setting: &Setting, path: &[Arc<str>], foreign: bool, depth: usize) -> Ty {
    if depth > MAX_DEPTH {
        return Ty::GAP;
    }
    if let Some(ty) = setting.declared.as_ref().and_then(|d| d.ty.as_ref()) {
        return Ty::of_type(ty);
    }
    let mut words: Vec<Arc<str>> = Vec::new();
    let mut is_map = setting.definitions.is_empty();
    let mut secret = false;
    let mut types: Vec<Ty> = Vec::new();
    for definition in &setting.definitions {
        secret |= definition.secret;
        types.push(match &definition.written {
            Written::Scalar(Value::Str(text)) if !definition.secret && text.len() < 64 => {
                words.push(text.as_str().into());
                continue;
            }
            // Another file, or the command line, may write another value of the kind.
            Written::Scalar(value) => Ty::of_value(value).widened(),
            Written::Text => Ty::STR,
            Written::Expr(ty) => any_of_its_kind(ty),
            Written::Mixed | Written::Unknown => Ty::DYNAMIC,
            Written::List => {
                let item = setting
                    .item
                    .as_deref()
                    .map_or(Ty::Never, |item| of_setting(item, &below(path, "*"), foreign, depth + 1));
                Ty::list(if setting.open { item.or(Ty::DYNAMIC) } else { item })
            }
            Written::Map => {
                is_map = true;
                continue;
            }
        });
        if definition.hollow {
            types.push(Ty::Null);
        }
    }
    if !words.is_empty() {
        words.sort();
        words.dedup();
        types.push(if words.len() <= 16 { Ty::Word(words.into()) } else { Ty::STR });
    }
    if is_map {
        types.push(of_map(setting, path, foreign, depth));
    }
    let ty = Ty::union(types);
    if secret { ty.secret() } else { ty }
}

/// What another file, or the command line, may write in the place of a value.
fn any_of_its_kind(ty: &Ty) -> Ty {
    Ty::union(ty.members().iter().map(|member| match member {
        Ty::List(item) => Ty::list(item.widened()),
        other => other.widened(),
    }))
}

fn below(path: &[Arc<str>], key: &str) -> Vec<Arc<str>> {
    path.iter().cloned().chain([Arc::from(key)]).collect()
}

fn of_map(setting: &Setting, path: &[Arc<str>], foreign: bool, depth: usize) -> Ty {
    if let Some(computed) = setting.computed.as_deref().filter(|_| setting.children.is_empty()) {
        return Ty::map(of_setting(computed, &below(path, "*"), foreign, depth + 1));
    }
    // Of the maps that one file writes as items of a list some may have a key and others not. Lists of several files are those
    // of several peels, more often than not.
    let items = path.last().filter(|key| &***key == "*").map(|_| by_unit(setting));
    let is_in_some = |key: &Setting| {
        let Some(items) = &items else { return false };
        by_unit(key).iter().any(|(unit, count)| items.get(unit).is_some_and(|all| count < all))
    };
    let fields = setting.children.iter().map(|(key, child)| {
        let mut field = field_of(key, child, path, foreign, depth);
        field.optional |= child.declared.is_none() && is_in_some(child);
        (Arc::from(key.as_str()), field)
    });
    let openness = match (setting.open || setting.computed.is_some(), foreign) {
        (true, _) => Openness::Open,
        (false, true) => Openness::Soft,
        (false, false) => Openness::Closed,
    };
    Ty::record(fields.collect(), openness, Origin::Settings(path.to_vec()))
}

/// How many definitions each file has.
fn by_unit(setting: &Setting) -> HashMap<usize, usize> {
    let mut counts = HashMap::new();
    for definition in &setting.definitions {
        *counts.entry(definition.unit).or_insert(0) += 1;
    }
    counts
}

/// A key of the map at a path.
fn field_of(key: &str, setting: &Setting, path: &[Arc<str>], foreign: bool, depth: usize) -> Field {
    let optional = setting
        .declared
        .as_ref()
        .is_some_and(|d| d.is_leaf() && !d.required && d.default.is_none() && setting.definitions.is_empty());
    let ty = of_setting(setting, &below(path, key), foreign, depth + 1);
    Field { ty, optional, span: setting.place() }
}

/// Deepest nesting that is looked into.
const MAX_DEPTH: usize = 24;

/// The type of a file of data. Its scalars are switches that somebody turns by hand: each stands for its like, and nothing for
/// what is filled in elsewhere.
pub fn of_file(root: &Node) -> Ty {
    for_its_like(&of_node(root, &|_| Ty::DYNAMIC))
}

fn for_its_like(ty: &Ty) -> Ty {
    match ty {
        Ty::Null | Ty::Never => Ty::DYNAMIC,
        Ty::List(item) => Ty::list(for_its_like(item)),
        Ty::Record(record) => {
            let fields = record.fields.iter();
            let fields = fields.map(|(key, f)| (key.clone(), Field { ty: for_its_like(&f.ty), ..f.clone() }));
            Ty::record(fields.collect(), record.openness, record.origin.clone())
        }
        Ty::Union(members) => Ty::union(members.iter().map(for_its_like)),
        Ty::Secret(inner) => for_its_like(inner).secret(),
        other => other.widened(),
    }
}

/// The type of a node of YAML; `typed` knows the expressions in it.
pub fn of_node(node: &Node, typed: &dyn Fn(&Arc<Expr>) -> Ty) -> Ty {
    of_node_at(node, typed, 0)
}

fn of_node_at(node: &Node, typed: &dyn Fn(&Arc<Expr>) -> Ty, depth: usize) -> Ty {
    if depth > MAX_DEPTH {
        return Ty::GAP;
    }
    let secret = node.tag.as_deref().is_some_and(|(tag, _)| tag == "!encrypted");
    let ty = match &node.kind {
        NodeKind::Empty => Ty::Null,
        NodeKind::Scalar(scalar) => match scalar.literal() {
            Some(text) if scalar.style == ScalarStyle::Plain && node.tag.is_none() => {
                Ty::of_value(&resolve_plain(&text))
            }
            Some(text) => Ty::text(&text),
            None => match (scalar.only_expr(), scalar.style) {
                (Some(expr), ScalarStyle::Plain) => typed(expr),
                _ if scalar.parts.iter().any(|p| matches!(p, Part::Block { .. }))
                    && scalar.style == ScalarStyle::Plain =>
                {
                    Ty::DYNAMIC
                }
                _ => Ty::STR,
            },
        },
        NodeKind::Sequence(list) => {
            let items = list.items.iter().map(|item| of_node_at(item, typed, depth + 1));
            let more = (!list.splices.is_empty()).then_some(Ty::DYNAMIC);
            Ty::list(Ty::union(items.chain(more)))
        }
        NodeKind::Mapping(map) => {
            let mut fields: IndexMap<Arc<str>, Field> = IndexMap::new();
            let mut openness = if map.splices.is_empty() { Openness::Closed } else { Openness::Open };
            for entry in &map.entries {
                let Some(key) = entry.key.text() else {
                    openness = Openness::Open;
                    continue;
                };
                if key == "<<" {
                    openness = Openness::Open;
                    continue;
                }
                let ty = of_node_at(&entry.value, typed, depth + 1);
                let span = Some(entry.key.span);
                match fields.get_mut(&*key) {
                    Some(field) => field.ty = field.ty.clone().or(ty),
                    None => {
                        fields.insert(key.as_ref().into(), Field { ty, optional: false, span });
                    }
                }
            }
            Ty::record(fields, openness, Origin::Value)
        }
        NodeKind::Choice(all) => Ty::union(all.iter().map(|n| of_node_at(n, typed, depth + 1))),
        NodeKind::Splice(_) | NodeKind::Error => Ty::DYNAMIC,
    };
    if secret { ty.secret() } else { ty }
}
