//! What a container may be made with: the parameters of `docker create`, by the names that Salt gives them.

use super::{
    rows::{Rows, keys, texts},
    text::{Named, bind, bindings, capability, device, list, pairs, ports, restart_policy, ulimit},
};
use crate::exec::split_words;
use serde_json::Value as Json;
use std::collections::BTreeSet;
use zester_compiler::types::{Seconds, Size, Value};
use zester_stdlib_derive::Arguments;

/// Size of a container's shared memory where nothing is said.
const SHARED_MEMORY: i64 = 64 * 1024 * 1024;

/// How a container is made.
#[derive(Arguments)]
#[shared]
pub(super) struct Options {
    /// The command; the image's own if nothing is said.
    #[arg(alias = "cmd", ty = Type::Str.or(Type::List(Box::new(Type::Str))))]
    command: Option<Value>,
    /// The program before the command; the image's own if nothing is said.
    #[arg(ty = Type::Str.or(Type::List(Box::new(Type::Str))))]
    entrypoint: Option<Value>,
    /// Variables, as a map or as `NAME=value`.
    #[arg(alias = "env")]
    environment: Named,
    /// Labels, as a map or as `name=value`.
    labels: Named,
    /// Ports that are told to other containers, as `80` or `53/udp`.
    ports: Vec<String>,
    /// Ports of the machine that lead into the container, as `8080:80`, `127.0.0.1:53:53/udp`, or `80` for one that is free.
    #[arg(alias = "publish")]
    port_bindings: Vec<String>,
    /// Whether all ports that are told lead to free ones of the machine.
    publish_all_ports: Option<bool>,
    /// Directories and volumes of the machine inside the container, as `/srv/www:/www:ro` or `data:/var/lib/data`.
    binds: Vec<String>,
    /// Paths of the container that lie in volumes; with a colon as in `binds`.
    volumes: Vec<String>,
    /// Containers whose volumes it has, too.
    volumes_from: Vec<String>,
    /// The driver of its volumes.
    volume_driver: Option<String>,
    /// Directories in memory, each with its options.
    tmpfs: Named,
    /// When it is started again: `no`, `always`, `unless-stopped`, `on-failure`, `on-failure:5`.
    #[arg(alias = "restart", ty = Type::Any)]
    restart_policy: Option<Value>,
    /// How it reaches the network: `bridge`, `host`, `none`, `container:NAME` or a network.
    network_mode: Option<String>,
    /// Its host name.
    hostname: Option<String>,
    /// Its domain.
    domainname: Option<String>,
    /// Further names of hosts, as a map or as `name:address`.
    extra_hosts: Named,
    /// Servers that resolve names.
    dns: Vec<String>,
    /// Domains that are tried.
    dns_search: Vec<String>,
    /// Options of the resolver.
    #[arg(alias = "dns_option")]
    dns_opt: Vec<String>,
    /// Other containers that it knows by name, as `name:alias`.
    links: Vec<String>,
    /// Its hardware address.
    mac_address: Option<String>,
    /// The user inside.
    user: Option<String>,
    /// Groups that the user inside is in.
    group_add: Vec<String>,
    /// The directory inside.
    #[arg(alias = "workdir")]
    working_dir: Option<String>,
    /// Whether it may do what the machine may.
    privileged: Option<bool>,
    /// Capabilities that it has, too.
    cap_add: Vec<String>,
    /// Capabilities that it has not.
    cap_drop: Vec<String>,
    /// Options for its security, as `no-new-privileges`.
    security_opt: Vec<String>,
    /// Devices of the machine, as `/dev/net/tun` or `/dev/sda:/dev/xvda:r`.
    devices: Vec<String>,
    /// Whether nothing in its own file system can be changed.
    read_only: Option<bool>,
    /// Whether it is removed when it ends.
    #[arg(alias = "rm")]
    auto_remove: Option<bool>,
    /// Whether a small init reaps its processes.
    init: Option<bool>,
    /// Whether it has a terminal.
    tty: Option<bool>,
    /// Whether its input stays open.
    #[arg(alias = "stdin_open")]
    interactive: Option<bool>,
    /// Whether nobody waits for it.
    #[arg(inert = "containers always run on their own; what they say is in `docker logs`")]
    detach: Option<bool>,
    /// Most memory.
    #[arg(alias = "memory")]
    mem_limit: Option<Size>,
    /// Most memory and swap; `-1` for as much as there is.
    #[arg(alias = "memory_swap", ty = Type::Size.or(Type::Int { min: -1, max: i64::MAX }))]
    memswap_limit: Option<Value>,
    /// How readily its memory is swapped, `0` to `100`.
    #[arg(ty = Type::Int { min: -1, max: 100 })]
    mem_swappiness: Option<i64>,
    /// Shared memory.
    shm_size: Option<Size>,
    /// Its share of processors, beside the shares of others.
    #[arg(alias = "cpushares")]
    cpu_shares: Option<u32>,
    /// Length of a period of the scheduler, in microseconds.
    cpu_period: Option<u32>,
    /// Time in a period, in microseconds.
    cpu_quota: Option<i64>,
    /// Processors that it runs on, as `0-2` or `0,1`.
    #[arg(alias = "cpuset")]
    cpuset_cpus: Option<String>,
    /// Nodes whose memory it has.
    cpuset_mems: Option<String>,
    /// Its share of disks, `10` to `1000`.
    #[arg(ty = Type::Int { min: 0, max: 1000 })]
    blkio_weight: Option<i64>,
    /// Most processes.
    pids_limit: Option<i64>,
    /// Limits of its processes, as `nofile=1024:2048`.
    ulimits: Vec<String>,
    /// Whether it survives where memory runs out.
    oom_kill_disable: Option<bool>,
    /// How readily it is ended where memory runs out, `-1000` to `1000`.
    #[arg(ty = Type::Int { min: -1000, max: 1000 })]
    oom_score_adj: Option<i64>,
    /// Parameters of the kernel, as a map or as `name=value`.
    sysctls: Named,
    /// Where what it says goes: `json-file`, `journald`, `syslog` …
    log_driver: Option<String>,
    /// Options of that.
    log_opt: Named,
    /// Options of its storage.
    storage_opt: Named,
    /// Whose shared memory and semaphores it has.
    ipc_mode: Option<String>,
    /// Whose processes it sees.
    pid_mode: Option<String>,
    /// The names of its users.
    userns_mode: Option<String>,
    /// The group of processes that it is under.
    cgroup_parent: Option<String>,
    /// How it is kept apart.
    isolation: Option<String>,
    /// What runs it.
    runtime: Option<String>,
    /// The signal that ends it.
    stop_signal: Option<String>,
    /// How long it may take to end.
    stop_timeout: Option<Seconds>,
}

fn words_of(value: Option<&Value>) -> Result<Option<Vec<String>>, String> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::List(list)) => Ok(Some(list.iter().map(Value::to_string).collect())),
        Some(text) => split_words(&text.to_string()).map(Some),
    }
}

impl Options {
    /// All options: what is wanted beside what the container has, and the words that make one.
    pub(super) fn rows<'i>(
        &self,
        image: Option<&'i Json>,
        inspected: Option<&'i Json>,
        own_label: &str,
    ) -> Result<(Rows<'i>, Vec<String>), String> {
        let mut rows = Rows::of(inspected);
        let command = self.command(image, &mut rows)?;
        rows.variables(image, &pairs("environment", &self.environment, '=')?)?;
        rows.labels(image, &pairs("labels", &self.labels, '=')?, own_label);
        self.network(image, &mut rows)?;
        self.volumes(image, &mut rows)?;
        self.rights(image, &mut rows);
        self.limits(&mut rows)?;
        self.others(&mut rows)?;
        Ok((rows, command))
    }

    /// The program and its arguments are one row: `docker create` takes one word for the former, and the rest goes to the latter.
    fn command(&self, image: Option<&Json>, rows: &mut Rows<'_>) -> Result<Vec<String>, String> {
        let (entrypoint, command) = (words_of(self.entrypoint.as_ref())?, words_of(self.command.as_ref())?);
        let of_image = |path: &str| texts(image.and_then(|image| image.pointer(path)));
        let stated = entrypoint.is_some() || command.is_some();
        let mut wanted = entrypoint.clone().unwrap_or_else(|| of_image("/Config/Entrypoint"));
        let mut words = Vec::new();
        if let Some(mut all) = entrypoint {
            let first = if all.is_empty() { String::new() } else { all.remove(0) };
            rows.say("--entrypoint", &first);
            words = all;
        }
        words.extend(command.clone().unwrap_or_default());
        // An own program does not get the arguments of the image's.
        wanted.extend(match (command, self.entrypoint.is_some()) {
            (Some(command), _) => command,
            (None, true) => Vec::new(),
            (None, false) => of_image("/Config/Cmd"),
        });
        let mut have = texts(rows.at("/Config/Entrypoint"));
        have.extend(texts(rows.at("/Config/Cmd")));
        have.retain(|word| !word.is_empty());
        wanted.retain(|word| !word.is_empty());
        rows.ordered("command", stated, wanted, have);
        Ok(words)
    }

    fn network(&self, image: Option<&Json>, rows: &mut Rows<'_>) -> Result<(), String> {
        let mut told: BTreeSet<String> =
            keys(image.and_then(|image| image.pointer("/Config/ExposedPorts"))).into_iter().collect();
        for text in list(&self.ports) {
            rows.say("--expose", &text);
            told.extend(ports(&text)?);
        }
        let mut bound = BTreeSet::new();
        for text in list(&self.port_bindings) {
            rows.say("--publish", &text);
            bound.extend(bindings(&text)?);
        }
        told.extend(bound.iter().filter_map(|binding| Some(binding.rsplit_once(':')?.1.to_owned())));
        let stated = !self.ports.is_empty();
        let have = keys(rows.at("/Config/ExposedPorts")).into_iter().collect();
        rows.sets("ports", stated, told, have);
        let mut have = BTreeSet::new();
        for (inside, all) in
            rows.at("/HostConfig/PortBindings").and_then(Json::as_object).into_iter().flatten()
        {
            for one in all.as_array().into_iter().flatten() {
                let part = |name: &str| one.get(name).and_then(Json::as_str).unwrap_or_default();
                have.insert(format!("{}:{}:{inside}", part("HostIp"), part("HostPort")));
            }
        }
        rows.sets("port_bindings", !bound.is_empty(), bound, have);
        rows.switch(
            "publish_all_ports",
            "--publish-all",
            "/HostConfig/PublishAllPorts",
            self.publish_all_ports,
        );
        rows.text("network_mode", "--network", "/HostConfig/NetworkMode", self.network_mode.as_deref(), None);
        rows.text("hostname", "--hostname", "/Config/Hostname", self.hostname.as_deref(), None);
        rows.text("domainname", "--domainname", "/Config/Domainname", self.domainname.as_deref(), Some(""));
        rows.text("mac_address", "--mac-address", "/Config/MacAddress", self.mac_address.as_deref(), None);
        let hosts = pairs("extra_hosts", &self.extra_hosts, ':')?;
        let hosts: Vec<String> =
            hosts.into_iter().map(|(name, address)| format!("{name}:{address}")).collect();
        rows.list("extra_hosts", "--add-host", "/HostConfig/ExtraHosts", &hosts, str::to_owned);
        rows.list("dns", "--dns", "/HostConfig/Dns", &list(&self.dns), str::to_owned);
        let search = list(&self.dns_search);
        rows.list("dns_search", "--dns-search", "/HostConfig/DnsSearch", &search, str::to_owned);
        rows.list("dns_opt", "--dns-option", "/HostConfig/DnsOptions", &list(&self.dns_opt), str::to_owned);
        let links = list(&self.links);
        // The daemon tells `/other:/this/alias`.
        rows.list("links", "--link", "/HostConfig/Links", &links, |text| {
            let (other, alias) = text.split_once(':').unwrap_or((text, text));
            let alias = alias.rsplit('/').next().unwrap_or(alias);
            format!("{}:{alias}", other.trim_start_matches('/'))
        });
        Ok(())
    }

    fn volumes(&self, image: Option<&Json>, rows: &mut Rows<'_>) -> Result<(), String> {
        let (mut bound, inside): (Vec<String>, Vec<String>) =
            self.volumes.iter().cloned().partition(|text| text.contains(':'));
        bound.extend(self.binds.iter().cloned());
        rows.list("binds", "--volume", "/HostConfig/Binds", &bound, bind);
        let mut all: BTreeSet<String> =
            keys(image.and_then(|image| image.pointer("/Config/Volumes"))).into_iter().collect();
        let inside = list(&inside);
        for path in &inside {
            rows.say("--volume", path);
        }
        all.extend(inside.iter().cloned());
        let have = keys(rows.at("/Config/Volumes")).into_iter().collect();
        rows.sets("volumes", !inside.is_empty(), all, have);
        let from = list(&self.volumes_from);
        rows.list("volumes_from", "--volumes-from", "/HostConfig/VolumesFrom", &from, bind);
        let driver = self.volume_driver.as_deref();
        rows.text("volume_driver", "--volume-driver", "/HostConfig/VolumeDriver", driver, Some(""));
        let tmpfs = pairs("tmpfs", &self.tmpfs, ':')?;
        let words: Vec<String> = tmpfs
            .iter()
            .map(
                |(path, options)| if options.is_empty() { path.clone() } else { format!("{path}:{options}") },
            )
            .collect();
        for word in &words {
            rows.say("--tmpfs", word);
        }
        let have = super::rows::strings(rows.at("/HostConfig/Tmpfs"));
        let one = |(path, options): (String, String)| format!("{path}:{options}");
        rows.sets(
            "tmpfs",
            !words.is_empty(),
            tmpfs.into_iter().map(one).collect(),
            have.into_iter().map(one).collect(),
        );
        Ok(())
    }

    fn rights(&self, image: Option<&Json>, rows: &mut Rows<'_>) {
        let of_image = |path: &str| image.map_or("", |image| super::client::text(image, path));
        rows.text("user", "--user", "/Config/User", self.user.as_deref(), Some(of_image("/Config/User")));
        let default = of_image("/Config/WorkingDir");
        let directory = self.working_dir.as_deref();
        rows.text("working_dir", "--workdir", "/Config/WorkingDir", directory, Some(default));
        rows.list("group_add", "--group-add", "/HostConfig/GroupAdd", &list(&self.group_add), str::to_owned);
        rows.switch("privileged", "--privileged", "/HostConfig/Privileged", self.privileged);
        rows.list("cap_add", "--cap-add", "/HostConfig/CapAdd", &list(&self.cap_add), capability);
        rows.list("cap_drop", "--cap-drop", "/HostConfig/CapDrop", &list(&self.cap_drop), capability);
        if !self.security_opt.is_empty() {
            let path = "/HostConfig/SecurityOpt";
            rows.list("security_opt", "--security-opt", path, &self.security_opt, str::to_owned);
        }
        rows.switch("read_only", "--read-only", "/HostConfig/ReadonlyRootfs", self.read_only);
        let devices = list(&self.devices);
        for text in &devices {
            rows.say("--device", text);
        }
        let part = |of: &Json, name: &str| of.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
        let have = rows.at("/HostConfig/Devices").and_then(Json::as_array).into_iter().flatten().map(|of| {
            ["PathOnHost", "PathInContainer", "CgroupPermissions"].map(|name| part(of, name)).join(":")
        });
        let (wanted, have) = (devices.iter().map(|text| device(text)).collect(), have.collect());
        rows.sets("devices", !devices.is_empty(), wanted, have);
    }

    fn limits(&self, rows: &mut Rows<'_>) -> Result<(), String> {
        let size = |size: Option<Size>| size.map(|Size(bytes)| i64::try_from(bytes).unwrap_or(i64::MAX));
        rows.number("mem_limit", "--memory", "/HostConfig/Memory", size(self.mem_limit), Some(0));
        let swap = self.memswap_limit.as_ref().and_then(Value::as_int);
        rows.number("memswap_limit", "--memory-swap", "/HostConfig/MemorySwap", swap, None);
        let path = "/HostConfig/MemorySwappiness";
        rows.number("mem_swappiness", "--memory-swappiness", path, self.mem_swappiness, None);
        rows.number(
            "shm_size",
            "--shm-size",
            "/HostConfig/ShmSize",
            size(self.shm_size),
            Some(SHARED_MEMORY),
        );
        let number = |number: Option<u32>| number.map(i64::from);
        rows.number("cpu_shares", "--cpu-shares", "/HostConfig/CpuShares", number(self.cpu_shares), Some(0));
        rows.number("cpu_period", "--cpu-period", "/HostConfig/CpuPeriod", number(self.cpu_period), Some(0));
        rows.number("cpu_quota", "--cpu-quota", "/HostConfig/CpuQuota", self.cpu_quota, Some(0));
        let (cpus, mems) = (self.cpuset_cpus.as_deref(), self.cpuset_mems.as_deref());
        rows.text("cpuset_cpus", "--cpuset-cpus", "/HostConfig/CpusetCpus", cpus, Some(""));
        rows.text("cpuset_mems", "--cpuset-mems", "/HostConfig/CpusetMems", mems, Some(""));
        rows.number("blkio_weight", "--blkio-weight", "/HostConfig/BlkioWeight", self.blkio_weight, Some(0));
        rows.number("pids_limit", "--pids-limit", "/HostConfig/PidsLimit", self.pids_limit, Some(0));
        rows.switch(
            "oom_kill_disable",
            "--oom-kill-disable",
            "/HostConfig/OomKillDisable",
            self.oom_kill_disable,
        );
        rows.number(
            "oom_score_adj",
            "--oom-score-adj",
            "/HostConfig/OomScoreAdj",
            self.oom_score_adj,
            Some(0),
        );
        let limits = list(&self.ulimits);
        for text in &limits {
            rows.say("--ulimit", text);
        }
        let have = rows.at("/HostConfig/Ulimits").and_then(Json::as_array).into_iter().flatten().map(|of| {
            let limit = |name: &str| of.get(name).and_then(Json::as_i64).unwrap_or_default();
            let name = of.get("Name").and_then(Json::as_str).unwrap_or_default();
            format!("{name}={}:{}", limit("Soft"), limit("Hard"))
        });
        let (wanted, have) = (limits.iter().map(|text| ulimit(text)).collect(), have.collect());
        rows.sets("ulimits", !limits.is_empty(), wanted, have);
        let path = "/HostConfig/Sysctls";
        rows.pairs("sysctls", "--sysctl", path, pairs("sysctls", &self.sysctls, '=')?);
        Ok(())
    }

    fn others(&self, rows: &mut Rows<'_>) -> Result<(), String> {
        let policy = self.restart_policy.as_ref().map(restart_policy).transpose()?;
        let name = rows.at("/HostConfig/RestartPolicy/Name").and_then(Json::as_str).unwrap_or_default();
        let have = match rows.at("/HostConfig/RestartPolicy/MaximumRetryCount").and_then(Json::as_i64) {
            Some(count) if count > 0 => format!("{name}:{count}"),
            _ if name.is_empty() => "no".to_owned(),
            _ => name.to_owned(),
        };
        if let Some(policy) = &policy {
            rows.say("--restart", policy);
        }
        let wanted = policy.clone().unwrap_or_else(|| "no".to_owned());
        rows.row("restart_policy", policy.is_some(), wanted.into(), have.into());
        rows.switch("auto_remove", "--rm", "/HostConfig/AutoRemove", self.auto_remove);
        rows.switch("init", "--init", "/HostConfig/Init", self.init);
        rows.switch("tty", "--tty", "/Config/Tty", self.tty);
        rows.switch("interactive", "--interactive", "/Config/OpenStdin", self.interactive);
        if let Some(driver) = &self.log_driver {
            rows.text("log_driver", "--log-driver", "/HostConfig/LogConfig/Type", Some(driver), None);
        }
        let options = pairs("log_opt", &self.log_opt, '=')?;
        if !options.is_empty() {
            rows.pairs("log_opt", "--log-opt", "/HostConfig/LogConfig/Config", options);
        }
        let path = "/HostConfig/StorageOpt";
        rows.pairs("storage_opt", "--storage-opt", path, pairs("storage_opt", &self.storage_opt, '=')?);
        // What these are where nothing is said is the daemon's own matter.
        for (name, option, path, wanted) in [
            ("ipc_mode", "--ipc", "/HostConfig/IpcMode", &self.ipc_mode),
            ("pid_mode", "--pid", "/HostConfig/PidMode", &self.pid_mode),
            ("userns_mode", "--userns", "/HostConfig/UsernsMode", &self.userns_mode),
            ("cgroup_parent", "--cgroup-parent", "/HostConfig/CgroupParent", &self.cgroup_parent),
            ("isolation", "--isolation", "/HostConfig/Isolation", &self.isolation),
            ("runtime", "--runtime", "/HostConfig/Runtime", &self.runtime),
            ("stop_signal", "--stop-signal", "/Config/StopSignal", &self.stop_signal),
        ] {
            rows.text(name, option, path, wanted.as_deref(), None);
        }
        let timeout = self.stop_timeout.map(|Seconds(s)| super::client::whole_seconds(s) as i64);
        rows.number("stop_timeout", "--stop-timeout", "/Config/StopTimeout", timeout, None);
        Ok(())
    }
}
